/* SPDX-License-Identifier: MIT */
#include "ctl/findings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "json.h"

#define DETAILS_MAX 16
#define RESULT_WIDTH 9 /* "warning", "unknown" and two spaces */
#define CHECK_WIDTH 13 /* "autoscaling" and two spaces */

struct finding {
    struct findings *findings;
    const char *environment;
    const char *check;
    enum finding_result result;
    char *text;
    char *advice;
    struct {
        enum finding_detail_kind kind;
        char *text;
    } details[DETAILS_MAX];
    size_t n_details;
    struct finding *next;
};

struct findings {
    struct finding *first, *last;
    size_t counts[FINDING_N_RESULTS];
    bool is_out_of_memory;
};

static const struct {
    const char *name;
    enum colour colour;
} RESULTS[FINDING_N_RESULTS] = {
    [FINDING_OK] = {"ok", COLOUR_GREEN},
    [FINDING_WARNING] = {"warning", COLOUR_YELLOW},
    [FINDING_FAILED] = {"failed", COLOUR_RED},
    [FINDING_UNKNOWN] = {"unknown", COLOUR_BLUE},
};

/* --- collecting ---------------------------------------------------------------------------------- */

int findings_new(struct findings **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : -ENOMEM;
}

struct findings *findings_free(struct findings *findings)
{
    if (!findings)
        return NULL;
    for (struct finding *finding = findings->first, *next; finding; finding = next) {
        next = finding->next;
        for (size_t i = 0; i < finding->n_details; i++)
            free(finding->details[i].text);
        free(finding->advice);
        free(finding->text);
        free(finding);
    }
    free(findings);
    return NULL;
}

/* Replaces *text. */
__attribute__((format(printf, 3, 0))) static void set_text(struct findings *findings, char **text,
                                                           const char *format, va_list arguments)
{
    free(*text);
    if (vasprintf(text, format, arguments) < 0) {
        *text = NULL;
        findings->is_out_of_memory = true;
    }
}

struct finding *findings_add(struct findings *findings, const char *environment, const char *check,
                             enum finding_result result, const char *format, ...)
{
    struct finding *finding = calloc(1, sizeof(*finding));
    va_list arguments;

    findings->counts[result]++;
    if (!finding) {
        findings->is_out_of_memory = true;
        return NULL;
    }
    *finding = (struct finding){
        .findings = findings, .environment = environment, .check = check, .result = result};
    va_start(arguments, format);
    set_text(findings, &finding->text, format, arguments);
    va_end(arguments);
    if (findings->last)
        findings->last->next = finding;
    else
        findings->first = finding;
    findings->last = finding;
    return finding;
}

void finding_advise(struct finding *finding, const char *format, ...)
{
    va_list arguments;

    if (!finding)
        return;
    va_start(arguments, format);
    set_text(finding->findings, &finding->advice, format, arguments);
    va_end(arguments);
}

void finding_detail(struct finding *finding, enum finding_detail_kind kind, const char *format, ...)
{
    va_list arguments;

    if (!finding || finding->n_details == DETAILS_MAX)
        return;
    va_start(arguments, format);
    set_text(finding->findings, &finding->details[finding->n_details].text, format, arguments);
    va_end(arguments);
    finding->details[finding->n_details].kind = kind;
    if (finding->details[finding->n_details].text)
        finding->n_details++;
}

size_t findings_count(const struct findings *findings, enum finding_result result)
{
    return findings->counts[result];
}

/* --- for people ---------------------------------------------------------------------------------- */

static void indent(const struct terminal *terminal, size_t columns)
{
    fprintf(terminal->out, "%*s", (int)columns, "");
}

static int print_detail(const struct terminal *terminal, enum finding_detail_kind kind,
                        const char *text, size_t at)
{
    bool is_cut = kind == FINDING_EXAMPLE && terminal->width > at;
    int r;

    if (kind == FINDING_NOTE)
        return terminal_write_wrapped(terminal, COLOUR_DIM, text, at);
    r = terminal_write(terminal, COLOUR_DIM, text, is_cut ? terminal->width - at : 0);
    fputc('\n', terminal->out);
    return r < 0 ? r : 0;
}

