/* SPDX-License-Identifier: MIT */

#include "aws/parameters.h"

#include <errno.h>

int parameters_add(struct json_object *object, const char *name, struct json_object *value)
{
    if (!value)
        return -ENOMEM;
    if (json_object_object_add(object, name, value) < 0) {
        json_object_put(value);
        return -ENOMEM;
    }
    return 0;
}

int parameters_append(struct json_object *array, struct json_object *value)
{
    if (!value)
        return -ENOMEM;
    if (json_object_array_add(array, value) < 0) {
        json_object_put(value);
        return -ENOMEM;
    }
    return 0;
}
