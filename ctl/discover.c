/* SPDX-License-Identifier: MIT */
#include "ctl/discover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "ecs.h"
#include "json.h"

/* --- lists --------------------------------------------------------------------------------------- */

/* Takes one element of a list. Returns 0, -ENOMEM, or -EBADMSG: it is not what the API says. */
typedef int take_fn(void *userdata, struct json_object *element);

struct list {
    enum aws_operation operation;
    const char *name; /* of the array in the answer */
    take_fn *take;
    void *userdata;
};

static int read_page(const struct list *list, struct json_object *body,
                     struct json_object *parameters, bool *ret_is_last)
{
    struct json_object *elements;
    const char *token = NULL;
    int r = json_get_array(body, list->name, &elements);

    for (size_t i = 0; r == 0 && i < json_object_array_length(elements); i++)
        r = list->take(list->userdata, json_object_array_get_idx(elements, i));
    if (r < 0)
        return r == -ENOENT ? -EBADMSG : r;
    r = json_get_string(body, "nextToken", &token);
    *ret_is_last = r == -ENOENT;
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return json_add(parameters, "nextToken", json_object_new_string(token));
}

/* parameters is taken, and may be NULL for want of memory. */
static void read_list(struct session *session, const struct list *list,
                      struct json_object *parameters, struct aws_error *ret_error)
{
    _cleanup_json_ struct json_object *owned = parameters;
    bool is_last = false;
    int r = owned ? 0 : -ENOMEM;

    for (int page = 0; r == 0 && !is_last && page < DISCOVER_PAGES_MAX; page++) {
        _cleanup_json_ struct json_object *body = NULL;
        session_call(session, list->operation, owned, ret_error, &body);
        if (ret_error->kind != AWS_OK)
            return;
        r = read_page(list, body, owned, &is_last);
    }
    if (r == -ENOMEM)
        aws_error_set(ret_error, AWS_ERROR_TRANSIENT, "out of memory");
    else if (r < 0)
        aws_error_set(ret_error, AWS_ERROR_MALFORMED, "an answer that is not as the API says");
    else
        *ret_error = (struct aws_error){.kind = AWS_OK};
}

static int take_text(void *userdata, struct json_object *element)
{
    if (!json_object_is_type(element, json_type_string))
        return -EBADMSG;
    return texts_add(userdata, json_object_get_string(element));
}

static int take_log_group(void *userdata, struct json_object *element)
{
    const char *name, *class;

    if (json_get_string(element, "logGroupName", &name) < 0)
        return -EBADMSG;
    if (json_get_string(element, "logGroupClass", &class) == 0 && strcmp(class, "STANDARD") != 0)
        return 0;
    return texts_add(userdata, name);
}

/* An object with one text in it; NULL: no memory. */
static struct json_object *with_text(const char *name, const char *text)
{
    struct json_object *object = json_object_new_object();

    if (object && text && json_add(object, name, json_object_new_string(text)) < 0) {
        json_object_put(object);
        return NULL;
    }
    return object;
}

void discover_clusters(struct session *session, struct texts *ret, struct aws_error *ret_error)
{
    const struct list list = {ECS_LIST_CLUSTERS, "clusterArns", take_text, ret};

    read_list(session, &list, with_text("", NULL), ret_error);
}

void discover_log_groups(struct session *session, const char *prefix, struct texts *ret,
                         struct aws_error *ret_error)
{
    const struct list list = {LOGS_DESCRIBE_LOG_GROUPS, "logGroups", take_log_group, ret};

    read_list(session, &list, with_text("logGroupNamePrefix", prefix), ret_error);
}

/* --- services ------------------------------------------------------------------------------------ */

void discovered_services_clear(struct discovered_services *services)
{
    for (size_t i = 0; i < services->n_items; i++)
        free(services->items[i].name);
    free(services->items);
    *services = (struct discovered_services){0};
}

