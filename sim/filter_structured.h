/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_FILTER_STRUCTURED_H
#define PROVISIONERD_SIM_FILTER_STRUCTURED_H

/*
 * The structured filter patterns, for filter_pattern.c.
 *
 *   { ($.status >= 500 || $.error IS TRUE) && $.user.name = "a*" }       JSON messages
 *   [ip, user, ..., request = *GET*, status = 4* || status = 5*, bytes]  space-delimited messages
 */

#include <stdbool.h>

struct filter_json;
struct filter_fields;

/* Each returns 0, -EINVAL or -ENOMEM. */
int filter_json_new(const char *text, struct filter_json **ret);
struct filter_json *filter_json_free(struct filter_json *pattern);
bool filter_json_matches(const struct filter_json *pattern, const char *message);

int filter_fields_new(const char *text, struct filter_fields **ret);
struct filter_fields *filter_fields_free(struct filter_fields *pattern);
bool filter_fields_matches(const struct filter_fields *pattern, const char *message);

#endif
