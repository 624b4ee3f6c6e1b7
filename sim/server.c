/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "exchange.h"
#include "src/cleanup.h"
#include "src/log.h"

#define DAEMONS_MAX 2
#define LISTEN_BACKLOG 128

struct server {
    struct MHD_Daemon *http;
    struct MHD_Daemon *https;
    struct exchanges exchanges;
    struct pollfd fds[1 + DAEMONS_MAX + SERVER_CONNECTIONS_MAX * DAEMONS_MAX];
};

static int fail(char **ret_error, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(char **ret_error, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(ret_error, format, arguments) < 0)
        *ret_error = NULL;
    va_end(arguments);
    return error;
}

/* Addresses */

struct address {
    struct sockaddr_storage storage;
    socklen_t size;
};

static bool address_is_loopback(const struct address *address)
{
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)&address->storage;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const void *)&address->storage;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/* "ADDR:PORT", "[ADDR]:PORT", "localhost:PORT". No names are looked up. */
static int address_parse(const char *text, struct address *ret, char **ret_error)
{
    _cleanup_free_ char *host = strdup(text);
    if (!host)
        return -ENOMEM;
    char *colon = strrchr(host, ':');
    if (!colon || colon == host || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
        strtoul(colon + 1, NULL, 10) > UINT16_MAX)
        return fail(ret_error, -EINVAL, "'%s' is no ADDRESS:PORT, like 127.0.0.1:4566", text);
    *colon = '\0';

    const char *name = host;
    if (*name == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        name++;
    }
    if (strcmp(name, "localhost") == 0)
        name = "127.0.0.1";

    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
    };
    struct addrinfo *found = NULL;
    int r = getaddrinfo(name, colon + 1, &hints, &found);
    if (r == EAI_MEMORY)
        return -ENOMEM;
    if (r != 0)
        return fail(ret_error, -EINVAL, "'%s' is no numeric address", text);
    memcpy(&ret->storage, found->ai_addr, found->ai_addrlen);
    ret->size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int open_listener(const char *text, bool allow_remote, int *ret_fd, char **ret_error)
{
    struct address address = {.size = 0};
    int r = address_parse(text, &address, ret_error);
    if (r < 0)
        return r;
    if (!allow_remote && !address_is_loopback(&address))
        return fail(ret_error, -EPERM,
                    "%s can be reached from other hosts: --allow-remote permits that", text);

    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
        bind(fd, (const struct sockaddr *)&address.storage, address.size) == 0 &&
        listen(fd, LISTEN_BACKLOG) == 0) {
        *ret_fd = fd;
        return 0;
    }
    r = -errno;
    if (fd >= 0)
        close(fd);
    return fail(ret_error, r, "cannot listen on %s: %s", text, strerror(-r));
}

/* libmicrohttpd's daemons */

/* Leaves the path and query as they were sent: signatures are over these bytes. */
static size_t leave_escaped(void *userdata, struct MHD_Connection *connection, char *text)
{
    (void)userdata;
    (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void note_trouble(void *userdata, const char *format,
                                                               va_list arguments)
{
    (void)userdata;
    char text[512];
    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_debug("libmicrohttpd: %s", text);
}

/* Takes the listener. certificate NULL: without TLS. */
static struct MHD_Daemon *start_daemon(struct exchanges *exchanges, int listener,
                                       const char *certificate, const char *private_key)
{
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)note_trouble, NULL},
        {MHD_OPTION_LISTEN_SOCKET, listener, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_begin, exchanges},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_end, exchanges},
        {MHD_OPTION_CONNECTION_LIMIT, SERVER_CONNECTIONS_MAX, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, SERVER_IDLE_TIMEOUT_S, NULL},
        {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
        {certificate ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, (void *)certificate},
        {certificate ? MHD_OPTION_HTTPS_MEM_KEY : MHD_OPTION_END, 0, (void *)private_key},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;
    if (certificate)
        flags |= MHD_USE_TLS;
    return MHD_start_daemon(flags, 0, NULL, NULL, exchange_progress, exchanges, MHD_OPTION_ARRAY,
                            options, MHD_OPTION_END);
}

