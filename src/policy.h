/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_POLICY_H
#define PROVISIONERD_POLICY_H

/*
 * What ought to be. Pure: rules, observations and a moment in; the wanted state, the reason, and what
 * to look at next out. No I/O, no clock, no allocation; the same input gives the same decision.
 *
 * The wanted state of an environment, the first rule that applies:
 *
 *   1. somebody asked for it (a request that has not    as asked
 *      expired; an expired one is as if it never was)
 *   2. activity within the window                       awake
 *   3. asleep, and somebody scaled a service up by hand awake   (adopt)
 *      asleep, and all are back at what a wake gives    awake   (ours, if it could not be recorded)
 *   4. asleep                                           asleep
 *   5. the window is confirmed idle                     asleep
 *   6. otherwise                                        awake: "I don't know" never sleeps
 *
 * Confirmed idle is a chain of facts, each begun after the one before it had ended. It is looked for
 * once every check_interval:
 *
 *   a. DescribeServices: there is something to put to sleep, and the log's writers run
 *   b. a Logs Insights query over [now - window - lateness, now]: complete, nothing matched
 *   c. DescribeServices: the counts to give back later
 *   d. FilterLogEvents from before the query's end until now: nothing matched
 *
 * If a link fails, is late, or the clocks moved meanwhile, the chain is void and the environment stays
 * awake until the next check. Where somebody asked for the sleep, link a is enough: what there is to put
 * to sleep, and its counts, must be known all the same.
 *
 * Decisions are level-triggered: call policy_decide() after every observation and at decision.next,
 * do what it says unless that is already under way, and it converges from wherever it is.
 */

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"

/* How long DescribeServices may go on showing the counts from before a write (reads are eventually
 * consistent): for so long our own write is the better witness. */
#define POLICY_STALE_READ_MS (60 * MS_PER_SECOND)
/* From the end of the query until the last look is asked for, and from the moment it leaves to the
 * act: later is stale. The look goes back to before the query's end; so the first may be long enough
 * for an earlier look to have its turn among those of hundreds of environments. */
#define POLICY_QUERY_AGE_MAX_MS (10 * MS_PER_MINUTE)
#define POLICY_LOOK_AGE_MAX_MS (30 * MS_PER_SECOND)
/* From the decision to sleep until its UpdateService is sent: what has to wait longer for its turn, for
 * AWS is throttling or the host was suspended, is not borne out any more, and the next check decides. */
#define POLICY_ACT_AGE_MAX_MS (2 * MS_PER_MINUTE)
/* The wall clock may disagree with the monotonic one by so much before the chain is void. */
#define POLICY_CLOCK_TOLERANCE_MS (5 * MS_PER_SECOND)
/* Overlap of two searches, for a Date header's resolution and AWS's own clocks. */
#define POLICY_OVERLAP_MS (5 * MS_PER_SECOND)
/* So long after a wake the services are read until their tasks run, for those who wait for them. */
#define POLICY_COMING_UP_MS (15 * MS_PER_MINUTE)
/* After a refusal that a retry will not cure (AccessDenied, not found). */
#define POLICY_SLOW_RETRY_MS (1 * MS_PER_MINUTE)

#define POLICY_COUNT_UNKNOWN (-1)
#define POLICY_LEAVE (-1)

enum policy_wanted {
    POLICY_AWAKE,
    POLICY_ASLEEP,
};

/* What a person asked for. */
enum policy_request_kind {
    POLICY_NO_REQUEST,
    POLICY_HOLD_AWAKE,  /* awake until then, idle or not */
    POLICY_HOLD_ASLEEP, /* asleep until then, whatever the log says */
    POLICY_SLEEP, /* asleep now: activity up to `since` does not count, until it has left the window */
};

struct policy_request {
    enum policy_request_kind kind;
    struct wall since; /* when it was asked for; AWS's time */
    struct wall until; /* from then on it is as if it never was */
};

enum policy_reason {
    POLICY_HELD_AWAKE,       /* somebody asked for it */
    POLICY_HELD_ASLEEP,      /* somebody asked for it */
    POLICY_SLEEP_ASKED,      /* somebody asked for it, and nothing happened since */
    POLICY_ACTIVITY,         /* within the window */
    POLICY_ADOPTED,          /* somebody scaled a sleeping service up, or all of them */
    POLICY_STILL_ASLEEP,     /* no activity since */
    POLICY_CONFIRMED_IDLE,   /* the chain is complete */
    POLICY_CHECK_NOT_DUE,    /* no activity known; the next check will ask */
    POLICY_CHECKING,         /* the chain is being made */
    POLICY_NOTHING_TO_SLEEP, /* every service is at 0 already */
    POLICY_SERVICES_UNKNOWN, /* DescribeServices failed */
    POLICY_SERVICE_MISSING,  /* a named service does not exist, or ECS could not tell */
    POLICY_ALWAYS_ON_DOWN,   /* what writes the log does not run: its silence proves nothing */
    POLICY_QUERY_UNKNOWN,    /* the query failed, ended badly, or never ended */
    POLICY_QUERY_ACTIVITY,   /* a match just before the window, within the lateness allowed for */
    POLICY_QUERY_SILENT,     /* no record at all, and silence = unknown */
    POLICY_LOOK_UNKNOWN,     /* the last look failed */
    POLICY_STALE,            /* a link of the chain came too late, or a clock moved */
    POLICY_STATE_UNWRITABLE, /* the counts cannot be recorded, so nothing is put to sleep */
    POLICY_REMOVED,          /* no longer in the configuration, and to be left awake */
};

