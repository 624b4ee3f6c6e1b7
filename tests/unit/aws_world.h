/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_AWS_WORLD_H
#define PROVISIONERD_TESTS_AWS_WORLD_H

/* Calls to AWS in virtual time, over a scripted http.h and credentials that are always there; what the
 * tests of src/aws.c and of the two services above it have in common. */

#include "src/aws.h"
#include "tests/support/fake_credentials.h"
#include "tests/support/fake_http.h"
#include "tests/support/virtual_loop.h"

FAKE_HTTP_IS_HTTP
FAKE_CREDENTIALS_IS_CREDENTIALS

struct aws_world {
    struct loop *loop;
    struct http *http;
    struct fake_credentials credentials;
    struct aws *aws;
};

static void aws_world_begin(struct aws_world *world, const struct aws_options *options)
{
    assert_int_equal(loop_new(&world->loop), 0);
    assert_int_equal(http_new(world->loop, NULL, &world->http), 0);
    world->credentials = (struct fake_credentials){.loop = world->loop};
    assert_int_equal(aws_new(world->loop, world->http, fake_credentials(&world->credentials),
                             options, &world->aws),
                     0);
}

/* Nothing may be left: no request without its answer, no timer. */
static void aws_world_end(struct aws_world *world)
{
    aws_free(world->aws);
    assert_int_equal(fake_http_n_unanswered(world->http), 0);
    http_free(world->http);
    assert_int_equal(virtual_loop_timers(world->loop), 0);
    loop_free(world->loop);
}

static void aws_world_run(struct aws_world *world, int64_t duration_ms)
{
    virtual_loop_run_for(world->loop, duration_ms);
}

#endif
