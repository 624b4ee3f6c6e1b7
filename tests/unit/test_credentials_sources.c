/* SPDX-License-Identifier: MIT */

/* Each source, friendly and not: what it is asked, and what becomes of its answers. */

#include "credentials_world.h"

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
    };
    return cmocka_run_group_tests_name("credentials: sources", tests, NULL, NULL);
}
