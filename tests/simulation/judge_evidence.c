/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"
#include "src/json.h"
#include "tests/simulation/judge.h"

/* When the client has the answer whole; WALL_NEVER: it never has. */
static struct wall arrival(const struct world_call *call)
{
    return call->is_intact && call->status == 200 && call->latency_ms < JUDGE_ATTEMPT_MS
               ? wall_add(call->now, call->latency_ms)
               : WALL_NEVER;
}

static bool uses(const struct judge_environment *environment, const struct judge_group *group)
{
    for (size_t i = 0; i < environment->world->n_log_groups; i++)
        if (strcmp(environment->world->log_groups[i], group->name) == 0)
            return true;
    return false;
}

static struct judge_group *group_named(const struct judge *judge, const char *name)
{
    /* An ARN ends with the name, or ":*". */
    const char *mark = strstr(name, ":log-group:");
    char buffer[600];

    if (mark) {
        name = mark + strlen(":log-group:");
        strncpy(buffer, name, sizeof(buffer) - 1);
        buffer[sizeof(buffer) - 1] = '\0';
        buffer[strcspn(buffer, ":")] = '\0';
        name = buffer;
    }
    return judge_group_find(judge, name);
}

/* --- FilterLogEvents ---------------------------------------------------------------------------------- */

static struct judge_look *look_of_token(struct judge_group *group, const char *token)
{
    size_t kept = group->n_looks < JUDGE_LOOKS_KEPT ? group->n_looks : JUDGE_LOOKS_KEPT;

    for (size_t i = 1; i <= kept; i++) {
        struct judge_look *look = &group->looks[(group->n_looks - i) % JUDGE_LOOKS_KEPT];

        if (strcmp(look->next_token, token) == 0)
            return look;
    }
    return NULL;
}

static struct judge_look *begin_look(struct judge_group *group, const struct world_call *call)
{
    struct judge_look *look = &group->looks[group->n_looks++ % JUDGE_LOOKS_KEPT];

    *look = (struct judge_look){.began = call->now, .ended = WALL_NEVER};
    if (json_get_int(call->parameters, "startTime", &look->start_ms) < 0)
        look->start_ms = 0;
    return look;
}

/* An answer with activity in it. Only where no other environment may have asked for it. */
static void take_told(struct judge *judge, const struct judge_group *group,
                      struct json_object *events, struct wall arrives)
{
    if (group->n_environments != 1)
        return;
    for (size_t i = 0; i < judge->n_environments; i++) {
        struct judge_environment *environment = &judge->environments[i];

        if (!environment->world->is_configured || !uses(environment, group))
            continue;
        for (size_t j = 0; j < json_object_array_length(events); j++) {
            struct json_object *event = json_object_array_get_idx(events, j);
            int64_t timestamp_ms;
            const char *message;

            if (json_get_int(event, "timestamp", &timestamp_ms) == 0 &&
                json_get_string(event, "message", &message) == 0 &&
                world_is_activity(environment->world, message))
                environment->told[environment->n_told++ % JUDGE_TOLD_KEPT] =
                    (struct judge_activity){.timestamp = {timestamp_ms}, .visible = arrives};
        }
    }
}

static void take_page(struct judge *judge, const struct world_call *call)
{
    const char *name, *token = NULL, *next = "";
    struct json_object *events;

    if (json_get_string(call->parameters, "logGroupName", &name) < 0 &&
        json_get_string(call->parameters, "logGroupIdentifier", &name) < 0)
        return;
    struct judge_group *group = group_named(judge, name);
    if (!group)
        return;
    struct judge_look *look = json_get_string(call->parameters, "nextToken", &token) == 0
                                  ? look_of_token(group, token)
                                  : begin_look(group, call);
    struct wall arrives = arrival(call);
    if (!look || !wall_is_set(arrives) || json_get_array(call->result, "events", &events) < 0)
        return;
    take_told(judge, group, events, arrives);
    (void)json_get_string(call->result, "nextToken", &next);
    strncpy(look->next_token, next, sizeof(look->next_token) - 1);
    if (*next == '\0')
        look->ended = arrives;
}

