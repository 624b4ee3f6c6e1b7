/* SPDX-License-Identifier: MIT */

/* Policies in the simulated AWS: what a document says, and that every operation asks it. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/iam.h"
#include "src/cleanup.h"
#include "src/json.h"
#include "tests/support/sim_world.h"

#define GATEWAY "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/gateway"
#define STAGING "arn:aws:ecs:eu-west-1:123456789012:cluster/staging"
#define API "arn:aws:ecs:eu-west-1:123456789012:service/staging/api"

/* Single quotes for double ones. */
static struct json_object *read_document(const char *text)
{
    _cleanup_free_ char *copy = strdup(text);
    struct json_object *document = NULL;
    assert_non_null(copy);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    assert_int_equal(json_parse(copy, strlen(copy), &document), 0);
    return document;
}

static enum iam_verdict decide_about(const char *text, const struct iam_question *question)
{
    _cleanup_json_ struct json_object *document = read_document(text);
    _cleanup_free_ char *error = NULL;
    if (iam_policy_check(document, &error) < 0)
        fail_msg("%s: %s", text, error ? error : "");
    return iam_policy_decide(document, question);
}

static enum iam_verdict decide(const char *text, const char *action, const char *resource)
{
    return decide_about(text, &(struct iam_question){.action = action,
                                                     .resource = resource,
                                                     .principal = "arn:aws:iam::1:user/me",
                                                     .region = "eu-west-1"});
}

#define ALLOW(action, resource)                                                    \
    "{'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Action': " action \
    ", 'Resource': " resource "}}"

static void what_no_statement_is_about_is_not_allowed(void **state)
{
    (void)state;
    assert_int_equal(decide("{'Statement': []}", "ecs:UpdateService", API), IAM_NOT_ALLOWED);
    assert_int_equal(decide(ALLOW("'ecs:UpdateService'", "'" API "'"), "ecs:UpdateService", API),
                     IAM_ALLOWED);
    assert_int_equal(decide(ALLOW("'ecs:UpdateService'", "'" API "'"), "ecs:DeleteService", API),
                     IAM_NOT_ALLOWED);
    assert_int_equal(
        decide(ALLOW("'ecs:UpdateService'", "'" API "'"), "ecs:UpdateService", API "2"),
        IAM_NOT_ALLOWED);
}

static void wildcards_stand_for_runs_and_for_characters(void **state)
{
    static const struct {
        const char *action, *resource;
        enum iam_verdict verdict;
    } cases[] = {
        {"'*'", "'*'", IAM_ALLOWED},
        {"'ecs:*'", "'*'", IAM_ALLOWED},
        {"'ecs:Update*'", "'arn:aws:ecs:*:*:service/staging/*'", IAM_ALLOWED},
        {"'ecs:U?date?ervice'", "'arn:aws:ecs:*:123456789012:service/*/a?i'", IAM_ALLOWED},
        {"'ecs:U?date?ervic'", "'*'", IAM_NOT_ALLOWED},
        {"'ECS:updateservice'", "'*'", IAM_ALLOWED}, /* actions are written in any case */
        {"'ecs:*'", "'arn:aws:ecs:*:*:service/STAGING/*'", IAM_NOT_ALLOWED}, /* ARNs are not */
        {"'logs:*'", "'*'", IAM_NOT_ALLOWED},
        {"['logs:*', 'ecs:UpdateService']", "['arn:aws:ecs:x:1:service/a/b', '" API "']",
         IAM_ALLOWED},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[512];
        snprintf(text, sizeof(text), ALLOW("%s", "%s"), cases[i].action, cases[i].resource);
        assert_int_equal(decide(text, "ecs:UpdateService", API), cases[i].verdict);
    }
}

static void a_deny_beats_every_allow(void **state)
{
    static const char text[] =
        "{'Version': '2012-10-17', 'Statement': ["
        " {'Sid': 'Not1', 'Effect': 'Deny', 'Action': 'ecs:Update*', 'Resource': '" API "'},"
        " {'Sid': 'All', 'Effect': 'Allow', 'Action': '*', 'Resource': '*'}]}";
    (void)state;
    assert_int_equal(decide(text, "ecs:UpdateService", API), IAM_DENIED);
    assert_int_equal(decide(text, "ecs:DescribeServices", API), IAM_ALLOWED);
}

