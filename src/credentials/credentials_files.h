/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_FILES_H
#define PROVISIONERD_CREDENTIALS_FILES_H

/*
 * What the outside tells us at one moment: the process's environment, and the shared files, read
 * again when they changed on disk. The first of the files that knows a setting decides:
 *
 *   $CREDENTIALS_DIRECTORY/aws-credentials               systemd's LoadCredential=
 *   AWS_SHARED_CREDENTIALS_FILE, or ~/.aws/credentials
 *   AWS_CONFIG_FILE, or ~/.aws/config
 */

#include <sys/stat.h>

#include "credentials/credentials_profile.h"

#define CREDENTIALS_SYSTEMD_NAME "aws-credentials"

/* A variable that is unset or empty is NULL. Borrowed from the environment. */
struct credentials_environment {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token;
    const char *region; /* AWS_REGION, or AWS_DEFAULT_REGION */
    const char *profile;
    const char *credentials_file;
    const char *config_file;
    const char *credentials_directory; /* systemd's */
    const char *home;
    const char *web_identity_token_file;
    const char *role_arn;
    const char *role_session_name;
    const char *container_relative_uri;
    const char *container_full_uri;
    const char *container_token;
    const char *container_token_file;
    const char *metadata_disabled;
    const char *metadata_endpoint;
    const char *metadata_endpoint_mode;
};

/* The one place where variables are read. */
void credentials_environment_read(struct credentials_environment *ret);

enum credentials_file_rank {
    CREDENTIALS_FILE_SYSTEMD,
    CREDENTIALS_FILE_SHARED,
    CREDENTIALS_FILE_CONFIG,
    CREDENTIALS_N_FILES,
};

/* Tells one state of a file from the next without reading it. All zero: there is no file. */
struct credentials_fingerprint {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed; /* inode: catches writes that put the old time of modification back */
};

struct credentials_file {
    char *path; /* NULL: there is none to look for */
    struct credentials_fingerprint fingerprint;
    struct profile_file *content; /* NULL: absent, or see error */
    int error;                    /* there, but unusable */
    struct credentials_why why;
};

struct credentials_files {
    struct credentials_file ranked[CREDENTIALS_N_FILES];
};

/* Reads what was not read yet or has changed. Unusable files are no error here: whoever needs them
 * finds it in file->error. Warns of secrets that every user of the host may read, once for each
 * state of the file. Returns 0 or -ENOMEM. */
int credentials_files_load(struct credentials_files *files,
                           const struct credentials_environment *environment);

/* Whether one of them has changed, come or gone since it was loaded. */
bool credentials_files_changed(const struct credentials_files *files);

/* The next load reads all of them, changed or not. */
void credentials_files_forget(struct credentials_files *files);

void credentials_files_clear(struct credentials_files *files);

/*
 * Reads a small file whole, NUL-terminated. Returns 0, -ENOENT (no such file), -EFBIG, or another
 * negative errno. *ret is to be freed with credentials_secret_free(), or wiped by its size if it may
 * hold NUL bytes.
 */
int credentials_file_read(const char *path, size_t size_max, char **ret, size_t *ret_size,
                          struct stat *ret_status, struct credentials_why *why);

/* Reads a file that holds one token: trailing line ends are cut, anything but printable ASCII is
 * refused. Free with credentials_secret_free(). */
int credentials_token_read(const char *path, size_t size_max, char **ret,
                           struct credentials_why *why);

#endif
