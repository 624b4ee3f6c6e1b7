/* SPDX-License-Identifier: MIT */
/* The judges of the other two must be sound themselves: any filter pattern, any query, any message. */

#include <errno.h>
#include <string.h>

#include "sim/filter_pattern.h"
#include "sim/insights.h"
#include "tests/fuzz/fuzz.h"

static void run_filter(const char *text, const char *message)
{
    struct filter_pattern *pattern = NULL;
    int r = filter_pattern_new(text, &pattern);

    MUST(r == 0 || r == -EINVAL);
    if (r == 0)
        (void)filter_pattern_matches(pattern, message);
    filter_pattern_free(pattern);
}

static void run_query(const char *text, const char *message)
{
    const struct insights_record record = {
        .timestamp_ms = INT64_C(1772374805000),
        .ingestion_ms = INT64_C(1772374807000),
        .message = message,
        .log_stream = "gateway/1",
        .log = "123456789012:/ecs/gateway",
        .id = 1,
    };
    struct insights_query *query = NULL;
    struct insights_run *run = NULL;
    struct json_object *rows = NULL;
    char *error = NULL;
    size_t at = 0;
    int r = insights_query_new(text, &query, &error, &at);

    MUST(r == 0 || r == -EINVAL);
    if (r < 0) {
        MUST(error && at <= strlen(text));
        free(error);
        return;
    }
    MUST(insights_run_new(query, 10, &run) == 0);
    int matched = insights_run_take(run, &record);
    MUST(matched == 0 || matched == 1);
    MUST(insights_run_take(run, &record) == matched);
    MUST(insights_run_rows(run, &rows) == 0);
    MUST(json_object_is_type(rows, json_type_array) && json_object_array_length(rows) <= 10);
    json_object_put(rows);
    insights_run_free(run);
    insights_query_free(query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *filter = fuzz_take_text(&input);
    char *query = fuzz_take_text(&input);
    char *message = fuzz_take_text(&input);

    run_filter(filter, message);
    run_query(query, message);
    free(filter);
    free(query);
    free(message);
    return 0;
}
