/* SPDX-License-Identifier: MIT */
/* XML of STS. */

#include <errno.h>
#include <string.h>

#include "src/credentials/credentials_sts.h"
#include "src/credentials/credentials_xml.h"
#include "tests/fuzz/fuzz.h"

/* Events follow each other as elements nest, and end. */
static void check_events(const char *body, size_t size)
{
    struct credentials_xml xml = CREDENTIALS_XML(body, size);
    char decoded[256];
    size_t depth = 0, n_events = 0;
    int event;

    while ((event = credentials_xml_next(&xml)) > XML_END_OF_DOCUMENT) {
        MUST(++n_events <= 2 * size + 2);
        if (event == XML_START)
            depth++;
        else if (event == XML_END)
            depth--;
        else
            MUST(event == XML_TEXT && xml.text.size > 0 &&
                 !memchr(xml.text.at, '<', xml.text.size));
        MUST(depth == xml.depth && depth <= XML_DEPTH_MAX);
        if (event != XML_TEXT)
            continue;
        int r = credentials_xml_decode(xml.text, decoded, sizeof(decoded));
        MUST(r == 0 || r == -EBADMSG || r == -EFBIG);
        MUST(r != 0 || strlen(decoded) <= xml.text.size);
    }
    MUST(event == -EBADMSG || (event == XML_END_OF_DOCUMENT && depth == 0));
}

static void check_read(const char *body, size_t size, const char *action)
{
    struct credentials_keys keys = {0};
    struct credentials_why why = {0};
    int r = credentials_sts_read(body, size, action, &keys, &why);

    MUST(r == 0 || r == -EBADMSG);
    if (r == 0) {
        MUST(keys.access_key_id && keys.secret_access_key && keys.session_token && keys.expires);
        MUST(*keys.access_key_id && *keys.secret_access_key && *keys.session_token);
        MUST(credentials_is_graphic(keys.session_token, strlen(keys.session_token)));
        /* Nothing is made up: what has no reference in it stands in the answer as it is. */
        MUST(memchr(body, '&', size) ||
             memmem(body, size, keys.secret_access_key, strlen(keys.secret_access_key)));
    } else {
        MUST(!keys.access_key_id && !keys.secret_access_key && !keys.session_token);
        MUST(why.text[0] && !strstr(why.text, "geheim"));
    }
    credentials_keys_wipe(&keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    size_t length = 0;
    char *body = fuzz_take_bytes(&input, &length);

    if (!body)
        return 0;
    check_events(body, length);
    check_read(body, length, "AssumeRole");
    check_read(body, length, "AssumeRoleWithWebIdentity");
    free(body);
    return 0;
}
