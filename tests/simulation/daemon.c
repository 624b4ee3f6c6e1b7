/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "src/audit.h"
#include "src/aws.h"
#include "src/cleanup.h"
#include "src/config.h"
#include "src/credentials.h"
#include "src/http.h"
#include "src/scheduler.h"
#include "src/state.h"
#include "tests/simulation/machinery.h"

/*
 * The daemon, wired as src/main.c does it, but without a process of its own: it can be taken away at
 * any point. Killed in the midst of a step, it is first only `dying`: what it still does until that
 * step is over comes to nothing; then it is buried.
 */

#define STOP_TIMEOUT_MS (10 * MS_PER_SECOND) /* as src/main.c */

struct daemon_instance {
    struct http *http;
    struct credentials *credentials;
    struct aws *aws;
    struct state *state;
    struct scheduler *scheduler;
    bool is_stopping;
    struct wall stop_deadline;
};

/* --- the INI ------------------------------------------------------------------------------------ */

static void write_services(const struct world_environment *environment, FILE *out)
{
    const char *separator = "services = ";

    for (size_t i = 0; i < environment->n_services; i++) {
        const struct world_service *service = &environment->services[i];
        if (!service->is_in_ini)
            continue;
        fprintf(out, "%s%s", separator, service->name);
        if (service->configured_count >= 0)
            fprintf(out, " = %d", service->configured_count);
        separator = ", ";
    }
    fputc('\n', out);
    for (size_t i = 0; i < environment->n_services; i++)
        if (environment->services[i].is_always_on)
            fprintf(out, "always_on = %s\n", environment->services[i].name);
}

/* A regular expression that means the literal. */
static void write_pattern(const struct world_environment *environment, FILE *out)
{
    if (!environment->pattern_as_regex) {
        fprintf(out, "pattern = \"%s\"\n", environment->pattern);
        return;
    }
    fputs("pattern = /", out);
    for (const char *at = environment->pattern; *at; at++) {
        if (*at == '/')
            fputc('\\', out);
        fputc(*at, out);
    }
    fputs("/\n", out);
}

