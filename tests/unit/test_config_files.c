/* SPDX-License-Identifier: MIT */
/* What files can do to a parser: the traps of INI and of inih, and bytes that nobody meant. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/clock.h"
#include "src/config.h"
#include "src/config/config_bytes.h"
#include "src/config/config_reader.h"
#include "tests/support/config_files.h"

static void windows_line_ends_and_a_byte_order_mark_are_accepted(void **state)
{
    (void)state;
    given_file("provisionerd.ini",
               "\xEF\xBB\xBF[environment a]\r\ncluster = c\r\n\r\n"
               "services = api,\r\n  web\r\nlog_group = g\r\npattern = \"x\"\r\n");
    struct config *config = expect_config();
    assert_string_equal(config->environments[0].cluster, "c");
    assert_int_equal(config->environments[0].n_services, 2);
    config_free(config);
}

static void the_last_line_needs_no_end(void **state)
{
    (void)state;
    given_file("provisionerd.ini", STAGING "window = 2h");
    struct config *config = expect_config();
    assert_int_equal(config->environments[0].window_ms, 2 * MS_PER_HOUR);
    config_free(config);
    given_file("provisionerd.ini", STAGING "window");
    expect_errors("provisionerd.ini:5: [environment staging] window: an option needs a \"=\" and a "
                  "value\n");
}

static void indentation_means_nothing_but_after_a_comma(void **state)
{
    (void)state;
    given_file("provisionerd.ini", "  [environment a]\n"
                                   "    cluster = c\n"
                                   "\tservices = api,\n"
                                   "\t    ; the queue's\n"
                                   "\t# and the other\n"
                                   "\n"
                                   "\t    worker, ; comment, with comma,\n"
                                   "\t    web = 2 ; comment\n"
                                   "    log_group = g\n"
                                   "    always_on = \"gateway\" ; ends here,\n"
                                   "    window = 2h\n");
    struct config *config = expect_config();
    const struct config_environment *a = &config->environments[0];
    assert_int_equal(a->n_services, 3);
    assert_string_equal(a->services[1].name, "worker");
    assert_int_equal(a->services[2].count, 2);
    assert_string_equal(a->log_groups[0], "g");
    assert_string_equal(a->always_on[0], "gateway");
    assert_int_equal(a->window_ms, 2 * MS_PER_HOUR);
    config_free(config);
}

static void a_quoted_comma_does_not_continue(void **state)
{
    (void)state;
    config_free(expect_line("exclude = \"a,\"\n  window = 2h"));
    config_free(expect_line("exclude = a, \"b \\\",;\",\n  \"c ; d\"\n  window = 2h"));
    expect_line_error("exclude = a,\nwindow = 2h",
                      "exclude = a,: nothing follows the last comma; a list may go on in indented "
                      "lines");
}

static void more_of_a_value_that_was_refused_is_left_out(void **state)
{
    (void)state;
    given_file("provisionerd.ini", STAGING "zebras = a,\n  b,\n  c\n"
                                           "cluster = d,\n  e\n"
                                           "exclude = \x01,\n  a,\n  b\n");
    expect_errors("provisionerd.ini:5: [environment staging] zebras = a,: unknown option\n"
                  "provisionerd.ini:8: [environment staging] cluster = d,: already set at line 2; "
                  "remove one of the two\n"
                  "provisionerd.ini:10: byte 11 of the line is a control character (0x01); remove "
                  "it\n");
}

static void an_option_is_set_once_in_a_file(void **state)
{
    (void)state;
    given_file("provisionerd.ini", STAGING "cluster = other\n");
    given_file("provisionerd.ini.d/a.ini",
               "[environment staging]\nwindow = 2h\nwindow = 3h\nwindow = 4h\n");
    expect_errors(
        "provisionerd.ini:5: [environment staging] cluster = other: already set at line 2; "
        "remove one of the two\n"
        "provisionerd.ini.d/a.ini:3: [environment staging] window = 3h: already set at line "
        "2; remove one of the two\n"
        "provisionerd.ini.d/a.ini:4: [environment staging] window = 4h: already set at line "
        "2; remove one of the two\n");
}

static void a_section_begins_once_in_a_file(void **state)
{
    (void)state;
    given_file("provisionerd.ini", "[provisionerd]\n" STAGING
                                   "[environment  staging ]\ncluster = other\n[provisionerd]\n");
    expect_errors(
        "provisionerd.ini:6: [environment staging]: this section already began at line 2; "
        "bring the two together\n"
        "provisionerd.ini:8: [provisionerd]: this section already began at line 1; bring "
        "the two together\n");
}

static void headers_are_read_to_the_letter(void **state)
{
    (void)state;
    given_file("provisionerd.ini", "window = 1h\n"
                                   "what\n"
                                   "[environment staging\n"
                                   "window = 1h\n"
                                   "[environmnt staging]\n"
                                   "window = 1x\n"
                                   "[staging]\n"
                                   "[provisonerd]\n"
                                   "[provisionerd staging]\n"
                                   "[environment]\n"
                                   "[environment \"staging\"]\n"
                                   "[environment two words]\n"
                                   "[]\n"
                                   "[environments]\n"
                                   "[environment ok] window = 1x\n"
                                   "[environment fine] ; a comment\n"
                                   "[ environment\tfine2 ] # a comment\n"
                                   "[DEFAULT]\n");
#define NAME_RULE                                                                                  \
    ": an environment's name has 1 to 64 of the characters A-Z a-z 0-9 . _ -, as in [environment " \
    "staging]\n"
#define MISSING(line, name)                                                                    \
    "provisionerd.ini:" line ": [environment " name "] cluster: missing; write for example "   \
    "\"cluster = staging\"\n"                                                                  \
    "provisionerd.ini:" line ": [environment " name "] services: missing; write for example "  \
    "\"services = api, worker, web = 2\"\n"                                                    \
    "provisionerd.ini:" line ": [environment " name "] log_group: missing; write for example " \
    "\"log_group = /ecs/staging/gateway\"\n"
    expect_errors(
        "provisionerd.ini:1: window: an option before the first section; put it under "
        "[provisionerd] or [environment NAME]\n"
        "provisionerd.ini:2: what: neither a section nor an option with \"=\" and a value\n"
        "provisionerd.ini:3: [environment staging: the \"]\" is missing\n"
        "provisionerd.ini:5: [environmnt staging]: unknown section; did you mean [environment "
        "staging]?\n"
        "provisionerd.ini:7: [staging]: unknown section; there are [provisionerd] and [environment "
        "NAME]\n"
        "provisionerd.ini:8: [provisonerd]: unknown section; did you mean [provisionerd]?\n"
        "provisionerd.ini:9: [provisionerd staging]: unknown section; did you mean "
        "[provisionerd]?\n"
        "provisionerd.ini:10: [environment]" NAME_RULE
        "provisionerd.ini:11: [environment \"staging\"]" NAME_RULE
        "provisionerd.ini:12: [environment two words]" NAME_RULE
        "provisionerd.ini:13: []: unknown section; there are [provisionerd] and [environment "
        "NAME]\n"
        "provisionerd.ini:14: [environments]: unknown section; did you mean [environment NAME]?\n"
        "provisionerd.ini:15: [environment ok]: text behind the \"]\"; an option goes on a line of "
        "its own\n" MISSING("15", "ok") MISSING("16", "fine")
            MISSING("17", "fine2") "provisionerd.ini:18: [DEFAULT]: unknown section; there are "
                                   "[provisionerd] and [environment "
                                   "NAME]\n");
}

static void names_longer_than_inih_keeps_stay_whole(void **state)
{
    (void)state;
    /* 64 characters; inih would keep 37 of them and take these two for one. */
