/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_SIMULATION_MACHINERY_H
#define PROVISIONERD_TESTS_SIMULATION_MACHINERY_H

/* Between the files of the simulation; the judge wants world.h. */

#include <stdio.h>

#include "tests/simulation/memory_storage.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/world.h"
#include "tests/support/virtual_loop.h"

#define INI_PATH "provisionerd.ini" /* in the working directory, which is the simulation's own */

/* --- world.c ------------------------------------------------------------------------------------ */

struct simulation_result {
    uint64_t seed;
    uint64_t trace_hash;
    int64_t environment_ms; /* simulated time, times environments */
    uint64_t n_steps, n_calls;
    uint64_t n_sleeps, n_wakes; /* UpdateService to 0, and to more, that AWS carried out */
    uint64_t fired[MISFORTUNES_N];
    char invariant[8]; /* "": no violation */
    char violation[2048];
    int64_t violated_at_ms; /* since the beginning */
};

/* Runs the plan to its end, or to the first violation. `out` gets the trace; NULL: nobody. Returns 0
 * or -ENOMEM. */
int simulation_run(struct plan *plan, FILE *out, struct simulation_result *ret);

/* The last decisions and acts of the last run, for the report of a failure. */
void simulation_print_last(FILE *out);

int64_t simulation_offset_ms(const struct simulation *simulation);

/* Something bad is in force from here on, or no longer, or was for a moment. operation: the only one that
 * it bears on; NULL: all. */
void simulation_trouble_begins(struct simulation *simulation, const char *operation);
void simulation_trouble_ends(struct simulation *simulation, const char *operation);
void simulation_disturb(struct simulation *simulation);

void simulation_fired(struct simulation *simulation, enum misfortune misfortune, uint64_t n);
void simulation_restart_after(struct simulation *simulation, int64_t delay_ms);

/* --- people.c ----------------------------------------------------------------------------------- */

int64_t people_act(struct simulation *simulation, struct plan_item *item);
int64_t aws_acts(struct simulation *simulation, struct plan_item *item);
void people_scale(struct simulation *simulation, struct world_environment *environment,
                  struct world_service *service, int64_t count);

/* --- daemon.c ----------------------------------------------------------------------------------- */

/* Returns 0; or it did not come up: -EINVAL for its INI, another for its state. */
int daemon_start(struct simulation *simulation);
void daemon_reload(struct simulation *simulation);
/* SIGTERM; it goes by itself, some steps later. */
void daemon_stop(struct simulation *simulation);
bool daemon_has_stopped(const struct simulation *simulation);
/* Dead or stopped, it is taken away. */
void daemon_bury(struct simulation *simulation);
/* A dead process asks for something. */
bool daemon_may_store(void *userdata, const char *step);

int ini_write(const struct simulation *simulation);

/* --- wire.c ------------------------------------------------------------------------------------- */

struct wire_trouble {
    uint64_t no_names_percent, down_percent, late_percent;
    int64_t late_ms;
};

int wire_open(struct simulation *simulation);
void wire_close(void);
struct wire_trouble *wire_trouble(void);

/* --- trace.c ------------------------------------------------------------------------------------ */

int trace_new(FILE *out, struct trace **ret);
struct trace *trace_free(struct trace *trace);
uint64_t trace_hash(const struct trace *trace);
void trace_act(struct simulation *simulation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void trace_told(struct simulation *simulation, int level, const char *message_id,
                const char *message);
void trace_call(struct simulation *simulation, const struct world_call *call);
void trace_print_last(const struct trace *trace, FILE *out);

#endif
