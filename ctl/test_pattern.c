/* SPDX-License-Identifier: MIT */
/* provisionerctl test-pattern */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "config/config_options.h"
#include "ctl/ctl.h"
#include "ctl/moment.h"
#include "ctl/session.h"
#include "ctl/survey.h"
#include "json.h"

#define EXAMPLES 3
#define SINCE "24h"

static const char HELP[] =
    "  --since TIME     how far to look back (24h): 2h, 14:20, yesterday, \"2026-11-24 14:20\"\n"
    "  --examples N     so many lines of each kind, at most 20 (3)\n"
    "  --all            read every event, not only those that CloudWatch's filter lets through\n"
    "  --file LOG       try the lines of LOG (- is standard input) instead; AWS is not asked\n"
    "  --json           for programs\n"
    "  --config FILE    read FILE, then FILE.d/*.ini (" CONFIG_DEFAULT_PATH ")\n"
    "  --help           print this\n"
    "\n"
    "Reads the environment's log groups with its filter (FilterLogEvents, which is free of charge) "
    "and\n"
    "tells what would have counted as activity, what was excluded and by what, and for how long "
    "the\n"
    "environment could have slept. Exit status 1: not all could be read.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl test-pattern staging\n"
    "  provisionerctl test-pattern staging --since 7d --examples 10\n"
    "  provisionerctl test-pattern staging --file access.log\n"
    "  echo 'GET /api/v1/orders' | provisionerctl test-pattern staging --file -\n";

struct trial {
    struct ctl *ctl;
    const struct config_environment *environment;
    const struct config_items *pattern; /* as written: none, or one */
    struct survey survey;
    const char *file; /* NULL: AWS is asked */
    bool wants_all;
    struct wall from; /* with AWS */
    struct wall to;
    size_t n_examples;
    bool out_of_memory;
    int status; /* of the looks; EXIT_SUCCESS: complete */
};

/* --- looking ------------------------------------------------------------------------------------- */

static bool take_event(void *userdata, const struct logs_event *event)
{
    struct trial *trial = userdata;

    if (survey_add(&trial->survey, event->timestamp, event->message, NULL) < 0)
        trial->out_of_memory = true;
    return !trial->out_of_memory;
}

/* Two looks fail for two reasons: the first is the exit status. */
static void look_failed(struct trial *trial, int status)
{
    if (trial->status == EXIT_SUCCESS)
        trial->status = status;
}

static void look_at(struct trial *trial, struct session *session, const char *log_group)
{
    const struct logs_filter_request request = {
        .log_group = log_group,
        .filter_pattern = trial->wants_all ? NULL : pattern_filter(trial->environment->pattern),
        .start = trial->from,
        .priority = AWS_ROUTINE,
    };
    struct logs_filter_result result;
    _cleanup_free_ char *what = NULL;

    session_filter(session, &request, take_event, trial, &result);
    if (result.error.kind != AWS_OK) {
        if (asprintf(&what, "read log group %s%s", log_group,
                     result.n_events > 0 ? " to the end" : "") < 0)
            what = NULL;
        look_failed(trial, session_tell(what ? what : "read a log group", LOGS_FILTER_LOG_EVENTS,
                                        &result.error));
    } else if (!result.exhausted && !trial->out_of_memory) {
        ctl_error("log group %s: not read to the end, for there is too much; try a later --since",
                  log_group);
        look_failed(trial, EXIT_FAILURE);
    }
}

static void look(struct trial *trial, const struct config *config)
{
    const struct config_environment *environment = trial->environment;
    struct session session;

    if (session_open(config, &session) < 0)
        look_failed(trial, EXIT_FAILURE);
    for (size_t i = 0; session.connection.aws && i < environment->n_log_groups; i++) {
        if (!session.is_interrupted && !trial->out_of_memory)
            look_at(trial, &session, environment->log_groups[i]);
    }
    if (session.is_interrupted)
        look_failed(trial, EXIT_FAILURE);
    session_close(&session);
}

/* A NUL would end the message for us; AWS does not send any. */
static void tame(char *line, size_t *length)
{
    if (*length > 0 && line[*length - 1] == '\n')
        line[--*length] = '\0';
    if (*length > 0 && line[*length - 1] == '\r')
        line[--*length] = '\0';
    for (size_t i = 0; i < *length; i++) {
        if (!line[i])
            line[i] = ' ';
    }
}

