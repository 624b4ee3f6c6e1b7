/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ctl/doctor.h"
#include "json.h"

/*
 * Whether something that writes the log group stays up: if all that does is put to sleep, nobody can be
 * seen to knock. Services tell by their task definitions: awslogs and FireLens name the log group.
 */

#define OTHERS_MAX 100 /* services of the cluster to look at besides the environment's */
#define BATCH 10       /* services in one DescribeServices: the API's limit */

#define INSTEAD "aws ecs describe-task-definition --task-definition NAME, at \"logConfiguration\""

enum writes {
    WRITES_NOT,
    WRITES,
    WRITES_UNKNOWN, /* it has been told why */
};

/* The name of a log group that may be written as an ARN. */
static const char *group_name(const char *name_or_arn)
{
    static const char mark[] = ":log-group:";
    const char *found = strstr(name_or_arn, mark);

    return found ? found + strlen(mark) : name_or_arn;
}

static bool is_log_group(const struct config_environment *environment, const char *name)
{
    for (size_t i = 0; i < environment->n_log_groups; i++)
        if (strcmp(group_name(environment->log_groups[i]), group_name(name)) == 0)
            return true;
    return false;
}

/* awslogs: "awslogs-group". FireLens with Fluent Bit's plugins for CloudWatch: "log_group_name". */
static bool container_writes(const struct config_environment *environment,
                             struct json_object *container)
{
    static const char *const OPTIONS[] = {"awslogs-group", "log_group_name", "log-group-name"};
    struct json_object *configuration, *options;
    const char *group;

    if (json_get_object(container, "logConfiguration", &configuration) < 0 ||
        json_get_object(configuration, "options", &options) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(OPTIONS); i++)
        if (json_get_string(options, OPTIONS[i], &group) == 0 && is_log_group(environment, group))
            return true;
    return false;
}

static enum writes definition_writes(const struct config_environment *environment,
                                     struct json_object *body)
{
    struct json_object *definition, *containers;

    if (json_get_object(body, "taskDefinition", &definition) < 0 ||
        json_get_array(definition, "containerDefinitions", &containers) < 0)
        return WRITES_NOT;
    for (size_t i = 0; i < json_object_array_length(containers); i++)
        if (container_writes(environment, json_object_array_get_idx(containers, i)))
            return WRITES;
    return WRITES_NOT;
}

static int ask_definition(struct doctor *doctor, const struct config_environment *environment,
                          const char *task_definition, enum writes *ret)
{
    struct answer answer;
    int r = doctor_ask(doctor, ECS_DESCRIBE_TASK_DEFINITION,
                       doctor_parameters("taskDefinition", task_definition, NULL), &answer);

    if (r < 0)
        return r;
    if (answer.body) {
        *ret = definition_writes(environment, answer.body);
    } else {
        *ret = WRITES_UNKNOWN;
        doctor_tell_unasked(doctor, environment->name, "writer", ECS_DESCRIBE_TASK_DEFINITION,
                            &answer.error, INSTEAD);
    }
    answer_clear(&answer);
    return 0;
}

/* --- other services of the cluster --------------------------------------------------------------- */

struct others {
    char *names[OTHERS_MAX]; /* ARNs */
    size_t n;
    char writer[256]; /* "": none found */
    bool is_up;
};

/* The environment that puts it to sleep; NULL: none does. */
static const struct config_environment *sleeps_with(const struct doctor *doctor,
                                                    const char *cluster, const char *service)
{
    for (size_t e = 0; e < doctor->config->n_environments; e++) {
        const struct config_environment *environment = &doctor->config->environments[e];
        if (strcmp(doctor_last_part(environment->cluster), doctor_last_part(cluster)) != 0)
            continue;
        for (size_t i = 0; i < environment->n_services; i++)
            if (strcmp(environment->services[i].name, service) == 0)
                return environment;
    }
    return NULL;
}

static int take_other(struct doctor *doctor, const struct config_environment *environment,
                      struct json_object *service, struct others *others)
{
    const char *name, *definition;
    int64_t running = 0;
    enum writes writes;

    if (json_get_string(service, "serviceName", &name) < 0 ||
        json_get_string(service, "taskDefinition", &definition) < 0)
        return 0;
    int r = ask_definition(doctor, environment, definition, &writes);
    if (r < 0 || writes != WRITES)
        return r;
    (void)json_get_int(service, "runningCount", &running);
    /* Of several, one that is up. */
    if (!*others->writer || (running > 0 && !others->is_up))
        snprintf(others->writer, sizeof(others->writer), "%s", name);
    others->is_up = others->is_up || running > 0;
    return 0;
}

