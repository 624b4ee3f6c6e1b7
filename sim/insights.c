/* SPDX-License-Identifier: MIT */
#include "sim/insights.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/insights_parser.h"
#include "src/cleanup.h"

/* The parser of the commands: recursive descent over the text, one function a command. */

DEFINE_CLEANUP(struct insights_node *, insights_node_free)

static void clear_columns(struct insights_query *query)
{
    for (size_t i = 0; i < query->n_columns; i++) {
        free(query->columns[i].field);
        free(query->columns[i].name);
    }
    query->n_columns = 0;
}

struct insights_query *insights_query_free(struct insights_query *query)
{
    if (!query)
        return NULL;
    clear_columns(query);
    insights_node_free(query->filter);
    free(query->sort_field);
    free(query->count_name);
    free(query->by_field);
    free(query->by_name);
    free(query);
    return NULL;
}

DEFINE_CLEANUP(struct insights_query *, insights_query_free)

static int parse_filter(struct insights_parser *p)
{
    _cleanup_(insights_node_free) struct insights_node *condition = NULL;
    if (p->limited || p->query->counts)
        return insights_malformed(p, "filter behind limit or stats is not known here:");
    int r = insights_parse_condition(p, &condition);
    if (r < 0)
        return r;
    if (p->query->filter)
        return insights_join(INSIGHTS_AND, &p->query->filter, TAKE(condition));
    p->query->filter = TAKE(condition);
    return 0;
}

/* "as NAME", if it is there; else a copy of `otherwise`. */
static int parse_alias(struct insights_parser *p, const char *otherwise, char **ret)
{
    if (insights_take_word(p, "as"))
        return insights_parse_field(p, ret);
    assert(otherwise);
    *ret = strdup(otherwise);
    return *ret ? 0 : -ENOMEM;
}

static int add_column(struct insights_parser *p)
{
    struct insights_query *query = p->query;
    if (query->n_columns == INSIGHTS_COLUMNS_MAX)
        return insights_malformed(p, "too many fields:");
    struct insights_column *column = &query->columns[query->n_columns];
    *column = (struct insights_column){0};
    int r = insights_parse_field(p, &column->field);
    if (r < 0)
        return r;
    query->n_columns++;
    return parse_alias(p, column->field, &column->name);
}

/* fields add up; display is what remains. */
static int parse_columns(struct insights_parser *p, bool display)
{
    if (p->query->counts)
        return insights_malformed(p, "fields behind stats are not known here:");
    if (display || !p->explicit_columns)
        clear_columns(p->query);
    p->explicit_columns = true;
    int r;
    do {
        r = add_column(p);
    } while (r == 0 && insights_take_symbol(p, ","));
    return r;
}

static int parse_sort(struct insights_parser *p)
{
    if (p->query->counts)
        return insights_malformed(p, "sort behind stats is not known here:");
    free(TAKE(p->query->sort_field));
    int r = insights_parse_field(p, &p->query->sort_field);
    if (r < 0)
        return r;
    p->query->ascending = !insights_take_word(p, "desc"); /* "asc" is the default of the language */
    if (p->query->ascending)
        (void)insights_take_word(p, "asc");
    return 0;
}

static int parse_limit(struct insights_parser *p)
{
    insights_skip_blanks(p);
    char *end;
    errno = 0;
    long long value = isdigit((unsigned char)*p->in) ? strtoll(p->in, &end, 10) : -1;
    if (value < 1 || value > INSIGHTS_LIMIT_MAX || errno != 0)
        return insights_malformed(p, "limit: a number from 1 to 10000 is expected, but");
    p->in = end;
    p->query->limit = value;
    p->limited = true;
    return 0;
}

