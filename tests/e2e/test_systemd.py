# SPDX-License-Identifier: MIT
"""What it tells systemd, sd_notify(3)."""

import re
import subprocess
import time

from harness import BUILD, KEYS, Daemon, Story, Systemd, environment_of_programs, eventually


class Notify(Story):
    def setUp(self):
        super().setUp()
        self.systemd = Systemd(self.directory)
        self.addCleanup(self.systemd.close)

    def start_service(self, **config):
        return self.start(environment={**KEYS, **self.systemd.environment}, **config)

    def test_ready_status_and_stopping(self):
        self.start_service()
        ready = self.systemd.wait_for("READY=1")
        self.systemd.wait_for("STATUS=1 environment: 1 awake; next check ", ready)
        self.fall_asleep()
        self.systemd.wait_for("STATUS=1 environment: 1 asleep")
        self.assertRegex(self.systemd.status, r"^1 environment: 1 asleep$")
        self.sim.request()
        self.systemd.wait_for("STATUS=1 environment: 1 waking; next check ")
        self.assert_stops_cleanly()
        self.systemd.wait_for("STOPPING=1")
        self.assertIn("STOPPING=1", self.systemd.messages[-1])

    def test_an_abstract_socket(self):
        self.systemd = Systemd(self.directory, abstract=True)
        self.addCleanup(self.systemd.close)
        self.start_service()
        self.systemd.wait_for("READY=1")

    def test_ready_only_when_it_runs(self):
        self.start_sim()
        self.write_config(window="soon")
        self.start_daemon(environment={**KEYS, **self.systemd.environment}, wait=False)
        self.assertEqual(78, self.daemon.wait())
        self.assertEqual([], self.systemd.messages)

    def test_the_status_says_that_there_is_trouble(self):
        self.start_sim()
        self.sim.fault("access_denied", "DescribeServices")
        self.write_config()
        self.start_daemon(environment={**KEYS, **self.systemd.environment})
        self.systemd.wait_for("1 in trouble")
        self.sim.mend()
        eventually(lambda: "trouble" not in self.systemd.status, "the trouble is over")

    def assert_reloading_then_ready(self, after):
        reloading = self.systemd.wait_for("RELOADING=1", after)
        message = self.systemd.messages[reloading]
        told_us = int(re.search(r"^MONOTONIC_USEC=([0-9]+)$", message, re.MULTILINE)[1])
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.assertLess(0, told_us)
        self.assertLessEqual(told_us, now_us)
        self.assertLess(now_us - told_us, 600_000_000)
        ready = self.systemd.wait_for("READY=1", reloading)
        self.assertLess(reloading, ready)
        self.systemd.wait_for("STATUS=", ready)

    def test_a_reload(self):
        self.start_service()
        mark = self.systemd.wait_for("STATUS=")
        self.write_config(window="50min")
        self.daemon.reload()
        self.assert_reloading_then_ready(mark)
        self.daemon.wait_for("reloaded the configuration: ")

    def test_a_reload_that_is_refused(self):
        self.start_service()
        mark = self.systemd.wait_for("STATUS=")
        self.write_config(window="soon")
        self.daemon.reload()
        self.assert_reloading_then_ready(mark)
        self.daemon.wait_for("reload refused, the old configuration stays: ")
        self.fall_asleep()

    def test_the_watchdog_is_fed(self):
        self.start_sim()
        self.write_config()
        # WATCHDOG_PID= names the process: it is known only to itself.
        settings = {**KEYS, **self.systemd.environment, "HOME": str(self.directory),
                    "WATCHDOG_USEC": "1000000"}
        self.daemon = Daemon(self.config, settings, own_pid_as="WATCHDOG_PID")
        self.programs.append(self.daemon)
        for _ in range(3):
            self.systemd.wait_for("WATCHDOG=1", len(self.systemd.messages))
        self.assert_stops_cleanly()

    def test_no_watchdog_for_another_process(self):
        self.start(environment={**KEYS, **self.systemd.environment, "WATCHDOG_USEC": "200000",
                                "WATCHDOG_PID": "1"})
        self.sim.wait_for_further("FilterLogEvents", 3)
        self.assertNotIn("WATCHDOG=1", self.systemd.messages)


class WithoutSystemd(Story):
    def test_a_socket_that_is_gone(self):
        self.start(environment={**KEYS, "NOTIFY_SOCKET": str(self.directory / "gone")})
        self.fall_asleep()

    def test_a_reader_of_its_output_who_went_away(self):
        """Nobody to tell is no reason to stop."""
        self.start_sim()
        self.write_config()
        popen = subprocess.Popen(
            [BUILD / "provisionerd", "--config", self.config], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment_of_programs(HOME=str(self.directory), **KEYS))
        self.addCleanup(popen.wait)
        self.addCleanup(popen.kill)
        popen.stdout.readline()
        popen.stdout.close()
        self.sim.wait_for_counts({"api": 0, "worker": 0, "web": 0})
        self.wake_up()
        popen.terminate()
        self.assertEqual(0, popen.wait(60))
