/* SPDX-License-Identifier: MIT */
#include "tests/simulation/world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/cleanup.h"
#include "tests/simulation/machinery.h"

/* The world of one run: made from its plan, moved on step by step, and taken apart again. */

#define ACCESS_KEY "AKIDSIMULATION"
#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYSIMULATION"
#define CONTAINER_TOKEN "Bearer-of-the-simulation"
#define CONTAINER_PATH "/v2/credentials/simulation"

/* systemd's RestartSec, and how long a machine takes to come up, or people to look. */
#define RESTART_LEAST_MS (2 * MS_PER_SECOND)
#define LOOK_EVERY_MS (10 * MS_PER_SECOND) /* whether it has stopped, when nothing else happens */
#define TRIM_EVERY_MS (6 * MS_PER_HOUR)
#define WINDOW_MAX_MS (16 * MS_PER_HOUR)

/* For simulation_print_last(), when the run is over. */
static struct trace *last_trace;

/* --- questions ---------------------------------------------------------------------------------- */

struct wall simulation_now(const struct simulation *simulation)
{
    return wall_add(loop_wall(simulation->loop), simulation->sim->clock_offset_ms);
}

int64_t simulation_offset_ms(const struct simulation *simulation)
{
    return wall_since(simulation_now(simulation), simulation->plan->start);
}

bool world_is_activity(const struct world_environment *environment, const char *message)
{
    return strstr(message, environment->pattern) &&
           !(environment->exclude && strstr(message, environment->exclude));
}

struct world_environment *simulation_find_environment(struct simulation *simulation,
                                                      const char *cluster, const char *service,
                                                      struct world_service **ret_service)
{
    for (size_t i = 0; i < simulation->n_environments; i++) {
        struct world_environment *environment = &simulation->environments[i];

        if (strcmp(environment->cluster, cluster) != 0)
            continue;
        for (size_t j = 0; j < environment->n_services; j++) {
            if (strcmp(environment->services[j].name, service) != 0)
                continue;
            if (ret_service)
                *ret_service = &environment->services[j];
            return environment;
        }
    }
    return NULL;
}

bool simulation_truth(struct simulation *simulation, const struct world_environment *environment,
                      const struct world_service *service, struct sim_service_truth *ret)
{
    /* Clusters stay; services come and go. */
    struct sim_service *found = sim_service_find(environment->found, service->name);

    if (found)
        sim_service_truth(simulation->sim, found, simulation_now(simulation), ret);
    return found != NULL;
}

void simulation_violation(struct simulation *simulation, const char *invariant,
                          const struct world_environment *environment, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    if (simulation->violation)
        return;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    snprintf(simulation->invariant, sizeof(simulation->invariant), "%s", invariant);
    if (asprintf(&simulation->violation, "%s%s%s", environment ? environment->name : "",
                 environment ? ": " : "", text ? text : "out of memory") < 0)
        abort();
    trace_act(simulation, "VIOLATION %s %s", invariant, simulation->violation);
}

/* --- weather ------------------------------------------------------------------------------------ */

static const char *const OPERATIONS[WORLD_OPERATIONS] = {
    "FilterLogEvents", "StartQuery",       "GetQueryResults",
    "StopQuery",       "DescribeServices", "UpdateService",
};

struct wall simulation_calm_for(const struct simulation *simulation, const char *operation)
{
    for (size_t i = 0; i < WORLD_OPERATIONS; i++)
        if (strcmp(OPERATIONS[i], operation) == 0)
            return simulation->weather[i].calm_since;
    return simulation->calm_since;
}

/* Trouble that bears on one operation alone bears on the others not. */
static bool bears_on(size_t index, const char *operation)
{
    return !operation || strcmp(OPERATIONS[index], operation) == 0;
}

void simulation_trouble_begins(struct simulation *simulation, const char *operation)
{
    simulation->n_troubles++;
    simulation->calm_since = SIM_FOREVER;
    for (size_t i = 0; i < WORLD_OPERATIONS; i++) {
        if (!bears_on(i, operation))
            continue;
        simulation->weather[i].n_troubles++;
        simulation->weather[i].calm_since = SIM_FOREVER;
    }
}

void simulation_trouble_ends(struct simulation *simulation, const char *operation)
{
    struct wall now = simulation_now(simulation);

    if (--simulation->n_troubles == 0)
        simulation->calm_since = now;
    for (size_t i = 0; i < WORLD_OPERATIONS; i++)
        if (bears_on(i, operation) && --simulation->weather[i].n_troubles == 0)
            simulation->weather[i].calm_since = now;
}

