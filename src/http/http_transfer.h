/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_HTTP_TRANSFER_H
#define PROVISIONERD_HTTP_TRANSFER_H

/*
 * One HTTP exchange as a curl easy handle: what http.h promises of a request goes in as options, the
 * response is gathered within its limits, and curl's result comes out as an errno and a text.
 * It starts nothing and waits for nothing: http.c gives the handle to the pool.
 */

#include <curl/curl.h>

#include "http.h"

struct transfer;

/*
 * Copies the request. owner is found again with transfer_owner().
 * Returns 0, -EINVAL (unusable method, URL, header or time-out) or -ENOMEM.
 */
int transfer_new(const struct http_request *request, const char *ca_bundle, void *owner,
                 struct transfer **ret);

/* Wipes what may hold secrets. The handle must be out of the pool. */
struct transfer *transfer_free(struct transfer *transfer);

CURL *transfer_easy(struct transfer *transfer);

/* The owner of the transfer behind the handle; NULL for a handle that curl made for itself. */
void *transfer_owner(CURL *easy);

/* Drops the copy of the request, credentials and all, which has been sent. Out of the pool only. */
void transfer_forget_request(struct transfer *transfer);

/* What came of it. The response is borrowed from the transfer; result is curl's, or error, if not 0,
 * a negative errno that takes precedence. */
void transfer_response(struct transfer *transfer, CURLcode result, int error,
                       struct http_response *ret);

#endif
