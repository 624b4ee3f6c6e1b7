/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_INIT_H
#define PROVISIONERCTL_INIT_H

/*
 * Between the files of `provisionerctl init`: init.c (the verb), init_services.c (cluster and services),
 * init_logs.c (log group and pattern).
 *
 * A step that returns false has said why, and what exit status that makes is in init->status: there is no
 * going on.
 */

#include "ctl/draft.h"
#include "ctl/session.h"

#define INIT_SEPARATORS ", \t" /* of lists that people write */

struct init {
    struct session session;
    struct draft draft;
    const char *cluster_name; /* borrowed from the draft: without what is before it in an ARN */
    const char *services;     /* as given; NULL: not */
    const char *always_on;
    const char *log_groups;
    const char *output;
    bool force;
    bool asks;
    struct wall from;
    int status; /* why there is no going on */
};

/* What was settled, for the person to read along. */
void init_report(const char *what, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Both return false. */
bool init_fail(struct init *init, int status);
bool init_fail_with(struct init *init, int r); /* a negative errno of ask.h */

/* One of the items: by asking, or the one there is, or `proposed` if it is not SIZE_MAX. */
bool init_choose(struct init *init, const char *what, const char *option, const struct texts *items,
                 size_t proposed, size_t *ret);

bool init_take_cluster(struct init *init, const char *cluster); /* as given */
bool init_find_cluster(struct init *init);
bool init_find_services(struct init *init);
bool init_find_log_groups(struct init *init);
bool init_find_pattern(struct init *init);

#endif
