# SPDX-License-Identifier: MIT
"""The demo's manners: interrupted, it leaves nothing behind; colours are for terminals. That it
tells the truth is its own affair: it is run by itself."""

import contextlib
import os
import pathlib
import pty
import signal
import subprocess
import sys
import tempfile
import unittest

from harness import BUILD, environment_of_programs, eventually

DEMO = pathlib.Path(__file__).with_name("demo.py")


def children(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return []


def is_running(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


class Manners(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="provisionerd-e2e-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def start(self, stdout=subprocess.PIPE, **environment):
        popen = subprocess.Popen(
            [sys.executable, DEMO, "--build", BUILD], stdin=subprocess.DEVNULL, stdout=stdout,
            stderr=subprocess.STDOUT, start_new_session=True,
            env={**environment_of_programs(PYTHONIOENCODING="utf-8", TERM="xterm", **environment),
                 "TMPDIR": str(self.directory)})
        self.addCleanup(popen.wait)
        self.addCleanup(popen.kill)
        if stdout == subprocess.PIPE:
            self.addCleanup(popen.stdout.close)
        return popen

    def read_until_the_daemon_runs(self, read_line):
        text = ""
        while "found awake" not in text:
            line = read_line()
            self.assertTrue(line, text)
            text += line.decode()
        return text

    def check_interrupt(self, send, signal_number):
        demo = self.start()
        text = self.read_until_the_daemon_runs(demo.stdout.readline)
        self.assertNotIn("\x1b", text)
        pids = children(demo.pid)
        self.assertEqual(2, len(pids), "the simulated AWS and the daemon")
        send(demo.pid, signal_number)
        rest = demo.stdout.read().decode()
        self.assertEqual(128 + signal_number, demo.wait(60), rest)
        self.assertIn("Nothing is left running", rest)
        self.assertNotIn("Traceback", rest)
        eventually(lambda: not any(map(is_running, pids)), "nothing is left running")
        self.assertEqual([], list(self.directory.iterdir()), "nor lying about")

    def test_an_interrupt_at_the_terminal(self):
        self.check_interrupt(os.killpg, signal.SIGINT)

    def test_a_termination(self):
        self.check_interrupt(os.kill, signal.SIGTERM)

    def test_even_a_kill(self):
        demo = self.start()
        self.read_until_the_daemon_runs(demo.stdout.readline)
        pids = children(demo.pid)
        demo.kill()
        eventually(lambda: not any(map(is_running, pids)), "nothing is left running")

    def test_a_reader_who_has_seen_enough(self):
        demo = self.start()
        self.read_until_the_daemon_runs(demo.stdout.readline)
        pids = children(demo.pid)
        demo.stdout.close()
        demo.wait(60)
        eventually(lambda: not any(map(is_running, pids)), "nothing is left running")

    def on_a_terminal(self, **environment):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        demo = self.start(stdout=theirs, **environment)
        os.close(theirs)
        text = self.read_until_the_daemon_runs(lambda: os.read(ours, 65536))
        demo.terminate()
        with contextlib.suppress(OSError):  # the terminal is gone with its last user
            while os.read(ours, 65536):
                pass
        demo.wait(60)
        return text

    def test_colours_on_a_terminal(self):
        self.assertIn("\x1b[", self.on_a_terminal())

    def test_none_where_they_are_not_wanted(self):
        self.assertNotIn("\x1b[", self.on_a_terminal(NO_COLOR="1"))
