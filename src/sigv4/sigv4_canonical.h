/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIGV4_CANONICAL_H
#define PROVISIONERD_SIGV4_CANONICAL_H

/*
 * The canonical form of a request, the half of Signature V4 that is not cryptography: one text for
 * all the spellings of a path, a query and a set of headers that mean the same. Inside sigv4 only;
 * the rest of the house reads sigv4.h.
 *
 * Everything is written to text of fixed size and nothing is allocated. A text that did not fit is
 * noticed once, at its end, by sigv4_text_finish().
 */

#include <stdbool.h>
#include <stddef.h>

#include "sigv4.h"

struct sigv4_text {
    char *bytes;
    size_t size; /* at least 1 */
    size_t used;
    bool overflown; /* and stays so */
};

void sigv4_text_append(struct sigv4_text *text, const char *bytes, size_t size);
void sigv4_text_puts(struct sigv4_text *text, const char *string);

/* Ends the text with a NUL. Returns 0, or -E2BIG if not all of it fitted. */
int sigv4_text_finish(struct sigv4_text *text);

/* What signing adds: X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-Sha256. */
#define SIGV4_ADDED_HEADERS_MAX 3

/* In the order of their names in lower case, equal names as they came. Borrowed. */
struct sigv4_header_list {
    struct sigv4_header items[SIGV4_HEADERS_MAX + SIGV4_ADDED_HEADERS_MAX];
    size_t n;
};

/*
 * Key id, region or service: non-empty and without what would end it early in the Authorization
 * header, where it stands between '/' and ','.
 */
bool sigv4_is_scope_part(const char *text);

/* The request's headers and those that signing adds. Returns 0, -E2BIG or -EINVAL. */
int sigv4_collect_headers(const struct sigv4_request *request,
                          const struct sigv4_credentials *credentials,
                          const struct sigv4_scope *scope, const char *date,
                          const char *content_sha256, struct sigv4_header_list *ret);

/* "host;x-amz-date" */
void sigv4_append_signed_headers(struct sigv4_text *text, const struct sigv4_header_list *headers);

/* Returns 0, -E2BIG or -EINVAL (method or path cannot stand in a request). */
int sigv4_write_canonical_request(const struct sigv4_request *request,
                                  const struct sigv4_scope *scope,
                                  const struct sigv4_header_list *headers,
                                  const char *content_sha256, struct sigv4_text *text);

#endif
