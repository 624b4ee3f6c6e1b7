/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CONFIG_BYTES_H
#define PROVISIONERD_CONFIG_BYTES_H

/* A configuration file before anybody has looked at it. */

#include <stddef.h>

#define CONFIG_FILE_MAX (16U << 20U) /* bytes: CONFIG_ENVIRONMENTS_MAX of them, richly commented */

/* Returns 0 with the file's content (allocated, not terminated), or a negative errno; -EFBIG when there
 * is more than CONFIG_FILE_MAX. */
int config_bytes_read(const char *path, char **ret, size_t *ret_length);

/* Where in a line the first byte is that no line may have: not UTF-8, or a control character other than
 * a tab. length: nowhere. */
size_t config_bytes_find_unfit(const char *text, size_t length);

#endif
