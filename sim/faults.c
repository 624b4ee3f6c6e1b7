/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/* Which faults there are, and when one fires. What one does is spoil.c's and the operations'. */

static const char *const NAMES[SIM_N_FAULTS] = {
    [SIM_FAULT_THROTTLE] = "throttle",
    [SIM_FAULT_HTTP_500] = "http_500",
    [SIM_FAULT_HTTP_502] = "http_502",
    [SIM_FAULT_HTTP_503] = "http_503",
    [SIM_FAULT_REFUSE] = "refuse",
    [SIM_FAULT_ACCESS_DENIED] = "access_denied",
    [SIM_FAULT_EXPIRED_TOKEN] = "expired_token",
    [SIM_FAULT_NOT_FOUND] = "not_found",
    [SIM_FAULT_INVALID_PARAMETER] = "invalid_parameter",
    [SIM_FAULT_RESET] = "reset",
    [SIM_FAULT_STALL] = "stall",
    [SIM_FAULT_TRICKLE] = "trickle",
    [SIM_FAULT_TRUNCATE] = "truncate",
    [SIM_FAULT_DUPLICATE] = "duplicate",
    [SIM_FAULT_REORDER] = "reorder",
    [SIM_FAULT_GARBAGE] = "garbage",
    [SIM_FAULT_ERROR_IN_200] = "error_in_200",
    [SIM_FAULT_WRONG_CONTENT_LENGTH] = "wrong_content_length",
    [SIM_FAULT_WRONG_TYPES] = "wrong_types",
    [SIM_FAULT_HUGE] = "huge",
    [SIM_FAULT_DEEP] = "deep",
    [SIM_FAULT_LATENCY] = "latency",
    [SIM_FAULT_SKEWED_DATE] = "skewed_date",
    [SIM_FAULT_QUERY_FAILED] = "query_failed",
    [SIM_FAULT_QUERY_CANCELLED] = "query_cancelled",
    [SIM_FAULT_QUERY_TIMEOUT] = "query_timeout",
    [SIM_FAULT_QUERY_UNKNOWN] = "query_unknown",
    [SIM_FAULT_QUERY_NEVER_ENDS] = "query_never_ends",
    [SIM_FAULT_QUERY_NO_STATISTICS] = "query_no_statistics",
    [SIM_FAULT_QUERY_PARTIAL_SHRINKS] = "query_partial_shrinks",
    [SIM_FAULT_QUERY_ID_UNKNOWN] = "query_id_unknown",
    [SIM_FAULT_QUERY_LIMIT_EXCEEDED] = "query_limit_exceeded",
    [SIM_FAULT_TOKEN_LOOP] = "token_loop",
    [SIM_FAULT_TOKEN_EXPIRES] = "token_expires",
    [SIM_FAULT_EMPTY_PAGES] = "empty_pages",
    [SIM_FAULT_DUPLICATE_EVENTS] = "duplicate_events",
    [SIM_FAULT_UPDATE_ANSWER_LOST] = "update_answer_lost",
    [SIM_FAULT_UPDATE_UNDONE] = "update_undone",
    [SIM_FAULT_STALE] = "stale",
    [SIM_FAULT_MISSING] = "missing",
};

const char *sim_fault_name(enum sim_fault_kind kind)
{
    return (unsigned)kind < SIM_N_FAULTS ? NAMES[kind] : "";
}

int sim_fault_kind_from_name(const char *name, enum sim_fault_kind *ret)
{
    for (unsigned kind = 0; kind < SIM_N_FAULTS; kind++) {
        if (strcmp(NAMES[kind], name) == 0) {
            *ret = (enum sim_fault_kind)kind;
            return 0;
        }
    }
    return -ENOENT;
}

struct sim_fault *sim_fault_free(struct sim_fault *fault)
{
    if (!fault)
        return NULL;
    free((char *)fault->rule.operation);
    free((char *)fault->rule.match);
    free(fault);
    return NULL;
}

DEFINE_CLEANUP(struct sim_fault *, sim_fault_free)

