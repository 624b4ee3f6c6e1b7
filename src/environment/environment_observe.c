/* SPDX-License-Identifier: MIT */
/* What AWS says of an environment, turned into evidence for policy. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "environment/environment_internal.h"
#include "log.h"

#define QUERY_TIMEOUT_MS (5 * MS_PER_MINUTE)

static struct mono now_mono(const struct environment *environment)
{
    return loop_mono(environment->context->loop);
}

static struct wall now_wall(const struct environment *environment)
{
    return aws_now(environment->context->aws);
}

static bool is_refusal(const struct aws_error *error)
{
    return error->kind == AWS_ERROR_DENIED || error->kind == AWS_ERROR_NOT_FOUND ||
           error->kind == AWS_ERROR_REQUEST;
}

static void begin(struct environment *environment, struct policy_evidence *evidence,
                  struct wall from, struct wall to)
{
    evidence->running = true;
    evidence->began = now_mono(environment);
    evidence->began_at = now_wall(environment);
    evidence->from = from;
    evidence->to = to;
}

static void end(struct environment *environment, struct policy_evidence *evidence,
                enum policy_finding finding, bool refused)
{
    evidence->running = false;
    evidence->ended = now_mono(environment);
    evidence->finding = finding;
    evidence->refused = refused;
}

/* A request that could not even be made: as good as one that failed. */
static void fail_to_begin(struct environment *environment, struct policy_evidence *evidence,
                          enum trouble_kind kind, int r)
{
    end(environment, evidence, POLICY_UNKNOWN, false);
    trouble_begin_text(&environment->trouble, kind, environment->config, strerror(-r));
}

static void remember_activity(struct environment *environment, struct wall timestamp,
                              const char *message)
{
    struct wall now = now_wall(environment);

    if (timestamp.ms > now.ms)
        timestamp = now; /* a writer's clock is ahead: it is activity now, not later */
    if (timestamp.ms <= environment->observation.last_activity.ms)
        return;
    environment->observation.last_activity = timestamp;
    snprintf(environment->activity, sizeof(environment->activity), "%s", message);
}

/* --- FilterLogEvents ---------------------------------------------------------------------------- */

static void log_group_arn(const char *log_group, char arn[static RESOURCE_MAX])
{
    if (strncmp(log_group, "arn:", 4) == 0)
        snprintf(arn, RESOURCE_MAX, "%s:*", log_group);
    else
        snprintf(arn, RESOURCE_MAX, "arn:aws:logs:*:*:log-group:%s:*", log_group);
}

static bool look_event(void *userdata, const struct logs_event *event)
{
    struct search *search = userdata;
    struct environment *environment = search->environment;

    if (!pattern_matches(environment->config->pattern, event->message) ||
        event->timestamp.ms <= environment->observation.last_activity.ms)
        return true;
    environment->look_matched = true;
    remember_activity(environment, event->timestamp, event->message);
    return false;
}

static void look_trouble(struct environment *environment, size_t index,
                         const struct aws_error *error)
{
    char resource[RESOURCE_MAX];

    log_group_arn(environment->config->log_groups[index], resource);
    trouble_begin(&environment->trouble, TROUBLE_LOOK, environment->config, NULL,
                  LOGS_FILTER_LOG_EVENTS, resource, error);
}

/* The time range was reckoned by a clock that has since been corrected: it was another one. */
static bool clock_moved(const struct environment *environment,
                        const struct policy_evidence *evidence)
{
    int64_t difference_ms = wall_since(now_wall(environment), evidence->began_at) -
                            mono_since(now_mono(environment), evidence->began);

    return difference_ms > POLICY_CLOCK_TOLERANCE_MS || difference_ms < -POLICY_CLOCK_TOLERANCE_MS;
}

