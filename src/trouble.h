/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TROUBLE_H
#define PROVISIONERD_TROUBLE_H

/*
 * What does not work at the moment, for one environment: a warning when it begins or its kind
 * changes, a word when it is over, and nothing for each attempt in between.
 */

#include "audit.h"
#include "aws.h"

enum trouble_kind {
    TROUBLE_LOOK,
    TROUBLE_QUERY,
    TROUBLE_DESCRIBE,
    TROUBLE_UPDATE,
    TROUBLE_STATE,
    TROUBLE_N_KINDS,
};

/* Starts all zero. */
struct trouble {
    bool is_on[TROUBLE_N_KINDS];
    enum aws_error_kind error_kind[TROUBLE_N_KINDS];
    char *text[TROUBLE_N_KINDS]; /* the latest; NULL: none, or no memory for it */
};

/*
 * A call failed. resource: its ARN, with * for what is not known; for AccessDenied the text says which
 * statement is missing.
 */
void trouble_begin(struct trouble *trouble, enum trouble_kind kind,
                   const struct config_environment *environment, const char *service,
                   enum aws_operation operation, const char *resource,
                   const struct aws_error *error);
void trouble_end(struct trouble *trouble, enum trouble_kind kind,
                 const struct config_environment *environment);

/* As trouble_begin(), for what is not an answer of AWS's. */
void trouble_begin_text(struct trouble *trouble, enum trouble_kind kind,
                        const struct config_environment *environment, const char *text);

/* What is wrong, for a decision's facts; NULL if nothing is. Borrowed until the next call. */
const char *trouble_text(const struct trouble *trouble, enum trouble_kind kind);

void trouble_clear(struct trouble *trouble);

bool trouble_is_any(const struct trouble *trouble);

#endif