/* --- Logs Insights -------------------------------------------------------------------------------------- */

static void add_groups(const struct judge *judge, struct json_object *parameters,
                       struct judge_query *query)
{
    struct json_object *names;
    const char *name;

    if (json_get_string(parameters, "logGroupName", &name) == 0) {
        query->groups[0] = group_named(judge, name);
        query->n_groups = query->groups[0] != NULL;
        return;
    }
    if (json_get_array(parameters, "logGroupNames", &names) < 0 &&
        json_get_array(parameters, "logGroupIdentifiers", &names) < 0)
        return;
    for (size_t i = 0; i < json_object_array_length(names); i++) {
        const char *text = json_object_get_string(json_object_array_get_idx(names, i));
        const struct judge_group *group = text ? group_named(judge, text) : NULL;

        if (group && query->n_groups < ARRAY_LENGTH(query->groups))
            query->groups[query->n_groups++] = group;
    }
}

static void begin_query(struct judge *judge, const struct world_call *call)
{
    const char *id;
    int64_t start_s = 0, end_s = 0;

    if (call->status != 200 || json_get_string(call->result, "queryId", &id) < 0)
        return;
    struct judge_query *query = &judge->queries[judge->n_queries++ % JUDGE_QUERIES_KEPT];
    *query = (struct judge_query){.created = call->now,
                                  .completed = WALL_NEVER,
                                  .unwanted = wall_add(call->now, JUDGE_QUERY_LIFE_MS),
                                  .is_known = wall_is_set(arrival(call)),
                                  .ending = "was not seen to end"};
    strncpy(query->id, id, sizeof(query->id) - 1);
    (void)json_get_int(call->parameters, "startTime", &start_s);
    (void)json_get_int(call->parameters, "endTime", &end_s);
    query->start_ms = start_s * MS_PER_SECOND;
    query->end_ms = end_s * MS_PER_SECOND;
    add_groups(judge, call->parameters, query);
}

static struct judge_query *query_named(struct judge *judge, const char *id)
{
    for (size_t i = 0; i < judge->n_queries && i < JUDGE_QUERIES_KEPT; i++)
        if (strcmp(judge->queries[i].id, id) == 0)
            return &judge->queries[i];
    return NULL;
}

static void take_results(struct judge *judge, const struct world_call *call)
{
    const char *id, *status;
    struct json_object *rows, *statistics;
    struct wall arrives = arrival(call);

    if (json_get_string(call->parameters, "queryId", &id) < 0)
        return;
    struct judge_query *query = query_named(judge, id);
    if (!query || wall_is_set(query->completed) || !wall_is_set(arrives) ||
        json_get_string(call->result, "status", &status) < 0)
        return;
    size_t n_rows =
        json_get_array(call->result, "results", &rows) == 0 ? json_object_array_length(rows) : 0;
    bool is_running = strcmp(status, "Running") == 0 || strcmp(status, "Scheduled") == 0;
    /* Unknown is no end. */
    query->is_over = query->is_over || (!is_running && strcmp(status, "Unknown") != 0);
    if (n_rows > 0) {
        query->ending = "found something";
        if (is_running && arrives.ms < query->unwanted.ms)
            query->unwanted = arrives;
        return;
    }
    if (strcmp(status, "Complete") != 0) {
        query->ending = is_running ? "was still running" : "ended badly";
        return;
    }
    query->completed = arrives;
    if (json_get_object(call->result, "statistics", &statistics) == 0)
        query->has_statistics =
            json_get_double(statistics, "recordsScanned", &query->records_scanned) == 0;
}

static void stop_query(struct judge *judge, const struct world_call *call)
{
    const char *id;
    struct judge_query *query =
        json_get_string(call->parameters, "queryId", &id) == 0 ? query_named(judge, id) : NULL;

    if (query)
        query->is_over = true; /* that it was asked for will do */
}

