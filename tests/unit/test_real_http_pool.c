/* SPDX-License-Identifier: MIT */

/* The pool of connections: use and re-use, giving up at every point, and what breaks beneath it. */

#include <dlfcn.h>

#include <curl/curl.h>
#include <systemd/sd-event.h>

#include "real_http.h"
#include "src/log.h"

static struct server *server;
static struct client client;

/* --- what breaks beneath: these stand before the libraries' own ------------------------------- */

static struct {
    int watches_refused;
    bool pool_is_broken;
    bool resolver_blocks;
} fault;

#define ORIGINAL(function) (__extension__(__typeof__(&(function))) dlsym(RTLD_NEXT, #function))

int sd_event_add_io(sd_event *event, sd_event_source **ret, int fd, uint32_t events,
                    sd_event_io_handler_t callback, void *userdata)
{
    if (fault.watches_refused > 0) {
        fault.watches_refused--;
        return -ENOSPC;
    }
    return ORIGINAL(sd_event_add_io)(event, ret, fd, events, callback, userdata);
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int conditions, int *ret_running)
{
    if (fault.pool_is_broken)
        return CURLM_INTERNAL_ERROR;
    return ORIGINAL(curl_multi_socket_action)(multi, fd, conditions, ret_running);
}

curl_version_info_data *curl_version_info(CURLversion version)
{
    static curl_version_info_data info;

    info = *ORIGINAL(curl_version_info)(version);
    if (fault.resolver_blocks)
        info.features &= ~CURL_VERSION_ASYNCHDNS;
    return &info;
}

/* --- what the server says -------------------------------------------------------------------- */

static enum fate answer(struct connection *connection, const char *path, const char *request)
{
    (void)request;
    if (strcmp(path, "/stall") == 0) {
        notice(connection);
        return STALL;
    }
    if (strcmp(path, "/stall-in-headers") == 0) {
        say(connection, "HTTP/1.1 200 OK\r\nContent-Le");
        notice(connection);
        return STALL;
    }
    if (strcmp(path, "/stall-in-body") == 0) {
        say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.");
        notice(connection);
        return STALL;
    }
    say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    return strcmp(path, "/quiet-close") == 0 ? CLOSE : KEEP;
}

static enum fate answer_as_proxy(struct connection *connection, const char *path,
                                 const char *request)
{
    assert(strncmp(path, "http://", 7) == 0 && request);
    say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nvia proxy");
    return KEEP;
}

/* --- what the tests say ---------------------------------------------------------------------- */

static const char *url(const char *path)
{
    static char buffers[8][100]; /* several may be in use at a time */
    static unsigned next;
    char *buffer = buffers[next++ % ARRAY_LENGTH(buffers)];

    snprintf(buffer, sizeof(buffers[0]), "http://127.0.0.1:%d%s", server->port, path);
    return buffer;
}

static void start(struct exchange *exchange, const char *path)
{
    exchange_init(exchange, &client, url(path));
    exchange_send(exchange);
}

static void expect_hello(struct exchange *exchange)
{
    assert_int_equal(exchange->n_done, 1);
    if (exchange->error != 0)
        fail_msg("%s: %s", strerror(-exchange->error), exchange->error_text);
    assert_string_equal(exchange->body, "hello");
    exchange_clear(exchange);
}

static void give_up(struct exchange *exchange)
{
    http_cancel(exchange->call);
    exchange_over(exchange);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fault, 0, sizeof(fault));
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

/* --- connections ----------------------------------------------------------------------------- */

static struct exchange sequence[3];

static void send_next(struct exchange *exchange)
{
    if (exchange < &sequence[ARRAY_LENGTH(sequence) - 1]) {
        exchange_init(exchange + 1, &client, exchange->request.url);
        exchange[1].then = exchange->then;
        exchange_send(exchange + 1);
    }
}

