/* SPDX-License-Identifier: MIT */
/* What people ask for: holds, and a sleep at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/policy_world.h"

/* Asked for this moment; a new request puts the check forward (environment.c). */
static void when_asked(struct world *world, enum policy_request_kind kind, int64_t duration_ms)
{
    world->seen.request = (struct policy_request){
        .kind = kind, .since = world->seen.now, .until = wall_add(world->seen.now, duration_ms)};
    world->seen.check_due = world->seen.now_mono;
}

static void given_activity(struct world *world, int64_t ago_ms)
{
    world->seen.last_activity = wall_add(world->seen.now, -ago_ms);
}

static void expect_sleep(struct world *world, enum policy_reason reason)
{
    struct policy_decision decision = decide(world);

    assert_int_equal(decision.wanted, POLICY_ASLEEP);
    assert_string_equal(policy_reason_name(decision.reason), policy_reason_name(reason));
    assert_true(decision.may_sleep);
    assert_true(decision.check_over);
    assert_int_equal(policy_update(&world->services[API], &decision, world->seen.now_mono), 0);
    assert_int_equal(policy_count_to_record(&world->services[API], world->seen.now_mono), 2);
}

static void expect_wake(struct world *world, enum policy_reason reason)
{
    struct policy_decision decision = decide(world);

    assert_int_equal(decision.wanted, POLICY_AWAKE);
    assert_string_equal(policy_reason_name(decision.reason), policy_reason_name(reason));
    assert_false(decision.may_sleep);
    assert_int_equal(policy_update(&world->services[API], &decision, world->seen.now_mono), 2);
}

static void expect_still_asleep(struct world *world, enum policy_reason reason)
{
    struct policy_decision decision = decide(world);

    assert_int_equal(decision.wanted, POLICY_ASLEEP);
    assert_string_equal(policy_reason_name(decision.reason), policy_reason_name(reason));
    for (size_t i = 0; i < N_SERVICES; i++)
        assert_int_equal(policy_update(&world->services[i], &decision, world->seen.now_mono),
                         POLICY_LEAVE);
}

static void expect_same(const struct policy_decision *a, const struct policy_decision *b)
{
    assert_int_equal(a->wanted, b->wanted);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->look, b->look);
    assert_int_equal(a->look_from.ms, b->look_from.ms);
    assert_int_equal(a->query, b->query);
    assert_int_equal(a->describe, b->describe);
    assert_int_equal(a->may_sleep, b->may_sleep);
    assert_int_equal(a->check_over, b->check_over);
    assert_int_equal(a->next.ms, b->next.ms);
}

/* --- hold awake ----------------------------------------------------------------------------------- */

static void test_held_awake_a_confirmed_idle_environment_stays_up(void **state)
{
    (void)state;
    struct world world = given_confirmed_idle();
    world.seen.request = (struct policy_request){.kind = POLICY_HOLD_AWAKE,
                                                 .since = world.seen.now,
                                                 .until = wall_add(world.seen.now, HOUR)};
    expect_stays_awake(&world, POLICY_HELD_AWAKE);
}

static void test_held_awake_no_query_is_paid_for(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    world.rules.insights_always = true;
    when_asked(&world, POLICY_HOLD_AWAKE, HOUR);
    assert_false(decide(&world).query);
}

static void test_a_hold_wakes_what_sleeps(void **state)
{
    (void)state;
    struct world world = given_asleep();
    when_asked(&world, POLICY_HOLD_AWAKE, HOUR);
    expect_wake(&world, POLICY_HELD_AWAKE);
}

static void test_a_hold_is_looked_at_again_when_it_ends(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_asked(&world, POLICY_HOLD_AWAKE, 20 * SECOND);
    world.seen.check_due = mono_add(world.seen.now_mono, HOUR);
    assert_int_equal(decide(&world).next.ms, world.seen.now_mono.ms + 20 * SECOND);
}

