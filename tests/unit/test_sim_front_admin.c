/* SPDX-License-Identifier: MIT */

/* The administration interface of the simulated AWS: what it does, and how it refuses. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/model.h"
#include "src/cleanup.h"
#include "src/json.h"

#define NOON ((struct wall){.ms = INT64_C(1772452800000)})
#define NOON_MS "1772452800000"

static const char scenario_text[] =
    "{\"settings\": {\"verify_signatures\": false, \"task_start_ms\": 1000, \"task_stop_ms\": 100,"
    "   \"ingestion_delay_ms\": 5000},"
    " \"credentials\": [{\"access_key_id\": \"AKIDEXAMPLE\", \"secret_access_key\": \"s\"},"
    "   {\"access_key_id\": \"ASIASESSION\", \"secret_access_key\": \"s\","
    "    \"session_token\": \"t\"}],"
    " \"log_groups\": [{\"name\": \"/gateway\"}],"
    " \"clusters\": [{\"name\": \"staging\", \"services\": ["
    "   {\"name\": \"gateway\", \"desired\": 1, \"log_group\": \"/gateway\"},"
    "   {\"name\": \"api\", \"desired\": 2}]}]}";

struct fixture {
    struct sim *sim;
    struct wall now;
    int status;
    struct json_object *answer;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    _cleanup_json_ struct json_object *scenario = NULL;
    _cleanup_free_ char *error = NULL;
    if (!fixture || json_parse(scenario_text, strlen(scenario_text), &scenario) < 0)
        return -1;
    fixture->now = NOON;
    *state = fixture;
    int r = sim_new(scenario, NOON, &fixture->sim, &error);
    if (r < 0)
        print_error("scenario: %s\n", error ? error : "");
    return r;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    json_object_put(fixture->answer);
    sim_free(fixture->sim);
    free(fixture);
    return 0;
}

/* target: with its query. */
static void ask(struct fixture *fixture, const char *method, const char *target, const char *body)
{
    char path[256];
    snprintf(path, sizeof(path), "/_sim/%s", target);
    char *query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    struct sim_request request = {.method = method,
                                  .path = path,
                                  .query = query ? query : "",
                                  .body = body ? body : "",
                                  .body_size = body ? strlen(body) : 0};
    struct sim_response response = {.status = 0};
    sim_handle(fixture->sim, fixture->now, &request, &response);
    fixture->status = response.status;
    json_object_put(fixture->answer);
    fixture->answer = NULL;
    assert_int_equal(json_parse(response.body, response.body_size, &fixture->answer), 0);
    sim_response_clear(&response);
}

static void expect_ok(struct fixture *fixture, const char *method, const char *target,
                      const char *body)
{
    ask(fixture, method, target, body);
    if (fixture->status != 200)
        print_error("%s\n", json_object_to_json_string(fixture->answer));
    assert_int_equal(fixture->status, 200);
}

static void expect_refused(struct fixture *fixture, const char *method, const char *target,
                           const char *body, const char *text)
{
    const char *error = "";
    ask(fixture, method, target, body);
    assert_int_equal(fixture->status, 400);
    assert_int_equal(json_get_string(fixture->answer, "error", &error), 0);
    if (!strstr(error, text))
        print_error("'%s' does not speak of '%s'\n", error, text);
    assert_non_null(strstr(error, text));
}

static int64_t number(struct json_object *object, const char *name)
{
    int64_t value;
    assert_int_equal(json_get_int(object, name, &value), 0);
    return value;
}

static const char *text_of(struct json_object *object, const char *name)
{
    const char *value;
    assert_int_equal(json_get_string(object, name, &value), 0);
    return value;
}

static struct json_object *list(const struct fixture *fixture, const char *name, size_t length)
{
    struct json_object *array;
    assert_int_equal(json_get_array(fixture->answer, name, &array), 0);
    assert_int_equal(json_object_array_length(array), length);
    return array;
}

static void health_tells_the_time_it_has(void **state)
{
    struct fixture *fixture = *state;
    expect_ok(fixture, "GET", "health", NULL);
    assert_string_equal(text_of(fixture->answer, "status"), "ok");
    assert_int_equal(number(fixture->answer, "timeMs"), NOON.ms);
    assert_string_equal(text_of(fixture->answer, "time"), "2026-03-02T12:00:00Z");
}