struct description {
    struct session *session;
    struct discovered_services *services;
    struct aws_error *error;
    bool out_of_memory;
};

static void described(void *userdata, const struct ecs_describe_result *result)
{
    struct description *description = userdata;
    struct discovered_services *services = description->services;

    *description->error = result->error;
    description->session->is_done = true;
    services->items = calloc(result->n_services + 1, sizeof(*services->items));
    description->out_of_memory = !services->items;
    for (size_t i = 0; i < result->n_services && !description->out_of_memory; i++) {
        const struct ecs_service *service = &result->services[i];
        char *name = strdup(service->name);
        if (!name) {
            description->out_of_memory = true;
            return;
        }
        services->items[services->n_items++] =
            (struct discovered_service){.name = name,
                                        .is_daemon = service->is_daemon,
                                        .is_active = service->status == ECS_SERVICE_ACTIVE,
                                        .desired_count = service->desired_count};
    }
}

static void describe(struct session *session, const char *cluster, const struct texts *names,
                     struct discovered_services *ret, struct aws_error *ret_error)
{
    struct description description = {.session = session, .services = ret, .error = ret_error};
    struct ecs_call *call;

    session->is_done = session->is_interrupted;
    int r =
        ecs_describe_services(session->connection.aws, cluster, (const char *const *)names->items,
                              names->n_items, AWS_ROUTINE, described, &description, &call);
    if (r == 0 && !session_wait(session)) {
        ecs_call_cancel(call);
        aws_error_set(ret_error, AWS_ERROR_CANCELLED, "interrupted");
    } else if (r < 0 || description.out_of_memory) {
        aws_error_set(ret_error, AWS_ERROR_TRANSIENT, "out of memory");
    }
}

static int take_service_name(void *userdata, struct json_object *element)
{
    if (!json_object_is_type(element, json_type_string))
        return -EBADMSG;
    const char *arn = json_object_get_string(element), *slash = strrchr(arn, '/');
    return texts_add(userdata, slash ? slash + 1 : arn);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void discover_services(struct session *session, const char *cluster,
                       struct discovered_services *ret, enum aws_operation *ret_operation,
                       struct aws_error *ret_error)
{
    struct texts names = {0};
    const struct list list = {ECS_LIST_SERVICES, "serviceArns", take_service_name, &names};
    struct json_object *parameters = with_text("cluster", cluster);

    *ret_operation = ECS_LIST_SERVICES;
    if (parameters && json_add(parameters, "maxResults", json_object_new_int(100)) < 0) {
        json_object_put(parameters);
        parameters = NULL;
    }
    read_list(session, &list, parameters, ret_error);
    if (ret_error->kind == AWS_OK && names.n_items > 0) {
        qsort(names.items, names.n_items, sizeof(*names.items), compare_texts);
        *ret_operation = ECS_DESCRIBE_SERVICES;
        describe(session, cluster, &names, ret, ret_error);
    }
    texts_clear(&names);
}

/* --- what belongs to what ------------------------------------------------------------------------ */

static const char *const GATEWAYS[] = {"gateway", "ingress", "proxy",  "nginx", "envoy", "traefik",
                                       "haproxy", "apache",  "router", "edge",  "caddy", "kong"};

bool discover_is_gateway(const char *service)
{
    for (size_t i = 0; i < ARRAY_LENGTH(GATEWAYS); i++) {
        if (strcasestr(service, GATEWAYS[i]))
            return true;
    }
    return false;
}

int discover_likeness(const char *log_group, const char *cluster_name)
{
    int likeness = 0;

    if (strcasestr(log_group, cluster_name))
        likeness += 4;
    if (discover_is_gateway(log_group) || strcasestr(log_group, "alb") ||
        strcasestr(log_group, "access"))
        likeness += 2;
    /* What AWS's own services write there: builds, functions, metrics. */
    if (strncmp(log_group, "/aws/", 5) == 0)
        likeness -= 4;
    return likeness > 0 ? likeness : 0;
}
