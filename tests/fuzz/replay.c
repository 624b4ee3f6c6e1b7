/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target's main without a fuzzer: runs the inputs in the files and folders named, once each.
 * So every compiler replays the corpora, and valgrind or a debugger a single finding.
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1 << 20)

static size_t n_inputs;

static bool run_file(const char *path)
{
    static uint8_t buffer[INPUT_MAX];
    FILE *file = fopen(path, "r");

    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    size_t size = fread(buffer, 1, sizeof(buffer), file);
    bool is_read = !ferror(file);
    fclose(file);
    if (!is_read)
        return false;

    uint8_t *data = malloc(size ? size : 1);
    MUST(data);
    memcpy(data, buffer, size);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    n_inputs++;
    return true;
}

static bool run_folder(const char *path)
{
    struct dirent **entries;
    bool is_well = true;
    int n = scandir(path, &entries, NULL, alphasort);

    if (n < 0)
        return false;
    for (int i = 0; i < n; i++) {
        char name[PATH_MAX];
        if (entries[i]->d_name[0] != '.' &&
            snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name) < (int)sizeof(name))
            is_well = run_file(name) && is_well;
        free(entries[i]);
    }
    free(entries);
    return is_well;
}

int main(int argc, char **argv)
{
    bool is_well = true;

    for (int i = 1; i < argc; i++) {
        struct stat status;
        bool is_folder = stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode);
        is_well = (is_folder ? run_folder(argv[i]) : run_file(argv[i])) && is_well;
    }
    printf("%zu inputs\n", n_inputs);
    return is_well && n_inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