/* bin(5m): the start of the five minutes. */
static int parse_bin(struct insights_parser *p)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1},       {"s", 1000},    {"min", 60000},  {"m", 60000},
                 {"hr", 3600000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    if (!insights_take_symbol(p, "("))
        return insights_malformed(p, "'(' is expected, but");
    insights_skip_blanks(p);
    const char *start = p->in;
    char *end = NULL;
    long long n = isdigit((unsigned char)*start) ? strtoll(start, &end, 10) : 0;
    if (n < 1 || n > 10000)
        return insights_malformed(p, "bin: a period is expected, but");
    p->in = end;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (!insights_take_word(p, units[i].unit))
            continue;
        if (!insights_take_symbol(p, ")"))
            return insights_malformed(p, "')' is expected, but");
        p->query->bin_ms = n * units[i].ms;
        if (asprintf(&p->query->by_name, "bin(%.*s)", (int)(p->in - 1 - start), start) < 0) {
            p->query->by_name = NULL;
            return -ENOMEM;
        }
        p->query->by_field = strdup("@timestamp");
        return p->query->by_field ? 0 : -ENOMEM;
    }
    return insights_malformed(p, "bin: a unit is expected, but");
}

static int parse_stats(struct insights_parser *p)
{
    struct insights_query *query = p->query;
    if (query->counts || p->limited)
        return insights_malformed(p, "stats behind stats or limit is not known here:");
    if (!insights_take_word(p, "count") || !insights_take_symbol(p, "("))
        return insights_malformed(p, "stats: only count(*) is known here, but");
    const char *name = insights_take_symbol(p, "*") ? "count(*)" : "count()";
    if (!insights_take_symbol(p, ")"))
        return insights_malformed(p, "')' is expected, but");
    query->counts = true;
    int r = parse_alias(p, name, &query->count_name);
    if (r < 0 || !insights_take_word(p, "by"))
        return r;
    if (insights_take_word(p, "bin"))
        return parse_bin(p);
    r = insights_parse_field(p, &query->by_field);
    if (r < 0)
        return r;
    query->by_name = strdup(query->by_field);
    return query->by_name ? 0 : -ENOMEM;
}

static int parse_command(struct insights_parser *p)
{
    if (insights_take_word(p, "fields"))
        return parse_columns(p, false);
    if (insights_take_word(p, "display"))
        return parse_columns(p, true);
    if (insights_take_word(p, "filter"))
        return parse_filter(p);
    if (insights_take_word(p, "sort"))
        return parse_sort(p);
    if (insights_take_word(p, "limit"))
        return parse_limit(p);
    if (insights_take_word(p, "stats"))
        return parse_stats(p);
    insights_skip_blanks(p);
    return insights_malformed(p, "unexpected symbol");
}

static int add_default_columns(struct insights_query *query)
{
    static const char *const names[] = {"@timestamp", "@message"};
    for (size_t i = 0; query->n_columns < ARRAY_LENGTH(names); i++) {
        struct insights_column *column = &query->columns[query->n_columns++];
        column->field = strdup(names[i]);
        column->name = strdup(names[i]);
        if (!column->field || !column->name)
            return -ENOMEM;
    }
    return 0;
}

int insights_query_new(const char *text, struct insights_query **ret, char **ret_error,
                       size_t *ret_at)
{
    _cleanup_(insights_query_free) struct insights_query *query = calloc(1, sizeof(*query));
    if (!query)
        return -ENOMEM;
    query->limit = INSIGHTS_LIMIT_MAX;

    struct insights_parser p = {.start = text, .in = text, .query = query};
    int r;
    do {
        r = parse_command(&p);
    } while (r == 0 && insights_take_symbol(&p, "|"));
    insights_skip_blanks(&p);
    if (r == 0 && *p.in)
        r = insights_malformed(&p, "unexpected symbol");
    if (r == 0 && !p.explicit_columns)
        r = add_default_columns(query);
    if (r < 0) {
        *ret_error = p.error;
        *ret_at = (size_t)(p.in - text);
        return p.error ? -EINVAL : r;
    }
    *ret = TAKE(query);
    return 0;
}
