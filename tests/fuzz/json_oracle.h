/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_FUZZ_JSON_ORACLE_H
#define PROVISIONERD_TESTS_FUZZ_JSON_ORACLE_H

/*
 * A second opinion on JSON, to the letter of RFC 8259's grammar and of UTF-8, and independent of
 * src/json.c and json-c: what our parser takes must be JSON here, and the other way round.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

struct json_oracle {
    const char *at;
    const char *end;
    size_t depth;          /* of containers, the deepest */
    bool is_null;          /* nothing but null */
    bool has_long_integer; /* 18 digits or more: may be beyond 64 bits */
    bool has_exponent;
    bool has_surrogate; /* an escape of half a character, \ud800 to \udfff */
    bool has_nul;       /* \u0000 */
};

/* Whether all of text is one JSON value. */
bool json_oracle_reads(struct json_oracle *oracle, const char *text, size_t size);

/* The document as json-c has it; NULL if it is no JSON object by the grammar. To be put. */
struct json_object *json_oracle_object(const char *text, size_t size);

/* Members, for judging an answer: NULL, false or the number. Types as they stand, no conversions. */
const char *oracle_string(struct json_object *object, const char *name);
bool oracle_integer(struct json_object *object, const char *name, int64_t *ret);
struct json_object *oracle_array(struct json_object *object, const char *name);
/* Absent, or null. */
bool oracle_is_absent(struct json_object *object, const char *name);

#endif
