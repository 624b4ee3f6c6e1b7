/* SPDX-License-Identifier: MIT */
/* Stories of what people ask for by hand, of the whole daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/daemon_world.h"

static void alice_asks(struct world *world, enum policy_request_kind kind, int64_t duration_ms)
{
    struct environment *staging = scheduler_find(world->scheduler, "staging");

    assert_non_null(staging);
    assert_int_equal(environment_ask(staging, kind, wall_add(aws_now(world->aws), duration_ms),
                                     "alice", "demo at five"),
                     0);
}

static void test_held_awake_it_runs_through_an_idle_night(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, MINUTE);
    alice_asks(world, POLICY_HOLD_AWAKE, 12 * HOUR);
    expect_told(world, "staging: held awake until 00:01 by alice: demo at five");
    pass(world, 11 * HOUR + 58 * MINUTE);
    expect_counts(world, 2, 3, 1);
    assert_int_equal(count_told(world, "not put to sleep: held awake until 00:01 by alice"), 1);
    pass(world, 15 * MINUTE); /* over; the next check finds it idle */
    expect_counts(world, 0, 0, 0);
}

static void test_a_hold_wakes_and_the_counts_are_what_they_were(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    alice_asks(world, POLICY_HOLD_AWAKE, 2 * HOUR);
    pass(world, 2 * SECOND);
    expect_counts(world, 2, 3, 1);
    expect_told(world, "waking api 2, worker 3, web 1: held awake until 14:11 by alice");
    pass(world, HOUR);
    expect_counts(world, 2, 3, 1);
}

static void test_a_hold_survives_a_crash(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, MINUTE);
    alice_asks(world, POLICY_HOLD_AWAKE, 5 * HOUR);
    for (int i = 0; i < 4; i++) {
        pass(world, HOUR);
        restart_daemon(world);
    }
    pass(world, 50 * MINUTE);
    expect_counts(world, 2, 3, 1);
    pass(world, 30 * MINUTE);
    expect_counts(world, 0, 0, 0);
}

static void test_a_released_environment_sleeps_with_the_next_check(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, MINUTE);
    alice_asks(world, POLICY_HOLD_AWAKE, 5 * HOUR);
    pass(world, 30 * MINUTE);
    alice_asks(world, POLICY_NO_REQUEST, 0);
    expect_told(world, "staging: released by alice");
    pass(world, 11 * MINUTE);
    expect_counts(world, 0, 0, 0);
    assert_null(state_find_request(world->state, "staging", "staging"));
}

static void test_asked_to_sleep_it_does_so_at_once_in_the_midst_of_use(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 90 * SECOND);
    request_arrives(world, REQUEST);
    pass(world, 90 * SECOND);
    alice_asks(world, POLICY_SLEEP, HOUR);
    pass(world, 2 * SECOND);
    expect_counts(world, 0, 0, 0);
    expect_told(world, "putting to sleep api 2, worker 3, web 1: asked to sleep by alice");
    pass(world, 30 * MINUTE); /* the request from before does not wake it, nor does its late copy */
    expect_counts(world, 0, 0, 0);

    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
}

static void test_what_was_ignored_stays_so_after_a_crash(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 90 * SECOND);
    request_arrives(world, REQUEST);
    pass(world, 90 * SECOND);
    alice_asks(world, POLICY_SLEEP, HOUR);
    pass(world, 5 * SECOND);
    restart_daemon(world);
    pass(world, 2 * HOUR);
    expect_counts(world, 0, 0, 0);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
}

/* The host's clock was an hour ahead when it was asked, and AWS has put that right since. */
static void test_a_clock_that_was_ahead_hides_nothing_that_comes(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 90 * SECOND);
    restart_with_clock_off(world, HOUR);
    alice_asks(world, POLICY_SLEEP, HOUR);
    pass(world, 5 * MINUTE);
    expect_counts(world, 0, 0, 0);
    restart_daemon(world);
    pass(world, 5 * MINUTE);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
}

/* Many old events must not hide a new one: a look ends with its first match. */
static void test_a_busy_hour_before_the_sleep_does_not_delay_the_wake(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    for (int i = 0; i < 300; i++) {
        request_arrives(world, REQUEST);
        pass(world, 10 * SECOND);
    }
    alice_asks(world, POLICY_SLEEP, HOUR);
    pass(world, MINUTE);
    expect_counts(world, 0, 0, 0);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
}

