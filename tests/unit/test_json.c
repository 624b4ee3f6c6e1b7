/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "src/cleanup.h"
#include "src/json.h"

/* From a block of exactly its size, so that a byte read too far is seen by the sanitizers. */
static int parse_bytes(const char *text, size_t size, struct json_object **ret)
{
    _cleanup_free_ char *exact = malloc(size + !size);

    assert_non_null(exact);
    memcpy(exact, text, size);
    return json_parse(exact, size, ret);
}

static struct json_object *parsed(const char *text)
{
    struct json_object *object = NULL;

    if (parse_bytes(text, strlen(text), &object) != 0)
        fail_msg("refused: %s", text);
    assert_non_null(object);
    return object;
}

static void expect_accepted(const char *text)
{
    json_object_put(parsed(text));
}

static void expect_refused_bytes(const char *text, size_t size)
{
    struct json_object *object = NULL;

    if (parse_bytes(text, size, &object) != -EBADMSG)
        fail_msg("not refused: %.*s", (int)size, text);
    assert_null(object); /* written only on success */
}

static void expect_refused(const char *text)
{
    expect_refused_bytes(text, strlen(text));
}

static void test_reads_json(void **state)
{
    (void)state;
    expect_accepted("{}");
    expect_accepted("[]");
    expect_accepted(" \t\r\n{ \"a\" : [ 1 , -2.5e3, true, false, null, \"x\" ] } \r\n\t ");
    expect_accepted("7");
    expect_accepted("-0");
    expect_accepted("\"text\"");
    expect_accepted("true");
    expect_accepted("{\"NaN\": \"Infinity, \\\"NaN\\\" \\\\\"}");
    expect_accepted("{\"\\u00e9\": \"\\ud83d\\ude00 \xc3\xa9\"}");
    expect_accepted("\"\\\\u0000\""); /* a backslash, not a NUL */
}

static void test_refuses_what_is_no_json(void **state)
{
    (void)state;
    expect_refused("");
    expect_refused("   ");
    expect_refused("null"); /* says nothing, and no getter could work on it */
    expect_refused(" null ");
    expect_refused("nul");
    expect_refused("{");
    expect_refused("[1, 2");
    expect_refused("{\"a\": 1");
    expect_refused("{\"a\"}");
    expect_refused("\"unfinished");
    expect_refused("\"unfinished\\");
    expect_refused("\"unfinished\\u00");
    expect_refused("{'a': 1}");
    expect_refused("['a']");
    expect_refused("{a: 1}");
    expect_refused("[1,]");
    expect_refused("{\"a\": 1,}");
    expect_refused("TRUE");
    expect_refused("[01]");
    expect_refused("[1.2.3]");
    expect_refused("[--1]");
    expect_refused("[NaN]");
    expect_refused("[Infinity]");
    expect_refused("[-Infinity]");
    expect_refused("[\"\\x41\"]");
    expect_refused("[1] // a comment");
    expect_refused("/* a comment */ [1]");
    expect_refused("<html><body>502 Bad Gateway</body></html>");
}

static void test_refuses_trailing_bytes(void **state)
{
    (void)state;
    expect_refused("{} {}");
    expect_refused("{}x");
    expect_refused("{},");
    expect_refused("1 2");
    expect_refused("[]]");
    expect_refused("{}\xc2\xa0"); /* a no-break space is no white space of JSON */
}

static void test_refuses_nul_and_controls(void **state)
{
    (void)state;
    expect_refused_bytes("{\"a\": \"b\0c\"}", 12);
    expect_refused_bytes("{}\0", 3);
    expect_refused_bytes("\0", 1);
    expect_refused("{\"a\": \"line\nline\"}");
    expect_refused("{\"a\": \"\x1b[2J\"}");
    expect_refused("[1,\v2]");
    expect_refused("\f[1]");
}

