/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ctl/doctor.h"
#include "json.h"

/*
 * Whether Application Auto Scaling has services of the environment in its hands. Within its bounds it
 * leaves a count alone; one below the minimum it raises with its next scaling activity or scheduled
 * action, unless that is suspended ("Suspend and resume scaling for a scalable target").
 */

#define BATCH 50 /* resources in one DescribeScalableTargets: the API's limit */

#define INSTEAD "aws application-autoscaling describe-scalable-targets --service-namespace ecs"

static bool is_suspended(struct json_object *target)
{
    struct json_object *state;
    bool out = false, scheduled = false;

    if (json_get_object(target, "SuspendedState", &state) < 0)
        return false;
    (void)json_get_bool(state, "DynamicScalingOutSuspended", &out);
    (void)json_get_bool(state, "ScheduledScalingSuspended", &scheduled);
    return out && scheduled;
}

/* Returns whether it may fight. */
static bool check_target(struct doctor *doctor, const struct config_environment *environment,
                         struct json_object *target)
{
    const char *id = "";
    int64_t min = 0, max = 0;
    struct finding *finding;

    (void)json_get_string(target, "ResourceId", &id);
    (void)json_get_int(target, "MinCapacity", &min);
    (void)json_get_int(target, "MaxCapacity", &max);
    if (min == 0 || is_suspended(target))
        return false;
    finding =
        findings_add(doctor->findings, environment->name, "autoscaling", FINDING_WARNING,
                     "Application Auto Scaling keeps %s at %lld to %lld tasks: it may scale a "
                     "sleeping service up again, which counts as somebody's wish and wakes "
                     "the environment",
                     id, (long long)min, (long long)max);
    finding_detail(finding, FINDING_VERBATIM,
                   "aws application-autoscaling register-scalable-target --service-namespace ecs "
                   "--scalable-dimension ecs:service:DesiredCount --resource-id %s "
                   "--min-capacity 0",
                   id);
    finding_advise(finding, "set its minimum to 0, as above, or suspend its scaling");
    return true;
}

static int check_batch(struct doctor *doctor, const struct config_environment *environment,
                       const struct config_service *services, size_t n, bool *quiet)
{
    char ids[BATCH][DOCTOR_ARN_MAX];
    const char *texts[BATCH];
    struct answer answer;
    struct json_object *parameters = doctor_parameters(
        "ServiceNamespace", "ecs", "ScalableDimension", "ecs:service:DesiredCount", NULL);

    for (size_t i = 0; i < n; i++) {
        snprintf(ids[i], sizeof(ids[i]), "service/%s/%s", doctor_last_part(environment->cluster),
                 doctor_last_part(services[i].name));
        texts[i] = ids[i];
    }
    if (parameters && doctor_add_strings(parameters, "ResourceIds", texts, n) < 0) {
        json_object_put(parameters);
        parameters = NULL;
    }
    int r = doctor_ask_list(doctor, SCALING_DESCRIBE_SCALABLE_TARGETS, parameters, "NextToken",
                            "ScalableTargets", &answer);
    if (r < 0)
        return r;
    if (!answer.body) {
        *quiet = false;
        doctor_tell_unasked(doctor, environment->name, "autoscaling",
                            SCALING_DESCRIBE_SCALABLE_TARGETS, &answer.error, INSTEAD);
        return 0;
    }
    for (size_t i = 0; i < json_object_array_length(answer.body); i++)
        if (check_target(doctor, environment, json_object_array_get_idx(answer.body, i)))
            *quiet = false;
    answer_clear(&answer);
    return 0;
}

int doctor_check_scaling(struct doctor *doctor, const struct config_environment *environment)
{
    bool quiet = true;

    for (size_t at = 0; at < environment->n_services; at += BATCH) {
        size_t n = environment->n_services - at < BATCH ? environment->n_services - at : BATCH;
        int r = check_batch(doctor, environment, &environment->services[at], n, &quiet);
        if (r < 0)
            return r;
    }
    if (quiet)
        findings_add(doctor->findings, environment->name, "autoscaling", FINDING_OK,
                     "Application Auto Scaling holds none of its services above 0");
    return 0;
}
