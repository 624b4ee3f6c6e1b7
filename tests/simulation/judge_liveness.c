/* SPDX-License-Identifier: MIT */
/* What must have happened by now: L1, L2 and L3. */
#include "tests/simulation/judge.h"

/* The rates that aws.c keeps to, in requests a second: a queue of all environments' searches, and of
 * all services' updates, may be before ours. */
#define SEARCHES_PER_SECOND 4
#define UPDATES_PER_SECOND 5

static bool is_calm(struct wall calm_since)
{
    return calm_since.ms < SIM_FOREVER.ms;
}

/* All log groups of all environments at FilterLogEvents' rate: a round of looks. */
static int64_t round_ms(const struct judge *judge)
{
    int64_t n = 0;

    for (size_t i = 0; i < judge->n_environments; i++)
        if (judge->environments[i].world->is_configured)
            n += (int64_t)judge->environments[i].world->n_log_groups;
    return n * MS_PER_SECOND / SEARCHES_PER_SECOND;
}

static int64_t updates_ms(const struct judge *judge)
{
    int64_t n = 0;

    for (size_t i = 0; i < judge->n_environments; i++)
        n += (int64_t)judge->environments[i].world->n_services;
    return n * MS_PER_SECOND / UPDATES_PER_SECOND;
}

/* From one look to the next, to the answer, to the UpdateService. With more log groups than the rate
 * allows for, a round takes longer than poll_interval; the one under way is to be waited for, too. */
static int64_t wake_ms(const struct judge *judge, const struct judge_environment *environment)
{
    return environment->world->rules.poll_interval_ms + 2 * round_ms(judge) + updates_ms(judge) +
           JUDGE_CALL_MS + 4 * judge->simulation->sim->settings.latency_ms;
}

/* When it was last in trouble. */
static struct wall trouble_ended(const struct judge_environment *environment,
                                 struct wall calm_since)
{
    return judge_later(judge_later(calm_since, environment->disturbed),
                       environment->world->configured_since);
}

/* The weather that bears on a wake. */
static struct wall calm_for_wakes(const struct judge *judge, const struct judge_demand *demand)
{
    return demand->needs_a_look_alone
               ? judge_later(simulation_calm_for(judge->simulation, "FilterLogEvents"),
                             simulation_calm_for(judge->simulation, "UpdateService"))
               : judge->simulation->calm_since;
}

static bool has_its_log_groups(const struct judge_environment *environment)
{
    for (size_t i = 0; i < environment->world->n_log_groups; i++)
        if (!environment->groups[i]->group)
            return false;
    return true;
}

/* If a demand cannot be met before, it is none: the window has passed, which by now may be another. */
static struct wall void_from(const struct judge_environment *environment,
                             const struct judge_demand *demand)
{
    return demand->timestamp.ms == SIM_FOREVER.ms
               ? SIM_FOREVER
               : wall_add(demand->timestamp, environment->world->rules.window_ms - JUDGE_CLOCK_MS);
}

/* --- demands ---------------------------------------------------------------------------------------- */

static void demand(struct judge_environment *environment, const struct judge_demand *demand)
{
    if (!environment->demand.is_made || demand->due.ms < environment->demand.due.ms)
        environment->demand = *demand;
}

void judge_demand_wake(struct judge *judge, struct judge_environment *environment,
                       struct judge_activity activity)
{
    const struct world_rules *rules = &environment->world->rules;
    bool is_late = wall_since(activity.visible, activity.timestamp) > rules->lateness_ms;
    struct wall since = judge_later(activity.visible, environment->slept);
    int64_t allowed_ms = wake_ms(judge, environment) + (is_late ? rules->check_interval_ms : 0);

    if (!environment->world->is_configured || !judge_find_owed(environment))
        return;
    struct judge_demand made = {
        .is_made = true,
        .since = since,
        .due = wall_add(since, allowed_ms),
        .timestamp = activity.timestamp,
        .allowed_ms = allowed_ms,
        .needs_a_look_alone = !is_late, /* a check describes the services first */
        .what = is_late ? "late activity" : "activity",
    };
    if (made.due.ms < void_from(environment, &made).ms)
        demand(environment, &made);
}

