/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/json.h"
#include "src/logs.h"
#include "tests/unit/aws_world.h"

#define EVENTS_MAX 64

#define EVENT(time, text)                                                           \
    "{\"logStreamName\":\"web/1\",\"timestamp\":" time ",\"message\":\"" text "\"," \
    "\"ingestionTime\":1772452801234,\"eventId\":\"id-" text "\"}"

struct world {
    struct aws_world aws;

    /* Of a search. */
    char messages[EVENTS_MAX][16];
    size_t n_messages;
    struct logs_event last_event; /* its texts are gone */
    char last_id[16];
    char last_stream[16];
    size_t wants; /* so many events, then no more; 0: all */
    struct logs_filter *filter;
    bool cancels_within;
    int n_filter_done;
    struct logs_filter_result filter_result;

    /* Of a query. */
    struct logs_query *query;
    int n_query_done;
    struct logs_query_result query_result;
    char status[16];
    char query_id[64];
    char row_message[64];
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    aws_world_begin(&world->aws, &(struct aws_options){.endpoint_url = "http://aws.test"});
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    aws_world_end(&world->aws);
    free(world);
    return 0;
}

static void given(struct world *world, const char *operation, const char *body)
{
    fake_http_answer(world->aws.http, operation, 200, body);
}

static void given_error(struct world *world, const char *operation, const char *code)
{
    char body[128];
    snprintf(body, sizeof(body), "{\"__type\":\"%s\",\"message\":\"why\"}", code);
    fake_http_answer(world->aws.http, operation, 400, body);
}

/* ---- FilterLogEvents ---- */

static bool event_came(void *userdata, const struct logs_event *event)
{
    struct world *world = userdata;
    if (world->n_messages < EVENTS_MAX)
        snprintf(world->messages[world->n_messages], sizeof(world->messages[0]), "%s",
                 event->message);
    world->n_messages++;
    world->last_event = *event;
    snprintf(world->last_id, sizeof(world->last_id), "%s", event->event_id);
    snprintf(world->last_stream, sizeof(world->last_stream), "%s", event->log_stream);
    if (world->cancels_within)
        logs_filter_cancel(TAKE(world->filter));
    return world->n_messages != world->wants;
}

static void search_ended(void *userdata, const struct logs_filter_result *result)
{
    struct world *world = userdata;
    world->n_filter_done++;
    world->filter_result = *result;
    world->filter = NULL;
}

static void search_in(struct world *world, const char *log_group, const char *pattern)
{
    struct logs_filter_request request = {
        .log_group = log_group,
        .filter_pattern = pattern,
        .start = {INT64_C(1772452800123)},
        .priority = AWS_ROUTINE,
    };
    world->n_filter_done = 0;
    world->n_messages = 0;
    assert_int_equal(logs_filter_log_events(world->aws.aws, &request, event_came, search_ended,
                                            world, &world->filter),
                     0);
}

static void search(struct world *world)
{
    search_in(world, "/ecs/web", "\"/api/\"");
}

static void expect_search(struct world *world, enum aws_error_kind kind, bool exhausted)
{
    assert_int_equal(world->n_filter_done, 1);
    assert_string_equal(aws_error_kind_name(world->filter_result.error.kind),
                        aws_error_kind_name(kind));
    assert_int_equal(world->filter_result.exhausted, exhausted);
}

static void expect_parameters(struct world *world, const char *operation, size_t index,
                              const char *expected)
{
    assert_string_equal(fake_http_request_of(world->aws.http, operation, index)->body, expected);
}

static void a_search_asks_by_name_in_milliseconds(void **state)
{
    struct world *world = *state;
    given(world, "FilterLogEvents", "{\"events\":[" EVENT("1772452800500", "hello") "]}");
    search(world);
    assert_int_equal(world->n_filter_done, 0);
    aws_world_run(&world->aws, MS_PER_SECOND);

    expect_search(world, AWS_OK, true);
    expect_parameters(world, "FilterLogEvents", 0,
                      "{\"logGroupName\":\"/ecs/web\",\"startTime\":1772452800123,"
                      "\"filterPattern\":\"\\\"/api/\\\"\"}");
    assert_int_equal(world->n_messages, 1);
    assert_string_equal(world->messages[0], "hello");
    assert_int_equal(world->last_event.timestamp.ms, 1772452800500);
    assert_int_equal(world->last_event.ingestion.ms, 1772452801234);
    assert_string_equal(world->last_id, "id-hello");
    assert_string_equal(world->last_stream, "web/1");
    assert_int_equal(world->filter_result.n_events, 1);
    assert_int_equal(world->filter_result.n_pages, 1);
}

static void an_arn_goes_as_identifier_without_the_star(void **state)
{
    struct world *world = *state;
    given(world, "FilterLogEvents", "{\"events\":[]}");
    search_in(world, "arn:aws:logs:eu-west-1:1:log-group:/ecs/web:*", NULL);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect_search(world, AWS_OK, true);
    expect_parameters(world, "FilterLogEvents", 0,
                      "{\"logGroupIdentifier\":\"arn:aws:logs:eu-west-1:1:log-group:/ecs/web\","
                      "\"startTime\":1772452800123}");
}

