/* SPDX-License-Identifier: MIT */

/* CloudWatch Logs in the simulated AWS: groups, events, and FilterLogEvents page by page. */

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

#define GROUP "{'log_groups': [{'name': '/ecs/gateway', 'streams': ['stream']}]}"

/* Follows nextToken to the end; returns the messages one after another, pages by '/'. */
static const char *read_all(struct world *world, const char *parameters, char *buffer, size_t size)
{
    char token[256] = "";
    size_t used = 0;
    buffer[0] = '\0';
    for (int page = 0; page < 100; page++) {
        if (*token)
            world_call(world, "logs", "FilterLogEvents", "{%s, 'nextToken': '%s'}", parameters,
                       token);
        else
            world_call(world, "logs", "FilterLogEvents", "{%s}", parameters);
        assert_int_equal(world->status, 200);
        for (int i = 0; i < world_length(world, "events"); i++) {
            char path[64];
            snprintf(path, sizeof(path), "events.%d.message", i);
            used += (size_t)snprintf(buffer + used, size - used, "%s", world_text(world, path));
        }
        const char *next = world_text(world, "nextToken");
        if (!next)
            return buffer;
        used += (size_t)snprintf(buffer + used, size - used, "/");
        snprintf(token, sizeof(token), "%s", next);
    }
    fail_msg("the pages have no end: %s", buffer);
    return buffer;
}

static void an_event_comes_back_as_it_was_put(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{}");
    world_call(&world, "logs", "CreateLogGroup", "{'logGroupName': '/ecs/gateway'}");
    assert_int_equal(world.status, 200);
    world_call(&world, "logs", "CreateLogStream",
               "{'logGroupName': '/ecs/gateway', 'logStreamName': 'api/1'}");
    assert_int_equal(world.status, 200);
    world_call(&world, "logs", "PutLogEvents",
               "{'logGroupName': '/ecs/gateway', 'logStreamName': 'api/1', 'logEvents': "
               "[{'timestamp': %" PRId64 ", 'message': 'GET /caf\u00e9'}]}",
               world.now.ms - 1000);
    assert_int_equal(world.status, 200);
    assert_non_null(world_text(&world, "nextSequenceToken"));

    world.now.ms += 500;
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/ecs/gateway'}");
    assert_int_equal(world_length(&world, "events"), 1);
    assert_string_equal(world_text(&world, "events.0.message"), "GET /caf\u00e9");
    assert_string_equal(world_text(&world, "events.0.logStreamName"), "api/1");
    assert_int_equal(world_number(&world, "events.0.timestamp"), WORLD_BEGIN.ms - 1000);
    assert_int_equal(world_number(&world, "events.0.ingestionTime"), WORLD_BEGIN.ms);
    assert_int_equal(strlen(world_text(&world, "events.0.eventId")), 56);
    assert_int_equal(world_length(&world, "searchedLogStreams"), 0);
    world_end(&world);
}

static void an_event_is_unseen_until_it_is_ingested(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{'settings': {'ingestion_delay_ms': 20000}, "
                        "'log_groups': [{'name': '/g', 'streams': ['s']}]}");
    world_call(&world, "logs", "PutLogEvents",
               "{'logGroupName': '/g', 'logStreamName': 's', 'logEvents': "
               "[{'timestamp': %" PRId64 ", 'message': 'late'}]}",
               world.now.ms);
    world.now.ms += 19999;
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/g'}");
    assert_int_equal(world_length(&world, "events"), 0);
    world.now.ms += 1;
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/g'}");
    assert_int_equal(world_length(&world, "events"), 1);
    world_end(&world);
}

static void events_are_in_order_of_time_however_they_came(void **state)
{
    struct world world;
    char all[64];
    (void)state;
    world_begin(&world, GROUP);
    world_event(&world, "/ecs/gateway", 3000, "b");
    world_event(&world, "/ecs/gateway", 1000, "d");
    world_event(&world, "/ecs/gateway", 4000, "a");
    world_event(&world, "/ecs/gateway", 2000, "c");
    world_event(&world, "/ecs/gateway", 1000, "e");
    assert_string_equal(read_all(&world, "'logGroupName': '/ecs/gateway'", all, sizeof(all)),
                        "abcde");
    assert_string_equal(
        read_all(&world, "'logGroupName': '/ecs/gateway', 'startFromHead': false, 'limit': 2", all,
                 sizeof(all)),
        "ed/cb/a");
    world_end(&world);
}

