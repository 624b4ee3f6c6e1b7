/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_PLAN_H
#define PROVISIONERD_CREDENTIALS_PLAN_H

/*
 * What the chain comes to, before anybody is asked: where the first keys come from, which roles are
 * assumed with them, the region and the endpoints. Pure: environment and files in, plan out.
 */

#include "credentials/credentials_container.h"
#include "credentials/credentials_files.h"

/* Roles assumed one after the other; each is a call to STS, and real chains have one or two. */
#define CREDENTIALS_ROLES_MAX 5

#define CREDENTIALS_SESSION_NAME "provisionerd" /* what CloudTrail shows */

enum credentials_origin {
    CREDENTIALS_FROM_KEYS, /* at hand: environment or profile */
    CREDENTIALS_FROM_WEB_IDENTITY,
    CREDENTIALS_FROM_CONTAINER,
    CREDENTIALS_FROM_IMDS,
};

struct credentials_role {
    char *arn;
    char *session_name;
    char *external_id;      /* NULL: none */
    char *duration_seconds; /* digits; NULL: as STS has it */
    char *token_file;       /* web identity: read at the call, which is not signed; NULL: signed */
};

struct credentials_endpoint {
    char *service; /* "cloudwatch_logs"; NULL: for all that have none of their own */
    char *url;
};

struct credentials_plan {
    enum credentials_origin origin;
    struct credentials_keys keys;                         /* CREDENTIALS_FROM_KEYS */
    struct credentials_role web_identity;                 /* CREDENTIALS_FROM_WEB_IDENTITY */
    struct credentials_container container;               /* CREDENTIALS_FROM_CONTAINER */
    struct credentials_role roles[CREDENTIALS_ROLES_MAX]; /* the last one is assumed first */
    size_t n_roles;
    char *imds_url; /* NULL: switched off */
    char *region;   /* NULL: ask IMDS */
    char *source;   /* for people; of CREDENTIALS_FROM_IMDS without the role */
    char *tried;    /* why nothing before IMDS is the source; NULL if it was asked for by name */
    struct credentials_endpoint *endpoints;
    size_t n_endpoints;
};

/* profile, region: from the configuration, or NULL. A profile named there decides before the
 * environment's keys do; AWS_PROFILE does not.
 * Returns 0, -ENOMEM, -ENOKEY (no source is configured), or another negative errno. */
int credentials_plan_make(const struct credentials_environment *environment,
                          const struct credentials_files *files, const char *profile,
                          const char *region, struct credentials_plan *ret,
                          struct credentials_why *why);

/* Wipes and frees what *plan holds, and leaves it empty. */
void credentials_plan_clear(struct credentials_plan *plan);
#define _cleanup_plan_ __attribute__((cleanup(credentials_plan_clear)))

bool credentials_plan_needs_sts(const struct credentials_plan *plan);

/* service_id: "CLOUDWATCH_LOGS". NULL if there is none. Borrowed. */
const char *credentials_plan_endpoint(const struct credentials_plan *plan, const char *service_id);

#endif
