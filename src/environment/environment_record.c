/* SPDX-License-Identifier: MIT */
/* What is owed to an environment, in memory, in the state, and on disk. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "environment/environment_internal.h"

/* So long after acting a restarted daemon distrusts what it reads first: staleness, and a call's longest
 * life. Of what is asleep it always does: whether that is long ago, a clock that AWS has not yet put right
 * cannot tell, and counts from before the sleep would be taken for somebody's. */
#define RESTART_DISTRUST_MS (POLICY_STALE_READ_MS + 3 * MS_PER_MINUTE)
/* Of the commands that restore what is left asleep; a message has room for them. */
#define RESTORE_TEXT_MAX 1536
/* Restored or not: nobody asks AWS about what is no longer configured, which IAM may not allow. */
#define RESTORE_BEGINS \
    "it is left so, and told at each start until it is configured again. To restore it: "

static const struct state_environment *recorded(const struct environment *environment)
{
    return state_find(environment->context->state, environment->config->name,
                      environment->config->cluster);
}

size_t environment_find_service(const struct config_environment *config, const char *service)
{
    size_t i = 0;

    while (i < config->n_services && strcmp(config->services[i].name, service) != 0)
        i++;
    return i;
}

static bool has_service(const struct config_environment *config, const char *service)
{
    return environment_find_service(config, service) < config->n_services;
}

/*
 * What the state shall hold of this environment from now on: the services to which a count is owed, and
 * those that were taken out of the configuration while they slept, whose counts are kept as they were.
 * The texts are borrowed; *ret_services is the caller's to free.
 */
static int make_entry(const struct environment *environment, struct state_environment *entry,
                      struct state_service **ret_services)
{
    const struct config_environment *config = environment->config;
    const struct state_environment *before = recorded(environment);
    size_t n_before = before ? before->n_services : 0;
    struct state_service *services = calloc(config->n_services + n_before, sizeof(*services));

    if (!services)
        return -ENOMEM;
    for (size_t i = 0; i < config->n_services; i++) {
        const struct policy_service *service = &environment->services[i];

        if (service->recorded_count == POLICY_COUNT_UNKNOWN)
            continue;
        services[entry->n_services++] =
            (struct state_service){.name = config->services[i].name,
                                   .recorded_count = service->recorded_count,
                                   .slept = service->slept};
    }
    for (size_t i = 0; i < n_before; i++)
        if (!has_service(config, before->services[i].name))
            services[entry->n_services++] = before->services[i];
    entry->services = *ret_services = services;
    return 0;
}

static int write_down(struct environment *environment, int r)
{
    if (r == 0)
        r = state_save(environment->context->state);
    environment->state_is_dirty = r < 0;
    if (r < 0)
        trouble_begin_text(&environment->trouble, TROUBLE_STATE, environment->config, strerror(-r));
    else
        trouble_end(&environment->trouble, TROUBLE_STATE, environment->config);
    return r;
}

/* Writes what is owed to this environment into the state, and to disk. Returns 0 or -errno. */
int environment_save(struct environment *environment, bool asleep)
{
    const struct config_environment *config = environment->config;
    struct wall now = environment->observation.now;
    const struct state_environment *before = recorded(environment);
    _cleanup_free_ struct state_service *services = NULL;
    struct state_environment entry = {
        .name = config->name,
        .cluster = config->cluster,
        .asleep = asleep,
        .since = before && before->asleep == asleep ? before->since : now,
        .acted_at = now,
        .last_activity = environment->observation.last_activity,
    };

    int r = make_entry(environment, &entry, &services);
    if (r < 0)
        return r;
    return write_down(environment, state_put(environment->context->state, &entry));
}

/* In memory: only what was taken out of the configuration is still owed. */
static void unrecord(struct environment *environment)
{
    const struct config_environment *config = environment->config;

    for (size_t i = 0; i < config->n_services; i++)
        state_remove_service(environment->context->state, config->name, config->cluster,
                             config->services[i].name);
}

