/* SPDX-License-Identifier: MIT */

/* Who one is in the simulated AWS: instance metadata, container credentials, STS. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/model.h"
#include "src/cleanup.h"
#include "src/json.h"
#include "src/sigv4.h"

#define NOON ((struct wall){.ms = INT64_C(1772452800000)})

static const char scenario_text[] =
    "{\"account\": \"123456789012\", \"region\": \"eu-west-1\","
    " \"credentials\": [{\"access_key_id\": \"AKIDEXAMPLE\", \"secret_access_key\": \"secret\","
    "    \"arn\": \"arn:aws:iam::123456789012:user/bastion\"}],"
    " \"roles\": [{\"arn\": \"arn:aws:iam::123456789012:role/sleeper\","
    "    \"external_id\": \"xyzzy\", \"web_identity_token\": \"web.token\","
    "    \"max_session_s\": 7200, \"allow\": [\"*\"]}],"
    " \"imds\": {\"enabled\": true, \"role\": \"sleeper\", \"session_s\": 3600},"
    " \"container\": {\"path\": \"/v2/credentials/task\", \"authorization_token\": \"let me in\","
    "    \"role\": \"sleeper\", \"session_s\": 3600}}";

#define ROLE "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fsleeper"

struct fixture {
    struct sim *sim;
    struct wall now;
    struct sim_response response;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    _cleanup_json_ struct json_object *scenario = NULL;
    _cleanup_free_ char *error = NULL;
    if (!fixture || json_parse(scenario_text, strlen(scenario_text), &scenario) < 0)
        return -1;
    fixture->now = NOON;
    *state = fixture;
    int r = sim_new(scenario, NOON, &fixture->sim, &error);
    if (r < 0)
        print_error("scenario: %s\n", error ? error : "");
    return r;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    sim_response_clear(&fixture->response);
    sim_free(fixture->sim);
    free(fixture);
    return 0;
}

static int ask(struct fixture *fixture, const char *method, const char *path,
               const struct sim_header *headers, size_t n_headers, const char *body)
{
    struct sim_request request = {.method = method,
                                  .path = path,
                                  .query = "",
                                  .headers = headers,
                                  .n_headers = n_headers,
                                  .body = body,
                                  .body_size = strlen(body)};
    sim_response_clear(&fixture->response);
    sim_handle(fixture->sim, fixture->now, &request, &fixture->response);
    return fixture->response.status;
}

static int ask_with(struct fixture *fixture, const char *method, const char *path, const char *name,
                    const char *value)
{
    struct sim_header header = {.name = name, .value = value};
    return ask(fixture, method, path, &header, name ? 1 : 0, "");
}

/* The member of the JSON answer. */
static void member(const struct fixture *fixture, const char *name, char *buffer, size_t size)
{
    _cleanup_json_ struct json_object *object = NULL;
    const char *value;
    assert_int_equal(json_parse(fixture->response.body, fixture->response.body_size, &object), 0);
    assert_int_equal(json_get_string(object, name, &value), 0);
    snprintf(buffer, size, "%s", value);
}

static void expect_member(const struct fixture *fixture, const char *name, const char *expected)
{
    char value[256];
    member(fixture, name, value, sizeof(value));
    assert_string_equal(value, expected);
}

/* IMDS */

static void get_token(struct fixture *fixture, const char *ttl, char *buffer, size_t size)
{
    assert_int_equal(
        ask_with(fixture, "PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", ttl),
        200);
    snprintf(buffer, size, "%s", fixture->response.body);
}

static int get(struct fixture *fixture, const char *path, const char *token)
{
    return ask_with(fixture, "GET", path, "X-aws-ec2-metadata-token", token);
}

static void instance_credentials_are_handed_out(void **state)
{
    struct fixture *fixture = *state;
    char token[128];
    get_token(fixture, "21600", token, sizeof(token));

    assert_int_equal(get(fixture, "/latest/meta-data/iam/security-credentials/", token), 200);
    assert_string_equal(fixture->response.body, "sleeper");
    assert_int_equal(get(fixture, "/latest/meta-data/iam/security-credentials/sleeper", token),
                     200);
    expect_member(fixture, "Code", "Success");
    expect_member(fixture, "Expiration", "2026-03-02T13:00:00Z");
    char key_id[64];
    member(fixture, "AccessKeyId", key_id, sizeof(key_id));
    const struct sim_key *key = sim_key_find(fixture->sim, key_id);
    assert_non_null(key);
    expect_member(fixture, "SecretAccessKey", key->secret_access_key);
    expect_member(fixture, "Token", key->session_token);

    assert_int_equal(get(fixture, "/latest/meta-data/placement/region", token), 200);
    assert_string_equal(fixture->response.body, "eu-west-1");
    assert_int_equal(get(fixture, "/latest/dynamic/instance-identity/document", token), 200);
    expect_member(fixture, "region", "eu-west-1");
    expect_member(fixture, "accountId", "123456789012");
    assert_int_equal(get(fixture, "/latest/meta-data/no-such", token), 404);
    assert_int_equal(get(fixture, "/latest/meta-data/iam/security-credentials/other", token), 404);
}

