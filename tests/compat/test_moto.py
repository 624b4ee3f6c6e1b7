#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The daemon against moto's server: an AWS by people who know nothing of us.

    python3 tests/compat/test_moto.py --program build/provisionerd

Needs moto[server] and boto3. Closes with "N passed, N failed".

What moto can witness: the protocol, names and types of fields, error shapes, the flow of calls.
What it is too simple for, and what is therefore arranged so here:

- Insights' `filter` is ignored: a query returns every event of its time range. So an environment is
  idle only when no event at all lies in that range, not even one that does not match, and a query
  that finds any is taken for activity at the window's edge.
- A query is Complete at once and has no `statistics`: nothing is known of how much was scanned, so
  `silence = unknown` never sleeps here (a test below holds it to that).
- Signatures are not verified but under access control (a class of its own below), tasks are not run
  (runningCount means nothing), nothing is ever late or throttled. The simulated AWS in sim/ is for
  these.
"""

import argparse
import json
import logging
import os
import pathlib
import subprocess
import sys
import time
import types
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/provisionerd")
    return parser.parse_args()


PROGRAM = pathlib.Path(parse_arguments().program).resolve()
os.environ["PROVISIONERD_BUILD"] = str(PROGRAM.parent)

# After the program is known, and where the harness is.
import boto3  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

from harness import (ACCESS_KEY, ASLEEP, AWAKE, KEYS, LOG_GROUP, REGION, SECRET_KEY,  # noqa: E402
                     SHORT_WINDOW, Story, environment_of_programs, eventually)

ACCOUNT = "123456789012"
STREAM = "gateway/1"


class MotoStory(Story):
    @classmethod
    def setUpClass(cls):
        cls.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for each request
        cls.server.start()
        host, port = cls.server.get_host_and_port()
        cls.url = f"http://{host}:{port}"

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        super().setUp()
        self.sim = types.SimpleNamespace(url=self.url)  # the address for write_config()
        self.post_to_moto("reset")
        self.ecs = self.client("ecs")
        self.logs = self.client("logs")
        self.create_cluster("staging", AWAKE)
        self.create_log_group(LOG_GROUP)

    def client(self, service, access_key=ACCESS_KEY, secret_key=SECRET_KEY):
        return boto3.client(service, region_name=REGION, endpoint_url=self.url,
                            aws_access_key_id=access_key, aws_secret_access_key=secret_key)

    def post_to_moto(self, what, body=b""):
        request = urllib.request.Request(f"{self.url}/moto-api/{what}", method="POST", data=body,
                                         headers={"Content-Type": "text/plain"})
        urllib.request.urlopen(request, timeout=30).close()

    # Arranging

    def create_cluster(self, cluster, counts, launch_type="FARGATE"):
        self.ecs.create_cluster(clusterName=cluster)
        self.ecs.register_task_definition(
            family="task", containerDefinitions=[{"name": "main", "image": "scratch",
                                                  "memory": 128, "cpu": 64}])
        for name, count in counts.items():
            self.ecs.create_service(cluster=cluster, serviceName=name, taskDefinition="task",
                                    desiredCount=count, launchType=launch_type)

    def create_log_group(self, name):
        self.logs.create_log_group(logGroupName=name)
        self.logs.create_log_stream(logGroupName=name, logStreamName=STREAM)

    def put_event(self, message, ago_s=0, log_group=LOG_GROUP):
        self.logs.put_log_events(
            logGroupName=log_group, logStreamName=STREAM,
            logEvents=[{"timestamp": int((time.time() - ago_s) * 1000), "message": message}])

    # Asserting

    def counts(self, names=tuple(AWAKE), cluster="staging"):
        counts = {}
        for first in range(0, len(names), 10):
            answer = self.ecs.describe_services(cluster=cluster,
                                                services=list(names[first:first + 10]))
            counts.update({service["serviceName"]: service["desiredCount"]
                           for service in answer["services"]})
        return counts

    def wait_for_counts(self, expected, cluster="staging"):
        eventually(lambda: self.counts(tuple(expected), cluster) == expected,
                   f"desired counts are {expected}")

    def start_with(self, environment=None, **options):
        self.write_config(**options)
        return self.start_daemon(environment=environment)

    def sleep_and_wake(self):
        self.wait_for_counts(ASLEEP)
        self.daemon.wait_for("asleep; will wake to api 2, worker 3, web 1")
        self.put_event("GET /api/v1/orders")
        self.wait_for_counts(AWAKE)
        self.daemon.wait_for("waking api 2, worker 3, web 1: last activity at")
        self.assertEqual(0, self.daemon.stop())


class AgainstMoto(MotoStory):
    def test_falls_asleep_and_wakes(self):
        self.put_event("GET /api/v1/orders", ago_s=3600 + 60)
        self.start_with()
        self.daemon.wait_for("found awake: api 2, worker 3, web 1")
        self.sleep_and_wake()

    def test_stays_awake_until_activity_leaves_the_window(self):
        self.put_event("GET /api/v1/orders")
        self.start_with(**SHORT_WINDOW)
        self.daemon.wait_for("not put to sleep: last activity at")
        self.assertEqual(AWAKE, self.counts())
        self.sleep_and_wake()

    def test_a_query_that_finds_events_keeps_it_awake(self):
        """The event is older than the window, and within the lateness that the query allows for."""
        self.put_event("GET /api/v1/orders", ago_s=600)
        self.start_with(window="5s", lateness="1h")
        self.daemon.wait_for("not put to sleep: activity found close to the window's edge")
        self.assertEqual(AWAKE, self.counts())

    def test_other_events_do_not_wake(self):
        self.start_with()
        self.wait_for_counts(ASLEEP)
        self.put_event("GET /favicon.ico")
        self.put_event("get /API/v1/orders")
        self.put_event("GET /api/v1/orders")
        self.wait_for_counts(AWAKE)
        self.assertIn('("GET /api/v1/orders")', self.daemon.wait_for("waking"))

    def test_services_on_instances(self):
        self.create_cluster("other", {"one": 4}, "EC2")
        self.write_config({"other": {"cluster": "other", "services": "one"}})
        self.start_daemon()
        self.wait_for_counts({"one": 0}, "other")
        self.put_event("GET /api/v1/orders")
        self.wait_for_counts({"one": 4}, "other")

    def test_more_services_than_one_call_describes(self):
        many = {f"service-{number}": 1 + number % 3 for number in range(23)}
        self.create_cluster("large", many)
        self.write_config({"large": {"cluster": "large", "services": ", ".join(many)}})
        self.start_daemon()
        self.wait_for_counts(dict.fromkeys(many, 0), "large")
        self.put_event("GET /api/v1/orders")
        self.wait_for_counts(many, "large")

    def test_by_arns(self):
        self.start_with(cluster=f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/staging")
        self.sleep_and_wake()

    def test_several_log_groups(self):
        self.create_log_group("/ecs/other")
        self.start_with(log_group=f"/ecs/other, {LOG_GROUP}")
        self.sleep_and_wake()

    def test_a_restart_while_asleep(self):
        self.start_with()
        self.wait_for_counts(ASLEEP)
        self.daemon.wait_for("asleep; will wake to")
        self.assertEqual(0, self.daemon.stop())
        self.start_daemon()
        self.put_event("GET /api/v1/orders")
        self.wait_for_counts(AWAKE)

    def test_a_role(self):
        """AssumeRole, answered in moto's XML."""
        shared = self.directory / "home" / ".aws"
        shared.mkdir()
        (shared / "config").write_text(
            f"[profile bastion]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/bastion\n"
            "source_profile = keys\n"
            f"[profile keys]\naws_access_key_id = {ACCESS_KEY}\n"
            f"aws_secret_access_key = {SECRET_KEY}\n")
        self.start_with(environment={"AWS_ENDPOINT_URL_STS": self.url, "AWS_PROFILE": "bastion"})
        self.assertIn("bastion", self.daemon.wait_for("credentials: "))
        self.sleep_and_wake()

    def test_no_statistics_are_no_proof_of_records(self):
        self.start_with(silence="unknown")
        self.daemon.wait_for("not put to sleep: ")
        self.assertIsNotNone(self.daemon.says("`silence = unknown`"), self.daemon.output)
        self.assertEqual(AWAKE, self.counts())

    def test_what_is_missing_is_said_in_motos_words_too(self):
        for options, words in (({"cluster": "nowhere"}, "ClusterNotFoundException"),
                               ({"log_group": "/ecs/nowhere"}, "ResourceNotFoundException"),
                               ({"services": "api, nobody"}, "ECS does not know service nobody")):
            with self.subTest(options):
                self.start_with(**options)
                self.daemon.wait_for(words)
                self.daemon.wait_for("not put to sleep: ")
                self.assertEqual(0, self.daemon.stop())
                self.assertEqual(AWAKE, self.counts())


