/* SPDX-License-Identifier: MIT */
/*
 * From the text of a regular expression to its program, by recursive descent:
 *
 *     alternatives := sequence { "|" sequence }
 *     sequence     := term { term }
 *     term         := atom [ repetition ]
 *     atom         := character | escape | "." | "^" | "$" | class | "(" alternatives ")"
 *
 * Whatever engines disagree on is an error here: see pattern_regex.h for the subset.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pattern/pattern_regex_program.h"

#define UNBOUNDED (-1)

/* One set for each class, escape or dot at most: each takes a character of the text. */
#define SETS_MAX PATTERN_REGEX_LENGTH_MAX

struct compiler {
    const char *text;
    size_t at;
    enum pattern_regex_reading reading;
    struct instruction program[PATTERN_REGEX_PROGRAM_MAX];
    size_t length;
    struct symbol_set sets[SETS_MAX];
    size_t n_sets;
    char required[2 * PATTERN_REGEX_LENGTH_MAX]; /* each text took a character, and adds a NUL */
    size_t required_size;
    size_t n_required;
    char run[PATTERN_REGEX_LENGTH_MAX + 1]; /* literal characters side by side, outside of groups */
    size_t run_length;
    bool has_alternatives; /* outside of groups: then no text is required */
    char *error;
};

struct repetition {
    int min;
    int max; /* or UNBOUNDED */
};

__attribute__((format(printf, 3, 4))) static int fail(struct compiler *c, size_t at,
                                                      const char *format, ...)
{
    _cleanup_free_ char *what = NULL;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&what, format, arguments);
    va_end(arguments);
    if (n < 0) {
        what = NULL;
        return -ENOMEM;
    }
    if (asprintf(&c->error, "character %zu: %s", at + 1, what) < 0) {
        c->error = NULL;
        return -ENOMEM;
    }
    return -EINVAL;
}

static char peek(const struct compiler *c)
{
    return c->text[c->at];
}

/* ---- Program ---- */

static int reserve(struct compiler *c, size_t more)
{
    if (c->length + more > PATTERN_REGEX_PROGRAM_MAX)
        return fail(c, c->at,
                    "the expression is too large with its repetitions written out "
                    "(more than %d steps); repeat fewer times",
                    PATTERN_REGEX_PROGRAM_MAX);
    return 0;
}

static int emit(struct compiler *c, enum opcode op, ptrdiff_t a)
{
    int r = reserve(c, 1);
    if (r < 0)
        return r;
    c->program[c->length++] = (struct instruction){.op = (uint16_t)op, .a = (int16_t)a};
    return 0;
}

static int emit_set(struct compiler *c, const struct symbol_set *set)
{
    c->sets[c->n_sets] = *set;
    return emit(c, OP_SET, (ptrdiff_t)c->n_sets++);
}

static int insert(struct compiler *c, size_t at, struct instruction instruction)
{
    int r = reserve(c, 1);
    if (r < 0)
        return r;
    memmove(&c->program[at + 1], &c->program[at], (c->length - at) * sizeof(c->program[0]));
    c->program[at] = instruction;
    c->length++;
    return 0;
}

static struct instruction split(ptrdiff_t a, ptrdiff_t b)
{
    return (struct instruction){.op = OP_SPLIT, .a = (int16_t)a, .b = (int16_t)b};
}

/* Appends `times` copies of the piece at from. */
static int append_copies(struct compiler *c, size_t from, size_t length, size_t times)
{
    int r = reserve(c, times * length);
    if (r < 0)
        return r;
    for (; times > 0; times--) {
        memcpy(&c->program[c->length], &c->program[from], length * sizeof(c->program[0]));
        c->length += length;
    }
    return 0;
}