/* A log event that holds a NUL is an event like any other: it must not hide the page it is on. */
static void test_reads_an_escaped_nul_as_a_replacement_character(void **state)
{
    (void)state;
    struct json_object *object =
        parsed("{\"a\": \"b\\u0000c\\\\u0000\\\\\\u0000\", \"n\\u0000\": 1}");
    const char *text = NULL;

    assert_int_equal(json_get_string(object, "a", &text), 0);
    assert_string_equal(text, "b\xef\xbf\xbd"
                              "c\\u0000\\\xef\xbf\xbd");
    int64_t number;
    assert_int_equal(json_get_int(object, "n", &number), -ENOENT);
    json_object_put(object);
}

static void test_refuses_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    expect_refused("{\"a\": \"\xff\"}");
    expect_refused("{\"a\": \"\xc3\"}");
    expect_refused("{\"a\": \"\xc3(\"}");
    expect_refused("{\"a\xe9\": 1}"); /* Latin-1 */
}

/* Half of one stands for nothing, whatever follows it. */
static void test_reads_half_a_surrogate_pair_as_a_replacement_character(void **state)
{
    (void)state;
    struct json_object *object = parsed(
        "[\"\\ud83d\", \"\\ud83dx\", \"\\ud83d\\u0041\", \"\\ude00\", \"\\ud83d\\ud83d\\ude00\"]");
    static const char *const expected[] = {"\xef\xbf\xbd", "\xef\xbf\xbdx",
                                           ("\xef\xbf\xbd"
                                            "A"),
                                           "\xef\xbf\xbd", "\xef\xbf\xbd\xf0\x9f\x98\x80"};

    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
        assert_string_equal(json_object_get_string(json_object_array_get_idx(object, i)),
                            expected[i]);
    json_object_put(object);
}

static void test_reads_every_escape_and_length_of_utf8(void **state)
{
    _cleanup_json_ struct json_object *object =
        parsed("{\"a\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\uD83D\\uDE00\"}");
    const char *text;

    (void)state;
    assert_int_equal(json_get_string(object, "a", &text), 0);
    assert_string_equal(text, "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    expect_refused("\"\\v\"");
    expect_refused("\"\\u12g4\"");
    expect_refused("\"\xc0\x80\"");         /* overlong */
    expect_refused("\"\xed\xa0\x80\"");     /* a surrogate */
    expect_refused("\"\xf4\x90\x80\x80\""); /* above U+10FFFF */
    expect_refused("\"\xe2\x82\"");
}

static void test_many_members_are_all_found(void **state)
{
    char text[20000], name[16];
    size_t length = 0;
    int64_t number;

    (void)state;
    for (int i = 0; i < 1000; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s\"n%d\":%d",
                                   i ? "," : "{", i, i);
    snprintf(text + length, sizeof(text) - length, "}");
    _cleanup_json_ struct json_object *object = parsed(text);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(json_get_int(object, name, &number), 0);
        assert_int_equal(number, i);
    }
}

static void nested(char *text, int depth)
{
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    text[2 * depth] = '\0';
}

static void test_limits_the_depth(void **state)
{
    char text[2 * 100000 + 1];

    (void)state;
    nested(text, JSON_DEPTH_MAX - 1);
    expect_accepted(text);
    nested(text, JSON_DEPTH_MAX + 1);
    expect_refused(text);
    nested(text, 100000);
    expect_refused_bytes(text, strlen(text));
    memset(text, '[', sizeof(text) - 1);
    expect_refused_bytes(text, sizeof(text) - 1);
}

static void test_refuses_more_bytes_than_json_c_can_count(void **state)
{
    const size_t size = (size_t)INT_MAX + 1;
    struct json_object *object = NULL;
    char *text;

    (void)state;
    text = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(text != MAP_FAILED);
    assert_int_equal(json_parse(text, size, &object), -EBADMSG);
    assert_null(object);
    assert_int_equal(munmap(text, size), 0);
}

