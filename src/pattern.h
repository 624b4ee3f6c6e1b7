/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_PATTERN_H
#define PROVISIONERD_PATTERN_H

/*
 * What counts as activity: a message that contains `pattern` and none of `exclude`.
 *
 * One thing, said three ways that must agree: an exact test here (pattern_matches), a filter pattern
 * for FilterLogEvents, and a query for Logs Insights. What a language cannot express, or whose
 * escaping is not documented, is left out of it: both remote forms may let through more than the
 * exact test, never less, and what comes back is tested here. So a match is never missed; and for
 * Insights the excess is at worst a reason to stay awake.
 *
 * Two kinds, both case-sensitive: a literal, and a regular expression of the subset that means the
 * same in FilterLogEvents' %regex%, Insights' RE2 and POSIX: characters, `.`, `*`, `+`, `?`, `|`,
 * `{m,n}`, `[...]`, `^`, `$`, `( )`, \d \w \s and escaped punctuation.
 */

#include <stdbool.h>
#include <stddef.h>

struct pattern;

struct pattern_text {
    const char *text;
    bool is_regex;
};

/*
 * activity: NULL means that every event counts. Copies everything.
 * Returns 0; -ENOMEM; or -EINVAL, and *ret_error (allocated) says what is wrong with which text and
 * what would be right.
 */
int pattern_new(const struct pattern_text *activity, const struct pattern_text *excludes,
                size_t n_excludes, struct pattern **ret, char **ret_error);
struct pattern *pattern_free(struct pattern *pattern);

bool pattern_matches(const struct pattern *pattern, const char *message);

/* For FilterLogEvents (at most 1,024 characters); NULL: ask for every event. Borrowed. */
const char *pattern_filter(const struct pattern *pattern);

/* The whole Insights query: newest matching rows of @timestamp, @message first. Borrowed. */
const char *pattern_query(const struct pattern *pattern);

#endif
