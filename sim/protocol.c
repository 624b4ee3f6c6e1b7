/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/internal.h"
#include "src/cleanup.h"
#include "src/json.h"

/*
 * One call of an AWS API: JSON 1.1 for CloudWatch Logs, ECS and Application Auto Scaling, the query
 * protocol for STS. Which operation, who asks, may he, what comes out, and how the answer or the error
 * is written.
 */

#define BODY_MAX ((size_t)2 << 20) /* PutLogEvents takes 1 MB of messages */

static bool role_resource(struct sim *sim, const struct sim_call *call, size_t n, char *buffer)
{
    const char *arn;
    (void)sim;
    if (n > 0 || json_get_string(call->parameters, "RoleArn", &arn) < 0)
        return false;
    snprintf(buffer, SIM_ARN_MAX, "%s", arn);
    return true;
}

/* STS: what is done is identity.c's. */
static const struct sim_operation STS_OPERATIONS[] = {
    {"AssumeRole", sim_sts_call, role_resource, SIM_STS, false, false},
    {"AssumeRoleWithWebIdentity", sim_sts_call, NULL, SIM_STS, true, false},
    {"GetCallerIdentity", sim_sts_call, NULL, SIM_STS, false, false},
};

static const struct {
    const char *target_prefix;
    const char *signing_name;
} SERVICES[] = {
    [SIM_LOGS] = {"Logs_20140328.", "logs"},
    [SIM_ECS] = {"AmazonEC2ContainerServiceV20141113.", "ecs"},
    [SIM_SCALING] = {"AnyScaleFrontendService.", "application-autoscaling"},
    [SIM_STS] = {NULL, "sts"},
};

static const struct sim_operation *find_operation(enum sim_service_kind service, const char *name)
{
    const struct {
        const struct sim_operation *operations;
        size_t n;
    } tables[] = {
        [SIM_LOGS] = {SIM_LOGS_OPERATIONS, SIM_N_LOGS_OPERATIONS},
        [SIM_ECS] = {SIM_ECS_OPERATIONS, SIM_N_ECS_OPERATIONS},
        [SIM_SCALING] = {SIM_SCALING_OPERATIONS, SIM_N_SCALING_OPERATIONS},
        [SIM_STS] = {STS_OPERATIONS, ARRAY_LENGTH(STS_OPERATIONS)},
    };
    for (size_t i = 0; i < tables[service].n; i++)
        if (strcmp(tables[service].operations[i].name, name) == 0)
            return &tables[service].operations[i];
    return NULL;
}

/* A call on its way through this file. */
struct exchange {
    struct sim *sim;
    const struct sim_request *request;
    struct sim_call call;
    enum sim_service_kind service;
    const struct sim_operation *operation;
    struct json_object *parameters; /* NULL: unreadable */
};

static void read_query_call(struct exchange *exchange)
{
    const struct sim_request *request = exchange->request;
    const char *action = "";
    exchange->service = SIM_STS;
    if (strcmp(request->method, "GET") == 0)
        (void)sim_form_parse(request->query, strlen(request->query), &exchange->parameters);
    else
        (void)sim_form_parse(request->body, request->body_size, &exchange->parameters);
    if (exchange->parameters)
        (void)json_get_string(exchange->parameters, "Action", &action);
    exchange->operation = find_operation(SIM_STS, action);
    exchange->call.operation = exchange->operation ? exchange->operation->name : "";
}

static void read_json_call(struct exchange *exchange, const char *target)
{
    const struct sim_request *request = exchange->request;
    struct json_object *parameters = NULL;
    exchange->call.operation = "";
    for (enum sim_service_kind service = SIM_LOGS; service < SIM_STS; service++) {
        size_t length = strlen(SERVICES[service].target_prefix);
        if (strncmp(target, SERVICES[service].target_prefix, length) != 0)
            continue;
        exchange->service = service;
        exchange->operation = find_operation(service, target + length);
    }
    if (exchange->operation)
        exchange->call.operation = exchange->operation->name;
    if (request->body_size == 0)
        parameters = json_object_new_object();
    else if (request->body_size <= BODY_MAX)
        (void)json_parse(request->body, request->body_size, &parameters);
    if (json_object_is_type(parameters, json_type_object))
        exchange->parameters = parameters;
    else
        json_object_put(parameters);
}

