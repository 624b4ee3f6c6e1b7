/* SPDX-License-Identifier: MIT */

/* ECS in the simulated AWS: services, and tasks that take their time. */

#include <errno.h>
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

#define STAGING                                                                               \
    "{'settings': {'task_start_ms': 30000, 'task_stop_ms': 5000},"                            \
    " 'clusters': [{'name': 'staging', 'services': ["                                         \
    "   {'name': 'api', 'desired': 2, 'log_group': '/ecs/gateway', 'tags': {'team': 'web'}}," \
    "   {'name': 'agent', 'desired': 1, 'strategy': 'DAEMON'},"                               \
    "   {'name': 'old', 'desired': 0, 'status': 'INACTIVE'},"                                 \
    "   {'name': 'going', 'desired': 0, 'status': 'DRAINING'}]}]}"

static void describe(struct world *world, const char *service)
{
    world_call(world, "ecs", "DescribeServices", "{'cluster': 'staging', 'services': ['%s']}",
               service);
    assert_int_equal(world->status, 200);
}

static void expect_counts(struct world *world, const char *service, int desired, int running,
                          int pending)
{
    describe(world, service);
    assert_int_equal(world_number(world, "services.0.desiredCount"), desired);
    assert_int_equal(world_number(world, "services.0.runningCount"), running);
    assert_int_equal(world_number(world, "services.0.pendingCount"), pending);
}

