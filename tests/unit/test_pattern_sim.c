/* SPDX-License-Identifier: MIT */
/*
 * What src/ says to AWS, against the simulated AWS's reading of it. The two were written from AWS's
 * pages independently of each other.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/filter_pattern.h"
#include "sim/insights.h"
#include "src/cleanup.h"
#include "src/pattern.h"

struct verdict {
    bool exact;
    bool let_through; /* by FilterLogEvents */
    bool found;       /* by Logs Insights */
};

static bool let_through(const char *filter, const char *message)
{
    if (!filter)
        return true;
    struct filter_pattern *compiled = NULL;
    if (filter_pattern_new(filter, &compiled) != 0)
        fail_msg("FilterLogEvents refuses: %s", filter);
    bool matches = filter_pattern_matches(compiled, message);
    filter_pattern_free(compiled);
    return matches;
}

static bool found(const char *text, const char *message)
{
    struct insights_query *query = NULL;
    struct insights_run *run = NULL;
    char *error = NULL;
    size_t at = 0;
    if (insights_query_new(text, &query, &error, &at) != 0)
        fail_msg("Logs Insights refuses: %s: %s at %zu", text, error ? error : "?", at);
    assert_int_equal(insights_run_new(query, 10, &run), 0);
    const struct insights_record record = {
        .timestamp_ms = 1772374805000,
        .ingestion_ms = 1772374807000,
        .message = message,
        .log_stream = "gateway/1",
        .log = "123456789012:/ecs/gateway",
        .id = 1,
    };
    int r = insights_run_take(run, &record);
    assert_in_range(r, 0, 1);
    insights_run_free(run);
    insights_query_free(query);
    return r == 1;
}

static struct verdict ask(const struct pattern *pattern, const char *message)
{
    return (struct verdict){
        .exact = pattern_matches(pattern, message),
        .let_through = let_through(pattern_filter(pattern), message),
        .found = found(pattern_query(pattern), message),
    };
}

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)(chance_state >> 33) % below;
}

/* Appends `count` pieces of those given. */
static void draw(char *text, size_t size, const char *const *pieces, size_t n_pieces,
                 unsigned count)
{
    size_t length = strlen(text);
    for (; count > 0; count--) {
        const char *piece = pieces[chance((unsigned)n_pieces)];
        assert_true(length + strlen(piece) < size);
        length += (size_t)snprintf(&text[length], size - length, "%s", piece);
    }
}

static void a_gateway_log_is_read_alike(void **state)
{
    (void)state;
    static const struct {
        struct pattern_text activity;
        struct pattern_text exclude;
        const char *message;
        struct verdict expected;
    } cases[] = {
        {{"/api/v1/", false},
         {"ELB-HealthChecker", false},
         "10.0.0.1 - - [01/Mar/2026:14:20:05 +0000] \"GET /api/v1/users HTTP/1.1\" 200 \"curl\"",
         {true, true, true}},
        {{"/api/v1/", false},
         {"ELB-HealthChecker", false},
         "10.0.0.1 - - [01/Mar/2026:14:20:05 +0000] \"GET /api/v1/up HTTP/1.1\" 200 "
         "\"ELB-HealthChecker/2.0\"",
         {false, true, false}},
        {{"\"GET /api/", false},
         {"\\", false},
         "10.0.0.1 \"GET /api/v1/users HTTP/1.1\" 200",
         {true, true, true}},
        {{"\"GET \\/api\\/v\\d+\\/", true},
         {"(kube-probe|ELB-HealthChecker)\\/[\\d.]+\"$", true},
         "10.0.0.1 \"GET /api/v12/users HTTP/1.1\" 200 \"curl/8.0\"",
         {true, true, true}},
        {{"\"GET \\/api\\/v\\d+\\/", true},
         {"(kube-probe|ELB-HealthChecker)\\/[\\d.]+\"$", true},
         "10.0.0.1 \"GET /api/v12/users HTTP/1.1\" 200 \"kube-probe/1.27\"",
         {false, true, false}},
        {{"\"path\":\"/api", false},
         {"\"agent\":\"probe\"", false},
         "{\"path\":\"/api/v1\",\"agent\":\"caf\xc3\xa9\"}",
         {true, true, true}},
        {{"caf\xc3\xa9", false},
         {"th\xc3\xa9", false},
         "un caf\xc3\xa9 ou un th\xc3\xa9",
         {false, true, false}},
        {{"POST", false}, {"x", false}, "GET /", {false, false, false}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct pattern *pattern = NULL;
        char *error = NULL;
        assert_int_equal(pattern_new(&cases[i].activity, &cases[i].exclude, 1, &pattern, &error),
                         0);
        struct verdict verdict = ask(pattern, cases[i].message);
        if (verdict.exact != cases[i].expected.exact ||
            verdict.let_through != cases[i].expected.let_through ||
            verdict.found != cases[i].expected.found)
            fail_msg("%zu: exact %d, let through %d, found %d", i, verdict.exact,
                     verdict.let_through, verdict.found);
        pattern_free(pattern);
    }
}

static void without_a_pattern_everything_is_found(void **state)
{
    (void)state;
    struct pattern *pattern = NULL;
    char *error = NULL;
    assert_int_equal(pattern_new(NULL, NULL, 0, &pattern, &error), 0);
    struct verdict verdict = ask(pattern, "anything");
    assert_true(verdict.exact && verdict.let_through && verdict.found);
    pattern_free(pattern);
}

/* Every printable character, in every place that quotes or escapes it. */
static void every_character_survives_its_escape(void **state)
{
    (void)state;
    for (char character = ' '; character <= '~'; character++) {
        const char texts[][8] = {
            {'a', character, 'b', '\0'},
            {character, 'x', '\0'},
            {'x', character, '\0'},
            {'"', character, '"', '\0'},
            {'\\', character, character, '\0'},
        };
        for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
            const struct pattern_text activity = {.text = texts[i]};
            struct pattern *pattern = NULL;
            char *error = NULL;
            assert_int_equal(pattern_new(&activity, NULL, 0, &pattern, &error), 0);
            char message[64];
            (void)snprintf(message, sizeof(message), "_%s_", texts[i]);
            struct verdict verdict = ask(pattern, message);
            if (!verdict.exact || !verdict.let_through || !verdict.found)
                fail_msg("%s: exact %d, let through %d, found %d", texts[i], verdict.exact,
                         verdict.let_through, verdict.found);
            if (found(pattern_query(pattern), "_"))
                fail_msg("%s is found where it is not", texts[i]);
            pattern_free(pattern);
        }
    }
}