static void test_getters_give_what_is_there(void **state)
{
    _cleanup_json_ struct json_object *object = parsed(
        "{\"string\": \"api\", \"int\": -3, \"double\": 2.5, \"true\": true, \"false\": false,"
        " \"object\": {\"a\": 1}, \"array\": [1, 2], \"empty\": \"\"}");
    struct json_object *container;
    const char *string;
    int64_t integer;
    double number;
    bool flag;

    (void)state;
    assert_int_equal(json_get_string(object, "string", &string), 0);
    assert_string_equal(string, "api");
    assert_int_equal(json_get_string(object, "empty", &string), 0);
    assert_string_equal(string, "");
    assert_int_equal(json_get_int(object, "int", &integer), 0);
    assert_int_equal(integer, -3);
    assert_int_equal(json_get_double(object, "double", &number), 0);
    assert_true(number == 2.5);
    assert_int_equal(json_get_double(object, "int", &number), 0);
    assert_true(number == -3.0);
    assert_int_equal(json_get_bool(object, "true", &flag), 0);
    assert_true(flag);
    assert_int_equal(json_get_bool(object, "false", &flag), 0);
    assert_false(flag);
    assert_int_equal(json_get_object(object, "object", &container), 0);
    assert_int_equal(json_object_object_length(container), 1);
    assert_int_equal(json_get_array(object, "array", &container), 0);
    assert_int_equal(json_object_array_length(container), 2);
}

/* What every getter says to this member, with its result untouched. */
static void expect_every_getter(struct json_object *object, const char *name, int error)
{
    struct json_object *container = (struct json_object *)&error;
    const char *string = "untouched";
    int64_t integer = 42;
    double number = 42;
    bool flag = true;

    assert_int_equal(json_get_string(object, name, &string), error);
    assert_string_equal(string, "untouched");
    assert_int_equal(json_get_int(object, name, &integer), error);
    assert_int_equal(integer, 42);
    assert_int_equal(json_get_double(object, name, &number), error);
    assert_true(number == 42);
    assert_int_equal(json_get_bool(object, name, &flag), error);
    assert_true(flag);
    assert_int_equal(json_get_object(object, name, &container), error);
    assert_int_equal(json_get_array(object, name, &container), error);
    assert_ptr_equal(container, &error);
}

static void test_getters_tell_absent_from_wrong(void **state)
{
    _cleanup_json_ struct json_object *object = parsed("{\"null\": null, \"huge\": 1e999}");
    _cleanup_json_ struct json_object *array = parsed("[1]");

    (void)state;
    expect_every_getter(object, "absent", -ENOENT);
    expect_every_getter(object, "null", -ENOENT);
    expect_every_getter(object, "huge", -EBADMSG);
    expect_every_getter(array, "absent", -EBADMSG);
    expect_every_getter(NULL, "absent", -EBADMSG);
}

static void test_getters_convert_nothing(void **state)
{
    _cleanup_json_ struct json_object *object =
        parsed("{\"text\": \"1\", \"one\": 1, \"yes\": true, \"object\": {}, \"array\": []}");
    struct json_object *container;
    const char *string;
    int64_t integer;
    double number;
    bool flag;

    (void)state;
    assert_int_equal(json_get_string(object, "one", &string), -EBADMSG);
    assert_int_equal(json_get_int(object, "text", &integer), -EBADMSG);
    assert_int_equal(json_get_int(object, "yes", &integer), -EBADMSG);
    assert_int_equal(json_get_double(object, "text", &number), -EBADMSG);
    assert_int_equal(json_get_bool(object, "one", &flag), -EBADMSG);
    assert_int_equal(json_get_bool(object, "text", &flag), -EBADMSG);
    assert_int_equal(json_get_object(object, "array", &container), -EBADMSG);
    assert_int_equal(json_get_array(object, "object", &container), -EBADMSG);
}