static void end_look(struct environment *environment)
{
    struct policy_evidence *look = &environment->observation.look;

    if (clock_moved(environment, look))
        environment->look_exhausted = false;
    enum policy_finding finding = environment->look_matched     ? POLICY_MATCH
                                  : environment->look_exhausted ? POLICY_NO_MATCH
                                                                : POLICY_UNKNOWN;

    end(environment, look, finding, environment->look_refused);
    look->sent = environment->look_sent;
    if (finding == POLICY_NO_MATCH)
        environment->observation.looked_until = look->began_at;
    if (!environment->look_failed)
        trouble_end(&environment->trouble, TROUBLE_LOOK, environment->config);
}

static void look_done(void *userdata, const struct logs_filter_result *result)
{
    struct search *search = userdata;
    struct environment *environment = search->environment;

    search->filter = NULL;
    environment->n_searching--;
    environment->look_sent = mono_min(environment->look_sent, result->sent);
    if (!result->exhausted)
        environment->look_exhausted = false;
    if (result->error.kind != AWS_OK) {
        environment->look_failed = true;
        environment->look_refused = environment->look_refused || is_refusal(&result->error);
        look_trouble(environment, search->index, &result->error);
    }
    if (environment->n_searching == 0)
        end_look(environment);
    /* A match in one log group need not wait for the others. */
    if (environment->n_searching == 0 || environment->look_matched)
        environment_step(environment);
}

void environment_start_look(struct environment *environment, struct wall from)
{
    const struct config_environment *config = environment->config;
    struct policy_observation *observation = &environment->observation;
    int r = 0;

    begin(environment, &observation->look, from, WALL_NEVER);
    environment->look_sent = MONO_FOREVER;
    environment->look_exhausted = true;
    environment->look_matched = environment->look_failed = environment->look_refused = false;
    for (size_t i = 0; i < config->n_log_groups && r == 0; i++) {
        struct search *search = &environment->searches[i];
        struct logs_filter_request request = {
            .log_group = config->log_groups[i],
            .filter_pattern = pattern_filter(config->pattern),
            .start = from,
            /* Each in its turn: were those of sleepers first, enough of them would use up the
             * budget, and the rest could never be put to sleep. */
            .priority = AWS_ROUTINE,
        };

        r = logs_filter_log_events(environment->context->aws, &request, look_event, look_done,
                                   search, &search->filter);
        if (r == 0)
            environment->n_searching++;
    }
    if (r < 0) {
        environment->look_exhausted = false;
        environment->look_failed = true;
        if (environment->n_searching == 0)
            fail_to_begin(environment, &observation->look, TROUBLE_LOOK, r);
    }
}

/* --- Logs Insights ------------------------------------------------------------------------------ */

static void keep_query_facts(struct environment *environment,
                             const struct logs_query_result *result)
{
    snprintf(environment->query_id, sizeof(environment->query_id), "%s", result->query_id);
    environment->query_has_statistics = result->has_statistics;
    environment->query_records_scanned = result->records_scanned;
    environment->query_bytes_scanned = result->bytes_scanned;
}

static enum policy_finding query_finding(struct environment *environment,
                                         const struct logs_query_result *result)
{
    switch (result->outcome) {
    case LOGS_QUERY_COMPLETE:
        if (result->n_rows == 0)
            return POLICY_NO_MATCH;
        break;
    case LOGS_QUERY_MATCHED:
        break;
    case LOGS_QUERY_ENDED:
    case LOGS_QUERY_GAVE_UP:
    case LOGS_QUERY_ERROR:
        return POLICY_UNKNOWN;
    }
    /* The query may be coarser than the pattern: a row that is no activity proves nothing either
     * way, and is only a reason to stay awake. */
    if (wall_is_set(result->row_timestamp) &&
        pattern_matches(environment->config->pattern, result->row_message))
        remember_activity(environment, result->row_timestamp, result->row_message);
    return POLICY_MATCH;
}

