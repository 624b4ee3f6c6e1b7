/* SPDX-License-Identifier: MIT */

/* What sources answer, friendly and hostile: JSON of metadata services, XML of STS. Whatever comes,
 * the result is a whole set of keys or none. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/credentials/credentials_imds.h"
#include "src/credentials/credentials_sts.h"
#include "src/credentials/credentials_xml.h"

#define KEYS_JSON                                                                         \
    "\"AccessKeyId\":\"ASIAKEY\",\"SecretAccessKey\":\"geheim/+\",\"Token\":\"token==\"," \
    "\"Expiration\":\"2026-03-02T18:00:00Z\""

#define XML_HEAD \
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"
#define XML_TAIL                                                                              \
    "</AssumeRoleResult><ResponseMetadata><RequestId>c6104cbe</RequestId></ResponseMetadata>" \
    "</AssumeRoleResponse>"
#define XML_KEYS                                                                    \
    "<AccessKeyId>ASIAKEY</AccessKeyId><SecretAccessKey>geheim/+</SecretAccessKey>" \
    "<SessionToken>token==</SessionToken><Expiration>2026-03-02T18:00:00Z</Expiration>"
#define XML_CREDENTIALS "<Credentials>" XML_KEYS "</Credentials>"

static void expect_the_keys(const struct credentials_keys *keys)
{
    assert_string_equal(keys->access_key_id, "ASIAKEY");
    assert_string_equal(keys->secret_access_key, "geheim/+");
    assert_string_equal(keys->session_token, "token==");
    assert_true(keys->expires);
    assert_int_equal(keys->expiration.ms, INT64_C(1772474400000));
}

/* The set that was there before stays as it was. */
static void expect_untouched(struct credentials_keys *keys)
{
    assert_string_equal(keys->access_key_id, "OLD");
    assert_string_equal(keys->secret_access_key, "old");
    assert_null(keys->session_token);
    assert_false(keys->expires);
    credentials_keys_wipe(keys);
}

static struct credentials_keys old_keys(void)
{
    struct credentials_keys keys = {0};
    struct credentials_why why;

    assert_int_equal(credentials_keys_set(&keys, "OLD", "old", NULL, &why), 0);
    return keys;
}

/* --- JSON -------------------------------------------------------------------------------------- */

static void a_json_answer_becomes_keys(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool with_code;
    } cases[] = {
        {"{\"Code\":\"Success\"," KEYS_JSON "}", true},
        {" {\"Code\" : \"Success\", \"Type\":\"AWS-HMAC\", \"X\":[{}], " KEYS_JSON "}\n", true},
        {"{" KEYS_JSON "}", false},
        {"{\"RoleArn\":\"arn\"," KEYS_JSON "}", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct credentials_keys keys = old_keys();
        struct credentials_why why;
        assert_int_equal(credentials_keys_from_json(cases[i].body, strlen(cases[i].body),
                                                    cases[i].with_code, &keys, &why),
                         0);
        expect_the_keys(&keys);
        credentials_keys_wipe(&keys);
    }
}

static void hostile_json_leaves_no_half_credential(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *why;
    } cases[] = {
        {"", "not a JSON object"},
        {"<html>503</html>", "not a JSON object"},
        {"[]", "not a JSON object"},
        {"\"geheim\"", "not a JSON object"},
        {"null", "not a JSON object"},
        {"{\"Code\":\"Success\"," KEYS_JSON, "not a JSON object"},
        {"{\"Code\":\"Success\"," KEYS_JSON "}{}", "not a JSON object"},
        {"{}", "has no Code"},
        {"{\"Code\":null," KEYS_JSON "}", "has no Code"},
        {"{\"Code\":1," KEYS_JSON "}", "Code is no string"},
        {"{\"Code\":\"Failed\"," KEYS_JSON "}", "Code Failed"},
        {"{\"Code\":\"AssumeRoleUnauthorizedAccess\"}", "Code AssumeRoleUnauthorizedAccess"},
        {"{\"Code\":\"x\\ny geheim\"}", "Code that is no word"},
        {"{\"Code\":\"Success\"}", "has no AccessKeyId"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"Token\":\"t\",\"Expiration\":\"e\"}",
         "has no SecretAccessKey"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"geheim\","
         "\"Expiration\":\"2026-03-02T18:00:00Z\"}",
         "has no Token"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"geheim\","
         "\"Token\":\"\",\"Expiration\":\"2026-03-02T18:00:00Z\"}",
         "session token is missing"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"geheim\","
         "\"Token\":\"t\"}",
         "has no Expiration"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"geheim\","
         "\"Token\":\"t\",\"Expiration\":\"\"}",
         "expiration is missing"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"geheim\","
         "\"Token\":\"t\",\"Expiration\":\"tomorrow\"}",
         "expiration is not a date"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"geheim\","
         "\"Token\":\"t\",\"Expiration\":1772474400}",
         "Expiration is no string"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"\",\"SecretAccessKey\":\"geheim\","
         "\"Token\":\"t\",\"Expiration\":\"2026-03-02T18:00:00Z\"}",
         "access key id is missing"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"geh\\r\\neim\","
         "\"Token\":\"t\",\"Expiration\":\"2026-03-02T18:00:00Z\"}",
         "secret access key holds a character"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":[\"geheim\"],"
         "\"Token\":\"t\",\"Expiration\":\"2026-03-02T18:00:00Z\"}",
         "SecretAccessKey is no string"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"geheim\","
         "\"Token\":\"t\\u00e9\",\"Expiration\":\"2026-03-02T18:00:00Z\"}",
         "session token holds a character"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct credentials_keys keys = old_keys();
        struct credentials_why why = {""};
        assert_int_equal(
            credentials_keys_from_json(cases[i].body, strlen(cases[i].body), true, &keys, &why),
            -EBADMSG);
        if (!strstr(why.text, cases[i].why))
            fail_msg("case %zu: %s", i, why.text);
        assert_null(strstr(why.text, "geheim"));
        expect_untouched(&keys);
    }
}