/* The piece from `from` to the end, once, becomes the piece repeated. */
static int unroll(struct compiler *c, size_t from, struct repetition times)
{
    size_t length = c->length - from;
    int r;
    if (times.max == UNBOUNDED) {
        if (times.min == 0) { /* split over it, and back to the split after it */
            r = insert(c, from, split(1, (ptrdiff_t)length + 2));
            return r < 0 ? r : emit(c, OP_JUMP, -(ptrdiff_t)length - 1);
        }
        r = append_copies(c, from, length, (size_t)times.min - 1);
        return r < 0 ? r : insert(c, c->length, split(-(ptrdiff_t)length, 1));
    }
    if (times.min > 0) {
        r = append_copies(c, from, length, (size_t)times.min - 1);
        if (r < 0 || times.max == times.min)
            return r;
        size_t optional = c->length;
        r = append_copies(c, from, length, 1);
        if (r < 0)
            return r;
        from = optional;
        times.max -= times.min;
    }
    r = insert(c, from, split(1, (ptrdiff_t)length + 1));
    return r < 0 ? r : append_copies(c, from, length + 1, (size_t)times.max - 1);
}

/* ---- Required texts ---- */

static void end_run(struct compiler *c)
{
    if (c->run_length == 0)
        return;
    memcpy(&c->required[c->required_size], c->run, c->run_length);
    c->required_size += c->run_length;
    c->required[c->required_size++] = '\0';
    c->n_required++;
    c->run_length = 0;
}

/* After a term outside of groups: literal is its character, or 0 if it is none. */
static void extend_run(struct compiler *c, char literal, struct repetition times)
{
    if (literal && times.min > 0)
        c->run[c->run_length++] = literal;
    if (!literal || times.min != 1 || times.max != 1)
        end_run(c);
}

/* ---- Characters ---- */

/* A backslash and what follows: a set (returns 1), or a literal character (returns 0). */
static int parse_escape(struct compiler *c, enum pattern_regex_reading reading,
                        struct symbol_set *ret_set, char *ret_literal)
{
    size_t at = c->at;
    char letter = c->text[at + 1];
    if (letter == '\0')
        return fail(c, at, "a backslash ends the expression; write \\\\ for a backslash itself");
    c->at += 2;
    if (symbol_set_of_escape(letter, reading, ret_set))
        return 1;
    if (letter == 't') {
        *ret_literal = '\t';
        return 0;
    }
    if (ispunct((unsigned char)letter) && letter != '_') {
        *ret_literal = letter;
        return 0;
    }
    if (letter == 'b' || letter == 'B')
        return fail(c, at,
                    "\\%c (word boundary) is not portable; write \\W or [^A-Za-z0-9_] "
                    "for the character that ends a word",
                    letter);
    if (isdigit((unsigned char)letter))
        return fail(c, at, "\\%c (back-reference) is not portable; write the text out", letter);
    if (letter == 'A' || letter == 'z' || letter == 'Z')
        return fail(c, at, "\\%c is not portable; write ^ for the beginning and $ for the end",
                    letter);
    if (letter == 'n' || letter == 'r')
        return fail(c, at, "\\%c is not portable; write \\s for whitespace of any kind", letter);
    if (isalpha((unsigned char)letter))
        return fail(c, at,
                    "\\%c is not portable; of letters, only \\d \\w \\s \\D \\W \\S \\t "
                    "have a meaning after a backslash",
                    letter);
    if (letter == '_' || letter == ' ')
        return fail(c, at, "\\%c is not portable; write it without the backslash", letter);
    return fail(c, at,
                "only ASCII punctuation and the letters of \\d \\w \\s \\D \\W \\S \\t may "
                "follow a backslash");
}

/* Refuses what is no character of the subset, wherever it stands. */
static int check_character(struct compiler *c)
{
    unsigned char character = (unsigned char)peek(c);
    if (character >= 0x80)
        return fail(c, c->at,
                    "FilterLogEvents takes ASCII only in an expression; write . for "
                    "this character, or use a \"literal\" instead of a /regex/");
    if (character < ' ' || character == 0x7f)
        return fail(c, c->at, "a control character; write \\t for a tab, \\s for whitespace");
    if (character == '/')
        return fail(c, c->at,
                    "/ would end the expression in Logs Insights; write \\/ for a slash "
                    "(a path is easier as a \"literal\" in double quotes)");
    return 0;
}

