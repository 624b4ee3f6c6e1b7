/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_CREDENTIALS_XML_H
#define PROVISIONERD_CREDENTIALS_XML_H

/*
 * As much XML as STS writes, read strictly: elements, attributes (skipped), text, the five named
 * entities and character references. Declarations (<!DOCTYPE, <!ENTITY), CDATA, comments and
 * processing instructions other than the first line's <?xml ... ?> are refused, so there is nothing
 * to expand and nothing to fetch. Pure, allocates nothing, bounded in depth; the size is the
 * caller's to bound.
 *
 *     struct credentials_xml xml = CREDENTIALS_XML(body, size);
 *     while ((event = credentials_xml_next(&xml)) > XML_END_OF_DOCUMENT)
 *         if (event == XML_START && credentials_xml_is(&xml, xml.depth - 1, "AccessKeyId")) ...
 */

#include <stdbool.h>
#include <stddef.h>

#define XML_DEPTH_MAX 16 /* STS's answers nest to 4 */

enum xml_event {
    XML_END_OF_DOCUMENT = 0,
    XML_START, /* of open[depth - 1] */
    XML_TEXT,  /* of open[depth - 1]: text, undecoded; whitespace alone is text too */
    XML_END,   /* of what was open[depth]; its name is still there */
};

struct xml_slice {
    const char *at;
    size_t size;
};

struct credentials_xml {
    const char *at;
    const char *end;
    struct xml_slice open[XML_DEPTH_MAX];
    size_t depth;
    struct xml_slice text;
    bool is_empty_element; /* <a/>: its end is still to be told */
    bool has_root;
};

#define CREDENTIALS_XML(body, size) ((struct credentials_xml){.at = (body), .end = (body) + (size)})

/* Returns an event, or -EBADMSG. */
int credentials_xml_next(struct credentials_xml *xml);

bool credentials_xml_is(const struct credentials_xml *xml, size_t level, const char *name);

/* Resolves references into buffer, NUL-terminated. Returns 0, -EBADMSG or -EFBIG (does not fit). */
int credentials_xml_decode(struct xml_slice text, char *buffer, size_t buffer_size);

#endif
