/* SPDX-License-Identifier: MIT */
/*
 * What aws.c makes of one answer, over and over: three lines of headers (Date; Retry-After,
 * x-amz-retry-after or x-amzn-ErrorType as the first letter says) and the body.
 */

#include <string.h>

#include "tests/fuzz/aws_world.h"
#include "tests/fuzz/json_oracle.h"

FUZZ_AWS_IS_REAL

/* Three attempts, each after a wait of at most a minute and the budget's pauses; with room. */
#define LONGEST_MS (30 * MS_PER_MINUTE)

struct outcome {
    unsigned n_done;
    enum aws_error_kind kind;
    bool has_body;
};

static void answered(void *userdata, const struct aws_error *error, struct json_object *body)
{
    struct outcome *outcome = userdata;

    MUST(!body || json_object_is_type(body, json_type_object));
    MUST(strnlen(error->message, sizeof(error->message)) < sizeof(error->message));
    *outcome = (struct outcome){outcome->n_done + 1, error->kind, body != NULL};
}

static const char *header_name(const char *text)
{
    return *text == 'r' ? "Retry-After" : *text == 'm' ? "x-amz-retry-after" : "x-amzn-ErrorType";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct outcome outcome = {0};
    struct aws_call *call;
    struct fuzz_aws world;

    char *date = fuzz_take_text(&input);
    char *header = fuzz_take_text(&input);
    char *status = fuzz_take_text(&input);
    size_t body_size = 0;
    char *body = fuzz_take_bytes(&input, &body_size);

    if (strlen(date) >= 40)
        date[39] = '\0';
    fuzz_aws_open(&world);
    struct fake_answer answer = {
        .status = 100 + atoi(status) % 500,
        .body = body_size ? body : "",
        .body_size = body_size,
        .date = date,
        .header_name = *header ? header_name(header) : NULL,
        .header_value = *header ? header + 1 : NULL,
        .times = -1,
    };
    if (answer.status < 100)
        answer.status = 200;
    fake_http_script(world.http, "StopQuery", &answer);
    struct json_object *parameters = json_object_new_object();
    MUST(aws_call(world.aws, LOGS_STOP_QUERY, AWS_ROUTINE, parameters, answered, &outcome, &call) ==
         0);
    json_object_put(parameters);
    struct mono began = loop_mono(world.loop);
    fuzz_aws_run(&world);

    MUST(outcome.n_done == 1);
    MUST(mono_since(loop_mono(world.loop), began) < LONGEST_MS);
    MUST(fake_http_n_requests(world.http) <= 3);
    MUST(outcome.has_body == (outcome.kind == AWS_OK));
    if (outcome.kind == AWS_OK) {
        struct json_object *document = json_oracle_object(body, body_size);
        MUST(answer.status >= 200 && answer.status <= 299 && document);
        MUST(!oracle_string(document, "__type") || !*oracle_string(document, "__type"));
        json_object_put(document);
    }
    fuzz_aws_close(&world);
    free(date);
    free(header);
    free(status);
    free(body);
    return 0;
}
