/* SPDX-License-Identifier: MIT */
/* provisionerctl wake, sleep, hold, release */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "control.h"
#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/moment.h"

#define WAIT_TIMEOUT_MS (10 * MS_PER_MINUTE)
#define LOOK_AGAIN_MS (1 * MS_PER_SECOND)

#define COMMON_HELP                                                                \
    "  --reason TEXT   why: it is shown to the others, and written to the audit\n" \
    "  --socket PATH   the daemon's socket, in place of the system bus\n"          \
    "  --help          print this\n"                                               \
    "\n"

#define WAIT_HELP                                                                               \
    "  --wait          until it is so, with a line for each step; exit status 1 if it is not\n" \
    "  --timeout T     wait no longer than this (10min)\n"

static const char WAKE_HELP[] = WAIT_HELP COMMON_HELP
    "It stays awake for one window at least; then its log decides, as always.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl wake staging\n"
    "  provisionerctl wake staging --wait --reason \"demo at five\"\n";

static const char SLEEP_HELP[] =
    "  --now           whatever its log has shown so far: only what happens from now on wakes "
    "it\n" WAIT_HELP COMMON_HELP "Without --now it is checked at once instead of at the next "
    "check, and put to sleep if it is idle.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl sleep staging\n"
    "  provisionerctl sleep staging --now --wait\n";

static const char HOLD_HELP[] =
    "  --until TIME    18:00, \"2026-11-24 18:00\", tomorrow\n"
    "  --for T         2h, 1h30min\n"
    "  --asleep        keep it asleep, whatever its log says, in place of awake\n" COMMON_HELP
    "A hold survives restarts. When it has expired it is as if it never was.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl hold staging --for 2h --reason \"load test\"\n"
    "  provisionerctl hold staging --until 18:00\n"
    "  provisionerctl hold staging --asleep --for 1h\n";

static const char RELEASE_HELP[] =
    COMMON_HELP "Takes back a hold, and what else was asked for by hand: its log decides again.\n"
                "\n"
                "Examples:\n"
                "  provisionerctl release staging\n";

struct asked {
    const char *reason;
    bool is_waiting;
    int64_t timeout_ms;
    bool now;
    bool asleep;
    struct wall until; /* WALL_NEVER: not said */
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * MS_PER_SECOND + t.tv_nsec / 1000000;
}

/* --- options ------------------------------------------------------------------------------------ */

enum {
    OPTION_REASON = 1,
    OPTION_WAIT,
    OPTION_TIMEOUT,
    OPTION_NOW,
    OPTION_UNTIL,
    OPTION_FOR,
    OPTION_ASLEEP,
};

static int take_until(const struct ctl *ctl, const char *text, struct wall *ret)
{
    int r = moment_parse(text, moment_now(), MOMENT_FUTURE, ret);

    if (r == -ERANGE)
        return ctl_usage_error(ctl, "'%s' is past", text);
    if (r < 0)
        return ctl_usage_error(ctl, "'%s' is no moment to come, such as 2h, 18:00 or tomorrow",
                               text);
    return EXIT_SUCCESS;
}

static int take_option(const struct ctl *ctl, int option, struct asked *asked)
{
    int64_t duration_ms;

    switch (option) {
    case OPTION_REASON:
        asked->reason = optarg;
        break;
    case OPTION_WAIT:
        asked->is_waiting = true;
        break;
    case OPTION_TIMEOUT:
        if (duration_parse(optarg, &asked->timeout_ms) < 0)
            return ctl_usage_error(ctl, "'%s' is no duration, such as 10min", optarg);
        break;
    case OPTION_NOW:
        asked->now = true;
        break;
    case OPTION_FOR:
        if (duration_parse(optarg, &duration_ms) < 0 || duration_ms == 0)
            return ctl_usage_error(ctl, "'%s' is no duration, such as 2h or 1h30min", optarg);
        asked->until = wall_add(moment_now(), duration_ms);
        break;
    case OPTION_UNTIL:
        return take_until(ctl, optarg, &asked->until);
    case OPTION_ASLEEP:
        asked->asleep = true;
        break;
    default:
        break;
    }
    return EXIT_SUCCESS;
}

/* Returns EXIT_SUCCESS, or the exit status of a verb that is over; *ret_is_over tells which. */
static int take_options(struct ctl *ctl, int argc, char **argv, const struct option *options,
                        struct asked *ret, bool *ret_is_over)
{
    int option, status;

    *ret = (struct asked){.reason = "", .timeout_ms = WAIT_TIMEOUT_MS, .until = WALL_NEVER};
    *ret_is_over = true;
    while ((option = ctl_option(ctl, argc, argv, options)) != CTL_OPTIONS_END) {
        if (option == '?')
            return ctl->status;
        status = take_option(ctl, option, ret);
        if (status != EXIT_SUCCESS)
            return status;
    }
    if (!ctl_takes_arguments(ctl, argc, argv, 1, 1))
        return ctl->status;
    *ret_is_over = false;
    return EXIT_SUCCESS;
}

