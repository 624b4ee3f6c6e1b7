/* SPDX-License-Identifier: MIT */
/* provisionerctl status */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/moment.h"
#include "ctl/table.h"
#include "json.h"

/* --watch draws again when something changed, and after so long in any case: "5min ago" gets older. */
#define WATCH_INTERVAL_MS (10 * MS_PER_SECOND)
#define COUNTS_MAX 1024
#define AGO_MAX (DURATION_TEXT_MAX + 4)

static const char HELP[] =
    "  --json          for programs\n"
    "  --watch         show it again whenever something changes, until interrupted\n"
    "  --socket PATH   the daemon's socket, in place of the system bus\n"
    "  --help          print this\n"
    "\n"
    "Of each service: the tasks that run, and desiredCount; asleep, in brackets what a wake "
    "gives.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl status\n"
    "  provisionerctl status staging\n"
    "  provisionerctl status --json\n";

/* --- for people --------------------------------------------------------------------------------- */

static enum colour state_colour(const char *state)
{
    if (strcmp(state, "awake") == 0)
        return COLOUR_GREEN;
    if (strcmp(state, "asleep") == 0)
        return COLOUR_BLUE;
    return COLOUR_YELLOW;
}

/* "14:20", or on another day "2026-11-23 14:20". */
static const char *when(struct wall moment, struct wall today, char text[static MOMENT_TEXT_MAX])
{
    char day[MOMENT_TEXT_MAX];

    if (!wall_is_set(moment))
        return "-";
    moment_format(today, day);
    moment_format(moment, text);
    text[strlen(text) - 3] = '\0'; /* without the seconds */
    return strncmp(day, text, 11) == 0 ? text + 11 : text;
}

/* "12min ago": the larger two units are enough. */
static const char *ago(struct wall moment, struct wall today, char text[static AGO_MAX])
{
    char duration[DURATION_TEXT_MAX];
    int64_t ms = wall_since(today, moment);

    if (!wall_is_set(moment))
        return "never seen";
    if (ms < MS_PER_MINUTE)
        return "just now";
    ms -= ms % (ms >= MS_PER_DAY ? MS_PER_HOUR : MS_PER_MINUTE);
    snprintf(text, AGO_MAX, "%s ago", duration_format(ms, duration));
    return text;
}

static const char *counts(const struct daemon_environment *environment,
                          char text[static COUNTS_MAX])
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < environment->n_services && length < COUNTS_MAX; i++) {
        const struct daemon_service *service = &environment->services[i];
        const char *separator = i > 0 ? ", " : "";
        int n;

        if (strcmp(service->condition, "fit") != 0)
            n = snprintf(text + length, COUNTS_MAX - length, "%s%s %s", separator, service->name,
                         service->condition);
        else if (service->desired_count == 0 && service->wake_count > 0)
            n = snprintf(text + length, COUNTS_MAX - length, "%s%s 0 (%d)", separator,
                         service->name, service->wake_count);
        else if (service->desired_count < 0)
            n = snprintf(text + length, COUNTS_MAX - length, "%s%s %d/?", separator, service->name,
                         service->running_count);
        else
            n = snprintf(text + length, COUNTS_MAX - length, "%s%s %d/%d", separator, service->name,
                         service->running_count, service->desired_count);
        length += n > 0 ? (size_t)n : 0;
    }
    return text;
}

