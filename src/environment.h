/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_ENVIRONMENT_H
#define PROVISIONERD_ENVIRONMENT_H

/*
 * One environment at run time: asks AWS (environment_observe.c), lets policy decide (environment.c),
 * sends the differences (environment_update.c), keeps what is owed (environment_record.c); and again. Each environment has its own timer, calls and troubles, so that none can
 * hold up another. Everything that must survive is in `state`.
 */

#include "audit.h"
#include "aws.h"
#include "config.h"
#include "loop.h"
#include "policy.h"
#include "state.h"
#include "trouble.h"

struct environment;

/* What all environments share. Borrowed, and outlives them. */
struct environment_context {
    struct loop *loop;
    struct aws *aws;
    struct state *state;
    bool dry_run; /* decides and tells, but sends no UpdateService */
    /* There is something else to see of it than before; from the loop. */
    void (*changed)(void *userdata, struct environment *environment);
    void *userdata;
};

struct environment_summary {
    enum policy_wanted wanted;
    bool is_settled;  /* the wanted state is reached, as far as is known */
    bool is_known;    /* its services have been seen */
    bool has_trouble; /* something does not work at the moment */
    struct mono check_due;
};

/* A question to AWS, and what came of it. */
struct environment_question {
    bool is_running;
    enum policy_finding finding; /* of the last that ended */
    struct wall began;           /* of the last; WALL_NEVER: none yet */
    struct wall from;            /* time range asked for, of a search */
    struct wall to;
};

struct environment_service_report {
    const char *name;
    enum policy_condition condition;
    int desired_count; /* as far as is known; POLICY_COUNT_UNKNOWN */
    int running_count; /* when it was last read */
    int wake_count;    /* what a wake gives it; POLICY_COUNT_UNKNOWN: nothing is owed */
};

/* All that is known of an environment, and the decision that follows from it at this moment. Borrowed
 * until the loop goes on. */
struct environment_report {
    const struct config_environment *config;
    struct environment_summary summary;
    struct wall since;     /* the wanted state is what it is; WALL_NEVER: since before the start */
    struct wall check_due; /* WALL_NEVER: no check is to come, for it sleeps */
    struct audit_facts facts;
    struct audit_facts last_check;       /* why it was not put to sleep, or that it was */
    struct wall last_check_at;           /* WALL_NEVER: none has ended yet */
    const struct state_request *request; /* in force; NULL: none */
    struct environment_question look, query, describe;
    const char *troubles[TROUBLE_N_KINDS]; /* NULL: it works */
};

/* config is borrowed and outlives it. Begins to act start_delay_ms from now. */
int environment_new(const struct environment_context *context,
                    const struct config_environment *config, int64_t start_delay_ms,
                    struct environment **ret);

/* Cancels what is under way, without callbacks. */
struct environment *environment_free(struct environment *environment);

/*
 * The configuration changed; cluster and name did not. In two steps, so that a reload is carried out
 * as a whole or not at all: the first may find no memory (-ENOMEM) and changes nothing, the second
 * cannot fail. What is under way is then cancelled and looked at afresh. What was prepared and is not
 * wanted any more is discarded, before that configuration is freed.
 */
int environment_prepare(struct environment *environment, const struct config_environment *config);
void environment_discard_prepared(struct environment *environment);
void environment_reconfigure(struct environment *environment);

/* No longer configured: wake it if it is asleep. environment_is_released() says when that is done. */
void environment_release(struct environment *environment);
bool environment_is_released(const struct environment *environment);

/*
 * What somebody asks for by hand, in place of what was asked for before; recorded, so that it survives a
 * restart. POLICY_NO_REQUEST takes it back. until: WALL_NEVER: for one window from now; so it is always
 * with POLICY_SLEEP. by: who; why: may be empty; both are copied.
 * Returns 0 (and if it cannot be recorded, that is a trouble of the environment's), -ENOMEM, or -E2BIG: a
 * text is longer than STATE_REQUEST_TEXT_MAX; then nothing has changed.
 */
int environment_ask(struct environment *environment, enum policy_request_kind kind,
                    struct wall until, const char *by, const char *why);

/* The check is due now: if all is idle it is put to sleep, else it is told why not. */
void environment_check_now(struct environment *environment);

/* Tells that an environment was taken out of the configuration while asleep, and how to restore it. */
void environment_tell_left(const struct state_environment *entry);

/* No new decisions; UpdateService calls under way may still end. */
void environment_stop(struct environment *environment);

const struct config_environment *environment_config(const struct environment *environment);
void environment_get_summary(const struct environment *environment,
                             struct environment_summary *ret);
void environment_get_report(const struct environment *environment, struct environment_report *ret);
/* index: as in the configuration. */
void environment_get_service_report(const struct environment *environment, size_t index,
                                    struct environment_service_report *ret);

#endif
