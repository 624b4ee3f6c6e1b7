/* SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <string.h>

#include "src/cleanup.h"
#include "tests/simulation/judge.h"
#include "tests/support/virtual_loop.h"

/* --- S6 --------------------------------------------------------------------------------------------- */

void judge_secrets(struct judge *judge, const char *where, const void *bytes, size_t size)
{
    for (size_t i = 0; i < WORLD_SECRETS_MAX; i++) {
        const char *secret = judge->simulation->secrets[i];

        if (secret && memmem(bytes, size, secret, strlen(secret)))
            judge_report(judge, "S6", NULL, "a secret (%zu bytes, %.4s...) in %s: %.200s",
                         strlen(secret), secret, where, (const char *)bytes);
    }
}

/* --- R1 --------------------------------------------------------------------------------------------- */

/*
 * What AWS grants an account. CloudWatch Logs: so many a second, and nothing saved up ("CloudWatch
 * Logs quotas"; the smaller ones of those that differ by region). Amazon ECS: token buckets ("Request
 * throttling for the Amazon ECS API").
 */
static const struct {
    const char *operation;
    int rate;
    int burst; /* 0: no bucket, no more than `rate` in any second */
} GRANTED[JUDGE_OPERATIONS_MAX] = {
    {"FilterLogEvents", 5, 0}, {"StartQuery", 5, 0},         {"GetQueryResults", 5, 0},
    {"StopQuery", 5, 0},       {"DescribeServices", 20, 50}, {"UpdateService", 5, 50},
};

void judge_budgets_reset(struct judge *judge)
{
    for (size_t i = 0; i < ARRAY_LENGTH(GRANTED); i++)
        judge->budgets[i] = (struct judge_budget){
            .tokens = GRANTED[i].burst, .filled = WALL_NEVER, .refused = WALL_NEVER};
}

void judge_refusals_forget(struct judge *judge)
{
    for (size_t i = 0; i < ARRAY_LENGTH(GRANTED); i++)
        judge->budgets[i].refused = WALL_NEVER;
}

/* Nothing is held up on its way to AWS, nor has been lately: requests arrive as they were sent. */
static bool is_smooth(const struct judge *judge, struct wall now)
{
    return judge->simulation->calm_since.ms <= now.ms - JUDGE_HELD_UP_MS;
}

/* More than `rate` in any second, of what has no bucket. */
static void count_in_second(struct judge *judge, size_t operation, struct wall now)
{
    struct judge_budget *budget = &judge->budgets[operation];
    size_t rate = (size_t)GRANTED[operation].rate;

    /* The one that was `rate` requests ago must be a second past. */
    if (budget->n_recent >= rate && is_smooth(judge, now) &&
        wall_since(now, budget->recent[(budget->n_recent - rate) % JUDGE_RECENT_KEPT]) <
            MS_PER_SECOND)
        judge_report(judge, "R1", NULL, "more than %zu requests of %s within a second", rate,
                     GRANTED[operation].operation);
    budget->recent[budget->n_recent++ % JUDGE_RECENT_KEPT] = now;
}

/* A bucket of that size: AWS's own, or one that allows for requests that were held up on the way. */
static void take_token(struct judge *judge, size_t operation, struct wall now)
{
    struct judge_budget *budget = &judge->budgets[operation];
    double rate = GRANTED[operation].rate, burst = GRANTED[operation].burst;
    double held_up = rate * (double)JUDGE_HELD_UP_MS / (double)MS_PER_SECOND;

    if (wall_is_set(budget->filled))
        budget->tokens += rate * (double)wall_since(now, budget->filled) / (double)MS_PER_SECOND;
    if (budget->tokens > burst)
        budget->tokens = burst;
    budget->filled = now;
    budget->tokens -= 1;
    if (budget->tokens < -held_up || (budget->tokens < 0 && burst > 0 && is_smooth(judge, now)))
        judge_report(judge, "R1", NULL, "more requests of %s than %d a second for long%s",
                     GRANTED[operation].operation, GRANTED[operation].rate,
                     burst > 0 ? ", and a bucketful at once" : "");
}

/* Whether each answer is heard: of the other operations some calls are cancelled when they are no longer
 * wanted. */
static bool is_heard(const char *operation)
{
    return strcmp(operation, "FilterLogEvents") == 0 || strcmp(operation, "StartQuery") == 0 ||
           strcmp(operation, "DescribeServices") == 0;
}

/* Told to slow down, it does. */
static void heed_refusal(struct judge *judge, size_t operation, const struct world_call *call)
{
    struct judge_budget *budget = &judge->budgets[operation];
    bool is_punctual = judge->simulation->punctual_since.ms <= call->now.ms - JUDGE_HELD_UP_MS;

    if (!is_heard(call->operation))
        return;
    if (call->now.ms > budget->refused.ms &&
        call->now.ms < wall_add(budget->refused, JUDGE_PAUSE_MS).ms && is_punctual &&
        wall_since(call->now, judge->let_go) > JUDGE_LET_GO_MS)
        judge_report(judge, "R1", NULL, "%s, %lld ms after it was told to slow down",
                     call->operation, (long long)wall_since(call->now, budget->refused));
    if (call->is_intact && strcmp(call->code, "ThrottlingException") == 0 &&
        call->latency_ms < JUDGE_ATTEMPT_MS)
        budget->refused = wall_add(call->now, call->latency_ms);
}

