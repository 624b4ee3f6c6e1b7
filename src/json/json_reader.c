/* SPDX-License-Identifier: MIT */
/* RFC 8259, by recursive descent: a function a production. */
#include "json/json_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "json.h"

#define REPLACEMENT 0xfffdU /* U+FFFD */

struct reader {
    const char *at;
    const char *end;
    char *scratch; /* for strings, decoded; none is longer than its text, quotes included */
    int depth;
};

static int read_value(struct reader *reader, struct json_object **ret);

/* --- characters --------------------------------------------------------------------------------- */

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* The length of the character that `at` begins with; 0: none that RFC 3629 knows. */
static size_t utf8_length(const char *at, const char *end)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)*at;

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if ((size_t)(end - at) < length)
        return 0;
    uint32_t code = first & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation((unsigned char)at[i]))
            return 0;
        code = code << 6 | ((unsigned char)at[i] & 0x3f);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < smallest[length] || code > 0x10ffff || is_surrogate ? 0 : length;
}

static char *utf8_put(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xe0 | code >> 12);
        } else {
            *to++ = (char)(0xf0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (code & 0x3f));
    return to;
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
                                        *reader->at == '\n' || *reader->at == '\r'))
        reader->at++;
}

static bool take(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

static bool take_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

/* --- strings ------------------------------------------------------------------------------------ */

static bool take_four_digits(struct reader *reader, uint32_t *ret)
{
    uint32_t code = 0;

    if (reader->end - reader->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = *reader->at++;

        if (c >= '0' && c <= '9')
            code = code << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            code = code << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    *ret = code;
    return true;
}

/* After "\u". Half a surrogate pair stands for nothing, and a NUL would end a C string. */
static bool take_code(struct reader *reader, uint32_t *ret)
{
    uint32_t code, low;

    if (!take_four_digits(reader, &code))
        return false;
    if (code >= 0xd800 && code <= 0xdbff) {
        const char *behind = reader->at;

        if (take_word(reader, "\\u") && take_four_digits(reader, &low) && low >= 0xdc00 &&
            low <= 0xdfff) {
            *ret = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            return true;
        }
        reader->at = behind; /* what follows is read for itself */
    }
    *ret = code == 0 || (code >= 0xd800 && code <= 0xdfff) ? REPLACEMENT : code;
    return true;
}

/* After a backslash. */
static bool take_escape(struct reader *reader, uint32_t *ret)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name;

    if (take(reader, 'u'))
        return take_code(reader, ret);
    if (reader->at == reader->end || *reader->at == '\0' || !(name = strchr(names, *reader->at)))
        return false;
    reader->at++;
    *ret = (unsigned char)values[name - names];
    return true;
}

/* How many of the next bytes stand for themselves: ASCII, but what has a meaning within a string. */
static size_t plain_length(const char *at, const char *end)
{
    const char *from = at;

    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' &&
           *at != '\\')
        at++;
    return (size_t)(at - from);
}

/* After the opening quote, into the scratch; a NUL follows it. */
static int take_string(struct reader *reader, size_t *ret_length)
{
    char *to = reader->scratch;

    for (;;) {
        uint32_t code;
        size_t length = plain_length(reader->at, reader->end);

        memcpy(to, reader->at, length);
        to += length;
        reader->at += length;
        if (reader->at == reader->end || (unsigned char)*reader->at < 0x20)
            return -EBADMSG;
        if (take(reader, '"'))
            break;
        if (take(reader, '\\')) {
            if (!take_escape(reader, &code))
                return -EBADMSG;
            to = utf8_put(to, code);
            continue;
        }
        length = utf8_length(reader->at, reader->end);
        if (length == 0)
            return -EBADMSG;
        memcpy(to, reader->at, length);
        to += length;
        reader->at += length;
    }
    *to = '\0';
    *ret_length = (size_t)(to - reader->scratch);
    return 0;
}

static int read_string(struct reader *reader, struct json_object **ret)
{
    size_t length;
    int r = take_string(reader, &length);

    if (r < 0)
        return r;
    *ret = json_object_new_string_len(reader->scratch, (int)length);
    return *ret ? 0 : -ENOMEM;
}

/* --- numbers ------------------------------------------------------------------------------------ */

static bool take_digits(struct reader *reader)
{
    const char *first = reader->at;

    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return reader->at > first;
}

/* One that 64 bits do not hold becomes the end of their range, which no getter gives out. */
static int64_t integer_of(const char *text, const char *end)
{
    bool is_negative = *text == '-';
    int64_t value = 0;

    for (text += is_negative; text < end; text++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *text - '0', &value))
            return is_negative ? INT64_MIN : INT64_MAX;
    return is_negative ? value : value == INT64_MIN ? INT64_MAX : -value;
}

