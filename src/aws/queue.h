/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_QUEUE_H
#define PROVISIONERD_QUEUE_H

/*
 * Who is next: by priority, then in the order of asking. Intrusive, allocates nothing: the place is
 * a member of what waits. Those who come again with their old sequence number get their old place.
 */

#include <stddef.h>
#include <stdint.h>

#define QUEUE_PRIORITIES 2

struct queue_place {
    unsigned priority; /* 0 goes first */
    uint64_t sequence; /* of asking */
    struct queue_place *next;
};

/* All zero is an empty queue. */
struct queue {
    struct queue_place *first[QUEUE_PRIORITIES];
    struct queue_place *last[QUEUE_PRIORITIES];
};

/* NULL: nobody waits. */
struct queue_place *queue_first(const struct queue *queue);

void queue_enter(struct queue *queue, struct queue_place *place);
void queue_leave(struct queue *queue, struct queue_place *place);

#endif
