/* SPDX-License-Identifier: MIT */

/* Every fault does what its name says, as often as told, and is counted. */

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

#include "src/cleanup.h"
#include "tests/support/sim_world.h"

#define WORLD                                                               \
    "{'log_groups': [{'name': '/g', 'events': ["                            \
    "  {'ago_ms': 3000, 'message': 'a'}, {'ago_ms': 2000, 'message': 'b'}," \
    "  {'ago_ms': 1000, 'message': 'c'}]}],"                                \
    " 'clusters': [{'name': 'staging', 'services': ["                       \
    "  {'name': 'api', 'desired': 2}, {'name': 'web', 'desired': 1}]}]}"

static void search(struct world *world)
{
    world_call(world, "logs", "FilterLogEvents", "{'logGroupName': '/g'}");
}

static void describe(struct world *world)
{
    world_call(world, "ecs", "DescribeServices",
               "{'cluster': 'staging', 'services': "
               "['api', 'web']}");
}

static void errors_in_place_of_the_answer(void **state)
{
    static const struct {
        enum sim_fault_kind kind;
        int status;
        const char *code;
    } cases[] = {
        {SIM_FAULT_THROTTLE, 400, "ThrottlingException"},
        {SIM_FAULT_HTTP_500, 500, "InternalFailure"},
        {SIM_FAULT_HTTP_503, 503, "ServiceUnavailableException"},
        {SIM_FAULT_ACCESS_DENIED, 400, "AccessDeniedException"},
        {SIM_FAULT_EXPIRED_TOKEN, 400, "ExpiredTokenException"},
        {SIM_FAULT_NOT_FOUND, 400, "ResourceNotFoundException"},
        {SIM_FAULT_INVALID_PARAMETER, 400, "InvalidParameterException"},
    };
    struct world world;
    (void)state;
    world_begin(&world, WORLD);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        world_fault(&world, cases[i].kind, "FilterLogEvents", 0);
        describe(&world);
        assert_int_equal(world.status, 200);
        search(&world);
        assert_int_equal(world.status, cases[i].status);
        assert_string_equal(world_error(&world), cases[i].code);
        assert_int_equal(sim_faults_fired(world.sim, cases[i].kind), 1);
        search(&world);
        assert_int_equal(world.status, 200);
    }
    world_end(&world);
}

static void an_error_means_that_nothing_was_done(void **state)
{
    struct world world;
    struct sim_service_truth truth;
    (void)state;
    world_begin(&world, WORLD);
    world_fault(&world, SIM_FAULT_HTTP_500, "UpdateService", 0);
    world_fault(&world, SIM_FAULT_NOT_FOUND, "UpdateService", 0);
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'api', 'desiredCount': 0}");
    assert_string_equal(world_error(&world), "ServerException");
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'api', 'desiredCount': 0}");
    assert_string_equal(world_error(&world), "ServiceNotFoundException");
    sim_service_truth(world.sim, world_service(&world, "staging", "api"), world.now, &truth);
    assert_int_equal(truth.desired, 2);
    world_end(&world);
}

static void gateways_and_connections_fail(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, WORLD);
    world_fault(&world, SIM_FAULT_HTTP_502, NULL, 0);
    search(&world);
    assert_int_equal(world.status, 502);
    assert_string_equal(world_header(&world, "Content-Type"), "text/html");
    assert_null(world.answer);

    world_fault(&world, SIM_FAULT_REFUSE, NULL, 0);
    search(&world);
    assert_int_equal(world.response.delivery, SIM_REFUSE);
    assert_int_equal(sim_history_get(world.sim, sim_history_newest(world.sim))->status, 0);

    world_fault(&world, SIM_FAULT_RESET, NULL, 0);
    search(&world);
    assert_int_equal(world.response.delivery, SIM_RESET);
    assert_true(world.response.cut_after < world.response.body_size);

    world_fault(&world, SIM_FAULT_STALL, NULL, 0);
    search(&world);
    assert_int_equal(world.response.delivery, SIM_STALL);
    assert_true(world.response.cut_after < world.response.body_size);

    world_fault(&world, SIM_FAULT_TRICKLE, NULL, 0);
    search(&world);
    assert_int_equal(world.response.delivery, SIM_TRICKLE);

    world_fault(&world, SIM_FAULT_WRONG_CONTENT_LENGTH, NULL, 0);
    search(&world);
    assert_int_equal(world.response.content_length_override, world.response.body_size + 100);
    search(&world);
    assert_int_equal(world.response.content_length_override, -1);
    world_end(&world);
}

