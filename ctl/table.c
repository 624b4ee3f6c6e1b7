/* SPDX-License-Identifier: MIT */
#include "ctl/table.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "printable.h"

#define GAP 2
#define CUT_TO_MIN 6 /* columns: narrower says nothing */

struct cell {
    char *text; /* printable */
    enum colour colour;
};

struct table {
    const struct table_column *columns;
    size_t n_columns;
    struct cell *cells;
    size_t n_cells;
    size_t capacity;
    bool out_of_memory;
};

int table_new(const struct table_column *columns, size_t n_columns, struct table **ret)
{
    assert(n_columns > 0 && n_columns <= TABLE_COLUMNS_MAX);

    struct table *table = calloc(1, sizeof(*table));
    if (!table)
        return -ENOMEM;
    table->columns = columns;
    table->n_columns = n_columns;
    *ret = table;
    return 0;
}

struct table *table_free(struct table *table)
{
    if (!table)
        return NULL;
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
    return NULL;
}

static bool make_room(struct table *table)
{
    if (table->n_cells < table->capacity)
        return true;
    size_t capacity = table->capacity ? 2 * table->capacity : 8 * table->n_columns;
    struct cell *cells = reallocarray(table->cells, capacity, sizeof(*cells));
    if (!cells)
        return false;
    table->cells = cells;
    table->capacity = capacity;
    return true;
}

void table_add(struct table *table, enum colour colour, const char *text)
{
    char *printable = printable_new(text ? text : "");

    if (!printable || !make_room(table)) {
        free(printable);
        table->out_of_memory = true;
        return;
    }
    table->cells[table->n_cells++] = (struct cell){.text = printable, .colour = colour};
}

void table_addf(struct table *table, enum colour colour, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    if (text)
        table_add(table, colour, text);
    else
        table->out_of_memory = true;
}

size_t table_rows(const struct table *table)
{
    assert(table->n_columns > 0);
    return (table->n_cells + table->n_columns - 1) / table->n_columns;
}

static const struct cell *cell_at(const struct table *table, size_t row, size_t column)
{
    size_t i = row * table->n_columns + column;

    return i < table->n_cells ? &table->cells[i] : NULL;
}

static size_t total_width(const struct table *table, const size_t *widths)
{
    size_t total = GAP * (table->n_columns - 1);

    for (size_t column = 0; column < table->n_columns; column++)
        total += widths[column];
    return total;
}

/* NULL: there is none left to be cut. */
static size_t *widest_to_cut(const struct table *table, size_t *widths)
{
    size_t *widest = NULL;

    for (size_t column = 0; column < table->n_columns; column++) {
        if (table->columns[column].may_be_cut && widths[column] > CUT_TO_MIN &&
            (!widest || widths[column] > *widest))
            widest = &widths[column];
    }
    return widest;
}

static void lay_out(const struct table *table, size_t limit, size_t *ret_widths)
{
    for (size_t column = 0; column < table->n_columns; column++) {
        ret_widths[column] = text_width(table->columns[column].title);
        for (size_t row = 0; row < table_rows(table); row++) {
            const struct cell *cell = cell_at(table, row, column);
            size_t width = cell ? text_width(cell->text) : 0;
            if (width > ret_widths[column])
                ret_widths[column] = width;
        }
    }
    size_t *widest;
    while (limit > 0 && total_width(table, ret_widths) > limit &&
           (widest = widest_to_cut(table, ret_widths)))
        (*widest)--;
}

static void pad(const struct terminal *terminal, size_t n)
{
    fprintf(terminal->out, "%*s", (int)n, "");
}

/* Returns 0 or -ENOMEM. */
static int print_cell(const struct terminal *terminal, const struct table_column *column,
                      enum colour colour, const char *text, size_t width, bool is_last)
{
    size_t own = text_width(text), shown = own < width ? own : width;

    if (column->is_number)
        pad(terminal, width - shown);
    int r = terminal_write(terminal, colour, text, width);
    if (!is_last)
        pad(terminal, (column->is_number ? 0 : width - shown) + GAP);
    return r < 0 ? r : 0;
}

/* So that no line ends in spaces. */
static size_t last_in_row(const struct table *table, size_t row)
{
    size_t column = table->n_columns - 1;

    while (column > 0 && (!cell_at(table, row, column) || !*cell_at(table, row, column)->text))
        column--;
    return column;
}

static int print_row(const struct table *table, const struct terminal *terminal,
                     const size_t *widths, size_t row)
{
    size_t last = last_in_row(table, row);
    int r = 0;

    for (size_t column = 0; column <= last && r == 0; column++) {
        const struct cell *cell = cell_at(table, row, column);
        r = print_cell(terminal, &table->columns[column], cell->colour, cell->text, widths[column],
                       column == last);
    }
    fputc('\n', terminal->out);
    return r;
}

int table_print(const struct table *table, const struct terminal *terminal)
{
    size_t widths[TABLE_COLUMNS_MAX];
    int r = 0;

    if (table->out_of_memory)
        return -ENOMEM;
    lay_out(table, terminal->width, widths);
    for (size_t column = 0; column < table->n_columns && r == 0; column++)
        r = print_cell(terminal, &table->columns[column], COLOUR_BOLD, table->columns[column].title,
                       widths[column], column + 1 == table->n_columns);
    fputc('\n', terminal->out);
    for (size_t row = 0; row < table_rows(table) && r == 0; row++)
        r = print_row(table, terminal, widths, row);
    return r;
}
