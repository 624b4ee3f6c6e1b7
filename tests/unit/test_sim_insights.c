/* SPDX-License-Identifier: MIT */

/* Logs Insights' language, evaluated over a handful of records. */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/insights.h"
#include "src/cleanup.h"

/* 2026-03-01T14:20:05Z */
#define BEGIN_MS INT64_C(1772374805000)

static const char *const MESSAGES[] = {
    "GET /api/v1/users 200",
    "GET /health ELB-HealthChecker/2.0 200",
    "POST /api/v1/orders 500",
    "{\"level\":\"error\",\"status\":503,\"user\":{\"name\":\"ann\"},\"a-b\":\"x\",\"empty\":\"\"}",
    "it's \"quoted\" \\ here",
    "get /API/v1/users 404",
};

/* Rows as text: values by '|', rows by a newline, without @ptr. Allocated. */
static char *run(const char *text, int64_t limit)
{
    struct insights_query *query = NULL;
    struct insights_run *run = NULL;
    struct json_object *rows = NULL;
    char *error = NULL, *result = NULL;
    size_t at, size;

    int r = insights_query_new(text, &query, &error, &at);
    if (r < 0)
        print_error("refused: %s: %s\n", text, error);
    assert_int_equal(r, 0);
    assert_int_equal(insights_run_new(query, limit, &run), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(MESSAGES); i++) {
        struct insights_record record = {
            .timestamp_ms = BEGIN_MS + (int64_t)i * 60123,
            .ingestion_ms = BEGIN_MS + (int64_t)i * 60123 + 2000,
            .message = MESSAGES[i],
            .log_stream = i % 2 ? "odd" : "even",
            .log = "123456789012:/ecs/gateway",
            .id = i + 1,
        };
        assert_true(insights_run_take(run, &record) >= 0);
    }
    assert_int_equal(insights_run_rows(run, &rows), 0);

    FILE *out = open_memstream(&result, &size);
    assert_non_null(out);
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        for (size_t j = 0; j < json_object_array_length(row); j++) {
            struct json_object *cell = json_object_array_get_idx(row, j);
            const char *field = json_object_get_string(json_object_object_get(cell, "field"));
            if (strcmp(field, "@ptr") != 0)
                fprintf(out, "%s%s", j > 0 ? "|" : "",
                        json_object_get_string(json_object_object_get(cell, "value")));
        }
        fputc('\n', out);
    }
    fclose(out);
    json_object_put(rows);
    insights_run_free(run);
    insights_query_free(query);
    return result;
}

/* Which of MESSAGES the filter lets through, oldest first: "025". */
static void expect_filter(const char *filter, const char *indices)
{
    char text[512], got[16] = "";
    snprintf(text, sizeof(text), "fields @message | filter %s | sort @timestamp asc", filter);
    char *rows = run(text, 100);
    char *rest = rows;
    for (char *row; (row = strsep(&rest, "\n")) && *row;)
        for (size_t i = 0; i < ARRAY_LENGTH(MESSAGES); i++)
            if (strcmp(row, MESSAGES[i]) == 0)
                snprintf(got + strlen(got), sizeof(got) - strlen(got), "%zu", i);
    free(rows);
    if (strcmp(got, indices) != 0)
        fail_msg("filter %s: got \"%s\", not \"%s\"", filter, got, indices);
}

