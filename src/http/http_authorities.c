/* SPDX-License-Identifier: MIT */
#include "http/http_authorities.h"

#include <unistd.h>

const char *const http_authorities_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Arch, Gentoo, Flatcar */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Amazon Linux, Fedora, RHEL */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* where they have it from */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE, SLES */
    "/etc/ssl/cert.pem",
    NULL,
};

const char *http_authorities_find(const curl_version_info_data *libcurl, const char *const *files)
{
    if (libcurl->cainfo || libcurl->capath)
        return NULL;
    for (; *files; files++)
        if (access(*files, R_OK) == 0)
            return *files;
    return NULL;
}
