/* SPDX-License-Identifier: MIT */
#ifndef PROVISIONERD_SIM_MODEL_H
#define PROVISIONERD_SIM_MODEL_H

/*
 * Behind the door of sim.h: what the simulated AWS is made of, for its own files and for tests that
 * judge by the truth. Everything is computed from the moment passed in; nothing here has a clock.
 *
 * Functions return 0 or a negative errno (-ENOMEM, -EINVAL, -ENOENT, -EEXIST). Structs are owned by
 * the model; fields may be read by anybody, and are written through the functions below.
 *
 * The scenario, the JSON document that sim_new() takes. Every member may be left out; an unknown one
 * is an error. Durations are in milliseconds unless the name ends otherwise.
 *
 *   {
 *     "account": "123456789012", "region": "eu-west-1",
 *     "seed": 1,                          all chance: staleness, probabilities of faults, ids
 *     "settings": {
 *       "verify_signatures": true,        false: any or no signature, the first credentials are used;
 *                                         a signature must be of this moment nonetheless
 *       "signature_skew_ms": 300000,      how far X-Amz-Date may be from now
 *       "latency_ms": 0,                  before the first byte of each answer
 *       "ingestion_delay_ms": 0,          an event can be read this long after it was put
 *       "page_events": 10000,             FilterLogEvents: events in a page, at most
 *       "page_scan": 100000,              records looked at for a page: sparse matches give empty ones
 *       "empty_pages": 0,                 so many empty pages before the first true one
 *       "token_lifetime_ms": 86400000,    of nextToken
 *       "query_scheduled_ms": 300,        Insights: Scheduled, then
 *       "query_running_ms": 2000,         Running, then Complete
 *       "query_concurrency": 30,
 *       "query_unknown_ms": 0,            GetQueryResults knows no queryId younger than this
 *       "query_retention_ms": 604800000,
 *       "stale_ms": 0,                    DescribeServices shows a moment up to this long ago
 *       "task_start_ms": 30000, "task_stop_ms": 5000,
 *       "service_events": 100,            DescribeServices: the newest, at most
 *       "history_max": 200000,            calls remembered
 *       "throttle": "none" | "aws" | { "FilterLogEvents": { "rate": 5, "burst": 5 }, ... }
 *     },
 *     "credentials": [ {                  default: AWS's documented example key, allowed everything
 *       "access_key_id": "...", "secret_access_key": "...", "session_token": "...",
 *       "arn": "arn:aws:iam::123456789012:user/bastion", "expires": "2026-03-01T00:00:00Z",
 *       "policy": { "Version": "2012-10-17", "Statement": [...] }   see iam.h; without: everything;
 *       "allow": [ "logs:*", { "action": "ecs:UpdateService", "resource": "arn:...*" } ]    or so
 *     } ],
 *     "roles": [ { "arn": "arn:aws:iam::123456789012:role/x", "external_id": "...",
 *                  "web_identity_token": "...", "max_session_s": 3600, "policy": {...} } ],
 *     "imds": { "enabled": true, "role": "x", "session_s": 21600 },
 *     "container": { "path": "/v2/credentials/1", "authorization_token": "...", "role": "x",
 *                    "session_s": 21600 },
 *     "log_groups": [ { "name": "/ecs/gateway", "class": "STANDARD" | "INFREQUENT_ACCESS",
 *                       "created": "2026-01-01T00:00:00Z", "ingestion_delay_ms": 0,
 *                       "streams": [ "gateway/1" ],
 *                       "events": [ { "timestamp": 1767225600000 | "ago_ms": 60000,
 *                                     "message": "...", "stream": "gateway/1",
 *                                     "ingestion_delay_ms": 0 } ] } ],
 *     "clusters": [ { "name": "staging", "status": "ACTIVE", "services": [ {
 *         "name": "api", "desired": 2, "status": "ACTIVE" | "DRAINING" | "INACTIVE",
 *         "strategy": "REPLICA" | "DAEMON", "controller": "ECS" | "CODE_DEPLOY" | "EXTERNAL",
 *         "log_group": "/ecs/gateway", "log_stream": "api/1",
 *         "task_start_ms": 30000, "task_stop_ms": 5000, "tags": { "team": "web" },
 *         "autoscaling": { "min": 1, "max": 4,      a target of Application Auto Scaling; to be
 *                          "suspended": true } } ] } ], seen, it never acts
 *     "faults": [ { "kind": "throttle", "operation": "*", "match": "staging", "count": -1,
 *                   "skip": 0, "probability": 1.0, "value": 0, "since_ms": 0, "for_ms": 0 } ]
 *   }
 *
 * Services begin with their desired tasks running. Log groups named by a service are made.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/sim.h"
#include "src/clock.h"

#define SIM_FOREVER ((struct wall){.ms = INT64_MAX / 4})

#define SIM_ACCESS_KEY_ID_MAX 129
#define SIM_REQUEST_ID_MAX 37 /* a UUID */
#define SIM_ERROR_CODE_MAX 96
#define SIM_ARN_MAX 1024