/* --- DescribeServices ------------------------------------------------------------------------------------ */

static struct json_object *shown_in(struct json_object *services, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(services); i++) {
        struct json_object *service = json_object_array_get_idx(services, i);
        const char *its;

        if (json_get_string(service, "serviceName", &its) == 0 && strcmp(its, name) == 0)
            return service;
    }
    return NULL;
}

/* When the daemon could first see that somebody had scaled up what slept, or that it was woken by a
 * daemon before it, unrecorded: that is activity to it. */
static void take_adoption(struct judge_environment *environment,
                          const struct judge_service *service, const struct judge_shown *shown)
{
    if (!wall_is_set(environment->adopted) && (service->is_theirs || service->is_unrecorded) &&
        !shown->is_missing && shown->desired > 0 && shown->asked.ms >= service->scaled.ms &&
        shown->asked.ms >= wall_add(service->written, JUDGE_STALE_MS).ms)
        environment->adopted = shown->arrives;
}

static void take_description(struct judge *judge, const struct world_call *call)
{
    const char *cluster, *name, *status = "";
    struct json_object *names, *services;
    struct wall arrives = arrival(call);

    if (json_get_string(call->parameters, "cluster", &cluster) < 0 ||
        json_get_array(call->parameters, "services", &names) < 0)
        return;
    bool is_shown =
        wall_is_set(arrives) && json_get_array(call->result, "services", &services) == 0;
    for (size_t i = 0; i < json_object_array_length(names); i++) {
        struct world_service *service;

        name = json_object_get_string(json_object_array_get_idx(names, i));
        struct world_environment *world =
            name ? simulation_find_environment(judge->simulation, cluster, name, &service) : NULL;
        if (!world || !service)
            continue;
        judge_read(judge_service_of(judge_environment_of(judge, world), service), call->now);
        if (!is_shown)
            continue;
        struct json_object *object = shown_in(services, service->name);
        struct judge_shown shown = {
            .asked = call->now, .arrives = arrives, .is_missing = object == NULL};
        if (object) {
            (void)json_get_int(object, "desiredCount", &shown.desired);
            (void)json_get_int(object, "runningCount", &shown.running);
            (void)json_get_string(object, "status", &status);
            shown.is_active = strcmp(status, "ACTIVE") == 0;
            status = "";
            (void)json_get_string(object, "schedulingStrategy", &status);
            shown.is_daemon = strcmp(status, "DAEMON") == 0;
        }
        struct judge_environment *environment = judge_environment_of(judge, world);
        struct judge_service *its = judge_service_of(environment, service);
        its->shown[its->n_shown++ % JUDGE_SHOWN_KEPT] = shown;
        take_adoption(environment, its, &shown);
    }
}

const struct judge_shown *judge_shown_by(const struct judge_service *service, struct wall by)
{
    size_t kept = service->n_shown < JUDGE_SHOWN_KEPT ? service->n_shown : JUDGE_SHOWN_KEPT;

    for (size_t i = 1; i <= kept; i++) {
        const struct judge_shown *shown =
            &service->shown[(service->n_shown - i) % JUDGE_SHOWN_KEPT];

        if (shown->arrives.ms <= by.ms)
            return shown;
    }
    return NULL;
}

void judge_take_answer(struct judge *judge, const struct world_call *call)
{
    if (strcmp(call->operation, "FilterLogEvents") == 0)
        take_page(judge, call);
    else if (strcmp(call->operation, "StartQuery") == 0)
        begin_query(judge, call);
    else if (strcmp(call->operation, "GetQueryResults") == 0)
        take_results(judge, call);
    else if (strcmp(call->operation, "StopQuery") == 0)
        stop_query(judge, call);
    else if (strcmp(call->operation, "DescribeServices") == 0)
        take_description(judge, call);
}