static void update(struct world *world, const char *service, int desired)
{
    world_call(world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': '%s', 'desiredCount': %d}", service, desired);
}

static void a_service_sleeps_and_wakes(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    expect_counts(&world, "api", 2, 2, 0);
    update(&world, "api", 0);
    assert_int_equal(world.status, 200);
    assert_int_equal(world_number(&world, "service.desiredCount"), 0);
    assert_int_equal(world_number(&world, "service.runningCount"), 2);
    world.now.ms += 4999;
    expect_counts(&world, "api", 0, 2, 0);
    world.now.ms += 1;
    expect_counts(&world, "api", 0, 0, 0);
    assert_string_equal(world_text(&world, "services.0.events.0.message"),
                        "(service api) has reached a steady state.");

    world.now.ms += MS_PER_HOUR;
    update(&world, "api", 3);
    assert_int_equal(world_number(&world, "service.pendingCount"), 3);
    world.now.ms += 29999;
    expect_counts(&world, "api", 3, 0, 3);
    world.now.ms += 1;
    expect_counts(&world, "api", 3, 3, 0);
    world_end(&world);
}

static void tasks_that_never_ran_stop_at_once(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    update(&world, "api", 4);
    world.now.ms += 1000;
    expect_counts(&world, "api", 4, 2, 2);
    update(&world, "api", 1);
    expect_counts(&world, "api", 1, 2, 0);
    world.now.ms += 5000;
    expect_counts(&world, "api", 1, 1, 0);
    world_end(&world);
}

static void the_shape_is_that_of_the_api(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    world_call(&world, "ecs", "DescribeServices",
               "{'cluster': 'arn:aws:ecs:eu-west-1:123456789012:cluster/staging', 'services': "
               "['arn:aws:ecs:eu-west-1:123456789012:service/staging/api'], 'include': ['TAGS']}");
    assert_string_equal(world_text(&world, "services.0.serviceArn"),
                        "arn:aws:ecs:eu-west-1:123456789012:service/staging/api");
    assert_string_equal(world_text(&world, "services.0.status"), "ACTIVE");
    assert_string_equal(world_text(&world, "services.0.schedulingStrategy"), "REPLICA");
    assert_string_equal(world_text(&world, "services.0.deploymentController.type"), "ECS");
    assert_string_equal(world_text(&world, "services.0.deployments.0.status"), "PRIMARY");
    assert_string_equal(world_text(&world, "services.0.deployments.0.rolloutState"), "COMPLETED");
    assert_string_equal(world_text(&world, "services.0.tags.0.key"), "team");
    assert_int_equal(world_length(&world, "failures"), 0);
    describe(&world, "api");
    assert_int_equal(world_length(&world, "services.0.tags"), -1);
    describe(&world, "agent");
    assert_string_equal(world_text(&world, "services.0.schedulingStrategy"), "DAEMON");
    describe(&world, "old");
    assert_string_equal(world_text(&world, "services.0.status"), "INACTIVE");
    world_end(&world);
}

static void what_is_missing_is_a_failure_not_an_error(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    world_call(&world, "ecs", "DescribeServices",
               "{'cluster': 'staging', 'services': ['api', 'nope', "
               "'arn:aws:ecs:eu-west-1:123456789012:service/other/api']}");
    assert_int_equal(world.status, 200);
    assert_int_equal(world_length(&world, "services"), 1);
    assert_int_equal(world_length(&world, "failures"), 2);
    assert_string_equal(world_text(&world, "failures.0.reason"), "MISSING");
    assert_string_equal(world_text(&world, "failures.0.arn"),
                        "arn:aws:ecs:eu-west-1:123456789012:service/staging/nope");
    world_end(&world);
}

static void refusals(void **state)
{
    static const struct {
        const char *operation, *parameters, *code;
    } cases[] = {
        {"DescribeServices", "{'cluster': 'staging'}", "InvalidParameterException"},
        {"DescribeServices", "{'cluster': 'staging', 'services': []}", "InvalidParameterException"},
        {"DescribeServices",
         "{'cluster': 'staging', 'services': ['1','2','3','4','5','6','7','8','9','10','11']}",
         "InvalidParameterException"},
        {"DescribeServices", "{'cluster': 'staging', 'services': 'api'}", "SerializationException"},
        {"DescribeServices", "{'cluster': 'nope', 'services': ['api']}",
         "ClusterNotFoundException"},
        {"DescribeServices", "{'services': ['api']}", "ClusterNotFoundException"},
        {"UpdateService", "{'cluster': 'staging', 'desiredCount': 1}", "InvalidParameterException"},
        {"UpdateService", "{'cluster': 'nope', 'service': 'api', 'desiredCount': 1}",
         "ClusterNotFoundException"},
        {"UpdateService", "{'cluster': 'staging', 'service': 'nope', 'desiredCount': 1}",
         "ServiceNotFoundException"},
        {"UpdateService", "{'cluster': 'staging', 'service': 'old', 'desiredCount': 1}",
         "ServiceNotActiveException"},
        {"UpdateService", "{'cluster': 'staging', 'service': 'going', 'desiredCount': 1}",
         "ServiceNotActiveException"},
        {"UpdateService", "{'cluster': 'staging', 'service': 'agent', 'desiredCount': 1}",
         "InvalidParameterException"},
        {"UpdateService", "{'cluster': 'staging', 'service': 'api', 'desiredCount': -1}",
         "InvalidParameterException"},
        {"UpdateService", "{'cluster': 'staging', 'service': 'api', 'desiredCount': '1'}",
         "SerializationException"},
        {"CreateService", "{'cluster': 'staging', 'serviceName': 'api'}",
         "InvalidParameterException"},
        {"DeleteService", "{'cluster': 'staging', 'service': 'api'}", "InvalidParameterException"},
        {"DeleteService", "{'cluster': 'staging', 'service': 'old'}", "ServiceNotActiveException"},
        {"TagResource",
         "{'resourceArn': 'arn:aws:ecs:eu-west-1:123456789012:service/api', 'tags': []}",
         "InvalidParameterException"},
        {"TagResource", "{'resourceArn': 'api', 'tags': []}", "InvalidParameterException"},
        {"ListTagsForResource",
         "{'resourceArn': 'arn:aws:ecs:eu-west-1:123456789012:service/staging/nope'}",
         "InvalidParameterException"},
        {"ListServices", "{'cluster': 'staging', 'maxResults': 101}", "InvalidParameterException"},
        {"ListServices", "{'cluster': 'staging', 'nextToken': 'x'}", "InvalidParameterException"},
    };
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        world_call(&world, "ecs", cases[i].operation, "%s", cases[i].parameters);
        if (world.status != 400 || strcmp(world_error(&world), cases[i].code) != 0)
            fail_msg("%s %s: %s", cases[i].operation, cases[i].parameters, world.response.body);
        assert_string_equal(world_header(&world, "x-amzn-ErrorType"), cases[i].code);
    }
    world_end(&world);
}

