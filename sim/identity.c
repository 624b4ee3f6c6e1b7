/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model.h"
#include "src/cleanup.h"
#include "src/json.h"

/* The security token service: who somebody is, and who they may become. */

/* Ids that AWS gives to roles and accounts' users; here, from what they are named by. */
#define UNIQUE_ID_MAX 22

static void unique_id(const char *prefix, const char *name, char buffer[static UNIQUE_ID_MAX])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    size_t n = strlen(prefix);
    memcpy(buffer, prefix, n);
    for (; n < UNIQUE_ID_MAX - 1; n++) {
        buffer[n] = letters[hash % 32];
        hash = hash / 32 + hash * UINT64_C(2654435761);
    }
    buffer[n] = '\0';
}

/* XML */

/* Grows as text is added; after a failure it stays failed. */
struct xml {
    char *text;
    size_t size;
    FILE *stream;
};

static int xml_begin(struct xml *xml)
{
    xml->stream = open_memstream(&xml->text, &xml->size);
    return xml->stream ? 0 : -ENOMEM;
}

static void xml_open(struct xml *xml, const char *name)
{
    fprintf(xml->stream, "<%s>", name);
}

static void xml_close(struct xml *xml, const char *name)
{
    fprintf(xml->stream, "</%s>", name);
}

static void xml_element(struct xml *xml, const char *name, const char *value)
{
    xml_open(xml, name);
    for (const char *c = value; *c; c++) {
        switch (*c) {
        case '&':
            fputs("&amp;", xml->stream);
            break;
        case '<':
            fputs("&lt;", xml->stream);
            break;
        case '>':
            fputs("&gt;", xml->stream);
            break;
        default:
            fputc(*c, xml->stream);
        }
    }
    xml_close(xml, name);
}

/* Takes the text into *ret. */
static int xml_end(struct xml *xml, char **ret)
{
    int failed = ferror(xml->stream);
    failed = fclose(xml->stream) != 0 || failed;
    if (failed) {
        free(xml->text);
        return -ENOMEM;
    }
    *ret = xml->text;
    return 0;
}

/* Parameters */

static int invalid(struct sim_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ValidationError, worded as STS does. */
static int invalid(struct sim_call *call, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)sim_refuse(call, "ValidationError", "1 validation error detected: %s", text);
    return SIM_REFUSED;
}

static int required(struct sim_call *call, const char *name, const char *member, size_t min,
                    size_t max, const char **ret)
{
    const char *value;
    if (json_get_string(call->parameters, name, &value) < 0)
        return invalid(call,
                       "Value null at '%s' failed to satisfy constraint: Member must not be null",
                       member);
    size_t length = strlen(value);
    if (length < min || length > max)
        return invalid(call,
                       "Value at '%s' failed to satisfy constraint: Member must have length %s %zu",
                       member, length < min ? "greater than or equal to" : "less than or equal to",
                       length < min ? min : max);
    *ret = value;
    return 0;
}

static int session_name(struct sim_call *call, const char **ret)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789_+=,.@-";
    int r = required(call, "RoleSessionName", "roleSessionName", 2, 64, ret);
    if (r != 0)
        return r;
    if ((*ret)[strspn(*ret, allowed)] != '\0')
        return invalid(call, "Value at 'roleSessionName' failed to satisfy constraint: Member must "
                             "satisfy regular expression pattern: [\\w+=,.@-]*");
    return 0;
}

#define SESSION_S_MIN 900
#define SESSION_S_MAX 43200
#define SESSION_S_DEFAULT 3600
#define SESSION_S_CHAINED_MAX 3600

static bool is_session(const struct sim_key *key)
{
    return key && key->session_token;
}

