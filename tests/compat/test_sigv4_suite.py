#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds build/sigv4 against the public Signature V4 vectors of aws-c-auth.

    test_sigv4_suite.py --program build/sigv4 --cache .cache

The vectors are not ours to ship. They come with the source archive of the Python package awscrt,
which pip fetches once into the cache (later versions of the package leave them out). Every case
that is signed by header counts: its canonical request, string to sign and signature must each be
reproduced byte for byte.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "awscrt"
VERSION = "0.16.8"  # the version of Debian 12
SHA256 = "dba26352514bc8db66f77fd492f10ef9e576d991c8d60c5679c7f672e0627e01"
VECTOR = re.compile(r"[^/]+/crt/aws-c-auth/tests/aws-signing-test-suite/v4/([\w-]+)/([\w.-]+)")

CASES_EXPECTED = 38
TEXTS = {
    "--canonical-request": "header-canonical-request.txt",
    "--string-to-sign": "header-string-to-sign.txt",
    "--signature": "header-signature.txt",
}


def download_vectors(folder):
    """Unpacks the vectors into folder; all of them or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        scratch = pathlib.Path(scratch)
        requirement = scratch / "requirements.txt"
        requirement.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n")
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
             "--no-binary", PACKAGE, "--dest", scratch, "--requirement", requirement],
            check=True, stdin=subprocess.DEVNULL)
        (archive,) = scratch.glob("*.tar.gz")
        unpacked = scratch / "v4"
        with tarfile.open(archive) as tar:
            for member in tar:
                vector = VECTOR.fullmatch(member.name)
                if vector and member.isfile():
                    case = unpacked / vector[1]
                    case.mkdir(parents=True, exist_ok=True)
                    (case / vector[2]).write_bytes(tar.extractfile(member).read())
        unpacked.rename(folder)


def options_of(context):
    credentials = context["credentials"]
    options = [
        "--region", context["region"],
        "--service", context["service"],
        "--access-key", credentials["access_key_id"],
        "--secret-key", credentials["secret_access_key"],
        "--date", re.sub("[-:]", "", context["timestamp"]),
        "--normalize" if context["normalize"] else "--no-normalize",
    ]
    if "token" in credentials:
        options += ["--token", credentials["token"]]
    if context.get("omit_session_token"):
        options.append("--omit-session-token")
    if context["sign_body"]:
        options.append("--sign-body")
    return options


def failures_of(case, program):
    """Yields a line for each of the case's texts that is not reproduced."""
    options = options_of(json.loads((case / "context.json").read_text()))
    request = (case / "request.txt").read_bytes()
    for option, name in TEXTS.items():
        expected = (case / name).read_bytes()
        result = subprocess.run([program, *options, option], input=request, capture_output=True)
        if result.returncode != 0:
            yield f"{case.name} {option}: {result.stderr.decode(errors='replace').strip()}"
        elif result.stdout.removesuffix(b"\n") != expected.removesuffix(b"\n"):
            yield f"{case.name} {option}: got {result.stdout!r}, expected {expected!r}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the built sigv4 program")
    parser.add_argument("--cache", required=True, type=pathlib.Path, help="where vectors are kept")
    arguments = parser.parse_args()

    folder = arguments.cache / f"sigv4-suite-{PACKAGE}-{VERSION}"
    if not folder.exists():
        download_vectors(folder)

    cases = sorted(path.parent for path in folder.glob("*/header-signature.txt"))
    failed = 0
    for case in cases:
        failures = list(failures_of(case, arguments.program))
        failed += bool(failures)
        for failure in failures:
            print(failure)
    passed = len(cases) - failed
    if len(cases) != CASES_EXPECTED:
        print(f"the suite has {len(cases)} cases that sign by header, {CASES_EXPECTED} expected")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
