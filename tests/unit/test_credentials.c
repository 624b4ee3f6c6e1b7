/* SPDX-License-Identifier: MIT */

/* The provider under virtual time: what is asked of which source and when, who is served what. */

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

static void note_log(void *userdata, int level, const char *message_id,
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

static const char *path_in(struct world *world, const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", world->home, name);
    return path;
}

static void given_file(struct world *world, const char *name, const char *text)
{
    char temporary[128];

    /* Renamed into its place, so that each has another inode. */
    snprintf(temporary, sizeof(temporary), "%s.new", path_in(world, name));
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    assert_int_equal(rename(temporary, path_in(world, name)), 0);
}

static void given(const char *variable, const char *value)
{
    assert_int_equal(setenv(variable, value, 1), 0);
}

static void given_options(struct world *world, const struct credentials_options *options)
{
    credentials_free(world->credentials);
    assert_int_equal(credentials_new(world->loop, world->http, options, &world->credentials), 0);
}

static int set_up(void **state)
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

static int tear_down(void **state)
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

static void came(void *userdata, int error, const char *why, const struct sigv4_credentials *keys,
                 const char *region);

static void ask(struct world *world, struct client *client)
{
    assert_int_equal(credentials_get(world->credentials, came, client, &client->request), 0);
}

static void came(void *userdata, int error, const char *why, const struct sigv4_credentials *keys,
                 const char *region)
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

static struct client get(struct world *world)
{
    struct client client = {0};

    ask(world, &client);
    assert_int_equal(client.n_answers, 0); /* never from within */
    for (unsigned i = 0; i < 600 && client.n_answers == 0; i++)
        virtual_loop_run_for(world->loop, i < 10 ? 20 : 100);
    assert_int_equal(client.n_answers, 1);
    return client;
}

static void expect_keys(struct world *world, const char *id)
{
    struct client client = get(world);

    if (client.error < 0)
        fail_msg("%s", client.why);
    assert_string_equal(client.id, id);
}

static void expect_error(struct world *world, int error, const char *why)
{
    struct client client = get(world);

    assert_int_equal(client.error, error);
    if (!strstr(client.why, why))
        fail_msg("it says: %s", client.why);
}

static void pass(struct world *world, int64_t duration_ms)
{
    virtual_loop_run_for(world->loop, duration_ms);
}

static size_t n_requests(struct world *world)
{
    return fake_http_n_requests(world->http);
}

static void sts_answers(struct world *world, const char *action, const char *id, const char *end)
{
    char body[1024];

    snprintf(body, sizeof(body),
             "<%sResponse><%sResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>"
             "geheim-%s</SecretAccessKey><SessionToken>token-%s</SessionToken><Expiration>%s"
             "</Expiration></Credentials></%sResult></%sResponse>",
             action, action, id, id, id, end, action, action);
    fake_http_answer(world->http, STS, 200, body);
}

static void sts_refuses(struct world *world, int status, const char *code, const char *message)
{
    char body[1024];

    snprintf(body, sizeof(body),
             "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>"
             "<RequestId>r</RequestId></ErrorResponse>",
             code, message);
    fake_http_answer(world->http, STS, status, body);
}

static void json_answers(struct world *world, const char *path, const char *id, const char *end)
{
    char body[512];

    snprintf(body, sizeof(body),
             "{\"Code\":\"Success\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"geheim-%s\","
             "\"Token\":\"token-%s\",\"Expiration\":\"%s\"}",
             id, id, id, end);
    fake_http_answer(world->http, path, 200, body);
}

static void instance_gives(struct world *world, const char *id, const char *end)
{
    fake_http_answer(world->http, IMDS_ROLE, 200, "bastion");
    json_answers(world, IMDS_KEYS, id, end);
}

/* An instance in Ireland with keys until six, asked for the first time. */
static void given_instance_keys(struct world *world)
{
    fake_http_answer(world->http, IMDS_TOKEN, 200, "session");
    instance_gives(world, "ASIAONE", AT("18:00:00"));
    fake_http_answer(world->http, IMDS_REGION, 200, "eu-west-1");
    expect_keys(world, "ASIAONE");
}

static void pass_until(struct world *world, int hour, int minute)
{
    struct wall then = wall_add(VIRTUAL_LOOP_START, (hour - 12) * HOUR + minute * MINUTE);

    pass(world, wall_since(then, loop_wall(world->loop)));
}

static void given_region(void)
{
    given("AWS_REGION", "eu-west-1");
}

static void given_task_endpoint(void)
{
    given("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", CONTAINER);
    given_region();
}

/* --- environment and files ---------------------------------------------------------------------- */

static void keys_of_the_environment(void **state)
{
    struct world *world = *state;

    assert_string_equal(credentials_source(world->credentials), "no source yet");
    given("AWS_ACCESS_KEY_ID", "AKIAENV");
    given("AWS_SECRET_ACCESS_KEY", "geheim");
    given("AWS_SESSION_TOKEN", "token");
    given("AWS_DEFAULT_REGION", "eu-west-2");
    struct client client = get(world);
    assert_string_equal(client.id, "AKIAENV");
    assert_string_equal(client.token, "token");
    assert_string_equal(client.region, "eu-west-2");
    assert_string_equal(credentials_source(world->credentials),
                        "environment variable AWS_ACCESS_KEY_ID");
    assert_int_equal(n_requests(world), 0);
    pass(world, 1000 * HOUR);
    expect_keys(world, "AKIAENV");
}

static void the_region_is_asked_of_the_instance_when_nothing_else_says(void **state)
{
    struct world *world = *state;

    given("AWS_ACCESS_KEY_ID", "AKIAENV");
    given("AWS_SECRET_ACCESS_KEY", "geheim");
    fake_http_answer(world->http, IMDS_TOKEN, 200, "session");
    fake_http_answer(world->http, IMDS_REGION, 200, "ap-south-1");
    assert_string_equal(get(world).region, "ap-south-1");
    assert_string_equal(
        fake_request_header(fake_http_request(world->http, 1), "X-aws-ec2-metadata-token"),
        "session");
    /* It is not asked again. */
    credentials_invalidate(world->credentials);
    assert_string_equal(get(world).region, "ap-south-1");
    assert_int_equal(n_requests(world), 2);
}

static void without_any_region_it_says_where_to_set_one(void **state)
{
    struct world *world = *state;

    given("AWS_ACCESS_KEY_ID", "AKIAENV");
    given("AWS_SECRET_ACCESS_KEY", "geheim");
    given("AWS_EC2_METADATA_DISABLED", "true");
    expect_error(world, -EDESTADDRREQ, "no AWS region: set the option region, AWS_REGION, or");
    pass(world, MINUTE);
    given("AWS_EC2_METADATA_DISABLED", "false");
    fake_http_answer(world->http, IMDS_TOKEN, 200, "session");
    fake_http_answer(world->http, IMDS_REGION, 200, "<html>");
    expect_error(world, -EBADMSG, "what it gives as the region is none");
    pass(world, MINUTE);
    fake_http_answer(world->http, IMDS_REGION, 404, "");
    expect_error(world, -ENOENT, "asked for it: it answered with HTTP status 404");
}

static void a_profile_with_its_endpoints(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/credentials",
               "[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = geheim\n");
    given_file(world, ".aws/config",
               "[profile dev]\nregion = eu-west-3\nservices = local\n"
               "[services local]\necs =\n  endpoint_url = http://ecs\n");
    given("AWS_PROFILE", "dev");
    assert_null(credentials_endpoint_url(world->credentials, "ECS"));
    assert_string_equal(get(world).region, "eu-west-3");
    assert_string_equal(credentials_endpoint_url(world->credentials, "ECS"), "http://ecs");
    assert_null(credentials_endpoint_url(world->credentials, "CLOUDWATCH_LOGS"));
    assert_non_null(strstr(credentials_source(world->credentials), "profile dev in "));
}

