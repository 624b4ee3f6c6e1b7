/* SPDX-License-Identifier: MIT */

#include "aws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/aws_request.h"
#include "aws/budget.h"
#include "aws/operation.h"
#include "aws/queue.h"
#include "aws/retry.h"
#include "aws/skew.h"
#include "cleanup.h"
#include "json.h"
#include "sigv4.h"

/* One attempt. AWS answers these operations within a second or two; FilterLogEvents over a large
 * log group may search for longer. */
#define ATTEMPT_TIMEOUT_MS (30 * MS_PER_SECOND)

/* The SDKs take a clock for skewed when it is off by more than this; AWS refuses at 5 minutes. */
#define CLOCK_OFF_MS (4 * MS_PER_MINUTE)

/* AWS has accepted a signature, and its Date is further than this from the time of signing: then the
 * Date is not AWS's (a proxy's, a cache's), since AWS accepts no such signature. A wrong time here
 * could make idleness out of a moment that is yet to come. */
#define CLOCK_PLAUSIBLE_MS (15 * MS_PER_MINUTE)

/*
 * Of one operation, under way at a time: four seconds' worth of what CloudWatch Logs grants. More wait
 * in their lane, with no token yet: whoever had one and waited elsewhere, for a connection, would leave
 * in a bunch with all the others who did, and so faster than the budget. The rest is for the urgent,
 * whom those that a slow service does not answer must not hold up.
 */
#define UNDER_WAY_MAX 16
#define UNDER_WAY_ROUTINE_MAX 12

enum call_state {
    CALL_WAITING,     /* in its lane, for a token */
    CALL_AT_GATE,     /* next to go, waits for credentials */
    CALL_SENT,        /* waits for the answer */
    CALL_BACKING_OFF, /* waits to try again */
};

struct aws_call {
    struct queue_place place; /* in the lane's queue; first, so that it is the call too */
    struct aws *aws;
    enum aws_operation operation;
    char *body;
    size_t body_size;
    aws_done_fn *done;
    void *userdata;

    enum call_state state;
    struct credentials_request *credentials_request;
    struct http_call *http_call;
    struct loop_timer *back_off;

    int attempts;
    int retry_cost; /* of the last retry */
    bool clock_corrected;
    bool credentials_refreshed;
    bool in_doubt;
    struct mono deadline;
    struct skew_moment sent;
    struct wall signed_at;

    struct aws_call *next; /* of all */
    struct aws_call *previous;
};

/* One for each operation: what it may do, and who waits for it. */
struct lane {
    struct aws *aws;
    struct budget budget;
    struct queue queue;
    /* Only one call at a time waits for credentials, and it takes its token when they have come:
     * otherwise all that had gathered meanwhile would leave at once. */
    struct aws_call *at_gate;
    size_t n_under_way; /* have an http_call */
    struct loop_timer *timer;
    struct sigv4_signer signer;
};

struct aws {
    struct loop *loop;
    struct http *http;
    struct credentials *credentials;
    char *endpoint_url;
    struct lane lanes[AWS_N_OPERATIONS];
    struct retry_quota quota;
    struct skew skew;
    int64_t skew_told_ms; /* to the credentials */
    uint64_t next_sequence;
    struct aws_call *calls;
    size_t n_calls;
    struct mono answer_sent; /* see aws_answer_sent() */
};

static struct skew_moment present(const struct aws *aws)
{
    return (struct skew_moment){.wall = loop_wall(aws->loop), .mono = loop_mono(aws->loop)};
}

static struct lane *lane_of(const struct aws_call *call)
{
    return &call->aws->lanes[call->operation];
}

/* ---- lanes ---- */

/* Who may go as soon as there is a token; NULL: nobody. */
static struct aws_call *lane_next(const struct lane *lane)
{
    struct queue_place *place = queue_first(&lane->queue);

    if (!place || lane->at_gate)
        return NULL;
    size_t limit = place->priority == AWS_URGENT ? UNDER_WAY_MAX : UNDER_WAY_ROUTINE_MAX;
    return lane->n_under_way < limit ? (struct aws_call *)place : NULL;
}

