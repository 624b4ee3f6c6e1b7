/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_SURVEY_H
#define PROVISIONERCTL_SURVEY_H

/*
 * What an environment's pattern and excludes make of messages: how many were activity, how many were
 * excluded, and by what, how many were neither; with the newest of each as examples. And how long the
 * environment could have slept. Pure.
 */

#include "clock.h"
#include "config.h"

#define SURVEY_EXAMPLES_MAX 20 /* of a kind */
#define SURVEY_TIMES_MAX 2000000

enum survey_verdict {
    SURVEY_ACTIVITY,
    SURVEY_EXCLUDED,
    SURVEY_NO_MATCH, /* without the pattern; from AWS: its coarser filter let it through */
    SURVEY_N_VERDICTS,
};

struct survey_example {
    struct wall time; /* WALL_NEVER: not known */
    char *message;
};

struct survey_kind {
    size_t n;
    struct wall first; /* WALL_NEVER: none, or not known */
    struct wall last;
    struct survey_example examples[SURVEY_EXAMPLES_MAX]; /* a ring: the newest */
    size_t n_examples;
    size_t oldest;
};

struct survey_exclude {
    const char *text; /* borrowed from the configuration */
    bool is_regex;
    size_t n;
};

struct survey {
    const struct pattern *pattern; /* borrowed */
    struct survey_exclude *excludes;
    size_t n_excludes;
    struct survey_kind kinds[SURVEY_N_VERDICTS];
    size_t n_examples_wanted;
    int64_t *activity_times; /* in the order they came; the first SURVEY_TIMES_MAX */
    size_t n_activity_times;
    size_t times_capacity;
};

/* Borrows both. n_examples: at most SURVEY_EXAMPLES_MAX. Returns 0 or -ENOMEM; ret is to be cleared in
 * any case. */
int survey_begin(const struct config *config, const struct config_environment *environment,
                 size_t n_examples, struct survey *ret);
void survey_clear(struct survey *survey);

/* time: WALL_NEVER if not known. Returns 0 or -ENOMEM. */
int survey_add(struct survey *survey, struct wall time, const char *message,
               enum survey_verdict *ret);

/* Example i of a kind, the oldest first. */
const struct survey_example *survey_example(const struct survey_kind *kind, size_t i);

struct survey_quiet {
    int64_t asleep_ms;  /* what was left of the gaps after a window each */
    int64_t longest_ms; /* gap without activity */
    bool is_known;      /* all activity had a time, and there was not too much of it */
};

/* Between from and to; sorts the times. */
struct survey_quiet survey_quiet(struct survey *survey, struct wall from, struct wall to,
                                 int64_t window_ms);

#endif
