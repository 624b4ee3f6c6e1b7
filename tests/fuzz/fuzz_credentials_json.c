/* SPDX-License-Identifier: MIT */
/* What IMDS and container endpoints answer, and the role's name that IMDS gives. */

#include <errno.h>
#include <string.h>

#include "src/credentials/credentials_imds.h"
#include "src/credentials/credentials_keys.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_oracle.h"

static void check_same(struct json_object *document, const char *name, const char *value)
{
    const char *said = oracle_string(document, name);

    MUST(said && *said && strcmp(said, value) == 0);
}

/* The code is told, by which IMDS says what is wrong; nothing else is. */
static void check_why(const char *body, size_t size, const char *why)
{
    struct json_object *document = json_oracle_object(body, size);
    const char *code = document ? oracle_string(document, "Code") : NULL;

    MUST(*why);
    MUST((code && strstr(code, "geheim")) || !strstr(why, "geheim"));
    json_object_put(document);
}

static void check_keys(const char *body, size_t size, bool with_code)
{
    struct credentials_keys keys = {0};
    struct credentials_why why = {0};
    int r = credentials_keys_from_json(body, size, with_code, &keys, &why);

    MUST(r == 0 || r == -EBADMSG);
    if (r < 0) {
        MUST(!keys.access_key_id && !keys.secret_access_key && !keys.session_token);
        check_why(body, size, why.text);
        return;
    }
    struct json_object *document = json_oracle_object(body, size);
    MUST(document);
    check_same(document, "AccessKeyId", keys.access_key_id);
    check_same(document, "SecretAccessKey", keys.secret_access_key);
    check_same(document, "Token", keys.session_token);
    if (with_code)
        check_same(document, "Code", "Success");
    MUST(keys.expires && credentials_is_graphic(keys.session_token, strlen(keys.session_token)));
    json_object_put(document);
    credentials_keys_wipe(&keys);
}

static void check_role(const char *text)
{
    char *role = NULL;
    int r = credentials_imds_parse_role(text, &role);

    MUST(r == 0 || r == -EBADMSG);
    if (r == 0) {
        MUST(*role && credentials_is_graphic(role, strlen(role)));
        MUST(!strpbrk(role, "/?#%\\") && strncmp(text, role, strlen(role)) == 0);
    }
    free(role);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    size_t length = 0;
    char *body = fuzz_take_bytes(&input, &length);
    char *role = fuzz_take_text(&input);

    if (body) {
        check_keys(body, length, false);
        check_keys(body, length, true);
    }
    check_role(role);
    free(body);
    free(role);
    return 0;
}
