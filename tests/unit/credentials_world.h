/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_CREDENTIALS_WORLD_H
#define PROVISIONERD_TESTS_CREDENTIALS_WORLD_H

/*
 * The world of the tests of the credentials provider: a home directory, the environment, scripted
 * sources, virtual time, and clients who ask. Included by one test program each.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/credentials.h"
#include "src/log.h"
#include "tests/support/fake_http.h"
#include "tests/support/virtual_loop.h"

#define MINUTE MS_PER_MINUTE
#define SECOND MS_PER_SECOND
#define HOUR MS_PER_HOUR

#define IMDS_TOKEN "/latest/api/token"
#define IMDS_ROLE "/latest/meta-data/iam/security-credentials/"
#define IMDS_KEYS "/latest/meta-data/iam/security-credentials/bastion"
#define IMDS_REGION "/latest/meta-data/placement/region"
#define CONTAINER "/v2/credentials/task"
#define STS "/"

#define ROLE_A "arn:aws:iam::111111111111:role/a"
#define ROLE_B "arn:aws:iam::111111111111:role/b"

/* The virtual day begins at noon of this day. */
#define AT(clock) "2026-03-02T" clock "Z"

/* --- http.h: the fake, and a look at what must never go through a proxy -------------------------- */

static unsigned n_direct, n_by_proxy;

int http_new(struct loop *loop, const struct http_options *options, struct http **ret)
{
    (void)options;
    return fake_http_new(loop, ret);
}

struct http *http_free(struct http *http)
{
    return fake_http_free(http);
}

int http_send(struct http *http, const struct http_request *request, http_done_fn *done,
              void *userdata, struct http_call **ret)
{
    if (request->direct)
        n_direct++;
    else
        n_by_proxy++;
    assert_int_equal(request->direct, strncmp(request->url, "http://", 7) == 0);
    assert_int_equal(request->response_size_max, 64 * 1024);
    return fake_http_send(http, request, done, userdata, ret);
}

void http_cancel(struct http_call *call)
{
    fake_http_cancel(call);
}

const char *http_response_header(const struct http_response *response, const char *name)
{
    return fake_http_response_header(response, name);
}

/* --- the world --------------------------------------------------------------------------------- */

struct client {
    struct credentials_request *request;
    unsigned n_answers;
    int error;
    char why[1200];
    char id[64];
    char token[64];
    char region[64];
    struct credentials *frees; /* from within its callback */
    struct client *asks;       /* likewise */
    struct client *cancels;
    struct credentials *credentials;
};

struct world {
    char home[64];
    struct loop *loop;
    struct http *http;
    struct credentials *credentials;
    unsigned n_warnings, n_notices;
    char last_log[1400];
};

static inline void note_log(void *userdata, int level, const char *message_id,
                            const struct log_field *fields, size_t n_fields, const char *message)
{
    struct world *world = userdata;

    (void)message_id, (void)fields, (void)n_fields;
    world->n_warnings += level == LOG_WARNING;
    world->n_notices += level == LOG_NOTICE;
    assert_null(strstr(message, "geheim"));
    if (level <= LOG_NOTICE)
        snprintf(world->last_log, sizeof(world->last_log), "%s", message);
}

static inline const char *path_in(struct world *world, const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", world->home, name);
    return path;
}

static inline void given_file(struct world *world, const char *name, const char *text)
{
    char temporary[160];

    /* Renamed into its place, so that each has another inode. */
    snprintf(temporary, sizeof(temporary), "%s.new", path_in(world, name));
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    assert_int_equal(rename(temporary, path_in(world, name)), 0);
}

static inline void given(const char *variable, const char *value)
{
    assert_int_equal(setenv(variable, value, 1), 0);
}

static inline void given_options(struct world *world, const struct credentials_options *options)
{
    credentials_free(world->credentials);
    assert_int_equal(credentials_new(world->loop, world->http, options, &world->credentials), 0);
}

static inline int set_up(void **state)
{
    static const char *const variables[] = {"AWS_ACCESS_KEY_ID",
                                            "AWS_SECRET_ACCESS_KEY",
                                            "AWS_SESSION_TOKEN",
                                            "AWS_REGION",
                                            "AWS_DEFAULT_REGION",
                                            "AWS_PROFILE",
                                            "AWS_SHARED_CREDENTIALS_FILE",
                                            "AWS_CONFIG_FILE",
                                            "CREDENTIALS_DIRECTORY",
                                            "AWS_WEB_IDENTITY_TOKEN_FILE",
                                            "AWS_ROLE_ARN",
                                            "AWS_ROLE_SESSION_NAME",
                                            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                            "AWS_EC2_METADATA_DISABLED",
                                            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
                                            "AWS_ENDPOINT_URL",
                                            "AWS_ENDPOINT_URL_STS",
                                            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
                                            "AWS_USE_FIPS_ENDPOINT",
                                            "AWS_USE_DUALSTACK_ENDPOINT"};
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++)
        unsetenv(variables[i]);
    strcpy(world->home, "/tmp/test-credentials-XXXXXX");
    assert_non_null(mkdtemp(world->home));
    assert_int_equal(mkdir(path_in(world, ".aws"), 0700), 0);
    given("HOME", world->home);
    log_set_sink(note_log, world);
    n_direct = n_by_proxy = 0;
    assert_int_equal(loop_new(&world->loop), 0);
    assert_int_equal(http_new(world->loop, NULL, &world->http), 0);
    given_options(world, &(struct credentials_options){0});
    *state = world;
    return 0;
}

