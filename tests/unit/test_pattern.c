/* SPDX-License-Identifier: MIT */
/* One definition of activity, said three ways: here, to FilterLogEvents, to Logs Insights. */
#include <ctype.h>
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
#include "src/pattern.h"

#define FILTER_LIMIT 1024
#define QUERY_LIMIT 10000

#define QUERY_BEGIN "fields @timestamp, @message"
#define QUERY_END " | sort @timestamp desc | limit 1"

static struct pattern_text literal(const char *text)
{
    return (struct pattern_text){.text = text};
}

static struct pattern_text regex(const char *text)
{
    return (struct pattern_text){.text = text, .is_regex = true};
}

static struct pattern *given(const struct pattern_text *activity,
                             const struct pattern_text *excludes, size_t n_excludes)
{
    struct pattern *pattern = NULL;
    char *error = NULL;
    int r = pattern_new(activity, excludes, n_excludes, &pattern, &error);
    if (r < 0)
        fail_msg("refused: %s", error ? error : strerror(-r));
    return pattern;
}

static struct pattern *given_one(struct pattern_text activity)
{
    return given(&activity, NULL, 0);
}

/* ---- Evaluators, written from AWS's pages and knowing nothing of src/ ---- */

/* AWS does not say which engine it runs: what holds must hold for each of these. */
enum engine {
    ENGINE_RE2,
    ENGINE_JAVA,
    ENGINES,
};

static const struct {
    const char *dot;
    const char *end;
    const char *blanks;
} dialects[ENGINES] = {
    [ENGINE_RE2] = {"[^\n]", "$", " \t\n\f\r"},
    [ENGINE_JAVA] = {"[^\n\r]", "(\r\n|\n|\r)?$", " \t\n\v\f\r"},
};

/* One element of an expression in the C library's spelling. Returns how much of it was read. */
static size_t spell(char *posix, const char *text, bool in_class, enum engine engine)
{
    if (*text == '.' && !in_class)
        strcpy(posix, dialects[engine].dot);
    else if (*text == '$' && !in_class)
        strcpy(posix, dialects[engine].end);
    else
        sprintf(posix, "%c", *text);
    if (*text != '\\')
        return 1;

    const char *set = text[1] == 'd'   ? "0-9"
                      : text[1] == 'w' ? "A-Za-z0-9_"
                      : text[1] == 's' ? dialects[engine].blanks
                                       : NULL;
    if (set) {
        sprintf(posix, in_class ? "%s" : "[%s]", set);
    } else if (text[1] == 'x') {
        const char hex[] = {text[2], text[3], '\0'};
        sprintf(posix, "[%c]", (char)strtoul(hex, NULL, 16));
        return 4;
    } else if (text[1] == 't') {
        strcpy(posix, "\t");
    } else {
        sprintf(posix, strchr(".[]{}()*+?^$|\\", text[1]) ? "\\%c" : "%c", text[1]);
    }
    return 2;
}

/* An expression as the two AWS pages describe it, on the C library's matcher. */
static bool search(const char *text, size_t length, const char *message, enum engine engine)
{
    char posix[16 * FILTER_LIMIT] = "";
    bool in_class = false;
    for (size_t i = 0, n = 0; i < length; n = strlen(posix)) {
        assert_true(n + 64 < sizeof(posix));
        char character = text[i];
        i += spell(&posix[n], &text[i], in_class, engine);
        in_class = character == '[' || (in_class && character != ']');
    }
    regex_t compiled;
    if (regcomp(&compiled, posix, REG_EXTENDED | REG_NOSUB) != 0)
        fail_msg("/%s/ from %.*s", posix, (int)length, text);
    bool found = regexec(&compiled, message, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

/* What the page lists, and no more. */
static void check_filter_regex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr(":_#=@/;,-^$?[]{}|\\*+.", text[i]))
            fail_msg("%.*s: '%c' is not supported", (int)length, text, text[i]);
}

static bool filter_lets_through(const char *filter, const char *message, enum engine engine)
{
    if (!filter)
        return true;
    assert_in_range(strlen(filter), 1, FILTER_LIMIT);
    for (const char *p = filter; *p;) {
        char delimiter = *p++;
        if (delimiter != '"' && delimiter != '%')
            fail_msg("%s: neither a phrase nor an expression at \"%s\"", filter, p - 1);
        const char *end = strchr(p, delimiter);
        assert_non_null(end);
        size_t length = (size_t)(end - p);
        assert_int_not_equal(length, 0);
        bool found;
        if (delimiter == '%') {
            check_filter_regex(p, length);
            found = search(p, length, message, engine);
        } else {
            assert_null(memchr(p, '\\', length));
            found = memmem(message, strlen(message), p, length) != NULL;
        }
        if (!found)
            return false;
        p = end + 1;
        if (*p)
            assert_int_equal(*p++, ' ');
    }
    return true;
}

