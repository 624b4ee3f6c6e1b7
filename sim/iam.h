/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_IAM_H
#define PROVISIONERD_SIM_IAM_H

/*
 * Policies of IAM: what an identity-based policy document says to a request. Pure; the document is
 * the JSON itself.
 *
 * Known: Version, Id, Statement; of a statement Sid, Effect, Action, Resource (both with * and ?) and
 * Condition with String- and Arn- operators. Known condition keys are ecs:cluster,
 * aws:RequestedRegion and aws:PrincipalArn. Anything else is refused: a policy that is not understood
 * must not look as if it had been tried.
 * Source: AWS IAM User Guide, "IAM JSON policy elements reference" and "Policy evaluation logic".
 */

#include <json-c/json.h>
#include <stdbool.h>

/* Returns 0, -ENOMEM, or -EINVAL and *ret_error (allocated) says where and what. */
int iam_policy_check(struct json_object *document, char **ret_error);

enum iam_verdict {
    IAM_NOT_ALLOWED, /* no statement is about it */
    IAM_ALLOWED,
    IAM_DENIED, /* a statement forbids it, whatever others say */
};

struct iam_question {
    const char *action;    /* "logs:StartQuery" */
    const char *resource;  /* an ARN; "*": the action knows no resources */
    const char *principal; /* its ARN */
    const char *region;
    const char *cluster; /* ARN, for ecs:cluster; NULL: the request has no such key */
};

/* document is one that iam_policy_check() has accepted. */
enum iam_verdict iam_policy_decide(struct json_object *document,
                                   const struct iam_question *question);

/* IAM's wildcards: '*' any run, '?' one character. */
bool iam_glob_matches(const char *pattern, const char *text, bool ignore_case);

#endif
