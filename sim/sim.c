/* SPDX-License-Identifier: MIT */
#include "sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "src/cleanup.h"

/* The door: who answers what, and the life of the world behind it. */

DEFINE_CLEANUP(struct sim *, sim_free)

int sim_new(struct json_object *scenario, struct wall now, struct sim **ret, char **ret_error)
{
    _cleanup_(sim_free) struct sim *sim = calloc(1, sizeof(*sim));
    if (!sim)
        return -ENOMEM;
    if (ret_error)
        *ret_error = NULL;
    sim->history_oldest = 1;
    sim_settings_default(&sim->settings);
    int r = sim_scenario_load(sim, scenario, now, ret_error);
    if (r < 0)
        return r;
    *ret = TAKE(sim);
    return 0;
}

struct sim *sim_free(struct sim *sim)
{
    if (!sim)
        return NULL;
    for (size_t i = 0; i < sim->n_keys; i++)
        sim_key_free(sim->keys[i]);
    free(sim->keys);
    for (size_t i = 0; i < sim->n_roles; i++)
        sim_role_clear(&sim->roles[i]);
    free(sim->roles);
    for (size_t i = 0; i < sim->n_log_groups; i++)
        sim_log_group_free(sim->log_groups[i]);
    free(sim->log_groups);
    for (size_t i = 0; i < sim->n_queries; i++)
        sim_query_free(sim->queries[i]);
    free(sim->queries);
    for (size_t i = 0; i < sim->n_clusters; i++)
        sim_cluster_free(sim->clusters[i]);
    free(sim->clusters);
    sim_faults_clear(sim);
    free(sim->faults);
    sim_throttle_clear(sim);
    sim_history_free(sim);
    if (sim->identity)
        sim_identity_free(sim->identity);
    free(sim->imds.role);
    free(sim->container.path);
    free(sim->container.authorization_token);
    free(sim->container.role);
    free(sim->account);
    free(sim->region);
    free(sim);
    return NULL;
}

static bool path_begins(const struct sim_request *request, const char *prefix)
{
    return strncmp(request->path, prefix, strlen(prefix)) == 0;
}

typedef void handle_fn(struct sim *sim, struct wall now, const struct sim_request *request,
                       struct sim_response *ret);

/* The metadata endpoints know only statuses. */
static int plain_status(enum sim_fault_kind kind)
{
    switch (kind) {
    case SIM_FAULT_THROTTLE:
        return 429;
    case SIM_FAULT_ACCESS_DENIED:
        return 403;
    case SIM_FAULT_EXPIRED_TOKEN:
        return 401;
    case SIM_FAULT_NOT_FOUND:
        return 404;
    case SIM_FAULT_INVALID_PARAMETER:
        return 400;
    case SIM_FAULT_HTTP_502:
        return 502;
    case SIM_FAULT_HTTP_503:
    case SIM_FAULT_REFUSE:
        return 503;
    default:
        return 500;
    }
}

/* Faults, latency and history around an endpoint that gives credentials. */
static void handle_endpoint(struct sim *sim, struct wall now, const struct sim_request *request,
                            const char *operation, handle_fn *handle, struct sim_response *ret)
{
    struct sim_call call = {.now = now, .operation = operation};
    enum sim_fault_kind kind;
    int64_t value = 0;
    char parameters[512];

    if (sim_fault_fires_among(sim, &call, SIM_FAULT_THROTTLE, SIM_FAULT_INVALID_PARAMETER, &kind,
                              NULL)) {
        (void)sim_response_set(ret, plain_status(kind), "text/plain", "", 0);
        if (kind == SIM_FAULT_REFUSE)
            ret->delivery = SIM_REFUSE;
    } else {
        handle(sim, now, request, ret);
        if (ret->body &&
            sim_fault_fires_among(sim, &call, SIM_FAULT_RESET, SIM_FAULT_DEEP, &kind, &value))
            sim_fault_spoil(sim, kind, value, ret);
    }
    sim_response_finish(sim, &call, ret);

    /* The method and the path are text of ours and of URLs: no quotes in them to escape. */
    snprintf(parameters, sizeof(parameters), "{\"method\":\"%.16s\",\"path\":\"%.400s\"}",
             request->method, strpbrk(request->path, "\"\\") ? "" : request->path);
    struct sim_call_record record = {
        .time = now,
        .operation = operation,
        .parameters = parameters,
        .status = ret->delivery == SIM_REFUSE ? 0 : ret->status,
    };
    (void)sim_history_append(sim, &record);
}

void sim_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                struct sim_response *ret)
{
    *ret = (struct sim_response){.content_length_override = -1};
    if (path_begins(request, "/_sim/"))
        sim_admin_handle(sim, now, request, ret);
    else if (path_begins(request, "/latest/"))
        handle_endpoint(sim, now, request, "Imds", sim_imds_handle, ret);
    else if (sim->container.path && path_begins(request, sim->container.path))
        handle_endpoint(sim, now, request, "Container", sim_container_handle, ret);
    else
        sim_protocol_handle(sim, now, request, ret);
}