void simulation_disturb(struct simulation *simulation)
{
    struct wall now = simulation_now(simulation);

    if (simulation->n_troubles == 0)
        simulation->calm_since = now;
    for (size_t i = 0; i < WORLD_OPERATIONS; i++)
        if (simulation->weather[i].n_troubles == 0)
            simulation->weather[i].calm_since = now;
}

void simulation_fired(struct simulation *simulation, enum misfortune misfortune, uint64_t n)
{
    simulation->fired[misfortune] += n;
}

/* --- the daemon comes and goes ------------------------------------------------------------------ */

static int64_t draw_downtime_ms(struct simulation *simulation)
{
    struct chance chance = {simulation->seed ^ (uint64_t)simulation_offset_ms(simulation)};

    return chance_one_in(&chance, 10) ? chance_scale(&chance, 10 * MS_PER_MINUTE, 4 * MS_PER_HOUR)
                                      : chance_scale(&chance, RESTART_LEAST_MS, 5 * MS_PER_MINUTE);
}

void simulation_restart_after(struct simulation *simulation, int64_t delay_ms)
{
    if (delay_ms == 0)
        delay_ms = draw_downtime_ms(simulation);
    simulation->restart_at = wall_add(simulation_now(simulation), delay_ms);
}

static void try_start(struct simulation *simulation)
{
    simulation->restart_at = SIM_FOREVER;
    trace_act(simulation, "the daemon starts");
    int r = daemon_start(simulation);
    if (r == 0)
        simulation_trouble_ends(simulation, NULL);
    else /* its INI is wrong, or its disk: people and systemd try again */
        simulation_restart_after(simulation, MS_PER_MINUTE);
    if (simulation->is_dying) { /* at a file operation of the start */
        if (simulation->daemon)
            daemon_bury(simulation);
        simulation->is_dying = false;
    }
}

/* Has it died, or come to its end? */
static void look_after_daemon(struct simulation *simulation)
{
    const struct death *death = &simulation->death;

    if (!simulation->daemon || (!simulation->is_dying && !daemon_has_stopped(simulation)))
        return;
    if (simulation->is_dying && death->at != DEATH_NOWHERE)
        simulation_fired(simulation, (enum misfortune)death->misfortune, 1);
    daemon_bury(simulation);
}

/* --- traffic ------------------------------------------------------------------------------------ */

static bool writes_log(struct simulation *simulation, const struct world_environment *environment)
{
    for (size_t i = 0; i < environment->n_services; i++) {
        struct sim_service_truth truth;

        if (environment->services[i].is_always_on &&
            (!simulation_truth(simulation, environment, &environment->services[i], &truth) ||
             truth.running == 0))
            return false;
    }
    return true;
}

static void make_message(const struct world_environment *environment, struct plan_item *item,
                         char *buffer, size_t size)
{
    unsigned n = (unsigned)chance_below(&item->chance, 10000);

    switch (item->traffic) {
    case TRAFFIC_USE:
        snprintf(buffer, size, "10.0.%u.7 - \"%s%u HTTP/1.1\" 200", n % 256, environment->pattern,
                 n);
        return;
    case TRAFFIC_HEARTBEAT:
        if (environment->exclude) {
            snprintf(buffer, size, "10.0.0.1 - \"%s%u\" 200 %s/2.0", environment->pattern, n,
                     environment->exclude);
            return;
        }
        break;
    case TRAFFIC_NOISE:
        break;
    }
    snprintf(buffer, size, "INFO cache warmed, %u entries", n);
}

static int64_t draw_delay_ms(const struct simulation *simulation, struct plan_item *item)
{
    int64_t most_ms =
        simulation->late_ms > 0 ? simulation->late_ms : simulation->plan->ingestion_ms;

    return chance_between(&item->chance, 0, most_ms);
}