class Doctor(MotoStory):
    """Every call of provisionerctl doctor, answered by moto."""

    def findings(self, **options):
        self.write_config(**options)
        done = subprocess.run([PROGRAM.parent / "provisionerctl", "doctor", "--json",
                               "--config", self.config], capture_output=True, check=False,
                              env=environment_of_programs(**KEYS, AWS_ENDPOINT_URL_STS=self.url))
        return json.loads(done.stdout)["findings"]

    def test_everything_is_understood(self):
        """But StopQuery and queries that are not there: moto fails over them."""
        self.put_event("GET /api/v1/orders")
        found = self.findings(lateness="5min")
        results = {(finding["check"], finding["result"]) for finding in found}
        self.assertEqual({(check, "ok") for check in (
            "credentials", "region", "reachable", "clock", "quotas", "permission", "service",
            "autoscaling", "log group", "pattern", "noise", "lateness", "query")}
            | {("permission", "unknown"), ("writer", "warning"), ("cost", "unknown")}, results)
        self.assertIn(f"arn:aws:sts::{ACCOUNT}:user/moto", found[0]["text"])
        self.assertEqual(AWAKE, self.counts())

    def one(self, check, **options):
        [finding] = [finding for finding in self.findings(**options)
                     if finding["check"] == check]
        return finding

    def test_task_definitions_tell_who_writes(self):
        self.ecs.register_task_definition(family="gateway", containerDefinitions=[
            {"name": "proxy", "image": "scratch", "memory": 128, "logConfiguration": {
                "logDriver": "awslogs", "options": {"awslogs-group": LOG_GROUP}}}])
        self.ecs.create_service(cluster="staging", serviceName="gateway", desiredCount=1,
                                taskDefinition="gateway", launchType="FARGATE")
        self.assertIn("gateway writes the log and is in no environment",
                      self.one("writer")["text"])
        self.assertEqual("failed", self.one("writer", services="api, gateway")["result"])
        self.assertEqual("ok", self.one("writer", always_on="gateway")["result"])

    def test_scalable_targets(self):
        self.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="ecs", ResourceId="service/staging/api",
            ScalableDimension="ecs:service:DesiredCount", MinCapacity=1, MaxCapacity=4)
        finding = self.one("autoscaling")
        self.assertEqual("warning", finding["result"])
        self.assertIn("keeps service/staging/api at 1 to 4 tasks", finding["text"])

    def test_what_is_missing_and_what_was_meant(self):
        self.assertEqual('did you mean "staging"? There are: staging',
                         self.one("cluster", cluster="stagin")["advice"])
        self.assertIn('did you mean "worker"?', self.one("service", services="wroker")["advice"])
        self.assertEqual(f'did you mean "{LOG_GROUP}"?',
                         self.one("log group", log_group="/ecs/staging/gatewy")["advice"])


