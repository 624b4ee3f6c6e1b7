/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_RETRY_H
#define PROVISIONERD_RETRY_H

/*
 * When to try again: the "standard" retry mode of the AWS SDKs. Pure: moments and chance are
 * arguments. Source: AWS SDKs and Tools Reference Guide, "Retry behavior".
 *
 * At most RETRY_ATTEMPTS_MAX attempts; before the next one a wait drawn uniformly from
 * [0, min(20 s, 2^i s)]; and a quota that all calls share: a retry costs 5, one after a timeout 10,
 * and comes back when a call succeeds. When the other side is down, the quota runs out, and calls
 * fail at once instead of adding to its troubles.
 */

#include <stdbool.h>

#include "clock.h"

#define RETRY_ATTEMPTS_MAX 3
#define RETRY_CEILING_MAX_MS (20 * MS_PER_SECOND)

/* A server that asks for more is not obeyed to the letter: the next tick tries again anyway. */
#define RETRY_AFTER_MAX_MS (60 * MS_PER_SECOND)

#define RETRY_QUOTA_FULL 500
#define RETRY_QUOTA_COST 5
#define RETRY_QUOTA_COST_TIMEOUT 10
#define RETRY_QUOTA_REWARD 1 /* of a call that needed no retry */

struct retry_quota {
    int tokens;
};

void retry_quota_init(struct retry_quota *quota);

/* Returns what it cost, to be given back on success; 0: there is not enough left, do not retry. */
int retry_quota_take(struct retry_quota *quota, bool timed_out);

/* A call succeeded, and its last retry had cost this (0: there was none). */
void retry_quota_give_back(struct retry_quota *quota, int cost);

/* The longest wait after so many attempts (1, 2, ...), to draw jitter from. */
int64_t retry_ceiling_ms(int attempts);

/*
 * How long a server asks to wait: Retry-After is seconds or an HTTP date (RFC 9110 §10.2.3),
 * x-amz-retry-after is milliseconds and goes first. Either may be NULL. Within
 * [0, RETRY_AFTER_MAX_MS]; 0 if it says nothing that can be understood.
 */
int64_t retry_after_ms(const char *retry_after, const char *amz_retry_after, struct wall now);

#endif
