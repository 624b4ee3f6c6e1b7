/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_xml.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* "&#x10FFFF;" is the longest reference that can be meant. */
#define REFERENCE_MAX 12

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The ASCII part of the names of XML 1.0 §2.3. */
static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == ':' || c == '-' || c == '.';
}

static void skip_space(struct credentials_xml *xml)
{
    while (xml->at < xml->end && is_space(*xml->at))
        xml->at++;
}

static bool skip_char(struct credentials_xml *xml, char c)
{
    if (xml->at == xml->end || *xml->at != c)
        return false;
    xml->at++;
    return true;
}

static bool read_name(struct credentials_xml *xml, struct xml_slice *ret)
{
    const char *begin = xml->at;

    while (xml->at < xml->end && is_name_char(*xml->at))
        xml->at++;
    *ret = (struct xml_slice){begin, (size_t)(xml->at - begin)};
    return ret->size > 0 && !(*begin >= '0' && *begin <= '9') && *begin != '-' && *begin != '.';
}

/* name="value" */
static bool skip_attribute(struct credentials_xml *xml)
{
    struct xml_slice name;

    if (!read_name(xml, &name))
        return false;
    skip_space(xml);
    if (!skip_char(xml, '='))
        return false;
    skip_space(xml);
    if (xml->at == xml->end || (*xml->at != '"' && *xml->at != '\''))
        return false;
    char quote = *xml->at++;
    const char *close = memchr(xml->at, quote, (size_t)(xml->end - xml->at));
    if (!close || memchr(xml->at, '<', (size_t)(close - xml->at)))
        return false;
    xml->at = close + 1;
    return true;
}

static int read_start(struct credentials_xml *xml)
{
    struct xml_slice name;

    if ((xml->depth == 0 && xml->has_root) || xml->depth == XML_DEPTH_MAX || !read_name(xml, &name))
        return -EBADMSG;
    for (;;) {
        bool spaced = xml->at < xml->end && is_space(*xml->at);
        skip_space(xml);
        if (skip_char(xml, '>'))
            break;
        if (skip_char(xml, '/')) {
            if (!skip_char(xml, '>'))
                return -EBADMSG;
            xml->is_empty_element = true;
            break;
        }
        if (!spaced || !skip_attribute(xml))
            return -EBADMSG;
    }
    xml->open[xml->depth++] = name;
    xml->has_root = true;
    return XML_START;
}

static int read_end(struct credentials_xml *xml)
{
    struct xml_slice name;

    if (xml->depth == 0 || !read_name(xml, &name))
        return -EBADMSG;
    skip_space(xml);
    if (!skip_char(xml, '>'))
        return -EBADMSG;
    struct xml_slice open = xml->open[xml->depth - 1];
    if (open.size != name.size || memcmp(open.at, name.at, name.size) != 0)
        return -EBADMSG;
    xml->depth--;
    return XML_END;
}

static int skip_declaration(struct credentials_xml *xml)
{
    static const char begin[] = "<?xml", end[] = "?>";
    size_t size = (size_t)(xml->end - xml->at);

    if (size < strlen(begin) || memcmp(xml->at, begin, strlen(begin)) != 0)
        return 0;
    const char *close = memmem(xml->at, size, end, strlen(end));
    if (!close)
        return -EBADMSG;
    xml->at = close + strlen(end);
    return 0;
}

int credentials_xml_next(struct credentials_xml *xml)
{
    if (xml->is_empty_element) {
        xml->is_empty_element = false;
        xml->depth--;
        return XML_END;
    }
    if (xml->depth == 0) {
        if (!xml->has_root && skip_declaration(xml) < 0)
            return -EBADMSG;
        skip_space(xml);
        if (xml->at == xml->end)
            return xml->has_root ? XML_END_OF_DOCUMENT : -EBADMSG;
    }
    if (xml->at == xml->end)
        return -EBADMSG;
    if (skip_char(xml, '<'))
        return skip_char(xml, '/') ? read_end(xml) : read_start(xml);
    if (xml->depth == 0)
        return -EBADMSG;

    const char *close = memchr(xml->at, '<', (size_t)(xml->end - xml->at));
    if (!close)
        return -EBADMSG;
    xml->text = (struct xml_slice){xml->at, (size_t)(close - xml->at)};
    xml->at = close;
    return XML_TEXT;
}

bool credentials_xml_is(const struct credentials_xml *xml, size_t level, const char *name)
{
    return xml->open[level].size == strlen(name) &&
           memcmp(xml->open[level].at, name, xml->open[level].size) == 0;
}

/* "#65" and "#x41". Returns 0 for what is no character, NUL included. */
static uint32_t parse_number(struct xml_slice reference)
{
    bool is_hex = reference.size > 1 && reference.at[1] == 'x';
    size_t first = is_hex ? 2 : 1;
    uint32_t base = is_hex ? 16 : 10, code = 0;

    for (size_t i = first; i < reference.size; i++) {
        char c = reference.at[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : base;
        if (digit >= base)
            return 0;
        code = code * base + digit;
        if (code > 0x10FFFF)
            return 0;
    }
    return code >= 0xD800 && code <= 0xDFFF ? 0 : code;
}

static uint32_t parse_reference(struct xml_slice reference)
{
    static const struct {
        const char *name;
        char c;
    } named[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};

    if (reference.size > 0 && reference.at[0] == '#')
        return parse_number(reference);
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        if (reference.size == strlen(named[i].name) &&
            memcmp(reference.at, named[i].name, reference.size) == 0)
            return (uint32_t)named[i].c;
    return 0;
}

/* Returns the number of bytes, 1 to 4. */
static size_t encode_utf8(uint32_t code, char out[static 4])
{
    static const unsigned char lead[] = {0x00, 0x00, 0xC0, 0xE0, 0xF0};
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = n; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(lead[n] | code);
    return n;
}

int credentials_xml_decode(struct xml_slice text, char *buffer, size_t buffer_size)
{
    const char *at = text.at, *end = text.at + text.size;
    size_t used = 0;

    while (at < end) {
        char bytes[4] = {*at};
        size_t n = 1;

        if (*at == '\0')
            return -EBADMSG;
        if (*at == '&') {
            size_t rest = (size_t)(end - at);
            const char *semicolon = memchr(at, ';', rest < REFERENCE_MAX ? rest : REFERENCE_MAX);
            uint32_t code =
                semicolon
                    ? parse_reference((struct xml_slice){at + 1, (size_t)(semicolon - at - 1)})
                    : 0;
            if (code == 0)
                return -EBADMSG;
            n = encode_utf8(code, bytes);
            at = semicolon;
        }
        at++;
        if (used + n >= buffer_size)
            return -EFBIG;
        memcpy(buffer + used, bytes, n);
        used += n;
    }
    buffer[used] = '\0';
    return 0;
}
