/* SPDX-License-Identifier: MIT */

#include "fake_http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* cmocka wants the four above first. */
#include <cmocka.h>

#define TARGET_HEADER "X-Amz-Target"

/* Date, x-amzn-RequestId and one of the test's own. */
#define ANSWER_HEADERS_MAX 3

struct script {
    char *operation;
    struct fake_answer answer;
    struct script *next;
};

struct http_call {
    struct http *http;
    struct loop_timer *timer;
    http_done_fn *done;
    void *userdata;
    struct fake_answer answer;
    struct http_call *next;
};

struct http {
    struct loop *loop;
    struct script *scripts;
    struct http_call *calls;
    struct fake_request requests[FAKE_HTTP_REQUESTS_MAX];
    size_t n_requests;
    size_t n_answered;
    size_t n_cancelled;
    int send_error;
    int64_t clock_offset_ms;
};

static void *must(void *allocated)
{
    if (!allocated)
        abort(); /* a test without memory has nothing to tell */
    return allocated;
}

static char *copy(const char *text)
{
    return text ? must(strdup(text)) : NULL;
}

static struct fake_answer copy_answer(const struct fake_answer *from)
{
    struct fake_answer answer = *from;
    const char *body = from->body ? from->body : "";

    answer.status = from->status ? from->status : 200;
    answer.body_size = from->body_size ? from->body_size : strlen(body);
    char *bytes = must(calloc(1, answer.body_size + 1));
    memcpy(bytes, body, answer.body_size);
    answer.body = bytes;
    answer.error_text = copy(from->error_text);
    answer.header_name = copy(from->header_name);
    answer.header_value = copy(from->header_value);
    answer.date = copy(from->date);
    return answer;
}

static void clear_answer(struct fake_answer *answer)
{
    free((char *)answer->body);
    free((char *)answer->error_text);
    free((char *)answer->header_name);
    free((char *)answer->header_value);
    free((char *)answer->date);
}

void fake_http_script(struct http *http, const char *operation, const struct fake_answer *answer)
{
    struct script *script = must(calloc(1, sizeof(*script)));
    struct script **last = &http->scripts;

    script->operation = copy(operation);
    script->answer = copy_answer(answer);
    while (*last)
        last = &(*last)->next;
    *last = script;
}

void fake_http_answer(struct http *http, const char *operation, int status, const char *body)
{
    fake_http_script(http, operation, &(struct fake_answer){.status = status, .body = body});
}

void fake_http_answer_always(struct http *http, const char *operation, const char *body)
{
    fake_http_script(http, operation, &(struct fake_answer){.body = body, .times = -1});
}

void fake_http_fail(struct http *http, const char *operation, int error)
{
    fake_http_script(http, operation, &(struct fake_answer){.error = error});
}

void fake_http_refuse_send(struct http *http, int error)
{
    http->send_error = error;
}

void fake_http_set_clock_offset(struct http *http, int64_t offset_ms)
{
    http->clock_offset_ms = offset_ms;
}

static void free_script(struct script *script)
{
    clear_answer(&script->answer);
    free(script->operation);
    free(script);
}

/* The answer scripted for the operation; NULL if there is none. The caller clears it. */
static bool next_answer(struct http *http, const char *operation, struct fake_answer *ret)
{
    for (struct script **link = &http->scripts; *link; link = &(*link)->next) {
        struct script *script = *link;
        if (strcmp(script->operation, operation) != 0)
            continue;
        *ret = copy_answer(&script->answer);
        if (script->answer.times < 0 || --script->answer.times > 0)
            return true;
        *link = script->next;
        free_script(script);
        return true;
    }
    return false;
}

static char *operation_of(const struct http_request *request)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        const char *target = request->headers[i].value;
        const char *dot = strrchr(target, '.');
        if (strcasecmp(request->headers[i].name, TARGET_HEADER) == 0)
            return copy(dot ? dot + 1 : target);
    }
    const char *host = strstr(request->url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    return copy(path ? path : "/");
}

static void remember(struct http *http, const struct http_request *request)
{
    assert_true(http->n_requests < FAKE_HTTP_REQUESTS_MAX);
    struct fake_request *kept = &http->requests[http->n_requests++];

    *kept = (struct fake_request){
        .operation = operation_of(request),
        .method = copy(request->method),
        .url = copy(request->url),
        .body = must(calloc(1, request->body_size + 1)),
        .headers = must(calloc(request->n_headers + 1, sizeof(*kept->headers))),
        .n_headers = request->n_headers,
        .timeout_ms = request->timeout_ms,
        .response_size_max = request->response_size_max,
        .at = loop_mono(http->loop),
    };
    if (request->body_size > 0)
        memcpy(kept->body, request->body, request->body_size);
    for (size_t i = 0; i < request->n_headers; i++) {
        kept->headers[i].name = copy(request->headers[i].name);
        kept->headers[i].value = copy(request->headers[i].value);
    }
}

static void forget(struct fake_request *request)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        free((char *)request->headers[i].name);
        free((char *)request->headers[i].value);
    }
    free(request->headers);
    free(request->operation);
    free(request->method);
    free(request->url);
    free(request->body);
}

static void free_call(struct http_call *call)
{
    struct http_call **link = &call->http->calls;

    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    loop_timer_free(call->timer);
    clear_answer(&call->answer);
    free(call);
}

