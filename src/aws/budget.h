/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_BUDGET_H
#define PROVISIONERD_BUDGET_H

/*
 * A token bucket: how often one may ask. Pure: the moment is an argument.
 *
 * Each request takes a token; tokens come back at `rate` a second, up to `burst`. When the other side
 * says that it was too much, the bucket pauses: at first for about a second, twice as long with each
 * refusal in a row, until it hears that a request went through.
 */

#include <stdbool.h>

#include "clock.h"

#define BUDGET_PAUSE_MIN_MS (1 * MS_PER_SECOND)
#define BUDGET_PAUSE_MAX_MS (20 * MS_PER_SECOND) /* as the longest back-off of the SDKs */

struct budget {
    int rate;  /* tokens a second, at least 1 */
    int burst; /* at most this many at once, at least 1 */
    int64_t millitokens;
    struct mono counted; /* millitokens is as of this moment */
    struct mono paused_until;
    int refusals; /* in a row */
};

/* A full bucket. */
void budget_init(struct budget *budget, int rate, int burst, struct mono now);

/* How long until there is a token; 0: now. */
int64_t budget_wait_ms(struct budget *budget, struct mono now);

/* Takes a token. Returns false if there is none. */
bool budget_take(struct budget *budget, struct mono now);

/* The ceiling of the pause that the next refusal deserves: for the caller to draw jitter from. */
int64_t budget_pause_ceiling_ms(const struct budget *budget);

/* A request was refused as one too many: no token for pause_ms, and an empty bucket after it. */
void budget_refused(struct budget *budget, struct mono now, int64_t pause_ms);

/* A request went through. */
void budget_accepted(struct budget *budget);

#endif
