/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_IN_PROCESS_H
#define PROVISIONERD_SIM_IN_PROCESS_H

/*
 * The simulated AWS without a network: src/http.h answered by sim_handle(), on whatever loop the
 * program is linked with, virtual time included.
 *
 *     #include "sim/in_process.h"        in one file of the test; it now has no other network
 *
 *     sim_new(scenario, loop_wall(loop), &sim, &error);
 *     in_process_attach(sim);
 *     http_new(loop, NULL, &http);       every URL leads to sim
 *     ...
 *     http_free(http);
 *     in_process_attach(NULL);
 *     sim_free(sim);
 *
 * Including this header defines http_new() and its kin in the including object, weakly and by way of
 * the functions below. The linker then has no reason to look for them in libprovisionerd.a, and the
 * tests of src/http.c, which do not include it, get theirs: the order of the libraries is no matter.
 *
 * A request reaches the model in the next round of the loop, and the answer comes after the latency
 * that the model wants. What src/http.c makes of a bad delivery is made of it here too:
 *
 *   refused -ECONNREFUSED, reset -ECONNRESET, shorter than announced -EBADMSG, larger than
 *   response_size_max -EFBIG; stalled, trickling or later than timeout_ms: -ETIMEDOUT, at that time.
 */

#include "sim/sim.h"
#include "src/http.h"

/* From the next http_new() on; borrowed, beyond the life of that http. NULL: detached. */
void in_process_attach(struct sim *sim);

/* As http_new() and so on in src/http.h. Also -ENOTCONN: nothing is attached. */
int in_process_new(struct loop *loop, const struct http_options *options, struct http **ret);
struct http *in_process_free(struct http *http);
int in_process_send(struct http *http, const struct http_request *request, http_done_fn *done,
                    void *userdata, struct http_call **ret);
void in_process_cancel(struct http_call *call);
const char *in_process_response_header(const struct http_response *response, const char *name);

#ifndef IN_PROCESS_WITHOUT_HTTP /* for in_process.c itself */

__attribute__((weak)) int http_new(struct loop *loop, const struct http_options *options,
                                   struct http **ret)
{
    return in_process_new(loop, options, ret);
}

__attribute__((weak)) struct http *http_free(struct http *http)
{
    return in_process_free(http);
}

__attribute__((weak)) int http_send(struct http *http, const struct http_request *request,
                                    http_done_fn *done, void *userdata, struct http_call **ret)
{
    return in_process_send(http, request, done, userdata, ret);
}

__attribute__((weak)) void http_cancel(struct http_call *call)
{
    in_process_cancel(call);
}

__attribute__((weak)) const char *http_response_header(const struct http_response *response,
                                                       const char *name)
{
    return in_process_response_header(response, name);
}

#endif

#endif