static void filters(void **state)
{
    static const char *const cases[][2] = {
        {"@message like \"/api/v1/\"", "02"},
        {"@message like '/api/v1/'", "02"},
        {"@message LIKE '/api/v1/'", "02"},
        {"@message like /\\/api\\/v1/", "02"},
        {"@message like /(?i)\\/api\\/v1/", "025"},
        {"@message =~ /[45]\\d\\d$/", "25"},
        {"@message like /^(GET|POST) .*? 200$/", "01"},
        {"@message not like \"HealthChecker\"", "02345"},
        {"not @message like \"HealthChecker\"", "02345"},
        {"@message like \"GET\" and @message not like \"Health\"", "0"},
        {"@message like \"POST\" or @message like \"get\"", "25"},
        {"@message like \"GET\" and (@message like \"users\" or @message like \"health\")", "01"},
        {"@message like \"POST\" or @message like \"GET\" and @message like \"health\"", "12"},
        {"@message like \"it's \\\"quoted\\\" \\\\ here\"", "4"},
        {"@message like 'it\\'s'", "4"},
        {"@message = \"GET /api/v1/users 200\"", "0"},
        {"@message != \"GET /api/v1/users 200\"", "12345"},
        {"status >= 500", "3"},
        {"status < 500", ""},
        {"status in [404, 503]", "3"},
        {"level in [\"warn\", \"error\"]", "3"},
        {"level not in [\"error\"]", "01245"},
        {"user.name = \"ann\"", "3"},
        {"`a-b` = 'x'", "3"},
        {"ispresent(user.name)", "3"},
        {"not ispresent(user.name)", "01245"},
        {"isempty(empty)", "012345"},
        {"@logStream = 'odd'", "135"},
        {"@log like 'gateway'", "012345"},
        {"@timestamp >= 1772374925246", "2345"},
        {"@message like /a{0}/", "012345"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        expect_filter(cases[i][0], cases[i][1]);
}

static void expect_rows(const char *query, const char *rows)
{
    char *got = run(query, 1000);
    assert_string_equal(got, rows);
    free(got);
}

static void newest_come_first(void **state)
{
    (void)state;
    expect_rows("filter @message like 'api' | limit 1",
                "2026-03-01 14:22:05.246|POST /api/v1/orders 500\n");
    expect_rows("fields @timestamp | sort @timestamp asc | limit 2",
                "2026-03-01 14:20:05.000\n2026-03-01 14:21:05.123\n");
    expect_rows("fields @timestamp | sort @timestamp desc | limit 1", "2026-03-01 14:25:05.615\n");
}

static void columns(void **state)
{
    (void)state;
    expect_rows("fields @logStream as s, @message | filter status = 503 | display status, level",
                "503|error\n");
    expect_rows("fields status | fields user.name | filter ispresent(status)", "503|ann\n");
    expect_rows("# a comment | with a pipe\nfields @ingestionTime | filter level = 'error'",
                "2026-03-01 14:23:07.369\n");
}

static void counts(void **state)
{
    (void)state;
    expect_rows("stats count(*)", "6\n");
    expect_rows("filter @message like 'api' | stats count(*) as n", "2\n");
    expect_rows("filter @message like 'nowhere' | stats count(*)", "");
    expect_rows("stats count(*) by @logStream", "even|3\nodd|3\n");
    expect_rows("stats count(*) by bin(5m)",
                "2026-03-01 14:25:00.000|1\n2026-03-01 14:20:00.000|5\n");
}

static void limit_of_the_call_holds_too(void **state)
{
    (void)state;
    char *got = run("fields @logStream | limit 4", 2);
    assert_string_equal(got, "odd\neven\n");
    free(got);
}

static void malformed_queries(void **state)
{
    static const char *const queries[] = {
        "",
        "nonsense",
        "fields",
        "fields @message |",
        "fields @message | | limit 1",
        "filter",
        "filter @message",
        "filter @message like",
        "filter @message like foo",
        "filter @message like \"open",
        "filter @message like /open",
        "filter @message like /(/",
        "filter @message like /a(?=b)/",
        "filter @message like /\\1/",
        "filter (@message like 'a'",
        "filter @message like 'a' and",
        "filter @message like 'a' 'b'",
        "filter @message not 'a'",
        "filter status in [1, ",
        "filter status ! 3",
        "limit 0",
        "limit 10001",
        "limit x",
        "sort",
        "stats avg(x)",
        "stats count(*) by",
        "stats count(*) by bin(5)",
        "stats count(*) by bin(x)",
        "parse @message '*' as a",
        "limit 1 | filter @message like 'a'",
        "fields `open",
        "fields @message; limit 1",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(queries); i++) {
        struct insights_query *query = NULL;
        char *error = NULL;
        size_t at = 0;
        int r = insights_query_new(queries[i], &query, &error, &at);
        if (r != -EINVAL)
            fail_msg("accepted: %s", queries[i]);
        assert_non_null(error);
        assert_true(at <= strlen(queries[i]));
        free(error);
    }
}

static void keeps_only_the_best(void **state)
{
    struct insights_query *query = NULL;
    struct insights_run *kept = NULL;
    struct json_object *rows = NULL;
    char *error = NULL;
    size_t at;
    (void)state;
    assert_int_equal(insights_query_new("fields @timestamp | limit 3", &query, &error, &at), 0);
    assert_int_equal(insights_run_new(query, 100, &kept), 0);
    for (int64_t i = 0; i < 1000; i++) {
        struct insights_record record = {.timestamp_ms = BEGIN_MS + (i * 389) % 1000,
                                         .message = "m",
                                         .log_stream = "s",
                                         .log = "l",
                                         .id = (uint64_t)i};
        assert_int_equal(insights_run_take(kept, &record), 1);
    }
    assert_int_equal(insights_run_rows(kept, &rows), 0);
    assert_int_equal(json_object_array_length(rows), 3);
    struct json_object *first = json_object_array_get_idx(json_object_array_get_idx(rows, 0), 0);
    assert_string_equal(json_object_get_string(json_object_object_get(first, "value")),
                        "2026-03-01 14:20:05.999");
    json_object_put(rows);
    insights_run_free(kept);
    insights_query_free(query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters),
        cmocka_unit_test(newest_come_first),
        cmocka_unit_test(columns),
        cmocka_unit_test(counts),
        cmocka_unit_test(limit_of_the_call_holds_too),
        cmocka_unit_test(malformed_queries),
        cmocka_unit_test(keeps_only_the_best),
    };
    return cmocka_run_group_tests_name("sim: Logs Insights", tests, NULL, NULL);
}
