/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "src/cleanup.h"

/*
 * Log groups and their events. Events of a group are one array by timestamp, messages lie in blocks
 * of an arena: millions of events are two allocations in some ten thousand. New events mostly come
 * at the end; a late one moves the few behind it.
 */

#define ARENA_BLOCK_BYTES ((size_t)256 << 10)
#define EVENT_OVERHEAD_BYTES 26 /* what AWS counts for each event beside its message */

struct sim_arena_block {
    struct sim_arena_block *next;
    size_t used, size;
    size_t live; /* events whose message lies here */
    char data[];
};

static char *arena_take(struct sim_log_group *group, size_t size)
{
    struct sim_arena_block *block = group->arena;
    if (!block || block->size - block->used < size) {
        size_t wanted = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
        block = malloc(sizeof(*block) + wanted);
        if (!block)
            return NULL;
        *block = (struct sim_arena_block){.next = group->arena, .size = wanted};
        group->arena = block;
    }
    char *taken = block->data + block->used;
    block->used += size;
    block->live++;
    return taken;
}

/* Length of the valid UTF-8 sequence at the start of text, or 0 (RFC 3629; NUL is none here). */
static size_t utf8_sequence(const unsigned char *text, size_t size)
{
    unsigned char lead = text[0];
    if (lead > 0 && lead < 0x80)
        return 1;
    size_t length = lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    if (lead > 0xf4 || length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((lead == 0xe0 && text[1] < 0xa0) || (lead == 0xed && text[1] > 0x9f) ||
        (lead == 0xf0 && text[1] < 0x90) || (lead == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

/* The size after replacement; writes to out unless it is NULL. */
static size_t clean_utf8(const char *text, size_t size, char *out)
{
    size_t written = 0;
    for (size_t i = 0; i < size;) {
        size_t length = utf8_sequence((const unsigned char *)text + i, size - i);
        const char *from = length ? text + i : "\xef\xbf\xbd";
        size_t n = length ? length : 3;
        if (out)
            memcpy(out + written, from, n);
        written += n;
        i += length ? length : 1;
    }
    return written;
}

struct sim_log_group *sim_log_group_free(struct sim_log_group *group)
{
    if (!group)
        return NULL;
    free(group->name);
    for (size_t i = 0; i < group->n_streams; i++)
        free(group->streams[i].name);
    free(group->streams);
    free(group->events);
    while (group->arena) {
        struct sim_arena_block *block = group->arena;
        group->arena = block->next;
        free(block);
    }
    free(group);
    return NULL;
}

DEFINE_CLEANUP(struct sim_log_group *, sim_log_group_free)

/* Index of the first group whose name is not less. */
static size_t lower_bound_of_name(const struct sim *sim, const char *name)
{
    size_t low = 0, high = sim->n_log_groups;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(sim->log_groups[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t find_index(const struct sim *sim, const char *name)
{
    size_t i = lower_bound_of_name(sim, name);
    return i < sim->n_log_groups && strcmp(sim->log_groups[i]->name, name) == 0 ? i : SIZE_MAX;
}

/* "arn:aws:logs:REGION:ACCOUNT:log-group:NAME", perhaps with ":*" behind. */
struct sim_log_group *sim_log_group_find(const struct sim *sim, const char *name_or_arn)
{
    char prefix[SIM_ARN_MAX], name[513];
    if (strncmp(name_or_arn, "arn:", 4) == 0) {
        int length = snprintf(prefix, sizeof(prefix), "arn:aws:logs:%s:%s:log-group:", sim->region,
                              sim->account);
        if (length < 0 || strncmp(name_or_arn, prefix, (size_t)length) != 0)
            return NULL;
        snprintf(name, sizeof(name), "%s", name_or_arn + length);
        name[strcspn(name, ":")] = '\0';
        name_or_arn = name;
    }
    size_t i = find_index(sim, name_or_arn);
    return i == SIZE_MAX ? NULL : sim->log_groups[i];
}

bool sim_log_group_name_is_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  ".-_/#";
    size_t length = strlen(name);
    return length >= 1 && length <= 512 && strspn(name, allowed) == length;
}

int sim_log_group_add(struct sim *sim, const char *name, bool infrequent_access,
                      struct wall created, struct sim_log_group **ret)
{
    if (!sim_log_group_name_is_valid(name))
        return -EINVAL;
    if (find_index(sim, name) != SIZE_MAX)
        return -EEXIST;

    struct sim_log_group **grown =
        reallocarray(sim->log_groups, sim->n_log_groups + 1, sizeof(struct sim_log_group *));
    if (!grown)
        return -ENOMEM;
    sim->log_groups = grown;
    _cleanup_(sim_log_group_free) struct sim_log_group *group = calloc(1, sizeof(*group));
    if (!group)
        return -ENOMEM;
    group->name = strdup(name);
    if (!group->name)
        return -ENOMEM;
    group->infrequent_access = infrequent_access;
    group->created_ms = created.ms;
    group->ingestion_delay_ms = -1;

    size_t at = lower_bound_of_name(sim, name);
    memmove(grown + at + 1, grown + at, (sim->n_log_groups - at) * sizeof(struct sim_log_group *));
    grown[at] = group;
    sim->n_log_groups++;
    if (ret)
        *ret = group;
    group = NULL;
    return 0;
}

int sim_log_group_remove(struct sim *sim, const char *name)
{
    size_t i = find_index(sim, name);
    if (i == SIZE_MAX)
        return -ENOENT;
    sim_log_group_free(sim->log_groups[i]);
    memmove(sim->log_groups + i, sim->log_groups + i + 1,
            (sim->n_log_groups - i - 1) * sizeof(struct sim_log_group *));
    sim->n_log_groups--;
    return 0;
}

int sim_log_stream_get(struct sim_log_group *group, const char *name, struct wall now,
                       uint32_t *ret)
{
    for (size_t i = group->n_streams; i-- > 0;) {
        if (strcmp(group->streams[i].name, name) == 0) {
            *ret = (uint32_t)i;
            return 0;
        }
    }
    if (group->n_streams >= UINT32_MAX)
        return -ENOMEM;
    if (SIM_GROW(group->streams, group->streams_allocated, group->n_streams + 1) < 0)
        return -ENOMEM;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    group->streams[group->n_streams] = (struct sim_log_stream){
        .name = copy,
        .created_ms = now.ms,
        .first_event_ms = INT64_MAX,
        .last_event_ms = INT64_MIN,
    };
    *ret = (uint32_t)group->n_streams++;
    return 0;
}

/* First index with a timestamp not less than ms; with `after`, greater than ms. */
static size_t bound(const struct sim_log_group *group, int64_t ms, bool after)
{
    size_t low = 0, high = group->n_events;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t there = group->events[middle].timestamp_ms;
        if (there < ms || (after && there == ms))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t sim_events_lower_bound(const struct sim_log_group *group, int64_t ms)
{
    return bound(group, ms, false);
}

int64_t sim_log_group_delay_ms(const struct sim *sim, const struct sim_log_group *group)
{
    return group->ingestion_delay_ms >= 0 ? group->ingestion_delay_ms
                                          : sim->settings.ingestion_delay_ms;
}

int sim_event_put(struct sim *sim, struct sim_log_group *group, const char *stream,
                  struct wall timestamp, struct wall ingestion, const char *message, size_t size)
{
    size_t clean = clean_utf8(message, size, NULL);
    if (clean >= UINT32_MAX)
        return -EINVAL;
    uint32_t index;
    int r = sim_log_stream_get(group, stream, ingestion, &index);
    if (r < 0)
        return r;
    if (SIM_GROW(group->events, group->events_allocated, group->n_events + 1) < 0)
        return -ENOMEM;
    char *copy = arena_take(group, clean + 1);
    if (!copy)
        return -ENOMEM;
    clean_utf8(message, size, copy);
    copy[clean] = '\0';

    size_t at = bound(group, timestamp.ms, true);
    memmove(group->events + at + 1, group->events + at,
            (group->n_events - at) * sizeof(*group->events));
    group->events[at] = (struct sim_event){
        .timestamp_ms = timestamp.ms,
        .ingestion_ms = ingestion.ms,
        .id = ++sim->next_serial,
        .message = copy,
        .message_size = (uint32_t)clean,
        .stream = index,
    };
    group->n_events++;
    group->stored_bytes += (int64_t)clean + EVENT_OVERHEAD_BYTES;

    struct sim_log_stream *written = &group->streams[index];
    if (timestamp.ms < written->first_event_ms)
        written->first_event_ms = timestamp.ms;
    if (timestamp.ms > written->last_event_ms)
        written->last_event_ms = timestamp.ms;
    if (ingestion.ms > written->last_ingestion_ms)
        written->last_ingestion_ms = ingestion.ms;
    return 0;
}

int sim_event_put_now(struct sim *sim, struct sim_log_group *group, const char *stream,
                      struct wall timestamp, struct wall now, const char *message)
{
    return sim_event_put(sim, group, stream, timestamp,
                         wall_add(now, sim_log_group_delay_ms(sim, group)), message,
                         strlen(message));
}

static void arena_drop(struct sim_log_group *group, const char *message)
{
    for (struct sim_arena_block **link = &group->arena; *link; link = &(*link)->next) {
        struct sim_arena_block *block = *link;
        if (message < block->data || message >= block->data + block->size)
            continue;
        /* The first block is the one being filled. */
        if (--block->live == 0 && block != group->arena) {
            *link = block->next;
            free(block);
        }
        return;
    }
}

size_t sim_events_trim(struct sim_log_group *group, struct wall before)
{
    size_t n = bound(group, before.ms, false);
    for (size_t i = 0; i < n; i++) {
        group->stored_bytes -= (int64_t)group->events[i].message_size + EVENT_OVERHEAD_BYTES;
        arena_drop(group, group->events[i].message);
    }
    if (n > 0)
        memmove(group->events, group->events + n, (group->n_events - n) * sizeof(*group->events));
    group->n_events -= n;
    return n;
}

/* Decimal, 56 digits: rising with time, then by id, as AWS's are. */
void sim_event_id(const struct sim_event *event, char buffer[static SIM_EVENT_ID_MAX])
{
    uint64_t time = event->timestamp_ms > 0 ? (uint64_t)event->timestamp_ms : 0;
    snprintf(buffer, SIM_EVENT_ID_MAX, "3%018llu%037llu",
             (unsigned long long)(time % UINT64_C(1000000000000000000)),
             (unsigned long long)event->id);
}

int sim_log_group_arn(const struct sim *sim, const struct sim_log_group *group, char *buffer)
{
    return snprintf(buffer, SIM_ARN_MAX, "arn:aws:logs:%s:%s:log-group:%s", sim->region,
                    sim->account, group->name);
}