static void options_come_before_the_environment(void **state)
{
    struct world *world = *state;

    given("AWS_ACCESS_KEY_ID", "AKIAENV");
    given("AWS_SECRET_ACCESS_KEY", "geheim");
    given_region();
    given_file(world, ".aws/credentials",
               "[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = geheim\n");
    given_options(world, &(struct credentials_options){.profile = "dev", .region = "us-east-1"});
    struct client client = get(world);
    assert_string_equal(client.id, "AKIADEV");
    assert_string_equal(client.region, "us-east-1");
}

static void changed_files_are_read_again(void **state)
{
    struct world *world = *state;

    given_region();
    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = geheim\n");
    expect_keys(world, "AKIAONE");
    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = AKIATWO\naws_secret_access_key = geheim\n");
    expect_keys(world, "AKIATWO");

    /* Somebody is in the middle of editing it: the old ones serve, and one line says why. */
    given_file(world, ".aws/credentials", "[default]\naws_access_key_id\n");
    expect_keys(world, "AKIATWO");
    expect_keys(world, "AKIATWO");
    pass(world, 10 * MINUTE);
    expect_keys(world, "AKIATWO");
    assert_int_equal(world->n_warnings, 1);
    assert_non_null(strstr(world->last_log, "neither a [section] nor name = value"));
    assert_non_null(strstr(world->last_log, "go on being used"));

    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = AKIATHREE\naws_secret_access_key = geheim\n");
    expect_keys(world, "AKIATHREE");
    assert_int_equal(world->n_notices, 1);
    assert_non_null(strstr(world->last_log, "are fresh again"));
    assert_int_equal(n_requests(world), 0);
}

static void with_nothing_configured_it_says_so_and_looks_again_later(void **state)
{
    struct world *world = *state;

    given("AWS_EC2_METADATA_DISABLED", "true");
    expect_error(world, -ENOKEY, "no credentials are configured (");
    given("AWS_ACCESS_KEY_ID", "AKIAENV");
    given("AWS_SECRET_ACCESS_KEY", "geheim");
    given_region();
    expect_error(world, -ENOKEY, "no credentials are configured ("); /* not at once */
    pass(world, 5 * SECOND);
    expect_keys(world, "AKIAENV");
    assert_int_equal(world->n_warnings, 0); /* who asked was told */
}

/* --- IMDS --------------------------------------------------------------------------------------- */

static void the_role_of_the_instance(void **state)
{
    struct world *world = *state;

    given_instance_keys(world);
    assert_string_equal(credentials_source(world->credentials), "IMDSv2 role bastion");
    assert_int_equal(n_requests(world), 4);
    const struct fake_request *token = fake_http_request(world->http, 0);
    assert_string_equal(token->method, "PUT");
    assert_string_equal(token->url, "http://169.254.169.254/latest/api/token");
    assert_int_equal(token->timeout_ms, 1000);
    assert_string_equal(fake_request_header(token, "X-aws-ec2-metadata-token-ttl-seconds"),
                        "21600");
    assert_string_equal(fake_http_request(world->http, 1)->method, "GET");
    struct client client = get(world);
    assert_string_equal(client.token, "token-ASIAONE");
    assert_string_equal(client.region, "eu-west-1");
    assert_int_equal(n_requests(world), 4);
    assert_int_equal(n_by_proxy, 0);
}

