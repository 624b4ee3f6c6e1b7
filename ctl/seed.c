/* SPDX-License-Identifier: MIT */
#include "ctl/seed.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define LINE_MAX_LENGTH 512
#define COUNT_MAX 10000 /* more tasks than AWS grants a service */
#define SEPARATORS ", \t\r\n[]\"'"

enum role {
    ROLE_CLUSTER,
    ROLE_SERVICES,
    ROLE_LOG_GROUP,
    ROLE_PATTERN,
    ROLE_COUNTS,
    ROLE_REGION,
    ROLE_N,
};

static const struct {
    const char *name;
    enum role role;
} NAMES[] = {
    {"CLUSTER_NAME", ROLE_CLUSTER},
    {"CLUSTER", ROLE_CLUSTER},
    {"ECS_CLUSTER", ROLE_CLUSTER},
    {"CLUSTER_ARN", ROLE_CLUSTER},
    {"SERVICES", ROLE_SERVICES},
    {"SERVICE_NAMES", ROLE_SERVICES},
    {"SERVICE_NAME", ROLE_SERVICES},
    {"ECS_SERVICES", ROLE_SERVICES},
    {"LOG_GROUP", ROLE_LOG_GROUP},
    {"LOG_GROUPS", ROLE_LOG_GROUP},
    {"LOG_GROUP_NAME", ROLE_LOG_GROUP},
    {"LOG_GROUP_NAMES", ROLE_LOG_GROUP},
    {"LOG_PATTERN", ROLE_PATTERN},
    {"PATTERN", ROLE_PATTERN},
    {"FILTER_PATTERN", ROLE_PATTERN},
    {"LOG_FILTER", ROLE_PATTERN},
    {"DESIRED_COUNT", ROLE_COUNTS},
    {"DESIRED_COUNTS", ROLE_COUNTS},
    {"SERVICE_COUNTS", ROLE_COUNTS},
    {"TASK_COUNT", ROLE_COUNTS},
    {"COUNT", ROLE_COUNTS},
    {"COUNTS", ROLE_COUNTS},
    {"AWS_REGION", ROLE_REGION},
    {"REGION", ROLE_REGION},
    {"AWS_DEFAULT_REGION", ROLE_REGION},
};

static const char *const ROLE_NAMES[ROLE_N] = {
    [ROLE_CLUSTER] = "CLUSTER_NAME", [ROLE_SERVICES] = "SERVICES",
    [ROLE_LOG_GROUP] = "LOG_GROUP",  [ROLE_PATTERN] = "LOG_PATTERN",
    [ROLE_COUNTS] = "DESIRED_COUNT", [ROLE_REGION] = "AWS_REGION",
};

struct reading {
    const struct dotenv *dotenv;
    const struct dotenv_variable *found[ROLE_N];
    bool *is_used; /* one for each variable */
    seed_tell_fn *tell;
    void *userdata;
    struct draft *draft;
};