static void test_an_expired_hold_is_as_if_it_never_was(void **state)
{
    (void)state;
    const enum policy_request_kind kinds[] = {POLICY_HOLD_AWAKE, POLICY_HOLD_ASLEEP, POLICY_SLEEP};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct world awake = given_confirmed_idle(), asleep = given_asleep(), held;

        held = awake;
        when_asked(&held, kinds[i], 0);
        held.seen.check_due = awake.seen.check_due;
        struct policy_decision expected = decide(&awake), decision = decide(&held);
        expect_same(&decision, &expected);

        held = asleep;
        when_asked(&held, kinds[i], 0);
        expected = decide(&asleep);
        decision = decide(&held);
        expect_same(&decision, &expected);
    }
}

static void test_a_hold_in_the_past_that_the_clock_steps_back_into_is_one_again(void **state)
{
    (void)state;
    struct world world = given_asleep();
    when_asked(&world, POLICY_HOLD_AWAKE, MINUTE);
    pass(&world, 2 * MINUTE);
    expect_still_asleep(&world, POLICY_STILL_ASLEEP);
    world.seen.now = wall_add(world.seen.now, -90 * SECOND);
    expect_wake(&world, POLICY_HELD_AWAKE);
}

/* --- hold asleep ---------------------------------------------------------------------------------- */

static void test_held_asleep_it_sleeps_in_the_midst_of_activity(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    given_activity(&world, SECOND);
    when_asked(&world, POLICY_HOLD_ASLEEP, HOUR);
    pass(&world, 1);
    when_described(&world);
    given_activity(&world, 0);
    expect_sleep(&world, POLICY_HELD_ASLEEP);
}

static void test_held_asleep_nothing_wakes_it(void **state)
{
    (void)state;
    struct world world = given_asleep();
    when_asked(&world, POLICY_HOLD_ASLEEP, HOUR);
    given_activity(&world, 0);
    expect_still_asleep(&world, POLICY_HELD_ASLEEP);

    world.services[API].reported_count = 2; /* somebody scaled it up: his to run, but no wake */
    world.services[API].reported_at = world.seen.now_mono;
    expect_still_asleep(&world, POLICY_HELD_ASLEEP);
}

static void test_what_happened_during_the_hold_counts_when_it_ends(void **state)
{
    (void)state;
    struct world world = given_asleep();
    when_asked(&world, POLICY_HOLD_ASLEEP, HOUR);
    pass(&world, 50 * MINUTE);
    given_activity(&world, 0);
    pass(&world, 10 * MINUTE);
    expect_wake(&world, POLICY_ACTIVITY);
}

static void test_counts_must_be_known_even_for_a_sleep_by_hand(void **state)
{
    (void)state;
    const enum policy_request_kind kinds[] = {POLICY_HOLD_ASLEEP, POLICY_SLEEP};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct world world = given_idle_awake();
        pass(&world, MINUTE);
        when_asked(&world, kinds[i], HOUR);

        struct policy_decision decision = decide(&world);
        assert_true(decision.describe); /* what was read before the asking does not do */
        assert_false(decision.may_sleep);
        when_described(&world);
        world.seen.describe.finding = POLICY_UNKNOWN;
        expect_stays_awake(&world, POLICY_SERVICES_UNKNOWN);
        world.seen.describe.finding = POLICY_NO_MATCH;
        world.services[WORKER].condition = POLICY_CONDITION_MISSING;
        expect_stays_awake(&world, POLICY_SERVICE_MISSING);
        assert_int_equal(policy_next_check_ms(&world.rules, &world.seen), MINUTE);
    }
}

/* --- sleep, now ----------------------------------------------------------------------------------- */

static void test_a_sleep_by_hand_ignores_older_activity(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    given_activity(&world, SECOND);
    world.seen.always_on_down = true; /* silence would prove nothing; nobody asks the log */
    when_asked(&world, POLICY_SLEEP, HOUR);
    when_described(&world);
    assert_false(decide(&world).query);
    expect_sleep(&world, POLICY_SLEEP_ASKED);
}

