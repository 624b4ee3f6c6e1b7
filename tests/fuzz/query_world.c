/* SPDX-License-Identifier: MIT */

#include "tests/fuzz/query_world.h"

#include <string.h>

#define TIMEOUT_MS (30 * MS_PER_SECOND)

static void done(void *userdata, const struct logs_query_result *result)
{
    struct fuzz_query *query = userdata;

    query->n_done++;
    query->result = *result;
    MUST(result->status && strlen(result->status) < sizeof(query->status));
    MUST(result->query_id && strlen(result->query_id) < sizeof(query->query_id));
    MUST(result->row_message);
    strcpy(query->status, result->status);
    strcpy(query->query_id, result->query_id);
}

static bool is_over(const char *status)
{
    static const char *const OVER[] = {"Complete", "Failed", "Cancelled", "Timeout"};

    for (size_t i = 0; i < sizeof(OVER) / sizeof(OVER[0]); i++)
        if (strcmp(status, OVER[i]) == 0)
            return true;
    return false;
}

/* A query that may still run at AWS is stopped, one that is over is not, each at most once. */
static void check_stopped(struct fuzz_aws *world, const struct fuzz_query *query)
{
    size_t n_stopped = fake_http_n_requests_of(world->http, "StopQuery");

    MUST(n_stopped <= 1);
    if (query->result.outcome == LOGS_QUERY_COMPLETE || query->result.outcome == LOGS_QUERY_ENDED)
        MUST(n_stopped == (is_over(query->status) ? 0 : 1));
    else if (query->result.outcome == LOGS_QUERY_GAVE_UP && query->query_id[0])
        MUST(n_stopped == 1);
}

void fuzz_query_run(struct fuzz_aws *world, struct fuzz_query *query)
{
    static const char *const LOG_GROUPS[] = {"/ecs/gateway", "/ecs/api"};
    const struct logs_query_request request = {
        .log_groups = LOG_GROUPS,
        .n_log_groups = 2,
        .query = "fields @timestamp, @message | filter @message like \"/api/\" | limit 1",
        .start = wall_add(VIRTUAL_LOOP_START, -MS_PER_HOUR),
        .end = VIRTUAL_LOOP_START,
        .timeout_ms = TIMEOUT_MS,
    };
    struct logs_query *handle;

    *query = (struct fuzz_query){0};
    fake_http_answer_always(world->http, "StopQuery", "{\"success\":true}");
    MUST(logs_query_run(world->aws, &request, done, query, &handle) == 0);
    fuzz_aws_run(world);

    MUST(query->n_done == 1);
    MUST((query->result.outcome == LOGS_QUERY_ERROR) == (query->result.error.kind != AWS_OK));
    MUST(query->result.outcome != LOGS_QUERY_MATCHED || query->result.n_rows > 0);
    MUST(query->result.n_rows > 0 || !wall_is_set(query->result.row_timestamp));
    check_stopped(world, query);
}
