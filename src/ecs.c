/* SPDX-License-Identifier: MIT */

#include "ecs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "json.h"

/* "You may specify up to 10 services to describe in a single operation." */
#define SERVICES_PER_CALL 10

/* What a service of a describing call is known by, and what has been learnt of it. */
struct entry {
    char *name;
    char *detail; /* NULL: none */
    bool is_answered;
};

struct ecs_call {
    struct aws *aws;
    struct aws_call *call;
    void *userdata;

    /* DescribeServices */
    ecs_describe_done_fn *describe_done;
    char *cluster;
    enum aws_priority priority;
    struct entry *entries;
    struct ecs_service *services; /* one for each entry */
    size_t n_entries;
    size_t n_described; /* the batch under way begins here */

    /* UpdateService */
    ecs_update_done_fn *update_done;
};

static struct ecs_call *ecs_call_free(struct ecs_call *call)
{
    if (!call)
        return NULL;
    for (size_t i = 0; call->entries && i < call->n_entries; i++) {
        free(call->entries[i].name);
        free(call->entries[i].detail);
    }
    free(call->entries);
    free(call->services);
    free(call->cluster);
    free(call);
    return NULL;
}

DEFINE_CLEANUP(struct ecs_call *, ecs_call_free)

void ecs_call_set_deadline(struct ecs_call *call, struct mono deadline)
{
    aws_call_set_deadline(call->call, deadline);
}

void ecs_call_cancel(struct ecs_call *call)
{
    aws_call_cancel(call->call);
    ecs_call_free(call);
}

/* Returns 0, -ENOENT or -EBADMSG. */
static int read_count(struct json_object *service, const char *name, int *ret)
{
    int64_t count;
    int r = json_get_int(service, name, &count);

    if (r < 0)
        return r;
    if (count < 0 || count > ECS_COUNT_MAX)
        return -EBADMSG;
    *ret = (int)count;
    return 0;
}

/* ---- DescribeServices ---- */

static void describe_end(struct ecs_call *call, const struct aws_error *error)
{
    struct ecs_describe_result result = {.error = *error};

    if (error->kind == AWS_OK) {
        for (size_t i = 0; i < call->n_entries; i++)
            call->services[i].detail = call->entries[i].detail ? call->entries[i].detail : "";
        result.services = call->services;
        result.n_services = call->n_entries;
    }
    call->describe_done(call->userdata, &result);
    ecs_call_free(call);
}

static void describe_fail(struct ecs_call *call, enum aws_error_kind kind, const char *why)
{
    struct aws_error error;

    aws_error_set(&error, kind, "DescribeServices: %s", why);
    describe_end(call, &error);
}

/* "arn:aws:ecs:eu-west-1:1:service/cluster/api" and "api" are both "api". ARNs of before 2018 lack
 * the cluster: the part after the last "/" is what all forms have in common. */
static const char *short_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static size_t batch_end(const struct ecs_call *call)
{
    size_t end = call->n_described + SERVICES_PER_CALL;
    return end < call->n_entries ? end : call->n_entries;
}

static int set_detail(struct entry *entry, const char *what, const char *more)
{
    char *detail;

    if (asprintf(&detail, "%s%s%s", what, *more ? ": " : "", more) < 0)
        return -ENOMEM;
    free(entry->detail);
    entry->detail = detail;
    return 0;
}

/*
 * Fills in all entries of the batch that go by this name: a name may have been asked for twice.
 * Returns -EBADMSG if one of them has been answered already: an answer that contradicts itself.
 */
static int answer(struct ecs_call *call, const char *name, const struct ecs_service *service,
                  const char *what, const char *more)
{
    for (size_t i = call->n_described; i < batch_end(call); i++) {
        struct entry *entry = &call->entries[i];
        if (strcmp(short_name(entry->name), short_name(name)) != 0)
            continue;
        if (entry->is_answered)
            return -EBADMSG;
        entry->is_answered = true;
        call->services[i] = *service;
        call->services[i].name = entry->name;
        int r = *what ? set_detail(entry, what, more) : 0;
        if (r < 0)
            return r;
    }
    return 0; /* one that nobody asked for is nobody's business */
}

