/* SPDX-License-Identifier: MIT */
/* Was this UpdateService to 0 right? S1 and S2: judge.h says when. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/cleanup.h"
#include "tests/simulation/judge.h"

#define ACTIVITY_MAX 64
#define OBJECTION_MAX 512

/* The act, and all activity that bears on it. */
struct act {
    struct judge *judge;
    struct judge_environment *environment;
    struct world_service *service;
    struct wall at;
    struct judge_activity activity[ACTIVITY_MAX]; /* that can be read at the act */
    size_t n_activity;
};

/* What it rests on. */
struct witness {
    const struct judge_query *query;
    struct wall looked;                                        /* the earliest of the looks began */
    const struct judge_look *looks[JUDGE_GROUPS_OF_QUERY_MAX]; /* as the environment's log groups */
};

__attribute__((format(printf, 2, 3))) static bool object(char *objection, const char *format, ...)
{
    va_list arguments;

    if (*objection)
        return false; /* the newest evidence's objection is the one to tell */
    va_start(arguments, format);
    (void)vsnprintf(objection, OBJECTION_MAX, format, arguments);
    va_end(arguments);
    return false;
}

static bool covers_groups(const struct judge_query *query,
                          const struct world_environment *environment)
{
    for (size_t i = 0; i < environment->n_log_groups; i++) {
        bool found = false;

        for (size_t j = 0; j < query->n_groups; j++)
            found = found || strcmp(query->groups[j]->name, environment->log_groups[i]) == 0;
        if (!found)
            return false;
    }
    return true;
}

/* The query's answer said that there was nothing. Was there nothing? */
static bool query_is_true(const struct act *act, const struct judge_query *query)
{
    for (size_t i = 0; i < act->n_activity; i++)
        if (act->activity[i].visible.ms <= query->created.ms &&
            act->activity[i].timestamp.ms >= query->start_ms &&
            act->activity[i].timestamp.ms <= query->end_ms)
            return false;
    return true;
}

static bool query_bears(const struct act *act, const struct judge_query *query, char *objection)
{
    const struct world_rules *rules = &act->environment->world->rules;
    int64_t wanted_ms = rules->window_ms + rules->lateness_ms;
    const char *id = query->id;

    if (query->created.ms < act->judge->started.ms)
        return object(objection, "query %s was begun before the daemon was started", id);
    if (query->created.ms < act->environment->waking.ms)
        return object(objection, "query %s was begun before the last wake", id);
    if (query->completed.ms > act->at.ms || !wall_is_set(query->completed))
        return object(objection, "query %s %s", id, query->ending);
    if (query->start_ms > query->created.ms - wanted_ms + JUDGE_CLOCK_MS ||
        query->end_ms - query->start_ms < wanted_ms - JUDGE_CLOCK_MS)
        return object(objection, "query %s, from %lld to %lld, does not cover window and lateness",
                      id, (long long)query->start_ms, (long long)query->end_ms);
    if (rules->silence_is_unknown && !(query->has_statistics && query->records_scanned > 0))
        return object(objection, "query %s scanned no record, and silence is unknown", id);
    if (!query_is_true(act, query))
        return object(objection, "query %s found nothing, and there is something", id);
    return true;
}

/* A look after the query that found nothing because there was nothing. */
static bool look_bears(const struct act *act, const struct judge_group *group,
                       const struct judge_look *look, const struct judge_query *query)
{
    int64_t lateness_ms = act->environment->world->rules.lateness_ms;

    if (!wall_is_set(look->ended) || look->ended.ms > act->at.ms ||
        look->start_ms > query->end_ms - lateness_ms + JUDGE_CLOCK_MS ||
        wall_since(act->at, look->began) > JUDGE_GAP_MS)
        return false;
    for (size_t i = 0; i < act->n_activity; i++)
        if (act->activity[i].group == group && act->activity[i].visible.ms <= look->began.ms &&
            act->activity[i].timestamp.ms >= look->start_ms)
            return false;
    return true;
}

/* The newest look of the group that bears, begun after the query's end. */
static const struct judge_look *find_look(const struct act *act, const struct judge_group *group,
                                          const struct judge_query *query)
{
    size_t kept = group->n_looks < JUDGE_LOOKS_KEPT ? group->n_looks : JUDGE_LOOKS_KEPT;

    for (size_t i = 1; i <= kept; i++) {
        const struct judge_look *look = &group->looks[(group->n_looks - i) % JUDGE_LOOKS_KEPT];

        if (look->began.ms < query->completed.ms)
            return NULL;
        if (look_bears(act, group, look, query))
            return look;
    }
    return NULL;
}

static bool looks_bear(const struct act *act, struct witness *witness, char *objection)
{
    const struct world_environment *world = act->environment->world;

    witness->looked = act->at;
    for (size_t i = 0; i < world->n_log_groups && i < ARRAY_LENGTH(witness->looks); i++) {
        const struct judge_group *group = judge_group_find(act->judge, world->log_groups[i]);
        const struct judge_look *look = find_look(act, group, witness->query);

        if (!look)
            return object(objection,
                          "after query %s no look at %s was read to its end and found "
                          "nothing",
                          witness->query->id, group->name);
        witness->looks[i] = look;
        if (look->began.ms < witness->looked.ms)
            witness->looked = look->began;
    }
    return true;
}

