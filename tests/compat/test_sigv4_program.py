#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How build/sigv4 treats its user: options, environment, spellings of a request, bad input.

    test_sigv4_program.py --program build/sigv4
"""

import argparse
import os
import subprocess
import sys

REQUEST = b"POST /a b?c=d HTTP/1.1\nHost: h\nX-A: one\n  two\n\nbody"
DATE = ["--date", "20150830T123600Z"]
SCOPE = ["--region", "eu-west-1", "--service", "logs"]
KEYS = ["--access-key", "AKID", "--secret-key", "SECRET"]
ALL = [*SCOPE, *KEYS, *DATE]
KEYS_IN_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET"}

program = None


def run(options, request=REQUEST, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [program, *options], input=request, env={**clean, **environment}, capture_output=True)


def signed(options, request=REQUEST, **environment):
    result = run(options, request, **environment)
    assert result.returncode == 0 and not result.stderr, result
    return result.stdout


def expect_refused(status, options, request=REQUEST, **environment):
    result = run(options, request, **environment)
    assert result.returncode == status, result
    assert result.stdout == b"" and b"sigv4" in result.stderr, result


def test_prints_the_authorization_unless_asked_for_something_else():
    authorization = signed(ALL)
    assert authorization == signed([*ALL, "--authorization"])
    assert authorization.startswith(b"AWS4-HMAC-SHA256 Credential=AKID/20150830/eu-west-1/logs/")
    assert signed([*ALL, "--signature"]).strip() in authorization
    canonical = signed([*ALL, "--canonical-request"])
    assert canonical.startswith(b"POST\n/a%20b\nc=d\nhost:h\nx-a:one two\n")
    assert signed([*ALL, "--string-to-sign"]).startswith(b"AWS4-HMAC-SHA256\n20150830T123600Z\n")


def test_help_tells_of_every_option_and_of_the_list_of_processes():
    text = run(["--help"]).stdout
    for option in [b"--region", b"--token", b"--no-normalize", b"--omit-session-token", b"--batch"]:
        assert option in text, option
    assert b"AWS_SECRET_ACCESS_KEY" in text and b"list of processes" in text


def test_wrong_usage():
    expect_refused(2, [*ALL, "--unknown"])
    expect_refused(2, [*ALL, "--signature=yes"])
    expect_refused(2, [*ALL, "request.txt"])
    expect_refused(2, [*KEYS, *DATE, "--region", "eu-west-1"])
    expect_refused(2, [*SCOPE, *DATE])
    expect_refused(2, [*SCOPE, *DATE], AWS_ACCESS_KEY_ID="AKID")
    expect_refused(2, [*SCOPE, *DATE], AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    expect_refused(2, [*ALL, "--batch", "--canonical-request"])
    expect_refused(2, ["--region"])


def test_secrets_of_the_environment():
    bare = [*SCOPE, *DATE]
    assert signed(bare, **KEYS_IN_ENVIRONMENT) == signed(ALL)
    with_token = signed([*ALL, "--token", "T"])
    assert signed(bare, AWS_SESSION_TOKEN="T", **KEYS_IN_ENVIRONMENT) == with_token
    # A token is of one key: never of another that the command line gives.
    assert signed(ALL, AWS_SESSION_TOKEN="T") == signed(ALL)


def test_date_and_token_of_the_request():
    head, body = REQUEST.split(b"\n\n")
    dated = head + b"\nx-amz-date:  20150830T123600Z \n\n" + body
    tokened = head + b"\nX-Amz-Security-Token: T\n\n" + body
    assert signed([*SCOPE, *KEYS], dated) == signed(ALL)
    assert signed([*SCOPE, *KEYS, "--date", "20160101T000000Z"], dated) != signed(ALL)
    assert signed(ALL, tokened) == signed([*ALL, "--token", "T"])
    assert signed([*ALL, "--token", "U"], tokened) == signed([*ALL, "--token", "U"])
    assert signed([*ALL, "--omit-session-token"], tokened) == signed(ALL)


def test_headers_that_signing_makes_are_made_anew():
    head, body = REQUEST.split(b"\n\n")
    assert signed(ALL, head + b"\nAuthorization: old\n\n" + body) == signed(ALL)
    hashed = head + b"\nX-Amz-Content-Sha256: old\n\n" + body
    assert signed([*ALL, "--sign-body"], hashed) == signed([*ALL, "--sign-body"])


def test_spellings_of_one_request():
    head, body = REQUEST.split(b"\n\n")
    assert signed(ALL, head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body) == signed(ALL)
    without_body = signed(ALL, head + b"\n\n")
    assert signed(ALL, head + b"\n") == signed(ALL, head) == without_body
    assert signed(ALL, head.replace(b" HTTP/1.1", b"")) == without_body
    # A body is every byte after the empty line, blanks and line ends too.
    bodies = [b"", b" ", b"\n", b"\0", b"\r\n"]
    assert len({signed(ALL, head + b"\n\n" + body) for body in bodies}) == len(bodies)


def test_what_is_no_request():
    expect_refused(1, ALL, b"")
    expect_refused(1, ALL, b"\n")
    expect_refused(1, ALL, b"GET\nHost: h\n")
    expect_refused(1, ALL, b"GET / HTTP/1.1\n")
    expect_refused(1, ALL, b"GET / HTTP/1.1\nHost h\n")
    expect_refused(1, ALL, b"GET / HTTP/1.1\nHost : h\n")
    expect_refused(1, ALL, b"GET / HTTP/1.1\nHost: h\nX-A: a\0b\n")
    expect_refused(1, ALL, b"GET /\0 HTTP/1.1\nHost: h\n")
    expect_refused(1, ALL, b"GET http://h/ HTTP/1.1\nHost: h\n")
    expect_refused(1, ALL, b"GET / HTTP/1.1\nHost: h\n" + b"X-A: a\n" * 64)
    expect_refused(1, ALL, b"GET /" + b"a" * 40_000 + b" HTTP/1.1\nHost: h\n")


def test_dates_that_are_none():
    for date in ["", "2015", "2015-08-30T12:36:00Z", "20151330T123600Z", "20150830t123600Z"]:
        expect_refused(1, [*SCOPE, *KEYS, "--date", date])
    expect_refused(1, [*SCOPE, *KEYS])


def test_batch():
    others = [REQUEST + b"x", b"GET / HTTP/1.1\nHost:h", REQUEST]
    batch = b"".join(b"%d\n%s" % (len(request), request) for request in others)
    for output in ["--signature", "--authorization"]:
        one_by_one = b"".join(signed([*ALL, output], request) for request in others)
        assert signed([*ALL, "--batch", output], batch) == one_by_one
    assert signed([*ALL, "--batch"], b"") == b""


def test_batch_that_is_none():
    sizes = [b"\n", b"x\n", b"-1\n", b" 1\nx", b"5", b"1 \nx", b"67108865\n", b"9" * 99]
    for batch in [*sizes, b"99\nGET / HTTP/1.1\nHost: h\n"]:
        expect_refused(1, [*ALL, "--batch"], batch)


def main():
    global program

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the built sigv4 program")
    program = parser.parse_args().program

    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            passed += 1
        except AssertionError as error:
            failed += 1
            line = error.__traceback__.tb_next.tb_lineno
            print(f"{name}, line {line}: {error}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