static void run_sequence(const char *path)
{
    exchange_init(&sequence[0], &client, url(path));
    sequence[0].then = send_next;
    exchange_send(&sequence[0]);
    client_run(&client);
    for (size_t i = 0; i < ARRAY_LENGTH(sequence); i++)
        expect_hello(&sequence[i]);
}

static void test_one_after_the_other_shares_a_connection(void **state)
{
    (void)state;
    run_sequence("/hello");
    assert_int_equal(server->n_connections, 1);
    assert_int_equal(server->n_requests, 3);
}

/* The server closes without having said so; the next request may find out only after it is sent. */
static void test_a_connection_closed_meanwhile_costs_nothing(void **state)
{
    (void)state;
    run_sequence("/quiet-close");
    assert_int_equal(server->n_connections, 3);
}

static struct exchange crowd[100];

static void give_up_when_all_are_there(void *userdata, int fd, uint32_t revents)
{
    unsigned *n_there = userdata;
    eventfd_t n;

    (void)revents;
    assert_int_equal(eventfd_read(fd, &n), 0);
    *n_there += (unsigned)n;
    if (*n_there == ARRAY_LENGTH(crowd))
        for (size_t i = 0; i < ARRAY_LENGTH(crowd); i++)
            give_up(&crowd[i]);
}

static void test_none_waits_for_another_to_be_answered(void **state)
{
    struct loop_io *io;
    unsigned n_there = 0;

    (void)state;
    assert_int_equal(loop_io_new(client.loop, server->noticed, EPOLLIN, give_up_when_all_are_there,
                                 &n_there, &io),
                     0);
    for (size_t i = 0; i < ARRAY_LENGTH(crowd); i++)
        start(&crowd[i], "/stall");
    client_run(&client);
    loop_io_free(io);
    assert_int_equal(n_there, ARRAY_LENGTH(crowd));
}

static void test_a_hundred_at_once_are_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(crowd); i++)
        start(&crowd[i], "/hello");
    client_run(&client);
    for (size_t i = 0; i < ARRAY_LENGTH(crowd); i++)
        expect_hello(&crowd[i]);
}

/* --- giving up ------------------------------------------------------------------------------- */

static void test_given_up_before_it_began(void **state)
{
    struct exchange unwanted, wanted;

    (void)state;
    start(&unwanted, "/hello");
    start(&wanted, "/hello");
    give_up(&unwanted);
    client_run(&client);
    expect_hello(&wanted);
    assert_int_equal(unwanted.n_done, 0);
    assert_int_equal(server->n_requests, 1);
}

static struct exchange *to_be_given_up;
static struct exchange the_next;

static void give_up_and_go_on(void)
{
    exchange_init(&the_next, &client, url("/hello"));
    exchange_send(&the_next);
    give_up(to_be_given_up);
}

static void on_notice(void *userdata, int fd, uint32_t revents)
{
    eventfd_t value;

    (void)userdata, (void)revents;
    assert_int_equal(eventfd_read(fd, &value), 0);
    give_up_and_go_on();
}

/* When the server has come to where it notices the test, the call is given up; the next one works. */
static void expect_given_up_at(const char *path)
{
    struct exchange unwanted;
    struct loop_io *io;

    to_be_given_up = &unwanted;
    assert_int_equal(loop_io_new(client.loop, server->noticed, EPOLLIN, on_notice, NULL, &io), 0);
    start(&unwanted, path);
    client_run(&client);
    assert_int_equal(unwanted.n_done, 0);
    expect_hello(&the_next);
    loop_io_free(io);
}

static void test_given_up_while_nothing_is_answered(void **state)
{
    (void)state;
    expect_given_up_at("/stall");
}

static void test_given_up_within_the_headers(void **state)
{
    (void)state;
    expect_given_up_at("/stall-in-headers");
}

static void test_given_up_within_the_body(void **state)
{
    (void)state;
    expect_given_up_at("/stall-in-body");
}