static int64_t traffic_happen(struct simulation *simulation, struct plan_item *item)
{
    const struct world_environment *environment = &simulation->environments[item->environment];
    struct wall now = simulation_now(simulation);
    char message[256];

    if (writes_log(simulation, environment)) {
        size_t i = chance_below(&item->chance, environment->n_log_groups);
        struct sim_log_group *group =
            sim_log_group_find(simulation->sim, environment->log_groups[i]);
        int64_t ago_ms = chance_between(&item->chance, 0, simulation->disorder_ms);
        int64_t delay_ms = draw_delay_ms(simulation, item);

        make_message(environment, item, message, sizeof(message));
        if (group)
            (void)sim_event_put(simulation->sim, group, "gateway/1", wall_add(now, -ago_ms),
                                wall_add(now, delay_ms), message, strlen(message));
        if (delay_ms > MS_PER_MINUTE && simulation->late_ms > 0)
            simulation_fired(simulation, MISFORTUNE_LATE_INGESTION, 1);
        if (ago_ms > 0)
            simulation_fired(simulation, MISFORTUNE_OUT_OF_ORDER, 1);
    }
    int64_t next_ms = item->due_ms + chance_between(&item->chance, 1, 2 * item->value);
    return next_ms < item->at_ms + item->for_ms ? next_ms : INT64_MAX;
}

/* What no window reaches any more. */
static void trim(struct simulation *simulation)
{
    struct wall before = wall_add(simulation_now(simulation), -(WINDOW_MAX_MS + 3 * MS_PER_HOUR));

    simulation->trim_at = wall_add(simulation_now(simulation), TRIM_EVERY_MS);
    for (size_t i = 0; i < simulation->sim->n_log_groups; i++)
        (void)sim_events_trim(simulation->sim->log_groups[i], before);
}

/* --- the queue of items ------------------------------------------------------------------------- */

static bool is_before(const struct plan_item *a, const struct plan_item *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a < b;
}

static void sink(struct simulation *simulation, size_t place)
{
    struct plan_item **queue = simulation->queue, *item = queue[place];

    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < simulation->n_queue && is_before(queue[child + 1], queue[child]))
            child++;
        if (child >= simulation->n_queue || !is_before(queue[child], item))
            break;
        queue[place] = queue[child];
        place = child;
    }
    queue[place] = item;
}

static int fill_queue(struct simulation *simulation)
{
    struct plan *plan = simulation->plan;

    simulation->queue = calloc(plan->n_items + 1, sizeof(struct plan_item *));
    if (!simulation->queue)
        return -ENOMEM;
    for (size_t i = 0; i < plan->n_items; i++) {
        plan->items[i].due_ms = plan->items[i].at_ms;
        if (!plan->items[i].is_left_out)
            simulation->queue[simulation->n_queue++] = &plan->items[i]; /* sorted: a heap */
    }
    return 0;
}

static int64_t next_due_ms(const struct simulation *simulation)
{
    return simulation->n_queue > 0 ? simulation->queue[0]->due_ms : INT64_MAX;
}

static void happen(struct simulation *simulation)
{
    struct plan_item *item = simulation->queue[0];
    int64_t next_ms = item->kind == PLAN_TRAFFIC ? traffic_happen(simulation, item)
                                                 : misfortune_happen(simulation, item);

    item->has_begun = true;
    item->due_ms = next_ms;
    if (next_ms == INT64_MAX)
        simulation->queue[0] = simulation->queue[--simulation->n_queue];
    if (simulation->n_queue > 0)
        sink(simulation, 0);
    judge_step(simulation->judge);
}

/* --- ears --------------------------------------------------------------------------------------- */

static int add_secret(struct simulation *simulation, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    char **place = &simulation->secrets[simulation->next_secret];
    free(*place);
    *place = copy;
    simulation->next_secret = (simulation->next_secret + 1) % WORLD_SECRETS_MAX;
    if (simulation->n_secrets < WORLD_SECRETS_MAX)
        simulation->n_secrets++;
    return 0;
}

/* The newest are asked for most. */
static bool is_known_secret(const struct simulation *simulation, const char *text)
{
    for (size_t ago = 1; ago <= simulation->n_secrets; ago++) {
        size_t place = (simulation->next_secret + WORLD_SECRETS_MAX - ago) % WORLD_SECRETS_MAX;

        if (strcmp(simulation->secrets[place], text) == 0)
            return true;
    }
    return false;
}

/* Keys that AWS has issued since: they are the last ones. */
static void learn_secrets(struct simulation *simulation)
{
    struct sim *sim = simulation->sim;

    for (size_t i = sim->n_keys; i-- > 0;) {
        if (is_known_secret(simulation, sim->keys[i]->secret_access_key))
            break;
        (void)add_secret(simulation, sim->keys[i]->secret_access_key);
    }
}

static void hear(void *userdata, int level, const char *message_id, const struct log_field *fields,
                 size_t n_fields, const char *message)
{
    struct simulation *simulation = userdata;

    if (simulation->is_dying)
        return;
    learn_secrets(simulation);
    trace_told(simulation, level, message_id, message);
    judge_told(simulation->judge, level, message_id, fields, n_fields, message);
}

