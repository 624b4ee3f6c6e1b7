/* SPDX-License-Identifier: MIT */

#include "endpoint.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"

/* A region is one label of a host name (RFC 1035 §2.3.4). */
#define REGION_LENGTH_MAX 63

/* A URL is typed by people: longer than this is a mistake. */
#define URL_LENGTH_MAX 1024

#define PORT_MAX 65535

const struct endpoint_service ENDPOINT_LOGS = {.id = "CLOUDWATCH_LOGS",
                                               .host_prefix = "logs",
                                               .signing_name = "logs",
                                               .gov_host_is_fips = true};
const struct endpoint_service ENDPOINT_ECS = {
    .id = "ECS", .host_prefix = "ecs", .signing_name = "ecs"};
const struct endpoint_service ENDPOINT_STS = {
    .id = "STS", .host_prefix = "sts", .signing_name = "sts", .gov_host_is_fips = true};

const struct endpoint_service ENDPOINT_SCALING = {.id = "APPLICATION_AUTO_SCALING",
                                                  .host_prefix = "application-autoscaling",
                                                  .signing_name = "application-autoscaling",
                                                  .gov_host_is_fips = true};

/* AWS's partitions: which names its regions begin with and where their hosts are. The first that
 * fits counts; a region of no partition known here is taken for one of the commercial partition. */