#define SIM_STALE_MS_MAX (10 * MS_PER_MINUTE) /* how far back the state of services is kept */

/* Settings: see the scenario above. */

struct sim_settings {
    bool verify_signatures;
    int64_t signature_skew_ms;
    int64_t latency_ms;
    int64_t ingestion_delay_ms;
    int64_t page_events;
    int64_t page_scan;
    int64_t empty_pages;
    int64_t token_lifetime_ms;
    int64_t query_scheduled_ms;
    int64_t query_running_ms;
    int64_t query_concurrency;
    int64_t query_unknown_ms;
    int64_t query_retention_ms;
    int64_t stale_ms;
    int64_t task_start_ms;
    int64_t task_stop_ms;
    int64_t service_events;
    int64_t history_max;
};

/* The changeable ones by name, for the admin interface: -ENOENT: no such setting; -EINVAL: not its
 * kind of value or out of range. Booleans are 0 and 1. */
int sim_setting_set(struct sim *sim, const char *name, int64_t value);
int sim_setting_get(const struct sim *sim, const char *name, int64_t *ret);

/* Identity */

struct sim_key {
    char *access_key_id;
    char *secret_access_key;
    char *session_token; /* NULL: a user's long-lived key */
    char *arn;
    struct wall expires;        /* SIM_FOREVER */
    struct json_object *policy; /* iam.h; NULL: everything is allowed */
    bool issued;                /* by sim_key_issue(); forgotten a day after its end */
};

struct sim_role {
    char *arn;
    char *name;               /* the part of the ARN after the last slash */
    char *external_id;        /* NULL: none asked for */
    char *web_identity_token; /* NULL: not by web identity */
    int64_t max_session_s;
    struct json_object *policy; /* of its sessions; NULL: everything is allowed */
};

struct sim_imds {
    bool enabled;
    char *role; /* name; NULL: an instance without a profile */
    int64_t session_s;
};

struct sim_container {
    char *path; /* NULL: no container endpoint */
    char *authorization_token;
    char *role;
    int64_t session_s;
};

const struct sim_key *sim_key_find(const struct sim *sim, const char *access_key_id);
const struct sim_role *sim_role_find(const struct sim *sim, const char *arn_or_name);

/* Temporary credentials for a session of the role: "arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION".
 * Keys that expired more than a day ago are forgotten. Borrowed by *ret until then. */
int sim_key_issue(struct sim *sim, const struct sim_role *role, const char *session_name,
                  int64_t duration_s, struct wall now, const struct sim_key **ret);

/* From now on: the policy document (NULL: everything is allowed) of an access key id or a role, by name
 * or ARN, with its sessions; of all of them if principal is NULL. -ENOENT: there is no such principal;
 * -EINVAL: *ret_error (allocated) says what is wrong with the document. */
int sim_policy_set(struct sim *sim, const char *principal, struct json_object *document,
                   char **ret_error);

/* Makes a key expire at a moment, for tests. */
int sim_key_expire(struct sim *sim, const char *access_key_id, struct wall when);

/* Logs */

struct sim_event {
    int64_t timestamp_ms;
    int64_t ingestion_ms; /* cannot be read before */
    uint64_t id;          /* rising; eventId is made of it */
    const char *message;  /* NUL-terminated, valid UTF-8, in the group's arena */
    uint32_t message_size;
    uint32_t stream; /* index */
};

struct sim_log_stream {
    char *name;
    int64_t created_ms;
    int64_t first_event_ms; /* INT64_MAX: none */
    int64_t last_event_ms;  /* INT64_MIN: none */
    int64_t last_ingestion_ms;
};

struct sim_arena_block;