static void expect_int(const char *literal, int error, int64_t value)
{
    _cleanup_json_ struct json_object *object = NULL;
    char text[200];
    int64_t integer = 42;
    int r;

    snprintf(text, sizeof(text), "{\"n\": %s}", literal);
    r = parse_bytes(text, strlen(text), &object);
    if (r == 0)
        r = json_get_int(object, "n", &integer);
    if (r != error)
        fail_msg("%s: %d, not %d", literal, r, error);
    assert_int_equal(integer, error ? 42 : value);
}

static void test_integers_are_exact_or_refused(void **state)
{
    (void)state;
    expect_int("0", 0, 0);
    expect_int("2.0", 0, 2);
    expect_int("1e3", 0, 1000);
    expect_int("1772452800000", 0, INT64_C(1772452800000));
    expect_int("1.7724528e12", 0, INT64_C(1772452800000));
    expect_int("9223372036854775806", 0, INT64_MAX - 1);
    expect_int("-9223372036854775807", 0, -INT64_MAX);
    expect_int("2.5", -EBADMSG, 0);
    expect_int("-0.1", -EBADMSG, 0);
    expect_int("9223372036854775808", -EBADMSG, 0);
    expect_int("18446744073709551615", -EBADMSG, 0);
    expect_int("18446744073709551616", -EBADMSG, 0);
    expect_int("-9223372036854775809", -EBADMSG, 0);
    expect_int("99999999999999999999999999999999999999999", -EBADMSG, 0);
    expect_int("-99999999999999999999999999999999999999999", -EBADMSG, 0);
    expect_int("1e16", -EBADMSG, 0); /* a double above 2^53: perhaps not the number meant */
    expect_int("1e300", -EBADMSG, 0);
    expect_int("1e999", -EBADMSG, 0);
    expect_int("-1e999", -EBADMSG, 0);
}

static void test_doubles_do_not_take_saturated_integers(void **state)
{
    _cleanup_json_ struct json_object *object = parsed("{\"n\": 9223372036854775808}");
    double number = 42;

    (void)state;
    assert_int_equal(json_get_double(object, "n", &number), -EBADMSG);
    assert_true(number == 42);
}

static void test_last_of_two_members_counts(void **state)
{
    _cleanup_json_ struct json_object *object = parsed("{\"n\": 1, \"n\": 2}");
    int64_t integer;

    (void)state;
    assert_int_equal(json_get_int(object, "n", &integer), 0);
    assert_int_equal(integer, 2);
}

static void test_every_prefix_is_refused_or_whole(void **state)
{
    static const char text[] = "{\"events\":[{\"message\":\"GET \\/api\\u00e9 \xf0\x9f\x98\x80\","
                               "\"timestamp\":1772452800000,\"ok\":true}],\"nextToken\":null}";

    (void)state;
    for (size_t size = 0; size < sizeof(text) - 1; size++)
        expect_refused_bytes(text, size);
    expect_accepted(text);
}

static void expect_format(const char *text, enum json_layout layout, const char *expected)
{
    _cleanup_json_ struct json_object *object = parsed(text);
    _cleanup_free_ char *written = NULL;
    size_t size;

    assert_int_equal(json_format(object, layout, &written, &size), 0);
    assert_string_equal(written, expected);
    assert_int_equal(size, strlen(expected));
}

static void test_writes_what_it_reads(void **state)
{
    static const char text[] = "{\"a\":[1,-2,0.5,true,false,null,\"x/"
                               "\\\"\\\\\\b\\f\\n\\r\\t\\u001b\xc3\xa9\"],\"b\":{},\"c\":[]}";

    (void)state;
    expect_format(text, JSON_COMPACT, text);
    expect_format("{\"a\":[1,{\"b\":null}],\"c\":{},\"d\":[]}", JSON_FOR_PEOPLE,
                  "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {},\n"
                  "  \"d\": []\n}");
    expect_format("\"alone\"", JSON_FOR_PEOPLE, "\"alone\"");
    expect_format("[0,-9223372036854775808,9223372036854775807]", JSON_COMPACT,
                  "[0,-9223372036854775808,9223372036854775807]");
}

