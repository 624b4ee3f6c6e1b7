/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_PATTERN_INTERNAL_H
#define PROVISIONERD_PATTERN_INTERNAL_H

/* A pattern's parts, shared by pattern.c (the exact test), pattern_filter.c and pattern_query.c. */

#include "pattern.h"
#include "pattern/pattern_regex.h"

struct pattern_matcher {
    char *text;                  /* the literal, or the expression as it was written */
    struct pattern_regex *regex; /* NULL: a literal */
};

/*
 * For FilterLogEvents; *ret is NULL if every event must be asked for. activity may be NULL.
 * Returns 0 or -ENOMEM.
 */
int pattern_filter_new(const struct pattern_matcher *activity, char **ret);

/* For Logs Insights. activity may be NULL. Returns 0 or -ENOMEM. */
int pattern_query_new(const struct pattern_matcher *activity,
                      const struct pattern_matcher *excludes, size_t n_excludes, char **ret);

#endif