struct sim_log_group {
    char *name;
    bool infrequent_access;
    int64_t created_ms;
    int64_t ingestion_delay_ms; /* -1: the setting's */
    int64_t stored_bytes;
    struct sim_log_stream *streams;
    size_t n_streams, streams_allocated;
    struct sim_event *events; /* by timestamp, then id */
    size_t n_events, events_allocated;
    struct sim_arena_block *arena;
};

struct sim_log_group *sim_log_group_find(const struct sim *sim, const char *name_or_arn);
int sim_log_group_add(struct sim *sim, const char *name, bool infrequent_access,
                      struct wall created, struct sim_log_group **ret);
int sim_log_group_remove(struct sim *sim, const char *name);
int sim_log_stream_get(struct sim_log_group *group, const char *name, struct wall now,
                       uint32_t *ret); /* made if missing */

/* Bytes that are not UTF-8, and NULs, become U+FFFD. ingestion: when it can first be read. */
int sim_event_put(struct sim *sim, struct sim_log_group *group, const char *stream,
                  struct wall timestamp, struct wall ingestion, const char *message, size_t size);

/* As PutLogEvents at `now` would: ingestion after the group's delay. */
int sim_event_put_now(struct sim *sim, struct sim_log_group *group, const char *stream,
                      struct wall timestamp, struct wall now, const char *message);

/* Index of the first event with timestamp >= ms. */
size_t sim_events_lower_bound(const struct sim_log_group *group, int64_t ms);

/* Throws away events older than `before`; returns how many. Keeps long simulations small; message
 * memory is given back a block at a time. */
size_t sim_events_trim(struct sim_log_group *group, struct wall before);

/* Insights queries */

struct insights_query;

enum sim_query_end {
    SIM_QUERY_COMPLETES,
    SIM_QUERY_FAILS,
    SIM_QUERY_IS_CANCELLED,
    SIM_QUERY_TIMES_OUT,
    SIM_QUERY_BECOMES_UNKNOWN,
    SIM_QUERY_NEVER_ENDS,
};

struct sim_query {
    uint64_t serial;
    char id[SIM_REQUEST_ID_MAX];
    char *text;
    struct insights_query *program;
    char **log_groups;
    size_t n_log_groups;
    int64_t start_ms, end_ms; /* inclusive */
    int64_t limit;
    struct wall created;
    int64_t scheduled_ms, running_ms; /* as the settings were */
    int64_t unknown_ms;               /* GetQueryResults does not know it before this age */
    enum sim_query_end end;
    struct wall stopped; /* by StopQuery; SIM_FOREVER */
    bool no_statistics;
    bool partial_shrinks;
};

const struct sim_query *sim_query_find(const struct sim *sim, const char *id);

/* "Scheduled", "Running", "Complete", ... at a moment. */
const char *sim_query_status(const struct sim_query *query, struct wall now);

/* Queries that are Scheduled or Running. */
size_t sim_queries_active(const struct sim *sim, struct wall now);

/* ECS */

enum sim_service_status { SIM_ACTIVE, SIM_DRAINING, SIM_INACTIVE };
enum sim_strategy { SIM_REPLICA, SIM_DAEMON };

struct sim_service;
struct sim_cluster;

/* What Application Auto Scaling shows of a service. */
struct sim_scaling {
    int64_t min, max; /* max 0: it is no scalable target */
    bool in_suspended, out_suspended, scheduled_suspended;
};

/* What is, whatever DescribeServices shows. */
struct sim_service_truth {
    enum sim_service_status status;
    int64_t desired;
    int64_t running;
    int64_t pending;
    bool steady;         /* running == desired, nothing pending */
    struct wall changed; /* when desired last changed */
};

struct sim_cluster *sim_cluster_find(const struct sim *sim, const char *name_or_arn);
int sim_cluster_add(struct sim *sim, const char *name, struct sim_cluster **ret);
const char *sim_cluster_name(const struct sim_cluster *cluster);
size_t sim_clusters_count(const struct sim *sim);
struct sim_cluster *sim_cluster_at(const struct sim *sim, size_t index);

struct sim_service *sim_service_find(const struct sim_cluster *cluster, const char *name_or_arn);
size_t sim_services_count(const struct sim_cluster *cluster);
struct sim_service *sim_service_at(const struct sim_cluster *cluster, size_t index);
const char *sim_service_name(const struct sim_service *service);
enum sim_strategy sim_service_strategy(const struct sim_service *service);
const char *sim_service_log_group(const struct sim_service *service); /* NULL: writes no log */
struct sim_cluster *sim_service_cluster(const struct sim_service *service);

