/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/* Over the simulation itself: its clock, its settings, its faults, its memory of calls. */

/* Beyond this, dates would leave what AWS's formats can write. */
#define CLOCK_OFFSET_MS_MAX (3650 * MS_PER_DAY)
/* Calls in one answer. */
#define HISTORY_PAGE_MAX 10000

int admin_get_health(struct admin_call *call)
{
    char text[WALL_TEXT_MAX];
    int r = admin_add_string(call->answer, "status", "ok");
    if (r == 0)
        r = admin_add_string(call->answer, "version", PROVISIONERD_VERSION);
    if (r == 0)
        r = admin_add_string(call->answer, "time", wall_format_iso(call->now, text));
    return r == 0 ? admin_add_int(call->answer, "timeMs", call->now.ms) : r;
}

int admin_put_clock(struct admin_call *call)
{
    static const char *const known[] = {"offsetMs", NULL};
    int64_t offset_ms = 0;
    int r = admin_check_members(call, call->body, known);
    if (r == 0)
        r = admin_int(call, call->body, "offsetMs", true, -CLOCK_OFFSET_MS_MAX, CLOCK_OFFSET_MS_MAX,
                      &offset_ms);
    if (r != 0)
        return r;
    struct wall now = wall_add(call->now, offset_ms - call->sim->clock_offset_ms);
    call->sim->clock_offset_ms = offset_ms;
    r = admin_add_int(call->answer, "offsetMs", offset_ms);
    return r == 0 ? admin_add_int(call->answer, "timeMs", now.ms) : r;
}

/* Settings */

/* Of the credential endpoints, which are not among the model's settings. */
static bool is_endpoint_seconds(struct sim *sim, const char *name, int64_t **ret)
{
    if (strcmp(name, "imds_session_s") == 0)
        *ret = &sim->imds.session_s;
    else if (strcmp(name, "container_session_s") == 0)
        *ret = &sim->container.session_s;
    else
        return false;
    return true;
}

static int setting_get(struct sim *sim, const char *name, int64_t *ret)
{
    int64_t *seconds;
    if (is_endpoint_seconds(sim, name, &seconds))
        *ret = *seconds;
    else if (strcmp(name, "imds_enabled") == 0)
        *ret = sim->imds.enabled;
    else
        return sim_setting_get(sim, name, ret);
    return 0;
}

static int setting_set(struct sim *sim, const char *name, int64_t value)
{
    int64_t *seconds;
    if (is_endpoint_seconds(sim, name, &seconds)) {
        if (value < 1 || value > MS_PER_DAY / MS_PER_SECOND)
            return -EINVAL;
        *seconds = value;
        return 0;
    }
    if (strcmp(name, "imds_enabled") != 0)
        return sim_setting_set(sim, name, value);
    if (value != 0 && value != 1)
        return -EINVAL;
    sim->imds.enabled = value == 1;
    return 0;
}

/* Into call->answer, which shows the settings as they are. */
static int show_setting(struct admin_call *call, const char *name, struct json_object *value,
                        const void *userdata)
{
    (void)value;
    (void)userdata;
    int64_t now;
    if (setting_get(call->sim, name, &now) < 0)
        return admin_fail(call, "there is no setting '%s'", name);
    return admin_add_int(call->answer, name, now);
}

static int change_setting(struct admin_call *call, const char *name, struct json_object *value,
                          const void *userdata)
{
    (void)value;
    (void)userdata;
    int64_t wanted;
    bool flag;
    if (json_get_bool(call->body, name, &flag) == 0)
        wanted = flag;
    else if (json_get_int(call->body, name, &wanted) < 0)
        return admin_fail(call, "setting '%s' must be an integer or a boolean", name);
    int r = setting_set(call->sim, name, wanted);
    if (r == -EINVAL)
        return admin_fail(call, "setting '%s' cannot be %lld", name, (long long)wanted);
    return r;
}

static int restore_setting(struct admin_call *call, const char *name, struct json_object *value,
                           const void *userdata)
{
    (void)userdata;
    return setting_set(call->sim, name, json_object_get_int64(value));
}

