/* SPDX-License-Identifier: MIT */

/* FilterLogEvents' filter patterns. Most cases are the examples of the CloudWatch Logs User Guide,
 * "Filter pattern syntax" and "Supported regular expressions syntax". */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/filter_pattern.h"
#include "src/cleanup.h"

static bool matches(const char *text, const char *message)
{
    struct filter_pattern *pattern = NULL;
    int r = filter_pattern_new(text, &pattern);
    if (r < 0)
        print_error("pattern refused: %s\n", text);
    assert_int_equal(r, 0);
    bool ret = filter_pattern_matches(pattern, message);
    filter_pattern_free(pattern);
    return ret;
}

struct example {
    const char *pattern, *message;
    bool matches;
};

static void check(const struct example *examples, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (matches(examples[i].pattern, examples[i].message) != examples[i].matches)
            fail_msg("%s %s: %s", examples[i].pattern,
                     examples[i].matches ? "misses" : "matches wrongly", examples[i].message);
}

static void terms(void **state)
{
    static const struct example examples[] = {
        {"", "anything", true},
        {"   ", "anything", true},
        {"\" \"", "two words", true},
        {"\" \"", "word", false},
        {"ERROR", "[ERROR 400] BAD REQUEST", true},
        {"ERROR", "[error 400] bad request", false},
        {"ERROR ARGUMENTS", "[ERROR 400] INVALID ARGUMENTS", true},
        {"ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", false},
        {"?ERROR ?ARGUMENTS", "[ERROR 400] BAD REQUEST", true},
        {"?ERROR ?ARGUMENTS", "[INFO] MISSING ARGUMENTS", true},
        {"?ERROR ?ARGUMENTS", "[INFO] fine", false},
        {"\"INTERNAL SERVER ERROR\"", "[ERROR 500] INTERNAL SERVER ERROR", true},
        {"\"INTERNAL SERVER ERROR\"", "[ERROR 500] SERVER INTERNAL ERROR", false},
        {"ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", true},
        {"ERROR -ARGUMENTS", "[ERROR 400] INVALID ARGUMENTS", false},
        {"-\"ELB-HealthChecker\"", "GET / ELB-HealthChecker/2.0", false},
        {"-\"ELB-HealthChecker\"", "GET / Mozilla", true},
        {"\"/api/v1/\"", "GET /api/v1/users", true},
        {"\"a \\\"b\\\" \\\\ c\"", "a \"b\" \\ c", true},
        {"\"a\\d\"", "a\\d", true},
        /* `?` terms beside others have no meaning. */
        {"?ERROR INFO", "INFO", true},
        {"?ERROR INFO", "ERROR", false},
        {"?ERROR -INFO", "nothing", true},
    };
    (void)state;
    check(examples, ARRAY_LENGTH(examples));
}

static void regular_expressions(void **state)
{
    static const struct example examples[] = {
        {"%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", true},
        {"%AUTHORIZED%", "[ERROR 401] authorized", false},
        {"%^[hc]at%", "hat on", true},
        {"%^[hc]at%", "a hat", false},
        {"%[hc]at$%", "my cat", true},
        {"%colou?r%", "color", true},
        {"%colou?r%", "colour", true},
        {"%a{3,5}%", "xaaax", true},
        {"%a{3,5}%", "xaax", false},
        {"%gra|ey%", "grey", true},
        {"%10\\.10\\.0\\.1%", "from 10.10.0.1", true},
        {"%10\\.10\\.0\\.1%", "from 10x10.0.1", false},
        {"%\\[INTERNAL\\]%", "an [INTERNAL] one", true},
        {"%\\d{2}%", "a7 b42", true},
        {"%\\D\\d\\D%", "x1y", true},
        {"%\\s\\w+\\s%", "a word here", true},
        {"%\\x41B%", "xABx", true},
        {"%[^a-y]%", "aby", false},
        {"%[^a-y]%", "abz", true},
        {"%[\\]x]%", "]", true},
        {"%[\\w-]+/%", "a-b/", true},
        {"%4[0-9]{2}% -%404%", "status 403", true},
        {"%4[0-9]{2}% -%404%", "status 404", false},
    };
    (void)state;
    check(examples, ARRAY_LENGTH(examples));
}

