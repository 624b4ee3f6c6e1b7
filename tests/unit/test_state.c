/* SPDX-License-Identifier: MIT */
/* What survives: written whole or not at all, and never believed when it is not understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

static const struct wall NOW = {INT64_C(1800000000000)};

static int make_directory(void **state)
{
    char *path = strdup("/tmp/provisionerd-state-XXXXXX");

    *state = path ? mkdtemp(path) : NULL;
    return *state ? 0 : -1;
}

static int remove_directory(void **state)
{
    char *path = *state, name[600];
    DIR *directory = opendir(path);

    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        (void)unlink(name);
    }
    if (directory)
        closedir(directory);
    int r = rmdir(path);
    free(path);
    return r;
}

static struct state *given_state(const char *directory)
{
    struct state *state = NULL;
    char *trouble = NULL;

    assert_int_equal(state_open(directory, STATE_READ_WRITE, NOW, &state, &trouble), 0);
    assert_null(trouble);
    return state;
}

static struct state_environment staging(struct state_service services[static 2])
{
    services[0] = (struct state_service){.name = (char *)"api", .recorded_count = 2, .slept = true};
    services[1] = (struct state_service){.name = (char *)"worker", .recorded_count = 3};
    return (struct state_environment){.name = (char *)"staging",
                                      .cluster = (char *)"main",
                                      .asleep = true,
                                      .since = NOW,
                                      .acted_at = wall_add(NOW, 1000),
                                      .last_activity = WALL_NEVER,
                                      .services = services,
                                      .n_services = 2};
}

static void write_file(const char *directory, const char *content, size_t size)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/state.json", directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static char *read_state_file(const char *directory, size_t *ret_size)
{
    char path[600];
    char *content = malloc(65536);

    snprintf(path, sizeof(path), "%s/state.json", directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(content);
    *ret_size = fread(content, 1, 65536, file);
    fclose(file);
    return content;
}

static size_t count_files(const char *directory, const char *prefix)
{
    size_t n = 0;
    DIR *stream = opendir(directory);

    for (struct dirent *entry; stream && (entry = readdir(stream));)
        n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(stream);
    return n;
}

static void test_what_is_saved_is_read_again(void **fixture)
{
    const char *directory = *fixture;
    struct state_service services[2];
    struct state_environment environment = staging(services);
    struct state *state = given_state(directory);

    assert_int_equal(state_put(state, &environment), 0);
    assert_int_equal(state_save(state), 0);
    state_free(state);

    state = given_state(directory);
    const struct state_environment *found = state_find(state, "staging", "main");
    assert_non_null(found);
    assert_string_equal(found->cluster, "main");
    assert_true(found->asleep);
    assert_int_equal(found->since.ms, NOW.ms);
    assert_int_equal(found->acted_at.ms, NOW.ms + 1000);
    assert_false(wall_is_set(found->last_activity));
    assert_int_equal(found->n_services, 2);
    assert_string_equal(found->services[0].name, "api");
    assert_int_equal(found->services[0].recorded_count, 2);
    assert_true(found->services[0].slept);
    assert_int_equal(found->services[1].recorded_count, 3);
    assert_false(found->services[1].slept);
    state_free(state);
}

static void test_put_replaces_and_remove_removes(void **fixture)
{
    struct state_service services[2];
    struct state_environment environment = staging(services);
    struct state *state = given_state(*fixture);

    assert_int_equal(state_put(state, &environment), 0);
    environment.asleep = false;
    environment.n_services = 1;
    assert_int_equal(state_put(state, &environment), 0);
    assert_int_equal(state_count(state), 1);
    assert_false(state_at(state, 0)->asleep);
    assert_int_equal(state_at(state, 0)->n_services, 1);
    state_remove(state, "another", "another");
    state_remove(state, "staging", "main");
    assert_int_equal(state_count(state), 0);
    assert_null(state_find(state, "staging", "main"));
    assert_null(state_at(state, 0));
    state_free(state);
}

static void test_one_name_in_two_clusters_is_two_environments(void **fixture)
{
    struct state_service services[2];
    struct state_environment environment = staging(services);
    struct state *state = given_state(*fixture);

    assert_int_equal(state_put(state, &environment), 0);
    environment.cluster = (char *)"other";
    environment.n_services = 1;
    assert_int_equal(state_put(state, &environment), 0);
    assert_int_equal(state_save(state), 0);
    state_free(state);

    state = given_state(*fixture);
    assert_int_equal(state_count(state), 2);
    assert_int_equal(state_find(state, "staging", "main")->n_services, 2);
    assert_int_equal(state_find(state, "staging", "other")->n_services, 1);
    state_remove(state, "staging", "main");
    assert_null(state_find(state, "staging", "main"));
    assert_non_null(state_find(state, "staging", "other"));
    state_free(state);
}

static void test_what_one_service_was_owed_is_removed_by_itself(void **fixture)
{
    struct state_service services[2];
    struct state_environment environment = staging(services);
    struct state *state = given_state(*fixture);

    assert_int_equal(state_put(state, &environment), 0);
    state_remove_service(state, "staging", "other", "api");
    assert_int_equal(state_at(state, 0)->n_services, 2);
    state_remove_service(state, "staging", "main", "api");
    assert_int_equal(state_at(state, 0)->n_services, 1);
    assert_string_equal(state_at(state, 0)->services[0].name, "worker");
    assert_false(state_at(state, 0)->asleep);
    state_remove_service(state, "staging", "main", "api");
    assert_int_equal(state_count(state), 1);
    state_remove_service(state, "staging", "main", "worker");
    assert_int_equal(state_count(state), 0);
    state_free(state);
}

static void test_only_one_daemon_at_a_time(void **fixture)
{
    struct state *state = given_state(*fixture), *second = NULL;
    char *trouble = NULL;

    assert_int_equal(state_open(*fixture, STATE_READ_WRITE, NOW, &second, &trouble), -EWOULDBLOCK);
    state_free(state);
    state_free(given_state(*fixture));
}

static void test_a_dry_run_reads_beside_the_daemon_and_writes_nothing(void **fixture)
{
    struct state_service services[2];
    struct state_environment environment = staging(services);
    struct state *state = given_state(*fixture), *dry = NULL;
    char *trouble = NULL;

    assert_int_equal(state_put(state, &environment), 0);
    assert_int_equal(state_save(state), 0);
    assert_int_equal(state_open(*fixture, STATE_READ_ONLY, NOW, &dry, &trouble), 0);
    assert_non_null(state_find(dry, "staging", "main"));
    state_remove(dry, "staging", "main");
    assert_int_equal(state_save(dry), 0);
    state_free(dry);
    state_free(state);
    state = given_state(*fixture);
    assert_non_null(state_find(state, "staging", "main"));
    state_free(state);
}

static void test_a_missing_directory_is_made(void **fixture)
{
    char path[600];
    struct state *state = NULL;
    char *trouble = NULL;

    snprintf(path, sizeof(path), "%s/new", (const char *)*fixture);
    assert_int_equal(state_open(path, STATE_READ_ONLY, NOW, &state, &trouble), 0);
    assert_null(trouble);
    state_free(state);
    state = given_state(path);
    assert_int_equal(state_save(state), 0);
    state_free(state);
    assert_int_equal(remove_directory((void *[]){strdup(path)}), 0);

    snprintf(path, sizeof(path), "%s/a/b", (const char *)*fixture);
    assert_int_equal(state_open(path, STATE_READ_WRITE, NOW, &state, &trouble), -ENOENT);
}

/* A file cut at any byte is the whole file, or it is set aside; nothing of it is believed. */
static void test_a_torn_file_is_set_aside_at_every_length(void **fixture)
{
    const char *directory = *fixture;
    struct state_service services[2];
    struct state_environment environment = staging(services);
    struct state *state = given_state(directory);
    size_t size;

    assert_int_equal(state_put(state, &environment), 0);
    assert_int_equal(state_save(state), 0);
    state_free(state);
    char *content = read_state_file(directory, &size);

    for (size_t cut = 0; cut < size - 1; cut++) {
        char *trouble = NULL;

        write_file(directory, content, cut);
        assert_int_equal(
            state_open(directory, STATE_READ_WRITE, wall_add(NOW, (int64_t)cut), &state, &trouble),
            0);
        assert_int_equal(state_count(state), 0);
        assert_non_null(trouble);
        assert_non_null(strstr(trouble, "state.json"));
        free(trouble);
        state_free(state);
    }
    free(content);
    assert_int_equal(count_files(directory, "state.json.unreadable-"), size - 1);
}

