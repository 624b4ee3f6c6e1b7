/* SPDX-License-Identifier: MIT */
#include "sigv4/sigv4_canonical.h"

#include <errno.h>
#include <string.h>

struct slice {
    const char *start;
    size_t size;
};

struct parameter {
    struct slice name;
    struct slice value;
};

#define ESCAPE_LENGTH 3 /* "%2F" */

/* ---- text ---- */

void sigv4_text_append(struct sigv4_text *text, const char *bytes, size_t size)
{
    if (text->overflown || size >= text->size - text->used) {
        text->overflown = true;
        return;
    }
    memcpy(text->bytes + text->used, bytes, size);
    text->used += size;
}

void sigv4_text_puts(struct sigv4_text *text, const char *string)
{
    sigv4_text_append(text, string, strlen(string));
}

int sigv4_text_finish(struct sigv4_text *text)
{
    text->bytes[text->used] = '\0';
    return text->overflown ? -E2BIG : 0;
}

static void put(struct sigv4_text *text, char c)
{
    sigv4_text_append(text, &c, 1);
}

/* ---- characters; never the C library's, which depend on the locale ---- */

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 3986 §2.3. */
static bool is_unreserved(char c)
{
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char to_lower(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = to_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int compare_names(const char *a, const char *b)
{
    while (*a && to_lower(*a) == to_lower(*b)) {
        a++;
        b++;
    }
    return (unsigned char)to_lower(*a) - (unsigned char)to_lower(*b);
}

/* RFC 9110 §5.6.2: what methods and header names are made of. */
static bool is_token(const char *text)
{
    if (!text || !*text)
        return false;
    for (; *text; text++) {
        if (!is_alphanumeric(*text) && !strchr("!#$%&'*+-.^_`|~", *text))
            return false;
    }
    return true;
}

bool sigv4_is_scope_part(const char *text)
{
    if (!text || !*text)
        return false;
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~' || *text == '/' || *text == ',')
            return false;
    }
    return true;
}

/* RFC 9110 §5.5: no control characters, above all no line end that would begin another header. */
static bool is_header_value(const char *text)
{
    if (!text)
        return false;
    for (; *text; text++) {
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    }
    return true;
}

/* ---- percent-encoding ---- */

static void append_encoded(struct sigv4_text *text, char c)
{
    static const char hex_digits[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char)c;
    char escape[] = {'%', hex_digits[byte >> 4], hex_digits[byte & 0xf]};

    if (is_unreserved(c))
        put(text, c);
    else
        sigv4_text_append(text, escape, sizeof(escape));
}

static bool is_escape(const char *text, size_t size)
{
    return size >= ESCAPE_LENGTH && text[0] == '%' && hex_value(text[1]) >= 0 &&
           hex_value(text[2]) >= 0;
}

/* Takes one byte off the front, an escape decoded. A '%' that begins no escape means itself. */
static char slice_next_decoded(struct slice *slice)
{
    const char *start = slice->start;
    size_t size = is_escape(start, slice->size) ? ESCAPE_LENGTH : 1;

    slice->start += size;
    slice->size -= size;
    if (size == 1)
        return *start;
    return (char)(hex_value(start[1]) * 16 + hex_value(start[2]));
}

/* ---- canonical path ---- */

/*
 * The path has been encoded once, as it was sent, and is encoded again: AWS's services other than
 * S3 sign it so. Empty and "." segments go, ".." takes the one before it along. An encoded segment
 * contains no '/', so what ".." removes can be found in the text already written.
 */
static void append_normalised_path(struct sigv4_text *text, const char *path)
{
    size_t root = text->used;
    bool ends_in_slash = *path && path[strlen(path) - 1] == '/';

    while (*path) {
        const char *segment = path + strspn(path, "/");
        size_t size = strcspn(segment, "/");

        path = segment + size;
        if (size == 0 || (size == 1 && segment[0] == '.'))
            continue;
        if (size == 2 && segment[0] == '.' && segment[1] == '.') {
            while (text->used > root && text->bytes[--text->used] != '/')
                ;
            continue;
        }
        put(text, '/');
        for (size_t i = 0; i < size; i++)
            append_encoded(text, segment[i]);
    }
    if (text->used == root || ends_in_slash)
        put(text, '/');
}

/* Encoded once: what is an escape already stays one. */
static void append_raw_path(struct sigv4_text *text, const char *path)
{
    if (!*path)
        put(text, '/');
    for (; *path; path++) {
        if (*path == '/' || is_escape(path, strnlen(path, ESCAPE_LENGTH)))
            put(text, *path);
        else
            append_encoded(text, *path);
    }
}

/* ---- canonical query ---- */

/*
 * Orders bytes as their encodings are ordered: all that is escaped begins with '%', which is less
 * than every unreserved character, and hexadecimal digits rise with the byte.
 */
static int encoded_rank(char c)
{
    return is_unreserved(c) ? 0x100 + c : (unsigned char)c;
}

static int compare_encoded(struct slice a, struct slice b)
{
    while (a.size > 0 && b.size > 0) {
        int difference =
            encoded_rank(slice_next_decoded(&a)) - encoded_rank(slice_next_decoded(&b));

        if (difference != 0)
            return difference;
    }
    return (a.size > 0) - (b.size > 0);
}

static int compare_parameters(const struct parameter *a, const struct parameter *b)
{
    int by_name = compare_encoded(a->name, b->name);

    return by_name != 0 ? by_name : compare_encoded(a->value, b->value);
}

/* "a=1", "a=" and "a" (the same to AWS); "=1" and "" have an empty name. */
static struct parameter parse_parameter(const char *start, size_t size)
{
    const char *equals = memchr(start, '=', size);
    size_t name_size = equals ? (size_t)(equals - start) : size;

    return (struct parameter){
        .name = {.start = start, .size = name_size},
        .value = {.start = equals ? equals + 1 : start + size,
                  .size = equals ? size - name_size - 1 : 0},
    };
}

static void append_slice(struct sigv4_text *text, struct slice slice)
{
    while (slice.size > 0)
        append_encoded(text, slice_next_decoded(&slice));
}

/* Escapes are decoded and made anew, so that every spelling of a query has one canonical form. */
static int append_query(struct sigv4_text *text, const char *query)
{
    struct parameter parameters[SIGV4_QUERY_PARAMETERS_MAX];
    size_t n = 0;

    if (!query || !*query)
        return 0;
    if (strnlen(query, SIGV4_CANONICAL_REQUEST_MAX) == SIGV4_CANONICAL_REQUEST_MAX)
        return -E2BIG;
    for (;;) {
        size_t size = strcspn(query, "&");
        struct parameter parameter = parse_parameter(query, size);
        size_t place = n;

        if (n == SIGV4_QUERY_PARAMETERS_MAX)
            return -E2BIG;
        for (; place > 0 && compare_parameters(&parameters[place - 1], &parameter) > 0; place--)
            parameters[place] = parameters[place - 1];
        parameters[place] = parameter;
        n++;
        if (!query[size])
            break;
        query += size + 1;
    }
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            put(text, '&');
        append_slice(text, parameters[i].name);
        put(text, '=');
        append_slice(text, parameters[i].value);
    }
    return 0;
}

