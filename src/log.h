/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_LOG_H
#define PROVISIONERD_LOG_H

/*
 * Log records: to the journal when standard error is connected to it (JOURNAL_STREAM), with fields;
 * otherwise to standard error, one line each, without fields and behind "error: ", "warning: " or
 * "debug: " (a notice or information stands alone). Control characters in a message, and bytes that
 * are not UTF-8, are escaped, so that what somebody wrote into a log group cannot forge a line of
 * ours. errno is left as it was.
 *
 * Whoever knows the context logs, once; a function that returns an error does not log it too.
 * Never pass a secret.
 */

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h> /* LOG_ERR ... LOG_DEBUG */

/* Bytes of a message, NUL included; a longer one ends in "…". A line that a person reads. */
#define LOG_MESSAGE_MAX 2048
/* Of a field's value; the rest is cut off. */
#define LOG_FIELD_VALUE_MAX 4096
#define LOG_FIELDS_MAX 24

struct log_field {
    const char *name; /* upper case, digits, underscores, a letter first; others are left out */
    const char *value;
};

/* Call once, first. Without it, records go to standard error at LOG_INFO and above. */
void log_open(void);
void log_set_max_level(int level);

void log_message(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* message_id: 32 hex digits, or NULL. Fields, LOG_FIELDS_MAX at most, with a NULL value are left
 * out. */
void log_record(int level, const char *message_id, const struct log_field *fields, size_t n_fields,
                const char *message);

/* For tests: all records, of every level, go to sink instead, as they would be shown. NULL: back to
 * normal. */
typedef void log_sink_fn(void *userdata, int level, const char *message_id,
                         const struct log_field *fields, size_t n_fields, const char *message);
void log_set_sink(log_sink_fn *sink, void *userdata);

#define log_error(...) log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)

#endif
