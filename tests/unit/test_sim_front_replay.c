/* SPDX-License-Identifier: MIT */

/* Access logs as servers write them, and their replay at another pace. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/access_log.h"
#include "sim/replay.h"
#include "src/cleanup.h"

/* 10 October 2000, 20:55:36 UTC: the moment of Apache's own example. */
#define EXAMPLE_MS INT64_C(971211336000)

#define EXAMPLE_TIME "[10/Oct/2000:13:55:36 -0700]"

static void expect_time(const char *line, enum access_log_format format, int64_t ms)
{
    struct wall time = {.ms = -1};
    assert_int_equal(access_log_parse(line, format, &time), 0);
    assert_int_equal(time.ms, ms);
}

static void expect_refused(const char *line, enum access_log_format format)
{
    struct wall time = {.ms = 42};
    assert_int_equal(access_log_parse(line, format, &time), -EINVAL);
    assert_int_equal(time.ms, 42);
}

static void common_lines_are_read(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "127.0.0.1 - frank " EXAMPLE_TIME " \"GET /apache_pb.gif HTTP/1.0\" 200 2326",
        "2001:db8::7 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\" 304 -",
        "::ffff:10.0.0.1 - - " EXAMPLE_TIME " \"-\" 408 -",
        "host.example.com - Ann Lee " EXAMPLE_TIME " \"GET /a?q=[1] HTTP/1.1\" 200 0",
        "vhost.example.com:443 10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\" 200 1",
        "10.0.0.1 - - " EXAMPLE_TIME " \"\" 400 0",
        "10.0.0.1 - - " EXAMPLE_TIME " \"\\x16\\x03\\x01\" 400 150",
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET /\\\"quoted\\\" HTTP/1.1\" 200 5",
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\" - -",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        expect_time(lines[i], ACCESS_LOG_COMMON, EXAMPLE_MS);
}

static void combined_lines_have_referer_and_agent(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\" 200 5 \"-\" \"curl/8.0\"",
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\" 200 5 \"-\" \"\\\"Mozilla/5.0\"",
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\" 200 5 \"a\" \"b\" \"10.1.1.1\" 0.003",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        expect_time(lines[i], ACCESS_LOG_COMBINED, EXAMPLE_MS);
        expect_time(lines[i], ACCESS_LOG_COMMON, EXAMPLE_MS);
    }
    expect_refused("10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\" 200 5", ACCESS_LOG_COMBINED);
}

static void what_is_no_line_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        " ",
        "[",
        " [",
        "hello world",
        "10.0.0.1 " EXAMPLE_TIME " \"GET / HTTP/1.1",
        "10.0.0.1 - - " EXAMPLE_TIME,
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\"",
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\" 200",
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\" 20 5",
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\" 200 5x",
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\\",
        "10.0.0.1 - - " EXAMPLE_TIME " \"GET / HTTP/1.1\\\" 200 5",
        "10.0.0.1 - - [31/Feb/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 5",
        "10.0.0.1 - - [10/Okt/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 5",
        "10.0.0.1 - - [10/Oct/2000:24:55:36 -0700] \"GET / HTTP/1.1\" 200 5",
        "10.0.0.1 - - [10/Oct/2000:13:55:36] \"GET / HTTP/1.1\" 200 5",
        "10.0.0.1 - - [10/Oct/2000:13:55:36 +9900] \"GET / HTTP/1.1\" 200 5",
        "10.0.0.1 - - [10/Oct/1960:13:55:36 -0700] \"GET / HTTP/1.1\" 200 5",
        "{\"time\": \"10/Oct/2000\"}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        expect_refused(lines[i], ACCESS_LOG_COMMON);
}

static void expect_moment(const char *text, int64_t ms)
{
    struct wall time;
    const char *p = text;
    assert_int_equal(access_log_parse_time(&p, &time), 0);
    assert_string_equal(p, "");
    assert_int_equal(time.ms, ms);
}

