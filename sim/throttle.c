/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "src/cleanup.h"

/*
 * Token buckets per operation, for the whole account, as AWS keeps them. Rates of the "aws" preset:
 * CloudWatch Logs quotas (the lower ones of those that differ by region), and ECS request throttling.
 */
static const struct {
    const char *operation;
    double rate_per_s, burst;
} AWS_QUOTAS[] = {
    {"FilterLogEvents", 5, 5},          {"StartQuery", 5, 5},
    {"GetQueryResults", 5, 5},          {"StopQuery", 5, 5},
    {"DescribeLogGroups", 10, 10},      {"DescribeQueries", 5, 5},
    {"DescribeServices", 20, 50},       {"UpdateService", 5, 50},
    {"ListServices", 20, 50},           {"DescribeClusters", 20, 50},
    {"ListClusters", 20, 50},           {"DescribeTaskDefinition", 20, 100},
    {"DescribeScalableTargets", 5, 10},
};

static struct sim_bucket *find_bucket(const struct sim *sim, const char *operation)
{
    for (size_t i = 0; i < sim->n_buckets; i++)
        if (strcmp(sim->buckets[i].operation, operation) == 0)
            return &sim->buckets[i];
    return NULL;
}

int sim_throttle_set(struct sim *sim, const char *operation, double rate_per_s, double burst)
{
    struct sim_bucket *bucket = find_bucket(sim, operation);
    if (!bucket) {
        struct sim_bucket *grown =
            reallocarray(sim->buckets, sim->n_buckets + 1, sizeof(*sim->buckets));
        if (!grown)
            return -ENOMEM;
        sim->buckets = grown;
        char *name = strdup(operation);
        if (!name)
            return -ENOMEM;
        bucket = &sim->buckets[sim->n_buckets++];
        bucket->operation = name;
    }
    bucket->rate_per_s = rate_per_s;
    bucket->burst = burst;
    bucket->tokens = burst;
    bucket->filled = WALL_NEVER;
    return 0;
}

int sim_throttle_set_aws(struct sim *sim)
{
    for (size_t i = 0; i < ARRAY_LENGTH(AWS_QUOTAS); i++) {
        int r = sim_throttle_set(sim, AWS_QUOTAS[i].operation, AWS_QUOTAS[i].rate_per_s,
                                 AWS_QUOTAS[i].burst);
        if (r < 0)
            return r;
    }
    return 0;
}

void sim_throttle_clear(struct sim *sim)
{
    for (size_t i = 0; i < sim->n_buckets; i++)
        free(sim->buckets[i].operation);
    free(sim->buckets);
    sim->buckets = NULL;
    sim->n_buckets = 0;
}

bool sim_throttle_take(struct sim *sim, const char *operation, struct wall now)
{
    struct sim_bucket *bucket = find_bucket(sim, operation);
    if (!bucket)
        return true;

    if (wall_is_set(bucket->filled) && now.ms > bucket->filled.ms)
        bucket->tokens +=
            bucket->rate_per_s * (double)wall_since(now, bucket->filled) / (double)MS_PER_SECOND;
    if (bucket->tokens > bucket->burst)
        bucket->tokens = bucket->burst;
    bucket->filled = now;

    /* A thousandth of grace: tenths of a token do not add up to one exactly. */
    if (bucket->tokens < 0.999)
        return false;
    bucket->tokens -= 1;
    return true;
}
