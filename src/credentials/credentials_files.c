/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>

#include "log.h"

#define READ_STEP 4096
#define PASSWD_BUFFER_SIZE 4096

static const char *variable(const char *name)
{
    /* Not changed by anybody after the start; the daemon has one thread. */
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

void credentials_environment_read(struct credentials_environment *ret)
{
    const char *region = variable("AWS_REGION");

    *ret = (struct credentials_environment){
        .access_key_id = variable("AWS_ACCESS_KEY_ID"),
        .secret_access_key = variable("AWS_SECRET_ACCESS_KEY"),
        .session_token = variable("AWS_SESSION_TOKEN"),
        .region = region ? region : variable("AWS_DEFAULT_REGION"),
        .profile = variable("AWS_PROFILE"),
        .credentials_file = variable("AWS_SHARED_CREDENTIALS_FILE"),
        .config_file = variable("AWS_CONFIG_FILE"),
        .credentials_directory = variable("CREDENTIALS_DIRECTORY"),
        .home = variable("HOME"),
        .web_identity_token_file = variable("AWS_WEB_IDENTITY_TOKEN_FILE"),
        .role_arn = variable("AWS_ROLE_ARN"),
        .role_session_name = variable("AWS_ROLE_SESSION_NAME"),
        .container_relative_uri = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        .container_full_uri = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        .container_token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        .container_token_file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        .metadata_disabled = variable("AWS_EC2_METADATA_DISABLED"),
        .metadata_endpoint = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
        .metadata_endpoint_mode = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"),
    };
}

static struct credentials_fingerprint fingerprint_of(const struct stat *status)
{
    return (struct credentials_fingerprint){
        .device = status->st_dev,
        .inode = status->st_ino,
        .size = status->st_size,
        .modified = status->st_mtim,
        .changed = status->st_ctim,
    };
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_fingerprint(const struct credentials_fingerprint *a,
                             const struct credentials_fingerprint *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           same_time(a->modified, b->modified) && same_time(a->changed, b->changed);
}

static struct credentials_fingerprint fingerprint_now(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return (struct credentials_fingerprint){0};
    return fingerprint_of(&status);
}

/* realloc would leave a copy of the secrets behind. */
static char *grow_wiping(char *buffer, size_t size, size_t new_room)
{
    char *grown = calloc(1, new_room);

    if (grown && size > 0)
        memcpy(grown, buffer, size);
    if (buffer)
        explicit_bzero(buffer, size);
    free(buffer);
    return grown;
}

/* Returns the number of bytes read, or a negative errno; more than size_max is -EFBIG. */
static ssize_t read_whole(int fd, size_t size_max, char **ret)
{
    size_t size = 0, room = 0;
    char *buffer = NULL;
    ssize_t n;

    do {
        if (size + 1 >= room) {
            room = room ? room * 2 : READ_STEP;
            buffer = grow_wiping(buffer, size, room);
            if (!buffer)
                return -ENOMEM;
        }
        n = read(fd, buffer + size, room - size - 1);
        if (n > 0)
            size += (size_t)n;
    } while ((n > 0 && size <= size_max) || (n < 0 && errno == EINTR));

    int error = n < 0 ? -errno : size > size_max ? -EFBIG : 0;
    if (error < 0) {
        explicit_bzero(buffer, size);
        free(buffer);
        return error;
    }
    buffer[size] = '\0';
    *ret = buffer;
    return (ssize_t)size;
}

static int cannot_read(const char *path, int error_number, struct credentials_why *why)
{
    return credentials_fail(why, -error_number, "cannot read %s: %s", path,
                            strerrordesc_np(error_number));
}

int credentials_file_read(const char *path, size_t size_max, char **ret, size_t *ret_size,
                          struct stat *ret_status, struct credentials_why *why)
{
    /* Not blocking: whoever puts a FIFO here must not halt the daemon. */
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, ret_status) < 0)
        return cannot_read(path, errno, why);
    if (!S_ISREG(ret_status->st_mode) && !S_ISCHR(ret_status->st_mode)) /* /dev/null is welcome */
        return credentials_fail(why, -EINVAL, "%s is not a file", path);

    ssize_t size = read_whole(fd, size_max, ret);
    if (size == -EFBIG)
        return credentials_fail(why, -EFBIG, "%s is larger than %zu bytes", path, size_max);
    if (size < 0)
        return cannot_read(path, (int)-size, why);
    *ret_size = (size_t)size;
    return 0;
}

int credentials_token_read(const char *path, size_t size_max, char **ret,
                           struct credentials_why *why)
{
    _cleanup_secret_ char *token = NULL;
    struct stat status;
    size_t size = 0;

    int r = credentials_file_read(path, size_max, &token, &size, &status, why);
    if (r < 0)
        return r;
    while (size > 0 && (token[size - 1] == '\n' || token[size - 1] == '\r'))
        token[--size] = '\0';
    if (size == 0)
        return credentials_fail(why, -EINVAL, "%s is empty", path);
    if (!credentials_is_graphic(token, size)) {
        explicit_bzero(token, size); /* a NUL byte would hide the rest */
        return credentials_fail(why, -EINVAL, "%s holds more than one word of printable ASCII",
                                path);
    }
    *ret = TAKE(token);
    return 0;
}

