/* SPDX-License-Identifier: MIT */
#include "sim/insights.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim/insights_program.h"
#include "src/cleanup.h"

/* The parser: recursive descent over the text, one function a command. */

#define DEPTH_MAX 32

struct parser {
    const char *start, *in;
    int depth;
    char *error;
    struct insights_query *query;
    bool explicit_columns; /* fields or display was given */
    bool limited;          /* behind a limit there is nothing to filter or count */
};

static struct insights_node *insights_node_free(struct insights_node *node)
{
    if (!node)
        return NULL;
    insights_node_free(node->left);
    insights_node_free(node->right);
    free(node->field);
    free(node->text);
    expression_free(node->expression);
    free(node);
    return NULL;
}

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

/* Keeps the first message. Returns -EINVAL, or -ENOMEM. */
static int malformed(struct parser *p, const char *what)
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
static void skip_blanks(struct parser *p)
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

static bool take_symbol(struct parser *p, const char *symbol)
{
    skip_blanks(p);
    size_t length = strlen(symbol);
    if (strncmp(p->in, symbol, length) != 0)
        return false;
    p->in += length;
    return true;
}

static bool take_word(struct parser *p, const char *word)
{
    skip_blanks(p);
    size_t length = strlen(word);
    if (strncasecmp(p->in, word, length) != 0 || is_name_byte(p->in[length]) ||
        p->in[length] == '.')
        return false;
    p->in += length;
    return true;
}

/* A field: @message, status, user.name, `odd-name`, @`odd:name`. */
static int parse_field(struct parser *p, char **ret)
{
    skip_blanks(p);
    const char *at = *p->in == '@' ? "@" : "";
    const char *start = p->in + strlen(at);
    size_t length = 0;

    if (*start == '`') {
        start++;
        length = strcspn(start, "`");
        if (length == 0 || start[length] != '`')
            return malformed(p, "unterminated field name");
        p->in = start + length + 1;
    } else {
        if (!isdigit((unsigned char)*start))
            while (is_name_byte(start[length]) || (length > 0 && start[length] == '.'))
                length++;
        if (length == 0)
            return malformed(p, "a field is expected, but");
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
static int parse_string(struct parser *p, char **ret)
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
        return malformed(p, "unterminated string");
    }
    p->in = c + 1;
    *ret = text;
    return 0;
}

/* Slash to slash; "\/" is a slash. */
static int parse_regex(struct parser *p, struct expression **ret)
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
        return malformed(p, "unterminated regular expression");
    int r = expression_new(text, (size_t)(out - text), ret);
    if (r == -EINVAL)
        return malformed(p, "invalid regular expression");
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

static int parse_number(struct parser *p, char **ret)
{
    skip_blanks(p);
    size_t length = strspn(p->in, "+-.0123456789eE");
    char *text = strndup(p->in, length);
    double number;
    if (!text)
        return -ENOMEM;
    if (!insights_number(text, &number)) {
        free(text);
        return malformed(p, "a value is expected, but");
    }
    p->in += length;
    *ret = text;
    return 0;
}

static int parse_value(struct parser *p, char **ret)
{
    skip_blanks(p);
    return *p->in == '"' || *p->in == '\'' ? parse_string(p, ret) : parse_number(p, ret);
}

static int node_new(enum insights_relation relation, struct insights_node **ret)
{
    *ret = calloc(1, sizeof(**ret));
    if (!*ret)
        return -ENOMEM;
    (*ret)->relation = relation;
    return 0;
}

/* Puts `left` below a new node; on error it is freed. */
static int join(enum insights_relation relation, struct insights_node **left,
                struct insights_node *right)
{
    struct insights_node *joined;
    if (node_new(relation, &joined) < 0) {
        insights_node_free(right);
        return -ENOMEM;
    }
    joined->left = *left;
    joined->right = right;
    *left = joined;
    return 0;
}

static int negate(struct insights_node **node)
{
    return join(INSIGHTS_NOT, node, NULL);
}

static int parse_like(struct parser *p, struct insights_node *node)
{
    skip_blanks(p);
    if (*p->in == '/') {
        node->relation = INSIGHTS_MATCHES;
        return parse_regex(p, &node->expression);
    }
    node->relation = INSIGHTS_CONTAINS;
    if (*p->in != '"' && *p->in != '\'')
        return malformed(p, "like: a string or /regular expression/ is expected, but");
    return parse_string(p, &node->text);
}

static int parse_comparison(struct parser *p, struct insights_node *node)
{
    static const struct {
        const char *symbol;
        enum insights_relation relation;
    } operators[] = {
        {"!=", INSIGHTS_NOT_EQUAL}, {"<=", INSIGHTS_LESS_EQUAL}, {">=", INSIGHTS_GREATER_EQUAL},
        {"=", INSIGHTS_EQUAL},      {"<", INSIGHTS_LESS},        {">", INSIGHTS_GREATER},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(operators); i++) {
        if (!take_symbol(p, operators[i].symbol))
            continue;
        node->relation = operators[i].relation;
        int r = parse_value(p, &node->text);
        if (r == 0)
            node->is_number = insights_number(node->text, &node->number);
        return r;
    }
    return malformed(p, "an operator is expected, but");
}

