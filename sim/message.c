/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/* Requests and responses as bytes: headers, forms, percent-encoding. */

const char *sim_request_header(const struct sim_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

void sim_response_clear(struct sim_response *response)
{
    for (size_t i = 0; i < response->n_headers; i++) {
        free((char *)response->headers[i].name);
        free((char *)response->headers[i].value);
    }
    free(response->headers);
    free(response->body);
    *response = (struct sim_response){.content_length_override = -1};
}

int sim_response_add_header(struct sim_response *response, const char *name, const char *value)
{
    struct sim_header *grown =
        reallocarray(response->headers, response->n_headers + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    response->headers = grown;
    char *name_copy = strdup(name), *value_copy = strdup(value);
    if (!name_copy || !value_copy) {
        free(name_copy);
        free(value_copy);
        return -ENOMEM;
    }
    grown[response->n_headers++] = (struct sim_header){.name = name_copy, .value = value_copy};
    return 0;
}

int sim_response_set(struct sim_response *ret, int status, const char *content_type,
                     const char *body, size_t body_size)
{
    *ret = (struct sim_response){.status = status, .content_length_override = -1};

    ret->body = malloc(body_size + 1);
    if (!ret->body ||
        (content_type && sim_response_add_header(ret, "Content-Type", content_type))) {
        sim_response_clear(ret);
        ret->status = 500;
        return -ENOMEM;
    }
    if (body_size > 0)
        memcpy(ret->body, body, body_size);
    ret->body[body_size] = '\0';
    ret->body_size = body_size;
    return 0;
}

int sim_response_set_json(struct sim_response *ret, int status, struct json_object *body)
{
    *ret = (struct sim_response){.status = status, .content_length_override = -1};

    if (json_format(body, JSON_COMPACT, &ret->body, &ret->body_size) < 0 ||
        sim_response_add_header(ret, "Content-Type", "application/json") < 0) {
        sim_response_clear(ret);
        ret->status = 500;
        return -ENOMEM;
    }
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int sim_percent_decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        int high = hex_digit(in[1]);
        int low = high < 0 ? -1 : hex_digit(in[2]);
        if (low < 0 || (high == 0 && low == 0))
            return -EINVAL;
        *out++ = (char)(high << 4 | low);
        in += 2;
    }
    *out = '\0';
    return (int)(out - text);
}

static int form_add(struct json_object *form, char *pair)
{
    char *value = strchr(pair, '=');
    if (value)
        *value++ = '\0';
    else
        value = pair + strlen(pair);
    for (char *c = value; *c; c++)
        if (*c == '+')
            *c = ' ';
    if (sim_percent_decode(pair) < 0 || sim_percent_decode(value) < 0)
        return -EINVAL;
    return sim_json_add_copied(form, pair, json_object_new_string(value));
}

int sim_form_parse(const char *text, size_t size, struct json_object **ret)
{
    if (size > 0 && memchr(text, '\0', size))
        return -EINVAL;
    _cleanup_free_ char *copy = strndup(size > 0 ? text : "", size);
    _cleanup_json_ struct json_object *form = json_object_new_object();
    if (!copy || !form)
        return -ENOMEM;

    char *rest = copy;
    for (char *pair; (pair = strsep(&rest, "&"));) {
        int r = *pair ? form_add(form, pair) : 0;
        if (r < 0)
            return r;
    }
    *ret = TAKE(form);
    return 0;
}
