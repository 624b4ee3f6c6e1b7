/* SPDX-License-Identifier: MIT */
#include "tests/simulation/judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"
#include "src/json.h"

/* Between two looks at what time alone has brought. Below any bound that is judged by. */
#define LOOK_INTERVAL_MS (5 * MS_PER_SECOND)
/* At counts that somebody else may have changed without a word: they carry their moment with them. */
#define COUNTS_INTERVAL_MS (30 * MS_PER_SECOND)

struct judge_environment *judge_environment_of(const struct judge *judge,
                                               const struct world_environment *environment)
{
    return &judge->environments[environment - judge->simulation->environments];
}

struct judge_service *judge_service_of(const struct judge_environment *environment,
                                       const struct world_service *service)
{
    return &environment->services[service - environment->world->services];
}

struct judge_group *judge_group_find(const struct judge *judge, const char *name)
{
    for (size_t i = 0; i < judge->n_groups; i++)
        if (strcmp(judge->groups[i]->name, name) == 0)
            return judge->groups[i];
    return NULL;
}

struct wall judge_later(struct wall a, struct wall b)
{
    return wall_max(a, b);
}

/* --- life ----------------------------------------------------------------------------------------- */

static int add_group(struct judge *judge, const char *name, struct judge_group **ret)
{
    *ret = judge_group_find(judge, name);
    if (*ret)
        return 0;
    struct judge_group *group = calloc(1, sizeof(*group));
    struct judge_group **grown =
        reallocarray(judge->groups, judge->n_groups + 1, sizeof(struct judge_group *));
    if (grown)
        judge->groups = grown;
    if (!group || !grown || !(group->name = strdup(name))) {
        free(group);
        return -ENOMEM;
    }
    group->group = sim_log_group_find(judge->simulation->sim, name);
    judge->groups[judge->n_groups++] = group;
    *ret = group;
    return 0;
}

static int add_environment(struct judge *judge, struct world_environment *world)
{
    struct judge_environment *environment = judge_environment_of(judge, world);

    *environment = (struct judge_environment){
        .world = world,
        .services = calloc(world->n_services + 1, sizeof(*environment->services)),
        .groups = calloc(world->n_log_groups + 1, sizeof(struct judge_group *)),
        .fell = WALL_NEVER,
        .slept = WALL_NEVER,
        .waking = WALL_NEVER,
        .released = WALL_NEVER,
        .adopted = WALL_NEVER,
        .last_activity = WALL_NEVER,
        .last_visible = WALL_NEVER,
        .fell_asleep_whole = true,
        .disturbed = WALL_NEVER,
        .was_configured = world->is_configured,
    };
    if (!environment->services || !environment->groups)
        return -ENOMEM;
    for (size_t i = 0; i < world->n_services; i++) {
        environment->services[i].scaled = WALL_NEVER;
        environment->services[i].was_named = world->services[i].is_named;
        environment->services[i].left = environment->services[i].returned = WALL_NEVER;
        environment->services[i].written = WALL_NEVER;
        environment->services[i].answered = WALL_NEVER;
        environment->services[i].doubted = WALL_NEVER;
    }
    for (size_t i = 0; i < world->n_log_groups; i++)
        if (add_group(judge, world->log_groups[i], &environment->groups[i]) < 0)
            return -ENOMEM;
    return 0;
}

static void count_users(struct judge *judge)
{
    for (size_t i = 0; i < judge->n_groups; i++)
        judge->groups[i]->n_environments = 0;
    for (size_t i = 0; i < judge->n_environments; i++) {
        const struct world_environment *world = judge->environments[i].world;

        for (size_t j = 0; j < judge->n_groups; j++)
            for (size_t k = 0; k < world->n_log_groups && world->is_configured; k++)
                judge->groups[j]->n_environments +=
                    strcmp(judge->groups[j]->name, world->log_groups[k]) == 0;
    }
}

DEFINE_CLEANUP(struct judge *, judge_free)