static void bodies_are_spoilt(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, WORLD);
    search(&world);
    size_t whole = world.response.body_size;

    world_fault(&world, SIM_FAULT_TRUNCATE, NULL, 0);
    search(&world);
    assert_int_equal(world.response.body_size, whole / 2);
    assert_null(world.answer);

    world_fault(&world, SIM_FAULT_DUPLICATE, NULL, 0);
    search(&world);
    assert_int_equal(world.response.body_size, 2 * whole);
    assert_null(world.answer);

    world_fault(&world, SIM_FAULT_REORDER, NULL, 0);
    world_call(&world, "ecs", "DescribeServices",
               "{'cluster': 'staging', 'services': ['api', 'no-such']}");
    assert_string_equal(world_text(&world, "services.0.serviceName"), "api");
    assert_string_equal(world_text(&world, "failures.0.reason"), "MISSING");
    assert_true(strstr(world.response.body, "failures") < strstr(world.response.body, "services"));
    world_fault(&world, SIM_FAULT_REORDER, NULL, 0);
    search(&world);
    assert_string_equal(world_text(&world, "events.2.message"), "a");

    world_fault(&world, SIM_FAULT_GARBAGE, NULL, 0);
    search(&world);
    assert_int_equal(world.status, 200);
    assert_null(world.answer);

    world_fault(&world, SIM_FAULT_ERROR_IN_200, NULL, 0);
    search(&world);
    assert_int_equal(world.status, 200);
    assert_string_equal(world_error(&world), "InternalFailure");

    world_fault(&world, SIM_FAULT_WRONG_TYPES, NULL, 0);
    search(&world);
    assert_string_equal(world_text(&world, "events"), "nothing");
    world_fault(&world, SIM_FAULT_WRONG_TYPES, NULL, 0);
    world_call(&world, "logs", "DescribeLogGroups", "{'limit': 1, 'logGroupNamePrefix': '/zz'}");
    assert_string_equal(world_text(&world, "logGroups"), "nothing");

    world_fault(&world, SIM_FAULT_WRONG_TYPES, NULL, 0);
    world_call(&world, "logs", "StartQuery",
               "{'logGroupName': '/g', 'startTime': 1772374000, 'endTime': 1772374805, "
               "'queryString': 'limit 1'}");
    assert_int_equal(world_number(&world, "queryId"), 42);
    world_fault(&world, SIM_FAULT_WRONG_TYPES, "UpdateService", 0);
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'api', 'desiredCount': 2}");
    assert_int_equal(world_length(&world, "service"), 0);

    world_fault(&world, SIM_FAULT_DUPLICATE, NULL, 0);
    search(&world);
    assert_int_equal(world.response.body_size, 2 * whole);
    assert_null(world.answer);

    world_fault(&world, SIM_FAULT_REORDER, NULL, 0);
    search(&world);
    assert_int_equal(world.response.body_size, whole);
    assert_string_equal(world_text(&world, "events.0.message"), "c");

    world_fault(&world, SIM_FAULT_HUGE, NULL, 1000000);
    search(&world);
    assert_true(world.response.body_size > 1000000);
    assert_non_null(world.answer);

    world_fault(&world, SIM_FAULT_DEEP, NULL, 0);
    search(&world);
    assert_int_equal(world.response.body_size, 200000);
    assert_null(world.answer);
    world_end(&world);
}