static void on_turn(void *userdata)
{
    (void)userdata;
    give_up_and_go_on();
}

static void test_given_up_while_the_host_is_looked_up(void **state)
{
    struct exchange unwanted;
    struct loop_timer *timer;
    char text[100];

    (void)state;
    snprintf(text, sizeof(text), "http://localhost:%d/stall", server->port);
    exchange_init(&unwanted, &client, text);
    exchange_send(&unwanted);
    to_be_given_up = &unwanted;
    assert_int_equal(loop_timer_new(client.loop, on_turn, NULL, &timer), 0);
    loop_timer_after(timer, 0);
    client_run(&client);
    assert_int_equal(unwanted.n_done, 0);
    expect_hello(&the_next);
    loop_timer_free(timer);
}

static void give_up_the_others(struct exchange *exchange)
{
    for (size_t i = 0; i < ARRAY_LENGTH(crowd); i++)
        if (&crowd[i] != exchange)
            give_up(&crowd[i]);
}

static void start_crowd(void (*then)(struct exchange *exchange))
{
    for (size_t i = 0; i < ARRAY_LENGTH(crowd); i++) {
        start(&crowd[i], "/hello");
        crowd[i].then = then;
    }
}

static int crowd_done(void)
{
    int n = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(crowd); i++) {
        n += crowd[i].n_done;
        exchange_clear(&crowd[i]);
    }
    return n;
}

/* Some of them are over, and wait to be told. */
static void test_others_may_be_given_up_in_a_callback(void **state)
{
    (void)state;
    start_crowd(give_up_the_others);
    client_run(&client);
    assert_int_equal(crowd_done(), 1);
}

static void free_all(struct exchange *exchange)
{
    struct client *all = exchange->client;

    all->http = http_free(all->http);
    all->n_outstanding = 1; /* no callback comes any more */
}

static void test_the_pool_may_be_freed_in_a_callback(void **state)
{
    (void)state;
    start_crowd(free_all);
    client_run(&client);
    assert_int_equal(crowd_done(), 1);
}

static void test_the_pool_may_be_freed_before_anything_began(void **state)
{
    (void)state;
    start_crowd(NULL);
    client.http = http_free(client.http);
    assert_int_equal(crowd_done(), 0);
    client.n_outstanding = 0;
}

static void free_pool_on_notice(void *userdata, int fd, uint32_t revents)
{
    (void)userdata, (void)fd, (void)revents;
    client.http = http_free(client.http);
    loop_exit(client.loop, 0);
}

static void test_the_pool_may_be_freed_under_way(void **state)
{
    struct exchange exchange;
    struct loop_io *io;

    (void)state;
    assert_int_equal(
        loop_io_new(client.loop, server->noticed, EPOLLIN, free_pool_on_notice, NULL, &io), 0);
    start(&exchange, "/stall-in-body");
    client_run(&client);
    assert_int_equal(exchange.n_done, 0);
    loop_io_free(io);
}

static void test_freeing_nothing_is_nothing(void **state)
{
    struct http *http;

    (void)state;
    assert_null(http_free(NULL));
    assert_int_equal(http_new(client.loop, NULL, &http), 0);
    http_free(http);
}

/* --- proxies --------------------------------------------------------------------------------- */

static void test_a_proxy_is_used_except_for_direct_requests(void **state)
{
    struct server *proxy = server_new(answer_as_proxy, NULL);
    struct exchange by_proxy, direct;
    char text[100];

    (void)state;
    snprintf(text, sizeof(text), "http://127.0.0.1:%d", proxy->port);
    assert_int_equal(setenv("http_proxy", text, 1), 0);
    exchange_init(&by_proxy, &client, url("/hello"));
    by_proxy.request.direct = false;
    exchange_send(&by_proxy);
    start(&direct, "/hello");
    client_run(&client);
    assert_int_equal(unsetenv("http_proxy"), 0);

    assert_string_equal(by_proxy.body, "via proxy");
    exchange_clear(&by_proxy);
    expect_hello(&direct);
    assert_int_equal(proxy->n_requests, 1);
    assert_int_equal(server->n_requests, 1);
    server_free(proxy);
}

