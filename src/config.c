/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "config/config_options.h"

#define STATE_DIRECTORY_DEFAULT "/var/lib/provisionerd"
#define DROP_IN_SUFFIX ".ini"

static void environment_clear(struct config_environment *environment)
{
    free(environment->name);
    free(environment->cluster);
    for (size_t i = 0; i < environment->n_services; i++)
        free(environment->services[i].name);
    free(environment->services);
    for (size_t i = 0; i < environment->n_always_on; i++)
        free(environment->always_on[i]);
    free(environment->always_on);
    for (size_t i = 0; i < environment->n_log_groups; i++)
        free(environment->log_groups[i]);
    free(environment->log_groups);
    pattern_free(environment->pattern);
}

struct config *config_free(struct config *config)
{
    if (!config)
        return NULL;
    for (size_t i = 0; i < config->n_environments; i++) {
        environment_clear(&config->environments[i]);
        config_items_clear(&config->origins->environments[i].pattern);
        config_items_clear(&config->origins->environments[i].excludes);
    }
    free(config->environments);
    if (config->origins) {
        for (size_t i = 0; i < config->origins->n_files; i++)
            free(config->origins->files[i]);
        free(config->origins->files);
        free(config->origins->environments);
        free(config->origins->by_name);
        free(config->origins);
    }
    free(config->region);
    free(config->profile);
    free(config->endpoint_url);
    free(config->ca_bundle);
    free(config->state_directory);
    free(config);
    return NULL;
}

DEFINE_CLEANUP(struct config *, config_free)

/* -- the files ----------------------------------------------------------------------------------- */

static int add_file(struct config_origins *origins, const char *directory, const char *name)
{
    char *path = NULL;
    char **files = reallocarray(origins->files, origins->n_files + 1, sizeof(*files));
    if (!files)
        return -ENOMEM;
    origins->files = files;
    if (asprintf(&path, "%s%s%s", directory, *name ? "/" : "", name) < 0)
        return -ENOMEM;
    files[origins->n_files++] = path;
    return 0;
}

static int is_drop_in(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    size_t suffix = strlen(DROP_IN_SUFFIX);
    return entry->d_name[0] != '.' && length > suffix &&
           strcmp(entry->d_name + length - suffix, DROP_IN_SUFFIX) == 0;
}

/* By bytes, as systemd orders its drop-ins: the same on every machine, whatever its locale. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_drop_ins(struct config_origins *origins, const char *path,
                        struct config_report *report)
{
    _cleanup_free_ char *directory = NULL;
    struct dirent **entries;
    int r = 0;

    if (asprintf(&directory, "%s.d", path) < 0) {
        directory = NULL;
        return -ENOMEM;
    }
    int n = scandir(directory, &entries, is_drop_in, compare_entries);
    if (n < 0 && errno == ENOENT)
        return 0;
    if (n < 0 && errno == ENOMEM)
        return -ENOMEM;
    if (n < 0) {
        const struct config_place place = {.file = directory, .order = 1};
        config_report_add(report, &place, "cannot be read: %s", strerrordesc_np(errno));
        return 0;
    }
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = add_file(origins, directory, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int read_files(const char *path, struct config_origins *origins,
                      struct config_sections *sections, struct config_report *report)
{
    int r = add_file(origins, path, "");
    if (r == 0)
        r = add_drop_ins(origins, path, report);
    for (unsigned i = 0; r == 0 && i < origins->n_files; i++) {
        const struct config_place place = {.file = origins->files[i], .order = i};
        r = config_read_file(&place, sections, report);
    }
    return r;
}

/* -- from sections to the configuration ---------------------------------------------------------- */

/* systemd passes the paths of StateDirectory= in $STATE_DIRECTORY, parted by colons. */
static int fill_state_directory(struct config *config)
{
    const char *paths = secure_getenv("STATE_DIRECTORY");
    struct config_place *place = &config->origins->places[CONFIG_STATE_DIRECTORY];

    if (config->state_directory || place->file)
        return 0;
    if (paths && paths[0] == '/') {
        config->state_directory = strndup(paths, strcspn(paths, ":"));
        place->file = "$STATE_DIRECTORY";
    } else {
        config->state_directory = strdup(STATE_DIRECTORY_DEFAULT);
    }
    return config->state_directory ? 0 : -ENOMEM;
}

