/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "config/config_report.h"
#include "ctl/doctor.h"
#include "json.h"

/* The cluster and its services, as DescribeServices shows them to the daemon. */

#define BATCH 10 /* services in one DescribeServices: the API's limit */
#define TEXT_MAX 1024

static void release(struct doctor_service *service)
{
    free(service->task_definition);
}

void doctor_services_clear(struct doctor_services *services)
{
    for (size_t i = 0; i < services->n_items; i++)
        release(&services->items[i]);
    services->n_items = 0;
}

/* "a, b" in a buffer; what does not fit ends in "...". */
static void append(char text[static TEXT_MAX], const char *item)
{
    size_t used = strlen(text);

    if (used + strlen(item) + sizeof(", ...") >= TEXT_MAX)
        item = "...";
    if (used < TEXT_MAX - 16)
        snprintf(text + used, TEXT_MAX - used, "%s%.900s", used ? ", " : "", item);
}

/* --- what is missing, and what may have been meant ----------------------------------------------- */

/* The names in a list of ARNs; the one that is most like `word` in *ret_best, borrowed from it. */
static void name_arns(struct json_object *arns, const char *word, char text[static TEXT_MAX],
                      const char **ret_best)
{
    *text = '\0';
    *ret_best = NULL;
    for (size_t i = 0; i < json_object_array_length(arns); i++) {
        const char *arn = json_object_get_string(json_object_array_get_idx(arns, i));
        if (!arn)
            continue;
        append(text, doctor_last_part(arn));
        config_suggest(word, doctor_last_part(arn), ret_best);
    }
}

/* `finding` says that something of that name is not there; says what is. */
static int advise_names(struct doctor *doctor, struct finding *finding, const char *option,
                        const char *word, enum aws_operation operation,
                        struct json_object *parameters, const char *list)
{
    struct answer answer;
    char text[TEXT_MAX];
    const char *best;
    int r = doctor_ask_list(doctor, operation, parameters, "nextToken", list, &answer);

    if (r < 0)
        return r;
    if (!answer.body) {
        finding_advise(finding, "correct `%s` (allow %s, and the doctor names those there are)",
                       option, aws_operation_action(operation));
        return 0;
    }
    name_arns(answer.body, word, text, &best);
    if (best)
        finding_advise(finding, "did you mean \"%s\"? There are: %s", best, text);
    else
        finding_advise(finding, "correct `%s`; there are: %s", option, *text ? text : "none");
    answer_clear(&answer);
    return 0;
}

static int tell_missing_service(struct doctor *doctor, const struct config_environment *environment,
                                const char *service)
{
    struct finding *finding =
        findings_add(doctor->findings, environment->name, "service", FINDING_FAILED,
                     "there is no service \"%s\" in cluster %s", service, environment->cluster);

    return advise_names(doctor, finding, "services", service, ECS_LIST_SERVICES,
                        doctor_parameters("cluster", environment->cluster, NULL), "serviceArns");
}

static int tell_missing_cluster(struct doctor *doctor, const struct config_environment *environment,
                                const struct aws_error *error)
{
    struct finding *finding =
        findings_add(doctor->findings, environment->name, "cluster", FINDING_FAILED,
                     "there is no cluster \"%s\" in %s of account %s: %s", environment->cluster,
                     doctor->region, doctor->account, error->message);

    return advise_names(doctor, finding, "cluster", doctor_last_part(environment->cluster),
                        ECS_LIST_CLUSTERS, json_object_new_object(), "clusterArns");
}

/* --- one service --------------------------------------------------------------------------------- */

static void take_task_definition(struct json_object *object, struct doctor_service *service)
{
    const char *definition;

    free(service->task_definition);
    service->task_definition = NULL;
    if (json_get_string(object, "taskDefinition", &definition) == 0)
        service->task_definition = strdup(definition); /* without memory: not known */
}

