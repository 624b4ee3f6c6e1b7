/* SPDX-License-Identifier: MIT */

/* The loop under virtual time, which so many other tests trust. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "tests/support/virtual_loop.h"

static struct loop *loop;

/* What fired, in order: a letter each. */
static char story[100];

struct alarm {
    struct loop_timer *timer;
    char letter;
    struct mono fired_at;
    void (*then)(struct alarm *alarm);
};

static void fire(void *userdata)
{
    struct alarm *alarm = userdata;
    size_t length = strlen(story);

    if (length < sizeof(story) - 1) {
        story[length] = alarm->letter;
        story[length + 1] = '\0';
    }
    alarm->fired_at = loop_mono(loop);
    if (alarm->then)
        alarm->then(alarm);
}

static struct alarm alarms[8];

static struct alarm *alarm_named(char letter, int64_t delay_ms)
{
    struct alarm *alarm = &alarms[letter - 'a'];

    alarm->letter = letter;
    assert_int_equal(loop_timer_new(loop, fire, alarm, &alarm->timer), 0);
    loop_timer_after(alarm->timer, delay_ms);
    return alarm;
}

static int set_up(void **state)
{
    (void)state;
    story[0] = '\0';
    memset(alarms, 0, sizeof(alarms));
    return loop_new(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(alarms); i++)
        alarms[i].timer = loop_timer_free(alarms[i].timer);
    loop = loop_free(loop);
    return 0;
}

static void test_begins_at_a_known_moment(void **state)
{
    char text[WALL_TEXT_MAX];

    (void)state;
    assert_string_equal(wall_format_iso(loop_wall(loop), text), "2026-03-02T12:00:00Z");
    assert_true(mono_is_set(loop_mono(loop)));
    assert_int_equal(virtual_loop_next(loop).ms, MONO_FOREVER.ms);
}

static void test_timers_fire_in_the_order_of_their_time(void **state)
{
    (void)state;
    alarm_named('c', 3000);
    alarm_named('a', 1000);
    alarm_named('d', 4000);
    alarm_named('b', 2000);
    virtual_loop_run_for(loop, 3500);
    assert_string_equal(story, "abc");
    virtual_loop_run_for(loop, 500);
    assert_string_equal(story, "abcd");
}

static void test_equals_fire_in_the_order_of_arming(void **state)
{
    (void)state;
    for (char letter = 'a'; letter <= 'h'; letter++)
        alarm_named(letter, 1000);
    loop_timer_after(alarms[0].timer, 1000); /* armed anew, a goes to the end */
    virtual_loop_run_for(loop, 1000);
    assert_string_equal(story, "bcdefgha");
}

static void test_both_clocks_advance_together(void **state)
{
    struct mono mono = loop_mono(loop);
    struct alarm *alarm = alarm_named('a', 1234);

    (void)state;
    virtual_loop_run_for(loop, MS_PER_HOUR);
    assert_int_equal(mono_since(alarm->fired_at, mono), 1234);
    assert_int_equal(mono_since(loop_mono(loop), mono), MS_PER_HOUR);
    assert_int_equal(wall_since(loop_wall(loop), VIRTUAL_LOOP_START), MS_PER_HOUR);
}

static void test_a_stopped_timer_does_not_fire(void **state)
{
    (void)state;
    alarm_named('a', 1000);
    alarm_named('b', 2000);
    alarm_named('c', 3000);
    loop_timer_stop(alarms[1].timer);
    loop_timer_stop(alarms[1].timer); /* once more does no harm */
    loop_timer_at(alarms[2].timer, MONO_FOREVER);
    virtual_loop_run_for(loop, MS_PER_DAY);
    assert_string_equal(story, "a");
    assert_int_equal(virtual_loop_next(loop).ms, MONO_FOREVER.ms);
}

static void test_an_endless_delay_stops_too(void **state)
{
    (void)state;
    alarm_named('a', INT64_MAX);
    virtual_loop_run_until_idle(loop);
    assert_string_equal(story, "");
}

static void test_a_timer_fires_once_an_arming(void **state)
{
    struct alarm *alarm = alarm_named('a', 1000);

    (void)state;
    virtual_loop_run_for(loop, 5000);
    assert_string_equal(story, "a");
    loop_timer_at(alarm->timer, mono_add(loop_mono(loop), 1000));
    loop_timer_at(alarm->timer, mono_add(loop_mono(loop), 2000)); /* the later word counts */
    virtual_loop_run_for(loop, 1999);
    assert_string_equal(story, "a");
    virtual_loop_run_for(loop, 1);
    assert_string_equal(story, "aa");
}

static void arm_again(struct alarm *alarm)
{
    loop_timer_after(alarm->timer, 1000);
}

static void test_a_timer_may_be_armed_from_its_callback(void **state)
{
    (void)state;
    alarm_named('a', 1000)->then = arm_again;
    virtual_loop_run_for(loop, 5000);
    assert_string_equal(story, "aaaaa");
}

