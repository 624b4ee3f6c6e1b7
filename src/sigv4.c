/* SPDX-License-Identifier: MIT */
#include "sigv4.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "sigv4_canonical.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
#define DAY_LENGTH 8 /* of the date, "20150830" */

#define SHA256_SIZE 32
#define SHA256_BLOCK 64

/* Algorithm, date, scope, digest: four lines. Region and service are a few characters each. */
#define STRING_TO_SIGN_MAX 512

struct bytes {
    const void *start;
    size_t size;
};

/* All that a signature is made of, on the stack of the public functions. */
struct draft {
    char date[SIGV4_DATE_MAX];
    char content_sha256[SIGV4_SIGNATURE_MAX];
    struct sigv4_header_list headers;
    struct sigv4_text canonical;
    struct sigv4_text string_to_sign;
    char canonical_buffer[SIGV4_CANONICAL_REQUEST_MAX];
    char string_to_sign_buffer[STRING_TO_SIGN_MAX];
};

/* ---- digests ---- */

/*
 * One context for every digest of the signer. With the algorithm unnamed, EVP_DigestInit_ex2() reuses
 * what the context holds. Copying a context, and with it EVP_MAC, would allocate each time: hence
 * HMAC by hand.
 */
static int signer_open(struct sigv4_signer *signer)
{
    EVP_MD *sha256;
    bool ready;

    if (signer->digest)
        return 0;
    signer->digest = EVP_MD_CTX_new();
    if (!signer->digest)
        return -ENOMEM;
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ready = sha256 && EVP_DigestInit_ex2(signer->digest, sha256, NULL);
    EVP_MD_free(sha256);
    if (!ready) {
        EVP_MD_CTX_free(signer->digest);
        signer->digest = NULL;
        return -EIO;
    }
    return 0;
}

static bool sha256_of_two(EVP_MD_CTX *digest, struct bytes first, struct bytes second,
                          unsigned char ret[static SHA256_SIZE])
{
    return EVP_DigestInit_ex2(digest, NULL, NULL) &&
           EVP_DigestUpdate(digest, first.start, first.size) &&
           EVP_DigestUpdate(digest, second.start, second.size) &&
           EVP_DigestFinal_ex(digest, ret, NULL);
}

static bool sha256(EVP_MD_CTX *digest, const void *data, size_t size,
                   unsigned char ret[static SHA256_SIZE])
{
    return sha256_of_two(digest, (struct bytes){data, size}, (struct bytes){"", 0}, ret);
}

/* RFC 2104, for keys of at most one block. `ret` may be `key`. */
static bool hmac_sha256(EVP_MD_CTX *digest, const unsigned char *key, size_t key_size,
                        const char *message, size_t message_size,
                        unsigned char ret[static SHA256_SIZE])
{
    unsigned char inner_block[SHA256_BLOCK], outer_block[SHA256_BLOCK], inner[SHA256_SIZE];
    bool ok;

    for (size_t i = 0; i < SHA256_BLOCK; i++) {
        unsigned char byte = i < key_size ? key[i] : 0;

        inner_block[i] = byte ^ 0x36;
        outer_block[i] = byte ^ 0x5c;
    }
    ok = sha256_of_two(digest, (struct bytes){inner_block, sizeof(inner_block)},
                       (struct bytes){message, message_size}, inner) &&
         sha256_of_two(digest, (struct bytes){outer_block, sizeof(outer_block)},
                       (struct bytes){inner, sizeof(inner)}, ret);
    OPENSSL_cleanse(inner_block, sizeof(inner_block));
    OPENSSL_cleanse(outer_block, sizeof(outer_block));
    OPENSSL_cleanse(inner, sizeof(inner));
    return ok;
}

static void format_hex(const unsigned char bytes[static SHA256_SIZE],
                       char ret[static SIGV4_SIGNATURE_MAX])
{
    static const char hex_digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SHA256_SIZE; i++) {
        ret[2 * i] = hex_digits[bytes[i] >> 4];
        ret[2 * i + 1] = hex_digits[bytes[i] & 0xf];
    }
    ret[SIGV4_SIGNATURE_MAX - 1] = '\0';
}

static bool sha256_hex(EVP_MD_CTX *digest, const void *data, size_t size,
                       char ret[static SIGV4_SIGNATURE_MAX])
{
    unsigned char hash[SHA256_SIZE];

    if (!sha256(digest, data, size, hash))
        return false;
    format_hex(hash, ret);
    return true;
}

/* ---- the day's key ---- */

/* "AWS4" and the secret are the first key. RFC 2104: one longer than a block stands for its digest. */
static bool make_first_key(EVP_MD_CTX *digest, struct bytes secret,
                           unsigned char ret[static SHA256_BLOCK], size_t *ret_size)
{
    struct bytes prefix = {"AWS4", 4};

    if (prefix.size + secret.size > SHA256_BLOCK) {
        *ret_size = SHA256_SIZE;
        return sha256_of_two(digest, prefix, secret, ret);
    }
    memcpy(ret, prefix.start, prefix.size);
    memcpy(ret + prefix.size, secret.start, secret.size);
    *ret_size = prefix.size + secret.size;
    return true;
}

