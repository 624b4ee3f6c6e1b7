/* SPDX-License-Identifier: MIT */
#include "scheduler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "cleanup.h"
#include "environment.h"

/* A configuration stays as long as an environment refers to it: the present one, and older ones of
 * environments that are still being woken. */
struct held_config {
    struct config *config;
    struct held_config *older;
};

struct scheduler {
    struct environment_context context;
    struct held_config *held; /* the first is in force */
    struct environment **environments;
    size_t n_environments;
    size_t n_released; /* no longer configured, still being woken */
    struct loop_timer *sweep;
    void (*changed)(void *userdata, struct environment *environment);
    void *userdata;
};

DEFINE_CLEANUP(struct scheduler *, scheduler_free)
DEFINE_CLEANUP(struct config *, config_free)

const struct config *scheduler_config(const struct scheduler *scheduler)
{
    return scheduler->held ? scheduler->held->config : NULL;
}

/* --- what is left behind ------------------------------------------------------------------------ */

static bool is_configured(const struct config *config, const struct state_environment *entry)
{
    const struct config_environment *found = config_find_environment(config, entry->name);

    return found && strcmp(found->cluster, entry->cluster) == 0;
}

static void tell_all_left_asleep(const struct scheduler *scheduler)
{
    const struct state *state = scheduler->context.state;

    for (size_t i = 0; i < state_count(state); i++) {
        const struct state_environment *entry = state_at(state, i);

        /* Even one that was being woken: who was to do that is gone. */
        if (!is_configured(scheduler_config(scheduler), entry))
            environment_tell_left(entry);
    }
}

/* --- configurations ----------------------------------------------------------------------------- */

static bool refers_to(const struct environment *environment, const struct config *config)
{
    const struct config_environment *its = environment_config(environment);

    for (size_t i = 0; i < config->n_environments; i++)
        if (its == &config->environments[i])
            return true;
    return false;
}

static bool is_in_use(const struct scheduler *scheduler, const struct config *config)
{
    for (size_t i = 0; i < scheduler->n_environments; i++)
        if (refers_to(scheduler->environments[i], config))
            return true;
    return false;
}

static void free_unused_configs(struct scheduler *scheduler)
{
    struct held_config **link = &scheduler->held->older;

    while (*link) {
        struct held_config *held = *link;

        if (is_in_use(scheduler, held->config)) {
            link = &held->older;
            continue;
        }
        *link = held->older;
        config_free(held->config);
        free(held);
    }
}

/* --- environments ------------------------------------------------------------------------------- */

/* Looks are spread evenly over the poll interval, so that they never come as a burst. */
static int64_t start_delay_ms(const struct config *config, size_t index)
{
    return config->environments[index].poll_interval_ms * (int64_t)index /
           (int64_t)config->n_environments;
}

static bool is_same(const struct environment *environment, const struct config_environment *config)
{
    const struct config_environment *its = environment_config(environment);

    return strcmp(its->name, config->name) == 0 && strcmp(its->cluster, config->cluster) == 0;
}

/* Takes the environment that this configuration continues out of the list; NULL if there is none. */
static struct environment *take_existing(struct environment **environments, size_t n,
                                         const struct config_environment *config)
{
    for (size_t i = 0; i < n; i++)
        if (environments[i] && is_same(environments[i], config))
            return TAKE(environments[i]);
    return NULL;
}

/* Returns true if it still has to be woken and so must be kept. */
static bool let_go(struct scheduler *scheduler, struct environment *environment)
{
    const struct config_environment *config = environment_config(environment);
    const struct state_environment *entry =
        state_find(scheduler->context.state, config->name, config->cluster);
    struct environment_summary summary;

    environment_get_summary(environment, &summary);
    if (!entry || (summary.wanted == POLICY_AWAKE && summary.is_settled))
        return false;
    /* Being woken, it is brought to the end of that in any case. */
    if (config->on_remove == CONFIG_ON_REMOVE_WAKE || summary.wanted == POLICY_AWAKE)
        return true;
    environment_tell_left(entry);
    return false;
}

static void drop_released(struct scheduler *scheduler)
{
    size_t n = 0;

    for (size_t i = 0; i < scheduler->n_environments; i++) {
        if (environment_is_released(scheduler->environments[i]))
            environment_free(scheduler->environments[i]);
        else
            scheduler->environments[n++] = scheduler->environments[i];
    }
    scheduler->n_released -= scheduler->n_environments - n;
    scheduler->n_environments = n;
    free_unused_configs(scheduler);
}