static void what_aws_may_leave_out_may_be_missing(void **state)
{
    struct world *world = *state;
    given(world, "FilterLogEvents",
          "{\"events\":[{\"timestamp\":7,\"message\":\"\"}],\"nextToken\":null,\"new\":{}}");
    search(world);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect_search(world, AWS_OK, true);
    assert_false(wall_is_set(world->last_event.ingestion));
    assert_string_equal(world->last_id, "");
    assert_string_equal(world->last_stream, "");
}

static void a_search_follows_hundreds_of_empty_pages(void **state)
{
    struct world *world = *state;
    char page[64];
    for (int i = 1; i <= 400; i++) {
        snprintf(page, sizeof(page), "{\"events\":[],\"nextToken\":\"token-%d\"}", i);
        given(world, "FilterLogEvents", page);
    }
    given(world, "FilterLogEvents", "{\"events\":[" EVENT("1", "last") "]}");
    search(world);
    aws_world_run(&world->aws, 5 * MS_PER_MINUTE);

    expect_search(world, AWS_OK, true);
    assert_int_equal(world->filter_result.n_pages, 401);
    assert_string_equal(world->messages[0], "last");
    expect_parameters(world, "FilterLogEvents", 400,
                      "{\"logGroupName\":\"/ecs/web\",\"startTime\":1772452800123,"
                      "\"filterPattern\":\"\\\"/api/\\\"\",\"nextToken\":\"token-400\"}");
}

static void a_search_that_never_ends_is_not_exhausted(void **state)
{
    struct world *world = *state;
    char page[64];
    for (int i = 0; i < LOGS_FILTER_PAGES_MAX; i++) {
        snprintf(page, sizeof(page), "{\"events\":[],\"nextToken\":\"token-%d\"}", i);
        given(world, "FilterLogEvents", page);
    }
    search(world);
    aws_world_run(&world->aws, 10 * MS_PER_MINUTE);
    expect_search(world, AWS_OK, false);
    assert_int_equal(world->filter_result.n_pages, LOGS_FILTER_PAGES_MAX);
}

static void tokens_that_go_in_circles_are_an_error(void **state)
{
    struct world *world = *state;
    for (int length = 1; length <= 20; length++)
        for (int before = 0; before < 6; before++) {
            char page[64];
            int n = 0;
            while (n < before + 4 * (length + before) + 8) {
                int token = n < before ? n : before + (n - before) % length;
                snprintf(page, sizeof(page), "{\"events\":[],\"nextToken\":\"t%d\"}", token);
                given(world, "FilterLogEvents", page);
                n++;
            }
            search(world);
            aws_world_run(&world->aws, 5 * MS_PER_MINUTE);
            expect_search(world, AWS_ERROR_MALFORMED, false);
            assert_non_null(strstr(world->filter_result.error.message, "circles"));
            if (length == 1)
                assert_int_equal(world->filter_result.n_pages, before + 2);

            /* What was left over of the script. */
            teardown(state);
            setup(state);
            world = *state;
        }
}