/* All of them or none. */
int admin_patch_settings(struct admin_call *call)
{
    if (!json_object_is_type(call->body, json_type_object))
        return admin_fail(call, "a JSON object of settings is needed");
    int r = admin_each_member(call, call->body, show_setting, NULL);
    if (r != 0)
        return r;
    _cleanup_json_ struct json_object *before = json_object_get(call->answer);
    r = admin_each_member(call, call->body, change_setting, NULL);
    if (r == 0)
        return admin_each_member(call, call->body, show_setting, NULL);
    (void)admin_each_member(call, before, restore_setting, NULL); /* valid: it was so */
    return r;
}

/* Faults */

static int add_fault(struct json_object *array, const struct sim_fault *fault)
{
    const struct sim_fault_rule *rule = &fault->rule;
    struct json_object *object = json_object_new_object();
    int r = admin_add_int(object, "id", (int64_t)fault->id);
    if (r == 0)
        r = admin_add_string(object, "kind", sim_fault_name(rule->kind));
    if (r == 0)
        r = admin_add_string(object, "operation", rule->operation ? rule->operation : "*");
    if (r == 0 && rule->match)
        r = admin_add_string(object, "match", rule->match);
    if (r == 0)
        r = admin_add_int(object, "count", rule->count);
    if (r == 0)
        r = admin_add_int(object, "skip", rule->skip);
    if (r == 0)
        r = admin_add(object, "probability", json_object_new_double(rule->probability));
    if (r == 0)
        r = admin_add_int(object, "value", rule->value);
    if (r == 0)
        r = admin_add_int(object, "fired", (int64_t)fault->fired);
    if (r < 0) {
        json_object_put(object);
        return r;
    }
    return admin_append(array, object);
}

/* The rules as they are, and how often each kind has fired since the beginning. */
int admin_get_faults(struct admin_call *call)
{
    const struct sim *sim = call->sim;
    struct json_object *faults = json_object_new_array();
    int r = admin_add(call->answer, "faults", faults);
    for (size_t i = 0; r == 0 && i < sim_faults_count(sim); i++)
        r = add_fault(faults, sim_fault_at(sim, i));

    struct json_object *fired = json_object_new_object();
    if (r == 0)
        r = admin_add(call->answer, "fired", fired);
    else
        json_object_put(fired);
    for (int kind = 0; r == 0 && kind < SIM_N_FAULTS; kind++) {
        uint64_t n = sim_faults_fired(sim, (enum sim_fault_kind)kind);
        if (n > 0)
            r = admin_add_int(fired, sim_fault_name((enum sim_fault_kind)kind), (int64_t)n);
    }
    return r;
}

int admin_post_fault(struct admin_call *call)
{
    if (!json_object_is_type(call->body, json_type_object))
        return admin_fail(call, "a JSON object is needed: one rule");
    struct sim_fault_rule rule;
    _cleanup_free_ char *error = NULL;
    int r = sim_fault_rule_parse(call->body, call->now, &rule, &error);
    if (r == -EINVAL)
        return admin_fail(call, "%s", error ? error : "not a rule");
    uint64_t id;
    if (r == 0)
        r = sim_fault_add(call->sim, &rule, &id);
    return r == 0 ? admin_add_int(call->answer, "id", (int64_t)id) : r;
}

/* ?id=N: one; else all. */
int admin_delete_faults(struct admin_call *call)
{
    int64_t id = 0;
    int r = admin_query_int(call, "id", 1, INT64_MAX, &id);
    if (r != 0)
        return r;
    if (id == 0) {
        sim_faults_clear(call->sim);
        return 0;
    }
    if (sim_fault_remove(call->sim, (uint64_t)id) == -ENOENT)
        return admin_fail(call, "there is no fault %lld", (long long)id);
    return 0;
}

/* History */

/* Parameters that were cut are a string. */
static struct json_object *parameters_of(const struct sim_call_record *record)
{
    struct json_object *parameters;
    if (json_parse(record->parameters, strlen(record->parameters), &parameters) == 0)
        return parameters;
    return json_object_new_string(record->parameters);
}