/* ---- canonical headers ---- */

static void header_list_insert(struct sigv4_header_list *list, const char *name, const char *value)
{
    size_t place = list->n++;

    for (; place > 0 && compare_names(list->items[place - 1].name, name) > 0; place--)
        list->items[place] = list->items[place - 1];
    list->items[place] = (struct sigv4_header){.name = name, .value = value};
}

static const char *header_list_find(const struct sigv4_header_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        if (compare_names(list->items[i].name, name) == 0)
            return list->items[i].value;
    }
    return NULL;
}

/* A header that signing adds: there must not be another. */
static int header_list_add(struct sigv4_header_list *list, const char *name, const char *value)
{
    if (header_list_find(list, name) || !is_header_value(value))
        return -EINVAL;
    header_list_insert(list, name, value);
    return 0;
}

int sigv4_collect_headers(const struct sigv4_request *request,
                          const struct sigv4_credentials *credentials,
                          const struct sigv4_scope *scope, const char *date,
                          const char *content_sha256, struct sigv4_header_list *ret)
{
    int r;

    if (request->n_headers > SIGV4_HEADERS_MAX)
        return -E2BIG;
    if (!request->headers && request->n_headers > 0)
        return -EINVAL;
    ret->n = 0;
    for (size_t i = 0; i < request->n_headers; i++) {
        const struct sigv4_header *header = &request->headers[i];

        if (!is_token(header->name) || !is_header_value(header->value))
            return -EINVAL;
        header_list_insert(ret, header->name, header->value);
    }
    if (!header_list_find(ret, "host"))
        return -EINVAL;

    r = header_list_add(ret, "x-amz-date", date);
    if (r == 0 && credentials->session_token && !scope->omit_token)
        r = header_list_add(ret, "x-amz-security-token", credentials->session_token);
    if (r == 0 && scope->sign_body)
        r = header_list_add(ret, "x-amz-content-sha256", content_sha256);
    return r;
}

/* Blanks around go, blanks within become one space. */
static void append_trimmed(struct sigv4_text *text, const char *value)
{
    bool first = true;

    for (;;) {
        size_t size;

        while (is_blank(*value))
            value++;
        size = strcspn(value, " \t");
        if (size == 0)
            return;
        if (!first)
            put(text, ' ');
        first = false;
        sigv4_text_append(text, value, size);
        value += size;
    }
}

static void append_lower(struct sigv4_text *text, const char *name)
{
    for (; *name; name++)
        put(text, to_lower(*name));
}

static bool same_name_as_before(const struct sigv4_header_list *list, size_t i)
{
    return i > 0 && compare_names(list->items[i - 1].name, list->items[i].name) == 0;
}

static void append_headers(struct sigv4_text *text, const struct sigv4_header_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (same_name_as_before(list, i)) {
            put(text, ',');
        } else {
            if (i > 0)
                put(text, '\n');
            append_lower(text, list->items[i].name);
            put(text, ':');
        }
        append_trimmed(text, list->items[i].value);
    }
    put(text, '\n');
}

void sigv4_append_signed_headers(struct sigv4_text *text, const struct sigv4_header_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (same_name_as_before(list, i))
            continue;
        if (i > 0)
            put(text, ';');
        append_lower(text, list->items[i].name);
    }
}

/* ---- the whole ---- */

int sigv4_write_canonical_request(const struct sigv4_request *request,
                                  const struct sigv4_scope *scope,
                                  const struct sigv4_header_list *headers,
                                  const char *content_sha256, struct sigv4_text *text)
{
    const char *given_sha256 = header_list_find(headers, "x-amz-content-sha256");
    int r;

    if (!is_token(request->method) || !request->path || (*request->path && *request->path != '/'))
        return -EINVAL;
    sigv4_text_puts(text, request->method);
    put(text, '\n');
    if (scope->raw_path)
        append_raw_path(text, request->path);
    else
        append_normalised_path(text, request->path);
    put(text, '\n');
    r = append_query(text, request->query);
    if (r < 0)
        return r;
    put(text, '\n');
    append_headers(text, headers);
    put(text, '\n');
    sigv4_append_signed_headers(text, headers);
    put(text, '\n');
    append_trimmed(text, given_sha256 ? given_sha256 : content_sha256);
    return sigv4_text_finish(text);
}