/* One element of a class: a set (returns 1), or a character that may begin a range (returns 0). */
static int parse_class_element(struct compiler *c, bool first, enum pattern_regex_reading reading,
                               struct symbol_set *ret_set, char *ret_literal)
{
    size_t at = c->at;
    char character = peek(c);
    if (character == '\\')
        return parse_escape(c, reading, ret_set, ret_literal);
    int r = check_character(c);
    if (r < 0)
        return r;
    if (character == '[')
        return fail(c, at,
                    "[ within a class is not portable; write \\[ for the character, and "
                    "a-z, 0-9, \\s for the likes of [:alpha:]");
    if (character == '-' && !first && c->text[at + 1] != ']' && c->text[at + 1] != '\0')
        return fail(c, at, "- between ranges of a class is not portable; write \\-");
    if (character == '&' && c->text[at + 1] == '&')
        return fail(c, at, "&& within a class is not portable; write &");
    c->at++;
    *ret_literal = character;
    return 0;
}

/* The upper end of a range whose lower end has just been read. */
static int parse_range(struct compiler *c, size_t at, char low, struct symbol_set *set)
{
    struct symbol_set ignored;
    char high = 0;
    c->at++; /* the "-" */
    if (c->text[at] == '-' || peek(c) == '-')
        return fail(c, at, "a range from or to - is not portable; write \\-");
    int r = parse_class_element(c, false, c->reading, &ignored, &high);
    if (r < 0)
        return r;
    if (r > 0)
        return fail(c, at, "a range cannot end in \\%c; write \\- for the character -",
                    c->text[c->at - 1]);
    if (high < low)
        return fail(c, at, "the range %c-%c runs backwards; write %c-%c", low, high, high, low);
    symbol_set_add_range(set, (unsigned char)low, (unsigned char)high);
    return 0;
}

static int parse_class(struct compiler *c)
{
    size_t open = c->at++;
    bool negated = peek(c) == '^';
    if (negated)
        c->at++;
    if (peek(c) == ']')
        return fail(c, c->at, "] at the beginning of a class is not portable; write \\]");

    enum pattern_regex_reading reading = negated ? symbol_opposite(c->reading) : c->reading;
    struct symbol_set set = {0};
    for (bool first = true; peek(c) != ']'; first = false) {
        struct symbol_set element;
        char literal = 0;
        size_t at = c->at;
        if (peek(c) == '\0')
            return fail(c, open, "this [ has no ]; write \\[ for the character itself");
        int r = parse_class_element(c, first, reading, &element, &literal);
        if (r < 0)
            return r;
        if (r > 0) {
            symbol_set_unite(&set, &element);
        } else if (peek(c) == '-' && c->text[c->at + 1] != ']' && c->text[c->at + 1] != '\0') {
            r = parse_range(c, at, literal, &set);
            if (r < 0)
                return r;
        } else {
            symbol_set_add(&set, (unsigned char)literal);
        }
    }
    c->at++;
    if (negated)
        symbol_set_complement(&set);
    return emit_set(c, &set);
}

/* ---- Terms ---- */

static int parse_alternatives(struct compiler *c, size_t depth);

static int parse_group(struct compiler *c, size_t depth)
{
    size_t open = c->at++;
    if (peek(c) == '?')
        return fail(c, open,
                    "(? is not portable; write ( ) for a group, [Gg] for a letter of either case, "
                    "and `exclude` for what must not be there");
    if (depth == PATTERN_REGEX_DEPTH_MAX)
        return fail(c, open, "groups are nested more than %d deep", PATTERN_REGEX_DEPTH_MAX);
    int r = parse_alternatives(c, depth + 1);
    if (r < 0)
        return r;
    if (peek(c) != ')')
        return fail(c, open, "this ( has no ); write \\( for the character itself");
    c->at++;
    return 0;
}