static int read_service(struct ecs_call *call, struct json_object *object)
{
    static const struct {
        const char *word;
        enum ecs_service_status status;
    } STATUSES[] = {
        {"ACTIVE", ECS_SERVICE_ACTIVE},
        {"DRAINING", ECS_SERVICE_DRAINING},
        {"INACTIVE", ECS_SERVICE_INACTIVE},
    };
    struct ecs_service service = {.status = ECS_SERVICE_FAILED};
    const char *name;
    const char *status;
    const char *strategy = "REPLICA";

    if (json_get_string(object, "serviceName", &name) < 0 ||
        json_get_string(object, "status", &status) < 0 ||
        read_count(object, "desiredCount", &service.desired_count) < 0 ||
        read_count(object, "runningCount", &service.running_count) < 0 ||
        read_count(object, "pendingCount", &service.pending_count) < 0 ||
        json_get_string(object, "schedulingStrategy", &strategy) == -EBADMSG)
        return -EBADMSG;

    for (size_t i = 0; i < ARRAY_LENGTH(STATUSES); i++)
        if (strcmp(status, STATUSES[i].word) == 0)
            service.status = STATUSES[i].status;
    if (service.status == ECS_SERVICE_FAILED)
        return answer(call, name, &(struct ecs_service){.status = ECS_SERVICE_FAILED},
                      "unknown status", status);

    service.is_daemon = strcmp(strategy, "DAEMON") == 0;
    if (!service.is_daemon && strcmp(strategy, "REPLICA") != 0)
        return answer(call, name, &(struct ecs_service){.status = ECS_SERVICE_FAILED},
                      "unknown scheduling strategy", strategy);
    return answer(call, name, &service, "", "");
}

static int read_failure(struct ecs_call *call, struct json_object *object)
{
    struct ecs_service service = {.status = ECS_SERVICE_FAILED};
    const char *arn;
    const char *reason;
    const char *detail = "";

    if (json_get_string(object, "arn", &arn) < 0 ||
        json_get_string(object, "reason", &reason) < 0 ||
        json_get_string(object, "detail", &detail) == -EBADMSG)
        return -EBADMSG;
    if (strcmp(reason, "MISSING") == 0)
        service.status = ECS_SERVICE_MISSING;
    return answer(call, arn, &service, *reason ? reason : "no reason", detail);
}

static int read_list(struct ecs_call *call, struct json_object *list,
                     int (*read)(struct ecs_call *, struct json_object *))
{
    size_t n = json_object_array_length(list);

    for (size_t i = 0; i < n; i++) {
        int r = read(call, json_object_array_get_idx(list, i));
        if (r < 0)
            return r;
    }
    return 0;
}

/* Returns 0, -EBADMSG or -ENOMEM. */
static int read_batch(struct ecs_call *call, struct json_object *body)
{
    struct json_object *services;
    struct json_object *failures;

    if (json_get_array(body, "services", &services) < 0)
        return -EBADMSG;
    int r = read_list(call, services, read_service);
    if (r < 0)
        return r;

    r = json_get_array(body, "failures", &failures);
    if (r == 0)
        r = read_list(call, failures, read_failure);
    else if (r == -ENOENT)
        r = 0;
    if (r < 0)
        return r;

    for (size_t i = call->n_described; i < batch_end(call); i++) {
        if (call->entries[i].is_answered)
            continue;
        call->services[i] = (struct ecs_service){
            .name = call->entries[i].name,
            .status = ECS_SERVICE_MISSING,
        };
        r = set_detail(&call->entries[i], "not in the answer", "");
        if (r < 0)
            return r;
    }
    return 0;
}

static int describe_batch(struct ecs_call *call);

static void batch_described(void *userdata, const struct aws_error *error, struct json_object *body)
{
    struct ecs_call *call = userdata;

    if (error->kind != AWS_OK) {
        describe_end(call, error);
        return;
    }
    int r = read_batch(call, body);
    call->n_described = batch_end(call);
    if (r == 0 && call->n_described < call->n_entries)
        r = describe_batch(call);
    else if (r == 0) {
        describe_end(call, error);
        return;
    }
    if (r == -EBADMSG)
        describe_fail(call, AWS_ERROR_MALFORMED,
                      "a service or failure whose members are missing, of a wrong type, or twice");
    else if (r < 0)
        describe_fail(call, AWS_ERROR_TRANSIENT, "out of memory");
}

