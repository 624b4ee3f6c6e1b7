/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_ADMIN_H
#define PROVISIONERD_SIM_ADMIN_H

/*
 * Between the files of the administration interface: admin.c (requests, answers), admin_world.c (log
 * events, services), admin_control.c (clock, settings, faults, history).
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/model.h"

struct admin_call {
    struct sim *sim;
    struct wall now;
    struct json_object *query; /* strings by name */
    struct json_object *body;  /* NULL: none */
    int status;
    struct json_object *answer; /* an object; NULL: memory is short */
};

/* What a resource does: 0, ADMIN_REFUSED with the reason in the answer, or a negative errno (500). */
#define ADMIN_REFUSED 1
typedef int admin_run_fn(struct admin_call *call);

struct admin_route {
    const char *method;
    const char *resource;
    admin_run_fn *run;
};

admin_run_fn admin_get_health, admin_get_stats, admin_get_operations, admin_put_clock,
    admin_patch_settings;
admin_run_fn admin_get_history, admin_delete_history, admin_get_faults, admin_post_fault;
admin_run_fn admin_delete_faults, admin_post_expire, admin_put_policy, admin_delete_policy;
admin_run_fn admin_put_events, admin_put_log_group, admin_delete_log_group, admin_post_request;
admin_run_fn admin_get_services, admin_put_service, admin_post_service, admin_delete_service;

/* {"error": "..."}, HTTP 400 unless call->status says otherwise already. ADMIN_REFUSED or -ENOMEM. */
int admin_fail(struct admin_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Building answers: value is taken, and may be NULL for want of memory, like object. -ENOMEM. */
int admin_add(struct json_object *object, const char *name, struct json_object *value);
int admin_add_string(struct json_object *object, const char *name, const char *value);
int admin_add_int(struct json_object *object, const char *name, int64_t value);
int admin_append(struct json_object *array, struct json_object *value);

/* Calls back for each member of an object, until one does not return 0; returns that. */
typedef int admin_member_fn(struct admin_call *call, const char *name, struct json_object *value,
                            const void *userdata);
int admin_each_member(struct admin_call *call, struct json_object *object, admin_member_fn *each,
                      const void *userdata);

/* Members of the body. An optional one that is absent leaves *ret alone. 0, ADMIN_REFUSED, -ENOMEM.
 * known ends with NULL. */
int admin_check_members(struct admin_call *call, struct json_object *object,
                        const char *const *known);
int admin_string(struct admin_call *call, struct json_object *object, const char *name,
                 bool required, const char **ret);
int admin_int(struct admin_call *call, struct json_object *object, const char *name, bool required,
              int64_t min, int64_t max, int64_t *ret);
/* Of the query; absent leaves *ret alone. */
int admin_query_int(struct admin_call *call, const char *name, int64_t min, int64_t max,
                    int64_t *ret);

#endif
