/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAYS_PER_YEAR 365

/* 9999-12-31T23:59:59.999Z: a year of five digits is written, and then read no more. */
#define CIVIL_MAX_MS INT64_C(253402300799999)

/* The calendar, as digits in a text gave it. */
struct civil {
    int year;
    int month; /* 1..12 */
    int day;
    int hour;
    int minute;
    int second; /* 60 in a leap second */
    int millisecond;
};

static int64_t floor_seconds(struct wall t)
{
    return t.ms / MS_PER_SECOND - (t.ms % MS_PER_SECOND < 0 ? 1 : 0);
}

static bool is_leap_year(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap_year(year) ? 29 : days[month - 1];
}

/* Days from 1 January of year 1 to 1 January of `year`, which is positive. */
static int64_t days_before_year(int year)
{
    int64_t past = year - 1;

    return DAYS_PER_YEAR * past + past / 4 - past / 100 + past / 400;
}

/* Years before 1970 are refused: no AWS timestamp, expiry or Date header lies there. */
static int civil_to_wall(const struct civil *civil, struct wall *ret)
{
    int64_t days, ms;

    if (civil->year < 1970 || civil->month < 1 || civil->month > 12 || civil->day < 1 ||
        civil->day > days_in_month(civil->year, civil->month) || civil->hour > 23 ||
        civil->minute > 59 || civil->second > 60)
        return -EINVAL;

    days = days_before_year(civil->year) - days_before_year(1970) + civil->day - 1;
    for (int month = 1; month < civil->month; month++)
        days += days_in_month(civil->year, month);

    ms = days * MS_PER_DAY + civil->hour * MS_PER_HOUR + civil->minute * MS_PER_MINUTE +
         civil->second * MS_PER_SECOND + civil->millisecond;
    if (ms > CIVIL_MAX_MS) /* a leap second at the end of all */
        return -EINVAL;
    *ret = (struct wall){.ms = ms};
    return 0;
}

/* The readers below move *text past what they read, and leave it alone when they return false. */

static bool read_literal(const char **text, const char *literal)
{
    size_t length = strlen(literal);

    if (strncmp(*text, literal, length) != 0)
        return false;
    *text += length;
    return true;
}

