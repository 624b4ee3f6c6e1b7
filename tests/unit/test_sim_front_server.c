/* SPDX-License-Identifier: MIT */

/*
 * The server of the simulated AWS, seen from a socket: what reaches the door, and how answers travel.
 * The door itself is ours here: the path of a request says what to answer.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "sim/exchange.h"
#include "sim/model.h"
#include "sim/server.h"
#include "src/cleanup.h"

/* So long a test waits for what ought to come at once, before it fails. */
#define PATIENCE_MS 20000

#define LATENCY_MS 300

/* The door */

static void answer(struct sim_response *ret, const char *text)
{
    assert_int_equal(sim_response_set(ret, 200, "text/plain", text, strlen(text)), 0);
}

static void echo(const struct sim_request *request, struct sim_response *ret)
{
    char text[4096];
    const char *test_header = sim_request_header(request, "x-test");
    snprintf(text, sizeof(text), "%s|%s|%s|%s|%zu|%.20s", request->method, request->path,
             request->query, test_header ? test_header : "", request->body_size, request->body);
    answer(ret, text);
    assert_int_equal(sim_response_add_header(ret, "Date", "Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_int_equal(sim_response_add_header(ret, "X-Answer", "42"), 0);
}

void sim_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                struct sim_response *ret)
{
    (void)sim;
    assert_true(now.ms > INT64_C(1500000000000));
    if (strncmp(request->path, "/echo", 5) == 0 || strncmp(request->path, "/_sim/", 6) == 0) {
        echo(request, ret);
        return;
    }
    answer(ret, "0123456789");
    if (strcmp(request->path, "/late") == 0)
        ret->latency_ms = LATENCY_MS;
    else if (strcmp(request->path, "/refuse") == 0)
        ret->delivery = SIM_REFUSE;
    else if (strcmp(request->path, "/reset") == 0)
        ret->delivery = SIM_RESET;
    else if (strcmp(request->path, "/stall") == 0)
        ret->delivery = SIM_STALL;
    else if (strcmp(request->path, "/trickle") == 0)
        ret->delivery = SIM_TRICKLE;
    else if (strcmp(request->path, "/length") == 0)
        ret->content_length_override = strtoll(request->query, NULL, 10);
    if (ret->delivery == SIM_TRICKLE)
        ret->body_size = 3;
    else
        ret->cut_after = strtoull(request->query, NULL, 10);
}

/* The server, in a process of its own until the pipe is closed. */

struct fixture {
    pid_t pid;
    int stop; /* closed: the server ends */
    uint16_t port;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static _Noreturn void serve(int stop, int port_pipe)
{
    struct sim sim = {.clock_offset_ms = 0};
    struct server_options options = {.http_listen = "127.0.0.1:0"};
    struct server *server;
    char *error = NULL;
    if (server_new(&sim, &options, &server, &error) < 0)
        _exit(2);
    uint16_t port = server_http_port(server);
    if (write(port_pipe, &port, sizeof(port)) != sizeof(port))
        _exit(3);
    close(port_pipe);
    int r = server_run(server, stop, NULL, NULL);
    server_free(server);
    exit(r == 0 ? 0 : 4);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    int stop[2];
    int port[2];
    if (!fixture || pipe(stop) < 0 || pipe(port) < 0)
        return -1;
    fixture->pid = fork();
    if (fixture->pid == 0) {
        free(fixture);
        close(stop[1]);
        close(port[0]);
        serve(stop[0], port[1]);
    }
    close(stop[0]);
    close(port[1]);
    fixture->stop = stop[1];
    ssize_t n = read(port[0], &fixture->port, sizeof(fixture->port));
    close(port[0]);
    *state = fixture;
    return fixture->pid > 0 && n == sizeof(fixture->port) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    int status = -1;
    close(fixture->stop);
    waitpid(fixture->pid, &status, 0);
    free(fixture);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* The client */

static int connect_to(const struct fixture *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(fixture->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int ask(const struct fixture *fixture, const char *path)
{
    char text[512];
    int fd = connect_to(fixture);
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    send_text(fd, text);
    return fd;
}

struct heard {
    char text[8192];
    size_t size;
    int error; /* 0: the other side closed; else errno */
};

/* Until the connection ends, or `until` has come. */
static void hear(int fd, const char *until, struct heard *ret)
{
    *ret = (struct heard){.size = 0};
    while (!until || !strstr(ret->text, until)) {
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&pollfd, 1, PATIENCE_MS), 1);
        ssize_t n = recv(fd, ret->text + ret->size, sizeof(ret->text) - 1 - ret->size, 0);
        if (n <= 0) {
            ret->error = n < 0 ? errno : 0;
            return;
        }
        ret->size += (size_t)n;
        ret->text[ret->size] = '\0';
    }
}

static void hear_all(int fd, struct heard *ret)
{
    hear(fd, NULL, ret);
    close(fd);
}

static const char *body_of(const struct heard *heard)
{
    const char *end = strstr(heard->text, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static void expect_still_serving(const struct fixture *fixture)
{
    struct heard heard;
    hear_all(ask(fixture, "/plain"), &heard);
    assert_string_equal(body_of(&heard), "0123456789");
}

/* Tests */

static void the_request_reaches_the_door_as_sent(void **state)
{
    struct heard heard;
    int fd = connect_to(*state);
    send_text(fd,
              "POST /echo/a%2Fb%20c/../d?x=%41&y=+&x= HTTP/1.1\r\nHost: x\r\nX-Test:   in  it\r\n"
              "Content-Length: 5\r\nConnection: close\r\n\r\nhello");
    hear_all(fd, &heard);
    assert_string_equal(body_of(&heard), "POST|/echo/a%2Fb%20c/../d|x=%41&y=+&x=|in  it|5|hello");
    assert_non_null(strstr(heard.text, "X-Answer: 42\r\n"));
    /* The model's clock, not the host's; and once. */
    const char *date = strstr(heard.text, "Date: ");
    assert_memory_equal(date, "Date: Thu, 01 Jan 1970 00:00:00 GMT", 35);
    assert_null(strstr(date + 1, "Date: "));
}

static void a_connection_serves_many_requests(void **state)
{
    struct heard heard;
    int fd = connect_to(*state);
    for (int i = 0; i < 3; i++) {
        send_text(fd, "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n");
        hear(fd, "0123456789", &heard);
        assert_non_null(strstr(heard.text, "HTTP/1.1 200"));
    }
    close(fd);
}

static void a_proxys_form_of_request_is_understood(void **state)
{
    struct heard heard;
    hear_all(ask(*state, "http://logs.example.com/echo?a=b"), &heard);
    assert_string_equal(body_of(&heard), "GET|/echo|a=b||0|");
}

static void chunked_bodies_are_gathered(void **state)
{
    struct heard heard;
    int fd = connect_to(*state);
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                  "Connection: close\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    hear_all(fd, &heard);
    assert_string_equal(body_of(&heard), "POST|/echo|||11|hello world");
}

static void too_large_a_body_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    struct heard heard;
    char header[256];
    int fd = connect_to(fixture);
    snprintf(header, sizeof(header),
             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
             EXCHANGE_BODY_MAX + 1);
    send_text(fd, header);
    size_t size = EXCHANGE_BODY_MAX + 1;
    _cleanup_free_ char *body = calloc(1, size);
    assert_non_null(body);
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, body + sent, size - sent, MSG_NOSIGNAL);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    hear_all(fd, &heard);
    assert_non_null(strstr(heard.text, "HTTP/1.1 413"));
    expect_still_serving(fixture);
}

static void too_many_headers_are_refused(void **state)
{
    struct heard heard;
    char text[8192] = "GET /echo HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n";
    for (int i = 0; i < EXCHANGE_HEADERS_MAX; i++)
        strcat(text, "A: b\r\n");
    strcat(text, "\r\n");
    int fd = connect_to(*state);
    send_text(fd, text);
    hear_all(fd, &heard);
    assert_non_null(strstr(heard.text, "HTTP/1.1 431"));
}

static void what_is_no_http_does_no_harm(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const texts[] = {"\x16\x03\x01\x02", "\r\n\r\n\r\n", "GET\r\n\r\n",
                                        "GET / HTTP/9.9\r\n\r\n",
                                        "GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        int fd = connect_to(fixture);
        send_text(fd, texts[i]);
        close(fd);
    }
    expect_still_serving(fixture);
}

static void latency_delays_the_answer_and_nobody_else(void **state)
{
    const struct fixture *fixture = *state;
    struct heard heard;
    int64_t start_ms = now_ms();
    int fd = ask(fixture, "/late");
    expect_still_serving(fixture);
    hear_all(fd, &heard);
    assert_true(now_ms() - start_ms >= LATENCY_MS);
    assert_string_equal(body_of(&heard), "0123456789");
}

static void refused_connections_are_reset_without_a_byte(void **state)
{
    const struct fixture *fixture = *state;
    struct heard heard;
    hear_all(ask(fixture, "/refuse"), &heard);
    assert_int_equal(heard.size, 0);
    assert_int_equal(heard.error, ECONNRESET);
    expect_still_serving(fixture);
}

static void resets_come_after_the_bytes_asked_for(void **state)
{
    const struct fixture *fixture = *state;
    struct heard heard;
    hear_all(ask(fixture, "/reset?4"), &heard);
    assert_string_equal(body_of(&heard), "0123");
    assert_int_equal(heard.error, ECONNRESET);

    hear_all(ask(fixture, "/reset?0"), &heard);
    assert_string_equal(body_of(&heard), "");
    assert_int_equal(heard.error, ECONNRESET);

    hear_all(ask(fixture, "/reset?99"), &heard);
    assert_string_equal(body_of(&heard), "0123456789");
    assert_int_equal(heard.error, ECONNRESET);
    expect_still_serving(fixture);
}

static void stalled_answers_keep_the_connection(void **state)
{
    const struct fixture *fixture = *state;
    struct heard heard;
    int fd = ask(fixture, "/stall?4");
    hear(fd, "0123", &heard);
    assert_string_equal(body_of(&heard), "0123");
    expect_still_serving(fixture);
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&pollfd, 1, 0), 0);
    /* The client gives up; teardown shows that the server is still well and leaks nothing. */
    close(fd);
    expect_still_serving(fixture);
}

static void waiting_answers_do_not_hold_up_the_end(void **state)
{
    const struct fixture *fixture = *state;
    struct heard heard;
    int fd = ask(fixture, "/stall?4");
    hear(fd, "0123", &heard);
    close(fixture->stop);
    hear_all(fd, &heard);
    assert_string_equal(heard.text, "");
    ((struct fixture *)*state)->stop = -1;
}

static void trickling_is_a_byte_a_second(void **state)
{
    const struct fixture *fixture = *state;
    struct heard heard;
    int64_t start_ms = now_ms();
    int fd = ask(fixture, "/trickle");
    hear(fd, "\r\n\r\n0", &heard);
    assert_string_equal(body_of(&heard), "0");
    expect_still_serving(fixture);
    hear_all(fd, &heard);
    assert_string_equal(heard.text, "12");
    assert_true(now_ms() - start_ms >= 1900);
}

static void wrong_lengths_are_announced(void **state)
{
    const struct fixture *fixture = *state;
    struct heard heard;
    hear_all(ask(fixture, "/length?20"), &heard);
    assert_non_null(strstr(heard.text, "Content-Length: 20\r\n"));
    assert_string_equal(body_of(&heard), "0123456789");

    hear_all(ask(fixture, "/length?3"), &heard);
    assert_non_null(strstr(heard.text, "Content-Length: 3\r\n"));
    assert_string_equal(body_of(&heard), "012");
    expect_still_serving(fixture);
}

static void the_administration_answers_on_loopback(void **state)
{
    struct heard heard;
    hear_all(ask(*state, "/_sim/health"), &heard);
    assert_string_equal(body_of(&heard), "GET|/_sim/health|||0|");
}

/* Addresses */

static void expect_no_server(const char *listen, int error, const char *text)
{
    struct sim sim = {.clock_offset_ms = 0};
    struct server_options options = {.http_listen = listen};
    struct server *server = NULL;
    _cleanup_free_ char *reason = NULL;
    assert_int_equal(server_new(&sim, &options, &server, &reason), error);
    assert_non_null(strstr(reason, text));
    assert_null(server);
}

static void addresses_are_checked(void **state)
{
    (void)state;
    expect_no_server("4566", -EINVAL, "ADDRESS:PORT");
    expect_no_server(":4566", -EINVAL, "ADDRESS:PORT");
    expect_no_server("127.0.0.1:", -EINVAL, "ADDRESS:PORT");
    expect_no_server("127.0.0.1:65536", -EINVAL, "ADDRESS:PORT");
    expect_no_server("127.0.0.1:http", -EINVAL, "ADDRESS:PORT");
    expect_no_server("example.com:80", -EINVAL, "numeric");
    expect_no_server("0.0.0.0:0", -EPERM, "--allow-remote");
    expect_no_server("[::]:0", -EPERM, "--allow-remote");
    expect_no_server("192.0.2.1:0", -EPERM, "--allow-remote");
}

static void a_port_in_use_is_said(void **state)
{
    const struct fixture *fixture = *state;
    char listen[32];
    snprintf(listen, sizeof(listen), "localhost:%u", fixture->port);
    expect_no_server(listen, -EADDRINUSE, "in use");
}

static void https_needs_a_pair_of_certificate_and_key(void **state)
{
    (void)state;
    struct sim sim = {.clock_offset_ms = 0};
    struct server_options options = {
        .https_listen = "127.0.0.1:0", .certificate = "no", .private_key = "PEM"};
    struct server *server = NULL;
    _cleanup_free_ char *reason = NULL;
    assert_int_equal(server_new(&sim, &options, &server, &reason), -EIO);
    assert_non_null(strstr(reason, "PEM"));
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(the_request_reaches_the_door_as_sent),
        SERVED(a_connection_serves_many_requests),
        SERVED(a_proxys_form_of_request_is_understood),
        SERVED(chunked_bodies_are_gathered),
        SERVED(too_large_a_body_is_refused),
        SERVED(too_many_headers_are_refused),
        SERVED(what_is_no_http_does_no_harm),
        SERVED(latency_delays_the_answer_and_nobody_else),
        SERVED(refused_connections_are_reset_without_a_byte),
        SERVED(resets_come_after_the_bytes_asked_for),
        SERVED(stalled_answers_keep_the_connection),
        SERVED(waiting_answers_do_not_hold_up_the_end),
        SERVED(trickling_is_a_byte_a_second),
        SERVED(wrong_lengths_are_announced),
        SERVED(the_administration_answers_on_loopback),
        SERVED(a_port_in_use_is_said),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(https_needs_a_pair_of_certificate_and_key),
    };
    return cmocka_run_group_tests_name("sim: the server", tests, NULL, NULL);
}
