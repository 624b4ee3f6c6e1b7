/* SPDX-License-Identifier: MIT */
#include "printable.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUT_MARK "…"

uint32_t printable_decode(const char *text, size_t *ret_length)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)text[0];
    size_t length;
    uint32_t code;

    *ret_length = 1;
    if (first < 0x80)
        return first;
    if (first >= 0xf8 || first < 0xc0)
        return 0;
    length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    code = first & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        unsigned char next = (unsigned char)text[i];

        if ((next & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (next & 0x3f);
    }
    if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_length = length;
    return code;
}

/* Whether a terminal or a reader of lines could take it for a command: the controls of C0 and C1,
 * the two line separators of Unicode, and the marks that turn the direction of the text around. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

size_t printable_piece(const char *text, char ret_piece[static PRINTABLE_PIECE_MAX],
                       size_t *ret_consumed)
{
    uint32_t code = printable_decode(text, ret_consumed);

    if (code == '\n')
        return (size_t)snprintf(ret_piece, PRINTABLE_PIECE_MAX, "\\n");
    if (code == '\t')
        return (size_t)snprintf(ret_piece, PRINTABLE_PIECE_MAX, "\\t");
    if (*ret_consumed == 1 && (code == 0 || is_control(code)))
        return (size_t)snprintf(ret_piece, PRINTABLE_PIECE_MAX, "\\x%02x", (unsigned char)text[0]);
    if (is_control(code))
        return (size_t)snprintf(ret_piece, PRINTABLE_PIECE_MAX, "\\u%04" PRIx32, code & 0xffff);
    memcpy(ret_piece, text, *ret_consumed);
    return *ret_consumed;
}

size_t printable_line(const char *text, char *buffer, size_t size)
{
    size_t length = 0, fits = 0;

    while (*text) {
        char piece[PRINTABLE_PIECE_MAX];
        size_t consumed, n = printable_piece(text, piece, &consumed);

        if (length + n + 1 > size) {
            memcpy(buffer + fits, CUT_MARK, sizeof(CUT_MARK));
            return fits + sizeof(CUT_MARK) - 1;
        }
        memcpy(buffer + length, piece, n);
        length += n;
        if (length + sizeof(CUT_MARK) <= size)
            fits = length;
        text += consumed;
    }
    buffer[length] = '\0';
    return length;
}

char *printable_new(const char *text)
{
    /* A byte becomes four at most ("\x1b"), a character of two or three six ("\u202e"). */
    size_t size = 4 * strlen(text) + 1;
    char *buffer = malloc(size);

    if (buffer)
        printable_line(text, buffer, size);
    return buffer;
}
