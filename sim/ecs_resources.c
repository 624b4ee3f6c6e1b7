/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "sim/ecs_model.h"
#include "src/json.h"

/* What IAM is asked about for each operation of ECS. Source: Service Authorization Reference, "Actions,
 * resources, and condition keys for Amazon Elastic Container Service". */

static const char *cluster_named(const struct sim_call *call)
{
    const char *name;
    if (json_get_string(call->parameters, "cluster", &name) < 0)
        return "default";
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* `clusterName`, or the n-th of `clusters`. */
bool ecs_cluster_resource(struct sim *sim, const struct sim_call *call, size_t n, char *buffer)
{
    const char *name = "default";
    struct json_object *names;
    if (json_get_array(call->parameters, "clusters", &names) == 0 &&
        json_object_array_length(names) > 0) {
        struct json_object *element = json_object_array_get_idx(names, n);
        if (!json_object_is_type(element, json_type_string))
            return false;
        name = json_object_get_string(element);
    } else if (n > 0) {
        return false;
    } else {
        (void)json_get_string(call->parameters, "clusterName", &name);
    }
    const char *slash = strrchr(name, '/');
    snprintf(buffer, SIM_ARN_MAX, "arn:aws:ecs:%s:%s:cluster/%.255s", sim->region, sim->account,
             slash ? slash + 1 : name);
    return true;
}

/* `service`, `serviceName` or the n-th of `services`. */
bool ecs_service_resource(struct sim *sim, const struct sim_call *call, size_t n, char *buffer)
{
    const char *name = NULL;
    struct json_object *names;
    if (json_get_array(call->parameters, "services", &names) == 0) {
        struct json_object *element = json_object_array_get_idx(names, n);
        if (json_object_is_type(element, json_type_string))
            name = json_object_get_string(element);
    } else if (n == 0 && json_get_string(call->parameters, "service", &name) < 0) {
        (void)json_get_string(call->parameters, "serviceName", &name);
    }
    if (!name)
        return false;
    const char *slash = strrchr(name, '/');
    snprintf(buffer, SIM_ARN_MAX, "arn:aws:ecs:%s:%s:service/%.255s/%.255s", sim->region,
             sim->account, cluster_named(call), slash ? slash + 1 : name);
    return true;
}

bool ecs_arn_resource(struct sim *sim, const struct sim_call *call, size_t n, char *buffer)
{
    const char *arn;
    (void)sim;
    if (n > 0 || json_get_string(call->parameters, "resourceArn", &arn) < 0)
        return false;
    snprintf(buffer, SIM_ARN_MAX, "%s", arn);
    return true;
}
