/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CONNECTION_H
#define PROVISIONERD_CONNECTION_H

/* Everything that talks to AWS under one set of credentials; replaced whole when those change. */

#include "aws.h"
#include "config.h"
#include "credentials.h"
#include "http.h"

struct connection {
    struct http *http;
    struct credentials *credentials;
    struct aws *aws;
};

/* As the configuration's [provisionerd] section says. Borrows loop. Returns 0 or a negative errno. */
int connection_open(struct loop *loop, const struct config *config, struct connection *ret);

/* One that was never opened is all zero. */
void connection_close(struct connection *connection);

/* Whether both configurations make the same connection. */
bool connection_is_same(const struct config *a, const struct config *b);

#endif
