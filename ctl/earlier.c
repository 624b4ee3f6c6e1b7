/* SPDX-License-Identifier: MIT */
#include "ctl/earlier.h"

#include <string.h>

#include "cleanup.h"
#include "ctl/moment.h"
#include "json.h"

static bool is_of(const struct timeline_record *record, const char *environment)
{
    return record->environment && strcmp(record->environment, environment) == 0;
}

/* What the record says that the environment is from then on; NULL: nothing. */
static const char *state_after(const struct timeline_record *record)
{
    switch (record->kind) {
    case TIMELINE_SLEEP:
    case TIMELINE_ASLEEP:
        return "asleep";
    case TIMELINE_WAKE:
    case TIMELINE_AWAKE:
    case TIMELINE_STAY:
        return "awake";
    case TIMELINE_FOUND:
        return strstr(record->message, "found asleep") ? "asleep" : "awake";
    default:
        return NULL;
    }
}

/* A daemon that starts anew, or a decision carried out, adds nothing to why. */
static bool is_decision(const struct timeline_record *record, const struct earlier *earlier)
{
    const char *state = state_after(record);

    return state && (!earlier->state || strcmp(state, earlier->state) != 0 ||
                     record->kind == TIMELINE_SLEEP || record->kind == TIMELINE_WAKE);
}

static void take(struct earlier *earlier, const struct timeline_record *record)
{
    if (is_decision(record, earlier)) {
        *earlier = (struct earlier){.state = state_after(record), .decision = record};
        return;
    }
    switch (record->kind) {
    case TIMELINE_STAY:
        earlier->stay = record;
        break;
    case TIMELINE_ASKED:
        earlier->asked = record;
        break;
    case TIMELINE_TROUBLE:
        earlier->trouble = record;
        break;
    case TIMELINE_RECOVERED:
        earlier->trouble = NULL;
        break;
    default:
        break;
    }
}

struct earlier earlier_find(const struct timeline *timeline, const char *environment,
                            struct wall moment)
{
    struct earlier earlier = {0};

    for (size_t i = 0; i < timeline->n_records; i++) {
        const struct timeline_record *record = &timeline->records[i];

        if (!is_of(record, environment))
            continue;
        if (record->time.ms <= moment.ms) {
            take(&earlier, record);
        } else if (is_decision(record, &earlier)) {
            earlier.next = record;
            break;
        }
    }
    return earlier;
}

/* --- for people --------------------------------------------------------------------------------- */

static void print_record(const struct timeline_record *record, const char *label,
                         const struct terminal *terminal)
{
    char when[MOMENT_TEXT_MAX];

    if (!record)
        return;
    fprintf(terminal->out, "  %s  %-12s ", moment_format(record->time, when), label);
    (void)terminal_write(terminal, COLOUR_NONE, record->message, 0);
    fputc('\n', terminal->out);
}

void earlier_print(const struct earlier *earlier, const char *environment, struct wall moment,
                   const struct terminal *terminal)
{
    char when[MOMENT_TEXT_MAX];

    (void)terminal_write(terminal, COLOUR_BOLD, environment, 0);
    fprintf(terminal->out, " was %s at %s\n\n", earlier->state ? earlier->state : "not yet seen",
            moment_format(moment, when));
    print_record(earlier->decision, "Decided", terminal);
    print_record(earlier->asked, "Asked for", terminal);
    print_record(earlier->stay, "Last check", terminal);
    print_record(earlier->trouble, "Trouble", terminal);
    print_record(earlier->next, "Then", terminal);
}

/* --- for programs ------------------------------------------------------------------------------- */

static int add_record(struct json_object *object, const char *name,
                      const struct timeline_record *record)
{
    char when[WALL_TEXT_MAX];

    if (!record)
        return json_object_object_add(object, name, NULL) < 0 ? -1 : 0;

    _cleanup_json_ struct json_object *value = json_object_new_object();
    if (!value ||
        json_add(value, "time", json_object_new_string(wall_format_iso(record->time, when))) < 0 ||
        json_add(value, "kind", json_object_new_string(timeline_name(record->kind))) < 0 ||
        json_add(value, "message", json_object_new_string(record->message)) < 0)
        return -1;
    return json_add(object, name, TAKE(value));
}

struct json_object *earlier_json(const struct earlier *earlier, const char *environment,
                                 struct wall moment)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();
    char when[WALL_TEXT_MAX];

    if (!object || json_add(object, "name", json_object_new_string(environment)) < 0 ||
        json_add(object, "at", json_object_new_string(wall_format_iso(moment, when))) < 0 ||
        json_add(object, "state",
                 json_object_new_string(earlier->state ? earlier->state : "unknown")) < 0 ||
        add_record(object, "decided", earlier->decision) < 0 ||
        add_record(object, "asked", earlier->asked) < 0 ||
        add_record(object, "last_check", earlier->stay) < 0 ||
        add_record(object, "trouble", earlier->trouble) < 0 ||
        add_record(object, "then", earlier->next) < 0)
        return NULL;
    return TAKE(object);
}
