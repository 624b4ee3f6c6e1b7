/* SPDX-License-Identifier: MIT */
/* provisionerctl explain */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "control.h"
#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/earlier.h"
#include "ctl/journal.h"
#include "ctl/moment.h"
#include "json.h"

/* So far before the moment of --at its decision is looked for. */
#define LOOK_BACK_MS (60 * MS_PER_DAY)

static const char HELP[] = "  --at TIME       what was decided then, from the journal: 2h (ago), "
                           "03:00, \"2026-11-24 03:00\"\n"
                           "  --json          for programs\n"
                           "  --socket PATH   the daemon's socket, in place of the system bus\n"
                           "  --directory DIR with --at: read the journal files in DIR\n"
                           "  --help          print this\n"
                           "\n"
                           "The decision of this moment as a chain of facts: what AWS was asked, "
                           "when, what it said, which\n"
                           "rule decides, and what would change it.\n"
                           "\n"
                           "Examples:\n"
                           "  provisionerctl explain staging\n"
                           "  provisionerctl explain staging --json\n"
                           "  provisionerctl explain staging --at 03:00\n";

#define QUESTIONS_MAX 8

/* A question to AWS; the texts are the message's. */
struct question {
    const char *operation;
    int is_running;
    const char *finding;
    uint64_t began, from, to;
    const char *trouble;
};

struct explanation {
    const char *reason, *text, *remedy;
    uint64_t checked;
    const char *check_reason, *check_text;
    struct question questions[QUESTIONS_MAX];
    size_t n_questions;
};

static int take_questions(sd_bus_message *message, struct explanation *ret)
{
    int r = sd_bus_message_enter_container(message, 'a', "(sbsttts)");

    while (r >= 0 && ret->n_questions < QUESTIONS_MAX) {
        struct question *question = &ret->questions[ret->n_questions];

        r = sd_bus_message_read(message, "(sbsttts)", &question->operation, &question->is_running,
                                &question->finding, &question->began, &question->from,
                                &question->to, &question->trouble);
        if (r == 0)
            break;
        ret->n_questions++;
    }
    return r;
}

static int take_explanation(sd_bus_message *message, struct explanation *ret)
{
    int r = sd_bus_message_read(message, "sss(tss)", &ret->reason, &ret->text, &ret->remedy,
                                &ret->checked, &ret->check_reason, &ret->check_text);

    return r < 0 ? r : take_questions(message, ret);
}

static struct wall moment_of(uint64_t microseconds)
{
    return microseconds == 0 ? WALL_NEVER : (struct wall){(int64_t)(microseconds / 1000)};
}

/* --- for people --------------------------------------------------------------------------------- */

static const char *in_words(const struct question *question)
{
    if (question->trouble[0])
        return question->trouble;
    if (strcmp(question->finding, "match") == 0)
        return "activity";
    if (strcmp(question->finding, "no-match") == 0)
        return strcmp(question->operation, "DescribeServices") == 0 ? "read" : "nothing matched";
    if (strcmp(question->finding, "not-asked") == 0)
        return question->is_running ? "under way" : "not asked yet";
    return "no answer that can be trusted";
}

static void print_question(const struct ctl *ctl, const struct question *question)
{
    char began[MOMENT_TEXT_MAX] = "-", from[MOMENT_TEXT_MAX], to[MOMENT_TEXT_MAX];

    if (question->began)
        moment_format(moment_of(question->began), began);
    fprintf(ctl->terminal.out, "  %-19s  %-16s  ", began, question->operation);
    (void)terminal_write(&ctl->terminal, question->trouble[0] ? COLOUR_RED : COLOUR_NONE,
                         in_words(question), 0);
    if (question->from)
        fprintf(ctl->terminal.out, " from %s%s%s", moment_format(moment_of(question->from), from),
                question->to ? " to " : " on",
                question->to ? moment_format(moment_of(question->to), to) : "");
    if (question->is_running && strcmp(question->finding, "not-asked") != 0)
        fputs("; asked again, and under way", ctl->terminal.out);
    fputc('\n', ctl->terminal.out);
}