static void reads_may_be_stale(void **state)
{
    struct world world;
    bool old_seen = false, new_seen = false;
    (void)state;
    world_begin(&world, STAGING);
    assert_int_equal(sim_setting_set(world.sim, "stale_ms", 60000), 0);
    world.now.ms += MS_PER_HOUR;
    update(&world, "api", 0);
    world.now.ms += 30000;
    for (int i = 0; i < 50; i++) {
        describe(&world, "api");
        int64_t desired = world_number(&world, "services.0.desiredCount");
        old_seen = old_seen || desired == 2;
        new_seen = new_seen || desired == 0;
        assert_true(desired == 0 || world_number(&world, "services.0.runningCount") == 2);
    }
    assert_true(old_seen && new_seen);
    struct sim_service_truth truth;
    sim_service_truth(world.sim, world_service(&world, "staging", "api"), world.now, &truth);
    assert_int_equal(truth.desired, 0);
    assert_int_equal(truth.running, 0);
    world.now.ms += 60001;
    expect_counts(&world, "api", 0, 0, 0);
    world_end(&world);
}

static void people_and_autoscaling_change_things_too(void **state)
{
    struct world world;
    struct sim_service_truth truth;
    (void)state;
    world_begin(&world, STAGING);
    struct sim_service *api = world_service(&world, "staging", "api");
    assert_int_equal(sim_service_set_desired(world.sim, api, 5, world.now), 0);
    assert_int_equal(sim_service_set_desired_later(world.sim, api, 1, wall_add(world.now, 60000)),
                     0);
    assert_int_equal(sim_service_set_desired_later(world.sim, api, 4, wall_add(world.now, 40000)),
                     0);
    world.now.ms += 35000;
    expect_counts(&world, "api", 5, 5, 0);
    world.now.ms += 15000;
    expect_counts(&world, "api", 4, 4, 0);
    /* Nobody looked meanwhile; it happened at its own time all the same. */
    world.now.ms += 20000;
    sim_service_truth(world.sim, api, world.now, &truth);
    assert_int_equal(truth.desired, 1);
    assert_int_equal(truth.running, 1);
    assert_true(truth.steady);
    assert_int_equal(truth.changed.ms, WORLD_BEGIN.ms + 60000);
    assert_int_equal(sim_service_set_desired(world.sim, api, -1, world.now), -EINVAL);
    world_end(&world);
}

static void task_time_is_accounted(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    struct sim_service *api = world_service(&world, "staging", "api");
    world.now.ms += 100000;
    assert_int_equal(sim_service_task_ms(world.sim, api, world.now), 2 * 100000);
    update(&world, "api", 0); /* 5 s more each */
    world.now.ms += MS_PER_HOUR;
    assert_int_equal(sim_service_task_ms(world.sim, api, world.now), 2 * 105000);
    update(&world, "api", 1); /* runs from 30 s on */
    world.now.ms += 40000;
    assert_int_equal(sim_service_task_ms(world.sim, api, world.now), 2 * 105000 + 10000);
    world_end(&world);
}

