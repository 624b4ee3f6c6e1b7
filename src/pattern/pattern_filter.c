/* SPDX-License-Identifier: MIT */
/*
 * The pattern as FilterLogEvents' filter pattern: every event that matches, and as few others as can
 * be had for certain. Nothing here rests on rules that AWS does not state, since a filter that is
 * refused, or lets too little through, is a wake that does not come.
 *
 * CloudWatch Logs User Guide, "Filter pattern syntax for metric filters, subscription filters, filter
 * log events, and Live Tail":
 * - Terms with other characters than letters, digits and `_` stand in double quotes. All terms of a
 *   pattern must be in the event. Terms are substrings, not words: the guide's archived edition has
 *   ERROR find "ERRORCODE", and Exception find "IllegalArgumentException"; users have measured that
 *   "admin" in quotes finds "fsxadmin".
 * - How a quote or a backslash is written within quotes is not said, nor whether `%` is safe there,
 *   nor is the treatment of characters beyond ASCII in unstructured events. So a literal is cut at
 *   these, and the pieces between them are asked for; the exact test does the rest.
 * - -"phrase" excludes, but only the including side may err. Excludes are left to the exact test.
 * - A regular expression stands between `%`. It may consist of letters, digits, `: _ # = @ / ; , -`
 *   and the operators `^ $ ? [ ] { } | \ * + .`; another character is written \xhh (the API refuses
 *   a blank or a parenthesis with "Invalid character(s) in term"). There are no groups. What it says
 *   of the inside of a class ends at lists and ranges, so escapes in a class are not used.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern/pattern_internal.h"

#define FILTER_MAX 1024 /* filterPattern's length (API Reference, FilterLogEvents) */
#define HEX_DIGITS "0123456789ABCDEF"

struct filter {
    char text[FILTER_MAX + 1];
    size_t length;
};

static size_t room(const struct filter *filter)
{
    return FILTER_MAX - filter->length;
}

static void append(struct filter *filter, const char *text, size_t length)
{
    memcpy(&filter->text[filter->length], text, length);
    filter->length += length;
}

/* ---- Phrases ---- */

static bool is_sayable(char character)
{
    return character >= ' ' && character <= '~' && !strchr("\"\\%", character);
}

/* A quoted phrase; of one that is too long, its beginning; of one that is all blanks, nothing. */
static void append_phrase(struct filter *filter, const char *phrase, size_t length)
{
    const char *open = filter->length > 0 ? " \"" : "\"";
    const size_t around = strlen(open) + strlen("\"");
    if (strspn(phrase, " ") >= length || room(filter) <= around)
        return;
    if (length > room(filter) - around)
        length = room(filter) - around;
    append(filter, open, strlen(open));
    append(filter, phrase, length);
    append(filter, "\"", 1);
}

/* Whatever holds the literal holds all of its pieces. */
static void append_literal(struct filter *filter, const char *literal)
{
    while (*literal) {
        size_t length = 0;
        while (literal[length] && is_sayable(literal[length]))
            length++;
        append_phrase(filter, literal, length);
        literal += length;
        if (*literal)
            literal++;
    }
}

/* ---- Regular expressions ---- */

static bool is_supported_symbol(char character)
{
    return isalnum((unsigned char)character) || strchr(":_#=@/;,-", character);
}

/* Appends if there is room, one character for the closing % kept back. */
static bool append_token(struct filter *filter, const char *text, size_t length)
{
    if (length + 1 > room(filter))
        return false;
    append(filter, text, length);
    return true;
}

static bool append_character(struct filter *filter, char character)
{
    if (is_supported_symbol(character))
        return append_token(filter, &character, 1);
    if (strchr("^$?[]{}|\\*+.", character))
        return append_token(filter, (char[]){'\\', character}, 2);
    unsigned code = (unsigned char)character;
    return append_token(filter, (char[]){'\\', 'x', HEX_DIGITS[code >> 4], HEX_DIGITS[code & 0xf]},
                        4);
}

/* A class is taken if it is a plain list or range. Returns its length in *ret. */
static bool append_class(struct filter *filter, const char *text, size_t *ret)
{
    size_t length = 1;
    if (text[length] == '^')
        length++;
    for (; text[length] != ']'; length++)
        if (!is_supported_symbol(text[length]))
            return false;
    *ret = length + 1;
    return append_token(filter, text, *ret);
}

/* {m} is not in the guide, {m,m} is. */
static bool append_braces(struct filter *filter, const char *text, size_t *ret)
{
    size_t length = strcspn(text, "}") + 1;
    size_t digits = strspn(text + 1, "0123456789");
    *ret = length;
    if (text[1 + digits] == ',')
        return append_token(filter, text, length);
    return append_token(filter, text, 1 + digits) && append_token(filter, ",", 1) &&
           append_token(filter, text + 1, digits + 1);
}

static bool append_escape(struct filter *filter, const char *text)
{
    if (text[1] == 't')
        return append_character(filter, '\t');
    if (isalpha((unsigned char)text[1])) /* \d and its like */
        return append_token(filter, text, 2);
    return append_character(filter, text[1]);
}

/* text is a valid expression (pattern_regex.h). Returns false if the filter language has not its
 * like, or not the room for it. */
static bool append_regex(struct filter *filter, const char *text)
{
    if (!append_token(filter, "%", 1))
        return false;
    for (size_t length; *text; text += length) {
        bool done;
        length = 1;
        if (*text == '(' || *text == ')') {
            done = false;
        } else if (*text == '[') {
            done = append_class(filter, text, &length);
        } else if (*text == '{') {
            done = append_braces(filter, text, &length);
        } else if (*text == '\\') {
            length = 2;
            done = append_escape(filter, text);
        } else if (strchr("^$?|*+.", *text)) {
            done = append_token(filter, text, 1);
        } else {
            done = append_character(filter, *text);
        }
        if (!done)
            return false;
    }
    append(filter, "%", 1);
    return true;
}

static void say(struct filter *filter, const struct pattern_matcher *activity)
{
    if (!activity)
        return;
    if (!activity->regex) {
        append_literal(filter, activity->text);
        return;
    }
    if (pattern_regex_matches_everything(activity->regex))
        return;
    if (append_regex(filter, activity->text))
        return;
    filter->length = 0;
    const char *required;
    for (size_t i = 0; (required = pattern_regex_required(activity->regex, i)); i++)
        append_literal(filter, required);
}

int pattern_filter_new(const struct pattern_matcher *activity, char **ret)
{
    struct filter filter = {.length = 0};
    say(&filter, activity);
    if (filter.length == 0) {
        *ret = NULL;
        return 0;
    }
    *ret = strndup(filter.text, filter.length);
    return *ret ? 0 : -ENOMEM;
}
