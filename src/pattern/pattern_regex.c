/* SPDX-License-Identifier: MIT */
#include "pattern/pattern_regex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pattern/pattern_regex_program.h"

DEFINE_CLEANUP(struct pattern_regex *, pattern_regex_free)

int pattern_regex_new(const char *text, enum pattern_regex_reading reading,
                      struct pattern_regex **ret, char **ret_error)
{
    _cleanup_(pattern_regex_free) struct pattern_regex *regex = calloc(1, sizeof(*regex));
    if (!regex)
        return -ENOMEM;
    regex->reading = reading;
    int r = pattern_regex_compile(text, regex, ret_error);
    if (r < 0)
        return r;
    *ret = TAKE(regex);
    return 0;
}

struct pattern_regex *pattern_regex_free(struct pattern_regex *regex)
{
    if (!regex)
        return NULL;
    free(regex->program);
    free(regex->sets);
    free(regex->required);
    free(regex);
    return NULL;
}

const char *pattern_regex_required(const struct pattern_regex *regex, size_t index)
{
    if (index >= regex->n_required)
        return NULL;
    const char *text = regex->required;
    for (; index > 0; index--)
        text += strlen(text) + 1;
    return text;
}

static bool is_last_line_break(const unsigned char *text)
{
    static const char *const breaks[] = {"\n",       "\r\n",         "\r",
                                         "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    for (size_t i = 0; i < ARRAY_LENGTH(breaks); i++)
        if (strcmp((const char *)text, breaks[i]) == 0)
            return true;
    return false;
}

/* Where in the program a match has come to; all alternatives advance side by side. */
struct run {
    const struct pattern_regex *regex;
    bool at_start;
    bool at_end;
    bool matched;
    size_t steps;
    uint32_t generation;
    uint32_t seen[PATTERN_REGEX_PROGRAM_MAX];    /* generation in which it was last entered */
    uint16_t waiting[PATTERN_REGEX_PROGRAM_MAX]; /* instructions that want a symbol */
    size_t n_waiting;
    uint16_t open[PATTERN_REGEX_PROGRAM_MAX]; /* still to be followed */
    size_t n_open;
};

static void enter(struct run *run, size_t at)
{
    if (run->seen[at] == run->generation)
        return;
    run->seen[at] = run->generation;
    run->open[run->n_open++] = (uint16_t)at; /* fits: each is entered once in a generation */
}

static size_t target(size_t at, int16_t offset)
{
    return (size_t)((ptrdiff_t)at + offset);
}

/* Follows what consumes nothing, from `at` to the instructions that want a symbol. */
static void follow(struct run *run, size_t at)
{
    enter(run, at);
    while (run->n_open > 0) {
        at = run->open[--run->n_open];
        run->steps++;
        const struct instruction *instruction = &run->regex->program[at];
        switch ((enum opcode)instruction->op) {
        case OP_SYMBOL:
        case OP_SET:
            run->waiting[run->n_waiting++] = (uint16_t)at;
            break;
        case OP_SPLIT:
            enter(run, target(at, instruction->b));
            enter(run, target(at, instruction->a));
            break;
        case OP_JUMP:
            enter(run, target(at, instruction->a));
            break;
        case OP_START:
            if (run->at_start)
                enter(run, at + 1);
            break;
        case OP_END:
            if (run->at_end)
                enter(run, at + 1);
            break;
        case OP_MATCH:
            run->matched = true;
            break;
        }
    }
}

static bool accepts(const struct pattern_regex *regex, size_t at, unsigned symbol)
{
    const struct instruction *instruction = &regex->program[at];
    if (instruction->op == OP_SYMBOL)
        return (unsigned)instruction->a == symbol;
    return symbol_set_has(&regex->sets[instruction->a], symbol);
}

bool pattern_regex_matches(const struct pattern_regex *regex, const char *message,
                           size_t *ret_steps)
{
    struct run run = {.regex = regex};
    const unsigned char *text = (const unsigned char *)message;
    uint16_t arrived[PATTERN_REGEX_PROGRAM_MAX];
    size_t n_arrived = 0;

    for (const unsigned char *p = text;;) {
        if (++run.generation == 0) { /* every 4 GiB */
            memset(run.seen, 0, sizeof(run.seen));
            run.generation = 1;
        }
        run.n_waiting = 0;
        run.at_start = p == text;
        run.at_end = *p == '\0' || (regex->reading == PATTERN_REGEX_WIDE && is_last_line_break(p));
        for (size_t i = 0; i < n_arrived; i++)
            follow(&run, arrived[i]);
        follow(&run, 0); /* a match may begin anywhere */
        if (run.matched || *p == '\0')
            break;

        unsigned symbol;
        p += symbol_at(p, &symbol);
        n_arrived = 0;
        for (size_t i = 0; i < run.n_waiting; i++)
            if (accepts(regex, run.waiting[i], symbol))
                arrived[n_arrived++] = (uint16_t)(run.waiting[i] + 1);
        run.steps += run.n_waiting;
    }
    if (ret_steps)
        *ret_steps = run.steps;
    return run.matched;
}

bool pattern_regex_matches_everything(const struct pattern_regex *regex)
{
    /* In the middle of a message, before anything is read: what needs neither symbol nor edge. */
    struct run run = {.regex = regex, .generation = 1};
    follow(&run, 0);
    return run.matched;
}