static void unknown_resources_and_methods_are_named(void **state)
{
    struct fixture *fixture = *state;
    ask(fixture, "GET", "nonsense", NULL);
    assert_int_equal(fixture->status, 404);
    assert_non_null(strstr(text_of(fixture->answer, "error"), "/_sim/nonsense"));
    ask(fixture, "DELETE", "health", NULL);
    assert_int_equal(fixture->status, 405);
    assert_non_null(strstr(text_of(fixture->answer, "error"), "DELETE"));
    ask(fixture, "GET", "", NULL);
    assert_int_equal(fixture->status, 404);
}

static void events_are_put_one_or_many(void **state)
{
    struct fixture *fixture = *state;
    struct sim_log_group *group = sim_log_group_find(fixture->sim, "/gateway");
    expect_ok(fixture, "PUT", "events", "{\"logGroup\": \"/gateway\", \"message\": \"one\"}");
    assert_int_equal(number(fixture->answer, "put"), 1);
    expect_ok(fixture, "PUT", "events",
              "[{\"logGroup\": \"/gateway\", \"message\": \"two\", \"logStream\": \"s/1\","
              "  \"timestamp\": " NOON_MS ", \"ingestionTime\": " NOON_MS "},"
              " {\"logGroup\": \"/gateway\", \"message\": \"three\"}]");
    assert_int_equal(number(fixture->answer, "put"), 2);

    assert_int_equal(group->n_events, 3);
    assert_string_equal(group->events[0].message, "one");
    assert_int_equal(group->events[0].timestamp_ms, NOON.ms);
    assert_int_equal(group->events[0].ingestion_ms, NOON.ms + 5000);
    assert_string_equal(group->events[1].message, "two");
    assert_int_equal(group->events[1].ingestion_ms, NOON.ms);
    assert_string_equal(group->streams[group->events[1].stream].name, "s/1");
}

static void events_are_refused_with_a_reason(void **state)
{
    struct fixture *fixture = *state;
    expect_refused(fixture, "PUT", "events", NULL, "object");
    expect_refused(fixture, "PUT", "events", "{", "no JSON");
    expect_refused(fixture, "PUT", "events", "{}", "'logGroup' is missing");
    expect_refused(fixture, "PUT", "events", "[7]", "object");
    expect_refused(fixture, "PUT", "events", "{\"logGroup\": \"/none\", \"message\": \"x\"}",
                   "no log group '/none'");
    expect_refused(fixture, "PUT", "events", "{\"logGroup\": \"/gateway\"}", "'message'");
    expect_refused(fixture, "PUT", "events", "{\"logGroup\": \"/gateway\", \"message\": 7}",
                   "'message' must be a string");
    expect_refused(fixture, "PUT", "events",
                   "{\"logGroup\": \"/gateway\", \"message\": \"x\", \"timestamp\": -1}",
                   "'timestamp'");
    expect_refused(fixture, "PUT", "events",
                   "{\"logGroup\": \"/gateway\", \"message\": \"x\", \"time\": 1}",
                   "unknown member 'time'");
    assert_int_equal(sim_log_group_find(fixture->sim, "/gateway")->n_events, 0);
}

static void log_groups_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    expect_ok(fixture, "PUT", "log-groups",
              "{\"name\": \"/new\", \"class\": \"INFREQUENT_ACCESS\"}");
    assert_true(sim_log_group_find(fixture->sim, "/new")->infrequent_access);
    expect_refused(fixture, "PUT", "log-groups", "{\"name\": \"/new\"}", "exists");
    expect_refused(fixture, "PUT", "log-groups", "{\"name\": \"/x\", \"class\": \"GOLD\"}",
                   "class");
    expect_refused(fixture, "PUT", "log-groups", "{\"name\": \"a b\"}", "a b");
    expect_ok(fixture, "DELETE", "log-groups?name=/new", NULL);
    assert_null(sim_log_group_find(fixture->sim, "/new"));
    expect_refused(fixture, "DELETE", "log-groups?name=/new", NULL, "/new");
    expect_refused(fixture, "DELETE", "log-groups", NULL, "name");
}

