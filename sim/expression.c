/* SPDX-License-Identifier: MIT */
#include "sim/expression.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"

struct expression {
    regex_t compiled;
};

/* POSIX text under construction: no source byte becomes more than this many. */
#define GROWTH_MAX 16
#define SET_MAX 4096 /* of one [...] */

struct translation {
    const char *in, *end;
    char *out;
};

static void emit(struct translation *t, const char *text)
{
    size_t n = strlen(text);
    memcpy(t->out, text, n);
    t->out += n;
}

static void emit_byte(struct translation *t, char c)
{
    *t->out++ = c;
}

/* Two hexadecimal digits of \xhh. */
static int take_hex(struct translation *t, char *ret)
{
    char digits[3] = "";
    if (t->end - t->in < 2 || !isxdigit((unsigned char)t->in[0]) ||
        !isxdigit((unsigned char)t->in[1]))
        return -EINVAL;
    memcpy(digits, t->in, 2);
    t->in += 2;
    *ret = (char)(unsigned char)strtoul(digits, NULL, 16);
    return *ret ? 0 : -EINVAL;
}

static bool is_meta(char c)
{
    return strchr(".[]{}()*+?|^$\\", c) != NULL;
}

/* Behind a backslash, outside brackets. */
static int translate_escape(struct translation *t)
{
    if (t->in == t->end)
        return -EINVAL;
    char c = *t->in++;
    switch (c) {
    case 'd':
        emit(t, "[0-9]");
        return 0;
    case 'D':
        emit(t, "[^0-9]");
        return 0;
    case 'w':
        emit(t, "[A-Za-z0-9_]");
        return 0;
    case 'W':
        emit(t, "[^A-Za-z0-9_]");
        return 0;
    case 's':
        emit(t, "[ \t\n\r\f\v]");
        return 0;
    case 'S':
        emit(t, "[^ \t\n\r\f\v]");
        return 0;
    case 'b':
    case 'B':
        emit_byte(t, '\\');
        emit_byte(t, c);
        return 0;
    case 't':
        emit_byte(t, '\t');
        return 0;
    case 'n':
        emit_byte(t, '\n');
        return 0;
    case 'r':
        emit_byte(t, '\r');
        return 0;
    case 'x':
        if (take_hex(t, &c) < 0)
            return -EINVAL;
        break;
    default:
        /* An escaped letter or digit means something else, or nothing. */
        if (isalnum((unsigned char)c))
            return -EINVAL;
    }
    if (is_meta(c))
        emit_byte(t, '\\');
    emit_byte(t, c);
    return 0;
}

/* The members of [...]. In POSIX a backslash there is a plain one. */
struct set {
    bool negated;
    char members[SET_MAX];
    size_t n;
};

static void add_members(struct set *set, const char *members, size_t n)
{
    for (size_t i = 0; i < n; i++)
        set->members[set->n++] = members[i];
}

static char control_or_self(char c)
{
    switch (c) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    default:
        return c;
    }
}

/* Behind a backslash. *ret_plain: it is a plain character, in *ret. */
static int read_escaped_member(struct translation *t, struct set *set, char *ret, bool *ret_plain)
{
    if (t->in == t->end)
        return -EINVAL;
    char c = *t->in++;
    *ret_plain = false;
    if (c == 'd') {
        add_members(set, "0-9", 3);
    } else if (c == 'D') {
        add_members(set, "\x01-/:-\xff", 6); /* bytes, as all here */
    } else if (c == 'w') {
        add_members(set, "A-Za-z0-9_", 10);
    } else if (c == 'W') {
        add_members(set, "\x01-/:-@[-^`{-\xff", 13);
    } else if (c == 's') {
        add_members(set, " \t\n\r\f\v", 6);
    } else if (c == 'S') {
        add_members(set, "\x01-\x08\x0e-\x1f!-\xff", 9);
    } else {
        *ret_plain = true;
        *ret = control_or_self(c);
        if (c == 'x')
            return take_hex(t, ret);
    }
    return 0;
}

