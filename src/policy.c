/* SPDX-License-Identifier: MIT */
#include "policy.h"

#include <stdlib.h>

/* A sleep that was asked for is over with the first event that is newer than the asking. */
enum policy_request_kind policy_request_in_force(const struct policy_observation *observation)
{
    const struct policy_request *request = &observation->request;

    if (observation->removed || observation->now.ms >= request->until.ms)
        return POLICY_NO_REQUEST;
    if (request->kind == POLICY_SLEEP && observation->last_activity.ms > request->since.ms)
        return POLICY_NO_REQUEST;
    return request->kind;
}

static bool is_sleep_asked(const struct policy_observation *observation)
{
    enum policy_request_kind kind = policy_request_in_force(observation);

    return kind == POLICY_HOLD_ASLEEP || kind == POLICY_SLEEP;
}

bool policy_is_active(const struct policy_rules *rules,
                      const struct policy_observation *observation)
{
    return !is_sleep_asked(observation) && wall_is_set(observation->last_activity) &&
           wall_since(observation->now, observation->last_activity) <= rules->window_ms;
}

/* Somebody waits for a sleep that was asked for. */
int64_t policy_next_check_ms(const struct policy_rules *rules,
                             const struct policy_observation *observation)
{
    return is_sleep_asked(observation) && rules->check_interval_ms > POLICY_SLOW_RETRY_MS
               ? POLICY_SLOW_RETRY_MS
               : rules->check_interval_ms;
}

int policy_effective_count(const struct policy_service *service, struct mono now)
{
    if (service->write_uncertain)
        return POLICY_COUNT_UNKNOWN;
    if (service->written &&
        (service->write_pretended || mono_since(now, service->written_at) < POLICY_STALE_READ_MS))
        return service->written_count;
    /* Nothing has been read since, for however long, or ever: it is still the better witness. */
    bool is_readable = service->condition == POLICY_CONDITION_FIT ||
                       service->condition == POLICY_CONDITION_UNKNOWN;
    if (service->written && is_readable && service->reported_at.ms <= service->written_at.ms)
        return service->written_count;
    return service->condition == POLICY_CONDITION_FIT ? service->reported_count
                                                      : POLICY_COUNT_UNKNOWN;
}

int policy_wake_count(const struct policy_service *service)
{
    if (service->recorded_count == POLICY_COUNT_UNKNOWN)
        return POLICY_COUNT_UNKNOWN;
    return service->configured_count != POLICY_COUNT_UNKNOWN ? service->configured_count
                                                             : service->recorded_count;
}

int policy_count_to_record(const struct policy_service *service, struct mono now)
{
    if (service->condition != POLICY_CONDITION_FIT)
        return service->recorded_count;

    int count = policy_effective_count(service, now);
    if (count > 0)
        return count;
    /* At 0 because a wake has not given it back yet: still owed. Otherwise somebody else's 0. */
    return service->recorded_count != POLICY_COUNT_UNKNOWN ? service->recorded_count : 0;
}

/* A read too late to show the count from before the sleep shows one above 0. Whether that is a write of
 * ours whose answer was lost, or somebody's wish, it needs nothing; nor if ECS has not known the service
 * since. */
static bool is_up_again(const struct policy_service *service)
{
    return (service->condition == POLICY_CONDITION_FIT ||
            service->condition == POLICY_CONDITION_MISSING) &&
           service->reported_count > 0 && !service->write_pretended &&
           mono_since(service->reported_at, service->zeroed_at) >= POLICY_STALE_READ_MS;
}

int policy_update(const struct policy_service *service, const struct policy_decision *decision,
                  struct mono now)
{
    if (now.ms < service->not_before.ms)
        return POLICY_LEAVE;
    if (service->condition == POLICY_CONDITION_UNTOUCHABLE)
        return POLICY_LEAVE;

    int count = policy_effective_count(service, now);
    if (decision->wanted == POLICY_ASLEEP) {
        if (!decision->may_sleep || service->slept || service->condition != POLICY_CONDITION_FIT)
            return POLICY_LEAVE;
        return count == 0 ? POLICY_LEAVE : 0;
    }

    int wanted = policy_wake_count(service);
    if (wanted <= 0)
        return POLICY_LEAVE;
    /* A count above 0 that is not ours is somebody's wish. One that we do not know is no reason to
     * let people wait: the recorded count is right, and sending it twice is harmless. So it is when
     * a read after our write shows 0, be it stale or the write overtaken by an older one. */
    bool undone = service->reported_count == 0 && service->condition == POLICY_CONDITION_FIT &&
                  service->reported_at.ms > service->written_at.ms;
    if (is_up_again(service))
        return POLICY_LEAVE;
    return count == 0 || count == POLICY_COUNT_UNKNOWN || undone ? wanted : POLICY_LEAVE;
}

