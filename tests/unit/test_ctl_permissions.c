/* SPDX-License-Identifier: MIT */
/* provisionerctl iam-policy: what provisionerd has to be allowed, and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/permissions.h"
#include "src/cleanup.h"
#include "src/json.h"
#include "tests/support/config_files.h"

static struct json_object *document_of(const char *ini, const struct permissions_scope *scope)
{
    struct json_object *document;

    given_file("provisionerd.ini", ini);
    struct config *config = expect_config();
    assert_int_equal(permissions_document(config, scope, &document), 0);
    config_free(config);
    return document;
}

/* The resources of a statement, parted by blanks. */
static void expect_resources(struct json_object *document, const char *sid, const char *expected)
{
    struct json_object *statements, *resources = NULL;
    char text[4096] = "";
    const char *name;

    assert_int_equal(json_get_array(document, "Statement", &statements), 0);
    for (size_t i = 0; i < json_object_array_length(statements); i++) {
        struct json_object *statement = json_object_array_get_idx(statements, i);
        assert_int_equal(json_get_string(statement, "Sid", &name), 0);
        if (strcmp(name, sid) == 0)
            assert_true(json_object_object_get_ex(statement, "Resource", &resources));
    }
    assert_non_null(resources);
    if (json_object_is_type(resources, json_type_string)) {
        snprintf(text, sizeof(text), "%s", json_object_get_string(resources));
    } else {
        for (size_t i = 0; i < json_object_array_length(resources); i++) {
            const char *arn = json_object_get_string(json_object_array_get_idx(resources, i));
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i > 0 ? " " : "",
                     arn);
        }
    }
    assert_string_equal(text, expected);
}

/* The daemon's operations are all there are in aws.h before AWS_N_DAEMON_OPERATIONS; it can call no
 * other. A new one needs a statement. */
static void every_call_of_the_daemon_has_one_statement(void **state)
{
    (void)state;
    int times[AWS_N_OPERATIONS] = {0};

    for (size_t i = 0; i < PERMISSIONS_N; i++) {
        assert_true(PERMISSIONS[i].n_operations > 0);
        for (size_t j = 0; j < PERMISSIONS[i].n_operations; j++)
            times[PERMISSIONS[i].operations[j]]++;
    }
    for (int operation = 0; operation < AWS_N_OPERATIONS; operation++)
        assert_int_equal(times[operation], operation < AWS_N_DAEMON_OPERATIONS ? 1 : 0);
}

static void resources_are_those_of_the_configuration(void **state)
{
    (void)state;
    const struct permissions_scope scope = {.region = "eu-west-1", .account = "123456789012"};
    _cleanup_json_ struct json_object *document =
        document_of(STAGING "always_on = gateway\n", &scope);
    const char *text;

    assert_int_equal(json_get_string(document, "Version", &text), 0);
    assert_string_equal(text, "2012-10-17");
    expect_resources(document, "SeeActivity",
                     "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/staging/gateway:*");
    expect_resources(document, "ConfirmIdleness",
                     "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/staging/gateway:*");
    expect_resources(document, "ReadQueries", "*");
    expect_resources(document, "ReadServices",
                     "arn:aws:ecs:eu-west-1:123456789012:service/staging/api "
                     "arn:aws:ecs:eu-west-1:123456789012:service/staging/gateway "
                     "arn:aws:ecs:eu-west-1:123456789012:service/staging/web "
                     "arn:aws:ecs:eu-west-1:123456789012:service/staging/worker");
    expect_resources(document, "SleepAndWake",
                     "arn:aws:ecs:eu-west-1:123456789012:service/staging/api "
                     "arn:aws:ecs:eu-west-1:123456789012:service/staging/web "
                     "arn:aws:ecs:eu-west-1:123456789012:service/staging/worker");
}

static void what_is_not_known_is_any(void **state)
{
    (void)state;
    const struct permissions_scope scope = {0};
    _cleanup_json_ struct json_object *document = document_of(STAGING, &scope);

    expect_resources(document, "SeeActivity", "arn:aws:logs:*:*:log-group:/ecs/staging/gateway:*");
}

