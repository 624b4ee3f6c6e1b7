/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"
#include "tests/simulation/machinery.h"

/* Of a page of a search that is slow: an attempt is given up after 30 s. */
#define SLOW_PAGE_MS (25 * MS_PER_SECOND)

/* What people do to services, files and the daemon; and what AWS does to what is in it. */

/* --- services ----------------------------------------------------------------------------------- */

static struct sim_service *find_service(const struct simulation *simulation,
                                        const struct world_environment *environment,
                                        const struct world_service *service)
{
    struct sim_cluster *cluster = sim_cluster_find(simulation->sim, environment->cluster);

    return cluster ? sim_service_find(cluster, service->name) : NULL;
}

void people_scale(struct simulation *simulation, struct world_environment *environment,
                  struct world_service *service, int64_t count)
{
    const struct world_act act = {
        .kind = WORLD_SCALED, .environment = environment, .service = service, .count = count};
    struct sim_service *found = find_service(simulation, environment, service);

    if (!found)
        return;
    trace_act(simulation, "somebody scales %s to %lld", service->name, (long long)count);
    judge_before_act(simulation->judge, &act);
    (void)sim_service_set_desired(simulation->sim, found, count, simulation_now(simulation));
    judge_after_act(simulation->judge, &act);
}

static void remove_service(struct simulation *simulation, struct world_environment *environment,
                           struct world_service *service)
{
    const struct world_act act = {
        .kind = WORLD_DELETED, .environment = environment, .service = service};
    struct sim_cluster *cluster = sim_cluster_find(simulation->sim, environment->cluster);

    judge_before_act(simulation->judge, &act);
    (void)sim_service_remove(simulation->sim, cluster, service->name);
    judge_after_act(simulation->judge, &act);
}

static void drain_service(struct simulation *simulation, struct world_environment *environment,
                          struct world_service *service)
{
    const struct world_act act = {
        .kind = WORLD_DELETED, .environment = environment, .service = service};
    struct sim_service *found = find_service(simulation, environment, service);

    if (!found)
        return;
    judge_before_act(simulation->judge, &act);
    (void)sim_service_set_status(simulation->sim, found, SIM_DRAINING, simulation_now(simulation));
    judge_after_act(simulation->judge, &act);
}

static void make_service(struct simulation *simulation, struct world_environment *environment,
                         struct world_service *service, int64_t count, enum sim_strategy strategy)
{
    const struct world_act act = {
        .kind = WORLD_RECREATED, .environment = environment, .service = service, .count = count};
    const struct sim_service_options options = {.name = service->name,
                                                .desired = count,
                                                .strategy = strategy,
                                                .task_start_ms = -1,
                                                .task_stop_ms = -1};
    struct sim_cluster *cluster = sim_cluster_find(simulation->sim, environment->cluster);
    struct sim_service *made;

    judge_before_act(simulation->judge, &act);
    (void)sim_service_add(simulation->sim, cluster, &options, simulation_now(simulation), &made);
    judge_after_act(simulation->judge, &act);
}

static int64_t change_service(struct simulation *simulation, struct plan_item *item)
{
    struct world_environment *environment = &simulation->environments[item->environment];
    struct world_service *service = &environment->services[item->service];

    if (!item->has_begun) {
        if (!find_service(simulation, environment, service))
            return INT64_MAX; /* another misfortune was faster */
        simulation_fired(simulation, item->misfortune, 1);
        if (item->misfortune == MISFORTUNE_SERVICE_DRAINING) {
            drain_service(simulation, environment, service);
            return item->at_ms + item->for_ms;
        }
        remove_service(simulation, environment, service);
        if (item->misfortune == MISFORTUNE_SERVICE_DAEMON)
            make_service(simulation, environment, service, 0, SIM_DAEMON);
        if (item->misfortune != MISFORTUNE_SERVICE_RECREATED)
            return item->at_ms + item->for_ms;
    } else if (find_service(simulation, environment, service)) {
        remove_service(simulation, environment, service);
    }
    make_service(simulation, environment, service, item->value, SIM_REPLICA);
    return INT64_MAX;
}

/* --- the rest of AWS ---------------------------------------------------------------------------- */

static int64_t change_log_group(struct simulation *simulation, struct plan_item *item)
{
    struct world_environment *environment = &simulation->environments[item->environment];
    const char *name = environment->log_groups[0];
    struct world_act act = {.environment = environment,
                            .kind =
                                item->has_begun ? WORLD_LOG_GROUP_MADE : WORLD_LOG_GROUP_REMOVED};
    struct sim_log_group *made;

    judge_before_act(simulation->judge, &act);
    if (!item->has_begun && sim_log_group_remove(simulation->sim, name) == 0)
        simulation_fired(simulation, item->misfortune, 1);
    else if (item->has_begun)
        (void)sim_log_group_add(simulation->sim, name, false, simulation_now(simulation), &made);
    judge_after_act(simulation->judge, &act);
    simulation_disturb(simulation);
    return item->has_begun ? INT64_MAX : item->at_ms + item->for_ms;
}