static void times_know_the_calendar(void **state)
{
    (void)state;
    expect_moment("01/Jan/1970:00:00:00 +0000", 0);
    expect_moment("29/Feb/2000:00:00:00 +0000", INT64_C(951782400000));
    expect_moment("01/Mar/2024:00:00:00 +0000", INT64_C(1709251200000));
    expect_moment("31/Dec/2026:23:59:59 +0000", INT64_C(1798761599000));
    expect_moment("01/Jan/2027:05:29:59 +0530", INT64_C(1798761599000));
    expect_moment("01/Mar/2100:00:00:00 +0000", INT64_C(4107542400000)); /* 2100 is no leap year */
}

/* Replay */

#define RECORDS_MAX 64

struct heard {
    char messages[RECORDS_MAX][256];
    size_t n;
};

static void hear(void *userdata, const char *message)
{
    struct heard *heard = userdata;
    assert_true(heard->n < RECORDS_MAX);
    snprintf(heard->messages[heard->n++], sizeof(heard->messages[0]), "%s", message);
}

struct fixture {
    char path[64];
    struct replay *replay;
    struct heard heard;
    struct mono now;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture)
        return -1;
    fixture->now.ms = 5000;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    replay_free(fixture->replay);
    if (fixture->path[0])
        unlink(fixture->path);
    free(fixture);
    return 0;
}

