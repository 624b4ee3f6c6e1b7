/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/sigv4.h"

/* ---- counting allocations ---- */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static volatile size_t allocations; /* the compiler thinks that malloc() changes no variable */

#ifndef SANITIZED /* its malloc must stay the only one */
static void *find_next(const char *name)
{
    void *next = dlsym(RTLD_NEXT, name);

    if (!next)
        abort();
    return next;
}

void *malloc(size_t size)
{
    static void *(*next)(size_t);

    if (!next)
        *(void **)&next = find_next("malloc");
    allocations++;
    return next(size);
}

void *calloc(size_t n, size_t size)
{
    static void *(*next)(size_t, size_t);

    if (!next)
        *(void **)&next = find_next("calloc");
    allocations++;
    return next(n, size);
}

void *realloc(void *memory, size_t size)
{
    static void *(*next)(void *, size_t);

    if (!next)
        *(void **)&next = find_next("realloc");
    allocations++;
    return next(memory, size);
}
#endif

/* ---- the words of the tests ---- */

/* 2015-08-30T12:36:00Z, the moment of AWS's examples, and 2013-05-24T00:00:00Z, of those for S3. */
#define EXAMPLE_TIME ((struct wall){.ms = INT64_C(1440938160000)})
#define S3_EXAMPLE_TIME ((struct wall){.ms = INT64_C(1369353600000)})

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Lines of a canonical request without headers but Host and X-Amz-Date. */
enum { LINE_PATH = 1, LINE_QUERY = 2, LINE_FIRST_HEADER = 3 };

static const struct sigv4_header only_host[] = {{"Host", "example.amazonaws.com"}};

/* One complete thing to sign; a test changes what it is about. */
struct given {
    struct sigv4_request request;
    struct sigv4_credentials credentials;
    struct sigv4_scope scope;
    struct wall time;
};

static struct given given_request(const char *path, const char *query)
{
    return (struct given){
        .request = {.method = "GET",
                    .path = path,
                    .query = query,
                    .headers = only_host,
                    .n_headers = ARRAY_LENGTH(only_host)},
        .credentials = {.access_key_id = "AKIDEXAMPLE",
                        .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
        .scope = {.region = "us-east-1", .service = "service"},
        .time = EXAMPLE_TIME,
    };
}

static struct given given_headers(const struct sigv4_header *headers, size_t n)
{
    struct given given = given_request("/", NULL);

    given.request.headers = headers;
    given.request.n_headers = n;
    return given;
}

static struct given given_s3_request(const char *path, const char *query)
{
    static const struct sigv4_header host[] = {{"Host", "examplebucket.s3.amazonaws.com"}};
    struct given given = given_request(path, query);

