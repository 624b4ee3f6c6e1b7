/* SPDX-License-Identifier: MIT */
/* provisionerctl history */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/journal.h"
#include "ctl/moment.h"

#define SINCE "7d"

static const char HELP[] =
    "  --since TIME       from when on (7d ago): 2h, 14:20, yesterday, \"2026-11-24 14:20\"\n"
    "  --updates          each UpdateService, too\n"
    "  --json             for programs: an array of all records\n"
    "  --unit NAME        the unit that provisionerd runs as (" JOURNAL_UNIT ")\n"
    "  --directory DIR    read the journal files in DIR\n"
    "  --file FILE        read one journal file\n"
    "  --help             print this\n"
    "\n"
    "Reads provisionerd's records in the journal. Without ENV, all environments follow each other, "
    "and\n"
    "then the daemon. To read the journal one has to be root or in group systemd-journal.\n"
    "\n"
    "Examples:\n"
    "  provisionerctl history\n"
    "  provisionerctl history staging --since yesterday\n"
    "  provisionerctl history staging --since 30d --json\n";

static int cannot(const struct journal_source *source, const char *what, int error)
{
    const char *place = source->file ? source->file : source->directory;

    ctl_error("cannot %s%s%s: %s%s", what, place ? " " : "", place ? place : "", strerror(-error),
              error == -EACCES || error == -EPERM
                  ? "; be root, or in group systemd-journal: usermod -aG systemd-journal USER, and "
                    "log in anew"
                  : "");
    return EXIT_FAILURE;
}

/* Why there may be nothing, or not all. */
static void explain_gaps(const struct journal_source *source, const struct timeline *timeline,
                         struct wall from)
{
    bool is_ours = !source->file && !source->directory;
    char since[MOMENT_TEXT_MAX];

    if (is_ours && journal_is_hidden())
        ctl_error("you may not read the system's journal: be root, or in group systemd-journal "
                  "(usermod -aG systemd-journal USER, and log in anew)");
    else if (timeline->n_records == 0)
        ctl_error("no record of unit %s since %s%s", source->unit, moment_format(from, since),
                  is_ours ? "; does it run? systemctl status provisionerd" : "");
    if (timeline->n_dropped > 0)
        ctl_error("%zu older records were left out; a later --since shows all",
                  timeline->n_dropped);
}

/* Whether there is something about what was asked for. */
static bool has_any(const struct timeline *timeline, const char *environment)
{
    for (size_t i = 0; i < timeline->n_records; i++) {
        const char *name = timeline->records[i].environment;
        if (!environment || (name && strcmp(name, environment) == 0))
            return true;
    }
    return false;
}

static int show(const struct ctl *ctl, const struct timeline *timeline,
                const struct timeline_options *options)
{
    struct json_object *list;
    int r;

    if (ctl->json) {
        r = timeline_json(timeline, options, &list);
        if (r == 0)
            return ctl_print_json(list);
    } else {
        r = timeline_print(timeline, options, &ctl->terminal);
    }
    if (r < 0)
        ctl_error("out of memory");
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int history(const struct ctl *ctl, const struct journal_source *source,
                   const struct timeline_options *options)
{
    struct timeline timeline = {0};
    const char *what;
    int status = EXIT_SUCCESS;
    int r = journal_read(source, options->from, &timeline, &what);

    if (r < 0) {
        status = cannot(source, what, r);
    } else {
        explain_gaps(source, &timeline, options->from);
        if (timeline.n_records > 0 && !has_any(&timeline, options->environment))
            ctl_error("no record of an environment \"%s\"", options->environment);
        if (ctl->json || has_any(&timeline, options->environment))
            status = show(ctl, &timeline, options);
        if (!has_any(&timeline, options->environment))
            status = EXIT_FAILURE;
    }
    timeline_clear(&timeline);
    return status;
}

static int verb_history(struct ctl *ctl, int argc, char **argv)
{
    enum { OPTION_SINCE = 1, OPTION_UPDATES, OPTION_UNIT, OPTION_DIRECTORY, OPTION_FILE };
    static const struct option OPTIONS[] = {
        CTL_OPTION_CONFIG,
        CTL_OPTION_JSON,
        CTL_OPTION_HELP,
        {"since", required_argument, NULL, OPTION_SINCE},
        {"updates", no_argument, NULL, OPTION_UPDATES},
        {"unit", required_argument, NULL, OPTION_UNIT},
        {"directory", required_argument, NULL, OPTION_DIRECTORY},
        {"file", required_argument, NULL, OPTION_FILE},
        {0}};
    struct journal_source source = {.unit = JOURNAL_UNIT};
    struct timeline_options options = {.to = moment_now()};
    const char *since = SINCE;
    int option;

    while ((option = ctl_option(ctl, argc, argv, OPTIONS)) != CTL_OPTIONS_END) {
        switch (option) {
        case OPTION_SINCE:
            since = optarg;
            break;
        case OPTION_UPDATES:
            options.wants_updates = true;
            break;
        case OPTION_UNIT:
            source.unit = optarg;
            break;
        case OPTION_DIRECTORY:
            source.directory = optarg;
            break;
        case OPTION_FILE:
            source.file = optarg;
            break;
        default:
            return ctl->status;
        }
    }
    if (!ctl_takes_arguments(ctl, argc, argv, 0, 1))
        return ctl->status;
    if (moment_parse(since, options.to, MOMENT_PAST, &options.from) < 0)
        return ctl_usage_error(ctl, "--since %s: not a moment in the past, " MOMENT_FORMS, since);
    options.environment = argv[optind];
    return history(ctl, &source, &options);
}

const struct verb VERB_HISTORY = {
    .name = "history",
    .synopsis = "[ENV] [--since TIME] [--updates] [--json]",
    .summary = "What happened to the environments, and why, as a timeline",
    .help = HELP,
    .run = verb_history,
};
