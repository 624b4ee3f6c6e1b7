/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"

/* A ring, by number: record N lies at N modulo the ring's size. */

static struct sim_call_record *slot(const struct sim *sim, uint64_t number)
{
    assert(sim->history_allocated > 0);
    return &sim->history[number % sim->history_allocated];
}

static void forget(struct sim_call_record *record)
{
    free((char *)record->operation);
    free((char *)record->parameters);
    *record = (struct sim_call_record){0};
}

uint64_t sim_history_oldest(const struct sim *sim)
{
    return sim->history_oldest;
}

uint64_t sim_history_newest(const struct sim *sim)
{
    return sim->history_newest;
}

const struct sim_call_record *sim_history_get(const struct sim *sim, uint64_t number)
{
    if (number < sim->history_oldest || number > sim->history_newest)
        return NULL;
    return slot(sim, number);
}

/* The ring grows by doubling up to its limit, so that small worlds stay small. */
static int make_room(struct sim *sim)
{
    uint64_t held = sim->history_newest + 1 - sim->history_oldest;
    if (held < sim->history_allocated)
        return 0;

    size_t limit = (size_t)sim->settings.history_max;
    if (sim->history_allocated >= limit) {
        forget(slot(sim, sim->history_oldest++));
        return 0;
    }
    size_t size = sim->history_allocated ? sim->history_allocated * 2 : 64;
    if (size > limit)
        size = limit;
    struct sim_call_record *ring = calloc(size, sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    for (uint64_t number = sim->history_oldest; number <= sim->history_newest; number++)
        ring[number % size] = *slot(sim, number);
    free(sim->history);
    sim->history = ring;
    sim->history_allocated = size;
    return 0;
}

int sim_history_append(struct sim *sim, const struct sim_call_record *record)
{
    struct sim_call_record copy = *record;
    copy.operation = strdup(record->operation ? record->operation : "");
    copy.parameters =
        strndup(record->parameters ? record->parameters : "", SIM_HISTORY_PARAMETERS_MAX);
    if (!copy.operation || !copy.parameters || make_room(sim) < 0) {
        forget(&copy);
        return -ENOMEM;
    }
    copy.number = ++sim->history_newest;
    *slot(sim, copy.number) = copy;
    return 0;
}

void sim_history_clear(struct sim *sim)
{
    while (sim->history_oldest <= sim->history_newest)
        forget(slot(sim, sim->history_oldest++));
}

void sim_history_free(struct sim *sim)
{
    sim_history_clear(sim);
    free(sim->history);
    sim->history = NULL;
    sim->history_allocated = 0;
}
