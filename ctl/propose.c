/* SPDX-License-Identifier: MIT */
#include "ctl/propose.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "ctl/noise.h"

#define PREFIX_MAX 64
#define PATH_CHARACTERS \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%+:@,;=!*/"

static const char *const METHODS[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
#define METHODS_PATTERN "(GET|POST|PUT|PATCH|DELETE) /"

static const char *const FILES[] = {".js",  ".css",  ".png", ".jpg",   ".jpeg", ".gif", ".svg",
                                    ".ico", ".woff", ".map", ".woff2", ".webp", ".txt", ".ttf"};

/* --- one message --------------------------------------------------------------------------------- */

/* The path that follows a request method: "GET /api/v1?x HTTP/1.1" or "method":"GET","path":"/api". */
static const char *find_path(const char *message, bool *ret_has_method)
{
    for (size_t i = 0; i < ARRAY_LENGTH(METHODS); i++) {
        size_t length = strlen(METHODS[i]);
        for (const char *at = message; (at = strstr(at, METHODS[i])); at++) {
            if (at[length] == ' ' && at[length + 1] == '/' &&
                (at == message || strchr(" \"'[(", at[-1]))) {
                *ret_has_method = true;
                return at + length + 1;
            }
        }
    }
    *ret_has_method = false;
    /* A text that begins like a path, in JSON or behind a blank. */
    for (const char *at = message; (at = strchr(at, '/')); at++) {
        if ((at == message || strchr(" \"=", at[-1])) && at[1] && strchr(PATH_CHARACTERS, at[1]) &&
            at[1] != '/')
            return at;
    }
    return NULL;
}

/* Common and combined format: "... HTTP/1.1" 404 ...; JSON: "status":404. */
static bool is_refused(const char *message)
{
    const char *status = strstr(message, " HTTP/");

    status = status ? strstr(status, "\" ") : strstr(message, "\"status\":");
    if (!status)
        return false;
    status += strcspn(status, "0123456789");
    return status[0] == '4' && strspn(status, "0123456789") == 3;
}

static bool is_file(const char *path, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(FILES); i++) {
        size_t own = strlen(FILES[i]);
        if (length > own && strncmp(path + length - own, FILES[i], own) == 0)
            return true;
    }
    return false;
}

/* "/api/" of "/api/v1/orders", "/login" of "/login", "/" of "/". Returns its length. */
static size_t prefix_of(const char *path, size_t length)
{
    const char *slash = memchr(path + 1, '/', length - 1);

    return slash ? (size_t)(slash - path) + 1 : length;
}

/* Returns 0; 1 when there is no room for another; -ENOMEM. */
static int count(struct propose_count *counts, size_t *n_counts, size_t most, const char *text,
                 size_t length, const char *who)
{
    for (size_t i = 0; i < *n_counts; i++) {
        if (strncmp(counts[i].text, text, length) == 0 && !counts[i].text[length]) {
            counts[i].n++;
            return 0;
        }
    }
    if (*n_counts == most)
        return 1;
    char *copy = strndup(text, length);
    if (!copy)
        return -ENOMEM;
    counts[(*n_counts)++] = (struct propose_count){.text = copy, .who = who, .n = 1};
    return 0;
}

int propose_add(struct propose *propose, const char *message)
{
    struct noise noise;
    bool has_method;

    propose->n_messages++;
    if (noise_recognise(message, &noise)) {
        propose->n_noise++;
        int r = count(propose->excludes, &propose->n_excludes, PROPOSE_EXCLUDES_MAX, noise.exclude,
                      strlen(noise.exclude), noise.who);
        return r < 0 ? r : 0;
    }
    const char *path = find_path(message, &has_method);
    if (!path)
        return 0;
    size_t length = strspn(path, PATH_CHARACTERS);
    if (is_refused(message)) {
        propose->n_refused++;
        return 0;
    }
    if (is_file(path, length)) {
        propose->n_files++;
        return 0;
    }
    propose->n_requests++;
    propose->n_methods += has_method;
    size_t prefix = prefix_of(path, length);
    int r = prefix > PREFIX_MAX ? 1
                                : count(propose->prefixes, &propose->n_prefixes,
                                        PROPOSE_PREFIXES_MAX, path, prefix, NULL);
    propose->n_others += r > 0;
    return r < 0 ? r : 0;
}

