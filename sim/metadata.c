/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model.h"
#include "src/cleanup.h"

/*
 * Where instances and containers get their credentials: the instance metadata service, version 2
 * only (Amazon EC2 User Guide, "Use the Instance Metadata Service"), and the container credentials
 * endpoint (Amazon ECS Developer Guide, "Task IAM role"; AWS SDKs, "Container credential provider").
 */

#define TOKEN_TTL_S_MAX 21600
#define TOKEN_MAX 57
/* Sessions an instance has open at once; a new one more, and the oldest is forgotten. */
#define TOKENS_MAX 256
/* Credentials are replaced so long before they end: "at least five minutes" (EC2 User Guide). */
#define RENEW_BEFORE_MS (10 * MS_PER_MINUTE)

#define INSTANCE_ID "i-0123456789abcdef0"

struct imds_token {
    char text[TOKEN_MAX];
    struct wall expires;
};

/* A role's credentials as handed out by one of the endpoints; the same to all until nearly ended. */
struct handed_out {
    char access_key_id[SIM_ACCESS_KEY_ID_MAX]; /* "" before the first */
    struct wall since;
};

struct sim_identity {
    struct imds_token tokens[TOKENS_MAX]; /* a ring */
    size_t n_tokens;                      /* ever made */
    struct handed_out instance, container;
};

void sim_identity_free(struct sim_identity *identity)
{
    free(identity);
}

static struct sim_identity *identity_of(struct sim *sim)
{
    if (!sim->identity)
        sim->identity = calloc(1, sizeof(*sim->identity));
    return sim->identity;
}

/* On shortage of memory, *ret is an HTTP 500 already. */
static void answer_text(struct sim_response *ret, int status, const char *text)
{
    if (sim_response_set(ret, status, "text/plain", text, strlen(text)) == 0)
        (void)sim_response_add_header(ret, "Server", "EC2ws"); /* which nobody needs */
}

static void answer_error(struct sim_response *ret, int status, const char *title)
{
    char text[512];
    snprintf(text, sizeof(text),
             "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n"
             "<html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n"
             " <head>\n  <title>%d - %s</title>\n </head>\n"
             " <body>\n  <h1>%d - %s</h1>\n </body>\n</html>\n",
             status, title, status, title);
    if (sim_response_set(ret, status, "text/html", text, strlen(text)) == 0)
        (void)sim_response_add_header(ret, "Server", "EC2ws");
}

/* Credentials */

/* Those handed out so far, or new ones when their end is near. */
static int current_credentials(struct sim *sim, struct handed_out *handed_out,
                               const struct sim_role *role, const char *session, int64_t session_s,
                               struct wall now, const struct sim_key **ret)
{
    const struct sim_key *key =
        handed_out->access_key_id[0] ? sim_key_find(sim, handed_out->access_key_id) : NULL;
    if (key) {
        int64_t life_ms = wall_since(key->expires, handed_out->since);
        int64_t renew_before_ms = RENEW_BEFORE_MS < life_ms / 4 ? RENEW_BEFORE_MS : life_ms / 4;
        if (wall_since(key->expires, now) > renew_before_ms && handed_out->since.ms <= now.ms) {
            *ret = key;
            return 0;
        }
    }
    int r = sim_key_issue(sim, role, session, session_s, now, &key);
    if (r < 0)
        return r;
    snprintf(handed_out->access_key_id, sizeof(handed_out->access_key_id), "%s",
             key->access_key_id);
    handed_out->since = now;
    *ret = key;
    return 0;
}

/* A JSON object of the pairs of name and value, until a NULL name. */
struct pair {
    const char *name;
    const char *value;
};

static void answer_json(struct sim_response *ret, const struct pair *pairs)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();
    bool complete = object != NULL;
    for (; complete && pairs->name; pairs++) {
        struct json_object *value = json_object_new_string(pairs->value);
        complete = value && json_object_object_add(object, pairs->name, value) == 0;
    }
    if (!complete || sim_response_set_json(ret, 200, object) < 0)
        (void)sim_response_set(ret, 500, NULL, "", 0);
}

/* IMDSv2 */