static int read_member(struct translation *t, struct set *set, bool first)
{
    if (set->n + GROWTH_MAX > SET_MAX)
        return -EINVAL;
    char c = *t->in++;
    bool escaped = c == '\\', plain = true;
    int r = escaped ? read_escaped_member(t, set, &c, &plain) : 0;
    if (r < 0 || !plain)
        return r;
    if (c == '[' && !escaped && t->in < t->end && strchr(":.=", *t->in))
        return -EINVAL; /* POSIX classes are not of these languages */
    bool is_range = c == '-' && !escaped && !first && t->in < t->end && *t->in != ']';
    if (strchr("[]^-", c) && !is_range)
        add_members(set, (char[]){'[', '.', c, '.', ']'}, 5); /* plain, wherever it stands */
    else
        set->members[set->n++] = c;
    return 0;
}

static void emit_set(struct translation *t, const struct set *set)
{
    emit(t, set->negated ? "[^" : "[");
    memcpy(t->out, set->members, set->n);
    t->out += set->n;
    emit_byte(t, ']');
}

/* Up to the closing bracket. */
static int translate_brackets(struct translation *t)
{
    struct set set = {0};
    if (t->in < t->end && *t->in == '^') {
        set.negated = true;
        t->in++;
    }
    for (bool first = true;; first = false) {
        if (t->in == t->end)
            return -EINVAL;
        if (*t->in == ']' && !first)
            break;
        int r = read_member(t, &set, first);
        if (r < 0)
            return r;
    }
    t->in++;
    emit_set(t, &set);
    return 0;
}

static int translate_one(struct translation *t)
{
    char c = *t->in++;
    switch (c) {
    case '\0':
        return -EINVAL;
    case '\\':
        return translate_escape(t);
    case '[':
        return translate_brackets(t);
    case '(':
        emit_byte(t, '(');
        if (t->end - t->in >= 2 && t->in[0] == '?') {
            if (t->in[1] != ':')
                return -EINVAL;
            t->in += 2;
        }
        return 0;
    case '*':
    case '+':
    case '?':
    case '}':
        emit_byte(t, c);
        if (t->in < t->end && *t->in == '?')
            t->in++;
        else if (t->in < t->end && (*t->in == '*' || *t->in == '+'))
            return -EINVAL;
        return 0;
    default:
        emit_byte(t, c);
        return 0;
    }
}

int expression_new(const char *text, size_t size, struct expression **ret)
{
    int flags = REG_EXTENDED | REG_NOSUB;
    if (size >= 4 && strncmp(text, "(?i)", 4) == 0) {
        flags |= REG_ICASE;
        text += 4;
        size -= 4;
    }
    /* At the start there is nothing to repeat: glibc would take it as a plain character. */
    if (size > 0 && strchr("*+?", text[0]))
        return -EINVAL;

    _cleanup_free_ char *posix = malloc(size * GROWTH_MAX + GROWTH_MAX);
    _cleanup_free_ struct expression *expression = calloc(1, sizeof(*expression));
    if (!posix || !expression)
        return -ENOMEM;
    struct translation t = {.in = text, .end = text + size, .out = posix};
    while (t.in < t.end) {
        int r = translate_one(&t);
        if (r < 0)
            return r;
    }
    *t.out = '\0';

    int r = regcomp(&expression->compiled, posix, flags);
    if (r != 0)
        return r == REG_ESPACE ? -ENOMEM : -EINVAL;
    *ret = TAKE(expression);
    return 0;
}

struct expression *expression_free(struct expression *expression)
{
    if (expression) {
        regfree(&expression->compiled);
        free(expression);
    }
    return NULL;
}

bool expression_matches(const struct expression *expression, const char *text)
{
    return regexec(&expression->compiled, text, 0, NULL, 0) == 0;
}

bool expression_is_for_filter_pattern(const char *text, size_t size)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  ":_#=@/;,-^$?[]{}|\\*+.";
    for (size_t i = 0; i < size; i++) {
        if (!text[i] || !strchr(allowed, text[i]))
            return false;
        if (text[i] == '\\' && i + 1 < size && isalnum((unsigned char)text[++i]) &&
            !strchr("dDsSwWx", text[i]))
            return false;
    }
    return size > 0;
}
