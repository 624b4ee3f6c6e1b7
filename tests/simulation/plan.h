/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_SIMULATION_PLAN_H
#define PROVISIONERD_TESTS_SIMULATION_PLAN_H

/*
 * What a seed decides before anything runs: the environments, and a list of all that will happen to
 * them. Items know nothing of each other, and each has its own stream of chance: so a failing schedule
 * is shrunk by leaving items out, and the rest happens as it did.
 */

#include "tests/simulation/chance.h"
#include "tests/simulation/world.h"

/* Everything that can happen but traffic: its row is in misfortune.c. */
enum misfortune {
#define MISFORTUNE(NAME, ...) MISFORTUNE_##NAME,
#include "tests/simulation/misfortune.def"
#undef MISFORTUNE
    MISFORTUNES_N,
};

enum plan_kind {
    PLAN_TRAFFIC,
    PLAN_MISFORTUNE,
};

enum traffic {
    TRAFFIC_USE,       /* activity */
    TRAFFIC_HEARTBEAT, /* matches the pattern, but is excluded; or does not match */
    TRAFFIC_NOISE,     /* does not match */
};

struct plan_item {
    enum plan_kind kind;
    enum misfortune misfortune;
    enum traffic traffic;
    int64_t at_ms;  /* since the beginning */
    int64_t for_ms; /* 0: a moment */
    size_t environment;
    size_t service;
    int64_t value; /* of traffic: the mean gap in ms */
    uint64_t probability_percent;
    const char *operation; /* NULL: any */
    struct chance chance;
    bool is_left_out; /* by shrinking */

    /* While it runs. */
    int64_t due_ms; /* INT64_MAX: over */
    bool has_begun;
    uint64_t rule; /* of the model's fault */
    int64_t saved; /* what to put back */
};

enum plan_identity {
    IDENTITY_KEYS, /* in the environment variables, for ever */
    IDENTITY_INSTANCE,
    IDENTITY_CONTAINER,
};

struct plan {
    uint64_t seed;
    struct wall start;
    int64_t length_ms; /* with the calm at the end */
    int64_t calm_from_ms;
    const char *time_zone;
    enum plan_identity identity;
    bool verifies_signatures;
    bool throttles; /* by AWS's quotas */
    int64_t latency_ms;
    int64_t ingestion_ms; /* late so much, at most, as a rule */
    struct world_environment *environments;
    size_t n_environments;
    size_t n_others;         /* the last ones of them: the same again, in another cluster */
    struct plan_item *items; /* by at_ms */
    size_t n_items;
};

int plan_new(uint64_t seed, int64_t days, struct plan **ret);
struct plan *plan_free(struct plan *plan);

void plan_draw_rules(struct chance *chance, struct world_rules *rules);

/* One line about an item or an environment, for people. Returns text. */
#define PLAN_TEXT_MAX 320
const char *plan_item_text(const struct plan *plan, const struct plan_item *item,
                           char text[static PLAN_TEXT_MAX]);

const char *plan_environment_text(const struct world_environment *environment,
                                  char text[static PLAN_TEXT_MAX]);

/* --- misfortune.c ------------------------------------------------------------------------------- */

enum misfortune_how {
    BY_MODEL, /* a rule of the simulated AWS */
    BY_WIRE,  /* between the daemon and AWS */
    BY_DISK,
    BY_HOST,   /* clock, suspension */
    BY_AWS,    /* keys, roles, log groups, services that come and go */
    BY_LOG,    /* how late events can be read */
    BY_PERSON, /* scaling, INI, reload */
    BY_DEATH,  /* of the daemon */
};

struct misfortune_row {
    const char *name;
    enum misfortune_how how;
    int model_kind;                    /* enum sim_fault_kind; -1: none */
    const char *operations;            /* separated by spaces, one is drawn; NULL: any of the API */
    int64_t for_least_ms, for_most_ms; /* 0: a moment */
    int64_t value_least, value_most;
    uint64_t percent_least, percent_most; /* how often, while it lasts */
    uint64_t weight;
};

const struct misfortune_row *misfortune_row(enum misfortune misfortune);

/* Begins, goes on or ends at item->due_ms: returns when it wants to be called again, or INT64_MAX. */
int64_t misfortune_happen(struct simulation *simulation, struct plan_item *item);

#endif
