/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_TESTS_FAKE_CREDENTIALS_H
#define PROVISIONERD_TESTS_FAKE_CREDENTIALS_H

/*
 * As much of src/credentials.h as aws.c uses, for tests of what is above it. The first keys are
 * AKID1 and so on; each invalidation makes the next ones. As with fake_http.h, a test takes this in
 * place of the real thing by writing FAKE_CREDENTIALS_IS_CREDENTIALS once, at file scope.
 */

#include <stddef.h>

#include "src/credentials.h"

struct fake_credentials {
    struct loop *loop;
    int64_t delay_ms;          /* until they come; 0: the next turn of the loop */
    int error;                 /* not 0: there are none */
    int get_error;             /* not 0: credentials_get() returns this */
    const char *session_token; /* NULL: none */
    const char *region;        /* NULL: "eu-west-1" */
    const char *endpoint_url;  /* of the shared config; NULL: none */
    int generation;            /* of the keys: 0 is AKID1 */
    int n_requests;
    int n_cancelled;
    int64_t skew_ms; /* as told */
};

struct credentials *fake_credentials(struct fake_credentials *fake);

int fake_credentials_get(struct credentials *credentials, credentials_done_fn *done, void *userdata,
                         struct credentials_request **ret);
void fake_credentials_cancel(struct credentials_request *request);

/* clang-format off */
#define FAKE_CREDENTIALS_IS_CREDENTIALS                                                            \
    int credentials_get(struct credentials *credentials, credentials_done_fn *done,                \
                        void *userdata, struct credentials_request **ret)                          \
    {                                                                                              \
        return fake_credentials_get(credentials, done, userdata, ret);                             \
    }                                                                                              \
    void credentials_request_cancel(struct credentials_request *request)                           \
    {                                                                                              \
        fake_credentials_cancel(request);                                                          \
    }                                                                                              \
    void credentials_invalidate(struct credentials *credentials)                                   \
    {                                                                                              \
        ((struct fake_credentials *)(void *)credentials)->generation++;                            \
    }                                                                                              \
    void credentials_set_clock_skew(struct credentials *credentials, int64_t skew_ms)              \
    {                                                                                              \
        ((struct fake_credentials *)(void *)credentials)->skew_ms = skew_ms;                       \
    }                                                                                              \
    const char *credentials_endpoint_url(struct credentials *credentials, const char *service_id)  \
    {                                                                                              \
        (void)service_id;                                                                          \
        return ((struct fake_credentials *)(void *)credentials)->endpoint_url;                     \
    }                                                                                              \
    const char *credentials_source(const struct credentials *credentials)                          \
    {                                                                                              \
        (void)credentials;                                                                         \
        return "a friend";                                                                         \
    }
/* clang-format on */

#endif
