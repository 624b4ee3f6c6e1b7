/* SPDX-License-Identifier: MIT */
#include "virtual_loop.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SIGNALS_MAX 65

/* An hour of uptime, so that mono and duration are not easily confused. */
#define MONO_START ((struct mono){.ms = MS_PER_HOUR})

#define NOT_ARMED SIZE_MAX

struct loop_timer {
    struct loop *loop;
    loop_timer_fn *fire;
    void *userdata;
    struct mono when;
    uint64_t order; /* of arming: first come, first served among equals */
    size_t place;   /* in the heap, or NOT_ARMED */
};

struct virtual_signal {
    loop_signal_fn *received;
    void *userdata;
    bool pending;
};

struct loop {
    struct wall wall;
    struct mono mono;

    /* A binary heap, the earliest at the top; with room for every timer that exists, so that
     * arming one cannot fail. */
    struct loop_timer **heap;
    size_t n_armed;
    size_t n_timers;
    size_t capacity;
    uint64_t next_order;

    struct virtual_signal signals[SIGNALS_MAX];
    bool has_signals; /* one of them may be pending */

    uint64_t random_state;

    struct mono last_moment;
    unsigned callbacks_at_once;

    bool exited;
    int exit_code;
};

int loop_new(struct loop **ret)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (!loop)
        return -ENOMEM;
    loop->wall = VIRTUAL_LOOP_START;
    loop->mono = MONO_START;
    virtual_loop_seed(loop, 1);
    *ret = loop;
    return 0;
}

struct loop *loop_free(struct loop *loop)
{
    if (!loop)
        return NULL;
    assert(loop->n_timers == 0); /* "Free them before the loop" */
    free(loop->heap);
    free(loop);
    return NULL;
}

/* --- the heap -------------------------------------------------------------------------------- */

static bool is_before(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->when.ms != b->when.ms ? a->when.ms < b->when.ms : a->order < b->order;
}

static void heap_put(struct loop *loop, size_t place, struct loop_timer *timer)
{
    loop->heap[place] = timer;
    timer->place = place;
}

