/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_CTL_H
#define PROVISIONERCTL_CTL_H

/*
 * What the verbs of provisionerctl share. A verb is a file of its own that defines a `struct verb`,
 * and a line in main.c's table; nothing else knows of it.
 *
 *     static int verb_purr(struct ctl *ctl, int argc, char **argv)
 *     {
 *         static const struct option OPTIONS[] = {
 *             CTL_OPTION_CONFIG, CTL_OPTION_JSON, {"loud", no_argument, NULL, OPTION_LOUD}, {0}};
 *         int option;
 *
 *         while ((option = ctl_option(ctl, argc, argv, OPTIONS)) != CTL_OPTIONS_END) {
 *             switch (option) {
 *             case OPTION_LOUD:
 *                 ...
 *                 break;
 *             default:
 *                 return ctl->status;        --help was shown, or the command line is wrong
 *             }
 *         }
 *         if (!ctl_takes_arguments(ctl, argc, argv, 0, 1))
 *             return ctl->status;
 *         const char *name = argv[optind];   argv ends in a NULL: NULL if it was left out
 *         ...
 *         return EXIT_SUCCESS;
 *     }
 *
 *     const struct verb VERB_PURR = {.name = "purr", ..., .run = verb_purr};
 *
 * Exit status: 0 done; 1 failed, or found something wrong; EX_USAGE (64) wrong usage; EX_UNAVAILABLE
 * (69) the daemon, or AWS, does not answer; EX_CONFIG (78) the configuration is wrong.
 *
 * Standard output has what was asked for, and nothing else; what went wrong goes to standard error by
 * ctl_error(). Text from outside is printed by terminal_write(), table_add() or ctl_error(), which
 * escape it.
 */

#include <getopt.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sysexits.h>

#include "config.h"
#include "ctl/terminal.h"

struct verb;

struct ctl {
    const struct verb *verb;
    const char *config_path;  /* --config, or CONFIG_DEFAULT_PATH */
    bool json;                /* --json */
    const char *socket_path;  /* --socket; NULL: wherever the daemon is found */
    int status;               /* why a verb ends whose options or arguments did */
    struct terminal terminal; /* standard output */
};

struct verb {
    const char *name;     /* "iam-policy" */
    const char *synopsis; /* what may follow: "[ENV] [--since TIME]" */
    const char *summary;  /* for the list of verbs: one line, no full stop */
    const char *help;     /* what else --help says: options, then "Examples:" and, indented, command
                             lines that a test runs; ends in a newline */
    int (*run)(struct ctl *ctl, int argc, char **argv); /* returns the exit status */
};

extern const struct verb VERB_STATUS, VERB_EXPLAIN, VERB_WAKE, VERB_SLEEP, VERB_HOLD, VERB_RELEASE;
extern const struct verb VERB_DOCTOR, VERB_HISTORY, VERB_IAM_POLICY, VERB_INIT, VERB_MIGRATE,
    VERB_TEST_PATTERN;

/* --- options and arguments ----------------------------------------------------------------------- */

#define CTL_OPTIONS_END (-1)

enum {
    CTL_VALUE_CONFIG = 1000, /* above what verbs number their own with */
    CTL_VALUE_JSON,
    CTL_VALUE_SOCKET,
    CTL_VALUE_HELP,
};

#define CTL_OPTION_CONFIG                                   \
    {                                                       \
        "config", required_argument, NULL, CTL_VALUE_CONFIG \
    }
#define CTL_OPTION_JSON                           \
    {                                             \
        "json", no_argument, NULL, CTL_VALUE_JSON \
    }
#define CTL_OPTION_SOCKET                                   \
    {                                                       \
        "socket", required_argument, NULL, CTL_VALUE_SOCKET \
    }
#define CTL_OPTION_HELP                           \
    {                                             \
        "help", no_argument, NULL, CTL_VALUE_HELP \
    }

/* The next of the verb's own options, its argument in optarg; CTL_OPTIONS_END; or '?': return
 * ctl->status. Sees to --config, --json, --socket and --help itself, where `options` has them. */
int ctl_option(struct ctl *ctl, int argc, char **argv, const struct option *options);

/* After the options: whether so many arguments are left. If not, it has said so: return ctl->status. */
bool ctl_takes_arguments(struct ctl *ctl, int argc, char **argv, int at_least, int at_most);

/* "provisionerctl: ..." and a hint at --help. Returns EX_USAGE. */
int ctl_usage_error(const struct ctl *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- helpers -------------------------------------------------------------------------------------- */

/* "provisionerctl: ..." to standard error, escaped; one line. */
void ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns 0; or -errno when the errors have been told: return EX_CONFIG (or EXIT_FAILURE). */
int ctl_load_config(const struct ctl *ctl, struct config **ret);

/* NULL when there is no environment of that name, and it has been said, with the one that may have been
 * meant: return EXIT_FAILURE. */
const struct config_environment *ctl_find_environment(const struct config *config,
                                                      const char *name);

/* Writes value to standard output, over several lines, and puts it. Returns an exit status. */
int ctl_print_json(struct json_object *value);

/* At the end of all output: whether it arrived. Returns status, or EXIT_FAILURE and says why. */
int ctl_finish_output(int status);

#endif
