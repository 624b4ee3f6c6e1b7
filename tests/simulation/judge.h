/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_SIMULATION_JUDGE_H
#define PROVISIONERD_TESTS_SIMULATION_JUDGE_H

/*
 * The judge: whether the daemon broke one of its promises, by the model's truth. What it is told, and
 * when, is world.h's; this page is for its own files, and states the bounds it judges by.
 *
 *     judge.c            what it keeps, and the hooks
 *     judge_evidence.c   what AWS answered: looks, queries, descriptions, and events as they appear
 *     judge_sleep.c      S1, S2: was this UpdateService to 0 right?
 *     judge_counts.c     S4, S5: which services, and to which counts
 *     judge_liveness.c   L1, L2, L3, L4: what must have happened by now
 *     judge_limits.c     S6, R1, R2: secrets, budgets, resources
 *     judge_report.c     a violation, with the calls before it
 *
 * It knows nothing of the daemon's state. What the daemon *could* know, it takes from the answers
 * that reached it whole; what was *true*, from the model.
 *
 * S1  An UpdateService to 0 reaches AWS at A. There is activity with a timestamp within the window
 *     before A that the API could have shown. Excused, and nothing else:
 *       - what became readable after the last look that the sleep rests on began, if that was at most
 *         JUDGE_GAP_MS ago: it was not there to be seen. But not if an answer showed it all the same;
 *       - what came later than `lateness` allows for, and after the query had begun: neither the
 *         query nor the last look, which goes back by `lateness`, could have shown it. The next
 *         check finds it (L1);
 *       - what is older than the window but for JUDGE_CLOCK_MS: clocks agree to no more than that.
 * S2  For the act there is a chain in the history, each link begun when the answer of the one before
 *     had arrived whole: a query over the whole window and `lateness` of every log group, begun after
 *     the last wake and the daemon's start, Complete, without a row; a description of the service;
 *     a look at every log group from `lateness` before the query's end on, read to its last page,
 *     without activity. What writes the log ran, as far as descriptions said; no named service was
 *     missing; with silence = unknown the query scanned at least one record.
 * S4  Only named services of configured environments; to 0, or to what S5 allows. One that is no
 *     longer configured is only woken; one that was taken out of `services` is not touched, but for what
 *     was on its way. None that every description of the last JUDGE_GAP_MS, and the
 *     one before them, showed as DAEMON or not ACTIVE.
 * S5  A wake gives a service its configured count, or the one from before the sleep: the true one at
 *     the act; or, as no read is fresher, the one that the last description had shown, or that the
 *     daemon itself had written within JUDGE_STALE_MS (its write is the better witness). So somebody
 *     who scales within a minute of a sleep may find either count: that race is excused, no other.
 *     A count above 0 that somebody else gave a service while it slept stays, if a description has shown it
 *     to this daemon in time; a wake does not wait for one. And what this daemon has given itself, as
 *     AWS's answer told it, it does not give again for want of descriptions.
 * S6  No secret in what is logged or stored.
 * L1  Activity that can be read from t on wakes an environment that sleeps by
 *     t + poll_interval + call budget; if it came later than `lateness`, + check_interval. So does
 *     somebody's scaling up what was put to sleep (adopt), by the time that stale reads and
 *     poll_interval_awake take more. Of what is awaited from a look alone, trouble with operations other
 *     than FilterLogEvents and UpdateService is no excuse: a wake needs no others.
 *     Not judged if the activity leaves the window before that: then it is none any more.
 *     What is at 0 and was taken out of `services` is owed its count: it is given that when it is back
 *     and the rest is up, at once; else when the rest wakes.
 * L2  Without activity, every service is at 0 by window + lateness + check_interval + query time; and
 *     it stays so: a wake has a reason, which is activity that came to light since the sleep, or that a
 *     longer window holds again, somebody's scaling of one of the services, or removal. A daemon that
 *     finds a sleep half done by the one before may undo it.
 * L3  The same, JUDGE_RECOVERY_MS after trouble has ended: L1 and L2 are told as L3 then.
 * L4  An UpdateService whose answer was lost has happened or not, and until it is known which, what
 *     somebody else sets could be taken for it. The first read that can tell is asked for within
 *     JUDGE_DOUBT_MS, not when the next one would be due anyway.
 * R1  Requests of each operation fit AWS's documented budget, as they arrive. While there is trouble
 *     they may be held up on the way for JUDGE_HELD_UP_MS, and arrive together: then only their rate
 *     over longer times is judged. An answer that says to slow down is heeded: JUDGE_PAUSE_MS nothing
 *     more of that operation is asked.
 * R2  Timers, and with them calls under way, are bounded by the configuration; and so is the heap. A
 *     query of which no more is wanted, for it has found something or taken JUDGE_QUERY_LIFE_MS, is
 *     stopped: AWS bills what it scans.
 */

