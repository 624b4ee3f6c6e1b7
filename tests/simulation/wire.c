/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IN_PROCESS_WITHOUT_HTTP
#include "sim/in_process.h"
#include "src/cleanup.h"
#include "tests/simulation/machinery.h"

/*
 * src/http.h between the daemon and the in-process front of the simulated AWS: the network in which
 * names do not resolve, packets get lost, and requests arrive late, even after the one who sent them
 * has given up or died.
 *
 * `struct http` and `struct http_call` of this file are its own; those of the front are only pointed to.
 */

#define NO_NAMES_MS 5000
#define DOWN_MS 10000

struct letter; /* a request that arrives late, whoever still waits for the answer */

struct http {
    struct http *inner; /* the front's */
    struct http_call *calls;
};

struct http_call {
    struct http *http;
    struct http_call *next, *previous;
    struct http_call *inner; /* the front's; NULL: this one never gets there, or by letter */
    struct letter *letter;
    struct loop_timer *timer;
    int error;
    const char *error_text;
    http_done_fn *done;
    void *userdata;
};

#define LETTER_HEADERS_MAX 32

struct letter {
    struct letter *next;
    struct http_call *client; /* NULL: gone */
    struct loop_timer *timer;
    struct http_call *inner;
    struct http_request request;
    struct http_header headers[LETTER_HEADERS_MAX];
};

static struct wire {
    struct simulation *simulation;
    struct http *postman; /* the front's, for letters */
    struct letter *letters;
    struct wire_trouble trouble;
    struct chance chance;
} wire;

struct wire_trouble *wire_trouble(void)
{
    return &wire.trouble;
}

/* --- letters ------------------------------------------------------------------------------------ */

static void letter_free(struct letter *letter)
{
    struct letter **link = &wire.letters;

    while (*link && *link != letter)
        link = &(*link)->next;
    if (*link)
        *link = letter->next;
    if (letter->inner)
        in_process_cancel(letter->inner);
    loop_timer_free(letter->timer);
    for (size_t i = 0; i < letter->request.n_headers; i++) {
        free((char *)letter->headers[i].name);
        free((char *)letter->headers[i].value);
    }
    free((char *)letter->request.method);
    free((char *)letter->request.url);
    free((void *)letter->request.body);
    free(letter);
}

static void call_end(struct http_call *call, const struct http_response *response);

static void letter_answered(void *userdata, const struct http_response *response)
{
    struct letter *letter = userdata;
    struct http_call *client = TAKE(letter->client);

    letter->inner = NULL;
    if (client) {
        client->letter = NULL;
        call_end(client, response);
    }
    letter_free(letter);
}

static void letter_arrives(void *userdata)
{
    struct letter *letter = userdata;

    if (in_process_send(wire.postman, &letter->request, letter_answered, letter, &letter->inner) <
        0)
        letter_free(letter); /* lost in the mail */
}

static struct letter *letter_new(const struct http_request *request, int64_t delay_ms)
{
    struct letter *letter = calloc(1, sizeof(*letter));
    bool complete =
        letter && request->n_headers <= LETTER_HEADERS_MAX &&
        loop_timer_new(wire.simulation->loop, letter_arrives, letter, &letter->timer) == 0;

    if (!complete) {
        free(letter);
        return NULL;
    }
    letter->next = wire.letters;
    wire.letters = letter;
    letter->request = *request;
    letter->request.headers = letter->headers;
    letter->request.method = strdup(request->method);
    letter->request.url = strdup(request->url);
    letter->request.body = malloc(request->body_size + 1);
    for (size_t i = 0; i < request->n_headers; i++) {
        letter->headers[i].name = strdup(request->headers[i].name);
        letter->headers[i].value = strdup(request->headers[i].value);
        complete = complete && letter->headers[i].name && letter->headers[i].value;
    }
    if (!complete || !letter->request.method || !letter->request.url || !letter->request.body) {
        letter_free(letter);
        return NULL;
    }
    if (request->body_size > 0)
        memcpy((char *)letter->request.body, request->body, request->body_size);
    loop_timer_after(letter->timer, delay_ms);
    return letter;
}

/* --- calls -------------------------------------------------------------------------------------- */

static void call_free(struct http_call *call)
{
    if (call->previous)
        call->previous->next = call->next;
    else if (call->http->calls == call)
        call->http->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    if (call->inner)
        in_process_cancel(call->inner);
    if (call->letter)
        call->letter->client = NULL;
    loop_timer_free(call->timer);
    free(call);
}

static void call_end(struct http_call *call, const struct http_response *response)
{
    http_done_fn *done = call->done;
    void *userdata = call->userdata;

    call_free(call);
    done(userdata, response);
}