static int add_record(struct json_object *array, const struct sim_call_record *record)
{
    struct json_object *object = json_object_new_object();
    int r = admin_add_int(object, "number", (int64_t)record->number);
    if (r == 0)
        r = admin_add_int(object, "timeMs", record->time.ms);
    if (r == 0)
        r = admin_add_string(object, "operation", record->operation);
    if (r == 0)
        r = admin_add(object, "parameters", parameters_of(record));
    if (r == 0)
        r = admin_add_int(object, "status", record->status);
    if (r == 0)
        r = admin_add_string(object, "code", record->code);
    if (r == 0)
        r = admin_add_string(object, "accessKeyId", record->access_key_id);
    if (r == 0)
        r = admin_add_string(object, "requestId", record->request_id);
    if (r < 0) {
        json_object_put(object);
        return r;
    }
    return admin_append(array, object);
}

/* Calls after number `since`, oldest first; `next` is the `since` for those that follow. */
int admin_get_history(struct admin_call *call)
{
    int64_t since = 0;
    int64_t limit = HISTORY_PAGE_MAX;
    int r = admin_query_int(call, "since", 0, INT64_MAX - 1, &since);
    if (r == 0)
        r = admin_query_int(call, "limit", 1, HISTORY_PAGE_MAX, &limit);
    if (r != 0)
        return r;
    const char *operation = NULL;
    json_get_string(call->query, "operation", &operation);

    struct json_object *calls = json_object_new_array();
    r = admin_add(call->answer, "calls", calls);
    uint64_t number = sim_history_oldest(call->sim);
    if (number <= (uint64_t)since)
        number = (uint64_t)since + 1;
    uint64_t newest = sim_history_newest(call->sim);
    for (; r == 0 && limit > 0 && number <= newest; number++) {
        const struct sim_call_record *record = sim_history_get(call->sim, number);
        if (!record || (operation && strcmp(record->operation, operation) != 0))
            continue;
        r = add_record(calls, record);
        limit--;
    }
    if (r == 0)
        r = admin_add_int(call->answer, "next", (int64_t)number - 1);
    return r == 0 ? admin_add_int(call->answer, "newest", (int64_t)newest) : r;
}

int admin_delete_history(struct admin_call *call)
{
    sim_history_clear(call->sim);
    return 0;
}

/* Keys */

/* Temporary credentials end now, or in expiresInMs; all of them, or the one named. */
int admin_post_expire(struct admin_call *call)
{
    static const char *const known[] = {"accessKeyId", "expiresInMs", NULL};
    const char *only = NULL;
    int64_t delay_ms = 0;
    int r = 0;
    if (call->body) {
        r = admin_check_members(call, call->body, known);
        if (r == 0)
            r = admin_string(call, call->body, "accessKeyId", false, &only);
        if (r == 0)
            r = admin_int(call, call->body, "expiresInMs", false, -MS_PER_DAY, MS_PER_DAY,
                          &delay_ms);
    }
    if (r != 0)
        return r;
    struct wall when = wall_add(call->now, delay_ms);
    int64_t n = 0;
    for (size_t i = 0; i < call->sim->n_keys; i++) {
        const struct sim_key *key = call->sim->keys[i];
        if (only ? strcmp(key->access_key_id, only) != 0 : !key->session_token)
            continue;
        if (sim_key_expire(call->sim, key->access_key_id, when) == 0)
            n++;
    }
    if (only && n == 0)
        return admin_fail(call, "there is no key '%s'", only);
    return admin_add_int(call->answer, "expired", n);
}

/* Policies */

static int set_policy(struct admin_call *call, const char *principal, struct json_object *document)
{
    _cleanup_free_ char *error = NULL;
    int r = sim_policy_set(call->sim, principal, document, &error);
    if (r == -ENOENT)
        return admin_fail(call, "there is no key and no role '%s'", principal);
    return r == -EINVAL ? admin_fail(call, "policy: %s", error ? error : "") : r;
}

/* Of the principal named, or of all. */
int admin_put_policy(struct admin_call *call)
{
    static const char *const known[] = {"principal", "policy", NULL};
    const char *principal = NULL;
    struct json_object *document = NULL;
    int r = admin_check_members(call, call->body, known);
    if (r == 0)
        r = admin_string(call, call->body, "principal", false, &principal);
    if (r == 0 && json_get_object(call->body, "policy", &document) < 0)
        r = admin_fail(call, "member 'policy' must be a policy document");
    return r == 0 ? set_policy(call, principal, document) : r;
}