static void given_file(struct fixture *fixture, const char *text, size_t size)
{
    strcpy(fixture->path, "/tmp/test-replay-XXXXXX");
    int fd = mkstemp(fixture->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

static int open_replay(struct fixture *fixture, enum replay_format format, double speed)
{
    return replay_new(fixture->path, format, speed, &fixture->replay);
}

static int64_t advance(struct fixture *fixture, int64_t by_ms)
{
    fixture->now = mono_add(fixture->now, by_ms);
    return replay_advance(fixture->replay, fixture->now, hear, &fixture->heard);
}

#define LINE(time, path) "10.0.0.1 - - [10/Oct/2000:" time " +0000] \"GET " path " HTTP/1.1\" 200 5"

static void gaps_are_kept_at_the_speed_asked_for(void **state)
{
    struct fixture *fixture = *state;
    static const char log[] =
        LINE("13:00:00", "/a") "\n" LINE("13:00:10", "/b") "\n" LINE("13:01:00", "/c") "\n";
    given_file(fixture, log, strlen(log));
    assert_int_equal(open_replay(fixture, REPLAY_AUTO, 10), 0);

    assert_int_equal(advance(fixture, 0), 1000);
    assert_int_equal(fixture->heard.n, 1);
    assert_string_equal(fixture->heard.messages[0], LINE("13:00:00", "/a"));
    assert_int_equal(advance(fixture, 999), 1);
    assert_int_equal(fixture->heard.n, 1);
    assert_int_equal(advance(fixture, 1), 5000);
    assert_int_equal(fixture->heard.n, 2);
    assert_int_equal(advance(fixture, 60000), -1);
    assert_int_equal(fixture->heard.n, 3);
    assert_string_equal(fixture->heard.messages[2], LINE("13:01:00", "/c"));
    assert_int_equal(advance(fixture, 60000), -1);
    assert_int_equal(replay_counts(fixture->replay).records, 3);
    assert_int_equal(replay_counts(fixture->replay).malformed, 0);
    assert_int_equal(replay_error(fixture->replay), 0);
}

static void malformed_lines_are_counted_and_skipped(void **state)
{
    struct fixture *fixture = *state;
    static const char log[] = "# a comment\n\n" LINE("13:00:00", "/a") "\r\nrubbish\n" LINE(
        "13:00:00", "/with\0nul") "\n" LINE("13:00:00", "/last");
    given_file(fixture, log, sizeof(log) - 1);
    assert_int_equal(open_replay(fixture, REPLAY_AUTO, 1), 0);

    assert_int_equal(advance(fixture, 0), -1);
    assert_int_equal(fixture->heard.n, 2);
    assert_string_equal(fixture->heard.messages[0], LINE("13:00:00", "/a"));
    assert_string_equal(fixture->heard.messages[1], LINE("13:00:00", "/last"));
    assert_int_equal(replay_counts(fixture->replay).malformed, 3);
}

static void a_line_without_end_does_not_grow_memory(void **state)
{
    struct fixture *fixture = *state;
    size_t size = 3 * REPLAY_RECORD_MAX;
    _cleanup_free_ char *log = malloc(size + 256);
    assert_non_null(log);
    memset(log, 'x', size);
    size += (size_t)sprintf(log + size, "\n%s\n", LINE("13:00:00", "/a"));
    given_file(fixture, log, size);
    assert_int_equal(open_replay(fixture, REPLAY_COMMON, 1), 0);

    assert_int_equal(advance(fixture, 0), -1);
    assert_int_equal(fixture->heard.n, 1);
    assert_int_equal(replay_counts(fixture->replay).malformed, 1);
}

static void lines_out_of_order_come_with_their_predecessor(void **state)
{
    struct fixture *fixture = *state;
    static const char log[] = LINE("13:00:00", "/a") "\n" LINE("13:00:05", "/b") "\n" LINE(
        "13:00:02", "/slow") "\n" LINE("12:00:00", "/slower") "\n";
    given_file(fixture, log, strlen(log));
    assert_int_equal(open_replay(fixture, REPLAY_AUTO, 1), 0);

    assert_int_equal(advance(fixture, 0), 5000);
    assert_int_equal(advance(fixture, 5000), -1);
    assert_int_equal(fixture->heard.n, 4);
    assert_string_equal(fixture->heard.messages[3], LINE("12:00:00", "/slower"));
}

static void the_format_of_the_first_record_holds_for_all(void **state)
{
    struct fixture *fixture = *state;
    static const char log[] =
        LINE("13:00:00", "/a") " \"-\" \"curl\"\n" LINE("13:00:00", "/common") "\n";
    given_file(fixture, log, strlen(log));
    assert_int_equal(open_replay(fixture, REPLAY_AUTO, 1), 0);
    assert_int_equal(advance(fixture, 0), -1);
    assert_int_equal(fixture->heard.n, 1);
    assert_int_equal(replay_counts(fixture->replay).malformed, 1);
}

static void what_the_aws_cli_printed_is_replayed(void **state)
{
    struct fixture *fixture = *state;
    static const char log[] =
        "{\n  \"searchedLogStreams\": [ {\"logStreamName\": \"events\"} ],\n"
        "  \"nextToken\": \"events\", \"other\": {\"events\": [{\"timestamp\": 1}]},\n"
        "  \"events\": [\n"
        "    {\"logStreamName\": \"s\", \"timestamp\": 1000, \"message\": \"one } ] \\\" {\","
        " \"ingestionTime\": 1500, \"eventId\": \"3\"},\n"
        "    {\"timestamp\": \"late\", \"message\": \"wrong type\"},\n"
        "    {\"message\": \"no time\"}, {\"timestamp\": 5},\n"
        "    {\"timestamp\": 3000, \"message\": \"two\\nlines\", \"more\": {\"a\": [1]}}\n"
        "  ]\n}\n"
        "{\"events\": [{\"timestamp\": 4000, \"message\": \"next page\"}]}\n";
    given_file(fixture, log, strlen(log));
    assert_int_equal(open_replay(fixture, REPLAY_AUTO, 1), 0);

    assert_int_equal(advance(fixture, 0), 2000);
    assert_string_equal(fixture->heard.messages[0], "one } ] \" {");
    assert_int_equal(advance(fixture, 3000), -1);
    assert_int_equal(fixture->heard.n, 3);
    assert_string_equal(fixture->heard.messages[1], "two\nlines");
    assert_string_equal(fixture->heard.messages[2], "next page");
    assert_int_equal(replay_counts(fixture->replay).malformed, 3);
}

static void an_array_of_events_alone_will_do(void **state)
{
    struct fixture *fixture = *state;
    static const char log[] = "[{\"timestamp\": 1000, \"message\": \"one\"}]";
    given_file(fixture, log, strlen(log));
    assert_int_equal(open_replay(fixture, REPLAY_AUTO, 1), 0);
    assert_int_equal(advance(fixture, 0), -1);
    assert_int_equal(fixture->heard.n, 1);
}

static void json_that_breaks_off_ends_the_replay(void **state)
{
    struct fixture *fixture = *state;
    static const char log[] =
        "]]}} {\"events\": [{\"timestamp\": 1000, \"message\": \"one\"}, {\"ti";
    given_file(fixture, log, strlen(log));
    assert_int_equal(open_replay(fixture, REPLAY_FILTER_LOG_EVENTS_JSON, 1), 0);
    assert_int_equal(advance(fixture, 0), -1);
    assert_int_equal(fixture->heard.n, 1);
}

static void files_without_records_are_refused(void **state)
{
    struct fixture *fixture = *state;
    given_file(fixture, "hello\n", 6);
    assert_int_equal(open_replay(fixture, REPLAY_AUTO, 1), -EBADMSG);
    assert_int_equal(open_replay(fixture, REPLAY_FILTER_LOG_EVENTS_JSON, 1), -EBADMSG);
    assert_int_equal(replay_new("/nonexistent", REPLAY_AUTO, 1, &fixture->replay), -ENOENT);
    assert_int_equal(replay_new("/tmp", REPLAY_AUTO, 1, &fixture->replay), -EIO);
    assert_int_equal(open_replay(fixture, REPLAY_AUTO, 0), -ERANGE);
    assert_int_equal(open_replay(fixture, REPLAY_AUTO, -1), -ERANGE);
    assert_null(fixture->replay);
}

static void formats_have_names(void **state)
{
    (void)state;
    enum replay_format format;
    assert_int_equal(replay_format_parse("combined", &format), 0);
    assert_int_equal(format, REPLAY_COMBINED);
    assert_int_equal(replay_format_parse("filter-log-events-json", &format), 0);
    assert_int_equal(format, REPLAY_FILTER_LOG_EVENTS_JSON);
    assert_int_equal(replay_format_parse("xml", &format), -EINVAL);
}

static void ignore(void *userdata, const char *message)
{
    (void)userdata;
    (void)message;
}

static void a_burst_is_given_out_in_parts(void **state)
{
    struct fixture *fixture = *state;
    static const char line[] = LINE("13:00:00", "/a") "\n";
    size_t n = REPLAY_BURST_MAX + 1;
    _cleanup_free_ char *log = malloc(n * sizeof(line));
    assert_non_null(log);
    for (size_t i = 0; i < n; i++)
        memcpy(log + i * (sizeof(line) - 1), line, sizeof(line));
    given_file(fixture, log, n * (sizeof(line) - 1));
    assert_int_equal(open_replay(fixture, REPLAY_AUTO, 1), 0);

    assert_int_equal(replay_advance(fixture->replay, fixture->now, ignore, NULL), 0);
    assert_int_equal(replay_counts(fixture->replay).records, REPLAY_BURST_MAX);
    assert_int_equal(replay_advance(fixture->replay, fixture->now, ignore, NULL), -1);
    assert_int_equal(replay_counts(fixture->replay).records, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_lines_are_read),
        cmocka_unit_test(combined_lines_have_referer_and_agent),
        cmocka_unit_test(what_is_no_line_is_refused),
        cmocka_unit_test(times_know_the_calendar),
        cmocka_unit_test_setup_teardown(gaps_are_kept_at_the_speed_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_lines_are_counted_and_skipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_without_end_does_not_grow_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_out_of_order_come_with_their_predecessor, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_format_of_the_first_record_holds_for_all, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_aws_cli_printed_is_replayed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_array_of_events_alone_will_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_that_breaks_off_ends_the_replay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_without_records_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_burst_is_given_out_in_parts, set_up, tear_down),
        cmocka_unit_test(formats_have_names),
    };
    return cmocka_run_group_tests_name("sim: replay of access logs", tests, NULL, NULL);
}
