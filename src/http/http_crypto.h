/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_HTTP_CRYPTO_H
#define PROVISIONERD_HTTP_CRYPTO_H

/*
 * Has OpenSSL find the algorithms of TLS now, rather than in the midst of the first handshake.
 *
 * OpenSSL 3 collects those of a kind when one is first asked for, and remembers what it found for
 * good. When memory is short at that moment it remembers that there is nothing, and no connection
 * ever comes about again. Better to fail at the start, and be started anew.
 *
 * Returns 0 or -ENOMEM. Does its work once.
 */
int http_prepare_crypto(void);

#endif