static bool read_digits(const char **text, int n_digits, int *ret)
{
    int value = 0;

    for (int i = 0; i < n_digits; i++) {
        char c = (*text)[i];

        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *text += n_digits;
    *ret = value;
    return true;
}

static bool read_name(const char **text, const char *const names[], int n_names, int *ret)
{
    for (int i = 0; i < n_names; i++)
        if (read_literal(text, names[i])) {
            *ret = i;
            return true;
        }
    return false;
}

static bool read_time_of_day(const char **text, struct civil *ret)
{
    return read_digits(text, 2, &ret->hour) && read_literal(text, ":") &&
           read_digits(text, 2, &ret->minute) && read_literal(text, ":") &&
           read_digits(text, 2, &ret->second);
}

/* ".5" is 500 ms; what is finer than a millisecond is cut off. */
static bool read_fraction(const char **text, int *ret_ms)
{
    int weight = 100, digit, ms = 0;

    if (!read_literal(text, "."))
        return true;
    if (!read_digits(text, 1, &digit))
        return false;
    do {
        ms += digit * weight;
        weight /= 10;
    } while (read_digits(text, 1, &digit));

    *ret_ms = ms;
    return true;
}

int wall_parse_iso(const char *text, struct wall *ret)
{
    struct civil civil = {0};

    if (!read_digits(&text, 4, &civil.year) || !read_literal(&text, "-") ||
        !read_digits(&text, 2, &civil.month) || !read_literal(&text, "-") ||
        !read_digits(&text, 2, &civil.day) || !read_literal(&text, "T") ||
        !read_time_of_day(&text, &civil) || !read_fraction(&text, &civil.millisecond))
        return -EINVAL;
    if ((!read_literal(&text, "Z") && !read_literal(&text, "+00:00")) || *text)
        return -EINVAL;
    return civil_to_wall(&civil, ret);
}

int wall_parse_http_date(const char *text, struct wall *ret)
{
    static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil civil = {0};
    int weekday, month;

    if (!read_name(&text, weekdays, 7, &weekday) || !read_literal(&text, ", ") ||
        !read_digits(&text, 2, &civil.day) || !read_literal(&text, " ") ||
        !read_name(&text, months, 12, &month) || !read_literal(&text, " ") ||
        !read_digits(&text, 4, &civil.year) || !read_literal(&text, " ") ||
        !read_time_of_day(&text, &civil) || !read_literal(&text, " GMT") || *text)
        return -EINVAL;
    civil.month = month + 1;
    return civil_to_wall(&civil, ret);
}

const char *wall_format_iso(struct wall t, char buffer[static WALL_TEXT_MAX])
{
    time_t seconds = (time_t)floor_seconds(t);
    struct tm tm;

    if (!wall_is_set(t) || !gmtime_r(&seconds, &tm))
        snprintf(buffer, WALL_TEXT_MAX, "never");
    else /* numbers only, the same in every locale; the farthest year has nine digits */
        strftime(buffer, WALL_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return buffer;
}

const char *wall_format_local(struct wall t, bool seconds, char buffer[static WALL_TEXT_MAX])
{
    time_t since_epoch = (time_t)floor_seconds(t);
    struct tm tm;

    if (!wall_is_set(t) || !localtime_r(&since_epoch, &tm))
        snprintf(buffer, WALL_TEXT_MAX, "never");
    else
        strftime(buffer, WALL_TEXT_MAX, seconds ? "%H:%M:%S" : "%H:%M", &tm);
    return buffer;
}

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {
    /* duration_format() goes from large to small, and writes the first name of a size. */
    {"d", MS_PER_DAY},    {"h", MS_PER_HOUR},   {"min", MS_PER_MINUTE},
    {"m", MS_PER_MINUTE}, {"s", MS_PER_SECOND}, {"ms", 1},
};
#define N_UNITS (sizeof(units) / sizeof(units[0]))

const char *duration_format(int64_t duration_ms, char buffer[static DURATION_TEXT_MAX])
{
    /* Unsigned, as the magnitude of INT64_MIN is no int64_t. */
    uint64_t rest = duration_ms < 0 ? -(uint64_t)duration_ms : (uint64_t)duration_ms;
    size_t length = 0;

    if (rest == 0) {
        snprintf(buffer, DURATION_TEXT_MAX, "0s");
        return buffer;
    }
    if (duration_ms < 0)
        buffer[length++] = '-';
    for (size_t i = 0; i < N_UNITS; i++) {
        uint64_t count = rest / (uint64_t)units[i].ms;

        if (count == 0)
            continue;
        /* At most "-106751991167d7h12min55s808ms": the buffer holds it. */
        length += (size_t)snprintf(buffer + length, DURATION_TEXT_MAX - length, "%" PRIu64 "%s",
                                   count, units[i].name);
        rest -= count * (uint64_t)units[i].ms;
    }
    return buffer;
}

static const struct unit *find_unit(const char *name, size_t length)
{
    for (size_t i = 0; i < N_UNITS; i++)
        if (strlen(units[i].name) == length && memcmp(units[i].name, name, length) == 0)
            return &units[i];
    return NULL;
}

static const char *skip_spaces(const char *text)
{
    return text + strspn(text, " \t");
}

int duration_parse(const char *text, int64_t *ret_ms)
{
    int64_t total_ms = 0;
    int r = 0;

    text = skip_spaces(text);
    if (!*text)
        return -EINVAL;

    /* A text that is no duration is -EINVAL even where its numbers are too large as well. */
    while (*text) {
        const struct unit *unit;
        int64_t count = 0;
        size_t length;

        if (!isdigit((unsigned char)*text))
            return -EINVAL;
        for (; isdigit((unsigned char)*text); text++)
            count = count > DURATION_MAX_MS ? count : count * 10 + (*text - '0');

        text = skip_spaces(text);
        length = strcspn(text, "0123456789 \t");
        unit = find_unit(text, length);
        if (!unit)
            return -EINVAL;
        text = skip_spaces(text + length);

        if (count > DURATION_MAX_MS / unit->ms || total_ms + count * unit->ms > DURATION_MAX_MS)
            r = -ERANGE;
        else
            total_ms += count * unit->ms;
    }
    if (r < 0)
        return r;
    *ret_ms = total_ms;
    return 0;
}
