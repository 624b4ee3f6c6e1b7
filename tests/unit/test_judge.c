/* SPDX-License-Identifier: MIT */
/*
 * The judge of the simulation must be able to fail the daemon. For each invariant a history that
 * breaks it, and beside it a near miss that does not. The daemon here is a hand that writes the
 * history: what it asks, what AWS answers, what it does.
 *
 * The environment is "staging": api 2, worker 3, and a gateway that writes the log and must stay up;
 * `other` is in the same cluster and nobody's business. Window 1 h, lateness 5 min, check 10 min.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"
#include "src/json.h"
#include "tests/simulation/judge.h"
#include "tests/support/virtual_loop.h"

#define SECOND MS_PER_SECOND
#define MINUTE MS_PER_MINUTE
#define HOUR MS_PER_HOUR

#define LOG "/ecs/staging/gateway"
#define REQUEST "GET /api/v1/orders 200"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static const char SCENARIO[] =
    "{\"log_groups\":[{\"name\":\"" LOG "\"}],\"clusters\":[{\"name\":\"staging\",\"services\":["
    "{\"name\":\"gateway\",\"desired\":1},{\"name\":\"api\",\"desired\":2},"
    "{\"name\":\"worker\",\"desired\":3},{\"name\":\"other\",\"desired\":1}]}]}";

enum { GATEWAY, API, WORKER, OTHER, N_SERVICES };

static struct world_service services[N_SERVICES];
static char *log_groups[1];
static struct world_environment environment;
static struct simulation simulation;
static struct wall now;
static unsigned n_queries;

/* --- what the judge asks of the world ------------------------------------------------------------ */

struct wall simulation_now(const struct simulation *its)
{
    (void)its;
    return now;
}

/* There is trouble with some operations, and with others none. */
static struct wall calm_for_others;
static const char *troubled; /* NULL: all */

struct wall simulation_calm_for(const struct simulation *its, const char *operation)
{
    return troubled && strcmp(operation, troubled) != 0 ? calm_for_others : its->calm_since;
}

bool world_is_activity(const struct world_environment *its, const char *message)
{
    return strstr(message, its->pattern) != NULL;
}

struct world_environment *simulation_find_environment(struct simulation *its, const char *cluster,
                                                      const char *service,
                                                      struct world_service **ret_service)
{
    (void)its;
    *ret_service = NULL;
    if (strcmp(cluster, environment.cluster) != 0)
        return NULL;
    for (size_t i = 0; i < N_SERVICES; i++)
        if (strcmp(services[i].name, service) == 0)
            *ret_service = &services[i];
    return *ret_service ? &environment : NULL;
}

static struct sim_service *sim_service_named(const char *name)
{
    return sim_service_find(sim_cluster_find(simulation.sim, "staging"), name);
}

bool simulation_truth(struct simulation *its, const struct world_environment *world,
                      const struct world_service *service, struct sim_service_truth *ret)
{
    struct sim_service *found = sim_service_named(service->name);
    (void)world;

    if (found)
        sim_service_truth(its->sim, found, now, ret);
    return found != NULL;
}

void simulation_violation(struct simulation *its, const char *invariant,
                          const struct world_environment *world, const char *format, ...)
{
    va_list arguments;
    (void)world;

    if (its->violation)
        return;
    snprintf(its->invariant, sizeof(its->invariant), "%s", invariant);
    va_start(arguments, format);
    if (vasprintf(&its->violation, format, arguments) < 0)
        abort();
    va_end(arguments);
}

/* --- the story-teller ------------------------------------------------------------------------------ */

/* The world's texts are its own; here they lie in one place, and nobody changes them. */
static char *text(const char *constant)
{
    static char pool[512];
    static size_t used;
    size_t size = strlen(constant) + 1;

    used = used + size <= sizeof(pool) ? used : 0; /* each story tells a few; older ones are over */
    char *copy = memcpy(pool + used, constant, size);
    used += size;
    return copy;
}

static void given_service(unsigned which, const char *name, bool is_named, bool is_always_on)
{
    services[which] = (struct world_service){.name = text(name),
                                             .configured_count = -1,
                                             .is_named = is_named,
                                             .is_always_on = is_always_on};
}

static int begin(void **state)
{
    struct json_object *scenario = json_tokener_parse(SCENARIO);
    char *error = NULL;
    (void)state;

    now = VIRTUAL_LOOP_START;
    n_queries = 0;
    troubled = NULL;
    calm_for_others = wall_add(now, -MS_PER_DAY);
    log_groups[0] = text(LOG);
    given_service(GATEWAY, "gateway", false, true);
    given_service(API, "api", true, false);
    given_service(WORKER, "worker", true, false);
    given_service(OTHER, "other", false, false);
    environment = (struct world_environment){
        .name = text("staging"),
        .cluster = text("staging"),
        .services = services,
        .n_services = N_SERVICES,
        .log_groups = log_groups,
        .n_log_groups = 1,
        .pattern = text("/api/v1/"),
        .is_configured = true,
        .rules = {.window_ms = HOUR,
                  .lateness_ms = 5 * MINUTE,
                  .check_interval_ms = 10 * MINUTE,
                  .poll_interval_ms = 15 * SECOND,
                  .poll_interval_awake_ms = MINUTE,
                  .adopt = true},
        .configured_since = wall_add(now, -MS_PER_DAY),
        .counts_lost_at = WALL_NEVER,
    };
    simulation = (struct simulation){.environments = &environment,
                                     .n_environments = 1,
                                     .calm_since = wall_add(now, -MS_PER_DAY),
                                     .secrets = {text(SECRET)},
                                     .n_secrets = 1};
    assert_int_equal(loop_new(&simulation.loop), 0);
    assert_int_equal(sim_new(scenario, now, &simulation.sim, &error), 0);
    json_object_put(scenario);
    assert_int_equal(judge_new(&simulation, &simulation.judge), 0);
    judge_daemon(simulation.judge, WORLD_DAEMON_STARTED);
    return 0;
}

static int end(void **state)
{
    (void)state;
    judge_free(simulation.judge);
    sim_free(simulation.sim);
    loop_free(simulation.loop);
    free(simulation.violation);
    return 0;
}

static void expect_violation(const char *invariant, const char *told)
{
    if (!simulation.violation)
        fail_msg("nothing was reported; %s should have been", invariant);
    else if (strcmp(simulation.invariant, invariant) != 0 || !strstr(simulation.violation, told))
        fail_msg("%s expected (%s), but %s: %s", invariant, told, simulation.invariant,
                 simulation.violation);
}

static void expect_no_violation(void)
{
    if (simulation.violation)
        fail_msg("%s: %s", simulation.invariant, simulation.violation);
}

/* Time passes as it does in the simulation: in many small steps. */
static void pass(int64_t duration_ms)
{
    struct wall until = wall_add(now, duration_ms);

    while (now.ms < until.ms) {
        now = wall_add(now, until.ms - now.ms > 5 * SECOND ? 5 * SECOND : until.ms - now.ms);
        judge_step(simulation.judge);
    }
}