/* What was last reported cannot be from before our last write. That the next read may be under way is
 * no matter: where reads take longer than the poll interval, one always is. */
static bool report_is_newer(const struct policy_observation *observation,
                            const struct policy_service *service)
{
    if (observation->describe.finding != POLICY_NO_MATCH ||
        service->condition != POLICY_CONDITION_FIT || service->write_uncertain)
        return false;
    return !service->written ||
           mono_since(service->reported_at, service->written_at) >= POLICY_STALE_READ_MS;
}

bool policy_wake_is_settled(const struct policy_observation *observation)
{
    for (size_t i = 0; i < observation->n_services; i++) {
        const struct policy_service *service = &observation->services[i];

        if (policy_wake_count(service) <= 0 || service->condition == POLICY_CONDITION_UNTOUCHABLE)
            continue;
        if (!report_is_newer(observation, service) || service->reported_count == 0)
            return false;
    }
    return true;
}

static bool is_owed(const struct policy_observation *observation)
{
    for (size_t i = 0; i < observation->n_services; i++)
        if (observation->services[i].recorded_count != POLICY_COUNT_UNKNOWN)
            return true;
    return false;
}

static bool is_left_to_sleep(const struct policy_observation *observation)
{
    for (size_t i = 0; i < observation->n_services; i++) {
        const struct policy_service *service = &observation->services[i];

        if (service->condition == POLICY_CONDITION_FIT && !service->slept &&
            policy_effective_count(service, observation->now_mono) != 0)
            return true;
    }
    return false;
}

/* The service that somebody scaled up while the environment sleeps; n_services if none. */
static size_t find_scaled_up(const struct policy_observation *observation)
{
    for (size_t i = 0; i < observation->n_services; i++) {
        const struct policy_service *service = &observation->services[i];

        if (service->slept && service->reported_count > 0 && report_is_newer(observation, service))
            return i;
    }
    return observation->n_services;
}

/* All that sleeps is back at the very counts of a wake. Most likely it was our own, from before a
 * crash, and the disk would not take it; if somebody did the same by hand, they meant the same. */
static bool is_woken(const struct policy_observation *observation)
{
    bool is_any = false;

    for (size_t i = 0; i < observation->n_services; i++) {
        const struct policy_service *service = &observation->services[i];

        if (policy_wake_count(service) <= 0 || service->condition == POLICY_CONDITION_UNTOUCHABLE)
            continue;
        if (!service->slept || service->write_pretended || !report_is_newer(observation, service) ||
            service->reported_count != policy_wake_count(service))
            return false;
        is_any = true;
    }
    return is_any;
}

static size_t find_missing(const struct policy_observation *observation)
{
    for (size_t i = 0; i < observation->n_services; i++)
        if (observation->services[i].condition == POLICY_CONDITION_MISSING)
            return i;
    return observation->n_services;
}

static void wake_at(struct policy_decision *decision, struct mono when)
{
    decision->next = mono_min(decision->next, when);
}

/* Asks for it now if nothing of the kind runs; else its end will be the next observation. */
static enum policy_reason ask(const struct policy_evidence *evidence, bool *ret)
{
    *ret = !evidence->running;
    return POLICY_CHECKING;
}

static enum policy_reason ask_query(const struct policy_rules *rules,
                                    const struct policy_observation *observation,
                                    struct policy_decision *decision)
{
    decision->query_to = observation->now;
    decision->query_from = wall_add(observation->now, -(rules->window_ms + rules->lateness_ms));
    return ask(&observation->query, &decision->query);
}

static enum policy_reason ask_last_look(const struct policy_rules *rules,
                                        const struct policy_observation *observation,
                                        struct policy_decision *decision)
{
    decision->is_last_look = true;
    decision->look_from =
        wall_add(observation->query.to, -(rules->lateness_ms + POLICY_OVERLAP_MS));
    return ask(&observation->look, &decision->look);
}

/* Whether the chain, complete as it is, still speaks of this moment. */
static bool chain_is_stale(const struct policy_rules *rules,
                           const struct policy_observation *observation)
{
    const struct policy_evidence *query = &observation->query, *look = &observation->look;
    int64_t elapsed_wall_ms = wall_since(observation->now, query->began_at);
    int64_t elapsed_mono_ms = mono_since(observation->now_mono, query->began);

    return mono_since(look->began, query->ended) > POLICY_QUERY_AGE_MAX_MS ||
           mono_since(observation->now_mono, look->sent) > POLICY_LOOK_AGE_MAX_MS ||
           llabs(elapsed_wall_ms - elapsed_mono_ms) > POLICY_CLOCK_TOLERANCE_MS ||
           observation->woken.ms > query->began.ms ||
           /* The rules may have changed since it was asked. */
           wall_since(query->to, query->from) < rules->window_ms + rules->lateness_ms;
}

