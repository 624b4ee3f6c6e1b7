/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/endpoint.h"

static const char *const VARIABLES[] = {
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    "AWS_ENDPOINT_URL_ECS",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING",
};

static int with_clean_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(VARIABLES); i++)
        unsetenv(VARIABLES[i]);
    return 0;
}

static void given(const char *variable, const char *value)
{
    assert_int_equal(setenv(variable, value, 1), 0);
}

static void expect_url(const struct endpoint_service *service, const char *region,
                       const char *configured, const char *shared, const char *expected)
{
    _cleanup_free_ char *url = NULL;
    assert_int_equal(endpoint_resolve(service, region, configured, shared, &url), 0);
    assert_string_equal(url, expected);
}

static void expect_refusal(const char *region, const char *configured)
{
    char *url = (char *)"untouched";
    assert_int_equal(endpoint_resolve(&ENDPOINT_ECS, region, configured, NULL, &url), -EINVAL);
    assert_string_equal(url, "untouched");
}

/* The table was made with botocore's endpoint rule sets. */
static void follows_the_rules_of_every_partition(void **state)
{
    (void)state;
    static const struct {
        const char *region;
        bool fips;
        bool dualstack;
        const char *logs;
        const char *ecs;
        const char *sts;
    } RULES[] = {
        {"eu-west-1", false, false, "https://logs.eu-west-1.amazonaws.com",
         "https://ecs.eu-west-1.amazonaws.com", "https://sts.eu-west-1.amazonaws.com"},
        {"eu-west-1", false, true, "https://logs.eu-west-1.api.aws",
         "https://ecs.eu-west-1.api.aws", "https://sts.eu-west-1.api.aws"},
        {"us-east-1", true, false, "https://logs-fips.us-east-1.amazonaws.com",
         "https://ecs-fips.us-east-1.amazonaws.com", "https://sts-fips.us-east-1.amazonaws.com"},
        {"us-east-1", true, true, "https://logs-fips.us-east-1.api.aws",
         "https://ecs-fips.us-east-1.api.aws", "https://sts-fips.us-east-1.api.aws"},
        {"cn-north-1", false, false, "https://logs.cn-north-1.amazonaws.com.cn",
         "https://ecs.cn-north-1.amazonaws.com.cn", "https://sts.cn-north-1.amazonaws.com.cn"},
        {"cn-north-1", false, true, "https://logs.cn-north-1.api.amazonwebservices.com.cn",
         "https://ecs.cn-north-1.api.amazonwebservices.com.cn",
         "https://sts.cn-north-1.api.amazonwebservices.com.cn"},
        {"us-gov-west-1", false, false, "https://logs.us-gov-west-1.amazonaws.com",
         "https://ecs.us-gov-west-1.amazonaws.com", "https://sts.us-gov-west-1.amazonaws.com"},
        {"us-gov-west-1", true, false, "https://logs.us-gov-west-1.amazonaws.com",
         "https://ecs-fips.us-gov-west-1.amazonaws.com", "https://sts.us-gov-west-1.amazonaws.com"},
        {"us-gov-west-1", true, true, "https://logs-fips.us-gov-west-1.api.aws",
         "https://ecs-fips.us-gov-west-1.api.aws", "https://sts-fips.us-gov-west-1.api.aws"},
        {"us-iso-east-1", false, false, "https://logs.us-iso-east-1.c2s.ic.gov",
         "https://ecs.us-iso-east-1.c2s.ic.gov", "https://sts.us-iso-east-1.c2s.ic.gov"},
        {"us-isob-east-1", false, true, "https://logs.us-isob-east-1.api.aws.scloud",
         "https://ecs.us-isob-east-1.api.aws.scloud", "https://sts.us-isob-east-1.api.aws.scloud"},
        {"us-isof-south-1", true, false, "https://logs-fips.us-isof-south-1.csp.hci.ic.gov",
         "https://ecs-fips.us-isof-south-1.csp.hci.ic.gov",
         "https://sts-fips.us-isof-south-1.csp.hci.ic.gov"},
        {"eu-isoe-west-1", false, false, "https://logs.eu-isoe-west-1.cloud.adc-e.uk",
         "https://ecs.eu-isoe-west-1.cloud.adc-e.uk", "https://sts.eu-isoe-west-1.cloud.adc-e.uk"},
        {"eusc-de-east-1", false, false, "https://logs.eusc-de-east-1.amazonaws.eu",
         "https://ecs.eusc-de-east-1.amazonaws.eu", "https://sts.eusc-de-east-1.amazonaws.eu"},
        {"mars-1", false, false, "https://logs.mars-1.amazonaws.com",
         "https://ecs.mars-1.amazonaws.com", "https://sts.mars-1.amazonaws.com"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(RULES); i++) {
        given("AWS_USE_FIPS_ENDPOINT", RULES[i].fips ? "true" : "false");
        given("AWS_USE_DUALSTACK_ENDPOINT", RULES[i].dualstack ? "True" : "");
        expect_url(&ENDPOINT_LOGS, RULES[i].region, NULL, NULL, RULES[i].logs);
        expect_url(&ENDPOINT_ECS, RULES[i].region, NULL, NULL, RULES[i].ecs);
        expect_url(&ENDPOINT_STS, RULES[i].region, NULL, NULL, RULES[i].sts);
    }
}

static void application_auto_scaling_has_a_host_of_its_own(void **state)
{
    (void)state;
    expect_url(&ENDPOINT_SCALING, "eu-west-1", NULL, NULL,
               "https://application-autoscaling.eu-west-1.amazonaws.com");
    given("AWS_USE_FIPS_ENDPOINT", "true");
    expect_url(&ENDPOINT_SCALING, "us-gov-west-1", NULL, NULL,
               "https://application-autoscaling.us-gov-west-1.amazonaws.com");
    given("AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING", "http://127.0.0.1:4566");
    expect_url(&ENDPOINT_SCALING, "eu-west-1", NULL, NULL, "http://127.0.0.1:4566");
}

static void the_more_specific_url_wins(void **state)
{
    (void)state;
    expect_url(&ENDPOINT_LOGS, "eu-west-1", NULL, "http://shared", "http://shared");
    given("AWS_ENDPOINT_URL", "http://everything");
    expect_url(&ENDPOINT_LOGS, "eu-west-1", NULL, "http://shared", "http://everything");
    given("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://logs-only");
    expect_url(&ENDPOINT_LOGS, "eu-west-1", NULL, "http://shared", "http://logs-only");
    expect_url(&ENDPOINT_ECS, "eu-west-1", NULL, "http://shared", "http://everything");
    expect_url(&ENDPOINT_LOGS, "eu-west-1", "http://option", "http://shared", "http://option");
}

static void an_empty_value_is_none(void **state)
{
    (void)state;
    given("AWS_ENDPOINT_URL", "");
    given("AWS_ENDPOINT_URL_ECS", "");
    expect_url(&ENDPOINT_ECS, "eu-west-1", "", "", "https://ecs.eu-west-1.amazonaws.com");
}

static void urls_from_outside_can_be_ignored_but_not_the_option(void **state)
{
    (void)state;
    given("AWS_ENDPOINT_URL", "http://everything");
    given("AWS_ENDPOINT_URL_ECS", "http://ecs-only");
    given("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE");
    expect_url(&ENDPOINT_ECS, "eu-west-1", NULL, "http://shared",
               "https://ecs.eu-west-1.amazonaws.com");
    expect_url(&ENDPOINT_ECS, "eu-west-1", "http://option", NULL, "http://option");
    given("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "yes please");
    expect_url(&ENDPOINT_ECS, "eu-west-1", NULL, NULL, "http://ecs-only");
}

static void fips_says_nothing_about_a_url_given(void **state)
{
    (void)state;
    given("AWS_USE_FIPS_ENDPOINT", "true");
    expect_url(&ENDPOINT_ECS, "eu-west-1", "https://vpce-1.ecs.eu-west-1.vpce.amazonaws.com", NULL,
               "https://vpce-1.ecs.eu-west-1.vpce.amazonaws.com");
}

static void trailing_slashes_go(void **state)
{
    (void)state;
    expect_url(&ENDPOINT_ECS, "eu-west-1", "http://127.0.0.1:8080/", NULL, "http://127.0.0.1:8080");
    expect_url(&ENDPOINT_ECS, "eu-west-1", "http://[::1]:8080//", NULL, "http://[::1]:8080");
    expect_url(&ENDPOINT_ECS, "eu-west-1", "HTTPS://Proxy.example/aws/", NULL,
               "HTTPS://Proxy.example/aws");
}

static void a_region_is_a_label_of_a_host_name(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "",           "-",
        "eu-west-1-", "-eu-west-1",
        "1-eu",       "EU-WEST-1",
        "eu west 1",  "eu-west-1\n",
        "eu.west.1",  "eu-west-1/../evil",
        "eu_west_1",  "x@evil.example",
        "eu-wést-1",  "a23456789b123456789c123456789d123456789e123456789f123456789g1234",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(WRONG); i++) {
        assert_false(endpoint_region_is_valid(WRONG[i]));
        expect_refusal(WRONG[i], NULL);
        expect_refusal(WRONG[i], "http://127.0.0.1"); /* it is signed with, all the same */
    }
    expect_refusal(NULL, NULL);
    assert_true(endpoint_region_is_valid("local"));
    assert_true(endpoint_region_is_valid(
        "a23456789b123456789c123456789d123456789e123456789f123456789g123"));
}

static void a_url_is_scheme_host_port_and_path(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "x",
        "localhost:8080",
        "ftp://host",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://:80",
        "http://host:",
        "http://host:0",
        "http://host:65536",
        "http://host:99999999999999999999",
        "http://host:80x",
        "http://host:-1",
        "http://user@host",
        "http://user:password@host",
        "http://host?query",
        "http://host/path?query",
        "http://host/path#fragment",
        "http://host/with space",
        "http://host/\r\nX-Injected: 1",
        "http://host\r\n",
        "http://h\xc3\xb6st",
        "http://[",
        "http://[]",
        "http://[::1",
        "http://[::1]x",
        "http://[host]",
        "http://host/\"",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(WRONG); i++) {
        expect_refusal("eu-west-1", WRONG[i]);
        char *host = NULL;
        assert_int_equal(endpoint_host(WRONG[i], &host), -EINVAL);
        assert_null(host);
    }
    char long_url[2000] = "http://host/";
    memset(long_url + strlen(long_url), 'a', sizeof(long_url) - strlen(long_url) - 1);
    expect_refusal("eu-west-1", long_url);
}