static bool arrives_whole(const struct sim_response *response)
{
    return response->delivery == SIM_DELIVER && response->content_length_override < 0;
}

/* Spoilt bodies are delivered, too; what is intact has the body that the operation made. */
static bool is_spoilt(const struct simulation *simulation)
{
    static const enum sim_fault_kind kinds[] = {
        SIM_FAULT_TRUNCATE,    SIM_FAULT_DUPLICATE, SIM_FAULT_GARBAGE, SIM_FAULT_ERROR_IN_200,
        SIM_FAULT_WRONG_TYPES, SIM_FAULT_HUGE,      SIM_FAULT_DEEP};
    uint64_t sum = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        sum += simulation->sim->faults_fired[kinds[i]];
    return sum != simulation->spoilt_before;
}

static void note_spoilt(struct simulation *simulation)
{
    static const enum sim_fault_kind kinds[] = {
        SIM_FAULT_TRUNCATE,    SIM_FAULT_DUPLICATE, SIM_FAULT_GARBAGE, SIM_FAULT_ERROR_IN_200,
        SIM_FAULT_WRONG_TYPES, SIM_FAULT_HUGE,      SIM_FAULT_DEEP};

    simulation->spoilt_before = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        simulation->spoilt_before += simulation->sim->faults_fired[kinds[i]];
}

static void observe(void *userdata, const struct sim_call *call,
                    const struct sim_response *response)
{
    struct simulation *simulation = userdata;
    struct world_call told = {
        .now = call->now,
        .operation = call->operation,
        .parameters = call->parameters,
        .code = call->error_code,
    };

    if (!response) {
        judge_before_call(simulation->judge, &told);
        return;
    }
    told.status = response->delivery == SIM_REFUSE ? 0 : response->status;
    told.result = call->error_status ? NULL : call->result;
    told.is_intact = arrives_whole(response) && !is_spoilt(simulation);
    told.latency_ms = response->latency_ms;
    told.is_lost = response->delivery == SIM_RESET || response->delivery == SIM_STALL;
    note_spoilt(simulation);
    trace_call(simulation, &told);
    judge_after_call(simulation->judge, &told);
    simulation->n_calls++;
    if (told.status == 200 && told.result && strcmp(told.operation, "UpdateService") == 0) {
        struct json_object *count = json_object_object_get(told.parameters, "desiredCount");
        if (json_object_get_int(count) > 0)
            simulation->n_wakes++;
        else
            simulation->n_sleeps++;
    }
}

static void stored(void *userdata, const char *file, const void *bytes, size_t size)
{
    struct simulation *simulation = userdata;

    learn_secrets(simulation);
    judge_stored(simulation->judge, file, bytes, size);
}

static uint64_t draw_for_disk(void *userdata, uint64_t bound)
{
    struct simulation *simulation = userdata;
    struct chance chance = {simulation->seed ^ ++simulation->disk_draws << 20};

    return chance_below(&chance, bound);
}

static void disk_fired(void *userdata, enum disk_trouble trouble)
{
    simulation_fired(userdata,
                     trouble == DISK_IS_FULL        ? MISFORTUNE_DISK_FULL
                     : trouble == DISK_IS_READ_ONLY ? MISFORTUNE_DISK_READ_ONLY
                                                    : MISFORTUNE_DISK_FAILS,
                     1);
}

/* --- making it ---------------------------------------------------------------------------------- */

static void set_process_environment(const struct plan *plan)
{
    clearenv();
    setenv("TZ", plan->time_zone, 1);
    tzset();
    setenv("AWS_CONFIG_FILE", "no-config", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "no-credentials", 1);
    if (plan->identity == IDENTITY_KEYS) {
        setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY, 1);
        setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY, 1);
    } else if (plan->identity == IDENTITY_CONTAINER) {
        setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", CONTAINER_PATH, 1);
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", CONTAINER_TOKEN, 1);
    }
}

