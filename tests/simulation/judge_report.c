/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"
#include "src/json.h"
#include "tests/simulation/judge.h"

/* The excerpt: so many calls, found among so many, and so much of what each asked. */
#define CALLS_TOLD 9
#define CALLS_SEARCHED 2000
#define PARAMETERS_TOLD 120

const char *judge_moment(struct wall moment, char text[static JUDGE_MOMENT_MAX])
{
    char iso[WALL_TEXT_MAX];

    wall_format_iso(moment, iso);
    if (!wall_is_set(moment))
        snprintf(text, JUDGE_MOMENT_MAX, "never");
    else
        snprintf(text, JUDGE_MOMENT_MAX, "%.19s.%03dZ", iso, (int)(moment.ms % MS_PER_SECOND));
    return text;
}

static bool query_is_about(const struct judge *judge, const struct judge_environment *environment,
                           const struct sim_call_record *record)
{
    for (size_t i = 0; i < judge->n_queries && i < JUDGE_QUERIES_KEPT; i++) {
        const struct judge_query *query = &judge->queries[i];

        if (!strstr(record->parameters, query->id))
            continue;
        for (size_t j = 0; j < query->n_groups; j++)
            for (size_t k = 0; k < environment->world->n_log_groups; k++)
                if (strcmp(query->groups[j]->name, environment->world->log_groups[k]) == 0)
                    return true;
    }
    return false;
}

static bool is_about(const struct judge *judge, const struct judge_environment *environment,
                     const struct sim_call_record *record)
{
    char quoted[1024];

    if (!environment)
        return true;
    snprintf(quoted, sizeof(quoted), "\"%s\"", environment->world->cluster);
    if (strstr(record->parameters, quoted))
        return true;
    for (size_t i = 0; i < environment->world->n_log_groups; i++) {
        snprintf(quoted, sizeof(quoted), "%s\"", environment->world->log_groups[i]);
        if (strstr(record->parameters, quoted))
            return true;
    }
    return query_is_about(judge, environment, record);
}

static void tell_calls(const struct judge *judge, const struct judge_environment *environment,
                       FILE *out)
{
    const struct sim *sim = judge->simulation->sim;
    const struct sim_call_record *told[CALLS_TOLD];
    size_t n = 0;
    uint64_t newest = sim_history_newest(sim);

    for (uint64_t i = 0; i < CALLS_SEARCHED && i < newest && n < CALLS_TOLD; i++) {
        const struct sim_call_record *record = sim_history_get(sim, newest - i);

        if (record && is_about(judge, environment, record))
            told[n++] = record;
    }
    while (n-- > 0) {
        char moment[JUDGE_MOMENT_MAX];

        fprintf(out, "\n    %s %s %d%s%s %.*s", judge_moment(told[n]->time, moment),
                told[n]->operation, told[n]->status, *told[n]->code ? " " : "", told[n]->code,
                PARAMETERS_TOLD, told[n]->parameters);
    }
}

void judge_report(struct judge *judge, const char *invariant,
                  const struct judge_environment *environment, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    char moment[JUDGE_MOMENT_MAX];
    va_list arguments;

    if (judge->simulation->violation)
        return; /* the first one counts */
    FILE *out = open_memstream(&text, &size);
    if (out) {
        fprintf(out, "%s: ", judge_moment(simulation_now(judge->simulation), moment));
        va_start(arguments, format);
        vfprintf(out, format, arguments);
        va_end(arguments);
        tell_calls(judge, environment, out);
        (void)fclose(out);
    }
    simulation_violation(judge->simulation, invariant, environment ? environment->world : NULL,
                         "%s", text ? text : "(no memory for the facts)");
}
