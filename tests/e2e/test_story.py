# SPDX-License-Identifier: MIT
"""The main story and its variations: what sleeps, what wakes, and what does neither."""

from harness import (ASLEEP, AWAKE, KEYS, SHORT_WINDOW, Authority, Story, eventually, services,
                     world)

SERVED = {"settings": {"ingestion_delay_ms": 300, "latency_ms": 5}}


class MainStory(Story):
    def test_counts_go_to_zero_and_come_back_exactly(self):
        self.start_sim(world(**SERVED))
        self.write_config(**SHORT_WINDOW)
        self.assertTrue(self.sim.request())
        self.start_daemon()
        self.daemon.wait_for("found awake: api 2, worker 3, web 1")

        self.fall_asleep()
        self.assertCountEqual([("api", 0), ("worker", 0), ("web", 0)], self.sim.updates())
        self.daemon.wait_for("putting to sleep api 2, worker 3, web 1: idle: Logs Insights over")
        self.assertEqual(1, self.sim.truth()["gateway"]["desiredCount"])
        self.assert_the_chain_was_complete()

        asleep = self.sim.mark()
        self.wake_up()
        self.daemon.wait_for("waking api 2, worker 3, web 1: last activity at")
        self.daemon.wait_for('("GET /api/v1/orders HTTP/1.1")')
        self.assertCountEqual(AWAKE.items(), self.sim.updates(asleep))
        eventually(lambda: all(service["steady"] for service in self.sim.truth().values()),
                   "all tasks run again")
        self.assert_stops_cleanly()

    def assert_the_chain_was_complete(self):
        """Before the first UpdateService: a query, its end, the counts, a last look, in order."""
        calls = [call for call in self.sim.history() if call["status"] == 200]
        first_update = next(i for i, call in enumerate(calls)
                            if call["operation"] == "UpdateService")
        chain = [call["operation"] for call in calls[:first_update]]
        at = len(chain)
        for operation in ("FilterLogEvents", "DescribeServices", "GetQueryResults", "StartQuery",
                          "DescribeServices"):
            at = max((i for i in range(at) if chain[i] == operation), default=-1)
            self.assertGreaterEqual(at, 0, f"{operation} is missing from {chain}")

    def test_it_goes_round_and_round(self):
        self.start(**SHORT_WINDOW)
        for _ in range(3):
            self.fall_asleep()
            self.wake_up()
            self.daemon.wait_for("waking")
            self.daemon.lines.clear()
        self.assert_stops_cleanly()

    def test_the_second_look_after_a_request_wakes_at_the_latest(self):
        self.start()
        self.fall_asleep()
        before = self.sim.mark()
        self.wake_up()
        calls = [call["operation"] for call in self.sim.history(since=before)]
        looks = calls[:calls.index("UpdateService")].count("FilterLogEvents")
        self.assertLessEqual(looks, 2)

    def test_traffic_keeps_it_awake_and_insights_is_not_even_asked(self):
        self.start_sim()
        self.write_config()
        self.sim.put_event("GET /api/v1/orders", ago_ms=20 * 60 * 1000)
        self.start_daemon()
        self.daemon.wait_for("not put to sleep: last activity at")
        self.sim.wait_for_further("FilterLogEvents", 4)
        self.assertEqual([], self.sim.history("StartQuery"))
        self.assert_nothing_sleeps()

    def test_insights_always_asks_at_every_check_and_finds_the_same(self):
        self.start_sim()
        self.write_config(insights="always")
        self.sim.put_event("GET /api/v1/orders", ago_ms=20 * 60 * 1000)
        self.start_daemon()
        self.sim.wait_for_further("StartQuery", 3)
        self.daemon.wait_for("not put to sleep: last activity at")
        self.assert_nothing_sleeps()

    def test_events_that_came_late_wake_it_too(self):
        self.start(lateness="10s")
        self.fall_asleep()
        now = self.sim.now_ms()
        self.sim.admin("PUT", "events", {
            "logGroup": "/ecs/staging/gateway", "message": "GET /api/v1/late",
            "timestamp": now, "ingestionTime": now + 2500})
        self.sim.wait_for_counts(AWAKE)


