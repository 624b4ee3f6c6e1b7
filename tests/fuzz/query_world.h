/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_FUZZ_QUERY_WORLD_H
#define PROVISIONERD_TESTS_FUZZ_QUERY_WORLD_H

/* A Logs Insights query, run to its end, whatever that is. */

#include "src/logs.h"
#include "tests/fuzz/aws_world.h"

struct fuzz_query {
    unsigned n_done;
    struct logs_query_result result; /* its texts are gone */
    char status[32];
    char query_id[300];
};

/* The answers are scripted. Checks what goes for every query. */
void fuzz_query_run(struct fuzz_aws *world, struct fuzz_query *query);

#endif
