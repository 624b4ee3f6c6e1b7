/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/aws/retry.h"
#include "src/cleanup.h"
#include "tests/unit/aws_world.h"

#define EXPIRED "{\"__type\":\"ExpiredTokenException\",\"message\":\"expired\"}"
#define THROTTLED "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}"
#define BAD_SIGNATURE                                                                              \
    "{\"__type\":\"InvalidSignatureException\",\"message\":\"The request signature we calculated " \
    "does not match\"}"

/* What became of a call. */
struct outcome {
    struct aws_world *world;
    int n_called;
    int answer; /* of the body's member "answer"; -1 if there is none */
    struct aws_error error;
    struct mono at;
    struct outcome **order;  /* appended to, if set */
    struct aws_call *cancel; /* from within the callback */
};

static int setup(void **state)
{
    struct aws_world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    unsetenv("AWS_ENDPOINT_URL");
    unsetenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS");
    unsetenv("AWS_ENDPOINT_URL_ECS");
    unsetenv("AWS_USE_FIPS_ENDPOINT");
    unsetenv("AWS_USE_DUALSTACK_ENDPOINT");
    unsetenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    aws_world_begin(world, NULL);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct aws_world *world = *state;
    aws_world_end(world);
    free(world);
    return 0;
}

static void note(void *userdata, const struct aws_error *error, struct json_object *body)
{
    struct outcome *outcome = userdata;
    struct json_object *answer;

    outcome->n_called++;
    outcome->error = *error;
    outcome->at = loop_mono(outcome->world->loop);
    outcome->answer = -1;
    assert_int_equal(body != NULL, error->kind == AWS_OK);
    if (body && json_object_object_get_ex(body, "answer", &answer))
        outcome->answer = json_object_get_int(answer);
    if (outcome->order) {
        while (*outcome->order)
            outcome->order++;
        *outcome->order = outcome;
    }
    if (outcome->cancel)
        aws_call_cancel(outcome->cancel);
}

static struct aws_call *call(struct outcome *outcome, enum aws_operation operation,
                             enum aws_priority priority)
{
    _cleanup_json_ struct json_object *parameters = json_tokener_parse("{\"path\":\"a/b\"}");
    struct aws_call *handle = NULL;
    assert_int_equal(
        aws_call(outcome->world->aws, operation, priority, parameters, note, outcome, &handle), 0);
    assert_int_equal(outcome->n_called, 0); /* never from within */
    return handle;
}

static struct aws_call *ask(struct outcome *outcome)
{
    return call(outcome, ECS_DESCRIBE_SERVICES, AWS_ROUTINE);
}

static void expect_kind(const struct outcome *outcome, enum aws_error_kind kind)
{
    assert_int_equal(outcome->n_called, 1);
    assert_string_equal(aws_error_kind_name(outcome->error.kind), aws_error_kind_name(kind));
}

/* ---- one call ---- */

static void a_call_is_one_signed_post(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    world->credentials.session_token = "TOKEN";
    fake_http_answer(world->http, "DescribeServices", 200, "{\"answer\":42}");

    ask(&outcome);
    assert_int_equal(aws_calls_pending(world->aws), 1);
    aws_world_run(world, MS_PER_SECOND);

    expect_kind(&outcome, AWS_OK);
    assert_int_equal(outcome.answer, 42);
    assert_int_equal(outcome.error.http_status, 200);
    assert_string_equal(outcome.error.request_id, "request-1");
    assert_int_equal(aws_calls_pending(world->aws), 0);
    const struct fake_request *request = fake_http_request(world->http, 0);
    assert_string_equal(request->method, "POST");
    assert_string_equal(request->url, "https://ecs.eu-west-1.amazonaws.com");
    assert_string_equal(request->body, "{\"path\":\"a/b\"}");
    assert_string_equal(fake_request_header(request, "Host"), "ecs.eu-west-1.amazonaws.com");
    assert_string_equal(fake_request_header(request, "Content-Type"), "application/x-amz-json-1.1");
    assert_string_equal(fake_request_header(request, "X-Amz-Target"),
                        "AmazonEC2ContainerServiceV20141113.DescribeServices");
    assert_string_equal(fake_request_header(request, "X-Amz-Date"), "20260302T120000Z");
    assert_string_equal(fake_request_header(request, "X-Amz-Security-Token"), "TOKEN");
    const char *authorization = fake_request_header(request, "Authorization");
    assert_non_null(strstr(authorization, "Credential=AKID1/20260302/eu-west-1/ecs/aws4_request"));
    assert_non_null(strstr(authorization, "SignedHeaders=content-type;host;x-amz-date;"
                                          "x-amz-security-token;x-amz-target"));
    assert_true(request->timeout_ms > 0);
    assert_true(request->response_size_max >= (size_t)10 << 20);
}

static void without_a_session_there_is_no_token_header(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_answer(world->http, "FilterLogEvents", 200, "{}");
    call(&outcome, LOGS_FILTER_LOG_EVENTS, AWS_URGENT);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&outcome, AWS_OK);
    const struct fake_request *request = fake_http_request(world->http, 0);
    assert_null(fake_request_header(request, "X-Amz-Security-Token"));
    assert_string_equal(fake_request_header(request, "X-Amz-Target"),
                        "Logs_20140328.FilterLogEvents");
    assert_true(request->response_size_max >= (size_t)10 << 20);
}