/* Lets the lane's timer find out, from the loop, whether somebody can go. */
static void lane_wake(struct lane *lane)
{
    if (!lane_next(lane))
        loop_timer_stop(lane->timer);
    else
        loop_timer_after(lane->timer, budget_wait_ms(&lane->budget, loop_mono(lane->aws->loop)));
}

static void lane_enter(struct aws_call *call)
{
    struct lane *lane = lane_of(call);

    call->state = CALL_WAITING;
    queue_enter(&lane->queue, &call->place);
    lane_wake(lane);
}

/* ---- the end of a call ---- */

/* From wherever it waits. */
static void call_withdraw(struct aws_call *call)
{
    struct lane *lane = lane_of(call);

    switch (call->state) {
    case CALL_WAITING:
        queue_leave(&lane->queue, &call->place);
        break;
    case CALL_AT_GATE:
        if (call->credentials_request)
            credentials_request_cancel(TAKE(call->credentials_request));
        lane->at_gate = NULL;
        break;
    case CALL_SENT:
        if (call->http_call) {
            http_cancel(TAKE(call->http_call));
            lane->n_under_way--;
        }
        break;
    case CALL_BACKING_OFF:
        break; /* its timer goes with it */
    }
    lane_wake(lane);
}

static struct aws_call *call_free(struct aws_call *call)
{
    if (!call)
        return NULL;
    loop_timer_free(call->back_off);
    free(call->body);
    free(call);
    return NULL;
}

DEFINE_CLEANUP(struct aws_call *, call_free)

static void call_remove(struct aws_call *call)
{
    struct aws *aws = call->aws;

    call_withdraw(call);
    if (call->previous)
        call->previous->next = call->next;
    else
        aws->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    aws->n_calls--;
    call_free(call);
}

static void call_finish(struct aws_call *call, const struct aws_error *error,
                        struct json_object *body)
{
    aws_done_fn *done = call->done;
    void *userdata = call->userdata;

    call->aws->answer_sent = call->sent.mono;
    call_remove(call);
    done(userdata, error, body);
}

static void call_fail(struct aws_call *call, enum aws_error_kind kind, const char *why)
{
    struct aws_error error;

    aws_error_set(&error, kind, "%s", why);
    error.in_doubt = call->in_doubt;
    call_finish(call, &error, NULL);
}

void aws_call_cancel(struct aws_call *call)
{
    call_remove(call);
}

void aws_call_set_deadline(struct aws_call *call, struct mono deadline)
{
    call->deadline = deadline;
}

void aws_call_redirect(struct aws_call *call, aws_done_fn *done, void *userdata)
{
    call->done = done;
    call->userdata = userdata;
}

/* ---- time ---- */

static void tell_skew(struct aws *aws, int64_t skew_ms)
{
    if (skew_ms == aws->skew_told_ms)
        return;
    aws->skew_told_ms = skew_ms;
    credentials_set_clock_skew(aws->credentials, skew_ms);
}

int64_t aws_clock_skew_ms(const struct aws *aws)
{
    return skew_at(&aws->skew, present(aws));
}

struct wall aws_now(struct aws *aws)
{
    struct skew_moment now = present(aws);
    int64_t skew_ms = skew_at(&aws->skew, now);

    tell_skew(aws, skew_ms);
    return wall_add(now.wall, skew_ms);
}

/* NULL also when there was no answer. */
static const char *header_of(const struct http_response *response, const char *name)
{
    return response->error == 0 ? http_response_header(response, name) : NULL;
}

static bool is_within(int64_t difference_ms, int64_t limit_ms)
{
    return difference_ms >= -limit_ms && difference_ms <= limit_ms;
}

/* Learns from the Date of an answer. Returns true if the call was signed with a time so far from it
 * that this may be why it was refused. */
