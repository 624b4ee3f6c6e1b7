/* SPDX-License-Identifier: MIT */
/* The command line, the wiring, and the talk with systemd. No logic. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "audit.h"
#include "cleanup.h"
#include "config.h"
#include "connection.h"
#include "control.h"
#include "log.h"
#include "loop.h"
#include "scheduler.h"
#include "state.h"

/* How long calls under way may take to end after SIGTERM; well within TimeoutStopSec=. */
#define STOP_TIMEOUT_MS (10 * MS_PER_SECOND)
#define STOP_LOOK_MS 50

/* Blocks from this size on are given back to the system as soon as they are freed: mallopt(3). */
#define LARGE_BLOCK_SIZE (256 << 10)

struct daemon {
    const char *config_path;
    bool dry_run;
    struct loop *loop;
    struct connection connection;
    struct state *state;
    struct scheduler *scheduler;
    struct control *control; /* NULL: there is nothing to talk by */
    struct loop_timer *stop_timer;
    struct mono stop_deadline;
    bool is_stopping;
    char status[SCHEDULER_STATUS_MAX + 64];
};

static void usage(FILE *out)
{
    fputs("Usage: provisionerd [OPTION]...\n"
          "Puts idle ECS environments to sleep, and wakes them on activity.\n"
          "\n"
          "      --config FILE          read FILE, then FILE.d/*.ini (" CONFIG_DEFAULT_PATH ")\n"
          "      --check-config [FILE]  report every error and exit: 0 if there is none, else 1\n"
          "      --print-config [FILE]  print the effective values and where each came from\n"
          "      --dry-run              look, decide and tell, but send no UpdateService\n"
          "      --version              print the version\n"
          "      --help                 print this\n"
          "\n"
          "Signals: SIGHUP reloads the configuration, SIGTERM stops.\n"
          "Exit status: 0 stopped, 1 failure, 64 wrong usage, 78 the configuration is wrong.\n",
          out);
}

/* --- systemd ------------------------------------------------------------------------------------ */

static void tell_status(struct daemon *daemon)
{
    char status[sizeof(daemon->status)];
    char summary[SCHEDULER_STATUS_MAX];

    if (!daemon->scheduler || daemon->is_stopping)
        return;
    snprintf(status, sizeof(status), "%s%s", scheduler_format_status(daemon->scheduler, summary),
             daemon->dry_run ? " (dry run)" : "");
    if (strcmp(status, daemon->status) == 0)
        return;
    memcpy(daemon->status, status, sizeof(status));
    (void)sd_notifyf(false, "STATUS=%s", status); /* without systemd, nobody listens */
}

static void environment_changed(void *userdata, struct environment *environment)
{
    struct daemon *daemon = userdata;

    control_environment_changed(daemon->control, environment);
    tell_status(daemon);
}

/* --- reload and stop ---------------------------------------------------------------------------- */

/* Goes over to config (taken). On failure the old one stays. */
static int apply_config(struct daemon *daemon, struct config *config)
{
    struct connection old = daemon->connection;
    bool keeps = connection_is_same(config, scheduler_config(daemon->scheduler));
    int r = 0;

    if (!keeps)
        r = connection_open(daemon->loop, config, &daemon->connection);
    if (r < 0) {
        daemon->connection = old;
        config_free(config);
        return r;
    }
    log_set_max_level(config->log_level);
    r = scheduler_reload(daemon->scheduler, daemon->connection.aws, config);
    if (keeps)
        return r;
    if (r < 0) {
        connection_close(&daemon->connection);
        daemon->connection = old;
        return r;
    }
    connection_close(&old);
    return 0;
}

static void reload(struct daemon *daemon)
{
    _cleanup_free_ char *errors = NULL, *difference = NULL;
    struct config *config = NULL;
    int r = config_load(daemon->config_path, &config, &errors);

    if (r == 0)
        r = config_difference(scheduler_config(daemon->scheduler), config, &difference);
    if (r == 0)
        r = apply_config(daemon, TAKE(config));
    config_free(config);
    if (r == 0)
        audit_reloaded(difference);
    else
        audit_reload_refused(errors ? errors : strerror(-r));
}