static void conditions_limit_a_statement(void **state)
{
#define WHERE(condition)                                                             \
    "{'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'ecs:*'," \
    " 'Resource': '*', 'Condition': " condition "}]}"
    static const struct {
        const char *text;
        bool with_cluster, without;
    } cases[] = {
        {WHERE("{'ArnEquals': {'ecs:cluster': '" STAGING "'}}"), true, false},
        {WHERE("{'StringEquals': {'ECS:Cluster': ['x', '" STAGING "']}}"), true, false},
        {WHERE("{'ArnLike': {'ecs:cluster': 'arn:aws:ecs:*:*:cluster/stag*'}}"), true, false},
        {WHERE("{'StringEquals': {'ecs:cluster': 'arn:aws:ecs:*:*:cluster/stag*'}}"), false, false},
        {WHERE("{'StringEquals': {'ecs:cluster': '" STAGING "x'}}"), false, false},
        {WHERE("{'ArnNotEquals': {'ecs:cluster': '" STAGING "'}}"), false, true},
        {WHERE("{'StringEqualsIgnoreCase': {'aws:RequestedRegion': 'EU-WEST-1'}}"), true, true},
        {WHERE("{'StringLike': {'aws:PrincipalArn': '*:user/m?'}}"), true, true},
        {WHERE("{'StringEquals': {'aws:RequestedRegion': 'eu-west-1'},"
               " 'ArnEquals': {'ecs:cluster': '" STAGING "'}}"),
         true, false},
        {WHERE("{'StringEquals': {'aws:RequestedRegion': 'us-east-1',"
               " 'ecs:cluster': '" STAGING "'}}"),
         false, false},
        {WHERE("{}"), true, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct iam_question question = {.action = "ecs:UpdateService",
                                        .resource = API,
                                        .principal = "arn:aws:iam::1:user/me",
                                        .region = "eu-west-1",
                                        .cluster = STAGING};
        assert_int_equal(decide_about(cases[i].text, &question),
                         cases[i].with_cluster ? IAM_ALLOWED : IAM_NOT_ALLOWED);
        question.cluster = NULL;
        assert_int_equal(decide_about(cases[i].text, &question),
                         cases[i].without ? IAM_ALLOWED : IAM_NOT_ALLOWED);
    }
}

static void what_is_no_policy_is_refused_in_words(void **state)
{
#define STATEMENT(members) "{'Statement': [{" members "}]}"
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"[]", "the policy must be an object"},
        {"{}", "Statement is needed"},
        {"{'Version': '2023-01-01', 'Statement': []}", "Version"},
        {"{'Version': 1, 'Statement': []}", "Version"},
        {"{'Statement': [], 'Principal': '*'}", "\"Principal\" is not known"},
        {"{'Statement': [1]}", "Statement[0] must be an object"},
        {STATEMENT("'Effect': 'allow', 'Action': '*', 'Resource': '*'"), "Statement[0].Effect"},
        {STATEMENT("'Action': '*', 'Resource': '*'"), "Statement[0].Effect"},
        {STATEMENT("'Effect': 'Allow', 'Resource': '*'"), "Statement[0].Action is needed"},
        {STATEMENT("'Effect': 'Allow', 'Action': [], 'Resource': '*'"), "Action is needed"},
        {STATEMENT("'Effect': 'Allow', 'Action': '*'"), "Statement[0].Resource is needed"},
        {STATEMENT("'Effect': 'Allow', 'Action': 'ecs', 'Resource': '*'"), "SERVICE:ACTION"},
        {STATEMENT("'Effect': 'Allow', 'Action': 'a:b:c', 'Resource': '*'"), "SERVICE:ACTION"},
        {STATEMENT("'Effect': 'Allow', 'Action': ['*', 1], 'Resource': '*'"), "list of strings"},
        {STATEMENT("'Effect': 'Allow', 'Action': '*', 'Resource': 'api'"), "an ARN or *"},
        {STATEMENT("'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:ecs'"), "an ARN or *"},
        {STATEMENT("'Effect': 'Allow', 'Action': '*', 'Resource': 'arn:aws:s3:::${aws:username}'"),
         "policy variables"},
        {STATEMENT("'Effect': 'Allow', 'NotAction': '*', 'Resource': '*'"), "\"NotAction\""},
        {STATEMENT("'Sid': 'a b', 'Effect': 'Allow', 'Action': '*', 'Resource': '*'"), "Sid"},
        {STATEMENT("'Effect': 'Allow', 'Action': '*', 'Resource': '*', 'Condition': 1"),
         "Condition must be an object"},
        {STATEMENT("'Effect': 'Allow', 'Action': '*', 'Resource': '*',"
                   " 'Condition': {'NumericEquals': {'ecs:cluster': '1'}}"),
         "no operator"},
        {STATEMENT("'Effect': 'Allow', 'Action': '*', 'Resource': '*',"
                   " 'Condition': {'StringEquals': {'aws:SourceIp': '1'}}"),
         "no condition key"},
        {STATEMENT("'Effect': 'Allow', 'Action': '*', 'Resource': '*',"
                   " 'Condition': {'StringEquals': {'ecs:cluster': 1}}"),
         "list of strings"},
        {"{'Statement': [{'Sid': 'A', 'Effect': 'Allow', 'Action': '*', 'Resource': '*'},"
         " {'Sid': 'A', 'Effect': 'Deny', 'Action': '*', 'Resource': '*'}]}",
         "Statement[1].Sid is there twice"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_json_ struct json_object *document = read_document(cases[i].text);
        _cleanup_free_ char *error = NULL;
        assert_int_equal(iam_policy_check(document, &error), -EINVAL);
        assert_non_null(error);
        if (!strstr(error, cases[i].words))
            fail_msg("%s: %s", cases[i].text, error);
    }
}