/* --- waiting ------------------------------------------------------------------------------------ */

struct wanted {
    bool asleep;
    struct wall checked_after; /* a check after this one decides; WALL_NEVER: none does */
};

static bool is_state(const struct daemon_environment *environment, const char *state)
{
    return strcmp(environment->state, state) == 0;
}

static bool is_running(const struct daemon_service *service)
{
    return strcmp(service->condition, "fit") != 0 || service->desired_count < 0 ||
           service->running_count >= service->desired_count;
}

static bool is_up(const struct daemon_environment *environment)
{
    if (!is_state(environment, "awake"))
        return false;
    for (size_t i = 0; i < environment->n_services; i++)
        if (!is_running(&environment->services[i]))
            return false;
    return true;
}

static void print_changed_services(const struct ctl *ctl, const struct daemon_environment *before,
                                   const struct daemon_environment *after)
{
    for (size_t i = 0; i < after->n_services; i++) {
        const struct daemon_service *service = &after->services[i];
        const struct daemon_service *old = i < before->n_services ? &before->services[i] : NULL;
        char clock[MOMENT_TEXT_MAX];

        if (old && old->desired_count == service->desired_count &&
            old->running_count == service->running_count)
            continue;
        fprintf(ctl->terminal.out, "%s  ", moment_format(moment_now(), clock) + 11);
        (void)terminal_write(&ctl->terminal, COLOUR_BOLD, service->name, 0);
        if (service->desired_count < 0)
            fputs(": asked for, not yet answered\n", ctl->terminal.out);
        else
            fprintf(ctl->terminal.out, ": %d of %d tasks running\n", service->running_count,
                    service->desired_count);
    }
    fflush(ctl->terminal.out);
}

static int tell_end(const struct ctl *ctl, const struct daemon_environment *environment)
{
    (void)terminal_write(&ctl->terminal, COLOUR_BOLD, environment->name, 0);
    fprintf(ctl->terminal.out, " is %s\n", environment->state);
    return EXIT_SUCCESS;
}

static int tell_timeout(const struct daemon_environment *environment)
{
    ctl_error("%s is still %s: %s", environment->name, environment->state,
              environment->troubles[0] ? environment->troubles[0] : environment->reason_text);
    return EXIT_FAILURE;
}

/* A check that was asked for has ended, and it is still awake. */
static bool is_refused(const struct daemon_environment *environment, const struct wanted *wanted)
{
    return wanted->checked_after.ms != WALL_NEVER.ms && is_state(environment, "awake") &&
           environment->last_check.at.ms > wanted->checked_after.ms;
}

/* Until it is as wanted, or cannot be. */
static int wait_for(const struct ctl *ctl, const struct daemon *daemon, const char *name,
                    const struct wanted *wanted, int64_t timeout_ms)
{
    int64_t deadline = clock_ms(CLOCK_MONOTONIC) + timeout_ms;
    struct daemon_environment before = {0}, environment = {0};
    int status;

    for (;;) {
        status = daemon_read(daemon, name, &environment);
        if (status != EXIT_SUCCESS)
            break;
        print_changed_services(ctl, &before, &environment);
        if (is_refused(&environment, wanted)) {
            ctl_error("%s was not put to sleep: %s", name, environment.last_check.text);
            status = EXIT_FAILURE;
            break;
        }
        if (wanted->asleep ? is_state(&environment, "asleep") : is_up(&environment)) {
            status = tell_end(ctl, &environment);
            break;
        }
        if (clock_ms(CLOCK_MONOTONIC) >= deadline) {
            status = tell_timeout(&environment);
            break;
        }
        daemon_environment_clear(&before);
        before = environment;
        environment = (struct daemon_environment){0};
        int r = daemon_wait(daemon, LOOK_AGAIN_MS);
        if (r < 0) {
            ctl_error("provisionerd has gone: %s", strerror(-r));
            status = EX_UNAVAILABLE;
            break;
        }
    }
    daemon_environment_clear(&before);
    daemon_environment_clear(&environment);
    return status;
}

/* --- the verbs ---------------------------------------------------------------------------------- */

static int call(const struct daemon *daemon, const struct daemon_environment *environment,
                const char *method, const struct asked *asked)
{
    if (strcmp(method, "Sleep") == 0)
        return daemon_call(daemon, environment->path, CONTROL_ENVIRONMENT_INTERFACE, method, NULL,
                           "bs", (int)asked->now, asked->reason);
    if (strcmp(method, "Hold") == 0)
        return daemon_call(daemon, environment->path, CONTROL_ENVIRONMENT_INTERFACE, method, NULL,
                           "sts", asked->asleep ? "asleep" : "awake",
                           (uint64_t)asked->until.ms * 1000, asked->reason);
    return daemon_call(daemon, environment->path, CONTROL_ENVIRONMENT_INTERFACE, method, NULL, "s",
                       asked->reason);
}