static int print_finding(const struct finding *finding, const struct terminal *terminal)
{
    const size_t at = 2 + RESULT_WIDTH + CHECK_WIDTH;
    enum colour colour = RESULTS[finding->result].colour;
    const char *name = RESULTS[finding->result].name;
    int r;

    fprintf(terminal->out, "  %s%s%s%*s%-*s", terminal_begin(terminal, colour), name,
            terminal_end(terminal, colour), (int)(RESULT_WIDTH - strlen(name)), "", CHECK_WIDTH,
            finding->check);
    r = terminal_write_wrapped(terminal, COLOUR_NONE, finding->text, at);
    for (size_t i = 0; i < finding->n_details && r == 0; i++) {
        indent(terminal, at + 2);
        r = print_detail(terminal, finding->details[i].kind, finding->details[i].text, at + 2);
    }
    if (finding->advice && r == 0) {
        indent(terminal, at);
        fputs("-> ", terminal->out);
        r = terminal_write_wrapped(terminal, COLOUR_BOLD, finding->advice, at + 3);
    }
    return r;
}

static bool is_same_environment(const struct finding *a, const struct finding *b)
{
    if (!a->environment || !b->environment)
        return a->environment == b->environment;
    return strcmp(a->environment, b->environment) == 0;
}

static int print_title(const struct finding *finding, const struct terminal *terminal)
{
    int r = 0;

    if (finding->environment) {
        fputs("\nenvironment ", terminal->out);
        r = terminal_write(terminal, COLOUR_BOLD, finding->environment, 0);
    } else {
        fputs(finding == finding->findings->first ? "in general" : "\nin general", terminal->out);
    }
    fputc('\n', terminal->out);
    return r < 0 ? r : 0;
}

int findings_print(const struct findings *findings, const struct terminal *terminal)
{
    const struct finding *before = NULL;

    if (findings->is_out_of_memory)
        return -ENOMEM;
    for (const struct finding *finding = findings->first; finding; finding = finding->next) {
        int r = 0;
        if (!before || !is_same_environment(before, finding))
            r = print_title(finding, terminal);
        if (r == 0)
            r = print_finding(finding, terminal);
        if (r < 0)
            return r;
        before = finding;
    }
    fputc('\n', terminal->out);
    for (size_t i = 0; i < FINDING_N_RESULTS; i++)
        fprintf(terminal->out, "%s%zu %s", i > 0 ? ", " : "", findings->counts[i], RESULTS[i].name);
    fputc('\n', terminal->out);
    return 0;
}

/* --- for programs -------------------------------------------------------------------------------- */

static struct json_object *text_or_null(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

static int add_optional(struct json_object *object, const char *name, const char *text)
{
    if (!text)
        return json_object_object_add(object, name, NULL) < 0 ? -ENOMEM : 0;
    return json_add(object, name, text_or_null(text));
}

static int finding_to_json(const struct finding *finding, struct json_object *object)
{
    struct json_object *details = json_object_new_array();
    int r = json_add(object, "details", details);

    for (size_t i = 0; i < finding->n_details && r == 0; i++)
        r = json_append(details, json_object_new_string(finding->details[i].text));
    if (r < 0 || (r = add_optional(object, "environment", finding->environment)) < 0 ||
        (r = add_optional(object, "check", finding->check)) < 0 ||
        (r = add_optional(object, "result", RESULTS[finding->result].name)) < 0 ||
        (r = add_optional(object, "text", finding->text)) < 0)
        return r;
    return add_optional(object, "advice", finding->advice);
}

int findings_to_json(const struct findings *findings, struct json_object **ret)
{
    _cleanup_json_ struct json_object *document = json_object_new_object();
    struct json_object *list = json_object_new_array(), *totals = json_object_new_object();
    int r = findings->is_out_of_memory || !document || !list || !totals ? -ENOMEM : 0;

    if (r < 0) {
        json_object_put(list);
        json_object_put(totals);
        return r;
    }
    r = json_add(document, "findings", list);
    if (r < 0) {
        json_object_put(totals);
        return r;
    }
    r = json_add(document, "totals", totals);
    for (const struct finding *finding = findings->first; finding && r == 0;
         finding = finding->next) {
        struct json_object *object = json_object_new_object();
        r = json_append(list, object);
        if (r == 0)
            r = finding_to_json(finding, object);
    }
    for (size_t i = 0; i < FINDING_N_RESULTS && r == 0; i++)
        r = json_add(totals, RESULTS[i].name, json_object_new_int64((int64_t)findings->counts[i]));
    if (r == 0)
        *ret = TAKE(document);
    return r;
}
