/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "cleanup.h"
#include "json/json_reader.h"

/* Above it a double no longer holds every integer. */
#define DOUBLE_EXACT_MAX 9007199254740992.0 /* 2^53 */

int json_parse(const char *text, size_t size, struct json_object **ret)
{
    struct json_object *object;
    int r;

    if (size > INT_MAX) /* json-c counts a string's bytes in int */
        return -EBADMSG;
    r = json_read(text, size, &object);
    if (r < 0)
        return r;
    if (!object)
        return -EBADMSG;
    *ret = object;
    return 0;
}

static int get_member(struct json_object *object, const char *name, struct json_object **ret)
{
    if (!json_object_is_type(object, json_type_object))
        return -EBADMSG;
    if (!json_object_object_get_ex(object, name, ret) || !*ret)
        return -ENOENT;
    return 0;
}

static int get_typed(struct json_object *object, const char *name, enum json_type type,
                     struct json_object **ret)
{
    struct json_object *member;
    int r;

    r = get_member(object, name, &member);
    if (r < 0)
        return r;
    if (!json_object_is_type(member, type))
        return -EBADMSG;
    *ret = member;
    return 0;
}

int json_get_string(struct json_object *object, const char *name, const char **ret)
{
    struct json_object *member;
    int r;

    r = get_typed(object, name, json_type_string, &member);
    if (r < 0)
        return r;
    *ret = json_object_get_string(member);
    return 0;
}

/* An integer that does not fit was read as the end of the range. */
static int integer_value(struct json_object *number, int64_t *ret)
{
    int64_t value = json_object_get_int64(number);

    if (value == INT64_MIN || value == INT64_MAX)
        return -EBADMSG;
    *ret = value;
    return 0;
}

int json_get_int(struct json_object *object, const char *name, int64_t *ret)
{
    struct json_object *member;
    double value;
    int r;

    r = get_member(object, name, &member);
    if (r < 0)
        return r;
    if (json_object_is_type(member, json_type_int))
        return integer_value(member, ret);
    if (!json_object_is_type(member, json_type_double))
        return -EBADMSG;
    value = json_object_get_double(member);
    /* Written so that an infinity, from 1e999, is refused as well. */
    if (!(fabs(value) <= DOUBLE_EXACT_MAX) || trunc(value) != value)
        return -EBADMSG;
    *ret = (int64_t)value;
    return 0;
}

int json_get_double(struct json_object *object, const char *name, double *ret)
{
    struct json_object *member;
    int64_t integer;
    double value;
    int r;

    r = get_member(object, name, &member);
    if (r < 0)
        return r;
    if (json_object_is_type(member, json_type_int)) {
        r = integer_value(member, &integer);
        if (r < 0)
            return r;
        *ret = (double)integer;
        return 0;
    }
    if (!json_object_is_type(member, json_type_double))
        return -EBADMSG;
    value = json_object_get_double(member);
    if (!isfinite(value))
        return -EBADMSG;
    *ret = value;
    return 0;
}

int json_get_bool(struct json_object *object, const char *name, bool *ret)
{
    struct json_object *member;
    int r;

    r = get_typed(object, name, json_type_boolean, &member);
    if (r < 0)
        return r;
    *ret = json_object_get_boolean(member);
    return 0;
}

int json_get_object(struct json_object *object, const char *name, struct json_object **ret)
{
    return get_typed(object, name, json_type_object, ret);
}

int json_get_array(struct json_object *object, const char *name, struct json_object **ret)
{
    return get_typed(object, name, json_type_array, ret);
}

int json_add(struct json_object *object, const char *name, struct json_object *value)
{
    if (!value)
        return -ENOMEM;
    if (json_object_object_add(object, name, value) < 0) {
        json_object_put(value);
        return -ENOMEM;
    }
    return 0;
}

int json_append(struct json_object *array, struct json_object *value)
{
    if (!value)
        return -ENOMEM;
    if (json_object_array_add(array, value) < 0) {
        json_object_put(value);
        return -ENOMEM;
    }
    return 0;
}