static void read_lines(struct trial *trial)
{
    bool is_stdin = strcmp(trial->file, "-") == 0;
    _cleanup_fclose_ FILE *in = fopen(is_stdin ? "/dev/stdin" : trial->file, "re");
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    ssize_t n;

    if (!in) {
        ctl_error("cannot read %s: %s", trial->file, strerror(errno));
        look_failed(trial, EXIT_FAILURE);
        return;
    }
    while ((n = getline(&line, &size, in)) >= 0 && !trial->out_of_memory) {
        size_t length = (size_t)n;
        tame(line, &length);
        if (survey_add(&trial->survey, WALL_NEVER, line, NULL) < 0)
            trial->out_of_memory = true;
    }
    if (ferror(in)) {
        ctl_error("cannot read %s to the end: %s", trial->file, strerror(errno));
        look_failed(trial, EXIT_FAILURE);
    }
}

/* --- for people ---------------------------------------------------------------------------------- */

static void print_text(const struct terminal *terminal, const char *text, bool is_regex)
{
    const char *mark = is_regex ? "/" : "\"";

    fputs(mark, terminal->out);
    terminal_write(terminal, COLOUR_NONE, text, 0);
    fputs(mark, terminal->out);
}

static void print_heading(const struct trial *trial)
{
    const struct terminal *terminal = &trial->ctl->terminal;
    const struct config_environment *environment = trial->environment;
    char from[MOMENT_TEXT_MAX];

    terminal_write(terminal, COLOUR_BOLD, environment->name, 0);
    fputs(": ", terminal->out);
    if (trial->pattern->n_items > 0) {
        fputs("pattern ", terminal->out);
        print_text(terminal, trial->pattern->items[0].text,
                   trial->pattern->items[0].form == CONFIG_REGEX);
    } else {
        fputs("no pattern, every event", terminal->out);
    }
    fputs(", in ", terminal->out);
    if (trial->file) {
        terminal_write(terminal, COLOUR_NONE, trial->file, 0);
    } else {
        for (size_t i = 0; i < environment->n_log_groups; i++) {
            fputs(i > 0 ? ", " : "", terminal->out);
            terminal_write(terminal, COLOUR_NONE, environment->log_groups[i], 0);
        }
        fprintf(terminal->out, " since %s", moment_format(trial->from, from));
    }
    fputs("\n\n", terminal->out);
}

static void print_examples(const struct trial *trial, const struct survey_kind *kind)
{
    const struct terminal *terminal = &trial->ctl->terminal;

    for (size_t i = 0; i < kind->n_examples; i++) {
        const struct survey_example *example = survey_example(kind, i);
        char time[MOMENT_TEXT_MAX];
        size_t indent = 4;

        fputs("    ", terminal->out);
        if (wall_is_set(example->time))
            indent += (size_t)fprintf(terminal->out, "%s  ", moment_format(example->time, time));
        terminal_write(terminal, COLOUR_DIM, example->message,
                       terminal->width > indent ? terminal->width - indent : 0);
        fputc('\n', terminal->out);
    }
    if (kind->n > kind->n_examples && kind->n_examples > 0)
        fprintf(terminal->out, "    ... and %zu before\n", kind->n - kind->n_examples);
}

static void print_kind(const struct trial *trial, enum survey_verdict verdict, const char *title,
                       enum colour colour)
{
    const struct terminal *terminal = &trial->ctl->terminal;
    const struct survey_kind *kind = &trial->survey.kinds[verdict];

    fprintf(terminal->out, "%s%7zu%s  %s\n", terminal_begin(terminal, colour), kind->n,
            terminal_end(terminal, colour), title);
    print_examples(trial, kind);
}

static void print_excluded(const struct trial *trial)
{
    const struct terminal *terminal = &trial->ctl->terminal;

    print_kind(trial, SURVEY_EXCLUDED, "excluded, no activity", COLOUR_YELLOW);
    for (size_t i = 0; i < trial->survey.n_excludes; i++) {
        const struct survey_exclude *exclude = &trial->survey.excludes[i];
        fprintf(terminal->out, "%11zu  by ", exclude->n);
        print_text(terminal, exclude->text, exclude->is_regex);
        fputc('\n', terminal->out);
    }
}

