/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/insights.h"
#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/*
 * Insights queries: Scheduled, Running, ended. A query looks at its time range from the oldest to
 * the newest while it runs, and sees of each moment what could be read when it came there: an event
 * ingested behind its back stays unseen. So results follow from the time of asking alone, and never
 * change once the query is Complete.
 */

#define LOG_GROUPS_MAX 50
#define QUERY_TEXT_MAX 10000
#define QUERY_LIMIT_MAX 10000
#define QUERIES_KEPT_MAX 20000 /* the oldest go first */
#define DESCRIBE_MAX 1000

struct sim_query *sim_query_free(struct sim_query *query)
{
    if (!query)
        return NULL;
    free(query->text);
    insights_query_free(query->program);
    for (size_t i = 0; i < query->n_log_groups; i++)
        free(query->log_groups[i]);
    free(query->log_groups);
    free(query);
    return NULL;
}

DEFINE_CLEANUP(struct sim_query *, sim_query_free)
DEFINE_CLEANUP(struct insights_run *, insights_run_free)

static struct sim_query *find_query(const struct sim *sim, const char *id)
{
    /* The serial is the last group of the id; queries lie in its order. */
    const char *last = strrchr(id, '-');
    uint64_t serial = last ? strtoull(last + 1, NULL, 16) : 0;
    size_t low = 0, high = sim->n_queries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sim->queries[middle]->serial < serial)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sim->n_queries && strcmp(sim->queries[low]->id, id) == 0 ? sim->queries[low]
                                                                          : NULL;
}

const struct sim_query *sim_query_find(const struct sim *sim, const char *id)
{
    return find_query(sim, id);
}

static bool is_active(const struct sim_query *query, struct wall now)
{
    int64_t age_ms = wall_since(now, query->created);
    return now.ms < query->stopped.ms &&
           (query->end == SIM_QUERY_NEVER_ENDS || age_ms < query->scheduled_ms + query->running_ms);
}

const char *sim_query_status(const struct sim_query *query, struct wall now)
{
    if (now.ms >= query->stopped.ms)
        return "Cancelled";
    if (wall_since(now, query->created) < query->scheduled_ms)
        return "Scheduled";
    if (is_active(query, now))
        return "Running";
    switch (query->end) {
    case SIM_QUERY_FAILS:
        return "Failed";
    case SIM_QUERY_IS_CANCELLED:
        return "Cancelled";
    case SIM_QUERY_TIMES_OUT:
        return "Timeout";
    case SIM_QUERY_BECOMES_UNKNOWN:
        return "Unknown";
    default:
        return "Complete";
    }
}

size_t sim_queries_active(const struct sim *sim, struct wall now)
{
    size_t n = 0;
    for (size_t i = 0; i < sim->n_queries; i++)
        n += is_active(sim->queries[i], now);
    return n;
}

static void forget_old_queries(struct sim *sim, struct wall now)
{
    size_t n = 0;
    while (n < sim->n_queries &&
           (sim->n_queries - n >= QUERIES_KEPT_MAX ||
            wall_since(now, sim->queries[n]->created) > sim->settings.query_retention_ms))
        sim_query_free(sim->queries[n++]);
    if (n == 0)
        return;
    memmove(sim->queries, sim->queries + n, (sim->n_queries - n) * sizeof(struct sim_query *));
    sim->n_queries -= n;
}

/* The log groups' names, from whichever of the three parameters was used. */
static int read_log_groups(struct sim_call *call, struct json_object **ret_list,
                           const char **ret_name)
{
    struct json_object *names = NULL, *identifiers = NULL;
    const char *name = NULL;
    int r = sim_parameter_string(call, "logGroupName", SIM_OPTIONAL, 1, 512, &name);
    if (r == 0)
        r = sim_parameter_strings(call, "logGroupNames", 1, LOG_GROUPS_MAX, &names);
    if (r == 0)
        r = sim_parameter_strings(call, "logGroupIdentifiers", 1, LOG_GROUPS_MAX, &identifiers);
    if (r != 0)
        return r;
    if ((name != NULL) + (names != NULL) + (identifiers != NULL) != 1)
        return sim_refuse(call, "InvalidParameterException",
                          "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must "
                          "be specified.");
    *ret_name = name;
    *ret_list = names ? names : identifiers;
    return 0;
}

