/* SPDX-License-Identifier: MIT */

#include "aws_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "json.h"

/* Sources: AWS "Common Error Types"; the errors of Amazon CloudWatch Logs, Amazon ECS and AWS STS;
 * the retryable and clock-skew codes of the AWS SDKs' standard retry mode. */
static const struct {
    const char *code;
    enum aws_error_kind kind;
} CODES[] = {
    {"BandwidthLimitExceeded", AWS_ERROR_THROTTLED},
    {"EC2ThrottledException", AWS_ERROR_THROTTLED},
    {"PriorRequestNotComplete", AWS_ERROR_THROTTLED},
    {"ProvisionedThroughputExceededException", AWS_ERROR_THROTTLED},
    {"RequestLimitExceeded", AWS_ERROR_THROTTLED},
    {"RequestThrottled", AWS_ERROR_THROTTLED},
    {"RequestThrottledException", AWS_ERROR_THROTTLED},
    {"SlowDown", AWS_ERROR_THROTTLED},
    {"ThrottledException", AWS_ERROR_THROTTLED},
    {"Throttling", AWS_ERROR_THROTTLED},
    {"ThrottlingException", AWS_ERROR_THROTTLED},
    {"TooManyRequestsException", AWS_ERROR_THROTTLED},
    {"TransactionInProgressException", AWS_ERROR_THROTTLED},

    /* The SDKs take LimitExceededException for throttling. StartQuery means by it that too many
     * queries are running: those last minutes, so that trying again at once is of no use. */
    {"LimitExceededException", AWS_ERROR_LIMIT},
    {"ServiceQuotaExceededException", AWS_ERROR_LIMIT},

    {"IDPCommunicationError", AWS_ERROR_TRANSIENT},
    {"InternalError", AWS_ERROR_TRANSIENT},
    {"InternalFailure", AWS_ERROR_TRANSIENT},
    {"InternalServerError", AWS_ERROR_TRANSIENT},
    {"InternalServerException", AWS_ERROR_TRANSIENT},
    {"RequestTimeout", AWS_ERROR_TRANSIENT},
    {"RequestTimeoutException", AWS_ERROR_TRANSIENT},
    {"ServerException", AWS_ERROR_TRANSIENT},
    {"ServiceUnavailable", AWS_ERROR_TRANSIENT},
    {"ServiceUnavailableException", AWS_ERROR_TRANSIENT},

    {"AuthFailure", AWS_ERROR_CLOCK},
    {"InvalidSignatureException", AWS_ERROR_CLOCK},
    {"RequestExpired", AWS_ERROR_CLOCK},
    {"RequestInTheFuture", AWS_ERROR_CLOCK},
    {"RequestTimeTooSkewed", AWS_ERROR_CLOCK},
    {"SignatureDoesNotMatch", AWS_ERROR_CLOCK},

    {"ExpiredToken", AWS_ERROR_EXPIRED},
    {"ExpiredTokenException", AWS_ERROR_EXPIRED},
    {"InvalidClientTokenId", AWS_ERROR_EXPIRED},
    {"UnrecognizedClientException", AWS_ERROR_EXPIRED},

    {"AccessDenied", AWS_ERROR_DENIED},
    {"AccessDeniedException", AWS_ERROR_DENIED},
    {"BlockedException", AWS_ERROR_DENIED},
    {"NotAuthorized", AWS_ERROR_DENIED},
    {"OptInRequired", AWS_ERROR_DENIED},
    {"UnauthorizedException", AWS_ERROR_DENIED},
    {"UnauthorizedOperation", AWS_ERROR_DENIED},

    {"ClusterNotFoundException", AWS_ERROR_NOT_FOUND},
    {"NamespaceNotFoundException", AWS_ERROR_NOT_FOUND},
    {"ResourceNotFoundException", AWS_ERROR_NOT_FOUND},
    {"ServiceNotFoundException", AWS_ERROR_NOT_FOUND},
};

/* At most size - 1 bytes, cut between UTF-8 characters, not within one. */
static void copy_text(char *buffer, size_t size, const char *text, size_t length)
{
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(buffer, text, length);
    buffer[length] = '\0';
}

