/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/aws/queue.h"

static void expect_next(struct queue *queue, struct queue_place *expected)
{
    assert_ptr_equal(queue_first(queue), expected);
    if (expected)
        queue_leave(queue, expected);
}

static void first_come_first_served_and_the_urgent_before_all(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct queue_place a = {.priority = 1, .sequence = 1};
    struct queue_place b = {.priority = 1, .sequence = 2};
    struct queue_place urgent = {.priority = 0, .sequence = 3};

    expect_next(&queue, NULL);
    queue_enter(&queue, &a);
    queue_enter(&queue, &b);
    queue_enter(&queue, &urgent);
    expect_next(&queue, &urgent);
    expect_next(&queue, &a);
    expect_next(&queue, &b);
    expect_next(&queue, NULL);
}

static void who_comes_again_gets_the_old_place(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct queue_place places[5];

    for (size_t i = 0; i < 5; i++)
        places[i] = (struct queue_place){.priority = 1, .sequence = i};
    for (size_t i = 0; i < 5; i++)
        queue_enter(&queue, &places[i]);
    queue_leave(&queue, &places[0]);
    queue_leave(&queue, &places[2]);
    queue_leave(&queue, &places[4]);
    queue_enter(&queue, &places[4]);
    queue_enter(&queue, &places[2]);
    queue_enter(&queue, &places[0]);
    for (size_t i = 0; i < 5; i++)
        expect_next(&queue, &places[i]);
    expect_next(&queue, NULL);
}

static void order_holds_whatever_the_comings_and_goings(void **state)
{
    (void)state;
    struct queue queue = {0};
    struct queue_place places[20];
    bool is_in[20] = {0};

    for (size_t i = 0; i < 20; i++)
        places[i] = (struct queue_place){.priority = i % 2, .sequence = i};
    srand(3); /* NOLINT: the same each time */
    for (int step = 0; step < 5000; step++) {
        size_t i = (size_t)rand() % 20; /* NOLINT */
        if (is_in[i])
            queue_leave(&queue, &places[i]);
        else
            queue_enter(&queue, &places[i]);
        is_in[i] = !is_in[i];

        for (size_t priority = 0; priority < 2; priority++) {
            struct queue_place *place = queue.first[priority];
            struct queue_place *last = NULL;
            for (size_t j = priority; j < 20; j += 2) {
                if (!is_in[j])
                    continue;
                assert_ptr_equal(place, &places[j]);
                last = place;
                place = place->next;
            }
            assert_null(place);
            assert_ptr_equal(queue.last[priority], last);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_come_first_served_and_the_urgent_before_all),
        cmocka_unit_test(who_comes_again_gets_the_old_place),
        cmocka_unit_test(order_holds_whatever_the_comings_and_goings),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
