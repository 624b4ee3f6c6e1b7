/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/log.h"

#define MESSAGE_ID "0123456789abcdef0123456789abcdef"

/* --- the journal, as this program finds it: linked in place of libsystemd's ------------------- */

static struct {
    int result;
    int n_records;
    char text[64 * 1024]; /* a field a line, of the last record */
} journal;

int sd_journal_sendv(const struct iovec *iov, int n);
int sd_journal_sendv(const struct iovec *iov, int n)
{
    size_t length = 0;

    journal.n_records++;
    for (int i = 0; i < n; i++)
        length += (size_t)snprintf(journal.text + length, sizeof(journal.text) - length, "%.*s\n",
                                   (int)iov[i].iov_len, (const char *)iov[i].iov_base);
    return journal.result;
}

/* --- standard error, held in a file while a record is written -------------------------------- */

static int real_stderr = -1;
static int captured = -1;

static void capture_begin(void)
{
    char path[] = "/tmp/test_log.XXXXXX";

    fflush(stderr);
    captured = mkstemp(path);
    assert_true(captured >= 0);
    assert_int_equal(unlink(path), 0);
    real_stderr = dup(STDERR_FILENO);
    assert_true(real_stderr >= 0);
    assert_true(dup2(captured, STDERR_FILENO) >= 0);
}

