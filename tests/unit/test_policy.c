/* SPDX-License-Identifier: MIT */
/* Policy, told as stories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/policy_world.h"

/* --- sleep ---------------------------------------------------------------------------------------- */

static void test_sleeps_on_a_whole_chain(void **state)
{
    (void)state;
    struct world world = given_confirmed_idle();
    struct policy_decision decision = decide(&world);

    assert_int_equal(decision.wanted, POLICY_ASLEEP);
    assert_int_equal(decision.reason, POLICY_CONFIRMED_IDLE);
    assert_true(decision.may_sleep);
    assert_true(decision.check_over);
    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono), 0);
    assert_int_equal(policy_update(&world.services[WORKER], &decision, world.seen.now_mono), 0);
    assert_int_equal(policy_count_to_record(&world.services[API], world.seen.now_mono), 2);
    assert_int_equal(policy_count_to_record(&world.services[WORKER], world.seen.now_mono), 3);
}

static void test_query_covers_window_and_lateness(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    struct policy_decision decision = decide(&world);

    assert_int_equal(wall_since(world.seen.now, decision.query_from), HOUR + 5 * MINUTE);
    assert_int_equal(wall_since(world.seen.now, decision.query_to), 0);
}

static void test_last_look_reaches_behind_the_querys_end(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    when_queried(&world, POLICY_NO_MATCH);
    when_described(&world);
    struct policy_decision decision = decide(&world);

    assert_true(wall_since(world.seen.query.to, decision.look_from) >= 5 * MINUTE);
}

static void test_no_query_before_the_check_is_due(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    world.seen.check_due = mono_add(world.seen.now_mono, 1);
    struct policy_decision decision = decide(&world);

    assert_false(decision.query);
    assert_int_equal(decision.reason, POLICY_CHECK_NOT_DUE);
    assert_int_equal(decision.next.ms, world.seen.now_mono.ms + 1);
}

static void test_known_activity_saves_the_query(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    world.seen.last_activity = wall_add(world.seen.now, -HOUR); /* the edge belongs to the window */
    expect_stays_awake(&world, POLICY_ACTIVITY);
    assert_false(decide(&world).query);
}

static void test_insights_always_asks_even_then(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    world.rules.insights_always = true;
    world.seen.last_activity = wall_add(world.seen.now, -MINUTE);
    when_described(&world);
    when_queried(&world, POLICY_NO_MATCH);
    /* What was seen outweighs what was not. */
    expect_stays_awake(&world, POLICY_ACTIVITY);
}

/* Each link of the chain, broken, keeps the environment awake and says why. */

static void test_stays_awake_when_services_cannot_be_read(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    world.seen.describe.finding = POLICY_UNKNOWN;
    expect_stays_awake(&world, POLICY_SERVICES_UNKNOWN);
}

static void test_stays_awake_when_a_service_is_missing(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    world.services[WORKER].condition = POLICY_CONDITION_MISSING;
    expect_stays_awake(&world, POLICY_SERVICE_MISSING);
    assert_int_equal(decide(&world).service, WORKER);
}

static void test_stays_awake_when_the_logs_writer_is_down(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    world.seen.always_on_down = true;
    expect_stays_awake(&world, POLICY_ALWAYS_ON_DOWN);
}

static void test_stays_awake_when_the_query_gives_no_answer(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    when_queried(&world, POLICY_UNKNOWN);
    expect_stays_awake(&world, POLICY_QUERY_UNKNOWN);
}

static void test_stays_awake_when_the_query_matches(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    when_queried(&world, POLICY_MATCH);
    expect_stays_awake(&world, POLICY_QUERY_ACTIVITY);
    world.seen.last_activity = wall_add(world.seen.now, -MINUTE);
    expect_stays_awake(&world, POLICY_ACTIVITY);
}

static void test_silence_is_idleness_unless_it_is_unknown(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    when_queried(&world, POLICY_NO_MATCH);
    world.seen.query.silent = true;
    assert_int_equal(decide(&world).reason, POLICY_CHECKING);
    world.rules.silence_is_unknown = true;
    expect_stays_awake(&world, POLICY_QUERY_SILENT);
}