static void make_token(struct sim *sim, char buffer[static TOKEN_MAX])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    snprintf(buffer, TOKEN_MAX, "AQAEA");
    for (size_t i = 5; i < TOKEN_MAX - 3; i++)
        buffer[i] = letters[sim_random(sim, 64)];
    snprintf(buffer + TOKEN_MAX - 3, 3, "==");
}

static void put_token(struct sim *sim, struct wall now, const struct sim_request *request,
                      struct sim_response *ret)
{
    struct sim_identity *identity = sim->identity;
    /* A proxy in between gets none. */
    if (sim_request_header(request, "X-Forwarded-For")) {
        answer_error(ret, 403, "Forbidden");
        return;
    }
    const char *ttl = sim_request_header(request, "X-aws-ec2-metadata-token-ttl-seconds");
    size_t digits = ttl ? strspn(ttl, "0123456789") : 0;
    long ttl_s = digits > 0 && digits <= 5 && ttl[digits] == '\0' ? strtol(ttl, NULL, 10) : 0;
    if (ttl_s < 1 || ttl_s > TOKEN_TTL_S_MAX) {
        answer_error(ret, 400, "Bad Request");
        return;
    }
    struct imds_token *token = &identity->tokens[identity->n_tokens++ % TOKENS_MAX];
    make_token(sim, token->text);
    token->expires = wall_add(now, ttl_s * MS_PER_SECOND);
    answer_text(ret, 200, token->text);
    (void)sim_response_add_header(ret, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", ttl);
}

static bool token_is_valid(const struct sim_identity *identity, const char *text, struct wall now)
{
    for (size_t i = 0; i < TOKENS_MAX && i < identity->n_tokens; i++) {
        const struct imds_token *token = &identity->tokens[i];
        if (strcmp(token->text, text) == 0)
            return now.ms < token->expires.ms;
    }
    return false;
}

static void get_credentials(struct sim *sim, const char *name, struct wall now,
                            struct sim_response *ret)
{
    const struct sim_role *role = sim->imds.role ? sim_role_find(sim, sim->imds.role) : NULL;
    if (!role || (*name && strcmp(name, role->name) != 0)) {
        answer_error(ret, 404, "Not Found");
        return;
    }
    if (*name == '\0') {
        answer_text(ret, 200, role->name);
        return;
    }
    const struct sim_key *key;
    if (current_credentials(sim, &sim->identity->instance, role, INSTANCE_ID, sim->imds.session_s,
                            now, &key) < 0) {
        answer_error(ret, 500, "Internal Server Error");
        return;
    }
    char updated[WALL_TEXT_MAX];
    char expires[WALL_TEXT_MAX];
    const struct pair pairs[] = {
        {"Code", "Success"},
        {"LastUpdated", wall_format_iso(sim->identity->instance.since, updated)},
        {"Type", "AWS-HMAC"},
        {"AccessKeyId", key->access_key_id},
        {"SecretAccessKey", key->secret_access_key},
        {"Token", key->session_token},
        {"Expiration", wall_format_iso(key->expires, expires)},
        {NULL, NULL},
    };
    answer_json(ret, pairs);
}

static void get_identity_document(const struct sim *sim, struct wall now, struct sim_response *ret)
{
    char zone[64];
    char started[WALL_TEXT_MAX];
    snprintf(zone, sizeof(zone), "%sa", sim->region);
    const struct pair pairs[] = {
        {"accountId", sim->account},
        {"architecture", "x86_64"},
        {"availabilityZone", zone},
        {"imageId", "ami-0123456789abcdef0"},
        {"instanceId", INSTANCE_ID},
        {"instanceType", "t3.nano"},
        {"pendingTime", wall_format_iso(wall_add(now, -MS_PER_HOUR), started)},
        {"privateIp", "10.0.0.10"},
        {"region", sim->region},
        {"version", "2017-09-30"},
        {NULL, NULL},
    };
    answer_json(ret, pairs);
}

/* A slash at the end makes no difference; botocore asks for the availability zone with one. */
static bool path_is(const char *path, const char *name)
{
    size_t n = strlen(name);
    return strncmp(path, name, n) == 0 && strcmp(path + n + (path[n] == '/'), "") == 0;
}

static void get_metadata(struct sim *sim, const char *path, struct wall now,
                         struct sim_response *ret)
{
    static const char credentials[] = "/latest/meta-data/iam/security-credentials";
    char text[64];
    if (strncmp(path, credentials, sizeof(credentials) - 1) == 0 &&
        (path[sizeof(credentials) - 1] == '/' || path[sizeof(credentials) - 1] == '\0')) {
        const char *name = path + sizeof(credentials) - 1;
        get_credentials(sim, *name == '/' ? name + 1 : name, now, ret);
    } else if (path_is(path, "/latest/meta-data/placement/region")) {
        answer_text(ret, 200, sim->region);
    } else if (path_is(path, "/latest/meta-data/placement/availability-zone")) {
        snprintf(text, sizeof(text), "%sa", sim->region);
        answer_text(ret, 200, text);
    } else if (path_is(path, "/latest/meta-data/instance-id")) {
        answer_text(ret, 200, INSTANCE_ID);
    } else if (path_is(path, "/latest/dynamic/instance-identity/document")) {
        get_identity_document(sim, now, ret);
    } else {
        answer_error(ret, 404, "Not Found");
    }
}

void sim_imds_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                     struct sim_response *ret)
{
    if (!identity_of(sim)) {
        (void)sim_response_set(ret, 500, NULL, "", 0);
        return;
    }
    if (!sim->imds.enabled) {
        answer_error(ret, 403, "Forbidden");
        return;
    }
    bool for_token = strcmp(request->path, "/latest/api/token") == 0;
    if (strcmp(request->method, for_token ? "PUT" : "GET") != 0) {
        answer_error(ret, 405, "Not Allowed");
        return;
    }
    if (for_token) {
        put_token(sim, now, request, ret);
        return;
    }
    const char *token = sim_request_header(request, "X-aws-ec2-metadata-token");
    if (!token || !token_is_valid(sim->identity, token, now))
        answer_error(ret, 401, "Unauthorized");
    else
        get_metadata(sim, request->path, now, ret);
}

