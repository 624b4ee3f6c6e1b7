/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/iam.h"
#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/*
 * The scenario, read strictly: whoever writes "desird" is told where. A `place` is an object and
 * the way to it ("clusters[0].services[2]"), for errors.
 */

#define DEFAULT_ACCOUNT "123456789012"
#define DEFAULT_REGION "eu-west-1"
/* AWS's documented example, known to be nobody's. */
#define EXAMPLE_KEY_ID "AKIAIOSFODNN7EXAMPLE"
#define EXAMPLE_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
/* Age of log groups that do not say: a query over their past must not fail. */
#define GROUP_AGE_MS (365 * MS_PER_DAY)
#define SESSION_S_MAX INT64_C(43200) /* twelve hours */

struct place {
    struct json_object *object;
    char path[192];
    char **ret_error;
};

__attribute__((format(printf, 3, 4))) static int wrong(const struct place *place, const char *name,
                                                       const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return sim_error_text(place->ret_error, "%s%s%s: %s", place->path, *place->path ? "." : "",
                          name, text);
}

static int check_members(const struct place *place, const char *const *known)
{
    if (!json_object_is_type(place->object, json_type_object))
        return sim_error_text(place->ret_error, "%s: must be an object",
                              *place->path ? place->path : "the scenario");
    struct json_object_iter member;
    json_object_object_foreachC(place->object, member)
    {
        const char *const *candidate = known;
        while (*candidate && strcmp(*candidate, member.key) != 0)
            candidate++;
        if (!*candidate)
            return wrong(place, member.key, "there is no such member");
    }
    return 0;
}

/* Borrowed; *ret stays if the member is absent. */
static int get_text(const struct place *place, const char *name, const char **ret)
{
    int r = json_get_string(place->object, name, ret);
    if (r == -ENOENT)
        return 0;
    return r < 0 || !**ret ? wrong(place, name, "must be a string that is not empty") : 0;
}

static int need_text(const struct place *place, const char *name, const char **ret)
{
    const char *text = NULL;
    int r = get_text(place, name, &text);
    if (r == 0 && !text)
        return wrong(place, name, "is needed");
    if (r == 0)
        *ret = text;
    return r;
}

static int copy_text(const struct place *place, const char *name, char **ret)
{
    const char *text = NULL;
    int r = get_text(place, name, &text);
    if (r < 0 || !text)
        return r;
    free(*ret);
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

static int get_number(const struct place *place, const char *name, int64_t min, int64_t max,
                      int64_t *ret)
{
    int64_t value;
    int r = json_get_int(place->object, name, &value);
    if (r == -ENOENT)
        return 0;
    if (r < 0 || value < min || value > max)
        return wrong(place, name, "must be an integer from %lld to %lld", (long long)min,
                     (long long)max);
    *ret = value;
    return 0;
}

static int get_moment(const struct place *place, const char *name, struct wall *ret)
{
    const char *text = NULL;
    int r = get_text(place, name, &text);
    if (r < 0 || !text)
        return r;
    return wall_parse_iso(text, ret) < 0
               ? wrong(place, name, "must be a moment like \"2026-03-01T14:20:05Z\"")
               : 0;
}

/* The index of a value in a NULL-terminated list. */
static int get_choice(const struct place *place, const char *name, const char *const *choices,
                      int *ret)
{
    const char *text = NULL;
    int r = get_text(place, name, &text);
    if (r < 0 || !text)
        return r;
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], text) == 0) {
            *ret = i;
            return 0;
        }
    }
    return wrong(place, name, "\"%.60s\" is none of its values", text);
}

typedef int element_fn(struct sim *sim, const struct place *place, struct wall now, void *userdata);

