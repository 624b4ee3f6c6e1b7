/* SPDX-License-Identifier: MIT */

#include "aws/operation.h"

/*
 * FilterLogEvents: a page is at most 1 MB of messages, which JSON may write with six bytes for one
 * ("\u001b"), or 10,000 events, each with some 400 bytes of names and numbers around its message.
 * GetQueryResults: few rows are asked for, but one log event may be of 1 MB.
 * The ECS operations: ten services at most, each with a hundred events, deployments and tags.
 */
#define ANSWER_SIZE_MAX ((size_t)16 << 20)
#define SMALL_ANSWER_SIZE_MAX ((size_t)1 << 20)

#define LOGS(name_)                                                    \
    .service = &ENDPOINT_LOGS, .name = name_, .action = "logs:" name_, \
    .target = "Logs_20140328." name_
#define ECS(name_)                                                   \
    .service = &ENDPOINT_ECS, .name = name_, .action = "ecs:" name_, \
    .target = "AmazonEC2ContainerServiceV20141113." name_
#define SCALING(name_)                                                                       \
    .service = &ENDPOINT_SCALING, .name = name_, .action = "application-autoscaling:" name_, \
    .target = "AnyScaleFrontendService." name_

/*
 * CloudWatch Logs grants so many requests a second and no bucket to speak of: rate and burst
 * together stay within the quota in any one second. "CloudWatch Logs quotas": FilterLogEvents 5 (10
 * in some regions), not adjustable; the query operations 5.
 *
 * Amazon ECS grants buckets, of which others in the account need their share. "Request throttling
 * for the Amazon ECS API": reads of services 50 and more, refilled at 20; modifications 50, at 5.
 */
static const struct operation OPERATIONS[AWS_N_OPERATIONS] = {
    [LOGS_FILTER_LOG_EVENTS] = {LOGS("FilterLogEvents"), .rate = 4, .burst = 1,
                                .answer_size_max = ANSWER_SIZE_MAX},
    [LOGS_START_QUERY] = {LOGS("StartQuery"), .rate = 4, .burst = 1,
                          .answer_size_max = SMALL_ANSWER_SIZE_MAX},
    [LOGS_GET_QUERY_RESULTS] = {LOGS("GetQueryResults"), .rate = 4, .burst = 1,
                                .answer_size_max = ANSWER_SIZE_MAX},
    [LOGS_STOP_QUERY] = {LOGS("StopQuery"), .rate = 4, .burst = 1,
                         .answer_size_max = SMALL_ANSWER_SIZE_MAX},
    [ECS_DESCRIBE_SERVICES] = {ECS("DescribeServices"), .rate = 20, .burst = 40,
                               .answer_size_max = ANSWER_SIZE_MAX},
    [ECS_UPDATE_SERVICE] = {ECS("UpdateService"), .rate = 5, .burst = 40,
                            .answer_size_max = ANSWER_SIZE_MAX},
    /* Lists, read once when somebody sets things up: well within what AWS grants. */
    [LOGS_DESCRIBE_LOG_GROUPS] = {LOGS("DescribeLogGroups"), .rate = 4, .burst = 1,
                                  .answer_size_max = SMALL_ANSWER_SIZE_MAX},
    [ECS_LIST_CLUSTERS] = {ECS("ListClusters"), .rate = 10, .burst = 10,
                           .answer_size_max = SMALL_ANSWER_SIZE_MAX},
    [ECS_LIST_SERVICES] = {ECS("ListServices"), .rate = 10, .burst = 10,
                           .answer_size_max = SMALL_ANSWER_SIZE_MAX},
    [ECS_DESCRIBE_TASK_DEFINITION] = {ECS("DescribeTaskDefinition"), .rate = 10, .burst = 10,
                                      .answer_size_max = SMALL_ANSWER_SIZE_MAX},
    [SCALING_DESCRIBE_SCALABLE_TARGETS] = {SCALING("DescribeScalableTargets"), .rate = 2,
                                           .burst = 2, .answer_size_max = SMALL_ANSWER_SIZE_MAX},
};

const struct operation *operation_get(enum aws_operation operation)
{
    return &OPERATIONS[operation];
}

const char *aws_operation_name(enum aws_operation operation)
{
    return OPERATIONS[operation].name;
}

const char *aws_operation_action(enum aws_operation operation)
{
    return OPERATIONS[operation].action;
}
