/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/aws/retry.h"

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW ((struct wall){.ms = INT64_C(784111777000)})

static void waits_grow_by_two_up_to_twenty_seconds(void **state)
{
    (void)state;
    assert_int_equal(retry_ceiling_ms(1), 1000);
    assert_int_equal(retry_ceiling_ms(2), 2000);
    assert_int_equal(retry_ceiling_ms(3), 4000);
    assert_int_equal(retry_ceiling_ms(5), 16000);
    assert_int_equal(retry_ceiling_ms(6), 20000);
    assert_int_equal(retry_ceiling_ms(1000000), 20000);
    assert_int_equal(retry_ceiling_ms(0), 1000);
}

static void the_quota_runs_out_when_nothing_succeeds(void **state)
{
    (void)state;
    struct retry_quota quota;
    int retries = 0;

    retry_quota_init(&quota);
    while (retry_quota_take(&quota, false) > 0)
        retries++;
    assert_int_equal(retries, 100);
    assert_int_equal(retry_quota_take(&quota, true), 0);
}

static void timeouts_cost_twice_as_much(void **state)
{
    (void)state;
    struct retry_quota quota;
    int retries = 0;

    retry_quota_init(&quota);
    while (retry_quota_take(&quota, true) > 0)
        retries++;
    assert_int_equal(retries, 50);
}

static void success_gives_back_what_its_retry_cost(void **state)
{
    (void)state;
    struct retry_quota quota;

    retry_quota_init(&quota);
    while (retry_quota_take(&quota, false) > 0)
        ;
    retry_quota_give_back(&quota, RETRY_QUOTA_COST);
    assert_int_equal(retry_quota_take(&quota, false), RETRY_QUOTA_COST);
    for (int i = 0; i < 4; i++)
        retry_quota_give_back(&quota, 0);
    assert_int_equal(retry_quota_take(&quota, false), 0);
    retry_quota_give_back(&quota, 0);
    assert_int_equal(retry_quota_take(&quota, false), RETRY_QUOTA_COST);
}

static void the_quota_is_never_more_than_full(void **state)
{
    (void)state;
    struct retry_quota quota;

    retry_quota_init(&quota);
    retry_quota_give_back(&quota, RETRY_QUOTA_COST_TIMEOUT);
    assert_int_equal(quota.tokens, RETRY_QUOTA_FULL);
}

static void a_server_may_ask_for_a_wait_in_three_ways(void **state)
{
    (void)state;
    assert_int_equal(retry_after_ms("3", NULL, NOW), 3000);
    assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:49:47 GMT", NULL, NOW), 10000);
    assert_int_equal(retry_after_ms(NULL, "1500", NOW), 1500);
    assert_int_equal(retry_after_ms("3", "1500", NOW), 1500);
    assert_int_equal(retry_after_ms("3", "soon", NOW), 3000);
}

static void a_wait_is_bounded_and_nonsense_is_none(void **state)
{
    (void)state;
    assert_int_equal(retry_after_ms(NULL, NULL, NOW), 0);
    assert_int_equal(retry_after_ms("0", NULL, NOW), 0);
    assert_int_equal(retry_after_ms("86400", NULL, NOW), RETRY_AFTER_MAX_MS);
    assert_int_equal(retry_after_ms("99999999999999999999999999", NULL, NOW), RETRY_AFTER_MAX_MS);
    assert_int_equal(retry_after_ms("Sat, 06 Nov 2094 08:49:37 GMT", NULL, NOW),
                     RETRY_AFTER_MAX_MS);
    assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:49:00 GMT", NULL, NOW), 0);
    static const char *const NONSENSE[] = {"", "-1", "+1", " 1", "1 ", "1.5", "soon", "0x10"};
    for (size_t i = 0; i < sizeof(NONSENSE) / sizeof(NONSENSE[0]); i++) {
        assert_int_equal(retry_after_ms(NONSENSE[i], NULL, NOW), 0);
        assert_int_equal(retry_after_ms(NULL, NONSENSE[i], NOW), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_grow_by_two_up_to_twenty_seconds),
        cmocka_unit_test(the_quota_runs_out_when_nothing_succeeds),
        cmocka_unit_test(timeouts_cost_twice_as_much),
        cmocka_unit_test(success_gives_back_what_its_retry_cost),
        cmocka_unit_test(the_quota_is_never_more_than_full),
        cmocka_unit_test(a_server_may_ask_for_a_wait_in_three_ways),
        cmocka_unit_test(a_wait_is_bounded_and_nonsense_is_none),
    };
    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
