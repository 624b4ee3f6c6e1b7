/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "state/state_internal.h"

#define STATE_FILE "state.json"
#define STATE_TEMPORARY "state.json.new"
#define STATE_VERSION 1
/* 10,000 environments of 100 services stay well below it. */
#define STATE_SIZE_MAX ((size_t)256 * 1024 * 1024)
#define STATE_COUNT_MAX 1000000

DEFINE_CLEANUP(struct state *, state_free)

void state_environment_clear(struct state_environment *environment)
{
    for (size_t i = 0; i < environment->n_services; i++)
        free(environment->services[i].name);
    free(environment->services);
    free(environment->name);
    free(environment->cluster);
    *environment = (struct state_environment){0};
}

int state_environment_copy(const struct state_environment *from, struct state_environment *ret)
{
    struct state_environment copy = *from;

    copy.n_services = 0;
    copy.name = strdup(from->name);
    copy.cluster = strdup(from->cluster);
    copy.services = calloc(from->n_services + 1, sizeof(*copy.services));
    if (!copy.name || !copy.cluster || !copy.services)
        goto no_memory;
    for (; copy.n_services < from->n_services; copy.n_services++) {
        copy.services[copy.n_services] = from->services[copy.n_services];
        copy.services[copy.n_services].name = strdup(from->services[copy.n_services].name);
        if (!copy.services[copy.n_services].name)
            goto no_memory;
    }
    *ret = copy;
    return 0;

no_memory:
    state_environment_clear(&copy);
    return -ENOMEM;
}

static size_t find_index(const struct state *state, const char *name, const char *cluster)
{
    size_t i = 0;

    assert(state->environments || state->n_environments == 0);
    while (i < state->n_environments && (strcmp(state->environments[i].name, name) != 0 ||
                                         strcmp(state->environments[i].cluster, cluster) != 0))
        i++;
    return i;
}

const struct state_environment *state_find(const struct state *state, const char *name,
                                           const char *cluster)
{
    size_t i = find_index(state, name, cluster);

    return i < state->n_environments ? &state->environments[i] : NULL;
}

size_t state_count(const struct state *state)
{
    return state->n_environments;
}

const struct state_environment *state_at(const struct state *state, size_t index)
{
    return index < state->n_environments ? &state->environments[index] : NULL;
}

int state_put(struct state *state, const struct state_environment *environment)
{
    struct state_environment copy;
    int r = state_environment_copy(environment, &copy);
    if (r < 0)
        return r;

    size_t i = find_index(state, environment->name, environment->cluster);
    if (i < state->n_environments) {
        state_environment_clear(&state->environments[i]);
    } else {
        struct state_environment *larger =
            realloc(state->environments, (state->n_environments + 1) * sizeof(*larger));
        if (!larger) {
            state_environment_clear(&copy);
            return -ENOMEM;
        }
        state->environments = larger;
        state->n_environments++;
    }
    assert(state->environments);
    state->environments[i] = copy;
    return 0;
}

void state_remove(struct state *state, const char *name, const char *cluster)
{
    size_t i = find_index(state, name, cluster);

    if (i == state->n_environments)
        return;
    state_environment_clear(&state->environments[i]);
    state->n_environments--;
    memmove(&state->environments[i], &state->environments[i + 1],
            (state->n_environments - i) * sizeof(*state->environments));
}

void state_remove_service(struct state *state, const char *name, const char *cluster,
                          const char *service)
{
    size_t i = find_index(state, name, cluster);
    if (i == state->n_environments)
        return;

    struct state_environment *environment = &state->environments[i];
    size_t n = 0;
    for (size_t j = 0; j < environment->n_services; j++) {
        if (strcmp(environment->services[j].name, service) == 0)
            free(environment->services[j].name);
        else
            environment->services[n++] = environment->services[j];
    }
    environment->n_services = n;
    environment->asleep = false;
    if (n == 0)
        state_remove(state, name, cluster);
}

/* --- from JSON ------------------------------------------------------------------------------- */

int state_read_moment(struct json_object *object, const char *name, struct wall *ret)
{
    const char *text;
    int r = json_get_string(object, name, &text);

    if (r == -ENOENT) {
        *ret = WALL_NEVER;
        return 0;
    }
    return r < 0 ? r : wall_parse_iso(text, ret);
}

static int read_service(struct json_object *object, struct state_service *ret)
{
    const char *name;
    int64_t count;
    bool slept;
    int r;

    if ((r = json_get_string(object, "name", &name)) < 0 ||
        (r = json_get_int(object, "recorded_count", &count)) < 0 ||
        (r = json_get_bool(object, "slept", &slept)) < 0)
        return r;
    if (count < 0 || count > STATE_COUNT_MAX)
        return -ERANGE;
    ret->recorded_count = (int)count;
    ret->slept = slept;
    ret->name = strdup(name);
    return ret->name ? 0 : -ENOMEM;
}

