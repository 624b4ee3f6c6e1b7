/* SPDX-License-Identifier: MIT */
#include "ctl/dotenv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define DIGITS "0123456789"
#define BLANKS " \t"

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, BLANKS);
}

/* Behind a quoted value. */
static const char *check_rest(const char *rest)
{
    rest = skip_blanks(rest);
    return *rest == '\0' || *rest == '#' ? NULL : "text behind the closing quote";
}

static const char *read_single_quoted(const char *text, char *value)
{
    const char *end = strchr(text, '\'');

    if (!end)
        return "the closing quote is missing";
    memcpy(value, text, (size_t)(end - text));
    value[end - text] = '\0';
    return check_rest(end + 1);
}

static const char *read_double_quoted(const char *text, char *value)
{
    static const char ESCAPES[] = "\"\\$nrt", MEANINGS[] = "\"\\$\n\r\t";

    for (; *text != '"'; text++) {
        const char *meaning = text, *escape = NULL;

        if (*text == '\0')
            return "the closing quote is missing";
        if (*text == '\\' && text[1])
            escape = strchr(ESCAPES, text[1]);
        if (escape) {
            meaning = &MEANINGS[escape - ESCAPES];
            text++;
        }
        *value++ = *meaning;
    }
    *value = '\0';
    return check_rest(text + 1);
}

/* Up to a comment or the end, without the blanks before it. */
static void read_bare(const char *text, char *value)
{
    size_t length = 0;

    while (text[length] &&
           !(text[length] == '#' && (length == 0 || strchr(BLANKS, text[length - 1]))))
        length++;
    while (length > 0 && strchr(BLANKS, text[length - 1]))
        length--;
    memcpy(value, text, length);
    value[length] = '\0';
}

/* value has room for the whole line. Returns NULL, or what is wrong. */
static const char *read_value(const char *text, char *value)
{
    if (*text == '\'')
        return read_single_quoted(text + 1, value);
    if (*text == '"')
        return read_double_quoted(text + 1, value);
    read_bare(text, value);
    return NULL;
}

static int add_variable(struct dotenv *dotenv, char *name, char *value, unsigned line)
{
    struct dotenv_variable *variables =
        reallocarray(dotenv->variables, dotenv->n_variables + 1, sizeof(*variables));

    if (!variables)
        return -ENOMEM;
    dotenv->variables = variables;
    variables[dotenv->n_variables++] =
        (struct dotenv_variable){.name = name, .value = value, .line = line};
    return 0;
}

/* One line, without its end. */
static int read_line(const char *line, struct dotenv *dotenv, unsigned number,
                     const char **ret_problem)
{
    const char *at = skip_blanks(line);

    if (*at == '\0' || *at == '#')
        return 0;
    if (strncmp(at, "export", 6) == 0 && strchr(BLANKS, at[6]) && at[6])
        at = skip_blanks(at + 6);
    size_t length = strspn(at, LETTERS DIGITS);
    const char *equals = skip_blanks(at + length);
    if (length == 0 || strchr(DIGITS, *at) || *equals != '=') {
        *ret_problem = "not NAME=VALUE";
        return -EINVAL;
    }
    _cleanup_free_ char *name = strndup(at, length);
    _cleanup_free_ char *value = malloc(strlen(line) + 1);
    if (!name || !value)
        return -ENOMEM;
    *ret_problem = read_value(skip_blanks(equals + 1), value);
    if (*ret_problem)
        return -EINVAL;
    int r = add_variable(dotenv, name, value, number);
    if (r == 0)
        name = value = NULL;
    return r;
}

int dotenv_parse(const char *text, size_t length, struct dotenv *ret, unsigned *ret_line,
                 const char **ret_problem)
{
    struct dotenv dotenv = {0};
    const char *end = text + length;
    int r = 0;

    *ret_line = 0;
    *ret_problem = NULL;
    if (memchr(text, '\0', length)) {
        *ret_problem = "not a text file";
        return -EINVAL;
    }
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (text < end && r == 0) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline ? newline : end;
        size_t size = (size_t)(line_end - text);
        if (size > 0 && text[size - 1] == '\r')
            size--;
        _cleanup_free_ char *line = strndup(text, size);
        ++*ret_line;
        r = line ? read_line(line, &dotenv, *ret_line, ret_problem) : -ENOMEM;
        text = newline ? newline + 1 : end;
    }
    if (r < 0)
        dotenv_clear(&dotenv);
    else
        *ret = dotenv;
    return r;
}

void dotenv_clear(struct dotenv *dotenv)
{
    for (size_t i = 0; i < dotenv->n_variables; i++) {
        free(dotenv->variables[i].name);
        free(dotenv->variables[i].value);
    }
    free(dotenv->variables);
    *dotenv = (struct dotenv){0};
}