static inline int tear_down(void **state)
{
    static const char *const names[] = {".aws/credentials", ".aws/config", "token", ".aws"};
    struct world *world = *state;

    credentials_free(world->credentials);
    assert_int_equal(fake_http_n_unanswered(world->http), 0);
    http_free(world->http);
    assert_int_equal(virtual_loop_timers(world->loop), 0);
    loop_free(world->loop);
    log_set_sink(NULL, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        remove(path_in(world, names[i]));
    assert_int_equal(rmdir(world->home), 0);
    free(world);
    return 0;
}

static inline void came(void *userdata, int error, const char *why,
                        const struct sigv4_credentials *keys, const char *region);

static inline void ask(struct world *world, struct client *client)
{
    assert_int_equal(credentials_get(world->credentials, came, client, &client->request), 0);
}

static inline void came(void *userdata, int error, const char *why,
                        const struct sigv4_credentials *keys, const char *region)
{
    struct client *client = userdata;

    client->request = NULL;
    client->n_answers++;
    client->error = error;
    client->why[0] = client->id[0] = client->token[0] = client->region[0] = '\0';
    if (error < 0) {
        assert_null(keys);
        assert_null(region);
        snprintf(client->why, sizeof(client->why), "%s", why);
        assert_null(strstr(why, "geheim"));
    } else {
        assert_null(why);
        snprintf(client->id, sizeof(client->id), "%s", keys->access_key_id);
        snprintf(client->token, sizeof(client->token), "%s",
                 keys->session_token ? keys->session_token : "");
        snprintf(client->region, sizeof(client->region), "%s", region);
    }
    if (client->asks)
        assert_int_equal(
            credentials_get(client->credentials, came, client->asks, &client->asks->request), 0);
    if (client->cancels)
        credentials_request_cancel(client->cancels->request);
    if (client->frees)
        credentials_free(client->frees);
}

static inline struct client get(struct world *world)
{
    struct client client = {0};

    ask(world, &client);
    assert_int_equal(client.n_answers, 0); /* never from within */
    for (unsigned i = 0; i < 600 && client.n_answers == 0; i++)
        virtual_loop_run_for(world->loop, i < 10 ? 20 : 100);
    assert_int_equal(client.n_answers, 1);
    return client;
}

static inline void expect_keys(struct world *world, const char *id)
{
    struct client client = get(world);

    if (client.error < 0)
        fail_msg("%s", client.why);
    assert_string_equal(client.id, id);
}

static inline void expect_error(struct world *world, int error, const char *why)
{
    struct client client = get(world);

    assert_int_equal(client.error, error);
    if (!strstr(client.why, why))
        fail_msg("it says: %s", client.why);
}

static inline void pass(struct world *world, int64_t duration_ms)
{
    virtual_loop_run_for(world->loop, duration_ms);
}

static inline size_t n_requests(struct world *world)
{
    return fake_http_n_requests(world->http);
}

static inline void sts_answers(struct world *world, const char *action, const char *id,
                               const char *end)
{
    char body[1024];

    snprintf(body, sizeof(body),
             "<%sResponse><%sResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>"
             "geheim-%s</SecretAccessKey><SessionToken>token-%s</SessionToken><Expiration>%s"
             "</Expiration></Credentials></%sResult></%sResponse>",
             action, action, id, id, id, end, action, action);
    fake_http_answer(world->http, STS, 200, body);
}

static inline void sts_refuses(struct world *world, int status, const char *code,
                               const char *message)
{
    char body[1024];

    snprintf(body, sizeof(body),
             "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>"
             "<RequestId>r</RequestId></ErrorResponse>",
             code, message);
    fake_http_answer(world->http, STS, status, body);
}

static inline void json_answers(struct world *world, const char *path, const char *id,
                                const char *end)
{
    char body[512];

    snprintf(body, sizeof(body),
             "{\"Code\":\"Success\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"geheim-%s\","
             "\"Token\":\"token-%s\",\"Expiration\":\"%s\"}",
             id, id, id, end);
    fake_http_answer(world->http, path, 200, body);
}

static inline void instance_gives(struct world *world, const char *id, const char *end)
{
    fake_http_answer(world->http, IMDS_ROLE, 200, "bastion");
    json_answers(world, IMDS_KEYS, id, end);
}

/* An instance in Ireland with keys until six, asked for the first time. */
static inline void given_instance_keys(struct world *world)
{
    fake_http_answer(world->http, IMDS_TOKEN, 200, "session");
    instance_gives(world, "ASIAONE", AT("18:00:00"));
    fake_http_answer(world->http, IMDS_REGION, 200, "eu-west-1");
    expect_keys(world, "ASIAONE");
}

static inline void pass_until(struct world *world, int hour, int minute)
{
    struct wall then = wall_add(VIRTUAL_LOOP_START, (hour - 12) * HOUR + minute * MINUTE);

    pass(world, wall_since(then, loop_wall(world->loop)));
}

static inline void given_region(void)
{
    given("AWS_REGION", "eu-west-1");
}

static inline void given_task_endpoint(void)
{
    given("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", CONTAINER);
    given_region();
}

/* ROLE_A by way of ROLE_B by way of keys in a file. */
static inline void given_chain(struct world *world)
{
    given_file(world, ".aws/config",
               "[default]\nregion = eu-west-1\nrole_arn = " ROLE_A "\n"
               "source_profile = middle\nexternal_id = ext\n"
               "[profile middle]\nrole_arn = " ROLE_B "\n"
               "source_profile = base\n");
    given_file(world, ".aws/credentials",
               "[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = geheim\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
