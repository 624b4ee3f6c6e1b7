/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "config/config_options.h"

struct difference {
    FILE *out;
    bool is_any;
};

static void begin(struct difference *difference)
{
    if (difference->is_any)
        fputs("; ", difference->out);
    difference->is_any = true;
}

/* The value in one line; "unset" without one. NULL: no memory. */
static char *value_of(const struct config_line *line)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    if (config_line_is_set(line))
        config_line_print_value(line, out);
    else
        fputs("unset", out);
    if (fclose(out) != 0 || !text) { /* glibc may leave it NULL and not say so */
        free(text);
        return NULL;
    }
    /* Long lists are printed over several lines, indented. */
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from == '\n') {
            *to++ = ' ';
            from += strspn(from + 1, " ");
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return text;
}

static int compare(struct difference *difference, const char *section,
                   const struct config_line *from, const struct config_line *to)
{
    _cleanup_free_ char *before = value_of(from), *after = value_of(to);

    if (!before || !after)
        return -ENOMEM;
    if (strcmp(before, after) == 0)
        return 0;
    begin(difference);
    fprintf(difference->out, "[%s] %s: %s -> %s", section, from->option->name, before, after);
    return 0;
}

static int compare_daemon(struct difference *difference, const struct config *from,
                          const struct config *to)
{
    const struct config_schema *schema = &config_daemon_schema;

    for (size_t i = 0; i < schema->n_options; i++) {
        const struct config_line before = {&schema->options[i], from, NULL};
        const struct config_line after = {&schema->options[i], to, NULL};
        int r = compare(difference, schema->title, &before, &after);
        if (r < 0)
            return r;
    }
    return 0;
}

static const struct config_environment_origins *
origins_of(const struct config *config, const struct config_environment *environment)
{
    return &config->origins->environments[environment - config->environments];
}

static int compare_environment(struct difference *difference, const struct config *from,
                               const struct config_environment *environment,
                               const struct config *to, const struct config_environment *other)
{
    const struct config_schema *schema = &config_environment_schema;
    _cleanup_free_ char *section = NULL;

    if (asprintf(&section, "%s %s", schema->title, environment->name) < 0) {
        section = NULL;
        return -ENOMEM;
    }
    for (size_t i = 0; i < schema->n_options; i++) {
        const struct config_line before = {&schema->options[i], environment,
                                           origins_of(from, environment)};
        const struct config_line after = {&schema->options[i], other, origins_of(to, other)};
        int r = compare(difference, section, &before, &after);
        if (r < 0)
            return r;
    }
    return 0;
}

static int compare_all(struct difference *difference, const struct config *from,
                       const struct config *to)
{
    int r = compare_daemon(difference, from, to);

    for (size_t i = 0; r == 0 && i < from->n_environments; i++) {
        const struct config_environment *environment = &from->environments[i];
        const struct config_environment *other = config_find_environment(to, environment->name);

        if (other) {
            r = compare_environment(difference, from, environment, to, other);
            continue;
        }
        begin(difference);
        fprintf(difference->out, "[environment %s] removed", environment->name);
    }
    for (size_t i = 0; r == 0 && i < to->n_environments; i++) {
        if (config_find_environment(from, to->environments[i].name))
            continue;
        begin(difference);
        fprintf(difference->out, "[environment %s] added", to->environments[i].name);
    }
    if (!difference->is_any)
        fputs("nothing changed", difference->out);
    return r;
}

int config_difference(const struct config *from, const struct config *to, char **ret)
{
    char *text = NULL;
    size_t size = 0;
    struct difference difference = {.out = open_memstream(&text, &size)};

    if (!difference.out)
        return -ENOMEM;
    int r = compare_all(&difference, from, to);
    if (fclose(difference.out) != 0 || !text)
        r = -ENOMEM;
    if (r < 0)
        free(text);
    else
        *ret = text;
    return r;
}
