/* SPDX-License-Identifier: MIT */
/* provisionerctl explain --at: what was decided, found again in the journal's records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/earlier.h"
#include "src/json.h"

#define MIDNIGHT ((struct wall){.ms = INT64_C(1795478400000)})

static void at(struct timeline *timeline, int64_t minutes, enum timeline_kind kind,
               const char *environment, const char *message)
{
    struct timeline_record record = {
        .time = wall_add(MIDNIGHT, minutes * MS_PER_MINUTE),
        .kind = kind,
        .environment = environment ? strdup(environment) : NULL,
        .message = strdup(message),
    };

    assert_int_equal(timeline_add(timeline, &record), 0);
}

/* Awake with troubles; asleep from 03:00 to 08:00; awake, and held so. */
static struct timeline a_night(void)
{
    struct timeline timeline = {0};

    at(&timeline, 0, TIMELINE_FOUND, "staging", "found awake: api 2");
    at(&timeline, 5, TIMELINE_FOUND, "dev", "found asleep: api 0");
    at(&timeline, 10, TIMELINE_STAY, "staging", "not put to sleep: last activity at 00:05");
    at(&timeline, 60, TIMELINE_TROUBLE, "staging", "cannot read the log");
    at(&timeline, 70, TIMELINE_RECOVERED, "staging", "can read the log again");
    at(&timeline, 180, TIMELINE_SLEEP, "staging", "putting to sleep api 2: idle");
    at(&timeline, 181, TIMELINE_ASLEEP, "staging", "asleep; will wake to api 2");
    at(&timeline, 240, TIMELINE_STARTED, NULL, "started");
    at(&timeline, 240, TIMELINE_FOUND, "staging", "found asleep: api 0");
    at(&timeline, 480, TIMELINE_WAKE, "staging", "waking api 2: last activity at 08:00");
    at(&timeline, 481, TIMELINE_AWAKE, "staging", "awake: api 2");
    at(&timeline, 500, TIMELINE_ASKED, "staging", "held awake until 18:00 by alice");
    return timeline;
}

static struct earlier when(const struct timeline *timeline, int64_t minutes)
{
    return earlier_find(timeline, "staging", wall_add(MIDNIGHT, minutes * MS_PER_MINUTE));
}

static void test_asleep_since_and_why_and_until_when(void **state)
{
    (void)state;
    struct timeline timeline = a_night();
    struct earlier earlier = when(&timeline, 300); /* the restart in between changed nothing */

    assert_string_equal(earlier.state, "asleep");
    assert_string_equal(earlier.decision->message, "putting to sleep api 2: idle");
    assert_null(earlier.stay);
    assert_string_equal(earlier.next->message, "waking api 2: last activity at 08:00");
    timeline_clear(&timeline);
}

static void test_awake_with_the_last_check_and_what_did_not_work(void **state)
{
    (void)state;
    struct timeline timeline = a_night();
    struct earlier earlier = when(&timeline, 65);

    assert_string_equal(earlier.state, "awake");
    assert_string_equal(earlier.decision->message, "found awake: api 2");
    assert_string_equal(earlier.stay->message, "not put to sleep: last activity at 00:05");
    assert_string_equal(earlier.trouble->message, "cannot read the log");
    assert_null(when(&timeline, 75).trouble);
    timeline_clear(&timeline);
}

static void test_what_was_asked_for_is_part_of_it(void **state)
{
    (void)state;
    struct timeline timeline = a_night();
    struct earlier earlier = when(&timeline, 600);

    assert_string_equal(earlier.state, "awake");
    assert_string_equal(earlier.asked->message, "held awake until 18:00 by alice");
    assert_null(earlier.next);
    timeline_clear(&timeline);
}

static void test_before_the_first_record_nothing_is_known(void **state)
{
    (void)state;
    struct timeline timeline = a_night();
    struct earlier earlier = when(&timeline, -60);

    assert_null(earlier.state);
    assert_null(earlier.decision);
    assert_string_equal(earlier.next->message, "found awake: api 2");
    assert_null(earlier_find(&timeline, "prod", MIDNIGHT).next);
    timeline_clear(&timeline);
}

static void test_json_says_null_where_there_is_nothing(void **state)
{
    (void)state;
    struct timeline timeline = a_night();
    struct earlier earlier = when(&timeline, 300);
    struct json_object *object = earlier_json(&earlier, "staging", MIDNIGHT), *value;
    const char *text;

    assert_non_null(object);
    assert_int_equal(json_get_string(object, "state", &text), 0);
    assert_string_equal(text, "asleep");
    assert_true(json_object_object_get_ex(object, "last_check", &value));
    assert_null(value);
    assert_int_equal(json_get_object(object, "decided", &value), 0);
    assert_int_equal(json_get_string(value, "kind", &text), 0);
    assert_string_equal(text, "sleep");
    json_object_put(object);
    timeline_clear(&timeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asleep_since_and_why_and_until_when),
        cmocka_unit_test(test_awake_with_the_last_check_and_what_did_not_work),
        cmocka_unit_test(test_what_was_asked_for_is_part_of_it),
        cmocka_unit_test(test_before_the_first_record_nothing_is_known),
        cmocka_unit_test(test_json_says_null_where_there_is_nothing),
    };
    return cmocka_run_group_tests_name("ctl_earlier", tests, NULL, NULL);
}
