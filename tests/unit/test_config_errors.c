/* SPDX-License-Identifier: MIT */
/* What is wrong with a value, said so that its author knows what to write instead. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/config.h"
#include "src/config/config_report.h"
#include "tests/support/config_files.h"

struct line_error {
    const char *line;
    const char *error;
};

static void expect_line_errors(const struct line_error *cases, size_t n_cases)
{
    for (size_t i = 0; i < n_cases; i++)
        expect_line_error(cases[i].line, cases[i].error);
}

static void unknown_options_suggest_the_nearest(void **state)
{
    static const struct line_error cases[] = {
        {"windw = 1h", "windw = 1h: unknown option; did you mean \"window\"?"},
        {"widnow = 1h", "widnow = 1h: unknown option; did you mean \"window\"?"},
        {"Window = 1h", "Window = 1h: unknown option; did you mean \"window\"?"},
        {"log_groups = a", "log_groups = a: unknown option; did you mean \"log_group\"?"},
        {"poll_interval_awak = 1s",
         "poll_interval_awak = 1s: unknown option; did you mean \"poll_interval_awake\"?"},
        {"CLUSTER_NAME = a", "CLUSTER_NAME = a: unknown option; did you mean \"cluster\"?"},
        {"LOG_PATTERN = a", "LOG_PATTERN = a: unknown option; did you mean \"pattern\"?"},
        {"zebra = x", "zebra = x: unknown option"},
        {"= x", " = x: unknown option"},
        {"zebra =", "zebra =: unknown option"},
        {"region = eu-west-1", "region = eu-west-1: this option belongs in [provisionerd]"},
        {"aws_secret_access_key = wJalr", "aws_secret_access_key: credentials do not belong here "
                                          "(the value is not shown); they come "
                                          "from the instance's role or from ~/.aws/credentials"},
        {"a_name_that_is_longer_than_the_49_bytes_that_inih_keeps_of_it = 1",
         "a_name_that_is_longer_than_the_49_bytes_that_inih_keeps_of_it = 1: unknown option"},
        {"window", "window: an option needs a \"=\" and a value"},
    };

    (void)state;
    expect_line_errors(cases, ARRAY_LENGTH(cases));
    given_file("provisionerd.ini", STAGING "[provisionerd]\nwindow = 1h\n");
    expect_errors("provisionerd.ini:6: [provisionerd] window = 1h: this option belongs in "
                  "[environment NAME]\n");
}

static void durations_need_units_and_have_bounds(void **state)
{
    static const struct line_error cases[] = {
        {"window = 60", "window = 60: a duration needs a unit; write 60s, 60min or 1h"},
        {"window = soon", "window = soon: not a duration; write for example 90s, 15min or 1h30min"},
        {"window = -1h", "window = -1h: not a duration; write for example 90s, 15min or 1h30min"},
        {"window = 8d", "window = 8d: must lie between 1s and 7d"},
        {"window = 99999d", "window = 99999d: must lie between 1s and 7d"},
        {"window = 999ms", "window = 999ms: must lie between 1s and 7d"},
        {"window = 1234567890",
         "window = 1234567890: not a duration; write for example 90s, 15min or 1h30min"},
        {"lateness = 61min", "lateness = 61min: must lie between 0s and 1h"},
        {"poll_interval = 0s", "poll_interval = 0s: must lie between 1s and 1h"},
        {"check_interval = 2d", "check_interval = 2d: must lie between 1s and 1d"},
        {"window =", "window =: the value is missing; leave the line out if you mean the default"},
        {"window = ; 1h",
         "window =: the value is missing; leave the line out if you mean the default"},
        {"window = 1h # an hour", "window = 1h # an hour: a comment begins with \" ;\", not \"#\"; "
                                  "if this is text, put it in "
                                  "double quotes"},
        {"window = 1h, 2h",
         "window = 1h, 2h: not a duration; write for example 90s, 15min or 1h30min"},
    };

    (void)state;
    expect_line_errors(cases, ARRAY_LENGTH(cases));
}

static void choices_are_listed_and_suggested(void **state)
{
    static const struct line_error cases[] = {
        {"insights = alway", "insights = alway: must be auto or always; did you mean \"always\"?"},
        {"insights = never-ever", "insights = never-ever: must be auto or always"},
        {"silence = Idle", "silence = Idle: must be idle or unknown; did you mean \"idle\"?"},
        {"adopt = ye", "adopt = ye: must be yes or no; did you mean \"yes\"?"},
        {"adopt = true", "adopt = true: must be yes or no"},
        {"on_remove = sleep", "on_remove = sleep: must be leave or wake"},
    };

    (void)state;
    expect_line_errors(cases, ARRAY_LENGTH(cases));
    given_file("provisionerd.ini", STAGING "[provisionerd]\nlog_level = warn\n");
    expect_errors("provisionerd.ini:6: [provisionerd] log_level = warn: must be error, warning, "
                  "notice, info or debug; did you mean \"warning\"?\n");
}

static void lists_have_whole_items(void **state)
{
    static const struct line_error cases[] = {
        {"always_on = a,, b", "always_on = a,, b: nothing stands before the comma"},
        {"always_on = , b", "always_on = , b: nothing stands before the comma"},
        {"always_on = a,",
         "always_on = a,: nothing follows the last comma; a list may go on in indented lines"},
        {"always_on = a,\nwindow = 1h",
         "always_on = a,: nothing follows the last comma; a list may go on in indented lines"},
        {"always_on = a b",
         "always_on = a b: not a service's name, which has 1 to 255 of A-Z a-z 0-9 _ -"},
        {"always_on = gw, gw", "always_on = gw: twice in the list; remove one"},
        {"always_on = \"a\" b",
         "always_on = \"a\" b: text behind the closing quote; items are parted by commas"},
        {"always_on = arn:aws:ecs:eu-west-1:1:service/c/web",
         "always_on = arn:aws:ecs:eu-west-1:1:service/c/web: write the service's name, not its "
         "ARN"},
        {"always_on = web",
         "always_on = web: also among the services to put to sleep; a service that must stay up is "
         "none of those"},
        {"adopt = \"yes\", \"no\"",
         "adopt = \"yes\", \"no\": text behind the closing quote; the option takes one value"},
        {"adopt = yes,\n no", "adopt = yes, no: the option takes one value, not a list"},
    };

    (void)state;
    expect_line_errors(cases, ARRAY_LENGTH(cases));
}

static void errors_in_a_continued_list_have_the_line_of_the_item(void **state)
{
    (void)state;
    given_file("provisionerd.ini", "[environment a]\n"
                                   "cluster = c\n"
                                   "services = api, ; the front\n"
                                   "  # a comment\n"
                                   "\n"
                                   "\tworker!, ; the back\n"
                                   "  web = many, \n"
                                   "  big = 5001,\n"
                                   "  huge = 123456,\n"
                                   "  api,\n"
                                   "  = 2\n"
                                   "log_group = g\n");
    expect_errors(
        "provisionerd.ini:6: [environment a] services = worker!: not a service's name, "
        "which has 1 to 255 of A-Z a-z 0-9 _ -\n"
        "provisionerd.ini:7: [environment a] services = web = many: the count must be a "
        "number, as in web = 2\n"
        "provisionerd.ini:8: [environment a] services = big = 5001: the count must lie "
        "between 0 and 5000\n"
        "provisionerd.ini:9: [environment a] services = huge = 123456: the count must lie "
        "between 0 and 5000\n"
        "provisionerd.ini:10: [environment a] services = api: twice in the list; remove "
        "one\n"
        "provisionerd.ini:11: [environment a] services =: not a service's name, which has "
        "1 to 255 of A-Z a-z 0-9 _ -\n");
}

static void lists_are_bounded(void **state)
{
    char services[1024] = "";

    (void)state;
    for (int i = 0; i <= CONFIG_SERVICES_MAX; i++)
        snprintf(services + strlen(services), 8, "%ss%d", i ? "," : "", i);
    char text[2048];
    snprintf(text, sizeof(text), "[environment a]\ncluster=c\nlog_group=g\nservices=%s\n",
             services);
    given_file("provisionerd.ini", text);
    expect_errors(
        "provisionerd.ini:4: [environment a] services = "
        "s0,s1,s2,s3,s4,s5,s6,s7,s8,s9,s10,s11,s12,s13,s14,s15,s16,s17,s18,s19,s20,s21,s2..."
        ": 101 in the list, of at most 100\n");
}

static void a_pattern_that_could_mean_two_things_is_refused(void **state)
{
#define PATH_OR_REGEX                                                                       \
    "a regular expression between slashes, or a path? Put a path in double quotes; within " \
    "a regular expression write \\/"
    static const struct line_error cases[] = {
        {"pattern = /api/v1/", "pattern = /api/v1/: " PATH_OR_REGEX},
        {"exclude = ok, /api/v1/, /b/", "exclude = ok, /api/v1/, /b/: " PATH_OR_REGEX},
        {"exclude = /a, /b/", "exclude = /a, /b/: " PATH_OR_REGEX},
        {"pattern = //", "pattern = //: the regular expression is empty"},
        {"pattern = /x ;y/", "pattern = /x: the \" ;\" ends the value before the closing \"/\": in "
                             "a regular expression "
                             "write \\;, and put a path in double quotes"},
        {"pattern = 'GET'", "pattern = 'GET': quotes are double quotes here"},
        {"pattern = GET, POST",
         "pattern = GET, POST: the option takes one text: put it in double quotes if the comma is "
         "part of it, or write /one|other/"},
        {"pattern = GET;POST",
         "pattern = GET;POST: text with \";\" or \"\\\" must be in double quotes"},
        {"pattern = C:\\x", "pattern = C:\\x: text with \";\" or \"\\\" must be in double quotes"},
        {"pattern = GET # every get", "pattern = GET # every get: a comment begins with \" ;\", "
                                      "not \"#\"; if this is text, put it "
                                      "in double quotes"},
        {"pattern = say \"hi\"",
         "pattern = say \"hi\": a quote within the text: put all of it in double quotes, with \\\" "
         "for the quote"},
        {"pattern = \"GET", "pattern = \"GET: the closing quote is missing"},
        {"pattern = \"GET ; a", "pattern = \"GET ; a: the closing quote is missing"},
        {"pattern = \"a\\d\"",
         "pattern = \"a\\d\": within quotes, write a backslash as \\\\ and a quote as \\\""},
        {"pattern = \"a\\",
         "pattern = \"a\\: within quotes, write a backslash as \\\\ and a quote as \\\""},
        {"pattern = \"a\" or \"b\"",
         "pattern = \"a\" or \"b\": text behind the closing quote; the option takes one value"},
        {"pattern = \"\"", "pattern = \"\": the quotes are empty; leave the line out instead"},
        {"pattern =",
         "pattern =: the value is missing; leave the line out if you mean the default"},
        {"exclude = /a\\", "exclude = /a\\: text with \";\" or \"\\\" must be in double quotes"},
    };

    (void)state;
    expect_line_errors(cases, ARRAY_LENGTH(cases));
}

static void a_long_text_is_refused(void **state)
{
    char line[4096];
    char expected[256];

    (void)state;
    snprintf(line, sizeof(line), "pattern = %02049d", 0);
    snprintf(expected, sizeof(expected),
             "pattern = %080d...: longer than the 2048 bytes that one text may have", 0);
    expect_line_error(line, expected);
}

/* Loads, which must fail with errors that begin so, one a line. */
static void expect_beginnings(const char *const *beginnings, size_t n)
{
    struct config *config = NULL;
    char *errors = NULL;

    assert_int_equal(config_load(config_files_path(), &config, &errors), -EINVAL);
    const char *line = errors;
    for (size_t i = 0; i < n; i++) {
        const char *at = strstr(line, "provisionerd.ini:");
        assert_non_null(at);
        if (strncmp(at, beginnings[i], strlen(beginnings[i])) != 0)
            fail_msg("\"%s\" does not begin with \"%s\"", at, beginnings[i]);
        line = strchr(at, '\n') + 1;
    }
    assert_string_equal(line, "");
    free(errors);
}

