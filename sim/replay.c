/* SPDX-License-Identifier: MIT */
#include "replay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access_log.h"
#include "src/cleanup.h"
#include "src/json.h"

/* Where in a JSON document the reader is. */
struct json_position {
    int64_t depth;
    int64_t events_depth; /* of the array of events, when inside; else 0 */
    bool in_string, escaped;
    char key[8]; /* the last string in the outermost object, if it is that short */
    size_t key_size;
};

struct replay {
    FILE *file;
    enum replay_format format;
    double speed;

    char *buffer; /* the line or JSON object last read, NUL-terminated */
    size_t size, allocated;
    bool overflow; /* it was longer than REPLAY_RECORD_MAX, and is cut */
    struct json_position position;
    struct json_object *event;

    bool pending; /* a record is read and not given out */
    struct wall time;
    const char *message;

    bool started;
    struct mono start, last_due;
    struct wall first;
    struct replay_counts counts;
    int error;
};

int replay_format_parse(const char *name, enum replay_format *ret)
{
    static const struct {
        const char *name;
        enum replay_format format;
    } formats[] = {
        {"auto", REPLAY_AUTO},
        {"common", REPLAY_COMMON},
        {"combined", REPLAY_COMBINED},
        {"filter-log-events-json", REPLAY_FILTER_LOG_EVENTS_JSON},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        if (strcmp(name, formats[i].name) == 0) {
            *ret = formats[i].format;
            return 0;
        }
    }
    return -EINVAL;
}

/* Reading */

static int append(struct replay *replay, char c)
{
    if (replay->size == REPLAY_RECORD_MAX) {
        replay->overflow = true;
        return 0;
    }
    if (replay->size + 1 >= replay->allocated) {
        size_t allocated = replay->allocated ? replay->allocated * 2 : 1024;
        char *grown = realloc(replay->buffer, allocated);
        if (!grown)
            return -ENOMEM;
        replay->buffer = grown;
        replay->allocated = allocated;
    }
    replay->buffer[replay->size++] = c;
    replay->buffer[replay->size] = '\0';
    return 0;
}

static int end_of_file(const struct replay *replay)
{
    return ferror(replay->file) ? -EIO : 0;
}

/* 1: a line is in the buffer; 0: the file is at its end; or a negative errno. */
static int read_line(struct replay *replay)
{
    replay->size = 0;
    replay->overflow = false;
    int c;
    while ((c = getc(replay->file)) != EOF && c != '\n') {
        int r = append(replay, (char)c);
        if (r < 0)
            return r;
    }
    if (c == EOF && replay->size == 0)
        return end_of_file(replay);
    if (replay->size > 0 && replay->buffer[replay->size - 1] == '\r')
        replay->buffer[--replay->size] = '\0';
    return 1;
}

static void take_string_character(struct json_position *at, char c)
{
    if (at->escaped) {
        at->escaped = false;
    } else if (c == '\\') {
        at->escaped = true;
    } else if (c == '"') {
        at->in_string = false;
        return;
    }
    if (at->depth == 1 && at->key_size < sizeof(at->key))
        at->key[at->key_size++] = c;
}

static bool key_is_events(const struct json_position *at)
{
    return at->key_size == strlen("events") && memcmp(at->key, "events", at->key_size) == 0;
}

/* Moves over one character. True if it opens or closes an object of the array of events. */
static bool take_character(struct json_position *at, char c)
{
    if (at->in_string) {
        take_string_character(at, c);
        return false;
    }
    switch (c) {
    case '"':
        at->in_string = true;
        if (at->depth == 1)
            at->key_size = 0;
        return false;
    case '[':
        at->depth++;
        /* {"events": [...]}, or with the CLI's `--query events` the array alone. */
        if (at->depth == 1 || (at->depth == 2 && at->events_depth == 0 && key_is_events(at)))
            at->events_depth = at->depth;
        return false;
    case '{':
        at->depth++;
        return at->events_depth > 0 && at->depth == at->events_depth + 1;
    case ']':
    case '}':
        if (at->depth > 0)
            at->depth--;
        if (at->depth < at->events_depth)
            at->events_depth = 0;
        return c == '}' && at->events_depth > 0 && at->depth == at->events_depth;
    default:
        return false;
    }
}

/* As read_line(), for the next object of the array of events. */
static int read_event(struct replay *replay)
{
    replay->size = 0;
    replay->overflow = false;
    bool inside = false;
    int c;
    while ((c = getc(replay->file)) != EOF) {
        bool edge = take_character(&replay->position, (char)c);
        inside = inside || edge;
        if (!inside)
            continue;
        int r = append(replay, (char)c);
        if (r < 0)
            return r;
        if (edge && c == '}')
            return 1;
    }
    return end_of_file(replay);
}

