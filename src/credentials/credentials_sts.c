/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_sts.h"

#include <errno.h>
#include <string.h>

#include "aws_error.h"
#include "credentials/credentials_exchange.h"
#include "credentials/credentials_xml.h"
#include "endpoint.h"
#include "sigv4.h"

#define TIMEOUT_MS (10 * MS_PER_SECOND)
#define ATTEMPTS_MAX 3

/* AWS takes signatures that are up to five minutes off; a smaller difference is not what it minds. */
#define SKEW_MATTERS_MS (4 * MS_PER_MINUTE)

#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"

/* What of an error's message goes into a sentence. */
#define MESSAGE_MAX 300

struct credentials_sts {
    struct loop *loop;
    struct http *http;
    struct credentials_sts_request request;
    char *token;       /* the web identity's */
    bool has_resigned; /* with a corrected clock */
    struct credentials_exchange *exchange;
    credentials_sts_done_fn *done;
    void *userdata;
};

static const char *action_of(const struct credentials_role *role)
{
    return role->token_file ? "AssumeRoleWithWebIdentity" : "AssumeRole";
}

/* --- the form ---------------------------------------------------------------------------------- */

/* "&name=value"; all but RFC 3986's unreserved characters as %XX. Returns the end. */
static char *append_parameter(char *at, const char *name, const char *value)
{
    static const char digits[] = "0123456789ABCDEF";

    if (!value)
        return at;
    *at++ = '&';
    at = stpcpy(at, name);
    *at++ = '=';
    for (const char *c = value; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        bool unreserved = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                          (byte >= '0' && byte <= '9') || strchr("-._~", byte);
        if (unreserved) {
            *at++ = *c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    *at = '\0';
    return at;
}

int credentials_sts_form(const struct credentials_role *role, const char *token, char **ret)
{
    const char *action = token ? "AssumeRoleWithWebIdentity" : "AssumeRole";
    const struct {
        const char *name;
        const char *value;
    } parameters[] = {{"RoleArn", role->arn},
                      {"RoleSessionName", role->session_name},
                      {"ExternalId", token ? NULL : role->external_id},
                      {"DurationSeconds", role->duration_seconds},
                      {"WebIdentityToken", token}};
    size_t room = sizeof("Action=&Version=2011-06-15") + strlen(action);

    for (size_t i = 0; i < ARRAY_LENGTH(parameters); i++)
        if (parameters[i].value)
            room += strlen(parameters[i].name) + 3 * strlen(parameters[i].value) + 2;
    char *form = malloc(room);
    if (!form)
        return -ENOMEM;
    char *at = form + snprintf(form, room, "Action=%s&Version=2011-06-15", action);
    for (size_t i = 0; i < ARRAY_LENGTH(parameters); i++)
        at = append_parameter(at, parameters[i].name, parameters[i].value);
    *ret = form;
    return 0;
}

/* --- the answer -------------------------------------------------------------------------------- */

struct answer {
    char access_key_id[CREDENTIALS_ACCESS_KEY_ID_MAX + 1];
    char secret_access_key[CREDENTIALS_SECRET_MAX + 1];
    char session_token[CREDENTIALS_TOKEN_MAX + 1];
    char expiration[WALL_TEXT_MAX];
};

/* Whether the path is ACTIONResponse / ACTIONResult / Credentials / *. */
static bool is_member(const struct credentials_xml *xml, const char *action)
{
    char response[64], result[64];

    if (xml->depth != 4)
        return false;
    snprintf(response, sizeof(response), "%sResponse", action);
    snprintf(result, sizeof(result), "%sResult", action);
    return credentials_xml_is(xml, 0, response) && credentials_xml_is(xml, 1, result) &&
           credentials_xml_is(xml, 2, "Credentials");
}

/* Returns 0 or -EBADMSG: too long, not decodable, or said twice. */
static int take_member(const struct credentials_xml *xml, struct answer *answer)
{
    const struct {
        const char *name;
        char *buffer;
        size_t size;
    } members[] = {
        {"AccessKeyId", answer->access_key_id, sizeof(answer->access_key_id)},
        {"SecretAccessKey", answer->secret_access_key, sizeof(answer->secret_access_key)},
        {"SessionToken", answer->session_token, sizeof(answer->session_token)},
        {"Expiration", answer->expiration, sizeof(answer->expiration)},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        if (!credentials_xml_is(xml, xml->depth - 1, members[i].name))
            continue;
        if (*members[i].buffer)
            return -EBADMSG;
        return credentials_xml_decode(xml->text, members[i].buffer, members[i].size) < 0 ? -EBADMSG
                                                                                         : 0;
    }
    return 0;
}

int credentials_sts_read(const char *body, size_t size, const char *action,
                         struct credentials_keys *keys, struct credentials_why *why)
{
    struct answer answer = {0};
    struct credentials_why inner;
    int event, r = 0;

    if (size > CREDENTIALS_RESPONSE_SIZE_MAX)
        return credentials_fail(why, -EBADMSG, "its answer is too large");
    struct credentials_xml xml = CREDENTIALS_XML(body, size);
    while ((event = credentials_xml_next(&xml)) > XML_END_OF_DOCUMENT && r == 0)
        if (event == XML_TEXT && is_member(&xml, action))
            r = take_member(&xml, &answer);
    if (event < 0 || r < 0)
        r = credentials_fail(why, -EBADMSG, "its answer is not the XML that STS writes");
    else if ((r = credentials_keys_set_temporary(keys, answer.access_key_id,
                                                 answer.secret_access_key, answer.session_token,
                                                 answer.expiration, &inner)) < 0)
        credentials_fail(why, r, "its answer is not whole: %s", inner.text);
    explicit_bzero(&answer, sizeof(answer));
    return r;
}

/* --- the call ---------------------------------------------------------------------------------- */

struct credentials_sts *credentials_sts_cancel(struct credentials_sts *sts)
{
    if (!sts)
        return NULL;
    credentials_exchange_cancel(sts->exchange);
    credentials_secret_free(sts->token);
    free(sts);
    return NULL;
}
DEFINE_CLEANUP(struct credentials_sts *, credentials_sts_cancel)

static bool is_retryable(const struct http_response *response)
{
    struct aws_error error;

    aws_error_from_response(response, &error);
    return aws_error_is_retryable(&error);
}

static void finish(struct credentials_sts *sts, int error, const char *why,
                   struct credentials_keys *keys)
{
    credentials_sts_done_fn *done = sts->done;
    void *userdata = sts->userdata;
    int64_t skew_ms = sts->request.skew_ms;

    credentials_sts_cancel(sts);
    done(userdata, error, why, keys, skew_ms);
}

/* AWS says what it holds against us in words; if they quote a secret of ours, without them. */
static const char *presentable(const struct credentials_sts *sts, struct aws_error *error)
{
    const struct credentials_keys *keys = sts->request.keys;
    const char *secrets[] = {sts->token, keys ? keys->secret_access_key : NULL,
                             keys ? keys->session_token : NULL};

    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++)
        if (secrets[i] && strstr(error->message, secrets[i]))
            return "(its message is left out: it quotes a secret)";
    error->message[strcspn(error->message, "\r\n")] = '\0';
    return error->message;
}

static int refuse(const struct credentials_sts *sts, const struct http_response *response,
                  struct aws_error *error, struct credentials_why *why)
{
    const struct credentials_role *role = sts->request.role;
    bool is_denied = error->kind == AWS_ERROR_DENIED;
    int code = response->error                 ? response->error
               : is_denied                     ? -EACCES
               : aws_error_is_retryable(error) ? -EAGAIN
                                               : -EBADMSG;

    return credentials_fail(
        why, code, "%s of %s: %s%s%.*s%s", action_of(role), role->arn, error->code,
        error->code[0] ? ": " : "", MESSAGE_MAX, presentable(sts, error),
        is_denied ? " (the role's trust policy must name who asks, and who asks be allowed "
                    "sts:AssumeRole on it)"
                  : "");
}

static int ask(struct credentials_sts *sts, struct credentials_why *why);

/* Whether the Date of the answer shows that our clock was the reason; then the skew is corrected. */
static bool correct_clock(struct credentials_sts *sts, const struct http_response *response)
{
    const char *text = http_response_header(response, "Date");
    struct wall date;

    if (!text || wall_parse_http_date(text, &date) < 0)
        return false;
    int64_t skew_ms = wall_since(date, loop_wall(sts->loop));
    int64_t change_ms = skew_ms - sts->request.skew_ms;
    if (change_ms > -SKEW_MATTERS_MS && change_ms < SKEW_MATTERS_MS)
        return false;
    sts->request.skew_ms = skew_ms;
    return true;
}

static void answered(void *userdata, const struct http_response *response)
{
    struct credentials_sts *sts = userdata;
    const struct credentials_role *role = sts->request.role;
    _cleanup_keys_ struct credentials_keys keys = {0};
    struct credentials_why why, inner;
    struct aws_error error;
    int r;

    sts->exchange = NULL;
    aws_error_from_response(response, &error);
    if (error.kind == AWS_ERROR_CLOCK && !sts->has_resigned && correct_clock(sts, response)) {
        sts->has_resigned = true;
        r = ask(sts, &why);
        if (r == 0)
            return;
    } else if (error.kind != AWS_OK) {
        r = refuse(sts, response, &error, &why);
    } else {
        r = credentials_sts_read(response->body, response->body_size, action_of(role), &keys,
                                 &inner);
        if (r < 0)
            credentials_fail(&why, r, "%s of %s: %s", action_of(role), role->arn, inner.text);
    }
    finish(sts, r, r < 0 ? why.text : NULL, &keys);
}

static int sign(struct credentials_sts *sts, const char *body, struct sigv4_signature *signature,
                struct credentials_why *why)
{
    const struct credentials_sts_request *request = &sts->request;
    _cleanup_free_ char *host = NULL;
    struct sigv4_signer signer = {0};

    if (endpoint_host(request->url, &host) < 0)
        return credentials_fail(why, -EINVAL, "the endpoint of STS is not a URL");
    const struct sigv4_header headers[] = {{"Content-Type", CONTENT_TYPE}, {"Host", host}};
    const struct sigv4_request to_sign = {
        .method = "POST",
        .path = endpoint_path(request->url),
        .headers = headers,
        .n_headers = ARRAY_LENGTH(headers),
        .body = body,
        .body_size = strlen(body),
    };
    const struct sigv4_credentials keys = {
        .access_key_id = request->keys->access_key_id,
        .secret_access_key = request->keys->secret_access_key,
        .session_token = request->keys->session_token,
    };
    const struct sigv4_scope scope = {.region = request->region,
                                      .service = ENDPOINT_STS.signing_name};
    struct wall now = wall_add(loop_wall(sts->loop), request->skew_ms);

    int r = sigv4_sign(&signer, &to_sign, &keys, &scope, now, signature);
    sigv4_signer_wipe(&signer);
    return r < 0 ? credentials_fail(why, r, "the request to STS cannot be signed") : 0;
}

static int ask(struct credentials_sts *sts, struct credentials_why *why)
{
    const struct credentials_sts_request *request = &sts->request;
    _cleanup_secret_ char *body = NULL;
    _cleanup_free_ char *url = NULL;
    struct sigv4_signature signature;
    struct http_header headers[5] = {{"Content-Type", CONTENT_TYPE}, {"Accept", "text/xml"}};
    size_t n = 2;

    if (credentials_sts_form(request->role, sts->token, &body) < 0)
        return credentials_fail(why, -ENOMEM, "out of memory");
    if (!sts->token) {
        int r = sign(sts, body, &signature, why);
        if (r < 0)
            return r;
        headers[n++] = (struct http_header){"X-Amz-Date", signature.date};
        headers[n++] = (struct http_header){"Authorization", signature.authorization};
        if (request->keys->session_token)
            headers[n++] =
                (struct http_header){"X-Amz-Security-Token", request->keys->session_token};
    }
    bool has_path = strcmp(endpoint_path(request->url), "/") != 0;
    if (asprintf(&url, "%s%s", request->url, has_path ? "" : "/") < 0) {
        url = NULL;
        return credentials_fail(why, -ENOMEM, "out of memory");
    }
    struct credentials_question question = {
        .request =
            {
                .method = "POST",
                .url = url,
                .headers = headers,
                .n_headers = n,
                .body = body,
                .body_size = strlen(body),
                .timeout_ms = TIMEOUT_MS,
                .response_size_max = CREDENTIALS_RESPONSE_SIZE_MAX,
            },
        .attempts_max = ATTEMPTS_MAX,
        .is_retryable = is_retryable,
    };
    int r =
        credentials_exchange_start(sts->loop, sts->http, &question, answered, sts, &sts->exchange);
    return r < 0 ? credentials_fail(why, r, "the request to STS could not be sent") : 0;
}

int credentials_sts_start(struct loop *loop, struct http *http,
                          const struct credentials_sts_request *request,
                          credentials_sts_done_fn *done, void *userdata,
                          struct credentials_sts **ret, struct credentials_why *why)
{
    _cleanup_(credentials_sts_cancel) struct credentials_sts *sts = calloc(1, sizeof(*sts));
    int r;

    if (!sts)
        return credentials_fail(why, -ENOMEM, "out of memory");
    sts->loop = loop;
    sts->http = http;
    sts->request = *request;
    sts->done = done;
    sts->userdata = userdata;
    if (request->role->token_file &&
        (r = credentials_token_read(request->role->token_file, WEB_IDENTITY_TOKEN_MAX, &sts->token,
                                    why)) < 0)
        return r;
    r = ask(sts, why);
    if (r < 0)
        return r;
    *ret = TAKE(sts);
    return 0;
}
