/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static void *must(void *allocated)
{
    MUST(allocated); /* fuzzing without memory tells nothing */
    return allocated;
}

/* The length of the next part. SIZE_MAX: there is none. */
static size_t take(struct fuzz_input *input, const uint8_t **ret)
{
    const size_t between = strlen(FUZZ_SEPARATOR);

    if (!input->at)
        return SIZE_MAX;
    *ret = input->at;
    const uint8_t *end =
        input->size ? memmem(input->at, input->size, FUZZ_SEPARATOR, between) : NULL;
    if (!end) {
        size_t size = input->size;
        *input = (struct fuzz_input){0};
        return size;
    }
    size_t size = (size_t)(end - input->at);
    input->at = end + between;
    input->size -= size + between;
    return size;
}

char *fuzz_take_bytes(struct fuzz_input *input, size_t *ret_size)
{
    const uint8_t *part = NULL;
    size_t size = take(input, &part);

    if (size == SIZE_MAX)
        return NULL;
    char *copy = must(malloc(size ? size : 1));
    if (size > 0)
        memcpy(copy, part, size);
    *ret_size = size;
    return copy;
}

char *fuzz_take_text(struct fuzz_input *input)
{
    const uint8_t *part = NULL;
    size_t size = take(input, &part);

    if (size == SIZE_MAX || size == 0)
        return must(strdup(""));
    return must(strndup((const char *)part, size));
}

/* ---- files ---- */

static char directory[PATH_MAX / 4];
static pid_t owner;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_directory(void)
{
    if (getpid() == owner)
        nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_directory(void)
{
    const char *temporary = getenv("TMPDIR");

    if (*directory && getpid() == owner)
        return directory;
    snprintf(directory, sizeof(directory), "%s/provisionerd-fuzz-XXXXXX",
             temporary ? temporary : "/tmp");
    must(mkdtemp(directory));
    owner = getpid();
    MUST(atexit(remove_directory) == 0);
    return directory;
}

void fuzz_write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    MUST(fd >= 0);
    MUST(write(fd, bytes, size) == (ssize_t)size);
    MUST(close(fd) == 0);
}

/* ---- UTF-8 ---- */

/* Table 3-7 of the Unicode Standard, row by row. */
bool fuzz_is_utf8(const char *text, size_t size)
{
    static const struct {
        uint8_t from[4], to[4];
        size_t length;
    } ROWS[] = {
        {{0x00}, {0x7F}, 1},
        {{0xC2, 0x80}, {0xDF, 0xBF}, 2},
        {{0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}, 3},
        {{0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}, 3},
        {{0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}, 3},
        {{0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}, 3},
        {{0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}, 4},
        {{0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}, 4},
        {{0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}, 4},
    };

    for (size_t i = 0; i < size;) {
        size_t taken = 0;
        for (size_t row = 0; row < sizeof(ROWS) / sizeof(ROWS[0]) && taken == 0; row++) {
            size_t n = 0;
            while (n < ROWS[row].length && i + n < size &&
                   (uint8_t)text[i + n] >= ROWS[row].from[n] &&
                   (uint8_t)text[i + n] <= ROWS[row].to[n])
                n++;
            if (n == ROWS[row].length)
                taken = n;
        }
        if (taken == 0)
            return false;
        i += taken;
    }
    return true;
}