static void a_token_that_expires_midway_is_an_error_and_what_was_seen_stands(void **state)
{
    struct world *world = *state;
    given(world, "FilterLogEvents", "{\"events\":[" EVENT("1", "seen") "],\"nextToken\":\"a\"}");
    given_error(world, "FilterLogEvents", "InvalidParameterException");
    search(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_search(world, AWS_ERROR_REQUEST, false);
    assert_int_equal(world->n_messages, 1);
    assert_string_equal(world->filter_result.error.message, "why");
    assert_int_equal(world->filter_result.n_pages, 1);
}

/* What has come with the same page may be newer, and costs nothing more. */
static void enough_is_enough_but_for_the_rest_of_the_page(void **state)
{
    struct world *world = *state;
    world->wants = 2;
    given(world, "FilterLogEvents",
          "{\"events\":[" EVENT("1", "a") "," EVENT("2", "b") "," EVENT(
              "3", "c") "],\"nextToken\":\"more\"}");
    search(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_search(world, AWS_OK, false);
    assert_int_equal(world->n_messages, 3);
    assert_int_equal(fake_http_n_requests(world->aws.http), 1);
}

static void a_search_can_be_cancelled_at_any_time(void **state)
{
    struct world *world = *state;
    fake_http_answer_always(world->aws.http, "FilterLogEvents",
                            "{\"events\":[" EVENT("1", "a") "," EVENT("2", "b") "]}");
    search(world);
    logs_filter_cancel(world->filter);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    assert_int_equal(world->n_filter_done, 0);

    search(world);
    aws_world_run(&world->aws, 10);
    logs_filter_cancel(world->filter);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    assert_int_equal(world->n_filter_done, 0);

    world->cancels_within = true;
    search(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    assert_int_equal(world->n_filter_done, 0);
    assert_int_equal(world->n_messages, 1);
    assert_int_equal(aws_calls_pending(world->aws.aws), 0);
}

/* Whatever is wrong: never "there was nothing", and never a crash. */
static void malformed_events_make_the_search_malformed(void **state)
{
    struct world *world = *state;
    static const char *const ANSWERS[] = {
        "{}",
        "{\"events\":null}",
        "{\"events\":{}}",
        "{\"events\":\"[]\"}",
        "{\"events\":[null]}",
        "{\"events\":[7]}",
        "{\"events\":[[]]}",
        "{\"events\":[{}]}",
        "{\"events\":[{\"message\":\"no time\"}]}",
        "{\"events\":[{\"timestamp\":1}]}",
        "{\"events\":[{\"timestamp\":\"1\",\"message\":\"m\"}]}",
        "{\"events\":[{\"timestamp\":null,\"message\":\"m\"}]}",
        "{\"events\":[{\"timestamp\":1.5,\"message\":\"m\"}]}",
        "{\"events\":[{\"timestamp\":-1,\"message\":\"m\"}]}",
        "{\"events\":[{\"timestamp\":253402300800000,\"message\":\"m\"}]}",
        "{\"events\":[{\"timestamp\":1e300,\"message\":\"m\"}]}",
        "{\"events\":[{\"timestamp\":99999999999999999999999,\"message\":\"m\"}]}",
        "{\"events\":[{\"timestamp\":1,\"message\":7}]}",
        "{\"events\":[{\"timestamp\":1,\"message\":null}]}",
        "{\"events\":[{\"timestamp\":1,\"message\":[]}]}",
        "{\"events\":[{\"timestamp\":1,\"message\":\"m\",\"ingestionTime\":\"x\"}]}",
        "{\"events\":[{\"timestamp\":1,\"message\":\"m\",\"ingestionTime\":-1}]}",
        "{\"events\":[{\"timestamp\":1,\"message\":\"m\",\"eventId\":7}]}",
        "{\"events\":[{\"timestamp\":1,\"message\":\"m\",\"logStreamName\":{}}]}",
        "{\"events\":[],\"nextToken\":7}",
        "{\"events\":[],\"nextToken\":[]}",
        "{\"events\":[],\"nextToken\":\"\"}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(ANSWERS); i++) {
        given(world, "FilterLogEvents", ANSWERS[i]);
        search(world);
        aws_world_run(&world->aws, MS_PER_SECOND);
        expect_search(world, AWS_ERROR_MALFORMED, false);
        assert_int_equal(world->n_messages, 0);
    }
}

static void events_before_a_malformed_one_stand(void **state)
{
    struct world *world = *state;
    given(world, "FilterLogEvents",
          "{\"events\":[" EVENT("1", "good") ",{\"timestamp\":2}," EVENT("3", "unread") "]}");
    search(world);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect_search(world, AWS_ERROR_MALFORMED, false);
    assert_int_equal(world->n_messages, 1);
    assert_string_equal(world->messages[0], "good");
}

static void a_truncated_answer_is_never_taken_for_silence(void **state)
{
    struct world *world = *state;
    const char *whole = "{\"events\":[" EVENT("1772452800500", "m") "],\"nextToken\":null}";
    for (size_t size = 1; size < strlen(whole); size++) {
        fake_http_script(world->aws.http, "FilterLogEvents",
                         &(struct fake_answer){.body = whole, .body_size = size});
        search(world);
        aws_world_run(&world->aws, MS_PER_SECOND);
        expect_search(world, AWS_ERROR_MALFORMED, false);
    }
}

static void deep_and_large_answers_do_no_harm(void **state)
{
    struct world *world = *state;
    enum { SIZE = 1 << 20 };
    char *filling = calloc(1, SIZE + 1);
    char *body;
    assert_non_null(filling);

    memset(filling, '[', SIZE);
    assert_true(asprintf(&body, "{\"events\":%s", filling) > 0);
    given(world, "FilterLogEvents", body);
    search(world);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect_search(world, AWS_ERROR_MALFORMED, false);
    free(body);

    memset(filling, 'x', SIZE);
    assert_true(asprintf(&body, "{\"events\":[{\"timestamp\":1,\"message\":\"%s\"}]}", filling) >
                0);
    given(world, "FilterLogEvents", body);
    search(world);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect_search(world, AWS_OK, true);
    assert_int_equal(world->n_messages, 1);
    free(body);
    free(filling);
}

/* ---- queries ---- */

static const char *const ONE_GROUP[] = {"/ecs/web"};

static void query_ended(void *userdata, const struct logs_query_result *result)
{
    struct world *world = userdata;
    world->n_query_done++;
    world->query_result = *result;
    world->query = NULL;
    snprintf(world->status, sizeof(world->status), "%s", result->status);
    snprintf(world->query_id, sizeof(world->query_id), "%s", result->query_id);
    snprintf(world->row_message, sizeof(world->row_message), "%s", result->row_message);
}

static int try_query(struct world *world, const char *const *groups, size_t n_groups,
                     int64_t timeout_ms)
{
    struct logs_query_request request = {
        .log_groups = groups,
        .n_log_groups = n_groups,
        .query = "filter @message like \"x\"",
        .start = {INT64_C(1772452800999)},
        .end = {INT64_C(1772456400001)},
        .timeout_ms = timeout_ms,
    };
    world->n_query_done = 0;
    return logs_query_run(world->aws.aws, &request, query_ended, world, &world->query);
}

static void query(struct world *world)
{
    assert_int_equal(try_query(world, ONE_GROUP, 1, 5 * MS_PER_MINUTE), 0);
}

static void given_started(struct world *world)
{
    given(world, "StartQuery", "{\"queryId\":\"q-1\"}");
}

static void given_results(struct world *world, const char *status, const char *rows,
                          const char *statistics)
{
    char body[1024];
    snprintf(body, sizeof(body), "{\"results\":%s,\"statistics\":%s,\"status\":\"%s\"}", rows,
             statistics, status);
    given(world, "GetQueryResults", body);
}

#define NOTHING_MATCHED \
    "{\"recordsMatched\":0.0,\"recordsScanned\":1234.0,\"bytesScanned\":56789.0}"
#define ROW(time, text)                                   \
    "[{\"field\":\"@timestamp\",\"value\":\"" time "\"}," \
    "{\"field\":\"@message\",\"value\":\"" text "\"},{\"field\":\"@ptr\",\"value\":\"p\"}]"

static void expect_query(struct world *world, enum logs_query_outcome outcome,
                         enum aws_error_kind kind)
{
    assert_int_equal(world->n_query_done, 1);
    assert_int_equal(world->query_result.outcome, outcome);
    assert_string_equal(aws_error_kind_name(world->query_result.error.kind),
                        aws_error_kind_name(kind));
}

/* No query may be left running at AWS: cost and a slot. */
static void expect_stopped(struct world *world, size_t n)
{
    given(world, "StopQuery", "{\"success\":true}");
    aws_world_run(&world->aws, MS_PER_SECOND);
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "StopQuery"), n);
    if (n > 0)
        expect_parameters(world, "StopQuery", n - 1, "{\"queryId\":\"q-1\"}");
    assert_int_equal(aws_calls_pending(world->aws.aws), 0);
}

static void a_query_that_completes_without_rows_confirms_silence(void **state)
{
    struct world *world = *state;
    given_started(world);
    given_results(world, "Scheduled", "[]", "{}");
    given_results(world, "Running", "[]", NOTHING_MATCHED);
    given_results(world, "Complete", "[]", NOTHING_MATCHED);
    query(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);

    expect_query(world, LOGS_QUERY_COMPLETE, AWS_OK);
    assert_int_equal(world->query_result.n_rows, 0);
    assert_false(wall_is_set(world->query_result.row_timestamp));
    assert_string_equal(world->row_message, "");
    assert_string_equal(world->status, "Complete");
    assert_string_equal(world->query_id, "q-1");
    assert_true(world->query_result.has_statistics);
    assert_true(world->query_result.records_scanned == 1234.0);
    assert_true(world->query_result.bytes_scanned == 56789.0);
    expect_parameters(world, "GetQueryResults", 0, "{\"queryId\":\"q-1\"}");
    expect_stopped(world, 0);
}

static void times_are_seconds_that_contain_what_was_asked_for(void **state)
{
    struct world *world = *state;
    given_started(world);
    given_results(world, "Complete", "[]", NOTHING_MATCHED);
    query(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_parameters(world, "StartQuery", 0,
                      "{\"logGroupNames\":[\"/ecs/web\"],\"startTime\":1772452800,"
                      "\"endTime\":1772456401,\"queryString\":\"filter @message like \\\"x\\\"\","
                      "\"limit\":10}");
}

static void arns_go_as_identifiers(void **state)
{
    struct world *world = *state;
    static const char *const GROUPS[] = {"/ecs/web", "arn:aws:logs:eu-west-1:1:log-group:a:*"};
    given_started(world);
    given_results(world, "Complete", "[]", NOTHING_MATCHED);
    assert_int_equal(try_query(world, GROUPS, 2, MS_PER_MINUTE), 0);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    const char *body = fake_http_request(world->aws.http, 0)->body;
    assert_non_null(strstr(body, "\"logGroupIdentifiers\":[\"/ecs/web\","
                                 "\"arn:aws:logs:eu-west-1:1:log-group:a\"]"));
}

static void a_query_of_nothing_or_too_much_is_refused(void **state)
{
    struct world *world = *state;
    const char *many[51];
    for (size_t i = 0; i < ARRAY_LENGTH(many); i++)
        many[i] = "group";
    assert_int_equal(try_query(world, ONE_GROUP, 0, MS_PER_MINUTE), -EINVAL);
    assert_int_equal(try_query(world, many, 51, MS_PER_MINUTE), -EINVAL);
    assert_int_equal(try_query(world, ONE_GROUP, 1, 0), -EINVAL);
    assert_int_equal(aws_calls_pending(world->aws.aws), 0);
}

static void the_newest_row_is_told(void **state)
{
    struct world *world = *state;
    given_started(world);
    given_results(world, "Complete",
                  "[" ROW("2026-03-02 11:00:00.000",
                          "old") "," ROW("2026-03-02 11:59:59.250",
                                         "new") "," ROW("2026-03-02 11:30:00", "middle") "]",
                  "{\"recordsMatched\":3}");
    query(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_COMPLETE, AWS_OK);
    assert_int_equal(world->query_result.n_rows, 3);
    assert_int_equal(world->query_result.row_timestamp.ms, VIRTUAL_LOOP_START.ms - 750);
    assert_string_equal(world->row_message, "new");
    assert_false(world->query_result.has_statistics); /* not what was scanned */
}

static void a_row_without_a_time_is_a_row(void **state)
{
    struct world *world = *state;
    static const char *const ROWS[] = {
        "[[]]",
        "[" ROW("", "m") "]",
        "[" ROW("yesterday, at about noon", "m") "]",
        "[" ROW("2026-03-02T11:00:00.000", "m") "]",
        "[" ROW("2026-13-02 11:00:00.000", "m") "]",
        "[" ROW("2026-03-02 11:00:00.000000000000000000000000000", "m") "]",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(ROWS); i++) {
        given_started(world);
        given_results(world, "Complete", ROWS[i], "{}");
        query(world);
        aws_world_run(&world->aws, MS_PER_MINUTE);
        expect_query(world, LOGS_QUERY_COMPLETE, AWS_OK);
        assert_int_equal(world->query_result.n_rows, 1);
        assert_false(wall_is_set(world->query_result.row_timestamp));
    }
}

static void rows_before_the_end_are_a_match_and_the_query_is_stopped(void **state)
{
    struct world *world = *state;
    given_started(world);
    given_results(world, "Running", "[]", NOTHING_MATCHED);
    given_results(world, "Running", "[" ROW("2026-03-02 11:00:00.000", "hit") "]", "{}");
    given(world, "StopQuery", "{\"success\":true}");
    query(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_MATCHED, AWS_OK);
    assert_string_equal(world->row_message, "hit");
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "StopQuery"), 1);
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "GetQueryResults"), 2);
}