struct sim_service_options {
    const char *name;
    int64_t desired;
    enum sim_service_status status;
    enum sim_strategy strategy;
    const char *controller; /* NULL: "ECS" */
    const char *log_group;  /* NULL: none */
    const char *log_stream; /* NULL: NAME/1 */
    int64_t task_start_ms;  /* -1: the setting's */
    int64_t task_stop_ms;   /* -1: the setting's */
    bool running_already;   /* its tasks run; else they start now */
};

/* An INACTIVE service of that name is replaced, as in ECS. */
int sim_service_add(struct sim *sim, struct sim_cluster *cluster,
                    const struct sim_service_options *options, struct wall now,
                    struct sim_service **ret);
int sim_service_remove(struct sim *sim, struct sim_cluster *cluster, const char *name);

/* By somebody at the console, autoscaling, a deploy: not through the API, not in the history. */
int sim_service_set_desired(struct sim *sim, struct sim_service *service, int64_t desired,
                            struct wall now);
int sim_service_set_desired_later(struct sim *sim, struct sim_service *service, int64_t desired,
                                  struct wall when);
int sim_service_set_status(struct sim *sim, struct sim_service *service,
                           enum sim_service_status status, struct wall now);
void sim_service_set_scaling(struct sim_service *service, const struct sim_scaling *scaling);
int sim_service_set_tag(struct sim_service *service, const char *key, const char *value);

void sim_service_truth(struct sim *sim, struct sim_service *service, struct wall now,
                       struct sim_service_truth *ret);

/* Sum over tasks of the time they ran, up to now: what Fargate would bill. */
int64_t sim_service_task_ms(struct sim *sim, struct sim_service *service, struct wall now);

/*
 * Somebody calls the service. With a running task it writes `message` to its log group (at `now`,
 * readable after the ingestion delay), and *ret_served is true; else the request is lost.
 */
int sim_request_arrives(struct sim *sim, struct sim_service *service, const char *message,
                        struct wall now, bool *ret_served);

/* Faults */

enum sim_fault_kind {
    /* In place of the answer; the operation does not act. */
    SIM_FAULT_THROTTLE,
    SIM_FAULT_HTTP_500,
    SIM_FAULT_HTTP_502,
    SIM_FAULT_HTTP_503,
    SIM_FAULT_REFUSE,
    SIM_FAULT_ACCESS_DENIED,
    SIM_FAULT_EXPIRED_TOKEN,
    SIM_FAULT_NOT_FOUND,
    SIM_FAULT_INVALID_PARAMETER,
    /* The operation acts, its answer is spoilt. */
    SIM_FAULT_RESET,
    SIM_FAULT_STALL,
    SIM_FAULT_TRICKLE,
    SIM_FAULT_TRUNCATE,
    SIM_FAULT_DUPLICATE, /* the body twice */
    SIM_FAULT_REORDER,   /* members and elements the other way round: valid, and as true */
    SIM_FAULT_GARBAGE,
    SIM_FAULT_ERROR_IN_200,
    SIM_FAULT_WRONG_CONTENT_LENGTH,
    SIM_FAULT_WRONG_TYPES,
    SIM_FAULT_HUGE, /* value: bytes of padding; 0: 64 MiB */
    SIM_FAULT_DEEP, /* value: levels; 0: 100,000 */
    /* Beside the answer. */
    SIM_FAULT_LATENCY,     /* value: ms */
    SIM_FAULT_SKEWED_DATE, /* value: ms */
    /* StartQuery; they mark the query. */
    SIM_FAULT_QUERY_FAILED,
    SIM_FAULT_QUERY_CANCELLED,
    SIM_FAULT_QUERY_TIMEOUT,
    SIM_FAULT_QUERY_UNKNOWN,
    SIM_FAULT_QUERY_NEVER_ENDS,
    SIM_FAULT_QUERY_NO_STATISTICS,
    SIM_FAULT_QUERY_PARTIAL_SHRINKS,
    SIM_FAULT_QUERY_ID_UNKNOWN, /* value: ms after its start */
    SIM_FAULT_QUERY_LIMIT_EXCEEDED,
    /* FilterLogEvents */
    SIM_FAULT_TOKEN_LOOP,       /* nextToken leads back to the same page */
    SIM_FAULT_TOKEN_EXPIRES,    /* the nextToken that is sent counts as expired */
    SIM_FAULT_EMPTY_PAGES,      /* value: how many before the first true page */
    SIM_FAULT_DUPLICATE_EVENTS, /* a page repeats an event it has given */
    /* ECS */
    SIM_FAULT_UPDATE_ANSWER_LOST, /* UpdateService acts, then the connection breaks */
    SIM_FAULT_UPDATE_UNDONE,      /* value: ms until another actor sets the old count again */
    SIM_FAULT_STALE,              /* value: ms; DescribeServices shows that long ago */
    SIM_FAULT_MISSING,            /* DescribeServices: failures[] MISSING */
    SIM_N_FAULTS,
};

