/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_exchange.h"

#include <errno.h>
#include <string.h>

/* Before the second attempt 100 to 200 ms, before the third 200 to 400 ms. */
#define RETRY_DELAY_MS INT64_C(100)
#define HEADERS_MAX 8

struct credentials_exchange {
    struct loop *loop;
    struct http *http;
    struct http_request request; /* all of it our own memory */
    struct http_header headers[HEADERS_MAX];
    unsigned attempts_left;
    int64_t delay_ms;
    credentials_retryable_fn *is_retryable;
    http_done_fn *done;
    void *userdata;
    struct http_call *call;
    struct loop_timer *timer;
};

bool credentials_exchange_is_transient(const struct http_response *response)
{
    return response->error != 0 || response->status == 429 || response->status >= 500;
}

int credentials_exchange_check(const struct http_response *response, struct credentials_why *why)
{
    int status = response->status;

    if (response->error != 0)
        return credentials_fail(why, response->error, "%s", response->error_text);
    if (status == 200)
        return 0;
    int error = status == 404                    ? -ENOENT
                : status == 401 || status == 403 ? -EACCES
                : status == 429 || status >= 500 ? -EAGAIN
                                                 : -EBADMSG;
    return credentials_fail(why, error, "it answered with HTTP status %d", status);
}

struct credentials_exchange *credentials_exchange_cancel(struct credentials_exchange *exchange)
{
    if (!exchange)
        return NULL;
    if (exchange->call)
        http_cancel(exchange->call);
    loop_timer_free(exchange->timer);
    for (size_t i = 0; i < exchange->request.n_headers; i++) {
        free((char *)exchange->headers[i].name);
        credentials_secret_free((char *)exchange->headers[i].value);
    }
    if (exchange->request.body)
        explicit_bzero((void *)exchange->request.body, exchange->request.body_size);
    free((void *)exchange->request.body);
    free((char *)exchange->request.url);
    free(exchange);
    return NULL;
}
DEFINE_CLEANUP(struct credentials_exchange *, credentials_exchange_cancel)

static void ended(void *userdata, const struct http_response *response)
{
    struct credentials_exchange *exchange = userdata;

    exchange->call = NULL;
    if (exchange->attempts_left > 0 && exchange->is_retryable(response)) {
        int64_t jitter_ms = (int64_t)loop_random(exchange->loop, (uint64_t)exchange->delay_ms);
        loop_timer_after(exchange->timer, exchange->delay_ms + jitter_ms);
        exchange->delay_ms *= 2;
        return;
    }
    http_done_fn *done = exchange->done;
    void *done_userdata = exchange->userdata;
    credentials_exchange_cancel(exchange);
    done(done_userdata, response);
}

static int attempt(struct credentials_exchange *exchange)
{
    exchange->attempts_left--;
    return http_send(exchange->http, &exchange->request, ended, exchange, &exchange->call);
}

static void attempt_again(void *userdata)
{
    struct credentials_exchange *exchange = userdata;

    int r = attempt(exchange);
    if (r < 0) {
        struct http_response failed = {.error = r, .error_text = "the request could not be sent"};
        exchange->attempts_left = 0;
        ended(exchange, &failed);
    }
}

static int copy_request(struct credentials_exchange *exchange, const struct http_request *request)
{
    exchange->request = *request;
    exchange->request.headers = exchange->headers;
    exchange->request.n_headers = 0;
    exchange->request.body = NULL;
    if (!(exchange->request.url = strdup(request->url)))
        return -ENOMEM;
    if (request->body_size > 0) {
        void *body = malloc(request->body_size);
        if (!body)
            return -ENOMEM;
        exchange->request.body = memcpy(body, request->body, request->body_size);
    }
    for (size_t i = 0; i < request->n_headers; i++) {
        struct http_header *header = &exchange->headers[i];
        header->name = strdup(request->headers[i].name);
        header->value = strdup(request->headers[i].value);
        exchange->request.n_headers++;
        if (!header->name || !header->value)
            return -ENOMEM;
    }
    return 0;
}

int credentials_exchange_start(struct loop *loop, struct http *http,
                               const struct credentials_question *question, http_done_fn *done,
                               void *userdata, struct credentials_exchange **ret)
{
    _cleanup_(credentials_exchange_cancel) struct credentials_exchange *exchange = NULL;
    int r;

    if (question->request.n_headers > HEADERS_MAX)
        return -EINVAL;
    exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return -ENOMEM;
    exchange->loop = loop;
    exchange->http = http;
    exchange->attempts_left = question->attempts_max;
    exchange->delay_ms = RETRY_DELAY_MS;
    exchange->is_retryable = question->is_retryable;
    exchange->done = done;
    exchange->userdata = userdata;
    if ((r = copy_request(exchange, &question->request)) < 0 ||
        (r = loop_timer_new(loop, attempt_again, exchange, &exchange->timer)) < 0 ||
        (r = attempt(exchange)) < 0)
        return r;
    *ret = TAKE(exchange);
    return 0;
}
