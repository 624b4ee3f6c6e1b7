/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIGV4_H
#define PROVISIONERD_SIGV4_H

/*
 * AWS Signature Version 4, signed by header. Pure: bytes and a moment in, text out; no clock, no
 * environment, no I/O. Source of every rule: AWS IAM User Guide, "Create a signed AWS API request".
 *
 *     struct sigv4_signer signer = {0};             keeps the day's derived key
 *     struct sigv4_signature signature;
 *     int r = sigv4_sign(&signer, &request, &credentials, &scope, time, &signature);
 *     ... send headers X-Amz-Date: signature.date, Authorization: signature.authorization ...
 *     sigv4_signer_wipe(&signer);
 *
 * Signing allocates nothing; the work space is on the stack, some 45 KiB, and is wiped of key
 * material and session token.
 */

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"

#define SIGV4_DATE_MAX 17      /* "20150830T123600Z" */
#define SIGV4_SIGNATURE_MAX 65 /* 64 hex digits */
#define SIGV4_AUTHORIZATION_MAX 1024

/* Far above what AWS accepts in one request; more is -E2BIG. */
#define SIGV4_HEADERS_MAX 64
#define SIGV4_QUERY_PARAMETERS_MAX 256
#define SIGV4_CANONICAL_REQUEST_MAX ((size_t)32 * 1024)

struct sigv4_header {
    const char *name;
    const char *value; /* spaces and tabs around and in it may be as they please; no line ends */
};

struct sigv4_request {
    const char *method;
    const char *path;                   /* as sent, before '?'; "" is "/" */
    const char *query;                  /* as sent, after '?', without it; "" or NULL: none */
    const struct sigv4_header *headers; /* all are signed, Host included. Not X-Amz-Date, which is
                                           added, nor X-Amz-Security-Token, added with a session.
                                           X-Amz-Content-Sha256, if here, stands for the body */
    size_t n_headers;
    const void *body;
    size_t body_size;
};

/* Borrowed. */
struct sigv4_credentials {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token; /* NULL: none */
};

struct sigv4_scope {
    const char *region;
    const char *service; /* signing name: "logs", "ecs", "sts" */
    bool raw_path;       /* true: neither normalise dots and slashes nor encode twice (S3) */
    bool sign_body;      /* also add and sign X-Amz-Content-Sha256 */
    bool omit_token;     /* the session token is sent, but not signed */
};

struct sigv4_signature {
    char date[SIGV4_DATE_MAX];
    char content_sha256[SIGV4_SIGNATURE_MAX]; /* of the body; to be sent with sign_body */
    char signature[SIGV4_SIGNATURE_MAX];
    char authorization[SIGV4_AUTHORIZATION_MAX];
};

/* The derived key of one (secret, day, region, service); made anew when any of them changes. */
struct sigv4_signer {
    unsigned char key[32];
    unsigned char
        identity[32]; /* digest of what the key was derived from; the secret is not kept */
    bool valid;
};

/*
 * Returns 0, -E2BIG (a request beyond the limits above), -EINVAL (not signable: a part is missing,
 * has characters that its place in a request cannot hold, or is a header that signing adds) or -EIO
 * (the digest failed).
 */
int sigv4_sign(struct sigv4_signer *signer, const struct sigv4_request *request,
               const struct sigv4_credentials *credentials, const struct sigv4_scope *scope,
               struct wall time, struct sigv4_signature *ret);

void sigv4_signer_wipe(struct sigv4_signer *signer);

/*
 * The two intermediate texts, for tests and for the sigv4 program: allocated, the caller frees them.
 * Same results as within sigv4_sign().
 */
int sigv4_canonical_request(const struct sigv4_request *request,
                            const struct sigv4_credentials *credentials,
                            const struct sigv4_scope *scope, struct wall time, char **ret);
int sigv4_string_to_sign(const struct sigv4_request *request,
                         const struct sigv4_credentials *credentials,
                         const struct sigv4_scope *scope, struct wall time, char **ret);

#endif
