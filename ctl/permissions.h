/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_PERMISSIONS_H
#define PROVISIONERCTL_PERMISSIONS_H

/*
 * What provisionerd has to be allowed by IAM, for a configuration: a statement for each thing that it
 * does, with the resources of that configuration and no others. Without the statement that thing, and
 * no other, ends in AccessDenied. Pure.
 *
 * Sources: Service Authorization Reference, "Actions, resources, and condition keys for Amazon
 * CloudWatch Logs" and "... for Amazon ECS"; CloudWatch Logs User Guide, "CloudWatch Logs resources
 * and operations": policies name a log group with ":*" at its end. GetQueryResults and StopQuery know
 * no resources.
 */

#include "aws.h"
#include "config.h"

/* IAM takes so many characters, white space not counted, for a managed policy ("IAM and AWS STS
 * quotas"). */
#define PERMISSIONS_MANAGED_MAX 6144

#define PERMISSION_OPERATIONS_MAX 2

enum permission_resources {
    PERMISSION_LOG_GROUPS,
    PERMISSION_SERVICES_READ,    /* those of `services` and of `always_on` */
    PERMISSION_SERVICES_WRITTEN, /* those of `services` */
    PERMISSION_EVERYTHING,       /* actions that support no resources */
};

struct permission {
    const char *sid;
    enum aws_operation operations[PERMISSION_OPERATIONS_MAX];
    size_t n_operations;
    enum permission_resources resources;
};

#define PERMISSIONS_N 5
extern const struct permission PERMISSIONS[PERMISSIONS_N];

struct permissions_scope {
    const char *region;      /* NULL: not known, any */
    const char *account;     /* NULL: that of a cluster's ARN, or not known, any */
    const char *environment; /* NULL: all */
};

/* The policy document. Returns 0 or -ENOMEM. */
int permissions_document(const struct config *config, const struct permissions_scope *scope,
                         struct json_object **ret);

#endif
