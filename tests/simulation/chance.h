/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_SIMULATION_CHANCE_H
#define PROVISIONERD_TESTS_SIMULATION_CHANCE_H

/*
 * Chance from a seed, in whole numbers, so that it is the same under every compiler. SplitMix64 (Steele,
 * Lea, Flood 2014): any two seeds give streams that have nothing to do with each other.
 */

#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* In [0, bound); bounds are small here, so that no one minds the bias. */
static inline uint64_t chance_below(struct chance *chance, uint64_t bound)
{
    return bound ? chance_next(chance) % bound : 0;
}

static inline int64_t chance_between(struct chance *chance, int64_t least, int64_t most)
{
    return least + (int64_t)chance_below(chance, (uint64_t)(most - least) + 1);
}

static inline bool chance_one_in(struct chance *chance, uint64_t n)
{
    return chance_below(chance, n) == 0;
}

/* Small and large alike: each doubling from least to most is as likely as the other. */
static inline int64_t chance_scale(struct chance *chance, int64_t least, int64_t most)
{
    int doublings = 0;

    while (least << (doublings + 1) <= most)
        doublings++;
    int64_t low = least << chance_below(chance, (uint64_t)doublings + 1);
    int64_t high = 2 * low <= most ? 2 * low : most;
    return chance_between(chance, low, high);
}

/* A stream of its own for each purpose, so that drawing more of one does not change another. */
static inline struct chance chance_fork(struct chance *chance)
{
    return (struct chance){chance_next(chance)};
}

#endif
