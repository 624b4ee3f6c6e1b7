/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_ENDPOINT_H
#define PROVISIONERD_ENDPOINT_H

/*
 * Which URL a service is at. Most specific first: the option of the configuration, then
 * AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the shared config's endpoint_url (these three unless
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true), then the regional rule, with AWS_USE_FIPS_ENDPOINT and
 * AWS_USE_DUALSTACK_ENDPOINT, which choose among AWS's own hosts and say nothing about a URL given.
 * Sources: AWS SDKs and Tools Reference Guide, "Service-specific endpoints"; the endpoint rule sets
 * and partitions that AWS publishes with its SDKs.
 */

#include <stdbool.h>

struct endpoint_service {
    const char *id;           /* in environment variables: "CLOUDWATCH_LOGS" */
    const char *host_prefix;  /* "logs" */
    const char *signing_name; /* "logs" */
    bool gov_host_is_fips;    /* in GovCloud the plain host is the FIPS one: there is no -fips */
};

extern const struct endpoint_service ENDPOINT_LOGS, ENDPOINT_ECS, ENDPOINT_STS, ENDPOINT_SCALING;

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

/* The path of url as it goes into a request line: "/" if it has none. Borrowed from url, which is
 * one that endpoint_resolve() or endpoint_host() accepted. */
const char *endpoint_path(const char *url);

/* Lower-case letters, digits and inner hyphens, as in a host name: what AWS could call a region. */
bool endpoint_region_is_valid(const char *region);

/* The partition that the region is in, as ARNs name it: "aws", "aws-cn", ... */
const char *endpoint_partition(const char *region);

#endif
