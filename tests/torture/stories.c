/* SPDX-License-Identifier: MIT */
#include "tests/torture/stories.h"

#include <errno.h>
#include <execinfo.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/in_process.h"
#include "sim/model.h"
#include "src/aws.h"
#include "src/cleanup.h"
#include "src/credentials.h"
#include "src/json.h"
#include "src/log.h"
#include "src/scheduler.h"
#include "src/state.h"
#include "tests/support/virtual_loop.h"
#include "tests/torture/allocator.h"

#define SECOND MS_PER_SECOND
#define MINUTE MS_PER_MINUTE
#define HOUR MS_PER_HOUR

#define REQUEST "10.0.0.7 - - \"GET /api/v1/orders HTTP/1.1\" 200"

/* Two looks, of which the first failed, and what a bad day adds. */
#define WAKE_MS (25 * MINUTE)

#define SHORTAGE_LOOK_MS (5 * SECOND)

/* Without a fault the daemon needs far less; with one it repeats what failed. */
#define PATIENCE_MS (6 * HOUR)

static const char SCENARIO[] =
    "{\"credentials\":[{\"access_key_id\":\"AKIDEXAMPLE\",\"secret_access_key\":"
    "\"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\"}],"
    "\"roles\":[{\"arn\":\"arn:aws:iam::123456789012:role/bastion\"},"
    "{\"arn\":\"arn:aws:iam::123456789012:role/sleeper\",\"external_id\":\"xyzzy\"}],"
    "\"imds\":{\"enabled\":true,\"role\":\"bastion\",\"session_s\":3600},"
    "\"settings\":{\"ingestion_delay_ms\":2000},"
    "\"clusters\":["
    "{\"name\":\"staging\",\"services\":["
    "{\"name\":\"gateway\",\"desired\":1,\"log_group\":\"/ecs/staging\"},"
    "{\"name\":\"api\",\"desired\":2},{\"name\":\"worker\",\"desired\":3},"
    "{\"name\":\"web\",\"desired\":1}]},"
    "{\"name\":\"busy\",\"services\":["
    "{\"name\":\"gateway\",\"desired\":1,\"log_group\":\"/ecs/busy\"},"
    "{\"name\":\"api\",\"desired\":4}]}]}";

/* Looks are far apart: the same things happen, in fewer allocations. */
#define RARELY "check_interval = 20min\npoll_interval = 10min\npoll_interval_awake = 10min\n"

static const char STAGING[] = "[environment staging]\n"
                              "cluster = staging\n"
                              "services = api, worker, web = 1\n"
                              "always_on = gateway\n"
                              "log_group = /ecs/staging\n"
                              "pattern = \"/api/v1/\"\n"
                              "exclude = /ELB-Health[A-Z][a-z]+/\n" RARELY;
static const char BUSY[] = "[environment busy]\n"
                           "cluster = busy\n"
                           "services = api\n"
                           "log_group = /ecs/busy\n" RARELY;

/* As in src/main.c. */
struct connection {
    struct http *http;
    struct credentials *credentials;
    struct aws *aws;
};

struct world {
    char directory[STORY_DIRECTORY_MAX];
    char config_path[128];
    struct loop *loop;
    struct sim *sim;
    struct connection connection;
    struct state *state;
    struct scheduler *scheduler;
    int64_t shortage_ms;
    struct mono short_since;
    struct wall last_request; /* to staging */
    struct wall busy_since;   /* the last request to busy */
};

static bool is_verbose;

void story_set_verbose(void)
{
    is_verbose = true;
}

_Noreturn void fail(const char *format, ...)
{
    va_list arguments;

    allocator.on_trial = false;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n    the first allocation that failed:\n", stderr);
    backtrace_symbols_fd(allocator.where, allocator.depth, STDERR_FILENO);
    _exit(EXIT_FAILURE);
}

/* --- the judge ---------------------------------------------------------------------------------- */

static int64_t count_before_sleep(const char *service)
{
    return strcmp(service, "api") == 0 ? 2 : strcmp(service, "worker") == 0 ? 3 : 1;
}

