/* SPDX-License-Identifier: MIT */
/* Answers to UpdateService. */

#include "src/ecs.h"
#include "tests/fuzz/aws_world.h"
#include "tests/fuzz/json_oracle.h"

FUZZ_AWS_IS_REAL

struct update {
    unsigned n_done;
    enum aws_error_kind kind;
    int desired_count;
};

static void updated(void *userdata, const struct aws_error *error, int desired_count)
{
    struct update *update = userdata;

    *update = (struct update){update->n_done + 1, error->kind, desired_count};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct update update = {0};
    struct ecs_call *call;
    struct fuzz_aws world;

    if (!data)
        return 0;
    fuzz_aws_open(&world);
    fuzz_aws_answers(&world, "UpdateService", &input);
    MUST(ecs_update_service(world.aws, "c", "api", 2, AWS_URGENT, updated, &update, &call) == 0);
    fuzz_aws_run(&world);

    size_t n_requests = fake_http_n_requests(world.http);
    struct json_object *answer = fuzz_aws_document(&world, n_requests - 1);
    struct json_object *service = NULL;
    int64_t desired = -1;
    MUST(update.n_done == 1);
    MUST(update.kind != AWS_OK || answer);
    MUST(update.desired_count >= -1 && update.desired_count <= ECS_COUNT_MAX);
    MUST(update.kind == AWS_OK || update.desired_count == -1);
    if (update.desired_count >= 0) {
        json_object_object_get_ex(answer, "service", &service);
        MUST(oracle_integer(service, "desiredCount", &desired) && desired == update.desired_count);
    }
    json_object_put(answer);
    fuzz_aws_close(&world);
    return 0;
}
