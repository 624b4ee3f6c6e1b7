/* SPDX-License-Identifier: MIT */
#include "config/config_reader.h"

#include <errno.h>
#include <ini.h>
#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "config/config_bytes.h"
#include "config/config_options.h"

#define LINE_ROOM 3 /* beside a line's text, in inih's buffer: a leading blank, '\n', NUL */
#define MASK '\x01' /* a quoted ';' on its way through inih; control characters are refused */
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

struct span {
    const char *text;
    size_t length;
};

/* One file on its way through inih, which asks for a line and hands back an option, in turns. */
struct reader {
    struct span rest;
    struct config_place place; /* of the line inih has */
    struct config_sections *sections;
    struct config_report *report;
    struct config_section *section; /* where options go; NULL: its header was refused */
    bool before_sections;
    struct config_value
        *value;            /* the latest option's, for continuation lines; NULL: it was refused */
    bool continues;        /* the latest option's text ended with a comma */
    bool is_continuation;  /* so the line that inih has is more of it */
    bool slash_in_comment; /* in that line */
    char unanswered
        [CONFIG_EXCERPT_MAX]; /* that line, until inih makes an option of it; "" if none */
    bool out_of_memory;
};

static int compare_titles(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void keep_item(void *item)
{
    (void)item; /* config_sections.items owns it */
}

void config_sections_clear(struct config_sections *sections)
{
    tdestroy(sections->by_title, keep_item);
    for (size_t i = 0; i < sections->n_items; i++) {
        struct config_section *section = sections->items[i];
        for (size_t j = 0; j < section->schema->n_options; j++)
            free(section->values[j].text);
        free(section->title);
        free(section);
    }
    free(sections->items);
    *sections = (struct config_sections){0};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trim(struct span span)
{
    while (span.length > 0 && is_blank(span.text[0]))
        span = (struct span){span.text + 1, span.length - 1};
    while (span.length > 0 && is_blank(span.text[span.length - 1]))
        span.length--;
    return span;
}

/* -- the bytes ----------------------------------------------------------------------------------- */

static bool line_is_clean(struct reader *reader, struct span line)
{
    size_t at = config_bytes_find_unfit(line.text, line.length);
    if (at == line.length)
        return true;
    unsigned char byte = (unsigned char)line.text[at];
    if (byte < 0x80)
        config_report_add(reader->report, &reader->place,
                          "byte %zu of the line is a control character (0x%02x); remove it", at + 1,
                          byte);
    else
        config_report_add(reader->report, &reader->place,
                          "byte %zu of the line (0x%02x) is not UTF-8; save the file as UTF-8",
                          at + 1, byte);
    return false;
}

static bool line_fits(struct reader *reader, struct span line, size_t limit)
{
    if (line.length <= limit)
        return true;
    config_report_add(reader->report, &reader->place,
                      "the line is %zu bytes long, of at most %zu; a list may go on in indented "
                      "lines after a comma",
                      line.length, limit);
    return false;
}

/* Without its line end. */
static struct span take_line(struct span *rest)
{
    const char *newline = memchr(rest->text, '\n', rest->length);
    struct span line = {rest->text, newline ? (size_t)(newline - rest->text) : rest->length};
    size_t taken = line.length + (newline ? 1 : 0);

    *rest = (struct span){rest->text + taken, rest->length - taken};
    if (line.length > 0 && line.text[line.length - 1] == '\r')
        line.length--;
    return line;
}

/* -- section headers ----------------------------------------------------------------------------- */

static bool is_name(struct span name)
{
    if (name.length == 0 || name.length > CONFIG_ENVIRONMENT_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.text[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
        if (!ok)
            return false;
    }
    return true;
}

/* Says what is wrong with a header that names no section of ours. `title` is what its brackets hold. */
static void refuse_title(struct reader *reader, const char *title)
{
    char shown[CONFIG_EXCERPT_MAX];
    const char *name = title + strcspn(title, " \t");
    size_t word_length = (size_t)(name - title);
    const char *best = NULL;
    char word[CONFIG_EXCERPT_MAX];

    name += strspn(name, " \t");
    snprintf(word, sizeof(word), "%.*s", (int)(word_length < 64 ? word_length : 64), title);
    config_suggest(word, config_daemon_schema.title, &best);
    config_suggest(word, config_environment_schema.title, &best);
    config_excerpt(title, shown);

    if (best == config_environment_schema.title && strcmp(word, best) == 0)
        config_report_add(
            reader->report, &reader->place,
            "[%s]: an environment's name has 1 to %d of the characters A-Z a-z 0-9 . _ "
            "-, as in [environment staging]",
            shown, CONFIG_ENVIRONMENT_NAME_MAX);
    else if (best == config_environment_schema.title)
        config_report_add(reader->report, &reader->place,
                          "[%s]: unknown section; did you mean [environment %s]?", shown,
                          *name ? name : "NAME");
    else if (best)
        config_report_add(reader->report, &reader->place,
                          "[%s]: unknown section; did you mean [%s]?", shown, best);
    else
        config_report_add(reader->report, &reader->place,
                          "[%s]: unknown section; there are [provisionerd] and [environment NAME]",
                          shown);
}

/* Which schema a title asks for, and where in it the environment's name starts; NULL: none. */
static const struct config_schema *schema_of(const char *title, size_t *ret_name_at)
{
    size_t word = strlen(config_environment_schema.title);

    if (strcmp(title, config_daemon_schema.title) == 0) {
        *ret_name_at = strlen(title);
        return &config_daemon_schema;
    }
    if (strncmp(title, config_environment_schema.title, word) != 0 || !is_blank(title[word]))
        return NULL;
    struct span name = trim((struct span){title + word, strlen(title + word)});
    if (!is_name(name))
        return NULL;
    *ret_name_at = (size_t)(name.text - title);
    return &config_environment_schema;
}

/* The section of that title, made if there was none before. NULL: out of memory. */
static struct config_section *section_get(struct reader *reader, const struct config_schema *schema,
                                          const char *name)
{
    struct config_sections *sections = reader->sections;
    _cleanup_free_ char *title = NULL;
    int length = asprintf(&title, "%s%s%s", schema->title, *name ? " " : "", name);
    if (length < 0) {
        title = NULL;
        return NULL;
    }
    struct config_section **found = tfind(&title, &sections->by_title, compare_titles);
    if (found)
        return *found;

    struct config_section **items =
        reallocarray(sections->items, sections->n_items + 1, sizeof(struct config_section *));
    if (!items)
        return NULL;
    sections->items = items;
    _cleanup_free_ struct config_section *section =
        calloc(1, sizeof(*section) + schema->n_options * sizeof(section->values[0]));
    if (!section)
        return NULL;
    section->title = title;
    section->name = title + length - strlen(name);
    section->schema = schema;
    section->place = reader->place;
    if (!tsearch(section, &sections->by_title, compare_titles))
        return NULL;
    title = NULL; /* the section's now */
    items[sections->n_items++] = section;
    return TAKE(section);
}

/* Makes the section the one that options go to, unless this file already had it. */
static void section_open(struct reader *reader, const struct config_schema *schema,
                         const char *name)
{
    struct config_section *section = section_get(reader, schema, name);
    if (!section) {
        reader->out_of_memory = true;
        return;
    }
    if (section->latest.line > 0 && section->latest.order == reader->place.order) {
        config_report_add(reader->report, &reader->place,
                          "[%s]: this section already began at line %u; bring the two together",
                          section->title, section->latest.line);
        return;
    }
    section->latest = reader->place;
    reader->section = section;
}

static void read_header(struct reader *reader, struct span line)
{
    const char *close = memchr(line.text, ']', line.length);
    size_t inner_length = close ? (size_t)(close - line.text) - 1 : line.length - 1;
    struct span inner = trim((struct span){line.text + 1, inner_length});
    _cleanup_free_ char *title = strndup(inner.text, inner.length);
    size_t name_at = 0;

    reader->value = NULL;
    reader->continues = false;
    reader->before_sections = false;
    reader->section = NULL;
    if (!title) {
        reader->out_of_memory = true;
        return;
    }
    char shown[CONFIG_EXCERPT_MAX];
    config_excerpt(title, shown);
    if (!close) {
        reader->sections->n_refused++;
        config_report_add(reader->report, &reader->place, "[%s: the \"]\" is missing", shown);
        return;
    }
    struct span behind = trim((struct span){close + 1, line.length - inner_length - 2});
    if (behind.length > 0 && !strchr(";#", behind.text[0]))
        config_report_add(reader->report, &reader->place,
                          "[%s]: text behind the \"]\"; an option goes on a line of its own",
                          shown);

    const struct config_schema *schema = schema_of(title, &name_at);
    if (schema) {
        section_open(reader, schema, title + name_at);
    } else {
        reader->sections->n_refused++;
        refuse_title(reader, title);
    }
}

/* -- options ------------------------------------------------------------------------------------- */

static bool holds_secret(const char *name)
{
    static const char *const words[] = {"secret", "token", "password", "access_key"};

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strcasestr(name, words[i]))
            return true;
    }
    return false;
}

static const char *suggest_option(const struct config_schema *schema, const char *name)
{
    static const struct {
        const char *before, *now; /* the variables of the shell script this daemon replaces */
    } renamed[] = {{"cluster_name", "cluster"}, {"log_pattern", "pattern"}};
    const char *best = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(renamed); i++) {
        if (schema == &config_environment_schema && strcasecmp(name, renamed[i].before) == 0)
            return renamed[i].now;
    }
    for (size_t i = 0; i < schema->n_options; i++)
        config_suggest(name, schema->options[i].name, &best);
    return best;
}

