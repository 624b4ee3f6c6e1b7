/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/ecs_model.h"
#include "src/cleanup.h"
#include "src/json.h"

/* Amazon ECS, the operations. Source: Amazon ECS API Reference. */

#define DESCRIBE_MAX 10
#define DESCRIBE_CLUSTERS_MAX 100
#define LIST_MAX 100
#define LIST_SERVICES_DEFAULT 10
#define DESIRED_MAX 5000
#define NAME_MAX_BYTES 2048

static int new_result(struct sim_call *call)
{
    call->result = json_object_new_object();
    return call->result ? 0 : -ENOMEM;
}

/* A member of the result: an empty array or object. */
static int add_member(struct sim_call *call, const char *name, struct json_object *value,
                      struct json_object **ret)
{
    *ret = value;
    return sim_json_add(call->result, name, value);
}

static int read_cluster(struct sim *sim, struct sim_call *call, struct sim_cluster **ret)
{
    const char *name = "default";
    int r = sim_parameter_string(call, "cluster", SIM_OPTIONAL, 0, NAME_MAX_BYTES, &name);
    if (r != 0)
        return r;
    *ret = sim_cluster_find(sim, *name ? name : "default");
    if (!*ret)
        return sim_refuse(call, "ClusterNotFoundException", "Cluster not found.");
    return (*ret)->inactive
               ? sim_refuse(call, "ClusterNotFoundException", "The cluster is inactive.")
               : 0;
}

/* The service that a modifying operation is about. */
static int read_service(struct sim *sim, struct sim_call *call, struct sim_service **ret)
{
    struct sim_cluster *cluster;
    const char *name = NULL;
    int r = sim_parameter_string(call, "service", SIM_REQUIRED, 1, NAME_MAX_BYTES, &name);
    if (r == 0)
        r = read_cluster(sim, call, &cluster);
    if (r != 0)
        return r;
    *ret = sim_service_find(cluster, name);
    return *ret ? ecs_settle(sim, *ret, call->now)
                : sim_refuse(call, "ServiceNotFoundException", "Service not found.");
}

static int add_failure(struct json_object *failures, const char *arn, const char *reason)
{
    struct json_object *failure = json_object_new_object();
    int r = sim_json_append(failures, failure);
    if (r == 0)
        r = sim_json_add_string(failure, "arn", arn);
    return r == 0 ? sim_json_add_string(failure, "reason", reason) : r;
}

/* Faults of one service of a batch: the call as if it named this one alone. */
static bool service_fault(struct sim *sim, const struct sim_call *call,
                          const struct sim_cluster *cluster, const char *name,
                          enum sim_fault_kind kind, int64_t *ret_value)
{
    if (sim->n_faults == 0)
        return false;
    struct sim_call one = *call;
    _cleanup_json_ struct json_object *parameters = json_object_new_object();
    if (!parameters || sim_json_add_string(parameters, "cluster", cluster->name) < 0 ||
        sim_json_add_string(parameters, "service", name) < 0)
        return false;
    one.parameters = parameters;
    return sim_fault_fires(sim, &one, kind, ret_value);
}

static int describe_one(struct sim *sim, struct sim_call *call, struct sim_cluster *cluster,
                        const char *name, bool with_tags, struct json_object *services,
                        struct json_object *failures)
{
    struct sim_service *service = sim_service_find(cluster, name);
    if (!service || service_fault(sim, call, cluster, name, SIM_FAULT_MISSING, NULL)) {
        char arn[SIM_ARN_MAX];
        snprintf(arn, sizeof(arn), "arn:aws:ecs:%s:%s:service/%.255s/%.255s", sim->region,
                 sim->account, cluster->name, name);
        return add_failure(failures, strncmp(name, "arn:", 4) == 0 ? name : arn, "MISSING");
    }
    int64_t lag_ms = sim->settings.stale_ms > 0
                         ? (int64_t)sim_random(sim, (uint64_t)sim->settings.stale_ms + 1)
                         : 0;
    (void)service_fault(sim, call, cluster, name, SIM_FAULT_STALE, &lag_ms);
    if (lag_ms < 0 || lag_ms > SIM_STALE_MS_MAX)
        lag_ms = SIM_STALE_MS_MAX;
    int r = ecs_settle(sim, service, call->now);
    struct json_object *object = r == 0 ? json_object_new_object() : NULL;
    if (r == 0)
        r = sim_json_append(services, object);
    return r == 0 ? ecs_service_to_json(sim, service, call->now.ms - lag_ms, with_tags, object) : r;
}