static void test_stays_awake_when_the_last_look_fails_or_matches(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world world = given_idle_awake();
        when_described(&world);
        when_queried(&world, POLICY_NO_MATCH);
        when_described(&world);
        when_looked(&world, i == 0 ? POLICY_UNKNOWN : POLICY_MATCH);
        expect_stays_awake(&world, i == 0 ? POLICY_LOOK_UNKNOWN : POLICY_QUERY_ACTIVITY);
    }
}

static void test_activity_seen_during_the_check_ends_it(void **state)
{
    (void)state;
    struct world world = given_confirmed_idle();
    world.seen.last_activity = wall_add(world.seen.now, -SECOND);
    expect_stays_awake(&world, POLICY_ACTIVITY);
}

static void test_old_evidence_is_void(void **state)
{
    (void)state;
    struct world world = given_confirmed_idle();
    pass(&world, POLICY_LOOK_AGE_MAX_MS + 1);
    expect_stays_awake(&world, POLICY_STALE);
}

/* Among hundreds of environments a request waits for its turn: that makes its answer no older. */
static void test_a_last_look_that_waited_for_its_turn_is_as_good(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    when_queried(&world, POLICY_NO_MATCH);
    when_described(&world);
    assert_true(decide(&world).look);
    begin(&world, &world.seen.look);
    pass(&world, 5 * MINUTE);
    end(&world, &world.seen.look, POLICY_NO_MATCH);
    world.seen.look.sent = mono_add(world.seen.now_mono, -SECOND);
    assert_true(decide(&world).may_sleep);
    world.seen.look.sent = world.seen.look.began;
    expect_stays_awake(&world, POLICY_STALE);
}

static void test_a_slow_last_look_voids_the_query(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    when_queried(&world, POLICY_NO_MATCH);
    when_described(&world);
    pass(&world, POLICY_QUERY_AGE_MAX_MS);
    when_looked(&world, POLICY_NO_MATCH);
    expect_stays_awake(&world, POLICY_STALE);
}

static void test_a_stepped_clock_voids_the_chain(void **state)
{
    (void)state;
    for (int direction = -1; direction <= 1; direction += 2) {
        struct world world = given_confirmed_idle();
        world.seen.now = wall_add(world.seen.now, direction * (POLICY_CLOCK_TOLERANCE_MS + SECOND));
        expect_stays_awake(&world, POLICY_STALE);
    }
}

static void test_a_wake_after_the_query_voids_the_chain(void **state)
{
    (void)state;
    struct world world = given_confirmed_idle();
    world.seen.woken = mono_add(world.seen.query.began, 1);
    expect_stays_awake(&world, POLICY_STALE);
}

static void test_a_longer_window_after_a_reload_voids_the_chain(void **state)
{
    (void)state;
    struct world world = given_confirmed_idle();
    world.rules.window_ms = HOUR + MINUTE;
    expect_stays_awake(&world, POLICY_STALE);
}

static void test_a_look_begun_before_the_counts_were_read_does_not_count(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    when_queried(&world, POLICY_NO_MATCH);
    /* A routine look runs while the services are read again. */
    begin(&world, &world.seen.look);
    when_described(&world);
    end(&world, &world.seen.look, POLICY_NO_MATCH);
    struct policy_decision decision = decide(&world);
    assert_true(decision.look);
    assert_false(decision.may_sleep);
}

static void test_everything_at_zero_needs_no_query(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    when_described(&world);
    world.services[API].reported_count = world.services[WORKER].reported_count = 0;
    expect_stays_awake(&world, POLICY_NOTHING_TO_SLEEP);
}

