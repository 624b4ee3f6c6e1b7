/* SPDX-License-Identifier: MIT */
/* One environment: its life, and the step from observation to act. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "environment/environment_internal.h"

/* Each pass of a step ends a check, changes the wanted state, or fails to start something: six
 * suffice. */
#define PASSES_MAX 8
#define TIMER_MAX_MS (1 * MS_PER_HOUR)

DEFINE_CLEANUP(struct environment *, environment_free)

/* Only if there is something else to see than before. */
static void tell_changed(struct environment *environment, const struct policy_decision *decision)
{
    uint64_t shown = environment_digest(environment, decision);

    if (shown == environment->shown)
        return;
    environment->shown = shown;
    if (environment->context->changed)
        environment->context->changed(environment->context->userdata, environment);
}

static size_t n_services(const struct environment *environment)
{
    return environment->config->n_services;
}

static void tell_stay(struct environment *environment, const struct policy_decision *decision)
{
    if (decision->reason == environment->last_stay)
        return;
    environment->last_stay = decision->reason;
    struct audit_facts facts = environment_facts(environment, decision->reason, decision->service);
    audit_stay(environment->config, &facts);
}

/* --- the first look at its services ------------------------------------------------------------ */

/* Without a record of ours: asleep if everything is at 0, by whomever. */
void environment_find(struct environment *environment)
{
    struct policy_observation *observation = &environment->observation;
    char counts[COUNTS_TEXT_MAX];
    bool is_any_fit = false, is_any_up = false, is_any_unknown = false, is_any_slept = false;

    environment->is_found = true;
    for (size_t i = 0; i < environment->config->n_services; i++) {
        const struct policy_service *service = &environment->services[i];

        is_any_slept = is_any_slept || service->slept;
        if (service->condition != POLICY_CONDITION_FIT)
            continue;
        is_any_fit = true;
        is_any_up = is_any_up || service->reported_count > 0;
        is_any_unknown = is_any_unknown || (service->recorded_count == POLICY_COUNT_UNKNOWN &&
                                            service->configured_count == POLICY_COUNT_UNKNOWN);
    }
    if (environment_is_owed(environment) || is_any_up || !is_any_fit) {
        /* The last run ended between recording and acting: nothing sleeps. */
        if (is_any_up && !is_any_slept)
            observation->wanted = POLICY_AWAKE;
        environment_counts_text(environment, COUNTS_REPORTED, counts);
        audit_found(environment->config, observation->wanted, counts, false);
        return;
    }
    for (size_t i = 0; i < environment->config->n_services; i++) {
        struct policy_service *service = &environment->services[i];

        if (service->condition != POLICY_CONDITION_FIT)
            continue;
        service->recorded_count = service->configured_count > 0 ? service->configured_count : 0;
        service->slept = true;
    }
    observation->wanted = POLICY_ASLEEP;
    environment_counts_text(environment, COUNTS_REPORTED, counts);
    audit_found(environment->config, POLICY_ASLEEP, counts, is_any_unknown);
    (void)environment_save(environment, true);
}

/* --- the two acts ------------------------------------------------------------------------------- */

/* Records the counts durably; only then may an UpdateService to 0 be sent. */
static int fall_asleep(struct environment *environment, const struct policy_decision *decision)
{
    struct policy_observation *observation = &environment->observation;
    size_t n = n_services(environment);
    bool is_again = observation->wanted == POLICY_ASLEEP; /* some could not be put to sleep yet */
    char counts[COUNTS_TEXT_MAX];

    _cleanup_free_ struct policy_service *before = calloc(n, sizeof(*before));
    if (!before)
        return -ENOMEM;
    memcpy(before, environment->services, n * sizeof(*before));

    for (size_t i = 0; i < n; i++) {
        struct policy_service *service = &environment->services[i];

        if (service->slept)
            continue; /* since an earlier check that could not put them all to sleep */
        service->recorded_count = policy_count_to_record(service, observation->now_mono);
        service->slept = service->condition == POLICY_CONDITION_FIT &&
                         policy_effective_count(service, observation->now_mono) == 0;
    }
    int r = environment_save(environment, true);
    if (r < 0) {
        memcpy(environment->services, before, n * sizeof(*before));
        environment_restore_record(environment);
        return r;
    }
    observation->wanted = POLICY_ASLEEP;
    environment->is_settled = false;
    environment->last_stay = POLICY_CHECKING;

    if (is_again)
        return 0;
    environment->since = observation->now;
    struct audit_facts facts = environment_facts(environment, decision->reason, decision->service);
    facts.counts = environment_counts_text(environment, COUNTS_RECORDED, counts);
    audit_sleep(environment->config, &facts);
    return 0;
}

