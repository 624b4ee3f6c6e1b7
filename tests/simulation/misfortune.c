/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "src/cleanup.h"
#include "tests/simulation/machinery.h"

/* The table of misfortunes, and how those come about that people and deaths have no part in. */

static const struct misfortune_row ROWS[MISFORTUNES_N] = {
#define MISFORTUNE(NAME, ...) [MISFORTUNE_##NAME] = {#NAME, __VA_ARGS__},
#include "tests/simulation/misfortune.def"
#undef MISFORTUNE
};

const struct misfortune_row *misfortune_row(enum misfortune misfortune)
{
    return &ROWS[misfortune];
}

/* The moment after the last, if it ends here. */
static int64_t until_end(const struct plan_item *item)
{
    return item->at_ms + item->for_ms;
}

/* --- the simulated AWS's rules ------------------------------------------------------------------ */

static void count_and_remove_rule(struct simulation *simulation, struct plan_item *item)
{
    for (size_t i = 0; i < sim_faults_count(simulation->sim); i++) {
        const struct sim_fault *fault = sim_fault_at(simulation->sim, i);
        if (fault->id == item->rule)
            simulation_fired(simulation, item->misfortune, fault->fired);
    }
    (void)sim_fault_remove(simulation->sim, item->rule);
}

/* Whom it strikes: one service, one log group, or all. */
static const char *victim(const struct simulation *simulation, struct plan_item *item)
{
    const struct world_environment *environment = &simulation->environments[item->environment];

    if (item->misfortune == MISFORTUNE_UPDATE_FAILS_FOR_ONE)
        return environment->services[item->service].name;
    if (item->misfortune == MISFORTUNE_METADATA_DOWN ||
        item->misfortune == MISFORTUNE_RESTARTED_WITHOUT_DESCRIBE ||
        !chance_one_in(&item->chance, 3))
        return NULL;
    if (item->operation && strstr(item->operation, "Service"))
        return environment->services[item->service].name;
    return chance_one_in(&item->chance, 2) ? environment->cluster : environment->log_groups[0];
}

/* The one operation whose requests it bears on; NULL: all, as time and keys do. */
static const char *only_operation(const struct plan_item *item)
{
    bool is_of_all = !item->operation || strchr(item->operation, ' ') ||
                     item->misfortune == MISFORTUNE_METADATA_DOWN ||
                     item->misfortune == MISFORTUNE_EXPIRED_TOKEN ||
                     item->misfortune == MISFORTUNE_SKEWED_DATE;

    return is_of_all ? NULL : item->operation;
}

static int64_t by_model(struct simulation *simulation, struct plan_item *item)
{
    if (item->has_begun) {
        count_and_remove_rule(simulation, item);
        simulation_trouble_ends(simulation, only_operation(item));
        return INT64_MAX;
    }
    struct sim_fault_rule rule = {
        .kind = (enum sim_fault_kind)ROWS[item->misfortune].model_kind,
        .operation = item->operation,
        .match = victim(simulation, item),
        .count = -1,
        .probability = (double)item->probability_percent / 100,
        .value = item->misfortune == MISFORTUNE_SKEWED_DATE && chance_one_in(&item->chance, 2)
                     ? -item->value
                     : item->value,
        .from = WALL_NEVER,
        .until = SIM_FOREVER,
    };
    if (sim_fault_add(simulation->sim, &rule, &item->rule) < 0)
        return INT64_MAX;
    simulation_trouble_begins(simulation, only_operation(item));
    if (item->misfortune == MISFORTUNE_RESTARTED_WITHOUT_DESCRIBE && simulation->daemon)
        daemon_stop(simulation);
    return until_end(item);
}

/* --- wire, disk, host, log ---------------------------------------------------------------------- */

static int64_t by_wire(struct simulation *simulation, struct plan_item *item)
{
    uint64_t percent = item->has_begun ? 0 : item->probability_percent;

    if (item->misfortune == MISFORTUNE_DNS_FAILURE)
        wire_trouble()->no_names_percent = percent;
    else if (item->misfortune == MISFORTUNE_NETWORK_DOWN)
        wire_trouble()->down_percent = percent;
    else {
        wire_trouble()->late_percent = percent;
        wire_trouble()->late_ms = item->value;
        simulation->punctual_since = item->has_begun ? simulation_now(simulation) : SIM_FOREVER;
    }
    if (!item->has_begun) {
        simulation_trouble_begins(simulation, NULL);
        return until_end(item);
    }
    simulation_trouble_ends(simulation, NULL);
    return INT64_MAX;
}

