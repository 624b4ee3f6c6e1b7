/* SPDX-License-Identifier: MIT */

/* The text of shared credentials and config files: what is read, and what is refused in which words. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/credentials/credentials_profile.h"

static struct profile_file *parse(enum profile_dialect dialect, const char *text)
{
    struct profile_file *file = NULL;
    struct credentials_why why = {""};

    int r = credentials_profile_parse("the-file", dialect, text, strlen(text), &file, &why);
    if (r < 0)
        fail_msg("%s", why.text);
    return file;
}

static void expect_setting(const struct profile_file *file, const char *profile, const char *name,
                           const char *value)
{
    const struct profile_property *found =
        credentials_profile_property(file, PROFILE_SECTION_PROFILE, profile, name);

    if (!value) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found->value, value);
}

static void expect_refused(enum profile_dialect dialect, const char *text, size_t size,
                           const char *message)
{
    struct profile_file *file = NULL;
    struct credentials_why why = {""};

    assert_int_equal(credentials_profile_parse("the-file", dialect, text, size, &file, &why),
                     -EINVAL);
    assert_string_equal(why.text, message);
    assert_null(file);
}

/* --- what is read ------------------------------------------------------------------------------ */

static void a_credentials_file_names_profiles_plainly(void **state)
{
    (void)state;
    struct profile_file *file = parse(PROFILE_CREDENTIALS, "[default]\n"
                                                           "aws_access_key_id = AKIDEFAULT\n"
                                                           "\n"
                                                           "[dev]\n"
                                                           "aws_access_key_id=AKIDEV\n"
                                                           "AWS_Secret_Access_Key = a/b+c=\n");
    expect_setting(file, "default", "aws_access_key_id", "AKIDEFAULT");
    expect_setting(file, "dev", "aws_access_key_id", "AKIDEV");
    expect_setting(file, "dev", "aws_secret_access_key", "a/b+c=");
    expect_setting(file, "prod", "aws_access_key_id", NULL);
    expect_setting(file, "dev", "region", NULL);
    assert_int_equal(credentials_profile_section(file, PROFILE_SECTION_PROFILE, "dev")->line, 4);
    credentials_profile_free(file);
}

static void a_config_file_says_profile_before_the_name(void **state)
{
    (void)state;
    struct profile_file *file = parse(PROFILE_CONFIG, "[default]\nregion = eu-west-1\n"
                                                      "[profile dev]\nregion = eu-west-2\n"
                                                      "[ profile   \"two words\" ]\nregion = a\n"
                                                      "[profile\ttabbed]\nregion = b\n"
                                                      "[prod]\nregion = eu-west-3\n"
                                                      "[sso-session x]\nsso_region = c\n"
                                                      "[profiled]\nregion = d\n");
    expect_setting(file, "default", "region", "eu-west-1");
    expect_setting(file, "dev", "region", "eu-west-2");
    expect_setting(file, "two words", "region", "a");
    expect_setting(file, "tabbed", "region", "b");
    expect_setting(file, "prod", "region", NULL);
    expect_setting(file, "profiled", "region", NULL);
    assert_non_null(credentials_profile_section(file, PROFILE_SECTION_OTHER, "prod"));
    credentials_profile_free(file);
}

static void prefixed_default_outranks_the_bare_one(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[default]\nregion = bare\noutput = json\n[profile default]\nregion = prefixed\n",
        "[profile default]\nregion = prefixed\n[default]\nregion = bare\noutput = json\n",
        "[profile default]\nregion = x\n[default]\n[profile default]\nregion = prefixed\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct profile_file *file = parse(PROFILE_CONFIG, texts[i]);
        expect_setting(file, "default", "region", "prefixed");
        expect_setting(file, "default", "output", NULL);
        credentials_profile_free(file);
    }
}

