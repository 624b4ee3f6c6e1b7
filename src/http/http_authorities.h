/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_HTTP_AUTHORITIES_H
#define PROVISIONERD_HTTP_AUTHORITIES_H

/*
 * Where this system keeps the certificates of the authorities (CAs) it trusts. A distribution's libcurl
 * was told when it was built; one that is made for every distribution, as that of the tarball is, was
 * not, and trusts nobody unless it is told now.
 */

#include <curl/curl.h>

/* Each distribution's, and NULL. */
extern const char *const http_authorities_files[];

/*
 * The first of `files` that can be read, or NULL: libcurl knows a place of its own, or none of them is
 * there. `files` ends with NULL; what is returned is borrowed from it.
 */
const char *http_authorities_find(const curl_version_info_data *libcurl, const char *const *files);

#endif