static void every_operation_has_its_names(void **state)
{
    (void)state;
    static const char *const NAMES[][2] = {
        [LOGS_FILTER_LOG_EVENTS] = {"FilterLogEvents", "logs:FilterLogEvents"},
        [LOGS_START_QUERY] = {"StartQuery", "logs:StartQuery"},
        [LOGS_GET_QUERY_RESULTS] = {"GetQueryResults", "logs:GetQueryResults"},
        [LOGS_STOP_QUERY] = {"StopQuery", "logs:StopQuery"},
        [ECS_DESCRIBE_SERVICES] = {"DescribeServices", "ecs:DescribeServices"},
        [ECS_UPDATE_SERVICE] = {"UpdateService", "ecs:UpdateService"},
        [LOGS_DESCRIBE_LOG_GROUPS] = {"DescribeLogGroups", "logs:DescribeLogGroups"},
        [ECS_LIST_CLUSTERS] = {"ListClusters", "ecs:ListClusters"},
        [ECS_LIST_SERVICES] = {"ListServices", "ecs:ListServices"},
        [ECS_DESCRIBE_TASK_DEFINITION] = {"DescribeTaskDefinition", "ecs:DescribeTaskDefinition"},
        [SCALING_DESCRIBE_SCALABLE_TARGETS] = {"DescribeScalableTargets",
                                               "application-autoscaling:DescribeScalableTargets"},
    };
    assert_int_equal(ARRAY_LENGTH(NAMES), AWS_N_OPERATIONS);
    for (size_t i = 0; i < AWS_N_OPERATIONS; i++) {
        assert_string_equal(aws_operation_name((enum aws_operation)i), NAMES[i][0]);
        assert_string_equal(aws_operation_action((enum aws_operation)i), NAMES[i][1]);
    }
}

static void the_endpoint_is_the_configured_one(void **state)
{
    struct aws_world *world = *state;
    world->aws = aws_free(world->aws);
    struct aws_options options = {.endpoint_url = "http://127.0.0.1:4566/base/"};
    assert_int_equal(aws_new(world->loop, world->http, fake_credentials(&world->credentials),
                             &options, &world->aws),
                     0);
    struct outcome outcome = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 200, "{}");
    world->credentials.endpoint_url = "http://from-shared-config";
    ask(&outcome);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&outcome, AWS_OK);
    assert_string_equal(fake_http_request(world->http, 0)->url, "http://127.0.0.1:4566/base");
    assert_string_equal(fake_request_header(fake_http_request(world->http, 0), "Host"),
                        "127.0.0.1:4566");
}

static void the_shared_configs_endpoint_is_used(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 200, "{}");
    world->credentials.endpoint_url = "http://from-shared-config";
    ask(&outcome);
    aws_world_run(world, MS_PER_SECOND);
    assert_string_equal(fake_http_request(world->http, 0)->url, "http://from-shared-config");
}

static void what_cannot_be_sent_says_so(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    world->credentials.region = "no region";
    ask(&outcome);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&outcome, AWS_ERROR_REQUEST);
    assert_non_null(strstr(outcome.error.message, "no region"));

    struct outcome refused = {.world = world};
    world->credentials.region = NULL;
    fake_http_refuse_send(world->http, -EINVAL);
    ask(&refused);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&refused, AWS_ERROR_REQUEST);

    struct outcome no_memory = {.world = world};
    fake_http_refuse_send(world->http, -ENOMEM);
    ask(&no_memory);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&no_memory, AWS_ERROR_TRANSIENT);
    assert_string_equal(no_memory.error.message, "out of memory");

    /* And the next one goes. */
    struct outcome good = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 200, "{}");
    ask(&good);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&good, AWS_OK);
}

static void an_answer_that_is_no_object_is_malformed(void **state)
{
    struct aws_world *world = *state;
    static const char *const BODIES[] = {"",  "[]",    "null",    "\"text\"",    "{\"a\":1",
                                         "7", "{} {}", "<html/>", "{\"a\":\xff}"};
    for (size_t i = 0; i < ARRAY_LENGTH(BODIES); i++) {
        struct outcome outcome = {.world = world};
        fake_http_answer(world->http, "DescribeServices", 200, BODIES[i]);
        ask(&outcome);
        aws_world_run(world, MS_PER_SECOND);
        expect_kind(&outcome, AWS_ERROR_MALFORMED);
        assert_int_equal(outcome.error.http_status, 200);
        assert_non_null(strstr(outcome.error.message, "DescribeServices"));
        assert_string_not_equal(outcome.error.request_id, "");
    }
}

static void success_with_an_error_inside_is_an_error(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 200,
                     "{\"__type\":\"AccessDeniedException\",\"Message\":\"no\"}");
    ask(&outcome);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&outcome, AWS_ERROR_DENIED);
    assert_string_equal(outcome.error.message, "no");
}