static void only_version_two_is_spoken(void **state)
{
    struct fixture *fixture = *state;
    char token[128];
    static const char path[] = "/latest/meta-data/placement/region";
    assert_int_equal(ask_with(fixture, "GET", path, NULL, NULL), 401);
    assert_int_equal(get(fixture, path, "made up"), 401);
    get_token(fixture, "60", token, sizeof(token));
    assert_int_equal(get(fixture, path, token), 200);
    fixture->now = wall_add(fixture->now, MS_PER_MINUTE);
    assert_int_equal(get(fixture, path, token), 401);
    assert_int_equal(ask_with(fixture, "GET", "/latest/api/token", NULL, NULL), 405);
}

static void tokens_are_asked_for_properly(void **state)
{
    struct fixture *fixture = *state;
    static const char *const lives[] = {"0", "21601", "-1", "", "1h", "999999999999999999999"};
    static const char header[] = "X-aws-ec2-metadata-token-ttl-seconds";
    for (size_t i = 0; i < ARRAY_LENGTH(lives); i++)
        assert_int_equal(ask_with(fixture, "PUT", "/latest/api/token", header, lives[i]), 400);
    assert_int_equal(ask_with(fixture, "PUT", "/latest/api/token", NULL, NULL), 400);
    struct sim_header headers[] = {{header, "60"}, {"X-Forwarded-For", "10.0.0.1"}};
    assert_int_equal(ask(fixture, "PUT", "/latest/api/token", headers, 2, ""), 403);
}

static void many_sessions_do_not_grow_memory(void **state)
{
    struct fixture *fixture = *state;
    char first[128];
    char last[128];
    static const char path[] = "/latest/meta-data/placement/region";
    get_token(fixture, "60", first, sizeof(first));
    for (int i = 0; i < 256; i++)
        get_token(fixture, "60", last, sizeof(last));
    assert_int_equal(get(fixture, path, first), 401);
    assert_int_equal(get(fixture, path, last), 200);
}

static void credentials_are_renewed_before_they_end(void **state)
{
    struct fixture *fixture = *state;
    static const char path[] = "/latest/meta-data/iam/security-credentials/sleeper";
    char token[128];
    char before[64];
    char after[64];
    get_token(fixture, "21600", token, sizeof(token));
    assert_int_equal(get(fixture, path, token), 200);
    member(fixture, "AccessKeyId", before, sizeof(before));

    fixture->now = wall_add(fixture->now, 49 * MS_PER_MINUTE);
    assert_int_equal(get(fixture, path, token), 200);
    member(fixture, "AccessKeyId", after, sizeof(after));
    assert_string_equal(before, after);

    fixture->now = wall_add(fixture->now, 2 * MS_PER_MINUTE);
    assert_int_equal(get(fixture, path, token), 200);
    member(fixture, "AccessKeyId", after, sizeof(after));
    assert_string_not_equal(before, after);
    expect_member(fixture, "Expiration", "2026-03-02T13:51:00Z");
}

static void an_instance_may_be_without_profile_or_metadata(void **state)
{
    struct fixture *fixture = *state;
    char token[128];
    get_token(fixture, "60", token, sizeof(token));
    char *role = fixture->sim->imds.role;
    fixture->sim->imds.role = NULL;
    assert_int_equal(get(fixture, "/latest/meta-data/iam/security-credentials/", token), 404);
    fixture->sim->imds.role = role;
    fixture->sim->imds.enabled = false;
    assert_int_equal(get(fixture, "/latest/meta-data/placement/region", token), 403);
}

static void the_metadata_service_can_be_out(void **state)
{
    struct fixture *fixture = *state;
    struct sim_fault_rule rule = SIM_FAULT_RULE(SIM_FAULT_HTTP_503);
    rule.operation = "Imds";
    assert_int_equal(sim_fault_add(fixture->sim, &rule, NULL), 0);
    assert_int_equal(
        ask_with(fixture, "PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60"),
        503);
    assert_int_equal(
        ask_with(fixture, "PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60"),
        200);
}