static void received_hangup(void *userdata, int signal_number)
{
    struct daemon *daemon = userdata;
    (void)signal_number;

    if (daemon->is_stopping)
        return;
    /* What Type=notify-reload asks for, sd_notify(3); an older systemd ignores it. CLOCK_MONOTONIC
     * is what systemd compares with. */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%lld",
                     (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    reload(daemon);
    (void)sd_notify(false, "READY=1");
    control_reloaded(daemon->control);
    daemon->status[0] = '\0';
    tell_status(daemon);
}

static void look_for_end(void *userdata)
{
    struct daemon *daemon = userdata;

    if (aws_calls_pending(daemon->connection.aws) == 0 ||
        loop_mono(daemon->loop).ms >= daemon->stop_deadline.ms)
        loop_exit(daemon->loop, 0);
    else
        loop_timer_after(daemon->stop_timer, STOP_LOOK_MS);
}

static void received_stop(void *userdata, int signal_number)
{
    struct daemon *daemon = userdata;
    (void)signal_number;

    if (daemon->is_stopping)
        return;
    daemon->is_stopping = true;
    (void)sd_notify(false, "STOPPING=1\nSTATUS=Stopping");
    scheduler_stop(daemon->scheduler);
    daemon->stop_deadline = mono_add(loop_mono(daemon->loop), STOP_TIMEOUT_MS);
    look_for_end(daemon);
}

/* --- start -------------------------------------------------------------------------------------- */

/* Secrets are in memory: no core dumps of it, and no reading of it by others of the same user. */
static void protect_memory(void)
{
    static const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) < 0)
        log_warning("cannot switch core dumps off: %s", strerror(errno));
#if !defined(__SANITIZE_ADDRESS__)
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        log_warning("cannot make the process undumpable: %s", strerror(errno));
#endif
}

/* Without this glibc takes the first large answer as a sign that more will come, and keeps the memory
 * of two of the largest for good. */
static void give_memory_back(void)
{
    if (!mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_SIZE) ||
        !mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK_SIZE))
        log_debug("this allocator does not take advice on what to give back to the system");
}

static int open_state(struct daemon *daemon, const char *directory)
{
    _cleanup_free_ char *trouble = NULL;
    int r = state_open(directory, daemon->dry_run ? STATE_READ_ONLY : STATE_READ_WRITE,
                       loop_wall(daemon->loop), &daemon->state, &trouble);

    if (r == -EWOULDBLOCK)
        log_error("%s is in use by another provisionerd", directory);
    else if (r < 0)
        log_error("cannot open the state directory %s, or read the state in it: %s", directory,
                  strerror(-r));
    else if (trouble)
        log_error("%s", trouble);
    return r;
}

static int watch_signals(struct daemon *daemon)
{
    int r;

    (void)((r = loop_signal_new(daemon->loop, SIGHUP, received_hangup, daemon)) < 0 ||
           (r = loop_signal_new(daemon->loop, SIGTERM, received_stop, daemon)) < 0 ||
           (r = loop_signal_new(daemon->loop, SIGINT, received_stop, daemon)) < 0 ||
           (r = loop_watchdog_enable(daemon->loop)) < 0);
    return r < 0 ? r : 0;
}

/* People can do without, and so can the environments. */
static void open_control(struct daemon *daemon)
{
    const char *directory = getenv("RUNTIME_DIRECTORY"); /* systemd.exec(5) */
    const struct control_options options = {
        .loop = daemon->loop,
        .scheduler = daemon->scheduler,
        .dry_run = daemon->dry_run,
        /* A dry run may be beside the daemon, whose place it must not take. */
        .socket_directory = daemon->dry_run ? NULL
                            : directory     ? directory
                                            : scheduler_config(daemon->scheduler)->state_directory,
    };
    int r = control_new(&options, &daemon->control);

    if (r < 0)
        log_warning("provisionerctl will not reach this daemon: %s", strerror(-r));
}

/* Takes config. */
static int start(struct daemon *daemon, struct config *config)
{
    struct scheduler_options options = {
        .dry_run = daemon->dry_run, .changed = environment_changed, .userdata = daemon};
    int r;

    if ((r = loop_new(&daemon->loop)) < 0 || (r = watch_signals(daemon)) < 0 ||
        (r = loop_timer_new(daemon->loop, look_for_end, daemon, &daemon->stop_timer)) < 0 ||
        (r = open_state(daemon, config->state_directory)) < 0 ||
        (r = connection_open(daemon->loop, config, &daemon->connection)) < 0) {
        config_free(config);
        return r;
    }
    options.loop = daemon->loop;
    options.aws = daemon->connection.aws;
    options.state = daemon->state;
    audit_started(config, daemon->dry_run);
    return scheduler_new(&options, config, &daemon->scheduler);
}

