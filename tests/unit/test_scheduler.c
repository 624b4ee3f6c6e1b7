/* SPDX-License-Identifier: MIT */
/* Stories of the whole daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/daemon_world.h"

/* --- the main story --------------------------------------------------------------------------------- */

static void test_idle_then_asleep_then_a_request_then_awake(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 9 * MINUTE);
    expect_counts(world, 2, 3, 1);
    pass(world, 2 * MINUTE);
    expect_counts(world, 0, 0, 0);
    expect_told(world, "found awake: api 2, worker 3, web 1");
    expect_told(world, "putting to sleep api 2, worker 3, web 1: idle: Logs Insights over");
    expect_told(world, "asleep; will wake to api 2, worker 3, web 1");

    pass(world, 8 * HOUR);
    expect_counts(world, 0, 0, 0);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
    expect_told(world, "waking api 2, worker 3, web 1: last activity at");
    pass(world, 2 * MINUTE);
    expect_told(world, "staging: awake: api 2, worker 3, web 1");
    assert_null(state_find(world->state, "staging", "staging"));
}

static void test_use_keeps_it_awake_and_the_window_lets_it_sleep(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    for (int i = 0; i < 6; i++) {
        request_arrives(world, REQUEST);
        pass(world, 50 * MINUTE);
        expect_counts(world, 2, 3, 1);
    }
    pass(world, 40 * MINUTE);
    expect_counts(world, 0, 0, 0);
    assert_int_equal(count_told(world, AUDIT_ID_SLEEP), 1);
}

static void test_of_a_page_the_newest_request_counts(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 5 * MINUTE + 10 * SECOND);
    request_arrives(world, REQUEST);
    pass(world, 30 * SECOND);
    request_arrives(world, REQUEST);
    pass(world, 5 * MINUTE);
    expect_told(world, "last activity at 12:05:40");
}

static void test_health_checks_are_no_activity(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    for (int i = 0; i < 40; i++) {
        request_arrives(world, HEALTH_CHECK);
        pass(world, 30 * SECOND);
    }
    expect_counts(world, 0, 0, 0);
    pass(world, HOUR);
    expect_counts(world, 0, 0, 0);
}

static void test_a_request_while_the_query_runs_cancels_the_sleep(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    assert_int_equal(sim_setting_set(world->sim, "query_running_ms", 60 * SECOND), 0);
    pass(world, 10 * MINUTE + 30 * SECOND); /* the query of the first check is running */
    assert_int_equal(sim_queries_active(world->sim, loop_wall(world->loop)), 1);
    request_arrives(world, REQUEST);
    pass(world, 5 * MINUTE);
    expect_counts(world, 2, 3, 1);
    expect_not_told(world, AUDIT_ID_SLEEP);
}

static void test_late_events_wake_too(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    struct wall happened = loop_wall(world->loop);
    pass(world, 20 * MINUTE);
    expect_counts(world, 0, 0, 0);
    /* It comes to light only now, older than `lateness` allows for: the next check finds it. */
    assert_int_equal(sim_event_put(world->sim, sim_log_group_find(world->sim, GATEWAY_LOG), "late",
                                   happened, loop_wall(world->loop), REQUEST, strlen(REQUEST)),
                     0);
    pass(world, 10 * MINUTE + SECOND);
    expect_counts(world, 2, 3, 1);
}

static void test_empty_pages_are_followed(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    assert_int_equal(sim_setting_set(world->sim, "empty_pages", 20), 0);
    request_arrives(world, REQUEST);
    pass(world, 40 * SECOND);
    expect_counts(world, 2, 3, 1);
}

/* --- "I don't know" never sleeps ---------------------------------------------------------------------- */

static void expect_stays_awake_for(struct world *world, int64_t duration_ms, const char *told)
{
    pass(world, duration_ms);
    expect_counts(world, 2, 3, 1);
    expect_not_told(world, AUDIT_ID_SLEEP);
    expect_told(world, told);
}