static void keys_beyond_their_limits_are_refused(void **state)
{
    (void)state;
    char *longest = calloc(1, CREDENTIALS_TOKEN_MAX + 2);
    assert_non_null(longest);
    struct credentials_keys keys = old_keys();
    struct credentials_why why;

    memset(longest, 'x', CREDENTIALS_TOKEN_MAX + 1);
    assert_int_equal(credentials_keys_set(&keys, "A", "b", longest, &why), -EINVAL);
    assert_non_null(strstr(why.text, "session token is longer than 16384"));
    longest[CREDENTIALS_SECRET_MAX + 1] = '\0';
    assert_int_equal(credentials_keys_set(&keys, "A", longest, NULL, &why), -EINVAL);
    assert_int_equal(credentials_keys_set(&keys, longest, "b", NULL, &why), -EINVAL);
    assert_int_equal(credentials_keys_set(&keys, NULL, "b", NULL, &why), -EINVAL);
    expect_untouched(&keys);

    longest[CREDENTIALS_SECRET_MAX] = '\0';
    keys = old_keys();
    assert_int_equal(credentials_keys_set(&keys, longest, longest, longest, &why), 0);
    credentials_keys_wipe(&keys);
    assert_null(keys.access_key_id);
    free(longest);
}

/* --- the name of the instance's role ------------------------------------------------------------ */

static void only_a_role_name_is_taken_for_one(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\nrole",
        "../../user-data",
        "a/b",
        "a?b",
        "a b",
        "a%2fb",
        "r\xc3\xb6le",
        "<html>",
        "a#b",
        "a:b",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", /* 65 */
    };
    char *role = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(credentials_imds_parse_role(bad[i], &role), -EBADMSG);
    assert_int_equal(credentials_imds_parse_role("bastion_+=,.@-1\r\nsecond\n", &role), 0);
    assert_string_equal(role, "bastion_+=,.@-1");
    free(role);
}

/* --- XML --------------------------------------------------------------------------------------- */

static void an_xml_answer_becomes_keys(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        XML_HEAD XML_CREDENTIALS XML_TAIL,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" XML_HEAD XML_CREDENTIALS XML_TAIL "\n",
        XML_HEAD "<AssumedRoleUser><Arn>a &amp; b</Arn><AssumedRoleId/></AssumedRoleUser>\n  "
                 "<Credentials>\n    " XML_KEYS "\n  </Credentials><PackedPolicySize>6"
                 "</PackedPolicySize>" XML_TAIL,
        "<AssumeRoleResponse\n a = 'x>y'\tb=\"z\" ><AssumeRoleResult ><Credentials >"
        "<SessionToken>&#116;&#x6f;ken&#61;=</SessionToken><AccessKeyId>ASIAKEY</AccessKeyId >"
        "<Other><AccessKeyId>EVIL</AccessKeyId></Other>"
        "<SecretAccessKey>geheim/&#x2B;</SecretAccessKey><Expiration>2026-03-02T18:00:00Z"
        "</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        struct credentials_keys keys = old_keys();
        struct credentials_why why = {""};
        if (credentials_sts_read(bodies[i], strlen(bodies[i]), "AssumeRole", &keys, &why) < 0)
            fail_msg("case %zu: %s", i, why.text);
        expect_the_keys(&keys);
        credentials_keys_wipe(&keys);
    }
}

