/* SPDX-License-Identifier: MIT */
#include "ctl/moment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct wall moment_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (struct wall){(int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / 1000000};
}

/* What remains of a text that strptime(3) read all of: nothing. */
static bool reads_as(const char *text, const char *format, struct tm *tm)
{
    const char *end = strptime(text, format, tm);

    return end && !*end;
}

static struct tm local(struct wall moment)
{
    time_t seconds = (time_t)(moment.ms / MS_PER_SECOND);
    struct tm tm = {0};

    localtime_r(&seconds, &tm);
    return tm;
}

static int from_local(struct tm tm, struct wall *ret)
{
    tm.tm_isdst = -1;
    time_t seconds = mktime(&tm);
    if (seconds == (time_t)-1)
        return -EINVAL;
    *ret = (struct wall){(int64_t)seconds * MS_PER_SECOND};
    return 0;
}

/* The beginning of the day so many days from today's. */
static int day(struct wall now, int days, struct wall *ret)
{
    struct tm tm = local(now);

    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_mday += days;
    return from_local(tm, ret);
}

static bool is_on_the_side(struct wall moment, struct wall now, enum moment_direction direction)
{
    return direction == MOMENT_PAST ? moment.ms <= now.ms : moment.ms > now.ms;
}

/* "14:20", of today or of the day beside it. */
static int time_of_day(const struct tm *time, struct wall now, enum moment_direction direction,
                       struct wall *ret)
{
    struct tm tm = local(now);

    tm.tm_hour = time->tm_hour;
    tm.tm_min = time->tm_min;
    tm.tm_sec = time->tm_sec;
    int r = from_local(tm, ret);
    if (r == 0 && !is_on_the_side(*ret, now, direction)) {
        tm.tm_mday += direction == MOMENT_PAST ? -1 : 1;
        r = from_local(tm, ret);
    }
    return r;
}

static int parse_any(const char *text, struct wall now, enum moment_direction direction,
                     struct wall *ret)
{
    static const char *const TIMES[] = {"%H:%M", "%H:%M:%S"};
    static const char *const DATES[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
                                        "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};
    int64_t duration_ms;

    if (duration_parse(text, &duration_ms) == 0) {
        *ret = wall_add(now, direction == MOMENT_PAST ? -duration_ms : duration_ms);
        return 0;
    }
    if (wall_parse_iso(text, ret) == 0)
        return 0;
    if (strcmp(text, "today") == 0)
        return day(now, 0, ret);
    if (strcmp(text, "yesterday") == 0)
        return day(now, -1, ret);
    if (strcmp(text, "tomorrow") == 0)
        return day(now, 1, ret);
    for (size_t i = 0; i < sizeof(TIMES) / sizeof(TIMES[0]); i++) {
        struct tm tm = {0};
        if (reads_as(text, TIMES[i], &tm))
            return time_of_day(&tm, now, direction, ret);
    }
    for (size_t i = 0; i < sizeof(DATES) / sizeof(DATES[0]); i++) {
        struct tm tm = {0};
        if (reads_as(text, DATES[i], &tm))
            return from_local(tm, ret);
    }
    return -EINVAL;
}

int moment_parse(const char *text, struct wall now, enum moment_direction direction,
                 struct wall *ret)
{
    struct wall moment;
    int r = parse_any(text, now, direction, &moment);

    if (r < 0)
        return r;
    if (!is_on_the_side(moment, now, direction))
        return -ERANGE;
    *ret = moment;
    return 0;
}

const char *moment_format(struct wall moment, char buffer[static MOMENT_TEXT_MAX])
{
    struct tm tm = local(moment);

    strftime(buffer, MOMENT_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
    return buffer;
}

const char *moment_format_day(struct wall moment, char buffer[static MOMENT_TEXT_MAX])
{
    static const char *const DAYS[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    struct tm tm = local(moment);

    /* Not %a: it is the locale's. */
    int n = snprintf(buffer, MOMENT_TEXT_MAX, "%s ", DAYS[tm.tm_wday]);
    strftime(buffer + n, (size_t)(MOMENT_TEXT_MAX - n), "%Y-%m-%d", &tm);
    return buffer;
}
