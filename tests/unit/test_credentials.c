/* SPDX-License-Identifier: MIT */

/* The provider under virtual time: who is served what, and when a source is asked. */

#include "credentials_world.h"

/* --- many who ask ------------------------------------------------------------------------------- */

static void ten_who_ask_share_one_fetch(void **state)
{
    struct world *world = *state;
    struct client clients[10] = {0};

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIATASK", AT("18:00:00"));
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++)
        ask(world, &clients[i]);
    credentials_request_cancel(clients[4].request);
    pass(world, SECOND);
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++) {
        assert_int_equal(clients[i].n_answers, i == 4 ? 0 : 1);
        if (i != 4)
            assert_string_equal(clients[i].id, "ASIATASK");
    }
    assert_int_equal(n_requests(world), 1);
}

static void ten_who_ask_are_told_of_one_failure(void **state)
{
    struct world *world = *state;
    struct client clients[10] = {0};

    given_task_endpoint();
    fake_http_answer(world->http, CONTAINER, 404, "");
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++)
        ask(world, &clients[i]);
    pass(world, SECOND);
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++)
        assert_int_equal(clients[i].error, -ENOENT);
    assert_int_equal(n_requests(world), 1);
}

static void callbacks_may_ask_cancel_and_free(void **state)
{
    struct world *world = *state;
    struct client last = {0}, third = {0};
    struct client second = {.cancels = &third};
    struct client first = {.asks = &last, .credentials = world->credentials};

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIATASK", AT("18:00:00"));
    ask(world, &first);
    ask(world, &second);
    ask(world, &third);
    pass(world, SECOND);
    assert_int_equal(first.n_answers, 1);
    assert_int_equal(second.n_answers, 1);
    assert_int_equal(third.n_answers, 0);
    assert_int_equal(last.n_answers, 1);

    struct client never = {0}, freeing = {.frees = world->credentials};
    ask(world, &freeing);
    ask(world, &never);
    world->credentials = NULL;
    pass(world, SECOND);
    assert_int_equal(freeing.n_answers, 1);
    assert_int_equal(never.n_answers, 0);
}

/* After each step of the longest way there is, everybody goes away. */
static void a_cancel_in_any_phase_leaves_nothing_behind(void **state)
{
    struct world *world = *state;

    given_file(world, ".aws/config",
               "[default]\nrole_arn = " ROLE_A "\n"
               "credential_source = Ec2InstanceMetadata\n");
    for (int64_t moment_ms = 0; moment_ms < 500; moment_ms += 10) {
        struct loop *loop = NULL;
        struct http *http = NULL;
        struct credentials *credentials = NULL;
        struct client client = {0};
        struct world inner = {0};
        assert_int_equal(loop_new(&loop), 0);
        assert_int_equal(http_new(loop, NULL, &http), 0);
        assert_int_equal(
            credentials_new(loop, http, &(struct credentials_options){0}, &credentials), 0);
        inner.http = http;
        fake_http_answer(http, IMDS_TOKEN, 503, "");
        fake_http_answer(http, IMDS_TOKEN, 200, "session");
        fake_http_answer(http, IMDS_REGION, 200, "eu-central-1");
        instance_gives(&inner, "ASIABASE", AT("18:00:00"));
        sts_refuses(&inner, 500, "InternalFailure", "");
        sts_answers(&inner, "AssumeRole", "ASIAROLE", AT("13:00:00"));
        assert_int_equal(credentials_get(credentials, came, &client, &client.request), 0);
        virtual_loop_run_for(loop, moment_ms);
        if (moment_ms % 20 == 0 && client.request) {
            credentials_request_cancel(client.request);
            virtual_loop_run_for(loop, 10 * SECOND);
            assert_int_equal(client.n_answers, 0);
        }
        credentials_free(credentials);
        assert_int_equal(fake_http_n_unanswered(http), 0);
        assert_int_equal(virtual_loop_timers(loop), 0);
        http_free(http);
        loop_free(loop);
    }
}

static void a_fetch_nobody_waits_for_is_kept_for_the_next(void **state)
{
    struct world *world = *state;
    struct client client = {0};

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIATASK", AT("18:00:00"));
    ask(world, &client);
    pass(world, 10);
    credentials_request_cancel(client.request);
    pass(world, SECOND);
    expect_keys(world, "ASIATASK");
    assert_int_equal(n_requests(world), 1);
}

static void a_request_that_cannot_be_sent(void **state)
{
    struct world *world = *state;

    fake_http_refuse_send(world->http, -ENOMEM);
    expect_error(world, -ENOMEM, "the request could not be sent");
    given_task_endpoint();
    given_options(world, &(struct credentials_options){0});
    fake_http_refuse_send(world->http, -EINVAL);
    expect_error(world, -EINVAL, "the container endpoint");
    unsetenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    given_chain(world);
    given_options(world, &(struct credentials_options){0});
    fake_http_refuse_send(world->http, -EINVAL);
    expect_error(world, -EINVAL, "the request to STS could not be sent");
}

