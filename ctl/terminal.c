/* SPDX-License-Identifier: MIT */
#include "ctl/terminal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "cleanup.h"
#include "printable.h"

#define CUT_MARK "…"
#define WRAP_TO_MIN 20 /* columns: narrower cannot be read */

/* ECMA-48, SGR. Of the sixteen colours only those that can be read on light and dark alike. */
static const char *const SEQUENCES[] = {
    [COLOUR_NONE] = "",         [COLOUR_BOLD] = "\033[1m",   [COLOUR_DIM] = "\033[2m",
    [COLOUR_RED] = "\033[31m",  [COLOUR_GREEN] = "\033[32m", [COLOUR_YELLOW] = "\033[33m",
    [COLOUR_BLUE] = "\033[34m",
};

static bool wants_colour(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return !(no_color && no_color[0]) && term && term[0] && strcmp(term, "dumb") != 0;
}

static size_t width_of(int fd)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;

    if (columns) {
        char *end;
        unsigned long width = strtoul(columns, &end, 10);
        if (end != columns && !*end && width <= TERMINAL_WIDTH_MAX)
            return width;
    }
    if (isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0)
        return size.ws_col;
    return 0;
}

struct terminal terminal_of(FILE *out)
{
    int fd = fileno(out);
    bool is_terminal = fd >= 0 && isatty(fd);

    return (struct terminal){.out = out,
                             .is_terminal = is_terminal,
                             .has_colour = is_terminal && wants_colour(),
                             .width = width_of(fd)};
}

const char *terminal_begin(const struct terminal *terminal, enum colour colour)
{
    return terminal->has_colour ? SEQUENCES[colour] : "";
}

const char *terminal_end(const struct terminal *terminal, enum colour colour)
{
    return terminal->has_colour && colour != COLOUR_NONE ? "\033[0m" : "";
}

size_t text_fit(const char *printable, size_t columns, size_t *ret_columns)
{
    size_t length = 0, width = 0;

    while (printable[length]) {
        size_t n;
        int own = wcwidth((wchar_t)printable_decode(printable + length, &n));
        size_t wide = own < 0 ? 1 : (size_t)own;

        if (width + wide > columns)
            break;
        width += wide;
        length += n;
    }
    *ret_columns = width;
    return length;
}

size_t text_width(const char *printable)
{
    size_t width;

    text_fit(printable, SIZE_MAX, &width);
    return width;
}

int terminal_write(const struct terminal *terminal, enum colour colour, const char *text,
                   size_t columns)
{
    _cleanup_free_ char *printable = printable_new(text);
    if (!printable)
        return -ENOMEM;
    size_t width = text_width(printable), length = strlen(printable);
    bool is_cut = columns > 0 && width > columns;

    if (is_cut)
        length = text_fit(printable, columns - 1, &width);
    fprintf(terminal->out, "%s%.*s%s%s", terminal_begin(terminal, colour), (int)length, printable,
            is_cut ? CUT_MARK : "", terminal_end(terminal, colour));
    width += is_cut;
    return width < INT_MAX ? (int)width : INT_MAX;
}

/* How much of the text stands in one line: up to the last space within `columns`; a word that is longer
 * is broken. */
static size_t line_length(const char *text, size_t columns)
{
    size_t width, length = text_fit(text, columns, &width);

    if (!text[length] || text[length] == ' ')
        return length;
    for (size_t i = length; i > 0; i--) {
        if (text[i - 1] == ' ')
            return i - 1 > 0 ? i - 1 : length;
    }
    return length;
}

int terminal_write_wrapped(const struct terminal *terminal, enum colour colour, const char *text,
                           size_t indent)
{
    _cleanup_free_ char *printable = printable_new(text);
    if (!printable)
        return -ENOMEM;
    bool wraps = terminal->width >= indent + WRAP_TO_MIN;
    const char *rest = printable;

    fputs(terminal_begin(terminal, colour), terminal->out);
    for (;;) {
        size_t length = wraps ? line_length(rest, terminal->width - indent) : strlen(rest);
        if (length == 0 && *rest)
            printable_decode(rest, &length); /* wider than the line, and yet it must go on */
        fwrite(rest, 1, length, terminal->out);
        rest += length + strspn(rest + length, " ");
        if (!*rest)
            break;
        fprintf(terminal->out, "\n%*s", (int)indent, "");
    }
    fprintf(terminal->out, "%s\n", terminal_end(terminal, colour));
    return 0;
}