static void test_no_end_of_a_query_but_complete_sleeps(void **state)
{
    static const struct {
        enum sim_fault_kind kind;
        const char *operation;
        const char *told;
    } ends[] = {
        {SIM_FAULT_QUERY_FAILED, "StartQuery", "ended with status Failed"},
        {SIM_FAULT_QUERY_CANCELLED, "StartQuery", "ended with status Cancelled"},
        {SIM_FAULT_QUERY_TIMEOUT, "StartQuery", "ended with status Timeout"},
        {SIM_FAULT_QUERY_UNKNOWN, "StartQuery", "Unknown"},
        {SIM_FAULT_QUERY_NEVER_ENDS, "StartQuery", "had not ended"},
        {SIM_FAULT_QUERY_LIMIT_EXCEEDED, "StartQuery", "LimitExceededException"},
        {SIM_FAULT_THROTTLE, "StartQuery", "ThrottlingException"},
        {SIM_FAULT_HTTP_500, "GetQueryResults", "the query gave no answer"},
        {SIM_FAULT_GARBAGE, "GetQueryResults", "the query gave no answer"},
        {SIM_FAULT_TRUNCATE, "GetQueryResults", "the query gave no answer"},
        {SIM_FAULT_WRONG_TYPES, "GetQueryResults", "the query gave no answer"},
        {SIM_FAULT_ERROR_IN_200, "GetQueryResults", "the query gave no answer"},
        {SIM_FAULT_DEEP, "GetQueryResults", "the query gave no answer"},
        {SIM_FAULT_ACCESS_DENIED, "StartQuery", "logs:StartQuery"},
        {SIM_FAULT_ACCESS_DENIED, "DescribeServices", "ecs:DescribeServices"},
        {SIM_FAULT_GARBAGE, "DescribeServices", "cannot read the services"},
        {SIM_FAULT_WRONG_TYPES, "DescribeServices", "cannot read the services"},
        {SIM_FAULT_MISSING, "DescribeServices", "ECS does not know service"},
        {SIM_FAULT_GARBAGE, "FilterLogEvents", "the last look at the log gave no answer"},
        {SIM_FAULT_TOKEN_LOOP, "FilterLogEvents", NULL},
    };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct world *world = *state;

        if (!ends[i].told)
            continue;
        start_daemon(world, STAGING, "");
        fault(world, ends[i].kind, ends[i].operation, NULL, -1);
        expect_stays_awake_for(world, 30 * MINUTE, ends[i].told);
        /* It is over: the next check puts it to sleep (L3). */
        sim_faults_clear(world->sim);
        pass(world, 25 * MINUTE);
        expect_counts(world, 0, 0, 0);
        end_world(state);
        make_world(state);
    }
}

static void test_the_reason_for_staying_is_told_once(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    fault(world, SIM_FAULT_QUERY_FAILED, "StartQuery", NULL, -1);
    expect_stays_awake_for(world, 3 * HOUR, "ended with status Failed");
    assert_int_equal(count_told(world, AUDIT_ID_STAY), 1);
    assert_int_equal(count_told(world, AUDIT_ID_TROUBLE), 1);
}

static void test_always_on_down_proves_nothing(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    person_scales(world, "gateway", 0);
    pass(world, 30 * MINUTE);
    assert_int_equal(desired(world, "api"), 2);
    expect_told(world, "gateway, which writes the log, has no running task");
}

static void test_silence_may_be_unknown(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "silence = unknown\n");
    expect_stays_awake_for(world, 30 * MINUTE, "scanned no record at all");
    request_arrives(world, HEALTH_CHECK);
    pass(world, 15 * MINUTE);
    expect_counts(world, 0, 0, 0);
}

static void test_counts_that_cannot_be_recorded_are_not_touched(void **state)
{
    struct world *world = *state;
    char blocked[128];

    start_daemon(world, STAGING, "");
    snprintf(blocked, sizeof(blocked), "%s/state.json.new", world->directory);
    assert_int_equal(mkdir(blocked, 0700), 0);
    expect_stays_awake_for(world, 30 * MINUTE - SECOND, "could not be recorded");
}

static void test_a_stepped_clock_does_not_put_to_sleep(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    request_arrives(world, REQUEST);
    pass(world, 9 * MINUTE);
    /* This host's clock jumps two hours ahead; AWS's does not. */
    virtual_loop_step_wall(world->loop, 2 * HOUR);
    world->sim->clock_offset_ms = -2 * HOUR;
    pass(world, 40 * MINUTE);
    expect_counts(world, 2, 3, 1);
    expect_not_told(world, AUDIT_ID_SLEEP);
}

