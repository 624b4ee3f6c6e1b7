/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "config/config_options.h"

#define SERVICE_COUNT_MAX 5000 /* ECS's quota of tasks for one service */
#define SERVICE_COUNT_DIGITS 4

/* One option's value on its way into a struct. */
struct filling {
    const struct config_section *section;
    const struct config_option *option;
    const struct config_value *value;
    struct config_report *report;
};

static struct config_place place_of(const struct config_value *value, unsigned line)
{
    struct config_place place = value->place;
    place.line += line;
    return place;
}

#define REFUSE(filling, at_line, shown, ...)                                       \
    do {                                                                           \
        struct config_place place_ = place_of((filling)->value, (at_line));        \
        config_report_value((filling)->report, &place_, (filling)->section->title, \
                            (filling)->option->name, (shown), __VA_ARGS__);        \
    } while (false)

/* Leaves no items when it reported an error. Returns 0 or -ENOMEM. */
static int parse_items(const struct filling *filling, enum config_syntax syntax,
                       struct config_items *ret)
{
    struct config_fault fault;
    int r = config_items_parse(filling->value, syntax, ret, &fault);
    if (r == -EINVAL) {
        REFUSE(filling, fault.line, filling->value->text, "%s", fault.problem);
        return 0;
    }
    if (r == 0 && filling->option->maximum > 0 && ret->n_items > filling->option->maximum) {
        REFUSE(filling, 0, filling->value->text, "%zu in the list, of at most %zu", ret->n_items,
               filling->option->maximum);
        config_items_clear(ret);
    }
    return r;
}

static int fill_text(const struct filling *filling, char **target)
{
    struct config_items items = {0};
    int r = parse_items(filling, CONFIG_ONE_TEXT, &items);
    if (r < 0 || items.n_items == 0)
        return r;

    const char *problem = filling->option->check(items.items[0].text);
    if (!problem)
        *target = TAKE(items.items[0].text);
    else if (problem != config_no_memory)
        REFUSE(filling, 0, items.items[0].text, "%s", problem);
    config_items_clear(&items);
    return problem == config_no_memory ? -ENOMEM : 0;
}

static void fill_duration_text(const struct filling *filling, const char *text, int64_t *target)
{
    const struct config_option *option = filling->option;
    char least[DURATION_TEXT_MAX];
    char most[DURATION_TEXT_MAX];
    int64_t duration_ms;
    int r = duration_parse(text, &duration_ms);

    if (r == -EINVAL && strlen(text) <= 9 && strspn(text, "0123456789") == strlen(text))
        REFUSE(filling, 0, text, "a duration needs a unit; write %ss, %smin or 1h", text, text);
    else if (r == -EINVAL)
        REFUSE(filling, 0, text, "not a duration; write for example 90s, 15min or 1h30min");
    else if (r < 0 || duration_ms < option->least_ms || duration_ms > option->most_ms)
        REFUSE(filling, 0, text, "must lie between %s and %s",
               duration_format(option->least_ms, least), duration_format(option->most_ms, most));
    else
        *target = duration_ms;
}

static int fill_duration(const struct filling *filling, int64_t *target)
{
    struct config_items items = {0};
    int r = parse_items(filling, CONFIG_ONE_TEXT, &items);
    if (r < 0 || items.n_items == 0)
        return r;
    fill_duration_text(filling, items.items[0].text, target);
    config_items_clear(&items);
    return 0;
}

/* "error, warning or debug" */
static char *list_choices(const struct config_choice *choices)
{
    char *text = NULL;

    for (const struct config_choice *choice = choices; choice->word; choice++) {
        const char *glue = !text ? "" : choice[1].word ? ", " : " or ";
        char *longer = NULL;
        int r = asprintf(&longer, "%s%s%s", text ? text : "", glue, choice->word);
        free(text);
        if (r < 0)
            return NULL;
        text = longer;
    }
    return text;
}

static int refuse_choice(const struct filling *filling, const char *word)
{
    const char *best = NULL;
    _cleanup_free_ char *all = list_choices(filling->option->choices);
    if (!all)
        return -ENOMEM;

    for (const struct config_choice *choice = filling->option->choices; choice->word; choice++)
        config_suggest(word, choice->word, &best);
    if (best)
        REFUSE(filling, 0, word, "must be %s; did you mean \"%s\"?", all, best);
    else
        REFUSE(filling, 0, word, "must be %s", all);
    return 0;
}

static int fill_choice(const struct filling *filling, int *target)
{
    struct config_items items = {0};
    int r = parse_items(filling, CONFIG_ONE_TEXT, &items);
    if (r < 0 || items.n_items == 0)
        return r;

    const struct config_choice *choice = filling->option->choices;
    while (choice->word && strcmp(choice->word, items.items[0].text) != 0)
        choice++;
    if (choice->word)
        *target = choice->value;
    else
        r = refuse_choice(filling, items.items[0].text);
    config_items_clear(&items);
    return r;
}

static bool is_repeated(const struct config_items *items, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (items->items[j].text && strcmp(items->items[i].text, items->items[j].text) == 0)
            return true;
    }
    return false;
}

static void refuse_item(const struct filling *filling, struct config_item *item,
                        const char *problem)
{
    REFUSE(filling, item->line, item->text, "%s", problem);
    free(item->text);
    item->text = NULL;
}