/* Whether the daemon could know that a service now scaled up had been at 0: it heard its own write
 * answered, or a description has shown it since. What it never knew to sleep, it does not miss. */
static bool is_known_at_zero(const struct judge *judge, const struct judge_service *service)
{
    if (judge->started.ms <= service->written.ms &&
        judge->simulation->calm_since.ms <= service->written.ms)
        return true;
    for (size_t i = 0; i < service->n_shown && i < JUDGE_SHOWN_KEPT; i++)
        if (service->shown[i].desired == 0 && service->shown[i].asked.ms >= service->written.ms)
            return true;
    return false;
}

static bool is_any_known_at_zero(const struct judge *judge,
                                 const struct judge_environment *environment, struct wall scaled)
{
    for (size_t i = 0; i < environment->world->n_services; i++)
        if (environment->services[i].scaled.ms == scaled.ms &&
            is_known_at_zero(judge, &environment->services[i]))
            return true;
    return false;
}

void judge_demand_adoption(struct judge *judge, struct judge_environment *environment,
                           struct wall scaled)
{
    int64_t allowed_ms = wake_ms(judge, environment) + JUDGE_STALE_MS +
                         environment->world->rules.poll_interval_awake_ms;
    struct wall since = judge_later(scaled, wall_add(environment->slept, JUDGE_STALE_MS));

    if (!judge_find_owed(environment) || !is_any_known_at_zero(judge, environment, scaled))
        return;
    demand(environment, &(struct judge_demand){.is_made = true,
                                               .since = since,
                                               .due = wall_add(since, allowed_ms),
                                               .timestamp = SIM_FOREVER,
                                               .allowed_ms = allowed_ms,
                                               .is_adoption = true,
                                               .what = "somebody's scaling up"});
}

/* To the next daemon it sleeps, or what is up is somebody's: nothing is given back to what sleeps. */
static bool is_awake(const struct judge_environment *environment)
{
    bool is_up = false;

    for (size_t i = 0; i < environment->world->n_services; i++) {
        const struct judge_service *service = &environment->services[i];

        if (!environment->world->services[i].is_named)
            continue;
        if (service->is_theirs || service->is_unrecorded)
            return false;
        is_up = is_up || judge_count_of(service) > 0;
    }
    return is_up && !environment->is_asleep;
}

void judge_demand_return(struct judge *judge, struct judge_environment *environment,
                         const struct world_service *service, struct wall now)
{
    int64_t allowed_ms = JUDGE_STALE_MS + updates_ms(judge) + 2 * JUDGE_CALL_MS;

    if (!judge_service_of(environment, service)->is_owed || service->configured_count == 0 ||
        !is_awake(environment))
        return;
    demand(environment, &(struct judge_demand){.is_made = true,
                                               .since = now,
                                               .due = wall_add(now, allowed_ms),
                                               .timestamp = SIM_FOREVER,
                                               .allowed_ms = allowed_ms,
                                               .returned = service,
                                               .what = "its return into the configuration"});
}

void judge_demand_release(struct judge *judge, struct judge_environment *environment,
                          struct wall now)
{
    int64_t allowed_ms = updates_ms(judge) + JUDGE_CALL_MS;

    environment->released = now;
    if (!judge_find_owed(environment))
        return;
    environment->demand = (struct judge_demand){.is_made = true,
                                                .since = now,
                                                .due = wall_add(now, allowed_ms),
                                                .timestamp = SIM_FOREVER,
                                                .allowed_ms = allowed_ms,
                                                .is_removal = true,
                                                .what = "removal"};
}

static void check_demand(struct judge *judge, struct judge_environment *environment,
                         struct wall now)
{
    struct judge_demand *made = &environment->demand;
    const struct world_service *owed = judge_find_owed(environment);
    char moment[JUDGE_MOMENT_MAX];

