/* SPDX-License-Identifier: MIT */
/* What output looks like: colour, width, wrapping, tables, moments. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ctl/moment.h"
#include "ctl/table.h"
#include "ctl/terminal.h"
#include "src/cleanup.h"

/* --- a terminal that keeps what is written ------------------------------------------------------- */

static char *written;
static size_t written_size;

static struct terminal terminal_begins(size_t width, bool has_colour)
{
    written = NULL;
    struct terminal terminal = {.out = open_memstream(&written, &written_size),
                                .is_terminal = true,
                                .has_colour = has_colour,
                                .width = width};
    assert_non_null(terminal.out);
    return terminal;
}

static void expect_written(struct terminal *terminal, const char *expected)
{
    fclose(terminal->out);
    assert_string_equal(written, expected);
    free(written);
}

static void colour_is_for_terminals_that_want_it(void **state)
{
    (void)state;
    struct terminal plain = terminal_begins(0, false);
    terminal_write(&plain, COLOUR_RED, "stop", 0);
    expect_written(&plain, "stop");
    struct terminal colourful = terminal_begins(0, true);
    terminal_write(&colourful, COLOUR_RED, "stop", 0);
    terminal_write(&colourful, COLOUR_NONE, " go", 0);
    expect_written(&colourful, "\033[31mstop\033[0m go");
}

static void a_file_is_no_terminal(void **state)
{
    (void)state;
    _cleanup_fclose_ FILE *file = tmpfile();

    unsetenv("COLUMNS");
    setenv("TERM", "xterm", 1);
    struct terminal terminal = terminal_of(file);
    assert_false(terminal.is_terminal);
    assert_false(terminal.has_colour);
    assert_int_equal(terminal.width, 0);
    setenv("COLUMNS", "72", 1);
    assert_int_equal(terminal_of(file).width, 72);
    setenv("COLUMNS", "wide", 1);
    assert_int_equal(terminal_of(file).width, 0);
    setenv("COLUMNS", "-1", 1);
    assert_int_equal(terminal_of(file).width, 0);
    unsetenv("COLUMNS");
}

static void what_comes_from_outside_commands_nothing(void **state)
{
    (void)state;
    struct terminal terminal = terminal_begins(0, true);
    terminal_write(&terminal, COLOUR_NONE,
                   "a\033[2Jb\nc\xff\xc2\x9b"
                   "d\xe2\x80\xae",
                   0);
    expect_written(&terminal, "a\\x1b[2Jb\\nc\\xff\\u009bd\\u202e");
}

static void widths_are_of_columns_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(text_width("abc"), 3);
    assert_int_equal(text_width("caf\xc3\xa9"), 4);
    assert_int_equal(text_width("cafe\xcc\x81"), 4);             /* a combining accent */
    assert_int_equal(text_width("\xe6\xb8\xac\xe8\xa9\xa6"), 4); /* two wide characters */

    struct terminal terminal = terminal_begins(0, false);
    assert_int_equal(terminal_write(&terminal, COLOUR_NONE, "\xe6\xb8\xac\xe8\xa9\xa6x", 4), 3);
    terminal_write(&terminal, COLOUR_NONE, "abcd", 4);
    terminal_write(&terminal, COLOUR_NONE, "abcde", 4);
    expect_written(&terminal, "\xe6\xb8\xac…abcdabc…");
}

static void long_text_is_wrapped_at_blanks(void **state)
{
    (void)state;
    struct terminal terminal = terminal_begins(30, false);
    fputs("12:00 ", terminal.out);
    terminal_write_wrapped(&terminal, COLOUR_NONE, "putting to sleep api 2, worker 3, web 1", 6);
    expect_written(&terminal, "12:00 putting to sleep api 2,\n"
                              "      worker 3, web 1\n");

    terminal = terminal_begins(24, false);
    terminal_write_wrapped(&terminal, COLOUR_NONE, "see https://example.org/a/long/path now", 4);
    expect_written(&terminal, "see\n"
                              "    https://example.org/\n"
                              "    a/long/path now\n");

    terminal = terminal_begins(0, false);
    terminal_write_wrapped(&terminal, COLOUR_NONE, "as long as it is, nobody limits it", 4);
    expect_written(&terminal, "as long as it is, nobody limits it\n");

    terminal = terminal_begins(10, false);
    terminal_write_wrapped(&terminal, COLOUR_NONE, "too narrow for anything to be wrapped", 4);
    expect_written(&terminal, "too narrow for anything to be wrapped\n");
}

/* --- tables -------------------------------------------------------------------------------------- */

static const struct table_column COLUMNS[] = {
    {.title = "NAME"}, {.title = "COUNT", .is_number = true}, {.title = "WHY", .may_be_cut = true}};

static void table_is(size_t width, const char *expected)
{
    struct table *table;

    assert_int_equal(table_new(COLUMNS, ARRAY_LENGTH(COLUMNS), &table), 0);
    table_add(table, COLOUR_NONE, "staging");
    table_addf(table, COLOUR_NONE, "%d", 12);
    table_add(table, COLOUR_NONE, "somebody is there, and works");
    table_add(table, COLOUR_NONE, "caf\xc3\xa9");
    table_addf(table, COLOUR_NONE, "%d", 3);
    table_add(table, COLOUR_NONE, NULL);
    assert_int_equal(table_rows(table), 2);
    struct terminal terminal = terminal_begins(width, false);
    assert_int_equal(table_print(table, &terminal), 0);
    expect_written(&terminal, expected);
    table_free(table);
}

