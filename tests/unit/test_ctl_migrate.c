/* SPDX-License-Identifier: MIT */
/* From the variables of a Lambda function to a configuration: dotenv, seed, draft. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/dotenv.h"
#include "ctl/draft.h"
#include "ctl/seed.h"
#include "src/cleanup.h"
#include "tests/support/config_files.h"

#define TOLD_MAX 4096

static const char MINIMAL[] = "CLUSTER_NAME=staging\nSERVICES=api,worker\n"
                              "LOG_GROUP=/ecs/staging/gateway\nLOG_PATTERN=/api/v1/\n";

/* --- lines --------------------------------------------------------------------------------------- */

static void expect_variable(const char *line, const char *value)
{
    struct dotenv dotenv = {0};
    const char *problem = NULL;
    unsigned number;

    int r = dotenv_parse(line, strlen(line), &dotenv, &number, &problem);
    if (r < 0)
        fail_msg("%s: %s", line, problem);
    assert_int_equal(dotenv.n_variables, 1);
    assert_string_equal(dotenv.variables[0].name, "A");
    assert_string_equal(dotenv.variables[0].value, value);
    dotenv_clear(&dotenv);
}

static void expect_problem(const char *text, unsigned line, const char *problem)
{
    struct dotenv dotenv = {0};
    const char *said = NULL;
    unsigned number;

    assert_int_equal(dotenv_parse(text, strlen(text), &dotenv, &number, &said), -EINVAL);
    assert_int_equal(number, line);
    assert_string_equal(said, problem);
    assert_int_equal(dotenv.n_variables, 0);
}

static void a_value_is_what_stands_behind_the_equals_sign(void **state)
{
    (void)state;
    expect_variable("A=b", "b");
    expect_variable("A=", "");
    expect_variable("A=b c", "b c");
    expect_variable("  export  A = b  ", "b");
    expect_variable("export\tA=b", "b");
    expect_variable("A=b=c", "b=c");
    expect_variable("\xef\xbb\xbf"
                    "A=b",
                    "b");
    expect_variable("A=b\r\n", "b");
    expect_variable("\r\n# comment\n\nA=b\n\n", "b");
    expect_variable("A=caf\xc3\xa9", "caf\xc3\xa9");
    expect_variable("A=$B ${C}", "$B ${C}");
}

static void a_comment_begins_behind_a_blank(void **state)
{
    (void)state;
    expect_variable("A=b # comment", "b");
    expect_variable("A=b#no comment", "b#no comment");
    expect_variable("A=# all of it", "");
    expect_variable("A='b' # comment", "b");
    expect_variable("A=\"b # c\"# comment", "b # c");
}

static void quotes(void **state)
{
    (void)state;
    expect_variable("A='b \"c\" \\n $d'", "b \"c\" \\n $d");
    expect_variable("A=\"b 'c' \\\"d\\\" \\\\ \\$e\"", "b 'c' \"d\" \\ $e");
    expect_variable("A=\"\\d+ \\n\"", "\\d+ \n");
    expect_variable("A=\"\"", "");
    expect_variable("A=b\"c", "b\"c");
}

static void what_is_no_variable_is_told_with_its_line(void **state)
{
    (void)state;
    expect_problem("A=b\nwhatever\n", 2, "not NAME=VALUE");
    expect_problem("1A=b", 1, "not NAME=VALUE");
    expect_problem("A B=c", 1, "not NAME=VALUE");
    expect_problem("=b", 1, "not NAME=VALUE");
    expect_problem("export=b\nexport A", 2, "not NAME=VALUE");
    expect_problem("\nA='b", 2, "the closing quote is missing");
    expect_problem("A=\"b\\\"", 1, "the closing quote is missing");
    expect_problem("A=\"b\" c", 1, "text behind the closing quote");
}

