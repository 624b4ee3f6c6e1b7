/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_DISCOVER_H
#define PROVISIONERCTL_DISCOVER_H

/*
 * What there is in an account: clusters, services, log groups. Sources: Amazon ECS API Reference,
 * ListClusters, ListServices; Amazon CloudWatch Logs API Reference, DescribeLogGroups.
 *
 * Each waits for all pages, up to a limit, and returns AWS_OK or what went wrong; what is in *ret then
 * is to be cleared all the same.
 */

#include "ctl/session.h"
#include "ctl/texts.h"

#define DISCOVER_PAGES_MAX 100 /* of 50 or 100 each */

/* ARNs. */
void discover_clusters(struct session *session, struct texts *ret, struct aws_error *ret_error);

struct discovered_service {
    char *name;
    bool is_daemon;
    bool is_active;
    int desired_count;
};

struct discovered_services {
    struct discovered_service *items;
    size_t n_items;
};

/* ListServices, and DescribeServices for what they are. *ret_operation is the one that failed. */
void discover_services(struct session *session, const char *cluster,
                       struct discovered_services *ret, enum aws_operation *ret_operation,
                       struct aws_error *ret_error);
void discovered_services_clear(struct discovered_services *services);

/* Names, of the class that FilterLogEvents reads (STANDARD). prefix: NULL for all. */
void discover_log_groups(struct session *session, const char *prefix, struct texts *ret,
                         struct aws_error *ret_error);

/* How likely a log group belongs to the cluster and its gateway: more is likelier, 0 not at all. Pure. */
int discover_likeness(const char *log_group, const char *cluster_name);

/* Whether services of this name mostly pass requests on to others, and so write the log. Pure. */
bool discover_is_gateway(const char *service);

#endif