static void both_ends_of_the_range_are_within(void **state)
{
    struct world world;
    char parameters[160], all[64];
    (void)state;
    world_begin(&world, GROUP);
    for (int i = 0; i < 5; i++)
        world_event(&world, "/ecs/gateway", 5000 - 1000 * i, (const char[]){(char)('a' + i), 0});
    snprintf(parameters, sizeof(parameters),
             "'logGroupName': '/ecs/gateway', 'startTime': %" PRId64 ", 'endTime': %" PRId64,
             world.now.ms - 4000, world.now.ms - 2000);
    assert_string_equal(read_all(&world, parameters, all, sizeof(all)), "bcd");
    world_end(&world);
}

static void pages_end_at_the_limit(void **state)
{
    struct world world;
    char all[64];
    (void)state;
    world_begin(&world, "{'settings': {'page_events': 3}, 'log_groups': [{'name': '/g'}]}");
    for (int i = 0; i < 7; i++)
        world_event(&world, "/g", 7000 - 1000 * i, (const char[]){(char)('a' + i), 0});
    assert_string_equal(read_all(&world, "'logGroupName': '/g'", all, sizeof(all)), "abc/def/g");
    assert_string_equal(read_all(&world, "'logGroupName': '/g', 'limit': 2", all, sizeof(all)),
                        "ab/cd/ef/g");
    assert_string_equal(read_all(&world, "'logGroupName': '/g', 'limit': 7", all, sizeof(all)),
                        "abc/def/g");
    world_end(&world);
}

static void a_rare_match_has_empty_pages_before_it(void **state)
{
    struct world world;
    char all[64];
    (void)state;
    world_begin(&world, "{'settings': {'page_scan': 10}, 'log_groups': [{'name': '/g'}]}");
    for (int i = 0; i < 35; i++)
        world_event(&world, "/g", 100000 - 1000 * i, i == 32 ? "rare" : "common");
    assert_string_equal(
        read_all(&world, "'logGroupName': '/g', 'filterPattern': 'rare'", all, sizeof(all)),
        "///rare");
    world_end(&world);
}

static void empty_pages_can_be_asked_for(void **state)
{
    struct world world;
    char all[64];
    (void)state;
    world_begin(&world, "{'settings': {'empty_pages': 2}, 'log_groups': [{'name': '/g'}]}");
    world_event(&world, "/g", 1000, "x");
    assert_string_equal(read_all(&world, "'logGroupName': '/g'", all, sizeof(all)), "//x");
    world_end(&world);
}

static void a_page_holds_a_megabyte(void **state)
{
    struct world world;
    static char message[300001];
    (void)state;
    memset(message, 'm', 300000);
    world_begin(&world, GROUP);
    for (int i = 0; i < 7; i++)
        world_event(&world, "/ecs/gateway", 7000 - i, message);
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/ecs/gateway'}");
    assert_int_equal(world_length(&world, "events"), 3);
    assert_non_null(world_text(&world, "nextToken"));
    world_end(&world);
}

static void events_between_pages_neither_repeat_nor_shift(void **state)
{
    struct world world;
    char token[256];
    (void)state;
    world_begin(&world, GROUP);
    for (int i = 0; i < 4; i++)
        world_event(&world, "/ecs/gateway", 4000 - 1000 * i, (const char[]){(char)('a' + i), 0});
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/ecs/gateway', 'limit': 2}");
    snprintf(token, sizeof(token), "%s", world_text(&world, "nextToken"));
    world_event(&world, "/ecs/gateway", 3500, "early");
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/ecs/gateway', 'limit': 2, 'nextToken': '%s'}", token);
    assert_string_equal(world_text(&world, "events.0.message"), "c");
    assert_string_equal(world_text(&world, "events.1.message"), "d");
    world_end(&world);
}

