#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the end-to-end tests, many at once: they mostly wait.

    python3 tests/e2e/run.py --build build [--tests FOLDER] [-k NAME]... [-j N] [--list]

Closes with "N passed, N failed"; the exit status is 0 if none failed.
"""

import argparse
import concurrent.futures
import io
import os
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="where the programs are (build)")
    parser.add_argument("--tests", default=str(HERE), metavar="FOLDER",
                        help="where the tests are (beside this file)")
    parser.add_argument("-k", action="append", default=[], metavar="NAME",
                        help="only tests with this in their name")
    parser.add_argument("-j", type=int, default=0, metavar="N", help="so many at once")
    parser.add_argument("--list", action="store_true", help="list the tests and their number")
    parser.add_argument("--verbose", action="store_true", help="tell each test that passed")
    return parser.parse_args()


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def find_tests(folder, names):
    suite = unittest.defaultTestLoader.discover(folder, "test_*.py", folder)
    tests = [test for test in flatten(suite)
             if not names or any(name in test.id() for name in names)]
    # The long ones first, so that nobody waits for a straggler.
    return sorted(tests, key=lambda test: (not getattr(getattr(
        test, test._testMethodName, None), "is_long", False), test.id()))


class Result(unittest.TestResult):
    """Keeps the transcript of a failure before the programs are gone."""

    def __init__(self):
        super().__init__()
        self.transcript = ""

    def _note(self, test):
        test = getattr(test, "test_case", test)
        if not self.transcript and hasattr(test, "transcript") and hasattr(test, "programs"):
            self.transcript = test.transcript()

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test)

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test)


def run_one(name):
    """In a process of its own. Returns (name, outcome, report, seconds)."""
    began = time.monotonic()
    result = Result()
    unittest.defaultTestLoader.loadTestsFromName(name).run(result)
    report = io.StringIO()
    for _, trace in result.failures + result.errors:
        print(trace, file=report)
    if result.transcript:
        print(result.transcript, file=report)
    outcome = "ok" if result.wasSuccessful() and result.testsRun else "FAILED"
    if result.skipped:
        outcome = f"skipped: {result.skipped[0][1]}"
    return name, outcome, report.getvalue(), time.monotonic() - began


def main():
    arguments = parse_arguments()
    os.environ["PROVISIONERD_BUILD"] = str(pathlib.Path(arguments.build).resolve())
    for program in ("provisionerd", "provisionerd-sim"):
        if not os.access(pathlib.Path(arguments.build) / program, os.X_OK):
            sys.exit(f"{arguments.build}/{program} is not there: make BUILD={arguments.build}")
    folder = str(pathlib.Path(arguments.tests).resolve())
    sys.path[:0] = [folder, str(HERE)]
    names = [test.id() for test in find_tests(folder, arguments.k)]
    if arguments.list:
        print("\n".join(names))
        print(len(names), "tests")
        return 0

    cores = len(os.sched_getaffinity(0))
    import harness
    jobs = arguments.j or max(4, min(cores * (4 if harness.SANITIZED else 5), 24))
    began = time.monotonic()
    counts = {"ok": 0, "FAILED": 0}
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        futures = [pool.submit(run_one, name) for name in names]
        for future in concurrent.futures.as_completed(futures):
            name, outcome, report, seconds = future.result()
            counts[outcome] = counts.get(outcome, 0) + 1
            if outcome != "ok" or arguments.verbose:
                print(f"{outcome:8} {name} ({seconds:.1f} s)")
            if outcome == "FAILED":
                print("    " + report.replace("\n", "\n    "))
            sys.stdout.flush()
    print(f"{time.monotonic() - began:.0f} seconds, {jobs} at once")
    print(f"{counts['ok']} passed, {counts['FAILED']} failed")
    return 0 if counts["FAILED"] == 0 and counts["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
