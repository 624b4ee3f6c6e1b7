/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_plan.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "credentials/credentials_imds.h"
#include "credentials/credentials_roles.h"
#include "endpoint.h"

#define TRIED_TEXT_MAX 512

struct planner {
    const struct credentials_environment *environment;
    const struct credentials_files *files;
    const char *profile;
    bool profile_is_configured; /* by our own configuration */
    struct credentials_plan *plan;
    char tried[TRIED_TEXT_MAX];
    struct credentials_why *why;
};

static int out_of_memory(struct planner *planner)
{
    return credentials_fail(planner->why, -ENOMEM, "out of memory");
}

static int set_text(struct planner *planner, char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
    return *text ? 0 : out_of_memory(planner);
}

static void remember_try(struct planner *planner, const char *what)
{
    size_t used = strlen(planner->tried);

    snprintf(planner->tried + used, sizeof(planner->tried) - used, "%s%s", used ? "; " : "", what);
}

/* --- the links of the chain: 0: this is the source, -ENOENT: go on, else an error --------------- */

static int try_environment(struct planner *planner)
{
    int r =
        credentials_keys_from_environment(planner->environment, &planner->plan->keys, planner->why);
    if (r < 0)
        return r;
    planner->plan->origin = CREDENTIALS_FROM_KEYS;
    return set_text(planner, &planner->plan->source, "environment variable AWS_ACCESS_KEY_ID");
}

