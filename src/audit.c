/* SPDX-License-Identifier: MIT */
#include "audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"

#define MESSAGE_MAX 2048
#define FIELDS_MAX 16
#define NUMBER_MAX 32
/* Of an event's message: enough to recognise the request, not the whole of a stack trace. */
#define QUOTE_MAX 100

struct record {
    struct log_field fields[FIELDS_MAX];
    size_t n_fields;
    char message[MESSAGE_MAX];
    size_t length;
};

static void record_add(struct record *record, const char *name, const char *value)
{
    if (value && value[0] && record->n_fields < FIELDS_MAX)
        record->fields[record->n_fields++] = (struct log_field){.name = name, .value = value};
}

static void record_say(struct record *record, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void record_say(struct record *record, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int n = vsnprintf(record->message + record->length, MESSAGE_MAX - record->length, format,
                      arguments);
    va_end(arguments);
    if (n > 0)
        record->length += (size_t)n;
    if (record->length >= MESSAGE_MAX)
        record->length = MESSAGE_MAX - 1; /* cut: the fields still hold the facts */
}

static struct record record_for(const struct config_environment *environment)
{
    struct record record = {0};

    if (environment) {
        record_add(&record, "PROVISIONERD_ENVIRONMENT", environment->name);
        record_add(&record, "PROVISIONERD_CLUSTER", environment->cluster);
        record_say(&record, "%s: ", environment->name);
    }
    return record;
}

static void record_write(const struct record *record, int level, const char *message_id)
{
    log_record(level, message_id, record->fields, record->n_fields, record->message);
}

/* "api=2 worker=3" as people write it: "api 2, worker 3". */
static void say_counts(struct record *record, const char *counts)
{
    for (; counts && *counts; counts++) {
        if (*counts == ' ')
            record_say(record, ", ");
        else
            record_say(record, "%c", *counts == '=' ? ' ' : *counts);
    }
}

static void say_size(struct record *record, double bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    size_t unit = 0;

    for (; bytes >= 1000 && unit + 1 < ARRAY_LENGTH(units); unit++)
        bytes /= 1000;
    record_say(record, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static void say_activity(struct record *record, const struct audit_facts *facts)
{
    char when[WALL_TEXT_MAX];

    if (!wall_is_set(facts->last_activity)) {
        record_say(record, "no activity known");
        return;
    }
    record_say(record, "last activity at %s", wall_format_local(facts->last_activity, true, when));
    if (facts->activity && facts->activity[0])
        record_say(record, " (\"%.*s%s\")", QUOTE_MAX, facts->activity,
                   strlen(facts->activity) > QUOTE_MAX ? "..." : "");
}

static void say_query(struct record *record, const struct audit_facts *facts)
{
    char from[WALL_TEXT_MAX], to[WALL_TEXT_MAX];

    record_say(record, "Logs Insights over %s to %s",
               wall_format_local(facts->query_from, true, from),
               wall_format_local(facts->query_to, true, to));
    if (facts->has_statistics) {
        record_say(record, " (%.0f records, ", facts->records_scanned);
        say_size(record, facts->bytes_scanned);
        record_say(record, " scanned)");
    }
}

static const char *or_unknown(const char *text)
{
    return text && text[0] ? text : "no details";
}

/* "held awake until 18:00 by alice: demo at five". */
static void say_request(struct record *record, const struct audit_request *request)
{
    char until[WALL_TEXT_MAX];

    switch (request->kind) {
    case POLICY_HOLD_AWAKE:
    case POLICY_HOLD_ASLEEP:
        record_say(record, "held %s until %s",
                   request->kind == POLICY_HOLD_AWAKE ? "awake" : "asleep",
                   wall_format_local(request->until, false, until));
        break;
    case POLICY_SLEEP:
        record_say(record, "asked to sleep");
        break;
    case POLICY_NO_REQUEST:
        record_say(record, "released");
        break;
    }
    record_say(record, " by %s", or_unknown(request->by));
    if (request->why && request->why[0])
        record_say(record, ": %s", request->why);
}

static void say_reason(struct record *record, const struct audit_facts *facts)
{
    char window[DURATION_TEXT_MAX];
    const char *service = facts->service ? facts->service : "a service";

    duration_format(facts->window_ms, window);
    switch (facts->reason) {
    case POLICY_HELD_AWAKE:
    case POLICY_HELD_ASLEEP:
    case POLICY_SLEEP_ASKED:
        say_request(record, &facts->request);
        return;
    case POLICY_ACTIVITY:
        say_activity(record, facts);
        return;
    case POLICY_ADOPTED:
        record_say(record, "somebody scaled %s up; adopted as activity", service);
        return;
    case POLICY_STILL_ASLEEP:
        record_say(record, "no activity");
        return;
    case POLICY_CONFIRMED_IDLE:
        record_say(record, "idle: ");
        say_query(record, facts);
        record_say(record, " matched nothing, nor did a last look; ");
        say_activity(record, facts);
        return;
    case POLICY_CHECK_NOT_DUE:
        record_say(record, "no activity within %s; the next check will ask", window);
        return;
    case POLICY_CHECKING:
        record_say(record, "a check is under way");
        return;
    case POLICY_NOTHING_TO_SLEEP:
        record_say(record, "every service is at desiredCount 0 already, and not by us: they stay "
                           "so until somebody scales them up");
        return;
    case POLICY_SERVICES_UNKNOWN:
        record_say(record, "its services could not be read: %s", or_unknown(facts->trouble));
        return;
    case POLICY_SERVICE_MISSING:
        record_say(record, "ECS does not know service %s: check `services` and `cluster`", service);
        return;
    case POLICY_ALWAYS_ON_DOWN:
        record_say(record, "%s, which writes the log, has no running task: silence proves nothing",
                   service);
        return;
    case POLICY_QUERY_UNKNOWN:
        record_say(record, "the query gave no answer: %s", or_unknown(facts->trouble));
        return;
    case POLICY_QUERY_ACTIVITY:
        record_say(record, "activity found close to the window's edge; ");
        say_activity(record, facts);
        return;
    case POLICY_QUERY_SILENT:
        say_query(record, facts);
        record_say(record,
                   " scanned no record at all, and `silence = unknown`: the log may be broken");
        return;
    case POLICY_LOOK_UNKNOWN:
        record_say(record, "the last look at the log gave no answer: %s",
                   or_unknown(facts->trouble));
        return;
    case POLICY_STALE:
        record_say(record, "the check took too long, or a clock moved meanwhile");
        return;
    case POLICY_STATE_UNWRITABLE:
        record_say(record, "the task counts could not be recorded: %s", or_unknown(facts->trouble));
        return;
    case POLICY_REMOVED:
        record_say(record, "removed from the configuration, and `on_remove = wake`");
        return;
    }
}

const char *audit_format_reason(const struct audit_facts *facts, char text[static AUDIT_TEXT_MAX])
{
    struct record record = {0};

    say_reason(&record, facts);
    snprintf(text, AUDIT_TEXT_MAX, "%.*s", (int)record.length, record.message);
    return text;
}

static void say_window_end(struct record *record, const struct audit_facts *facts)
{
    char when[WALL_TEXT_MAX];
    struct wall end = wall_add(facts->last_activity, facts->window_ms);

    record_say(record, "no matching event until %s: then a check may put it to sleep",
               wall_is_set(facts->last_activity) ? wall_format_local(end, true, when)
                                                 : "the window has passed");
}

static const char *remedy(enum policy_reason reason)
{
    switch (reason) {
    case POLICY_HELD_AWAKE:
    case POLICY_HELD_ASLEEP:
        return "the end of the hold, or `provisionerctl release`";
    case POLICY_SLEEP_ASKED:
    case POLICY_STILL_ASLEEP:
    case POLICY_CONFIRMED_IDLE:
        return "a new event that matches, a service scaled up by hand, or `provisionerctl wake`";
    case POLICY_CHECK_NOT_DUE:
        return "the next check, if it confirms that nobody is there";
    case POLICY_CHECKING:
        return "the end of the check";
    case POLICY_NOTHING_TO_SLEEP:
        return "somebody scales a service up";
    case POLICY_SERVICES_UNKNOWN:
        return "an answer to DescribeServices";
    case POLICY_SERVICE_MISSING:
        return "`services` and `cluster` that name what there is";
    case POLICY_ALWAYS_ON_DOWN:
        return "a running task of what `always_on` names";
    case POLICY_QUERY_UNKNOWN:
        return "a query that ends as Complete; the next check asks again";
    case POLICY_QUERY_SILENT:
        return "any record in the log, or `silence = idle`";
    case POLICY_LOOK_UNKNOWN:
        return "an answer to FilterLogEvents; the next check asks again";
    case POLICY_STALE:
        return "a check that is answered in time; the next one asks again";
    case POLICY_STATE_UNWRITABLE:
        return "a state directory that can be written";
    case POLICY_REMOVED:
        return "nothing: it is woken, and let go";
    case POLICY_ACTIVITY:
    case POLICY_ADOPTED:
    case POLICY_QUERY_ACTIVITY:
        break;
    }
    return NULL;
}

const char *audit_format_remedy(const struct audit_facts *facts, char text[static AUDIT_TEXT_MAX])
{
    struct record record = {0};

    if (remedy(facts->reason))
        record_say(&record, "%s", remedy(facts->reason));
    else
        say_window_end(&record, facts);
    snprintf(text, AUDIT_TEXT_MAX, "%.*s", (int)record.length, record.message);
    return text;
}

/* The reason in words, and its facts as fields; numbers live in the caller's buffers. */
struct fact_texts {
    char last_activity[WALL_TEXT_MAX];
    char records[NUMBER_MAX];
    char bytes[NUMBER_MAX];
};

static void add_facts(struct record *record, const struct audit_facts *facts,
                      struct fact_texts *texts)
{
    record_add(record, "PROVISIONERD_REASON", policy_reason_name(facts->reason));
    record_add(record, "PROVISIONERD_SERVICE", facts->service);
    record_add(record, "PROVISIONERD_COUNTS", facts->counts);
    record_add(record, "PROVISIONERD_BY", facts->request.by);
    record_add(record, "PROVISIONERD_ERROR", facts->trouble);
    record_add(record, "PROVISIONERD_REQUEST_ID", facts->request_id);
    record_add(record, "PROVISIONERD_QUERY_ID", facts->query_id);
    if (wall_is_set(facts->last_activity))
        record_add(record, "PROVISIONERD_LAST_ACTIVITY",
                   wall_format_iso(facts->last_activity, texts->last_activity));
    if (facts->has_statistics) {
        snprintf(texts->records, NUMBER_MAX, "%.0f", facts->records_scanned);
        snprintf(texts->bytes, NUMBER_MAX, "%.0f", facts->bytes_scanned);
        record_add(record, "PROVISIONERD_RECORDS_SCANNED", texts->records);
        record_add(record, "PROVISIONERD_BYTES_SCANNED", texts->bytes);
    }
}

void audit_found(const struct config_environment *environment, enum policy_wanted wanted,
                 const char *counts, bool counts_unknown)
{
    struct record record = record_for(environment);

    record_add(&record, "PROVISIONERD_COUNTS", counts);
    record_say(&record, "found %s: ", wanted == POLICY_ASLEEP ? "asleep" : "awake");
    say_counts(&record, counts);
    if (counts_unknown)
        record_say(&record, ". Every service is at 0 and no count is recorded for some: those will "
                            "not be woken. Write `services = NAME = N` or scale them up once");
    record_write(&record, counts_unknown ? LOG_WARNING : LOG_INFO, AUDIT_ID_FOUND);
}

void audit_sleep(const struct config_environment *environment, const struct audit_facts *facts)
{
    struct record record = record_for(environment);
    struct fact_texts texts;

    add_facts(&record, facts, &texts);
    record_say(&record, "putting to sleep ");
    say_counts(&record, facts->counts);
    record_say(&record, ": ");
    say_reason(&record, facts);
    record_write(&record, LOG_NOTICE, AUDIT_ID_SLEEP);
}

void audit_asleep(const struct config_environment *environment, const char *counts)
{
    struct record record = record_for(environment);

    record_add(&record, "PROVISIONERD_COUNTS", counts);
    record_say(&record, "asleep; will wake to ");
    say_counts(&record, counts);
    record_write(&record, LOG_INFO, AUDIT_ID_ASLEEP);
}

void audit_wake(const struct config_environment *environment, const struct audit_facts *facts)
{
    struct record record = record_for(environment);
    struct fact_texts texts;

    add_facts(&record, facts, &texts);
    record_say(&record, "waking ");
    say_counts(&record, facts->counts);
    record_say(&record, ": ");
    say_reason(&record, facts);
    record_write(&record, LOG_NOTICE, AUDIT_ID_WAKE);
}

void audit_awake(const struct config_environment *environment, const char *counts)
{
    struct record record = record_for(environment);

    record_add(&record, "PROVISIONERD_COUNTS", counts);
    record_say(&record, "awake: ");
    say_counts(&record, counts);
    record_write(&record, LOG_INFO, AUDIT_ID_AWAKE);
}

void audit_stay(const struct config_environment *environment, const struct audit_facts *facts)
{
    struct record record = record_for(environment);
    struct fact_texts texts;
    bool is_trouble = facts->reason != POLICY_ACTIVITY && facts->reason != POLICY_QUERY_ACTIVITY &&
                      facts->reason != POLICY_NOTHING_TO_SLEEP &&
                      facts->reason != POLICY_HELD_AWAKE;

    add_facts(&record, facts, &texts);
    record_say(&record, "not put to sleep: ");
    say_reason(&record, facts);
    record_write(&record, is_trouble ? LOG_WARNING : LOG_INFO, AUDIT_ID_STAY);
}

void audit_asked(const struct config_environment *environment, const struct audit_request *request)
{
    struct record record = record_for(environment);

    record_add(&record, "PROVISIONERD_BY", request->by);
    say_request(&record, request);
    record_write(&record, LOG_NOTICE, AUDIT_ID_ASKED);
}

void audit_removed(const char *name, const char *cluster, const char *service,
                   const char *what_to_do)
{
    struct record record = {0};

    record_add(&record, "PROVISIONERD_ENVIRONMENT", name);
    record_add(&record, "PROVISIONERD_CLUSTER", cluster);
    record_add(&record, "PROVISIONERD_SERVICE", service);
    record_say(&record, "%s: %s%sremoved from the configuration while asleep; %s", name,
               service ? service : "", service ? " " : "", what_to_do);
    record_write(&record, LOG_WARNING, AUDIT_ID_REMOVED);
}

void audit_update(const struct config_environment *environment, const char *service, int previous,
                  int desired, bool dry_run)
{
    struct record record = record_for(environment);
    char from[NUMBER_MAX] = "?", to[NUMBER_MAX];

    if (previous != POLICY_COUNT_UNKNOWN)
        snprintf(from, sizeof(from), "%d", previous);
    snprintf(to, sizeof(to), "%d", desired);
    record_add(&record, "PROVISIONERD_SERVICE", service);
    record_add(&record, "PROVISIONERD_PREVIOUS_COUNT", from);
    record_add(&record, "PROVISIONERD_DESIRED_COUNT", to);
    if (dry_run)
        record_add(&record, "PROVISIONERD_DRY_RUN", "1");
    record_say(&record, "%s desiredCount %s -> %s%s", service, from, to,
               dry_run ? " (dry run: not sent)" : "");
    record_write(&record, LOG_INFO, AUDIT_ID_UPDATE);
}

void audit_trouble(const struct config_environment *environment, const char *service,
                   const char *what, const char *trouble, const char *request_id)
{
    struct record record = record_for(environment);

    record_add(&record, "PROVISIONERD_SERVICE", service);
    record_add(&record, "PROVISIONERD_ERROR", trouble);
    record_add(&record, "PROVISIONERD_REQUEST_ID", request_id);
    record_say(&record, "cannot %s: %s", what, or_unknown(trouble));
    record_write(&record, LOG_WARNING, AUDIT_ID_TROUBLE);
}

void audit_recovered(const struct config_environment *environment, const char *what)
{
    struct record record = record_for(environment);

    record_say(&record, "can %s again", what);
    record_write(&record, LOG_INFO, AUDIT_ID_RECOVERED);
}

void audit_started(const struct config *config, bool dry_run)
{
    struct record record = {0};

    if (dry_run)
        record_add(&record, "PROVISIONERD_DRY_RUN", "1");
    record_say(&record, "provisionerd %s started with %zu environment%s%s", PROVISIONERD_VERSION,
               config->n_environments, config->n_environments == 1 ? "" : "s",
               dry_run ? " (dry run: no UpdateService will be sent)" : "");
    record_write(&record, LOG_INFO, AUDIT_ID_STARTED);
}

void audit_stopped(void)
{
    struct record record = {0};

    record_say(&record, "stopped");
    record_write(&record, LOG_INFO, AUDIT_ID_STOPPED);
}

void audit_reloaded(const char *difference)
{
    struct record record = {0};

    record_say(&record, "reloaded the configuration: %s", difference);
    record_write(&record, LOG_NOTICE, AUDIT_ID_RELOADED);
}

void audit_reload_refused(const char *errors)
{
    while (*errors) {
        struct record record = {0};
        size_t length = strcspn(errors, "\n");

        record_say(&record, "reload refused, the old configuration stays: %.*s", (int)length,
                   errors);
        record_write(&record, LOG_ERR, AUDIT_ID_RELOAD_REFUSED);
        errors += length + (errors[length] == '\n');
    }
}
