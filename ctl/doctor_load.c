/* SPDX-License-Identifier: MIT */
#include "ctl/doctor_load.h"

#define DESCRIBE_BATCH 10 /* services in one DescribeServices: the API's limit */
#define BYTES_PER_GB 1e9
#define HOURS_PER_MONTH 730.0

static double per_second(double calls, int64_t interval_ms)
{
    return calls * (double)MS_PER_SECOND / (double)interval_ms;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double environment_rate(const struct config_environment *environment,
                               enum aws_operation operation)
{
    size_t n_services = environment->n_services + environment->n_always_on;
    double groups = (double)environment->n_log_groups;
    size_t n_batches = (n_services + DESCRIBE_BATCH - 1) / DESCRIBE_BATCH;
    double batches = (double)n_batches;
    int64_t check_ms = environment->check_interval_ms;
    int64_t asleep_ms = environment->poll_interval_ms;
    int64_t awake_ms = environment->poll_interval_awake_ms;

    switch (operation) {
    case LOGS_FILTER_LOG_EVENTS:
        /* Awake, each check ends with a last look beside those at their interval. */
        return larger(per_second(groups, asleep_ms),
                      per_second(groups, awake_ms) + per_second(groups, check_ms));
    case LOGS_START_QUERY:
        return per_second(1, check_ms);
    case ECS_DESCRIBE_SERVICES:
        /* Asleep, for somebody who wakes it by hand; awake, twice a check. */
        return larger(per_second(batches, awake_ms), per_second(2 * batches, check_ms));
    default:
        return 0;
    }
}

double load_rate(const struct config *config, enum aws_operation operation)
{
    double sum = 0;

    for (size_t i = 0; i < config->n_environments; i++)
        sum += environment_rate(&config->environments[i], operation);
    return sum;
}

void load_cost(const struct config_environment *environment, double bytes_per_hour,
               struct load_cost *ret)
{
    double hours =
        (double)(environment->window_ms + environment->lateness_ms) / (double)MS_PER_HOUR;
    double checks_per_hour = (double)MS_PER_HOUR / (double)environment->check_interval_ms;

    ret->bytes_per_query = bytes_per_hour * hours;
    ret->per_query = ret->bytes_per_query / BYTES_PER_GB * LOAD_DOLLARS_PER_GB;
    ret->queries_at_most = HOURS_PER_MONTH * checks_per_hour;
    ret->month_at_most = ret->per_query * ret->queries_at_most;
}
