/* SPDX-License-Identifier: MIT */
#include "http/http_crypto.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <stdbool.h>

#include "cleanup.h"

/* Whether `name` can be fetched; one of a kind brings all of it. */
#define DEFINE_HAS(function, type, fetch, release) \
    static bool has_##function(const char *name)   \
    {                                              \
        type *algorithm = fetch(NULL, name, NULL); \
        bool is_there = algorithm != NULL;         \
                                                   \
        release(algorithm);                        \
        return is_there;                           \
    }

DEFINE_HAS(digest, EVP_MD, EVP_MD_fetch, EVP_MD_free)
DEFINE_HAS(cipher, EVP_CIPHER, EVP_CIPHER_fetch, EVP_CIPHER_free)
DEFINE_HAS(mac, EVP_MAC, EVP_MAC_fetch, EVP_MAC_free)
DEFINE_HAS(kdf, EVP_KDF, EVP_KDF_fetch, EVP_KDF_free)
DEFINE_HAS(keys, EVP_KEYMGMT, EVP_KEYMGMT_fetch, EVP_KEYMGMT_free)
DEFINE_HAS(exchange, EVP_KEYEXCH, EVP_KEYEXCH_fetch, EVP_KEYEXCH_free)
DEFINE_HAS(signature, EVP_SIGNATURE, EVP_SIGNATURE_fetch, EVP_SIGNATURE_free)
DEFINE_HAS(encryption, EVP_ASYM_CIPHER, EVP_ASYM_CIPHER_fetch, EVP_ASYM_CIPHER_free)
DEFINE_HAS(decoder, OSSL_DECODER, OSSL_DECODER_fetch, OSSL_DECODER_free)

/* Certificates are verified by a table of names of its own, into which OpenSSL 3 puts what it can. */
static bool is_named_digest(const char *name)
{
    return EVP_get_digestbyname(name) != NULL;
}

int http_prepare_crypto(void)
{
    static bool is_done = false;
    static const struct {
        bool (*has)(const char *name);
        const char *names[4];
    } kinds[] = {
        {is_named_digest, {"SHA1", "SHA256", "SHA384", "SHA512"}},
        {has_digest, {"SHA1", "SHA256", "SHA384"}},
        {has_cipher, {"AES-256-CTR", "AES-128-GCM", "AES-256-GCM"}}, /* the first: of the DRBG */
        {has_mac, {"HMAC"}},
        {has_kdf, {"HKDF", "TLS13-KDF", "TLS1-PRF"}},
        {has_keys, {"RSA", "EC", "X25519"}},
        {has_exchange, {"ECDH", "X25519"}},
        {has_signature, {"RSA", "ECDSA"}},
        {has_encryption, {"RSA"}},
        {has_decoder, {"RSA", "EC"}},
    };

    if (is_done)
        return 0;
    /* Without it OpenSSL 3.0 crashes in the midst of its own beginning. */
    if (!OSSL_LIB_CTX_get0_global_default())
        return -ENOMEM;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(kinds[i].names) && kinds[i].names[j]; j++)
            if (!kinds[i].has(kinds[i].names[j]))
                return -ENOMEM;
    if (RAND_status() != 1)
        return -ENOMEM;
    is_done = true;
    return 0;
}