static int add_log_group(struct sim *sim, struct sim_call *call, struct sim_query *query,
                         const char *name)
{
    const struct sim_log_group *group = sim_log_group_find(sim, name);
    if (!group)
        return sim_refuse(call, "ResourceNotFoundException",
                          "Log group '%.512s' does not exist for account ID '%s'", name,
                          sim->account);
    /* AWS has nothing to look at before the group was made, and says so this way. */
    if (query->end_ms / MS_PER_SECOND < group->created_ms / MS_PER_SECOND)
        return sim_refuse(call, "MalformedQueryException",
                          "Query's end date and time is either before the log groups creation time "
                          "or exceeds the log groups log retention settings ([%lld,%lld])",
                          (long long)(query->end_ms / MS_PER_SECOND),
                          (long long)(group->created_ms / MS_PER_SECOND));
    query->log_groups[query->n_log_groups] = strdup(group->name);
    return query->log_groups[query->n_log_groups] ? (query->n_log_groups++, 0) : -ENOMEM;
}

static int find_log_groups(struct sim *sim, struct sim_call *call, struct sim_query *query)
{
    struct json_object *list = NULL;
    const char *name = NULL;
    int r = read_log_groups(call, &list, &name);
    if (r != 0)
        return r;
    size_t n = list ? json_object_array_length(list) : 1;
    query->log_groups = calloc(n, sizeof(char *));
    if (!query->log_groups)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_log_group(sim, call, query,
                          list ? json_object_get_string(json_object_array_get_idx(list, i)) : name);
    return r;
}

/* Beside the message AWS gives the place: queryCompileError. */
static int refuse_malformed(struct sim_call *call, const char *error, size_t at)
{
    call->error_members = json_object_new_object();
    if (!call->error_members)
        return -ENOMEM;
    struct json_object *compile = json_object_new_object(), *location = NULL;
    int r = sim_json_add(call->error_members, "queryCompileError", compile);
    if (r == 0) {
        location = json_object_new_object();
        r = sim_json_add(compile, "location", location);
    }
    if (r == 0)
        r = sim_json_add_int(location, "startCharOffset", (int64_t)at);
    if (r == 0)
        r = sim_json_add_int(location, "endCharOffset", (int64_t)at);
    if (r == 0)
        r = sim_json_add_string(compile, "message", error);
    return r < 0 ? r : sim_refuse(call, "MalformedQueryException", "%s", error);
}

static int compile_query(struct sim_call *call, struct sim_query *query)
{
    static const char *const languages[] = {"CWLI", NULL};
    const char *text = NULL, *language = NULL;
    _cleanup_free_ char *error = NULL;
    size_t at = 0;
    int r = sim_parameter_enum(call, "queryLanguage", languages, &language);
    if (r == 0)
        r = sim_parameter_string(call, "queryString", SIM_REQUIRED, 0, QUERY_TEXT_MAX, &text);
    if (r != 0)
        return r;
    query->text = strdup(text);
    if (!query->text)
        return -ENOMEM;
    r = insights_query_new(text, &query->program, &error, &at);
    return r == -EINVAL ? refuse_malformed(call, error, at) : r;
}

static int read_times(struct sim_call *call, struct sim_query *query)
{
    const int64_t max_s = INT64_MAX / 4 / MS_PER_SECOND;
    int64_t start_s = 0, end_s = 0;
    query->limit = QUERY_LIMIT_MAX;
    int r = sim_parameter_integer(call, "startTime", SIM_REQUIRED, 0, max_s, &start_s);
    if (r == 0)
        r = sim_parameter_integer(call, "endTime", SIM_REQUIRED, 0, max_s, &end_s);
    if (r == 0)
        r = sim_parameter_integer(call, "limit", SIM_OPTIONAL, 1, QUERY_LIMIT_MAX, &query->limit);
    if (r == 0 && end_s < start_s)
        r = sim_refuse(call, "InvalidParameterException",
                       "endTime must not be before startTime: %lld is less than %lld.",
                       (long long)end_s, (long long)start_s);
    query->start_ms = start_s * MS_PER_SECOND;
    query->end_ms = end_s * MS_PER_SECOND;
    return r;
}

