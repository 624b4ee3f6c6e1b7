/* SPDX-License-Identifier: MIT */
/* Which services, and to which counts: S4 and S5. */
#include <string.h>

#include "src/cleanup.h"
#include "tests/simulation/judge.h"

/* --- the true counts -------------------------------------------------------------------------------- */

static const struct judge_held *held_at(const struct judge_service *service, size_t ago)
{
    return &service->held[(service->n_held - 1 - ago) % JUDGE_HELD_KEPT];
}

int64_t judge_count_of(const struct judge_service *service)
{
    return service->n_held > 0 ? held_at(service, 0)->count : 0;
}

/* The true count has become another. */
static void hold(struct judge_service *service, int64_t count, struct wall since)
{
    service->held[service->n_held++ % JUDGE_HELD_KEPT] =
        (struct judge_held){.since = since, .count = count};
    if (count > 0)
        service->is_owed = false;
}

/* It was that count at some moment since `since`. */
static bool was_held(const struct judge_service *service, int64_t count, struct wall since)
{
    size_t kept = service->n_held < JUDGE_HELD_KEPT ? service->n_held : JUDGE_HELD_KEPT;

    for (size_t i = 0; i < kept; i++) {
        if (held_at(service, i)->count == count)
            return true;
        if (held_at(service, i)->since.ms < since.ms)
            break; /* the ones before it ended before */
    }
    return false;
}

void judge_take_counts(struct judge *judge, struct judge_environment *environment)
{
    struct world_environment *world = environment->world;

    for (size_t i = 0; i < world->n_services; i++) {
        struct judge_service *service = &environment->services[i];
        struct sim_service_truth truth;
        bool is_named = world->services[i].is_named;

        if (!is_named && !service->is_owed)
            continue;
        bool is_there = simulation_truth(judge->simulation, world, &world->services[i], &truth);

        bool is_gone = !is_there || truth.status != SIM_ACTIVE;

        if (is_gone && service->is_theirs && environment->demand.is_adoption)
            environment->demand.is_made = false; /* perhaps before it could be seen */
        if (!is_there) {
            service->is_owed = false; /* a service that is not there is owed nothing */
            continue;
        }
        if (truth.status != SIM_ACTIVE)
            service->is_owed = false;
        if (service->n_held == 0) {
            hold(service, truth.desired, truth.changed);
            continue;
        }
        if (held_at(service, 0)->count == truth.desired)
            continue;
        if (!is_named) {
            hold(service, truth.desired, truth.changed);
            continue;
        }
        bool was_put_to_sleep = service->is_owed;
        bool was_down = judge_is_wholly_down(environment);
        hold(service, truth.desired, truth.changed);
        service->is_theirs = truth.desired > 0 && (was_down || environment->is_asleep);
        service->scaled = truth.changed;
        if (was_down)
            environment->adopted = WALL_NEVER;
        if (truth.desired == 0 && environment->demand.is_adoption)
            environment->demand.is_made = false; /* taken back, perhaps before it could be seen */
        if (was_put_to_sleep && truth.desired > 0 && environment->is_asleep &&
            world->is_configured && world->rules.adopt)
            judge_demand_adoption(judge, environment, truth.changed);
    }
}

const struct world_service *judge_find_owed(const struct judge_environment *environment)
{
    for (size_t i = 0; i < environment->world->n_services; i++) {
        const struct world_service *service = &environment->world->services[i];

        if (environment->services[i].is_owed && service->is_named && service->configured_count != 0)
            return service;
    }
    return NULL;
}

/* --- what may be given back ------------------------------------------------------------------------- */

static bool is_allowed(const struct judge_service *service, int64_t count)
{
    for (size_t i = 0; i < service->n_counts; i++)
        if (service->counts[i] == count)
            return true;
    return false;
}

static void allow(struct judge_service *service, int64_t count)
{
    if (count > 0 && !is_allowed(service, count) && service->n_counts < JUDGE_COUNTS_MAX)
        service->counts[service->n_counts++] = count;
}

/* A new sleep begins: what an earlier one has given back is settled. */
static void begin_sleep(struct judge_environment *environment, struct wall now)
{
    environment->sleep++;
    environment->fell = now;
    for (size_t i = 0; i < environment->world->n_services; i++)
        if (!environment->services[i].is_owed)
            environment->services[i].n_counts = 0;
}

static void record_sleep(struct judge *judge, struct judge_environment *environment,
                         struct judge_service *service, struct wall now)
{
    const struct judge_shown *shown = judge_shown_by(service, now);
    int64_t before = judge->count_before;

    if (!environment->is_asleep)
        begin_sleep(environment, now);
    environment->fell_asleep_whole = true;
    environment->is_asleep = true;
    environment->slept = now;
    environment->adopted = WALL_NEVER;
    if (before > 0 && service->sleep != environment->sleep)
        service->n_counts = 0;
    service->sleep = environment->sleep;
    allow(service, before);
    if (shown && !shown->is_missing)
        allow(service, shown->desired);
    if (wall_is_set(service->written) &&
        wall_since(now, service->written) < JUDGE_STALE_MS + JUDGE_GAP_MS)
        allow(service, service->written_count);
    service->is_owed = service->is_owed || before > 0;
}

void judge_record_update(struct judge *judge, struct judge_environment *environment,
                         struct world_service *service, int64_t desired, struct wall now)
{
    struct judge_service *its = judge_service_of(environment, service);