void judge_count_request(struct judge *judge, const struct world_call *call)
{
    for (size_t i = 0; i < ARRAY_LENGTH(GRANTED); i++) {
        if (strcmp(call->operation, GRANTED[i].operation) != 0)
            continue;
        take_token(judge, i, call->now);
        heed_refusal(judge, i, call);
        if (GRANTED[i].burst == 0)
            count_in_second(judge, i, call->now);
    }
}

/* --- R2 --------------------------------------------------------------------------------------------- */

#define WEIGHING_INTERVAL_MS (1 * MS_PER_DAY)
/* The daemon's own (lanes, credentials, sweep) and the world's. */
#define TIMERS_BASE 64
/* Of a call: its back-off, and its way to AWS; so many calls beside one a log group and service: the
 * query's, the description's, and StopQuery's of those given up lately. */
#define TIMERS_OF_CALL 2
#define CALLS_OF_ENVIRONMENT 8
/* After a day everything has happened once; from then on the heap must not grow but for what is
 * under way just now. */
#define WARM_UP_MS (1 * MS_PER_DAY)
#define HEAP_SLACK_BYTES (4.0 * 1024 * 1024)
#define HEAP_SLACK_OF_ENVIRONMENT (256.0 * 1024)
/* The model keeps messages in blocks of 256 KiB; two of a group may be nearly empty. */
#define HEAP_SLACK_OF_LOG_GROUP (512.0 * 1024)

static size_t timers_allowed(const struct judge *judge)
{
    size_t n = TIMERS_BASE;

    for (size_t i = 0; i < judge->n_environments; i++) {
        const struct world_environment *world = judge->environments[i].world;

        n += 2 + TIMERS_OF_CALL * (world->n_services + world->n_log_groups + CALLS_OF_ENVIRONMENT);
    }
    return n;
}

/* What the model itself has grown by, as far as it grows with time: events, history, queries. */
static double weight_of_model(const struct sim *sim)
{
    double weight = (double)(sim->history_allocated * sizeof(struct sim_call_record));

    for (uint64_t n = sim_history_oldest(sim); n <= sim_history_newest(sim); n++) {
        const struct sim_call_record *record = sim_history_get(sim, n);

        weight +=
            record ? (double)(strlen(record->operation) + strlen(record->parameters) + 48) : 0;
    }
    for (size_t i = 0; i < sim->n_log_groups; i++) {
        const struct sim_log_group *group = sim->log_groups[i];

        weight += (double)(group->events_allocated * sizeof(struct sim_event)) +
                  (double)group->stored_bytes;
    }
    for (size_t i = 0; i < sim->n_queries; i++)
        weight += 4096 + (double)strlen(sim->queries[i]->text);
    return weight;
}

static size_t environments_configured(const struct judge *judge)
{
    size_t n = 0;

    for (size_t i = 0; i < judge->n_environments; i++)
        n += judge->environments[i].world->is_configured;
    return n;
}

static void weigh_heap(struct judge *judge, struct wall now)
{
    size_t n = environments_configured(judge);
    double heap = (double)mallinfo2().uordblks + (double)mallinfo2().hblkhd -
                  weight_of_model(judge->simulation->sim);

    if (judge->heap_environments != n || wall_since(now, judge->born) < WARM_UP_MS ||
        heap < judge->heap_baseline) {
        judge->heap_environments = n;
        judge->heap_baseline = heap;
        return;
    }
    if (heap > judge->heap_baseline + HEAP_SLACK_BYTES +
                   HEAP_SLACK_OF_ENVIRONMENT * (double)judge->n_environments +
                   HEAP_SLACK_OF_LOG_GROUP * (double)judge->n_groups)
        judge_report(
            judge, "R2", NULL,
            "the heap has grown from %.0f to %.0f bytes, with %zu environments all the time",
            judge->heap_baseline, heap, n);
}

/* How long StopQuery may take to reach AWS: all environments may have one to stop, after a reload. */
static int64_t stop_ms(const struct judge *judge)
{
    return JUDGE_CALL_MS + (int64_t)judge->n_environments * MS_PER_SECOND / 4;
}

void judge_unwanted_queries(struct judge *judge, struct wall now)
{
    size_t n = judge->n_queries, kept = n < JUDGE_QUERIES_KEPT ? n : JUDGE_QUERIES_KEPT;
    struct wall since =
        wall_add(simulation_calm_for(judge->simulation, "StopQuery"), JUDGE_RECOVERY_MS);

    for (size_t i = 1; i <= kept; i++) {
        struct judge_query *query = &judge->queries[(n - i) % JUDGE_QUERIES_KEPT];

        if (query->created.ms < judge->started.ms ||
            wall_since(now, query->created) > 3 * JUDGE_QUERY_LIFE_MS)
            return; /* and so are those before it */
        if (query->is_known && !query->is_over && since.ms <= query->unwanted.ms &&
            now.ms > wall_add(query->unwanted, stop_ms(judge)).ms)
            judge_report(judge, "R2", NULL, "query %s %s, and was not stopped", query->id,
                         query->ending);
    }
}

void judge_weigh(struct judge *judge, struct wall now)
{
    size_t timers = virtual_loop_timers(judge->simulation->loop);

    if (timers > timers_allowed(judge))
        judge_report(judge, "R2", NULL, "%zu timers, and %zu would do for so many environments",
                     timers, timers_allowed(judge));
    if (now.ms < judge->next_weighing.ms)
        return;
    judge->next_weighing = wall_add(now, WEIGHING_INTERVAL_MS);
    weigh_heap(judge, now);
}
