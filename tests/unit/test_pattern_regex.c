/* SPDX-License-Identifier: MIT */
/* The portable regular expressions: what they match, what is refused and why, what they cost. */
#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/pattern/pattern_regex.h"

static struct pattern_regex *given_regex(const char *text, enum pattern_regex_reading reading)
{
    struct pattern_regex *regex = NULL;
    char *error = NULL;
    int r = pattern_regex_new(text, reading, &regex, &error);
    if (r < 0)
        fail_msg("/%s/ was refused: %s", text, error ? error : strerror(-r));
    return regex;
}

static bool reads_as(const char *text, enum pattern_regex_reading reading, const char *message)
{
    struct pattern_regex *regex = given_regex(text, reading);
    bool matches = pattern_regex_matches(regex, message, NULL);
    pattern_regex_free(regex);
    return matches;
}

/* Under both readings alike. */
static void expect_match(const char *text, const char *message)
{
    if (!reads_as(text, PATTERN_REGEX_NARROW, message) ||
        !reads_as(text, PATTERN_REGEX_WIDE, message))
        fail_msg("/%s/ should match \"%s\"", text, message);
}

static void expect_no_match(const char *text, const char *message)
{
    if (reads_as(text, PATTERN_REGEX_NARROW, message) ||
        reads_as(text, PATTERN_REGEX_WIDE, message))
        fail_msg("/%s/ should not match \"%s\"", text, message);
}

/* Engines may differ here: surely no match, possibly one. */
static void expect_doubt(const char *text, const char *message)
{
    if (reads_as(text, PATTERN_REGEX_NARROW, message))
        fail_msg("/%s/ should not match \"%s\" under the narrow reading", text, message);
    if (!reads_as(text, PATTERN_REGEX_WIDE, message))
        fail_msg("/%s/ should match \"%s\" under the wide reading", text, message);
}

static void expect_refusal(const char *text, const char *part_of_error)
{
    struct pattern_regex *regex = NULL;
    char *error = NULL;
    if (pattern_regex_new(text, PATTERN_REGEX_NARROW, &regex, &error) != -EINVAL)
        fail_msg("/%s/ should have been refused", text);
    assert_null(regex);
    assert_non_null(error);
    if (!strstr(error, part_of_error))
        fail_msg("/%s/ is refused with \"%s\", which lacks \"%s\"", text, error, part_of_error);
    free(error);
}

static void a_match_may_lie_anywhere(void **state)
{
    (void)state;
    expect_match("b", "abc");
    expect_match("abc", "abc");
    expect_match("abab", "abaabab");
    expect_no_match("abc", "ab");
    expect_no_match("a", "");
    expect_no_match("get", "GET");
}

static void alternatives_and_groups(void **state)
{
    (void)state;
    expect_match("GET|POST", "\"POST \\/");
    expect_match("one|two|three", "a three");
    expect_no_match("one|two|three", "four");
    expect_match("\\/api\\/v(1|2|30)\\/", "GET /api/v30/");
    expect_no_match("\\/api\\/v(1|2|30)\\/", "GET /api/v3/");
    expect_match("((a|b)c|d)e", "xbce");
    expect_no_match("((a|b)c|d)e", "xcbe");
    expect_match("^(a|^b)c$", "bc");
}