/* The conditions of a query; *p moves past the operand. */
static bool operand_is_found(const char **p, const char *message, enum engine engine)
{
    char delimiter = *(*p)++;
    assert_true(delimiter == '"' || delimiter == '/');
    const char *begin = *p;
    while (**p != delimiter) {
        if (delimiter == '/' && **p == '\\')
            (*p)++;
        else
            assert_int_not_equal(**p, '\\');
        assert_int_not_equal(**p, '\0');
        (*p)++;
    }
    size_t length = (size_t)(*p - begin);
    (*p)++;
    if (delimiter == '/')
        return search(begin, length, message, engine);
    return memmem(message, strlen(message), begin, length) != NULL;
}

static bool take(const char **p, const char *expected)
{
    if (strncmp(*p, expected, strlen(expected)) != 0)
        return false;
    *p += strlen(expected);
    return true;
}

static bool query_finds(const char *query, const char *message, enum engine engine)
{
    assert_in_range(strlen(query), 1, QUERY_LIMIT);
    bool found = true;
    const char *p = query;
    assert_true(take(&p, QUERY_BEGIN));
    if (take(&p, " | filter ")) {
        do {
            assert_true(take(&p, "@message "));
            bool wanted = !take(&p, "not ");
            assert_true(take(&p, "like "));
            if (operand_is_found(&p, message, engine) != wanted)
                found = false;
        } while (take(&p, " and "));
    }
    assert_string_equal(p, QUERY_END);
    return found;
}

/* ---- The exact test ---- */

static void a_literal_is_looked_for_as_it_is(void **state)
{
    (void)state;
    struct pattern *pattern = given_one(literal("/api/v1/"));
    assert_true(pattern_matches(pattern, "10.0.0.1 \"GET /api/v1/users HTTP/1.1\" 200"));
    assert_false(pattern_matches(pattern, "10.0.0.1 \"GET /API/v1/users HTTP/1.1\" 200"));
    assert_false(pattern_matches(pattern, ""));
    pattern_free(pattern);

    pattern = given_one(literal("a.*b"));
    assert_true(pattern_matches(pattern, "xa.*bx"));
    assert_false(pattern_matches(pattern, "axxb"));
    pattern_free(pattern);
}

static void without_a_pattern_every_event_counts(void **state)
{
    (void)state;
    struct pattern *pattern = given(NULL, NULL, 0);
    assert_true(pattern_matches(pattern, "anything"));
    assert_true(pattern_matches(pattern, ""));
    assert_null(pattern_filter(pattern));
    assert_string_equal(pattern_query(pattern), QUERY_BEGIN QUERY_END);
    pattern_free(pattern);
}

static void excluded_events_do_not_count(void **state)
{
    (void)state;
    const struct pattern_text activity = literal("GET");
    const struct pattern_text excludes[] = {literal("ELB-HealthChecker"),
                                            regex("kube-probe\\/\\d")};
    struct pattern *pattern = given(&activity, excludes, ARRAY_LENGTH(excludes));
    assert_true(pattern_matches(pattern, "GET / curl"));
    assert_false(pattern_matches(pattern, "GET / ELB-HealthChecker/2.0"));
    assert_false(pattern_matches(pattern, "GET / kube-probe/1.27"));
    assert_false(pattern_matches(pattern, "POST / curl"));
    pattern_free(pattern);

    pattern = given(NULL, excludes, ARRAY_LENGTH(excludes));
    assert_true(pattern_matches(pattern, "POST / curl"));
    assert_false(pattern_matches(pattern, "GET / ELB-HealthChecker/2.0"));
    assert_null(pattern_filter(pattern));
    pattern_free(pattern);
}

