/* SPDX-License-Identifier: MIT */
/* provisionerctl init */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/init.h"
#include "ctl/moment.h"
#include "endpoint.h"

#define SINCE "24h"

static const char HELP[] =
    "      --region NAME        where the services run (AWS_REGION, the profile's, the "
    "instance's)\n"
    "      --profile NAME       whose credentials to use\n"
    "      --endpoint-url URL   another address than AWS's own\n"
    "      --cluster NAME       name or ARN\n"
    "      --services LIST      the services to put to sleep, parted by commas\n"
    "      --always-on LIST     those that stay up since they write the log\n"
    "      --log-group LIST     where requests leave their traces\n"
    "      --pattern TEXT       events with this text are activity\n"
    "      --regex EXPRESSION   events that match this are activity\n"
    "      --since TIME         how far back to read the log for a proposal (24h)\n"
    "      --name NAME          the environment's name (the cluster's)\n"
    "  -o, --output FILE        write to FILE, which must not exist yet, instead of standard "
    "output\n"
    "      --force              replace it\n"
    "      --no-input           ask nothing, even at a terminal\n"
    "      --help               print this\n"
    "\n"
    "What is not given is asked for at a terminal. Elsewhere it is taken if there is no other "
    "choice or\n"
    "one is much likelier; if not, the choices are told. Needs ecs:ListClusters, "
    "ecs:ListServices,\n"
    "ecs:DescribeServices, logs:DescribeLogGroups and logs:FilterLogEvents; changes nothing.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl init --cluster staging -o staging.ini\n"
    "  provisionerctl init --region eu-west-1 --cluster staging --log-group /ecs/staging/gateway\n"
    "  provisionerctl init --cluster staging --services api,worker,web --always-on gateway\n";

/* --- for all steps --- */

void init_report(const char *what, const char *format, ...)
{
    const struct terminal terminal = terminal_of(stderr);
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    fprintf(stderr, "%-10s ", what);
    terminal_write_wrapped(&terminal, COLOUR_NONE, text ? text : "", 11);
}

bool init_fail(struct init *init, int status)
{
    init->status = status;
    return false;
}

bool init_fail_with(struct init *init, int r)
{
    ctl_error(r == -ECANCELED ? "ended" : "out of memory");
    return init_fail(init, EXIT_FAILURE);
}

bool init_choose(struct init *init, const char *what, const char *option, const struct texts *items,
                 size_t proposed, size_t *ret)
{
    if (items->n_items == 1) {
        *ret = 0;
        return true;
    }
    if (init->asks) {
        int r = ask_choice(what, items, proposed == SIZE_MAX ? 0 : proposed, ret);
        return r == 0 ? true : init_fail_with(init, r);
    }
    if (proposed != SIZE_MAX) {
        *ret = proposed;
        return true;
    }
    _cleanup_free_ char *all = texts_join(items);
    ctl_error("%s is needed; there are: %s", option, all ? all : "several");
    return init_fail(init, EX_USAGE);
}

/* --- the whole ----------------------------------------------------------------------------------- */

static bool write_result(struct init *init)
{
    _cleanup_free_ char *text = NULL, *errors = NULL;
    struct draft *draft = &init->draft;

    if (!draft->name)
        draft->name = draft_name_of(draft->cluster);
    draft->origin = strdup("what there is in AWS, by provisionerctl init");
    if (!draft->name || !draft->origin)
        return init_fail_with(init, -ENOMEM);
    int r = draft_write(draft, &text, &errors);
    if (r == 0)
        return init_fail(init, draft_deliver(text, init->output, init->force));
    if (errors)
        fprintf(stderr, "This does not make a configuration:\n%s", errors);
    else
        ctl_error("cannot write the configuration: %s", strerror(-r));
    return init_fail(init, EXIT_FAILURE);
}

/* The daemon may well run without our environment. */
static int keep_region(struct draft *draft)
{
    const char *region = getenv("AWS_REGION");

    if (!region || !*region)
        region = getenv("AWS_DEFAULT_REGION");
    if (draft->region || !region || !endpoint_region_is_valid(region))
        return 0;
    draft->region = strdup(region);
    return draft->region ? 0 : -ENOMEM;
}