/* field in ["a", 2]: the alternatives as equalities. */
static int parse_in(struct parser *p, struct insights_node **node)
{
    if (!take_symbol(p, "["))
        return malformed(p, "in: '[' is expected, but");
    for (bool first = true;; first = false) {
        struct insights_node *target = *node;
        if (!first) {
            struct insights_node *equality;
            if (node_new(INSIGHTS_EQUAL, &equality) < 0)
                return -ENOMEM;
            const struct insights_node *before = *node;
            while (before->relation == INSIGHTS_OR)
                before = before->left;
            equality->field = strdup(before->field);
            target = equality;
            if (!equality->field) {
                insights_node_free(equality);
                return -ENOMEM;
            }
            if (join(INSIGHTS_OR, node, equality) < 0)
                return -ENOMEM;
        }
        target->relation = INSIGHTS_EQUAL;
        int r = parse_value(p, &target->text);
        if (r < 0)
            return r;
        target->is_number = insights_number(target->text, &target->number);
        if (take_symbol(p, "]"))
            return 0;
        if (!take_symbol(p, ","))
            return malformed(p, "in: ',' or ']' is expected, but");
    }
}

/* ispresent(field), isempty(field) */
static int parse_presence(struct parser *p, enum insights_relation relation,
                          struct insights_node **ret)
{
    _cleanup_(insights_node_free) struct insights_node *node = NULL;
    if (node_new(relation, &node) < 0)
        return -ENOMEM;
    if (!take_symbol(p, "("))
        return malformed(p, "'(' is expected, but");
    int r = parse_field(p, &node->field);
    if (r < 0)
        return r;
    if (!take_symbol(p, ")"))
        return malformed(p, "')' is expected, but");
    *ret = TAKE(node);
    return 0;
}

static int parse_or(struct parser *p, struct insights_node **ret);

static int parse_primary(struct parser *p, struct insights_node **ret)
{
    _cleanup_(insights_node_free) struct insights_node *node = NULL;
    if (take_symbol(p, "(")) {
        int r = parse_or(p, &node);
        if (r < 0)
            return r;
        if (!take_symbol(p, ")"))
            return malformed(p, "')' is expected, but");
        *ret = TAKE(node);
        return 0;
    }
    if (take_word(p, "ispresent"))
        return parse_presence(p, INSIGHTS_IS_PRESENT, ret);
    if (take_word(p, "isempty"))
        return parse_presence(p, INSIGHTS_IS_EMPTY, ret);

    if (node_new(INSIGHTS_EQUAL, &node) < 0)
        return -ENOMEM;
    int r = parse_field(p, &node->field);
    if (r < 0)
        return r;
    bool negated = take_word(p, "not");
    if (take_word(p, "like") || take_symbol(p, "=~"))
        r = parse_like(p, node);
    else if (take_word(p, "in"))
        r = parse_in(p, &node);
    else if (negated)
        r = malformed(p, "'like' or 'in' is expected, but");
    else
        r = parse_comparison(p, node);
    if (r == 0 && negated)
        r = negate(&node);
    if (r == 0)
        *ret = TAKE(node);
    return r;
}

static int parse_not(struct parser *p, struct insights_node **ret)
{
    if (++p->depth > DEPTH_MAX)
        return malformed(p, "nested too deeply:");
    bool negated = take_word(p, "not");
    int r = negated ? parse_not(p, ret) : parse_primary(p, ret);
    p->depth--;
    if (r == 0 && negated)
        r = negate(ret);
    return r;
}

static int parse_and(struct parser *p, struct insights_node **ret)
{
    int r = parse_not(p, ret);
    while (r == 0 && take_word(p, "and")) {
        struct insights_node *right = NULL;
        r = parse_not(p, &right);
        if (r == 0)
            r = join(INSIGHTS_AND, ret, right);
        else
            insights_node_free(right);
    }
    return r;
}

static int parse_or(struct parser *p, struct insights_node **ret)
{
    int r = parse_and(p, ret);
    while (r == 0 && take_word(p, "or")) {
        struct insights_node *right = NULL;
        r = parse_and(p, &right);
        if (r == 0)
            r = join(INSIGHTS_OR, ret, right);
        else
            insights_node_free(right);
    }
    return r;
}

static int parse_filter(struct parser *p)
{
    _cleanup_(insights_node_free) struct insights_node *condition = NULL;
    if (p->limited || p->query->counts)
        return malformed(p, "filter behind limit or stats is not known here:");
    int r = parse_or(p, &condition);
    if (r < 0)
        return r;
    if (p->query->filter)
        return join(INSIGHTS_AND, &p->query->filter, TAKE(condition));
    p->query->filter = TAKE(condition);
    return 0;
}