static void bytes_that_are_no_text(void **state)
{
    (void)state;
    struct dotenv dotenv = {0};
    const char *problem = NULL;
    unsigned line;

    assert_int_equal(dotenv_parse("A=b\0c", 5, &dotenv, &line, &problem), -EINVAL);
    assert_string_equal(problem, "not a text file");
    /* Not one byte more than there are. */
    assert_int_equal(dotenv_parse("A=b\nC=d", 5, &dotenv, &line, &problem), -EINVAL);
    assert_int_equal(dotenv_parse("A=bXXX", 3, &dotenv, &line, &problem), 0);
    assert_string_equal(dotenv.variables[0].value, "b");
    dotenv_clear(&dotenv);
}

/* --- variables ----------------------------------------------------------------------------------- */

struct migration {
    struct draft draft;
    char told[TOLD_MAX];
    int result;
};

static void take_note(void *userdata, unsigned line, const char *what)
{
    struct migration *migration = userdata;
    size_t length = strlen(migration->told);

    snprintf(migration->told + length, TOLD_MAX - length, "%u: %s\n", line, what);
}

static struct migration migrate_as(const char *text, const char *name, enum seed_pattern pattern)
{
    struct migration migration = {0};
    struct dotenv dotenv = {0};
    const char *problem;
    unsigned line;

    assert_int_equal(dotenv_parse(text, strlen(text), &dotenv, &line, &problem), 0);
    migration.result = seed_draft(&dotenv, name, pattern, take_note, &migration, &migration.draft);
    dotenv_clear(&dotenv);
    return migration;
}

static struct migration migrate(const char *text)
{
    return migrate_as(text, NULL, SEED_PATTERN_BY_ITS_LOOK);
}

/* MINIMAL and more. */
static struct migration migrate_with(const char *more)
{
    char text[1024];

    snprintf(text, sizeof(text), "%s%s", MINIMAL, more);
    return migrate(text);
}

static void expect_told(struct migration *migration, int result, const char *told)
{
    assert_string_equal(migration->told, told);
    assert_int_equal(migration->result, result);
    draft_clear(&migration->draft);
}

static void the_four_variables(void **state)
{
    (void)state;
    struct migration migration = migrate(MINIMAL);
    const struct draft *draft = &migration.draft;

    assert_string_equal(draft->name, "staging");
    assert_string_equal(draft->cluster, "staging");
    assert_int_equal(draft->n_services, 2);
    assert_string_equal(draft->services[0].name, "api");
    assert_int_equal(draft->services[0].count, DRAFT_COUNT_RECORDED);
    assert_string_equal(draft->services[1].name, "worker");
    assert_int_equal(draft->log_groups.n_items, 1);
    assert_string_equal(draft->log_groups.items[0], "/ecs/staging/gateway");
    assert_string_equal(draft->pattern, "/api/v1/");
    assert_false(draft->pattern_is_regex);
    assert_null(draft->region);
    expect_told(&migration, 0, "");
}

static void lists_are_written_in_many_ways(void **state)
{
    (void)state;
    static const char *const WAYS[] = {"api,worker", "api, worker", "api worker",
                                       "[\"api\", \"worker\"]", " api ,, worker, "};

    for (size_t i = 0; i < ARRAY_LENGTH(WAYS); i++) {
        char text[128];
        snprintf(text, sizeof(text), "SERVICE_NAMES='%s'\nCLUSTER=a\nLOG_GROUPS=/b /c\nPATTERN=d\n",
                 WAYS[i]);
        struct migration migration = migrate(text);
        assert_int_equal(migration.draft.n_services, 2);
        assert_string_equal(migration.draft.services[1].name, "worker");
        assert_int_equal(migration.draft.log_groups.n_items, 2);
        expect_told(&migration, 0, "");
    }
}