static int batch_names(const struct ecs_call *call, struct json_object **ret)
{
    _cleanup_json_ struct json_object *names = json_object_new_array();
    if (!names)
        return -ENOMEM;
    for (size_t i = call->n_described; i < batch_end(call); i++) {
        int r = json_append(names, json_object_new_string(call->entries[i].name));
        if (r < 0)
            return r;
    }
    *ret = TAKE(names);
    return 0;
}

static int describe_batch(struct ecs_call *call)
{
    _cleanup_json_ struct json_object *parameters = json_object_new_object();
    struct json_object *names;

    if (!parameters || json_add(parameters, "cluster", json_object_new_string(call->cluster)) < 0)
        return -ENOMEM;
    int r = batch_names(call, &names);
    if (r == 0)
        r = json_add(parameters, "services", names);
    if (r < 0)
        return r;
    return aws_call(call->aws, ECS_DESCRIBE_SERVICES, call->priority, parameters, batch_described,
                    call, &call->call);
}

int ecs_describe_services(struct aws *aws, const char *cluster, const char *const *names,
                          size_t n_names, enum aws_priority priority, ecs_describe_done_fn *done,
                          void *userdata, struct ecs_call **ret)
{
    if (n_names == 0)
        return -EINVAL;

    _cleanup_(ecs_call_free) struct ecs_call *call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    *call = (struct ecs_call){
        .aws = aws,
        .userdata = userdata,
        .describe_done = done,
        .cluster = strdup(cluster),
        .priority = priority,
        .entries = calloc(n_names, sizeof(*call->entries)),
        .services = calloc(n_names, sizeof(*call->services)),
        .n_entries = n_names,
    };
    if (!call->cluster || !call->entries || !call->services)
        return -ENOMEM;
    for (size_t i = 0; i < n_names; i++) {
        call->entries[i].name = strdup(names[i]);
        if (!call->entries[i].name)
            return -ENOMEM;
    }
    int r = describe_batch(call);
    if (r < 0)
        return r;
    *ret = TAKE(call);
    return 0;
}

/* ---- UpdateService ---- */

static void updated(void *userdata, const struct aws_error *error, struct json_object *body)
{
    _cleanup_(ecs_call_free) struct ecs_call *call = userdata;
    struct aws_error outcome = *error;
    struct json_object *service;
    int desired_count = -1;
    int r = 0;

    if (error->kind == AWS_OK) {
        r = json_get_object(body, "service", &service);
        if (r == 0)
            r = read_count(service, "desiredCount", &desired_count);
    }
    if (r == -EBADMSG) {
        aws_error_set(&outcome, AWS_ERROR_MALFORMED,
                      "UpdateService: a service or desiredCount that is none");
        outcome.in_doubt = true;
    }
    call->update_done(call->userdata, &outcome, desired_count);
}

int ecs_update_service(struct aws *aws, const char *cluster, const char *service, int desired_count,
                       enum aws_priority priority, ecs_update_done_fn *done, void *userdata,
                       struct ecs_call **ret)
{
    if (desired_count < 0 || desired_count > ECS_COUNT_MAX)
        return -EINVAL;

    _cleanup_(ecs_call_free) struct ecs_call *call = calloc(1, sizeof(*call));
    _cleanup_json_ struct json_object *parameters = json_object_new_object();
    if (!call || !parameters)
        return -ENOMEM;
    *call = (struct ecs_call){.aws = aws, .userdata = userdata, .update_done = done};
    if (json_add(parameters, "cluster", json_object_new_string(cluster)) < 0 ||
        json_add(parameters, "service", json_object_new_string(service)) < 0 ||
        json_add(parameters, "desiredCount", json_object_new_int(desired_count)) < 0)
        return -ENOMEM;
    int r = aws_call(aws, ECS_UPDATE_SERVICE, priority, parameters, updated, call, &call->call);
    if (r < 0)
        return r;
    *ret = TAKE(call);
    return 0;
}

const char *ecs_service_status_name(enum ecs_service_status status)
{
    switch (status) {
    case ECS_SERVICE_ACTIVE:
        return "ACTIVE";
    case ECS_SERVICE_DRAINING:
        return "DRAINING";
    case ECS_SERVICE_INACTIVE:
        return "INACTIVE";
    case ECS_SERVICE_MISSING:
        return "MISSING";
    case ECS_SERVICE_FAILED:
        return "FAILED";
    }
    return "unknown";
}