static void wake_up(struct environment *environment, const struct policy_decision *decision)
{
    struct policy_observation *observation = &environment->observation;
    char counts[COUNTS_TEXT_MAX];

    observation->wanted = POLICY_AWAKE;
    environment->since = observation->now;
    observation->woken = observation->now_mono;
    observation->check_due = mono_add(observation->now_mono, environment->rules.check_interval_ms);
    if (decision->reason == POLICY_ADOPTED)
        observation->last_activity = observation->now;
    for (size_t i = 0; i < n_services(environment); i++) {
        environment->updates[i].from_sleep = environment->services[i].slept;
        environment->services[i].slept = false;
        environment->services[i].not_before = MONO_NEVER;
    }
    environment->is_settled = false;
    environment->last_stay = POLICY_CHECKING;

    struct audit_facts facts = environment_facts(environment, decision->reason, decision->service);
    facts.counts = environment_counts_text(environment, COUNTS_TO_WAKE, counts);
    audit_wake(environment->config, &facts);
    /* Saved with the first update, or at the end of this step; a wake does not depend on it. */
    environment->state_is_dirty = true;
}

static bool is_all_slept(const struct environment *environment)
{
    for (size_t i = 0; i < n_services(environment); i++)
        if (environment->services[i].condition == POLICY_CONDITION_FIT &&
            !environment->services[i].slept)
            return false;
    return true;
}

/* Tells, and forgets what is no longer owed, once the wanted state is reached. */
static void settle(struct environment *environment)
{
    char counts[COUNTS_TEXT_MAX];

    if (environment->is_settled || !environment->is_found)
        return;
    if (environment->observation.wanted == POLICY_ASLEEP) {
        if (!is_all_slept(environment))
            return;
        (void)environment_save(environment, true);
        environment_counts_text(environment, COUNTS_TO_WAKE, counts);
        audit_asleep(environment->config, counts);
    } else if (environment_is_owed(environment)) {
        if (!environment->context->dry_run && !policy_wake_is_settled(&environment->observation))
            return;
        environment_counts_text(environment, COUNTS_REPORTED, counts);
        environment_drop(environment);
        audit_awake(environment->config, counts);
    }
    environment->is_settled = true;
}

/* --- decide and carry out ----------------------------------------------------------------------- */

/* Returns true if what was done calls for another look at what is to be done. */
static bool carry_out(struct environment *environment, const struct policy_decision *decision)
{
    struct policy_observation *observation = &environment->observation;
    bool changed = false;
    struct policy_decision actual = *decision;

    if (decision->may_sleep) {
        if (fall_asleep(environment, decision) < 0) {
            actual.reason = POLICY_STATE_UNWRITABLE;
            actual.wanted = observation->wanted;
            actual.may_sleep = false;
        }
        changed = true;
    } else if (decision->wanted != observation->wanted) {
        wake_up(environment, decision);
        changed = true;
    }
    if (!environment_send_updates(environment, &actual))
        changed = true;

    if (decision->check_over) {
        environment->last_check.reason = actual.reason;
        environment->last_check.service = actual.service;
        environment->last_check.at = observation->now;
        observation->check_due =
            mono_add(observation->now_mono, policy_next_check_ms(&environment->rules, observation));
        if (!policy_reason_is_for_sleep(actual.reason))
            tell_stay(environment, &actual);
        changed = true;
    }
    if (decision->look)
        environment_start_look(environment, decision->look_from);
    if (decision->query)
        environment_start_query(environment, decision->query_from, decision->query_to);
    if (decision->describe)
        environment_start_describe(environment);
    /* From what could not even be begun no answer comes; and the next moment is another then. */
    return changed || (decision->look && !observation->look.running) ||
           (decision->query && !observation->query.running) ||
           (decision->describe && !observation->describe.running);
}

