/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_SIM_WORLD_H
#define PROVISIONERD_TESTS_SIM_WORLD_H

/*
 * A simulated AWS and a moment, for tests that speak to it as a client does:
 *
 *     struct world world;
 *     world_begin(&world, "{'clusters': [{'name': 'staging'}]}");     single quotes: readable in C
 *     world_call(&world, "ecs", "DescribeClusters", "{'clusters': ['%s']}", "staging");
 *     assert_int_equal(world.status, 200);
 *     assert_string_equal(world_text(&world, "clusters.0.status"), "ACTIVE");
 *     world.now.ms += MS_PER_MINUTE;
 *     world_end(&world);
 *
 * Signatures are not asked for, unless the scenario says so.
 */

#include <json-c/json.h>

#include "sim/model.h"

struct world {
    struct sim *sim;
    struct wall now;
    int status;
    struct sim_response response;
    struct json_object *answer; /* NULL: not JSON */
};

/* 2026-03-01T14:20:05Z */
#define WORLD_BEGIN ((struct wall){.ms = INT64_C(1772374805000)})

void world_begin(struct world *world, const char *scenario);
void world_end(struct world *world);

/* As world_begin(), but expects the scenario to be refused. Returns the error; the caller frees. */
char *world_refused(const char *scenario);

void world_call(struct world *world, const char *service, const char *operation, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/* Of the last answer: a path of names and indices. NULL or -1 if there is no such thing. */
const char *world_text(const struct world *world, const char *path);
int64_t world_number(const struct world *world, const char *path);
int world_length(const struct world *world, const char *path);

/* The error code as a client finds it; "" if none. */
const char *world_error(const struct world *world);
const char *world_header(const struct world *world, const char *name);

/* Puts an event that can be read at once. */
void world_event(struct world *world, const char *group, int64_t ago_ms, const char *message);

/* Adds a fault for its next chance. */
void world_fault(struct world *world, enum sim_fault_kind kind, const char *operation,
                 int64_t value);

struct sim_service *world_service(const struct world *world, const char *cluster,
                                  const char *service);

#endif
