/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_ECS_H
#define PROVISIONERD_ECS_H

/*
 * Amazon ECS, as typed operations. Source: Amazon ECS API Reference.
 *
 * Each callback comes exactly once, from the loop; not at all after ecs_call_cancel(). The handle is
 * invalid from the moment it is entered. Everything passed to callbacks is borrowed.
 */

#include "aws.h"

struct ecs_call;

/* AWS's own quota is 5,000 tasks a service; a count beyond this is no count. */
#define ECS_COUNT_MAX 100000

enum ecs_service_status {
    ECS_SERVICE_ACTIVE,
    ECS_SERVICE_DRAINING,
    ECS_SERVICE_INACTIVE,
    ECS_SERVICE_MISSING, /* in failures[] as MISSING, or in the answer not at all */
    ECS_SERVICE_FAILED, /* in failures[] for another reason, or with a status or scheduling strategy
                            that nobody knows: see `detail` */
};

struct ecs_service {
    const char *name; /* as asked for */
    enum ecs_service_status status;
    bool is_daemon;    /* schedulingStrategy DAEMON: has no desiredCount of its own */
    int desired_count; /* this and the others 0 when MISSING or FAILED */
    int running_count;
    int pending_count;
    const char *detail; /* failures[].reason and detail, for people; "" if none */
};

/* With error AWS_OK there is exactly one entry for each name asked for, in that order. */
struct ecs_describe_result {
    struct aws_error error;
    const struct ecs_service *services;
    size_t n_services;
};

typedef void ecs_describe_done_fn(void *userdata, const struct ecs_describe_result *result);

/* DescribeServices in batches of ten, one after another; one failed batch fails the whole. Names (or
 * ARNs) are copied. Returns 0, -EINVAL (no names) or -ENOMEM; then no callback comes. */
int ecs_describe_services(struct aws *aws, const char *cluster, const char *const *names,
                          size_t n_names, enum aws_priority priority, ecs_describe_done_fn *done,
                          void *userdata, struct ecs_call **ret);

/* The service as UpdateService answered it; desired_count is -1 if the answer did not say, or with
 * an error. */
typedef void ecs_update_done_fn(void *userdata, const struct aws_error *error, int desired_count);

/* UpdateService to an absolute desiredCount: idempotent, so retried freely.
 * Returns 0, -EINVAL (not a count) or -ENOMEM; then no callback comes. */
int ecs_update_service(struct aws *aws, const char *cluster, const char *service, int desired_count,
                       enum aws_priority priority, ecs_update_done_fn *done, void *userdata,
                       struct ecs_call **ret);

/* See aws_call_set_deadline(). Of an UpdateService. */
void ecs_call_set_deadline(struct ecs_call *call, struct mono deadline);

void ecs_call_cancel(struct ecs_call *call);

const char *ecs_service_status_name(enum ecs_service_status status);

#endif