static void heap_rise(struct loop *loop, struct loop_timer *timer)
{
    size_t place = timer->place;

    while (place > 0 && is_before(timer, loop->heap[(place - 1) / 2])) {
        heap_put(loop, place, loop->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    heap_put(loop, place, timer);
}

static void heap_sink(struct loop *loop, struct loop_timer *timer)
{
    size_t place = timer->place;

    for (;;) {
        size_t child = 2 * place + 1;

        if (child + 1 < loop->n_armed && is_before(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (child >= loop->n_armed || !is_before(loop->heap[child], timer))
            break;
        heap_put(loop, place, loop->heap[child]);
        place = child;
    }
    heap_put(loop, place, timer);
}

static void heap_remove(struct loop *loop, struct loop_timer *timer)
{
    struct loop_timer *last = loop->heap[--loop->n_armed];

    if (last != timer) {
        heap_put(loop, timer->place, last);
        heap_rise(loop, last);
        heap_sink(loop, last);
    }
    timer->place = NOT_ARMED;
}

/* --- timers ---------------------------------------------------------------------------------- */

int loop_timer_new(struct loop *loop, loop_timer_fn *fire, void *userdata, struct loop_timer **ret)
{
    struct loop_timer *timer;

    if (loop->n_timers == loop->capacity) {
        size_t capacity = loop->capacity ? 2 * loop->capacity : 16;
        struct loop_timer **heap = reallocarray(loop->heap, capacity, sizeof(struct loop_timer *));

        if (!heap)
            return -ENOMEM;
        loop->heap = heap;
        loop->capacity = capacity;
    }
    timer = malloc(sizeof(*timer));
    if (!timer)
        return -ENOMEM;
    *timer =
        (struct loop_timer){.loop = loop, .fire = fire, .userdata = userdata, .place = NOT_ARMED};
    loop->n_timers++;
    *ret = timer;
    return 0;
}

void loop_timer_at(struct loop_timer *timer, struct mono when)
{
    struct loop *loop = timer->loop;

    loop_timer_stop(timer);
    if (when.ms >= MONO_FOREVER.ms)
        return;
    timer->when = when;
    timer->order = loop->next_order++;
    heap_put(loop, loop->n_armed++, timer);
    heap_rise(loop, timer);
}

void loop_timer_after(struct loop_timer *timer, int64_t delay_ms)
{
    int64_t longest_ms = MONO_FOREVER.ms - timer->loop->mono.ms;

    loop_timer_at(timer,
                  delay_ms < longest_ms ? mono_add(timer->loop->mono, delay_ms) : MONO_FOREVER);
}

void loop_timer_stop(struct loop_timer *timer)
{
    if (timer->place != NOT_ARMED)
        heap_remove(timer->loop, timer);
}

struct loop_timer *loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return NULL;
    loop_timer_stop(timer);
    timer->loop->n_timers--;
    free(timer);
    return NULL;
}

size_t virtual_loop_timers(struct loop *loop)
{
    return loop->n_timers;
}

/* --- what virtual time has not --------------------------------------------------------------- */

int loop_io_new(struct loop *loop, int fd, uint32_t events, loop_io_fn *ready, void *userdata,
                struct loop_io **ret)
{
    (void)loop, (void)fd, (void)events, (void)ready, (void)userdata, (void)ret;
    return -ENOTSUP;
}

int loop_io_set_events(struct loop_io *io, uint32_t events)
{
    (void)io, (void)events;
    return -ENOTSUP;
}

struct loop_io *loop_io_free(struct loop_io *io)
{
    assert(!io);
    return NULL;
}

int loop_watchdog_enable(struct loop *loop)
{
    (void)loop;
    return 0;
}

/* --- signals --------------------------------------------------------------------------------- */

int loop_signal_new(struct loop *loop, int signal_number, loop_signal_fn *received, void *userdata)
{
    if (signal_number <= 0 || signal_number >= SIGNALS_MAX)
        return -EINVAL;
    if (loop->signals[signal_number].received)
        return -EBUSY;
    loop->signals[signal_number] =
        (struct virtual_signal){.received = received, .userdata = userdata};
    return 0;
}

bool virtual_loop_raise_signal(struct loop *loop, int signal_number)
{
    assert(signal_number > 0 && signal_number < SIGNALS_MAX);
    if (!loop->signals[signal_number].received)
        return false;
    loop->signals[signal_number].pending = loop->has_signals = true;
    return true;
}

static bool deliver_signal(struct loop *loop)
{
    for (int number = 1; loop->has_signals && number < SIGNALS_MAX; number++) {
        struct virtual_signal *signal = &loop->signals[number];

        if (signal->pending) {
            signal->pending = false;
            signal->received(signal->userdata, number);
            return true;
        }
    }
    loop->has_signals = false;
    return false;
}

/* --- running --------------------------------------------------------------------------------- */

static void advance_to(struct loop *loop, struct mono when)
{
    int64_t duration_ms = mono_since(when, loop->mono);

    if (duration_ms > 0) {
        loop->mono = when;
        loop->wall = wall_add(loop->wall, duration_ms);
    }
}

static void watch_progress(struct loop *loop)
{
    if (loop->last_moment.ms != loop->mono.ms)
        loop->callbacks_at_once = 0;
    loop->last_moment = loop->mono;
    if (++loop->callbacks_at_once > VIRTUAL_LOOP_CALLBACKS_AT_ONCE_MAX) {
        fprintf(stderr, "virtual loop: time stands still, callbacks follow each other endlessly\n");
        abort();
    }
}

/* Fires the next callback due no later than `until`. Returns whether there was one. */
static bool step(struct loop *loop, struct mono until)
{
    struct loop_timer *timer;

    if (loop->exited)
        return false;
    if (deliver_signal(loop)) {
        watch_progress(loop);
        return true;
    }
    if (virtual_loop_next(loop).ms > until.ms || loop->n_armed == 0)
        return false;
    timer = loop->heap[0];
    advance_to(loop, timer->when);
    watch_progress(loop);
    heap_remove(loop, timer);
    timer->fire(timer->userdata); /* which may free the timer */
    return true;
}

int loop_run(struct loop *loop)
{
    while (step(loop, MONO_FOREVER))
        ;
    return loop->exited ? loop->exit_code : -EDEADLK;
}

int loop_run_until(struct loop *loop, const bool *done)
{
    while (!*done) {
        if (!step(loop, MONO_FOREVER))
            return -EDEADLK;
    }
    return 0;
}

void loop_exit(struct loop *loop, int code)
{
    loop->exited = true;
    loop->exit_code = code;
}

bool virtual_loop_has_exited(struct loop *loop, int *ret_code)
{
    if (loop->exited && ret_code)
        *ret_code = loop->exit_code;
    return loop->exited;
}

void virtual_loop_run_for(struct loop *loop, int64_t duration_ms)
{
    struct mono end = mono_add(loop->mono, duration_ms);

    while (step(loop, end))
        ;
    if (!loop->exited)
        advance_to(loop, end);
}

bool virtual_loop_step(struct loop *loop, int64_t duration_ms)
{
    struct mono end = mono_add(loop->mono, duration_ms);

    if (step(loop, end))
        return true;
    if (!loop->exited)
        advance_to(loop, end);
    return false;
}

void virtual_loop_run_until_idle(struct loop *loop)
{
    while (step(loop, MONO_FOREVER))
        ;
}

struct mono virtual_loop_next(struct loop *loop)
{
    return loop->n_armed ? loop->heap[0]->when : MONO_FOREVER;
}

/* --- clocks and chance ----------------------------------------------------------------------- */

struct wall loop_wall(struct loop *loop)
{
    return loop->wall;
}

struct mono loop_mono(struct loop *loop)
{
    return loop->mono;
}

void virtual_loop_set_wall(struct loop *loop, struct wall wall)
{
    loop->wall = wall;
}

void virtual_loop_step_wall(struct loop *loop, int64_t delta_ms)
{
    loop->wall = wall_add(loop->wall, delta_ms);
}

void virtual_loop_suspend(struct loop *loop, int64_t duration_ms)
{
    advance_to(loop, mono_add(loop->mono, duration_ms));
}

void virtual_loop_seed(struct loop *loop, uint64_t seed)
{
    loop->random_state = seed;
}

/* SplitMix64 (Steele, Lea, Flood 2014): a counter in steps of the golden ratio, its bits mixed. */
static uint64_t next_random(struct loop *loop)
{
    uint64_t z = loop->random_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t loop_random(struct loop *loop, uint64_t bound)
{
    uint64_t value, excess;

    if (bound == 0)
        return 0;
    /* What lies above the last whole multiple of bound would favour small results. */
    excess = (UINT64_MAX % bound + 1) % bound;
    do
        value = next_random(loop);
    while (value > UINT64_MAX - excess);
    return value % bound;
}
