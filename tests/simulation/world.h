/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_SIMULATION_WORLD_H
#define PROVISIONERD_TESTS_SIMULATION_WORLD_H

/*
 * The deterministic simulation: the whole daemon, a simulated AWS, people and misfortune, all drawn
 * from one seed, under virtual time.
 *
 *     plan.c             the seed's world: environments, and what happens to them when
 *     world.c            makes it happen, step by step
 *     daemon.c           the daemon: started, killed at any point, started again
 *     memory_storage.c   what survives: a disk with its page cache
 *     faults.c           misfortune: when each kind begins and ends; that it really happened
 *     judge.c            whether an invariant is broken, by the model's truth
 *     simulate.c         the program; trace.c, shrink.c its ways to tell
 *
 * Time. `simulation_now()` is true time, which is AWS's: it never steps. The host's clock is
 * loop_wall(), which may be wrong (sim->clock_offset_ms is how wrong).
 *
 * The judge sees the model, never the daemon's belief. It is called at the hooks below, and reports by
 * simulation_violation(); the first one ends the run.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/model.h"
#include "src/clock.h"
#include "src/log.h"
#include "src/loop.h"

struct daemon_instance;
struct judge;
struct memory_storage;
struct plan;
struct plan_item;
struct trace;

/* --- what the world holds ----------------------------------------------------------------------- */

struct world_service {
    char *name;
    int configured_count; /* "web = 2": woken to this; -1: to the count from before */
    bool is_named;  /* one of `services`, in the running daemon. Otherwise it must never touch it */
    bool is_in_ini; /* likewise, as the INI stands */
    bool is_member; /* likewise, unless people take it out for a while */
    bool is_always_on;
    int usual_count; /* what it runs with in this world, as long as nobody scales it */
};

/* The rules of an environment, as they stand in its section of the INI. */
struct world_rules {
    int64_t window_ms;
    int64_t lateness_ms;
    int64_t check_interval_ms;
    int64_t poll_interval_ms;
    int64_t poll_interval_awake_ms;
    bool insights_always;
    bool silence_is_unknown;
    bool adopt;
    bool wake_on_remove;
};

struct world_environment {
    char *name;
    char *cluster;
    struct sim_cluster *found;      /* of that name, in the model */
    struct world_service *services; /* every one of the cluster that belongs to its story */
    size_t n_services;
    char **log_groups;
    size_t n_log_groups;
    char *pattern;         /* a message is activity if this literal is in it ... */
    char *exclude;         /* ... and this is not; NULL: none */
    bool pattern_as_regex; /* the INI says it as a regular expression, with the same meaning */

    /* In force in the running daemon; if none runs, what the last one had. */
    bool is_configured;
    struct world_rules rules;
    struct wall configured_since; /* the last start or reload that changed the two above */

    /* As the INI file stands, which the daemon has perhaps not read yet. */
    bool is_in_ini;
    struct world_rules ini_rules;
    /* Of the same name, in another cluster: of the two, one is in the INI at most. NULL: none. */
    struct world_environment *other;
    bool is_taken_out; /* neither is */
    bool is_elsewhere; /* the other is */

    /* Its counts are the people's affair from here on, until the daemon has seen it awake again:
     * the state was lost (corrupt file, lost disk). WALL_NEVER: not so. */
    struct wall counts_lost_at;
    void *judge_data; /* the judge's own; freed by judge_free() */
};

/* Is a message activity for this environment? By strstr alone. */
bool world_is_activity(const struct world_environment *environment, const char *message);

#define WORLD_SECRETS_MAX 64

#define WORLD_OPERATIONS 6

/* The weather of one operation of the API: to it, trouble of others alone is none. */
struct world_weather {
    unsigned n_troubles;
    struct wall calm_since; /* as of the simulation */
};

struct simulation {
    uint64_t seed;
    struct plan *plan;
    struct loop *loop;
    struct sim *sim;
    struct memory_storage *storage;
    struct world_environment *environments;
    size_t n_environments;

    struct daemon_instance *daemon; /* NULL: none runs */
    struct wall daemon_since;       /* its start, or its death */
    struct judge *judge;

    /*
     * Weather. Since when nothing bad has been happening: no fault is in force, the daemon runs, its
     * clock is right, its disk is writable, its credentials are good. SIM_FOREVER: not now.
     * L1, L2 and L3 speak of times after it.
     */
    struct wall calm_since;
    struct world_weather weather[WORLD_OPERATIONS]; /* simulation_calm_for() */
    struct wall punctual_since; /* no request is held up on its way; SIM_FOREVER: some are */

    /* S6: none of these may be told or stored. Keys made on the way are added. */
    char *secrets[WORLD_SECRETS_MAX];
    size_t n_secrets, next_secret;

    /* The first violation. */
    char *violation; /* NULL: none */
    char invariant[8];
    uint64_t n_steps;

