/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "sim/ecs_model.h"

/* Services and clusters as the API shows them. Source: Amazon ECS API Reference, types Service,
 * Deployment, Cluster. */

static const char *status_name(enum sim_service_status status)
{
    static const char *const names[] = {
        [SIM_ACTIVE] = "ACTIVE", [SIM_DRAINING] = "DRAINING", [SIM_INACTIVE] = "INACTIVE"};
    return names[status];
}

struct deployment_counts {
    const char *status;
    int64_t desired, running, pending;
};

static int add_deployment(const struct sim *sim, const struct sim_service *service,
                          const struct ecs_deployment *deployment, int64_t shown_ms,
                          const struct deployment_counts *counts, struct json_object *array)
{
    char id[64], arn[SIM_ARN_MAX];
    bool done = deployment->done_ms <= shown_ms;
    snprintf(id, sizeof(id), "ecs-svc/%019llu", (unsigned long long)deployment->number);
    ecs_task_definition_arn(sim, service, arn);
    struct json_object *object = json_object_new_object();
    int r = sim_json_append(array, object);
    if (r == 0)
        r = sim_json_add_string(object, "id", id);
    if (r == 0)
        r = sim_json_add_string(object, "status", counts->status);
    if (r == 0)
        r = sim_json_add_string(object, "taskDefinition", arn);
    if (r == 0)
        r = sim_json_add_int(object, "desiredCount", counts->desired);
    if (r == 0)
        r = sim_json_add_int(object, "pendingCount", counts->pending);
    if (r == 0)
        r = sim_json_add_int(object, "runningCount", counts->running);
    if (r == 0)
        r = sim_json_add_int(object, "failedTasks", 0);
    if (r == 0)
        r = sim_json_add_moment(object, "createdAt", (struct wall){deployment->created_ms});
    if (r == 0)
        r = sim_json_add_moment(object, "updatedAt", (struct wall){deployment->updated_ms});
    if (r == 0)
        r = sim_json_add_string(object, "launchType", "FARGATE");
    if (r == 0)
        r = sim_json_add_string(object, "platformVersion", "1.4.0");
    if (r == 0)
        r = sim_json_add_string(object, "rolloutState", done ? "COMPLETED" : "IN_PROGRESS");
    if (r == 0)
        r = sim_json_add_string(object, "rolloutStateReason",
                                done ? "ECS deployment completed." : "ECS deployment in progress.");
    return r;
}

static int add_deployments(const struct sim *sim, const struct sim_service *service,
                           int64_t shown_ms, const struct ecs_view *view,
                           struct json_object *object)
{
    struct json_object *array = json_object_new_array();
    int r = sim_json_add(object, "deployments", array);
    if (r < 0 || view->status == SIM_INACTIVE)
        return r;
    struct deployment_counts primary = {.status = "PRIMARY",
                                        .desired = view->desired,
                                        .running = view->running - view->previous_running,
                                        .pending = view->pending - view->previous_pending};
    r = add_deployment(sim, service, &service->deployment, shown_ms, &primary, array);
    if (r < 0 || view->previous_running + view->previous_pending == 0)
        return r;
    struct deployment_counts active = {.status = "ACTIVE",
                                       .desired = view->previous_running,
                                       .running = view->previous_running,
                                       .pending = view->previous_pending};
    return add_deployment(sim, service, &service->previous, shown_ms, &active, array);
}

static int add_events(const struct sim *sim, const struct sim_service *service, int64_t shown_ms,
                      struct json_object *object)
{
    struct json_object *array = json_object_new_array();
    int64_t room = sim->settings.service_events;
    int r = sim_json_add(object, "events", array);
    for (size_t i = service->n_events; r == 0 && room > 0 && i-- > 0;) { /* newest first */
        const struct ecs_event *event = &service->events[i];
        if (event->ms > shown_ms)
            continue;
        room--;
        struct json_object *item = json_object_new_object();
        r = sim_json_append(array, item);
        if (r == 0)
            r = sim_json_add_string(item, "id", event->id);
        if (r == 0)
            r = sim_json_add_moment(item, "createdAt", (struct wall){event->ms});
        if (r == 0)
            r = sim_json_add_string(item, "message", event->message);
    }
    return r;
}

