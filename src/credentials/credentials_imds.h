/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_IMDS_H
#define PROVISIONERD_CREDENTIALS_IMDS_H

/*
 * The EC2 instance metadata service, version 2 only: a session token by PUT, kept as long as it is
 * good, then GET. Source: Amazon EC2 User Guide, "Use the Instance Metadata Service".
 *
 * Callbacks come once, from the loop; not at all after the cancel. The handle is invalid from the
 * moment they are entered; what they get is borrowed.
 */

#include "credentials/credentials_keys.h"
#include "http.h"

#define IMDS_URL "http://169.254.169.254"
#define IMDS_URL_IPV6 "http://[fd00:ec2::254]"
#define IMDS_PATH_ROLE "/latest/meta-data/iam/security-credentials/"
#define IMDS_PATH_REGION "/latest/meta-data/placement/region"

struct credentials_imds; /* owns the session token */
struct credentials_imds_call;

int credentials_imds_new(struct loop *loop, struct http *http, struct credentials_imds **ret);
struct credentials_imds *credentials_imds_free(struct credentials_imds *imds);

/* error: 0 and the body of a 200, NUL-terminated; else as credentials_exchange_check() has it, and
 * why says what happened. */
typedef void credentials_imds_done_fn(void *userdata, int error, const char *why, const char *body,
                                      size_t body_size);

/* url: of the service, without trailing slash. Returns 0, -ENOMEM or -EINVAL. */
int credentials_imds_get(struct credentials_imds *imds, const char *url, const char *path,
                         credentials_imds_done_fn *done, void *userdata,
                         struct credentials_imds_call **ret);
struct credentials_imds_call *credentials_imds_cancel(struct credentials_imds_call *call);

/* Reads the answer to IMDS_PATH_ROLE: its first line, which must be a role's name. Returns 0,
 * -EBADMSG, or -ENOMEM. Pure; *ret is allocated. */
int credentials_imds_parse_role(const char *body, char **ret);

#endif