static int fill_environment(struct config *config, const struct config_section *section,
                            struct config_report *report)
{
    size_t i = config->n_environments++;
    struct config_environment *environment = &config->environments[i];
    struct config_environment_origins *origins = &config->origins->environments[i];

    environment->name = strdup(section->name);
    if (!environment->name)
        return -ENOMEM;
    int r = config_fill(&config_environment_schema, section, environment, origins->places, origins,
                        report);
    if (r < 0)
        return r;
    config_check_environment(environment, section, report);
    return config_compile_pattern(environment, section, origins, report);
}

static int compare_names(const void *a, const void *b)
{
    const struct config_environment *const *one = a;
    const struct config_environment *const *other = b;
    return strcmp((*one)->name, (*other)->name);
}

static int index_environments(struct config *config)
{
    size_t n = config->n_environments;
    struct config_environment **by_name = calloc(n + 1, sizeof(struct config_environment *));
    if (!by_name)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        by_name[i] = &config->environments[i];
    qsort(by_name, n, sizeof(struct config_environment *), compare_names);
    config->origins->by_name = by_name;
    return 0;
}

/* Brings the environments' sections to the front and in *ret_daemon the one that is none, or NULL. */
static size_t sort_sections(const struct config_sections *sections,
                            const struct config_section **environments,
                            const struct config_section **ret_daemon)
{
    size_t n = 0;

    *ret_daemon = NULL;
    for (size_t i = 0; i < sections->n_items; i++) {
        if (sections->items[i]->schema == &config_daemon_schema)
            *ret_daemon = sections->items[i];
        else
            environments[n++] = sections->items[i];
    }
    return n;
}

static int fill(struct config *config, const struct config_sections *sections,
                struct config_report *report)
{
    const struct config_place file = {.file = config->origins->files[0]};
    const struct config_section *daemon;
    _cleanup_free_ const struct config_section **environments =
        calloc(sections->n_items + 1, sizeof(struct config_section *));
    if (!environments)
        return -ENOMEM;

    size_t n = sort_sections(sections, environments, &daemon);
    if (n == 0 && sections->n_refused == 0)
        config_report_add(report, &file,
                          "no environment; add a section such as [environment staging]");
    if (n > CONFIG_ENVIRONMENTS_MAX) {
        config_report_add(report, &environments[CONFIG_ENVIRONMENTS_MAX]->place,
                          "%zu environments, of at most %d", n, CONFIG_ENVIRONMENTS_MAX);
        n = CONFIG_ENVIRONMENTS_MAX;
    }
    config->environments = calloc(n + 1, sizeof(config->environments[0]));
    config->origins->environments = calloc(n + 1, sizeof(config->origins->environments[0]));
    if (!config->environments || !config->origins->environments)
        return -ENOMEM;

    int r =
        config_fill(&config_daemon_schema, daemon, config, config->origins->places, NULL, report);
    if (r == 0)
        r = fill_state_directory(config);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = fill_environment(config, environments[i], report);
    if (r == 0)
        r = index_environments(config);
    if (r == 0)
        r = config_check_environments(config, environments, report);
    return r;
}

int config_load(const char *path, struct config **ret, char **ret_errors)
{
    _cleanup_(config_free) struct config *config = calloc(1, sizeof(*config));
    struct config_sections sections = {0};
    struct config_report report = {0};

    if (!config)
        return -ENOMEM;
    config->origins = calloc(1, sizeof(*config->origins));
    if (!config->origins)
        return -ENOMEM;

    int r = read_files(path, config->origins, &sections, &report);
    if (r == 0)
        r = fill(config, &sections, &report);
    if (r == 0)
        r = config_report_finish(&report, ret_errors);
    if (r == 0)
        *ret = TAKE(config);
    config_report_clear(&report);
    config_sections_clear(&sections);
    return r;
}

static int compare_name_to(const void *key, const void *entry)
{
    const struct config_environment *const *environment = entry;
    return strcmp(key, (*environment)->name);
}

const struct config_environment *config_find_environment(const struct config *config,
                                                         const char *name)
{
    struct config_environment **found =
        bsearch(name, config->origins->by_name, config->n_environments,
                sizeof(struct config_environment *), compare_name_to);
    return found ? *found : NULL;
}