/* The key id as it stands in the request, true or not: the history tells who claimed to call. */
static void claimed_key(const struct sim_request *request, char ret[static SIM_ACCESS_KEY_ID_MAX])
{
    const char *header = sim_request_header(request, "Authorization");
    const char *id = header ? strstr(header, "Credential=") : NULL;
    id = id ? id + strlen("Credential=") : "";
    snprintf(ret, SIM_ACCESS_KEY_ID_MAX, "%.*s", (int)strcspn(id, "/, "), id);
}

/* Everything before the operation. 0: it may run. */
static int admit(struct exchange *exchange, struct sim_response *ret, bool *ret_answered)
{
    struct sim *sim = exchange->sim;
    struct sim_call *call = &exchange->call;
    enum sim_fault_kind kind;

    if (!exchange->operation)
        return sim_refuse(
            call, exchange->service == SIM_STS ? "InvalidAction" : "UnknownOperationException",
            "There is no such operation.");
    if (exchange->service != SIM_STS && strcmp(exchange->request->method, "POST") != 0)
        return sim_refuse(call, "UnknownOperationException", "The method must be POST.");
    if (!exchange->operation->unsigned_call) {
        int r = sim_verify(sim, exchange->request, SERVICES[exchange->service].signing_name, call);
        if (r != 0)
            return r;
    }
    if (!sim_throttle_take(sim, call->operation, call->now))
        return sim_refuse(call, "ThrottlingException", "Rate exceeded");
    if (sim_fault_fires_among(sim, call, SIM_FAULT_THROTTLE, SIM_FAULT_INVALID_PARAMETER, &kind,
                              NULL)) {
        *ret_answered = sim_fault_replace(call, exchange->service, kind, ret);
        return SIM_REFUSED;
    }
    if (!exchange->parameters)
        return sim_refuse(call, "SerializationException", "The request body cannot be read.");
    return sim_authorize(sim, exchange->operation, call);
}

/* JSON errors. CloudWatch Logs puts the code in the body alone; ECS also in a header, and with the
 * namespace of the framework when it is none of its own. Both ways are AWS's. */
static int write_json_error(const struct exchange *exchange, struct sim_response *ret)
{
    const struct sim_call *call = &exchange->call;
    bool ecs = exchange->service == SIM_ECS;
    bool denied = strcmp(call->error_code, "AccessDeniedException") == 0;
    bool framework = !call->caller && ecs;
    char type[SIM_ERROR_CODE_MAX + 32];
    snprintf(type, sizeof(type), "%s%s", framework ? "com.amazon.coral.service#" : "",
             call->error_code);

    _cleanup_json_ struct json_object *body =
        call->error_members ? json_object_get(call->error_members) : json_object_new_object();
    int r = body ? sim_json_add_string(body, "__type", type) : -ENOMEM;
    if (r == 0)
        r = sim_json_add_string(body, denied && !ecs ? "Message" : "message", call->error_message);
    if (r == 0)
        r = sim_response_set_json(ret, call->error_status, body);
    if (r == 0 && ecs)
        r = sim_response_add_header(ret, "x-amzn-ErrorType", call->error_code);
    return r;
}

static void write_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

/* The query protocol has its own names for the errors that are common to all services. */
static const char *query_error_code(const char *code, int *status)
{
    static const struct {
        const char *json, *query;
        int status;
    } names[] = {
        {"MissingAuthenticationTokenException", "MissingAuthenticationToken", 403},
        {"UnrecognizedClientException", "InvalidClientTokenId", 403},
        {"InvalidSignatureException", "SignatureDoesNotMatch", 403},
        {"IncompleteSignatureException", "IncompleteSignature", 400},
        {"ExpiredTokenException", "ExpiredToken", 403},
        {"AccessDeniedException", "AccessDenied", 403},
        {"ThrottlingException", "Throttling", 400},
        {"ServiceUnavailableException", "ServiceUnavailable", 503},
        {"SerializationException", "MalformedQueryString", 404},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(names[i].json, code) == 0) {
            *status = names[i].status;
            return names[i].query;
        }
    }
    return code;
}

