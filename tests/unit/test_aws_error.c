/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "src/aws_error.h"
#include "src/cleanup.h"
#include "tests/support/fake_http.h"

FAKE_HTTP_IS_HTTP

static struct aws_error classify(int status, const struct http_header *headers, size_t n_headers,
                                 const char *body)
{
    struct aws_error error;
    struct http_response response = {
        .status = status,
        .headers = headers,
        .n_headers = n_headers,
        .body = body,
        .body_size = body ? strlen(body) : 0,
    };
    memset(&error, 0xAA, sizeof(error));
    aws_error_from_response(&response, &error);
    return error;
}

static struct aws_error classify_code(const char *code)
{
    char body[256];
    snprintf(body, sizeof(body), "{\"__type\":\"%s\",\"message\":\"why\"}", code);
    return classify(400, NULL, 0, body);
}

static void each_code_says_what_to_do(void **state)
{
    (void)state;
    static const struct {
        enum aws_error_kind kind;
        const char *codes[16];
    } KINDS[] = {
        {AWS_ERROR_THROTTLED,
         {"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
          "RequestThrottled", "TooManyRequestsException", "ProvisionedThroughputExceededException",
          "TransactionInProgressException", "RequestLimitExceeded", "BandwidthLimitExceeded",
          "SlowDown", "PriorRequestNotComplete", "EC2ThrottledException"}},
        {AWS_ERROR_LIMIT, {"LimitExceededException", "ServiceQuotaExceededException"}},
        {AWS_ERROR_TRANSIENT,
         {"RequestTimeout", "RequestTimeoutException", "ServiceUnavailableException",
          "InternalFailure", "ServerException", "IDPCommunicationError"}},
        {AWS_ERROR_CLOCK,
         {"RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException",
          "SignatureDoesNotMatch", "AuthFailure", "RequestInTheFuture"}},
        {AWS_ERROR_EXPIRED,
         {"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException",
          "InvalidClientTokenId"}},
        {AWS_ERROR_DENIED, {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}},
        {AWS_ERROR_NOT_FOUND,
         {"ResourceNotFoundException", "ClusterNotFoundException", "ServiceNotFoundException"}},
        {AWS_ERROR_REQUEST,
         {"InvalidParameterException", "ClientException", "ServiceNotActiveException",
          "MalformedQueryException", "ValidationException", "SomethingOfTomorrow",
          "throttlingexception"}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(KINDS); i++)
        for (const char *const *code = KINDS[i].codes; *code; code++) {
            struct aws_error error = classify_code(*code);
            assert_string_equal(error.code, *code);
            assert_string_equal(error.message, "why");
            if (error.kind != KINDS[i].kind)
                fail_msg("%s is taken for %s", *code, aws_error_kind_name(error.kind));
            assert_int_equal(aws_error_is_retryable(&error), error.kind == AWS_ERROR_THROTTLED ||
                                                                 error.kind == AWS_ERROR_TRANSIENT);
        }
}

static void the_code_is_found_wherever_aws_puts_it(void **state)
{
    (void)state;
    static const char *const HEADERS[] = {
        "ThrottlingException",
        "ThrottlingException:",
        "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.availability/",
        "aws.protocoltests#ThrottlingException",
        "aws.protocoltests#ThrottlingException:http://internal/x#y",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(HEADERS); i++) {
        struct http_header header = {"x-amzn-errortype", HEADERS[i]};
        struct aws_error error = classify(400, &header, 1, "");
        assert_string_equal(error.code, "ThrottlingException");
        assert_int_equal(error.kind, AWS_ERROR_THROTTLED);
        /* ... and goes before the body's. */
        error = classify(400, &header, 1, "{\"__type\":\"AccessDeniedException\"}");
        assert_string_equal(error.code, "ThrottlingException");
    }
    static const char *const BODIES[] = {
        "{\"__type\":\"ThrottlingException\"}",
        "{\"__type\":\"com.amazonaws.logs#ThrottlingException\"}",
        "{\"code\":\"ThrottlingException\"}",
        "{\"Error\":{\"Code\":\"ThrottlingException\"}}",
        " {\"message\":null,\"__type\":\"ThrottlingException\"} \n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(BODIES); i++) {
        struct aws_error error = classify(400, NULL, 0, BODIES[i]);
        assert_string_equal(error.code, "ThrottlingException");
        assert_string_equal(error.message, "HTTP status 400");
    }
}

static void the_message_is_found_in_either_case(void **state)
{
    (void)state;
    struct aws_error error = classify(400, NULL, 0, "{\"__type\":\"X\",\"message\":\"small\"}");
    assert_string_equal(error.message, "small");
    error = classify(400, NULL, 0, "{\"__type\":\"X\",\"Message\":\"capital\"}");
    assert_string_equal(error.message, "capital");
    error = classify(400, NULL, 0, "{\"Error\":{\"Code\":\"X\",\"Message\":\"nested\"}}");
    assert_string_equal(error.message, "nested");
    error = classify(400, NULL, 0, "{\"__type\":\"X\",\"message\":{\"not\":\"text\"}}");
    assert_string_equal(error.message, "HTTP status 400");
}

static void the_request_id_is_kept(void **state)
{
    (void)state;
    struct http_header header = {"X-AMZN-REQUESTID", "0b1c2d3e"};
    assert_string_equal(classify(400, &header, 1, "{}").request_id, "0b1c2d3e");
    assert_string_equal(classify(200, &header, 1, "{}").request_id, "0b1c2d3e");
    header = (struct http_header){"x-amz-request-id", "F00"};
    assert_string_equal(classify(503, &header, 1, "").request_id, "F00");
    assert_string_equal(classify(503, NULL, 0, "").request_id, "");
}

static void without_a_code_the_status_decides(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum aws_error_kind kind;
    } STATUSES[] = {
        {400, AWS_ERROR_REQUEST},   {401, AWS_ERROR_DENIED},    {403, AWS_ERROR_DENIED},
        {404, AWS_ERROR_NOT_FOUND}, {408, AWS_ERROR_TRANSIENT}, {413, AWS_ERROR_REQUEST},
        {429, AWS_ERROR_THROTTLED}, {500, AWS_ERROR_TRANSIENT}, {502, AWS_ERROR_TRANSIENT},
        {503, AWS_ERROR_TRANSIENT}, {504, AWS_ERROR_TRANSIENT}, {509, AWS_ERROR_THROTTLED},
        {301, AWS_ERROR_MALFORMED}, {302, AWS_ERROR_MALFORMED}, {100, AWS_ERROR_MALFORMED},
        {0, AWS_ERROR_MALFORMED},   {999, AWS_ERROR_MALFORMED},
    };
    static const char *const BODIES[] = {
        "",
        NULL,
        "<html><body>Bad Gateway</body></html>",
        "{\"truncated\":",
        "[]",
        "null",
        "\xff",
        "{}",
        "{\"__type\":7}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(STATUSES); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(BODIES); j++) {
            struct aws_error error = classify(STATUSES[i].status, NULL, 0, BODIES[j]);
            assert_int_equal(error.kind, STATUSES[i].kind);
            assert_int_equal(error.http_status, STATUSES[i].status);
            assert_string_equal(error.code, "");
            assert_non_null(strstr(error.message, "without an AWS error code"));
        }
}