static bool learn_clock(struct aws_call *call, const struct http_response *response,
                        const struct aws_error *error)
{
    struct aws *aws = call->aws;
    struct skew_moment now = present(aws);
    const char *text = header_of(response, "Date");
    struct wall date;

    if (!text || wall_parse_http_date(text, &date) < 0)
        return false;
    if (error->kind != AWS_ERROR_CLOCK) {
        bool is_from_aws = error->kind == AWS_OK || error->request_id[0] != '\0';
        int64_t difference_ms = skew_disagreement_ms(&aws->skew, date, call->sent, now);
        if (!is_from_aws || !is_within(difference_ms, CLOCK_PLAUSIBLE_MS))
            return false;
    }
    skew_learn(&aws->skew, date, call->sent, now);
    tell_skew(aws, aws->skew.ms);
    return !is_within(wall_since(date, call->signed_at), CLOCK_OFF_MS);
}

/* ---- answers ---- */

static void back_off_over(void *userdata)
{
    lane_enter(userdata);
}

/* After throttling, nobody else's request of this operation would fare better. */
static void pause_lane(struct lane *lane, int64_t server_wait_ms)
{
    struct loop *loop = lane->aws->loop;
    int64_t half_ms = budget_pause_ceiling_ms(&lane->budget) / 2;
    int64_t pause_ms = half_ms + (int64_t)loop_random(loop, (uint64_t)half_ms + 1);

    budget_refused(&lane->budget, loop_mono(loop),
                   pause_ms > server_wait_ms ? pause_ms : server_wait_ms);
    lane_wake(lane);
}

/* Returns false if this was the last attempt. */
static bool retry_later(struct aws_call *call, const struct aws_error *error, bool timed_out,
                        int64_t server_wait_ms)
{
    struct aws *aws = call->aws;

    if (error->kind == AWS_ERROR_THROTTLED)
        pause_lane(lane_of(call), server_wait_ms);
    if (call->attempts >= RETRY_ATTEMPTS_MAX)
        return false;
    int cost = retry_quota_take(&aws->quota, timed_out);
    if (cost == 0)
        return false;

    int64_t ceiling_ms = retry_ceiling_ms(call->attempts);
    int64_t wait_ms = (int64_t)loop_random(aws->loop, (uint64_t)ceiling_ms + 1);
    call->retry_cost = cost;
    call->state = CALL_BACKING_OFF;
    loop_timer_after(call->back_off, wait_ms > server_wait_ms ? wait_ms : server_wait_ms);
    lane_wake(lane_of(call)); /* there is room for another */
    return true;
}

static bool retry_with_new_credentials(struct aws_call *call, struct aws_error *error)
{
    size_t length = strlen(error->message);

    credentials_invalidate(call->aws->credentials);
    if (call->credentials_refreshed || call->attempts >= RETRY_ATTEMPTS_MAX) {
        snprintf(error->message + length, sizeof(error->message) - length,
                 "%sthe keys from %s have to be renewed", length > 0 ? "; " : "",
                 credentials_source(call->aws->credentials));
        return false;
    }
    call->credentials_refreshed = true;
    lane_enter(call);
    return true;
}

/* A refused signature: by the clock, if that was off; else the secret key does not fit. */
static bool retry_with_right_time(struct aws_call *call, bool clock_was_off,
                                  struct aws_error *error)
{
    if (clock_was_off && !call->clock_corrected && call->attempts < RETRY_ATTEMPTS_MAX) {
        call->clock_corrected = true;
        lane_enter(call);
        return true;
    }
    if (clock_was_off || strstr(error->message, "Signature expired") ||
        strstr(error->message, "Signature not yet current"))
        return false;
    if (strcmp(error->code, "SignatureDoesNotMatch") == 0 ||
        strcmp(error->code, "InvalidSignatureException") == 0) {
        error->kind = AWS_ERROR_CREDENTIALS;
        credentials_invalidate(call->aws->credentials);
    } else if (strcmp(error->code, "AuthFailure") == 0) {
        error->kind = AWS_ERROR_DENIED;
    }
    return false;
}

/* What the answer means. *ret_body is set exactly with AWS_OK, and is an object then. */
static void read_answer(const struct aws_call *call, const struct http_response *response,
                        struct json_object **ret_body, struct aws_error *ret_error)
{
    _cleanup_json_ struct json_object *body = NULL;
    int r = 0;

