/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_EXPRESSION_H
#define PROVISIONERD_SIM_EXPRESSION_H

/*
 * The regular expressions of the two languages of CloudWatch Logs, done with POSIX extended ones.
 *
 * Understood beyond POSIX: \d \D \w \W \s \S (within brackets, \d \w \s), \b, \xhh, (?:...), lazy
 * quantifiers (the same for a yes or no), a leading (?i). Look-around, back-references and named
 * groups are not, in RE2 neither. A dot is one byte.
 */

#include <stdbool.h>
#include <stddef.h>

struct expression;

/* Returns 0, -EINVAL (not an expression that can be done) or -ENOMEM. */
int expression_new(const char *text, size_t size, struct expression **ret);
struct expression *expression_free(struct expression *expression);

/* Found anywhere in text. */
bool expression_matches(const struct expression *expression, const char *text);

/* FilterLogEvents' %regex% allows fewer characters: letters, digits, : _ # = @ / ; , - and
 * ^ $ ? [ ] { } | \ * + . (CloudWatch Logs User Guide, "Supported regular expressions syntax"). */
bool expression_is_for_filter_pattern(const char *text, size_t size);

#endif
