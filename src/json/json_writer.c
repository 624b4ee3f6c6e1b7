/* SPDX-License-Identifier: MIT */
/* json-c's objects to text. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "json.h"

#define CAPACITY_MIN 256
#define INDENTATION 2

struct writer {
    char *text;
    size_t length;
    size_t capacity;
    int error; /* the first; what follows it is not written */
    enum json_layout layout;
    size_t depth;
};

static void write_value(struct writer *writer, struct json_object *value);

/* Room for so much more, and a NUL. */
static bool has_room(struct writer *writer, size_t size)
{
    if (writer->error < 0)
        return false;
    if (writer->capacity - writer->length > size)
        return true;

    size_t capacity = writer->capacity ? writer->capacity : CAPACITY_MIN;
    while (capacity - writer->length <= size)
        capacity *= 2;
    char *larger = realloc(writer->text, capacity);
    if (!larger) {
        writer->error = -ENOMEM;
        return false;
    }
    writer->text = larger;
    writer->capacity = capacity;
    return true;
}

static void put_bytes(struct writer *writer, const char *bytes, size_t size)
{
    if (!has_room(writer, size))
        return;
    memcpy(writer->text + writer->length, bytes, size);
    writer->length += size;
    writer->text[writer->length] = '\0';
}

static void put(struct writer *writer, const char *text)
{
    put_bytes(writer, text, strlen(text));
}

static void begin_line(struct writer *writer)
{
    size_t indentation = writer->depth * INDENTATION;

    if (writer->layout != JSON_FOR_PEOPLE)
        return;
    put(writer, "\n");
    if (!has_room(writer, indentation))
        return;
    memset(writer->text + writer->length, ' ', indentation);
    writer->length += indentation;
    writer->text[writer->length] = '\0';
}

static void write_escaped(struct writer *writer, unsigned char c)
{
    static const char values[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *value = memchr(values, c, sizeof(values) - 1);
    char escape[8] = {'\\'};

    if (value)
        escape[1] = names[value - values];
    else
        snprintf(escape, sizeof(escape), "\\u%04x", c);
    put(writer, escape);
}

static void write_string(struct writer *writer, const char *text, size_t size)
{
    size_t begin = 0;

    put(writer, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        put_bytes(writer, text + begin, i - begin);
        write_escaped(writer, c);
        begin = i + 1;
    }
    put_bytes(writer, text + begin, size - begin);
    put(writer, "\"");
}

static void write_array(struct writer *writer, struct json_object *array)
{
    size_t n = json_object_array_length(array);

    put(writer, "[");
    writer->depth++;
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            put(writer, ",");
        begin_line(writer);
        write_value(writer, json_object_array_get_idx(array, i));
    }
    writer->depth--;
    if (n > 0)
        begin_line(writer);
    put(writer, "]");
}

static void write_object(struct writer *writer, struct json_object *object)
{
    struct json_object_iter member;
    bool is_first = true;

    put(writer, "{");
    writer->depth++;
    json_object_object_foreachC(object, member)
    {
        if (!is_first)
            put(writer, ",");
        is_first = false;
        begin_line(writer);
        write_string(writer, member.key, strlen(member.key));
        put(writer, writer->layout == JSON_FOR_PEOPLE ? ": " : ":");
        write_value(writer, member.val);
    }
    writer->depth--;
    if (!is_first)
        begin_line(writer);
    put(writer, "}");
}

static void write_integer(struct writer *writer, int64_t value)
{
    char text[24];
    char *first = text + sizeof(text);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do
        *--first = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--first = '-';
    put_bytes(writer, first, (size_t)(text + sizeof(text) - first));
}

static void write_double(struct writer *writer, struct json_object *number)
{
    double value = json_object_get_double(number);
    const char *own = json_object_get_userdata(number); /* json_object_new_double_s()'s */
    char text[32];

    if (!isfinite(value)) {
        writer->error = writer->error < 0 ? writer->error : -EINVAL;
        return;
    }
    if (!own)
        snprintf(text, sizeof(text), "%.17g", value); /* as many digits as it has */
    put(writer, own ? own : text);
}

static void write_value(struct writer *writer, struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        put(writer, "null");
        break;
    case json_type_boolean:
        put(writer, json_object_get_boolean(value) ? "true" : "false");
        break;
    case json_type_int:
        write_integer(writer, json_object_get_int64(value));
        break;
    case json_type_double:
        write_double(writer, value);
        break;
    case json_type_string:
        write_string(writer, json_object_get_string(value),
                     (size_t)json_object_get_string_len(value));
        break;
    case json_type_array:
        write_array(writer, value);
        break;
    case json_type_object:
        write_object(writer, value);
        break;
    }
}

int json_format(struct json_object *value, enum json_layout layout, char **ret, size_t *ret_size)
{
    struct writer writer = {.layout = layout};

    write_value(&writer, value);
    if (writer.error < 0) {
        free(writer.text);
        return writer.error;
    }
    *ret = writer.text;
    *ret_size = writer.length;
    return 0;
}