static void print_labelled(const struct ctl *ctl, const char *label, enum colour colour,
                           const char *text)
{
    fprintf(ctl->terminal.out, "%s: ", label);
    (void)terminal_write(&ctl->terminal, colour, text, 0);
    fputc('\n', ctl->terminal.out);
}

static int print_people(const struct ctl *ctl, const struct daemon_environment *environment,
                        const struct explanation *explanation)
{
    char when[MOMENT_TEXT_MAX];

    (void)terminal_write(&ctl->terminal, COLOUR_BOLD, environment->name, 0);
    fprintf(ctl->terminal.out, " is %s (%s)\n\n", environment->state, explanation->reason);
    print_labelled(ctl, "Because", COLOUR_NONE, explanation->text);
    if (explanation->checked) {
        fprintf(ctl->terminal.out,
                "The check of %s: ", moment_format(moment_of(explanation->checked), when));
        (void)terminal_write(&ctl->terminal, COLOUR_NONE, explanation->check_text, 0);
        fputc('\n', ctl->terminal.out);
    }
    print_labelled(ctl, "It takes", COLOUR_NONE, explanation->remedy);
    fputs("\nAsked of AWS:\n", ctl->terminal.out);
    for (size_t i = 0; i < explanation->n_questions; i++)
        print_question(ctl, &explanation->questions[i]);
    return EXIT_SUCCESS;
}

/* --- for programs ------------------------------------------------------------------------------- */

static int add_text(struct json_object *object, const char *name, const char *text)
{
    return json_add(object, name, json_object_new_string(text));
}

static int add_moment(struct json_object *object, const char *name, uint64_t microseconds)
{
    char text[WALL_TEXT_MAX];

    return microseconds ? add_text(object, name, wall_format_iso(moment_of(microseconds), text))
                        : 0;
}

static struct json_object *question_json(const struct question *question)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();

    if (!object || add_text(object, "operation", question->operation) < 0 ||
        json_add(object, "is_running", json_object_new_boolean(question->is_running)) < 0 ||
        add_text(object, "finding", question->finding) < 0 ||
        add_moment(object, "began", question->began) < 0 ||
        add_moment(object, "from", question->from) < 0 ||
        add_moment(object, "to", question->to) < 0 ||
        (question->trouble[0] && add_text(object, "trouble", question->trouble) < 0))
        return NULL;
    return TAKE(object);
}

static struct json_object *check_json(const struct explanation *explanation)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();

    if (!object || add_moment(object, "at", explanation->checked) < 0 ||
        add_text(object, "reason", explanation->check_reason) < 0 ||
        add_text(object, "text", explanation->check_text) < 0)
        return NULL;
    return TAKE(object);
}

static int print_json(const struct daemon_environment *environment,
                      const struct explanation *explanation)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();
    _cleanup_json_ struct json_object *questions = json_object_new_array();
    int r = object && questions ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < explanation->n_questions; i++)
        r = json_append(questions, question_json(&explanation->questions[i]));
    if (r < 0 || add_text(object, "name", environment->name) < 0 ||
        add_text(object, "state", environment->state) < 0 ||
        add_text(object, "reason", explanation->reason) < 0 ||
        add_text(object, "text", explanation->text) < 0 ||
        add_text(object, "remedy", explanation->remedy) < 0 ||
        (explanation->checked && json_add(object, "last_check", check_json(explanation)) < 0) ||
        json_add(object, "questions", TAKE(questions)) < 0) {
        ctl_error("out of memory");
        return EXIT_FAILURE;
    }
    return ctl_print_json(TAKE(object));
}

/* --- the verb ----------------------------------------------------------------------------------- */

