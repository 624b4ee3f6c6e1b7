/* SPDX-License-Identifier: MIT */
#include "tests/simulation/shrink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/cleanup.h"

/*
 * A failing schedule made small (delta debugging: Zeller, Hildebrandt 2002): environments and items are
 * left out, in halves, then in smaller parts, as long as the same invariant still fails.
 */

struct shrinking {
    uint64_t seed;
    int64_t days;
    const struct simulation_result *failure;
    bool *without; /* by number: environments first, then items */
    size_t n_environments, n;
    time_t until;
    simulate_fn *simulate;
};

static struct plan *make_plan(const struct shrinking *shrinking)
{
    struct plan *plan = NULL;

    if (plan_new(shrinking->seed, shrinking->days, &plan) < 0)
        return NULL;
    shrink_apply(plan, shrinking->without);
    return plan;
}

void shrink_apply(struct plan *plan, const bool *without)
{
    for (size_t i = 0; i < plan->n_environments; i++)
        plan->environments[i].is_in_ini = !without[i];
    for (size_t i = 0; i < plan->n_items; i++)
        plan->items[i].is_left_out =
            without[plan->n_environments + i] || without[plan->items[i].environment];
}

static bool still_fails(const struct shrinking *shrinking)
{
    struct simulation_result result = {0};
    struct plan *plan = make_plan(shrinking);

    if (!plan)
        return false;
    int r = shrinking->simulate(plan, NULL, &result);
    plan_free(plan);
    return r == 0 && strcmp(result.invariant, shrinking->failure->invariant) == 0;
}

/* Leaves out `size` of those left, from place on; puts them back if they were needed. Returns how many
 * are gone. */
static size_t try_without(struct shrinking *shrinking, size_t place, size_t size)
{
    _cleanup_free_ size_t *tried = calloc(size, sizeof(*tried));
    size_t n = 0;

    for (size_t i = place; tried && i < shrinking->n && n < size; i++)
        if (!shrinking->without[i]) {
            shrinking->without[i] = true;
            tried[n++] = i;
        }
    if (n == 0 || still_fails(shrinking))
        return n;
    for (size_t i = 0; i < n; i++)
        shrinking->without[tried[i]] = false;
    return 0;
}

static void leave_out(struct shrinking *shrinking)
{
    for (size_t size = shrinking->n / 2; size > 0; size /= 2) {
        for (size_t i = 0; i < shrinking->n && time(NULL) < shrinking->until; i += size)
            (void)try_without(shrinking, i, size);
    }
}

static void leave_out_later(struct shrinking *shrinking, const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_items; i++)
        if (plan->items[i].at_ms > shrinking->failure->violated_at_ms)
            shrinking->without[plan->n_environments + i] = true;
}

bool *shrink(uint64_t seed, int64_t days, const struct simulation_result *failure, int64_t budget_s,
             simulate_fn *simulate, FILE *out)
{
    struct plan *plan = NULL;
    if (plan_new(seed, days, &plan) < 0)
        return NULL;
    struct shrinking shrinking = {.seed = seed,
                                  .days = days,
                                  .failure = failure,
                                  .n_environments = plan->n_environments,
                                  .n = plan->n_environments + plan->n_items,
                                  .until = time(NULL) + budget_s,
                                  .simulate = simulate};
    size_t n_left = 0;
    char text[PLAN_TEXT_MAX];

    shrinking.without = calloc(shrinking.n + 1, sizeof(bool));
    if (shrinking.without) {
        leave_out_later(&shrinking, plan);
        leave_out(&shrinking);
        leave_out(&shrinking);
        shrink_apply(plan, shrinking.without);
        for (size_t i = 0; i < plan->n_items; i++)
            n_left += !plan->items[i].is_left_out;
        fprintf(out, "  needed of %zu items and %zu environments: %zu items\n", plan->n_items,
                plan->n_environments, n_left);
        for (size_t i = 0; i < plan->n_items; i++)
            if (!plan->items[i].is_left_out)
                fprintf(out, "    %s\n", plan_item_text(plan, &plan->items[i], text));
    }
    plan_free(plan);
    return shrinking.without;
}
