/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "exchange.h"
#include "replay.h"
#include "server.h"
#include "sim/model.h"
#include "src/cleanup.h"
#include "src/json.h"
#include "src/log.h"

/* provisionerd-sim: the simulated AWS as a program. Reads its options, wires, and serves. */

#define FILE_SIZE_MAX ((long)64 * 1024 * 1024)

/* Without --scenario. Settings are the model's own. */
static const char default_scenario[] =
    "{\"credentials\": [{\"access_key_id\": \"AKIDEXAMPLE\","
    "  \"secret_access_key\": \"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\"}],"
    " \"log_groups\": [{\"name\": \"/ecs/staging/gateway\"}],"
    " \"clusters\": [{\"name\": \"staging\", \"services\": ["
    "  {\"name\": \"gateway\", \"desired\": 1, \"log_group\": \"/ecs/staging/gateway\"},"
    "  {\"name\": \"api\", \"desired\": 2},"
    "  {\"name\": \"worker\", \"desired\": 3},"
    "  {\"name\": \"web\", \"desired\": 1}]}]}";

static const char usage[] =
    "Usage: provisionerd-sim [OPTION]...\n"
    "A simulated AWS: CloudWatch Logs, ECS, STS, IMDSv2 and the container credentials endpoint.\n"
    "\n"
    "      --scenario FILE         the world to begin with, as JSON (default: cluster staging)\n"
    "      --policy FILE           what every key and role may do: an IAM policy document, JSON\n"
    "      --listen ADDR:PORT      HTTP (default 127.0.0.1:4566); port 0 picks one\n"
    "      --https-listen ADDR:PORT  HTTPS too, with --cert FILE and --key FILE (PEM)\n"
    "      --port-file FILE        write {\"http\": N, \"https\": N} there when ready\n"
    "      --allow-remote          listen on other than loopback addresses if told so\n"
    "      --replay FILE           send the requests of an access log again\n"
    "      --replay-format FORMAT  auto (default), common, combined, filter-log-events-json\n"
    "      --replay-to CLUSTER/SERVICE  who gets them (default: the first service with a log "
    "group)\n"
    "      --speed N               N times as fast as they came (default 1)\n"
    "      --help, --version\n"
    "\n"
    "The administration interface is below /_sim/; scenario, faults and all the rest are "
    "described\n"
    "in sim/README.md.\n";

struct options {
    const char *scenario, *policy;
    const char *certificate, *private_key; /* files */
    const char *port_file;
    const char *replay, *replay_to;
    enum replay_format replay_format;
    double speed;
    struct server_options server;
};

struct program {
    struct sim *sim;
    struct server *server;
    struct replay *replay;
    struct sim_service *replay_to;
    uint64_t served, lost;
    bool replay_reported;
};

/* Options */

static int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("provisionerd-sim: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return -EINVAL;
}

static int parse_speed(const char *text, double *ret)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= REPLAY_SPEED_MIN && value <= REPLAY_SPEED_MAX))
        return complain("--speed %s: a number from %g to %g is needed", text, REPLAY_SPEED_MIN,
                        REPLAY_SPEED_MAX);
    *ret = value;
    return 0;
}

enum {
    OPTION_SCENARIO = 1,
    OPTION_POLICY,
    OPTION_LISTEN,
    OPTION_HTTPS_LISTEN,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_PORT_FILE,
    OPTION_ALLOW_REMOTE,
    OPTION_REPLAY,
    OPTION_REPLAY_FORMAT,
    OPTION_REPLAY_TO,
    OPTION_SPEED,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"scenario", required_argument, NULL, OPTION_SCENARIO},
    {"policy", required_argument, NULL, OPTION_POLICY},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"https-listen", required_argument, NULL, OPTION_HTTPS_LISTEN},
    {"cert", required_argument, NULL, OPTION_CERT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"port-file", required_argument, NULL, OPTION_PORT_FILE},
    {"allow-remote", no_argument, NULL, OPTION_ALLOW_REMOTE},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"replay-format", required_argument, NULL, OPTION_REPLAY_FORMAT},
    {"replay-to", required_argument, NULL, OPTION_REPLAY_TO},
    {"speed", required_argument, NULL, OPTION_SPEED},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static int parse_option(struct options *options, int option)
{
    switch (option) {
    case OPTION_SCENARIO:
        options->scenario = optarg;
        return 0;
    case OPTION_POLICY:
        options->policy = optarg;
        return 0;
    case OPTION_LISTEN:
        options->server.http_listen = optarg;
        return 0;
    case OPTION_HTTPS_LISTEN:
        options->server.https_listen = optarg;
        return 0;
    case OPTION_CERT:
        options->certificate = optarg;
        return 0;
    case OPTION_KEY:
        options->private_key = optarg;
        return 0;
    case OPTION_PORT_FILE:
        options->port_file = optarg;
        return 0;
    case OPTION_ALLOW_REMOTE:
        options->server.allow_remote = true;
        return 0;
    case OPTION_REPLAY:
        options->replay = optarg;
        return 0;
    case OPTION_REPLAY_FORMAT:
        return replay_format_parse(optarg, &options->replay_format) == 0
                   ? 0
                   : complain("--replay-format %s: auto, common, combined or "
                              "filter-log-events-json is needed",
                              optarg);
    case OPTION_REPLAY_TO:
        options->replay_to = optarg;
        return 0;
    case OPTION_SPEED:
        return parse_speed(optarg, &options->speed);
    default:
        return -EINVAL; /* getopt_long has said why */
    }
}

