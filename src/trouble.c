/* SPDX-License-Identifier: MIT */
#include "trouble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024

static const char *const ATTEMPTS[TROUBLE_N_KINDS] = {
    [TROUBLE_LOOK] = "look for activity",       [TROUBLE_QUERY] = "query Logs Insights",
    [TROUBLE_DESCRIBE] = "read the services",   [TROUBLE_UPDATE] = "set a desired count",
    [TROUBLE_STATE] = "record the task counts",
};

static void describe(char text[static TEXT_MAX], enum aws_operation operation, const char *resource,
                     const struct aws_error *error)
{
    const char *code = error->code[0] ? error->code : aws_error_kind_name(error->kind);
    int n = snprintf(text, TEXT_MAX, "%s: %s: %s", aws_operation_name(operation), code,
                     error->message[0] ? error->message : "no message");

    if (n < 0 || n >= TEXT_MAX)
        return;
    if (error->kind == AWS_ERROR_DENIED)
        snprintf(
            text + n, TEXT_MAX - (size_t)n,
            "; the role's policy needs {\"Effect\": \"Allow\", \"Action\": \"%s\", \"Resource\": "
            "\"%s\"}",
            aws_operation_action(operation), resource);
    else if (error->kind == AWS_ERROR_NOT_FOUND)
        snprintf(text + n, TEXT_MAX - (size_t)n, " (%s)", resource);
}

/* Keeps the text, and tells it if it is news. */
static void begin(struct trouble *trouble, enum trouble_kind kind,
                  const struct config_environment *environment, const char *service,
                  enum aws_error_kind error_kind, const char *text, const char *request_id)
{
    if (!trouble->is_on[kind] || trouble->error_kind[kind] != error_kind)
        audit_trouble(environment, service, ATTEMPTS[kind], text, request_id);
    trouble->is_on[kind] = true;
    trouble->error_kind[kind] = error_kind;
    if (trouble->text[kind] && strcmp(trouble->text[kind], text) == 0)
        return;
    free(trouble->text[kind]);
    trouble->text[kind] = strdup(text);
}

void trouble_begin(struct trouble *trouble, enum trouble_kind kind,
                   const struct config_environment *environment, const char *service,
                   enum aws_operation operation, const char *resource,
                   const struct aws_error *error)
{
    char text[TEXT_MAX];

    describe(text, operation, resource, error);
    begin(trouble, kind, environment, service, error->kind, text, error->request_id);
}

void trouble_begin_text(struct trouble *trouble, enum trouble_kind kind,
                        const struct config_environment *environment, const char *text)
{
    begin(trouble, kind, environment, NULL, AWS_OK, text, NULL);
}

void trouble_end(struct trouble *trouble, enum trouble_kind kind,
                 const struct config_environment *environment)
{
    if (!trouble->is_on[kind])
        return;
    trouble->is_on[kind] = false;
    free(trouble->text[kind]);
    trouble->text[kind] = NULL;
    audit_recovered(environment, ATTEMPTS[kind]);
}

const char *trouble_text(const struct trouble *trouble, enum trouble_kind kind)
{
    return trouble->text[kind];
}

void trouble_clear(struct trouble *trouble)
{
    for (size_t i = 0; i < TROUBLE_N_KINDS; i++)
        free(trouble->text[i]);
    *trouble = (struct trouble){0};
}

bool trouble_is_any(const struct trouble *trouble)
{
    for (size_t i = 0; i < TROUBLE_N_KINDS; i++)
        if (trouble->is_on[i])
            return true;
    return false;
}
