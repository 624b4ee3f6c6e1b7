/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/* CloudWatch Logs: groups, streams and PutLogEvents. Source: CloudWatch Logs API Reference. */

#define PAGE_MAX 50
#define STREAM_NAME_MAX 512
#define PUT_EVENTS_MAX 10000
#define PUT_BYTES_MAX ((int64_t)1 << 20)
#define PUT_EVENT_OVERHEAD 26
#define PUT_TOO_OLD_MS (14 * MS_PER_DAY)
#define PUT_TOO_NEW_MS (2 * MS_PER_HOUR)

static int find_group(struct sim *sim, struct sim_call *call, struct sim_log_group **ret)
{
    const char *name = NULL;
    int r = sim_parameter_string(call, "logGroupName", SIM_REQUIRED, 1, 512, &name);
    if (r != 0)
        return r;
    *ret = sim_log_group_find(sim, name);
    return *ret ? 0
                : sim_refuse(call, "ResourceNotFoundException",
                             "The specified log group does not exist.");
}

static struct sim_log_stream *find_stream(const struct sim_log_group *group, const char *name)
{
    for (size_t i = 0; i < group->n_streams; i++)
        if (strcmp(group->streams[i].name, name) == 0)
            return &group->streams[i];
    return NULL;
}

static int empty_result(struct sim_call *call)
{
    call->result = json_object_new_object();
    return call->result ? 0 : -ENOMEM;
}

static int create_log_group(struct sim *sim, struct sim_call *call)
{
    static const char *const classes[] = {"STANDARD", "INFREQUENT_ACCESS", NULL};
    const char *name = NULL, *class = "STANDARD";
    int r = sim_parameter_string(call, "logGroupName", SIM_REQUIRED, 1, 512, &name);
    if (r == 0)
        r = sim_parameter_enum(call, "logGroupClass", classes, &class);
    if (r != 0)
        return r;
    r = sim_log_group_add(sim, name, strcmp(class, "STANDARD") != 0, call->now, NULL);
    if (r == -EEXIST)
        return sim_refuse(call, "ResourceAlreadyExistsException",
                          "The specified log group already exists");
    if (r == -EINVAL)
        return sim_refuse(call, "InvalidParameterException",
                          "1 validation error detected: Value '%.512s' at 'logGroupName' failed to "
                          "satisfy constraint: Member must satisfy regular expression pattern: "
                          "[\\.\\-_/#A-Za-z0-9]+",
                          name);
    return r < 0 ? r : empty_result(call);
}

static int delete_log_group(struct sim *sim, struct sim_call *call)
{
    struct sim_log_group *group;
    int r = find_group(sim, call, &group);
    if (r == 0)
        r = sim_log_group_remove(sim, group->name);
    return r != 0 ? r : empty_result(call);
}

static int create_log_stream(struct sim *sim, struct sim_call *call)
{
    struct sim_log_group *group;
    const char *name = NULL;
    uint32_t index;
    int r = sim_parameter_string(call, "logStreamName", SIM_REQUIRED, 1, STREAM_NAME_MAX, &name);
    if (r == 0 && name[strcspn(name, ":*")])
        r = sim_refuse(call, "InvalidParameterException",
                       "1 validation error detected: Value '%.512s' at 'logStreamName' failed to "
                       "satisfy constraint: Member must satisfy regular expression pattern: [^:*]*",
                       name);
    if (r == 0)
        r = find_group(sim, call, &group);
    if (r != 0)
        return r;
    if (find_stream(group, name))
        return sim_refuse(call, "ResourceAlreadyExistsException",
                          "The specified log stream already exists");
    r = sim_log_stream_get(group, name, call->now, &index);
    return r < 0 ? r : empty_result(call);
}

/* One of logEvents[], its shape checked. */
static int read_event(struct sim_call *call, struct json_object *event, int64_t *ret_timestamp_ms,
                      const char **ret_message)
{
    if (json_get_int(event, "timestamp", ret_timestamp_ms) < 0 || *ret_timestamp_ms < 0)
        return sim_refuse(call, "InvalidParameterException",
                          "1 validation error detected: Value at 'logEvents.member.timestamp' "
                          "failed to satisfy constraint: Member must not be null");
    if (json_get_string(event, "message", ret_message) < 0 || !**ret_message)
        return sim_refuse(call, "InvalidParameterException",
                          "1 validation error detected: Value at 'logEvents.member.message' failed "
                          "to satisfy constraint: Member must have length greater than or equal "
                          "to 1");
    return 0;
}