static void a_token_is_good_for_its_own_search_and_a_day(void **state)
{
    struct world world;
    char token[256];
    (void)state;
    world_begin(&world, GROUP);
    for (int i = 0; i < 4; i++)
        world_event(&world, "/ecs/gateway", 4000, "x");
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/ecs/gateway', 'limit': 2}");
    snprintf(token, sizeof(token), "%s", world_text(&world, "nextToken"));

    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/ecs/gateway', 'filterPattern': 'x', 'nextToken': '%s'}", token);
    assert_string_equal(world_error(&world), "InvalidParameterException");
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/ecs/gateway', 'nextToken': 'made-up'}");
    assert_string_equal(world_error(&world), "InvalidParameterException");
    token[20] = token[20] == 'a' ? 'b' : 'a';
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/ecs/gateway', 'nextToken': '%s'}", token);
    assert_string_equal(world_error(&world), "InvalidParameterException");

    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/ecs/gateway', 'limit': 2}");
    snprintf(token, sizeof(token), "%s", world_text(&world, "nextToken"));
    world.now.ms += MS_PER_DAY + 1;
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/ecs/gateway', 'nextToken': '%s'}", token);
    assert_string_equal(world_error(&world), "InvalidParameterException");
    world_end(&world);
}

static void streams_can_be_chosen(void **state)
{
    struct world world;
    char all[64];
    (void)state;
    world_begin(&world, "{'log_groups': [{'name': '/g', 'events': ["
                        "{'ago_ms': 3000, 'message': 'a', 'stream': 'api/1'},"
                        "{'ago_ms': 2000, 'message': 'b', 'stream': 'api/2'},"
                        "{'ago_ms': 1000, 'message': 'c', 'stream': 'web/1'}]}]}");
    assert_string_equal(read_all(&world,
                                 "'logGroupName': '/g', 'logStreamNames': ['api/1','web/1']", all,
                                 sizeof(all)),
                        "ac");
    assert_string_equal(
        read_all(&world, "'logGroupName': '/g', 'logStreamNamePrefix': 'api/'", all, sizeof(all)),
        "ab");
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/g', 'logStreamNames': ['nope']}");
    assert_string_equal(world_error(&world), "ResourceNotFoundException");
    world_end(&world);
}

static void an_arn_names_the_group_too(void **state)
{
    struct world world;
    char all[64];
    (void)state;
    world_begin(&world, GROUP);
    world_event(&world, "/ecs/gateway", 1000, "x");
    assert_string_equal(read_all(&world,
                                 "'logGroupIdentifier': "
                                 "'arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/gateway'",
                                 all, sizeof(all)),
                        "x");
    world_call(
        &world, "logs", "FilterLogEvents",
        "{'logGroupIdentifier': 'arn:aws:logs:us-east-1:123456789012:log-group:/ecs/gateway'}");
    assert_string_equal(world_error(&world), "ResourceNotFoundException");
    world_end(&world);
}

struct refusal {
    const char *parameters, *code;
};

static void check_refusals(struct world *world, const char *operation,
                           const struct refusal *refusals, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        world_call(world, "logs", operation, "%s", refusals[i].parameters);
        if (world->status != 400 || strcmp(world_error(world), refusals[i].code) != 0)
            fail_msg("%s %s: %d %s", operation, refusals[i].parameters, world->status,
                     world->response.body);
        assert_true(world_text(world, "message") || world_text(world, "Message"));
    }
}

