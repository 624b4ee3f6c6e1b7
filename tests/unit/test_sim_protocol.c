/* SPDX-License-Identifier: MIT */

/* The way of a call: signature, permission, throttle, errors, history; and the scenario's own. */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/json.h"
#include "src/sigv4.h"
#include "tests/support/sim_world.h"

#define KEY_ID "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define STRICT "{'settings': {'verify_signatures': true}}"

/* A signed DescribeClusters, to be spoilt in one place before it is sent. */
struct signed_call {
    const char *method, *service, *region, *access_key_id, *secret, *token, *body, *target;
    struct wall signed_at;
    char authorization[SIGV4_AUTHORIZATION_MAX], date[SIGV4_DATE_MAX];
    const char *sent_body, *sent_token;
    bool without_authorization, without_date, unsigned_target;
};

static struct signed_call good_call(const struct world *world)
{
    return (struct signed_call){
        .method = "POST",
        .service = "ecs",
        .region = "eu-west-1",
        .access_key_id = KEY_ID,
        .secret = SECRET,
        .body = "{}",
        .target = "AmazonEC2ContainerServiceV20141113.DescribeClusters",
        .signed_at = world->now,
    };
}

static void sign(struct signed_call *call)
{
    struct sigv4_header headers[] = {
        {"Host", "ecs.eu-west-1.amazonaws.com"},
        {"Content-Type", "application/x-amz-json-1.1"},
        {"X-Amz-Target", call->target},
    };
    struct sigv4_request request = {.method = call->method,
                                    .path = "/",
                                    .headers = headers,
                                    .n_headers = call->unsigned_target ? 2 : 3,
                                    .body = call->body,
                                    .body_size = strlen(call->body)};
    struct sigv4_credentials credentials = {.access_key_id = call->access_key_id,
                                            .secret_access_key = call->secret,
                                            .session_token = call->token};
    struct sigv4_scope scope = {.region = call->region, .service = call->service};
    struct sigv4_signer signer = {0};
    struct sigv4_signature signature;
    assert_int_equal(
        sigv4_sign(&signer, &request, &credentials, &scope, call->signed_at, &signature), 0);
    strcpy(call->authorization, signature.authorization);
    strcpy(call->date, signature.date);
}

static void send_signed(struct world *world, const struct signed_call *call)
{
    const char *body = call->sent_body ? call->sent_body : call->body;
    const char *token = call->sent_token ? call->sent_token : call->token;
    struct sim_header headers[6] = {
        {"host", "ecs.eu-west-1.amazonaws.com"},
        {"content-type", "application/x-amz-json-1.1"},
        {"x-amz-target", call->target},
    };
    size_t n = 3;
    if (!call->without_authorization)
        headers[n++] = (struct sim_header){"authorization", call->authorization};
    if (!call->without_date)
        headers[n++] = (struct sim_header){"x-amz-date", call->date};
    if (token)
        headers[n++] = (struct sim_header){"x-amz-security-token", token};
    struct sim_request request = {.method = call->method,
                                  .path = "/",
                                  .query = "",
                                  .headers = headers,
                                  .n_headers = n,
                                  .body = body,
                                  .body_size = strlen(body)};
    sim_response_clear(&world->response);
    json_object_put(world->answer);
    world->answer = NULL;
    sim_handle(world->sim, world->now, &request, &world->response);
    world->status = world->response.status;
    (void)json_parse(world->response.body, world->response.body_size, &world->answer);
}

static void expect_error(struct world *world, struct signed_call *call, const char *code)
{
    send_signed(world, call);
    assert_int_equal(world->status, 400);
    assert_string_equal(world_error(world), code);
    assert_non_null(world_text(world, "message"));
}

static void a_signed_call_is_answered(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STRICT);
    struct signed_call call = good_call(&world);
    sign(&call);
    send_signed(&world, &call);
    assert_int_equal(world.status, 200);
    assert_string_equal(world_header(&world, "Content-Type"), "application/x-amz-json-1.1");
    assert_int_equal(strlen(world_header(&world, "x-amzn-RequestId")), 36);
    assert_string_equal(world_header(&world, "Date"), "Sun, 01 Mar 2026 14:20:05 GMT");
    world_end(&world);
}

