/* SPDX-License-Identifier: MIT */
#include "config/config_values.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "endpoint.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

struct lexer {
    const char *next;
    unsigned line;
    enum config_syntax syntax;
    bool slash_in_comment;
    struct config_items *items;
    struct config_fault *fault;
};

void config_items_clear(struct config_items *items)
{
    for (size_t i = 0; i < items->n_items; i++)
        free(items->items[i].text);
    free(items->items);
    *items = (struct config_items){0};
}

static bool is_list(const struct lexer *lexer)
{
    return lexer->syntax == CONFIG_LIST || lexer->syntax == CONFIG_PATTERN_LIST;
}

static bool is_pattern(const struct lexer *lexer)
{
    return lexer->syntax == CONFIG_ONE_PATTERN || lexer->syntax == CONFIG_PATTERN_LIST;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

static int fail(struct lexer *lexer, const char *problem)
{
    *lexer->fault = (struct config_fault){.problem = problem, .line = lexer->line};
    return -EINVAL;
}

static int add_item(struct lexer *lexer, const char *text, size_t length, enum config_form form)
{
    struct config_items *items = lexer->items;

    if (length == 0)
        return fail(lexer, form == CONFIG_REGEX
                               ? "the regular expression is empty"
                               : "the quotes are empty; leave the line out instead");
    if (length > CONFIG_ITEM_MAX)
        return fail(lexer, "longer than the 2048 bytes that one text may have");
    struct config_item *larger =
        reallocarray(items->items, items->n_items + 1, sizeof(items->items[0]));
    if (!larger)
        return -ENOMEM;
    items->items = larger;
    char *copy = strndup(text, length);
    if (!copy)
        return -ENOMEM;
    items->items[items->n_items++] =
        (struct config_item){.text = copy, .form = form, .line = lexer->line};
    return 0;
}

/* At the opening quote. */
static int parse_quoted(struct lexer *lexer)
{
    const char *from = lexer->next + 1;
    _cleanup_free_ char *text = malloc(strlen(from) + 1);
    size_t length = 0;

    if (!text)
        return -ENOMEM;
    while (*from && *from != '"') {
        if (*from == '\\') {
            from++;
            if (*from != '"' && *from != '\\')
                return fail(lexer, "within quotes, write a backslash as \\\\ and a quote as \\\"");
        }
        text[length++] = *from++;
    }
    if (!*from)
        return fail(lexer, "the closing quote is missing");
    lexer->next = skip_blanks(from + 1);
    if (*lexer->next == ',' ? !is_list(lexer) : *lexer->next != '\0')
        return fail(lexer, is_list(lexer)
                               ? "text behind the closing quote; items are parted by commas"
                               : "text behind the closing quote; the option takes one value");
    return add_item(lexer, text, length, CONFIG_QUOTED);
}

/* The slash that closes the regular expression whose opening one is at text: not escaped, with nothing
 * behind it but the end of the item. NULL: this is no regular expression. */
static const char *find_closing_slash(const struct lexer *lexer, const char *text)
{
    for (const char *c = text + 1; *c && *c != '\n'; c++) {
        if (*c == '\\' && c[1]) {
            c++;
            continue;
        }
        if (*c != '/')
            continue;
        char behind = *skip_blanks(c + 1);
        if (behind == '\0' || (behind == ',' && is_list(lexer)))
            return c;
    }
    return NULL;
}

static int parse_regex(struct lexer *lexer, const char *close)
{
    const char *from = lexer->next + 1;

    for (const char *c = from; c < close; c++) {
        if (*c == '\\')
            c++;
        else if (*c == '/')
            return fail(lexer,
                        "a regular expression between slashes, or a path? Put a path in double "
                        "quotes; within a regular expression write \\/");
    }
    lexer->next = skip_blanks(close + 1);
    return add_item(lexer, from, (size_t)(close - from), CONFIG_REGEX);
}

/* What a bare text must not have, since its author may have meant something else by it. */
static const char *find_ambiguity(const struct lexer *lexer, const char *text, size_t length)
{
    if (text[0] == '\'')
        return "quotes are double quotes here";
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"')
            return "a quote within the text: put all of it in double quotes, with \\\" for the "
                   "quote";
        if (text[i] == '#' && i > 0 && is_blank(text[i - 1]))
            return "a comment begins with \" ;\", not \"#\"; if this is text, put it in double "
                   "quotes";
        if (text[i] == '\n')
            return "the option takes one value, not a list";
        if (is_pattern(lexer) && strchr(";\\", text[i]))
            return "text with \";\" or \"\\\" must be in double quotes";
        if (is_pattern(lexer) && text[i] == ',')
            return "the option takes one text: put it in double quotes if the comma is part of it, "
                   "or "
                   "write /one|other/";
    }
    if (is_pattern(lexer) && text[0] == '/' && lexer->slash_in_comment)
        return "the \" ;\" ends the value before the closing \"/\": in a regular expression write "
               "\\;, "
               "and put a path in double quotes";
    return NULL;
}

