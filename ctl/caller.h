/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_CALLER_H
#define PROVISIONERCTL_CALLER_H

/*
 * Who the credentials are: GetCallerIdentity of AWS STS, which every principal may call and no policy
 * forbids. Query protocol: a form out, XML in. Source: AWS Security Token Service API Reference.
 */

#include "ctl/session.h"

#define CALLER_ARN_MAX 2048
#define CALLER_ACCOUNT_MAX 13

struct caller {
    char arn[CALLER_ARN_MAX];
    char account[CALLER_ACCOUNT_MAX]; /* 12 digits */
};

/* The answer's body. Returns 0 or -EBADMSG. */
int caller_read(const char *body, size_t size, struct caller *ret);

struct caller_result {
    int credentials_error; /* a negative errno: there are no credentials, `why` says it */
    struct aws_error error;
    struct caller caller;
    char region[64];
    char source[256]; /* of the credentials, for people */
    char why[512];
};

/* Returns 0 or a negative errno: nothing could be asked. */
int caller_ask(struct session *session, const struct config *config, struct caller_result *ret);

#endif