static void literals_are_read_alike(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "b", "/",  "\"", "\\", "%", " ", ".",        "*",
                                         "[", "^", "$",  "|",  "'",  "#", "`", "\xc3\xa9", "-",
                                         "?", "{", "\t", "&",  "a",  "b", "/", "\"",       "a"};
    chance_state = 3;
    for (unsigned round = 0; round < 5000; round++) {
        char texts[2][32] = {"", ""};
        char message[128] = "";
        draw(texts[0], sizeof(texts[0]), pieces, ARRAY_LENGTH(pieces), 1 + chance(4));
        draw(texts[1], sizeof(texts[1]), pieces, ARRAY_LENGTH(pieces), 1 + chance(3));
        draw(message, sizeof(message), pieces, ARRAY_LENGTH(pieces), chance(12));
        if (chance(2))
            draw(message, sizeof(message), (const char *const[]){texts[0]}, 1, 1);
        const struct pattern_text activity = {.text = texts[0]};
        const struct pattern_text exclude = {.text = texts[1]};
        struct pattern *pattern = NULL;
        char *error = NULL;
        assert_int_equal(pattern_new(&activity, &exclude, 1, &pattern, &error), 0);
        struct verdict verdict = ask(pattern, message);
        if (verdict.found != verdict.exact || (verdict.exact && !verdict.let_through))
            fail_msg(
                "round %u: %s without %s in %s: exact %d, let through %d by %s, found %d by %s",
                round, texts[0], texts[1], message, verdict.exact, verdict.let_through,
                pattern_filter(pattern), verdict.found, pattern_query(pattern));
        pattern_free(pattern);
    }
}

/* On one line of ASCII there is no doubt about what an expression means. */
static void expressions_are_read_alike(void **state)
{
    (void)state;
    static const char *const terms[] = {
        "a",    "b",     "\\/",    "\\\"", " ",   ".",    "\\d", "\\s",    "\\w",  "[ab]",
        "[^a]", "(a|b)", "\\.",    "a*",   "b+",  "c?",   ".*",  "\\d{2}", "#",    "a{1,2}",
        "^",    "$",     "(ab)+",  "\\-",  "\\|", "\\\\", "\\*", "\\S",    "\\D+", "[\\d.]+",
        "'",    "!",     "[^\\s]", "%",    "=",   "\\[",  "\\]", "\\{",    "\\}",  "(a|b|c){2}"};
    static const char *const letters[] = {"a", "b", "c", "/", "\"", " ", "1", ".", "#", "\\",
                                          "'", "!", "%", "-", "|",  "[", "]", "a", "b", "1"};
    chance_state = 5;
    size_t n_matches = 0;
    const size_t n_rounds = 10000;
    for (unsigned round = 0; round < n_rounds; round++) {
        char texts[2][128] = {"", ""};
        char message[64] = "";
        draw(texts[0], sizeof(texts[0]), terms, ARRAY_LENGTH(terms), 1 + chance(3));
        draw(texts[1], sizeof(texts[1]), terms, ARRAY_LENGTH(terms), 2 + chance(3));
        draw(message, sizeof(message), letters, ARRAY_LENGTH(letters), chance(24));
        const struct pattern_text activity = {.text = texts[0], .is_regex = true};
        const struct pattern_text exclude = {.text = texts[1], .is_regex = true};
        struct pattern *pattern = NULL;
        char *error = NULL;
        if (pattern_new(&activity, &exclude, 1, &pattern, &error) == -EINVAL) {
            assert_non_null(strstr(error, "matches every message"));
            free(error);
            continue;
        }
        struct verdict verdict = ask(pattern, message);
        n_matches += verdict.exact;
        if (verdict.found != verdict.exact || (verdict.exact && !verdict.let_through))
            fail_msg("round %u: /%s/ without /%s/ in %s: exact %d, let through %d by %s, found %d",
                     round, texts[0], texts[1], message, verdict.exact, verdict.let_through,
                     pattern_filter(pattern), verdict.found);
        pattern_free(pattern);
    }
    assert_in_range(n_matches, n_rounds / 10, n_rounds); /* it was put to the test */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gateway_log_is_read_alike),
        cmocka_unit_test(without_a_pattern_everything_is_found),
        cmocka_unit_test(every_character_survives_its_escape),
        cmocka_unit_test(literals_are_read_alike),
        cmocka_unit_test(expressions_are_read_alike),
    };
    return cmocka_run_group_tests_name("pattern_sim", tests, NULL, NULL);
}