static void a_stale_session_token_is_replaced(void **state)
{
    struct world *world = *state;

    given_instance_keys(world);
    pass_until(world, 17, 56);
    fake_http_answer(world->http, IMDS_ROLE, 401, ""); /* the service was restarted */
    fake_http_answer(world->http, IMDS_TOKEN, 200, "second");
    instance_gives(world, "ASIATWO", AT("23:00:00"));
    expect_keys(world, "ASIAONE");
    pass(world, SECOND);
    expect_keys(world, "ASIATWO");
    assert_string_equal(fake_request_header(fake_http_request_of(world->http, IMDS_ROLE, 2),
                                            "X-aws-ec2-metadata-token"),
                        "second");

    /* And at the end of its six hours without being told. */
    pass_until(world, 22, 56);
    instance_gives(world, "ASIATHREE", AT("23:59:00"));
    expect_keys(world, "ASIATWO");
    pass(world, SECOND);
    pass_until(world, 23, 57);
    fake_http_answer(world->http, IMDS_TOKEN, 200, "third");
    instance_gives(world, "ASIAFOUR", "2026-03-03T06:00:00Z");
    expect_keys(world, "ASIATHREE");
    pass(world, SECOND);
    expect_keys(world, "ASIAFOUR");
}

static void a_fresh_token_that_is_refused_is_an_answer(void **state)
{
    struct world *world = *state;

    fake_http_answer(world->http, IMDS_TOKEN, 200, "session");
    fake_http_answer(world->http, IMDS_ROLE, 401, "");
    expect_error(world, -EACCES, "it answered with HTTP status 401");
}

static void imds_answers_that_are_no_keys(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *path;
        int status;
        const char *body;
        int error;
        const char *why;
    } cases[] = {
        {IMDS_TOKEN, 403, "", -EACCES, "HTTP status 403"},
        {IMDS_TOKEN, 404, "", -EBADMSG, "HTTP status 404"},
        {IMDS_TOKEN, 200, "", -EBADMSG, "session token has 0 characters"},
        {IMDS_TOKEN, 200, "a\r\nb", -EBADMSG, "session token is not one word"},
        {IMDS_ROLE, 404, "", -ENOKEY, "this instance has no IAM role"},
        {IMDS_ROLE, 302, "", -EBADMSG, "HTTP status 302"},
        {IMDS_ROLE, 200, "../x", -EBADMSG, "role's name is none"},
        {IMDS_ROLE, 200, "", -EBADMSG, "role's name is none"},
        {IMDS_KEYS, 404, "", -ENOENT, "HTTP status 404"},
        {IMDS_KEYS, 200, "{}", -EBADMSG, "has no Code"},
        {IMDS_KEYS, 200, "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}", -EBADMSG,
         "Code AssumeRoleUnauthorizedAccess"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        given_options(world, &(struct credentials_options){0});
        if (strcmp(cases[i].path, IMDS_TOKEN) != 0)
            fake_http_answer(world->http, IMDS_TOKEN, 200, "session");
        if (strcmp(cases[i].path, IMDS_KEYS) == 0)
            fake_http_answer(world->http, IMDS_ROLE, 200, "bastion");
        fake_http_answer(world->http, cases[i].path, cases[i].status, cases[i].body);
        expect_error(world, cases[i].error, cases[i].why);
        assert_int_equal(fake_http_n_scripted(world->http), 0);
    }
    /* The sentence tells somebody without any credentials what to do. */
    expect_error(world, -EBADMSG, "no credentials: AWS_ACCESS_KEY_ID is not set; ");
    expect_error(world, -EBADMSG,
                 "the instance metadata service http://169.254.169.254: it has no");
}

static void a_silent_imds_is_given_up_after_three_seconds(void **state)
{
    struct world *world = *state;

    fake_http_script(world->http, IMDS_TOKEN, &(struct fake_answer){.hangs = true, .times = 3});
    struct mono before = loop_mono(world->loop);
    expect_error(world, -ETIMEDOUT, "the instance metadata service http://169.254.169.254: ");
    assert_in_range(mono_since(loop_mono(world->loop), before), 3000, 4000);
    assert_int_equal(n_requests(world), 3);
    expect_error(world, -ETIMEDOUT, "the instance metadata service"); /* from memory */
    assert_int_equal(n_requests(world), 3);
}

static void a_busy_imds_is_asked_again(void **state)
{
    struct world *world = *state;

    fake_http_answer(world->http, IMDS_TOKEN, 503, "");
    fake_http_fail(world->http, IMDS_TOKEN, -ECONNRESET);
    fake_http_answer(world->http, IMDS_TOKEN, 200, "session");
    fake_http_answer(world->http, IMDS_ROLE, 429, "");
    instance_gives(world, "ASIAONE", AT("18:00:00"));
    fake_http_answer(world->http, IMDS_REGION, 200, "eu-west-1");
    expect_keys(world, "ASIAONE");
}

/* --- container ---------------------------------------------------------------------------------- */

static void the_role_of_the_task(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    given("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer abc");
    json_answers(world, CONTAINER, "ASIATASK", AT("18:00:00"));
    expect_keys(world, "ASIATASK");
    assert_string_equal(fake_http_request(world->http, 0)->url, "http://169.254.170.2" CONTAINER);
    assert_string_equal(fake_request_header(fake_http_request(world->http, 0), "Authorization"),
                        "Bearer abc");
    assert_int_equal(n_direct, 1);
    assert_string_equal(credentials_source(world->credentials),
                        "container endpoint http://169.254.170.2" CONTAINER);
}

