/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_MOMENT_H
#define PROVISIONERCTL_MOMENT_H

/*
 * Moments as people write and read them, in the host's time zone.
 *
 *     2h, 1h30min          so long ago; or from now on, where the future is meant
 *     14:20, 14:20:05      the last such moment; or the next
 *     today, yesterday     its beginning
 *     2026-11-24           its beginning
 *     2026-11-24 14:20     also with seconds, and with a T
 *     2026-11-24T14:20:05Z in UTC
 */

#include "clock.h"

enum moment_direction {
    MOMENT_PAST,
    MOMENT_FUTURE,
};

/* By this host's clock. */
struct wall moment_now(void);

#define MOMENT_FORMS "such as 2h, 14:20, yesterday, or \"2026-11-24 14:20\""

/* Returns 0; -EINVAL: it is none; -ERANGE: it lies in the other direction. */
int moment_parse(const char *text, struct wall now, enum moment_direction direction,
                 struct wall *ret);

#define MOMENT_TEXT_MAX 32

/* "2026-11-24 14:20:05". Returns buffer. */
const char *moment_format(struct wall moment, char buffer[static MOMENT_TEXT_MAX]);

/* "Tue 2026-11-24": the day it is on. Returns buffer. */
const char *moment_format_day(struct wall moment, char buffer[static MOMENT_TEXT_MAX]);

#endif