/* Returns whether all is well. */
static bool check_asleep_to_be(struct doctor *doctor, const char *environment, const char *name,
                               const char *status, const char *strategy)
{
    struct finding *finding;

    if (strcmp(status, "ACTIVE") != 0) {
        finding = findings_add(doctor->findings, environment, "service", FINDING_FAILED,
                               "%s is %s: it can be given no count", name, status);
        finding_advise(finding, "remove it from `services`, or create it anew");
        return false;
    }
    if (strcmp(strategy, "REPLICA") != 0) {
        finding =
            findings_add(doctor->findings, environment, "service", FINDING_FAILED,
                         "%s is a %s service: it runs one task on each instance, and has no count "
                         "to set",
                         name, strategy);
        finding_advise(finding, "remove it from `services`; provisionerd never touches it");
        return false;
    }
    return true;
}

static bool check_always_on(struct doctor *doctor, const char *environment, const char *name,
                            const char *status, int64_t desired, int64_t running)
{
    struct finding *finding;

    if (strcmp(status, "ACTIVE") == 0 && running > 0)
        return true;
    finding = findings_add(doctor->findings, environment, "always_on", FINDING_FAILED,
                           "%s is %s with %lld of %lld tasks running: while it is down nothing "
                           "writes the log, and nothing is put to sleep",
                           name, status, (long long)running, (long long)desired);
    finding_advise(finding, "start it (%s), or correct `always_on`",
                   desired == 0 ? "its desired count is 0"
                                : "see the events of the service in ECS");
    return false;
}

/* Of DescribeServices' services[]. Returns whether all is well. */
static bool take_service(struct doctor *doctor, const struct config_environment *environment,
                         struct json_object *object, struct doctor_service *service,
                         char summary[static TEXT_MAX])
{
    const char *status = "of no status", *strategy = "REPLICA";
    int64_t desired = 0, running = 0;
    char item[320];

    (void)json_get_string(object, "status", &status);
    (void)json_get_string(object, "schedulingStrategy", &strategy);
    (void)json_get_int(object, "desiredCount", &desired);
    (void)json_get_int(object, "runningCount", &running);
    take_task_definition(object, service);
    service->is_up = strcmp(status, "ACTIVE") == 0 && running > 0;
    snprintf(item, sizeof(item), "%.255s %lld/%lld", service->name, (long long)running,
             (long long)desired);
    append(summary, item);
    if (service->is_always_on)
        return check_always_on(doctor, environment->name, service->name, status, desired, running);
    return check_asleep_to_be(doctor, environment->name, service->name, status, strategy);
}

/* --- all of them --------------------------------------------------------------------------------- */

static struct json_object *find_by_name(struct json_object *objects, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(objects); i++) {
        struct json_object *object = json_object_array_get_idx(objects, i);
        const char *found, *arn;
        if ((json_get_string(object, "serviceName", &found) == 0 && strcmp(found, name) == 0) ||
            (json_get_string(object, "serviceArn", &arn) == 0 && strcmp(arn, name) == 0))
            return object;
    }
    return NULL;
}

static int ask_for(struct doctor *doctor, const struct config_environment *environment,
                   const struct doctor_service *services, size_t n, struct answer *ret)
{
    const char *names[BATCH];
    struct json_object *parameters = doctor_parameters("cluster", environment->cluster, NULL);

    for (size_t i = 0; i < n; i++)
        names[i] = services[i].name;
    if (!parameters || doctor_add_strings(parameters, "services", names, n) < 0) {
        json_object_put(parameters);
        return -ENOMEM;
    }
    return doctor_ask(doctor, ECS_DESCRIBE_SERVICES, parameters, ret);
}