/* How long it could have slept; what to do if that is nothing. */
static void print_conclusion(struct trial *trial)
{
    const int64_t window_ms = trial->environment->window_ms;
    const int64_t span_ms = wall_since(trial->to, trial->from);
    FILE *out = trial->ctl->terminal.out;
    char window[DURATION_TEXT_MAX], span[DURATION_TEXT_MAX], text[DURATION_TEXT_MAX];
    struct survey_quiet quiet = survey_quiet(&trial->survey, trial->from, trial->to, window_ms);

    if (trial->survey.kinds[SURVEY_ACTIVITY].n == 0 && trial->status == EXIT_SUCCESS)
        fputs("\nNothing would have counted as activity. If somebody was there, the pattern is "
              "wrong: "
              "upper and\nlower case are told apart.\n",
              out);
    if (!quiet.is_known || trial->file || trial->status != EXIT_SUCCESS || span_ms <= 0)
        return;
    /* To the minute: more says nothing. */
    duration_format(quiet.longest_ms / MS_PER_MINUTE * MS_PER_MINUTE, text);
    duration_format(window_ms, window);
    duration_format((span_ms + MS_PER_MINUTE / 2) / MS_PER_MINUTE * MS_PER_MINUTE, span);
    fprintf(out, "\nThe longest time without activity was %s; the window is %s.\n", text, window);
    if (quiet.asleep_ms == 0) {
        fputs("It would never have slept. If some of this activity is health checks, monitors or "
              "bots, "
              "add them\nto `exclude`.\n",
              out);
        return;
    }
    duration_format(quiet.asleep_ms / MS_PER_MINUTE * MS_PER_MINUTE, text);
    fprintf(out, "It could have slept for about %s of these %s (%.0f %%).\n", text, span,
            100.0 * (double)quiet.asleep_ms / (double)span_ms);
}

static void print_for_people(struct trial *trial)
{
    print_heading(trial);
    print_kind(trial, SURVEY_ACTIVITY, "activity", COLOUR_GREEN);
    print_excluded(trial);
    if (trial->file || trial->wants_all)
        print_kind(trial, SURVEY_NO_MATCH, "without the pattern", COLOUR_NONE);
    else if (trial->survey.kinds[SURVEY_NO_MATCH].n > 0)
        print_kind(trial, SURVEY_NO_MATCH,
                   "let through by CloudWatch's coarser filter, but without the pattern",
                   COLOUR_NONE);
    print_conclusion(trial);
    if (trial->status != EXIT_SUCCESS)
        fputs("\nNot everything could be read: there may be more of each.\n",
              trial->ctl->terminal.out);
}

/* --- for programs -------------------------------------------------------------------------------- */

static int add_time(struct json_object *object, const char *name, struct wall time)
{
    char text[WALL_TEXT_MAX];

    if (!wall_is_set(time))
        return 0;
    return json_add(object, name, json_object_new_string(wall_format_iso(time, text)));
}

static int add_examples(struct json_object *object, const struct survey_kind *kind)
{
    _cleanup_json_ struct json_object *list = json_object_new_array();
    int r = list ? 0 : -ENOMEM;

    for (size_t i = 0; i < kind->n_examples && r == 0; i++) {
        const struct survey_example *example = survey_example(kind, i);
        struct json_object *item = json_object_new_object();
        if (!item)
            return -ENOMEM;
        r = add_time(item, "time", example->time);
        if (r == 0)
            r = json_add(item, "message", json_object_new_string(example->message));
        if (r == 0)
            r = json_append(list, item);
        else
            json_object_put(item);
    }
    return r < 0 ? r : json_add(object, "examples", TAKE(list));
}

static int add_kind(struct json_object *object, const char *name, const struct survey_kind *kind)
{
    _cleanup_json_ struct json_object *item = json_object_new_object();
    int r;

    if (!item)
        return -ENOMEM;
    if ((r = json_add(item, "count", json_object_new_int64((int64_t)kind->n))) < 0 ||
        (r = add_time(item, "first", kind->first)) < 0 ||
        (r = add_time(item, "last", kind->last)) < 0 || (r = add_examples(item, kind)) < 0)
        return r;
    return json_add(object, name, TAKE(item));
}

static int add_excludes(struct json_object *object, const struct survey *survey)
{
    _cleanup_json_ struct json_object *list = json_object_new_array();
    int r = list ? 0 : -ENOMEM;

    for (size_t i = 0; i < survey->n_excludes && r == 0; i++) {
        const struct survey_exclude *exclude = &survey->excludes[i];
        struct json_object *item = json_object_new_object();
        if (!item)
            return -ENOMEM;
        if ((r = json_add(item, "text", json_object_new_string(exclude->text))) < 0 ||
            (r = json_add(item, "isRegex", json_object_new_boolean(exclude->is_regex))) < 0 ||
            (r = json_add(item, "count", json_object_new_int64((int64_t)exclude->n))) < 0)
            json_object_put(item);
        else
            r = json_append(list, item);
    }
    return r < 0 ? r : json_add(object, "excludes", TAKE(list));
}

