/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_TABLE_H
#define PROVISIONERCTL_TABLE_H

/*
 * A table for people: a line of titles, columns two spaces apart, as wide as what is in them. When it
 * is wider than the terminal, the columns that may be cut get narrower, the widest first, and what
 * does not fit ends in "…".
 *
 *     static const struct table_column COLUMNS[] = {
 *         {"ENVIRONMENT"}, {"STATE"}, {"WHY", .may_be_cut = true}};
 *     table_new(COLUMNS, ARRAY_LENGTH(COLUMNS), &table);
 *     table_add(table, COLOUR_BOLD, "staging");
 *     table_add(table, COLOUR_GREEN, "awake");
 *     table_addf(table, COLOUR_NONE, "last activity %s ago", ago);
 *     table_print(table, &terminal);
 *
 * Adding never fails: want of memory comes out of table_print(), which then prints nothing.
 */

#include "ctl/terminal.h"

#define TABLE_COLUMNS_MAX 16

struct table;

struct table_column {
    const char *title;
    bool may_be_cut;
    bool is_number; /* stands at the right of its column */
};

/* Borrows columns. Returns 0 or -ENOMEM. */
int table_new(const struct table_column *columns, size_t n_columns, struct table **ret);
struct table *table_free(struct table *table);

/* The next cell, from left to right, row by row; text is copied and escaped. NULL: an empty cell. */
void table_add(struct table *table, enum colour colour, const char *text);
void table_addf(struct table *table, enum colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

size_t table_rows(const struct table *table);

/* Returns 0 or -ENOMEM. */
int table_print(const struct table *table, const struct terminal *terminal);

#endif