/* Nothing is owed any more. */
void environment_drop(struct environment *environment)
{
    for (size_t i = 0; i < environment->config->n_services; i++) {
        environment->services[i].recorded_count = POLICY_COUNT_UNKNOWN;
        environment->services[i].slept = false;
    }
    unrecord(environment);
    (void)write_down(environment, 0);
}

/* A save failed, and the state in memory goes back to what is true; the file is the old one or equal to
 * it. */
void environment_restore_record(struct environment *environment)
{
    if (environment_is_owed(environment))
        (void)environment_save(environment, environment->observation.wanted == POLICY_ASLEEP);
    else
        unrecord(environment);
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
    size_t i = environment_find_service(environment->config, from->name);
    if (i == environment->config->n_services)
        return;

    struct policy_service *service = &environment->services[i];
    service->recorded_count = from->recorded_count;
    service->slept = from->slept;
    if (distrust) {
        service->written = service->write_uncertain = true;
        environment_mark_written(service, 0, environment->observation.now_mono);
    }
}

/* Takes over what an earlier run left. */
void environment_load(struct environment *environment)
{
    const struct state_environment *entry = recorded(environment);
    struct policy_observation *observation = &environment->observation;

    if (!entry)
        return;
    bool distrust =
        entry->asleep || wall_since(observation->now, entry->acted_at) < RESTART_DISTRUST_MS;
    for (size_t i = 0; i < entry->n_services; i++)
        load_service(environment, &entry->services[i], distrust);
    observation->wanted = entry->asleep ? POLICY_ASLEEP : POLICY_AWAKE;
    environment->since = entry->since;
    /* Asleep: it had left the window when that was decided, and no clock that AWS has not yet put right
     * shall bring it back. What came later is found by the first look. */
    if (!entry->asleep)
        observation->last_activity = entry->last_activity;
    environment->is_settled = false;
    environment_tell_left_out(environment, NULL);
}

void environment_load_service(struct environment *environment, size_t index)
{
    const struct state_environment *entry = recorded(environment);
    struct policy_service *service = &environment->services[index];

    for (size_t i = 0; entry && i < entry->n_services; i++) {
        if (strcmp(entry->services[i].name, environment->config->services[index].name) != 0)
            continue;
        service->recorded_count = entry->services[i].recorded_count;
        environment->is_settled = false;
        /* Nobody waits for it: first a read that tells whether somebody has already given it back. */
        if (environment->observation.wanted == POLICY_AWAKE)
            service->not_before =
                mono_add(loop_mono(environment->context->loop), POLICY_STALE_READ_MS);
    }
}

/* --- what is left behind ------------------------------------------------------------------------ */

static size_t append_restore_command(const struct state_environment *entry, size_t index,
                                     char *text, size_t length)
{
    const struct state_service *service = &entry->services[index];
    int n = snprintf(text + length, RESTORE_TEXT_MAX - length,
                     "%saws ecs update-service --cluster %s --service %s --desired-count %d",
                     length ? "; " : RESTORE_BEGINS, entry->cluster, service->name,
                     service->recorded_count);

    if (n < 0 || (size_t)n >= RESTORE_TEXT_MAX - length) {
        text[length] = '\0';
        return length;
    }
    return length + (size_t)n;
}

void environment_tell_left(const struct state_environment *entry)
{
    char text[RESTORE_TEXT_MAX] = "";
    size_t length = 0;

    for (size_t i = 0; i < entry->n_services; i++)
        if (entry->services[i].recorded_count > 0)
            length = append_restore_command(entry, i, text, length);
    if (length > 0)
        audit_removed(entry->name, entry->cluster, NULL, text);
}

/* Only of those that were part of `old`, unless that is NULL. */
void environment_tell_left_out(const struct environment *environment,
                               const struct config_environment *old)
{
    const struct state_environment *entry = recorded(environment);
    char text[RESTORE_TEXT_MAX] = "";

    for (size_t i = 0; entry && i < entry->n_services; i++) {
        const char *service = entry->services[i].name;

        if (entry->services[i].recorded_count > 0 && !has_service(environment->config, service) &&
            (!old || has_service(old, service)) && append_restore_command(entry, i, text, 0) > 0)
            audit_removed(entry->name, entry->cluster, service, text);
    }
}