static void a_clusters_arn_says_account_and_region(void **state)
{
    (void)state;
    static const char INI[] =
        "[environment a]\n"
        "cluster = arn:aws-cn:ecs:cn-north-1:123456789012:cluster/qa\n"
        "services = api\n"
        "log_group = /x, arn:aws-cn:logs:cn-north-1:999999999999:log-group:/y\n";
    const struct permissions_scope scope = {0}, asked = {.account = "111111111111"};
    _cleanup_json_ struct json_object *document = document_of(INI, &scope);

    expect_resources(document, "SleepAndWake",
                     "arn:aws-cn:ecs:cn-north-1:123456789012:service/qa/api");
    expect_resources(document, "SeeActivity",
                     "arn:aws-cn:logs:cn-north-1:123456789012:log-group:/x:* "
                     "arn:aws-cn:logs:cn-north-1:999999999999:log-group:/y:*");
    _cleanup_json_ struct json_object *other = document_of(INI, &asked);
    expect_resources(other, "SleepAndWake",
                     "arn:aws-cn:ecs:cn-north-1:111111111111:service/qa/api");
}

static void partitions(void **state)
{
    (void)state;
    static const char *const PARTITIONS[][2] = {{"eu-west-1", "aws"},
                                                {"cn-north-1", "aws-cn"},
                                                {"us-gov-west-1", "aws-us-gov"},
                                                {"us-iso-east-1", "aws-iso"},
                                                {"us-isob-east-1", "aws-iso-b"}};

    for (size_t i = 0; i < ARRAY_LENGTH(PARTITIONS); i++) {
        const struct permissions_scope scope = {.region = PARTITIONS[i][0]};
        char expected[128];
        _cleanup_json_ struct json_object *document = document_of(STAGING, &scope);
        snprintf(expected, sizeof(expected), "arn:%s:logs:%s:*:log-group:/ecs/staging/gateway:*",
                 PARTITIONS[i][1], PARTITIONS[i][0]);
        expect_resources(document, "SeeActivity", expected);
    }
}

#define OTHER               \
    "[environment other]\n" \
    "cluster = other\n"     \
    "services = api\n"      \
    "always_on = gateway\n" \
    "log_group = /ecs/staging/gateway\n"

static void what_environments_share_is_named_once(void **state)
{
    (void)state;
    const struct permissions_scope scope = {0};
    _cleanup_json_ struct json_object *document = document_of(STAGING OTHER, &scope);

    expect_resources(document, "SeeActivity", "arn:aws:logs:*:*:log-group:/ecs/staging/gateway:*");
    expect_resources(document, "SleepAndWake",
                     "arn:aws:ecs:*:*:service/other/api arn:aws:ecs:*:*:service/staging/api "
                     "arn:aws:ecs:*:*:service/staging/web arn:aws:ecs:*:*:service/staging/worker");
}

static void of_one_environment(void **state)
{
    (void)state;
    const struct permissions_scope scope = {.environment = "other"};
    _cleanup_json_ struct json_object *document = document_of(STAGING OTHER, &scope);

    expect_resources(document, "ReadServices",
                     "arn:aws:ecs:*:*:service/other/api arn:aws:ecs:*:*:service/other/gateway");
    expect_resources(document, "SleepAndWake", "arn:aws:ecs:*:*:service/other/api");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_the_daemon_has_one_statement),
        cmocka_unit_test_setup_teardown(resources_are_those_of_the_configuration,
                                        config_files_set_up, config_files_tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_known_is_any, config_files_set_up,
                                        config_files_tear_down),
        cmocka_unit_test_setup_teardown(a_clusters_arn_says_account_and_region, config_files_set_up,
                                        config_files_tear_down),
        cmocka_unit_test_setup_teardown(partitions, config_files_set_up, config_files_tear_down),
        cmocka_unit_test_setup_teardown(what_environments_share_is_named_once, config_files_set_up,
                                        config_files_tear_down),
        cmocka_unit_test_setup_teardown(of_one_environment, config_files_set_up,
                                        config_files_tear_down),
    };

    return cmocka_run_group_tests_name("ctl_permissions", tests, NULL, NULL);
}
