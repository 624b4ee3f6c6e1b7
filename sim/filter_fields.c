/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim/filter_condition.h"
#include "sim/filter_structured.h"
#include "src/cleanup.h"

/*
 * [ip, user, ..., status = 4* || status = 5*, bytes > 100]: the message is cut at blanks, "..." and
 * [...] are one field each, and every field is named. "..." among the names stands for any number
 * of fields. Conditions of one field are joined by && or ||, from left to right.
 */

#define FIELDS_MAX 200
#define CONDITIONS_MAX 8 /* of one field */

struct clause {
    bool is_or; /* joined to those before by || */
    struct filter_condition condition;
};

struct field {
    bool ellipsis;
    struct clause clauses[CONDITIONS_MAX];
    size_t n_clauses;
};

struct filter_fields {
    struct field *fields;
    size_t n_fields;
};

struct filter_fields *filter_fields_free(struct filter_fields *pattern)
{
    if (!pattern)
        return NULL;
    for (size_t i = 0; i < pattern->n_fields; i++)
        for (size_t j = 0; j < pattern->fields[i].n_clauses; j++)
            filter_condition_clear(&pattern->fields[i].clauses[j].condition);
    free(pattern->fields);
    free(pattern);
    return NULL;
}

DEFINE_CLEANUP(struct filter_fields *, filter_fields_free)

static size_t name_length(const char *in)
{
    return strspn(in, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
}

static int read_clauses(const char **in, const char *name, size_t length, struct field *field)
{
    for (bool is_or = false;;) {
        if (field->n_clauses == CONDITIONS_MAX)
            return -EINVAL;
        struct clause *clause = &field->clauses[field->n_clauses];
        int r = filter_condition_read(in, &clause->condition);
        if (r < 0)
            return r;
        clause->is_or = is_or;
        field->n_clauses++;

        filter_skip_blanks(in);
        bool more_or = strncmp(*in, "||", 2) == 0;
        if (!more_or && strncmp(*in, "&&", 2) != 0)
            return 0;
        is_or = more_or;
        *in += 2;
        filter_skip_blanks(in);
        /* The same field again: a condition is about its own position. */
        if (strncmp(*in, name, length) != 0 || name_length(*in) != length)
            return -EINVAL;
        *in += length;
        filter_skip_blanks(in);
    }
}

static int read_field(const char **in, struct field *field)
{
    if (strncmp(*in, "...", 3) == 0) {
        field->ellipsis = true;
        *in += 3;
        return 0;
    }
    const char *name = *in;
    size_t length = name_length(name);
    if (length == 0)
        return -EINVAL;
    *in += length;
    filter_skip_blanks(in);
    if (!**in || !strchr("=!<>", **in))
        return 0;
    return read_clauses(in, name, length, field);
}

int filter_fields_new(const char *text, struct filter_fields **ret)
{
    _cleanup_(filter_fields_free) struct filter_fields *pattern = calloc(1, sizeof(*pattern));
    if (!pattern)
        return -ENOMEM;
    const char *in = text + 1; /* behind '[' */
    size_t n_ellipses = 0;
    for (;;) {
        struct field *grown =
            reallocarray(pattern->fields, pattern->n_fields + 1, sizeof(*pattern->fields));
        if (!grown)
            return -ENOMEM;
        pattern->fields = grown;
        struct field *field = &grown[pattern->n_fields++];
        *field = (struct field){0};
        filter_skip_blanks(&in);
        int r = read_field(&in, field);
        if (r < 0)
            return r;
        n_ellipses += field->ellipsis;
        if (pattern->n_fields > FIELDS_MAX || n_ellipses > 1)
            return -EINVAL;
        filter_skip_blanks(&in);
        if (*in == ']')
            break;
        if (*in++ != ',')
            return -EINVAL;
    }
    in++;
    filter_skip_blanks(&in);
    if (*in)
        return -EINVAL;
    *ret = TAKE(pattern);
    return 0;
}

/* Cuts in place; returns how many there are, at most FIELDS_MAX. */
static size_t cut_message(char *text, char **fields)
{
    size_t n = 0;
    while (n < FIELDS_MAX) {
        text += strspn(text, " \t\r\n");
        if (!*text)
            break;
        char *end = *text == '"'   ? strchr(text + 1, '"')
                    : *text == '[' ? strchr(text + 1, ']')
                                   : NULL;
        if (end) {
            fields[n++] = text + 1;
        } else {
            fields[n++] = text;
            end = text + strcspn(text, " \t\r\n");
        }
        if (!*end)
            break;
        *end = '\0';
        text = end + 1;
    }
    return n;
}

static bool field_holds(const struct field *field, const char *value)
{
    bool result = true;
    for (size_t i = 0; i < field->n_clauses; i++) {
        bool holds = filter_condition_holds(&field->clauses[i].condition, value);
        result = field->clauses[i].is_or ? result || holds : result && holds;
    }
    return result;
}

bool filter_fields_matches(const struct filter_fields *pattern, const char *message)
{
    char *values[FIELDS_MAX];
    _cleanup_free_ char *copy = strdup(message);
    if (!copy)
        return false;
    size_t n_values = cut_message(copy, values);

    size_t ellipsis = SIZE_MAX;
    for (size_t i = 0; i < pattern->n_fields; i++)
        if (pattern->fields[i].ellipsis)
            ellipsis = i;
    size_t n_named = pattern->n_fields - (ellipsis != SIZE_MAX);
    if (ellipsis == SIZE_MAX ? n_values != n_named : n_values < n_named)
        return false;

    for (size_t i = 0; i < pattern->n_fields; i++) {
        if (i == ellipsis)
            continue;
        /* Behind the ellipsis, positions count from the end. */
        size_t at = i < ellipsis ? i : n_values - (pattern->n_fields - i);
        if (!field_holds(&pattern->fields[i], values[at]))
            return false;
    }
    return true;
}
