/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_SIMULATION_SHRINK_H
#define PROVISIONERD_TESTS_SIMULATION_SHRINK_H

/* Makes a failing schedule small. */

#include "tests/simulation/machinery.h"

/* simulation_run(), or the same in a process of its own. */
typedef int simulate_fn(struct plan *plan, FILE *out, struct simulation_result *ret);

/* Leaves out what the violation does not need, for budget_s at most; prints what is left. Returns what
 * is left out, for shrink_apply() (allocated); NULL: short of memory. */
bool *shrink(uint64_t seed, int64_t days, const struct simulation_result *failure, int64_t budget_s,
             simulate_fn *simulate, FILE *out);
void shrink_apply(struct plan *plan, const bool *without);

#endif