static void the_token_file_is_read_each_time(void **state)
{
    struct world *world = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s", path_in(world, "token"));
    given("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://pod.example.com/creds");
    given("AWS_CONTAINER_AUTHORIZATION_TOKEN", "other");
    given("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path);
    given_region();
    given_file(world, "token", "first");
    json_answers(world, "/creds", "ASIAONE", AT("13:00:00"));
    expect_keys(world, "ASIAONE");
    assert_int_equal(n_by_proxy, 1); /* https to another host may need one */
    given_file(world, "token", "second");
    pass(world, 56 * MINUTE);
    json_answers(world, "/creds", "ASIATWO", AT("14:00:00"));
    expect_keys(world, "ASIAONE");
    pass(world, SECOND);
    expect_keys(world, "ASIATWO");
    assert_string_equal(fake_request_header(fake_http_request(world->http, 0), "Authorization"),
                        "first");
    assert_string_equal(fake_request_header(fake_http_request(world->http, 1), "Authorization"),
                        "second");

    static const char *const bad[] = {"", "line\n", "a\r\nX-Evil: 1"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        given_options(world, &(struct credentials_options){0});
        given_file(world, "token", bad[i]);
        expect_error(world, -EINVAL, "(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE) is empty or holds");
    }
    unlink(path);
    given_options(world, &(struct credentials_options){0});
    expect_error(world, -ENOENT, "/token: No such file or directory");
    unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    given("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\nb");
    given_options(world, &(struct credentials_options){0});
    expect_error(world, -EINVAL, "AWS_CONTAINER_AUTHORIZATION_TOKEN is too long or holds");
}

static void a_container_endpoint_that_has_none(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    fake_http_answer(world->http, CONTAINER, 400, "{\"code\":\"x\"}");
    expect_error(world, -EBADMSG,
                 "the container endpoint http://169.254.170.2" CONTAINER
                 ": it answered with HTTP status 400");
    given_options(world, &(struct credentials_options){0});
    fake_http_script(
        world->http, CONTAINER,
        &(struct fake_answer){.error = -ECONNREFUSED, .error_text = "refused", .times = 3});
    expect_error(world, -ECONNREFUSED, CONTAINER ": refused");
    given_options(world, &(struct credentials_options){0});
    fake_http_answer(world->http, CONTAINER, 200, "{\"AccessKeyId\":\"geheim\"}");
    expect_error(world, -EBADMSG, "its answer has no SecretAccessKey");
}

/* --- STS ---------------------------------------------------------------------------------------- */

static void given_chain(struct world *world)
{
    given_file(world, ".aws/config",
               "[default]\nregion = eu-west-1\nrole_arn = " ROLE_A "\n"
               "source_profile = middle\nexternal_id = ext\n"
               "[profile middle]\nrole_arn = " ROLE_B "\n"
               "source_profile = base\n");
    given_file(world, ".aws/credentials",
               "[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = geheim\n");
}

static void roles_are_assumed_one_after_the_other(void **state)
{
    struct world *world = *state;

    given_chain(world);
    sts_answers(world, "AssumeRole", "ASIAB", AT("13:00:00"));
    sts_answers(world, "AssumeRole", "ASIAA", AT("13:00:00"));
    expect_keys(world, "ASIAA");

    const struct fake_request *first = fake_http_request(world->http, 0);
    assert_string_equal(first->method, "POST");
    assert_string_equal(first->url, "https://sts.eu-west-1.amazonaws.com/");
    assert_string_equal(first->body, "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam"
                                     "%3A%3A111111111111%3Arole%2Fb&RoleSessionName=provisionerd");
    assert_string_equal(fake_request_header(first, "X-Amz-Date"), "20260302T120000Z");
    assert_non_null(strstr(fake_request_header(first, "Authorization"),
                           "Credential=AKIABASE/20260302/eu-west-1/sts/aws4_request"));
    assert_null(fake_request_header(first, "X-Amz-Security-Token"));

    const struct fake_request *second = fake_http_request(world->http, 1);
    assert_non_null(strstr(second->body, "role%2Fa&RoleSessionName=provisionerd&ExternalId=ext"));
    assert_non_null(strstr(fake_request_header(second, "Authorization"), "Credential=ASIAB/"));
    assert_string_equal(fake_request_header(second, "X-Amz-Security-Token"), "token-ASIAB");
    assert_int_equal(n_by_proxy, 2);
}

static void sts_is_where_the_configuration_says(void **state)
{
    struct world *world = *state;

    given_chain(world);
    given_options(world,
                  &(struct credentials_options){.endpoint_url = "https://sim.example.com:8443/x/"});
    for (unsigned i = 0; i < 2; i++) {
        char body[512];
        snprintf(
            body, sizeof(body),
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA%u"
            "</AccessKeyId><SecretAccessKey>geheim</SecretAccessKey><SessionToken>t"
            "</SessionToken><Expiration>" AT("13:00:00") "</Expiration></Credentials>"
                                                         "</AssumeRoleResult></AssumeRoleResponse>",
            i);
        fake_http_answer(world->http, "/x", 200, body);
    }
    expect_keys(world, "ASIA1");
    assert_string_equal(fake_http_request(world->http, 0)->url, "https://sim.example.com:8443/x");

    given_options(world, &(struct credentials_options){.endpoint_url = "nonsense"});
    expect_error(world, -EINVAL, "the endpoint of STS is not a URL");
}

static void a_role_needs_a_region_first(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config",
               "[default]\nrole_arn = " ROLE_A "\n"
               "credential_source = Ec2InstanceMetadata\n");
    fake_http_answer(world->http, IMDS_TOKEN, 200, "session");
    fake_http_answer(world->http, IMDS_REGION, 200, "eu-central-1");
    instance_gives(world, "ASIABASE", AT("18:00:00"));
    sts_answers(world, "AssumeRole", "ASIAROLE", AT("13:00:00"));
    struct client client = get(world);
    assert_string_equal(client.id, "ASIAROLE");
    assert_string_equal(client.region, "eu-central-1");
    assert_string_equal(fake_http_request(world->http, 4)->url,
                        "https://sts.eu-central-1.amazonaws.com/");
    assert_non_null(strstr(credentials_source(world->credentials), "profile default in "));

    /* IMDS asked for by name tells no story of what else was tried. */
    pass(world, HOUR);
    given_options(world, &(struct credentials_options){.region = "eu-west-1"});
    fake_http_answer(world->http, IMDS_TOKEN, 403, "");
    struct client failed = get(world);
    assert_string_equal(failed.why, "the instance metadata service http://169.254.169.254: it "
                                    "answered with HTTP status 403");
}

