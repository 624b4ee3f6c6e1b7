/* SPDX-License-Identifier: MIT */
#include "config/config_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

#define READ_CHUNK 65536U

int config_bytes_read(const char *path, char **ret, size_t *ret_length)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    _cleanup_free_ char *bytes = NULL;
    size_t length = 0;

    if (fd < 0)
        return -errno;
    for (;;) {
        char *larger = realloc(bytes, length + READ_CHUNK);
        if (!larger)
            return -ENOMEM;
        bytes = larger;
        ssize_t n = read(fd, bytes + length, READ_CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        length += (size_t)n;
        if (length > CONFIG_FILE_MAX)
            return -EFBIG;
    }
    *ret = TAKE(bytes);
    *ret_length = length;
    return 0;
}

/* The length of the UTF-8 sequence at text (RFC 3629: no overlong forms, surrogates, or more than
 * U+10FFFF); 0 if there is none. */
static size_t utf8_sequence(const unsigned char *text, size_t length)
{
    static const struct {
        unsigned char first_from, first_to, second_from, second_to;
        unsigned char length;
    } forms[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        if (text[0] < forms[i].first_from || text[0] > forms[i].first_to)
            continue;
        if (length < forms[i].length)
            return 0;
        if (forms[i].length > 1 && (text[1] < forms[i].second_from || text[1] > forms[i].second_to))
            return 0;
        for (size_t j = 2; j < forms[i].length; j++) {
            if ((text[j] & 0xc0) != 0x80)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

size_t config_bytes_find_unfit(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t i = 0;

    while (i < length) {
        size_t sequence = utf8_sequence(bytes + i, length - i);
        bool is_control = (bytes[i] < 0x20 && bytes[i] != '\t') || bytes[i] == 0x7f;
        if (sequence == 0 || is_control)
            break;
        i += sequence;
    }
    return i;
}
