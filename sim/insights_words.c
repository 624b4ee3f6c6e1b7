/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim/insights_parser.h"
#include "src/cleanup.h"

/* The words of the language: symbols, names, strings, numbers, regular expressions. */

/* Keeps the first message. Returns -EINVAL, or -ENOMEM. */
int insights_malformed(struct insights_parser *p, const char *what)
{
    if (p->error)
        return -EINVAL;
    if (asprintf(&p->error, "%s found '%.40s' at position %zu", what, *p->in ? p->in : "<EOF>",
                 (size_t)(p->in - p->start) + 1) < 0) {
        p->error = NULL;
        return -ENOMEM;
    }
    return -EINVAL;
}

/* Blanks and comments ("# to the end of the line"). */
void insights_skip_blanks(struct insights_parser *p)
{
    for (;;) {
        p->in += strspn(p->in, " \t\r\n");
        if (*p->in != '#')
            return;
        p->in += strcspn(p->in, "\n");
    }
}

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

bool insights_take_symbol(struct insights_parser *p, const char *symbol)
{
    insights_skip_blanks(p);
    size_t length = strlen(symbol);
    if (strncmp(p->in, symbol, length) != 0)
        return false;
    p->in += length;
    return true;
}

bool insights_take_word(struct insights_parser *p, const char *word)
{
    insights_skip_blanks(p);
    size_t length = strlen(word);
    if (strncasecmp(p->in, word, length) != 0 || is_name_byte(p->in[length]) ||
        p->in[length] == '.')
        return false;
    p->in += length;
    return true;
}

/* A field: @message, status, user.name, `odd-name`, @`odd:name`. */
int insights_parse_field(struct insights_parser *p, char **ret)
{
    insights_skip_blanks(p);
    const char *at = *p->in == '@' ? "@" : "";
    const char *start = p->in + strlen(at);
    size_t length = 0;

    if (*start == '`') {
        start++;
        length = strcspn(start, "`");
        if (length == 0 || start[length] != '`')
            return insights_malformed(p, "unterminated field name");
        p->in = start + length + 1;
    } else {
        if (!isdigit((unsigned char)*start))
            while (is_name_byte(start[length]) || (length > 0 && start[length] == '.'))
                length++;
        if (length == 0)
            return insights_malformed(p, "a field is expected, but");
        p->in = start + length;
    }
    if (asprintf(ret, "%s%.*s", at, (int)length, start) < 0) {
        *ret = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* "..." or '...'. A backslash takes the meaning from a quote or a backslash, and makes \n, \t, \r;
 * before anything else it stays. */
int insights_parse_string(struct insights_parser *p, char **ret)
{
    const char quote = *p->in;
    const char *c = p->in + 1;
    char *text = malloc(strlen(c) + 1), *out = text;
    if (!text)
        return -ENOMEM;
    for (; *c && *c != quote; c++) {
        if (*c == '\\' && c[1] && strchr("\"'\\", c[1]))
            *out++ = *++c;
        else if (*c == '\\' && c[1] == 'n')
            *out++ = '\n', c++;
        else if (*c == '\\' && c[1] == 't')
            *out++ = '\t', c++;
        else if (*c == '\\' && c[1] == 'r')
            *out++ = '\r', c++;
        else
            *out++ = *c;
    }
    *out = '\0';
    if (*c != quote) {
        free(text);
        return insights_malformed(p, "unterminated string");
    }
    p->in = c + 1;
    *ret = text;
    return 0;
}

/* Slash to slash; "\/" is a slash. */
int insights_parse_regex(struct insights_parser *p, struct expression **ret)
{
    const char *c = p->in + 1;
    _cleanup_free_ char *text = malloc(strlen(c) + 1);
    if (!text)
        return -ENOMEM;
    char *out = text;
    for (; *c && *c != '/'; c++) {
        if (*c == '\\' && c[1] == '/')
            c++;
        else if (*c == '\\' && c[1])
            *out++ = *c++;
        *out++ = *c;
    }
    if (*c != '/')
        return insights_malformed(p, "unterminated regular expression");
    int r = expression_new(text, (size_t)(out - text), ret);
    if (r == -EINVAL)
        return insights_malformed(p, "invalid regular expression");
    if (r == 0)
        p->in = c + 1;
    return r;
}

bool insights_number(const char *text, double *ret)
{
    char *end;
    if (!*text || text[strspn(text, "+-.0123456789eE")])
        return false;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return false;
    *ret = value;
    return true;
}

static int parse_number(struct insights_parser *p, char **ret)
{
    insights_skip_blanks(p);
    size_t length = strspn(p->in, "+-.0123456789eE");
    char *text = strndup(p->in, length);
    double number;
    if (!text)
        return -ENOMEM;
    if (!insights_number(text, &number)) {
        free(text);
        return insights_malformed(p, "a value is expected, but");
    }
    p->in += length;
    *ret = text;
    return 0;
}

int insights_parse_value(struct insights_parser *p, char **ret)
{
    insights_skip_blanks(p);
    return *p->in == '"' || *p->in == '\'' ? insights_parse_string(p, ret) : parse_number(p, ret);
}