static int write_query(const struct exchange *exchange, struct sim_response *ret)
{
    static const char namespace[] = "https://sts.amazonaws.com/doc/2011-06-15/";
    const struct sim_call *call = &exchange->call;
    int status = call->error_status ? call->error_status : 200;
    _cleanup_free_ char *body = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&body, &size);
    if (!out)
        return -ENOMEM;
    if (call->error_status) {
        const char *code = query_error_code(call->error_code, &status);
        fprintf(out,
                "<ErrorResponse xmlns=\"%s\">\n  <Error>\n    <Type>%s</Type>\n"
                "    <Code>%s</Code>\n    <Message>",
                namespace, status < 500 ? "Sender" : "Receiver", code);
        write_escaped(out, call->error_message);
        fprintf(out, "</Message>\n  </Error>\n  <RequestId>%s</RequestId>\n</ErrorResponse>\n",
                call->request_id);
    } else {
        fprintf(out,
                "<%sResponse xmlns=\"%s\">\n%s\n  <ResponseMetadata>\n"
                "    <RequestId>%s</RequestId>\n  </ResponseMetadata>\n</%sResponse>\n",
                call->operation, namespace, call->xml ? call->xml : "", call->request_id,
                call->operation);
    }
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    return failed ? -ENOMEM : sim_response_set(ret, status, "text/xml", body, size);
}

static int write_answer(const struct exchange *exchange, struct sim_response *ret)
{
    const struct sim_call *call = &exchange->call;
    int r = exchange->service == SIM_STS ? write_query(exchange, ret)
            : call->error_status         ? write_json_error(exchange, ret)
                                         : sim_response_set_json(ret, 200, call->result);
    if (r < 0 || exchange->service == SIM_STS)
        return r;
    /* sim_response_set_json() says application/json, which AWS does not. */
    char *type = strdup("application/x-amz-json-1.1");
    if (!type)
        return -ENOMEM;
    free((char *)ret->headers[0].value);
    ret->headers[0].value = type;
    return 0;
}

static void spoil_answer(struct exchange *exchange, struct sim_response *ret)
{
    enum sim_fault_kind kind;
    int64_t value = 0;
    if (exchange->call.answer_is_lost) {
        ret->delivery = SIM_RESET;
        ret->cut_after = 0;
    } else if (sim_fault_fires_among(exchange->sim, &exchange->call, SIM_FAULT_RESET,
                                     SIM_FAULT_DEEP, &kind, &value)) {
        sim_fault_spoil(exchange->sim, kind, value, ret);
    }
}

static void remember(struct exchange *exchange, const struct sim_response *response)
{
    const struct sim_call *call = &exchange->call;
    struct sim_call_record record = {
        .time = call->now,
        .operation = call->operation,
        .parameters =
            exchange->parameters
                ? json_object_to_json_string_ext(
                      exchange->parameters, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                : "",
        .status = response->delivery == SIM_REFUSE ? 0 : response->status,
    };
    snprintf(record.code, sizeof(record.code), "%s", call->error_code);
    claimed_key(exchange->request, record.access_key_id);
    snprintf(record.request_id, sizeof(record.request_id), "%s", call->request_id);
    /* Without memory for it the call is missing from the history; tests see that in the total. */
    (void)sim_history_append(exchange->sim, &record);
}

static void release(struct exchange *exchange)
{
    json_object_put(exchange->call.result);
    json_object_put(exchange->call.error_members);
    free(exchange->call.xml);
    json_object_put(exchange->parameters);
}

void sim_set_observer(struct sim *sim, sim_observe_fn *observe, void *userdata)
{
    sim->observe = observe;
    sim->observe_userdata = userdata;
}

static void tell_observer(const struct exchange *exchange, const struct sim_response *response)
{
    const struct sim *sim = exchange->sim;
    if (sim->observe)
        sim->observe(sim->observe_userdata, &exchange->call, response);
}

void sim_protocol_handle(struct sim *sim, struct wall now, const struct sim_request *request,
                         struct sim_response *ret)
{
    struct exchange exchange = {.sim = sim, .request = request, .call = {.now = now}};
    struct sim_call *call = &exchange.call;
    bool answered = false;

    const char *target = sim_request_header(request, "X-Amz-Target");
    if (target)
        read_json_call(&exchange, target);
    else
        read_query_call(&exchange);
    call->parameters = exchange.parameters;
    sim_uuid(sim, call->request_id);

    int r = admit(&exchange, ret, &answered);
    if (r == 0) {
        tell_observer(&exchange, NULL);
        r = exchange.operation->run(sim, call);
    }
    if (r < 0) {
        (void)sim_refuse(call, "InternalFailure", "The simulated AWS is in trouble: error %d", -r);
        call->error_status = 500;
    }
    if (!answered && write_answer(&exchange, ret) < 0) {
        sim_response_clear(ret);
        ret->status = 500;
    }
    (void)sim_response_add_header(ret, "x-amzn-RequestId", call->request_id);
    if (!answered && ret->body)
        spoil_answer(&exchange, ret);
    sim_response_finish(sim, call, ret);
    tell_observer(&exchange, ret);
    remember(&exchange, ret);
    release(&exchange);
}
