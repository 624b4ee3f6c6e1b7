/* SPDX-License-Identifier: MIT */
#include "ctl/permissions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "endpoint.h"
#include "json.h"

#define ACCOUNT_LENGTH 12

const struct permission PERMISSIONS[PERMISSIONS_N] = {
    {"SeeActivity", {LOGS_FILTER_LOG_EVENTS}, 1, PERMISSION_LOG_GROUPS},
    {"ConfirmIdleness", {LOGS_START_QUERY}, 1, PERMISSION_LOG_GROUPS},
    {"ReadQueries", {LOGS_GET_QUERY_RESULTS, LOGS_STOP_QUERY}, 2, PERMISSION_EVERYTHING},
    {"ReadServices", {ECS_DESCRIBE_SERVICES}, 1, PERMISSION_SERVICES_READ},
    {"SleepAndWake", {ECS_UPDATE_SERVICE}, 1, PERMISSION_SERVICES_WRITTEN},
};

/* --- a set of ARNs ------------------------------------------------------------------------------- */

struct arns {
    char **items;
    size_t n_items;
    size_t capacity;
};

static void arns_clear(struct arns *arns)
{
    for (size_t i = 0; i < arns->n_items; i++)
        free(arns->items[i]);
    free(arns->items);
    *arns = (struct arns){0};
}

