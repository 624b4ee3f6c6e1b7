/* SPDX-License-Identifier: MIT */
#include "tests/simulation/memory_storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cleanup.h"
#include "src/storage.h"

#define NAME_SIZE 96
/* state.json, its temporary, and so many set aside; the oldest of those are thrown away. */
#define FILES_MAX 16
#define CHANGES_MAX 32
/* DISK_FAILS: one step in so many. */
#define FAILS_ONE_IN 3

struct bytes {
    char *text;
    size_t size;
};

/* An inode: what readers see, and what is on the platter. */
struct inode {
    struct bytes cached, durable;
    bool is_dirty;  /* they may differ */
    unsigned links; /* names, of either kind, and open handles */
};

struct name {
    char text[NAME_SIZE];
    struct inode *inode;
};

struct directory {
    struct name names[FILES_MAX];
    size_t n;
};

/* Changes of names since the directory was synced, in order. */
struct change {
    char from[NAME_SIZE]; /* "": a new file */
    char to[NAME_SIZE];   /* "": removed */
    struct inode *inode;  /* of a new file */
};

struct memory_storage {
    struct memory_storage_hooks hooks;
    enum disk_trouble trouble;
    struct directory cached, durable;
    struct change changes[CHANGES_MAX];
    size_t n_changes;
    struct inode *open; /* one file at a time is all that state needs */
    bool is_locked;
};

struct storage {
    struct memory_storage *disk;
    bool has_lock;
};

static struct memory_storage *attached;

DEFINE_CLEANUP(struct storage *, storage_free)

/* --- inodes and names --------------------------------------------------------------------------- */

static int bytes_set(struct bytes *bytes, const void *text, size_t size)
{
    char *copy = malloc(size + 1);

    if (!copy)
        return -ENOMEM;
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    free(bytes->text);
    *bytes = (struct bytes){.text = copy, .size = size};
    return 0;
}

static struct inode *inode_link(struct inode *inode)
{
    if (inode)
        inode->links++;
    return inode;
}

static void inode_unlink(struct inode *inode)
{
    if (!inode || --inode->links > 0)
        return;
    free(inode->cached.text);
    free(inode->durable.text);
    free(inode);
}

static struct name *find(struct directory *directory, const char *text)
{
    for (size_t i = 0; i < directory->n; i++)
        if (strcmp(directory->names[i].text, text) == 0)
            return &directory->names[i];
    return NULL;
}

static void forget(struct directory *directory, const char *text)
{
    struct name *name = find(directory, text);

    if (!name)
        return;
    inode_unlink(name->inode);
    size_t after = directory->n - 1 - (size_t)(name - directory->names);
    memmove(name, name + 1, after * sizeof(*name));
    directory->n--;
}

/* The oldest of those set aside make room. */
static void put(struct directory *directory, const char *text, struct inode *inode)
{
    inode_link(inode);
    forget(directory, text);
    for (size_t i = 0; directory->n == FILES_MAX && i < FILES_MAX; i++)
        if (strstr(directory->names[i].text, "unreadable"))
            forget(directory, directory->names[i].text);
    if (directory->n == FILES_MAX)
        forget(directory, directory->names[0].text);
    struct name *name = &directory->names[directory->n++];
    snprintf(name->text, sizeof(name->text), "%s", text);
    name->inode = inode;
}

static void clear(struct directory *directory)
{
    while (directory->n > 0)
        forget(directory, directory->names[0].text);
}

static void apply(struct directory *directory, const struct change *change)
{
    if (change->from[0] == '\0') {
        put(directory, change->to, change->inode);
        return;
    }
    struct name *name = find(directory, change->from);
    struct inode *inode = name ? inode_link(name->inode) : NULL;
    forget(directory, change->from);
    if (inode && change->to[0])
        put(directory, change->to, inode);
    inode_unlink(inode);
}

static void write_back_names(struct memory_storage *disk, size_t n)
{
    for (size_t i = 0; i < n; i++)
        apply(&disk->durable, &disk->changes[i]);
    for (size_t i = 0; i < disk->n_changes; i++)
        inode_unlink(disk->changes[i].inode);
    disk->n_changes = 0;
}

static void change_names(struct memory_storage *disk, const char *from, const char *to,
                         struct inode *inode)
{
    if (disk->n_changes == CHANGES_MAX) /* some day the kernel writes it back by itself */
        write_back_names(disk, CHANGES_MAX);
    struct change *change = &disk->changes[disk->n_changes++];
    snprintf(change->from, sizeof(change->from), "%s", from);
    snprintf(change->to, sizeof(change->to), "%s", to);
    change->inode = inode_link(inode);
    apply(&disk->cached, change);
}

