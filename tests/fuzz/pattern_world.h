/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_FUZZ_PATTERN_WORLD_H
#define PROVISIONERD_TESTS_FUZZ_PATTERN_WORLD_H

/* A pattern as the simulated AWS reads what we say of it: sim/ was written from AWS's pages without a
 * look at src/pattern. */

#include <stdbool.h>

#include "src/pattern.h"

/* By FilterLogEvents; a refused filter is a finding. */
bool fuzz_filter_lets_through(const char *filter, const char *message);
/* By Logs Insights; a refused query is a finding. */
bool fuzz_query_finds(const char *query, const char *message);

#endif
