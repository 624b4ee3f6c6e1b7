/* SPDX-License-Identifier: MIT */
/* What people ask of an environment by hand. */
#include <errno.h>

#include "environment/environment_internal.h"

static bool is_for_sleep(const struct policy_request *request)
{
    return request->kind == POLICY_HOLD_ASLEEP || request->kind == POLICY_SLEEP;
}

/* The next step sees another world: what was told under the old one may be told again. */
static void take_effect(struct environment *environment, const struct policy_request *request)
{
    struct policy_observation *observation = &environment->observation;

    observation->request = *request;
    environment->last_stay = POLICY_CHECKING;
    if (is_for_sleep(request))
        observation->check_due = loop_mono(environment->context->loop);
    loop_timer_after(environment->timer, 0);
}

void environment_load_request(struct environment *environment)
{
    const struct state_request *entry = state_find_request(
        environment->context->state, environment->config->name, environment->config->cluster);

    if (entry)
        take_effect(environment, &entry->request);
}

int environment_ask(struct environment *environment, enum policy_request_kind kind,
                    struct wall until, const char *by, const char *why)
{
    struct wall now = aws_now(environment->context->aws);
    const struct policy_request request = {
        .kind = kind,
        .since = now,
        /* By then what is ignored has left the window. */
        .until = kind == POLICY_SLEEP || !wall_is_set(until)
                     ? wall_add(now, environment->rules.window_ms)
                     : until,
    };
    const struct config_environment *config = environment->config;
    struct state *state = environment->context->state;
    const struct state_request entry = {.name = (char *)config->name,
                                        .cluster = (char *)config->cluster,
                                        .request = request,
                                        .by = (char *)by,
                                        .why = (char *)why};
    int r = 0;

    if (kind == POLICY_NO_REQUEST)
        state_remove_request(state, config->name, config->cluster);
    else
        r = state_put_request(state, &entry);
    if (r < 0)
        return r;
    /* A wish does not wait for the disk: the next step saves again what could not be saved now. */
    environment->state_is_dirty = true;
    environment_retry_save(environment);
    audit_asked(config, &(struct audit_request){
                            .kind = kind, .until = request.until, .by = by, .why = why});
    take_effect(environment, &request);
    return 0;
}

/* A clock that was ahead when it was asked, and that AWS has put right since: what is yet to happen must
 * not be ignored for that. */
void environment_mend_request(struct environment *environment)
{
    struct policy_observation *observation = &environment->observation;
    const struct state_request *entry = state_find_request(
        environment->context->state, environment->config->name, environment->config->cluster);

    if (observation->request.kind == POLICY_NO_REQUEST ||
        observation->request.since.ms <= observation->now.ms)
        return;
    observation->request.since = observation->now;
    if (!entry)
        return;
    struct state_request mended = *entry;
    mended.request = observation->request;
    if (state_put_request(environment->context->state, &mended) == 0)
        environment->state_is_dirty = true; /* saved at the end of this step */
}

void environment_check_now(struct environment *environment)
{
    environment->observation.check_due = loop_mono(environment->context->loop);
    environment->last_stay = POLICY_CHECKING;
    loop_timer_after(environment->timer, 0);
}
