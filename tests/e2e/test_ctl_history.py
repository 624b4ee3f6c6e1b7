# SPDX-License-Identifier: MIT
"""provisionerctl history: what the journal says, as a timeline."""

import datetime
import json
import subprocess
import time
import unittest

from harness import BUILD, DEADLINE_S, Story, environment_of_programs, somebody_else
from journal import JOURNAL_REMOTE, record, write_journal

HOUR = 3600


@unittest.skipUnless(JOURNAL_REMOTE.exists(), "needs Debian's systemd-journal-remote")
class History(Story):
    def setUp(self):
        super().setUp()
        self.now = time.time()
        self.journal = self.directory / "journal"
        self.journal.mkdir()

    def given(self, *records):
        write_journal(self.journal / "test.journal", *records)

    def history(self, *arguments, status=0, columns=None):
        done = subprocess.run(
            [BUILD / "provisionerctl", "history", *map(str, arguments), "--directory", self.journal],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            timeout=DEADLINE_S, env=environment_of_programs(
                TZ="UTC", **({"COLUMNS": columns} if columns else {})))
        self.said = done.stderr
        self.assertNotRegex(done.stderr, "Sanitizer|runtime error")
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def ago(self, hours):
        return self.now - hours * HOUR

    def clock(self, hours):
        moment = datetime.datetime.fromtimestamp(int(self.ago(hours)), datetime.timezone.utc)
        return moment.strftime("%H:%M:%S")

    def a_night(self):
        self.given(
            record(self.ago(20), "STARTED", "provisionerd 0.1.0 started with 2 environments"),
            record(self.ago(20), "FOUND", "qa: found asleep: api 1", "qa"),
            record(self.ago(12), "SLEEP", "staging: putting to sleep api 2: idle", "staging",
                   reason="confirmed-idle", counts="api=2"),
            record(self.ago(12), "UPDATE", "staging: api desiredCount 2 -> 0", "staging",
                   service="api", previous_count=2, desired_count=0),
            record(self.ago(11.99), "ASLEEP", "staging: asleep; will wake to api 2", "staging"),
            record(self.ago(2), "WAKE", "staging: waking api 2: last activity at 09:00:00",
                   "staging", reason="activity"),
            record(self.ago(1.99), "AWAKE", "staging: awake: api 2", "staging"))

    def test_a_timeline_of_each_environment(self):
        self.a_night()
        text = self.history()
        headings = [line for line in text.splitlines() if line and not line.startswith(" ")]
        self.assertEqual(["qa", "staging", "provisionerd"], headings)
        self.assertIn(f"    {self.clock(12)}  sleep      putting to sleep api 2: idle\n", text)
        self.assertRegex(text, rf"{self.clock(2)}  wake       waking api 2: .* \[slept 10h\]\n")
        self.assertIn("Asleep for 10h of 7d (6 %); put to sleep once, woken once, which took 36s on "
                      "average.", text)
        self.assertNotIn("desiredCount", text)
        self.assertEqual("", self.said)

    def test_of_one_environment_since_a_moment(self):
        self.a_night()
        text = self.history("staging", "--since", "3h", "--updates")
        self.assertNotIn("  sleep  ", text)
        self.assertIn("Asleep for 1h of 3h (33 %)", text)
        self.assertIn("desiredCount", self.history("staging", "--since", "1d", "--updates"))

    def test_for_programs(self):
        self.a_night()
        records = json.loads(self.history("staging", "--json"))
        self.assertEqual(["started", "sleep", "update", "asleep", "wake", "awake"],
                         [entry["kind"] for entry in records])
        sleep = records[1]
        self.assertEqual(("staging", "confirmed-idle", "api=2"),
                         (sleep["environment"], sleep["reason"], sleep["counts"]))
        self.assertEqual(int(self.ago(12) * 1000), sleep["timeMs"])
        self.assertEqual(("api", "2", "0"), (records[2]["service"], records[2]["previousCount"],
                                             records[2]["desiredCount"]))

    def test_long_reasons_are_wrapped(self):
        self.given(record(self.ago(1), "TROUBLE", "staging: cannot query: " + "words " * 40, "staging"))
        self.assertLessEqual(max(map(len, self.history(columns="80").splitlines())), 80)

    def test_nobody_else_tells_our_story(self):
        self.given(record(self.ago(1), "SLEEP", "staging: forged", "staging", unit="evil.service"))
        self.assertEqual("", self.history(status=1))
        self.assertIn("no record of unit provisionerd.service since", self.said)
        self.assertIn("forged", self.history("--unit", "evil.service"))

    def test_what_a_record_says_commands_nothing(self):
        self.given(record(self.ago(1), "STAY", "staging: not: \x1b[2J\nforged\u202e", "staging"))
        text = self.history()
        self.assertIn(r"not: \x1b[2J\nforged\u202e", text)
        self.assertNotIn("\x1b", text)
        [entry] = json.loads(self.history("--json"))
        self.assertEqual("staging: not: \x1b[2J\nforged\u202e", entry["message"])

    def test_what_is_not_there_is_told(self):
        self.a_night()
        self.history("stagin", status=1)
        self.assertIn('no record of an environment "stagin"', self.said)
        self.history("--since", "tomorrow", status=64)
        self.history("a", "b", status=64)
        self.history("--file", self.directory / "nowhere", status=1)
        self.assertIn("nowhere: No such file or directory", self.said)

    def test_one_who_may_not_read_it(self):
        self.a_night()
        switch = somebody_else()
        if not switch:
            self.skipTest("cannot become somebody else here")
        program = self.directory / "provisionerctl"
        program.write_bytes((BUILD / "provisionerctl").read_bytes())
        program.chmod(0o755)
        self.directory.chmod(0o755)
        self.journal.chmod(0o700)
        done = subprocess.run(
            [*switch, program, "history", "--directory", self.journal], capture_output=True, text=True, check=False,
            env=environment_of_programs())
        self.assertEqual(1, done.returncode, done.stdout)
        self.assertIn("Permission denied; be root, or in group systemd-journal", done.stderr)


if __name__ == "__main__":
    unittest.main()