/* --- events ------------------------------------------------------------------------------------------------ */

static void come_to_light(struct judge *judge, struct judge_environment *environment,
                          struct judge_activity activity)
{
    environment->last_activity = judge_later(environment->last_activity, activity.timestamp);
    environment->last_visible = judge_later(environment->last_visible, activity.visible);
    judge_demand_wake(judge, environment, activity);
}

static void take_event(struct judge *judge, const struct judge_group *group,
                       const struct sim_event *event)
{
    for (size_t i = 0; i < judge->n_environments; i++) {
        struct judge_environment *environment = &judge->environments[i];

        if (!uses(environment, group) || !world_is_activity(environment->world, event->message))
            continue;
        if (environment->n_coming == environment->coming_allocated) {
            size_t size = environment->coming_allocated ? 2 * environment->coming_allocated : 16;
            struct judge_activity *grown =
                reallocarray(environment->coming, size, sizeof(*environment->coming));

            if (!grown)
                abort(); /* a judge without memory judges nothing */
            environment->coming = grown;
            environment->coming_allocated = size;
        }
        environment->coming[environment->n_coming++] = (struct judge_activity){
            .timestamp = {event->timestamp_ms},
            .visible = {event->ingestion_ms},
            .group = group,
        };
    }
}

/* New events are near the end; if none has gone from the front, it is known how many there are. */
static void take_new_events(struct judge *judge, struct judge_group *group)
{
    const struct sim_log_group *log = group->group;
    uint64_t first_id = log->n_events > 0 ? log->events[0].id : 0;
    bool is_known = first_id == group->first_id && log->n_events >= group->n_events;
    size_t n_new = is_known ? log->n_events - group->n_events : SIZE_MAX;
    uint64_t newest_id = group->newest_id;

    for (size_t i = log->n_events; i-- > 0 && n_new > 0;) {
        if (log->events[i].id <= group->newest_id)
            continue;
        if (log->events[i].id > newest_id)
            newest_id = log->events[i].id;
        take_event(judge, group, &log->events[i]);
        if (is_known)
            n_new--;
    }
    group->newest_id = newest_id;
    group->first_id = first_id;
    group->n_events = log->n_events;
}

static void take_what_came(struct judge *judge, struct judge_environment *environment,
                           struct wall now)
{
    size_t n = 0;

    for (size_t i = 0; i < environment->n_coming; i++) {
        struct judge_activity activity = environment->coming[i];

        if (activity.visible.ms <= now.ms)
            come_to_light(judge, environment, activity);
        else
            environment->coming[n++] = activity;
    }
    environment->n_coming = n;
}

void judge_take_events(struct judge *judge, struct wall now)
{
    for (size_t i = 0; i < judge->n_groups; i++) {
        struct judge_group *group = judge->groups[i];

        if (group->group &&
            (group->group->n_events != group->n_events ||
             (group->n_events > 0 && group->group->events[0].id != group->first_id)))
            take_new_events(judge, group);
    }
    for (size_t i = 0; i < judge->n_environments; i++)
        if (judge->environments[i].n_coming > 0)
            take_what_came(judge, &judge->environments[i], now);
}

size_t judge_find_activity(const struct judge *judge, const struct judge_environment *environment,
                           int64_t from_ms, struct wall until, struct judge_activity *ret,
                           size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < judge->n_groups; i++) {
        const struct sim_log_group *log = judge->groups[i]->group;

        if (!log || !uses(environment, judge->groups[i]))
            continue;
        for (size_t j = sim_events_lower_bound(log, from_ms); j < log->n_events && n < max; j++) {
            const struct sim_event *event = &log->events[j];

            if (event->ingestion_ms <= until.ms &&
                world_is_activity(environment->world, event->message))
                ret[n++] = (struct judge_activity){.timestamp = {event->timestamp_ms},
                                                   .visible = {event->ingestion_ms},
                                                   .group = judge->groups[i]};
        }
    }
    return n;
}
