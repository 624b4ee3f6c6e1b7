/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_JSON_H
#define PROVISIONERD_JSON_H

/*
 * JSON from outside, read with suspicion: what RFC 8259 allows and nothing else, with a limit on
 * depth, and getters that tell absent from wrong. Values are json-c's objects; reading and writing
 * is done here, since json-c does neither safely when memory is short: its reader crashes, and its
 * writer leaves out what it found no room for.
 *
 * Getters return 0 and set *ret; -ENOENT if the member is absent or null; -EBADMSG if it is of
 * another type (or `object` is no object), or a number that *ret cannot hold: json-c would quietly
 * put the nearest in its place. Strings and containers are borrowed from `object`. Of a member
 * written twice, the last counts.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* AWS's answers nest to about 6; DescribeServices' deepest to about 10. */
#define JSON_DEPTH_MAX 32

/*
 * An escaped NUL, or half a surrogate pair, within a string is read as U+FFFD. text need not end in a
 * NUL. *ret, never NULL, is the caller's, to be put.
 * Returns 0, -EBADMSG (not JSON, not UTF-8, too deep, trailing bytes, or nothing but null) or
 * -ENOMEM.
 */
int json_parse(const char *text, size_t size, struct json_object **ret);

enum json_layout {
    JSON_COMPACT,
    JSON_FOR_PEOPLE, /* over several lines */
};

/* The whole text, which ends in a NUL and is the caller's to free; or -ENOMEM, or -EINVAL: a number
 * that is none. A json_object_new_double_s() is written as its own text. */
int json_format(struct json_object *value, enum json_layout layout, char **ret, size_t *ret_size);

int json_get_string(struct json_object *object, const char *name, const char **ret);
int json_get_int(struct json_object *object, const char *name,
                 int64_t *ret); /* also 2.0, not 2.5 */
int json_get_double(struct json_object *object, const char *name, double *ret);
int json_get_bool(struct json_object *object, const char *name, bool *ret);
int json_get_object(struct json_object *object, const char *name, struct json_object **ret);
int json_get_array(struct json_object *object, const char *name, struct json_object **ret);

/* Each takes value, also on failure; a NULL value is a failed allocation. Returns 0 or -ENOMEM. */
int json_add(struct json_object *object, const char *name, struct json_object *value);
int json_append(struct json_object *array, struct json_object *value);

#endif
