/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/internal.h"
#include "src/json.h"

/* What faults do to answers. A shortage of memory while spoiling leaves an empty HTTP 500, which is
 * a spoilt answer too. */

#define HUGE_DEFAULT_BYTES (INT64_C(64) << 20)
#define DEEP_DEFAULT_LEVELS 100000
#define SPOIL_BYTES_MAX (INT64_C(256) << 20) /* a test's typing error must not take the machine */

static void plain(struct sim_response *ret, int status, const char *type, const char *body)
{
    (void)sim_response_set(ret, status, type, body, strlen(body));
}

static void set_error(struct sim_call *call, int status, const char *code, const char *message)
{
    (void)sim_refuse(call, code, "%s", message);
    call->error_status = status;
}

static void set_not_found(struct sim_call *call, enum sim_service_kind service)
{
    if (service == SIM_LOGS)
        set_error(call, 400, "ResourceNotFoundException",
                  "The specified log group does not exist.");
    else if (strcmp(call->operation, "UpdateService") == 0)
        set_error(call, 400, "ServiceNotFoundException", "Service not found.");
    else
        set_error(call, 400, "ClusterNotFoundException", "Cluster not found.");
}

bool sim_fault_replace(struct sim_call *call, enum sim_service_kind service,
                       enum sim_fault_kind kind, struct sim_response *ret)
{
    switch (kind) {
    case SIM_FAULT_THROTTLE:
        set_error(call, 400, "ThrottlingException", "Rate exceeded");
        return false;
    case SIM_FAULT_HTTP_500:
        set_error(call, 500, service == SIM_ECS ? "ServerException" : "InternalFailure",
                  "Service Unavailable. Please try again later.");
        return false;
    case SIM_FAULT_HTTP_503:
        set_error(call, 503, "ServiceUnavailableException",
                  "The service cannot complete the request.");
        return false;
    case SIM_FAULT_ACCESS_DENIED:
        set_error(call, 400, "AccessDeniedException", "");
        snprintf(call->error_message, sizeof(call->error_message),
                 "User: %s is not authorized to perform: %s with an explicit deny",
                 call->caller ? call->caller->arn : "anonymous", call->operation);
        return false;
    case SIM_FAULT_EXPIRED_TOKEN:
        set_error(call, 400, "ExpiredTokenException",
                  "The security token included in the request is expired");
        return false;
    case SIM_FAULT_NOT_FOUND:
        set_not_found(call, service);
        return false;
    case SIM_FAULT_INVALID_PARAMETER:
        set_error(call, 400, "InvalidParameterException", "Invalid parameter");
        return false;
    case SIM_FAULT_HTTP_502:
        plain(ret, 502, "text/html",
              "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
              "<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n");
        break;
    case SIM_FAULT_REFUSE:
        plain(ret, 503, NULL, "");
        ret->delivery = SIM_REFUSE;
        break;
    default:
        return false;
    }
    return true;
}

/* A new body with the old headers: Content-Type and request id stay what they were. */
static void set_body(struct sim_response *response, char *body, size_t size)
{
    free(response->body);
    response->body = body;
    response->body_size = body ? size : 0;
    if (!body)
        response->status = 500;
}

static void set_body_text(struct sim_response *response, const char *text)
{
    set_body(response, strdup(text), strlen(text));
}

/* Every value becomes one of another type, the names stay. */
static void spoil_types(struct sim_response *response)
{
    struct json_object *object = NULL;
    if (json_parse(response->body, response->body_size, &object) < 0 ||
        !json_object_is_type(object, json_type_object) || json_object_object_length(object) == 0) {
        json_object_put(object);
        set_body_text(response, "[\"events\", 42, null]");
        return;
    }
    struct json_object *spoilt = json_object_new_object();
    struct json_object_iter member;
    json_object_object_foreachC(object, member)
    {
        struct json_object *other;
        switch (json_object_get_type(member.val)) {
        case json_type_array:
            other = json_object_new_string("nothing");
            break;
        case json_type_string:
            other = json_object_new_int64(42);
            break;
        default:
            other = json_object_new_array();
        }
        if (!spoilt || sim_json_add_copied(spoilt, member.key, other) < 0) {
            json_object_put(spoilt);
            spoilt = NULL;
            break;
        }
    }
    const char *text = spoilt ? json_object_to_json_string(spoilt) : NULL;
    set_body_text(response, text ? text : "42");
    json_object_put(spoilt);
    json_object_put(object);
}

static void repeat_body(struct sim_response *response)
{
    size_t size = response->body_size;
    char *body = malloc(2 * size + 1);
    if (body) {
        memcpy(body, response->body, size);
        memcpy(body + size, response->body, size);
        body[2 * size] = '\0';
    }
    set_body(response, body, 2 * size);
}

/* The order of an array of strings or numbers may mean something; that of objects does not. */
static struct json_object *reversed(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array))
        return json_object_get(value);
    struct json_object *array = json_object_new_array();
    for (size_t i = json_object_array_length(value); array && i-- > 0;) {
        struct json_object *element = json_object_array_get_idx(value, i);
        if (sim_json_append(array, json_object_get(element)) < 0) {
            json_object_put(array);
            array = NULL;
        }
    }
    return array;
}

