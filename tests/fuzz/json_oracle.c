/* SPDX-License-Identifier: MIT */

#include "tests/fuzz/json_oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* Deeper than any parser of ours goes: the oracle's own stack is bounded, too. */
#define DEPTH_MAX 200

#define LONG_INTEGER_DIGITS 18

static bool read_value(struct json_oracle *oracle, size_t depth);

static bool take(struct json_oracle *oracle, char c)
{
    if (oracle->at == oracle->end || *oracle->at != c)
        return false;
    oracle->at++;
    return true;
}

static bool take_word(struct json_oracle *oracle, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(oracle->end - oracle->at) < length || memcmp(oracle->at, word, length) != 0)
        return false;
    oracle->at += length;
    return true;
}

static void skip_blanks(struct json_oracle *oracle)
{
    while (oracle->at < oracle->end && memchr(" \t\n\r", *oracle->at, 4))
        oracle->at++;
}

static size_t take_digits(struct json_oracle *oracle)
{
    size_t n = 0;

    for (; oracle->at < oracle->end && *oracle->at >= '0' && *oracle->at <= '9'; oracle->at++)
        n++;
    return n;
}

static bool read_number(struct json_oracle *oracle)
{
    size_t digits = 1;
    bool is_integer = true;

    take(oracle, '-');
    if (!take(oracle, '0')) {
        digits = take_digits(oracle);
        if (digits == 0)
            return false;
    }
    if (take(oracle, '.')) {
        is_integer = false;
        if (take_digits(oracle) == 0)
            return false;
    }
    if (take(oracle, 'e') || take(oracle, 'E')) {
        is_integer = false;
        oracle->has_exponent = true;
        if (!take(oracle, '+'))
            take(oracle, '-');
        if (take_digits(oracle) == 0)
            return false;
    }
    oracle->has_long_integer |= is_integer && digits >= LONG_INTEGER_DIGITS;
    return true;
}

static bool read_unicode_escape(struct json_oracle *oracle)
{
    unsigned code = 0;

    for (int i = 0; i < 4; i++) {
        static const char DIGITS[] = "0123456789abcdef";
        if (oracle->at == oracle->end || *oracle->at == '\0')
            return false;
        const char *digit = strchr(DIGITS, *oracle->at | 0x20);
        if (!digit || ((*oracle->at < '0' || *oracle->at > '9') && (*oracle->at | 0x20) < 'a'))
            return false;
        code = code * 16 + (unsigned)(digit - DIGITS);
        oracle->at++;
    }
    oracle->has_surrogate |= code >= 0xD800 && code <= 0xDFFF;
    oracle->has_nul |= code == 0;
    return true;
}

static bool read_string(struct json_oracle *oracle)
{
    if (!take(oracle, '"'))
        return false;
    for (;;) {
        if (oracle->at == oracle->end || (unsigned char)*oracle->at < 0x20)
            return false;
        char c = *oracle->at++;
        if (c == '"')
            return true;
        if (c != '\\')
            continue;
        if (take(oracle, 'u')) {
            if (!read_unicode_escape(oracle))
                return false;
        } else if (oracle->at == oracle->end || *oracle->at == '\0' ||
                   !strchr("\"\\/bfnrt", *oracle->at++)) {
            return false;
        }
    }
}

static bool read_container(struct json_oracle *oracle, size_t depth, char close)
{
    if (depth > DEPTH_MAX)
        return false;
    if (depth > oracle->depth)
        oracle->depth = depth;
    skip_blanks(oracle);
    if (take(oracle, close))
        return true;
    for (;;) {
        skip_blanks(oracle);
        if (close == '}') {
            if (!read_string(oracle))
                return false;
            skip_blanks(oracle);
            if (!take(oracle, ':'))
                return false;
        }
        if (!read_value(oracle, depth))
            return false;
        if (take(oracle, close))
            return true;
        if (!take(oracle, ','))
            return false;
    }
}

/* Blanks around it included. */
static bool read_value(struct json_oracle *oracle, size_t depth)
{
    bool is_read;

    skip_blanks(oracle);
    if (oracle->at == oracle->end)
        return false;
    switch (*oracle->at) {
    case '{':
        oracle->at++;
        is_read = read_container(oracle, depth + 1, '}');
        break;
    case '[':
        oracle->at++;
        is_read = read_container(oracle, depth + 1, ']');
        break;
    case '"':
        is_read = read_string(oracle);
        break;
    case 't':
        is_read = take_word(oracle, "true");
        break;
    case 'f':
        is_read = take_word(oracle, "false");
        break;
    case 'n':
        is_read = take_word(oracle, "null");
        oracle->is_null = depth == 0;
        break;
    default:
        is_read = read_number(oracle);
    }
    skip_blanks(oracle);
    return is_read;
}

bool json_oracle_reads(struct json_oracle *oracle, const char *text, size_t size)
{
    *oracle = (struct json_oracle){.at = text, .end = text + size};
    return fuzz_is_utf8(text, size) && read_value(oracle, 0) && oracle->at == oracle->end;
}

struct json_object *json_oracle_object(const char *text, size_t size)
{
    struct json_oracle oracle;
    struct json_tokener *tokener;

    if (!json_oracle_reads(&oracle, text, size))
        return NULL;
    tokener = json_tokener_new_ex(DEPTH_MAX);
    MUST(tokener);
    struct json_object *object = json_tokener_parse_ex(tokener, text, (int)size);
    json_tokener_free(tokener);
    if (json_object_is_type(object, json_type_object))
        return object;
    json_object_put(object);
    return NULL;
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *found = NULL;

    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, name, &found);
    return found;
}

bool oracle_is_absent(struct json_object *object, const char *name)
{
    return !member(object, name);
}

/* A NUL within a string is read as U+FFFD (json.h). */
static void replace_nuls(struct json_object *string)
{
    static const char REPLACEMENT[] = "\xef\xbf\xbd";
    size_t size = (size_t)json_object_get_string_len(string), length = 0;
    const char *text = json_object_get_string(string);

    if (!memchr(text, '\0', size))
        return;
    char *copy = malloc(3 * size);
    MUST(copy);
    for (size_t i = 0; i < size; i++) {
        if (text[i]) {
            copy[length++] = text[i];
        } else {
            memcpy(copy + length, REPLACEMENT, 3);
            length += 3;
        }
    }
    MUST(json_object_set_string_len(string, copy, (int)length) == 1);
    free(copy);
}

const char *oracle_string(struct json_object *object, const char *name)
{
    struct json_object *found = member(object, name);

    if (!json_object_is_type(found, json_type_string))
        return NULL;
    replace_nuls(found);
    return json_object_get_string(found);
}

bool oracle_integer(struct json_object *object, const char *name, int64_t *ret)
{
    struct json_object *found = member(object, name);
    double value = json_object_get_double(found);

    if (json_object_is_type(found, json_type_int)) {
        *ret = json_object_get_int64(found);
        return true;
    }
    if (!json_object_is_type(found, json_type_double) || !(fabs(value) < 1e15) ||
        floor(value) != value)
        return false;
    *ret = (int64_t)value;
    return true;
}

struct json_object *oracle_array(struct json_object *object, const char *name)
{
    struct json_object *found = member(object, name);
    return json_object_is_type(found, json_type_array) ? found : NULL;
}
