/* SPDX-License-Identifier: MIT */
/*
 * Regular expressions: a pattern, an expression to exclude, a message. Both remote languages let
 * through at least what the exact test does; and where the engines' readings cannot differ, the exact
 * test is the C library's regexec(), too.
 */

#include <errno.h>
#include <regex.h>
#include <string.h>

#include "src/pattern/pattern_regex.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pattern_world.h"

/* Beyond them regexec() takes memory and time without end. */
#define LIBRARY_TEXT_MAX 40
#define LIBRARY_MESSAGE_MAX 200

static bool is_ascii_line(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

/* What POSIX extended expressions and ours write and mean alike. */
static bool is_common(const char *text)
{
    return strlen(text) <= LIBRARY_TEXT_MAX && is_ascii_line(text) && !strpbrk(text, "\\[]{}") &&
           !strstr(text, "()") && !strstr(text, "(|") && !strstr(text, "||") &&
           !strstr(text, "|)") && !strstr(text, "(*") && !strstr(text, "^*") && text[0] != '|' &&
           text[strlen(text) - 1] != '|' && !strpbrk(text + 1, "^") && !strstr(text, "$*") &&
           !strstr(text, "$+") && !strstr(text, "$?") && !strstr(text, "^+") &&
           !strstr(text, "^?") && !strstr(text, "$(") &&
           (!strchr(text, '$') || strchr(text, '$')[1] == '\0');
}

static void check_library(const char *text, const char *message, bool matches)
{
    regex_t library;

    if (!is_common(text) || !is_ascii_line(message) || strlen(message) > LIBRARY_MESSAGE_MAX ||
        regcomp(&library, text, REG_EXTENDED | REG_NOSUB) != 0)
        return;
    bool says = regexec(&library, message, 0, NULL, 0) == 0;
    regfree(&library);
    if (says != matches)
        fprintf(stderr, "/%s/ on \"%s\": library %d, ours %d\n", text, message, says, matches);
    MUST(says == matches);
}

static void check_alone(const char *text, const char *message)
{
    struct pattern_regex *narrow = NULL, *wide = NULL;
    char *error = NULL;
    size_t steps = 0;

    MUST(pattern_regex_new(text, PATTERN_REGEX_NARROW, &narrow, &error) == 0);
    MUST(pattern_regex_new(text, PATTERN_REGEX_WIDE, &wide, &error) == 0);
    bool matches = pattern_regex_matches(narrow, message, &steps);
    MUST(steps <= (strlen(message) + 2) * (size_t)PATTERN_REGEX_PROGRAM_MAX * 4);
    MUST(!matches || pattern_regex_matches(wide, message, NULL));
    MUST(!pattern_regex_matches_everything(narrow) || matches);
    const char *required;
    for (size_t i = 0; matches && (required = pattern_regex_required(narrow, i)); i++)
        MUST(strstr(message, required));
    check_library(text, message, matches);
    pattern_regex_free(narrow);
    pattern_regex_free(wide);
}

/* The simulated Insights is regexec(), too; and glibc's takes a $ within an expression for the end of a
 * line, whatever it was told of lines. */
static bool is_misread(const char *text, const char *message)
{
    const char *end = strchr(text, '$');

    return end && end[1] && strchr(message, '\n');
}

static void check(const struct pattern *pattern, const char *message)
{
    bool matches = pattern_matches(pattern, message);

    MUST(!matches || fuzz_filter_lets_through(pattern_filter(pattern), message));
    MUST(!matches || fuzz_query_finds(pattern_query(pattern), message));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct pattern *pattern = NULL;
    char *error = NULL;
    char *text = fuzz_take_text(&input);
    char *exclude = fuzz_take_text(&input);
    char *message = fuzz_take_text(&input);
    const struct pattern_text activity = {.text = text, .is_regex = true};
    const struct pattern_text but = {.text = exclude, .is_regex = true};

    int r = pattern_new(&activity, &but, *exclude ? 1 : 0, &pattern, &error);
    MUST(r == 0 || r == -EINVAL);
    if (r < 0) {
        MUST(error && *error && !strchr(error, '\n') && !pattern);
    } else {
        MUST(strlen(pattern_query(pattern)) <= 10000);
        MUST(!pattern_filter(pattern) || strlen(pattern_filter(pattern)) <= 1024);
        if (!is_misread(text, message) && !is_misread(exclude, message))
            check(pattern, message);
        check_alone(text, message);
    }
    pattern_free(pattern);
    free(error);
    free(text);
    free(exclude);
    free(message);
    return 0;
}
