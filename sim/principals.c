/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/iam.h"
#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/* Who may call what: keys, roles and their sessions, and the policies of these. */

#define KEY_KEPT_MS MS_PER_DAY /* after its end: "expired" is another answer than "unknown" */

struct sim_key *sim_key_free(struct sim_key *key)
{
    if (!key)
        return NULL;
    free(key->access_key_id);
    free(key->secret_access_key);
    free(key->session_token);
    free(key->arn);
    json_object_put(key->policy);
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
    json_object_put(role->policy);
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
    if (r < 0)
        return r;
    key->policy = json_object_get(role->policy);
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

/* --- permissions --------------------------------------------------------------------------------- */

static void replace_policy(struct json_object **policy, struct json_object *document)
{
    json_object_put(*policy);
    *policy = json_object_get(document);
}

static bool is_session_of(const struct sim_key *key, const struct sim_role *role)
{
    const char *name = key->issued ? strstr(key->arn, ":assumed-role/") : NULL;
    size_t length = strlen(role->name);
    name = name ? name + strlen(":assumed-role/") : NULL;
    return name && strncmp(name, role->name, length) == 0 && name[length] == '/';
}

int sim_policy_set(struct sim *sim, const char *principal, struct json_object *document,
                   char **ret_error)
{
    int r = document ? iam_policy_check(document, ret_error) : 0;
    bool found = !principal;
    if (r < 0)
        return r;
    for (size_t i = 0; i < sim->n_keys; i++) {
        if (principal && strcmp(sim->keys[i]->access_key_id, principal) != 0)
            continue;
        replace_policy(&sim->keys[i]->policy, document);
        found = true;
    }
    for (size_t i = 0; i < sim->n_roles; i++) {
        struct sim_role *role = &sim->roles[i];
        if (principal && strcmp(role->arn, principal) != 0 && strcmp(role->name, principal) != 0)
            continue;
        replace_policy(&role->policy, document);
        for (size_t k = 0; k < sim->n_keys; k++)
            if (is_session_of(sim->keys[k], role))
                replace_policy(&sim->keys[k]->policy, document);
        found = true;
    }
    return found ? 0 : -ENOENT;
}

/* The ARN of the cluster that the call names, for ecs:cluster. */
static void cluster_arn(const struct sim *sim, const struct sim_call *call, char *buffer)
{
    const char *name = "default";
    (void)json_get_string(call->parameters, "cluster", &name);
    const char *slash = strrchr(name, '/');
    snprintf(buffer, SIM_ARN_MAX, "arn:aws:ecs:%s:%s:cluster/%.255s", sim->region, sim->account,
             slash ? slash + 1 : name);
}

/* In AWS's words: IAM User Guide, "Troubleshoot access denied error messages". */
static int deny(struct sim_call *call, const struct iam_question *question,
                enum iam_verdict verdict)
{
    char reason[160];
    if (verdict == IAM_DENIED)
        snprintf(reason, sizeof(reason), "with an explicit deny in an identity-based policy");
    else
        snprintf(reason, sizeof(reason), "because no identity-based policy allows the %s action",
                 question->action);
    return sim_refuse(call, "AccessDeniedException",
                      "User: %s is not authorized to perform: %s on resource: %s %s",
                      question->principal, question->action, question->resource, reason);
}

int sim_authorize(struct sim *sim, const struct sim_operation *operation, struct sim_call *call)
{
    static const char *const prefixes[] = {[SIM_LOGS] = "logs",
                                           [SIM_ECS] = "ecs",
                                           [SIM_SCALING] = "application-autoscaling",
                                           [SIM_STS] = "sts"};
    if (!call->caller || !call->caller->policy)
        return 0;
    /* AWS answers this one to every caller, whatever the policy says. */
    if (strcmp(operation->name, "GetCallerIdentity") == 0)
        return 0;

    char action[128], resource[SIM_ARN_MAX] = "*", cluster[SIM_ARN_MAX];
    struct iam_question question = {.action = action,
                                    .resource = resource,
                                    .principal = call->caller->arn,
                                    .region = sim->region};
    snprintf(action, sizeof(action), "%s:%s", prefixes[operation->service], operation->name);
    if (operation->has_cluster) {
        cluster_arn(sim, call, cluster);
        question.cluster = cluster;
    }
    bool named = operation->resource && operation->resource(sim, call, 0, resource);
    for (size_t n = 1;; n++) {
        enum iam_verdict verdict = iam_policy_decide(call->caller->policy, &question);
        if (verdict != IAM_ALLOWED)
            return deny(call, &question, verdict);
        if (!named || !operation->resource(sim, call, n, resource))
            return 0;
    }
}
