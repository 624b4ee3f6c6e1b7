/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_CONTAINER_H
#define PROVISIONERD_CREDENTIALS_CONTAINER_H

/*
 * The container credentials endpoint: ECS task roles, EKS Pod Identity.
 * Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
 */

#include "credentials/credentials_exchange.h"
#include "credentials/credentials_files.h"

struct credentials_container {
    char *url;
    bool direct;      /* plain HTTP to this host or link: never through a proxy */
    char *token;      /* for the Authorization header; NULL: none */
    char *token_file; /* read before each request; outranks token */
};

/*
 * Takes what the environment says, and refuses a URL to which credentials must not be asked for: over
 * plain HTTP only this host and the addresses of ECS and EKS will do. Pure.
 * Returns 0, -ENOENT (not configured), -EINVAL or -ENOMEM.
 */
int credentials_container_configure(const struct credentials_environment *environment,
                                    struct credentials_container *ret, struct credentials_why *why);
void credentials_container_clear(struct credentials_container *container);

/* Asks for the keys. The callback is the exchange's: read its answer with
 * credentials_exchange_check() and credentials_keys_from_json(). Returns 0 or a negative errno. */
int credentials_container_ask(const struct credentials_container *container, struct loop *loop,
                              struct http *http, http_done_fn *done, void *userdata,
                              struct credentials_exchange **ret, struct credentials_why *why);

#endif