static void a_verdict_names_the_exclude(void **state)
{
    (void)state;
    const char *exclude = "";
    struct pattern_text activity = literal("/api/");
    struct pattern_text excludes[] = {literal("ELB-HealthChecker"), regex("bot|crawler")};
    struct pattern *pattern = given(&activity, excludes, ARRAY_LENGTH(excludes));
    assert_int_equal(pattern_judge(pattern, "GET /api/ curl", &exclude), PATTERN_ACTIVITY);
    assert_null(exclude);
    assert_int_equal(pattern_judge(pattern, "GET /api/ ELB-HealthChecker/2.0 bot", &exclude),
                     PATTERN_EXCLUDED);
    assert_string_equal(exclude, "ELB-HealthChecker");
    assert_int_equal(pattern_judge(pattern, "GET /api/ a crawler", &exclude), PATTERN_EXCLUDED);
    assert_string_equal(exclude, "bot|crawler");
    assert_int_equal(pattern_judge(pattern, "GET / a crawler", &exclude), PATTERN_OTHER);
    assert_null(exclude);
    pattern_free(pattern);
}

static void in_doubt_the_pattern_is_narrow_and_the_exclude_wide(void **state)
{
    (void)state;
    const struct pattern_text at_end = regex("ok$");
    const struct pattern_text get = literal("GET");
    struct pattern *pattern = given(&at_end, NULL, 0);
    assert_false(pattern_matches(pattern, "GET ok\n"));
    pattern_free(pattern);
    pattern = given(&get, &at_end, 1);
    assert_false(pattern_matches(pattern, "GET ok\n"));
    assert_true(pattern_matches(pattern, "GET ok\nmore"));
    pattern_free(pattern);
}

/* ---- What is said to AWS ---- */