static void refuse_option(struct reader *reader, const char *name, const char *value)
{
    const struct config_section *section = reader->section;
    const struct config_schema *other = section->schema == &config_daemon_schema
                                            ? &config_environment_schema
                                            : &config_daemon_schema;
    const char *best = suggest_option(section->schema, name);

    if (holds_secret(name))
        config_report_value(reader->report, &reader->place, section->title, name, NULL,
                            "credentials do not belong here (the value is not shown); they come "
                            "from the instance's role or from ~/.aws/credentials");
    else if (best)
        config_report_value(reader->report, &reader->place, section->title, name, value,
                            "unknown option; did you mean \"%s\"?", best);
    else if (config_schema_find(other, name))
        config_report_value(reader->report, &reader->place, section->title, name, value,
                            "this option belongs in [%s%s]", other->title,
                            other == &config_environment_schema ? " NAME" : "");
    else
        config_report_value(reader->report, &reader->place, section->title, name, value,
                            "unknown option");
}

/* Gives back the ';' which was masked, and joins to `before` what continues it: with as many newlines
 * as lines lie between. NULL: out of memory. */
static char *value_text(const char *before, unsigned lines, const char *text)
{
    size_t before_length = before ? strlen(before) : 0;
    size_t length = strlen(text);
    size_t size = before_length + lines + length + 1;
    char *joined = malloc(size);
    if (!joined)
        return NULL;
    snprintf(joined, size, "%s", before ? before : "");
    memset(joined + before_length, '\n', lines);
    for (size_t i = 0; i <= length; i++)
        joined[before_length + lines + i] = (char)(text[i] == MASK ? ';' : text[i]);
    return joined;
}

