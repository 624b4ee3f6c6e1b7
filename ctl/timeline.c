/* SPDX-License-Identifier: MIT */
#include "ctl/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "cleanup.h"
#include "ctl/moment.h"
#include "json.h"

static const struct {
    const char *id;
    const char *name;
    const char *shown;
    enum colour colour;
} KINDS[TIMELINE_N_KINDS] = {
    [TIMELINE_SLEEP] = {AUDIT_ID_SLEEP, "sleep", "sleep", COLOUR_BLUE},
    [TIMELINE_ASLEEP] = {AUDIT_ID_ASLEEP, "asleep", "asleep", COLOUR_BLUE},
    [TIMELINE_WAKE] = {AUDIT_ID_WAKE, "wake", "wake", COLOUR_GREEN},
    [TIMELINE_AWAKE] = {AUDIT_ID_AWAKE, "awake", "awake", COLOUR_GREEN},
    [TIMELINE_STAY] = {AUDIT_ID_STAY, "stay", "stays up", COLOUR_NONE},
    [TIMELINE_UPDATE] = {AUDIT_ID_UPDATE, "update", "update", COLOUR_DIM},
    [TIMELINE_FOUND] = {AUDIT_ID_FOUND, "found", "found", COLOUR_NONE},
    [TIMELINE_TROUBLE] = {AUDIT_ID_TROUBLE, "trouble", "trouble", COLOUR_RED},
    [TIMELINE_RECOVERED] = {AUDIT_ID_RECOVERED, "recovered", "recovered", COLOUR_NONE},
    [TIMELINE_ASKED] = {AUDIT_ID_ASKED, "asked", "asked", COLOUR_YELLOW},
    [TIMELINE_REMOVED] = {AUDIT_ID_REMOVED, "removed", "removed", COLOUR_YELLOW},
    [TIMELINE_STARTED] = {AUDIT_ID_STARTED, "started", "started", COLOUR_DIM},
    [TIMELINE_STOPPED] = {AUDIT_ID_STOPPED, "stopped", "stopped", COLOUR_DIM},
    [TIMELINE_RELOADED] = {AUDIT_ID_RELOADED, "reloaded", "reloaded", COLOUR_DIM},
    [TIMELINE_REFUSED] = {AUDIT_ID_RELOAD_REFUSED, "reload-refused", "refused", COLOUR_RED},
};

const struct timeline_field TIMELINE_FIELDS[TIMELINE_N_FIELDS] = {
    {"PROVISIONERD_CLUSTER", "cluster"},
    {"PROVISIONERD_SERVICE", "service"},
    {"PROVISIONERD_REASON", "reason"},
    {"PROVISIONERD_COUNTS", "counts"},
    {"PROVISIONERD_DESIRED_COUNT", "desiredCount"},
    {"PROVISIONERD_PREVIOUS_COUNT", "previousCount"},
    {"PROVISIONERD_LAST_ACTIVITY", "lastActivity"},
    {"PROVISIONERD_QUERY_ID", "queryId"},
    {"PROVISIONERD_RECORDS_SCANNED", "recordsScanned"},
    {"PROVISIONERD_BYTES_SCANNED", "bytesScanned"},
    {"PROVISIONERD_BY", "by"},
    {"PROVISIONERD_ERROR", "error"},
    {"PROVISIONERD_DRY_RUN", "dryRun"},
};

#define INDENT_OF_WHAT 25 /* columns before what happened: "    14:20:05  recovered  " */

#define TIMES_TEXT_MAX 32

const char *timeline_id(enum timeline_kind kind)
{
    return KINDS[kind].id;
}

const char *timeline_name(enum timeline_kind kind)
{
    return KINDS[kind].name;
}

/* --- the records --------------------------------------------------------------------------------- */

void timeline_record_clear(struct timeline_record *record)
{
    free(record->environment);
    free(record->message);
    for (size_t i = 0; i < TIMELINE_N_FIELDS; i++)
        free(record->fields[i]);
    *record = (struct timeline_record){0};
}