static void an_unknown_code_does_not_hide_what_the_status_says(void **state)
{
    (void)state;
    const char *body = "{\"__type\":\"NeverHeardOf\"}";
    assert_int_equal(classify(400, NULL, 0, body).kind, AWS_ERROR_REQUEST);
    assert_int_equal(classify(403, NULL, 0, body).kind, AWS_ERROR_REQUEST);
    assert_int_equal(classify(404, NULL, 0, body).kind, AWS_ERROR_REQUEST);
    assert_int_equal(classify(429, NULL, 0, body).kind, AWS_ERROR_THROTTLED);
    assert_int_equal(classify(500, NULL, 0, body).kind, AWS_ERROR_TRANSIENT);
}

static void success_with_an_error_body_is_an_error(void **state)
{
    (void)state;
    struct aws_error error = classify(
        200, NULL, 0, "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}");
    assert_int_equal(error.kind, AWS_ERROR_THROTTLED);
    assert_string_equal(error.message, "Rate exceeded");
    assert_int_equal(classify(200, NULL, 0, "{\"__type\":\"Odd\"}").kind, AWS_ERROR_MALFORMED);
    struct http_header header = {"x-amzn-ErrorType", "InternalFailure"};
    assert_int_equal(classify(200, &header, 1, "{}").kind, AWS_ERROR_TRANSIENT);
}

static void success_is_success(void **state)
{
    (void)state;
    static const char *const BODIES[] = {
        "{}",
        "{\"message\":\"an event\",\"code\":\"of somebody's\"}",
        "<AssumeRoleResponse><Code>not an error</Code></AssumeRoleResponse>",
        "",
        NULL,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(BODIES); i++) {
        struct aws_error error = classify(200, NULL, 0, BODIES[i]);
        assert_int_equal(error.kind, AWS_OK);
        assert_int_equal(error.http_status, 200);
        assert_string_equal(error.message, "");
    }
    assert_int_equal(classify(299, NULL, 0, "{}").kind, AWS_OK);
}

static void reads_the_xml_of_sts(void **state)
{
    (void)state;
    struct aws_error error =
        classify(403, NULL, 0,
                 "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
                 "  <Error>\n    <Type>Sender</Type>\n    <Code>ExpiredToken</Code>\n"
                 "    <Message>The security token is expired</Message>\n  </Error>\n"
                 "  <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>\n"
                 "</ErrorResponse>\n");
    assert_int_equal(error.kind, AWS_ERROR_EXPIRED);
    assert_string_equal(error.code, "ExpiredToken");
    assert_string_equal(error.message, "The security token is expired");
    assert_string_equal(error.request_id, "c6104cbe-af31-11e0-8154-cbc7ccf896c7");

    const char *whole = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message>"
                        "</Error><RequestId>1</RequestId></ErrorResponse>";
    for (size_t length = 0; length <= strlen(whole); length++) {
        char part[200];
        snprintf(part, sizeof(part), "%.*s", (int)length, whole);
        assert_int_equal(classify(403, NULL, 0, part).kind, AWS_ERROR_DENIED);
    }
}

