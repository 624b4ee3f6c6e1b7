/* SPDX-License-Identifier: MIT */
#include "tests/simulation/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"

#define ENVIRONMENTS_MAX 50
#define SERVICES_MAX 7
#define LOG_GROUPS_MAX 3

DEFINE_CLEANUP(struct plan *, plan_free)

/* --- environments ------------------------------------------------------------------------------- */

static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *text(const char *format, ...)
{
    va_list arguments;
    char *result = NULL;

    va_start(arguments, format);
    if (vasprintf(&result, format, arguments) < 0)
        result = NULL;
    va_end(arguments);
    return result;
}

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Odd windows, and intervals that fit them (config/config_check.c). Slow ones are more frequent: they
 * have as many decisions, and fewer looks between them to wait for. */
void plan_draw_rules(struct chance *chance, struct world_rules *rules)
{
    bool is_quick = chance_one_in(chance, 400);
    int64_t window_ms =
        chance_scale(chance, is_quick ? 10 * MS_PER_MINUTE : 30 * MS_PER_MINUTE, 16 * MS_PER_HOUR);
    int64_t awake_ms = at_most(window_ms / 2, 4 * MS_PER_HOUR);
    int64_t asleep_ms = at_most(awake_ms, MS_PER_HOUR);

    rules->window_ms = window_ms;
    rules->lateness_ms =
        chance_one_in(chance, 8) ? 0 : chance_between(chance, 10 * MS_PER_SECOND, 900000);
    if (is_quick) {
        rules->check_interval_ms = chance_between(chance, MS_PER_MINUTE, awake_ms);
        rules->poll_interval_ms = chance_between(chance, 15 * MS_PER_SECOND, 2 * MS_PER_MINUTE);
        rules->poll_interval_awake_ms =
            chance_between(chance, 30 * MS_PER_SECOND, 5 * MS_PER_MINUTE);
    } else {
        rules->check_interval_ms = chance_between(chance, awake_ms / 4, awake_ms);
        rules->poll_interval_ms = chance_scale(chance, asleep_ms / 4, asleep_ms);
        rules->poll_interval_awake_ms = chance_scale(chance, awake_ms / 4, awake_ms);
    }
    rules->insights_always = chance_one_in(chance, 5);
    rules->silence_is_unknown = chance_one_in(chance, 6);
    rules->adopt = !chance_one_in(chance, 4);
    rules->wake_on_remove = chance_one_in(chance, 3);
}

static int draw_services(struct chance *chance, struct world_environment *environment)
{
    static const char *const names[] = {"api", "worker", "web", "mailer", "search", "cron", "docs"};
    size_t n = (size_t)chance_between(chance, 1, SERVICES_MAX - 2);
    bool has_gateway = !chance_one_in(chance, 3), has_stranger = chance_one_in(chance, 2);

    environment->services = calloc(SERVICES_MAX, sizeof(*environment->services));
    if (!environment->services)
        return -ENOMEM;
    for (size_t i = 0; i < n + has_gateway + has_stranger; i++) {
        bool is_gateway = i == n && has_gateway, is_named = i < n;
        struct world_service *service = &environment->services[environment->n_services++];
        service->name = text("%s-%s", environment->name,
                             is_named     ? names[i]
                             : is_gateway ? "gateway"
                                          : "stranger");
        if (!service->name)
            return -ENOMEM;
        service->is_named = service->is_in_ini = service->is_member = is_named;
        service->is_always_on = is_gateway;
        service->usual_count =
            chance_one_in(chance, 10) && is_named && i > 0 ? 0 : (int)chance_scale(chance, 1, 40);
        service->configured_count =
            is_named && chance_one_in(chance, 5) ? (int)chance_between(chance, 1, 5) : -1;
    }
    return 0;
}