static int ask_others(struct doctor *doctor, const struct config_environment *environment,
                      const char *const *names, size_t n, struct others *others, bool *answered)
{
    struct answer answer;
    struct json_object *services,
        *parameters = doctor_parameters("cluster", environment->cluster, NULL);

    if (parameters && doctor_add_strings(parameters, "services", names, n) < 0) {
        json_object_put(parameters);
        return -ENOMEM;
    }
    int r = doctor_ask(doctor, ECS_DESCRIBE_SERVICES, parameters, &answer);
    if (r < 0)
        return r;
    if (!answer.body) {
        *answered = false;
        doctor_tell_unasked(doctor, environment->name, "writer", ECS_DESCRIBE_SERVICES,
                            &answer.error, INSTEAD);
    } else if (json_get_array(answer.body, "services", &services) == 0) {
        for (size_t i = 0; i < json_object_array_length(services) && r == 0; i++)
            r = take_other(doctor, environment, json_object_array_get_idx(services, i), others);
    }
    answer_clear(&answer);
    return r;
}

static void tell_other(struct doctor *doctor, const struct config_environment *environment,
                       const struct others *others)
{
    const struct config_environment *owner =
        sleeps_with(doctor, environment->cluster, others->writer);
    struct finding *finding;

    if (owner) {
        finding = findings_add(doctor->findings, environment->name, "writer", FINDING_FAILED,
                               "%s writes the log, and sleeps with environment %s: then nobody is "
                               "seen to knock here",
                               others->writer, owner->name);
        finding_advise(finding,
                       "make one environment of both, or keep %s up: out of `services` of "
                       "%s, into `always_on` of both",
                       others->writer, owner->name);
    } else {
        finding = findings_add(doctor->findings, environment->name, "writer", FINDING_WARNING,
                               "%s writes the log and is in no environment; it %s", others->writer,
                               others->is_up ? "is up" : "is down");
        finding_advise(finding,
                       "add `always_on = %s`: then nothing is put to sleep while it is down",
                       others->writer);
    }
}

static void tell_no_writer(struct doctor *doctor, const struct config_environment *environment)
{
    struct finding *finding =
        findings_add(doctor->findings, environment->name, "writer", FINDING_WARNING,
                     "no service of the cluster writes the log, as far as task definitions tell");

    finding_advise(finding,
                   "see to it that what does write it (a load balancer or API gateway with "
                   "access logs, another cluster, an agent) stays up while the environment "
                   "sleeps");
}

static int check_others(struct doctor *doctor, const struct config_environment *environment)
{
    struct others others = {.n = 0};
    const char *names[OTHERS_MAX];
    struct answer answer;
    bool answered = true;
    size_t n;
    int r = doctor_ask_list(doctor, ECS_LIST_SERVICES,
                            doctor_parameters("cluster", environment->cluster, NULL), "nextToken",
                            "serviceArns", &answer);

    if (r < 0)
        return r;
    if (!answer.body) {
        doctor_tell_unasked(doctor, environment->name, "writer", ECS_LIST_SERVICES, &answer.error,
                            INSTEAD);
        return 0;
    }
    for (n = 0; n < json_object_array_length(answer.body) && n < OTHERS_MAX; n++) {
        const char *arn = json_object_get_string(json_object_array_get_idx(answer.body, n));
        names[n] = arn ? arn : "";
    }
    for (size_t at = 0; at < n && r == 0 && answered && !doctor->is_cut_off; at += BATCH)
        r = ask_others(doctor, environment, &names[at], n - at < BATCH ? n - at : BATCH, &others,
                       &answered);
    if (r == 0 && *others.writer)
        tell_other(doctor, environment, &others);
    else if (r == 0 && answered && !doctor->is_cut_off)
        tell_no_writer(doctor, environment);
    answer_clear(&answer);
    return r;
}

/* --- the environment's own ----------------------------------------------------------------------- */

static void tell_sleeping_writer(struct doctor *doctor,
                                 const struct config_environment *environment, const char *writer)
{
    struct finding *finding = findings_add(
        doctor->findings, environment->name, "writer", FINDING_FAILED,
        "%s writes the log, and is put to sleep itself: then nothing is left to notice "
        "that somebody knocks",
        writer);

    finding_advise(
        finding, "take `log_group` of what stays up in front of it: a load balancer or API gateway "
                 "with access logs in CloudWatch, or one small reverse proxy, which goes into "
                 "`always_on`");
}

int doctor_check_writers(struct doctor *doctor, const struct config_environment *environment,
                         const struct doctor_services *services)
{
    const char *sleeping = NULL;

    if (!services->is_known) {
        findings_add(doctor->findings, environment->name, "writer", FINDING_UNKNOWN,
                     "who writes the log is told by the services, which could not be read");
        return 0;
    }
    for (size_t i = 0; i < services->n_items; i++) {
        const struct doctor_service *service = &services->items[i];
        enum writes writes;
        int r;
        if (!service->task_definition)
            continue;
        r = ask_definition(doctor, environment, service->task_definition, &writes);
        if (r < 0 || writes == WRITES_UNKNOWN)
            return r;
        if (writes == WRITES && service->is_always_on) {
            findings_add(doctor->findings, environment->name, "writer", FINDING_OK,
                         "%s writes the log and is never put to sleep (`always_on`)",
                         service->name);
            return 0;
        }
        if (writes == WRITES)
            sleeping = service->name;
    }
    if (sleeping) {
        tell_sleeping_writer(doctor, environment, sleeping);
        return 0;
    }
    return check_others(doctor, environment);
}