static void query_trouble(struct environment *environment, const struct logs_query_result *result)
{
    char text[RESOURCE_MAX];

    switch (result->outcome) {
    case LOGS_QUERY_COMPLETE:
    case LOGS_QUERY_MATCHED:
        trouble_end(&environment->trouble, TROUBLE_QUERY, environment->config);
        return;
    case LOGS_QUERY_ERROR:
        if (result->query_id[0]) /* it was started: reading it failed */
            snprintf(text, sizeof(text), "*");
        else
            log_group_arn(environment->config->log_groups[0], text);
        trouble_begin(&environment->trouble, TROUBLE_QUERY, environment->config, NULL,
                      result->query_id[0] ? LOGS_GET_QUERY_RESULTS : LOGS_START_QUERY, text,
                      &result->error);
        return;
    case LOGS_QUERY_ENDED:
        snprintf(text, sizeof(text), "query %s ended with status %s", result->query_id,
                 result->status);
        break;
    case LOGS_QUERY_GAVE_UP:
        snprintf(text, sizeof(text), "query %s had not ended after %d minutes, status %s",
                 result->query_id, (int)(QUERY_TIMEOUT_MS / MS_PER_MINUTE), result->status);
        break;
    }
    trouble_begin_text(&environment->trouble, TROUBLE_QUERY, environment->config, text);
}

static void query_done(void *userdata, const struct logs_query_result *result)
{
    struct environment *environment = userdata;
    struct policy_evidence *query = &environment->observation.query;

    environment->query = NULL;
    keep_query_facts(environment, result);
    query_trouble(environment, result);
    end(environment, query, query_finding(environment, result), is_refusal(&result->error));
    query->silent = !result->has_statistics || result->records_scanned <= 0;
    environment_step(environment);
}

void environment_start_query(struct environment *environment, struct wall from, struct wall to)
{
    const struct config_environment *config = environment->config;
    struct logs_query_request request = {
        .log_groups = (const char *const *)config->log_groups,
        .n_log_groups = config->n_log_groups,
        .query = pattern_query(config->pattern),
        .start = from,
        .end = to,
        .timeout_ms = QUERY_TIMEOUT_MS,
    };

    begin(environment, &environment->observation.query, from, to);
    int r = logs_query_run(environment->context->aws, &request, query_done, environment,
                           &environment->query);
    if (r < 0)
        fail_to_begin(environment, &environment->observation.query, TROUBLE_QUERY, r);
}

/* --- DescribeServices --------------------------------------------------------------------------- */

static enum policy_condition condition_of(const struct ecs_service *service)
{
    switch (service->status) {
    case ECS_SERVICE_ACTIVE:
        return service->is_daemon ? POLICY_CONDITION_UNTOUCHABLE : POLICY_CONDITION_FIT;
    case ECS_SERVICE_DRAINING:
    case ECS_SERVICE_INACTIVE:
        return POLICY_CONDITION_UNTOUCHABLE;
    case ECS_SERVICE_MISSING:
    case ECS_SERVICE_FAILED:
        break;
    }
    return POLICY_CONDITION_MISSING;
}

static void tell_condition(struct environment *environment, const struct ecs_service *reported,
                           enum policy_condition before, enum policy_condition after)
{
    char text[RESOURCE_MAX];

    if (before == after || after == POLICY_CONDITION_FIT)
        return;
    if (after == POLICY_CONDITION_MISSING)
        snprintf(text, sizeof(text), "service %s: %s %s", reported->name,
                 ecs_service_status_name(reported->status), reported->detail);
    else
        snprintf(text, sizeof(text), "service %s is %s: it is never touched", reported->name,
                 reported->is_daemon ? "a DAEMON service"
                                     : ecs_service_status_name(reported->status));
    audit_trouble(environment->config, reported->name, "manage every service", text, NULL);
}