static void bad_ends_are_ends_and_prove_nothing(void **state)
{
    struct world *world = *state;
    static const char *const STATUSES[] = {"Failed", "Cancelled", "Timeout"};
    for (size_t i = 0; i < ARRAY_LENGTH(STATUSES); i++) {
        given_started(world);
        given_results(world, STATUSES[i], "[]", "{}");
        query(world);
        aws_world_run(&world->aws, MS_PER_MINUTE);
        expect_query(world, LOGS_QUERY_ENDED, AWS_OK);
        assert_string_equal(world->status, STATUSES[i]);
        /* A bad end may come without a list. */
        char body[64];
        snprintf(body, sizeof(body), "{\"status\":\"%s\"}", STATUSES[i]);
        given_started(world);
        given(world, "GetQueryResults", body);
        query(world);
        aws_world_run(&world->aws, MS_PER_MINUTE);
        expect_query(world, LOGS_QUERY_ENDED, AWS_OK);
    }
    expect_stopped(world, 0);
}

static void unknown_ends_it_but_it_is_stopped_all_the_same(void **state)
{
    struct world *world = *state;
    given_started(world);
    given_results(world, "Unknown", "[]", "{}");
    given_error(world, "StopQuery", "InvalidParameterException");
    query(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_ENDED, AWS_OK);
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "StopQuery"), 1);
}

