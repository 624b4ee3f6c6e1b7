/* SPDX-License-Identifier: MIT */
#include "config/config_report.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define DISTANCE_WORD_MAX 64

void config_report_clear(struct config_report *report)
{
    for (size_t i = 0; i < report->n_errors; i++)
        free(report->errors[i].text);
    *report = (struct config_report){0};
}

/* One error is one line, whatever a file's name or a value contains. */
static void flatten(char *text)
{
    for (char *c = text; *c; c++) {
        if (*c == '\t' || *c == '\n')
            *c = ' ';
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
}

static bool comes_before(const struct config_place *a, const struct config_place *b)
{
    return a->order != b->order ? a->order < b->order : a->line < b->line;
}

/* Takes the text. */
static void insert_sorted(struct config_report *report, const struct config_place *place,
                          char *text)
{
    size_t at = report->n_errors;
    while (at > 0 && comes_before(place, &report->errors[at - 1].place))
        at--;

    report->n_total++;
    if (at == CONFIG_ERRORS_MAX) {
        free(text);
        return;
    }
    if (report->n_errors == CONFIG_ERRORS_MAX)
        free(report->errors[--report->n_errors].text);
    memmove(&report->errors[at + 1], &report->errors[at],
            (report->n_errors - at) * sizeof(report->errors[0]));
    report->errors[at] = (struct config_error){.place = *place, .text = text};
    report->n_errors++;
}

static void add_message(struct config_report *report, const struct config_place *place,
                        const char *message)
{
    char *text = NULL;
    int r = place->line > 0 ? asprintf(&text, "%s:%u: %s", place->file, place->line, message)
                            : asprintf(&text, "%s: %s", place->file, message);
    if (r < 0) {
        report->out_of_memory = true;
        return;
    }
    flatten(text);
    insert_sorted(report, place, text);
}

void config_report_add(struct config_report *report, const struct config_place *place,
                       const char *format, ...)
{
    _cleanup_free_ char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    int r = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (r < 0) {
        message = NULL;
        report->out_of_memory = true;
        return;
    }
    add_message(report, place, message);
}

void config_report_value(struct config_report *report, const struct config_place *place,
                         const char *section, const char *option, const char *value,
                         const char *format, ...)
{
    _cleanup_free_ char *message = NULL;
    char name[CONFIG_EXCERPT_MAX];
    char shown[CONFIG_EXCERPT_MAX];
    va_list arguments;

    va_start(arguments, format);
    int r = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (r < 0) {
        message = NULL;
        report->out_of_memory = true;
        return;
    }
    config_report_add(report, place, "[%s] %s%s%s: %s", section, config_excerpt(option, name),
                      value ? (*value ? " = " : " =") : "",
                      value ? config_excerpt(value, shown) : "", message);
}

int config_report_finish(const struct config_report *report, char **ret_text)
{
    char rest[64] = "";
    size_t size = sizeof(rest);
    size_t used = 0;

    if (report->out_of_memory)
        return -ENOMEM;
    if (report->n_total == 0)
        return 0;
    if (report->n_total > report->n_errors)
        snprintf(rest, sizeof(rest), "... and %zu more\n", report->n_total - report->n_errors);
    for (size_t i = 0; i < report->n_errors; i++)
        size += strlen(report->errors[i].text) + 1;
    char *text = malloc(size);
    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < report->n_errors; i++)
        used += (size_t)snprintf(text + used, size - used, "%s\n", report->errors[i].text);
    snprintf(text + used, size - used, "%s", rest);
    *ret_text = text;
    return -EINVAL;
}

const char *config_excerpt(const char *text, char buffer[static CONFIG_EXCERPT_MAX])
{
    static const char ellipsis[] = "...";
    size_t length = strlen(text);

    if (length < CONFIG_EXCERPT_MAX) {
        snprintf(buffer, CONFIG_EXCERPT_MAX, "%s", text);
        return buffer;
    }
    length = CONFIG_EXCERPT_MAX - sizeof(ellipsis);
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--; /* a UTF-8 continuation byte: do not cut the character it belongs to */
    snprintf(buffer, CONFIG_EXCERPT_MAX, "%.*s%s", (int)length, text, ellipsis);
    return buffer;
}

static int lower(char c)
{
    return tolower((unsigned char)c);
}

static uint8_t least(unsigned a, unsigned b, unsigned c)
{
    unsigned least_of_two = a < b ? a : b;
    return (uint8_t)(least_of_two < c ? least_of_two : c);
}

/* Optimal string alignment: Damerau's distance in which no letter is edited twice. */
unsigned config_distance(const char *a, const char *b)
{
    uint8_t table[DISTANCE_WORD_MAX + 1][DISTANCE_WORD_MAX + 1];
    size_t a_length = strnlen(a, DISTANCE_WORD_MAX);
    size_t b_length = strnlen(b, DISTANCE_WORD_MAX);

    for (size_t i = 0; i <= a_length; i++)
        table[i][0] = (uint8_t)i;
    for (size_t j = 0; j <= b_length; j++)
        table[0][j] = (uint8_t)j;
    for (size_t i = 1; i <= a_length; i++) {
        for (size_t j = 1; j <= b_length; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            table[i][j] = least(table[i - 1][j] + 1U, table[i][j - 1] + 1U,
                                table[i - 1][j - 1] + (same ? 0U : 1U));
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                table[i][j] = least(table[i][j], table[i - 2][j - 2] + 1U, UINT8_MAX);
        }
    }
    return table[a_length][b_length];
}

static bool resembles(const char *word, const char *name)
{
    size_t word_length = strlen(word);
    size_t name_length = strlen(name);
    size_t longer = word_length > name_length ? word_length : name_length;

    if (word_length > DISTANCE_WORD_MAX)
        return false;
    if (word_length >= 3 && strncasecmp(word, name, word_length) == 0)
        return true;
    unsigned distance = config_distance(word, name);
    return distance < name_length && distance <= (longer + 1) / 3;
}

void config_suggest(const char *word, const char *candidate, const char **best)
{
    if (!resembles(word, candidate))
        return;
    if (!*best || config_distance(word, candidate) < config_distance(word, *best))
        *best = candidate;
}