/* What the configuration says of an environment that there is already; NULL: no more of it. */
static const struct config_environment *continued_by(const struct environment *environment,
                                                     const struct config *config)
{
    for (size_t i = 0; i < config->n_environments; i++)
        if (is_same(environment, &config->environments[i]))
            return &config->environments[i];
    return NULL;
}

/* Makes what the configuration adds, and makes what it continues ready for the change. */
static int prepare(struct scheduler *scheduler, const struct config *config,
                   struct environment **made)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < scheduler->n_environments; i++) {
        struct environment *environment = scheduler->environments[i];
        const struct config_environment *next = continued_by(environment, config);

        /* Even one that is left out may still be woken, and by way of another aws. */
        r = environment_prepare(environment, next ? next : environment_config(environment));
    }
    for (size_t i = 0; r == 0 && i < config->n_environments; i++) {
        bool exists = false;

        for (size_t j = 0; j < scheduler->n_environments && !exists; j++)
            exists = is_same(scheduler->environments[j], &config->environments[i]);
        if (!exists)
            r = environment_new(&scheduler->context, &config->environments[i],
                                start_delay_ms(config, i), &made[i]);
    }
    return r;
}

/* The new list: made ones and continued ones in the configuration's order, then those to be woken. */
static void adopt_environments(struct scheduler *scheduler, const struct config *config,
                               struct environment **list)
{
    struct environment **old = scheduler->environments;
    size_t n_old = scheduler->n_environments, n = config->n_environments;

    scheduler->n_released = 0;
    for (size_t i = 0; i < config->n_environments; i++) {
        if (list[i])
            continue;
        list[i] = take_existing(old, n_old, &config->environments[i]);
        environment_reconfigure(list[i]);
    }
    for (size_t i = 0; i < n_old; i++) {
        if (!old[i])
            continue;
        if (!let_go(scheduler, old[i])) {
            environment_free(old[i]);
            continue;
        }
        environment_reconfigure(old[i]);
        environment_release(old[i]);
        scheduler->n_released++;
        list[n++] = old[i];
    }
    scheduler->environments = list;
    scheduler->n_environments = n;
    free(old);
}

int scheduler_reload(struct scheduler *scheduler, struct aws *aws, struct config *config)
{
    _cleanup_(config_free) struct config *owned = config;
    struct aws *old_aws = scheduler->context.aws;
    size_t n_max = config->n_environments + scheduler->n_environments;
    _cleanup_free_ struct held_config *held = calloc(1, sizeof(*held));
    _cleanup_free_ struct environment **list =
        calloc(n_max + 1, sizeof(*list)); /* NOLINT(bugprone-sizeof-expression) pointers */
    int r = held && list ? 0 : -ENOMEM;

    scheduler->context.aws = aws;
    if (r == 0)
        r = prepare(scheduler, config, list);
    if (r < 0) {
        for (size_t i = 0; i < scheduler->n_environments; i++)
            environment_discard_prepared(scheduler->environments[i]);
        for (size_t i = 0; list && i < n_max; i++)
            environment_free(list[i]);
        scheduler->context.aws = old_aws;
        return r;
    }
    held->config = TAKE(owned);
    held->older = scheduler->held;
    scheduler->held = TAKE(held);
    adopt_environments(scheduler, config, TAKE(list));
    free_unused_configs(scheduler);
    return 0;
}

/* --- life --------------------------------------------------------------------------------------- */

/* An environment has something new: perhaps it is one that waited to be woken and let go. */
static void environment_changed(void *userdata, struct environment *environment)
{
    struct scheduler *scheduler = userdata;

    if (scheduler->n_released > 0)
        loop_timer_after(scheduler->sweep, 0); /* not from within its own step */
    if (scheduler->changed)
        scheduler->changed(scheduler->userdata, environment);
}

static void sweep(void *userdata)
{
    drop_released(userdata);
}