static void expect_set_aside(const char *directory, const char *content)
{
    struct state *state = NULL;
    char *trouble = NULL;

    write_file(directory, content, strlen(content));
    assert_int_equal(state_open(directory, STATE_READ_WRITE, NOW, &state, &trouble), 0);
    if (!trouble)
        fail_msg("believed: %s", content);
    assert_int_equal(state_count(state), 0);
    free(trouble);
    state_free(state);
}

#define ENTRY(members) "{\"version\":1,\"environments\":[{" members "}]}"
#define REQUESTS(members) "{\"version\":1,\"environments\":[],\"requests\":[" members "]}"
#define WHOSE "\"name\":\"a\",\"cluster\":\"c\",\"by\":\"alice\",\"why\":\"\","
#define WHEN "\"since\":\"2027-01-15T08:00:00Z\",\"until\":\"2027-01-15T09:00:00Z\""
#define GOOD "\"name\":\"a\",\"cluster\":\"c\",\"wanted\":\"asleep\","

static void test_what_is_not_understood_in_full_is_not_believed(void **fixture)
{
    static const char *const documents[] = {
        "[]",
        "{}",
        "{\"version\":2,\"environments\":[]}",
        "{\"version\":\"1\",\"environments\":[]}",
        "{\"version\":1}",
        "{\"version\":1,\"environments\":{}}",
        "{\"version\":1,\"environments\":[1]}",
        ENTRY("\"name\":\"a\""),
        ENTRY("\"name\":\"a\",\"cluster\":\"c\",\"wanted\":\"dozing\",\"services\":[]"),
        ENTRY(GOOD "\"services\":[{}]"),
        ENTRY(GOOD "\"services\":[{\"name\":\"s\",\"recorded_count\":-1,\"slept\":true}]"),
        ENTRY(GOOD "\"services\":[{\"name\":\"s\",\"recorded_count\":9999999,\"slept\":true}]"),
        ENTRY(GOOD "\"services\":[{\"name\":\"s\",\"recorded_count\":2.5,\"slept\":true}]"),
        ENTRY(GOOD "\"services\":[{\"name\":\"s\",\"recorded_count\":2,\"slept\":1}]"),
        ENTRY(GOOD "\"services\":[],\"since\":\"yesterday\""),
        ENTRY(GOOD "\"services\":[],\"since\":5"),
        "{\"version\":1,\"environments\":[{" GOOD "\"services\":[]},{" GOOD "\"services\":[]}]}",
        "{\"version\":1,\"environments\":[]} trailing",
        "{\"version\":1,\"environments\":[],\"requests\":{}}",
        REQUESTS("{}"),
        REQUESTS("{" WHOSE "\"kind\":\"nap\"," WHEN "}"),
        REQUESTS("{" WHOSE "\"kind\":\"sleep\",\"since\":\"2027-01-15T08:00:00Z\"}"),
        REQUESTS("{" WHOSE "\"kind\":\"sleep\"," WHEN "},{" WHOSE "\"kind\":\"sleep\"," WHEN "}"),
    };

    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
        expect_set_aside(*fixture, documents[i]);
}