static void free_both(struct alarm *alarm)
{
    alarm->timer = loop_timer_free(alarm->timer);
    alarms[1].timer = loop_timer_free(alarms[1].timer);
}

static void test_a_timer_may_be_freed_from_its_callback(void **state)
{
    (void)state;
    alarm_named('a', 1000)->then = free_both;
    alarm_named('b', 1000);
    virtual_loop_run_for(loop, 5000);
    assert_string_equal(story, "a");
    assert_int_equal(virtual_loop_timers(loop), 0);
}

static void test_what_is_overdue_fires_at_once(void **state)
{
    struct mono now = loop_mono(loop);
    struct alarm *alarm = alarm_named('a', -1000);

    (void)state;
    alarm_named('b', 0);
    virtual_loop_run_for(loop, 0);
    assert_string_equal(story, "ab");
    assert_int_equal(alarm->fired_at.ms, now.ms); /* time does not go back for it */
}

static void test_suspension_delays_what_came_due(void **state)
{
    struct mono before = loop_mono(loop);
    struct alarm *alarm = alarm_named('a', MS_PER_MINUTE);

    (void)state;
    alarm_named('b', MS_PER_HOUR + 1);
    virtual_loop_suspend(loop, MS_PER_HOUR);
    assert_string_equal(story, "");
    assert_int_equal(wall_since(loop_wall(loop), VIRTUAL_LOOP_START), MS_PER_HOUR);
    virtual_loop_run_for(loop, 0);
    assert_string_equal(story, "a");
    assert_int_equal(mono_since(alarm->fired_at, before), MS_PER_HOUR);
}

static void test_wall_clock_may_step_without_timers_noticing(void **state)
{
    struct mono before = loop_mono(loop);

    (void)state;
    alarm_named('a', 1000);
    virtual_loop_step_wall(loop, -MS_PER_HOUR);
    assert_int_equal(loop_mono(loop).ms, before.ms);
    assert_int_equal(wall_since(loop_wall(loop), VIRTUAL_LOOP_START), -MS_PER_HOUR);
    virtual_loop_run_for(loop, 999);
    assert_string_equal(story, "");
    virtual_loop_set_wall(loop, (struct wall){.ms = 0});
    virtual_loop_run_for(loop, 1);
    assert_string_equal(story, "a");
    assert_int_equal(loop_wall(loop).ms, 1);
}

static void leave(struct alarm *alarm)
{
    (void)alarm;
    loop_exit(loop, 7);
}

static void test_the_loop_runs_until_it_is_left(void **state)
{
    int code = 0;

    (void)state;
    alarm_named('a', MS_PER_DAY);
    alarm_named('b', 2 * MS_PER_DAY)->then = leave;
    alarm_named('c', 2 * MS_PER_DAY);
    assert_false(virtual_loop_has_exited(loop, &code));
    assert_int_equal(loop_run(loop), 7);
    assert_string_equal(story, "ab");
    assert_true(virtual_loop_has_exited(loop, &code));
    assert_int_equal(code, 7);

    virtual_loop_run_for(loop, MS_PER_DAY); /* nothing happens any more */
    assert_string_equal(story, "ab");
}

static void test_a_loop_in_which_nothing_can_happen_says_so(void **state)
{
    (void)state;
    alarm_named('a', 1000);
    assert_int_equal(loop_run(loop), -EDEADLK);
    assert_string_equal(story, "a");
}

static void test_idle_is_when_nothing_is_armed(void **state)
{
    (void)state;
    alarm_named('a', MS_PER_DAY);
    alarm_named('b', 365 * MS_PER_DAY);
    assert_int_equal(mono_since(virtual_loop_next(loop), loop_mono(loop)), MS_PER_DAY);
    virtual_loop_run_until_idle(loop);
    assert_string_equal(story, "ab");
}

static void count_signal(void *userdata, int signal_number)
{
    int *count = userdata;

    assert_int_equal(signal_number, SIGHUP);
    (*count)++;
}

static void test_signals_come_from_the_loop(void **state)
{
    int count = 0;

    (void)state;
    assert_false(virtual_loop_raise_signal(loop, SIGHUP));
    assert_int_equal(loop_signal_new(loop, SIGHUP, count_signal, &count), 0);
    assert_int_equal(loop_signal_new(loop, SIGHUP, count_signal, &count), -EBUSY);
    assert_int_equal(loop_signal_new(loop, 0, count_signal, &count), -EINVAL);
    assert_int_equal(loop_signal_new(loop, 1000, count_signal, &count), -EINVAL);

    assert_true(virtual_loop_raise_signal(loop, SIGHUP));
    assert_true(virtual_loop_raise_signal(loop, SIGHUP));
    assert_int_equal(count, 0);
    virtual_loop_run_for(loop, 0);
    assert_int_equal(count, 1);
    virtual_loop_run_for(loop, 1000);
    assert_int_equal(count, 1);
}