static void json_patterns(void **state)
{
    static const char event[] =
        "{\"eventType\":\"UpdateTrail\",\"sourceIPAddress\":\"111.111.111.111\","
        "\"arrayKey\":[\"value\",\"another\"],\"objectList\":[{\"name\":\"a\",\"id\":1},"
        "{\"name\":\"b\",\"id\":2}],\"SomeObject\":null,\"ThisFlag\":true,\"n\":42.5}";
    const struct example examples[] = {
        {"{ $.eventType = \"UpdateTrail\" }", event, true},
        {"{ $.eventType = UpdateTrail }", event, true},
        {"{ $.eventType = \"Update*\" }", event, true},
        {"{ $.eventType != \"UpdateTrail\" }", event, false},
        {"{ $.sourceIPAddress != 123.123.* }", event, true},
        {"{ $.arrayKey[0] = \"value\" }", event, true},
        {"{ $.arrayKey[2] = \"value\" }", event, false},
        {"{ $.objectList[1].id = 2 }", event, true},
        {"{ $.SomeObject IS NULL }", event, true},
        {"{ $.SomeOtherObject NOT EXISTS }", event, true},
        {"{ $.eventType NOT EXISTS }", event, false},
        {"{ $.ThisFlag IS TRUE }", event, true},
        {"{ $.ThisFlag IS FALSE }", event, false},
        {"{ $.n >= 42.5 && $.n < 43 }", event, true},
        {"{ $.n > 42.5 || $.eventType = x }", event, false},
        {"{ ($.n = 1 || $.n = 42.5) && $.objectList[0].name = %^a$% }", event, true},
        {"{ $.n = 1 && ($.n = 42.5 || $.ThisFlag IS TRUE) }", event, false},
        {"{ $.n = 42.5 }", "no JSON", false},
    };
    (void)state;
    check(examples, ARRAY_LENGTH(examples));
}

static void space_delimited_patterns(void **state)
{
    static const char line[] = "127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "
                               "\"GET /index.html HTTP/1.0\" 404 1534";
    const struct example examples[] = {
        {"[ip, server, username, timestamp, request, status_code, bytes]", line, true},
        {"[ip, server, username, timestamp, request, status_code]", line, false},
        {"[ip, server, username, timestamp, request, status_code = 4*, bytes > 1000]", line, true},
        {"[ip, server, username, timestamp, request, status_code = 5*, bytes > 1000]", line, false},
        {"[..., status_code = 4*, bytes]", line, true},
        {"[ip != 10.*, ..., request = \"*/index.html*\", status_code, bytes]", line, true},
        {"[ip, ..., status_code = 200 || status_code = 404, bytes]", line, true},
        {"[ip, ..., status_code = 404 && status_code = 200, bytes]", line, false},
        {"[ip=%127\\.0\\.0\\.[1-9]%, ...]", line, true},
        {"[a, b]", "one two", true},
    };
    (void)state;
    check(examples, ARRAY_LENGTH(examples));
}

static void malformed_patterns(void **state)
{
    static const char *const patterns[] = {"\"no end",
                                           "ELB-HealthChecker",
                                           "/api/",
                                           "a:b",
                                           "%something!%",
                                           "%a(b)%",
                                           "%no end",
                                           "%%",
                                           "%caf\xc3\xa9%",
                                           "%a% %b% %c%",
                                           "\"a\"b",
                                           "?",
                                           "-",
                                           "%*a%",
                                           "%a{2%",
                                           "%[a%",
                                           "%\\q%",
                                           "{ $.a }",
                                           "{ $.a = }",
                                           "{ a = 1 }",
                                           "{ $.a = 1",
                                           "{ $.a = 1 } x",
                                           "{ ($.a = 1 }",
                                           "{ $.a > x }",
                                           "[",
                                           "[a, b",
                                           "[a] x",
                                           "[..., a, ...]",
                                           "[a = ]",
                                           "[a, , b]",
                                           "[a = 1 && b = 2]"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(patterns); i++) {
        struct filter_pattern *pattern = NULL;
        if (filter_pattern_new(patterns[i], &pattern) != -EINVAL)
            fail_msg("accepted: %s", patterns[i]);
    }
}

static void nests_only_so_deep(void **state)
{
    char text[1024] = "{ ";
    (void)state;
    for (int i = 0; i < 200; i++)
        strcat(text, "(");
    strcat(text, "$.a = 1");
    for (int i = 0; i < 200; i++)
        strcat(text, ")");
    strcat(text, " }");
    struct filter_pattern *pattern = NULL;
    assert_int_equal(filter_pattern_new(text, &pattern), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms),
        cmocka_unit_test(regular_expressions),
        cmocka_unit_test(json_patterns),
        cmocka_unit_test(space_delimited_patterns),
        cmocka_unit_test(malformed_patterns),
        cmocka_unit_test(nests_only_so_deep),
    };
    return cmocka_run_group_tests_name("sim: filter patterns", tests, NULL, NULL);
}