static void test_held_asleep_nothing_wakes_it_until_the_end(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 90 * SECOND);
    alice_asks(world, POLICY_HOLD_ASLEEP, 3 * HOUR);
    for (int i = 0; i < 17; i++) {
        request_arrives(world, REQUEST);
        pass(world, 10 * MINUTE);
        expect_counts(world, 0, 0, 0);
    }
    pass(world, 11 * MINUTE);
    expect_counts(world, 2, 3, 1); /* the last request is within the window */
}

static void test_a_sleep_whose_counts_cannot_be_recorded_is_tried_again(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 90 * SECOND);
    fault(world, SIM_FAULT_ACCESS_DENIED, "DescribeServices", NULL, 8);
    alice_asks(world, POLICY_SLEEP, HOUR);
    pass(world, 10 * SECOND);
    expect_counts(world, 2, 3, 1);
    pass(world, 12 * MINUTE);
    expect_told(world, "not put to sleep: its services could not be read");
    expect_counts(world, 0, 0, 0);
}

static void test_the_newest_wish_wins(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 90 * SECOND);
    alice_asks(world, POLICY_HOLD_ASLEEP, 3 * HOUR);
    pass(world, MINUTE);
    expect_counts(world, 0, 0, 0);
    alice_asks(world, POLICY_HOLD_AWAKE, HOUR);
    pass(world, MINUTE);
    expect_counts(world, 2, 3, 1);
    pass(world, 90 * MINUTE); /* the first is not in force again when the second ends */
    expect_told(world, "idle: Logs Insights");
}

static void test_a_check_now_puts_to_sleep_what_is_idle_and_tells_why_not_of_the_rest(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 90 * SECOND);
    request_arrives(world, REQUEST);
    pass(world, 90 * SECOND);
    environment_check_now(scheduler_find(world->scheduler, "staging"));
    pass(world, SECOND);
    expect_told(world, "not put to sleep: last activity at 12:01:30");
    expect_counts(world, 2, 3, 1);

    pass(world, HOUR - 2 * MINUTE);
    environment_check_now(scheduler_find(world->scheduler, "staging"));
    pass(world, MINUTE);
    expect_counts(world, 2, 3, 1);
    pass(world, 6 * MINUTE); /* and what may be late is past, too */
    environment_check_now(scheduler_find(world->scheduler, "staging"));
    pass(world, MINUTE);
    expect_counts(world, 0, 0, 0);
}

static void test_a_wish_is_kept_over_a_reload(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, MINUTE);
    alice_asks(world, POLICY_HOLD_AWAKE, 5 * HOUR);
    assert_int_equal(scheduler_reload(world->scheduler, world->aws, load(world, STAGING, DEV)), 0);
    pass(world, 4 * HOUR);
    expect_counts(world, 2, 3, 1);
}

#define test_in_world(test) cmocka_unit_test_setup_teardown(test, make_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_in_world(test_held_awake_it_runs_through_an_idle_night),
        test_in_world(test_a_hold_wakes_and_the_counts_are_what_they_were),
        test_in_world(test_a_hold_survives_a_crash),
        test_in_world(test_a_released_environment_sleeps_with_the_next_check),
        test_in_world(test_asked_to_sleep_it_does_so_at_once_in_the_midst_of_use),
        test_in_world(test_what_was_ignored_stays_so_after_a_crash),
        test_in_world(test_a_clock_that_was_ahead_hides_nothing_that_comes),
        test_in_world(test_a_busy_hour_before_the_sleep_does_not_delay_the_wake),
        test_in_world(test_held_asleep_nothing_wakes_it_until_the_end),
        test_in_world(test_a_sleep_whose_counts_cannot_be_recorded_is_tried_again),
        test_in_world(test_the_newest_wish_wins),
        test_in_world(test_a_check_now_puts_to_sleep_what_is_idle_and_tells_why_not_of_the_rest),
        test_in_world(test_a_wish_is_kept_over_a_reload),
    };
    return cmocka_run_group_tests_name("requests", tests, NULL, NULL);
}
