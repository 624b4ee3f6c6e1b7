/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_INSIGHTS_PROGRAM_H
#define PROVISIONERD_SIM_INSIGHTS_PROGRAM_H

/* A query as parsed: what insights.c makes, and insights_run.c carries out. */

#include "sim/expression.h"
#include "sim/insights.h"

#define INSIGHTS_COLUMNS_MAX 64
#define INSIGHTS_LIMIT_MAX 10000

enum insights_relation {
    INSIGHTS_OR,
    INSIGHTS_AND,
    INSIGHTS_NOT,
    INSIGHTS_EQUAL,
    INSIGHTS_NOT_EQUAL,
    INSIGHTS_LESS,
    INSIGHTS_LESS_EQUAL,
    INSIGHTS_GREATER,
    INSIGHTS_GREATER_EQUAL,
    INSIGHTS_CONTAINS, /* like "text" */
    INSIGHTS_MATCHES,  /* like /regex/ */
    INSIGHTS_IS_PRESENT,
    INSIGHTS_IS_EMPTY,
};

struct insights_node {
    enum insights_relation relation;
    struct insights_node *left, *right; /* or, and; not: left */
    char *field;
    char *text;
    bool is_number;
    double number;
    struct expression *expression;
};

struct insights_column {
    char *field;
    char *name; /* what the result calls it */
};

struct insights_query {
    struct insights_column columns[INSIGHTS_COLUMNS_MAX];
    size_t n_columns;
    struct insights_node *filter; /* all filters, joined by and; NULL: none */
    char *sort_field;             /* NULL: @timestamp */
    bool ascending;
    int64_t limit; /* INSIGHTS_LIMIT_MAX if none was given */
    bool counts;   /* stats count(*) */
    char *count_name;
    char *by_field; /* NULL: one row */
    char *by_name;
    int64_t bin_ms; /* by bin(): of @timestamp; 0: none */
};

/* A number and nothing else. */
bool insights_number(const char *text, double *ret);

#endif
