/* SPDX-License-Identifier: MIT */

#include "fake_credentials.h"

#include <stdio.h>
#include <stdlib.h>

struct credentials_request {
    struct fake_credentials *fake;
    struct loop_timer *timer;
    credentials_done_fn *done;
    void *userdata;
};

struct credentials *fake_credentials(struct fake_credentials *fake)
{
    return (struct credentials *)(void *)fake;
}

static void free_request(struct credentials_request *request)
{
    loop_timer_free(request->timer);
    free(request);
}

static void deliver(void *userdata)
{
    struct credentials_request *request = userdata;
    struct fake_credentials *fake = request->fake;
    credentials_done_fn *done = request->done;
    void *done_userdata = request->userdata;

    free_request(request);
    if (fake->error) {
        done(done_userdata, fake->error, "nobody has lent any", NULL, NULL);
        return;
    }
    char id[32];
    snprintf(id, sizeof(id), "AKID%d", fake->generation + 1);
    struct sigv4_credentials keys = {
        .access_key_id = id,
        .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        .session_token = fake->session_token,
    };
    done(done_userdata, 0, NULL, &keys, fake->region ? fake->region : "eu-west-1");
    /* Borrowed until it returned, and not a moment longer. */
    snprintf(id, sizeof(id), "gone");
}

int fake_credentials_get(struct credentials *credentials, credentials_done_fn *done, void *userdata,
                         struct credentials_request **ret)
{
    struct fake_credentials *fake = (struct fake_credentials *)(void *)credentials;
    if (fake->get_error)
        return fake->get_error;
    struct credentials_request *request = calloc(1, sizeof(*request));
    if (!request)
        abort();
    *request = (struct credentials_request){.fake = fake, .done = done, .userdata = userdata};
    if (loop_timer_new(fake->loop, deliver, request, &request->timer) < 0)
        abort();
    loop_timer_after(request->timer, fake->delay_ms);
    fake->n_requests++;
    *ret = request;
    return 0;
}

void fake_credentials_cancel(struct credentials_request *request)
{
    request->fake->n_cancelled++;
    free_request(request);
}
