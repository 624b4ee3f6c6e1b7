/* SPDX-License-Identifier: MIT */
#include "access_log.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "src/cleanup.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly `digits` digits. */
static bool read_number(const char **text, size_t digits, int *ret)
{
    int value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (!is_digit((*text)[i]))
            return false;
        value = value * 10 + ((*text)[i] - '0');
    }
    *text += digits;
    *ret = value;
    return true;
}

static bool read_char(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool read_month(const char **text, int *ret)
{
    static const char names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strncmp(*text, names[i], 3) == 0) {
            *text += 3;
            *ret = (int)i + 1;
            return true;
        }
    }
    return false;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days since 1970-01-01, for years from 1970 on. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t leap_days = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 477;
    int64_t days = INT64_C(365) * (year - 1970) + leap_days;
    for (int m = 1; m < month; m++)
        days += days_in_month(year, m);
    return days + day - 1;
}

/* "+0200", "-0730": minutes east of Greenwich. */
static bool read_zone(const char **text, int *ret_minutes)
{
    int sign = read_char(text, '+') ? 1 : read_char(text, '-') ? -1 : 0;
    int hours;
    int minutes;
    if (sign == 0 || !read_number(text, 2, &hours) || !read_number(text, 2, &minutes) ||
        hours > 14 || minutes > 59)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

int access_log_parse_time(const char **text, struct wall *ret_time)
{
    const char *p = *text;
    int day;
    int month;
    int year;
    int hour;
    int minute;
    int second;
    int zone_minutes;
    if (!read_number(&p, 2, &day) || !read_char(&p, '/') || !read_month(&p, &month) ||
        !read_char(&p, '/') || !read_number(&p, 4, &year) || !read_char(&p, ':') ||
        !read_number(&p, 2, &hour) || !read_char(&p, ':') || !read_number(&p, 2, &minute) ||
        !read_char(&p, ':') || !read_number(&p, 2, &second) || !read_char(&p, ' ') ||
        !read_zone(&p, &zone_minutes))
        return -EINVAL;
    /* 60: a leap second, which some servers do write. */
    if (year < 1970 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
        second > 60)
        return -EINVAL;

    int64_t minutes = (days_since_epoch(year, month, day) * 24 + hour) * 60 + minute - zone_minutes;
    ret_time->ms = minutes * MS_PER_MINUTE + second * MS_PER_SECOND;
    *text = p;
    return 0;
}

/* "…", in which a backslash takes the next character along. */
static bool read_quoted(const char **text)
{
    const char *p = *text;
    if (*p != '"')
        return false;
    for (p++; *p != '"'; p++) {
        if (*p == '\\')
            p++;
        if (*p == '\0')
            return false;
    }
    *text = p + 1;
    return true;
}

/* A number of at least one digit, or "-". */
static bool read_count(const char **text)
{
    if (read_char(text, '-'))
        return true;
    size_t digits = strspn(*text, "0123456789");
    *text += digits;
    return digits > 0;
}

int access_log_parse(const char *line, enum access_log_format format, struct wall *ret_time)
{
    /* host, ident and user: no more is asked of them than to be there. A user name may hold spaces,
     * an IPv6 address colons; none holds the " [" that begins the time. */
    const char *p = strstr(line, " [");
    if (!p || p == line || *line == ' ' || memchr(line, '"', (size_t)(p - line)) ||
        !memchr(line, ' ', (size_t)(p - line)))
        return -EINVAL;
    p += 2;

    struct wall time;
    if (access_log_parse_time(&p, &time) < 0 || !read_char(&p, ']') || !read_char(&p, ' ') ||
        !read_quoted(&p) || !read_char(&p, ' '))
        return -EINVAL;

    int status;
    if (!read_char(&p, '-') && (!read_number(&p, 3, &status) || status < 100))
        return -EINVAL;
    if (!read_char(&p, ' ') || !read_count(&p))
        return -EINVAL;
    if (format == ACCESS_LOG_COMBINED &&
        (!read_char(&p, ' ') || !read_quoted(&p) || !read_char(&p, ' ') || !read_quoted(&p)))
        return -EINVAL;
    if (*p != '\0' && *p != ' ')
        return -EINVAL;

    *ret_time = time;
    return 0;
}