class WhatIsActivity(Story):
    def test_probes_are_none(self):
        self.start(exclude='"ELB-HealthChecker", /bot(\\/|\\.htm)/')
        probe = 'GET /api/v1/health "ELB-HealthChecker/2.0"'
        self.sim.put_event(probe)
        self.fall_asleep()
        self.sim.request(probe)
        self.sim.request("GET /api/v1/orders bingbot/2.0")
        self.sim.request("GET /favicon.ico")
        self.sim.wait_for_further("FilterLogEvents", 3)
        self.assertEqual(ASLEEP, self.sim.counts())
        self.wake_up()

    def test_a_regular_expression(self):
        self.start(pattern="/(GET|POST) \\/api\\/v[0-9]+\\//")
        self.fall_asleep()
        self.sim.request("PATCH /api/v1/orders")
        self.sim.wait_for_further("FilterLogEvents", 3)
        self.assertEqual(ASLEEP, self.sim.counts())
        self.sim.request("POST /api/v22/orders")
        self.sim.wait_for_counts(AWAKE)

    def test_a_text_of_odd_characters(self):
        self.start(pattern='"say \\"hi\\" %20 (a|b) [c] \\\\d"')
        self.fall_asleep()
        self.sim.request("say hi")
        self.sim.wait_for_further("FilterLogEvents", 3)
        self.assertEqual(ASLEEP, self.sim.counts())
        self.sim.request('they say "hi" %20 (a|b) [c] \\d indeed')
        self.sim.wait_for_counts(AWAKE)

    def test_every_event_when_there_is_no_pattern(self):
        self.start_sim()
        self.write_config()
        text = self.config.read_text()
        self.config.write_text("\n".join(line for line in text.splitlines()
                                         if not line.startswith("pattern")) + "\n")
        self.start_daemon()
        self.fall_asleep()
        self.sim.request("anything")
        self.sim.wait_for_counts(AWAKE)

    def test_in_any_of_several_log_groups(self):
        other = "/ecs/staging/admin"
        self.start_sim(world(log_groups=[{"name": "/ecs/staging/gateway"}, {"name": other}]))
        self.write_config(log_group=f"/ecs/staging/gateway, {other}")
        self.start_daemon()
        self.fall_asleep()
        self.sim.put_event("GET /api/v1/admin", log_group=other)
        self.sim.wait_for_counts(AWAKE)

    def test_a_match_among_partial_results_of_a_running_query(self):
        """An event just older than the window, seen by nobody but the query."""
        self.start_sim(world(settings={"query_running_ms": 4000}))
        self.write_config(window="4s", lateness="1h")
        self.sim.put_event("GET /api/v1/orders", ago_ms=55 * 60 * 1000)
        self.start_daemon()
        self.daemon.wait_for("not put to sleep: activity found close to the window's edge")
        self.sim.wait_for_further("StartQuery", 2)
        self.sim.wait_for_calls("StopQuery", 1)
        self.assert_nothing_sleeps()


