/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_JOURNAL_H
#define PROVISIONERCTL_JOURNAL_H

/*
 * provisionerd's records in systemd's journal. Only those of its unit count: anybody may write into the
 * journal what looks like them, but nobody may say that it came from another unit.
 */

#include "ctl/timeline.h"

#define JOURNAL_UNIT "provisionerd.service"

struct journal_source {
    const char *directory; /* of journal files; NULL: this host's journal */
    const char *file;      /* one journal file */
    const char *unit;
};

/* Adds the records from `from` on. Returns 0 or a negative errno, and *ret_what says what could not be
 * done, in words. */
int journal_read(const struct journal_source *source, struct wall from, struct timeline *timeline,
                 const char **ret_what);

/* Whether this host's journal has files that this user may not read: then records may be missing. */
bool journal_is_hidden(void);

#endif