/* Checks the whole batch, as it is taken whole or not at all. */
static int check_batch(struct sim_call *call, struct json_object *events)
{
    int64_t before_ms = 0, first_ms = 0, bytes = 0;
    size_t n = json_object_array_length(events);
    for (size_t i = 0; i < n; i++) {
        int64_t timestamp_ms = 0;
        const char *message = "";
        int r = read_event(call, json_object_array_get_idx(events, i), &timestamp_ms, &message);
        if (r != 0)
            return r;
        if (i == 0)
            first_ms = timestamp_ms;
        if (i > 0 && timestamp_ms < before_ms)
            return sim_refuse(call, "InvalidParameterException",
                              "Log events in a single PutLogEvents request must be in "
                              "chronological order.");
        before_ms = timestamp_ms;
        bytes += (int64_t)strlen(message) + PUT_EVENT_OVERHEAD;
    }
    if (before_ms - first_ms > MS_PER_DAY)
        return sim_refuse(call, "InvalidParameterException",
                          "The batch of log events in a single PutLogEvents request cannot span "
                          "more than 24 hours.");
    if (bytes > PUT_BYTES_MAX)
        return sim_refuse(call, "InvalidParameterException",
                          "Upload too large: %lld bytes exceeds limit of %lld", (long long)bytes,
                          (long long)PUT_BYTES_MAX);
    return 0;
}

/* Events that are too old come first, those too new last. */
static int put_batch(struct sim *sim, struct sim_call *call, struct sim_log_group *group,
                     const char *stream, struct json_object *events, size_t *ret_too_old_end,
                     size_t *ret_too_new_start)
{
    size_t n = json_object_array_length(events);
    *ret_too_old_end = 0;
    *ret_too_new_start = n;
    for (size_t i = 0; i < n; i++) {
        struct wall timestamp = WALL_NEVER;
        const char *message = "";
        int r = read_event(call, json_object_array_get_idx(events, i), &timestamp.ms, &message);
        if (r != 0)
            return r;
        if (wall_since(call->now, timestamp) > PUT_TOO_OLD_MS) {
            *ret_too_old_end = i + 1;
            continue;
        }
        if (wall_since(timestamp, call->now) > PUT_TOO_NEW_MS) {
            *ret_too_new_start = i;
            return 0;
        }
        r = sim_event_put_now(sim, group, stream, timestamp, call->now, message);
        if (r < 0)
            return r;
    }
    return 0;
}

static int put_log_events(struct sim *sim, struct sim_call *call)
{
    struct sim_log_group *group;
    const char *stream = NULL;
    struct json_object *events = NULL;
    size_t too_old_end, too_new_start;
    int r = sim_parameter_string(call, "logStreamName", SIM_REQUIRED, 1, STREAM_NAME_MAX, &stream);
    if (r == 0 && json_get_array(call->parameters, "logEvents", &events) < 0)
        r = sim_refuse(call, "InvalidParameterException",
                       "1 validation error detected: Value null at 'logEvents' failed to satisfy "
                       "constraint: Member must not be null");
    if (r == 0 && (json_object_array_length(events) == 0 ||
                   json_object_array_length(events) > PUT_EVENTS_MAX))
        r = sim_refuse(call, "InvalidParameterException",
                       "1 validation error detected: Value '[...]' at 'logEvents' failed to "
                       "satisfy constraint: Member must have length from 1 to %d",
                       PUT_EVENTS_MAX);
    if (r == 0)
        r = find_group(sim, call, &group);
    if (r == 0 && !find_stream(group, stream))
        r = sim_refuse(call, "ResourceNotFoundException",
                       "The specified log stream does not exist.");
    if (r == 0)
        r = check_batch(call, events);
    if (r == 0)
        r = put_batch(sim, call, group, stream, events, &too_old_end, &too_new_start);
    if (r == 0)
        r = empty_result(call);
    if (r == 0)
        r = sim_json_add_string(call->result, "nextSequenceToken",
                                "49590302938493020394857203948572039485720394857203948570");
    if (r != 0 || (too_old_end == 0 && too_new_start == json_object_array_length(events)))
        return r;

    struct json_object *rejected = json_object_new_object();
    if (sim_json_add(call->result, "rejectedLogEventsInfo", rejected) < 0)
        return -ENOMEM;
    if (too_old_end > 0)
        r = sim_json_add_int(rejected, "tooOldLogEventEndIndex", (int64_t)too_old_end);
    if (r == 0 && too_new_start < json_object_array_length(events))
        r = sim_json_add_int(rejected, "tooNewLogEventStartIndex", (int64_t)too_new_start);
    return r;
}

