/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/doctor.h"
#include "json.h"
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

/* The query was refused because of some of its log groups: which? A second of log is as good as none to
 * be billed, and the query that is permitted is left to end by itself. */
static int find_denied(struct doctor *doctor, const struct config_environment *environment)
{
    int64_t now_s = aws_now(doctor->session.connection.aws).ms / MS_PER_SECOND;

    for (size_t i = 0; i < environment->n_log_groups && !doctor->is_cut_off; i++) {
        struct answer answer;
        char resource[DOCTOR_ARN_MAX];
        const char *group = environment->log_groups[i];
        bool is_arn = strncmp(group, "arn:", 4) == 0;
        struct json_object *parameters = doctor_parameters("queryString", "limit 1", NULL);
        if (!parameters)
            return -ENOMEM;
        int r = json_add(parameters, "startTime", json_object_new_int64(now_s));
        if (r == 0)
            r = json_add(parameters, "endTime", json_object_new_int64(now_s));
        if (r == 0)
            r = doctor_add_strings(parameters, is_arn ? "logGroupIdentifiers" : "logGroupNames",
                                   &group, 1);
        if (r < 0) {
            json_object_put(parameters);
            return r;
        }
        r = doctor_ask(doctor, LOGS_START_QUERY, parameters, &answer);
        if (r < 0)
            return r;
        doctor_log_group_arn(doctor, group, resource);
        if (answer.error.kind == AWS_ERROR_DENIED)
            doctor_tell_denied(doctor, environment->name, LOGS_START_QUERY, resource,
                               &answer.error);
        answer_clear(&answer);
    }
    return 0;
}

static int tell_error(struct doctor *doctor, const struct config_environment *environment,
                      const struct query *query)
{
    const struct aws_error *error = &query->result.error;

    if (query->was_started) {
        tell_started(doctor, environment);
        if (error->kind == AWS_ERROR_DENIED)
            doctor_tell_denied(doctor, environment->name, LOGS_GET_QUERY_RESULTS, "*", error);
        else
            doctor_tell_error(doctor, environment->name, "query", LOGS_GET_QUERY_RESULTS, error);
        return 0;
    }
    if (error->kind == AWS_ERROR_DENIED)
        return find_denied(doctor, environment);
    doctor_tell_error(doctor, environment->name, "query", LOGS_START_QUERY, error);
    return 0;
}

static void tell_complete(struct doctor *doctor, const struct config_environment *environment,
                          const struct logs_query_result *result, double *ret_bytes_per_hour)
{
    char span[DURATION_TEXT_MAX];

    tell_started(doctor, environment);
    duration_format(SPAN_MS, span);
    if (result->has_statistics) {
        findings_add(doctor->findings, environment->name, "query", FINDING_OK,
                     "Logs Insights ran the daemon's query over the last %s: %.0f records, %.1f MB "
                     "scanned",
                     span, result->records_scanned, result->bytes_scanned / 1e6);
        *ret_bytes_per_hour = result->bytes_scanned * (double)MS_PER_HOUR / (double)SPAN_MS;
    } else {
        findings_add(doctor->findings, environment->name, "query", FINDING_OK,
                     "Logs Insights ran the daemon's query over the last %s, and does not say how "
                     "much it scanned",
                     span);
    }
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
        return tell_error(doctor, environment, &query);
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
