/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_STATE_H
#define PROVISIONERD_STATE_H

/*
 * What must survive a crash: which environments were put to sleep, and the desired counts from before;
 * and what people asked for by hand.
 *
 * One small versioned JSON file, `state.json`, in the state directory. state_save() replaces it
 * whole: temporary file, fsync, rename, fsync of the directory; so a reader finds the old state or
 * the new one, never a part. A file that cannot be understood is kept aside under another name and
 * never slept from. The directory is locked: two daemons must not share it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "policy.h"

/* Longer texts are refused: who asked, and why. */
#define STATE_REQUEST_TEXT_MAX 256

struct state;

struct state_service {
    char *name;
    int recorded_count; /* desiredCount from before the sleep; still owed */
    bool slept;         /* seen at 0 since */
};

/* An environment that is asleep, or awake with counts still to be given back. Its name and its cluster
 * together are the key: under one name there may have been several. */
struct state_environment {
    char *name;
    char *cluster;
    bool asleep; /* the wanted state */
    struct wall since;
    struct wall acted_at;      /* not later than this a count was last written */
    struct wall last_activity; /* WALL_NEVER: none known */
    struct state_service *services;
    size_t n_services;
};

/* What somebody asked for; at most one an environment. */
struct state_request {
    char *name; /* of the environment; with its cluster, the key */
    char *cluster;
    struct policy_request request;
    char *by;  /* "alice", "uid 1000" */
    char *why; /* may be empty */
};

enum state_access {
    STATE_READ_WRITE,
    STATE_READ_ONLY, /* --dry-run: no lock; state_save() does nothing, successfully */
};

/*
 * Opens the directory (made if it is missing) and reads the file; a missing file is an empty state.
 * Returns 0, -ENOMEM, -EWOULDBLOCK (another daemon holds the lock) or another negative errno of
 * opening the directory or reading the file: an empty state would not do, counts may be owed.
 * *ret_trouble is NULL or (allocated) what is wrong though the state is usable: a file that was read
 * and not understood, and set aside; a directory that cannot be written.
 */
int state_open(const char *directory, enum state_access access, struct wall now, struct state **ret,
               char **ret_trouble);
struct state *state_free(struct state *state);

/* Borrowed until the next state_put() or state_remove(); NULL if there is none. */
const struct state_environment *state_find(const struct state *state, const char *name,
                                           const char *cluster);
size_t state_count(const struct state *state);
const struct state_environment *state_at(const struct state *state, size_t index);

/* In memory; copied. Returns 0 or -ENOMEM, and then nothing has changed. */
int state_put(struct state *state, const struct state_environment *environment);
void state_remove(struct state *state, const char *name, const char *cluster);
/* That service is owed nothing any more. What else is recorded of its environment is not asleep then;
 * with its last service, the environment goes. */
void state_remove_service(struct state *state, const char *name, const char *cluster,
                          const char *service);

/* Borrowed until the next state_put_request() or state_remove_request(); NULL if there is none. */
const struct state_request *state_find_request(const struct state *state, const char *name,
                                               const char *cluster);

/* In memory; copied, and in place of an earlier one. Returns 0, -ENOMEM, or -E2BIG (a text is longer than
 * STATE_REQUEST_TEXT_MAX); then nothing has changed. */
int state_put_request(struct state *state, const struct state_request *request);
void state_remove_request(struct state *state, const char *name, const char *cluster);

/* To disk, durably. Returns 0 or a negative errno: then the file is the old one or the new one, whole. */
int state_save(struct state *state);

/* A copy for the caller, and its release. Members of a zeroed struct may be cleared too. */
int state_environment_copy(const struct state_environment *from, struct state_environment *ret);
void state_environment_clear(struct state_environment *environment);

#endif
