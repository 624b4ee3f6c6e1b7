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
#include "src/ecs.h"
#include "tests/unit/aws_world.h"

#define ARN "arn:aws:ecs:eu-west-1:123456789012:service/"

#define SERVICE(name, status, desired, running, pending)                                  \
    "{\"serviceArn\":\"" ARN "staging/" name "\",\"serviceName\":\"" name                 \
    "\",\"status\":\"" status "\",\"desiredCount\":" desired ",\"runningCount\":" running \
    ",\"pendingCount\":" pending                                                          \
    ",\"schedulingStrategy\":\"REPLICA\",\"deployments\":[],\"events\":[]}"

#define SEEN_MAX 64

struct seen_service {
    struct ecs_service service; /* its texts are gone */
    char name[96];
    char detail[96];
};

struct world {
    struct aws_world aws;
    struct ecs_call *call;
    int n_done;
    struct aws_error error;
    struct seen_service seen[SEEN_MAX];
    size_t n_seen;
    int desired_count;
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

static void described(void *userdata, const struct ecs_describe_result *result)
{
    struct world *world = userdata;
    world->n_done++;
    world->error = result->error;
    world->n_seen = result->n_services;
    if (!result->services) {
        assert_int_equal(result->n_services, 0);
        assert_int_not_equal(result->error.kind, AWS_OK);
        return;
    }
    assert_int_equal(result->error.kind, AWS_OK);
    for (size_t i = 0; i < result->n_services && i < SEEN_MAX; i++) {
        world->seen[i].service = result->services[i];
        snprintf(world->seen[i].name, sizeof(world->seen[i].name), "%s", result->services[i].name);
        snprintf(world->seen[i].detail, sizeof(world->seen[i].detail), "%s",
                 result->services[i].detail);
    }
}

static void describe(struct world *world, const char *const *names, size_t n_names)
{
    world->n_done = 0;
    assert_int_equal(ecs_describe_services(world->aws.aws, "staging", names, n_names, AWS_ROUTINE,
                                           described, world, &world->call),
                     0);
    assert_int_equal(world->n_done, 0);
}

static void describe_given(struct world *world, const char *name, const char *answer)
{
    fake_http_answer(world->aws.http, "DescribeServices", 200, answer);
    describe(world, &name, 1);
    aws_world_run(&world->aws, MS_PER_SECOND);
}

static void expect(struct world *world, enum aws_error_kind kind)
{
    assert_int_equal(world->n_done, 1);
    assert_string_equal(aws_error_kind_name(world->error.kind), aws_error_kind_name(kind));
}

static void expect_service(struct world *world, size_t i, const char *name,
                           enum ecs_service_status status, const char *detail)
{
    assert_true(i < world->n_seen);
    assert_string_equal(world->seen[i].name, name);
    assert_string_equal(ecs_service_status_name(world->seen[i].service.status),
                        ecs_service_status_name(status));
    assert_string_equal(world->seen[i].detail, detail);
}

static void expect_counts(struct world *world, size_t i, int desired, int running, int pending)
{
    assert_int_equal(world->seen[i].service.desired_count, desired);
    assert_int_equal(world->seen[i].service.running_count, running);
    assert_int_equal(world->seen[i].service.pending_count, pending);
}

static void services_come_in_the_order_asked_for(void **state)
{
    struct world *world = *state;
    static const char *const NAMES[] = {"api", "worker", "web"};
    fake_http_answer(world->aws.http, "DescribeServices", 200,
                     "{\"services\":[" SERVICE("web", "ACTIVE", "1", "0", "1") "," SERVICE(
                         "worker", "DRAINING", "0", "3",
                         "0") "," SERVICE("api", "ACTIVE", "2", "2", "0") "],\"failures\":[]}");
    describe(world, NAMES, 3);
    aws_world_run(&world->aws, MS_PER_SECOND);

    expect(world, AWS_OK);
    assert_int_equal(world->n_seen, 3);
    expect_service(world, 0, "api", ECS_SERVICE_ACTIVE, "");
    expect_counts(world, 0, 2, 2, 0);
    expect_service(world, 1, "worker", ECS_SERVICE_DRAINING, "");
    expect_counts(world, 1, 0, 3, 0);
    expect_service(world, 2, "web", ECS_SERVICE_ACTIVE, "");
    expect_counts(world, 2, 1, 0, 1);
    assert_string_equal(fake_http_request(world->aws.http, 0)->body,
                        "{\"cluster\":\"staging\",\"services\":[\"api\",\"worker\",\"web\"]}");
}

static void many_services_are_asked_for_ten_at_a_time(void **state)
{
    struct world *world = *state;
    enum { N = 23 };
    char texts[N][16];
    const char *names[N];

    for (int batch = 0; batch < 3; batch++) {
        char body[4096] = "{\"services\":[";
        for (int i = batch * 10; i < N && i < batch * 10 + 10; i++) {
            snprintf(texts[i], sizeof(texts[i]), "s%d", i);
            names[i] = texts[i];
            snprintf(body + strlen(body), sizeof(body) - strlen(body),
                     "%s{\"serviceName\":\"s%d\",\"status\":\"ACTIVE\",\"desiredCount\":%d,"
                     "\"runningCount\":0,\"pendingCount\":0}",
                     i % 10 ? "," : "", i, i);
        }
        snprintf(body + strlen(body), sizeof(body) - strlen(body), "]}");
        fake_http_answer(world->aws.http, "DescribeServices", 200, body);
    }
    describe(world, names, N);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect(world, AWS_OK);
    assert_int_equal(world->n_seen, N);
    for (size_t i = 0; i < N; i++) {
        expect_service(world, i, names[i], ECS_SERVICE_ACTIVE, "");
        assert_int_equal(world->seen[i].service.desired_count, i);
    }
    assert_int_equal(fake_http_n_requests(world->aws.http), 3);
    assert_string_equal(fake_http_request(world->aws.http, 2)->body,
                        "{\"cluster\":\"staging\",\"services\":[\"s20\",\"s21\",\"s22\"]}");
}

static void one_failed_batch_fails_the_whole(void **state)
{
    struct world *world = *state;
    enum { N = 11 };
    const char *names[N];
    for (size_t i = 0; i < N; i++)
        names[i] = "api";
    fake_http_answer(world->aws.http, "DescribeServices", 200,
                     "{\"services\":[" SERVICE("api", "ACTIVE", "2", "2", "0") "]}");
    fake_http_answer(
        world->aws.http, "DescribeServices", 400,
        "{\"__type\":\"ClusterNotFoundException\",\"message\":\"Cluster not found.\"}");
    describe(world, names, N);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect(world, AWS_ERROR_NOT_FOUND);
    assert_string_equal(world->error.message, "Cluster not found.");
    assert_int_equal(world->n_seen, 0);
}

static void a_name_asked_for_twice_is_answered_twice(void **state)
{
    struct world *world = *state;
    static const char *const NAMES[] = {"api", "api"};
    fake_http_answer(world->aws.http, "DescribeServices", 200,
                     "{\"services\":[" SERVICE("api", "ACTIVE", "2", "1", "1") "]}");
    describe(world, NAMES, 2);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect(world, AWS_OK);
    expect_counts(world, 0, 2, 1, 1);
    expect_counts(world, 1, 2, 1, 1);
}

static void arns_long_and_short_find_their_service(void **state)
{
    struct world *world = *state;
    static const char *const NAMES[] = {ARN "staging/api", ARN "worker"};
    fake_http_answer(world->aws.http, "DescribeServices", 200,
                     "{\"services\":[" SERVICE("api", "ACTIVE", "2", "2",
                                               "0") "],\"failures\":[{"
                                                    "\"arn\":\"" ARN
                                                    "staging/worker\",\"reason\":\"MISSING\"}]}");
    describe(world, NAMES, 2);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect(world, AWS_OK);
    expect_service(world, 0, NAMES[0], ECS_SERVICE_ACTIVE, "");
    expect_service(world, 1, NAMES[1], ECS_SERVICE_MISSING, "MISSING");
}

static void what_is_missing_is_told_as_missing(void **state)
{
    struct world *world = *state;
    static const char *const NAMES[] = {"gone", "silent", "broken", "odd"};
    fake_http_answer(world->aws.http, "DescribeServices", 200,
                     "{\"services\":[],\"failures\":["
                     "{\"arn\":\"" ARN "gone\",\"reason\":\"MISSING\"},"
                     "{\"arn\":\"" ARN "broken\",\"reason\":\"RESOURCE\",\"detail\":\"a limit\"},"
                     "{\"arn\":\"" ARN "staging/odd\",\"reason\":\"\"},"
                     "{\"arn\":\"" ARN "not-asked-for\",\"reason\":\"MISSING\"}]}");
    describe(world, NAMES, 4);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect(world, AWS_OK);
    expect_service(world, 0, "gone", ECS_SERVICE_MISSING, "MISSING");
    expect_service(world, 1, "silent", ECS_SERVICE_MISSING, "not in the answer");
    expect_service(world, 2, "broken", ECS_SERVICE_FAILED, "RESOURCE: a limit");
    expect_service(world, 3, "odd", ECS_SERVICE_FAILED, "no reason");
}

static void daemons_and_the_inactive_are_told_as_such(void **state)
{
    struct world *world = *state;
    describe_given(world, "agent",
                   "{\"services\":[{\"serviceName\":\"agent\",\"status\":\"ACTIVE\","
                   "\"desiredCount\":5,\"runningCount\":5,\"pendingCount\":0,"
                   "\"schedulingStrategy\":\"DAEMON\"}]}");
    expect(world, AWS_OK);
    assert_true(world->seen[0].service.is_daemon);
    describe_given(world, "old", "{\"services\":[" SERVICE("old", "INACTIVE", "0", "0", "0") "]}");
    expect_service(world, 0, "old", ECS_SERVICE_INACTIVE, "");
    assert_false(world->seen[0].service.is_daemon);
}

static void words_that_nobody_knows_fail_that_service_alone(void **state)
{
    struct world *world = *state;
    static const char *const NAMES[] = {"a", "b", "c"};
    fake_http_answer(
        world->aws.http, "DescribeServices", 200,
        "{\"services\":[" SERVICE("a", "HIBERNATING", "1", "1", "0") "," SERVICE(
            "b", "ACTIVE", "1", "1", "0") ",{\"serviceName\":\"c\",\"status\":\"ACTIVE\","
                                          "\"desiredCount\":5,\"runningCount\":5,"
                                          "\"pendingCount\":0,"
                                          "\"schedulingStrategy\":\"SWARM\"}]}");
    describe(world, NAMES, 3);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect(world, AWS_OK);
    expect_service(world, 0, "a", ECS_SERVICE_FAILED, "unknown status: HIBERNATING");
    expect_service(world, 1, "b", ECS_SERVICE_ACTIVE, "");
    expect_service(world, 2, "c", ECS_SERVICE_FAILED, "unknown scheduling strategy: SWARM");
    expect_counts(world, 2, 0, 0, 0);
}

#define MEMBERS "\"serviceName\":\"api\",\"status\":\"ACTIVE\""

static void malformed_descriptions_are_no_description(void **state)
{
    struct world *world = *state;
    static const char *const ANSWERS[] = {
        "{}",
        "{\"failures\":[]}",
        "{\"services\":null}",
        "{\"services\":{}}",
        "{\"services\":[null]}",
        "{\"services\":[7]}",
        "{\"services\":[{}]}",
        "{\"services\":[],\"failures\":{}}",
        "{\"services\":[],\"failures\":[null]}",
        "{\"services\":[],\"failures\":[{}]}",
        "{\"services\":[],\"failures\":[{\"arn\":\"api\"}]}",
        "{\"services\":[],\"failures\":[{\"arn\":7,\"reason\":\"MISSING\"}]}",
        "{\"services\":[],\"failures\":[{\"arn\":\"api\",\"reason\":7}]}",
        "{\"services\":[],\"failures\":[{\"arn\":\"api\",\"reason\":\"X\",\"detail\":7}]}",
        "{\"services\":[{" MEMBERS "}]}",
        "{\"services\":[{" MEMBERS ",\"runningCount\":1,\"pendingCount\":0}]}",
        "{\"services\":[{" MEMBERS ",\"desiredCount\":1,\"pendingCount\":0}]}",
        "{\"services\":[{" MEMBERS ",\"desiredCount\":1,\"runningCount\":0}]}",
        "{\"services\":[{" MEMBERS
        ",\"desiredCount\":\"1\",\"runningCount\":0,\"pendingCount\":0}]}",
        "{\"services\":[{" MEMBERS
        ",\"desiredCount\":null,\"runningCount\":0,\"pendingCount\":0}]}",
        "{\"services\":[{" MEMBERS ",\"desiredCount\":-1,\"runningCount\":0,\"pendingCount\":0}]}",
        "{\"services\":[{" MEMBERS ",\"desiredCount\":1.5,\"runningCount\":0,\"pendingCount\":0}]}",
        "{\"services\":[{" MEMBERS
        ",\"desiredCount\":100001,\"runningCount\":0,\"pendingCount\":0}]}",
        "{\"services\":[{" MEMBERS
        ",\"desiredCount\":4294967297,\"runningCount\":0,\"pendingCount\":0}]}",
        "{\"services\":[{" MEMBERS ",\"desiredCount\":1,\"runningCount\":[],\"pendingCount\":0}]}",
        "{\"services\":[{" MEMBERS
        ",\"desiredCount\":1,\"runningCount\":0,\"pendingCount\":true}]}",
        "{\"services\":[{\"serviceName\":7,\"status\":\"ACTIVE\",\"desiredCount\":1,"
        "\"runningCount\":0,\"pendingCount\":0}]}",
        "{\"services\":[{\"serviceName\":\"api\",\"status\":7,\"desiredCount\":1,"
        "\"runningCount\":0,\"pendingCount\":0}]}",
        "{\"services\":[{" MEMBERS ",\"desiredCount\":1,\"runningCount\":0,\"pendingCount\":0,"
        "\"schedulingStrategy\":7}]}",
        "{\"services\":[" SERVICE("api", "ACTIVE", "1", "1", "0") "," SERVICE("api", "ACTIVE", "2",
                                                                              "2", "0") "]}",
        "{\"services\":[" SERVICE("api", "ACTIVE", "1", "1",
                                  "0") "],\"failures\":[{\"arn\":\"api\",\"reason\":\"MISSING\"}]}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(ANSWERS); i++) {
        describe_given(world, "api", ANSWERS[i]);
        expect(world, AWS_ERROR_MALFORMED);
        assert_int_equal(world->n_seen, 0);
    }
}

static void a_truncated_description_is_none(void **state)
{
    struct world *world = *state;
    const char *whole = "{\"services\":[" SERVICE("api", "ACTIVE", "2", "2", "0") "]}";
    const char *name = "api";
    for (size_t size = 1; size < strlen(whole); size++) {
        fake_http_script(world->aws.http, "DescribeServices",
                         &(struct fake_answer){.body = whole, .body_size = size});
        describe(world, &name, 1);
        aws_world_run(&world->aws, MS_PER_SECOND);
        expect(world, AWS_ERROR_MALFORMED);
    }
}

static void a_description_can_be_cancelled(void **state)
{
    struct world *world = *state;
    const char *name = "api";
    fake_http_answer(world->aws.http, "DescribeServices", 200, "{\"services\":[]}");
    describe(world, &name, 1);
    ecs_call_cancel(world->call);
    describe(world, &name, 1);
    aws_world_run(&world->aws, 10);
    ecs_call_cancel(world->call);
    aws_world_run(&world->aws, MS_PER_SECOND);
    assert_int_equal(world->n_done, 0);
    assert_int_equal(aws_calls_pending(world->aws.aws), 0);
    assert_int_equal(ecs_describe_services(world->aws.aws, "staging", &name, 0, AWS_ROUTINE,
                                           described, world, &world->call),
                     -EINVAL);
}

/* ---- UpdateService ---- */

static void updated(void *userdata, const struct aws_error *error, int desired_count)
{
    struct world *world = userdata;
    world->n_done++;
    world->error = *error;
    world->desired_count = desired_count;
}

static int try_update(struct world *world, int desired_count)
{
    world->n_done = 0;
    return ecs_update_service(world->aws.aws, "staging", "api", desired_count, AWS_URGENT, updated,
                              world, &world->call);
}

static void update_given(struct world *world, const char *answer)
{
    fake_http_answer(world->aws.http, "UpdateService", 200, answer);
    assert_int_equal(try_update(world, 2), 0);
    aws_world_run(&world->aws, MS_PER_SECOND);
}

static void an_update_is_to_an_absolute_count(void **state)
{
    struct world *world = *state;
    update_given(world, "{\"service\":" SERVICE("api", "ACTIVE", "2", "0", "2") "}");
    expect(world, AWS_OK);
    assert_int_equal(world->desired_count, 2);
    assert_string_equal(fake_http_request(world->aws.http, 0)->body,
                        "{\"cluster\":\"staging\",\"service\":\"api\",\"desiredCount\":2}");
}

static void an_update_that_does_not_say_what_became_of_it_was_one(void **state)
{
    struct world *world = *state;
    static const char *const ANSWERS[] = {"{}", "{\"service\":null}", "{\"service\":{}}",
                                          "{\"service\":{\"desiredCount\":null}}"};
    for (size_t i = 0; i < ARRAY_LENGTH(ANSWERS); i++) {
        update_given(world, ANSWERS[i]);
        expect(world, AWS_OK);
        assert_int_equal(world->desired_count, -1);
    }
}

static void an_update_that_says_nonsense_is_malformed(void **state)
{
    struct world *world = *state;
    static const char *const ANSWERS[] = {
        "{\"service\":7}",
        "{\"service\":[]}",
        "{\"service\":{\"desiredCount\":\"2\"}}",
        "{\"service\":{\"desiredCount\":-1}}",
        "{\"service\":{\"desiredCount\":100001}}",
        "{\"service\":{\"desiredCount\":0.5}}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(ANSWERS); i++) {
        update_given(world, ANSWERS[i]);
        expect(world, AWS_ERROR_MALFORMED);
        assert_int_equal(world->desired_count, -1);
    }
    const char *whole = "{\"service\":{\"desiredCount\":2}}";
    for (size_t size = 1; size < strlen(whole); size++) {
        fake_http_script(world->aws.http, "UpdateService",
                         &(struct fake_answer){.body = whole, .body_size = size});
        assert_int_equal(try_update(world, 2), 0);
        aws_world_run(&world->aws, MS_PER_SECOND);
        expect(world, AWS_ERROR_MALFORMED);
    }
}

static void an_update_whose_answer_is_lost_is_repeated(void **state)
{
    struct world *world = *state;
    fake_http_fail(world->aws.http, "UpdateService", -ECONNRESET);
    fake_http_answer(world->aws.http, "UpdateService", 200, "{\"service\":{\"desiredCount\":0}}");
    assert_int_equal(try_update(world, 0), 0);
    aws_world_run(&world->aws, MS_PER_MINUTE);
    expect(world, AWS_OK);
    assert_int_equal(world->desired_count, 0);
    assert_string_equal(fake_http_request(world->aws.http, 0)->body,
                        fake_http_request(world->aws.http, 1)->body);
}

static void a_refused_update_says_why(void **state)
{
    struct world *world = *state;
    fake_http_answer(world->aws.http, "UpdateService", 400,
                     "{\"__type\":\"ServiceNotActiveException\",\"message\":\"not active\"}");
    assert_int_equal(try_update(world, 2), 0);
    aws_world_run(&world->aws, MS_PER_SECOND);
    expect(world, AWS_ERROR_REQUEST);
    assert_string_equal(world->error.code, "ServiceNotActiveException");
    assert_int_equal(world->desired_count, -1);
}

static void what_is_no_count_is_not_sent(void **state)
{
    struct world *world = *state;
    assert_int_equal(try_update(world, -1), -EINVAL);
    assert_int_equal(try_update(world, ECS_COUNT_MAX + 1), -EINVAL);
    assert_int_equal(aws_calls_pending(world->aws.aws), 0);
}

static void an_update_can_be_cancelled(void **state)
{
    struct world *world = *state;
    fake_http_answer(world->aws.http, "UpdateService", 200, "{}");
    assert_int_equal(try_update(world, 2), 0);
    aws_world_run(&world->aws, 10);
    ecs_call_cancel(world->call);
    aws_world_run(&world->aws, MS_PER_SECOND);
    assert_int_equal(world->n_done, 0);
}

static void statuses_have_names(void **state)
{
    (void)state;
    assert_string_equal(ecs_service_status_name(ECS_SERVICE_DRAINING), "DRAINING");
    assert_string_equal(ecs_service_status_name(ECS_SERVICE_INACTIVE), "INACTIVE");
    assert_string_equal(ecs_service_status_name((enum ecs_service_status)99), "unknown");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(services_come_in_the_order_asked_for),
        TEST(many_services_are_asked_for_ten_at_a_time),
        TEST(one_failed_batch_fails_the_whole),
        TEST(a_name_asked_for_twice_is_answered_twice),
        TEST(arns_long_and_short_find_their_service),
        TEST(what_is_missing_is_told_as_missing),
        TEST(daemons_and_the_inactive_are_told_as_such),
        TEST(words_that_nobody_knows_fail_that_service_alone),
        TEST(malformed_descriptions_are_no_description),
        TEST(a_truncated_description_is_none),
        TEST(a_description_can_be_cancelled),
        TEST(an_update_is_to_an_absolute_count),
        TEST(an_update_that_does_not_say_what_became_of_it_was_one),
        TEST(an_update_that_says_nonsense_is_malformed),
        TEST(an_update_whose_answer_is_lost_is_repeated),
        TEST(a_refused_update_says_why),
        TEST(what_is_no_count_is_not_sent),
        TEST(an_update_can_be_cancelled),
        TEST(statuses_have_names),
    };
    return cmocka_run_group_tests_name("ecs", tests, NULL, NULL);
}