/* --- the disk ----------------------------------------------------------------------------------- */

int memory_storage_new(const struct memory_storage_hooks *hooks, struct memory_storage **ret)
{
    struct memory_storage *disk = calloc(1, sizeof(*disk));

    if (!disk)
        return -ENOMEM;
    disk->hooks = *hooks;
    *ret = disk;
    return 0;
}

struct memory_storage *memory_storage_free(struct memory_storage *disk)
{
    if (!disk)
        return NULL;
    write_back_names(disk, 0);
    clear(&disk->cached);
    clear(&disk->durable);
    inode_unlink(disk->open);
    free(disk);
    return NULL;
}

void memory_storage_attach(struct memory_storage *disk)
{
    attached = disk;
}

void memory_storage_set_trouble(struct memory_storage *disk, enum disk_trouble trouble)
{
    disk->trouble = trouble;
}

static uint64_t draw(struct memory_storage *disk, uint64_t bound)
{
    return disk->hooks.random(disk->hooks.userdata, bound);
}

/* The old bytes, the new ones, the beginning of the new ones, or as many zeros. */
static void tear(struct memory_storage *disk, struct inode *inode)
{
    if (!inode->is_dirty)
        return;
    size_t size = inode->cached.size;
    uint64_t fate = draw(disk, 4);
    if (fate != 0 && bytes_set(&inode->durable, inode->cached.text, size) < 0)
        fate = 0;
    if (fate == 2)
        inode->durable.size = (size_t)draw(disk, size + 1);
    if (fate == 3 && size > 0)
        memset(inode->durable.text, 0, size);
    if (bytes_set(&inode->cached, inode->durable.text, inode->durable.size) == 0)
        inode->is_dirty = false;
}

void memory_storage_lose_power(struct memory_storage *disk)
{
    write_back_names(disk, (size_t)draw(disk, disk->n_changes + 1));
    clear(&disk->cached);
    for (size_t i = 0; i < disk->durable.n; i++) {
        tear(disk, disk->durable.names[i].inode);
        put(&disk->cached, disk->durable.names[i].text, disk->durable.names[i].inode);
    }
    inode_unlink(disk->open);
    disk->open = NULL;
}

bool memory_storage_damage(struct memory_storage *disk, const char *name, enum disk_damage damage)
{
    struct name *found = find(&disk->cached, name);
    if (!found)
        return false;
    struct bytes *bytes = &found->inode->cached;

    switch (damage) {
    case DISK_DAMAGE_GARBAGE:
        for (size_t i = 0; i < bytes->size; i++)
            bytes->text[i] = (char)draw(disk, 256);
        break;
    case DISK_DAMAGE_TRUNCATED:
        bytes->size /= 2;
        break;
    case DISK_DAMAGE_EMPTY:
        bytes->size = 0;
        break;
    case DISK_DAMAGE_OLD_VERSION: {
        static const char old[] = "{ \"version\": 0, \"environments\": [] }";
        if (bytes_set(bytes, old, sizeof(old) - 1) < 0)
            return false;
        break;
    }
    case DISK_DAMAGE_N:
        return false;
    }
    return bytes_set(&found->inode->durable, bytes->text, bytes->size) == 0;
}

const char *memory_storage_peek(const struct memory_storage *disk, const char *name,
                                size_t *ret_size)
{
    for (size_t i = 0; i < disk->cached.n; i++)
        if (strcmp(disk->cached.names[i].text, name) == 0) {
            *ret_size = disk->cached.names[i].inode->cached.size;
            return disk->cached.names[i].inode->cached.text;
        }
    return NULL;
}

/* --- storage.h ---------------------------------------------------------------------------------- */

/* 0, or how this step goes wrong. A write that finds the disk full is storage_write()'s own. */
static int step(struct memory_storage *disk, const char *what, bool writes)
{
    int r = 0;

    if (!disk->hooks.may_go_on(disk->hooks.userdata, what))
        return -EIO;
    if (disk->trouble == DISK_IS_READ_ONLY && writes)
        r = -EROFS;
    else if (disk->trouble == DISK_FAILS && draw(disk, FAILS_ONE_IN) == 0)
        r = -EIO;
    if (r < 0)
        disk->hooks.fired(disk->hooks.userdata, disk->trouble);
    return r;
}

