/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_DOCTOR_LOAD_H
#define PROVISIONERCTL_DOCTOR_LOAD_H

/* How much a configuration asks of AWS, and what that costs. Pure. */

#include "aws.h"
#include "config.h"

/*
 * Calls a second at the configured intervals, in the state of each environment in which it asks most.
 * Only what is asked all the time: updates, and the reading of queries' results, come and go.
 */
double load_rate(const struct config *config, enum aws_operation operation);

/* "CloudWatch pricing", list price in most regions: so much for each GB that Logs Insights scans.
 * Requests of CloudWatch Logs and of ECS are free of charge. */
#define LOAD_DOLLARS_PER_GB 0.005

struct load_cost {
    double bytes_per_query; /* scanned */
    double per_query;       /* dollars */
    double queries_at_most; /* a month */
    double month_at_most;   /* dollars: a query at every check, all month */
};

/* bytes_per_hour: what the environment's log groups take in, as Insights counts it. */
void load_cost(const struct config_environment *environment, double bytes_per_hour,
               struct load_cost *ret);

#endif
