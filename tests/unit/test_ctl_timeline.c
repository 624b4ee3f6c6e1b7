/* SPDX-License-Identifier: MIT */
/* provisionerctl history: records of the journal as a timeline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ctl/timeline.h"
#include "src/cleanup.h"
#include "src/json.h"

/* 2026-11-24 00:00:00 UTC, a Tuesday. */
#define MIDNIGHT ((struct wall){.ms = INT64_C(1795478400000)})

struct story {
    struct timeline timeline;
    struct timeline_options options;
};

static struct story story_begins(void)
{
    return (struct story){.options = {.from = MIDNIGHT, .to = wall_add(MIDNIGHT, MS_PER_DAY)}};
}

static void at(struct story *story, int64_t minutes, enum timeline_kind kind,
               const char *environment, const char *message)
{
    struct timeline_record record = {
        .time = wall_add(MIDNIGHT, minutes * MS_PER_MINUTE),
        .kind = kind,
        .environment = environment ? strdup(environment) : NULL,
        .message = strdup(message),
    };

    assert_int_equal(timeline_add(&story->timeline, &record), 0);
    assert_null(record.message); /* it was taken */
}

static void expect_text(struct story *story, const char *expected)
{
    char *text = NULL;
    size_t size;
    struct terminal terminal = {.out = open_memstream(&text, &size)};

    assert_int_equal(timeline_print(&story->timeline, &story->options, &terminal), 0);
    fclose(terminal.out);
    assert_string_equal(text, expected);
    free(text);
    timeline_clear(&story->timeline);
}

static void a_night(struct story *story)
{
    at(story, 60, TIMELINE_SLEEP, "staging", "staging: putting to sleep api 2: idle");
    at(story, 60, TIMELINE_UPDATE, "staging", "staging: api desiredCount 2 -> 0");
    at(story, 61, TIMELINE_ASLEEP, "staging", "staging: asleep; will wake to api 2");
    at(story, 540, TIMELINE_WAKE, "staging", "staging: waking api 2: last activity at 09:00:00");
    at(story, 541, TIMELINE_AWAKE, "staging", "staging: awake: api 2");
}

static void a_day_of_an_environment(void **state)
{
    (void)state;
    struct story story = story_begins();

    a_night(&story);
    expect_text(&story,
                "staging\n"
                "  Tue 2026-11-24\n"
                "    01:00:00  sleep      putting to sleep api 2: idle\n"
                "    01:01:00  asleep     will wake to api 2\n"
                "    09:00:00  wake       waking api 2: last activity at 09:00:00 [slept 8h]\n"
                "    09:01:00  awake      api 2 [1min after the wake]\n"
                "  Asleep for 8h of 1d (33 %); put to sleep once, woken once, which took 1min on "
                "average.\n");
}

static void updates_are_shown_when_asked_for(void **state)
{
    (void)state;
    struct story story = story_begins();

    story.options.wants_updates = true;
    story.options.to = wall_add(MIDNIGHT, 2 * MS_PER_HOUR);
    at(&story, 60, TIMELINE_SLEEP, "staging", "staging: putting to sleep api 2: idle");
    at(&story, 60, TIMELINE_UPDATE, "staging", "staging: api desiredCount 2 -> 0");
    expect_text(&story, "staging\n"
                        "  Tue 2026-11-24\n"
                        "    01:00:00  sleep      putting to sleep api 2: idle\n"
                        "    01:00:00  update     api desiredCount 2 -> 0\n"
                        "  Asleep for 1h of 2h (50 %); put to sleep once, woken 0 times.\n");
}

static void environments_follow_each_other_and_then_the_daemon(void **state)
{
    (void)state;
    struct story story = story_begins();

    at(&story, 0, TIMELINE_STARTED, NULL, "provisionerd 0.1.0 started with 2 environments");
    at(&story, 1, TIMELINE_TROUBLE, "staging", "staging: cannot query Logs Insights: throttled");
    at(&story, 2, TIMELINE_ASKED, "qa", "qa: held awake");
    at(&story, 24 * 60, TIMELINE_TROUBLE, "staging", "staging: cannot look: denied");
    expect_text(&story,
                "qa\n"
                "  Tue 2026-11-24\n"
                "    00:02:00  asked      held awake\n"
                "\n"
                "staging\n"
                "  Tue 2026-11-24\n"
                "    00:01:00  trouble    cannot query Logs Insights: throttled\n"
                "  Wed 2026-11-25\n"
                "    00:00:00  trouble    cannot look: denied\n"
                "\n"
                "provisionerd\n"
                "  Tue 2026-11-24\n"
                "    00:00:00  started    provisionerd 0.1.0 started with 2 environments\n");
}

static void of_one_environment_with_what_the_daemon_did(void **state)
{
    (void)state;
    struct story story = story_begins();

    story.options.environment = "qa";
    at(&story, 0, TIMELINE_STARTED, NULL, "provisionerd 0.1.0 started with 2 environments");
    at(&story, 1, TIMELINE_TROUBLE, "staging", "staging: cannot look: denied");
    at(&story, 2, TIMELINE_ASKED, "qa", "qa: held awake");
    expect_text(&story, "qa\n"
                        "  Tue 2026-11-24\n"
                        "    00:00:00  started    provisionerd 0.1.0 started with 2 environments\n"
                        "    00:02:00  asked      held awake\n");
}