static int make_configuration(struct init *init)
{
    if (keep_region(&init->draft) < 0) {
        init_fail_with(init, -ENOMEM);
        return init->status;
    }
    const struct config config = {.region = init->draft.region,
                                  .profile = init->draft.profile,
                                  .endpoint_url = init->draft.endpoint_url};

    if (session_open(&config, &init->session) < 0)
        init_fail(init, EXIT_FAILURE);
    else if (init->draft.cluster || init_find_cluster(init)) {
        init_report("cluster", "%s", init->draft.cluster);
        (void)(init_find_services(init) && init_find_log_groups(init) && init_find_pattern(init) &&
               write_result(init));
    }
    session_close(&init->session);
    return init->status;
}

/* Keeps a copy of an option's argument. */
static void keep(char **text)
{
    free(*text);
    *text = strdup(optarg);
}

static int verb_init(struct ctl *ctl, int argc, char **argv)
{
    enum {
        OPTION_REGION = 1,
        OPTION_PROFILE,
        OPTION_ENDPOINT,
        OPTION_CLUSTER,
        OPTION_SERVICES,
        OPTION_ALWAYS_ON,
        OPTION_LOG_GROUP,
        OPTION_PATTERN,
        OPTION_REGEX,
        OPTION_SINCE,
        OPTION_NAME,
        OPTION_FORCE,
        OPTION_NO_INPUT,
    };
    static const struct option OPTIONS[] = {
        CTL_OPTION_HELP,
        {"region", required_argument, NULL, OPTION_REGION},
        {"profile", required_argument, NULL, OPTION_PROFILE},
        {"endpoint-url", required_argument, NULL, OPTION_ENDPOINT},
        {"cluster", required_argument, NULL, OPTION_CLUSTER},
        {"services", required_argument, NULL, OPTION_SERVICES},
        {"always-on", required_argument, NULL, OPTION_ALWAYS_ON},
        {"log-group", required_argument, NULL, OPTION_LOG_GROUP},
        {"pattern", required_argument, NULL, OPTION_PATTERN},
        {"regex", required_argument, NULL, OPTION_REGEX},
        {"since", required_argument, NULL, OPTION_SINCE},
        {"name", required_argument, NULL, OPTION_NAME},
        {"output", required_argument, NULL, 'o'},
        {"force", no_argument, NULL, OPTION_FORCE},
        {"no-input", no_argument, NULL, OPTION_NO_INPUT},
        {0}};
    struct init init = {.asks = ask_is_possible()};
    const char *since = SINCE;
    int option, status;

    while ((option = ctl_option(ctl, argc, argv, OPTIONS)) != CTL_OPTIONS_END) {
        switch (option) {
        case OPTION_REGION:
            keep(&init.draft.region);
            break;
        case OPTION_PROFILE:
            keep(&init.draft.profile);
            break;
        case OPTION_ENDPOINT:
            keep(&init.draft.endpoint_url);
            break;
        case OPTION_CLUSTER:
            free(init.draft.cluster);
            init_take_cluster(&init, optarg);
            break;
        case OPTION_SERVICES:
            init.services = optarg;
            break;
        case OPTION_ALWAYS_ON:
            init.always_on = optarg;
            break;
        case OPTION_LOG_GROUP:
            init.log_groups = optarg;
            break;
        case OPTION_PATTERN:
        case OPTION_REGEX:
            keep(&init.draft.pattern);
            init.draft.pattern_is_regex = option == OPTION_REGEX;
            break;
        case OPTION_SINCE:
            since = optarg;
            break;
        case OPTION_NAME:
            keep(&init.draft.name);
            break;
        case 'o':
            init.output = optarg;
            break;
        case OPTION_FORCE:
            init.force = true;
            break;
        case OPTION_NO_INPUT:
            init.asks = false;
            break;
        default:
            draft_clear(&init.draft);
            return ctl->status;
        }
    }
    if (!ctl_takes_arguments(ctl, argc, argv, 0, 0))
        status = ctl->status;
    else if (moment_parse(since, moment_now(), MOMENT_PAST, &init.from) < 0)
        status = ctl_usage_error(ctl, "--since %s: not a moment in the past, " MOMENT_FORMS, since);
    else
        status = make_configuration(&init);
    draft_clear(&init.draft);
    return status;
}

const struct verb VERB_INIT = {
    .name = "init",
    .synopsis = "[OPTION]...",
    .summary = "A first INI, from what there is in AWS: cluster, services, log, pattern",
    .help = HELP,
    .run = verb_init,
};