static void test_somebodys_zero_is_recorded_as_zero(void **state)
{
    (void)state;
    struct world world = given_confirmed_idle();
    world.services[WORKER].reported_count = 0;
    struct policy_decision decision = decide(&world);

    assert_true(decision.may_sleep);
    assert_int_equal(policy_update(&world.services[WORKER], &decision, world.seen.now_mono),
                     POLICY_LEAVE);
    assert_int_equal(policy_count_to_record(&world.services[WORKER], world.seen.now_mono), 0);
    world.services[WORKER].recorded_count = 0;
    assert_int_equal(policy_wake_count(&world.services[WORKER]), 0);
}

static void test_daemon_and_draining_services_are_never_touched(void **state)
{
    (void)state;
    struct world world = given_confirmed_idle();
    world.services[API].condition = POLICY_CONDITION_UNTOUCHABLE;
    struct policy_decision decision = decide(&world);

    assert_true(decision.may_sleep);
    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono),
                     POLICY_LEAVE);
    assert_int_equal(policy_update(&world.services[WORKER], &decision, world.seen.now_mono), 0);
}

/* --- wake ----------------------------------------------------------------------------------------- */

static void test_activity_wakes_to_the_recorded_counts(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.last_activity = world.seen.now;
    struct policy_decision decision = decide(&world);

    assert_int_equal(decision.wanted, POLICY_AWAKE);
    assert_int_equal(decision.reason, POLICY_ACTIVITY);
    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono), 2);
    assert_int_equal(policy_update(&world.services[WORKER], &decision, world.seen.now_mono), 3);
}

static void test_a_configured_count_overrides_the_recorded_one(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.services[API].configured_count = 7;
    world.services[WORKER].configured_count = 0;
    world.seen.last_activity = world.seen.now;
    struct policy_decision decision = decide(&world);

    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono), 7);
    assert_int_equal(policy_update(&world.services[WORKER], &decision, world.seen.now_mono),
                     POLICY_LEAVE);
}

static void test_wakes_though_the_services_cannot_be_read(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.services[API].condition = POLICY_CONDITION_UNKNOWN;
    world.seen.describe.finding = POLICY_UNKNOWN;
    world.seen.last_activity = world.seen.now;
    struct policy_decision decision = decide(&world);

    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono), 2);
}

/* Its answer said what it had done. Were that forgotten, each minute would take away what somebody else
 * has set since. */
static void test_a_wake_is_sent_once_though_the_services_cannot_be_read(void **state)
{
    (void)state;
    struct world world = given_asleep();
    struct policy_service *api = &world.services[API];
    world.seen.last_activity = world.seen.now;
    world.seen.describe.finding = POLICY_UNKNOWN;
    api->condition = POLICY_CONDITION_UNKNOWN;
    api->reported_at = MONO_NEVER;
    api->written = true;
    api->written_count = 2;
    api->written_at = mono_add(world.seen.now_mono, -10 * MINUTE);
    struct policy_decision decision = decide(&world);

    assert_int_equal(policy_update(api, &decision, world.seen.now_mono), POLICY_LEAVE);
}

static void put_to_sleep(struct policy_service *service, struct mono at)
{
    service->written = true;
    service->written_count = 0;
    service->written_at = service->zeroed_at = at;
}

static void test_a_stale_read_does_not_swallow_a_wake(void **state)
{
    (void)state;
    struct world world = given_asleep();
    /* Put to sleep ten seconds ago; DescribeServices still shows the counts from before. */
    put_to_sleep(&world.services[API], mono_add(world.seen.now_mono, -10 * SECOND));
    world.services[API].reported_count = 2;
    world.services[API].reported_at = mono_add(world.seen.now_mono, -SECOND);
    world.seen.last_activity = world.seen.now;
    struct policy_decision decision = decide(&world);

    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono), 2);
}

/* However long ago: what was read before our write says nothing about after it. */
static void test_a_read_from_before_the_sleep_does_not_swallow_a_wake(void **state)
{
    (void)state;
    struct world world = given_asleep();
    struct policy_service *api = &world.services[API];
    put_to_sleep(api, mono_add(world.seen.now_mono, -20 * MINUTE));
    api->reported_count = 2;
    api->reported_at = mono_add(api->written_at, -SECOND);
    world.seen.last_activity = world.seen.now;
    struct policy_decision decision = decide(&world);
    assert_int_equal(policy_update(api, &decision, world.seen.now_mono), 2);

    api->reported_at = mono_add(api->written_at, 2 * MINUTE); /* somebody's, then */
    decision = decide(&world);
    assert_int_equal(policy_update(api, &decision, world.seen.now_mono), POLICY_LEAVE);
}

