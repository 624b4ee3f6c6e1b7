/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/filter_pattern.h"
#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/*
 * FilterLogEvents. A page ends at `limit` or page_events matches, at 1 MB, or after page_scan
 * records looked at; so a rare match has empty pages before it, as in AWS. The token holds the
 * place of the last record looked at, so that events which come in between neither repeat nor shift
 * the pages.
 */

#define EVENTS_MAX 10000
#define PAGE_BYTES_MAX ((int64_t)1 << 20)
#define EVENT_OVERHEAD 26
#define STREAMS_MAX 100
#define PATTERN_MAX 1024

struct position {
    uint64_t search; /* of which parameters */
    int64_t timestamp_ms;
    uint64_t id; /* 0: nothing looked at yet */
    int64_t issued_ms;
    uint64_t empty_pages; /* still to come */
};

struct search {
    struct sim *sim;
    struct sim_call *call;
    struct sim_log_group *group;
    struct filter_pattern *pattern;
    bool *streams; /* by index; NULL: all */
    int64_t start_ms, end_ms;
    int64_t limit;
    bool newest_first;
    const char *token; /* as sent */
    struct position position;
    struct json_object *events; /* of the page; borrowed from the result */
};

/* Tokens: the fields under a keyed scramble, and a check over them. Nobody reads them but us. */

#define TOKEN_FIELDS 5
#define TOKEN_SIZE ((size_t)16 * (TOKEN_FIELDS + 1))

static uint64_t scramble(uint64_t value)
{
    value ^= value >> 31;
    value *= UINT64_C(0x7fb5d329728ea185);
    value ^= value >> 27;
    value *= UINT64_C(0x81dadef4bc2dd44d);
    return value ^ (value >> 33);
}

static void token_format(const struct position *position, char buffer[static SIM_TOKEN_MAX])
{
    uint64_t fields[TOKEN_FIELDS] = {position->search, (uint64_t)position->timestamp_ms,
                                     position->id, (uint64_t)position->issued_ms,
                                     position->empty_pages};
    uint64_t check = 0;
    size_t used = 0;
    for (size_t i = 0; i < TOKEN_FIELDS; i++) {
        check = scramble(check ^ fields[i]);
        used += (size_t)snprintf(buffer + used, SIM_TOKEN_MAX - used, "%016llx",
                                 (unsigned long long)(fields[i] ^ scramble(i + 1)));
    }
    snprintf(buffer + used, SIM_TOKEN_MAX - used, "%016llx", (unsigned long long)check);
}

static bool token_parse(const char *token, struct position *ret)
{
    uint64_t fields[TOKEN_FIELDS + 1], check = 0;
    if (strlen(token) != TOKEN_SIZE || strspn(token, "0123456789abcdef") != strlen(token))
        return false;
    for (size_t i = 0; i <= TOKEN_FIELDS; i++) {
        char digits[17] = "";
        memcpy(digits, token + 16 * i, 16);
        fields[i] = strtoull(digits, NULL, 16);
        if (i < TOKEN_FIELDS) {
            fields[i] ^= scramble(i + 1);
            check = scramble(check ^ fields[i]);
        }
    }
    *ret = (struct position){.search = fields[0],
                             .timestamp_ms = (int64_t)fields[1],
                             .id = fields[2],
                             .issued_ms = (int64_t)fields[3],
                             .empty_pages = fields[4]};
    return fields[TOKEN_FIELDS] == check;
}

/* FNV-1a over what must stay the same from page to page. */
static uint64_t search_digest(const struct search *search)
{
    static const char *const names[] = {"logStreamNames", "logStreamNamePrefix", "filterPattern",
                                        "startFromHead"};
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    char range[64];
    snprintf(range, sizeof(range), "%lld %lld", (long long)search->start_ms,
             (long long)search->end_ms);
    for (size_t i = 0; i < ARRAY_LENGTH(names) + 2; i++) {
        const char *text = i == 0 ? search->group->name : range;
        if (i >= 2) {
            struct json_object *value =
                json_object_object_get(search->call->parameters, names[i - 2]);
            text = value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN) : "";
        }
        for (; text && *text; text++)
            digest = (digest ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
        digest = (digest ^ 0xff) * UINT64_C(0x100000001b3);
    }
    return digest;
}

