/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_ROLES_H
#define PROVISIONERD_CREDENTIALS_ROLES_H

/*
 * Profiles of the shared files, and the chain that source_profile makes of them. A part of
 * credentials_plan.
 */

#include "credentials/credentials_plan.h"

struct credentials_setting {
    const char *value;
    const char *path;
    unsigned line;
};

/* A setting of a profile, empty ones left out. Returns 0, -ENOENT, or -EINVAL (not on one line). */
int credentials_profile_setting(const struct credentials_files *files, const char *profile,
                                const char *name, struct credentials_setting *ret,
                                struct credentials_why *why);

bool credentials_profile_exists(const struct credentials_files *files, const char *profile);

/*
 * Follows the profile to the origin of its keys, and puts origin, roles, keys and source into *plan.
 * Returns 0, -ENOENT (it exists, and says nothing about keys), or another negative errno.
 */
int credentials_roles_follow(const struct credentials_environment *environment,
                             const struct credentials_files *files, const char *profile,
                             struct credentials_plan *plan, struct credentials_why *why);

/* Checks and copies. at: for messages, "FILE:LINE" or a variable. NULL members are left out, but for
 * arn; session_name NULL: our own. Returns 0, -EINVAL or -ENOMEM. */
int credentials_role_set(struct credentials_role *role, const struct credentials_role *from,
                         const char *at, struct credentials_why *why);
void credentials_role_clear(struct credentials_role *role);

/* The environment's keys. Returns 0, -ENOENT (none), -EINVAL (half of them, or unusable), -ENOMEM. */
int credentials_keys_from_environment(const struct credentials_environment *environment,
                                      struct credentials_keys *keys, struct credentials_why *why);

#endif
