/* SPDX-License-Identifier: MIT */
/* json.h against a second reading of RFC 8259, and its getters against what json-c holds. */

#include <errno.h>
#include <string.h>

#include "src/json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_oracle.h"

static bool is_expected(int r)
{
    return r == 0 || r == -ENOENT || r == -EBADMSG;
}

static void check_getters(struct json_object *object, const char *name, struct json_object *member)
{
    const char *string = NULL;
    int64_t integer = 0;
    double number = 0;
    bool boolean = false;
    struct json_object *container = NULL;
    int r = json_get_string(object, name, &string);

    MUST(is_expected(r));
    MUST((r == 0) == json_object_is_type(member, json_type_string));
    MUST((r == -ENOENT) == !member);
    r = json_get_int(object, name, &integer);
    MUST(is_expected(r));
    MUST(r != 0 || integer == json_object_get_int64(member));
    int as_double = json_get_double(object, name, &number);
    MUST(is_expected(as_double));
    MUST(r != 0 || as_double == 0);
    MUST((json_get_bool(object, name, &boolean) == 0) ==
         json_object_is_type(member, json_type_boolean));
    MUST((json_get_object(object, name, &container) == 0) ==
         json_object_is_type(member, json_type_object));
    MUST((json_get_array(object, name, &container) == 0) ==
         json_object_is_type(member, json_type_array));
}

static void check_members(struct json_object *object)
{
    int64_t integer;

    if (!json_object_is_type(object, json_type_object)) {
        MUST(json_get_int(object, "name", &integer) == -EBADMSG);
        return;
    }
    struct json_object_iterator end = json_object_iter_end(object);
    for (struct json_object_iterator at = json_object_iter_begin(object);
         !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        struct json_object *member = json_object_iter_peek_value(&at);
        check_getters(object, json_object_iter_peek_name(&at), member);
        if (json_object_is_type(member, json_type_object))
            check_members(member);
    }
}

/* What is written and read again is the same. */
static void check_round_trip(struct json_object *object)
{
    size_t size = 0;
    const char *text =
        json_object_to_json_string_length(object, JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    struct json_object *again = NULL;

    MUST(text);
    MUST(json_parse(text, size, &again) == 0);
    MUST(json_object_equal(object, again));
    json_object_put(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct json_object *object = NULL;
    struct json_oracle oracle;
    size_t length = 0;
    char *text = fuzz_take_bytes(&input, &length);
    bool is_json = text && json_oracle_reads(&oracle, text, length);
    int r = text ? json_parse(text, length, &object) : -EBADMSG;

    MUST(r == 0 || r == -EBADMSG);
    MUST((r == 0) == (object != NULL));
    if (r == 0) {
        MUST(is_json && oracle.depth <= JSON_DEPTH_MAX);
        check_members(object);
        if (!oracle.has_exponent && !oracle.has_surrogate)
            check_round_trip(object);
    } else if (is_json) {
        MUST(oracle.depth >= JSON_DEPTH_MAX || oracle.has_long_integer || oracle.is_null);
    }
    json_object_put(object);
    free(text);
    return 0;
}
