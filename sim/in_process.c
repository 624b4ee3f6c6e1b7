/* SPDX-License-Identifier: MIT */
#define IN_PROCESS_WITHOUT_HTTP
#include "in_process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model.h"
#include "src/cleanup.h"

/* Of a request; the daemon sends about ten. One place is kept for Host. */
#define HEADERS_MAX 64

/* As src/http.c: so long without a byte, and a transfer is given up. */
#define STALL_TIMEOUT_MS (30 * MS_PER_SECOND)

static struct sim *attached;

struct http {
    struct loop *loop;
    struct sim *sim;
    struct http_call *calls; /* a list */
};

struct http_call {
    struct http *http;
    struct http_call *next, *previous;
    struct loop_timer *timer;
    http_done_fn *done;
    void *userdata;

    char *method;
    char *url;  /* the names below point into it */
    char *path; /* allocated, as its bytes overlap the authority's end */
    const char *query;
    struct sim_header headers[HEADERS_MAX]; /* names and values allocated */
    size_t n_headers;
    char *body;
    size_t body_size;
    int64_t timeout_ms;
    size_t response_size_max;

    bool answered; /* response is valid, and the timer waits for its end */
    struct sim_response response;
    int error;
    const char *error_text;
};

void in_process_attach(struct sim *sim)
{
    attached = sim;
}

int in_process_new(struct loop *loop, const struct http_options *options, struct http **ret)
{
    (void)options; /* no TLS here */
    if (!attached)
        return -ENOTCONN;
    struct http *http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;
    http->loop = loop;
    http->sim = attached;
    *ret = http;
    return 0;
}

static struct http_call *call_free(struct http_call *call)
{
    if (!call)
        return NULL;
    if (call->previous)
        call->previous->next = call->next;
    else if (call->http->calls == call)
        call->http->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    loop_timer_free(call->timer);
    for (size_t i = 0; i < call->n_headers; i++) {
        free((void *)call->headers[i].name);
        free((void *)call->headers[i].value);
    }
    if (call->answered)
        sim_response_clear(&call->response);
    free(call->method);
    free(call->url);
    free(call->path);
    free(call->body);
    free(call);
    return NULL;
}

DEFINE_CLEANUP(struct http_call *, call_free)

struct http *in_process_free(struct http *http)
{
    if (!http)
        return NULL;
    while (http->calls)
        call_free(http->calls);
    free(http);
    return NULL;
}

void in_process_cancel(struct http_call *call)
{
    call_free(call);
}

const char *in_process_response_header(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->n_headers; i++) {
        if (strcasecmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    }
    return NULL;
}

/* The request */