/* The container endpoint */

static void container_credentials_are_handed_out(void **state)
{
    struct fixture *fixture = *state;
    static const char path[] = "/v2/credentials/task";
    assert_int_equal(ask_with(fixture, "GET", path, "Authorization", "let me in"), 200);
    expect_member(fixture, "RoleArn", "arn:aws:iam::123456789012:role/sleeper");
    expect_member(fixture, "Expiration", "2026-03-02T13:00:00Z");
    char key_id[64];
    member(fixture, "AccessKeyId", key_id, sizeof(key_id));
    assert_non_null(sim_key_find(fixture->sim, key_id));

    assert_int_equal(ask_with(fixture, "GET", path, "Authorization", "let me out"), 401);
    assert_int_equal(ask_with(fixture, "GET", path, NULL, NULL), 401);
    assert_int_equal(ask_with(fixture, "POST", path, "Authorization", "let me in"), 405);
    assert_int_equal(ask_with(fixture, "GET", "/v2/credentials/x", "Authorization", "let me in"),
                     400);
}

/* STS */

static const struct sigv4_credentials bastion = {.access_key_id = "AKIDEXAMPLE",
                                                 .secret_access_key = "secret"};

/* A signed call, as an SDK makes it; unsigned when by is NULL. Returns the status. */
static int call_sts(struct fixture *fixture, const struct sigv4_credentials *by, const char *form)
{
    static const char type[] = "application/x-www-form-urlencoded";
    struct sigv4_header to_sign[] = {{"Host", "sts.eu-west-1.amazonaws.com"},
                                     {"Content-Type", type}};
    struct sigv4_request request = {.method = "POST",
                                    .path = "/",
                                    .query = "",
                                    .headers = to_sign,
                                    .n_headers = ARRAY_LENGTH(to_sign),
                                    .body = form,
                                    .body_size = strlen(form)};
    struct sigv4_scope scope = {.region = "eu-west-1", .service = "sts"};
    struct sigv4_signer signer = {0};
    struct sigv4_signature signature;
    struct sim_header headers[] = {{"Host", to_sign[0].value},
                                   {"Content-Type", type},
                                   {NULL, NULL},
                                   {NULL, NULL},
                                   {NULL, NULL}};
    size_t n = 2;
    if (by) {
        assert_int_equal(sigv4_sign(&signer, &request, by, &scope, fixture->now, &signature), 0);
        headers[n++] = (struct sim_header){"X-Amz-Date", signature.date};
        headers[n++] = (struct sim_header){"Authorization", signature.authorization};
        if (by->session_token)
            headers[n++] = (struct sim_header){"X-Amz-Security-Token", by->session_token};
    }
    sigv4_signer_wipe(&signer);
    return ask(fixture, "POST", "/", headers, n, form);
}

static void expect_xml(const struct fixture *fixture, const char *text)
{
    if (!strstr(fixture->response.body, text))
        print_error("no %s in %s\n", text, fixture->response.body);
    assert_non_null(strstr(fixture->response.body, text));
}

/* The text of an element of the answer. */
static void element(const struct fixture *fixture, const char *name, char *buffer, size_t size)
{
    char tag[64];
    snprintf(tag, sizeof(tag), "<%s>", name);
    const char *start = strstr(fixture->response.body, tag);
    assert_non_null(start);
    start += strlen(tag);
    const char *end = strchr(start, '<');
    assert_true(end && (size_t)(end - start) < size);
    snprintf(buffer, size, "%.*s", (int)(end - start), start);
}

