/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_DAEMON_WORLD_H
#define PROVISIONERD_TESTS_DAEMON_WORLD_H

/*
 * The daemon's whole stack, from the INI to the signed request, against the simulated AWS under
 * virtual time: the environment "staging", api 2, worker 3, web 1, and a gateway that writes the log.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/in_process.h"
#include "sim/model.h"
#include "src/audit.h"
#include "src/aws.h"
#include "src/credentials.h"
#include "src/log.h"
#include "src/scheduler.h"
#include "src/state.h"
#include "tests/support/virtual_loop.h"

#define SECOND MS_PER_SECOND
#define MINUTE MS_PER_MINUTE
#define HOUR MS_PER_HOUR

#define GATEWAY_LOG "/ecs/staging/gateway"
#define REQUEST "10.0.0.7 - - \"GET /api/v1/orders HTTP/1.1\" 200"
#define HEALTH_CHECK "10.0.0.1 - - \"GET /api/v1/health HTTP/1.1\" 200 ELB-HealthChecker/2.0"

static const char SCENARIO[] =
    "{\"log_groups\":[{\"name\":\"" GATEWAY_LOG "\"},{\"name\":\"/ecs/dev/gateway\"}],"
    "\"credentials\":[{\"access_key_id\":\"AKIDEXAMPLE\",\"secret_access_key\":"
    "\"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\"}],"
    "\"settings\":{\"ingestion_delay_ms\":2000},"
    "\"clusters\":[{\"name\":\"staging\",\"services\":["
    "{\"name\":\"gateway\",\"desired\":1,\"log_group\":\"" GATEWAY_LOG "\"},"
    "{\"name\":\"api\",\"desired\":2},{\"name\":\"worker\",\"desired\":3},"
    "{\"name\":\"web\",\"desired\":1}]},"
    "{\"name\":\"dev\",\"services\":[{\"name\":\"gateway\",\"desired\":1,"
    "\"log_group\":\"/ecs/dev/gateway\"},{\"name\":\"all-in-one\",\"desired\":4}]}]}";

static const char STAGING[] = "[environment staging]\n"
                              "cluster = staging\n"
                              "services = api, worker, web\n"
                              "always_on = gateway\n"
                              "log_group = " GATEWAY_LOG "\n"
                              "pattern = \"/api/v1/\"\n"
                              "exclude = \"ELB-HealthChecker\"\n";

static const char DEV[] = "[environment dev]\n"
                          "cluster = dev\n"
                          "services = all-in-one\n"
                          "log_group = /ecs/dev/gateway\n"
                          "pattern = \"/api/v1/\"\n";

#define STORY_MAX 65536

struct world {
    char directory[64];
    char config_path[128];
    struct loop *loop;
    struct sim *sim;
    struct http *http;
    struct credentials *credentials;
    struct aws *aws;
    struct state *state;
    struct scheduler *scheduler;
    bool dry_run;
    char story[STORY_MAX]; /* the audit so far: "MESSAGE_ID message\n" */
    size_t story_length;
};

static inline void hear(void *userdata, int level, const char *message_id,
                        const struct log_field *fields, size_t n_fields, const char *message)
{
    struct world *world = userdata;
    (void)level;
    (void)fields;
    (void)n_fields;

    int n = snprintf(world->story + world->story_length, STORY_MAX - world->story_length, "%s %s\n",
                     message_id ? message_id : "-", message);
    if (n > 0 && (size_t)n < STORY_MAX - world->story_length)
        world->story_length += (size_t)n;
    if (getenv("STORY"))
        fprintf(stderr, "    %s\n", message);
}

static inline size_t count_told(const struct world *world, const char *text)
{
    size_t n = 0;

    for (const char *at = strstr(world->story, text); at; at = strstr(at + 1, text))
        n++;
    return n;
}

static inline void expect_told(const struct world *world, const char *text)
{
    if (count_told(world, text) == 0)
        fail_msg("not told: %s\nthe story:\n%s", text, world->story);
}

static inline void expect_not_told(const struct world *world, const char *text)
{
    if (count_told(world, text) > 0)
        fail_msg("told: %s\nthe story:\n%s", text, world->story);
}

static inline void forget_story(struct world *world)
{
    world->story[0] = '\0';
    world->story_length = 0;
}

/* --- the world ------------------------------------------------------------------------------------ */

static inline struct config *load(struct world *world, const char *first, const char *second)
{
    struct config *config = NULL;
    char *errors = NULL;
    FILE *file = fopen(world->config_path, "w");

    assert_non_null(file);
    fprintf(file, "[provisionerd]\nregion = eu-west-1\nstate_directory = %s\n%s%s",
            world->directory, first, second);
    assert_int_equal(fclose(file), 0);
    if (config_load(world->config_path, &config, &errors) < 0)
        fail_msg("%s", errors);
    return config;
}

