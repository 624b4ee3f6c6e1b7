/* SPDX-License-Identifier: MIT */

/*
 * http.h answered in process, under virtual time. The door of the model is ours here: the path of a
 * request says how to answer.
 */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/in_process.h"
#include "sim/model.h"
#include "src/cleanup.h"
#include "tests/support/virtual_loop.h"

#define TIMEOUT_MS 60000
#define SIZE_MAX_OF_ANSWER 64

static struct wall last_now;
static int handled;

static void answer(struct sim_response *ret, const char *text)
{
    assert_int_equal(sim_response_set(ret, 200, "text/plain", text, strlen(text)), 0);
}

static void echo(const struct sim_request *request, struct sim_response *ret)
{
    char text[512];
    snprintf(text, sizeof(text), "%s|%s|%s|%s|%s|%s", request->method, request->path,
             request->query, sim_request_header(request, "Host"),
             sim_request_header(request, "X-Test") ? sim_request_header(request, "X-Test") : "",
             request->body);
    answer(ret, text);
    ret->status = 418;
}

void sim_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                struct sim_response *ret)
{
    (void)sim;
    last_now = now;
    handled++;
    if (strncmp(request->path, "/delivery", 9) != 0) {
        echo(request, ret);
        return;
    }
    answer(ret, "0123456789");
    int delivery = SIM_DELIVER;
    assert_int_equal(sscanf(request->query, "%d,%zu,%" SCNd64 ",%" SCNd64, &delivery,
                            &ret->cut_after, &ret->latency_ms, &ret->content_length_override),
                     4);
    ret->delivery = (enum sim_delivery)delivery;
}

/* What came back. */
struct outcome {
    int times;
    int error;
    bool has_text;
    int status;
    char body[256];
    char content_type[64];
    struct mono when;
};

struct fixture {
    struct loop *loop;
    struct sim sim;
    struct http *http;
    struct outcome outcome;
    struct http_call *call;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture || loop_new(&fixture->loop) < 0)
        return -1;
    in_process_attach(&fixture->sim);
    handled = 0;
    *state = fixture;
    return http_new(fixture->loop, NULL, &fixture->http);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    http_free(fixture->http);
    size_t timers = virtual_loop_timers(fixture->loop);
    loop_free(fixture->loop);
    in_process_attach(NULL);
    free(fixture);
    return timers == 0 ? 0 : -1;
}

static void done(void *userdata, const struct http_response *response)
{
    struct fixture *fixture = userdata;
    struct outcome *outcome = &fixture->outcome;
    outcome->times++;
    outcome->error = response->error;
    outcome->has_text = response->error_text != NULL;
    outcome->status = response->status;
    outcome->when = loop_mono(fixture->loop);
    if (response->error == 0) {
        assert_int_equal(response->body[response->body_size], '\0');
        assert_true(response->body_size < sizeof(outcome->body));
        memcpy(outcome->body, response->body, response->body_size + 1);
        const char *type = http_response_header(response, "content-type");
        snprintf(outcome->content_type, sizeof(outcome->content_type), "%s", type ? type : "");
        assert_null(http_response_header(response, "content"));
    }
}

static struct http_request get(const char *url)
{
    return (struct http_request){.method = "GET",
                                 .url = url,
                                 .timeout_ms = TIMEOUT_MS,
                                 .response_size_max = SIZE_MAX_OF_ANSWER};
}

static void send_request(struct fixture *fixture, struct http_request request)
{
    fixture->outcome = (struct outcome){.times = 0};
    assert_int_equal(http_send(fixture->http, &request, done, fixture, &fixture->call), 0);
    assert_int_equal(fixture->outcome.times, 0);
}

/* Asks for a delivery, and expects it to end so, after so long. */
static void expect_delivery(struct fixture *fixture, const char *query, int error, int64_t after_ms,
                            const char *body)
{
    char url[128];
    snprintf(url, sizeof(url), "http://aws/delivery?%s", query);
    struct mono start = loop_mono(fixture->loop);
    send_request(fixture, get(url));
    virtual_loop_run_until_idle(fixture->loop);
    assert_int_equal(fixture->outcome.times, 1);
    assert_int_equal(fixture->outcome.error, error);
    assert_int_equal(fixture->outcome.has_text, error != 0);
    assert_int_equal(mono_since(fixture->outcome.when, start), after_ms);
    assert_string_equal(fixture->outcome.body, body);
}

