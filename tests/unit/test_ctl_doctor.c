/* SPDX-License-Identifier: MIT */
/* The doctor's pure parts: findings as people and programs see them, requests that nobody makes, load
 * and cost, and what STS says of the caller. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/caller.h"
#include "ctl/doctor_load.h"
#include "ctl/findings.h"
#include "ctl/noise.h"
#include "src/cleanup.h"
#include "src/json.h"

/* --- findings ------------------------------------------------------------------------------------ */

static struct findings *three_findings(void)
{
    struct findings *findings = NULL;
    assert_int_equal(findings_new(&findings), 0);
    findings_add(findings, NULL, "region", FINDING_OK, "%s", "eu-west-1");
    struct finding *finding = findings_add(findings, "staging", "permission", FINDING_FAILED,
                                           "ecs:UpdateService is not permitted \x1b[31m");
    finding_detail(finding, FINDING_VERBATIM, "{\"Effect\": \"Allow\", \"Action\": \"%s\"}",
                   "ecs:UpdateService");
    finding_detail(finding, FINDING_EXAMPLE, "%s", "GET /api/v1/orders/1234567890 HTTP/1.1");
    finding_advise(finding, "another word");
    finding_advise(finding, "add the statement above to the role's policy");
    findings_add(findings, "staging", "cost", FINDING_UNKNOWN, "not measured");
    return findings;
}

static void expect_page(size_t width, bool has_colour, const char *expected)
{
    _cleanup_free_ char *page = NULL;
    size_t size;
    struct findings *findings = three_findings();
    struct terminal terminal = {.out = open_memstream(&page, &size),
                                .is_terminal = width > 0,
                                .has_colour = has_colour,
                                .width = width};
    assert_non_null(terminal.out);
    assert_int_equal(findings_print(findings, &terminal), 0);
    fclose(terminal.out);
    assert_string_equal(page, expected);
    findings_free(findings);
}

static void people_read_a_page(void **state)
{
    (void)state;
    expect_page(0, false,
                "in general\n"
                "  ok       region       eu-west-1\n"
                "\n"
                "environment staging\n"
                "  failed   permission   ecs:UpdateService is not permitted \\x1b[31m\n"
                "                          {\"Effect\": \"Allow\", \"Action\": "
                "\"ecs:UpdateService\"}\n"
                "                          GET /api/v1/orders/1234567890 HTTP/1.1\n"
                "                        -> add the statement above to the role's policy\n"
                "  unknown  cost         not measured\n"
                "\n"
                "1 ok, 0 warning, 1 failed, 1 unknown\n");
}

/* Sentences are wrapped, log lines are cut, what is to be copied stays whole. */
static void a_narrow_terminal_is_heeded(void **state)
{
    (void)state;
    expect_page(50, false,
                "in general\n"
                "  ok       region       eu-west-1\n"
                "\n"
                "environment staging\n"
                "  failed   permission   ecs:UpdateService is not\n"
                "                        permitted \\x1b[31m\n"
                "                          {\"Effect\": \"Allow\", \"Action\": "
                "\"ecs:UpdateService\"}\n"
                "                          GET /api/v1/orders/1234…\n"
                "                        -> add the statement above\n"
                "                           to the role's policy\n"
                "  unknown  cost         not measured\n"
                "\n"
                "1 ok, 0 warning, 1 failed, 1 unknown\n");
}

static void colours_are_for_results(void **state)
{
    (void)state;
    _cleanup_free_ char *page = NULL;
    size_t size;
    struct findings *findings = three_findings();
    struct terminal terminal = {
        .out = open_memstream(&page, &size), .is_terminal = true, .has_colour = true};
    assert_int_equal(findings_print(findings, &terminal), 0);
    fclose(terminal.out);
    assert_non_null(strstr(page, "  \033[31mfailed\033[0m   permission"));
    assert_non_null(strstr(page, "  \033[32mok\033[0m       region"));
    findings_free(findings);
}

