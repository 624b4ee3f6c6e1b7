/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERCTL_DOCTOR_H
#define PROVISIONERCTL_DOCTOR_H

/*
 * Between the files of `provisionerctl doctor`: doctor.c (the verb, and what concerns all environments),
 * doctor_ask.c (calls), doctor_services.c (ECS), doctor_writers.c (who writes the log),
 * doctor_scaling.c (Application Auto Scaling), doctor_permissions.c (what a refusal means, and harmless
 * ways to meet one), doctor_logs.c (log groups, pattern, lateness), doctor_query.c (Logs Insights),
 * doctor_load.c (quotas and money; pure).
 *
 * It asks with the daemon's credentials and changes nothing. What the daemon needs and what only the
 * doctor asks are told apart: without the latter a check is `unknown`, not `failed`.
 *
 * Functions that ask return 0, whatever AWS answered, or -ENOMEM, with which the doctor ends.
 */

#include "ctl/caller.h"
#include "ctl/ctl.h"
#include "ctl/findings.h"
#include "ctl/session.h"

#define DOCTOR_ARN_MAX 1200

struct doctor {
    const struct config *config;
    struct session session;
    struct findings *findings;
    int64_t since_ms;                 /* how far back to look for activity */
    char account[CALLER_ACCOUNT_MAX]; /* "*": not known */
    char region[64];
    bool is_cut_off;         /* AWS does not answer: there is no use in asking on */
    bool is_cluster_missing; /* of the environment at hand; has been told */
    bool is_log_missing;     /* one of its log groups; likewise */
};

/* --- calls (doctor_ask.c) ------------------------------------------------------------------------ */

struct answer {
    struct aws_error error;
    struct json_object *body; /* NULL with an error; owned */
};

void answer_clear(struct answer *answer);

/* parameters is taken; NULL: want of memory. */
int doctor_ask(struct doctor *doctor, enum aws_operation operation, struct json_object *parameters,
               struct answer *ret);

/* All pages; the body is the array `list` of them, joined. token: how the operation calls it, in the
 * request and the answer. */
int doctor_ask_list(struct doctor *doctor, enum aws_operation operation,
                    struct json_object *parameters, const char *token, const char *list,
                    struct answer *ret);

/* An object of strings: pairs of name and value, ends with NULL. NULL: no memory. */
struct json_object *doctor_parameters(const char *name, ...) __attribute__((sentinel));

/* An array of the strings, into object. 0 or -ENOMEM. */
int doctor_add_strings(struct json_object *object, const char *name, const char *const *texts,
                       size_t n);

/* --- permissions (doctor_permissions.c) ---------------------------------------------------------- */

/* resource as policies name it. */
void doctor_log_group_arn(const struct doctor *doctor, const char *log_group,
                          char ret[static DOCTOR_ARN_MAX]);
void doctor_service_arn(const struct doctor *doctor, const char *cluster, const char *service,
                        char ret[static DOCTOR_ARN_MAX]);
const char *doctor_last_part(const char *name_or_arn); /* behind the last slash of an ARN */

/* "permission" failed: AWS's words, and the statement that is missing. */
void doctor_tell_denied(struct doctor *doctor, const char *environment,
                        enum aws_operation operation, const char *resource,
                        const struct aws_error *error);

/* `check` unknown: the call failed; if it was refused, the permission is the doctor's own, that the
 * daemon does not need. `instead`: how to look by hand. */
void doctor_tell_unasked(struct doctor *doctor, const char *environment, const char *check,
                         enum aws_operation operation, const struct aws_error *error,
                         const char *instead);

/* `check` failed, or unknown when it may well have been chance: the call that the daemon needs. */
void doctor_tell_error(struct doctor *doctor, const char *environment, const char *check,
                       enum aws_operation operation, const struct aws_error *error);

/* Whether the error says that nobody answered; then the doctor is cut off, and it is told once. */
bool doctor_is_unreachable(struct doctor *doctor, enum aws_operation operation,
                           const struct aws_error *error);

/* Whether CloudWatch Logs and ECS answer, whatever they say. */
int doctor_check_reach(struct doctor *doctor);
int doctor_check_query_permissions(struct doctor *doctor);
int doctor_check_update_permission(struct doctor *doctor,
                                   const struct config_environment *environment);

/* --- the environments ---------------------------------------------------------------------------- */

struct doctor_service {
    const char *name; /* as configured */
    bool is_always_on;
    bool is_up;            /* ACTIVE, and a task runs */
    char *task_definition; /* NULL: not known */
};

struct doctor_services {
    struct doctor_service items[2 * CONFIG_SERVICES_MAX];
    size_t n_items;
    bool is_known; /* they could be read */
};

int doctor_check_services(struct doctor *doctor, const struct config_environment *environment,
                          struct doctor_services *ret);
void doctor_services_clear(struct doctor_services *services);
int doctor_check_writers(struct doctor *doctor, const struct config_environment *environment,
                         const struct doctor_services *services);
int doctor_check_scaling(struct doctor *doctor, const struct config_environment *environment);
int doctor_check_logs(struct doctor *doctor, const struct config_environment *environment);
int doctor_check_query(struct doctor *doctor, const struct config_environment *environment,
                       double *ret_bytes_per_hour); /* negative: not known */

#endif
