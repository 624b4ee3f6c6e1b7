/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/clock.h"

#define NOON_MS INT64_C(1772452800000) /* 2026-03-02T12:00:00Z, says date(1) */

static void expect_iso(const char *text, int64_t ms)
{
    struct wall t = WALL_NEVER;

    if (wall_parse_iso(text, &t) != 0)
        fail_msg("refused: %s", text);
    assert_int_equal(t.ms, ms);
}

static void expect_formatted(int64_t ms, const char *text)
{
    char buffer[WALL_TEXT_MAX];

    assert_string_equal(wall_format_iso((struct wall){.ms = ms}, buffer), text);
}

static void test_reads_moments_as_aws_writes_them(void **state)
{
    (void)state;
    expect_iso("1970-01-01T00:00:00Z", 0);
    expect_iso("2026-03-02T12:00:00Z", NOON_MS);
    expect_iso("2026-03-02T12:00:00+00:00", NOON_MS);
    expect_iso("2026-03-02T12:00:00.5Z", NOON_MS + 500);
    expect_iso("2026-03-02T12:00:00.007Z", NOON_MS + 7);
    expect_iso("2026-03-02T12:00:00.123999999Z", NOON_MS + 123);
    expect_iso("2024-02-29T23:59:59Z", INT64_C(1709251199000));
    expect_iso("2000-02-29T00:00:00Z", INT64_C(951782400000));
    expect_iso("2016-12-31T23:59:60Z", INT64_C(1483228800000)); /* a leap second */
    expect_iso("9999-12-31T23:59:59Z", INT64_C(253402300799000));
}

static void test_refuses_what_is_no_moment(void **state)
{
    static const char *const texts[] = {
        "",
        "never",
        "2026-03-02",
        "2026-03-02T12:00:00",
        "2026-03-02 12:00:00Z",
        "2026-03-02T12:00:00+01:00",
        "2026-03-02T12:00:00Z ",
        " 2026-03-02T12:00:00Z",
        "2026-03-02T12:00:00ZZ",
        "2026-03-02T12:00:00.Z",
        "2026-03-02T12:00:00.5",
        "2026-03-02T12:00Z",
        "2026-3-02T12:00:00Z",
        "2026-13-02T12:00:00Z",
        "2026-00-02T12:00:00Z",
        "2026-03-00T12:00:00Z",
        "2026-04-31T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2100-02-29T12:00:00Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T12:60:00Z",
        "2026-03-02T12:00:61Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "-026-03-02T12:00:00Z",
        "+026-03-02T12:00:00Z",
        "2026-03-02T12:00:0\x01Z",
        "9999-12-31T23:59:60Z", /* the year 10000, which is not written with four digits */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct wall t = {.ms = 42};

        if (wall_parse_iso(texts[i], &t) != -EINVAL)
            fail_msg("not refused: %s", texts[i]);
        assert_int_equal(t.ms, 42); /* written only on success */
    }
}

static void test_writes_moments_in_utc(void **state)
{
    (void)state;
    expect_formatted(0, "1970-01-01T00:00:00Z");
    expect_formatted(NOON_MS, "2026-03-02T12:00:00Z");
    expect_formatted(NOON_MS + 999, "2026-03-02T12:00:00Z");
    expect_formatted(-1, "1969-12-31T23:59:59Z");
    expect_formatted(-1000, "1969-12-31T23:59:59Z");
    expect_formatted(WALL_NEVER.ms, "never");
    expect_formatted(INT64_MIN, "never");
    expect_formatted(INT64_MAX, "292278994-08-17T07:12:55Z"); /* fits, if nobody needs it */
}

/* The calendar of the C library is a witness that knows nothing of ours. */
static void test_agrees_with_the_c_library_on_every_day(void **state)
{
    (void)state;
    for (time_t day = 0; day < 60000; day++) {
        time_t seconds = day * 86400 + (day * 7919) % 86400;
        char text[WALL_TEXT_MAX];
        struct wall t;
        struct tm tm;

        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
        assert_int_equal(wall_parse_iso(text, &t), 0);
        assert_int_equal(t.ms, seconds * 1000);
    }
}

