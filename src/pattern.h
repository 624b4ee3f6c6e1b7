/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_PATTERN_H
#define PROVISIONERD_PATTERN_H

/*
 * What counts as activity: a message that contains `pattern` and none of `exclude`. Pure.
 *
 * One thing, said three ways that must agree: an exact test here (pattern_matches), a filter pattern
 * for FilterLogEvents, and a query for Logs Insights. What a language cannot express, or whose
 * escaping is not documented, is left out of it: both remote forms may let through more than the
 * exact test, never less, and what comes back is tested here. So a match is never missed; and for
 * Insights the excess is at worst a reason to stay awake: its one row may be an event that is no
 * activity and hides one behind it.
 *
 * Two kinds, both case-sensitive: a literal, and a regular expression of the subset that means the
 * same in FilterLogEvents' %regex%, in Insights and here: characters, `.`, `*`, `+`, `?`, `|`,
 * `{m,n}`, `[...]`, `^`, `$`, `( )`, \d \w \s and escaped punctuation (pattern_regex.h).
 *
 *     pattern               FilterLogEvents           Insights: ... | filter @message
 *     "/api/v1/"            "/api/v1/"                like "/api/v1/"
 *     "GET \"/ café"         "GET " "/ caf"            like /GET "\/ café/
 *     /GET \/(a|b)/         "GET /"                   like /GET \/(a|b)/
 *     /^\d+ GET/            %^\d+\x20GET%             like /^\d+ GET/
 *     none                  every event               (no condition)
 *
 * Excludes stand in the query only (`and @message not like ...`). The rules and where AWS states them
 * are in pattern_filter.c and pattern_query.c.
 */

#include <stdbool.h>
#include <stddef.h>

#define PATTERN_LITERAL_MAX 4096 /* bytes; an expression has PATTERN_REGEX_LENGTH_MAX */
#define PATTERN_EXCLUDES_MAX 100 /* each is tested on each message */

struct pattern;

struct pattern_text {
    const char *text;
    bool is_regex;
};

/*
 * activity: NULL means that every event counts. Copies everything.
 * Returns 0; -ENOMEM; or -EINVAL, and *ret_error (allocated, printable, one line) says what is wrong
 * with which text, where, and what would be right. Texts are UTF-8.
 */
int pattern_new(const struct pattern_text *activity, const struct pattern_text *excludes,
                size_t n_excludes, struct pattern **ret, char **ret_error);
struct pattern *pattern_free(struct pattern *pattern);

/* message is UTF-8 and ends at its NUL: a message that holds U+0000 must have it replaced. */
bool pattern_matches(const struct pattern *pattern, const char *message);

enum pattern_verdict {
    PATTERN_ACTIVITY, /* pattern_matches() */
    PATTERN_EXCLUDED, /* it would be, but for an exclude */
    PATTERN_OTHER,
};

/* The same test, with its reason. *ret_exclude is the first exclude that the message has, as it was
 * written but for its delimiters, borrowed; NULL unless PATTERN_EXCLUDED. */
enum pattern_verdict pattern_judge(const struct pattern *pattern, const char *message,
                                   const char **ret_exclude);

/* For FilterLogEvents (at most 1,024 characters); NULL: ask for every event. Borrowed. */
const char *pattern_filter(const struct pattern *pattern);

/* The whole Insights query: @timestamp, @message of the newest event that matches. Borrowed. */
const char *pattern_query(const struct pattern *pattern);

#endif
