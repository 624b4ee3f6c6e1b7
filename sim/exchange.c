/* SPDX-License-Identifier: MIT */
#include "exchange.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "sim/model.h"
#include "src/cleanup.h"

#define TRICKLE_INTERVAL_MS MS_PER_SECOND
#define CONTENT_TOO_LARGE 413 /* libmicrohttpd's name for it changed after 0.9.73 (Amazon Linux) */

struct exchange {
    struct exchanges *owner;
    struct MHD_Connection *connection;
    int fd;
    char *uri; /* as sent */

    bool begun; /* libmicrohttpd's first call came, which brings no body yet */
    bool too_large;
    char *body; /* NUL-terminated */
    size_t body_size, body_allocated;

    bool handled; /* response is valid */
    struct sim_response response;

    bool waiting; /* suspended, in the owner's list */
    bool client_gone;
    struct mono due; /* MONO_FOREVER: until the client goes */
    struct exchange *next, *previous;
};

static struct mono clock_now(clockid_t id)
{
    struct timespec now = {0};
    clock_gettime(id, &now); /* cannot fail: both clocks exist wherever Linux does */
    return (struct mono){.ms = now.tv_sec * MS_PER_SECOND + now.tv_nsec / 1000000};
}

struct mono exchange_mono(void)
{
    return clock_now(CLOCK_BOOTTIME);
}

struct wall exchange_wall(const struct sim *sim)
{
    return (struct wall){.ms = clock_now(CLOCK_REALTIME).ms + (sim ? sim->clock_offset_ms : 0)};
}

void *exchange_begin(void *userdata, const char *uri, struct MHD_Connection *connection)
{
    _cleanup_free_ struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return NULL;
    exchange->owner = userdata;
    exchange->connection = connection;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    exchange->fd = info ? info->connect_fd : -1;
    exchange->uri = strdup(uri);
    return exchange->uri ? TAKE(exchange) : NULL;
}

/* Waiting */

static void wait_until(struct exchange *exchange, struct mono due)
{
    exchange->due = due;
    exchange->waiting = true;
    exchange->previous = NULL;
    exchange->next = exchange->owner->waiting;
    if (exchange->next)
        exchange->next->previous = exchange;
    exchange->owner->waiting = exchange;
    MHD_suspend_connection(exchange->connection);
}

static void leave_list(struct exchange *exchange)
{
    if (!exchange->waiting)
        return;
    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        exchange->owner->waiting = exchange->next;
    if (exchange->next)
        exchange->next->previous = exchange->previous;
    exchange->waiting = false;
}

static void resume(struct exchange *exchange)
{
    leave_list(exchange);
    MHD_resume_connection(exchange->connection);
}

size_t exchanges_watch(const struct exchanges *exchanges, struct pollfd *fds, size_t size,
                       struct mono *ret_due)
{
    size_t n = 0;
    *ret_due = MONO_FOREVER;
    for (const struct exchange *e = exchanges->waiting; e; e = e->next) {
        *ret_due = mono_min(*ret_due, e->due);
        if (n < size)
            fds[n++] = (struct pollfd){.fd = e->fd, .events = POLLRDHUP};
    }
    return n;
}

void exchanges_wake(struct exchanges *exchanges, const struct pollfd *fds, size_t n,
                    struct mono now)
{
    size_t i = 0;
    struct exchange *next;
    for (struct exchange *e = exchanges->waiting; e; e = next, i++) {
        next = e->next;
        /* The list is as exchanges_watch() saw it: nothing ran in between. */
        e->client_gone = i < n && fds[i].revents != 0;
        if (e->client_gone || e->due.ms <= now.ms)
            resume(e);
    }
}

void exchanges_abandon(struct exchanges *exchanges)
{
    while (exchanges->waiting) {
        exchanges->waiting->client_gone = true;
        resume(exchanges->waiting);
    }
}

