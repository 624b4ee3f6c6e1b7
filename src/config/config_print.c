/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "config/config_options.h"

#define NAME_COLUMNS 19 /* the longest option's name */
#define INDENT (NAME_COLUMNS + 3)
#define LIST_COLUMNS 90      /* where a list goes on in the next line */
#define ORIGIN_TEXT_MAX 1024 /* with a value's CONFIG_ITEM_MAX, far below CONFIG_LINE_MAX */

/* "/etc/provisionerd.ini:12"; fit for a comment, whatever the path. */
static void format_origin(const struct config_place *place, char buffer[static ORIGIN_TEXT_MAX])
{
    if (!place->file)
        snprintf(buffer, ORIGIN_TEXT_MAX, "default");
    else if (place->line == 0)
        snprintf(buffer, ORIGIN_TEXT_MAX, "%s", place->file);
    else
        snprintf(buffer, ORIGIN_TEXT_MAX, "%.1000s:%u", place->file, place->line);
    for (char *c = buffer; *c; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
            *c = '?';
    }
}

/* Whether the parser would take it for something else, or refuse it, as a bare text. */
static bool needs_quotes(const char *text)
{
    size_t length = strlen(text);
    return strpbrk(text, "\"\\,;#'") || strchr(" \t", text[0]) || strchr(" \t", text[length - 1]);
}

static void print_text(FILE *out, const struct config_item *item, bool always_quoted)
{
    if (item->form == CONFIG_REGEX) {
        fprintf(out, "/%s/", item->text);
        return;
    }
    if (!always_quoted && !needs_quotes(item->text)) {
        fputs(item->text, out);
        return;
    }
    fputc('"', out);
    for (const char *c = item->text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fputc('\\', out);
        fputc(*c, out);
    }
    fputc('"', out);
}

static bool is_pattern(const struct config_line *line)
{
    return line->option->kind == CONFIG_KIND_PATTERN || line->option->kind == CONFIG_KIND_EXCLUDES;
}

/* The texts of a pattern option; NULL: it is none. */
static const struct config_items *pattern_items(const struct config_line *line)
{
    if (!line->origins || !is_pattern(line))
        return NULL;
    return line->option->kind == CONFIG_KIND_PATTERN ? &line->origins->pattern
                                                     : &line->origins->excludes;
}

/* Item i of the line's value, if there is one: what the value has in texts. */
static bool item_at(const struct config_line *line, size_t i, struct config_item *ret)
{
    const void *member = (const char *)line->target + line->option->offset;
    const void *count = (const char *)line->target + line->option->count_offset;
    const struct config_items *patterns = pattern_items(line);

    if (patterns) {
        if (i < patterns->n_items)
            *ret = patterns->items[i];
        return i < patterns->n_items;
    }
    *ret = (struct config_item){.form = CONFIG_BARE};
    if (line->option->kind == CONFIG_KIND_TEXT) {
        ret->text = *(char *const *)member;
        return i == 0 && ret->text;
    }
    if (i >= *(const size_t *)count)
        return false;
    if (line->option->kind == CONFIG_KIND_SERVICES)
        ret->text = (*(struct config_service *const *)member)[i].name;
    else
        ret->text = (*(char **const *)member)[i];
    return true;
}

static void print_items(FILE *out, const struct config_line *line)
{
    size_t column = INDENT;
    struct config_item item;

    for (size_t i = 0; item_at(line, i, &item); i++) {
        size_t width = strlen(item.text) + strlen("\"\", ");
        if (i > 0 && column + width > LIST_COLUMNS) {
            fprintf(out, ",\n%*s", INDENT, "");
            column = INDENT;
        } else if (i > 0) {
            fputs(", ", out);
        }
        print_text(out, &item, is_pattern(line));
        column += width;
        if (line->option->kind == CONFIG_KIND_SERVICES) {
            const struct config_environment *environment = line->target;
            if (environment->services[i].count != CONFIG_RECORDED)
                column += (size_t)fprintf(out, " = %d", environment->services[i].count);
        }
    }
}

static void print_choice(FILE *out, const struct config_choice *choice, int value)
{
    while (choice->word && choice->value != value)
        choice++;
    if (choice->word)
        fputs(choice->word, out);
}

bool config_line_is_set(const struct config_line *line)
{
    struct config_item item;

    switch (line->option->kind) {
    case CONFIG_KIND_DURATION:
    case CONFIG_KIND_CHOICE:
    case CONFIG_KIND_SWITCH:
        return true;
    default:
        return item_at(line, 0, &item);
    }
}

void config_line_print_value(const struct config_line *line, FILE *out)
{
    const void *member = (const char *)line->target + line->option->offset;
    char duration[DURATION_TEXT_MAX];

    switch (line->option->kind) {
    case CONFIG_KIND_DURATION:
        fputs(duration_format(*(const int64_t *)member, duration), out);
        break;
    case CONFIG_KIND_CHOICE:
        print_choice(out, line->option->choices, *(const int *)member);
        break;
    case CONFIG_KIND_SWITCH:
        print_choice(out, line->option->choices, *(const bool *)member);
        break;
    default:
        print_items(out, line);
    }
}

static void print_line(FILE *out, const struct config_line *line, const struct config_place *place)
{
    char origin[ORIGIN_TEXT_MAX];

    if (!config_line_is_set(line)) {
        fprintf(out, "; %-*s   is not set: %s\n", NAME_COLUMNS - 2, line->option->name,
                line->option->unset);
        return;
    }
    fprintf(out, "%-*s = ", NAME_COLUMNS, line->option->name);
    config_line_print_value(line, out);
    format_origin(place, origin);
    fprintf(out, " ; %s\n", origin);
}

void config_print(const struct config *config, FILE *out)
{
    const struct config_origins *origins = config->origins;

    fprintf(out, "[%s]\n", config_daemon_schema.title);
    for (size_t i = 0; i < config_daemon_schema.n_options; i++) {
        const struct config_line line = {&config_daemon_schema.options[i], config, NULL};
        print_line(out, &line, &origins->places[i]);
    }
    for (size_t i = 0; i < config->n_environments; i++) {
        fprintf(out, "\n[%s %s]\n", config_environment_schema.title, config->environments[i].name);
        for (size_t j = 0; j < config_environment_schema.n_options; j++) {
            const struct config_line line = {&config_environment_schema.options[j],
                                             &config->environments[i], &origins->environments[i]};
            print_line(out, &line, &origins->environments[i].places[j]);
        }
    }
}
