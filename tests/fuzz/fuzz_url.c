/* SPDX-License-Identifier: MIT */
/*
 * Where requests go, as libcurl reads the URLs that we let pass: a container's endpoint, to which keys
 * are asked for, and an endpoint_url, to which they are sent.
 */

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "src/credentials/credentials_container.h"
#include "src/endpoint.h"
#include "tests/fuzz/fuzz.h"

static char *part(CURLU *url, CURLUPart which)
{
    char *text = NULL;

    return curl_url_get(url, which, &text, 0) == CURLUE_OK ? text : NULL;
}

/* The names and addresses of this host, and those of ECS and EKS. */
static bool is_near(const char *host)
{
    static const char *const ALLOWED[] = {"[::1]", "[fd00:ec2::23]"};
    struct in_addr ipv4;
    struct in6_addr ours, allowed;
    char inner[64];

    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &ipv4) == 1)
        return ntohl(ipv4.s_addr) >> 24 == 127 || strcmp(host, "169.254.170.2") == 0 ||
               strcmp(host, "169.254.170.23") == 0;
    for (size_t i = 0; i < sizeof(ALLOWED) / sizeof(ALLOWED[0]); i++) {
        snprintf(inner, sizeof(inner), "%.*s", (int)strlen(ALLOWED[i]) - 2, ALLOWED[i] + 1);
        MUST(inet_pton(AF_INET6, inner, &allowed) == 1);
        size_t length = strlen(host);
        if (host[0] != '[' || length < 3 || length - 2 >= sizeof(inner))
            continue;
        snprintf(inner, sizeof(inner), "%.*s", (int)length - 2, host + 1);
        if (inet_pton(AF_INET6, inner, &ours) == 1 && memcmp(&ours, &allowed, sizeof(ours)) == 0)
            return true;
    }
    return false;
}

static void check_container(const char *full, const char *relative)
{
    const struct credentials_environment environment = {
        .container_full_uri = *full ? full : NULL,
        .container_relative_uri = *relative ? relative : NULL,
    };
    struct credentials_container container = {0};
    struct credentials_why why = {0};
    int r = credentials_container_configure(&environment, &container, &why);

    if (r < 0) {
        MUST(r == -EINVAL || (r == -ENOENT && !*full && !*relative));
        return;
    }
    CURLU *url = curl_url();
    MUST(url);
    /* What libcurl refuses goes nowhere. */
    if (curl_url_set(url, CURLUPART_URL, container.url, 0) == CURLUE_OK) {
        char *scheme = part(url, CURLUPART_SCHEME), *host = part(url, CURLUPART_HOST);
        MUST(scheme && host);
        MUST(strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_near(host)));
        MUST(!*relative || strcmp(host, "169.254.170.2") == 0);
        MUST(container.direct == (strcmp(scheme, "http") == 0));
        curl_free(scheme);
        curl_free(host);
    }
    curl_url_cleanup(url);
    credentials_container_clear(&container);
}

/* libcurl writes addresses in their shortest and plainest form; the Host header keeps ours. */
static bool is_same_host(const char *a, const char *b)
{
    struct in_addr a4, b4;
    struct in6_addr a6, b6;
    char a_inner[64], b_inner[64];

    if (strcasecmp(a, b) == 0)
        return true;
    if (*a != '[')
        return inet_aton(a, &a4) && inet_aton(b, &b4) && a4.s_addr == b4.s_addr;
    return sscanf(a, "[%63[^]]", a_inner) == 1 && sscanf(b, "[%63[^]]", b_inner) == 1 &&
           inet_pton(AF_INET6, a_inner, &a6) == 1 && inet_pton(AF_INET6, b_inner, &b6) == 1 &&
           memcmp(&a6, &b6, sizeof(a6)) == 0;
}

/* The Host that is signed is the one that is connected to. */
static void check_host(CURLU *url, const char *text)
{
    char *host = part(url, CURLUPART_HOST), *port = part(url, CURLUPART_PORT);
    char *scheme = part(url, CURLUPART_SCHEME), *ours = NULL;

    MUST(host && scheme);
    MUST(endpoint_host(text, &ours) == 0);
    char *bracket = strrchr(ours, ']');
    char *colon = strchr(bracket ? bracket : ours, ':');
    const char *our_port = strcmp(scheme, "https") == 0 ? "443" : "80";
    const char *their_port = port ? port : our_port;
    if (colon) {
        *colon = '\0';
        our_port = colon + 1;
    }
    if (!is_same_host(host, ours) || strcmp(our_port, their_port) != 0)
        fprintf(stderr, "%s: libcurl says %s port %s\n", text, host, their_port);
    MUST(is_same_host(host, ours));
    MUST(strcmp(our_port, their_port) == 0);
    free(ours);
    curl_free(host);
    curl_free(port);
    curl_free(scheme);
}

static void check_endpoint(const char *configured, const char *region)
{
    char *resolved = NULL;
    int r = endpoint_resolve(&ENDPOINT_ECS, region, configured, NULL, &resolved);

    if (r < 0) {
        MUST(r == -EINVAL);
        return;
    }
    MUST(endpoint_region_is_valid(region));
    MUST(*endpoint_path(resolved) == '/');
    CURLU *url = curl_url();
    MUST(url);
    if (curl_url_set(url, CURLUPART_URL, resolved, 0) == CURLUE_OK)
        check_host(url, resolved);
    curl_url_cleanup(url);
    free(resolved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *full = fuzz_take_text(&input);
    char *relative = fuzz_take_text(&input);

    check_container(full, "");
    check_container("", relative);
    check_endpoint(full, "eu-west-1");
    check_endpoint("", relative);
    free(full);
    free(relative);
    return 0;
}