    if (response->error == 0 && response->body)
        r = json_parse(response->body, response->body_size, &body);
    aws_error_from_parsed(response, r == 0 ? body : NULL, ret_error);
    if (ret_error->kind != AWS_OK)
        return;
    if (r != -ENOMEM && json_object_is_type(body, json_type_object)) {
        *ret_body = TAKE(body);
        return;
    }
    ret_error->kind = r == -ENOMEM ? AWS_ERROR_TRANSIENT : AWS_ERROR_MALFORMED;
    snprintf(ret_error->message, sizeof(ret_error->message), "the answer to %s is %s",
             operation_get(call->operation)->name,
             r == -ENOMEM ? "too large for the memory there is" : "no JSON object");
}

static void call_answered(void *userdata, const struct http_response *response)
{
    struct aws_call *call = userdata;
    struct aws *aws = call->aws;
    _cleanup_json_ struct json_object *body = NULL;
    struct aws_error error;
    bool is_retried = false;

    call->http_call = NULL;
    lane_of(call)->n_under_way--;
    read_answer(call, response, &body, &error);
    bool clock_was_off = learn_clock(call, response, &error);
    int64_t server_wait_ms = retry_after_ms(header_of(response, "Retry-After"),
                                            header_of(response, "x-amz-retry-after"), aws_now(aws));

    switch (error.kind) {
    case AWS_OK:
        budget_accepted(&lane_of(call)->budget);
        retry_quota_give_back(&aws->quota, call->retry_cost);
        break;
    case AWS_ERROR_TRANSIENT:
    case AWS_ERROR_THROTTLED:
        is_retried = retry_later(call, &error, response->error == -ETIMEDOUT, server_wait_ms);
        break;
    case AWS_ERROR_CLOCK:
        is_retried = retry_with_right_time(call, clock_was_off, &error);
        break;
    case AWS_ERROR_EXPIRED:
        is_retried = retry_with_new_credentials(call, &error);
        break;
    default:
        break; /* trying again would change nothing */
    }
    call->in_doubt =
        call->in_doubt || error.kind == AWS_ERROR_TRANSIENT || error.kind == AWS_ERROR_MALFORMED;
    error.in_doubt = call->in_doubt;
    if (!is_retried)
        call_finish(call, &error, body);
}

/* ---- sending ---- */

static int call_send(struct aws_call *call, const struct sigv4_credentials *keys,
                     const char *region)
{
    struct aws *aws = call->aws;
    const struct operation *operation = operation_get(call->operation);
    struct aws_request request;

    call->sent = present(aws);
    call->signed_at = aws_now(aws);
    const struct aws_request_input input = {
        .operation = operation,
        .body = call->body,
        .body_size = call->body_size,
        .keys = keys,
        .region = region,
        .endpoint_configured = aws->endpoint_url,
        .endpoint_shared = credentials_endpoint_url(aws->credentials, operation->service->id),
        .time = call->signed_at,
    };
    int r = aws_request_make(&input, &lane_of(call)->signer, &request);
    if (r == 0) {
        request.http.timeout_ms = ATTEMPT_TIMEOUT_MS;
        request.http.response_size_max = operation->answer_size_max;
        r = http_send(aws->http, &request.http, call_answered, call, &call->http_call);
    }
    aws_request_clear(&request);
    if (r < 0)
        return r;
    call->state = CALL_SENT;
    call->attempts++;
    lane_of(call)->n_under_way++;
    return 0;
}

/* Nothing went out. */
static void call_unsendable(struct aws_call *call, int error, const char *region)
{
    char why[256];

    if (error == -ENOMEM) {
        call_fail(call, AWS_ERROR_TRANSIENT, "out of memory");
        return;
    }
    snprintf(why, sizeof(why),
             "cannot be sent (%s): region \"%s\", the endpoint URL if one is set, or the "
             "credentials are not usable",
             strerrordesc_np(-error), region);
    call_fail(call, AWS_ERROR_REQUEST, why);
}