    given.request.headers = host;
    given.credentials.access_key_id = "AKIAIOSFODNN7EXAMPLE";
    given.credentials.secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    given.scope = (struct sigv4_scope){
        .region = "us-east-1", .service = "s3", .raw_path = true, .sign_body = true};
    given.time = S3_EXAMPLE_TIME;
    return given;
}

static int sign_with(struct sigv4_signer *signer, const struct given *given,
                     struct sigv4_signature *ret)
{
    return sigv4_sign(signer, &given->request, &given->credentials, &given->scope, given->time,
                      ret);
}

static int sign(const struct given *given, struct sigv4_signature *ret)
{
    struct sigv4_signer signer = {0};
    int r = sign_with(&signer, given, ret);

    sigv4_signer_wipe(&signer);
    return r;
}

static void expect_signature(const struct given *given, const char *expected)
{
    struct sigv4_signature signature;

    assert_int_equal(sign(given, &signature), 0);
    assert_string_equal(signature.signature, expected);
}

static void expect_refusal(const struct given *given, int expected)
{
    struct sigv4_signature signature = {.signature = "untouched"};
    char *text = NULL;

    assert_int_equal(sign(given, &signature), expected);
    assert_string_equal(signature.signature, "untouched");
    assert_int_equal(sigv4_canonical_request(&given->request, &given->credentials, &given->scope,
                                             given->time, &text),
                     expected);
    assert_null(text);
}

/* A signer that has a past signs as one that has none. */
static void expect_as_if_new(struct sigv4_signer *signer, const struct given *given)
{
    struct sigv4_signature signature;

    assert_int_equal(sign_with(signer, given, &signature), 0);
    expect_signature(given, signature.signature);
}

static char *canonical_request(const struct given *given)
{
    char *text = NULL;

    assert_int_equal(sigv4_canonical_request(&given->request, &given->credentials, &given->scope,
                                             given->time, &text),
                     0);
    return text;
}

static void expect_canonical_line(const struct given *given, int n, const char *expected)
{
    _cleanup_free_ char *text = canonical_request(given);
    char *line = text;

    for (int i = 0; i < n; i++)
        line = strchr(line, '\n') + 1;
    *strchrnul(line, '\n') = '\0';
    assert_string_equal(line, expected);
}

static void expect_canonical_path(const char *path, bool raw, const char *expected)
{
    struct given given = given_request(path, NULL);

    given.scope.raw_path = raw;
    expect_canonical_line(&given, LINE_PATH, expected);
}

static void expect_canonical_query(const char *query, const char *expected)
{
    struct given given = given_request("/", query);

    expect_canonical_line(&given, LINE_QUERY, expected);
}

static char *repeat(const char *piece, size_t n)
{
    size_t size = strlen(piece);
    char *text = malloc(n * size + 1);

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * size, piece, size);
    text[n * size] = '\0';
    return text;
}

/* ---- AWS's own examples ---- */