static int print_table(const struct ctl *ctl, const struct daemon_environment *environments,
                       size_t n)
{
    static const struct table_column COLUMNS[] = {
        {.title = "ENVIRONMENT"},
        {.title = "STATE"},
        {.title = "SINCE"},
        {.title = "LAST ACTIVITY"},
        {.title = "NEXT CHECK"},
        {.title = "SERVICES", .may_be_cut = true},
        {.title = "WHY", .may_be_cut = true},
    };
    struct wall today = moment_now();
    struct table *table;
    char text[COUNTS_MAX], moment[MOMENT_TEXT_MAX], duration[AGO_MAX];

    if (table_new(COLUMNS, ARRAY_LENGTH(COLUMNS), &table) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct daemon_environment *environment = &environments[i];
        bool is_troubled = environment->troubles[0] != NULL;

        table_add(table, COLOUR_BOLD, environment->name);
        table_add(table, state_colour(environment->state), environment->state);
        table_add(table, COLOUR_NONE, when(environment->since, today, moment));
        table_add(table, COLOUR_NONE, ago(environment->last_activity, today, duration));
        table_add(table, COLOUR_NONE, when(environment->next_check, today, moment));
        table_add(table, COLOUR_NONE, counts(environment, text));
        table_add(table, is_troubled ? COLOUR_RED : COLOUR_NONE,
                  is_troubled ? environment->troubles[0] : environment->reason_text);
    }
    int r = table_print(table, &ctl->terminal);
    table_free(table);
    return r;
}

static void print_line(const struct ctl *ctl, const char *label, const char *text)
{
    fprintf(ctl->terminal.out, "%16s: ", label);
    (void)terminal_write(&ctl->terminal, COLOUR_NONE, text, 0);
    fputc('\n', ctl->terminal.out);
}

static void print_request(const struct ctl *ctl, const struct daemon_request *request,
                          struct wall today)
{
    _cleanup_free_ char *text = NULL;
    char moment[MOMENT_TEXT_MAX];
    const char *kind = strcmp(request->kind, "hold-awake") == 0    ? "held awake"
                       : strcmp(request->kind, "hold-asleep") == 0 ? "held asleep"
                                                                   : "put to sleep";

    if (!request->kind[0])
        return;
    if (asprintf(&text, "%s until %s by %s%s%s", kind, when(request->until, today, moment),
                 request->by, request->why[0] ? ": " : "", request->why) < 0)
        text = NULL;
    if (text)
        print_line(ctl, "Asked for", text);
}

static void print_last_check(const struct ctl *ctl, const struct daemon_environment *environment,
                             struct wall today)
{
    _cleanup_free_ char *text = NULL;
    char moment[MOMENT_TEXT_MAX];

    if (!wall_is_set(environment->last_check.at))
        return;
    if (asprintf(&text, "%s: %s", when(environment->last_check.at, today, moment),
                 environment->last_check.text) < 0)
        text = NULL;
    if (text)
        print_line(ctl, "Last check", text);
}

static int print_services(const struct ctl *ctl, const struct daemon_environment *environment)
{
    static const struct table_column COLUMNS[] = {
        {.title = "SERVICE"},
        {.title = "WAKES TO", .is_number = true},
        {.title = "DESIRED", .is_number = true},
        {.title = "RUNNING", .is_number = true},
        {.title = "CONDITION"},
    };
    struct table *table;

    if (table_new(COLUMNS, ARRAY_LENGTH(COLUMNS), &table) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < environment->n_services; i++) {
        const struct daemon_service *service = &environment->services[i];

        table_add(table, COLOUR_NONE, service->name);
        if (service->wake_count >= 0)
            table_addf(table, COLOUR_NONE, "%d", service->wake_count);
        else
            table_add(table, COLOUR_DIM, "-");
        if (service->desired_count >= 0)
            table_addf(table, COLOUR_NONE, "%d", service->desired_count);
        else
            table_add(table, COLOUR_DIM, "?");
        table_addf(table, COLOUR_NONE, "%d", service->running_count);
        table_add(table, strcmp(service->condition, "fit") == 0 ? COLOUR_NONE : COLOUR_RED,
                  service->condition);
    }
    int r = table_print(table, &ctl->terminal);
    table_free(table);
    return r;
}