static void test_the_first_newer_event_voids_it(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_asked(&world, POLICY_SLEEP, HOUR);
    when_described(&world);
    given_activity(&world, 100);
    expect_stays_awake(&world, POLICY_ACTIVITY);
    assert_int_equal(policy_request_in_force(&world.seen), POLICY_NO_REQUEST);
}

static void test_asleep_by_hand_the_looks_begin_after_the_asking(void **state)
{
    (void)state;
    struct world world = given_asleep();
    struct wall asked = world.seen.now;
    when_asked(&world, POLICY_SLEEP, HOUR);
    pass(&world, 20 * MINUTE);

    struct policy_decision decision = decide(&world);
    assert_true(decision.look);
    assert_int_equal(wall_since(decision.look_from, asked), 1);

    world.seen.check_due = mono_add(world.seen.now_mono, HOUR); /* and so does the everyday look */
    world.seen.looked_until = asked;
    decision = decide(&world);
    assert_true(decision.look);
    assert_int_equal(wall_since(decision.look_from, asked), 1);
}

static void test_asleep_by_hand_newer_activity_wakes(void **state)
{
    (void)state;
    struct world world = given_asleep();
    given_activity(&world, MINUTE);
    when_asked(&world, POLICY_SLEEP, HOUR);
    expect_still_asleep(&world, POLICY_SLEEP_ASKED);
    pass(&world, MINUTE);
    given_activity(&world, SECOND);
    expect_wake(&world, POLICY_ACTIVITY);
}

static void test_asleep_by_hand_a_later_scaling_is_adopted(void **state)
{
    (void)state;
    struct world world = given_asleep();
    when_asked(&world, POLICY_SLEEP, HOUR);
    pass(&world, 2 * MINUTE);
    world.services[API].reported_count = 1;
    world.services[API].reported_at = world.seen.now_mono;

    struct policy_decision decision = decide(&world);
    assert_int_equal(decision.wanted, POLICY_AWAKE);
    assert_int_equal(decision.reason, POLICY_ADOPTED);
}

/* --- no longer configured ------------------------------------------------------------------------- */

static void test_what_is_removed_is_woken_whatever_was_asked(void **state)
{
    (void)state;
    struct world world = given_asleep();
    when_asked(&world, POLICY_HOLD_ASLEEP, HOUR);
    world.seen.removed = true;
    expect_wake(&world, POLICY_REMOVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_awake_a_confirmed_idle_environment_stays_up),
        cmocka_unit_test(test_held_awake_no_query_is_paid_for),
        cmocka_unit_test(test_a_hold_wakes_what_sleeps),
        cmocka_unit_test(test_a_hold_is_looked_at_again_when_it_ends),
        cmocka_unit_test(test_an_expired_hold_is_as_if_it_never_was),
        cmocka_unit_test(test_a_hold_in_the_past_that_the_clock_steps_back_into_is_one_again),
        cmocka_unit_test(test_held_asleep_it_sleeps_in_the_midst_of_activity),
        cmocka_unit_test(test_held_asleep_nothing_wakes_it),
        cmocka_unit_test(test_what_happened_during_the_hold_counts_when_it_ends),
        cmocka_unit_test(test_counts_must_be_known_even_for_a_sleep_by_hand),
        cmocka_unit_test(test_a_sleep_by_hand_ignores_older_activity),
        cmocka_unit_test(test_the_first_newer_event_voids_it),
        cmocka_unit_test(test_asleep_by_hand_the_looks_begin_after_the_asking),
        cmocka_unit_test(test_asleep_by_hand_newer_activity_wakes),
        cmocka_unit_test(test_asleep_by_hand_a_later_scaling_is_adopted),
        cmocka_unit_test(test_what_is_removed_is_woken_whatever_was_asked),
    };
    return cmocka_run_group_tests_name("policy_requests", tests, NULL, NULL);
}