static void test_a_state_that_is_no_file_is_set_aside(void **fixture)
{
    char path[600], away[700];
    struct state *state = NULL;
    char *trouble = NULL;

    snprintf(path, sizeof(path), "%s/state.json", (const char *)*fixture);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(state_open(*fixture, STATE_READ_WRITE, NOW, &state, &trouble), 0);
    assert_non_null(trouble);
    free(trouble);
    state_free(state);
    snprintf(away, sizeof(away), "%s.unreadable-%lld", path, (long long)NOW.ms);
    assert_int_equal(rmdir(away), 0);
}

/* Read as empty, it would be written over, and what is owed forgotten. */
static void test_a_file_that_cannot_be_read_now_is_no_empty_state(void **fixture)
{
    char path[600];
    struct state *state = NULL;
    char *trouble = NULL;

    snprintf(path, sizeof(path), "%s/state.json", (const char *)*fixture);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(state_open(*fixture, STATE_READ_WRITE, NOW, &state, &trouble), -ELOOP);
    assert_int_equal(unlink(path), 0);
}

static void test_a_failed_save_leaves_the_old_file(void **fixture)
{
    char path[600];
    struct state_service services[2];
    struct state_environment environment = staging(services);
    struct state *state = given_state(*fixture);

    assert_int_equal(state_put(state, &environment), 0);
    assert_int_equal(state_save(state), 0);
    /* A folder stands where the temporary file should be: it cannot be written. */
    snprintf(path, sizeof(path), "%s/state.json.new", (const char *)*fixture);
    assert_int_equal(mkdir(path, 0700), 0);
    state_remove(state, "staging", "main");
    assert_int_equal(state_save(state), -EISDIR);
    state_free(state);
    assert_int_equal(rmdir(path), 0);

    state = given_state(*fixture);
    assert_non_null(state_find(state, "staging", "main"));
    state_free(state);
}

