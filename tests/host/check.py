#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests on booted machines, one after the other; tests/host/check.sh calls it.

Closes with the figures and with "N passed, N failed"; the exit status is 0 if none failed.
"""

import argparse
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", action="append", default=[], metavar="NAME",
                        help="only tests with this in their name")
    names = parser.parse_args().k
    found = unittest.defaultTestLoader.discover(str(HERE), "test_*.py", str(HERE))
    suite = unittest.TestSuite(test for test in flatten(found)
                               if not names or any(name in test.id() for name in names))
    report = Report()
    suite.run(report)
    failed = len(report.failures) + len(report.errors)
    print()
    for name, value in FIGURES:
        print(f"{name:44} {value}")
    print(f"{report.passed} passed, {failed} failed")
    return 0 if failed == 0 and report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
