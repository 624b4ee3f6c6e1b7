/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "logs.h"
#include "logs_internal.h"

/* StartQuery takes so many log groups (API reference); and so long is a query's id at most. */
#define LOG_GROUPS_MAX 50
#define QUERY_ID_LENGTH_MAX 256

/* Rows asked for. One would do; a few more let a person see what it was. */
#define ROWS_ASKED_FOR 10

/* Most queries are over within seconds; one that is not is asked after less often. */
#define POLL_FIRST_MS (1 * MS_PER_SECOND)
#define POLL_LONGEST_MS (5 * MS_PER_SECOND)

/* GetQueryResults may not know a query that StartQuery has just named: reads are eventually
 * consistent. */
#define NOT_FOUND_GRACE_MS (30 * MS_PER_SECOND)

/* Each has been retried by aws.c already. The query meanwhile goes on, and is paid for. */
#define POLL_FAILURES_MAX 3

enum query_status {
    QUERY_UNDER_WAY, /* Scheduled, Running */
    QUERY_COMPLETE,
    QUERY_ENDED,   /* Failed, Cancelled, Timeout */
    QUERY_UNKNOWN, /* Unknown: not an end that one could rely on, but nothing to wait for */
};

struct logs_query {
    struct aws *aws;
    logs_query_done_fn *done;
    void *userdata;
    char *id;                 /* NULL until StartQuery has answered */
    struct aws_call *call;    /* StartQuery or GetQueryResults under way, or NULL */
    struct loop_timer *timer; /* the next poll, or the deadline */
    struct mono deadline;
    struct mono started;
    int64_t poll_interval_ms;
    int n_failures; /* of polls, in a row */
    char status[16];
};

/* ---- StopQuery, whose answer nobody waits for ---- */

static void stop_answered(void *userdata, const struct aws_error *error, struct json_object *body)
{
    (void)userdata;
    (void)body;
    /* A query that has ended in the meantime is an error to StopQuery, and none to us. */
    if (error->kind == AWS_ERROR_DENIED)
        log_warning("StopQuery is denied, so given-up queries go on to their end at your cost; "
                    "allow logs:StopQuery: %s",
                    error->message);
    else if (error->kind != AWS_OK)
        log_debug("StopQuery: %s: %s", error->code, error->message);
}

static void stop_query(struct aws *aws, const char *id)
{
    _cleanup_json_ struct json_object *parameters = json_object_new_object();
    struct aws_call *call;

    if (!parameters || json_add(parameters, "queryId", json_object_new_string(id)) < 0 ||
        aws_call(aws, LOGS_STOP_QUERY, AWS_ROUTINE, parameters, stop_answered, NULL, &call) < 0)
        log_warning("no memory to stop query %s, which goes on to its end", id);
}

/* The id that StartQuery gave. Returns false if the answer is not what the model says. */
static bool read_query_id(struct json_object *body, const char **ret)
{
    return json_get_string(body, "queryId", ret) == 0 && **ret != '\0' &&
           strlen(*ret) <= QUERY_ID_LENGTH_MAX;
}

/* StartQuery answers when the query is no longer wanted. */
static void unwanted_query_started(void *userdata, const struct aws_error *error,
                                   struct json_object *body)
{
    const char *id;

    if (error->kind == AWS_OK && read_query_id(body, &id))
        stop_query(userdata, id);
}

/* ---- the end ---- */

static struct logs_query *query_free(struct logs_query *query)
{
    if (!query)
        return NULL;
    loop_timer_free(query->timer);
    free(query->id);
    free(query);
    return NULL;
}

DEFINE_CLEANUP(struct logs_query *, query_free)

/* Whatever AWS may still be doing for it comes to an end. */
static void query_abandon(struct logs_query *query)
{
    if (query->id) {
        if (query->call)
            aws_call_cancel(TAKE(query->call));
        stop_query(query->aws, query->id);
    } else if (query->call) {
        aws_call_redirect(TAKE(query->call), unwanted_query_started, query->aws);
    }
}

void logs_query_cancel(struct logs_query *query)
{
    query_abandon(query);
    query_free(query);
}

