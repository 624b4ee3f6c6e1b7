/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim/filter_condition.h"
#include "sim/filter_structured.h"
#include "src/cleanup.h"
#include "src/json.h"

/*
 * { $.a.b[0] = "x" && ($.n > 3 || $.c NOT EXISTS) }, by recursive descent: `||` binds weaker than
 * `&&`; parentheses. A message that is no JSON object never matches.
 */

#define DEPTH_MAX 32
#define CONDITIONS_MAX 100 /* quota: "up to 100 conditions" */

enum node_kind {
    NODE_OR,
    NODE_AND,
    NODE_COMPARE,
    NODE_IS_TRUE,
    NODE_IS_FALSE,
    NODE_IS_NULL,
    NODE_EXISTS,
    NODE_NOT_EXISTS,
};

struct node {
    enum node_kind kind;
    struct node *left, *right;
    char *selector; /* "a.b[0]" */
    struct filter_condition condition;
};

struct filter_json {
    struct node *root;
};

struct parser {
    const char *in;
    int depth;
    int n_conditions;
};

static struct node *node_free(struct node *node)
{
    if (!node)
        return NULL;
    node_free(node->left);
    node_free(node->right);
    free(node->selector);
    filter_condition_clear(&node->condition);
    free(node);
    return NULL;
}

DEFINE_CLEANUP(struct node *, node_free)

struct filter_json *filter_json_free(struct filter_json *pattern)
{
    if (pattern) {
        node_free(pattern->root);
        free(pattern);
    }
    return NULL;
}

DEFINE_CLEANUP(struct filter_json *, filter_json_free)

static bool take(struct parser *p, const char *text)
{
    filter_skip_blanks(&p->in);
    size_t length = strlen(text);
    if (strncasecmp(p->in, text, length) != 0)
        return false;
    p->in += length;
    return true;
}

/* Words in the order given, blanks between them. */
static bool take_words(struct parser *p, const char *first, const char *second)
{
    const char *start = p->in;
    if (take(p, first) && take(p, second))
        return true;
    p->in = start;
    return false;
}

static int parse_selector(struct parser *p, char **ret)
{
    if (!take(p, "$"))
        return -EINVAL;
    if (*p->in == '.')
        p->in++;
    else if (*p->in != '[')
        return -EINVAL;
    size_t length = strcspn(p->in, " \t\r\n=<>!&|(){}\"%");
    if (length == 0)
        return -EINVAL;
    *ret = strndup(p->in, length);
    p->in += length;
    return *ret ? 0 : -ENOMEM;
}

static int parse_condition(struct parser *p, struct node **ret)
{
    static const struct {
        const char *first, *second;
        enum node_kind kind;
    } postfixes[] = {
        {"IS", "TRUE", NODE_IS_TRUE}, {"IS", "FALSE", NODE_IS_FALSE},
        {"IS", "NULL", NODE_IS_NULL}, {"NOT", "EXISTS", NODE_NOT_EXISTS},
        {"EXISTS", "", NODE_EXISTS},
    };
    if (++p->n_conditions > CONDITIONS_MAX)
        return -EINVAL;
    _cleanup_(node_free) struct node *node = calloc(1, sizeof(*node));
    if (!node)
        return -ENOMEM;
    int r = parse_selector(p, &node->selector);
    if (r < 0)
        return r;
    node->kind = NODE_COMPARE;
    for (size_t i = 0; i < ARRAY_LENGTH(postfixes); i++) {
        if (take_words(p, postfixes[i].first, postfixes[i].second)) {
            node->kind = postfixes[i].kind;
            *ret = TAKE(node);
            return 0;
        }
    }
    filter_skip_blanks(&p->in);
    r = filter_condition_read(&p->in, &node->condition);
    if (r == 0)
        *ret = TAKE(node);
    return r;
}

static int parse_chain(struct parser *p, enum node_kind kind, struct node **ret);

