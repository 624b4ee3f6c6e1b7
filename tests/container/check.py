#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests of the container image, one after the other; tests/container/check.sh calls it.

Closes with the figures and with "N passed, N failed"; the exit status is 0 if none failed.
"""

import argparse
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from container import FIGURES  # noqa: E402
from run import Result, flatten  # noqa: E402  (tests/e2e/run.py)


def run_one(test):
    result = Result()
    test.run(result)
    print(f"{'ok' if result.wasSuccessful() else 'FAILED':8}{test.id()}", flush=True)
    for _, trace in result.failures + result.errors:
        print("    " + f"{trace}\n{result.transcript}".replace("\n", "\n    "), flush=True)
    return result.wasSuccessful()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", action="append", default=[], metavar="NAME",
                        help="only tests with this in their name")
    names = parser.parse_args().k
    found = unittest.defaultTestLoader.discover(str(HERE), "test_*.py", str(HERE))
    outcomes = [run_one(test) for test in flatten(found)
                if not names or any(name in test.id() for name in names)]
    print()
    for name, value in FIGURES:
        print(f"{name:44} {value}")
    print(f"{sum(outcomes)} passed, {len(outcomes) - sum(outcomes)} failed")
    return 0 if outcomes and all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
