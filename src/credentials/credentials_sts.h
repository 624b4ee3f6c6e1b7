/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_STS_H
#define PROVISIONERD_CREDENTIALS_STS_H

/*
 * AWS STS: AssumeRole, signed with the keys at hand, and AssumeRoleWithWebIdentity, not signed.
 * Query protocol: a form out, XML in. Source: AWS Security Token Service API Reference.
 */

#include "credentials/credentials_plan.h"
#include "http.h"

#define WEB_IDENTITY_TOKEN_MAX 20000 /* the API's limit */

/* --- pure -------------------------------------------------------------------------------------- */

/* token: the web identity's, or NULL for AssumeRole. *ret is to be freed with
 * credentials_secret_free(). Returns 0 or -ENOMEM. */
int credentials_sts_form(const struct credentials_role *role, const char *token, char **ret);

/* Reads ACTIONResponse / ACTIONResult / Credentials. Returns 0, -ENOMEM or -EBADMSG. */
int credentials_sts_read(const char *body, size_t size, const char *action,
                         struct credentials_keys *keys, struct credentials_why *why);

/* --- on the loop ------------------------------------------------------------------------------- */

struct credentials_sts;

/* Borrowed until the call ends. */
struct credentials_sts_request {
    const struct credentials_role *role;
    const struct credentials_keys *keys; /* for AssumeRole */
    const char *url;                     /* of the service, without trailing slash */
    const char *region;
    int64_t skew_ms; /* AWS's clock minus ours, as far as known */
};

/*
 * error: 0, and keys, to be taken or left. Else -EACCES (STS refused), -EAGAIN or the transport's
 * error (try again later), -EBADMSG. skew_ms is what it is now: STS may have corrected it.
 * Comes once, from the loop; not at all after the cancel. The handle is invalid from then on.
 */
typedef void credentials_sts_done_fn(void *userdata, int error, const char *why,
                                     struct credentials_keys *keys, int64_t skew_ms);

/* Returns 0, or a negative errno and says why: then no callback comes. */
int credentials_sts_start(struct loop *loop, struct http *http,
                          const struct credentials_sts_request *request,
                          credentials_sts_done_fn *done, void *userdata,
                          struct credentials_sts **ret, struct credentials_why *why);
struct credentials_sts *credentials_sts_cancel(struct credentials_sts *sts);

#endif