static int parse_operand(struct parser *p, struct node **ret)
{
    if (!take(p, "("))
        return parse_condition(p, ret);
    if (++p->depth > DEPTH_MAX)
        return -EINVAL;
    _cleanup_(node_free) struct node *inner = NULL;
    int r = parse_chain(p, NODE_OR, &inner);
    p->depth--;
    if (r < 0)
        return r;
    if (!take(p, ")"))
        return -EINVAL;
    *ret = TAKE(inner);
    return 0;
}

/* a || b || c of chains of &&. */
static int parse_chain(struct parser *p, enum node_kind kind, struct node **ret)
{
    _cleanup_(node_free) struct node *left = NULL;
    int r = kind == NODE_OR ? parse_chain(p, NODE_AND, &left) : parse_operand(p, &left);
    while (r == 0 && take(p, kind == NODE_OR ? "||" : "&&")) {
        struct node *joined = calloc(1, sizeof(*joined));
        if (!joined)
            return -ENOMEM;
        joined->kind = kind;
        joined->left = left;
        left = joined;
        r = kind == NODE_OR ? parse_chain(p, NODE_AND, &joined->right)
                            : parse_operand(p, &joined->right);
    }
    if (r == 0)
        *ret = TAKE(left);
    return r;
}

int filter_json_new(const char *text, struct filter_json **ret)
{
    _cleanup_(filter_json_free) struct filter_json *pattern = calloc(1, sizeof(*pattern));
    if (!pattern)
        return -ENOMEM;
    struct parser p = {.in = text};
    if (!take(&p, "{"))
        return -EINVAL;
    int r = parse_chain(&p, NODE_OR, &pattern->root);
    if (r < 0)
        return r;
    if (!take(&p, "}"))
        return -EINVAL;
    filter_skip_blanks(&p.in);
    if (*p.in)
        return -EINVAL;
    *ret = TAKE(pattern);
    return 0;
}

/* True if there is something at the selector; it may be JSON null. */
static bool resolve(struct json_object *object, const char *selector, struct json_object **ret)
{
    char name[256];
    while (*selector) {
        if (*selector == '[') {
            char *end;
            unsigned long index = strtoul(selector + 1, &end, 10);
            if (*end != ']' || !json_object_is_type(object, json_type_array) ||
                index >= json_object_array_length(object))
                return false;
            object = json_object_array_get_idx(object, index);
            selector = end + 1;
        } else {
            size_t length = strcspn(selector, ".[");
            if (length == 0 || length >= sizeof(name))
                return false;
            snprintf(name, sizeof(name), "%.*s", (int)length, selector);
            if (!json_object_is_type(object, json_type_object) ||
                !json_object_object_get_ex(object, name, &object))
                return false;
            selector += length;
        }
        if (*selector == '.')
            selector++;
    }
    *ret = object;
    return true;
}

static bool compare(const struct node *node, struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
    case json_type_object:
    case json_type_array:
        return false;
    default:
        return filter_condition_holds(&node->condition, json_object_get_string(value));
    }
}

static bool holds(const struct node *node, struct json_object *message)
{
    struct json_object *value = NULL;
    if (node->kind == NODE_OR)
        return holds(node->left, message) || holds(node->right, message);
    if (node->kind == NODE_AND)
        return holds(node->left, message) && holds(node->right, message);
    if (!resolve(message, node->selector, &value))
        return node->kind == NODE_NOT_EXISTS;
    switch (node->kind) {
    case NODE_IS_NULL:
        return value == NULL;
    case NODE_IS_TRUE:
    case NODE_IS_FALSE:
        return json_object_is_type(value, json_type_boolean) &&
               json_object_get_boolean(value) == (node->kind == NODE_IS_TRUE);
    case NODE_EXISTS:
        return true;
    case NODE_COMPARE:
        return compare(node, value);
    default:
        return false;
    }
}

bool filter_json_matches(const struct filter_json *pattern, const char *message)
{
    _cleanup_json_ struct json_object *object = NULL;
    return json_parse(message, strlen(message), &object) == 0 && holds(pattern->root, object);
}