static void what_pattern_new_refuses_has_the_line_of_the_text(void **state)
{
    static const char *const beginnings[] = {
        "provisionerd.ini:5: [environment staging] pattern /(/: ",
        "provisionerd.ini:7: [environment staging] exclude /[/: ",
        "provisionerd.ini:9: [environment staging] exclude /.*/: ",
    };

    (void)state;
    given_file("provisionerd.ini", STAGING "pattern = /(/\n"
                                           "exclude = fine,\n"
                                           " /[/,\n"
                                           " \"fine too\",\n"
                                           " /.*/\n");
    expect_beginnings(beginnings, ARRAY_LENGTH(beginnings));
}

static void names_are_what_aws_allows(void **state)
{
    (void)state;
    given_file("provisionerd.ini",
               "[provisionerd]\n"
               "region = Frankfurt\n"
               "profile = [admin]\n"
               "endpoint_url = example.net\n"
               "ca_bundle = ca.pem\n"
               "state_directory = ../state\n"
               "[environment a]\n"
               "cluster = my cluster\n"
               "services = arn:aws:ecs:eu-west-1:1:service/c/web\n"
               "log_group = fine, not fine, arn:aws:logs:eu-west-1:1:log-group:/ecs/a:*,\n"
               "  arn:aws:s3:eu-west-1:1:log-group:/ecs/a, arn:aws:logs:x\n"
               "[environment b]\n"
               "cluster = arn:aws:ecs:eu-west-1:1:service/x\n"
               "services = web\n"
               "log_group = g\n");
#define GROUP_RULE \
    "not a log group; write its name (1 to 512 of A-Z a-z 0-9 . - _ / #) or its ARN\n"
    expect_errors(
        "provisionerd.ini:2: [provisionerd] region = Frankfurt: not a region; one looks like "
        "eu-west-1\n"
        "provisionerd.ini:3: [provisionerd] profile = [admin]: a profile's name has no brackets; "
        "write the name alone\n"
        "provisionerd.ini:4: [provisionerd] endpoint_url = example.net: not an endpoint's URL, "
        "which is http(s)://host[:port][/path], such as "
        "https://vpce-0a1b.logs.eu-west-1.vpce.amazonaws.com\n"
        "provisionerd.ini:5: [provisionerd] ca_bundle = ca.pem: the path must be absolute, from / "
        "on\n"
        "provisionerd.ini:6: [provisionerd] state_directory = ../state: the path must be absolute, "
        "from / on\n"
        "provisionerd.ini:8: [environment a] cluster = my cluster: not a cluster; write its name "
        "(1 "
        "to 255 of A-Z a-z 0-9 _ -) or its ARN\n"
        "provisionerd.ini:9: [environment a] services = arn:aws:ecs:eu-west-1:1:service/c/web: "
        "write the service's name, not its ARN\n"
        "provisionerd.ini:10: [environment a] log_group = not fine: " GROUP_RULE
        "provisionerd.ini:10: [environment a] log_group = "
        "arn:aws:logs:eu-west-1:1:log-group:/ecs/a:*: leave the \":*\" at the end of the ARN away\n"
        "provisionerd.ini:11: [environment a] log_group = "
        "arn:aws:s3:eu-west-1:1:log-group:/ecs/a: " GROUP_RULE
        "provisionerd.ini:11: [environment a] log_group = arn:aws:logs:x: " GROUP_RULE
        "provisionerd.ini:13: [environment b] cluster = arn:aws:ecs:eu-west-1:1:service/x: not a "
        "cluster; write its name (1 to 255 of A-Z a-z 0-9 _ -) or its ARN\n");
}