/* *ret_literal: the one character that it matches, or 0. */
static int parse_atom(struct compiler *c, size_t depth, char *ret_literal)
{
    struct symbol_set set;
    char character = peek(c);
    int r;
    *ret_literal = 0;
    switch (character) {
    case '(':
        return parse_group(c, depth);
    case '[':
        return parse_class(c);
    case '.':
        c->at++;
        set = symbol_set_of_dot(c->reading);
        return emit_set(c, &set);
    case '^':
    case '$':
        c->at++;
        return emit(c, character == '^' ? OP_START : OP_END, 0);
    case '\\':
        r = parse_escape(c, c->reading, &set, ret_literal);
        if (r != 0)
            return r < 0 ? r : emit_set(c, &set);
        return emit(c, OP_SYMBOL, (unsigned char)*ret_literal);
    case '*':
    case '+':
    case '?':
        return fail(c, c->at,
                    "there is nothing for %c to repeat; write \\%c for the character "
                    "itself",
                    character, character);
    case '{':
    case '}':
    case ']':
        return fail(c, c->at, "%c alone is not portable; write \\%c", character, character);
    default:
        r = check_character(c);
        if (r < 0)
            return r;
        c->at++;
        *ret_literal = character;
        return emit(c, OP_SYMBOL, (unsigned char)character);
    }
}

/* Digits, as many as there are. Returns -1 for none; more than any limit for too many. */
static int parse_number(struct compiler *c)
{
    if (!isdigit((unsigned char)peek(c)))
        return -1;
    int number = 0;
    for (; isdigit((unsigned char)peek(c)); c->at++)
        if (number <= PATTERN_REGEX_REPEAT_MAX)
            number = 10 * number + (peek(c) - '0');
    return number;
}

static int parse_braces(struct compiler *c, struct repetition *ret)
{
    size_t open = c->at++;
    int min = parse_number(c);
    int max = min;
    if (min >= 0 && peek(c) == ',') {
        c->at++;
        max = parse_number(c); /* -1 is UNBOUNDED */
    }
    if (min < 0 || peek(c) != '}')
        return fail(c, open,
                    "{ must begin {m}, {m,} or {m,n}, such as {0,3}; write \\{ for the "
                    "character itself");
    c->at++;
    if (min > PATTERN_REGEX_REPEAT_MAX || max > PATTERN_REGEX_REPEAT_MAX)
        return fail(c, open, "at most %d repetitions", PATTERN_REGEX_REPEAT_MAX);
    if (max == 0)
        return fail(c, open, "repeated zero times, it says nothing; leave it out");
    if (max != UNBOUNDED && max < min)
        return fail(c, open, "{%d,%d} runs backwards; write {%d,%d}", min, max, max, min);
    *ret = (struct repetition){.min = min, .max = max};
    return 0;
}

/* What comes after an atom. Returns 1 if it is a repetition, 0 if there is none. */
static int parse_repetition(struct compiler *c, struct repetition *ret)
{
    switch (peek(c)) {
    case '*':
        *ret = (struct repetition){.min = 0, .max = UNBOUNDED};
        break;
    case '+':
        *ret = (struct repetition){.min = 1, .max = UNBOUNDED};
        break;
    case '?':
        *ret = (struct repetition){.min = 0, .max = 1};
        break;
    case '{': {
        int r = parse_braces(c, ret);
        return r < 0 ? r : 1;
    }
    default:
        *ret = (struct repetition){.min = 1, .max = 1};
        return 0;
    }
    c->at++;
    return 1;
}

