/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_INSIGHTS_PARSER_H
#define PROVISIONERD_SIM_INSIGHTS_PARSER_H

/*
 * Between the files of the parser: insights_words.c reads words, insights_condition.c what stands
 * behind `filter`, insights.c the commands. Functions that read return 0, -EINVAL with the parser's
 * error set, or -ENOMEM.
 */

#include "sim/insights_program.h"

struct insights_parser {
    const char *start, *in;
    int depth;
    char *error; /* the first; allocated */
    struct insights_query *query;
    bool explicit_columns; /* fields or display was given */
    bool limited;          /* behind a limit there is nothing to filter or count */
};

/* Notes the error, unless there is one; returns -EINVAL, or -ENOMEM. */
int insights_malformed(struct insights_parser *p, const char *what);

/* Blanks and comments ("# to the end of the line"). */
void insights_skip_blanks(struct insights_parser *p);

/* True, and behind it, if that is what comes next. Words are taken whole, whatever their case. */
bool insights_take_symbol(struct insights_parser *p, const char *symbol);
bool insights_take_word(struct insights_parser *p, const char *word);

/* @message, status, user.name, `odd-name`, @`odd:name` */
int insights_parse_field(struct insights_parser *p, char **ret);
/* At a quote, or at a slash. */
int insights_parse_string(struct insights_parser *p, char **ret);
int insights_parse_regex(struct insights_parser *p, struct expression **ret);
/* A string or a number, as text. */
int insights_parse_value(struct insights_parser *p, char **ret);

int insights_parse_condition(struct insights_parser *p, struct insights_node **ret);

/* Puts *left and right (NULL: none) below a new node, which becomes *left; frees right on error. */
int insights_join(enum insights_relation relation, struct insights_node **left,
                  struct insights_node *right);
struct insights_node *insights_node_free(struct insights_node *node);

#endif