static int read_environment(struct json_object *object, struct state_environment *ret)
{
    struct json_object *services;
    const char *name, *cluster, *wanted;
    struct wall since, acted_at, last_activity;
    int r;

    if ((r = json_get_string(object, "name", &name)) < 0 ||
        (r = json_get_string(object, "cluster", &cluster)) < 0 ||
        (r = json_get_string(object, "wanted", &wanted)) < 0 ||
        (r = json_get_array(object, "services", &services)) < 0 ||
        (r = state_read_moment(object, "since", &since)) < 0 ||
        (r = state_read_moment(object, "acted_at", &acted_at)) < 0 ||
        (r = state_read_moment(object, "last_activity", &last_activity)) < 0)
        return r;

    if (strcmp(wanted, "asleep") != 0 && strcmp(wanted, "awake") != 0)
        return -EBADMSG;

    size_t n_services = json_object_array_length(services);
    struct state_environment environment = {
        .name = strdup(name),
        .cluster = strdup(cluster),
        .asleep = strcmp(wanted, "asleep") == 0,
        .since = since,
        .acted_at = acted_at,
        .last_activity = last_activity,
        .services = calloc(n_services + 1, sizeof(*environment.services)),
    };
    r = -ENOMEM;
    if (!environment.name || !environment.cluster || !environment.services)
        goto fail;
    for (; environment.n_services < n_services; environment.n_services++) {
        size_t i = environment.n_services;

        r = read_service(json_object_array_get_idx(services, i), &environment.services[i]);
        if (r < 0)
            goto fail;
    }
    *ret = environment;
    return 0;

fail:
    state_environment_clear(&environment);
    return r;
}

static int read_document(struct state *state, const char *text, size_t size, struct wall now)
{
    _cleanup_json_ struct json_object *document = NULL;
    struct json_object *environments;
    int64_t version;
    int r;

    if ((r = json_parse(text, size, &document)) < 0 ||
        (r = json_get_int(document, "version", &version)) < 0)
        return r;
    if (version != STATE_VERSION)
        return -EPROTONOSUPPORT;
    if ((r = json_get_array(document, "environments", &environments)) < 0)
        return r;

    for (size_t i = 0; i < json_object_array_length(environments); i++) {
        struct state_environment environment;

        r = read_environment(json_object_array_get_idx(environments, i), &environment);
        if (r < 0)
            return r;
        r = state_find(state, environment.name, environment.cluster)
                ? -EBADMSG
                : state_put(state, &environment);
        state_environment_clear(&environment);
        if (r < 0)
            return r;
    }
    return state_read_requests(state, document, now);
}

/* Nothing of a file that is not understood in full is believed. */
static int set_aside(struct state *state, int error, struct wall now, char **ret_trouble)
{
    char name[sizeof(STATE_FILE) + 40];
    int r;

    while (state->n_environments > 0)
        state_environment_clear(&state->environments[--state->n_environments]);
    state_clear_requests(state);

    snprintf(name, sizeof(name), STATE_FILE ".unreadable-%lld", (long long)now.ms);
    if (state->access == STATE_READ_ONLY || storage_rename(state->storage, STATE_FILE, name) < 0)
        r = asprintf(ret_trouble,
                     STATE_FILE " cannot be understood (%s) and is ignored: the counts of "
                                "environments that are asleep are not known",
                     strerror(-error));
    else
        r = asprintf(ret_trouble,
                     STATE_FILE " cannot be understood (%s) and was kept as %s: the counts of "
                                "environments that are asleep are not known",
                     strerror(-error), name);
    return r < 0 ? -ENOMEM : 0;
}

/* A disk that does not give the file out today may do so tomorrow, and the counts in it are owed: only
 * what was read and is no state of ours is set aside. */
static int read_file(struct state *state, struct wall now, char **trouble)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r = storage_read(state->storage, STATE_FILE, STATE_SIZE_MAX, &text, &size);

    if (r == -ENOENT)
        return 0;
    if (r < 0 && r != -EFBIG)
        return r;
    if (r == 0)
        r = read_document(state, text, size, now);
    if (r == 0 || r == -ENOMEM)
        return r;
    free(TAKE(*trouble));
    return set_aside(state, r, now, trouble);
}

static int open_storage(struct state *state, const char *directory, char **ret_trouble)
{
    bool writes = state->access == STATE_READ_WRITE;
    int r =
        storage_open(directory, writes ? STORAGE_READ_WRITE : STORAGE_READ_ONLY, &state->storage);

    if (r < 0 || !writes)
        return r;
    r = storage_check_writable(state->storage);
    if (r < 0 &&
        asprintf(ret_trouble, "%s cannot be written (%s): no environment will be put to sleep",
                 directory, strerror(-r)) < 0) {
        *ret_trouble = NULL;
        return -ENOMEM;
    }
    return 0;
}

