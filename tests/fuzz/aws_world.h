/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_FUZZ_AWS_WORLD_H
#define PROVISIONERD_TESTS_FUZZ_AWS_WORLD_H

/*
 * The real aws.c, and what is above it, with the input for answers: under virtual time, on the fake
 * transport of tests/support. A part of the input is an answer's body; one that begins with a line
 * "!503" has that status in place of 200.
 *
 *     FUZZ_AWS_IS_REAL                      once, at file scope: all but transport and credentials
 *     ...
 *     struct fuzz_aws world;
 *     fuzz_aws_open(&world);
 *     fuzz_aws_answers(&world, "FilterLogEvents", &input);
 *     ... ask world.aws ...
 *     fuzz_aws_run(&world);
 *     ... judge by world.answers ...
 *     fuzz_aws_close(&world);
 */

#include "src/aws.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/fake_credentials.h"
#include "tests/support/fake_http.h"
#include "tests/support/virtual_loop.h"

#define FUZZ_AWS_IS_REAL \
    FAKE_HTTP_IS_HTTP    \
    FAKE_CREDENTIALS_IS_CREDENTIALS

#define FUZZ_ANSWERS_MAX 16

struct fuzz_answer {
    char *body; /* not terminated */
    size_t size;
    int status;
};

struct fuzz_aws {
    struct loop *loop;
    struct http *http;
    struct fake_credentials credentials;
    struct aws *aws;
    struct fuzz_answer answers[FUZZ_ANSWERS_MAX];
    size_t n_answers;
};

void fuzz_aws_open(struct fuzz_aws *world);

/* Nothing may be left behind: calls, timers. */
void fuzz_aws_close(struct fuzz_aws *world);

/* All parts of the input, the last one again and again. To be asked for one operation only. */
void fuzz_aws_answers(struct fuzz_aws *world, const char *operation, struct fuzz_input *input);

/* Until nothing can happen any more. */
void fuzz_aws_run(struct fuzz_aws *world);

/* The answer that the request of this number got. */
const struct fuzz_answer *fuzz_aws_answer(const struct fuzz_aws *world, size_t index);

/* That answer's document, if it was a success and a JSON object, else NULL. To be put. */
struct json_object *fuzz_aws_document(const struct fuzz_aws *world, size_t index);

#endif
