/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_FAKE_HTTP_H
#define PROVISIONERD_TESTS_FAKE_HTTP_H

/*
 * src/http.h with answers from a script, on the loop of the test (tests/support/virtual_loop.h).
 *
 *     FAKE_HTTP_IS_HTTP                      once, at file scope: this test's http.h is the fake
 *     ...
 *     http_new(loop, NULL, &http);
 *     fake_http_answer(http, "StopQuery", 200, "{\"success\":true}");
 *     ... act, run the loop ...
 *     assert_string_equal(fake_http_request(http, 0)->body, "{...}");
 *
 * FAKE_HTTP_IS_HTTP defines the functions of http.h in the test's own object. So the linker looks for
 * them in no archive, and a test that does not say so gets the implementation it would get anyway.
 *
 * Answers wait in one queue for each operation: what follows the last "." of X-Amz-Target, or the
 * path of a request without one. A request that nobody scripted fails the test. Unless told
 * otherwise, an answer comes FAKE_HTTP_DELAY_MS later, with x-amzn-RequestId ("request-1", ...) and a
 * Date by the server's clock.
 */

#include <stddef.h>

#include "src/http.h"

#define FAKE_HTTP_DELAY_MS 20
#define FAKE_HTTP_REQUESTS_MAX 4096 /* remembered; more fail the test */

struct fake_answer {
    int status;              /* 0: 200 */
    int error;               /* not 0: nothing came */
    const char *error_text;  /* NULL: the errno's name */
    const char *body;        /* NULL: "" */
    size_t body_size;        /* 0: as long as the text */
    const char *header_name; /* one more header; NULL: none */
    const char *header_value;
    const char *date;   /* NULL: by the server's clock; "": no Date header */
    int64_t delay_ms;   /* 0: FAKE_HTTP_DELAY_MS */
    int times;          /* 0: once; -1: from now on, always */
    bool hangs;         /* no answer until the request's timeout: -ETIMEDOUT */
    bool no_request_id; /* as a proxy would answer */
};

/* As it was sent. */
struct fake_request {
    char *operation;
    char *method;
    char *url;
    char *body;
    struct http_header *headers;
    size_t n_headers;
    int64_t timeout_ms;
    size_t response_size_max;
    struct mono at;
};

/* Queues an answer. Texts are copied. */
void fake_http_script(struct http *http, const char *operation, const struct fake_answer *answer);
void fake_http_answer(struct http *http, const char *operation, int status, const char *body);
void fake_http_answer_always(struct http *http, const char *operation, const char *body);
void fake_http_fail(struct http *http, const char *operation, int error);

/* The next http_send() returns this, and no request goes out. */
void fake_http_refuse_send(struct http *http, int error);

/* How far the server's clock is ahead of the loop's wall clock. */
void fake_http_set_clock_offset(struct http *http, int64_t offset_ms);

size_t fake_http_n_requests(struct http *http);
size_t fake_http_n_requests_of(struct http *http, const char *operation);

/* Borrowed until http_free(). The index counts all requests, or those of one operation, from 0; a
 * request that was not made fails the test. */
const struct fake_request *fake_http_request(struct http *http, size_t index);
const struct fake_request *fake_http_request_of(struct http *http, const char *operation,
                                                size_t index);
const char *fake_request_header(const struct fake_request *request, const char *name);

size_t fake_http_n_unanswered(struct http *http); /* under way */
size_t fake_http_n_scripted(struct http *http);   /* answers nobody has asked for yet */
size_t fake_http_n_cancelled(struct http *http);

/* http.h under other names, for FAKE_HTTP_IS_HTTP. */
int fake_http_new(struct loop *loop, struct http **ret);
struct http *fake_http_free(struct http *http);
int fake_http_send(struct http *http, const struct http_request *request, http_done_fn *done,
                   void *userdata, struct http_call **ret);
void fake_http_cancel(struct http_call *call);
const char *fake_http_response_header(const struct http_response *response, const char *name);

/* clang-format off */
#define FAKE_HTTP_IS_HTTP                                                                          \
    int http_new(struct loop *loop, const struct http_options *options, struct http **ret)         \
    {                                                                                              \
        (void)options;                                                                             \
        return fake_http_new(loop, ret);                                                           \
    }                                                                                              \
    struct http *http_free(struct http *http)                                                      \
    {                                                                                              \
        return fake_http_free(http);                                                               \
    }                                                                                              \
    int http_send(struct http *http, const struct http_request *request, http_done_fn *done,       \
                  void *userdata, struct http_call **ret)                                          \
    {                                                                                              \
        return fake_http_send(http, request, done, userdata, ret);                                 \
    }                                                                                              \
    void http_cancel(struct http_call *call)                                                       \
    {                                                                                              \
        fake_http_cancel(call);                                                                    \
    }                                                                                              \
    const char *http_response_header(const struct http_response *response, const char *name)       \
    {                                                                                              \
        return fake_http_response_header(response, name);                                          \
    }
/* clang-format on */

#endif