static void test_a_lost_answer_is_sent_again(void **state)
{
    (void)state;
    struct world world = given_asleep();
    struct policy_service *api = &world.services[API];
    put_to_sleep(api, mono_add(world.seen.now_mono, -20 * SECOND));
    api->write_uncertain = true;
    api->reported_count = 1;
    api->reported_at = mono_add(world.seen.now_mono, -SECOND);
    world.seen.last_activity = world.seen.now;
    struct policy_decision decision = decide(&world);

    assert_int_equal(policy_update(api, &decision, world.seen.now_mono), 2);
}

/* For hours no answer to any UpdateService; then somebody has had enough, and scales it up by hand. */
static void test_a_count_somebody_gives_while_answers_are_lost_is_left_alone(void **state)
{
    (void)state;
    struct world world = given_asleep();
    struct policy_service *api = &world.services[API];
    put_to_sleep(api, mono_add(world.seen.now_mono, -180 * MINUTE));
    api->written_count = 2;
    api->written_at = mono_add(world.seen.now_mono, -5 * SECOND);
    api->write_uncertain = true;
    api->reported_count = 0;
    api->reported_at = mono_add(world.seen.now_mono, -30 * SECOND);
    world.seen.last_activity = world.seen.now;
    struct policy_decision decision = decide(&world);
    assert_int_equal(policy_update(api, &decision, world.seen.now_mono), 2);

    api->reported_count = 1;
    assert_int_equal(policy_update(api, &decision, world.seen.now_mono), POLICY_LEAVE);
}

static void test_a_wake_that_was_undone_is_sent_again(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.last_activity = world.seen.now;
    world.services[API].written = true;
    world.services[API].written_count = 2;
    world.services[API].written_at = mono_add(world.seen.now_mono, -20 * SECOND);
    world.services[API].reported_count = 0;
    world.services[API].reported_at = mono_add(world.seen.now_mono, -SECOND);
    struct policy_decision decision = decide(&world);

    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono), 2);
}

/* ECS may say MISSING for a moment of a service that is there. */
static void test_a_service_seen_up_since_its_wake_needs_nothing_while_it_is_missing(void **state)
{
    (void)state;
    struct world world = given_asleep();
    struct policy_service *api = &world.services[API];
    world.seen.last_activity = world.seen.now;
    put_to_sleep(api, mono_add(world.seen.now_mono, -600 * SECOND));
    api->written_count = 2;
    api->written_at = mono_add(world.seen.now_mono, -300 * SECOND);
    api->reported_count = 4; /* somebody's, since */
    api->reported_at = mono_add(world.seen.now_mono, -120 * SECOND);
    api->condition = POLICY_CONDITION_MISSING;
    struct policy_decision decision = decide(&world);
    assert_int_equal(policy_update(api, &decision, world.seen.now_mono), POLICY_LEAVE);

    put_to_sleep(api, mono_add(world.seen.now_mono, -100 * SECOND));
    api->reported_at = mono_add(api->written_at, -SECOND); /* from before */
    assert_int_equal(policy_update(api, &decision, world.seen.now_mono), 2);

    api->reported_at = mono_add(api->written_at, SECOND);
    api->write_uncertain = true;
    assert_int_equal(policy_update(api, &decision, world.seen.now_mono), 2);
}

