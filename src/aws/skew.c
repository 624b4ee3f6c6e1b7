/* SPDX-License-Identifier: MIT */

#include "aws/skew.h"

#define DATE_RESOLUTION_MS MS_PER_SECOND

/* How far the wall clock has moved more than the monotonic one. */
static int64_t step_ms(struct skew_moment from, struct skew_moment to)
{
    return wall_since(to.wall, from.wall) - mono_since(to.mono, from.mono);
}

static bool is_step(int64_t difference_ms)
{
    return difference_ms > SKEW_STEP_MS || difference_ms < -SKEW_STEP_MS;
}

int64_t skew_at(const struct skew *skew, struct skew_moment now)
{
    if (!skew->is_measured)
        return 0; /* nobody but this host's clock has said anything yet */
    int64_t stepped_ms = step_ms(skew->anchor, now);
    return is_step(stepped_ms) ? skew->ms - stepped_ms : skew->ms;
}

/* The skews that `date` leaves possible, by the clock as it is at `received`. */
struct interval {
    int64_t low_ms;
    int64_t high_ms;
};

static struct interval possible_skews(struct wall date, struct skew_moment sent,
                                      struct skew_moment received)
{
    int64_t trip_ms = mono_since(received.mono, sent.mono);
    return (struct interval){
        .low_ms = wall_since(date, received.wall),
        .high_ms = wall_since(date, received.wall) + trip_ms + DATE_RESOLUTION_MS,
    };
}

static int64_t distance_ms(struct interval interval, int64_t skew_ms)
{
    if (skew_ms < interval.low_ms)
        return interval.low_ms - skew_ms;
    if (skew_ms > interval.high_ms)
        return interval.high_ms - skew_ms;
    return 0;
}

int64_t skew_disagreement_ms(const struct skew *skew, struct wall date, struct skew_moment sent,
                             struct skew_moment received)
{
    return distance_ms(possible_skews(date, sent, received), skew_at(skew, received));
}

static bool is_tolerable(int64_t difference_ms)
{
    return difference_ms >= -SKEW_TOLERANCE_MS && difference_ms <= SKEW_TOLERANCE_MS;
}

bool skew_learn(struct skew *skew, struct wall date, struct skew_moment sent,
                struct skew_moment received)
{
    struct interval possible = possible_skews(date, sent, received);
    int64_t before_ms = skew_at(skew, received);
    int64_t skew_ms;

    if (is_tolerable(distance_ms(possible, 0)))
        skew_ms = 0;
    else if (is_tolerable(distance_ms(possible, before_ms)))
        skew_ms = before_ms;
    else
        skew_ms = possible.low_ms + (possible.high_ms - possible.low_ms) / 2;

    *skew = (struct skew){.ms = skew_ms, .is_measured = true, .anchor = received};
    return skew_ms != before_ms;
}