/* An environment may read its neighbour's log, with the neighbour's pattern or its own. */
static int draw_log(struct chance *chance, struct world_environment *environment,
                    const struct world_environment *neighbour)
{
    static const char *const patterns[] = {"/api/v1/", "POST /orders", "user=", "status: 2",
                                           "GET /caf\xc3\xa9"};
    static const char *const excludes[] = {NULL, "ELB-HealthChecker", "bot", "kube-probe"};
    bool shares = neighbour && chance_one_in(chance, 3);

    environment->log_groups = calloc(LOG_GROUPS_MAX + 1, sizeof(char *));
    if (!environment->log_groups)
        return -ENOMEM;
    environment->n_log_groups =
        chance_one_in(chance, 4) ? (size_t)chance_between(chance, 2, LOG_GROUPS_MAX) : 1;
    for (size_t i = 0; i < environment->n_log_groups; i++) {
        environment->log_groups[i] = i == 0 && shares ? text("%s", neighbour->log_groups[0])
                                                      : text("/ecs/%s/%zu", environment->name, i);
        if (!environment->log_groups[i])
            return -ENOMEM;
    }
    if (shares || chance_one_in(chance, 4))
        environment->pattern = text("/%s/", environment->name);
    else
        environment->pattern = text("%s", patterns[chance_below(chance, ARRAY_LENGTH(patterns))]);
    const char *exclude = excludes[chance_below(chance, ARRAY_LENGTH(excludes))];
    environment->exclude = exclude ? text("%s", exclude) : NULL;
    /* FilterLogEvents takes ASCII only in an expression. */
    environment->pattern_as_regex =
        chance_one_in(chance, 4) && !strpbrk(environment->pattern, "\xc3");
    return environment->pattern && (!exclude || environment->exclude) ? 0 : -ENOMEM;
}

static int draw_environments(struct chance *chance, struct plan *plan)
{
    size_t n = (size_t)chance_scale(chance, 1, ENVIRONMENTS_MAX);

    /* With room for the same again. */
    plan->environments = calloc(2 * n, sizeof(*plan->environments));
    if (!plan->environments)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct world_environment *environment = &plan->environments[plan->n_environments++];
        struct chance its = chance_fork(chance);

        environment->name = text("env%zu", i);
        environment->cluster = text("cluster%zu", chance_one_in(&its, 4) ? 0 : i);
        if (!environment->name || !environment->cluster || draw_services(&its, environment) < 0 ||
            draw_log(&its, environment, i > 0 ? &plan->environments[i - 1] : NULL) < 0)
            return -ENOMEM;
        plan_draw_rules(&its, &environment->rules);
        environment->ini_rules = environment->rules;
        environment->is_in_ini = true;
        environment->counts_lost_at = WALL_NEVER;
    }
    return 0;
}

static int copy_services(const struct world_environment *from, struct world_environment *to)
{
    to->services = calloc(SERVICES_MAX, sizeof(*to->services));
    if (!to->services)
        return -ENOMEM;
    for (; to->n_services < from->n_services; to->n_services++) {
        struct world_service *service = &to->services[to->n_services];

        *service = from->services[to->n_services];
        service->name = text("%s", service->name);
        if (!service->name)
            return -ENOMEM;
    }
    return 0;
}

static int copy_log(const struct world_environment *from, struct world_environment *to)
{
    to->log_groups = calloc(LOG_GROUPS_MAX + 1, sizeof(char *));
    if (!to->log_groups)
        return -ENOMEM;
    for (; to->n_log_groups < from->n_log_groups; to->n_log_groups++) {
        to->log_groups[to->n_log_groups] = text("%s", from->log_groups[to->n_log_groups]);
        if (!to->log_groups[to->n_log_groups])
            return -ENOMEM;
    }
    to->pattern = text("%s", from->pattern);
    to->exclude = from->exclude ? text("%s", from->exclude) : NULL;
    to->pattern_as_regex = from->pattern_as_regex;
    return to->pattern && (!from->exclude || to->exclude) ? 0 : -ENOMEM;
}

