/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_REAL_HTTP_H
#define PROVISIONERD_TESTS_REAL_HTTP_H

/*
 * A server that a test scripts byte by byte, in threads of its own, and the client's side of an
 * exchange, for the tests of the real transport.
 *
 * The server reads one request after the other from each connection and gives it to the test's
 * `answer`, which says() what it likes and returns what becomes of the connection.
 */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/http.h"
#include "src/loop.h"

#define CONNECTIONS_MAX 256
#define REQUEST_MAX (64 * 1024)

/* --- the server ------------------------------------------------------------------------------ */

enum fate {
    KEEP,  /* and read the next request */
    CLOSE, /* in an orderly way */
    RESET, /* with a RST */
    STALL, /* silence until the client gives up */
};

struct connection;
typedef enum fate answer_fn(struct connection *connection, const char *path, const char *request);

struct server {
    int listener;
    int port;
    answer_fn *answer;
    SSL_CTX *tls;
    int noticed; /* an eventfd: the server's way to wake the test's loop */
    atomic_bool stopping;
    atomic_int n_connections;
    atomic_int n_requests;
    pthread_t thread;
    struct connection *connections[CONNECTIONS_MAX];
};

struct connection {
    struct server *server;
    pthread_t thread;
    int fd;
    SSL *ssl;
};

static inline void say_bytes(struct connection *connection, const void *bytes, size_t size)
{
    const char *from = bytes;

    while (size > 0) {
        int n = connection->ssl ? SSL_write(connection->ssl, from, (int)size)
                                : (int)send(connection->fd, from, size, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the client has gone: a test may want that */
        from += n;
        size -= (size_t)n;
    }
}

static inline void say(struct connection *connection, const char *text)
{
    say_bytes(connection, text, strlen(text));
}

/* Tells the test's loop that the server has come to this point. */
static inline void notice(struct connection *connection)
{
    assert(eventfd_write(connection->server->noticed, 1) == 0);
}

/* Returns the number of bytes up to and including the body, 0 at the end of the connection. */
static inline size_t read_request(struct connection *connection, char *buffer)
{
    size_t size = 0, wanted = 0;

    do {
        int n = connection->ssl
                    ? SSL_read(connection->ssl, buffer + size, (int)(REQUEST_MAX - size - 1))
                    : (int)recv(connection->fd, buffer + size, REQUEST_MAX - size - 1, 0);
        const char *end, *length;

        if (n <= 0)
            return 0;
        size += (size_t)n;
        buffer[size] = '\0';
        end = strstr(buffer, "\r\n\r\n");
        if (!end)
            continue;
        length = strcasestr(buffer, "\r\nContent-Length:");
        wanted = (size_t)(end - buffer) + 4;
        if (length && length < end)
            wanted += strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    } while (wanted == 0 || size < wanted);
    return size;
}

static inline void wait_for_the_end(struct connection *connection)
{
    char byte;

    while (recv(connection->fd, &byte, 1, 0) > 0)
        ;
}

static inline void *serve_connection(void *userdata)
{
    struct connection *connection = userdata;
    char *buffer = malloc(REQUEST_MAX);
    enum fate fate = KEEP;

    assert(buffer);
    if (connection->ssl && SSL_accept(connection->ssl) != 1)
        fate = CLOSE;
    while (fate == KEEP && read_request(connection, buffer) > 0) {
        char path[200];

        atomic_fetch_add(&connection->server->n_requests, 1);
        assert(sscanf(buffer, "%*s %199s", path) == 1);
        fate = connection->server->answer(connection, path, buffer);
    }
    if (fate == STALL)
        wait_for_the_end(connection);
    if (fate == RESET) {
        const struct linger linger = {.l_onoff = 1, .l_linger = 0};

        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        close(connection->fd);
        connection->fd = -1;
    } else if (connection->ssl) {
        SSL_shutdown(connection->ssl);
    }
    if (connection->fd >= 0 && !atomic_load(&connection->server->stopping))
        shutdown(connection->fd, SHUT_WR);
    free(buffer);
    return NULL;
}

static inline void *accept_connections(void *userdata)
{
    struct server *server = userdata;
    int fd;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        int n = atomic_load(&server->n_connections);
        struct connection *connection = calloc(1, sizeof(*connection));
        const int on = 1;

        assert(connection && n < CONNECTIONS_MAX);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        connection->server = server;
        connection->fd = fd;
        if (server->tls) {
            connection->ssl = SSL_new(server->tls);
            assert(connection->ssl && SSL_set_fd(connection->ssl, fd) == 1);
        }
        server->connections[n] = connection;
        atomic_store(&server->n_connections, n + 1);
        assert(pthread_create(&connection->thread, NULL, serve_connection, connection) == 0);
    }
    return NULL;
}

