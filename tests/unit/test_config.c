/* SPDX-License-Identifier: MIT */
/* What a right configuration becomes: values, defaults, drop-ins, and its print, which loads again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/clock.h"
#include "src/config.h"
#include "src/pattern.h"
#include "tests/support/config_files.h"

#define EXAMPLE "etc/provisionerd.ini"

static char *print_config(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    config_print(config, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_printed(const struct config *config, const char *line)
{
    char *text = print_config(config);
    if (!strstr(text, line))
        fail_msg("\"%s\" is not in:\n%s", line, text);
    free(text);
}

/* What config_print() says without its comments, which name the origins. */
static char *print_values(const struct config *config)
{
    char *text = print_config(config);
    char *to = text;

    for (const char *line = text; *line;) {
        const char *end = strchr(line, '\n');
        const char *comment = memmem(line, (size_t)(end - line), " ; ", 3);
        size_t length = (size_t)((comment ? comment : end) - line);
        const char *next = end + 1;
        if (*line != ';') {
            memmove(to, line, length);
            to += length;
            *to++ = '\n';
        }
        line = next;
    }
    *to = '\0';
    return text;
}

static void assert_prints_what_loads_to_the_same(struct config *config)
{
    char *text = print_config(config);
    char *values = print_values(config);
    config_free(config);

    given_file("provisionerd.ini", text);
    struct config *again = expect_config();
    char *values_again = print_values(again);
    assert_string_equal(values_again, values);
    config_free(again);
    free(values_again);
    free(values);
    free(text);
}

static void the_least_there_can_be_has_all_defaults(void **state)
{
    (void)state;
    given_file("provisionerd.ini", STAGING);
    struct config *config = expect_config();

    assert_null(config->region);
    assert_null(config->profile);
    assert_null(config->endpoint_url);
    assert_null(config->ca_bundle);
    assert_string_equal(config->state_directory, "/var/lib/provisionerd");
    assert_int_equal(config->log_level, LOG_INFO);
    assert_int_equal(config->n_environments, 1);
    const struct config_environment *staging = &config->environments[0];
    assert_string_equal(staging->name, "staging");
    assert_string_equal(staging->cluster, "staging");
    assert_int_equal(staging->n_log_groups, 1);
    assert_string_equal(staging->log_groups[0], "/ecs/staging/gateway");
    assert_int_equal(staging->n_always_on, 0);
    assert_int_equal(staging->window_ms, MS_PER_HOUR);
    assert_int_equal(staging->lateness_ms, 5 * MS_PER_MINUTE);
    assert_int_equal(staging->check_interval_ms, 10 * MS_PER_MINUTE);
    assert_int_equal(staging->poll_interval_ms, 15 * MS_PER_SECOND);
    assert_int_equal(staging->poll_interval_awake_ms, MS_PER_MINUTE);
    assert_int_equal(staging->insights, CONFIG_INSIGHTS_AUTO);
    assert_int_equal(staging->silence, CONFIG_SILENCE_IDLE);
    assert_true(staging->adopt);
    assert_int_equal(staging->on_remove, CONFIG_ON_REMOVE_LEAVE);
    assert_true(pattern_matches(staging->pattern, "anything at all"));
    config_free(config);
}

static void a_service_wakes_to_its_recorded_count_unless_one_is_given(void **state)
{
    (void)state;
    given_file("provisionerd.ini", STAGING);
    struct config *config = expect_config();
    const struct config_environment *staging = &config->environments[0];

    assert_int_equal(staging->n_services, 3);
    assert_string_equal(staging->services[0].name, "api");
    assert_int_equal(staging->services[0].count, CONFIG_RECORDED);
    assert_string_equal(staging->services[1].name, "worker");
    assert_int_equal(staging->services[1].count, CONFIG_RECORDED);
    assert_string_equal(staging->services[2].name, "web");
    assert_int_equal(staging->services[2].count, 2);
    config_free(config);
}