static struct json_object *json(const char *text)
{
    struct json_object *object = json_tokener_parse(text);

    if (!object)
        fail_msg("not JSON: %s", text);
    return object;
}

/* An answer that arrives whole, latency_ms later, unless it is spoilt. */
static void call_refused(const char *operation, const char *parameters, int status,
                         const char *code, const char *result, bool is_intact, int64_t latency_ms)
{
    struct world_call call = {.now = now,
                              .operation = operation,
                              .parameters = json(parameters),
                              .status = status,
                              .code = code,
                              .result = json(result),
                              .is_intact = is_intact,
                              .latency_ms = latency_ms};

    judge_after_call(simulation.judge, &call);
    json_object_put(call.parameters);
    json_object_put(call.result);
}

static void call(const char *operation, const char *parameters, int status, const char *result,
                 bool is_intact, int64_t latency_ms)
{
    call_refused(operation, parameters, status, "", result, is_intact, latency_ms);
}

static void describes_showing(int gateway_running, int api, int worker)
{
    char result[512];

    snprintf(result, sizeof(result),
             "{\"services\":[{\"serviceName\":\"api\",\"status\":\"ACTIVE\",\"desiredCount\":%d},"
             "{\"serviceName\":\"worker\",\"status\":\"ACTIVE\",\"desiredCount\":%d},"
             "{\"serviceName\":\"gateway\",\"status\":\"ACTIVE\",\"desiredCount\":1,"
             "\"runningCount\":%d}]}",
             api, worker, gateway_running);
    call("DescribeServices",
         "{\"cluster\":\"staging\",\"services\":[\"api\",\"worker\",\"gateway\"]}", 200, result,
         true, 0);
    now.ms += 20;
}

static void describes(void)
{
    describes_showing(1, 2, 3);
}

static void begins_query(int64_t range_ms)
{
    char parameters[256], result[64];

    snprintf(parameters, sizeof(parameters),
             "{\"logGroupNames\":[\"" LOG "\"],\"startTime\":%lld,\"endTime\":%lld}",
             (long long)(now.ms - range_ms) / 1000, (long long)(now.ms + 999) / 1000);
    snprintf(result, sizeof(result), "{\"queryId\":\"q%u\"}", ++n_queries);
    call("StartQuery", parameters, 200, result, true, 0);
}

static void query_ends(const char *status, const char *rows, bool is_intact)
{
    char parameters[64], result[256];

    snprintf(parameters, sizeof(parameters), "{\"queryId\":\"q%u\"}", n_queries);
    snprintf(result, sizeof(result),
             "{\"status\":\"%s\",\"results\":%s,\"statistics\":{\"recordsScanned\":0.0}}", status,
             rows);
    call("GetQueryResults", parameters, 200, result, is_intact, 0);
    now.ms += 20;
}

static void queries(void)
{
    begins_query(HOUR + 5 * MINUTE);
    now.ms += 3 * SECOND;
    query_ends("Complete", "[]", true);
}

static void looks_back(int64_t ago_ms)
{
    char parameters[128];

    snprintf(parameters, sizeof(parameters), "{\"logGroupName\":\"" LOG "\",\"startTime\":%lld}",
             (long long)(now.ms - ago_ms));
    call("FilterLogEvents", parameters, 200, "{\"events\":[]}", true, 0);
    now.ms += 20;
}

static void looks(void)
{
    looks_back(5 * MINUTE + 15 * SECOND);
}

/* Everything that must be before a sleep. */
static void confirms_idle(void)
{
    describes();
    queries();
    describes();
    looks();
}

static void updates(const char *service, int count)
{
    char parameters[128];

    snprintf(parameters, sizeof(parameters),
             "{\"cluster\":\"staging\",\"service\":\"%s\",\"desiredCount\":%d}", service, count);
    struct world_call before = {
        .now = now, .operation = "UpdateService", .parameters = json(parameters)};

    judge_before_call(simulation.judge, &before);
    json_object_put(before.parameters);
    assert_int_equal(
        sim_service_set_desired(simulation.sim, sim_service_named(service), count, now), 0);
    call("UpdateService", parameters, 200, "{\"service\":{}}", true, 0);
    now.ms += 20;
}

static void sleeps(void)
{
    confirms_idle();
    updates("api", 0);
    updates("worker", 0);
}

static void wakes(int api, int worker)
{
    updates("api", api);
    updates("worker", worker);
}

/* A request ago_ms ago, that can be read from after_ms behind it on. */
static void activity(int64_t ago_ms, int64_t after_ms)
{
    struct wall when = wall_add(now, -ago_ms);

    assert_int_equal(sim_event_put(simulation.sim, sim_log_group_find(simulation.sim, LOG), "s",
                                   when, wall_add(when, after_ms), REQUEST, strlen(REQUEST)),
                     0);
}

static void person_scales(unsigned which, int count)
{
    struct world_act act = {.kind = WORLD_SCALED,
                            .environment = &environment,
                            .service = &services[which],
                            .count = count};

    judge_before_act(simulation.judge, &act);
    assert_int_equal(sim_service_set_desired(simulation.sim,
                                             sim_service_named(services[which].name), count, now),
                     0);
    judge_after_act(simulation.judge, &act);
    now.ms += 20;
}

/* --- S1 --------------------------------------------------------------------------------------------- */

static void test_a_rightful_sleep_and_wake(void **state)
{
    (void)state;
    activity(70 * MINUTE, SECOND);
    sleeps();
    pass(2 * HOUR);
    activity(0, 0);
    pass(15 * SECOND);
    wakes(2, 3);
    pass(HOUR);
    expect_no_violation();
}

static void test_s1_activity_in_the_window(void **state)
{
    (void)state;
    activity(50 * MINUTE, SECOND);
    sleeps();
    expect_violation("S1", "could be read from");
}

static void test_s1_not_what_is_older_than_the_window(void **state)
{
    (void)state;
    activity(66 * MINUTE, SECOND);
    sleeps();
    expect_no_violation();
}

static void test_s1_what_could_be_read_before_the_last_look(void **state)
{
    (void)state;
    confirms_idle();
    now.ms += SECOND;
    activity(2 * SECOND, SECOND - 200); /* a moment before that look */
    updates("api", 0);
    expect_violation("S1", "could be read from");
}

static void test_s1_not_what_came_behind_the_last_look(void **state)
{
    (void)state;
    confirms_idle();
    now.ms += SECOND;
    activity(2 * SECOND, SECOND + 500);
    updates("api", 0);
    expect_no_violation();
}

static void test_s1_an_act_that_comes_too_long_after_the_last_look(void **state)
{
    (void)state;
    confirms_idle();
    now.ms += SECOND;
    activity(0, 0);
    now.ms += JUDGE_GAP_MS;
    updates("api", 0);
    expect_violation("S1", "could be read from");
}