/* Of one environment; from the configuration. */
struct policy_rules {
    int64_t window_ms;
    int64_t lateness_ms;
    int64_t check_interval_ms;
    int64_t poll_interval_ms;
    int64_t poll_interval_awake_ms;
    bool insights_always;
    bool silence_is_unknown;
    bool adopt;
};

/* What came of asking AWS something. */
enum policy_finding {
    POLICY_NOT_ASKED,
    POLICY_UNKNOWN,  /* asked, and no trustworthy answer came */
    POLICY_NO_MATCH, /* read to the end: nothing; for DescribeServices: read */
    POLICY_MATCH,
};

/* The last question of a kind. While it runs, `finding` is still that of the one before. */
struct policy_evidence {
    bool running;
    bool refused; /* the failure is one that a quick retry will not cure */
    enum policy_finding finding;
    struct mono began;
    struct mono ended; /* of the last that ended */
    struct mono sent;  /* of a look that ended: when its first request left; it may have waited */
    struct wall began_at; /* AWS's time */
    struct wall from;     /* time range asked for, of a search */
    struct wall to;
    bool silent; /* a query that scanned no record, or did not say how many */
};

enum policy_condition {
    POLICY_CONDITION_UNKNOWN, /* not described yet */
    POLICY_CONDITION_FIT,
    POLICY_CONDITION_MISSING,     /* or ECS could not tell */
    POLICY_CONDITION_UNTOUCHABLE, /* DAEMON, DRAINING, INACTIVE: never touched */
};

struct policy_service {
    int configured_count; /* wake to this; POLICY_COUNT_UNKNOWN: to the recorded count */
    int recorded_count;   /* from before the sleep, still owed; POLICY_COUNT_UNKNOWN: none */
    bool slept;           /* seen at 0 since the sleep began */
    enum policy_condition condition;
    int reported_count;      /* desiredCount in the last DescribeServices that knew the service */
    int running_count;       /* runningCount there */
    struct mono reported_at; /* when that began */
    bool written;            /* we sent UpdateService since the start */
    bool write_pretended;    /* in a dry run: not sent, so no report will ever show it */
    bool write_uncertain;    /* the last one's answer was lost, or it is under way */
    int written_count;
    struct mono written_at; /* when it ended */
    struct mono zeroed_at;  /* so late we may have set it to 0; MONO_NEVER: not since the start */
    struct mono not_before; /* a failed update is not repeated before this */
};

struct policy_observation {
    struct wall now; /* AWS's time */
    struct mono now_mono;
    enum policy_wanted wanted; /* so far */
    struct wall last_activity; /* WALL_NEVER: none known. Never later than now */
    struct wall looked_until;  /* FilterLogEvents has read everything up to here; or WALL_NEVER */
    struct mono woken;         /* the last wake, or start */
    struct mono check_due;
    struct policy_request request;
    struct policy_evidence look;
    struct policy_evidence query;
    struct policy_evidence describe;
    const struct policy_service *services;
    size_t n_services;
    bool always_on_down;
    bool removed; /* no longer in the configuration: to be woken, and let go */
};

struct policy_decision {
    enum policy_wanted wanted;
    enum policy_reason reason;
    size_t service; /* the one the reason is about: POLICY_ADOPTED, POLICY_SERVICE_MISSING */

    bool look; /* FilterLogEvents from look_from; the first page with a match ends it */
    struct wall look_from;
    bool is_last_look; /* of the chain, which waits for nothing else: to be begun, or under way */
    bool query;
    struct wall query_from;
    struct wall query_to;
    bool describe;

    bool may_sleep;   /* UpdateService to 0 is allowed at this very moment, never otherwise */
    bool check_over;  /* this check has its answer: the next is a check_interval later */
    struct mono next; /* without new observations nothing changes before this */
};

void policy_decide(const struct policy_rules *rules, const struct policy_observation *observation,
                   struct policy_decision *ret);

/* desiredCount as far as can be known now: our own recent write, else what was reported. */
int policy_effective_count(const struct policy_service *service, struct mono now);

/* The count a wake gives the service; 0: it is not woken; POLICY_COUNT_UNKNOWN: nothing is owed. */
int policy_wake_count(const struct policy_service *service);

/* What to record for the service before it is put to sleep; POLICY_COUNT_UNKNOWN: nothing. */
int policy_count_to_record(const struct policy_service *service, struct mono now);

/* The desiredCount to send for this service now, or POLICY_LEAVE. */
int policy_update(const struct policy_service *service, const struct policy_decision *decision,
                  struct mono now);

/* The wake is over: every count owed was given back, and a read that cannot be stale shows it. */
bool policy_wake_is_settled(const struct policy_observation *observation);

bool policy_is_active(const struct policy_rules *rules,
                      const struct policy_observation *observation);

/* The kind of the request if it has not expired, nor been overtaken by activity. */
enum policy_request_kind policy_request_in_force(const struct policy_observation *observation);

/* How long after a check without a sleep the next one is due. */
int64_t policy_next_check_ms(const struct policy_rules *rules,
                             const struct policy_observation *observation);

/* "hold-awake", "hold-asleep", "sleep"; "" for POLICY_NO_REQUEST. */
const char *policy_request_name(enum policy_request_kind kind);

/* A reason for being asleep, or put to sleep; the others are for being awake. */
bool policy_reason_is_for_sleep(enum policy_reason reason);

/* "activity", "query-unknown", ...: for PROVISIONERD_REASON= and tests. */
const char *policy_reason_name(enum policy_reason reason);

#endif