static void no_answer_is_transient_and_says_why(void **state)
{
    (void)state;
    struct aws_error error;
    struct http_response response = {.error = -ECONNREFUSED, .error_text = "connection refused"};
    aws_error_from_response(&response, &error);
    assert_int_equal(error.kind, AWS_ERROR_TRANSIENT);
    assert_int_equal(error.http_status, 0);
    assert_string_equal(error.message, "connection refused");

    response = (struct http_response){.error = -EFBIG, .error_text = "answer too large"};
    aws_error_from_response(&response, &error);
    assert_int_equal(error.kind, AWS_ERROR_MALFORMED); /* as large the next time */

    response = (struct http_response){.error = -EIO};
    aws_error_from_response(&response, &error);
    assert_string_equal(error.message, "no answer");
}

static void a_session_token_quoted_by_aws_is_not_repeated(void **state)
{
    (void)state;
    struct aws_error error = classify(
        403, NULL, 0,
        "{\"__type\":\"InvalidSignatureException\",\"message\":\"The request signature we "
        "calculated does not match.\\n\\nThe Canonical String for this request should have been"
        "\\n'POST\\n/\\n\\nhost:x\\nx-amz-security-token:SECRET\\n'\"}");
    assert_non_null(strstr(error.message, "does not match"));
    assert_null(strstr(error.message, "SECRET"));
    error = classify(403, NULL, 0,
                     "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>bad "
                     "header X-Amz-Security-Token: SECRET</Message></Error></ErrorResponse>");
    assert_string_equal(error.message, "bad header ");
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    char code[501] = "";
    char message[1201] = "";
    char body[4096];
    memset(code, 'C', sizeof(code) - 1);
    for (size_t i = 0; i < sizeof(message) - 1; i++)
        message[i] = "\xc3\xa9"[i % 2];
    snprintf(body, sizeof(body), "{\"__type\":\"%s\",\"message\":\"x%s\"}", code, message);
    struct http_header header = {"x-amzn-RequestId", body};

    struct aws_error error = classify(400, &header, 1, body);
    assert_int_equal(strlen(error.code), sizeof(error.code) - 1);
    assert_int_equal(strlen(error.request_id), sizeof(error.request_id) - 1);
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
    assert_memory_equal(error.message + strlen(error.message) - 2, "\xc3\xa9", 2);
}

static void deep_and_huge_bodies_do_no_harm(void **state)
{
    (void)state;
    size_t size = 1 << 20;
    char *body = malloc(size + 1);
    assert_non_null(body);
    memset(body, '[', size);
    body[size] = '\0';
    assert_int_equal(classify(500, NULL, 0, body).kind, AWS_ERROR_TRANSIENT);
    assert_int_equal(classify(200, NULL, 0, body).kind, AWS_OK);
    memset(body, '<', size);
    assert_int_equal(classify(400, NULL, 0, body).kind, AWS_ERROR_REQUEST);
    free(body);
}

static void set_formats_and_may_quote_itself(void **state)
{
    (void)state;
    struct aws_error error = {.http_status = 400, .code = "Old", .request_id = "old"};
    aws_error_set(&error, AWS_ERROR_MALFORMED, "event %d of %s", 7, "page");
    assert_string_equal(error.message, "event 7 of page");
    assert_string_equal(error.code, "");
    assert_int_equal(error.http_status, 0);
    aws_error_set(&error, AWS_ERROR_REQUEST, "again: %s", error.message);
    assert_string_equal(error.message, "again: event 7 of page");
}

static void kinds_have_names_of_their_own(void **state)
{
    (void)state;
    for (int kind = AWS_OK; kind <= AWS_ERROR_CANCELLED; kind++)
        for (int other = AWS_OK; other < kind; other++)
            assert_string_not_equal(aws_error_kind_name((enum aws_error_kind)kind),
                                    aws_error_kind_name((enum aws_error_kind)other));
    assert_string_equal(aws_error_kind_name((enum aws_error_kind)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_says_what_to_do),
        cmocka_unit_test(the_code_is_found_wherever_aws_puts_it),
        cmocka_unit_test(the_message_is_found_in_either_case),
        cmocka_unit_test(the_request_id_is_kept),
        cmocka_unit_test(without_a_code_the_status_decides),
        cmocka_unit_test(an_unknown_code_does_not_hide_what_the_status_says),
        cmocka_unit_test(success_with_an_error_body_is_an_error),
        cmocka_unit_test(success_is_success),
        cmocka_unit_test(reads_the_xml_of_sts),
        cmocka_unit_test(no_answer_is_transient_and_says_why),
        cmocka_unit_test(a_session_token_quoted_by_aws_is_not_repeated),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(deep_and_huge_bodies_do_no_harm),
        cmocka_unit_test(set_formats_and_may_quote_itself),
        cmocka_unit_test(kinds_have_names_of_their_own),
    };
    return cmocka_run_group_tests_name("aws_error", tests, NULL, NULL);
}