static void hostile_xml_leaves_no_half_credential(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        " ",
        "geheim",
        "{}",
        "<",
        "<?xml",
        "<?xml version=\"1.0\"?>",
        "<a>",
        "</a>",
        "<a></b>",
        "<a></a",
        "<a></a><b></b>",
        "<a></a>text",
        "<a/",
        "<a/ >",
        "<a b></a>",
        "<a b=c></a>",
        "<a b=\"c></a>",
        "<a b=\"<\"></a>",
        "<a b=\"c\"d=\"e\"></a>",
        "<1></1>",
        "<-a></-a>",
        "<a><?php ?></a>",
        "<!DOCTYPE a [<!ENTITY lol \"lol\">]><a>&lol;</a>",
        XML_HEAD "<!-- c -->" XML_CREDENTIALS XML_TAIL,
        XML_HEAD "<Credentials><AccessKeyId><![CDATA[A]]></AccessKeyId></Credentials>" XML_TAIL,
        /* cut short, twice over, elsewhere */
        XML_HEAD XML_CREDENTIALS,
        XML_HEAD "</AssumeRoleResult></AssumeRoleResponse>",
        XML_HEAD "<Credentials/>" XML_TAIL,
        XML_HEAD XML_KEYS XML_TAIL,
        XML_HEAD XML_CREDENTIALS "<Credentials><AccessKeyId>B</AccessKeyId></Credentials>" XML_TAIL,
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleResult>" XML_CREDENTIALS
        "</AssumeRoleResult></AssumeRoleWithWebIdentityResponse>",
        "<Error><Code>Geheim</Code></Error>",
        /* one member missing or bad */
        XML_HEAD "<Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>geheim"
                 "</SecretAccessKey><SessionToken>t</SessionToken></Credentials>" XML_TAIL,
        XML_HEAD
        "<Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>geheim"
        "</SecretAccessKey><Expiration>2026-03-02T18:00:00Z</Expiration></Credentials>" XML_TAIL,
        XML_HEAD "<Credentials><AccessKeyId>A</AccessKeyId><SessionToken>t</SessionToken>"
                 "<Expiration>2026-03-02T18:00:00Z</Expiration></Credentials>" XML_TAIL,
        XML_HEAD "<Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>gehe im"
                 "</SecretAccessKey><SessionToken>t</SessionToken>"
                 "<Expiration>2026-03-02T18:00:00Z</Expiration></Credentials>" XML_TAIL,
        XML_HEAD "<Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>geheim"
                 "</SecretAccessKey><SessionToken>t</SessionToken>"
                 "<Expiration>soon</Expiration></Credentials>" XML_TAIL,
        XML_HEAD "<Credentials><Expiration>2026-03-02T18:00:00Z and much later than that"
                 "</Expiration></Credentials>" XML_TAIL,
        /* references */
        XML_HEAD "<Credentials><AccessKeyId>&evil;</AccessKeyId></Credentials>" XML_TAIL,
        XML_HEAD "<Credentials><AccessKeyId>&#0;</AccessKeyId></Credentials>" XML_TAIL,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        struct credentials_keys keys = old_keys();
        struct credentials_why why = {""};
        if (credentials_sts_read(bodies[i], strlen(bodies[i]), "AssumeRole", &keys, &why) !=
            -EBADMSG)
            fail_msg("case %zu", i);
        assert_true(why.text[0]);
        assert_null(strstr(why.text, "geheim"));
        expect_untouched(&keys);
    }
}

static void deep_and_large_xml_is_refused(void **state)
{
    (void)state;
    char *body = calloc(1, CREDENTIALS_RESPONSE_SIZE_MAX + 2);
    assert_non_null(body);
    struct credentials_keys keys = old_keys();
    struct credentials_why why;

    for (size_t i = 0; i < 1000; i++)
        memcpy(body + 3 * i, "<a>", 3);
    assert_int_equal(credentials_sts_read(body, 3000, "AssumeRole", &keys, &why), -EBADMSG);

    memset(body, ' ', CREDENTIALS_RESPONSE_SIZE_MAX + 1);
    assert_int_equal(
        credentials_sts_read(body, CREDENTIALS_RESPONSE_SIZE_MAX + 1, "AssumeRole", &keys, &why),
        -EBADMSG);
    assert_string_equal(why.text, "its answer is too large");

    /* A token one byte too long. */
    char *at = stpcpy(body, XML_HEAD "<Credentials><SessionToken>");
    memset(at, 't', CREDENTIALS_TOKEN_MAX + 1);
    strcpy(at + CREDENTIALS_TOKEN_MAX + 1, "</SessionToken></Credentials>" XML_TAIL);
    assert_int_equal(credentials_sts_read(body, strlen(body), "AssumeRole", &keys, &why), -EBADMSG);
    expect_untouched(&keys);
    free(body);
}