static void programs_read_the_same(void **state)
{
    (void)state;
    struct findings *findings = three_findings();
    _cleanup_json_ struct json_object *document = NULL;
    struct json_object *list, *totals, *details;
    const char *text;
    int64_t n;

    assert_int_equal(findings_count(findings, FINDING_FAILED), 1);
    assert_int_equal(findings_count(findings, FINDING_WARNING), 0);
    assert_int_equal(findings_to_json(findings, &document), 0);
    assert_int_equal(json_get_array(document, "findings", &list), 0);
    assert_int_equal(json_object_array_length(list), 3);
    struct json_object *first = json_object_array_get_idx(list, 0);
    struct json_object *second = json_object_array_get_idx(list, 1);
    assert_int_equal(json_get_string(first, "environment", &text), -ENOENT);
    assert_int_equal(json_get_string(first, "advice", &text), -ENOENT);
    assert_int_equal(json_get_string(second, "environment", &text), 0);
    assert_string_equal(text, "staging");
    assert_int_equal(json_get_string(second, "result", &text), 0);
    assert_string_equal(text, "failed");
    assert_int_equal(json_get_string(second, "advice", &text), 0);
    assert_string_equal(text, "add the statement above to the role's policy");
    assert_int_equal(json_get_array(second, "details", &details), 0);
    assert_int_equal(json_object_array_length(details), 2);
    assert_int_equal(json_get_object(document, "totals", &totals), 0);
    assert_int_equal(json_get_int(totals, "unknown", &n), 0);
    assert_int_equal(n, 1);
    findings_free(findings);
}

static void details_are_limited(void **state)
{
    (void)state;
    struct findings *findings = NULL;
    assert_int_equal(findings_new(&findings), 0);
    struct finding *finding = findings_add(findings, NULL, "x", FINDING_OK, "y");
    for (int i = 0; i < 100; i++)
        finding_detail(finding, FINDING_NOTE, "%d", i);
    finding_detail(NULL, FINDING_NOTE, "nobody's");
    finding_advise(NULL, "nobody's");
    _cleanup_json_ struct json_object *document = NULL;
    struct json_object *list, *details;
    assert_int_equal(findings_to_json(findings, &document), 0);
    assert_int_equal(json_get_array(document, "findings", &list), 0);
    assert_int_equal(json_get_array(json_object_array_get_idx(list, 0), "details", &details), 0);
    assert_int_equal(json_object_array_length(details), 16);
    findings_free(findings);
    findings_free(NULL);
}

/* --- noise --------------------------------------------------------------------------------------- */