void exchange_end(void *userdata, struct MHD_Connection *connection, void **request,
                  enum MHD_RequestTerminationCode why)
{
    (void)userdata;
    (void)connection;
    (void)why;
    struct exchange *exchange = *request;
    if (!exchange)
        return;
    leave_list(exchange);
    if (exchange->handled)
        sim_response_clear(&exchange->response);
    free(exchange->body);
    free(exchange->uri);
    free(exchange);
    *request = NULL;
}

/* The request */

static bool gather_body(struct exchange *exchange, const char *data, size_t size)
{
    if (exchange->too_large)
        return true;
    if (size > EXCHANGE_BODY_MAX - exchange->body_size) {
        exchange->too_large = true;
        return true;
    }
    size_t needed = exchange->body_size + size + 1;
    if (needed > exchange->body_allocated) {
        size_t allocated = needed < 4096 ? 4096 : needed * 2;
        char *grown = realloc(exchange->body, allocated);
        if (!grown)
            return false;
        exchange->body = grown;
        exchange->body_allocated = allocated;
    }
    memcpy(exchange->body + exchange->body_size, data, size);
    exchange->body_size += size;
    exchange->body[exchange->body_size] = '\0';
    return true;
}

struct header_list {
    struct sim_header items[EXCHANGE_HEADERS_MAX];
    size_t n;
    bool overflow;
};

static enum MHD_Result collect_header(void *userdata, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    (void)kind;
    struct header_list *list = userdata;
    if (list->n == ARRAY_LENGTH(list->items)) {
        list->overflow = true;
        return MHD_NO;
    }
    list->items[list->n++] = (struct sim_header){.name = name, .value = value ? value : ""};
    return MHD_YES;
}

/* A client that talks as to a proxy sends "http://host/path"; the path is what counts. */
static char *path_of(char *uri)
{
    char *authority = strstr(uri, "://");
    if (*uri == '/' || !authority)
        return uri;
    char *path = strchr(authority + 3, '/');
    return path ? path : uri;
}

static bool is_loopback(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr)
        return false;
    if (info->client_addr->sa_family == AF_INET) {
        const struct sockaddr_in *address = (const void *)info->client_addr;
        return ntohl(address->sin_addr.s_addr) >> 24 == 127;
    }
    if (info->client_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *address = (const void *)info->client_addr;
        return IN6_IS_ADDR_LOOPBACK(&address->sin6_addr);
    }
    return false;
}

/* An answer of the server itself. libmicrohttpd copies it. */
static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    enum MHD_Result r = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result answer(struct exchange *exchange);

static enum MHD_Result handle(struct exchange *exchange, const char *method)
{
    struct sim *sim = exchange->owner->sim;
    struct header_list headers = {.n = 0};
    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, collect_header, &headers);
    if (headers.overflow)
        return refuse(exchange->connection, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
                      "too many header fields\n");
    if (exchange->too_large)
        return refuse(exchange->connection, CONTENT_TOO_LARGE, "too large a body\n");

    char *path = path_of(exchange->uri);
    char *query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    if (strncmp(path, "/_sim/", 6) == 0 && !is_loopback(exchange->connection))
        return refuse(exchange->connection, MHD_HTTP_FORBIDDEN,
                      "the administration interface answers on loopback only\n");

    struct sim_request request = {
        .method = method,
        .path = path,
        .query = query ? query : "",
        .headers = headers.items,
        .n_headers = headers.n,
        .body = exchange->body ? exchange->body : "",
        .body_size = exchange->body_size,
    };
    sim_handle(sim, exchange_wall(sim), &request, &exchange->response);
    exchange->handled = true;
    if (exchange->response.latency_ms > 0) {
        wait_until(exchange, mono_add(exchange_mono(), exchange->response.latency_ms));
        return MHD_YES;
    }
    return answer(exchange);
}