static void a_second_attempt_that_cannot_be_sent(void **state)
{
    struct world *world = *state;
    struct client client = {0};

    given_task_endpoint();
    fake_http_answer(world->http, CONTAINER, 503, "");
    ask(world, &client);
    pass(world, 50);
    fake_http_refuse_send(world->http, -ENOMEM);
    pass(world, SECOND);
    assert_int_equal(client.error, -ENOMEM);
    assert_non_null(strstr(client.why, "the request could not be sent"));
}

/* --- refresh, static stability ------------------------------------------------------------------- */

static void keys_are_refreshed_in_the_background_before_they_end(void **state)
{
    struct world *world = *state;

    given_instance_keys(world);
    pass_until(world, 17, 54);
    expect_keys(world, "ASIAONE");
    assert_int_equal(n_requests(world), 4);

    pass_until(world, 17, 56);
    instance_gives(world, "ASIATWO", AT("23:00:00"));
    expect_keys(world, "ASIAONE"); /* at once */
    expect_keys(world, "ASIAONE");
    pass(world, SECOND);
    expect_keys(world, "ASIATWO");
    assert_int_equal(n_requests(world), 6); /* session token and region were still good */
    assert_int_equal(world->n_warnings + world->n_notices, 0);
}

static void in_the_last_minute_who_asks_waits(void **state)
{
    struct world *world = *state;

    given_instance_keys(world);
    pass_until(world, 17, 59);
    pass(world, SECOND);
    fake_http_answer(world->http, IMDS_TOKEN, 200, "second");
    instance_gives(world, "ASIATWO", AT("23:00:00"));
    expect_keys(world, "ASIATWO");
}

static void a_source_that_is_down_is_told_of_once_and_survived(void **state)
{
    struct world *world = *state;

    given_instance_keys(world);
    pass_until(world, 17, 56);
    fake_http_script(world->http, IMDS_ROLE, &(struct fake_answer){.status = 500, .times = -1});
    expect_keys(world, "ASIAONE");
    pass(world, 2 * SECOND);
    assert_int_equal(world->n_warnings, 1);
    assert_non_null(
        strstr(world->last_log, "cannot refresh the credentials from IMDSv2 role bast"));
    assert_non_null(strstr(world->last_log, "valid until 2026-03-02T18:00:00Z"));

    fake_http_script(world->http, IMDS_TOKEN, &(struct fake_answer){.status = 500, .times = -1});
    for (unsigned i = 0; i < 20; i++) {
        expect_keys(world, "ASIAONE");
        pass(world, 15 * SECOND);
    }
    assert_int_equal(world->n_warnings, 2); /* and one when they ended */
    assert_non_null(
        strstr(world->last_log, "ended at 2026-03-02T18:00:00Z and are used neverthele"));

    /* From then on every five to ten minutes, by whoever asks. */
    size_t before = n_requests(world);
    for (unsigned i = 0; i < 240; i++) {
        expect_keys(world, "ASIAONE");
        pass(world, 15 * SECOND);
    }
    size_t rounds = (n_requests(world) - before) / 3;
    assert_in_range(rounds, 6, 12);
    assert_int_equal(world->n_warnings, 2);
}

static void a_source_that_comes_back_is_told_of_too(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIAONE", AT("13:00:00"));
    expect_keys(world, "ASIAONE");
    pass_until(world, 13, 5);
    fake_http_script(
        world->http, CONTAINER,
        &(struct fake_answer){.error = -EHOSTUNREACH, .error_text = "no route", .times = 3});
    expect_keys(world, "ASIAONE");
    assert_int_equal(world->n_warnings, 1);
    assert_non_null(strstr(world->last_log, "no route; asking again every 5 to 10 minutes"));
    pass(world, 4 * MINUTE);
    expect_keys(world, "ASIAONE");
    pass(world, 6 * MINUTE + SECOND);
    json_answers(world, CONTAINER, "ASIATWO", AT("18:00:00"));
    expect_keys(world, "ASIATWO");
    assert_int_equal(world->n_notices, 1);
    assert_string_equal(world->last_log,
                        "the credentials from container endpoint http://169.254.170.2" CONTAINER
                        " are fresh again, valid until 2026-03-02T18:00:00Z");
    assert_int_equal(n_requests(world), 5);
}

static void keys_that_come_past_their_end_are_used(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIAOLD", AT("11:00:00"));
    expect_keys(world, "ASIAOLD");
    expect_keys(world, "ASIAOLD");
    assert_int_equal(n_requests(world), 1);
    assert_int_equal(world->n_warnings, 1);
    pass(world, 11 * MINUTE);
    json_answers(world, CONTAINER, "ASIANEW", AT("18:00:00"));
    expect_keys(world, "ASIANEW");
    assert_int_equal(world->n_notices, 1);
}

static void short_lived_keys_do_not_make_a_storm(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIAONE", AT("12:00:30"));
    for (unsigned i = 0; i < 14; i++) {
        expect_keys(world, "ASIAONE");
        pass(world, SECOND);
    }
    assert_int_equal(n_requests(world), 1);
    pass(world, 2 * SECOND);
    json_answers(world, CONTAINER, "ASIATWO", AT("12:01:00"));
    expect_keys(world, "ASIATWO"); /* halfway to the end of the first */
    assert_int_equal(world->n_warnings, 0);
}