static void health_checks_and_bots_tell_by_their_names(void **state)
{
    static const struct {
        const char *message, *exclude; /* NULL: may well be somebody */
    } cases[] = {
        {"10.0.0.1 \"GET /api/v1/ HTTP/1.1\" 200 \"ELB-HealthChecker/2.0\"", "ELB-HealthChecker"},
        {"GET / kube-probe/1.27", "kube-probe"},
        {"agent=\"Mozilla/5.0 (compatible; Googlebot/2.1)\"", "Googlebot"},
        {"agent=\"mozilla (compatible; BINGBOT/2.0)\"", "BINGBOT"},
        {"Amazon-Route53-Health-Check-Service (ref 1; report http://amzn.to/1)",
         "Amazon-Route53-Health-Check-Service"},
        {"UptimeRobot/2.0", "UptimeRobot"},
        {"\"GET /healthz HTTP/1.1\" 200", " /healthz "},
        {"GET /health?full=1", " /health"},
        {"GET /metrics", " /metrics"},
        {"{\"request\": \"GET /ping\"}", " /ping"},
        {"GET /healthy-food HTTP/1.1", NULL},
        {"GET /api/health-records HTTP/1.1", NULL},
        {"GET /api/v1/ping HTTP/1.1", NULL}, /* the end of a path, not a path */
        {"/health", NULL},
        {"GET /api/v1/orders Mozilla/5.0 (X11; Linux x86_64)", NULL},
        {"GET /robots", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct noise noise = {.who = NULL};
        int found = noise_recognise(cases[i].message, &noise);
        if (found != (cases[i].exclude != NULL))
            fail_msg("%s: %s", cases[i].message, found ? noise.exclude : "nothing");
        if (!found)
            continue;
        assert_string_equal(noise.exclude, cases[i].exclude);
        assert_non_null(strstr(cases[i].message, noise.exclude)); /* it excludes this message */
        assert_non_null(noise.who);
    }
}

/* --- load and cost ------------------------------------------------------------------------------- */

static struct config_environment environment_of(size_t n_services, size_t n_log_groups)
{
    return (struct config_environment){
        .n_services = n_services,
        .n_log_groups = n_log_groups,
        .window_ms = 55 * MS_PER_MINUTE,
        .lateness_ms = 5 * MS_PER_MINUTE,
        .check_interval_ms = 10 * MS_PER_MINUTE,
        .poll_interval_ms = 15 * MS_PER_SECOND,
        .poll_interval_awake_ms = MS_PER_MINUTE,
    };
}

static void expect_rate(const struct config *config, enum aws_operation operation, double expected)
{
    double rate = load_rate(config, operation);
    if (fabs(rate - expected) > 1e-9)
        fail_msg("%s: %.6f, not %.6f", aws_operation_name(operation), rate, expected);
}

static void the_rate_is_that_of_the_busier_state(void **state)
{
    (void)state;
    struct config_environment environments[] = {environment_of(3, 2), environment_of(11, 1)};
    struct config config = {.environments = environments, .n_environments = 1};
    expect_rate(&config, LOGS_FILTER_LOG_EVENTS, 2 / 15.0);
    expect_rate(&config, LOGS_START_QUERY, 1 / 600.0);
    expect_rate(&config, ECS_DESCRIBE_SERVICES, 1 / 60.0);
    expect_rate(&config, ECS_UPDATE_SERVICE, 0);

    config.n_environments = 2; /* eleven services are two batches */
    expect_rate(&config, LOGS_FILTER_LOG_EVENTS, 3 / 15.0);
    expect_rate(&config, ECS_DESCRIBE_SERVICES, 3 / 60.0);

    environments[0].poll_interval_awake_ms = 2 * MS_PER_SECOND; /* busier awake */
    environments[0].check_interval_ms = 10 * MS_PER_SECOND;
    config.n_environments = 1;
    expect_rate(&config, LOGS_FILTER_LOG_EVENTS, 1 + 0.2);
    expect_rate(&config, ECS_DESCRIBE_SERVICES, 0.5);
    config.n_environments = 0;
    expect_rate(&config, LOGS_FILTER_LOG_EVENTS, 0);
}

static void a_query_costs_by_what_it_scans(void **state)
{
    (void)state;
    struct config_environment environment = environment_of(3, 1);
    struct load_cost cost;
    load_cost(&environment, 2e9, &cost); /* 2 GB an hour, an hour of window and lateness */
    assert_true(fabs(cost.bytes_per_query - 2e9) < 1);
    assert_true(fabs(cost.per_query - 0.01) < 1e-9);
    assert_true(fabs(cost.queries_at_most - 4380) < 1e-6);
    assert_true(fabs(cost.month_at_most - 43.8) < 1e-6);
    load_cost(&environment, 0, &cost);
    assert_true(cost.month_at_most <= 0);
}

/* --- the caller ---------------------------------------------------------------------------------- */

#define IDENTITY(arn, account)                                                           \
    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"  \
    "  <GetCallerIdentityResult>\n    <Arn>" arn "</Arn>\n    <UserId>AROA:s</UserId>\n" \
    "    <Account>" account "</Account>\n  </GetCallerIdentityResult>\n"                 \
    "  <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>\n"                  \
    "</GetCallerIdentityResponse>\n"

static void the_caller_has_an_arn_and_an_account(void **state)
{
    static const char text[] =
        IDENTITY("arn:aws:sts::123456789012:assumed-role/a&amp;b/s", "123456789012");
    (void)state;
    struct caller caller;
    assert_int_equal(caller_read(text, strlen(text), &caller), 0);
    assert_string_equal(caller.arn, "arn:aws:sts::123456789012:assumed-role/a&b/s");
    assert_string_equal(caller.account, "123456789012");
}

#define OTHER_ANSWER                                                                     \
    "<AssumeRoleResponse><GetCallerIdentityResult><Arn>arn:x</Arn><Account>123456789012" \
    "</Account></GetCallerIdentityResult></AssumeRoleResponse>"

static void what_is_no_identity_is_none(void **state)
{
    static const char *const cases[] = {
        "",
        "{}",
        "<GetCallerIdentityResponse/>",
        IDENTITY("user/me", "123456789012"),
        IDENTITY("arn:aws:iam::1:user/me", "1234"),
        IDENTITY("arn:aws:iam::1:user/me", "1234567890123"),
        IDENTITY("arn:aws:iam::1:user/&unknown;", "123456789012"),
        OTHER_ANSWER,
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct caller caller = {.arn = "untouched"};
        assert_int_equal(caller_read(cases[i], strlen(cases[i]), &caller), -EBADMSG);
        assert_string_equal(caller.arn, "untouched");
    }
}

static int with_utf8(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_read_a_page),
        cmocka_unit_test(a_narrow_terminal_is_heeded),
        cmocka_unit_test(colours_are_for_results),
        cmocka_unit_test(programs_read_the_same),
        cmocka_unit_test(details_are_limited),
        cmocka_unit_test(health_checks_and_bots_tell_by_their_names),
        cmocka_unit_test(the_rate_is_that_of_the_busier_state),
        cmocka_unit_test(a_query_costs_by_what_it_scans),
        cmocka_unit_test(the_caller_has_an_arn_and_an_account),
        cmocka_unit_test(what_is_no_identity_is_none),
    };
    return cmocka_run_group_tests_name("ctl_doctor", tests, with_utf8, NULL);
}