static void requests_reach_a_running_service_or_are_lost(void **state)
{
    struct fixture *fixture = *state;
    static const char request[] = "{\"cluster\": \"staging\", \"service\": \"gateway\","
                                  " \"message\": \"GET /api/v1/\", \"count\": 3}";
    expect_ok(fixture, "POST", "requests", request);
    assert_int_equal(number(fixture->answer, "served"), 3);
    assert_int_equal(number(fixture->answer, "lost"), 0);
    assert_int_equal(sim_log_group_find(fixture->sim, "/gateway")->n_events, 3);

    expect_ok(fixture, "PUT", "services",
              "{\"cluster\": \"staging\", \"service\": \"gateway\", \"desiredCount\": 0}");
    fixture->now = wall_add(fixture->now, MS_PER_MINUTE);
    expect_ok(fixture, "POST", "requests", request);
    assert_int_equal(number(fixture->answer, "served"), 0);
    assert_int_equal(number(fixture->answer, "lost"), 3);

    expect_refused(fixture, "POST", "requests", "{\"cluster\": \"x\"}", "no cluster 'x'");
    expect_refused(fixture, "POST", "requests", "{\"cluster\": \"staging\", \"service\": \"x\"}",
                   "no service 'x'");
    expect_refused(fixture, "POST", "requests",
                   "{\"cluster\": \"staging\", \"service\": \"api\", \"message\": \"\","
                   " \"count\": 0}",
                   "'count'");
}

static void the_truth_about_services_is_told(void **state)
{
    struct fixture *fixture = *state;
    expect_ok(fixture, "GET", "services", NULL);
    list(fixture, "services", 2);
    expect_ok(fixture, "GET", "services?cluster=staging&service=api", NULL);
    struct json_object *api = json_object_array_get_idx(list(fixture, "services", 1), 0);
    assert_string_equal(text_of(api, "status"), "ACTIVE");
    assert_string_equal(text_of(api, "strategy"), "REPLICA");
    assert_int_equal(number(api, "desiredCount"), 2);
    assert_int_equal(number(api, "runningCount"), 2);
    expect_ok(fixture, "GET", "services?cluster=none", NULL);
    list(fixture, "services", 0);
}

static void a_person_changes_a_service(void **state)
{
    struct fixture *fixture = *state;
    expect_ok(fixture, "PUT", "services",
              "{\"cluster\": \"staging\", \"service\": \"api\", \"desiredCount\": 5,"
              " \"tags\": {\"team\": \"web\"}}");
    assert_int_equal(number(fixture->answer, "desiredCount"), 5);
    assert_int_equal(number(fixture->answer, "runningCount"), 2);
    expect_ok(fixture, "PUT", "services",
              "{\"cluster\": \"staging\", \"service\": \"api\", \"status\": \"DRAINING\"}");
    assert_string_equal(text_of(fixture->answer, "status"), "DRAINING");
    /* What people do is not in the history of calls. */
    expect_ok(fixture, "GET", "history", NULL);
    list(fixture, "calls", 0);

    static const char *const bad[][2] = {
        {"\"desiredCount\": -1", "'desiredCount'"},
        {"\"desiredCount\": \"two\"", "integer"},
        {"\"status\": \"ASLEEP\"", "'status'"},
        {"\"tags\": []", "'tags'"},
        {"\"tags\": {\"a\": 1}", "'a'"},
        {"\"runningCount\": 1", "'runningCount'"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char body[256];
        snprintf(body, sizeof(body), "{\"cluster\": \"staging\", \"service\": \"api\", %s}",
                 bad[i][0]);
        expect_refused(fixture, "PUT", "services", body, bad[i][1]);
    }
}

static void services_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    expect_ok(fixture, "POST", "services",
              "{\"cluster\": \"new\", \"service\": \"job\", \"desiredCount\": 2,"
              " \"logGroup\": \"/job\", \"taskStartMs\": 10}");
    assert_int_equal(number(fixture->answer, "runningCount"), 0);
    fixture->now = wall_add(fixture->now, 10);
    expect_ok(fixture, "GET", "services?cluster=new", NULL);
    assert_int_equal(
        number(json_object_array_get_idx(list(fixture, "services", 1), 0), "runningCount"), 2);
    expect_refused(fixture, "POST", "services", "{\"cluster\": \"new\", \"service\": \"job\"}",
                   "exists");
    expect_refused(fixture, "POST", "services",
                   "{\"cluster\": \"new\", \"service\": \"x\", \"strategy\": \"BEST\"}",
                   "'strategy'");
    expect_ok(fixture, "DELETE", "services?cluster=new&service=job", NULL);
    expect_refused(fixture, "DELETE", "services?cluster=new&service=job", NULL, "job");
    expect_refused(fixture, "DELETE", "services?service=job", NULL, "'cluster' is missing");
}