static int read_group(struct search *search)
{
    struct sim_call *call = search->call;
    const char *name = NULL, *identifier = NULL;
    int r = sim_parameter_string(call, "logGroupName", SIM_OPTIONAL, 1, 512, &name);
    if (r == 0)
        r = sim_parameter_string(call, "logGroupIdentifier", SIM_OPTIONAL, 1, 2048, &identifier);
    if (r != 0)
        return r;
    if (!name == !identifier)
        return sim_refuse(call, "InvalidParameterException",
                          "Exactly one of logGroupName and logGroupIdentifier must be specified.");
    if (name && !sim_log_group_name_is_valid(name))
        return sim_refuse(call, "InvalidParameterException",
                          "1 validation error detected: Value '%s' at 'logGroupName' failed to "
                          "satisfy constraint: Member must satisfy regular expression pattern: "
                          "[\\.\\-_/#A-Za-z0-9]+",
                          name);
    search->group = sim_log_group_find(search->sim, name ? name : identifier);
    if (!search->group)
        return sim_refuse(call, "ResourceNotFoundException",
                          "The specified log group does not exist.");
    if (search->group->infrequent_access)
        return sim_refuse(call, "InvalidParameterException",
                          "FilterLogEvents is not supported for log groups of the "
                          "INFREQUENT_ACCESS class.");
    return 0;
}

static int read_streams(struct search *search)
{
    struct sim_call *call = search->call;
    const struct sim_log_group *group = search->group;
    struct json_object *names = NULL;
    const char *prefix = NULL;
    int r = sim_parameter_strings(call, "logStreamNames", 1, STREAMS_MAX, &names);
    if (r == 0)
        r = sim_parameter_string(call, "logStreamNamePrefix", SIM_OPTIONAL, 1, 512, &prefix);
    if (r != 0 || (!names && !prefix))
        return r;
    if (names && prefix)
        return sim_refuse(call, "InvalidParameterException",
                          "logStreamNames and logStreamNamePrefix are mutually exclusive.");

    search->streams = calloc(group->n_streams + 1, sizeof(bool));
    if (!search->streams)
        return -ENOMEM;
    for (size_t i = 0; prefix && i < group->n_streams; i++)
        search->streams[i] = strncmp(group->streams[i].name, prefix, strlen(prefix)) == 0;
    for (size_t n = 0; names && n < json_object_array_length(names); n++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, n));
        bool found = false;
        for (size_t i = 0; i < group->n_streams; i++)
            if (strcmp(group->streams[i].name, name) == 0)
                search->streams[i] = found = true;
        if (!found)
            return sim_refuse(call, "ResourceNotFoundException",
                              "The specified log stream does not exist.");
    }
    return 0;
}

static int read_pattern(struct search *search)
{
    const char *text = NULL;
    int r =
        sim_parameter_string(search->call, "filterPattern", SIM_OPTIONAL, 0, PATTERN_MAX, &text);
    if (r != 0 || !text)
        return r;
    r = filter_pattern_new(text, &search->pattern);
    return r != -EINVAL
               ? r
               : sim_refuse(search->call, "InvalidParameterException", "Invalid filter pattern");
}