static void repeated_sections_add_up_and_the_last_setting_counts(void **state)
{
    (void)state;
    struct profile_file *file =
        parse(PROFILE_CREDENTIALS, "[a]\nregion = one\nrole_arn = r\n[b]\nregion = other\n"
                                   "[a]\nregion = two\nregion = three\n");
    expect_setting(file, "a", "region", "three");
    expect_setting(file, "a", "role_arn", "r");
    expect_setting(file, "b", "region", "other");
    credentials_profile_free(file);
}

static void comments_blank_lines_line_ends_and_bom(void **state)
{
    (void)state;
    struct profile_file *file =
        parse(PROFILE_CONFIG, "\xef\xbb\xbf# a comment before everything\r\n"
                              "[default] ; the usual one\r\n"
                              "; another\r\n"
                              "  # an indented one\r\n"
                              "\t\r\n"
                              "region = eu-west-1 # Ireland\r\n"
                              "external_id = a#b;c\r\n"
                              "output =\t; nothing\r\n"
                              "role_arn =   spaced   \r\n"
                              "last = no line end");
    expect_setting(file, "default", "region", "eu-west-1");
    expect_setting(file, "default", "external_id", "a#b;c");
    expect_setting(file, "default", "output", "");
    expect_setting(file, "default", "role_arn", "spaced");
    expect_setting(file, "default", "last", "no line end");
    credentials_profile_free(file);
}

static void nested_settings_belong_to_their_parent(void **state)
{
    (void)state;
    struct profile_file *file = parse(PROFILE_CONFIG, "[profile dev]\n"
                                                      "s3 =\n"
                                                      "  region = of-s3\n"
                                                      "  # a comment\n"
                                                      "  endpoint_url = http://s3\n"
                                                      "services = local\n"
                                                      "[services local]\n"
                                                      "ecs =\n"
                                                      "\tendpoint_url = http://ecs\n"
                                                      "cloudwatch_logs =\n"
                                                      "    endpoint_url = http://logs\n");
    expect_setting(file, "dev", "region", NULL);
    expect_setting(file, "dev", "s3.region", "of-s3");
    expect_setting(file, "dev", "s3.endpoint_url", "http://s3");
    expect_setting(file, "dev", "services", "local");
    assert_string_equal(
        credentials_profile_property(file, PROFILE_SECTION_SERVICES, "local", "ecs.endpoint_url")
            ->value,
        "http://ecs");
    assert_string_equal(credentials_profile_property(file, PROFILE_SECTION_SERVICES, "local",
                                                     "cloudwatch_logs.endpoint_url")
                            ->value,
                        "http://logs");
    credentials_profile_free(file);
}

static void a_section_that_is_indented_throughout_is_fine(void **state)
{
    (void)state;
    struct profile_file *file = parse(PROFILE_CREDENTIALS, "[default]\n"
                                                           "  aws_access_key_id = AKID\n"
                                                           "  aws_secret_access_key = secret\n");
    expect_setting(file, "default", "aws_access_key_id", "AKID");
    expect_setting(file, "default", "aws_secret_access_key", "secret");
    credentials_profile_free(file);
}

static void a_line_indented_by_mistake_is_remembered(void **state)
{
    (void)state;
    struct profile_file *file = parse(PROFILE_CREDENTIALS, "[default]\n"
                                                           "aws_access_key_id = AKID\n"
                                                           " aws_secret_access_key = secret\n"
                                                           " aws_session_token = token\n");
    expect_setting(file, "default", "aws_secret_access_key", NULL);
    assert_int_equal(
        credentials_profile_property(file, PROFILE_SECTION_PROFILE, "default", "aws_access_key_id")
            ->continued_line,
        3);
    credentials_profile_free(file);
}

static void an_empty_file_and_a_large_one(void **state)
{
    (void)state;
    struct profile_file *file = parse(PROFILE_CONFIG, "");
    assert_int_equal(file->n_sections, 0);
    credentials_profile_free(file);

    const size_t n = 3000;
    char *text = calloc(n, 64), *at = text;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "[profile p%zu]\nregion = r%zu\n", i, i);
    file = parse(PROFILE_CONFIG, text);
    assert_int_equal(file->n_sections, n);
    expect_setting(file, "p2999", "region", "r2999");
    credentials_profile_free(file);
    free(text);
}