/* Listens on 127.0.0.1 at a port of the system's choice. tls may be NULL. */
static inline struct server *server_new(answer_fn *answer, SSL_CTX *tls)
{
    struct server *server = calloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);

    assert_non_null(server);
    server->answer = answer;
    server->tls = tls;
    server->noticed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(server->noticed >= 0 && server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, CONNECTIONS_MAX), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, accept_connections, server), 0);
    return server;
}

static inline void server_free(struct server *server)
{
    atomic_store(&server->stopping, true);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    for (int i = 0; i < atomic_load(&server->n_connections); i++) {
        struct connection *connection = server->connections[i];

        if (connection->fd >= 0)
            shutdown(connection->fd, SHUT_RDWR);
        pthread_join(connection->thread, NULL);
        if (connection->fd >= 0)
            close(connection->fd);
        SSL_free(connection->ssl);
        free(connection);
    }
    close(server->listener);
    close(server->noticed);
    free(server);
}

/* --- the client ------------------------------------------------------------------------------ */

#define GENEROUS_MS (30 * MS_PER_SECOND) /* for what is expected to end by itself */

struct client {
    struct loop *loop;
    struct http *http;
    int n_outstanding; /* the loop ends with the last */
};

struct exchange {
    struct client *client;
    struct http_request request;
    struct http_call *call;
    void (*then)(struct exchange *exchange); /* in the callback, before the count */
    int n_done;

    /* The response, copied. */
    int error;
    char error_text[300];
    int status;
    char *body;
    size_t body_size;
    size_t n_headers;
    char headers[2000]; /* "name: value\n" each */
};

static inline void client_start(struct client *client, const char *ca_bundle)
{
    const struct http_options options = {.ca_bundle = ca_bundle};

    *client = (struct client){0};
    assert_int_equal(loop_new(&client->loop), 0);
    assert_int_equal(http_new(client->loop, &options, &client->http), 0);
}

static inline void client_stop(struct client *client)
{
    client->http = http_free(client->http);
    client->loop = loop_free(client->loop);
}

static inline void client_run(struct client *client)
{
    if (client->n_outstanding > 0)
        assert_int_equal(loop_run(client->loop), 0);
}

static inline void exchange_over(struct exchange *exchange)
{
    if (--exchange->client->n_outstanding == 0)
        loop_exit(exchange->client->loop, 0);
}

static inline void on_done(void *userdata, const struct http_response *response)
{
    struct exchange *exchange = userdata;
    size_t length = 0;

    exchange->n_done++;
    exchange->error = response->error;
    exchange->status = response->status;
    if (response->error < 0) {
        assert_non_null(response->error_text);
        snprintf(exchange->error_text, sizeof(exchange->error_text), "%s", response->error_text);
    } else {
        assert_int_equal(response->body[response->body_size], '\0');
        exchange->body = malloc(response->body_size + 1);
        assert_non_null(exchange->body);
        memcpy(exchange->body, response->body, response->body_size + 1);
        exchange->body_size = response->body_size;
    }
    exchange->n_headers = response->n_headers;
    for (size_t i = 0; i < response->n_headers && length < sizeof(exchange->headers); i++)
        length +=
            (size_t)snprintf(exchange->headers + length, sizeof(exchange->headers) - length,
                             "%s: %s\n", response->headers[i].name, response->headers[i].value);
    if (exchange->then)
        exchange->then(exchange);
    exchange_over(exchange);
}

/* A GET of the path. The request may be changed before it is sent. url must stay until then. */
static inline void exchange_init(struct exchange *exchange, struct client *client, const char *url)
{
    *exchange = (struct exchange){
        .client = client,
        .request = {.method = "GET",
                    .url = url,
                    .timeout_ms = GENEROUS_MS,
                    .response_size_max = 4096,
                    .direct = true},
    };
}

static inline void exchange_send(struct exchange *exchange)
{
    struct client *client = exchange->client;

    assert_int_equal(
        http_send(client->http, &exchange->request, on_done, exchange, &exchange->call), 0);
    client->n_outstanding++;
}

static inline void exchange_clear(struct exchange *exchange)
{
    free(exchange->body);
    exchange->body = NULL;
}

#endif