#define LONG_NAME "a23456789-123456789-123456789-123456789-123456789-123456789-123"
    given_file("provisionerd.ini",
               "[environment " LONG_NAME "1]\ncluster=c\nservices=a\nlog_group=g\n"
               "[environment " LONG_NAME "2]\ncluster=c\nservices=b\nlog_group=g\n");
    struct config *config = expect_config();
    assert_string_equal(config_find_environment(config, LONG_NAME "1")->services[0].name, "a");
    assert_string_equal(config_find_environment(config, LONG_NAME "2")->services[0].name, "b");
    config_free(config);
    given_file("provisionerd.ini", "[environment " LONG_NAME "12]\n");
    expect_errors("provisionerd.ini:1: [environment " LONG_NAME "12]" NAME_RULE);
}

/* STAGING, a line of so many bytes, and another. */
static void given_a_long_line(const char *beginning, size_t length, const char *next)
{
    char *text = NULL;
    int padding = (int)(length - strlen(beginning));

    assert_true(asprintf(&text, "%s%s%0*d\n%s\n", STAGING, beginning, padding, 0, next) > 0);
    given_file("provisionerd.ini", text);
    free(text);
}

static void a_line_is_never_split(void **state)
{
    (void)state;
    given_a_long_line("; ", CONFIG_LINE_MAX, "window = 2h");
    struct config *config = expect_config();
    assert_int_equal(config->environments[0].window_ms, 2 * MS_PER_HOUR);
    config_free(config);

    given_a_long_line("pattern = /", CONFIG_LINE_MAX + 1, "window = 2x");
    expect_errors(
        "provisionerd.ini:5: the line is 8193 bytes long, of at most 8192; a list may go on "
        "in indented lines after a comma\n"
        "provisionerd.ini:6: [environment staging] window = 2x: not a duration; write for "
        "example 90s, 15min or 1h30min\n");
}

