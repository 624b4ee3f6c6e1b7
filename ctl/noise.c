/* SPDX-License-Identifier: MIT */
#include "ctl/noise.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"

/*
 * Sources: the User-Agent strings that these publish: Elastic Load Balancing User Guide ("Health checks
 * for your target groups"), Route 53 Developer Guide, Kubernetes (kube-probe), Google Search Central and
 * Bing Webmaster ("crawlers"), and the monitors' own help pages.
 */
static const struct {
    const char *text; /* looked for in any case */
    const char *who;
} NAMES[] = {
    {"ELB-HealthChecker", "a load balancer's health check"},
    {"Amazon-Route53-Health-Check-Service", "a Route 53 health check"},
    {"kube-probe", "a Kubernetes probe"},
    {"GoogleHC", "a load balancer's health check"},
    {"Consul Health Check", "a Consul health check"},
    {"HealthCheck/", "a health check"},
    {"CloudWatchSynthetics", "a CloudWatch canary"},
    {"Prometheus/", "Prometheus"},
    {"Blackbox Exporter/", "Prometheus' blackbox exporter"},
    {"Datadog/Synthetics", "Datadog Synthetics"},
    {"DatadogSynthetics", "Datadog Synthetics"},
    {"UptimeRobot", "UptimeRobot"},
    {"Pingdom", "Pingdom"},
    {"StatusCake", "StatusCake"},
    {"Site24x7", "Site24x7"},
    {"BetterUptime", "Better Uptime"},
    {"Better Uptime Bot", "Better Uptime"},
    {"Uptime-Kuma", "Uptime Kuma"},
    {"NewRelicPinger", "New Relic's monitor"},
    {"Googlebot", "a crawler"},
    {"bingbot", "a crawler"},
    {"YandexBot", "a crawler"},
    {"AhrefsBot", "a crawler"},
    {"SemrushBot", "a crawler"},
    {"DotBot", "a crawler"},
    {"GPTBot", "a crawler"},
    {"ClaudeBot", "a crawler"},
    {"CCBot", "a crawler"},
    {"Bytespider", "a crawler"},
    {"facebookexternalhit", "a crawler"},
    {"CensysInspect", "a scanner"},
    {"zgrab", "a scanner"},
    {"masscan", "a scanner"},
};

/* Paths by convention. What follows must end the path: "/health" is not in "/healthy-food". */
static const char *const PATHS[] = {"/healthz", "/health", "/healthcheck", "/health-check",
                                    "/livez",   "/readyz", "/ping",        "/metrics"};

static int take(const char *who, const char *text, size_t length, struct noise *ret)
{
    ret->who = who;
    snprintf(ret->exclude, sizeof(ret->exclude), "%.*s", (int)length, text);
    return 1;
}

/* "GET /health HTTP/1.1": a blank before, for it is a path and not the end of one; and a blank, a
 * quote, a question mark or the end behind. */
static const char *find_path(const char *message, const char *path)
{
    size_t length = strlen(path);

    for (const char *at = message; (at = strstr(at, path)); at++)
        if (at > message && at[-1] == ' ' && (!at[length] || strchr(" ?\"'", at[length])))
            return at;
    return NULL;
}

int noise_recognise(const char *message, struct noise *ret)
{
    for (size_t i = 0; i < ARRAY_LENGTH(NAMES); i++) {
        const char *found = strcasestr(message, NAMES[i].text);
        if (found)
            return take(NAMES[i].who, found, strlen(NAMES[i].text), ret);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(PATHS); i++) {
        const char *found = find_path(message, PATHS[i]);
        /* With the blank before it, so that the exclude is as narrow as what was recognised. */
        if (found)
            return take("a health check or a scrape, by its path", found - 1,
                        strlen(PATHS[i]) + 1 + (found[strlen(PATHS[i])] == ' '), ret);
    }
    return 0;
}
