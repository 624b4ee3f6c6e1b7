/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_JSON_READER_H
#define PROVISIONERD_JSON_READER_H

/*
 * Text to json-c's objects, for json_parse() alone. json-c's own reader is not used: it takes much
 * for JSON that is none, and where memory does not suffice it crashes (a member's name) or goes on
 * with a part of a string.
 */

#include <json-c/json.h>
#include <stddef.h>

/* As json_parse(); a NULL object is the value null. */
int json_read(const char *text, size_t size, struct json_object **ret);

#endif