/* Every UpdateService, when it is about to act. */
static void judge(void *userdata, const struct sim_call *call, const struct sim_response *response)
{
    const struct world *world = userdata;
    const char *cluster = "", *service = "";
    int64_t count = -1;

    if (response || strcmp(call->operation, "UpdateService") != 0)
        return;
    (void)json_get_string(call->parameters, "cluster", &cluster);
    (void)json_get_string(call->parameters, "service", &service);
    (void)json_get_int(call->parameters, "desiredCount", &count);
    ensure(strcmp(cluster, "staging") == 0, "%s/%s was set to %lld", cluster, service,
           (long long)count);
    ensure(strcmp(service, "gateway") != 0, "the gateway was set to %lld", (long long)count);
    ensure(count == 0 || count == count_before_sleep(service), "%s was set to %lld", service,
           (long long)count);
    ensure(count > 0 || wall_since(call->now, world->last_request) >= HOUR,
           "%s was put to sleep while it is in use", service);
}

/* --wrap: the simulated AWS has all the memory that it wants. */
void __wrap_sim_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                       struct sim_response *ret);
void __real_sim_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                       struct sim_response *ret);
void __wrap_sim_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                       struct sim_response *ret)
{
    bool on_trial = allocator.on_trial;

    allocator.on_trial = false;
    __real_sim_handle(sim, now, request, ret);
    allocator.on_trial = on_trial;
}

static void hear(void *userdata, int level, const char *message_id, const struct log_field *fields,
                 size_t n_fields, const char *message)
{
    (void)userdata, (void)level, (void)message_id, (void)fields, (void)n_fields;
    if (is_verbose)
        fprintf(stderr, "    %s\n", message);
}

/* --- the daemon --------------------------------------------------------------------------------- */

static void write_config(const struct world *world, const char *first, const char *second,
                         const char *third)
{
    FILE *file = fopen(world->config_path, "w");

    ensure(file, "cannot write %s", world->config_path);
    fprintf(file, "[provisionerd]\nregion = eu-west-1\nstate_directory = %s\n%s%s%s",
            world->directory, first, second, third);
    ensure(fclose(file) == 0, "cannot write %s", world->config_path);
}

static void connection_close(struct connection *connection)
{
    aws_free(connection->aws);
    credentials_free(connection->credentials);
    http_free(connection->http);
    *connection = (struct connection){0};
}

static int connection_open(struct loop *loop, struct connection *ret)
{
    const struct credentials_options credentials_options = {.region = "eu-west-1"};
    const struct aws_options aws_options = {0};
    struct connection connection = {0};
    int r;

    if ((r = http_new(loop, NULL, &connection.http)) < 0 ||
        (r = credentials_new(loop, connection.http, &credentials_options,
                             &connection.credentials)) < 0 ||
        (r = aws_new(loop, connection.http, connection.credentials, &aws_options,
                     &connection.aws)) < 0) {
        connection_close(&connection);
        return r;
    }
    *ret = connection;
    return 0;
}

/* As SIGKILL does, and an exit on failure. */
static void end_daemon(struct world *world)
{
    world->scheduler = scheduler_free(world->scheduler);
    world->state = state_free(world->state);
    connection_close(&world->connection);
}

static int begin_daemon(struct world *world)
{
    struct scheduler_options options = {.loop = world->loop};
    _cleanup_free_ char *errors = NULL, *trouble = NULL;
    struct config *config;
    int r;

    if ((r = config_load(world->config_path, &config, &errors)) < 0) {
        ensure(r == -ENOMEM || errors, "an error without a text");
        return r;
    }
    if ((r = connection_open(world->loop, &world->connection)) < 0 ||
        (r = state_open(world->directory, STATE_READ_WRITE, loop_wall(world->loop), &world->state,
                        &trouble)) < 0) {
        config_free(config);
        return r;
    }
    options.aws = world->connection.aws;
    options.state = world->state;
    return scheduler_new(&options, config, &world->scheduler);
}

/* As systemd does: what failed to start is started again. */
static void start_daemon(struct world *world)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        allocator.on_trial = true;
        int r = begin_daemon(world);

        if (r < 0)
            end_daemon(world);
        allocator.on_trial = false;
        if (r == 0)
            return;
        ensure(allocator.n_failed > 0, "it does not start: %s", strerror(-r));
        allocator.fails_count = 0; /* by then there is memory again */
    }
    ensure(false, "it does not start");
}

static void kill_daemon(struct world *world)
{
    allocator.on_trial = true;
    end_daemon(world);
    allocator.on_trial = false;
}

/* Goes over to the configuration as it is on disk, by way of a new connection if there is one. */
static int apply_config(struct world *world, const struct connection *connection)
{
    _cleanup_free_ char *errors = NULL, *difference = NULL;
    struct config *config = NULL;
    int r = config_load(world->config_path, &config, &errors);

    if (r == 0)
        r = config_difference(scheduler_config(world->scheduler), config, &difference);
    if (r < 0) {
        config_free(config);
        return r;
    }
    return scheduler_reload(world->scheduler, connection->aws, config);
}

