# SPDX-License-Identifier: MIT
"""provisionerd-sim for the tests in this folder: started on ports of its own, ended with the test."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-west-1"
ACCOUNT = "123456789012"
BASTION = f"arn:aws:iam::{ACCOUNT}:role/bastion"
GROUP = "/ecs/staging/gateway"

START_TIMEOUT_S = 60  # it is there within milliseconds; valgrind is slower

SCENARIO = {
    "account": ACCOUNT,
    "region": REGION,
    "settings": {
        "query_scheduled_ms": 50,
        "query_running_ms": 150,
        "task_start_ms": 300,
        "task_stop_ms": 100,
    },
    "credentials": [
        {"access_key_id": KEY, "secret_access_key": SECRET,
         "arn": f"arn:aws:iam::{ACCOUNT}:user/admin"},
        {"access_key_id": "AKIDNARROW", "secret_access_key": "narrow",
         "arn": f"arn:aws:iam::{ACCOUNT}:user/narrow", "allow": ["ecs:DescribeServices"]},
        {"access_key_id": "AKIDPOLICY", "secret_access_key": "policy"},
        {"access_key_id": "ASIAEXPIRED", "secret_access_key": "expired", "session_token": "old",
         "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/bastion/old",
         "expires": "2020-01-01T00:00:00Z"},
    ],
    "roles": [
        {"arn": BASTION, "external_id": "xyzzy", "web_identity_token": "a.web.token",
         "max_session_s": 7200, "allow": ["logs:*", "ecs:*", "sts:*"]},
    ],
    "imds": {"enabled": True, "role": "bastion", "session_s": 21600},
    "container": {"path": "/v2/credentials/task", "authorization_token": "Bearer container",
                  "role": "bastion", "session_s": 21600},
    "log_groups": [
        {"name": GROUP,
         "events": [{"ago_ms": 600000 - n * 1000, "stream": f"gateway/{n % 3}",
                     "message": f'10.0.0.1 "GET /api/v1/orders/{n} HTTP/1.1" 200'}
                    for n in range(25)]},
        {"name": "/rarely/read", "class": "INFREQUENT_ACCESS"},
    ],
    "clusters": [
        {"name": "staging", "services": [
            {"name": "gateway", "desired": 1, "log_group": GROUP},
            {"name": "api", "desired": 2, "tags": {"team": "web"},
             "autoscaling": {"min": 1, "max": 4}},
            {"name": "worker", "desired": 3,
             "autoscaling": {"min": 0, "max": 6, "suspended": True}},
            {"name": "web", "desired": 1},
            {"name": "agent", "desired": 1, "strategy": "DAEMON"},
            {"name": "gone", "desired": 0, "status": "INACTIVE"},
        ]},
        {"name": "production", "services": [{"name": "api", "desired": 4}]},
    ],
}


class SimulatedAws:
    """with SimulatedAws(program) as aws: aws.url, aws.admin("PUT", "events", {...})"""

    def __init__(self, program, scenario=None):
        self.folder = tempfile.TemporaryDirectory(prefix="simulated-aws-")
        self.process = None
        self.https_url = None
        scenario_file = self.path("scenario.json")
        with open(scenario_file, "w", encoding="utf-8") as file:
            json.dump(scenario or SCENARIO, file)
        command = [program, "--scenario", scenario_file, "--listen", "127.0.0.1:0",
                   "--port-file", self.path("ports.json")]
        self.ca_bundle = self._make_certificate()
        if self.ca_bundle:
            command += ["--https-listen", "127.0.0.1:0", "--cert", self.ca_bundle,
                        "--key", self.path("key.pem")]
        self.command = command

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def _make_certificate(self):
        """A self-signed certificate for 127.0.0.1, or None where there is no openssl."""
        certificate = self.path("cert.pem")
        try:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                            "-subj", "/CN=simulated AWS", "-addext",
                            "subjectAltName=IP:127.0.0.1,DNS:localhost",
                            "-keyout", self.path("key.pem"), "-out", certificate],
                           check=True, capture_output=True)
        except FileNotFoundError:
            return None
        return certificate

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not os.path.exists(self.path("ports.json")):
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.command[0]} ended with {self.process.returncode}")
            if time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"{self.command[0]} is not ready")
            time.sleep(0.01)
        with open(self.path("ports.json"), encoding="utf-8") as file:
            ports = json.load(file)
        self.url = f"http://127.0.0.1:{ports['http']}"
        if ports["https"]:
            self.https_url = f"https://127.0.0.1:{ports['https']}"
        return self

    def __exit__(self, *exception):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(START_TIMEOUT_S)
        self.folder.cleanup()
        if code != 0:
            raise RuntimeError(f"{self.command[0]} ended with {code}")

    def admin(self, method, resource, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sim/{resource}", data=data, method=method)
        try:
            with urllib.request.urlopen(request) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {resource}: {error.read().decode()}") from error

    def fault(self, kind, operation="*", **rule):
        self.admin("POST", "faults", {"kind": kind, "operation": operation, **rule})

    def now_ms(self):
        return self.admin("GET", "health")["timeMs"]


def eventually(probe, wanted, timeout_s=20):
    """Asks until the answer is as wanted; for what takes its time in the simulated AWS."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = probe()
        if answer == wanted or time.monotonic() > deadline:
            assert answer == wanted, f"{answer!r}, not {wanted!r}"
            return
        time.sleep(0.02)


def program_argument(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--program", required=True, help="provisionerd-sim")
    return parser.parse_args().program


def run_tests(tests):
    """Runs (name, callable) pairs, says how each went, and exits accordingly."""
    failed = 0
    for name, test in tests:
        try:
            test()
        except Exception:  # whatever it is, it is a failure of this test
            failed += 1
            print(f"FAILED {name}")
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"ok     {name}")
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0