static void refusals_are_not_repeated(void **state)
{
    struct aws_world *world = *state;
    static const struct {
        const char *code;
        enum aws_error_kind kind;
    } CODES[] = {
        {"AccessDeniedException", AWS_ERROR_DENIED},
        {"ClusterNotFoundException", AWS_ERROR_NOT_FOUND},
        {"InvalidParameterException", AWS_ERROR_REQUEST},
        {"LimitExceededException", AWS_ERROR_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(CODES); i++) {
        struct outcome outcome = {.world = world};
        char body[100];
        snprintf(body, sizeof(body), "{\"__type\":\"%s\"}", CODES[i].code);
        fake_http_answer(world->http, "DescribeServices", 400, body);
        ask(&outcome);
        aws_world_run(world, MS_PER_MINUTE);
        expect_kind(&outcome, CODES[i].kind);
        assert_string_equal(outcome.error.code, CODES[i].code);
        assert_int_equal(fake_http_n_requests(world->http), i + 1);
    }
}

/* ---- trying again ---- */

static void trouble_that_passes_is_not_seen(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 503, "");
    fake_http_fail(world->http, "DescribeServices", -ECONNRESET);
    fake_http_answer(world->http, "DescribeServices", 200, "{\"answer\":7}");
    ask(&outcome);
    aws_world_run(world, MS_PER_MINUTE);
    expect_kind(&outcome, AWS_OK);
    assert_int_equal(outcome.answer, 7);
    assert_int_equal(fake_http_n_requests(world->http), 3);
}

static void three_attempts_are_all(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_script(world->http, "DescribeServices",
                     &(struct fake_answer){.status = 500, .times = -1});
    ask(&outcome);
    aws_world_run(world, MS_PER_MINUTE);
    expect_kind(&outcome, AWS_ERROR_TRANSIENT);
    assert_int_equal(outcome.error.http_status, 500);
    assert_int_equal(fake_http_n_requests(world->http), 3);
}

static void waits_are_full_jitter(void **state)
{
    struct aws_world *world = *state;
    int64_t shortest_ms = INT64_MAX;
    int64_t longest_ms = 0;

    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct outcome outcome = {.world = world};
        virtual_loop_seed(world->loop, seed);
        fake_http_answer(world->http, "DescribeServices", 500, "");
        fake_http_answer(world->http, "DescribeServices", 200, "{}");
        ask(&outcome);
        aws_world_run(world, MS_PER_MINUTE);
        size_t n = fake_http_n_requests(world->http);
        int64_t wait_ms = mono_since(fake_http_request(world->http, n - 1)->at,
                                     fake_http_request(world->http, n - 2)->at) -
                          FAKE_HTTP_DELAY_MS;
        assert_in_range(wait_ms, 0, 1000);
        shortest_ms = wait_ms < shortest_ms ? wait_ms : shortest_ms;
        longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
    }
    assert_true(shortest_ms < 200);
    assert_true(longest_ms > 800);
}

static void retry_after_is_honoured_within_reason(void **state)
{
    struct aws_world *world = *state;
    static const struct {
        const char *value;
        int64_t wait_ms;
    } WAITS[] = {{"7", 7000}, {"86400", RETRY_AFTER_MAX_MS}};
    for (size_t i = 0; i < ARRAY_LENGTH(WAITS); i++) {
        struct outcome outcome = {.world = world};
        fake_http_script(world->http, "StopQuery",
                         &(struct fake_answer){.status = 503,
                                               .header_name = "Retry-After",
                                               .header_value = WAITS[i].value});
        fake_http_answer(world->http, "StopQuery", 200, "{}");
        call(&outcome, LOGS_STOP_QUERY, AWS_ROUTINE);
        aws_world_run(world, 2 * MS_PER_MINUTE);
        expect_kind(&outcome, AWS_OK);
        size_t n = fake_http_n_requests(world->http);
        int64_t wait_ms = mono_since(fake_http_request(world->http, n - 1)->at,
                                     fake_http_request(world->http, n - 2)->at);
        assert_in_range(wait_ms, WAITS[i].wait_ms, WAITS[i].wait_ms + 100);
    }
}

static void a_hanging_server_is_given_up_in_time(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_script(world->http, "DescribeServices",
                     &(struct fake_answer){.hangs = true, .times = -1});
    ask(&outcome);
    aws_world_run(world, 2 * MS_PER_MINUTE);
    expect_kind(&outcome, AWS_ERROR_TRANSIENT);
    assert_string_equal(outcome.error.message, "ETIMEDOUT");
    assert_int_equal(fake_http_n_requests(world->http), 3);
}

static void when_all_is_down_calls_stop_trying_again(void **state)
{
    struct aws_world *world = *state;
    /* The quota is for 100 retries, at 2 a call. */
    enum { N_CALLS = 150, N_RETRIES = 100 };
    fake_http_script(world->http, "DescribeServices",
                     &(struct fake_answer){.status = 500, .times = N_CALLS + N_RETRIES});
    for (size_t i = 0; i < N_CALLS; i++) {
        struct outcome outcome = {.world = world};
        ask(&outcome);
        aws_world_run(world, 10 * MS_PER_SECOND);
        expect_kind(&outcome, AWS_ERROR_TRANSIENT);
    }
    assert_int_equal(fake_http_n_requests(world->http), N_CALLS + N_RETRIES);

    /* It is up again: five calls that go well earn one retry. */
    for (size_t i = 0; i < 5; i++) {
        struct outcome outcome = {.world = world};
        fake_http_answer(world->http, "DescribeServices", 200, "{}");
        ask(&outcome);
        aws_world_run(world, 10 * MS_PER_SECOND);
        expect_kind(&outcome, AWS_OK);
    }
    struct outcome outcome = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 500, "");
    fake_http_answer(world->http, "DescribeServices", 200, "{}");
    ask(&outcome);
    aws_world_run(world, 10 * MS_PER_SECOND);
    expect_kind(&outcome, AWS_OK);
}