static bool derive_key(EVP_MD_CTX *digest, const char *secret, const char *day,
                       const struct sigv4_scope *scope, unsigned char ret[static SHA256_SIZE])
{
    unsigned char first[SHA256_BLOCK], key[SHA256_SIZE];
    size_t first_size;
    bool ok;

    ok = make_first_key(digest, (struct bytes){secret, strlen(secret)}, first, &first_size) &&
         hmac_sha256(digest, first, first_size, day, DAY_LENGTH, key) &&
         hmac_sha256(digest, key, sizeof(key), scope->region, strlen(scope->region), key) &&
         hmac_sha256(digest, key, sizeof(key), scope->service, strlen(scope->service), key) &&
         hmac_sha256(digest, key, sizeof(key), TERMINATOR, strlen(TERMINATOR), key);
    if (ok)
        memcpy(ret, key, sizeof(key));
    OPENSSL_cleanse(first, sizeof(first));
    OPENSSL_cleanse(key, sizeof(key));
    return ok;
}

/* What the key depends on; the NULs that end the strings keep ("ab", "c") and ("a", "bc") apart. */
static bool make_identity(EVP_MD_CTX *digest, const char *secret, const char *day,
                          const struct sigv4_scope *scope, unsigned char ret[static SHA256_SIZE])
{
    return EVP_DigestInit_ex2(digest, NULL, NULL) &&
           EVP_DigestUpdate(digest, secret, strlen(secret) + 1) &&
           EVP_DigestUpdate(digest, day, DAY_LENGTH) &&
           EVP_DigestUpdate(digest, scope->region, strlen(scope->region) + 1) &&
           EVP_DigestUpdate(digest, scope->service, strlen(scope->service) + 1) &&
           EVP_DigestFinal_ex(digest, ret, NULL);
}

static int signer_ensure_key(struct sigv4_signer *signer, const char *secret, const char *day,
                             const struct sigv4_scope *scope)
{
    unsigned char identity[SHA256_SIZE];

    if (!make_identity(signer->digest, secret, day, scope, identity))
        return -EIO;
    if (signer->valid && CRYPTO_memcmp(identity, signer->identity, sizeof(identity)) == 0)
        return 0;
    signer->valid = false;
    if (!derive_key(signer->digest, secret, day, scope, signer->key))
        return -EIO;
    memcpy(signer->identity, identity, sizeof(identity));
    signer->valid = true;
    return 0;
}

/* ---- from request to signature ---- */

static bool input_is_complete(const struct sigv4_request *request,
                              const struct sigv4_credentials *credentials,
                              const struct sigv4_scope *scope)
{
    return (request->body || request->body_size == 0) &&
           sigv4_is_scope_part(credentials->access_key_id) && credentials->secret_access_key &&
           *credentials->secret_access_key && sigv4_is_scope_part(scope->region) &&
           sigv4_is_scope_part(scope->service);
}

/* ISO 8601's basic form: the extended one without its punctuation. */
static int format_date(struct wall time, char ret[static SIGV4_DATE_MAX])
{
    char buffer[WALL_TEXT_MAX];
    size_t used = 0;

    if (time.ms < 0)
        return -EINVAL;
    for (const char *c = wall_format_iso(time, buffer); *c; c++) {
        if (*c == '-' || *c == ':')
            continue;
        if (used == SIGV4_DATE_MAX - 1) /* a year of five digits */
            return -EINVAL;
        ret[used++] = *c;
    }
    ret[used] = '\0';
    return 0;
}

static void append_scope(struct sigv4_text *text, const char *date, const struct sigv4_scope *scope)
{
    sigv4_text_append(text, date, DAY_LENGTH);
    sigv4_text_puts(text, "/");
    sigv4_text_puts(text, scope->region);
    sigv4_text_puts(text, "/");
    sigv4_text_puts(text, scope->service);
    sigv4_text_puts(text, "/" TERMINATOR);
}

static int write_string_to_sign(EVP_MD_CTX *digest, const struct sigv4_scope *scope,
                                struct draft *draft)
{
    struct sigv4_text *text = &draft->string_to_sign;
    char canonical_sha256[SIGV4_SIGNATURE_MAX];

    if (!sha256_hex(digest, draft->canonical.bytes, draft->canonical.used, canonical_sha256))
        return -EIO;
    sigv4_text_puts(text, ALGORITHM "\n");
    sigv4_text_puts(text, draft->date);
    sigv4_text_puts(text, "\n");
    append_scope(text, draft->date, scope);
    sigv4_text_puts(text, "\n");
    sigv4_text_puts(text, canonical_sha256);
    return sigv4_text_finish(text);
}