static int group_to_json(const struct sim *sim, const struct sim_log_group *group,
                         struct json_object *object)
{
    char arn[SIM_ARN_MAX], arn_star[SIM_ARN_MAX + 2];
    sim_log_group_arn(sim, group, arn);
    snprintf(arn_star, sizeof(arn_star), "%s:*", arn);
    int r = sim_json_add_string(object, "logGroupName", group->name);
    if (r == 0)
        r = sim_json_add_int(object, "creationTime", group->created_ms);
    if (r == 0)
        r = sim_json_add_int(object, "metricFilterCount", 0);
    if (r == 0)
        r = sim_json_add_string(object, "arn", arn_star);
    if (r == 0)
        r = sim_json_add_int(object, "storedBytes", group->stored_bytes);
    if (r == 0)
        r = sim_json_add_string(object, "logGroupClass",
                                group->infrequent_access ? "INFREQUENT_ACCESS" : "STANDARD");
    if (r == 0)
        r = sim_json_add_string(object, "logGroupArn", arn);
    return r;
}

static int stream_to_json(const struct sim *sim, const struct sim_log_group *group,
                          const struct sim_log_stream *stream, struct json_object *object)
{
    char group_arn[SIM_ARN_MAX], arn[2 * SIM_ARN_MAX];
    sim_log_group_arn(sim, group, group_arn);
    snprintf(arn, sizeof(arn), "%s:log-stream:%s", group_arn, stream->name);
    int r = sim_json_add_string(object, "logStreamName", stream->name);
    if (r == 0)
        r = sim_json_add_int(object, "creationTime", stream->created_ms);
    if (r == 0 && stream->first_event_ms != INT64_MAX) {
        r = sim_json_add_int(object, "firstEventTimestamp", stream->first_event_ms);
        if (r == 0)
            r = sim_json_add_int(object, "lastEventTimestamp", stream->last_event_ms);
        if (r == 0)
            r = sim_json_add_int(object, "lastIngestionTime", stream->last_ingestion_ms);
    }
    if (r == 0)
        r = sim_json_add_string(object, "arn", arn);
    if (r == 0)
        r = sim_json_add_int(object, "storedBytes", 0); /* deprecated: always 0 since 2019 */
    return r;
}

/* nextToken and limit of a list. */
static int read_list_parameters(struct sim_call *call, size_t *ret_start, int64_t *ret_limit)
{
    const char *token = NULL;
    *ret_start = 0;
    *ret_limit = PAGE_MAX;
    int r = sim_parameter_integer(call, "limit", SIM_OPTIONAL, 1, PAGE_MAX, ret_limit);
    if (r == 0)
        r = sim_parameter_string(call, "nextToken", SIM_OPTIONAL, 1, SIM_TOKEN_MAX, &token);
    if (r == 0 && token && sim_list_token_parse(token, ret_start) < 0)
        r = sim_refuse(call, "InvalidParameterException", "The specified nextToken is invalid.");
    return r;
}

static int add_next_token(struct sim_call *call, size_t position)
{
    char token[SIM_TOKEN_MAX];
    sim_list_token_format(position, token);
    return sim_json_add_string(call->result, "nextToken", token);
}

