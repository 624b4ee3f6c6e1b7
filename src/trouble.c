/* SPDX-License-Identifier: MIT */
#include "trouble.h"

#include <stdio.h>

static const char *const ATTEMPTS[TROUBLE_N_KINDS] = {
    [TROUBLE_LOOK] = "look for activity",       [TROUBLE_QUERY] = "query Logs Insights",
    [TROUBLE_DESCRIBE] = "read the services",   [TROUBLE_UPDATE] = "set a desired count",
    [TROUBLE_STATE] = "record the task counts",
};

static void describe(char text[static TROUBLE_TEXT_MAX], enum aws_operation operation,
                     const char *resource, const struct aws_error *error)
{
    const char *code = error->code[0] ? error->code : aws_error_kind_name(error->kind);
    int n = snprintf(text, TROUBLE_TEXT_MAX, "%s: %s: %s", aws_operation_name(operation), code,
                     error->message[0] ? error->message : "no message");

    if (n < 0 || n >= TROUBLE_TEXT_MAX)
        return;
    if (error->kind == AWS_ERROR_DENIED)
        snprintf(
            text + n, TROUBLE_TEXT_MAX - (size_t)n,
            "; the role's policy needs {\"Effect\": \"Allow\", \"Action\": \"%s\", \"Resource\": "
            "...%s}",
            aws_operation_action(operation), resource);
    else if (error->kind == AWS_ERROR_NOT_FOUND)
        snprintf(text + n, TROUBLE_TEXT_MAX - (size_t)n, " (%s)", resource);
}

void trouble_begin(struct trouble *trouble, enum trouble_kind kind,
                   const struct config_environment *environment, const char *service,
                   enum aws_operation operation, const char *resource,
                   const struct aws_error *error)
{
    describe(trouble->text, operation, resource, error);
    if (!trouble->is_on[kind] || trouble->error_kind[kind] != error->kind)
        audit_trouble(environment, service, ATTEMPTS[kind], trouble->text, error->request_id);
    trouble->is_on[kind] = true;
    trouble->error_kind[kind] = error->kind;
}

void trouble_begin_text(struct trouble *trouble, enum trouble_kind kind,
                        const struct config_environment *environment, const char *text)
{
    snprintf(trouble->text, TROUBLE_TEXT_MAX, "%s", text);
    if (!trouble->is_on[kind] || trouble->error_kind[kind] != AWS_OK)
        audit_trouble(environment, NULL, ATTEMPTS[kind], text, NULL);
    trouble->is_on[kind] = true;
    trouble->error_kind[kind] = AWS_OK;
}

void trouble_end(struct trouble *trouble, enum trouble_kind kind,
                 const struct config_environment *environment)
{
    if (!trouble->is_on[kind])
        return;
    trouble->is_on[kind] = false;
    audit_recovered(environment, ATTEMPTS[kind]);
}

bool trouble_is_any(const struct trouble *trouble)
{
    for (size_t i = 0; i < TROUBLE_N_KINDS; i++)
        if (trouble->is_on[i])
            return true;
    return false;
}