static void test_s1_what_was_shown_is_no_excuse(void **state)
{
    char parameters[128], result[256];
    (void)state;

    confirms_idle();
    now.ms += SECOND;
    activity(0, 0);
    snprintf(parameters, sizeof(parameters), "{\"logGroupName\":\"" LOG "\",\"startTime\":0}");
    snprintf(result, sizeof(result), "{\"events\":[{\"timestamp\":%lld,\"message\":\"%s\"}]}",
             (long long)now.ms, REQUEST);
    call("FilterLogEvents", parameters, 200, result, true, 0);
    now.ms += SECOND;
    updates("api", 0);
    expect_violation("S1", "was shown to the daemon");
}

static void test_s1_not_what_came_later_than_lateness_allows(void **state)
{
    (void)state;
    describes();
    begins_query(HOUR + 5 * MINUTE);
    now.ms += SECOND;
    activity(30 * MINUTE, 30 * MINUTE); /* now, and half an hour late */
    now.ms += SECOND;
    query_ends("Complete", "[]", true);
    describes();
    looks();
    updates("api", 0);
    expect_no_violation();
}

static void test_s1_what_came_as_late_as_lateness_allows(void **state)
{
    (void)state;
    describes();
    begins_query(HOUR + 5 * MINUTE);
    now.ms += SECOND;
    activity(4 * MINUTE, 4 * MINUTE);
    now.ms += SECOND;
    query_ends("Complete", "[]", true);
    describes();
    looks_back(SECOND); /* and did not look back as far as that */
    updates("api", 0);
    expect_violation("S1", "no look");
}

/* --- S2 --------------------------------------------------------------------------------------------- */

static void test_s2_no_query(void **state)
{
    (void)state;
    describes();
    looks();
    updates("api", 0);
    expect_violation("S2", "no query");
}

static void test_s2_a_query_that_failed(void **state)
{
    (void)state;
    describes();
    begins_query(HOUR + 5 * MINUTE);
    query_ends("Failed", "[]", true);
    describes();
    looks();
    updates("api", 0);
    expect_violation("S2", "ended badly");
}

static void test_s2_an_answer_that_did_not_arrive_whole(void **state)
{
    (void)state;
    describes();
    begins_query(HOUR + 5 * MINUTE);
    query_ends("Complete", "[]", false);
    describes();
    looks();
    updates("api", 0);
    expect_violation("S2", "was not seen to end");
}

static void test_s2_a_query_over_less_than_the_window(void **state)
{
    (void)state;
    describes();
    begins_query(HOUR);
    query_ends("Complete", "[]", true);
    describes();
    looks();
    updates("api", 0);
    expect_violation("S2", "does not cover");
}

static void test_s2_no_last_look(void **state)
{
    (void)state;
    looks();
    describes();
    queries();
    describes();
    updates("api", 0);
    expect_violation("S2", "no look at " LOG);
}

static void test_s2_a_look_that_was_not_read_to_its_last_page(void **state)
{
    char parameters[128];
    (void)state;

    describes();
    queries();
    describes();
    snprintf(parameters, sizeof(parameters), "{\"logGroupName\":\"" LOG "\",\"startTime\":0}");
    call("FilterLogEvents", parameters, 200, "{\"events\":[],\"nextToken\":\"t1\"}", true, 0);
    now.ms += 20;
    updates("api", 0);
    expect_violation("S2", "no look at " LOG);
}

static void test_s2_a_look_read_to_its_last_page_will_do(void **state)
{
    char parameters[128];
    (void)state;

    describes();
    queries();
    describes();
    snprintf(parameters, sizeof(parameters), "{\"logGroupName\":\"" LOG "\",\"startTime\":0}");
    call("FilterLogEvents", parameters, 200, "{\"events\":[],\"nextToken\":\"t1\"}", true, 0);
    now.ms += 300;
    snprintf(parameters, sizeof(parameters),
             "{\"logGroupName\":\"" LOG "\",\"startTime\":0,\"nextToken\":\"t1\"}");
    call("FilterLogEvents", parameters, 200, "{\"events\":[]}", true, 0);
    now.ms += 20;
    updates("api", 0);
    expect_no_violation();
}

static void test_s2_a_query_from_before_the_last_wake(void **state)
{
    (void)state;
    sleeps();
    pass(HOUR);
    activity(0, 0);
    pass(15 * SECOND);
    begins_query(HOUR + 5 * MINUTE);
    now.ms += 20;
    wakes(2, 3);
    activity(-HOUR, 0); /* in the distant future: of no matter here */
    query_ends("Complete", "[]", true);
    describes();
    looks();
    pass(10 * SECOND);
    environment.pattern = text("nothing of the kind"); /* only the chain is in question */
    updates("api", 0);
    expect_violation("S2", "before the last wake");
}

static void test_s2_a_query_of_the_daemon_before(void **state)
{
    (void)state;
    describes();
    queries();
    judge_daemon(simulation.judge, WORLD_DAEMON_KILLED);
    now.ms += SECOND;
    judge_daemon(simulation.judge, WORLD_DAEMON_STARTED);
    describes();
    looks();
    updates("api", 0);
    expect_violation("S2", "before the daemon was started");
}

static void test_s2_what_writes_the_log_does_not_run(void **state)
{
    (void)state;
    describes();
    queries();
    describes_showing(0, 2, 3);
    looks();
    updates("api", 0);
    expect_violation("S2", "which writes the log, did not run");
}

static void test_s2_silence_that_is_unknown(void **state)
{
    (void)state;
    environment.rules.silence_is_unknown = true;
    sleeps();
    expect_violation("S2", "scanned no record");
}

/* --- S4 and S5 -------------------------------------------------------------------------------------- */

static void test_s4_a_service_that_is_not_named(void **state)
{
    (void)state;
    confirms_idle();
    updates("other", 0);
    expect_violation("S4", "other");
}

static void test_s4_the_writer_of_the_log(void **state)
{
    (void)state;
    confirms_idle();
    updates("gateway", 0);
    expect_violation("S4", "gateway");
}

static void test_s4_a_count_out_of_nowhere(void **state)
{
    (void)state;
    pass(HOUR);
    updates("api", 7);
    expect_violation("S4", "neither recorded nor configured");
}

static void describes_api_as(const char *status, const char *strategy)
{
    char result[256];

    snprintf(result, sizeof(result),
             "{\"services\":[{\"serviceName\":\"api\",\"status\":\"%s\",\"desiredCount\":0,"
             "\"schedulingStrategy\":\"%s\"}]}",
             status, strategy);
    call("DescribeServices", "{\"cluster\":\"staging\",\"services\":[\"api\"]}", 200, result, true,
         0);
}

static void test_s4_a_daemon(void **state)
{
    (void)state;
    services[API].configured_count = 2;
    sleeps();
    describes_api_as("ACTIVE", "DAEMON");
    pass(JUDGE_GAP_MS + SECOND);
    updates("api", 2);
    expect_violation("S4", "shown as a DAEMON");
}

