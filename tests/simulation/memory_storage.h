/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_SIMULATION_MEMORY_STORAGE_H
#define PROVISIONERD_TESTS_SIMULATION_MEMORY_STORAGE_H

/*
 * src/storage.h in memory: a disk and the page cache above it, with the tricks of both.
 *
 * What is written is in the cache; storage_sync() brings a file's bytes to the disk, and
 * storage_sync_directory() its names. A crash of the process alone loses nothing; when the machine
 * goes down (memory_storage_lose_power()), each file that was not synced has the old bytes, the new
 * ones or a part of them, and of the names' changes since the last sync the first few have happened.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_storage;

enum disk_trouble {
    DISK_IS_WELL,
    DISK_IS_FULL,      /* -ENOSPC, after a part has been written */
    DISK_IS_READ_ONLY, /* -EROFS */
    DISK_FAILS,        /* -EIO, now and then, at any step */
};

enum disk_damage {
    DISK_DAMAGE_GARBAGE,     /* bytes that are no JSON */
    DISK_DAMAGE_TRUNCATED,   /* half of it */
    DISK_DAMAGE_EMPTY,       /* nothing of it, as ext4 could leave it of old */
    DISK_DAMAGE_OLD_VERSION, /* of a format that is no longer read */
    DISK_DAMAGE_N,
};

struct memory_storage_hooks {
    /* Before each step: false, and it is not done, as if the process had ended before it. */
    bool (*may_go_on)(void *userdata, const char *step);
    void (*stored)(void *userdata, const char *file, const void *bytes, size_t size);
    uint64_t (*random)(void *userdata, uint64_t bound);
    void (*fired)(void *userdata, enum disk_trouble trouble);
    void *userdata;
};

int memory_storage_new(const struct memory_storage_hooks *hooks, struct memory_storage **ret);
struct memory_storage *memory_storage_free(struct memory_storage *disk);

/* storage_open() opens this one; NULL: none, -ENOENT. */
void memory_storage_attach(struct memory_storage *disk);

void memory_storage_set_trouble(struct memory_storage *disk, enum disk_trouble trouble);
void memory_storage_lose_power(struct memory_storage *disk);

/* Damages the file; false if there is none of that name. */
bool memory_storage_damage(struct memory_storage *disk, const char *name, enum disk_damage damage);

/* The bytes of a file as a reader sees them now; NULL if there is none. Borrowed. */
const char *memory_storage_peek(const struct memory_storage *disk, const char *name,
                                size_t *ret_size);

#endif
