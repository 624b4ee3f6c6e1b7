/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SCHEDULER_H
#define PROVISIONERD_SCHEDULER_H

/*
 * All environments of a configuration: begins them spread over time, swaps them on reload, sums them up.
 * Each goes its own way (environment.h); budgets and priorities between them are aws.h's.
 */

#include "aws.h"
#include "config.h"
#include "environment.h"
#include "loop.h"
#include "state.h"

struct scheduler;

struct scheduler_options {
    struct loop *loop;   /* borrowed */
    struct aws *aws;     /* borrowed */
    struct state *state; /* borrowed */
    bool dry_run;
    /* There is something else to see of that environment; from the loop. */
    void (*changed)(void *userdata, struct environment *environment);
    void *userdata;
};

/* Takes config, also on failure. Returns 0 or a negative errno. */
int scheduler_new(const struct scheduler_options *options, struct config *config,
                  struct scheduler **ret);
struct scheduler *scheduler_free(struct scheduler *scheduler);

/*
 * Goes over to another configuration, and to `aws` (which may be the one from before; if not, the old
 * one may be freed afterwards). What environments know and do stays with them, by name and cluster.
 * One that is removed while asleep is left so or woken, as its on_remove says.
 * Takes config, also on failure: -ENOMEM, and then the old configuration stays.
 */
int scheduler_reload(struct scheduler *scheduler, struct aws *aws, struct config *config);

/* No new decisions; UpdateService calls under way may still end (see aws_calls_pending()). */
void scheduler_stop(struct scheduler *scheduler);

/* Those of the configuration in force, in its order. Borrowed until the next reload. */
size_t scheduler_count(const struct scheduler *scheduler);
struct environment *scheduler_at(const struct scheduler *scheduler, size_t index);
/* By name; NULL if there is none, or it is no longer configured. */
struct environment *scheduler_find(const struct scheduler *scheduler, const char *name);

/* The configuration in force. Borrowed until the next reload. */
const struct config *scheduler_config(const struct scheduler *scheduler);

#define SCHEDULER_STATUS_MAX 160

/* "3 environments: 1 awake, 2 asleep; next check 14:20". Returns text. */
const char *scheduler_format_status(const struct scheduler *scheduler,
                                    char text[static SCHEDULER_STATUS_MAX]);

#endif
