/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CONFIG_REPORT_H
#define PROVISIONERD_CONFIG_REPORT_H

/*
 * All that is wrong with a configuration, told at once and in the order of the files:
 *
 *     /etc/provisionerd.ini:14: [environment staging] windw = 1h: unknown option; did you mean "window"?
 *
 * Adding never fails: a lack of memory is remembered and comes out of config_report_finish(). A
 * report keeps the first CONFIG_ERRORS_MAX errors by place, and counts the others: whoever feeds us a
 * picture by mistake wants the first line of it, not a million.
 */

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_ERRORS_MAX 100
#define CONFIG_EXCERPT_MAX 84 /* bytes of a value shown in an error, "..." and NUL included */

/* Where something was written. */
struct config_place {
    const char *file; /* borrowed; NULL: nowhere, it is a default */
    unsigned order;   /* of the file, among those read */
    unsigned line;    /* 0: the file as a whole */
};

struct config_error {
    struct config_place place;
    char *text;
};

/* Begins as {0}. */
struct config_report {
    struct config_error errors[CONFIG_ERRORS_MAX]; /* sorted by place, then as they came */
    size_t n_errors;
    size_t n_total;
    bool out_of_memory;
};

void config_report_clear(struct config_report *report);

/* "FILE:LINE: " and the message. */
void config_report_add(struct config_report *report, const struct config_place *place,
                       const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "FILE:LINE: [SECTION] OPTION = VALUE: " and the message. A NULL value is left out with its "=". */
void config_report_value(struct config_report *report, const struct config_place *place,
                         const char *section, const char *option, const char *value,
                         const char *format, ...) __attribute__((format(printf, 6, 7)));

/*
 * Returns 0 when nothing was reported; -EINVAL, and *ret_text (allocated) holds the errors, one a
 * line; -ENOMEM.
 */
int config_report_finish(const struct config_report *report, char **ret_text);

/* As much of a text as an error should show: a long one is cut between characters. Returns buffer. */
const char *config_excerpt(const char *text, char buffer[static CONFIG_EXCERPT_MAX]);

/* How many edits (a letter more, less, other, or two swapped) lie between two words, the difference of
 * upper and lower case counting for nothing; only the first 64 letters are looked at. */
unsigned config_distance(const char *a, const char *b);

/* Called for one candidate after the other, *best being NULL at first: leaves in *best the one that
 * somebody who wrote `word` most probably meant, if any is near enough. */
void config_suggest(const char *word, const char *candidate, const char **best);

#endif
