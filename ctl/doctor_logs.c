/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "config/config_report.h"
#include "ctl/doctor.h"
#include "ctl/noise.h"
#include "ctl/survey.h"
#include "json.h"

/* The log groups, and what the pattern makes of what is in them. */

#define EXAMPLES 3
#define EVENTS_MAX 20000 /* of a search: enough to know what it is like */
#define NOISES_MAX 8     /* different ones to tell of */
#define EXAMPLE_MAX 300  /* bytes of a message */

/* Lateness is that of so recent events: what was sent again after an outage, years later, is no rule. */
#define LATENESS_SPAN_MS MS_PER_HOUR

struct noise_count {
    struct noise noise;
    size_t n;
    struct wall first, last, previous;
    int64_t longest_gap_ms;
};

struct look {
    struct doctor *doctor;
    const struct config_environment *environment;
    struct survey survey;
    struct noise_count noises[NOISES_MAX];
    size_t n_noises;
    size_t n_events;
    int64_t latest_ms; /* the longest that an event took to appear; -1: not seen */
    size_t n_readable; /* log groups */
    bool is_cut;       /* there is more than was looked at */
    int r;
};

/* --- what is in them ----------------------------------------------------------------------------- */

static void count_noise(struct look *look, const struct noise *noise, struct wall when)
{
    struct noise_count *count = look->noises;

    while (count < look->noises + look->n_noises &&
           strcmp(count->noise.exclude, noise->exclude) != 0)
        count++;
    if (count == look->noises + look->n_noises) {
        if (look->n_noises == NOISES_MAX)
            return;
        look->n_noises++;
        *count = (struct noise_count){.noise = *noise, .first = when, .previous = when};
    }
    count->n++;
    count->last = when;
    if (wall_since(when, count->previous) > count->longest_gap_ms)
        count->longest_gap_ms = wall_since(when, count->previous);
    count->previous = when;
}

static void measure_lateness(struct look *look, const struct logs_event *event)
{
    if (!wall_is_set(event->ingestion))
        return;
    int64_t late_ms = wall_since(event->ingestion, event->timestamp);
    if (late_ms > look->latest_ms)
        look->latest_ms = late_ms;
}

static bool take_event(void *userdata, const struct logs_event *event)
{
    struct look *look = userdata;
    enum survey_verdict verdict;
    struct noise noise;

    look->r = survey_add(&look->survey, event->timestamp, event->message, &verdict);
    if (look->r < 0)
        return false;
    measure_lateness(look, event);
    if (verdict == SURVEY_ACTIVITY && noise_recognise(event->message, &noise))
        count_noise(look, &noise, event->timestamp);
    look->is_cut = ++look->n_events >= EVENTS_MAX;
    return !look->is_cut;
}

static bool take_any_event(void *userdata, const struct logs_event *event)
{
    struct look *look = userdata;

    measure_lateness(look, event);
    return ++look->n_events < EVENTS_MAX;
}

/* --- one log group ------------------------------------------------------------------------------- */

/* Of its class, and of names that may have been meant; both told by DescribeLogGroups. */
static int describe_group(struct look *look, const char *log_group, struct answer *ret)
{
    const char *name = strstr(log_group, ":log-group:");
    char prefix[513];

    name = name ? name + strlen(":log-group:") : log_group;
    /* By the folder: a slip is mostly in what comes last. */
    const char *slash = strrchr(name, '/');
    size_t length = slash && slash > name ? (size_t)(slash - name) : strlen(name);
    snprintf(prefix, sizeof(prefix), "%.*s", (int)length, name);
    return doctor_ask_list(look->doctor, LOGS_DESCRIBE_LOG_GROUPS,
                           doctor_parameters("logGroupNamePrefix", prefix, NULL), "nextToken",
                           "logGroups", ret);
}

static int tell_missing_group(struct look *look, const char *log_group)
{
    struct answer answer;
    const char *best = NULL;
    struct finding *finding =
        findings_add(look->doctor->findings, look->environment->name, "log group", FINDING_FAILED,
                     "there is no log group \"%s\" in %s of account %s", log_group,
                     look->doctor->region, look->doctor->account);
    int r = describe_group(look, log_group, &answer);

    if (r < 0)
        return r;
    for (size_t i = 0; answer.body && i < json_object_array_length(answer.body); i++) {
        const char *name;
        if (json_get_string(json_object_array_get_idx(answer.body, i), "logGroupName", &name) == 0)
            config_suggest(log_group, name, &best);
    }
    if (best)
        finding_advise(finding, "did you mean \"%s\"?", best);
    else
        finding_advise(finding, "correct `log_group`, or let it be written to first; it is made by "
                                "awslogs-create-group, or by hand");
    answer_clear(&answer);
    return 0;
}

