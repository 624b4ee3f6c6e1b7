/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_EARLIER_H
#define PROVISIONERCTL_EARLIER_H

/* What was decided of an environment at an earlier moment, as the audit had it. Pure but for the printing. */

#include "ctl/timeline.h"

/* Records are the timeline's; NULL: there is none. */
struct earlier {
    const char *state;                      /* "awake", "asleep"; NULL: not known */
    const struct timeline_record *decision; /* since when, and why */
    const struct timeline_record *stay;     /* why it was not put to sleep, since then */
    const struct timeline_record *asked;    /* what somebody asked for, since then */
    const struct timeline_record *trouble;  /* what did not work, and was not yet over */
    const struct timeline_record *next;     /* the decision after that moment */
};

struct earlier earlier_find(const struct timeline *timeline, const char *environment,
                            struct wall moment);

void earlier_print(const struct earlier *earlier, const char *environment, struct wall moment,
                   const struct terminal *terminal);

/* Returns NULL if memory is short. */
struct json_object *earlier_json(const struct earlier *earlier, const char *environment,
                                 struct wall moment);

#endif