static void test_s4_not_when_it_has_become_active_meanwhile(void **state)
{
    (void)state;
    sleeps();
    describes_api_as("DRAINING", "REPLICA");
    pass(JUDGE_GAP_MS + SECOND);
    describes_api_as("ACTIVE", "REPLICA");
    now.ms += SECOND;
    activity(0, 0);
    updates("api", 2);
    expect_no_violation();
}

static void test_s4_an_environment_that_was_removed(void **state)
{
    (void)state;
    confirms_idle();
    environment.is_configured = false;
    judge_daemon(simulation.judge, WORLD_DAEMON_RELOADED);
    updates("api", 0);
    expect_violation("S4", "no longer configured");
}

static void test_s5_one_too_many(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    wakes(3, 3);
    expect_violation("S5", "had 2 before");
}

static void test_s5_the_count_that_is_configured(void **state)
{
    (void)state;
    services[API].configured_count = 4;
    sleeps();
    pass(2 * HOUR);
    activity(0, 0);
    wakes(4, 3);
    expect_no_violation();
}

static void test_s5_the_recorded_count_in_place_of_the_configured_one(void **state)
{
    (void)state;
    services[API].configured_count = 4;
    sleeps();
    pass(2 * HOUR);
    wakes(2, 3);
    expect_violation("S5", "to 2");
}

static void test_s5_not_when_somebody_scales_within_a_minute_of_the_sleep(void **state)
{
    (void)state;
    person_scales(API, 5);
    sleeps(); /* shown: still 2 */
    pass(2 * HOUR);
    activity(0, 0);
    wakes(2, 3);
    expect_no_violation();
}

static void test_s5_a_count_from_an_earlier_sleep(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    activity(0, 0);
    wakes(2, 3);
    pass(30 * MINUTE);
    person_scales(API, 5);
    pass(50 * MINUTE);
    describes();
    queries();
    describes_showing(1, 5, 3);
    looks();
    updates("api", 0);
    updates("worker", 0);
    pass(2 * HOUR);
    activity(0, 0);
    wakes(2, 3);
    expect_violation("S5", "had 5 before");
}

static void test_s5_a_refusal_with_status_200_gives_nothing_back(void **state)
{
    (void)state;
    sleeps();
    struct judge_service *worker =
        judge_service_of(judge_environment_of(simulation.judge, &environment), &services[WORKER]);
    assert_true(worker->is_owed);
    call_refused("UpdateService",
                 "{\"cluster\":\"staging\",\"service\":\"worker\",\"desiredCount\":3}", 200,
                 "AccessDeniedException", "{}", false, 0);
    assert_true(worker->is_owed);
    wakes(2, 3);
    assert_false(worker->is_owed);
}

static void test_s5_what_somebody_gave_a_sleeping_service(void **state)
{
    (void)state;
    environment.rules.adopt = false;
    sleeps();
    pass(HOUR);
    person_scales(API, 5);
    pass(10 * MINUTE);
    describes_showing(1, 5, 0);
    pass(10 * MINUTE);
    activity(0, 0);
    updates("api", 2);
    expect_violation("S5", "takes away the 5");
}

static void test_s5_what_was_given_is_given_again_for_want_of_descriptions(void **state)
{
    (void)state;
    sleeps();
    pass(HOUR);
    activity(0, 0);
    wakes(2, 3);
    pass(10 * MINUTE);
    person_scales(API, 5);
    pass(MINUTE);
    updates("api", 2);
    expect_violation("S5", "takes away the 5");
}

static void test_s5_not_when_a_description_has_not_shown_what_was_given(void **state)
{
    (void)state;
    sleeps();
    pass(HOUR);
    activity(0, 0);
    wakes(2, 3);
    pass(10 * MINUTE);
    person_scales(API, 5);
    describes_showing(1, 0, 3);
    updates("api", 2);
    expect_no_violation();
}

static void test_s5_not_what_nobody_could_have_shown(void **state)
{
    (void)state;
    environment.rules.adopt = false;
    sleeps();
    pass(HOUR);
    person_scales(API, 5);
    activity(0, 0);
    updates("api", 2);
    expect_no_violation();
}

/* --- a service that is taken out of the configuration, and given back -------------------------------- */

static void reload_with_api(bool is_named)
{
    services[API].is_named = is_named;
    environment.configured_since = now;
    judge_daemon(simulation.judge, WORLD_DAEMON_RELOADED);
}

static void test_s4_a_service_that_was_taken_out(void **state)
{
    (void)state;
    sleeps();
    pass(HOUR);
    reload_with_api(false);
    pass(2 * MINUTE);
    activity(0, 0);
    wakes(2, 3);
    expect_violation("S4", "api, which is not one of its services");
}

static void test_s4_not_what_was_on_its_way_when_it_was_taken_out(void **state)
{
    (void)state;
    sleeps();
    pass(HOUR);
    activity(0, 0);
    reload_with_api(false);
    wakes(2, 3);
    expect_no_violation();
}

static void test_l1_a_service_that_was_taken_out_is_not_woken(void **state)
{
    (void)state;
    sleeps();
    pass(HOUR);
    reload_with_api(false);
    pass(HOUR);
    activity(0, 0);
    pass(15 * SECOND);
    updates("worker", 3);
    pass(HOUR);
    expect_no_violation();
}

/* The rest was woken meanwhile. */
static void gives_back_while_awake(void)
{
    sleeps();
    pass(HOUR);
    reload_with_api(false);
    activity(0, 0);
    updates("worker", 3);
    pass(10 * MINUTE);
    reload_with_api(true);
}

static void test_l3_what_was_given_back_has_its_count_again(void **state)
{
    (void)state;
    gives_back_while_awake();
    pass(2 * MINUTE);
    updates("api", 2);
    pass(30 * MINUTE);
    expect_no_violation();
}

static void test_l3_what_was_given_back_is_left_at_zero(void **state)
{
    (void)state;
    gives_back_while_awake();
    pass(16 * MINUTE);
    expect_no_violation();
    pass(2 * MINUTE);
    expect_violation("L3", "api is still at 0; its return into the configuration");
}

static void test_s5_what_was_given_back_has_another_count(void **state)
{
    (void)state;
    gives_back_while_awake();
    pass(2 * MINUTE);
    updates("api", 3);
    expect_violation("S5", "had 2 before");
}

static void test_l1_what_was_given_back_while_the_rest_sleeps_is_woken_with_it(void **state)
{
    (void)state;
    sleeps();
    pass(HOUR);
    reload_with_api(false);
    pass(HOUR);
    reload_with_api(true);
    pass(HOUR);
    expect_no_violation(); /* nothing is given to what sleeps */
    activity(0, 0);
    pass(15 * SECOND);
    updates("worker", 3);
    pass(5 * MINUTE);
    expect_violation("L1", "api is still at 0; activity");
}

