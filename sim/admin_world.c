/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "admin.h"
#include "src/cleanup.h"
#include "src/json.h"

/* What happens in the world: log events, requests, services and what people do to them. */

#define REQUESTS_AT_ONCE_MAX 10000
#define DESIRED_COUNT_MAX 5000 /* AWS's quota of tasks in a service */
#define TASK_TIME_MS_MAX MS_PER_HOUR

/* Log groups and events */

static int find_log_group(struct admin_call *call, struct json_object *object,
                          struct sim_log_group **ret)
{
    const char *name = NULL;
    int r = admin_string(call, object, "logGroup", true, &name);
    if (r != 0)
        return r;
    *ret = sim_log_group_find(call->sim, name);
    return *ret ? 0 : admin_fail(call, "there is no log group '%s'", name);
}

static int put_event(struct admin_call *call, struct json_object *event)
{
    static const char *const known[] = {"logGroup",  "logStream",     "message",
                                        "timestamp", "ingestionTime", NULL};
    struct sim_log_group *group = NULL;
    const char *stream = "admin";
    const char *message = NULL;
    int64_t timestamp_ms = call->now.ms;
    int64_t ingestion_ms = -1;
    int r = admin_check_members(call, event, known);
    if (r == 0)
        r = find_log_group(call, event, &group);
    if (r == 0)
        r = admin_string(call, event, "logStream", false, &stream);
    if (r == 0)
        r = admin_string(call, event, "message", true, &message);
    if (r == 0)
        r = admin_int(call, event, "timestamp", false, 0, INT64_MAX / 4, &timestamp_ms);
    if (r == 0)
        r = admin_int(call, event, "ingestionTime", false, 0, INT64_MAX / 4, &ingestion_ms);
    if (r != 0)
        return r;
    struct wall timestamp = {.ms = timestamp_ms};
    if (ingestion_ms < 0)
        r = sim_event_put_now(call->sim, group, stream, timestamp, call->now, message);
    else
        r = sim_event_put(call->sim, group, stream, timestamp, (struct wall){.ms = ingestion_ms},
                          message, strlen(message));
    return r == -EINVAL ? admin_fail(call, "the event cannot be put") : r;
}

/* One event, or an array of events. */
int admin_put_events(struct admin_call *call)
{
    size_t n = 1;
    int r = 0;
    if (json_object_is_type(call->body, json_type_array)) {
        n = json_object_array_length(call->body);
        for (size_t i = 0; r == 0 && i < n; i++)
            r = put_event(call, json_object_array_get_idx(call->body, i));
    } else {
        r = put_event(call, call->body);
    }
    return r == 0 ? admin_add_int(call->answer, "put", (int64_t)n) : r;
}

int admin_put_log_group(struct admin_call *call)
{
    static const char *const known[] = {"name", "class", NULL};
    const char *name = NULL;
    const char *class = "STANDARD";
    int r = admin_check_members(call, call->body, known);
    if (r == 0)
        r = admin_string(call, call->body, "name", true, &name);
    if (r == 0)
        r = admin_string(call, call->body, "class", false, &class);
    if (r != 0)
        return r;
    bool infrequent = strcmp(class, "INFREQUENT_ACCESS") == 0;
    if (!infrequent && strcmp(class, "STANDARD") != 0)
        return admin_fail(call, "member 'class' must be STANDARD or INFREQUENT_ACCESS");
    struct sim_log_group *group;
    r = sim_log_group_add(call->sim, name, infrequent, call->now, &group);
    if (r == -EEXIST || r == -EINVAL)
        return admin_fail(call, "log group '%s' %s", name,
                          r == -EEXIST ? "exists already" : "is no valid name");
    return r;
}

int admin_delete_log_group(struct admin_call *call)
{
    const char *name;
    if (json_get_string(call->query, "name", &name) < 0)
        return admin_fail(call, "?name= is needed");
    int r = sim_log_group_remove(call->sim, name);
    return r == -ENOENT ? admin_fail(call, "there is no log group '%s'", name) : r;
}

/* Services */

static int find_cluster(struct admin_call *call, struct json_object *from, struct sim_cluster **ret)
{
    const char *name = NULL;
    int r = admin_string(call, from, "cluster", true, &name);
    if (r != 0)
        return r;
    *ret = sim_cluster_find(call->sim, name);
    return *ret ? 0 : admin_fail(call, "there is no cluster '%s'", name);
}

