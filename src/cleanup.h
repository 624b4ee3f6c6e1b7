/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CLEANUP_H
#define PROVISIONERD_CLEANUP_H

/*
 * Scope-bound release, so that a function has one way out for every error:
 *
 *     _cleanup_free_ char *name = strdup(text);
 *     if (!name)
 *         return -ENOMEM;
 *     ...
 *     *ret = TAKE(name);          the caller owns it now
 *     return 0;
 */

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The pointer's value; the variable itself becomes NULL and its cleanup has nothing to do. */
#define TAKE(pointer)                           \
    __extension__({                             \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })

#define DEFINE_CLEANUP(type, release)                   \
    static inline void release##_cleanup(type *pointer) \
    {                                                   \
        if (*pointer)                                   \
            release(*pointer);                          \
    }

#define _cleanup_(release) __attribute__((cleanup(release##_cleanup)))

static inline void free_cleanup(void *pointer)
{
    free(*(void **)pointer);
}

static inline void close_cleanup(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void fclose_cleanup(FILE **file)
{
    if (*file)
        fclose(*file);
}

static inline void json_object_put_cleanup(struct json_object **object)
{
    if (*object)
        json_object_put(*object);
}

#define _cleanup_free_ _cleanup_(free)
#define _cleanup_close_ _cleanup_(close)
#define _cleanup_fclose_ _cleanup_(fclose)
#define _cleanup_json_ _cleanup_(json_object_put)

#endif