static int each_element(struct sim *sim, const struct place *parent, const char *name,
                        struct wall now, element_fn *element, void *userdata)
{
    struct json_object *array;
    int r = json_get_array(parent->object, name, &array);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return wrong(parent, name, "must be an array");
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        struct place place = {.object = json_object_array_get_idx(array, i),
                              .ret_error = parent->ret_error};
        snprintf(place.path, sizeof(place.path), "%.120s%s%.20s[%zu]", parent->path,
                 *parent->path ? "." : "", name, i);
        r = element(sim, &place, now, userdata);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Permissions: a policy, or the short form of one, a list of what is allowed. */

static int add_statement(struct json_object *statements, const char *action, const char *resource)
{
    struct json_object *statement = json_object_new_object();
    int r = sim_json_append(statements, statement);
    if (r == 0)
        r = sim_json_add_string(statement, "Effect", "Allow");
    if (r == 0)
        r = sim_json_add_string(statement, "Action", action);
    return r == 0 ? sim_json_add_string(statement, "Resource", resource) : r;
}

static int add_permission(struct sim *sim, const struct place *place, struct wall now,
                          void *userdata)
{
    static const char *const known[] = {"action", "resource", NULL};
    const char *action = "", *resource = "*";
    (void)sim;
    (void)now;
    if (json_object_is_type(place->object, json_type_string)) {
        action = json_object_get_string(place->object);
    } else {
        int r = check_members(place, known);
        if (r == 0)
            r = need_text(place, "action", &action);
        if (r == 0)
            r = get_text(place, "resource", &resource);
        if (r < 0)
            return r;
    }
    return add_statement(userdata, action, resource);
}

/* Without "policy" and "allow" everything is allowed. */
static int read_policy(struct sim *sim, const struct place *place, struct wall now,
                       struct json_object **ret)
{
    _cleanup_json_ struct json_object *policy =
        json_object_get(json_object_object_get(place->object, "policy"));
    _cleanup_free_ char *error = NULL;
    bool is_short = json_object_object_get(place->object, "allow");
    if (policy && is_short)
        return wrong(place, "allow", "does not go with \"policy\"");
    if (!policy && !is_short)
        return 0;
    if (is_short) {
        struct json_object *statements = json_object_new_array();
        policy = json_object_new_object();
        int r = sim_json_add(policy, "Statement", statements);
        if (r == 0)
            r = each_element(sim, place, "allow", now, add_permission, statements);
        if (r < 0)
            return r;
    }
    int r = iam_policy_check(policy, &error);
    if (r == -EINVAL)
        return wrong(place, is_short ? "allow" : "policy", "%s", error ? error : "");
    if (r == 0)
        *ret = TAKE(policy);
    return r;
}

static int add_credentials(struct sim *sim, const struct place *place, struct wall now,
                           void *userdata)
{
    static const char *const known[] = {"access_key_id", "secret_access_key",
                                        "session_token", "arn",
                                        "expires",       "policy",
                                        "allow",         NULL};
    const char *id = "", *secret = "";
    (void)userdata;
    int r = check_members(place, known);
    if (r == 0)
        r = need_text(place, "access_key_id", &id);
    if (r == 0)
        r = need_text(place, "secret_access_key", &secret);
    if (r < 0)
        return r;
    if (strlen(id) >= SIM_ACCESS_KEY_ID_MAX)
        return wrong(place, "access_key_id", "is too long");

    struct sim_key *key = calloc(1, sizeof(*key));
    if (!key)
        return -ENOMEM;
    key->expires = SIM_FOREVER;
    r = copy_text(place, "access_key_id", &key->access_key_id);
    if (r == 0)
        r = copy_text(place, "secret_access_key", &key->secret_access_key);
    if (r == 0)
        r = copy_text(place, "session_token", &key->session_token);
    if (r == 0)
        r = copy_text(place, "arn", &key->arn);
    if (r == 0 && !key->arn &&
        asprintf(&key->arn, "arn:aws:iam::%s:user/bastion", sim->account) < 0) {
        key->arn = NULL;
        r = -ENOMEM;
    }
    if (r == 0)
        r = get_moment(place, "expires", &key->expires);
    if (r == 0)
        r = read_policy(sim, place, now, &key->policy);
    if (r < 0) {
        sim_key_free(key);
        return r;
    }
    r = sim_key_add(sim, key);
    return r == -EEXIST ? wrong(place, "access_key_id", "is there already") : r;
}

static int add_example_credentials(struct sim *sim, struct wall now, char **ret_error)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();
    struct place place = {.object = object, .path = "credentials", .ret_error = ret_error};
    if (!object || sim_json_add_string(object, "access_key_id", EXAMPLE_KEY_ID) < 0 ||
        sim_json_add_string(object, "secret_access_key", EXAMPLE_SECRET) < 0)
        return -ENOMEM;
    return add_credentials(sim, &place, now, NULL);
}

