/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_SEED_H
#define PROVISIONERCTL_SEED_H

/*
 * The variables of Lambda functions that put services to sleep and wake them, made a draft. Pure.
 *
 *     CLUSTER_NAME           name or ARN
 *     SERVICES               "api,worker", "api worker" or ["api", "worker"]; "api:2" or "api=2" has
 *                            its count with it
 *     LOG_GROUP              one or more, likewise
 *     LOG_PATTERN            "text", /expression/ or %expression%; see below
 *     DESIRED_COUNT          of every service: "2"; or one for each, in their order: "2,3,1"
 *     API_COUNT              of service api; also API_DESIRED_COUNT, DESIRED_COUNT_API, COUNT_API
 *     AWS_REGION, REGION
 *
 * and what these are often called otherwise (CLUSTER, SERVICE_NAMES, LOG_GROUP_NAME, FILTER_PATTERN,
 * ...). A pattern that is neither quoted nor between slashes, but has characters that would mean
 * something else in an expression, is refused unless somebody says which it is: taken for a text, an
 * expression would match too little, and what is in use would be put to sleep.
 */

#include "ctl/dotenv.h"
#include "ctl/draft.h"

enum seed_pattern {
    SEED_PATTERN_BY_ITS_LOOK,
    SEED_PATTERN_IS_TEXT,
    SEED_PATTERN_IS_REGEX,
};

/* A line, for people, on what was not taken over as it stands; line 0: the file as a whole. Values are
 * never in it: they may be secrets. */
typedef void seed_tell_fn(void *userdata, unsigned line, const char *what);

/*
 * Fills what the variables say into draft, which is empty. `name` is the environment's; NULL: the
 * cluster's. Returns 0; -ENOMEM; or -EINVAL when something is missing or cannot be: it has been told.
 */
int seed_draft(const struct dotenv *dotenv, const char *name, enum seed_pattern pattern,
               seed_tell_fn *tell, void *userdata, struct draft *draft);

#endif
