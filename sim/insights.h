/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_INSIGHTS_H
#define PROVISIONERD_SIM_INSIGHTS_H

/*
 * Logs Insights QL, the part that a question about activity needs. Source: Amazon CloudWatch Logs
 * User Guide, "CloudWatch Logs Insights language query syntax".
 *
 *   fields @timestamp, @message as text | display ... | limit N
 *   filter CONDITION                 = != < <= > >=, like "x", like 'x', like /re/, =~ /re/,
 *                                    not like, in [...], and, or, not, parentheses, ispresent(f),
 *                                    isempty(f)
 *   sort FIELD asc|desc              one field; without it, newest first
 *   stats count(*) [as NAME] [by FIELD, bin(5m)]
 *
 * Fields: @timestamp, @ingestionTime, @message, @logStream, @log, @ptr, and the members of messages
 * that are JSON ("user.name"). Anything else is malformed here, though AWS knows more.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct insights_query;

/* A record as the language sees it. */
struct insights_record {
    int64_t timestamp_ms, ingestion_ms;
    const char *message;
    const char *log_stream;
    const char *log; /* "123456789012:/ecs/gateway" */
    uint64_t id;     /* @ptr is made of it */
};

/* Returns 0; -EINVAL with *ret_error (allocated) and where in the text (*ret_at) the trouble is; or
 * -ENOMEM. */
int insights_query_new(const char *text, struct insights_query **ret, char **ret_error,
                       size_t *ret_at);
struct insights_query *insights_query_free(struct insights_query *query);

/* Rows are gathered record by record. limit: of the call; the query's own may be less. */
struct insights_run;
int insights_run_new(const struct insights_query *query, int64_t limit, struct insights_run **ret);
struct insights_run *insights_run_free(struct insights_run *run);

/* Returns 1 if the record matched the filters, 0 if not, or -ENOMEM. Copies what it keeps. */
int insights_run_take(struct insights_run *run, const struct insights_record *record);

/* The array of rows, each an array of {"field", "value"}. Sorts; call it once, at the end. */
int insights_run_rows(struct insights_run *run, struct json_object **ret);

#endif