/* IAM User Guide, "Create a signed AWS API request": ListUsers. */
static void test_documented_iam_request(void **state)
{
    static const struct sigv4_header headers[] = {
        {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
        {"Host", "iam.amazonaws.com"},
    };
    struct given given = given_headers(headers, ARRAY_LENGTH(headers));
    struct sigv4_signature signature;
    _cleanup_free_ char *text = NULL;

    (void)state;
    given.request.query = "Action=ListUsers&Version=2010-05-08";
    given.scope.service = "iam";

    assert_int_equal(
        sigv4_string_to_sign(&given.request, &given.credentials, &given.scope, given.time, &text),
        0);
    assert_string_equal(text, "AWS4-HMAC-SHA256\n"
                              "20150830T123600Z\n"
                              "20150830/us-east-1/iam/aws4_request\n"
                              "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
    assert_int_equal(sign(&given, &signature), 0);
    assert_string_equal(signature.date, "20150830T123600Z");
    assert_string_equal(signature.content_sha256, EMPTY_SHA256);
    assert_string_equal(
        signature.authorization,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

/* The same page's example of a derived key. */
static void test_documented_signing_key(void **state)
{
    static const unsigned char expected[] = {
        0xc4, 0xaf, 0xb1, 0xcc, 0x57, 0x71, 0xd8, 0x71, 0x76, 0x3a, 0x39,
        0x3e, 0x44, 0xb7, 0x03, 0x57, 0x1b, 0x55, 0xcc, 0x28, 0x42, 0x4d,
        0x1a, 0x5e, 0x86, 0xda, 0x6e, 0xd3, 0xc1, 0x54, 0xa4, 0xb9,
    };
    struct given given = given_request("/", NULL);
    struct sigv4_signer signer = {0};
    struct sigv4_signature signature;

    (void)state;
    given.scope.service = "iam";

    assert_int_equal(sign_with(&signer, &given, &signature), 0);

    assert_memory_equal(signer.key, expected, sizeof(expected));
    sigv4_signer_wipe(&signer);
}

/* Amazon S3 API Reference, "Examples: Signature calculations" for the Authorization header. */
static void test_documented_s3_requests(void **state)
{
    static const struct sigv4_header get_headers[] = {{"Host", "examplebucket.s3.amazonaws.com"},
                                                      {"Range", "bytes=0-9"}};
    static const struct sigv4_header put_headers[] = {
        {"Host", "examplebucket.s3.amazonaws.com"},
        {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
    };
    static const char body[] = "Welcome to Amazon S3.";
    struct given get = given_s3_request("/test.txt", NULL);
    struct given put = given_s3_request("/test$file.text", NULL);
    struct given lifecycle = given_s3_request("/", "lifecycle");
    struct given list = given_s3_request("/", "max-keys=2&prefix=J");

    (void)state;
    get.request.headers = get_headers;
    get.request.n_headers = ARRAY_LENGTH(get_headers);
    put.request.method = "PUT";
    put.request.headers = put_headers;
    put.request.n_headers = ARRAY_LENGTH(put_headers);
    put.request.body = body;
    put.request.body_size = strlen(body);

    expect_signature(&get, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    expect_signature(&put, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    expect_signature(&lifecycle,
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    expect_signature(&list, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* ---- canonical form ---- */

static void test_path_is_normalised_and_encoded_again(void **state)
{
    (void)state;
    expect_canonical_path("", false, "/");
    expect_canonical_path("/", false, "/");
    expect_canonical_path("//", false, "/");
    expect_canonical_path("/a/./b//c/", false, "/a/b/c/");
    expect_canonical_path("/a/b/../c", false, "/a/c");
    expect_canonical_path("/a/b/..", false, "/a");
    expect_canonical_path("/a/b/../", false, "/a/");
    expect_canonical_path("/..", false, "/");
    expect_canonical_path("/../../a", false, "/a");
    expect_canonical_path("/a/../../b/", false, "/b/");
    expect_canonical_path("/.../..a", false, "/.../..a");
    expect_canonical_path("/a b/\xe1\x88\xb4/%20/$", false, "/a%20b/%E1%88%B4/%2520/%24");
    expect_canonical_path("/-._~AZaz09", false, "/-._~AZaz09");
}

static void test_raw_path_stays_and_is_encoded_once(void **state)
{
    (void)state;
    expect_canonical_path("", true, "/");
    expect_canonical_path("//a/./b/../", true, "//a/./b/../");
    expect_canonical_path("/a b%20c%2F$", true, "/a%20b%20c%2F%24");
    expect_canonical_path("/100%", true, "/100%25");
    expect_canonical_path("/%zz%4", true, "/%25zz%254");
}

static void test_query_is_sorted_and_has_one_spelling(void **state)
{
    (void)state;
    expect_canonical_query(NULL, "");
    expect_canonical_query("", "");
    expect_canonical_query("b=2&a=1", "a=1&b=2");
    expect_canonical_query("a=2&a=10&a=", "a=&a=10&a=2");
    expect_canonical_query("a", "a=");
    expect_canonical_query("=v", "=v");
    expect_canonical_query("a&&b=", "=&a=&b=");
    expect_canonical_query("a=b=c", "a=b%3Dc");
    /* By name before value: '-' is less than the '=' that would follow "Param". */
    expect_canonical_query("Param-3=3&Param=2", "Param=2&Param-3=3");
    expect_canonical_query("a=1&B=2", "B=2&a=1");
    /* By the encoded name: '%' is less than every letter, though the byte is greater. */
    expect_canonical_query("a=1&\xe1\x88\xb4=2", "%E1%88%B4=2&a=1");
    expect_canonical_query("~=1&%7e=0&+=2", "%2B=2&~=0&~=1");
    expect_canonical_query("a=%2f/%41%2541", "a=%2F%2FA%2541");
    expect_canonical_query("a=%&b=%4&c=%4g", "a=%25&b=%254&c=%254g");
}

static void test_headers_are_lowered_trimmed_and_joined(void **state)
{
    static const struct sigv4_header headers[] = {
        {"X-B", "  two   \t words\t"},
        {"x-a", "z"},
        {"HOST", "h"},
        {"X-A", ""},
        {"X-a", "\ty"},
        {"X-C", " "},
        {"X_A", "_"},
    };
    struct given given = given_headers(headers, ARRAY_LENGTH(headers));
    _cleanup_free_ char *text = canonical_request(&given);

    (void)state;
    assert_string_equal(text, "GET\n"
                              "/\n"
                              "\n"
                              "host:h\n"
                              "x-a:z,,y\n"
                              "x-amz-date:20150830T123600Z\n"
                              "x-b:two words\n"
                              "x-c:\n"
                              "x_a:_\n"
                              "\n"
                              "host;x-a;x-amz-date;x-b;x-c;x_a\n" EMPTY_SHA256);
}

static void test_session_token_is_signed_unless_it_is_added_later(void **state)
{
    struct given without = given_request("/", NULL), with = without, later = without;
    struct sigv4_signature signature;

    (void)state;
    with.credentials.session_token = "TOKEN==";
    later.credentials.session_token = "TOKEN==";
    later.scope.omit_token = true;

    expect_canonical_line(&with, LINE_FIRST_HEADER + 2, "x-amz-security-token:TOKEN==");
    assert_int_equal(sign(&with, &signature), 0);
    assert_non_null(
        strstr(signature.authorization, "SignedHeaders=host;x-amz-date;x-amz-security-token,"));
    assert_int_equal(sign(&without, &signature), 0);
    expect_signature(&later, signature.signature);
}

static void test_sign_body_adds_its_digest(void **state)
{
    struct given given = given_request("/", NULL);
    struct sigv4_signature signature;

    (void)state;
    given.request.body = "Param1=value1";
    given.request.body_size = strlen("Param1=value1");
    given.scope.sign_body = true;

    assert_int_equal(sign(&given, &signature), 0);

    assert_string_equal(signature.content_sha256,
                        "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e");
    expect_canonical_line(
        &given, LINE_FIRST_HEADER + 1,
        "x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e");
}

static void test_content_sha256_of_the_caller_stands_for_the_body(void **state)
{
    static const struct sigv4_header headers[] = {{"Host", "h"},
                                                  {"X-Amz-Content-Sha256", " UNSIGNED-PAYLOAD"}};
    struct given given = given_headers(headers, ARRAY_LENGTH(headers));
    _cleanup_free_ char *text = NULL;

    (void)state;
    given.request.body = "anything";
    given.request.body_size = 8;
    text = canonical_request(&given);

    assert_string_equal(strrchr(text, '\n'), "\nUNSIGNED-PAYLOAD");
}

/* ---- the day's key ---- */

static void test_key_is_derived_once_a_day(void **state)
{
    struct given morning = given_request("/", NULL), evening = morning, next_day = morning;
    struct sigv4_signer signer = {0};
    struct sigv4_signature signature, spoilt;

    (void)state;
    evening.time = wall_add(morning.time, 11 * MS_PER_HOUR);
    next_day.time = wall_add(morning.time, 12 * MS_PER_HOUR);
    assert_int_equal(sign_with(&signer, &morning, &signature), 0);

    expect_as_if_new(&signer, &evening);
    signer.key[0] ^= 1; /* would go unnoticed if it were derived again */
    assert_int_equal(sign_with(&signer, &morning, &spoilt), 0);
    assert_string_not_equal(spoilt.signature, signature.signature);
    expect_as_if_new(&signer, &next_day);
    sigv4_signer_wipe(&signer);
}

static void test_key_follows_secret_region_and_service(void **state)
{
    struct given given = given_request("/", NULL);
    struct sigv4_signer signer = {0};

    (void)state;
    expect_as_if_new(&signer, &given);
    given.credentials.secret_access_key = "another";
    expect_as_if_new(&signer, &given);
    given.scope.region = "eu-west-1";
    expect_as_if_new(&signer, &given);
    given.scope.service = "ecs";
    expect_as_if_new(&signer, &given);
    /* What is told apart only by where one part ends and the next begins. */
    given.scope.region = "eu-west-1e";
    given.scope.service = "cs";
    expect_as_if_new(&signer, &given);
    sigv4_signer_wipe(&signer);
}

/* RFC 2104 takes keys longer than a block of the digest by their digest; "AWS4" counts. */
static void test_secrets_of_any_length(void **state)
{
    struct given given = given_request("/", NULL);

    (void)state;
    given.credentials.secret_access_key =
        "0123456789012345678901234567890123456789012345678901234567890";
    expect_signature(&given, "db32a8216b0318547697d9c350e58450376f1eae1ef21eda3e7df889fed5b708");
    given.credentials.secret_access_key =
        "012345678901234567890123456789012345678901234567890123456789";
    expect_signature(&given, "191d561fb361b324e80983574619021c65f7b2a087ec260dfc3a888a5a0b9bdf");
}

static void test_wiped_signer_is_as_new(void **state)
{
    static const struct sigv4_signer zero;
    struct given given = given_request("/", NULL);
    struct sigv4_signer signer = {0};

    (void)state;
    sigv4_signer_wipe(&signer);
    expect_as_if_new(&signer, &given);
    sigv4_signer_wipe(&signer);

    assert_memory_equal(signer.key, zero.key, sizeof(zero.key));
    assert_memory_equal(signer.identity, zero.identity, sizeof(zero.identity));
    assert_false(signer.valid);
    expect_as_if_new(&signer, &given);
    sigv4_signer_wipe(&signer);
}

/* False where another malloc is in charge: a sanitizer's, or valgrind's. */
static bool allocations_are_counted(void)
{
    void *volatile memory;

    allocations = 0;
    memory = malloc(1);
    free(memory);
    return allocations > 0;
}

static void test_signing_allocates_nothing(void **state)
{
    struct given given = given_request("/a/../b", "b=2&a=1");
    struct sigv4_signer signer = {0};
    struct sigv4_signature signature;
    size_t counted;

    (void)state;
    if (!allocations_are_counted())
        skip();
    given.credentials.session_token = "TOKEN==";
    given.scope.sign_body = true;
    given.request.body = "{}";
    given.request.body_size = 2;
    assert_int_equal(sign_with(&signer, &given, &signature), 0);

    allocations = 0;
    assert_int_equal(sign_with(&signer, &given, &signature), 0);
    given.time = wall_add(given.time, MS_PER_DAY); /* and a key is derived */
    assert_int_equal(sign_with(&signer, &given, &signature), 0);
    counted = allocations;

    assert_int_equal(counted, 0);
    sigv4_signer_wipe(&signer);
}

/* ---- limits ---- */

static void test_headers_up_to_the_limit(void **state)
{
    struct sigv4_header headers[SIGV4_HEADERS_MAX + 1] = {only_host[0]};
    struct given given = given_headers(headers, SIGV4_HEADERS_MAX);
    struct sigv4_signature signature;

    (void)state;
    for (size_t i = 1; i < ARRAY_LENGTH(headers); i++)
        headers[i] = (struct sigv4_header){"X-A", "value"};
    given.scope.sign_body = true;
    given.credentials.session_token = "TOKEN==";

    assert_int_equal(sign(&given, &signature), 0);
    given.request.n_headers++;
    expect_refusal(&given, -E2BIG);
}

static void test_query_parameters_up_to_the_limit(void **state)
{
    _cleanup_free_ char *query = repeat("a&", SIGV4_QUERY_PARAMETERS_MAX);
    struct given given = given_request("/", query);
    struct sigv4_signature signature;

    (void)state;
    expect_refusal(&given, -E2BIG); /* the empty one after the last '&' is one too many */
    query[strlen(query) - 1] = '\0';
    assert_int_equal(sign(&given, &signature), 0);
}

static void test_too_large_for_the_canonical_request(void **state)
{
    _cleanup_free_ char *large = repeat("/aaaaaaa", SIGV4_CANONICAL_REQUEST_MAX / 8);
    _cleanup_free_ char *doubled = repeat("///aa", SIGV4_CANONICAL_REQUEST_MAX / 5);
    struct sigv4_header headers[] = {{"Host", "h"}, {"X-A", large}};
    struct given path = given_request(large, NULL);
    struct given slashes = given_request(doubled, NULL);
    struct given raw_path = given_request(large, NULL);
    struct given query = given_request("/", large);
    struct given header = given_headers(headers, ARRAY_LENGTH(headers));
    struct given token = given_request("/", NULL);
    struct sigv4_signature signature;

    (void)state;
    raw_path.scope.raw_path = true;
    token.credentials.session_token = large;

    expect_refusal(&path, -E2BIG);
    expect_refusal(&raw_path, -E2BIG);
    expect_refusal(&query, -E2BIG);
    expect_refusal(&header, -E2BIG);
    expect_refusal(&token, -E2BIG);
    assert_int_equal(sign(&slashes, &signature), 0); /* it is the canonical size that counts */
}

static void test_too_large_for_scope_and_authorization(void **state)
{
    _cleanup_free_ char *large = repeat("a", SIGV4_AUTHORIZATION_MAX);
    struct given region = given_request("/", NULL), access_key = region;
    struct sigv4_signature signature = {.signature = "untouched"};

    (void)state;
    region.scope.region = large;
    access_key.credentials.access_key_id = large;

    expect_refusal(&region, -E2BIG);
    assert_int_equal(sign(&access_key, &signature), -E2BIG);
    assert_string_equal(signature.signature, "untouched");
}

/* ---- what cannot be signed ---- */

static void test_headers_that_would_break_the_request_are_refused(void **state)
{
    static const struct sigv4_header bad[] = {
        {"X-A", "value\r\nX-Injected: yes"}, {"X-A", "line\nfeed"}, {"X-A", "\x7f"}, {"X-A", NULL},
        {"X A", "space in the name"},        {"X-A:", "colon"},     {"", "no name"}, {NULL, "v"},
        {"X-\xc3\xa4", "not ASCII"},         {"X-\n", "line feed"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct sigv4_header headers[] = {only_host[0], bad[i]};
        struct given given = given_headers(headers, ARRAY_LENGTH(headers));

        expect_refusal(&given, -EINVAL);
    }
}

static void test_host_is_needed(void **state)
{
    static const struct sigv4_header headers[] = {{"X-Host", "h"}};
    struct given other = given_headers(headers, ARRAY_LENGTH(headers));
    struct given none = given_headers(NULL, 0);
    struct given no_array = given_headers(NULL, 1);

    (void)state;
    expect_refusal(&other, -EINVAL);
    expect_refusal(&none, -EINVAL);
    expect_refusal(&no_array, -EINVAL);
}

static void test_headers_that_signing_adds_are_refused(void **state)
{
    static const struct sigv4_header date[] = {{"Host", "h"}, {"x-Amz-Date", "20150830T123600Z"}};
    static const struct sigv4_header token[] = {{"Host", "h"}, {"X-AMZ-Security-Token", "T"}};
    static const struct sigv4_header digest[] = {{"Host", "h"}, {"X-Amz-Content-Sha256", "d"}};
    struct given with_date = given_headers(date, 2), with_token = given_headers(token, 2);
    struct given with_digest = given_headers(digest, 2);
    struct sigv4_signature signature;

    (void)state;
    assert_int_equal(sign(&with_token, &signature), 0); /* without a session, it is one of many */
    with_token.credentials.session_token = "T";
    with_digest.scope.sign_body = true;

    expect_refusal(&with_date, -EINVAL);
    expect_refusal(&with_token, -EINVAL);
    expect_refusal(&with_digest, -EINVAL);
}

static void test_incomplete_requests_are_refused(void **state)
{
    struct given no_method = given_request("/", NULL), bad_method = no_method, body = no_method;
    struct given no_path = given_request(NULL, NULL), relative = given_request("a/b", NULL);

    (void)state;
    no_method.request.method = NULL;
    bad_method.request.method = "GET /";
    body.request.body_size = 1;

    expect_refusal(&no_method, -EINVAL);
    expect_refusal(&bad_method, -EINVAL);
    expect_refusal(&body, -EINVAL);
    expect_refusal(&no_path, -EINVAL);
    expect_refusal(&relative, -EINVAL);
}

static void test_credentials_that_would_break_the_header_are_refused(void **state)
{
    static const char *const bad[] = {NULL, "", "a b", "a/b", "a,b", "a\r\nb", "\xc3\xa4"};
    struct given token = given_request("/", NULL), secret = token;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct given key = given_request("/", NULL), region = key, service = key;

        key.credentials.access_key_id = bad[i];
        region.scope.region = bad[i];
        service.scope.service = bad[i];
        expect_refusal(&key, -EINVAL);
        expect_refusal(&region, -EINVAL);
        expect_refusal(&service, -EINVAL);
    }
    token.credentials.session_token = "TOKEN\n";
    expect_refusal(&token, -EINVAL);
    secret.credentials.secret_access_key = NULL;
    expect_refusal(&secret, -EINVAL);
    secret.credentials.secret_access_key = "";
    expect_refusal(&secret, -EINVAL);
}

static void test_moments_without_a_date_of_eight_digits_are_refused(void **state)
{
    static const struct wall bad[] = {
        {.ms = INT64_C(253402300800000)}, /* the year 10000 */
        {.ms = -1},
        {.ms = INT64_MAX},
        {.ms = INT64_MIN},
    };
    struct given given = given_request("/", NULL);
    struct sigv4_signature signature;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        given.time = bad[i];
        expect_refusal(&given, -EINVAL);
    }
    given.time = WALL_NEVER;
    expect_refusal(&given, -EINVAL);
    given.time = (struct wall){.ms = INT64_C(253402300799999)};
    assert_int_equal(sign(&given, &signature), 0);
    assert_string_equal(signature.date, "99991231T235959Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documented_iam_request),
        cmocka_unit_test(test_documented_signing_key),
        cmocka_unit_test(test_documented_s3_requests),
        cmocka_unit_test(test_path_is_normalised_and_encoded_again),
        cmocka_unit_test(test_raw_path_stays_and_is_encoded_once),
        cmocka_unit_test(test_query_is_sorted_and_has_one_spelling),
        cmocka_unit_test(test_headers_are_lowered_trimmed_and_joined),
        cmocka_unit_test(test_session_token_is_signed_unless_it_is_added_later),
        cmocka_unit_test(test_sign_body_adds_its_digest),
        cmocka_unit_test(test_content_sha256_of_the_caller_stands_for_the_body),
        cmocka_unit_test(test_key_is_derived_once_a_day),
        cmocka_unit_test(test_key_follows_secret_region_and_service),
        cmocka_unit_test(test_secrets_of_any_length),
        cmocka_unit_test(test_wiped_signer_is_as_new),
        cmocka_unit_test(test_signing_allocates_nothing),
        cmocka_unit_test(test_headers_up_to_the_limit),
        cmocka_unit_test(test_query_parameters_up_to_the_limit),
        cmocka_unit_test(test_too_large_for_the_canonical_request),
        cmocka_unit_test(test_too_large_for_scope_and_authorization),
        cmocka_unit_test(test_headers_that_would_break_the_request_are_refused),
        cmocka_unit_test(test_host_is_needed),
        cmocka_unit_test(test_headers_that_signing_adds_are_refused),
        cmocka_unit_test(test_incomplete_requests_are_refused),
        cmocka_unit_test(test_credentials_that_would_break_the_header_are_refused),
        cmocka_unit_test(test_moments_without_a_date_of_eight_digits_are_refused),
    };

    return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}
