/* SPDX-License-Identifier: MIT */
#include "ctl/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "cleanup.h"

#define USEC_PER_MS UINT64_C(1000)

DEFINE_CLEANUP(sd_journal *, sd_journal_close)

static int open_journal(const struct journal_source *source, sd_journal **ret)
{
    const char *files[] = {source->file, NULL};

    if (source->file)
        return sd_journal_open_files(ret, files, 0);
    if (source->directory)
        return sd_journal_open_directory(ret, source->directory, 0);
    return sd_journal_open(ret, SD_JOURNAL_LOCAL_ONLY);
}

static int add_match(sd_journal *journal, const char *field, const char *value)
{
    _cleanup_free_ char *match = NULL;

    if (asprintf(&match, "%s=%s", field, value) < 0) {
        match = NULL;
        return -ENOMEM;
    }
    return sd_journal_add_match(journal, match, 0);
}

/* Matches of one field are alternatives, those of several must all be. */
static int add_matches(sd_journal *journal, const char *unit)
{
    int r = add_match(journal, "_SYSTEMD_UNIT", unit);

    for (int kind = 0; kind < TIMELINE_N_KINDS && r >= 0; kind++)
        r = add_match(journal, "MESSAGE_ID", timeline_id((enum timeline_kind)kind));
    return r;
}

/* The field of the present record. Returns 0, with *ret NULL if it has none, or a negative errno. */
static int read_field(sd_journal *journal, const char *field, char **ret)
{
    const void *data;
    size_t length, prefix = strlen(field) + 1;
    int r = sd_journal_get_data(journal, field, &data, &length);

    *ret = NULL;
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    if (length < prefix)
        return -EBADMSG;
    *ret = strndup((const char *)data + prefix, length - prefix);
    return *ret ? 0 : -ENOMEM;
}

static bool find_kind(const char *id, enum timeline_kind *ret)
{
    for (int kind = 0; kind < TIMELINE_N_KINDS; kind++) {
        if (strcmp(timeline_id((enum timeline_kind)kind), id) == 0) {
            *ret = (enum timeline_kind)kind;
            return true;
        }
    }
    return false;
}

/* Returns 1 when it is one of ours, 0 when not, or a negative errno. */
static int read_record(sd_journal *journal, struct timeline_record *record)
{
    _cleanup_free_ char *id = NULL;
    uint64_t usec;
    int r;

    if ((r = sd_journal_get_realtime_usec(journal, &usec)) < 0 ||
        (r = read_field(journal, "MESSAGE_ID", &id)) < 0)
        return r;
    if (!id || !find_kind(id, &record->kind))
        return 0;
    record->time = (struct wall){(int64_t)(usec / USEC_PER_MS)};
    if ((r = read_field(journal, "MESSAGE", &record->message)) < 0 ||
        (r = read_field(journal, "PROVISIONERD_ENVIRONMENT", &record->environment)) < 0)
        return r;
    for (size_t i = 0; i < TIMELINE_N_FIELDS && r >= 0; i++)
        r = read_field(journal, TIMELINE_FIELDS[i].journal, &record->fields[i]);
    if (r < 0)
        return r;
    return record->message ? 1 : 0;
}

static int add_record(sd_journal *journal, struct timeline *timeline)
{
    struct timeline_record record = {0};
    int r = read_record(journal, &record);

    /* A file that broke off when the host did, or was rotated away meanwhile: go on with the next. */
    if (r == -EBADMSG || r == -EADDRNOTAVAIL || r == -ESTALE)
        r = 0;
    if (r > 0)
        return timeline_add(timeline, &record);
    timeline_record_clear(&record);
    return r;
}

int journal_read(const struct journal_source *source, struct wall from, struct timeline *timeline,
                 const char **ret_what)
{
    _cleanup_(sd_journal_close) sd_journal *journal = NULL;
    int r;

    *ret_what = "open the journal";
    if ((r = open_journal(source, &journal)) < 0)
        return r;
    *ret_what = "search the journal";
    if ((r = add_matches(journal, source->unit)) < 0 ||
        (r = sd_journal_seek_realtime_usec(journal, (uint64_t)from.ms * USEC_PER_MS)) < 0)
        return r;
    *ret_what = "read the journal";
    while ((r = sd_journal_next(journal)) > 0) {
        r = add_record(journal, timeline);
        if (r < 0)
            return r;
    }
    return r;
}

/* --- what one may not see ------------------------------------------------------------------------ */

static bool is_unreadable(const char *folder, const char *machine)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s/system.journal", folder, machine) < 0) {
        path = NULL;
        return false;
    }
    return access(path, R_OK) < 0 && errno == EACCES;
}

bool journal_is_hidden(void)
{
    char machine[SD_ID128_STRING_MAX];
    sd_id128_t id;

    if (sd_id128_get_machine(&id) < 0)
        return false;
    sd_id128_to_string(id, machine);
    return is_unreadable("/var/log/journal", machine) || is_unreadable("/run/log/journal", machine);
}
