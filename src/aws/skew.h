/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SKEW_H
#define PROVISIONERD_SKEW_H

/*
 * AWS's time, from what its answers' Date headers say. Pure: moments are arguments.
 *
 * A Date has a resolution of a second and was written at some moment between request and answer, so
 * an answer gives an interval in which the skew (AWS's time minus this host's) must lie. What is
 * known already stays as it is when it fits; and no skew at all is preferred when that fits.
 *
 * Once measured, a step of this host's clock (an administrator, NTP) does not move AWS's time: it is
 * seen as a disagreement with the monotonic clock, and taken out again.
 */

#include <stdbool.h>

#include "clock.h"

/* Differences up to this are not worth correcting, nor certain. */
#define SKEW_TOLERANCE_MS (2 * MS_PER_SECOND)

/* Drift between wall and monotonic clock since the last measurement beyond which it was a step.
 * NTP slews by at most 0.5 ms a second: an hour of it stays below. */
#define SKEW_STEP_MS (2 * MS_PER_SECOND)

/* When a request went out, or an answer came in: both clocks, read together. */
struct skew_moment {
    struct wall wall;
    struct mono mono;
};

struct skew {
    int64_t ms; /* AWS's time minus this host's, as of `anchor` */
    bool is_measured;
    struct skew_moment anchor;
};

/* The skew at this moment, a step of the clock since the last measurement included. */
int64_t skew_at(const struct skew *skew, struct skew_moment now);

/*
 * The least correction that makes `date` lie within the exchange [sent, received]: what the skew
 * must change by. 0: it fits as it is.
 */
int64_t skew_disagreement_ms(const struct skew *skew, struct wall date, struct skew_moment sent,
                             struct skew_moment received);

/* Learns from an answer. Returns true if the skew is another one now. */
bool skew_learn(struct skew *skew, struct wall date, struct skew_moment sent,
                struct skew_moment received);

#endif