static void bytes_that_are_no_text_are_named(void **state)
{
    static const char text[] =
        STAGING "exclude = a\0b\n"
                "window = 1h\x7f\n"
                "pattern = \"caf\xe9\"\n"
                "# \xc0\xaf\n"
                "# \xed\xa0\x80\n"
                "# \xf4\x90\x80\x80\n"
                "# \xe2\x82\n"
                "# \xe2\x82x\n"
                "# \xff\n"
                "# fine: \xe2\x82\xac \xf0\x9f\x92\xa4 \xc3\xa9 \xef\xbf\xbd\n"
                "zebra = \x1b[31m\r\r\n"
                "# \xf0\x9f\x92";

    (void)state;
    given_bytes("provisionerd.ini", text, sizeof(text) - 1);
#define NOT_UTF8 " is not UTF-8; save the file as UTF-8\n"
    expect_errors(
        "provisionerd.ini:5: byte 12 of the line is a control character (0x00); remove it\n"
        "provisionerd.ini:6: byte 12 of the line is a control character (0x7f); remove it\n"
        "provisionerd.ini:7: byte 15 of the line (0xe9)" NOT_UTF8
        "provisionerd.ini:8: byte 3 of the line (0xc0)" NOT_UTF8
        "provisionerd.ini:9: byte 3 of the line (0xed)" NOT_UTF8
        "provisionerd.ini:10: byte 3 of the line (0xf4)" NOT_UTF8
        "provisionerd.ini:11: byte 3 of the line (0xe2)" NOT_UTF8
        "provisionerd.ini:12: byte 3 of the line (0xe2)" NOT_UTF8
        "provisionerd.ini:13: byte 3 of the line (0xff)" NOT_UTF8
        "provisionerd.ini:15: byte 9 of the line is a control character (0x1b); remove it\n"
        "provisionerd.ini:16: byte 3 of the line (0xf0)" NOT_UTF8);

    given_bytes("provisionerd.ini", "\xff\xfe[\0", 4);
    expect_errors("provisionerd.ini: this is UTF-16; save it as UTF-8\n");
}

