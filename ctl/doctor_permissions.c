/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ctl/doctor.h"
#include "json.h"

/*
 * Whether an action is permitted is found out by asking for it: only AWS knows all the policies that
 * count (identity, boundary, session, organisation, endpoint). So that nothing comes of it, each question
 * is one that AWS has to refuse for another reason once it is permitted; and AWS looks at permissions
 * before it looks at the things themselves, or else it would tell strangers what there is.
 */

/* No query has it. */
#define NO_QUERY "00000000-0000-0000-0000-000000000000"

/* No task definition has it: a name of a family, 128 random bits long. */
#define NO_TASK_DEFINITION "provisionerctl-doctor-%016llx%016llx:1"

/* --- names --------------------------------------------------------------------------------------- */

const char *doctor_last_part(const char *name_or_arn)
{
    const char *slash = strncmp(name_or_arn, "arn:", 4) == 0 ? strrchr(name_or_arn, '/') : NULL;

    return slash ? slash + 1 : name_or_arn;
}

void doctor_log_group_arn(const struct doctor *doctor, const char *log_group,
                          char ret[static DOCTOR_ARN_MAX])
{
    if (strncmp(log_group, "arn:", 4) == 0)
        snprintf(ret, DOCTOR_ARN_MAX, "%s:*", log_group);
    else
        snprintf(ret, DOCTOR_ARN_MAX, "arn:%s:logs:%s:%s:log-group:%s:*",
                 endpoint_partition(doctor->region), doctor->region, doctor->account, log_group);
}

void doctor_service_arn(const struct doctor *doctor, const char *cluster, const char *service,
                        char ret[static DOCTOR_ARN_MAX])
{
    snprintf(ret, DOCTOR_ARN_MAX, "arn:%s:ecs:%s:%s:service/%s/%s",
             endpoint_partition(doctor->region), doctor->region, doctor->account,
             doctor_last_part(cluster), doctor_last_part(service));
}

/* --- what refusals and failures mean ------------------------------------------------------------- */

static const char *code_of(const struct aws_error *error)
{
    return error->code[0] ? error->code : aws_error_kind_name(error->kind);
}

void doctor_tell_denied(struct doctor *doctor, const char *environment,
                        enum aws_operation operation, const char *resource,
                        const struct aws_error *error)
{
    struct finding *finding = findings_add(
        doctor->findings, environment, "permission", FINDING_FAILED, "%s is not permitted. %s",
        aws_operation_action(operation), error->message[0] ? error->message : code_of(error));

    finding_detail(finding, FINDING_VERBATIM,
                   "{\"Effect\": \"Allow\", \"Action\": \"%s\", \"Resource\": \"%s\"}",
                   aws_operation_action(operation), resource);
    finding_advise(
        finding, strstr(error->message, "explicit deny")
                     ? "a policy forbids it; that has to go, whatever else allows it"
                     : "add the statement above to the role's policy; `provisionerctl iam-policy` "
                       "prints a whole one");
}

void doctor_tell_unasked(struct doctor *doctor, const char *environment, const char *check,
                         enum aws_operation operation, const struct aws_error *error,
                         const char *instead)
{
    struct finding *finding;

    if (doctor_is_unreachable(doctor, operation, error))
        return;
    if (error->kind != AWS_ERROR_DENIED) {
        findings_add(doctor->findings, environment, check, FINDING_UNKNOWN, "%s: %s: %s",
                     aws_operation_name(operation), code_of(error), error->message);
        return;
    }
    finding = findings_add(doctor->findings, environment, check, FINDING_UNKNOWN,
                           "%s is not permitted, which the daemon does not need either",
                           aws_operation_action(operation));
    finding_advise(finding, "allow it (on \"*\") to whom runs the doctor, or look yourself: %s",
                   instead);
}

void doctor_tell_error(struct doctor *doctor, const char *environment, const char *check,
                       enum aws_operation operation, const struct aws_error *error)
{
    bool is_chance = error->kind == AWS_ERROR_TRANSIENT || error->kind == AWS_ERROR_THROTTLED ||
                     error->kind == AWS_ERROR_LIMIT;
    struct finding *finding;

    if (doctor_is_unreachable(doctor, operation, error))
        return;
    finding = findings_add(doctor->findings, environment, check,
                           is_chance ? FINDING_UNKNOWN : FINDING_FAILED, "%s: %s: %s",
                           aws_operation_name(operation), code_of(error), error->message);
    if (is_chance)
        finding_advise(finding, "ask again later");
}

bool doctor_is_unreachable(struct doctor *doctor, enum aws_operation operation,
                           const struct aws_error *error)
{
    if (error->kind == AWS_ERROR_CANCELLED)
        doctor->is_cut_off = true;
    if (doctor->is_cut_off)
        return true;
    if (error->kind != AWS_ERROR_TRANSIENT || error->http_status != 0)
        return false;
    struct finding *finding =
        findings_add(doctor->findings, NULL, "reachable", FINDING_FAILED, "%s got no answer: %s",
                     aws_operation_name(operation), error->message);
    finding_advise(finding, "check name resolution, routes, security groups, proxy "
                            "(HTTPS_PROXY) and, in a VPC without a NAT gateway, the interface "
                            "endpoints of CloudWatch Logs, ECS and STS");
    doctor->is_cut_off = true;
    return true;
}