/* The same services and log in another cluster, where `cluster` may lead. */
static int add_other(struct plan *plan, struct world_environment *environment)
{
    struct world_environment *other = &plan->environments[plan->n_environments++];

    plan->n_others++;
    environment->other = other;
    other->name = text("%s", environment->name);
    other->cluster = text("%s-%s", environment->cluster, environment->name);
    other->rules = other->ini_rules = environment->rules;
    other->counts_lost_at = WALL_NEVER;
    return !other->name || !other->cluster || copy_services(environment, other) < 0 ||
                   copy_log(environment, other) < 0
               ? -ENOMEM
               : 0;
}

/* --- items -------------------------------------------------------------------------------------- */

static struct plan_item *add_item(struct plan *plan, struct chance *chance)
{
    if ((plan->n_items & (plan->n_items - 1)) == 0) { /* room doubles at each power of two */
        size_t room = plan->n_items ? 2 * plan->n_items : 1;
        struct plan_item *larger = reallocarray(plan->items, room, sizeof(*larger));
        if (!larger)
            return NULL;
        plan->items = larger;
    }
    struct plan_item *item = &plan->items[plan->n_items++];
    *item = (struct plan_item){.chance = chance_fork(chance), .probability_percent = 100};
    return item;
}

static int add_traffic(struct plan *plan, struct chance *chance, size_t environment,
                       enum traffic traffic, int64_t at_ms, int64_t for_ms, int64_t gap_ms)
{
    struct plan_item *item = add_item(plan, chance);

    if (!item)
        return -ENOMEM;
    item->kind = PLAN_TRAFFIC;
    item->traffic = traffic;
    item->environment = environment;
    item->at_ms = at_ms;
    item->for_ms = for_ms;
    item->value = gap_ms;
    return 0;
}

enum habit {
    HABIT_OFFICE, /* working days, with pauses */
    HABIT_BURSTS, /* at any hour */
    HABIT_RARE,
    HABIT_BUSY,
    HABIT_HEARTBEAT, /* nobody but probes */
    HABIT_SILENCE,
    HABITS_N,
};

static int draw_day(struct plan *plan, struct chance *chance, size_t i, enum habit habit,
                    int64_t day)
{
    int64_t begin_ms = day * MS_PER_DAY;
    int64_t hour = MS_PER_HOUR;
    /* Drawn one after the other: C leaves open in which order arguments are. */
    int64_t gap_ms, length_ms;
    int r = 0;

    switch (habit) {
    case HABIT_OFFICE:
        if (day % 7 >= 5) /* the start is a Monday */
            return 0;
        gap_ms = chance_scale(chance, 2 * MS_PER_MINUTE, 3 * hour);
        length_ms = chance_between(chance, hour, 10 * hour);
        begin_ms += chance_between(chance, 6 * hour, 10 * hour);
        return add_traffic(plan, chance, i, TRAFFIC_USE, begin_ms, length_ms, gap_ms);
    case HABIT_BURSTS:
    case HABIT_RARE: {
        int64_t n =
            habit == HABIT_RARE ? chance_between(chance, 0, 1) : chance_between(chance, 1, 5);
        for (; n > 0 && r == 0; n--) {
            gap_ms = chance_scale(chance, 10 * MS_PER_SECOND, hour);
            length_ms = chance_scale(chance, MS_PER_SECOND, 2 * hour);
            r = add_traffic(plan, chance, i, TRAFFIC_USE,
                            begin_ms + chance_between(chance, 0, MS_PER_DAY), length_ms, gap_ms);
        }
        return r;
    }
    case HABIT_BUSY:
        return add_traffic(plan, chance, i, TRAFFIC_USE, begin_ms, MS_PER_DAY,
                           chance_scale(chance, 5 * MS_PER_MINUTE, 4 * hour));
    case HABIT_HEARTBEAT:
    case HABIT_SILENCE:
    case HABITS_N:
        break;
    }
    return 0;
}