static void the_filter_is_sayable(void **state)
{
    (void)state;
    static const struct {
        struct pattern_text activity;
        const char *filter; /* NULL: everything is asked for */
    } cases[] = {
        {{"/api/v1/", false}, "\"/api/v1/\""},
        {{"GET", false}, "\"GET\""},
        {{"-dash ?mark [list] {json} $.x", false}, "\"-dash ?mark [list] {json} $.x\""},
        {{"\"status\": 200", false}, "\"status\" \": 200\""},
        {{"C:\\logs\\api", false}, "\"C:\" \"logs\" \"api\""},
        {{"a%20b%", false}, "\"a\" \"20b\""},
        {{"GET\t/api", false}, "\"GET\" \"/api\""},
        {{"caf\xc3\xa9 noir", false}, "\"caf\" \" noir\""},
        {{"\xe6\x97\xa5\xe6\x9c\xac", false}, NULL},
        {{"\"\\\"", false}, NULL},
        {{"\" \"", false}, NULL}, /* blanks alone would say "everything" */
        {{"GET", true}, "%GET%"},
        {{"^\\d+ GET", true}, "%^\\d+\\x20GET%"},
        {{"\\/api\\/v[12]\\/", true}, "%/api/v[12]/%"},
        {{"a:b_c#d=e@f;g,h-i", true}, "%a:b_c#d=e@f;g,h-i%"},
        {{"\\:\\#\\.\\*\\\\\\\"\\%", true}, "%:#\\.\\*\\\\\\x22\\x25%"},
        {{"say \"hi\"!", true}, "%say\\x20\\x22hi\\x22\\x21%"},
        {{"\\w+\\s\\S\\D\\W\\t", true}, "%\\w+\\s\\S\\D\\W\\x09%"},
        {{"a{2}b{2,}c{2,3}", true}, "%a{2,2}b{2,}c{2,3}%"},
        {{"[^a-z0-9\\/]x", true}, "\"x\""},
        {{"one|two", true}, "%one|two%"},
        {{"[^a-z0-9_]x", true}, "%[^a-z0-9_]x%"},
        {{"GET \\/(a|b)\\/c", true}, "\"GET /\" \"/c\""},
        {{"host=[\\w.]+ path", true}, "\"host=\" \" path\""},
        {{"x[\"']y\\\\z", true}, "\"x\" \"y\" \"z\""},
        {{"(a|b)", true}, NULL},
        {{"(a)|bcd", true}, NULL},
        {{".*", true}, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct pattern *pattern = given_one(cases[i].activity);
        const char *filter = pattern_filter(pattern);
        if (!cases[i].filter && filter)
            fail_msg("%s: %s instead of everything", cases[i].activity.text, filter);
        if (cases[i].filter)
            assert_string_equal(filter ? filter : "everything", cases[i].filter);
        pattern_free(pattern);
    }
}

static void the_query_is_sayable(void **state)
{
    (void)state;
    static const struct {
        struct pattern_text activity;
        const char *condition;
    } cases[] = {
        {{"/api/v1/", false}, "like \"/api/v1/\""},
        {{"100% 'sure' #1", false}, "like \"100% 'sure' #1\""},
        {{"caf\xc3\xa9", false}, "like \"caf\xc3\xa9\""},
        {{"\"GET /\"", false}, "like /\"GET \\/\"/"},
        {{"C:\\logs", false}, "like /C:\\\\logs/"},
        {{"\"a.b[c]{d}(e)*+?^$|", false}, "like /\"a\\.b\\[c\\]\\{d\\}\\(e\\)\\*\\+\\?\\^\\$\\|/"},
        {{"a\tb", false}, "like /a\\tb/"},
        {{"^\\d+ \\/api\\/(v1|v2)\\/", true}, "like /^\\d+ \\/api\\/(v1|v2)\\//"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct pattern *pattern = given_one(cases[i].activity);
        char expected[256];
        (void)snprintf(expected, sizeof(expected), "%s | filter @message %s%s", QUERY_BEGIN,
                       cases[i].condition, QUERY_END);
        assert_string_equal(pattern_query(pattern), expected);
        pattern_free(pattern);
    }
    struct pattern *pattern = given_one(regex("x*"));
    assert_string_equal(pattern_query(pattern), QUERY_BEGIN QUERY_END);
    pattern_free(pattern);
}

static void excludes_stand_in_the_query(void **state)
{
    (void)state;
    const struct pattern_text activity = literal("GET");
    const struct pattern_text excludes[] = {literal("ELB-HealthChecker"), literal("say \"hi\""),
                                            regex("probe$")};
    struct pattern *pattern = given(&activity, excludes, ARRAY_LENGTH(excludes));
    assert_string_equal(pattern_query(pattern),
                        QUERY_BEGIN " | filter @message like \"GET\""
                                    " and @message not like \"ELB-HealthChecker\""
                                    " and @message not like /say \"hi\"/"
                                    " and @message not like /probe$/" QUERY_END);
    assert_string_equal(pattern_filter(pattern), "\"GET\"");
    pattern_free(pattern);

    pattern = given(NULL, excludes, 1);
    assert_string_equal(pattern_query(pattern),
                        QUERY_BEGIN " | filter @message not like \"ELB-HealthChecker\"" QUERY_END);
    pattern_free(pattern);
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

static void what_is_too_long_is_said_more_coarsely(void **state)
{
    (void)state;
    _cleanup_free_ char *plain = repeated("abcdefgh", PATTERN_LITERAL_MAX / 8);
    _cleanup_free_ char *quotes = repeated("ab\"", PATTERN_LITERAL_MAX / 3);
    _cleanup_free_ char *blanks = repeated("(ab) ", 100);
    const char *const texts[] = {plain, quotes};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct pattern *pattern = given_one(literal(texts[i]));
        assert_in_range(strlen(pattern_filter(pattern)), FILTER_LIMIT - 8, FILTER_LIMIT);
        assert_true(pattern_matches(pattern, texts[i]));
        assert_true(filter_lets_through(pattern_filter(pattern), texts[i], ENGINE_RE2));
        assert_true(query_finds(pattern_query(pattern), texts[i], ENGINE_RE2));
        pattern_free(pattern);
    }
    /* Written as %...%, its blanks alone would be too long. */
    _cleanup_free_ char *wide = repeated("! ", 250);
    struct pattern *pattern = given_one(regex(wide));
    assert_true(pattern_filter(pattern)[0] == '"');
    assert_true(filter_lets_through(pattern_filter(pattern), wide, ENGINE_RE2));
    pattern_free(pattern);
    pattern = given_one(regex(blanks));
    assert_null(pattern_filter(pattern)); /* only blanks are required */
    pattern_free(pattern);
}

static void excludes_that_do_not_fit_are_left_out(void **state)
{
    (void)state;
    _cleanup_free_ char *activity_text = repeated("\"", PATTERN_LITERAL_MAX);
    _cleanup_free_ char *long_text = repeated("x", 3000);
    struct pattern_text activity = literal(activity_text);
    struct pattern_text excludes[] = {literal(long_text), literal(long_text), literal(long_text),
                                      literal("short")};
    struct pattern *pattern = given(&activity, excludes, ARRAY_LENGTH(excludes));
    const char *query = pattern_query(pattern);
    assert_in_range(strlen(query), 1, QUERY_LIMIT);
    assert_non_null(strstr(query, " and @message not like \"short\"" QUERY_END));
    _cleanup_free_ char *message = NULL;
    assert_true(asprintf(&message, "%s %s", activity_text, "short") > 0);
    assert_false(pattern_matches(pattern, message));
    assert_true(query_finds(query, activity_text, ENGINE_RE2));
    pattern_free(pattern);
}

/* ---- Errors ---- */

static void expect_refusal(const struct pattern_text *activity, const struct pattern_text *excludes,
                           size_t n_excludes, const char *part_of_error)
{
    struct pattern *pattern = NULL;
    char *error = NULL;
    assert_int_equal(pattern_new(activity, excludes, n_excludes, &pattern, &error), -EINVAL);
    assert_null(pattern);
    assert_non_null(error);
    if (!strstr(error, part_of_error))
        fail_msg("\"%s\" lacks \"%s\"", error, part_of_error);
    for (const char *p = error; *p; p++)
        if (*p < ' ' || *p > '~')
            fail_msg("not printable: %s", error);
    free(error);
}

static void errors_say_which_text_and_what_would_be_right(void **state)
{
    (void)state;
    const struct pattern_text get = literal("GET");
    static const struct {
        struct pattern_text text;
        const char *error;
    } cases[] = {
        {{"", false}, "\"\": it is empty; write what the message contains, or leave it out"},
        {{"", true}, "//: it is empty"},
        {{"a(?i)b", true}, "/a(?i)b/: character 2: (?"},
        {{"line\nbreak", false}, "\"line?break\": character 5: a control character"},
        {{"\xc3\xa9\x07", false}, "\"???\": character 2: a control character"},
        {{"caf\xe9", false}, "\"caf?\": character 4: not UTF-8"},
        {{"\xc0\xaf", false}, "character 1: not UTF-8"},
        {{"\xed\xa0\x80", false}, "character 1: not UTF-8"},
        {{"\xf4\x90\x80\x80", false}, "character 1: not UTF-8"},
        {{"\xe0\x80\x80", false}, "character 1: not UTF-8"},
        {{"\xf0\x80\x80\x80", false}, "character 1: not UTF-8"},
        {{"x\xe2\x82", false}, "character 2: not UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        expect_refusal(&cases[i].text, NULL, 0, cases[i].error);
        expect_refusal(&cases[i].text, NULL, 0, "pattern ");
        expect_refusal(&get, &cases[i].text, 1, cases[i].error);
        expect_refusal(&get, &cases[i].text, 1, "exclude ");
    }
    _cleanup_free_ char *too_long = repeated("a", PATTERN_LITERAL_MAX + 1);
    const struct pattern_text long_literal = literal(too_long);
    expect_refusal(&long_literal, NULL, 0, "aaa...\": longer than 4096 bytes");
}

static void an_exclude_of_everything_is_refused(void **state)
{
    (void)state;
    const struct pattern_text get = literal("GET");
    const struct pattern_text excludes[] = {literal("fine"), regex("x*")};
    expect_refusal(&get, excludes, 2, "exclude /x*/: it matches every message");
}

static void excludes_are_limited(void **state)
{
    (void)state;
    struct pattern_text excludes[PATTERN_EXCLUDES_MAX + 1];
    for (size_t i = 0; i < ARRAY_LENGTH(excludes); i++)
        excludes[i] = literal("x");
    expect_refusal(NULL, excludes, ARRAY_LENGTH(excludes), "at most 100");
    pattern_free(given(NULL, excludes, PATTERN_EXCLUDES_MAX));
    assert_null(pattern_free(NULL));
}

/* ---- For any text and any message ---- */

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)(chance_state >> 33) % below;
}

static void draw_text(char *text, unsigned length)
{
    static const char *const pieces[] = {"a", "b", "/",  "\"",       "\\", "%", " ",
                                         ".", "*", "(",  "[",        "^",  "$", "|",
                                         "'", "#", "\t", "\xc3\xa9", "-",  "?"};
    text[0] = '\0';
    for (; length > 0; length--)
        strcat(text, pieces[chance(chance(3) ? 4 : ARRAY_LENGTH(pieces))]);
}

static void the_three_ways_agree_on_literals(void **state)
{
    (void)state;
    chance_state = 1;
    size_t n_matches = 0;
    for (unsigned round = 0; round < 20000; round++) {
        char text[32], message[128], before[32], after[32];
        draw_text(text, 1 + chance(6));
        draw_text(before, chance(10));
        draw_text(after, chance(10));
        (void)snprintf(message, sizeof(message), "%s%s%s", before, chance(2) ? text : "", after);
        struct pattern *pattern = given_one(literal(text));
        bool expected = strstr(message, text) != NULL;
        enum engine engine = chance(ENGINES);
        n_matches += expected;
        if (pattern_matches(pattern, message) != expected ||
            query_finds(pattern_query(pattern), message, engine) != expected ||
            (expected && !filter_lets_through(pattern_filter(pattern), message, engine)))
            fail_msg("round %u: %s in %s: filter %s, query %s", round, text, message,
                     pattern_filter(pattern), pattern_query(pattern));
        pattern_free(pattern);
    }
    assert_in_range(n_matches, 5000, 19000);
}

static void draw_regex(char *text, unsigned terms)
{
    static const char *const atoms[] = {"a",   "b",     "\\/",  "\\\"", " ",     ".",
                                        "\\d", "\\s",   "\\w",  "[ab]", "[^a]",  "[\\d.]",
                                        "\\.", "(a|b)", "\\\\", "(ab)", "[\" ]", "#"};
    static const char *const repetitions[] = {"", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,}"};
    strcpy(text, chance(8) ? "" : "^");
    for (; terms > 0; terms--) {
        strcat(text, atoms[chance(ARRAY_LENGTH(atoms))]);
        strcat(text, repetitions[chance(ARRAY_LENGTH(repetitions))]);
        if (terms > 1 && chance(8) == 0)
            strcat(text, "|");
    }
    if (chance(8) == 0)
        strcat(text, "$");
}

static void draw_message(char *message, unsigned length)
{
    static const char characters[] = "aaabbb//\"\" .1\\\n\t\r#x";
    for (unsigned i = 0; i < length; i++)
        message[i] = characters[chance(sizeof(characters) - 1)];
    message[length] = '\0';
}

static void aws_never_hides_a_match(void **state)
{
    (void)state;
    chance_state = 2;
    size_t n_matches = 0, n_filtered = 0, n_rounds = 30000;
    for (unsigned round = 0; round < n_rounds; round++) {
        char texts[2][128], message[24];
        draw_regex(texts[0], 1 + chance(4));
        draw_regex(texts[1], 1 + chance(3));
        draw_message(message, chance(sizeof(message)));
        const struct pattern_text activity = regex(texts[0]);
        const struct pattern_text exclude = regex(texts[1]);
        struct pattern *pattern = NULL;
        char *error = NULL;
        if (pattern_new(&activity, &exclude, 1, &pattern, &error) == -EINVAL) {
            assert_non_null(strstr(error, "matches every message"));
            free(error);
            continue;
        }
        bool matches = pattern_matches(pattern, message);
        enum engine engine = chance(ENGINES);
        bool let_through = filter_lets_through(pattern_filter(pattern), message, engine);
        n_matches += matches;
        n_filtered += !let_through;
        if (matches && (!let_through || !query_finds(pattern_query(pattern), message, engine)))
            fail_msg("round %u: /%s/ without /%s/ in %s: filter %s, query %s", round, texts[0],
                     texts[1], message, pattern_filter(pattern), pattern_query(pattern));
        pattern_free(pattern);
    }
    assert_in_range(n_matches, n_rounds / 20, n_rounds);  /* it was put to the test */
    assert_in_range(n_filtered, n_rounds / 10, n_rounds); /* and the filters do filter */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_is_looked_for_as_it_is),
        cmocka_unit_test(without_a_pattern_every_event_counts),
        cmocka_unit_test(excluded_events_do_not_count),
        cmocka_unit_test(a_verdict_names_the_exclude),
        cmocka_unit_test(in_doubt_the_pattern_is_narrow_and_the_exclude_wide),
        cmocka_unit_test(the_filter_is_sayable),
        cmocka_unit_test(the_query_is_sayable),
        cmocka_unit_test(excludes_stand_in_the_query),
        cmocka_unit_test(what_is_too_long_is_said_more_coarsely),
        cmocka_unit_test(excludes_that_do_not_fit_are_left_out),
        cmocka_unit_test(errors_say_which_text_and_what_would_be_right),
        cmocka_unit_test(an_exclude_of_everything_is_refused),
        cmocka_unit_test(excludes_are_limited),
        cmocka_unit_test(the_three_ways_agree_on_literals),
        cmocka_unit_test(aws_never_hides_a_match),
    };
    return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