/* Records */

static int parse_event(struct replay *replay)
{
    _cleanup_json_ struct json_object *event = NULL;
    int r = json_parse(replay->buffer, replay->size, &event);
    if (r < 0)
        return r;
    int64_t timestamp;
    if (json_get_int(event, "timestamp", &timestamp) < 0 || timestamp < 0 ||
        json_get_string(event, "message", &replay->message) < 0)
        return -EBADMSG;
    replay->time.ms = timestamp;
    if (replay->event)
        json_object_put(replay->event); /* the one before */
    replay->event = TAKE(event);
    return 0;
}

static int parse_line(struct replay *replay)
{
    if (strlen(replay->buffer) != replay->size)
        return -EBADMSG;
    replay->message = replay->buffer;
    if (replay->format != REPLAY_COMMON &&
        access_log_parse(replay->buffer, ACCESS_LOG_COMBINED, &replay->time) == 0) {
        replay->format = REPLAY_COMBINED;
        return 0;
    }
    if (replay->format != REPLAY_COMBINED &&
        access_log_parse(replay->buffer, ACCESS_LOG_COMMON, &replay->time) == 0) {
        replay->format = REPLAY_COMMON;
        return 0;
    }
    return -EBADMSG;
}

/* 1: a record is pending; 0: there are no more; or a negative errno. */
static int fetch(struct replay *replay)
{
    for (;;) {
        bool json = replay->format == REPLAY_FILTER_LOG_EVENTS_JSON;
        int r = json ? read_event(replay) : read_line(replay);
        if (r <= 0)
            return r;
        if (!json && replay->size == 0)
            continue;
        r = replay->overflow ? -EBADMSG : json ? parse_event(replay) : parse_line(replay);
        if (r == 0) {
            replay->pending = true;
            return 1;
        }
        if (r == -ENOMEM)
            return r;
        replay->counts.malformed++;
    }
}

/* A JSON document begins with a bracket; no line of an access log does. */
static void guess_format(struct replay *replay)
{
    int c;
    do {
        c = getc(replay->file);
    } while (c == ' ' || c == '\t' || c == '\r' || c == '\n');
    if (c == '{' || c == '[')
        replay->format = REPLAY_FILTER_LOG_EVENTS_JSON;
    rewind(replay->file);
}

int replay_new(const char *path, enum replay_format format, double speed, struct replay **ret)
{
    if (!(speed >= REPLAY_SPEED_MIN && speed <= REPLAY_SPEED_MAX))
        return -ERANGE;
    struct replay *replay = calloc(1, sizeof(*replay));
    if (!replay)
        return -ENOMEM;
    replay->format = format;
    replay->speed = speed;
    int r;
    replay->file = fopen(path, "re");
    if (!replay->file) {
        r = -errno;
    } else {
        if (format == REPLAY_AUTO)
            guess_format(replay);
        r = fetch(replay);
        if (r == 0)
            r = -EBADMSG;
    }
    if (r < 0) {
        replay_free(replay);
        return r;
    }
    *ret = replay;
    return 0;
}

struct replay *replay_free(struct replay *replay)
{
    if (!replay)
        return NULL;
    if (replay->file)
        fclose(replay->file);
    if (replay->event)
        json_object_put(replay->event);
    free(replay->buffer);
    free(replay);
    return NULL;
}

int64_t replay_advance(struct replay *replay, struct mono now, replay_request_fn *request,
                       void *userdata)
{
    if (!replay->started) {
        replay->started = true;
        replay->start = replay->last_due = now;
        replay->first = replay->time;
    }
    for (int given = 0; replay->pending; given++) {
        if (given == REPLAY_BURST_MAX)
            return 0;
        double gap_ms = (double)wall_since(replay->time, replay->first) / replay->speed;
        struct mono due = mono_add(replay->start, (int64_t)gap_ms);
        if (due.ms < replay->last_due.ms)
            due = replay->last_due;
        if (due.ms > now.ms)
            return mono_since(due, now);
        replay->last_due = due;
        replay->pending = false;
        replay->counts.records++;
        request(userdata, replay->message);
        int r = fetch(replay);
        if (r < 0)
            replay->error = r;
    }
    return -1;
}

struct replay_counts replay_counts(const struct replay *replay)
{
    return replay->counts;
}

int replay_error(const struct replay *replay)
{
    return replay->error;
}