/* include: ["TAGS"] */
static int read_include(struct sim_call *call, bool *ret_tags)
{
    struct json_object *include = NULL;
    int r = sim_parameter_strings(call, "include", 0, SIZE_MAX, &include);
    *ret_tags = false;
    for (size_t i = 0; r == 0 && include && i < json_object_array_length(include); i++) {
        const char *field = json_object_get_string(json_object_array_get_idx(include, i));
        if (strcmp(field, "TAGS") == 0)
            *ret_tags = true;
    }
    return r;
}

static int describe_services(struct sim *sim, struct sim_call *call)
{
    struct sim_cluster *cluster;
    struct json_object *names = NULL, *services, *failures;
    bool with_tags = false;
    int r = sim_parameter_strings(call, "services", 0, SIZE_MAX, &names);
    if (r == 0 && (!names || json_object_array_length(names) == 0))
        r = sim_refuse(call, "InvalidParameterException", "Services cannot be empty.");
    if (r == 0 && json_object_array_length(names) > DESCRIBE_MAX)
        r = sim_refuse(call, "InvalidParameterException",
                       "Services can have at most %d items for this operation.", DESCRIBE_MAX);
    if (r == 0)
        r = read_include(call, &with_tags);
    if (r == 0)
        r = read_cluster(sim, call, &cluster);
    if (r == 0)
        r = new_result(call);
    if (r == 0)
        r = add_member(call, "services", json_object_new_array(), &services);
    if (r == 0)
        r = add_member(call, "failures", json_object_new_array(), &failures);
    for (size_t i = 0; r == 0 && i < json_object_array_length(names); i++)
        r = describe_one(sim, call, cluster,
                         json_object_get_string(json_object_array_get_idx(names, i)), with_tags,
                         services, failures);
    return r;
}

static int answer_service(struct sim *sim, struct sim_call *call, const struct sim_service *service)
{
    struct json_object *object;
    int r = new_result(call);
    if (r == 0)
        r = add_member(call, "service", json_object_new_object(), &object);
    return r == 0 ? ecs_service_to_json(sim, service, call->now.ms, true, object) : r;
}

static int update_desired(struct sim *sim, struct sim_call *call, struct sim_service *service,
                          int64_t desired)
{
    struct ecs_view before;
    int64_t undone_ms = 0;
    ecs_view_at(service, call->now.ms, &before);
    if (service->strategy == SIM_DAEMON)
        return sim_refuse(call, "InvalidParameterException",
                          "The daemon scheduling strategy does not support a desired count for "
                          "services. Remove the desired count value and try again.");
    if (desired == before.desired)
        return 0;
    int r = sim_service_set_desired(sim, service, desired, call->now);
    if (r == 0 && sim_fault_fires(sim, call, SIM_FAULT_UPDATE_UNDONE, &undone_ms))
        r = sim_service_set_desired_later(sim, service, before.desired,
                                          wall_add(call->now, undone_ms > 0 ? undone_ms : 0));
    return r;
}

