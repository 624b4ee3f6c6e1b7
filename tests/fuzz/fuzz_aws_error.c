/* SPDX-License-Identifier: MIT */
/* aws_error.h: a status (as a number), x-amzn-ErrorType, x-amzn-RequestId, and a body. */

#include <string.h>

#include "src/aws_error.h"
#include "tests/fuzz/fuzz.h"

static bool is_terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *status = fuzz_take_text(&input);
    char *type = fuzz_take_text(&input);
    char *id = fuzz_take_text(&input);
    size_t body_size = 0;
    char *body = fuzz_take_bytes(&input, &body_size);
    const struct http_header headers[] = {
        {"X-Amzn-Requestid", id},
        {"X-Amzn-Errortype", type},
    };
    struct http_response response = {
        .status = atoi(status),
        .headers = headers,
        .n_headers = *type ? 2 : 1,
        .body = body,
        .body_size = body_size,
    };
    struct aws_error error;

    memset(&error, 'x', sizeof(error));
    aws_error_from_response(&response, &error);
    MUST(is_terminated(error.code, sizeof(error.code)));
    MUST(is_terminated(error.message, sizeof(error.message)));
    MUST(is_terminated(error.request_id, sizeof(error.request_id)));
    MUST(error.http_status == response.status);
    MUST(error.kind != AWS_OK || (response.status >= 200 && response.status <= 299 &&
                                  error.code[0] == '\0' && error.message[0] == '\0'));
    MUST(error.kind == AWS_OK || error.message[0]);
    MUST(strcmp(aws_error_kind_name(error.kind), "unknown") != 0);
    /* S6: the canonical request, which quotes the session token, goes no further. */
    MUST(!strstr(error.message, "x-amz-security-token"));
    MUST(!strstr(error.message, "The Canonical String"));
    if (*id && fuzz_is_utf8(id, strlen(id)))
        MUST(fuzz_is_utf8(error.request_id, strlen(error.request_id)));
    free(status);
    free(type);
    free(id);
    free(body);
    return 0;
}
