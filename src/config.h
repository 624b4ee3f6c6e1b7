/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CONFIG_H
#define PROVISIONERD_CONFIG_H

/*
 * The configuration: INI files to one immutable struct. A reload makes a new one and swaps the
 * pointer; nothing is ever changed in place.
 *
 * config_load() reads FILE, then FILE.d/ *.ini in order of name; a later value replaces an earlier
 * one of the same section and option, a repetition within one file is an error. It reports every
 * error it finds, not only the first: each with file:line, section, option, value and what would be
 * right.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pattern.h"

#define CONFIG_DEFAULT_PATH "/etc/provisionerd.ini"
#define CONFIG_ENVIRONMENTS_MAX 10000
#define CONFIG_SERVICES_MAX 100  /* of one environment */
#define CONFIG_LOG_GROUPS_MAX 50 /* of one environment: StartQuery's limit */
#define CONFIG_RECORDED (-1)     /* config_service.count: wake to the recorded count */

enum config_insights {
    CONFIG_INSIGHTS_AUTO,   /* ask only when nothing cheaper has already shown activity */
    CONFIG_INSIGHTS_ALWAYS, /* ask at every check */
};

enum config_silence {
    CONFIG_SILENCE_IDLE,    /* no record at all in the window: nobody was there */
    CONFIG_SILENCE_UNKNOWN, /* no record at all: the log pipeline may be broken, stay awake */
};

enum config_on_remove {
    CONFIG_ON_REMOVE_LEAVE, /* removed while asleep: leave it so, and say how to restore */
    CONFIG_ON_REMOVE_WAKE,
};

struct config_service {
    char *name;
    int count; /* wake to this; CONFIG_RECORDED: to what was there */
};

struct config_environment {
    char *name;
    char *cluster;
    struct config_service *services;
    size_t n_services;
    char **always_on; /* services that write the log: watched, never touched */
    size_t n_always_on;
    char **log_groups;
    size_t n_log_groups;
    struct pattern *pattern;
    int64_t window_ms;
    int64_t lateness_ms; /* how late events may appear in CloudWatch Logs */
    int64_t check_interval_ms;
    int64_t poll_interval_ms; /* while asleep */
    int64_t poll_interval_awake_ms;
    enum config_insights insights;
    enum config_silence silence;
    bool adopt; /* a sleeping service scaled up by hand wakes the rest */
    enum config_on_remove on_remove;
};

struct config {
    char *region;       /* NULL: as the credentials' source says */
    char *profile;      /* NULL: AWS_PROFILE or "default" */
    char *endpoint_url; /* NULL: AWS's own */
    char *ca_bundle;    /* NULL: AWS_CA_BUNDLE or the system's */
    char *state_directory;
    int log_level;                           /* LOG_ERR ... LOG_DEBUG */
    struct config_environment *environments; /* in order of the files */
    size_t n_environments;
    struct config_origins *origins; /* where each value came from, for config_print() */
};

/*
 * Returns 0; -ENOMEM; -EINVAL with *ret_errors set: allocated, one error a line, sorted by file and
 * line, ends with a newline. A file that cannot be read is such an error too.
 */
int config_load(const char *path, struct config **ret, char **ret_errors);
struct config *config_free(struct config *config);

/* --print-config: effective values as an INI that loads to the same, each with its origin behind it
 * as a comment ("; default", "; /etc/provisionerd.ini:12"). */
void config_print(const struct config *config, FILE *out);

/*
 * What a change from one to the other does, in words: "nothing changed", or "[environment staging]
 * window: 1h -> 30min; [environment dev] removed". *ret is allocated. Returns 0 or -ENOMEM.
 */
int config_difference(const struct config *from, const struct config *to, char **ret);

/* Returns NULL if there is none. Borrowed. */
const struct config_environment *config_find_environment(const struct config *config,
                                                         const char *name);

#endif
