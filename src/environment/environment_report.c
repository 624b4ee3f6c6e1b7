/* SPDX-License-Identifier: MIT */
/* What is known of an environment, for those who ask. */
#include "environment/environment_internal.h"

static struct environment_question question(const struct policy_evidence *evidence)
{
    return (struct environment_question){
        .is_running = evidence->running,
        .finding = evidence->finding,
        .began = mono_is_set(evidence->began) ? evidence->began_at : WALL_NEVER,
        .from = evidence->from,
        .to = evidence->to,
    };
}

/* A pure function of what has been observed: the same that the next step will find. */
static struct policy_decision decide_now(const struct environment *environment,
                                         struct policy_observation *observation)
{
    struct policy_decision decision;

    *observation = environment->observation;
    observation->now = aws_now(environment->context->aws);
    observation->now_mono = loop_mono(environment->context->loop);
    policy_decide(&environment->rules, observation, &decision);
    return decision;
}

void environment_get_report(const struct environment *environment, struct environment_report *ret)
{
    struct policy_observation observation;
    struct policy_decision decision = decide_now(environment, &observation);

    *ret = (struct environment_report){
        .config = environment->config,
        .since = environment->since,
        .check_due = WALL_NEVER,
        .facts = environment_facts(environment, decision.reason, decision.service),
        .last_check = environment_facts(environment, environment->last_check.reason,
                                        environment->last_check.service),
        .last_check_at = environment->last_check.at,
        .look = question(&observation.look),
        .query = question(&observation.query),
        .describe = question(&observation.describe),
    };
    environment_get_summary(environment, &ret->summary);
    if (observation.wanted == POLICY_AWAKE)
        ret->check_due =
            wall_add(observation.now, mono_since(observation.check_due, observation.now_mono));
    if (policy_request_in_force(&observation) != POLICY_NO_REQUEST)
        ret->request = state_find_request(environment->context->state, environment->config->name,
                                          environment->config->cluster);
    for (size_t i = 0; i < TROUBLE_N_KINDS; i++)
        ret->troubles[i] = environment->trouble.is_on[i]
                               ? trouble_text(&environment->trouble, (enum trouble_kind)i)
                               : NULL;
}

void environment_get_service_report(const struct environment *environment, size_t index,
                                    struct environment_service_report *ret)
{
    const struct policy_service *service = &environment->services[index];

    *ret = (struct environment_service_report){
        .name = environment->config->services[index].name,
        .condition = service->condition,
        .desired_count = policy_effective_count(service, loop_mono(environment->context->loop)),
        .running_count = service->running_count,
        .wake_count = policy_wake_count(service),
    };
}

/* FNV-1a, by Fowler, Noll and Vo. */
static uint64_t mix(uint64_t digest, int64_t value)
{
    for (int i = 0; i < 8; i++)
        digest = (digest ^ (((uint64_t)value >> (8 * i)) & 0xff)) * UINT64_C(0x100000001b3);
    return digest;
}

uint64_t environment_digest(const struct environment *environment,
                            const struct policy_decision *decision)
{
    const struct policy_observation *observation = &environment->observation;
    uint64_t digest = UINT64_C(0xcbf29ce484222325);

    digest = mix(digest, observation->wanted);
    digest = mix(digest, environment->is_found);
    digest = mix(digest, environment->is_settled);
    digest = mix(digest, observation->removed);
    digest = mix(digest, environment->since.ms);
    digest = mix(digest, observation->last_activity.ms);
    digest = mix(digest, observation->check_due.ms);
    digest = mix(digest, decision->reason);
    digest = mix(digest, policy_request_in_force(observation));
    digest = mix(digest, observation->request.until.ms);
    for (size_t i = 0; i < TROUBLE_N_KINDS; i++)
        digest = mix(digest, environment->trouble.is_on[i]);
    for (size_t i = 0; i < environment->config->n_services; i++) {
        struct environment_service_report service;

        environment_get_service_report(environment, i, &service);
        digest = mix(digest, service.condition);
        digest = mix(digest, service.desired_count);
        digest = mix(digest, service.running_count);
        digest = mix(digest, service.wake_count);
    }
    return digest;
}