static int parse_term(struct compiler *c, size_t depth)
{
    size_t from = c->length;
    size_t at = c->at;
    bool is_edge = peek(c) == '^' || peek(c) == '$';
    char literal;
    int r = parse_atom(c, depth, &literal);
    if (r < 0)
        return r;

    struct repetition times = {0};
    size_t mark = c->at;
    r = parse_repetition(c, &times);
    if (r < 0)
        return r;
    if (r > 0) {
        char next = peek(c);
        if (is_edge)
            return fail(c, mark, "%c cannot be repeated; write \\%c for the character itself",
                        c->text[at], c->text[at]);
        if (next == '?')
            return fail(c, c->at,
                        "a lazy repetition; drop the ?: it would not change what matches");
        if (next == '+')
            return fail(c, c->at, "a possessive repetition is not portable; drop the +");
        if (next == '*' || next == '{')
            return fail(c, c->at, "a repetition of a repetition; put ( ) around the inner one");
        r = unroll(c, from, times);
        if (r < 0)
            return r;
    }
    if (depth == 0)
        extend_run(c, literal, times);
    return 0;
}

static int parse_sequence(struct compiler *c, size_t depth)
{
    size_t begin = c->at;
    while (peek(c) != '\0' && peek(c) != '|' && peek(c) != ')') {
        int r = parse_term(c, depth);
        if (r < 0)
            return r;
    }
    if (c->at == begin)
        return fail(c, begin,
                    "an empty alternative or group is not portable; write ( )? around "
                    "what may be missing");
    return 0;
}

static int parse_alternatives(struct compiler *c, size_t depth)
{
    size_t last_jump = 0; /* of the alternatives so far, linked by .a; 0 ends the chain */
    for (;;) {
        size_t from = c->length;
        int r = parse_sequence(c, depth);
        if (r < 0)
            return r;
        if (peek(c) != '|')
            break;
        c->at++;
        if (depth == 0)
            c->has_alternatives = true;
        r = insert(c, from, split(1, (ptrdiff_t)(c->length - from) + 2));
        if (r < 0)
            return r;
        size_t jump = c->length;
        r = emit(c, OP_JUMP, (ptrdiff_t)last_jump);
        if (r < 0)
            return r;
        last_jump = jump; /* never 0: the split is before it */
    }
    while (last_jump > 0) {
        struct instruction *jump = &c->program[last_jump];
        size_t previous = (size_t)jump->a;
        jump->a = (int16_t)(c->length - last_jump);
        last_jump = previous;
    }
    return 0;
}

/* ---- The whole ---- */

static void *duplicate(const void *from, size_t size)
{
    void *copy = malloc(size > 0 ? size : 1);
    if (copy && size > 0)
        memcpy(copy, from, size);
    return copy;
}

static int compile(struct compiler *c)
{
    if (strlen(c->text) > PATTERN_REGEX_LENGTH_MAX)
        return fail(c, PATTERN_REGEX_LENGTH_MAX, "an expression has at most %d characters",
                    PATTERN_REGEX_LENGTH_MAX);
    int r = parse_alternatives(c, 0);
    if (r < 0)
        return r;
    if (peek(c) == ')')
        return fail(c, c->at, "this ) has no (; write \\) for the character itself");
    end_run(c);
    if (c->has_alternatives)
        c->n_required = 0;
    return emit(c, OP_MATCH, 0);
}

int pattern_regex_compile(const char *text, struct pattern_regex *regex, char **ret_error)
{
    _cleanup_free_ struct compiler *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->text = text;
    c->reading = regex->reading;
    int r = compile(c);
    if (r == -EINVAL)
        *ret_error = TAKE(c->error);
    if (r < 0)
        return r;

    regex->program = duplicate(c->program, c->length * sizeof(c->program[0]));
    regex->sets = duplicate(c->sets, c->n_sets * sizeof(c->sets[0]));
    regex->required = duplicate(c->required, c->required_size);
    if (!regex->program || !regex->sets || !regex->required)
        return -ENOMEM;
    regex->length = c->length;
    regex->n_required = c->n_required;
    return 0;
}