static void test_a_suspended_host_looks_before_it_sleeps(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    request_arrives(world, REQUEST);
    pass(world, 5 * MINUTE);
    virtual_loop_suspend(world->loop, 9 * HOUR);
    request_arrives(world, REQUEST);
    pass(world, 40 * MINUTE);
    expect_counts(world, 2, 3, 1);
}

static void test_restarted_with_a_clock_behind_it_wakes_nobody(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    request_arrives(world, REQUEST);
    pass(world, 80 * MINUTE);
    expect_counts(world, 0, 0, 0);
    restart_with_clock_off(world, -HOUR);
    pass(world, HOUR);
    expect_counts(world, 0, 0, 0);
}

static void test_restarted_with_a_clock_ahead_it_wakes_at_once(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    restart_with_clock_off(world, 2 * HOUR);
    pass(world, 30 * SECOND);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
}

/* --- exact counts -------------------------------------------------------------------------------------- */

static void test_killed_while_asleep_it_gives_the_counts_back(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    restart_daemon(world);
    pass(world, HOUR);
    expect_counts(world, 0, 0, 0);
    restart_daemon(world);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
    expect_told(world, "api desiredCount 0 -> 2");
    expect_told(world, "worker desiredCount 0 -> 3");
}

static void test_killed_while_asleep_and_one_scaled_by_hand_it_does_not_guess(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    kill_daemon(world);
    person_scales(world, "api", 1);
    start_daemon(world, STAGING, "");
    pass(world, 5 * SECOND);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_not_told(world, "api desiredCount 0 ->");
    expect_told(world, "worker desiredCount 0 -> 3");
}

/* Killed after any of the first moments of a sleep or a wake, and restarted, it ends with the counts
 * from before. */
static void test_killed_at_any_moment_of_a_sleep_it_gives_the_counts_back(void **state)
{
    for (int64_t moment_ms = 0; moment_ms < 12 * SECOND; moment_ms += 40) {
        struct world *world = *state;

        assert_int_equal(sim_setting_set(world->sim, "latency_ms", 100), 0);
        start_daemon(world, STAGING, "");
        pass(world, 10 * MINUTE + moment_ms);
        restart_daemon(world);
        pass(world, 30 * SECOND);
        request_arrives(world, REQUEST);
        pass(world, 4 * MINUTE);
        expect_counts(world, 2, 3, 1);
        end_world(state);
        make_world(state);
    }
}

static void test_killed_at_any_moment_of_a_wake_it_gives_the_counts_back(void **state)
{
    for (int64_t moment_ms = 0; moment_ms < 18 * SECOND; moment_ms += 60) {
        struct world *world = *state;

        given_asleep(world);
        assert_int_equal(sim_setting_set(world->sim, "latency_ms", 100), 0);
        assert_int_equal(sim_setting_set(world->sim, "stale_ms", 30 * SECOND), 0);
        request_arrives(world, REQUEST);
        pass(world, moment_ms);
        restart_daemon(world);
        pass(world, 4 * MINUTE);
        expect_counts(world, 2, 3, 1);
        end_world(state);
        make_world(state);
    }
}

static void test_a_lost_answer_changes_nothing(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    fault(world, SIM_FAULT_UPDATE_ANSWER_LOST, "UpdateService", "worker", 9);
    pass(world, 30 * MINUTE);
    expect_counts(world, 0, 0, 0);
    request_arrives(world, REQUEST);
    pass(world, 3 * MINUTE);
    expect_counts(world, 2, 3, 1);
}

static void test_one_service_that_refuses_does_not_hold_up_the_others(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    fault(world, SIM_FAULT_ACCESS_DENIED, "UpdateService", "worker", -1);
    pass(world, 15 * MINUTE);
    expect_counts(world, 0, 3, 0);
    expect_told(world, "ecs:UpdateService");
    expect_told(world, "service/staging/worker");
    sim_faults_clear(world->sim);
    pass(world, 15 * MINUTE);
    expect_counts(world, 0, 0, 0);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
}

static void test_a_wake_that_is_throttled_is_repeated(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    fault(world, SIM_FAULT_THROTTLE, "UpdateService", NULL, 12);
    request_arrives(world, REQUEST);
    pass(world, 5 * MINUTE);
    expect_counts(world, 2, 3, 1);
}