static void a_web_identity_is_sent_unsigned(void **state)
{
    struct world *world = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s", path_in(world, "token"));
    given("AWS_WEB_IDENTITY_TOKEN_FILE", path);
    given("AWS_ROLE_ARN", ROLE_A);
    given("AWS_ROLE_SESSION_NAME", "pod");
    given_region();
    given_file(world, "token", "geheim.jwt.one\n");
    sts_answers(world, "AssumeRoleWithWebIdentity", "ASIAPOD", AT("13:00:00"));
    expect_keys(world, "ASIAPOD");
    const struct fake_request *request = fake_http_request(world->http, 0);
    assert_null(fake_request_header(request, "Authorization"));
    assert_non_null(strstr(request->body, "Action=AssumeRoleWithWebIdentity&"));
    assert_non_null(strstr(request->body, "&RoleSessionName=pod&WebIdentityToken=geheim.jwt.one"));

    /* A message that quotes the token is not passed on. */
    given_options(world, &(struct credentials_options){0});
    sts_refuses(world, 400, "InvalidIdentityToken", "cannot read geheim.jwt.one");
    expect_error(world, -EBADMSG, "InvalidIdentityToken: (its message is left out");

    static const struct {
        const char *text;
        const char *why;
    } bad[] = {{"", "is empty"}, {"\n\n", "is empty"}, {"a b", "more than one word"}};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        given_options(world, &(struct credentials_options){0});
        given_file(world, "token", bad[i].text);
        expect_error(world, -EINVAL, bad[i].why);
    }
    unlink(path);
    given_options(world, &(struct credentials_options){0});
    expect_error(world, -ENOENT, "cannot read ");
}

static void what_sts_refuses(void **state)
{
    struct world *world = *state;

    given_chain(world);
    sts_refuses(world, 403, "AccessDenied", "User x is not authorized\nand more");
    struct client client = get(world);
    assert_int_equal(client.error, -EACCES);
    assert_string_equal(client.why,
                        "AssumeRole of " ROLE_B ": AccessDenied: User x is not authorized (the "
                        "role's trust policy must name who asks, and who asks be allowed "
                        "sts:AssumeRole on it)");

    given_options(world, &(struct credentials_options){0});
    sts_refuses(world, 403, "InvalidClientTokenId", "The security token is invalid");
    expect_error(world, -EBADMSG, "InvalidClientTokenId: The security token is invalid");

    given_options(world, &(struct credentials_options){0});
    fake_http_answer(world->http, STS, 200, "<html></html>");
    expect_error(world, -EBADMSG, "AssumeRole of " ROLE_B ": its answer is not whole");
}

static void sts_in_trouble_is_asked_again(void **state)
{
    struct world *world = *state;

    given_chain(world);
    sts_refuses(world, 500, "InternalFailure", "");
    fake_http_fail(world->http, STS, -ECONNRESET);
    sts_answers(world, "AssumeRole", "ASIAB", AT("13:00:00"));
    sts_refuses(world, 400, "Throttling", "Rate exceeded");
    sts_answers(world, "AssumeRole", "ASIAA", AT("13:00:00"));
    expect_keys(world, "ASIAA");

    given_options(world, &(struct credentials_options){0});
    for (unsigned i = 0; i < 3; i++)
        sts_refuses(world, 503, "ServiceUnavailable", "");
    expect_error(world, -EAGAIN, "ServiceUnavailable");
}