/* A refused signature is explained by quoting the canonical request, X-Amz-Security-Token and all. */
static void copy_message(struct aws_error *error, const char *text, size_t length)
{
    static const char *const QUOTES[] = {"The Canonical String", "x-amz-security-token",
                                         "X-Amz-Security-Token"};

    for (size_t i = 0; i < ARRAY_LENGTH(QUOTES); i++) {
        const char *quote = memmem(text, length, QUOTES[i], strlen(QUOTES[i]));
        if (quote)
            length = (size_t)(quote - text);
    }
    copy_text(error->message, sizeof(error->message), text, length);
}

/* "aws.api#Foo:http://..." is Foo (Smithy, "Operation error serialization"). */
static void copy_code(struct aws_error *error, const char *text)
{
    size_t length = strcspn(text, ":");
    const char *hash = memrchr(text, '#', length);
    if (hash) {
        length -= (size_t)(hash + 1 - text);
        text = hash + 1;
    }
    copy_text(error->code, sizeof(error->code), text, length);
}

static void copy_request_id(const struct http_response *response, struct aws_error *error)
{
    const char *id = http_response_header(response, "x-amzn-RequestId");
    if (!id)
        id = http_response_header(response, "x-amz-request-id");
    if (id)
        copy_text(error->request_id, sizeof(error->request_id), id, strlen(id));
}

static const char *string_member(struct json_object *object, const char *name)
{
    const char *value;
    return object && json_get_string(object, name, &value) == 0 ? value : NULL;
}

/* Code and message of a JSON body. `code` alone does not make a 2xx an error: `__type` does. */
static void read_json(struct json_object *body, bool is_success, struct aws_error *error)
{
    /* STS, asked for JSON: {"Error": {"Code": ..., "Message": ...}, "RequestId": ...} */
    struct json_object *nested = NULL;
    if (json_get_object(body, "Error", &nested) < 0)
        nested = NULL;

    const char *code = string_member(body, "__type");
    if (!code)
        code = string_member(nested, "Code");
    if (!code && !is_success)
        code = string_member(body, "code");
    if (code && error->code[0] == '\0')
        copy_code(error, code);

    const char *message = string_member(body, "message");
    if (!message)
        message = string_member(body, "Message");
    if (!message)
        message = string_member(nested, "Message");
    if (message)
        copy_message(error, message, strlen(message));
}

/* What stands between <name> and the next </name>, as it stands; NULL if there is none. */
static const char *xml_element(const char *text, size_t size, const char *name, size_t *ret_length)
{
    char open[32];
    char close[32];
    int open_length = snprintf(open, sizeof(open), "<%s>", name);
    int close_length = snprintf(close, sizeof(close), "</%s>", name);

    const char *start = memmem(text, size, open, (size_t)open_length);
    if (!start)
        return NULL;
    start += open_length;
    const char *end = memmem(start, size - (size_t)(start - text), close, (size_t)close_length);
    if (!end)
        return NULL;
    *ret_length = (size_t)(end - start);
    return start;
}

/* The Query protocol of STS: <ErrorResponse><Error><Code>, <Message></Error><RequestId>. */
static void read_xml(const char *body, size_t size, struct aws_error *error)
{
    if (!memmem(body, size, "<ErrorResponse", strlen("<ErrorResponse")))
        return;
    size_t length;
    const char *code = xml_element(body, size, "Code", &length);
    if (code && error->code[0] == '\0')
        copy_text(error->code, sizeof(error->code), code, length);
    const char *message = xml_element(body, size, "Message", &length);
    if (message)
        copy_message(error, message, length);
    const char *id = xml_element(body, size, "RequestId", &length);
    if (id && error->request_id[0] == '\0')
        copy_text(error->request_id, sizeof(error->request_id), id, length);
}

static enum aws_error_kind kind_of_status(int status)
{
    if (status >= 500 && status <= 599)
        return status == 509 ? AWS_ERROR_THROTTLED : AWS_ERROR_TRANSIENT; /* 509: bandwidth limit */
    switch (status) {
    case 401:
    case 403:
        return AWS_ERROR_DENIED;
    case 404:
        return AWS_ERROR_NOT_FOUND;
    case 408:
        return AWS_ERROR_TRANSIENT;
    case 429:
        return AWS_ERROR_THROTTLED;
    default:
        /* Neither success nor refusal: a redirect, or a 2xx with an error nobody knows. */
        return status >= 400 && status <= 499 ? AWS_ERROR_REQUEST : AWS_ERROR_MALFORMED;
    }
}