static void requests_are_served_by_running_tasks_only(void **state)
{
    struct world world;
    bool served = false;
    (void)state;
    world_begin(&world, STAGING);
    struct sim_service *api = world_service(&world, "staging", "api");
    assert_int_equal(sim_request_arrives(world.sim, api, "GET /api/v1/ 200", world.now, &served),
                     0);
    assert_true(served);
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/ecs/gateway'}");
    assert_string_equal(world_text(&world, "events.0.message"), "GET /api/v1/ 200");
    assert_string_equal(world_text(&world, "events.0.logStreamName"), "api/1");

    update(&world, "api", 0);
    world.now.ms += 5000;
    assert_int_equal(sim_request_arrives(world.sim, api, "GET /", world.now, &served), 0);
    assert_false(served);
    update(&world, "api", 1);
    world.now.ms += 29999;
    assert_int_equal(sim_request_arrives(world.sim, api, "GET /", world.now, &served), 0);
    assert_false(served);
    world.now.ms += 1;
    assert_int_equal(sim_request_arrives(world.sim, api, "GET /", world.now, &served), 0);
    assert_true(served);
    assert_int_equal(world.sim->requests_served, 2);
    assert_int_equal(world.sim->requests_lost, 2);
    assert_int_equal(sim_log_group_find(world.sim, "/ecs/gateway")->n_events, 2);
    world_end(&world);
}

static void a_new_deployment_replaces_every_task(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    world.now.ms += MS_PER_MINUTE;
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'api', 'forceNewDeployment': true}");
    assert_int_equal(world_length(&world, "service.deployments"), 2);
    assert_string_equal(world_text(&world, "service.deployments.0.rolloutState"), "IN_PROGRESS");
    assert_string_equal(world_text(&world, "service.deployments.1.status"), "ACTIVE");
    expect_counts(&world, "api", 2, 2, 2);
    world.now.ms += 30000;
    expect_counts(&world, "api", 2, 4, 0);
    world.now.ms += 5000;
    expect_counts(&world, "api", 2, 2, 0);
    assert_int_equal(world_length(&world, "services.0.deployments"), 1);
    assert_string_equal(world_text(&world, "services.0.deployments.0.rolloutState"), "COMPLETED");
    world_end(&world);
}

static void services_are_created_and_deleted(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    world_call(&world, "ecs", "CreateService",
               "{'cluster': 'staging', 'serviceName': 'new', 'desiredCount': 1, "
               "'deploymentController': {'type': 'EXTERNAL'}, "
               "'tags': [{'key': 'a', 'value': 'b'}]}");
    assert_int_equal(world.status, 200);
    assert_string_equal(world_text(&world, "service.deploymentController.type"), "EXTERNAL");
    expect_counts(&world, "new", 1, 0, 1);
    world.now.ms += 30000;
    expect_counts(&world, "new", 1, 1, 0);
    world_call(&world, "ecs", "DeleteService",
               "{'cluster': 'staging', 'service': 'new', 'force': true}");
    assert_string_equal(world_text(&world, "service.status"), "DRAINING");
    world.now.ms += 5000;
    describe(&world, "new");
    assert_string_equal(world_text(&world, "services.0.status"), "INACTIVE");

    world_call(&world, "ecs", "CreateService",
               "{'cluster': 'staging', 'serviceName': 'new', 'desiredCount': 4}");
    assert_int_equal(world.status, 200);
    expect_counts(&world, "new", 4, 0, 4);
    world_end(&world);
}

static void a_person_can_drain_remove_and_recreate(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    struct sim_cluster *cluster = sim_cluster_find(world.sim, "staging");
    struct sim_service *api = world_service(&world, "staging", "api");
    assert_int_equal(sim_service_set_status(world.sim, api, SIM_DRAINING, world.now), 0);
    world.now.ms += MS_PER_HOUR;
    expect_counts(&world, "api", 0, 0, 0);
    assert_string_equal(world_text(&world, "services.0.status"), "DRAINING");
    struct sim_service_options options = {
        .name = "api", .desired = 7, .task_start_ms = -1, .task_stop_ms = -1};
    assert_int_equal(sim_service_add(world.sim, cluster, &options, world.now, NULL), -EEXIST);
    assert_int_equal(sim_service_remove(world.sim, cluster, "api"), 0);
    assert_int_equal(sim_service_remove(world.sim, cluster, "api"), -ENOENT);
    describe(&world, "api");
    assert_int_equal(world_length(&world, "failures"), 1);
    assert_int_equal(sim_service_add(world.sim, cluster, &options, world.now, NULL), 0);
    expect_counts(&world, "api", 7, 0, 7);
    world_end(&world);
}