static int64_t change_pages(struct simulation *simulation, struct plan_item *item)
{
    struct sim_settings *settings = &simulation->sim->settings;

    if (item->has_begun) {
        settings->page_events = item->saved;
        settings->page_scan = 100000;
        simulation_trouble_ends(simulation, NULL);
        return INT64_MAX;
    }
    item->saved = settings->page_events;
    settings->page_events = item->value;
    settings->page_scan = 4 * item->value;
    simulation_fired(simulation, item->misfortune, 1);
    simulation_trouble_begins(simulation, NULL);
    return item->at_ms + item->for_ms;
}

/* A search may go through many empty pages, and each may take its time. */
static int64_t slow_searches(struct simulation *simulation, struct plan_item *item)
{
    const struct sim_fault_rule rule = {
        .kind = SIM_FAULT_LATENCY,
        .operation = item->operation,
        .count = -1,
        .probability = 1,
        .value = SLOW_PAGE_MS,
        .from = WALL_NEVER,
        .until = SIM_FOREVER,
    };

    if (item->has_begun) {
        (void)sim_fault_remove(simulation->sim, item->rule);
        simulation->sim->settings.empty_pages = 0;
        simulation_trouble_ends(simulation, item->operation);
        return INT64_MAX;
    }
    if (sim_fault_add(simulation->sim, &rule, &item->rule) < 0)
        return INT64_MAX;
    simulation->sim->settings.empty_pages = item->value;
    simulation_fired(simulation, item->misfortune, 1);
    simulation_trouble_begins(simulation, item->operation);
    return item->at_ms + item->for_ms;
}

static int64_t change_role(struct simulation *simulation, struct plan_item *item)
{
    struct sim_imds *imds = &simulation->sim->imds;
    const char *other = strcmp(imds->role, "bastion") == 0 ? "bastion-new" : "bastion";
    char *copy = strdup(other);

    if (!copy)
        return INT64_MAX;
    free(imds->role);
    imds->role = copy;
    simulation_fired(simulation, item->misfortune, 1);
    simulation_disturb(simulation);
    return INT64_MAX;
}

static int64_t expire_keys(struct simulation *simulation, struct plan_item *item)
{
    for (size_t i = 0; i < simulation->sim->n_keys; i++) {
        const struct sim_key *key = simulation->sim->keys[i];
        if (key->issued && key->expires.ms > simulation_now(simulation).ms &&
            sim_key_expire(simulation->sim, key->access_key_id, simulation_now(simulation)) == 0)
            simulation_fired(simulation, item->misfortune, 1);
    }
    simulation_disturb(simulation);
    return INT64_MAX;
}

int64_t aws_acts(struct simulation *simulation, struct plan_item *item)
{
    switch (item->misfortune) {
    case MISFORTUNE_LOG_GROUP_REMOVED:
        return change_log_group(simulation, item);
    case MISFORTUNE_SLOW_SEARCHES:
        return slow_searches(simulation, item);
    case MISFORTUNE_SMALL_PAGES:
        return change_pages(simulation, item);
    case MISFORTUNE_ROLE_CHANGED:
        return change_role(simulation, item);
    case MISFORTUNE_KEYS_EXPIRE:
        return expire_keys(simulation, item);
    default:
        return change_service(simulation, item);
    }
}

/* --- the INI ------------------------------------------------------------------------------------ */

static int64_t longest_ms(const struct world_rules *rules)
{
    return rules->window_ms + rules->lateness_ms + 2 * rules->check_interval_ms;
}

/* Other rules, but not such as would take longer: the calm at the end is as long as the plan says. */
static void change_rules(struct simulation *simulation, struct plan_item *item)
{
    struct world_environment *environment = &simulation->environments[item->environment];
    struct world_rules rules;

    for (int i = 0; i < 50; i++) {
        plan_draw_rules(&item->chance, &rules);
        if (longest_ms(&rules) > longest_ms(&environment->ini_rules))
            continue;
        environment->ini_rules = rules;
        return;
    }
    environment->ini_rules.adopt = !environment->ini_rules.adopt;
}

/* Which of the two clusters its section names, if there is one. */
static void write_section(struct world_environment *environment)
{
    environment->is_in_ini = !environment->is_taken_out && !environment->is_elsewhere;
    if (environment->other)
        environment->other->is_in_ini = !environment->is_taken_out && environment->is_elsewhere;
}