static int update_service(struct sim *sim, struct sim_call *call)
{
    struct sim_service *service;
    struct ecs_view view;
    int64_t desired = -1;
    bool roll_out = false;
    const char *definition = NULL;
    int r =
        sim_parameter_string(call, "taskDefinition", SIM_OPTIONAL, 1, NAME_MAX_BYTES, &definition);
    if (r == 0)
        r = sim_parameter_integer(call, "desiredCount", SIM_OPTIONAL, 0, DESIRED_MAX, &desired);
    if (r == 0)
        r = sim_parameter_bool(call, "forceNewDeployment", &roll_out);
    if (r == 0)
        r = read_service(sim, call, &service);
    if (r != 0)
        return r;
    ecs_view_at(service, call->now.ms, &view);
    if (view.status != SIM_ACTIVE)
        return sim_refuse(call, "ServiceNotActiveException", "Service was not ACTIVE.");
    if (definition && !ecs_task_definition_is_of(sim, service, definition))
        return sim_refuse(call, "ClientException", "TaskDefinition not found.");
    if (roll_out && strcmp(service->controller, "ECS") != 0)
        return sim_refuse(call, "InvalidParameterException",
                          "Cannot force a new deployment on services with a %s deployment "
                          "controller.",
                          service->controller);
    if (desired >= 0)
        r = update_desired(sim, call, service, desired);
    if (r == 0 && roll_out)
        r = ecs_roll_out(sim, service, call->now);
    if (r == 0)
        r = answer_service(sim, call, service);
    if (r == 0)
        call->answer_is_lost = sim_fault_fires(sim, call, SIM_FAULT_UPDATE_ANSWER_LOST, NULL);
    return r;
}

static int read_tags(struct sim_call *call, struct ecs_tag *tags, size_t *n_tags)
{
    struct json_object *array = NULL;
    int r = json_get_array(call->parameters, "tags", &array);
    if (r == -ENOENT)
        return 0;
    for (size_t i = 0; r == 0 && i < json_object_array_length(array); i++) {
        struct json_object *tag = json_object_array_get_idx(array, i);
        const char *key = "", *value = "";
        r = json_get_string(tag, "key", &key);
        if (r == 0 && json_get_string(tag, "value", &value) == -EBADMSG)
            r = -EBADMSG;
        if (r == 0 && (!*key || strlen(key) > 128 || strlen(value) > 256))
            return sim_refuse(call, "InvalidParameterException",
                              "Tag keys have 1 to 128 characters, values at most 256.");
        if (r == 0)
            r = ecs_tag_set(tags, n_tags, key, value);
    }
    if (r == -E2BIG)
        return sim_refuse(call, "InvalidParameterException", "A resource can have at most %d tags.",
                          ECS_TAGS_MAX);
    return r == -EBADMSG || r == -ENOENT
               ? sim_refuse(call, "SerializationException", "tags: not a list of tags")
               : r;
}

static int create_service(struct sim *sim, struct sim_call *call)
{
    static const char *const strategies[] = {"REPLICA", "DAEMON", NULL};
    struct sim_cluster *cluster;
    struct sim_service *service;
    const char *strategy = "REPLICA";
    struct sim_service_options options = {.task_start_ms = -1, .task_stop_ms = -1};
    int r = sim_parameter_string(call, "serviceName", SIM_REQUIRED, 1, 255, &options.name);
    if (r == 0)
        r = sim_parameter_integer(call, "desiredCount", SIM_OPTIONAL, 0, DESIRED_MAX,
                                  &options.desired);
    if (r == 0)
        r = sim_parameter_enum(call, "schedulingStrategy", strategies, &strategy);
    options.strategy = strcmp(strategy, "DAEMON") == 0 ? SIM_DAEMON : SIM_REPLICA;
    struct json_object *controller;
    if (r == 0 && json_get_object(call->parameters, "deploymentController", &controller) == 0)
        (void)json_get_string(controller, "type", &options.controller);
    if (r == 0)
        r = read_cluster(sim, call, &cluster);
    if (r == 0)
        r = sim_service_add(sim, cluster, &options, call->now, &service);
    if (r == -EEXIST)
        return sim_refuse(call, "InvalidParameterException",
                          "Creation of service was not idempotent.");
    if (r == 0)
        r = read_tags(call, service->tags, &service->n_tags);
    return r == 0 ? answer_service(sim, call, service) : r;
}

