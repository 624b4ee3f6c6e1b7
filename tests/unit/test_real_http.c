/* SPDX-License-Identifier: MIT */

/* What the real transport makes of answers, by a server on loopback that says whatever it is told
 * to. What it sends is in test_real_http_request.c. */

#include "real_http.h"

#define BRIEF_MS 200 /* a time-out that is meant to pass */

static struct server *server;
static struct client client;

/* --- what the server says -------------------------------------------------------------------- */

struct script {
    const char *path;
    const char *text;
    enum fate fate;
};

static const struct script scripts[] = {
    {"/hello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
     KEEP},
    {"/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP},
    {"/no-content", "HTTP/1.1 204 No Content\r\n\r\n", KEEP},
    {"/not-found", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", KEEP},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 5\r\n\r\nmoved", KEEP},
    {"/chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n"
     "X-Trailer: 1\r\n\r\n",
     KEEP},
    {"/until-close", "HTTP/1.1 200 OK\r\n\r\nall of it", CLOSE},
    {"/interim",
     "HTTP/1.1 103 Early Hints\r\nX-Interim: 1\r\n\r\n"
     "HTTP/1.1 200 OK\r\nX-Final: 1\r\nContent-Length: 2\r\n\r\nok",
     KEEP},
    {"/headers",
     "HTTP/1.1 200 OK\r\nx-amzn-RequestId:   abc-123  \r\nX-Empty:\r\nX-Two: a\r\nX-Two: b\r\n"
     "X-Folded: one\r\n  two\r\nContent-Length: 2\r\n\r\nok",
     KEEP},
    {"/compressed",
     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot a zip", KEEP},

    {"/too-short", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.", CLOSE},
    {"/chunked-too-short", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nten bytes.",
     CLOSE},
    {"/bad-length", "HTTP/1.1 200 OK\r\nContent-Length: banana\r\n\r\nx", CLOSE},
    {"/bad-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", CLOSE},
    {"/close", "", CLOSE},
    {"/close-in-headers", "HTTP/1.1 200 OK\r\nContent-Le", CLOSE},
    {"/reset", "", RESET},
    {"/stall", "", STALL},
    {"/stall-mid-body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.", STALL},
    {"/other-protocol", "SSH-2.0-OpenSSH_9.2p1\r\n", CLOSE},
    {"/bad-status", "HTTP/1.1 banana\r\n\r\n", CLOSE},
};

static enum fate say_many_headers(struct connection *connection)
{
    say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for (int i = 0; i < 250; i++)
        say(connection, "X-More: and more\r\n");
    say(connection, "\r\n");
    return KEEP;
}

static enum fate say_endless_header(struct connection *connection)
{
    say(connection, "HTTP/1.1 200 OK\r\nX-Long: ");
    for (int i = 0; i < 40000; i++)
        say(connection, "without end, without end, ");
    return CLOSE;
}

/* Byte i is 'a' + i % 26. */
static enum fate say_letters(struct connection *connection, size_t size, size_t announced)
{
    char head[100], letters[2600];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", announced);
    say(connection, head);
    for (size_t i = 0; i < sizeof(letters); i++)
        letters[i] = (char)('a' + i % 26);
    for (; size > sizeof(letters); size -= sizeof(letters))
        say_bytes(connection, letters, sizeof(letters));
    say_bytes(connection, letters, size);
    return KEEP;
}

static enum fate answer(struct connection *connection, const char *path, const char *request)
{
    size_t size;

    (void)request;
    for (size_t i = 0; i < ARRAY_LENGTH(scripts); i++)
        if (strcmp(path, scripts[i].path) == 0) {
            say(connection, scripts[i].text);
            return scripts[i].fate;
        }
    if (strcmp(path, "/many-headers") == 0)
        return say_many_headers(connection);
    if (strcmp(path, "/endless-header") == 0)
        return say_endless_header(connection);
    if (sscanf(path, "/letters/%zu", &size) == 1)
        return say_letters(connection, size, size);
    if (strcmp(path, "/reset-mid-body") == 0) {
        say_letters(connection, 100, 5000);
        return RESET;
    }
    say(connection, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    return CLOSE;
}

/* --- what the tests say ---------------------------------------------------------------------- */

static const char *url(const char *path)
{
    static char buffers[8][300]; /* several may be in use at a time */
    static unsigned next;
    char *buffer = buffers[next++ % ARRAY_LENGTH(buffers)];

    snprintf(buffer, sizeof(buffers[0]), "http://127.0.0.1:%d%s", server->port, path);
    return buffer;
}

static void prepare(struct exchange *exchange, const char *path)
{
    exchange_init(exchange, &client, url(path));
}

static void get(struct exchange *exchange, const char *path)
{
    prepare(exchange, path);
    exchange_send(exchange);
    client_run(&client);
    assert_int_equal(exchange->n_done, 1);
}

static void expect_body(const struct exchange *exchange, int status, const char *body)
{
    if (exchange->error != 0)
        fail_msg("%s: %s", strerror(-exchange->error), exchange->error_text);
    assert_int_equal(exchange->status, status);
    assert_int_equal(exchange->body_size, strlen(body));
    assert_string_equal(exchange->body, body);
}

static void expect_error(const char *path, int error)
{
    struct exchange exchange;

    prepare(&exchange, path);
    if (error == -ETIMEDOUT)
        exchange.request.timeout_ms = BRIEF_MS;
    exchange_send(&exchange);
    client_run(&client);
    if (exchange.error != error)
        fail_msg("%s: %d (%s), not %d", path, exchange.error, exchange.error_text, error);
    assert_string_not_equal(exchange.error_text, "");
    exchange_clear(&exchange);
}

static int set_up(void **state)
{
    (void)state;
    server = server_new(answer, NULL);
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

static void expect_page(const char *path, int status, const char *body)
{
    struct exchange exchange;

    get(&exchange, path);
    expect_body(&exchange, status, body);
    exchange_clear(&exchange);
}

/* --- answers --------------------------------------------------------------------------------- */

static void test_fetches_a_page(void **state)
{
    struct exchange exchange;

    (void)state;
    get(&exchange, "/hello");
    expect_body(&exchange, 200, "hello");
    assert_string_equal(exchange.headers, "Content-Length: 5\nContent-Type: text/plain\n");
    exchange_clear(&exchange);
}

static void test_has_no_opinion_on_status(void **state)
{
    (void)state;
    expect_page("/not-found", 404, "gone");
}

static void test_follows_no_redirect(void **state)
{
    (void)state;
    expect_page("/redirect", 302, "moved");
    assert_int_equal(server->n_requests, 1);
}

static void test_body_may_be_empty(void **state)
{
    (void)state;
    expect_page("/empty", 200, "");
}

static void test_body_may_be_absent(void **state)
{
    (void)state;
    expect_page("/no-content", 204, "");
}

static void test_body_may_come_in_chunks(void **state)
{
    struct exchange exchange;

    (void)state;
    get(&exchange, "/chunked");
    expect_body(&exchange, 200, "abcde");
    assert_null(strstr(exchange.headers, "Trailer"));
    exchange_clear(&exchange);
}

static void test_body_may_end_with_the_connection(void **state)
{
    (void)state;
    expect_page("/until-close", 200, "all of it");
}

static void test_decodes_nothing(void **state)
{
    (void)state;
    expect_page("/compressed", 200, "not a zip");
}

static void test_headers_are_those_of_the_final_response(void **state)
{
    struct exchange exchange;

    (void)state;
    get(&exchange, "/interim");
    expect_body(&exchange, 200, "ok");
    assert_string_equal(exchange.headers, "X-Final: 1\nContent-Length: 2\n");
    exchange_clear(&exchange);
}

static void look_up_headers(void *userdata, const struct http_response *response)
{
    struct exchange *exchange = userdata;

    assert_string_equal(http_response_header(response, "X-Amzn-RequestID"), "abc-123");
    assert_string_equal(http_response_header(response, "x-empty"), "");
    assert_string_equal(http_response_header(response, "x-two"), "a");
    assert_string_equal(http_response_header(response, "x-folded"), "one two");
    assert_null(http_response_header(response, "x-tw"));
    assert_null(http_response_header(response, ""));
    exchange->n_done++;
    exchange_over(exchange);
}

static void test_headers_are_found_without_case(void **state)
{
    struct exchange exchange;

    (void)state;
    prepare(&exchange, "/headers");
    assert_int_equal(
        http_send(client.http, &exchange.request, look_up_headers, &exchange, &exchange.call), 0);
    client.n_outstanding++;
    client_run(&client);
    assert_int_equal(exchange.n_done, 1);
}

static void test_takes_a_large_body_whole(void **state)
{
    struct exchange exchange;

    (void)state;
    prepare(&exchange, "/letters/5000000");
    exchange.request.response_size_max = 5000000;
    exchange_send(&exchange);
    client_run(&client);
    assert_int_equal(exchange.error, 0);
    assert_int_equal(exchange.body_size, 5000000);
    for (size_t i = 0; i < exchange.body_size; i++)
        if (exchange.body[i] != (char)('a' + (i % 2600) % 26))
            fail_msg("byte %zu", i);
    exchange_clear(&exchange);
}

static void test_body_at_its_limit_is_whole_and_above_refused(void **state)
{
    struct exchange at, above, none;

    (void)state;
    prepare(&at, "/letters/4096");
    prepare(&above, "/letters/4097");
    prepare(&none, "/letters/1");
    none.request.response_size_max = 0;
    exchange_send(&at);
    exchange_send(&above);
    exchange_send(&none);
    client_run(&client);
    assert_int_equal(at.error, 0);
    assert_int_equal(at.body_size, 4096);
    assert_int_equal(above.error, -EFBIG);
    assert_string_equal(above.error_text, "the response is larger than accepted");
    assert_int_equal(none.error, -EFBIG);
    exchange_clear(&at);
}

/* --- failures -------------------------------------------------------------------------------- */

static void test_partial_body_is_an_error(void **state)
{
    (void)state;
    expect_error("/too-short", -EBADMSG);
}

static void test_partial_chunk_is_an_error(void **state)
{
    (void)state;
    expect_error("/chunked-too-short", -EBADMSG);
}

static void test_what_is_no_http_is_an_error(void **state)
{
    (void)state;
    expect_error("/other-protocol", -EBADMSG);
}

static void test_bad_status_line_is_an_error(void **state)
{
    (void)state;
    expect_error("/bad-status", -EBADMSG);
}

static void test_bad_content_length_is_an_error(void **state)
{
    (void)state;
    expect_error("/bad-length", -EBADMSG);
}

static void test_bad_chunk_is_an_error(void **state)
{
    (void)state;
    expect_error("/bad-chunk", -EBADMSG);
}

static void test_headers_are_limited_in_number(void **state)
{
    (void)state;
    expect_error("/many-headers", -EBADMSG);
}

static void test_headers_are_limited_in_size(void **state)
{
    (void)state;
    expect_error("/endless-header", -EBADMSG);
}

static void test_close_without_an_answer_is_a_reset(void **state)
{
    (void)state;
    expect_error("/close", -ECONNRESET);
}

static void test_reset_without_an_answer(void **state)
{
    (void)state;
    expect_error("/reset", -ECONNRESET);
}

static void test_close_within_the_headers_is_an_error(void **state)
{
    (void)state;
    expect_error("/close-in-headers", -EBADMSG);
}

static void test_reset_within_the_body(void **state)
{
    (void)state;
    expect_error("/reset-mid-body", -ECONNRESET);
}

static void test_silence_runs_into_the_time_out(void **state)
{
    (void)state;
    expect_error("/stall", -ETIMEDOUT);
}

static void test_silence_within_the_body_runs_into_the_time_out(void **state)
{
    (void)state;
    expect_error("/stall-mid-body", -ETIMEDOUT);
}

/* A socket that is bound but does not listen refuses, and keeps its port from others. */
static void test_refused_connection(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct exchange exchange;
    char text[100];

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(text, sizeof(text), "http://127.0.0.1:%d/", ntohs(address.sin_port));

    exchange_init(&exchange, &client, text);
    exchange_send(&exchange);
    client_run(&client);
    assert_int_equal(exchange.error, -ECONNREFUSED);
    assert_non_null(strstr(exchange.error_text, "127.0.0.1"));
}

/* A label of more than 63 bytes cannot be asked of any name server. */
static void test_unknown_host(void **state)
{
    struct exchange exchange;

    (void)state;
    exchange_init(
        &exchange, &client,
        "http://a.label.that.is.much.too.long."
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.invalid/");
    exchange_send(&exchange);
    client_run(&client);
    assert_int_equal(exchange.error, -EHOSTUNREACH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fetches_a_page),
        TEST(test_has_no_opinion_on_status),
        TEST(test_follows_no_redirect),
        TEST(test_body_may_be_empty),
        TEST(test_body_may_be_absent),
        TEST(test_body_may_come_in_chunks),
        TEST(test_body_may_end_with_the_connection),
        TEST(test_decodes_nothing),
        TEST(test_headers_are_those_of_the_final_response),
        TEST(test_headers_are_found_without_case),
        TEST(test_takes_a_large_body_whole),
        TEST(test_body_at_its_limit_is_whole_and_above_refused),
        TEST(test_partial_body_is_an_error),
        TEST(test_partial_chunk_is_an_error),
        TEST(test_what_is_no_http_is_an_error),
        TEST(test_bad_status_line_is_an_error),
        TEST(test_bad_content_length_is_an_error),
        TEST(test_bad_chunk_is_an_error),
        TEST(test_headers_are_limited_in_number),
        TEST(test_headers_are_limited_in_size),
        TEST(test_close_without_an_answer_is_a_reset),
        TEST(test_reset_without_an_answer),
        TEST(test_close_within_the_headers_is_an_error),
        TEST(test_reset_within_the_body),
        TEST(test_silence_runs_into_the_time_out),
        TEST(test_silence_within_the_body_runs_into_the_time_out),
        TEST(test_refused_connection),
        TEST(test_unknown_host),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