/* The text of an item that is refused becomes NULL. */
static void check_items(const struct filling *filling, struct config_items *items)
{
    for (size_t i = 0; i < items->n_items; i++) {
        struct config_item *item = &items->items[i];
        if (!item->text)
            continue;
        const char *problem = filling->option->check(item->text);
        if (!problem && is_repeated(items, i))
            problem = "twice in the list; remove one";
        if (problem)
            refuse_item(filling, item, problem);
    }
}

static int fill_list(const struct filling *filling, char ***target, size_t *count)
{
    struct config_items items = {0};
    int r = parse_items(filling, CONFIG_LIST, &items);
    if (r < 0 || items.n_items == 0)
        return r;

    check_items(filling, &items);
    char **list = calloc(items.n_items, sizeof(*list));
    size_t n = 0;
    for (size_t i = 0; list && i < items.n_items; i++) {
        if (items.items[i].text)
            list[n++] = TAKE(items.items[i].text);
    }
    config_items_clear(&items);
    *target = list;
    *count = n;
    return list ? 0 : -ENOMEM;
}

/* Splits a bare "web = 2". *ret_count is CONFIG_RECORDED if there is no count. Says what is wrong. */
static const char *split_count(struct config_item *item, int *ret_count)
{
    char *equals = item->form == CONFIG_BARE ? strchr(item->text, '=') : NULL;

    *ret_count = CONFIG_RECORDED;
    if (!equals)
        return NULL;
    const char *number = equals + 1 + strspn(equals + 1, " \t");
    size_t digits = strspn(number, "0123456789");
    if (digits == 0 || number[digits] != '\0')
        return "the count must be a number, as in web = 2";
    long count = digits <= SERVICE_COUNT_DIGITS ? strtol(number, NULL, 10) : SERVICE_COUNT_MAX + 1;
    if (count > SERVICE_COUNT_MAX)
        return "the count must lie between 0 and 5000";
    *ret_count = (int)count;

    while (equals > item->text && (equals[-1] == ' ' || equals[-1] == '\t'))
        equals--;
    *equals = '\0';
    return NULL;
}

static int fill_services(const struct filling *filling, struct config_service **target,
                         size_t *count)
{
    struct config_items items = {0};
    int r = parse_items(filling, CONFIG_LIST, &items);
    if (r < 0 || items.n_items == 0)
        return r;

    struct config_service *services = calloc(items.n_items, sizeof(*services));
    _cleanup_free_ int *counts = calloc(items.n_items, sizeof(*counts));
    if (!services || !counts) {
        config_items_clear(&items);
        free(services);
        return -ENOMEM;
    }
    for (size_t i = 0; i < items.n_items; i++) {
        const char *problem = split_count(&items.items[i], &counts[i]);
        if (problem)
            refuse_item(filling, &items.items[i], problem);
    }
    check_items(filling, &items);
    size_t n = 0;
    for (size_t i = 0; i < items.n_items; i++) {
        if (items.items[i].text)
            services[n++] =
                (struct config_service){.name = TAKE(items.items[i].text), .count = counts[i]};
    }
    config_items_clear(&items);
    *target = services;
    *count = n;
    return 0;
}

static int fill_option(const struct filling *filling, void *target,
                       struct config_environment_origins *origins)
{
    void *member = (char *)target + filling->option->offset;
    void *count = (char *)target + filling->option->count_offset;
    int choice;
    int r;

    switch (filling->option->kind) {
    case CONFIG_KIND_TEXT:
        return fill_text(filling, member);
    case CONFIG_KIND_DURATION:
        return fill_duration(filling, member);
    case CONFIG_KIND_CHOICE:
        return fill_choice(filling, member);
    case CONFIG_KIND_SWITCH:
        choice = *(bool *)member;
        r = fill_choice(filling, &choice);
        *(bool *)member = choice != 0;
        return r;
    case CONFIG_KIND_LIST:
        return fill_list(filling, member, count);
    case CONFIG_KIND_SERVICES:
        return fill_services(filling, member, count);
    case CONFIG_KIND_PATTERN:
        return parse_items(filling, CONFIG_ONE_PATTERN, &origins->pattern);
    case CONFIG_KIND_EXCLUDES:
        return parse_items(filling, CONFIG_PATTERN_LIST, &origins->excludes);
    }
    return 0;
}

static void fill_default(const struct config_option *option, void *target)
{
    void *member = (char *)target + option->offset;

    if (option->kind == CONFIG_KIND_DURATION)
        *(int64_t *)member = option->default_ms;
    else if (option->kind == CONFIG_KIND_CHOICE)
        *(int *)member = option->default_choice;
    else if (option->kind == CONFIG_KIND_SWITCH)
        *(bool *)member = option->default_choice != 0;
}

int config_fill(const struct config_schema *schema, const struct config_section *section,
                void *target, struct config_place *places,
                struct config_environment_origins *origins, struct config_report *report)
{
    for (size_t i = 0; i < schema->n_options; i++) {
        const struct config_option *option = &schema->options[i];
        const struct config_value *value = section ? &section->values[i] : NULL;

        if (value && value->text) {
            const struct filling filling = {section, option, value, report};
            places[i] = value->place;
            int r = fill_option(&filling, target, origins);
            if (r < 0)
                return r;
        } else {
            fill_default(option, target);
            if (option->example && section)
                config_report_value(report, &section->place, section->title, option->name, NULL,
                                    "missing; write for example \"%s = %s\"", option->name,
                                    option->example);
        }
    }
    return 0;
}
