/* SPDX-License-Identifier: MIT */

/* The life of a Logs Insights query in the simulated AWS. Scheduled for 300 ms, Running for 2 s. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "tests/support/sim_world.h"

#define GROUP "{'log_groups': [{'name': '/g'}]}"

/* Over the last hour. */
static const char *start_query(struct world *world, const char *text)
{
    static char id[SIM_REQUEST_ID_MAX];
    world_call(world, "logs", "StartQuery",
               "{'logGroupName': '/g', 'startTime': %" PRId64 ", 'endTime': %" PRId64
               ", 'queryString': '%s'}",
               world->now.ms / 1000 - 3600, world->now.ms / 1000, text);
    assert_int_equal(world->status, 200);
    snprintf(id, sizeof(id), "%s", world_text(world, "queryId"));
    return id;
}

static const char *status_at(struct world *world, const char *id, int64_t ms)
{
    world->now.ms = WORLD_BEGIN.ms + ms;
    world_call(world, "logs", "GetQueryResults", "{'queryId': '%s'}", id);
    assert_int_equal(world->status, 200);
    return world_text(world, "status");
}

static void from_scheduled_by_running_to_complete(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, GROUP);
    world_event(&world, "/g", 45 * MS_PER_MINUTE, "first match");
    world_event(&world, "/g", 30 * MS_PER_MINUTE, "nothing");
    world_event(&world, "/g", 15 * MS_PER_MINUTE, "second match");
    const char *id = start_query(&world, "filter @message like /match/ | limit 10");

    assert_string_equal(status_at(&world, id, 0), "Scheduled");
    assert_int_equal(world_length(&world, "results"), 0);
    assert_string_equal(status_at(&world, id, 300), "Running");
    assert_int_equal(world_length(&world, "results"), 0);
    /* A quarter of the hour is looked at: the first event has just been met. */
    assert_string_equal(status_at(&world, id, 300 + 501), "Running");
    assert_int_equal(world_length(&world, "results"), 1);
    assert_int_equal(world_number(&world, "statistics.recordsScanned"), 1);
    assert_string_equal(status_at(&world, id, 2299), "Running");
    assert_int_equal(world_length(&world, "results"), 2);
    assert_string_equal(status_at(&world, id, 2300), "Complete");
    assert_int_equal(world_length(&world, "results"), 2);
    assert_string_equal(world_text(&world, "results.0.1.field"), "@message");
    assert_string_equal(world_text(&world, "results.0.1.value"), "second match");
    assert_int_equal(world_number(&world, "statistics.recordsMatched"), 2);
    assert_int_equal(world_number(&world, "statistics.recordsScanned"), 3);
    assert_int_equal(world_number(&world, "statistics.bytesScanned"), 11 + 7 + 12);
    assert_string_equal(world_text(&world, "queryLanguage"), "CWLI");
    world_end(&world);
}

static void results_do_not_change_once_complete(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, GROUP);
    const char *id = start_query(&world, "fields @message");
    assert_string_equal(status_at(&world, id, 2300), "Complete");
    assert_int_equal(world_length(&world, "results"), 0);
    assert_int_equal(sim_event_put_now(world.sim, sim_log_group_find(world.sim, "/g"), "s",
                                       wall_add(WORLD_BEGIN, -MS_PER_MINUTE), world.now,
                                       "came later"),
                     0);
    assert_string_equal(status_at(&world, id, MS_PER_HOUR), "Complete");
    assert_int_equal(world_length(&world, "results"), 0);
    world_end(&world);
}

static void what_is_ingested_behind_its_back_is_not_seen(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, GROUP);
    struct sim_log_group *group = sim_log_group_find(world.sim, "/g");
    /* Half way through the hour: looked at after 1.3 s. */
    struct wall when = wall_add(world.now, -30 * MS_PER_MINUTE);
    assert_int_equal(
        sim_event_put(world.sim, group, "s", when, wall_add(world.now, 1290), "in time", 7), 0);
    assert_int_equal(
        sim_event_put(world.sim, group, "s", when, wall_add(world.now, 1310), "too late", 8), 0);
    const char *id = start_query(&world, "fields @message");
    assert_string_equal(status_at(&world, id, MS_PER_MINUTE), "Complete");
    assert_int_equal(world_length(&world, "results"), 1);
    assert_string_equal(world_text(&world, "results.0.0.value"), "in time");
    world_end(&world);
}

