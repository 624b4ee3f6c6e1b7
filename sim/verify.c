/* SPDX-License-Identifier: MIT */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/sigv4.h"

/*
 * Who signed this request, if anybody: the signature is computed again from the request as received
 * and the secret that the model holds. Source: AWS IAM User Guide, "Create a signed AWS API request"
 * and "Troubleshoot Signature Version 4 signing".
 */

#define ALGORITHM "AWS4-HMAC-SHA256"

/* The parts of an Authorization header; all point into `text`. */
struct authorization {
    char *text;
    char *access_key_id, *date, *region, *service, *terminator;
    char *signed_headers;
    char *signature;
};

static int refuse_incomplete(struct sim_call *call, const char *what)
{
    return sim_refuse(call, "IncompleteSignatureException",
                      "Authorization header requires '%s' parameter.", what);
}

/* "AKID/20150830/us-east-1/logs/aws4_request". Access key ids hold no slash. */
static bool split_credential(char *credential, struct authorization *parts)
{
    parts->access_key_id = strsep(&credential, "/");
    parts->date = strsep(&credential, "/");
    parts->region = strsep(&credential, "/");
    parts->service = strsep(&credential, "/");
    parts->terminator = strsep(&credential, "/");
    return parts->access_key_id && parts->date && parts->region && parts->service &&
           parts->terminator && !credential && strcmp(parts->terminator, "aws4_request") == 0;
}

static int parse_authorization(struct sim_call *call, const char *header, struct authorization *ret)
{
    char *credential = NULL;
    ret->text = strdup(header);
    if (!ret->text)
        return sim_refuse(call, "InternalFailure", "Out of memory");

    char *rest = ret->text;
    const char *algorithm = strsep(&rest, " ");
    if (strcmp(algorithm, ALGORITHM) != 0)
        return sim_refuse(call, "IncompleteSignatureException",
                          "Unsupported AWS 'algorithm': '%.100s'.", algorithm);
    for (char *part; (part = strsep(&rest, ","));) {
        part += strspn(part, " ");
        if (strncmp(part, "Credential=", 11) == 0)
            credential = part + 11;
        else if (strncmp(part, "SignedHeaders=", 14) == 0)
            ret->signed_headers = part + 14;
        else if (strncmp(part, "Signature=", 10) == 0)
            ret->signature = part + 10;
    }
    if (!credential)
        return refuse_incomplete(call, "Credential");
    if (!ret->signed_headers)
        return refuse_incomplete(call, "SignedHeaders");
    if (!ret->signature)
        return refuse_incomplete(call, "Signature");
    if (!split_credential(credential, ret))
        return sim_refuse(call, "IncompleteSignatureException",
                          "Credential must have exactly 5 slash-delimited elements, e.g. "
                          "keyid/date/region/service/term");
    return 0;
}

/* A list as in SignedHeaders: "host;x-amz-date". */
static bool list_has(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *item = list; *item;) {
        size_t item_length = strcspn(item, ";");
        if (item_length == length && strncasecmp(item, name, length) == 0)
            return true;
        item += item_length + (item[item_length] == ';');
    }
    return false;
}

static bool parse_date(const char *text, struct wall *ret)
{
    struct tm tm = {0};
    const char *end = text ? strptime(text, "%Y%m%dT%H%M%SZ", &tm) : NULL;
    if (!end || *end || strlen(text) != 16)
        return false;
    ret->ms = (int64_t)timegm(&tm) * MS_PER_SECOND;
    return true;
}

static void format_date(struct wall when, char buffer[static SIGV4_DATE_MAX])
{
    time_t seconds = (time_t)(when.ms / MS_PER_SECOND);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(buffer, SIGV4_DATE_MAX, "%Y%m%dT%H%M%SZ", &tm);
}

static int check_scope(const struct sim *sim, struct sim_call *call,
                       const struct authorization *parts, const char *service, const char *date)
{
    if (strcmp(parts->service, service) != 0)
        return sim_refuse(call, "InvalidSignatureException",
                          "Credential should be scoped to correct service: '%s'. ", service);
    if (strcmp(parts->region, sim->region) != 0)
        return sim_refuse(call, "InvalidSignatureException",
                          "Credential should be scoped to a valid region, not '%.100s'. ",
                          parts->region);
    if (strlen(parts->date) != 8 || strncmp(parts->date, date, 8) != 0)
        return sim_refuse(call, "InvalidSignatureException",
                          "Date in Credential scope does not match YYYYMMDD from ISO-8601 version "
                          "of date from HTTP: '%.20s' != '%.8s', from '%.20s'.",
                          parts->date, date, date);
    return 0;
}

static int check_age(const struct sim *sim, struct sim_call *call, struct wall signed_at)
{
    int64_t age_ms = wall_since(call->now, signed_at);
    int64_t allowed_ms = sim->settings.signature_skew_ms;
    if (llabs(age_ms) <= allowed_ms)
        return 0;

    char signed_text[SIGV4_DATE_MAX], now[SIGV4_DATE_MAX], limit[SIGV4_DATE_MAX];
    bool old = age_ms > 0;
    format_date(signed_at, signed_text);
    format_date(call->now, now);
    format_date(wall_add(call->now, old ? -allowed_ms : allowed_ms), limit);
    return sim_refuse(call, "InvalidSignatureException", "%s: %s is %s than %s (%s %c %lld min.)",
                      old ? "Signature expired" : "Signature not yet current", signed_text,
                      old ? "now earlier" : "still later", limit, now, old ? '-' : '+',
                      (long long)(allowed_ms / MS_PER_MINUTE));
}

static int check_expiry(struct sim_call *call, const struct sim_key *key)
{
    return call->now.ms < key->expires.ms
               ? 0
               : sim_refuse(call, "ExpiredTokenException",
                            "The security token included in the request is expired");
}

