/* SPDX-License-Identifier: MIT */
/*
 * LD_PRELOAD of the real daemon: an allocation fails, whoever asks for it, and so does the resolution
 * of a name.
 *
 *     TORTURE_REPORT=FILE          what happened is appended there
 *     TORTURE_ALLOCATION=N[+M]     the Nth allocation of the process fails, and the M after it
 *     TORTURE_RESOLUTION=N:CODE    the Nth getaddrinfo() returns this code of netdb.h
 *
 * The name "aws.test" is at 127.0.0.1. The report says "allocations N" at the end of the process, and
 * "fired" with the call's return addresses where something failed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH 24

/* The C library's own, under the names that it keeps for this purpose. */
void *__libc_malloc(size_t size);                 /* NOLINT(bugprone-reserved-identifier) */
void *__libc_calloc(size_t n, size_t size);       /* NOLINT(bugprone-reserved-identifier) */
void *__libc_realloc(void *at, size_t size);      /* NOLINT(bugprone-reserved-identifier) */
void *__libc_memalign(size_t align, size_t size); /* NOLINT(bugprone-reserved-identifier) */

static uint64_t n_asked, n_resolutions;
static uint64_t fails_from, fails_more;
static uint64_t resolution_fails;
static int resolution_code;
static int report = -1;
static __thread bool is_reporting; /* backtrace() may allocate */

static void tell_fired(const char *what, uint64_t number)
{
    void *where[DEPTH];
    char text[64];
    int depth;

    is_reporting = true;
    int n = snprintf(text, sizeof(text), "fired %s %llu\n", what, (unsigned long long)number);
    if (report >= 0 && write(report, text, (size_t)n) == n) {
        depth = backtrace(where, DEPTH);
        backtrace_symbols_fd(where, depth, report);
    }
    is_reporting = false;
}

static bool is_refused(void)
{
    if (is_reporting)
        return false;
    uint64_t number = __atomic_add_fetch(&n_asked, 1, __ATOMIC_RELAXED);
    if (fails_from == 0 || number < fails_from || number > fails_from + fails_more)
        return false;
    if (number == fails_from)
        tell_fired("allocation", number);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return is_refused() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *at, size_t size)
{
    return is_refused() ? NULL : __libc_realloc(at, size);
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

int posix_memalign(void **ret, size_t align, size_t size)
{
    void *at = is_refused() ? NULL : __libc_memalign(align, size);

    if (!at)
        return ENOMEM;
    *ret = at;
    return 0;
}

void *aligned_alloc(size_t align, size_t size)
{
    return is_refused() ? NULL : __libc_memalign(align, size);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    static __typeof__(&getaddrinfo) next;
    uint64_t number = __atomic_add_fetch(&n_resolutions, 1, __ATOMIC_RELAXED);

    if (number == resolution_fails) {
        tell_fired("resolution", number);
        errno = EMFILE; /* for EAI_SYSTEM */
        return resolution_code;
    }
    if (!next)
        *(void **)(&next) = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(name && strcmp(name, "aws.test") == 0 ? "127.0.0.1" : name, service, hints, ret);
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("TORTURE_REPORT");
    const char *allocation = getenv("TORTURE_ALLOCATION");
    const char *resolution = getenv("TORTURE_RESOLUTION");
    char *end;

    is_reporting = true; /* what is asked for here is not the daemon's */
    if (path)
        report = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (allocation) {
        void *where[1];

        (void)backtrace(where, 1); /* it loads a library at first */
        fails_from = strtoull(allocation, &end, 10);
        if (*end == '+')
            fails_more = strtoull(end + 1, NULL, 10);
    }
    if (resolution) {
        resolution_fails = strtoull(resolution, &end, 10);
        resolution_code = *end == ':' ? (int)strtol(end + 1, NULL, 10) : EAI_FAIL;
    }
    is_reporting = false;
}

__attribute__((destructor)) static void end(void)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "allocations %llu\nresolutions %llu\n",
                     (unsigned long long)n_asked, (unsigned long long)n_resolutions);

    if (report >= 0 && write(report, text, (size_t)n) != n)
        return; /* nobody is left to tell */
}