int sim_fault_add(struct sim *sim, const struct sim_fault_rule *rule, uint64_t *ret_id)
{
    if ((unsigned)rule->kind >= SIM_N_FAULTS || rule->count < -1 || rule->skip < 0 ||
        !(rule->probability >= 0 && rule->probability <= 1) || rule->value < INT64_MIN / 4 ||
        rule->value > INT64_MAX / 4)
        return -EINVAL;

    struct sim_fault **grown =
        reallocarray(sim->faults, sim->n_faults + 1, sizeof(struct sim_fault *));
    if (!grown)
        return -ENOMEM;
    sim->faults = grown;

    _cleanup_(sim_fault_free) struct sim_fault *fault = calloc(1, sizeof(*fault));
    if (!fault)
        return -ENOMEM;
    fault->rule = *rule;
    fault->rule.operation = rule->operation ? strdup(rule->operation) : NULL;
    fault->rule.match = rule->match ? strdup(rule->match) : NULL;
    if ((rule->operation && !fault->rule.operation) || (rule->match && !fault->rule.match))
        return -ENOMEM;
    fault->id = ++sim->next_serial;
    if (ret_id)
        *ret_id = fault->id;
    sim->faults[sim->n_faults++] = TAKE(fault);
    return 0;
}

static void remove_at(struct sim *sim, size_t index)
{
    sim_fault_free(sim->faults[index]);
    memmove(sim->faults + index, sim->faults + index + 1,
            (sim->n_faults - index - 1) * sizeof(struct sim_fault *));
    sim->n_faults--;
}

int sim_fault_remove(struct sim *sim, uint64_t id)
{
    for (size_t i = 0; i < sim->n_faults; i++) {
        if (sim->faults[i]->id == id) {
            remove_at(sim, i);
            return 0;
        }
    }
    return -ENOENT;
}

void sim_faults_clear(struct sim *sim)
{
    while (sim->n_faults > 0)
        sim_fault_free(sim->faults[--sim->n_faults]);
}

size_t sim_faults_count(const struct sim *sim)
{
    return sim->n_faults;
}

const struct sim_fault *sim_fault_at(const struct sim *sim, size_t index)
{
    return index < sim->n_faults ? sim->faults[index] : NULL;
}

uint64_t sim_faults_fired(const struct sim *sim, enum sim_fault_kind kind)
{
    return (unsigned)kind < SIM_N_FAULTS ? sim->faults_fired[kind] : 0;
}

/* The thing itself, or an ARN that ends with it. */
static bool names(const char *value, const char *match)
{
    size_t value_length = strlen(value), match_length = strlen(match);
    if (value_length < match_length)
        return false;
    const char *tail = value + value_length - match_length;
    if (strcmp(tail, match) != 0)
        return false;
    return tail == value || tail[-1] == '/' || tail[-1] == ':';
}