static void test_a_lost_answer_is_settled_by_a_read_as_soon_as_one_can(void **state)
{
    (void)state;
    struct world world = given_asleep();
    struct mono settles = mono_add(world.seen.now_mono, 20 * SECOND);
    world.seen.describe.began = mono_add(world.seen.now_mono, -SECOND);
    world.services[API].written = world.services[API].write_uncertain = true;
    world.services[API].written_at = mono_add(settles, -POLICY_STALE_READ_MS);
    struct policy_decision decision = decide(&world);
    assert_false(decision.describe);
    assert_true(decision.next.ms <= settles.ms);

    world.seen.now_mono = settles;
    world.seen.now = wall_add(world.seen.now, 20 * SECOND);
    decision = decide(&world);
    assert_true(decision.describe);
}

static void test_somebodys_count_is_left_alone_on_wake(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.services[API].reported_count = 5;
    world.seen.last_activity = world.seen.now;
    struct policy_decision decision = decide(&world);

    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono),
                     POLICY_LEAVE);
    assert_int_equal(policy_update(&world.services[WORKER], &decision, world.seen.now_mono), 3);
}

static void test_a_failed_update_waits_its_turn(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.last_activity = world.seen.now;
    world.services[API].not_before = mono_add(world.seen.now_mono, 5 * SECOND);
    struct policy_decision decision = decide(&world);

    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono),
                     POLICY_LEAVE);
    assert_true(decision.next.ms <= world.seen.now_mono.ms + 5 * SECOND);
}

static void test_wake_is_settled_by_a_read_that_cannot_be_stale(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.services = world.services;
    for (size_t i = 0; i < N_SERVICES; i++) {
        world.services[i].written = true;
        world.services[i].written_count = world.services[i].recorded_count;
        world.services[i].written_at = world.seen.now_mono;
        world.services[i].reported_count = world.services[i].recorded_count;
        world.services[i].reported_at = mono_add(world.seen.now_mono, POLICY_STALE_READ_MS - 1);
    }
    assert_false(policy_wake_is_settled(&world.seen));
    for (size_t i = 0; i < N_SERVICES; i++)
        world.services[i].reported_at = mono_add(world.seen.now_mono, POLICY_STALE_READ_MS);
    assert_true(policy_wake_is_settled(&world.seen));
    world.services[WORKER].reported_count = 0;
    assert_false(policy_wake_is_settled(&world.seen));
}

static void test_a_wake_is_settled_though_the_next_read_is_under_way(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.services = world.services;
    for (size_t i = 0; i < N_SERVICES; i++) {
        world.services[i].written = true;
        world.services[i].written_count = world.services[i].recorded_count;
        world.services[i].written_at = mono_add(world.seen.now_mono, -2 * MINUTE);
        world.services[i].reported_count = world.services[i].recorded_count;
        world.services[i].reported_at = world.seen.now_mono;
    }
    begin(&world, &world.seen.describe);
    assert_true(policy_wake_is_settled(&world.seen));
}

/* Looks wait for their turn among those of hundreds; reads of the services need not. */
static void test_no_read_comes_between_the_chain_and_its_last_look(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    world.services[API].recorded_count = 2; /* owed still, and so the services are read again */
    when_described(&world);
    when_queried(&world, POLICY_NO_MATCH);
    when_described(&world);
    struct policy_decision decision = decide(&world);
    assert_true(decision.look);
    begin(&world, &world.seen.look);
    world.seen.look.from = decision.look_from;
    pass(&world, 3 * MINUTE);
    assert_false(decide(&world).describe);

    end(&world, &world.seen.look, POLICY_NO_MATCH);
    world.seen.look.sent = world.seen.now_mono;
    assert_true(decide(&world).may_sleep);
}

static void test_what_became_of_a_lost_answer_is_read_even_then(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    world.services[API].recorded_count = 2;
    when_described(&world);
    when_queried(&world, POLICY_NO_MATCH);
    when_described(&world);
    assert_true(decide(&world).look);
    begin(&world, &world.seen.look);
    world.services[API].written = world.services[API].write_uncertain = true;
    world.services[API].written_at = mono_add(world.seen.now_mono, -30 * SECOND);
    struct mono settles = mono_add(world.services[API].written_at, POLICY_STALE_READ_MS);
    assert_int_equal(decide(&world).next.ms, settles.ms);
    pass(&world, 30 * SECOND);
    assert_true(decide(&world).describe);
}