static void messages_cannot_command_the_terminal(void **state)
{
    (void)state;
    struct story story = story_begins();

    at(&story, 2, TIMELINE_ASKED, "q\033a", "q\033a: held\nawake");
    expect_text(&story, "q\\x1ba\n"
                        "  Tue 2026-11-24\n"
                        "    00:02:00  asked      held\\nawake\n");
}

/* --- totals -------------------------------------------------------------------------------------- */

static void expect_total(struct story *story, int64_t asleep_min, int64_t known_min)
{
    struct timeline_total total = timeline_total(&story->timeline, &story->options, "staging");

    assert_int_equal(total.asleep_ms / MS_PER_MINUTE, asleep_min);
    assert_int_equal(total.known_ms / MS_PER_MINUTE, known_min);
    timeline_clear(&story->timeline);
}

static void a_wake_says_that_it_slept_before(void **state)
{
    (void)state;
    struct story story = story_begins();

    at(&story, 8 * 60, TIMELINE_WAKE, "staging", "staging: waking");
    expect_total(&story, 8 * 60, 24 * 60);
}

static void a_sleep_lasts_until_now(void **state)
{
    (void)state;
    struct story story = story_begins();

    at(&story, 20 * 60, TIMELINE_SLEEP, "staging", "staging: putting to sleep");
    at(&story, 20 * 60 + 1, TIMELINE_ASLEEP, "staging", "staging: asleep");
    expect_total(&story, 4 * 60, 24 * 60);
}

static void what_was_before_the_daemon_found_it_is_not_known(void **state)
{
    (void)state;
    struct story story = story_begins();

    at(&story, 10 * 60, TIMELINE_FOUND, "staging", "staging: found asleep: api 2");
    at(&story, 12 * 60, TIMELINE_WAKE, "other", "other: waking");
    expect_total(&story, 14 * 60, 14 * 60);

    story = story_begins();
    at(&story, 10 * 60, TIMELINE_FOUND, "staging", "staging: found awake: api 2");
    expect_total(&story, 0, 14 * 60);

    story = story_begins();
    at(&story, 10 * 60, TIMELINE_TROUBLE, "staging", "staging: cannot look");
    expect_total(&story, 0, 0);
}

/* --- for programs -------------------------------------------------------------------------------- */

static void json_has_every_fact(void **state)
{
    (void)state;
    struct story story = story_begins();
    struct json_object *list;
    const char *text;
    int64_t number;

    at(&story, 0, TIMELINE_STARTED, NULL, "started");
    at(&story, 1, TIMELINE_RELOADED, "qa", "of another");
    at(&story, 2, TIMELINE_UPDATE, "staging", "staging: api desiredCount 2 -> 0");
    story.timeline.records[2].fields[1] = strdup("api");
    story.options.environment = "staging";
    assert_int_equal(timeline_json(&story.timeline, &story.options, &list), 0);
    assert_int_equal(json_object_array_length(list), 2);
    struct json_object *update = json_object_array_get_idx(list, 1);
    assert_int_equal(json_get_string(update, "time", &text), 0);
    assert_string_equal(text, "2026-11-24T00:02:00Z");
    assert_int_equal(json_get_int(update, "timeMs", &number), 0);
    assert_int_equal(number, MIDNIGHT.ms + 2 * MS_PER_MINUTE);
    assert_int_equal(json_get_string(update, "kind", &text), 0);
    assert_string_equal(text, "update");
    assert_int_equal(json_get_string(update, "service", &text), 0);
    assert_string_equal(text, "api");
    assert_int_equal(json_get_string(update, "message", &text), 0);
    assert_string_equal(text, "staging: api desiredCount 2 -> 0");
    json_object_put(list);
    timeline_clear(&story.timeline);
}

static void of_too_many_records_the_newest_are_kept(void **state)
{
    (void)state;
    struct story story = story_begins();

    for (int i = 0; i < TIMELINE_RECORDS_MAX + 10; i++)
        at(&story, i, TIMELINE_STAY, "staging", "x");
    assert_true(story.timeline.n_records <= TIMELINE_RECORDS_MAX);
    assert_int_equal(story.timeline.n_records + story.timeline.n_dropped,
                     TIMELINE_RECORDS_MAX + 10);
    assert_int_equal(story.timeline.records[story.timeline.n_records - 1].time.ms,
                     MIDNIGHT.ms + (TIMELINE_RECORDS_MAX + 9) * MS_PER_MINUTE);
    timeline_clear(&story.timeline);
}

static void every_kind_has_an_id_and_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < TIMELINE_N_KINDS; i++) {
        assert_int_equal(strlen(timeline_id((enum timeline_kind)i)), 32);
        assert_true(strlen(timeline_name((enum timeline_kind)i)) > 2);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(timeline_id((enum timeline_kind)i),
                                    timeline_id((enum timeline_kind)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_of_an_environment),
        cmocka_unit_test(updates_are_shown_when_asked_for),
        cmocka_unit_test(environments_follow_each_other_and_then_the_daemon),
        cmocka_unit_test(of_one_environment_with_what_the_daemon_did),
        cmocka_unit_test(messages_cannot_command_the_terminal),
        cmocka_unit_test(a_wake_says_that_it_slept_before),
        cmocka_unit_test(a_sleep_lasts_until_now),
        cmocka_unit_test(what_was_before_the_daemon_found_it_is_not_known),
        cmocka_unit_test(json_has_every_fact),
        cmocka_unit_test(of_too_many_records_the_newest_are_kept),
        cmocka_unit_test(every_kind_has_an_id_and_a_name),
    };

    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests_name("ctl_timeline", tests, NULL, NULL);
}
