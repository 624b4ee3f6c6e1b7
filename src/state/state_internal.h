/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_STATE_INTERNAL_H
#define PROVISIONERD_STATE_INTERNAL_H

/* The inside of the state, shared by the files of that name. */

#include "json.h"
#include "state.h"
#include "storage.h"

struct state {
    struct storage *storage; /* NULL: read-only, and there is no directory */
    enum state_access access;
    struct state_environment *environments;
    size_t n_environments;
    struct state_request *requests;
    size_t n_requests;
};

/* An ISO 8601 text; WALL_NEVER if there is none. Returns 0 or -errno. */
int state_read_moment(struct json_object *object, const char *name, struct wall *ret);

/* Nothing if the moment is not set. */
int state_add_moment(struct json_object *object, const char *name, struct wall moment);

/* state_requests.c: the document's `requests`, which may be missing; without those that expired long ago.
 * Returns 0 or -errno. */
int state_read_requests(struct state *state, struct json_object *document, struct wall now);
int state_write_requests(const struct state *state, struct json_object *document);
void state_clear_requests(struct state *state);

#endif
