/* SPDX-License-Identifier: MIT */
/* provisionerctl: the command line, and which verb it is for. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "config/config_report.h"
#include "ctl/ctl.h"

/* In the order in which --help lists them. */
static const struct verb *const VERBS[] = {
    &VERB_STATUS,  &VERB_EXPLAIN,      &VERB_WAKE,       &VERB_SLEEP,
    &VERB_HOLD,    &VERB_RELEASE,      &VERB_HISTORY,    &VERB_INIT,
    &VERB_MIGRATE, &VERB_TEST_PATTERN, &VERB_IAM_POLICY, &VERB_DOCTOR,
};

static void usage(FILE *out)
{
    fputs("Usage: provisionerctl [--config FILE] VERB [OPTION]... [ARGUMENT]...\n"
          "Asks provisionerd what it does and why, tells it what to do, and sets it up.\n"
          "\n",
          out);
    for (size_t i = 0; i < ARRAY_LENGTH(VERBS); i++)
        fprintf(out, "  %-14s %s\n", VERBS[i]->name, VERBS[i]->summary);
    fputs("\n"
          "      --config FILE   read FILE, then FILE.d/*.ini (" CONFIG_DEFAULT_PATH ")\n"
          "      --version       print the version\n"
          "      --help          print this; after a verb: its options, with examples\n"
          "\n"
          "Exit status: 0 done, 1 failed or found something wrong, 64 wrong usage,\n"
          "69 the daemon or AWS does not answer, 78 the configuration is wrong.\n",
          out);
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(VERBS); i++) {
        if (strcmp(VERBS[i]->name, name) == 0)
            return VERBS[i];
    }
    return NULL;
}

static int unknown_verb(const struct ctl *ctl, const char *name)
{
    const char *best = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(VERBS); i++)
        config_suggest(name, VERBS[i]->name, &best);
    if (best)
        return ctl_usage_error(ctl, "unknown verb '%s'; did you mean '%s'?", name, best);
    return ctl_usage_error(ctl, "unknown verb '%s'", name);
}

static int run_verb(struct ctl *ctl, int argc, char **argv)
{
    char name[64]; /* before getopt's own messages */

    ctl->verb = find_verb(argv[0]);
    if (!ctl->verb)
        return unknown_verb(ctl, argv[0]);
    snprintf(name, sizeof(name), "provisionerctl %s", argv[0]);
    argv[0] = name;
    optind = 0; /* getopt(3): begin anew, with the verb's own options */
    return ctl->verb->run(ctl, argc, argv);
}

int main(int argc, char **argv)
{
    enum { OPTION_CONFIG = 1, OPTION_VERSION, OPTION_HELP };
    static const struct option options[] = {
        {"config", required_argument, NULL, OPTION_CONFIG},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, OPTION_HELP},
        {0},
    };
    struct ctl ctl = {.config_path = CONFIG_DEFAULT_PATH, .terminal = terminal_of(stdout)};
    int option;

    /* What we write is UTF-8, whatever the host prefers; wcwidth(3) has to know. */
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    while ((option = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
        switch (option) {
        case OPTION_CONFIG:
            ctl.config_path = optarg;
            break;
        case OPTION_VERSION:
            puts("provisionerctl " PROVISIONERD_VERSION);
            return ctl_finish_output(EXIT_SUCCESS);
        case 'h':
        case OPTION_HELP:
            usage(stdout);
            return ctl_finish_output(EXIT_SUCCESS);
        default:
            fputs("Try 'provisionerctl --help'.\n", stderr);
            return EX_USAGE;
        }
    }
    if (optind == argc) {
        usage(stderr);
        return EX_USAGE;
    }
    return ctl_finish_output(run_verb(&ctl, argc - optind, argv + optind));
}
