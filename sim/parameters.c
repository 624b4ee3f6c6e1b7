/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "src/json.h"

/* Parameters in, results out: the checks that AWS's services make before an operation begins, with
 * the words they use ("1 validation error detected: ..."). */

void sim_set_error(struct sim_call *call, const char *code, const char *format, ...)
{
    call->error_status = 400;
    snprintf(call->error_code, sizeof(call->error_code), "%s", code);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(call->error_message, sizeof(call->error_message), format, arguments);
    va_end(arguments);
}

static int refuse_missing(struct sim_call *call, const char *name)
{
    return sim_refuse(call, "InvalidParameterException",
                      "1 validation error detected: Value null at '%s' failed to satisfy "
                      "constraint: Member must not be null",
                      name);
}

/* What AWS's JSON deserialiser says when the type is another. */
static int refuse_type(struct sim_call *call, const char *name, const char *type)
{
    return sim_refuse(call, "SerializationException", "%s can not be converted to %s", name, type);
}

static int check_length(struct sim_call *call, const char *name, const char *shown, size_t length,
                        size_t min, size_t max)
{
    if (length >= min && length <= max)
        return 0;
    return sim_refuse(call, "InvalidParameterException",
                      "1 validation error detected: Value '%.200s' at '%s' failed to satisfy "
                      "constraint: Member must have length %s than or equal to %zu",
                      shown, name, length < min ? "greater" : "less", length < min ? min : max);
}

int sim_parameter_string(struct sim_call *call, const char *name, bool required, size_t min,
                         size_t max, const char **ret)
{
    const char *value;
    int r = json_get_string(call->parameters, name, &value);
    if (r == -ENOENT)
        return required ? refuse_missing(call, name) : 0;
    if (r < 0)
        return refuse_type(call, name, "a String");
    r = check_length(call, name, value, strlen(value), min, max);
    if (r == 0)
        *ret = value;
    return r;
}

int sim_parameter_integer(struct sim_call *call, const char *name, bool required, int64_t min,
                          int64_t max, int64_t *ret)
{
    int64_t value;
    int r = json_get_int(call->parameters, name, &value);
    if (r == -ENOENT)
        return required ? refuse_missing(call, name) : 0;
    if (r < 0)
        return refuse_type(call, name, "a Number");
    if (value < min || value > max)
        return sim_refuse(call, "InvalidParameterException",
                          "1 validation error detected: Value '%lld' at '%s' failed to satisfy "
                          "constraint: Member must have value %s than or equal to %lld",
                          (long long)value, name, value < min ? "greater" : "less",
                          (long long)(value < min ? min : max));
    *ret = value;
    return 0;
}

int sim_parameter_bool(struct sim_call *call, const char *name, bool *ret)
{
    int r = json_get_bool(call->parameters, name, ret);
    return r == 0 || r == -ENOENT ? 0 : refuse_type(call, name, "a Boolean");
}

int sim_parameter_strings(struct sim_call *call, const char *name, size_t min, size_t max,
                          struct json_object **ret)
{
    struct json_object *array;
    int r = json_get_array(call->parameters, name, &array);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return refuse_type(call, name, "a List");
    size_t n = json_object_array_length(array);
    for (size_t i = 0; i < n; i++)
        if (!json_object_is_type(json_object_array_get_idx(array, i), json_type_string))
            return refuse_type(call, name, "a List of Strings");
    r = check_length(call, name, "[...]", n, min, max);
    if (r == 0)
        *ret = array;
    return r;
}

int sim_parameter_enum(struct sim_call *call, const char *name, const char *const *values,
                       const char **ret)
{
    const char *value = NULL;
    int r = sim_parameter_string(call, name, SIM_OPTIONAL, 0, SIZE_MAX, &value);
    if (r != 0 || !value)
        return r;

    char choices[256] = "";
    size_t used = 0;
    for (; *values; values++) {
        if (strcmp(*values, value) == 0) {
            *ret = value;
            return 0;
        }
        int n = snprintf(choices + used, sizeof(choices) - used, "%s%s", used ? ", " : "", *values);
        if (n > 0 && used + (size_t)n < sizeof(choices))
            used += (size_t)n;
    }
    return sim_refuse(call, "InvalidParameterException",
                      "1 validation error detected: Value '%.200s' at '%s' failed to satisfy "
                      "constraint: Member must satisfy enum value set: [%s]",
                      value, name, choices);
}

static int add(struct json_object *object, const char *name, struct json_object *value,
               unsigned flags)
{
    if (!value)
        return -ENOMEM;
    if (json_object_object_add_ex(object, name, value, flags) < 0) {
        json_object_put(value);
        return -ENOMEM;
    }
    return 0;
}

int sim_json_add(struct json_object *object, const char *name, struct json_object *value)
{
    return add(object, name, value, JSON_C_OBJECT_KEY_IS_CONSTANT);
}

int sim_json_add_copied(struct json_object *object, const char *name, struct json_object *value)
{
    return add(object, name, value, 0);
}

int sim_json_append(struct json_object *array, struct json_object *value)
{
    if (!value)
        return -ENOMEM;
    if (json_object_array_add(array, value) < 0) {
        json_object_put(value);
        return -ENOMEM;
    }
    return 0;
}

int sim_json_add_string(struct json_object *object, const char *name, const char *value)
{
    return sim_json_add(object, name, json_object_new_string(value));
}

int sim_json_add_int(struct json_object *object, const char *name, int64_t value)
{
    return sim_json_add(object, name, json_object_new_int64(value));
}

int sim_json_add_bool(struct json_object *object, const char *name, bool value)
{
    return sim_json_add(object, name, json_object_new_boolean(value));
}

/* AWS's writers leave no doubt that it is one: 3.0. */
int sim_json_add_double(struct json_object *object, const char *name, double value)
{
    char digits[32], text[40];
    snprintf(digits, sizeof(digits), "%.17g", value);
    snprintf(text, sizeof(text), "%s%s", digits, strpbrk(digits, ".e") ? "" : ".0");
    return sim_json_add(object, name, json_object_new_double_s(value, text));
}

int sim_json_add_moment(struct json_object *object, const char *name, struct wall value)
{
    char text[40];
    int64_t fraction = value.ms % MS_PER_SECOND;
    snprintf(text, sizeof(text), "%s%lld.%03lld", value.ms < 0 ? "-" : "",
             llabs((long long)(value.ms / MS_PER_SECOND)), llabs((long long)fraction));
    return sim_json_add(object, name,
                        json_object_new_double_s((double)value.ms / (double)MS_PER_SECOND, text));
}

/* "bW9yZS0=" would do; a prefix and a number that is not the index keeps callers honest. */
#define LIST_TOKEN_MASK UINT64_C(0x5bd1e995a7c4f31b)

void sim_list_token_format(size_t position, char buffer[static SIM_TOKEN_MAX])
{
    snprintf(buffer, SIM_TOKEN_MAX, "list-%016llx",
             (unsigned long long)((uint64_t)position ^ LIST_TOKEN_MASK));
}

int sim_list_token_parse(const char *token, size_t *ret)
{
    char *end;
    if (strncmp(token, "list-", 5) != 0 || strlen(token) != 21)
        return -EINVAL;
    errno = 0;
    unsigned long long value = strtoull(token + 5, &end, 16);
    if (*end || errno != 0)
        return -EINVAL;
    *ret = (size_t)(value ^ LIST_TOKEN_MASK);
    return 0;
}
