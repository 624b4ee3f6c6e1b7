/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_SESSION_H
#define PROVISIONERCTL_SESSION_H

/*
 * Asking AWS one thing after the other: the daemon's own connection, waited for. An interrupt (^C)
 * ends the wait, not the program, so that what was found so far can be shown.
 */

#include "connection.h"
#include "logs.h"
#include "loop.h"

struct session {
    struct loop *loop;
    struct connection connection;
    bool is_interrupted;
    bool is_done; /* with what is waited for at present */
};

/* Borrows config. Says what went wrong. Returns 0 or a negative errno; ret is to be closed in any
 * case. */
int session_open(const struct config *config, struct session *ret);
void session_close(struct session *session);

/* For what is asked by its own function (ecs.h): set is_done to is_interrupted, ask, have the callback
 * set it, and wait. Returns false when it was interrupted: what was asked is to be cancelled. */
bool session_wait(struct session *session);

/* One call. With AWS_OK, *ret_body is the caller's to put; else NULL. */
void session_call(struct session *session, enum aws_operation operation,
                  struct json_object *parameters, struct aws_error *ret_error,
                  struct json_object **ret_body);

/* A search, to its end; `event` as in logs.h. An interrupted one is not exhausted. */
void session_filter(struct session *session, const struct logs_filter_request *request,
                    logs_event_fn *event, void *userdata, struct logs_filter_result *ret);

/* "cannot WHAT: ...", with what to do. Returns the exit status that it makes. */
int session_tell(const char *what, enum aws_operation operation, const struct aws_error *error);

#endif