int timeline_add(struct timeline *timeline, struct timeline_record *record)
{
    if (timeline->n_records == timeline->capacity && timeline->capacity < TIMELINE_RECORDS_MAX) {
        size_t capacity = timeline->capacity ? 2 * timeline->capacity : 256;
        if (capacity > TIMELINE_RECORDS_MAX)
            capacity = TIMELINE_RECORDS_MAX;
        struct timeline_record *records =
            reallocarray(timeline->records, capacity, sizeof(*records));
        if (!records) {
            timeline_record_clear(record);
            return -ENOMEM;
        }
        timeline->records = records;
        timeline->capacity = capacity;
    }
    if (timeline->n_records == timeline->capacity) {
        /* Half at once, so that a long journal is not moved record by record. */
        size_t n = timeline->n_records / 2;
        for (size_t i = 0; i < n; i++)
            timeline_record_clear(&timeline->records[i]);
        memmove(timeline->records, timeline->records + n,
                (timeline->n_records - n) * sizeof(*timeline->records));
        timeline->n_records -= n;
        timeline->n_dropped += n;
    }
    timeline->records[timeline->n_records++] = *record;
    *record = (struct timeline_record){0};
    return 0;
}

void timeline_clear(struct timeline *timeline)
{
    for (size_t i = 0; i < timeline->n_records; i++)
        timeline_record_clear(&timeline->records[i]);
    free(timeline->records);
    *timeline = (struct timeline){0};
}

static bool is_of(const struct timeline_record *record, const char *environment)
{
    return environment && record->environment && strcmp(record->environment, environment) == 0;
}

/* --- how long it slept --------------------------------------------------------------------------- */

enum sleeping {
    SLEEPING_UNKNOWN,
    SLEEPING,
    NOT_SLEEPING,
};

/* What the record says of the time after it; SLEEPING_UNKNOWN: nothing. */
static enum sleeping says_after(const struct timeline_record *record)
{
    switch (record->kind) {
    case TIMELINE_SLEEP:
    case TIMELINE_ASLEEP:
        return SLEEPING;
    case TIMELINE_WAKE:
    case TIMELINE_AWAKE:
    case TIMELINE_STAY:
        return NOT_SLEEPING;
    case TIMELINE_FOUND:
        return strstr(record->message, "found asleep") ? SLEEPING : NOT_SLEEPING;
    default:
        return SLEEPING_UNKNOWN;
    }
}

/* And of the time before it. */
static enum sleeping says_before(const struct timeline_record *record)
{
    if (record->kind == TIMELINE_WAKE)
        return SLEEPING;
    return record->kind == TIMELINE_SLEEP ? NOT_SLEEPING : SLEEPING_UNKNOWN;
}

static void count_time(struct timeline_total *total, enum sleeping state, int64_t duration_ms)
{
    if (state == SLEEPING_UNKNOWN || duration_ms <= 0)
        return;
    total->known_ms += duration_ms;
    if (state == SLEEPING)
        total->asleep_ms += duration_ms;
}

struct timeline_total timeline_total(const struct timeline *timeline,
                                     const struct timeline_options *options,
                                     const char *environment)
{
    struct timeline_total total = {0};
    struct wall since = options->from, wake = WALL_NEVER;
    enum sleeping state = SLEEPING_UNKNOWN;

    for (size_t i = 0; i < timeline->n_records; i++) {
        const struct timeline_record *record = &timeline->records[i];
        if (!is_of(record, environment))
            continue;
        enum sleeping after = says_after(record);
        if (after == SLEEPING_UNKNOWN)
            continue;
        if (state == SLEEPING_UNKNOWN)
            state = says_before(record);
        count_time(&total, state, wall_since(record->time, since));
        state = after;
        since = record->time;
        total.n_sleeps += record->kind == TIMELINE_SLEEP;
        total.n_wakes += record->kind == TIMELINE_WAKE;
        if (record->kind == TIMELINE_AWAKE && wall_is_set(wake)) {
            total.n_woken++;
            total.waking_ms += wall_since(record->time, wake);
        }
        wake = record->kind == TIMELINE_WAKE ? record->time : WALL_NEVER;
    }
    count_time(&total, state, wall_since(options->to, since));
    return total;
}

/* --- for people ---------------------------------------------------------------------------------- */

struct printing {
    const struct timeline *timeline;
    const struct timeline_options *options;
    const struct terminal *terminal;
    char day[MOMENT_TEXT_MAX]; /* that was printed last */
    struct wall sleep;         /* the present one's beginning */
    struct wall wake;
};

