/* SPDX-License-Identifier: MIT */

/* What http.h says of a response whoever sent it: apart from http.c, so that another implementation
 * of http.h need not bring its own. */

#include <strings.h>

#include "http.h"

const char *http_response_header(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->n_headers; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}
