/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_FETCH_H
#define PROVISIONERD_CREDENTIALS_FETCH_H

/*
 * Carries a plan out, once: the first keys, the roles one after the other, the region if nothing
 * but the instance says it.
 */

#include "credentials/credentials_imds.h"
#include "credentials/credentials_plan.h"

struct credentials_fetch;

/* Borrowed until the fetch ends, but for region. */
struct credentials_fetch_options {
    struct credentials_imds *imds;
    const char *endpoint_url; /* of STS, from the configuration; NULL: by rule */
    const char *region;       /* the instance's, as it said before; NULL: it has not been asked */
    int64_t skew_ms;
};

/* Borrowed until the callback returns, but for what it takes. */
struct credentials_outcome {
    int error;       /* 0, or a negative errno: only why is set then */
    const char *why; /* non-NULL with error */
    struct credentials_keys keys;
    const char *region;
    bool region_is_of_instance; /* may be remembered */
    const char *source;
    struct credentials_plan *plan;
    int64_t skew_ms; /* as STS corrected it, with or without error */
};

/* Comes once, from the loop; not at all after the cancel. The handle is invalid from then on. */
typedef void credentials_fetch_done_fn(void *userdata, struct credentials_outcome *outcome);

/* Takes the plan, leaving it empty. Returns 0 or -ENOMEM: then the plan is as it was. */
int credentials_fetch_start(struct loop *loop, struct http *http, struct credentials_plan *plan,
                            const struct credentials_fetch_options *options,
                            credentials_fetch_done_fn *done, void *userdata,
                            struct credentials_fetch **ret);
struct credentials_fetch *credentials_fetch_cancel(struct credentials_fetch *fetch);

#endif