static int parse_bare(struct lexer *lexer)
{
    const char *text = lexer->next;
    size_t length = is_list(lexer) ? strcspn(text, ",") : strlen(text);

    lexer->next += length;
    while (is_blank(text[length - 1]))
        length--;
    const char *problem = find_ambiguity(lexer, text, length);
    return problem ? fail(lexer, problem) : add_item(lexer, text, length, CONFIG_BARE);
}

static int parse_item(struct lexer *lexer)
{
    const char *close;

    for (;; lexer->next++) {
        if (*lexer->next == '\n')
            lexer->line++;
        else if (!is_blank(*lexer->next))
            break;
    }
    if (*lexer->next == '\0')
        return fail(lexer,
                    lexer->items->n_items == 0
                        ? "the value is missing; leave the line out if you mean the default"
                        : "nothing follows the last comma; a list may go on in indented lines");
    if (*lexer->next == ',' && is_list(lexer))
        return fail(lexer, "nothing stands before the comma");
    if (*lexer->next == '"')
        return parse_quoted(lexer);
    if (*lexer->next == '/' && is_pattern(lexer) &&
        (close = find_closing_slash(lexer, lexer->next)) != NULL)
        return parse_regex(lexer, close);
    return parse_bare(lexer);
}

int config_items_parse(const struct config_value *value, enum config_syntax syntax,
                       struct config_items *ret, struct config_fault *ret_fault)
{
    struct config_items items = {0};
    struct lexer lexer = {
        .next = value->text,
        .syntax = syntax,
        .slash_in_comment = value->slash_in_comment,
        .items = &items,
        .fault = ret_fault,
    };

    for (;;) {
        int r = parse_item(&lexer);
        if (r < 0) {
            config_items_clear(&items);
            return r;
        }
        if (*lexer.next == '\0')
            break;
        lexer.next++; /* the comma */
    }
    *ret = items;
    return 0;
}

/* -- what single texts must look like ------------------------------------------------------------ */

static bool consists_of(const char *text, const char *characters, size_t most)
{
    size_t length = strlen(text);
    return length >= 1 && length <= most && strspn(text, characters) == length;
}

const char config_no_memory[] = "out of memory";

const char *config_check_region(const char *text)
{
    return endpoint_region_is_valid(text) ? NULL : "not a region; one looks like eu-west-1";
}

const char *config_check_profile(const char *text)
{
    return strpbrk(text, "[]") ? "a profile's name has no brackets; write the name alone" : NULL;
}

/* What endpoint.h will take. */
const char *config_check_url(const char *text)
{
    _cleanup_free_ char *url = NULL;
    int r = endpoint_resolve(&ENDPOINT_LOGS, "eu-west-1", text, NULL, &url);

    if (r == -ENOMEM)
        return config_no_memory;
    return r == 0 ? NULL
                  : "not an endpoint's URL, which is http(s)://host[:port][/path], such as "
                    "https://vpce-0a1b.logs.eu-west-1.vpce.amazonaws.com";
}

const char *config_check_path(const char *text)
{
    return text[0] == '/' ? NULL : "the path must be absolute, from / on";
}

/* Returns the resource ("cluster/name") if text is an ARN of that service; NULL: it is none. */
static const char *arn_resource(const char *text, const char *service)
{
    size_t service_length = strlen(service);
    const char *field = text;

    if (strncmp(text, "arn:", 4) != 0)
        return NULL;
    for (int i = 0; i < 5; i++) { /* arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE */
        if (i == 2 &&
            (strncmp(field, service, service_length) != 0 || field[service_length] != ':'))
            return NULL;
        field = strchr(field, ':');
        if (!field)
            return NULL;
        field++;
    }
    return field;
}

/* ECS, CreateCluster: up to 255 letters, numbers, underscores, and hyphens. CreateService: likewise. */
#define ECS_NAME LOWER UPPER DIGITS "_-"
#define ECS_NAME_MAX 255

const char *config_check_cluster(const char *text)
{
    const char *resource = arn_resource(text, "ecs");
    const char *name = text;

    if (resource && strncmp(resource, "cluster/", 8) == 0)
        name = resource + 8;
    return consists_of(name, ECS_NAME, ECS_NAME_MAX)
               ? NULL
               : "not a cluster; write its name (1 to 255 of A-Z a-z 0-9 _ -) or its ARN";
}

const char *config_check_service(const char *text)
{
    if (arn_resource(text, "ecs"))
        return "write the service's name, not its ARN";
    return consists_of(text, ECS_NAME, ECS_NAME_MAX)
               ? NULL
               : "not a service's name, which has 1 to 255 of A-Z a-z 0-9 _ -";
}

/* CloudWatch Logs, CreateLogGroup: 1 to 512 of [.\-_/#A-Za-z0-9]. */
const char *config_check_log_group(const char *text)
{
    const char *resource = arn_resource(text, "logs");
    const char *name = text;

    if (resource && strncmp(resource, "log-group:", 10) == 0)
        name = resource + 10;
    if (resource && strlen(text) > 2 && strcmp(text + strlen(text) - 2, ":*") == 0)
        return "leave the \":*\" at the end of the ARN away";
    return consists_of(name, LOWER UPPER DIGITS ".-_/#", 512)
               ? NULL
               : "not a log group; write its name (1 to 512 of A-Z a-z 0-9 . - _ / #) or its ARN";
}
