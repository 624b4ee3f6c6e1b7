/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_AWS_H
#define PROVISIONERD_AWS_H

/*
 * One signed AWS JSON 1.1 call: endpoint, credentials, budget, signature, retries, errors.
 *
 * Budgets: each operation has a token bucket for the whole account (OPERATIONS in aws/operation.c); every
 * attempt, retries included, takes a token, and takes it only when it can go on the wire at once: of
 * each operation, so many may be under way at a time (aws.c). What does not fit waits, AWS_URGENT
 * (wakes) first, then in the order of asking. Throttling pauses the operation's bucket for all. Retries: at most three
 * attempts a call whatever the reason, full jitter, and a retry quota shared by all calls (AWS SDKs'
 * standard mode), Retry-After honoured.
 *
 * Clock skew is measured on every answer's Date header and corrected in signatures and aws_now().
 *
 * The callback comes exactly once, from the loop; not at all after aws_call_cancel(). The handle is
 * invalid from the moment it is entered. `body` is borrowed, and a JSON object exactly when
 * error->kind is AWS_OK, else NULL. Callbacks may make and cancel calls, but not free `aws`.
 *
 * AWS_ERROR_CLOCK comes out only when the clock could not be corrected. A refused signature while the
 * clock is right is AWS_ERROR_CREDENTIALS: the secret key is wrong.
 */

#include <json-c/json.h>

#include "aws_error.h"
#include "credentials.h"
#include "endpoint.h"
#include "http.h"
#include "loop.h"

struct aws;
struct aws_call;

enum aws_priority {
    AWS_URGENT, /* on the way to a wake */
    AWS_ROUTINE,
};

enum aws_operation {
    LOGS_FILTER_LOG_EVENTS,
    LOGS_START_QUERY,
    LOGS_GET_QUERY_RESULTS,
    LOGS_STOP_QUERY,
    ECS_DESCRIBE_SERVICES,
    ECS_UPDATE_SERVICE,
    AWS_N_DAEMON_OPERATIONS,
    /* What provisionerctl asks besides, and the daemon never. */
    LOGS_DESCRIBE_LOG_GROUPS = AWS_N_DAEMON_OPERATIONS,
    ECS_LIST_CLUSTERS,
    ECS_LIST_SERVICES,
    ECS_DESCRIBE_TASK_DEFINITION,
    SCALING_DESCRIBE_SCALABLE_TARGETS,
    AWS_N_OPERATIONS,
};

struct aws_options {
    const char *endpoint_url; /* from the configuration, for all services; NULL: by rule */
};

/* Borrows loop, http, credentials; copies options. */
int aws_new(struct loop *loop, struct http *http, struct credentials *credentials,
            const struct aws_options *options, struct aws **ret);

/* Cancels what is under way, without callbacks. */
struct aws *aws_free(struct aws *aws);

typedef void aws_done_fn(void *userdata, const struct aws_error *error, struct json_object *body);

/* parameters is borrowed and serialised at once. Returns 0 or -ENOMEM; then no callback comes. */
int aws_call(struct aws *aws, enum aws_operation operation, enum aws_priority priority,
             struct json_object *parameters, aws_done_fn *done, void *userdata,
             struct aws_call **ret);
void aws_call_cancel(struct aws_call *call);

/* What the call rests on is good until then: it is not sent, nor sent again, any later, but fails as
 * AWS_ERROR_TRANSIENT when its turn comes. May be put off while it waits. */
void aws_call_set_deadline(struct aws_call *call, struct mono deadline);

/* The answer goes to somebody else: for an owner that goes away while the call must go on. */
void aws_call_redirect(struct aws_call *call, aws_done_fn *done, void *userdata);

/* Within a call's callback: when the request left to which this is the answer. Before that a call may
 * have waited long for its turn. */
struct mono aws_answer_sent(const struct aws *aws);

/* AWS's present moment: this host's, corrected by the measured skew. A step of this host's clock
 * does not move it, once an answer has told the time. */
struct wall aws_now(struct aws *aws);
int64_t aws_clock_skew_ms(const struct aws *aws);

/* Calls that have not ended; for a clean stop. */
size_t aws_calls_pending(const struct aws *aws);

const char *aws_operation_name(enum aws_operation operation);   /* "FilterLogEvents" */
const char *aws_operation_action(enum aws_operation operation); /* IAM: "logs:FilterLogEvents" */

struct loop *aws_loop(struct aws *aws);

#endif
