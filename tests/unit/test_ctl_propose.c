/* SPDX-License-Identifier: MIT */
/* Logs looked at by people who set things up: init's proposal, test-pattern's survey. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/discover.h"
#include "ctl/propose.h"
#include "ctl/survey.h"
#include "src/cleanup.h"
#include "tests/support/config_files.h"

#define HEALTH_CHECK \
    "10.0.0.1 - - [12/May/2026] \"GET /up HTTP/1.1\" 200 2 \"-\" \"ELB-HealthChecker/2.0\""

/* --- a proposal ---------------------------------------------------------------------------------- */

struct sample {
    struct propose propose;
    struct draft draft;
};

static void seen(struct sample *sample, int n, const char *message)
{
    while (n-- > 0)
        assert_int_equal(propose_add(&sample->propose, message), 0);
}

static void requested(struct sample *sample, int n, const char *method, const char *path,
                      int status)
{
    char message[512];

    snprintf(
        message, sizeof(message),
        "10.0.0.1 - - [12/May/2026:18:09:01 +0000] \"%s %s HTTP/1.1\" %d 5104 \"-\" \"okhttp\"",
        method, path, status);
    seen(sample, n, message);
}

static void expect_proposal(struct sample *sample, const char *pattern, bool is_regex)
{
    assert_int_equal(propose_finish(&sample->propose, &sample->draft), 0);
    if (pattern) {
        assert_non_null(sample->draft.pattern);
        assert_string_equal(sample->draft.pattern, pattern);
    } else {
        assert_null(sample->draft.pattern);
    }
    assert_int_equal(sample->draft.pattern_is_regex, is_regex);
    assert_int_equal(sample->draft.pattern_notes.n_items, 1);
}

static void sample_ends(struct sample *sample)
{
    propose_clear(&sample->propose);
    draft_clear(&sample->draft);
}

static void the_part_that_all_requests_have(void **state)
{
    (void)state;
    struct sample sample = {0};

    requested(&sample, 60, "GET", "/api/v1/orders/17?page=2", 200);
    requested(&sample, 35, "POST", "/api/v2/login", 401);
    requested(&sample, 40, "POST", "/api/v2/login", 200);
    requested(&sample, 2, "GET", "/", 200);
    expect_proposal(&sample, "/api/", false);
    assert_string_equal(sample.draft.pattern_notes.items[0],
                        "Proposed since 98 % of 102 requests in the log have it.");
    sample_ends(&sample);
}

static void several_parts_when_one_is_not_enough(void **state)
{
    (void)state;
    struct sample sample = {0};

    requested(&sample, 50, "GET", "/api/orders", 200);
    requested(&sample, 45, "GET", "/admin.v1/users", 302);
    requested(&sample, 5, "GET", "/login", 200);
    expect_proposal(&sample, "(/api/|/admin\\.v1/)", true);
    sample_ends(&sample);
}

static void the_methods_when_paths_have_nothing_in_common(void **state)
{
    (void)state;
    struct sample sample = {0};
    char path[32];

    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "/page-%d/x", i);
        requested(&sample, 1, "GET", path, 200);
    }
    expect_proposal(&sample, "(GET|POST|PUT|PATCH|DELETE) /", true);
    sample_ends(&sample);

    requested(&sample, 50, "GET", "/", 200); /* a text "/" would be in everything */
    expect_proposal(&sample, "(GET|POST|PUT|PATCH|DELETE) /", true);
    sample_ends(&sample);
}

static void nothing_when_nothing_can_be_said(void **state)
{
    (void)state;
    struct sample sample = {0};

    expect_proposal(&sample, NULL, false);
    sample_ends(&sample);
    seen(&sample, 100, "worker 17 finished job 23");
    expect_proposal(&sample, NULL, false);
    sample_ends(&sample);
    requested(&sample, PROPOSE_SAMPLE_MIN - 1, "GET", "/api/", 200);
    expect_proposal(&sample, NULL, false);
    sample_ends(&sample);
}