/* A call of the API, for the history. */
static void call_api(struct fixture *fixture, const char *target, const char *body)
{
    struct sim_header headers[] = {{"X-Amz-Target", target},
                                   {"Content-Type", "application/x-amz-json-1.1"}};
    struct sim_request request = {.method = "POST",
                                  .path = "/",
                                  .query = "",
                                  .headers = headers,
                                  .n_headers = ARRAY_LENGTH(headers),
                                  .body = body,
                                  .body_size = strlen(body)};
    struct sim_response response = {.status = 0};
    sim_handle(fixture->sim, fixture->now, &request, &response);
    sim_response_clear(&response);
}

static void the_history_is_read_and_forgotten(void **state)
{
    struct fixture *fixture = *state;
    call_api(fixture, "Logs_20140328.DescribeLogGroups", "{}");
    call_api(fixture, "AmazonEC2ContainerServiceV20141113.ListClusters", "{}");
    call_api(fixture, "Logs_20140328.DescribeLogGroups", "{\"limit\": 7}");
    call_api(fixture, "Logs_20140328.FilterLogEvents", "{\"logGroupName\": \"/none\"}");

    expect_ok(fixture, "GET", "history", NULL);
    struct json_object *calls = list(fixture, "calls", 4);
    struct json_object *last = json_object_array_get_idx(calls, 3);
    assert_string_equal(text_of(last, "operation"), "FilterLogEvents");
    assert_string_equal(text_of(last, "code"), "ResourceNotFoundException");
    assert_int_equal(number(last, "status"), 400);
    assert_int_equal(number(last, "timeMs"), NOON.ms);
    struct json_object *parameters;
    assert_int_equal(json_get_object(last, "parameters", &parameters), 0);
    assert_string_equal(text_of(parameters, "logGroupName"), "/none");

    expect_ok(fixture, "GET", "history?operation=DescribeLogGroups", NULL);
    list(fixture, "calls", 2);
    assert_int_equal(number(fixture->answer, "next"), 4);
    expect_ok(fixture, "GET", "history?operation=DescribeLogGroups&since=1", NULL);
    list(fixture, "calls", 1);
    expect_ok(fixture, "GET", "history?since=1&limit=1", NULL);
    list(fixture, "calls", 1);
    assert_int_equal(number(fixture->answer, "next"), 2);
    assert_int_equal(number(fixture->answer, "newest"), 4);
    expect_ok(fixture, "GET", "history?since=4", NULL);
    list(fixture, "calls", 0);
    assert_int_equal(number(fixture->answer, "next"), 4);
    expect_refused(fixture, "GET", "history?since=x", NULL, "'since'");
    expect_refused(fixture, "GET", "history?limit=0", NULL, "'limit'");

    expect_ok(fixture, "DELETE", "history", NULL);
    expect_ok(fixture, "GET", "history", NULL);
    list(fixture, "calls", 0);
}