/* Returns 0, 1 (nothing is left to do) or -EINVAL. */
static int parse_options(int argc, char **argv, struct options *ret)
{
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPTION_HELP) {
            fputs(usage, stdout);
            return 1;
        }
        if (option == OPTION_VERSION) {
            puts("provisionerd-sim " PROVISIONERD_VERSION);
            return 1;
        }
        int r = parse_option(ret, option);
        if (r < 0)
            return r;
    }
    if (optind < argc)
        return complain("what is '%s'? See --help", argv[optind]);
    if (ret->server.https_listen && (!ret->certificate || !ret->private_key))
        return complain("--https-listen needs --cert and --key");
    if (!ret->replay && ret->replay_to)
        return complain("--replay-to needs --replay");
    return 0;
}

/* Files */

/* All of it, NUL-terminated. Complains. */
static int read_file(const char *path, char **ret, size_t *ret_size)
{
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    if (!file)
        return complain("%s: %s", path, strerror(errno));
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    for (;;) {
        enum { STEP = 65536 };
        char *grown = realloc(text, size + STEP + 1);
        if (!grown)
            return complain("%s: %s", path, strerror(ENOMEM));
        text = grown;
        size_t n = fread(text + size, 1, STEP, file);
        size += n;
        text[size] = '\0';
        if (n < STEP)
            break;
        if (size > FILE_SIZE_MAX)
            return complain("%s: larger than %ld bytes", path, FILE_SIZE_MAX);
    }
    if (ferror(file))
        return complain("%s: cannot be read", path);
    *ret = TAKE(text);
    if (ret_size)
        *ret_size = size;
    return 0;
}

/* Whoever waits for the file sees it whole or not at all. */
static int write_port_file(const char *path, const struct server *server)
{
    _cleanup_free_ char *temporary = NULL;
    if (asprintf(&temporary, "%s.new", path) < 0) {
        temporary = NULL;
        return complain("%s: %s", path, strerror(ENOMEM));
    }
    FILE *file = fopen(temporary, "we");
    if (!file)
        return complain("%s: %s", temporary, strerror(errno));
    bool written = fprintf(file, "{\"http\": %u, \"https\": %u}\n", server_http_port(server),
                           server_https_port(server)) > 0;
    written = fclose(file) == 0 && written;
    if (!written || rename(temporary, path) < 0) {
        int r = complain("%s: %s", path, strerror(errno));
        unlink(temporary);
        return r;
    }
    return 0;
}

/* Wiring */

static int load_world(struct program *program, const char *path)
{
    _cleanup_free_ char *text = NULL;
    size_t size = sizeof(default_scenario) - 1;
    if (path) {
        int r = read_file(path, &text, &size);
        if (r < 0)
            return r;
    }
    _cleanup_json_ struct json_object *scenario = NULL;
    if (json_parse(text ? text : default_scenario, size, &scenario) < 0)
        return complain("%s: not JSON", path ? path : "built-in scenario");

    _cleanup_free_ char *error = NULL;
    int r = sim_new(scenario, exchange_wall(NULL), &program->sim, &error);
    if (r < 0)
        return complain("%s: %s", path ? path : "built-in scenario", error ? error : strerror(-r));
    return 0;
}

static int load_policy(struct program *program, const char *path)
{
    _cleanup_free_ char *text = NULL, *error = NULL;
    _cleanup_json_ struct json_object *document = NULL;
    size_t size = 0;
    int r = read_file(path, &text, &size);
    if (r < 0)
        return r;
    if (json_parse(text, size, &document) < 0)
        return complain("%s: not JSON", path);
    r = sim_policy_set(program->sim, NULL, document, &error);
    return r < 0 ? complain("%s: %s", path, error ? error : strerror(-r)) : 0;
}

static int start_server(struct program *program, struct options *options)
{
    _cleanup_free_ char *certificate = NULL;
    _cleanup_free_ char *private_key = NULL;
    if (options->server.https_listen) {
        int r = read_file(options->certificate, &certificate, NULL);
        if (r == 0)
            r = read_file(options->private_key, &private_key, NULL);
        if (r < 0)
            return r;
    }
    struct server_options wanted = options->server;
    wanted.certificate = certificate;
    wanted.private_key = private_key;
    _cleanup_free_ char *error = NULL;
    int r = server_new(program->sim, &wanted, &program->server, &error);
    return r < 0 ? complain("%s", error ? error : strerror(-r)) : 0;
}