static void times_are_seconds_and_both_within(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, GROUP);
    world_event(&world, "/g", 10 * MS_PER_SECOND, "at the start");
    world_event(&world, "/g", 5 * MS_PER_SECOND, "at the end");
    world_event(&world, "/g", 5 * MS_PER_SECOND - 1, "behind it");
    world_event(&world, "/g", 10 * MS_PER_SECOND + 1, "before it");
    world_call(&world, "logs", "StartQuery",
               "{'logGroupNames': ['/g'], 'startTime': %" PRId64 ", 'endTime': %" PRId64
               ", 'queryString': 'fields @message'}",
               world.now.ms / 1000 - 10, world.now.ms / 1000 - 5);
    char id[SIM_REQUEST_ID_MAX];
    snprintf(id, sizeof(id), "%s", world_text(&world, "queryId"));
    status_at(&world, id, 5000);
    assert_int_equal(world_length(&world, "results"), 2);

    /* Milliseconds for seconds: a query over the far future finds nothing, and does not fail. */
    world_call(&world, "logs", "StartQuery",
               "{'logGroupName': '/g', 'startTime': %" PRId64 ", 'endTime': %" PRId64
               ", 'queryString': 'fields @message'}",
               world.now.ms - 3600000, world.now.ms);
    assert_int_equal(world.status, 200);
    snprintf(id, sizeof(id), "%s", world_text(&world, "queryId"));
    assert_string_equal(status_at(&world, id, 10000), "Complete");
    assert_int_equal(world_number(&world, "statistics.recordsScanned"), 0);
    world_end(&world);
}

static void several_groups_by_name_or_arn(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world,
                "{'log_groups': [{'name': '/a', 'events': [{'ago_ms': 2000, 'message': 'x'}]},"
                "{'name': '/b', 'class': 'INFREQUENT_ACCESS', 'events': "
                "[{'ago_ms': 1000, 'message': 'y'}]}]}");
    world_call(&world, "logs", "StartQuery",
               "{'logGroupIdentifiers': ['arn:aws:logs:eu-west-1:123456789012:log-group:/a', '/b'],"
               " 'startTime': %" PRId64 ", 'endTime': %" PRId64
               ", 'queryString': 'fields @message, @log'}",
               world.now.ms / 1000 - 60, world.now.ms / 1000);
    char id[SIM_REQUEST_ID_MAX];
    snprintf(id, sizeof(id), "%s", world_text(&world, "queryId"));
    status_at(&world, id, 5000);
    assert_int_equal(world_length(&world, "results"), 2);
    assert_string_equal(world_text(&world, "results.0.1.value"), "123456789012:/b");
    assert_int_equal(world_number(&world, "statistics.logGroupsScanned"), 2);
    world_end(&world);
}

static void bad_queries_are_refused(void **state)
{
    static const struct {
        const char *parameters, *code;
    } refusals[] = {
        {"'logGroupName': '/g', 'startTime': 1, 'endTime': 2", "InvalidParameterException"},
        {"'logGroupName': '/g', 'startTime': 1, 'queryString': 'limit 1'",
         "InvalidParameterException"},
        {"'startTime': 1772374000, 'endTime': 1772374805, 'queryString': 'limit 1'",
         "InvalidParameterException"},
        {"'logGroupName': '/g', 'logGroupNames': ['/g'], 'startTime': 1772374000, "
         "'endTime': 1772374805, 'queryString': 'limit 1'",
         "InvalidParameterException"},
        {"'logGroupName': '/nope', 'startTime': 1772374000, 'endTime': 1772374805, "
         "'queryString': 'limit 1'",
         "ResourceNotFoundException"},
        {"'logGroupName': '/g', 'startTime': 1772374805, 'endTime': 1772374000, "
         "'queryString': 'limit 1'",
         "InvalidParameterException"},
        {"'logGroupName': '/g', 'startTime': 1, 'endTime': 2, 'queryString': 'limit 1'",
         "MalformedQueryException"},
        {"'logGroupName': '/g', 'startTime': 1772374000, 'endTime': 1772374805, "
         "'queryString': 'limit 1', 'limit': 10001",
         "InvalidParameterException"},
        {"'logGroupName': '/g', 'startTime': 1772374000, 'endTime': 1772374805, "
         "'queryString': 'limit 1', 'queryLanguage': 'SQL'",
         "InvalidParameterException"},
    };
    struct world world;
    (void)state;
    world_begin(&world, "{'log_groups': [{'name': '/g', 'created': '2026-01-01T00:00:00Z'}]}");
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        world_call(&world, "logs", "StartQuery", "{%s}", refusals[i].parameters);
        if (strcmp(world_error(&world), refusals[i].code) != 0)
            fail_msg("%s: %s", refusals[i].parameters, world.response.body);
    }
    world_call(&world, "logs", "StartQuery",
               "{'logGroupName': '/g', 'startTime': 1772374000, 'endTime': 1772374805, "
               "'queryString': 'fields @message | nonsense'}");
    assert_string_equal(world_error(&world), "MalformedQueryException");
    assert_int_equal(world_number(&world, "queryCompileError.location.startCharOffset"), 18);
    assert_non_null(world_text(&world, "queryCompileError.message"));
    world_end(&world);
}

