/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_KEYS_H
#define PROVISIONERD_CREDENTIALS_KEYS_H

/*
 * One set of access keys, and how secrets are held: in allocated memory that is wiped before it is
 * freed. A set is whole or empty, never half: keys are checked together when they are set.
 *
 * Pure. Errors come as a negative errno and a sentence in `why`, which never holds a secret.
 */

#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"
#include "clock.h"

/* Limits of the STS API Reference are 128 for an access key id; a secret has 40 characters, a session
 * token some 1,000 to 4,000 and no documented end. Generous, but bounded. */
#define CREDENTIALS_ACCESS_KEY_ID_MAX 128
#define CREDENTIALS_SECRET_MAX 128
#define CREDENTIALS_TOKEN_MAX 16384

/* Answers of metadata services and STS: two tokens and some text. */
#define CREDENTIALS_RESPONSE_SIZE_MAX 65536

#define CREDENTIALS_WHY_MAX 1024

struct credentials_why {
    char text[CREDENTIALS_WHY_MAX];
};

/* Writes the sentence and returns error, so that failing is one statement. */
int credentials_fail(struct credentials_why *why, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct credentials_keys {
    char *access_key_id;
    char *secret_access_key;
    char *session_token; /* NULL: none */
    bool expires;
    struct wall expiration; /* if it expires */
};

/* Replaces what *keys holds; on error leaves it as it is. token: NULL or "" is none. The set does not
 * expire. Returns 0, -ENOMEM or -EINVAL (empty, too long, or not printable ASCII). */
int credentials_keys_set(struct credentials_keys *keys, const char *access_key_id,
                         const char *secret_access_key, const char *session_token,
                         struct credentials_why *why);

/* As above, of keys that end at expiration (ISO 8601). All four are needed: temporary keys without a
 * token are half a credential. NULL is refused like "". -EBADMSG in place of -EINVAL. */
int credentials_keys_set_temporary(struct credentials_keys *keys, const char *access_key_id,
                                   const char *secret_access_key, const char *session_token,
                                   const char *expiration, struct credentials_why *why);

/*
 * Reads what IMDS and container endpoints answer. with_code: a member Code must say "Success" (IMDS).
 * Returns 0, -ENOMEM or -EBADMSG.
 */
int credentials_keys_from_json(const char *body, size_t size, bool with_code,
                               struct credentials_keys *keys, struct credentials_why *why);

static inline bool credentials_keys_are_set(const struct credentials_keys *keys)
{
    return keys->access_key_id;
}

void credentials_keys_wipe(struct credentials_keys *keys);
#define _cleanup_keys_ __attribute__((cleanup(credentials_keys_wipe)))

/* Moves a set: *to is wiped, *from is empty afterwards. */
void credentials_keys_move(struct credentials_keys *to, struct credentials_keys *from);

/* Wipes a string and frees it; takes NULL. */
void credentials_secret_free(char *secret);
DEFINE_CLEANUP(char *, credentials_secret_free)
#define _cleanup_secret_ _cleanup_(credentials_secret_free)

/* Printable ASCII throughout, blanks not among it: nothing that could end a header or a URL. */
bool credentials_is_graphic(const char *text, size_t size);

/* true: one to length_max characters, each a letter, a digit, or in `others`. */
bool credentials_is_word(const char *text, size_t length_max, const char *others);

#endif
