# SPDX-License-Identifier: MIT
"""These tests themselves: a run that is ended leaves nothing behind, and none disturbs another."""

import contextlib
import os
import pathlib
import signal

from harness import ASLEEP, DEADLINE_S, Program, environment_of_programs, eventually
from machine import HERE
from story import HostStory


def names_of_machines(folder):
    return {"pd" + path.name.removeprefix("machine-").replace("_", "")
            for path in (*folder.glob("machine-*"), *folder.glob("*/machine-*"))}


def groups_of(folder):
    return [group for name in names_of_machines(folder)
            for group in pathlib.Path("/sys/fs/cgroup").rglob(name)]


def processes_of(folder):
    """Those that run in a machine, or for one, of this folder."""
    machines = names_of_machines(folder)
    found = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes().decode(errors="replace") \
                + (process / "cgroup").read_text()
        except OSError:
            continue
        if str(folder) in text or any(f"/{name}/" in text for name in machines):
            found.add(int(process.name))
    return found


def descendants(pid):
    """The process, and those that it and its children have started."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += descendants(int(child))
    return found


class Run(HostStory):
    def run_beside(self, *names):
        """Another run, which finds the Debian and the packages made, and has a folder of its own."""
        self.folder = self.directory / "beside"
        self.folder.mkdir(exist_ok=True)
        arguments = [argument for name in names for argument in ("-k", name)]
        program = Program("another run", [HERE / "check.sh", *arguments], env=environment_of_programs(
            TMPDIR=str(self.folder), PACKAGES=os.environ["PROVISIONERD_PACKAGES"]))
        self.programs.append(program)
        return program

    def assert_ended_by(self, number):
        run = self.run_beside("Started.test_the_watchdog")
        eventually(lambda: len(processes_of(self.folder)) > 8, "its machine is up")
        processes = processes_of(self.folder)
        groups = groups_of(self.folder)
        run.send(number)
        self.assertEqual(128 + number, run.wait())
        self.assertEqual([], list(self.folder.iterdir()))
        left = [pid for pid in processes if pathlib.Path(f"/proc/{pid}").exists()]
        self.assertEqual([], left)
        self.assertEqual([], [group for group in groups if group.exists()])

    def test_it_is_interrupted(self):
        self.assert_ended_by(signal.SIGINT)

    def test_it_is_terminated(self):
        self.assert_ended_by(signal.SIGTERM)

    def test_what_a_killed_one_left_the_next_removes(self):
        run = self.run_beside("Started.test_the_watchdog")
        eventually(lambda: len(processes_of(self.folder)) > 8, "its machine is up")
        left, = self.folder.iterdir()
        for pid in [*descendants(run.pid), *processes_of(self.folder)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.wait()
        eventually(lambda: not processes_of(self.folder), "all have ended")
        self.assertTrue(left.exists() and groups_of(left))
        again = self.run_beside("Installed.test_an_installation")
        self.assertEqual(0, again.wait(), again.output)
        self.assertEqual([], list(self.folder.iterdir()))

    def test_two_beside_each_other(self):
        """Services of the same name, on one host: what one machine does is nothing to the other."""
        self.start()
        self.fall_asleep()
        before, mark = self.machine.main_pid, self.sim.mark()
        run = self.run_beside("Started.test_a_day", "Started.test_a_crash", "NetworkComesLate")
        self.assertEqual(0, run.wait(2 * DEADLINE_S), run.output)
        self.assertEqual("3 passed, 0 failed", run.lines[-1])
        self.assertEqual(before, self.machine.main_pid)
        self.assert_never_restarted()
        self.assertEqual(ASLEEP, self.sim.counts())
        self.assertEqual([], self.sim.updates(mark))
        self.wake_up()
