/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_LOGS_H
#define PROVISIONERD_LOGS_H

/*
 * CloudWatch Logs, as typed operations with their paging and life cycles inside.
 * Source: Amazon CloudWatch Logs API Reference. Times are struct wall here; the API's milliseconds
 * (FilterLogEvents) and seconds (StartQuery) do not leave logs.c.
 *
 * Each callback `done` comes exactly once, from the loop; not at all after the cancel. Handles are
 * invalid from the moment `done` is entered. Everything passed to callbacks is borrowed.
 */

#include "aws.h"

struct logs_filter;
struct logs_query;

/* A search goes through at most so many pages: at the rate that is granted, that is minutes. */
#define LOGS_FILTER_PAGES_MAX 1000

/* FilterLogEvents. A search follows nextToken through empty pages to its end. Events are delivered
 * as their page is read: what has been delivered stands even if the search fails later. */
struct logs_filter_request {
    const char *log_group;      /* name, or ARN */
    const char *filter_pattern; /* NULL: every event */
    struct wall start;          /* inclusive; the end is open */
    enum aws_priority priority;
};

struct logs_event {
    struct wall timestamp;
    struct wall ingestion; /* WALL_NEVER if AWS did not say */
    const char *event_id;  /* "" if AWS did not say */
    const char *log_stream;
    const char *message;
};

/* Returns false: enough seen, no further page (the search then counts as not exhausted); what else
 * this page holds is still delivered, for it may be newer. May cancel the search instead. */
typedef bool logs_event_fn(void *userdata, const struct logs_event *event);

struct logs_filter_result {
    struct aws_error error; /* AWS_OK: all that was read is good */
    bool exhausted;         /* the search came to its end: absence of a match is a fact.
                               Never with an error, never when stopped early or at the page limit */
    struct mono sent;       /* when the request left that the first page answers; what came after
                               that moment may be missing. MONO_NEVER: no page came */
    size_t n_pages;
    size_t n_events;
};

typedef void logs_filter_done_fn(void *userdata, const struct logs_filter_result *result);

/* Returns 0 or -ENOMEM; then no callback comes. Copies the request. */
int logs_filter_log_events(struct aws *aws, const struct logs_filter_request *request,
                           logs_event_fn *event, logs_filter_done_fn *done, void *userdata,
                           struct logs_filter **ret);
void logs_filter_cancel(struct logs_filter *filter);

/* A Logs Insights query: StartQuery, GetQueryResults until it ends, StopQuery when given up. A query
 * that AWS may still be running when its owner hears the result, or cancels, gets a StopQuery whose
 * answer nobody waits for: also when the cancel came before AWS had told its id. */
struct logs_query_request {
    const char *const *log_groups;
    size_t n_log_groups; /* 1 to 50 */
    const char *query;   /* must give rows of @timestamp, @message */
    struct wall start;   /* rounded down to the second */
    struct wall end;     /* rounded up; inclusive */
    int64_t timeout_ms;  /* from the start to the end of the query */
};

enum logs_query_outcome {
    LOGS_QUERY_COMPLETE, /* status Complete, all read: rows and absence of rows are facts */
    LOGS_QUERY_MATCHED,  /* rows were seen without status Complete: a match is a fact, and nothing
                           else; the query was stopped */
    LOGS_QUERY_ENDED,    /* Failed, Cancelled, Timeout, Unknown: `status` says which */
    LOGS_QUERY_GAVE_UP,  /* still running after timeout_ms; stopped */
    LOGS_QUERY_ERROR,    /* a call failed, or an answer was malformed: see error */
};

struct logs_query_result {
    enum logs_query_outcome outcome;
    struct aws_error error;
    const char *status;   /* AWS's word for the last status; "" if none came */
    const char *query_id; /* "" if none came */
    size_t n_rows;
    struct wall row_timestamp; /* of the newest row; WALL_NEVER if there is none or it has none */
    const char *row_message;   /* of that row; "" if none */
    bool has_statistics;
    double records_matched;
    double records_scanned;
    double bytes_scanned;
};

typedef void logs_query_done_fn(void *userdata, const struct logs_query_result *result);

/* Returns 0, -EINVAL (log groups none or too many, no time) or -ENOMEM; then no callback comes. */
int logs_query_run(struct aws *aws, const struct logs_query_request *request,
                   logs_query_done_fn *done, void *userdata, struct logs_query **ret);

/* Also sends StopQuery for it, without waiting for the answer (see aws_calls_pending()). */
void logs_query_cancel(struct logs_query *query);

#endif