int doctor_check_reach(struct doctor *doctor)
{
    struct answer logs, ecs;
    int r =
        doctor_ask(doctor, LOGS_STOP_QUERY, doctor_parameters("queryId", NO_QUERY, NULL), &logs);

    if (r < 0)
        return r;
    bool is_reached = !doctor_is_unreachable(doctor, LOGS_STOP_QUERY, &logs.error);
    answer_clear(&logs);
    if (!is_reached)
        return 0;
    r = doctor_ask(doctor, ECS_LIST_CLUSTERS, json_object_new_object(), &ecs);
    if (r < 0)
        return r;
    if (!doctor_is_unreachable(doctor, ECS_LIST_CLUSTERS, &ecs.error))
        findings_add(doctor->findings, NULL, "reachable", FINDING_OK,
                     "CloudWatch Logs and ECS answer");
    answer_clear(&ecs);
    return 0;
}

/* --- harmless questions -------------------------------------------------------------------------- */

/* AWS took it as far as looking for what it names. */
static bool is_past_permission(const struct aws_error *error)
{
    return error->kind == AWS_OK || error->kind == AWS_ERROR_NOT_FOUND ||
           error->kind == AWS_ERROR_REQUEST;
}

static int probe_query(struct doctor *doctor, enum aws_operation operation)
{
    struct answer answer;
    int r = doctor_ask(doctor, operation, doctor_parameters("queryId", NO_QUERY, NULL), &answer);

    if (r < 0)
        return r;
    if (is_past_permission(&answer.error))
        findings_add(doctor->findings, NULL, "permission", FINDING_OK, "%s is permitted",
                     aws_operation_action(operation));
    else if (answer.error.kind == AWS_ERROR_DENIED)
        doctor_tell_denied(doctor, NULL, operation, "*", &answer.error);
    else
        doctor_tell_error(doctor, NULL, "permission", operation, &answer.error);
    answer_clear(&answer);
    return 0;
}

int doctor_check_query_permissions(struct doctor *doctor)
{
    int r = probe_query(doctor, LOGS_GET_QUERY_RESULTS);

    return r == 0 && !doctor->is_cut_off ? probe_query(doctor, LOGS_STOP_QUERY) : r;
}

/*
 * UpdateService is the one call that changes things, so it deserves a thought.
 *
 * Setting the count that is there would be wrong: between our reading and our writing a deploy or the
 * daemon may have set another, which it would undo. A service that does not exist would be harmless, but
 * a question about another resource: a policy that names the services, as iam-policy's does, has to deny
 * it. So the question names the true service, and asks for nothing but a task definition that does not
 * exist. ECS resolves that before it changes anything, and refuses the call as a whole ("TaskDefinition
 * not found"); and were it to ignore it, there is nothing else in the call that could be done: no count,
 * no new deployment.
 */
static int probe_update(struct doctor *doctor, const struct config_environment *environment,
                        const char *service, bool *ret_permitted)
{
    char definition[sizeof(NO_TASK_DEFINITION) + 32], resource[DOCTOR_ARN_MAX];
    struct answer answer;
    unsigned long long high = loop_random(doctor->session.loop, UINT64_MAX);
    unsigned long long low = loop_random(doctor->session.loop, UINT64_MAX);

    *ret_permitted = false;
    snprintf(definition, sizeof(definition), NO_TASK_DEFINITION, high, low);
    int r = doctor_ask(doctor, ECS_UPDATE_SERVICE,
                       doctor_parameters("cluster", environment->cluster, "service", service,
                                         "taskDefinition", definition, NULL),
                       &answer);
    if (r < 0)
        return r;
    doctor_service_arn(doctor, environment->cluster, service, resource);
    if (is_past_permission(&answer.error))
        *ret_permitted = true;
    else if (answer.error.kind == AWS_ERROR_DENIED)
        doctor_tell_denied(doctor, environment->name, ECS_UPDATE_SERVICE, resource, &answer.error);
    else
        doctor_tell_error(doctor, environment->name, "permission", ECS_UPDATE_SERVICE,
                          &answer.error);
    answer_clear(&answer);
    return 0;
}

int doctor_check_update_permission(struct doctor *doctor,
                                   const struct config_environment *environment)
{
    size_t n_permitted = 0;

    for (size_t i = 0; i < environment->n_services && !doctor->is_cut_off; i++) {
        bool permitted;
        int r = probe_update(doctor, environment, environment->services[i].name, &permitted);
        if (r < 0)
            return r;
        n_permitted += permitted;
    }
    if (n_permitted == environment->n_services)
        findings_add(
            doctor->findings, environment->name, "permission", FINDING_OK,
            "ecs:UpdateService on all its services is permitted (asked for what ECS has to "
            "refuse: nothing was changed)");
    return 0;
}