void propose_clear(struct propose *propose)
{
    for (size_t i = 0; i < propose->n_prefixes; i++)
        free(propose->prefixes[i].text);
    for (size_t i = 0; i < propose->n_excludes; i++)
        free(propose->excludes[i].text);
    *propose = (struct propose){0};
}

/* --- the proposal -------------------------------------------------------------------------------- */

/* The most frequent first; alike ones by name, so that the same log gives the same proposal. */
static int compare_counts(const void *a, const void *b)
{
    const struct propose_count *one = a, *other = b;

    if (one->n != other->n)
        return one->n < other->n ? 1 : -1;
    return strcmp(one->text, other->text);
}

static void sort_counts(struct propose_count *counts, size_t n)
{
    if (n > 0)
        qsort(counts, n, sizeof(*counts), compare_counts);
}

static int note(struct draft *draft, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int note(struct draft *draft, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (n < 0) {
        text = NULL;
        return -ENOMEM;
    }
    return texts_add(&draft->pattern_notes, text);
}

static size_t percent(size_t part, size_t whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

/* How many of the most frequent prefixes cover enough; 0: more than PROPOSE_PARTS_MAX. A path that is
 * one for all others, "/" or "/index.html", cannot be told apart by a text. */
static size_t parts_needed(const struct propose *propose, size_t *ret_covered)
{
    size_t covered = 0;

    for (size_t i = 0; i < propose->n_prefixes && i < PROPOSE_PARTS_MAX; i++) {
        if (strcmp(propose->prefixes[i].text, "/") == 0)
            return 0;
        covered += propose->prefixes[i].n;
        if (percent(covered, propose->n_requests) >= PROPOSE_COVER_PERCENT) {
            *ret_covered = covered;
            return i + 1;
        }
    }
    return 0;
}

/* As a part of an expression: what is no letter or digit is escaped where it may mean something. */
static void print_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr(".*+?|[](){}^$\\", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}

static char *join_parts(const struct propose *propose, size_t n_parts)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    fputc('(', out);
    for (size_t i = 0; i < n_parts; i++) {
        fputs(i > 0 ? "|" : "", out);
        print_escaped(out, propose->prefixes[i].text);
    }
    fputc(')', out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int set_pattern(struct draft *draft, char *pattern, bool is_regex)
{
    draft->pattern = pattern;
    draft->pattern_is_regex = is_regex;
    return pattern ? 0 : -ENOMEM;
}

static int propose_pattern(const struct propose *propose, struct draft *draft)
{
    size_t covered = 0, n_parts = parts_needed(propose, &covered);
    int r;

    if (propose->n_requests < PROPOSE_SAMPLE_MIN)
        return note(draft, "There were too few requests in the log to propose one.");
    if (n_parts == 1)
        r = set_pattern(draft, strdup(propose->prefixes[0].text), false);
    else if (n_parts > 1)
        r = set_pattern(draft, join_parts(propose, n_parts), true);
    else if (percent(propose->n_methods, propose->n_requests) >= PROPOSE_COVER_PERCENT)
        r = set_pattern(draft, strdup(METHODS_PATTERN), true);
    else
        return note(draft, "None is proposed: the requests have no part in common.");
    if (r < 0)
        return r;
    if (n_parts > 0)
        return note(draft, "Proposed since %zu %% of %zu requests in the log have it.",
                    percent(covered, propose->n_requests), propose->n_requests);
    return note(draft, "Proposed since %zu requests in the log have no path in common.",
                propose->n_requests);
}

int propose_finish(struct propose *propose, struct draft *draft)
{
    int r;

    sort_counts(propose->prefixes, propose->n_prefixes);
    sort_counts(propose->excludes, propose->n_excludes);
    r = propose_pattern(propose, draft);
    for (size_t i = 0; i < propose->n_excludes && r == 0; i++)
        r = texts_add(&draft->excludes, propose->excludes[i].text);
    return r;
}