static void time_goes_wrong(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, WORLD);
    search(&world);
    assert_string_equal(world_header(&world, "Date"), "Sun, 01 Mar 2026 14:20:05 GMT");
    world_fault(&world, SIM_FAULT_SKEWED_DATE, NULL, 7 * MS_PER_MINUTE);
    world_fault(&world, SIM_FAULT_LATENCY, NULL, 1500);
    search(&world);
    assert_string_equal(world_header(&world, "Date"), "Sun, 01 Mar 2026 14:27:05 GMT");
    assert_int_equal(world.response.latency_ms, 1500);
    search(&world);
    assert_int_equal(world.response.latency_ms, 0);
    world_end(&world);
}

static void pages_go_wrong(void **state)
{
    struct world world;
    char token[256];
    (void)state;
    world_begin(&world, WORLD);

    world_fault(&world, SIM_FAULT_EMPTY_PAGES, NULL, 1);
    search(&world);
    assert_int_equal(world_length(&world, "events"), 0);
    snprintf(token, sizeof(token), "%s", world_text(&world, "nextToken"));

    world_fault(&world, SIM_FAULT_TOKEN_LOOP, NULL, 0);
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/g', 'nextToken': '%s'}",
               token);
    assert_int_equal(world_length(&world, "events"), 3);
    assert_string_equal(world_text(&world, "nextToken"), token);

    world_fault(&world, SIM_FAULT_TOKEN_EXPIRES, NULL, 0);
    search(&world);
    assert_int_equal(world.status, 200); /* no token was sent: the fault waits */
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/g', 'nextToken': '%s'}",
               token);
    assert_string_equal(world_error(&world), "InvalidParameterException");

    world_fault(&world, SIM_FAULT_DUPLICATE_EVENTS, NULL, 0);
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/g', 'filterPattern': 'nothing'}");
    assert_int_equal(world_length(&world, "events"), 0);
    assert_int_equal(sim_faults_fired(world.sim, SIM_FAULT_DUPLICATE_EVENTS), 0);
    search(&world);
    assert_int_equal(world_length(&world, "events"), 4);
    assert_string_equal(world_text(&world, "events.0.eventId"),
                        world_text(&world, "events.3.eventId"));
    world_end(&world);
}

static void a_duplicate_comes_from_the_page_before(void **state)
{
    struct world world;
    char token[256];
    (void)state;
    world_begin(&world, WORLD);
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/g', 'limit': 2}");
    snprintf(token, sizeof(token), "%s", world_text(&world, "nextToken"));
    world_fault(&world, SIM_FAULT_DUPLICATE_EVENTS, NULL, 0);
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupName': '/g', 'limit': 2, 'nextToken': '%s'}", token);
    assert_string_equal(world_text(&world, "events.0.message"), "c");
    assert_string_equal(world_text(&world, "events.1.message"), "b");
    world_end(&world);
}

static void updates_go_wrong(void **state)
{
    struct world world;
    struct sim_service_truth truth;
    (void)state;
    world_begin(&world, WORLD);
    struct sim_service *api = world_service(&world, "staging", "api");

    world_fault(&world, SIM_FAULT_UPDATE_ANSWER_LOST, NULL, 0);
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'api', 'desiredCount': 0}");
    assert_int_equal(world.response.delivery, SIM_RESET);
    assert_int_equal(world.response.cut_after, 0);
    sim_service_truth(world.sim, api, world.now, &truth);
    assert_int_equal(truth.desired, 0);
    const struct sim_call_record *record =
        sim_history_get(world.sim, sim_history_newest(world.sim));
    assert_int_equal(record->status, 200);

    world_fault(&world, SIM_FAULT_UPDATE_UNDONE, NULL, 20000);
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'api', 'desiredCount': 0}");
    assert_int_equal(sim_faults_fired(world.sim, SIM_FAULT_UPDATE_UNDONE), 0); /* no change */
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'api', 'desiredCount': 3}");
    assert_int_equal(world_number(&world, "service.desiredCount"), 3);
    sim_service_truth(world.sim, api, wall_add(world.now, 20000), &truth);
    assert_int_equal(truth.desired, 0);
    world_end(&world);
}