/* --- asleep --------------------------------------------------------------------------------------- */

static void test_asleep_it_stays_asleep_whatever_is_unknown(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.check_due = mono_add(world.seen.now_mono, MINUTE);
    world.seen.look.finding = POLICY_UNKNOWN;
    world.seen.describe.finding = POLICY_UNKNOWN;
    struct policy_decision decision = decide(&world);

    assert_int_equal(decision.wanted, POLICY_ASLEEP);
    assert_int_equal(decision.reason, POLICY_STILL_ASLEEP);
    assert_false(decision.may_sleep);
}

static void test_asleep_it_looks_every_poll_interval(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.check_due = mono_add(world.seen.now_mono, MINUTE);
    assert_false(decide(&world).look);
    assert_int_equal(decide(&world).next.ms, world.seen.look.began.ms + 15 * SECOND);
    pass(&world, 5 * SECOND);
    struct policy_decision decision = decide(&world);

    assert_true(decision.look);
    assert_int_equal(wall_since(world.seen.looked_until, decision.look_from),
                     5 * MINUTE + POLICY_OVERLAP_MS);
}

static void test_after_an_outage_the_look_reaches_back_to_the_last_good_one(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.check_due = mono_add(world.seen.now_mono, MINUTE);
    world.seen.looked_until = wall_add(world.seen.now, -40 * MINUTE);
    pass(&world, MINUTE - SECOND);
    struct policy_decision decision = decide(&world);

    assert_true(decision.look);
    assert_true(decision.look_from.ms <= world.seen.looked_until.ms);
}

static void test_the_check_of_a_sleeping_environment_looks_at_the_whole_window(void **state)
{
    (void)state;
    struct world world = given_asleep();
    struct policy_decision decision = decide(&world);

    assert_true(decision.look);
    assert_true(decision.check_over);
    assert_false(decision.query);
    assert_int_equal(wall_since(world.seen.now, decision.look_from), HOUR);
}

static void test_scaling_up_by_hand_is_adopted(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.services[WORKER].reported_count = 1;
    struct policy_decision decision = decide(&world);

    assert_int_equal(decision.wanted, POLICY_AWAKE);
    assert_int_equal(decision.reason, POLICY_ADOPTED);
    assert_int_equal(decision.service, WORKER);
    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono), 2);
    assert_int_equal(policy_update(&world.services[WORKER], &decision, world.seen.now_mono),
                     POLICY_LEAVE);

    world.rules.adopt = false;
    assert_int_equal(decide(&world).wanted, POLICY_ASLEEP);
}

static void test_all_back_at_the_counts_of_a_wake_are_awake(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.rules.adopt = false;
    for (size_t i = 0; i < world.seen.n_services; i++)
        world.services[i].reported_count = world.services[i].recorded_count;
    assert_int_equal(decide(&world).wanted, POLICY_AWAKE);

    world.services[WORKER].reported_count--;
    assert_int_equal(decide(&world).wanted, POLICY_ASLEEP);

    world.services[WORKER].reported_count++;
    world.services[WORKER].written = world.services[WORKER].write_pretended = true;
    assert_int_equal(decide(&world).wanted, POLICY_ASLEEP); /* in a dry run all stay up */
}

static void test_a_stale_read_after_the_sleep_is_not_somebodys_doing(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.services[WORKER].written = true;
    world.services[WORKER].written_at = mono_add(world.services[WORKER].reported_at, -SECOND);
    world.services[WORKER].reported_count = 3;

    assert_int_equal(decide(&world).wanted, POLICY_ASLEEP);
}

static void test_a_service_that_could_not_be_slept_needs_a_new_confirmation(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.services[API].slept = false;
    world.services[API].reported_count = 2;
    struct policy_decision decision = decide(&world);
    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono),
                     POLICY_LEAVE);
    when_described(&world);
    when_queried(&world, POLICY_NO_MATCH);
    when_described(&world);
    when_looked(&world, POLICY_NO_MATCH);
    decision = decide(&world);

    assert_true(decision.may_sleep);
    assert_int_equal(policy_update(&world.services[API], &decision, world.seen.now_mono), 0);
    assert_int_equal(policy_update(&world.services[WORKER], &decision, world.seen.now_mono),
                     POLICY_LEAVE);
}

