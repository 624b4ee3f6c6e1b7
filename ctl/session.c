/* SPDX-License-Identifier: MIT */
#include "ctl/session.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "ctl/ctl.h"
#include "log.h"

static void interrupted(void *userdata, int signal_number)
{
    struct session *session = userdata;
    (void)signal_number;

    session->is_interrupted = session->is_done = true;
}

int session_open(const struct config *config, struct session *ret)
{
    int r;

    *ret = (struct session){0};
    log_set_max_level(LOG_WARNING); /* whose credentials are used is no news here */
    if ((r = loop_new(&ret->loop)) < 0 ||
        (r = loop_signal_new(ret->loop, SIGINT, interrupted, ret)) < 0 ||
        (r = connection_open(ret->loop, config, &ret->connection)) < 0) {
        ctl_error("cannot begin to talk to AWS: %s", strerror(-r));
        return r;
    }
    return 0;
}

void session_close(struct session *session)
{
    if (session->loop)
        connection_close(&session->connection);
    loop_free(session->loop);
    *session = (struct session){0};
}

bool session_wait(struct session *session)
{
    int r = loop_run_until(session->loop, &session->is_done);

    return r == 0 && !session->is_interrupted;
}

static void set_cancelled(struct aws_error *error)
{
    aws_error_set(error, AWS_ERROR_CANCELLED, "interrupted");
}

/* --- one call ------------------------------------------------------------------------------------ */

struct one_call {
    struct session *session;
    struct aws_error *error;
    struct json_object **body;
};

static void call_done(void *userdata, const struct aws_error *error, struct json_object *body)
{
    struct one_call *call = userdata;

    *call->error = *error;
    *call->body = json_object_get(body);
    call->session->is_done = true;
}

void session_call(struct session *session, enum aws_operation operation,
                  struct json_object *parameters, struct aws_error *ret_error,
                  struct json_object **ret_body)
{
    struct one_call call = {.session = session, .error = ret_error, .body = ret_body};
    struct aws_call *handle;

    *ret_body = NULL;
    session->is_done = session->is_interrupted;
    if (aws_call(session->connection.aws, operation, AWS_ROUTINE, parameters, call_done, &call,
                 &handle) < 0) {
        aws_error_set(ret_error, AWS_ERROR_TRANSIENT, "out of memory");
        return;
    }
    if (!session_wait(session)) {
        aws_call_cancel(handle);
        set_cancelled(ret_error);
    }
}

/* --- a search ------------------------------------------------------------------------------------ */

struct one_search {
    struct session *session;
    struct logs_filter_result *result;
    logs_event_fn *event;
    void *userdata;
    size_t n_events;
};

static bool search_event(void *userdata, const struct logs_event *event)
{
    struct one_search *search = userdata;

    search->n_events++;
    return search->event(search->userdata, event);
}

static void search_done(void *userdata, const struct logs_filter_result *result)
{
    struct one_search *search = userdata;

    *search->result = *result;
    search->session->is_done = true;
}

void session_filter(struct session *session, const struct logs_filter_request *request,
                    logs_event_fn *event, void *userdata, struct logs_filter_result *ret)
{
    struct one_search search = {
        .session = session, .result = ret, .event = event, .userdata = userdata};
    struct logs_filter *handle;

    *ret = (struct logs_filter_result){.sent = MONO_NEVER};
    session->is_done = session->is_interrupted;
    if (logs_filter_log_events(session->connection.aws, request, search_event, search_done, &search,
                               &handle) < 0) {
        aws_error_set(&ret->error, AWS_ERROR_TRANSIENT, "out of memory");
        return;
    }
    if (!session_wait(session)) {
        logs_filter_cancel(handle);
        set_cancelled(&ret->error);
        ret->n_events = search.n_events;
    }
}

/* --- what went wrong ----------------------------------------------------------------------------- */

static const char *advice_for(enum aws_error_kind kind)
{
    switch (kind) {
    case AWS_ERROR_CREDENTIALS:
    case AWS_ERROR_EXPIRED:
        return "; provisionerd(8) says where credentials are looked for";
    case AWS_ERROR_CLOCK:
        return "; set this host's clock";
    case AWS_ERROR_THROTTLED:
        return "; try again later";
    default:
        return "";
    }
}

int session_tell(const char *what, enum aws_operation operation, const struct aws_error *error)
{
    switch (error->kind) {
    case AWS_ERROR_CANCELLED:
        ctl_error("cannot %s: interrupted", what);
        return EXIT_FAILURE;
    case AWS_ERROR_DENIED:
        ctl_error("cannot %s: not allowed: %s is needed for it (%s)", what,
                  aws_operation_action(operation), error->message);
        return EXIT_FAILURE;
    case AWS_ERROR_NOT_FOUND:
    case AWS_ERROR_REQUEST:
    case AWS_ERROR_LIMIT:
        ctl_error("cannot %s: %s%s%s", what, error->code, *error->code ? ": " : "", error->message);
        return EXIT_FAILURE;
    default:
        ctl_error("cannot %s: %s%s%s%s", what, error->code, *error->code ? ": " : "",
                  error->message, advice_for(error->kind));
        return EX_UNAVAILABLE;
    }
}
