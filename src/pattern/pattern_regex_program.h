/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_PATTERN_REGEX_PROGRAM_H
#define PROVISIONERD_PATTERN_REGEX_PROGRAM_H

/*
 * What pattern_regex_compile.c writes and pattern_regex.c runs; of no use to anybody else.
 *
 * A program is a list of instructions. Jumps are relative, so that a piece of program can be moved
 * and copied as it is: that is how repetitions are unrolled.
 */

#include <stddef.h>
#include <stdint.h>

#include "pattern/pattern_regex.h"
#include "pattern/pattern_symbol.h"

enum opcode {
    OP_SYMBOL, /* one symbol: a */
    OP_SET,    /* one symbol out of set a */
    OP_SPLIT,  /* go on at +a and at +b */
    OP_JUMP,   /* go on at +a */
    OP_START,  /* only at the beginning of the message */
    OP_END,    /* only at its end */
    OP_MATCH,
};

struct instruction {
    uint16_t op;
    int16_t a;
    int16_t b;
};

struct pattern_regex {
    enum pattern_regex_reading reading;
    struct instruction *program;
    size_t length;
    struct symbol_set *sets;
    char *required; /* texts one after the other, each with its NUL */
    size_t n_required;
};

/* Returns 0, -ENOMEM, or -EINVAL with *ret_error set. Fills an all-zero struct. */
int pattern_regex_compile(const char *text, struct pattern_regex *regex, char **ret_error);

#endif
