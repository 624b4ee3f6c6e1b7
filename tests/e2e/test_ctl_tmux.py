# SPDX-License-Identifier: MIT
"""provisionerctl as a person sees it: in a terminal of some width, through tmux."""

import re
import shlex
import shutil
import subprocess
import time
import unittest

from harness import BUILD, CLUSTER, KEYS, REGION, Story, environment_of_programs, eventually
from journal import JOURNAL_REMOTE, record, write_journal

ENDED = "-- ended with "
LONG = ('staging: putting to sleep api 2, worker 3, web 1: idle: Logs Insights over 18:00 to 19:05 (170 '
        'records, 17.4 kB scanned) matched nothing, nor did a last look')


@unittest.skipUnless(shutil.which("tmux"), "needs tmux")
class InATerminal(Story):
    def setUp(self):
        super().setUp()
        self.socket = self.directory / "tmux"
        self.addCleanup(self.tmux, "kill-server", check=False)

    def tmux(self, *arguments, check=True, environment=None):
        return subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *map(str, arguments)],
                              check=check, capture_output=True, text=True,
                              env=environment or environment_of_programs()).stdout

    def screen(self, *arguments):
        return self.tmux("capture-pane", "-p", *arguments).rstrip("\n")

    def show(self, *arguments, width=80, height=40, term=None, **variables):
        """What stands on the screen when it has ended; the colours are in self.colours."""
        command = shlex.join(str(word) for word in (BUILD / "provisionerctl", *arguments))
        if term:
            command = f"TERM={term} {command}"
        environment = environment_of_programs(HOME=str(self.directory / "home"), TZ="UTC",
                                              LANG="C.UTF-8", TERM="xterm-256color", **variables)
        self.tmux("new-session", "-d", "-x", width, "-y", height,
                  f"{command}; echo '{ENDED}'$?; cat", environment=environment)
        eventually(lambda: re.search(rf"(?m)^{ENDED}\d", self.screen()), "it ends")
        self.colours = self.screen("-e").split(ENDED)[0]
        shown = self.screen().split(ENDED)[0]
        self.tmux("kill-session")
        return shown.splitlines()

    def test_a_timeline_fits_and_is_in_colour(self):
        if not JOURNAL_REMOTE.exists():
            self.skipTest("needs Debian's systemd-journal-remote")
        journal = self.directory / "j.journal"
        write_journal(journal, record(time.time() - 3600, "SLEEP", LONG, CLUSTER),
                      record(time.time() - 60, "TROUBLE", "staging: cannot look: \x1b]0;me\x07x",
                             CLUSTER))
        lines = self.show("history", "--file", journal, width=60)
        self.assertEqual(CLUSTER, lines[0])
        self.assertRegex(lines[2], r"^    \d\d:\d\d:\d\d  sleep      putting to sleep api 2, worker 3,$")
        self.assertEqual(" " * 25 + "web 1: idle: Logs Insights over", lines[3])
        self.assertEqual(["  Asleep for 1h of 7d (1 %); put to sleep once, woken 0", "  times."],
                         lines[-2:])
        self.assertIn(r"cannot look: \x1b]0;me\x07x", "\n".join(lines))
        self.assertRegex(self.colours, "\x1b\\[34msleep")
        self.assertRegex(self.colours, "\x1b\\[31mtrouble")
        plain = self.show("history", "--file", journal, width=60, NO_COLOR="1")
        self.assertEqual(lines, plain)
        self.assertNotIn("\x1b", self.colours)
        self.show("history", "--file", journal, width=60, term="dumb")
        self.assertNotIn("\x1b", self.colours)

    def test_a_table_of_status_is_cut_to_the_width(self):
        self.start(check_interval="1h")
        self.sim.request("GET /api/v1/" + "long/" * 40)
        command = ("status", "--socket", self.state_directory / "control")
        eventually(lambda: "long/" in subprocess.run(
            [BUILD / "provisionerctl", *command, "--json"], capture_output=True, text=True, check=False,
            env=environment_of_programs()).stdout, "the daemon has seen it")
        lines = self.show(*command, width=110)
        self.assertEqual(2, len(lines), lines)
        self.assertTrue(lines[0].startswith("ENVIRONMENT  STATE"))
        self.assertTrue(lines[1].endswith("…"), lines[1])
        self.assertLessEqual(max(map(len, lines)), 110)
        self.assertRegex(self.colours, "\x1b\\[1mENVIRONMENT")
        self.assertRegex(self.colours, "\x1b\\[32mawake")

    def test_lines_of_test_pattern_are_cut_to_the_width(self):
        self.start_sim()
        self.write_config(poll_interval_awake="1min", check_interval="10min")
        for number in range(5):
            self.sim.put_event(f"GET /api/v1/{number}/" + "é" * 100)
        lines = self.show("test-pattern", CLUSTER, "--config", self.config, width=70,
                          AWS_REGION=REGION, **KEYS)
        examples = [line for line in lines if "GET /api" in line]
        self.assertEqual([70] * 3, [len(line) for line in examples])
        self.assertTrue(all(line.endswith("é…") for line in examples), examples)


if __name__ == "__main__":
    unittest.main()