static void requests_are_copied_and_answered_from_the_loop(void **state)
{
    struct fixture *fixture = *state;
    char url[] = "https://logs.eu-west-1.amazonaws.com:443/a%2Fb?x=1&y=%41#fragment";
    char value[] = "in it";
    char body[] = "hello";
    struct http_header header = {.name = "X-Test", .value = value};
    struct http_request request = get(url);
    request.method = "POST";
    request.headers = &header;
    request.n_headers = 1;
    request.body = body;
    request.body_size = strlen(body);
    request.response_size_max = 255;
    send_request(fixture, request);
    memset(url, 'x', sizeof(url) - 1);
    memset(value, 'x', sizeof(value) - 1);
    memset(body, 'x', sizeof(body) - 1);

    virtual_loop_run_for(fixture->loop, 0);

    assert_int_equal(fixture->outcome.times, 1);
    assert_int_equal(fixture->outcome.error, 0);
    assert_int_equal(fixture->outcome.status, 418);
    assert_string_equal(fixture->outcome.body,
                        "POST|/a%2Fb|x=1&y=%41|logs.eu-west-1.amazonaws.com|in it|hello");
    assert_string_equal(fixture->outcome.content_type, "text/plain");
}

static void expect_host(struct fixture *fixture, const char *url, const char *host)
{
    char expected[128];
    struct http_request request = get(url);
    send_request(fixture, request);
    virtual_loop_run_for(fixture->loop, 0);
    snprintf(expected, sizeof(expected), "GET|/||%s||", host);
    assert_string_equal(fixture->outcome.body, expected);
}

static void host_leaves_out_the_port_of_the_scheme(void **state)
{
    expect_host(*state, "http://aws", "aws");
    expect_host(*state, "http://aws/", "aws");
    expect_host(*state, "http://aws?", "aws");
    expect_host(*state, "http://aws:80/", "aws");
    expect_host(*state, "http://aws:443/", "aws:443");
    expect_host(*state, "https://aws:80/", "aws:80");
    expect_host(*state, "http://[::1]:4566/", "[::1]:4566");
    expect_host(*state, "https://[fd00:ec2::23]/", "[fd00:ec2::23]");
}

static void a_host_given_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct http_header header = {.name = "host", .value = "elsewhere"};
    struct http_request request = get("http://aws/");
    request.headers = &header;
    request.n_headers = 1;
    send_request(fixture, request);
    virtual_loop_run_for(fixture->loop, 0);
    assert_string_equal(fixture->outcome.body, "GET|/||elsewhere||");
}

static void unusable_requests_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const urls[] = {
        "",           "ftp://aws/",     "http://",       "http:///x",
        "aws/",       "http://aws/a b", "http://aws/\n", "http://:80/",
        "http://u@a/"};
    struct http_call *call = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        struct http_request request = get(urls[i]);
        assert_int_equal(http_send(fixture->http, &request, done, fixture, &call), -EINVAL);
    }
    static const struct http_header headers[] = {
        {"X-Test", "a\r\nInjected: yes"}, {"X Test", "a"}, {"", "a"}, {"X:", "a"}, {"X\n", "a"}};
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        struct http_request request = get("http://aws/");
        request.headers = &headers[i];
        request.n_headers = 1;
        assert_int_equal(http_send(fixture->http, &request, done, fixture, &call), -EINVAL);
    }
    struct http_request request = get("http://aws/");
    request.timeout_ms = 0;
    assert_int_equal(http_send(fixture->http, &request, done, fixture, &call), -EINVAL);
    request = get("http://aws/");
    request.method = "";
    assert_int_equal(http_send(fixture->http, &request, done, fixture, &call), -EINVAL);

    assert_null(call);
    virtual_loop_run_until_idle(fixture->loop);
    assert_int_equal(fixture->outcome.times, 0);
    assert_int_equal(handled, 0);
}

/* delivery,cut_after,latency_ms,content_length_override */
static void deliveries_end_as_over_the_network(void **state)
{
    struct fixture *fixture = *state;
    expect_delivery(fixture, "0,0,0,-1", 0, 0, "0123456789");
    expect_delivery(fixture, "0,0,250,-1", 0, 250, "0123456789");
    expect_delivery(fixture, "0,0,29999,-1", 0, 29999, "0123456789");
    expect_delivery(fixture, "0,0,30001,-1", -ETIMEDOUT, 30000, "");
    expect_delivery(fixture, "1,0,100,-1", -ECONNREFUSED, 100, "");
    expect_delivery(fixture, "2,4,100,-1", -ECONNRESET, 100, "");
    expect_delivery(fixture, "3,4,100,-1", -ETIMEDOUT, 30000, "");
    expect_delivery(fixture, "4,0,500,-1", 0, 10500, "0123456789");
    expect_delivery(fixture, "0,0,0,20", -EBADMSG, 0, "");
    expect_delivery(fixture, "0,0,0,4", 0, 0, "0123");
}