class UnderAccessControl(MotoStory):
    """moto verifies signatures, and asks IAM policies for each action. It knows no resources:
    policies are written for "*" here; the resources are tested with the simulated AWS
    (tests/e2e/test_iam_policy.py)."""

    # What ends without a statement: the words of the daemon's trouble, and the missing action.
    FEATURES = {
        "SeeActivity": ("cannot look for activity: FilterLogEvents: ", "logs:FilterLogEvents"),
        "ConfirmIdleness": ("cannot query Logs Insights: StartQuery: ", "logs:StartQuery"),
        "ReadQueries": ("cannot query Logs Insights: GetQueryResults: ", "logs:GetQueryResults"),
        "ReadServices": ("cannot read the services: DescribeServices: ", "ecs:DescribeServices"),
        "SleepAndWake": ("cannot set a desired count: UpdateService: ", "ecs:UpdateService"),
    }

    def setUp(self):
        super().setUp()
        self.iam = self.client("iam")
        administrator = self.create_user("administrator")
        self.put_policy("administrator", [{"Effect": "Allow", "Action": "*", "Resource": "*"}])
        self.keys = self.create_user("daemon")
        self.secrets.add(self.keys[1])
        self.iam, self.ecs, self.logs = (self.client(service, *administrator)
                                         for service in ("iam", "ecs", "logs"))
        self.write_config()
        self.policy = self.policy_of_the_configuration()
        self.post_to_moto("reset-auth", b"0")
        self.addCleanup(self.post_to_moto, "reset-auth", b"inf")

    def create_user(self, name):
        self.iam.create_user(UserName=name)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def put_policy(self, user, statements):
        """moto checks it as IAM does: PutUserPolicy refuses what is malformed."""
        self.iam.put_user_policy(UserName=user, PolicyName="policy", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": statements}))

    def policy_of_the_configuration(self):
        done = subprocess.run([PROGRAM.parent / "provisionerctl", "iam-policy",
                               "--config", self.config, "--account", ACCOUNT],
                              env=environment_of_programs(), capture_output=True, check=True)
        return json.loads(done.stdout)

    def statements(self, without=None):
        return [{**statement, "Resource": "*"} for statement in self.policy["Statement"]
                if statement["Sid"] != without]

    def start_as_the_daemon(self):
        access_key, secret_key = self.keys
        return self.start_daemon(environment={"AWS_ACCESS_KEY_ID": access_key,
                                              "AWS_SECRET_ACCESS_KEY": secret_key})

    def test_iam_takes_the_policy_as_it_is(self):
        self.put_policy("daemon", self.policy["Statement"])
        self.iam.create_policy(PolicyName="provisionerd",
                               PolicyDocument=json.dumps(self.policy))

    def test_with_it_all_works(self):
        self.put_policy("daemon", self.statements())
        self.start_as_the_daemon()
        self.sleep_and_wake()

    def test_without_any_statement_the_matching_feature_is_refused(self):
        for sid, (words, action) in self.FEATURES.items():
            with self.subTest(sid):
                self.put_policy("daemon", self.statements(without=sid))
                self.start_as_the_daemon()
                line = self.daemon.wait_for(words)
                self.assertIn("AccessDenied", line)
                self.assertIn(f"is not authorized to perform: {action}", line)
                self.assertIn(f'"Action": "{action}"', line)
                self.assertEqual(0, self.daemon.stop())
                self.assertEqual(AWAKE, self.counts())


class Result(unittest.TextTestResult):
    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(test.transcript())

    def addError(self, test, err):
        super().addError(test, err)
        if hasattr(test, "transcript"):
            print(test.transcript())


def main():
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    suite = unittest.TestSuite([load(AgainstMoto), load(Doctor), load(UnderAccessControl)])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    bad = len({str(test) for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - bad} passed, {bad} failed")
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