static const struct partition {
    const char *region_prefix;
    const char *name; /* in ARNs */
    const char *suffix;
    const char *dualstack_suffix;
    bool is_gov;
} PARTITIONS[] = {
    {"cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false},
    {"us-gov-", "aws-us-gov", "amazonaws.com", "api.aws", true},
    {"us-iso-", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov", false},
    {"us-isob-", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", false},
    {"us-isof-", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", false},
    {"eu-isoe-", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", false},
    {"eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", false},
    {"", "aws", "amazonaws.com", "api.aws", false},
};

struct url {
    bool is_https;
    const char *host; /* with brackets when it is an IPv6 address */
    size_t host_length;
    long port; /* 0: none given */
    const char *path;
};

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alphanumeric(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

bool endpoint_region_is_valid(const char *region)
{
    if (!region)
        return false;
    size_t length = strnlen(region, REGION_LENGTH_MAX + 1);
    if (length == 0 || length > REGION_LENGTH_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_lower_or_digit(region[i]) && region[i] != '-')
            return false;
    return region[0] >= 'a' && region[0] <= 'z' && region[length - 1] != '-';
}

static size_t host_length(const char *host)
{
    if (*host == '[') {
        size_t inner = strspn(host + 1, "0123456789abcdefABCDEF:.");
        return inner > 0 && host[1 + inner] == ']' ? inner + 2 : 0;
    }
    size_t length = 0;
    while (is_alphanumeric(host[length]) || (host[length] && strchr("-._", host[length])))
        length++;
    return length;
}

/* After the host: nothing, or ":" and a port. *end is where it stops. */
static int parse_port(const char *text, long *ret, const char **end)
{
    *ret = 0;
    *end = text;
    if (*text != ':')
        return 0;
    long port = 0;
    const char *digit = text + 1;
    for (; *digit >= '0' && *digit <= '9' && port <= PORT_MAX; digit++)
        port = port * 10 + (*digit - '0');
    if (digit == text + 1 || port < 1 || port > PORT_MAX)
        return -EINVAL;
    *ret = port;
    *end = digit;
    return 0;
}

/* Neither query nor fragment, nothing that would have to be encoded (RFC 3986 §3.3). */
static bool path_is_valid(const char *path)
{
    if (*path != '\0' && *path != '/')
        return false;
    for (; *path; path++)
        if (!is_alphanumeric(*path) && !strchr("/-._~%!$&'()*+,;=:@", *path))
            return false;
    return true;
}

static int url_parse(const char *text, struct url *ret)
{
    struct url url = {0};
    if (strnlen(text, URL_LENGTH_MAX + 1) > URL_LENGTH_MAX)
        return -EINVAL;
    if (strncasecmp(text, "https://", 8) == 0)
        url = (struct url){.is_https = true, .host = text + 8};
    else if (strncasecmp(text, "http://", 7) == 0)
        url = (struct url){.is_https = false, .host = text + 7};
    else
        return -EINVAL;

    url.host_length = host_length(url.host);
    if (url.host_length == 0)
        return -EINVAL;
    int r = parse_port(url.host + url.host_length, &url.port, &url.path);
    if (r < 0)
        return r;
    if (!path_is_valid(url.path))
        return -EINVAL;
    *ret = url;
    return 0;
}

static int copy_url(const char *text, char **ret)
{
    struct url url;
    int r = url_parse(text, &url);
    if (r < 0)
        return r;
    size_t length = strlen(text);
    while (text + length > url.path && text[length - 1] == '/')
        length--;
    char *copy = strndup(text, length);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

/* An empty variable is as good as none. */
static const char *environment(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): there is one thread */
    return value && *value ? value : NULL;
}

static bool environment_is_true(const char *name)
{
    const char *value = environment(name);
    return value && strcasecmp(value, "true") == 0;
}

/* The URL somebody asked for, or NULL: then the regional rule holds. */
static const char *chosen_url(const struct endpoint_service *service, const char *configured,
                              const char *shared)
{
    if (configured && *configured)
        return configured;
    if (environment_is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
        return NULL;

    char name[sizeof("AWS_ENDPOINT_URL_") + 32];
    int length = snprintf(name, sizeof(name), "AWS_ENDPOINT_URL_%s", service->id);
    const char *url = length > 0 && (size_t)length < sizeof(name) ? environment(name) : NULL;
    if (!url)
        url = environment("AWS_ENDPOINT_URL");
    if (!url && shared && *shared)
        url = shared;
    return url;
}

static const struct partition *partition_of(const char *region)
{
    const struct partition *partition = PARTITIONS;
    while (strncmp(region, partition->region_prefix, strlen(partition->region_prefix)) != 0)
        partition++; /* the last has the empty prefix */
    return partition;
}

const char *endpoint_partition(const char *region)
{
    return partition_of(region)->name;
}

static int regional_url(const struct endpoint_service *service, const char *region, char **ret)
{
    const struct partition *partition = partition_of(region);
    bool fips = environment_is_true("AWS_USE_FIPS_ENDPOINT");
    bool dualstack = environment_is_true("AWS_USE_DUALSTACK_ENDPOINT");
    if (fips && !dualstack && partition->is_gov && service->gov_host_is_fips)
        fips = false;

    char *url;
    if (asprintf(&url, "https://%s%s.%s.%s", service->host_prefix, fips ? "-fips" : "", region,
                 dualstack ? partition->dualstack_suffix : partition->suffix) < 0)
        return -ENOMEM;
    *ret = url;
    return 0;
}

int endpoint_resolve(const struct endpoint_service *service, const char *region,
                     const char *configured, const char *shared, char **ret)
{
    /* Signing needs the region too, wherever the request goes. */
    if (!endpoint_region_is_valid(region))
        return -EINVAL;
    const char *url = chosen_url(service, configured, shared);
    return url ? copy_url(url, ret) : regional_url(service, region, ret);
}

int endpoint_host(const char *text, char **ret)
{
    struct url url;
    int r = url_parse(text, &url);
    if (r < 0)
        return r;

    bool own_port = url.port == 0 || url.port == (url.is_https ? 443 : 80);
    char port[sizeof(":65535")] = "";
    if (!own_port)
        snprintf(port, sizeof(port), ":%u", (unsigned)(uint16_t)url.port);
    char *host;
    if (asprintf(&host, "%.*s%s", (int)url.host_length, url.host, port) < 0)
        return -ENOMEM;
    *ret = host;
    return 0;
}

const char *endpoint_path(const char *text)
{
    struct url url;
    if (url_parse(text, &url) < 0 || *url.path == '\0')
        return "/";
    return url.path;
}