static void rows_of_a_failed_query_are_still_a_match(void **state)
{
    struct world *world = *state;
    given_started(world);
    given_results(world, "Failed", "[" ROW("2026-03-02 11:00:00.000", "hit") "]", "{}");
    query(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_MATCHED, AWS_OK);
    assert_string_equal(world->status, "Failed");
    expect_stopped(world, 0);
}

static void polls_become_rarer(void **state)
{
    struct world *world = *state;
    given_started(world);
    fake_http_answer_always(world->aws.http, "GetQueryResults",
                            "{\"results\":[],\"status\":\"Running\"}");
    given(world, "StopQuery", "{}");
    query(world);
    aws_world_run(&world->aws, 4 * MS_PER_MINUTE);
    size_t n = fake_http_n_requests_of(world->aws.http, "GetQueryResults");
    int64_t first_ms = mono_since(fake_http_request_of(world->aws.http, "GetQueryResults", 0)->at,
                                  fake_http_request_of(world->aws.http, "StartQuery", 0)->at);
    int64_t last_ms =
        mono_since(fake_http_request_of(world->aws.http, "GetQueryResults", n - 1)->at,
                   fake_http_request_of(world->aws.http, "GetQueryResults", n - 2)->at);
    assert_in_range(first_ms, 1000, 1100);
    assert_in_range(last_ms, 5000, 5100);
    aws_world_run(&world->aws, 2 * MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_GAVE_UP, AWS_OK);
}