static int check_key(struct sim *sim, struct sim_call *call, const char *access_key_id,
                     const char *token, const struct sim_key **ret)
{
    const struct sim_key *key = sim_key_find(sim, access_key_id);
    bool token_fits = key && (key->session_token ? token && strcmp(key->session_token, token) == 0
                                                 : token == NULL);
    if (!key || !token_fits)
        return sim_refuse(call, "UnrecognizedClientException",
                          "The security token included in the request is invalid.");
    *ret = key;
    return check_expiry(call, key);
}

static int check_signed_headers(const struct sim_request *request, struct sim_call *call,
                                const char *list)
{
    static const char *const needed[] = {"host", "x-amz-date", "x-amz-target"};
    for (size_t i = 0; i < ARRAY_LENGTH(needed); i++)
        if (sim_request_header(request, needed[i]) && !list_has(list, needed[i]))
            return sim_refuse(call, "InvalidSignatureException",
                              "'%s' must be a 'SignedHeader' in the AWS Authorization.", needed[i]);
    return 0;
}

/* Computes the signature again from what was received. */
static int check_signature(const struct sim_request *request, struct sim_call *call,
                           const struct authorization *parts, const struct sim_key *key,
                           struct wall signed_at)
{
    struct sigv4_header headers[SIGV4_HEADERS_MAX];
    size_t n = 0;
    struct sigv4_scope scope = {
        .region = parts->region,
        .service = parts->service,
        .sign_body = list_has(parts->signed_headers, "x-amz-content-sha256"),
        .omit_token = !list_has(parts->signed_headers, "x-amz-security-token"),
    };
    for (size_t i = 0; i < request->n_headers; i++) {
        const struct sim_header *header = &request->headers[i];
        bool added_by_signer = strcasecmp(header->name, "x-amz-date") == 0 ||
                               strcasecmp(header->name, "x-amz-security-token") == 0 ||
                               strcasecmp(header->name, "x-amz-content-sha256") == 0;
        if (added_by_signer || !list_has(parts->signed_headers, header->name))
            continue;
        if (n == ARRAY_LENGTH(headers))
            return sim_refuse(call, "InvalidSignatureException", "Too many signed headers");
        headers[n++] = (struct sigv4_header){.name = header->name, .value = header->value};
    }
    struct sigv4_request received = {
        .method = request->method,
        .path = request->path,
        .query = request->query,
        .headers = headers,
        .n_headers = n,
        .body = request->body,
        .body_size = request->body_size,
    };
    struct sigv4_credentials credentials = {
        .access_key_id = key->access_key_id,
        .secret_access_key = key->secret_access_key,
        .session_token = key->session_token,
    };
    struct sigv4_signer signer = {0};
    struct sigv4_signature expected;
    int r = sigv4_sign(&signer, &received, &credentials, &scope, signed_at, &expected);
    sigv4_signer_wipe(&signer);
    if (r == 0 && strlen(parts->signature) == strlen(expected.signature) &&
        CRYPTO_memcmp(parts->signature, expected.signature, strlen(expected.signature)) == 0)
        return 0;
    return sim_refuse(call, "InvalidSignatureException",
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your AWS Secret Access Key and signing method. Consult the "
                      "service documentation for details.");
}

/* Without verification, the key named if it is known, else the first there is. But AWS believes
 * nobody whose clock is wrong, or whose key has ended: clients that learn from that must find it here,
 * too. */
static int believe(const struct sim *sim, const struct sim_request *request, const char *header,
                   struct sim_call *call)
{
    const char *credential = header ? strstr(header, "Credential=") : NULL;
    struct wall signed_at;

    if (credential && parse_date(sim_request_header(request, "X-Amz-Date"), &signed_at) &&
        check_age(sim, call, signed_at) != 0)
        return sim_refused();
    call->caller = sim->n_keys > 0 ? sim->keys[0] : NULL;
    if (!credential)
        return 0;
    credential += strlen("Credential=");
    char id[SIM_ACCESS_KEY_ID_MAX];
    snprintf(id, sizeof(id), "%.*s", (int)strnlen(credential, strcspn(credential, "/, ")),
             credential);
    const struct sim_key *key = sim_key_find(sim, id);
    if (key)
        call->caller = key;
    return key ? check_expiry(call, key) : 0;
}

int sim_verify(struct sim *sim, const struct sim_request *request, const char *service,
               struct sim_call *call)
{
    const char *header = sim_request_header(request, "Authorization");
    if (!sim->settings.verify_signatures)
        return believe(sim, request, header, call);
    if (!header || !*header)
        return sim_refuse(call, "MissingAuthenticationTokenException",
                          "Missing Authentication Token");

    struct authorization parts = {0};
    const struct sim_key *key = NULL;
    const char *date = sim_request_header(request, "X-Amz-Date");
    struct wall signed_at = WALL_NEVER;
    int r = parse_authorization(call, header, &parts);
    if (r == 0 && !parse_date(date, &signed_at))
        r = sim_refuse(call, "IncompleteSignatureException",
                       "Authorization header requires existence of either a 'X-Amz-Date' or a "
                       "'Date' header.");
    if (r == 0)
        r = check_key(sim, call, parts.access_key_id,
                      sim_request_header(request, "X-Amz-Security-Token"), &key);
    if (r == 0)
        r = check_scope(sim, call, &parts, service, date);
    if (r == 0)
        r = check_signed_headers(request, call, parts.signed_headers);
    if (r == 0)
        r = check_age(sim, call, signed_at);
    if (r == 0)
        r = check_signature(request, call, &parts, key, signed_at);
    free(parts.text);
    if (r == 0)
        call->caller = key;
    return r;
}
