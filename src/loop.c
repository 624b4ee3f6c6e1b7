/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "cleanup.h"

#define USEC_PER_MS UINT64_C(1000)
#define NSEC_PER_MS INT64_C(1000000)

/* sd-event may wake up so much later, to do several things at once. Unasked it takes 250 ms, which
 * curl's timers could not bear. */
#define TIMER_ACCURACY_USEC UINT64_C(1000)

/* So far ahead a timer is as good as stopped; nearer, its time in microseconds fits. */
#define TIMER_HORIZON_MS (INT64_C(36600) * MS_PER_DAY)

struct loop_signal {
    struct loop_signal *next;
    loop_signal_fn *received;
    void *userdata;
};

struct loop {
    sd_event *event;
    struct loop_signal *signals;
};

struct loop_timer {
    struct loop *loop;
    sd_event_source *source;
    loop_timer_fn *fire;
    void *userdata;
};

struct loop_io {
    sd_event_source *source;
    loop_io_fn *ready;
    void *userdata;
};

int loop_new(struct loop **ret)
{
    _cleanup_free_ struct loop *loop = calloc(1, sizeof(*loop));
    int r;

    if (!loop)
        return -ENOMEM;
    r = sd_event_new(&loop->event);
    if (r < 0)
        return r;
    *ret = TAKE(loop);
    return 0;
}

struct loop *loop_free(struct loop *loop)
{
    if (!loop)
        return NULL;
    /* Before the memory that the signals' sources (owned by the event loop) point to. */
    sd_event_unref(loop->event);
    while (loop->signals) {
        struct loop_signal *next = loop->signals->next;

        free(loop->signals);
        loop->signals = next;
    }
    free(loop);
    return NULL;
}

int loop_run(struct loop *loop)
{
    return sd_event_loop(loop->event);
}

void loop_exit(struct loop *loop, int code)
{
    int r = sd_event_exit(loop->event, code);

    assert(r >= 0 || r == -ESTALE); /* ESTALE: it has already ended */
    (void)r;
}

int loop_run_until(struct loop *loop, const bool *done)
{
    int r = 0;

    while (!*done && r >= 0)
        r = sd_event_run(loop->event, UINT64_MAX);
    return r < 0 ? r : 0;
}

/* The clocks are asked anew each time: sd_event_now() is as old as the loop's turn, and a callback
 * may have been long at work. */
static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    int r = clock_gettime(clock, &now);

    assert(r == 0); /* both clocks exist on every Linux that runs systemd */
    (void)r;
    return now.tv_sec * MS_PER_SECOND + now.tv_nsec / NSEC_PER_MS;
}

struct wall loop_wall(struct loop *loop)
{
    (void)loop;
    return (struct wall){.ms = clock_ms(CLOCK_REALTIME)};
}

struct mono loop_mono(struct loop *loop)
{
    (void)loop;
    return (struct mono){.ms = clock_ms(CLOCK_BOOTTIME)};
}

uint64_t loop_random(struct loop *loop, uint64_t bound)
{
    uint64_t value, excess;

    (void)loop;
    if (bound == 0)
        return 0;
    /* What lies above the last whole multiple of bound would favour small results. */
    excess = (UINT64_MAX % bound + 1) % bound;
    do {
        ssize_t n;

        do
            n = getrandom(&value, sizeof(value), 0);
        while (n < 0 && errno == EINTR);
        assert(n == sizeof(value)); /* getrandom(2): up to 256 bytes always come, and whole */
        (void)n;
    } while (value > UINT64_MAX - excess);
    return value % bound;
}

/* --- timers ---------------------------------------------------------------------------------- */

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct loop_timer *timer = userdata;

    (void)source, (void)usec;
    timer->fire(timer->userdata); /* which may free the timer */
    return 0;
}