/* ---- budgets ---- */

static void requests_never_come_faster_than_the_quota(void **state)
{
    struct aws_world *world = *state;
    enum { N_CALLS = 40 };
    struct outcome outcomes[N_CALLS] = {0};
    fake_http_answer_always(world->http, "FilterLogEvents", "{}");
    for (size_t i = 0; i < N_CALLS; i++) {
        outcomes[i].world = world;
        call(&outcomes[i], LOGS_FILTER_LOG_EVENTS, AWS_ROUTINE);
    }
    aws_world_run(world, MS_PER_MINUTE);
    assert_int_equal(fake_http_n_requests(world->http), N_CALLS);
    for (size_t i = 5; i < N_CALLS; i++)
        assert_true(mono_since(fake_http_request(world->http, i)->at,
                               fake_http_request(world->http, i - 5)->at) > 1000);
    assert_true(mono_since(fake_http_request(world->http, N_CALLS - 1)->at,
                           fake_http_request(world->http, 0)->at) <= 10 * MS_PER_SECOND);
}

static void nor_when_credentials_come_late(void **state)
{
    struct aws_world *world = *state;
    enum { N_CALLS = 20 };
    struct outcome outcomes[N_CALLS] = {0};
    world->credentials.delay_ms = 5000;
    fake_http_answer_always(world->http, "FilterLogEvents", "{}");
    for (size_t i = 0; i < N_CALLS; i++) {
        outcomes[i].world = world;
        call(&outcomes[i], LOGS_FILTER_LOG_EVENTS, AWS_ROUTINE);
    }
    aws_world_run(world, 5 * MS_PER_SECOND);
    world->credentials.delay_ms = 0; /* cached from now on */
    aws_world_run(world, MS_PER_MINUTE);
    assert_int_equal(fake_http_n_requests(world->http), N_CALLS);
    for (size_t i = 5; i < N_CALLS; i++)
        assert_true(mono_since(fake_http_request(world->http, i)->at,
                               fake_http_request(world->http, i - 5)->at) > 1000);
}

static void the_urgent_go_first_and_the_others_in_order(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcomes[6] = {0};
    struct outcome *order[7] = {0};
    fake_http_answer_always(world->http, "FilterLogEvents", "{}");
    for (size_t i = 0; i < 6; i++) {
        outcomes[i] = (struct outcome){.world = world, .order = order};
        call(&outcomes[i], LOGS_FILTER_LOG_EVENTS, i >= 4 ? AWS_URGENT : AWS_ROUTINE);
    }
    aws_world_run(world, MS_PER_MINUTE);
    static const size_t EXPECTED[] = {4, 5, 0, 1, 2, 3};
    for (size_t i = 0; i < 6; i++)
        assert_ptr_equal(order[i], &outcomes[EXPECTED[i]]);
}

static void operations_do_not_hold_up_one_another(void **state)
{
    struct aws_world *world = *state;
    struct outcome stuck[10] = {0};
    struct outcome free_to_go = {.world = world};
    fake_http_answer_always(world->http, "FilterLogEvents", "{}");
    fake_http_answer(world->http, "UpdateService", 200, "{}");
    for (size_t i = 0; i < 10; i++) {
        stuck[i].world = world;
        call(&stuck[i], LOGS_FILTER_LOG_EVENTS, AWS_URGENT);
    }
    call(&free_to_go, ECS_UPDATE_SERVICE, AWS_ROUTINE);
    aws_world_run(world, 50);
    expect_kind(&free_to_go, AWS_OK);
    assert_int_equal(stuck[9].n_called, 0);
    aws_world_run(world, MS_PER_MINUTE);
    assert_int_equal(stuck[9].n_called, 1);
}

enum { N_ROUTINE_AT_ONCE = 12 }; /* of one operation, under way */

static void those_that_waited_for_slow_answers_leave_in_step(void **state)
{
    struct aws_world *world = *state;
    enum { N_CALLS = 60 };
    struct outcome outcomes[N_CALLS] = {0};
    fake_http_script(
        world->http, "FilterLogEvents",
        &(struct fake_answer){.body = "{}", .delay_ms = 20000, .times = N_ROUTINE_AT_ONCE});
    fake_http_answer_always(world->http, "FilterLogEvents", "{}");
    for (size_t i = 0; i < N_CALLS; i++) {
        outcomes[i].world = world;
        call(&outcomes[i], LOGS_FILTER_LOG_EVENTS, AWS_ROUTINE);
    }
    aws_world_run(world, 19 * MS_PER_SECOND);
    assert_int_equal(fake_http_n_requests(world->http), N_ROUTINE_AT_ONCE);
    aws_world_run(world, MS_PER_MINUTE);
    assert_int_equal(fake_http_n_requests(world->http), N_CALLS);
    for (size_t i = 5; i < N_CALLS; i++)
        assert_true(mono_since(fake_http_request(world->http, i)->at,
                               fake_http_request(world->http, i - 5)->at) > 1000);
}