class WhatSleeps(Story):
    def test_a_count_that_is_configured(self):
        self.start(services="api, worker = 1, web")
        self.fall_asleep()
        self.daemon.wait_for("will wake to api 2, worker 1, web 1")
        self.sim.request()
        self.sim.wait_for_counts({"api": 2, "worker": 1, "web": 1})

    def test_a_service_that_somebody_switched_off_stays_off(self):
        self.start_sim()
        self.write_config()
        self.sim.scale("worker", 0)
        self.start_daemon()
        self.sim.wait_for_counts(ASLEEP)
        self.daemon.wait_for("will wake to api 2, web 1")
        self.sim.request()
        self.sim.wait_for_counts({"api": 2, "worker": 0, "web": 1})
        self.assertNotIn("worker", dict(self.sim.updates()))

    def test_never_a_daemon_service(self):
        world_with_agent = world()
        world_with_agent["clusters"][0]["services"].append(
            {"name": "agent", "desired": 1, "strategy": "DAEMON"})
        self.start(scenario=world_with_agent, services="api, worker, web, agent")
        self.daemon.wait_for("agent is a DAEMON service: it is never touched")
        self.fall_asleep()
        self.wake_up()
        self.assertNotIn("agent", dict(self.sim.updates()))

    def test_more_services_than_one_call_describes(self):
        names = {f"service-{number}": 1 + number % 4 for number in range(23)}
        self.start(scenario=world(clusters=[{"name": "staging", "services": services(**names)}]),
                   services=", ".join(names))
        self.sim.wait_for_counts(dict.fromkeys(names, 0))
        self.daemon.wait_for("asleep; will wake to")
        self.sim.request()
        self.sim.wait_for_counts(names)

    def test_nothing_when_the_writer_of_the_log_is_down(self):
        self.start_sim()
        self.write_config(always_on="gateway")
        self.sim.scale("gateway", 0)
        self.start_daemon()
        self.daemon.wait_for(
            "not put to sleep: gateway, which writes the log, has no running task")
        self.sim.wait_for_further("DescribeServices", 2)
        self.assert_nothing_sleeps()
        self.sim.scale("gateway", 1)
        self.fall_asleep()

    def test_nothing_on_a_log_without_a_record_when_silence_is_unknown(self):
        self.start(silence="unknown")
        self.daemon.wait_for("scanned no record at all, and `silence = unknown`")
        self.sim.wait_for_further("StartQuery", 2)
        self.assert_nothing_sleeps()

    def test_an_environment_found_asleep_is_woken_by_activity(self):
        """Asleep by somebody else's hand, with counts that only the configuration knows."""
        self.start_sim()
        self.write_config(services="api = 2, worker = 3, web = 1")
        for name in AWAKE:
            self.sim.scale(name, 0)
        self.start_daemon()
        self.daemon.wait_for("found asleep: api 0, worker 0, web 0")
        self.wake_up()

    def test_somebody_who_scales_one_up_wakes_the_others(self):
        self.start()
        self.fall_asleep()
        self.sim.scale("api", 5)
        self.daemon.wait_for("somebody scaled api up; adopted as activity")
        self.sim.wait_for_counts({"api": 5, "worker": 3, "web": 1})
        self.assertNotIn(("api", 2), self.sim.updates())
    test_somebody_who_scales_one_up_wakes_the_others.is_long = True

    def test_what_was_given_back_is_no_longer_owed(self):
        self.start()
        self.sim.put_event("unrelated")
        self.fall_asleep()
        self.wake_up()
        self.daemon.wait_for("staging: awake: api 2, worker 3, web 1")
        self.assertNotIn("api", (self.state_directory / "state.json").read_text())
        self.sim.wait_for_further("FilterLogEvents", 3)
        self.assertEqual(AWAKE, self.sim.counts())
    test_what_was_given_back_is_no_longer_owed.is_long = True


class OverHttps(Story):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.directory)
        self.start_sim(https=self.authority)

    def tell_the_story(self):
        self.fall_asleep()
        self.wake_up()
        self.assert_stops_cleanly()

    def test_with_a_ca_of_the_configuration(self):
        self.write_config(daemon={"endpoint_url": self.sim.https_url,
                                  "ca_bundle": self.authority.ca})
        self.start_daemon()
        self.tell_the_story()

    def test_with_a_ca_of_the_environment(self):
        self.write_config(daemon={"endpoint_url": self.sim.https_url})
        self.start_daemon(environment={**KEYS, "AWS_CA_BUNDLE": str(self.authority.ca)})
        self.tell_the_story()

    def test_an_unknown_ca_is_not_trusted(self):
        somebody = Authority(self.directory, "somebody")
        for ca in ({}, {"AWS_CA_BUNDLE": str(somebody.ca)}):
            self.write_config(daemon={"endpoint_url": self.sim.https_url})
            self.start_daemon(environment={**KEYS, **ca})
            for attempt in ("read the services", "look for activity"):
                self.daemon.wait_for(f"cannot {attempt}: ")
            self.assertIsNotNone(self.daemon.says("certificate"), self.daemon.output)
            self.daemon.wait_for("not put to sleep: its services could not be read")
            self.assertEqual(0, self.daemon.stop())
        self.assertEqual([], self.sim.history(), "not a byte was given away")
        self.assertEqual(AWAKE, self.sim.counts())