static int add_role(struct sim *sim, const struct place *place, struct wall now, void *userdata)
{
    static const char *const known[] = {
        "arn", "external_id", "web_identity_token", "max_session_s", "policy", "allow", NULL};
    const char *arn = "";
    (void)userdata;
    int r = check_members(place, known);
    if (r == 0)
        r = need_text(place, "arn", &arn);
    if (r < 0)
        return r;
    const char *slash = strrchr(arn, '/');
    if (strncmp(arn, "arn:", 4) != 0 || !slash || !slash[1])
        return wrong(place, "arn", "must be like \"arn:aws:iam::123456789012:role/NAME\"");

    struct sim_role *grown = reallocarray(sim->roles, sim->n_roles + 1, sizeof(*sim->roles));
    if (!grown)
        return -ENOMEM;
    sim->roles = grown;
    struct sim_role *role = &grown[sim->n_roles++];
    *role = (struct sim_role){.arn = strdup(arn), .name = strdup(slash + 1), .max_session_s = 3600};
    if (!role->arn || !role->name)
        return -ENOMEM;
    r = copy_text(place, "external_id", &role->external_id);
    if (r == 0)
        r = copy_text(place, "web_identity_token", &role->web_identity_token);
    if (r == 0)
        r = get_number(place, "max_session_s", 1, SESSION_S_MAX, &role->max_session_s);
    return r < 0 ? r : read_policy(sim, place, now, &role->policy);
}

/* A role that one of the credential endpoints gives out must be there. */
static int check_role(const struct sim *sim, const struct place *place, const char *role)
{
    return role && !sim_role_find(sim, role)
               ? wrong(place, "role", "\"%.60s\" is none of \"roles\"", role)
               : 0;
}

static int read_imds(struct sim *sim, const struct place *place)
{
    static const char *const known[] = {"enabled", "role", "session_s", NULL};
    sim->imds.enabled = true;
    int r = check_members(place, known);
    if (r == 0 && json_get_bool(place->object, "enabled", &sim->imds.enabled) == -EBADMSG)
        r = wrong(place, "enabled", "must be true or false");
    if (r == 0)
        r = copy_text(place, "role", &sim->imds.role);
    if (r == 0)
        r = get_number(place, "session_s", 1, SESSION_S_MAX, &sim->imds.session_s);
    return r < 0 ? r : check_role(sim, place, sim->imds.role);
}

static int read_container(struct sim *sim, const struct place *place)
{
    static const char *const known[] = {"path", "authorization_token", "role", "session_s", NULL};
    int r = check_members(place, known);
    if (r == 0)
        r = copy_text(place, "path", &sim->container.path);
    if (r == 0)
        r = copy_text(place, "authorization_token", &sim->container.authorization_token);
    if (r == 0)
        r = copy_text(place, "role", &sim->container.role);
    if (r == 0)
        r = get_number(place, "session_s", 1, SESSION_S_MAX, &sim->container.session_s);
    if (r == 0 && (!sim->container.path || sim->container.path[0] != '/'))
        r = wrong(place, "path", "must begin with a slash");
    return r < 0 ? r : check_role(sim, place, sim->container.role);
}

/* Log groups */

static int add_stream(struct sim *sim, const struct place *place, struct wall now, void *userdata)
{
    uint32_t index;
    (void)sim;
    if (!json_object_is_type(place->object, json_type_string))
        return sim_error_text(place->ret_error, "%s: must be a string", place->path);
    return sim_log_stream_get(userdata, json_object_get_string(place->object), now, &index);
}

static int add_event(struct sim *sim, const struct place *place, struct wall now, void *userdata)
{
    static const char *const known[] = {"timestamp",          "ago_ms", "message", "stream",
                                        "ingestion_delay_ms", NULL};
    struct sim_log_group *group = userdata;
    const char *message = "", *stream = "default";
    int64_t ago_ms = 0, delay_ms = 0;
    int r = check_members(place, known);
    if (r == 0)
        r = need_text(place, "message", &message);
    if (r == 0)
        r = get_text(place, "stream", &stream);
    if (r == 0)
        r = get_number(place, "ago_ms", INT64_MIN / 4, INT64_MAX / 4, &ago_ms);
    struct wall timestamp = wall_add(now, -ago_ms);
    if (r == 0)
        r = get_number(place, "timestamp", 0, INT64_MAX / 4, &timestamp.ms);
    if (r == 0)
        r = get_number(place, "ingestion_delay_ms", 0, INT64_MAX / 4, &delay_ms);
    return r < 0 ? r
                 : sim_event_put(sim, group, stream, timestamp, wall_add(timestamp, delay_ms),
                                 message, strlen(message));
}