/* "Too fast" is an answer: nothing was done, and what somebody sets meanwhile is seen to be theirs. */
static void test_a_wake_that_is_throttled_leaves_what_somebody_gives_meanwhile(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    fault(world, SIM_FAULT_THROTTLE, "UpdateService", "api", -1);
    request_arrives(world, REQUEST);
    pass(world, 5 * MINUTE);
    person_scales(world, "api", 1);
    pass(world, 3 * MINUTE);
    sim_faults_clear(world->sim);
    pass(world, 5 * MINUTE);
    expect_counts(world, 1, 3, 1);
}

/* What was read before the sleep says nothing about after it, whoever refused what since. */
static void test_a_wake_just_after_the_sleep_though_iam_says_no_for_a_while(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 10 * MINUTE + 10 * SECOND);
    expect_counts(world, 0, 0, 0);
    fault(world, SIM_FAULT_ACCESS_DENIED, "UpdateService", NULL, -1);
    request_arrives(world, REQUEST);
    pass(world, 10 * MINUTE);
    expect_counts(world, 0, 0, 0);
    sim_faults_clear(world->sim);
    pass(world, 2 * MINUTE);
    expect_counts(world, 2, 3, 1);
}

static void test_a_wake_needs_no_read(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 10 * MINUTE + 10 * SECOND);
    expect_counts(world, 0, 0, 0);
    fault(world, SIM_FAULT_ACCESS_DENIED, "DescribeServices", NULL, -1);
    pass(world, 5 * MINUTE);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
}

static void test_a_wake_undone_by_another_actor_is_repeated(void **state)
{
    struct world *world = *state;
    struct sim_fault_rule rule = SIM_FAULT_RULE(SIM_FAULT_UPDATE_UNDONE);

    given_asleep(world);
    rule.operation = "UpdateService";
    rule.match = "api";
    rule.value = 10 * SECOND;
    assert_int_equal(sim_fault_add(world->sim, &rule, NULL), 0);
    request_arrives(world, REQUEST);
    pass(world, 3 * MINUTE);
    expect_counts(world, 2, 3, 1);
}

static void test_stale_reads_do_not_swallow_a_wake(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    assert_int_equal(sim_setting_set(world->sim, "stale_ms", 50 * SECOND), 0);
    pass(world, 10 * MINUTE + 10 * SECOND);
    expect_counts(world, 0, 0, 0);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
    pass(world, 10 * MINUTE);
    expect_counts(world, 2, 3, 1);
}

static void test_a_service_at_zero_by_hand_stays_there(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    person_scales(world, "web", 0);
    pass(world, 11 * MINUTE);
    expect_counts(world, 0, 0, 0);
    request_arrives(world, REQUEST);
    pass(world, 3 * MINUTE);
    expect_counts(world, 2, 3, 0);
}

static void test_scaled_by_hand_while_awake_that_count_comes_back(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    pass(world, 5 * MINUTE);
    person_scales(world, "api", 7);
    pass(world, 6 * MINUTE);
    expect_counts(world, 0, 0, 0);
    request_arrives(world, REQUEST);
    pass(world, 3 * MINUTE);
    expect_counts(world, 7, 3, 1);
}

static void test_scaled_up_by_hand_while_asleep_is_adopted_and_expires(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    pass(world, 5 * MINUTE);
    person_scales(world, "api", 1);
    pass(world, 2 * MINUTE);
    expect_counts(world, 1, 3, 1);
    expect_told(world, "somebody scaled api up");
    pass(world, 50 * MINUTE);
    expect_counts(world, 1, 3, 1);
    pass(world, 25 * MINUTE);
    expect_counts(world, 0, 0, 0);
}

static void test_found_at_zero_without_a_record_it_says_what_it_cannot_do(void **state)
{
    struct world *world = *state;

    person_scales(world, "api", 0);
    person_scales(world, "worker", 0);
    person_scales(world, "web", 0);
    start_daemon(world,
                 "[environment staging]\ncluster = staging\nservices = api = 4, worker, web\n"
                 "log_group = " GATEWAY_LOG "\npattern = \"/api/v1/\"\n",
                 "");
    pass(world, MINUTE);
    expect_told(world, "no count is recorded");
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 4, 0, 0);
}

/* --- reload, dry run, stop ------------------------------------------------------------------------------- */

static void reload(struct world *world, const char *first, const char *second)
{
    assert_int_equal(scheduler_reload(world->scheduler, world->aws, load(world, first, second)), 0);
}