static void test_the_file_is_private(void **fixture)
{
    char path[600];
    struct stat status;
    struct state *state = given_state(*fixture);

    assert_int_equal(state_save(state), 0);
    state_free(state);
    snprintf(path, sizeof(path), "%s/state.json", (const char *)*fixture);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static struct state_request hold(const char *name, struct wall until)
{
    return (struct state_request){
        .name = (char *)name,
        .cluster = (char *)"main",
        .request = {.kind = POLICY_HOLD_AWAKE, .since = NOW, .until = until},
        .by = (char *)"alice",
        .why = (char *)"demo at \"five\"\n",
    };
}

static void test_what_was_asked_for_survives(void **fixture)
{
    static const enum policy_request_kind kinds[] = {POLICY_HOLD_AWAKE, POLICY_HOLD_ASLEEP,
                                                     POLICY_SLEEP};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct state *state = given_state(*fixture);
        struct state_request request = hold("staging", wall_add(NOW, MS_PER_HOUR));
        request.request.kind = kinds[i];
        assert_int_equal(state_put_request(state, &request), 0);
        assert_int_equal(state_save(state), 0);
        state_free(state);

        state = given_state(*fixture);
        const struct state_request *found = state_find_request(state, "staging", "main");
        assert_non_null(found);
        assert_int_equal(found->request.kind, kinds[i]);
        assert_int_equal(found->request.since.ms, NOW.ms);
        assert_int_equal(found->request.until.ms, NOW.ms + MS_PER_HOUR);
        assert_string_equal(found->by, "alice");
        assert_string_equal(found->why, "demo at \"five\"\n");
        assert_null(state_find_request(state, "staging", "other"));
        state_free(state);
    }
}

static void test_a_request_replaces_and_is_removed(void **fixture)
{
    struct state *state = given_state(*fixture);
    struct state_request first = hold("a", wall_add(NOW, 1)), second = hold("b", wall_add(NOW, 2)),
                         third = hold("a", wall_add(NOW, 3));

    assert_int_equal(state_put_request(state, &first), 0);
    assert_int_equal(state_put_request(state, &second), 0);
    assert_int_equal(state_put_request(state, &third), 0);
    assert_int_equal(state_find_request(state, "a", "main")->request.until.ms, NOW.ms + 3);
    state_remove_request(state, "a", "main");
    state_remove_request(state, "a", "main");
    assert_null(state_find_request(state, "a", "main"));
    assert_int_equal(state_find_request(state, "b", "main")->request.until.ms, NOW.ms + 2);
    state_free(state);
}

static void test_a_text_without_end_is_no_request(void **fixture)
{
    struct state *state = given_state(*fixture);
    struct state_request request = hold("a", wall_add(NOW, 1));
    char text[STATE_REQUEST_TEXT_MAX + 2];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    request.why = text;
    assert_int_equal(state_put_request(state, &request), -E2BIG);
    text[sizeof(text) - 2] = '\0';
    assert_int_equal(state_put_request(state, &request), 0);
    state_free(state);
}

/* A host's clock may be ahead when it starts. */
static void test_a_request_is_kept_for_a_week_after_its_end(void **fixture)
{
    struct state *state = given_state(*fixture);
    struct state_request yesterdays = hold("a", wall_add(NOW, -MS_PER_DAY)),
                         old = hold("b", wall_add(NOW, -8 * MS_PER_DAY));

    assert_int_equal(state_put_request(state, &yesterdays), 0);
    assert_int_equal(state_put_request(state, &old), 0);
    assert_int_equal(state_save(state), 0);
    state_free(state);

    state = given_state(*fixture);
    assert_non_null(state_find_request(state, "a", "main"));
    assert_null(state_find_request(state, "b", "main"));
    state_free(state);
}

#define test_in_directory(test) \
    cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_in_directory(test_what_is_saved_is_read_again),
        test_in_directory(test_put_replaces_and_remove_removes),
        test_in_directory(test_one_name_in_two_clusters_is_two_environments),
        test_in_directory(test_what_one_service_was_owed_is_removed_by_itself),
        test_in_directory(test_only_one_daemon_at_a_time),
        test_in_directory(test_a_dry_run_reads_beside_the_daemon_and_writes_nothing),
        test_in_directory(test_a_missing_directory_is_made),
        test_in_directory(test_a_torn_file_is_set_aside_at_every_length),
        test_in_directory(test_what_is_not_understood_in_full_is_not_believed),
        test_in_directory(test_a_state_that_is_no_file_is_set_aside),
        test_in_directory(test_a_file_that_cannot_be_read_now_is_no_empty_state),
        test_in_directory(test_a_failed_save_leaves_the_old_file),
        test_in_directory(test_the_file_is_private),
        test_in_directory(test_what_was_asked_for_survives),
        test_in_directory(test_a_request_replaces_and_is_removed),
        test_in_directory(test_a_text_without_end_is_no_request),
        test_in_directory(test_a_request_is_kept_for_a_week_after_its_end),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