/* --- looks ---------------------------------------------------------------------------------------- */

static void test_the_first_look_covers_the_window(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    world.seen.look = (struct policy_evidence){.began = MONO_NEVER, .ended = MONO_NEVER};
    world.seen.last_activity = WALL_NEVER;
    world.seen.check_due = mono_add(world.seen.now_mono, MINUTE);
    struct policy_decision decision = decide(&world);

    assert_true(decision.look);
    assert_int_equal(wall_since(world.seen.now, decision.look_from), HOUR);
}

static void test_refused_looks_are_repeated_slowly(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.check_due = mono_add(world.seen.now_mono, 5 * MINUTE);
    world.seen.look.finding = POLICY_UNKNOWN;
    world.seen.look.refused = true;
    pass(&world, 20 * SECOND);
    assert_false(decide(&world).look);
    pass(&world, POLICY_SLOW_RETRY_MS);
    assert_true(decide(&world).look);
}

static void test_a_look_never_goes_behind_known_activity(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    world.seen.check_due = mono_add(world.seen.now_mono, 5 * MINUTE);
    world.seen.last_activity = wall_add(world.seen.now, -SECOND);
    pass(&world, MINUTE);
    struct policy_decision decision = decide(&world);

    assert_true(decision.look);
    assert_true(decision.look_from.ms > world.seen.last_activity.ms);
}

static void test_services_are_read_while_counts_are_owed(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.wanted = POLICY_AWAKE;
    world.seen.last_activity = world.seen.now;
    world.seen.check_due = mono_add(world.seen.now_mono, 5 * MINUTE);

    assert_true(decide(&world).describe);
}

static void test_after_a_wake_services_are_read_until_their_tasks_run(void **state)
{
    (void)state;
    struct world world = given_idle_awake();
    world.seen.check_due = mono_add(world.seen.now_mono, HOUR);
    world.seen.woken = world.seen.describe.began;
    world.services[WORKER].running_count = 3;
    world.services[API].running_count = 1; /* of 2 */
    assert_true(decide(&world).describe);

    world.services[API].running_count = 2;
    assert_false(decide(&world).describe);

    world.services[API].running_count = 0; /* they never do: the check will see it */
    pass(&world, 20 * MINUTE);
    assert_false(decide(&world).describe);
}

static void test_a_removed_environment_is_woken_and_nothing_else(void **state)
{
    (void)state;
    struct world world = given_asleep();
    world.seen.removed = true;
    pass(&world, HOUR);
    struct policy_decision decision = decide(&world);

    assert_int_equal(decision.wanted, POLICY_AWAKE);
    assert_int_equal(decision.reason, POLICY_REMOVED);
    assert_false(decision.look);
    assert_false(decision.query);
}

