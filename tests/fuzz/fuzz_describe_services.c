/* SPDX-License-Identifier: MIT */
/* Answers to DescribeServices, for two batches of names. */

#include <string.h>

#include "src/ecs.h"
#include "tests/fuzz/aws_world.h"
#include "tests/fuzz/json_oracle.h"

FUZZ_AWS_IS_REAL

#define N_NAMES 12
#define BATCH 10

static const char *const NAMES[N_NAMES] = {
    "api", "worker", "web", "d", "e", "arn:aws:ecs:eu-west-1:1:service/c/f",
    "g",   "h",      "i",   "j", "k", "l",
};

struct description {
    unsigned n_done;
    struct fuzz_aws *world;
};

static const char *short_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* The service in the answer, if it is there once. */
static struct json_object *find_service(struct json_object *answer, const char *name)
{
    struct json_object *services = oracle_array(answer, "services"), *found = NULL;

    MUST(services);
    for (size_t i = 0; i < json_object_array_length(services); i++) {
        struct json_object *service = json_object_array_get_idx(services, i);
        const char *its_name = oracle_string(service, "serviceName");
        MUST(its_name);
        if (strcmp(short_name(its_name), short_name(name)) != 0)
            continue;
        MUST(!found);
        found = service;
    }
    return found;
}

/* A service that may be acted upon is in the answer, ACTIVE, with just this count. */
static void check_service(struct json_object *answer, const struct ecs_service *service)
{
    struct json_object *found = find_service(answer, service->name);
    int64_t desired = -1;

    MUST(service->detail);
    MUST(service->desired_count >= 0 && service->desired_count <= ECS_COUNT_MAX);
    if (service->status != ECS_SERVICE_ACTIVE) {
        MUST(service->status == ECS_SERVICE_DRAINING || service->status == ECS_SERVICE_INACTIVE ||
             (service->desired_count == 0 && service->running_count == 0));
        return;
    }
    MUST(found);
    MUST(strcmp(oracle_string(found, "status"), "ACTIVE") == 0);
    MUST(oracle_integer(found, "desiredCount", &desired) && desired == service->desired_count);
    const char *strategy = oracle_string(found, "schedulingStrategy");
    MUST(service->is_daemon == (strategy && strcmp(strategy, "DAEMON") == 0));
}

static void described(void *userdata, const struct ecs_describe_result *result)
{
    struct description *description = userdata;
    struct fuzz_aws *world = description->world;
    size_t n_requests = fake_http_n_requests(world->http), n_answers = 0;
    struct json_object *answers[2] = {NULL, NULL};

    description->n_done++;
    if (result->error.kind != AWS_OK)
        return;
    /* The last two successes are the batches: what was no success was asked for again. */
    for (size_t i = 0; i < n_requests && n_answers < 2; i++) {
        answers[n_answers] = fuzz_aws_document(world, i);
        if (answers[n_answers] && oracle_array(answers[n_answers], "services"))
            n_answers++;
        else
            json_object_put(answers[n_answers]);
    }
    MUST(n_answers == 2);
    MUST(result->n_services == N_NAMES);
    for (size_t i = 0; i < N_NAMES; i++) {
        MUST(strcmp(result->services[i].name, NAMES[i]) == 0);
        check_service(answers[i / BATCH], &result->services[i]);
    }
    json_object_put(answers[0]);
    json_object_put(answers[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct fuzz_aws world;
    struct description description = {.world = &world};
    struct ecs_call *call;

    if (!data)
        return 0;
    fuzz_aws_open(&world);
    fuzz_aws_answers(&world, "DescribeServices", &input);
    MUST(ecs_describe_services(world.aws, "c", NAMES, N_NAMES, AWS_ROUTINE, described, &description,
                               &call) == 0);
    fuzz_aws_run(&world);
    MUST(description.n_done == 1);
    fuzz_aws_close(&world);
    return 0;
}