static void lists_come_in_pages(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    world_call(&world, "ecs", "ListServices", "{'cluster': 'staging', 'maxResults': 1}");
    assert_int_equal(world_length(&world, "serviceArns"), 1);
    char token[256];
    snprintf(token, sizeof(token), "%s", world_text(&world, "nextToken"));
    world_call(&world, "ecs", "ListServices", "{'cluster': 'staging', 'nextToken': '%s'}", token);
    assert_int_equal(world_length(&world, "serviceArns"), 2); /* the INACTIVE one is not listed */
    world_call(&world, "ecs", "ListServices",
               "{'cluster': 'staging', 'schedulingStrategy': 'DAEMON'}");
    assert_int_equal(world_length(&world, "serviceArns"), 1);

    world_call(&world, "ecs", "CreateCluster", "{'clusterName': 'second'}");
    assert_string_equal(world_text(&world, "cluster.status"), "ACTIVE");
    world_call(&world, "ecs", "ListClusters", "{}");
    assert_int_equal(world_length(&world, "clusterArns"), 2);
    world_call(&world, "ecs", "DescribeClusters", "{'clusters': ['staging', 'nope']}");
    assert_int_equal(world_number(&world, "clusters.0.runningTasksCount"), 3);
    assert_int_equal(world_number(&world, "clusters.0.activeServicesCount"), 2);
    assert_string_equal(world_text(&world, "failures.0.reason"), "MISSING");
    world_end(&world);
}

static void tags_come_and_go(void **state)
{
    static const char arn[] = "arn:aws:ecs:eu-west-1:123456789012:service/staging/api";
    struct world world;
    (void)state;
    world_begin(&world, STAGING);
    world_call(&world, "ecs", "TagResource",
               "{'resourceArn': '%s', 'tags': [{'key': 'count', 'value': '2'}, "
               "{'key': 'team', 'value': 'ops'}]}",
               arn);
    assert_int_equal(world.status, 200);
    world_call(&world, "ecs", "ListTagsForResource", "{'resourceArn': '%s'}", arn);
    assert_int_equal(world_length(&world, "tags"), 2);
    assert_string_equal(world_text(&world, "tags.0.value"), "ops");
    world_call(&world, "ecs", "UntagResource", "{'resourceArn': '%s', 'tagKeys': ['team']}", arn);
    world_call(&world, "ecs", "ListTagsForResource", "{'resourceArn': '%s'}", arn);
    assert_int_equal(world_length(&world, "tags"), 1);
    for (int i = 0; i < 49; i++) {
        world_call(&world, "ecs", "TagResource",
                   "{'resourceArn': '%s', 'tags': [{'key': 'k%d', 'value': ''}]}", arn, i);
        assert_int_equal(world.status, 200);
    }
    world_call(&world, "ecs", "TagResource",
               "{'resourceArn': '%s', 'tags': [{'key': 'one more', 'value': ''}]}", arn);
    assert_string_equal(world_error(&world), "InvalidParameterException");
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_sleeps_and_wakes),
        cmocka_unit_test(tasks_that_never_ran_stop_at_once),
        cmocka_unit_test(the_shape_is_that_of_the_api),
        cmocka_unit_test(what_is_missing_is_a_failure_not_an_error),
        cmocka_unit_test(refusals),
        cmocka_unit_test(reads_may_be_stale),
        cmocka_unit_test(people_and_autoscaling_change_things_too),
        cmocka_unit_test(task_time_is_accounted),
        cmocka_unit_test(requests_are_served_by_running_tasks_only),
        cmocka_unit_test(a_new_deployment_replaces_every_task),
        cmocka_unit_test(services_are_created_and_deleted),
        cmocka_unit_test(a_person_can_drain_remove_and_recreate),
        cmocka_unit_test(lists_come_in_pages),
        cmocka_unit_test(tags_come_and_go),
    };
    return cmocka_run_group_tests_name("sim: ECS", tests, NULL, NULL);
}
