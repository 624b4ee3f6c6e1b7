/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_AWS_ERROR_H
#define PROVISIONERD_AWS_ERROR_H

/*
 * What went wrong with a call to AWS, by what one does about it. Pure.
 *
 * The error code is found where AWS JSON 1.1 puts it (x-amzn-ErrorType header, or `__type` or `code`
 * in the body; see "AWS JSON 1.1 protocol, operation error serialization" in Smithy) and, for STS,
 * in the XML body.
 */

#include <json-c/json.h>
#include <stdbool.h>

#include "http.h"

enum aws_error_kind {
    AWS_OK = 0,
    AWS_ERROR_TRANSIENT,   /* no answer, or a 5xx: try again */
    AWS_ERROR_THROTTLED,   /* too fast: try again, slower */
    AWS_ERROR_LIMIT,       /* a quota is full (too many concurrent queries): later */
    AWS_ERROR_CLOCK,       /* our clock is off: correct and try again once */
    AWS_ERROR_EXPIRED,     /* credentials expired or unknown: refresh and try again once */
    AWS_ERROR_CREDENTIALS, /* there are no credentials to be had at the moment */
    AWS_ERROR_DENIED,      /* IAM says no */
    AWS_ERROR_NOT_FOUND,   /* the cluster, service, log group, query does not exist */
    AWS_ERROR_REQUEST,     /* any other refusal: our request, or the thing's state, is at fault */
    AWS_ERROR_MALFORMED,   /* an answer that is not what the service's model says */
    AWS_ERROR_CANCELLED,   /* shutting down */
};

struct aws_error {
    enum aws_error_kind kind;
    int http_status;     /* 0: none came */
    bool in_doubt;       /* an attempt had no answer, or none that says no: it may have been done */
    char code[96];       /* AWS's, "ThrottlingException"; "" if none */
    char message[512];   /* AWS's or ours; may hold anything AWS sent, escaped by log.h. Cut before
                            a canonical request quoted in it: there a session token may stand */
    char request_id[64]; /* "" if none */
};

/* Classifies an answer. A 2xx is AWS_OK, unless its body is an error body. */
void aws_error_from_response(const struct http_response *response, struct aws_error *ret);

/* The same, for who has parsed the body already: NULL if it is no JSON. Borrowed. */
void aws_error_from_parsed(const struct http_response *response, struct json_object *body,
                           struct aws_error *ret);

void aws_error_set(struct aws_error *error, enum aws_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "throttled", "denied", ...: for audit fields and tests. */
const char *aws_error_kind_name(enum aws_error_kind kind);

/* Worth another attempt within the same call, as it stands. */
bool aws_error_is_retryable(const struct aws_error *error);

#endif
