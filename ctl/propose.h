/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_PROPOSE_H
#define PROVISIONERCTL_PROPOSE_H

/*
 * A pattern for a log, guessed from a sample of it. Pure.
 *
 * Left aside are health checks, monitors and crawlers (noise.h), each of which becomes an exclude;
 * requests that were refused (4xx), for those are scanners; and files that pages consist of (.js,
 * .png). What remains are the requests of people, by the first part of their path: "/api/",
 * "/admin/". As few of these parts as cover nearly all requests make the pattern; when there are too
 * many, the request methods do. In doubt it is the wider: what is in use must not be put to sleep.
 */

#include <stdbool.h>
#include <stddef.h>

#include "ctl/draft.h"

#define PROPOSE_PREFIXES_MAX 64 /* distinct ones that are counted */
#define PROPOSE_EXCLUDES_MAX 10
#define PROPOSE_PARTS_MAX 4 /* of a pattern */
#define PROPOSE_COVER_PERCENT 90
#define PROPOSE_SAMPLE_MIN 5 /* requests: of fewer nothing can be said */

struct propose_count {
    char *text;
    const char *who; /* of an exclude: "a load balancer's health check" */
    size_t n;
};

/* Begins as {0}. */
struct propose {
    struct propose_count prefixes[PROPOSE_PREFIXES_MAX];
    size_t n_prefixes;
    struct propose_count excludes[PROPOSE_EXCLUDES_MAX];
    size_t n_excludes;
    size_t n_messages;
    size_t n_noise;
    size_t n_refused;
    size_t n_files;
    size_t n_requests; /* that count for the pattern */
    size_t n_others;   /* of those, beyond PROPOSE_PREFIXES_MAX */
    size_t n_methods;  /* that have a request method before the path */
};

/* Returns 0 or -ENOMEM. */
int propose_add(struct propose *propose, const char *message);
void propose_clear(struct propose *propose);

/* Sets pattern, pattern_is_regex, excludes and pattern_notes, which says why, of a draft that has none;
 * without enough requests there is no pattern, and the notes say so. Returns 0 or -ENOMEM. */
int propose_finish(struct propose *propose, struct draft *draft);

#endif