static int explain(const struct ctl *ctl, const struct daemon *daemon,
                   const struct daemon_environment *environment)
{
    struct explanation explanation = {0};
    sd_bus_message *reply = NULL;
    int status = daemon_call(daemon, environment->path, CONTROL_ENVIRONMENT_INTERFACE, "Explain",
                             &reply, NULL);

    if (status != EXIT_SUCCESS)
        return status;
    int r = take_explanation(reply, &explanation);
    if (r < 0) {
        ctl_error("cannot understand what provisionerd says: %s", strerror(-r));
        status = EX_UNAVAILABLE;
    } else {
        status = ctl->json ? print_json(environment, &explanation)
                           : print_people(ctl, environment, &explanation);
    }
    sd_bus_message_unref(reply);
    return status;
}

static int explain_now(const struct ctl *ctl, const char *name)
{
    struct daemon_environment environment = {0};
    struct daemon daemon;
    int status = daemon_open(ctl, &daemon);

    if (status != EXIT_SUCCESS)
        return status;
    status = daemon_read(&daemon, name, &environment);
    if (status == EXIT_SUCCESS)
        status = explain(ctl, &daemon, &environment);
    daemon_environment_clear(&environment);
    daemon_close(&daemon);
    return status;
}

static int show_earlier(const struct ctl *ctl, const struct timeline *timeline, const char *name,
                        struct wall moment)
{
    struct earlier earlier = earlier_find(timeline, name, moment);
    char when[MOMENT_TEXT_MAX];

    if (!earlier.decision && !earlier.next) {
        ctl_error("the journal knows nothing of \"%s\" around %s%s", name,
                  moment_format(moment, when),
                  journal_is_hidden() ? "; you may not read all of it: be root, or in group "
                                        "systemd-journal"
                                      : "");
        return EXIT_FAILURE;
    }
    if (!ctl->json) {
        earlier_print(&earlier, name, moment, &ctl->terminal);
        return EXIT_SUCCESS;
    }
    struct json_object *object = earlier_json(&earlier, name, moment);
    if (!object) {
        ctl_error("out of memory");
        return EXIT_FAILURE;
    }
    return ctl_print_json(object);
}

static int explain_earlier(const struct ctl *ctl, const char *name, const char *directory,
                           struct wall moment)
{
    const struct journal_source source = {.directory = directory, .unit = JOURNAL_UNIT};
    struct timeline timeline = {0};
    const char *what;
    int status = EXIT_FAILURE;
    int r = journal_read(&source, wall_add(moment, -LOOK_BACK_MS), &timeline, &what);

    if (r < 0)
        ctl_error("cannot %s: %s", what, strerror(-r));
    else
        status = show_earlier(ctl, &timeline, name, moment);
    timeline_clear(&timeline);
    return status;
}

static int verb_explain(struct ctl *ctl, int argc, char **argv)
{
    enum { OPTION_AT = 1, OPTION_DIRECTORY };
    static const struct option OPTIONS[] = {
        CTL_OPTION_CONFIG,
        CTL_OPTION_JSON,
        CTL_OPTION_SOCKET,
        CTL_OPTION_HELP,
        {"at", required_argument, NULL, OPTION_AT},
        {"directory", required_argument, NULL, OPTION_DIRECTORY},
        {0}};
    const char *directory = NULL;
    struct wall moment = WALL_NEVER;
    int option;

    while ((option = ctl_option(ctl, argc, argv, OPTIONS)) != CTL_OPTIONS_END) {
        switch (option) {
        case OPTION_AT:
            if (moment_parse(optarg, moment_now(), MOMENT_PAST, &moment) < 0)
                return ctl_usage_error(ctl, "--at %s: not a moment in the past, " MOMENT_FORMS,
                                       optarg);
            break;
        case OPTION_DIRECTORY:
            directory = optarg;
            break;
        default:
            return ctl->status;
        }
    }
    if (!ctl_takes_arguments(ctl, argc, argv, 1, 1))
        return ctl->status;
    return wall_is_set(moment) ? explain_earlier(ctl, argv[optind], directory, moment)
                               : explain_now(ctl, argv[optind]);
}

const struct verb VERB_EXPLAIN = {
    .name = "explain",
    .synopsis = "ENV [--at TIME] [--json]",
    .summary = "Why an environment is, or was, awake or asleep, fact by fact",
    .help = HELP,
    .run = verb_explain,
};