static void a_wake_goes_although_others_are_not_answered(void **state)
{
    struct aws_world *world = *state;
    enum { N_CALLS = 20 };
    struct outcome outcomes[N_CALLS] = {0};
    struct outcome wake = {.world = world};
    fake_http_script(world->http, "UpdateService",
                     &(struct fake_answer){.hangs = true, .times = N_ROUTINE_AT_ONCE});
    fake_http_answer_always(world->http, "UpdateService", "{}");
    for (size_t i = 0; i < N_CALLS; i++) {
        outcomes[i].world = world;
        call(&outcomes[i], ECS_UPDATE_SERVICE, AWS_ROUTINE);
    }
    aws_world_run(world, 5 * MS_PER_SECOND);
    call(&wake, ECS_UPDATE_SERVICE, AWS_URGENT);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&wake, AWS_OK);
    assert_int_equal(fake_http_n_requests(world->http), N_ROUTINE_AT_ONCE + 1);
    aws_world_run(world, 2 * MS_PER_MINUTE);
    for (size_t i = 0; i < N_CALLS; i++)
        expect_kind(&outcomes[i], AWS_OK);
}

/* As many as may be under way, and one that waits. */
static void one_more_than_may_be_under_way(struct outcome outcomes[static N_ROUTINE_AT_ONCE + 1],
                                           struct aws_call *handles[static N_ROUTINE_AT_ONCE + 1],
                                           struct aws_world *world)
{
    for (size_t i = 0; i <= N_ROUTINE_AT_ONCE; i++) {
        outcomes[i].world = world;
        handles[i] = call(&outcomes[i], LOGS_STOP_QUERY, AWS_ROUTINE);
    }
    aws_world_run(world, 5 * MS_PER_SECOND);
    assert_int_equal(fake_http_n_requests(world->http), N_ROUTINE_AT_ONCE);
}

static void a_call_given_up_makes_room_for_another(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcomes[N_ROUTINE_AT_ONCE + 1] = {0};
    struct aws_call *handles[N_ROUTINE_AT_ONCE + 1];
    fake_http_script(world->http, "StopQuery",
                     &(struct fake_answer){.hangs = true, .times = N_ROUTINE_AT_ONCE});
    fake_http_answer(world->http, "StopQuery", 200, "{}");
    one_more_than_may_be_under_way(outcomes, handles, world);
    aws_call_cancel(handles[5]);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&outcomes[N_ROUTINE_AT_ONCE], AWS_OK);
}

static void a_call_to_be_tried_again_makes_room_meanwhile(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcomes[N_ROUTINE_AT_ONCE + 1] = {0};
    struct aws_call *handles[N_ROUTINE_AT_ONCE + 1];
    fake_http_script(
        world->http, "StopQuery",
        &(struct fake_answer){
            .status = 503, .delay_ms = 6000, .header_name = "Retry-After", .header_value = "60"});
    fake_http_script(world->http, "StopQuery",
                     &(struct fake_answer){.hangs = true, .times = N_ROUTINE_AT_ONCE - 1});
    fake_http_answer(world->http, "StopQuery", 200, "{}");
    one_more_than_may_be_under_way(outcomes, handles, world);
    aws_world_run(world, 2 * MS_PER_SECOND);
    expect_kind(&outcomes[N_ROUTINE_AT_ONCE], AWS_OK);
}

static void throttling_pauses_the_operation_for_all(void **state)
{
    struct aws_world *world = *state;
    struct outcome first = {.world = world};
    struct outcome second = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 400, THROTTLED);
    fake_http_answer_always(world->http, "DescribeServices", "{}");
    ask(&first);
    aws_world_run(world, FAKE_HTTP_DELAY_MS);
    ask(&second);
    aws_world_run(world, 450);
    assert_int_equal(fake_http_n_requests(world->http), 1); /* half a second at least */
    aws_world_run(world, MS_PER_MINUTE);
    expect_kind(&first, AWS_OK);
    expect_kind(&second, AWS_OK);
}

static void lasting_throttling_slows_down_more_and_more(void **state)
{
    struct aws_world *world = *state;
    fake_http_script(world->http, "DescribeServices",
                     &(struct fake_answer){.status = 400, .body = THROTTLED, .times = -1});
    struct outcome outcomes[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        outcomes[i].world = world;
        ask(&outcomes[i]);
        aws_world_run(world, 2 * MS_PER_MINUTE);
        expect_kind(&outcomes[i], AWS_ERROR_THROTTLED);
        assert_string_equal(outcomes[i].error.message, "Rate exceeded");
    }
    /* Attempts of the last call: behind pauses near the longest. */
    const struct fake_request *last = fake_http_request(world->http, 11);
    const struct fake_request *before = fake_http_request(world->http, 10);
    assert_true(mono_since(last->at, before->at) >= 10 * MS_PER_SECOND);
    assert_true(mono_since(last->at, before->at) <= 25 * MS_PER_SECOND);
}

static void a_pause_that_begins_while_one_waits_for_credentials_holds(void **state)
{
    struct aws_world *world = *state;
    struct outcome first = {.world = world};
    struct outcome second = {.world = world};
    fake_http_script(world->http, "DescribeServices",
                     &(struct fake_answer){.status = 400, .body = THROTTLED, .delay_ms = 100});
    fake_http_answer_always(world->http, "DescribeServices", "{}");
    ask(&first);
    aws_world_run(world, 10);
    world->credentials.delay_ms = 200;
    ask(&second);
    aws_world_run(world, 500);
    assert_int_equal(fake_http_n_requests(world->http), 1);
    aws_world_run(world, MS_PER_MINUTE);
    expect_kind(&first, AWS_OK);
    expect_kind(&second, AWS_OK);
}

