/* SPDX-License-Identifier: MIT */

#include "aws/budget.h"

#include <assert.h>

#define TOKEN INT64_C(1000) /* in millitokens: `rate` of them come back each millisecond */

/* 2^5 s is above BUDGET_PAUSE_MAX_MS: no use in counting further. */
#define REFUSALS_MAX 5

void budget_init(struct budget *budget, int rate, int burst, struct mono now)
{
    assert(rate >= 1 && burst >= 1);
    *budget = (struct budget){
        .rate = rate,
        .burst = burst,
        .millitokens = burst * TOKEN,
        .counted = now,
        .paused_until = MONO_NEVER,
    };
}

static void refill(struct budget *budget, struct mono now)
{
    int64_t elapsed_ms = mono_since(now, budget->counted);
    int64_t missing = budget->burst * TOKEN - budget->millitokens;

    if (elapsed_ms <= 0)
        return; /* within a pause, `counted` lies ahead */
    if (elapsed_ms > missing / budget->rate)
        budget->millitokens = budget->burst * TOKEN;
    else
        budget->millitokens += elapsed_ms * budget->rate;
    budget->counted = now;
}

int64_t budget_wait_ms(struct budget *budget, struct mono now)
{
    refill(budget, now);

    int64_t pause_ms = mono_since(budget->paused_until, now);
    if (pause_ms < 0)
        pause_ms = 0;
    int64_t missing = TOKEN - budget->millitokens;
    if (missing <= 0)
        return pause_ms;
    /* Refilling begins when the pause ends. */
    return pause_ms + (missing + budget->rate - 1) / budget->rate;
}

bool budget_take(struct budget *budget, struct mono now)
{
    if (budget_wait_ms(budget, now) > 0)
        return false;
    budget->millitokens -= TOKEN;
    return true;
}

int64_t budget_pause_ceiling_ms(const struct budget *budget)
{
    int64_t ceiling_ms = BUDGET_PAUSE_MIN_MS << budget->refusals;
    return ceiling_ms < BUDGET_PAUSE_MAX_MS ? ceiling_ms : BUDGET_PAUSE_MAX_MS;
}

void budget_refused(struct budget *budget, struct mono now, int64_t pause_ms)
{
    struct mono until = mono_add(now, pause_ms);

    /* Refusals of requests that were under way together lengthen a pause, never shorten it. */
    if (mono_since(until, budget->paused_until) > 0)
        budget->paused_until = until;
    budget->millitokens = 0;
    budget->counted = budget->paused_until;
    if (budget->refusals < REFUSALS_MAX)
        budget->refusals++;
}

void budget_accepted(struct budget *budget)
{
    budget->refusals = 0;
}