static void credentials_came(void *userdata, int error, const char *why,
                             const struct sigv4_credentials *keys, const char *region)
{
    struct aws_call *call = userdata;
    struct lane *lane = lane_of(call);

    call->credentials_request = NULL;
    if (error < 0) {
        call_fail(call, AWS_ERROR_CREDENTIALS, why);
        return;
    }
    if (loop_mono(lane->aws->loop).ms > call->deadline.ms) {
        call_fail(call, AWS_ERROR_TRANSIENT, "its turn came too late, so it was not sent");
        return;
    }
    lane->at_gate = NULL;
    if (!budget_take(&lane->budget, loop_mono(lane->aws->loop))) {
        lane_enter(call); /* a pause has begun meanwhile */
        return;
    }
    int r = call_send(call, keys, region);
    if (r < 0)
        call_unsendable(call, r, region);
    else
        lane_wake(lane);
}

static void lane_advance(void *userdata)
{
    struct lane *lane = userdata;
    struct aws_call *call = lane_next(lane);

    if (!call)
        return;
    if (budget_wait_ms(&lane->budget, loop_mono(lane->aws->loop)) > 0) {
        lane_wake(lane);
        return;
    }
    queue_leave(&lane->queue, &call->place);
    call->state = CALL_AT_GATE;
    lane->at_gate = call;
    int r =
        credentials_get(lane->aws->credentials, credentials_came, call, &call->credentials_request);
    if (r < 0)
        call_fail(call, AWS_ERROR_TRANSIENT, strerrordesc_np(-r));
}

/* ---- the door ---- */

int aws_call(struct aws *aws, enum aws_operation operation, enum aws_priority priority,
             struct json_object *parameters, aws_done_fn *done, void *userdata,
             struct aws_call **ret)
{
    _cleanup_(call_free) struct aws_call *call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    *call = (struct aws_call){
        .place.priority = priority,
        .aws = aws,
        .operation = operation,
        .done = done,
        .userdata = userdata,
        .deadline = MONO_FOREVER,
    };

    int r = json_format(parameters, JSON_COMPACT, &call->body, &call->body_size);
    if (r < 0)
        return -ENOMEM;
    r = loop_timer_new(aws->loop, back_off_over, call, &call->back_off);
    if (r < 0)
        return -ENOMEM;

    call->place.sequence = aws->next_sequence++;
    call->next = aws->calls;
    if (aws->calls)
        aws->calls->previous = call;
    aws->calls = call;
    aws->n_calls++;
    lane_enter(call);
    *ret = TAKE(call);
    return 0;
}

DEFINE_CLEANUP(struct aws *, aws_free)

int aws_new(struct loop *loop, struct http *http, struct credentials *credentials,
            const struct aws_options *options, struct aws **ret)
{
    _cleanup_(aws_free) struct aws *aws = calloc(1, sizeof(*aws));
    if (!aws)
        return -ENOMEM;
    aws->loop = loop;
    aws->http = http;
    aws->credentials = credentials;
    retry_quota_init(&aws->quota);

    for (size_t i = 0; i < AWS_N_OPERATIONS; i++) {
        const struct operation *operation = operation_get((enum aws_operation)i);
        struct lane *lane = &aws->lanes[i];
        lane->aws = aws;
        budget_init(&lane->budget, operation->rate, operation->burst, loop_mono(loop));
        int r = loop_timer_new(loop, lane_advance, lane, &lane->timer);
        if (r < 0)
            return r;
    }
    if (options && options->endpoint_url) {
        aws->endpoint_url = strdup(options->endpoint_url);
        if (!aws->endpoint_url)
            return -ENOMEM;
    }
    *ret = TAKE(aws);
    return 0;
}

struct aws *aws_free(struct aws *aws)
{
    if (!aws)
        return NULL;
    while (aws->calls)
        call_remove(aws->calls);
    for (size_t i = 0; i < AWS_N_OPERATIONS; i++) {
        loop_timer_free(aws->lanes[i].timer);
        sigv4_signer_wipe(&aws->lanes[i].signer);
    }
    free(aws->endpoint_url);
    free(aws);
    return NULL;
}

struct mono aws_answer_sent(const struct aws *aws)
{
    return aws->answer_sent;
}

size_t aws_calls_pending(const struct aws *aws)
{
    return aws->n_calls;
}

struct loop *aws_loop(struct aws *aws)
{
    return aws->loop;
}
