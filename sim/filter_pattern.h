/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_FILTER_PATTERN_H
#define PROVISIONERD_SIM_FILTER_PATTERN_H

/*
 * FilterLogEvents' filter patterns, evaluated. Source: Amazon CloudWatch Logs User Guide, "Filter
 * pattern syntax": unstructured terms, JSON patterns, space-delimited patterns.
 *
 * Terms match anywhere in the message, case-sensitively. When `?` terms stand beside others, the
 * `?` terms are ignored, as the guide says.
 */

#include <stdbool.h>

struct filter_pattern;

/* Returns 0, -EINVAL (InvalidParameterException in AWS) or -ENOMEM. */
int filter_pattern_new(const char *text, struct filter_pattern **ret);
struct filter_pattern *filter_pattern_free(struct filter_pattern *pattern);
bool filter_pattern_matches(const struct filter_pattern *pattern, const char *message);

#endif