int judge_new(struct simulation *simulation, struct judge **ret)
{
    _cleanup_(judge_free) struct judge *judge = calloc(1, sizeof(*judge));
    if (!judge)
        return -ENOMEM;
    judge->simulation = simulation;
    judge->born = judge->started = simulation_now(simulation);
    judge->let_go = judge->stored = judge->next_look = judge->next_counts = judge->next_weighing =
        WALL_NEVER;
    judge_budgets_reset(judge);
    judge->environments = calloc(simulation->n_environments + 1, sizeof(*judge->environments));
    if (!judge->environments)
        return -ENOMEM;
    for (size_t i = 0; i < simulation->n_environments; i++) {
        if (add_environment(judge, &simulation->environments[i]) < 0) {
            judge->n_environments = i + 1;
            return -ENOMEM;
        }
        judge->n_environments = i + 1;
    }
    count_users(judge);
    for (size_t i = 0; i < judge->n_environments; i++)
        judge_take_counts(judge, &judge->environments[i]);
    *ret = TAKE(judge);
    return 0;
}

struct judge *judge_free(struct judge *judge)
{
    if (!judge)
        return NULL;
    for (size_t i = 0; i < judge->n_environments; i++) {
        free(judge->environments[i].services);
        free(judge->environments[i].groups);
        free(judge->environments[i].coming);
    }
    for (size_t i = 0; i < judge->n_groups; i++) {
        free(judge->groups[i]->name);
        free(judge->groups[i]);
    }
    free(judge->environments);
    free(judge->groups);
    free(judge);
    return NULL;
}

/* --- calls ---------------------------------------------------------------------------------------- */

/* What an UpdateService is about. Returns false if it sets no count. */
static bool read_update(struct judge *judge, const struct world_call *call,
                        struct judge_environment **ret_environment,
                        struct world_service **ret_service, int64_t *ret_desired)
{
    const char *cluster, *name;

    *ret_environment = NULL;
    *ret_service = NULL;
    if (strcmp(call->operation, "UpdateService") != 0 ||
        json_get_int(call->parameters, "desiredCount", ret_desired) < 0 ||
        json_get_string(call->parameters, "cluster", &cluster) < 0 ||
        json_get_string(call->parameters, "service", &name) < 0)
        return false;
    struct world_environment *environment =
        simulation_find_environment(judge->simulation, cluster, name, ret_service);
    if (environment && *ret_service)
        *ret_environment = judge_environment_of(judge, environment);
    else
        judge_report(judge, "S4", NULL, "UpdateService of %s in %s, which nobody has named", name,
                     cluster);
    return *ret_environment != NULL;
}

void judge_before_call(struct judge *judge, const struct world_call *call)
{
    struct judge_environment *environment;
    struct world_service *service;
    struct sim_service_truth truth;
    int64_t desired;

    if (!read_update(judge, call, &environment, &service, &desired))
        return;
    judge_take_counts(judge, environment);
    judge->count_before = simulation_truth(judge->simulation, environment->world, service, &truth)
                              ? truth.desired
                              : 0;
    bool is_on_its_way = wall_since(call->now, judge_service_of(environment, service)->left) <
                         JUDGE_HELD_UP_MS; /* from before it was taken out */
    if (!service->is_named && !is_on_its_way)
        judge_report(judge, "S4", environment,
                     "UpdateService of %s, which is not one of its "
                     "services",
                     service->name);
    else if (judge_is_untouchable(judge_service_of(environment, service), call->now))
        judge_report(judge, "S4", environment,
                     "UpdateService of %s, which was shown as a DAEMON or not ACTIVE",
                     service->name);
    else if (desired == 0)
        judge_sleep(judge, environment, service, call->now);
    else
        judge_wake(judge, environment, service, desired, call->now);
}

void judge_after_call(struct judge *judge, const struct world_call *call)
{
    struct judge_environment *environment;
    struct world_service *service;
    int64_t desired;

    judge_count_request(judge, call);
    judge_take_answer(judge, call);
    if (!read_update(judge, call, &environment, &service, &desired))
        return;
    judge_doubt(judge_service_of(environment, service), call);
    if (call->status == 200 && *call->code == '\0')
        judge_record_update(judge, environment, service, desired, call->now);
}

/* --- what others do --------------------------------------------------------------------------------- */

static void disturb(struct judge *judge, const struct world_environment *environment)
{
    for (size_t i = 0; i < judge->n_environments; i++)
        if (!environment || judge->environments[i].world == environment)
            judge->environments[i].disturbed = simulation_now(judge->simulation);
}