static void test_a_reload_keeps_what_is_asleep_asleep(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    reload(world, STAGING, DEV);
    pass(world, 12 * MINUTE);
    expect_counts(world, 0, 0, 0);
    assert_int_equal(desired(world, "all-in-one"), 0);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
    assert_int_equal(desired(world, "all-in-one"), 0);
}

static void test_removed_while_asleep_it_is_left_and_said_how_to_restore(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    reload(world, DEV, "");
    expect_told(world, "aws ecs update-service --cluster staging --service api --desired-count 2");
    pass(world, HOUR);
    expect_counts(world, 0, 0, 0);
    /* Back again, it still knows the counts. */
    reload(world, STAGING, "");
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
}

static const char WITHOUT_WORKER[] = "[environment staging]\n"
                                     "cluster = staging\n"
                                     "services = api, web\n"
                                     "log_group = " GATEWAY_LOG "\n"
                                     "pattern = \"/api/v1/\"\n";

static void test_a_service_removed_while_asleep_is_left_and_said_how_to_restore(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    reload(world, WITHOUT_WORKER, "");
    pass(world, MINUTE);
    expect_told(world,
                "aws ecs update-service --cluster staging --service worker --desired-count 3");
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 0, 1);
    pass(world, 5 * MINUTE);
    /* Back again, it is still owed its count. */
    reload(world, STAGING, "");
    pass(world, 5 * MINUTE);
    expect_counts(world, 2, 3, 1);
}

/* Nobody asks about it; but it is said how that ends. */
static void test_a_service_left_asleep_is_told_until_it_is_configured_again(void **state)
{
    struct world *world = *state;

    given_asleep(world);
    kill_daemon(world);
    person_scales(world, "worker", 3);
    start_daemon(world, WITHOUT_WORKER, "");
    pass(world, 5 * MINUTE);
    expect_told(world,
                "worker removed from the configuration while asleep; it is left so, and told "
                "at each start until it is configured again. To restore it: aws ecs");
    reload(world, STAGING, "");
    request_arrives(world, REQUEST);
    pass(world, 5 * MINUTE);
    forget_story(world);
    kill_daemon(world);
    start_daemon(world, WITHOUT_WORKER, "");
    pass(world, 5 * MINUTE);
    expect_not_told(world, "removed from the configuration");
}

static void test_its_cluster_changed_while_asleep_it_is_said_how_to_restore(void **state)
{
    static const char elsewhere[] = "[environment staging]\n"
                                    "cluster = dev\n"
                                    "services = all-in-one\n"
                                    "log_group = /ecs/dev/gateway\n"
                                    "pattern = \"/api/v1/\"\n";
    struct world *world = *state;

    given_asleep(world);
    reload(world, elsewhere, "");
    expect_told(world, "aws ecs update-service --cluster staging --service api --desired-count 2");
    expect_told(world,
                "aws ecs update-service --cluster staging --service worker --desired-count 3");
    pass(world, HOUR);
    expect_counts(world, 0, 0, 0);
    /* It was a mistake: back again, it still knows the counts. */
    reload(world, STAGING, "");
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
}

static void test_removed_while_asleep_it_is_woken_if_it_says_so(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "on_remove = wake\n");
    pass(world, 11 * MINUTE);
    expect_counts(world, 0, 0, 0);
    reload(world, DEV, "");
    pass(world, 5 * MINUTE);
    expect_counts(world, 2, 3, 1);
    assert_null(state_find(world->state, "staging", "staging"));
    pass(world, 3 * HOUR);
    expect_counts(world, 2, 3, 1);
}

static void test_killed_while_it_wakes_what_was_removed_it_says_how_to_restore(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "on_remove = wake\n");
    pass(world, 11 * MINUTE);
    expect_counts(world, 0, 0, 0);
    fault(world, SIM_FAULT_THROTTLE, "UpdateService", NULL, -1);
    reload(world, DEV, "");
    pass(world, 10 * SECOND);
    kill_daemon(world);
    start_daemon(world, DEV, "");
    expect_told(world, "aws ecs update-service --cluster staging --service api --desired-count 2");
}