static int64_t damage_state(struct simulation *simulation, struct plan_item *item)
{
    const struct world_act act = {.kind = WORLD_STATE_LOST};
    struct wall now = simulation_now(simulation);
    size_t size;

    if (item->has_begun) { /* people have found out, and put right by hand what sleeps */
        for (size_t i = 0; i < simulation->n_environments; i++) {
            struct world_environment *environment = &simulation->environments[i];
            for (size_t j = 0; j < environment->n_services; j++) {
                struct world_service *service = &environment->services[j];
                struct sim_service_truth truth;
                if (service->is_member && service->usual_count > 0 &&
                    simulation_truth(simulation, environment, service, &truth) &&
                    truth.status == SIM_ACTIVE && truth.desired == 0)
                    people_scale(simulation, environment, service, service->usual_count);
            }
        }
        return INT64_MAX;
    }
    if (!memory_storage_peek(simulation->storage, "state.json", &size))
        return INT64_MAX;
    simulation->death.takes_power = false;
    if (simulation->daemon)
        daemon_bury(simulation);
    judge_before_act(simulation->judge, &act);
    if (memory_storage_damage(simulation->storage, "state.json", (enum disk_damage)item->value))
        simulation_fired(simulation, item->misfortune, 1);
    for (size_t i = 0; i < simulation->n_environments; i++)
        simulation->environments[i].counts_lost_at = now;
    judge_after_act(simulation->judge, &act);
    return item->due_ms + chance_between(&item->chance, MS_PER_HOUR, 3 * MS_PER_HOUR);
}

static int64_t by_disk(struct simulation *simulation, struct plan_item *item)
{
    if (item->misfortune == MISFORTUNE_STATE_DAMAGED)
        return damage_state(simulation, item);
    enum disk_trouble trouble = item->misfortune == MISFORTUNE_DISK_FULL        ? DISK_IS_FULL
                                : item->misfortune == MISFORTUNE_DISK_READ_ONLY ? DISK_IS_READ_ONLY
                                                                                : DISK_FAILS;
    memory_storage_set_trouble(simulation->storage, item->has_begun ? DISK_IS_WELL : trouble);
    if (!item->has_begun) {
        simulation_trouble_begins(simulation, NULL);
        return until_end(item);
    }
    simulation_trouble_ends(simulation, NULL);
    return INT64_MAX;
}

static void step_clock(struct simulation *simulation, int64_t delta_ms)
{
    const struct world_act act = {.kind = WORLD_CLOCK_STEPPED, .count = delta_ms};

    judge_before_act(simulation->judge, &act);
    virtual_loop_step_wall(simulation->loop, delta_ms);
    simulation->sim->clock_offset_ms -= delta_ms;
    judge_after_act(simulation->judge, &act);
    simulation_disturb(simulation);
}

static int64_t by_host(struct simulation *simulation, struct plan_item *item)
{
    const struct world_act act = {.kind = WORLD_SUSPENDED, .count = item->value};

    if (!item->has_begun)
        simulation_fired(simulation, item->misfortune, 1);
    switch (item->misfortune) {
    case MISFORTUNE_CLOCK_STEPPED:
        step_clock(simulation, item->value);
        return INT64_MAX;
    case MISFORTUNE_CLOCK_SKEWED:
        step_clock(simulation, item->has_begun ? -item->value : item->value);
        return item->has_begun ? INT64_MAX : until_end(item);
    default:
        judge_before_act(simulation->judge, &act);
        virtual_loop_suspend(simulation->loop, item->value);
        judge_after_act(simulation->judge, &act);
        simulation_disturb(simulation);
        return INT64_MAX;
    }
}

static int64_t by_log(struct simulation *simulation, struct plan_item *item)
{
    int64_t value_ms = item->has_begun ? 0 : item->value;

    if (item->misfortune == MISFORTUNE_LATE_INGESTION)
        simulation->late_ms = value_ms;
    else
        simulation->disorder_ms = value_ms;
    return item->has_begun ? INT64_MAX : until_end(item);
}

/* --- death -------------------------------------------------------------------------------------- */

static int64_t by_death(struct simulation *simulation, struct plan_item *item)
{
    struct death death = {
        .at = DEATH_STEP, .countdown = item->value, .misfortune = (int)item->misfortune};

    if (!simulation->daemon)
        return INT64_MAX;
    switch (item->misfortune) {
    case MISFORTUNE_STOPPED:
        simulation_fired(simulation, item->misfortune, 1);
        daemon_stop(simulation);
        return INT64_MAX;
    case MISFORTUNE_KILLED_WHILE_STORING:
        death.at = DEATH_STORING;
        break;
    case MISFORTUNE_POWER_LOST:
        death.at = DEATH_STORING;
        death.takes_power = true;
        break;
    case MISFORTUNE_KILLED_AFTER_SENDING:
        death.after = true;
        __attribute__((fallthrough));
    case MISFORTUNE_KILLED_BEFORE_SENDING:
        death.at = DEATH_SENDING;
        death.of_update = chance_one_in(&item->chance, 2);
        break;
    default:
        break;
    }
    simulation->death = death;
    return INT64_MAX;
}

int64_t misfortune_happen(struct simulation *simulation, struct plan_item *item)
{
    char text[PLAN_TEXT_MAX];

    trace_act(simulation, "%s: %s", item->has_begun ? "goes on" : "begins",
              plan_item_text(simulation->plan, item, text));
    switch (ROWS[item->misfortune].how) {
    case BY_MODEL:
        return by_model(simulation, item);
    case BY_WIRE:
        return by_wire(simulation, item);
    case BY_DISK:
        return by_disk(simulation, item);
    case BY_HOST:
        return by_host(simulation, item);
    case BY_LOG:
        return by_log(simulation, item);
    case BY_AWS:
        return aws_acts(simulation, item);
    case BY_PERSON:
        return people_act(simulation, item);
    case BY_DEATH:
        return by_death(simulation, item);
    }
    return INT64_MAX;
}