static int add_log_group(struct sim *sim, const struct place *place, struct wall now,
                         void *userdata)
{
    static const char *const known[] = {"name",    "class",  "created", "ingestion_delay_ms",
                                        "streams", "events", NULL};
    static const char *const classes[] = {"STANDARD", "INFREQUENT_ACCESS", NULL};
    const char *name = "";
    int class = 0;
    struct wall created = wall_add(now, -GROUP_AGE_MS);
    struct sim_log_group *group = NULL;
    (void)userdata;
    int r = check_members(place, known);
    if (r == 0)
        r = need_text(place, "name", &name);
    if (r == 0)
        r = get_choice(place, "class", classes, &class);
    if (r == 0)
        r = get_moment(place, "created", &created);
    if (r < 0)
        return r;
    r = sim_log_group_add(sim, name, class == 1, created, &group);
    if (r == -EINVAL || r == -EEXIST)
        return wrong(place, "name", r == -EEXIST ? "is there already" : "is no log group's name");
    if (r == 0)
        r = get_number(place, "ingestion_delay_ms", 0, INT64_MAX / 4, &group->ingestion_delay_ms);
    if (r == 0)
        r = each_element(sim, place, "streams", created, add_stream, group);
    if (r == 0)
        r = each_element(sim, place, "events", now, add_event, group);
    return r;
}

/* Clusters */

static int read_tags(const struct place *place, struct sim_service *service)
{
    struct json_object *tags;
    int r = json_get_object(place->object, "tags", &tags);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return wrong(place, "tags", "must be an object");
    struct json_object_iter member;
    json_object_object_foreachC(tags, member)
    {
        if (!json_object_is_type(member.val, json_type_string))
            return wrong(place, "tags", "values must be strings");
        r = sim_service_set_tag(service, member.key, json_object_get_string(member.val));
        if (r < 0)
            return r == -E2BIG ? wrong(place, "tags", "are too many") : r;
    }
    return 0;
}

static int read_scaling(const struct place *service_place, struct sim_service *service)
{
    static const char *const known[] = {"min", "max", "suspended", NULL};
    struct place place = {.object = json_object_object_get(service_place->object, "autoscaling"),
                          .ret_error = service_place->ret_error};
    struct sim_scaling scaling = {.min = 1, .max = 1};
    bool suspended = false;
    if (!place.object)
        return 0;
    snprintf(place.path, sizeof(place.path), "%.150s.autoscaling", service_place->path);
    int r = check_members(&place, known);
    if (r == 0)
        r = get_number(&place, "min", 0, 5000, &scaling.min);
    if (r == 0)
        r = get_number(&place, "max", scaling.min > 1 ? scaling.min : 1, 5000, &scaling.max);
    if (r == 0 && json_get_bool(place.object, "suspended", &suspended) == -EBADMSG)
        r = wrong(&place, "suspended", "must be true or false");
    if (r < 0)
        return r;
    scaling.in_suspended = scaling.out_suspended = scaling.scheduled_suspended = suspended;
    sim_service_set_scaling(service, &scaling);
    return 0;
}

static int make_log_group(struct sim *sim, const struct place *place, const char *name,
                          struct wall now)
{
    int r = sim_log_group_add(sim, name, false, wall_add(now, -GROUP_AGE_MS), NULL);
    if (r == -EINVAL)
        return wrong(place, "log_group", "is no log group's name");
    return r == -EEXIST ? 0 : r;
}

static int add_service(struct sim *sim, const struct place *place, struct wall now, void *userdata)
{
    static const char *const known[] = {"name",         "desired",   "status",      "strategy",
                                        "controller",   "log_group", "log_stream",  "task_start_ms",
                                        "task_stop_ms", "tags",      "autoscaling", NULL};
    static const char *const statuses[] = {"ACTIVE", "DRAINING", "INACTIVE", NULL};
    static const char *const strategies[] = {"REPLICA", "DAEMON", NULL};
    struct sim_service_options options = {
        .desired = 1, .task_start_ms = -1, .task_stop_ms = -1, .running_already = true};
    struct sim_service *service = NULL;
    int status = SIM_ACTIVE, strategy = SIM_REPLICA;
    int r = check_members(place, known);
    if (r == 0)
        r = need_text(place, "name", &options.name);
    if (r == 0)
        r = get_number(place, "desired", 0, 5000, &options.desired);
    if (r == 0)
        r = get_choice(place, "status", statuses, &status);
    if (r == 0)
        r = get_choice(place, "strategy", strategies, &strategy);
    if (r == 0)
        r = get_text(place, "controller", &options.controller);
    if (r == 0)
        r = get_text(place, "log_group", &options.log_group);
    if (r == 0)
        r = get_text(place, "log_stream", &options.log_stream);
    if (r == 0)
        r = get_number(place, "task_start_ms", 0, MS_PER_DAY, &options.task_start_ms);
    if (r == 0)
        r = get_number(place, "task_stop_ms", 0, MS_PER_DAY, &options.task_stop_ms);
    if (r < 0)
        return r;
    options.status = (enum sim_service_status)status;
    options.strategy = (enum sim_strategy)strategy;
    if (options.log_group)
        r = make_log_group(sim, place, options.log_group, now);
    if (r < 0)
        return r;
    r = sim_service_add(sim, userdata, &options, now, &service);
    if (r == -EEXIST || r == -EINVAL)
        return wrong(place, "name", r == -EEXIST ? "is there already" : "is no service's name");
    if (r == 0)
        r = read_tags(place, service);
    return r == 0 ? read_scaling(place, service) : r;
}

