/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_ALLOCATOR_H
#define PROVISIONERD_TESTS_ALLOCATOR_H

/*
 * malloc() and its kin for a program under torture: they count, and fail when told to.
 *
 * Linked into a program, they serve its libraries too, and so every strdup(), asprintf() and fopen()
 * of the C library. Only what is asked for while `on_trial` is set is numbered (from 1) and may fail:
 * the test and the simulated AWS have memory for everything.
 */

#include <stdbool.h>
#include <stdint.h>

#define ALLOCATOR_DEPTH 24

struct allocator {
    bool on_trial;
    uint64_t n_asked;     /* on trial, so far */
    uint64_t fails_from;  /* this one fails; 0: none does */
    uint64_t fails_count; /* and so many in all, one after the other */
    uint64_t n_failed;
    int64_t n_held;               /* blocks that nobody has freed, on trial or not */
    void *where[ALLOCATOR_DEPTH]; /* the first that failed: return addresses */
    int depth;
};

extern struct allocator allocator;

#endif
