/* SPDX-License-Identifier: MIT */

/* The loop on sd-event. Waits are of milliseconds, and nothing asserts how soon they end. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/loop.h"

static struct loop *loop;

/* What happened, in order: a letter each. */
static char story[100];

static void tell(char letter)
{
    size_t length = strlen(story);

    assert_true(length < sizeof(story) - 1);
    story[length] = letter;
    story[length + 1] = '\0';
}

static int set_up(void **state)
{
    (void)state;
    story[0] = '\0';
    return loop_new(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    loop = loop_free(loop);
    return 0;
}

/* --- timers ---------------------------------------------------------------------------------- */

struct alarm {
    struct loop_timer *timer;
    char letter;
    int times; /* armed again until it has fired so often */
    struct alarm *victim;
    struct alarm *next; /* armed from the callback */
    bool last;
};

static void fire(void *userdata)
{
    struct alarm *alarm = userdata;

    tell(alarm->letter);
    if (--alarm->times > 0) {
        loop_timer_after(alarm->timer, 1);
        return;
    }
    if (alarm->next)
        loop_timer_after(alarm->next->timer, 1);
    if (alarm->last)
        loop_exit(loop, 5);
    if (alarm->victim)
        alarm->victim->timer = loop_timer_free(alarm->victim->timer);
}

static void set_alarm(struct alarm *alarm, char letter, int64_t delay_ms)
{
    *alarm = (struct alarm){.letter = letter};
    assert_int_equal(loop_timer_new(loop, fire, alarm, &alarm->timer), 0);
    loop_timer_after(alarm->timer, delay_ms);
}

static void test_timers_fire_and_the_loop_gives_its_code(void **state)
{
    struct alarm a, b, c;

    (void)state;
    set_alarm(&a, 'a', -1000); /* the past: at once */
    set_alarm(&b, 'b', MS_PER_HOUR);
    set_alarm(&c, 'c', MS_PER_HOUR);
    a.next = &b; /* sooner than thought */
    b.next = &c;
    c.last = true;
    assert_string_equal(story, ""); /* never from within the call */
    assert_int_equal(loop_run(loop), 5);
    assert_string_equal(story, "abc");
    loop_timer_free(a.timer);
    loop_timer_free(b.timer);
    loop_timer_free(c.timer);
}

static void test_stopped_and_endless_timers_do_not_fire(void **state)
{
    struct alarm stopped, endless, forever, unarmed, last;

    (void)state;
    set_alarm(&stopped, 's', 1);
    loop_timer_stop(stopped.timer);
    set_alarm(&endless, 'e', INT64_MAX);
    set_alarm(&forever, 'f', 1);
    loop_timer_at(forever.timer, MONO_FOREVER);
    unarmed = (struct alarm){.letter = 'u'};
    assert_int_equal(loop_timer_new(loop, fire, &unarmed, &unarmed.timer), 0);
    set_alarm(&last, 'z', 20);
    last.last = true;
    assert_int_equal(loop_run(loop), 5);
    assert_string_equal(story, "z");
    loop_timer_free(stopped.timer);
    loop_timer_free(endless.timer);
    loop_timer_free(forever.timer);
    loop_timer_free(unarmed.timer);
    loop_timer_free(last.timer);
}

static void test_a_timer_at_a_moment_does_not_fire_before_it(void **state)
{
    struct alarm a;
    struct mono when;

    (void)state;
    set_alarm(&a, 'a', 0);
    a.last = true;
    when = mono_add(loop_mono(loop), 20);
    loop_timer_at(a.timer, when);
    loop_run(loop);
    assert_true(loop_mono(loop).ms >= when.ms);
    loop_timer_free(a.timer);
}

static void test_a_moment_before_the_boot_is_past(void **state)
{
    struct alarm a;

    (void)state;
    set_alarm(&a, 'a', 1000);
    a.last = true;
    loop_timer_at(a.timer, MONO_NEVER);
    loop_run(loop);
    assert_string_equal(story, "a");
    loop_timer_free(a.timer);
}

static void test_a_timer_may_be_armed_from_its_callback(void **state)
{
    struct alarm a;

    (void)state;
    set_alarm(&a, 'a', 0);
    a.times = 3;
    a.last = true;
    loop_run(loop);
    assert_string_equal(story, "aaa");
    loop_timer_free(a.timer);
}

static void test_a_timer_armed_when_the_loop_has_ended_is_nothing(void **state)
{
    struct alarm last, late;
    (void)state;

    set_alarm(&last, 'a', 0);
    set_alarm(&late, 'b', MS_PER_HOUR);
    last.last = true;
    assert_int_equal(loop_run(loop), 5);
    loop_timer_after(late.timer, 0);
    loop_timer_at(last.timer, loop_mono(loop));
    loop_timer_stop(late.timer);
    assert_string_equal(story, "a");
    loop_timer_free(last.timer);
    loop_timer_free(late.timer);
}

static void test_a_timer_may_be_freed_from_any_callback(void **state)
{
    struct alarm suicide, killer, victim;

    (void)state;
    set_alarm(&suicide, 's', 0);
    suicide.victim = &suicide;
    set_alarm(&killer, 'k', MS_PER_HOUR);
    suicide.next = &killer;
    set_alarm(&victim, 'v', MS_PER_HOUR);
    killer.victim = &victim;
    killer.last = true;
    loop_run(loop);
    assert_string_equal(story, "sk");
    assert_null(suicide.timer);
    assert_null(victim.timer);
    loop_timer_free(killer.timer);
}

/* --- descriptors ----------------------------------------------------------------------------- */

struct reader {
    struct loop_io *io;
    uint32_t seen;
    bool frees_itself;
    uint32_t then_watch;
    struct alarm *then;
    int left;
};

static void ready(void *userdata, int fd, uint32_t revents)
{
    struct reader *reader = userdata;

    (void)fd;
    tell('r');
    reader->seen |= revents;
    if (reader->frees_itself)
        reader->io = loop_io_free(reader->io);
    else if (reader->then_watch)
        assert_int_equal(loop_io_set_events(reader->io, reader->then_watch), 0);
    if (reader->then)
        loop_timer_after(reader->then->timer, 5);
    else if (--reader->left <= 0)
        loop_exit(loop, 0);
}

static void test_a_readable_descriptor_is_reported(void **state)
{
    _cleanup_close_ int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    struct reader reader = {0};

    (void)state;
    assert_int_equal(loop_io_new(loop, fd, EPOLLIN, ready, &reader, &reader.io), 0);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(reader.seen, EPOLLIN);
    loop_io_free(reader.io);
}

static void test_what_is_watched_may_change(void **state)
{
    _cleanup_close_ int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    struct reader reader = {.then_watch = EPOLLOUT, .left = 2};

    (void)state;
    assert_int_equal(loop_io_new(loop, fd, EPOLLIN, ready, &reader, &reader.io), 0);
    loop_run(loop);
    assert_int_equal(reader.seen, EPOLLIN | EPOLLOUT);
    loop_io_free(reader.io);
}

static void test_a_hang_up_is_reported_unasked(void **state)
{
    struct reader reader = {0};
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(loop_io_new(loop, fds[0], 0, ready, &reader, &reader.io), 0);
    close(fds[1]);
    loop_run(loop);
    assert_true(reader.seen & EPOLLHUP);
    loop_io_free(reader.io);
    close(fds[0]);
}

static void test_a_watch_may_be_freed_from_its_callback(void **state)
{
    _cleanup_close_ int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    struct alarm last;
    struct reader reader = {.frees_itself = true, .then = &last};

    (void)state;
    assert_int_equal(loop_io_new(loop, fd, EPOLLIN, ready, &reader, &reader.io), 0);
    set_alarm(&last, 'z', MS_PER_HOUR);
    last.last = true;
    loop_run(loop);
    assert_string_equal(story, "rz"); /* still readable, but nobody watches */
    loop_timer_free(last.timer);
}

static void test_a_descriptor_that_cannot_be_watched_is_an_error(void **state)
{
    struct loop_io *io = NULL;
    FILE *file = tmpfile();

    (void)state;
    assert_non_null(file);
    assert_int_equal(loop_io_new(loop, fileno(file), EPOLLIN, ready, NULL, &io), -EPERM);
    assert_int_equal(loop_io_new(loop, 1000000, EPOLLIN, ready, NULL, &io), -EBADF);
    assert_null(io);
    fclose(file);
}

/* --- signals --------------------------------------------------------------------------------- */

static void received(void *userdata, int signal_number)
{
    int *last = userdata;

    *last = signal_number;
    tell('s');
    if (signal_number == SIGTERM)
        loop_exit(loop, 0);
}

static void test_a_signal_becomes_an_event(void **state)
{
    int last = 0;

    (void)state;
    assert_int_equal(loop_signal_new(loop, SIGHUP, received, &last), 0);
    assert_int_equal(loop_signal_new(loop, SIGTERM, received, &last), 0);
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(raise(SIGTERM), 0);
    assert_string_equal(story, "");
    loop_run(loop);
    assert_int_equal(last, SIGTERM);
    assert_string_equal(story, "ss");

    /* It would kill, were it not blocked after the loop's end too. */
    loop = loop_free(loop);
    assert_int_equal(raise(SIGTERM), 0);
}

static void test_a_signal_is_taken_once(void **state)
{
    int last = 0;

    (void)state;
    assert_int_equal(loop_signal_new(loop, SIGUSR1, received, &last), 0);
    assert_int_equal(loop_signal_new(loop, SIGUSR1, received, &last), -EBUSY);
    assert_int_equal(loop_signal_new(loop, -1, received, &last), -EINVAL);
    assert_int_equal(loop_signal_new(loop, 0, received, &last), -EINVAL);
}

/* --- the watchdog ---------------------------------------------------------------------------- */

static void set_watchdog(const char *usec)
{
    char pid[20];

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", usec, 1), 0);
}

static void test_the_watchdog_is_fed_if_the_unit_has_one(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(address);
    _cleanup_close_ int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    char name[sizeof(address.sun_path) + 1], message[100] = {0};

    (void)state;
    /* An abstract address of the kernel's choice. */
    assert_int_equal(bind(manager, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    assert_int_equal(getsockname(manager, (struct sockaddr *)&address, &size), 0);
    snprintf(name, sizeof(name), "@%.*s", (int)(size - offsetof(struct sockaddr_un, sun_path) - 1),
             address.sun_path + 1);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    set_watchdog("30000000");

    assert_int_equal(loop_watchdog_enable(loop), 1);
    assert_true(recv(manager, message, sizeof(message) - 1, 0) > 0);
    assert_string_equal(message, "WATCHDOG=1");

    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void test_without_a_watchdog_nothing_is_fed(void **state)
{
    (void)state;
    assert_int_equal(loop_watchdog_enable(loop), 0);
}

static void test_a_watchdog_that_makes_no_sense_is_an_error(void **state)
{
    (void)state;
    set_watchdog("banana");
    assert_true(loop_watchdog_enable(loop) < 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

/* --- clocks and chance ----------------------------------------------------------------------- */

static int64_t now_ms(clockid_t clock)
{
    struct timespec now;

    assert_int_equal(clock_gettime(clock, &now), 0);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_the_clocks_are_the_systems(void **state)
{
    int64_t before = now_ms(CLOCK_BOOTTIME);
    int64_t between = loop_mono(loop).ms;

    (void)state;
    assert_in_range(between, before, now_ms(CLOCK_BOOTTIME));
    /* The wall clock may be stepped meanwhile, but hardly by a day. */
    assert_true(llabs(loop_wall(loop).ms - now_ms(CLOCK_REALTIME)) < MS_PER_DAY);
}

static void test_chance_keeps_within_bounds(void **state)
{
    bool seen[10] = {false};

    (void)state;
    assert_true(loop_random(loop, 0) == 0);
    assert_true(loop_random(loop, 1) == 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t value = loop_random(loop, ARRAY_LENGTH(seen));

        assert_true(value < ARRAY_LENGTH(seen));
        seen[value] = true;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(seen); i++)
        assert_true(seen[i]);
    for (int i = 0; i < 100; i++)
        assert_true(loop_random(loop, (UINT64_MAX >> 1) + 2) <= (UINT64_MAX >> 1) + 1);
}

static void test_freeing_nothing_is_nothing(void **state)
{
    (void)state;
    assert_null(loop_free(NULL));
    assert_null(loop_timer_free(NULL));
    assert_null(loop_io_free(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_timers_fire_and_the_loop_gives_its_code),
        TEST(test_stopped_and_endless_timers_do_not_fire),
        TEST(test_a_timer_at_a_moment_does_not_fire_before_it),
        TEST(test_a_moment_before_the_boot_is_past),
        TEST(test_a_timer_may_be_armed_from_its_callback),
        TEST(test_a_timer_armed_when_the_loop_has_ended_is_nothing),
        TEST(test_a_timer_may_be_freed_from_any_callback),
        TEST(test_a_readable_descriptor_is_reported),
        TEST(test_what_is_watched_may_change),
        TEST(test_a_hang_up_is_reported_unasked),
        TEST(test_a_watch_may_be_freed_from_its_callback),
        TEST(test_a_descriptor_that_cannot_be_watched_is_an_error),
        TEST(test_a_signal_becomes_an_event),
        TEST(test_a_signal_is_taken_once),
        TEST(test_the_watchdog_is_fed_if_the_unit_has_one),
        TEST(test_without_a_watchdog_nothing_is_fed),
        TEST(test_a_watchdog_that_makes_no_sense_is_an_error),
        TEST(test_the_clocks_are_the_systems),
        TEST(test_chance_keeps_within_bounds),
        TEST(test_freeing_nothing_is_nothing),
    };

    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