static void write_environment(const struct world_environment *environment, FILE *out)
{
    const struct world_rules *rules = &environment->ini_rules;
    char text[DURATION_TEXT_MAX];

    fprintf(out, "[environment %s]\ncluster = %s\n", environment->name, environment->cluster);
    write_services(environment, out);
    fputs("log_group = ", out);
    for (size_t i = 0; i < environment->n_log_groups; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", environment->log_groups[i]);
    fputc('\n', out);
    write_pattern(environment, out);
    if (environment->exclude)
        fprintf(out, "exclude = \"%s\"\n", environment->exclude);
    fprintf(out, "window = %s\n", duration_format(rules->window_ms, text));
    fprintf(out, "lateness = %s\n", duration_format(rules->lateness_ms, text));
    fprintf(out, "check_interval = %s\n", duration_format(rules->check_interval_ms, text));
    fprintf(out, "poll_interval = %s\n", duration_format(rules->poll_interval_ms, text));
    fprintf(out, "poll_interval_awake = %s\n",
            duration_format(rules->poll_interval_awake_ms, text));
    fprintf(out, "insights = %s\nsilence = %s\nadopt = %s\non_remove = %s\n\n",
            rules->insights_always ? "always" : "auto",
            rules->silence_is_unknown ? "unknown" : "idle", rules->adopt ? "yes" : "no",
            rules->wake_on_remove ? "wake" : "leave");
}

int ini_write(const struct simulation *simulation)
{
    FILE *out = fopen(INI_PATH, "w");
    if (!out)
        return -errno;
    fputs("[provisionerd]\nregion = eu-west-1\nstate_directory = /var/lib/provisionerd\n\n", out);
    for (size_t i = 0; i < simulation->n_environments; i++)
        if (simulation->environments[i].is_in_ini)
            write_environment(&simulation->environments[i], out);
    if (simulation->ini_is_broken)
        fputs("[environment broken]\nwindov = 1h\n", out);
    return fclose(out) == 0 ? 0 : -errno;
}

static bool is_same(const struct world_rules *a, const struct world_rules *b)
{
    return a->window_ms == b->window_ms && a->lateness_ms == b->lateness_ms &&
           a->check_interval_ms == b->check_interval_ms &&
           a->poll_interval_ms == b->poll_interval_ms &&
           a->poll_interval_awake_ms == b->poll_interval_awake_ms &&
           a->insights_always == b->insights_always &&
           a->silence_is_unknown == b->silence_is_unknown && a->adopt == b->adopt &&
           a->wake_on_remove == b->wake_on_remove;
}

/* One that is no longer configured goes on with the services that it had. */
static bool adopt_services(struct world_environment *environment)
{
    bool is_changed = false;

    for (size_t i = 0; i < environment->n_services && environment->is_in_ini; i++) {
        struct world_service *service = &environment->services[i];

        is_changed = is_changed || service->is_named != service->is_in_ini;
        service->is_named = service->is_in_ini;
    }
    return is_changed;
}

/* The daemon has read the file: its rules are in force. */
static void adopt_ini(struct simulation *simulation)
{
    struct wall now = simulation_now(simulation);

    for (size_t i = 0; i < simulation->n_environments; i++) {
        struct world_environment *environment = &simulation->environments[i];
        if (adopt_services(environment) || environment->is_configured != environment->is_in_ini ||
            !is_same(&environment->rules, &environment->ini_rules))
            environment->configured_since = now;
        environment->is_configured = environment->is_in_ini;
        environment->rules = environment->ini_rules;
    }
}

/* --- life --------------------------------------------------------------------------------------- */

static int connect_daemon(struct simulation *simulation, struct daemon_instance *daemon,
                          const struct config *config)
{
    const struct credentials_options credentials_options = {.profile = config->profile,
                                                            .region = config->region};
    const struct aws_options aws_options = {0};
    int r = http_new(simulation->loop, NULL, &daemon->http);

    if (r == 0)
        r = credentials_new(simulation->loop, daemon->http, &credentials_options,
                            &daemon->credentials);
    if (r == 0)
        r = aws_new(simulation->loop, daemon->http, daemon->credentials, &aws_options,
                    &daemon->aws);
    return r;
}

static int open_state(struct simulation *simulation, struct daemon_instance *daemon,
                      const struct config *config)
{
    _cleanup_free_ char *trouble = NULL;
    int r = state_open(config->state_directory, STATE_READ_WRITE, loop_wall(simulation->loop),
                       &daemon->state, &trouble);

    if (r < 0)
        log_error("cannot open the state directory: %s", strerror(-r));
    else if (trouble)
        log_error("%s", trouble);
    return r;
}

static void release(struct simulation *simulation)
{
    struct daemon_instance *daemon = TAKE(simulation->daemon);

    scheduler_free(daemon->scheduler);
    aws_free(daemon->aws);
    credentials_free(daemon->credentials);
    http_free(daemon->http);
    state_free(daemon->state);
    free(daemon);
}

int daemon_start(struct simulation *simulation)
{
    struct config *config = NULL;
    _cleanup_free_ char *errors = NULL;
    int r = config_load(INI_PATH, &config, &errors);

    if (r < 0) {
        log_error("%s", errors ? errors : strerror(-r));
        return r;
    }
    struct daemon_instance *daemon = calloc(1, sizeof(*daemon));
    if (!daemon) {
        config_free(config);
        return -ENOMEM;
    }
    simulation->daemon = daemon;
    r = open_state(simulation, daemon, config);
    if (r == 0)
        r = connect_daemon(simulation, daemon, config);
    if (r < 0) {
        config_free(config);
        release(simulation);
        return r;
    }
    const struct scheduler_options options = {
        .loop = simulation->loop, .aws = daemon->aws, .state = daemon->state};
    adopt_ini(simulation);
    simulation->daemon_since = simulation_now(simulation);
    judge_daemon(simulation->judge, WORLD_DAEMON_STARTED);
    audit_started(config, false);
    r = scheduler_new(&options, config, &daemon->scheduler);
    if (r < 0)
        release(simulation);
    return r;
}

/* As src/main.c does on SIGHUP. */
void daemon_reload(struct simulation *simulation)
{
    struct daemon_instance *daemon = simulation->daemon;
    _cleanup_free_ char *errors = NULL, *difference = NULL;
    struct config *config = NULL;

    if (daemon->is_stopping)
        return;
    int r = config_load(INI_PATH, &config, &errors);
    if (r == 0)
        r = config_difference(scheduler_config(daemon->scheduler), config, &difference);
    if (r < 0) {
        config_free(config);
        audit_reload_refused(errors ? errors : strerror(-r));
        judge_daemon(simulation->judge, WORLD_DAEMON_REFUSED_RELOAD);
        return;
    }
    /* Told before it acts: some of it may happen at once. */
    adopt_ini(simulation);
    judge_daemon(simulation->judge, WORLD_DAEMON_RELOADED);
    r = scheduler_reload(daemon->scheduler, daemon->aws, config);
    if (r < 0)
        audit_reload_refused(strerror(-r));
    else
        audit_reloaded(difference);
}

void daemon_stop(struct simulation *simulation)
{
    struct daemon_instance *daemon = simulation->daemon;

    if (daemon->is_stopping)
        return;
    daemon->is_stopping = true;
    daemon->stop_deadline = wall_add(simulation_now(simulation), STOP_TIMEOUT_MS);
    scheduler_stop(daemon->scheduler);
}

bool daemon_has_stopped(const struct simulation *simulation)
{
    const struct daemon_instance *daemon = simulation->daemon;

    return daemon && daemon->is_stopping &&
           (aws_calls_pending(daemon->aws) == 0 ||
            simulation_now(simulation).ms >= daemon->stop_deadline.ms);
}

void daemon_bury(struct simulation *simulation)
{
    bool was_stopped = daemon_has_stopped(simulation);

    simulation->is_dying = true; /* whatever its remains do has no effect */
    release(simulation);
    simulation->is_dying = false;
    if (simulation->death.takes_power)
        memory_storage_lose_power(simulation->storage);
    simulation->death = (struct death){.at = DEATH_NOWHERE};
    simulation->daemon_since = simulation_now(simulation);
    trace_act(simulation, "the daemon has %s", was_stopped ? "stopped" : "died");
    judge_daemon(simulation->judge, was_stopped ? WORLD_DAEMON_STOPPED : WORLD_DAEMON_KILLED);
    simulation_trouble_begins(simulation, NULL);
    simulation_restart_after(simulation, 0);
}

bool daemon_may_store(void *userdata, const char *step)
{
    struct simulation *simulation = userdata;
    struct death *death = &simulation->death;

    (void)step;
    if (!simulation->is_dying && death->at == DEATH_STORING && --death->countdown <= 0)
        simulation->is_dying = true;
    return !simulation->is_dying;
}