static const char *capture_end(void)
{
    static char text[16 * 1024];
    ssize_t n = pread(captured, text, sizeof(text) - 1, 0);

    assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
    close(real_stderr);
    close(captured);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

static void expect_line(int level, const char *message, const char *line)
{
    const char *shown;

    capture_begin();
    log_message(level, "%s", message);
    shown = capture_end();
    assert_string_equal(shown, line);
}

/* As systemd does it for a unit: standard error is a stream whose numbers are in the environment. */
static void connect_to_journal(void)
{
    struct stat status;
    char text[100];

    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", text, 1), 0);
    log_open();
}

static int set_up(void **state)
{
    (void)state;
    memset(&journal, 0, sizeof(journal));
    unsetenv("JOURNAL_STREAM");
    log_open();
    log_set_max_level(LOG_INFO);
    log_set_sink(NULL, NULL);
    return 0;
}

/* --- standard error -------------------------------------------------------------------------- */

static void test_a_message_is_a_line(void **state)
{
    (void)state;
    expect_line(LOG_INFO, "3 environments: 1 awake", "3 environments: 1 awake\n");
    expect_line(LOG_NOTICE, "staging: asleep", "staging: asleep\n");
    expect_line(LOG_INFO, "", "\n");
}

static void test_what_calls_for_attention_says_so(void **state)
{
    (void)state;
    expect_line(LOG_WARNING, "slow", "warning: slow\n");
    expect_line(LOG_ERR, "broken", "error: broken\n");
    expect_line(LOG_EMERG, "on fire", "error: on fire\n");
    log_set_max_level(LOG_DEBUG);
    expect_line(LOG_DEBUG, "detail", "debug: detail\n");
}

static void test_levels_above_the_limit_are_silent(void **state)
{
    (void)state;
    expect_line(LOG_DEBUG, "detail", "");
    log_set_max_level(LOG_ERR);
    expect_line(LOG_WARNING, "slow", "");
    expect_line(LOG_ERR, "broken", "error: broken\n");
}

static void test_macros_name_the_levels(void **state)
{
    const char *shown;

    (void)state;
    log_set_max_level(LOG_DEBUG);
    capture_begin();
    log_error("%d", 3);
    log_warning("%d", 4);
    log_notice("%d", 5);
    log_info("%d", 6);
    log_debug("%d", 7);
    shown = capture_end();
    assert_string_equal(shown, "error: 3\nwarning: 4\n5\n6\ndebug: 7\n");
}

static void test_fields_do_not_disturb_a_line(void **state)
{
    const struct log_field fields[] = {{"PROVISIONERD_ENVIRONMENT", "staging"}};
    const char *shown;

    (void)state;
    capture_begin();
    log_record(LOG_NOTICE, MESSAGE_ID, fields, ARRAY_LENGTH(fields), "staging: asleep");
    shown = capture_end();
    assert_string_equal(shown, "staging: asleep\n");
}

static void test_nobody_can_forge_a_line(void **state)
{
    (void)state;
    expect_line(LOG_INFO, "seen: GET /\nerror: all is lost", "seen: GET /\\nerror: all is lost\n");
    expect_line(LOG_INFO, "a\rb\tc\x1b[2Jd\x7f", "a\\x0db\\tc\\x1b[2Jd\\x7f\n");
    expect_line(LOG_INFO,
                "C1 \xc2\x9b"
                "31m",
                "C1 \\u009b31m\n");
    expect_line(LOG_INFO, "line \xe2\x80\xa8 separator", "line \\u2028 separator\n");
    expect_line(LOG_INFO, "turned \xe2\x80\xae around", "turned \\u202e around\n");
    expect_line(LOG_INFO, "isolated \xe2\x81\xa6 too", "isolated \\u2066 too\n");
}

static void test_text_of_every_language_is_shown(void **state)
{
    (void)state;
    expect_line(LOG_INFO, "Überwachung 監視 😀 /\\d+/", "Überwachung 監視 😀 /\\d+/\n");
}

static void test_bytes_that_are_not_utf8_are_escaped(void **state)
{
    (void)state;
    expect_line(LOG_INFO, "Latin-1 \xe9t\xe9", "Latin-1 \\xe9t\\xe9\n");
    expect_line(LOG_INFO, "cut off \xf0\x9f\x98", "cut off \\xf0\\x9f\\x98\n");
    expect_line(LOG_INFO, "alone \x80\xbf", "alone \\x80\\xbf\n");
    expect_line(LOG_INFO, "overlong \xc0\xaf \xe0\x80\x8a",
                "overlong \\xc0\\xaf \\xe0\\x80\\x8a\n");
    expect_line(LOG_INFO, "surrogate \xed\xa0\x80", "surrogate \\xed\\xa0\\x80\n");
    expect_line(LOG_INFO, "beyond \xf4\x90\x80\x80", "beyond \\xf4\\x90\\x80\\x80\n");
    expect_line(LOG_INFO, "never \xff\xfe\xf8", "never \\xff\\xfe\\xf8\n");
}

static void test_a_long_message_is_cut_with_a_mark(void **state)
{
    static char message[3 * LOG_MESSAGE_MAX];
    const char *shown;

    (void)state;
    /* Two bytes each: a cut in the middle of one would show. */
    for (size_t i = 0; i + 2 < sizeof(message); i += 2)
        memcpy(message + i, "é", 2);
    capture_begin();
    log_message(LOG_INFO, "%s", message);
    shown = capture_end();
    assert_in_range(strlen(shown), LOG_MESSAGE_MAX - 8, LOG_MESSAGE_MAX);
    assert_string_equal(shown + strlen(shown) - strlen("é…\n"), "é…\n");

    capture_begin();
    log_record(LOG_INFO, NULL, NULL, 0, message);
    assert_string_equal(capture_end() + 2 * ((LOG_MESSAGE_MAX - 4) / 2), "…\n");
}

static void test_a_message_that_just_fits_is_whole(void **state)
{
    char message[LOG_MESSAGE_MAX + 1], line[LOG_MESSAGE_MAX + 2];

    (void)state;
    memset(message, 'x', sizeof(message));
    message[LOG_MESSAGE_MAX - 1] = '\0';
    snprintf(line, sizeof(line), "%s\n", message);
    expect_line(LOG_INFO, message, line);

    message[LOG_MESSAGE_MAX - 1] = 'x';
    message[LOG_MESSAGE_MAX] = '\0';
    memcpy(line + LOG_MESSAGE_MAX - 4, "…\n", sizeof("…\n"));
    expect_line(LOG_INFO, message, line);
}

static void test_errno_survives(void **state)
{
    (void)state;
    errno = ENOSPC;
    capture_begin();
    errno = ENOSPC;
    log_error("cannot write");
    assert_int_equal(errno, ENOSPC);
    assert_string_equal(capture_end(), "error: cannot write\n");
}

static void test_a_closed_standard_error_is_borne(void **state)
{
    int saved = dup(STDERR_FILENO);

    (void)state;
    assert_true(saved >= 0);
    close(STDERR_FILENO);
    log_open();
    log_error("into the void");
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
}

/* --- the journal ----------------------------------------------------------------------------- */

static void test_under_systemd_records_go_to_the_journal(void **state)
{
    const struct log_field fields[] = {
        {"PROVISIONERD_ENVIRONMENT", "staging"},
        {"PROVISIONERD_REASON", NULL},
        {"PROVISIONERD_COUNT_1", "2"},
    };

    (void)state;
    connect_to_journal();
    log_record(LOG_NOTICE, MESSAGE_ID, fields, ARRAY_LENGTH(fields), "staging: asleep\n");
    assert_string_equal(journal.text, "MESSAGE=staging: asleep\\n\nPRIORITY=5\n"
                                      "MESSAGE_ID=" MESSAGE_ID "\n"
                                      "PROVISIONERD_ENVIRONMENT=staging\nPROVISIONERD_COUNT_1=2\n");
    log_warning("slow");
    assert_string_equal(journal.text, "MESSAGE=slow\nPRIORITY=4\n");
    log_debug("detail");
    assert_int_equal(journal.n_records, 2);
}

static void test_fields_of_impossible_names_are_left_out(void **state)
{
    static const char longest[] =
        "A234567890123456789012345678901234567890123456789012345678901234";
    static const char too_long[] =
        "A2345678901234567890123456789012345678901234567890123456789012345";
    const struct log_field fields[] = {
        {"_PID", "1"}, {"", "1"},       {"lower", "1"},       {"A=B", "1"},      {"1A", "1"},
        {"A B", "1"},  {too_long, "1"}, {"A\nPRIORITY", "0"}, {longest, "kept"},
    };
    char expected[200];

    (void)state;
    connect_to_journal();
    log_record(LOG_INFO, NULL, fields, ARRAY_LENGTH(fields), "m");
    snprintf(expected, sizeof(expected), "MESSAGE=m\nPRIORITY=6\n%s=kept\n", longest);
    assert_string_equal(journal.text, expected);
}

static void test_long_field_values_are_cut(void **state)
{
    static char value[2 * LOG_FIELD_VALUE_MAX];
    const struct log_field fields[] = {{"A", value}};

    (void)state;
    memset(value, 'x', sizeof(value) - 1);
    connect_to_journal();
    log_record(LOG_INFO, NULL, fields, 1, "m");
    assert_int_equal(strlen(journal.text),
                     strlen("MESSAGE=m\nPRIORITY=6\nA=\n") + LOG_FIELD_VALUE_MAX);
}

static void test_standard_error_stands_in_for_a_broken_journal(void **state)
{
    (void)state;
    capture_begin();
    connect_to_journal();
    journal.result = -ENOBUFS;
    log_warning("slow");
    assert_string_equal(capture_end(), "warning: slow\n");
    assert_int_equal(journal.n_records, 1);
}

static void test_an_inherited_stream_is_not_ours(void **state)
{
    static const char *const streams[] = {"1:1", "", "banana", "8:", ":1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(streams); i++) {
        assert_int_equal(setenv("JOURNAL_STREAM", streams[i], 1), 0);
        log_open();
        expect_line(LOG_INFO, "here", "here\n");
    }
    assert_int_equal(journal.n_records, 0);
}

/* --- the sink of tests ----------------------------------------------------------------------- */

struct seen {
    int n;
    int level;
    char message[100];
    char message_id[40];
    char field[40];
};

static void see(void *userdata, int level, const char *message_id, const struct log_field *fields,
                size_t n_fields, const char *message)
{
    struct seen *seen = userdata;

    seen->n++;
    seen->level = level;
    snprintf(seen->message, sizeof(seen->message), "%s", message);
    snprintf(seen->message_id, sizeof(seen->message_id), "%s", message_id ? message_id : "");
    if (n_fields > 0)
        snprintf(seen->field, sizeof(seen->field), "%s=%s", fields[0].name, fields[0].value);
}

static void test_a_sink_sees_everything_instead(void **state)
{
    const struct log_field fields[] = {{"PROVISIONERD_ENVIRONMENT", "staging"}};
    struct seen seen = {0};
    const char *shown;

    (void)state;
    log_set_sink(see, &seen);
    capture_begin();
    log_record(LOG_NOTICE, MESSAGE_ID, fields, 1, "asleep\n");
    shown = capture_end();
    assert_string_equal(shown, "");
    assert_int_equal(seen.level, LOG_NOTICE);
    assert_string_equal(seen.message, "asleep\\n");
    assert_string_equal(seen.message_id, MESSAGE_ID);
    assert_string_equal(seen.field, "PROVISIONERD_ENVIRONMENT=staging");

    log_debug("%s", "detail");
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.message, "detail");
    assert_string_equal(seen.message_id, "");

    log_set_sink(NULL, NULL);
    expect_line(LOG_INFO, "back", "back\n");
    assert_int_equal(seen.n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_message_is_a_line, set_up),
        cmocka_unit_test_setup(test_what_calls_for_attention_says_so, set_up),
        cmocka_unit_test_setup(test_levels_above_the_limit_are_silent, set_up),
        cmocka_unit_test_setup(test_macros_name_the_levels, set_up),
        cmocka_unit_test_setup(test_fields_do_not_disturb_a_line, set_up),
        cmocka_unit_test_setup(test_nobody_can_forge_a_line, set_up),
        cmocka_unit_test_setup(test_text_of_every_language_is_shown, set_up),
        cmocka_unit_test_setup(test_bytes_that_are_not_utf8_are_escaped, set_up),
        cmocka_unit_test_setup(test_a_long_message_is_cut_with_a_mark, set_up),
        cmocka_unit_test_setup(test_a_message_that_just_fits_is_whole, set_up),
        cmocka_unit_test_setup(test_errno_survives, set_up),
        cmocka_unit_test_setup(test_a_closed_standard_error_is_borne, set_up),
        cmocka_unit_test_setup(test_under_systemd_records_go_to_the_journal, set_up),
        cmocka_unit_test_setup(test_fields_of_impossible_names_are_left_out, set_up),
        cmocka_unit_test_setup(test_long_field_values_are_cut, set_up),
        cmocka_unit_test_setup(test_standard_error_stands_in_for_a_broken_journal, set_up),
        cmocka_unit_test_setup(test_an_inherited_stream_is_not_ours, set_up),
        cmocka_unit_test_setup(test_a_sink_sees_everything_instead, set_up),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