#include "tests/simulation/world.h"

/* How far apart AWS's time and the daemon's idea of it may be: skews of 2 s are not corrected (skew.h),
 * a Date tells whole seconds, and an answer takes its time. */
#define JUDGE_CLOCK_MS (5 * MS_PER_SECOND)
/* DescribeServices shows the past for so long. */
#define JUDGE_STALE_MS (60 * MS_PER_SECOND)
/* From the beginning of the last look to the decision: 30 s. From there to AWS: three attempts of 30 s,
 * their pauses, and a place in the queue of those allowed five a second. */
#define JUDGE_GAP_MS (30 * MS_PER_SECOND + 3 * MS_PER_MINUTE)
/* An attempt is given up after 30 s: what arrives later is not heard. */
#define JUDGE_ATTEMPT_MS (30 * MS_PER_SECOND)
/* A count recorded by a daemon that died before it acted is given back by the next one, if that
 * starts soon: it distrusts reads for four minutes. */
#define JUDGE_DISTRUST_MS (10 * MS_PER_MINUTE)
/* When trouble has ended: credentials are asked for again after ten minutes at most, a query that
 * never ends is given up after five. */
#define JUDGE_RECOVERY_MS (15 * MS_PER_MINUTE)
/* A request that takes longer on its way to AWS has been given up before. */
#define JUDGE_HELD_UP_MS (60 * MS_PER_SECOND)
/* After ThrottlingException: of the pause, which is drawn, the least. */
#define JUDGE_PAUSE_MS (500)
/* An environment that was let go may have calls under way, whose answers nobody hears. */
#define JUDGE_LET_GO_MS (1 * MS_PER_HOUR)
/* What one call takes when all is well, retries of a single hiccup included. */
#define JUDGE_CALL_MS (20 * MS_PER_SECOND)
/* Of a check: two descriptions, the query with its polls, the last look. */
#define JUDGE_QUERY_MS (40 * MS_PER_SECOND)
/* A query is waited for so long. */
#define JUDGE_QUERY_LIFE_MS (5 * MS_PER_MINUTE)

/* Reads cannot be stale after JUDGE_STALE_MS; the call's further attempts may wait for their turn until its
 * deadline, and a read may be under way that began too early. */
#define JUDGE_DOUBT_MS (JUDGE_STALE_MS + 5 * MS_PER_MINUTE)

#define JUDGE_SHOWN_KEPT 8
#define JUDGE_HELD_KEPT 8
#define JUDGE_COUNTS_MAX 8
#define JUDGE_LOOKS_KEPT 512
#define JUDGE_QUERIES_KEPT 512
#define JUDGE_GROUPS_OF_QUERY_MAX 50
#define JUDGE_TOLD_KEPT 4

/* A service as an answer of DescribeServices showed it. */
struct judge_shown {
    struct wall asked, arrives;
    int64_t desired, running;
    bool is_active, is_missing;
    bool is_daemon; /* schedulingStrategy */
};

struct judge_held {
    struct wall since;
    int64_t count;
};

struct judge_service {
    struct judge_shown shown[JUDGE_SHOWN_KEPT]; /* a ring, by n_shown */
    size_t n_shown;
    struct judge_held held[JUDGE_HELD_KEPT]; /* the true desired count, a ring, by n_held */
    size_t n_held;
    struct wall scaled;  /* when somebody else last set it; WALL_NEVER */
    struct wall written; /* when the daemon last did */
    int64_t written_count;
    bool is_owed;         /* put to 0 by the daemon, and not above 0 since */
    bool is_theirs;       /* scaled up by somebody while all the others slept */
    struct wall answered; /* when the daemon last did, and was told so; WALL_NEVER */
    struct wall doubted;  /* an UpdateService whose answer was lost; WALL_NEVER */
    bool was_named;
    struct wall left;                 /* taken out of `services`; WALL_NEVER */
    struct wall returned;             /* and given back */
    bool is_unrecorded;               /* woken by a daemon that died before the disk took it */
    int64_t counts[JUDGE_COUNTS_MAX]; /* what a wake may give */
    size_t n_counts;
    uint64_t sleep; /* the environment's sleep that they are of */
};

