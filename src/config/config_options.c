/* SPDX-License-Identifier: MIT */
#include "config/config_options.h"

#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "clock.h"

static const struct config_choice log_levels[] = {
    {"error", LOG_ERR}, {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
    {"info", LOG_INFO}, {"debug", LOG_DEBUG},     {0},
};
static const struct config_choice insights_choices[] = {
    {"auto", CONFIG_INSIGHTS_AUTO}, {"always", CONFIG_INSIGHTS_ALWAYS}, {0}};
static const struct config_choice silence_choices[] = {
    {"idle", CONFIG_SILENCE_IDLE}, {"unknown", CONFIG_SILENCE_UNKNOWN}, {0}};
static const struct config_choice on_remove_choices[] = {
    {"leave", CONFIG_ON_REMOVE_LEAVE}, {"wake", CONFIG_ON_REMOVE_WAKE}, {0}};
static const struct config_choice switch_choices[] = {{"yes", true}, {"no", false}, {0}};

static const struct config_option daemon_options[] = {
    [CONFIG_REGION] = {.name = "region",
                       .kind = CONFIG_KIND_TEXT,
                       .offset = offsetof(struct config, region),
                       .unset = "AWS_REGION, the profile's, or that of the instance",
                       .check = config_check_region},
    [CONFIG_PROFILE] = {.name = "profile",
                        .kind = CONFIG_KIND_TEXT,
                        .offset = offsetof(struct config, profile),
                        .unset = "AWS_PROFILE, or \"default\"",
                        .check = config_check_profile},
    [CONFIG_ENDPOINT_URL] = {.name = "endpoint_url",
                             .kind = CONFIG_KIND_TEXT,
                             .offset = offsetof(struct config, endpoint_url),
                             .unset = "AWS's own",
                             .check = config_check_url},
    [CONFIG_CA_BUNDLE] = {.name = "ca_bundle",
                          .kind = CONFIG_KIND_TEXT,
                          .offset = offsetof(struct config, ca_bundle),
                          .unset = "AWS_CA_BUNDLE, or the system's",
                          .check = config_check_path},
    [CONFIG_STATE_DIRECTORY] = {.name = "state_directory",
                                .kind = CONFIG_KIND_TEXT,
                                .offset = offsetof(struct config, state_directory),
                                .check = config_check_path},
    [CONFIG_LOG_LEVEL] = {.name = "log_level",
                          .kind = CONFIG_KIND_CHOICE,
                          .offset = offsetof(struct config, log_level),
                          .choices = log_levels,
                          .default_choice = LOG_INFO},
};

static const struct config_option environment_options[] = {
    [CONFIG_CLUSTER] = {.name = "cluster",
                        .kind = CONFIG_KIND_TEXT,
                        .offset = offsetof(struct config_environment, cluster),
                        .example = "staging",
                        .check = config_check_cluster},
    [CONFIG_SERVICES] = {.name = "services",
                         .kind = CONFIG_KIND_SERVICES,
                         .offset = offsetof(struct config_environment, services),
                         .count_offset = offsetof(struct config_environment, n_services),
                         .example = "api, worker, web = 2",
                         .check = config_check_service,
                         .maximum = CONFIG_SERVICES_MAX},
    [CONFIG_LOG_GROUP] = {.name = "log_group",
                          .kind = CONFIG_KIND_LIST,
                          .offset = offsetof(struct config_environment, log_groups),
                          .count_offset = offsetof(struct config_environment, n_log_groups),
                          .example = "/ecs/staging/gateway",
                          .check = config_check_log_group,
                          .maximum = CONFIG_LOG_GROUPS_MAX},
    [CONFIG_PATTERN] = {.name = "pattern",
                        .kind = CONFIG_KIND_PATTERN,
                        .unset = "every event is activity",
                        .maximum = 1},
    [CONFIG_EXCLUDE] = {.name = "exclude",
                        .kind = CONFIG_KIND_EXCLUDES,
                        .unset = "nothing",
                        .maximum = PATTERN_EXCLUDES_MAX},
    [CONFIG_WINDOW] = {.name = "window",
                       .kind = CONFIG_KIND_DURATION,
                       .offset = offsetof(struct config_environment, window_ms),
                       .least_ms = MS_PER_SECOND,
                       .most_ms = 7 * MS_PER_DAY,
                       .default_ms = MS_PER_HOUR},
    [CONFIG_LATENESS] = {.name = "lateness",
                         .kind = CONFIG_KIND_DURATION,
                         .offset = offsetof(struct config_environment, lateness_ms),
                         .least_ms = 0,
                         .most_ms = MS_PER_HOUR,
                         .default_ms = 5 * MS_PER_MINUTE},
    [CONFIG_CHECK_INTERVAL] = {.name = "check_interval",
                               .kind = CONFIG_KIND_DURATION,
                               .offset = offsetof(struct config_environment, check_interval_ms),
                               .least_ms = MS_PER_SECOND,
                               .most_ms = MS_PER_DAY,
                               .default_ms = 10 * MS_PER_MINUTE},
    [CONFIG_POLL_INTERVAL] = {.name = "poll_interval",
                              .kind = CONFIG_KIND_DURATION,
                              .offset = offsetof(struct config_environment, poll_interval_ms),
                              .least_ms = MS_PER_SECOND,
                              .most_ms = MS_PER_HOUR,
                              .default_ms = 15 * MS_PER_SECOND},
    [CONFIG_POLL_INTERVAL_AWAKE] = {.name = "poll_interval_awake",
                                    .kind = CONFIG_KIND_DURATION,
                                    .offset =
                                        offsetof(struct config_environment, poll_interval_awake_ms),
                                    .least_ms = MS_PER_SECOND,
                                    .most_ms = MS_PER_DAY,
                                    .default_ms = MS_PER_MINUTE},
    [CONFIG_INSIGHTS] = {.name = "insights",
                         .kind = CONFIG_KIND_CHOICE,
                         .offset = offsetof(struct config_environment, insights),
                         .choices = insights_choices,
                         .default_choice = CONFIG_INSIGHTS_AUTO},
    [CONFIG_SILENCE] = {.name = "silence",
                        .kind = CONFIG_KIND_CHOICE,
                        .offset = offsetof(struct config_environment, silence),
                        .choices = silence_choices,
                        .default_choice = CONFIG_SILENCE_IDLE},
    [CONFIG_ADOPT] = {.name = "adopt",
                      .kind = CONFIG_KIND_SWITCH,
                      .offset = offsetof(struct config_environment, adopt),
                      .choices = switch_choices,
                      .default_choice = true},
    [CONFIG_ON_REMOVE] = {.name = "on_remove",
                          .kind = CONFIG_KIND_CHOICE,
                          .offset = offsetof(struct config_environment, on_remove),
                          .choices = on_remove_choices,
                          .default_choice = CONFIG_ON_REMOVE_LEAVE},
    [CONFIG_ALWAYS_ON] = {.name = "always_on",
                          .kind = CONFIG_KIND_LIST,
                          .offset = offsetof(struct config_environment, always_on),
                          .count_offset = offsetof(struct config_environment, n_always_on),
                          .unset = "none",
                          .check = config_check_service,
                          .maximum = CONFIG_SERVICES_MAX},
};

const struct config_schema config_daemon_schema = {
    .title = "provisionerd", .options = daemon_options, .n_options = ARRAY_LENGTH(daemon_options)};
const struct config_schema config_environment_schema = {.title = "environment",
                                                        .options = environment_options,
                                                        .n_options =
                                                            ARRAY_LENGTH(environment_options)};

const struct config_option *config_schema_find(const struct config_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->n_options; i++) {
        if (strcmp(schema->options[i].name, name) == 0)
            return &schema->options[i];
    }
    return NULL;
}
