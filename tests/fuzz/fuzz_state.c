/* SPDX-License-Identifier: MIT */
/* state.json, as it may be found after whatever happened to it. */

#include <errno.h>
#include <string.h>

#include "src/state.h"
#include "src/storage.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_oracle.h"
#include "tests/simulation/memory_storage.h"

#define NOW ((struct wall){INT64_C(1772452800000)})
#define COUNT_MAX 1000000

static bool go_on(void *userdata, const char *step)
{
    (void)userdata, (void)step;
    return true;
}

static void ignore_bytes(void *userdata, const char *file, const void *bytes, size_t size)
{
    (void)userdata, (void)file, (void)bytes, (void)size;
}

static uint64_t first(void *userdata, uint64_t bound)
{
    (void)userdata, (void)bound;
    return 0;
}

static void ignore_trouble(void *userdata, enum disk_trouble trouble)
{
    (void)userdata, (void)trouble;
}

static struct memory_storage *disk_with(const char *text, size_t size)
{
    static const struct memory_storage_hooks hooks = {
        .may_go_on = go_on,
        .stored = ignore_bytes,
        .random = first,
        .fired = ignore_trouble,
    };
    struct memory_storage *disk = NULL;
    struct storage *storage = NULL;
    int file = -1;

    MUST(memory_storage_new(&hooks, &disk) == 0);
    memory_storage_attach(disk);
    MUST(storage_open("/state", STORAGE_READ_WRITE, &storage) == 0);
    MUST(storage_create(storage, "state.json", &file) == 0);
    MUST(storage_write(storage, file, text, size) == 0);
    MUST(storage_close(storage, file) == 0);
    storage_free(storage);
    return disk;
}

static void check_service(struct json_object *object, const struct state_service *service)
{
    int64_t count = -1;
    struct json_object *slept = NULL;

    MUST(strcmp(oracle_string(object, "name"), service->name) == 0);
    MUST(oracle_integer(object, "recorded_count", &count) && count == service->recorded_count);
    MUST(count >= 0 && count <= COUNT_MAX);
    MUST(json_object_object_get_ex(object, "slept", &slept) &&
         json_object_get_boolean(slept) == service->slept);
}

/* All of it is believed, as it stands. */
static void check_believed(struct json_object *document, const struct state *state)
{
    struct json_object *environments = oracle_array(document, "environments");
    int64_t version = 0;

    MUST(oracle_integer(document, "version", &version) && version == 1);
    MUST(environments && json_object_array_length(environments) == state_count(state));
    for (size_t i = 0; i < state_count(state); i++) {
        struct json_object *object = json_object_array_get_idx(environments, i);
        const struct state_environment *environment = state_at(state, i);
        struct json_object *services = oracle_array(object, "services");
        const char *wanted = oracle_string(object, "wanted");
        MUST(strcmp(oracle_string(object, "name"), environment->name) == 0);
        MUST(strcmp(oracle_string(object, "cluster"), environment->cluster) == 0);
        MUST(strcmp(wanted, environment->asleep ? "asleep" : "awake") == 0);
        MUST(services && json_object_array_length(services) == environment->n_services);
        for (size_t n = 0; n < environment->n_services; n++)
            check_service(json_object_array_get_idx(services, n), &environment->services[n]);
    }
}

static void check_same(const struct state *a, const struct state *b)
{
    MUST(state_count(a) == state_count(b));
    for (size_t i = 0; i < state_count(a); i++) {
        const struct state_environment *x = state_at(a, i), *y = state_at(b, i);
        MUST(strcmp(x->name, y->name) == 0 && strcmp(x->cluster, y->cluster) == 0);
        MUST(x->asleep == y->asleep && x->n_services == y->n_services);
        MUST(x->since.ms / 1000 == y->since.ms / 1000);
        MUST(x->last_activity.ms / 1000 == y->last_activity.ms / 1000);
        for (size_t n = 0; n < x->n_services; n++)
            MUST(strcmp(x->services[n].name, y->services[n].name) == 0 &&
                 x->services[n].recorded_count == y->services[n].recorded_count &&
                 x->services[n].slept == y->services[n].slept);
    }
}

/* What was believed can be written, and is read again. */
static void check_save(struct state *state)
{
    struct state *again = NULL;
    char *trouble = NULL;

    MUST(state_save(state) == 0);
    MUST(state_open("/state", STATE_READ_ONLY, NOW, &again, &trouble) == 0);
    MUST(!trouble);
    check_same(state, again);
    state_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct state *state = NULL;
    char *trouble = NULL;
    size_t length = 0;
    char *text = fuzz_take_bytes(&input, &length);

    if (!text)
        return 0;
    struct memory_storage *disk = disk_with(text, length);
    struct json_object *document = json_oracle_object(text, length);
    MUST(state_open("/state", STATE_READ_WRITE, NOW, &state, &trouble) == 0);
    if (trouble) {
        size_t kept = 0;
        MUST(state_count(state) == 0);
        MUST(!memory_storage_peek(disk, "state.json", &kept));
        const char *aside = memory_storage_peek(disk, "state.json.unreadable-1772452800000", &kept);
        MUST(aside && kept == length && memcmp(aside, text, length) == 0);
    } else {
        check_believed(document, state);
        check_save(state);
    }
    json_object_put(document);
    state_free(state);
    free(trouble);
    memory_storage_attach(NULL);
    memory_storage_free(disk);
    free(text);
    return 0;
}