struct judge_group;

struct judge_activity {
    struct wall timestamp, visible;
    const struct judge_group *group; /* where it was written; NULL: not asked for */
};

/* Something must have woken the environment by then, or the one service that was out when it woke. */
struct judge_demand {
    bool is_made;
    struct wall since;     /* when it could first be known */
    struct wall due;       /* if all is well */
    struct wall timestamp; /* of the activity; SIM_FOREVER: of none, so that no window passes */
    int64_t allowed_ms;    /* from since to due */
    bool is_removal;
    bool is_adoption;
    const struct world_service *returned; /* this one is to be given its count; NULL: any */
    bool needs_a_look_alone;
    const char *what;
};

struct judge_environment {
    struct world_environment *world;
    struct judge_service *services; /* as world->services */
    struct judge_group **groups;    /* as world->log_groups */

    uint64_t sleep;       /* counts up with the first UpdateService to 0 after a wake */
    bool is_asleep;       /* the last UpdateService was to 0 */
    struct wall fell;     /* the first to 0 since the last wake */
    struct wall slept;    /* the last to 0 */
    struct wall waking;   /* the first to more since */
    struct wall released; /* removed, and on_remove = wake: begun, that outlives the daemon */
    struct wall
        adopted; /* a description first showed what somebody scaled up since it fell asleep */

    struct wall last_activity;     /* newest timestamp of what can be read */
    struct wall last_visible;      /* when the last of it came to light */
    bool fell_asleep_whole;        /* at the daemon's start, or since: nothing was up */
    struct judge_activity *coming; /* put, but not to be read yet */
    size_t n_coming, coming_allocated;
    struct judge_activity told[JUDGE_TOLD_KEPT]; /* shown in answers; visible: when it arrived */
    size_t n_told;

    struct wall disturbed; /* by its own misfortune: a service deleted, a log group gone */
    struct judge_demand demand;
    bool was_configured;
};

/* A search by FilterLogEvents. */
struct judge_look {
    struct wall began; /* its first page was asked for */
    struct wall ended; /* its last page arrived; WALL_NEVER: it did not, or not whole */
    int64_t start_ms;
    char next_token[128]; /* of the page before; "": it has ended */
};

struct judge_group {
    char *name;
    struct sim_log_group *group; /* NULL: there is none */
    size_t n_events;             /* of those looked at */
    uint64_t first_id, newest_id;
    size_t n_environments; /* configured ones that use it */
    struct judge_look looks[JUDGE_LOOKS_KEPT];
    size_t n_looks; /* a ring */
};

struct judge_query {
    char id[SIM_REQUEST_ID_MAX];
    struct wall created;
    int64_t start_ms, end_ms;
    const struct judge_group *groups[JUDGE_GROUPS_OF_QUERY_MAX];
    size_t n_groups;
    struct wall completed; /* Complete without a row, and this arrived whole; WALL_NEVER */
    struct wall unwanted;  /* no more of it is wanted from here on */
    bool is_known;         /* its id arrived */
    bool is_over;          /* it was stopped, or its end arrived */
    const char *ending;    /* for people: what came instead */
    double records_scanned;
    bool has_statistics;
};

#define JUDGE_OPERATIONS_MAX 6
/* FilterLogEvents and its kin: five a second. The ring holds the last ones. */
#define JUDGE_RECENT_KEPT 8

struct judge_budget {
    double tokens;
    struct wall filled;
    struct wall recent[JUDGE_RECENT_KEPT];
    size_t n_recent;
    struct wall refused; /* the daemon heard that it was too much; WALL_NEVER */
};

