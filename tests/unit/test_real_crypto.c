/* SPDX-License-Identifier: MIT */
/* OpenSSL's beginning, without memory: each of its allocations fails once, in a process of its own. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "http/http_crypto.h"

/* The first are of the library's own beginning, where the crashes were; then every so many. */
#define N_ALL 150
#define EVERY 97

/*
 * So long at most. OpenSSL 3.5 waits for itself for ever when one of two early allocations fails, before
 * it has handed us anything that could be asked; a unit's start timeout ends that. A hang of another
 * version, or of ours, is a failure.
 */
#define DEADLINE_S 30
#define MAY_HANG (OPENSSL_VERSION_NUMBER >= 0x30500000L)
#define EARLY 20

/* Of the parent and its children alike. */
static struct counter {
    size_t n_asked;
    size_t fails_at; /* 0: none */
    bool is_well;    /* told here: what OpenSSL leaks then is no concern of the exit status */
} * counter;

static void *counted_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return ++counter->n_asked == counter->fails_at ? NULL : malloc(size);
}

static void *counted_realloc(void *at, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return ++counter->n_asked == counter->fails_at ? NULL : realloc(at, size);
}

static void counted_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    free(at);
}

/* Either it is told that memory is short, or everything that a certificate may need is there. */
static bool is_prepared_or_told(void)
{
    int r = http_prepare_crypto();

    if (r == -ENOMEM)
        return true;
    return r == 0 && EVP_get_digestbyname("SHA256") && EVP_get_digestbyname("SHA384") &&
           EVP_get_digestbyname("SHA512");
}

static bool is_well_without(size_t number)
{
    static const struct rlimit none = {0, 0};
    int status;

    counter->n_asked = 0;
    counter->fails_at = number;
    counter->is_well = false;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)setrlimit(RLIMIT_CORE, &none);
        alarm(DEADLINE_S);
        counter->is_well =
            CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) == 1 &&
            is_prepared_or_told();
        _exit(EXIT_SUCCESS);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return MAY_HANG && number < EARLY;
    return WIFEXITED(status) && counter->is_well;
}

static void test_memory_that_is_short_at_the_start_is_told(void **state)
{
    (void)state;
    assert_true(is_well_without(0));
    size_t total = counter->n_asked;
    assert_true(total > N_ALL);
    for (size_t number = 1; number <= total; number += number < N_ALL ? 1 : EVERY)
        if (!is_well_without(number))
            fail_msg("allocation %zu of %zu", number, total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_that_is_short_at_the_start_is_told),
    };

    counter =
        mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counter == MAP_FAILED)
        return EXIT_FAILURE;
    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