static int draw_traffic(struct plan *plan, struct chance *chance, int64_t days)
{
    int r = 0;

    for (size_t i = 0; i < plan->n_environments && r == 0; i++) {
        enum habit habit = (enum habit)chance_below(chance, HABITS_N);

        if (habit != HABIT_SILENCE && (habit == HABIT_HEARTBEAT || chance_one_in(chance, 2)))
            r = add_traffic(plan, chance, i, TRAFFIC_HEARTBEAT, 0, plan->length_ms,
                            chance_scale(chance, 2 * MS_PER_MINUTE, 2 * MS_PER_HOUR));
        if (r == 0 && habit != HABIT_SILENCE && chance_one_in(chance, 2))
            r = add_traffic(plan, chance, i, TRAFFIC_NOISE, 0, plan->length_ms,
                            chance_scale(chance, 5 * MS_PER_MINUTE, 2 * MS_PER_HOUR));
        for (int64_t day = 0; day < days && r == 0; day++)
            r = draw_day(plan, chance, i, habit, day);
    }
    return r;
}

/* One of "A B C", or NULL for any of the API; a rule for a single operation is as likely as for all. */
static const char *draw_operation(struct chance *chance, const struct plan *plan,
                                  const struct misfortune_row *row, enum misfortune misfortune)
{
    static const char *const all[] = {"FilterLogEvents",  "StartQuery",    "GetQueryResults",
                                      "DescribeServices", "UpdateService", "StopQuery"};
    if (misfortune == MISFORTUNE_METADATA_DOWN)
        return plan->identity == IDENTITY_CONTAINER ? "Container" : "Imds";
    if (misfortune == MISFORTUNE_NOT_FOUND)
        return all[(const uint8_t[]){0, 1, 3, 4}[chance_below(chance, 4)]];
    if (row->operations)
        return row->operations;
    return chance_one_in(chance, 2) ? NULL : all[chance_below(chance, ARRAY_LENGTH(all))];
}

static bool is_possible(const struct plan *plan, enum misfortune misfortune)
{
    switch (misfortune) {
    case MISFORTUNE_METADATA_DOWN:
    case MISFORTUNE_KEYS_EXPIRE:
        return plan->identity != IDENTITY_KEYS;
    case MISFORTUNE_ROLE_CHANGED:
        return plan->identity == IDENTITY_INSTANCE;
    default:
        return true;
    }
}

static enum misfortune draw_misfortune(struct chance *chance)
{
    uint64_t sum = 0;

    for (enum misfortune i = 0; i < MISFORTUNES_N; i++)
        sum += misfortune_row(i)->weight;
    uint64_t at = chance_below(chance, sum);
    enum misfortune drawn = 0;
    while (at >= misfortune_row(drawn)->weight)
        at -= misfortune_row(drawn++)->weight;
    return drawn;
}

static int add_misfortune(struct plan *plan, struct chance *chance, enum misfortune misfortune,
                          int64_t at_ms, int64_t until_ms)
{
    const struct misfortune_row *row = misfortune_row(misfortune);
    struct plan_item *item;

    if (!is_possible(plan, misfortune))
        return 0;
    item = add_item(plan, chance);
    if (!item)
        return -ENOMEM;
    item->kind = PLAN_MISFORTUNE;
    item->misfortune = misfortune;
    item->at_ms = at_ms;
    item->for_ms =
        row->for_most_ms > 0 ? chance_scale(chance, row->for_least_ms, row->for_most_ms) : 0;
    if (item->at_ms + item->for_ms > until_ms)
        item->for_ms = until_ms - item->at_ms;
    item->value = chance_between(chance, row->value_least, row->value_most);
    item->probability_percent =
        (uint64_t)chance_between(chance, (int64_t)row->percent_least, (int64_t)row->percent_most);
    item->operation = draw_operation(chance, plan, row, misfortune);
    item->environment = chance_below(chance, plan->n_environments - plan->n_others);
    struct world_environment *environment = &plan->environments[item->environment];
    item->service = chance_below(chance, environment->n_services);
    if (misfortune == MISFORTUNE_CLUSTER_CHANGED && !environment->other)
        return add_other(plan, environment);
    return 0;
}

/* Bad hours, each with a few things at once; between them it is calm for long enough to see what the
 * daemon makes of it. Some seeds are calm throughout, but for people. */
