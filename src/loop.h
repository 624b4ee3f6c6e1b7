/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_LOOP_H
#define PROVISIONERD_LOOP_H

/*
 * The event loop: a thin seam over sd-event, and the only place time and chance come from.
 *
 * Everything above is written against this page, so the same code runs in production (loop.c) and
 * under virtual time (tests link another implementation of this header). Single-threaded: every
 * callback runs from loop_run(), never from inside the call that registered it.
 *
 * Ownership: timers and I/O watches belong to whoever made them, and may be freed at any time, even
 * from within their own callback. Free them before the loop.
 */

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

struct loop;
struct loop_timer;
struct loop_io;

/* Returns 0 or a negative errno. */
int loop_new(struct loop **ret);
struct loop *loop_free(struct loop *loop);

/* Runs until loop_exit(). Returns the code given there, or a negative errno. */
int loop_run(struct loop *loop);
void loop_exit(struct loop *loop, int code);

/* For programs that do one thing after the other: runs until *done, which callbacks set, and may be
 * called again. Returns 0 or a negative errno. */
int loop_run_until(struct loop *loop, const bool *done);

struct wall loop_wall(struct loop *loop);
struct mono loop_mono(struct loop *loop);

/* Uniform in [0, bound); 0 when bound is 0. For jitter, never for secrets. */
uint64_t loop_random(struct loop *loop, uint64_t bound);

/*
 * A timer is made stopped, fires once an arming, and may be re-armed from its callback. A moment past
 * or a delay of 0 or less fires at the loop's next turn; one a hundred years away, MONO_FOREVER
 * among them, stops the timer. Once the loop has ended, arming is nothing: what is freed then may well
 * arm what is freed next. Timers that have come due by the same turn, even at different moments,
 * fire in any order: do not rely on one.
 */
typedef void loop_timer_fn(void *userdata);
int loop_timer_new(struct loop *loop, loop_timer_fn *fire, void *userdata, struct loop_timer **ret);
void loop_timer_at(struct loop_timer *timer, struct mono when);
void loop_timer_after(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
struct loop_timer *loop_timer_free(struct loop_timer *timer);

/* Watches fd (borrowed) for EPOLLIN, EPOLLOUT; EPOLLERR and EPOLLHUP are always reported. */
typedef void loop_io_fn(void *userdata, int fd, uint32_t revents);
int loop_io_new(struct loop *loop, int fd, uint32_t events, loop_io_fn *ready, void *userdata,
                struct loop_io **ret);
int loop_io_set_events(struct loop_io *io, uint32_t events);
struct loop_io *loop_io_free(struct loop_io *io);

/*
 * Delivers the signal as an event, until the loop is freed. It stays blocked even then: a second
 * SIGTERM must not kill a daemon that is cleaning up. -EBUSY if the signal is already taken.
 */
typedef void loop_signal_fn(void *userdata, int signal_number);
int loop_signal_new(struct loop *loop, int signal_number, loop_signal_fn *received, void *userdata);

/* The event loop underneath, for a library that attaches itself to one: sd-bus. Borrowed; there is none
 * under virtual time. */
struct sd_event *loop_event(const struct loop *loop);

/* Feeds systemd's watchdog if the unit has WatchdogSec=. Returns 1 if it does, 0 if not, or -errno. */
int loop_watchdog_enable(struct loop *loop);

#endif