static void repetitions(void **state)
{
    (void)state;
    expect_match("ab*c", "ac");
    expect_match("ab*c", "abbbc");
    expect_match("ab+c", "abc");
    expect_no_match("ab+c", "ac");
    expect_match("ab?c", "ac");
    expect_no_match("^ab?c$", "abbc");
    expect_match("^a{2}$", "aa");
    expect_no_match("^a{2}$", "aaa");
    expect_match("^a{2,}$", "aaaaa");
    expect_no_match("^a{2,}$", "a");
    expect_match("^a{0,2}$", "");
    expect_match("^a{0,2}$", "aa");
    expect_no_match("^a{0,2}$", "aaa");
    expect_match("^a{2,4}b$", "aaaab");
    expect_no_match("^a{2,4}b$", "aaaaab");
    expect_match("^(ab|c){2,3}$", "abcab");
    expect_no_match("^(ab|c){2,3}$", "abcabc");
    expect_match("^(\\d{1,3}\\.){3}\\d{1,3}$", "192.168.0.12");
    expect_no_match("^(\\d{1,3}\\.){3}\\d{1,3}$", "192.168.0");
    expect_match("^a{100}$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    expect_match("^(a*)*$", "aaa");
    expect_match("^(a?b?)+$", "abba");
}

static void classes(void **state)
{
    (void)state;
    expect_match("^[abc]$", "b");
    expect_match("^[a-cx-z]$", "y");
    expect_no_match("^[a-cx-z]$", "d");
    expect_match("^[^a-c]$", "d");
    expect_no_match("^[^a-c]$", "b");
    expect_match("^[-a]$", "-");
    expect_match("^[a-]$", "-");
    expect_match("^[a^]$", "^");
    expect_match("^[\\]\\\\\\-\\/\\^]+$", "]\\-/^");
    expect_match("^[.*+?(){}$|]+$", ".*+?(){}$|");
    expect_match("^[\\d\\s_]+$", "1 2_3");
    expect_match("^[^\\d]$", "x");
    expect_no_match("^[^\\d]$", "7");
    expect_match("^[^\\S]$", " ");
    expect_match("\"[^\"]*\"", "say \"something\nelse\"");
}

static void escapes(void **state)
{
    (void)state;
    expect_match("^\\d\\D\\w\\W\\s\\S$", "1a_- x");
    expect_no_match("\\w", "- .");
    expect_no_match("\\d", "abc");
    expect_match("a\\tb", "a\tb");
    expect_match("\\.\\*\\(\\)\\[\\]\\{\\}\\^\\$\\|\\?\\+\\\\\\/\\\"\\#\\%\\!",
                 ".*()[]{}^$|?+\\/\"#%!");
    expect_no_match("a\\.b", "axb");
}

static void edges_are_those_of_the_message(void **state)
{
    (void)state;
    expect_match("^GET", "GET /");
    expect_no_match("^GET", "a\nGET /");
    expect_match("ok$", "all ok");
    expect_no_match("ok$", "ok\nmore");
    expect_match("^$", "");
    expect_no_match("^$", "x");
    expect_match("^a|b$", "ab");
    expect_no_match("a^b", "ab");
}

static void where_engines_differ_the_readings_differ(void **state)
{
    (void)state;
    expect_doubt("ok$", "ok\n");
    expect_doubt("ok$", "ok\r\n");
    expect_doubt("ok$", "ok\xe2\x80\xa8");
    expect_doubt("^$", "\n");
    expect_doubt("a.b", "a\rb");
    expect_doubt("a.b", "a\xc2\x85"
                        "b");
    expect_doubt("a\\sb", "a\vb");
    expect_doubt("a\\sb", "a\rb");
    expect_doubt("a\\Sb", "a\fb");
    expect_doubt("a[^\\s]b", "a\fb");
    expect_doubt("a[\\s,]b", "a\fb");
    expect_doubt("a[^\\S]b", "a\fb");
    expect_no_match("a.b", "a\nb");
    expect_match("a\\sb", "a\nb");
    expect_match("a[^x]b", "a\nb");
    expect_match("a[^x]b", "a\xe2\x80\xa9"
                           "b");
}

static void a_dot_is_a_character_not_a_byte(void **state)
{
    (void)state;
    expect_match("^a.b$", "a\xc3\xa9"
                          "b"); /* é */
    expect_match("^a.b$", "a\xf0\x9f\x98\x80"
                          "b"); /* an emoji of four bytes */
    expect_no_match("^a..b$", "a\xc3\xa9"
                              "b");
    expect_match("^a[^x]b$", "a\xe2\x82\xac"
                             "b");
    expect_match("^a\\Wb$", "a\xc3\xa9"
                            "b");
    expect_match("^a..b$", "a\xff\xfe"
                           "b"); /* not UTF-8: byte by byte */
    expect_match("^a.$", "a\xe2");
    expect_match("^a..$", "a\xe2\x82"); /* cut off */
}

static void refusals_teach(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *where;
        const char *instead;
    } cases[] = {
        {"ab(?i)c", "character 3", "[Gg]"},
        {"(?!x)", "character 1", "exclude"},
        {"(?:x)", "character 1", "( )"},
        {"x\\b", "character 2", "\\W"},
        {"(a)\\1", "character 4", "write the text out"},
        {"\\Ax", "character 1", "^"},
        {"x\\z", "character 2", "$"},
        {"a\\nb", "character 2", "\\s"},
        {"\\p{L}", "character 1", "\\d \\w \\s"},
        {"\\x41", "character 1", "\\d \\w \\s"},
        {"a\\_b", "character 2", "without the backslash"},
        {"a\\ b", "character 2", "without the backslash"},
        {"a\\", "character 2", "\\\\"},
        {"a\\\xc3\xa9", "character 2", "punctuation"},
        {"a*?", "character 3", "drop the ?"},
        {"a++", "character 3", "drop the +"},
        {"a**", "character 3", "( )"},
        {"a{2}{3}", "character 5", "( )"},
        {"*a", "character 1", "\\*"},
        {"a|*b", "character 3", "\\*"},
        {"(+a)", "character 2", "\\+"},
        {"^*a", "character 2", "\\^"},
        {"a$?", "character 3", "\\$"},
        {"/api/v1", "character 1", "\\/"},
        {"a[/]", "character 3", "\\/"},
        {"caf\xc3\xa9", "character 4", "\"literal\""},
        {"a\tb", "character 2", "\\t"},
        {"a\x7f", "character 2", "control"},
        {"a{", "character 2", "\\{"},
        {"a{,3}", "character 2", "{0,3}"},
        {"a{x}", "character 2", "\\{"},
        {"a{1", "character 2", "\\{"},
        {"a{1;2}", "character 2", "\\{"},
        {"{", "character 1", "\\{"},
        {"}", "character 1", "\\}"},
        {"]", "character 1", "\\]"},
        {"a{101}", "character 2", "100"},
        {"a{1,99999999999999999999}", "character 2", "100"},
        {"a{0}", "character 2", "leave it out"},
        {"a{3,2}", "character 2", "{2,3}"},
        {"[abc", "character 1", "\\["},
        {"[", "character 1", "\\["},
        {"[^", "character 1", "\\["},
        {"[a-", "character 1", "\\["},
        {"[]a]", "character 2", "\\]"},
        {"[^]a]", "character 3", "\\]"},
        {"[[:alpha:]]", "character 2", "a-z"},
        {"[a&&b]", "character 3", "&"},
        {"[z-a]", "character 2", "a-z"},
        {"[a-c-e]", "character 5", "\\-"},
        {"[\\d-x]", "character 4", "\\-"},
        {"[a-\\d]", "character 2", "\\-"},
        {"[--a]", "character 2", "\\-"},
        {"[+--]", "character 2", "\\-"},
        {"(a", "character 1", "\\("},
        {"a)", "character 2", "\\)"},
        {"a||b", "character 3", "( )?"},
        {"a|", "character 3", "( )?"},
        {"()", "character 2", "( )?"},
        {"", "character 1", "empty"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        expect_refusal(cases[i].text, cases[i].where);
        expect_refusal(cases[i].text, cases[i].instead);
    }
}

static char *repeated(const char *text, size_t times)
{
    size_t length = strlen(text);
    char *result = malloc(times * length + 1);
    assert_non_null(result);
    for (size_t i = 0; i < times; i++)
        memcpy(&result[i * length], text, length);
    result[times * length] = '\0';
    return result;
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    _cleanup_free_ char *longest = repeated("a", PATTERN_REGEX_LENGTH_MAX);
    expect_match(longest, longest);
    _cleanup_free_ char *too_long = repeated("a", PATTERN_REGEX_LENGTH_MAX + 1);
    expect_refusal(too_long, "at most 512");

    expect_refusal("(a{100}){100}", "too large");
    expect_refusal("((((a{9}){9}){9}){9}){9}", "too large");
    expect_refusal("(((a?){30}){30}){2,}", "too large");
    expect_refusal("(.{50}|b{50}){10}", "too large");
    _cleanup_free_ char *bars = repeated("a|", PATTERN_REGEX_LENGTH_MAX / 2 - 1);
    _cleanup_free_ char *alternatives = NULL;
    assert_true(asprintf(&alternatives, "%sa", bars) > 0);
    expect_match(alternatives, "a"); /* 256 alternatives are fine */

    _cleanup_free_ char *deep = repeated("(", PATTERN_REGEX_DEPTH_MAX + 1);
    expect_refusal(deep, "nested");
    _cleanup_free_ char *opened = repeated("(", PATTERN_REGEX_DEPTH_MAX);
    _cleanup_free_ char *closed = repeated(")", PATTERN_REGEX_DEPTH_MAX);
    _cleanup_free_ char *nested = NULL;
    assert_true(asprintf(&nested, "%sa%s", opened, closed) > 0);
    expect_match(nested, "a");
    _cleanup_free_ char *classes = repeated(".", PATTERN_REGEX_LENGTH_MAX);
    expect_no_match(classes, "short");
}

static size_t steps_of(const char *text, const char *message)
{
    struct pattern_regex *regex = given_regex(text, PATTERN_REGEX_WIDE);
    size_t steps = 0;
    (void)pattern_regex_matches(regex, message, &steps);
    pattern_regex_free(regex);
    return steps;
}

/* The expressions that stall a backtracking matcher for as long as the universe lasts. */
static void cost_grows_with_the_message_alone(void **state)
{
    (void)state;
    static const char *const greedy[] = {
        "(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*a){10}b", "(a?){50}a{50}b", ".*.*.*=.*b",
    };
    _cleanup_free_ char *message = repeated("a", 2000);
    _cleanup_free_ char *twice = repeated("a", 4000);
    for (size_t i = 0; i < ARRAY_LENGTH(greedy); i++) {
        size_t steps = steps_of(greedy[i], message);
        assert_in_range(steps, 1, (size_t)2 * 2001 * PATTERN_REGEX_PROGRAM_MAX);
        assert_in_range(steps_of(greedy[i], twice), 1, 2 * steps + steps / 10);
    }
}

static void what_matches_everything_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool everything;
    } cases[] = {
        {"a*", true},      {".*", true},  {"(a|b?)", true}, {"a{0,3}", true},
        {"x|(y*)*", true}, {"a+", false}, {"^", false},     {"^$", false},
        {"^a*$", false},   {".", false},  {"a*b", false},   {"^.*", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct pattern_regex *regex = given_regex(cases[i].text, PATTERN_REGEX_NARROW);
        if (pattern_regex_matches_everything(regex) != cases[i].everything)
            fail_msg("/%s/", cases[i].text);
        pattern_regex_free(regex);
    }
}