static void what_waits_beyond_its_deadline_is_not_sent(void **state)
{
    struct aws_world *world = *state;
    struct outcome first = {.world = world};
    struct outcome late = {.world = world};
    struct outcome put_off = {.world = world};
    fake_http_script(
        world->http, "DescribeServices",
        &(struct fake_answer){
            .status = 400, .body = THROTTLED, .header_name = "Retry-After", .header_value = "10"});
    fake_http_answer_always(world->http, "DescribeServices", "{}");
    ask(&first);
    aws_world_run(world, FAKE_HTTP_DELAY_MS);
    struct mono deadline = mono_add(loop_mono(world->loop), 5 * MS_PER_SECOND);
    aws_call_set_deadline(ask(&late), deadline);
    struct aws_call *call = ask(&put_off);
    aws_call_set_deadline(call, deadline);
    aws_call_set_deadline(call, mono_add(deadline, MS_PER_MINUTE));
    aws_world_run(world, MS_PER_MINUTE);
    expect_kind(&first, AWS_OK);
    expect_kind(&late, AWS_ERROR_TRANSIENT);
    expect_kind(&put_off, AWS_OK);
    assert_int_equal(fake_http_n_requests(world->http), 3);
}

/* ---- credentials ---- */

static void without_credentials_a_call_fails_and_says_why(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcomes[3] = {{.world = world}, {.world = world}, {.world = world}};
    world->credentials.error = -ENOKEY;
    for (size_t i = 0; i < 3; i++)
        ask(&outcomes[i]);
    aws_world_run(world, MS_PER_SECOND);
    for (size_t i = 0; i < 3; i++) {
        expect_kind(&outcomes[i], AWS_ERROR_CREDENTIALS);
        assert_string_equal(outcomes[i].error.message, "nobody has lent any");
    }
    assert_int_equal(fake_http_n_requests(world->http), 0);

    struct outcome no_memory = {.world = world};
    world->credentials.get_error = -ENOMEM;
    ask(&no_memory);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&no_memory, AWS_ERROR_TRANSIENT);
}

static void expired_credentials_are_fetched_anew_once(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 400, EXPIRED);
    fake_http_answer(world->http, "DescribeServices", 200, "{}");
    ask(&outcome);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&outcome, AWS_OK);
    assert_non_null(
        strstr(fake_request_header(fake_http_request(world->http, 1), "Authorization"), "AKID2"));
}

static void credentials_expired_twice_are_an_error(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_script(world->http, "DescribeServices",
                     &(struct fake_answer){.status = 400, .body = EXPIRED, .times = -1});
    ask(&outcome);
    aws_world_run(world, MS_PER_MINUTE);
    expect_kind(&outcome, AWS_ERROR_EXPIRED);
    assert_string_equal(outcome.error.message,
                        "expired; the keys from a friend have to be renewed");
    assert_int_equal(fake_http_n_requests(world->http), 2);
}

static void a_wrong_secret_is_a_matter_of_credentials(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 403, BAD_SIGNATURE);
    ask(&outcome);
    aws_world_run(world, MS_PER_MINUTE);
    expect_kind(&outcome, AWS_ERROR_CREDENTIALS);
    assert_int_equal(fake_http_n_requests(world->http), 1);
    assert_int_equal(world->credentials.generation, 1); /* the file may have been put right */

    struct outcome failure = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 401, "{\"__type\":\"AuthFailure\"}");
    ask(&failure);
    aws_world_run(world, MS_PER_MINUTE);
    expect_kind(&failure, AWS_ERROR_DENIED);
}

/* ---- clocks ---- */

static void a_skewed_clock_is_corrected_and_the_call_repeated(void **state)
{
    struct aws_world *world = *state;
    static const int64_t OFFSETS_MS[] = {7 * MS_PER_MINUTE, -7 * MS_PER_MINUTE, MS_PER_DAY};
    for (size_t i = 0; i < ARRAY_LENGTH(OFFSETS_MS); i++) {
        struct outcome outcome = {.world = world};
        fake_http_set_clock_offset(world->http, OFFSETS_MS[i]);
        fake_http_answer(world->http, "DescribeServices", 403, BAD_SIGNATURE);
        fake_http_answer(world->http, "DescribeServices", 200, "{}");
        ask(&outcome);
        aws_world_run(world, MS_PER_SECOND);
        expect_kind(&outcome, AWS_OK);
        int64_t skew_ms = aws_clock_skew_ms(world->aws);
        assert_in_range(skew_ms - OFFSETS_MS[i] + 1000, 0, 2000);
        assert_int_equal(world->credentials.skew_ms, skew_ms);
        assert_int_equal(wall_since(aws_now(world->aws), loop_wall(world->loop)), skew_ms);
    }
    assert_string_equal(fake_request_header(fake_http_request(world->http, 1), "X-Amz-Date"),
                        "20260302T120700Z");
}

static void a_clock_that_stays_wrong_is_an_error(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    /* A server that changes its mind about the time. */
    fake_http_script(world->http, "DescribeServices",
                     &(struct fake_answer){.status = 403,
                                           .body = "{\"__type\":\"RequestTimeTooSkewed\"}",
                                           .date = "Mon, 02 Mar 2026 14:00:00 GMT"});
    fake_http_script(world->http, "DescribeServices",
                     &(struct fake_answer){.status = 403,
                                           .body = "{\"__type\":\"RequestTimeTooSkewed\"}",
                                           .date = "Mon, 02 Mar 2026 17:00:00 GMT"});
    ask(&outcome);
    aws_world_run(world, MS_PER_MINUTE);
    expect_kind(&outcome, AWS_ERROR_CLOCK);
    assert_int_equal(fake_http_n_requests(world->http), 2);
}