static void reads_go_wrong_for_one_service_of_two(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, WORLD);
    struct sim_fault_rule rule = SIM_FAULT_RULE(SIM_FAULT_MISSING);
    rule.match = "web";
    assert_int_equal(sim_fault_add(world.sim, &rule, NULL), 0);
    describe(&world);
    assert_int_equal(world_length(&world, "services"), 1);
    assert_string_equal(world_text(&world, "services.0.serviceName"), "api");
    assert_int_equal(world_length(&world, "failures"), 1);
    describe(&world);
    assert_int_equal(world_length(&world, "services"), 2);

    world.now.ms += MS_PER_HOUR;
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'web', 'desiredCount': 5}");
    rule = SIM_FAULT_RULE(SIM_FAULT_STALE);
    rule.match = "web";
    rule.value = 60000;
    assert_int_equal(sim_fault_add(world.sim, &rule, NULL), 0);
    describe(&world);
    assert_int_equal(world_number(&world, "services.1.desiredCount"), 1);
    describe(&world);
    assert_int_equal(world_number(&world, "services.1.desiredCount"), 5);
    world_end(&world);
}

static void a_rule_says_when_where_and_how_often(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{'log_groups': [{'name': '/g'}, {'name': '/h'}]}");
    struct sim_fault_rule rule = SIM_FAULT_RULE(SIM_FAULT_THROTTLE);
    rule.operation = "FilterLogEvents";
    rule.match = "/h";
    rule.skip = 1;
    rule.count = 2;
    rule.from = wall_add(world.now, 1000);
    rule.until = wall_add(world.now, 5000);
    uint64_t id;
    assert_int_equal(sim_fault_add(world.sim, &rule, &id), 0);

    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/h'}");
    assert_int_equal(world.status, 200); /* too early: not even skipped */
    world.now.ms += 1000;
    search(&world);
    assert_int_equal(world.status, 200); /* another group */
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/h'}");
    assert_int_equal(world.status, 200); /* let pass */
    world_call(&world, "logs", "FilterLogEvents",
               "{'logGroupIdentifier': 'arn:aws:logs:eu-west-1:123456789012:log-group:/h'}");
    assert_int_equal(world.status, 400);
    assert_int_equal(sim_fault_at(world.sim, 0)->fired, 1);
    assert_int_equal(sim_fault_at(world.sim, 0)->rule.count, 1);
    world.now.ms += 4000;
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/h'}");
    assert_int_equal(world.status, 200); /* too late */
    assert_int_equal(sim_fault_remove(world.sim, id), 0);
    assert_int_equal(sim_fault_remove(world.sim, id), -ENOENT);

    rule = SIM_FAULT_RULE(SIM_FAULT_THROTTLE);
    rule.count = -1;
    assert_int_equal(sim_fault_add(world.sim, &rule, NULL), 0);
    for (int i = 0; i < 5; i++) {
        search(&world);
        assert_int_equal(world.status, 400);
    }
    sim_faults_clear(world.sim);
    search(&world);
    assert_int_equal(world.status, 200);
    assert_int_equal(sim_faults_fired(world.sim, SIM_FAULT_THROTTLE), 6);
    world_end(&world);
}

static void a_query_stands_for_its_groups(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, WORLD);
    world_call(&world, "logs", "StartQuery",
               "{'logGroupName': '/g', 'startTime': 1772374000, 'endTime': 1772374805, "
               "'queryString': 'limit 1'}");
    char id[SIM_REQUEST_ID_MAX];
    snprintf(id, sizeof(id), "%s", world_text(&world, "queryId"));
    struct sim_fault_rule rule = SIM_FAULT_RULE(SIM_FAULT_HTTP_500);
    rule.match = "/g";
    assert_int_equal(sim_fault_add(world.sim, &rule, NULL), 0);
    world_call(&world, "logs", "GetQueryResults", "{'queryId': '%s'}", id);
    assert_int_equal(world.status, 500);
    world_end(&world);
}

