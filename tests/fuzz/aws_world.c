/* SPDX-License-Identifier: MIT */

#include "tests/fuzz/aws_world.h"

#include <string.h>

#include "src/log.h"
#include "tests/fuzz/json_oracle.h"

static void discard(void *userdata, int level, const char *message_id,
                    const struct log_field *fields, size_t n_fields, const char *message)
{
    (void)userdata, (void)level, (void)message_id, (void)fields, (void)n_fields, (void)message;
}

void fuzz_aws_open(struct fuzz_aws *world)
{
    static const struct aws_options options = {.endpoint_url = "http://aws.test"};

    *world = (struct fuzz_aws){0};
    log_set_sink(discard, NULL);
    MUST(loop_new(&world->loop) == 0);
    MUST(http_new(world->loop, NULL, &world->http) == 0);
    world->credentials = (struct fake_credentials){.loop = world->loop};
    MUST(aws_new(world->loop, world->http, fake_credentials(&world->credentials), &options,
                 &world->aws) == 0);
}

void fuzz_aws_close(struct fuzz_aws *world)
{
    MUST(aws_calls_pending(world->aws) == 0);
    MUST(fake_http_n_unanswered(world->http) == 0);
    aws_free(world->aws);
    http_free(world->http);
    MUST(virtual_loop_timers(world->loop) == 0);
    loop_free(world->loop);
    for (size_t i = 0; i < world->n_answers; i++)
        free(world->answers[i].body);
}

/* "!503\n" */
static int take_status(struct fuzz_answer *answer)
{
    static const size_t length = sizeof("!503\n") - 1;
    int status = 0;

    if (answer->size < length || answer->body[0] != '!' || answer->body[length - 1] != '\n')
        return 200;
    for (size_t i = 1; i <= 3; i++) {
        if (answer->body[i] < '0' || answer->body[i] > '9')
            return 200;
        status = status * 10 + (answer->body[i] - '0');
    }
    answer->size -= length;
    memmove(answer->body, answer->body + length, answer->size);
    return status >= 100 ? status : 200;
}

void fuzz_aws_answers(struct fuzz_aws *world, const char *operation, struct fuzz_input *input)
{
    struct fuzz_answer next;

    while (world->n_answers < FUZZ_ANSWERS_MAX &&
           (next.body = fuzz_take_bytes(input, &next.size)) != NULL) {
        next.status = take_status(&next);
        world->answers[world->n_answers++] = next;
    }
    for (size_t i = 0; i < world->n_answers; i++)
        fake_http_script(world->http, operation,
                         &(struct fake_answer){
                             .status = world->answers[i].status,
                             .body = world->answers[i].size ? world->answers[i].body : "",
                             .body_size = world->answers[i].size,
                             .times = i + 1 < world->n_answers ? 1 : -1,
                         });
}

void fuzz_aws_run(struct fuzz_aws *world)
{
    virtual_loop_run_until_idle(world->loop);
}

const struct fuzz_answer *fuzz_aws_answer(const struct fuzz_aws *world, size_t index)
{
    MUST(world->n_answers > 0);
    return &world->answers[index < world->n_answers ? index : world->n_answers - 1];
}

struct json_object *fuzz_aws_document(const struct fuzz_aws *world, size_t index)
{
    const struct fuzz_answer *answer = fuzz_aws_answer(world, index);
    bool is_success = answer->status >= 200 && answer->status <= 299;

    return is_success ? json_oracle_object(answer->body, answer->size) : NULL;
}