/* What the admin interface and scenarios say. */
struct sim_fault_rule {
    enum sim_fault_kind kind;
    const char *operation; /* "FilterLogEvents", "Imds", "Container", ...; "*" or NULL: any */
    const char *match;     /* a log group, cluster or service that the call names; NULL: any */
    int64_t count;         /* fires so often; -1: until cleared */
    int64_t skip;          /* lets so many calls pass first */
    double probability;    /* of each chance taken; 1.0: always */
    int64_t value;
    struct wall from, until; /* WALL_NEVER, SIM_FOREVER: no limit; until is exclusive */
};

#define SIM_FAULT_RULE(KIND)                                \
    ((struct sim_fault_rule){.kind = (KIND),                \
                             .count = 1,                    \
                             .probability = 1.0,            \
                             .from = {.ms = INT64_MIN / 4}, \
                             .until = {.ms = INT64_MAX / 4}})

struct sim_fault {
    uint64_t id;
    struct sim_fault_rule rule; /* its strings are owned here */
    uint64_t fired;
};

const char *sim_fault_name(enum sim_fault_kind kind);                     /* "query_failed" */
int sim_fault_kind_from_name(const char *name, enum sim_fault_kind *ret); /* -ENOENT */
int sim_fault_add(struct sim *sim, const struct sim_fault_rule *rule, uint64_t *ret_id);
int sim_fault_remove(struct sim *sim, uint64_t id); /* -ENOENT */
void sim_faults_clear(struct sim *sim);
size_t sim_faults_count(const struct sim *sim);
const struct sim_fault *sim_fault_at(const struct sim *sim, size_t index);
uint64_t sim_faults_fired(const struct sim *sim, enum sim_fault_kind kind); /* since sim_new() */

/* A rule as in the scenario's "faults" ("since_ms" and "for_ms" count from now). The strings are
 * borrowed from object. -EINVAL: *ret_error (allocated) says what is wrong. */
int sim_fault_rule_parse(struct json_object *object, struct wall now, struct sim_fault_rule *ret,
                         char **ret_error);

/* History */

struct sim_call_record {
    uint64_t number; /* 1 is the first call */
    struct wall time;
    const char *operation;  /* "UpdateService"; "" if unknown */
    const char *parameters; /* JSON, at most SIM_HISTORY_PARAMETERS_MAX bytes; "" if unreadable */
    int status; /* what the service said, even if the answer was lost; 0: refused, nothing was done */
    char code[SIM_ERROR_CODE_MAX]; /* AWS's error code; "" if none */
    char access_key_id[SIM_ACCESS_KEY_ID_MAX];
    char request_id[SIM_REQUEST_ID_MAX];
};

#define SIM_HISTORY_PARAMETERS_MAX 4096

/* Numbers of the oldest call remembered and of the newest; newest is the total. 1, 0 when empty. */
uint64_t sim_history_oldest(const struct sim *sim);
uint64_t sim_history_newest(const struct sim *sim);
const struct sim_call_record *sim_history_get(const struct sim *sim, uint64_t number); /* or NULL */
int sim_history_append(struct sim *sim, const struct sim_call_record *record);         /* copies */
void sim_history_clear(struct sim *sim); /* the count goes on */

/* Calls under way: what an operation is given, and what it answers. */

struct sim_operation;

struct sim_call {
    struct wall now;
    const char *operation;          /* "FilterLogEvents" */
    struct json_object *parameters; /* of a form (STS): strings by name. Borrowed */
    const struct sim_key *caller;   /* NULL: the operation takes no signature */
    char request_id[SIM_REQUEST_ID_MAX];

    struct json_object *result; /* JSON services; owned */
    bool answer_is_lost;        /* it acted, and the connection breaks */
    char *xml;                  /* STS: "<AssumeRoleResult>...</AssumeRoleResult>"; owned */