static void nothing_may_be_changed_behind_the_signature(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STRICT);
    struct signed_call call = good_call(&world);
    sign(&call);
    call.sent_body = "{\"a\":1}";
    expect_error(&world, &call, "InvalidSignatureException");

    call = good_call(&world);
    sign(&call);
    call.target = "AmazonEC2ContainerServiceV20141113.ListClusters";
    expect_error(&world, &call, "InvalidSignatureException");

    call = good_call(&world);
    call.unsigned_target = true;
    sign(&call);
    expect_error(&world, &call, "InvalidSignatureException");

    call = good_call(&world);
    call.secret = "another";
    sign(&call);
    expect_error(&world, &call, "InvalidSignatureException");

    call = good_call(&world);
    sign(&call);
    char *last = call.authorization + strlen(call.authorization) - 1;
    *last = *last == '0' ? '1' : '0';
    expect_error(&world, &call, "InvalidSignatureException");
    *last = '\0';
    expect_error(&world, &call, "InvalidSignatureException");
    world_end(&world);
}

static void the_scope_must_be_that_of_the_call(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STRICT);
    struct signed_call call = good_call(&world);
    call.service = "logs";
    sign(&call);
    expect_error(&world, &call, "InvalidSignatureException");
    call = good_call(&world);
    call.region = "us-east-1";
    sign(&call);
    expect_error(&world, &call, "InvalidSignatureException");
    call = good_call(&world);
    sign(&call);
    memcpy(strstr(call.authorization, "/20260301/"), "/20260302/", 10);
    expect_error(&world, &call, "InvalidSignatureException");
    world_end(&world);
}

static void five_minutes_of_skew_are_forgiven(void **state)
{
    static const int64_t skews_ms[] = {0, 300000, -300000};
    struct world world;
    (void)state;
    world_begin(&world, STRICT);
    for (size_t i = 0; i < ARRAY_LENGTH(skews_ms); i++) {
        struct signed_call call = good_call(&world);
        call.signed_at = wall_add(world.now, skews_ms[i]);
        sign(&call);
        send_signed(&world, &call);
        assert_int_equal(world.status, 200);
    }
    struct signed_call call = good_call(&world);
    call.signed_at = wall_add(world.now, -301000);
    sign(&call);
    expect_error(&world, &call, "InvalidSignatureException");
    assert_string_equal(world_text(&world, "message"),
                        "Signature expired: 20260301T141504Z is now earlier than 20260301T141505Z "
                        "(20260301T142005Z - 5 min.)");
    call = good_call(&world);
    call.signed_at = wall_add(world.now, 301000);
    sign(&call);
    expect_error(&world, &call, "InvalidSignatureException");
    assert_string_equal(world_text(&world, "message"),
                        "Signature not yet current: 20260301T142506Z is still later than "
                        "20260301T142505Z (20260301T142005Z + 5 min.)");
    world_end(&world);
}

static void strangers_are_sent_away(void **state)
{
    static const char *const broken[] = {
        "Basic Zm9vOmJhcg==",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x",
        "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20260301/eu-west-1/ecs/aws4_request",
        "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20260301/eu-west-1/ecs/aws4_request, "
        "SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=" KEY_ID "/20260301/eu-west-1/ecs/aws5_request, "
        "SignedHeaders=host, Signature=x",
    };
    struct world world;
    (void)state;
    world_begin(&world, STRICT);
    struct signed_call call = good_call(&world);
    sign(&call);
    call.without_authorization = true;
    expect_error(&world, &call, "MissingAuthenticationTokenException");
    call.without_authorization = false;
    call.without_date = true;
    expect_error(&world, &call, "IncompleteSignatureException");
    call = good_call(&world);
    call.access_key_id = "AKIAUNKNOWN";
    sign(&call);
    expect_error(&world, &call, "UnrecognizedClientException");
    call = good_call(&world);
    call.token = "a token that nobody gave";
    sign(&call);
    expect_error(&world, &call, "UnrecognizedClientException");
    for (size_t i = 0; i < ARRAY_LENGTH(broken); i++) {
        call = good_call(&world);
        sign(&call);
        strcpy(call.authorization, broken[i]);
        expect_error(&world, &call, "IncompleteSignatureException");
    }
    world_end(&world);
}