static int try_reload(struct world *world, bool reconnects)
{
    struct connection old = world->connection, new = old;
    int r = reconnects ? connection_open(world->loop, &new) : 0;

    if (r < 0)
        return r;
    r = apply_config(world, &new);
    if (reconnects)
        connection_close(r < 0 ? &new : &old);
    if (r == 0)
        world->connection = new;
    return r;
}

/* SIGHUP, as often as it takes. */
static void reload(struct world *world, bool reconnects)
{
    int r = -EAGAIN;

    for (int attempt = 0; r < 0 && attempt < 2; attempt++) {
        allocator.on_trial = true;
        r = try_reload(world, reconnects);
        allocator.on_trial = false;
        if (r < 0) {
            ensure(allocator.n_failed > 0, "it does not reload: %s", strerror(-r));
            allocator.fails_count = 0;
        }
    }
    ensure(r == 0, "it does not reload");
}

/* --- the world ---------------------------------------------------------------------------------- */

static struct sim_service *service(const struct world *world, const char *cluster, const char *name)
{
    struct sim_service *found = sim_service_find(sim_cluster_find(world->sim, cluster), name);

    ensure(found, "there is no %s/%s", cluster, name);
    return found;
}

static bool has_counts(struct world *world, int api, int worker, int web)
{
    const char *const names[] = {"api", "worker", "web"};
    const int64_t wanted[] = {api, worker, web};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct sim_service_truth truth;

        sim_service_truth(world->sim, service(world, "staging", names[i]), loop_wall(world->loop),
                          &truth);
        if (truth.desired != wanted[i])
            return false;
    }
    return true;
}

static bool is_asleep(struct world *world)
{
    return has_counts(world, 0, 0, 0);
}

static bool is_up(struct world *world)
{
    return has_counts(world, 2, 3, 1);
}

/* Awake, and nothing is owed any more. */
static bool is_awake(struct world *world)
{
    return is_up(world) && !state_find(world->state, "staging", "staging");
}

static void request(struct world *world, const char *cluster)
{
    bool served = false;
    int r = sim_request_arrives(world->sim, service(world, cluster, "gateway"), REQUEST,
                                loop_wall(world->loop), &served);

    ensure(r == 0 && served, "nobody serves a request to %s", cluster);
    if (strcmp(cluster, "staging") == 0)
        world->last_request = loop_wall(world->loop);
    else
        world->busy_since = loop_wall(world->loop);
}

static void end_shortage(struct world *world)
{
    if (allocator.n_failed == 0 || allocator.fails_count <= 1)
        return;
    if (world->short_since.ms == MONO_NEVER.ms)
        world->short_since = loop_mono(world->loop);
    if (mono_since(loop_mono(world->loop), world->short_since) >= world->shortage_ms)
        allocator.fails_count = 0;
}

static void pass(struct world *world, int64_t duration_ms)
{
    while (duration_ms > 0) {
        int64_t piece_ms = duration_ms < SHORTAGE_LOOK_MS ? duration_ms : SHORTAGE_LOOK_MS;

        allocator.on_trial = true;
        virtual_loop_run_for(world->loop, piece_ms);
        allocator.on_trial = false;
        duration_ms -= piece_ms;
        end_shortage(world);
    }
    if (wall_since(loop_wall(world->loop), world->busy_since) > 30 * MINUTE)
        request(world, "busy");
}

static void pass_until(struct world *world, bool (*is_so)(struct world *world), const char *what)
{
    for (int64_t waited_ms = 0; !is_so(world); waited_ms += MINUTE) {
        ensure(waited_ms < PATIENCE_MS, "it never came to be %s", what);
        pass(world, MINUTE);
    }
}

static void wake(struct world *world)
{
    int64_t needed_ms;

    request(world, "staging");
    pass_until(world, is_up, "up");
    needed_ms = wall_since(loop_wall(world->loop), world->last_request);
    ensure(needed_ms <= world->shortage_ms + WAKE_MS, "it woke late, after %lld minutes",
           (long long)(needed_ms / MINUTE));
    pass_until(world, is_awake, "awake");
}

static void fault(struct world *world, enum sim_fault_kind kind, const char *operation,
                  int64_t count)
{
    struct sim_fault_rule rule = SIM_FAULT_RULE(kind);

    rule.operation = operation;
    rule.count = count;
    ensure(sim_fault_add(world->sim, &rule, NULL) == 0, "out of memory");
}