static int read_token(struct search *search)
{
    struct sim_call *call = search->call;
    int r = sim_parameter_string(call, "nextToken", SIM_OPTIONAL, 1, SIZE_MAX, &search->token);
    if (r != 0)
        return r;
    uint64_t digest = search_digest(search);
    if (!search->token) {
        int64_t empty_pages = search->sim->settings.empty_pages;
        (void)sim_fault_fires(search->sim, call, SIM_FAULT_EMPTY_PAGES, &empty_pages);
        search->position.search = digest;
        search->position.empty_pages = empty_pages > 0 ? (uint64_t)empty_pages : 0;
        return 0;
    }
    if (!token_parse(search->token, &search->position) || search->position.search != digest)
        return sim_refuse(call, "InvalidParameterException", "The specified nextToken is invalid.");
    if (call->now.ms - search->position.issued_ms > search->sim->settings.token_lifetime_ms ||
        sim_fault_fires(search->sim, call, SIM_FAULT_TOKEN_EXPIRES, NULL))
        return sim_refuse(call, "InvalidParameterException", "The specified nextToken is expired.");
    return 0;
}

static int read_parameters(struct search *search)
{
    struct sim_call *call = search->call;
    bool from_head = true, ignored;
    int r = sim_parameter_integer(call, "startTime", SIM_OPTIONAL, 0, INT64_MAX, &search->start_ms);
    if (r == 0)
        r = sim_parameter_integer(call, "endTime", SIM_OPTIONAL, 0, INT64_MAX, &search->end_ms);
    if (r == 0 && search->end_ms < search->start_ms)
        r = sim_refuse(call, "InvalidParameterException",
                       "endTime must not be before startTime: %lld is less than %lld.",
                       (long long)search->end_ms, (long long)search->start_ms);
    if (r == 0)
        r = sim_parameter_integer(call, "limit", SIM_OPTIONAL, 1, EVENTS_MAX, &search->limit);
    if (r == 0)
        r = sim_parameter_bool(call, "startFromHead", &from_head);
    if (r == 0)
        r = sim_parameter_bool(call, "interleaved", &ignored);
    search->newest_first = !from_head;
    if (r == 0)
        r = read_group(search);
    if (r == 0)
        r = read_streams(search);
    if (r == 0)
        r = read_pattern(search);
    if (r == 0)
        r = read_token(search);
    return r;
}

static bool is_match(const struct search *search, const struct sim_event *event)
{
    return (!search->streams || search->streams[event->stream]) &&
           (!search->pattern || filter_pattern_matches(search->pattern, event->message));
}

static int append_event(const struct search *search, const struct sim_event *event)
{
    char id[SIM_EVENT_ID_MAX];
    struct json_object *object = json_object_new_object();
    int r = sim_json_append(search->events, object);
    if (r == 0)
        r = sim_json_add_string(object, "logStreamName",
                                search->group->streams[event->stream].name);
    if (r == 0)
        r = sim_json_add_int(object, "timestamp", event->timestamp_ms);
    if (r == 0)
        r = sim_json_add(object, "message",
                         json_object_new_string_len(event->message, (int)event->message_size));
    if (r == 0)
        r = sim_json_add_int(object, "ingestionTime", event->ingestion_ms);
    sim_event_id(event, id);
    return r == 0 ? sim_json_add_string(object, "eventId", id) : r;
}

/* The index of the first event not before the position; one that is there comes `after` it. */
static size_t index_of_position(const struct search *search, bool after)
{
    const struct sim_log_group *group = search->group;
    size_t i = sim_events_lower_bound(group, search->position.timestamp_ms);
    while (i < group->n_events && group->events[i].timestamp_ms == search->position.timestamp_ms &&
           (group->events[i].id < search->position.id ||
            (after && group->events[i].id == search->position.id)))
        i++;
    return i;
}

/* The range of indices that is still to be looked at: [*ret_first, *ret_last). */
static void remaining_range(const struct search *search, size_t *ret_first, size_t *ret_last)
{
    const struct sim_log_group *group = search->group;
    size_t first = sim_events_lower_bound(group, search->start_ms);
    size_t last = search->end_ms == INT64_MAX ? group->n_events
                                              : sim_events_lower_bound(group, search->end_ms + 1);
    if (search->position.id > 0 && search->newest_first)
        last = index_of_position(search, false);
    else if (search->position.id > 0)
        first = index_of_position(search, true);
    *ret_first = first;
    *ret_last = last > first ? last : first;
}

