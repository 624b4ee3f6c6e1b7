/* SPDX-License-Identifier: MIT */
#include "ctl/caller.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "credentials/credentials_xml.h"
#include "sigv4.h"

#define TIMEOUT_MS (10 * MS_PER_SECOND)
#define ANSWER_SIZE_MAX ((size_t)64 << 10)
#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define BODY "Action=GetCallerIdentity&Version=2011-06-15"

/* --- the answer ---------------------------------------------------------------------------------- */

int caller_read(const char *body, size_t size, struct caller *ret)
{
    struct caller caller = {.arn = ""};
    const struct {
        const char *name;
        char *buffer;
        size_t size;
    } members[] = {{"Arn", caller.arn, sizeof(caller.arn)},
                   {"Account", caller.account, sizeof(caller.account)}};
    int event;

    if (size > ANSWER_SIZE_MAX)
        return -EBADMSG;
    struct credentials_xml xml = CREDENTIALS_XML(body, size);
    while ((event = credentials_xml_next(&xml)) > XML_END_OF_DOCUMENT) {
        if (event != XML_TEXT || xml.depth != 3 ||
            !credentials_xml_is(&xml, 0, "GetCallerIdentityResponse") ||
            !credentials_xml_is(&xml, 1, "GetCallerIdentityResult"))
            continue;
        for (size_t i = 0; i < ARRAY_LENGTH(members); i++)
            if (credentials_xml_is(&xml, 2, members[i].name) &&
                credentials_xml_decode(xml.text, members[i].buffer, members[i].size) < 0)
                return -EBADMSG;
    }
    if (event < 0 || strncmp(caller.arn, "arn:", 4) != 0 || strlen(caller.account) != 12)
        return -EBADMSG;
    *ret = caller;
    return 0;
}

/* --- the call ------------------------------------------------------------------------------------ */

struct question {
    struct session *session;
    const struct config *config;
    struct caller_result *result;
    struct credentials_request *credentials_request;
    struct http_call *http_call;
    int failure; /* nothing could be asked */
};

static void fail(struct question *question, int r)
{
    question->failure = r;
    question->session->is_done = true;
}

static void answered(void *userdata, const struct http_response *response)
{
    struct question *question = userdata;
    struct caller_result *result = question->result;

    question->http_call = NULL;
    question->session->is_done = true;
    aws_error_from_response(response, &result->error);
    if (result->error.kind == AWS_OK &&
        caller_read(response->body, response->body_size, &result->caller) < 0)
        aws_error_set(&result->error, AWS_ERROR_MALFORMED,
                      "its answer is not the XML that STS writes");
}

static int send(struct question *question, const char *url, const char *region,
                const struct sigv4_credentials *keys)
{
    _cleanup_free_ char *host = NULL, *whole = NULL;
    struct sigv4_signer signer = {0};
    struct sigv4_signature signature;
    int r = endpoint_host(url, &host);

    if (r < 0)
        return r;
    const char *path = endpoint_path(url);
    const struct sigv4_header signed_headers[] = {{"Content-Type", CONTENT_TYPE}, {"Host", host}};
    const struct sigv4_request to_sign = {.method = "POST",
                                          .path = path,
                                          .headers = signed_headers,
                                          .n_headers = ARRAY_LENGTH(signed_headers),
                                          .body = BODY,
                                          .body_size = strlen(BODY)};
    const struct sigv4_scope scope = {.region = region, .service = ENDPOINT_STS.signing_name};

    r = sigv4_sign(&signer, &to_sign, keys, &scope, aws_now(question->session->connection.aws),
                   &signature);
    sigv4_signer_wipe(&signer);
    if (r < 0)
        return r;
    if (asprintf(&whole, "%s%s", url, strcmp(path, "/") == 0 ? "/" : "") < 0) {
        whole = NULL;
        return -ENOMEM;
    }
    const struct http_header headers[] = {
        {"Content-Type", CONTENT_TYPE},
        {"Accept", "text/xml"},
        {"X-Amz-Date", signature.date},
        {"Authorization", signature.authorization},
        {"X-Amz-Security-Token", keys->session_token},
    };
    const struct http_request request = {
        .method = "POST",
        .url = whole,
        .headers = headers,
        .n_headers = ARRAY_LENGTH(headers) - (keys->session_token ? 0 : 1),
        .body = BODY,
        .body_size = strlen(BODY),
        .timeout_ms = TIMEOUT_MS,
        .response_size_max = ANSWER_SIZE_MAX,
    };
    return http_send(question->session->connection.http, &request, answered, question,
                     &question->http_call);
}

static void have_credentials(void *userdata, int error, const char *why,
                             const struct sigv4_credentials *keys, const char *region)
{
    struct question *question = userdata;
    struct caller_result *result = question->result;
    struct credentials *credentials = question->session->connection.credentials;
    _cleanup_free_ char *url = NULL;

    question->credentials_request = NULL;
    if (error < 0) {
        result->credentials_error = error;
        snprintf(result->why, sizeof(result->why), "%s", why);
        question->session->is_done = true;
        return;
    }
    snprintf(result->region, sizeof(result->region), "%s", region);
    snprintf(result->source, sizeof(result->source), "%s", credentials_source(credentials));
    int r = endpoint_resolve(&ENDPOINT_STS, region, question->config->endpoint_url,
                             credentials_endpoint_url(credentials, ENDPOINT_STS.id), &url);
    if (r == 0)
        r = send(question, url, region, keys);
    if (r < 0)
        fail(question, r);
}

int caller_ask(struct session *session, const struct config *config, struct caller_result *ret)
{
    struct question question = {.session = session, .config = config, .result = ret};

    *ret = (struct caller_result){.credentials_error = 0};
    session->is_done = session->is_interrupted;
    int r = credentials_get(session->connection.credentials, have_credentials, &question,
                            &question.credentials_request);
    if (r == 0)
        r = loop_run_until(session->loop, &session->is_done);
    if (question.credentials_request)
        credentials_request_cancel(question.credentials_request);
    if (question.http_call)
        http_cancel(question.http_call);
    if (r == 0 && session->is_interrupted)
        aws_error_set(&ret->error, AWS_ERROR_CANCELLED, "interrupted");
    return r < 0 ? r : question.failure;
}
