/* SPDX-License-Identifier: MIT */
#include "sim/filter_condition.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"

void filter_skip_blanks(const char **in)
{
    *in += strspn(*in, " \t\r\n");
}

static int read_comparison(const char **in, enum filter_comparison *ret)
{
    static const struct {
        const char *text;
        enum filter_comparison comparison;
    } operators[] = {
        {"!=", FILTER_NOT_EQUAL}, {"<=", FILTER_LESS_EQUAL}, {">=", FILTER_GREATER_EQUAL},
        {"=", FILTER_EQUAL},      {"<", FILTER_LESS},        {">", FILTER_GREATER},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(operators); i++) {
        size_t length = strlen(operators[i].text);
        if (strncmp(*in, operators[i].text, length) == 0) {
            *in += length;
            *ret = operators[i].comparison;
            return 0;
        }
    }
    return -EINVAL;
}

static int read_quoted(const char **in, char **ret)
{
    const char *c = *in + 1;
    char *text = malloc(strlen(c) + 1), *out = text;
    if (!text)
        return -ENOMEM;
    for (; *c && *c != '"'; c++) {
        if (*c == '\\' && (c[1] == '"' || c[1] == '\\'))
            c++;
        *out++ = *c;
    }
    *out = '\0';
    if (*c != '"') {
        free(text);
        return -EINVAL;
    }
    *in = c + 1;
    *ret = text;
    return 0;
}

static int read_regex(const char **in, struct expression **ret)
{
    const char *start = *in + 1, *end = strchr(start, '%');
    if (!end || !expression_is_for_filter_pattern(start, (size_t)(end - start)))
        return -EINVAL;
    *in = end + 1;
    return expression_new(start, (size_t)(end - start), ret);
}

/* A decimal number, and nothing else. */
static bool as_number(const char *text, double *ret)
{
    if (!*text || text[strspn(text, "+-.0123456789eE")])
        return false;
    char *end;
    double value = strtod(text, &end);
    if (*end || !isfinite(value))
        return false;
    *ret = value;
    return true;
}

int filter_condition_read(const char **in, struct filter_condition *ret)
{
    struct filter_condition condition = {0};
    int r = read_comparison(in, &condition.comparison);
    if (r < 0)
        return r;
    filter_skip_blanks(in);

    if (**in == '%') {
        r = read_regex(in, &condition.expression);
    } else if (**in == '"') {
        r = read_quoted(in, &condition.text);
    } else {
        size_t length = strcspn(*in, " \t\r\n,|&()[]{}\"%=<>!");
        if (length == 0)
            return -EINVAL;
        condition.text = strndup(*in, length);
        if (!condition.text)
            return -ENOMEM;
        *in += length;
        condition.is_number = as_number(condition.text, &condition.number);
    }
    if (r == 0 && condition.comparison > FILTER_NOT_EQUAL && !condition.is_number)
        r = -EINVAL;
    if (r < 0) {
        filter_condition_clear(&condition);
        return r;
    }
    *ret = condition;
    return 0;
}

void filter_condition_clear(struct filter_condition *condition)
{
    free(condition->text);
    expression_free(condition->expression);
    *condition = (struct filter_condition){0};
}

static bool wildcard_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

bool filter_condition_holds(const struct filter_condition *condition, const char *text)
{
    double number;
    bool numbers = condition->is_number && as_number(text, &number);
    switch (condition->comparison) {
    case FILTER_EQUAL:
    case FILTER_NOT_EQUAL: {
        bool equal = condition->expression ? expression_matches(condition->expression, text)
                     : numbers             ? fabs(number - condition->number) == 0
                                           : wildcard_matches(condition->text, text);
        return equal == (condition->comparison == FILTER_EQUAL);
    }
    case FILTER_LESS:
        return numbers && number < condition->number;
    case FILTER_LESS_EQUAL:
        return numbers && number <= condition->number;
    case FILTER_GREATER:
        return numbers && number > condition->number;
    case FILTER_GREATER_EQUAL:
        return numbers && number >= condition->number;
    }
    return false;
}
