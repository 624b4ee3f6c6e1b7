#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds build/sigv4 against botocore's signer on random requests.

    test_sigv4_botocore.py --program build/sigv4 [--count 10000] [--seed N]

Needs botocore (PyPI) in the Python that runs it. A seed makes a run again, and is printed.

Each request is one meaning in two spellings. botocore gets it the way its own serializers would
hand it over; our program gets it as bytes, spelled at random: line ends, folded headers, blanks,
letter case, escapes where none are needed, raw bytes where escapes are usual. Where the two
disagree by design the generator keeps away: a '#' in a target ends it for botocore, header values
may not hold the blanks that only Unicode knows, and botocore does not sign hop-by-hop headers.
"""

import argparse
import dataclasses
import hashlib
import os
import random
import secrets
import subprocess
import sys
import time
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HOST = "service.eu-west-1.amazonaws.com"
UNRESERVED = "ABCXYZabcxyz0189-._~"
RAW_IN_QUERY = "!$'()*,;:@/? "  # neither unreserved nor with a meaning in a query
RAW_IN_PATH = "!$&'()*+,;=:@ "
EXOTIC = "äßñλЖ中日本ሴ🙂"
SHOWN_FAILURES = 5


@dataclasses.dataclass
class Setting:
    """What stays the same for one run of our program."""

    service: str
    region: str
    access_key: str
    secret_key: str
    options: list

    @property
    def raw_path(self):
        return "--no-normalize" in self.options

    @property
    def sign_body(self):
        return "--sign-body" in self.options


@dataclasses.dataclass
class Request:
    method: str
    path: str
    parameters: list  # pairs, not encoded
    headers: list  # pairs
    token: str
    date: str
    body: bytes


# ---- random requests ----


def text(rng, alphabet, longest):
    return "".join(rng.choices(alphabet, k=rng.randint(0, longest)))


def random_segment(rng):
    kind = rng.random()
    if kind < 0.30:
        return rng.choice(["", "", ".", "..", "...", ".a", "%2e%2e", "%2F"])
    if kind < 0.45:
        escape = rng.choice(["%20", "%", "%zz", "100%", "a%C3%A4", "%41", "%2f.."])
        return escape + text(rng, UNRESERVED, 3)
    return text(rng, UNRESERVED * 3 + RAW_IN_PATH + EXOTIC, rng.choice([4, 12, 12, 200]))


def random_path(rng, raw):
    path = "/" + "/".join(random_segment(rng) for _ in range(rng.choice([0, 1, 2, 3, 5, 12])))
    # Where nothing is normalised nor encoded twice, botocore expects the path encoded once.
    return quote(path, safe="/~") if raw else path


def random_parameters(rng):
    alphabet = UNRESERVED * 2 + RAW_IN_QUERY + "&=%+#" + EXOTIC
    keys = ["", "a", "A", "a-", "ab", "ä"] + [text(rng, alphabet, 10) for _ in range(4)]
    values = ["", "", "1", "%41"] + [text(rng, alphabet, 20) for _ in range(4)]
    count = rng.choice([0, 0, 1, 2, 4, 9, 40])
    return [(rng.choice(keys), rng.choice(values)) for _ in range(count)]


def random_headers(rng):
    names = ["X-Amz-Target", "Content-Type", "X-Custom", "x-custom-2", "X-A", "X_a", "X.a", "A"]
    headers = []
    for _ in range(rng.choice([0, 1, 2, 4, 12])):
        words = [text(rng, UNRESERVED + "\",;=:/()" + EXOTIC, 8) for _ in range(rng.randint(0, 4))]
        value = "".join(word + rng.choice([" ", "  ", "\t", " \t  "]) for word in words)
        headers.append((rng.choice(names), rng.choice(["", " ", "\t "]) + value))
    return headers


def random_body(rng):
    sizes = [0, rng.randint(1, 300), rng.randint(1, 70_000), 1_000_000]
    return rng.randbytes(rng.choices(sizes, [40, 50, 9.5, 0.5])[0])


def random_request(rng, setting):
    moment = rng.choice([rng.randint(0, 4_000_000_000), 1_440_938_160])
    return Request(
        method=rng.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"]),
        path=random_path(rng, setting.raw_path),
        parameters=random_parameters(rng),
        headers=random_headers(rng),
        token=rng.choice(["", "", text(rng, UNRESERVED + "/+=", 1500)]),
        date=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment)),
        body=random_body(rng),
    )


def random_settings(rng):
    def setting(service, *options, secret_size=40):
        secret = "".join(rng.choices(UNRESERVED + "/+", k=secret_size))
        region = rng.choice(["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"])
        return Setting(service, region, "AKID" + text(rng, "ABC234", 16), secret, list(options))

    return [
        setting("logs"),
        setting("ecs", "--normalize"),
        setting("sts", secret_size=60),  # "AWS4" and it are just one block of the digest
        setting("dynamodb", secret_size=61),  # and here one byte more
        setting("monitoring", secret_size=200),
        setting("execute-api", "--sign-body"),
        setting("s3", "--no-normalize", "--sign-body"),
    ]


# ---- as botocore sees it ----


def botocore_signature(request, setting, by_url):
    """The canonical request too, for when they differ."""
    query = "&".join(
        f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}"
        for key, value in request.parameters)
    url = f"https://{HOST}{request.path}"
    aws_request = AWSRequest(method=request.method, data=request.body)
    if by_url:
        aws_request.url = f"{url}?{query}" if query else url
    else:
        aws_request.url = url
        aws_request.params = request.parameters
    aws_request.headers.add_header("Host", HOST)
    for name, value in request.headers:
        aws_request.headers.add_header(name, value)
    aws_request.headers.add_header("X-Amz-Date", request.date)
    if request.token:
        aws_request.headers.add_header("X-Amz-Security-Token", request.token)
    if setting.sign_body:
        digest = hashlib.sha256(request.body).hexdigest()
        aws_request.headers.add_header("X-Amz-Content-SHA256", digest)
    aws_request.context["timestamp"] = request.date

    kind = S3SigV4Auth if setting.raw_path else SigV4Auth
    credentials = Credentials(setting.access_key, setting.secret_key, request.token or None)
    signer = kind(credentials, setting.service, setting.region)
    canonical = signer.canonical_request(aws_request)
    return signer.signature(signer.string_to_sign(aws_request, canonical), aws_request), canonical


# ---- as our program sees it ----


def spell(rng, string, raw):
    """One of the ways to write it in a query."""
    written = bytearray()
    for character in string:
        style = rng.random()
        for byte in character.encode():
            if style < 0.1:
                written += b"%%%02x" % byte
            elif character in UNRESERVED and style < 0.9:
                written.append(byte)
            elif (character in raw or character in EXOTIC) and style < 0.6:
                written.append(byte)
            else:
                written += b"%%%02X" % byte
    return bytes(written)


def spell_query(rng, parameters):
    pairs = []
    for key, value in parameters:
        pair = spell(rng, key, RAW_IN_QUERY)
        if value or rng.random() < 0.5 or len(parameters) == 1:
            pair += b"=" + spell(rng, value, RAW_IN_QUERY + "=")
        pairs.append(pair)
    return b"&".join(pairs)


def spell_header(rng, name, value, line_end):
    name = rng.choice([name, name.lower(), name.upper()])
    folded = "".join(
        line_end + rng.choice(" \t") if character in " \t" and rng.random() < 0.1 else character
        for character in value)
    return f"{name}:{folded}".encode()


def spell_request(rng, request):
    line_end = rng.choice(["\n", "\r\n"])
    target = request.path.encode()
    if request.parameters:
        target += b"?" + spell_query(rng, request.parameters)
    lines = [spell_header(rng, name, value, line_end) for name, value in request.headers]
    # The others go anywhere; those of one name stay in their order, which is signed.
    own = [("Host", HOST), ("X-Amz-Date", request.date), ("Authorization", "replaced")]
    if request.token:
        own.append(("X-Amz-Security-Token", request.token))
    for name, value in own:
        lines.insert(rng.randint(0, len(lines)), spell_header(rng, name, value, line_end))
    head = [request.method.encode() + b" " + target + b" HTTP/1.1", *lines, b"", b""]
    return line_end.encode().join(head) + request.body


def run_program(program, setting, requests, *options):
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": setting.access_key,
        "AWS_SECRET_ACCESS_KEY": setting.secret_key,
    }
    environment.pop("AWS_SESSION_TOKEN", None)
    command = [program, "--region", setting.region, "--service", setting.service, *setting.options]
    result = subprocess.run(
        [*command, *options], input=requests, env=environment, stdout=subprocess.PIPE, check=True)
    return result.stdout.decode()


def program_signatures(program, setting, spelled):
    batch = b"".join(b"%d\n%s" % (len(request), request) for request in spelled)
    return run_program(program, setting, batch, "--batch", "--signature").splitlines()


# ---- the comparison ----


def altered(request):
    """The request with one thing changed, for each thing that a signature covers."""
    yield "method", dataclasses.replace(request, method=request.method + "X")
    yield "path", dataclasses.replace(request, path=request.path + "x")
    yield "query", dataclasses.replace(request, parameters=[*request.parameters, ("x", "y")])
    yield "header", dataclasses.replace(request, headers=[*request.headers, ("X-A", "x")])
    yield "body", dataclasses.replace(request, body=request.body + b"x")
    yield "token", dataclasses.replace(request, token=request.token + "x")
    yield "date", dataclasses.replace(request, date="19991231T235959Z")


def blind_spots(rng, program, setting):
    """What could differ without this test noticing: nothing, or the test is worthless."""
    request = random_request(rng, setting)
    expected, _ = botocore_signature(request, setting, by_url=True)
    changes = list(altered(request))
    spelled = [spell_request(rng, request) for _, request in changes]
    signatures = program_signatures(program, setting, spelled)
    return [name for (name, _), signature in zip(changes, signatures) if signature == expected]


def compare(rng, program, setting, count, shown):
    """Returns how many requests were signed differently, and the seconds each signer took."""
    requests = [random_request(rng, setting) for _ in range(count)]
    spelled = [spell_request(rng, request) for request in requests]
    by_url = [rng.random() < 0.5 for _ in requests]

    start = time.monotonic()
    theirs = [botocore_signature(request, setting, url) for request, url in zip(requests, by_url)]
    middle = time.monotonic()
    ours = program_signatures(program, setting, spelled)
    end = time.monotonic()
    if len(ours) != count:
        sys.exit(f"{program} signed {len(ours)} of {count} requests")

    failed = 0
    for (signature, canonical), our_signature, request in zip(theirs, ours, spelled):
        if signature == our_signature:
            continue
        failed += 1
        if failed + shown <= SHOWN_FAILURES:
            print(f"--- {setting.service}, request:\n{request[:4000]!r}")
            print(f"--- botocore's canonical request:\n{canonical}")
            print(f"--- ours:\n{run_program(program, setting, request, '--canonical-request')}")
    return failed, middle - start, end - middle


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the built sigv4 program")
    parser.add_argument("--count", type=int, default=10_500, help="how many requests")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    arguments = parser.parse_args()

    print(f"seed {arguments.seed}")
    rng = random.Random(arguments.seed)
    settings = random_settings(rng)
    passed = failed = 0
    their_seconds = our_seconds = 0.0
    for i, setting in enumerate(settings):
        for name in blind_spots(rng, arguments.program, setting):
            print(f"{setting.service}: a change of the {name} went unnoticed")
            failed += 1
        count = arguments.count // len(settings) + (i < arguments.count % len(settings))
        different, theirs, ours = compare(rng, arguments.program, setting, count, failed)
        failed += different
        passed += count - different
        their_seconds += theirs
        our_seconds += ours
    print(f"botocore took {their_seconds:.2f} s, sigv4 {our_seconds:.2f} s with reading its input")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
