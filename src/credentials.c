/* SPDX-License-Identifier: MIT */
#include "credentials.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "credentials/credentials_fetch.h"
#include "log.h"

/* Before the end: from here on whoever asks sets a refresh off, and is served what there is ... */
#define REFRESH_ADVISED_MS (5 * MS_PER_MINUTE)
/* ... and from here on waits for it. */
#define REFRESH_REQUIRED_MS (1 * MS_PER_MINUTE)

/* After a failure: the source is asked again not before a delay that doubles from the first to the
 * last of these, of which half is chance. */
#define RETRY_FIRST_MS (4 * MS_PER_SECOND)
#define RETRY_LAST_MS (64 * MS_PER_SECOND)
#define RETRY_DOUBLINGS_MAX 4
static_assert(RETRY_FIRST_MS << RETRY_DOUBLINGS_MAX == RETRY_LAST_MS, "first, doubled to the last");

/* Past the end: "five to ten minutes, by chance", as the AWS SDKs do it. */
#define OVERDUE_RETRY_MS (5 * MS_PER_MINUTE)

/* Calls under way together are refused together: one refusal. */
#define SAME_REFUSAL_MS (5 * MS_PER_SECOND)

struct credentials_request {
    struct credentials *credentials;
    credentials_done_fn *done;
    void *userdata;
    struct credentials_request *next;
};

/* What the log was last told, so that it hears of transitions only. */
enum health {
    HEALTH_GOOD,
    HEALTH_FAILING, /* cannot be refreshed, still valid */
    HEALTH_OVERDUE, /* past their end, and used nevertheless */
};

struct credentials {
    struct loop *loop;
    struct http *http;
    char *option_profile;
    char *option_region;
    char *option_endpoint_url;

    struct credentials_imds *imds;
    struct credentials_files files;
    char *instance_region; /* does not change while we live */
    int64_t skew_ms;

    struct credentials_request *queue; /* in order of asking */
    struct loop_timer *timer;          /* serves the first of the queue */

    struct credentials_fetch *fetch; /* NULL: none under way */
    int64_t fetch_skew_ms;           /* what it was told */
    struct mono retry_at;            /* no fetch before */
    unsigned n_failures;             /* since the last success */
    int error;                       /* of the last failure */
    struct credentials_why why;

    /* The cache: these four are of the same fetch. */
    struct credentials_keys keys;
    char *region;
    char *source;
    struct credentials_plan plan;

    bool are_refused;   /* the cached keys, by AWS */
    bool files_changed; /* since the cached keys were got */
    struct mono refused_at;
    enum health health;
};

static bool copy_option(const char *option, char **ret)
{
    return !option || (*ret = strdup(option));
}

static void tend(void *userdata);

DEFINE_CLEANUP(struct credentials *, credentials_free)

int credentials_new(struct loop *loop, struct http *http, const struct credentials_options *options,
                    struct credentials **ret)
{
    _cleanup_(credentials_free) struct credentials *credentials = calloc(1, sizeof(*credentials));
    int r;

    if (!credentials)
        return -ENOMEM;
    credentials->loop = loop;
    credentials->http = http;
    credentials->retry_at = MONO_NEVER;
    credentials->refused_at = MONO_NEVER;
    if (!copy_option(options->profile, &credentials->option_profile) ||
        !copy_option(options->region, &credentials->option_region) ||
        !copy_option(options->endpoint_url, &credentials->option_endpoint_url))
        return -ENOMEM;
    if ((r = credentials_imds_new(loop, http, &credentials->imds)) < 0 ||
        (r = loop_timer_new(loop, tend, credentials, &credentials->timer)) < 0)
        return r;
    *ret = TAKE(credentials);
    return 0;
}

