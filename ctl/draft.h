/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_DRAFT_H
#define PROVISIONERCTL_DRAFT_H

/*
 * A configuration for somebody who has none yet: one environment, as a commented INI, ready to be
 * edited. What is written has been read back by config_load(), so that it is one.
 */

#include <stdbool.h>
#include <stddef.h>

#include "ctl/texts.h"

#define DRAFT_COUNT_RECORDED (-1)

struct draft_service {
    char *name;
    int count; /* wakes to this; DRAFT_COUNT_RECORDED: to what was there */
};

/* All text is owned; what is NULL or empty is left out, or stands as a comment. Begins as {0}. */
struct draft {
    char *origin; /* whence it came: "staging.env, by provisionerctl migrate" */
    char *region;
    char *profile;
    char *endpoint_url;
    char *name;
    char *cluster;
    struct draft_service *services;
    size_t n_services;
    struct texts log_groups;
    char *pattern;
    bool pattern_is_regex;
    struct texts pattern_notes; /* comment lines above the pattern */
    struct texts excludes;      /* literal texts */
    struct texts always_on;
};

void draft_clear(struct draft *draft);
int draft_add_service(struct draft *draft, const char *name, int count);

/* The environment's name for a cluster: its own name or that in its ARN, with what a name may not have
 * made a hyphen. Allocated; NULL: no memory. */
char *draft_name_of(const char *cluster);

/*
 * The whole file. Returns 0, -ENOMEM, another negative errno, or -EINVAL with *ret_errors: it is not
 * one that config_load() takes, which says why, a line for each reason.
 */
int draft_write(const struct draft *draft, char **ret_text, char **ret_errors);

/*
 * To standard output if path is NULL; else to a file, which must not exist yet unless `force`: then it
 * is replaced as a whole. Says what went wrong. Returns an exit status.
 */
int draft_deliver(const char *text, const char *path, bool force);

#endif
