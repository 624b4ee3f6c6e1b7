/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_PATTERN_REGEX_H
#define PROVISIONERD_PATTERN_REGEX_H

/*
 * Regular expressions that mean the same here, in FilterLogEvents and in Logs Insights. Pure.
 *
 * The subset (pattern_regex_new() refuses the rest, saying what to write instead):
 *
 *     a                  a printable ASCII character that is no operator
 *     \. \/ ...          an ASCII punctuation mark, literally; `/` must be written so
 *     \d \w \s \D \W \S  [0-9], [A-Za-z0-9_], whitespace, and their complements
 *     \t                 a tab
 *     .                  any one character of a line
 *     [a-z_] [^"]        a character class; \d \w \s within it too
 *     ^ $                the beginning and the end of the message (not of each line)
 *     ( ) |              groups, alternatives
 *     * + ? {m} {m,} {m,n}
 *
 * AWS does not say which engine runs a query, and engines differ in a few rare characters. So an
 * expression is read one of two ways:
 *
 *             PATTERN_REGEX_NARROW                     PATTERN_REGEX_WIDE
 *     .       no \n \r U+0085 U+2028 U+2029 (Java)     no \n (RE2)
 *     \s      space \t \n (FilterLogEvents' page)      and \v \f \r (Java; RE2: \f \r)
 *     $       the very end (RE2)                       or before a line break there (Java)
 *
 * What matches under the narrow reading matches in every engine; what matches in any engine matches
 * under the wide one. What counts as activity is read narrowly and what does not is read widely, and
 * so the text can go to AWS as it is. Characters are those of UTF-8; a byte that is not UTF-8 is a
 * character by itself.
 *
 * Matching simulates the automaton for all alternatives at once (Thompson, "Regular Expression
 * Search Algorithm", 1968): time is at most proportional to the message's length times the
 * program's, whatever the expression, and nothing is allocated.
 *
 * Sources: CloudWatch Logs User Guide, "Supported regular expressions (regex) syntax"; RE2, "Syntax";
 * Java SE, java.util.regex.Pattern.
 */

#include <stdbool.h>
#include <stddef.h>

#define PATTERN_REGEX_LENGTH_MAX 512   /* bytes of the text */
#define PATTERN_REGEX_REPEAT_MAX 100   /* m and n of {m,n} */
#define PATTERN_REGEX_DEPTH_MAX 20     /* of nested groups */
#define PATTERN_REGEX_PROGRAM_MAX 1000 /* steps, repetitions unrolled; bounds the time of a match */

enum pattern_regex_reading {
    PATTERN_REGEX_NARROW,
    PATTERN_REGEX_WIDE,
};

struct pattern_regex;

/*
 * Returns 0; -ENOMEM; or -EINVAL with *ret_error (allocated): "character 5: ... ", what is wrong and
 * what would be right.
 */
int pattern_regex_new(const char *text, enum pattern_regex_reading reading,
                      struct pattern_regex **ret, char **ret_error);
struct pattern_regex *pattern_regex_free(struct pattern_regex *regex);

/* Whether it matches anywhere in message. ret_steps, if not NULL: the work it took. */
bool pattern_regex_matches(const struct pattern_regex *regex, const char *message,
                           size_t *ret_steps);

/* Whether there is no message that it does not match, such as a* has none. */
bool pattern_regex_matches_everything(const struct pattern_regex *regex);

/*
 * The literal texts that a match cannot do without, in order of the expression: /a\.b+[cd]ef/
 * requires "a.b" and "ef". NULL from the end on. Borrowed.
 */
const char *pattern_regex_required(const struct pattern_regex *regex, size_t index);

#endif
