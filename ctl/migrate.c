/* SPDX-License-Identifier: MIT */
/* provisionerctl migrate */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "config/config_bytes.h"
#include "ctl/ctl.h"
#include "ctl/seed.h"
#include "printable.h"

static const char HELP[] =
    "  -o, --output FILE   write to FILE, which must not exist yet, instead of standard output\n"
    "      --force         replace it\n"
    "      --name NAME     the environment's name (the cluster's)\n"
    "      --text          LOG_PATTERN is a text\n"
    "      --regex         LOG_PATTERN is a regular expression\n"
    "      --help          print this\n"
    "\n"
    "Reads CLUSTER_NAME, SERVICES, LOG_GROUP, LOG_PATTERN, DESIRED_COUNT, counts such as "
    "API_COUNT, and\n"
    "AWS_REGION, by these and similar names. FILE has NAME=VALUE lines, with or without \"export\" "
    "and\n"
    "quotes; - is standard input. Unknown variables are told and left out.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl migrate staging.env\n"
    "  provisionerctl migrate staging.env --regex -o staging.ini\n"
    "  provisionerctl migrate - --name qa < staging.env\n";

struct options {
    const char *input;
    const char *shown; /* what the input is called */
    const char *output;
    bool force;
    const char *name;
    enum seed_pattern pattern;
};

static void tell(void *userdata, unsigned line, const char *what)
{
    const struct options *options = userdata;

    if (line > 0)
        ctl_error("%s:%u: %s", options->shown, line, what);
    else
        ctl_error("%s: %s", options->shown, what);
}

/* Returns 0, or a negative errno after it has said why. */
static int read_variables(struct options *options, struct dotenv *ret)
{
    _cleanup_free_ char *bytes = NULL;
    const char *problem;
    size_t length;
    unsigned line;
    int r = config_bytes_read(options->input, &bytes, &length);

    if (r == 0 && length > DOTENV_FILE_MAX)
        r = -EFBIG;
    if (r < 0) {
        ctl_error("cannot read %s: %s", options->shown, strerror(-r));
        return r;
    }
    r = dotenv_parse(bytes, length, ret, &line, &problem);
    if (r == -EINVAL)
        tell(options, line, problem);
    else if (r < 0)
        ctl_error("out of memory");
    return r;
}

static int write_draft(const struct options *options, struct draft *draft)
{
    _cleanup_free_ char *text = NULL, *errors = NULL;

    _cleanup_free_ char *name =
        printable_new(strcmp(options->input, "-") == 0 ? "variables" : basename(options->input));
    if (!name || asprintf(&draft->origin, "%s, by provisionerctl migrate", name) < 0)
        draft->origin = NULL; /* it is only a comment */
    int r = draft_write(draft, &text, &errors);
    if (r == 0)
        return draft_deliver(text, options->output, options->force);
    if (errors)
        fprintf(stderr, "The variables do not make a configuration:\n%s", errors);
    else
        ctl_error("cannot write the configuration: %s", strerror(-r));
    return EXIT_FAILURE;
}

static int migrate(struct options *options)
{
    struct dotenv dotenv = {0};
    struct draft draft = {0};

    if (read_variables(options, &dotenv) < 0)
        return EXIT_FAILURE;
    int status = EXIT_FAILURE;
    int r = seed_draft(&dotenv, options->name, options->pattern, tell, options, &draft);
    if (r == 0)
        status = write_draft(options, &draft);
    else if (r == -ENOMEM)
        ctl_error("out of memory");
    draft_clear(&draft);
    dotenv_clear(&dotenv);
    return status;
}

static int verb_migrate(struct ctl *ctl, int argc, char **argv)
{
    enum { OPTION_FORCE = 1, OPTION_NAME, OPTION_TEXT, OPTION_REGEX };
    static const struct option OPTIONS[] = {CTL_OPTION_HELP,
                                            {"output", required_argument, NULL, 'o'},
                                            {"force", no_argument, NULL, OPTION_FORCE},
                                            {"name", required_argument, NULL, OPTION_NAME},
                                            {"text", no_argument, NULL, OPTION_TEXT},
                                            {"regex", no_argument, NULL, OPTION_REGEX},
                                            {0}};
    struct options options = {0};
    int option;

    while ((option = ctl_option(ctl, argc, argv, OPTIONS)) != CTL_OPTIONS_END) {
        switch (option) {
        case 'o':
            options.output = optarg;
            break;
        case OPTION_FORCE:
            options.force = true;
            break;
        case OPTION_NAME:
            options.name = optarg;
            break;
        case OPTION_TEXT:
            options.pattern = SEED_PATTERN_IS_TEXT;
            break;
        case OPTION_REGEX:
            options.pattern = SEED_PATTERN_IS_REGEX;
            break;
        default:
            return ctl->status;
        }
    }
    if (!ctl_takes_arguments(ctl, argc, argv, 1, 1))
        return ctl->status;
    options.input = options.shown = argv[optind];
    if (strcmp(options.input, "-") == 0) {
        options.input = "/dev/stdin";
        options.shown = "standard input";
    }
    return migrate(&options);
}

const struct verb VERB_MIGRATE = {
    .name = "migrate",
    .synopsis = "FILE [-o FILE] [--force] [--name NAME] [--text | --regex]",
    .summary = "An INI from the environment variables of scheduling Lambda functions",
    .help = HELP,
    .run = verb_migrate,
};