static void sessions_need_their_token_and_end(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{'settings': {'verify_signatures': true}, "
                        "'roles': [{'arn': 'arn:aws:iam::123456789012:role/team/bastion'}]}");
    const struct sim_key *key = NULL;
    const struct sim_role *role = sim_role_find(world.sim, "bastion");
    assert_non_null(role);
    assert_int_equal(sim_key_issue(world.sim, role, "me", 900, world.now, &key), 0);
    assert_string_equal(key->arn, "arn:aws:sts::123456789012:assumed-role/bastion/me");
    assert_int_equal(strncmp(key->access_key_id, "ASIA", 4), 0);

    struct signed_call call = good_call(&world);
    call.access_key_id = key->access_key_id;
    call.secret = key->secret_access_key;
    call.token = key->session_token;
    sign(&call);
    send_signed(&world, &call);
    assert_int_equal(world.status, 200);

    call.sent_token = "another";
    expect_error(&world, &call, "UnrecognizedClientException");
    call.sent_token = NULL;
    call.token = NULL;
    sign(&call);
    expect_error(&world, &call, "UnrecognizedClientException");

    world.now.ms += 900000;
    call.token = key->session_token;
    call.signed_at = world.now;
    sign(&call);
    expect_error(&world, &call, "ExpiredTokenException");

    /* A day after its end it is forgotten, when the next one is made. */
    char old_id[SIM_ACCESS_KEY_ID_MAX];
    strcpy(old_id, key->access_key_id);
    assert_int_equal(
        sim_key_issue(world.sim, role, "me", 900, wall_add(world.now, 2 * MS_PER_DAY), &key), 0);
    assert_null(sim_key_find(world.sim, old_id));
    assert_int_equal(sim_key_expire(world.sim, old_id, world.now), -ENOENT);
    assert_int_equal(sim_key_expire(world.sim, KEY_ID, world.now), 0);
    call = good_call(&world);
    sign(&call);
    expect_error(&world, &call, "ExpiredTokenException");
    world_end(&world);
}

static void not_every_call_is_one(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STRICT);
    struct signed_call call = good_call(&world);
    call.target = "AmazonEC2ContainerServiceV20141113.RunTask";
    sign(&call);
    expect_error(&world, &call, "UnknownOperationException");
    call = good_call(&world);
    call.target = "DynamoDB_20120810.GetItem";
    sign(&call);
    expect_error(&world, &call, "UnknownOperationException");
    call = good_call(&world);
    call.method = "PUT";
    sign(&call);
    expect_error(&world, &call, "UnknownOperationException");
    static const char *const bodies[] = {"{", "[]", "{} {}", "\"x\"", "{\"clusters\": \xff}"};
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        call = good_call(&world);
        call.body = bodies[i];
        sign(&call);
        expect_error(&world, &call, "SerializationException");
    }
    call = good_call(&world);
    call.body = ""; /* nothing is as good as {} */
    sign(&call);
    send_signed(&world, &call);
    assert_int_equal(world.status, 200);
    world_end(&world);
}

