/* SPDX-License-Identifier: MIT */
#include "tests/support/config_files.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[PATH_MAX / 4];
static char main_path[PATH_MAX / 2];

int config_files_set_up(void **state)
{
    const char *temporary = getenv("TMPDIR");

    (void)state;
    snprintf(directory, sizeof(directory), "%s/provisionerd-config-XXXXXX",
             temporary ? temporary : "/tmp");
    if (!mkdtemp(directory))
        return -1;
    snprintf(main_path, sizeof(main_path), "%s/provisionerd.ini", directory);
    return unsetenv("STATE_DIRECTORY");
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

int config_files_tear_down(void **state)
{
    (void)state;
    return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *config_files_path(void)
{
    return main_path;
}

void given_bytes(const char *name, const void *bytes, size_t length)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    for (char *slash = path + strlen(directory); (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

void given_file(const char *name, const char *text)
{
    given_bytes(name, text, strlen(text));
}

/* Takes "/tmp/provisionerd-config-123456/" out of the text. */
static void forget_directory(char *text)
{
    char prefix[PATH_MAX];

    snprintf(prefix, sizeof(prefix), "%s/", directory);
    for (char *found = text; (found = strstr(found, prefix));)
        memmove(found, found + strlen(prefix), strlen(found + strlen(prefix)) + 1);
}

struct config *expect_config(void)
{
    struct config *config = NULL;
    char *errors = NULL;
    int r = config_load(config_files_path(), &config, &errors);

    if (errors)
        print_error("%s", errors);
    assert_int_equal(r, 0);
    assert_non_null(config);
    assert_null(errors);
    return config;
}

void expect_errors(const char *expected)
{
    struct config *config = NULL;
    char *errors = NULL;

    assert_int_equal(config_load(config_files_path(), &config, &errors), -EINVAL);
    assert_null(config);
    assert_non_null(errors);
    forget_directory(errors);
    assert_string_equal(errors, expected);
    free(errors);
}

static void given_line(const char *line)
{
    char *text = NULL;

    assert_true(asprintf(&text, "%s%s\n", STAGING, line) > 0);
    given_file("provisionerd.ini", text);
    free(text);
}

void expect_line_error(const char *line, const char *expected)
{
    char *error = NULL;

    given_line(line);
    assert_true(asprintf(&error, "provisionerd.ini:5: [environment staging] %s\n", expected) > 0);
    expect_errors(error);
    free(error);
}

struct config *expect_line(const char *line)
{
    given_line(line);
    return expect_config();
}
