/* SPDX-License-Identifier: MIT */
/* Answers to StartQuery; the results that follow are well. */

#include <string.h>

#include "tests/fuzz/json_oracle.h"
#include "tests/fuzz/query_world.h"

FUZZ_AWS_IS_REAL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct fuzz_query query;
    struct fuzz_aws world;

    if (!data)
        return 0;
    fuzz_aws_open(&world);
    fuzz_aws_answers(&world, "StartQuery", &input);
    fake_http_answer_always(world.http, "GetQueryResults",
                            "{\"status\":\"Complete\",\"results\":[],\"statistics\":"
                            "{\"recordsMatched\":0,\"recordsScanned\":7,\"bytesScanned\":70}}");
    fuzz_query_run(&world, &query);

    size_t n_started = fake_http_n_requests_of(world.http, "StartQuery");
    struct json_object *answer = n_started ? fuzz_aws_document(&world, n_started - 1) : NULL;
    const char *id = answer ? oracle_string(answer, "queryId") : NULL;
    if (query.result.outcome == LOGS_QUERY_COMPLETE) {
        MUST(id && *id);
        struct json_object *asked =
            json_tokener_parse(fake_http_request_of(world.http, "GetQueryResults", 0)->body);
        MUST(strcmp(oracle_string(asked, "queryId"), query.query_id) == 0);
        json_object_put(asked);
    } else {
        MUST(query.result.outcome == LOGS_QUERY_ERROR ||
             query.result.outcome == LOGS_QUERY_GAVE_UP);
        MUST(fake_http_n_requests_of(world.http, "GetQueryResults") == 0);
    }
    json_object_put(answer);
    fuzz_aws_close(&world);
    return 0;
}
