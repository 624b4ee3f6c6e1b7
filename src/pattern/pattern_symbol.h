/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_PATTERN_SYMBOL_H
#define PROVISIONERD_PATTERN_SYMBOL_H

/*
 * Characters of UTF-8, as far as the regular expressions of pattern_regex.h can tell them apart:
 * each ASCII character by itself, and two kinds more. Sets of such symbols. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pattern/pattern_regex.h"

enum {
    SYMBOL_OTHER = 128, /* any other character, or a byte that is not UTF-8 */
    SYMBOL_BREAK,       /* U+0085, U+2028, U+2029: the line breaks beyond ASCII */
    SYMBOLS,
};

struct symbol_set {
    uint64_t bits[(SYMBOLS + 63) / 64];
};

/* Length in bytes of the character at text, which is not at its end, and what kind it is. */
size_t symbol_at(const unsigned char *text, unsigned *ret);

static inline bool symbol_set_has(const struct symbol_set *set, unsigned symbol)
{
    return set->bits[symbol / 64] >> (symbol % 64) & 1;
}

static inline void symbol_set_add(struct symbol_set *set, unsigned symbol)
{
    set->bits[symbol / 64] |= UINT64_C(1) << (symbol % 64);
}

void symbol_set_add_range(struct symbol_set *set, unsigned first, unsigned last);
void symbol_set_unite(struct symbol_set *set, const struct symbol_set *other);
void symbol_set_complement(struct symbol_set *set);

/* What lies within a complement is read the other way. */
enum pattern_regex_reading symbol_opposite(enum pattern_regex_reading reading);

/* The set of \d \w \s \D \W \S. Returns false for any other letter. */
bool symbol_set_of_escape(char letter, enum pattern_regex_reading reading, struct symbol_set *ret);

struct symbol_set symbol_set_of_dot(enum pattern_regex_reading reading);

#endif