int scheduler_new(const struct scheduler_options *options, struct config *config,
                  struct scheduler **ret)
{
    _cleanup_(scheduler_free) struct scheduler *scheduler = calloc(1, sizeof(*scheduler));
    if (!scheduler) {
        config_free(config);
        return -ENOMEM;
    }
    scheduler->context = (struct environment_context){
        .loop = options->loop,
        .aws = options->aws,
        .state = options->state,
        .dry_run = options->dry_run,
        .changed = environment_changed,
        .userdata = scheduler,
    };
    scheduler->changed = options->changed;
    scheduler->userdata = options->userdata;
    int r = loop_timer_new(options->loop, sweep, scheduler, &scheduler->sweep);
    if (r < 0) {
        config_free(config);
        return r;
    }
    r = scheduler_reload(scheduler, options->aws, config);
    if (r < 0)
        return r;
    tell_all_left_asleep(scheduler);
    *ret = TAKE(scheduler);
    return 0;
}

struct scheduler *scheduler_free(struct scheduler *scheduler)
{
    if (!scheduler)
        return NULL;
    for (size_t i = 0; i < scheduler->n_environments; i++)
        environment_free(scheduler->environments[i]);
    free(scheduler->environments);
    loop_timer_free(scheduler->sweep);
    while (scheduler->held) {
        struct held_config *held = scheduler->held;

        scheduler->held = held->older;
        config_free(held->config);
        free(held);
    }
    free(scheduler);
    return NULL;
}

void scheduler_stop(struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->n_environments; i++)
        environment_stop(scheduler->environments[i]);
}

/* Those that are no longer configured come after the others. */
size_t scheduler_count(const struct scheduler *scheduler)
{
    return scheduler->n_environments - scheduler->n_released;
}

struct environment *scheduler_at(const struct scheduler *scheduler, size_t index)
{
    return scheduler->environments[index];
}

struct environment *scheduler_find(const struct scheduler *scheduler, const char *name)
{
    for (size_t i = 0; i < scheduler_count(scheduler); i++)
        if (strcmp(environment_config(scheduler->environments[i])->name, name) == 0)
            return scheduler->environments[i];
    return NULL;
}

/* --- status ------------------------------------------------------------------------------------- */

struct totals {
    size_t awake, waking, asleep, falling, unknown, troubled;
    struct mono next_check;
};

static void sum_up(const struct environment *environment, struct totals *totals)
{
    struct environment_summary summary;

    environment_get_summary(environment, &summary);
    if (!summary.is_known)
        totals->unknown++;
    else if (summary.wanted == POLICY_AWAKE && summary.is_settled)
        totals->awake++;
    else if (summary.wanted == POLICY_AWAKE)
        totals->waking++;
    else if (summary.is_settled)
        totals->asleep++;
    else
        totals->falling++;
    if (summary.has_trouble)
        totals->troubled++;
    if (summary.wanted == POLICY_AWAKE)
        totals->next_check = mono_min(totals->next_check, summary.check_due);
}

static size_t say(char *text, size_t length, const char *before, size_t count, const char *what)
{
    int n = 0;

    if (count > 0)
        n = snprintf(text + length, SCHEDULER_STATUS_MAX - length, "%s%zu %s", before, count, what);
    return n > 0 && (size_t)n < SCHEDULER_STATUS_MAX - length ? length + (size_t)n : length;
}

const char *scheduler_format_status(const struct scheduler *scheduler,
                                    char text[static SCHEDULER_STATUS_MAX])
{
    struct totals totals = {.next_check = MONO_FOREVER};
    size_t length;

    for (size_t i = 0; i < scheduler->n_environments; i++)
        sum_up(scheduler->environments[i], &totals);
    length = say(text, 0, "", scheduler->n_environments,
                 scheduler->n_environments == 1 ? "environment" : "environments");
    size_t head = length;
    length = say(text, length, length == head ? ": " : ", ", totals.awake, "awake");
    length = say(text, length, length == head ? ": " : ", ", totals.waking, "waking");
    length = say(text, length, length == head ? ": " : ", ", totals.asleep, "asleep");
    length = say(text, length, length == head ? ": " : ", ", totals.falling, "falling asleep");
    length = say(text, length, length == head ? ": " : ", ", totals.unknown, "not seen yet");
    length = say(text, length, "; ", totals.troubled, "in trouble");
    if (totals.next_check.ms < MONO_FOREVER.ms) {
        struct loop *loop = scheduler->context.loop;
        struct wall next =
            wall_add(loop_wall(loop), mono_since(totals.next_check, loop_mono(loop)));
        char when[WALL_TEXT_MAX];

        snprintf(text + length, SCHEDULER_STATUS_MAX - length, "; next check %s",
                 wall_format_local(next, false, when));
    }
    return text;
}