static void test_a_shorter_check_interval_holds_from_the_reload_on(void **state)
{
    struct world *world = *state;
    char slow[1024];

    snprintf(slow, sizeof(slow), "%scheck_interval = 1h\n", STAGING);
    start_daemon(world, slow, "");
    pass(world, 5 * MINUTE);
    reload(world, STAGING, "");
    pass(world, 11 * MINUTE);
    expect_counts(world, 0, 0, 0);
}

static void test_a_storm_of_reloads_does_no_harm(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, DEV);
    for (int i = 0; i < 700; i++) {
        reload(world, i % 2 ? STAGING : DEV, i % 2 ? DEV : STAGING);
        pass(world, 977);
    }
    pass(world, 12 * MINUTE);
    expect_counts(world, 0, 0, 0);
    request_arrives(world, REQUEST);
    for (int i = 0; i < 50; i++) {
        reload(world, STAGING, DEV);
        pass(world, SECOND);
    }
    pass(world, 3 * MINUTE);
    expect_counts(world, 2, 3, 1);
}

static void test_a_dry_run_tells_and_touches_nothing(void **state)
{
    struct world *world = *state;

    world->dry_run = true;
    start_daemon(world, STAGING, "");
    pass(world, 11 * MINUTE);
    expect_told(world, "putting to sleep api 2, worker 3, web 1");
    expect_told(world, "api desiredCount 2 -> 0 (dry run: not sent)");
    expect_counts(world, 2, 3, 1);
    pass(world, HOUR);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_told(world, "api desiredCount 0 -> 2 (dry run: not sent)");
    expect_counts(world, 2, 3, 1);
}

static void test_stopping_stops_the_query(void **state)
{
    struct world *world = *state;

    start_daemon(world, STAGING, "");
    fault(world, SIM_FAULT_QUERY_NEVER_ENDS, "StartQuery", NULL, -1);
    pass(world, 10 * MINUTE + 20 * SECOND);
    assert_int_equal(sim_queries_active(world->sim, loop_wall(world->loop)), 1);
    scheduler_stop(world->scheduler);
    pass(world, 5 * SECOND);
    assert_int_equal(aws_calls_pending(world->aws), 0);
    assert_int_equal(sim_queries_active(world->sim, loop_wall(world->loop)), 0);
}

/* --- many -------------------------------------------------------------------------------------------------- */

static void test_a_broken_environment_holds_up_no_other(void **state)
{
    struct world *world = *state;

    fault(world, SIM_FAULT_STALL, "*", "/ecs/dev/gateway", -1);
    fault(world, SIM_FAULT_STALL, "*", "dev", -1);
    start_daemon(world, DEV, STAGING);
    pass(world, 11 * MINUTE + 30 * SECOND);
    expect_counts(world, 0, 0, 0);
    request_arrives(world, REQUEST);
    pass(world, 20 * SECOND);
    expect_counts(world, 2, 3, 1);
    assert_int_equal(desired(world, "all-in-one"), 4);
}

#define N_MANY 160

/* More looks are due than the budget of FilterLogEvents allows: each waits for its turn, longer than
 * evidence may be old. */
static void test_hundreds_fall_asleep_though_their_looks_wait_for_their_turn(void **state)
{
    struct world *world = *state;
    char *sections = NULL, name[32], log_group[32];
    char status[SCHEDULER_STATUS_MAX];
    size_t size;
    FILE *text = open_memstream(&sections, &size);

    for (int i = 0; i < N_MANY; i++) {
        struct sim_cluster *cluster;

        snprintf(name, sizeof(name), "team-%d", i);
        snprintf(log_group, sizeof(log_group), "/ecs/team-%d", i);
        const struct sim_service_options options = {
            .name = "api", .desired = 2, .log_group = log_group, .running_already = true};
        assert_int_equal(
            sim_log_group_add(world->sim, log_group, false, loop_wall(world->loop), NULL), 0);
        assert_int_equal(sim_cluster_add(world->sim, name, &cluster), 0);
        assert_int_equal(
            sim_service_add(world->sim, cluster, &options, loop_wall(world->loop), NULL), 0);
        fprintf(text,
                "[environment %s]\ncluster = %s\nservices = api\nlog_group = %s\n"
                "poll_interval_awake = 15s\n",
                name, name, log_group);
    }
    assert_int_equal(fclose(text), 0);
    world->dry_run = true; /* the disk is not what they wait for */
    start_daemon(world, sections, "");
    free(sections);
    pass(world, 15 * MINUTE);
    assert_string_equal(scheduler_format_status(world->scheduler, status),
                        "160 environments: 160 asleep");
}