static int print_one(const struct ctl *ctl, const struct daemon_environment *environment)
{
    char moment[MOMENT_TEXT_MAX], duration[AGO_MAX];
    struct wall today = moment_now();
    _cleanup_free_ char *activity = NULL;
    bool is_quoted = environment->last_activity_message[0];

    (void)terminal_write(&ctl->terminal, COLOUR_BOLD, environment->name, 0);
    fputs(" is ", ctl->terminal.out);
    (void)terminal_write(&ctl->terminal, state_colour(environment->state), environment->state, 0);
    fprintf(ctl->terminal.out, " since %s\n",
            wall_is_set(environment->since) ? when(environment->since, today, moment)
                                            : "before the daemon was started");
    print_line(ctl, "Why", environment->reason_text);
    print_request(ctl, &environment->request, today);
    for (size_t i = 0; environment->troubles[i]; i++)
        print_line(ctl, "Trouble", environment->troubles[i]);
    if (asprintf(&activity, "%s%s%s", ago(environment->last_activity, today, duration),
                 is_quoted ? ": " : "", environment->last_activity_message) < 0)
        activity = NULL;
    print_line(ctl, "Last activity", activity ? activity : "");
    print_last_check(ctl, environment, today);
    print_line(ctl, "Next check", when(environment->next_check, today, moment));
    print_line(ctl, "Cluster", environment->cluster);
    fputc('\n', ctl->terminal.out);
    return print_services(ctl, environment);
}

/* --- for programs ------------------------------------------------------------------------------- */

static struct json_object *json_text(const char *text)
{
    return json_object_new_string(text);
}

/* Takes value, NULL among them: JSON's null. */
static int add_nullable(struct json_object *object, const char *name, struct json_object *value)
{
    if (value)
        return json_add(object, name, value);
    return json_object_object_add(object, name, NULL) < 0 ? -ENOMEM : 0;
}

static int add_moment(struct json_object *object, const char *name, struct wall moment)
{
    char text[WALL_TEXT_MAX];

    if (!wall_is_set(moment))
        return add_nullable(object, name, NULL);
    return json_add(object, name, json_text(wall_format_iso(moment, text)));
}

static int add_count(struct json_object *object, const char *name, int count)
{
    if (count < 0)
        return add_nullable(object, name, NULL);
    return json_add(object, name, json_object_new_int(count));
}

static struct json_object *service_json(const struct daemon_service *service)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();

    if (!object || json_add(object, "name", json_text(service->name)) < 0 ||
        json_add(object, "condition", json_text(service->condition)) < 0 ||
        add_count(object, "desired_count", service->desired_count) < 0 ||
        add_count(object, "running_count", service->running_count) < 0 ||
        add_count(object, "wake_count", service->wake_count) < 0)
        return NULL;
    return TAKE(object);
}

static int add_request(struct json_object *object, const struct daemon_request *request)
{
    if (!request->kind[0])
        return add_nullable(object, "request", NULL);

    _cleanup_json_ struct json_object *value = json_object_new_object();
    if (!value || json_add(value, "kind", json_text(request->kind)) < 0 ||
        add_moment(value, "since", request->since) < 0 ||
        add_moment(value, "until", request->until) < 0 ||
        json_add(value, "by", json_text(request->by)) < 0 ||
        json_add(value, "why", json_text(request->why)) < 0)
        return -ENOMEM;
    return json_add(object, "request", TAKE(value));
}

static struct json_object *environment_json(const struct daemon_environment *environment)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();
    _cleanup_json_ struct json_object *services = json_object_new_array();
    _cleanup_json_ struct json_object *troubles = json_object_new_array();

    if (!object || !services || !troubles)
        return NULL;
    for (size_t i = 0; i < environment->n_services; i++)
        if (json_append(services, service_json(&environment->services[i])) < 0)
            return NULL;
    for (size_t i = 0; environment->troubles[i]; i++)
        if (json_append(troubles, json_text(environment->troubles[i])) < 0)
            return NULL;
    if (json_add(object, "name", json_text(environment->name)) < 0 ||
        json_add(object, "cluster", json_text(environment->cluster)) < 0 ||
        json_add(object, "state", json_text(environment->state)) < 0 ||
        add_moment(object, "since", environment->since) < 0 ||
        json_add(object, "reason", json_text(environment->reason)) < 0 ||
        json_add(object, "reason_text", json_text(environment->reason_text)) < 0 ||
        add_moment(object, "last_activity", environment->last_activity) < 0 ||
        json_add(object, "last_activity_message", json_text(environment->last_activity_message)) <
            0 ||
        add_moment(object, "last_check", environment->last_check.at) < 0 ||
        add_moment(object, "next_check", environment->next_check) < 0 ||
        add_request(object, &environment->request) < 0 ||
        json_add(object, "services", TAKE(services)) < 0 ||
        json_add(object, "troubles", TAKE(troubles)) < 0)
        return NULL;
    return TAKE(object);
}