static void permissions_are_by_action_and_resource(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world,
                "{'credentials': [{'access_key_id': 'AKIALIMITED', 'secret_access_key': 's', "
                "'arn': 'arn:aws:iam::123456789012:user/limited', 'allow': ["
                "'logs:Filter*', 'ecs:DescribeServices', {'action': 'ecs:UpdateService', "
                "'resource': 'arn:aws:ecs:*:123456789012:service/staging/ap?'}]}],"
                "'log_groups': [{'name': '/g'}], 'clusters': [{'name': 'staging', 'services': "
                "[{'name': 'api'}, {'name': 'web'}]}]}");
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/g'}");
    assert_int_equal(world.status, 200);
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'api', 'desiredCount': 1}");
    assert_int_equal(world.status, 200);
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'web', 'desiredCount': 1}");
    assert_string_equal(world_error(&world), "AccessDeniedException");
    assert_string_equal(world_text(&world, "message"),
                        "User: arn:aws:iam::123456789012:user/limited is not authorized to "
                        "perform: ecs:UpdateService on resource: "
                        "arn:aws:ecs:eu-west-1:123456789012:service/staging/web because no "
                        "identity-based policy allows the ecs:UpdateService action");
    world_call(&world, "logs", "StartQuery",
               "{'logGroupName': '/g', 'startTime': 0, 'endTime': 1, 'queryString': ''}");
    assert_string_equal(world_error(&world), "AccessDeniedException");
    assert_non_null(strstr(world_text(&world, "Message"), "log-group:/g:log-stream:"));
    world_end(&world);
}

static void one_forbidden_of_several_forbids_the_call(void **state)
{
    struct world world;
    (void)state;
    world_begin(
        &world,
        "{'credentials': [{'access_key_id': 'A', 'secret_access_key': 's', 'allow': ["
        "{'action': 'ecs:DescribeServices', 'resource': 'arn:*:*:*:*:*/api'}]}],"
        "'clusters': [{'name': 'default', 'services': [{'name': 'api'}, {'name': 'web'}]}]}");
    world_call(&world, "ecs", "DescribeServices", "{'services': ['api']}");
    assert_int_equal(world.status, 200);
    world_call(&world, "ecs", "DescribeServices", "{'services': ['api', 'web']}");
    assert_string_equal(world_error(&world), "AccessDeniedException");
    world_end(&world);
}

static void buckets_throttle(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{'settings': {'throttle': {'ListClusters': {'rate': 2, 'burst': 3}}}}");
    for (int i = 0; i < 3; i++) {
        world_call(&world, "ecs", "ListClusters", "{}");
        assert_int_equal(world.status, 200);
    }
    world_call(&world, "ecs", "ListClusters", "{}");
    assert_int_equal(world.status, 400);
    assert_string_equal(world_error(&world), "ThrottlingException");
    assert_string_equal(world_text(&world, "message"), "Rate exceeded");
    world_call(&world, "ecs", "DescribeClusters", "{}");
    assert_int_equal(world.status, 200);
    for (int i = 0; i < 10; i++) {
        world.now.ms += 500; /* refilled by tenths that do not add up exactly elsewhere */
        world_call(&world, "ecs", "ListClusters", "{}");
        assert_int_equal(world.status, 200);
    }
    world_call(&world, "ecs", "ListClusters", "{}");
    assert_int_equal(world.status, 400);
    world_end(&world);

    world_begin(&world, "{'settings': {'throttle': 'aws'}, 'log_groups': [{'name': '/g'}]}");
    int passed = 0;
    for (int i = 0; i < 20; i++) {
        world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/g'}");
        passed += world.status == 200;
    }
    assert_int_equal(passed, 5);
    world_end(&world);
}

static void every_call_is_remembered(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{'settings': {'history_max': 100}, 'clusters': [{'name': 'default'}]}");
    assert_int_equal(sim_history_newest(world.sim), 0);
    assert_null(sim_history_get(world.sim, 1));
    world_call(&world, "ecs", "DescribeClusters", "{'clusters': ['a/b']}");
    world.now.ms += 5;
    world_call(&world, "ecs", "UpdateService", "{'service': 'nope'}");
    const struct sim_call_record *record = sim_history_get(world.sim, 1);
    assert_string_equal(record->operation, "DescribeClusters");
    assert_string_equal(record->parameters, "{\"clusters\":[\"a/b\"]}");
    assert_int_equal(record->status, 200);
    assert_string_equal(record->code, "");
    assert_int_equal(record->time.ms, WORLD_BEGIN.ms);
    record = sim_history_get(world.sim, 2);
    assert_int_equal(record->status, 400);
    assert_string_equal(record->code, "ServiceNotFoundException");
    assert_string_equal(record->request_id, world_header(&world, "x-amzn-RequestId"));

    for (int i = 0; i < 250; i++)
        world_call(&world, "ecs", "ListClusters", "{'maxResults': %d}", i % 100 + 1);
    assert_int_equal(sim_history_newest(world.sim), 252);
    assert_int_equal(sim_history_oldest(world.sim), 153);
    assert_null(sim_history_get(world.sim, 152));
    assert_null(sim_history_get(world.sim, 253));
    assert_int_equal(sim_history_get(world.sim, 153)->number, 153);
    sim_history_clear(world.sim);
    assert_null(sim_history_get(world.sim, 252));
    world_call(&world, "ecs", "ListClusters", "{}");
    assert_int_equal(sim_history_get(world.sim, 253)->number, 253);
    world_end(&world);
}

