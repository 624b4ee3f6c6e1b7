/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_fetch.h"

#include <errno.h>
#include <string.h>

#include "credentials/credentials_sts.h"
#include "endpoint.h"

struct credentials_fetch {
    struct loop *loop;
    struct http *http;
    struct credentials_fetch_options options;
    struct credentials_plan plan;
    struct loop_timer *timer; /* the first step, so that it comes from the loop */

    /* At most one of these is under way. */
    struct credentials_exchange *exchange;
    struct credentials_imds_call *imds;
    struct credentials_sts *sts;

    struct credentials_keys keys;
    size_t n_roles_left;
    char *role_path; /* of the instance's role at IMDS */
    char *region;
    bool region_is_of_instance;
    char *source;
    char *sts_url;

    credentials_fetch_done_fn *done;
    void *userdata;
};

struct credentials_fetch *credentials_fetch_cancel(struct credentials_fetch *fetch)
{
    if (!fetch)
        return NULL;
    loop_timer_free(fetch->timer);
    credentials_exchange_cancel(fetch->exchange);
    credentials_imds_cancel(fetch->imds);
    credentials_sts_cancel(fetch->sts);
    credentials_keys_wipe(&fetch->keys);
    credentials_plan_clear(&fetch->plan);
    free(fetch->role_path);
    free(fetch->region);
    free(fetch->source);
    free(fetch->sts_url);
    free(fetch);
    return NULL;
}
DEFINE_CLEANUP(struct credentials_fetch *, credentials_fetch_cancel)

static void finish(struct credentials_fetch *fetch, int error, const char *why)
{
    struct credentials_outcome outcome = {
        .error = error,
        .why = why,
        .region = fetch->region,
        .region_is_of_instance = fetch->region_is_of_instance,
        .source = fetch->source ? fetch->source : fetch->plan.source,
        .plan = &fetch->plan,
        .skew_ms = fetch->options.skew_ms,
    };

    if (error == 0)
        credentials_keys_move(&outcome.keys, &fetch->keys);
    fetch->done(fetch->userdata, &outcome);
    credentials_keys_wipe(&outcome.keys);
    credentials_fetch_cancel(fetch);
}

static void advance(struct credentials_fetch *fetch);

static void out_of_memory(struct credentials_fetch *fetch)
{
    finish(fetch, -ENOMEM, "out of memory");
}

/* --- IMDS -------------------------------------------------------------------------------------- */

/* Somebody without any credentials ends here too, so this sentence tells the whole story. */
static void fail_imds(struct credentials_fetch *fetch, int error, const char *what)
{
    struct credentials_why why;

    if (fetch->plan.tried)
        credentials_fail(&why, error,
                         "no credentials: %s; the instance metadata service %s: %s. Give the "
                         "instance a role, or write keys into a credentials file",
                         fetch->plan.tried, fetch->plan.imds_url, what);
    else
        credentials_fail(&why, error, "the instance metadata service %s: %s", fetch->plan.imds_url,
                         what);
    finish(fetch, error, why.text);
}

static void ask_imds(struct credentials_fetch *fetch, const char *path,
                     credentials_imds_done_fn *done)
{
    int r = credentials_imds_get(fetch->options.imds, fetch->plan.imds_url, path, done, fetch,
                                 &fetch->imds);
    if (r < 0)
        fail_imds(fetch, r, "the request could not be sent");
}

static void got_imds_keys(void *userdata, int error, const char *why_not, const char *body,
                          size_t body_size)
{
    struct credentials_fetch *fetch = userdata;
    struct credentials_why why;

    fetch->imds = NULL;
    if (error < 0) {
        fail_imds(fetch, error, why_not);
        return;
    }
    int r = credentials_keys_from_json(body, body_size, true, &fetch->keys, &why);
    if (r < 0)
        fail_imds(fetch, r, why.text);
    else
        advance(fetch);
}

static void got_imds_role(void *userdata, int error, const char *why_not, const char *body,
                          size_t body_size)
{
    struct credentials_fetch *fetch = userdata;
    _cleanup_free_ char *role = NULL;

    (void)body_size;
    fetch->imds = NULL;
    if (error == -ENOENT) {
        fail_imds(fetch, -ENOKEY, "this instance has no IAM role (no instance profile)");
        return;
    }
    if (error < 0) {
        fail_imds(fetch, error, why_not);
        return;
    }
    int r = credentials_imds_parse_role(body, &role);
    if (r == -EBADMSG) {
        fail_imds(fetch, r, "what it gives as the role's name is none");
        return;
    }
    if (r < 0 || asprintf(&fetch->role_path, "%s%s", IMDS_PATH_ROLE, role) < 0) {
        fetch->role_path = NULL;
        out_of_memory(fetch);
        return;
    }
    bool is_all = fetch->plan.n_roles == 0;
    if (is_all && asprintf(&fetch->source, "IMDSv2 role %s", role) < 0) {
        fetch->source = NULL;
        out_of_memory(fetch);
        return;
    }
    ask_imds(fetch, fetch->role_path, got_imds_keys);
}

static void got_imds_region(void *userdata, int error, const char *why_not, const char *body,
                            size_t body_size)
{
    struct credentials_fetch *fetch = userdata;
    struct credentials_why why;

    fetch->imds = NULL;
    if (error == 0 && memchr(body, '\0', body_size) == NULL && endpoint_region_is_valid(body)) {
        fetch->region = strdup(body);
        fetch->region_is_of_instance = true;
        if (fetch->region)
            advance(fetch);
        else
            out_of_memory(fetch);
        return;
    }
    error = error ? error : -EBADMSG;
    credentials_fail(&why, error,
                     "no AWS region: set the option region, AWS_REGION, or region in the profile "
                     "(the instance metadata service %s, asked for it: %s)",
                     fetch->plan.imds_url,
                     why_not ? why_not : "what it gives as the region is none");
    finish(fetch, error, why.text);
}