static int add_cluster(struct sim *sim, const struct place *place, struct wall now, void *userdata)
{
    static const char *const known[] = {"name", "status", "services", NULL};
    static const char *const statuses[] = {"ACTIVE", "INACTIVE", NULL};
    const char *name = "";
    int status = 0;
    struct sim_cluster *cluster = NULL;
    (void)userdata;
    int r = check_members(place, known);
    if (r == 0)
        r = need_text(place, "name", &name);
    if (r == 0)
        r = get_choice(place, "status", statuses, &status);
    if (r < 0)
        return r;
    r = sim_cluster_add(sim, name, &cluster);
    if (r == -EEXIST || r == -EINVAL)
        return wrong(place, "name", r == -EEXIST ? "is there already" : "is no cluster's name");
    if (r == 0)
        r = each_element(sim, place, "services", now, add_service, cluster);
    if (r == 0 && status == 1)
        sim_cluster_set_inactive(cluster);
    return r;
}

static int add_fault(struct sim *sim, const struct place *place, struct wall now, void *userdata)
{
    struct sim_fault_rule rule;
    _cleanup_free_ char *error = NULL;
    (void)userdata;
    int r = sim_fault_rule_parse(place->object, now, &rule, &error);
    if (r == -EINVAL)
        return sim_error_text(place->ret_error, "%s.%s", place->path, error ? error : "");
    return r < 0 ? r : sim_fault_add(sim, &rule, NULL);
}

typedef int object_fn(struct sim *sim, const struct place *place);

static int read_settings(struct sim *sim, const struct place *place)
{
    return json_object_is_type(place->object, json_type_object)
               ? sim_settings_parse(sim, place->object, place->ret_error)
               : sim_error_text(place->ret_error, "settings: must be an object");
}

static int with_object(struct sim *sim, const struct place *top, const char *name, object_fn *read)
{
    struct place place = {.object = json_object_object_get(top->object, name),
                          .ret_error = top->ret_error};
    snprintf(place.path, sizeof(place.path), "%s", name);
    return place.object ? read(sim, &place) : 0;
}

static int read_identity(struct sim *sim, const struct place *top, struct wall now)
{
    sim->imds = (struct sim_imds){.enabled = true, .session_s = 21600};
    sim->container.session_s = 21600;
    int r = each_element(sim, top, "credentials", now, add_credentials, NULL);
    if (r == 0 && sim->n_keys == 0)
        r = add_example_credentials(sim, now, top->ret_error);
    if (r == 0)
        r = each_element(sim, top, "roles", now, add_role, NULL);
    if (r == 0)
        r = with_object(sim, top, "imds", read_imds);
    if (r == 0)
        r = with_object(sim, top, "container", read_container);
    return r;
}

int sim_scenario_load(struct sim *sim, struct json_object *scenario, struct wall now,
                      char **ret_error)
{
    static const char *const known[] = {"account",     "region",   "seed",   "settings",
                                        "credentials", "roles",    "imds",   "container",
                                        "log_groups",  "clusters", "faults", NULL};
    struct place top = {.object = scenario, .ret_error = ret_error};
    int64_t seed = 1;
    sim->account = strdup(DEFAULT_ACCOUNT);
    sim->region = strdup(DEFAULT_REGION);
    if (!sim->account || !sim->region)
        return -ENOMEM;
    int r = check_members(&top, known);
    if (r == 0)
        r = copy_text(&top, "account", &sim->account);
    if (r == 0 && (strlen(sim->account) != 12 || sim->account[strspn(sim->account, "0123456789")]))
        r = wrong(&top, "account", "must be twelve digits");
    if (r == 0)
        r = copy_text(&top, "region", &sim->region);
    if (r == 0)
        r = get_number(&top, "seed", 0, INT64_MAX, &seed);
    sim->seed = sim->random_state = (uint64_t)seed;
    if (r == 0)
        r = with_object(sim, &top, "settings", read_settings);
    if (r == 0)
        r = read_identity(sim, &top, now);
    if (r == 0)
        r = each_element(sim, &top, "log_groups", now, add_log_group, NULL);
    if (r == 0)
        r = each_element(sim, &top, "clusters", now, add_cluster, NULL);
    if (r == 0)
        r = each_element(sim, &top, "faults", now, add_fault, NULL);
    return r;
}