static void call_answered(void *userdata, const struct http_response *response)
{
    struct http_call *call = userdata;

    call->inner = NULL;
    call_end(call, response);
}

static void call_fails(void *userdata)
{
    struct http_call *call = userdata;
    struct http_response response = {.error = call->error, .error_text = call->error_text};

    call_end(call, &response);
}

static int fail_later(struct http_call *call, int64_t after_ms, int error, const char *text)
{
    call->error = error;
    call->error_text = text;
    int r = loop_timer_new(wire.simulation->loop, call_fails, call, &call->timer);
    if (r == 0)
        loop_timer_after(call->timer, after_ms);
    return r;
}

static bool happens(uint64_t percent)
{
    return percent > 0 && chance_below(&wire.chance, 100) < percent;
}

static int post(struct http_call *call, const struct http_request *request, int64_t delay_ms)
{
    call->letter = letter_new(request, delay_ms);
    if (!call->letter)
        return -ENOMEM;
    call->letter->client = call;
    return fail_later(call, request->timeout_ms, -ETIMEDOUT, "no answer in time");
}

static int carry(struct http_call *call, const struct http_request *request)
{
    struct simulation *simulation = wire.simulation;
    const struct wire_trouble *trouble = &wire.trouble;
    bool is_far = !request->direct; /* metadata need neither names nor a network */

    if (is_far && happens(trouble->no_names_percent)) {
        simulation_fired(simulation, MISFORTUNE_DNS_FAILURE, 1);
        return fail_later(call, NO_NAMES_MS, -EHOSTUNREACH, "no such host name");
    }
    if (is_far && happens(trouble->down_percent)) {
        simulation_fired(simulation, MISFORTUNE_NETWORK_DOWN, 1);
        return fail_later(call, DOWN_MS, -ETIMEDOUT, "no connection");
    }
    if (is_far && happens(trouble->late_percent)) {
        simulation_fired(simulation, MISFORTUNE_LATE_REQUESTS, 1);
        return post(call, request, chance_between(&wire.chance, 1, trouble->late_ms));
    }
    return in_process_send(call->http->inner, request, call_answered, call, &call->inner);
}

/* Returns true if the process ends with this request; `after` it went out, or before. */
static bool dies_now(const struct http_request *request)
{
    struct death *death = &wire.simulation->death;

    if (death->at != DEATH_SENDING || request->direct)
        return false;
    bool is_update = false;
    for (size_t i = 0; i < request->n_headers && death->of_update && !is_update; i++)
        is_update = strstr(request->headers[i].value, ".UpdateService") != NULL;
    if ((death->of_update && !is_update) || --death->countdown > 0)
        return false;
    wire.simulation->is_dying = true;
    return true;
}

int http_new(struct loop *loop, const struct http_options *options, struct http **ret)
{
    struct http *http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;
    int r = in_process_new(loop, options, &http->inner);
    if (r < 0)
        free(http);
    else
        *ret = http;
    return r;
}

struct http *http_free(struct http *http)
{
    if (!http)
        return NULL;
    while (http->calls)
        call_free(http->calls);
    in_process_free(http->inner);
    free(http);
    return NULL;
}

int http_send(struct http *http, const struct http_request *request, http_done_fn *done,
              void *userdata, struct http_call **ret)
{
    if (wire.simulation->is_dying)
        return -ENOMEM; /* whatever: nothing comes of it */
    bool dies = dies_now(request);
    struct http_call *call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    call->http = http;
    call->done = done;
    call->userdata = userdata;
    call->next = http->calls;
    if (call->next)
        call->next->previous = call;
    http->calls = call;

    int r = 0;
    if (!dies)
        r = carry(call, request);
    else if (wire.simulation->death.after)
        r = post(call, request, chance_between(&wire.chance, 0, 200));
    if (r < 0)
        call_free(call);
    else
        *ret = call;
    return r;
}

void http_cancel(struct http_call *call)
{
    call_free(call);
}

const char *http_response_header(const struct http_response *response, const char *name)
{
    return in_process_response_header(response, name);
}

/* --- life --------------------------------------------------------------------------------------- */

int wire_open(struct simulation *simulation)
{
    wire = (struct wire){.simulation = simulation, .chance = {~simulation->seed}};
    in_process_attach(simulation->sim);
    return in_process_new(simulation->loop, NULL, &wire.postman);
}

void wire_close(void)
{
    while (wire.letters)
        letter_free(wire.letters);
    in_process_free(wire.postman);
    in_process_attach(NULL);
    wire.postman = NULL;
}