int state_open(const char *directory, enum state_access access, struct wall now, struct state **ret,
               char **ret_trouble)
{
    _cleanup_(state_free) struct state *state = calloc(1, sizeof(*state));
    _cleanup_free_ char *trouble = NULL;
    int r;

    if (!state)
        return -ENOMEM;
    state->access = access;
    r = open_storage(state, directory, &trouble);
    if (r == -ENOENT && access == STATE_READ_ONLY) {
        *ret_trouble = NULL;
        *ret = TAKE(state);
        return 0;
    }
    if (r < 0)
        return r;

    r = read_file(state, now, &trouble);
    if (r < 0)
        return r;
    *ret_trouble = TAKE(trouble);
    *ret = TAKE(state);
    return 0;
}

struct state *state_free(struct state *state)
{
    if (!state)
        return NULL;
    for (size_t i = 0; i < state->n_environments; i++)
        state_environment_clear(&state->environments[i]);
    free(state->environments);
    state_clear_requests(state);
    storage_free(state->storage);
    free(state);
    return NULL;
}

/* --- to JSON --------------------------------------------------------------------------------- */

int state_add_moment(struct json_object *object, const char *name, struct wall moment)
{
    char text[WALL_TEXT_MAX];

    if (!wall_is_set(moment))
        return 0;
    return json_add(object, name, json_object_new_string(wall_format_iso(moment, text)));
}

static struct json_object *write_service(const struct state_service *service)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();

    if (!object || json_add(object, "name", json_object_new_string(service->name)) < 0 ||
        json_add(object, "recorded_count", json_object_new_int(service->recorded_count)) < 0 ||
        json_add(object, "slept", json_object_new_boolean(service->slept)) < 0)
        return NULL;
    return TAKE(object);
}

static struct json_object *write_environment(const struct state_environment *environment)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();
    _cleanup_json_ struct json_object *services = json_object_new_array();
    const char *wanted = environment->asleep ? "asleep" : "awake";

    if (!object || !services)
        return NULL;
    for (size_t i = 0; i < environment->n_services; i++)
        if (json_append(services, write_service(&environment->services[i])) < 0)
            return NULL;
    if (json_add(object, "name", json_object_new_string(environment->name)) < 0 ||
        json_add(object, "cluster", json_object_new_string(environment->cluster)) < 0 ||
        json_add(object, "wanted", json_object_new_string(wanted)) < 0 ||
        state_add_moment(object, "since", environment->since) < 0 ||
        state_add_moment(object, "acted_at", environment->acted_at) < 0 ||
        state_add_moment(object, "last_activity", environment->last_activity) < 0 ||
        json_add(object, "services", TAKE(services)) < 0)
        return NULL;
    return TAKE(object);
}

static struct json_object *write_document(const struct state *state)
{
    _cleanup_json_ struct json_object *document = json_object_new_object();
    _cleanup_json_ struct json_object *environments = json_object_new_array();

    if (!document || !environments)
        return NULL;
    for (size_t i = 0; i < state->n_environments; i++)
        if (json_append(environments, write_environment(&state->environments[i])) < 0)
            return NULL;
    if (json_add(document, "version", json_object_new_int(STATE_VERSION)) < 0 ||
        json_add(document, "environments", TAKE(environments)) < 0 ||
        state_write_requests(state, document) < 0)
        return NULL;
    return TAKE(document);
}

static int replace_file(struct storage *storage, const char *text, size_t size)
{
    int file;
    int r = storage_create(storage, STATE_TEMPORARY, &file);
    if (r < 0)
        return r;

    r = storage_write(storage, file, text, size);
    if (r == 0)
        r = storage_sync(storage, file);
    int closing = storage_close(storage, file);
    if (r == 0)
        r = closing;
    if (r == 0)
        r = storage_rename(storage, STATE_TEMPORARY, STATE_FILE);
    if (r < 0) {
        /* Best effort: the next save truncates it anyway. */
        (void)storage_remove(storage, STATE_TEMPORARY);
        return r;
    }
    return storage_sync_directory(storage);
}

int state_save(struct state *state)
{
    size_t size;

    if (state->access == STATE_READ_ONLY)
        return 0;

    _cleanup_json_ struct json_object *document = write_document(state);
    _cleanup_free_ char *text = NULL;
    if (!document)
        return -ENOMEM;
    int r = json_format(document, JSON_FOR_PEOPLE, &text, &size);
    return r < 0 ? r : replace_file(state->storage, text, size);
}