/* `services` must not be empty. */
static bool may_be_taken_out(const struct world_environment *environment,
                             const struct world_service *service)
{
    size_t n = 0;

    for (size_t i = 0; i < environment->n_services; i++)
        n += environment->services[i].is_in_ini;
    return service->is_in_ini && n > 1;
}

static void reload(struct simulation *simulation)
{
    (void)ini_write(simulation);
    if (simulation->daemon)
        daemon_reload(simulation);
}

static int64_t edit_ini(struct simulation *simulation, struct plan_item *item)
{
    struct world_environment *environment = &simulation->environments[item->environment];
    struct world_service *service = &environment->services[item->service];

    switch (item->misfortune) {
    case MISFORTUNE_RULES_CHANGED:
        change_rules(simulation, item);
        break;
    case MISFORTUNE_INI_BROKEN:
        simulation->ini_is_broken = !item->has_begun;
        break;
    case MISFORTUNE_ENVIRONMENT_REMOVED:
        environment->is_taken_out = !item->has_begun;
        write_section(environment);
        break;
    case MISFORTUNE_CLUSTER_CHANGED:
        environment->is_elsewhere = !item->has_begun;
        write_section(environment);
        break;
    case MISFORTUNE_SERVICE_TAKEN_OUT:
        if (!item->has_begun && !may_be_taken_out(environment, service))
            return INT64_MAX;
        service->is_in_ini = item->has_begun;
        break;
    default:
        break;
    }
    if (!item->has_begun)
        simulation_fired(simulation, item->misfortune, 1);
    reload(simulation);
    return item->has_begun || item->for_ms == 0 ? INT64_MAX : item->at_ms + item->for_ms;
}

/* item->value times, with a second or so between them. */
static int64_t storm(struct simulation *simulation, struct plan_item *item)
{
    simulation_fired(simulation, item->misfortune, 1);
    reload(simulation);
    return --item->value > 0 ? item->due_ms + chance_between(&item->chance, 0, 2 * MS_PER_SECOND)
                             : INT64_MAX;
}

/* --- people ------------------------------------------------------------------------------------- */

static int64_t scale(struct simulation *simulation, struct plan_item *item)
{
    struct world_environment *environment = &simulation->environments[item->environment];
    struct world_service *service = &environment->services[item->service];
    struct sim_service_truth truth;

    /* Nor what the daemon has been told to let alone: what it still owes is judged when it is back. */
    bool is_left_out = service->is_member && !(service->is_named && service->is_in_ini);
    if (service->is_always_on || is_left_out ||
        !simulation_truth(simulation, environment, service, &truth) || truth.status != SIM_ACTIVE)
        return INT64_MAX;
    int64_t count = truth.desired;
    if (item->has_begun) {
        if (count == 0 && service->usual_count > 0)
            people_scale(simulation, environment, service, service->usual_count);
        return INT64_MAX;
    }
    if (item->misfortune == MISFORTUNE_SCALED_UP)
        count += item->value;
    else if (item->misfortune == MISFORTUNE_SCALED_DOWN)
        count = count > item->value ? count - item->value : count;
    else
        count = 0;
    if (count == truth.desired)
        return INT64_MAX;
    simulation_fired(simulation, item->misfortune, 1);
    people_scale(simulation, environment, service, count);
    return count > 0 ? INT64_MAX : item->due_ms + 4 * MS_PER_HOUR;
}

static int64_t stop_gateway(struct simulation *simulation, struct plan_item *item)
{
    struct world_environment *environment = &simulation->environments[item->environment];

    for (size_t i = 0; i < environment->n_services; i++) {
        struct world_service *service = &environment->services[i];

        if (!service->is_always_on)
            continue;
        if (!item->has_begun)
            simulation_fired(simulation, item->misfortune, 1);
        people_scale(simulation, environment, service, item->has_begun ? service->usual_count : 0);
        return item->has_begun ? INT64_MAX : item->at_ms + item->for_ms;
    }
    return INT64_MAX;
}

int64_t people_act(struct simulation *simulation, struct plan_item *item)
{
    switch (item->misfortune) {
    case MISFORTUNE_SCALED_UP:
    case MISFORTUNE_SCALED_DOWN:
    case MISFORTUNE_SCALED_TO_ZERO:
        return scale(simulation, item);
    case MISFORTUNE_GATEWAY_DOWN:
        return stop_gateway(simulation, item);
    case MISFORTUNE_HANGUP_STORM:
        return storm(simulation, item);
    default:
        return edit_ini(simulation, item);
    }
}