int ecs_tags_to_json(const struct ecs_tag *tags, size_t n_tags, struct json_object *array)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n_tags; i++) {
        struct json_object *tag = json_object_new_object();
        r = sim_json_append(array, tag);
        if (r == 0)
            r = sim_json_add_string(tag, "key", tags[i].key);
        if (r == 0)
            r = sim_json_add_string(tag, "value", tags[i].value);
    }
    return r;
}

static int add_names(const struct sim *sim, const struct sim_service *service,
                     struct json_object *object)
{
    char arn[SIM_ARN_MAX];
    ecs_service_arn(sim, service, arn);
    int r = sim_json_add_string(object, "serviceArn", arn);
    if (r == 0)
        r = sim_json_add_string(object, "serviceName", service->name);
    ecs_cluster_arn(sim, service->cluster, arn);
    if (r == 0)
        r = sim_json_add_string(object, "clusterArn", arn);
    ecs_task_definition_arn(sim, service, arn);
    if (r == 0)
        r = sim_json_add_string(object, "taskDefinition", arn);
    if (r == 0)
        r = sim_json_add_string(object, "launchType", "FARGATE");
    if (r == 0)
        r = sim_json_add_string(object, "platformVersion", "LATEST");
    if (r == 0)
        r = sim_json_add_moment(object, "createdAt", (struct wall){service->created_ms});
    if (r == 0)
        r = sim_json_add_string(object, "schedulingStrategy",
                                service->strategy == SIM_DAEMON ? "DAEMON" : "REPLICA");
    struct json_object *controller = json_object_new_object();
    if (r == 0)
        r = sim_json_add(object, "deploymentController", controller);
    else
        json_object_put(controller);
    return r == 0 ? sim_json_add_string(controller, "type", service->controller) : r;
}

int ecs_service_to_json(const struct sim *sim, const struct sim_service *service, int64_t shown_ms,
                        bool with_tags, struct json_object *object)
{
    struct ecs_view view;
    ecs_view_at(service, shown_ms, &view);
    int r = add_names(sim, service, object);
    if (r == 0)
        r = sim_json_add_string(object, "status", status_name(view.status));
    if (r == 0)
        r = sim_json_add_int(object, "desiredCount", view.desired);
    if (r == 0)
        r = sim_json_add_int(object, "runningCount", view.running);
    if (r == 0)
        r = sim_json_add_int(object, "pendingCount", view.pending);
    if (r == 0)
        r = add_deployments(sim, service, shown_ms, &view, object);
    if (r == 0)
        r = add_events(sim, service, shown_ms, object);
    if (r == 0)
        r = sim_json_add(object, "loadBalancers", json_object_new_array());
    if (r == 0)
        r = sim_json_add_bool(object, "enableExecuteCommand", false);
    if (r == 0)
        r = sim_json_add_string(object, "propagateTags", "NONE");
    if (r < 0 || !with_tags)
        return r;
    struct json_object *tags = json_object_new_array();
    r = sim_json_add(object, "tags", tags);
    return r == 0 ? ecs_tags_to_json(service->tags, service->n_tags, tags) : r;
}

int ecs_cluster_to_json(struct sim *sim, const struct sim_cluster *cluster, struct wall now,
                        struct json_object *object)
{
    int64_t running = 0, pending = 0, active = 0;
    for (size_t i = 0; i < cluster->n_services; i++) {
        struct sim_service_truth truth;
        sim_service_truth(sim, cluster->services[i], now, &truth);
        running += truth.running;
        pending += truth.pending;
        active += truth.status == SIM_ACTIVE;
    }
    char arn[SIM_ARN_MAX];
    ecs_cluster_arn(sim, cluster, arn);
    int r = sim_json_add_string(object, "clusterArn", arn);
    if (r == 0)
        r = sim_json_add_string(object, "clusterName", cluster->name);
    if (r == 0)
        r = sim_json_add_string(object, "status", cluster->inactive ? "INACTIVE" : "ACTIVE");
    if (r == 0)
        r = sim_json_add_int(object, "registeredContainerInstancesCount", 0);
    if (r == 0)
        r = sim_json_add_int(object, "runningTasksCount", running);
    if (r == 0)
        r = sim_json_add_int(object, "pendingTasksCount", pending);
    if (r == 0)
        r = sim_json_add_int(object, "activeServicesCount", active);
    return r;
}