static void bad_searches_are_refused(void **state)
{
    static const struct refusal refusals[] = {
        {"{}", "InvalidParameterException"},
        {"{'logGroupName': '/nope'}", "ResourceNotFoundException"},
        {"{'logGroupName': ''}", "InvalidParameterException"},
        {"{'logGroupName': 'a b'}", "InvalidParameterException"},
        {"{'logGroupName': 7}", "SerializationException"},
        {"{'logGroupName': '/g', 'logGroupIdentifier': '/g'}", "InvalidParameterException"},
        {"{'logGroupName': '/g', 'startTime': -1}", "InvalidParameterException"},
        {"{'logGroupName': '/g', 'startTime': 2, 'endTime': 1}", "InvalidParameterException"},
        {"{'logGroupName': '/g', 'startTime': 'x'}", "SerializationException"},
        {"{'logGroupName': '/g', 'limit': 0}", "InvalidParameterException"},
        {"{'logGroupName': '/g', 'limit': 10001}", "InvalidParameterException"},
        {"{'logGroupName': '/g', 'filterPattern': 'a/b'}", "InvalidParameterException"},
        {"{'logGroupName': '/g', 'logStreamNames': []}", "InvalidParameterException"},
        {"{'logGroupName': '/g', 'logStreamNames': [1]}", "SerializationException"},
        {"{'logGroupName': '/g', 'logStreamNames': ['s'], 'logStreamNamePrefix': 's'}",
         "InvalidParameterException"},
        {"{'logGroupName': '/rare'}", "InvalidParameterException"},
    };
    struct world world;
    (void)state;
    world_begin(&world, "{'log_groups': [{'name': '/g', 'streams': ['s']},"
                        "{'name': '/rare', 'class': 'INFREQUENT_ACCESS'}]}");
    check_refusals(&world, "FilterLogEvents", refusals, ARRAY_LENGTH(refusals));
    world_end(&world);
}

static void a_pattern_may_have_1024_characters(void **state)
{
    struct world world;
    char pattern[1100];
    (void)state;
    world_begin(&world, GROUP);
    memset(pattern, 'p', sizeof(pattern));
    pattern[1024] = '\0';
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/ecs/gateway', 'filterPattern': '%s'}", pattern);
    assert_int_equal(world.status, 200);
    pattern[1024] = 'p';
    pattern[1025] = '\0';
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/ecs/gateway', 'filterPattern': '%s'}", pattern);
    assert_string_equal(world_error(&world), "InvalidParameterException");
    world_end(&world);
}

static void batches_are_checked_whole(void **state)
{
    static const struct refusal refusals[] = {
        {"{'logGroupName': '/g', 'logStreamName': 's'}", "InvalidParameterException"},
        {"{'logGroupName': '/g', 'logStreamName': 's', 'logEvents': []}",
         "InvalidParameterException"},
        {"{'logGroupName': '/no', 'logStreamName': 's', 'logEvents': "
         "[{'timestamp': 1, 'message': 'x'}]}",
         "ResourceNotFoundException"},
        {"{'logGroupName': '/g', 'logStreamName': 'no', 'logEvents': "
         "[{'timestamp': 1, 'message': 'x'}]}",
         "ResourceNotFoundException"},
        {"{'logGroupName': '/g', 'logStreamName': 's', 'logEvents': "
         "[{'timestamp': 1, 'message': ''}]}",
         "InvalidParameterException"},
        {"{'logGroupName': '/g', 'logStreamName': 's', 'logEvents': [{'message': 'x'}]}",
         "InvalidParameterException"},
        {"{'logGroupName': '/g', 'logStreamName': 's', 'logEvents': "
         "[{'timestamp': 2, 'message': 'x'}, {'timestamp': 1, 'message': 'y'}]}",
         "InvalidParameterException"},
        {"{'logGroupName': '/g', 'logStreamName': 's', 'logEvents': "
         "[{'timestamp': 1, 'message': 'x'}, {'timestamp': 86400002, 'message': 'y'}]}",
         "InvalidParameterException"},
    };
    struct world world;
    (void)state;
    world_begin(&world, "{'log_groups': [{'name': '/g', 'streams': ['s']}]}");
    check_refusals(&world, "PutLogEvents", refusals, ARRAY_LENGTH(refusals));
    assert_int_equal(sim_log_group_find(world.sim, "/g")->n_events, 0);
    world_end(&world);
}