void environment_step(struct environment *environment)
{
    struct policy_observation *observation = &environment->observation;
    struct policy_decision decision = {.next = MONO_NEVER};

    if (environment->is_stopped)
        return;
    for (int pass = 0; pass < PASSES_MAX; pass++) {
        observation->now = aws_now(environment->context->aws);
        observation->now_mono = loop_mono(environment->context->loop);
        environment_mend_request(environment);
        policy_decide(&environment->rules, observation, &decision);
        if (!carry_out(environment, &decision))
            break;
    }
    environment_retry_save(environment);
    settle(environment);

    int64_t wait_ms = mono_since(decision.next, observation->now_mono);
    loop_timer_after(environment->timer, wait_ms < 0              ? 0
                                         : wait_ms > TIMER_MAX_MS ? TIMER_MAX_MS
                                                                  : wait_ms);
    tell_changed(environment, &decision);
}

static void timer_fired(void *userdata)
{
    environment_step(userdata);
}

/* --- life --------------------------------------------------------------------------------------- */

static struct policy_rules rules_of(const struct config_environment *config,
                                    const struct environment_context *context)
{
    return (struct policy_rules){
        .window_ms = config->window_ms,
        .lateness_ms = config->lateness_ms,
        .check_interval_ms = config->check_interval_ms,
        .poll_interval_ms = config->poll_interval_ms,
        .poll_interval_awake_ms = config->poll_interval_awake_ms,
        .insights_always = config->insights == CONFIG_INSIGHTS_ALWAYS,
        .silence_is_unknown = config->silence == CONFIG_SILENCE_UNKNOWN,
        /* In a dry run every service stays up: that is not somebody's doing. */
        .adopt = config->adopt && !context->dry_run,
    };
}

static void parts_clear(struct parts *parts)
{
    free(parts->services);
    free(parts->updates);
    free(parts->searches);
    *parts = (struct parts){0};
}

static int parts_make(struct environment *environment, const struct config_environment *config,
                      struct parts *ret)
{
    struct parts parts = {
        .config = config,
        .services = calloc(config->n_services, sizeof(*parts.services)),
        .updates = calloc(config->n_services, sizeof(*parts.updates)),
        .searches = calloc(config->n_log_groups, sizeof(*parts.searches)),
    };

    if (!parts.services || !parts.updates || !parts.searches) {
        parts_clear(&parts);
        return -ENOMEM;
    }
    for (size_t i = 0; i < config->n_services; i++) {
        parts.services[i] = (struct policy_service){
            .configured_count = config->services[i].count,
            .recorded_count = POLICY_COUNT_UNKNOWN,
            .reported_at = MONO_NEVER,
            .written_at = MONO_NEVER,
            .zeroed_at = MONO_NEVER,
            .not_before = MONO_NEVER,
        };
        parts.updates[i] = (struct update){.environment = environment, .index = i};
    }
    for (size_t i = 0; i < config->n_log_groups; i++)
        parts.searches[i] = (struct search){.environment = environment, .index = i};
    *ret = parts;
    return 0;
}

/* Takes the parts. */
static void put_in(struct environment *environment, const struct parts *parts)
{
    environment->config = parts->config;
    environment->services = parts->services;
    environment->updates = parts->updates;
    environment->searches = parts->searches;
    environment->rules = rules_of(parts->config, environment->context);
    environment->observation.services = environment->services;
    environment->observation.n_services = parts->config->n_services;
}

int environment_new(const struct environment_context *context,
                    const struct config_environment *config, int64_t start_delay_ms,
                    struct environment **ret)
{
    const struct policy_evidence never = {
        .began = MONO_NEVER, .ended = MONO_NEVER, .sent = MONO_NEVER, .began_at = WALL_NEVER};
    _cleanup_(environment_free) struct environment *environment = calloc(1, sizeof(*environment));
    int r;

