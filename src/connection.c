/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include <stdlib.h>
#include <string.h>

void connection_close(struct connection *connection)
{
    aws_free(connection->aws);
    credentials_free(connection->credentials);
    http_free(connection->http);
    *connection = (struct connection){0};
}

int connection_open(struct loop *loop, const struct config *config, struct connection *ret)
{
    const char *ca_bundle = config->ca_bundle ? config->ca_bundle : getenv("AWS_CA_BUNDLE");
    const struct http_options http_options = {.ca_bundle = ca_bundle};
    const struct credentials_options credentials_options = {
        .profile = config->profile, .region = config->region, .endpoint_url = config->endpoint_url};
    const struct aws_options aws_options = {.endpoint_url = config->endpoint_url};
    struct connection connection = {0};
    int r;

    if ((r = http_new(loop, &http_options, &connection.http)) < 0 ||
        (r = credentials_new(loop, connection.http, &credentials_options,
                             &connection.credentials)) < 0 ||
        (r = aws_new(loop, connection.http, connection.credentials, &aws_options,
                     &connection.aws)) < 0) {
        connection_close(&connection);
        return r;
    }
    *ret = connection;
    return 0;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool connection_is_same(const struct config *a, const struct config *b)
{
    return is_same_text(a->region, b->region) && is_same_text(a->profile, b->profile) &&
           is_same_text(a->endpoint_url, b->endpoint_url) &&
           is_same_text(a->ca_bundle, b->ca_bundle);
}
