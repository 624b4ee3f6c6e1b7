/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "config/config_options.h"

/* The window must hold so many of an interval, or activity could pass between two looks. Told at the
 * option that was written: of two, the interval. 0: the value was refused already. */
static void check_interval(const struct config_section *section, int64_t window_ms,
                           enum config_environment_option interval, int64_t interval_ms, int factor,
                           struct config_report *report)
{
    const char *window_name = config_environment_schema.options[CONFIG_WINDOW].name;
    const char *interval_name = config_environment_schema.options[interval].name;
    const char *times = factor == 2 ? "twice " : "";
    char text[DURATION_TEXT_MAX];

    if (window_ms == 0 || interval_ms == 0 || factor * interval_ms <= window_ms)
        return;
    if (section->values[interval].text)
        config_report_value(report, &section->values[interval].place, section->title, interval_name,
                            section->values[interval].text,
                            "the %s = %s%s must be at least %sas long", window_name,
                            duration_format(window_ms, text),
                            section->values[CONFIG_WINDOW].text ? "" : " (the default)", times);
    else
        config_report_value(report, &section->values[CONFIG_WINDOW].place, section->title,
                            window_name, section->values[CONFIG_WINDOW].text,
                            "must be at least %s%s = %s (the default); set %s to less, too", times,
                            interval_name, duration_format(interval_ms, text), interval_name);
}

static bool is_managed(const struct config_environment *environment, const char *service)
{
    for (size_t i = 0; i < environment->n_services; i++) {
        if (strcmp(environment->services[i].name, service) == 0)
            return true;
    }
    return false;
}

void config_check_environment(const struct config_environment *environment,
                              const struct config_section *section, struct config_report *report)
{
    check_interval(section, environment->window_ms, CONFIG_POLL_INTERVAL,
                   environment->poll_interval_ms, 1, report);
    check_interval(section, environment->window_ms, CONFIG_POLL_INTERVAL_AWAKE,
                   environment->poll_interval_awake_ms, 2, report);
    for (size_t i = 0; i < environment->n_always_on; i++) {
        if (is_managed(environment, environment->always_on[i]))
            config_report_value(report, &section->values[CONFIG_ALWAYS_ON].place, section->title,
                                config_environment_schema.options[CONFIG_ALWAYS_ON].name,
                                environment->always_on[i],
                                "also among the services to put to sleep; a service that must stay "
                                "up is none of those");
    }
}

/* -- compiling ----------------------------------------------------------------------------------- */

static struct pattern_text pattern_text_of(const struct config_item *item)
{
    return (struct pattern_text){.text = item->text, .is_regex = item->form == CONFIG_REGEX};
}

/* pattern_new() names the option and the text itself. */
static void report_pattern(const struct config_section *section,
                           enum config_environment_option option, unsigned line, const char *error,
                           struct config_report *report)
{
    struct config_place place = section->values[option].place;
    place.line += line;
    config_report_add(report, &place, "[%s] %s", section->title, error);
}

/* Compiles each text of the option by itself, to find those at fault. Returns how many there are, or
 * -ENOMEM. */
static int blame_items(const struct config_section *section, enum config_environment_option option,
                       const struct config_items *items, struct config_report *report)
{
    bool excludes = option == CONFIG_EXCLUDE;
    int n = 0;

    for (size_t i = 0; i < items->n_items; i++) {
        struct pattern_text text = pattern_text_of(&items->items[i]);
        struct pattern *pattern = NULL;
        _cleanup_free_ char *error = NULL;
        int r = pattern_new(excludes ? NULL : &text, &text, excludes ? 1 : 0, &pattern, &error);
        pattern_free(pattern);
        if (r == -ENOMEM)
            return r;
        if (r == 0)
            continue;
        report_pattern(section, option, items->items[i].line, error, report);
        n++;
    }
    return n;
}

int config_compile_pattern(struct config_environment *environment,
                           const struct config_section *section,
                           const struct config_environment_origins *origins,
                           struct config_report *report)
{
    struct pattern_text excludes[PATTERN_EXCLUDES_MAX];
    struct pattern_text activity;
    _cleanup_free_ char *error = NULL;

    if (origins->pattern.n_items > 0)
        activity = pattern_text_of(&origins->pattern.items[0]);
    for (size_t i = 0; i < origins->excludes.n_items; i++)
        excludes[i] = pattern_text_of(&origins->excludes.items[i]);
    int r = pattern_new(origins->pattern.n_items > 0 ? &activity : NULL, excludes,
                        origins->excludes.n_items, &environment->pattern, &error);
    if (r != -EINVAL)
        return r;

    int n_patterns = blame_items(section, CONFIG_PATTERN, &origins->pattern, report);
    if (n_patterns < 0)
        return n_patterns;
    int n_excludes = blame_items(section, CONFIG_EXCLUDE, &origins->excludes, report);
    if (n_excludes < 0)
        return n_excludes;
    if (n_patterns + n_excludes == 0) /* each is right by itself, but not all together */
        report_pattern(section, origins->excludes.n_items > 0 ? CONFIG_EXCLUDE : CONFIG_PATTERN, 0,
                       error, report);
    return 0;
}

/* -- between environments ------------------------------------------------------------------------ */

struct ownership {
    const char *cluster; /* without what comes before its name in an ARN */
    const char *service;
    size_t environment;
};

static int compare_ownerships(const void *a, const void *b)
{
    const struct ownership *one = a;
    const struct ownership *other = b;
    int by_cluster = strcmp(one->cluster, other->cluster);
    int by_service = strcmp(one->service, other->service);

    if (by_cluster != 0)
        return by_cluster;
    if (by_service != 0)
        return by_service;
    return one->environment < other->environment ? -1 : 1;
}

int config_check_environments(const struct config *config,
                              const struct config_section *const *sections,
                              struct config_report *report)
{
    size_t n = 0;
    for (size_t i = 0; i < config->n_environments; i++)
        n += config->environments[i].n_services;
    if (n == 0)
        return 0;
    _cleanup_free_ struct ownership *all = calloc(n, sizeof(*all));
    if (!all)
        return -ENOMEM;

    n = 0;
    for (size_t i = 0; i < config->n_environments; i++) {
        const struct config_environment *environment = &config->environments[i];
        if (!environment->cluster)
            continue;
        const char *slash = strrchr(environment->cluster, '/');
        for (size_t j = 0; j < environment->n_services; j++)
            all[n++] = (struct ownership){slash ? slash + 1 : environment->cluster,
                                          environment->services[j].name, i};
    }
    qsort(all, n, sizeof(*all), compare_ownerships);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(all[i].cluster, all[i - 1].cluster) != 0 ||
            strcmp(all[i].service, all[i - 1].service) != 0)
            continue;
        const struct config_section *here = sections[all[i].environment];
        const struct config_section *there = sections[all[i - 1].environment];
        config_report_value(report, &here->values[CONFIG_SERVICES].place, here->title, "services",
                            all[i].service,
                            "[%s] has this service of cluster %s already (%s:%u); two environments "
                            "cannot decide over one service",
                            there->title, all[i].cluster, there->values[CONFIG_SERVICES].place.file,
                            there->values[CONFIG_SERVICES].place.line);
    }
    return 0;
}