/* --- in the simulated AWS ------------------------------------------------------------------------ */

#define WORLD(policy)                                                                  \
    "{'credentials': [{'access_key_id': 'AKIDTEST', 'secret_access_key': 's', " policy \
    ", 'arn': 'arn:aws:iam::123456789012:user/daemon'}],"                              \
    " 'roles': [{'arn': 'arn:aws:iam::123456789012:role/sleeper'}],"                   \
    " 'log_groups': [{'name': '/ecs/gateway'}],"                                       \
    " 'clusters': [{'name': 'staging', 'services': [{'name': 'api', 'desired': 2},"    \
    "   {'name': 'web'}]}]}"

#define ONLY(action, resource)                                                                 \
    "'policy': {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': '" action \
    "', 'Resource': '" resource "'}]}"

static void expect_denied(const struct world *world, const char *action, const char *resource)
{
    char expected[1024];
    const char *message = world_text(world, "message");
    assert_string_equal(world_error(world), "AccessDeniedException");
    snprintf(expected, sizeof(expected),
             "User: arn:aws:iam::123456789012:user/daemon is not authorized to perform: %s on "
             "resource: %s because no identity-based policy allows the %s action",
             action, resource, action);
    if (!message)
        message = world_text(world, "Message");
    assert_string_equal(message, expected);
}

/* Each operation asks for the action and the resource that the Service Authorization Reference names;
 * nothing is allowed here, so the refusal tells. */
static void every_operation_asks(void **state)
{
    static const struct {
        const char *service, *operation, *parameters, *action, *resource;
    } cases[] = {
        {"logs", "FilterLogEvents", "'logGroupName': '/ecs/gateway'", "logs:FilterLogEvents",
         GATEWAY ":log-stream:"},
        {"logs", "FilterLogEvents", "'logGroupIdentifier': '" GATEWAY "'", "logs:FilterLogEvents",
         GATEWAY ":log-stream:"},
        {"logs", "StartQuery", "'logGroupNames': ['/ecs/gateway']", "logs:StartQuery",
         GATEWAY ":log-stream:"},
        {"logs", "GetQueryResults", "'queryId': 'none'", "logs:GetQueryResults", "*"},
        {"logs", "StopQuery", "'queryId': 'none'", "logs:StopQuery", "*"},
        {"logs", "DescribeQueries", "", "logs:DescribeQueries", "*"},
        {"logs", "DescribeLogGroups", "", "logs:DescribeLogGroups", "*"},
        {"logs", "DescribeLogStreams", "'logGroupName': '/ecs/gateway'", "logs:DescribeLogStreams",
         GATEWAY ":log-stream:"},
        {"logs", "PutLogEvents", "'logGroupName': '/ecs/gateway', 'logStreamName': 'a/1'",
         "logs:PutLogEvents", GATEWAY ":log-stream:a/1"},
        {"logs", "CreateLogStream", "'logGroupName': '/ecs/gateway', 'logStreamName': 'a/1'",
         "logs:CreateLogStream", GATEWAY ":log-stream:a/1"},
        {"ecs", "DescribeServices", "'cluster': 'staging', 'services': ['api']",
         "ecs:DescribeServices", API},
        {"ecs", "UpdateService", "'cluster': 'staging', 'service': 'api', 'desiredCount': 0",
         "ecs:UpdateService", API},
        {"ecs", "UpdateService", "'cluster': 'staging', 'service': '" API "'", "ecs:UpdateService",
         API},
        {"ecs", "UpdateService", "'service': 'none'", "ecs:UpdateService",
         "arn:aws:ecs:eu-west-1:123456789012:service/default/none"},
        {"ecs", "ListServices", "'cluster': 'staging'", "ecs:ListServices", "*"},
        {"ecs", "ListClusters", "", "ecs:ListClusters", "*"},
        {"ecs", "DescribeClusters", "'clusters': ['staging']", "ecs:DescribeClusters", STAGING},
        {"ecs", "DescribeTaskDefinition", "'taskDefinition': 'x'", "ecs:DescribeTaskDefinition",
         "*"},
        {"ecs", "TagResource", "'resourceArn': '" API "'", "ecs:TagResource", API},
        {"scaling", "DescribeScalableTargets", "'ServiceNamespace': 'ecs'",
         "application-autoscaling:DescribeScalableTargets", "*"},
    };
    (void)state;
    struct world world;
    world_begin(&world, WORLD("'policy': {'Version': '2012-10-17', 'Statement': []}"));
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        world_call(&world, cases[i].service, cases[i].operation, "{%s}", cases[i].parameters);
        expect_denied(&world, cases[i].action, cases[i].resource);
    }
    struct sim_service_truth truth;
    sim_service_truth(world.sim, world_service(&world, "staging", "api"), world.now, &truth);
    assert_int_equal(truth.desired, 2);
    world_end(&world);
}