static void test_without_a_proxy_nothing_is_asked_of_one(void **state)
{
    struct exchange exchange;

    (void)state;
    exchange_init(&exchange, &client, url("/hello"));
    exchange.request.direct = false;
    exchange_send(&exchange);
    client_run(&client);
    expect_hello(&exchange);
}

/* --- what breaks beneath --------------------------------------------------------------------- */

static void recover(struct exchange *exchange)
{
    (void)exchange;
    memset(&fault, 0, sizeof(fault));
    exchange_init(&the_next, &client, url("/hello"));
    exchange_send(&the_next);
}

static void test_a_descriptor_that_cannot_be_watched_fails_one_call(void **state)
{
    struct exchange unlucky;

    (void)state;
    fault.watches_refused = 1;
    start(&unlucky, "/hello");
    unlucky.then = recover;
    client_run(&client);
    assert_int_equal(unlucky.error, -ENOSPC);
    assert_string_equal(unlucky.error_text, "No space left on device");
    expect_hello(&the_next);
}

static void test_a_broken_pool_fails_every_call(void **state)
{
    struct exchange first, second;

    (void)state;
    fault.pool_is_broken = true;
    start(&first, "/hello");
    start(&second, "/hello");
    second.then = recover;
    client_run(&client);
    assert_int_equal(first.error, -EIO);
    assert_int_equal(second.error, -EIO);
    expect_hello(&the_next);
}

static char warned[300];

static void see(void *userdata, int level, const char *message_id, const struct log_field *fields,
                size_t n_fields, const char *message)
{
    (void)userdata, (void)message_id, (void)fields, (void)n_fields;
    assert_int_equal(level, LOG_WARNING);
    assert_string_equal(warned, "");
    snprintf(warned, sizeof(warned), "%s", message);
}

static void test_a_resolver_that_blocks_is_told_once(void **state)
{
    struct http *first, *second;

    (void)state;
    log_set_sink(see, NULL);
    fault.resolver_blocks = true;
    assert_int_equal(http_new(client.loop, NULL, &first), 0);
    assert_int_equal(http_new(client.loop, NULL, &second), 0);
    assert_non_null(strstr(warned, "resolves host names"));
    log_set_sink(NULL, NULL);
    http_free(first);
    http_free(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                          "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    const struct CMUnitTest tests[] = {
        TEST(test_one_after_the_other_shares_a_connection),
        TEST(test_a_connection_closed_meanwhile_costs_nothing),
        TEST(test_none_waits_for_another_to_be_answered),
        TEST(test_a_hundred_at_once_are_answered),
        TEST(test_given_up_before_it_began),
        TEST(test_given_up_while_nothing_is_answered),
        TEST(test_given_up_within_the_headers),
        TEST(test_given_up_within_the_body),
        TEST(test_given_up_while_the_host_is_looked_up),
        TEST(test_others_may_be_given_up_in_a_callback),
        TEST(test_the_pool_may_be_freed_in_a_callback),
        TEST(test_the_pool_may_be_freed_before_anything_began),
        TEST(test_the_pool_may_be_freed_under_way),
        TEST(test_freeing_nothing_is_nothing),
        TEST(test_a_proxy_is_used_except_for_direct_requests),
        TEST(test_without_a_proxy_nothing_is_asked_of_one),
        TEST(test_a_descriptor_that_cannot_be_watched_fails_one_call),
        TEST(test_a_broken_pool_fails_every_call),
        TEST(test_a_resolver_that_blocks_is_told_once),
    };

    for (size_t i = 0; i < ARRAY_LENGTH(proxies); i++)
        unsetenv(proxies[i]);
    return cmocka_run_group_tests_name("http pool", tests, NULL, NULL);
}