static const char EVERYTHING[] =
    "[provisionerd]\n"
    "region = eu-west-1\n"
    "profile = \"sso; admin\"\n"
    "endpoint_url = https://vpce.example.net:8443/logs\n"
    "ca_bundle = /etc/ssl/private-ca.pem\n"
    "state_directory = \"/var/lib/with blank\"\n"
    "log_level = debug\n"
    "\n"
    "[environment shop.test_1-b]\n"
    "cluster = arn:aws:ecs:eu-west-1:123456789012:cluster/shop\n"
    "services = api = 0, worker=5000,\n"
    "           web\n"
    "always_on = gateway, proxy\n"
    "log_group = /ecs/a, arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/b#1\n"
    "pattern = /GET \\/(a|b),[;x]/\n"
    "exclude = \"say \\\"hi\\\" ; \\\\o/\", /probe{1,3}/, bot\n"
    "window = 1h30min\n"
    "lateness = 0s\n"
    "check_interval = 250s\n"
    "poll_interval = 1s\n"
    "poll_interval_awake = 2min\n"
    "insights = always\n"
    "silence = unknown\n"
    "adopt = no\n"
    "on_remove = wake\n";

static void every_option_arrives(void **state)
{
    (void)state;
    given_file("provisionerd.ini", EVERYTHING);
    struct config *config = expect_config();

    assert_string_equal(config->region, "eu-west-1");
    assert_string_equal(config->profile, "sso; admin");
    assert_string_equal(config->endpoint_url, "https://vpce.example.net:8443/logs");
    assert_string_equal(config->ca_bundle, "/etc/ssl/private-ca.pem");
    assert_string_equal(config->state_directory, "/var/lib/with blank");
    assert_int_equal(config->log_level, LOG_DEBUG);
    const struct config_environment *shop = config_find_environment(config, "shop.test_1-b");
    assert_non_null(shop);
    assert_string_equal(shop->cluster, "arn:aws:ecs:eu-west-1:123456789012:cluster/shop");
    assert_int_equal(shop->n_services, 3);
    assert_int_equal(shop->services[0].count, 0);
    assert_int_equal(shop->services[1].count, 5000);
    assert_string_equal(shop->services[2].name, "web");
    assert_int_equal(shop->n_always_on, 2);
    assert_string_equal(shop->always_on[1], "proxy");
    assert_int_equal(shop->n_log_groups, 2);
    assert_string_equal(shop->log_groups[1],
                        "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/b#1");
    assert_int_equal(shop->window_ms, 90 * MS_PER_MINUTE);
    assert_int_equal(shop->lateness_ms, 0);
    assert_int_equal(shop->check_interval_ms, 250 * MS_PER_SECOND);
    assert_int_equal(shop->poll_interval_ms, MS_PER_SECOND);
    assert_int_equal(shop->poll_interval_awake_ms, 2 * MS_PER_MINUTE);
    assert_int_equal(shop->insights, CONFIG_INSIGHTS_ALWAYS);
    assert_int_equal(shop->silence, CONFIG_SILENCE_UNKNOWN);
    assert_false(shop->adopt);
    assert_int_equal(shop->on_remove, CONFIG_ON_REMOVE_WAKE);
    assert_true(pattern_matches(shop->pattern, "GET /a,;"));
    assert_false(pattern_matches(shop->pattern, "GET /a,; by a bot"));
    assert_false(pattern_matches(shop->pattern, "GET /a,; say \"hi\" ; \\o/"));
    assert_false(pattern_matches(shop->pattern, "GET /c,;"));
    config_free(config);
}