/* FilterLogEvents was refused: for the class of the log group? */
static int tell_refused_group(struct look *look, const char *log_group,
                              const struct aws_error *error)
{
    struct answer answer;
    const char *class = "";
    struct finding *finding;
    int r = describe_group(look, log_group, &answer);

    if (r < 0)
        return r;
    for (size_t i = 0; answer.body && i < json_object_array_length(answer.body); i++) {
        struct json_object *group = json_object_array_get_idx(answer.body, i);
        const char *name;
        if (json_get_string(group, "logGroupName", &name) == 0 && strcmp(name, log_group) == 0)
            (void)json_get_string(group, "logGroupClass", &class);
    }
    if (*class && strcmp(class, "STANDARD") != 0) {
        finding = findings_add(
            look->doctor->findings, look->environment->name, "log group", FINDING_FAILED,
            "%s is of class %s, which FilterLogEvents does not read", log_group, class);
        finding_advise(finding,
                       "the class of a log group cannot be changed: have the log written to "
                       "a new one of class STANDARD");
    } else {
        doctor_tell_error(look->doctor, look->environment->name, "log group",
                          LOGS_FILTER_LOG_EVENTS, error);
    }
    answer_clear(&answer);
    return 0;
}

static int tell_group(struct look *look, const char *log_group, const struct aws_error *error)
{
    char resource[DOCTOR_ARN_MAX];

    switch (error->kind) {
    case AWS_OK:
        look->n_readable++;
        return 0;
    case AWS_ERROR_DENIED:
        doctor_log_group_arn(look->doctor, log_group, resource);
        doctor_tell_denied(look->doctor, look->environment->name, LOGS_FILTER_LOG_EVENTS, resource,
                           error);
        return 0;
    case AWS_ERROR_NOT_FOUND:
        look->doctor->is_log_missing = true;
        return tell_missing_group(look, log_group);
    case AWS_ERROR_REQUEST:
        return tell_refused_group(look, log_group, error);
    default:
        doctor_tell_error(look->doctor, look->environment->name, "log group",
                          LOGS_FILTER_LOG_EVENTS, error);
        return 0;
    }
}

/* With the environment's filter, or for any event at all. */
static void search(struct look *look, const char *log_group, struct wall from, bool any,
                   struct logs_filter_result *result)
{
    const struct logs_filter_request request = {
        .log_group = log_group,
        .filter_pattern = any ? NULL : pattern_filter(look->environment->pattern),
        .start = from,
        .priority = AWS_ROUTINE,
    };

    look->n_events = 0;
    session_filter(&look->doctor->session, &request, any ? take_any_event : take_event, look,
                   result);
}

/* --- what follows from it ------------------------------------------------------------------------ */

static void add_examples(struct finding *finding, const struct survey_kind *kind, const char *title)
{
    for (size_t i = 0; i < kind->n_examples; i++) {
        const struct survey_example *example = survey_example(kind, i);
        char time[WALL_TEXT_MAX];
        finding_detail(finding, FINDING_EXAMPLE, "%s %s  %.*s", title,
                       wall_format_iso(example->time, time), EXAMPLE_MAX, example->message);
    }
}

static void tell_excluded(const struct look *look, struct finding *finding)
{
    const struct survey *survey = &look->survey;

    for (size_t i = 0; i < survey->n_excludes; i++)
        if (survey->excludes[i].n > 0)
            finding_detail(finding, FINDING_NOTE, "excluded %zu by %s", survey->excludes[i].n,
                           survey->excludes[i].text);
    if (survey->kinds[SURVEY_EXCLUDED].n_examples > 0) {
        const struct survey_example *example = survey_example(&survey->kinds[SURVEY_EXCLUDED], 0);
        finding_detail(finding, FINDING_EXAMPLE, "excluded  %.*s", EXAMPLE_MAX, example->message);
    }
}

static void tell_pattern(const struct look *look)
{
    const struct survey *survey = &look->survey;
    char span[DURATION_TEXT_MAX];
    struct finding *finding;
    size_t n = survey->kinds[SURVEY_ACTIVITY].n;

    duration_format(look->doctor->since_ms, span);
    if (n > 0) {
        finding =
            findings_add(look->doctor->findings, look->environment->name, "pattern", FINDING_OK,
                         "of the events of the last %s, %zu%s are activity, %zu excluded", span, n,
                         look->is_cut ? " and more" : "", survey->kinds[SURVEY_EXCLUDED].n);
        add_examples(finding, &survey->kinds[SURVEY_ACTIVITY], "activity");
        tell_excluded(look, finding);
        return;
    }
    finding = findings_add(look->doctor->findings, look->environment->name, "pattern",
                           FINDING_WARNING, "no event of the last %s is activity; %zu excluded",
                           span, survey->kinds[SURVEY_EXCLUDED].n);
    add_examples(finding, &survey->kinds[SURVEY_NO_MATCH], "no match");
    tell_excluded(look, finding);
    finding_advise(finding,
                   "if somebody was there, correct `pattern` or `exclude`: nobody would wake it; "
                   "`provisionerctl test-pattern %s --all` shows what the log has",
                   look->environment->name);
}

