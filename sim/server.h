/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_SERVER_H
#define PROVISIONERD_SIM_SERVER_H

/*
 * The simulated AWS over HTTP and HTTPS: libmicrohttpd without threads, in one poll loop with the
 * model and with whatever else its owner does from time to time (`work`).
 */

#include <stdbool.h>
#include <stdint.h>

#include "sim/sim.h"

/* More would wait in the listen queue. Far above what one daemon and its tests open. */
#define SERVER_CONNECTIONS_MAX 512
/* A connection on which nothing happens; AWS's own keep-alive is shorter. */
#define SERVER_IDLE_TIMEOUT_S 120

struct server;

struct server_options {
    const char *http_listen;  /* "127.0.0.1:4566", "[::1]:0"; port 0 picks one. NULL: none */
    const char *https_listen; /* NULL: none */
    const char *certificate;  /* PEM text, for https_listen */
    const char *private_key;
    bool allow_remote; /* else other than loopback addresses are refused */
};

/* Listens at once. sim is borrowed. Returns 0, or a negative errno with *ret_error (allocated; NULL
 * when out of memory) saying what and why. */
int server_new(struct sim *sim, const struct server_options *options, struct server **ret,
               char **ret_error);
struct server *server_free(struct server *server);

/* As bound; 0: does not listen so. */
uint16_t server_http_port(const struct server *server);
uint16_t server_https_port(const struct server *server);

/* Called before each wait; returns after how many milliseconds at the latest to call it again, or -1:
 * not needed. */
typedef int64_t server_work_fn(void *userdata);

/* Serves until stop_fd can be read. work may be NULL. Returns 0 or a negative errno. */
int server_run(struct server *server, int stop_fd, server_work_fn *work, void *userdata);

#endif