static void test_l2_what_was_given_back_is_no_reason_to_wake(void **state)
{
    (void)state;
    sleeps();
    pass(HOUR);
    reload_with_api(false);
    pass(HOUR);
    reload_with_api(true);
    pass(MINUTE);
    updates("api", 2);
    expect_violation("L2", "api is woken for no reason");
}

/* --- S6 --------------------------------------------------------------------------------------------- */

static void test_s6_a_secret_in_a_log_record(void **state)
{
    (void)state;
    judge_told(simulation.judge, LOG_INFO, NULL, NULL, 0, "asked with key " SECRET);
    expect_violation("S6", "a log record");
}

static void test_s6_a_secret_in_a_field(void **state)
{
    struct log_field field = {"PROVISIONERD_ERROR", "=" SECRET};
    (void)state;

    judge_told(simulation.judge, LOG_INFO, NULL, &field, 1, "refused");
    expect_violation("S6", "PROVISIONERD_ERROR");
}

static void test_s6_a_secret_in_the_state(void **state)
{
    (void)state;
    judge_stored(simulation.judge, "state.json", "{\"" SECRET "\"}", strlen(SECRET) + 4);
    expect_violation("S6", "state.json");
}

static void test_s6_not_the_public_half_of_a_key(void **state)
{
    struct log_field field = {"KEY", "AKIDEXAMPLE"};
    (void)state;

    judge_told(simulation.judge, LOG_INFO, NULL, &field, 1, "key AKIDEXAMPLE is refused");
    judge_stored(simulation.judge, "state.json", "AKIDEXAMPLE", 11);
    expect_no_violation();
}

/* --- L1, L2, L3 --------------------------------------------------------------------------------------- */

static void test_l1_a_missed_wake(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    activity(0, 2 * SECOND);
    pass(5 * MINUTE);
    expect_violation("L1", "still at 0");
}

static void test_l1_half_a_wake(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    activity(0, 2 * SECOND);
    pass(15 * SECOND);
    updates("api", 2);
    pass(5 * MINUTE);
    expect_violation("L1", "worker");
}

static void test_l1_late_activity_has_until_the_next_check(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    activity(20 * MINUTE, 20 * MINUTE);
    pass(10 * MINUTE);
    expect_no_violation();
    pass(5 * MINUTE);
    expect_violation("L1", "late activity");
}

static void test_l1_not_what_has_left_the_window(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    activity(59 * MINUTE, 59 * MINUTE);
    pass(20 * MINUTE);
    expect_no_violation();
}

static void test_l3_not_what_a_shorter_window_has_left_behind(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    environment.rules.window_ms = 5 * HOUR;
    simulation.calm_since = SIM_FOREVER;
    activity(0, 2 * SECOND);
    pass(2 * HOUR);
    environment.rules.window_ms = HOUR;
    simulation.calm_since = now;
    pass(HOUR);
    expect_no_violation();
}

static void test_l1_not_what_went_with_its_log_group_before_it_could_be_read(void **state)
{
    struct world_act removed = {.kind = WORLD_LOG_GROUP_REMOVED};
    struct world_act made = {.kind = WORLD_LOG_GROUP_MADE};
    struct sim_log_group *group;
    (void)state;

    sleeps();
    pass(2 * HOUR);
    activity(0, 2 * SECOND);
    judge_before_act(simulation.judge, &removed);
    assert_int_equal(sim_log_group_remove(simulation.sim, LOG), 0);
    judge_after_act(simulation.judge, &removed);
    assert_int_equal(sim_log_group_add(simulation.sim, LOG, false, now, &group), 0);
    judge_after_act(simulation.judge, &made);
    pass(2 * HOUR);
    expect_no_violation();
}

static void test_l1_not_what_went_with_its_log_group(void **state)
{
    struct world_act act = {.kind = WORLD_LOG_GROUP_REMOVED};
    (void)state;

    sleeps();
    pass(2 * HOUR);
    activity(0, 2 * SECOND);
    pass(5 * SECOND);
    judge_before_act(simulation.judge, &act);
    assert_int_equal(sim_log_group_remove(simulation.sim, LOG), 0);
    judge_after_act(simulation.judge, &act);
    pass(HOUR);
    expect_no_violation();
}

static void test_l1_not_while_there_is_trouble(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    simulation.calm_since = SIM_FOREVER;
    activity(0, 2 * SECOND);
    pass(30 * MINUTE);
    expect_no_violation();
    simulation.calm_since = now;
    pass(20 * MINUTE);
    expect_violation("L3", "still at 0");
}

static void given_trouble_with(const char *operation)
{
    troubled = operation;
    simulation.calm_since = SIM_FOREVER;
}

static void test_l1_trouble_with_descriptions_is_no_excuse(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    given_trouble_with("DescribeServices");
    activity(0, 2 * SECOND);
    pass(5 * MINUTE);
    expect_violation("L1", "still at 0");
}

static void test_l1_not_late_activity_while_there_is_trouble_with_descriptions(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    given_trouble_with("DescribeServices");
    activity(20 * MINUTE, 20 * MINUTE);
    pass(30 * MINUTE);
    expect_no_violation();
}

static void test_l1_not_while_there_is_trouble_with_looks(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    given_trouble_with("FilterLogEvents");
    activity(0, 2 * SECOND);
    pass(30 * MINUTE);
    expect_no_violation();
}

static void test_l1_somebody_scales_one_up(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    person_scales(API, 1);
    pass(2 * MINUTE);
    expect_no_violation();
    pass(2 * MINUTE);
    expect_violation("L1", "scaling up");
}

static void test_l1_somebody_scales_one_up_and_down_again(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    person_scales(API, 1);
    pass(20 * SECOND);
    person_scales(API, 0);
    pass(HOUR);
    expect_no_violation();
}

static void test_l1_somebody_scales_one_up_and_deletes_it(void **state)
{
    const struct world_act deleted = {
        .kind = WORLD_DELETED, .environment = &environment, .service = &services[API]};
    (void)state;
    sleeps();
    pass(2 * HOUR);
    person_scales(API, 1);
    pass(20 * SECOND);
    judge_before_act(simulation.judge, &deleted);
    assert_int_equal(sim_service_remove(simulation.sim,
                                        sim_cluster_find(simulation.sim, environment.cluster),
                                        services[API].name),
                     0);
    judge_after_act(simulation.judge, &deleted);
    pass(HOUR);
    expect_no_violation();
}

static void test_l1_somebody_scales_one_up_and_that_is_let_be(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    person_scales(API, 1);
    pass(20 * SECOND);
    environment.rules.adopt = false;
    judge_daemon(simulation.judge, WORLD_DAEMON_RELOADED);
    pass(HOUR);
    expect_no_violation();
}

static void test_l1_what_was_lost_cannot_be_given_back(void **state)
{
    struct world_act lost = {.kind = WORLD_STATE_LOST};
    (void)state;

    sleeps();
    pass(2 * HOUR);
    judge_before_act(simulation.judge, &lost);
    judge_after_act(simulation.judge, &lost);
    activity(0, 2 * SECOND);
    pass(30 * MINUTE);
    expect_no_violation();
}

