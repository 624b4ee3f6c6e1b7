/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>

#include "cleanup.h"
#include "ctl/doctor.h"
#include "json.h"

#define PAGES_MAX 20 /* of a list: more are more than anybody configures by name */

void answer_clear(struct answer *answer)
{
    json_object_put(answer->body);
    *answer = (struct answer){.body = NULL};
}

int doctor_ask(struct doctor *doctor, enum aws_operation operation, struct json_object *parameters,
               struct answer *ret)
{
    _cleanup_json_ struct json_object *owned = parameters;

    *ret = (struct answer){.body = NULL};
    if (!owned)
        return -ENOMEM;
    session_call(&doctor->session, operation, owned, &ret->error, &ret->body);
    return 0;
}

/* Moves the elements of one page over. 0, -ENOMEM or -EBADMSG. */
static int take_page(struct json_object *page, const char *list, struct json_object *all)
{
    struct json_object *elements;
    int r = json_get_array(page, list, &elements);

    if (r == -ENOENT)
        return 0;
    for (size_t i = 0; r == 0 && i < json_object_array_length(elements); i++)
        r = json_append(all, json_object_get(json_object_array_get_idx(elements, i)));
    return r;
}

/* parameters is borrowed. */
static int ask_pages(struct doctor *doctor, enum aws_operation operation,
                     struct json_object *parameters, const char *token, const char *list,
                     struct json_object *all, struct aws_error *ret_error)
{
    for (int page = 0; page < PAGES_MAX; page++) {
        struct answer answer;
        const char *next = NULL;
        int r = doctor_ask(doctor, operation, json_object_get(parameters), &answer);

        *ret_error = answer.error;
        if (r < 0 || answer.error.kind != AWS_OK)
            return r;
        r = take_page(answer.body, list, all);
        if (r == 0 && json_get_string(answer.body, token, &next) == -EBADMSG)
            r = -EBADMSG;
        if (r == 0 && next)
            r = json_add(parameters, token, json_object_new_string(next));
        answer_clear(&answer);
        if (r == -EBADMSG) {
            aws_error_set(ret_error, AWS_ERROR_MALFORMED, "%s is not a list", list);
            return 0;
        }
        if (r < 0 || !next)
            return r;
    }
    return 0;
}

int doctor_ask_list(struct doctor *doctor, enum aws_operation operation,
                    struct json_object *parameters, const char *token, const char *list,
                    struct answer *ret)
{
    _cleanup_json_ struct json_object *owned = parameters;
    _cleanup_json_ struct json_object *all = json_object_new_array();

    *ret = (struct answer){.body = NULL};
    if (!owned || !all)
        return -ENOMEM;
    int r = ask_pages(doctor, operation, owned, token, list, all, &ret->error);
    if (r == 0 && ret->error.kind == AWS_OK)
        ret->body = TAKE(all);
    return r;
}

struct json_object *doctor_parameters(const char *name, ...)
{
    _cleanup_json_ struct json_object *object = json_object_new_object();
    va_list arguments;
    int r = object ? 0 : -ENOMEM;

    va_start(arguments, name);
    for (; name && r == 0; name = va_arg(arguments, const char *))
        r = json_add(object, name, json_object_new_string(va_arg(arguments, const char *)));
    va_end(arguments);
    return r == 0 ? TAKE(object) : NULL;
}

int doctor_add_strings(struct json_object *object, const char *name, const char *const *texts,
                       size_t n)
{
    struct json_object *array = json_object_new_array();
    int r = json_add(object, name, array);

    for (size_t i = 0; i < n && r == 0; i++)
        r = json_append(array, json_object_new_string(texts[i]));
    return r;
}