static unsigned count_newlines(const char *text)
{
    unsigned n = 0;
    while ((text = strchr(text, '\n'))) {
        n++;
        text++;
    }
    return n;
}

static void continue_option(struct reader *reader, const char *text)
{
    struct config_value *value = reader->value;
    unsigned here = value->place.line + count_newlines(value->text);
    char *joined = value_text(value->text, reader->place.line - here, text);
    if (!joined) {
        reader->out_of_memory = true;
        return;
    }
    free(value->text);
    value->text = joined;
    value->slash_in_comment |= reader->slash_in_comment;
}

static void set_option(struct reader *reader, const char *name, const char *text)
{
    struct config_section *section = reader->section;
    const struct config_option *option = config_schema_find(section->schema, name);
    char *copy = value_text(NULL, 0, text);

    if (!copy) {
        reader->out_of_memory = true;
        return;
    }
    if (!option) {
        refuse_option(reader, name, copy);
        free(copy);
        return;
    }
    struct config_value *value = &section->values[option - section->schema->options];
    if (value->text && value->place.order == reader->place.order) {
        config_report_value(reader->report, &reader->place, section->title, name, copy,
                            "already set at line %u; remove one of the two", value->place.line);
        free(copy);
        return;
    }
    free(value->text);
    *value = (struct config_value){
        .text = copy, .place = reader->place, .slash_in_comment = reader->slash_in_comment};
    reader->value = value;
}

/* inih's handler. The section it names may be cut short, so we go by our own. */
static int on_option(void *userdata, const char *title, const char *name, const char *text)
{
    struct reader *reader = userdata;

    (void)title;
    reader->unanswered[0] = '\0';
    if (reader->is_continuation) {
        continue_option(reader, text);
        return 1;
    }
    if (reader->before_sections)
        config_report_add(
            reader->report, &reader->place,
            "%.64s: an option before the first section; put it under [provisionerd] or "
            "[environment NAME]",
            name);
    else if (reader->section)
        set_option(reader, name, text);
    return 1;
}

/* -- the way through inih ------------------------------------------------------------------------ */

/*
 * Copies a line that holds an option, or more of one, with its quoted ';' masked and its comment cut off
 * (of a continuation line inih would take it for part of the value), and finds out in passing whether
 * the text ends with a comma and the comment has a '/'. The rules are inih's: the first '=' or ':' ends
 * the name, and a ';' after a blank begins a comment.
 */
