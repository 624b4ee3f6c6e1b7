/* SPDX-License-Identifier: MIT */
/* Answers to GetQueryResults, one poll after the other. */

#include <string.h>

#include "tests/fuzz/json_oracle.h"
#include "tests/fuzz/query_world.h"

FUZZ_AWS_IS_REAL

/* Rows, each a list of {"field": TEXT, "value": TEXT}. The number, or -1: no such thing. */
static int64_t rows_of(struct json_object *answer)
{
    struct json_object *rows = oracle_array(answer, "results");

    if (!rows)
        return -1;
    size_t n = json_object_array_length(rows);
    for (size_t i = 0; i < n; i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        if (!json_object_is_type(row, json_type_array))
            return -1;
        for (size_t cell = 0; cell < json_object_array_length(row); cell++) {
            struct json_object *pair = json_object_array_get_idx(row, cell);
            if (!oracle_string(pair, "field") || !oracle_string(pair, "value"))
                return -1;
        }
    }
    return (int64_t)n;
}

static double matched_of(struct json_object *answer)
{
    struct json_object *statistics = NULL, *matched = NULL;

    if (json_object_object_get_ex(answer, "statistics", &statistics) &&
        json_object_is_type(statistics, json_type_object))
        json_object_object_get_ex(statistics, "recordsMatched", &matched);
    return json_object_get_double(matched);
}

/* Idleness is a fact only if all of the last answer says so. */
static void check_complete(struct json_object *answer, const struct fuzz_query *query)
{
    const char *status = oracle_string(answer, "status");

    MUST(status && strcmp(status, "Complete") == 0);
    MUST(rows_of(answer) == (int64_t)query->result.n_rows);
    MUST(query->result.n_rows > 0 || !(matched_of(answer) > 0));
    const char *token = oracle_string(answer, "nextToken");
    MUST(query->result.n_rows > 0 || oracle_is_absent(answer, "nextToken") || (token && !*token));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct fuzz_query query;
    struct fuzz_aws world;

    if (!data)
        return 0;
    fuzz_aws_open(&world);
    fuzz_aws_answers(&world, "GetQueryResults", &input);
    fake_http_answer_always(world.http, "StartQuery", "{\"queryId\":\"q-1\"}");
    fuzz_query_run(&world, &query);

    size_t n_polls = fake_http_n_requests_of(world.http, "GetQueryResults");
    struct json_object *answer = n_polls ? fuzz_aws_document(&world, n_polls - 1) : NULL;
    if (query.result.outcome == LOGS_QUERY_COMPLETE)
        check_complete(answer, &query);
    else if (query.result.outcome == LOGS_QUERY_MATCHED)
        MUST(rows_of(answer) == (int64_t)query.result.n_rows);
    json_object_put(answer);
    fuzz_aws_close(&world);
    return 0;
}
