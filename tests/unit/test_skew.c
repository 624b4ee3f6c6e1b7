/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/aws/skew.h"

/* A world with a true time, a host whose clock may be wrong, and answers that take a while. */
struct world {
    int64_t now_ms;        /* since the beginning */
    int64_t host_error_ms; /* of the host's wall clock */
    struct skew skew;
};

#define BEGIN_MS INT64_C(1772452800000)

static struct wall true_time(const struct world *world)
{
    return (struct wall){BEGIN_MS + world->now_ms};
}

static struct skew_moment host_moment(const struct world *world)
{
    return (struct skew_moment){
        .wall = wall_add(true_time(world), world->host_error_ms),
        .mono = {3600000 + world->now_ms},
    };
}

/* An answer whose Date was written after the way there; as HTTP writes it, without milliseconds. */
static bool exchange(struct world *world, int64_t way_there_ms, int64_t way_back_ms)
{
    struct skew_moment sent = host_moment(world);
    world->now_ms += way_there_ms;
    struct wall date = {true_time(world).ms / 1000 * 1000};
    world->now_ms += way_back_ms;
    return skew_learn(&world->skew, date, sent, host_moment(world));
}

static int64_t error_ms(const struct world *world)
{
    struct skew_moment now = host_moment(world);
    return wall_since(wall_add(now.wall, skew_at(&world->skew, now)), true_time(world));
}

static void a_right_clock_is_left_alone(void **state)
{
    (void)state;
    struct world world = {0};
    for (int i = 0; i < 1000; i++) {
        assert_false(exchange(&world, 3 + i % 900, 2 + i % 700));
        assert_int_equal(world.skew.ms, 0);
        world.now_ms += 777;
    }
    assert_true(world.skew.is_measured);
}

static void so_is_one_that_is_off_by_a_second_or_two(void **state)
{
    (void)state;
    for (int64_t off_ms = -1900; off_ms <= 1900; off_ms += 100) {
        struct world world = {.host_error_ms = off_ms};
        exchange(&world, 20, 20);
        assert_int_equal(world.skew.ms, 0);
    }
}

static void a_wrong_clock_is_corrected_to_the_second(void **state)
{
    (void)state;
    static const int64_t OFFS_MS[] = {-3600000, -420000, -5000, 5000, 420000, 3600000, 86400000};
    for (size_t i = 0; i < sizeof(OFFS_MS) / sizeof(OFFS_MS[0]); i++) {
        struct world world = {.host_error_ms = OFFS_MS[i], .now_ms = 333};
        assert_true(exchange(&world, 40, 40));
        assert_in_range(error_ms(&world) + 1000, 0, 2000);
    }
}

static void what_is_known_is_not_changed_by_a_slow_answer(void **state)
{
    (void)state;
    struct world world = {.host_error_ms = 420000};
    exchange(&world, 10, 10);
    int64_t known_ms = world.skew.ms;
    assert_false(exchange(&world, 100, 29000));
    assert_false(exchange(&world, 29000, 100));
    assert_int_equal(world.skew.ms, known_ms);
    assert_in_range(error_ms(&world) + 1000, 0, 2000);
}

static void before_any_answer_this_hosts_clock_is_all_there_is(void **state)
{
    (void)state;
    struct world world = {0};
    world.host_error_ms = 3600000;
    assert_int_equal(skew_at(&world.skew, host_moment(&world)), 0);
}

static void a_step_of_the_clock_does_not_move_awss_time(void **state)
{
    (void)state;
    static const int64_t STEPS_MS[] = {-3600000, -2500, 2500, 3600000};
    for (size_t i = 0; i < sizeof(STEPS_MS) / sizeof(STEPS_MS[0]); i++) {
        struct world world = {.host_error_ms = 420000};
        exchange(&world, 20, 20);
        int64_t before_ms = error_ms(&world);
        world.host_error_ms += STEPS_MS[i];
        world.now_ms += 12345;
        assert_int_equal(error_ms(&world), before_ms);
        /* And the next answer agrees. */
        exchange(&world, 20, 20);
        assert_in_range(error_ms(&world) + 2500, 0, 5000);
    }
}

static void a_clock_set_right_leaves_no_skew_behind(void **state)
{
    (void)state;
    struct world world = {.host_error_ms = 420000};
    exchange(&world, 20, 20);
    assert_int_not_equal(world.skew.ms, 0);
    world.host_error_ms = 0;
    assert_true(exchange(&world, 20, 20) || world.skew.ms == 0);
    assert_int_equal(world.skew.ms, 0);
}

static void a_step_while_a_request_is_under_way_is_seen_too(void **state)
{
    (void)state;
    struct world world = {0};
    exchange(&world, 20, 20);
    struct skew_moment sent = host_moment(&world);
    world.now_ms += 500;
    world.host_error_ms = 3600000;
    struct wall date = {true_time(&world).ms / 1000 * 1000};
    skew_learn(&world.skew, date, sent, host_moment(&world));
    assert_in_range(error_ms(&world) + 1000, 0, 2000);
}

static void suspension_is_no_step(void **state)
{
    (void)state;
    struct world world = {.host_error_ms = 420000};
    exchange(&world, 20, 20);
    int64_t skew_ms = world.skew.ms;
    world.now_ms += 8 * MS_PER_HOUR; /* both clocks count it */
    assert_int_equal(skew_at(&world.skew, host_moment(&world)), skew_ms);
}

static void disagreement_is_the_least_correction(void **state)
{
    (void)state;
    struct world world = {0};
    struct skew_moment sent = host_moment(&world);
    world.now_ms += 100;
    struct skew_moment received = host_moment(&world);
    struct wall now = true_time(&world);

    assert_int_equal(skew_disagreement_ms(&world.skew, wall_add(now, -500), sent, received), 0);
    assert_int_equal(skew_disagreement_ms(&world.skew, wall_add(now, 5000), sent, received), 5000);
    assert_int_equal(skew_disagreement_ms(&world.skew, wall_add(now, -5000), sent, received),
                     -5000 + 100 + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_clock_is_left_alone),
        cmocka_unit_test(so_is_one_that_is_off_by_a_second_or_two),
        cmocka_unit_test(a_wrong_clock_is_corrected_to_the_second),
        cmocka_unit_test(what_is_known_is_not_changed_by_a_slow_answer),
        cmocka_unit_test(before_any_answer_this_hosts_clock_is_all_there_is),
        cmocka_unit_test(a_step_of_the_clock_does_not_move_awss_time),
        cmocka_unit_test(a_clock_set_right_leaves_no_skew_behind),
        cmocka_unit_test(a_step_while_a_request_is_under_way_is_seen_too),
        cmocka_unit_test(suspension_is_no_step),
        cmocka_unit_test(disagreement_is_the_least_correction),
    };
    return cmocka_run_group_tests_name("skew", tests, NULL, NULL);
}