static int find_service(struct admin_call *call, struct json_object *from, struct sim_service **ret)
{
    struct sim_cluster *cluster = NULL;
    const char *name = NULL;
    int r = find_cluster(call, from, &cluster);
    if (r == 0)
        r = admin_string(call, from, "service", true, &name);
    if (r != 0)
        return r;
    *ret = sim_service_find(cluster, name);
    return *ret ? 0
                : admin_fail(call, "there is no service '%s' in cluster '%s'", name,
                             sim_cluster_name(cluster));
}

/* Requests come: a service with a running task writes them to its log, else they are lost. */
int admin_post_request(struct admin_call *call)
{
    static const char *const known[] = {"cluster", "service", "message", "count", NULL};
    struct sim_service *service = NULL;
    const char *message = NULL;
    int64_t count = 1;
    int r = admin_check_members(call, call->body, known);
    if (r == 0)
        r = find_service(call, call->body, &service);
    if (r == 0)
        r = admin_string(call, call->body, "message", true, &message);
    if (r == 0)
        r = admin_int(call, call->body, "count", false, 1, REQUESTS_AT_ONCE_MAX, &count);

    int64_t n_served = 0;
    for (int64_t i = 0; r == 0 && i < count; i++) {
        bool served = false;
        r = sim_request_arrives(call->sim, service, message, call->now, &served);
        n_served += served;
    }
    if (r == 0)
        r = admin_add_int(call->answer, "served", n_served);
    return r == 0 ? admin_add_int(call->answer, "lost", count - n_served) : r;
}

static const char *const status_names[] = {
    [SIM_ACTIVE] = "ACTIVE", [SIM_DRAINING] = "DRAINING", [SIM_INACTIVE] = "INACTIVE"};

static int status_parse(struct admin_call *call, const char *text, enum sim_service_status *ret)
{
    for (size_t i = 0; i < ARRAY_LENGTH(status_names); i++) {
        if (strcmp(status_names[i], text) == 0) {
            *ret = (enum sim_service_status)i;
            return 0;
        }
    }
    return admin_fail(call, "member 'status' must be ACTIVE, DRAINING or INACTIVE");
}

/* Adds the truth of a service to an object. */
static int describe(struct admin_call *call, struct sim_service *service,
                    struct json_object *object)
{
    struct sim_service_truth truth;
    sim_service_truth(call->sim, service, call->now, &truth);
    int r = admin_add_string(object, "cluster", sim_cluster_name(sim_service_cluster(service)));
    if (r == 0)
        r = admin_add_string(object, "service", sim_service_name(service));
    if (r == 0)
        r = admin_add_string(object, "status", status_names[truth.status]);
    if (r == 0)
        r = admin_add_string(object, "strategy",
                             sim_service_strategy(service) == SIM_DAEMON ? "DAEMON" : "REPLICA");
    if (r == 0)
        r = admin_add_int(object, "desiredCount", truth.desired);
    if (r == 0)
        r = admin_add_int(object, "runningCount", truth.running);
    if (r == 0)
        r = admin_add_int(object, "pendingCount", truth.pending);
    if (r == 0)
        r = admin_add(object, "steady", json_object_new_boolean(truth.steady));
    if (r == 0)
        r = admin_add_int(object, "taskMs", sim_service_task_ms(call->sim, service, call->now));
    return r;
}

/* ?cluster= and ?service= narrow it. */
int admin_get_services(struct admin_call *call)
{
    const char *only_cluster = NULL;
    const char *only_service = NULL;
    json_get_string(call->query, "cluster", &only_cluster);
    json_get_string(call->query, "service", &only_service);
    struct json_object *services = json_object_new_array();
    int r = admin_add(call->answer, "services", services);
    for (size_t c = 0; r == 0 && c < sim_clusters_count(call->sim); c++) {
        struct sim_cluster *cluster = sim_cluster_at(call->sim, c);
        if (only_cluster && strcmp(only_cluster, sim_cluster_name(cluster)) != 0)
            continue;
        for (size_t s = 0; r == 0 && s < sim_services_count(cluster); s++) {
            struct sim_service *service = sim_service_at(cluster, s);
            if (only_service && strcmp(only_service, sim_service_name(service)) != 0)
                continue;
            struct json_object *object = json_object_new_object();
            r = admin_append(services, object);
            if (r == 0)
                r = describe(call, service, object);
        }
    }
    return r;
}

static int put_tag(struct admin_call *call, const char *key, struct json_object *value,
                   const void *userdata)
{
    struct sim_service *service = (struct sim_service *)userdata;
    if (!json_object_is_type(value, json_type_string))
        return admin_fail(call, "tag '%s' must be a string", key);
    int r = sim_service_set_tag(service, key, json_object_get_string(value));
    return r == -EINVAL || r == -E2BIG ? admin_fail(call, "tag '%s' cannot be set", key) : r;
}