static void callers_learn_who_they_are(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(call_sts(fixture, &bastion, "Action=GetCallerIdentity&Version=2011-06-15"),
                     200);
    expect_xml(fixture, "<GetCallerIdentityResponse "
                        "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">");
    expect_xml(fixture, "<Arn>arn:aws:iam::123456789012:user/bastion</Arn>");
    expect_xml(fixture, "<Account>123456789012</Account>");
    struct sigv4_credentials wrong = bastion;
    wrong.secret_access_key = "guessed";
    assert_int_equal(call_sts(fixture, &wrong, "Action=GetCallerIdentity&Version=2011-06-15"), 403);
    expect_xml(fixture, "<Code>SignatureDoesNotMatch</Code>");
}

#define ASSUME "Action=AssumeRole&Version=2011-06-15&RoleArn=" ROLE "&RoleSessionName=night"

static void an_assumed_role_is_somebody_else(void **state)
{
    struct fixture *fixture = *state;
    char key_id[64];
    char secret[128];
    char token[256];
    assert_int_equal(call_sts(fixture, &bastion, ASSUME "&ExternalId=xyzzy&DurationSeconds=900"),
                     200);
    expect_xml(fixture, "<Arn>arn:aws:sts::123456789012:assumed-role/sleeper/night</Arn>");
    expect_xml(fixture, "<Expiration>2026-03-02T12:15:00Z</Expiration>");
    element(fixture, "AccessKeyId", key_id, sizeof(key_id));
    element(fixture, "SecretAccessKey", secret, sizeof(secret));
    element(fixture, "SessionToken", token, sizeof(token));

    struct sigv4_credentials session = {
        .access_key_id = key_id, .secret_access_key = secret, .session_token = token};
    static const char who[] = "Action=GetCallerIdentity&Version=2011-06-15";
    assert_int_equal(call_sts(fixture, &session, who), 200);
    expect_xml(fixture, "assumed-role/sleeper/night</Arn>");
    expect_xml(fixture, ":night</UserId>");
    fixture->now = wall_add(fixture->now, 15 * MS_PER_MINUTE);
    assert_int_equal(call_sts(fixture, &session, who), 403);
    expect_xml(fixture, "<Code>ExpiredToken</Code>");
}

static void roles_are_not_for_everybody(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *form;
        int status;
        const char *code;
    } cases[] = {
        {ASSUME, 403, "AccessDenied"},
        {ASSUME "&ExternalId=plugh", 403, "AccessDenied"},
        {"Action=AssumeRole&Version=2011-06-15&RoleSessionName=night&RoleArn=arn%3Aaws%3Aiam%3A%3A"
         "1%3Arole%2Fother",
         403, "AccessDenied"},
        {"Action=AssumeRole&Version=2011-06-15&RoleSessionName=night", 400, "ValidationError"},
        {"Action=AssumeRole&Version=2011-06-15&RoleArn=" ROLE, 400, "ValidationError"},
        {"Action=AssumeRole&Version=2011-06-15&RoleArn=" ROLE "&RoleSessionName=a%20b", 400,
         "ValidationError"},
        {"Action=AssumeRole&Version=2011-06-15&RoleArn=" ROLE "&RoleSessionName=a", 400,
         "ValidationError"},
        {"Action=AssumeRole&Version=2011-06-15&RoleArn=short&RoleSessionName=night", 400,
         "ValidationError"},
        {ASSUME "&ExternalId=xyzzy&DurationSeconds=899", 400, "ValidationError"},
        {ASSUME "&ExternalId=xyzzy&DurationSeconds=43201", 400, "ValidationError"},
        {ASSUME "&ExternalId=xyzzy&DurationSeconds=7201", 400, "ValidationError"},
        {ASSUME "&ExternalId=xyzzy&DurationSeconds=long", 400, "MalformedInput"},
        {"Action=Abracadabra&Version=2011-06-15", 400, "InvalidAction"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char code[64];
        assert_int_equal(call_sts(fixture, &bastion, cases[i].form), cases[i].status);
        element(fixture, "Code", code, sizeof(code));
        assert_string_equal(code, cases[i].code);
    }
}

static void a_web_identity_needs_no_signature(void **state)
{
    struct fixture *fixture = *state;
    static const char form[] = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" ROLE
                               "&RoleSessionName=web&WebIdentityToken=";
    char text[512];
    snprintf(text, sizeof(text), "%sweb.token", form);
    assert_int_equal(call_sts(fixture, NULL, text), 200);
    expect_xml(fixture, "<AssumeRoleWithWebIdentityResult>");
    expect_xml(fixture, "assumed-role/sleeper/web</Arn>");
    expect_xml(fixture, "<Expiration>2026-03-02T13:00:00Z</Expiration>");
    snprintf(text, sizeof(text), "%sforged", form);
    assert_int_equal(call_sts(fixture, NULL, text), 400);
    expect_xml(fixture, "<Code>InvalidIdentityToken</Code>");
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(instance_credentials_are_handed_out),
        STORY(only_version_two_is_spoken),
        STORY(tokens_are_asked_for_properly),
        STORY(many_sessions_do_not_grow_memory),
        STORY(credentials_are_renewed_before_they_end),
        STORY(an_instance_may_be_without_profile_or_metadata),
        STORY(the_metadata_service_can_be_out),
        STORY(container_credentials_are_handed_out),
        STORY(callers_learn_who_they_are),
        STORY(an_assumed_role_is_somebody_else),
        STORY(roles_are_not_for_everybody),
        STORY(a_web_identity_needs_no_signature),
    };
    return cmocka_run_group_tests_name("sim: identities", tests, NULL, NULL);
}
