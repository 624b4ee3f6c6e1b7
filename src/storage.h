/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_STORAGE_H
#define PROVISIONERD_STORAGE_H

/*
 * One directory and the few things state does there: a thin seam over the file system.
 *
 * The one reason for its being: tests link another implementation of this header
 * (tests/simulation/memory_storage.c), a disk that loses what was not synced, tears what was half
 * written, is full, or dies between any two of these calls. So each is one step, with no other step
 * hidden in it.
 *
 * Names are of files in the directory. Everything returns 0 or a negative errno.
 */

#include <stdbool.h>
#include <stddef.h>

struct storage;

enum storage_access {
    STORAGE_READ_WRITE, /* made if it is missing, and locked: -EWOULDBLOCK if another has it */
    STORAGE_READ_ONLY,  /* neither */
};

int storage_open(const char *directory, enum storage_access access, struct storage **ret);
struct storage *storage_free(struct storage *storage); /* releases the lock */

/* Whether files can be made there: 0, or -EACCES, -EROFS. */
int storage_check_writable(struct storage *storage);

/* The whole file, allocated. -ENOENT; -EFBIG: not a regular file, or larger than size_max. */
int storage_read(struct storage *storage, const char *name, size_t size_max, char **ret,
                 size_t *ret_size);

/* A new file, or an old one emptied. The handle is closed by storage_close() alone, which may fail
 * and closes nonetheless. */
int storage_create(struct storage *storage, const char *name, int *ret_file);
int storage_write(struct storage *storage, int file, const void *bytes, size_t size);
int storage_sync(struct storage *storage, int file);
int storage_close(struct storage *storage, int file);

/* Takes the place of `to`, at once. */
int storage_rename(struct storage *storage, const char *from, const char *to);
int storage_remove(struct storage *storage, const char *name);

/* Makes the names durable, where storage_sync() made the bytes so. */
int storage_sync_directory(struct storage *storage);

#endif
