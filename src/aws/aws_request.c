/* SPDX-License-Identifier: MIT */

#include "aws/aws_request.h"

#include <stdlib.h>

#define N_SIGNED 3

static void add_header(struct aws_request *request, const char *name, const char *value)
{
    request->headers[request->http.n_headers++] = (struct http_header){name, value};
}

int aws_request_make(const struct aws_request_input *input, struct sigv4_signer *signer,
                     struct aws_request *ret)
{
    const struct endpoint_service *service = input->operation->service;
    *ret = (struct aws_request){0};
    int r = endpoint_resolve(service, input->region, input->endpoint_configured,
                             input->endpoint_shared, &ret->url);
    if (r < 0)
        return r;
    r = endpoint_host(ret->url, &ret->host);
    if (r < 0)
        return r;

    const struct sigv4_header to_sign[N_SIGNED] = {
        {"Host", ret->host},
        {"Content-Type", "application/x-amz-json-1.1"},
        {"X-Amz-Target", input->operation->target},
    };
    const struct sigv4_request unsigned_request = {
        .method = "POST",
        .path = endpoint_path(ret->url),
        .headers = to_sign,
        .n_headers = N_SIGNED,
        .body = input->body,
        .body_size = input->body_size,
    };
    const struct sigv4_scope scope = {.region = input->region, .service = service->signing_name};
    r = sigv4_sign(signer, &unsigned_request, input->keys, &scope, input->time, &ret->signature);
    if (r < 0)
        return r;

    ret->http = (struct http_request){
        .method = "POST",
        .url = ret->url,
        .headers = ret->headers,
        .body = input->body,
        .body_size = input->body_size,
    };
    for (size_t i = 0; i < N_SIGNED; i++)
        add_header(ret, to_sign[i].name, to_sign[i].value);
    add_header(ret, "X-Amz-Date", ret->signature.date);
    add_header(ret, "Authorization", ret->signature.authorization);
    if (input->keys->session_token)
        add_header(ret, "X-Amz-Security-Token", input->keys->session_token);
    return 0;
}

void aws_request_clear(struct aws_request *request)
{
    free(request->url);
    free(request->host);
    *request = (struct aws_request){0};
}