static int check_concurrency(struct sim *sim, struct sim_call *call)
{
    if ((int64_t)sim_queries_active(sim, call->now) < sim->settings.query_concurrency &&
        !sim_fault_fires(sim, call, SIM_FAULT_QUERY_LIMIT_EXCEEDED, NULL))
        return 0;
    return sim_refuse(call, "LimitExceededException",
                      "Account maximum query concurrency limit of [%lld] reached.",
                      (long long)sim->settings.query_concurrency);
}

static void mark_query(struct sim *sim, struct sim_call *call, struct sim_query *query)
{
    enum sim_fault_kind kind;
    query->scheduled_ms = sim->settings.query_scheduled_ms;
    query->running_ms = sim->settings.query_running_ms;
    query->unknown_ms = sim->settings.query_unknown_ms;
    query->stopped = SIM_FOREVER;
    if (sim_fault_fires_among(sim, call, SIM_FAULT_QUERY_FAILED, SIM_FAULT_QUERY_NEVER_ENDS, &kind,
                              NULL))
        query->end = (enum sim_query_end)(SIM_QUERY_FAILS + (kind - SIM_FAULT_QUERY_FAILED));
    query->no_statistics = sim_fault_fires(sim, call, SIM_FAULT_QUERY_NO_STATISTICS, NULL);
    query->partial_shrinks = sim_fault_fires(sim, call, SIM_FAULT_QUERY_PARTIAL_SHRINKS, NULL);
    (void)sim_fault_fires(sim, call, SIM_FAULT_QUERY_ID_UNKNOWN, &query->unknown_ms);
}

int sim_start_query(struct sim *sim, struct sim_call *call)
{
    _cleanup_(sim_query_free) struct sim_query *query = calloc(1, sizeof(*query));
    if (!query)
        return -ENOMEM;
    int r = read_times(call, query);
    if (r == 0)
        r = compile_query(call, query);
    if (r == 0)
        r = find_log_groups(sim, call, query);
    if (r == 0)
        r = check_concurrency(sim, call);
    if (r != 0)
        return r;
    forget_old_queries(sim, call->now);
    if (SIM_GROW(sim->queries, sim->queries_allocated, sim->n_queries + 1) < 0)
        return -ENOMEM;
    sim_uuid(sim, query->id);
    query->serial = sim->next_serial;
    query->created = call->now;
    mark_query(sim, call, query);

    call->result = json_object_new_object();
    if (!call->result || sim_json_add_string(call->result, "queryId", query->id) < 0)
        return -ENOMEM;
    sim->queries[sim->n_queries++] = TAKE(query);
    return 0;
}

/* The query that the call is about; one too young is not known. */
static int read_query(struct sim *sim, struct sim_call *call, struct sim_query **ret)
{
    const char *id = NULL;
    int r = sim_parameter_string(call, "queryId", SIM_REQUIRED, 1, 256, &id);
    if (r != 0)
        return r;
    struct sim_query *query = find_query(sim, id);
    int64_t age_ms = query ? wall_since(call->now, query->created) : 0;
    if (!query || age_ms < query->unknown_ms || age_ms > sim->settings.query_retention_ms)
        return sim_refuse(call, "ResourceNotFoundException", "Query id %.100s does not exist", id);
    *ret = query;
    return 0;
}

struct statistics {
    double matched, scanned, bytes;
};

/* When the query comes to look at a moment of its range. */
static int64_t looked_at_ms(const struct sim_query *query, int64_t timestamp_ms)
{
    double range = (double)(query->end_ms - query->start_ms) + 1;
    double share = (double)(timestamp_ms - query->start_ms) / range;
    return query->created.ms + query->scheduled_ms + (int64_t)(share * (double)query->running_ms);
}

static int run_over_group(const struct sim *sim, const struct sim_query *query,
                          const struct sim_log_group *group, int64_t until_ms,
                          struct insights_run *run, struct statistics *statistics)
{
    char log[640];
    snprintf(log, sizeof(log), "%s:%s", sim->account, group->name);
    for (size_t i = sim_events_lower_bound(group, query->start_ms); i < group->n_events; i++) {
        const struct sim_event *event = &group->events[i];
        if (event->timestamp_ms > query->end_ms)
            break;
        int64_t looked_ms = looked_at_ms(query, event->timestamp_ms);
        if (looked_ms > until_ms)
            break;
        if (event->ingestion_ms > looked_ms)
            continue;
        struct insights_record record = {
            .timestamp_ms = event->timestamp_ms,
            .ingestion_ms = event->ingestion_ms,
            .message = event->message,
            .log_stream = group->streams[event->stream].name,
            .log = log,
            .id = event->id,
        };
        int r = insights_run_take(run, &record);
        if (r < 0)
            return r;
        statistics->scanned += 1;
        statistics->matched += r;
        statistics->bytes += event->message_size;
    }
    return 0;
}