static int make_scenario(const struct plan *plan, struct json_object **ret)
{
    struct chance chance = {plan->seed ^ 0x5ce7a510};
    bool pages_are_small = chance_one_in(&chance, 3), reads_are_stale = chance_one_in(&chance, 3);
    /* One after the other: C leaves open in which order arguments are drawn. */
    int64_t container_session_s = chance_scale(&chance, 900, 21600);
    int64_t instance_session_s = chance_scale(&chance, 900, 21600);
    int64_t query_running_ms = chance_scale(&chance, 200, 8000);
    int64_t stale_ms = reads_are_stale ? chance_scale(&chance, 1000, 58000) : 0;
    int64_t page_events = pages_are_small ? chance_scale(&chance, 1, 64) : 10000;
    int service_events = (int)chance_below(&chance, 3);
    _cleanup_free_ char *text = NULL;
    int r = asprintf(
        &text,
        "{\"seed\":%llu,\"region\":\"eu-west-1\",\"settings\":{\"verify_signatures\":%s,"
        "\"latency_ms\":%lld,\"history_max\":64,\"service_events\":%d,\"page_events\":%lld,\"stale_"
        "ms\":%lld,"
        "\"query_running_ms\":%lld,\"query_retention_ms\":86400000,\"throttle\":\"%s\"},"
        "\"credentials\":[{\"access_key_id\":\"" ACCESS_KEY "\",\"secret_access_key\":\"" SECRET_KEY
        "\"}],"
        "\"roles\":[{\"arn\":\"arn:aws:iam::123456789012:role/bastion\"},"
        "{\"arn\":\"arn:aws:iam::123456789012:role/bastion-new\"}],"
        "\"imds\":{\"enabled\":true,\"role\":\"bastion\",\"session_s\":%lld},"
        "\"container\":{\"path\":\"" CONTAINER_PATH "\",\"authorization_token\":\"" CONTAINER_TOKEN
        "\",\"role\":\"bastion\",\"session_s\":%lld}}",
        (unsigned long long)plan->seed % 1000000007, plan->verifies_signatures ? "true" : "false",
        (long long)plan->latency_ms, service_events, (long long)page_events, (long long)stale_ms,
        (long long)query_running_ms, plan->throttles ? "aws" : "none",
        (long long)instance_session_s, (long long)container_session_s);
    if (r < 0)
        return -ENOMEM;
    *ret = json_tokener_parse(text);
    return *ret ? 0 : -EINVAL;
}

static int make_log_groups(struct simulation *simulation, struct world_environment *environment)
{
    for (size_t i = 0; i < environment->n_log_groups; i++) {
        struct sim_log_group *group;
        int r = sim_log_group_add(simulation->sim, environment->log_groups[i], false,
                                  simulation_now(simulation), &group);
        if (r < 0 && r != -EEXIST)
            return r;
    }
    return 0;
}

static int make_services(struct simulation *simulation, struct world_environment *environment)
{
    struct sim_cluster *cluster = sim_cluster_find(simulation->sim, environment->cluster);
    int r = cluster ? 0 : sim_cluster_add(simulation->sim, environment->cluster, &cluster);

    environment->found = cluster;

    for (size_t i = 0; i < environment->n_services && r == 0; i++) {
        const struct world_service *service = &environment->services[i];
        const struct sim_service_options options = {.name = service->name,
                                                    .desired = service->usual_count,
                                                    .task_start_ms = -1,
                                                    .task_stop_ms = -1,
                                                    .running_already = true};
        struct sim_service *made;
        r = sim_service_add(simulation->sim, cluster, &options, simulation_now(simulation), &made);
    }
    return r;
}

static int make_aws(struct simulation *simulation)
{
    _cleanup_json_ struct json_object *scenario = NULL;
    _cleanup_free_ char *error = NULL;
    int r = make_scenario(simulation->plan, &scenario);

    if (r == 0)
        r = sim_new(scenario, loop_wall(simulation->loop), &simulation->sim, &error);
    if (r < 0) {
        fprintf(stderr, "scenario: %s\n", error ? error : strerror(-r));
        return r;
    }
    for (size_t i = 0; i < simulation->n_environments && r == 0; i++) {
        r = make_log_groups(simulation, &simulation->environments[i]);
        if (r == 0)
            r = make_services(simulation, &simulation->environments[i]);
    }
    sim_set_observer(simulation->sim, observe, simulation);
    return r;
}