static int act(const struct ctl *ctl, const char *name, const char *method,
               const struct asked *asked)
{
    struct daemon_environment environment = {0};
    struct daemon daemon;
    int status = daemon_open(ctl, &daemon);

    if (status != EXIT_SUCCESS)
        return status;
    status = daemon_read(&daemon, name, &environment);
    const struct wanted wanted = {
        .asleep = strcmp(method, "Sleep") == 0,
        .checked_after = strcmp(method, "Sleep") == 0 && !asked->now
                             ? wall_max(environment.last_check.at, (struct wall){0})
                             : WALL_NEVER,
    };
    if (status == EXIT_SUCCESS)
        status = call(&daemon, &environment, method, asked);
    if (status == EXIT_SUCCESS && asked->is_waiting)
        status = wait_for(ctl, &daemon, name, &wanted, asked->timeout_ms);
    daemon_environment_clear(&environment);
    daemon_close(&daemon);
    return status;
}

/* A verb: its options, the environment, the method that it calls. */
static int run(struct ctl *ctl, int argc, char **argv, const struct option *options,
               const char *method)
{
    struct asked asked;
    bool is_over;
    int status = take_options(ctl, argc, argv, options, &asked, &is_over);

    if (is_over)
        return status;
    if (strcmp(method, "Hold") == 0 && !wall_is_set(asked.until))
        return ctl_usage_error(ctl, "a hold needs an end: --until TIME or --for T");
    return act(ctl, argv[optind], method, &asked);
}

static int verb_wake(struct ctl *ctl, int argc, char **argv)
{
    static const struct option OPTIONS[] = {CTL_OPTION_CONFIG,
                                            CTL_OPTION_SOCKET,
                                            CTL_OPTION_HELP,
                                            {"wait", no_argument, NULL, OPTION_WAIT},
                                            {"timeout", required_argument, NULL, OPTION_TIMEOUT},
                                            {"reason", required_argument, NULL, OPTION_REASON},
                                            {0}};

    return run(ctl, argc, argv, OPTIONS, "Wake");
}

static int verb_sleep(struct ctl *ctl, int argc, char **argv)
{
    static const struct option OPTIONS[] = {CTL_OPTION_CONFIG,
                                            CTL_OPTION_SOCKET,
                                            CTL_OPTION_HELP,
                                            {"now", no_argument, NULL, OPTION_NOW},
                                            {"wait", no_argument, NULL, OPTION_WAIT},
                                            {"timeout", required_argument, NULL, OPTION_TIMEOUT},
                                            {"reason", required_argument, NULL, OPTION_REASON},
                                            {0}};

    return run(ctl, argc, argv, OPTIONS, "Sleep");
}

static int verb_hold(struct ctl *ctl, int argc, char **argv)
{
    static const struct option OPTIONS[] = {CTL_OPTION_CONFIG,
                                            CTL_OPTION_SOCKET,
                                            CTL_OPTION_HELP,
                                            {"until", required_argument, NULL, OPTION_UNTIL},
                                            {"for", required_argument, NULL, OPTION_FOR},
                                            {"asleep", no_argument, NULL, OPTION_ASLEEP},
                                            {"reason", required_argument, NULL, OPTION_REASON},
                                            {0}};

    return run(ctl, argc, argv, OPTIONS, "Hold");
}

static int verb_release(struct ctl *ctl, int argc, char **argv)
{
    static const struct option OPTIONS[] = {CTL_OPTION_CONFIG,
                                            CTL_OPTION_SOCKET,
                                            CTL_OPTION_HELP,
                                            {"reason", required_argument, NULL, OPTION_REASON},
                                            {0}};

    return run(ctl, argc, argv, OPTIONS, "Release");
}

const struct verb VERB_WAKE = {
    .name = "wake",
    .synopsis = "ENV [--wait] [--timeout T] [--reason TEXT]",
    .summary = "Wakes an environment",
    .help = WAKE_HELP,
    .run = verb_wake,
};

const struct verb VERB_SLEEP = {
    .name = "sleep",
    .synopsis = "ENV [--now] [--wait] [--timeout T] [--reason TEXT]",
    .summary = "Puts an environment to sleep",
    .help = SLEEP_HELP,
    .run = verb_sleep,
};

const struct verb VERB_HOLD = {
    .name = "hold",
    .synopsis = "ENV --until TIME|--for T [--asleep] [--reason TEXT]",
    .summary = "Keeps an environment awake (or asleep) until a moment",
    .help = HOLD_HELP,
    .run = verb_hold,
};

const struct verb VERB_RELEASE = {
    .name = "release",
    .synopsis = "ENV [--reason TEXT]",
    .summary = "Takes back what was asked for by hand",
    .help = RELEASE_HELP,
    .run = verb_release,
};
