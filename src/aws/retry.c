/* SPDX-License-Identifier: MIT */

#include "aws/retry.h"

#include <string.h>

void retry_quota_init(struct retry_quota *quota)
{
    quota->tokens = RETRY_QUOTA_FULL;
}

int retry_quota_take(struct retry_quota *quota, bool timed_out)
{
    int cost = timed_out ? RETRY_QUOTA_COST_TIMEOUT : RETRY_QUOTA_COST;

    if (quota->tokens < cost)
        return 0;
    quota->tokens -= cost;
    return cost;
}

void retry_quota_give_back(struct retry_quota *quota, int cost)
{
    quota->tokens += cost > 0 ? cost : RETRY_QUOTA_REWARD;
    if (quota->tokens > RETRY_QUOTA_FULL)
        quota->tokens = RETRY_QUOTA_FULL;
}

int64_t retry_ceiling_ms(int attempts)
{
    int64_t ceiling_ms = MS_PER_SECOND;

    for (int i = 1; i < attempts && ceiling_ms < RETRY_CEILING_MAX_MS; i++)
        ceiling_ms *= 2;
    return ceiling_ms < RETRY_CEILING_MAX_MS ? ceiling_ms : RETRY_CEILING_MAX_MS;
}

static int64_t clamp_ms(int64_t wait_ms)
{
    if (wait_ms < 0)
        return 0;
    return wait_ms < RETRY_AFTER_MAX_MS ? wait_ms : RETRY_AFTER_MAX_MS;
}

/* Digits alone: -1 if it is anything else. Numbers beyond all reason come out as a large one. */
static int64_t parse_digits(const char *text)
{
    if (!text || *text == '\0' || text[strspn(text, "0123456789")] != '\0')
        return -1;
    int64_t value = 0;
    for (; *text && value <= RETRY_AFTER_MAX_MS; text++)
        value = value * 10 + (*text - '0');
    return value;
}

int64_t retry_after_ms(const char *retry_after, const char *amz_retry_after, struct wall now)
{
    int64_t value = parse_digits(amz_retry_after);
    if (value >= 0)
        return clamp_ms(value);

    value = parse_digits(retry_after);
    if (value >= 0)
        return clamp_ms(value * MS_PER_SECOND);

    struct wall moment;
    if (retry_after && wall_parse_http_date(retry_after, &moment) == 0)
        return clamp_ms(wall_since(moment, now));
    return 0;
}
