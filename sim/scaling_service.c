/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/ecs_model.h"
#include "src/cleanup.h"
#include "src/json.h"

/*
 * Application Auto Scaling: the scalable targets that services are, to be read. It does not scale
 * anything here. Source: Application Auto Scaling API Reference, DescribeScalableTargets.
 */

#define TARGETS_MAX 50
#define DIMENSION "ecs:service:DesiredCount"

static void resource_id(const struct sim_service *service, char *buffer)
{
    snprintf(buffer, SIM_ARN_MAX, "service/%.255s/%.255s", service->cluster->name, service->name);
}

static int invalid(struct sim_call *call, const char *what)
{
    return sim_refuse(call, "ValidationException", "1 validation error detected: %s", what);
}

/* Its validation errors have a name of their own; the rest is checked as everywhere. */
static int as_validation(struct sim_call *call, int r)
{
    if (r == SIM_REFUSED)
        snprintf(call->error_code, sizeof(call->error_code), "ValidationException");
    return r;
}

static int read_parameters(struct sim_call *call, struct json_object **ret_ids, int64_t *ret_limit,
                           size_t *ret_start)
{
    static const char *const namespaces[] = {"ecs", NULL};
    static const char *const dimensions[] = {DIMENSION, NULL};
    const char *namespace = NULL, *dimension = NULL, *token = NULL;
    int r = sim_parameter_enum(call, "ServiceNamespace", namespaces, &namespace);
    if (r == 0 && !namespace)
        return invalid(call, "Value null at 'serviceNamespace' failed to satisfy constraint: "
                             "Member must not be null");
    if (r == 0)
        r = sim_parameter_enum(call, "ScalableDimension", dimensions, &dimension);
    if (r == 0)
        r = sim_parameter_strings(call, "ResourceIds", 0, TARGETS_MAX, ret_ids);
    if (r == 0)
        r = sim_parameter_integer(call, "MaxResults", SIM_OPTIONAL, 1, TARGETS_MAX, ret_limit);
    if (r == 0)
        r = sim_parameter_string(call, "NextToken", SIM_OPTIONAL, 1, SIM_TOKEN_MAX, &token);
    if (r != 0)
        return as_validation(call, r);
    if (dimension && !*ret_ids)
        return invalid(call, "a scalable dimension needs a resource ID");
    return token && sim_list_token_parse(token, ret_start) < 0
               ? sim_refuse(call, "InvalidNextTokenException", "The next token is invalid.")
               : 0;
}

static bool is_asked_for(struct json_object *ids, const char *id)
{
    if (!ids || json_object_array_length(ids) == 0)
        return true;
    for (size_t i = 0; i < json_object_array_length(ids); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(ids, i)), id) == 0)
            return true;
    return false;
}

static int target_to_json(const struct sim *sim, const struct sim_service *service,
                          struct json_object *object)
{
    const struct sim_scaling *scaling = &service->scaling;
    char id[SIM_ARN_MAX], role[SIM_ARN_MAX];
    resource_id(service, id);
    snprintf(role, sizeof(role),
             "arn:aws:iam::%s:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
             "AWSServiceRoleForApplicationAutoScaling_ECSService",
             sim->account);
    int r = sim_json_add_string(object, "ServiceNamespace", "ecs");
    if (r == 0)
        r = sim_json_add_string(object, "ResourceId", id);
    if (r == 0)
        r = sim_json_add_string(object, "ScalableDimension", DIMENSION);
    if (r == 0)
        r = sim_json_add_int(object, "MinCapacity", scaling->min);
    if (r == 0)
        r = sim_json_add_int(object, "MaxCapacity", scaling->max);
    if (r == 0)
        r = sim_json_add_string(object, "RoleARN", role);
    if (r == 0)
        r = sim_json_add_moment(object, "CreationTime", (struct wall){service->created_ms});
    struct json_object *suspended = json_object_new_object();
    if (r == 0)
        r = sim_json_add(object, "SuspendedState", suspended);
    else
        json_object_put(suspended);
    if (r == 0)
        r = sim_json_add_bool(suspended, "DynamicScalingInSuspended", scaling->in_suspended);
    if (r == 0)
        r = sim_json_add_bool(suspended, "DynamicScalingOutSuspended", scaling->out_suspended);
    return r == 0 ? sim_json_add_bool(suspended, "ScheduledScalingSuspended",
                                      scaling->scheduled_suspended)
                  : r;
}

static int add_target(const struct sim *sim, const struct sim_service *service,
                      struct json_object *targets)
{
    struct json_object *object = json_object_new_object();
    int r = sim_json_append(targets, object);
    return r == 0 ? target_to_json(sim, service, object) : r;
}

static int describe_scalable_targets(struct sim *sim, struct sim_call *call)
{
    struct json_object *ids = NULL, *targets;
    int64_t limit = TARGETS_MAX;
    size_t start = 0, position = 0;
    int r = read_parameters(call, &ids, &limit, &start);
    if (r != 0)
        return r;
    call->result = json_object_new_object();
    targets = json_object_new_array();
    if (sim_json_add(call->result, "ScalableTargets", targets) < 0)
        return -ENOMEM;
    for (size_t c = 0; c < sim->n_clusters; c++) {
        for (size_t s = 0; s < sim->clusters[c]->n_services; s++, position++) {
            const struct sim_service *service = sim->clusters[c]->services[s];
            char id[SIM_ARN_MAX], token[SIM_TOKEN_MAX];
            resource_id(service, id);
            if (position < start || service->scaling.max == 0 || !is_asked_for(ids, id))
                continue;
            if (limit-- == 0) {
                sim_list_token_format(position, token);
                return sim_json_add_string(call->result, "NextToken", token);
            }
            if ((r = add_target(sim, service, targets)) < 0)
                return r;
        }
    }
    return 0;
}

const struct sim_operation SIM_SCALING_OPERATIONS[] = {
    {"DescribeScalableTargets", describe_scalable_targets, NULL, SIM_SCALING, false, false},
};
const size_t SIM_N_SCALING_OPERATIONS = ARRAY_LENGTH(SIM_SCALING_OPERATIONS);