static void test_l2_never_asleep(void **state)
{
    (void)state;
    activity(0, SECOND);
    pass(74 * MINUTE);
    expect_no_violation();
    pass(4 * MINUTE);
    expect_violation("L2", "is up");
}

static void test_l2_one_service_stays_up(void **state)
{
    (void)state;
    confirms_idle();
    updates("api", 0);
    pass(2 * HOUR);
    expect_violation("L2", "worker");
}

static void test_l2_a_wake_for_no_reason(void **state)
{
    (void)state;
    sleeps();
    pass(5 * HOUR);
    expect_no_violation();
    wakes(2, 3);
    expect_violation("L2", "for no reason");
}

static void test_l2_a_wake_for_no_reason_after_a_restart(void **state)
{
    (void)state;
    sleeps();
    pass(HOUR);
    judge_daemon(simulation.judge, WORLD_DAEMON_KILLED);
    judge_daemon(simulation.judge, WORLD_DAEMON_STARTED);
    wakes(2, 3);
    expect_violation("L2", "for no reason");
}

static void test_l2_not_when_a_sleep_was_half_done(void **state)
{
    (void)state;
    confirms_idle();
    updates("api", 0);
    judge_daemon(simulation.judge, WORLD_DAEMON_KILLED);
    now.ms += SECOND;
    judge_daemon(simulation.judge, WORLD_DAEMON_STARTED);
    updates("api", 2);
    expect_no_violation();
}

static void test_l2_not_what_somebody_scaled_up_that_was_found_at_zero(void **state)
{
    (void)state;
    environment.rules.adopt = false;
    person_scales(API, 0);
    person_scales(WORKER, 0);
    pass(HOUR);
    person_scales(API, 1);
    pass(5 * HOUR);
    expect_no_violation();
}

/* Reads failed for long: what was scaled up meanwhile is activity of when it could be seen. */
static void test_l2_what_was_scaled_up_counts_from_when_it_was_shown(void **state)
{
    (void)state;
    sleeps();
    pass(2 * HOUR);
    simulation.calm_since = SIM_FOREVER;
    person_scales(API, 2);
    person_scales(WORKER, 3);
    pass(HOUR);
    simulation.calm_since = now;
    pass(16 * MINUTE);
    describes();
    pass(75 * MINUTE);
    expect_no_violation();
    pass(4 * MINUTE);
    expect_violation("L2", "is up");
}

/* The daemon dies on the way; and the disk had perhaps refused to record that it woke. */
static void half_wakes(bool is_recorded)
{
    environment.rules.adopt = false;
    sleeps();
    judge_stored(simulation.judge, "state.json", "{}", 2);
    pass(2 * HOUR);
    activity(0, 0);
    if (is_recorded)
        judge_stored(simulation.judge, "state.json", "{}", 2);
    updates("api", 2);
    judge_daemon(simulation.judge, WORLD_DAEMON_KILLED);
    judge_daemon(simulation.judge, WORLD_DAEMON_STARTED);
}

static void test_l2_not_what_a_wake_left_up_that_nobody_recorded(void **state)
{
    (void)state;
    half_wakes(false);
    simulation.calm_since = SIM_FOREVER; /* until the activity is old: a wake is not the point */
    pass(2 * HOUR);
    simulation.calm_since = now;
    pass(5 * HOUR);
    expect_no_violation();
}

static void test_l2_what_a_wake_left_up_that_was_recorded(void **state)
{
    (void)state;
    half_wakes(true);
    simulation.calm_since = SIM_FOREVER;
    pass(2 * HOUR);
    simulation.calm_since = now;
    pass(5 * HOUR);
    expect_violation("L3", "api is up");
}

/* Woken for it was removed, which nobody recorded; to the next daemon that has it, it was scaled up. */
static void test_l2_a_removal_that_nobody_recorded_counts_from_when_it_is_seen(void **state)
{
    (void)state;
    environment.rules.adopt = false;
    environment.rules.wake_on_remove = true;
    environment.rules.poll_interval_awake_ms = 10 * MINUTE;
    sleeps();
    judge_stored(simulation.judge, "state.json", "{}", 2);
    pass(2 * HOUR);
    environment.is_configured = false;
    judge_daemon(simulation.judge, WORLD_DAEMON_RELOADED);
    wakes(2, 3);
    judge_daemon(simulation.judge, WORLD_DAEMON_KILLED);
    judge_daemon(simulation.judge, WORLD_DAEMON_STARTED);
    pass(5 * HOUR);
    environment.is_configured = true;
    environment.configured_since = now;
    judge_daemon(simulation.judge, WORLD_DAEMON_RELOADED);
    pass(20 * MINUTE);
    describes();
    pass(75 * MINUTE);
    expect_no_violation();
    pass(4 * MINUTE);
    expect_violation("L2", "is up");
}

static void test_l2_when_the_gateway_comes_back_the_time_begins_anew(void **state)
{
    struct world_act act = {
        .kind = WORLD_SCALED, .environment = &environment, .service = &services[GATEWAY]};
    (void)state;

    judge_before_act(simulation.judge, &act);
    assert_int_equal(sim_service_set_desired(simulation.sim, sim_service_named("gateway"), 0, now),
                     0);
    judge_after_act(simulation.judge, &act);
    pass(75 * MINUTE);
    act.count = 1;
    judge_before_act(simulation.judge, &act);
    assert_int_equal(sim_service_set_desired(simulation.sim, sim_service_named("gateway"), 1, now),
                     0);
    judge_after_act(simulation.judge, &act);
    pass(HOUR);
    expect_no_violation();
    pass(HOUR);
    expect_violation("L3", "is up");
}

static void test_l2_not_while_the_log_has_no_writer(void **state)
{
    (void)state;
    assert_int_equal(sim_service_set_desired(simulation.sim, sim_service_named("gateway"), 0, now),
                     0);
    pass(10 * HOUR);
    expect_no_violation();
}

static void test_l3_never_asleep_after_trouble(void **state)
{
    (void)state;
    simulation.calm_since = SIM_FOREVER;
    pass(5 * HOUR);
    simulation.calm_since = now;
    pass(85 * MINUTE);
    expect_no_violation();
    pass(10 * MINUTE);
    expect_violation("L3", "is up");
}

/* --- L4 ----------------------------------------------------------------------------------------------- */

static void answer_is_lost(const char *parameters)
{
    struct world_call update = {.now = now,
                                .operation = "UpdateService",
                                .parameters = json(parameters),
                                .status = 200,
                                .code = "",
                                .result = json("{\"service\":{}}"),
                                .is_lost = true};

    judge_before_call(simulation.judge, &update);
    judge_after_call(simulation.judge, &update);
    json_object_put(update.parameters);
    json_object_put(update.result);
    now.ms += 20;
}

#define API_TO_0 "{\"cluster\":\"staging\",\"service\":\"api\",\"desiredCount\":0}"