static void so_many_at_a_time(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{'settings': {'query_concurrency': 2}, 'log_groups': [{'name': '/g'}]}");
    start_query(&world, "limit 1");
    start_query(&world, "limit 1");
    assert_int_equal(sim_queries_active(world.sim, world.now), 2);
    world_call(&world, "logs", "StartQuery",
               "{'logGroupName': '/g', 'startTime': 1772374000, 'endTime': 1772374805, "
               "'queryString': 'limit 1'}");
    assert_string_equal(world_error(&world), "LimitExceededException");
    world.now.ms += 2300;
    assert_int_equal(sim_queries_active(world.sim, world.now), 0);
    start_query(&world, "limit 1");
    world_end(&world);
}

static void a_query_can_be_stopped_while_it_runs(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, GROUP);
    const char *id = start_query(&world, "limit 1");
    world.now.ms += 1000;
    world_call(&world, "logs", "StopQuery", "{'queryId': '%s'}", id);
    assert_int_equal(world_number(&world, "success"), 1);
    assert_string_equal(status_at(&world, id, 1000), "Cancelled");
    assert_string_equal(status_at(&world, id, 9000), "Cancelled");
    world_call(&world, "logs", "StopQuery", "{'queryId': '%s'}", id);
    assert_string_equal(world_error(&world), "InvalidParameterException");
    world_call(&world, "logs", "StopQuery", "{'queryId': 'unheard-of'}");
    assert_string_equal(world_error(&world), "ResourceNotFoundException");
    world_end(&world);
}

static void an_id_may_be_unknown_at_first_and_is_forgotten_at_last(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{'settings': {'query_unknown_ms': 500}, 'log_groups': [{'name': '/g'}]}");
    const char *id = start_query(&world, "limit 1");
    world_call(&world, "logs", "GetQueryResults", "{'queryId': '%s'}", id);
    assert_string_equal(world_error(&world), "ResourceNotFoundException");
    assert_string_equal(status_at(&world, id, 500), "Running");
    world.now.ms = WORLD_BEGIN.ms + 7 * MS_PER_DAY + 1;
    world_call(&world, "logs", "GetQueryResults", "{'queryId': '%s'}", id);
    assert_string_equal(world_error(&world), "ResourceNotFoundException");
    start_query(&world, "limit 1");
    assert_int_equal(world.sim->n_queries, 1);
    world_end(&world);
}

static void rows_come_in_pages_when_asked_for(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, GROUP);
    for (int i = 0; i < 5; i++)
        world_event(&world, "/g", 5000 - 1000 * i, (const char[]){(char)('a' + i), 0});
    char id[SIM_REQUEST_ID_MAX];
    snprintf(id, sizeof(id), "%s", start_query(&world, "fields @message"));
    world.now.ms += 5000;
    world_call(&world, "logs", "GetQueryResults", "{'queryId': '%s', 'maxItems': 3}", id);
    assert_int_equal(world_length(&world, "results"), 3);
    char token[256];
    snprintf(token, sizeof(token), "%s", world_text(&world, "nextToken"));
    world_call(&world, "logs", "GetQueryResults",
               "{'queryId': '%s', 'maxItems': 3, 'nextToken': '%s'}", id, token);
    assert_int_equal(world_length(&world, "results"), 2);
    assert_string_equal(world_text(&world, "results.1.0.value"), "a");
    assert_null(world_text(&world, "nextToken"));
    world_end(&world);
}

