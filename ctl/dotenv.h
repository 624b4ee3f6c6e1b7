/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_DOTENV_H
#define PROVISIONERCTL_DOTENV_H

/*
 * A file of variables, as shells, docker and the dotenv libraries read them. Pure.
 *
 *     # a comment
 *     export CLUSTER_NAME=staging          "export" may stand before a name
 *     SERVICES = "api,worker"  # comment   spaces around "="; a comment behind " #"
 *     LOG_PATTERN='/api/v1/#top'           single quotes: as it stands
 *     GREETING="say \"hi\"\n"              double quotes: \" \\ \$ \n \r \t; others stay as they are
 *
 * Lines end in LF or CRLF; a byte order mark is skipped. "$NAME" is not replaced. A value in quotes
 * ends in its line.
 */

#include <stddef.h>

#define DOTENV_FILE_MAX (1U << 20U) /* bytes; a file of variables has some hundred */

struct dotenv_variable {
    char *name;
    char *value;
    unsigned line;
};

/* In order of the file; one given twice is there twice. Begins as {0}. */
struct dotenv {
    struct dotenv_variable *variables;
    size_t n_variables;
};

/* text need not end in a NUL. Returns 0; -ENOMEM; or -EINVAL with the line, and what is wrong with it
 * in words. */
int dotenv_parse(const char *text, size_t length, struct dotenv *ret, unsigned *ret_line,
                 const char **ret_problem);
void dotenv_clear(struct dotenv *dotenv);

#endif
