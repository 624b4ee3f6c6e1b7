/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/discover.h"
#include "ctl/init.h"
#include "ctl/moment.h"
#include "ctl/propose.h"

#define SAMPLE_SLICES 6
#define SAMPLE_EVENTS 2000 /* of a slice */

/* --- log groups ---------------------------------------------------------------------------------- */

/* The likeliest first; the order is kept among alike ones. Returns whether one is likelier than all
 * others. */
static bool sort_by_likeness(const struct init *init, struct texts *groups)
{
    for (size_t i = 1; i < groups->n_items; i++) {
        char *group = groups->items[i];
        int likeness = discover_likeness(group, init->cluster_name);
        size_t place = i;
        for (; place > 0 &&
               discover_likeness(groups->items[place - 1], init->cluster_name) < likeness;
             place--)
            groups->items[place] = groups->items[place - 1];
        groups->items[place] = group;
    }
    int best = groups->n_items > 0 ? discover_likeness(groups->items[0], init->cluster_name) : 0;
    return best > 0 &&
           (groups->n_items == 1 || discover_likeness(groups->items[1], init->cluster_name) < best);
}

static bool choose_log_group(struct init *init, struct texts *groups)
{
    size_t chosen;

    if (groups->n_items == 0) {
        ctl_error("there is no log group of class STANDARD in this account and region");
        return init_fail(init, EXIT_FAILURE);
    }
    size_t proposed = sort_by_likeness(init, groups) ? 0 : SIZE_MAX;
    if (!init_choose(init, "Log group in which requests leave their traces", "--log-group", groups,
                     proposed, &chosen))
        return false;
    int r = texts_add(&init->draft.log_groups, groups->items[chosen]);
    return r == 0 ? true : init_fail_with(init, r);
}

bool init_find_log_groups(struct init *init)
{
    struct texts groups = {0};
    struct aws_error error;
    bool ok = true;

    if (init->log_groups) {
        int r = texts_split(init->log_groups, INIT_SEPARATORS, &init->draft.log_groups);
        if (r < 0)
            return init_fail_with(init, r);
    } else {
        discover_log_groups(&init->session, NULL, &groups, &error);
        ok = error.kind == AWS_OK ? choose_log_group(init, &groups)
                                  : init_fail(init, session_tell("list the log groups",
                                                                 LOGS_DESCRIBE_LOG_GROUPS, &error));
        texts_clear(&groups);
    }
    _cleanup_free_ char *text = texts_join(&init->draft.log_groups);
    if (ok)
        init_report("log group", "%s", text ? text : "");
    return ok;
}

/* --- the pattern --------------------------------------------------------------------------------- */

struct sample {
    struct propose *propose;
    struct wall end; /* where the next slice begins */
    size_t n_events;
    bool out_of_memory;
};

static bool take_event(void *userdata, const struct logs_event *event)
{
    struct sample *sample = userdata;

    if (event->timestamp.ms >= sample->end.ms || sample->n_events >= SAMPLE_EVENTS)
        return false;
    sample->n_events++;
    sample->out_of_memory = propose_add(sample->propose, event->message) < 0;
    return !sample->out_of_memory;
}

/* Events come oldest first: a slice of each part of the day, so that a night is not taken for it. */
static bool sample_log_group(struct init *init, const char *log_group, struct propose *propose)
{
    int64_t slice_ms = wall_since(moment_now(), init->from) / SAMPLE_SLICES + 1;

    for (int i = 0; i < SAMPLE_SLICES; i++) {
        struct wall start = wall_add(init->from, i * slice_ms);
        struct sample sample = {.propose = propose, .end = wall_add(start, slice_ms)};
        const struct logs_filter_request request = {
            .log_group = log_group, .start = start, .priority = AWS_ROUTINE};
        struct logs_filter_result result;

        session_filter(&init->session, &request, take_event, &sample, &result);
        if (sample.out_of_memory)
            return init_fail_with(init, -ENOMEM);
        if (result.error.kind != AWS_OK)
            return init_fail(
                init, session_tell("read the log group", LOGS_FILTER_LOG_EVENTS, &result.error));
    }
    return true;
}

static int ask_pattern(struct draft *draft)
{
    _cleanup_free_ char *proposed = NULL, *answer = NULL;
    const char *mark = draft->pattern_is_regex ? "/" : "";

    if (draft->pattern && asprintf(&proposed, "%s%s%s", mark, draft->pattern, mark) < 0) {
        proposed = NULL;
        return -ENOMEM;
    }
    int r = ask_text("Text of the events that are activity", proposed, &answer);
    if (r < 0 || !*answer || (proposed && strcmp(answer, proposed) == 0))
        return r;
    free(draft->pattern);
    texts_clear(&draft->pattern_notes);
    draft->pattern_is_regex = false;
    draft->pattern = TAKE(answer);
    return 0;
}

static void report_pattern(const struct draft *draft, const struct propose *propose)
{
    init_report("read",
                "%zu events: %zu health checks, monitors and crawlers, %zu files, %zu refused, "
                "%zu other requests",
                propose->n_messages, propose->n_noise, propose->n_files, propose->n_refused,
                propose->n_requests);
    for (size_t i = 0; i < propose->n_prefixes && i < PROPOSE_PARTS_MAX; i++)
        init_report(i == 0 ? "paths" : "", "%s  %zu", propose->prefixes[i].text,
                    propose->prefixes[i].n);
    for (size_t i = 0; i < propose->n_excludes; i++)
        init_report(i == 0 ? "exclude" : "", "\"%s\": %s, %zu events", propose->excludes[i].text,
                    propose->excludes[i].who, propose->excludes[i].n);
    if (draft->pattern)
        init_report("pattern", draft->pattern_is_regex ? "/%s/" : "\"%s\"", draft->pattern);
    else
        init_report("pattern", "none: %s",
                    draft->pattern_notes.n_items > 0 ? draft->pattern_notes.items[0] : "");
}

bool init_find_pattern(struct init *init)
{
    struct propose propose = {0};
    char *given = TAKE(init->draft.pattern);
    bool is_regex = init->draft.pattern_is_regex, ok = true;
    int r = 0;

    for (size_t i = 0; i < init->draft.log_groups.n_items && ok; i++)
        ok = sample_log_group(init, init->draft.log_groups.items[i], &propose);
    if (ok)
        r = propose_finish(&propose, &init->draft);
    if (ok && r == 0 && given) {
        free(init->draft.pattern);
        init->draft.pattern = TAKE(given);
        init->draft.pattern_is_regex = is_regex;
        texts_clear(&init->draft.pattern_notes);
    }
    if (ok && r == 0) {
        report_pattern(&init->draft, &propose);
        if (init->asks)
            r = ask_pattern(&init->draft);
    }
    free(given);
    propose_clear(&propose);
    return r < 0 ? init_fail_with(init, r) : ok;
}
