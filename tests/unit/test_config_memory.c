/* SPDX-License-Identifier: MIT */
/*
 * Each allocation of a load fails, once or from then on: the load says -ENOMEM, leaks nothing and
 * leaves its outputs alone. This program's own malloc() and free() do it and count. Under valgrind they
 * are not the ones that are called, and the address sanitizer does not bear them: there these stories
 * are skipped.
 */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/config.h"
#include "tests/support/config_files.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED

static long countdown = -1; /* the allocation that fails when it comes to 0; negative: none */
static bool for_good;       /* so do all after it, as when memory is really out */
static long n_failed;
/* Allocations not freed. Volatile, since a compiler knows that malloc() changes no variable of ours. */
static volatile long n_live;

static bool fails_now(void)
{
    if (countdown < 0)
        return false;
    if (countdown > 0) {
        countdown--;
        return false;
    }
    if (!for_good)
        countdown = -1;
    n_failed++;
    errno = ENOMEM;
    return true;
}

/* The next definition of a function in the order of linking: the C library's. */
#define NEXT(name)                 \
    static __typeof__(name) *next; \
    if (!next)                     \
    *(void **)(&next) = dlsym(RTLD_NEXT, #name)

static void *counted(void *pointer)
{
    n_live += pointer ? 1 : 0;
    return pointer;
}

void *malloc(size_t size)
{
    NEXT(malloc);
    return fails_now() ? NULL : counted(next(size));
}

void *calloc(size_t n, size_t size)
{
    NEXT(calloc);
    return fails_now() ? NULL : counted(next(n, size));
}

/* The C library's reallocarray() comes here, too. */
void *realloc(void *pointer, size_t size)
{
    NEXT(realloc);
    if (fails_now())
        return NULL;
    return pointer ? next(pointer, size) : counted(next(pointer, size));
}

void free(void *pointer)
{
    NEXT(free);
    n_live -= pointer ? 1 : 0;
    next(pointer);
}

static bool malloc_is_ours(void)
{
    long before = n_live;
    void *volatile pointer = malloc(1);
    bool is_ours = n_live > before;
    free(pointer);
    return is_ours;
}

/* Lets the first, second, ... allocation fail until a load does not come to one. The C library gets
 * over some (asprintf() keeps a buffer that it cannot shrink): then the load is as if none had failed. */
static void torture(int expected)
{
    long n = 0;

    do {
        struct config *config = NULL;
        char *errors = NULL;
        long n_live_before = n_live;
        n_failed = 0;
        countdown = n++;
        int r = config_load(config_files_path(), &config, &errors);
        countdown = -1;
        if (n_failed == 0 || r != -ENOMEM)
            assert_int_equal(r, expected);
        assert_true((config != NULL) == (r == 0));
        assert_true((errors != NULL) == (r == -EINVAL));
        config_free(config);
        free(errors);
        assert_int_equal(n_live, n_live_before);
    } while (n_failed > 0);
    assert_true(n > 50);
}

static void torture_once_and_for_good(int expected)
{
    if (!malloc_is_ours())
        skip();
    for_good = false;
    torture(expected);
    for_good = true;
    torture(expected);
}

static void a_good_load_bears_every_lack_of_memory(void **state)
{
    (void)state;
    given_file("provisionerd.ini", "[provisionerd]\n"
                                   "endpoint_url = https://example.net\n"
                                   "profile = p\n" STAGING "pattern = \"a\"\n"
                                   "exclude = /b+/, c,\n  d\n"
                                   "always_on = e, f\n"
                                   "insights = always\n"
                                   "window = 2h\n");
    given_file("provisionerd.ini.d/a.ini", "[environment staging]\nwindow = 3h\n");
    torture_once_and_for_good(0);
}

static void a_bad_load_bears_every_lack_of_memory(void **state)
{
    (void)state;
    given_file("provisionerd.ini", "[environment\n"
                                   "[provisionerd]\n"
                                   "endpoint_url = example\n"
                                   "log_level = loud\n"
                                   "rubbish\n" STAGING "pattern = /(/\n"
                                   "exclude = /[/\n"
                                   "zebra = a\n"
                                   "silence = \"a\" b\n"
                                   "window = 2x\n"
                                   "[environment b]\n"
                                   "cluster = staging\n"
                                   "services = api\n");
    torture_once_and_for_good(-EINVAL);
}

#endif

#define STORY(name) \
    cmocka_unit_test_setup_teardown(name, config_files_set_up, config_files_tear_down)

static void memory_is_never_lacking(void **state)
{
    (void)state;
    given_file("provisionerd.ini", STAGING);
    config_free(expect_config());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(memory_is_never_lacking),
#ifndef SANITIZED
        STORY(a_good_load_bears_every_lack_of_memory),
        STORY(a_bad_load_bears_every_lack_of_memory),
#endif
    };
    return cmocka_run_group_tests_name("config memory", tests, NULL, NULL);
}
