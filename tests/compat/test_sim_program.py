#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""provisionerd-sim as a program: its options, its files, its replay, its end. Needs nothing installed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from simulated_aws import GROUP, SCENARIO, SimulatedAws, eventually, program_argument, run_tests

PATIENCE_S = 60
SAMPLES = os.path.join(os.path.dirname(__file__), "..", "..", "sim", "samples")
ACCESS_LOG = os.path.join(SAMPLES, "access.log")

# 30 records, a second apart but for the last, which is an hour later.
EVENTS = {"searchedLogStreams": [],
          "events": [{"logStreamName": "gateway/1", "timestamp": 1700000000000 + n * 1000,
                      "message": f"GET /api/v1/{n}", "eventId": str(n)} for n in range(29)]
          + [{"timestamp": 1700003600000, "message": "an hour later"}]}


class Tests:
    def __init__(self, program):
        self.program = program

    def run(self, *arguments):
        return subprocess.run([self.program, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)

    def refused(self, *arguments, text):
        done = self.run(*arguments)
        assert done.returncode == 1, f"{arguments}: {done.returncode}"
        assert text in done.stderr, f"{arguments}: {done.stderr}"
        assert not done.stdout, done.stdout

    def help_and_version(self):
        done = self.run("--help")
        assert done.returncode == 0 and "--scenario" in done.stdout and not done.stderr
        done = self.run("--version")
        assert done.returncode == 0 and done.stdout.startswith("provisionerd-sim ")

    def wrong_options_are_refused(self):
        self.refused("--nonsense", text="nonsense")
        self.refused("surplus", text="surplus")
        self.refused("--scenario", "/nonexistent", text="/nonexistent")
        self.refused("--scenario", ACCESS_LOG, text="not JSON")
        self.refused("--listen", "127.0.0.1", text="ADDRESS:PORT")
        self.refused("--listen", "0.0.0.0:0", text="--allow-remote")
        self.refused("--https-listen", "127.0.0.1:0", text="--cert")
        self.refused("--listen", "127.0.0.1:0", "--https-listen", "127.0.0.1:0", "--cert",
                     ACCESS_LOG, "--key", ACCESS_LOG, text="PEM")
        self.refused("--speed", "0", text="--speed")
        self.refused("--speed", "fast", text="--speed")
        self.refused("--replay-format", "xml", text="xml")
        self.refused("--replay-to", "staging/gateway", text="--replay")
        self.refused("--replay", "/nonexistent", text="/nonexistent")
        self.refused("--replay", ACCESS_LOG, "--replay-to", "staging/nobody", text="nobody")
        self.refused("--replay", ACCESS_LOG, "--replay-to", "staging/api", text="log group")
        self.refused("--replay", __file__, text="no record")
        self.refused("--listen", "127.0.0.1:0", "--port-file", "/nonexistent/ports",
                     text="/nonexistent")

    def mistakes_in_a_scenario_are_named(self):
        scenario = {"clusters": [{"name": "c", "services": [{"name": "s", "desird": 1}]}]}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(scenario, file)
            file.flush()
            self.refused("--scenario", file.name, text="clusters[0].services[0].desird")

    def policies_are_read(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"Statement": [{"Effect": "Allow", "Action": "ecs", "Resource": "*"}]}')
            file.flush()
            self.refused("--policy", file.name, text='Statement[0].Action: "ecs"')
            file.seek(0)
            file.write('{"Statement": []')
            file.truncate()
            file.flush()
            self.refused("--policy", file.name, text="not JSON")
        self.refused("--policy", "/nonexistent", text="/nonexistent")

    def starts_and_ends(self):
        for end in (signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen([self.program, "--listen", "127.0.0.1:0"],
                                       stdout=subprocess.PIPE, text=True)
            line = process.stdout.readline()
            assert line.startswith("listening on http://127.0.0.1:"), line
            url = line.removeprefix("listening on ").strip()
            with urllib.request.urlopen(url + "/_sim/services") as response:
                services = json.load(response)["services"]
            counts = {service["service"]: service["runningCount"] for service in services}
            assert counts == {"gateway": 1, "api": 2, "worker": 3, "web": 1}, counts
            process.send_signal(end)
            assert process.wait(PATIENCE_S) == 0
            process.stdout.close()

    def world(self, *options):
        aws = SimulatedAws(self.program, SCENARIO)
        aws.command += options
        return aws

    def events_of(self, aws):
        groups = aws.admin("GET", "stats")["logGroups"]
        return next(group["events"] for group in groups if group["name"] == GROUP)

    def an_access_log_is_replayed(self):
        with open(ACCESS_LOG, encoding="utf-8") as file:
            lines = len(file.readlines())
        with self.world("--replay", ACCESS_LOG, "--replay-to", "staging/gateway",
                        "--speed", "1000000") as aws:
            there_before = 25
            eventually(lambda: self.events_of(aws), there_before + lines, PATIENCE_S)
            assert aws.admin("GET", "stats")["requestsServed"] == lines

    def output_of_the_cli_is_replayed_at_its_pace(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(EVENTS, file)
            file.flush()
            with self.world("--replay", file.name, "--speed", "100") as aws:
                served = lambda: aws.admin("GET", "stats")["requestsServed"]
                eventually(served, 29, PATIENCE_S)  # the hour later is 36 s away
                assert aws.admin("GET", "services?service=gateway")["services"]

    def requests_are_lost_while_nobody_runs(self):
        with self.world() as aws:
            request = {"cluster": "staging", "service": "gateway", "message": "GET /api/v1/"}
            assert aws.admin("POST", "requests", request) == {"served": 1, "lost": 0}
            aws.admin("PUT", "services", {"cluster": "staging", "service": "gateway",
                                          "desiredCount": 0})
            eventually(lambda: aws.admin("POST", "requests", request)["lost"], 1)

    def answers_that_travel_badly(self):
        """The faults of delivery, over a true connection."""
        with self.world() as aws:
            def ask():
                request = urllib.request.Request(aws.url + "/latest/api/token", method="PUT",
                                                 headers={"X-aws-ec2-metadata-token-ttl-seconds":
                                                          "60"})
                with urllib.request.urlopen(request, timeout=2) as response:
                    return len(response.read())

            assert ask() > 0
            for kind in ("refuse", "reset", "stall", "wrong_content_length"):
                aws.fault(kind, "Imds", count=1)
                try:
                    ask()
                except (OSError, urllib.error.URLError) as error:
                    assert not isinstance(error, urllib.error.HTTPError), kind
                except Exception as error:  # http.client's IncompleteRead
                    assert "IncompleteRead" in repr(error), f"{kind}: {error!r}"
                else:
                    raise AssertionError(f"{kind}: answered")
            aws.fault("huge", "Imds", count=1, value=8 * 1024 * 1024)
            assert ask() >= 8 * 1024 * 1024
            assert ask() < 1000

    def all(self):
        return [self.help_and_version, self.wrong_options_are_refused,
                self.mistakes_in_a_scenario_are_named, self.policies_are_read,
                self.starts_and_ends,
                self.an_access_log_is_replayed, self.output_of_the_cli_is_replayed_at_its_pace,
                self.requests_are_lost_while_nobody_runs, self.answers_that_travel_badly]


def main():
    tests = Tests(program_argument(__doc__))
    return run_tests([(test.__name__.replace("_", " "), test) for test in tests.all()])


if __name__ == "__main__":
    sys.exit(main())
