/* SPDX-License-Identifier: MIT */

#include "logs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "json.h"
#include "logs_internal.h"

/* FilterLogEvents; the life of a query is in logs_query.c. */

struct logs_filter {
    struct aws *aws;
    enum aws_priority priority;
    struct json_object *parameters; /* nextToken changes, the rest stays */
    logs_event_fn *event;
    logs_filter_done_fn *done;
    void *userdata;
    struct aws_call *call; /* NULL while a page is read */
    bool is_reading;
    bool is_cancelled; /* from within the event callback */

    char *token;         /* that the page under way was asked with */
    char *earlier_token; /* of the last page whose number was a power of two (R. Brent's method:
                            a cycle of any length returns to it before the number has doubled) */
    struct logs_filter_result result;
};

bool logs_is_arn(const char *log_group)
{
    return strncmp(log_group, "arn:", 4) == 0;
}

struct json_object *logs_identifier(const char *log_group)
{
    size_t length = strlen(log_group);

    /* ARNs are often copied from IAM, where ":*" stands for the streams. The API wants them without. */
    if (logs_is_arn(log_group) && length > 2 && strcmp(log_group + length - 2, ":*") == 0)
        length -= 2;
    return json_object_new_string_len(log_group, (int)length);
}

static struct logs_filter *filter_free(struct logs_filter *filter)
{
    if (!filter)
        return NULL;
    json_object_put(filter->parameters);
    free(filter->token);
    free(filter->earlier_token);
    free(filter);
    return NULL;
}

DEFINE_CLEANUP(struct logs_filter *, filter_free)

static void filter_end(struct logs_filter *filter)
{
    struct logs_filter_result result = filter->result;
    logs_filter_done_fn *done = filter->done;
    void *userdata = filter->userdata;

    filter_free(filter);
    done(userdata, &result);
}

static void filter_fail(struct logs_filter *filter, enum aws_error_kind kind, const char *why)
{
    aws_error_set(&filter->result.error, kind, "FilterLogEvents: %s", why);
    filter_end(filter);
}

/* A member that may be missing, but not be of another type. */
static bool read_optional_string(struct json_object *object, const char *name, const char **ret)
{
    int r = json_get_string(object, name, ret);
    if (r == -ENOENT)
        *ret = "";
    return r == 0 || r == -ENOENT;
}

/* Returns false if it is not what the service's model says. */
static bool read_event(struct json_object *object, struct logs_event *ret)
{
    int64_t timestamp_ms;
    int64_t ingestion_ms;

    if (json_get_int(object, "timestamp", &timestamp_ms) < 0 || timestamp_ms < 0 ||
        timestamp_ms > LOGS_TIME_MAX_MS || json_get_string(object, "message", &ret->message) < 0)
        return false;
    ret->timestamp = (struct wall){timestamp_ms};

    int r = json_get_int(object, "ingestionTime", &ingestion_ms);
    if (r == 0 && ingestion_ms >= 0 && ingestion_ms <= LOGS_TIME_MAX_MS)
        ret->ingestion = (struct wall){ingestion_ms};
    else if (r == -ENOENT)
        ret->ingestion = WALL_NEVER;
    else
        return false;
    return read_optional_string(object, "eventId", &ret->event_id) &&
           read_optional_string(object, "logStreamName", &ret->log_stream);
}

enum reading {
    READ_ALL,
    READ_ENOUGH, /* says the event callback */
    READ_CANCELLED,
    READ_MALFORMED,
};

static enum reading read_events(struct logs_filter *filter, struct json_object *events)
{
    size_t n = json_object_array_length(events);
    enum reading reading = READ_ALL;

    for (size_t i = 0; i < n; i++) {
        struct logs_event event;
        if (!read_event(json_object_array_get_idx(events, i), &event))
            return READ_MALFORMED;
        filter->result.n_events++;
        bool wants_more = filter->event(filter->userdata, &event);
        if (filter->is_cancelled)
            return READ_CANCELLED;
        if (!wants_more)
            reading = READ_ENOUGH;
    }
    return reading;
}

static bool is_power_of_two(size_t n)
{
    return (n & (n - 1)) == 0;
}

/* Puts the token of the next page in place. Returns 0, -ELOOP or -ENOMEM. */
static int turn_page(struct logs_filter *filter, const char *token)
{
    if ((filter->token && strcmp(filter->token, token) == 0) ||
        (filter->earlier_token && strcmp(filter->earlier_token, token) == 0))
        return -ELOOP;

    char *copy = strdup(token);
    if (!copy)
        return -ENOMEM;
    if (is_power_of_two(filter->result.n_pages)) {
        free(filter->earlier_token);
        filter->earlier_token = TAKE(filter->token);
    }
    free(filter->token);
    filter->token = copy;
    return json_add(filter->parameters, "nextToken", json_object_new_string(token));
}