/* "1h30min": whole minutes where there are any. */
static const char *rough(int64_t duration_ms, char buffer[static DURATION_TEXT_MAX])
{
    int64_t unit_ms = duration_ms >= 10 * MS_PER_MINUTE ? MS_PER_MINUTE : MS_PER_SECOND;

    return duration_format((duration_ms + unit_ms / 2) / unit_ms * unit_ms, buffer);
}

/* What stands before it already is left out: the environment's name, and the word for its kind. */
static const char *message_of(const struct timeline_record *record)
{
    const char *message = record->message, *shown = KINDS[record->kind].shown;
    size_t length = record->environment ? strlen(record->environment) : 0;

    if (length > 0 && strncmp(message, record->environment, length) == 0 &&
        strncmp(message + length, ": ", 2) == 0)
        message += length + 2;
    length = strlen(shown);
    if (strncmp(message, shown, length) == 0 && message[length] && strchr(" :;", message[length]))
        message += length + strspn(message + length, " :;");
    return message;
}

/* What the records alone do not say: how long it took. Returns buffer, perhaps empty. */
static const char *duration_of(struct printing *printing, const struct timeline_record *record,
                               char buffer[static DURATION_TEXT_MAX + 32])
{
    char text[DURATION_TEXT_MAX];

    buffer[0] = '\0';
    if (record->kind == TIMELINE_WAKE && wall_is_set(printing->sleep))
        snprintf(buffer, DURATION_TEXT_MAX + 32, " [slept %s]",
                 rough(wall_since(record->time, printing->sleep), text));
    if (record->kind == TIMELINE_AWAKE && wall_is_set(printing->wake))
        snprintf(buffer, DURATION_TEXT_MAX + 32, " [%s after the wake]",
                 rough(wall_since(record->time, printing->wake), text));
    if (record->kind == TIMELINE_SLEEP)
        printing->sleep = record->time;
    if (record->kind == TIMELINE_WAKE) {
        printing->wake = record->time;
        printing->sleep = WALL_NEVER;
    }
    if (record->kind == TIMELINE_AWAKE)
        printing->wake = WALL_NEVER;
    return buffer;
}

static int print_record(struct printing *printing, const struct timeline_record *record)
{
    const struct terminal *terminal = printing->terminal;
    char day[MOMENT_TEXT_MAX], time[WALL_TEXT_MAX], duration[DURATION_TEXT_MAX + 32];
    _cleanup_free_ char *text = NULL;

    if (strcmp(moment_format_day(record->time, day), printing->day) != 0) {
        memcpy(printing->day, day, sizeof(day));
        fprintf(terminal->out, "  %s\n", day);
    }
    if (asprintf(&text, "%s%s", message_of(record), duration_of(printing, record, duration)) < 0) {
        text = NULL;
        return -ENOMEM;
    }
    fprintf(terminal->out, "    %s  %s%-11s%s", wall_format_local(record->time, true, time),
            terminal_begin(terminal, KINDS[record->kind].colour), KINDS[record->kind].shown,
            terminal_end(terminal, KINDS[record->kind].colour));
    return terminal_write_wrapped(terminal, COLOUR_NONE, text, INDENT_OF_WHAT);
}

static const char *times(size_t n, char buffer[static TIMES_TEXT_MAX])
{
    if (n == 1)
        return "once";
    snprintf(buffer, TIMES_TEXT_MAX, "%zu times", n);
    return buffer;
}

static int print_total(const struct printing *printing, const char *environment)
{
    const struct timeline_total total =
        timeline_total(printing->timeline, printing->options, environment);
    char asleep[DURATION_TEXT_MAX], known[DURATION_TEXT_MAX], waking[DURATION_TEXT_MAX] = "";
    char sleeps[TIMES_TEXT_MAX], wakes[TIMES_TEXT_MAX];
    _cleanup_free_ char *text = NULL;

    if (total.known_ms < MS_PER_SECOND)
        return 0;
    if (total.n_woken > 0)
        rough(total.waking_ms / (int64_t)total.n_woken, waking);
    if (asprintf(&text, "Asleep for %s of %s (%.0f %%); put to sleep %s, woken %s%s%s%s.",
                 rough(total.asleep_ms, asleep), rough(total.known_ms, known),
                 100.0 * (double)total.asleep_ms / (double)total.known_ms,
                 times(total.n_sleeps, sleeps), times(total.n_wakes, wakes),
                 *waking ? ", which took " : "", waking, *waking ? " on average" : "") < 0) {
        text = NULL;
        return -ENOMEM;
    }
    fputs("  ", printing->terminal->out);
    return terminal_write_wrapped(printing->terminal, COLOUR_NONE, text, 2);
}