static void without_a_date_the_clock_cannot_be_corrected(void **state)
{
    struct aws_world *world = *state;
    static const char *const BODIES[] = {
        "{\"__type\":\"RequestTimeTooSkewed\"}",
        "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired: 1 < 2\"}",
        "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature not yet current\"}",
    };
    static const char *const DATES[] = {"", "yesterday", "Mon, 02 Mar 2026 12:00:00"};
    for (size_t i = 0; i < ARRAY_LENGTH(BODIES); i++) {
        struct outcome outcome = {.world = world};
        fake_http_script(world->http, "DescribeServices",
                         &(struct fake_answer){.status = 403, .body = BODIES[i], .date = DATES[i]});
        ask(&outcome);
        aws_world_run(world, MS_PER_MINUTE);
        expect_kind(&outcome, AWS_ERROR_CLOCK);
    }
    assert_int_equal(fake_http_n_requests(world->http), 3);
}

static void small_skews_are_learnt_from_any_answer(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_set_clock_offset(world->http, 90 * MS_PER_SECOND);
    fake_http_answer(world->http, "DescribeServices", 400, "{\"__type\":\"ClientException\"}");
    ask(&outcome);
    aws_world_run(world, MS_PER_SECOND);
    assert_in_range(aws_clock_skew_ms(world->aws), 89000, 91000);
}

static void a_date_that_cannot_be_is_not_believed(void **state)
{
    struct aws_world *world = *state;
    static const struct fake_answer ANSWERS[] = {
        /* AWS took the signature, so its clock is not a day ahead. */
        {.body = "{}", .date = "Tue, 03 Mar 2026 12:00:00 GMT"},
        /* A proxy's page. */
        {.status = 403,
         .body = "<html/>",
         .date = "Mon, 02 Mar 2026 12:05:00 GMT",
         .no_request_id = true},
        {.body = "<html/>", .date = "Mon, 02 Mar 2026 12:05:00 GMT", .no_request_id = true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(ANSWERS); i++) {
        struct outcome outcome = {.world = world};
        fake_http_script(world->http, "DescribeServices", &ANSWERS[i]);
        ask(&outcome);
        aws_world_run(world, MS_PER_SECOND);
        assert_int_equal(outcome.n_called, 1);
        assert_int_equal(aws_clock_skew_ms(world->aws), 0);
    }
}

static void a_step_of_the_local_clock_does_not_move_awss_now(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_answer_always(world->http, "DescribeServices", "{}");
    ask(&outcome);
    aws_world_run(world, MS_PER_SECOND);
    struct wall before = aws_now(world->aws);
    virtual_loop_step_wall(world->loop, MS_PER_HOUR);
    assert_int_equal(aws_now(world->aws).ms, before.ms);
    assert_int_equal(world->credentials.skew_ms, -MS_PER_HOUR);

    /* The next request is signed with AWS's time, and goes through at once. */
    struct outcome after = {.world = world};
    fake_http_set_clock_offset(world->http, -MS_PER_HOUR);
    ask(&after);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&after, AWS_OK);
    assert_string_equal(fake_request_header(fake_http_request(world->http, 1), "X-Amz-Date"),
                        "20260302T120001Z");

    /* The clock is set right again: nothing is left. */
    virtual_loop_step_wall(world->loop, -MS_PER_HOUR);
    assert_in_range(aws_clock_skew_ms(world->aws) + 2000, 0, 4000);
}

static void a_host_that_slept_with_a_request_under_way_signs_again(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcome = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 403, BAD_SIGNATURE);
    fake_http_answer(world->http, "DescribeServices", 200, "{}");
    ask(&outcome);
    aws_world_run(world, 10);
    virtual_loop_suspend(world->loop, 8 * MS_PER_HOUR);
    aws_world_run(world, MS_PER_SECOND);
    expect_kind(&outcome, AWS_OK);
    assert_int_equal(aws_clock_skew_ms(world->aws), 0);
}

/* ---- cancelling ---- */

static void a_cancelled_call_is_never_heard_of_again(void **state)
{
    struct aws_world *world = *state;
    /* Waiting; at the gate; sent; backing off. */
    static const int64_t MOMENTS_MS[] = {-1, 5, 15, 40};
    for (size_t i = 0; i < ARRAY_LENGTH(MOMENTS_MS); i++) {
        struct outcome outcome = {.world = world};
        world->credentials.delay_ms = 10;
        virtual_loop_seed(world->loop, 1);
        fake_http_script(world->http, "DescribeServices",
                         &(struct fake_answer){.status = 500, .delay_ms = 20, .times = -1});
        struct aws_call *handle = ask(&outcome);
        if (MOMENTS_MS[i] >= 0)
            aws_world_run(world, MOMENTS_MS[i]);
        aws_call_cancel(handle);
        assert_int_equal(aws_calls_pending(world->aws), 0);
        aws_world_run(world, MS_PER_MINUTE);
        assert_int_equal(outcome.n_called, 0);
    }
    assert_int_equal(world->credentials.n_cancelled, 1);
    assert_int_equal(fake_http_n_cancelled(world->http), 1);
}