/* "as NAME", if it is there; else a copy of `otherwise`. */
static int parse_alias(struct parser *p, const char *otherwise, char **ret)
{
    if (take_word(p, "as"))
        return parse_field(p, ret);
    assert(otherwise);
    *ret = strdup(otherwise);
    return *ret ? 0 : -ENOMEM;
}

static int add_column(struct parser *p)
{
    struct insights_query *query = p->query;
    if (query->n_columns == INSIGHTS_COLUMNS_MAX)
        return malformed(p, "too many fields:");
    struct insights_column *column = &query->columns[query->n_columns];
    *column = (struct insights_column){0};
    int r = parse_field(p, &column->field);
    if (r < 0)
        return r;
    query->n_columns++;
    return parse_alias(p, column->field, &column->name);
}

/* fields add up; display is what remains. */
static int parse_columns(struct parser *p, bool display)
{
    if (p->query->counts)
        return malformed(p, "fields behind stats are not known here:");
    if (display || !p->explicit_columns)
        clear_columns(p->query);
    p->explicit_columns = true;
    int r;
    do {
        r = add_column(p);
    } while (r == 0 && take_symbol(p, ","));
    return r;
}

static int parse_sort(struct parser *p)
{
    if (p->query->counts)
        return malformed(p, "sort behind stats is not known here:");
    free(TAKE(p->query->sort_field));
    int r = parse_field(p, &p->query->sort_field);
    if (r < 0)
        return r;
    p->query->ascending = !take_word(p, "desc"); /* "asc" is the default of the language */
    if (p->query->ascending)
        (void)take_word(p, "asc");
    return 0;
}

static int parse_limit(struct parser *p)
{
    skip_blanks(p);
    char *end;
    errno = 0;
    long long value = isdigit((unsigned char)*p->in) ? strtoll(p->in, &end, 10) : -1;
    if (value < 1 || value > INSIGHTS_LIMIT_MAX || errno != 0)
        return malformed(p, "limit: a number from 1 to 10000 is expected, but");
    p->in = end;
    p->query->limit = value;
    p->limited = true;
    return 0;
}

/* bin(5m): the start of the five minutes. */
static int parse_bin(struct parser *p)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1},       {"s", 1000},    {"min", 60000},  {"m", 60000},
                 {"hr", 3600000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    if (!take_symbol(p, "("))
        return malformed(p, "'(' is expected, but");
    skip_blanks(p);
    const char *start = p->in;
    char *end = NULL;
    long long n = isdigit((unsigned char)*start) ? strtoll(start, &end, 10) : 0;
    if (n < 1 || n > 10000)
        return malformed(p, "bin: a period is expected, but");
    p->in = end;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (!take_word(p, units[i].unit))
            continue;
        if (!take_symbol(p, ")"))
            return malformed(p, "')' is expected, but");
        p->query->bin_ms = n * units[i].ms;
        if (asprintf(&p->query->by_name, "bin(%.*s)", (int)(p->in - 1 - start), start) < 0) {
            p->query->by_name = NULL;
            return -ENOMEM;
        }
        p->query->by_field = strdup("@timestamp");
        return p->query->by_field ? 0 : -ENOMEM;
    }
    return malformed(p, "bin: a unit is expected, but");
}

static int parse_stats(struct parser *p)
{
    struct insights_query *query = p->query;
    if (query->counts || p->limited)
        return malformed(p, "stats behind stats or limit is not known here:");
    if (!take_word(p, "count") || !take_symbol(p, "("))
        return malformed(p, "stats: only count(*) is known here, but");
    const char *name = take_symbol(p, "*") ? "count(*)" : "count()";
    if (!take_symbol(p, ")"))
        return malformed(p, "')' is expected, but");
    query->counts = true;
    int r = parse_alias(p, name, &query->count_name);
    if (r < 0 || !take_word(p, "by"))
        return r;
    if (take_word(p, "bin"))
        return parse_bin(p);
    r = parse_field(p, &query->by_field);
    if (r < 0)
        return r;
    query->by_name = strdup(query->by_field);
    return query->by_name ? 0 : -ENOMEM;
}

static int parse_command(struct parser *p)
{
    if (take_word(p, "fields"))
        return parse_columns(p, false);
    if (take_word(p, "display"))
        return parse_columns(p, true);
    if (take_word(p, "filter"))
        return parse_filter(p);
    if (take_word(p, "sort"))
        return parse_sort(p);
    if (take_word(p, "limit"))
        return parse_limit(p);
    if (take_word(p, "stats"))
        return parse_stats(p);
    skip_blanks(p);
    return malformed(p, "unexpected symbol");
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

    struct parser p = {.start = text, .in = text, .query = query};
    int r;
    do {
        r = parse_command(&p);
    } while (r == 0 && take_symbol(&p, "|"));
    skip_blanks(&p);
    if (r == 0 && *p.in)
        r = malformed(&p, "unexpected symbol");
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