static void required_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *required[4];
    } cases[] = {
        {"abc", {"abc"}},
        {"a\\.b+[cd]ef", {"a.b", "ef"}},
        {"GET \\/x", {"GET /x"}},
        {"ab?c", {"a", "c"}},
        {"ab*", {"a"}},
        {"ab{2,3}c", {"ab", "c"}},
        {"^start.*end$", {"start", "end"}},
        {"(abc)d", {"d"}},
        {"x(a|b)y", {"x", "y"}},
        {"abc|def", {NULL}},
        {"[abc]", {NULL}},
        {"a?", {NULL}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct pattern_regex *regex = given_regex(cases[i].text, PATTERN_REGEX_NARROW);
        size_t n = 0;
        for (; cases[i].required[n]; n++)
            assert_string_equal(pattern_regex_required(regex, n), cases[i].required[n]);
        assert_null(pattern_regex_required(regex, n));
        assert_null(pattern_regex_required(regex, n + 1));
        pattern_regex_free(regex);
    }
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    assert_null(pattern_regex_free(NULL));
}

/* ---- Against the C library's matcher ---- */

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)(chance_state >> 33) % below;
}

/* One expression in both spellings. */
struct both {
    char ours[PATTERN_REGEX_LENGTH_MAX + 1];
    char posix[4096];
};