static enum policy_reason reason_of_request(const struct policy_observation *observation)
{
    switch (policy_request_in_force(observation)) {
    case POLICY_HOLD_AWAKE:
        return POLICY_HELD_AWAKE;
    case POLICY_HOLD_ASLEEP:
        return POLICY_HELD_ASLEEP;
    case POLICY_SLEEP:
    case POLICY_NO_REQUEST:
        break;
    }
    return POLICY_SLEEP_ASKED;
}

/* Steps a and c of the chain: POLICY_CONFIRMED_IDLE if they say nothing against a sleep. */
static enum policy_reason judge_services(const struct policy_observation *observation,
                                         struct policy_decision *decision)
{
    if (observation->describe.finding != POLICY_NO_MATCH)
        return POLICY_SERVICES_UNKNOWN;
    decision->service = find_missing(observation);
    if (decision->service < observation->n_services)
        return POLICY_SERVICE_MISSING;
    if (!is_left_to_sleep(observation))
        return POLICY_NOTHING_TO_SLEEP;
    if (observation->always_on_down && !is_sleep_asked(observation))
        return POLICY_ALWAYS_ON_DOWN;
    return POLICY_CONFIRMED_IDLE;
}

static enum policy_reason judge_query(const struct policy_rules *rules,
                                      const struct policy_observation *observation)
{
    switch (observation->query.finding) {
    case POLICY_MATCH:
        return policy_is_active(rules, observation) ? POLICY_ACTIVITY : POLICY_QUERY_ACTIVITY;
    case POLICY_NO_MATCH:
        return rules->silence_is_unknown && observation->query.silent ? POLICY_QUERY_SILENT
                                                                      : POLICY_CONFIRMED_IDLE;
    case POLICY_NOT_ASKED:
    case POLICY_UNKNOWN:
        break;
    }
    return POLICY_QUERY_UNKNOWN;
}

/*
 * The next link of the chain, or what the chain says. POLICY_CHECKING: a link is being made;
 * may_sleep: complete; anything else ends this check.
 */
static enum policy_reason check(const struct policy_rules *rules,
                                const struct policy_observation *observation,
                                struct policy_decision *decision)
{
    const struct policy_evidence *look = &observation->look, *query = &observation->query,
                                 *describe = &observation->describe;
    bool is_active = policy_is_active(rules, observation);
    enum policy_reason reason;

    if (policy_request_in_force(observation) == POLICY_HOLD_AWAKE)
        return POLICY_HELD_AWAKE;
    if (is_active && !rules->insights_always)
        return POLICY_ACTIVITY;

    if (describe->running || describe->began.ms < observation->check_due.ms)
        return ask(describe, &decision->describe);
    reason = judge_services(observation, decision);
    if (reason != POLICY_CONFIRMED_IDLE)
        return reason;
    if (is_sleep_asked(observation)) {
        decision->may_sleep = true;
        return reason_of_request(observation);
    }

    if (query->running || query->began.ms < observation->check_due.ms)
        return ask_query(rules, observation, decision);
    reason = judge_query(rules, observation);
    if (reason != POLICY_CONFIRMED_IDLE)
        return reason;
    if (is_active)
        return POLICY_ACTIVITY;

    if (describe->began.ms < query->ended.ms)
        return ask(describe, &decision->describe);

    if (look->running || look->began.ms < describe->ended.ms)
        return ask_last_look(rules, observation, decision);
    if (look->finding == POLICY_MATCH)
        return POLICY_QUERY_ACTIVITY;
    if (look->finding != POLICY_NO_MATCH)
        return POLICY_LOOK_UNKNOWN;

    if (chain_is_stale(rules, observation))
        return POLICY_STALE;
    decision->may_sleep = true;
    return POLICY_CONFIRMED_IDLE;
}