    if (!environment)
        return -ENOMEM;
    environment->context = context;
    environment->last_stay = environment->last_check.reason = POLICY_CHECKING;
    environment->since = environment->last_check.at = WALL_NEVER;
    environment->is_settled = true;
    environment->observation = (struct policy_observation){
        .now = aws_now(context->aws),
        .now_mono = loop_mono(context->loop),
        .last_activity = WALL_NEVER,
        .looked_until = WALL_NEVER,
        .woken = MONO_NEVER,
        .look = never,
        .query = never,
        .describe = never,
    };
    environment->observation.check_due =
        mono_add(environment->observation.now_mono, config->check_interval_ms);
    struct parts parts;
    r = parts_make(environment, config, &parts);
    if (r < 0)
        return r;
    put_in(environment, &parts);
    r = loop_timer_new(context->loop, timer_fired, environment, &environment->timer);
    if (r < 0)
        return r;
    environment_load(environment);
    environment_load_request(environment);
    loop_timer_after(environment->timer, start_delay_ms);
    *ret = TAKE(environment);
    return 0;
}

static void cancel_updates(struct environment *environment)
{
    for (size_t i = 0; i < n_services(environment); i++)
        if (environment->updates[i].call)
            ecs_call_cancel(TAKE(environment->updates[i].call));
}

struct environment *environment_free(struct environment *environment)
{
    if (!environment)
        return NULL;
    if (environment->updates) {
        environment_cancel_questions(environment);
        cancel_updates(environment);
    }
    loop_timer_free(environment->timer);
    trouble_clear(&environment->trouble);
    parts_clear(&environment->prepared);
    free(environment->services);
    free(environment->updates);
    free(environment->searches);
    free(environment);
    return NULL;
}

/* What is known of a service survives a reload under its name. */
static void carry_over(struct environment *environment, const struct config_environment *old_config,
                       const struct policy_service *old_services)
{
    for (size_t i = 0; i < n_services(environment); i++) {
        struct policy_service *service = &environment->services[i];
        int configured_count = service->configured_count;
        size_t j = environment_find_service(old_config, environment->config->services[i].name);

        if (j == old_config->n_services) {
            environment_load_service(environment, i);
            continue;
        }
        *service = old_services[j];
        service->configured_count = configured_count;
    }
    environment_tell_left_out(environment, old_config);
}

int environment_prepare(struct environment *environment, const struct config_environment *config)
{
    environment_discard_prepared(environment);
    return parts_make(environment, config, &environment->prepared);
}

void environment_discard_prepared(struct environment *environment)
{
    parts_clear(&environment->prepared);
}

void environment_reconfigure(struct environment *environment)
{
    assert(environment->prepared.config);
    struct parts old = {
        .config = environment->config,
        .services = environment->services,
        .updates = environment->updates,
        .searches = environment->searches,
    };

    environment_cancel_questions(environment);
    for (size_t i = 0; i < old.config->n_services; i++) {
        if (!old.updates[i].call)
            continue;
        ecs_call_cancel(TAKE(old.updates[i].call));
        environment_mark_written(&old.services[i], old.updates[i].desired,
                                 loop_mono(environment->context->loop));
    }
    put_in(environment, &environment->prepared);
    environment->prepared = (struct parts){0};
    environment->always_on_down = NULL;
    environment->observation.removed = false;
    carry_over(environment, old.config, old.services);
    parts_clear(&old);

    /* The rules may be others: what was seen under the old ones is asked again. */
    environment->observation.look.began = MONO_NEVER;
    environment->observation.describe.began = MONO_NEVER;
    environment->observation.looked_until = WALL_NEVER;
    environment->observation.check_due = mono_min(
        environment->observation.check_due,
        mono_add(loop_mono(environment->context->loop), environment->rules.check_interval_ms));
    environment->last_stay = POLICY_CHECKING;
    loop_timer_after(environment->timer, 0);
}

void environment_release(struct environment *environment)
{
    environment->observation.removed = true;
    loop_timer_after(environment->timer, 0);
}

bool environment_is_released(const struct environment *environment)
{
    return environment->observation.removed && environment->is_settled &&
           environment->observation.wanted == POLICY_AWAKE;
}

void environment_stop(struct environment *environment)
{
    environment_cancel_questions(environment);
    environment->is_stopped = true;
    loop_timer_stop(environment->timer);
}

const struct config_environment *environment_config(const struct environment *environment)
{
    return environment->config;
}

void environment_get_summary(const struct environment *environment, struct environment_summary *ret)
{
    *ret = (struct environment_summary){
        .wanted = environment->observation.wanted,
        .is_settled = environment->is_settled,
        .is_known = environment->is_found,
        .has_trouble = trouble_is_any(&environment->trouble),
        .check_due = environment->observation.check_due,
    };
}
