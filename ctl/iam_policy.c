/* SPDX-License-Identifier: MIT */
/* provisionerctl iam-policy */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ctl/ctl.h"
#include "ctl/permissions.h"
#include "endpoint.h"
#include "json.h"

static const char HELP[] =
    "  --account ID    the account's number, 12 digits, in place of * in the resources\n"
    "  --region NAME   the region, where the configuration does not name it\n"
    "  --config FILE   read FILE, then FILE.d/*.ini (" CONFIG_DEFAULT_PATH ")\n"
    "  --help          print this\n"
    "\n"
    "The policy has a statement for each thing that provisionerd does, and names the log groups "
    "and\n"
    "services of the configuration and no others. Nothing is asked of AWS. With ENV, it is for "
    "that\n"
    "environment alone.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl iam-policy\n"
    "  provisionerctl iam-policy --account 123456789012 > policy.json\n"
    "  provisionerctl iam-policy staging --region eu-west-1\n";

/* IAM counts without white space. */
static size_t size_for_iam(struct json_object *document)
{
    _cleanup_free_ char *text = NULL;
    size_t size;

    return json_format(document, JSON_COMPACT, &text, &size) == 0 ? size : 0;
}

static bool is_account(const char *text)
{
    return strlen(text) == 12 && strspn(text, "0123456789") == 12;
}

static const char *find_region(const struct config *config, const char *asked)
{
    if (asked)
        return asked;
    if (config->region)
        return config->region;
    const char *region = getenv("AWS_REGION");
    if (!region || !*region)
        region = getenv("AWS_DEFAULT_REGION");
    return region && endpoint_region_is_valid(region) ? region : NULL;
}

static int print_policy(const struct config *config, const struct permissions_scope *scope)
{
    struct json_object *document;

    if (scope->environment && !ctl_find_environment(config, scope->environment))
        return EXIT_FAILURE;
    if (permissions_document(config, scope, &document) < 0) {
        ctl_error("out of memory");
        return EXIT_FAILURE;
    }
    size_t size = size_for_iam(document);
    if (size > PERMISSIONS_MANAGED_MAX)
        ctl_error("note: %zu characters are more than the %d that IAM takes for a managed policy; "
                  "make one for each environment: provisionerctl iam-policy ENV",
                  size, PERMISSIONS_MANAGED_MAX);
    return ctl_print_json(document);
}

static int verb_iam_policy(struct ctl *ctl, int argc, char **argv)
{
    enum { OPTION_ACCOUNT = 1, OPTION_REGION };
    static const struct option OPTIONS[] = {CTL_OPTION_CONFIG,
                                            CTL_OPTION_HELP,
                                            {"account", required_argument, NULL, OPTION_ACCOUNT},
                                            {"region", required_argument, NULL, OPTION_REGION},
                                            {0}};
    struct permissions_scope scope = {0};
    struct config *config;
    int option;

    while ((option = ctl_option(ctl, argc, argv, OPTIONS)) != CTL_OPTIONS_END) {
        switch (option) {
        case OPTION_ACCOUNT:
            if (!is_account(optarg))
                return ctl_usage_error(ctl, "'%s' is no account's number, which has 12 digits",
                                       optarg);
            scope.account = optarg;
            break;
        case OPTION_REGION:
            if (!endpoint_region_is_valid(optarg))
                return ctl_usage_error(ctl, "'%s' is not a region; one looks like eu-west-1",
                                       optarg);
            scope.region = optarg;
            break;
        default:
            return ctl->status;
        }
    }
    if (!ctl_takes_arguments(ctl, argc, argv, 0, 1))
        return ctl->status;
    scope.environment = argv[optind];
    if (ctl_load_config(ctl, &config) < 0)
        return EX_CONFIG;
    scope.region = find_region(config, scope.region);
    int status = print_policy(config, &scope);
    config_free(config);
    return status;
}

const struct verb VERB_IAM_POLICY = {
    .name = "iam-policy",
    .synopsis = "[ENV] [--account ID] [--region NAME]",
    .summary = "The least-privilege IAM policy for this very configuration",
    .help = HELP,
    .run = verb_iam_policy,
};