static bool value_names(struct json_object *value, const char *match)
{
    if (json_object_is_type(value, json_type_string))
        return names(json_object_get_string(value), match);
    if (!json_object_is_type(value, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        struct json_object *element = json_object_array_get_idx(value, i);
        if (json_object_is_type(element, json_type_string) &&
            names(json_object_get_string(element), match))
            return true;
    }
    return false;
}

static bool call_names(const struct sim *sim, const struct sim_call *call, const char *match)
{
    struct json_object_iter member;
    json_object_object_foreachC(call->parameters, member)
    {
        if (value_names(member.val, match))
            return true;
    }
    /* A queryId stands for the log groups of its query. */
    const char *query_id;
    if (json_get_string(call->parameters, "queryId", &query_id) < 0)
        return false;
    const struct sim_query *query = sim_query_find(sim, query_id);
    for (size_t i = 0; query && i < query->n_log_groups; i++)
        if (names(query->log_groups[i], match))
            return true;
    return false;
}

static bool rule_fires(struct sim *sim, struct sim_fault *fault, const struct sim_call *call)
{
    struct sim_fault_rule *rule = &fault->rule;
    if (rule->count == 0 || call->now.ms < rule->from.ms || call->now.ms >= rule->until.ms)
        return false;
    if (rule->operation && strcmp(rule->operation, "*") != 0 &&
        strcmp(rule->operation, call->operation) != 0)
        return false;
    if (rule->match && !(call->parameters && call_names(sim, call, rule->match)))
        return false;
    if (rule->skip > 0) {
        rule->skip--;
        return false;
    }
    const uint64_t grain = UINT64_C(1) << 32;
    if (rule->probability < 1.0 &&
        (double)sim_random(sim, grain) >= rule->probability * (double)grain)
        return false;

    if (rule->count > 0)
        rule->count--;
    fault->fired++;
    sim->faults_fired[rule->kind]++;
    return true;
}

bool sim_fault_fires_among(struct sim *sim, const struct sim_call *call, enum sim_fault_kind first,
                           enum sim_fault_kind last, enum sim_fault_kind *ret, int64_t *ret_value)
{
    for (size_t i = 0; i < sim->n_faults; i++) {
        struct sim_fault *fault = sim->faults[i];
        if (fault->rule.kind < first || fault->rule.kind > last || !rule_fires(sim, fault, call))
            continue;
        *ret = fault->rule.kind;
        if (ret_value)
            *ret_value = fault->rule.value;
        return true;
    }
    return false;
}

bool sim_fault_fires(struct sim *sim, const struct sim_call *call, enum sim_fault_kind kind,
                     int64_t *ret_value)
{
    enum sim_fault_kind fired;
    return sim_fault_fires_among(sim, call, kind, kind, &fired, ret_value);
}

static int member_error(int r, const char *name, const char *what, char **ret_error)
{
    if (r == 0 || r == -ENOENT)
        return 0;
    return sim_error_text(ret_error, "%s: must be %s", name, what);
}

static int parse_kind(struct json_object *object, enum sim_fault_kind *ret, char **ret_error)
{
    const char *kind;
    if (json_get_string(object, "kind", &kind) < 0)
        return sim_error_text(ret_error, "kind: must be the name of a fault");
    if (sim_fault_kind_from_name(kind, ret) < 0)
        return sim_error_text(ret_error, "kind: there is no fault \"%s\"", kind);
    return 0;
}

static int check_members(struct json_object *object, char **ret_error)
{
    static const char *const known[] = {"kind",        "operation", "match",    "count", "skip",
                                        "probability", "value",     "since_ms", "for_ms"};
    if (!json_object_is_type(object, json_type_object))
        return sim_error_text(ret_error, "a fault must be an object");
    struct json_object_iter member;
    json_object_object_foreachC(object, member)
    {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
            found = found || strcmp(known[i], member.key) == 0;
        if (!found)
            return sim_error_text(ret_error, "%s: no such member of a fault", member.key);
    }
    return 0;
}

int sim_fault_rule_parse(struct json_object *object, struct wall now, struct sim_fault_rule *ret,
                         char **ret_error)
{
    struct sim_fault_rule rule = SIM_FAULT_RULE(SIM_FAULT_THROTTLE);
    int64_t since_ms = 0, for_ms = -1;

    int r = check_members(object, ret_error);
    if (r == 0)
        r = parse_kind(object, &rule.kind, ret_error);
    if (r == 0)
        r = member_error(json_get_string(object, "operation", &rule.operation), "operation",
                         "a string", ret_error);
    if (r == 0)
        r = member_error(json_get_string(object, "match", &rule.match), "match", "a string",
                         ret_error);
    if (r == 0)
        r = member_error(json_get_int(object, "count", &rule.count), "count", "an integer",
                         ret_error);
    if (r == 0)
        r = member_error(json_get_int(object, "skip", &rule.skip), "skip", "an integer", ret_error);
    if (r == 0)
        r = member_error(json_get_double(object, "probability", &rule.probability), "probability",
                         "a number", ret_error);
    if (r == 0)
        r = member_error(json_get_int(object, "value", &rule.value), "value", "an integer",
                         ret_error);
    if (r == 0)
        r = member_error(json_get_int(object, "since_ms", &since_ms), "since_ms", "an integer",
                         ret_error);
    if (r == 0)
        r = member_error(json_get_int(object, "for_ms", &for_ms), "for_ms", "an integer",
                         ret_error);
    if (r < 0)
        return r;

    if (rule.count < -1 || rule.skip < 0 || rule.probability < 0 || rule.probability > 1)
        return sim_error_text(ret_error, "count is -1 or more, skip 0 or more, probability 0 to 1");
    if (llabs(since_ms) > INT64_MAX / 8 || for_ms > INT64_MAX / 8)
        return sim_error_text(ret_error, "since_ms, for_ms: too far away");
    if (since_ms != 0)
        rule.from = wall_add(now, since_ms);
    if (for_ms > 0)
        rule.until = wall_add(now, since_ms + for_ms);
    *ret = rule;
    return 0;
}
