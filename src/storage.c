/* SPDX-License-Identifier: MIT */
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

DEFINE_CLEANUP(struct storage *, storage_free)

struct storage {
    int directory_fd;
};

int storage_open(const char *directory, enum storage_access access, struct storage **ret)
{
    _cleanup_(storage_free) struct storage *storage = calloc(1, sizeof(*storage));

    if (!storage)
        return -ENOMEM;
    storage->directory_fd = -1;
    if (access == STORAGE_READ_WRITE && mkdir(directory, 0700) < 0 && errno != EEXIST)
        return -errno;
    storage->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (storage->directory_fd < 0)
        return -errno;
    if (access == STORAGE_READ_WRITE && flock(storage->directory_fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    *ret = TAKE(storage);
    return 0;
}

struct storage *storage_free(struct storage *storage)
{
    if (!storage)
        return NULL;
    if (storage->directory_fd >= 0)
        close(storage->directory_fd); /* releases the lock */
    free(storage);
    return NULL;
}

int storage_check_writable(struct storage *storage)
{
    return faccessat(storage->directory_fd, ".", W_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int storage_read(struct storage *storage, const char *name, size_t size_max, char **ret,
                 size_t *ret_size)
{
    _cleanup_close_ int fd = openat(storage->directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    size_t size = 0;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || (size_t)status.st_size > size_max)
        return -EFBIG;

    _cleanup_free_ char *text = malloc((size_t)status.st_size + 1);
    if (!text)
        return -ENOMEM;
    while (size < (size_t)status.st_size) {
        ssize_t n = read(fd, text + size, (size_t)status.st_size - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        size += (size_t)n;
    }
    *ret = TAKE(text);
    *ret_size = size;
    return 0;
}

int storage_create(struct storage *storage, const char *name, int *ret_file)
{
    int fd = openat(storage->directory_fd, name,
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    *ret_file = fd;
    return 0;
}

int storage_write(struct storage *storage, int file, const void *bytes, size_t size)
{
    const char *at = bytes;
    (void)storage;

    while (size > 0) {
        ssize_t n = write(file, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

int storage_sync(struct storage *storage, int file)
{
    (void)storage;
    return fsync(file) < 0 ? -errno : 0;
}

int storage_close(struct storage *storage, int file)
{
    (void)storage;
    return close(file) < 0 ? -errno : 0;
}

int storage_rename(struct storage *storage, const char *from, const char *to)
{
    return renameat(storage->directory_fd, from, storage->directory_fd, to) < 0 ? -errno : 0;
}

int storage_remove(struct storage *storage, const char *name)
{
    return unlinkat(storage->directory_fd, name, 0) < 0 ? -errno : 0;
}

int storage_sync_directory(struct storage *storage)
{
    return fsync(storage->directory_fd) < 0 ? -errno : 0;
}