/* Everything is allowed again. */
int admin_delete_policy(struct admin_call *call)
{
    const char *principal = NULL;
    (void)json_get_string(call->query, "principal", &principal);
    return set_policy(call, principal, NULL);
}

/* Operations */

static int add_operations(struct admin_call *call, const char *service,
                          const struct sim_operation *operations, size_t n)
{
    struct json_object *names = json_object_new_array();
    int r = admin_add(call->answer, service, names);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = admin_append(names, json_object_new_string(operations[i].name));
    return r;
}

/* What is there to be called, so that a witness can show that it left nothing out. */
int admin_get_operations(struct admin_call *call)
{
    static const struct sim_operation sts[] = {{.name = "AssumeRole"},
                                               {.name = "AssumeRoleWithWebIdentity"},
                                               {.name = "GetCallerIdentity"}};
    int r = add_operations(call, "logs", SIM_LOGS_OPERATIONS, SIM_N_LOGS_OPERATIONS);
    if (r == 0)
        r = add_operations(call, "ecs", SIM_ECS_OPERATIONS, SIM_N_ECS_OPERATIONS);
    if (r == 0)
        r = add_operations(call, "application-autoscaling", SIM_SCALING_OPERATIONS,
                           SIM_N_SCALING_OPERATIONS);
    return r == 0 ? add_operations(call, "sts", sts, ARRAY_LENGTH(sts)) : r;
}

/* Statistics */

static int add_log_groups(struct admin_call *call)
{
    struct json_object *groups = json_object_new_array();
    int r = admin_add(call->answer, "logGroups", groups);
    for (size_t i = 0; r == 0 && i < call->sim->n_log_groups; i++) {
        const struct sim_log_group *group = call->sim->log_groups[i];
        struct json_object *object = json_object_new_object();
        r = admin_append(groups, object);
        if (r == 0)
            r = admin_add_string(object, "name", group->name);
        if (r == 0)
            r = admin_add_int(object, "events", (int64_t)group->n_events);
        if (r == 0)
            r = admin_add_int(object, "storedBytes", group->stored_bytes);
    }
    return r;
}

/* What became of the queries: how many are of each status, and how many of them were stopped. */
static int add_queries(struct admin_call *call)
{
    static const char *const statuses[] = {"Scheduled", "Running", "Complete", "Failed",
                                           "Cancelled", "Timeout", "Unknown"};
    const struct sim *sim = call->sim;
    int64_t counts[ARRAY_LENGTH(statuses)] = {0}, stopped = 0;
    for (size_t i = 0; i < sim->n_queries; i++) {
        const char *status = sim_query_status(sim->queries[i], call->now);
        for (size_t k = 0; k < ARRAY_LENGTH(statuses); k++)
            counts[k] += strcmp(status, statuses[k]) == 0;
        stopped += sim->queries[i]->stopped.ms <= call->now.ms;
    }

    struct json_object *object = json_object_new_object();
    int r = admin_add(call->answer, "queryStatuses", object);
    for (size_t k = 0; r == 0 && k < ARRAY_LENGTH(statuses); k++)
        r = admin_add_int(object, statuses[k], counts[k]);
    return r == 0 ? admin_add_int(call->answer, "queriesStopped", stopped) : r;
}

int admin_get_stats(struct admin_call *call)
{
    const struct sim *sim = call->sim;
    int r = admin_add_int(call->answer, "calls", (int64_t)sim_history_newest(sim));
    if (r == 0)
        r = admin_add_int(call->answer, "requestsServed", (int64_t)sim->requests_served);
    if (r == 0)
        r = admin_add_int(call->answer, "requestsLost", (int64_t)sim->requests_lost);
    if (r == 0)
        r = admin_add_int(call->answer, "queries", (int64_t)sim->n_queries);
    if (r == 0)
        r = admin_add_int(call->answer, "queriesActive",
                          (int64_t)sim_queries_active(sim, call->now));
    if (r == 0)
        r = add_queries(call);
    if (r == 0)
        r = admin_add_int(call->answer, "keys", (int64_t)sim->n_keys);
    return r == 0 ? add_log_groups(call) : r;
}