/* A group is known by its pointer, which must not be kept beyond its life. */
static void find_groups(struct judge *judge)
{
    for (size_t i = 0; i < judge->n_groups; i++) {
        struct judge_group *group = judge->groups[i];

        group->group = sim_log_group_find(judge->simulation->sim, group->name);
        if (!group->group)
            group->n_events = 0;
    }
}

/* What was owed is nobody's knowledge any more. */
static void forget_counts(struct judge_environment *environment)
{
    for (size_t i = 0; i < environment->world->n_services; i++) {
        environment->services[i].is_owed = false;
        environment->services[i].n_counts = 0;
    }
    environment->demand.is_made = false;
}

/* Activity that went with its log group before anybody looked wakes nobody. */
static void forget_what_is_gone(const struct judge *judge, struct judge_environment *environment)
{
    struct judge_demand *made = &environment->demand;
    struct wall now = simulation_now(judge->simulation);
    struct judge_activity left;
    int64_t from_ms = now.ms - environment->world->rules.window_ms;
    size_t n = 0;

    for (size_t i = 0; i < environment->n_coming; i++)
        if (environment->coming[i].group->group)
            environment->coming[n++] = environment->coming[i];
    environment->n_coming = n;
    if (made->is_made && !made->is_removal && !made->is_adoption &&
        judge_find_activity(judge, environment, from_ms, now, &left, 1) == 0)
        made->is_made = false;
}

void judge_before_act(struct judge *judge, const struct world_act *act)
{
    if (act->environment)
        judge_take_counts(judge, judge_environment_of(judge, act->environment));
    if (act->kind == WORLD_LOG_GROUP_REMOVED) {
        judge_take_events(judge, simulation_now(judge->simulation));
        for (size_t i = 0; i < judge->n_groups; i++)
            judge->groups[i]->group = NULL; /* until judge_after_act() */
    }
}

void judge_after_act(struct judge *judge, const struct world_act *act)
{
    switch (act->kind) {
    case WORLD_SCALED:
        if (act->service && act->service->is_always_on)
            disturb(judge, act->environment); /* while it is down nothing can be confirmed */
        break;
    case WORLD_LOG_GROUP_REMOVED:
    case WORLD_LOG_GROUP_MADE:
        find_groups(judge);
        for (size_t i = 0; i < judge->n_environments; i++)
            forget_what_is_gone(judge, &judge->environments[i]);
        disturb(judge, NULL); /* it may be several environments' */
        break;
    case WORLD_DELETED:
    case WORLD_RECREATED:
    case WORLD_CLOCK_STEPPED:
    case WORLD_SUSPENDED:
        judge_refusals_forget(judge);
        disturb(judge, act->environment);
        break;
    case WORLD_STATE_LOST:
        for (size_t i = 0; i < judge->n_environments; i++)
            if (!act->environment || judge->environments[i].world == act->environment)
                forget_counts(&judge->environments[i]);
        break;
    }
    if (act->environment)
        judge_take_counts(judge, judge_environment_of(judge, act->environment));
}

bool judge_is_wholly_down(const struct judge_environment *environment)
{
    for (size_t i = 0; i < environment->world->n_services; i++)
        if (environment->world->services[i].is_named &&
            judge_count_of(&environment->services[i]) > 0)
            return false;
    return true;
}

/* Services that were taken out of an environment, or given back. */
static void take_services(struct judge *judge, struct judge_environment *environment,
                          struct wall now)
{
    for (size_t i = 0; i < environment->world->n_services; i++) {
        const struct world_service *service = &environment->world->services[i];
        struct judge_service *its = &environment->services[i];

        if (its->was_named && !service->is_named)
            its->left = now;
        if (!its->was_named && service->is_named) {
            its->returned = now;
            judge_demand_return(judge, environment, service, now);
        }
        its->was_named = service->is_named;
    }
}

