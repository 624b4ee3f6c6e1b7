/* SPDX-License-Identifier: MIT */
/* The configuration: the main file, then drop-ins. */

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/config.h"
#include "tests/fuzz/fuzz.h"

#define DROP_INS_MAX 2

static char main_path[PATH_MAX / 2];
static char drop_in_paths[DROP_INS_MAX][PATH_MAX / 2 + 16];

static void set_up(void)
{
    char folder[PATH_MAX / 2 + 8];

    if (*main_path)
        return;
    snprintf(main_path, sizeof(main_path), "%s/p.ini", fuzz_directory());
    snprintf(folder, sizeof(folder), "%s.d", main_path);
    MUST(mkdir(folder, 0700) == 0);
    for (int i = 0; i < DROP_INS_MAX; i++)
        snprintf(drop_in_paths[i], sizeof(drop_in_paths[i]), "%s/%d.ini", folder, i);
}

static void write_files(struct fuzz_input *input)
{
    size_t size = 0;
    char *text = fuzz_take_bytes(input, &size);

    fuzz_write_file(main_path, text ? text : "", size);
    free(text);
    for (int i = 0; i < DROP_INS_MAX; i++) {
        text = fuzz_take_bytes(input, &size);
        if (text)
            fuzz_write_file(drop_in_paths[i], text, size);
        else
            MUST(unlink(drop_in_paths[i]) == 0 || errno == ENOENT);
        free(text);
    }
}

/* One error a line, each behind its place, fit for a terminal. */
static void check_errors(const char *errors)
{
    size_t length = strlen(errors);

    MUST(length > 0 && errors[length - 1] == '\n');
    MUST(fuzz_is_utf8(errors, length));
    for (const char *line = errors; *line; line = strchr(line, '\n') + 1)
        MUST(strncmp(line, main_path, strlen(main_path)) == 0 ||
             strncmp(line, "... and ", strlen("... and ")) == 0);
    for (const unsigned char *at = (const unsigned char *)errors; *at; at++)
        MUST(*at == '\n' || (*at >= 0x20 && *at != 0x7f));
}

static void check_environment(const struct config_environment *environment)
{
    MUST(environment->name && *environment->name && environment->cluster && *environment->cluster);
    MUST(environment->n_services > 0 && environment->n_services <= CONFIG_SERVICES_MAX);
    MUST(environment->n_log_groups > 0 && environment->n_log_groups <= CONFIG_LOG_GROUPS_MAX);
    MUST(environment->pattern && pattern_query(environment->pattern));
    MUST(environment->window_ms > 0 && environment->check_interval_ms > 0);
    MUST(environment->poll_interval_ms > 0 && environment->poll_interval_awake_ms > 0);
    MUST(environment->lateness_ms >= 0);
    for (size_t i = 0; i < environment->n_services; i++)
        MUST(*environment->services[i].name && environment->services[i].count >= CONFIG_RECORDED);
}

/* --print-config gives an INI that loads to the same. */
static void check_print(const struct config *config)
{
    char *text = NULL, *errors = NULL, *difference = NULL;
    size_t size = 0;
    struct config *again = NULL;
    FILE *file = open_memstream(&text, &size);

    MUST(file);
    config_print(config, file);
    MUST(fclose(file) == 0);
    fuzz_write_file(main_path, text, size);
    for (int i = 0; i < DROP_INS_MAX; i++)
        MUST(unlink(drop_in_paths[i]) == 0 || errno == ENOENT);
    int r = config_load(main_path, &again, &errors);
    if (r != 0)
        fprintf(stderr, "%s\n%s\n", text, errors);
    MUST(r == 0);
    MUST(config_difference(config, again, &difference) == 0);
    if (strcmp(difference, "nothing changed") != 0)
        fprintf(stderr, "%s\n%s\n", text, difference);
    MUST(strcmp(difference, "nothing changed") == 0);
    free(difference);
    free(text);
    config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct config *config = NULL;
    char *errors = NULL;

    unsetenv("STATE_DIRECTORY");
    set_up();
    write_files(&input);
    int r = config_load(main_path, &config, &errors);
    MUST(r == 0 || r == -EINVAL);
    if (r == 0) {
        MUST(config && !errors);
        for (size_t i = 0; i < config->n_environments; i++)
            check_environment(&config->environments[i]);
        check_print(config);
    } else {
        MUST(!config && errors);
        check_errors(errors);
    }
    config_free(config);
    free(errors);
    return 0;
}
