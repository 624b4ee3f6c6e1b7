/* SPDX-License-Identifier: MIT */

#include "tests/fuzz/pattern_world.h"

#include "sim/filter_pattern.h"
#include "sim/insights.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_filter_lets_through(const char *filter, const char *message)
{
    struct filter_pattern *compiled = NULL;

    if (!filter)
        return true;
    if (filter_pattern_new(filter, &compiled) != 0)
        fprintf(stderr, "refused: %s\n", filter);
    MUST(compiled);
    bool matches = filter_pattern_matches(compiled, message);
    filter_pattern_free(compiled);
    return matches;
}

bool fuzz_query_finds(const char *query, const char *message)
{
    const struct insights_record record = {
        .timestamp_ms = INT64_C(1772374805000),
        .ingestion_ms = INT64_C(1772374807000),
        .message = message,
        .log_stream = "gateway/1",
        .log = "123456789012:/ecs/gateway",
        .id = 1,
    };
    struct insights_query *compiled = NULL;
    struct insights_run *run = NULL;
    char *error = NULL;
    size_t at = 0;

    if (insights_query_new(query, &compiled, &error, &at) != 0)
        fprintf(stderr, "refused: %s\n%s at %zu\n", query, error ? error : "?", at);
    MUST(compiled);
    MUST(insights_run_new(compiled, 10, &run) == 0);
    int r = insights_run_take(run, &record);
    MUST(r == 0 || r == 1);
    insights_run_free(run);
    insights_query_free(compiled);
    return r == 1;
}
