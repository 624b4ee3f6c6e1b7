/* SPDX-License-Identifier: MIT */
#include "admin.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"
#include "src/json.h"

/*
 * The administration interface: what a test, a demo or a person does to the simulated world, and sees
 * of it, beside the API. sim/README.md documents each resource. Who may reach it is the front's
 * affair.
 */

/* Answers */

int admin_fail(struct admin_call *call, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (call->status == 200)
        call->status = 400;
    json_object_put(call->answer);
    call->answer = json_object_new_object();
    int r = admin_add_string(call->answer, "error", text);
    return r < 0 ? r : ADMIN_REFUSED;
}

int admin_add(struct json_object *object, const char *name, struct json_object *value)
{
    if (object && value && json_object_object_add(object, name, value) == 0)
        return 0;
    json_object_put(value);
    return -ENOMEM;
}

int admin_add_string(struct json_object *object, const char *name, const char *value)
{
    return admin_add(object, name, json_object_new_string(value));
}

int admin_add_int(struct json_object *object, const char *name, int64_t value)
{
    return admin_add(object, name, json_object_new_int64(value));
}

int admin_append(struct json_object *array, struct json_object *value)
{
    if (array && value && json_object_array_add(array, value) == 0)
        return 0;
    json_object_put(value);
    return -ENOMEM;
}

/* Parameters */

int admin_each_member(struct admin_call *call, struct json_object *object, admin_member_fn *each,
                      const void *userdata)
{
    int r = 0;
    struct json_object_iterator at = json_object_iter_begin(object);
    struct json_object_iterator end = json_object_iter_end(object);
    for (; r == 0 && !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
        r = each(call, json_object_iter_peek_name(&at), json_object_iter_peek_value(&at), userdata);
    return r;
}

static int check_member(struct admin_call *call, const char *name, struct json_object *value,
                        const void *userdata)
{
    (void)value;
    for (const char *const *known = userdata; *known; known++) {
        if (strcmp(*known, name) == 0)
            return 0;
    }
    return admin_fail(call, "unknown member '%s'", name);
}

int admin_check_members(struct admin_call *call, struct json_object *object,
                        const char *const *known)
{
    if (!json_object_is_type(object, json_type_object))
        return admin_fail(call, "a JSON object is needed");
    return admin_each_member(call, object, check_member, known);
}

/* What a getter of json.h returned for a member. */
static int member_result(struct admin_call *call, const char *name, int result, bool required,
                         const char *type)
{
    if (result == 0 || (result == -ENOENT && !required))
        return 0;
    if (result == -ENOENT)
        return admin_fail(call, "member '%s' is missing", name);
    return admin_fail(call, "member '%s' must be %s", name, type);
}

int admin_string(struct admin_call *call, struct json_object *object, const char *name,
                 bool required, const char **ret)
{
    return member_result(call, name, json_get_string(object, name, ret), required, "a string");
}

int admin_int(struct admin_call *call, struct json_object *object, const char *name, bool required,
              int64_t min, int64_t max, int64_t *ret)
{
    int64_t value = min;
    int result = json_get_int(object, name, &value);
    int r = member_result(call, name, result, required, "an integer");
    if (r != 0 || result == -ENOENT)
        return r;
    if (value < min || value > max)
        return admin_fail(call, "member '%s' must be from %lld to %lld", name, (long long)min,
                          (long long)max);
    *ret = value;
    return 0;
}

int admin_query_int(struct admin_call *call, const char *name, int64_t min, int64_t max,
                    int64_t *ret)
{
    const char *text;
    if (json_get_string(call->query, name, &text) < 0)
        return 0;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || value < min || value > max)
        return admin_fail(call, "'%s' must be an integer from %lld to %lld", name, (long long)min,
                          (long long)max);
    *ret = value;
    return 0;
}

/* Routing */

static const struct admin_route routes[] = {
    {"GET", "health", admin_get_health},          {"GET", "stats", admin_get_stats},
    {"GET", "operations", admin_get_operations},  {"PUT", "clock", admin_put_clock},
    {"PATCH", "settings", admin_patch_settings},  {"PUT", "events", admin_put_events},
    {"PUT", "log-groups", admin_put_log_group},   {"DELETE", "log-groups", admin_delete_log_group},
    {"POST", "requests", admin_post_request},     {"GET", "services", admin_get_services},
    {"PUT", "services", admin_put_service},       {"POST", "services", admin_post_service},
    {"DELETE", "services", admin_delete_service}, {"GET", "history", admin_get_history},
    {"DELETE", "history", admin_delete_history},  {"GET", "faults", admin_get_faults},
    {"POST", "faults", admin_post_fault},         {"DELETE", "faults", admin_delete_faults},
    {"POST", "expire", admin_post_expire},        {"PUT", "policy", admin_put_policy},
    {"DELETE", "policy", admin_delete_policy},
};

static const struct admin_route *find_route(struct admin_call *call,
                                            const struct sim_request *request)
{
    const char *name = request->path + strlen("/_sim/");
    bool known = false;
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        if (strcmp(routes[i].resource, name) != 0)
            continue;
        if (strcmp(routes[i].method, request->method) == 0)
            return &routes[i];
        known = true;
    }
    call->status = known ? 405 : 404;
    if (known)
        admin_fail(call, "%s does not go with /_sim/%s", request->method, name);
    else
        admin_fail(call, "there is no /_sim/%s", name);
    return NULL;
}

static int parse_request(struct admin_call *call, const struct sim_request *request)
{
    if (sim_form_parse(request->query, strlen(request->query), &call->query) < 0)
        return admin_fail(call, "the query is malformed");
    if (request->body_size == 0)
        return 0;
    int r = json_parse(request->body, request->body_size, &call->body);
    return r == -EBADMSG ? admin_fail(call, "the body is no JSON") : r;
}

void sim_admin_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                      struct sim_response *ret)
{
    struct admin_call call = {
        .sim = sim, .now = now, .status = 200, .answer = json_object_new_object()};
    const struct admin_route *route = find_route(&call, request);
    int r = route ? parse_request(&call, request) : ADMIN_REFUSED;
    if (r == 0)
        r = route->run(&call);

    if (r < 0 || !call.answer || sim_response_set_json(ret, call.status, call.answer) < 0)
        (void)sim_response_set(ret, 500, NULL, "", 0); /* memory is short; nothing else is left */
    json_object_put(call.answer);
    json_object_put(call.body);
    json_object_put(call.query);
}
