/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_ECS_MODEL_H
#define PROVISIONERD_SIM_ECS_MODEL_H

/*
 * Clusters, services and their tasks, for ecs_*.c. A task is four moments; counts at any moment
 * follow from them, so nothing has to happen while nobody looks. What has stopped is kept for
 * SIM_STALE_MS_MAX, for reads that show the past.
 */

#include "sim/internal.h"

#define ECS_CHANGES_MAX 64 /* of desired count and status, kept for stale reads */
#define ECS_EVENTS_MAX 100 /* as DescribeServices gives */
#define ECS_TAGS_MAX 50

struct ecs_task {
    int64_t created_ms;
    int64_t running_ms; /* PENDING before */
    int64_t stop_ms;    /* gone from here on; INT64_MAX: not asked to stop */
    uint64_t deployment;
};

struct ecs_change {
    int64_t ms;
    int64_t desired;
    enum sim_service_status status;
};

struct ecs_later {
    int64_t ms;
    int64_t desired;
};

struct ecs_tag {
    char *key, *value;
};

struct ecs_event {
    char id[SIM_REQUEST_ID_MAX];
    int64_t ms;
    char *message;
};

struct ecs_deployment {
    uint64_t number; /* 0: none */
    int64_t created_ms, updated_ms;
    int64_t done_ms; /* rolloutState COMPLETED from here on */
};

struct sim_service {
    struct sim_cluster *cluster;
    char *name;
    char *controller;
    char *log_group, *log_stream; /* NULL: writes no log */
    enum sim_strategy strategy;
    int64_t task_start_ms, task_stop_ms; /* -1: the setting's */
    int64_t created_ms;
    bool deleted; /* DRAINING on the way to INACTIVE */

    struct ecs_change changes[ECS_CHANGES_MAX]; /* by time; the last is what is */
    size_t n_changes;
    struct ecs_later *later; /* by time */
    size_t n_later, later_allocated;

    struct ecs_task *tasks;
    size_t n_tasks, tasks_allocated;
    int64_t retired_task_ms; /* of tasks no longer kept */

    struct ecs_deployment deployment, previous;
    struct sim_scaling scaling;
    struct ecs_tag tags[ECS_TAGS_MAX];
    size_t n_tags;
    struct ecs_event events[ECS_EVENTS_MAX]; /* oldest first */
    size_t n_events;
    bool announced_steady;
};

struct sim_cluster {
    char *name;
    bool inactive;
    struct ecs_tag tags[ECS_TAGS_MAX];
    size_t n_tags;
    struct sim_service **services;
    size_t n_services, services_allocated;
};

/* A service as it was at a moment. */
struct ecs_view {
    enum sim_service_status status;
    int64_t desired, running, pending;
    int64_t previous_running, previous_pending; /* of these, those of the deployment before */
};

/* Brings the service up to `now`: changes that were due, tasks to forget, events to tell. */
int ecs_settle(struct sim *sim, struct sim_service *service, struct wall now);
void ecs_view_at(const struct sim_service *service, int64_t ms, struct ecs_view *ret);
int ecs_roll_out(struct sim *sim, struct sim_service *service, struct wall now);
int ecs_delete(struct sim *sim, struct sim_service *service, struct wall now);

/* -E2BIG: more than ECS_TAGS_MAX. */
int ecs_tag_set(struct ecs_tag *tags, size_t *n_tags, const char *key, const char *value);
void ecs_tag_remove(struct ecs_tag *tags, size_t *n_tags, const char *key);

void ecs_cluster_arn(const struct sim *sim, const struct sim_cluster *cluster, char *buffer);
void ecs_service_arn(const struct sim *sim, const struct sim_service *service, char *buffer);

/* ecs_task_definition.c: the one that the service has. */
void ecs_task_definition_arn(const struct sim *sim, const struct sim_service *service,
                             char *buffer);
bool ecs_task_definition_is_of(const struct sim *sim, const struct sim_service *service,
                               const char *name_or_arn);
const struct sim_service *ecs_task_definition_find(const struct sim *sim, const char *name_or_arn);
int ecs_task_definition_to_json(const struct sim *sim, const struct sim_service *service,
                                struct json_object *object);

/* ecs_resources.c: the ARNs that IAM is asked about. */
sim_resource_fn ecs_cluster_resource, ecs_service_resource, ecs_arn_resource;

/* ecs_describe.c: as the API shows it. */
int ecs_service_to_json(const struct sim *sim, const struct sim_service *service, int64_t shown_ms,
                        bool with_tags, struct json_object *object);
int ecs_cluster_to_json(struct sim *sim, const struct sim_cluster *cluster, struct wall now,
                        struct json_object *object);
int ecs_tags_to_json(const struct ecs_tag *tags, size_t n_tags, struct json_object *array);

#endif