int storage_open(const char *directory, enum storage_access access, struct storage **ret)
{
    (void)directory;
    if (!attached)
        return -ENOENT;
    _cleanup_(storage_free) struct storage *storage = calloc(1, sizeof(*storage));
    if (!storage)
        return -ENOMEM;
    storage->disk = attached;
    int r = step(attached, "open", false);
    if (r < 0)
        return r;
    if (access == STORAGE_READ_WRITE && attached->is_locked)
        return -EWOULDBLOCK;
    storage->has_lock = access == STORAGE_READ_WRITE;
    attached->is_locked = attached->is_locked || storage->has_lock;
    *ret = TAKE(storage);
    return 0;
}

struct storage *storage_free(struct storage *storage)
{
    if (!storage)
        return NULL;
    if (storage->has_lock)
        storage->disk->is_locked = false;
    free(storage);
    return NULL;
}

int storage_check_writable(struct storage *storage)
{
    return storage->disk->trouble == DISK_IS_READ_ONLY ? -EROFS : 0;
}

int storage_read(struct storage *storage, const char *name, size_t size_max, char **ret,
                 size_t *ret_size)
{
    int r = step(storage->disk, "read", false);
    if (r < 0)
        return r;
    const struct name *found = find(&storage->disk->cached, name);
    if (!found)
        return -ENOENT;
    const struct bytes *bytes = &found->inode->cached;
    if (bytes->size > size_max)
        return -EFBIG;
    struct bytes copy = {0};
    r = bytes_set(&copy, bytes->text, bytes->size);
    if (r < 0)
        return r;
    *ret = copy.text;
    *ret_size = copy.size;
    return 0;
}

int storage_create(struct storage *storage, const char *name, int *ret_file)
{
    struct memory_storage *disk = storage->disk;
    int r = step(disk, "create", true);
    if (r < 0)
        return r;

    struct name *found = find(&disk->cached, name);
    struct inode *inode = found ? inode_link(found->inode) : calloc(1, sizeof(*inode));
    if (!inode)
        return -ENOMEM;
    r = bytes_set(&inode->cached, "", 0);
    if (r == 0 && !found) {
        inode->links = 1;
        r = bytes_set(&inode->durable, "", 0);
        if (r == 0)
            change_names(disk, "", name, inode);
    }
    if (r < 0) {
        inode_unlink(inode);
        return r;
    }
    inode->is_dirty = true;
    inode_unlink(disk->open);
    disk->open = inode;
    *ret_file = 1;
    return 0;
}

int storage_write(struct storage *storage, int file, const void *bytes, size_t size)
{
    struct memory_storage *disk = storage->disk;
    int r = step(disk, "write", true);
    (void)file;
    if (r < 0)
        return r;
    size_t written = size;
    if (disk->trouble == DISK_IS_FULL) {
        disk->hooks.fired(disk->hooks.userdata, DISK_IS_FULL);
        written = (size_t)draw(disk, size);
        r = -ENOSPC;
    }
    /* state writes the whole at once. */
    if (bytes_set(&disk->open->cached, bytes, written) < 0)
        return -ENOMEM;
    if (r == 0)
        disk->hooks.stored(disk->hooks.userdata, "state.json", bytes, size);
    return r;
}

int storage_sync(struct storage *storage, int file)
{
    struct memory_storage *disk = storage->disk;
    int r = step(disk, "sync", true);
    (void)file;
    if (r < 0)
        return r; /* the bytes are lost at the next crash, as those of a failed fsync(2) are */
    r = bytes_set(&disk->open->durable, disk->open->cached.text, disk->open->cached.size);
    if (r == 0)
        disk->open->is_dirty = false;
    return r;
}

int storage_close(struct storage *storage, int file)
{
    struct memory_storage *disk = storage->disk;
    int r = step(disk, "close", false);
    (void)file;
    inode_unlink(disk->open);
    disk->open = NULL;
    return r;
}

int storage_rename(struct storage *storage, const char *from, const char *to)
{
    int r = step(storage->disk, "rename", true);
    if (r < 0)
        return r;
    if (!find(&storage->disk->cached, from))
        return -ENOENT;
    change_names(storage->disk, from, to, NULL);
    return 0;
}

int storage_remove(struct storage *storage, const char *name)
{
    int r = step(storage->disk, "remove", true);
    if (r < 0)
        return r;
    if (!find(&storage->disk->cached, name))
        return -ENOENT;
    change_names(storage->disk, name, "", NULL);
    return 0;
}

int storage_sync_directory(struct storage *storage)
{
    int r = step(storage->disk, "sync directory", true);
    if (r < 0)
        return r;
    write_back_names(storage->disk, storage->disk->n_changes);
    return 0;
}
