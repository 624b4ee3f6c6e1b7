# SPDX-License-Identifier: MIT
"""SIGHUP: another configuration, or the old one and the reason why."""

from harness import ASLEEP, AWAKE, CLUSTER, LOG_GROUP, Sim, Story, services, world

OTHER = {"cluster": "other", "services": "one, two", "log_group": "/ecs/other"}
OTHER_COUNTS = {"one": 1, "two": 2}
TWO_CLUSTERS = world(
    log_groups=[{"name": LOG_GROUP}, {"name": "/ecs/other"}],
    clusters=[{"name": CLUSTER, "services": services(**AWAKE)},
              {"name": "other", "services": services("/ecs/other", **OTHER_COUNTS)}])


class Reload(Story):
    def start_two(self, **other):
        self.start_sim(TWO_CLUSTERS)
        self.write_config({CLUSTER: {}, "other": {**OTHER, **other}})
        self.start_daemon()

    def both_sleep(self):
        self.sim.wait_for_counts(ASLEEP)
        self.sim.wait_for_counts({"one": 0, "two": 0}, "other")
        self.daemon.wait_for("staging: asleep; will wake to")
        self.daemon.wait_for("other: asleep; will wake to")

    def test_with_errors_keeps_the_old_one(self):
        self.start(window="1h")
        self.fall_asleep()
        self.write_config(window="soon", poll_interval="often")
        mark = self.daemon.reload()
        refused = "error: reload refused, the old configuration stays: "
        self.daemon.wait_for("window", mark)
        self.daemon.wait_for("poll_interval", mark)
        told = [line for line in self.daemon.lines[mark:] if line.startswith(refused)]
        self.assertEqual(2, len(told), "each error is told")
        self.sim.wait_for_further("FilterLogEvents", 2)
        self.wake_up()

    def test_of_a_file_that_is_gone_keeps_the_old_one(self):
        self.start()
        self.config.unlink()
        mark = self.daemon.reload()
        self.daemon.wait_for("reload refused", mark)
        self.fall_asleep()

    def test_says_what_has_changed(self):
        self.start()
        self.write_config(window="50min")
        mark = self.daemon.reload()
        line = self.daemon.wait_for("reloaded the configuration: ", mark)
        self.assertIn("window", line)
        self.fall_asleep()

    def test_while_asleep_forgets_nothing(self):
        self.start()
        self.fall_asleep()
        self.write_config(window="50min", services="web, worker, api")
        mark = self.daemon.reload()
        self.daemon.wait_for("reloaded the configuration", mark)
        self.sim.wait_for_further("FilterLogEvents", 2)
        self.assertEqual(ASLEEP, self.sim.counts())
        self.wake_up()

    def test_in_the_middle_of_a_query(self):
        self.start_sim()
        self.write_config()
        self.sim.fault("query_never_ends", "StartQuery", count=1)
        self.start_daemon()
        self.sim.wait_for_calls("GetQueryResults", 2)
        self.write_config(window="50min")
        self.daemon.reload()
        self.fall_asleep()
        self.wake_up()
        self.sim.wait_for_calls("StopQuery", 1)

    def test_in_the_middle_of_the_updates(self):
        self.start_sim()
        self.write_config()
        self.sim.fault("latency", "UpdateService", value=700)
        self.start_daemon()
        self.sim.wait_for_calls("UpdateService", 1)
        self.write_config(window="50min")
        self.daemon.reload()
        self.sim.wait_for_counts(ASLEEP)
        self.wake_up()

    def test_adds_an_environment(self):
        self.start_sim(TWO_CLUSTERS)
        self.write_config()
        self.start_daemon()
        self.fall_asleep()
        self.write_config({CLUSTER: {}, "other": OTHER})
        mark = self.daemon.reload()
        self.daemon.wait_for("other: found awake: one 1, two 2", mark)
        self.sim.wait_for_counts({"one": 0, "two": 0}, "other")
        self.wake_up()

    def test_removes_one_that_sleeps_and_leaves_it_so(self):
        self.start_two()
        self.both_sleep()
        self.write_config()
        mark = self.daemon.reload()
        line = self.daemon.wait_for("other: removed from the configuration while asleep", mark)
        for service, count in OTHER_COUNTS.items():
            self.assertIn(f"aws ecs update-service --cluster other --service {service} "
                          f"--desired-count {count}", line)
        self.sim.admin("POST", "requests", {"cluster": "other", "service": "gateway",
                                            "message": "GET /api/v1/orders"})
        self.wake_up()
        self.assertEqual({"one": 0, "two": 0}, self.sim.counts("other", ("one", "two")))
        # It is not forgotten: configured again, it is woken to what it had.
        self.write_config({CLUSTER: {}, "other": {**OTHER, "window": "1h"}})
        self.daemon.reload()
        self.sim.wait_for_counts(OTHER_COUNTS, "other")

    def test_removed_while_the_daemon_was_down(self):
        self.start_two()
        self.both_sleep()
        self.assertEqual(0, self.daemon.stop())
        self.write_config()
        self.start_daemon()
        line = self.daemon.wait_for("other: removed from the configuration while asleep")
        self.assertIn("--service two --desired-count 2", line)
        self.wake_up()
        self.assertEqual({"one": 0, "two": 0}, self.sim.counts("other", ("one", "two")))

    def test_removes_one_that_sleeps_and_wakes_it(self):
        self.start_two(on_remove="wake")
        self.both_sleep()
        self.write_config()
        mark = self.daemon.reload()
        self.daemon.wait_for("other: waking one 1, two 2", mark)
        self.sim.wait_for_counts(OTHER_COUNTS, "other")
        self.assertEqual(ASLEEP, self.sim.counts())

    def test_removes_one_that_is_awake(self):
        self.start_sim(TWO_CLUSTERS)
        self.write_config({CLUSTER: {}, "other": {**OTHER, "window": "1h"}})
        self.sim.put_event("GET /api/v1/orders", "/ecs/other")
        self.start_daemon()
        self.daemon.wait_for("other: found awake")
        self.write_config()
        self.daemon.reload()
        self.fall_asleep()
        self.assertEqual(OTHER_COUNTS, self.sim.counts("other", ("one", "two")))
        self.assertEqual([], self.sim.updates(cluster="other"))

    def test_goes_over_to_another_endpoint(self):
        self.start()
        self.fall_asleep()
        second_directory = self.directory / "second"
        second_directory.mkdir()
        first = self.sim
        second = Sim(second_directory, world())
        self.programs.insert(0, second)
        for name in AWAKE:
            second.scale(name, 0)
        self.write_config(daemon={"endpoint_url": second.url})
        mark = self.daemon.reload()
        self.daemon.wait_for("reloaded the configuration", mark)
        second.wait_for_calls("FilterLogEvents", 2)
        silent_since = first.mark()
        self.sim = second
        self.wake_up()
        self.assertEqual(silent_since, first.mark())

    def test_many_in_a_row(self):
        self.start()
        for number in range(20):
            self.write_config(window=f"{40 + number % 3}min")
            self.daemon.reload()
        self.fall_asleep()
        self.wake_up()
        self.assert_stops_cleanly()
