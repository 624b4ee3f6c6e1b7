/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_STORIES_H
#define PROVISIONERD_TESTS_STORIES_H

/*
 * Stories of the daemon's whole stack against the simulated AWS under virtual time, for a process in
 * which allocations fail (allocator.h). Whatever fails, a story comes to its end or ends the process
 * with a word.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define STORY_DIRECTORY_MAX 64

struct world;

struct story {
    const char *name;
    void (*tell)(struct world *world);
};

#define N_STORIES 2
extern const struct story STORIES[N_STORIES];

/* Tells it once, in a directory of its own. Once an allocation has failed all do for shortage_s. */
void story_tell(const struct story *story, const char *directory, uint64_t shortage_s);

/* What the daemon says goes to standard error. */
void story_set_verbose(void);

/* Says what is wrong, and where the first allocation failed; ends the process. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* clang-format off */
#define ensure(condition, ...) do { if (!(condition)) fail(__VA_ARGS__); } while (0)
/* clang-format on */

#endif
