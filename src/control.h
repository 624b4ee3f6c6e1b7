/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CONTROL_H
#define PROVISIONERD_CONTROL_H

/*
 * What provisionerctl speaks: the D-Bus interface of org.provisionerd(5), on the system bus, and on a
 * socket of our own for hosts and containers that have none.
 *
 * Who may: on the system bus everybody may read, and root and the group `provisionerd` may act; the bus
 * sees to it (dbus/org.provisionerd.conf). On the socket, whoever can open it: its owner and its group.
 *
 * A bus that is not there, or goes away, is no error: it is tried again. Nothing here waits.
 */

#include "loop.h"
#include "scheduler.h"

#define CONTROL_BUS_NAME "org.provisionerd"
#define CONTROL_PATH "/org/provisionerd"
#define CONTROL_ENVIRONMENT_PATH "/org/provisionerd/environment"
#define CONTROL_MANAGER_INTERFACE "org.provisionerd.Manager"
#define CONTROL_ENVIRONMENT_INTERFACE "org.provisionerd.Environment"
#define CONTROL_ERROR_NO_SUCH_ENVIRONMENT "org.provisionerd.Error.NoSuchEnvironment"
/* Of the socket, in the runtime directory, or, where there is none, in the state directory. */
#define CONTROL_SOCKET "control"
/* A hold is for a year at the longest: what is meant for ever belongs into the configuration. */
#define CONTROL_HOLD_MAX_MS (366 * MS_PER_DAY)

struct control;

struct control_options {
    struct loop *loop;           /* borrowed */
    struct scheduler *scheduler; /* borrowed */
    bool dry_run;
    const char *socket_directory; /* NULL: no socket */
};

/* Returns 0, or a negative errno: then there is nothing to talk by, and the daemon does its work. */
int control_new(const struct control_options *options, struct control **ret);
struct control *control_free(struct control *control);

/* Tells those who listen. NULL is nothing to tell anybody. */
void control_environment_changed(struct control *control, struct environment *environment);
void control_reloaded(struct control *control);

#endif
