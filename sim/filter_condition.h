/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_FILTER_CONDITION_H
#define PROVISIONERD_SIM_FILTER_CONDITION_H

/*
 * `= "value"`, `!= 4*`, `>= 400`, `= %regex%`: the comparisons that JSON and space-delimited filter
 * patterns have in common.
 */

#include <stdbool.h>

#include "sim/expression.h"

enum filter_comparison {
    FILTER_EQUAL,
    FILTER_NOT_EQUAL,
    FILTER_LESS,
    FILTER_LESS_EQUAL,
    FILTER_GREATER,
    FILTER_GREATER_EQUAL,
};

struct filter_condition {
    enum filter_comparison comparison;
    char *text;                    /* with '*' wildcards where unquoted or quoted alike */
    struct expression *expression; /* instead of text */
    bool is_number;
    double number;
};

void filter_skip_blanks(const char **in);

/* Reads operator and value; *in goes behind them. Returns 0, -EINVAL or -ENOMEM. */
int filter_condition_read(const char **in, struct filter_condition *ret);
void filter_condition_clear(struct filter_condition *condition);

/* Of a value's text; a number compares as one if both are numbers. */
bool filter_condition_holds(const struct filter_condition *condition, const char *text);

#endif