/* Borrows what result points to; fills in what it does not say. */
static void query_end(struct logs_query *query, struct logs_query_result *result)
{
    logs_query_done_fn *done = query->done;
    void *userdata = query->userdata;
    _cleanup_free_ char *id = TAKE(query->id);
    char status[sizeof(query->status)];

    memcpy(status, query->status, sizeof(status));
    result->status = status;
    result->query_id = id ? id : "";
    if (!result->row_message)
        result->row_message = "";
    if (result->n_rows == 0)
        result->row_timestamp = WALL_NEVER;
    query_free(query);
    done(userdata, result);
}

static void query_fail(struct logs_query *query, const struct aws_error *error)
{
    struct logs_query_result result = {.outcome = LOGS_QUERY_ERROR, .error = *error};

    query_abandon(query);
    query_end(query, &result);
}

static void query_fail_with(struct logs_query *query, enum aws_error_kind kind, const char *why)
{
    struct aws_error error;

    aws_error_set(&error, kind, "%s", why);
    query_fail(query, &error);
}

static void query_give_up(struct logs_query *query)
{
    struct logs_query_result result = {.outcome = LOGS_QUERY_GAVE_UP};

    query_abandon(query);
    query_end(query, &result);
}

/* ---- reading results ---- */

/* "2026-03-01 14:20:05.123", in UTC. WALL_NEVER if it is something else: the row is one anyway. */
static struct wall parse_row_timestamp(const char *text)
{
    char iso[WALL_TEXT_MAX];
    struct wall moment;
    size_t length = strlen(text);

    if (length < strlen("YYYY-MM-DD hh:mm:ss") || length > sizeof(iso) - 2 || text[10] != ' ')
        return WALL_NEVER;
    memcpy(iso, text, length);
    iso[10] = 'T';
    iso[length] = 'Z';
    iso[length + 1] = '\0';
    return wall_parse_iso(iso, &moment) == 0 ? moment : WALL_NEVER;
}

/* A row is a list of {"field": ..., "value": ...}. Returns false if it is something else. */
static bool read_row(struct json_object *row, struct wall *ret_timestamp, const char **ret_message)
{
    *ret_timestamp = WALL_NEVER;
    *ret_message = "";
    if (!json_object_is_type(row, json_type_array))
        return false;
    size_t n = json_object_array_length(row);
    for (size_t i = 0; i < n; i++) {
        struct json_object *cell = json_object_array_get_idx(row, i);
        const char *field;
        const char *value;
        if (json_get_string(cell, "field", &field) < 0 ||
            json_get_string(cell, "value", &value) < 0)
            return false;
        if (strcmp(field, "@timestamp") == 0)
            *ret_timestamp = parse_row_timestamp(value);
        else if (strcmp(field, "@message") == 0)
            *ret_message = value;
    }
    return true;
}

static bool read_rows(struct json_object *rows, struct logs_query_result *result)
{
    size_t n = json_object_array_length(rows);

    result->row_timestamp = WALL_NEVER;
    for (size_t i = 0; i < n; i++) {
        struct wall timestamp;
        const char *message;
        if (!read_row(json_object_array_get_idx(rows, i), &timestamp, &message))
            return false;
        if (i == 0 || timestamp.ms > result->row_timestamp.ms) {
            result->row_timestamp = timestamp;
            result->row_message = message;
        }
    }
    result->n_rows = n;
    return true;
}

static bool read_count(struct json_object *statistics, const char *name, double *ret,
                       bool *ret_is_there)
{
    int r = json_get_double(statistics, name, ret);
    *ret_is_there = r == 0;
    return r == -ENOENT || (r == 0 && isfinite(*ret) && *ret >= 0);
}

/* Missing ones are as good as none; those of a wrong type are not. */
static bool read_statistics(struct json_object *body, struct logs_query_result *result)
{
    struct json_object *statistics;
    bool has_matched;
    bool has_scanned;
    bool has_bytes;
    int r = json_get_object(body, "statistics", &statistics);

    if (r == -ENOENT)
        return true;
    if (r < 0 ||
        !read_count(statistics, "recordsMatched", &result->records_matched, &has_matched) ||
        !read_count(statistics, "recordsScanned", &result->records_scanned, &has_scanned) ||
        !read_count(statistics, "bytesScanned", &result->bytes_scanned, &has_bytes))
        return false;
    result->has_statistics = has_matched && has_scanned;
    return true;
}