/* Until when its looking counts, as seen at `now`; before the start there is nothing. */
static int64_t progress_ms(const struct sim_query *query, struct wall now)
{
    int64_t begin_ms = query->created.ms + query->scheduled_ms;
    int64_t end_ms = begin_ms + query->running_ms;
    int64_t half_ms = begin_ms + query->running_ms / 2;
    bool ended = !is_active(query, now);

    if (ended && (query->end == SIM_QUERY_FAILS || query->end == SIM_QUERY_BECOMES_UNKNOWN))
        return INT64_MIN;
    if (ended && (query->end == SIM_QUERY_TIMES_OUT || query->end == SIM_QUERY_IS_CANCELLED))
        return half_ms;
    int64_t until_ms = now.ms < query->stopped.ms ? now.ms : query->stopped.ms;
    if (query->end == SIM_QUERY_NEVER_ENDS)
        return until_ms < half_ms ? until_ms : half_ms;
    if (query->partial_shrinks && until_ms >= half_ms && until_ms < end_ms)
        return INT64_MIN;
    return until_ms < end_ms ? until_ms : INT64_MAX;
}

static int evaluate(const struct sim *sim, const struct sim_query *query, struct wall now,
                    struct json_object **ret_rows, struct statistics *ret_statistics)
{
    _cleanup_(insights_run_free) struct insights_run *run = NULL;
    int64_t until_ms = progress_ms(query, now);
    int r = insights_run_new(query->program, query->limit, &run);
    for (size_t i = 0; r == 0 && i < query->n_log_groups && until_ms != INT64_MIN; i++) {
        const struct sim_log_group *group = sim_log_group_find(sim, query->log_groups[i]);
        if (group)
            r = run_over_group(sim, query, group, until_ms, run, ret_statistics);
    }
    return r < 0 ? r : insights_run_rows(run, ret_rows);
}

static int add_statistics(struct sim_call *call, const struct sim_query *query,
                          const struct statistics *statistics)
{
    const struct {
        const char *name;
        double value;
    } members[] = {
        {"recordsMatched", statistics->matched},
        {"recordsScanned", statistics->scanned},
        {"estimatedRecordsSkipped", 0},
        {"bytesScanned", statistics->bytes},
        {"estimatedBytesSkipped", 0},
        {"logGroupsScanned", (double)query->n_log_groups},
    };
    struct json_object *object = json_object_new_object();
    int r = sim_json_add(call->result, "statistics", object);
    for (size_t i = 0; r == 0 && i < ARRAY_LENGTH(members); i++)
        r = sim_json_add_double(object, members[i].name, members[i].value);
    return r;
}

/* maxItems and nextToken cut the rows into pages. */
static int page_rows(struct sim_call *call, struct json_object *rows)
{
    int64_t max_items = 0;
    const char *token = NULL;
    size_t start = 0, n = json_object_array_length(rows);
    int r = sim_parameter_integer(call, "maxItems", SIM_OPTIONAL, 0, QUERY_LIMIT_MAX, &max_items);
    if (r == 0)
        r = sim_parameter_string(call, "nextToken", SIM_OPTIONAL, 0, 1024, &token);
    if (r == 0 && token && *token && sim_list_token_parse(token, &start) < 0)
        r = sim_refuse(call, "InvalidParameterException", "The specified nextToken is invalid.");
    if (r != 0)
        return r;
    if (start > n)
        start = n;
    if (max_items > 0 && n - start > (size_t)max_items) {
        char next[SIM_TOKEN_MAX];
        sim_list_token_format(start + (size_t)max_items, next);
        r = sim_json_add_string(call->result, "nextToken", next);
        json_object_array_del_idx(rows, start + (size_t)max_items, n - start - (size_t)max_items);
    }
    if (start > 0)
        json_object_array_del_idx(rows, 0, start);
    return r;
}