static void events_too_old_or_too_new_are_left_out(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{'log_groups': [{'name': '/g', 'streams': ['s']}]}");
    world_call(&world, "logs", "PutLogEvents",
               "{'logGroupName': '/g', 'logStreamName': 's', 'logEvents': "
               "[{'timestamp': %" PRId64 ", 'message': 'old'}]}",
               world.now.ms - 15 * MS_PER_DAY);
    assert_int_equal(world_number(&world, "rejectedLogEventsInfo.tooOldLogEventEndIndex"), 1);
    world_call(&world, "logs", "PutLogEvents",
               "{'logGroupName': '/g', 'logStreamName': 's', 'logEvents': "
               "[{'timestamp': %" PRId64 ", 'message': 'now'},"
               " {'timestamp': %" PRId64 ", 'message': 'new'}]}",
               world.now.ms, world.now.ms + 3 * MS_PER_HOUR);
    assert_int_equal(world_number(&world, "rejectedLogEventsInfo.tooNewLogEventStartIndex"), 1);
    assert_int_equal(sim_log_group_find(world.sim, "/g")->n_events, 1);
    world_end(&world);
}

static void groups_and_streams_are_made_listed_and_deleted(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{}");
    for (int i = 0; i < 60; i++)
        world_call(&world, "logs", "CreateLogGroup", "{'logGroupName': '/a/%02d'}", i);
    world_call(&world, "logs", "CreateLogGroup",
               "{'logGroupName': '/b', 'logGroupClass': 'INFREQUENT_ACCESS'}");
    world_call(&world, "logs", "CreateLogGroup", "{'logGroupName': '/b'}");
    assert_string_equal(world_error(&world), "ResourceAlreadyExistsException");
    world_call(&world, "logs", "CreateLogGroup", "{'logGroupName': 'not so'}");
    assert_string_equal(world_error(&world), "InvalidParameterException");
    world_call(&world, "logs", "CreateLogGroup",
               "{'logGroupName': '/c', 'logGroupClass': 'CHEAP'}");
    assert_string_equal(world_error(&world), "InvalidParameterException");

    world_call(&world, "logs", "DescribeLogGroups", "{'logGroupNamePrefix': '/a/'}");
    assert_int_equal(world_length(&world, "logGroups"), 50);
    assert_string_equal(world_text(&world, "logGroups.0.logGroupName"), "/a/00");
    char token[256];
    snprintf(token, sizeof(token), "%s", world_text(&world, "nextToken"));
    world_call(&world, "logs", "DescribeLogGroups",
               "{'logGroupNamePrefix': '/a/', 'nextToken': '%s'}", token);
    assert_int_equal(world_length(&world, "logGroups"), 10);
    assert_null(world_text(&world, "nextToken"));
    world_call(&world, "logs", "DescribeLogGroups", "{'logGroupClass': 'INFREQUENT_ACCESS'}");
    assert_int_equal(world_length(&world, "logGroups"), 1);
    assert_string_equal(world_text(&world, "logGroups.0.logGroupClass"), "INFREQUENT_ACCESS");
    world_call(&world, "logs", "DescribeLogGroups", "{'logGroupNamePattern': 'A/1'}");
    assert_int_equal(world_length(&world, "logGroups"), 10);

    world_call(&world, "logs", "CreateLogStream", "{'logGroupName': '/b', 'logStreamName': 'a:b'}");
    assert_string_equal(world_error(&world), "InvalidParameterException");
    world_call(&world, "logs", "CreateLogStream", "{'logGroupName': '/b', 'logStreamName': 's'}");
    world_call(&world, "logs", "CreateLogStream", "{'logGroupName': '/b', 'logStreamName': 's'}");
    assert_string_equal(world_error(&world), "ResourceAlreadyExistsException");
    world_call(&world, "logs", "DeleteLogGroup", "{'logGroupName': '/b'}");
    assert_int_equal(world.status, 200);
    world_call(&world, "logs", "DeleteLogGroup", "{'logGroupName': '/b'}");
    assert_string_equal(world_error(&world), "ResourceNotFoundException");
    world_end(&world);
}

