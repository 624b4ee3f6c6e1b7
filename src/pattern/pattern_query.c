/* SPDX-License-Identifier: MIT */
/*
 * The pattern as a Logs Insights query: the newest event that is activity.
 *
 * CloudWatch Logs User Guide, "Logs Insights QL: filter", "Matches and regular expressions in the
 * filter command": `like` with a string in quotes tests for a substring, with /.../ for a regular
 * expression, both case-sensitive; `not like` is the opposite. Escapes within quotes are not
 * described; a backslash within /.../ is, by examples (\d, \. and \/ for the delimiter). So a literal
 * with a quote or a backslash is said as an expression.
 *
 * A query has at most 10,000 characters (API Reference, StartQuery). Excludes that do not fit are
 * left out, and then the newest row may be an excluded one that hides a match behind it: a reason to
 * stay awake that may be wrong, never a reason to sleep that is wrong.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pattern/pattern_internal.h"

#define QUERY_MAX 10000
#define QUERY_BEGIN "fields @timestamp, @message"
#define QUERY_END " | sort @timestamp desc | limit 1"

static_assert(sizeof(QUERY_BEGIN QUERY_END) + (size_t)2 * PATTERN_LITERAL_MAX + 64 < QUERY_MAX,
              "a query has room for the longest pattern");

struct query {
    char text[QUERY_MAX + 1];
    size_t length;
    bool full; /* something had no room */
};

static void append(struct query *query, const char *text, size_t length)
{
    if (query->full || length > QUERY_MAX - strlen(QUERY_END) - query->length) {
        query->full = true;
        return;
    }
    memcpy(&query->text[query->length], text, length);
    query->length += length;
}

static void append_text(struct query *query, const char *text)
{
    append(query, text, strlen(text));
}

/* A literal within /.../. */
static void append_escaped(struct query *query, const char *literal)
{
    for (; *literal; literal++) {
        if (*literal == '\t') {
            append_text(query, "\\t");
            continue;
        }
        if (strchr("\\/.[]{}()*+?^$|", *literal))
            append_text(query, "\\");
        append(query, literal, 1);
    }
}

static void append_operand(struct query *query, const struct pattern_matcher *matcher)
{
    if (matcher->regex) {
        append_text(query, "/");
        append_text(query, matcher->text); /* a valid one has its slashes escaped */
        append_text(query, "/");
    } else if (strpbrk(matcher->text, "\"\\\t")) {
        append_text(query, "/");
        append_escaped(query, matcher->text);
        append_text(query, "/");
    } else {
        append_text(query, "\"");
        append_text(query, matcher->text);
        append_text(query, "\"");
    }
}

static void append_condition(struct query *query, bool *first, const char *operator,
                             const struct pattern_matcher * matcher)
{
    size_t before = query->length;
    append_text(query, *first ? " | filter " : " and ");
    append_text(query, "@message ");
    append_text(query, operator);
    append_text(query, " ");
    append_operand(query, matcher);
    if (query->full) {
        query->length = before; /* leave it out; a shorter one may still fit */
        query->full = false;
        return;
    }
    *first = false;
}

int pattern_query_new(const struct pattern_matcher *activity,
                      const struct pattern_matcher *excludes, size_t n_excludes, char **ret)
{
    _cleanup_free_ struct query *query = calloc(1, sizeof(*query));
    if (!query)
        return -ENOMEM;
    bool first = true;
    append_text(query, QUERY_BEGIN);
    if (activity && !(activity->regex && pattern_regex_matches_everything(activity->regex)))
        append_condition(query, &first, "like", activity);
    for (size_t i = 0; i < n_excludes; i++)
        append_condition(query, &first, "not like", &excludes[i]);
    memcpy(&query->text[query->length], QUERY_END, sizeof(QUERY_END));
    *ret = strdup(query->text);
    return *ret ? 0 : -ENOMEM;
}