/* An environment that the daemon has just let go, or taken on. */
static void take_configuration(struct judge *judge, struct wall now)
{
    count_users(judge);
    for (size_t i = 0; i < judge->n_environments; i++) {
        struct judge_environment *environment = &judge->environments[i];
        bool is_let_go = environment->was_configured && !environment->world->is_configured;

        if (!environment->world->is_configured)
            environment->demand.is_made = false;
        if (is_let_go)
            judge->let_go = now;
        if (is_let_go && environment->world->rules.wake_on_remove)
            judge_demand_release(judge, environment, now);
        environment->was_configured = environment->world->is_configured;
        take_services(judge, environment, now);
    }
}

/* A wake that the disk did not take, and whose daemon is no more: to the next one, what is up was scaled
 * by somebody. */
static void mark_unrecorded(const struct judge *judge, struct judge_environment *environment)
{
    if (environment->is_asleep || judge->stored.ms >= environment->waking.ms)
        return;
    for (size_t i = 0; i < environment->world->n_services; i++) {
        struct judge_service *service = &environment->services[i];

        if (service->written.ms >= environment->waking.ms && service->written_count > 0)
            service->is_unrecorded = true;
    }
}

void judge_daemon(struct judge *judge, enum world_daemon_event event)
{
    struct wall now = simulation_now(judge->simulation);

    switch (event) {
    case WORLD_DAEMON_STARTED:
        judge->started = now;
        judge_doubts_forget(judge);
        judge_budgets_reset(judge); /* the new one knows nothing of what the old one has spent */
        for (size_t i = 0; i < judge->n_environments; i++) {
            judge->environments[i].was_configured = judge->environments[i].world->is_configured;
            judge->environments[i].n_told = 0;
            take_services(judge, &judge->environments[i], now);
            judge->environments[i].adopted = WALL_NEVER;
            judge->environments[i].fell_asleep_whole =
                judge_is_wholly_down(&judge->environments[i]);
            for (size_t j = 0; j < judge->environments[i].world->n_services; j++)
                judge->environments[i].services[j].n_shown = 0;
        }
        count_users(judge);
        break;
    case WORLD_DAEMON_RELOADED:
        judge_refusals_forget(judge);
        judge_doubts_forget(judge);
        take_configuration(judge, now);
        break;
    case WORLD_DAEMON_KILLED:
    case WORLD_DAEMON_STOPPED:
        for (size_t i = 0; i < judge->n_environments; i++) {
            mark_unrecorded(judge, &judge->environments[i]);
            /* One that is no longer configured is not known to the next daemon. */
            if (!judge->environments[i].world->is_configured)
                judge->environments[i].demand.is_made = false;
        }
        break;
    case WORLD_DAEMON_REFUSED_RELOAD:
        break;
    }
}

/* --- what it tells ----------------------------------------------------------------------------------- */

void judge_told(struct judge *judge, int level, const char *message_id,
                const struct log_field *fields, size_t n_fields, const char *message)
{
    (void)level;
    (void)message_id;
    judge_secrets(judge, "a log record", message, strlen(message));
    for (size_t i = 0; i < n_fields; i++)
        if (fields[i].value)
            judge_secrets(judge, fields[i].name, fields[i].value, strlen(fields[i].value));
}

void judge_stored(struct judge *judge, const char *file, const void *bytes, size_t size)
{
    judge->stored = simulation_now(judge->simulation);
    judge_secrets(judge, file, bytes, size);
}

/* --- time ------------------------------------------------------------------------------------------- */

static void look(struct judge *judge, struct wall now)
{
    bool takes_counts = now.ms >= judge->next_counts.ms;

    judge_take_events(judge, now);
    for (size_t i = 0; i < judge->n_environments; i++) {
        if (takes_counts)
            judge_take_counts(judge, &judge->environments[i]);
        judge_liveness(judge, &judge->environments[i], now);
    }
    if (takes_counts) {
        judge_unwanted_queries(judge, now);
        judge->next_counts = wall_add(now, COUNTS_INTERVAL_MS);
    }
    judge_weigh(judge, now);
    judge->next_look = wall_add(now, LOOK_INTERVAL_MS);
}

void judge_step(struct judge *judge)
{
    struct wall now = simulation_now(judge->simulation);

    if (now.ms >= judge->next_look.ms)
        look(judge, now);
}

void judge_end(struct judge *judge)
{
    look(judge, simulation_now(judge->simulation));
}