static void decide_wanted(const struct policy_rules *rules,
                          const struct policy_observation *observation,
                          struct policy_decision *decision)
{
    if (observation->removed) {
        decision->wanted = POLICY_AWAKE;
        decision->reason = POLICY_REMOVED;
        return;
    }
    if (policy_request_in_force(observation) != POLICY_NO_REQUEST) {
        decision->reason = reason_of_request(observation);
        /* To sleep takes a check: what there is to put to sleep must be known. */
        if (decision->reason == POLICY_HELD_AWAKE)
            decision->wanted = POLICY_AWAKE;
        wake_at(decision, mono_add(observation->now_mono,
                                   wall_since(observation->request.until, observation->now)));
        /* Asleep at last, and then scaled up by somebody: that is the newer wish. */
        if (decision->reason != POLICY_SLEEP_ASKED || observation->wanted == POLICY_AWAKE)
            return;
    } else if (observation->wanted == POLICY_ASLEEP) {
        decision->reason = POLICY_STILL_ASLEEP;
    }
    if (policy_is_active(rules, observation)) {
        decision->wanted = POLICY_AWAKE;
        decision->reason = POLICY_ACTIVITY;
        return;
    }
    if (observation->wanted == POLICY_AWAKE) {
        decision->reason = POLICY_CHECK_NOT_DUE;
        return;
    }
    if (!rules->adopt && !is_woken(observation))
        return;
    decision->service = find_scaled_up(observation);
    if (decision->service < observation->n_services) {
        decision->wanted = POLICY_AWAKE;
        decision->reason = POLICY_ADOPTED;
    }
}

/* No event from before is activity. */
static struct wall first_that_counts(const struct policy_rules *rules,
                                     const struct policy_observation *observation)
{
    struct wall edge = wall_add(observation->now, -rules->window_ms);

    return policy_request_in_force(observation) == POLICY_SLEEP
               ? wall_max(edge, wall_add(observation->request.since, 1))
               : edge;
}

static void decide_check(const struct policy_rules *rules,
                         const struct policy_observation *observation,
                         struct policy_decision *decision)
{
    if (decision->wanted != observation->wanted || observation->removed)
        return; /* first the change; it puts the check off */
    if (observation->now_mono.ms < observation->check_due.ms) {
        wake_at(decision, observation->check_due);
        return;
    }

    if (decision->wanted == POLICY_ASLEEP && !is_left_to_sleep(observation)) {
        /* Asleep: the check is one deep look, for events that came later than `lateness`. */
        if (observation->look.running)
            return;
        decision->look = true;
        decision->look_from = first_that_counts(rules, observation);
        decision->check_over = true;
        return;
    }

    enum policy_reason reason = check(rules, observation, decision);
    if (decision->may_sleep)
        decision->wanted = POLICY_ASLEEP;
    decision->check_over = reason != POLICY_CHECKING;
    /* Asleep but for a service that could not be put to sleep: why not is the better reason. */
    decision->reason = reason;
}

static void decide_look(const struct policy_rules *rules,
                        const struct policy_observation *observation,
                        struct policy_decision *decision)
{
    const struct policy_evidence *look = &observation->look;
    bool is_asleep = decision->wanted == POLICY_ASLEEP;
    int64_t interval_ms = is_asleep ? rules->poll_interval_ms : rules->poll_interval_awake_ms;

    if (look->running || decision->look || observation->removed)
        return;
    if (look->refused && interval_ms < POLICY_SLOW_RETRY_MS)
        interval_ms = POLICY_SLOW_RETRY_MS;

    struct mono due =
        mono_is_set(look->began) ? mono_add(look->began, interval_ms) : observation->now_mono;
    if (observation->now_mono.ms < due.ms) {
        wake_at(decision, due);
        return;
    }

    /* Everything since the last complete look, and as far back as events may be late. Awake, any
     * recent activity will do; it never needs more than the window. */
    struct wall from = first_that_counts(rules, observation);
    if (wall_is_set(observation->looked_until))
        from = wall_max(
            from, wall_add(observation->looked_until, -(rules->lateness_ms + POLICY_OVERLAP_MS)));
    if (!is_asleep && wall_is_set(observation->last_activity))
        from = wall_max(from, wall_add(observation->now, -(interval_ms + rules->lateness_ms)));
    if (wall_is_set(observation->last_activity))
        from = wall_max(from, wall_add(observation->last_activity, 1));
    decision->look = true;
    decision->look_from = from;
}

/* When a read can first tell what became of writes whose answers were lost: until then their counts are
 * not known, and what somebody sets meanwhile would be taken for ours. */
static struct mono settling_read_due(const struct policy_observation *observation)
{
    struct mono due = MONO_FOREVER;

    for (size_t i = 0; i < observation->n_services; i++) {
        const struct policy_service *service = &observation->services[i];
        struct mono settles = mono_add(service->written_at, POLICY_STALE_READ_MS);

        if (service->write_uncertain && observation->describe.began.ms < settles.ms)
            due = mono_min(due, settles);
    }
    return due;
}

