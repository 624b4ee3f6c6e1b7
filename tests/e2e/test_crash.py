# SPDX-License-Identifier: MIT
"""Ends of all kinds, at all moments; and the next start, which puts things right."""

import signal

from harness import ASLEEP, AWAKE, Story, eventually


class Crash(Story):
    """Killed when so many UpdateService calls had been seen, and started again: after a wake the
    counts are those from before the sleep."""

    def start_with_slow_updates(self):
        self.start_sim()
        self.write_config()
        # One after the other is seen, each answer later than the next request.
        self.sim.fault("latency", "UpdateService", value=400)
        self.start_daemon()

    def assert_restores(self):
        self.start_daemon()
        self.sim.wait_for_counts(ASLEEP)
        self.wake_up()
        self.assertLessEqual({count for _, count in self.sim.updates()}, {0, *AWAKE.values()})
        self.assert_stops_cleanly()

    def kill_after_updates(self, n):
        self.start_with_slow_updates()
        self.sim.wait_for_calls("UpdateService", n)
        self.daemon.kill()
        self.assert_restores()

    def test_after_the_first_update_to_0(self):
        self.kill_after_updates(1)

    def test_after_the_second_update_to_0(self):
        self.kill_after_updates(2)

    def test_after_the_last_update_to_0(self):
        self.kill_after_updates(3)

    def test_when_the_counts_are_on_disk_and_nothing_is_sent(self):
        self.start_with_slow_updates()
        self.sim.fault("refuse", "UpdateService")
        self.daemon.wait_for("putting to sleep")
        self.daemon.kill()
        self.sim.mend()
        self.assertIn('"recorded_count": 3', (self.state_directory / "state.json").read_text())
        self.assertEqual(AWAKE, self.sim.counts())
        self.assert_restores()

    def test_when_asleep(self):
        self.start()
        self.fall_asleep()
        self.daemon.kill()
        self.start_daemon()
        self.daemon.wait_for("staging: found asleep")
        self.wake_up()

    def test_when_asleep_and_activity_comes_before_the_next_start(self):
        self.start(window="1h")
        self.fall_asleep()
        self.daemon.kill()
        self.sim.request()
        self.start_daemon()
        self.sim.wait_for_counts(AWAKE)

    def kill_during_wake(self, n):
        self.start(window="15s")
        self.fall_asleep()
        asleep = self.sim.mark()
        self.sim.fault("latency", "UpdateService", value=400)
        self.sim.request()
        self.sim.wait_for_calls("UpdateService", n, asleep)
        self.daemon.kill()
        self.sim.mend()
        self.start_daemon()
        self.sim.wait_for_counts(AWAKE)
        self.fall_asleep()
        self.wake_up()

    def test_after_the_first_update_of_a_wake(self):
        self.kill_during_wake(1)

    def test_after_the_second_update_of_a_wake(self):
        self.kill_during_wake(2)

    def test_after_the_last_update_of_a_wake(self):
        self.kill_during_wake(3)

    def test_again_and_again(self):
        """Every start lives for a few calls; what it did is never too much."""
        self.start_sim()
        self.write_config()
        for n in range(1, 12):
            mark = self.sim.mark()
            self.start_daemon()
            eventually(lambda n=n, mark=mark: len(self.sim.history(since=mark)) >= n,
                       f"{n} calls come")
            self.daemon.kill()
        self.assert_restores()


class Stop(Story):
    def stop_during(self, operation, signal_number=signal.SIGTERM):
        self.start_sim()
        self.write_config()
        self.sim.fault("latency", operation, value=1500)
        self.start_daemon()
        self.sim.wait_for_calls(operation, 1)
        self.daemon.send(signal_number)
        self.assertEqual(0, self.daemon.wait(60))
        self.assertIn("stopped", self.daemon.lines[-1])
        self.sim.mend()
        self.start_daemon()
        self.sim.wait_for_counts(ASLEEP)
        self.wake_up()
        self.assert_stops_cleanly()

    def test_during_an_update(self):
        self.stop_during("UpdateService")

    def test_during_a_look(self):
        self.stop_during("FilterLogEvents")

    def test_during_a_read_of_services(self):
        self.stop_during("DescribeServices")

    def test_during_a_query(self):
        self.stop_during("GetQueryResults")
        self.assertEqual(0, self.sim.admin("GET", "stats")["queriesActive"])

    def test_by_sigint(self):
        self.stop_during("StartQuery", signal.SIGINT)

    def test_when_aws_answers_no_more(self):
        """Within TimeoutStopSec=, whatever hangs."""
        self.start_sim()
        self.write_config()
        self.sim.fault("latency", "UpdateService", value=300_000)
        self.start_daemon()
        self.sim.wait_for_calls("UpdateService", 1)
        self.assertEqual(0, self.daemon.stop(30))

    def test_twice(self):
        self.start_sim()
        self.write_config()
        self.sim.fault("latency", "UpdateService", value=1500)
        self.start_daemon()
        self.sim.wait_for_calls("UpdateService", 1)
        for _ in range(5):
            self.daemon.send(signal.SIGTERM)
            self.daemon.send(signal.SIGHUP)
        self.assertEqual(0, self.daemon.wait())