/* A person at the console: changes what is given. */
int admin_put_service(struct admin_call *call)
{
    static const char *const known[] = {"cluster", "service", "desiredCount",
                                        "status",  "tags",    NULL};
    struct sim_service *service = NULL;
    int64_t desired = -1;
    const char *status_text = NULL;
    enum sim_service_status status = SIM_ACTIVE;
    struct json_object *tags = NULL;
    int r = admin_check_members(call, call->body, known);
    if (r == 0)
        r = find_service(call, call->body, &service);
    if (r == 0)
        r = admin_int(call, call->body, "desiredCount", false, 0, DESIRED_COUNT_MAX, &desired);
    if (r == 0)
        r = admin_string(call, call->body, "status", false, &status_text);
    if (r == 0 && status_text)
        r = status_parse(call, status_text, &status);
    if (r == 0 && json_get_object(call->body, "tags", &tags) == -EBADMSG)
        r = admin_fail(call, "member 'tags' must be an object");

    if (r == 0 && desired >= 0)
        r = sim_service_set_desired(call->sim, service, desired, call->now);
    if (r == 0 && status_text)
        r = sim_service_set_status(call->sim, service, status, call->now);
    if (r == 0 && tags)
        r = admin_each_member(call, tags, put_tag, service);
    if (r == -EINVAL)
        return admin_fail(call, "the service does not take that");
    return r == 0 ? describe(call, service, call->answer) : r;
}

static int read_options(struct admin_call *call, struct sim_service_options *options)
{
    const char *strategy = "REPLICA";
    int r = admin_string(call, call->body, "service", true, &options->name);
    if (r == 0)
        r = admin_int(call, call->body, "desiredCount", false, 0, DESIRED_COUNT_MAX,
                      &options->desired);
    if (r == 0)
        r = admin_string(call, call->body, "strategy", false, &strategy);
    if (r == 0)
        r = admin_string(call, call->body, "controller", false, &options->controller);
    if (r == 0)
        r = admin_string(call, call->body, "logGroup", false, &options->log_group);
    if (r == 0)
        r = admin_string(call, call->body, "logStream", false, &options->log_stream);
    if (r == 0)
        r = admin_int(call, call->body, "taskStartMs", false, 0, TASK_TIME_MS_MAX,
                      &options->task_start_ms);
    if (r == 0)
        r = admin_int(call, call->body, "taskStopMs", false, 0, TASK_TIME_MS_MAX,
                      &options->task_stop_ms);
    if (r != 0)
        return r;
    if (strcmp(strategy, "DAEMON") == 0)
        options->strategy = SIM_DAEMON;
    else if (strcmp(strategy, "REPLICA") != 0)
        return admin_fail(call, "member 'strategy' must be REPLICA or DAEMON");
    return 0;
}

/* A new service, in a cluster that is made if need be; its tasks start now. */
int admin_post_service(struct admin_call *call)
{
    static const char *const known[] = {"cluster",    "service",  "desiredCount", "strategy",
                                        "controller", "logGroup", "logStream",    "taskStartMs",
                                        "taskStopMs", NULL};
    struct sim_service_options options = {
        .desired = 1, .status = SIM_ACTIVE, .task_start_ms = -1, .task_stop_ms = -1};
    const char *cluster_name = NULL;
    int r = admin_check_members(call, call->body, known);
    if (r == 0)
        r = admin_string(call, call->body, "cluster", true, &cluster_name);
    if (r == 0)
        r = read_options(call, &options);
    if (r != 0)
        return r;

    struct sim_cluster *cluster = sim_cluster_find(call->sim, cluster_name);
    if (!cluster)
        r = sim_cluster_add(call->sim, cluster_name, &cluster);
    struct sim_service *service;
    if (r == 0)
        r = sim_service_add(call->sim, cluster, &options, call->now, &service);
    if (r == -EEXIST)
        return admin_fail(call, "service '%s' exists already", options.name);
    if (r == -EINVAL)
        return admin_fail(call, "there can be no such service");
    return r == 0 ? describe(call, service, call->answer) : r;
}

/* ?cluster=&service= */
int admin_delete_service(struct admin_call *call)
{
    struct sim_service *service = NULL;
    int r = find_service(call, call->query, &service);
    return r == 0 ? sim_service_remove(call->sim, sim_service_cluster(service),
                                       sim_service_name(service))
                  : r;
}
