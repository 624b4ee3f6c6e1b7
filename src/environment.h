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

struct environment;

/* What all environments share. Borrowed, and outlives them. */
struct environment_context {
    struct loop *loop;
    struct aws *aws;
    struct state *state;
    bool dry_run;                    /* decides and tells, but sends no UpdateService */
    void (*changed)(void *userdata); /* environment_get_summary() may have a new answer */
    void *userdata;
};

struct environment_summary {
    enum policy_wanted wanted;
    bool is_settled;  /* the wanted state is reached, as far as is known */
    bool is_known;    /* its services have been seen */
    bool has_trouble; /* something does not work at the moment */
    struct mono check_due;
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
 * restart. POLICY_NO_REQUEST takes it back. by: who; why: may be empty; both are copied.
 * Returns 0 (and if it cannot be recorded, that is a trouble of the environment's), -ENOMEM, or -E2BIG: a
 * text is longer than STATE_REQUEST_TEXT_MAX; then nothing has changed.
 */
int environment_ask(struct environment *environment, const struct policy_request *request,
                    const char *by, const char *why);

/* The check is due now: if all is idle it is put to sleep, else it is told why not. */
void environment_check_now(struct environment *environment);

/* Tells that an environment was taken out of the configuration while asleep, and how to restore it. */
void environment_tell_left(const struct state_environment *entry);

/* No new decisions; UpdateService calls under way may still end. */
void environment_stop(struct environment *environment);

const struct config_environment *environment_config(const struct environment *environment);
void environment_get_summary(const struct environment *environment,
                             struct environment_summary *ret);

#endif