static void a_table_is_as_wide_as_what_is_in_it(void **state)
{
    (void)state;
    table_is(0, "NAME     COUNT  WHY\n"
                "staging     12  somebody is there, and works\n"
                "caf\xc3\xa9         3\n");
}

static void a_table_fits_the_terminal(void **state)
{
    (void)state;
    table_is(30, "NAME     COUNT  WHY\n"
                 "staging     12  somebody is t…\n"
                 "caf\xc3\xa9         3\n");
    /* Not narrower than what can be read. */
    table_is(5, "NAME     COUNT  WHY\n"
                "staging     12  someb…\n"
                "caf\xc3\xa9         3\n");
}

static void a_table_in_colour(void **state)
{
    (void)state;
    struct table *table;

    assert_int_equal(table_new(COLUMNS, 1, &table), 0);
    table_add(table, COLOUR_GREEN, "a\033b");
    struct terminal terminal = terminal_begins(0, true);
    assert_int_equal(table_print(table, &terminal), 0);
    expect_written(&terminal, "\033[1mNAME\033[0m\n\033[32ma\\x1bb\033[0m\n");
    table_free(table);
}

/* --- moments ------------------------------------------------------------------------------------- */

/* 2026-11-24 15:30:00 in Berlin, a Tuesday. */
#define NOW ((struct wall){.ms = INT64_C(1795530600000)})

static void expect_moment(const char *text, enum moment_direction direction, const char *expected)
{
    struct wall moment;
    char shown[MOMENT_TEXT_MAX];

    int r = moment_parse(text, NOW, direction, &moment);
    if (!expected) {
        assert_int_not_equal(r, 0);
        return;
    }
    if (r < 0)
        fail_msg("%s is no moment", text);
    assert_string_equal(moment_format(moment, shown), expected);
}

static void moments_past(void **state)
{
    (void)state;
    expect_moment("2h", MOMENT_PAST, "2026-11-24 13:30:00");
    expect_moment("7d", MOMENT_PAST, "2026-11-17 15:30:00");
    expect_moment("14:20", MOMENT_PAST, "2026-11-24 14:20:00");
    expect_moment("15:30:01", MOMENT_PAST, "2026-11-23 15:30:01");
    expect_moment("18:00", MOMENT_PAST, "2026-11-23 18:00:00");
    expect_moment("today", MOMENT_PAST, "2026-11-24 00:00:00");
    expect_moment("yesterday", MOMENT_PAST, "2026-11-23 00:00:00");
    expect_moment("2026-10-25", MOMENT_PAST, "2026-10-25 00:00:00");
    expect_moment("2026-10-25 12:00", MOMENT_PAST, "2026-10-25 12:00:00");
    expect_moment("2026-10-25T12:00:05", MOMENT_PAST, "2026-10-25 12:00:05");
    expect_moment("2026-11-24T12:00:00Z", MOMENT_PAST, "2026-11-24 13:00:00");
    expect_moment("2026-11-25", MOMENT_PAST, NULL);
    expect_moment("tomorrow", MOMENT_PAST, NULL);
}

static void moments_to_come(void **state)
{
    (void)state;
    expect_moment("2h", MOMENT_FUTURE, "2026-11-24 17:30:00");
    expect_moment("18:00", MOMENT_FUTURE, "2026-11-24 18:00:00");
    expect_moment("09:00", MOMENT_FUTURE, "2026-11-25 09:00:00");
    expect_moment("15:30", MOMENT_FUTURE, "2026-11-25 15:30:00");
    expect_moment("tomorrow", MOMENT_FUTURE, "2026-11-25 00:00:00");
    expect_moment("2026-11-23", MOMENT_FUTURE, NULL);
    expect_moment("today", MOMENT_FUTURE, NULL);
}

static void what_is_no_moment(void **state)
{
    (void)state;
    static const char *const NONE[] = {"",      "soon", "25:00",      "14:20x",
                                       "2 h x", "7",    "2026-13-01", "2026-11-24 "};

    for (size_t i = 0; i < ARRAY_LENGTH(NONE); i++)
        expect_moment(NONE[i], MOMENT_PAST, NULL);
}

static void a_day_has_a_name(void **state)
{
    (void)state;
    char shown[MOMENT_TEXT_MAX];

    assert_string_equal(moment_format_day(NOW, shown), "Tue 2026-11-24");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colour_is_for_terminals_that_want_it),
        cmocka_unit_test(a_file_is_no_terminal),
        cmocka_unit_test(what_comes_from_outside_commands_nothing),
        cmocka_unit_test(widths_are_of_columns_not_bytes),
        cmocka_unit_test(long_text_is_wrapped_at_blanks),
        cmocka_unit_test(a_table_is_as_wide_as_what_is_in_it),
        cmocka_unit_test(a_table_fits_the_terminal),
        cmocka_unit_test(a_table_in_colour),
        cmocka_unit_test(moments_past),
        cmocka_unit_test(moments_to_come),
        cmocka_unit_test(what_is_no_moment),
        cmocka_unit_test(a_day_has_a_name),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    return cmocka_run_group_tests_name("ctl_terminal", tests, NULL, NULL);
}