int loop_timer_new(struct loop *loop, loop_timer_fn *fire, void *userdata, struct loop_timer **ret)
{
    _cleanup_free_ struct loop_timer *timer = malloc(sizeof(*timer));
    int r;

    if (!timer)
        return -ENOMEM;
    *timer = (struct loop_timer){.loop = loop, .fire = fire, .userdata = userdata};
    r = sd_event_add_time(loop->event, &timer->source, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_USEC,
                          on_time, timer);
    if (r < 0)
        return r;
    loop_timer_stop(timer); /* sd-event has it armed to begin with */
    *ret = TAKE(timer);
    return 0;
}

void loop_timer_at(struct loop_timer *timer, struct mono when)
{
    int r;

    if (when.ms > TIMER_HORIZON_MS) {
        loop_timer_stop(timer);
        return;
    }
    if (when.ms < 0)
        when.ms = 0;
    /* Neither allocates; they fail only for a source of another kind or another process, and with
     * ESTALE when the loop has ended. */
    r = sd_event_source_set_time(timer->source, (uint64_t)when.ms * USEC_PER_MS);
    assert(r >= 0 || r == -ESTALE);
    r = sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT);
    assert(r >= 0 || r == -ESTALE);
    (void)r;
}

void loop_timer_after(struct loop_timer *timer, int64_t delay_ms)
{
    if (delay_ms > TIMER_HORIZON_MS)
        loop_timer_stop(timer);
    else
        loop_timer_at(timer, mono_add(loop_mono(timer->loop), delay_ms > 0 ? delay_ms : 0));
}

void loop_timer_stop(struct loop_timer *timer)
{
    int r = sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);

    assert(r >= 0 || r == -ESTALE);
    (void)r;
}

struct loop_timer *loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return NULL;
    sd_event_source_disable_unref(timer->source);
    free(timer);
    return NULL;
}

/* --- file descriptors ------------------------------------------------------------------------ */

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct loop_io *io = userdata;

    (void)source;
    io->ready(io->userdata, fd, revents); /* which may free the watch */
    return 0;
}

int loop_io_new(struct loop *loop, int fd, uint32_t events, loop_io_fn *ready, void *userdata,
                struct loop_io **ret)
{
    _cleanup_free_ struct loop_io *io = malloc(sizeof(*io));
    int r;

    if (!io)
        return -ENOMEM;
    *io = (struct loop_io){.ready = ready, .userdata = userdata};
    r = sd_event_add_io(loop->event, &io->source, fd, events, on_io, io);
    if (r < 0)
        return r;
    *ret = TAKE(io);
    return 0;
}

int loop_io_set_events(struct loop_io *io, uint32_t events)
{
    return sd_event_source_set_io_events(io->source, events);
}

struct loop_io *loop_io_free(struct loop_io *io)
{
    if (!io)
        return NULL;
    sd_event_source_disable_unref(io->source);
    free(io);
    return NULL;
}

/* --- signals and the watchdog ---------------------------------------------------------------- */

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct loop_signal *signal = userdata;

    (void)source;
    signal->received(signal->userdata, (int)info->ssi_signo);
    return 0;
}

int loop_signal_new(struct loop *loop, int signal_number, loop_signal_fn *received, void *userdata)
{
    _cleanup_free_ struct loop_signal *signal = NULL;
    sigset_t mask;
    int r;

    sigemptyset(&mask);
    if (sigaddset(&mask, signal_number) < 0)
        return -errno;
    r = pthread_sigmask(SIG_BLOCK, &mask, NULL);
    if (r != 0)
        return -r;

    signal = malloc(sizeof(*signal));
    if (!signal)
        return -ENOMEM;
    *signal = (struct loop_signal){.received = received, .userdata = userdata};
    r = sd_event_add_signal(loop->event, NULL, signal_number, on_signal, signal);
    if (r < 0)
        return r;
    signal->next = loop->signals;
    loop->signals = TAKE(signal);
    return 0;
}

int loop_watchdog_enable(struct loop *loop)
{
    int r = sd_event_set_watchdog(loop->event, true);

    return r > 0 ? 1 : r;
}

struct sd_event *loop_event(const struct loop *loop)
{
    return loop->event;
}
