/* SPDX-License-Identifier: MIT */
/* What is owed to an environment, in memory, in the state, and on disk. */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "environment/environment_internal.h"

/* How long after acting a restarted daemon distrusts reads: staleness, and a call's longest life. */
#define RESTART_DISTRUST_MS (POLICY_STALE_READ_MS + 3 * MS_PER_MINUTE)

/* Writes what is owed to this environment into the state, and to disk. Returns 0 or -errno. */
int environment_save(struct environment *environment, bool asleep)
{
    const struct config_environment *config = environment->config;
    struct state *state = environment->context->state;
    struct wall now = environment->observation.now;
    const struct state_environment *before = state_find(state, config->name);
    struct state_environment entry = {
        .name = config->name,
        .cluster = config->cluster,
        .asleep = asleep,
        .since = before && before->asleep == asleep ? before->since : now,
        .acted_at = now,
        .last_activity = environment->observation.last_activity,
    };

    _cleanup_free_ struct state_service *services = calloc(config->n_services, sizeof(*services));
    if (!services)
        return -ENOMEM;
    for (size_t i = 0; i < config->n_services; i++) {
        const struct policy_service *service = &environment->services[i];

        if (service->recorded_count == POLICY_COUNT_UNKNOWN)
            continue;
        services[entry.n_services++] =
            (struct state_service){.name = config->services[i].name,
                                   .recorded_count = service->recorded_count,
                                   .slept = service->slept};
    }
    entry.services = services;

    int r = state_put(state, &entry);
    if (r == 0)
        r = state_save(state);
    environment->state_is_dirty = r < 0;
    if (r < 0)
        trouble_begin_text(&environment->trouble, TROUBLE_STATE, config, strerror(-r));
    else
        trouble_end(&environment->trouble, TROUBLE_STATE, config);
    return r;
}

/* Nothing is owed any more. */
void environment_drop(struct environment *environment)
{
    struct state *state = environment->context->state;

    for (size_t i = 0; i < environment->config->n_services; i++) {
        environment->services[i].recorded_count = POLICY_COUNT_UNKNOWN;
        environment->services[i].slept = false;
    }
    state_remove(state, environment->config->name);
    int r = state_save(state);
    environment->state_is_dirty = r < 0;
    if (r < 0)
        trouble_begin_text(&environment->trouble, TROUBLE_STATE, environment->config, strerror(-r));
    else
        trouble_end(&environment->trouble, TROUBLE_STATE, environment->config);
}

bool environment_is_owed(const struct environment *environment)
{
    for (size_t i = 0; i < environment->config->n_services; i++)
        if (environment->services[i].recorded_count != POLICY_COUNT_UNKNOWN)
            return true;
    return false;
}

/* An earlier save failed: again, on the occasion of each step that follows a new read. */
void environment_retry_save(struct environment *environment)
{
    if (!environment->state_is_dirty)
        return;
    if (environment_is_owed(environment))
        (void)environment_save(environment, environment->observation.wanted == POLICY_ASLEEP);
    else
        environment_drop(environment);
}

static void load_service(struct environment *environment, const struct state_service *from,
                         bool distrust)
{
    for (size_t i = 0; i < environment->config->n_services; i++) {
        struct policy_service *service = &environment->services[i];

        if (strcmp(environment->config->services[i].name, from->name) != 0)
            continue;
        service->recorded_count = from->recorded_count;
        service->slept = from->slept;
        if (distrust) {
            service->written = service->write_uncertain = true;
            service->written_at = environment->observation.now_mono;
        }
    }
}

/* Takes over what an earlier run left. */
void environment_load(struct environment *environment)
{
    const struct state_environment *entry =
        state_find(environment->context->state, environment->config->name);
    struct policy_observation *observation = &environment->observation;

    if (!entry)
        return;
    if (strcmp(entry->cluster, environment->config->cluster) != 0) {
        audit_removed(entry->name, entry->cluster,
                      "its cluster was changed; what sleeps in the old one is left as it is");
        state_remove(environment->context->state, entry->name);
        return;
    }
    bool distrust = wall_since(observation->now, entry->acted_at) < RESTART_DISTRUST_MS;
    for (size_t i = 0; i < entry->n_services; i++)
        load_service(environment, &entry->services[i], distrust);
    observation->wanted = entry->asleep ? POLICY_ASLEEP : POLICY_AWAKE;
    /* Asleep: it had left the window when that was decided, and no clock that AWS has not yet put right
     * shall bring it back. What came later is found by the first look. */
    if (!entry->asleep)
        observation->last_activity = entry->last_activity;
    environment->is_settled = false;
}