    /* The machinery's own. */
    struct trace *trace;
    uint64_t *fired;          /* by enum misfortune: how often each really happened */
    struct plan_item **queue; /* a heap of items, by when they are due */
    size_t n_queue;
    unsigned n_troubles; /* in force */
    int64_t late_ms;     /* log events can be read so much later, at most; 0: as usual */
    int64_t disorder_ms; /* their timestamps are so far in the past, at most */
    bool ini_is_broken;
    struct wall restart_at; /* SIM_FOREVER: the daemon runs */
    struct wall trim_at;
    uint64_t spoilt_before; /* bodies, so far: told apart by what the last answer added */
    uint64_t disk_draws;
    uint64_t n_calls, n_sleeps, n_wakes;
    struct death {
        enum death_at { DEATH_NOWHERE, DEATH_STEP, DEATH_STORING, DEATH_SENDING } at;
        int64_t countdown;
        bool of_update;   /* DEATH_SENDING: counts UpdateService alone */
        bool after;       /* DEATH_SENDING: the request goes out nonetheless */
        bool takes_power; /* the machine goes down, not only the process */
        int misfortune;   /* to be counted */
    } death;
    bool is_dying; /* the daemon is dead: nothing it does has an effect. Buried after the step */
};

struct wall simulation_now(const struct simulation *simulation);

/* Since when nothing bad has been happening to requests of this operation. */
struct wall simulation_calm_for(const struct simulation *simulation, const char *operation);

/* Environment and service by the names an UpdateService carries; NULL: none of ours. */
struct world_environment *simulation_find_environment(struct simulation *simulation,
                                                      const char *cluster, const char *service,
                                                      struct world_service **ret_service);

/* The truth about a service; false: there is none of that name. */
bool simulation_truth(struct simulation *simulation, const struct world_environment *environment,
                      const struct world_service *service, struct sim_service_truth *ret);

/* invariant: "S1", "L2". environment may be NULL. Only the first is kept. */
void simulation_violation(struct simulation *simulation, const char *invariant,
                          const struct world_environment *environment, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* --- what the judge is told ---------------------------------------------------------------------- */

/* An API call that reached AWS. */
struct world_call {
    struct wall now;
    const char *operation;          /* "UpdateService" */
    struct json_object *parameters; /* NULL: unreadable */
    /* Of the answer; in judge_after_call() alone. */
    int status;                 /* HTTP; 0: refused, nothing was done */
    const char *code;           /* AWS's error; "" if none */
    struct json_object *result; /* as the operation made it; NULL: none */
    bool is_intact; /* the answer's bytes arrive as they were made, if the client waits for them */
    int64_t latency_ms; /* when they do */
    bool is_lost;       /* no answer comes: the connection breaks, or hangs */
};

/* What somebody else did. */
enum world_act_kind {
    WORLD_SCALED,    /* a person, autoscaling or a deploy set desiredCount of service: count */
    WORLD_DELETED,   /* the service is being deleted */
    WORLD_RECREATED, /* it is there again, with count */
    WORLD_LOG_GROUP_REMOVED,
    WORLD_LOG_GROUP_MADE,
    WORLD_CLOCK_STEPPED, /* the host's clock, not AWS's */
    WORLD_SUSPENDED,     /* the host; told when it is over */
    WORLD_STATE_LOST,    /* the state file was damaged while no daemon ran */
};

struct world_act {
    enum world_act_kind kind;
    struct world_environment *environment; /* NULL: all, or none */
    struct world_service *service;         /* NULL likewise */
    int64_t count;
};

enum world_daemon_event {
    WORLD_DAEMON_STARTED,
    WORLD_DAEMON_KILLED,  /* without a good-bye, wherever it was */
    WORLD_DAEMON_STOPPED, /* SIGTERM, and it went */
    WORLD_DAEMON_RELOADED,
    WORLD_DAEMON_REFUSED_RELOAD, /* the INI was wrong: the rules before stay */
};

/* Written by the judge (judge.c). Returns 0 or -ENOMEM. */
int judge_new(struct simulation *simulation, struct judge **ret);
struct judge *judge_free(struct judge *judge);

/* The operation is admitted and about to act / has acted or was refused. */
void judge_before_call(struct judge *judge, const struct world_call *call);
void judge_after_call(struct judge *judge, const struct world_call *call);

/* Told before and after, so that the counts before it can be seen. */
void judge_before_act(struct judge *judge, const struct world_act *act);
void judge_after_act(struct judge *judge, const struct world_act *act);

void judge_daemon(struct judge *judge, enum world_daemon_event event);

/* Each log and audit record, and each write to the disk. */
void judge_told(struct judge *judge, int level, const char *message_id,
                const struct log_field *fields, size_t n_fields, const char *message);
void judge_stored(struct judge *judge, const char *file, const void *bytes, size_t size);

/* After every callback of the loop and every act of the world. It must be cheap: it runs millions of
 * times; what needs time may be done when time has passed since the last. */
void judge_step(struct judge *judge);

/* The run is over, after a calm long enough for L3: everything must be as it should. */
void judge_end(struct judge *judge);

#endif