static void counts_are_written_in_many_ways(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        int api, worker;
    } WAYS[] = {
        {"", DRAFT_COUNT_RECORDED, DRAFT_COUNT_RECORDED},
        {"DESIRED_COUNT=2\n", 2, 2},
        {"DESIRED_COUNTS=2,3\n", 2, 3},
        {"API_COUNT=4\n", 4, DRAFT_COUNT_RECORDED},
        {"COUNT_API=0\nDESIRED_COUNT_WORKER=10\n", 0, 10},
        {"WORKER_DESIRED_COUNT=5\nCOUNT=1\n", 1, 5},
        {"SERVICES=api:2,worker=3\n", 2, 3},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(WAYS); i++) {
        struct migration migration = migrate_with(WAYS[i].more);
        assert_int_equal(migration.draft.services[0].count, WAYS[i].api);
        assert_int_equal(migration.draft.services[1].count, WAYS[i].worker);
        assert_int_equal(migration.result, 0);
        draft_clear(&migration.draft);
    }
}

static void counts_that_are_none_are_told(void **state)
{
    (void)state;
    struct migration migration = migrate_with("DESIRED_COUNT=1,2,3\n");
    expect_told(&migration, -EINVAL, "5: DESIRED_COUNT has 3 counts, for 2 services\n");
    migration = migrate_with("API_COUNT=many\n");
    expect_told(&migration, -EINVAL, "5: API_COUNT is no count\n");
    migration = migrate_with("DESIRED_COUNT=-1\n");
    expect_told(&migration, -EINVAL, "5: DESIRED_COUNT has something in it that is no count\n");
    migration = migrate_with("API_COUNT=99999999999999999999\n");
    expect_told(&migration, -EINVAL, "5: API_COUNT is no count\n");
}

static void what_is_missing_is_told_all_at_once(void **state)
{
    (void)state;
    struct migration migration = migrate("LOG_GROUP=\n");
    expect_told(&migration, -EINVAL,
                "0: CLUSTER_NAME is missing\n"
                "0: SERVICES is missing\n"
                "1: LOG_GROUP is empty\n"
                "0: without LOG_PATTERN every log event would be activity: add a pattern\n");
    migration = migrate("CLUSTER=a\nSERVICES=','\nLOG_GROUP=/b\nPATTERN=c\n");
    expect_told(&migration, -EINVAL, "2: SERVICES names no service\n");
}

static void unknown_variables_are_told_and_their_values_kept_secret(void **state)
{
    (void)state;
    struct migration migration =
        migrate_with("DATABASE_PASSWORD=geheim\nAWS_SECRET_ACCESS_KEY=geheim\n");
    assert_null(strstr(migration.told, "geheim"));
    expect_told(&migration, 0,
                "5: DATABASE_PASSWORD is unknown, and was left out\n"
                "6: AWS_SECRET_ACCESS_KEY is no part of the configuration, and was left out; "
                "credentials are found as the AWS SDKs find them\n");
}

static void one_that_is_there_twice_replaces_the_first(void **state)
{
    (void)state;
    struct migration migration = migrate_with("CLUSTER=other\n");
    assert_string_equal(migration.draft.cluster, "other");
    expect_told(&migration, 0, "5: CLUSTER replaces CLUSTER_NAME of line 1\n");
}

static void the_name_of_an_environment(void **state)
{
    (void)state;
    struct migration migration = migrate_with(
        "CLUSTER=arn:aws:ecs:eu-west-1:123456789012:cluster/qa\nAWS_REGION=eu-west-1\n");
    assert_string_equal(migration.draft.name, "qa");
    assert_string_equal(migration.draft.region, "eu-west-1");
    draft_clear(&migration.draft);
    migration = migrate_as(MINIMAL, "mine", SEED_PATTERN_BY_ITS_LOOK);
    assert_string_equal(migration.draft.name, "mine");
    expect_told(&migration, 0, "");
}

static void expect_pattern(const char *value, enum seed_pattern kind, const char *pattern,
                           bool is_regex)
{
    char text[256];

    snprintf(text, sizeof(text), "%sLOG_PATTERN='%s'\n", MINIMAL, value);
    struct migration migration = migrate_as(text, NULL, kind);
    assert_int_equal(migration.result, 0);
    assert_string_equal(migration.draft.pattern, pattern);
    assert_int_equal(migration.draft.pattern_is_regex, is_regex);
    draft_clear(&migration.draft);
}