static void intervals_fit_the_window(void **state)
{
    static const struct line_error cases[] = {
        {"poll_interval = 1h\nwindow = 30min",
         "poll_interval = 1h: the window = 30min must be at least as long"},
        {"poll_interval_awake = 31min", "poll_interval_awake = 31min: the window = 1h (the "
                                        "default) must be at least twice as long"},
        {"window = 90s",
         "window = 90s: must be at least twice poll_interval_awake = 1min (the default); set "
         "poll_interval_awake to less, too"},
        {"window = 1x\npoll_interval = 1h",
         "window = 1x: not a duration; write for example 90s, 15min or 1h30min"},
    };

    (void)state;
    expect_line_errors(cases, ARRAY_LENGTH(cases));
    given_file("provisionerd.ini", STAGING "window = 10s\npoll_interval_awake = 5s\n");
    expect_errors("provisionerd.ini:5: [environment staging] window = 10s: must be at least "
                  "poll_interval = 15s (the default); set poll_interval to less, too\n");
    given_file("provisionerd.ini",
               STAGING "window = 10s\npoll_interval_awake = 5s\npoll_interval = 10s\n");
    config_free(expect_config());
}

static void a_service_belongs_to_one_environment(void **state)
{
    (void)state;
    given_file("provisionerd.ini", STAGING "[environment other]\n"
                                           "cluster = other\n"
                                           "services = api, worker, web\n"
                                           "log_group = g\n"
                                           "[environment again]\n"
                                           "cluster = arn:aws:ecs:eu-west-1:1:cluster/staging\n"
                                           "services = db, worker\n"
                                           "log_group = g\n");
    given_file("provisionerd.ini.d/a.ini",
               "[environment third]\ncluster = staging\nservices = worker\nlog_group = g\n");
    expect_errors(
        "provisionerd.ini:11: [environment again] services = worker: [environment staging] has "
        "this service of cluster staging already (provisionerd.ini:3); two environments cannot "
        "decide over one service\n"
        "provisionerd.ini.d/a.ini:3: [environment third] services = worker: [environment again] "
        "has this service of cluster staging already (provisionerd.ini:11); two environments "
        "cannot decide over one service\n");
}