static int print_json(const struct daemon_environment *environments, size_t n)
{
    struct json_object *array = json_object_new_array();

    for (size_t i = 0; array && i < n; i++) {
        if (json_append(array, environment_json(&environments[i])) < 0) {
            json_object_put(array);
            array = NULL;
        }
    }
    if (!array) {
        ctl_error("out of memory");
        return EXIT_FAILURE;
    }
    return ctl_print_json(array);
}

/* --- the verb ----------------------------------------------------------------------------------- */

static int show(const struct ctl *ctl, const struct daemon *daemon, const char *name)
{
    struct daemon_environment *environments = NULL;
    size_t n = 0;
    int status;

    if (name) {
        environments = calloc(1, sizeof(*environments));
        status = environments ? daemon_read(daemon, name, environments) : EXIT_FAILURE;
        n = status == EXIT_SUCCESS;
    } else {
        status = daemon_read_all(daemon, &environments, &n);
    }
    if (status == EXIT_SUCCESS) {
        if (ctl->json)
            status = print_json(environments, n);
        else if ((name ? print_one(ctl, environments) : print_table(ctl, environments, n)) < 0)
            status = EXIT_FAILURE;
    }
    daemon_free_all(environments, n);
    return status;
}

static int watch(const struct ctl *ctl, const struct daemon *daemon, const char *name)
{
    for (bool is_first = true;; is_first = false) {
        if (ctl->terminal.is_terminal)
            fputs("\033[H\033[2J", ctl->terminal.out); /* ECMA-48: home, and clear */
        else if (!is_first && !ctl->json)
            fputc('\n', ctl->terminal.out);
        int status = show(ctl, daemon, name);
        if (status != EXIT_SUCCESS || fflush(ctl->terminal.out) != 0)
            return status;
        int r = daemon_wait(daemon, WATCH_INTERVAL_MS);
        if (r < 0) {
            ctl_error("provisionerd has gone: %s", strerror(-r));
            return EX_UNAVAILABLE;
        }
    }
}

static int verb_status(struct ctl *ctl, int argc, char **argv)
{
    enum { OPTION_WATCH = 1 };
    static const struct option OPTIONS[] = {CTL_OPTION_CONFIG,
                                            CTL_OPTION_JSON,
                                            CTL_OPTION_SOCKET,
                                            CTL_OPTION_HELP,
                                            {"watch", no_argument, NULL, OPTION_WATCH},
                                            {0}};
    bool is_watching = false;
    struct daemon daemon;
    int option;

    while ((option = ctl_option(ctl, argc, argv, OPTIONS)) != CTL_OPTIONS_END) {
        if (option != OPTION_WATCH)
            return ctl->status;
        is_watching = true;
    }
    if (!ctl_takes_arguments(ctl, argc, argv, 0, 1))
        return ctl->status;
    int status = daemon_open(ctl, &daemon);
    if (status != EXIT_SUCCESS)
        return status;
    status = is_watching ? watch(ctl, &daemon, argv[optind]) : show(ctl, &daemon, argv[optind]);
    daemon_close(&daemon);
    return status;
}

const struct verb VERB_STATUS = {
    .name = "status",
    .synopsis = "[ENV] [--json] [--watch]",
    .summary = "What every environment, or this one, does at the moment, and why",
    .help = HELP,
    .run = verb_status,
};
