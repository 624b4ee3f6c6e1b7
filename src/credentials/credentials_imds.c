/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_imds.h"

#include <errno.h>
#include <string.h>

#include "credentials/credentials_exchange.h"

#define TOKEN_TTL_TEXT "21600" /* seconds: six hours, the longest there is */
#define TOKEN_TTL_MS (6 * MS_PER_HOUR)
#define TOKEN_MARGIN_MS MS_PER_MINUTE
#define TOKEN_SIZE_MAX 4096 /* 56 characters today */

/* Link-local: an answer comes within milliseconds, or there is no such service here. */
#define TIMEOUT_MS MS_PER_SECOND
#define ATTEMPTS_MAX 3

#define ROLE_NAME_MAX 64 /* IAM's */

struct credentials_imds {
    struct loop *loop;
    struct http *http;
    char *token;     /* NULL: none */
    char *token_url; /* of the service that gave it */
    struct mono token_end;
};

struct credentials_imds_call {
    struct credentials_imds *imds;
    char *url; /* of the service */
    char *path;
    bool token_is_fresh; /* made for this call: a 401 in spite of it is an answer */
    struct credentials_exchange *exchange;
    credentials_imds_done_fn *done;
    void *userdata;
};

int credentials_imds_new(struct loop *loop, struct http *http, struct credentials_imds **ret)
{
    struct credentials_imds *imds = calloc(1, sizeof(*imds));

    if (!imds)
        return -ENOMEM;
    imds->loop = loop;
    imds->http = http;
    *ret = imds;
    return 0;
}

static void drop_token(struct credentials_imds *imds)
{
    credentials_secret_free(TAKE(imds->token));
    free(TAKE(imds->token_url));
}

struct credentials_imds *credentials_imds_free(struct credentials_imds *imds)
{
    if (imds)
        drop_token(imds);
    free(imds);
    return NULL;
}

static bool has_token_for(const struct credentials_imds *imds, const char *url)
{
    return imds->token && strcmp(imds->token_url, url) == 0 &&
           loop_mono(imds->loop).ms < imds->token_end.ms;
}

struct credentials_imds_call *credentials_imds_cancel(struct credentials_imds_call *call)
{
    if (!call)
        return NULL;
    credentials_exchange_cancel(call->exchange);
    free(call->url);
    free(call->path);
    free(call);
    return NULL;
}
DEFINE_CLEANUP(struct credentials_imds_call *, credentials_imds_cancel)

static void finish(struct credentials_imds_call *call, int error, const char *why, const char *body,
                   size_t body_size)
{
    credentials_imds_done_fn *done = call->done;
    void *userdata = call->userdata;

    credentials_imds_cancel(call);
    done(userdata, error, why, body, body_size);
}

static int ask(struct credentials_imds_call *call, const char *method, const char *path,
               const struct http_header *header, http_done_fn *done)
{
    _cleanup_free_ char *url = NULL;

    if (asprintf(&url, "%s%s", call->url, path) < 0) {
        url = NULL;
        return -ENOMEM;
    }
    struct credentials_question question = {
        .request =
            {
                .method = method,
                .url = url,
                .headers = header,
                .n_headers = 1,
                .timeout_ms = TIMEOUT_MS,
                .response_size_max = CREDENTIALS_RESPONSE_SIZE_MAX,
                .direct = true,
            },
        .attempts_max = ATTEMPTS_MAX,
        .is_retryable = credentials_exchange_is_transient,
    };
    return credentials_exchange_start(call->imds->loop, call->imds->http, &question, done, call,
                                      &call->exchange);
}

static int ask_token(struct credentials_imds_call *call);

static void got_answer(void *userdata, const struct http_response *response)
{
    struct credentials_imds_call *call = userdata;
    struct credentials_why why;

    call->exchange = NULL;
    int r = credentials_exchange_check(response, &why);
    if (r == -EACCES && response->status == 401 && !call->token_is_fresh) {
        drop_token(call->imds);
        r = ask_token(call);
        if (r == 0)
            return;
        credentials_fail(&why, r, "the request could not be sent");
    }
    if (r < 0)
        finish(call, r, why.text, NULL, 0);
    else
        finish(call, 0, NULL, response->body, response->body_size);
}

static int ask_path(struct credentials_imds_call *call)
{
    const struct http_header header = {"X-aws-ec2-metadata-token", call->imds->token};

    return ask(call, "GET", call->path, &header, got_answer);
}

static int keep_token(struct credentials_imds_call *call, const struct http_response *response,
                      struct credentials_why *why)
{
    struct credentials_imds *imds = call->imds;
    size_t size = response->body_size;

    if (size == 0 || size > TOKEN_SIZE_MAX)
        return credentials_fail(why, -EBADMSG, "its session token has %zu characters", size);
    if (!credentials_is_graphic(response->body, size))
        return credentials_fail(why, -EBADMSG, "its session token is not one word");
    drop_token(imds);
    imds->token = strndup(response->body, size);
    imds->token_url = strdup(call->url);
    if (!imds->token || !imds->token_url) {
        drop_token(imds);
        return credentials_fail(why, -ENOMEM, "out of memory");
    }
    imds->token_end = mono_add(loop_mono(imds->loop), TOKEN_TTL_MS - TOKEN_MARGIN_MS);
    return 0;
}

static void got_token(void *userdata, const struct http_response *response)
{
    struct credentials_imds_call *call = userdata;
    struct credentials_why why;

    call->exchange = NULL;
    int r = credentials_exchange_check(response, &why);
    if (r == 0)
        r = keep_token(call, response, &why);
    if (r == 0) {
        call->token_is_fresh = true;
        r = ask_path(call);
        if (r == 0)
            return;
        credentials_fail(&why, r, "the request could not be sent");
    }
    /* "Not found" is said of paths; a service without the token's path is none. */
    finish(call, r == -ENOENT ? -EBADMSG : r, why.text, NULL, 0);
}

static int ask_token(struct credentials_imds_call *call)
{
    const struct http_header header = {"X-aws-ec2-metadata-token-ttl-seconds", TOKEN_TTL_TEXT};

    return ask(call, "PUT", "/latest/api/token", &header, got_token);
}

int credentials_imds_get(struct credentials_imds *imds, const char *url, const char *path,
                         credentials_imds_done_fn *done, void *userdata,
                         struct credentials_imds_call **ret)
{
    _cleanup_(credentials_imds_cancel) struct credentials_imds_call *call =
        calloc(1, sizeof(*call));

    if (!call)
        return -ENOMEM;
    call->imds = imds;
    call->done = done;
    call->userdata = userdata;
    call->url = strdup(url);
    call->path = strdup(path);
    if (!call->url || !call->path)
        return -ENOMEM;
    int r = has_token_for(imds, url) ? ask_path(call) : ask_token(call);
    if (r < 0)
        return r;
    *ret = TAKE(call);
    return 0;
}

int credentials_imds_parse_role(const char *body, char **ret)
{
    _cleanup_free_ char *role = strndup(body, strcspn(body, "\r\n"));

    if (!role)
        return -ENOMEM;
    /* IAM's alphabet of role names; it also keeps the URL a URL. */
    if (!credentials_is_word(role, ROLE_NAME_MAX, "_+=,.@-"))
        return -EBADMSG;
    *ret = TAKE(role);
    return 0;
}
