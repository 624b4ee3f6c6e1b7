/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/insights.h"
#include "sim/insights_program.h"
#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/*
 * A query carried out over records. Rows beyond the limit are dropped as it goes: after each
 * doubling, only the best remain, so memory is bounded by the limit and not by the matches.
 */

#define GROUPS_MAX 10000 /* of stats ... by */
#define VALUE_TEXT_MAX 32

struct row {
    char **values; /* by column; NULL: the record has none */
    char *pointer;
    char *sort_text; /* NULL: none, sorts last */
    double sort_number;
    bool sorts_by_number;
    uint64_t sequence;
};

struct group {
    char *key;
    int64_t sort_ms;
    uint64_t count;
};

struct insights_run {
    const struct insights_query *query;
    size_t limit;
    struct row *rows;
    size_t n_rows, rows_allocated;
    uint64_t sequence;
    struct group *groups;
    size_t n_groups, groups_allocated;
};

/* The record and its message as JSON, read when a field asks for it. */
struct view {
    const struct insights_record *record;
    struct json_object *message;
    bool tried;
    char text[VALUE_TEXT_MAX];
};

/* "2026-03-01 14:20:05.123": how Insights writes moments. */
static const char *format_moment(int64_t ms, char buffer[static VALUE_TEXT_MAX])
{
    int64_t fraction = ((ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((ms - fraction) / 1000);
    struct tm tm = {0};
    char date[24];
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(buffer, VALUE_TEXT_MAX, "%s.%03d", date, (int)fraction);
    return buffer;
}

static const char *member_value(struct view *view, const char *field)
{
    if (!view->tried) {
        view->tried = true;
        const char *message = view->record->message + strspn(view->record->message, " \t");
        if (*message == '{')
            (void)json_parse(message, strlen(message), &view->message);
    }
    /* A member whose name has dots goes before the path. */
    struct json_object *at = view->message, *found = NULL;
    if (json_object_object_get_ex(at, field, &found))
        return found ? json_object_get_string(found) : NULL;
    while (at) {
        char name[256];
        size_t length = strcspn(field, ".");
        if (length >= sizeof(name))
            return NULL;
        snprintf(name, sizeof(name), "%.*s", (int)length, field);
        if (!json_object_object_get_ex(at, name, &found))
            return NULL;
        if (field[length] == '\0')
            return found ? json_object_get_string(found) : NULL;
        field += length + 1;
        at = found;
    }
    return NULL;
}

/* NULL: the record has no such field. Valid until the next call with this view. */
static const char *field_value(struct view *view, const char *field)
{
    const struct insights_record *record = view->record;
    if (field[0] != '@')
        return member_value(view, field);
    if (strcmp(field, "@message") == 0)
        return record->message;
    if (strcmp(field, "@timestamp") == 0)
        return format_moment(record->timestamp_ms, view->text);
    if (strcmp(field, "@ingestionTime") == 0)
        return format_moment(record->ingestion_ms, view->text);
    if (strcmp(field, "@logStream") == 0)
        return record->log_stream;
    if (strcmp(field, "@log") == 0)
        return record->log;
    if (strcmp(field, "@ptr") == 0) {
        snprintf(view->text, sizeof(view->text), "Clk%020" PRIu64 "AAA=", record->id);
        return view->text;
    }
    return NULL;
}

/* Moments compare as epoch milliseconds, others as their text says. */
static bool field_number(struct view *view, const char *field, const char *text, double *ret)
{
    if (strcmp(field, "@timestamp") == 0 || strcmp(field, "@ingestionTime") == 0) {
        *ret = (double)(field[1] == 't' ? view->record->timestamp_ms : view->record->ingestion_ms);
        return true;
    }
    return insights_number(text, ret);
}

static bool compare(struct view *view, const struct insights_node *node, const char *value)
{
    double number;
    int order;
    if (node->is_number && field_number(view, node->field, value, &number))
        order = number < node->number ? -1 : number > node->number;
    else
        order = strcmp(value, node->text);
    switch (node->relation) {
    case INSIGHTS_EQUAL:
        return order == 0;
    case INSIGHTS_NOT_EQUAL:
        return order != 0;
    case INSIGHTS_LESS:
        return order < 0;
    case INSIGHTS_LESS_EQUAL:
        return order <= 0;
    case INSIGHTS_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool holds(struct view *view, const struct insights_node *node)
{
    switch (node->relation) {
    case INSIGHTS_OR:
        return holds(view, node->left) || holds(view, node->right);
    case INSIGHTS_AND:
        return holds(view, node->left) && holds(view, node->right);
    case INSIGHTS_NOT:
        return !holds(view, node->left);
    default:
        break;
    }
    const char *value = field_value(view, node->field);
    switch (node->relation) {
    case INSIGHTS_IS_PRESENT:
        return value != NULL;
    case INSIGHTS_IS_EMPTY:
        return !value || !*value;
    case INSIGHTS_CONTAINS:
        return value && strstr(value, node->text);
    case INSIGHTS_MATCHES:
        return value && expression_matches(node->expression, value);
    default:
        return value && compare(view, node, value);
    }
}

int insights_run_new(const struct insights_query *query, int64_t limit, struct insights_run **ret)
{
    struct insights_run *run = calloc(1, sizeof(*run));
    if (!run)
        return -ENOMEM;
    run->query = query;
    run->limit = (size_t)(limit < query->limit ? limit : query->limit);
    *ret = run;
    return 0;
}

static void row_clear(const struct insights_run *run, struct row *row)
{
    for (size_t i = 0; row->values && i < run->query->n_columns; i++)
        free(row->values[i]);
    free(row->values);
    free(row->pointer);
    free(row->sort_text);
    *row = (struct row){0};
}

struct insights_run *insights_run_free(struct insights_run *run)
{
    if (!run)
        return NULL;
    for (size_t i = 0; i < run->n_rows; i++)
        row_clear(run, &run->rows[i]);
    for (size_t i = 0; i < run->n_groups; i++)
        free(run->groups[i].key);
    free(run->rows);
    free(run->groups);
    free(run);
    return NULL;
}

static int compare_rows(const void *left, const void *right, void *userdata)
{
    const struct row *a = left, *b = right;
    const struct insights_query *query = userdata;
    int order;
    if (!a->sort_text || !b->sort_text)
        return a->sort_text ? -1 : b->sort_text ? 1 : (a->sequence > b->sequence ? 1 : -1);
    if (a->sorts_by_number && b->sorts_by_number)
        order = a->sort_number < b->sort_number ? -1 : a->sort_number > b->sort_number;
    else
        order = strcmp(a->sort_text, b->sort_text);
    if (order == 0) /* of the same moment, the later written is newer */
        order = a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
    return query->ascending ? order : -order;
}

static void keep_the_best(struct insights_run *run)
{
    qsort_r(run->rows, run->n_rows, sizeof(*run->rows), compare_rows, (void *)run->query);
    while (run->n_rows > run->limit)
        row_clear(run, &run->rows[--run->n_rows]);
}

static int fill_row(struct insights_run *run, struct view *view, struct row *row)
{
    const struct insights_query *query = run->query;
    row->values = calloc(query->n_columns ? query->n_columns : 1, sizeof(char *));
    row->pointer = strdup(field_value(view, "@ptr"));
    if (!row->values || !row->pointer)
        return -ENOMEM;
    for (size_t i = 0; i < query->n_columns; i++) {
        const char *value = field_value(view, query->columns[i].field);
        if (value && !(row->values[i] = strdup(value)))
            return -ENOMEM;
    }
    const char *sort_field = query->sort_field ? query->sort_field : "@timestamp";
    const char *value = field_value(view, sort_field);
    if (!value)
        return 0;
    row->sort_text = strdup(value);
    row->sorts_by_number = field_number(view, sort_field, value, &row->sort_number);
    return row->sort_text ? 0 : -ENOMEM;
}

static int keep_row(struct insights_run *run, struct view *view)
{
    if (run->n_rows >= 2 * run->limit)
        keep_the_best(run);
    if (SIM_GROW(run->rows, run->rows_allocated, run->n_rows + 1) < 0)
        return -ENOMEM;
    struct row *row = &run->rows[run->n_rows++];
    *row = (struct row){.sequence = ++run->sequence};
    return fill_row(run, view, row);
}

static int count_record(struct insights_run *run, struct view *view)
{
    const struct insights_query *query = run->query;
    char bin[VALUE_TEXT_MAX];
    const char *key = "";
    int64_t sort_ms = 0;
    if (query->bin_ms > 0) {
        sort_ms = view->record->timestamp_ms - view->record->timestamp_ms % query->bin_ms;
        key = format_moment(sort_ms, bin);
    } else if (query->by_field) {
        key = field_value(view, query->by_field);
        if (!key)
            key = "";
    }
    for (size_t i = run->n_groups; i-- > 0;) {
        if (strcmp(run->groups[i].key, key) == 0) {
            run->groups[i].count++;
            return 0;
        }
    }
    if (run->n_groups == GROUPS_MAX)
        return 0;
    if (SIM_GROW(run->groups, run->groups_allocated, run->n_groups + 1) < 0)
        return -ENOMEM;
    char *copy = strdup(key);
    if (!copy)
        return -ENOMEM;
    run->groups[run->n_groups++] = (struct group){.key = copy, .sort_ms = sort_ms, .count = 1};
    return 0;
}

int insights_run_take(struct insights_run *run, const struct insights_record *record)
{
    struct view view = {.record = record};
    int r = 0;
    if (!run->query->filter || holds(&view, run->query->filter)) {
        r = run->query->counts ? count_record(run, &view) : keep_row(run, &view);
        if (r == 0)
            r = 1;
    }
    json_object_put(view.message);
    return r;
}

static int add_cell(struct json_object *row, const char *field, const char *value)
{
    struct json_object *cell = json_object_new_object();
    if (!cell)
        return -ENOMEM;
    if (sim_json_add_string(cell, "field", field) < 0 ||
        sim_json_add_string(cell, "value", value) < 0) {
        json_object_put(cell);
        return -ENOMEM;
    }
    return sim_json_append(row, cell);
}

static int row_to_json(const struct insights_run *run, const struct row *row,
                       struct json_object *cells)
{
    const struct insights_query *query = run->query;
    for (size_t i = 0; i < query->n_columns; i++)
        if (row->values[i] && add_cell(cells, query->columns[i].name, row->values[i]) < 0)
            return -ENOMEM;
    return add_cell(cells, "@ptr", row->pointer);
}

static int group_to_json(const struct insights_run *run, const struct group *group,
                         struct json_object *cells)
{
    char count[24];
    snprintf(count, sizeof(count), "%" PRIu64, group->count);
    if (run->query->by_name && *group->key && add_cell(cells, run->query->by_name, group->key) < 0)
        return -ENOMEM;
    return add_cell(cells, run->query->count_name, count);
}

/* Newest bin first, then the most frequent, as the console shows them. */
static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    if (a->sort_ms != b->sort_ms)
        return a->sort_ms < b->sort_ms ? 1 : -1;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return strcmp(a->key, b->key);
}

int insights_run_rows(struct insights_run *run, struct json_object **ret)
{
    bool counts = run->query->counts;
    if (counts && run->n_groups > 0)
        qsort(run->groups, run->n_groups, sizeof(*run->groups), compare_groups);
    else if (!counts && run->n_rows > 0)
        keep_the_best(run);

    _cleanup_json_ struct json_object *rows = json_object_new_array();
    if (!rows)
        return -ENOMEM;
    size_t n = counts ? run->n_groups : run->n_rows;
    for (size_t i = 0; i < n && i < run->limit; i++) {
        struct json_object *cells = json_object_new_array();
        if (sim_json_append(rows, cells) < 0)
            return -ENOMEM;
        int r = counts ? group_to_json(run, &run->groups[i], cells)
                       : row_to_json(run, &run->rows[i], cells);
        if (r < 0)
            return r;
    }
    *ret = TAKE(rows);
    return 0;
}
