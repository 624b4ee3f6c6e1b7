/* SPDX-License-Identifier: MIT */
/* Moments and durations: what is read is what was written. */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "src/aws/retry.h"
#include "src/clock.h"
#include "tests/fuzz/fuzz.h"

static struct tm parts_of(struct wall moment)
{
    time_t seconds = (time_t)(moment.ms / 1000);
    struct tm parts;

    MUST(gmtime_r(&seconds, &parts));
    return parts;
}

static void check_iso(const char *text)
{
    struct wall moment, again;
    char ours[WALL_TEXT_MAX], expected[64];

    if (wall_parse_iso(text, &moment) < 0)
        return;
    MUST(moment.ms >= 0);
    const struct tm parts = parts_of(moment);
    MUST(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &parts) > 0);
    /* A leap second is the first second of the next day. */
    if (strncmp(text + strlen("2016-12-31T23:59:"), "60", 2) != 0)
        MUST(strncmp(text, expected, strlen(expected)) == 0);
    wall_format_iso(moment, ours);
    MUST(strncmp(ours, expected, strlen(expected)) == 0);
    MUST(wall_parse_iso(ours, &again) == 0 && again.ms == moment.ms - moment.ms % 1000);
}

static void check_http_date(const char *text)
{
    struct wall moment;
    char expected[64];

    if (wall_parse_http_date(text, &moment) < 0)
        return;
    MUST(moment.ms >= 0 && moment.ms % 1000 == 0);
    /* But for the day of the week, whose truth nobody needs. */
    const struct tm parts = parts_of(moment);
    MUST(strftime(expected, sizeof(expected), "%d %b %Y %H:%M:%S GMT", &parts) > 0);
    if (!strstr(text, ":60 GMT"))
        MUST(strstr(text, expected));
}

static void check_duration(const char *text)
{
    char buffer[DURATION_TEXT_MAX];
    int64_t duration_ms, again_ms;
    int r = duration_parse(text, &duration_ms);

    MUST(r == 0 || r == -EINVAL || r == -ERANGE);
    if (r < 0)
        return;
    MUST(duration_ms >= 0 && duration_ms <= DURATION_MAX_MS);
    duration_format(duration_ms, buffer);
    MUST(duration_parse(buffer, &again_ms) == 0 && again_ms == duration_ms);
}

static void check_retry_after(const char *text)
{
    const struct wall now = {INT64_C(1772452800000)};
    const int64_t as_seconds = retry_after_ms(text, NULL, now);
    const int64_t as_ms = retry_after_ms(text, text, now);

    MUST(as_seconds >= 0 && as_seconds <= RETRY_AFTER_MAX_MS);
    MUST(as_ms >= 0 && as_ms <= RETRY_AFTER_MAX_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *text = fuzz_take_text(&input);

    setenv("TZ", "UTC", 1);
    check_iso(text);
    check_http_date(text);
    check_duration(text);
    check_retry_after(text);
    free(text);
    return 0;
}
