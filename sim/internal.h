/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_INTERNAL_H
#define PROVISIONERD_SIM_INTERNAL_H

/*
 * Between the files of the model; fronts and tests want sim/model.h.
 *
 * A call goes through protocol.c: target, signature (verify.c), throttle (throttle.c), permission
 * (principals.c, iam.c), faults in place of the answer (faults.c), the operation (logs_*.c, ecs_service.c),
 * faults on the answer (spoil.c), history (history.c).
 */

#include "sim/model.h"

/* Growing arrays: room for one more, doubling. -ENOMEM. `array` is a pointer variable. */
int sim_grow_(void **array, size_t *allocated, size_t wanted, size_t size);
#define SIM_GROW(array, allocated, wanted) \
    sim_grow_((void **)&(array), &(allocated), (wanted), sizeof(__typeof__((array)[0])))

/* Allocated text into *ret_error (if it is wanted); returns -EINVAL, or -ENOMEM. */
int sim_error_text(char **ret_error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Operations */

/* Those of AWS JSON come before STS. */
enum sim_service_kind { SIM_LOGS, SIM_ECS, SIM_SCALING, SIM_STS };

typedef int sim_operation_fn(struct sim *sim, struct sim_call *call);

/* The ARN that IAM is asked about; at most SIM_ARN_MAX. The n-th of several; false: no such. */
typedef bool sim_resource_fn(struct sim *sim, const struct sim_call *call, size_t n, char *buffer);

struct sim_operation {
    const char *name;
    sim_operation_fn *run;
    sim_resource_fn *resource; /* NULL: "*" */
    enum sim_service_kind service;
    bool unsigned_call;
    bool has_cluster; /* policies may ask for the condition key ecs:cluster */
};

extern const struct sim_operation SIM_LOGS_OPERATIONS[], SIM_ECS_OPERATIONS[],
    SIM_SCALING_OPERATIONS[];
extern const size_t SIM_N_LOGS_OPERATIONS, SIM_N_ECS_OPERATIONS, SIM_N_SCALING_OPERATIONS;

/* Each in its own file. */
int sim_filter_log_events(struct sim *sim, struct sim_call *call);
int sim_start_query(struct sim *sim, struct sim_call *call);
int sim_get_query_results(struct sim *sim, struct sim_call *call);
int sim_stop_query(struct sim *sim, struct sim_call *call);
int sim_describe_queries(struct sim *sim, struct sim_call *call);

/* AWS protocol calls; always answers. */
void sim_protocol_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                         struct sim_response *ret);

/* Parameters, checked as AWS checks them. All return 0 or SIM_REFUSED; an optional one that is
 * absent leaves *ret alone. */

#define SIM_REQUIRED true
#define SIM_OPTIONAL false

int sim_parameter_string(struct sim_call *call, const char *name, bool required, size_t min,
                         size_t max, const char **ret);
int sim_parameter_integer(struct sim_call *call, const char *name, bool required, int64_t min,
                          int64_t max, int64_t *ret);
int sim_parameter_bool(struct sim_call *call, const char *name, bool *ret);

/* An array of strings, each element checked to be one; NULL stays if absent. */
int sim_parameter_strings(struct sim_call *call, const char *name, size_t min, size_t max,
                          struct json_object **ret);

/* One of a NULL-terminated list of values. */
int sim_parameter_enum(struct sim_call *call, const char *name, const char *const *values,
                       const char **ret);

/* Building results: add takes value (NULL: memory was short). -ENOMEM. The name is not copied: it is
 * a literal, or lives as long as the object; but sim_json_add_copied() does copy it. */
int sim_json_add(struct json_object *object, const char *name, struct json_object *value);
int sim_json_add_copied(struct json_object *object, const char *name, struct json_object *value);
int sim_json_append(struct json_object *array, struct json_object *value);
int sim_json_add_string(struct json_object *object, const char *name, const char *value);
int sim_json_add_int(struct json_object *object, const char *name, int64_t value);
int sim_json_add_bool(struct json_object *object, const char *name, bool value);
int sim_json_add_double(struct json_object *object, const char *name, double value);
/* Seconds with a fraction, as AWS JSON 1.1 writes moments in ECS. */
int sim_json_add_moment(struct json_object *object, const char *name, struct wall value);

/* Paging of lists: tokens that hold a position. -EINVAL for one that is none of ours. */
#define SIM_TOKEN_MAX 160
void sim_list_token_format(size_t position, char buffer[static SIM_TOKEN_MAX]);
int sim_list_token_parse(const char *token, size_t *ret);

/* verify.c: who signed this? Returns 0 with call->caller set, or SIM_REFUSED. `service` is the
 * signing name. */
int sim_verify(struct sim *sim, const struct sim_request *request, const char *service,
               struct sim_call *call);

/* principals.c */
int sim_key_add(struct sim *sim, struct sim_key *key); /* takes key, even on error */
struct sim_key *sim_key_free(struct sim_key *key);
void sim_role_clear(struct sim_role *role);
int sim_authorize(struct sim *sim, const struct sim_operation *operation, struct sim_call *call);

/* throttle.c: true if the call may pass. */
bool sim_throttle_take(struct sim *sim, const char *operation, struct wall now);
int sim_throttle_set(struct sim *sim, const char *operation, double rate_per_s, double burst);
int sim_throttle_set_aws(struct sim *sim); /* AWS's quotas */
void sim_throttle_clear(struct sim *sim);

/* faults.c: the first rule of a kind in [first, last] that fires. */
bool sim_fault_fires_among(struct sim *sim, const struct sim_call *call, enum sim_fault_kind first,
                           enum sim_fault_kind last, enum sim_fault_kind *ret, int64_t *ret_value);
struct sim_fault *sim_fault_free(struct sim_fault *fault);

/* spoil.c. A kind up to INVALID_PARAMETER becomes the error of the call; or, where it is none of the
 * service's own, the answer in *ret, and true is returned. */
bool sim_fault_replace(struct sim_call *call, enum sim_service_kind service,
                       enum sim_fault_kind kind, struct sim_response *ret);
void sim_fault_spoil(struct sim *sim, enum sim_fault_kind kind, int64_t value,
                     struct sim_response *response);
/* Latency, Date and its skew: once, when all else is done. */
void sim_response_finish(struct sim *sim, const struct sim_call *call,
                         struct sim_response *response);

/* log_store.c */
struct sim_log_group *sim_log_group_free(struct sim_log_group *group);
int64_t sim_log_group_delay_ms(const struct sim *sim, const struct sim_log_group *group);
int sim_log_group_arn(const struct sim *sim, const struct sim_log_group *group, char *buffer);
bool sim_log_group_name_is_valid(const char *name);
/* "56 digits", as eventIds are. */
#define SIM_EVENT_ID_MAX 57
void sim_event_id(const struct sim_event *event, char buffer[static SIM_EVENT_ID_MAX]);

/* logs_queries.c */
struct sim_query *sim_query_free(struct sim_query *query);

/* ecs_model.c */
struct sim_cluster *sim_cluster_free(struct sim_cluster *cluster);
void sim_cluster_set_inactive(struct sim_cluster *cluster);

/* scenario.c, settings.c */
int sim_scenario_load(struct sim *sim, struct json_object *scenario, struct wall now,
                      char **ret_error);
void sim_settings_default(struct sim_settings *settings);
/* "settings.page_events: ..." for errors. */
int sim_settings_parse(struct sim *sim, struct json_object *object, char **ret_error);

/* history.c */
void sim_history_free(struct sim *sim);

#endif
