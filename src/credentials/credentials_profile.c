/* SPDX-License-Identifier: MIT */
#include "credentials/credentials_profile.h"

#include <errno.h>
#include <string.h>

/* A stretch of the text, not terminated. */
struct span {
    const char *at;
    size_t size;
};

struct parser {
    struct profile_file *file;
    enum profile_dialect dialect;
    unsigned line;
    struct profile_section *section;   /* of the last header */
    struct profile_property *property; /* of the last line that began one at section level */
    bool has_prefixed_default;         /* [profile default], which outranks [default] */
    struct credentials_why *why;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span span_trim(struct span span)
{
    while (span.size > 0 && is_blank(span.at[0]))
        span = (struct span){span.at + 1, span.size - 1};
    while (span.size > 0 && is_blank(span.at[span.size - 1]))
        span.size--;
    return span;
}

/* Up to the first '#' or ';' with a blank before it. */
static struct span span_without_comment(struct span span)
{
    for (size_t i = 1; i < span.size; i++)
        if ((span.at[i] == '#' || span.at[i] == ';') && is_blank(span.at[i - 1]))
            return (struct span){span.at, i};
    return span;
}

static bool span_drop_word(struct span *span, const char *word)
{
    size_t length = strlen(word);

    if (span->size <= length || memcmp(span->at, word, length) != 0 || !is_blank(span->at[length]))
        return false;
    *span = span_trim((struct span){span->at + length, span->size - length});
    return true;
}

static int out_of_memory(struct parser *parser)
{
    return credentials_fail(parser->why, -ENOMEM, "out of memory");
}

static int syntax_error(struct parser *parser, const char *what)
{
    return credentials_fail(parser->why, -EINVAL, "%s:%u: %s", parser->file->path, parser->line,
                            what);
}

/* Room for one more at the end of an array that grows by doubling. The arrays hold pointers to
 * secrets, not secrets, so there is nothing to wipe when one moves. */
static void *grow(void *array, size_t n, size_t item_size)
{
    if (n > 0 && (n & (n - 1)) != 0)
        return array;
    return reallocarray(array, n ? n * 2 : 1, item_size);
}

static int add_section(struct parser *parser, enum profile_section_kind kind, struct span name)
{
    struct profile_file *file = parser->file;

    void *grown = grow(file->sections, file->n_sections, sizeof(*file->sections));
    if (!grown)
        return out_of_memory(parser);
    file->sections = grown;

    char *copy = strndup(name.at, name.size);
    if (!copy)
        return out_of_memory(parser);
    parser->section = &file->sections[file->n_sections++];
    *parser->section = (struct profile_section){.kind = kind, .name = copy, .line = parser->line};
    parser->property = NULL;
    return 0;
}

static bool span_is(struct span span, const char *word)
{
    return span.size == strlen(word) && memcmp(span.at, word, span.size) == 0;
}

/* Takes the kind's word off the name. */
static enum profile_section_kind classify(struct parser *parser, struct span *name)
{
    if (parser->dialect == PROFILE_CREDENTIALS)
        return PROFILE_SECTION_PROFILE;
    if (span_drop_word(name, "services"))
        return PROFILE_SECTION_SERVICES;
    if (span_is(*name, "default"))
        return parser->has_prefixed_default ? PROFILE_SECTION_OTHER : PROFILE_SECTION_PROFILE;
    if (!span_drop_word(name, "profile"))
        return PROFILE_SECTION_OTHER;
    if (span_is(*name, "default") && !parser->has_prefixed_default) {
        parser->has_prefixed_default = true;
        for (size_t i = 0; i < parser->file->n_sections; i++)
            if (strcmp(parser->file->sections[i].name, "default") == 0)
                parser->file->sections[i].kind = PROFILE_SECTION_OTHER;
    }
    return PROFILE_SECTION_PROFILE;
}

static int parse_header(struct parser *parser, struct span line)
{
    const char *close = memchr(line.at, ']', line.size);

    if (!close)
        return syntax_error(parser, "this section header has no ']'");
    struct span rest = {close + 1, (size_t)(line.at + line.size - close - 1)};
    rest = span_trim(rest);
    if (rest.size > 0 && rest.at[0] != '#' && rest.at[0] != ';')
        return syntax_error(parser, "there is text behind the ']' of this section header");

    struct span name = span_trim((struct span){line.at + 1, (size_t)(close - line.at - 1)});
    enum profile_section_kind kind = classify(parser, &name);
    if (name.size >= 2 && name.at[0] == '"' && name.at[name.size - 1] == '"')
        name = (struct span){name.at + 1, name.size - 2};
    if (name.size == 0)
        return syntax_error(parser, "this section header has no name");
    return add_section(parser, kind, name);
}

static int add_property(struct parser *parser, const struct profile_property *parent,
                        struct span name, struct span value, size_t indent)
{
    struct profile_section *section = parser->section;
    _cleanup_free_ char *full_name = NULL;