static void tell(const struct reading *reading, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(const struct reading *reading, unsigned line, const char *format, ...)
{
    char what[LINE_MAX_LENGTH];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    reading->tell(reading->userdata, line, what);
}

/* --- which variable is which --------------------------------------------------------------------- */

static void find_roles(struct reading *reading)
{
    for (size_t i = 0; i < reading->dotenv->n_variables; i++) {
        const struct dotenv_variable *variable = &reading->dotenv->variables[i];
        for (size_t j = 0; j < ARRAY_LENGTH(NAMES); j++) {
            if (strcmp(variable->name, NAMES[j].name) != 0)
                continue;
            const struct dotenv_variable **found = &reading->found[NAMES[j].role];
            if (*found && strcmp((*found)->value, variable->value) != 0)
                tell(reading, variable->line, "%s replaces %s of line %u", variable->name,
                     (*found)->name, (*found)->line);
            *found = variable;
            reading->is_used[i] = true;
        }
    }
}

static const struct dotenv_variable *required(const struct reading *reading, enum role role)
{
    const struct dotenv_variable *found = reading->found[role];

    if (!found)
        tell(reading, 0, "%s is missing", ROLE_NAMES[role]);
    else if (!*found->value)
        tell(reading, found->line, "%s is empty", found->name);
    return found && *found->value ? found : NULL;
}

/* Never with a value: it may be a secret. */
static void tell_unused(const struct reading *reading)
{
    for (size_t i = 0; i < reading->dotenv->n_variables; i++) {
        const struct dotenv_variable *variable = &reading->dotenv->variables[i];
        if (reading->is_used[i])
            continue;
        if (strncmp(variable->name, "AWS_", 4) == 0)
            tell(reading, variable->line,
                 "%s is no part of the configuration, and was left out; credentials are found as "
                 "the AWS SDKs find them",
                 variable->name);
        else
            tell(reading, variable->line, "%s is unknown, and was left out", variable->name);
    }
}

/* --- lists --------------------------------------------------------------------------------------- */

/* Returns the count, or -1: it is none. */
static int read_count(const char *text)
{
    char *end;
    long count = strtol(text, &end, 10);

    return end != text && !*end && *text >= '0' && *text <= '9' && count <= COUNT_MAX ? (int)count
                                                                                      : -1;
}

/* "api", "api:2", "api=2". */
static int add_service(struct reading *reading, unsigned line, const char *item)
{
    _cleanup_free_ char *name = strdup(item);
    int count = DRAFT_COUNT_RECORDED;

    if (!name)
        return -ENOMEM;
    char *mark = strpbrk(name, ":=");
    if (mark && strncmp(name, "arn:", 4) != 0) {
        *mark = '\0';
        count = read_count(mark + 1);
        if (count < 0) {
            tell(reading, line, "what follows service %s is no count", name);
            return -EINVAL;
        }
    } else if (mark) {
        /* arn:aws:ecs:...:service/CLUSTER/NAME */
        const char *slash = strrchr(name, '/');
        return draft_add_service(reading->draft, slash ? slash + 1 : name, count);
    }
    return draft_add_service(reading->draft, name, count);
}

static int read_services(struct reading *reading)
{
    const struct dotenv_variable *variable = required(reading, ROLE_SERVICES);
    struct texts items = {0};

    if (!variable)
        return -EINVAL;
    int r = texts_split(variable->value, SEPARATORS, &items);
    for (size_t i = 0; i < items.n_items && r == 0; i++)
        r = add_service(reading, variable->line, items.items[i]);
    texts_clear(&items);
    if (r == 0 && reading->draft->n_services == 0) {
        tell(reading, variable->line, "%s names no service", variable->name);
        return -EINVAL;
    }
    return r;
}

/* --- counts -------------------------------------------------------------------------------------- */

/* "API_GATEWAY" for service "api-gateway". */
static char *variable_name_of(const char *service)
{
    char *name = strdup(service);

    for (char *c = name; c && *c; c++) {
        if (*c == '-')
            *c = '_';
        else
            *c = (char)toupper((unsigned char)*c);
    }
    return name;
}

static int read_own_count(struct reading *reading, struct draft_service *service)
{
    static const char *const FORMS[][2] = {
        {"", "_COUNT"}, {"", "_DESIRED_COUNT"}, {"DESIRED_COUNT_", ""}, {"COUNT_", ""}};
    _cleanup_free_ char *own = variable_name_of(service->name);

    if (!own)
        return -ENOMEM;
    for (size_t i = 0; i < reading->dotenv->n_variables; i++) {
        const struct dotenv_variable *variable = &reading->dotenv->variables[i];
        for (size_t j = 0; j < ARRAY_LENGTH(FORMS); j++) {
            _cleanup_free_ char *name = NULL;
            if (asprintf(&name, "%s%s%s", FORMS[j][0], own, FORMS[j][1]) < 0) {
                name = NULL;
                return -ENOMEM;
            }
            if (strcmp(variable->name, name) != 0)
                continue;
            reading->is_used[i] = true;
            service->count = read_count(variable->value);
            if (service->count < 0) {
                tell(reading, variable->line, "%s is no count", variable->name);
                return -EINVAL;
            }
        }
    }
    return 0;
}

/* "2" for all, or "2,3,1" in their order. */
static int read_common_counts(struct reading *reading)
{
    const struct dotenv_variable *variable = reading->found[ROLE_COUNTS];
    struct draft *draft = reading->draft;
    struct texts items = {0};

    if (!variable || !*variable->value)
        return 0;
    int r = texts_split(variable->value, SEPARATORS, &items);
    if (r == 0 && items.n_items != 1 && items.n_items != draft->n_services) {
        tell(reading, variable->line, "%s has %zu counts, for %zu services", variable->name,
             items.n_items, draft->n_services);
        r = -EINVAL;
    }
    for (size_t i = 0; i < draft->n_services && r == 0; i++) {
        int count = read_count(items.items[items.n_items == 1 ? 0 : i]);
        if (count < 0) {
            tell(reading, variable->line, "%s has something in it that is no count",
                 variable->name);
            r = -EINVAL;
        } else if (draft->services[i].count == DRAFT_COUNT_RECORDED) {
            draft->services[i].count = count;
        }
    }
    texts_clear(&items);
    return r;
}

static int read_counts(struct reading *reading)
{
    int r = 0;

    for (size_t i = 0; i < reading->draft->n_services && r == 0; i++)
        r = read_own_count(reading, &reading->draft->services[i]);
    return r < 0 ? r : read_common_counts(reading);
}

/* --- the pattern --------------------------------------------------------------------------------- */

/* Between two of that character; there is more than them. */
static bool stands_between(const char *text, char mark)
{
    size_t length = strlen(text);

    return length > 2 && text[0] == mark && text[length - 1] == mark;
}

static int set_pattern(struct draft *draft, const char *text, size_t length, bool is_regex)
{
    draft->pattern = strndup(text, length);
    draft->pattern_is_regex = is_regex;
    return draft->pattern ? 0 : -ENOMEM;
}

static int read_pattern(struct reading *reading, enum seed_pattern kind)
{
    const struct dotenv_variable *variable = reading->found[ROLE_PATTERN];

    if (!variable || !*variable->value) {
        tell(reading, variable ? variable->line : 0,
             "without LOG_PATTERN every log event would be activity: add a pattern");
        return 0;
    }
    const char *text = variable->value;
    size_t length = strlen(text);
    if (kind == SEED_PATTERN_BY_ITS_LOOK && stands_between(text, '"'))
        return set_pattern(reading->draft, text + 1, length - 2, false);
    if (stands_between(text, '%') && kind != SEED_PATTERN_IS_TEXT)
        return set_pattern(reading->draft, text + 1, length - 2, true);
    /* "/api/" is a path to some and an expression to others; they match alike but for the slashes,
     * and the wider one does not put to sleep what is in use. */
    if (stands_between(text, '/') && kind == SEED_PATTERN_IS_REGEX)
        return set_pattern(reading->draft, text + 1, length - 2, true);
    if (kind == SEED_PATTERN_BY_ITS_LOOK && strpbrk(text, "\\*+?|[](){}^$")) {
        tell(reading, variable->line,
             "%s may be a text or a regular expression: say which, with --text or --regex",
             variable->name);
        return -EINVAL;
    }
    return set_pattern(reading->draft, text, length, kind == SEED_PATTERN_IS_REGEX);
}

/* --- the whole ----------------------------------------------------------------------------------- */

static int read_cluster(struct reading *reading, const char *name)
{
    const struct dotenv_variable *variable = required(reading, ROLE_CLUSTER);
    struct draft *draft = reading->draft;

    if (!variable)
        return -EINVAL;
    draft->cluster = strdup(variable->value);
    draft->name = name ? strdup(name) : draft_name_of(variable->value);
    return draft->cluster && draft->name ? 0 : -ENOMEM;
}

static int read_log_groups(struct reading *reading)
{
    const struct dotenv_variable *variable = required(reading, ROLE_LOG_GROUP);

    if (!variable)
        return -EINVAL;
    return texts_split(variable->value, SEPARATORS, &reading->draft->log_groups);
}

static int read_region(struct reading *reading)
{
    const struct dotenv_variable *variable = reading->found[ROLE_REGION];

    if (!variable || !*variable->value)
        return 0;
    reading->draft->region = strdup(variable->value);
    return reading->draft->region ? 0 : -ENOMEM;
}

/* All that is wrong is told, not only the first. */
static int first_error(int one, int other)
{
    if (one == -ENOMEM || other == -ENOMEM)
        return -ENOMEM;
    return one < 0 ? one : other;
}

int seed_draft(const struct dotenv *dotenv, const char *name, enum seed_pattern pattern,
               seed_tell_fn *tell_function, void *userdata, struct draft *draft)
{
    _cleanup_free_ bool *is_used = calloc(dotenv->n_variables + 1, sizeof(*is_used));
    struct reading reading = {.dotenv = dotenv,
                              .is_used = is_used,
                              .tell = tell_function,
                              .userdata = userdata,
                              .draft = draft};

    if (!is_used)
        return -ENOMEM;
    find_roles(&reading);
    int r = read_cluster(&reading, name);
    int services = read_services(&reading);
    if (services == 0)
        services = read_counts(&reading);
    r = first_error(r, services);
    r = first_error(r, read_log_groups(&reading));
    r = first_error(r, read_pattern(&reading, pattern));
    r = first_error(r, read_region(&reading));
    tell_unused(&reading);
    return r;
}
