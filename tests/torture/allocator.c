/* SPDX-License-Identifier: MIT */
#include "allocator.h"

#include <errno.h>
#include <execinfo.h>
#include <stddef.h>

/* The C library's own, under the names that it keeps for this purpose. */
void *__libc_malloc(size_t size);            /* NOLINT(bugprone-reserved-identifier) */
void *__libc_calloc(size_t n, size_t size);  /* NOLINT(bugprone-reserved-identifier) */
void *__libc_realloc(void *at, size_t size); /* NOLINT(bugprone-reserved-identifier) */
void __libc_free(void *at);                  /* NOLINT(bugprone-reserved-identifier) */

/* The C library declares them itself, in a header that would also bring its attributes. */
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *at, size_t size);
void *reallocarray(void *at, size_t n, size_t size);
void free(void *at);

struct allocator allocator;

static bool is_refused(void)
{
    if (!allocator.on_trial)
        return false;
    allocator.n_asked++;
    if (allocator.fails_from == 0 || allocator.n_asked < allocator.fails_from ||
        allocator.n_asked - allocator.fails_from >= allocator.fails_count)
        return false;
    if (allocator.n_failed++ == 0) {
        allocator.on_trial = false; /* backtrace() may ask for memory */
        allocator.depth = backtrace(allocator.where, ALLOCATOR_DEPTH);
        allocator.on_trial = true;
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    void *at = is_refused() ? NULL : __libc_malloc(size);

    allocator.n_held += at != NULL;
    return at;
}

void *calloc(size_t n, size_t size)
{
    void *at = is_refused() ? NULL : __libc_calloc(n, size);

    allocator.n_held += at != NULL;
    return at;
}

void *realloc(void *at, size_t size)
{
    if (is_refused())
        return NULL;
    void *moved = __libc_realloc(at, size);

    if (!at)
        allocator.n_held += moved != NULL;
    else if (size == 0 && !moved)
        allocator.n_held--; /* glibc frees then */
    return moved;
}

void *reallocarray(void *at, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(at, total);
}

void free(void *at)
{
    allocator.n_held -= at != NULL;
    __libc_free(at);
}
