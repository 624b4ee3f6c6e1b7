/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_HTTP_H
#define PROVISIONERD_HTTP_H

/*
 * HTTP(S) requests on the loop: one connection pool, bytes out and bytes in, no opinion on status.
 * A request sets out at once, on a connection of its own: how many at a time is for the caller to limit.
 *
 * http_send() copies the whole request, so its memory may go as soon as it returns. The callback
 * comes exactly once, from the loop, never from within http_send(); not at all after http_cancel().
 * The response is borrowed: it is gone when the callback returns. The handle is invalid from the
 * moment the callback is entered.
 *
 * TLS is always verified against the system's CAs or http_options.ca_bundle. Redirects are not
 * followed. The environment's proxy variables are honoured, except for requests marked `direct`.
 * A request whose connection from the pool turns out to be closed before a byte of the answer is sent
 * again on another: each must bear being received twice.
 * This header is also implemented by the simulated AWS in process, for virtual time.
 */

#include <stdbool.h>
#include <stddef.h>

#include "loop.h"

struct http;
struct http_call;

struct http_options {
    const char *ca_bundle; /* PEM file in place of the system's CAs; NULL: the system's */
};

struct http_header {
    const char *name;
    const char *value;
};

struct http_request {
    const char *method;
    const char *url; /* http:// or https://, already percent-encoded */
    const struct http_header *headers;
    size_t n_headers;
    const void *body;
    size_t body_size;
    int64_t timeout_ms;       /* whole exchange, more than 0; a stalled transfer ends earlier */
    size_t response_size_max; /* bytes of body; more is -EFBIG */
    bool direct;              /* link-local metadata: never through a proxy */
};

/*
 * Errors:
 *   -ETIMEDOUT       timeout_ms, or no connection within 10 s, or not a byte for 30 s
 *   -EHOSTUNREACH    no such host name, or no answer from its name servers; or no route
 *   -ECONNREFUSED, -ECONNRESET, -ENETUNREACH and others of the network's, as the system says them;
 *                    -ECONNRESET also for a connection closed without an answer
 *   -EPROTO          no TLS: certificate not trusted, expired or for another host, handshake failed
 *   -EBADMSG         no HTTP, fewer bytes than announced, headers cut off, too many or too large
 *   -EFBIG           a body of more than response_size_max
 *   -ENOMEM, -EIO    short of memory; whatever else
 */
struct http_response {
    int error;              /* 0: status is valid. Else negative errno: nothing came, or not all */
    const char *error_text; /* with error: what happened, for people; never NULL then */
    int status;
    const struct http_header *headers; /* names as received; of the final response only */
    size_t n_headers;
    const char *body; /* NUL-terminated beyond body_size, for convenience */
    size_t body_size;
};

typedef void http_done_fn(void *userdata, const struct http_response *response);

/* options may be NULL. Has the process ignore SIGPIPE. Returns 0 or a negative errno. */
int http_new(struct loop *loop, const struct http_options *options, struct http **ret);

/* Cancels what is under way, without callbacks. */
struct http *http_free(struct http *http);

/*
 * Returns 0, or -EINVAL (unusable method, URL, header or time-out; control characters in a header's
 * value are) or -ENOMEM; then no callback comes.
 */
int http_send(struct http *http, const struct http_request *request, http_done_fn *done,
              void *userdata, struct http_call **ret);
void http_cancel(struct http_call *call);

/* The value of the first header of that name, compared without case; NULL if there is none. */
const char *http_response_header(const struct http_response *response, const char *name);

#endif