static void what_a_pattern_says_is_what_it_matches(void **state)
{
    static const struct {
        const char *line, *matches, *differs;
    } cases[] = {
        {"pattern = \"/api/v1/\"", "GET /api/v1/x", "GET api/v1"},
        {"pattern = GET /api", "GET /api", "GET  /api"},
        {"pattern = /api", "see /api", "see api"},
        {"pattern = /api ; a comment", "see /api", "see api"},
        {"pattern = \"a ; b # c\" ; a comment", "a ; b # c", "a "},
        {"pattern = \";\"", ";", ":"},
        {"pattern = \"/x/\"", "/x/", "x"},
        {"pattern = /x;y/", "x;y", "x"},
        {"pattern = /x \\;y/", "x ;y", "x "},
        {"pattern = /a=b|c:d/ ; a/comment/", "c:d", "ab"},
        {"pattern : \"a=b\"", "a=b", "a"},
        {"pattern=\"caf\xc3\xa9\"", "un caf\xc3\xa9", "cafe"},
        {"pattern = \"a\tb\"", "a\tb", "a b"},
        {"  pattern = \"  blanks  \"  ", "x  blanks  x", " blanks "},
        {"pattern = \"\\\\\\\"\"", "\\\"", "\\"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct config *config = expect_line(cases[i].line);
        const struct pattern *pattern = config->environments[0].pattern;
        if (!pattern_matches(pattern, cases[i].matches))
            fail_msg("%s: does not match \"%s\"", cases[i].line, cases[i].matches);
        if (pattern_matches(pattern, cases[i].differs))
            fail_msg("%s: matches \"%s\"", cases[i].line, cases[i].differs);
        config_free(config);
    }
}

static void several_environments_are_found_by_name(void **state)
{
    (void)state;
    given_file("provisionerd.ini",
               STAGING "[environment b]\ncluster = c\nservices = api\nlog_group = g\n"
                       "[environment a]\ncluster = d\nservices = api\nlog_group = g\n");
    struct config *config = expect_config();

    assert_int_equal(config->n_environments, 3);
    assert_string_equal(config->environments[0].name, "staging");
    assert_string_equal(config->environments[1].name, "b");
    assert_string_equal(config->environments[2].name, "a");
    assert_ptr_equal(config_find_environment(config, "a"), &config->environments[2]);
    assert_ptr_equal(config_find_environment(config, "b"), &config->environments[1]);
    assert_ptr_equal(config_find_environment(config, "staging"), &config->environments[0]);
    assert_null(config_find_environment(config, "stagin"));
    assert_null(config_find_environment(config, ""));
    config_free(config);
    assert_null(config_free(NULL));
}

static void ten_thousand_environments_load(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    assert_non_null(file);
    for (int i = 0; i < CONFIG_ENVIRONMENTS_MAX; i++)
        fprintf(file, "[environment e%d]\ncluster=c\nservices=s%d\nlog_group=g\n", i, i);
    assert_int_equal(fclose(file), 0);
    given_bytes("provisionerd.ini", text, size);
    struct config *config = expect_config();
    assert_string_equal(config_find_environment(config, "e9999")->services[0].name, "s9999");
    config_free(config);
    free(text);
}

static void drop_ins_replace_in_the_order_of_their_names(void **state)
{
    (void)state;
    given_file("provisionerd.ini", "[provisionerd]\nregion = eu-west-1\n" STAGING "window = 2h\n");
    given_file("provisionerd.ini.d/20-last.ini", "[environment staging]\nservices = only\n");
    given_file("provisionerd.ini.d/10-first.ini",
               "[environment staging]\nservices = one, two\nwindow = 3h\n"
               "[environment more]\ncluster = c\nservices = s\nlog_group = g\n"
               "[provisionerd]\nlog_level = error\n");
    given_file("provisionerd.ini.d/30-ignored.ini~", "rubbish");
    given_file("provisionerd.ini.d/.40-hidden.ini", "rubbish");
    struct config *config = expect_config();
    const struct config_environment *staging = config_find_environment(config, "staging");

    assert_string_equal(config->region, "eu-west-1");
    assert_int_equal(config->log_level, LOG_ERR);
    assert_int_equal(config->n_environments, 2);
    assert_string_equal(staging->cluster, "staging");
    assert_int_equal(staging->window_ms, 3 * MS_PER_HOUR);
    assert_int_equal(staging->n_services, 1);
    assert_string_equal(staging->services[0].name, "only");
    assert_printed(config, "region              = eu-west-1 ; ");
    assert_printed(config, "/provisionerd.ini:2\n");
    assert_printed(config, "/provisionerd.ini.d/20-last.ini:2\n");
    assert_printed(config, "/provisionerd.ini.d/10-first.ini:3\n");
    config_free(config);
}

static void a_drop_in_mends_what_the_file_before_it_lacks(void **state)
{
    (void)state;
    given_file("provisionerd.ini", "[environment staging]\ncluster = c\nservices = !\n");
    given_file("provisionerd.ini.d/a.ini",
               "[environment staging]\nservices = api\nlog_group = g\n");
    config_free(expect_config());
}

static void systemd_says_where_the_state_goes(void **state)
{
    (void)state;
    given_file("provisionerd.ini", STAGING);
    assert_int_equal(setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", 1), 0);
    struct config *config = expect_config();
    assert_string_equal(config->state_directory, "/var/lib/a");
    assert_printed(config, "state_directory     = /var/lib/a ; $STATE_DIRECTORY\n");
    config_free(config);

    given_file("provisionerd.ini", "[provisionerd]\nstate_directory = /srv\n" STAGING);
    config = expect_config();
    assert_string_equal(config->state_directory, "/srv");
    config_free(config);

    given_file("provisionerd.ini", STAGING);
    assert_int_equal(setenv("STATE_DIRECTORY", "relative", 1), 0);
    config = expect_config();
    assert_string_equal(config->state_directory, "/var/lib/provisionerd");
    config_free(config);
}

static void a_print_shows_values_and_origins(void **state)
{
    (void)state;
    given_file("provisionerd.ini", STAGING "pattern = /api\nwindow = 90min\n");
    struct config *config = expect_config();

    assert_printed(config, "[provisionerd]\n"
                           "; region              is not set: AWS_REGION, the profile's, or");
    assert_printed(config, "log_level           = info ; default\n\n[environment staging]\n");
    assert_printed(config, "services            = api, worker, web = 2 ; /");
    assert_printed(config, "pattern             = \"/api\" ; /");
    assert_printed(config, "window              = 1h30min ; /");
    assert_printed(config, "/provisionerd.ini:6\n");
    assert_printed(config, "adopt               = yes ; default\n");
    assert_printed(config, "; exclude             is not set: nothing\n");
    config_free(config);
}

static void a_print_loads_to_the_same(void **state)
{
    (void)state;
    given_file("provisionerd.ini", STAGING);
    assert_prints_what_loads_to_the_same(expect_config());
    given_file("provisionerd.ini", EVERYTHING);
    assert_prints_what_loads_to_the_same(expect_config());
}

static void a_print_of_long_lists_loads_to_the_same(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    assert_non_null(file);
    fprintf(file, "[environment long]\ncluster = c\nservices = first");
    for (int i = 1; i < CONFIG_SERVICES_MAX; i++)
        fprintf(file, ",\n  ; between\n\n  s%0250d = %d", i, i);
    fprintf(file, "\nlog_group = %0512d", 0);
    for (int i = 1; i < CONFIG_LOG_GROUPS_MAX; i++)
        fprintf(file, ",\n\t%0500d#", i);
    fprintf(file, "\npattern = \"");
    for (int i = 0; i < 2048; i++)
        fputs("\\\"", file);
    fprintf(file, "\"\nexclude = a");
    for (int i = 1; i < 50; i++)
        fprintf(file, ",\n \"%0200d ; \"", i);
    fputs("\n", file);
    assert_int_equal(fclose(file), 0);
    given_bytes("provisionerd.ini", text, size);
    struct config *config = expect_config();
    assert_int_equal(config->environments[0].n_services, CONFIG_SERVICES_MAX);
    assert_int_equal(config->environments[0].services[99].count, 99);
    assert_int_equal(config->environments[0].n_log_groups, CONFIG_LOG_GROUPS_MAX);
    assert_prints_what_loads_to_the_same(config);
    free(text);
}

static void a_print_survives_a_strange_path(void **state)
{
    char path[4096];
    struct config *config = NULL;
    char *errors = NULL;

    (void)state;
    given_file("provisionerd.ini", STAGING);
    given_file("odd\nname\xff ; x.ini", STAGING);
    snprintf(path, sizeof(path), "%.*s/odd\nname\xff ; x.ini",
             (int)(strrchr(config_files_path(), '/') - config_files_path()), config_files_path());
    assert_int_equal(config_load(path, &config, &errors), 0);
    assert_printed(config, "/odd?name? ; x.ini:2\n");
    assert_prints_what_loads_to_the_same(config);
}

/* Replaces the one place in the text where `from` stands. */
static char *edit(char *text, const char *from, const char *to)
{
    char *edited = NULL;
    char *at = strstr(text, from);

    assert_non_null(at);
    assert_null(strstr(at + 1, from));
    assert_true(asprintf(&edited, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
    free(text);
    return edited;
}

static char *read_example(void)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(EXAMPLE, "r");

    assert_non_null(text);
    if (!file)
        fail_msg("%s cannot be read; run from the top of the tree", EXAMPLE);
    assert_true(fread(text, 1, 65535, file) > 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void the_example_works_after_four_edits(void **state)
{
    (void)state;
    char *text = read_example();
    text = edit(text, "\ncluster = staging", "\ncluster = shop");
    text = edit(text, "\nservices = api, worker, web", "\nservices = cart, search = 4");
    text = edit(text, "\nlog_group = /ecs/staging/gateway", "\nlog_group = /aws/shop");
    text = edit(text, "\npattern = \"/api/v1/\"", "\npattern = /GET \\/(cart|search)/");
    given_file("provisionerd.ini", text);
    struct config *config = expect_config();
    const struct config_environment *shop = &config->environments[0];

    assert_int_equal(config->n_environments, 1);
    assert_string_equal(shop->cluster, "shop");
    assert_int_equal(shop->n_services, 2);
    assert_int_equal(shop->services[1].count, 4);
    assert_string_equal(shop->log_groups[0], "/aws/shop");
    assert_true(pattern_matches(shop->pattern, "GET /cart HTTP/1.1"));
    config_free(config);
    free(text);
}

/* Takes the "#" from each line that shows an option. */
static void uncomment_options(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        bool line_begins = from == text || from[-1] == '\n';
        if (line_begins && from[0] == '#' && from[1] >= 'a' && from[1] <= 'z')
            continue;
        *to++ = *from;
    }
    *to = '\0';
}

static void the_example_shows_real_defaults(void **state)
{
    (void)state;
    char *text = read_example();
    given_file("provisionerd.ini", text);
    struct config *as_it_is = expect_config();
    uncomment_options(text);
    given_file("provisionerd.ini", text);
    struct config *uncommented = expect_config();
    const struct config_environment *a = &as_it_is->environments[0];
    const struct config_environment *b = &uncommented->environments[0];

    assert_string_equal(uncommented->region, "eu-west-1");
    assert_string_equal(uncommented->state_directory, as_it_is->state_directory);
    assert_int_equal(uncommented->log_level, as_it_is->log_level);
    assert_int_equal(b->window_ms, a->window_ms);
    assert_int_equal(b->lateness_ms, a->lateness_ms);
    assert_int_equal(b->check_interval_ms, a->check_interval_ms);
    assert_int_equal(b->poll_interval_ms, a->poll_interval_ms);
    assert_int_equal(b->poll_interval_awake_ms, a->poll_interval_awake_ms);
    assert_int_equal(b->insights, a->insights);
    assert_int_equal(b->silence, a->silence);
    assert_int_equal(b->adopt, a->adopt);
    assert_int_equal(b->on_remove, a->on_remove);
    assert_int_equal(b->n_always_on, 1);
    assert_false(pattern_matches(b->pattern, "GET /api/v1/ ELB-HealthChecker/2.0"));
    config_free(uncommented);
    config_free(as_it_is);
    free(text);
}

#define STORY(name) \
    cmocka_unit_test_setup_teardown(name, config_files_set_up, config_files_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(the_least_there_can_be_has_all_defaults),
        STORY(a_service_wakes_to_its_recorded_count_unless_one_is_given),
        STORY(every_option_arrives),
        STORY(what_a_pattern_says_is_what_it_matches),
        STORY(several_environments_are_found_by_name),
        STORY(ten_thousand_environments_load),
        STORY(drop_ins_replace_in_the_order_of_their_names),
        STORY(a_drop_in_mends_what_the_file_before_it_lacks),
        STORY(systemd_says_where_the_state_goes),
        STORY(a_print_shows_values_and_origins),
        STORY(a_print_loads_to_the_same),
        STORY(a_print_of_long_lists_loads_to_the_same),
        STORY(a_print_survives_a_strange_path),
        STORY(the_example_works_after_four_edits),
        STORY(the_example_shows_real_defaults),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