static void test_writes_a_double_as_its_own_text(void **state)
{
    _cleanup_json_ struct json_object *number = json_object_new_double_s(3, "3.000");
    _cleanup_free_ char *written = NULL;
    size_t size;

    (void)state;
    assert_int_equal(json_format(number, JSON_COMPACT, &written, &size), 0);
    assert_string_equal(written, "3.000");
}

/* Each name waits, decoded, for its value to be read. */
static void test_names_within_names_keep_apart(void **state)
{
    static const char text[] = "{\"\":{\"ab\":{\"\":[{\"c\":12345678,\"d\":\"e\"}]},\"f\":0.25}}";

    (void)state;
    expect_format(text, JSON_COMPACT, text);
}

static void test_writes_no_number_that_is_none(void **state)
{
    _cleanup_json_ struct json_object *number = json_object_new_double(strtod("inf", NULL));
    char *written = NULL;
    size_t size;

    (void)state;
    assert_int_equal(json_format(number, JSON_COMPACT, &written, &size), -EINVAL);
    assert_null(written);
}

static void values_are_taken_in(void **state)
{
    (void)state;
    _cleanup_json_ struct json_object *object = json_object_new_object();
    struct json_object *list = json_object_new_array();

    assert_int_equal(json_append(list, json_object_new_string("api")), 0);
    assert_int_equal(json_add(object, "services", list), 0);
    assert_int_equal(json_add(object, "count", json_object_new_int(2)), 0);
    assert_int_equal(json_add(object, "count", json_object_new_int(3)), 0); /* replaces */
    assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
                        "{\"services\":[\"api\"],\"count\":3}");
}

static void a_value_there_was_no_memory_for_is_an_error(void **state)
{
    (void)state;
    _cleanup_json_ struct json_object *object = json_object_new_object();
    _cleanup_json_ struct json_object *list = json_object_new_array();

    assert_int_equal(json_add(object, "name", NULL), -ENOMEM);
    assert_int_equal(json_append(list, NULL), -ENOMEM);
    assert_int_equal(json_object_object_length(object), 0);
    assert_int_equal(json_object_array_length(list), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_json),
        cmocka_unit_test(test_refuses_what_is_no_json),
        cmocka_unit_test(test_refuses_trailing_bytes),
        cmocka_unit_test(test_refuses_nul_and_controls),
        cmocka_unit_test(test_reads_an_escaped_nul_as_a_replacement_character),
        cmocka_unit_test(test_reads_half_a_surrogate_pair_as_a_replacement_character),
        cmocka_unit_test(test_reads_every_escape_and_length_of_utf8),
        cmocka_unit_test(test_many_members_are_all_found),
        cmocka_unit_test(test_refuses_bytes_that_are_not_utf8),
        cmocka_unit_test(test_limits_the_depth),
        cmocka_unit_test(test_refuses_more_bytes_than_json_c_can_count),
        cmocka_unit_test(test_getters_give_what_is_there),
        cmocka_unit_test(test_getters_tell_absent_from_wrong),
        cmocka_unit_test(test_getters_convert_nothing),
        cmocka_unit_test(test_integers_are_exact_or_refused),
        cmocka_unit_test(test_doubles_do_not_take_saturated_integers),
        cmocka_unit_test(test_last_of_two_members_counts),
        cmocka_unit_test(test_every_prefix_is_refused_or_whole),
        cmocka_unit_test(test_writes_what_it_reads),
        cmocka_unit_test(test_writes_a_double_as_its_own_text),
        cmocka_unit_test(test_names_within_names_keep_apart),
        cmocka_unit_test(test_writes_no_number_that_is_none),
        cmocka_unit_test(values_are_taken_in),
        cmocka_unit_test(a_value_there_was_no_memory_for_is_an_error),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