static void a_query_that_never_ends_is_given_up_in_time_and_stopped(void **state)
{
    struct world *world = *state;
    given_started(world);
    fake_http_answer_always(world->aws.http, "GetQueryResults",
                            "{\"results\":[],\"status\":\"Running\"}");
    given(world, "StopQuery", "{}");
    query(world);
    aws_world_run(&world->aws, 5 * MS_PER_MINUTE - 1);
    assert_int_equal(world->n_query_done, 0);
    aws_world_run(&world->aws, 1);
    expect_query(world, LOGS_QUERY_GAVE_UP, AWS_OK);
    assert_string_equal(world->status, "Running");
    aws_world_run(&world->aws, MS_PER_SECOND);
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "StopQuery"), 1);
    assert_int_equal(aws_calls_pending(world->aws.aws), 0);
}

static void so_is_one_whose_answers_hang(void **state)
{
    struct world *world = *state;
    given_started(world);
    fake_http_script(world->aws.http, "GetQueryResults", &(struct fake_answer){.hangs = true});
    given(world, "StopQuery", "{}");
    assert_int_equal(try_query(world, ONE_GROUP, 1, 10 * MS_PER_SECOND), 0);
    aws_world_run(&world->aws, 10 * MS_PER_SECOND);
    expect_query(world, LOGS_QUERY_GAVE_UP, AWS_OK);
    aws_world_run(&world->aws, MS_PER_SECOND);
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "StopQuery"), 1);
}

static void so_is_one_whose_start_hangs_and_it_is_stopped_when_it_answers(void **state)
{
    struct world *world = *state;
    fake_http_script(world->aws.http, "StartQuery",
                     &(struct fake_answer){.body = "{\"queryId\":\"q-1\"}", .delay_ms = 20000});
    given(world, "StopQuery", "{}");
    assert_int_equal(try_query(world, ONE_GROUP, 1, 10 * MS_PER_SECOND), 0);
    aws_world_run(&world->aws, 15 * MS_PER_SECOND);
    expect_query(world, LOGS_QUERY_GAVE_UP, AWS_OK);
    assert_string_equal(world->query_id, "");
    assert_string_equal(world->status, "");
    assert_int_equal(aws_calls_pending(world->aws.aws), 1);
    aws_world_run(&world->aws, 10 * MS_PER_SECOND);
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "StopQuery"), 1);
    assert_int_equal(aws_calls_pending(world->aws.aws), 0);
}

static void a_cancelled_query_is_stopped_wherever_it_is(void **state)
{
    struct world *world = *state;
    /* Before StartQuery went out; while it is under way; between polls; while a poll is under way. */
    static const int64_t MOMENTS_MS[] = {-1, 10, 500, 1030};
    for (size_t i = 0; i < ARRAY_LENGTH(MOMENTS_MS); i++) {
        given_started(world);
        given(world, "StopQuery", "{}");
        fake_http_script(world->aws.http, "GetQueryResults",
                         &(struct fake_answer){.body = "{}", .delay_ms = 5000, .times = 1});
        query(world);
        if (MOMENTS_MS[i] >= 0)
            aws_world_run(&world->aws, MOMENTS_MS[i]);
        logs_query_cancel(world->query);
        assert_int_equal(aws_calls_pending(world->aws.aws), 1);
        aws_world_run(&world->aws, MS_PER_MINUTE);
        assert_int_equal(world->n_query_done, 0);
        assert_int_equal(fake_http_n_requests_of(world->aws.http, "StopQuery"), i + 1);
        expect_parameters(world, "StopQuery", i, "{\"queryId\":\"q-1\"}");
        assert_int_equal(aws_calls_pending(world->aws.aws), 0);
    }
}

static void a_cancelled_query_that_never_started_needs_no_stop(void **state)
{
    struct world *world = *state;
    given_error(world, "StartQuery", "LimitExceededException");
    query(world);
    logs_query_cancel(world->query);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    given(world, "StartQuery", "{\"queryId\":7}");
    query(world);
    logs_query_cancel(world->query);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "StopQuery"), 0);
}

static void the_world_may_end_with_stops_under_way(void **state)
{
    struct world *world = *state;
    given_started(world);
    given(world, "StopQuery", "{}");
    query(world);
    logs_query_cancel(world->query);
    aws_world_run(&world->aws, 25); /* StartQuery has answered; StopQuery waits */
    assert_int_equal(aws_calls_pending(world->aws.aws), 1);
    world->aws.aws = aws_free(world->aws.aws);
}

static void a_full_quota_is_told_as_such(void **state)
{
    struct world *world = *state;
    given_error(world, "StartQuery", "LimitExceededException");
    query(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_ERROR, AWS_ERROR_LIMIT);
    assert_string_equal(world->query_id, "");
    expect_stopped(world, 0);
}

static void a_missing_log_group_is_told_as_such(void **state)
{
    struct world *world = *state;
    given_error(world, "StartQuery", "ResourceNotFoundException");
    query(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_ERROR, AWS_ERROR_NOT_FOUND);
}