struct judge {
    struct simulation *simulation;
    struct judge_environment *environments; /* as simulation->environments */
    size_t n_environments;
    struct judge_group **groups;
    size_t n_groups;
    struct judge_query queries[JUDGE_QUERIES_KEPT]; /* a ring */
    size_t n_queries;
    int64_t count_before; /* of the service that an UpdateService is about to change */
    struct wall born;     /* the judge */
    struct wall started;  /* the daemon */
    struct wall let_go;   /* an environment, at last */
    struct wall stored;   /* when the disk last took something of it */
    struct wall next_look, next_counts;
    struct judge_budget budgets[JUDGE_OPERATIONS_MAX];
    struct wall next_weighing;
    double heap_baseline;
    size_t heap_environments;
};

/* judge.c */
struct judge_environment *judge_environment_of(const struct judge *judge,
                                               const struct world_environment *environment);
struct judge_service *judge_service_of(const struct judge_environment *environment,
                                       const struct world_service *service);
struct judge_group *judge_group_find(const struct judge *judge, const char *name);
struct wall judge_later(struct wall a, struct wall b);
/* No named service is above 0. */
bool judge_is_wholly_down(const struct judge_environment *environment);

/* judge_evidence.c */
void judge_take_answer(struct judge *judge, const struct world_call *call);
/* Looks at what was written into the log groups since the last time. */
void judge_take_events(struct judge *judge, struct wall now);
/*
 * Activity of the environment with a timestamp from from_ms on that can be read at `until`: at most
 * max of it, into ret. Returns how many.
 */
size_t judge_find_activity(const struct judge *judge, const struct judge_environment *environment,
                           int64_t from_ms, struct wall until, struct judge_activity *ret,
                           size_t max);
/* The newest description that had arrived by then; NULL: none. */
const struct judge_shown *judge_shown_by(const struct judge_service *service, struct wall by);

/* judge_sleep.c */
void judge_sleep(struct judge *judge, struct judge_environment *environment,
                 struct world_service *service, struct wall now);

/* judge_counts.c: before and after an UpdateService; and somebody else's doing. */
void judge_wake(struct judge *judge, struct judge_environment *environment,
                struct world_service *service, int64_t desired, struct wall now);
void judge_record_update(struct judge *judge, struct judge_environment *environment,
                         struct world_service *service, int64_t desired, struct wall now);
/* Shown to be a DAEMON, or not ACTIVE, for so long that nobody acts in ignorance of it. */
bool judge_is_untouchable(const struct judge_service *service, struct wall now);
/* Looks at the true counts, for what somebody else has changed. */
void judge_take_counts(struct judge *judge, struct judge_environment *environment);
/* The true desired count when it was last looked at. */
int64_t judge_count_of(const struct judge_service *service);
/* Whether a service is at 0 that must not be once the environment is awake. */
const struct world_service *judge_find_owed(const struct judge_environment *environment);

/* judge_liveness.c */
void judge_demand_wake(struct judge *judge, struct judge_environment *environment,
                       struct judge_activity activity);
void judge_demand_adoption(struct judge *judge, struct judge_environment *environment,
                           struct wall scaled);
void judge_demand_return(struct judge *judge, struct judge_environment *environment,
                         const struct world_service *service, struct wall now);
void judge_demand_release(struct judge *judge, struct judge_environment *environment,
                          struct wall now);
/* The answer to an UpdateService of it; and a description that was asked for. */
void judge_doubt(struct judge_service *service, const struct world_call *call);
void judge_read(struct judge_service *service, struct wall asked);
/* The daemon is another, or looks at everything anew. */
void judge_doubts_forget(struct judge *judge);
void judge_liveness(struct judge *judge, struct judge_environment *environment, struct wall now);

/* judge_limits.c */
void judge_count_request(struct judge *judge, const struct world_call *call);
void judge_budgets_reset(struct judge *judge);
/* Some answers may go unheard, or be heard later. */
void judge_refusals_forget(struct judge *judge);
void judge_secrets(struct judge *judge, const char *where, const void *bytes, size_t size);
void judge_weigh(struct judge *judge, struct wall now);
void judge_unwanted_queries(struct judge *judge, struct wall now);

/* judge_report.c: by simulation_violation(), with the last calls about the environment. */
void judge_report(struct judge *judge, const char *invariant,
                  const struct judge_environment *environment, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define JUDGE_MOMENT_MAX 40
/* "2026-03-02T12:00:00.000Z" */
const char *judge_moment(struct wall moment, char text[static JUDGE_MOMENT_MAX]);

#endif