static void take_report(struct environment *environment, size_t index,
                        const struct ecs_service *reported)
{
    struct policy_service *service = &environment->services[index];
    struct policy_observation *observation = &environment->observation;
    enum policy_condition before = service->condition;

    service->condition = condition_of(reported);
    if (service->condition != POLICY_CONDITION_MISSING) {
        service->reported_count = reported->desired_count;
        service->running_count = reported->running_count;
        service->reported_at = observation->describe.began;
    }
    tell_condition(environment, reported, before, service->condition);

    /* A read that cannot be stale settles what became of a write whose answer was lost. */
    if (service->write_uncertain && !environment->updates[index].call &&
        mono_since(service->reported_at, service->written_at) >= POLICY_STALE_READ_MS) {
        service->write_uncertain = false;
        service->written = false;
    }
    if (observation->wanted == POLICY_ASLEEP && !environment->context->dry_run &&
        policy_effective_count(service, observation->describe.ended) == 0)
        service->slept = true;
}

static void take_always_on(struct environment *environment, const struct ecs_service *services)
{
    environment->always_on_down = NULL;
    for (size_t i = 0; i < environment->config->n_always_on; i++)
        if (services[i].status != ECS_SERVICE_ACTIVE || services[i].running_count == 0)
            environment->always_on_down = environment->config->always_on[i];
    environment->observation.always_on_down = environment->always_on_down != NULL;
}

static void describe_done(void *userdata, const struct ecs_describe_result *result)
{
    struct environment *environment = userdata;
    const struct config_environment *config = environment->config;
    struct policy_evidence *describe = &environment->observation.describe;

    environment->describe = NULL;
    if (result->error.kind != AWS_OK) {
        char resource[RESOURCE_MAX];

        environment_service_arn(environment, "*", resource, sizeof(resource));
        end(environment, describe, POLICY_UNKNOWN, is_refusal(&result->error));
        trouble_begin(&environment->trouble, TROUBLE_DESCRIBE, config, NULL, ECS_DESCRIBE_SERVICES,
                      resource, &result->error);
        environment_step(environment);
        return;
    }

    end(environment, describe, POLICY_NO_MATCH, false);
    trouble_end(&environment->trouble, TROUBLE_DESCRIBE, config);
    for (size_t i = 0; i < config->n_services; i++)
        take_report(environment, i, &result->services[i]);
    take_always_on(environment, &result->services[config->n_services]);
    if (!environment->is_found)
        environment_find(environment);
    environment_step(environment);
}

void environment_start_describe(struct environment *environment)
{
    const struct config_environment *config = environment->config;
    const char *names[2 * CONFIG_SERVICES_MAX];
    size_t n = 0;

    for (size_t i = 0; i < config->n_services && n < ARRAY_LENGTH(names); i++)
        names[n++] = config->services[i].name;
    for (size_t i = 0; i < config->n_always_on && n < ARRAY_LENGTH(names); i++)
        names[n++] = config->always_on[i];

    begin(environment, &environment->observation.describe, WALL_NEVER, WALL_NEVER);
    int r = ecs_describe_services(environment->context->aws, config->cluster, names, n, AWS_ROUTINE,
                                  describe_done, environment, &environment->describe);
    if (r < 0)
        fail_to_begin(environment, &environment->observation.describe, TROUBLE_DESCRIBE, r);
}

static void forget(struct policy_evidence *evidence)
{
    if (evidence->running) {
        evidence->running = false;
        evidence->finding = POLICY_NOT_ASKED;
        evidence->began = MONO_NEVER;
    }
}

void environment_cancel_questions(struct environment *environment)
{
    for (size_t i = 0; i < environment->config->n_log_groups; i++) {
        if (environment->searches[i].filter)
            logs_filter_cancel(TAKE(environment->searches[i].filter));
    }
    environment->n_searching = 0;
    if (environment->query)
        logs_query_cancel(TAKE(environment->query));
    if (environment->describe)
        ecs_call_cancel(TAKE(environment->describe));
    forget(&environment->observation.look);
    forget(&environment->observation.query);
    forget(&environment->observation.describe);
}
