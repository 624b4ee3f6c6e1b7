/* SPDX-License-Identifier: MIT */
/* Pages of FilterLogEvents: the input's parts are the answers. */

#include <string.h>

#include "src/logs.h"
#include "tests/fuzz/aws_world.h"
#include "tests/fuzz/json_oracle.h"

FUZZ_AWS_IS_REAL

struct search {
    unsigned n_done;
    size_t n_events;
    struct logs_filter_result result;
};

static bool event_came(void *userdata, const struct logs_event *event)
{
    struct search *search = userdata;

    MUST(event->timestamp.ms >= 0 && event->timestamp.ms <= INT64_C(253402300799999));
    MUST(event->message && event->event_id && event->log_stream);
    search->n_events++;
    return true;
}

static void done(void *userdata, const struct logs_filter_result *result)
{
    struct search *search = userdata;

    search->n_done++;
    search->result = *result;
}

static bool is_event(struct json_object *object)
{
    int64_t timestamp;

    return oracle_string(object, "message") && oracle_integer(object, "timestamp", &timestamp);
}

/* The number of events, or -1: no page. */
static int64_t events_on(struct json_object *page)
{
    struct json_object *events = oracle_array(page, "events");

    if (!events)
        return -1;
    size_t n = json_object_array_length(events);
    for (size_t i = 0; i < n; i++)
        if (!is_event(json_object_array_get_idx(events, i)))
            return -1;
    return (int64_t)n;
}

/* "Nothing matched" is a fact only if all pages are pages, and the last one is the last. */
static void check_exhausted(const struct fuzz_aws *world, const struct search *search)
{
    size_t n_requests = fake_http_n_requests(world->http), n_pages = 0, n_events = 0;
    bool is_last = false;

    for (size_t i = 0; i < n_requests; i++) {
        struct json_object *page = fuzz_aws_document(world, i);
        /* What was no success has been asked for again. */
        if (page && oracle_is_absent(page, "__type")) {
            int64_t n = events_on(page);
            MUST(n >= 0);
            n_events += (size_t)n;
            n_pages++;
            is_last = oracle_is_absent(page, "nextToken");
            MUST(is_last == (i + 1 == n_requests));
        }
        json_object_put(page);
    }
    MUST(is_last);
    MUST(n_pages == search->result.n_pages);
    MUST(n_events == search->result.n_events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct logs_filter_request request = {
        .log_group = "/ecs/gateway",
        .filter_pattern = "\"/api/\"",
        .start = {INT64_C(1772449200000)},
        .priority = AWS_URGENT,
    };
    struct fuzz_input input = {data, size};
    struct search search = {0};
    struct logs_filter *filter;
    struct fuzz_aws world;

    if (!data)
        return 0;
    fuzz_aws_open(&world);
    fuzz_aws_answers(&world, "FilterLogEvents", &input);
    MUST(logs_filter_log_events(world.aws, &request, event_came, done, &search, &filter) == 0);
    fuzz_aws_run(&world);

    MUST(search.n_done == 1);
    MUST(search.n_events == search.result.n_events);
    MUST(search.result.n_pages <= LOGS_FILTER_PAGES_MAX);
    MUST(!search.result.exhausted || search.result.error.kind == AWS_OK);
    if (search.result.exhausted)
        check_exhausted(&world, &search);
    fuzz_aws_close(&world);
    return 0;
}
