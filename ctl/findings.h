/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_FINDINGS_H
#define PROVISIONERCTL_FINDINGS_H

/*
 * What provisionerctl doctor has found, to be printed for people or as JSON.
 *
 *     struct finding *finding = findings_add(findings, "staging", "service", FINDING_FAILED,
 *                                            "there is no service \"%s\" in cluster %s", ...);
 *     finding_advise(finding, "correct `services`; the cluster has %s", ...);
 *
 * Adding never fails: want of memory comes out of findings_print() and findings_to_json(). Texts may
 * hold anything from outside; they are escaped where they are printed.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "ctl/terminal.h"

enum finding_result {
    FINDING_OK,
    FINDING_WARNING, /* it will work, but not as one may think */
    FINDING_FAILED,
    FINDING_UNKNOWN, /* it could not be looked at */
    FINDING_N_RESULTS,
};

struct findings;
struct finding;

int findings_new(struct findings **ret); /* 0 or -ENOMEM */
struct findings *findings_free(struct findings *findings);

/* environment: NULL for what concerns all of them; check: what was looked at, "log group". Both are
 * borrowed until findings_free(). Returns NULL for want of memory. */
struct finding *findings_add(struct findings *findings, const char *environment, const char *check,
                             enum finding_result result, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* What to do about it; of several, the last. A NULL finding is passed over, here and below. */
void finding_advise(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum finding_detail_kind {
    FINDING_NOTE,     /* wrapped, as the text is */
    FINDING_EXAMPLE,  /* from the log: cut where the terminal ends */
    FINDING_VERBATIM, /* to be copied: a command, a statement of a policy; left as it is */
};

/* A line beneath it. */
void finding_detail(struct finding *finding, enum finding_detail_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

size_t findings_count(const struct findings *findings, enum finding_result result);

/* In the order of adding, under a title for each environment; then the totals. Return 0 or -ENOMEM. */
int findings_print(const struct findings *findings, const struct terminal *terminal);
int findings_to_json(const struct findings *findings, struct json_object **ret);

#endif