int sim_get_query_results(struct sim *sim, struct sim_call *call)
{
    struct sim_query *query;
    struct json_object *rows = NULL;
    struct statistics statistics = {0};
    int r = read_query(sim, call, &query);
    if (r == 0)
        r = evaluate(sim, query, call->now, &rows, &statistics);
    if (r != 0)
        return r;
    call->result = json_object_new_object();
    if (!call->result) {
        json_object_put(rows);
        return -ENOMEM;
    }
    r = sim_json_add(call->result, "results", rows);
    if (r == 0)
        r = page_rows(call, rows);
    if (r == 0)
        r = sim_json_add_string(call->result, "queryLanguage", "CWLI");
    if (r == 0 && !query->no_statistics)
        r = add_statistics(call, query, &statistics);
    if (r == 0)
        r = sim_json_add_string(call->result, "status", sim_query_status(query, call->now));
    return r;
}

int sim_stop_query(struct sim *sim, struct sim_call *call)
{
    struct sim_query *query;
    int r = read_query(sim, call, &query);
    if (r != 0)
        return r;
    if (!is_active(query, call->now))
        return sim_refuse(call, "InvalidParameterException",
                          "Provided query with ID %s has already ended.", query->id);
    query->stopped = call->now;
    call->result = json_object_new_object();
    return call->result ? sim_json_add_bool(call->result, "success", true) : -ENOMEM;
}

static int describe_query(const struct sim_query *query, struct wall now,
                          struct json_object *object)
{
    int r = sim_json_add_string(object, "queryLanguage", "CWLI");
    if (r == 0)
        r = sim_json_add_string(object, "queryId", query->id);
    if (r == 0)
        r = sim_json_add_string(object, "queryString", query->text);
    if (r == 0)
        r = sim_json_add_string(object, "status", sim_query_status(query, now));
    if (r == 0)
        r = sim_json_add_int(object, "createTime", query->created.ms);
    return r == 0 ? sim_json_add_string(object, "logGroupName", query->log_groups[0]) : r;
}

static bool query_reads(const struct sim_query *query, const char *log_group)
{
    for (size_t i = 0; i < query->n_log_groups; i++)
        if (strcmp(query->log_groups[i], log_group) == 0)
            return true;
    return false;
}

int sim_describe_queries(struct sim *sim, struct sim_call *call)
{
    static const char *const statuses[] = {"Scheduled", "Running", "Complete", "Failed",
                                           "Cancelled", "Timeout", "Unknown",  NULL};
    const char *log_group = NULL, *status = NULL, *token = NULL;
    int64_t limit = DESCRIBE_MAX;
    size_t start = 0;
    int r = sim_parameter_string(call, "logGroupName", SIM_OPTIONAL, 1, 512, &log_group);
    if (r == 0)
        r = sim_parameter_enum(call, "status", statuses, &status);
    if (r == 0)
        r = sim_parameter_integer(call, "maxResults", SIM_OPTIONAL, 1, DESCRIBE_MAX, &limit);
    if (r == 0)
        r = sim_parameter_string(call, "nextToken", SIM_OPTIONAL, 1, SIM_TOKEN_MAX, &token);
    if (r == 0 && token && sim_list_token_parse(token, &start) < 0)
        r = sim_refuse(call, "InvalidParameterException", "The specified nextToken is invalid.");
    if (r != 0)
        return r;

    call->result = json_object_new_object();
    struct json_object *list = call->result ? json_object_new_array() : NULL;
    r = call->result ? sim_json_add(call->result, "queries", list) : -ENOMEM;
    for (size_t i = start; r == 0 && i < sim->n_queries; i++) { /* newest first */
        const struct sim_query *query = sim->queries[sim->n_queries - 1 - i];
        if ((log_group && !query_reads(query, log_group)) ||
            (status && strcmp(status, sim_query_status(query, call->now)) != 0))
            continue;
        if (limit-- == 0) {
            char next[SIM_TOKEN_MAX];
            sim_list_token_format(i, next);
            return sim_json_add_string(call->result, "nextToken", next);
        }
        struct json_object *object = json_object_new_object();
        r = sim_json_append(list, object);
        if (r == 0)
            r = describe_query(query, call->now, object);
    }
    return r;
}