static struct sim_service *first_service_with_log(const struct sim *sim)
{
    for (size_t c = 0; c < sim_clusters_count(sim); c++) {
        const struct sim_cluster *cluster = sim_cluster_at(sim, c);
        for (size_t s = 0; s < sim_services_count(cluster); s++) {
            struct sim_service *service = sim_service_at(cluster, s);
            if (sim_service_log_group(service))
                return service;
        }
    }
    return NULL;
}

static struct sim_service *find_service(const struct sim *sim, const char *cluster_and_service)
{
    _cleanup_free_ char *cluster_name = strdup(cluster_and_service);
    char *slash = cluster_name ? strchr(cluster_name, '/') : NULL;
    if (!slash)
        return NULL;
    *slash = '\0';
    const struct sim_cluster *cluster = sim_cluster_find(sim, cluster_name);
    return cluster ? sim_service_find(cluster, slash + 1) : NULL;
}

static int start_replay(struct program *program, const struct options *options)
{
    if (!options->replay)
        return 0;
    program->replay_to = options->replay_to ? find_service(program->sim, options->replay_to)
                                            : first_service_with_log(program->sim);
    if (!program->replay_to || !sim_service_log_group(program->replay_to))
        return complain("--replay-to %s: there is no such service with a log group",
                        options->replay_to ? options->replay_to : "(any)");
    int r = replay_new(options->replay, options->replay_format, options->speed, &program->replay);
    if (r == -EBADMSG)
        return complain("%s: no record of the format in it", options->replay);
    return r < 0 ? complain("%s: %s", options->replay, strerror(-r)) : 0;
}

/* Replay */

static void request_arrives(void *userdata, const char *message)
{
    struct program *program = userdata;
    bool served = false;
    if (sim_request_arrives(program->sim, program->replay_to, message, exchange_wall(program->sim),
                            &served) < 0)
        log_warning("A request of the replay could not be taken: out of memory.");
    if (served)
        program->served++;
    else
        program->lost++;
}

static int64_t work(void *userdata)
{
    struct program *program = userdata;
    int64_t next_ms = replay_advance(program->replay, exchange_mono(), request_arrives, program);
    if (next_ms < 0 && !program->replay_reported) {
        program->replay_reported = true;
        struct replay_counts counts = replay_counts(program->replay);
        printf("replay is over: %llu requests (%llu found no running task), %llu malformed records "
               "skipped%s\n",
               (unsigned long long)counts.records, (unsigned long long)program->lost,
               (unsigned long long)counts.malformed,
               replay_error(program->replay) < 0 ? "; then the file could not be read" : "");
        fflush(stdout);
    }
    return next_ms;
}

/* Signals */

static int open_signals(int *ret_fd)
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &ending, NULL) < 0)
        return complain("signals: %s", strerror(errno));
    *ret_fd = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? complain("signals: %s", strerror(errno)) : 0;
}

static void tell_ready(const struct options *options, const struct server *server)
{
    /* The address as it was given, the port as it came out. */
    const char *http = options->server.http_listen;
    printf("listening on http://%.*s:%u\n", (int)(strrchr(http, ':') - http), http,
           server_http_port(server));
    const char *https = options->server.https_listen;
    if (https)
        printf("listening on https://%.*s:%u\n", (int)(strrchr(https, ':') - https), https,
               server_https_port(server));
    fflush(stdout);
}

static int run(struct program *program, struct options *options)
{
    _cleanup_close_ int signals = -1;
    int r = open_signals(&signals);
    if (r == 0)
        r = load_world(program, options->scenario);
    if (r == 0 && options->policy)
        r = load_policy(program, options->policy);
    if (r == 0)
        r = start_replay(program, options);
    if (r == 0)
        r = start_server(program, options);
    if (r == 0 && options->port_file)
        r = write_port_file(options->port_file, program->server);
    if (r < 0)
        return r;
    tell_ready(options, program->server);
    r = server_run(program->server, signals, program->replay ? work : NULL, program);
    return r < 0 ? complain("%s", strerror(-r)) : 0;
}

int main(int argc, char **argv)
{
    log_open();
    struct options options = {
        .replay_format = REPLAY_AUTO,
        .speed = 1,
        .server = {.http_listen = "127.0.0.1:4566"},
    };
    int r = parse_options(argc, argv, &options);
    if (r != 0)
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

    struct program program = {.sim = NULL};
    r = run(&program, &options);
    replay_free(program.replay);
    server_free(program.server);
    sim_free(program.sim);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