/* Members of the object from the last to the first. 0 or -ENOMEM. */
static int reverse_members(struct json_object_iterator *at, const struct json_object_iterator *end,
                           struct json_object *to)
{
    if (json_object_iter_equal(at, end))
        return 0;
    const char *name = json_object_iter_peek_name(at);
    struct json_object *value = json_object_iter_peek_value(at);
    json_object_iter_next(at);
    int r = reverse_members(at, end, to);
    return r < 0 ? r : sim_json_add_copied(to, name, reversed(value));
}

static void reorder_body(struct sim_response *response)
{
    struct json_object *object = NULL;
    if (json_parse(response->body, response->body_size, &object) < 0 ||
        !json_object_is_type(object, json_type_object)) {
        json_object_put(object);
        return;
    }
    struct json_object *other = json_object_new_object();
    struct json_object_iterator at = json_object_iter_begin(object),
                                end = json_object_iter_end(object);
    const char *text = other && reverse_members(&at, &end, other) == 0
                           ? json_object_to_json_string_ext(other, JSON_C_TO_STRING_PLAIN)
                           : NULL;
    set_body_text(response, text ? text : "");
    json_object_put(other);
    json_object_put(object);
}

/* {"padding":"xxxx...": valid, only too long. */
static void make_huge(struct sim_response *response, int64_t bytes)
{
    static const char head[] = "{\"padding\":\"";
    size_t padding = (size_t)(bytes > 0 && bytes <= SPOIL_BYTES_MAX ? bytes : HUGE_DEFAULT_BYTES);
    size_t size = sizeof(head) - 1 + padding + 2;
    char *body = malloc(size + 1);
    if (body) {
        memset(body, 'x', size);
        memcpy(body, head, sizeof(head) - 1);
        memcpy(body + size - 2, "\"}", 3);
    }
    set_body(response, body, size);
}

static void make_deep(struct sim_response *response, int64_t levels)
{
    size_t n = (size_t)(levels > 0 && levels <= SPOIL_BYTES_MAX ? levels : DEEP_DEFAULT_LEVELS);
    char *body = malloc(2 * n + 1);
    if (body) {
        memset(body, '[', n);
        memset(body + n, ']', n);
        body[2 * n] = '\0';
    }
    set_body(response, body, 2 * n);
}

void sim_fault_spoil(struct sim *sim, enum sim_fault_kind kind, int64_t value,
                     struct sim_response *response)
{
    switch (kind) {
    case SIM_FAULT_RESET:
    case SIM_FAULT_STALL:
        response->delivery = kind == SIM_FAULT_RESET ? SIM_RESET : SIM_STALL;
        response->cut_after = (size_t)sim_random(sim, response->body_size);
        break;
    case SIM_FAULT_TRICKLE:
        response->delivery = SIM_TRICKLE;
        break;
    case SIM_FAULT_TRUNCATE:
        response->body_size /= 2;
        response->body[response->body_size] = '\0';
        break;
    case SIM_FAULT_DUPLICATE:
        repeat_body(response);
        break;
    case SIM_FAULT_REORDER:
        reorder_body(response);
        break;
    case SIM_FAULT_GARBAGE:
        set_body_text(response, "<!DOCTYPE html><p>We'll be back \xff\xfe soon");
        break;
    case SIM_FAULT_ERROR_IN_200:
        response->status = 200;
        set_body_text(response, "{\"__type\":\"InternalFailure\",\"message\":\"try again\"}");
        break;
    case SIM_FAULT_WRONG_CONTENT_LENGTH:
        response->content_length_override = (int64_t)response->body_size + (value ? value : 100);
        break;
    case SIM_FAULT_WRONG_TYPES:
        spoil_types(response);
        break;
    case SIM_FAULT_HUGE:
        make_huge(response, value);
        break;
    case SIM_FAULT_DEEP:
        make_deep(response, value);
        break;
    default:
        break;
    }
}

/* IMF-fixdate, whatever the locale. */
static void format_http_date(struct wall when, char *buffer, size_t size)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(when.ms / MS_PER_SECOND);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    snprintf(buffer, size, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7], tm.tm_mday,
             months[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void sim_response_finish(struct sim *sim, const struct sim_call *call,
                         struct sim_response *response)
{
    int64_t skew_ms = 0, latency_ms = 0;
    (void)sim_fault_fires(sim, call, SIM_FAULT_SKEWED_DATE, &skew_ms);
    (void)sim_fault_fires(sim, call, SIM_FAULT_LATENCY, &latency_ms);

    char date[64];
    format_http_date(wall_add(call->now, skew_ms), date, sizeof(date));
    /* Without memory for it there is no Date: clients must do without as well. */
    (void)sim_response_add_header(response, "Date", date);
    response->latency_ms = sim->settings.latency_ms + (latency_ms > 0 ? latency_ms : 0);
}
