/* SPDX-License-Identifier: MIT */
/* What a reload tells of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/config.h"

#define STAGING "[environment staging]\ncluster = s\nlog_group = /s\n"

static struct config *given(const char *text)
{
    char path[] = "/tmp/provisionerd-difference-XXXXXX";
    struct config *config = NULL;
    char *errors = NULL;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    if (config_load(path, &config, &errors) < 0)
        fail_msg("%s", errors);
    unlink(path);
    return config;
}

static void expect_difference(const char *before, const char *after, const char *expected)
{
    struct config *from = given(before), *to = given(after);
    char *difference = NULL;

    assert_int_equal(config_difference(from, to, &difference), 0);
    assert_string_equal(difference, expected);
    free(difference);
    config_free(from);
    config_free(to);
}

static void test_nothing(void **state)
{
    (void)state;
    expect_difference(STAGING "services = api\n", "; moved\n" STAGING "services =   api ; same\n",
                      "nothing changed");
}

static void test_values(void **state)
{
    (void)state;
    expect_difference(STAGING "services = api\n",
                      "[provisionerd]\nregion = eu-west-1\n" STAGING
                      "services = api = 2, web\nwindow = 30min\npattern = \"x;y\"\nadopt = no\n",
                      "[provisionerd] region: unset -> eu-west-1; "
                      "[environment staging] services: api -> api = 2, web; "
                      "[environment staging] pattern: unset -> \"x;y\"; "
                      "[environment staging] window: 1h -> 30min; "
                      "[environment staging] adopt: yes -> no");
}

static void test_long_lists_stay_on_one_line(void **state)
{
    (void)state;
    char many[4096] = STAGING "services = first";

    for (int i = 0; i < 40; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), ", service-%d", i);
    strcat(many, "\n");
    struct config *from = given(STAGING "services = first\n"), *to = given(many);
    char *difference = NULL;

    assert_int_equal(config_difference(from, to, &difference), 0);
    assert_null(strchr(difference, '\n'));
    assert_non_null(strstr(difference, "first -> first, service-0, service-1,"));
    free(difference);
    config_free(from);
    config_free(to);
}

static void test_environments_come_and_go(void **state)
{
    (void)state;
    expect_difference(STAGING "services = api\n",
                      "[environment dev]\ncluster = d\nlog_group = /d\nservices = all\n",
                      "[environment staging] removed; [environment dev] added");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_long_lists_stay_on_one_line),
        cmocka_unit_test(test_environments_come_and_go),
    };
    return cmocka_run_group_tests_name("config_difference", tests, NULL, NULL);
}