/* --- the stories -------------------------------------------------------------------------------- */

/* Idle, asleep, a request, awake; reloaded, asleep again, killed, started, awake. */
static void tell_a_day(struct world *world)
{
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 1);
    write_config(world, STAGING, BUSY, "");
    start_daemon(world);
    pass_until(world, is_asleep, "asleep");
    pass(world, 25 * MINUTE);
    wake(world);
    write_config(world, BUSY, STAGING, "window = 61min\n");
    reload(world, false);
    pass_until(world, is_asleep, "asleep again");
    kill_daemon(world);
    start_daemon(world);
    wake(world);
    allocator.on_trial = true;
    scheduler_stop(world->scheduler);
    allocator.on_trial = false;
    pass(world, 15 * SECOND);
    ensure(aws_calls_pending(world->connection.aws) == 0, "calls are left over");
}

/* Every kind of trouble along the same way, under a role's credentials that expire. */
static void tell_a_bad_day(struct world *world)
{
    /* For putenv(), which borrows: setenv() would keep a copy of each value. */
    static char variable[192];
    FILE *file;

    snprintf(variable, sizeof(variable), "AWS_CONFIG_FILE=%s.aws", world->config_path);
    const char *path = strchr(variable, '=') + 1;
    file = fopen(path, "w");
    ensure(file, "cannot write %s", path);
    fputs("[default]\nrole_arn = arn:aws:iam::123456789012:role/sleeper\n"
          "credential_source = Ec2InstanceMetadata\nexternal_id = xyzzy\n",
          file);
    ensure(fclose(file) == 0, "cannot write %s", path);
    unsetenv("AWS_ACCESS_KEY_ID"); /* of the other story */
    unsetenv("AWS_SECRET_ACCESS_KEY");
    ensure(putenv(variable) == 0, "out of memory");
    write_config(world, STAGING, BUSY, "");
    fault(world, SIM_FAULT_EXPIRED_TOKEN, "DescribeServices", 1);
    fault(world, SIM_FAULT_ACCESS_DENIED, "FilterLogEvents", 2);
    fault(world, SIM_FAULT_QUERY_FAILED, "StartQuery", 1);
    fault(world, SIM_FAULT_UPDATE_ANSWER_LOST, "UpdateService", 1);
    start_daemon(world);
    pass_until(world, is_asleep, "asleep");
    fault(world, SIM_FAULT_THROTTLE, "FilterLogEvents", 2);
    fault(world, SIM_FAULT_GARBAGE, "FilterLogEvents", 1);
    fault(world, SIM_FAULT_RESET, "DescribeServices", 1);
    fault(world, SIM_FAULT_HTTP_503, "UpdateService", 4);
    ensure(sim_setting_set(world->sim, "empty_pages", 3) == 0, "no such setting");
    wake(world);
    write_config(world, BUSY, STAGING, "on_remove = wake\n");
    reload(world, false);
    pass_until(world, is_asleep, "asleep again");
    write_config(world, BUSY, "", "");
    reload(world, true);
    pass_until(world, is_awake, "awake, being removed");
}

const struct story STORIES[N_STORIES] = {{"day", tell_a_day}, {"bad-day", tell_a_bad_day}};

void story_tell(const struct story *story, const char *directory, uint64_t shortage_s)
{
    struct world *world = calloc(1, sizeof(*world));
    struct json_object *scenario = json_tokener_parse(SCENARIO);
    char *error = NULL;

    ensure(world && scenario, "out of memory");
    snprintf(world->directory, sizeof(world->directory), "%s", directory);
    snprintf(world->config_path, sizeof(world->config_path), "%s/config.ini", directory);
    ensure(loop_new(&world->loop) == 0, "out of memory");
    ensure(sim_new(scenario, loop_wall(world->loop), &world->sim, &error) == 0, "%s", error);
    json_object_put(scenario);
    in_process_attach(world->sim);
    sim_set_observer(world->sim, judge, world);
    log_set_max_level(LOG_INFO);
    log_set_sink(hear, NULL);
    world->last_request = WALL_NEVER;
    world->short_since = MONO_NEVER;
    world->shortage_ms = (int64_t)shortage_s * SECOND;
    request(world, "busy");

    story->tell(world);

    kill_daemon(world);
    ensure(virtual_loop_timers(world->loop) == 0, "timers are left over");
    in_process_attach(NULL);
    sim_free(world->sim);
    loop_free(world->loop);
    free(world);
    OPENSSL_thread_stop(); /* it keeps a ring of what went wrong */
}