static void streams_are_listed_by_name_or_by_time(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{'log_groups': [{'name': '/g', 'events': ["
                        "{'ago_ms': 1000, 'message': 'x', 'stream': 'a'},"
                        "{'ago_ms': 3000, 'message': 'x', 'stream': 'c'},"
                        "{'ago_ms': 2000, 'message': 'x', 'stream': 'b'}]}]}");
    world_call(&world, "logs", "DescribeLogStreams", "{'logGroupName': '/g'}");
    assert_string_equal(world_text(&world, "logStreams.0.logStreamName"), "a");
    world_call(&world, "logs", "DescribeLogStreams",
               "{'logGroupName': '/g', 'orderBy': 'LastEventTime', 'descending': true}");
    assert_string_equal(world_text(&world, "logStreams.0.logStreamName"), "a");
    assert_string_equal(world_text(&world, "logStreams.2.logStreamName"), "c");
    assert_int_equal(world_number(&world, "logStreams.2.lastEventTimestamp"), world.now.ms - 3000);
    world_call(&world, "logs", "DescribeLogStreams",
               "{'logGroupName': '/g', 'orderBy': 'LastEventTime', 'logStreamNamePrefix': 'a'}");
    assert_string_equal(world_error(&world), "InvalidParameterException");
    world_end(&world);
}

static void bytes_that_are_no_text_become_replacement_characters(void **state)
{
    struct world world;
    static const char message[] = "a\xff\0b\xc3\xa9\xed\xa0\x80\xf4\x90\x80\x80z";
    (void)state;
    world_begin(&world, GROUP);
    struct sim_log_group *group = sim_log_group_find(world.sim, "/ecs/gateway");
    assert_int_equal(sim_event_put(world.sim, group, "stream", world.now, world.now, message,
                                   sizeof(message) - 1),
                     0);
    assert_string_equal(group->events[0].message,
                        "a\ufffd\ufffdb\u00e9\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffdz");
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/ecs/gateway'}");
    assert_int_equal(world_length(&world, "events"), 1);
    world_end(&world);
}

static void old_events_can_be_thrown_away(void **state)
{
    struct world world;
    static char message[100000];
    (void)state;
    memset(message, 'm', sizeof(message) - 1);
    world_begin(&world, GROUP);
    for (int i = 0; i < 20; i++)
        world_event(&world, "/ecs/gateway", 20000 - 1000 * i, message);
    struct sim_log_group *group = sim_log_group_find(world.sim, "/ecs/gateway");
    assert_int_equal(sim_events_trim(group, wall_add(world.now, -5000)), 15);
    assert_int_equal(group->n_events, 5);
    assert_int_equal(group->stored_bytes, 5 * (99999 + 26));
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/ecs/gateway', 'filterPattern': 'mmm'}");
    assert_int_equal(world_length(&world, "events"), 5);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_comes_back_as_it_was_put),
        cmocka_unit_test(an_event_is_unseen_until_it_is_ingested),
        cmocka_unit_test(events_are_in_order_of_time_however_they_came),
        cmocka_unit_test(both_ends_of_the_range_are_within),
        cmocka_unit_test(pages_end_at_the_limit),
        cmocka_unit_test(a_rare_match_has_empty_pages_before_it),
        cmocka_unit_test(empty_pages_can_be_asked_for),
        cmocka_unit_test(a_page_holds_a_megabyte),
        cmocka_unit_test(events_between_pages_neither_repeat_nor_shift),
        cmocka_unit_test(a_token_is_good_for_its_own_search_and_a_day),
        cmocka_unit_test(streams_can_be_chosen),
        cmocka_unit_test(an_arn_names_the_group_too),
        cmocka_unit_test(bad_searches_are_refused),
        cmocka_unit_test(a_pattern_may_have_1024_characters),
        cmocka_unit_test(batches_are_checked_whole),
        cmocka_unit_test(events_too_old_or_too_new_are_left_out),
        cmocka_unit_test(groups_and_streams_are_made_listed_and_deleted),
        cmocka_unit_test(streams_are_listed_by_name_or_by_time),
        cmocka_unit_test(bytes_that_are_no_text_become_replacement_characters),
        cmocka_unit_test(old_events_can_be_thrown_away),
    };
    return cmocka_run_group_tests_name("sim: CloudWatch Logs", tests, NULL, NULL);
}