static void a_wrong_clock_is_corrected_once(void **state)
{
    struct world *world = *state;

    given_chain(world);
    fake_http_set_clock_offset(world->http, HOUR); /* we are an hour behind */
    sts_refuses(world, 403, "SignatureDoesNotMatch", "Signature expired");
    sts_answers(world, "AssumeRole", "ASIAB", AT("14:00:00"));
    sts_answers(world, "AssumeRole", "ASIAA", AT("14:00:00"));
    expect_keys(world, "ASIAA");
    assert_string_equal(fake_request_header(fake_http_request(world->http, 0), "X-Amz-Date"),
                        "20260302T120000Z");
    assert_string_equal(fake_request_header(fake_http_request(world->http, 1), "X-Amz-Date"),
                        "20260302T130000Z");
    assert_string_equal(fake_request_header(fake_http_request(world->http, 2), "X-Amz-Date"),
                        "20260302T130000Z");
    /* What was learnt counts for the end, too: by AWS's clock it is 13:56. */
    pass(world, 56 * MINUTE);
    sts_answers(world, "AssumeRole", "ASIAB2", AT("15:00:00"));
    sts_answers(world, "AssumeRole", "ASIAA2", AT("15:00:00"));
    expect_keys(world, "ASIAA");
    pass(world, SECOND);
    expect_keys(world, "ASIAA2");

    /* If the clock is right, a refused signature is one. */
    given_options(world, &(struct credentials_options){0});
    fake_http_set_clock_offset(world->http, 0);
    sts_refuses(world, 403, "SignatureDoesNotMatch", "wrong secret");
    expect_error(world, -EBADMSG, "SignatureDoesNotMatch: wrong secret");
    given_options(world, &(struct credentials_options){0});
    fake_http_script(world->http, STS,
                     &(struct fake_answer){.status = 403,
                                           .date = "yesterday",
                                           .body = "<ErrorResponse><Error><Code>RequestExpired"
                                                   "</Code></Error></ErrorResponse>"});
    expect_error(world, -EBADMSG, "RequestExpired");
}

/* --- many who ask ------------------------------------------------------------------------------- */

static void ten_who_ask_share_one_fetch(void **state)
{
    struct world *world = *state;
    struct client clients[10] = {0};

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIATASK", AT("18:00:00"));
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++)
        ask(world, &clients[i]);
    credentials_request_cancel(clients[4].request);
    pass(world, SECOND);
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++) {
        assert_int_equal(clients[i].n_answers, i == 4 ? 0 : 1);
        if (i != 4)
            assert_string_equal(clients[i].id, "ASIATASK");
    }
    assert_int_equal(n_requests(world), 1);
}

static void ten_who_ask_are_told_of_one_failure(void **state)
{
    struct world *world = *state;
    struct client clients[10] = {0};

    given_task_endpoint();
    fake_http_answer(world->http, CONTAINER, 404, "");
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++)
        ask(world, &clients[i]);
    pass(world, SECOND);
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++)
        assert_int_equal(clients[i].error, -ENOENT);
    assert_int_equal(n_requests(world), 1);
}

static void callbacks_may_ask_cancel_and_free(void **state)
{
    struct world *world = *state;
    struct client last = {0}, third = {0};
    struct client second = {.cancels = &third};
    struct client first = {.asks = &last, .credentials = world->credentials};

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIATASK", AT("18:00:00"));
    ask(world, &first);
    ask(world, &second);
    ask(world, &third);
    pass(world, SECOND);
    assert_int_equal(first.n_answers, 1);
    assert_int_equal(second.n_answers, 1);
    assert_int_equal(third.n_answers, 0);
    assert_int_equal(last.n_answers, 1);

    struct client never = {0}, freeing = {.frees = world->credentials};
    ask(world, &freeing);
    ask(world, &never);
    world->credentials = NULL;
    pass(world, SECOND);
    assert_int_equal(freeing.n_answers, 1);
    assert_int_equal(never.n_answers, 0);
}

/* After each step of the longest way there is, everybody goes away. */
static void a_cancel_in_any_phase_leaves_nothing_behind(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config",
               "[default]\nrole_arn = " ROLE_A "\n"
               "credential_source = Ec2InstanceMetadata\n");
    for (int64_t moment_ms = 0; moment_ms < 500; moment_ms += 10) {
        struct loop *loop = NULL;
        struct http *http = NULL;
        struct credentials *credentials = NULL;
        struct client client = {0};
        struct world inner = {0};
        assert_int_equal(loop_new(&loop), 0);
        assert_int_equal(http_new(loop, NULL, &http), 0);
        assert_int_equal(
            credentials_new(loop, http, &(struct credentials_options){0}, &credentials), 0);
        inner.http = http;
        fake_http_answer(http, IMDS_TOKEN, 503, "");
        fake_http_answer(http, IMDS_TOKEN, 200, "session");
        fake_http_answer(http, IMDS_REGION, 200, "eu-central-1");
        instance_gives(&inner, "ASIABASE", AT("18:00:00"));
        sts_refuses(&inner, 500, "InternalFailure", "");
        sts_answers(&inner, "AssumeRole", "ASIAROLE", AT("13:00:00"));
        assert_int_equal(credentials_get(credentials, came, &client, &client.request), 0);
        virtual_loop_run_for(loop, moment_ms);
        if (moment_ms % 20 == 0 && client.request) {
            credentials_request_cancel(client.request);
            virtual_loop_run_for(loop, 10 * SECOND);
            assert_int_equal(client.n_answers, 0);
        }
        credentials_free(credentials);
        assert_int_equal(fake_http_n_unanswered(http), 0);
        assert_int_equal(virtual_loop_timers(loop), 0);
        http_free(http);
        loop_free(loop);
    }
}

static void a_fetch_nobody_waits_for_is_kept_for_the_next(void **state)
{
    struct world *world = *state;
    struct client client = {0};

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIATASK", AT("18:00:00"));
    ask(world, &client);
    pass(world, 10);
    credentials_request_cancel(client.request);
    pass(world, SECOND);
    expect_keys(world, "ASIATASK");
    assert_int_equal(n_requests(world), 1);
}