struct credentials *credentials_free(struct credentials *credentials)
{
    if (!credentials)
        return NULL;
    while (credentials->queue)
        credentials_request_cancel(credentials->queue);
    credentials_fetch_cancel(credentials->fetch);
    loop_timer_free(credentials->timer);
    credentials_imds_free(credentials->imds);
    credentials_files_clear(&credentials->files);
    credentials_keys_wipe(&credentials->keys);
    credentials_plan_clear(&credentials->plan);
    free(credentials->region);
    free(credentials->source);
    free(credentials->instance_region);
    free(credentials->option_profile);
    free(credentials->option_region);
    free(credentials->option_endpoint_url);
    free(credentials);
    return NULL;
}

/* --- the ends of a fetch ----------------------------------------------------------------------- */

static bool has_usable_keys(const struct credentials *credentials)
{
    return credentials_keys_are_set(&credentials->keys) && !credentials->are_refused;
}

/* Of the cached keys, by AWS's clock; not above zero: they are past their end. */
static int64_t life_left_ms(const struct credentials *credentials)
{
    if (!credentials->keys.expires)
        return INT64_MAX;
    struct wall now = wall_add(loop_wall(credentials->loop), credentials->skew_ms);
    return wall_since(credentials->keys.expiration, now);
}

/* From half of it to all of it. */
static int64_t jittered(struct credentials *credentials, int64_t delay_ms)
{
    int64_t half_ms = delay_ms / 2;

    return half_ms + (int64_t)loop_random(credentials->loop, (uint64_t)half_ms + 1);
}

static void retry_after(struct credentials *credentials, int64_t delay_ms)
{
    credentials->retry_at = mono_add(loop_mono(credentials->loop), delay_ms);
}

static void tell_overdue(struct credentials *credentials, const char *why)
{
    char end[WALL_TEXT_MAX];

    if (credentials->health == HEALTH_OVERDUE)
        return;
    credentials->health = HEALTH_OVERDUE;
    log_warning("the credentials from %s ended at %s and are used nevertheless, since there are no "
                "new ones: %s; asking again every 5 to 10 minutes",
                credentials->source, wall_format_iso(credentials->keys.expiration, end), why);
}

static void tell_failing(struct credentials *credentials, const char *why)
{
    char end[WALL_TEXT_MAX];
    bool expires = credentials->keys.expires;

    if (credentials->health != HEALTH_GOOD)
        return;
    credentials->health = HEALTH_FAILING;
    log_warning("cannot refresh the credentials from %s: %s; those in use %s%s",
                credentials->source, why, expires ? "are valid until " : "go on being used",
                expires ? wall_format_iso(credentials->keys.expiration, end) : "");
}

static void fetch_failed(struct credentials *credentials, int error, const char *why)
{
    int64_t left_ms = life_left_ms(credentials);
    unsigned doublings = credentials->n_failures < RETRY_DOUBLINGS_MAX ? credentials->n_failures
                                                                       : RETRY_DOUBLINGS_MAX;
    int64_t delay_ms = jittered(credentials, RETRY_FIRST_MS << doublings);

    credentials->n_failures++;
    credentials->error = error;
    credentials_fail(&credentials->why, error, "%s", why); /* AWS may refuse what is usable now */
    if (has_usable_keys(credentials) && left_ms <= 0) {
        tell_overdue(credentials, why);
        delay_ms = jittered(credentials, 2 * OVERDUE_RETRY_MS);
    } else if (has_usable_keys(credentials)) {
        tell_failing(credentials, why);
        delay_ms = delay_ms < left_ms ? delay_ms : left_ms; /* when they end, try once more */
    }
    retry_after(credentials, delay_ms);
}

static void tell_fetched(struct credentials *credentials, bool is_new_source)
{
    char end[WALL_TEXT_MAX] = "";
    const char *until = "which do not expire";

    if (credentials->keys.expires) {
        wall_format_iso(credentials->keys.expiration, end);
        until = "valid until ";
    }
    if (is_new_source)
        log_info("credentials: %s, region %s, %s%s", credentials->source, credentials->region,
                 until, end);
    else if (credentials->health != HEALTH_GOOD)
        log_notice("the credentials from %s are fresh again, %s%s", credentials->source, until,
                   end);
    else
        log_debug("credentials: refreshed from %s, %s%s", credentials->source, until, end);
    credentials->health = HEALTH_GOOD;
}

