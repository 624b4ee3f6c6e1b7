/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CONFIG_READER_H
#define PROVISIONERD_CONFIG_READER_H

/*
 * INI files to sections of values that are not yet understood. inih takes the lines apart; what it
 * would cut, split or drop without a word is caught on the way to it, so that it is an error with a
 * line number:
 *
 *   - a line longer than CONFIG_LINE_MAX (inih's buffer, set to that), a section's name longer than
 *     inih's 49 bytes (so headers are read here, and inih sees a blank line);
 *   - text behind a header's `]`, a line without `=`, an option before any section;
 *   - NUL and other control characters, bytes that are not UTF-8;
 *   - a section or an option that appears twice in one file.
 *
 * CRLF and a UTF-8 BOM are accepted. A ` ;` begins a comment, but not within double quotes. Indentation
 * means nothing, with one exception: after a line whose value ends with a comma, an indented line is
 * more of that list. (To inih by itself, every indented line is more of the value above it, comment and
 * all.)
 */

#include <stdbool.h>
#include <stddef.h>

#include "config/config_report.h"

#define CONFIG_LINE_MAX 8192 /* bytes */
#define CONFIG_ENVIRONMENT_NAME_MAX 64

struct config_schema;

struct config_value {
    /* As written, quotes and all; continuation lines behind a '\n' for each line passed. NULL: not set. */
    char *text;
    struct config_place place;
    bool slash_in_comment; /* the comment behind it has a '/', which may end a /regex ;/ instead */
};

struct config_section {
    char *title;      /* "environment staging"; first member, the key of config_sections.by_title */
    const char *name; /* "staging": the end of title; "" for [provisionerd] */
    const struct config_schema *schema;
    struct config_place place;    /* where it first appeared */
    struct config_place latest;   /* and last */
    struct config_value values[]; /* one for each option of the schema */
};

/* Begins as {0}. */
struct config_sections {
    struct config_section **items; /* in order of appearance */
    size_t n_items;
    void *by_title;   /* tsearch tree over items */
    size_t n_refused; /* headers and whole files that were errors */
};

void config_sections_clear(struct config_sections *sections);

/*
 * Adds the file's sections to those of the files before it; a value replaces an earlier file's.
 * `place` names the file, borrowed for as long as sections and report live. What is wrong with the
 * file goes to the report. Returns 0 or -ENOMEM.
 */
int config_read_file(const struct config_place *place, struct config_sections *sections,
                     struct config_report *report);

#endif
