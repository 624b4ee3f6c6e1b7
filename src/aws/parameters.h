/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_PARAMETERS_H
#define PROVISIONERD_PARAMETERS_H

/*
 * The JSON that goes out: json-c's way of building it, with lack of memory as an error.
 *
 *     r = parameters_add(object, "queryId", json_object_new_string(id));
 */

#include <json-c/json.h>

/* Both take value, which may be NULL for want of memory. Return 0 or -ENOMEM. */
int parameters_add(struct json_object *object, const char *name, struct json_object *value);
int parameters_append(struct json_object *array, struct json_object *value);

#endif