/* Returns -ENOMEM having changed nothing, or 0. */
static int keep(struct credentials *credentials, struct credentials_outcome *outcome)
{
    _cleanup_free_ char *region = strdup(outcome->region);
    _cleanup_free_ char *source = strdup(outcome->source);
    _cleanup_free_ char *instance_region =
        outcome->region_is_of_instance ? strdup(outcome->region) : NULL;

    if (!region || !source || (outcome->region_is_of_instance && !instance_region))
        return -ENOMEM;
    credentials_keys_move(&credentials->keys, &outcome->keys);
    free(credentials->region);
    credentials->region = TAKE(region);
    free(credentials->source);
    credentials->source = TAKE(source);
    if (instance_region) {
        free(credentials->instance_region);
        credentials->instance_region = TAKE(instance_region);
    }
    /* Kept for its endpoints. */
    credentials_plan_clear(&credentials->plan);
    credentials->plan = *outcome->plan;
    *outcome->plan = (struct credentials_plan){0};
    credentials_container_clear(&credentials->plan.container);
    return 0;
}

static void fetch_succeeded(struct credentials *credentials, struct credentials_outcome *outcome)
{
    bool is_new_source = !credentials->source || strcmp(credentials->source, outcome->source) != 0;

    if (keep(credentials, outcome) < 0) {
        fetch_failed(credentials, -ENOMEM, "out of memory");
        return;
    }
    credentials->n_failures = 0;
    credentials->are_refused = false;
    credentials->files_changed = false;
    credentials->retry_at = MONO_NEVER;

    /* A source may give what is about to end, or has ended: IMDS does so when it is in trouble
     * itself. It is used, and the source not asked again at once. */
    int64_t left_ms = life_left_ms(credentials);
    if (left_ms <= 0) {
        tell_overdue(credentials, "the source gave these anew");
        retry_after(credentials, jittered(credentials, 2 * OVERDUE_RETRY_MS));
        return;
    }
    if (left_ms <= REFRESH_ADVISED_MS)
        retry_after(credentials, left_ms / 2 + 1);
    tell_fetched(credentials, is_new_source);
}

static void fetched(void *userdata, struct credentials_outcome *outcome)
{
    struct credentials *credentials = userdata;

    credentials->fetch = NULL;
    if (outcome->skew_ms != credentials->fetch_skew_ms)
        credentials->skew_ms = outcome->skew_ms;
    if (outcome->error < 0)
        fetch_failed(credentials, outcome->error, outcome->why);
    else
        fetch_succeeded(credentials, outcome);
    loop_timer_after(credentials->timer, 0);
}

/* --- serving ----------------------------------------------------------------------------------- */

static void start_fetch(struct credentials *credentials)
{
    const struct credentials_fetch_options options = {
        .imds = credentials->imds,
        .endpoint_url = credentials->option_endpoint_url,
        .region = credentials->instance_region,
        .skew_ms = credentials->skew_ms,
    };
    _cleanup_plan_ struct credentials_plan plan = {0};
    struct credentials_environment environment;
    struct credentials_why why = {"out of memory"};

    credentials_environment_read(&environment);
    int r = credentials_files_load(&credentials->files, &environment);
    if (r == 0)
        r = credentials_plan_make(&environment, &credentials->files, credentials->option_profile,
                                  credentials->option_region, &plan, &why);
    if (r == 0)
        r = credentials_fetch_start(credentials->loop, credentials->http, &plan, &options, fetched,
                                    credentials, &credentials->fetch);
    credentials->fetch_skew_ms = credentials->skew_ms;
    if (r < 0)
        fetch_failed(credentials, r, r == -ENOMEM ? "out of memory" : why.text);
}

enum course {
    COURSE_SERVE,
    COURSE_WAIT, /* for the fetch under way */
    COURSE_REFUSE,
};

