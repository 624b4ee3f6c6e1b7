# SPDX-License-Identifier: MIT
"""provisionerctl and the daemon, over the daemon's own socket: what people see and do."""

import json
import os
import re
import socket
import subprocess
import unittest

from harness import (ASLEEP, AWAKE, BUILD, DEADLINE_S, SHORT_WINDOW, Story, environment_of_programs,
                     eventually)

LONG_CHECKS = {"check_interval": "1h"}


class CtlStory(Story):
    def ctl(self, *arguments, status=0, **environment):
        """Its output; what it says of errors is in self.errors."""
        result = subprocess.run(
            [BUILD / "provisionerctl", *arguments, "--socket", self.directory / "state" / "control"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE_S, text=True,
            env=environment_of_programs(**environment), check=False)
        self.errors = result.stderr
        self.assertEqual(status, result.returncode, result.stdout + result.stderr)
        return result.stdout

    def status(self, name="staging"):
        [environment] = json.loads(self.ctl("status", name, "--json"))
        return environment

    def state_is(self, state):
        return eventually(lambda: self.status()["state"] == state, f"the state is {state}")


class Status(CtlStory):
    def test_a_table_of_all(self):
        self.start(**LONG_CHECKS)
        self.state_is("awake")
        lines = self.ctl("status").splitlines()
        self.assertRegex(lines[0], r"^ENVIRONMENT +STATE +SINCE +LAST ACTIVITY +NEXT CHECK +SERVICES")
        self.assertRegex(lines[1], r"^staging +awake .*api 2/2, worker 3/3, web 1/1")
        self.assertEqual(2, len(lines))
        self.assertNotIn("\x1b", "".join(lines))

    def test_a_page_of_one(self):
        self.start(**LONG_CHECKS)
        self.state_is("awake")
        page = self.ctl("status", "staging")
        self.assertIn("staging is awake since", page)
        self.assertRegex(page, r"Why: no activity|Why: last activity")
        self.assertRegex(page, r"(?m)^api +- +2 +2")

    def test_json_has_the_same_facts(self):
        self.start(**SHORT_WINDOW)
        self.fall_asleep()
        self.state_is("asleep")
        status = self.status()
        self.assertEqual("staging", status["cluster"])
        self.assertEqual("still-asleep", status["reason"])
        self.assertIsNone(status["next_check"])
        self.assertIsNone(status["request"])
        self.assertEqual({"api": 2, "worker": 3, "web": 1},
                         {service["name"]: service["wake_count"] for service in status["services"]})
        self.assertEqual(ASLEEP, {service["name"]: service["desired_count"]
                                  for service in status["services"]})

    def test_an_unknown_environment_is_said_to_be_so(self):
        self.start()
        self.ctl("status", "stagin", status=1)
        self.assertIn("no environment stagin is configured", self.errors)

    def test_without_a_daemon_it_says_so(self):
        self.start()
        self.assert_stops_cleanly()
        self.ctl("status", status=69)
        self.assertIn("is provisionerd running?", self.errors)

    def test_what_comes_from_outside_cannot_command_the_terminal(self):
        self.start(**LONG_CHECKS)
        self.sim.put_event("GET /api/v1/\x1b[2J\x1b]0;owned\x07 HTTP/1.1")
        eventually(lambda: "owned" in self.ctl("status", "staging"), "the event is shown")
        self.assertNotIn("\x1b", self.ctl("status", "staging"))
        self.assertNotIn("\x1b", self.ctl("explain", "staging"))


class Explain(CtlStory):
    def test_the_chain_of_facts(self):
        self.start(**SHORT_WINDOW)
        self.fall_asleep()
        self.state_is("asleep")
        page = self.ctl("explain", "staging")
        self.assertIn("staging is asleep (still-asleep)", page)
        self.assertRegex(page, r"The check of .*: idle: Logs Insights over")
        self.assertIn("It takes: a new event that matches", page)
        self.assertRegex(page, r"StartQuery +nothing matched from ")
        self.assertRegex(page, r"DescribeServices +read")
        facts = json.loads(self.ctl("explain", "staging", "--json"))
        self.assertEqual("confirmed-idle", facts["last_check"]["reason"])
        self.assertEqual(["DescribeServices", "StartQuery", "FilterLogEvents"],
                         [question["operation"] for question in facts["questions"]])


class Acts(CtlStory):
    def test_wake_and_wait_until_all_tasks_run(self):
        self.start()
        self.fall_asleep()
        output = self.ctl("wake", "staging", "--wait", "--reason", "demo at five")
        self.assertEqual(AWAKE, self.sim.counts())
        self.assertTrue(all(service["steady"] for service in self.sim.truth().values()))
        self.assertRegex(output, r"worker: 3 of 3 tasks running")
        self.assertIn("staging is awake", output)
        self.daemon.wait_for(re.compile(r"staging: held awake until \d\d:\d\d by \w+: demo at five"))
        self.assertEqual("hold-awake", self.status()["request"]["kind"])

    def test_sleep_now_in_the_midst_of_use(self):
        self.start(**LONG_CHECKS)
        self.sim.request()
        self.daemon.wait_for("found awake")
        self.ctl("sleep", "staging", "--now", "--wait")
        self.assertEqual(ASLEEP, self.sim.counts())
        self.assertEqual("sleep", self.status()["request"]["kind"])
        self.wake_up()

    def test_sleep_is_refused_while_in_use_and_says_why(self):
        self.start(**LONG_CHECKS)
        self.sim.request()
        eventually(lambda: self.status()["last_activity"], "the request is seen")
        self.ctl("sleep", "staging", "--wait", status=1)
        self.assertIn("staging was not put to sleep: last activity at", self.errors)
        self.assertEqual(AWAKE, self.sim.counts())

    def test_sleep_checks_at_once_what_is_idle(self):
        self.start(**LONG_CHECKS)
        self.daemon.wait_for("found awake")
        self.ctl("sleep", "staging", "--wait")
        self.assertEqual(ASLEEP, self.sim.counts())

    def test_a_hold_survives_a_crash_and_is_released(self):
        self.start(**SHORT_WINDOW)
        self.ctl("hold", "staging", "--for", "2h", "--reason", "load test")
        self.daemon.kill()
        self.start_daemon()
        request = self.status()["request"]
        self.assertEqual(("hold-awake", "load test"), (request["kind"], request["why"]))
        self.assertIn("load test", self.ctl("status", "staging"))
        self.daemon.wait_for("not put to sleep: held awake until")
        self.assertEqual(AWAKE, self.sim.counts())
        self.ctl("release", "staging")
        self.assertIsNone(self.status()["request"])
        self.fall_asleep()

    def test_held_asleep_a_request_does_not_wake_it(self):
        self.start(**SHORT_WINDOW)
        self.daemon.wait_for("found awake")
        self.ctl("hold", "staging", "--asleep", "--for", "2h")
        self.state_is("asleep")
        self.sim.put_event("GET /api/v1/orders")
        self.sim.wait_for_further("FilterLogEvents", 3)
        self.assertEqual(ASLEEP, self.sim.counts())
        self.ctl("release", "staging")
        eventually(lambda: self.sim.counts() == AWAKE, "the event of that time wakes it")

    def test_what_makes_no_sense_is_refused(self):
        self.start()
        self.ctl("hold", "staging", status=64)
        self.assertIn("a hold needs an end", self.errors)
        self.ctl("hold", "staging", "--for", "2", status=64)
        self.ctl("hold", "staging", "--until", "2001-01-01", status=64)
        self.assertIn("is past", self.errors)
        self.ctl("hold", "staging", "--for", "3000d", status=1)
        self.assertIn("within a year", self.errors)
        self.ctl("hold", "staging", "--for", "1h", "--reason", "x" * 300, status=1)
        self.assertIn("longer than 256 bytes", self.errors)
        self.ctl("wake", status=64)


class Socket(CtlStory):
    def start(self, *arguments, **options):
        super().start(*arguments, **options)
        self.state_is("awake")

    def path(self):
        return str(self.directory / "state" / "control")

    def test_it_is_for_the_owner_and_the_group(self):
        self.start()
        self.assertEqual(0o660, os.stat(self.path()).st_mode & 0o777)
        self.assert_stops_cleanly()
        self.assertFalse(os.path.exists(self.path()))

    def test_what_a_crash_left_behind_is_taken_over(self):
        self.start()
        self.daemon.kill()
        self.assertTrue(os.path.exists(self.path()))
        self.start_daemon()
        self.state_is("awake")

    def test_too_many_are_turned_away_and_the_daemon_goes_on(self):
        self.start()
        guests = []
        for _ in range(40):
            guest = socket.socket(socket.AF_UNIX)
            guest.connect(self.path())
            guests.append(guest)
        self.daemon.wait_for("one is turned away")
        for guest in guests:
            guest.close()
        self.state_is("awake")

    def test_garbage_ends_the_connection_and_nothing_else(self):
        self.start()
        for garbage in (b"\0", b"\0AUTH NONSENSE\r\n", b"\0AUTH ANONYMOUS\r\nBEGIN\r\n" + b"\xff" * 4096,
                        b"\0AUTH ANONYMOUS 70\r\nBEGIN\r\nl\1\0\1" + b"\xff" * 12, b"GET / HTTP/1.1\r\n\r\n",
                        b"\0" + b"A" * 100000):
            with socket.socket(socket.AF_UNIX) as guest:
                guest.settimeout(DEADLINE_S)
                guest.connect(self.path())
                try:
                    guest.sendall(garbage)
                    guest.shutdown(socket.SHUT_WR)
                    while guest.recv(4096):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass
        self.state_is("awake")
        self.assert_stops_cleanly()


if __name__ == "__main__":
    unittest.main()
