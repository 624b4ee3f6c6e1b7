/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CLOCK_H
#define PROVISIONERD_CLOCK_H

/*
 * Two kinds of time, two types, so that the compiler refuses to mix them.
 *
 *   struct wall   milliseconds since the Unix epoch: the unit of CloudWatch Logs timestamps. May step.
 *                 Decisions about windows and activity are made in it.
 *   struct mono   milliseconds of CLOCK_BOOTTIME: never steps, counts suspension. Intervals between
 *                 looks are made in it.
 *
 * Durations are plain int64_t in milliseconds, and their names end in _ms. Everything here is pure;
 * the present moment comes from loop.h alone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wall {
    int64_t ms;
};

struct mono {
    int64_t ms;
};

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR (60 * MS_PER_MINUTE)
#define MS_PER_DAY (24 * MS_PER_HOUR)

/* "Never": before every real moment, so that max() and age comparisons need no special case. */
#define WALL_NEVER ((struct wall){.ms = INT64_MIN / 4})
#define MONO_NEVER ((struct mono){.ms = INT64_MIN / 4})
#define MONO_FOREVER ((struct mono){.ms = INT64_MAX / 4})

static inline bool wall_is_set(struct wall t)
{
    return t.ms > WALL_NEVER.ms;
}

static inline struct wall wall_add(struct wall t, int64_t duration_ms)
{
    return (struct wall){.ms = t.ms + duration_ms};
}

static inline int64_t wall_since(struct wall later, struct wall earlier)
{
    return later.ms - earlier.ms;
}

static inline struct wall wall_max(struct wall a, struct wall b)
{
    return a.ms >= b.ms ? a : b;
}

static inline bool mono_is_set(struct mono t)
{
    return t.ms > MONO_NEVER.ms;
}

static inline struct mono mono_add(struct mono t, int64_t duration_ms)
{
    return (struct mono){.ms = t.ms + duration_ms};
}

static inline int64_t mono_since(struct mono later, struct mono earlier)
{
    return later.ms - earlier.ms;
}

static inline struct mono mono_min(struct mono a, struct mono b)
{
    return a.ms <= b.ms ? a : b;
}

/* Room for every text below, the terminating NUL included. */
#define WALL_TEXT_MAX 32
#define DURATION_TEXT_MAX 48

/* "2026-03-01T14:20:05Z"; "never" for WALL_NEVER. Returns buffer. */
const char *wall_format_iso(struct wall t, char buffer[static WALL_TEXT_MAX]);

/* "14:20" or, if seconds are asked for, "14:20:05", in the host's time zone. Returns buffer. */
const char *wall_format_local(struct wall t, bool seconds, char buffer[static WALL_TEXT_MAX]);

/*
 * Reads an ISO 8601 UTC moment as AWS writes it ("2026-03-01T14:20:05Z", fraction optional; "+00:00"
 * in place of the Z, as AWS's Python tools write it). Returns 0, or -EINVAL (also before 1970).
 */
int wall_parse_iso(const char *text, struct wall *ret);

/*
 * Reads an HTTP date (IMF-fixdate, RFC 9110 §5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT").
 * Returns 0, or -EINVAL.
 */
int wall_parse_http_date(const char *text, struct wall *ret);

/*
 * "1h30min", "15s", "250ms", "0s", "2d": the form that duration_parse reads; a negative one, which it
 * does not read, with a leading '-'. Returns buffer.
 */
const char *duration_format(int64_t duration_ms, char buffer[static DURATION_TEXT_MAX]);

/* Ten years. What is longer is a slip of the pen. */
#define DURATION_MAX_MS (3653 * MS_PER_DAY)

/*
 * Reads a duration written for people: numbers with units ms, s, min (m), h, d, added up ("1h30min",
 * "1h 30min"). A bare number is refused: its unit would be a guess.
 * Returns 0, -EINVAL (not a duration) or -ERANGE (more than DURATION_MAX_MS).
 */
int duration_parse(const char *text, int64_t *ret_ms);

#endif