static int count_throttled(const char *scenario)
{
    struct world world;
    int n = 0;
    world_begin(&world, scenario);
    struct sim_fault_rule rule = SIM_FAULT_RULE(SIM_FAULT_THROTTLE);
    rule.count = -1;
    rule.probability = 0.25;
    assert_int_equal(sim_fault_add(world.sim, &rule, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        search(&world);
        n += world.status == 400;
    }
    world_end(&world);
    return n;
}

static void chance_is_the_same_for_the_same_seed(void **state)
{
    (void)state;
    int first = count_throttled("{'seed': 7, 'log_groups': [{'name': '/g'}]}");
    int again = count_throttled("{'seed': 7, 'log_groups': [{'name': '/g'}]}");
    int other = count_throttled("{'seed': 8, 'log_groups': [{'name': '/g'}]}");
    assert_int_equal(first, again);
    assert_true(first > 200 && first < 300);
    assert_true(other > 200 && other < 300);
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < SIM_N_FAULTS; kind++) {
        enum sim_fault_kind found;
        const char *name = sim_fault_name((enum sim_fault_kind)kind);
        assert_non_null(name);
        assert_int_equal(sim_fault_kind_from_name(name, &found), 0);
        assert_int_equal(found, kind);
    }
    enum sim_fault_kind found;
    assert_int_equal(sim_fault_kind_from_name("earthquake", &found), -ENOENT);
}

static void wrong_rules_are_refused(void **state)
{
    static const char *const rules[] = {
        "[]",
        "{}",
        "{\"kind\": \"earthquake\"}",
        "{\"kind\": 7}",
        "{\"kind\": \"throttle\", \"operation\": 1}",
        "{\"kind\": \"throttle\", \"match\": 1}",
        "{\"kind\": \"throttle\", \"count\": \"x\"}",
        "{\"kind\": \"throttle\", \"count\": -2}",
        "{\"kind\": \"throttle\", \"skip\": -1}",
        "{\"kind\": \"throttle\", \"probability\": 2}",
        "{\"kind\": \"throttle\", \"value\": []}",
        "{\"kind\": \"throttle\", \"since_ms\": 9000000000000000000}",
        "{\"kind\": \"throttle\", \"colour\": \"red\"}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        struct json_object *object = json_tokener_parse(rules[i]);
        struct sim_fault_rule rule;
        char *error = NULL;
        if (sim_fault_rule_parse(object, WORLD_BEGIN, &rule, &error) != -EINVAL)
            fail_msg("accepted: %s", rules[i]);
        assert_non_null(error);
        free(error);
        json_object_put(object);
    }
    struct json_object *object =
        json_tokener_parse("{\"kind\": \"latency\", \"value\": 5, \"since_ms\": 10, \"for_ms\": 20,"
                           " \"count\": -1, \"skip\": 3, \"probability\": 0.5, \"match\": \"m\"}");
    struct sim_fault_rule rule;
    assert_int_equal(sim_fault_rule_parse(object, WORLD_BEGIN, &rule, NULL), 0);
    assert_int_equal(rule.kind, SIM_FAULT_LATENCY);
    assert_int_equal(rule.from.ms, WORLD_BEGIN.ms + 10);
    assert_int_equal(rule.until.ms, WORLD_BEGIN.ms + 30);
    json_object_put(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_in_place_of_the_answer),
        cmocka_unit_test(an_error_means_that_nothing_was_done),
        cmocka_unit_test(gateways_and_connections_fail),
        cmocka_unit_test(bodies_are_spoilt),
        cmocka_unit_test(time_goes_wrong),
        cmocka_unit_test(pages_go_wrong),
        cmocka_unit_test(a_duplicate_comes_from_the_page_before),
        cmocka_unit_test(updates_go_wrong),
        cmocka_unit_test(reads_go_wrong_for_one_service_of_two),
        cmocka_unit_test(a_rule_says_when_where_and_how_often),
        cmocka_unit_test(a_query_stands_for_its_groups),
        cmocka_unit_test(chance_is_the_same_for_the_same_seed),
        cmocka_unit_test(every_kind_has_a_name),
        cmocka_unit_test(wrong_rules_are_refused),
    };
    return cmocka_run_group_tests_name("sim: faults", tests, NULL, NULL);
}