static void a_request_that_cannot_be_sent(void **state)
{
    struct world *world = *state;

    fake_http_refuse_send(world->http, -ENOMEM);
    expect_error(world, -ENOMEM, "the request could not be sent");
    given_task_endpoint();
    given_options(world, &(struct credentials_options){0});
    fake_http_refuse_send(world->http, -EINVAL);
    expect_error(world, -EINVAL, "the container endpoint");
    unsetenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    given_chain(world);
    given_options(world, &(struct credentials_options){0});
    fake_http_refuse_send(world->http, -EINVAL);
    expect_error(world, -EINVAL, "the request to STS could not be sent");
}

static void a_second_attempt_that_cannot_be_sent(void **state)
{
    struct world *world = *state;
    struct client client = {0};

    given_task_endpoint();
    fake_http_answer(world->http, CONTAINER, 503, "");
    ask(world, &client);
    pass(world, 50);
    fake_http_refuse_send(world->http, -ENOMEM);
    pass(world, SECOND);
    assert_int_equal(client.error, -ENOMEM);
    assert_non_null(strstr(client.why, "the request could not be sent"));
}

/* --- refresh, static stability ------------------------------------------------------------------- */

static void keys_are_refreshed_in_the_background_before_they_end(void **state)
{
    struct world *world = *state;

    given_instance_keys(world);
    pass_until(world, 17, 54);
    expect_keys(world, "ASIAONE");
    assert_int_equal(n_requests(world), 4);

    pass_until(world, 17, 56);
    instance_gives(world, "ASIATWO", AT("23:00:00"));
    expect_keys(world, "ASIAONE"); /* at once */
    expect_keys(world, "ASIAONE");
    pass(world, SECOND);
    expect_keys(world, "ASIATWO");
    assert_int_equal(n_requests(world), 6); /* session token and region were still good */
    assert_int_equal(world->n_warnings + world->n_notices, 0);
}

static void in_the_last_minute_who_asks_waits(void **state)
{
    struct world *world = *state;

    given_instance_keys(world);
    pass_until(world, 17, 59);
    pass(world, SECOND);
    fake_http_answer(world->http, IMDS_TOKEN, 200, "second");
    instance_gives(world, "ASIATWO", AT("23:00:00"));
    expect_keys(world, "ASIATWO");
}

static void a_source_that_is_down_is_told_of_once_and_survived(void **state)
{
    struct world *world = *state;

    given_instance_keys(world);
    pass_until(world, 17, 56);
    fake_http_script(world->http, IMDS_ROLE, &(struct fake_answer){.status = 500, .times = -1});
    expect_keys(world, "ASIAONE");
    pass(world, 2 * SECOND);
    assert_int_equal(world->n_warnings, 1);
    assert_non_null(
        strstr(world->last_log, "cannot refresh the credentials from IMDSv2 role bast"));
    assert_non_null(strstr(world->last_log, "valid until 2026-03-02T18:00:00Z"));

    fake_http_script(world->http, IMDS_TOKEN, &(struct fake_answer){.status = 500, .times = -1});
    for (unsigned i = 0; i < 20; i++) {
        expect_keys(world, "ASIAONE");
        pass(world, 15 * SECOND);
    }
    assert_int_equal(world->n_warnings, 2); /* and one when they ended */
    assert_non_null(
        strstr(world->last_log, "ended at 2026-03-02T18:00:00Z and are used neverthele"));

    /* From then on every five to ten minutes, by whoever asks. */
    size_t before = n_requests(world);
    for (unsigned i = 0; i < 240; i++) {
        expect_keys(world, "ASIAONE");
        pass(world, 15 * SECOND);
    }
    size_t rounds = (n_requests(world) - before) / 3;
    assert_in_range(rounds, 6, 12);
    assert_int_equal(world->n_warnings, 2);
}

static void a_source_that_comes_back_is_told_of_too(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIAONE", AT("13:00:00"));
    expect_keys(world, "ASIAONE");
    pass_until(world, 13, 5);
    fake_http_script(
        world->http, CONTAINER,
        &(struct fake_answer){.error = -EHOSTUNREACH, .error_text = "no route", .times = 3});
    expect_keys(world, "ASIAONE");
    assert_int_equal(world->n_warnings, 1);
    assert_non_null(strstr(world->last_log, "no route; asking again every 5 to 10 minutes"));
    pass(world, 4 * MINUTE);
    expect_keys(world, "ASIAONE");
    pass(world, 6 * MINUTE + SECOND);
    json_answers(world, CONTAINER, "ASIATWO", AT("18:00:00"));
    expect_keys(world, "ASIATWO");
    assert_int_equal(world->n_notices, 1);
    assert_string_equal(world->last_log,
                        "the credentials from container endpoint http://169.254.170.2" CONTAINER
                        " are fresh again, until 2026-03-02T18:00:00Z");
    assert_int_equal(n_requests(world), 5);
}

static void keys_that_come_past_their_end_are_used(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIAOLD", AT("11:00:00"));
    expect_keys(world, "ASIAOLD");
    expect_keys(world, "ASIAOLD");
    assert_int_equal(n_requests(world), 1);
    assert_int_equal(world->n_warnings, 1);
    pass(world, 11 * MINUTE);
    json_answers(world, CONTAINER, "ASIANEW", AT("18:00:00"));
    expect_keys(world, "ASIANEW");
    assert_int_equal(world->n_notices, 1);
}