static void time_and_size_have_limits(void **state)
{
    struct fixture *fixture = *state;
    struct http_request request = get("http://aws/delivery?4,0,0,-1");
    request.timeout_ms = 9999;
    send_request(fixture, request);
    virtual_loop_run_for(fixture->loop, 9998);
    assert_int_equal(fixture->outcome.times, 0);
    virtual_loop_run_for(fixture->loop, 1);
    assert_int_equal(fixture->outcome.error, -ETIMEDOUT);

    request = get("http://aws/delivery?0,0,0,-1");
    request.response_size_max = 9;
    send_request(fixture, request);
    virtual_loop_run_for(fixture->loop, 0);
    assert_int_equal(fixture->outcome.error, -EFBIG);

    request.response_size_max = 10;
    send_request(fixture, request);
    virtual_loop_run_for(fixture->loop, 0);
    assert_int_equal(fixture->outcome.error, 0);
}

static void a_cancelled_call_never_calls_back(void **state)
{
    struct fixture *fixture = *state;
    send_request(fixture, get("http://aws/"));
    http_cancel(fixture->call);
    virtual_loop_run_until_idle(fixture->loop);
    assert_int_equal(handled, 0);

    send_request(fixture, get("http://aws/delivery?0,0,1000,-1"));
    virtual_loop_run_for(fixture->loop, 500);
    http_cancel(fixture->call);
    virtual_loop_run_until_idle(fixture->loop);
    assert_int_equal(handled, 1);
    assert_int_equal(fixture->outcome.times, 0);
}

static void what_is_under_way_ends_with_the_http(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 3; i++)
        send_request(fixture, get("http://aws/delivery?0,0,1000,-1"));
    virtual_loop_run_for(fixture->loop, 500);
    fixture->http = http_free(fixture->http);
    assert_null(fixture->http);
    virtual_loop_run_until_idle(fixture->loop);
    assert_int_equal(fixture->outcome.times, 0);
}

static void free_everything(void *userdata, const struct http_response *response)
{
    struct fixture *fixture = userdata;
    fixture->http = http_free(fixture->http);
    /* Borrowed until we return, whatever we did. */
    assert_string_equal(response->body, "0123456789");
    fixture->outcome.times++;
}

static void the_http_may_be_freed_from_a_callback(void **state)
{
    struct fixture *fixture = *state;
    struct http_request request = get("http://aws/delivery?0,0,10,-1");
    assert_int_equal(http_send(fixture->http, &request, free_everything, fixture, &fixture->call),
                     0);
    send_request(fixture, get("http://aws/delivery?0,0,20,-1"));
    virtual_loop_run_until_idle(fixture->loop);
    assert_int_equal(fixture->outcome.times, 1);
}

static void the_model_sees_its_own_clock(void **state)
{
    struct fixture *fixture = *state;
    fixture->sim.clock_offset_ms = 7 * MS_PER_MINUTE;
    send_request(fixture, get("http://aws/"));
    virtual_loop_run_for(fixture->loop, 0);
    assert_int_equal(wall_since(last_now, loop_wall(fixture->loop)), 7 * MS_PER_MINUTE);
}

static void without_a_model_there_is_no_network(void **state)
{
    struct fixture *fixture = *state;
    struct http *http = NULL;
    in_process_attach(NULL);
    assert_int_equal(http_new(fixture->loop, NULL, &http), -ENOTCONN);
    assert_null(http);
    assert_null(http_free(NULL));
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(requests_are_copied_and_answered_from_the_loop),
        STORY(host_leaves_out_the_port_of_the_scheme),
        STORY(a_host_given_is_kept),
        STORY(unusable_requests_are_refused),
        STORY(deliveries_end_as_over_the_network),
        STORY(time_and_size_have_limits),
        STORY(a_cancelled_call_never_calls_back),
        STORY(what_is_under_way_ends_with_the_http),
        STORY(the_http_may_be_freed_from_a_callback),
        STORY(the_model_sees_its_own_clock),
        STORY(without_a_model_there_is_no_network),
    };
    return cmocka_run_group_tests_name("sim: in process", tests, NULL, NULL);
}
