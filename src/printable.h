/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_PRINTABLE_H
#define PROVISIONERD_PRINTABLE_H

/*
 * Text from outside, made fit for a line that people read: whoever wrote it can neither end the line
 * nor command the terminal. Pure.
 *
 * Escaped are bytes that are no UTF-8 ("\xff"), the controls of C0 and C1 ("\n", "\t", "\x1b",
 * "\u009b"), and Unicode's line separators and marks that turn the direction of the text around
 * ("\u202e"). It is not meant to be turned back, so a backslash stays as it is.
 */

#include <stddef.h>
#include <stdint.h>

/* The longest piece that one character becomes, NUL included. */
#define PRINTABLE_PIECE_MAX 8

/*
 * The code point that text begins with, and its length in *ret_length. 0 if the bytes are not UTF-8
 * (RFC 3629: overlong forms, surrogates and what lies above U+10FFFF are not); the length is then 1.
 * The NUL that ends the text is never read past: it is no continuation byte.
 */
uint32_t printable_decode(const char *text, size_t *ret_length);

/* The first character of text, which is not empty, as it is to be shown; not terminated. Returns the
 * piece's length. */
size_t printable_piece(const char *text, char ret_piece[static PRINTABLE_PIECE_MAX],
                       size_t *ret_consumed);

/* One line of at most size bytes, NUL included, and of whole characters; what does not fit is cut off
 * behind a "…". Returns its length. */
size_t printable_line(const char *text, char *buffer, size_t size);

/* The whole, allocated; NULL: no memory. */
char *printable_new(const char *text);

#endif