static void copy_masked(struct reader *reader, struct span line, char *copy)
{
    bool in_value = reader->is_continuation;
    bool item_begins = in_value;
    bool quoted = false;
    bool escaped = false;
    char last = '\0';

    copy[line.length] = '\0';
    reader->slash_in_comment = false;
    for (size_t i = 0; i < line.length; i++) {
        char c = line.text[i];
        copy[i] = c;
        if (quoted) {
            copy[i] = (char)(c == ';' ? MASK : c);
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            last = '"';
        } else if (c == ';' && i > 0 && is_blank(line.text[i - 1])) {
            reader->slash_in_comment = memchr(line.text + i, '/', line.length - i) != NULL;
            copy[i] = '\0';
            break;
        } else if (!in_value) {
            in_value = item_begins = c == '=' || c == ':';
        } else if (!is_blank(c)) {
            quoted = item_begins && c == '"';
            item_begins = c == ',';
            last = c;
        }
    }
    reader->continues = last == ',';
}

/* Puts what inih is to see of a line at `copy`: nothing, if it is blank, a comment, ours to read, or
 * refused. */
static void prepare_line(struct reader *reader, struct span line, size_t limit, char *copy)
{
    struct span text = trim(line);

    *copy = '\0';
    if (!line_fits(reader, line, limit) || !line_is_clean(reader, line)) {
        /* What may follow belongs to a value we do not have. */
        reader->continues = text.length > 0 && text.text[text.length - 1] == ',';
        reader->value = NULL;
        return;
    }
    if (text.length == 0 || strchr(";#", text.text[0]))
        return;
    if (text.text[0] == '[') {
        read_header(reader, text);
        return;
    }
    reader->is_continuation = reader->continues && is_blank(line.text[0]);
    if (reader->is_continuation)
        *copy++ = ' '; /* what tells inih */
    else
        reader->value = NULL;
    copy_masked(reader, text, copy);
    if (reader->is_continuation && !reader->value)
        copy[-1] = '\0'; /* more of a value that was refused */
    else
        snprintf(reader->unanswered, sizeof(reader->unanswered), "%s", copy);
}

/* inih passed over a line that is not a comment. */
static void report_unanswered(struct reader *reader)
{
    if (!*reader->unanswered)
        return;
    if (reader->section)
        config_report_value(reader->report, &reader->place, reader->section->title,
                            reader->unanswered, NULL, "an option needs a \"=\" and a value");
    else
        config_report_add(reader->report, &reader->place,
                          "%s: neither a section nor an option with \"=\" and a value",
                          reader->unanswered);
    reader->unanswered[0] = '\0';
}

/* inih's reader, in the manner of fgets(). */
static char *next_line(char *buffer, int size, void *userdata)
{
    struct reader *reader = userdata;

    report_unanswered(reader);
    if (reader->out_of_memory || reader->rest.length == 0)
        return NULL;
    reader->place.line++;
    prepare_line(reader, take_line(&reader->rest), (size_t)size - LINE_ROOM, buffer);
    size_t length = strlen(buffer);
    buffer[length] = '\n';
    buffer[length + 1] = '\0';
    return buffer;
}

int config_read_file(const struct config_place *place, struct config_sections *sections,
                     struct config_report *report)
{
    _cleanup_free_ char *bytes = NULL;
    struct reader reader = {
        .place = *place, .sections = sections, .report = report, .before_sections = true};

    int r = config_bytes_read(place->file, &bytes, &reader.rest.length);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        sections->n_refused++;
        config_report_add(report, place, "cannot be read: %s", strerrordesc_np(-r));
        return 0;
    }
    reader.rest.text = bytes;
    if (reader.rest.length >= 2 &&
        (memcmp(bytes, "\xFF\xFE", 2) == 0 || memcmp(bytes, "\xFE\xFF", 2) == 0)) {
        sections->n_refused++;
        config_report_add(report, place, "this is UTF-16; save it as UTF-8");
        return 0;
    }
    size_t mark = strlen(BYTE_ORDER_MARK);
    if (reader.rest.length >= mark && memcmp(bytes, BYTE_ORDER_MARK, mark) == 0)
        reader.rest = (struct span){bytes + mark, reader.rest.length - mark};

#if INI_MAX_LINE != CONFIG_LINE_MAX + LINE_ROOM
    /* Debian's inih has the limit in a variable. Another is built in with it: make INIH_SOURCE=... */
    ini_max_line = CONFIG_LINE_MAX + LINE_ROOM;
#endif
    r = ini_parse_stream(next_line, &reader, on_option, &reader);
    /* A positive result is the first line that inih did not understand: report_unanswered() knows. */
    return r < 0 || reader.out_of_memory ? -ENOMEM : 0;
}