    if (desired == 0) {
        record_sleep(judge, environment, its, now);
    } else {
        if (environment->is_asleep)
            environment->waking = now;
        environment->is_asleep = false;
    }
    if (its->n_held == 0 || held_at(its, 0)->count != desired)
        hold(its, desired, now);
    its->is_theirs = its->is_unrecorded = false;
    its->written = now;
    its->written_count = desired;
    if (desired > 0)
        return;
    /* What was there to be read but excused must wake it, now that it sleeps. */
    struct judge_activity activity[16];
    size_t n = judge_find_activity(judge, environment, now.ms - environment->world->rules.window_ms,
                                   now, activity, ARRAY_LENGTH(activity));
    for (size_t i = 0; i < n; i++)
        judge_demand_wake(judge, environment, activity[i]);
}

/* --- a wake ------------------------------------------------------------------------------------------ */

bool judge_is_untouchable(const struct judge_service *service, struct wall now)
{
    size_t kept = service->n_shown < JUDGE_SHOWN_KEPT ? service->n_shown : JUDGE_SHOWN_KEPT;

    for (size_t i = 1; i <= kept; i++) {
        const struct judge_shown *shown =
            &service->shown[(service->n_shown - i) % JUDGE_SHOWN_KEPT];

        if (shown->arrives.ms >= now.ms)
            continue;
        if (shown->is_missing || (shown->is_active && !shown->is_daemon))
            return false;
        if (wall_since(now, shown->arrives) > JUDGE_GAP_MS)
            return true;
    }
    return false;
}

/* Whether the daemon was shown, in time, that somebody else had scaled it. */
static bool was_shown(const struct judge_service *service, struct wall now)
{
    const struct judge_shown *shown = judge_shown_by(service, wall_add(now, -JUDGE_GAP_MS));
    struct wall clear =
        wall_add(judge_later(service->scaled, service->written), JUDGE_STALE_MS + JUDGE_GAP_MS);

    return shown && shown->asked.ms > clear.ms && !shown->is_missing && shown->desired > 0;
}

/* The daemon has given it a count, was told so, and no description has said otherwise since. */
static bool is_given(const struct judge *judge, const struct judge_service *service,
                     struct wall now)
{
    const struct judge_shown *shown = judge_shown_by(service, now);
    bool is_shown_otherwise = shown && shown->arrives.ms >= service->written.ms &&
                              (shown->is_missing || shown->desired == 0);

    return service->written_count > 0 && service->written.ms == service->answered.ms &&
           service->written.ms >= judge->started.ms && !is_shown_otherwise &&
           service->scaled.ms > wall_add(service->written, JUDGE_ATTEMPT_MS).ms;
}

/* Somebody has scaled one of its services since it fell asleep, in one way or another. */
static bool is_scaled_since(const struct judge_environment *environment, struct wall since)
{
    for (size_t i = 0; i < environment->world->n_services; i++)
        if (environment->services[i].scaled.ms >= since.ms)
            return true;
    return false;
}

/* A daemon that died on the way finds, in reads that may be stale, the counts from before: it cannot
 * tell whether it had acted, and stays awake. */
static bool is_found_stale(const struct judge *judge, const struct judge_environment *environment)
{
    return judge->started.ms > environment->slept.ms &&
           wall_since(judge->started, environment->slept) < JUDGE_STALE_MS;
}

static bool has_reason(const struct judge *judge, const struct judge_environment *environment,
                       const struct judge_service *service, struct wall now)
{
    const struct world_environment *world = environment->world;
    bool is_back = service->returned.ms >= environment->slept.ms;

    return (is_back && !judge_is_wholly_down(environment)) || !world->is_configured ||
           !environment->fell_asleep_whole || environment->released.ms >= environment->slept.ms ||
           is_found_stale(judge, environment) ||
           environment->last_visible.ms >= environment->slept.ms - JUDGE_GAP_MS ||
           environment->last_activity.ms >= now.ms - world->rules.window_ms - JUDGE_GAP_MS ||
           is_scaled_since(environment, wall_add(environment->slept, -JUDGE_GAP_MS));
}

/* The counts that a service may be given, and no others. */
static void judge_count(struct judge *judge, const struct judge_environment *environment,
                        const struct world_service *service, int64_t desired, struct wall now)
{
    const struct judge_service *its = judge_service_of(environment, service);

    if (service->configured_count >= 0 && desired == service->configured_count)
        return;
    if (service->configured_count < 0 &&
        (is_allowed(its, desired) || was_held(its, desired, wall_add(now, -JUDGE_DISTRUST_MS))))
        return;
    if (its->n_counts > 0)
        judge_report(judge, "S5", environment,
                     "UpdateService of %s to %lld, and it had %lld before it was put to sleep",
                     service->name, (long long)desired, (long long)its->counts[0]);
    else
        judge_report(judge, "S4", environment,
                     "UpdateService of %s to %lld: neither recorded nor configured", service->name,
                     (long long)desired);
}

void judge_wake(struct judge *judge, struct judge_environment *environment,
                struct world_service *service, int64_t desired, struct wall now)
{
    const struct judge_service *its = judge_service_of(environment, service);
    int64_t before = judge->count_before;

    if (desired == before)
        return; /* nothing changes */
    if (before > 0 && its->scaled.ms >= environment->fell.ms &&
        (was_shown(its, now) || is_given(judge, its, now)))
        judge_report(judge, "S5", environment,
                     "UpdateService of %s to %lld takes away the %lld that somebody gave it",
                     service->name, (long long)desired, (long long)before);
    judge_count(judge, environment, service, desired, now);
    judge_take_events(judge, now);
    if (before == 0 && its->is_owed && environment->is_asleep &&
        !has_reason(judge, environment, its, now))
        judge_report(judge, "L2", environment, "service %s is woken for no reason", service->name);
}