static int delete_service(struct sim *sim, struct sim_call *call)
{
    struct sim_service *service;
    struct ecs_view view;
    bool force = false;
    int r = sim_parameter_bool(call, "force", &force);
    if (r == 0)
        r = read_service(sim, call, &service);
    if (r != 0)
        return r;
    ecs_view_at(service, call->now.ms, &view);
    if (view.status == SIM_INACTIVE)
        return sim_refuse(call, "ServiceNotActiveException", "Service was not ACTIVE.");
    if (view.desired > 0 && !force && service->strategy == SIM_REPLICA)
        return sim_refuse(call, "InvalidParameterException",
                          "The service cannot be stopped while it is scaled above 0.");
    r = ecs_delete(sim, service, call->now);
    return r == 0 ? answer_service(sim, call, service) : r;
}

static int read_list(struct sim_call *call, int64_t *limit, size_t *ret_start)
{
    const char *token = NULL;
    *ret_start = 0;
    int r = sim_parameter_integer(call, "maxResults", SIM_OPTIONAL, 1, LIST_MAX, limit);
    if (r == 0)
        r = sim_parameter_string(call, "nextToken", SIM_OPTIONAL, 0, SIM_TOKEN_MAX, &token);
    if (r == 0 && token && *token && sim_list_token_parse(token, ret_start) < 0)
        r = sim_refuse(call, "InvalidParameterException", "Invalid token.");
    return r;
}

static int add_next_token(struct sim_call *call, size_t position)
{
    char token[SIM_TOKEN_MAX];
    sim_list_token_format(position, token);
    return sim_json_add_string(call->result, "nextToken", token);
}

static int list_services(struct sim *sim, struct sim_call *call)
{
    static const char *const strategies[] = {"REPLICA", "DAEMON", NULL};
    struct sim_cluster *cluster;
    const char *strategy = NULL;
    int64_t limit = LIST_SERVICES_DEFAULT;
    size_t start;
    struct json_object *arns;
    int r = read_list(call, &limit, &start);
    if (r == 0)
        r = sim_parameter_enum(call, "schedulingStrategy", strategies, &strategy);
    if (r == 0)
        r = read_cluster(sim, call, &cluster);
    if (r == 0)
        r = new_result(call);
    if (r == 0)
        r = add_member(call, "serviceArns", json_object_new_array(), &arns);
    for (size_t i = start; r == 0 && i < cluster->n_services; i++) {
        struct sim_service *service = cluster->services[i];
        struct sim_service_truth truth;
        char arn[SIM_ARN_MAX];
        sim_service_truth(sim, service, call->now, &truth);
        if (truth.status == SIM_INACTIVE ||
            (strategy && (strcmp(strategy, "DAEMON") == 0) != (service->strategy == SIM_DAEMON)))
            continue;
        if (limit-- == 0)
            return add_next_token(call, i);
        ecs_service_arn(sim, service, arn);
        r = sim_json_append(arns, json_object_new_string(arn));
    }
    return r;
}

static int list_clusters(struct sim *sim, struct sim_call *call)
{
    int64_t limit = LIST_MAX;
    size_t start;
    struct json_object *arns;
    int r = read_list(call, &limit, &start);
    if (r == 0)
        r = new_result(call);
    if (r == 0)
        r = add_member(call, "clusterArns", json_object_new_array(), &arns);
    for (size_t i = start; r == 0 && i < sim->n_clusters; i++) {
        char arn[SIM_ARN_MAX];
        if (sim->clusters[i]->inactive)
            continue;
        if (limit-- == 0)
            return add_next_token(call, i);
        ecs_cluster_arn(sim, sim->clusters[i], arn);
        r = sim_json_append(arns, json_object_new_string(arn));
    }
    return r;
}

