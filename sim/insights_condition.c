/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/insights_parser.h"
#include "src/cleanup.h"

/* What stands behind `filter`: or, and, not, comparisons. */

#define DEPTH_MAX 32

struct insights_node *insights_node_free(struct insights_node *node)
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

static int node_new(enum insights_relation relation, struct insights_node **ret)
{
    *ret = calloc(1, sizeof(**ret));
    if (!*ret)
        return -ENOMEM;
    (*ret)->relation = relation;
    return 0;
}

/* Puts `left` below a new node; on error it is freed. */
int insights_join(enum insights_relation relation, struct insights_node **left,
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
    return insights_join(INSIGHTS_NOT, node, NULL);
}

static int parse_like(struct insights_parser *p, struct insights_node *node)
{
    insights_skip_blanks(p);
    if (*p->in == '/') {
        node->relation = INSIGHTS_MATCHES;
        return insights_parse_regex(p, &node->expression);
    }
    node->relation = INSIGHTS_CONTAINS;
    if (*p->in != '"' && *p->in != '\'')
        return insights_malformed(p, "like: a string or /regular expression/ is expected, but");
    return insights_parse_string(p, &node->text);
}

static int parse_comparison(struct insights_parser *p, struct insights_node *node)
{
    static const struct {
        const char *symbol;
        enum insights_relation relation;
    } operators[] = {
        {"!=", INSIGHTS_NOT_EQUAL}, {"<=", INSIGHTS_LESS_EQUAL}, {">=", INSIGHTS_GREATER_EQUAL},
        {"=", INSIGHTS_EQUAL},      {"<", INSIGHTS_LESS},        {">", INSIGHTS_GREATER},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(operators); i++) {
        if (!insights_take_symbol(p, operators[i].symbol))
            continue;
        node->relation = operators[i].relation;
        int r = insights_parse_value(p, &node->text);
        if (r == 0)
            node->is_number = insights_number(node->text, &node->number);
        return r;
    }
    return insights_malformed(p, "an operator is expected, but");
}

/* field in ["a", 2]: the alternatives as equalities. */
static int parse_in(struct insights_parser *p, struct insights_node **node)
{
    if (!insights_take_symbol(p, "["))
        return insights_malformed(p, "in: '[' is expected, but");
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
            if (insights_join(INSIGHTS_OR, node, equality) < 0)
                return -ENOMEM;
        }
        target->relation = INSIGHTS_EQUAL;
        int r = insights_parse_value(p, &target->text);
        if (r < 0)
            return r;
        target->is_number = insights_number(target->text, &target->number);
        if (insights_take_symbol(p, "]"))
            return 0;
        if (!insights_take_symbol(p, ","))
            return insights_malformed(p, "in: ',' or ']' is expected, but");
    }
}

/* ispresent(field), isempty(field) */
static int parse_presence(struct insights_parser *p, enum insights_relation relation,
                          struct insights_node **ret)
{
    _cleanup_(insights_node_free) struct insights_node *node = NULL;
    if (node_new(relation, &node) < 0)
        return -ENOMEM;
    if (!insights_take_symbol(p, "("))
        return insights_malformed(p, "'(' is expected, but");
    int r = insights_parse_field(p, &node->field);
    if (r < 0)
        return r;
    if (!insights_take_symbol(p, ")"))
        return insights_malformed(p, "')' is expected, but");
    *ret = TAKE(node);
    return 0;
}

static int parse_primary(struct insights_parser *p, struct insights_node **ret)
{
    _cleanup_(insights_node_free) struct insights_node *node = NULL;
    if (insights_take_symbol(p, "(")) {
        int r = insights_parse_condition(p, &node);
        if (r < 0)
            return r;
        if (!insights_take_symbol(p, ")"))
            return insights_malformed(p, "')' is expected, but");
        *ret = TAKE(node);
        return 0;
    }
    if (insights_take_word(p, "ispresent"))
        return parse_presence(p, INSIGHTS_IS_PRESENT, ret);
    if (insights_take_word(p, "isempty"))
        return parse_presence(p, INSIGHTS_IS_EMPTY, ret);

    if (node_new(INSIGHTS_EQUAL, &node) < 0)
        return -ENOMEM;
    int r = insights_parse_field(p, &node->field);
    if (r < 0)
        return r;
    bool negated = insights_take_word(p, "not");
    if (insights_take_word(p, "like") || insights_take_symbol(p, "=~"))
        r = parse_like(p, node);
    else if (insights_take_word(p, "in"))
        r = parse_in(p, &node);
    else if (negated)
        r = insights_malformed(p, "'like' or 'in' is expected, but");
    else
        r = parse_comparison(p, node);
    if (r == 0 && negated)
        r = negate(&node);
    if (r == 0)
        *ret = TAKE(node);
    return r;
}

static int parse_not(struct insights_parser *p, struct insights_node **ret)
{
    if (++p->depth > DEPTH_MAX)
        return insights_malformed(p, "nested too deeply:");
    bool negated = insights_take_word(p, "not");
    int r = negated ? parse_not(p, ret) : parse_primary(p, ret);
    p->depth--;
    if (r == 0 && negated)
        r = negate(ret);
    return r;
}

static int parse_and(struct insights_parser *p, struct insights_node **ret)
{
    int r = parse_not(p, ret);
    while (r == 0 && insights_take_word(p, "and")) {
        struct insights_node *right = NULL;
        r = parse_not(p, &right);
        if (r == 0)
            r = insights_join(INSIGHTS_AND, ret, right);
        else
            insights_node_free(right);
    }
    return r;
}

int insights_parse_condition(struct insights_parser *p, struct insights_node **ret)
{
    int r = parse_and(p, ret);
    while (r == 0 && insights_take_word(p, "or")) {
        struct insights_node *right = NULL;
        r = parse_and(p, &right);
        if (r == 0)
            r = insights_join(INSIGHTS_OR, ret, right);
        else
            insights_node_free(right);
    }
    return r;
}