static bool read_status(struct json_object *body, const char **ret_word, enum query_status *ret)
{
    static const struct {
        const char *word;
        enum query_status status;
    } WORDS[] = {
        {"Scheduled", QUERY_UNDER_WAY}, {"Running", QUERY_UNDER_WAY}, {"Complete", QUERY_COMPLETE},
        {"Failed", QUERY_ENDED},        {"Cancelled", QUERY_ENDED},   {"Timeout", QUERY_ENDED},
        {"Unknown", QUERY_UNKNOWN},
    };

    if (json_get_string(body, "status", ret_word) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(WORDS); i++)
        if (strcmp(*ret_word, WORDS[i].word) == 0) {
            *ret = WORDS[i].status;
            return true;
        }
    return false;
}

/* That there is nothing is a fact only if nothing speaks against it. NULL: nothing does. */
static const char *contradiction(struct json_object *body, const struct logs_query_result *result)
{
    const char *token;
    int r = json_get_string(body, "nextToken", &token);

    if (result->n_rows > 0)
        return NULL;
    if (r != -ENOENT && !(r == 0 && *token == '\0'))
        return "GetQueryResults: Complete, no rows, and yet another page";
    if (result->records_matched > 0)
        return "GetQueryResults: Complete, no rows, and yet recordsMatched is not 0";
    return NULL;
}

/* ---- the life of a query ---- */

static void query_wait(struct logs_query *query)
{
    struct mono next = mono_add(loop_mono(aws_loop(query->aws)), query->poll_interval_ms);

    loop_timer_at(query->timer, mono_min(next, query->deadline));
    query->poll_interval_ms += query->poll_interval_ms / 2;
    if (query->poll_interval_ms > POLL_LONGEST_MS)
        query->poll_interval_ms = POLL_LONGEST_MS;
}

static void results_are_malformed(struct logs_query *query)
{
    query_fail_with(
        query, AWS_ERROR_MALFORMED,
        "GetQueryResults: status, results or statistics are missing or of a wrong type");
}

/* Status Complete: nothing is left to stop. */
static void query_completed(struct logs_query *query, struct json_object *body,
                            struct logs_query_result *result)
{
    const char *against = contradiction(body, result);

    result->outcome = LOGS_QUERY_COMPLETE;
    if (against) {
        *result = (struct logs_query_result){.outcome = LOGS_QUERY_ERROR};
        aws_error_set(&result->error, AWS_ERROR_MALFORMED, "%s", against);
    }
    query_end(query, result);
}

static void results_came(struct logs_query *query, struct json_object *body)
{
    struct logs_query_result result = {0};
    struct json_object *rows;
    enum query_status status;
    const char *word;

    if (!read_status(body, &word, &status)) {
        results_are_malformed(query);
        return;
    }
    strncpy(query->status, word, sizeof(query->status) - 1);

    int r = json_get_array(body, "results", &rows);
    bool may_be_missing = status != QUERY_COMPLETE;
    if ((r < 0 && !(r == -ENOENT && may_be_missing)) || (r == 0 && !read_rows(rows, &result)) ||
        !read_statistics(body, &result)) {
        results_are_malformed(query);
        return;
    }

    if (status == QUERY_COMPLETE) {
        query_completed(query, body, &result);
    } else if (result.n_rows == 0 && status == QUERY_UNDER_WAY) {
        query_wait(query);
    } else {
        result.outcome = result.n_rows > 0 ? LOGS_QUERY_MATCHED : LOGS_QUERY_ENDED;
        if (status != QUERY_ENDED)
            query_abandon(query);
        query_end(query, &result);
    }
}

static void poll_failed(struct logs_query *query, const struct aws_error *error)
{
    int64_t age_ms = mono_since(loop_mono(aws_loop(query->aws)), query->started);
    bool is_too_new = error->kind == AWS_ERROR_NOT_FOUND && age_ms < NOT_FOUND_GRACE_MS;
    bool may_pass = aws_error_is_retryable(error) && ++query->n_failures < POLL_FAILURES_MAX;

    if (is_too_new || may_pass)
        query_wait(query);
    else
        query_fail(query, error);
}

static void poll_answered(void *userdata, const struct aws_error *error, struct json_object *body)
{
    struct logs_query *query = userdata;

    query->call = NULL;
    if (error->kind != AWS_OK) {
        poll_failed(query, error);
        return;
    }
    query->n_failures = 0;
    results_came(query, body);
}