static void a_query_not_known_yet_is_asked_after_for_a_while(void **state)
{
    struct world *world = *state;
    given_started(world);
    given_error(world, "GetQueryResults", "ResourceNotFoundException");
    given_error(world, "GetQueryResults", "ResourceNotFoundException");
    given_results(world, "Complete", "[]", NOTHING_MATCHED);
    query(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_COMPLETE, AWS_OK);

    given_started(world);
    for (int i = 0; i < 20; i++)
        given_error(world, "GetQueryResults", "ResourceNotFoundException");
    query(world);
    given(world, "StopQuery", "{}");
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_ERROR, AWS_ERROR_NOT_FOUND);
}

static void passing_trouble_with_polls_does_not_waste_the_query(void **state)
{
    struct world *world = *state;
    given_started(world);
    for (int i = 0; i < 6; i++) /* two polls of three attempts */
        fake_http_answer(world->aws.http, "GetQueryResults", 503, "");
    given_results(world, "Complete", "[]", NOTHING_MATCHED);
    query(world);
    aws_world_run(&world->aws, 2 * MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_COMPLETE, AWS_OK);
}

static void lasting_trouble_with_polls_is_an_error_and_the_query_is_stopped(void **state)
{
    struct world *world = *state;
    given_started(world);
    fake_http_script(world->aws.http, "GetQueryResults",
                     &(struct fake_answer){.status = 503, .times = -1});
    given(world, "StopQuery", "{}");
    query(world);
    aws_world_run(&world->aws, 2 * MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_ERROR, AWS_ERROR_TRANSIENT);
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "GetQueryResults"), 9);
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "StopQuery"), 1);
    assert_string_equal(world->query_id, "q-1");
}

static void a_denied_poll_is_an_error_at_once(void **state)
{
    struct world *world = *state;
    given_started(world);
    given_error(world, "GetQueryResults", "AccessDeniedException");
    given_error(world, "StopQuery", "AccessDeniedException"); /* a warning in the log */
    query(world);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect_query(world, LOGS_QUERY_ERROR, AWS_ERROR_DENIED);
    assert_int_equal(fake_http_n_requests_of(world->aws.http, "StopQuery"), 1);
}

static void a_start_without_an_id_is_malformed(void **state)
{
    struct world *world = *state;
    char id[301] = "";
    char long_id[400];
    memset(id, 'q', sizeof(id) - 1);
    snprintf(long_id, sizeof(long_id), "{\"queryId\":\"%s\"}", id);
    const char *const answers[] = {"{}", "{\"queryId\":null}", "{\"queryId\":7}",
                                   "{\"queryId\":\"\"}", long_id};
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        given(world, "StartQuery", answers[i]);
        query(world);
        aws_world_run(&world->aws, MS_PER_SECOND);
        expect_query(world, LOGS_QUERY_ERROR, AWS_ERROR_MALFORMED);
    }
    expect_stopped(world, 0);
}

/* Whatever is wrong: never "Complete, nothing there". */
static void malformed_results_are_never_silence(void **state)
{
    struct world *world = *state;
    static const char *const ANSWERS[] = {
        "{}",
        "{\"results\":[]}",
        "{\"results\":[],\"status\":null}",
        "{\"results\":[],\"status\":7}",
        "{\"results\":[],\"status\":\"\"}",
        "{\"results\":[],\"status\":\"complete\"}",
        "{\"results\":[],\"status\":\"CompleteButDifferently\"}",
        "{\"status\":\"Complete\"}",
        "{\"results\":null,\"status\":\"Complete\"}",
        "{\"results\":{},\"status\":\"Complete\"}",
        "{\"results\":\"[]\",\"status\":\"Complete\"}",
        "{\"results\":0,\"status\":\"Running\"}",
        "{\"results\":[7],\"status\":\"Complete\"}",
        "{\"results\":[null],\"status\":\"Complete\"}",
        "{\"results\":[{}],\"status\":\"Running\"}",
        "{\"results\":[[7]],\"status\":\"Complete\"}",
        "{\"results\":[[{}]],\"status\":\"Complete\"}",
        "{\"results\":[[{\"field\":\"a\"}]],\"status\":\"Complete\"}",
        "{\"results\":[[{\"field\":7,\"value\":\"b\"}]],\"status\":\"Complete\"}",
        "{\"results\":[[{\"field\":\"a\",\"value\":7}]],\"status\":\"Complete\"}",
        "{\"results\":[],\"status\":\"Complete\",\"statistics\":[]}",
        "{\"results\":[],\"status\":\"Complete\",\"statistics\":{\"recordsMatched\":\"0\"}}",
        "{\"results\":[],\"status\":\"Complete\",\"statistics\":{\"recordsMatched\":-1}}",
        "{\"results\":[],\"status\":\"Complete\",\"statistics\":{\"recordsScanned\":[]}}",
        "{\"results\":[],\"status\":\"Complete\",\"statistics\":{\"bytesScanned\":true}}",
        "{\"results\":[],\"status\":\"Complete\",\"statistics\":{\"recordsMatched\":3.0}}",
        "{\"results\":[],\"status\":\"Complete\",\"nextToken\":\"more\"}",
        "{\"results\":[],\"status\":\"Complete\",\"nextToken\":7}",
    };
    fake_http_answer_always(world->aws.http, "StopQuery", "{}");
    for (size_t i = 0; i < ARRAY_LENGTH(ANSWERS); i++) {
        given_started(world);
        given(world, "GetQueryResults", ANSWERS[i]);
        query(world);
        aws_world_run(&world->aws, 10 * MS_PER_SECOND);
        expect_query(world, LOGS_QUERY_ERROR, AWS_ERROR_MALFORMED);
        assert_int_equal(world->query_result.n_rows, 0);
    }
}

