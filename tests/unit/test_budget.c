/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/aws/budget.h"

#define START ((struct mono){.ms = 1000000})

static struct mono after_ms(int64_t ms)
{
    return mono_add(START, ms);
}

static struct budget budget_of(int rate, int burst)
{
    struct budget budget;
    budget_init(&budget, rate, burst, START);
    return budget;
}

static int takes_at(struct budget *budget, struct mono now)
{
    int n = 0;
    while (budget_take(budget, now))
        n++;
    return n;
}

static void a_burst_is_there_at_once_and_then_the_rate_holds(void **state)
{
    (void)state;
    struct budget budget = budget_of(5, 3);
    assert_int_equal(takes_at(&budget, START), 3);
    assert_int_equal(budget_wait_ms(&budget, START), 200);
    assert_false(budget_take(&budget, after_ms(199)));
    assert_true(budget_take(&budget, after_ms(200)));
    assert_int_equal(budget_wait_ms(&budget, after_ms(250)), 150);
    assert_int_equal(takes_at(&budget, after_ms(600)), 2);
}

static void tokens_do_not_pile_up_beyond_the_burst(void **state)
{
    (void)state;
    struct budget budget = budget_of(20, 40);
    assert_int_equal(takes_at(&budget, after_ms(MS_PER_DAY * 365 * 1000)), 40);
    assert_int_equal(takes_at(&budget, after_ms(MS_PER_DAY * 365 * 2000)), 40);
    budget = budget_of(1000, 1);
    assert_int_equal(takes_at(&budget, (struct mono){INT64_MAX / 4}), 1);
}

static void no_second_sees_more_than_rate_and_burst(void **state)
{
    (void)state;
    struct budget budget = budget_of(4, 1);
    int64_t taken_ms[2000];
    int n = 0;

    srand(7);                                          /* NOLINT: the same moments each time */
    for (int64_t ms = 0; n < 2000; ms += rand() % 400) /* NOLINT */
        if (budget_take(&budget, after_ms(ms)))
            taken_ms[n++] = ms;
    for (int i = 5; i < n; i++)
        assert_true(taken_ms[i] - taken_ms[i - 5] > 1000);
}

static void waiting_as_long_as_told_is_enough(void **state)
{
    (void)state;
    for (int rate = 1; rate <= 30; rate++) {
        struct budget budget = budget_of(rate, 1);
        struct mono now = START;
        for (int i = 0; i < 3 * rate + 1; i++) {
            now = mono_add(now, budget_wait_ms(&budget, now));
            assert_true(budget_take(&budget, now));
        }
        /* And not much longer than the rate says. */
        assert_in_range(mono_since(now, START), 3000, 3000 + 3 * rate);
    }
}

static void a_clock_that_stands_still_gives_nothing(void **state)
{
    (void)state;
    struct budget budget = budget_of(5, 1);
    assert_true(budget_take(&budget, START));
    assert_false(budget_take(&budget, START));
    assert_false(budget_take(&budget, after_ms(-5000))); /* nor one that goes back */
    assert_true(budget_take(&budget, after_ms(200)));
}

static void a_refusal_pauses_and_empties_the_bucket(void **state)
{
    (void)state;
    struct budget budget = budget_of(5, 10);
    budget_refused(&budget, START, 1000);
    assert_int_equal(budget_wait_ms(&budget, START), 1200);
    assert_int_equal(takes_at(&budget, after_ms(999)), 0);
    assert_int_equal(takes_at(&budget, after_ms(1199)), 0);
    assert_int_equal(takes_at(&budget, after_ms(1200)), 1);
}

static void pauses_of_requests_refused_together_do_not_shorten_each_other(void **state)
{
    (void)state;
    struct budget budget = budget_of(5, 10);
    budget_refused(&budget, START, 5000);
    budget_refused(&budget, after_ms(10), 100);
    assert_int_equal(budget_wait_ms(&budget, after_ms(10)), 5190);
}

static void refusals_in_a_row_double_the_pause_until_one_goes_through(void **state)
{
    (void)state;
    static const int64_t CEILINGS_MS[] = {1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000};
    struct budget budget = budget_of(5, 10);

    for (size_t i = 0; i < sizeof(CEILINGS_MS) / sizeof(CEILINGS_MS[0]); i++) {
        assert_int_equal(budget_pause_ceiling_ms(&budget), CEILINGS_MS[i]);
        budget_refused(&budget, START, 0);
    }
    budget_accepted(&budget);
    assert_int_equal(budget_pause_ceiling_ms(&budget), BUDGET_PAUSE_MIN_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_there_at_once_and_then_the_rate_holds),
        cmocka_unit_test(tokens_do_not_pile_up_beyond_the_burst),
        cmocka_unit_test(no_second_sees_more_than_rate_and_burst),
        cmocka_unit_test(waiting_as_long_as_told_is_enough),
        cmocka_unit_test(a_clock_that_stands_still_gives_nothing),
        cmocka_unit_test(a_refusal_pauses_and_empties_the_bucket),
        cmocka_unit_test(pauses_of_requests_refused_together_do_not_shorten_each_other),
        cmocka_unit_test(refusals_in_a_row_double_the_pause_until_one_goes_through),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