static int read_number(struct reader *reader, struct json_object **ret)
{
    const char *first = reader->at;
    bool is_integer = true;

    (void)take(reader, '-');
    if (!take(reader, '0') && !take_digits(reader))
        return -EBADMSG;
    if (take(reader, '.')) {
        is_integer = false;
        if (!take_digits(reader))
            return -EBADMSG;
    }
    if (take(reader, 'e') || take(reader, 'E')) {
        is_integer = false;
        if (!take(reader, '+'))
            (void)take(reader, '-');
        if (!take_digits(reader))
            return -EBADMSG;
    }
    if (is_integer) {
        *ret = json_object_new_int64(integer_of(first, reader->at));
    } else {
        /* In the C locale, as nobody has set another. */
        size_t length = (size_t)(reader->at - first);

        memcpy(reader->scratch, first, length);
        reader->scratch[length] = '\0';
        *ret = json_object_new_double(strtod(reader->scratch, NULL));
    }
    return *ret ? 0 : -ENOMEM;
}

/* --- containers --------------------------------------------------------------------------------- */

static int read_elements(struct reader *reader, struct json_object *array)
{
    skip_space(reader);
    if (take(reader, ']'))
        return 0;
    for (;;) {
        struct json_object *element;
        int r = read_value(reader, &element);

        if (r < 0)
            return r;
        if (json_object_array_add(array, element) < 0) {
            json_object_put(element);
            return -ENOMEM;
        }
        if (take(reader, ']'))
            return 0;
        if (!take(reader, ','))
            return -EBADMSG;
    }
}

/* Takes value, also on failure. */
static int add_member(struct json_object *object, const char *name, struct json_object *value)
{
    struct lh_table *table = json_object_get_object(object);

    /* json-c would do so itself, but lose the name's copy where it cannot. */
    if ((table->count + 1) * 2 > table->size && lh_table_resize(table, table->size * 2) < 0) {
        json_object_put(value);
        return -ENOMEM;
    }
    if (json_object_object_add(object, name, value) < 0) {
        json_object_put(value);
        return -ENOMEM;
    }
    return 0;
}

static int read_member(struct reader *reader, struct json_object *object)
{
    const char *name = reader->scratch;
    struct json_object *value;
    size_t length;
    int r;

    skip_space(reader);
    if (!take(reader, '"'))
        return -EBADMSG;
    r = take_string(reader, &length);
    if (r < 0)
        return r;
    skip_space(reader);
    if (!take(reader, ':'))
        return -EBADMSG;
    reader->scratch += length + 1; /* the value's strings lie behind the name */
    r = read_value(reader, &value);
    reader->scratch -= length + 1;
    return r < 0 ? r : add_member(object, name, value);
}

static int read_members(struct reader *reader, struct json_object *object)
{
    skip_space(reader);
    if (take(reader, '}'))
        return 0;
    for (;;) {
        int r = read_member(reader, object);

        if (r < 0)
            return r;
        if (take(reader, '}'))
            return 0;
        if (!take(reader, ','))
            return -EBADMSG;
    }
}

static int read_container(struct reader *reader, bool is_array, struct json_object **ret)
{
    if (reader->depth == JSON_DEPTH_MAX)
        return -EBADMSG;
    _cleanup_json_ struct json_object *container =
        is_array ? json_object_new_array() : json_object_new_object();
    if (!container)
        return -ENOMEM;
    reader->depth++;
    int r = is_array ? read_elements(reader, container) : read_members(reader, container);
    reader->depth--;
    if (r < 0)
        return r;
    *ret = TAKE(container);
    return 0;
}

/* --- values ------------------------------------------------------------------------------------- */

static int read_word(struct reader *reader, struct json_object **ret)
{
    *ret = NULL;
    if (take_word(reader, "null"))
        return 0;
    if (take_word(reader, "true"))
        *ret = json_object_new_boolean(true);
    else if (take_word(reader, "false"))
        *ret = json_object_new_boolean(false);
    else
        return -EBADMSG;
    return *ret ? 0 : -ENOMEM;
}

/* With the white space around it. */
static int read_value(struct reader *reader, struct json_object **ret)
{
    int r;

    skip_space(reader);
    if (take(reader, '{'))
        r = read_container(reader, false, ret);
    else if (take(reader, '['))
        r = read_container(reader, true, ret);
    else if (take(reader, '"'))
        r = read_string(reader, ret);
    else if (reader->at < reader->end &&
             (*reader->at == '-' || (*reader->at >= '0' && *reader->at <= '9')))
        r = read_number(reader, ret);
    else
        r = read_word(reader, ret);
    if (r == 0)
        skip_space(reader);
    return r;
}

int json_read(const char *text, size_t size, struct json_object **ret)
{
    _cleanup_free_ char *scratch = malloc(size + 1);
    struct reader reader = {.at = text, .end = text + size, .scratch = scratch};
    struct json_object *object;

    if (!scratch)
        return -ENOMEM;
    int r = read_value(&reader, &object);
    if (r < 0)
        return r;
    if (reader.at != reader.end) {
        json_object_put(object);
        return -EBADMSG;
    }
    *ret = object;
    return 0;
}