static void what_is_required_is_asked_for(void **state)
{
    (void)state;
    given_file("provisionerd.ini",
               "[provisionerd]\n[environment a]\n[environment b]\ncluster = c\n");
    expect_errors(
        "provisionerd.ini:2: [environment a] cluster: missing; write for example \"cluster = "
        "staging\"\n"
        "provisionerd.ini:2: [environment a] services: missing; write for example \"services = "
        "api, "
        "worker, web = 2\"\n"
        "provisionerd.ini:2: [environment a] log_group: missing; write for example \"log_group = "
        "/ecs/staging/gateway\"\n"
        "provisionerd.ini:3: [environment b] services: missing; write for example \"services = "
        "api, "
        "worker, web = 2\"\n"
        "provisionerd.ini:3: [environment b] log_group: missing; write for example \"log_group = "
        "/ecs/staging/gateway\"\n");
    given_file("provisionerd.ini", "");
    expect_errors(
        "provisionerd.ini: no environment; add a section such as [environment staging]\n");
}

static void errors_come_in_order_and_are_bounded(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    struct config *config = NULL;
    char *errors = NULL;

    (void)state;
    assert_non_null(file);
    fputs("[environment a]\ncluster = !\n", file); /* found last, told first */
    for (int i = 0; i < 150; i++)
        fprintf(file, "zebra%d = 1\n", i);
    fputs("[environment", file);
    assert_int_equal(fclose(file), 0);
    given_file("provisionerd.ini", text);
    free(text);

    assert_int_equal(config_load(config_files_path(), &config, &errors), -EINVAL);
    int n_lines = 0;
    long last = 0;
    char *line = errors;
    for (char *end; (end = strchr(line, '\n')); line = end + 1) {
        const char *at = strstr(line, "provisionerd.ini:");
        if (at && at < end) {
            long number = strtol(at + strlen("provisionerd.ini:"), NULL, 10);
            assert_true(number >= last);
            last = number;
        }
        n_lines++;
    }
    assert_int_equal(last, 99);
    assert_int_equal(n_lines, CONFIG_ERRORS_MAX + 1);
    assert_non_null(strstr(errors, "cluster = !"));
    assert_non_null(strstr(errors, "\n... and 54 more\n"));
    free(errors);
}

