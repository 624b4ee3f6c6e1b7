/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_AWS_REQUEST_H
#define PROVISIONERD_AWS_REQUEST_H

/*
 * The HTTP request that an AWS JSON 1.1 call is, signed. Pure but for the variables that
 * endpoint_resolve() reads.
 */

#include "aws/operation.h"
#include "http.h"
#include "sigv4.h"

/* Host, Content-Type, X-Amz-Target are signed; X-Amz-Date, Authorization and, with a session,
 * X-Amz-Security-Token come of signing. */
#define AWS_REQUEST_HEADERS_MAX 6

struct aws_request_input {
    const struct operation *operation;
    const char *body;
    size_t body_size;
    const struct sigv4_credentials *keys;
    const char *region;
    const char *endpoint_configured; /* as for endpoint_resolve() */
    const char *endpoint_shared;
    struct wall time;
};

/* Borrows body and keys of the input. */
struct aws_request {
    char *url;
    char *host;
    struct sigv4_signature signature;
    struct http_header headers[AWS_REQUEST_HEADERS_MAX];
    struct http_request http; /* without limits on time and size */
};

/* Returns 0, -ENOMEM, -EINVAL (region, endpoint or keys are not usable) or -E2BIG (keys too long);
 * ret is to be cleared in any case. */
int aws_request_make(const struct aws_request_input *input, struct sigv4_signer *signer,
                     struct aws_request *ret);
void aws_request_clear(struct aws_request *request);

#endif
