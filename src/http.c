/* SPDX-License-Identifier: MIT */

/*
 * curl's multi-socket interface on the loop (libcurl-multi(3), "multi_socket"). curl says which
 * descriptors and which moment it waits for; they become watches and one timer of the loop, which
 * lead back to curl_multi_socket_action(). What has come to an end then lies in the queue of
 * finished calls, and is told from there one call a turn of the loop: never from within curl, which
 * bears neither new requests nor removals in its callbacks. After a callback nothing of ours is
 * touched, so that it may do whatever it likes, http_free() included.
 */

#include "http.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "cleanup.h"
#include "http/http_authorities.h"
#include "http/http_crypto.h"
#include "http/http_transfer.h"
#include "log.h"

/*
 * Connections kept for the next request. There are as many as requests under way, and no limit of
 * curl's, since what waits in curl leaves when it likes: see http.h.
 */
#define CONNECTIONS_IDLE_MAX 16L

TAILQ_HEAD(call_queue, http_call);
TAILQ_HEAD(watch_list, watch);

struct http {
    struct loop *loop;
    char *ca_bundle;
    CURLM *multi;
    struct loop_timer *timer; /* curl's */
    struct loop_timer *teller;
    struct watch_list watches;
    struct call_queue running;
    struct call_queue finished; /* to be told, in this order */
};

struct http_call {
    struct http *http;
    struct transfer *transfer;
    bool in_pool; /* curl's: to be removed before it is freed */
    bool is_finished;
    CURLcode result;
    int error;
    http_done_fn *done;
    void *userdata;
    TAILQ_ENTRY(http_call) calls;
};

/* A descriptor that curl waits for. */
struct watch {
    struct http *http;
    struct loop_io *io;
    TAILQ_ENTRY(watch) watches;
};

DEFINE_CLEANUP(struct http *, http_free)

/* --- calls ----------------------------------------------------------------------------------- */

static void call_free(struct http_call *call)
{
    if (call->in_pool)
        curl_multi_remove_handle(call->http->multi, transfer_easy(call->transfer));
    transfer_free(call->transfer);
    free(call);
}

static void unlink_call(struct http_call *call)
{
    struct http *http = call->http;

    if (call->is_finished)
        TAILQ_REMOVE(&http->finished, call, calls);
    else
        TAILQ_REMOVE(&http->running, call, calls);
}

static void finish_call(struct http_call *call, CURLcode result, int error)
{
    if (call->is_finished)
        return; /* given up already: the first reason stands */
    unlink_call(call);
    call->is_finished = true;
    call->result = result;
    call->error = error;
    TAILQ_INSERT_TAIL(&call->http->finished, call, calls);
    loop_timer_after(call->http->teller, 0);
}

static void tell(void *userdata)
{
    struct http *http = userdata;
    struct http_call *call = TAILQ_FIRST(&http->finished);
    struct http_response response;

    if (!call)
        return; /* cancelled meanwhile */
    unlink_call(call);
    if (!TAILQ_EMPTY(&http->finished))
        loop_timer_after(http->teller, 0);

    curl_multi_remove_handle(http->multi, transfer_easy(call->transfer));
    call->in_pool = false;
    transfer_forget_request(call->transfer);
    transfer_response(call->transfer, call->result, call->error, &response);
    call->done(call->userdata, &response); /* http may be gone after it */
    call_free(call);
}

/* --- curl and the loop ----------------------------------------------------------------------- */

static void collect_finished(struct http *http)
{
    CURLMsg *message;
    int n_left;

    while ((message = curl_multi_info_read(http->multi, &n_left)))
        if (message->msg == CURLMSG_DONE)
            finish_call(transfer_owner(message->easy_handle), message->data.result, 0);
}

static void drive(struct http *http, curl_socket_t fd, int conditions)
{
    CURLMcode code;
    int n_running;

    code = curl_multi_socket_action(http->multi, fd, conditions, &n_running);
    collect_finished(http);
    if (code != CURLM_OK)
        /* Nothing is known of any of them any more: an error for each is the truth. */
        while (!TAILQ_EMPTY(&http->running))
            finish_call(TAILQ_FIRST(&http->running), CURLE_OK,
                        code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EIO);
}

static void on_timer_due(void *userdata)
{
    drive(userdata, CURL_SOCKET_TIMEOUT, 0);
}

static void on_descriptor_ready(void *userdata, int fd, uint32_t revents)
{
    struct watch *watch = userdata;
    int conditions = 0;

    if (revents & EPOLLIN)
        conditions |= CURL_CSELECT_IN;
    if (revents & EPOLLOUT)
        conditions |= CURL_CSELECT_OUT;
    if (revents & (EPOLLERR | EPOLLHUP))
        conditions |= CURL_CSELECT_ERR;
    drive(watch->http, fd, conditions); /* the watch may be gone after it */
}

/* CURLMOPT_TIMERFUNCTION. With 0, too, it is the loop that calls curl, not this function. */
static int on_timer_wanted(CURLM *multi, long timeout_ms, void *userdata)
{
    struct http *http = userdata;

    (void)multi;
    if (timeout_ms < 0)
        loop_timer_stop(http->timer);
    else
        loop_timer_after(http->timer, timeout_ms);
    return 0;
}

static void watch_free(struct watch *watch)
{
    TAILQ_REMOVE(&watch->http->watches, watch, watches);
    loop_io_free(watch->io);
    free(watch);
}