static void faults_are_set_shown_and_cleared(void **state)
{
    struct fixture *fixture = *state;
    expect_ok(fixture, "POST", "faults",
              "{\"kind\": \"throttle\", \"operation\": \"ListClusters\", \"count\": 2}");
    int64_t first = number(fixture->answer, "id");
    expect_ok(fixture, "POST", "faults", "{\"kind\": \"http_500\", \"operation\": \"StopQuery\"}");
    call_api(fixture, "AmazonEC2ContainerServiceV20141113.ListClusters", "{}");

    expect_ok(fixture, "GET", "faults", NULL);
    struct json_object *rule = json_object_array_get_idx(list(fixture, "faults", 2), 0);
    assert_int_equal(number(rule, "id"), first);
    assert_string_equal(text_of(rule, "kind"), "throttle");
    assert_string_equal(text_of(rule, "operation"), "ListClusters");
    assert_int_equal(number(rule, "fired"), 1);
    struct json_object *fired;
    assert_int_equal(json_get_object(fixture->answer, "fired", &fired), 0);
    assert_int_equal(number(fired, "throttle"), 1);

    char target[64];
    snprintf(target, sizeof(target), "faults?id=%lld", (long long)first);
    expect_ok(fixture, "DELETE", target, NULL);
    expect_refused(fixture, "DELETE", target, NULL, "no fault");
    expect_ok(fixture, "DELETE", "faults", NULL);
    expect_ok(fixture, "GET", "faults", NULL);
    list(fixture, "faults", 0);

    expect_refused(fixture, "POST", "faults", "{\"kind\": \"gremlin\"}", "gremlin");
    expect_refused(fixture, "POST", "faults", "{\"kind\": \"throttle\", \"often\": 1}", "often");
    expect_refused(fixture, "POST", "faults", NULL, "object");
}

static void settings_change_together_or_not_at_all(void **state)
{
    struct fixture *fixture = *state;
    expect_ok(fixture, "PATCH", "settings",
              "{\"ingestion_delay_ms\": 7, \"verify_signatures\": true, \"imds_enabled\": false,"
              " \"container_session_s\": 60}");
    assert_int_equal(fixture->sim->settings.ingestion_delay_ms, 7);
    assert_true(fixture->sim->settings.verify_signatures);
    assert_false(fixture->sim->imds.enabled);
    assert_int_equal(fixture->sim->container.session_s, 60);
    assert_int_equal(number(fixture->answer, "ingestion_delay_ms"), 7);

    expect_refused(fixture, "PATCH", "settings",
                   "{\"ingestion_delay_ms\": 8, \"query_running_ms\": -5}", "'query_running_ms'");
    assert_int_equal(fixture->sim->settings.ingestion_delay_ms, 7);
    expect_refused(fixture, "PATCH", "settings", "{\"ingestion_delay_ms\": 8, \"x\": 1}", "'x'");
    assert_int_equal(fixture->sim->settings.ingestion_delay_ms, 7);
    expect_refused(fixture, "PATCH", "settings", "{\"imds_session_s\": 0}", "'imds_session_s'");
    expect_refused(fixture, "PATCH", "settings", "{\"stale_ms\": \"long\"}", "'stale_ms'");
    expect_refused(fixture, "PATCH", "settings", "[]", "object");
}

static void the_clock_is_set_apart(void **state)
{
    struct fixture *fixture = *state;
    expect_ok(fixture, "PUT", "clock", "{\"offsetMs\": -600000}");
    assert_int_equal(fixture->sim->clock_offset_ms, -600000);
    assert_int_equal(number(fixture->answer, "timeMs"), NOON.ms - 600000);
    expect_refused(fixture, "PUT", "clock", "{}", "'offsetMs' is missing");
    expect_refused(fixture, "PUT", "clock", "{\"offsetMs\": 9000000000000000000}", "'offsetMs'");
    assert_int_equal(fixture->sim->clock_offset_ms, -600000);
}

static void sessions_can_be_made_to_expire(void **state)
{
    struct fixture *fixture = *state;
    expect_ok(fixture, "POST", "expire", NULL);
    assert_int_equal(number(fixture->answer, "expired"), 1);
    assert_int_equal(sim_key_find(fixture->sim, "ASIASESSION")->expires.ms, NOON.ms);
    assert_true(sim_key_find(fixture->sim, "AKIDEXAMPLE")->expires.ms > NOON.ms);
    expect_ok(fixture, "POST", "expire",
              "{\"accessKeyId\": \"AKIDEXAMPLE\", \"expiresInMs\": 1000}");
    assert_int_equal(sim_key_find(fixture->sim, "AKIDEXAMPLE")->expires.ms, NOON.ms + 1000);
    expect_refused(fixture, "POST", "expire", "{\"accessKeyId\": \"NOBODY\"}", "NOBODY");
}