/* The list in the result, empty to begin with. */
static int start_list(struct sim_call *call, const char *name, struct json_object **ret)
{
    int r = empty_result(call);
    *ret = r == 0 ? json_object_new_array() : NULL;
    return r == 0 ? sim_json_add(call->result, name, *ret) : r;
}

static int describe_log_groups(struct sim *sim, struct sim_call *call)
{
    static const char *const classes[] = {"STANDARD", "INFREQUENT_ACCESS", NULL};
    const char *prefix = NULL, *pattern = NULL, *class = NULL;
    struct json_object *list;
    size_t start;
    int64_t limit;
    int r = read_list_parameters(call, &start, &limit);
    if (r == 0)
        r = sim_parameter_string(call, "logGroupNamePrefix", SIM_OPTIONAL, 1, 512, &prefix);
    if (r == 0)
        r = sim_parameter_string(call, "logGroupNamePattern", SIM_OPTIONAL, 0, 512, &pattern);
    if (r == 0)
        r = sim_parameter_enum(call, "logGroupClass", classes, &class);
    if (r == 0 && prefix && pattern)
        r = sim_refuse(call, "InvalidParameterException",
                       "LogGroup name prefix and LogGroup name pattern are mutually exclusive "
                       "parameters.");
    if (r == 0)
        r = start_list(call, "logGroups", &list);
    for (size_t i = start; r == 0 && i < sim->n_log_groups; i++) {
        const struct sim_log_group *group = sim->log_groups[i];
        if ((prefix && strncmp(group->name, prefix, strlen(prefix)) != 0) ||
            (pattern && !strcasestr(group->name, pattern)) ||
            (class && (strcmp(class, "STANDARD") != 0) != group->infrequent_access))
            continue;
        if (limit-- == 0)
            return add_next_token(call, i);
        struct json_object *object = json_object_new_object();
        r = sim_json_append(list, object);
        if (r == 0)
            r = group_to_json(sim, group, object);
    }
    return r;
}

static int compare_stream_names(const void *left, const void *right)
{
    const struct sim_log_stream *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static int compare_stream_times(const void *left, const void *right)
{
    const struct sim_log_stream *const *a = left, *const *b = right;
    if ((*a)->last_event_ms != (*b)->last_event_ms)
        return (*a)->last_event_ms < (*b)->last_event_ms ? -1 : 1;
    return strcmp((*a)->name, (*b)->name);
}

/* The streams with the prefix in the order asked for. */
static int list_streams(const struct sim_log_group *group, const char *prefix, bool by_time,
                        bool descending, struct sim_log_stream ***ret, size_t *ret_n)
{
    struct sim_log_stream **streams = calloc(group->n_streams + 1, sizeof(struct sim_log_stream *));
    if (!streams)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < group->n_streams; i++)
        if (!prefix || strncmp(group->streams[i].name, prefix, strlen(prefix)) == 0)
            streams[n++] = &group->streams[i];
    qsort(streams, n, sizeof(struct sim_log_stream *),
          by_time ? compare_stream_times : compare_stream_names);
    for (size_t i = 0; descending && i < n / 2; i++) {
        struct sim_log_stream *swapped = streams[i];
        streams[i] = streams[n - 1 - i];
        streams[n - 1 - i] = swapped;
    }
    *ret = streams;
    *ret_n = n;
    return 0;
}

static int describe_log_streams(struct sim *sim, struct sim_call *call)
{
    static const char *const orders[] = {"LogStreamName", "LastEventTime", NULL};
    struct sim_log_group *group;
    const char *prefix = NULL, *order = "LogStreamName";
    bool descending = false;
    size_t start, n;
    int64_t limit;
    struct json_object *list;
    _cleanup_free_ struct sim_log_stream **streams = NULL;

    int r = read_list_parameters(call, &start, &limit);
    if (r == 0)
        r = sim_parameter_string(call, "logStreamNamePrefix", SIM_OPTIONAL, 1, STREAM_NAME_MAX,
                                 &prefix);
    if (r == 0)
        r = sim_parameter_enum(call, "orderBy", orders, &order);
    if (r == 0)
        r = sim_parameter_bool(call, "descending", &descending);
    bool by_time = strcmp(order, "LastEventTime") == 0;
    if (r == 0 && by_time && prefix)
        r = sim_refuse(call, "InvalidParameterException",
                       "Cannot order by LastEventTime with a logStreamNamePrefix.");
    if (r == 0)
        r = find_group(sim, call, &group);
    if (r == 0)
        r = list_streams(group, prefix, by_time, descending, &streams, &n);
    if (r == 0)
        r = start_list(call, "logStreams", &list);
    for (size_t i = start; r == 0 && i < n; i++) {
        if (limit-- == 0)
            return add_next_token(call, i);
        struct json_object *object = json_object_new_object();
        r = sim_json_append(list, object);
        if (r == 0)
            r = stream_to_json(sim, group, streams[i], object);
    }
    return r;
}