/* An event that this search has already given on an earlier page, or gives first on this one. */
static const struct sim_event *event_to_repeat(const struct search *search, size_t first,
                                               size_t last)
{
    const struct sim_log_group *group = search->group;
    int64_t now_ms = search->call->now.ms;
    if (search->position.id > 0 && !search->newest_first) {
        for (size_t i = first; i-- > 0 && group->events[i].timestamp_ms >= search->start_ms;)
            if (group->events[i].ingestion_ms <= now_ms && is_match(search, &group->events[i]))
                return &group->events[i];
    }
    for (size_t i = first; i < last; i++)
        if (group->events[i].ingestion_ms <= now_ms && is_match(search, &group->events[i]))
            return &group->events[i];
    return NULL;
}

/* Fills the page; true in *ret_more if the range was not looked at to its end. */
static int fill_page(struct search *search, size_t first, size_t last, bool *ret_more)
{
    const struct sim_settings *settings = &search->sim->settings;
    int64_t limit = search->limit < settings->page_events ? search->limit : settings->page_events;
    int64_t scanned = 0, bytes = 0;
    size_t n = last - first;

    for (size_t i = 0; i < n; i++) {
        const struct sim_event *event =
            &search->group->events[search->newest_first ? last - 1 - i : first + i];
        if (event->ingestion_ms > search->call->now.ms)
            continue;
        bool matches = is_match(search, event);
        int64_t size = (int64_t)event->message_size + EVENT_OVERHEAD;
        bool full = (int64_t)json_object_array_length(search->events) >= limit ||
                    (bytes > 0 && bytes + size > PAGE_BYTES_MAX);
        if (scanned >= settings->page_scan || (matches && full)) {
            *ret_more = true;
            return 0;
        }
        scanned++;
        search->position.timestamp_ms = event->timestamp_ms;
        search->position.id = event->id;
        if (!matches)
            continue;
        bytes += size;
        int r = append_event(search, event);
        if (r < 0)
            return r;
    }
    *ret_more = false;
    return 0;
}

static int add_token(struct search *search)
{
    char token[SIM_TOKEN_MAX];
    search->position.issued_ms = search->call->now.ms;
    token_format(&search->position, token);
    return sim_json_add_string(search->call->result, "nextToken", token);
}

static int answer_page(struct search *search)
{
    struct sim_call *call = search->call;
    struct position before = search->position;
    size_t first, last;
    bool more = false;

    if (search->position.empty_pages > 0) {
        search->position.empty_pages--;
        return add_token(search);
    }
    remaining_range(search, &first, &last);
    const struct sim_event *repeated = NULL;
    if (search->sim->n_faults > 0)
        repeated = event_to_repeat(search, first, last);
    int r = fill_page(search, first, last, &more);
    if (r == 0 && repeated && sim_fault_fires(search->sim, call, SIM_FAULT_DUPLICATE_EVENTS, NULL))
        r = append_event(search, repeated);
    if (r < 0)
        return r;
    if (sim_fault_fires(search->sim, call, SIM_FAULT_TOKEN_LOOP, NULL)) {
        search->position = before;
        return search->token ? sim_json_add_string(call->result, "nextToken", search->token)
                             : add_token(search);
    }
    return more ? add_token(search) : 0;
}

int sim_filter_log_events(struct sim *sim, struct sim_call *call)
{
    struct search search = {.sim = sim, .call = call, .end_ms = INT64_MAX, .limit = EVENTS_MAX};
    int r = read_parameters(&search);
    if (r == 0) {
        call->result = json_object_new_object();
        search.events = call->result ? json_object_new_array() : NULL;
        r = call->result ? sim_json_add(call->result, "events", search.events) : -ENOMEM;
    }
    if (r == 0)
        r = sim_json_add(call->result, "searchedLogStreams", json_object_new_array());
    if (r == 0)
        r = answer_page(&search);
    filter_pattern_free(search.pattern);
    free(search.streams);
    return r;
}