static void test_the_status_is_one_sentence(void **state)
{
    struct world *world = *state;
    char text[SCHEDULER_STATUS_MAX];

    start_daemon(world, STAGING, DEV);
    assert_string_equal(scheduler_format_status(world->scheduler, text),
                        "2 environments: 2 not seen yet; next check 12:10");
    pass(world, 5 * MINUTE);
    assert_string_equal(scheduler_format_status(world->scheduler, text),
                        "2 environments: 2 awake; next check 12:10");
    pass(world, 6 * MINUTE);
    assert_string_equal(scheduler_format_status(world->scheduler, text),
                        "2 environments: 2 asleep");
    fault(world, SIM_FAULT_ACCESS_DENIED, "*", NULL, -1);
    pass(world, 2 * MINUTE);
    assert_string_equal(scheduler_format_status(world->scheduler, text),
                        "2 environments: 2 asleep; 2 in trouble");
}

#define story(test) cmocka_unit_test_setup_teardown(test, make_world, end_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(test_idle_then_asleep_then_a_request_then_awake),
        story(test_use_keeps_it_awake_and_the_window_lets_it_sleep),
        story(test_of_a_page_the_newest_request_counts),
        story(test_health_checks_are_no_activity),
        story(test_a_request_while_the_query_runs_cancels_the_sleep),
        story(test_late_events_wake_too),
        story(test_empty_pages_are_followed),
        story(test_no_end_of_a_query_but_complete_sleeps),
        story(test_the_reason_for_staying_is_told_once),
        story(test_always_on_down_proves_nothing),
        story(test_silence_may_be_unknown),
        story(test_counts_that_cannot_be_recorded_are_not_touched),
        story(test_a_stepped_clock_does_not_put_to_sleep),
        story(test_a_suspended_host_looks_before_it_sleeps),
        story(test_restarted_with_a_clock_behind_it_wakes_nobody),
        story(test_restarted_with_a_clock_ahead_it_wakes_at_once),
        story(test_killed_while_asleep_it_gives_the_counts_back),
        story(test_killed_while_asleep_and_one_scaled_by_hand_it_does_not_guess),
        story(test_killed_at_any_moment_of_a_sleep_it_gives_the_counts_back),
        story(test_killed_at_any_moment_of_a_wake_it_gives_the_counts_back),
        story(test_a_lost_answer_changes_nothing),
        story(test_one_service_that_refuses_does_not_hold_up_the_others),
        story(test_a_wake_that_is_throttled_is_repeated),
        story(test_a_wake_that_is_throttled_leaves_what_somebody_gives_meanwhile),
        story(test_a_wake_just_after_the_sleep_though_iam_says_no_for_a_while),
        story(test_a_wake_needs_no_read),
        story(test_a_wake_undone_by_another_actor_is_repeated),
        story(test_stale_reads_do_not_swallow_a_wake),
        story(test_a_service_at_zero_by_hand_stays_there),
        story(test_scaled_by_hand_while_awake_that_count_comes_back),
        story(test_scaled_up_by_hand_while_asleep_is_adopted_and_expires),
        story(test_found_at_zero_without_a_record_it_says_what_it_cannot_do),
        story(test_a_reload_keeps_what_is_asleep_asleep),
        story(test_removed_while_asleep_it_is_left_and_said_how_to_restore),
        story(test_a_service_removed_while_asleep_is_left_and_said_how_to_restore),
        story(test_a_service_left_asleep_is_told_until_it_is_configured_again),
        story(test_its_cluster_changed_while_asleep_it_is_said_how_to_restore),
        story(test_removed_while_asleep_it_is_woken_if_it_says_so),
        story(test_killed_while_it_wakes_what_was_removed_it_says_how_to_restore),
        story(test_a_shorter_check_interval_holds_from_the_reload_on),
        story(test_a_storm_of_reloads_does_no_harm),
        story(test_a_dry_run_tells_and_touches_nothing),
        story(test_stopping_stops_the_query),
        story(test_a_broken_environment_holds_up_no_other),
        story(test_hundreds_fall_asleep_though_their_looks_wait_for_their_turn),
        story(test_the_status_is_one_sentence),
    };
    return cmocka_run_group_tests_name("scheduler", tests, NULL, NULL);
}