/* Takes arn, which may be NULL for want of memory. */
static int arns_add(struct arns *arns, char *arn)
{
    if (arn && arns->n_items == arns->capacity) {
        size_t capacity = arns->capacity ? 2 * arns->capacity : 16;
        char **items = reallocarray(arns->items, capacity, sizeof(*items));
        if (items) {
            arns->items = items;
            arns->capacity = capacity;
        }
    }
    if (!arn || arns->n_items == arns->capacity) {
        free(arn);
        return -ENOMEM;
    }
    arns->items[arns->n_items++] = arn;
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each once, in order. */
static void arns_sort(struct arns *arns)
{
    size_t kept = 0;

    if (arns->n_items > 0)
        qsort(arns->items, arns->n_items, sizeof(*arns->items), compare_texts);
    for (size_t i = 0; i < arns->n_items; i++) {
        if (kept > 0 && strcmp(arns->items[kept - 1], arns->items[i]) == 0)
            free(arns->items[i]);
        else
            arns->items[kept++] = arns->items[i];
    }
    arns->n_items = kept;
}

/* --- what they are made of ----------------------------------------------------------------------- */

/* The beginning of every ARN of this account: "arn:aws", "eu-west-1:123456789012". */
struct place {
    char *region;
    char *account;
    const char *partition;
};

static void place_clear(struct place *place)
{
    free(place->region);
    free(place->account);
}

/* Field `number` of an ARN ("arn" is 0), allocated; NULL: there is none, or no memory. */
static char *arn_field(const char *arn, int number)
{
    if (strncmp(arn, "arn:", 4) != 0)
        return NULL;
    for (; number > 0; number--) {
        arn = strchr(arn, ':');
        if (!arn)
            return NULL;
        arn++;
    }
    size_t length = strcspn(arn, ":");
    return length > 0 ? strndup(arn, length) : NULL;
}

/* A cluster is always of the account whose credentials are used, and of the region asked. */
static int find_place(const struct config *config, const struct permissions_scope *scope,
                      struct place *ret)
{
    struct place place = {0};

    for (size_t i = 0; i < config->n_environments && !(place.region && place.account); i++) {
        const char *cluster = config->environments[i].cluster;
        if (!place.region)
            place.region = arn_field(cluster, 3);
        if (!place.account)
            place.account = arn_field(cluster, 4);
    }
    if (scope->region || !place.region) {
        free(place.region);
        place.region = strdup(scope->region ? scope->region : "*");
    }
    if (scope->account || !place.account) {
        free(place.account);
        place.account = strdup(scope->account ? scope->account : "*");
    }
    if (!place.region || !place.account) {
        place_clear(&place);
        return -ENOMEM;
    }
    place.partition = endpoint_partition(place.region);
    *ret = place;
    return 0;
}

static char *log_group_arn(const struct place *place, const char *log_group)
{
    char *arn = NULL;
    int n;

    if (strncmp(log_group, "arn:", 4) == 0)
        n = asprintf(&arn, "%s:*", log_group);
    else
        n = asprintf(&arn, "arn:%s:logs:%s:%s:log-group:%s:*", place->partition, place->region,
                     place->account, log_group);
    return n < 0 ? NULL : arn;
}

static char *service_arn(const struct place *place, const char *cluster, const char *service)
{
    const char *name = strncmp(cluster, "arn:", 4) == 0 ? strrchr(cluster, '/') : NULL;
    char *arn = NULL;
    int n = asprintf(&arn, "arn:%s:ecs:%s:%s:service/%s/%s", place->partition, place->region,
                     place->account, name ? name + 1 : cluster, service);

    return n < 0 ? NULL : arn;
}

static int add_resources(const struct place *place, const struct config_environment *environment,
                         enum permission_resources kind, struct arns *arns)
{
    int r = 0;

    if (kind == PERMISSION_LOG_GROUPS) {
        for (size_t i = 0; i < environment->n_log_groups && r == 0; i++)
            r = arns_add(arns, log_group_arn(place, environment->log_groups[i]));
        return r;
    }
    for (size_t i = 0; i < environment->n_services && r == 0; i++)
        r = arns_add(arns, service_arn(place, environment->cluster, environment->services[i].name));
    if (kind == PERMISSION_SERVICES_WRITTEN)
        return r;
    for (size_t i = 0; i < environment->n_always_on && r == 0; i++)
        r = arns_add(arns, service_arn(place, environment->cluster, environment->always_on[i]));
    return r;
}

/* --- the document -------------------------------------------------------------------------------- */

static int statement_resources(const struct config *config, const struct permissions_scope *scope,
                               const struct place *place, enum permission_resources kind,
                               struct json_object **ret)
{
    _cleanup_json_ struct json_object *list = json_object_new_array();
    struct arns arns = {0};
    int r = list ? 0 : -ENOMEM;

    for (size_t i = 0; i < config->n_environments && r == 0; i++) {
        const struct config_environment *environment = &config->environments[i];
        if (!scope->environment || strcmp(scope->environment, environment->name) == 0)
            r = add_resources(place, environment, kind, &arns);
    }
    arns_sort(&arns);
    for (size_t i = 0; i < arns.n_items && r == 0; i++)
        r = json_append(list, json_object_new_string(arns.items[i]));
    arns_clear(&arns);
    if (r == 0)
        *ret = TAKE(list);
    return r;
}

static int statement_of(const struct config *config, const struct permissions_scope *scope,
                        const struct place *place, const struct permission *permission,
                        struct json_object **ret)
{
    _cleanup_json_ struct json_object *statement = json_object_new_object();
    _cleanup_json_ struct json_object *actions = json_object_new_array();
    struct json_object *resources = NULL;
    int r;

    if (!statement || !actions)
        return -ENOMEM;
    if (permission->resources == PERMISSION_EVERYTHING)
        resources = json_object_new_string("*");
    else if ((r = statement_resources(config, scope, place, permission->resources, &resources)) < 0)
        return r;
    for (size_t i = 0; i < permission->n_operations; i++) {
        const char *action = aws_operation_action(permission->operations[i]);
        r = json_append(actions, json_object_new_string(action));
        if (r < 0) {
            json_object_put(resources);
            return r;
        }
    }
    if ((r = json_add(statement, "Sid", json_object_new_string(permission->sid))) < 0 ||
        (r = json_add(statement, "Effect", json_object_new_string("Allow"))) < 0 ||
        (r = json_add(statement, "Action", TAKE(actions))) < 0) {
        json_object_put(resources);
        return r;
    }
    r = json_add(statement, "Resource", resources);
    if (r == 0)
        *ret = TAKE(statement);
    return r;
}

int permissions_document(const struct config *config, const struct permissions_scope *scope,
                         struct json_object **ret)
{
    _cleanup_json_ struct json_object *document = json_object_new_object();
    _cleanup_json_ struct json_object *statements = json_object_new_array();
    struct place place;
    int r;

    if (!document || !statements)
        return -ENOMEM;
    r = find_place(config, scope, &place);
    if (r < 0)
        return r;
    for (size_t i = 0; i < PERMISSIONS_N && r == 0; i++) {
        struct json_object *statement = NULL;
        r = statement_of(config, scope, &place, &PERMISSIONS[i], &statement);
        if (r == 0)
            r = json_append(statements, statement);
    }
    place_clear(&place);
    /* The version of the policy language, not of this policy. */
    if (r == 0)
        r = json_add(document, "Version", json_object_new_string("2012-10-17"));
    if (r == 0)
        r = json_add(document, "Statement", TAKE(statements));
    if (r == 0)
        *ret = TAKE(document);
    return r;
}
