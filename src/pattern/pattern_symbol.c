/* SPDX-License-Identifier: MIT */
#include "pattern/pattern_symbol.h"

#include "cleanup.h"

size_t symbol_at(const unsigned char *text, unsigned *ret)
{
    if (text[0] < 0x80) {
        *ret = text[0];
        return 1;
    }
    *ret = SYMBOL_OTHER;
    size_t size = 1;
    if (text[0] >= 0xc2 && text[0] <= 0xf4)
        size = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80) /* the terminating NUL stops here too */
            return 1;
    if ((size == 2 && text[0] == 0xc2 && text[1] == 0x85) ||
        (size == 3 && text[0] == 0xe2 && text[1] == 0x80 && (text[2] & 0xfe) == 0xa8))
        *ret = SYMBOL_BREAK;
    return size;
}

void symbol_set_add_range(struct symbol_set *set, unsigned first, unsigned last)
{
    for (unsigned symbol = first; symbol <= last; symbol++)
        symbol_set_add(set, symbol);
}

static void set_add_text(struct symbol_set *set, const char *characters)
{
    for (; *characters; characters++)
        symbol_set_add(set, (unsigned char)*characters);
}

void symbol_set_unite(struct symbol_set *set, const struct symbol_set *other)
{
    for (size_t i = 0; i < ARRAY_LENGTH(set->bits); i++)
        set->bits[i] |= other->bits[i];
}

void symbol_set_complement(struct symbol_set *set)
{
    struct symbol_set all = {0};
    symbol_set_add_range(&all, 0, SYMBOLS - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(set->bits); i++)
        set->bits[i] = all.bits[i] & ~set->bits[i];
}

enum pattern_regex_reading symbol_opposite(enum pattern_regex_reading reading)
{
    return reading == PATTERN_REGEX_NARROW ? PATTERN_REGEX_WIDE : PATTERN_REGEX_NARROW;
}

/* The set of \d \w \s \D \W \S. A complement is narrow when what it leaves out is wide. */
bool symbol_set_of_escape(char letter, enum pattern_regex_reading reading, struct symbol_set *ret)
{
    struct symbol_set set = {0};
    switch (letter) {
    case 'D':
    case 'W':
    case 'S':
        (void)symbol_set_of_escape((char)(letter - 'A' + 'a'), symbol_opposite(reading), &set);
        symbol_set_complement(&set);
        break;
    case 'd':
        symbol_set_add_range(&set, '0', '9');
        break;
    case 'w':
        symbol_set_add_range(&set, '0', '9');
        symbol_set_add_range(&set, 'A', 'Z');
        symbol_set_add_range(&set, 'a', 'z');
        symbol_set_add(&set, '_');
        break;
    case 's':
        set_add_text(&set, reading == PATTERN_REGEX_NARROW ? " \t\n" : " \t\n\v\f\r");
        break;
    default:
        return false;
    }
    *ret = set;
    return true;
}

struct symbol_set symbol_set_of_dot(enum pattern_regex_reading reading)
{
    struct symbol_set set = {0};
    set_add_text(&set, reading == PATTERN_REGEX_NARROW ? "\n\r" : "\n");
    if (reading == PATTERN_REGEX_NARROW)
        symbol_set_add(&set, SYMBOL_BREAK);
    symbol_set_complement(&set);
    return set;
}