static void files_that_cannot_be_read_are_errors(void **state)
{
    (void)state;
    expect_errors("provisionerd.ini: cannot be read: No such file or directory\n");

    given_file("provisionerd.ini", STAGING);
    given_file("provisionerd.ini.d/a.ini/inside", "");
    expect_errors("provisionerd.ini.d/a.ini: cannot be read: Is a directory\n");

    given_file("provisionerd.ini", STAGING);
    char *path = NULL;
    assert_true(asprintf(&path, "%s.d/a.ini/inside", config_files_path()) > 0);
    assert_int_equal(remove(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(remove(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(remove(path), 0);
    free(path);
    given_file("provisionerd.ini.d", "a file");
    expect_errors("provisionerd.ini.d: cannot be read: Not a directory\n");
}

static void a_file_has_a_largest_size(void **state)
{
    char *text = malloc(CONFIG_FILE_MAX + 1);

    (void)state;
    assert_non_null(text);
    memset(text, '\n', CONFIG_FILE_MAX + 1);
    text[snprintf(text, sizeof(STAGING), STAGING)] = '\n';
    given_bytes("provisionerd.ini", text, CONFIG_FILE_MAX);
    config_free(expect_config());
    given_bytes("provisionerd.ini", text, CONFIG_FILE_MAX + 1);
    expect_errors("provisionerd.ini: cannot be read: File too large\n");
    free(text);
}

static void there_are_only_so_many_environments(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    (void)state;
    assert_non_null(file);
    for (int i = 0; i <= CONFIG_ENVIRONMENTS_MAX; i++)
        fprintf(file, "[environment e%d]\ncluster=c\nservices=s%d\nlog_group=g\n", i, i);
    assert_int_equal(fclose(file), 0);
    given_bytes("provisionerd.ini", text, size);
    expect_errors("provisionerd.ini:40001: 10001 environments, of at most 10000\n");
    free(text);
}

/* -- whatever the bytes -------------------------------------------------------------------------- */

static const char SPECIMEN[] = "\xEF\xBB\xBF# caf\xc3\xa9\r\n"
                               "[provisionerd]\n"
                               "region = eu-west-1 ; here\n"
                               "log_level = debug\n"
                               "[environment a]\n"
                               "cluster = c\n"
                               "services = api, worker,\n"
                               "\tweb = 2\n"
                               "log_group = /ecs/a\n"
                               "pattern = /GET \\/(a|b)/ ; reg/ex\n"
                               "exclude = \"x ; \\\"y\\\"\", /z{2}/\n"
                               "window = 1h30min\n"
                               "adopt = no\n";

/* Either a configuration or errors that people can read: whole lines, each of one of our files, nothing
 * unprintable. */
static void expect_either(const char *bytes, size_t length)
{
    struct config *config = NULL;
    char *errors = NULL;

    given_bytes("provisionerd.ini", bytes, length);
    int r = config_load(config_files_path(), &config, &errors);
    if (r == 0) {
        assert_non_null(config);
        assert_null(errors);
        assert_true(config->n_environments > 0);
        assert_non_null(config->environments[0].pattern);
        config_free(config);
        return;
    }
    assert_int_equal(r, -EINVAL);
    assert_null(config);
    const char *line = errors;
    do {
        if (strncmp(line, config_files_path(), strlen(config_files_path())) != 0)
            fail_msg("no error of our file: %s", line);
        line = strchr(line, '\n');
        assert_non_null(line);
        line++;
    } while (*line);
    assert_int_equal(config_bytes_find_unfit(errors, strcspn(errors, "\n")), strcspn(errors, "\n"));
    free(errors);
}

static void a_file_cut_anywhere_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(SPECIMEN); length++)
        expect_either(SPECIMEN, length);
}

static void a_file_with_a_wrong_byte_is_read_or_refused(void **state)
{
    static const char wrong[] = {'\0', '\n', '\r', '"', '\\', ';', '#', '/',    '[',
                                 ']',  '=',  ',',  ' ', '\t', '%', '9', '\x80', '\xff'};
    char bytes[sizeof(SPECIMEN) - 1];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        for (size_t j = 0; j < sizeof(wrong); j++) {
            memcpy(bytes, SPECIMEN, sizeof(bytes));
            bytes[i] = wrong[j];
            expect_either(bytes, sizeof(bytes));
        }
    }
}

static void a_file_with_a_flipped_bit_is_read_or_refused(void **state)
{
    char bytes[sizeof(SPECIMEN) - 1];

    (void)state;
    for (size_t i = 0; i < 8 * sizeof(bytes); i++) {
        memcpy(bytes, SPECIMEN, sizeof(bytes));
        bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << (i % 8)));
        expect_either(bytes, sizeof(bytes));
    }
}

static void rubbish_is_refused(void **state)
{
    static const char alphabet[] = "[]environment a=,;\"\\/\n\n\r\t #:services\xc3\xa9\xff";
    char bytes[300];
    uint32_t chance = 1;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        for (size_t j = 0; j < sizeof(bytes); j++) {
            chance = chance * 1664525U + 1013904223U;
            bytes[j] = alphabet[(chance >> 16U) % (sizeof(alphabet) - 1)];
        }
        expect_either(bytes, sizeof(bytes));
    }
}

#define STORY(name) \
    cmocka_unit_test_setup_teardown(name, config_files_set_up, config_files_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(windows_line_ends_and_a_byte_order_mark_are_accepted),
        STORY(the_last_line_needs_no_end),
        STORY(indentation_means_nothing_but_after_a_comma),
        STORY(a_quoted_comma_does_not_continue),
        STORY(more_of_a_value_that_was_refused_is_left_out),
        STORY(an_option_is_set_once_in_a_file),
        STORY(a_section_begins_once_in_a_file),
        STORY(headers_are_read_to_the_letter),
        STORY(names_longer_than_inih_keeps_stay_whole),
        STORY(a_line_is_never_split),
        STORY(bytes_that_are_no_text_are_named),
        STORY(files_that_cannot_be_read_are_errors),
        STORY(a_file_has_a_largest_size),
        STORY(there_are_only_so_many_environments),
        STORY(a_file_cut_anywhere_is_read_or_refused),
        STORY(a_file_with_a_wrong_byte_is_read_or_refused),
        STORY(a_file_with_a_flipped_bit_is_read_or_refused),
        STORY(rubbish_is_refused),
    };
    return cmocka_run_group_tests_name("config files", tests, NULL, NULL);
}