static void truncated_results_are_never_silence(void **state)
{
    struct world *world = *state;
    const char *whole =
        "{\"results\":[],\"status\":\"Complete\",\"statistics\":" NOTHING_MATCHED "}";
    fake_http_answer_always(world->aws.http, "StopQuery", "{}");
    for (size_t size = 1; size < strlen(whole); size++) {
        given_started(world);
        fake_http_script(world->aws.http, "GetQueryResults",
                         &(struct fake_answer){.body = whole, .body_size = size});
        query(world);
        aws_world_run(&world->aws, 10 * MS_PER_SECOND);
        expect_query(world, LOGS_QUERY_ERROR, AWS_ERROR_MALFORMED);
    }
}

static void statistics_may_be_missing(void **state)
{
    struct world *world = *state;
    static const char *const ANSWERS[] = {
        "{\"results\":[],\"status\":\"Complete\"}",
        "{\"results\":[],\"status\":\"Complete\",\"statistics\":null,\"nextToken\":\"\"}",
        "{\"results\":[],\"status\":\"Complete\",\"statistics\":{}}",
        "{\"results\":[],\"status\":\"Complete\",\"statistics\":{\"recordsMatched\":0}}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(ANSWERS); i++) {
        given_started(world);
        given(world, "GetQueryResults", ANSWERS[i]);
        query(world);
        aws_world_run(&world->aws, 10 * MS_PER_SECOND);
        expect_query(world, LOGS_QUERY_COMPLETE, AWS_OK);
        assert_false(world->query_result.has_statistics);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_search_asks_by_name_in_milliseconds),
        TEST(an_arn_goes_as_identifier_without_the_star),
        TEST(what_aws_may_leave_out_may_be_missing),
        TEST(a_search_follows_hundreds_of_empty_pages),
        TEST(a_search_that_never_ends_is_not_exhausted),
        TEST(tokens_that_go_in_circles_are_an_error),
        TEST(a_token_that_expires_midway_is_an_error_and_what_was_seen_stands),
        TEST(enough_is_enough_but_for_the_rest_of_the_page),
        TEST(a_search_can_be_cancelled_at_any_time),
        TEST(malformed_events_make_the_search_malformed),
        TEST(events_before_a_malformed_one_stand),
        TEST(a_truncated_answer_is_never_taken_for_silence),
        TEST(deep_and_large_answers_do_no_harm),
        TEST(a_query_that_completes_without_rows_confirms_silence),
        TEST(times_are_seconds_that_contain_what_was_asked_for),
        TEST(arns_go_as_identifiers),
        TEST(a_query_of_nothing_or_too_much_is_refused),
        TEST(the_newest_row_is_told),
        TEST(a_row_without_a_time_is_a_row),
        TEST(rows_before_the_end_are_a_match_and_the_query_is_stopped),
        TEST(bad_ends_are_ends_and_prove_nothing),
        TEST(unknown_ends_it_but_it_is_stopped_all_the_same),
        TEST(rows_of_a_failed_query_are_still_a_match),
        TEST(polls_become_rarer),
        TEST(a_query_that_never_ends_is_given_up_in_time_and_stopped),
        TEST(so_is_one_whose_answers_hang),
        TEST(so_is_one_whose_start_hangs_and_it_is_stopped_when_it_answers),
        TEST(a_cancelled_query_is_stopped_wherever_it_is),
        TEST(a_cancelled_query_that_never_started_needs_no_stop),
        TEST(the_world_may_end_with_stops_under_way),
        TEST(a_full_quota_is_told_as_such),
        TEST(a_missing_log_group_is_told_as_such),
        TEST(a_query_not_known_yet_is_asked_after_for_a_while),
        TEST(passing_trouble_with_polls_does_not_waste_the_query),
        TEST(lasting_trouble_with_polls_is_an_error_and_the_query_is_stopped),
        TEST(a_denied_poll_is_an_error_at_once),
        TEST(a_start_without_an_id_is_malformed),
        TEST(malformed_results_are_never_silence),
        TEST(truncated_results_are_never_silence),
        TEST(statistics_may_be_missing),
    };
    return cmocka_run_group_tests_name("logs", tests, NULL, NULL);
}
