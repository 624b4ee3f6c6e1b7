/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_keys.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <json-c/json_object_iterator.h>

#include "json.h"

int credentials_fail(struct credentials_why *why, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->text, sizeof(why->text), format, arguments);
    va_end(arguments);
    return error;
}

void credentials_secret_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void credentials_keys_wipe(struct credentials_keys *keys)
{
    credentials_secret_free(keys->access_key_id);
    credentials_secret_free(keys->secret_access_key);
    credentials_secret_free(keys->session_token);
    *keys = (struct credentials_keys){0};
}

void credentials_keys_move(struct credentials_keys *to, struct credentials_keys *from)
{
    credentials_keys_wipe(to);
    *to = *from;
    *from = (struct credentials_keys){0};
}

bool credentials_is_word(const char *text, size_t length_max, const char *others)
{
    size_t length = 0;

    for (; text[length]; length++) {
        char c = text[length];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if ((!plain && !strchr(others, c)) || length == length_max)
            return false;
    }
    return length > 0;
}

bool credentials_is_graphic(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

/* Keys travel in headers: a control character or a space in one would forge another header. */
static int check_secret(const char *name, const char *value, size_t length_max,
                        struct credentials_why *why)
{
    if (!value || !*value)
        return credentials_fail(why, -EINVAL, "the %s is missing", name);
    size_t length = strnlen(value, length_max + 1);
    if (length > length_max)
        return credentials_fail(why, -EINVAL, "the %s is longer than %zu characters", name,
                                length_max);
    if (!credentials_is_graphic(value, length))
        return credentials_fail(why, -EINVAL, "the %s holds a character that cannot be part of one",
                                name);
    return 0;
}

int credentials_keys_set(struct credentials_keys *keys, const char *access_key_id,
                         const char *secret_access_key, const char *session_token,
                         struct credentials_why *why)
{
    bool has_token = session_token && *session_token;
    int r;

    if ((r = check_secret("access key id", access_key_id, CREDENTIALS_ACCESS_KEY_ID_MAX, why)) <
            0 ||
        (r = check_secret("secret access key", secret_access_key, CREDENTIALS_SECRET_MAX, why)) < 0)
        return r;
    if (has_token && (r = check_secret("session token", session_token, CREDENTIALS_TOKEN_MAX, why)))
        return r;

    struct credentials_keys fresh = {
        .access_key_id = strdup(access_key_id),
        .secret_access_key = strdup(secret_access_key),
        .session_token = has_token ? strdup(session_token) : NULL,
    };
    if (!fresh.access_key_id || !fresh.secret_access_key || (has_token && !fresh.session_token)) {
        credentials_keys_wipe(&fresh);
        return credentials_fail(why, -ENOMEM, "out of memory");
    }
    credentials_keys_move(keys, &fresh);
    return 0;
}

int credentials_keys_set_temporary(struct credentials_keys *keys, const char *access_key_id,
                                   const char *secret_access_key, const char *session_token,
                                   const char *expiration, struct credentials_why *why)
{
    struct wall end;

    if (!session_token || !*session_token)
        return credentials_fail(why, -EBADMSG, "the session token is missing");
    if (!expiration || !*expiration)
        return credentials_fail(why, -EBADMSG, "the expiration is missing");
    if (wall_parse_iso(expiration, &end) < 0)
        return credentials_fail(why, -EBADMSG, "the expiration is not a date");

    int r = credentials_keys_set(keys, access_key_id, secret_access_key, session_token, why);
    if (r < 0)
        return r == -EINVAL ? -EBADMSG : r;
    keys->expires = true;
    keys->expiration = end;
    return 0;
}

/* json-c frees its strings as they are. It hands out its own memory as const, but that lies on the
 * heap, and nobody reads it any more. */
static void wipe_strings(struct json_object *object)
{
    struct json_object_iterator at = json_object_iter_begin(object);
    struct json_object_iterator end = json_object_iter_end(object);

    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        struct json_object *member = json_object_iter_peek_value(&at);
        if (json_object_is_type(member, json_type_string))
            explicit_bzero((void *)json_object_get_string(member),
                           (size_t)json_object_get_string_len(member));
    }
}

static int json_member(struct json_object *object, const char *name, const char **ret,
                       struct credentials_why *why)
{
    int r = json_get_string(object, name, ret);
    if (r == -ENOENT)
        return credentials_fail(why, -EBADMSG, "its answer has no %s", name);
    if (r < 0)
        return credentials_fail(why, -EBADMSG, "in its answer %s is no string", name);
    return 0;
}

/* What a metadata service says in place of keys: "AssumeRoleUnauthorizedAccess" and the like. */
static int check_code(struct json_object *object, struct credentials_why *why)
{
    const char *code;

    int r = json_member(object, "Code", &code, why);
    if (r < 0)
        return r;
    if (strcmp(code, "Success") == 0)
        return 0;
    return credentials_fail(why, -EBADMSG, "it has no keys to give: its answer has Code %s",
                            credentials_is_word(code, 64, "-_.") ? code : "that is no word");
}

int credentials_keys_from_json(const char *body, size_t size, bool with_code,
                               struct credentials_keys *keys, struct credentials_why *why)
{
    _cleanup_json_ struct json_object *object = NULL;
    const char *id, *secret, *token, *expiration;

    int r = json_parse(body, size, &object);
    if (r == -ENOMEM)
        return credentials_fail(why, r, "out of memory");
    if (r < 0 || !json_object_is_type(object, json_type_object))
        return credentials_fail(why, -EBADMSG, "its answer is not a JSON object");

    if ((!with_code || (r = check_code(object, why)) == 0) &&
        (r = json_member(object, "AccessKeyId", &id, why)) == 0 &&
        (r = json_member(object, "SecretAccessKey", &secret, why)) == 0 &&
        (r = json_member(object, "Token", &token, why)) == 0 &&
        (r = json_member(object, "Expiration", &expiration, why)) == 0)
        r = credentials_keys_set_temporary(keys, id, secret, token, expiration, why);
    wipe_strings(object);
    return r;
}