enum MHD_Result exchange_progress(void *userdata, struct MHD_Connection *connection,
                                  const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **request)
{
    (void)userdata;
    (void)connection;
    (void)url; /* decoded; signatures need the original, which exchange_begin() kept */
    (void)version;
    struct exchange *exchange = *request;
    if (!exchange || exchange->client_gone)
        return MHD_NO;
    if (!exchange->begun) {
        exchange->begun = true;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        bool gathered = gather_body(exchange, upload, *upload_size);
        *upload_size = 0;
        return gathered ? MHD_YES : MHD_NO;
    }
    if (!exchange->handled)
        return handle(exchange, method);
    return answer(exchange);
}

/* The answer */

/*
 * Ends the connection with a RST at once: connecting a TCP socket to AF_UNSPEC aborts it (connect(2),
 * tcp(7)). Closing with SO_LINGER would not do, as libmicrohttpd sends a FIN before.
 */
static void abort_connection(struct exchange *exchange)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    (void)connect(exchange->fd, &nowhere, sizeof(nowhere)); /* else the close will have to do */
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static ssize_t give(struct exchange *exchange, uint64_t position, size_t end, char *buffer,
                    size_t size)
{
    size_t n = min_size(size, end - position);
    memcpy(buffer, exchange->response.body + position, n);
    return (ssize_t)n;
}

/* The body of an answer that does not travel well. */
static ssize_t spoilt_body(void *userdata, uint64_t position, char *buffer, size_t size)
{
    struct exchange *exchange = userdata;
    const struct sim_response *response = &exchange->response;
    if (exchange->client_gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;

    size_t end = response->body_size;
    if (response->delivery == SIM_RESET || response->delivery == SIM_STALL)
        end = min_size(end, response->cut_after);

    if (response->delivery == SIM_TRICKLE && position < end) {
        struct mono now = exchange_mono();
        if (position > 0 && now.ms < exchange->due.ms) {
            wait_until(exchange, exchange->due);
            return 0;
        }
        exchange->due = mono_add(now, TRICKLE_INTERVAL_MS);
        return give(exchange, position, end, buffer, 1);
    }
    if (position < end)
        return give(exchange, position, end, buffer, size);
    if (response->delivery == SIM_STALL) {
        wait_until(exchange, MONO_FOREVER);
        return 0;
    }
    if (response->delivery == SIM_RESET)
        abort_connection(exchange);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *make_response(struct exchange *exchange)
{
    struct sim_response *response = &exchange->response;
    bool wrong_length = response->content_length_override >= 0;
    if (response->delivery == SIM_DELIVER && !wrong_length)
        return MHD_create_response_from_buffer(response->body_size, response->body,
                                               MHD_RESPMEM_PERSISTENT);

    uint64_t announced =
        wrong_length ? (uint64_t)response->content_length_override : response->body_size;
    /* What is to break must not be complete before it does. */
    size_t cut = min_size(response->cut_after, response->body_size);
    if ((response->delivery == SIM_RESET || response->delivery == SIM_STALL) && announced <= cut)
        announced = cut + 1;
    /* Block size: one byte at a time is a matter of the reader, not of the buffer. */
    return MHD_create_response_from_callback(announced, 1024, spoilt_body, exchange, NULL);
}

static enum MHD_Result answer(struct exchange *exchange)
{
    const struct sim_response *response = &exchange->response;
    if (response->delivery == SIM_REFUSE) {
        abort_connection(exchange);
        return MHD_NO;
    }

    struct MHD_Response *made = make_response(exchange);
    if (!made)
        return MHD_NO;
    bool complete = true;
    for (size_t i = 0; i < response->n_headers; i++) {
        /* The length is libmicrohttpd's affair. */
        if (strcasecmp(response->headers[i].name, MHD_HTTP_HEADER_CONTENT_LENGTH) != 0)
            complete = complete && MHD_add_response_header(made, response->headers[i].name,
                                                           response->headers[i].value) == MHD_YES;
    }
    /* After a wrong length, the next answer on this connection would be misread. */
    if (response->content_length_override >= 0)
        complete = complete &&
                   MHD_add_response_header(made, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
    enum MHD_Result r =
        complete ? MHD_queue_response(exchange->connection, (unsigned)response->status, made)
                 : MHD_NO;
    MHD_destroy_response(made);
    return r;
}
