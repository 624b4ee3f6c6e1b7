/* SPDX-License-Identifier: MIT */
#include "ctl/texts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

int texts_add(struct texts *texts, const char *text)
{
    char *copy = strdup(text);
    char **items = reallocarray(texts->items, texts->n_items + 1, sizeof(*items));

    if (items)
        texts->items = items;
    if (!copy || !items) {
        free(copy);
        return -ENOMEM;
    }
    items[texts->n_items++] = copy;
    return 0;
}

bool texts_has(const struct texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->n_items; i++) {
        if (strcmp(texts->items[i], text) == 0)
            return true;
    }
    return false;
}

void texts_clear(struct texts *texts)
{
    for (size_t i = 0; i < texts->n_items; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct texts){0};
}

int texts_split(const char *list, const char *separators, struct texts *ret)
{
    int r = 0;

    while (r == 0 && *(list += strspn(list, separators))) {
        size_t length = strcspn(list, separators);
        _cleanup_free_ char *item = strndup(list, length);
        r = item ? texts_add(ret, item) : -ENOMEM;
        list += length;
    }
    return r;
}

char *texts_join(const struct texts *texts)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    for (size_t i = 0; i < texts->n_items; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", texts->items[i]);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