static void a_claimed_key_is_remembered_too(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, STRICT);
    struct signed_call call = good_call(&world);
    call.access_key_id = "AKIAUNKNOWN";
    sign(&call);
    expect_error(&world, &call, "UnrecognizedClientException");
    assert_string_equal(sim_history_get(world.sim, 1)->access_key_id, "AKIAUNKNOWN");
    assert_string_equal(sim_history_get(world.sim, 1)->operation, "DescribeClusters");
    world_end(&world);
}

static void settings_change_by_name(void **state)
{
    struct world world;
    int64_t value;
    (void)state;
    world_begin(&world, "{}");
    assert_int_equal(sim_setting_get(world.sim, "query_running_ms", &value), 0);
    assert_int_equal(value, 2000);
    assert_int_equal(sim_setting_set(world.sim, "query_running_ms", 10), 0);
    assert_int_equal(sim_setting_get(world.sim, "query_running_ms", &value), 0);
    assert_int_equal(value, 10);
    assert_int_equal(sim_setting_get(world.sim, "verify_signatures", &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(sim_setting_set(world.sim, "verify_signatures", 2), -EINVAL);
    assert_int_equal(sim_setting_set(world.sim, "page_events", 0), -EINVAL);
    assert_int_equal(sim_setting_set(world.sim, "history_max", 5), -EINVAL); /* while it runs */
    assert_int_equal(sim_setting_set(world.sim, "weather", 5), -ENOENT);
    assert_int_equal(sim_setting_get(world.sim, "weather", &value), -ENOENT);
    world_end(&world);
}

static void a_scenario_is_read_strictly(void **state)
{
    static const struct {
        const char *scenario, *error;
    } cases[] = {
        {"[]", "the scenario: must be an object"},
        {"{'colour': 1}", "colour: there is no such member"},
        {"{'account': '123'}", "account: must be twelve digits"},
        {"{'region': ''}", "region: must be a string that is not empty"},
        {"{'settings': []}", "settings: must be an object"},
        {"{'settings': {'page_events': 0}}", "settings.page_events: must be an integer from 1"},
        {"{'settings': {'weather': 0}}", "settings.weather: there is no such setting"},
        {"{'settings': {'verify_signatures': 1}}", "settings.verify_signatures: must be true or"},
        {"{'settings': {'throttle': 'some'}}", "settings.throttle: must be \"none\", \"aws\""},
        {"{'settings': {'throttle': {'X': {'rate': 1}}}}", "settings.throttle.X: must be"},
        {"{'credentials': {}}", "credentials: must be an array"},
        {"{'credentials': [{}]}", "credentials[0].access_key_id: is needed"},
        {"{'credentials': [{'access_key_id': 'a'}]}",
         "credentials[0].secret_access_key: is needed"},
        {"{'credentials': [{'access_key_id': 'a', 'secret_access_key': 's', 'expires': 'soon'}]}",
         "credentials[0].expires: must be a moment"},
        {"{'credentials': [{'access_key_id': 'a', 'secret_access_key': 's', 'allow': [{}]}]}",
         "credentials[0].allow[0].action: is needed"},
        {"{'credentials': [{'access_key_id': 'a', 'secret_access_key': 's'}, "
         "{'access_key_id': 'a', 'secret_access_key': 's'}]}",
         "credentials[1].access_key_id: is there already"},
        {"{'roles': [{'arn': 'x'}]}", "roles[0].arn: must be like"},
        {"{'imds': {'role': 'nobody'}}", "imds.role: \"nobody\" is none of \"roles\""},
        {"{'imds': {'enabled': 1}}", "imds.enabled: must be true or false"},
        {"{'container': {'path': 'x'}}", "container.path: must begin with a slash"},
        {"{'log_groups': [{'name': 'a b'}]}", "log_groups[0].name: is no log group's name"},
        {"{'log_groups': [{'name': '/g'}, {'name': '/g'}]}",
         "log_groups[1].name: is there already"},
        {"{'log_groups': [{'name': '/g', 'class': 'CHEAP'}]}", "log_groups[0].class: \"CHEAP\""},
        {"{'log_groups': [{'name': '/g', 'streams': [1]}]}", "log_groups[0].streams[0]: must be a"},
        {"{'log_groups': [{'name': '/g', 'events': [{}]}]}", "log_groups[0].events[0].message: is"},
        {"{'clusters': [{'services': []}]}", "clusters[0].name: is needed"},
        {"{'clusters': [{'name': 'c', 'services': [{'name': 'a', 'desird': 1}]}]}",
         "clusters[0].services[0].desird: there is no such member"},
        {"{'clusters': [{'name': 'c', 'services': [{'name': 'a', 'desired': -1}]}]}",
         "clusters[0].services[0].desired: must be an integer from 0 to 5000"},
        {"{'clusters': [{'name': 'c', 'services': [{'name': 'a'}, {'name': 'a'}]}]}",
         "clusters[0].services[1].name: is there already"},
        {"{'clusters': [{'name': 'c', 'services': [{'name': 'a', 'log_group': ' '}]}]}",
         "clusters[0].services[0].log_group: is no log group's name"},
        {"{'clusters': [{'name': 'c', 'services': [{'name': 'a', 'tags': {'k': 1}}]}]}",
         "clusters[0].services[0].tags: values must be strings"},
        {"{'clusters': [{'name': 'c', 'services': [{'name': 'a', 'strategy': 'X'}]}]}",
         "clusters[0].services[0].strategy: \"X\" is none of its values"},
        {"{'faults': [{'kind': 'rain'}]}", "faults[0].kind: there is no fault \"rain\""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *error = world_refused(cases[i].scenario);
        if (strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s: %s", cases[i].scenario, error);
        free(error);
    }
}

static void a_scenario_says_it_all(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world,
                "{'account': '210987654321', 'region': 'us-east-1', 'seed': 42,"
                " 'settings': {'latency_ms': 20, 'throttle': 'none'},"
                " 'roles': [{'arn': 'arn:aws:iam::210987654321:role/x', 'external_id': 'e',"
                "            'web_identity_token': 'w', 'max_session_s': 900, 'allow': ['*']}],"
                " 'imds': {'enabled': false, 'role': 'x', 'session_s': 900},"
                " 'container': {'path': '/v2/c', 'authorization_token': 't', 'role': 'x'},"
                " 'log_groups': [{'name': '/g', 'created': '2026-02-01T00:00:00Z', "
                "   'ingestion_delay_ms': 7, 'events': [{'timestamp': 1772374800000, "
                "   'message': 'm', 'stream': 's', 'ingestion_delay_ms': 9}]}],"
                " 'clusters': [{'name': 'gone', 'status': 'INACTIVE'}],"
                " 'faults': [{'kind': 'http_500', 'operation': 'StopQuery', 'count': -1}]}");
    const struct sim *sim = world.sim;
    assert_string_equal(sim->region, "us-east-1");
    assert_int_equal(sim->seed, 42);
    assert_int_equal(sim->roles[0].max_session_s, 900);
    assert_string_equal(sim->roles[0].web_identity_token, "w");
    assert_false(sim->imds.enabled);
    assert_int_equal(sim->imds.session_s, 900);
    assert_int_equal(sim->container.session_s, 21600);
    assert_int_equal(sim->log_groups[0]->ingestion_delay_ms, 7);
    assert_int_equal(sim->log_groups[0]->events[0].ingestion_ms, INT64_C(1772374800009));
    assert_int_equal(sim->n_faults, 1);
    assert_int_equal(sim->n_keys, 1);
    world_call(&world, "ecs", "ListServices", "{'cluster': 'gone'}");
    assert_string_equal(world_error(&world), "ClusterNotFoundException");
    assert_int_equal(world.response.latency_ms, 20);
    world_end(&world);
}

static void send_plain(struct world *world, const char *method, const char *path, const char *type,
                       const char *body)
{
    struct sim_header headers[] = {{"Host", "localhost"}, {"Content-Type", type}};
    struct sim_request request = {.method = method,
                                  .path = path,
                                  .query = "",
                                  .headers = headers,
                                  .n_headers = ARRAY_LENGTH(headers),
                                  .body = body,
                                  .body_size = strlen(body)};
    sim_response_clear(&world->response);
    sim_handle(world->sim, world->now, &request, &world->response);
    world->status = world->response.status;
}

static void the_query_protocol_speaks_xml(void **state)
{
    static const char form[] = "application/x-www-form-urlencoded";
    struct world world;
    (void)state;
    world_begin(&world, "{'settings': {'verify_signatures': true}, 'roles': [{'arn': "
                        "'arn:aws:iam::123456789012:role/x', 'web_identity_token': 'token'}]}");
    send_plain(&world, "POST", "/", form, "Action=GetCallerIdentity&Version=2011-06-15");
    assert_int_equal(world.status, 403);
    assert_string_equal(world_header(&world, "Content-Type"), "text/xml");
    assert_non_null(strstr(world.response.body, "<Code>MissingAuthenticationToken</Code>"));
    assert_non_null(strstr(world.response.body, "<Type>Sender</Type>"));
    send_plain(&world, "POST", "/", form, "Action=Nothing");
    assert_non_null(strstr(world.response.body, "<Code>InvalidAction</Code>"));
    send_plain(&world, "POST", "/", form, "%");
    assert_non_null(strstr(world.response.body, "<Code>InvalidAction</Code>"));

    /* This one is not signed. */
    send_plain(&world, "POST", "/", form,
               "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012"
               "%3Arole%2Fx&RoleSessionName=me&WebIdentityToken=token");
    assert_int_equal(world.status, 200);
    assert_non_null(strstr(world.response.body, "<AssumeRoleWithWebIdentityResponse xmlns="));
    assert_non_null(strstr(world.response.body, "<RequestId>"));
    world_fault(&world, SIM_FAULT_THROTTLE, "AssumeRoleWithWebIdentity", 0);
    send_plain(&world, "POST", "/", form, "Action=AssumeRoleWithWebIdentity");
    assert_non_null(strstr(world.response.body, "<Code>Throttling</Code>"));
    assert_string_equal(sim_history_get(world.sim, sim_history_newest(world.sim))->code,
                        "ThrottlingException");
    world_end(&world);
}

static void the_metadata_service_has_faults_and_a_history(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "{}");
    send_plain(&world, "GET", "/latest/meta-data/", "text/plain", "");
    assert_int_equal(world.status, 401); /* no token */
    const struct sim_call_record *record = sim_history_get(world.sim, 1);
    assert_string_equal(record->operation, "Imds");
    assert_string_equal(record->parameters, "{\"method\":\"GET\",\"path\":\"/latest/meta-data/\"}");
    assert_int_equal(record->status, 401);

    static const struct {
        enum sim_fault_kind kind;
        int status;
    } faults[] = {
        {SIM_FAULT_THROTTLE, 429},      {SIM_FAULT_HTTP_500, 500},
        {SIM_FAULT_HTTP_502, 502},      {SIM_FAULT_HTTP_503, 503},
        {SIM_FAULT_ACCESS_DENIED, 403}, {SIM_FAULT_EXPIRED_TOKEN, 401},
        {SIM_FAULT_NOT_FOUND, 404},     {SIM_FAULT_INVALID_PARAMETER, 400},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        world_fault(&world, faults[i].kind, "Imds", 0);
        send_plain(&world, "PUT", "/latest/api/token", "text/plain", "");
        assert_int_equal(world.status, faults[i].status);
    }
    world_fault(&world, SIM_FAULT_REFUSE, "Imds", 0);
    send_plain(&world, "PUT", "/latest/api/token", "text/plain", "");
    assert_int_equal(world.response.delivery, SIM_REFUSE);
    world_fault(&world, SIM_FAULT_GARBAGE, "Imds", 0);
    send_plain(&world, "PUT", "/latest/api/token", "text/plain", "");
    assert_non_null(strstr(world.response.body, "DOCTYPE"));
    world_end(&world);
}

static void forms_are_read(void **state)
{
    static const char form[] = "Action=AssumeRole&RoleArn=arn%3Aaws&Text=a+b%2Bc&Flag&&Empty=";
    struct json_object *object = NULL;
    const char *text;
    (void)state;
    assert_int_equal(sim_form_parse(form, strlen(form), &object), 0);
    assert_int_equal(json_get_string(object, "RoleArn", &text), 0);
    assert_string_equal(text, "arn:aws");
    assert_int_equal(json_get_string(object, "Text", &text), 0);
    assert_string_equal(text, "a b+c");
    assert_int_equal(json_get_string(object, "Flag", &text), 0);
    assert_string_equal(text, "");
    json_object_put(object);
    assert_int_equal(sim_form_parse("a=%zz", 5, &object), -EINVAL);
    assert_int_equal(sim_form_parse("a=%00", 5, &object), -EINVAL);
    assert_int_equal(sim_form_parse("a=%4", 4, &object), -EINVAL);
    assert_int_equal(sim_form_parse("a\0b", 3, &object), -EINVAL);
}

static void the_same_seed_gives_the_same_names(void **state)
{
    struct world world;
    char first[64], second[64];
    (void)state;
    world_begin(&world, "{'seed': 3}");
    world_call(&world, "ecs", "ListClusters", "{}");
    snprintf(first, sizeof(first), "%s", world_header(&world, "x-amzn-RequestId"));
    world_call(&world, "ecs", "ListClusters", "{}");
    assert_string_not_equal(first, world_header(&world, "x-amzn-RequestId"));
    world_end(&world);
    world_begin(&world, "{'seed': 3}");
    world_call(&world, "ecs", "ListClusters", "{}");
    snprintf(second, sizeof(second), "%s", world_header(&world, "x-amzn-RequestId"));
    assert_string_equal(first, second);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_call_is_answered),
        cmocka_unit_test(nothing_may_be_changed_behind_the_signature),
        cmocka_unit_test(the_scope_must_be_that_of_the_call),
        cmocka_unit_test(five_minutes_of_skew_are_forgiven),
        cmocka_unit_test(strangers_are_sent_away),
        cmocka_unit_test(sessions_need_their_token_and_end),
        cmocka_unit_test(not_every_call_is_one),
        cmocka_unit_test(permissions_are_by_action_and_resource),
        cmocka_unit_test(one_forbidden_of_several_forbids_the_call),
        cmocka_unit_test(buckets_throttle),
        cmocka_unit_test(every_call_is_remembered),
        cmocka_unit_test(a_claimed_key_is_remembered_too),
        cmocka_unit_test(settings_change_by_name),
        cmocka_unit_test(a_scenario_is_read_strictly),
        cmocka_unit_test(a_scenario_says_it_all),
        cmocka_unit_test(the_query_protocol_speaks_xml),
        cmocka_unit_test(the_metadata_service_has_faults_and_a_history),
        cmocka_unit_test(forms_are_read),
        cmocka_unit_test(the_same_seed_gives_the_same_names),
    };
    return cmocka_run_group_tests_name("sim: the way of a call", tests, NULL, NULL);
}