static void those_behind_a_cancelled_call_move_up(void **state)
{
    struct aws_world *world = *state;
    struct outcome first = {.world = world};
    struct outcome second = {.world = world};
    world->credentials.delay_ms = 100;
    fake_http_answer(world->http, "FilterLogEvents", 200, "{}");
    struct aws_call *handle = call(&first, LOGS_FILTER_LOG_EVENTS, AWS_ROUTINE);
    call(&second, LOGS_FILTER_LOG_EVENTS, AWS_ROUTINE);
    aws_world_run(world, 50);
    aws_call_cancel(handle);
    aws_world_run(world, 200);
    expect_kind(&second, AWS_OK);
}

static void calls_can_be_cancelled_from_a_callback(void **state)
{
    struct aws_world *world = *state;
    struct outcome first = {.world = world};
    struct outcome second = {.world = world};
    fake_http_answer_always(world->http, "FilterLogEvents", "{}");
    call(&first, LOGS_FILTER_LOG_EVENTS, AWS_ROUTINE);
    first.cancel = call(&second, LOGS_FILTER_LOG_EVENTS, AWS_ROUTINE);
    aws_world_run(world, MS_PER_MINUTE);
    assert_int_equal(first.n_called, 1);
    assert_int_equal(second.n_called, 0);
}

static void freeing_cancels_everything_without_a_word(void **state)
{
    struct aws_world *world = *state;
    struct outcome outcomes[8] = {0};
    fake_http_answer_always(world->http, "FilterLogEvents", "{}");
    for (size_t i = 0; i < 8; i++) {
        outcomes[i].world = world;
        call(&outcomes[i], LOGS_FILTER_LOG_EVENTS, AWS_ROUTINE);
    }
    aws_world_run(world, 260);
    world->aws = aws_free(world->aws);
    assert_null(world->aws);
    assert_int_equal(fake_http_n_unanswered(world->http), 0);
    aws_world_run(world, MS_PER_MINUTE);
    assert_int_equal(outcomes[7].n_called, 0);
    assert_null(aws_free(NULL));
}

static void an_answer_can_be_redirected(void **state)
{
    struct aws_world *world = *state;
    struct outcome owner = {.world = world};
    struct outcome heir = {.world = world};
    fake_http_answer(world->http, "DescribeServices", 200, "{\"answer\":9}");
    struct aws_call *handle = ask(&owner);
    aws_world_run(world, 5);
    aws_call_redirect(handle, note, &heir);
    aws_world_run(world, MS_PER_SECOND);
    assert_int_equal(owner.n_called, 0);
    assert_int_equal(heir.answer, 9);
    assert_ptr_equal(aws_loop(world->aws), world->loop);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_one_signed_post),
        TEST(without_a_session_there_is_no_token_header),
        TEST(every_operation_has_its_names),
        TEST(the_endpoint_is_the_configured_one),
        TEST(the_shared_configs_endpoint_is_used),
        TEST(what_cannot_be_sent_says_so),
        TEST(an_answer_that_is_no_object_is_malformed),
        TEST(success_with_an_error_inside_is_an_error),
        TEST(refusals_are_not_repeated),
        TEST(trouble_that_passes_is_not_seen),
        TEST(three_attempts_are_all),
        TEST(waits_are_full_jitter),
        TEST(retry_after_is_honoured_within_reason),
        TEST(a_hanging_server_is_given_up_in_time),
        TEST(when_all_is_down_calls_stop_trying_again),
        TEST(requests_never_come_faster_than_the_quota),
        TEST(nor_when_credentials_come_late),
        TEST(the_urgent_go_first_and_the_others_in_order),
        TEST(operations_do_not_hold_up_one_another),
        TEST(those_that_waited_for_slow_answers_leave_in_step),
        TEST(a_wake_goes_although_others_are_not_answered),
        TEST(a_call_given_up_makes_room_for_another),
        TEST(a_call_to_be_tried_again_makes_room_meanwhile),
        TEST(throttling_pauses_the_operation_for_all),
        TEST(lasting_throttling_slows_down_more_and_more),
        TEST(a_pause_that_begins_while_one_waits_for_credentials_holds),
        TEST(what_waits_beyond_its_deadline_is_not_sent),
        TEST(without_credentials_a_call_fails_and_says_why),
        TEST(expired_credentials_are_fetched_anew_once),
        TEST(credentials_expired_twice_are_an_error),
        TEST(a_wrong_secret_is_a_matter_of_credentials),
        TEST(a_skewed_clock_is_corrected_and_the_call_repeated),
        TEST(a_clock_that_stays_wrong_is_an_error),
        TEST(without_a_date_the_clock_cannot_be_corrected),
        TEST(small_skews_are_learnt_from_any_answer),
        TEST(a_date_that_cannot_be_is_not_believed),
        TEST(a_step_of_the_local_clock_does_not_move_awss_now),
        TEST(a_host_that_slept_with_a_request_under_way_signs_again),
        TEST(a_cancelled_call_is_never_heard_of_again),
        TEST(those_behind_a_cancelled_call_move_up),
        TEST(calls_can_be_cancelled_from_a_callback),
        TEST(freeing_cancels_everything_without_a_word),
        TEST(an_answer_can_be_redirected),
    };
    return cmocka_run_group_tests_name("aws", tests, NULL, NULL);
}