static void test_l4_what_became_of_a_write_is_not_read(void **state)
{
    (void)state;
    confirms_idle();
    answer_is_lost(API_TO_0);
    pass(30 * SECOND);
    describes(); /* too early to tell */
    pass(5 * MINUTE);
    expect_no_violation();
    pass(MINUTE);
    expect_violation("L4", "api was lost");
}

static void test_l4_what_became_of_a_write_is_read(void **state)
{
    (void)state;
    confirms_idle();
    answer_is_lost(API_TO_0);
    pass(MINUTE);
    describes();
    pass(10 * MINUTE);
    expect_no_violation();
}

static void test_l4_it_is_written_again_and_answered(void **state)
{
    (void)state;
    confirms_idle();
    answer_is_lost(API_TO_0);
    updates("api", 0);
    pass(10 * MINUTE);
    expect_no_violation();
}

static void test_l4_not_of_a_daemon_that_died(void **state)
{
    (void)state;
    confirms_idle();
    answer_is_lost(API_TO_0);
    judge_daemon(simulation.judge, WORLD_DAEMON_KILLED);
    judge_daemon(simulation.judge, WORLD_DAEMON_STARTED);
    pass(10 * MINUTE);
    expect_no_violation();
}

/* --- R1 and R2 ---------------------------------------------------------------------------------------- */

static void test_r1_more_than_five_in_a_second(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        looks();
        now.ms += 170;
    }
    expect_violation("R1", "FilterLogEvents");
}

static void test_r1_five_in_a_second(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        looks();
        now.ms += 180;
    }
    expect_no_violation();
}

static void test_r1_requests_that_were_held_up_arrive_together(void **state)
{
    (void)state;
    simulation.calm_since = SIM_FOREVER;
    for (int i = 0; i < 200; i++)
        looks();
    expect_no_violation();
    for (int i = 0; i < 200; i++)
        looks();
    expect_violation("R1", "for long");
}

static void test_r1_a_bucket_that_is_empty(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++)
        call("UpdateService", "{}", 400, "{}", true, 0);
    expect_violation("R1", "UpdateService");
}

static void test_r1_a_bucket_and_what_flows_into_it(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        call("UpdateService", "{}", 400, "{}", true, 0);
    for (int i = 0; i < 100; i++) {
        now.ms += 200;
        call("UpdateService", "{}", 400, "{}", true, 0);
    }
    expect_no_violation();
}

static void is_throttled(bool is_intact)
{
    call_refused("DescribeServices", "{}", 400, "ThrottlingException", "{}", is_intact, 50);
}

static void test_r1_an_answer_that_says_to_slow_down(void **state)
{
    (void)state;
    is_throttled(true);
    now.ms += 50;
    call("DescribeServices", "{}", 200, "{}", true, 0); /* sent as that arrived */
    now.ms += JUDGE_PAUSE_MS - 1;
    call("DescribeServices", "{}", 200, "{}", true, 0);
    expect_violation("R1", "499 ms after it was told to slow down");
}

static void test_r1_slowed_down(void **state)
{
    (void)state;
    is_throttled(true);
    now.ms += 50 + JUDGE_PAUSE_MS;
    call("DescribeServices", "{}", 200, "{}", true, 0);
    is_throttled(false); /* never heard */
    now.ms += 100;
    call("DescribeServices", "{}", 200, "{}", true, 0);
    expect_no_violation();
}

static void test_r1_not_after_a_reload_that_has_cancelled_calls(void **state)
{
    (void)state;
    is_throttled(true);
    judge_daemon(simulation.judge, WORLD_DAEMON_RELOADED);
    now.ms += 100;
    call("DescribeServices", "{}", 200, "{}", true, 0);
    expect_no_violation();
}

static void nothing(void *userdata)
{
    (void)userdata;
}

static void test_r2_timers(void **state)
{
    struct loop_timer *timers[1000];
    (void)state;

    for (size_t i = 0; i < ARRAY_LENGTH(timers); i++) {
        if (i == 50) {
            pass(10 * SECOND);
            expect_no_violation();
        }
        assert_int_equal(loop_timer_new(simulation.loop, nothing, NULL, &timers[i]), 0);
    }
    pass(10 * SECOND);
    expect_violation("R2", "timers");
    for (size_t i = 0; i < ARRAY_LENGTH(timers); i++)
        loop_timer_free(timers[i]);
}

/* Under valgrind and ASan another malloc is in charge, which mallinfo2() knows nothing of. A small
 * block would not do: glibc keeps freed ones at hand, and counts them as in use. */
static bool heap_can_be_measured(void)
{
    size_t before = mallinfo2().uordblks;
    void *volatile block = malloc((size_t)100 * 1024); /* volatile: or it is never asked for */
    bool grew = mallinfo2().uordblks > before;

    free(block);
    return grew;
}

static void test_r2_a_heap_that_grows(void **state)
{
    enum { BLOCKS = 64 };
    void *blocks[BLOCKS] = {NULL};
    (void)state;

    if (!heap_can_be_measured())
        skip();

    simulation.calm_since = SIM_FOREVER; /* only the heap is in question */
    for (int day = 0; day < 4; day++)
        pass(MS_PER_DAY);
    expect_no_violation();
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc((size_t)100 * 1024);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, (size_t)100 * 1024);
    }
    pass(MS_PER_DAY + MINUTE);
    expect_violation("R2", "the heap has grown");
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
}

static void stops_query(void)
{
    char parameters[64];

    snprintf(parameters, sizeof(parameters), "{\"queryId\":\"q%u\"}", n_queries);
    call("StopQuery", parameters, 200, "{\"success\":true}", true, 0);
}

static void test_r2_a_query_that_has_found_something_is_left_running(void **state)
{
    (void)state;
    begins_query(HOUR + 5 * MINUTE);
    query_ends("Running", "[[]]", true);
    pass(10 * SECOND);
    expect_no_violation();
    pass(MINUTE);
    expect_violation("R2", "found something, and was not stopped");
}

static void test_r2_a_query_that_has_found_something_is_stopped(void **state)
{
    (void)state;
    begins_query(HOUR + 5 * MINUTE);
    query_ends("Running", "[[]]", true);
    stops_query();
    pass(10 * MINUTE);
    expect_no_violation();
}

static void test_r2_a_query_that_never_ends_is_left_running(void **state)
{
    (void)state;
    begins_query(HOUR + 5 * MINUTE);
    query_ends("Running", "[]", true);
    pass(5 * MINUTE);
    expect_no_violation();
    pass(MINUTE);
    expect_violation("R2", "was still running, and was not stopped");
}

static void test_r2_not_a_query_that_has_ended(void **state)
{
    (void)state;
    begins_query(HOUR + 5 * MINUTE);
    query_ends("Failed", "[]", true);
    pass(10 * MINUTE);
    expect_no_violation();
}