static enum aws_error_kind kind_of(const struct aws_error *error)
{
    for (size_t i = 0; i < ARRAY_LENGTH(CODES); i++)
        if (strcmp(error->code, CODES[i].code) == 0)
            return CODES[i].kind;
    /* A code we do not know is AWS's refusal, whatever the 4xx. */
    if (error->code[0] && error->http_status >= 400 && error->http_status <= 499 &&
        error->http_status != 429)
        return AWS_ERROR_REQUEST;
    return kind_of_status(error->http_status);
}

static bool is_success(const struct http_response *response)
{
    return response->status >= 200 && response->status <= 299;
}

static void set_transport_error(const struct http_response *response, struct aws_error *ret)
{
    /* An answer that is too large will be so the next time. */
    bool too_large = response->error == -EFBIG;
    aws_error_set(ret, too_large ? AWS_ERROR_MALFORMED : AWS_ERROR_TRANSIENT, "%s",
                  response->error_text ? response->error_text : "no answer");
}

void aws_error_from_parsed(const struct http_response *response, struct json_object *body,
                           struct aws_error *ret)
{
    if (response->error != 0) {
        set_transport_error(response, ret);
        return;
    }

    struct aws_error error = {.http_status = response->status};
    copy_request_id(response, &error);
    const char *type = http_response_header(response, "x-amzn-ErrorType");
    if (type)
        copy_code(&error, type);
    if (json_object_is_type(body, json_type_object))
        read_json(body, is_success(response), &error);
    else if (response->body)
        read_xml(response->body, response->body_size, &error);

    if (is_success(response) && error.code[0] == '\0') {
        *ret = (struct aws_error){.kind = AWS_OK, .http_status = response->status};
        copy_request_id(response, ret);
        return;
    }
    error.kind = kind_of(&error);
    if (error.message[0] == '\0')
        snprintf(error.message, sizeof(error.message), "HTTP status %d%s", response->status,
                 error.code[0] ? "" : " without an AWS error code");
    *ret = error;
}

void aws_error_from_response(const struct http_response *response, struct aws_error *ret)
{
    _cleanup_json_ struct json_object *body = NULL;

    /* Not JSON, or no memory for it: then status and headers have to do. */
    if (response->error == 0 && response->body &&
        json_parse(response->body, response->body_size, &body) < 0)
        body = NULL;
    aws_error_from_parsed(response, body, ret);
}

void aws_error_set(struct aws_error *error, enum aws_error_kind kind, const char *format, ...)
{
    char message[sizeof(error->message)];
    va_list arguments;
    va_start(arguments, format);
    /* By way of a buffer: an argument may be the message as it was. */
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);

    *error = (struct aws_error){.kind = kind};
    memcpy(error->message, message, sizeof(message));
}

const char *aws_error_kind_name(enum aws_error_kind kind)
{
    switch (kind) {
    case AWS_OK:
        return "ok";
    case AWS_ERROR_TRANSIENT:
        return "transient";
    case AWS_ERROR_THROTTLED:
        return "throttled";
    case AWS_ERROR_LIMIT:
        return "limit";
    case AWS_ERROR_CLOCK:
        return "clock";
    case AWS_ERROR_EXPIRED:
        return "expired";
    case AWS_ERROR_CREDENTIALS:
        return "credentials";
    case AWS_ERROR_DENIED:
        return "denied";
    case AWS_ERROR_NOT_FOUND:
        return "not-found";
    case AWS_ERROR_REQUEST:
        return "request";
    case AWS_ERROR_MALFORMED:
        return "malformed";
    case AWS_ERROR_CANCELLED:
        return "cancelled";
    }
    return "unknown";
}

bool aws_error_is_retryable(const struct aws_error *error)
{
    return error->kind == AWS_ERROR_TRANSIENT || error->kind == AWS_ERROR_THROTTLED;
}
