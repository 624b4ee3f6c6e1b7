/* SPDX-License-Identifier: MIT */

#include "aws/queue.h"

struct queue_place *queue_first(const struct queue *queue)
{
    for (size_t i = 0; i < QUEUE_PRIORITIES; i++)
        if (queue->first[i])
            return queue->first[i];
    return NULL;
}

void queue_enter(struct queue *queue, struct queue_place *place)
{
    struct queue_place **last = &queue->last[place->priority];
    struct queue_place **link = &queue->first[place->priority];

    /* Who is new goes to the end, who comes again near the front. */
    if (*last && (*last)->sequence < place->sequence)
        link = &(*last)->next;
    while (*link && (*link)->sequence < place->sequence)
        link = &(*link)->next;
    place->next = *link;
    *link = place;
    if (!place->next)
        *last = place;
}

void queue_leave(struct queue *queue, struct queue_place *place)
{
    struct queue_place *before = NULL;

    for (struct queue_place *i = queue->first[place->priority]; i != place; i = i->next)
        before = i;
    if (before)
        before->next = place->next;
    else
        queue->first[place->priority] = place->next;
    if (queue->last[place->priority] == place)
        queue->last[place->priority] = before;
    place->next = NULL;
}
