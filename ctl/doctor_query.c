/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "ctl/doctor.h"
#include "logs.h"

/*
 * A query as the daemon makes it, over a shorter time: it shows that StartQuery is permitted, that the
 * query is one that Logs Insights understands, and how much it scans, which is what is billed.
 */

#define SPAN_MS (10 * MS_PER_MINUTE)
#define TIMEOUT_MS (2 * MS_PER_MINUTE)

struct query {
    struct session *session;
    struct logs_query_result result; /* without its texts */
    char status[32];
    bool was_started;
};

static void query_done(void *userdata, const struct logs_query_result *result)
{
    struct query *query = userdata;

    query->result = *result;
    snprintf(query->status, sizeof(query->status), "%s", result->status);
    query->was_started = *result->query_id;
    query->result.status = query->result.query_id = query->result.row_message = "";
    query->session->is_done = true;
}

/* Runs it to its end. Returns 0 or a negative errno. */
static int run(struct doctor *doctor, const struct config_environment *environment,
               struct query *query)
{
    struct wall now = aws_now(doctor->session.connection.aws);
    const struct logs_query_request request = {
        .log_groups = (const char *const *)environment->log_groups,
        .n_log_groups = environment->n_log_groups,
        .query = pattern_query(environment->pattern),
        .start = wall_add(now, -SPAN_MS),
        .end = now,
        .timeout_ms = TIMEOUT_MS,
    };
    struct logs_query *handle;

    query->session->is_done = query->session->is_interrupted;
    int r = logs_query_run(doctor->session.connection.aws, &request, query_done, query, &handle);
    if (r < 0)
        return r;
    r = loop_run_until(query->session->loop, &query->session->is_done);
    if (r < 0 || query->session->is_interrupted) {
        logs_query_cancel(handle);
        doctor->is_cut_off = true;
    }
    return r;
}

static void tell_started(struct doctor *doctor, const struct config_environment *environment)
{
    findings_add(doctor->findings, environment->name, "permission", FINDING_OK,
                 "logs:StartQuery on all its log groups is permitted");
}

static void tell_error(struct doctor *doctor, const struct config_environment *environment,
                       const struct query *query)
{
    enum aws_operation operation = query->was_started ? LOGS_GET_QUERY_RESULTS : LOGS_START_QUERY;
    const struct aws_error *error = &query->result.error;
    char resource[DOCTOR_ARN_MAX] = "*";

    if (query->was_started)
        tell_started(doctor, environment);
    else /* AWS's words name the log group, if there are several */
        doctor_log_group_arn(doctor, environment->log_groups[0], resource);
    if (error->kind == AWS_ERROR_DENIED)
        doctor_tell_denied(doctor, environment->name, operation, resource, error);
    else
        doctor_tell_error(doctor, environment->name, "query", operation, error);
}

static void tell_complete(struct doctor *doctor, const struct config_environment *environment,
                          const struct logs_query_result *result, double *ret_bytes_per_hour)
{
    char span[DURATION_TEXT_MAX];

    tell_started(doctor, environment);
    findings_add(doctor->findings, environment->name, "query", FINDING_OK,
                 "Logs Insights ran the daemon's query over the last %s: %.0f records, %.1f MB "
                 "scanned",
                 duration_format(SPAN_MS, span), result->records_scanned,
                 result->bytes_scanned / 1e6);
    if (result->has_statistics)
        *ret_bytes_per_hour = result->bytes_scanned * (double)MS_PER_HOUR / (double)SPAN_MS;
}

int doctor_check_query(struct doctor *doctor, const struct config_environment *environment,
                       double *ret_bytes_per_hour)
{
    struct query query = {.session = &doctor->session};
    int r = run(doctor, environment, &query);

    *ret_bytes_per_hour = -1;
    if (r < 0 || doctor->is_cut_off)
        return r;
    switch (query.result.outcome) {
    case LOGS_QUERY_COMPLETE:
    case LOGS_QUERY_MATCHED:
        tell_complete(doctor, environment, &query.result, ret_bytes_per_hour);
        break;
    case LOGS_QUERY_ERROR:
        tell_error(doctor, environment, &query);
        break;
    case LOGS_QUERY_ENDED:
    case LOGS_QUERY_GAVE_UP:
        tell_started(doctor, environment);
        findings_add(doctor->findings, environment->name, "query", FINDING_UNKNOWN,
                     "the daemon's query did not complete: status %s; it would not put the "
                     "environment to sleep on that",
                     query.status);
        break;
    }
    return 0;
}