/* Woken, and not all of its tasks run yet. */
static bool is_coming_up(const struct policy_observation *observation)
{
    if (!mono_is_set(observation->woken) ||
        mono_since(observation->now_mono, observation->woken) > POLICY_COMING_UP_MS)
        return false;
    for (size_t i = 0; i < observation->n_services; i++) {
        const struct policy_service *service = &observation->services[i];

        if (service->condition == POLICY_CONDITION_FIT &&
            service->running_count < service->reported_count)
            return true;
    }
    return false;
}

static void decide_describe(const struct policy_rules *rules,
                            const struct policy_observation *observation,
                            struct policy_decision *decision)
{
    const struct policy_evidence *describe = &observation->describe;
    bool is_asleep = decision->wanted == POLICY_ASLEEP;
    bool is_waking = !is_asleep && (is_owed(observation) || is_coming_up(observation));

    if (describe->running || decision->describe)
        return;
    if (describe->finding == POLICY_NO_MATCH && !is_asleep && !is_waking)
        return; /* awake: the check will ask */

    int64_t interval_ms = rules->poll_interval_awake_ms;
    if (is_waking && rules->poll_interval_ms < interval_ms)
        interval_ms = rules->poll_interval_ms;
    if (describe->refused && interval_ms < POLICY_SLOW_RETRY_MS)
        interval_ms = POLICY_SLOW_RETRY_MS;

    struct mono due = mono_is_set(describe->began) ? mono_add(describe->began, interval_ms)
                                                   : observation->now_mono;
    /* A read that ended meanwhile would void the chain; where looks take longer than this interval,
     * there would always be one. */
    if (decision->is_last_look)
        due = MONO_FOREVER;
    due = mono_min(due, settling_read_due(observation));
    if (observation->now_mono.ms < due.ms)
        wake_at(decision, due);
    else
        decision->describe = true;
}

void policy_decide(const struct policy_rules *rules, const struct policy_observation *observation,
                   struct policy_decision *ret)
{
    *ret = (struct policy_decision){.wanted = observation->wanted, .next = MONO_FOREVER};

    decide_wanted(rules, observation, ret);
    decide_check(rules, observation, ret);
    decide_look(rules, observation, ret);
    decide_describe(rules, observation, ret);

    for (size_t i = 0; i < observation->n_services; i++)
        if (observation->services[i].not_before.ms > observation->now_mono.ms)
            wake_at(ret, observation->services[i].not_before);
}

const char *policy_request_name(enum policy_request_kind kind)
{
    switch (kind) {
    case POLICY_HOLD_AWAKE:
        return "hold-awake";
    case POLICY_HOLD_ASLEEP:
        return "hold-asleep";
    case POLICY_SLEEP:
        return "sleep";
    case POLICY_NO_REQUEST:
        break;
    }
    return "";
}

bool policy_reason_is_for_sleep(enum policy_reason reason)
{
    return reason == POLICY_CONFIRMED_IDLE || reason == POLICY_STILL_ASLEEP ||
           reason == POLICY_HELD_ASLEEP || reason == POLICY_SLEEP_ASKED;
}

const char *policy_reason_name(enum policy_reason reason)
{
    switch (reason) {
    case POLICY_HELD_AWAKE:
        return "held-awake";
    case POLICY_HELD_ASLEEP:
        return "held-asleep";
    case POLICY_SLEEP_ASKED:
        return "sleep-asked";
    case POLICY_ACTIVITY:
        return "activity";
    case POLICY_ADOPTED:
        return "adopted";
    case POLICY_STILL_ASLEEP:
        return "still-asleep";
    case POLICY_CONFIRMED_IDLE:
        return "confirmed-idle";
    case POLICY_CHECK_NOT_DUE:
        return "check-not-due";
    case POLICY_CHECKING:
        return "checking";
    case POLICY_NOTHING_TO_SLEEP:
        return "nothing-to-sleep";
    case POLICY_SERVICES_UNKNOWN:
        return "services-unknown";
    case POLICY_SERVICE_MISSING:
        return "service-missing";
    case POLICY_ALWAYS_ON_DOWN:
        return "always-on-down";
    case POLICY_QUERY_UNKNOWN:
        return "query-unknown";
    case POLICY_QUERY_ACTIVITY:
        return "query-activity";
    case POLICY_QUERY_SILENT:
        return "query-silent";
    case POLICY_LOOK_UNKNOWN:
        return "look-unknown";
    case POLICY_STALE:
        return "stale";
    case POLICY_STATE_UNWRITABLE:
        return "state-unwritable";
    case POLICY_REMOVED:
        return "removed";
    }
    return "unknown";
}