/* A batch was refused because of some of it: which? */
static int find_denied(struct doctor *doctor, const struct config_environment *environment,
                       const struct doctor_service *services, size_t n)
{
    for (size_t i = 0; i < n && !doctor->is_cut_off; i++) {
        struct answer answer;
        char resource[DOCTOR_ARN_MAX];
        int r = ask_for(doctor, environment, &services[i], 1, &answer);

        if (r < 0)
            return r;
        doctor_service_arn(doctor, environment->cluster, services[i].name, resource);
        if (answer.error.kind == AWS_ERROR_DENIED)
            doctor_tell_denied(doctor, environment->name, ECS_DESCRIBE_SERVICES, resource,
                               &answer.error);
        answer_clear(&answer);
    }
    return 0;
}

struct outcome {
    bool is_read; /* every batch was answered */
    bool is_well;
    char summary[TEXT_MAX];
};

static int take_batch(struct doctor *doctor, const struct config_environment *environment,
                      struct json_object *body, struct doctor_service *services, size_t n,
                      struct outcome *outcome)
{
    struct json_object *objects;
    int r = 0;

    if (json_get_array(body, "services", &objects) < 0) {
        findings_add(doctor->findings, environment->name, "service", FINDING_UNKNOWN,
                     "DescribeServices' answer has no services");
        outcome->is_read = false;
        return 0;
    }
    for (size_t i = 0; i < n && r == 0; i++) {
        struct json_object *object = find_by_name(objects, services[i].name);
        if (object) {
            outcome->is_well &=
                take_service(doctor, environment, object, &services[i], outcome->summary);
            continue;
        }
        outcome->is_well = false;
        r = tell_missing_service(doctor, environment, services[i].name);
    }
    return r;
}

static int check_batch(struct doctor *doctor, const struct config_environment *environment,
                       struct doctor_service *services, size_t n, struct outcome *outcome)
{
    struct answer answer;
    int r = ask_for(doctor, environment, services, n, &answer);

    if (r < 0)
        return r;
    if (answer.error.kind == AWS_OK) {
        r = take_batch(doctor, environment, answer.body, services, n, outcome);
    } else {
        outcome->is_read = outcome->is_well = false;
        if (answer.error.kind == AWS_ERROR_DENIED)
            r = find_denied(doctor, environment, services, n);
        else if (answer.error.kind == AWS_ERROR_NOT_FOUND)
            r = tell_missing_cluster(doctor, environment, &answer.error);
        else
            doctor_tell_error(doctor, environment->name, "service", ECS_DESCRIBE_SERVICES,
                              &answer.error);
        /* The cluster is missing for all of them. */
        if (answer.error.kind == AWS_ERROR_NOT_FOUND)
            doctor->is_cluster_missing = true;
    }
    answer_clear(&answer);
    return r;
}

int doctor_check_services(struct doctor *doctor, const struct config_environment *environment,
                          struct doctor_services *ret)
{
    struct outcome outcome = {.is_read = true, .is_well = true};
    int r = 0;

    for (size_t i = 0; i < environment->n_services; i++)
        ret->items[ret->n_items++] = (struct doctor_service){.name = environment->services[i].name};
    for (size_t i = 0; i < environment->n_always_on; i++)
        ret->items[ret->n_items++] =
            (struct doctor_service){.name = environment->always_on[i], .is_always_on = true};

    doctor->is_cluster_missing = false;
    for (size_t at = 0; at < ret->n_items && r == 0; at += BATCH) {
        size_t n = ret->n_items - at < BATCH ? ret->n_items - at : BATCH;
        if (doctor->is_cut_off || doctor->is_cluster_missing)
            break;
        r = check_batch(doctor, environment, &ret->items[at], n, &outcome);
    }
    if (r < 0 || doctor->is_cut_off)
        return r;
    ret->is_known = outcome.is_read;
    if (outcome.is_read)
        findings_add(doctor->findings, environment->name, "permission", FINDING_OK,
                     "ecs:DescribeServices on all its services is permitted");
    if (outcome.is_well)
        findings_add(doctor->findings, environment->name, "service", FINDING_OK,
                     "in cluster %s, tasks running/desired: %s", environment->cluster,
                     outcome.summary);
    return doctor->is_cluster_missing ? 0 : doctor_check_update_permission(doctor, environment);
}