static void format_date(struct wall moment, char *buffer, size_t size)
{
    time_t seconds = (time_t)(moment.ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(buffer, size, "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

static size_t make_headers(struct http *http, const struct fake_answer *answer,
                           char date[static 40], char request_id[static 40],
                           struct http_header headers[static ANSWER_HEADERS_MAX])
{
    size_t n = 0;
    if (answer->date)
        snprintf(date, 40, "%s", answer->date);
    else
        format_date(wall_add(loop_wall(http->loop), http->clock_offset_ms), date, 40);
    if (*date)
        headers[n++] = (struct http_header){"Date", date};
    snprintf(request_id, 40, "request-%zu", ++http->n_answered);
    if (!answer->no_request_id)
        headers[n++] = (struct http_header){"x-amzn-RequestId", request_id};
    if (answer->header_name)
        headers[n++] = (struct http_header){answer->header_name, answer->header_value};
    return n;
}

static void deliver(void *userdata)
{
    struct http_call *call = userdata;
    struct http *http = call->http;
    http_done_fn *done = call->done;
    void *done_userdata = call->userdata;
    struct fake_answer answer = call->answer;
    char date[40];
    char request_id[40];
    struct http_header headers[ANSWER_HEADERS_MAX];
    struct http_response response = {0};

    call->answer = (struct fake_answer){0};
    free_call(call);
    if (answer.hangs)
        answer.error = -ETIMEDOUT;
    if (answer.error)
        response = (struct http_response){
            .error = answer.error,
            .error_text = answer.error_text ? answer.error_text : strerrorname_np(-answer.error),
        };
    else
        response = (struct http_response){
            .status = answer.status,
            .n_headers = make_headers(http, &answer, date, request_id, headers),
            .headers = headers,
            .body = answer.body,
            .body_size = answer.body_size,
        };
    done(done_userdata, &response);
    clear_answer(&answer);
}

int fake_http_new(struct loop *loop, struct http **ret)
{
    struct http *http = must(calloc(1, sizeof(*http)));
    http->loop = loop;
    *ret = http;
    return 0;
}

struct http *fake_http_free(struct http *http)
{
    if (!http)
        return NULL;
    while (http->calls)
        free_call(http->calls);
    while (http->scripts) {
        struct script *next = http->scripts->next;
        free_script(http->scripts);
        http->scripts = next;
    }
    for (size_t i = 0; i < http->n_requests; i++)
        forget(&http->requests[i]);
    free(http);
    return NULL;
}

int fake_http_send(struct http *http, const struct http_request *request, http_done_fn *done,
                   void *userdata, struct http_call **ret)
{
    if (http->send_error) {
        int error = http->send_error;
        http->send_error = 0;
        return error;
    }
    remember(http, request);
    const char *operation = http->requests[http->n_requests - 1].operation;

    struct http_call *call = must(calloc(1, sizeof(*call)));
    *call = (struct http_call){.http = http, .done = done, .userdata = userdata};
    if (!next_answer(http, operation, &call->answer)) {
        free(call);
        fail_msg("request number %zu, %s, was not expected", http->n_requests, operation);
    }
    if (loop_timer_new(http->loop, deliver, call, &call->timer) < 0)
        abort();
    int64_t delay_ms = call->answer.delay_ms ? call->answer.delay_ms : FAKE_HTTP_DELAY_MS;
    loop_timer_after(call->timer, call->answer.hangs ? request->timeout_ms : delay_ms);
    call->next = http->calls;
    http->calls = call;
    *ret = call;
    return 0;
}

void fake_http_cancel(struct http_call *call)
{
    call->http->n_cancelled++;
    free_call(call);
}

const char *fake_http_response_header(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->n_headers; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}

size_t fake_http_n_requests(struct http *http)
{
    return http->n_requests;
}

static const struct fake_request *find_request(struct http *http, const char *operation,
                                               size_t index)
{
    for (size_t i = 0; i < http->n_requests; i++)
        if (!operation || strcmp(http->requests[i].operation, operation) == 0)
            if (index-- == 0)
                return &http->requests[i];
    return NULL;
}

size_t fake_http_n_requests_of(struct http *http, const char *operation)
{
    size_t n = 0;
    while (find_request(http, operation, n))
        n++;
    return n;
}

const struct fake_request *fake_http_request(struct http *http, size_t index)
{
    return fake_http_request_of(http, NULL, index);
}

const struct fake_request *fake_http_request_of(struct http *http, const char *operation,
                                                size_t index)
{
    const struct fake_request *request = find_request(http, operation, index);
    if (!request)
        fail_msg("request number %zu%s%s was not made", index, operation ? " of " : "",
                 operation ? operation : "");
    return request;
}

const char *fake_request_header(const struct fake_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

size_t fake_http_n_unanswered(struct http *http)
{
    size_t n = 0;
    for (const struct http_call *call = http->calls; call; call = call->next)
        n++;
    return n;
}

size_t fake_http_n_scripted(struct http *http)
{
    size_t n = 0;
    for (const struct script *script = http->scripts; script; script = script->next)
        n++;
    return n;
}

size_t fake_http_n_cancelled(struct http *http)
{
    return http->n_cancelled;
}
