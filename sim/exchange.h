/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_EXCHANGE_H
#define PROVISIONERD_SIM_EXCHANGE_H

/*
 * One HTTP exchange of the server: a request gathered from libmicrohttpd, handed to sim_handle(), and
 * its answer carried out as the model wishes it to travel: late, byte by byte, broken, or never.
 *
 * An exchange that waits has its connection suspended. The server's loop polls those connections for
 * the client going away (libmicrohttpd does not look at them) and wakes the exchange when it is due.
 */

#include <microhttpd.h>
#include <poll.h>
#include <stdint.h>

#include "sim/sim.h"
#include "src/clock.h"

/* Requests are small; a test that puts many events at once needs some room. */
#define EXCHANGE_BODY_MAX ((size_t)16 * 1024 * 1024)
#define EXCHANGE_HEADERS_MAX 100

struct exchange;

struct exchanges {
    struct sim *sim;
    struct exchange *waiting; /* a list: connections suspended */
};

/* The present; sim, which may be NULL, can have its clock set apart from ours. */
struct wall exchange_wall(const struct sim *sim);
struct mono exchange_mono(void);

/* For MHD_OPTION_URI_LOG_CALLBACK, MHD_start_daemon() and MHD_OPTION_NOTIFY_COMPLETED; userdata is a
 * struct exchanges. */
void *exchange_begin(void *userdata, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_progress(void *userdata, struct MHD_Connection *connection,
                                  const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **request);
void exchange_end(void *userdata, struct MHD_Connection *connection, void **request,
                  enum MHD_RequestTerminationCode why);

/* Fills in the connections to watch, at most `size`; returns how many. *ret_due is when the first
 * waiting exchange wants to go on: MONO_FOREVER if none does. */
size_t exchanges_watch(const struct exchanges *exchanges, struct pollfd *fds, size_t size,
                       struct mono *ret_due);

/* Resumes what is due, and what lost its client as fds (filled in above, since polled) tell. */
void exchanges_wake(struct exchanges *exchanges, const struct pollfd *fds, size_t n,
                    struct mono now);

/* Gives all waiting ones up, before the daemon is stopped. */
void exchanges_abandon(struct exchanges *exchanges);

#endif
