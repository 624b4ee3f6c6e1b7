/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_DAEMON_H
#define PROVISIONERCTL_DAEMON_H

/*
 * The daemon's answers, by D-Bus: org.provisionerd(5). It is looked for on the system bus, and then at
 * its own socket: that of --socket, of the unit's runtime directory, of the configuration's state
 * directory.
 */

#include <systemd/sd-bus.h>

#include "clock.h"
#include "ctl/ctl.h"

#define DAEMON_RUNTIME_SOCKET "/run/provisionerd/control"

struct daemon_service {
    char *name;
    char *condition;   /* "fit", "missing", "untouchable", "unknown" */
    int desired_count; /* -1: not known */
    int running_count;
    int wake_count; /* what a wake gives it; -1: nothing is owed */
};

/* What somebody asked for. */
struct daemon_request {
    char *kind; /* "hold-awake", "hold-asleep", "sleep"; "": nothing */
    struct wall since;
    struct wall until;
    char *by;
    char *why;
};

struct daemon_environment {
    char *name;
    char *path; /* its object */
    char *cluster;
    char *state; /* "awake", "waking", "asleep", "falling-asleep", "unknown" */
    struct wall since;
    struct wall last_activity;
    char *last_activity_message;
    struct {
        struct wall at;
        char *reason;
        char *text;
    } last_check;
    struct wall next_check;
    char *reason;
    char *reason_text;
    struct daemon_request request;
    struct daemon_service *services;
    size_t n_services;
    char **troubles; /* ends in a NULL */
};

struct daemon {
    sd_bus *bus;
    bool is_on_system_bus;
};

/* Says what went wrong. Returns EXIT_SUCCESS or an exit status; then nothing is to be closed. */
int daemon_open(const struct ctl *ctl, struct daemon *ret);
void daemon_close(struct daemon *daemon);

/* A call to an object of the daemon's; *ret_reply may be NULL. Says what went wrong. Returns EXIT_SUCCESS
 * or an exit status. */
int daemon_call(const struct daemon *daemon, const char *path, const char *interface,
                const char *method, sd_bus_message **ret_reply, const char *signature, ...);

/* The environment of that name, or all. Says what went wrong. Returns EXIT_SUCCESS or an exit status. */
int daemon_read(const struct daemon *daemon, const char *name, struct daemon_environment *ret);
int daemon_read_all(const struct daemon *daemon, struct daemon_environment **ret, size_t *ret_n);
void daemon_environment_clear(struct daemon_environment *environment);
void daemon_free_all(struct daemon_environment *environments, size_t n);

/* Waits for at most so long until the daemon tells that something changed. Returns 0 or a negative errno:
 * it is gone. */
int daemon_wait(const struct daemon *daemon, int64_t timeout_ms);

#endif
