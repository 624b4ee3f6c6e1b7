/* SPDX-License-Identifier: MIT */

/* What the real transport sends, byte by byte, and what it refuses to send. */

#include "real_http.h"

static struct server *server;
static struct client client;

/* The server answers with what it was asked. */
static enum fate echo(struct connection *connection, const char *path, const char *request)
{
    char head[100];

    (void)path;
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(request));
    say(connection, head);
    if (strncmp(request, "HEAD ", 5) != 0)
        say(connection, request);
    return KEEP;
}

static const char *url(const char *path)
{
    static char buffer[300];

    snprintf(buffer, sizeof(buffer), "http://127.0.0.1:%d%s", server->port, path);
    return buffer;
}

static void prepare(struct exchange *exchange)
{
    exchange_init(exchange, &client, url("/echo"));
}

static int set_up(void **state)
{
    (void)state;
    server = server_new(echo, NULL);
    client_start(&client, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_stop(&client);
    server_free(server);
    return 0;
}

static void expect_echo(const struct http_request *request, const char *expected)
{
    struct exchange exchange;
    char *host;

    exchange_init(&exchange, &client, "");
    exchange.request = *request;
    exchange.request.url = url(request->url);
    exchange.request.timeout_ms = GENEROUS_MS;
    exchange.request.response_size_max = 10000;
    exchange_send(&exchange);
    client_run(&client);
    assert_int_equal(exchange.error, 0);
    /* The port differs from run to run. */
    host = strstr(exchange.body, "Host: 127.0.0.1:");
    if (host) {
        char *end = strchr(host, '\r');

        host += strlen("Host: 127.0.0.1");
        memmove(host, end, strlen(end) + 1);
    }
    assert_string_equal(exchange.body, expected);
    exchange_clear(&exchange);
}

#define USER_AGENT "User-Agent: provisionerd/" PROVISIONERD_VERSION "\r\n"

static void test_sends_a_get_and_nothing_unasked(void **state)
{
    (void)state;
    expect_echo(&(struct http_request){.method = "GET", .url = "/echo"},
                "GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n" USER_AGENT "Accept: */*\r\n\r\n");
}

static void test_sends_a_post_with_its_headers(void **state)
{
    const struct http_header headers[] = {
        {"X-Amz-Target", "Logs_20140328.FilterLogEvents"},
        {"content-type", "application/x-amz-json-1.1"},
        {"Accept", "application/json"},
        {"X-Empty", ""},
        {"X-Utf8", "\xc3\xa9"},
    };

    (void)state;
    expect_echo(&(struct http_request){.method = "POST",
                                       .url = "/echo?a=1&b=",
                                       .headers = headers,
                                       .n_headers = ARRAY_LENGTH(headers),
                                       .body = "{\"a\":1}",
                                       .body_size = 7},
                "POST /echo?a=1&b= HTTP/1.1\r\nHost: 127.0.0.1\r\n" USER_AGENT
                "X-Amz-Target: Logs_20140328.FilterLogEvents\r\n"
                "content-type: application/x-amz-json-1.1\r\nAccept: application/json\r\n"
                "X-Empty:\r\nX-Utf8: \xc3\xa9\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
}

static void test_sends_a_put_without_a_body_as_imds_wants_it(void **state)
{
    (void)state;
    expect_echo(&(struct http_request){.method = "PUT", .url = "/echo"},
                "PUT /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n" USER_AGENT
                "Accept: */*\r\nContent-Length: 0\r\n\r\n");
}

static void test_sends_the_path_as_it_was_signed(void **state)
{
    (void)state;
    expect_echo(&(struct http_request){.method = "DELETE", .url = "/echo/../a/./b//%7Ec%2f"},
                "DELETE /echo/../a/./b//%7Ec%2f HTTP/1.1\r\nHost: 127.0.0.1\r\n" USER_AGENT
                "Accept: */*\r\nContent-Length: 0\r\n\r\n");
}

static void test_host_header_is_the_callers_to_set(void **state)
{
    const struct http_header headers[] = {{"Host", "logs.eu-west-1.amazonaws.com"}};

    (void)state;
    expect_echo(
        &(struct http_request){.method = "GET", .url = "/echo", .headers = headers, .n_headers = 1},
        "GET /echo HTTP/1.1\r\nHost: logs.eu-west-1.amazonaws.com\r\n" USER_AGENT
        "Accept: */*\r\n\r\n");
}

static void test_large_body_is_sent_without_asking_first(void **state)
{
    char body[50001];
    struct exchange exchange;

    (void)state;
    memset(body, 'x', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    prepare(&exchange);
    exchange.request.method = "POST";
    exchange.request.body = body;
    exchange.request.body_size = sizeof(body) - 1;
    exchange.request.response_size_max = 100000;
    exchange_send(&exchange);
    memset(body, 'y', sizeof(body) - 1); /* it has been copied */
    client_run(&client);
    assert_int_equal(exchange.error, 0);
    assert_null(strcasestr(exchange.body, "expect"));
    assert_null(strcasestr(exchange.body, "urlencoded"));
    assert_null(strchr(strstr(exchange.body, "\r\n\r\n"), 'y'));
    exchange_clear(&exchange);
}

static void test_head_has_no_body(void **state)
{
    struct exchange exchange;

    (void)state;
    prepare(&exchange);
    exchange.request.method = "HEAD";
    exchange_send(&exchange);
    client_run(&client);
    assert_int_equal(exchange.error, 0);
    assert_int_equal(exchange.status, 200);
    assert_int_equal(exchange.body_size, 0);
    exchange_clear(&exchange);
}

static void expect_refused(const struct http_request *request)
{
    struct exchange exchange;

    prepare(&exchange);
    exchange.request.headers = request->headers;
    exchange.request.n_headers = request->n_headers;
    if (request->method)
        exchange.request.method = request->method;
    if (request->url)
        exchange.request.url = request->url;
    if (request->timeout_ms)
        exchange.request.timeout_ms = request->timeout_ms;
    if (http_send(client.http, &exchange.request, on_done, &exchange, &exchange.call) != -EINVAL)
        fail_msg("not refused: %s %s", exchange.request.method, exchange.request.url);
    assert_null(exchange.call);
}

static void test_refuses_headers_that_would_become_two(void **state)
{
    static const struct http_header headers[] = {
        {"X-A", "b\r\nX-Injected: 1"},
        {"X-A", "b\nX-Injected: 1"},
        {"X-A", "b\r"},
        {"X-A", "\x01"},
        {"X-A", "\x7f"},
        {"X-A\r\nX-Injected", "b"},
        {"X-A: b", "c"},
        {"X A", "b"},
        {"", "b"},
        {"X-\xc3\xa9", "b"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++)
        expect_refused(&(struct http_request){.headers = &headers[i], .n_headers = 1});
    assert_int_equal(server->n_requests, 0);
}

static void test_refuses_unusable_requests(void **state)
{
    static const char *const urls[] = {
        "",
        "/hello",
        "ftp://127.0.0.1/hello",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://",
        "http:///hello",
        "http://user:password@127.0.0.1/hello",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/a\r\nX-Injected: 1",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++)
        expect_refused(&(struct http_request){.url = urls[i]});
    expect_refused(&(struct http_request){.method = ""});
    expect_refused(&(struct http_request){.method = "GET /evil HTTP/1.1\r\nX:"});
    expect_refused(&(struct http_request){.timeout_ms = -1});
    assert_int_equal(server->n_requests, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sends_a_get_and_nothing_unasked),
        TEST(test_sends_a_post_with_its_headers),
        TEST(test_sends_a_put_without_a_body_as_imds_wants_it),
        TEST(test_sends_the_path_as_it_was_signed),
        TEST(test_host_header_is_the_callers_to_set),
        TEST(test_large_body_is_sent_without_asking_first),
        TEST(test_head_has_no_body),
        TEST(test_refuses_headers_that_would_become_two),
        TEST(test_refuses_unusable_requests),
    };

    return cmocka_run_group_tests_name("http requests", tests, NULL, NULL);
}