/* Every prefix of a good answer, and every byte of it changed. */
static void cut_and_flipped_xml_does_no_harm(void **state)
{
    (void)state;
    static const char body[] = XML_HEAD XML_CREDENTIALS XML_TAIL;
    static const char changes[] = "<>&;\"'/ \0x";
    size_t size = sizeof(body) - 1;

    for (size_t length = 0; length < size; length++) {
        char *copy = malloc(length ? length : 1); /* so that a read beyond the end is seen */
        assert_non_null(copy);
        memcpy(copy, body, length);
        struct credentials_keys keys = {0};
        struct credentials_why why;
        assert_int_equal(credentials_sts_read(copy, length, "AssumeRole", &keys, &why), -EBADMSG);
        assert_null(keys.access_key_id);
        free(copy);
    }
    for (size_t i = 0; i < size * (sizeof(changes) - 1); i++) {
        char *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, body, size);
        copy[i % size] = changes[i / size];
        struct credentials_keys keys = {0};
        struct credentials_why why;
        if (credentials_sts_read(copy, size, "AssumeRole", &keys, &why) == 0)
            assert_true(keys.secret_access_key && keys.session_token && keys.expires);
        credentials_keys_wipe(&keys);
        free(copy);
    }
}

static void references_are_resolved_to_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *decoded; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"&lt;&gt;&amp;&quot;&apos;", "<>&\"'"},
        {"&#65;&#x42;&#x63;&#x6A;", "ABcj"},
        {"&#xe9;&#x20AC;&#x10FFFF;", "\xc3\xa9\xe2\x82\xac\xf4\x8f\xbf\xbf"},
        {"&", NULL},
        {"&;", NULL},
        {"&amp", NULL},
        {"&AMP;", NULL},
        {"&nbsp;", NULL},
        {"&#;", NULL},
        {"&#x;", NULL},
        {"&#xG;", NULL},
        {"&#1a;", NULL},
        {"&#xD800;", NULL},
        {"&#x110000;", NULL},
        {"&#99999999999999999999;", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char buffer[64];
        int r = credentials_xml_decode((struct xml_slice){cases[i].text, strlen(cases[i].text)},
                                       buffer, sizeof(buffer));
        if (!cases[i].decoded) {
            assert_int_equal(r, -EBADMSG);
            continue;
        }
        assert_int_equal(r, 0);
        assert_string_equal(buffer, cases[i].decoded);
    }
    char small[4];
    assert_int_equal(credentials_xml_decode((struct xml_slice){"abcd", 4}, small, 4), -EFBIG);
    assert_int_equal(credentials_xml_decode((struct xml_slice){"ab&#xe9;", 8}, small, 4), -EFBIG);
    assert_int_equal(credentials_xml_decode((struct xml_slice){"a\0b", 3}, small, 4), -EBADMSG);
}

static void the_form_is_encoded(void **state)
{
    (void)state;
    const struct credentials_role role = {.arn = (char *)"arn:aws:iam::1:role/a b",
                                          .session_name = (char *)"me@host",
                                          .external_id = (char *)"x=y&z",
                                          .duration_seconds = (char *)"900"};
    const struct credentials_role web = {.arn = (char *)"arn", .session_name = (char *)"s~-._"};
    char *form = NULL;

    assert_int_equal(credentials_sts_form(&role, NULL, &form), 0);
    assert_string_equal(form, "Action=AssumeRole&Version=2011-06-15"
                              "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b"
                              "&RoleSessionName=me%40host&ExternalId=x%3Dy%26z"
                              "&DurationSeconds=900");
    free(form);
    assert_int_equal(credentials_sts_form(&web, "a.b/c", &form), 0);
    assert_string_equal(form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
                              "&RoleArn=arn&RoleSessionName=s~-._&WebIdentityToken=a.b%2Fc");
    free(form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_answer_becomes_keys),
        cmocka_unit_test(hostile_json_leaves_no_half_credential),
        cmocka_unit_test(keys_beyond_their_limits_are_refused),
        cmocka_unit_test(only_a_role_name_is_taken_for_one),
        cmocka_unit_test(an_xml_answer_becomes_keys),
        cmocka_unit_test(hostile_xml_leaves_no_half_credential),
        cmocka_unit_test(deep_and_large_xml_is_refused),
        cmocka_unit_test(cut_and_flipped_xml_does_no_harm),
        cmocka_unit_test(references_are_resolved_to_utf8),
        cmocka_unit_test(the_form_is_encoded),
    };
    return cmocka_run_group_tests_name("credentials: answers", tests, NULL, NULL);
}