static inline void start_daemon(struct world *world, const char *first, const char *second)
{
    const struct credentials_options credentials_options = {.region = "eu-west-1"};
    const struct aws_options aws_options = {0};
    char *trouble = NULL;

    assert_int_equal(http_new(world->loop, NULL, &world->http), 0);
    assert_int_equal(
        credentials_new(world->loop, world->http, &credentials_options, &world->credentials), 0);
    assert_int_equal(
        aws_new(world->loop, world->http, world->credentials, &aws_options, &world->aws), 0);
    assert_int_equal(state_open(world->directory,
                                world->dry_run ? STATE_READ_ONLY : STATE_READ_WRITE,
                                loop_wall(world->loop), &world->state, &trouble),
                     0);
    free(trouble);
    const struct scheduler_options options = {
        .loop = world->loop, .aws = world->aws, .state = world->state, .dry_run = world->dry_run};
    assert_int_equal(scheduler_new(&options, load(world, first, second), &world->scheduler), 0);
}

/* As SIGKILL does: nothing is said good-bye to. */
static inline void kill_daemon(struct world *world)
{
    world->scheduler = scheduler_free(world->scheduler);
    world->state = state_free(world->state);
    world->aws = aws_free(world->aws);
    world->credentials = credentials_free(world->credentials);
    world->http = http_free(world->http);
}

static inline void restart_daemon(struct world *world)
{
    kill_daemon(world);
    start_daemon(world, STAGING, "");
}

static inline int make_world(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char *error = NULL;
    struct json_object *scenario = json_tokener_parse(SCENARIO);

    assert_non_null(world);
    assert_non_null(scenario);
    strcpy(world->directory, "/tmp/provisionerd-scheduler-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    snprintf(world->config_path, sizeof(world->config_path), "%s/config.ini", world->directory);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 1);
    setenv("TZ", "UTC", 1);
    assert_int_equal(loop_new(&world->loop), 0);
    assert_int_equal(sim_new(scenario, loop_wall(world->loop), &world->sim, &error), 0);
    json_object_put(scenario);
    in_process_attach(world->sim);
    log_set_max_level(LOG_INFO);
    log_set_sink(hear, world);
    *state = world;
    return 0;
}

static inline void remove_files(const char *directory)
{
    char path[512];
    DIR *stream = opendir(directory);

    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)remove(path);
    }
    if (stream)
        closedir(stream);
    (void)rmdir(directory);
}

static inline int end_world(void **state)
{
    struct world *world = *state;

    kill_daemon(world);
    assert_int_equal(virtual_loop_timers(world->loop), 0);
    log_set_sink(NULL, NULL);
    in_process_attach(NULL);
    sim_free(world->sim);
    loop_free(world->loop);
    remove_files(world->directory);
    free(world);
    return 0;
}

static inline void pass(struct world *world, int64_t duration_ms)
{
    virtual_loop_run_for(world->loop, duration_ms);
}

static inline struct sim_service *service(struct world *world, const char *cluster,
                                          const char *name)
{
    struct sim_service *found = sim_service_find(sim_cluster_find(world->sim, cluster), name);

    assert_non_null(found);
    return found;
}

static int64_t desired(struct world *world, const char *name)
{
    struct sim_service_truth truth;
    const char *cluster = strcmp(name, "all-in-one") == 0 ? "dev" : "staging";

    sim_service_truth(world->sim, service(world, cluster, name), loop_wall(world->loop), &truth);
    return truth.desired;
}

static inline void expect_counts(struct world *world, int api, int worker, int web)
{
    if (desired(world, "api") != api || desired(world, "worker") != worker ||
        desired(world, "web") != web)
        fail_msg("api %d, worker %d, web %d; the story:\n%s", (int)desired(world, "api"),
                 (int)desired(world, "worker"), (int)desired(world, "web"), world->story);
    assert_int_equal(desired(world, "gateway"), 1);
}

/* Which a step of this host's clock does not move. */
static inline struct wall aws_time(const struct world *world)
{
    return wall_add(loop_wall(world->loop), world->sim->clock_offset_ms);
}

static inline void request_arrives(struct world *world, const char *message)
{
    bool served = false;

    assert_int_equal(sim_request_arrives(world->sim, service(world, "staging", "gateway"), message,
                                         aws_time(world), &served),
                     0);
    assert_true(served);
}

static inline void person_scales(struct world *world, const char *name, int count)
{
    assert_int_equal(sim_service_set_desired(world->sim, service(world, "staging", name), count,
                                             loop_wall(world->loop)),
                     0);
}

static inline void fault(struct world *world, enum sim_fault_kind kind, const char *operation,
                         const char *match, int64_t count)
{
    struct sim_fault_rule rule = SIM_FAULT_RULE(kind);

    rule.operation = operation;
    rule.match = match;
    rule.count = count;
    assert_int_equal(sim_fault_add(world->sim, &rule, NULL), 0);
}

static inline void given_asleep(struct world *world)
{
    start_daemon(world, STAGING, "");
    pass(world, 11 * MINUTE);
    expect_counts(world, 0, 0, 0);
    expect_told(world, AUDIT_ID_ASLEEP);
    forget_story(world);
}

/* Until AWS has said what time it is, a daemon that starts knows only its host's clock. */
static inline void restart_with_clock_off(struct world *world, int64_t off_ms)
{
    kill_daemon(world);
    virtual_loop_step_wall(world->loop, off_ms);
    world->sim->clock_offset_ms -= off_ms;
    start_daemon(world, STAGING, "");
}

#endif