/* What DescribeServices had shown before the last look. */
static bool services_bear(const struct act *act, const struct witness *witness, char *objection)
{
    const struct world_environment *world = act->environment->world;

    for (size_t i = 0; i < world->n_services; i++) {
        const struct world_service *service = &world->services[i];
        const struct judge_shown *shown =
            judge_shown_by(&act->environment->services[i], witness->looked);

        if (!service->is_named && !service->is_always_on)
            continue;
        if (!shown || shown->asked.ms < witness->query->completed.ms)
            return object(objection, "service %s was not described after query %s", service->name,
                          witness->query->id);
        if (shown->is_missing)
            return object(objection, "service %s was missing", service->name);
        if (service->is_always_on && (!shown->is_active || shown->running == 0))
            return object(objection, "service %s, which writes the log, did not run",
                          service->name);
    }
    return true;
}

static bool find_witness(const struct act *act, struct witness *ret, char *objection)
{
    size_t n = act->judge->n_queries;
    size_t kept = n < JUDGE_QUERIES_KEPT ? n : JUDGE_QUERIES_KEPT;

    for (size_t i = 1; i <= kept; i++) {
        ret->query = &act->judge->queries[(n - i) % JUDGE_QUERIES_KEPT];
        if (covers_groups(ret->query, act->environment->world) &&
            query_bears(act, ret->query, objection) && looks_bear(act, ret, objection) &&
            services_bear(act, ret, objection))
            return true;
    }
    return object(objection, "there was no query");
}

/* The newest activity within the window that nothing excuses. NULL: none. */
static const struct judge_activity *find_unexcused(const struct act *act,
                                                   const struct witness *witness)
{
    const struct world_environment *world = act->environment->world;
    int64_t window_from_ms = act->at.ms - world->rules.window_ms + JUDGE_CLOCK_MS;
    const struct judge_activity *found = NULL;

    for (size_t i = 0; i < act->n_activity; i++) {
        const struct judge_activity *activity = &act->activity[i];
        bool is_excused = false;

        if (activity->timestamp.ms < window_from_ms)
            continue;
        for (size_t j = 0; witness && j < world->n_log_groups; j++) {
            const struct judge_look *look = witness->looks[j];

            if (!look || strcmp(world->log_groups[j], activity->group->name) != 0)
                continue;
            is_excused = activity->visible.ms > look->began.ms ||
                         (activity->visible.ms > witness->query->created.ms &&
                          activity->timestamp.ms < look->start_ms);
        }
        if (!is_excused)
            found = activity;
    }
    return found;
}

/* Shown to the daemon before the act, whatever its chain. */
static const struct judge_activity *find_told(const struct act *act)
{
    const struct judge_environment *environment = act->environment;
    int64_t window_from_ms = act->at.ms - environment->world->rules.window_ms + JUDGE_CLOCK_MS;

    for (size_t i = 0; i < JUDGE_TOLD_KEPT && i < environment->n_told; i++)
        if (environment->told[i].visible.ms < act->at.ms &&
            environment->told[i].timestamp.ms >= window_from_ms)
            return &environment->told[i];
    return NULL;
}

void judge_sleep(struct judge *judge, struct judge_environment *environment,
                 struct world_service *service, struct wall now)
{
    const struct world_rules *rules = &environment->world->rules;
    struct act act = {.judge = judge, .environment = environment, .service = service, .at = now};
    struct witness witness = {.looks = {NULL}};
    char objection[OBJECTION_MAX] = "", moment[JUDGE_MOMENT_MAX], other[JUDGE_MOMENT_MAX];

    if (!environment->world->is_configured) {
        judge_report(judge, "S4", environment,
                     "UpdateService of %s to 0, and it is no longer "
                     "configured",
                     service->name);
        return;
    }
    act.n_activity = judge_find_activity(judge, environment,
                                         now.ms - rules->window_ms - rules->lateness_ms -
                                             JUDGE_GAP_MS - JUDGE_CLOCK_MS,
                                         now, act.activity, ARRAY_LENGTH(act.activity));
    bool is_borne = find_witness(&act, &witness, objection);
    const struct judge_activity *told = find_told(&act);
    const struct judge_activity *seen = find_unexcused(&act, is_borne ? &witness : NULL);

    if (told)
        judge_report(judge, "S1", environment,
                     "UpdateService of %s to 0, and activity of %s was shown to the daemon at %s",
                     service->name, judge_moment(told->timestamp, moment),
                     judge_moment(told->visible, other));
    else if (seen)
        judge_report(judge, "S1", environment,
                     "UpdateService of %s to 0, and activity of %s could be read from %s on%s%s",
                     service->name, judge_moment(seen->timestamp, moment),
                     judge_moment(seen->visible, other), is_borne ? "" : "; ", objection);
    else if (!is_borne)
        judge_report(judge, "S2", environment,
                     "UpdateService of %s to 0 without confirmed idle: %s", service->name,
                     objection);
}
