#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests on booted machines, one after the other; tests/host/check.sh calls it.

Closes with the figures and with "N passed, N failed"; the exit status is 0 if none failed.
"""

import argparse
import pathlib
import signal
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from machine import Machine  # noqa: E402
from run import Result, flatten  # noqa: E402  (tests/e2e/run.py)
from story import FIGURES  # noqa: E402


class Report(Result):
    """Tells each test as it ends; a failure with what everybody said."""

    def __init__(self):
        super().__init__()
        self.passed = 0

    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()
        self._before = len(self.failures), len(self.errors)
        self.transcript = ""

    def stopTest(self, test):
        super().stopTest(test)
        self._tell(test, f" ({time.monotonic() - self._began:.0f} s)")

    def _tell(self, test, seconds=""):
        failures, errors = self._before
        troubles = self.failures[failures:] + self.errors[errors:]
        self.passed += not troubles
        print(f"{'FAILED' if troubles else 'ok':8}{test.id()}{seconds}", flush=True)
        for _, trace in troubles:
            print("    " + f"{trace}\n{self.transcript}".replace("\n", "\n    "), flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        if not hasattr(test, "_testMethodName"):  # a class that could not be set up
            self._before = len(self.failures), len(self.errors) - 1
            self._tell(test)


class Ended(Exception):
    """By a signal: the test at hand fails, what it and its class arranged goes, and no other begins."""


def watch_signals(report):
    def end(number, _frame):
        for same in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(same, signal.SIG_IGN)
        report.stop()
        raise Ended(signal.Signals(number).name)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def is_chosen(test, names, is_short):
    if is_short and not getattr(getattr(test, getattr(test, "_testMethodName", ""), None),
                                "is_telling", False):
        return False
    return not names or any(name in test.id() for name in names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", action="append", default=[], metavar="NAME",
                        help="only tests with this in their name")
    parser.add_argument("--short", action="store_true", help="only the most telling ones")
    arguments = parser.parse_args()
    found = unittest.defaultTestLoader.discover(str(HERE), "test_*.py", str(HERE))
    suite = unittest.TestSuite(test for test in flatten(found)
                               if is_chosen(test, arguments.k, arguments.short))
    report = Report()
    watch_signals(report)
    try:
        suite.run(report)
    finally:
        Machine.remove_all()
    failed = len(report.failures) + len(report.errors)
    print()
    for name, value in FIGURES:
        print(f"{name:44} {value}")
    print(f"{report.passed} passed, {failed} failed")
    return 0 if failed == 0 and report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