static void test_r2_not_a_query_of_a_daemon_that_died(void **state)
{
    (void)state;
    begins_query(HOUR + 5 * MINUTE);
    pass(MINUTE);
    judge_daemon(simulation.judge, WORLD_DAEMON_KILLED);
    judge_daemon(simulation.judge, WORLD_DAEMON_STARTED);
    pass(10 * MINUTE);
    expect_no_violation();
}

/* --- the report ---------------------------------------------------------------------------------------- */

static void test_the_first_violation_counts_and_has_its_moment(void **state)
{
    (void)state;
    updates("other", 0);
    updates("api", 0);
    expect_violation("S4", "2026-03-02T12:00:00.000Z: UpdateService of other");
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(test_a_rightful_sleep_and_wake),
        STORY(test_s1_activity_in_the_window),
        STORY(test_s1_not_what_is_older_than_the_window),
        STORY(test_s1_what_could_be_read_before_the_last_look),
        STORY(test_s1_not_what_came_behind_the_last_look),
        STORY(test_s1_an_act_that_comes_too_long_after_the_last_look),
        STORY(test_s1_what_was_shown_is_no_excuse),
        STORY(test_s1_not_what_came_later_than_lateness_allows),
        STORY(test_s1_what_came_as_late_as_lateness_allows),
        STORY(test_s2_no_query),
        STORY(test_s2_a_query_that_failed),
        STORY(test_s2_an_answer_that_did_not_arrive_whole),
        STORY(test_s2_a_query_over_less_than_the_window),
        STORY(test_s2_no_last_look),
        STORY(test_s2_a_look_that_was_not_read_to_its_last_page),
        STORY(test_s2_a_look_read_to_its_last_page_will_do),
        STORY(test_s2_a_query_from_before_the_last_wake),
        STORY(test_s2_a_query_of_the_daemon_before),
        STORY(test_s2_what_writes_the_log_does_not_run),
        STORY(test_s2_silence_that_is_unknown),
        STORY(test_s4_a_service_that_is_not_named),
        STORY(test_s4_the_writer_of_the_log),
        STORY(test_s4_a_count_out_of_nowhere),
        STORY(test_s4_a_daemon),
        STORY(test_s4_not_when_it_has_become_active_meanwhile),
        STORY(test_s4_an_environment_that_was_removed),
        STORY(test_s5_one_too_many),
        STORY(test_s5_the_count_that_is_configured),
        STORY(test_s5_the_recorded_count_in_place_of_the_configured_one),
        STORY(test_s5_not_when_somebody_scales_within_a_minute_of_the_sleep),
        STORY(test_s5_a_count_from_an_earlier_sleep),
        STORY(test_s5_a_refusal_with_status_200_gives_nothing_back),
        STORY(test_s5_what_somebody_gave_a_sleeping_service),
        STORY(test_s5_what_was_given_is_given_again_for_want_of_descriptions),
        STORY(test_s5_not_when_a_description_has_not_shown_what_was_given),
        STORY(test_s5_not_what_nobody_could_have_shown),
        STORY(test_s4_a_service_that_was_taken_out),
        STORY(test_s4_not_what_was_on_its_way_when_it_was_taken_out),
        STORY(test_l1_a_service_that_was_taken_out_is_not_woken),
        STORY(test_l3_what_was_given_back_has_its_count_again),
        STORY(test_l3_what_was_given_back_is_left_at_zero),
        STORY(test_s5_what_was_given_back_has_another_count),
        STORY(test_l1_what_was_given_back_while_the_rest_sleeps_is_woken_with_it),
        STORY(test_l2_what_was_given_back_is_no_reason_to_wake),
        STORY(test_s6_a_secret_in_a_log_record),
        STORY(test_s6_a_secret_in_a_field),
        STORY(test_s6_a_secret_in_the_state),
        STORY(test_s6_not_the_public_half_of_a_key),
        STORY(test_l1_a_missed_wake),
        STORY(test_l1_half_a_wake),
        STORY(test_l1_late_activity_has_until_the_next_check),
        STORY(test_l1_not_what_has_left_the_window),
        STORY(test_l3_not_what_a_shorter_window_has_left_behind),
        STORY(test_l1_not_what_went_with_its_log_group_before_it_could_be_read),
        STORY(test_l1_not_what_went_with_its_log_group),
        STORY(test_l1_not_while_there_is_trouble),
        STORY(test_l1_trouble_with_descriptions_is_no_excuse),
        STORY(test_l1_not_late_activity_while_there_is_trouble_with_descriptions),
        STORY(test_l1_not_while_there_is_trouble_with_looks),
        STORY(test_l1_somebody_scales_one_up),
        STORY(test_l1_somebody_scales_one_up_and_down_again),
        STORY(test_l1_somebody_scales_one_up_and_deletes_it),
        STORY(test_l1_somebody_scales_one_up_and_that_is_let_be),
        STORY(test_l1_what_was_lost_cannot_be_given_back),
        STORY(test_l2_never_asleep),
        STORY(test_l2_one_service_stays_up),
        STORY(test_l2_a_wake_for_no_reason),
        STORY(test_l2_a_wake_for_no_reason_after_a_restart),
        STORY(test_l2_not_when_a_sleep_was_half_done),
        STORY(test_l2_not_what_somebody_scaled_up_that_was_found_at_zero),
        STORY(test_l2_what_was_scaled_up_counts_from_when_it_was_shown),
        STORY(test_l2_not_what_a_wake_left_up_that_nobody_recorded),
        STORY(test_l2_what_a_wake_left_up_that_was_recorded),
        STORY(test_l2_a_removal_that_nobody_recorded_counts_from_when_it_is_seen),
        STORY(test_l2_when_the_gateway_comes_back_the_time_begins_anew),
        STORY(test_l2_not_while_the_log_has_no_writer),
        STORY(test_l3_never_asleep_after_trouble),
        STORY(test_l4_what_became_of_a_write_is_not_read),
        STORY(test_l4_what_became_of_a_write_is_read),
        STORY(test_l4_it_is_written_again_and_answered),
        STORY(test_l4_not_of_a_daemon_that_died),
        STORY(test_r1_more_than_five_in_a_second),
        STORY(test_r1_five_in_a_second),
        STORY(test_r1_requests_that_were_held_up_arrive_together),
        STORY(test_r1_a_bucket_that_is_empty),
        STORY(test_r1_a_bucket_and_what_flows_into_it),
        STORY(test_r1_an_answer_that_says_to_slow_down),
        STORY(test_r1_slowed_down),
        STORY(test_r1_not_after_a_reload_that_has_cancelled_calls),
        STORY(test_r2_timers),
        STORY(test_r2_a_heap_that_grows),
        STORY(test_r2_a_query_that_has_found_something_is_left_running),
        STORY(test_r2_a_query_that_has_found_something_is_stopped),
        STORY(test_r2_a_query_that_never_ends_is_left_running),
        STORY(test_r2_not_a_query_that_has_ended),
        STORY(test_r2_not_a_query_of_a_daemon_that_died),
        STORY(test_the_first_violation_counts_and_has_its_moment),
    };

    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