static bool holds_secrets(const struct profile_file *file)
{
    for (size_t i = 0; i < file->n_sections; i++) {
        const struct profile_section *section = &file->sections[i];
        for (size_t j = 0; j < section->n_properties; j++)
            if (strcmp(section->properties[j].name, "aws_secret_access_key") == 0)
                return true;
    }
    return false;
}

static void read_file(struct credentials_file *file, enum profile_dialect dialect, bool optional)
{
    struct credentials_fingerprint before = file->fingerprint;
    struct stat status;
    char *text = NULL;
    size_t size = 0;

    file->content = credentials_profile_free(file->content);
    file->fingerprint = fingerprint_now(file->path);
    file->error =
        credentials_file_read(file->path, PROFILE_FILE_SIZE_MAX, &text, &size, &status, &file->why);
    /* A file that is not there is none, as the SDKs have it, whether its path was named or not. Nor
     * is one in a home that is none of ours (ProtectHome=), unless somebody pointed us there. */
    bool is_closed = file->error == -EACCES || file->error == -ENOTDIR;
    if (file->error == -ENOENT || (is_closed && optional))
        file->error = 0;
    if (!text)
        return;

    file->fingerprint = fingerprint_of(&status);
    file->error =
        credentials_profile_parse(file->path, dialect, text, size, &file->content, &file->why);
    explicit_bzero(text, size);
    free(text);
    if (file->content && (status.st_mode & S_IROTH) && holds_secrets(file->content) &&
        !same_fingerprint(&before, &file->fingerprint))
        log_warning("%s holds secret keys and every user of this host may read it: chmod 600 %s",
                    file->path, file->path);
}

static char *home_directory(const struct credentials_environment *environment)
{
    char buffer[PASSWD_BUFFER_SIZE];
    struct passwd entry, *found = NULL;

    if (environment->home)
        return strdup(environment->home);
    /* systemd sets HOME for units with User= only. */
    if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) != 0 || !found)
        return strdup("/");
    return strdup(found->pw_dir);
}

/* Returns 0 or -ENOMEM; *ret is NULL if there is no such file to look for. */
static int path_of(enum credentials_file_rank rank,
                   const struct credentials_environment *environment, char **ret)
{
    const char *named = rank == CREDENTIALS_FILE_SHARED   ? environment->credentials_file
                        : rank == CREDENTIALS_FILE_CONFIG ? environment->config_file
                                                          : NULL;
    const char *directory = environment->credentials_directory;
    int r;

    *ret = NULL;
    if (named)
        return (*ret = strdup(named)) ? 0 : -ENOMEM;
    if (rank == CREDENTIALS_FILE_SYSTEMD) {
        r = directory ? asprintf(ret, "%s/%s", directory, CREDENTIALS_SYSTEMD_NAME) : 0;
    } else {
        _cleanup_free_ char *home = home_directory(environment);
        const char *name = rank == CREDENTIALS_FILE_SHARED ? "credentials" : "config";
        size_t length = home ? strlen(home) : 0;
        while (length > 0 && home[length - 1] == '/')
            length--;
        r = home ? asprintf(ret, "%.*s/.aws/%s", (int)length, home, name) : -1;
    }
    if (r < 0) {
        *ret = NULL;
        return -ENOMEM;
    }
    return 0;
}

static void clear(struct credentials_file *file)
{
    file->content = credentials_profile_free(file->content);
    free(TAKE(file->path));
    *file = (struct credentials_file){0};
}

int credentials_files_load(struct credentials_files *files,
                           const struct credentials_environment *environment)
{
    for (enum credentials_file_rank rank = 0; rank < CREDENTIALS_N_FILES; rank++) {
        struct credentials_file *file = &files->ranked[rank];
        _cleanup_free_ char *path = NULL;

        int r = path_of(rank, environment, &path);
        if (r < 0)
            return r;
        if (!path || !file->path || strcmp(path, file->path) != 0) {
            clear(file);
            file->path = TAKE(path);
        }
        if (!file->path)
            continue;

        struct credentials_fingerprint now = fingerprint_now(file->path);
        bool optional = rank == CREDENTIALS_FILE_SHARED   ? !environment->credentials_file
                        : rank == CREDENTIALS_FILE_CONFIG ? !environment->config_file
                                                          : false;
        if (!file->content || !same_fingerprint(&now, &file->fingerprint))
            read_file(file, rank == CREDENTIALS_FILE_CONFIG ? PROFILE_CONFIG : PROFILE_CREDENTIALS,
                      optional);
        if (file->error == -ENOMEM)
            return -ENOMEM;
    }
    return 0;
}

bool credentials_files_changed(const struct credentials_files *files)
{
    for (size_t i = 0; i < CREDENTIALS_N_FILES; i++) {
        const struct credentials_file *file = &files->ranked[i];
        if (!file->path)
            continue;
        struct credentials_fingerprint now = fingerprint_now(file->path);
        if (!same_fingerprint(&now, &file->fingerprint))
            return true;
    }
    return false;
}

void credentials_files_forget(struct credentials_files *files)
{
    for (size_t i = 0; i < CREDENTIALS_N_FILES; i++)
        files->ranked[i].content = credentials_profile_free(files->ranked[i].content);
}

void credentials_files_clear(struct credentials_files *files)
{
    for (size_t i = 0; i < CREDENTIALS_N_FILES; i++)
        clear(&files->ranked[i]);
}