static void health_checks_and_crawlers_become_excludes(void **state)
{
    (void)state;
    struct sample sample = {0};

    seen(&sample, 1000, HEALTH_CHECK);
    seen(&sample, 20,
         "\"GET /api/x HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0 (compatible; Googlebot/2.1)\"");
    seen(&sample, 2000, "\"GET /other HTTP/1.1\" 200 1 \"-\" \"kube-probe/1.29\"");
    requested(&sample, 20, "GET", "/api/x", 200);
    expect_proposal(&sample, "/api/", false);
    assert_int_equal(sample.draft.excludes.n_items, 3);
    assert_string_equal(sample.draft.excludes.items[0], "kube-probe"); /* the most frequent first */
    assert_string_equal(sample.draft.excludes.items[1], "ELB-HealthChecker");
    assert_string_equal(sample.draft.excludes.items[2], "Googlebot");
    sample_ends(&sample);
}

static void scanners_and_files_are_nobody(void **state)
{
    (void)state;
    struct sample sample = {0};

    requested(&sample, 500, "GET", "/wp-login.php", 404);
    requested(&sample, 500, "GET", "/assets/app.91ab07.css", 200);
    requested(&sample, 500, "GET", "/favicon.ico", 200);
    requested(&sample, 30, "GET", "/api/x", 200);
    expect_proposal(&sample, "/api/", false);
    assert_int_equal(sample.propose.n_refused, 500);
    assert_int_equal(sample.propose.n_files, 1000);
    sample_ends(&sample);
}

static void other_forms_of_log(void **state)
{
    (void)state;
    static const char *const FORMS[] = {
        "{\"method\":\"GET\",\"path\":\"/api/x\",\"status\":200}",
        "GET /api/x 200 12ms",
        "2026-05-12 INFO [api] GET /api/x",
        "level=info path=/api/x",
        "\"GET /api/x\"",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(FORMS); i++) {
        struct sample sample = {0};
        seen(&sample, 10, FORMS[i]);
        expect_proposal(&sample, "/api/", false);
        sample_ends(&sample);
    }
}

static void hostile_messages_are_only_messages(void **state)
{
    (void)state;
    struct sample sample = {0};
    static char path[8192];

    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    seen(&sample, 10, "");
    seen(&sample, 10, "/");
    seen(&sample, 10, "GET /");
    seen(&sample, 10, "GET ");
    seen(&sample, 10, "\" HTTP/");
    seen(&sample, 10, " HTTP/1.1\" ");
    seen(&sample, 10, "\"status\":");
    requested(&sample, 1, "GET", path, 200);
    for (int i = 0; i < 2 * PROPOSE_PREFIXES_MAX; i++) {
        char other[64];
        snprintf(other, sizeof(other), "GET /%d/\xff\x1b[2J", i);
        seen(&sample, 1, other);
    }
    assert_int_equal(propose_finish(&sample.propose, &sample.draft), 0);
    sample_ends(&sample);
}

/* --- what belongs to what ------------------------------------------------------------------------ */

static void the_log_group_of_a_cluster(void **state)
{
    (void)state;
    int gateway = discover_likeness("/ecs/staging/gateway", "staging");

    assert_true(gateway > discover_likeness("/ecs/staging/worker", "staging"));
    assert_true(gateway > discover_likeness("/ecs/production/gateway", "staging"));
    assert_true(discover_likeness("/aws/lambda/staging-gateway", "staging") < gateway);
    assert_int_equal(discover_likeness("/aws/codebuild/x", "staging"), 0);
    assert_true(discover_is_gateway("api-gateway"));
    assert_true(discover_is_gateway("NGINX"));
    assert_false(discover_is_gateway("worker"));
}

/* --- a survey ------------------------------------------------------------------------------------ */

#define NOON ((struct wall){.ms = INT64_C(1795521600000)})

static void at(struct survey *survey, int64_t minutes, const char *message,
               enum survey_verdict expected)
{
    enum survey_verdict verdict;

    assert_int_equal(survey_add(survey, wall_add(NOON, minutes * MS_PER_MINUTE), message, &verdict),
                     0);
    assert_int_equal(verdict, expected);
}

static struct config *survey_begins(const char *more, size_t n_examples, struct survey *ret)
{
    struct config *config = expect_line(more);

    assert_int_equal(survey_begin(config, &config->environments[0], n_examples, ret), 0);
    return config;
}

#define PATTERN_LINE "pattern = \"/api/\"\nexclude = \"ELB-HealthChecker\", /b[o]t/\n"

