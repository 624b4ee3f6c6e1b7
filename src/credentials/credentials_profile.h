/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_PROFILE_H
#define PROVISIONERD_CREDENTIALS_PROFILE_H

/*
 * The text of AWS's shared credentials and config files. Pure: text in, sections out.
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 *
 *     [profile dev]                  config file; in a credentials file it is [dev]
 *     region   = eu-west-1
 *     services = local               names a section:
 *
 *     [services local]
 *     ecs =                          an empty value, then deeper lines: nested settings,
 *       endpoint_url = http://...    here known as "ecs.endpoint_url"
 *
 * Full-line comments begin with '#' or ';'; within a line they need a space before. Names of settings
 * are the same in either case. A repeated section adds to the first, a repeated setting replaces it.
 * Settings that we do not know are none of our business and are kept unread.
 */

#include "credentials/credentials_keys.h"

#define PROFILE_FILE_SIZE_MAX 1048576
#define PROFILE_LINE_MAX 32768 /* a session token and its name */

enum profile_dialect {
    PROFILE_CONFIG,
    PROFILE_CREDENTIALS,
};

enum profile_section_kind {
    PROFILE_SECTION_PROFILE,
    PROFILE_SECTION_SERVICES,
    PROFILE_SECTION_OTHER,
};

struct profile_property {
    char *name;  /* lower case; nested ones as "parent.name" */
    char *value; /* may be a secret */
    unsigned line;
    size_t indent;
    unsigned
        continued_line; /* of an indented line behind it that makes the value longer; 0: none */
};

struct profile_section {
    enum profile_section_kind kind;
    char *name; /* without "profile " or "services " */
    unsigned line;
    struct profile_property *properties;
    size_t n_properties;
};

struct profile_file {
    char *path; /* for messages */
    struct profile_section *sections;
    size_t n_sections;
};

/* Returns 0, -ENOMEM, or -EINVAL: `why` says path:line and what would be right, never the text. */
int credentials_profile_parse(const char *path, enum profile_dialect dialect, const char *text,
                              size_t size, struct profile_file **ret, struct credentials_why *why);

/* Wipes all values. */
struct profile_file *credentials_profile_free(struct profile_file *file);
DEFINE_CLEANUP(struct profile_file *, credentials_profile_free)

/* The first section of that name, or NULL. */
const struct profile_section *credentials_profile_section(const struct profile_file *file,
                                                          enum profile_section_kind kind,
                                                          const char *name);

/* The setting in effect, or NULL. */
const struct profile_property *credentials_profile_property(const struct profile_file *file,
                                                            enum profile_section_kind kind,
                                                            const char *section, const char *name);

#endif