static void the_skew_of_the_clock_moves_the_end(void **state)
{
    struct world *world = *state;

    given_instance_keys(world);
    pass_until(world, 17, 46);
    expect_keys(world, "ASIAONE");
    credentials_set_clock_skew(world->credentials, 10 * MINUTE);
    instance_gives(world, "ASIATWO", AT("23:00:00"));
    expect_keys(world, "ASIAONE");
    pass(world, SECOND);
    expect_keys(world, "ASIATWO");
}

static void failures_are_spaced_out(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    fake_http_script(world->http, CONTAINER, &(struct fake_answer){.status = 400, .times = -1});
    size_t after_a_minute = 0;
    for (unsigned i = 0; i < 600; i++) {
        expect_error(world, -EBADMSG, "HTTP status 400");
        pass(world, SECOND);
        if (i == 60)
            after_a_minute = n_requests(world);
    }
    assert_in_range(after_a_minute, 4, 8);
    assert_in_range(n_requests(world) - after_a_minute, 8, 18); /* each 32 to 64 s */
}

/* --- refused by AWS ------------------------------------------------------------------------------ */

static void keys_refused_by_aws_are_replaced(void **state)
{
    struct world *world = *state;

    credentials_invalidate(world->credentials); /* there are none: nothing */
    given_instance_keys(world);
    credentials_invalidate(world->credentials);
    instance_gives(world, "ASIATWO", AT("18:00:00"));
    expect_keys(world, "ASIATWO");

    /* The same refusal, told by other calls that were under way. */
    credentials_invalidate(world->credentials);
    expect_keys(world, "ASIATWO");
    pass(world, 6 * SECOND);
    credentials_invalidate(world->credentials);
    instance_gives(world, "ASIATHREE", AT("18:00:00"));
    expect_keys(world, "ASIATHREE");
}

static void refused_keys_are_not_served_while_the_source_is_down(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIAONE", AT("18:00:00"));
    expect_keys(world, "ASIAONE");
    credentials_invalidate(world->credentials);
    fake_http_answer(world->http, CONTAINER, 400, "");
    expect_error(world, -EBADMSG,
                 "AWS refused the credentials as expired, and there are no new "
                 "ones: the container endpoint ");
    pass(world, 5 * SECOND);
    json_answers(world, CONTAINER, "ASIATWO", AT("18:00:00"));
    expect_keys(world, "ASIATWO");
}

/* The source had gone before, and is not to be asked again yet. */
static void keys_refused_after_a_failed_refresh_say_why(void **state)
{
    struct world *world = *state;

    given_task_endpoint();
    json_answers(world, CONTAINER, "ASIAONE", AT("13:00:00"));
    expect_keys(world, "ASIAONE");
    pass_until(world, 12, 57);
    fake_http_script(
        world->http, CONTAINER,
        &(struct fake_answer){.error = -EHOSTUNREACH, .error_text = "no route", .times = 3});
    expect_keys(world, "ASIAONE");
    pass(world, SECOND);
    credentials_invalidate(world->credentials);
    expect_error(world, -EHOSTUNREACH, "there are no new ones: the container endpoint ");
    expect_error(world, -EHOSTUNREACH, "no route; asking again until there are");
}

static void a_refusal_reads_the_files_again(void **state)
{
    struct world *world = *state;

    given_region();
    given_file(world, ".aws/credentials",
               "[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = geheim\n");
    expect_keys(world, "AKIAONE");
    credentials_invalidate(world->credentials);
    expect_keys(world, "AKIAONE");
    assert_int_equal(world->n_warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ten_who_ask_share_one_fetch),
        TEST(ten_who_ask_are_told_of_one_failure),
        TEST(callbacks_may_ask_cancel_and_free),
        TEST(a_cancel_in_any_phase_leaves_nothing_behind),
        TEST(a_fetch_nobody_waits_for_is_kept_for_the_next),
        TEST(a_request_that_cannot_be_sent),
        TEST(a_second_attempt_that_cannot_be_sent),
        TEST(keys_are_refreshed_in_the_background_before_they_end),
        TEST(in_the_last_minute_who_asks_waits),
        TEST(a_source_that_is_down_is_told_of_once_and_survived),
        TEST(a_source_that_comes_back_is_told_of_too),
        TEST(keys_that_come_past_their_end_are_used),
        TEST(short_lived_keys_do_not_make_a_storm),
        TEST(the_skew_of_the_clock_moves_the_end),
        TEST(failures_are_spaced_out),
        TEST(keys_refused_by_aws_are_replaced),
        TEST(refused_keys_are_not_served_while_the_source_is_down),
        TEST(keys_refused_after_a_failed_refresh_say_why),
        TEST(a_refusal_reads_the_files_again),
    };
    return cmocka_run_group_tests_name("credentials: the provider", tests, NULL, NULL);
}