static void query_poll(struct logs_query *query)
{
    _cleanup_json_ struct json_object *parameters = json_object_new_object();

    if (!parameters || json_add(parameters, "queryId", json_object_new_string(query->id)) < 0 ||
        aws_call(query->aws, LOGS_GET_QUERY_RESULTS, AWS_ROUTINE, parameters, poll_answered, query,
                 &query->call) < 0) {
        query_fail_with(query, AWS_ERROR_TRANSIENT, "out of memory");
        return;
    }
    loop_timer_at(query->timer, query->deadline);
}

static void timer_fired(void *userdata)
{
    struct logs_query *query = userdata;

    if (mono_since(loop_mono(aws_loop(query->aws)), query->deadline) >= 0)
        query_give_up(query);
    else
        query_poll(query);
}

static void query_started(void *userdata, const struct aws_error *error, struct json_object *body)
{
    struct logs_query *query = userdata;
    const char *id;

    query->call = NULL;
    if (error->kind != AWS_OK) {
        query_fail(query, error);
        return;
    }
    if (!read_query_id(body, &id)) {
        query_fail_with(query, AWS_ERROR_MALFORMED, "StartQuery: an answer without a queryId");
        return;
    }
    query->id = strdup(id);
    if (!query->id) {
        stop_query(query->aws, id);
        query_fail_with(query, AWS_ERROR_TRANSIENT, "out of memory");
        return;
    }
    query->started = loop_mono(aws_loop(query->aws));
    query_wait(query);
}

static int add_log_groups(struct json_object *parameters, const struct logs_query_request *request)
{
    _cleanup_json_ struct json_object *list = json_object_new_array();
    bool has_arn = false;
    int r = list ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < request->n_log_groups; i++) {
        r = json_append(list, logs_identifier(request->log_groups[i]));
        has_arn |= logs_is_arn(request->log_groups[i]);
    }
    if (r < 0)
        return r;
    /* The identifiers may be names, too; but names alone are understood everywhere. */
    return json_add(parameters, has_arn ? "logGroupIdentifiers" : "logGroupNames", TAKE(list));
}

static int64_t seconds_down(struct wall moment)
{
    return moment.ms > 0 ? moment.ms / MS_PER_SECOND : 0;
}

static int64_t seconds_up(struct wall moment)
{
    return moment.ms > 0 ? (moment.ms + MS_PER_SECOND - 1) / MS_PER_SECOND : 0;
}

static int query_parameters(const struct logs_query_request *request, struct json_object **ret)
{
    _cleanup_json_ struct json_object *parameters = json_object_new_object();
    if (!parameters)
        return -ENOMEM;

    int r = add_log_groups(parameters, request);
    if (r < 0)
        return r;
    if (json_add(parameters, "startTime", json_object_new_int64(seconds_down(request->start))) <
            0 ||
        json_add(parameters, "endTime", json_object_new_int64(seconds_up(request->end))) < 0 ||
        json_add(parameters, "queryString", json_object_new_string(request->query)) < 0 ||
        json_add(parameters, "limit", json_object_new_int(ROWS_ASKED_FOR)) < 0)
        return -ENOMEM;
    *ret = TAKE(parameters);
    return 0;
}

int logs_query_run(struct aws *aws, const struct logs_query_request *request,
                   logs_query_done_fn *done, void *userdata, struct logs_query **ret)
{
    if (request->n_log_groups == 0 || request->n_log_groups > LOG_GROUPS_MAX ||
        request->timeout_ms <= 0)
        return -EINVAL;

    _cleanup_json_ struct json_object *parameters = NULL;
    int r = query_parameters(request, &parameters);
    if (r < 0)
        return r;
    _cleanup_(query_free) struct logs_query *query = calloc(1, sizeof(*query));
    if (!query)
        return -ENOMEM;
    *query = (struct logs_query){
        .aws = aws,
        .done = done,
        .userdata = userdata,
        .deadline = mono_add(loop_mono(aws_loop(aws)), request->timeout_ms),
        .poll_interval_ms = POLL_FIRST_MS,
    };
    r = loop_timer_new(aws_loop(aws), timer_fired, query, &query->timer);
    if (r < 0)
        return -ENOMEM;
    r = aws_call(aws, LOGS_START_QUERY, AWS_ROUTINE, parameters, query_started, query,
                 &query->call);
    if (r < 0)
        return r;
    loop_timer_at(query->timer, query->deadline);
    *ret = TAKE(query);
    return 0;
}
