/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The place in this file that sends a record says nothing about the record. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "printable.h"

/* journald's own limit on a field's name. */
#define FIELD_NAME_MAX 64

static struct {
    int max_level;
    bool to_journal;
    log_sink_fn *sink;
    void *sink_userdata;
} output = {.max_level = LOG_INFO};

/* journald drops fields of other names; those that begin with an underscore are its own. */
static bool is_field_name(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return length > 0 && length <= FIELD_NAME_MAX && !name[length] && name[0] >= 'A' &&
           name[0] <= 'Z';
}

static struct iovec iovec_of(char *text, size_t length)
{
    return (struct iovec){.iov_base = text, .iov_len = length};
}

static int send_to_journal(int level, const char *message_id, const struct log_field *fields,
                           size_t n_fields, const char *message)
{
    char message_text[sizeof("MESSAGE=") + LOG_MESSAGE_MAX], priority_text[sizeof("PRIORITY=7")];
    char id_text[sizeof("MESSAGE_ID=") + 32];
    char *values[LOG_FIELDS_MAX];
    struct iovec iovecs[LOG_FIELDS_MAX + 3];
    size_t n_values = 0;
    int n = 0, r = -ENOMEM;

    iovecs[n++] = iovec_of(
        message_text, (size_t)snprintf(message_text, sizeof(message_text), "MESSAGE=%s", message));
    iovecs[n++] = iovec_of(priority_text, (size_t)snprintf(priority_text, sizeof(priority_text),
                                                           "PRIORITY=%d", level & LOG_PRIMASK));
    if (message_id)
        iovecs[n++] = iovec_of(
            id_text, (size_t)snprintf(id_text, sizeof(id_text), "MESSAGE_ID=%.32s", message_id));

    for (size_t i = 0; i < n_fields; i++) {
        int length;

        if (!fields[i].value || !is_field_name(fields[i].name))
            continue;
        length = asprintf(&values[n_values], "%s=%.*s", fields[i].name, LOG_FIELD_VALUE_MAX,
                          fields[i].value);
        if (length < 0)
            goto finish;
        iovecs[n++] = iovec_of(values[n_values++], (size_t)length);
    }
    r = sd_journal_sendv(iovecs, n);

finish:
    while (n_values > 0)
        free(values[--n_values]);
    return r;
}

/* A service's output read by people: the level is named where it calls for attention. */
static const char *level_prefix(int level)
{
    switch (level) {
    case LOG_NOTICE:
    case LOG_INFO:
        return "";
    case LOG_DEBUG:
        return "debug: ";
    case LOG_WARNING:
        return "warning: ";
    default:
        return "error: ";
    }
}

static void write_line(int level, const char *message)
{
    char line[sizeof("warning: \n") + LOG_MESSAGE_MAX];
    size_t length, written = 0;

    length = (size_t)snprintf(line, sizeof(line), "%s%s\n", level_prefix(level), message);
    while (written < length) {
        ssize_t n = write(STDERR_FILENO, line + written, length - written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody is left to tell */
        written += (size_t)n;
    }
}

void log_record(int level, const char *message_id, const struct log_field *fields, size_t n_fields,
                const char *message)
{
    char escaped[LOG_MESSAGE_MAX];
    int saved_errno = errno;

    assert(n_fields <= LOG_FIELDS_MAX);

    if (output.sink || level <= output.max_level) {
        printable_line(message, escaped, sizeof(escaped));
        if (output.sink)
            output.sink(output.sink_userdata, level, message_id, fields, n_fields, escaped);
        else if (!output.to_journal ||
                 send_to_journal(level, message_id, fields, n_fields, escaped) < 0)
            write_line(level, escaped);
    }
    errno = saved_errno;
}

void log_message(int level, const char *format, ...)
{
    /* One byte more than is shown, so that a cut is seen as one below. */
    char message[LOG_MESSAGE_MAX + 1];
    int saved_errno = errno;
    va_list arguments;

    if (!output.sink && level > output.max_level)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    errno = saved_errno;
    log_record(level, NULL, NULL, 0, message);
}

void log_set_max_level(int level)
{
    output.max_level = level;
}

void log_set_sink(log_sink_fn *sink, void *userdata)
{
    output.sink = sink;
    output.sink_userdata = userdata;
}

/* systemd.exec(5), JOURNAL_STREAM: set, but perhaps inherited by one whose standard error has been
 * directed elsewhere; only if device and inode agree is it the journal that reads there. */
void log_open(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[sizeof("18446744073709551615:18446744073709551615")];
    struct stat status;

    output.to_journal = false;
    if (!stream || fstat(STDERR_FILENO, &status) < 0)
        return;
    snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    output.to_journal = strcmp(stream, ours) == 0;
}