static void a_pattern_is_a_text_or_an_expression(void **state)
{
    (void)state;
    expect_pattern("/api/", SEED_PATTERN_BY_ITS_LOOK, "/api/", false);
    expect_pattern("/api/v1.2/", SEED_PATTERN_BY_ITS_LOOK, "/api/v1.2/", false);
    expect_pattern("\"GET /api\"", SEED_PATTERN_BY_ITS_LOOK, "GET /api", false);
    expect_pattern("%GET /(a|b)%", SEED_PATTERN_BY_ITS_LOOK, "GET /(a|b)", true);
    expect_pattern("/GET .(a|b)/", SEED_PATTERN_IS_REGEX, "GET .(a|b)", true);
    expect_pattern("GET /(a|b)", SEED_PATTERN_IS_REGEX, "GET /(a|b)", true);
    expect_pattern("GET /(a|b)", SEED_PATTERN_IS_TEXT, "GET /(a|b)", false);
}

static void a_pattern_that_may_be_either_is_refused(void **state)
{
    (void)state;
    static const char *const EITHER[] = {"GET /(a|b)", "/api/.*", "/api?x=1", "^GET",
                                         "{ $.a = 1 }"};

    for (size_t i = 0; i < ARRAY_LENGTH(EITHER); i++) {
        char text[256];
        snprintf(text, sizeof(text), "%sPATTERN='%s'\n", MINIMAL, EITHER[i]);
        struct migration migration = migrate(text);
        assert_int_equal(migration.result, -EINVAL);
        assert_non_null(strstr(migration.told, "say which, with --text or --regex"));
        draft_clear(&migration.draft);
    }
}

/* --- the draft ----------------------------------------------------------------------------------- */

/* Writes it, and loads what was written. */
static struct config *load_draft(const struct draft *draft)
{
    _cleanup_free_ char *text = NULL, *errors = NULL;

    int r = draft_write(draft, &text, &errors);
    if (r < 0)
        fail_msg("%d: %s", r, errors ? errors : "");
    given_file("provisionerd.ini", text);
    return expect_config();
}

static void a_draft_loads_to_what_it_says(void **state)
{
    (void)state;
    struct migration migration = migrate_with("API_COUNT=2\nREGION=eu-west-1\n"
                                              "PATTERN='say \"\\ hi; # you, there'\n");
    assert_int_equal(migration.result, -EINVAL); /* the backslash */
    draft_clear(&migration.draft);
    migration = migrate_as("CLUSTER=a\nSERVICES=api:2,web\nLOG_GROUP=/x,/y\nREGION=eu-west-1\n"
                           "PATTERN='say \"\\ hi; # you, there'\n",
                           "mine", SEED_PATTERN_IS_TEXT);
    assert_int_equal(texts_add(&migration.draft.excludes, "ELB-HealthChecker"), 0);
    assert_int_equal(texts_add(&migration.draft.excludes, " /healthz "), 0);
    assert_int_equal(texts_add(&migration.draft.always_on, "gateway"), 0);

    struct config *config = load_draft(&migration.draft);
    const struct config_environment *environment = config_find_environment(config, "mine");
    assert_string_equal(config->region, "eu-west-1");
    assert_int_equal(environment->n_services, 2);
    assert_int_equal(environment->services[0].count, 2);
    assert_int_equal(environment->services[1].count, CONFIG_RECORDED);
    assert_int_equal(environment->n_log_groups, 2);
    assert_string_equal(environment->always_on[0], "gateway");
    assert_true(pattern_matches(environment->pattern, "say \"\\ hi; # you, there"));
    assert_false(
        pattern_matches(environment->pattern, "say \"\\ hi; # you, there ELB-HealthChecker"));
    assert_false(pattern_matches(environment->pattern, "say hi"));
    config_free(config);
    draft_clear(&migration.draft);
}