static void each_message_has_its_verdict(void **state)
{
    (void)state;
    struct survey survey;
    struct config *config = survey_begins(PATTERN_LINE, 2, &survey);

    at(&survey, 0, "GET /api/x", SURVEY_ACTIVITY);
    at(&survey, 1, "GET /api/y", SURVEY_ACTIVITY);
    at(&survey, -1, "GET /api/z", SURVEY_ACTIVITY);
    at(&survey, 2, "GET /api/x ELB-HealthChecker", SURVEY_EXCLUDED);
    at(&survey, 3, "GET /api/x bot", SURVEY_EXCLUDED);
    at(&survey, 4, "GET /api/x bot", SURVEY_EXCLUDED);
    at(&survey, 5, "GET /API/x", SURVEY_NO_MATCH);
    at(&survey, 6, "GET /x bot", SURVEY_NO_MATCH);

    const struct survey_kind *activity = &survey.kinds[SURVEY_ACTIVITY];
    assert_int_equal(activity->n, 3);
    assert_int_equal(activity->first.ms, NOON.ms - MS_PER_MINUTE);
    assert_int_equal(activity->last.ms, NOON.ms + MS_PER_MINUTE);
    assert_int_equal(activity->n_examples, 2);
    assert_string_equal(survey_example(activity, 0)->message, "GET /api/y");
    assert_string_equal(survey_example(activity, 1)->message, "GET /api/z");
    assert_int_equal(survey.n_excludes, 2);
    assert_int_equal(survey.excludes[0].n, 1);
    assert_int_equal(survey.excludes[1].n, 2);
    assert_true(survey.excludes[1].is_regex);
    survey_clear(&survey);
    config_free(config);
}

static void how_long_it_could_have_slept(void **state)
{
    (void)state;
    struct survey survey;
    struct config *config = survey_begins(PATTERN_LINE, 0, &survey);
    struct wall from = wall_add(NOON, -12 * MS_PER_HOUR), to = wall_add(NOON, 12 * MS_PER_HOUR);

    at(&survey, 90, "GET /api/x", SURVEY_ACTIVITY); /* in any order */
    at(&survey, 0, "GET /api/x", SURVEY_ACTIVITY);
    at(&survey, 30, "GET /api/x", SURVEY_ACTIVITY);
    struct survey_quiet quiet = survey_quiet(&survey, from, to, MS_PER_HOUR);
    assert_true(quiet.is_known);
    assert_int_equal(quiet.longest_ms, 12 * MS_PER_HOUR);
    /* 12h and 10h30min, but for a window each; the hour from 12:30 to 13:30 is no more than one. */
    assert_int_equal(quiet.asleep_ms, 11 * MS_PER_HOUR + 9 * MS_PER_HOUR + 30 * MS_PER_MINUTE);
    survey_clear(&survey);
    config_free(config);
}

static void without_activity_or_time(void **state)
{
    (void)state;
    struct survey survey;
    struct config *config = survey_begins("", 3, &survey);

    struct survey_quiet quiet =
        survey_quiet(&survey, NOON, wall_add(NOON, MS_PER_DAY), MS_PER_HOUR);
    assert_int_equal(quiet.asleep_ms, 23 * MS_PER_HOUR);
    /* Without a pattern every event is activity. */
    assert_int_equal(survey_add(&survey, WALL_NEVER, "x", NULL), 0);
    assert_int_equal(survey.kinds[SURVEY_ACTIVITY].n, 1);
    assert_false(survey_quiet(&survey, NOON, wall_add(NOON, MS_PER_DAY), MS_PER_HOUR).is_known);
    survey_clear(&survey);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_part_that_all_requests_have),
        cmocka_unit_test(several_parts_when_one_is_not_enough),
        cmocka_unit_test(the_methods_when_paths_have_nothing_in_common),
        cmocka_unit_test(nothing_when_nothing_can_be_said),
        cmocka_unit_test(health_checks_and_crawlers_become_excludes),
        cmocka_unit_test(scanners_and_files_are_nobody),
        cmocka_unit_test(other_forms_of_log),
        cmocka_unit_test(hostile_messages_are_only_messages),
        cmocka_unit_test(the_log_group_of_a_cluster),
        cmocka_unit_test_setup_teardown(each_message_has_its_verdict, config_files_set_up,
                                        config_files_tear_down),
        cmocka_unit_test_setup_teardown(how_long_it_could_have_slept, config_files_set_up,
                                        config_files_tear_down),
        cmocka_unit_test_setup_teardown(without_activity_or_time, config_files_set_up,
                                        config_files_tear_down),
    };

    return cmocka_run_group_tests_name("ctl_propose", tests, NULL, NULL);
}