    if (!made->is_made)
        return;
    if (made->returned && (!judge_service_of(environment, made->returned)->is_owed ||
                           !made->returned->is_named || !is_awake(environment))) {
        made->is_made = false;
        return;
    }
    /* Nothing is left to wake; or what was removed is back; or a scaling up is to be let be, or has left
     * the window, and it has fallen asleep since; or it did wake, as far as AWS let it, and has fallen asleep anew. */
    if (!owed || (made->is_removal && environment->world->is_configured) ||
        (made->is_adoption &&
         (!environment->world->rules.adopt ||
          environment->slept.ms > made->since.ms + environment->world->rules.window_ms)) ||
        (environment->is_asleep && environment->waking.ms > made->since.ms &&
         environment->slept.ms > environment->waking.ms)) {
        made->is_made = false;
        return;
    }
    struct wall calm_since = calm_for_wakes(judge, made);
    if (!is_calm(calm_since))
        return;
    struct wall recovered = wall_add(trouble_ended(environment, calm_since), JUDGE_RECOVERY_MS);
    bool is_in_calm = recovered.ms <= made->since.ms;
    struct wall due =
        is_in_calm ? made->due : wall_add(judge_later(recovered, made->since), made->allowed_ms);
    if (due.ms >= void_from(environment, made).ms) {
        made->is_made = false;
        return;
    }
    if (now.ms > due.ms)
        judge_report(
            judge, is_in_calm ? "L1" : "L3", environment,
            "service %s is still at 0; %s that could be known from %s on should have woken "
            "it within %lld s",
            owed->name, made->what, judge_moment(made->since, moment),
            (long long)(made->allowed_ms / MS_PER_SECOND));
}

/* --- asleep when idle --------------------------------------------------------------------------------- */

/* At a glance: most of the time nothing is. */
static bool is_any_up(const struct judge_environment *environment)
{
    for (size_t i = 0; i < environment->world->n_services; i++)
        if (environment->world->services[i].is_named &&
            judge_count_of(&environment->services[i]) > 0)
            return true;
    return false;
}

/* Something to put to sleep, and nothing that forbids it. */
static const struct world_service *find_up(const struct judge *judge,
                                           struct judge_environment *environment, struct wall now)
{
    const struct world_service *up = NULL;

    if (!is_any_up(environment))
        return NULL;
    for (size_t i = 0; i < environment->world->n_services; i++) {
        const struct world_service *service = &environment->world->services[i];
        struct sim_service_truth truth;

        if (!service->is_named && !service->is_always_on)
            continue;
        if (!simulation_truth(judge->simulation, environment->world, service, &truth))
            return NULL; /* a service that is missing: stays awake */
        if (service->is_always_on && (truth.status != SIM_ACTIVE || truth.running == 0)) {
            environment->disturbed = now; /* what comes after it takes its time */
            return NULL;
        }
        bool is_theirs = !environment->world->rules.adopt &&
                         (environment->services[i].is_theirs ||
                          (environment->services[i].is_unrecorded && judge_find_owed(environment)));
        if (service->is_named && truth.status == SIM_ACTIVE && truth.desired > 0 && !is_theirs &&
            sim_service_strategy(sim_service_find(
                sim_cluster_find(judge->simulation->sim, environment->world->cluster),
                service->name)) == SIM_REPLICA)
            up = service;
    }
    return up;
}

static struct wall last_scaled(const struct judge_environment *environment)
{
    struct wall last = WALL_NEVER;

    for (size_t i = 0; i < environment->world->n_services; i++)
        last = judge_later(last, environment->services[i].scaled);
    return last;
}

static bool is_any_unrecorded(const struct judge_environment *environment)
{
    for (size_t i = 0; i < environment->world->n_services; i++)
        if (environment->services[i].is_unrecorded)
            return true;
    return false;
}

/* With silence = unknown: were there records for the last check to scan? */
static bool has_records(const struct judge_environment *environment, struct wall now)
{
    const struct world_rules *rules = &environment->world->rules;
    int64_t margin_ms = rules->check_interval_ms + JUDGE_QUERY_MS + 2 * MS_PER_MINUTE;

    for (size_t i = 0; i < environment->world->n_log_groups; i++) {
        const struct sim_log_group *log = environment->groups[i]->group;

        for (size_t j = sim_events_lower_bound(log, now.ms - rules->window_ms - rules->lateness_ms);
             j < log->n_events && log->events[j].timestamp_ms < now.ms - margin_ms; j++)
            if (log->events[j].ingestion_ms < now.ms - margin_ms)
                return true;
    }
    return false;
}