static void test_writes_the_time_of_day_where_the_host_is(void **state)
{
    char buffer[WALL_TEXT_MAX];

    (void)state;
    assert_int_equal(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
    tzset();
    assert_string_equal(wall_format_local((struct wall){.ms = NOON_MS}, false, buffer), "13:00");
    assert_string_equal(wall_format_local((struct wall){.ms = NOON_MS + 5999}, true, buffer),
                        "13:00:05");
    assert_string_equal(
        wall_format_local((struct wall){.ms = NOON_MS + 120 * MS_PER_DAY}, false, buffer), "14:00");
    assert_string_equal(wall_format_local(WALL_NEVER, true, buffer), "never");
    /* and leaves the moment itself alone */
    expect_formatted(NOON_MS, "2026-03-02T12:00:00Z");
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static void test_reads_the_date_header(void **state)
{
    struct wall t;

    (void)state;
    assert_int_equal(wall_parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", &t), 0);
    assert_int_equal(t.ms, INT64_C(784111777000));
    assert_int_equal(wall_parse_http_date("Mon, 02 Mar 2026 12:00:00 GMT", &t), 0);
    assert_int_equal(t.ms, NOON_MS);
}

static void test_refuses_other_dates_in_the_header(void **state)
{
    static const char *const texts[] = {
        "",
        "Sunday, 06-Nov-94 08:49:37 GMT", /* RFC 850 */
        "Sun Nov  6 08:49:37 1994",       /* asctime */
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Thu, 01 Jan 0001 00:00:00 GMT",
        "2026-03-02T12:00:00Z",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct wall t = {.ms = 42};

        if (wall_parse_http_date(texts[i], &t) != -EINVAL)
            fail_msg("not refused: %s", texts[i]);
        assert_int_equal(t.ms, 42);
    }
}

static void expect_duration(const char *text, int64_t ms)
{
    int64_t parsed_ms = -1;

    if (duration_parse(text, &parsed_ms) != 0)
        fail_msg("refused: \"%s\"", text);
    assert_int_equal(parsed_ms, ms);
}

static void test_reads_durations_written_for_people(void **state)
{
    (void)state;
    expect_duration("15s", 15 * MS_PER_SECOND);
    expect_duration("250ms", 250);
    expect_duration("10min", 10 * MS_PER_MINUTE);
    expect_duration("10m", 10 * MS_PER_MINUTE);
    expect_duration("1h", MS_PER_HOUR);
    expect_duration("2d", 2 * MS_PER_DAY);
    expect_duration("1h30min", 90 * MS_PER_MINUTE);
    expect_duration("1h 30min", 90 * MS_PER_MINUTE);
    expect_duration(" 1 h\t30 min ", 90 * MS_PER_MINUTE);
    expect_duration("1m1ms1s", MS_PER_MINUTE + 1 + MS_PER_SECOND);
    expect_duration("0s", 0);
    expect_duration("007s", 7 * MS_PER_SECOND);
    expect_duration("3653d", DURATION_MAX_MS);
}

static void expect_refused(const char *text, int error)
{
    int64_t parsed_ms = 42;

    if (duration_parse(text, &parsed_ms) != error)
        fail_msg("not refused with %d: \"%s\"", error, text);
    assert_int_equal(parsed_ms, 42);
}

static void test_refuses_to_guess_at_durations(void **state)
{
    (void)state;
    expect_refused("", -EINVAL);
    expect_refused("   ", -EINVAL);
    expect_refused("10", -EINVAL);
    expect_refused("0", -EINVAL);
    expect_refused("1h30", -EINVAL);
    expect_refused("30 1h", -EINVAL);
    expect_refused("h", -EINVAL);
    expect_refused("-1h", -EINVAL);
    expect_refused("+1h", -EINVAL);
    expect_refused("1.5h", -EINVAL);
    expect_refused("1,5h", -EINVAL);
    expect_refused("1H", -EINVAL);
    expect_refused("1hour", -EINVAL);
    expect_refused("1w", -EINVAL);
    expect_refused("1h,30min", -EINVAL);
    expect_refused("1h\n", -EINVAL);
    expect_refused("\xd9\xa1h", -EINVAL); /* an Arabic one */
    expect_refused("infinity", -EINVAL);
}

static void test_refuses_durations_beyond_ten_years(void **state)
{
    (void)state;
    expect_refused("3653d1ms", -ERANGE);
    expect_refused("3654d", -ERANGE);
    expect_refused("99999999999999999999999999999999d", -ERANGE);
    expect_refused("9223372036854775807ms", -ERANGE);
    expect_refused("9223372036854775808ms", -ERANGE);
    expect_refused("18446744073709551617s", -ERANGE);
    expect_refused("2000d 2000d", -ERANGE);
    /* What is no duration at all is told first. */
    expect_refused("4000d and a bit", -EINVAL);
    expect_refused("99999999999999999999999999", -EINVAL);
}

static void expect_duration_text(int64_t ms, const char *text)
{
    char buffer[DURATION_TEXT_MAX];

    assert_string_equal(duration_format(ms, buffer), text);
}

static void test_writes_durations_for_people(void **state)
{
    (void)state;
    expect_duration_text(0, "0s");
    expect_duration_text(250, "250ms");
    expect_duration_text(15 * MS_PER_SECOND, "15s");
    expect_duration_text(10 * MS_PER_MINUTE, "10min");
    expect_duration_text(90 * MS_PER_MINUTE, "1h30min");
    expect_duration_text(2 * MS_PER_DAY, "2d");
    expect_duration_text(MS_PER_DAY + 1, "1d1ms");
    expect_duration_text(-90 * MS_PER_MINUTE, "-1h30min");
    expect_duration_text(INT64_MAX, "106751991167d7h12min55s807ms");
    expect_duration_text(INT64_MIN, "-106751991167d7h12min55s808ms");
}

static void test_reads_what_it_writes(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < DURATION_MAX_MS; ms = ms * 3 / 2 + 1) {
        char buffer[DURATION_TEXT_MAX];

        expect_duration(duration_format(ms, buffer), ms);
    }
}

static void test_never_comes_before_everything(void **state)
{
    (void)state;
    assert_false(wall_is_set(WALL_NEVER));
    assert_true(wall_is_set((struct wall){.ms = 0}));
    assert_int_equal(wall_max(WALL_NEVER, (struct wall){.ms = 5}).ms, 5);
    assert_int_equal(wall_max((struct wall){.ms = 5}, WALL_NEVER).ms, 5);
    assert_true(wall_since((struct wall){.ms = NOON_MS}, WALL_NEVER) > DURATION_MAX_MS);

    assert_false(mono_is_set(MONO_NEVER));
    assert_true(mono_is_set((struct mono){.ms = 0}));
    assert_int_equal(mono_min(MONO_FOREVER, (struct mono){.ms = 5}).ms, 5);
    assert_int_equal(mono_min((struct mono){.ms = 5}, MONO_FOREVER).ms, 5);
    assert_true(mono_since(MONO_FOREVER, MONO_NEVER) > 0); /* without overflow */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_moments_as_aws_writes_them),
        cmocka_unit_test(test_refuses_what_is_no_moment),
        cmocka_unit_test(test_writes_moments_in_utc),
        cmocka_unit_test(test_agrees_with_the_c_library_on_every_day),
        cmocka_unit_test(test_writes_the_time_of_day_where_the_host_is),
        cmocka_unit_test(test_reads_the_date_header),
        cmocka_unit_test(test_refuses_other_dates_in_the_header),
        cmocka_unit_test(test_reads_durations_written_for_people),
        cmocka_unit_test(test_refuses_to_guess_at_durations),
        cmocka_unit_test(test_refuses_durations_beyond_ten_years),
        cmocka_unit_test(test_writes_durations_for_people),
        cmocka_unit_test(test_reads_what_it_writes),
        cmocka_unit_test(test_never_comes_before_everything),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
