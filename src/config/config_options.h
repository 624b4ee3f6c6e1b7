/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CONFIG_OPTIONS_H
#define PROVISIONERD_CONFIG_OPTIONS_H

/*
 * The options there are: one table for [provisionerd], one for [environment NAME]. A new option is a
 * row in a table, a member of a struct in config.h and an index here. Reading, defaults, suggestions
 * and printing follow the table.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "config/config_reader.h"
#include "config/config_values.h"

enum config_kind {
    CONFIG_KIND_TEXT,     /* char *, NULL when not set */
    CONFIG_KIND_DURATION, /* int64_t, milliseconds */
    CONFIG_KIND_CHOICE,   /* an enum or int */
    CONFIG_KIND_SWITCH,   /* bool: yes or no */
    CONFIG_KIND_LIST,     /* char **, its length at count_offset */
    CONFIG_KIND_SERVICES,
    CONFIG_KIND_PATTERN, /* kept in config_environment_origins, compiled when both are known */
    CONFIG_KIND_EXCLUDES,
};

struct config_choice {
    const char *word;
    int value;
};

struct config_option {
    const char *name;
    size_t offset;       /* of the value, in its struct */
    size_t count_offset; /* of a list's length */
    const char *example; /* required when there is one */
    const char *unset;   /* what it means that an option without default is not set */

    config_check *check; /* of a text, or of each in a list */
    size_t maximum;      /* of a list's length */
    int64_t least_ms;
    int64_t most_ms;
    int64_t default_ms;
    const struct config_choice *choices; /* ends with a NULL word */
    int default_choice;
    enum config_kind kind;
};

struct config_schema {
    const char *title;
    const struct config_option *options;
    size_t n_options;
};

enum config_daemon_option {
    CONFIG_REGION,
    CONFIG_PROFILE,
    CONFIG_ENDPOINT_URL,
    CONFIG_CA_BUNDLE,
    CONFIG_STATE_DIRECTORY,
    CONFIG_LOG_LEVEL,
    CONFIG_N_DAEMON_OPTIONS,
};

enum config_environment_option {
    CONFIG_CLUSTER,
    CONFIG_SERVICES,
    CONFIG_LOG_GROUP,
    CONFIG_PATTERN,
    CONFIG_EXCLUDE,
    CONFIG_WINDOW,
    CONFIG_LATENESS,
    CONFIG_CHECK_INTERVAL,
    CONFIG_POLL_INTERVAL,
    CONFIG_POLL_INTERVAL_AWAKE,
    CONFIG_INSIGHTS,
    CONFIG_SILENCE,
    CONFIG_ADOPT,
    CONFIG_ON_REMOVE,
    CONFIG_ALWAYS_ON,
    CONFIG_N_ENVIRONMENT_OPTIONS,
};

extern const struct config_schema config_daemon_schema;
extern const struct config_schema config_environment_schema;

/* NULL: the schema has no such option. */
const struct config_option *config_schema_find(const struct config_schema *schema,
                                               const char *name);

struct config_environment_origins {
    struct config_place places[CONFIG_N_ENVIRONMENT_OPTIONS];
    struct config_items pattern; /* none, or one */
    struct config_items excludes;
};

struct config_origins {
    char **files; /* what every config_place.file here points into */
    size_t n_files;
    struct config_place places[CONFIG_N_DAEMON_OPTIONS];
    struct config_environment_origins *environments; /* one for each of the configuration's */
    struct config_environment **by_name;             /* sorted, for config_find_environment() */
};

/* One option of the daemon's or an environment's struct, to be shown. */
struct config_line {
    const struct config_option *option;
    const void *target;
    const struct config_environment_origins *origins; /* NULL: the daemon's */
};

/* false: it has no value, and no default. */
bool config_line_is_set(const struct config_line *line);

/* Only if it is set: as it would stand in a file, long lists over several lines. */
void config_line_print_value(const struct config_line *line, FILE *out);

/*
 * Reads a section's values into the daemon's or an environment's struct, which is all zero, and says
 * in `places` where each came from. `section` may be NULL: all defaults. `origins` is NULL for the
 * daemon. What is wrong goes to the report. Returns 0 or -ENOMEM.
 */
int config_fill(const struct config_schema *schema, const struct config_section *section,
                void *target, struct config_place *places,
                struct config_environment_origins *origins, struct config_report *report);

/* What one environment's options have to do with each other. */
void config_check_environment(const struct config_environment *environment,
                              const struct config_section *section, struct config_report *report);

/* Makes environment->pattern of the texts in origins. Returns 0, also when it reported an error, or
 * -ENOMEM. */
int config_compile_pattern(struct config_environment *environment,
                           const struct config_section *section,
                           const struct config_environment_origins *origins,
                           struct config_report *report);

/* What environments have to do with each other; sections[i] is what environment i was read from.
 * Returns 0 or -ENOMEM. */
int config_check_environments(const struct config *config,
                              const struct config_section *const *sections,
                              struct config_report *report);

#endif
