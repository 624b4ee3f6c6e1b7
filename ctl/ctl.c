/* SPDX-License-Identifier: MIT */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "config/config_report.h"
#include "json.h"
#include "printable.h"

#define ERROR_MAX 2048 /* bytes of a line on standard error */
#define SHORT_OPTIONS_MAX 64

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list arguments)
{
    char message[ERROR_MAX + 1], line[ERROR_MAX];

    vsnprintf(message, sizeof(message), format, arguments);
    printable_line(message, line, sizeof(line));
    fflush(stdout); /* what came before stands before it */
    fprintf(stderr, "provisionerctl: %s\n", line);
}

void ctl_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

int ctl_usage_error(const struct ctl *ctl, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try 'provisionerctl %s%s--help'.\n", ctl->verb ? ctl->verb->name : "",
            ctl->verb ? " " : "");
    return EX_USAGE;
}

static void print_help(const struct verb *verb)
{
    printf("Usage: provisionerctl %s%s%s\n%s.\n\n%s", verb->name, *verb->synopsis ? " " : "",
           verb->synopsis, verb->summary, verb->help);
}

/* Those of the options that have a letter, as getopt(3) wants them. */
static void short_options(const struct option *options, char ret[static SHORT_OPTIONS_MAX])
{
    size_t length = 0;

    ret[length++] = 'h';
    for (; options->name && length + 2 < SHORT_OPTIONS_MAX; options++) {
        if (options->val < 'A' || options->val > 'z')
            continue;
        ret[length++] = (char)options->val;
        if (options->has_arg == required_argument)
            ret[length++] = ':';
    }
    ret[length] = '\0';
}

int ctl_option(struct ctl *ctl, int argc, char **argv, const struct option *options)
{
    char letters[SHORT_OPTIONS_MAX];

    short_options(options, letters);
    for (;;) {
        int option = getopt_long(argc, argv, letters, options, NULL);

        switch (option) {
        case CTL_VALUE_CONFIG:
            ctl->config_path = optarg;
            break;
        case CTL_VALUE_JSON:
            ctl->json = true;
            break;
        case CTL_VALUE_SOCKET:
            ctl->socket_path = optarg;
            break;
        case 'h':
        case CTL_VALUE_HELP:
            print_help(ctl->verb);
            ctl->status = EXIT_SUCCESS;
            return '?';
        case '?':
            /* getopt has said what is wrong. */
            fprintf(stderr, "Try 'provisionerctl %s --help'.\n", ctl->verb->name);
            ctl->status = EX_USAGE;
            return '?';
        default:
            return option;
        }
    }
}

bool ctl_takes_arguments(struct ctl *ctl, int argc, char **argv, int at_least, int at_most)
{
    int n = argc - optind;

    if (n < at_least) {
        ctl->status = ctl_usage_error(ctl, "an argument is missing: %s %s", ctl->verb->name,
                                      ctl->verb->synopsis);
        return false;
    }
    if (n > at_most) {
        ctl->status = ctl_usage_error(ctl, "unexpected argument '%s'", argv[optind + at_most]);
        return false;
    }
    return true;
}

int ctl_load_config(const struct ctl *ctl, struct config **ret)
{
    _cleanup_free_ char *errors = NULL;
    int r = config_load(ctl->config_path, ret, &errors);

    if (r < 0)
        fputs(errors ? errors : "out of memory\n", stderr);
    return r;
}

const struct config_environment *ctl_find_environment(const struct config *config, const char *name)
{
    const struct config_environment *environment = config_find_environment(config, name);
    const char *best = NULL;

    if (environment)
        return environment;
    for (size_t i = 0; i < config->n_environments; i++)
        config_suggest(name, config->environments[i].name, &best);
    if (best)
        ctl_error("no environment \"%s\" in the configuration; did you mean \"%s\"?", name, best);
    else
        ctl_error("no environment \"%s\" in the configuration", name);
    return NULL;
}

int ctl_print_json(struct json_object *value)
{
    _cleanup_json_ struct json_object *owned = value;
    _cleanup_free_ char *text = NULL;
    size_t size;

    if (!owned || json_format(owned, JSON_FOR_PEOPLE, &text, &size) < 0) {
        ctl_error("out of memory");
        return EXIT_FAILURE;
    }
    puts(text);
    return EXIT_SUCCESS;
}

int ctl_finish_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (errno != EPIPE) /* who has seen enough need not be told */
        ctl_error("cannot write to standard output: %s", strerror(errno));
    return status ? status : EXIT_FAILURE;
}
