/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "cleanup.h"

/* Above it a double no longer holds every integer. */
#define DOUBLE_EXACT_MAX 9007199254740992.0 /* 2^53 */

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free)

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

#define ESCAPED_NUL "\\u0000"
#define ESCAPED_REPLACEMENT "\\ufffd"
#define ESCAPE_LENGTH (sizeof(ESCAPED_NUL) - 1)

/*
 * Looks for what json-c lets pass although it is no JSON: control characters (a NUL is json-c's end
 * of the text); and outside of strings single quotes, NaN and Infinity (nothing else holds a capital
 * N or I). Everything else is left to json-c. Counts the NULs written as escapes.
 */
static bool passes_unnoticed(const char *text, size_t size, size_t *ret_nuls)
{
    bool in_string = false;

    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        if ((unsigned char)c < 0x20 && (in_string || !is_space(c)))
            return true;
        if (!in_string && (c == '\'' || c == 'N' || c == 'I'))
            return true;
        if (c == '"') {
            in_string = !in_string;
        } else if (in_string && c == '\\') {
            if (size - i >= ESCAPE_LENGTH && memcmp(text + i, ESCAPED_NUL, ESCAPE_LENGTH) == 0)
                ++*ret_nuls;
            i++; /* an escaped quote does not end the string */
        }
    }
    return false;
}

/* A copy in which U+FFFD stands for every escaped NUL: a C string would end there, and a log event
 * that holds one is an event like any other. */
static char *replace_nuls(const char *text, size_t size)
{
    char *copy = malloc(size);

    if (!copy)
        return NULL;
    memcpy(copy, text, size);
    for (size_t i = 0; i + ESCAPE_LENGTH <= size; i++) {
        if (copy[i] != '\\')
            continue;
        if (memcmp(copy + i, ESCAPED_NUL, ESCAPE_LENGTH) == 0)
            memcpy(copy + i, ESCAPED_REPLACEMENT, ESCAPE_LENGTH);
        i++;
    }
    return copy;
}

int json_parse(const char *text, size_t size, struct json_object **ret)
{
    _cleanup_(json_tokener_free) struct json_tokener *tokener = NULL;
    _cleanup_free_ char *copy = NULL;
    struct json_object *object;
    size_t nuls = 0;

    /* json-c counts in int; and its strict mode takes white space at the end for trailing bytes. */
    while (size > 0 && is_space(text[size - 1]))
        size--;
    if (size == 0 || size > INT_MAX || passes_unnoticed(text, size, &nuls))
        return -EBADMSG;
    if (nuls > 0) {
        copy = replace_nuls(text, size);
        if (!copy)
            return -ENOMEM;
        text = copy;
    }

    tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    if (!tokener)
        return -ENOMEM;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);

    object = json_tokener_parse_ex(tokener, text, (int)size);
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        /* Only the end of the text tells that a number is over, or an object is not. */
        object = json_tokener_parse_ex(tokener, "", -1);
    if (json_tokener_get_error(tokener) != json_tokener_success)
        return -EBADMSG;
    if (!object)
        /* json-c before 0.17 tells lack of memory and the value null in the same way. */
        return text[size - 1] == 'l' ? -EBADMSG : -ENOMEM;

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

/* json-c saturates an integer that does not fit; the ends of its range are taken for that. */
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
