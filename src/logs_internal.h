/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_LOGS_INTERNAL_H
#define PROVISIONERD_LOGS_INTERNAL_H

/* What logs.c and logs_query.c share. */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* The end of the year 9999: a timestamp beyond it is none, and would keep an environment awake for
 * ever. */
#define LOGS_TIME_MAX_MS INT64_C(253402300799999)

bool logs_is_arn(const char *log_group);

/* The log group as the API wants it. NULL: no memory. */
struct json_object *logs_identifier(const char *log_group);

#endif