/* It comes again before the window is over, for as long as a window at least. */
static bool keeps_awake(const struct look *look, const struct noise_count *count)
{
    int64_t window_ms = look->environment->window_ms;

    return wall_since(count->last, count->first) >= window_ms && count->longest_gap_ms < window_ms;
}

static void tell_noise(const struct look *look)
{
    for (size_t i = 0; i < look->n_noises; i++) {
        const struct noise_count *count = &look->noises[i];
        bool for_good = keeps_awake(look, count);
        struct finding *finding = findings_add(
            look->doctor->findings, look->environment->name, "noise",
            for_good ? FINDING_FAILED : FINDING_WARNING,
            "%zu of the activity is \"%s\": %s, by the looks of it; %s", count->n,
            count->noise.exclude, count->noise.who,
            for_good ? "it never pauses for a window, so the environment would never sleep"
                     : "it wakes the environment, and keeps it awake");
        finding_advise(finding, "add to `exclude`: \"%s\"", count->noise.exclude);
    }
    if (look->n_noises == 0 && look->survey.kinds[SURVEY_ACTIVITY].n > 0)
        findings_add(look->doctor->findings, look->environment->name, "noise", FINDING_OK,
                     "no health check, monitor or crawler that is known by name is activity");
}

/* The next of the round durations. */
static int64_t round_up(int64_t duration_ms)
{
    int64_t step_ms = duration_ms > 5 * MS_PER_MINUTE ? MS_PER_MINUTE : 10 * MS_PER_SECOND;

    return (duration_ms / step_ms + 1) * step_ms;
}

static void tell_lateness(const struct look *look)
{
    const struct config_environment *environment = look->environment;
    char seen[DURATION_TEXT_MAX], set[DURATION_TEXT_MAX], window[DURATION_TEXT_MAX];
    struct finding *finding;

    if (look->latest_ms < 0) {
        findings_add(look->doctor->findings, environment->name, "lateness", FINDING_UNKNOWN,
                     "no event was seen to tell how late events appear");
        return;
    }
    duration_format(look->latest_ms, seen);
    duration_format(environment->lateness_ms, set);
    duration_format(environment->window_ms, window);
    if (look->latest_ms >= environment->window_ms) {
        finding =
            findings_add(look->doctor->findings, environment->name, "lateness", FINDING_FAILED,
                         "an event appeared %s after it happened, the window is %s: whoever is "
                         "there would be taken for gone",
                         seen, window);
        finding_advise(finding,
                       "make `window` several times as long, or see why the log is so late");
    } else if (look->latest_ms > environment->lateness_ms) {
        finding =
            findings_add(look->doctor->findings, environment->name, "lateness", FINDING_WARNING,
                         "an event appeared %s after it happened, `lateness` allows %s", seen, set);
        duration_format(round_up(look->latest_ms), seen);
        finding_advise(finding, "set `lateness = %s`", seen);
    } else {
        findings_add(look->doctor->findings, environment->name, "lateness", FINDING_OK,
                     "events appear within %s; `lateness` is %s, the window %s", seen, set, window);
    }
}

/* --- all of them --------------------------------------------------------------------------------- */

static int look_at(struct look *look, const char *log_group, struct wall now)
{
    struct logs_filter_result result;
    int r;

    search(look, log_group, wall_add(now, -look->doctor->since_ms), false, &result);
    if (look->r < 0)
        return look->r;
    r = tell_group(look, log_group, &result.error);
    if (r < 0 || result.error.kind != AWS_OK)
        return r;
    /* What the pattern does not match tells of lateness as well. */
    if (look->latest_ms < 0 || look->survey.kinds[SURVEY_ACTIVITY].n == 0)
        search(look, log_group, wall_add(now, -LATENESS_SPAN_MS), true, &result);
    return 0;
}

int doctor_check_logs(struct doctor *doctor, const struct config_environment *environment)
{
    struct look look = {.doctor = doctor, .environment = environment, .latest_ms = -1};
    int r = survey_begin(doctor->config, environment, EXAMPLES, &look.survey);
    struct wall now = aws_now(doctor->session.connection.aws);

    doctor->is_log_missing = false;
    for (size_t i = 0; i < environment->n_log_groups && r == 0 && !doctor->is_cut_off; i++)
        r = look_at(&look, environment->log_groups[i], now);
    if (r == 0 && !doctor->is_cut_off && look.n_readable > 0) {
        if (look.n_readable == environment->n_log_groups) {
            findings_add(doctor->findings, environment->name, "permission", FINDING_OK,
                         "logs:FilterLogEvents on all its log groups is permitted");
            findings_add(doctor->findings, environment->name, "log group", FINDING_OK,
                         "%zu there and of a class that FilterLogEvents reads", look.n_readable);
        }
        tell_pattern(&look);
        tell_noise(&look);
        tell_lateness(&look);
    }
    survey_clear(&look.survey);
    return r;
}