static int duration(struct sim_call *call, const struct sim_role *role, int64_t *ret_s)
{
    int64_t duration_s = SESSION_S_DEFAULT;
    const char *text;
    bool given = json_get_string(call->parameters, "DurationSeconds", &text) == 0;
    if (given) {
        char *end;
        errno = 0;
        duration_s = strtoll(text, &end, 10);
        if (*text == '\0' || *end != '\0' || errno != 0)
            return sim_refuse(call, "MalformedInput", "DurationSeconds is no integer");
        if (duration_s < SESSION_S_MIN || duration_s > SESSION_S_MAX)
            return invalid(call,
                           "Value '%s' at 'durationSeconds' failed to satisfy constraint: Member "
                           "must have value between %d and %d",
                           text, SESSION_S_MIN, SESSION_S_MAX);
        if (is_session(call->caller) && duration_s > SESSION_S_CHAINED_MAX)
            return sim_refuse(call, "ValidationError",
                              "The requested DurationSeconds exceeds the 1 hour session limit for "
                              "roles assumed by role chaining");
        if (duration_s > role->max_session_s)
            return sim_refuse(
                call, "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
    }
    /* Not told, AWS gives an hour, which is also the least that a role can be limited to; a scenario
     * may set less, to see credentials expire. */
    *ret_s = !given && duration_s > role->max_session_s ? role->max_session_s : duration_s;
    return 0;
}

static int denied(struct sim_call *call, const char *action, const char *role_arn)
{
    if (call->caller)
        sim_refuse(call, "AccessDenied",
                   "User: %s is not authorized to perform: %s on resource: %s", call->caller->arn,
                   action, role_arn);
    else
        sim_refuse(call, "AccessDenied", "Not authorized to perform %s", action);
    call->error_status = 403;
    return SIM_REFUSED;
}

/* Operations */

static void add_credentials(struct xml *xml, const struct sim_key *key)
{
    char expires[WALL_TEXT_MAX];
    xml_open(xml, "Credentials");
    xml_element(xml, "AccessKeyId", key->access_key_id);
    xml_element(xml, "SecretAccessKey", key->secret_access_key);
    xml_element(xml, "SessionToken", key->session_token);
    xml_element(xml, "Expiration", wall_format_iso(key->expires, expires));
    xml_close(xml, "Credentials");
}

static void add_assumed_role(struct xml *xml, const struct sim_role *role,
                             const struct sim_key *key, const char *session)
{
    char id[UNIQUE_ID_MAX];
    unique_id("AROA", role->name, id);
    char assumed_id[UNIQUE_ID_MAX + 1 + 64];
    snprintf(assumed_id, sizeof(assumed_id), "%s:%s", id, session);
    xml_open(xml, "AssumedRoleUser");
    xml_element(xml, "AssumedRoleId", assumed_id);
    xml_element(xml, "Arn", key->arn);
    xml_close(xml, "AssumedRoleUser");
}

static int issue(struct sim *sim, struct sim_call *call, const struct sim_role *role,
                 const char *session, const struct sim_key **ret)
{
    int64_t duration_s = SESSION_S_DEFAULT;
    int r = duration(call, role, &duration_s);
    return r != 0 ? r : sim_key_issue(sim, role, session, duration_s, call->now, ret);
}

static int assume_role(struct sim *sim, struct sim_call *call)
{
    const char *role_arn = "";
    const char *session = "";
    int r = required(call, "RoleArn", "roleArn", 20, 2048, &role_arn);
    if (r == 0)
        r = session_name(call, &session);
    if (r != 0)
        return r;
    const char *external_id = NULL;
    json_get_string(call->parameters, "ExternalId", &external_id);

    const struct sim_role *role = sim_role_find(sim, role_arn);
    if (!role || strcmp(role->arn, role_arn) != 0 ||
        (role->external_id && (!external_id || strcmp(role->external_id, external_id) != 0)))
        return denied(call, "sts:AssumeRole", role_arn);
    const struct sim_key *key = NULL;
    r = issue(sim, call, role, session, &key);
    if (r != 0)
        return r;

    struct xml xml;
    r = xml_begin(&xml);
    if (r < 0)
        return r;
    xml_open(&xml, "AssumeRoleResult");
    add_assumed_role(&xml, role, key, session);
    add_credentials(&xml, key);
    xml_close(&xml, "AssumeRoleResult");
    return xml_end(&xml, &call->xml);
}

static int assume_role_with_web_identity(struct sim *sim, struct sim_call *call)
{
    const char *role_arn = "";
    const char *session = "";
    const char *token = "";
    int r = required(call, "RoleArn", "roleArn", 20, 2048, &role_arn);
    if (r == 0)
        r = session_name(call, &session);
    if (r == 0)
        r = required(call, "WebIdentityToken", "webIdentityToken", 4, 20000, &token);
    if (r != 0)
        return r;

    const struct sim_role *role = sim_role_find(sim, role_arn);
    if (!role || strcmp(role->arn, role_arn) != 0 || !role->web_identity_token)
        return denied(call, "sts:AssumeRoleWithWebIdentity", role_arn);
    if (strcmp(role->web_identity_token, token) != 0)
        return sim_refuse(call, "InvalidIdentityToken",
                          "The ID Token provided is not a valid JWT. (You may see this error if "
                          "you sent an Access Token)");
    const struct sim_key *key = NULL;
    r = issue(sim, call, role, session, &key);
    if (r != 0)
        return r;

    struct xml xml;
    r = xml_begin(&xml);
    if (r < 0)
        return r;
    xml_open(&xml, "AssumeRoleWithWebIdentityResult");
    xml_element(&xml, "SubjectFromWebIdentityToken", "system:serviceaccount:default:provisionerd");
    xml_element(&xml, "Audience", "sts.amazonaws.com");
    add_assumed_role(&xml, role, key, session);
    add_credentials(&xml, key);
    char provider[SIM_ARN_MAX];
    snprintf(provider, sizeof(provider), "arn:aws:iam::%s:oidc-provider/oidc.example.com",
             sim->account);
    xml_element(&xml, "Provider", provider);
    xml_close(&xml, "AssumeRoleWithWebIdentityResult");
    return xml_end(&xml, &call->xml);
}

/* "AROA...:SESSION" for a session of a role ("...:assumed-role/ROLE/SESSION"), "AIDA..." for a user. */
static void user_id(const struct sim_key *caller, char *buffer, size_t size)
{
    const char *role = strchr(caller->arn, '/');
    const char *session = strrchr(caller->arn, '/');
    char id[UNIQUE_ID_MAX];
    if (is_session(caller) && role && session > role) {
        char name[SIM_ARN_MAX];
        snprintf(name, sizeof(name), "%.*s", (int)(session - role - 1), role + 1);
        unique_id("AROA", name, id);
        snprintf(buffer, size, "%s:%s", id, session + 1);
    } else {
        unique_id("AIDA", caller->arn, id);
        snprintf(buffer, size, "%s", id);
    }
}

static int get_caller_identity(struct sim *sim, struct sim_call *call)
{
    char id[UNIQUE_ID_MAX + SIM_ARN_MAX];
    user_id(call->caller, id, sizeof(id));
    struct xml xml;
    int r = xml_begin(&xml);
    if (r < 0)
        return r;
    xml_open(&xml, "GetCallerIdentityResult");
    xml_element(&xml, "Arn", call->caller->arn);
    xml_element(&xml, "UserId", id);
    xml_element(&xml, "Account", sim->account);
    xml_close(&xml, "GetCallerIdentityResult");
    return xml_end(&xml, &call->xml);
}

int sim_sts_call(struct sim *sim, struct sim_call *call)
{
    if (strcmp(call->operation, "AssumeRole") == 0)
        return assume_role(sim, call);
    if (strcmp(call->operation, "AssumeRoleWithWebIdentity") == 0)
        return assume_role_with_web_identity(sim, call);
    if (strcmp(call->operation, "GetCallerIdentity") == 0)
        return get_caller_identity(sim, call);
    return sim_refuse(call, "InvalidAction", "Could not find operation %s for version 2011-06-15",
                      call->operation);
}