static void ready(void *userdata, int fd, uint32_t revents)
{
    (void)userdata, (void)fd, (void)revents;
    fail();
}

static void test_has_neither_descriptors_nor_a_watchdog(void **state)
{
    struct loop_io *io = NULL;

    (void)state;
    assert_int_equal(loop_io_new(loop, 0, EPOLLIN, ready, NULL, &io), -ENOTSUP);
    assert_int_equal(loop_io_set_events(io, EPOLLOUT), -ENOTSUP);
    assert_null(loop_io_free(io));
    assert_int_equal(loop_watchdog_enable(loop), 0);
}

static void test_chance_follows_the_seed(void **state)
{
    uint64_t first[20];

    (void)state;
    virtual_loop_seed(loop, 42);
    for (size_t i = 0; i < ARRAY_LENGTH(first); i++)
        first[i] = loop_random(loop, UINT64_MAX);
    virtual_loop_seed(loop, 42);
    for (size_t i = 0; i < ARRAY_LENGTH(first); i++)
        assert_true(loop_random(loop, UINT64_MAX) == first[i]);
    virtual_loop_seed(loop, 43);
    assert_true(loop_random(loop, UINT64_MAX) != first[0]);
}

static void test_chance_is_fair_and_within_bounds(void **state)
{
    int counts[10] = {0};

    (void)state;
    assert_true(loop_random(loop, 0) == 0);
    assert_true(loop_random(loop, 1) == 0);
    for (int i = 0; i < 10000; i++)
        counts[loop_random(loop, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(counts[i], 850, 1150);
    /* A bound just above half of all values: about half of the draws are drawn again. */
    for (int i = 0; i < 1000; i++)
        assert_true(loop_random(loop, (UINT64_MAX >> 1) + 2) <= (UINT64_MAX >> 1) + 1);
}

static uint64_t last_fired;
static int n_fired;

struct one_of_many {
    struct loop_timer *timer;
    int64_t when;
};

static void fire_in_order(void *userdata)
{
    struct one_of_many *one = userdata;

    assert_true((uint64_t)one->when >= last_fired);
    assert_int_equal(loop_mono(loop).ms, one->when);
    last_fired = (uint64_t)one->when;
    n_fired++;
}

static void test_thousands_of_timers_keep_their_order(void **state)
{
    enum { N = 10000 };
    struct one_of_many *many = calloc(N, sizeof(*many));
    int n_stopped = 0;

    (void)state;
    assert_non_null(many);
    last_fired = 0;
    n_fired = 0;
    for (int i = 0; i < N; i++) {
        many[i].when = loop_mono(loop).ms + (int64_t)loop_random(loop, 5000);
        assert_int_equal(loop_timer_new(loop, fire_in_order, &many[i], &many[i].timer), 0);
        loop_timer_at(many[i].timer, (struct mono){.ms = many[i].when});
    }
    for (int i = 0; i < N; i += 3) { /* some from the midst of the heap */
        if (i % 2 == 0) {
            loop_timer_stop(many[i].timer);
            n_stopped++;
        } else {
            many[i].when += 1000;
            loop_timer_at(many[i].timer, (struct mono){.ms = many[i].when});
        }
    }
    virtual_loop_run_until_idle(loop);
    assert_int_equal(n_fired, N - n_stopped);
    assert_int_equal(virtual_loop_timers(loop), N);
    for (int i = 0; i < N; i++)
        loop_timer_free(many[i].timer);
    free(many);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_begins_at_a_known_moment),
        TEST(test_timers_fire_in_the_order_of_their_time),
        TEST(test_equals_fire_in_the_order_of_arming),
        TEST(test_both_clocks_advance_together),
        TEST(test_a_stopped_timer_does_not_fire),
        TEST(test_an_endless_delay_stops_too),
        TEST(test_a_timer_fires_once_an_arming),
        TEST(test_a_timer_may_be_armed_from_its_callback),
        TEST(test_a_timer_may_be_freed_from_its_callback),
        TEST(test_what_is_overdue_fires_at_once),
        TEST(test_suspension_delays_what_came_due),
        TEST(test_wall_clock_may_step_without_timers_noticing),
        TEST(test_the_loop_runs_until_it_is_left),
        TEST(test_a_loop_in_which_nothing_can_happen_says_so),
        TEST(test_idle_is_when_nothing_is_armed),
        TEST(test_signals_come_from_the_loop),
        TEST(test_has_neither_descriptors_nor_a_watchdog),
        TEST(test_chance_follows_the_seed),
        TEST(test_chance_is_fair_and_within_bounds),
        TEST(test_thousands_of_timers_keep_their_order),
    };

    return cmocka_run_group_tests_name("virtual loop", tests, NULL, NULL);
}