static int describe(struct trial *trial, struct json_object *object)
{
    const struct survey_quiet quiet =
        survey_quiet(&trial->survey, trial->from, trial->to, trial->environment->window_ms);
    const struct survey_kind *kinds = trial->survey.kinds;
    bool is_complete = trial->status == EXIT_SUCCESS;
    int r;

    if ((r = json_add(object, "environment", json_object_new_string(trial->environment->name))) <
            0 ||
        (r = json_add(object, "complete", json_object_new_boolean(is_complete))) < 0 ||
        (r = add_kind(object, "activity", &kinds[SURVEY_ACTIVITY])) < 0 ||
        (r = add_kind(object, "excluded", &kinds[SURVEY_EXCLUDED])) < 0 ||
        (r = add_kind(object, "noMatch", &kinds[SURVEY_NO_MATCH])) < 0 ||
        (r = add_excludes(object, &trial->survey)) < 0)
        return r;
    if (trial->file || !quiet.is_known || !is_complete)
        return 0;
    if ((r = add_time(object, "from", trial->from)) < 0 ||
        (r = add_time(object, "to", trial->to)) < 0 ||
        (r = json_add(object, "longestQuietMs", json_object_new_int64(quiet.longest_ms))) < 0)
        return r;
    return json_add(object, "couldSleepMs", json_object_new_int64(quiet.asleep_ms));
}

static int print_for_programs(struct trial *trial)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();

    if (!object || describe(trial, object) < 0) {
        ctl_error("out of memory");
        return EXIT_FAILURE;
    }
    return ctl_print_json(TAKE(object));
}

/* --- the verb ------------------------------------------------------------------------------------ */

static int try_pattern(struct trial *trial, const struct config *config)
{
    size_t index = (size_t)(trial->environment - config->environments);

    trial->pattern = &config->origins->environments[index].pattern;
    int r = survey_begin(config, trial->environment, trial->n_examples, &trial->survey);
    if (r == 0 && trial->file)
        read_lines(trial);
    else if (r == 0)
        look(trial, config);
    if (r < 0 || trial->out_of_memory) {
        ctl_error("out of memory");
        trial->status = EXIT_FAILURE;
    } else if (trial->ctl->json) {
        int status = print_for_programs(trial);
        look_failed(trial, status);
    } else {
        print_for_people(trial);
    }
    survey_clear(&trial->survey);
    return trial->status;
}

/* Returns false if it is no number of examples. */
static bool read_n_examples(const char *text, size_t *ret)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || n > SURVEY_EXAMPLES_MAX)
        return false;
    *ret = n;
    return true;
}

static int verb_test_pattern(struct ctl *ctl, int argc, char **argv)
{
    enum { OPTION_SINCE = 1, OPTION_EXAMPLES, OPTION_ALL, OPTION_FILE };
    static const struct option OPTIONS[] = {CTL_OPTION_CONFIG,
                                            CTL_OPTION_JSON,
                                            CTL_OPTION_HELP,
                                            {"since", required_argument, NULL, OPTION_SINCE},
                                            {"examples", required_argument, NULL, OPTION_EXAMPLES},
                                            {"all", no_argument, NULL, OPTION_ALL},
                                            {"file", required_argument, NULL, OPTION_FILE},
                                            {0}};
    struct trial trial = {.ctl = ctl, .to = moment_now(), .n_examples = EXAMPLES};
    const char *since = SINCE;
    struct config *config;
    int option;

    while ((option = ctl_option(ctl, argc, argv, OPTIONS)) != CTL_OPTIONS_END) {
        switch (option) {
        case OPTION_SINCE:
            since = optarg;
            break;
        case OPTION_EXAMPLES:
            if (!read_n_examples(optarg, &trial.n_examples))
                return ctl_usage_error(ctl, "--examples %s: a number up to %d", optarg,
                                       SURVEY_EXAMPLES_MAX);
            break;
        case OPTION_ALL:
            trial.wants_all = true;
            break;
        case OPTION_FILE:
            trial.file = optarg;
            break;
        default:
            return ctl->status;
        }
    }
    if (!ctl_takes_arguments(ctl, argc, argv, 1, 1))
        return ctl->status;
    if (moment_parse(since, trial.to, MOMENT_PAST, &trial.from) < 0)
        return ctl_usage_error(ctl, "--since %s: not a moment in the past, " MOMENT_FORMS, since);
    if (ctl_load_config(ctl, &config) < 0)
        return EX_CONFIG;
    trial.environment = ctl_find_environment(config, argv[optind]);
    int status = trial.environment ? try_pattern(&trial, config) : EXIT_FAILURE;
    config_free(config);
    return status;
}

const struct verb VERB_TEST_PATTERN = {
    .name = "test-pattern",
    .synopsis = "ENV [--since TIME | --file LOG] [--examples N] [--all] [--json]",
    .summary = "What would have counted as activity, and what not",
    .help = HELP,
    .run = verb_test_pattern,
};