static void check_idle(struct judge *judge, struct judge_environment *environment, struct wall now)
{
    const struct world_rules *rules = &environment->world->rules;
    char moment[JUDGE_MOMENT_MAX];

    if (!is_calm(judge->simulation->calm_since) || !environment->world->is_configured)
        return;
    int64_t notice_ms = JUDGE_STALE_MS + rules->poll_interval_awake_ms;
    int64_t allowed_ms = rules->window_ms + rules->lateness_ms + rules->check_interval_ms +
                         JUDGE_QUERY_MS + 2 * round_ms(judge) + updates_ms(judge) +
                         judge->simulation->sim->settings.query_scheduled_ms +
                         2 * judge->simulation->sim->settings.query_running_ms +
                         8 * judge->simulation->sim->settings.latency_ms;
    struct wall idle_since =
        judge_later(environment->last_activity, judge_later(judge->born, judge->started));
    struct wall scaled = last_scaled(environment);
    struct wall recovered =
        wall_add(trouble_ended(environment, judge->simulation->calm_since), JUDGE_RECOVERY_MS);

    if (wall_is_set(scaled))
        idle_since = judge_later(idle_since, wall_add(scaled, notice_ms));
    /* It counts as activity from when it could be seen, however late that was. */
    if (wall_is_set(scaled) && scaled.ms >= environment->fell.ms)
        idle_since = judge_later(idle_since, environment->waking);
    /* At the latest: an environment's first look comes within poll_interval. */
    struct wall noticed =
        wall_add(judge_later(scaled, recovered), notice_ms + rules->poll_interval_ms);
    if ((rules->adopt || is_any_unrecorded(environment)) && wall_is_set(environment->adopted))
        idle_since = judge_later(
            idle_since, environment->adopted.ms < noticed.ms ? environment->adopted : noticed);
    struct wall due = wall_add(judge_later(idle_since, recovered), allowed_ms);

    if (now.ms <= due.ms || !has_its_log_groups(environment))
        return;
    const struct world_service *up = find_up(judge, environment, now);
    if (!up || (rules->silence_is_unknown && !has_records(environment, now)))
        return;
    judge_report(judge, recovered.ms > idle_since.ms ? "L3" : "L2", environment,
                 "service %s is up, and it has been idle since %s", up->name,
                 judge_moment(idle_since, moment));
}

/* --- what became of a write --------------------------------------------------------------------------- */

void judge_doubt(struct judge_service *service, const struct world_call *call)
{
    bool is_answered =
        call->is_intact && call->status == 200 && call->latency_ms < JUDGE_ATTEMPT_MS;

    if (is_answered)
        service->answered = call->now;
    if (is_answered)
        service->doubted = WALL_NEVER;
    else if (call->is_lost ||
             wall_is_set(service->doubted)) /* a refusal does not tell of those before */
        service->doubted = call->now;
}

void judge_read(struct judge_service *service, struct wall asked)
{
    if (wall_is_set(service->doubted) && wall_since(asked, service->doubted) >= JUDGE_STALE_MS)
        service->doubted = WALL_NEVER;
}

void judge_doubts_forget(struct judge *judge)
{
    for (size_t i = 0; i < judge->n_environments; i++)
        for (size_t j = 0; j < judge->environments[i].world->n_services; j++)
            judge->environments[i].services[j].doubted = WALL_NEVER;
}

static void check_doubts(struct judge *judge, struct judge_environment *environment,
                         struct wall now)
{
    struct wall since =
        wall_add(simulation_calm_for(judge->simulation, "DescribeServices"), JUDGE_RECOVERY_MS);
    char moment[JUDGE_MOMENT_MAX];

    for (size_t i = 0; i < environment->world->n_services; i++) {
        const struct judge_service *service = &environment->services[i];

        if (wall_is_set(service->doubted) && since.ms <= service->doubted.ms &&
            wall_since(now, service->doubted) > JUDGE_DOUBT_MS)
            judge_report(judge, "L4", environment,
                         "the answer to UpdateService of %s was lost at %s, and what became of "
                         "it has not been read since",
                         environment->world->services[i].name,
                         judge_moment(service->doubted, moment));
    }
}

void judge_liveness(struct judge *judge, struct judge_environment *environment, struct wall now)
{
    check_demand(judge, environment, now);
    check_idle(judge, environment, now);
    check_doubts(judge, environment, now);
}
