/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_REPLAY_H
#define PROVISIONERD_SIM_REPLAY_H

/*
 * Traffic of the past, again: a web server's access log, or what `aws logs filter-log-events` printed,
 * each record one request with the record as its message. The gaps between records are kept, divided
 * by `speed`; the first record comes at once. A record older than its predecessor (servers log a
 * request when it ends) comes together with it.
 *
 * The file is read as it is needed, one record at a time: memory does not grow with its size. Lines
 * that are no records of the format are counted and skipped.
 */

#include <stdint.h>

#include "src/clock.h"

/* Longest record; a CloudWatch Logs event is at most 1 MiB. Longer ones count as malformed. */
#define REPLAY_RECORD_MAX ((size_t)1024 * 1024)
/* Given out in one replay_advance(), so that its caller gets to do other things. */
#define REPLAY_BURST_MAX 1000

struct replay;

enum replay_format {
    REPLAY_AUTO, /* by the first record */
    REPLAY_COMMON,
    REPLAY_COMBINED,
    REPLAY_FILTER_LOG_EVENTS_JSON,
};

/* "auto", "common", "combined", "filter-log-events-json". Returns 0 or -EINVAL. */
int replay_format_parse(const char *name, enum replay_format *ret);

struct replay_counts {
    uint64_t records;   /* given out */
    uint64_t malformed; /* skipped */
};

/* Multiples of the original pace. */
#define REPLAY_SPEED_MIN 0.001
#define REPLAY_SPEED_MAX 1e6

/* Returns 0, -ERANGE (speed), -EBADMSG (not one record of the format is in the file), -ENOMEM, or the
 * error of opening or reading the file. */
int replay_new(const char *path, enum replay_format format, double speed, struct replay **ret);
struct replay *replay_free(struct replay *replay);

/* message: as in the file, without the line's end. Borrowed. */
typedef void replay_request_fn(void *userdata, const char *message);

/* Gives out what is due; the first call starts the replay. Returns after how many milliseconds the
 * next record is due, or -1: it is over. */
int64_t replay_advance(struct replay *replay, struct mono now, replay_request_fn *request,
                       void *userdata);

struct replay_counts replay_counts(const struct replay *replay);

/* 0, or the negative errno of the read error that ended it. */
int replay_error(const struct replay *replay);

#endif