    int error_status; /* 0: no error */
    char error_code[SIM_ERROR_CODE_MAX];
    char error_message[1024];
    struct json_object *error_members; /* beside them in the error's body; NULL: none. Owned */
};

/* Operations return 0 with a result, SIM_REFUSED with an error set, or a negative errno (HTTP 500). */
#define SIM_REFUSED 1

/* int sim_refuse(struct sim_call *call, const char *code, const char *format, ...): HTTP 400; is
 * SIM_REFUSED, and the compiler can see it. */
#define sim_refuse(...) (sim_set_error(__VA_ARGS__), sim_refused())
void sim_set_error(struct sim_call *call, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline int sim_refused(void)
{
    return SIM_REFUSED;
}

/* True if a rule of that kind fires for this call now; it is used up and counted. ret_value may be
 * NULL. */
bool sim_fault_fires(struct sim *sim, const struct sim_call *call, enum sim_fault_kind kind,
                     int64_t *ret_value);

/*
 * Written by identity.c and admin.c. Signatures, throttling, IAM, faults and history of STS are done
 * around sim_sts_call(), and the XML envelope too; faults, latency and history of the metadata and
 * container endpoints around theirs (operations "Imds" and "Container"). All always answer.
 */
int sim_sts_call(struct sim *sim, struct sim_call *call);
void sim_imds_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                     struct sim_response *ret);
void sim_container_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                          struct sim_response *ret);
void sim_admin_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                      struct sim_response *ret);

/*
 * For tests that judge: told of every API call that reaches an operation or is refused before it.
 * First, with response NULL, when the operation is about to act; then with its answer, as it will
 * travel. A call that is refused is told of once, with its answer. Nothing may be changed by it.
 */
typedef void sim_observe_fn(void *userdata, const struct sim_call *call,
                            const struct sim_response *response);
void sim_set_observer(struct sim *sim, sim_observe_fn *observe, void *userdata);

/* Requests and responses */

/* The first of that name, without regard to case; NULL if there is none. */
const char *sim_request_header(const struct sim_request *request, const char *name);

/* "application/x-www-form-urlencoded" text (a query or a body) to an object of strings. */
int sim_form_parse(const char *text, size_t size, struct json_object **ret);

/* Percent-decodes in place; '+' stays. Returns the new length, or -EINVAL. */
int sim_percent_decode(char *text);

/* Starts an answer: copies body; delivered whole, at once. content_type NULL: none. On -ENOMEM *ret
 * is an empty HTTP 500. */
int sim_response_set(struct sim_response *ret, int status, const char *content_type,
                     const char *body, size_t body_size);
int sim_response_set_json(struct sim_response *ret, int status, struct json_object *body);
int sim_response_add_header(struct sim_response *response, const char *name, const char *value);

/* Chance and names, the same for the same seed. */
uint64_t sim_random(struct sim *sim, uint64_t bound); /* in [0, bound); 0 when bound is 0 */
void sim_uuid(struct sim *sim, char ret[static SIM_REQUEST_ID_MAX]);

/* The world itself. */

struct sim_bucket {
    char *operation;
    double rate_per_s, burst;
    double tokens;
    struct wall filled;
};

struct sim_identity; /* identity.c's own */

struct sim {
    char *account;
    char *region;
    struct sim_settings settings;

    struct sim_key **keys;
    size_t n_keys;
    struct sim_role *roles;
    size_t n_roles;
    struct sim_imds imds;
    struct sim_container container;
    struct sim_identity *identity; /* NULL until identity.c makes it */

    struct sim_log_group **log_groups; /* by name */
    size_t n_log_groups;
    struct sim_query **queries; /* by serial */
    size_t n_queries, queries_allocated;

    struct sim_cluster **clusters;
    size_t n_clusters;
    uint64_t requests_served, requests_lost;

    struct sim_fault **faults;
    size_t n_faults;
    uint64_t faults_fired[SIM_N_FAULTS];

    struct sim_bucket *buckets;
    size_t n_buckets;

    struct sim_call_record *history; /* a ring of settings.history_max */
    size_t history_allocated;
    uint64_t history_newest, history_oldest;

    sim_observe_fn *observe;
    void *observe_userdata;

    int64_t clock_offset_ms; /* of AWS's clock to ours; a front adds it to what it passes in */
    uint64_t seed;
    uint64_t random_state;
    uint64_t next_serial;
};

/* Called by sim_free() when sim->identity is set. */
void sim_identity_free(struct sim_identity *identity);

#endif
