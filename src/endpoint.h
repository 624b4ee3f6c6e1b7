/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_ENDPOINT_H
#define PROVISIONERD_ENDPOINT_H

/*
 * Which URL a service is at. Most specific first: the option of the configuration, then
 * AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the shared config's endpoint_url (these three unless
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true), then the regional rule, with AWS_USE_FIPS_ENDPOINT and
 * AWS_USE_DUALSTACK_ENDPOINT. Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
 */

#include <stdbool.h>

struct endpoint_service {
    const char *id;           /* in environment variables: "CLOUDWATCH_LOGS" */
    const char *host_prefix;  /* "logs" */
    const char *signing_name; /* "logs" */
};

extern const struct endpoint_service ENDPOINT_LOGS, ENDPOINT_ECS, ENDPOINT_STS;

/*
 * configured: the option endpoint_url, or NULL. shared: from the shared config, or NULL.
 * Reads the environment variables named above. On success *ret is allocated, without trailing slash.
 * Returns 0, -EINVAL (region is not one, or the URL is not http(s)://host[:port][/path]), -ENOMEM.
 */
int endpoint_resolve(const struct endpoint_service *service, const char *region,
                     const char *configured, const char *shared, char **ret);

/* The part of url between "://" and the first "/", as it goes into Host: with the port unless it is
 * the scheme's own. Returns 0 or -EINVAL; *ret is allocated. */
int endpoint_host(const char *url, char **ret);

#endif