/* What to do for who asks now. Sets *ret_fetch if a fetch is to be started first. */
static enum course choose_course(const struct credentials *credentials, bool *ret_fetch)
{
    bool is_usable = has_usable_keys(credentials);
    int64_t left_ms = life_left_ms(credentials);
    bool is_required = !is_usable || credentials->files_changed || left_ms <= REFRESH_REQUIRED_MS;
    bool is_advised = is_required || left_ms <= REFRESH_ADVISED_MS;

    *ret_fetch = is_advised && !credentials->fetch &&
                 loop_mono(credentials->loop).ms >= credentials->retry_at.ms;
    if (is_required && (credentials->fetch || *ret_fetch))
        return COURSE_WAIT;
    return is_usable ? COURSE_SERVE : COURSE_REFUSE;
}

static void refuse(const struct credentials *credentials, credentials_done_fn *done, void *userdata)
{
    struct credentials_why why = credentials->why;

    if (credentials->are_refused)
        credentials_fail(&why, credentials->error,
                         "AWS refused the credentials as expired, and there are no new ones: %s; "
                         "asking again until there are",
                         credentials->why.text);
    done(userdata, credentials->error, why.text, NULL, NULL);
}

/* Serves the first of the queue and comes again for the next: whatever its callback does, even
 * freeing the provider, nothing is touched afterwards. */
static void tend(void *userdata)
{
    struct credentials *credentials = userdata;
    struct credentials_request *request = credentials->queue;
    bool fetch;

    if (!request)
        return;
    if (!credentials->fetch && credentials_files_changed(&credentials->files)) {
        credentials->files_changed = true;
        credentials->retry_at = MONO_NEVER;
    }
    enum course course = choose_course(credentials, &fetch);
    if (fetch) {
        start_fetch(credentials);
        if (!credentials->fetch) /* it has failed, and is not to be tried again for a while */
            course = choose_course(credentials, &fetch);
    }
    if (course == COURSE_WAIT)
        return;

    credentials_done_fn *done = request->done;
    void *done_userdata = request->userdata;
    credentials_request_cancel(request);
    if (credentials->queue)
        loop_timer_after(credentials->timer, 0);

    const struct sigv4_credentials keys = {
        .access_key_id = credentials->keys.access_key_id,
        .secret_access_key = credentials->keys.secret_access_key,
        .session_token = credentials->keys.session_token,
    };
    if (course == COURSE_SERVE)
        done(done_userdata, 0, NULL, &keys, credentials->region);
    else
        refuse(credentials, done, done_userdata);
}

int credentials_get(struct credentials *credentials, credentials_done_fn *done, void *userdata,
                    struct credentials_request **ret)
{
    struct credentials_request *request = calloc(1, sizeof(*request));
    struct credentials_request **last = &credentials->queue;

    if (!request)
        return -ENOMEM;
    *request = (struct credentials_request){
        .credentials = credentials, .done = done, .userdata = userdata};
    while (*last)
        last = &(*last)->next;
    *last = request;
    loop_timer_after(credentials->timer, 0);
    *ret = request;
    return 0;
}

void credentials_request_cancel(struct credentials_request *request)
{
    struct credentials_request **link = &request->credentials->queue;

    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
    free(request);
}

void credentials_invalidate(struct credentials *credentials)
{
    struct mono now = loop_mono(credentials->loop);

    if (!credentials_keys_are_set(&credentials->keys) ||
        mono_since(now, credentials->refused_at) < SAME_REFUSAL_MS)
        return;
    credentials->refused_at = now;
    credentials->are_refused = true;
    credentials_files_forget(&credentials->files);
    if (credentials->n_failures == 0)
        credentials->retry_at = MONO_NEVER;
}

void credentials_set_clock_skew(struct credentials *credentials, int64_t skew_ms)
{
    credentials->skew_ms = skew_ms;
}

const char *credentials_endpoint_url(struct credentials *credentials, const char *service_id)
{
    return credentials_plan_endpoint(&credentials->plan, service_id);
}

const char *credentials_source(const struct credentials *credentials)
{
    return credentials->source ? credentials->source : "no source yet";
}
