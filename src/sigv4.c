/* SPDX-License-Identifier: MIT */
/*
 * SHA256_Init() and its kin work on plain memory. EVP, their successor, allocates: OpenSSL 3.0 gets a
 * new context from the heap for every digest, even where EVP_DigestInit_ex2() is asked to reuse one,
 * and so do HMAC() and EVP_MAC on top of it. Hence the older functions, and HMAC by hand.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "sigv4.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#include "sigv4/sigv4_canonical.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
#define DAY_LENGTH 8 /* of the date, "20150830" */

#define SHA256_SIZE SHA256_DIGEST_LENGTH
#define SHA256_BLOCK SHA256_CBLOCK

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

/* Of the parts one after the other. */
static bool sha256(const struct bytes *parts, size_t n, unsigned char ret[static SHA256_SIZE])
{
    SHA256_CTX context;
    bool ok = SHA256_Init(&context);

    for (size_t i = 0; i < n; i++)
        ok = ok && SHA256_Update(&context, parts[i].start, parts[i].size);
    ok = ok && SHA256_Final(ret, &context);
    OPENSSL_cleanse(&context, sizeof(context));
    return ok;
}

/* RFC 2104, for keys of at most one block. `ret` may be where the key is. */
static bool hmac_sha256(struct bytes key, struct bytes message,
                        unsigned char ret[static SHA256_SIZE])
{
    unsigned char inner_block[SHA256_BLOCK] = {0}, outer_block[SHA256_BLOCK];
    unsigned char inner[SHA256_SIZE];
    bool ok;

    memcpy(inner_block, key.start, key.size);
    for (size_t i = 0; i < SHA256_BLOCK; i++) {
        outer_block[i] = inner_block[i] ^ 0x5c;
        inner_block[i] ^= 0x36;
    }
    ok = sha256((struct bytes[]){{inner_block, SHA256_BLOCK}, message}, 2, inner) &&
         sha256((struct bytes[]){{outer_block, SHA256_BLOCK}, {inner, SHA256_SIZE}}, 2, ret);
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

static bool sha256_hex(const void *data, size_t size, char ret[static SIGV4_SIGNATURE_MAX])
{
    unsigned char hash[SHA256_SIZE];

    if (!sha256(&(struct bytes){data, size}, 1, hash))
        return false;
    format_hex(hash, ret);
    return true;
}

/* ---- the day's key ---- */

static struct bytes bytes_of(const char *string)
{
    return (struct bytes){string, strlen(string)};
}

/*
 * "AWS4" and the secret are the first key, made in `buffer`. RFC 2104: for a key longer than a block
 * stands its digest.
 */
static bool make_first_key(const char *secret, unsigned char buffer[static SHA256_BLOCK],
                           struct bytes *ret)
{
    struct bytes parts[] = {bytes_of("AWS4"), bytes_of(secret)};
    size_t size = parts[0].size + parts[1].size;

    if (size > SHA256_BLOCK) {
        *ret = (struct bytes){buffer, SHA256_SIZE};
        return sha256(parts, 2, buffer);
    }
    memcpy(buffer, parts[0].start, parts[0].size);
    memcpy(buffer + parts[0].size, parts[1].start, parts[1].size);
    *ret = (struct bytes){buffer, size};
    return true;
}

static bool derive_key(const char *secret, const char *day, const struct sigv4_scope *scope,
                       unsigned char ret[static SHA256_SIZE])
{
    unsigned char buffer[SHA256_BLOCK];
    struct bytes first, key = {ret, SHA256_SIZE};
    bool ok;

    ok = make_first_key(secret, buffer, &first) &&
         hmac_sha256(first, (struct bytes){day, DAY_LENGTH}, ret) &&
         hmac_sha256(key, bytes_of(scope->region), ret) &&
         hmac_sha256(key, bytes_of(scope->service), ret) &&
         hmac_sha256(key, bytes_of(TERMINATOR), ret);
    OPENSSL_cleanse(buffer, sizeof(buffer));
    return ok;
}

/* What the key depends on; the NULs that end the strings keep ("ab", "c") and ("a", "bc") apart. */
static bool make_identity(const char *secret, const char *day, const struct sigv4_scope *scope,
                          unsigned char ret[static SHA256_SIZE])
{
    struct bytes parts[] = {
        {secret, strlen(secret) + 1},
        {day, DAY_LENGTH},
        {scope->region, strlen(scope->region) + 1},
        {scope->service, strlen(scope->service) + 1},
    };

    return sha256(parts, sizeof(parts) / sizeof(parts[0]), ret);
}

static int signer_ensure_key(struct sigv4_signer *signer, const char *secret, const char *day,
                             const struct sigv4_scope *scope)
{
    unsigned char identity[SHA256_SIZE];

    if (!make_identity(secret, day, scope, identity))
        return -EIO;
    if (signer->valid && CRYPTO_memcmp(identity, signer->identity, sizeof(identity)) == 0)
        return 0;
    signer->valid = false;
    if (!derive_key(secret, day, scope, signer->key))
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

static int write_string_to_sign(const struct sigv4_scope *scope, struct draft *draft)
{
    struct sigv4_text *text = &draft->string_to_sign;
    char canonical_sha256[SIGV4_SIGNATURE_MAX];

    if (!sha256_hex(draft->canonical.bytes, draft->canonical.used, canonical_sha256))
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
static int draft_prepare(struct draft *draft, const struct sigv4_request *request,
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
    r = format_date(time, draft->date);
    if (r < 0)
        return r;
    if (!sha256_hex(request->body, request->body_size, draft->content_sha256))
        return -EIO;
    r = sigv4_collect_headers(request, credentials, scope, draft->date, draft->content_sha256,
                              &draft->headers);
    if (r < 0)
        return r;
    r = sigv4_write_canonical_request(request, scope, &draft->headers, draft->content_sha256,
                                      &draft->canonical);
    if (r < 0)
        return r;
    return write_string_to_sign(scope, draft);
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
    if (!hmac_sha256((struct bytes){signer->key, sizeof(signer->key)},
                     (struct bytes){draft->string_to_sign.bytes, draft->string_to_sign.used}, mac))
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

    r = draft_prepare(&draft, request, credentials, scope, time);
    if (r == 0)
        r = draft_sign(&draft, signer, credentials, scope, ret);
    draft_wipe(&draft);
    return r;
}

void sigv4_signer_wipe(struct sigv4_signer *signer)
{
    OPENSSL_cleanse(signer, sizeof(*signer));
}

/* A copy of one of the draft's two texts. */
static int copy_text(const struct sigv4_request *request,
                     const struct sigv4_credentials *credentials, const struct sigv4_scope *scope,
                     struct wall time, bool string_to_sign, char **ret)
{
    struct draft draft;
    char *copy;
    int r;

    r = draft_prepare(&draft, request, credentials, scope, time);
    if (r == 0) {
        copy = strdup(string_to_sign ? draft.string_to_sign.bytes : draft.canonical.bytes);
        if (copy)
            *ret = copy;
        else
            r = -ENOMEM;
    }
    draft_wipe(&draft);
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
