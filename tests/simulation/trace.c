/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"
#include "tests/simulation/machinery.h"

/* What happened, as bytes for a hash and as lines for people. Nothing is formatted that nobody reads. */

#define LAST_KEPT 40
#define LINE_MAX_ 400

struct trace {
    FILE *out;
    uint64_t hash;
    char last[LAST_KEPT][LINE_MAX_]; /* a ring */
    size_t n_last;
};

/* FNV-1a (Fowler, Noll, Vo), eight bytes at a time. */
static void mix(struct trace *trace, uint64_t value)
{
    trace->hash = (trace->hash ^ value) * UINT64_C(0x100000001b3);
    trace->hash ^= trace->hash >> 29;
}

static void mix_text(struct trace *trace, const char *text)
{
    size_t size = strlen(text);

    for (; size >= 8; text += 8, size -= 8) {
        uint64_t value;
        memcpy(&value, text, 8);
        mix(trace, value);
    }
    uint64_t rest = 0;
    memcpy(&rest, text, size);
    mix(trace, rest << 8 | size);
}

int trace_new(FILE *out, struct trace **ret)
{
    struct trace *trace = calloc(1, sizeof(*trace));

    if (!trace)
        return -ENOMEM;
    trace->out = out;
    trace->hash = UINT64_C(0xcbf29ce484222325);
    *ret = trace;
    return 0;
}

struct trace *trace_free(struct trace *trace)
{
    free(trace);
    return NULL;
}

uint64_t trace_hash(const struct trace *trace)
{
    return trace->hash;
}

static const char *moment(const struct simulation *simulation, char text[static WALL_TEXT_MAX + 8])
{
    struct wall now = simulation_now(simulation);
    char whole[WALL_TEXT_MAX];

    wall_format_iso(now, whole);
    snprintf(text, WALL_TEXT_MAX + 8, "%.19s.%03dZ", whole, (int)(now.ms % MS_PER_SECOND));
    return text;
}

static void keep(struct simulation *simulation, const char *what, const char *text)
{
    struct trace *trace = simulation->trace;
    char when[WALL_TEXT_MAX + 8];
    char *line = trace->last[trace->n_last++ % LAST_KEPT];

    snprintf(line, LINE_MAX_, "%s %s%.300s", moment(simulation, when), what, text);
}

void trace_act(struct simulation *simulation, const char *format, ...)
{
    struct trace *trace = simulation->trace;
    _cleanup_free_ char *text = NULL;
    char when[WALL_TEXT_MAX + 8];
    va_list arguments;

    va_start(arguments, format);
    int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (n < 0) {
        text = NULL;
        return;
    }
    mix(trace, (uint64_t)simulation_offset_ms(simulation));
    mix_text(trace, text);
    keep(simulation, "* ", text);
    if (trace->out)
        fprintf(trace->out, "%s * %s\n", moment(simulation, when), text);
}

void trace_told(struct simulation *simulation, int level, const char *message_id,
                const char *message)
{
    struct trace *trace = simulation->trace;
    char when[WALL_TEXT_MAX + 8];

    mix(trace, (uint64_t)simulation_offset_ms(simulation) << 3 | (uint64_t)level);
    mix_text(trace, message);
    if (message_id)
        keep(simulation, "", message);
    if (trace->out)
        fprintf(trace->out, "%s %s\n", moment(simulation, when), message);
}

void trace_call(struct simulation *simulation, const struct world_call *call)
{
    struct trace *trace = simulation->trace;
    char when[WALL_TEXT_MAX + 8];

    mix(trace, (uint64_t)call->now.ms);
    mix_text(trace, call->operation);
    mix_text(trace, call->code);
    mix(trace, (uint64_t)call->status << 1 | call->is_intact);
    if (trace->out)
        fprintf(trace->out, "%s   %s %s -> %d %s%s\n", moment(simulation, when), call->operation,
                call->parameters
                    ? json_object_to_json_string_ext(
                          call->parameters, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                    : "",
                call->status, call->code, call->is_intact ? "" : " (spoilt)");
}

void trace_print_last(const struct trace *trace, FILE *out)
{
    size_t first = trace->n_last > LAST_KEPT ? trace->n_last - LAST_KEPT : 0;

    for (size_t i = first; i < trace->n_last; i++)
        fprintf(out, "    %s\n", trace->last[i % LAST_KEPT]);
}
