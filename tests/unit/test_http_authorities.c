/* SPDX-License-Identifier: MIT */
/* The system's CAs are found where libcurl was not told of them, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/http_authorities.h"

static char folder[64];
static char one[96];
static char another[96];

static int make_files(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_http_authorities.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(one, sizeof(one), "%s/one.pem", folder);
    snprintf(another, sizeof(another), "%s/another.pem", folder);
    int first = open(one, O_CREAT | O_WRONLY, 0644);
    int second = open(another, O_CREAT | O_WRONLY, 0644);
    return first < 0 || second < 0 || close(first) < 0 || close(second) < 0 ? -1 : 0;
}

static int remove_files(void **state)
{
    (void)state;
    return unlink(one) < 0 || unlink(another) < 0 || rmdir(folder) < 0 ? -1 : 0;
}

static void test_a_libcurl_for_every_distribution_is_given_the_first_that_is_there(void **state)
{
    (void)state;
    const curl_version_info_data libcurl = {.age = CURLVERSION_NOW};
    const char *const files[] = {"/nonexistent/ca.pem", another, one, NULL};

    assert_string_equal(http_authorities_find(&libcurl, files), another);
}

static void test_a_libcurl_of_a_distribution_knows_better(void **state)
{
    (void)state;
    const curl_version_info_data by_file = {.age = CURLVERSION_NOW, .cainfo = "/its/own.pem"};
    const curl_version_info_data by_folder = {.age = CURLVERSION_NOW, .capath = "/its/own"};
    const char *const files[] = {one, NULL};

    assert_null(http_authorities_find(&by_file, files));
    assert_null(http_authorities_find(&by_folder, files));
}

static void test_a_system_without_any(void **state)
{
    (void)state;
    const curl_version_info_data libcurl = {.age = CURLVERSION_NOW};
    const char *const files[] = {"/nonexistent/ca.pem", NULL};

    assert_null(http_authorities_find(&libcurl, files));
}

static void test_the_places_are_of_files(void **state)
{
    (void)state;
    assert_non_null(http_authorities_files[0]);
    for (const char *const *file = http_authorities_files; *file; file++)
        assert_int_equal((*file)[0], '/');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_libcurl_for_every_distribution_is_given_the_first_that_is_there),
        cmocka_unit_test(test_a_libcurl_of_a_distribution_knows_better),
        cmocka_unit_test(test_a_system_without_any),
        cmocka_unit_test(test_the_places_are_of_files),
    };
    return cmocka_run_group_tests_name("http authorities", tests, make_files, remove_files);
}
