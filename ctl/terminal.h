/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_TERMINAL_H
#define PROVISIONERCTL_TERMINAL_H

/*
 * Where output goes to, and how text looks there: colour, width, columns.
 *
 * Colour is for a terminal alone, and not when NO_COLOR is set to anything (no-color.org) or TERM is
 * unset or "dumb". The width is the environment's COLUMNS, or the terminal's; 0 means that nobody
 * limits it, and then nothing is cut.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum colour {
    COLOUR_NONE,
    COLOUR_BOLD,
    COLOUR_DIM,
    COLOUR_RED,
    COLOUR_GREEN,
    COLOUR_YELLOW,
    COLOUR_BLUE,
};

struct terminal {
    FILE *out;
    bool is_terminal;
    bool has_colour;
    size_t width; /* columns; 0: no limit */
};

#define TERMINAL_WIDTH_MAX 10000 /* more is a mistake, and taken for no limit */

/* Borrows out. */
struct terminal terminal_of(FILE *out);

/* What to write before and after a text of this colour: "" where there is no colour. */
const char *terminal_begin(const struct terminal *terminal, enum colour colour);
const char *terminal_end(const struct terminal *terminal, enum colour colour);

/* Columns that printable text takes: wide characters take two, combining ones none. */
size_t text_width(const char *printable);

/* How many bytes of printable text fit into so many columns, and the columns they take. */
size_t text_fit(const char *printable, size_t columns, size_t *ret_columns);

/* Writes text escaped (printable.h), and in colour. A text of more than `columns` is cut, with a "…"
 * for the rest; 0: never. Returns the columns written, or -ENOMEM. */
int terminal_write(const struct terminal *terminal, enum colour colour, const char *text,
                   size_t columns);

/* Writes text escaped, in colour, and ends the line. What is longer than the terminal is wide goes on in
 * lines that begin at column `indent`, where the first is now. Returns 0 or -ENOMEM. */
int terminal_write_wrapped(const struct terminal *terminal, enum colour colour, const char *text,
                           size_t indent);

#endif
