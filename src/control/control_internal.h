/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CONTROL_INTERNAL_H
#define PROVISIONERD_CONTROL_INTERNAL_H

/* The inside of the control, shared by the files of that name. */

#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "control.h"

/* One connection: to the system bus, or of somebody to our socket. */
struct control_connection {
    struct control *control;
    sd_bus *bus;  /* NULL: none */
    bool is_peer; /* somebody at our socket */
    uid_t uid;    /* of the peer */
    bool is_over; /* to be closed by the sweep, not from within its own callback */
};

struct control {
    struct loop *loop;
    struct scheduler *scheduler;
    bool dry_run;
    struct control_connection system;
    bool was_told_off; /* that there is no system bus */
    struct loop_timer *reconnect;
    char *socket_path; /* NULL: none */
    int socket_fd;
    struct loop_io *socket_io;
    struct control_connection *peers[16]; /* so many at a time; more are turned away */
    struct loop_timer *sweep;
};

/* Attaches it to the loop, and publishes the objects. Takes the bus, also on failure. */
int control_connection_begin(struct control *control, sd_bus *bus,
                             struct control_connection *connection);
void control_connection_end(struct control_connection *connection);

/* control_objects.c: the two interfaces. Returns 0 or a negative errno. */
int control_publish(struct control_connection *connection);
/* The environment of that object path; NULL: there is none. */
struct environment *control_environment_at(struct control_connection *connection, const char *path);

/* control_acts.c. */
int control_method_wake(sd_bus_message *message, void *userdata, sd_bus_error *error);
int control_method_sleep(sd_bus_message *message, void *userdata, sd_bus_error *error);
int control_method_hold(sd_bus_message *message, void *userdata, sd_bus_error *error);
int control_method_release(sd_bus_message *message, void *userdata, sd_bus_error *error);

/* control_socket.c. */
int control_listen(struct control *control, const char *directory);
void control_hang_up(struct control *control);

/* control_who.c: who sent the message, for the audit: "alice", "uid 1000". Calls done once, from the loop or
 * at once, unless the connection ends before; and release in any case. Returns 0, or a negative errno: then
 * neither is called. The name is borrowed. */
typedef void control_who_fn(sd_bus_message *message, const char *who, void *userdata);
int control_ask_who(struct control_connection *connection, sd_bus_message *message,
                    control_who_fn *done, void (*release)(void *userdata), void *userdata);

#endif
