/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_CONFIG_FILES_H
#define PROVISIONERD_TESTS_CONFIG_FILES_H

/*
 * Configuration files of a test, in a directory of its own:
 *
 *     given_file("provisionerd.ini", "[environment a]\n...");
 *     given_file("provisionerd.ini.d/10-more.ini", "...");
 *     struct config *config = expect_config();
 *     ...
 *     expect_errors("provisionerd.ini:2: [environment a] ...\n");
 *
 * The directory is left out of the errors.
 */

#include <stddef.h>

#include "src/config.h"

/* What an environment must have, in lines 1 to 4. */
#define STAGING                         \
    "[environment staging]\n"           \
    "cluster = staging\n"               \
    "services = api, worker, web = 2\n" \
    "log_group = /ecs/staging/gateway\n"

/* cmocka's set-up and tear-down of a test. */
int config_files_set_up(void **state);
int config_files_tear_down(void **state);

void given_file(const char *name, const char *text);
void given_bytes(const char *name, const void *bytes, size_t length);
const char *config_files_path(void); /* of provisionerd.ini */

/* Loads, which must succeed. */
struct config *expect_config(void);

/* Loads, which must fail with just these errors. */
void expect_errors(const char *expected);

/* STAGING and one line more, the fifth. It must be refused with this error, which begins behind
 * "provisionerd.ini:5: [environment staging] ". */
void expect_line_error(const char *line, const char *expected);

/* STAGING and this line load. The caller frees the configuration. */
struct config *expect_line(const char *line);

#endif