static int make_world(struct simulation *simulation, FILE *out)
{
    const struct memory_storage_hooks hooks = {.may_go_on = daemon_may_store,
                                               .stored = stored,
                                               .random = draw_for_disk,
                                               .fired = disk_fired,
                                               .userdata = simulation};
    int r = trace_new(out, &simulation->trace);

    if (r < 0 || (r = loop_new(&simulation->loop)) < 0)
        return r;
    virtual_loop_seed(simulation->loop, simulation->seed);
    virtual_loop_set_wall(simulation->loop, simulation->plan->start);
    simulation_trouble_begins(simulation, NULL); /* no daemon yet */
    simulation->restart_at = simulation->plan->start;
    simulation->trim_at = wall_add(simulation->plan->start, TRIM_EVERY_MS);
    if ((r = make_aws(simulation)) < 0 ||
        (r = memory_storage_new(&hooks, &simulation->storage)) < 0 ||
        (r = fill_queue(simulation)) < 0 || (r = add_secret(simulation, SECRET_KEY)) < 0 ||
        (r = add_secret(simulation, CONTAINER_TOKEN)) < 0 ||
        (r = judge_new(simulation, &simulation->judge)) < 0 || (r = wire_open(simulation)) < 0)
        return r;
    memory_storage_attach(simulation->storage);
    set_process_environment(simulation->plan);
    log_set_sink(hear, simulation);
    return ini_write(simulation);
}

static void unmake_world(struct simulation *simulation)
{
    simulation->is_dying = true;
    if (simulation->daemon)
        daemon_bury(simulation);
    wire_close();
    log_set_sink(NULL, NULL);
    judge_free(simulation->judge);
    memory_storage_attach(NULL);
    memory_storage_free(simulation->storage);
    if (simulation->sim)
        sim_free(simulation->sim);
    loop_free(simulation->loop);
    for (size_t i = 0; i < WORLD_SECRETS_MAX; i++)
        free(simulation->secrets[i]);
    free(simulation->queue);
    free(simulation->violation);
    trace_free(last_trace);
    last_trace = simulation->trace;
}

/* --- running ------------------------------------------------------------------------------------ */

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Up to the next moment at which the world itself does something. */
static void run_until(struct simulation *simulation, int64_t until_ms)
{
    while (!simulation->violation) {
        int64_t left_ms = until_ms - simulation_offset_ms(simulation);
        if (left_ms < 0 || !virtual_loop_step(simulation->loop, left_ms))
            return;
        simulation->n_steps++;
        if (simulation->death.at == DEATH_STEP && --simulation->death.countdown <= 0)
            simulation->is_dying = true;
        look_after_daemon(simulation);
        judge_step(simulation->judge);
    }
}

static void run(struct simulation *simulation)
{
    const struct plan *plan = simulation->plan;

    while (!simulation->violation) {
        int64_t now_ms = simulation_offset_ms(simulation);
        int64_t restart_ms = wall_since(simulation->restart_at, plan->start);
        if (now_ms >= plan->length_ms)
            break;
        if (now_ms >= restart_ms)
            try_start(simulation);
        else if (now_ms >= next_due_ms(simulation))
            happen(simulation);
        else
            run_until(simulation, earliest(earliest(next_due_ms(simulation), restart_ms),
                                           earliest(plan->length_ms, now_ms + LOOK_EVERY_MS)));
        look_after_daemon(simulation);
        if (simulation_now(simulation).ms >= simulation->trim_at.ms)
            trim(simulation);
    }
    if (!simulation->violation)
        judge_end(simulation->judge);
}

int simulation_run(struct plan *plan, FILE *out, struct simulation_result *ret)
{
    struct simulation simulation = {.seed = plan->seed,
                                    .plan = plan,
                                    .environments = plan->environments,
                                    .n_environments = plan->n_environments,
                                    .fired = ret->fired};

    *ret = (struct simulation_result){.seed = plan->seed};
    int r = make_world(&simulation, out);
    if (r == 0) {
        run(&simulation);
        ret->trace_hash = trace_hash(simulation.trace);
        ret->n_steps = simulation.n_steps;
        ret->n_calls = simulation.n_calls;
        ret->n_sleeps = simulation.n_sleeps;
        ret->n_wakes = simulation.n_wakes;
        ret->environment_ms =
            simulation_offset_ms(&simulation) * (int64_t)(plan->n_environments - plan->n_others);
        ret->violated_at_ms = simulation_offset_ms(&simulation);
        snprintf(ret->invariant, sizeof(ret->invariant), "%s", simulation.invariant);
        snprintf(ret->violation, sizeof(ret->violation), "%s",
                 simulation.violation ? simulation.violation : "");
        for (size_t i = 0; i < simulation.n_queue; i++)
            if (simulation.queue[i]->kind == PLAN_MISFORTUNE && simulation.queue[i]->has_begun &&
                simulation.queue[i]->rule)
                (void)misfortune_happen(&simulation, simulation.queue[i]); /* count what it did */
    }
    unmake_world(&simulation);
    return r;
}

void simulation_print_last(FILE *out)
{
    if (last_trace)
        trace_print_last(last_trace, out);
}