static void the_host_names_the_port_unless_it_is_the_schemes_own(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *host;
        const char *path;
    } URLS[] = {
        {"https://ecs.eu-west-1.amazonaws.com", "ecs.eu-west-1.amazonaws.com", "/"},
        {"https://host:443", "host", "/"},
        {"http://host:80/", "host", "/"},
        {"https://host:80", "host:80", "/"},
        {"http://host:443/a/b", "host:443", "/a/b"},
        {"http://127.0.0.1:4566", "127.0.0.1:4566", "/"},
        {"http://[fd00:ec2::23]:65535/x%20y", "[fd00:ec2::23]:65535", "/x%20y"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(URLS); i++) {
        _cleanup_free_ char *host = NULL;
        assert_int_equal(endpoint_host(URLS[i].url, &host), 0);
        assert_string_equal(host, URLS[i].host);
        assert_string_equal(endpoint_path(URLS[i].url), URLS[i].path);
    }
    assert_string_equal(endpoint_path("no url"), "/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(follows_the_rules_of_every_partition, with_clean_environment),
        cmocka_unit_test_setup(application_auto_scaling_has_a_host_of_its_own,
                               with_clean_environment),
        cmocka_unit_test_setup(the_more_specific_url_wins, with_clean_environment),
        cmocka_unit_test_setup(an_empty_value_is_none, with_clean_environment),
        cmocka_unit_test_setup(urls_from_outside_can_be_ignored_but_not_the_option,
                               with_clean_environment),
        cmocka_unit_test_setup(fips_says_nothing_about_a_url_given, with_clean_environment),
        cmocka_unit_test_setup(trailing_slashes_go, with_clean_environment),
        cmocka_unit_test_setup(a_region_is_a_label_of_a_host_name, with_clean_environment),
        cmocka_unit_test_setup(a_url_is_scheme_host_port_and_path, with_clean_environment),
        cmocka_unit_test_setup(the_host_names_the_port_unless_it_is_the_schemes_own,
                               with_clean_environment),
    };
    return cmocka_run_group_tests_name("endpoint", tests, with_clean_environment, NULL);
}