/* All up to the string to sign. The draft is to be wiped, whatever comes of it. */
static int draft_prepare(struct draft *draft, struct sigv4_signer *signer,
                         const struct sigv4_request *request,
                         const struct sigv4_credentials *credentials,
                         const struct sigv4_scope *scope, struct wall time)
{
    int r;

    draft->canonical = (struct sigv4_text){.bytes = draft->canonical_buffer,
                                           .size = sizeof(draft->canonical_buffer)};
    draft->string_to_sign = (struct sigv4_text){.bytes = draft->string_to_sign_buffer,
                                                .size = sizeof(draft->string_to_sign_buffer)};
    if (!input_is_complete(request, credentials, scope))
        return -EINVAL;
    r = signer_open(signer);
    if (r < 0)
        return r;
    r = format_date(time, draft->date);
    if (r < 0)
        return r;
    if (!sha256_hex(signer->digest, request->body, request->body_size, draft->content_sha256))
        return -EIO;
    r = sigv4_collect_headers(request, credentials, scope, draft->date, draft->content_sha256,
                              &draft->headers);
    if (r < 0)
        return r;
    r = sigv4_write_canonical_request(request, scope, &draft->headers, draft->content_sha256,
                                      &draft->canonical);
    if (r < 0)
        return r;
    return write_string_to_sign(signer->digest, scope, draft);
}

/* The session token is in the canonical request. */
static void draft_wipe(struct draft *draft)
{
    OPENSSL_cleanse(draft->canonical.bytes, draft->canonical.used);
}

static int write_authorization(const char *access_key_id, const struct sigv4_scope *scope,
                               const struct draft *draft, struct sigv4_signature *signature)
{
    struct sigv4_text text = {.bytes = signature->authorization,
                              .size = sizeof(signature->authorization)};

    sigv4_text_puts(&text, ALGORITHM " Credential=");
    sigv4_text_puts(&text, access_key_id);
    sigv4_text_puts(&text, "/");
    append_scope(&text, draft->date, scope);
    sigv4_text_puts(&text, ", SignedHeaders=");
    sigv4_append_signed_headers(&text, &draft->headers);
    sigv4_text_puts(&text, ", Signature=");
    sigv4_text_puts(&text, signature->signature);
    return sigv4_text_finish(&text);
}

static int draft_sign(const struct draft *draft, struct sigv4_signer *signer,
                      const struct sigv4_credentials *credentials, const struct sigv4_scope *scope,
                      struct sigv4_signature *ret)
{
    struct sigv4_signature signature;
    unsigned char mac[SHA256_SIZE];
    int r;

    r = signer_ensure_key(signer, credentials->secret_access_key, draft->date, scope);
    if (r < 0)
        return r;
    if (!hmac_sha256(signer->digest, signer->key, sizeof(signer->key), draft->string_to_sign.bytes,
                     draft->string_to_sign.used, mac))
        return -EIO;
    format_hex(mac, signature.signature);
    r = write_authorization(credentials->access_key_id, scope, draft, &signature);
    if (r < 0)
        return r;
    memcpy(signature.date, draft->date, sizeof(signature.date));
    memcpy(signature.content_sha256, draft->content_sha256, sizeof(signature.content_sha256));
    *ret = signature;
    return 0;
}

int sigv4_sign(struct sigv4_signer *signer, const struct sigv4_request *request,
               const struct sigv4_credentials *credentials, const struct sigv4_scope *scope,
               struct wall time, struct sigv4_signature *ret)
{
    struct draft draft;
    int r;

    r = draft_prepare(&draft, signer, request, credentials, scope, time);
    if (r == 0)
        r = draft_sign(&draft, signer, credentials, scope, ret);
    draft_wipe(&draft);
    return r;
}

void sigv4_signer_wipe(struct sigv4_signer *signer)
{
    EVP_MD_CTX_free(signer->digest);
    OPENSSL_cleanse(signer, sizeof(*signer));
    *signer = (struct sigv4_signer){0};
}

/* A copy of one of the draft's two texts. */
static int copy_text(const struct sigv4_request *request,
                     const struct sigv4_credentials *credentials, const struct sigv4_scope *scope,
                     struct wall time, bool string_to_sign, char **ret)
{
    struct sigv4_signer signer = {0};
    struct draft draft;
    char *copy;
    int r;

    r = draft_prepare(&draft, &signer, request, credentials, scope, time);
    if (r == 0) {
        copy = strdup(string_to_sign ? draft.string_to_sign.bytes : draft.canonical.bytes);
        if (copy)
            *ret = copy;
        else
            r = -ENOMEM;
    }
    draft_wipe(&draft);
    sigv4_signer_wipe(&signer);
    return r;
}

int sigv4_canonical_request(const struct sigv4_request *request,
                            const struct sigv4_credentials *credentials,
                            const struct sigv4_scope *scope, struct wall time, char **ret)
{
    return copy_text(request, credentials, scope, time, false, ret);
}

int sigv4_string_to_sign(const struct sigv4_request *request,
                         const struct sigv4_credentials *credentials,
                         const struct sigv4_scope *scope, struct wall time, char **ret)
{
    return copy_text(request, credentials, scope, time, true, ret);
}