static void spell(struct both *both, const char *ours, const char *posix)
{
    assert_true(strlen(both->ours) + strlen(ours) < sizeof(both->ours));
    assert_true(strlen(both->posix) + strlen(posix) < sizeof(both->posix));
    strcat(both->ours, ours);
    strcat(both->posix, posix);
}

#define DEPTH 2

static void draw_alternatives(struct both *both, unsigned depth);

static void draw_term(struct both *both, unsigned depth)
{
    static const char *const atoms[][2] = {
        {"a", "a"},           {"b", "b"},
        {"c", "c"},           {"1", "1"},
        {" ", " "},           {".", "."},
        {"\\.", "\\."},       {"\\d", "[0-9]"},
        {"\\/", "/"},         {"\\w", "[0-9A-Za-z_]"},
        {"\\s", "[ \t]"},     {"\\S", "[^ \t]"},
        {"[ab]", "[ab]"},     {"[^a-c]", "[^a-c]"},
        {"[\\d.]", "[0-9.]"}, {"\\W", "[^0-9A-Za-z_]"},
    };
    static const char *const repetitions[] = {"*", "+", "?", "{2}", "{1,2}", "{0,2}", "{1,}"};
    unsigned kind = chance(10);
    if (kind == 0 && depth == DEPTH) { /* glibc loses an edge within a repeated group */
        const char *edge = chance(2) ? "^" : "$";
        spell(both, edge, edge);
        return;
    }
    if (kind < 4 && depth > 0) {
        spell(both, "(", "(");
        draw_alternatives(both, depth - 1);
        spell(both, ")", ")");
    } else {
        const char *const *atom = atoms[chance(ARRAY_LENGTH(atoms))];
        spell(both, atom[0], atom[1]);
    }
    if (chance(3) == 0) {
        const char *repetition = repetitions[chance(ARRAY_LENGTH(repetitions))];
        spell(both, repetition, repetition);
    }
}

