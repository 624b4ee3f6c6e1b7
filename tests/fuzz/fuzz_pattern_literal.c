/* SPDX-License-Identifier: MIT */
/* Literals: a pattern, a text to exclude, a message. All languages must agree with strstr(). */

#include <errno.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pattern_world.h"

/* Of texts to this length, all of the excludes surely has room in a query. */
#define FITS_MAX 1000

static void check(const struct pattern *pattern, const char *literal, const char *exclude,
                  const char *message)
{
    bool holds = strstr(message, literal) != NULL;
    bool matches = holds && !(*exclude && strstr(message, exclude));

    MUST(pattern_matches(pattern, message) == matches);
    MUST(!holds || fuzz_filter_lets_through(pattern_filter(pattern), message));
    if (holds || fuzz_is_utf8(message, strlen(message))) {
        bool finds = fuzz_query_finds(pattern_query(pattern), message);
        MUST(!matches || finds);
        MUST(matches || !finds || strlen(literal) + strlen(exclude) > FITS_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct pattern *pattern = NULL;
    char *error = NULL;
    char *literal = fuzz_take_text(&input);
    char *exclude = fuzz_take_text(&input);
    char *message = fuzz_take_text(&input);
    const struct pattern_text activity = {.text = literal}, but = {.text = exclude};

    int r = pattern_new(&activity, &but, *exclude ? 1 : 0, &pattern, &error);
    MUST(r == 0 || r == -EINVAL);
    if (r < 0) {
        MUST(error && *error && !strchr(error, '\n') && !pattern);
    } else {
        char *around = NULL;
        MUST(strlen(pattern_query(pattern)) <= 10000);
        MUST(!pattern_filter(pattern) || strlen(pattern_filter(pattern)) <= 1024);
        check(pattern, literal, exclude, message);
        /* Chance alone seldom makes a message that holds the literal. */
        MUST(asprintf(&around, "%s%s%s", message, literal, message) >= 0);
        check(pattern, literal, exclude, around);
        free(around);
    }
    pattern_free(pattern);
    free(error);
    free(literal);
    free(exclude);
    free(message);
    return 0;
}