/* environment NULL: the daemon's own. with_daemon: its records stand among the environment's. */
static int print_one(const struct timeline *timeline, const struct timeline_options *options,
                     const struct terminal *terminal, const char *environment, bool with_daemon)
{
    struct printing printing = {.timeline = timeline,
                                .options = options,
                                .terminal = terminal,
                                .sleep = WALL_NEVER,
                                .wake = WALL_NEVER};
    int r = terminal_write(terminal, COLOUR_BOLD, environment ? environment : "provisionerd", 0);

    fputc('\n', terminal->out);
    for (size_t i = 0; i < timeline->n_records && r >= 0; i++) {
        const struct timeline_record *record = &timeline->records[i];
        bool is_wanted = record->environment ? is_of(record, environment) : with_daemon;
        if (is_wanted && (record->kind != TIMELINE_UPDATE || options->wants_updates))
            r = print_record(&printing, record);
    }
    if (environment && r >= 0)
        r = print_total(&printing, environment);
    return r < 0 ? r : 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The environments there are, sorted, each once. Names are borrowed; *ret is allocated. */
static int list_environments(const struct timeline *timeline, const char ***ret, size_t *ret_n)
{
    const char **names = calloc(timeline->n_records + 1, sizeof(*names));
    size_t n = 0, kept = 0;

    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < timeline->n_records; i++) {
        /* Mostly they come in runs, or a few by turns. */
        if (timeline->records[i].environment &&
            (n == 0 || strcmp(names[n - 1], timeline->records[i].environment) != 0))
            names[n++] = timeline->records[i].environment;
    }
    qsort(names, n, sizeof(*names), compare_names);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    }
    *ret = names;
    *ret_n = kept;
    return 0;
}

static bool has_daemon_records(const struct timeline *timeline)
{
    for (size_t i = 0; i < timeline->n_records; i++) {
        if (!timeline->records[i].environment)
            return true;
    }
    return false;
}

int timeline_print(const struct timeline *timeline, const struct timeline_options *options,
                   const struct terminal *terminal)
{
    _cleanup_free_ const char **names = NULL;
    size_t n;

    if (options->environment)
        return print_one(timeline, options, terminal, options->environment, true);
    int r = list_environments(timeline, &names, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (i > 0)
            fputc('\n', terminal->out);
        r = print_one(timeline, options, terminal, names[i], false);
    }
    if (r == 0 && has_daemon_records(timeline)) {
        if (n > 0)
            fputc('\n', terminal->out);
        r = print_one(timeline, options, terminal, NULL, true);
    }
    return r;
}

/* --- for programs -------------------------------------------------------------------------------- */

static int add_text(struct json_object *object, const char *name, const char *text)
{
    return text ? json_add(object, name, json_object_new_string(text)) : 0;
}

static int describe(const struct timeline_record *record, struct json_object *object)
{
    char time[WALL_TEXT_MAX];
    int r;

    if ((r = add_text(object, "time", wall_format_iso(record->time, time))) < 0 ||
        (r = json_add(object, "timeMs", json_object_new_int64(record->time.ms))) < 0 ||
        (r = add_text(object, "kind", KINDS[record->kind].name)) < 0 ||
        (r = add_text(object, "environment", record->environment)) < 0 ||
        (r = add_text(object, "message", record->message)) < 0)
        return r;
    for (size_t i = 0; i < TIMELINE_N_FIELDS && r == 0; i++)
        r = add_text(object, TIMELINE_FIELDS[i].json, record->fields[i]);
    return r;
}

int timeline_json(const struct timeline *timeline, const struct timeline_options *options,
                  struct json_object **ret)
{
    _cleanup_json_ struct json_object *list = json_object_new_array();

    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < timeline->n_records; i++) {
        const struct timeline_record *record = &timeline->records[i];
        _cleanup_json_ struct json_object *object = NULL;
        if (options->environment && record->environment && !is_of(record, options->environment))
            continue;
        object = json_object_new_object();
        if (!object || describe(record, object) < 0 || json_append(list, TAKE(object)) < 0)
            return -ENOMEM;
    }
    *ret = TAKE(list);
    return 0;
}
