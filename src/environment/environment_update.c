/* SPDX-License-Identifier: MIT */
/* Sends the differences between wanted and known desired counts. */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "environment/environment_internal.h"

/* A failed UpdateService is tried again after this; the call itself has tried three times. */
#define UPDATE_RETRY_MS (5 * MS_PER_SECOND)

void environment_service_arn(const struct environment *environment, const char *service, char *arn,
                             size_t size)
{
    const char *cluster = environment->config->cluster;
    const char *name = strrchr(cluster, '/'); /* of an ARN */

    snprintf(arn, size, "arn:aws:ecs:*:*:service/%s/%s", name ? name + 1 : cluster, service);
}

void environment_mark_written(struct policy_service *service, int desired, struct mono at)
{
    service->written_at = at;
    if (desired == 0)
        service->zeroed_at = at;
}

static void update_ended(struct update *update, int desired_count)
{
    struct environment *environment = update->environment;
    struct policy_service *service = &environment->services[update->index];

    update->from_sleep = false;
    service->write_uncertain = false;
    service->written_count = desired_count;
    environment_mark_written(service, update->desired, loop_mono(environment->context->loop));
    service->not_before = MONO_NEVER;
    if (environment->observation.wanted == POLICY_ASLEEP && desired_count == 0)
        service->slept = true;
}

/* Nothing was done: what was known before holds. */
static void take_back(struct update *update)
{
    struct policy_service *service = &update->environment->services[update->index];

    service->written = update->before.written;
    service->write_uncertain = update->before.write_uncertain;
    service->written_count = update->before.written_count;
    service->written_at = update->before.written_at;
    service->zeroed_at = update->before.zeroed_at;
}

static void update_failed(struct update *update, const struct aws_error *error)
{
    struct environment *environment = update->environment;
    struct policy_service *service = &environment->services[update->index];
    const char *name = environment->config->services[update->index].name;
    char resource[RESOURCE_MAX];
    bool refused = error->kind == AWS_ERROR_DENIED || error->kind == AWS_ERROR_NOT_FOUND ||
                   error->kind == AWS_ERROR_REQUEST;
    struct mono now = loop_mono(environment->context->loop);

    /* An answer that says no, be it for haste, means that nothing was done; no answer means nothing. */
    if (error->in_doubt) {
        update->from_sleep = false;
        environment_mark_written(service, update->desired, now);
    } else {
        take_back(update);
    }
    service->not_before = mono_add(now, refused ? POLICY_SLOW_RETRY_MS : UPDATE_RETRY_MS);
    environment_service_arn(environment, name, resource, sizeof(resource));
    trouble_begin(&environment->trouble, TROUBLE_UPDATE, environment->config, name,
                  ECS_UPDATE_SERVICE, resource, error);
}

static void update_done(void *userdata, const struct aws_error *error, int desired_count)
{
    struct update *update = userdata;
    struct environment *environment = update->environment;

    update->call = NULL;
    if (error->kind != AWS_OK) {
        update_failed(update, error);
    } else {
        audit_update(environment->config, environment->config->services[update->index].name,
                     update->previous, update->desired, false);
        update_ended(update, desired_count >= 0 ? desired_count : update->desired);
        trouble_end(&environment->trouble, TROUBLE_UPDATE, environment->config);
    }
    environment_step(environment);
}

static void set_deadline(struct environment *environment, struct update *update)
{
    if (update->call && update->desired == 0)
        ecs_call_set_deadline(update->call,
                              mono_add(environment->observation.now_mono, POLICY_ACT_AGE_MAX_MS));
}

/* For the audit. After a restart no read counts for a while, but of what slept the record knows. */
static int count_before(const struct update *update, const struct policy_service *service,
                        struct mono now)
{
    int count = policy_effective_count(service, now);

    if (count == POLICY_COUNT_UNKNOWN && update->from_sleep && service->reported_count == 0)
        return 0;
    return count;
}

static bool start_update(struct environment *environment, size_t index, int desired)
{
    struct update *update = &environment->updates[index];
    struct policy_service *service = &environment->services[index];
    const char *name = environment->config->services[index].name;
    struct mono now = environment->observation.now_mono;

    if (update->call) {
        /* Of the other direction: the newer wish wins, and that one may have been heard until now. */
        ecs_call_cancel(TAKE(update->call));
        update->from_sleep = false;
        environment_mark_written(service, update->desired, now);
    }
    update->before = *service;
    update->previous = count_before(update, service, now);
    update->desired = desired;
    service->written = true;
    environment_mark_written(service, desired, now);
    if (environment->context->dry_run) {
        audit_update(environment->config, name, update->previous, desired, true);
        service->write_pretended = true;
        update_ended(update, desired);
        return true;
    }
    service->write_uncertain = true;
    int r = ecs_update_service(environment->context->aws, environment->config->cluster, name,
                               desired, desired > 0 ? AWS_URGENT : AWS_ROUTINE, update_done, update,
                               &update->call);
    if (r < 0) {
        take_back(update);
        service->not_before = mono_add(now, UPDATE_RETRY_MS);
        trouble_begin_text(&environment->trouble, TROUBLE_UPDATE, environment->config,
                           strerror(-r));
    }
    set_deadline(environment, update);
    return r == 0;
}

/* The desiredCount to send for a service now, or POLICY_LEAVE; what is under way is not repeated. */
static int update_to_send(const struct environment *environment, size_t index,
                          const struct policy_decision *decision)
{
    const struct update *update = &environment->updates[index];
    int desired =
        policy_update(&environment->services[index], decision, environment->observation.now_mono);

    return update->call && update->desired == desired ? POLICY_LEAVE : desired;
}

bool environment_send_updates(struct environment *environment,
                              const struct policy_decision *decision)
{
    bool is_any = false, is_all = true;

    /* Confirmed afresh, what still waits for its turn may do so for longer. */
    for (size_t i = 0; i < environment->config->n_services && decision->may_sleep; i++)
        set_deadline(environment, &environment->updates[i]);
    for (size_t i = 0; i < environment->config->n_services && !is_any; i++)
        is_any = update_to_send(environment, i, decision) != POLICY_LEAVE;
    if (!is_any)
        return true;
    /* A sleep that cannot be recorded does not happen; a wake does. */
    if (!decision->may_sleep)
        (void)environment_save(environment, decision->wanted == POLICY_ASLEEP);
    for (size_t i = 0; i < environment->config->n_services; i++) {
        int desired = update_to_send(environment, i, decision);

        if (desired != POLICY_LEAVE && !start_update(environment, i, desired))
            is_all = false;
    }
    return is_all;
}