static int describe_cluster(struct sim *sim, struct sim_call *call, const char *name,
                            bool with_tags, struct json_object *clusters,
                            struct json_object *failures)
{
    const struct sim_cluster *cluster = sim_cluster_find(sim, name);
    if (!cluster) {
        char arn[SIM_ARN_MAX];
        snprintf(arn, sizeof(arn), "arn:aws:ecs:%s:%s:cluster/%.255s", sim->region, sim->account,
                 name);
        return add_failure(failures, strncmp(name, "arn:", 4) == 0 ? name : arn, "MISSING");
    }
    struct json_object *object = json_object_new_object(), *tags = NULL;
    int r = sim_json_append(clusters, object);
    if (r == 0)
        r = ecs_cluster_to_json(sim, cluster, call->now, object);
    if (r == 0 && with_tags) {
        tags = json_object_new_array();
        r = sim_json_add(object, "tags", tags);
        if (r == 0)
            r = ecs_tags_to_json(cluster->tags, cluster->n_tags, tags);
    }
    return r;
}

static int describe_clusters(struct sim *sim, struct sim_call *call)
{
    struct json_object *names = NULL, *clusters, *failures;
    bool with_tags = false;
    int r = sim_parameter_strings(call, "clusters", 0, DESCRIBE_CLUSTERS_MAX, &names);
    if (r == 0)
        r = read_include(call, &with_tags);
    if (r == 0)
        r = new_result(call);
    if (r == 0)
        r = add_member(call, "clusters", json_object_new_array(), &clusters);
    if (r == 0)
        r = add_member(call, "failures", json_object_new_array(), &failures);
    size_t n = names ? json_object_array_length(names) : 0;
    if (r == 0 && n == 0)
        return describe_cluster(sim, call, "default", with_tags, clusters, failures);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = describe_cluster(sim, call, json_object_get_string(json_object_array_get_idx(names, i)),
                             with_tags, clusters, failures);
    return r;
}

static int describe_task_definition(struct sim *sim, struct sim_call *call)
{
    const char *name = NULL;
    bool with_tags = false;
    struct json_object *object;
    int r = sim_parameter_string(call, "taskDefinition", SIM_REQUIRED, 1, NAME_MAX_BYTES, &name);
    if (r == 0)
        r = read_include(call, &with_tags);
    if (r != 0)
        return r;
    const struct sim_service *service = ecs_task_definition_find(sim, name);
    if (!service)
        return sim_refuse(call, "ClientException", "Unable to describe task definition.");
    r = new_result(call);
    if (r == 0)
        r = add_member(call, "taskDefinition", json_object_new_object(), &object);
    if (r == 0)
        r = ecs_task_definition_to_json(sim, service, object);
    return r == 0 && with_tags ? sim_json_add(call->result, "tags", json_object_new_array()) : r;
}

/* Creating one that exists gives the one that exists. */
static int create_cluster(struct sim *sim, struct sim_call *call)
{
    const char *name = "default";
    struct json_object *object;
    int r = sim_parameter_string(call, "clusterName", SIM_OPTIONAL, 1, 255, &name);
    if (r != 0)
        return r;
    struct sim_cluster *cluster = sim_cluster_find(sim, name);
    if (!cluster)
        r = sim_cluster_add(sim, name, &cluster);
    if (r == 0) {
        cluster->inactive = false;
        r = read_tags(call, cluster->tags, &cluster->n_tags);
    }
    if (r == 0)
        r = new_result(call);
    if (r == 0)
        r = add_member(call, "cluster", json_object_new_object(), &object);
    return r == 0 ? ecs_cluster_to_json(sim, cluster, call->now, object) : r;
}