static void every_resource_of_a_call_is_asked_for(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world, WORLD(ONLY("ecs:DescribeServices", API)));
    world_call(&world, "ecs", "DescribeServices", "{'cluster': 'staging', 'services': ['api']}");
    assert_int_equal(world.status, 200);
    world_call(&world, "ecs", "DescribeServices",
               "{'cluster': 'staging', 'services': ['api', 'web']}");
    expect_denied(&world, "ecs:DescribeServices",
                  "arn:aws:ecs:eu-west-1:123456789012:service/staging/web");
    world_end(&world);
}

/* AWS takes a log group without the star at the end for the group's own actions (tags) alone. */
static void log_groups_are_named_with_a_star(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world, WORLD(ONLY("logs:FilterLogEvents", GATEWAY ":*")));
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/ecs/gateway'}");
    assert_int_equal(world.status, 200);
    world_end(&world);
    world_begin(&world, WORLD(ONLY("logs:FilterLogEvents", GATEWAY)));
    world_call(&world, "logs", "FilterLogEvents", "{'logGroupName': '/ecs/gateway'}");
    expect_denied(&world, "logs:FilterLogEvents", GATEWAY ":log-stream:");
    world_end(&world);
}

static void results_belong_to_the_log_groups_of_their_query(void **state)
{
    (void)state;
    struct world world;
    char id[SIM_REQUEST_ID_MAX];
    world_begin(&world, WORLD("'allow': ['logs:StartQuery', {'action': 'logs:GetQueryResults',"
                              " 'resource': '" GATEWAY ":*'}]"));
    world_call(&world, "logs", "StartQuery",
               "{'logGroupName': '/ecs/gateway', 'startTime': 1772370000, 'endTime': 1772374000,"
               " 'queryString': 'fields @message'}");
    assert_int_equal(world.status, 200);
    snprintf(id, sizeof(id), "%s", world_text(&world, "queryId"));
    world_call(&world, "logs", "GetQueryResults", "{'queryId': '%s'}", id);
    assert_int_equal(world.status, 200);
    world_end(&world);
}

static void a_cluster_can_be_asked_for(void **state)
{
    static const char scenario[] =
        WORLD("'policy': {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow',"
              " 'Action': 'ecs:*', 'Resource': '*',"
              " 'Condition': {'ArnEquals': {'ecs:cluster': '" STAGING "'}}}]}");
    (void)state;
    struct world world;
    world_begin(&world, scenario);
    world_call(&world, "ecs", "ListServices", "{'cluster': 'staging'}");
    assert_int_equal(world.status, 200);
    world_call(&world, "ecs", "ListServices", "{'cluster': '" STAGING "'}");
    assert_int_equal(world.status, 200);
    world_call(&world, "ecs", "ListServices", "{'cluster': 'production'}");
    expect_denied(&world, "ecs:ListServices", "*");
    /* This action does not have the key. */
    world_call(&world, "ecs", "DescribeClusters", "{'clusters': ['staging']}");
    expect_denied(&world, "ecs:DescribeClusters", STAGING);
    world_end(&world);
}