static void short_lived_keys_do_not_make_a_storm(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIAONE", AT("12:00:30"));
    for (unsigned i = 0; i < 14; i++) {
        expect_keys(world, "ASIAONE");
        pass(world, SECOND);
    }
    assert_int_equal(n_requests(world), 1);
    pass(world, 2 * SECOND);
    json_answers(world, CONTAINER, "ASIATWO", AT("12:01:00"));
    expect_keys(world, "ASIATWO"); /* halfway to the end of the first */
    assert_int_equal(world->n_warnings, 0);
}

static void the_skew_of_the_clock_moves_the_end(void **state)
{
    struct world *world = *state;

    given_instance_keys(world);
    pass_until(world, 17, 46);
    expect_keys(world, "ASIAONE");
    credentials_set_clock_skew(world->credentials, 10 * MINUTE);
    instance_gives(world, "ASIATWO", AT("23:00:00"));
    expect_keys(world, "ASIAONE");
    pass(world, SECOND);
    expect_keys(world, "ASIATWO");
}

static void failures_are_spaced_out(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    fake_http_script(world->http, CONTAINER, &(struct fake_answer){.status = 400, .times = -1});
    size_t after_a_minute = 0;
    for (unsigned i = 0; i < 600; i++) {
        expect_error(world, -EBADMSG, "HTTP status 400");
        pass(world, SECOND);
        if (i == 60)
            after_a_minute = n_requests(world);
    }
    assert_in_range(after_a_minute, 4, 8);
    assert_in_range(n_requests(world) - after_a_minute, 8, 18); /* each 32 to 64 s */
}

/* --- refused by AWS ------------------------------------------------------------------------------ */

static void keys_refused_by_aws_are_replaced(void **state)
{
    struct world *world = *state;

    credentials_invalidate(world->credentials); /* there are none: nothing */
    given_instance_keys(world);
    credentials_invalidate(world->credentials);
    instance_gives(world, "ASIATWO", AT("18:00:00"));
    expect_keys(world, "ASIATWO");

    /* The same refusal, told by other calls that were under way. */
    credentials_invalidate(world->credentials);
    expect_keys(world, "ASIATWO");
    pass(world, 6 * SECOND);
    credentials_invalidate(world->credentials);
    instance_gives(world, "ASIATHREE", AT("18:00:00"));
    expect_keys(world, "ASIATHREE");
}

static void refused_keys_are_not_served_while_the_source_is_down(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIAONE", AT("18:00:00"));
    expect_keys(world, "ASIAONE");
    credentials_invalidate(world->credentials);
    fake_http_answer(world->http, CONTAINER, 400, "");
    expect_error(world, -EBADMSG,
                 "AWS refused the credentials as expired, and there are no new "
                 "ones: the container endpoint ");
    pass(world, 5 * SECOND);
    json_answers(world, CONTAINER, "ASIATWO", AT("18:00:00"));
    expect_keys(world, "ASIATWO");
}

static void a_refusal_reads_the_files_again(void **state)
{
    struct world *world = *state;

    given_region();
    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = geheim\n");
    expect_keys(world, "AKIAONE");
    credentials_invalidate(world->credentials);
    expect_keys(world, "AKIAONE");
    assert_int_equal(world->n_warnings, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_of_the_environment),
        TEST(the_region_is_asked_of_the_instance_when_nothing_else_says),
        TEST(without_any_region_it_says_where_to_set_one),
        TEST(a_profile_with_its_endpoints),
        TEST(options_come_before_the_environment),
        TEST(changed_files_are_read_again),
        TEST(with_nothing_configured_it_says_so_and_looks_again_later),
        TEST(the_role_of_the_instance),
        TEST(a_stale_session_token_is_replaced),
        TEST(a_fresh_token_that_is_refused_is_an_answer),
        TEST(imds_answers_that_are_no_keys),
        TEST(a_silent_imds_is_given_up_after_three_seconds),
        TEST(a_busy_imds_is_asked_again),
        TEST(the_role_of_the_task),
        TEST(the_token_file_is_read_each_time),
        TEST(a_container_endpoint_that_has_none),
        TEST(roles_are_assumed_one_after_the_other),
        TEST(sts_is_where_the_configuration_says),
        TEST(a_role_needs_a_region_first),
        TEST(a_web_identity_is_sent_unsigned),
        TEST(what_sts_refuses),
        TEST(sts_in_trouble_is_asked_again),
        TEST(a_wrong_clock_is_corrected_once),
        TEST(ten_who_ask_share_one_fetch),
        TEST(ten_who_ask_are_told_of_one_failure),
        TEST(callbacks_may_ask_cancel_and_free),
        TEST(a_cancel_in_any_phase_leaves_nothing_behind),
        TEST(a_fetch_nobody_waits_for_is_kept_for_the_next),
        TEST(a_request_that_cannot_be_sent),
        TEST(a_second_attempt_that_cannot_be_sent),
        TEST(keys_are_refreshed_in_the_background_before_they_end),
        TEST(in_the_last_minute_who_asks_waits),
        TEST(a_source_that_is_down_is_told_of_once_and_survived),
        TEST(a_source_that_comes_back_is_told_of_too),
        TEST(keys_that_come_past_their_end_are_used),
        TEST(short_lived_keys_do_not_make_a_storm),
        TEST(the_skew_of_the_clock_moves_the_end),
        TEST(failures_are_spaced_out),
        TEST(keys_refused_by_aws_are_replaced),
        TEST(refused_keys_are_not_served_while_the_source_is_down),
        TEST(a_refusal_reads_the_files_again),
    };
    return cmocka_run_group_tests_name("credentials: the provider", tests, NULL, NULL);
}
