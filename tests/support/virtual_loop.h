/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_VIRTUAL_LOOP_H
#define PROVISIONERD_TESTS_VIRTUAL_LOOP_H

/*
 * src/loop.h under virtual time: what is linked with this runs years in seconds, and the same way
 * each time.
 *
 * Time stands still while callbacks run and leaps to the next timer when they are done. Timers due
 * at the same moment fire in the order in which they were armed (the real loop promises no order). A
 * new loop begins at noon (UTC) of 2 March 2026, a Monday, with seed 1.
 *
 *     loop_new(&loop);
 *     ... make the module under test ...
 *     virtual_loop_run_for(loop, 10 * MS_PER_MINUTE);
 *     ... assert ...
 *
 * loop_run() fires timers until loop_exit(); when none is armed, nothing can happen any more, and it
 * returns -EDEADLK; so does loop_run_until(). File descriptors have no place in virtual time: loop_io_new() is -ENOTSUP.
 * loop_watchdog_enable() returns 0.
 */

#include <signal.h>

#include "src/loop.h"

#define VIRTUAL_LOOP_START ((struct wall){.ms = INT64_C(1772452800000)})

/* So many callbacks at one moment mean that time has stopped: the test is aborted with a word. */
#define VIRTUAL_LOOP_CALLBACKS_AT_ONCE_MAX 1000000

/* The sequence of loop_random() from here on is a function of the seed. */
void virtual_loop_seed(struct loop *loop, uint64_t seed);

/* The wall clock is set, or stepped, as by an administrator or NTP; mono goes on undisturbed. */
void virtual_loop_set_wall(struct loop *loop, struct wall wall);
void virtual_loop_step_wall(struct loop *loop, int64_t delta_ms);

/* The host sleeps: both clocks advance, and nothing fires meanwhile. What came due fires after it. */
void virtual_loop_suspend(struct loop *loop, int64_t duration_ms);

/*
 * Fires what comes due within the next duration_ms, in order, and ends at exactly that moment. With
 * 0: what is due now, deferred calls included. Ends early at loop_exit().
 */
void virtual_loop_run_for(struct loop *loop, int64_t duration_ms);

/* Fires until no timer is armed, or loop_exit(). For what comes to an end by itself. */
void virtual_loop_run_until_idle(struct loop *loop);

/* Fires the next callback that is due within duration_ms, alone. Returns whether there was one; if
 * not, the time has passed. For whoever must look at the world after each. */
bool virtual_loop_step(struct loop *loop, int64_t duration_ms);

/* When the next timer is due: possibly past; MONO_FOREVER if none is armed. */
struct mono virtual_loop_next(struct loop *loop);

/*
 * The signal's callback comes when the loop next runs, before any timer; raised twice meanwhile, it
 * comes once. Returns false if nobody has asked for the signal.
 */
bool virtual_loop_raise_signal(struct loop *loop, int signal_number);

/* Whether loop_exit() has been called, and with what code (ret_code may be NULL). */
bool virtual_loop_has_exited(struct loop *loop, int *ret_code);

/* Timers that exist, armed or not: a test's check that everything has been freed. */
size_t virtual_loop_timers(struct loop *loop);

#endif
