/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_OPERATION_H
#define PROVISIONERD_OPERATION_H

/*
 * What aws.c has to know of each operation: where it goes, what it is called, how often it may be
 * asked, how large an answer may be. A table; nothing here does anything.
 */

#include <stddef.h>

#include "aws.h"

struct operation {
    const struct endpoint_service *service;
    const char *name;   /* "FilterLogEvents" */
    const char *action; /* of IAM: "logs:FilterLogEvents" */
    const char *target; /* X-Amz-Target: "Logs_20140328.FilterLogEvents" */
    int rate;           /* a second, for the whole account */
    int burst;
    size_t answer_size_max;
};

const struct operation *operation_get(enum aws_operation operation);

#endif
