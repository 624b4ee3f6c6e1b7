/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "src/cleanup.h"

/* Who may call what: keys, roles and their sessions, permissions. */

#define KEY_KEPT_MS MS_PER_DAY /* after its end: "expired" is another answer than "unknown" */

void sim_permissions_free(struct sim_permission *permissions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(permissions[i].action);
        free(permissions[i].resource);
    }
    free(permissions);
}

struct sim_key *sim_key_free(struct sim_key *key)
{
    if (!key)
        return NULL;
    free(key->access_key_id);
    free(key->secret_access_key);
    free(key->session_token);
    free(key->arn);
    sim_permissions_free(key->permissions, key->n_permissions);
    free(key);
    return NULL;
}

DEFINE_CLEANUP(struct sim_key *, sim_key_free)

void sim_role_clear(struct sim_role *role)
{
    free(role->arn);
    free(role->name);
    free(role->external_id);
    free(role->web_identity_token);
    sim_permissions_free(role->permissions, role->n_permissions);
    *role = (struct sim_role){0};
}

static struct sim_key *find_key(const struct sim *sim, const char *access_key_id)
{
    for (size_t i = 0; i < sim->n_keys; i++)
        if (strcmp(sim->keys[i]->access_key_id, access_key_id) == 0)
            return sim->keys[i];
    return NULL;
}

const struct sim_key *sim_key_find(const struct sim *sim, const char *access_key_id)
{
    return find_key(sim, access_key_id);
}

const struct sim_role *sim_role_find(const struct sim *sim, const char *arn_or_name)
{
    for (size_t i = 0; i < sim->n_roles; i++)
        if (strcmp(sim->roles[i].arn, arn_or_name) == 0 ||
            strcmp(sim->roles[i].name, arn_or_name) == 0)
            return &sim->roles[i];
    return NULL;
}

int sim_key_add(struct sim *sim, struct sim_key *key)
{
    struct sim_key **grown =
        find_key(sim, key->access_key_id)
            ? NULL
            : reallocarray(sim->keys, sim->n_keys + 1, sizeof(struct sim_key *));
    if (!grown) {
        int r = find_key(sim, key->access_key_id) ? -EEXIST : -ENOMEM;
        sim_key_free(key);
        return r;
    }
    sim->keys = grown;
    sim->keys[sim->n_keys++] = key;
    return 0;
}

static void forget_old_keys(struct sim *sim, struct wall now)
{
    size_t kept = 0;
    for (size_t i = 0; i < sim->n_keys; i++) {
        if (wall_since(now, sim->keys[i]->expires) > KEY_KEPT_MS && sim->keys[i]->issued)
            sim_key_free(sim->keys[i]);
        else
            sim->keys[kept++] = sim->keys[i];
    }
    sim->n_keys = kept;
}

static int copy_permissions(const struct sim_role *role, struct sim_key *key)
{
    key->allow_everything = role->allow_everything;
    if (role->n_permissions == 0)
        return 0;
    key->permissions = calloc(role->n_permissions, sizeof(*key->permissions));
    if (!key->permissions)
        return -ENOMEM;
    key->n_permissions = role->n_permissions;
    for (size_t i = 0; i < role->n_permissions; i++) {
        key->permissions[i].action = strdup(role->permissions[i].action);
        key->permissions[i].resource = strdup(role->permissions[i].resource);
        if (!key->permissions[i].action || !key->permissions[i].resource)
            return -ENOMEM;
    }
    return 0;
}

/* "ASIA" and 16 of A-Z, 2-7, as STS makes them. */
static int make_key_texts(struct sim *sim, struct sim_key *key)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char id[] = "ASIA0000000000000000", uuid[SIM_REQUEST_ID_MAX], more[SIM_REQUEST_ID_MAX];
    /* Times an odd number: another serial is another id. */
    uint64_t bits = (++sim->next_serial ^ (sim->seed << 20)) * UINT64_C(0xd6e8feb86659fd93);
    for (size_t i = sizeof(id) - 2; i >= 4; i--, bits >>= 5)
        id[i] = alphabet[bits & 31];

    sim_uuid(sim, uuid);
    sim_uuid(sim, more);
    key->access_key_id = strdup(id);
    if (asprintf(&key->secret_access_key, "%s/%.4s+", uuid, more) < 0)
        key->secret_access_key = NULL;
    if (asprintf(&key->session_token, "IQoJb3JpZ2luX2VjE%s%s//////////wEaCXVzLWVhc3QtMSJH==", more,
                 uuid) < 0)
        key->session_token = NULL;
    return key->access_key_id && key->secret_access_key && key->session_token ? 0 : -ENOMEM;
}

int sim_key_issue(struct sim *sim, const struct sim_role *role, const char *session_name,
                  int64_t duration_s, struct wall now, const struct sim_key **ret)
{
    if (duration_s <= 0 || duration_s > INT64_MAX / 4 / MS_PER_SECOND)
        return -EINVAL;
    forget_old_keys(sim, now);

    _cleanup_(sim_key_free) struct sim_key *key = calloc(1, sizeof(*key));
    if (!key)
        return -ENOMEM;
    int r = make_key_texts(sim, key);
    if (r == 0)
        r = copy_permissions(role, key);
    if (r < 0)
        return r;
    if (asprintf(&key->arn, "arn:aws:sts::%s:assumed-role/%s/%s", sim->account, role->name,
                 session_name) < 0) {
        key->arn = NULL;
        return -ENOMEM;
    }
    key->expires = wall_add(now, duration_s * MS_PER_SECOND);
    key->issued = true;

    struct sim_key *issued = key;
    r = sim_key_add(sim, TAKE(key));
    if (r == 0)
        *ret = issued;
    return r;
}

int sim_key_expire(struct sim *sim, const char *access_key_id, struct wall when)
{
    struct sim_key *key = find_key(sim, access_key_id);
    if (!key)
        return -ENOENT;
    key->expires = when;
    return 0;
}

/* IAM's wildcards: '*' any run, '?' one character. */
static bool glob_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool is_allowed(const struct sim_key *key, const char *action, const char *resource)
{
    for (size_t i = 0; i < key->n_permissions; i++)
        if (glob_matches(key->permissions[i].action, action) &&
            glob_matches(key->permissions[i].resource, resource))
            return true;
    return false;
}

int sim_authorize(struct sim *sim, const struct sim_operation *operation, struct sim_call *call)
{
    static const char *const prefixes[] = {[SIM_LOGS] = "logs",
                                           [SIM_ECS] = "ecs",
                                           [SIM_SCALING] = "application-autoscaling",
                                           [SIM_STS] = "sts"};
    if (!call->caller || call->caller->allow_everything)
        return 0;
    /* AWS answers this one to every caller, whatever the policy says. */
    if (strcmp(operation->name, "GetCallerIdentity") == 0)
        return 0;

    char action[128], resource[SIM_ARN_MAX] = "*";
    snprintf(action, sizeof(action), "%s:%s", prefixes[operation->service], operation->name);
    bool named = operation->resource && operation->resource(sim, call, 0, resource);
    for (size_t n = 1;; n++) {
        if (!is_allowed(call->caller, action, resource))
            return sim_refuse(call, "AccessDeniedException",
                              "User: %s is not authorized to perform: %s on resource: %s because "
                              "no identity-based policy allows the %s action",
                              call->caller->arn, action, resource, action);
        if (!named || !operation->resource(sim, call, n, resource))
            return 0;
    }
}