/* --- what is refused --------------------------------------------------------------------------- */

static void syntax_errors_name_the_line_and_never_quote_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"[default\nx = y\n", "the-file:1: this section header has no ']'"},
        {"\n[]\n", "the-file:2: this section header has no name"},
        {"[  ]\n", "the-file:1: this section header has no name"},
        {"[\"\"]\n", "the-file:1: this section header has no name"},
        {"[a] b\n", "the-file:1: there is text behind the ']' of this section header"},
        {"aws_secret_access_key = geheim\n",
         "the-file:1: there is text before the first [section]"},
        {"[a]\ngeheim\n", "the-file:2: neither a [section] nor name = value"},
        {"[a]\naws_secret_access_key: geheim\n",
         "the-file:2: neither a [section] nor name = value"},
        {"[a]\n = geheim\n", "the-file:2: there is no name before the '='"},
        {"[a]\ns3 =\n  geheim\n", "the-file:3: neither a [section] nor name = value"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        expect_refused(PROFILE_CREDENTIALS, cases[i].text, strlen(cases[i].text), cases[i].message);
        assert_null(strstr(cases[i].message, "geheim"));
    }
}

static void nul_bytes_and_endless_lines_are_refused(void **state)
{
    (void)state;
    static const char nul[] = "[a]\nx = y\0z\n";
    expect_refused(PROFILE_CONFIG, nul, sizeof(nul) - 1,
                   "the-file:2: there is a NUL byte in this line");

    size_t size = PROFILE_LINE_MAX + 64;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "[a]\nk=", 6);
    expect_refused(PROFILE_CONFIG, text, size, "the-file:2: this line is longer than 32 KiB");
    struct profile_file *file = NULL;
    struct credentials_why why;
    assert_int_equal(
        credentials_profile_parse("f", PROFILE_CONFIG, text, PROFILE_LINE_MAX + 4, &file, &why), 0);
    credentials_profile_free(file);
    free(text);
}

/* Any text at all: no crash, no leak, and errors that are ours. */
static void arbitrary_bytes_do_no_harm(void **state)
{
    (void)state;
    static const char alphabet[] = "[]=#; \t\r\n\"ab.\0profile services default";
    uint32_t seed = 12345;

    for (unsigned round = 0; round < 5000; round++) {
        char text[48];
        for (size_t i = 0; i < sizeof(text); i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }
        struct profile_file *file = NULL;
        struct credentials_why why = {""};
        int r = credentials_profile_parse("f", round % 2 ? PROFILE_CONFIG : PROFILE_CREDENTIALS,
                                          text, sizeof(text), &file, &why);
        assert_true(r == 0 ? file != NULL : r == -EINVAL && why.text[0]);
        credentials_profile_free(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_credentials_file_names_profiles_plainly),
        cmocka_unit_test(a_config_file_says_profile_before_the_name),
        cmocka_unit_test(prefixed_default_outranks_the_bare_one),
        cmocka_unit_test(repeated_sections_add_up_and_the_last_setting_counts),
        cmocka_unit_test(comments_blank_lines_line_ends_and_bom),
        cmocka_unit_test(nested_settings_belong_to_their_parent),
        cmocka_unit_test(a_section_that_is_indented_throughout_is_fine),
        cmocka_unit_test(a_line_indented_by_mistake_is_remembered),
        cmocka_unit_test(an_empty_file_and_a_large_one),
        cmocka_unit_test(syntax_errors_name_the_line_and_never_quote_it),
        cmocka_unit_test(nul_bytes_and_endless_lines_are_refused),
        cmocka_unit_test(arbitrary_bytes_do_no_harm),
    };
    return cmocka_run_group_tests_name("credentials: shared files", tests, NULL, NULL);
}
