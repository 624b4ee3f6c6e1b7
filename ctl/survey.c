/* SPDX-License-Identifier: MIT */
#include "ctl/survey.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_options.h"

int survey_begin(const struct config *config, const struct config_environment *environment,
                 size_t n_examples, struct survey *ret)
{
    const struct config_items *items =
        &config->origins->environments[environment - config->environments].excludes;

    assert(n_examples <= SURVEY_EXAMPLES_MAX);
    *ret = (struct survey){.pattern = environment->pattern, .n_examples_wanted = n_examples};
    for (size_t i = 0; i < SURVEY_N_VERDICTS; i++)
        ret->kinds[i].first = ret->kinds[i].last = WALL_NEVER;
    ret->excludes = calloc(items->n_items + 1, sizeof(*ret->excludes));
    if (!ret->excludes)
        return -ENOMEM;
    for (size_t i = 0; i < items->n_items; i++)
        ret->excludes[ret->n_excludes++] = (struct survey_exclude){
            .text = items->items[i].text, .is_regex = items->items[i].form == CONFIG_REGEX};
    return 0;
}

void survey_clear(struct survey *survey)
{
    free(survey->excludes);
    for (size_t i = 0; i < SURVEY_N_VERDICTS; i++) {
        for (size_t j = 0; j < survey->kinds[i].n_examples; j++)
            free(survey->kinds[i].examples[j].message);
    }
    free(survey->activity_times);
    *survey = (struct survey){0};
}

/* --- counting ------------------------------------------------------------------------------------ */

static enum survey_verdict judge(struct survey *survey, const char *message)
{
    const char *text;

    switch (pattern_judge(survey->pattern, message, &text)) {
    case PATTERN_ACTIVITY:
        return SURVEY_ACTIVITY;
    case PATTERN_OTHER:
        return SURVEY_NO_MATCH;
    case PATTERN_EXCLUDED:
        break;
    }
    for (size_t i = 0; i < survey->n_excludes; i++) {
        if (strcmp(survey->excludes[i].text, text) == 0) {
            survey->excludes[i].n++;
            break;
        }
    }
    return SURVEY_EXCLUDED;
}

static int keep_example(struct survey *survey, struct survey_kind *kind, struct wall time,
                        const char *message)
{
    struct survey_example *example;

    if (survey->n_examples_wanted == 0)
        return 0;
    char *copy = strdup(message);
    if (!copy)
        return -ENOMEM;
    if (kind->n_examples < survey->n_examples_wanted) {
        example = &kind->examples[kind->n_examples++];
    } else {
        example = &kind->examples[kind->oldest];
        kind->oldest = (kind->oldest + 1) % survey->n_examples_wanted;
        free(example->message);
    }
    *example = (struct survey_example){.time = time, .message = copy};
    return 0;
}

static int keep_time(struct survey *survey, struct wall time)
{
    if (!wall_is_set(time) || survey->n_activity_times == SURVEY_TIMES_MAX)
        return 0;
    if (survey->n_activity_times == survey->times_capacity) {
        size_t capacity = survey->times_capacity ? 2 * survey->times_capacity : 256;
        int64_t *times = reallocarray(survey->activity_times, capacity, sizeof(*times));
        if (!times)
            return -ENOMEM;
        survey->activity_times = times;
        survey->times_capacity = capacity;
    }
    survey->activity_times[survey->n_activity_times++] = time.ms;
    return 0;
}

int survey_add(struct survey *survey, struct wall time, const char *message,
               enum survey_verdict *ret)
{
    enum survey_verdict verdict = judge(survey, message);
    struct survey_kind *kind = &survey->kinds[verdict];

    kind->n++;
    if (wall_is_set(time)) {
        if (!wall_is_set(kind->first) || time.ms < kind->first.ms)
            kind->first = time;
        kind->last = wall_max(kind->last, time);
    }
    if (ret)
        *ret = verdict;
    int r = keep_example(survey, kind, time, message);
    if (r == 0 && verdict == SURVEY_ACTIVITY)
        r = keep_time(survey, time);
    return r;
}

const struct survey_example *survey_example(const struct survey_kind *kind, size_t i)
{
    return &kind->examples[(kind->oldest + i) % kind->n_examples];
}

/* --- how long it could have slept ---------------------------------------------------------------- */

static int compare_times(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

    return (one > other) - (one < other);
}

struct survey_quiet survey_quiet(struct survey *survey, struct wall from, struct wall to,
                                 int64_t window_ms)
{
    struct survey_quiet quiet = {.is_known =
                                     survey->n_activity_times == survey->kinds[SURVEY_ACTIVITY].n};
    int64_t before_ms = from.ms;

    if (survey->n_activity_times > 0)
        qsort(survey->activity_times, survey->n_activity_times, sizeof(int64_t), compare_times);
    for (size_t i = 0; i <= survey->n_activity_times; i++) {
        int64_t at_ms = i < survey->n_activity_times ? survey->activity_times[i] : to.ms;
        int64_t gap_ms = at_ms - before_ms;
        if (gap_ms > quiet.longest_ms)
            quiet.longest_ms = gap_ms;
        if (gap_ms > window_ms)
            quiet.asleep_ms += gap_ms - window_ms;
        before_ms = at_ms;
    }
    return quiet;
}
