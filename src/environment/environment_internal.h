/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_ENVIRONMENT_INTERNAL_H
#define PROVISIONERD_ENVIRONMENT_INTERNAL_H

/* The inside of an environment, shared by the files of that name. */

#include "ecs.h"
#include "environment.h"
#include "logs.h"
#include "trouble.h"

#define ACTIVITY_TEXT_MAX 512 /* of the last activity's message, for the audit */
#define QUERY_ID_MAX 128
#define RESOURCE_MAX 640 /* an ARN: a log group's name has up to 512 characters */

/* One UpdateService under way. */
struct update {
    struct environment *environment;
    size_t index;
    struct ecs_call *call; /* NULL: none */
    int previous;          /* as far as known */
    bool from_sleep;       /* its service slept when the wake began, and was not written since */
    int desired;
    struct policy_service before; /* what was known of earlier writes */
};

/* One FilterLogEvents search of a look: a look searches every log group. */
struct search {
    struct environment *environment;
    size_t index;
    struct logs_filter *filter; /* NULL: ended */
};

/* What an environment has one of for each service or log group of its configuration. */
struct parts {
    const struct config_environment *config; /* NULL: none are there */
    struct policy_service *services;
    struct update *updates;
    struct search *searches;
};

struct environment {
    const struct environment_context *context;
    const struct config_environment *config;
    struct parts prepared; /* for environment_reconfigure() */
    struct loop_timer *timer;
    struct policy_rules rules;
    struct policy_observation observation;
    struct policy_service *services; /* as config->services */
    struct update *updates;          /* as config->services */
    struct search *searches;         /* as config->log_groups */
    size_t n_searching;
    struct mono look_sent; /* of the look under way: when its first request left */
    bool look_exhausted;
    bool look_matched;
    bool look_failed; /* in at least one log group */
    bool look_refused;
    struct logs_query *query;
    struct ecs_call *describe;

    struct wall since; /* the wanted state is what it is; WALL_NEVER: since before the start */
    struct {
        enum policy_reason reason; /* what came of it; POLICY_CHECKING: none has ended yet */
        size_t service;            /* the one the reason is about */
        struct wall at;
    } last_check;

    bool is_found; /* its services have been seen, so `wanted` is more than a guess */
    bool is_stopped;
    bool is_settled;     /* asleep and told so, or awake with nothing owed */
    bool state_is_dirty; /* what should be on disk is not */
    uint64_t shown;      /* a digest of what was last told to be another */

    /* For the audit. */
    struct trouble trouble;
    char activity[ACTIVITY_TEXT_MAX];
    enum policy_reason last_stay; /* POLICY_CHECKING: none told since the last wake */
    const char *always_on_down;   /* borrowed from config */
    char query_id[QUERY_ID_MAX];
    bool query_has_statistics;
    double query_records_scanned;
    double query_bytes_scanned;
};

/* environment_observe.c: each starts asking; the answer ends in environment_step(). */
void environment_start_look(struct environment *environment, struct wall from);
void environment_start_query(struct environment *environment, struct wall from, struct wall to);
void environment_start_describe(struct environment *environment);
void environment_cancel_questions(struct environment *environment);

/* environment_record.c: writes what is owed into the state, and to disk. Returns 0 or -errno. */
int environment_save(struct environment *environment, bool asleep);
/* Nothing is owed any more. */
void environment_drop(struct environment *environment);
bool environment_is_owed(const struct environment *environment);
/* An earlier save failed: again. */
void environment_retry_save(struct environment *environment);
/* Its index in the configuration; n_services if it is not there. */
size_t environment_find_service(const struct config_environment *config, const char *service);
/* Takes over what an earlier run left. */
void environment_load(struct environment *environment);
/* Takes over what is recorded of a service that a reload has added: it may be one that was taken out
 * while it slept. */
void environment_load_service(struct environment *environment, size_t index);
/* Tells of services that were taken out of the configuration (of `old`, or NULL: ever) while they slept,
 * and how to restore them. Their counts stay in the state. */
void environment_tell_left_out(const struct environment *environment,
                               const struct config_environment *old);
/* A save failed: the state in memory goes back to what is true. */
void environment_restore_record(struct environment *environment);

/* environment_request.c: takes over what was asked for before a restart. */
void environment_load_request(struct environment *environment);
void environment_mend_request(struct environment *environment);

/* environment_report.c: another if what can be seen of the environment is another. */
uint64_t environment_digest(const struct environment *environment,
                            const struct policy_decision *decision);

/* environment_facts.c. */
enum counts_of {
    COUNTS_REPORTED,
    COUNTS_RECORDED, /* those that are not 0: what is put to sleep */
    COUNTS_TO_WAKE,
};

/* "name=count ..." of the first services; the state file has them all. Returns text. */
#define COUNTS_TEXT_MAX 2048
const char *environment_counts_text(const struct environment *environment, enum counts_of of,
                                    char text[static COUNTS_TEXT_MAX]);
/* All but the counts. Borrows from the environment. `service`: the one the reason is about. */
struct audit_facts environment_facts(const struct environment *environment,
                                     enum policy_reason reason, size_t service);

/* environment_update.c: UpdateService may have set the service to `desired` as late as at that moment. */
void environment_mark_written(struct policy_service *service, int desired, struct mono at);

/* Sends what policy_update() says, unless it is under way. Returns whether all
 * of it could be sent. */
bool environment_send_updates(struct environment *environment,
                              const struct policy_decision *decision);

/* "arn:aws:ecs:*:*:service/CLUSTER/SERVICE", as IAM names it. */
void environment_service_arn(const struct environment *environment, const char *service, char *arn,
                             size_t size);

/* environment.c: observe the moment, decide, carry out, set the timer. */
void environment_step(struct environment *environment);

/* The first DescribeServices came: is what we found asleep or awake? */
void environment_find(struct environment *environment);

#endif