static void draw_alternatives(struct both *both, unsigned depth)
{
    for (unsigned n = 1 + chance(2); n > 0; n--) {
        for (unsigned terms = 1 + chance(3); terms > 0; terms--)
            draw_term(both, depth);
        if (n > 1)
            spell(both, "|", "|");
    }
}

static void draw_message(char *message, unsigned length)
{
    static const char characters[] = "aabbcc11 ./x";
    for (unsigned i = 0; i < length; i++)
        message[i] = characters[chance(sizeof(characters) - 1)];
    message[length] = '\0';
}

static void agrees_with_the_c_library(void **state)
{
    (void)state;
    chance_state = 20260301;
    size_t n_matches = 0;
    size_t n_compared = 0;
    for (unsigned round = 0; round < 3000; round++) {
        struct both both = {.ours = ""};
        draw_alternatives(&both, DEPTH);
        struct pattern_regex *regex = given_regex(both.ours, PATTERN_REGEX_NARROW);
        regex_t posix;
        assert_int_equal(regcomp(&posix, both.posix, REG_EXTENDED | REG_NOSUB), 0);
        for (unsigned i = 0; i < 10; i++) {
            char message[16];
            draw_message(message, chance(12));
            bool expected = regexec(&posix, message, 0, NULL, 0) == 0;
            if (pattern_regex_matches(regex, message, NULL) != expected)
                fail_msg("round %u: /%s/ on \"%s\": expected %d", round, both.ours, message,
                         expected);
            n_matches += expected;
            n_compared++;
        }
        regfree(&posix);
        pattern_regex_free(regex);
    }
    assert_in_range(n_matches, n_compared / 10, n_compared * 9 / 10); /* both outcomes were tried */
}

static void any_bytes_give_an_expression_or_an_error(void **state)
{
    (void)state;
    chance_state = 4;
    static const char likely[] = "abc()[]{}|*+?.^$\\-,0129dwsDWSnb/&: \"\t\xc3\xa9";
    for (unsigned round = 0; round < 20000; round++) {
        char text[40];
        unsigned length = chance(sizeof(text));
        for (unsigned i = 0; i < length; i++)
            text[i] = chance(20) ? likely[chance(sizeof(likely) - 1)] : (char)(1 + chance(255));
        text[length] = '\0';
        struct pattern_regex *regex = NULL;
        char *error = NULL;
        int r = pattern_regex_new(text, PATTERN_REGEX_WIDE, &regex, &error);
        if (r == 0) {
            (void)pattern_regex_matches(regex, "abc 012 /\xc3\xa9\n", NULL);
            (void)pattern_regex_required(regex, 0);
        } else {
            assert_int_equal(r, -EINVAL);
            assert_non_null(error);
        }
        assert_true((regex != NULL) == (error == NULL));
        pattern_regex_free(regex);
        free(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_match_may_lie_anywhere),
        cmocka_unit_test(alternatives_and_groups),
        cmocka_unit_test(repetitions),
        cmocka_unit_test(classes),
        cmocka_unit_test(escapes),
        cmocka_unit_test(edges_are_those_of_the_message),
        cmocka_unit_test(where_engines_differ_the_readings_differ),
        cmocka_unit_test(a_dot_is_a_character_not_a_byte),
        cmocka_unit_test(refusals_teach),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(cost_grows_with_the_message_alone),
        cmocka_unit_test(what_matches_everything_is_known),
        cmocka_unit_test(required_texts),
        cmocka_unit_test(freeing_nothing_is_allowed),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(any_bytes_give_an_expression_or_an_error),
    };
    return cmocka_run_group_tests_name("pattern_regex", tests, NULL, NULL);
}
