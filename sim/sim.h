/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_H
#define PROVISIONERD_SIM_H

/*
 * The simulated AWS: one model, behind one door.
 *
 * sim_handle() takes an HTTP request at a moment and gives the response that AWS would, for
 * CloudWatch Logs, ECS, STS, the instance metadata service (IMDSv2) and the container credentials
 * endpoint, plus an administration interface below /_sim/. It has no clock, no threads and no I/O:
 * things that take time (ingestion, queries, task starts, stale reads) are computed from the moment
 * given, so the model runs equally under real and virtual time.
 *
 * Two fronts carry requests to this door: server.c (libmicrohttpd, HTTP and HTTPS) and in_process.c,
 * which implements src/http.h under virtual time.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/clock.h"

struct sim;

struct sim_header {
    const char *name;
    const char *value;
};

struct sim_request {
    const char *method;
    const char *path;  /* as sent, undecoded, before '?' */
    const char *query; /* after '?', undecoded; "" if none */
    const struct sim_header *headers;
    size_t n_headers;
    const char *body;
    size_t body_size;
};

/* How the answer travels; a fault may spoil it. */
enum sim_delivery {
    SIM_DELIVER,
    SIM_REFUSE,  /* connection closed before a byte of answer */
    SIM_RESET,   /* connection broken after `cut_after` bytes of body */
    SIM_STALL,   /* headers and `cut_after` bytes, then silence */
    SIM_TRICKLE, /* one byte a second */
};

struct sim_response {
    int status;
    struct sim_header *headers; /* allocated, names and values too */
    size_t n_headers;
    char *body; /* allocated */
    size_t body_size;
    enum sim_delivery delivery;
    size_t cut_after;
    int64_t latency_ms;              /* before the first byte */
    int64_t content_length_override; /* -1: the true one */
};

/*
 * scenario: the world to begin with; see sim/README.md. Borrowed.
 * Returns 0, -ENOMEM, or -EINVAL with *ret_error (allocated) naming the member at fault.
 */
int sim_new(struct json_object *scenario, struct wall now, struct sim **ret, char **ret_error);
struct sim *sim_free(struct sim *sim);

/* Always answers; memory shortage is an HTTP 500. `now` never goes back from call to call except as
 * a test wishes it to. */
void sim_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                struct sim_response *ret);
void sim_response_clear(struct sim_response *response);

#endif
