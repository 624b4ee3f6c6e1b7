/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_POLICY_WORLD_H
#define PROVISIONERD_TESTS_POLICY_WORLD_H

/* What policy sees of a staging environment with api 2, worker 3, and a window of an hour. */

#include "policy.h"

#define HOUR MS_PER_HOUR
#define MINUTE MS_PER_MINUTE
#define SECOND MS_PER_SECOND

enum { API, WORKER, N_SERVICES };

struct world {
    struct policy_rules rules;
    struct policy_observation seen;
    struct policy_service services[N_SERVICES];
};

/* Awake, everything known, the last activity two hours ago, the check due this moment. */
static inline struct world given_idle_awake(void)
{
    struct world world = {
        .rules = {.window_ms = HOUR,
                  .lateness_ms = 5 * MINUTE,
                  .check_interval_ms = 10 * MINUTE,
                  .poll_interval_ms = 15 * SECOND,
                  .poll_interval_awake_ms = MINUTE,
                  .adopt = true},
        .seen = {.now = {INT64_C(1800000000000)},
                 .now_mono = {100 * HOUR},
                 .wanted = POLICY_AWAKE,
                 .looked_until = WALL_NEVER,
                 .woken = MONO_NEVER,
                 .check_due = {100 * HOUR},
                 .n_services = N_SERVICES},
    };
    world.seen.last_activity = wall_add(world.seen.now, -2 * HOUR);
    world.seen.look = (struct policy_evidence){.finding = POLICY_NO_MATCH,
                                               .began = {100 * HOUR - 10 * SECOND},
                                               .ended = {100 * HOUR - 9 * SECOND}};
    world.seen.describe = (struct policy_evidence){
        .finding = POLICY_NO_MATCH, .began = {100 * HOUR - MINUTE}, .ended = {100 * HOUR - MINUTE}};
    world.seen.query = (struct policy_evidence){.began = MONO_NEVER, .ended = MONO_NEVER};
    for (size_t i = 0; i < N_SERVICES; i++)
        world.services[i] = (struct policy_service){.configured_count = POLICY_COUNT_UNKNOWN,
                                                    .recorded_count = POLICY_COUNT_UNKNOWN,
                                                    .condition = POLICY_CONDITION_FIT,
                                                    .reported_count = i == API ? 2 : 3,
                                                    .reported_at = {100 * HOUR - MINUTE},
                                                    .written_at = MONO_NEVER,
                                                    .not_before = MONO_NEVER};
    return world;
}

static inline struct world given_asleep(void)
{
    struct world world = given_idle_awake();

    world.seen.wanted = POLICY_ASLEEP;
    world.seen.looked_until = wall_add(world.seen.now, -15 * SECOND);
    for (size_t i = 0; i < N_SERVICES; i++) {
        world.services[i].recorded_count = world.services[i].reported_count;
        world.services[i].reported_count = 0;
        world.services[i].slept = true;
    }
    return world;
}

static inline struct policy_decision decide(struct world *world)
{
    struct policy_decision decision;

    world->seen.services = world->services;
    policy_decide(&world->rules, &world->seen, &decision);
    return decision;
}

static inline void pass(struct world *world, int64_t duration_ms)
{
    world->seen.now = wall_add(world->seen.now, duration_ms);
    world->seen.now_mono = mono_add(world->seen.now_mono, duration_ms);
}

static inline void begin(struct world *world, struct policy_evidence *evidence)
{
    evidence->running = true;
    evidence->began = world->seen.now_mono;
    evidence->began_at = world->seen.now;
}

static inline void end(struct world *world, struct policy_evidence *evidence,
                       enum policy_finding finding)
{
    evidence->running = false;
    evidence->sent = evidence->began;
    evidence->ended = world->seen.now_mono;
    evidence->finding = finding;
}

static inline void when_described(struct world *world)
{
    struct policy_decision decision = decide(world);
    assert_true(decision.describe);
    begin(world, &world->seen.describe);
    pass(world, 200);
    for (size_t i = 0; i < N_SERVICES; i++)
        world->services[i].reported_at = world->seen.describe.began;
    end(world, &world->seen.describe, POLICY_NO_MATCH);
}

static inline void when_queried(struct world *world, enum policy_finding finding)
{
    struct policy_decision decision = decide(world);
    assert_true(decision.query);
    assert_false(decision.may_sleep);
    begin(world, &world->seen.query);
    world->seen.query.from = decision.query_from;
    world->seen.query.to = decision.query_to;
    pass(world, 4 * SECOND);
    end(world, &world->seen.query, finding);
}

static inline void when_looked(struct world *world, enum policy_finding finding)
{
    struct policy_decision decision = decide(world);
    assert_true(decision.look);
    assert_false(decision.may_sleep);
    begin(world, &world->seen.look);
    world->seen.look.from = decision.look_from;
    pass(world, 300);
    end(world, &world->seen.look, finding);
}

/* The whole chain, each link good. */
static inline struct world given_confirmed_idle(void)
{
    struct world world = given_idle_awake();

    when_described(&world);
    when_queried(&world, POLICY_NO_MATCH);
    when_described(&world);
    when_looked(&world, POLICY_NO_MATCH);
    return world;
}

static inline void expect_stays_awake(struct world *world, enum policy_reason reason)
{
    struct policy_decision decision = decide(world);
    assert_int_equal(decision.wanted, POLICY_AWAKE);
    assert_string_equal(policy_reason_name(decision.reason), policy_reason_name(reason));
    assert_true(decision.check_over);
    assert_false(decision.may_sleep);
    for (size_t i = 0; i < N_SERVICES; i++)
        assert_int_equal(policy_update(&world->services[i], &decision, world->seen.now_mono),
                         POLICY_LEAVE);
}

#endif
