/* SPDX-License-Identifier: MIT */
#include "tests/support/sim_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/json.h"

/* JSON with single quotes for double ones. */
static struct json_object *read_json(const char *text)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    struct json_object *object = NULL;
    int r = json_parse(copy, strlen(copy), &object);
    if (r < 0)
        print_error("not JSON: %s\n", copy);
    free(copy);
    assert_int_equal(r, 0);
    return object;
}

void world_begin(struct world *world, const char *scenario)
{
    char *error = NULL;
    struct json_object *object = read_json(scenario);
    *world = (struct world){.now = WORLD_BEGIN};
    int r = sim_new(object, world->now, &world->sim, &error);
    if (r < 0)
        print_error("scenario refused: %s\n", error ? error : "");
    free(error);
    assert_int_equal(r, 0);

    struct json_object *settings = NULL;
    if (!json_object_object_get_ex(object, "settings", &settings) ||
        !json_object_object_get(settings, "verify_signatures"))
        assert_int_equal(sim_setting_set(world->sim, "verify_signatures", 0), 0);
    json_object_put(object);
}

void world_end(struct world *world)
{
    sim_response_clear(&world->response);
    json_object_put(world->answer);
    sim_free(world->sim);
}

char *world_refused(const char *scenario)
{
    char *error = NULL;
    struct sim *sim = NULL;
    struct json_object *object = read_json(scenario);
    assert_int_equal(sim_new(object, WORLD_BEGIN, &sim, &error), -EINVAL);
    json_object_put(object);
    assert_non_null(error);
    return error;
}

void world_call(struct world *world, const char *service, const char *operation, const char *format,
                ...)
{
    _cleanup_free_ char *body = NULL;
    char target[128];
    va_list arguments;
    va_start(arguments, format);
    assert_true(vasprintf(&body, format, arguments) >= 0);
    va_end(arguments);
    for (char *c = body; *c; c++)
        if (*c == '\'')
            *c = '"';
    snprintf(target, sizeof(target), "%s.%s",
             strcmp(service, "logs") == 0  ? "Logs_20140328"
             : strcmp(service, "ecs") == 0 ? "AmazonEC2ContainerServiceV20141113"
                                           : "AnyScaleFrontendService",
             operation);

    struct sim_header headers[] = {
        {"Host", "localhost"},
        {"Content-Type", "application/x-amz-json-1.1"},
        {"X-Amz-Target", target},
    };
    struct sim_request request = {
        .method = "POST",
        .path = "/",
        .query = "",
        .headers = headers,
        .n_headers = ARRAY_LENGTH(headers),
        .body = body,
        .body_size = strlen(body),
    };
    sim_response_clear(&world->response);
    json_object_put(world->answer);
    world->answer = NULL;
    sim_handle(world->sim, world->now, &request, &world->response);
    world->status = world->response.status;
    (void)json_parse(world->response.body, world->response.body_size, &world->answer);
}

static struct json_object *at_path(const struct world *world, const char *path)
{
    struct json_object *at = world->answer;
    char name[128];
    while (at && *path) {
        size_t length = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)length, path);
        path += length + (path[length] == '.');
        if (json_object_is_type(at, json_type_array)) {
            size_t index = strtoul(name, NULL, 10);
            at = index < json_object_array_length(at) ? json_object_array_get_idx(at, index) : NULL;
        } else {
            at = json_object_object_get(at, name);
        }
    }
    return at;
}

const char *world_text(const struct world *world, const char *path)
{
    struct json_object *value = at_path(world, path);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

int64_t world_number(const struct world *world, const char *path)
{
    struct json_object *value = at_path(world, path);
    bool is_number = json_object_is_type(value, json_type_int) ||
                     json_object_is_type(value, json_type_double) ||
                     json_object_is_type(value, json_type_boolean);
    return is_number ? json_object_get_int64(value) : -1;
}

int world_length(const struct world *world, const char *path)
{
    struct json_object *value = at_path(world, path);
    return json_object_is_type(value, json_type_array) ? (int)json_object_array_length(value) : -1;
}

const char *world_error(const struct world *world)
{
    const char *type = world_text(world, "__type");
    if (!type)
        return "";
    const char *hash = strchr(type, '#');
    return hash ? hash + 1 : type;
}

const char *world_header(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->response.n_headers; i++)
        if (strcasecmp(world->response.headers[i].name, name) == 0)
            return world->response.headers[i].value;
    return NULL;
}

void world_event(struct world *world, const char *group, int64_t ago_ms, const char *message)
{
    struct wall when = wall_add(world->now, -ago_ms);
    struct sim_log_group *found = sim_log_group_find(world->sim, group);
    assert_non_null(found);
    assert_int_equal(
        sim_event_put(world->sim, found, "stream", when, when, message, strlen(message)), 0);
}

void world_fault(struct world *world, enum sim_fault_kind kind, const char *operation,
                 int64_t value)
{
    struct sim_fault_rule rule = SIM_FAULT_RULE(kind);
    rule.operation = operation;
    rule.value = value;
    assert_int_equal(sim_fault_add(world->sim, &rule, NULL), 0);
}

struct sim_service *world_service(const struct world *world, const char *cluster,
                                  const char *service)
{
    struct sim_cluster *found = sim_cluster_find(world->sim, cluster);
    assert_non_null(found);
    struct sim_service *ret = sim_service_find(found, service);
    assert_non_null(ret);
    return ret;
}
