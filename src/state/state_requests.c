/* SPDX-License-Identifier: MIT */
/* What people asked for, in memory and in the document. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "state/state_internal.h"

/* A request is forgotten so long after it expired, and not at once: the clock of a host that has just
 * started may be ahead. */
#define REQUEST_KEEP_MS (7 * MS_PER_DAY)

static void request_clear(struct state_request *request)
{
    free(request->name);
    free(request->cluster);
    free(request->by);
    free(request->why);
    *request = (struct state_request){0};
}

static int request_copy(const struct state_request *from, struct state_request *ret)
{
    struct state_request copy = {
        .name = strdup(from->name),
        .cluster = strdup(from->cluster),
        .request = from->request,
        .by = strdup(from->by),
        .why = strdup(from->why),
    };

    if (!copy.name || !copy.cluster || !copy.by || !copy.why) {
        request_clear(&copy);
        return -ENOMEM;
    }
    *ret = copy;
    return 0;
}

static size_t find_index(const struct state *state, const char *name, const char *cluster)
{
    size_t i = 0;

    assert(state->requests || state->n_requests == 0);
    while (i < state->n_requests && (strcmp(state->requests[i].name, name) != 0 ||
                                     strcmp(state->requests[i].cluster, cluster) != 0))
        i++;
    return i;
}

const struct state_request *state_find_request(const struct state *state, const char *name,
                                               const char *cluster)
{
    size_t i = find_index(state, name, cluster);

    return i < state->n_requests ? &state->requests[i] : NULL;
}

int state_put_request(struct state *state, const struct state_request *request)
{
    struct state_request copy;

    if (strlen(request->by) > STATE_REQUEST_TEXT_MAX ||
        strlen(request->why) > STATE_REQUEST_TEXT_MAX)
        return -E2BIG;
    int r = request_copy(request, &copy);
    if (r < 0)
        return r;

    size_t i = find_index(state, request->name, request->cluster);
    if (i < state->n_requests) {
        assert(state->requests);
        request_clear(&state->requests[i]);
    } else {
        struct state_request *larger =
            realloc(state->requests, (state->n_requests + 1) * sizeof(*larger));
        if (!larger) {
            request_clear(&copy);
            return -ENOMEM;
        }
        state->requests = larger;
        state->n_requests++;
    }
    assert(state->requests);
    state->requests[i] = copy;
    return 0;
}

void state_remove_request(struct state *state, const char *name, const char *cluster)
{
    size_t i = find_index(state, name, cluster);

    if (i == state->n_requests)
        return;
    request_clear(&state->requests[i]);
    state->n_requests--;
    memmove(&state->requests[i], &state->requests[i + 1],
            (state->n_requests - i) * sizeof(*state->requests));
}

void state_clear_requests(struct state *state)
{
    while (state->n_requests > 0)
        request_clear(&state->requests[--state->n_requests]);
    free(TAKE(state->requests));
}

static int parse_kind(const char *name, enum policy_request_kind *ret)
{
    static const enum policy_request_kind kinds[] = {POLICY_HOLD_AWAKE, POLICY_HOLD_ASLEEP,
                                                     POLICY_SLEEP};

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (strcmp(policy_request_name(kinds[i]), name) == 0) {
            *ret = kinds[i];
            return 0;
        }
    }
    return -EBADMSG;
}

static int read_request(struct state *state, struct json_object *object, struct wall now)
{
    const char *name, *cluster, *kind, *by, *why;
    struct policy_request request;
    int r;

    if ((r = json_get_string(object, "name", &name)) < 0 ||
        (r = json_get_string(object, "cluster", &cluster)) < 0 ||
        (r = json_get_string(object, "kind", &kind)) < 0 ||
        (r = parse_kind(kind, &request.kind)) < 0 ||
        (r = state_read_moment(object, "since", &request.since)) < 0 ||
        (r = state_read_moment(object, "until", &request.until)) < 0 ||
        (r = json_get_string(object, "by", &by)) < 0 ||
        (r = json_get_string(object, "why", &why)) < 0)
        return r;
    if (!wall_is_set(request.since) || !wall_is_set(request.until) ||
        state_find_request(state, name, cluster))
        return -EBADMSG;
    if (wall_since(now, request.until) > REQUEST_KEEP_MS)
        return 0;
    /* Borrowed as it is; state_put_request() copies. */
    const struct state_request entry = {.name = (char *)name,
                                        .cluster = (char *)cluster,
                                        .request = request,
                                        .by = (char *)by,
                                        .why = (char *)why};
    return state_put_request(state, &entry);
}

int state_read_requests(struct state *state, struct json_object *document, struct wall now)
{
    struct json_object *requests;
    int r = json_get_array(document, "requests", &requests);

    if (r == -ENOENT)
        return 0;
    for (size_t i = 0; r == 0 && i < json_object_array_length(requests); i++)
        r = read_request(state, json_object_array_get_idx(requests, i), now);
    return r;
}

static struct json_object *write_request(const struct state_request *request)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();
    const char *kind = policy_request_name(request->request.kind);

    if (!object || json_add(object, "name", json_object_new_string(request->name)) < 0 ||
        json_add(object, "cluster", json_object_new_string(request->cluster)) < 0 ||
        json_add(object, "kind", json_object_new_string(kind)) < 0 ||
        state_add_moment(object, "since", request->request.since) < 0 ||
        state_add_moment(object, "until", request->request.until) < 0 ||
        json_add(object, "by", json_object_new_string(request->by)) < 0 ||
        json_add(object, "why", json_object_new_string(request->why)) < 0)
        return NULL;
    return TAKE(object);
}

int state_write_requests(const struct state *state, struct json_object *document)
{
    _cleanup_json_ struct json_object *requests = json_object_new_array();

    if (!requests)
        return -ENOMEM;
    for (size_t i = 0; i < state->n_requests; i++)
        if (json_append(requests, write_request(&state->requests[i])) < 0)
            return -ENOMEM;
    return json_add(document, "requests", TAKE(requests));
}
