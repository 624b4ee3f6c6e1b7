/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_EXCHANGE_H
#define PROVISIONERD_CREDENTIALS_EXCHANGE_H

/*
 * One question to a credentials source, asked a few times if need be: the request is kept, secrets
 * and all, and wiped at the end.
 *
 * The callback comes once, from the loop; not at all after the cancel. The handle is invalid from the
 * moment it is entered, the response borrowed until it returns.
 */

#include "credentials/credentials_keys.h"
#include "http.h"

struct credentials_exchange;

/* Whether asking the same again may help. */
typedef bool credentials_retryable_fn(const struct http_response *response);

struct credentials_question {
    struct http_request request;
    unsigned attempts_max;
    credentials_retryable_fn *is_retryable;
};

/* Returns 0, -ENOMEM or -EINVAL (unusable URL or header). */
int credentials_exchange_start(struct loop *loop, struct http *http,
                               const struct credentials_question *question, http_done_fn *done,
                               void *userdata, struct credentials_exchange **ret);
struct credentials_exchange *credentials_exchange_cancel(struct credentials_exchange *exchange);

/* Nothing came, or the server is in trouble (429, 5xx). */
bool credentials_exchange_is_transient(const struct http_response *response);

/* Says in `why` what came in place of a 200, and returns the error that stands for it: the
 * transport's own, -ENOENT for 404, -EACCES for 401 and 403, -EAGAIN for 429 and 5xx, else -EBADMSG.
 * Returns 0 for a 200. */
int credentials_exchange_check(const struct http_response *response, struct credentials_why *why);

#endif
