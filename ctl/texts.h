/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_TEXTS_H
#define PROVISIONERCTL_TEXTS_H

/* A list of texts that grows. */

#include <stdbool.h>
#include <stddef.h>

/* Begins as {0}. */
struct texts {
    char **items;
    size_t n_items;
};

/* Copies. Returns 0 or -ENOMEM. */
int texts_add(struct texts *texts, const char *text);
bool texts_has(const struct texts *texts, const char *text);
void texts_clear(struct texts *texts);

/* Adds what stands between the separators, which are characters. Returns 0 or -ENOMEM. */
int texts_split(const char *list, const char *separators, struct texts *ret);

/* "a, b", allocated; NULL: no memory. */
char *texts_join(const struct texts *texts);

#endif