static void statistics_and_operations_are_told(void **state)
{
    struct fixture *fixture = *state;
    call_api(fixture, "Logs_20140328.DescribeLogGroups", "{}");
    expect_ok(fixture, "GET", "stats", NULL);
    assert_int_equal(number(fixture->answer, "calls"), 1);
    assert_int_equal(number(fixture->answer, "keys"), 2);
    struct json_object *group = json_object_array_get_idx(list(fixture, "logGroups", 1), 0);
    assert_string_equal(text_of(group, "name"), "/gateway");

    struct json_object *names;
    expect_ok(fixture, "GET", "operations", NULL);
    assert_int_equal(json_get_array(fixture->answer, "ecs", &names), 0);
    assert_true(json_object_array_length(names) > 1);
    list(fixture, "sts", 3);
}

static void what_became_of_queries_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct json_object *statuses;
    char stop[128];
    for (int i = 0; i < 2; i++)
        call_api(fixture, "Logs_20140328.StartQuery",
                 "{\"logGroupName\": \"/gateway\", \"queryString\": \"limit 1\","
                 " \"startTime\": 0, \"endTime\": 2000000000}");
    snprintf(stop, sizeof(stop), "{\"queryId\": \"%s\"}", fixture->sim->queries[0]->id);
    call_api(fixture, "Logs_20140328.StopQuery", stop);

    expect_ok(fixture, "GET", "stats", NULL);
    assert_int_equal(number(fixture->answer, "queriesActive"), 1);
    assert_int_equal(number(fixture->answer, "queriesStopped"), 1);
    assert_int_equal(json_get_object(fixture->answer, "queryStatuses", &statuses), 0);
    assert_int_equal(number(statuses, "Scheduled") + number(statuses, "Running"), 1);
    assert_int_equal(number(statuses, "Cancelled"), 1);
    assert_int_equal(number(statuses, "Complete"), 0);
}

static void malformed_queries_are_refused(void **state)
{
    expect_refused(*state, "GET", "history?operation=%zz", NULL, "query");
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void policies_can_be_set_and_taken_back(void **state)
{
    struct fixture *fixture = *state;
    const struct sim_key *user = sim_key_find(fixture->sim, "AKIDEXAMPLE");
    const struct sim_key *session = sim_key_find(fixture->sim, "ASIASESSION");
    expect_ok(fixture, "PUT", "policy",
              "{\"principal\": \"AKIDEXAMPLE\", \"policy\": {\"Statement\": []}}");
    assert_non_null(user->policy);
    assert_null(session->policy);
    expect_ok(fixture, "PUT", "policy", "{\"policy\": {\"Statement\": []}}");
    assert_non_null(session->policy);
    expect_ok(fixture, "DELETE", "policy?principal=AKIDEXAMPLE", NULL);
    assert_null(user->policy);
    assert_non_null(session->policy);
    expect_ok(fixture, "DELETE", "policy", NULL);
    assert_null(session->policy);

    expect_refused(fixture, "PUT", "policy", "{}", "policy document");
    expect_refused(fixture, "PUT", "policy", "{\"policy\": {}}", "Statement is needed");
    expect_refused(fixture, "PUT", "policy", "{\"polcy\": {}}", "polcy");
    expect_refused(fixture, "DELETE", "policy?principal=nobody", NULL, "nobody");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(health_tells_the_time_it_has),
        STORY(unknown_resources_and_methods_are_named),
        STORY(events_are_put_one_or_many),
        STORY(events_are_refused_with_a_reason),
        STORY(log_groups_come_and_go),
        STORY(requests_reach_a_running_service_or_are_lost),
        STORY(the_truth_about_services_is_told),
        STORY(a_person_changes_a_service),
        STORY(services_come_and_go),
        STORY(the_history_is_read_and_forgotten),
        STORY(faults_are_set_shown_and_cleared),
        STORY(settings_change_together_or_not_at_all),
        STORY(the_clock_is_set_apart),
        STORY(sessions_can_be_made_to_expire),
        STORY(policies_can_be_set_and_taken_back),
        STORY(statistics_and_operations_are_told),
        STORY(what_became_of_queries_is_told),
        STORY(malformed_queries_are_refused),
    };
    return cmocka_run_group_tests_name("sim: administration", tests, NULL, NULL);
}