static void an_excerpt_does_not_cut_a_character(void **state)
{
    char text[200];
    char excerpt[CONFIG_EXCERPT_MAX];

    (void)state;
    for (size_t lead = 0; lead < 4; lead++) {
        memset(text, 'x', lead);
        for (size_t i = lead; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4); /* the euro sign */
        config_excerpt(text, excerpt);
        size_t length = strlen(excerpt);
        assert_true(length < CONFIG_EXCERPT_MAX);
        assert_int_equal((length - 3 - lead) % 3, 0);
        assert_string_equal(excerpt + length - 3, "...");
    }
    assert_string_equal(config_excerpt("short", excerpt), "short");
}

static void distances_are_damerau_s(void **state)
{
    char long_word[200];

    (void)state;
    assert_int_equal(config_distance("window", "window"), 0);
    assert_int_equal(config_distance("WINDOW", "window"), 0);
    assert_int_equal(config_distance("windw", "window"), 1);
    assert_int_equal(config_distance("widnow", "window"), 1);
    assert_int_equal(config_distance("wimdows", "window"), 2);
    assert_int_equal(config_distance("", "abc"), 3);
    assert_int_equal(config_distance("ca", "abc"), 3);
    memset(long_word, 'a', sizeof(long_word) - 1);
    long_word[sizeof(long_word) - 1] = '\0';
    assert_int_equal(config_distance(long_word, long_word), 0);
    const char *best = NULL;
    config_suggest(long_word, "aaaa", &best);
    assert_null(best);
}

#define STORY(name) \
    cmocka_unit_test_setup_teardown(name, config_files_set_up, config_files_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(unknown_options_suggest_the_nearest),
        STORY(durations_need_units_and_have_bounds),
        STORY(choices_are_listed_and_suggested),
        STORY(lists_have_whole_items),
        STORY(errors_in_a_continued_list_have_the_line_of_the_item),
        STORY(lists_are_bounded),
        STORY(a_pattern_that_could_mean_two_things_is_refused),
        STORY(a_long_text_is_refused),
        STORY(what_pattern_new_refuses_has_the_line_of_the_text),
        STORY(names_are_what_aws_allows),
        STORY(intervals_fit_the_window),
        STORY(a_service_belongs_to_one_environment),
        STORY(what_is_required_is_asked_for),
        STORY(errors_come_in_order_and_are_bounded),
        STORY(an_excerpt_does_not_cut_a_character),
        STORY(distances_are_damerau_s),
    };
    return cmocka_run_group_tests_name("config errors", tests, NULL, NULL);
}
