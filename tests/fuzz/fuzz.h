/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_FUZZ_H
#define PROVISIONERD_TESTS_FUZZ_H

/*
 * What a fuzz target is made of. One source, one target:
 *
 *     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
 *     {
 *         struct fuzz_input input = {data, size};
 *         char *text = fuzz_take_text(&input);      up to the next separator, or the end
 *         ...
 *         MUST(result.n_rows > 0 || body_says_so);   else it is a finding
 *     }
 *
 * It is a function of its input: nothing survives from one to the next, so that any finding is
 * reproduced by its input alone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be so whatever the input. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: must be: %s\n", __FILE__, __LINE__, __func__, #condition); \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Between the parts of an input: the answers to one request after the other, for example. */
#define FUZZ_SEPARATOR "\n----\n"

struct fuzz_input {
    const uint8_t *at;
    size_t size;
};

/* The next part, in memory of just its size, so that ASan sees a byte read beyond it. NULL if there is
 * none left; an input has one part more than separators. The caller frees it. */
char *fuzz_take_bytes(struct fuzz_input *input, size_t *ret_size);

/* The next part up to its first NUL, terminated; "" if there is none left. The caller frees it. */
char *fuzz_take_text(struct fuzz_input *input);

/* A directory of this process, below TMPDIR, removed at exit. */
const char *fuzz_directory(void);
void fuzz_write_file(const char *path, const void *bytes, size_t size);

/* Strict UTF-8 (RFC 3629), read independently of src/. */
bool fuzz_is_utf8(const char *text, size_t size);

#endif
