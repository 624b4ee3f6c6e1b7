/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/ecs_model.h"

/*
 * Task definitions: each service has one, "CLUSTER-SERVICE:1", of one container, which writes to the
 * service's log group. Source: Amazon ECS API Reference, types TaskDefinition, ContainerDefinition,
 * LogConfiguration.
 */

/* A family has at most 255 characters. */
#define FAMILY_MAX 256

static void family_of(const struct sim_service *service, char buffer[static FAMILY_MAX])
{
    snprintf(buffer, FAMILY_MAX, "%.126s-%.126s", service->cluster->name, service->name);
}

void ecs_task_definition_arn(const struct sim *sim, const struct sim_service *service, char *buffer)
{
    char family[FAMILY_MAX];
    family_of(service, family);
    snprintf(buffer, SIM_ARN_MAX, "arn:aws:ecs:%s:%s:task-definition/%s:1", sim->region,
             sim->account, family);
}

bool ecs_task_definition_is_of(const struct sim *sim, const struct sim_service *service,
                               const char *name_or_arn)
{
    char arn[SIM_ARN_MAX], family[FAMILY_MAX], revision[FAMILY_MAX + 2];
    ecs_task_definition_arn(sim, service, arn);
    family_of(service, family);
    snprintf(revision, sizeof(revision), "%s:1", family);
    return strcmp(name_or_arn, arn) == 0 || strcmp(name_or_arn, revision) == 0 ||
           strcmp(name_or_arn, family) == 0;
}

const struct sim_service *ecs_task_definition_find(const struct sim *sim, const char *name_or_arn)
{
    for (size_t c = 0; c < sim->n_clusters; c++) {
        const struct sim_cluster *cluster = sim->clusters[c];
        for (size_t s = 0; s < cluster->n_services; s++)
            if (ecs_task_definition_is_of(sim, cluster->services[s], name_or_arn))
                return cluster->services[s];
    }
    return NULL;
}

/* awslogs names a stream PREFIX/CONTAINER/TASK; ours are the name of the stream up to the slash. */
static int add_log_configuration(const struct sim *sim, const struct sim_service *service,
                                 struct json_object *container)
{
    if (!service->log_group)
        return 0;
    char prefix[FAMILY_MAX];
    const char *stream = service->log_stream ? service->log_stream : service->name;
    snprintf(prefix, sizeof(prefix), "%.*s", (int)strcspn(stream, "/"), stream);
    struct json_object *configuration = json_object_new_object(),
                       *options = json_object_new_object();
    int r = sim_json_add(container, "logConfiguration", configuration);
    if (r < 0) {
        json_object_put(options);
        return r;
    }
    r = sim_json_add(configuration, "options", options);
    if (r == 0)
        r = sim_json_add_string(configuration, "logDriver", "awslogs");
    if (r == 0)
        r = sim_json_add_string(options, "awslogs-group", service->log_group);
    if (r == 0)
        r = sim_json_add_string(options, "awslogs-region", sim->region);
    return r == 0 ? sim_json_add_string(options, "awslogs-stream-prefix", prefix) : r;
}

static int add_container(const struct sim *sim, const struct sim_service *service,
                         struct json_object *object)
{
    struct json_object *containers = json_object_new_array();
    struct json_object *container = json_object_new_object();
    int r = sim_json_add(object, "containerDefinitions", containers);
    if (r < 0) {
        json_object_put(container);
        return r;
    }
    char image[512];
    snprintf(image, sizeof(image), "%s.dkr.ecr.%s.amazonaws.com/%.255s:latest", sim->account,
             sim->region, service->name);
    r = sim_json_append(containers, container);
    if (r == 0)
        r = sim_json_add_string(container, "name", service->name);
    if (r == 0)
        r = sim_json_add_string(container, "image", image);
    if (r == 0)
        r = sim_json_add_int(container, "cpu", 0);
    if (r == 0)
        r = sim_json_add_bool(container, "essential", true);
    for (size_t i = 0; r == 0 && i < 4; i++) {
        static const char *const empty[] = {"portMappings", "environment", "mountPoints",
                                            "volumesFrom"};
        r = sim_json_add(container, empty[i], json_object_new_array());
    }
    return r == 0 ? add_log_configuration(sim, service, container) : r;
}

int ecs_task_definition_to_json(const struct sim *sim, const struct sim_service *service,
                                struct json_object *object)
{
    char arn[SIM_ARN_MAX], family[FAMILY_MAX];
    ecs_task_definition_arn(sim, service, arn);
    family_of(service, family);
    int r = sim_json_add_string(object, "taskDefinitionArn", arn);
    if (r == 0)
        r = add_container(sim, service, object);
    if (r == 0)
        r = sim_json_add_string(object, "family", family);
    if (r == 0)
        r = sim_json_add_string(object, "networkMode", "awsvpc");
    if (r == 0)
        r = sim_json_add_int(object, "revision", 1);
    if (r == 0)
        r = sim_json_add_string(object, "status", "ACTIVE");
    if (r == 0)
        r = sim_json_add(object, "volumes", json_object_new_array());
    if (r == 0)
        r = sim_json_add(object, "placementConstraints", json_object_new_array());
    struct json_object *compatibilities = json_object_new_array();
    if (r == 0)
        r = sim_json_add(object, "requiresCompatibilities", compatibilities);
    else
        json_object_put(compatibilities);
    if (r == 0)
        r = sim_json_append(compatibilities, json_object_new_string("FARGATE"));
    if (r == 0)
        r = sim_json_add_string(object, "cpu", "256");
    if (r == 0)
        r = sim_json_add_string(object, "memory", "512");
    return r == 0 ? sim_json_add_moment(object, "registeredAt", (struct wall){service->created_ms})
                  : r;
}
