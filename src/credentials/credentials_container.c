/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_container.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define ECS_URL "http://169.254.170.2"
#define URL_MAX 2048
#define TIMEOUT_MS (2 * MS_PER_SECOND)
#define ATTEMPTS_MAX 3

static bool is_url_text(const char *text)
{
    size_t length = strnlen(text, URL_MAX + 1);

    return length <= URL_MAX && credentials_is_graphic(text, length);
}

/* The host of an http URL, without port, brackets kept. False: there is no telling what a client
 * would make of it (user information, backslashes). */
static bool host_of(const char *url, char *host, size_t host_size)
{
    const char *begin = url + strlen("http://");
    size_t authority = strcspn(begin, "/?#");
    size_t length = *begin == '[' ? strcspn(begin, "]") + 1 : strcspn(begin, ":/?#");

    if (memchr(begin, '@', authority) || memchr(begin, '\\', authority) || length > authority ||
        length >= host_size)
        return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    return begin[length] == ':' || length == authority;
}

/* "Loopback, 169.254.170.2, 169.254.170.23, fd00:ec2::23". Addresses are compared as such; names are
 * not resolved, so that none can be made to point there for the moment of the test. */
static bool is_allowed_host(const char *host)
{
    static const char *const allowed_ipv6[] = {"::1", "fd00:ec2::23"};
    struct in_addr ipv4;
    struct in6_addr ipv6, allowed;
    char bare[INET6_ADDRSTRLEN];

    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &ipv4) == 1) {
        uint32_t address = ntohl(ipv4.s_addr);
        return address >> 24 == 127 || address == 0xA9FEAA02 || address == 0xA9FEAA17;
    }
    size_t length = strlen(host);
    if (length < 2 || host[0] != '[' || host[length - 1] != ']' || length - 2 >= sizeof(bare))
        return false;
    memcpy(bare, host + 1, length - 2);
    bare[length - 2] = '\0';
    if (inet_pton(AF_INET6, bare, &ipv6) != 1)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(allowed_ipv6); i++)
        if (inet_pton(AF_INET6, allowed_ipv6[i], &allowed) == 1 &&
            memcmp(&allowed, &ipv6, sizeof(allowed)) == 0)
            return true;
    return false;
}

static int check_url(const char *url, bool *ret_direct, struct credentials_why *why)
{
    static const char variable[] = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    char host[64];

    *ret_direct = false;
    if (!is_url_text(url))
        return credentials_fail(why, -EINVAL, "%s holds a character that no URL has", variable);
    if (strncasecmp(url, "https://", strlen("https://")) == 0)
        return 0;
    if (strncasecmp(url, "http://", strlen("http://")) != 0)
        return credentials_fail(why, -EINVAL, "%s is not an http:// or https:// URL", variable);
    *ret_direct = true;
    if (!host_of(url, host, sizeof(host)) || !is_allowed_host(host))
        return credentials_fail(
            why, -EINVAL,
            "%s is plain http to a host that is neither this one (loopback) nor "
            "169.254.170.2, 169.254.170.23 or [fd00:ec2::23]: use https",
            variable);
    return 0;
}

int credentials_container_configure(const struct credentials_environment *environment,
                                    struct credentials_container *ret, struct credentials_why *why)
{
    const char *relative = environment->container_relative_uri;
    const char *full = environment->container_full_uri;
    struct credentials_container container = {.direct = true};
    int r;

    if (!relative && !full)
        return credentials_fail(why, -ENOENT, "AWS_CONTAINER_CREDENTIALS_* are not set");
    /* "/..." only: "@evil" or ".evil" would become part of the host. */
    if (relative && (*relative != '/' || !is_url_text(relative)))
        return credentials_fail(why, -EINVAL,
                                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not a path (/...)");
    if (!relative && (r = check_url(full, &container.direct, why)) < 0)
        return r;

    bool failed =
        asprintf(&container.url, "%s%s", relative ? ECS_URL : "", relative ? relative : full) < 0;
    if (failed)
        container.url = NULL;
    if (environment->container_token_file)
        failed |= !(container.token_file = strdup(environment->container_token_file));
    else if (environment->container_token)
        failed |= !(container.token = strdup(environment->container_token));
    if (failed) {
        credentials_container_clear(&container);
        return credentials_fail(why, -ENOMEM, "out of memory");
    }
    *ret = container;
    return 0;
}

void credentials_container_clear(struct credentials_container *container)
{
    free(container->url);
    credentials_secret_free(container->token);
    free(container->token_file);
    *container = (struct credentials_container){0};
}

/* A header's value: "Bearer abc" has a space, but a line end would begin another header. */
static bool is_header_value(const char *value)
{
    size_t length = strnlen(value, CREDENTIALS_TOKEN_MAX + 1);

    for (size_t i = 0; i < length; i++)
        if (value[i] < ' ' || value[i] > '~')
            return false;
    return length <= CREDENTIALS_TOKEN_MAX;
}

static int authorization(const struct credentials_container *container, char **ret,
                         struct credentials_why *why)
{
    struct stat status;
    size_t size;

    if (!container->token_file) {
        if (container->token && !is_header_value(container->token))
            return credentials_fail(why, -EINVAL,
                                    "AWS_CONTAINER_AUTHORIZATION_TOKEN is too long or holds a "
                                    "character that no header has");
        *ret = container->token ? strdup(container->token) : NULL;
        return container->token && !*ret ? credentials_fail(why, -ENOMEM, "out of memory") : 0;
    }

    char *token = NULL;
    int r = credentials_file_read(container->token_file, CREDENTIALS_TOKEN_MAX, &token, &size,
                                  &status, why);
    if (r < 0)
        return r;
    if (strlen(token) != size || size == 0 || !is_header_value(token)) {
        explicit_bzero(token, size);
        free(token);
        return credentials_fail(why, -EINVAL,
                                "%s (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE) is empty or holds a "
                                "character that no header has, such as a line end",
                                container->token_file);
    }
    *ret = token;
    return 0;
}

int credentials_container_ask(const struct credentials_container *container, struct loop *loop,
                              struct http *http, http_done_fn *done, void *userdata,
                              struct credentials_exchange **ret, struct credentials_why *why)
{
    _cleanup_secret_ char *token = NULL;

    int r = authorization(container, &token, why);
    if (r < 0)
        return r;
    struct http_header headers[] = {{"Accept", "application/json"}, {"Authorization", token}};
    struct credentials_question question = {
        .request =
            {
                .method = "GET",
                .url = container->url,
                .headers = headers,
                .n_headers = token ? 2 : 1,
                .timeout_ms = TIMEOUT_MS,
                .response_size_max = CREDENTIALS_RESPONSE_SIZE_MAX,
                .direct = container->direct,
            },
        .attempts_max = ATTEMPTS_MAX,
        .is_retryable = credentials_exchange_is_transient,
    };
    r = credentials_exchange_start(loop, http, &question, done, userdata, ret);
    if (r < 0)
        return credentials_fail(why, r, "the request could not be sent");
    return 0;
}