static bool has_control_characters(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static int add_header(struct http_call *call, const char *name, const char *value)
{
    if (*name == '\0' || strpbrk(name, " \t:") || has_control_characters(name) ||
        has_control_characters(value) || call->n_headers == HEADERS_MAX)
        return -EINVAL;
    _cleanup_free_ char *own_name = strdup(name);
    _cleanup_free_ char *own_value = strdup(value);
    if (!own_name || !own_value)
        return -ENOMEM;
    call->headers[call->n_headers++] =
        (struct sim_header){.name = TAKE(own_name), .value = TAKE(own_value)};
    return 0;
}

/* The Host of a URL's authority: without the scheme's own port. Users in URLs are not taken. */
static int add_host(struct http_call *call, char *authority, const char *default_port)
{
    size_t length = strlen(authority);
    size_t suffix = strlen(default_port);
    if (length > suffix && strcmp(authority + length - suffix, default_port) == 0)
        authority[length - suffix] = '\0';
    if (*authority == '\0' || *authority == ':' || strchr(authority, '@'))
        return -EINVAL;
    return add_header(call, "Host", authority);
}

static bool has_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Takes call->url apart. */
static int parse_url(struct http_call *call, const struct http_request *request)
{
    bool https = strncmp(call->url, "https://", 8) == 0;
    if ((!https && strncmp(call->url, "http://", 7) != 0) || strchr(call->url, ' ') ||
        has_control_characters(call->url))
        return -EINVAL;

    char *fragment = strchr(call->url, '#');
    if (fragment)
        *fragment = '\0';
    char *query = strchr(call->url, '?');
    if (query)
        *query++ = '\0';
    call->query = query ? query : "";
    char *authority = strstr(call->url, "://") + 3;
    char *path = strchr(authority, '/');
    call->path = strdup(path ? path : "/");
    if (!call->path)
        return -ENOMEM;
    if (path)
        *path = '\0';
    return has_header(request, "Host") ? 0 : add_host(call, authority, https ? ":443" : ":80");
}

static int copy_request(struct http_call *call, const struct http_request *request)
{
    if (*request->method == '\0' || has_control_characters(request->method) ||
        strchr(request->method, ' ') || request->timeout_ms <= 0)
        return -EINVAL;
    call->timeout_ms = request->timeout_ms;
    call->response_size_max = request->response_size_max;
    call->method = strdup(request->method);
    call->url = strdup(request->url);
    call->body = malloc(request->body_size + 1);
    if (!call->method || !call->url || !call->body)
        return -ENOMEM;
    if (request->body_size > 0)
        memcpy(call->body, request->body, request->body_size);
    call->body[request->body_size] = '\0';
    call->body_size = request->body_size;

    int r = parse_url(call, request);
    for (size_t i = 0; r == 0 && i < request->n_headers; i++)
        r = add_header(call, request->headers[i].name, request->headers[i].value);
    return r;
}

/* The answer */

static void deliver(struct http_call *call)
{
    struct http_header headers[HEADERS_MAX];
    struct http_response response = {.error = call->error, .error_text = call->error_text};
    if (response.error == 0) {
        response.status = call->response.status;
        response.body = call->response.body;
        response.body_size = call->response.body_size;
        response.headers = headers;
        for (size_t i = 0; i < call->response.n_headers && i < HEADERS_MAX; i++) {
            const struct sim_header *header = &call->response.headers[i];
            headers[response.n_headers++] =
                (struct http_header){.name = header->name, .value = header->value};
        }
    }

    http_done_fn *done = call->done;
    void *userdata = call->userdata;
    /* The handle is invalid from now on; what the response borrows is kept until the callback is
     * back, though it may well free the http. */
    struct sim_response kept = call->response;
    bool answered = call->answered;
    call->answered = false;
    call_free(call);
    done(userdata, &response);
    if (answered)
        sim_response_clear(&kept);
}

/* Ends the call with this error, instead of the answer. Returns after how long. */
static int64_t fail_after(struct http_call *call, int64_t delay_ms, int error, const char *text)
{
    call->error = error;
    call->error_text = text;
    return delay_ms;
}

/* How the answer travels, as seen from this side: sets error and body, returns how long it takes. */
static int64_t travel(struct http_call *call)
{
    struct sim_response *response = &call->response;
    bool stalls = response->delivery == SIM_STALL || response->latency_ms > STALL_TIMEOUT_MS;
    int64_t patience_ms = call->timeout_ms;
    if (stalls && patience_ms > STALL_TIMEOUT_MS)
        patience_ms = STALL_TIMEOUT_MS;
    int64_t time_ms = response->latency_ms;
    if (response->delivery == SIM_TRICKLE)
        time_ms += (int64_t)response->body_size * MS_PER_SECOND;
    if (stalls || time_ms > patience_ms)
        return fail_after(call, patience_ms, -ETIMEDOUT, "no answer in time");
    if (response->delivery == SIM_REFUSE)
        return fail_after(call, time_ms, -ECONNREFUSED, "connection refused");

    size_t size = response->body_size;
    if (response->delivery == SIM_RESET && response->cut_after < size)
        size = response->cut_after;
    if (size > call->response_size_max)
        return fail_after(call, time_ms, -EFBIG, "answer too large");
    if (response->delivery == SIM_RESET)
        return fail_after(call, time_ms, -ECONNRESET, "connection reset by peer");
    if (response->content_length_override > (int64_t)size)
        return fail_after(call, time_ms, -EBADMSG, "answer shorter than announced");
    if (response->content_length_override >= 0)
        response->body_size = (size_t)response->content_length_override;
    return time_ms;
}

/* http.h promises a NUL beyond the body. */
static bool terminate_body(struct sim_response *response)
{
    char *body = realloc(response->body, response->body_size + 1);
    if (!body)
        return false;
    body[response->body_size] = '\0';
    response->body = body;
    return true;
}

static void arrive(struct http_call *call)
{
    struct sim *sim = call->http->sim;
    struct sim_request request = {
        .method = call->method,
        .path = call->path,
        .query = call->query,
        .headers = call->headers,
        .n_headers = call->n_headers,
        .body = call->body,
        .body_size = call->body_size,
    };
    struct wall now = wall_add(loop_wall(call->http->loop), sim->clock_offset_ms);
    sim_handle(sim, now, &request, &call->response);
    call->answered = true;
    int64_t time_ms = travel(call);
    if (call->error == 0 && !terminate_body(&call->response))
        time_ms = fail_after(call, 0, -ENOMEM, "out of memory");
    if (time_ms > 0)
        loop_timer_after(call->timer, time_ms);
    else
        deliver(call);
}

static void timer_fired(void *userdata)
{
    struct http_call *call = userdata;
    if (call->answered)
        deliver(call);
    else
        arrive(call);
}

int in_process_send(struct http *http, const struct http_request *request, http_done_fn *done,
                    void *userdata, struct http_call **ret)
{
    _cleanup_(call_free) struct http_call *call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    call->http = http;
    call->done = done;
    call->userdata = userdata;
    int r = copy_request(call, request);
    if (r < 0)
        return r;
    r = loop_timer_new(http->loop, timer_fired, call, &call->timer);
    if (r < 0)
        return r;
    loop_timer_after(call->timer, 0);

    call->next = http->calls;
    if (call->next)
        call->next->previous = call;
    http->calls = call;
    *ret = TAKE(call);
    return 0;
}