/* The tags of a service or a cluster, by its long ARN. */
static int read_resource(struct sim *sim, struct sim_call *call, struct ecs_tag **ret_tags,
                         size_t **ret_n_tags)
{
    const char *arn = NULL;
    int r = sim_parameter_string(call, "resourceArn", SIM_REQUIRED, 1, NAME_MAX_BYTES, &arn);
    if (r != 0)
        return r;
    struct sim_cluster *cluster = sim_cluster_find(sim, arn);
    const char *name = strstr(arn, ":service/");
    if (cluster) {
        *ret_tags = cluster->tags;
        *ret_n_tags = &cluster->n_tags;
        return 0;
    }
    if (!name)
        return sim_refuse(call, "InvalidParameterException", "Invalid resource ARN.");
    if (!strchr(name + strlen(":service/"), '/'))
        return sim_refuse(call, "InvalidParameterException",
                          "Long arn format must be used for tagging operations.");
    for (size_t i = 0; i < sim->n_clusters; i++) {
        struct sim_service *service = sim_service_find(sim->clusters[i], arn);
        if (service) {
            *ret_tags = service->tags;
            *ret_n_tags = &service->n_tags;
            return 0;
        }
    }
    return sim_refuse(call, "InvalidParameterException",
                      "The specified service is not found. Specify a valid service and try again.");
}

static int tag_resource(struct sim *sim, struct sim_call *call)
{
    struct ecs_tag *tags;
    size_t *n_tags;
    int r = read_resource(sim, call, &tags, &n_tags);
    if (r == 0)
        r = read_tags(call, tags, n_tags);
    return r == 0 ? new_result(call) : r;
}

static int untag_resource(struct sim *sim, struct sim_call *call)
{
    struct ecs_tag *tags;
    size_t *n_tags;
    struct json_object *keys = NULL;
    int r = sim_parameter_strings(call, "tagKeys", 0, SIZE_MAX, &keys);
    if (r == 0)
        r = read_resource(sim, call, &tags, &n_tags);
    for (size_t i = 0; r == 0 && keys && i < json_object_array_length(keys); i++)
        ecs_tag_remove(tags, n_tags, json_object_get_string(json_object_array_get_idx(keys, i)));
    return r == 0 ? new_result(call) : r;
}

static int list_tags(struct sim *sim, struct sim_call *call)
{
    struct ecs_tag *tags;
    size_t *n_tags;
    struct json_object *array;
    int r = read_resource(sim, call, &tags, &n_tags);
    if (r == 0)
        r = new_result(call);
    if (r == 0)
        r = add_member(call, "tags", json_object_new_array(), &array);
    return r == 0 ? ecs_tags_to_json(tags, *n_tags, array) : r;
}

const struct sim_operation SIM_ECS_OPERATIONS[] = {
    {"DescribeServices", describe_services, ecs_service_resource, SIM_ECS, false, true},
    {"UpdateService", update_service, ecs_service_resource, SIM_ECS, false, true},
    {"CreateService", create_service, ecs_service_resource, SIM_ECS, false, true},
    {"DeleteService", delete_service, ecs_service_resource, SIM_ECS, false, true},
    {"ListServices", list_services, NULL, SIM_ECS, false, true},
    {"ListClusters", list_clusters, NULL, SIM_ECS, false, false},
    {"DescribeClusters", describe_clusters, ecs_cluster_resource, SIM_ECS, false, false},
    {"DescribeTaskDefinition", describe_task_definition, NULL, SIM_ECS, false, false},
    {"CreateCluster", create_cluster, ecs_cluster_resource, SIM_ECS, false, false},
    {"TagResource", tag_resource, ecs_arn_resource, SIM_ECS, false, false},
    {"UntagResource", untag_resource, ecs_arn_resource, SIM_ECS, false, false},
    {"ListTagsForResource", list_tags, ecs_arn_resource, SIM_ECS, false, false},
};
const size_t SIM_N_ECS_OPERATIONS = ARRAY_LENGTH(SIM_ECS_OPERATIONS);