static void finish(struct daemon *daemon)
{
    control_free(daemon->control);
    scheduler_free(daemon->scheduler);
    if (daemon->loop)
        connection_close(&daemon->connection);
    state_free(daemon->state);
    loop_timer_free(daemon->stop_timer);
    loop_free(daemon->loop);
}

/* A record a line: within one, a line's end would be shown as "\n". */
static void tell_errors(const char *errors)
{
    log_error("the configuration is not usable:");
    while (*errors) {
        size_t length = strcspn(errors, "\n");

        log_error("%.*s", (int)length, errors);
        errors += length + (errors[length] == '\n');
    }
}

static int run(const char *config_path, bool dry_run)
{
    struct daemon daemon = {.config_path = config_path, .dry_run = dry_run};
    _cleanup_free_ char *errors = NULL;
    struct config *config;

    log_open();
    protect_memory();
    give_memory_back();
    int r = config_load(config_path, &config, &errors);
    if (r < 0) {
        tell_errors(errors ? errors : strerror(-r));
        return EX_CONFIG;
    }
    log_set_max_level(config->log_level);

    r = start(&daemon, config);
    if (r == 0) {
        open_control(&daemon);
        (void)sd_notify(false, "READY=1");
        tell_status(&daemon);
        r = loop_run(daemon.loop);
    }
    finish(&daemon);
    if (r < 0)
        log_error("failed: %s", strerror(-r));
    else
        audit_stopped();
    return r < 0 ? EXIT_FAILURE : r;
}

/* --- the other verbs ---------------------------------------------------------------------------- */

static int load_for_people(const char *path, struct config **ret)
{
    _cleanup_free_ char *errors = NULL;
    int r = config_load(path, ret, &errors);

    if (r < 0)
        fputs(errors ? errors : "out of memory\n", stderr);
    return r;
}

static int check_config(const char *path)
{
    struct config *config;

    if (load_for_people(path, &config) < 0)
        return EXIT_FAILURE;
    printf("%s: %zu environment%s, no errors\n", path, config->n_environments,
           config->n_environments == 1 ? "" : "s");
    config_free(config);
    return EXIT_SUCCESS;
}

static int print_config(const char *path)
{
    struct config *config;

    if (load_for_people(path, &config) < 0)
        return EXIT_FAILURE;
    config_print(config, stdout);
    config_free(config);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

enum verb { VERB_RUN, VERB_CHECK_CONFIG, VERB_PRINT_CONFIG };

int main(int argc, char **argv)
{
    enum {
        OPTION_CONFIG = 1,
        OPTION_CHECK,
        OPTION_PRINT,
        OPTION_DRY_RUN,
        OPTION_VERSION,
        OPTION_HELP
    };
    static const struct option options[] = {
        {"config", required_argument, NULL, OPTION_CONFIG},
        {"check-config", no_argument, NULL, OPTION_CHECK},
        {"print-config", no_argument, NULL, OPTION_PRINT},
        {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, OPTION_HELP},
        {0},
    };
    const char *config_path = CONFIG_DEFAULT_PATH;
    enum verb verb = VERB_RUN;
    bool dry_run = false;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case OPTION_CONFIG:
            config_path = optarg;
            break;
        case OPTION_CHECK:
            verb = VERB_CHECK_CONFIG;
            break;
        case OPTION_PRINT:
            verb = VERB_PRINT_CONFIG;
            break;
        case OPTION_DRY_RUN:
            dry_run = true;
            break;
        case OPTION_VERSION:
            puts("provisionerd " PROVISIONERD_VERSION);
            return EXIT_SUCCESS;
        case 'h':
        case OPTION_HELP:
            usage(stdout);
            return EXIT_SUCCESS;
        default:
            fputs("Try 'provisionerd --help'.\n", stderr);
            return EX_USAGE;
        }
    }
    if (verb != VERB_RUN && optind < argc)
        config_path = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, "provisionerd: unexpected argument '%s'\nTry 'provisionerd --help'.\n",
                argv[optind]);
        return EX_USAGE;
    }
    switch (verb) {
    case VERB_CHECK_CONFIG:
        return check_config(config_path);
    case VERB_PRINT_CONFIG:
        return print_config(config_path);
    case VERB_RUN:
        break;
    }
    return run(config_path, dry_run);
}