/* The n-th log group that the call names. */
static const char *named_group(const struct sim_call *call, size_t n)
{
    const char *name;
    struct json_object *list;
    if (n == 0 && (json_get_string(call->parameters, "logGroupName", &name) == 0 ||
                   json_get_string(call->parameters, "logGroupIdentifier", &name) == 0))
        return name;
    if (json_get_array(call->parameters, "logGroupNames", &list) < 0 &&
        json_get_array(call->parameters, "logGroupIdentifiers", &list) < 0)
        return NULL;
    struct json_object *element = json_object_array_get_idx(list, n);
    return json_object_is_type(element, json_type_string) ? json_object_get_string(element) : NULL;
}

static void name_resource(const struct sim *sim, const char *group, const char *stream,
                          char *buffer)
{
    snprintf(buffer, SIM_ARN_MAX, "arn:aws:logs:%s:%s:log-group:%.512s:log-stream:%.350s",
             sim->region, sim->account, group, stream);
}

/* As AWS names it in refusals: the group, and all streams in it. */
static bool group_resource(struct sim *sim, const struct sim_call *call, size_t n, char *buffer)
{
    const char *name = named_group(call, n);
    if (!name)
        return false;
    const struct sim_log_group *group = sim_log_group_find(sim, name);
    name_resource(sim, group ? group->name : name, "", buffer);
    return true;
}

static bool stream_resource(struct sim *sim, const struct sim_call *call, size_t n, char *buffer)
{
    const char *stream = "";
    const char *group = n == 0 ? named_group(call, 0) : NULL;
    if (!group)
        return false;
    (void)json_get_string(call->parameters, "logStreamName", &stream);
    name_resource(sim, group, stream, buffer);
    return true;
}

/* The n-th log group of the query. */
static bool query_resource(struct sim *sim, const struct sim_call *call, size_t n, char *buffer)
{
    const char *id;
    const struct sim_query *query = NULL;
    if (json_get_string(call->parameters, "queryId", &id) == 0)
        query = sim_query_find(sim, id);
    if (!query || n >= query->n_log_groups)
        return false;
    name_resource(sim, query->log_groups[n], "", buffer);
    return true;
}

const struct sim_operation SIM_LOGS_OPERATIONS[] = {
    {"FilterLogEvents", sim_filter_log_events, group_resource, SIM_LOGS, false, false},
    {"StartQuery", sim_start_query, group_resource, SIM_LOGS, false, false},
    {"GetQueryResults", sim_get_query_results, query_resource, SIM_LOGS, false, false},
    {"StopQuery", sim_stop_query, NULL, SIM_LOGS, false, false},
    {"DescribeQueries", sim_describe_queries, NULL, SIM_LOGS, false, false},
    {"DescribeLogGroups", describe_log_groups, NULL, SIM_LOGS, false, false},
    {"DescribeLogStreams", describe_log_streams, group_resource, SIM_LOGS, false, false},
    {"CreateLogGroup", create_log_group, group_resource, SIM_LOGS, false, false},
    {"DeleteLogGroup", delete_log_group, group_resource, SIM_LOGS, false, false},
    {"CreateLogStream", create_log_stream, stream_resource, SIM_LOGS, false, false},
    {"PutLogEvents", put_log_events, stream_resource, SIM_LOGS, false, false},
};
const size_t SIM_N_LOGS_OPERATIONS = ARRAY_LENGTH(SIM_LOGS_OPERATIONS);