static int try_web_identity(struct planner *planner)
{
    const struct credentials_environment *environment = planner->environment;

    if (!environment->web_identity_token_file)
        return credentials_fail(planner->why, -ENOENT, "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
    if (!environment->role_arn)
        return credentials_fail(planner->why, -EINVAL,
                                "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
    const struct credentials_role role = {
        .arn = (char *)environment->role_arn,
        .session_name = (char *)environment->role_session_name,
        .token_file = (char *)environment->web_identity_token_file,
    };
    int r = credentials_role_set(&planner->plan->web_identity, &role,
                                 "AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME", planner->why);
    if (r < 0)
        return r;
    planner->plan->origin = CREDENTIALS_FROM_WEB_IDENTITY;
    return set_text(planner, &planner->plan->source,
                    "environment variable AWS_WEB_IDENTITY_TOKEN_FILE");
}

/* [NAME] in the config file is the commonest mistake there. */
static bool lacks_prefix(const struct planner *planner)
{
    const struct profile_file *config = planner->files->ranked[CREDENTIALS_FILE_CONFIG].content;

    return config && credentials_profile_section(config, PROFILE_SECTION_OTHER, planner->profile);
}

static int profile_is_missing(struct planner *planner)
{
    const struct credentials_file *files = planner->files->ranked;
    const char *credentials = files[CREDENTIALS_FILE_SHARED].path;
    const char *config = files[CREDENTIALS_FILE_CONFIG].path;
    bool asked_for = planner->profile_is_configured || planner->environment->profile;

    return credentials_fail(
        planner->why, asked_for ? -ENOKEY : -ENOENT,
        "there is no profile %s in %s (as [%s]) or %s (as [%s%s])%s", planner->profile, credentials,
        planner->profile, config, strcmp(planner->profile, "default") == 0 ? "" : "profile ",
        planner->profile, lacks_prefix(planner) ? ", where \"profile \" is missing" : "");
}

static int try_profile(struct planner *planner)
{
    if (!credentials_profile_exists(planner->files, planner->profile))
        return profile_is_missing(planner);
    int r = credentials_roles_follow(planner->environment, planner->files, planner->profile,
                                     planner->plan, planner->why);
    if (r == -ENOENT)
        return credentials_fail(planner->why, r, "profile %s has neither keys nor a role",
                                planner->profile);
    return r;
}

static int try_container(struct planner *planner)
{
    struct credentials_plan *plan = planner->plan;

    int r = credentials_container_configure(planner->environment, &plan->container, planner->why);
    if (r < 0)
        return r;
    plan->origin = CREDENTIALS_FROM_CONTAINER;
    if (asprintf(&plan->source, "container endpoint %s", plan->container.url) < 0) {
        plan->source = NULL;
        return out_of_memory(planner);
    }
    return 0;
}

static int try_imds(struct planner *planner)
{
    if (!planner->plan->imds_url)
        return credentials_fail(planner->why, -ENOENT, "AWS_EC2_METADATA_DISABLED is true");
    planner->plan->origin = CREDENTIALS_FROM_IMDS;
    int r = set_text(planner, &planner->plan->tried, planner->tried);
    return r < 0 ? r : set_text(planner, &planner->plan->source, "IMDSv2");
}

static int choose_origin(struct planner *planner)
{
    static const struct {
        int (*try)(struct planner *planner);
        bool is_before_profile;
    } chain[] = {{try_environment, true},
                 {try_web_identity, true},
                 {try_profile, false},
                 {try_container, false},
                 {try_imds, false}};

    for (size_t i = 0; i < ARRAY_LENGTH(chain); i++) {
        if (chain[i].is_before_profile && planner->profile_is_configured)
            continue;
        int r = chain[i].try(planner);
        if (r != -ENOENT)
            return r;
        remember_try(planner, planner->why->text);
    }
    return credentials_fail(planner->why, -ENOKEY,
                            "no credentials are configured (%s): give the instance or task a role, "
                            "or write keys into a credentials file",
                            planner->tried);
}

/* --- what else the plan needs ------------------------------------------------------------------ */

static int plan_imds(struct planner *planner)
{
    const struct credentials_environment *environment = planner->environment;
    const char *url = environment->metadata_endpoint, *mode = environment->metadata_endpoint_mode;
    _cleanup_free_ char *host = NULL;

    if (environment->metadata_disabled && strcasecmp(environment->metadata_disabled, "true") == 0)
        return 0;
    if (!url) {
        if (mode && strcasecmp(mode, "IPv4") != 0 && strcasecmp(mode, "IPv6") != 0)
            return credentials_fail(planner->why, -EINVAL,
                                    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE must be IPv4 or IPv6");
        url = mode && strcasecmp(mode, "IPv6") == 0 ? IMDS_URL_IPV6 : IMDS_URL;
    }
    int r = endpoint_host(url, &host);
    if (r == -ENOMEM)
        return out_of_memory(planner);
    if (r < 0)
        return credentials_fail(planner->why, -EINVAL,
                                "AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL such as " IMDS_URL);
    r = set_text(planner, &planner->plan->imds_url, url);
    if (r < 0)
        return r;
    size_t length = strlen(planner->plan->imds_url);
    while (planner->plan->imds_url[length - 1] == '/')
        planner->plan->imds_url[--length] = '\0';
    return 0;
}

static int plan_region(struct planner *planner, const char *configured)
{
    struct credentials_setting found = {0};
    const char *region = configured ? configured : planner->environment->region;

    if (!region) {
        int r = credentials_profile_setting(planner->files, planner->profile, "region", &found,
                                            planner->why);
        if (r == -ENOENT)
            return 0;
        if (r < 0)
            return r;
        region = found.value;
    }
    if (endpoint_region_is_valid(region))
        return set_text(planner, &planner->plan->region, region);
    if (found.path)
        return credentials_fail(planner->why, -EINVAL,
                                "%s:%u: this is no region (eu-west-1 is one)", found.path,
                                found.line);
    return credentials_fail(planner->why, -EINVAL, "%s is no region (eu-west-1 is one)",
                            configured ? "the configured region"
                                       : "AWS_REGION or AWS_DEFAULT_REGION");
}

static int add_endpoint(struct planner *planner, const char *service, size_t service_length,
                        const char *url)
{
    struct credentials_plan *plan = planner->plan;
    struct credentials_endpoint *grown =
        reallocarray(plan->endpoints, plan->n_endpoints + 1, sizeof(*grown));

    if (!grown)
        return out_of_memory(planner);
    plan->endpoints = grown;
    struct credentials_endpoint *endpoint = &grown[plan->n_endpoints++];
    endpoint->service = service ? strndup(service, service_length) : NULL;
    endpoint->url = strdup(url);
    return (service && !endpoint->service) || !endpoint->url ? out_of_memory(planner) : 0;
}

/* From "ecs.endpoint_url" and its like. */
static int add_service_endpoints(struct planner *planner, const struct profile_file *file,
                                 const char *name)
{
    static const char suffix[] = ".endpoint_url";

    for (size_t i = 0; i < file->n_sections; i++) {
        const struct profile_section *section = &file->sections[i];
        if (section->kind != PROFILE_SECTION_SERVICES || strcmp(section->name, name) != 0)
            continue;
        for (size_t j = 0; j < section->n_properties; j++) {
            const struct profile_property *property = &section->properties[j];
            size_t length = strlen(property->name);
            if (length <= strlen(suffix) || !*property->value ||
                strcmp(property->name + length - strlen(suffix), suffix) != 0)
                continue;
            int r = add_endpoint(planner, property->name, length - strlen(suffix), property->value);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int plan_endpoints(struct planner *planner)
{
    struct credentials_setting found;

    int r = credentials_profile_setting(planner->files, planner->profile, "endpoint_url", &found,
                                        planner->why);
    if (r == 0)
        r = add_endpoint(planner, NULL, 0, found.value);
    if (r < 0 && r != -ENOENT)
        return r;

    r = credentials_profile_setting(planner->files, planner->profile, "services", &found,
                                    planner->why);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    for (size_t i = 0; i < CREDENTIALS_N_FILES; i++) {
        const struct profile_file *file = planner->files->ranked[i].content;
        if (file && (r = add_service_endpoints(planner, file, found.value)) < 0)
            return r;
    }
    return 0;
}

int credentials_plan_make(const struct credentials_environment *environment,
                          const struct credentials_files *files, const char *profile,
                          const char *region, struct credentials_plan *ret,
                          struct credentials_why *why)
{
    _cleanup_plan_ struct credentials_plan plan = {0};
    struct planner planner = {
        .environment = environment,
        .files = files,
        .profile = profile                ? profile
                   : environment->profile ? environment->profile
                                          : "default",
        .profile_is_configured = profile,
        .plan = &plan,
        .why = why,
    };
    int r;

    /* A file that cannot be read may hold what decides. */
    for (size_t i = 0; i < CREDENTIALS_N_FILES; i++)
        if (files->ranked[i].error < 0)
            return credentials_fail(why, files->ranked[i].error, "%s", files->ranked[i].why.text);
    if ((r = plan_imds(&planner)) < 0 || (r = plan_region(&planner, region)) < 0 ||
        (r = plan_endpoints(&planner)) < 0 || (r = choose_origin(&planner)) < 0)
        return r;
    if (plan.origin == CREDENTIALS_FROM_IMDS && !plan.imds_url)
        return credentials_fail(why, -ENOKEY,
                                "%s asks the instance metadata service for keys, but "
                                "AWS_EC2_METADATA_DISABLED is true",
                                plan.source);
    *ret = plan;
    plan = (struct credentials_plan){0};
    return 0;
}

void credentials_plan_clear(struct credentials_plan *plan)
{
    credentials_keys_wipe(&plan->keys);
    credentials_role_clear(&plan->web_identity);
    credentials_container_clear(&plan->container);
    for (size_t i = 0; i < plan->n_roles; i++)
        credentials_role_clear(&plan->roles[i]);
    for (size_t i = 0; i < plan->n_endpoints; i++) {
        free(plan->endpoints[i].service);
        free(plan->endpoints[i].url);
    }
    free(plan->endpoints);
    free(plan->imds_url);
    free(plan->region);
    free(plan->source);
    free(plan->tried);
    *plan = (struct credentials_plan){0};
}

bool credentials_plan_needs_sts(const struct credentials_plan *plan)
{
    return plan->origin == CREDENTIALS_FROM_WEB_IDENTITY || plan->n_roles > 0;
}

const char *credentials_plan_endpoint(const struct credentials_plan *plan, const char *service_id)
{
    const char *for_all = NULL;

    for (size_t i = plan->n_endpoints; i-- > 0;) {
        const struct credentials_endpoint *endpoint = &plan->endpoints[i];
        if (endpoint->service && strcasecmp(endpoint->service, service_id) == 0)
            return endpoint->url;
        if (!endpoint->service)
            for_all = endpoint->url;
    }
    return for_all;
}
