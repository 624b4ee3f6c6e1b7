/* SPDX-License-Identifier: MIT */
/*
 * Requests as the sigv4 program reads them, signed: the three results (canonical request, string to
 * sign, signature) must belong together, as OpenSSL's digests say, whatever the spelling.
 */

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* The program's own reader of requests, static functions and all; its main is none here. */
int sigv4_main(int argc, char **argv);
#define main sigv4_main
#include "tools/sigv4.c"
#undef main

#include "tests/fuzz/fuzz.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define HASH_SIZE 32

static void to_hex(const unsigned char *bytes, char text[static 2 * HASH_SIZE + 1])
{
    for (size_t i = 0; i < HASH_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static void hash(const void *bytes, size_t size, char text[static 2 * HASH_SIZE + 1])
{
    unsigned char digest[HASH_SIZE];

    MUST(EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL) == 1);
    to_hex(digest, text);
}

static void mac(const unsigned char *key, size_t key_size, const char *text,
                unsigned char out[static HASH_SIZE])
{
    unsigned char digest[HASH_SIZE];

    MUST(HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, strlen(text), digest,
              NULL));
    memcpy(out, digest, HASH_SIZE);
}

/* The page's "Calculate the signature", step by step. */
static void expected_signature(const char *day, const struct sigv4_scope *scope,
                               const char *string_to_sign, char text[static 2 * HASH_SIZE + 1])
{
    unsigned char key[HASH_SIZE];

    mac((const unsigned char *)"AWS4" SECRET, strlen("AWS4" SECRET), day, key);
    mac(key, sizeof(key), scope->region, key);
    mac(key, sizeof(key), scope->service, key);
    mac(key, sizeof(key), "aws4_request", key);
    mac(key, sizeof(key), string_to_sign, key);
    to_hex(key, text);
}

static const char *last_line(const char *text)
{
    const char *newline = strrchr(text, '\n');
    return newline ? newline + 1 : text;
}

static bool says_hash(const struct sigv4_request *request)
{
    for (size_t i = 0; i < request->n_headers; i++)
        if (strcasecmp(request->headers[i].name, "X-Amz-Content-Sha256") == 0)
            return true;
    return false;
}

/* The same request: the same signature, with a signer that has its key, and in another order. */
static void check_again(const struct sigv4_request *request,
                        const struct sigv4_credentials *credentials,
                        const struct sigv4_scope *scope, struct wall time,
                        struct sigv4_signer *signer, const struct sigv4_signature *signature)
{
    struct sigv4_header turned[SIGV4_HEADERS_MAX];
    struct sigv4_request other = *request;
    struct sigv4_signature again;

    MUST(sigv4_sign(signer, request, credentials, scope, time, &again) == 0);
    MUST(strcmp(again.authorization, signature->authorization) == 0);
    for (size_t i = 0; i < request->n_headers; i++)
        for (size_t n = 0; n < i; n++)
            if (strcasecmp(request->headers[i].name, request->headers[n].name) == 0)
                return; /* of equal names, the order counts */
    for (size_t i = 0; i < request->n_headers; i++)
        turned[i] = request->headers[request->n_headers - 1 - i];
    other.headers = turned;
    MUST(sigv4_sign(signer, &other, credentials, scope, time, &again) == 0);
    MUST(strcmp(again.signature, signature->signature) == 0);
}

static void check_signing(const struct sigv4_request *request,
                          const struct sigv4_credentials *credentials,
                          const struct sigv4_scope *scope, struct wall time)
{
    struct sigv4_signer signer = {0};
    struct sigv4_signature signature;
    char *canonical = NULL, *string_to_sign = NULL, text[2 * HASH_SIZE + 1], day[9];
    int r = sigv4_sign(&signer, request, credentials, scope, time, &signature);
    int canonical_r = sigv4_canonical_request(request, credentials, scope, time, &canonical);
    int string_r = sigv4_string_to_sign(request, credentials, scope, time, &string_to_sign);

    MUST(r == 0 || r == -EINVAL || r == -E2BIG);
    if (r == 0) {
        MUST(canonical_r == 0 && string_r == 0);
        hash(canonical, strlen(canonical), text);
        MUST(strcmp(last_line(string_to_sign), text) == 0);
        snprintf(day, sizeof(day), "%.8s", signature.date);
        expected_signature(day, scope, string_to_sign, text);
        MUST(strcmp(signature.signature, text) == 0);
        MUST(strcmp(last_line(signature.authorization), signature.authorization) == 0);
        MUST(strstr(signature.authorization, signature.signature));
        MUST(!strstr(signature.authorization, SECRET));
        MUST(says_hash(request) || strcmp(last_line(canonical), signature.content_sha256) == 0);
        check_again(request, credentials, scope, time, &signer, &signature);
    }
    sigv4_signer_wipe(&signer);
    free(canonical);
    free(string_to_sign);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sigv4_scope scope = {.region = "us-east-1", .service = "service"};
    struct sigv4_credentials credentials = {
        .access_key_id = "AKIDEXAMPLE",
        .secret_access_key = SECRET,
    };
    struct wall time = {INT64_C(1440938160000)};
    struct message message;

    if (size == 0)
        return 0;
    /* The first byte's bits are the options. */
    scope.raw_path = data[0] & 1;
    scope.sign_body = data[0] & 2;
    scope.omit_token = data[0] & 4;
    char *bytes = malloc(size);
    MUST(bytes);
    memcpy(bytes, data + 1, size - 1);
    bytes[size - 1] = '\0';
    if (!parse_message(bytes, size - 1, scope.sign_body, &message)) {
        MUST(message.request.n_headers <= SIGV4_HEADERS_MAX);
        credentials.session_token = message.token;
        if (message.date && parse_date(message.date, &time) < 0)
            time = (struct wall){INT64_C(1440938160000)};
        check_signing(&message.request, &credentials, &scope, time);
    }
    free(bytes);
    return 0;
}