static int watch_new(struct http *http, curl_socket_t fd, uint32_t events)
{
    struct watch *watch = malloc(sizeof(*watch));
    int r;

    if (!watch)
        return -ENOMEM;
    *watch = (struct watch){.http = http};
    r = loop_io_new(http->loop, fd, events, on_descriptor_ready, watch, &watch->io);
    if (r < 0) {
        free(watch);
        return r;
    }
    TAILQ_INSERT_TAIL(&http->watches, watch, watches);
    curl_multi_assign(http->multi, fd, watch);
    return 0;
}

/*
 * CURLMOPT_SOCKETFUNCTION. To return an error here would end every transfer and leave a pool that
 * is dead for good; so the one transfer that cannot be watched is given up instead.
 */
static int on_descriptor_wanted(CURL *easy, curl_socket_t fd, int what, void *userdata,
                                void *socket_userdata)
{
    struct http *http = userdata;
    struct watch *watch = socket_userdata;
    struct http_call *call;
    uint32_t events = 0;
    int r;

    if (what == CURL_POLL_REMOVE) {
        if (watch)
            watch_free(watch);
        return 0;
    }
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= EPOLLOUT;

    r = watch ? loop_io_set_events(watch->io, events) : watch_new(http, fd, events);
    if (r < 0) {
        call = transfer_owner(easy); /* none: curl's own, closing a connection */
        if (call)
            finish_call(call, CURLE_OK, r);
    }
    return 0;
}

/* --- the pool -------------------------------------------------------------------------------- */

/* Said once: it is a property of the library that is installed. */
static void warn_of_blocking_resolver(void)
{
    static bool done = false;

    if (done || (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS))
        return;
    done = true;
    log_warning("The installed libcurl resolves host names without a thread or c-ares: everything "
                "waits while a name server does not answer");
}

static int set_pool_options(struct http *http)
{
    CURLM *multi = http->multi;
    const CURLMcode codes[] = {
        curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_descriptor_wanted),
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http),
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted),
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http),
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_IDLE_MAX),
    };

    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
        if (codes[i] != CURLM_OK)
            return -ENOTSUP;
    return 0;
}

int http_new(struct loop *loop, const struct http_options *options, struct http **ret)
{
    _cleanup_(http_free) struct http *http = NULL;
    int r;

    /* TLS writes to its socket without MSG_NOSIGNAL, and curl is told to leave signals alone. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    r = http_prepare_crypto();
    if (r < 0)
        return r;
    /* Counted by curl; never given back, as a call being told may outlive its pool by a moment. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    warn_of_blocking_resolver();

    http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;
    http->loop = loop;
    TAILQ_INIT(&http->watches);
    TAILQ_INIT(&http->running);
    TAILQ_INIT(&http->finished);
    const char *ca_bundle = options ? options->ca_bundle : NULL;
    if (!ca_bundle)
        ca_bundle =
            http_authorities_find(curl_version_info(CURLVERSION_NOW), http_authorities_files);
    if (ca_bundle) {
        http->ca_bundle = strdup(ca_bundle);
        if (!http->ca_bundle)
            return -ENOMEM;
    }
    r = loop_timer_new(loop, on_timer_due, http, &http->timer);
    if (r == 0)
        r = loop_timer_new(loop, tell, http, &http->teller);
    if (r < 0)
        return r;
    http->multi = curl_multi_init();
    if (!http->multi)
        return -ENOMEM;
    r = set_pool_options(http);
    if (r < 0)
        return r;
    *ret = TAKE(http);
    return 0;
}

static void free_watches(struct watch_list *list)
{
    struct watch *next;

    for (struct watch *watch = TAILQ_FIRST(list); watch; watch = next) {
        next = TAILQ_NEXT(watch, watches);
        watch_free(watch);
    }
}

static void free_calls(struct call_queue *queue)
{
    struct http_call *next;

    for (struct http_call *call = TAILQ_FIRST(queue); call; call = next) {
        next = TAILQ_NEXT(call, calls);
        call_free(call);
    }
}

struct http *http_free(struct http *http)
{
    if (!http)
        return NULL;
    free_calls(&http->running);
    free_calls(&http->finished);
    if (http->multi)
        curl_multi_cleanup(
            http->multi); /* which gives watches back; they and the timer must be there */
    free_watches(&http->watches);
    loop_timer_free(http->timer);
    loop_timer_free(http->teller);
    free(http->ca_bundle);
    free(http);
    return NULL;
}

int http_send(struct http *http, const struct http_request *request, http_done_fn *done,
              void *userdata, struct http_call **ret)
{
    struct http_call *call;
    CURLMcode code;
    int r;

    call = malloc(sizeof(*call));
    if (!call)
        return -ENOMEM;
    *call = (struct http_call){.http = http, .done = done, .userdata = userdata};
    r = transfer_new(request, http->ca_bundle, call, &call->transfer);
    if (r < 0) {
        call_free(call);
        return r;
    }
    /* curl asks at once for the timer, and so begins at the loop's next turn. */
    code = curl_multi_add_handle(http->multi, transfer_easy(call->transfer));
    if (code != CURLM_OK) {
        call_free(call);
        return -ENOMEM;
    }
    call->in_pool = true;
    TAILQ_INSERT_TAIL(&http->running, call, calls);
    *ret = call;
    return 0;
}

void http_cancel(struct http_call *call)
{
    unlink_call(call);
    call_free(call);
}
