/* SPDX-License-Identifier: MIT */
/*
 * The provider and what its sources answer: IMDS (session token, role, keys, region), the container
 * endpoint, STS. The first part says which, "imds", "container" or "sts".
 */

#include <stdlib.h>
#include <string.h>

#include "src/credentials.h"
#include "src/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/fake_http.h"
#include "tests/support/virtual_loop.h"

#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"

/* --- http.h: the fake, for which every role has the same path -------------------------------------- */

int http_new(struct loop *loop, const struct http_options *options, struct http **ret)
{
    (void)options;
    return fake_http_new(loop, ret);
}

struct http *http_free(struct http *http)
{
    return fake_http_free(http);
}

int http_send(struct http *http, const struct http_request *request, http_done_fn *done,
              void *userdata, struct http_call **ret)
{
    struct http_request sent = *request;
    const char *role = strstr(request->url, ROLE_PATH);

    if (role && role[strlen(ROLE_PATH)])
        sent.url = "http://169.254.169.254" ROLE_PATH "bastion";
    return fake_http_send(http, &sent, done, userdata, ret);
}

void http_cancel(struct http_call *call)
{
    fake_http_cancel(call);
}

const char *http_response_header(const struct http_response *response, const char *name)
{
    return fake_http_response_header(response, name);
}

/* --- the provider ------------------------------------------------------------------------------- */

#define SECRET "geheim"

/* All attempts of all questions, with the waits in between. */
#define LONGEST_MS MS_PER_HOUR

struct client {
    bool may_quote; /* an error's code and message are told, whatever they are */
    unsigned n_done;
    bool has_keys;
};

static void done(void *userdata, int error, const char *why, const struct sigv4_credentials *keys,
                 const char *region)
{
    struct client *client = userdata;

    client->n_done++;
    client->has_keys = error == 0;
    MUST(error <= 0);
    if (error < 0) {
        MUST(why && *why);
        MUST(client->may_quote || !strstr(why, SECRET));
        return;
    }
    MUST(keys && *keys->access_key_id && *keys->secret_access_key && region && *region);
}

static void note_log(void *userdata, int level, const char *message_id,
                     const struct log_field *fields, size_t n_fields, const char *message)
{
    const struct client *client = userdata;

    (void)level, (void)message_id, (void)fields, (void)n_fields;
    MUST(client->may_quote || !strstr(message, SECRET));
}

static void script(struct http *http, const char *operation, struct fuzz_input *input)
{
    size_t size = 0;
    char *body = fuzz_take_bytes(input, &size);

    fake_http_script(http, operation,
                     &(struct fake_answer){
                         .status = body ? 200 : 404,
                         .body = size ? body : "",
                         .body_size = size,
                         .times = -1,
                     });
    free(body);
}

static void given_source(struct http *http, const char *source, struct fuzz_input *input)
{
    clearenv();
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    setenv("AWS_REGION", "eu-west-1", 1);
    if (strcmp(source, "container") == 0) {
        setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/task", 1);
        script(http, "/task", input);
    } else if (strcmp(source, "sts") == 0) {
        char path[256];
        snprintf(path, sizeof(path), "%s/token", fuzz_directory());
        fuzz_write_file(path, "eyJ.abc.def\n", strlen("eyJ.abc.def\n"));
        setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path, 1);
        setenv("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/a", 1);
        script(http, "/", input);
    } else {
        unsetenv("AWS_REGION");
        script(http, "/latest/api/token", input);
        script(http, ROLE_PATH, input);
        script(http, ROLE_PATH "bastion", input);
        script(http, "/latest/meta-data/placement/region", input);
    }
}

/* Another code than that of a success. */
static bool tells_code(const uint8_t *data, size_t size)
{
    static const char CODE[] = "Code", SUCCESS[] = "Code\": \"Success\"";
    const uint8_t *end = data + size, *at = data;

    while ((at = memmem(at, (size_t)(end - at), CODE, strlen(CODE)))) {
        if ((size_t)(end - at) < strlen(SUCCESS) || memcmp(at, SUCCESS, strlen(SUCCESS)) != 0)
            return true;
        at += strlen(CODE);
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    char *source = fuzz_take_text(&input);
    struct client client = {0};
    struct credentials_request *request;
    struct credentials *credentials;
    struct loop *loop;
    struct http *http;

    if (!data) {
        free(source);
        return 0;
    }
    (void)fuzz_directory(); /* while TMPDIR is known */
    client.may_quote = tells_code(data, size);
    log_set_sink(note_log, &client);
    MUST(loop_new(&loop) == 0);
    MUST(http_new(loop, NULL, &http) == 0);
    given_source(http, source, &input);
    MUST(credentials_new(loop, http, &(struct credentials_options){0}, &credentials) == 0);
    MUST(credentials_get(credentials, done, &client, &request) == 0);
    virtual_loop_run_for(loop, LONGEST_MS);

    MUST(client.n_done == 1);
    MUST(fake_http_n_unanswered(http) == 0);
    credentials_free(credentials);
    http_free(http);
    MUST(virtual_loop_timers(loop) == 0);
    loop_free(loop);
    free(source);
    return 0;
}