static void page_came(void *userdata, const struct aws_error *error, struct json_object *body);

static int ask_for_page(struct logs_filter *filter)
{
    return aws_call(filter->aws, LOGS_FILTER_LOG_EVENTS, filter->priority, filter->parameters,
                    page_came, filter, &filter->call);
}

/* After a page of which all was read: on to the next, or the end. */
static void page_read(struct logs_filter *filter, struct json_object *body)
{
    const char *token;
    int r = json_get_string(body, "nextToken", &token);

    if (r == -ENOENT) {
        filter->result.exhausted = true;
        filter_end(filter);
        return;
    }
    if (r < 0 || *token == '\0') {
        filter_fail(filter, AWS_ERROR_MALFORMED, "a nextToken that is none");
        return;
    }
    if (filter->result.n_pages >= LOGS_FILTER_PAGES_MAX) {
        filter_end(filter); /* not exhausted: what is behind stays unknown */
        return;
    }
    r = turn_page(filter, token);
    if (r == 0)
        r = ask_for_page(filter);
    if (r == -ELOOP)
        filter_fail(filter, AWS_ERROR_MALFORMED, "nextToken goes in circles");
    else if (r < 0)
        filter_fail(filter, AWS_ERROR_TRANSIENT, "out of memory");
}

static void page_came(void *userdata, const struct aws_error *error, struct json_object *body)
{
    struct logs_filter *filter = userdata;
    struct json_object *events;

    filter->call = NULL;
    if (error->kind != AWS_OK) {
        filter->result.error = *error;
        filter_end(filter);
        return;
    }
    if (filter->result.n_pages++ == 0)
        filter->result.sent = aws_answer_sent(filter->aws);
    if (json_get_array(body, "events", &events) < 0) {
        filter_fail(filter, AWS_ERROR_MALFORMED, "an answer without a list of events");
        return;
    }
    filter->is_reading = true;
    enum reading reading = read_events(filter, events);
    filter->is_reading = false;

    switch (reading) {
    case READ_ALL:
        page_read(filter, body);
        break;
    case READ_ENOUGH:
        filter_end(filter);
        break;
    case READ_CANCELLED:
        filter_free(filter);
        break;
    case READ_MALFORMED:
        filter_fail(filter, AWS_ERROR_MALFORMED,
                    "an event whose timestamp, message or names are missing or of a wrong type");
        break;
    }
}

static int filter_parameters(const struct logs_filter_request *request, struct json_object **ret)
{
    _cleanup_json_ struct json_object *parameters = json_object_new_object();
    if (!parameters)
        return -ENOMEM;

    int r = json_add(parameters,
                     logs_is_arn(request->log_group) ? "logGroupIdentifier" : "logGroupName",
                     logs_identifier(request->log_group));
    if (r < 0)
        return r;
    int64_t start_ms = request->start.ms > 0 ? request->start.ms : 0;
    r = json_add(parameters, "startTime", json_object_new_int64(start_ms));
    if (r < 0)
        return r;
    if (request->filter_pattern) {
        r = json_add(parameters, "filterPattern", json_object_new_string(request->filter_pattern));
        if (r < 0)
            return r;
    }
    *ret = TAKE(parameters);
    return 0;
}

int logs_filter_log_events(struct aws *aws, const struct logs_filter_request *request,
                           logs_event_fn *event, logs_filter_done_fn *done, void *userdata,
                           struct logs_filter **ret)
{
    _cleanup_(filter_free) struct logs_filter *filter = calloc(1, sizeof(*filter));
    if (!filter)
        return -ENOMEM;
    *filter = (struct logs_filter){
        .aws = aws,
        .priority = request->priority,
        .result.sent = MONO_NEVER,
        .event = event,
        .done = done,
        .userdata = userdata,
    };
    int r = filter_parameters(request, &filter->parameters);
    if (r < 0)
        return r;
    r = ask_for_page(filter);
    if (r < 0)
        return r;
    *ret = TAKE(filter);
    return 0;
}

void logs_filter_cancel(struct logs_filter *filter)
{
    if (filter->is_reading) {
        filter->is_cancelled = true; /* page_came() lies below on the stack, and sees to it */
        return;
    }
    aws_call_cancel(filter->call);
    filter_free(filter);
}
