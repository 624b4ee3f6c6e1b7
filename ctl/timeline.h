/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_TIMELINE_H
#define PROVISIONERCTL_TIMELINE_H

/*
 * What the audit (audit.h) has written into the journal, as a timeline of each environment: its days,
 * what happened at which time and why, and how long it slept. Pure but for the printing.
 */

#include <json-c/json.h>

#include "clock.h"
#include "ctl/terminal.h"

#define TIMELINE_RECORDS_MAX 200000

enum timeline_kind {
    TIMELINE_SLEEP,
    TIMELINE_ASLEEP,
    TIMELINE_WAKE,
    TIMELINE_AWAKE,
    TIMELINE_STAY,
    TIMELINE_UPDATE,
    TIMELINE_FOUND,
    TIMELINE_TROUBLE,
    TIMELINE_RECOVERED,
    TIMELINE_ASKED,
    TIMELINE_REMOVED,
    TIMELINE_STARTED,
    TIMELINE_STOPPED,
    TIMELINE_RELOADED,
    TIMELINE_REFUSED,
    TIMELINE_N_KINDS,
};

/* The record's MESSAGE_ID; and what it is called in --json. */
const char *timeline_id(enum timeline_kind kind);
const char *timeline_name(enum timeline_kind kind);

/* Fields of a record that go into --json, besides its environment and message. */
struct timeline_field {
    const char *journal; /* "PROVISIONERD_REASON" */
    const char *json;    /* "reason" */
};
#define TIMELINE_N_FIELDS 13
extern const struct timeline_field TIMELINE_FIELDS[TIMELINE_N_FIELDS];

/* All text is owned. */
struct timeline_record {
    struct wall time;
    enum timeline_kind kind;
    char *environment; /* NULL: the daemon */
    char *message;
    char *fields[TIMELINE_N_FIELDS]; /* NULL: it has none */
};

/* In order of time. Begins as {0}. */
struct timeline {
    struct timeline_record *records;
    size_t n_records;
    size_t capacity;
    size_t n_dropped; /* the oldest, beyond TIMELINE_RECORDS_MAX */
};

/* Takes what record points to, also when it fails. Returns 0 or -ENOMEM. */
int timeline_add(struct timeline *timeline, struct timeline_record *record);
void timeline_record_clear(struct timeline_record *record);
void timeline_clear(struct timeline *timeline);

struct timeline_options {
    const char *environment; /* NULL: all, one after the other, and then the daemon */
    struct wall from;
    struct wall to;     /* now */
    bool wants_updates; /* each UpdateService, too */
};

struct timeline_total {
    int64_t known_ms; /* for so long it is known whether it was asleep */
    int64_t asleep_ms;
    size_t n_sleeps;
    size_t n_wakes;
    size_t n_woken;    /* wakes that came to their end */
    int64_t waking_ms; /* from those wakes to that end, in all */
};

struct timeline_total timeline_total(const struct timeline *timeline,
                                     const struct timeline_options *options,
                                     const char *environment);

/* Returns 0 or -ENOMEM. */
int timeline_print(const struct timeline *timeline, const struct timeline_options *options,
                   const struct terminal *terminal);

/* An array, a record an element. Returns 0 or -ENOMEM. */
int timeline_json(const struct timeline *timeline, const struct timeline_options *options,
                  struct json_object **ret);

#endif