static void queries_are_listed_newest_first(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{'log_groups': [{'name': '/g'}, {'name': '/h'}]}");
    start_query(&world, "limit 1");
    world.now.ms += 1000;
    start_query(&world, "limit 2");
    world.now.ms += 1500;
    world_call(&world, "logs", "DescribeQueries", "{}");
    assert_int_equal(world_length(&world, "queries"), 2);
    assert_string_equal(world_text(&world, "queries.0.queryString"), "limit 2");
    assert_string_equal(world_text(&world, "queries.0.status"), "Running");
    assert_string_equal(world_text(&world, "queries.1.status"), "Complete");
    world_call(&world, "logs", "DescribeQueries", "{'status': 'Running'}");
    assert_int_equal(world_length(&world, "queries"), 1);
    world_call(&world, "logs", "DescribeQueries", "{'logGroupName': '/h'}");
    assert_int_equal(world_length(&world, "queries"), 0);
    world_call(&world, "logs", "DescribeQueries", "{'maxResults': 1}");
    assert_int_equal(world_length(&world, "queries"), 1);
    assert_non_null(world_text(&world, "nextToken"));
    world_call(&world, "logs", "DescribeQueries", "{'status': 'Lost'}");
    assert_string_equal(world_error(&world), "InvalidParameterException");
    world_end(&world);
}

/* Each bad end, and what it shows at last. */
static void bad_ends(void **state)
{
    static const struct {
        enum sim_fault_kind kind;
        const char *status;
        int rows;
    } ends[] = {
        {SIM_FAULT_QUERY_FAILED, "Failed", 0},      {SIM_FAULT_QUERY_CANCELLED, "Cancelled", 1},
        {SIM_FAULT_QUERY_TIMEOUT, "Timeout", 1},    {SIM_FAULT_QUERY_UNKNOWN, "Unknown", 0},
        {SIM_FAULT_QUERY_NEVER_ENDS, "Running", 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++) {
        struct world world;
        world_begin(&world, GROUP);
        world_event(&world, "/g", 45 * MS_PER_MINUTE, "early");
        world_event(&world, "/g", MS_PER_MINUTE, "late");
        world_fault(&world, ends[i].kind, NULL, 0);
        const char *id = start_query(&world, "fields @message");
        assert_string_equal(status_at(&world, id, 1000), "Running");
        assert_string_equal(status_at(&world, id, MS_PER_DAY), ends[i].status);
        assert_int_equal(world_length(&world, "results"), ends[i].rows);
        assert_int_equal(sim_faults_fired(world.sim, ends[i].kind), 1);
        world_end(&world);
    }
}

static void other_query_faults(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, GROUP);
    world_event(&world, "/g", 55 * MS_PER_MINUTE, "early");
    world_fault(&world, SIM_FAULT_QUERY_PARTIAL_SHRINKS, NULL, 0);
    world_fault(&world, SIM_FAULT_QUERY_NO_STATISTICS, NULL, 0);
    world_fault(&world, SIM_FAULT_QUERY_ID_UNKNOWN, NULL, 200);
    const char *id = start_query(&world, "fields @message");
    world_call(&world, "logs", "GetQueryResults", "{'queryId': '%s'}", id);
    assert_string_equal(world_error(&world), "ResourceNotFoundException");
    assert_string_equal(status_at(&world, id, 1000), "Running");
    assert_int_equal(world_length(&world, "results"), 1);
    assert_int_equal(world_number(&world, "statistics.recordsScanned"), -1);
    assert_string_equal(status_at(&world, id, 1400), "Running");
    assert_int_equal(world_length(&world, "results"), 0);
    assert_string_equal(status_at(&world, id, 2300), "Complete");
    assert_int_equal(world_length(&world, "results"), 1);

    world_fault(&world, SIM_FAULT_QUERY_LIMIT_EXCEEDED, NULL, 0);
    world_call(&world, "logs", "StartQuery",
               "{'logGroupName': '/g', 'startTime': 1772374000, 'endTime': 1772374805, "
               "'queryString': 'limit 1'}");
    assert_string_equal(world_error(&world), "LimitExceededException");
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_scheduled_by_running_to_complete),
        cmocka_unit_test(results_do_not_change_once_complete),
        cmocka_unit_test(what_is_ingested_behind_its_back_is_not_seen),
        cmocka_unit_test(times_are_seconds_and_both_within),
        cmocka_unit_test(several_groups_by_name_or_arn),
        cmocka_unit_test(bad_queries_are_refused),
        cmocka_unit_test(so_many_at_a_time),
        cmocka_unit_test(a_query_can_be_stopped_while_it_runs),
        cmocka_unit_test(an_id_may_be_unknown_at_first_and_is_forgotten_at_last),
        cmocka_unit_test(rows_come_in_pages_when_asked_for),
        cmocka_unit_test(queries_are_listed_newest_first),
        cmocka_unit_test(bad_ends),
        cmocka_unit_test(other_query_faults),
    };
    return cmocka_run_group_tests_name("sim: Insights queries", tests, NULL, NULL);
}