static void slashes_within_an_expression(void **state)
{
    (void)state;
    struct migration migration =
        migrate_as("CLUSTER=a\nSERVICES=b\nLOG_GROUP=/c\nPATTERN='GET /(a\\/b|c)/d'\n", NULL,
                   SEED_PATTERN_IS_REGEX);
    struct config *config = load_draft(&migration.draft);
    assert_true(pattern_matches(config->environments[0].pattern, "GET /a/b/d"));
    assert_true(pattern_matches(config->environments[0].pattern, "GET /c/d"));
    config_free(config);
    draft_clear(&migration.draft);
}

static void as_many_services_as_there_may_be(void **state)
{
    (void)state;
    struct draft draft = {.name = strdup("a"), .cluster = strdup("a")};
    char name[201];

    for (int i = 0; i < CONFIG_SERVICES_MAX; i++) {
        snprintf(name, sizeof(name), "%0200d", i);
        assert_int_equal(draft_add_service(&draft, name, i), 0);
    }
    assert_int_equal(texts_add(&draft.log_groups, "/x"), 0);
    struct config *config = load_draft(&draft);
    assert_int_equal(config->environments[0].n_services, CONFIG_SERVICES_MAX);
    config_free(config);
    draft_clear(&draft);
}

static void what_does_not_load_is_not_written(void **state)
{
    (void)state;
    struct migration migration = migrate_with("CLUSTER='no cluster'\n");
    _cleanup_free_ char *text = NULL, *errors = NULL;

    assert_int_equal(draft_write(&migration.draft, &text, &errors), -EINVAL);
    assert_null(text);
    assert_non_null(strstr(errors, "draft:"));
    assert_non_null(strstr(errors, "cluster = no cluster: not a cluster"));
    assert_null(strstr(errors, "/proc/"));
    draft_clear(&migration.draft);
}

static void no_value_reaches_beyond_its_line(void **state)
{
    (void)state;
    struct migration migration = migrate_with("CLUSTER=\"staging\\nprofile = mine\"\n");
    _cleanup_free_ char *text = NULL, *errors = NULL;

    assert_int_equal(draft_write(&migration.draft, &text, &errors), -EINVAL);
    assert_string_equal(errors, "draft: a value has a control character in it\n");
    draft_clear(&migration.draft);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_what_stands_behind_the_equals_sign),
        cmocka_unit_test(a_comment_begins_behind_a_blank),
        cmocka_unit_test(quotes),
        cmocka_unit_test(what_is_no_variable_is_told_with_its_line),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(the_four_variables),
        cmocka_unit_test(lists_are_written_in_many_ways),
        cmocka_unit_test(counts_are_written_in_many_ways),
        cmocka_unit_test(counts_that_are_none_are_told),
        cmocka_unit_test(what_is_missing_is_told_all_at_once),
        cmocka_unit_test(unknown_variables_are_told_and_their_values_kept_secret),
        cmocka_unit_test(one_that_is_there_twice_replaces_the_first),
        cmocka_unit_test(the_name_of_an_environment),
        cmocka_unit_test(a_pattern_is_a_text_or_an_expression),
        cmocka_unit_test(a_pattern_that_may_be_either_is_refused),
        cmocka_unit_test_setup_teardown(a_draft_loads_to_what_it_says, config_files_set_up,
                                        config_files_tear_down),
        cmocka_unit_test_setup_teardown(slashes_within_an_expression, config_files_set_up,
                                        config_files_tear_down),
        cmocka_unit_test_setup_teardown(as_many_services_as_there_may_be, config_files_set_up,
                                        config_files_tear_down),
        cmocka_unit_test(what_does_not_load_is_not_written),
        cmocka_unit_test(no_value_reaches_beyond_its_line),
    };

    return cmocka_run_group_tests_name("ctl_migrate", tests, NULL, NULL);
}