/* The container endpoint */

static void answer_container_error(struct sim_response *ret, int status, const char *code,
                                   const char *message)
{
    char text[256];
    snprintf(text, sizeof(text), "{\"code\":\"%s\",\"message\":\"%s\",\"HTTPErrorCode\":%d}\n",
             code, message, status);
    (void)sim_response_set(ret, status, "application/json", text, strlen(text));
}

void sim_container_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                          struct sim_response *ret)
{
    const struct sim_container *container = &sim->container;
    struct sim_identity *identity = identity_of(sim);
    if (!identity) {
        (void)sim_response_set(ret, 500, NULL, "", 0);
        return;
    }
    if (strcmp(request->method, "GET") != 0) {
        answer_container_error(ret, 405, "MethodNotAllowed", "only GET");
        return;
    }
    const struct sim_role *role = container->role ? sim_role_find(sim, container->role) : NULL;
    if (!container->path || strcmp(request->path, container->path) != 0 || !role) {
        answer_container_error(ret, 400, "InvalidIdInRequest", "CredentialsV2Request: unknown id");
        return;
    }
    const char *authorization = sim_request_header(request, "Authorization");
    if (container->authorization_token &&
        (!authorization || strcmp(authorization, container->authorization_token) != 0)) {
        answer_container_error(ret, 401, "AccessDenied", "invalid Authorization");
        return;
    }

    const struct sim_key *key;
    if (current_credentials(sim, &identity->container, role, "task-0123456789abcdef",
                            container->session_s, now, &key) < 0) {
        answer_container_error(ret, 500, "InternalServerError", "no credentials");
        return;
    }
    char expires[WALL_TEXT_MAX];
    const struct pair pairs[] = {
        {"RoleArn", role->arn},
        {"AccessKeyId", key->access_key_id},
        {"SecretAccessKey", key->secret_access_key},
        {"Token", key->session_token},
        {"Expiration", wall_format_iso(key->expires, expires)},
        {NULL, NULL},
    };
    answer_json(ret, pairs);
}