static void test_every_reason_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i <= POLICY_REMOVED; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(policy_reason_name((enum policy_reason)i),
                                    policy_reason_name((enum policy_reason)j));
    assert_string_equal(policy_reason_name((enum policy_reason)999), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sleeps_on_a_whole_chain),
        cmocka_unit_test(test_query_covers_window_and_lateness),
        cmocka_unit_test(test_last_look_reaches_behind_the_querys_end),
        cmocka_unit_test(test_no_query_before_the_check_is_due),
        cmocka_unit_test(test_known_activity_saves_the_query),
        cmocka_unit_test(test_insights_always_asks_even_then),
        cmocka_unit_test(test_stays_awake_when_services_cannot_be_read),
        cmocka_unit_test(test_stays_awake_when_a_service_is_missing),
        cmocka_unit_test(test_stays_awake_when_the_logs_writer_is_down),
        cmocka_unit_test(test_stays_awake_when_the_query_gives_no_answer),
        cmocka_unit_test(test_stays_awake_when_the_query_matches),
        cmocka_unit_test(test_silence_is_idleness_unless_it_is_unknown),
        cmocka_unit_test(test_stays_awake_when_the_last_look_fails_or_matches),
        cmocka_unit_test(test_activity_seen_during_the_check_ends_it),
        cmocka_unit_test(test_old_evidence_is_void),
        cmocka_unit_test(test_a_last_look_that_waited_for_its_turn_is_as_good),
        cmocka_unit_test(test_a_slow_last_look_voids_the_query),
        cmocka_unit_test(test_a_stepped_clock_voids_the_chain),
        cmocka_unit_test(test_a_wake_after_the_query_voids_the_chain),
        cmocka_unit_test(test_a_longer_window_after_a_reload_voids_the_chain),
        cmocka_unit_test(test_a_look_begun_before_the_counts_were_read_does_not_count),
        cmocka_unit_test(test_everything_at_zero_needs_no_query),
        cmocka_unit_test(test_somebodys_zero_is_recorded_as_zero),
        cmocka_unit_test(test_daemon_and_draining_services_are_never_touched),
        cmocka_unit_test(test_activity_wakes_to_the_recorded_counts),
        cmocka_unit_test(test_a_configured_count_overrides_the_recorded_one),
        cmocka_unit_test(test_wakes_though_the_services_cannot_be_read),
        cmocka_unit_test(test_a_wake_is_sent_once_though_the_services_cannot_be_read),
        cmocka_unit_test(test_a_stale_read_does_not_swallow_a_wake),
        cmocka_unit_test(test_a_read_from_before_the_sleep_does_not_swallow_a_wake),
        cmocka_unit_test(test_a_lost_answer_is_sent_again),
        cmocka_unit_test(test_a_count_somebody_gives_while_answers_are_lost_is_left_alone),
        cmocka_unit_test(test_a_wake_that_was_undone_is_sent_again),
        cmocka_unit_test(test_a_service_seen_up_since_its_wake_needs_nothing_while_it_is_missing),
        cmocka_unit_test(test_a_lost_answer_is_settled_by_a_read_as_soon_as_one_can),
        cmocka_unit_test(test_somebodys_count_is_left_alone_on_wake),
        cmocka_unit_test(test_a_failed_update_waits_its_turn),
        cmocka_unit_test(test_wake_is_settled_by_a_read_that_cannot_be_stale),
        cmocka_unit_test(test_a_wake_is_settled_though_the_next_read_is_under_way),
        cmocka_unit_test(test_no_read_comes_between_the_chain_and_its_last_look),
        cmocka_unit_test(test_what_became_of_a_lost_answer_is_read_even_then),
        cmocka_unit_test(test_asleep_it_stays_asleep_whatever_is_unknown),
        cmocka_unit_test(test_asleep_it_looks_every_poll_interval),
        cmocka_unit_test(test_after_an_outage_the_look_reaches_back_to_the_last_good_one),
        cmocka_unit_test(test_the_check_of_a_sleeping_environment_looks_at_the_whole_window),
        cmocka_unit_test(test_scaling_up_by_hand_is_adopted),
        cmocka_unit_test(test_all_back_at_the_counts_of_a_wake_are_awake),
        cmocka_unit_test(test_a_stale_read_after_the_sleep_is_not_somebodys_doing),
        cmocka_unit_test(test_a_service_that_could_not_be_slept_needs_a_new_confirmation),
        cmocka_unit_test(test_the_first_look_covers_the_window),
        cmocka_unit_test(test_refused_looks_are_repeated_slowly),
        cmocka_unit_test(test_a_look_never_goes_behind_known_activity),
        cmocka_unit_test(test_services_are_read_while_counts_are_owed),
        cmocka_unit_test(test_after_a_wake_services_are_read_until_their_tasks_run),
        cmocka_unit_test(test_a_removed_environment_is_woken_and_nothing_else),
        cmocka_unit_test(test_every_reason_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