    if (asprintf(&full_name, "%s%s%.*s", parent ? parent->name : "", parent ? "." : "",
                 (int)name.size, name.at) < 0) {
        full_name = NULL;
        return out_of_memory(parser);
    }
    for (char *c = full_name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');

    void *grown = grow(section->properties, section->n_properties, sizeof(*section->properties));
    if (!grown)
        return out_of_memory(parser);
    section->properties = grown;

    char *copy = strndup(value.at, value.size);
    if (!copy)
        return out_of_memory(parser);
    section->properties[section->n_properties++] = (struct profile_property){
        .name = TAKE(full_name), .value = copy, .line = parser->line, .indent = indent};
    return 0;
}

static int parse_setting(struct parser *parser, struct span line, size_t indent)
{
    struct profile_section *section = parser->section;
    size_t parent = section->n_properties; /* none */

    if (parser->property && indent > parser->property->indent) {
        if (*parser->property->value) {
            if (parser->property->continued_line == 0)
                parser->property->continued_line = parser->line;
            return 0;
        }
        parent = (size_t)(parser->property - section->properties);
    }

    const char *equals = memchr(line.at, '=', line.size);
    if (!equals)
        return syntax_error(parser, "neither a [section] nor name = value");
    struct span name = span_trim((struct span){line.at, (size_t)(equals - line.at)});
    if (name.size == 0)
        return syntax_error(parser, "there is no name before the '='");
    struct span value = {equals + 1, (size_t)(line.at + line.size - equals - 1)};
    value = span_trim(span_without_comment(value));

    size_t index = section->n_properties;
    int r = add_property(parser, parent < index ? &section->properties[parent] : NULL, name, value,
                         indent);
    if (r < 0)
        return r;
    parser->property = &section->properties[parent < index ? parent : index];
    return 0;
}

static int parse_line(struct parser *parser, struct span line)
{
    if (line.size > PROFILE_LINE_MAX)
        return syntax_error(parser, "this line is longer than 32 KiB");
    if (memchr(line.at, '\0', line.size))
        return syntax_error(parser, "there is a NUL byte in this line");
    if (line.size > 0 && line.at[line.size - 1] == '\r')
        line.size--;

    struct span content = span_trim(line);
    if (content.size == 0 || content.at[0] == '#' || content.at[0] == ';')
        return 0;
    if (content.at[0] == '[')
        return parse_header(parser, content);
    if (!parser->section)
        return syntax_error(parser, "there is text before the first [section]");
    return parse_setting(parser, content, (size_t)(content.at - line.at));
}

int credentials_profile_parse(const char *path, enum profile_dialect dialect, const char *text,
                              size_t size, struct profile_file **ret, struct credentials_why *why)
{
    static const char bom[] = "\xef\xbb\xbf";
    _cleanup_(credentials_profile_free) struct profile_file *file = calloc(1, sizeof(*file));
    struct parser parser = {.file = file, .dialect = dialect, .why = why};

    if (!file || !(file->path = strdup(path)))
        return out_of_memory(&parser);
    if (size >= strlen(bom) && memcmp(text, bom, strlen(bom)) == 0) {
        text += strlen(bom);
        size -= strlen(bom);
    }
    for (const char *end = text + size; text < end;) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        struct span line = {text, (size_t)((newline ? newline : end) - text)};
        parser.line++;
        int r = parse_line(&parser, line);
        if (r < 0)
            return r;
        text = newline ? newline + 1 : end;
    }
    *ret = TAKE(file);
    return 0;
}

struct profile_file *credentials_profile_free(struct profile_file *file)
{
    if (!file)
        return NULL;
    for (size_t i = 0; i < file->n_sections; i++) {
        struct profile_section *section = &file->sections[i];
        for (size_t j = 0; j < section->n_properties; j++) {
            free(section->properties[j].name);
            credentials_secret_free(section->properties[j].value);
        }
        free(section->properties);
        free(section->name);
    }
    free(file->sections);
    free(file->path);
    free(file);
    return NULL;
}

const struct profile_section *credentials_profile_section(const struct profile_file *file,
                                                          enum profile_section_kind kind,
                                                          const char *name)
{
    for (size_t i = 0; i < file->n_sections; i++)
        if (file->sections[i].kind == kind && strcmp(file->sections[i].name, name) == 0)
            return &file->sections[i];
    return NULL;
}

const struct profile_property *credentials_profile_property(const struct profile_file *file,
                                                            enum profile_section_kind kind,
                                                            const char *section, const char *name)
{
    for (size_t i = file->n_sections; i-- > 0;) {
        const struct profile_section *candidate = &file->sections[i];
        if (candidate->kind != kind || strcmp(candidate->name, section) != 0)
            continue;
        for (size_t j = candidate->n_properties; j-- > 0;)
            if (strcmp(candidate->properties[j].name, name) == 0)
                return &candidate->properties[j];
    }
    return NULL;
}