static int start(struct server *server, const char *listen_text, const char *certificate,
                 const char *private_key, bool allow_remote, struct MHD_Daemon **ret,
                 char **ret_error)
{
    int listener = -1;
    int r = open_listener(listen_text, allow_remote, &listener, ret_error);
    if (r < 0)
        return r;
    *ret = start_daemon(&server->exchanges, listener, certificate, private_key);
    if (*ret)
        return 0; /* libmicrohttpd closes the listener in the end, and it has if it did not start */
    return fail(ret_error, -EIO, "cannot serve %s on %s%s", certificate ? "HTTPS" : "HTTP",
                listen_text, certificate ? ": are certificate and key a PEM pair?" : "");
}

int server_new(struct sim *sim, const struct server_options *options, struct server **ret,
               char **ret_error)
{
    *ret_error = NULL;
    struct server *server = calloc(1, sizeof(*server));
    if (!server)
        return -ENOMEM;
    server->exchanges.sim = sim;
    int r = 0;
    if (options->http_listen)
        r = start(server, options->http_listen, NULL, NULL, options->allow_remote, &server->http,
                  ret_error);
    if (r == 0 && options->https_listen)
        r = start(server, options->https_listen, options->certificate, options->private_key,
                  options->allow_remote, &server->https, ret_error);
    if (r < 0) {
        server_free(server);
        return r;
    }
    *ret = server;
    return 0;
}

struct server *server_free(struct server *server)
{
    if (!server)
        return NULL;
    exchanges_abandon(&server->exchanges);
    if (server->http)
        MHD_stop_daemon(server->http);
    if (server->https)
        MHD_stop_daemon(server->https);
    free(server);
    return NULL;
}

static uint16_t port_of(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info =
        daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    return info ? info->port : 0;
}

uint16_t server_http_port(const struct server *server)
{
    return port_of(server->http);
}

uint16_t server_https_port(const struct server *server)
{
    return port_of(server->https);
}

/* The loop */

static int64_t soonest(int64_t a_ms, int64_t b_ms)
{
    return a_ms < 0 ? b_ms : b_ms < 0 ? a_ms : a_ms < b_ms ? a_ms : b_ms;
}

/* Adds the daemon's descriptor; returns when it wants to run, -1: when its descriptor is ready. */
static int64_t watch_daemon(struct server *server, struct MHD_Daemon *daemon, size_t *n)
{
    if (!daemon)
        return -1;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info)
        server->fds[(*n)++] = (struct pollfd){.fd = info->epoll_fd, .events = POLLIN};
    unsigned long long timeout_ms;
    if (MHD_get_timeout(daemon, &timeout_ms) != MHD_YES)
        return -1;
    return timeout_ms > INT_MAX ? INT_MAX : (int64_t)timeout_ms;
}

int server_run(struct server *server, int stop_fd, server_work_fn *work, void *userdata)
{
    for (;;) {
        int64_t wait_ms = work ? work(userdata) : -1;
        size_t n = 0;
        server->fds[n++] = (struct pollfd){.fd = stop_fd, .events = POLLIN};
        wait_ms = soonest(wait_ms, watch_daemon(server, server->http, &n));
        wait_ms = soonest(wait_ms, watch_daemon(server, server->https, &n));

        struct pollfd *connections = server->fds + n;
        struct mono due;
        size_t n_connections =
            exchanges_watch(&server->exchanges, connections, ARRAY_LENGTH(server->fds) - n, &due);
        if (due.ms < MONO_FOREVER.ms) {
            int64_t until_ms = mono_since(due, exchange_mono());
            wait_ms = soonest(wait_ms, until_ms > 0 ? until_ms : 0);
        }

        int ready =
            poll(server->fds, n + n_connections, (int)(wait_ms > INT_MAX ? INT_MAX : wait_ms));
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready > 0 && server->fds[0].revents != 0)
            return 0;
        exchanges_wake(&server->exchanges, connections, ready > 0 ? n_connections : 0,
                       exchange_mono());
        if (server->http)
            MHD_run(server->http);
        if (server->https)
            MHD_run(server->https);
    }
}