static void an_explicit_deny_is_called_one(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world, WORLD("'policy': {'Statement': [{'Effect': 'Allow', 'Action': '*',"
                              " 'Resource': '*'}, {'Effect': 'Deny', 'Action': 'ecs:Update*',"
                              " 'Resource': '" API "'}]}"));
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'web', 'desiredCount': 0}");
    assert_int_equal(world.status, 200);
    world_call(&world, "ecs", "UpdateService",
               "{'cluster': 'staging', 'service': 'api', 'desiredCount': 0}");
    assert_string_equal(world_text(&world, "message"),
                        "User: arn:aws:iam::123456789012:user/daemon is not authorized to perform: "
                        "ecs:UpdateService on resource: " API
                        " with an explicit deny in an identity-based policy");
    world_end(&world);
}

static void list_clusters(struct world *world, int status)
{
    world_call(world, "ecs", "ListClusters", "{}");
    assert_int_equal(world->status, status);
}

static void policies_change_at_once_for_sessions_too(void **state)
{
    static const char text[] = "{'Statement': [{'Effect': 'Allow', 'Action': 'logs:*',"
                               " 'Resource': '*'}]}";
    (void)state;
    struct world world;
    _cleanup_free_ char *error = NULL;
    _cleanup_json_ struct json_object *document = read_document(text);
    _cleanup_json_ struct json_object *wrong = read_document("{'Statement': [1]}");
    world_begin(&world, WORLD("'expires': '2030-01-01T00:00:00Z'"));
    const struct sim_role *role = sim_role_find(world.sim, "sleeper");
    const struct sim_key *session;
    assert_int_equal(sim_key_issue(world.sim, role, "s", 3600, world.now, &session), 0);
    list_clusters(&world, 200);

    assert_int_equal(sim_policy_set(world.sim, "AKIDTEST", document, &error), 0);
    list_clusters(&world, 400);
    assert_null(session->policy);
    assert_int_equal(sim_policy_set(world.sim, "sleeper", document, &error), 0);
    assert_ptr_equal(session->policy, document);
    assert_int_equal(sim_policy_set(world.sim, NULL, NULL, &error), 0);
    list_clusters(&world, 200);
    assert_null(session->policy);

    assert_int_equal(sim_policy_set(world.sim, "nobody", document, &error), -ENOENT);
    assert_int_equal(sim_policy_set(world.sim, NULL, wrong, &error), -EINVAL);
    assert_string_equal(error, "Statement[0] must be an object");
    list_clusters(&world, 200);
    world_end(&world);
}

static void a_scenario_with_a_wrong_policy_is_refused(void **state)
{
    (void)state;
    _cleanup_free_ char *error = world_refused(WORLD("'policy': {'Statement': [{}]}"));
    assert_string_equal(error, "credentials[0].policy: Statement[0].Effect must be \"Allow\" or "
                               "\"Deny\"");
    _cleanup_free_ char *both = world_refused(WORLD("'policy': {'Statement': []}, 'allow': []"));
    assert_non_null(strstr(both, "does not go with"));
    _cleanup_free_ char *action = world_refused(WORLD("'allow': ['everything']"));
    assert_non_null(strstr(action, "SERVICE:ACTION"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_statement_is_about_is_not_allowed),
        cmocka_unit_test(wildcards_stand_for_runs_and_for_characters),
        cmocka_unit_test(a_deny_beats_every_allow),
        cmocka_unit_test(conditions_limit_a_statement),
        cmocka_unit_test(what_is_no_policy_is_refused_in_words),
        cmocka_unit_test(every_operation_asks),
        cmocka_unit_test(every_resource_of_a_call_is_asked_for),
        cmocka_unit_test(log_groups_are_named_with_a_star),
        cmocka_unit_test(results_belong_to_the_log_groups_of_their_query),
        cmocka_unit_test(a_cluster_can_be_asked_for),
        cmocka_unit_test(an_explicit_deny_is_called_one),
        cmocka_unit_test(policies_change_at_once_for_sessions_too),
        cmocka_unit_test(a_scenario_with_a_wrong_policy_is_refused),
    };
    return cmocka_run_group_tests_name("sim_iam", tests, NULL, NULL);
}