static int draw_misfortunes(struct plan *plan, struct chance *chance)
{
    int64_t at_ms = chance_between(chance, 0, 6 * MS_PER_HOUR);
    int64_t mean_pause_ms = chance_scale(chance, 4 * MS_PER_HOUR, 3 * MS_PER_DAY);

    while (at_ms < plan->calm_from_ms) {
        int64_t n = chance_scale(chance, 1, 8);
        int64_t bad_for_ms = chance_scale(chance, MS_PER_MINUTE, 12 * MS_PER_HOUR);
        for (; n > 0; n--) {
            int64_t begin_ms = at_ms + chance_between(chance, 0, bad_for_ms);
            if (begin_ms >= plan->calm_from_ms)
                continue;
            enum misfortune misfortune = draw_misfortune(chance);
            if (add_misfortune(plan, chance, misfortune, begin_ms, plan->calm_from_ms) < 0)
                return -ENOMEM;
        }
        at_ms += bad_for_ms + chance_between(chance, mean_pause_ms / 4, 2 * mean_pause_ms);
    }
    return 0;
}

/* What is too rare to be met by chance. Half of the worlds have none of it. */
static int draw_rare(struct plan *plan, struct chance *chance, int64_t days)
{
    static const enum misfortune rare[] = {
        MISFORTUNE_RESTARTED_WITHOUT_DESCRIBE,
        MISFORTUNE_SLOW_SEARCHES,
        MISFORTUNE_SERVICE_TAKEN_OUT,
        MISFORTUNE_SERVICE_TAKEN_OUT,
        MISFORTUNE_CLUSTER_CHANGED,
    };
    int64_t n = chance_one_in(chance, 2) ? chance_between(chance, 1, days + 1) : 0;

    for (; n > 0; n--) {
        enum misfortune misfortune = rare[chance_below(chance, ARRAY_LENGTH(rare))];
        int64_t at_ms = chance_between(chance, 0, plan->calm_from_ms - 1);

        if (add_misfortune(plan, chance, misfortune, at_ms, plan->calm_from_ms) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int compare_items(const void *a, const void *b)
{
    const struct plan_item *one = a, *other = b;

    if (one->at_ms != other->at_ms)
        return one->at_ms < other->at_ms ? -1 : 1;
    return one->chance.state < other->chance.state ? -1 : one->chance.state > other->chance.state;
}

/* --- the whole ---------------------------------------------------------------------------------- */

/* Long enough for whatever was begun to come to its end: L3. */
static int64_t calm_ms(const struct plan *plan)
{
    int64_t longest_ms = 0;

    for (size_t i = 0; i < plan->n_environments; i++) {
        const struct world_rules *rules = &plan->environments[i].rules;
        longest_ms = at_least(longest_ms,
                              rules->window_ms + rules->lateness_ms + 2 * rules->check_interval_ms);
    }
    return longest_ms + 2 * MS_PER_HOUR;
}

static void draw_place(struct chance *chance, struct plan *plan)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York",
                                        "Australia/Lord_Howe"};
    /* Mondays at midnight (UTC); two of them in weeks whose Sunday has a change of summer time. */
    static const int64_t mondays_ms[] = {INT64_C(1772409600000), INT64_C(1774224000000),
                                         INT64_C(1792368000000), INT64_C(1798416000000)};

    plan->start.ms = mondays_ms[chance_below(chance, ARRAY_LENGTH(mondays_ms))];
    plan->time_zone = zones[chance_below(chance, ARRAY_LENGTH(zones))];
    plan->identity = (enum plan_identity)chance_below(chance, 3);
    plan->verifies_signatures = chance_one_in(chance, 16);
    plan->throttles = chance_one_in(chance, 4);
    plan->latency_ms = chance_scale(chance, 5, 400);
    plan->ingestion_ms = chance_scale(chance, 500, 30 * MS_PER_SECOND);
}

int plan_new(uint64_t seed, int64_t days, struct plan **ret)
{
    struct chance chance = {seed};
    _cleanup_(plan_free) struct plan *plan = calloc(1, sizeof(*plan));
    if (!plan)
        return -ENOMEM;
    struct chance place = chance_fork(&chance), environments = chance_fork(&chance),
                  traffic = chance_fork(&chance), misfortunes = chance_fork(&chance),
                  rare = chance_fork(&chance);

    plan->seed = seed;
    plan->calm_from_ms = days * MS_PER_DAY;
    draw_place(&place, plan);
    if (draw_environments(&environments, plan) < 0)
        return -ENOMEM;
    plan->length_ms = plan->calm_from_ms + calm_ms(plan);
    if (draw_traffic(plan, &traffic, days) < 0 || draw_misfortunes(plan, &misfortunes) < 0 ||
        draw_rare(plan, &rare, days) < 0)
        return -ENOMEM;
    if (plan->n_items > 0)
        qsort(plan->items, plan->n_items, sizeof(*plan->items), compare_items);
    *ret = TAKE(plan);
    return 0;
}

struct plan *plan_free(struct plan *plan)
{
    if (!plan)
        return NULL;
    for (size_t i = 0; i < plan->n_environments; i++) {
        struct world_environment *environment = &plan->environments[i];

        for (size_t j = 0; j < environment->n_services; j++)
            free(environment->services[j].name);
        for (size_t j = 0; j < environment->n_log_groups; j++)
            free(environment->log_groups[j]);
        free(environment->services);
        free(environment->log_groups);
        free(environment->name);
        free(environment->cluster);
        free(environment->pattern);
        free(environment->exclude);
    }
    free(plan->environments);
    free(plan->items);
    free(plan);
    return NULL;
}

const char *plan_item_text(const struct plan *plan, const struct plan_item *item,
                           char buffer[static PLAN_TEXT_MAX])
{
    static const char *const traffic[] = {"use", "heartbeats", "noise"};
    const struct world_environment *environment = &plan->environments[item->environment];
    char at[WALL_TEXT_MAX], for_text[DURATION_TEXT_MAX], gap[DURATION_TEXT_MAX];

    wall_format_iso(wall_add(plan->start, item->at_ms), at);
    duration_format(item->for_ms, for_text);
    if (item->kind == PLAN_TRAFFIC)
        snprintf(buffer, PLAN_TEXT_MAX, "%s %s of %s for %s, one in %s", at, traffic[item->traffic],
                 environment->name, for_text, duration_format(item->value, gap));
    else
        snprintf(buffer, PLAN_TEXT_MAX, "%s %s for %s: %s, %s, %s, value %lld, %u %%", at,
                 misfortune_row(item->misfortune)->name, for_text, environment->name,
                 environment->services[item->service].name,
                 item->operation ? item->operation : "any operation", (long long)item->value,
                 (unsigned)item->probability_percent);
    return buffer;
}

const char *plan_environment_text(const struct world_environment *environment,
                                  char text[static PLAN_TEXT_MAX])
{
    const struct world_rules *rules = &environment->rules;
    char window[DURATION_TEXT_MAX], lateness[DURATION_TEXT_MAX], check[DURATION_TEXT_MAX],
        poll[DURATION_TEXT_MAX], awake[DURATION_TEXT_MAX];

    snprintf(text, PLAN_TEXT_MAX,
             "%s in %s: %s, \"%s\", window %s, lateness %s, check %s, poll %s, awake %s%s%s%s%s",
             environment->name, environment->cluster, environment->log_groups[0],
             environment->pattern, duration_format(rules->window_ms, window),
             duration_format(rules->lateness_ms, lateness),
             duration_format(rules->check_interval_ms, check),
             duration_format(rules->poll_interval_ms, poll),
             duration_format(rules->poll_interval_awake_ms, awake),
             rules->insights_always ? ", insights always" : "",
             rules->silence_is_unknown ? ", silence unknown" : "", rules->adopt ? ", adopts" : "",
             rules->wake_on_remove ? ", wakes on remove" : "");
    return text;
}