static void ask_region(struct credentials_fetch *fetch)
{
    if (fetch->plan.imds_url)
        ask_imds(fetch, IMDS_PATH_REGION, got_imds_region);
    else
        finish(fetch, -EDESTADDRREQ,
               "no AWS region: set the option region, AWS_REGION, or region in the profile");
}

/* --- container --------------------------------------------------------------------------------- */

static void fail_container(struct credentials_fetch *fetch, int error, const char *what)
{
    struct credentials_why why;

    credentials_fail(&why, error, "the container endpoint %s: %s", fetch->plan.container.url, what);
    finish(fetch, error, why.text);
}

static void got_container_keys(void *userdata, const struct http_response *response)
{
    struct credentials_fetch *fetch = userdata;
    struct credentials_why why;

    fetch->exchange = NULL;
    int r = credentials_exchange_check(response, &why);
    if (r == 0)
        r = credentials_keys_from_json(response->body, response->body_size, false, &fetch->keys,
                                       &why);
    if (r < 0)
        fail_container(fetch, r, why.text);
    else
        advance(fetch);
}

static void ask_container(struct credentials_fetch *fetch)
{
    struct credentials_why why;

    int r = credentials_container_ask(&fetch->plan.container, fetch->loop, fetch->http,
                                      got_container_keys, fetch, &fetch->exchange, &why);
    if (r < 0)
        fail_container(fetch, r, why.text);
}

/* --- STS --------------------------------------------------------------------------------------- */

static void assumed(void *userdata, int error, const char *why, struct credentials_keys *keys,
                    int64_t skew_ms)
{
    struct credentials_fetch *fetch = userdata;

    fetch->sts = NULL;
    fetch->options.skew_ms = skew_ms;
    if (error < 0) {
        finish(fetch, error, why);
        return;
    }
    credentials_keys_move(&fetch->keys, keys);
    advance(fetch);
}

static void assume(struct credentials_fetch *fetch, const struct credentials_role *role)
{
    struct credentials_why why;

    if (!fetch->sts_url) {
        int r = endpoint_resolve(&ENDPOINT_STS, fetch->region, fetch->options.endpoint_url,
                                 credentials_plan_endpoint(&fetch->plan, ENDPOINT_STS.id),
                                 &fetch->sts_url);
        if (r < 0) {
            finish(fetch, r, r == -ENOMEM ? "out of memory" : "the endpoint of STS is not a URL");
            return;
        }
    }
    const struct credentials_sts_request request = {
        .role = role,
        .keys = &fetch->keys,
        .url = fetch->sts_url,
        .region = fetch->region,
        .skew_ms = fetch->options.skew_ms,
    };
    int r = credentials_sts_start(fetch->loop, fetch->http, &request, assumed, fetch, &fetch->sts,
                                  &why);
    if (r < 0)
        finish(fetch, r, why.text);
}

/* --- the course -------------------------------------------------------------------------------- */

static void ask_first_keys(struct credentials_fetch *fetch)
{
    switch (fetch->plan.origin) {
    case CREDENTIALS_FROM_KEYS:
        credentials_keys_move(&fetch->keys, &fetch->plan.keys);
        advance(fetch);
        return;
    case CREDENTIALS_FROM_WEB_IDENTITY:
        assume(fetch, &fetch->plan.web_identity);
        return;
    case CREDENTIALS_FROM_CONTAINER:
        ask_container(fetch);
        return;
    case CREDENTIALS_FROM_IMDS:
        ask_imds(fetch, IMDS_PATH_ROLE, got_imds_role);
        return;
    }
}

/* Does what is missing next. STS cannot be called without a region; for all else it can wait, so
 * that somebody without credentials is told about those first. */
static void advance(struct credentials_fetch *fetch)
{
    bool has_keys = credentials_keys_are_set(&fetch->keys);
    bool is_complete = has_keys && fetch->n_roles_left == 0;

    if (!fetch->region && (is_complete || credentials_plan_needs_sts(&fetch->plan)))
        ask_region(fetch);
    else if (!has_keys)
        ask_first_keys(fetch);
    else if (!is_complete)
        assume(fetch, &fetch->plan.roles[--fetch->n_roles_left]);
    else
        finish(fetch, 0, NULL);
}

static void begin(void *userdata)
{
    advance(userdata);
}

int credentials_fetch_start(struct loop *loop, struct http *http, struct credentials_plan *plan,
                            const struct credentials_fetch_options *options,
                            credentials_fetch_done_fn *done, void *userdata,
                            struct credentials_fetch **ret)
{
    _cleanup_(credentials_fetch_cancel) struct credentials_fetch *fetch = calloc(1, sizeof(*fetch));
    const char *region = plan->region ? plan->region : options->region;

    if (!fetch)
        return -ENOMEM;
    fetch->loop = loop;
    fetch->http = http;
    fetch->options = *options;
    fetch->done = done;
    fetch->userdata = userdata;
    if (region && !(fetch->region = strdup(region)))
        return -ENOMEM;
    int r = loop_timer_new(loop, begin, fetch, &fetch->timer);
    if (r < 0)
        return r;
    fetch->plan = *plan;
    fetch->n_roles_left = plan->n_roles;
    *plan = (struct credentials_plan){0};
    loop_timer_after(fetch->timer, 0);
    *ret = TAKE(fetch);
    return 0;
}
