/* SPDX-License-Identifier: MIT */
#include "sim/filter_pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/expression.h"
#include "sim/filter_structured.h"
#include "src/cleanup.h"

#define TERMS_MAX 512 /* a pattern has at most 1,024 characters */
#define REGEXES_MAX 2 /* "a maximum of 2 regular expressions for each filter pattern" */

enum term_kind { TERM_REQUIRED, TERM_OPTIONAL, TERM_EXCLUDED };

struct term {
    enum term_kind kind;
    char *text;                    /* or */
    struct expression *expression; /* %...% */
};

struct filter_pattern {
    struct filter_json *json;
    struct filter_fields *fields;
    struct term *terms; /* when neither */
    size_t n_terms;
    bool optional_count; /* there are only optional terms: one must match */
};

struct filter_pattern *filter_pattern_free(struct filter_pattern *pattern)
{
    if (!pattern)
        return NULL;
    filter_json_free(pattern->json);
    filter_fields_free(pattern->fields);
    for (size_t i = 0; i < pattern->n_terms; i++) {
        free(pattern->terms[i].text);
        expression_free(pattern->terms[i].expression);
    }
    free(pattern->terms);
    free(pattern);
    return NULL;
}

DEFINE_CLEANUP(struct filter_pattern *, filter_pattern_free)

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_term_end(char c)
{
    return c == '\0' || is_blank(c);
}

/* "...", a backslash takes the meaning from a quote or a backslash; before others it stays. */
static int read_phrase(const char **in, char **ret)
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
    if (*c != '"' || !is_term_end(c[1])) {
        free(text);
        return -EINVAL;
    }
    *in = c + 1;
    *ret = text;
    return 0;
}

static int read_regex(const char **in, struct expression **ret)
{
    const char *start = *in + 1, *end = start;
    while (*end && *end != '%')
        end++;
    if (!*end || !is_term_end(end[1]) ||
        !expression_is_for_filter_pattern(start, (size_t)(end - start)))
        return -EINVAL;
    *in = end + 1;
    return expression_new(start, (size_t)(end - start), ret);
}

static int read_word(const char **in, char **ret)
{
    size_t length = 0;
    while (is_word((*in)[length]))
        length++;
    if (length == 0 || !is_term_end((*in)[length]))
        return -EINVAL;
    *ret = strndup(*in, length);
    *in += length;
    return *ret ? 0 : -ENOMEM;
}

static int read_term(const char **in, struct term *ret)
{
    *ret = (struct term){.kind = TERM_REQUIRED};
    if (**in == '?' || **in == '-') {
        ret->kind = **in == '?' ? TERM_OPTIONAL : TERM_EXCLUDED;
        (*in)++;
    }
    switch (**in) {
    case '"':
        return read_phrase(in, &ret->text);
    case '%':
        return read_regex(in, &ret->expression);
    default:
        return read_word(in, &ret->text);
    }
}

static int read_terms(struct filter_pattern *pattern, const char *text)
{
    size_t n_regexes = 0, n_optional = 0;
    for (;;) {
        while (is_blank(*text))
            text++;
        if (!*text)
            break;
        if (pattern->n_terms == TERMS_MAX)
            return -EINVAL;
        struct term *grown =
            reallocarray(pattern->terms, pattern->n_terms + 1, sizeof(*pattern->terms));
        if (!grown)
            return -ENOMEM;
        pattern->terms = grown;
        struct term *term = &grown[pattern->n_terms];
        int r = read_term(&text, term);
        if (r < 0)
            return r;
        pattern->n_terms++;
        n_optional += term->kind == TERM_OPTIONAL;
        n_regexes += term->expression != NULL;
        if (n_regexes > REGEXES_MAX)
            return -EINVAL;
    }
    pattern->optional_count = n_optional > 0 && n_optional == pattern->n_terms;
    return 0;
}

int filter_pattern_new(const char *text, struct filter_pattern **ret)
{
    _cleanup_(filter_pattern_free) struct filter_pattern *pattern = calloc(1, sizeof(*pattern));
    if (!pattern)
        return -ENOMEM;
    while (is_blank(*text))
        text++;

    int r;
    if (*text == '{')
        r = filter_json_new(text, &pattern->json);
    else if (*text == '[')
        r = filter_fields_new(text, &pattern->fields);
    else
        r = read_terms(pattern, text);
    if (r < 0)
        return r;
    *ret = TAKE(pattern);
    return 0;
}

static bool term_is_in(const struct term *term, const char *message)
{
    return term->expression ? expression_matches(term->expression, message)
                            : strstr(message, term->text) != NULL;
}

bool filter_pattern_matches(const struct filter_pattern *pattern, const char *message)
{
    if (pattern->json)
        return filter_json_matches(pattern->json, message);
    if (pattern->fields)
        return filter_fields_matches(pattern->fields, message);

    bool optional_seen = false;
    for (size_t i = 0; i < pattern->n_terms; i++) {
        const struct term *term = &pattern->terms[i];
        if (term->kind == TERM_OPTIONAL && !pattern->optional_count)
            continue;
        bool is_in = term_is_in(term, message);
        if (term->kind == TERM_OPTIONAL)
            optional_seen = optional_seen || is_in;
        else if (is_in != (term->kind == TERM_REQUIRED))
            return false;
    }
    return !pattern->optional_count || optional_seen;
}
