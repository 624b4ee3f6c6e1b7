/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_ACCESS_LOG_H
#define PROVISIONERD_SIM_ACCESS_LOG_H

/*
 * Lines of web servers' access logs, as Apache and nginx write them:
 *
 *   common    host ident user [10/Oct/2000:13:55:36 -0700] "request" status bytes
 *   combined  the same, then "referer" "user agent"
 *
 * Further fields after these are accepted (many nginx installations add some), and so is a virtual
 * host before the client's address. Quoted fields may hold anything, an escaped quote included: what
 * clients send is often no HTTP at all. Pure.
 */

#include <stddef.h>

#include "src/clock.h"

enum access_log_format {
    ACCESS_LOG_COMMON,
    ACCESS_LOG_COMBINED,
};

/* Returns 0 and the moment of the request, or -EINVAL: not a line of this format. */
int access_log_parse(const char *line, enum access_log_format format, struct wall *ret_time);

/* "10/Oct/2000:13:55:36 -0700". On success *text moves behind it. Returns 0 or -EINVAL. */
int access_log_parse_time(const char **text, struct wall *ret_time);

#endif
