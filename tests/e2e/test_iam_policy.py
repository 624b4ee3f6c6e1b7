# SPDX-License-Identifier: MIT
"""The policy of `provisionerctl iam-policy`, enforced by the simulated AWS: with it everything works,
and without any of its statements the matching thing, and that alone, is refused."""

import copy
import json
import subprocess
import unittest

from harness import (ACCESS_KEY, AWAKE, BUILD, DEADLINE_S, KEYS, LOG_GROUP, REGION, SECRET_KEY,
                     SHORT_WINDOW, Story, environment_of_programs)

ACCOUNT = "123456789012"
GROUP_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{LOG_GROUP}"


def service_arn(name):
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/staging/{name}"


# What ends without a statement: the words of the daemon's trouble, and what AWS is asked for.
FEATURES = {
    "SeeActivity": ("cannot look for activity: FilterLogEvents: AccessDeniedException",
                    "logs:FilterLogEvents", GROUP_ARN),
    "ConfirmIdleness": ("cannot query Logs Insights: StartQuery: AccessDeniedException",
                        "logs:StartQuery", GROUP_ARN),
    "ReadQueries": ("cannot query Logs Insights: GetQueryResults: AccessDeniedException",
                    "logs:GetQueryResults", GROUP_ARN),
    "ReadServices": ("cannot read the services: DescribeServices: AccessDeniedException",
                     "ecs:DescribeServices", service_arn("")),
    "SleepAndWake": ("cannot set a desired count: UpdateService: AccessDeniedException",
                     "ecs:UpdateService", service_arn("")),
}


class PolicyStory(Story):
    def given(self, **options):
        """A principal that may do nothing yet, and the configuration's policy."""
        self.start_sim()
        self.write_config(always_on="gateway", **{**SHORT_WINDOW, **options})
        self.policy = json.loads(self.ctl("iam-policy", "--account", ACCOUNT))
        self.allow([])

    def ctl(self, verb, *arguments, status=0):
        done = subprocess.run([BUILD / "provisionerctl", verb, "--config", self.config, *arguments],
                              env=environment_of_programs(HOME=str(self.directory), **KEYS),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def allow(self, statements):
        self.sim.admin("PUT", "policy", {"principal": ACCESS_KEY, "policy": {
            "Version": "2012-10-17", "Statement": statements}})

    def denied(self, since=0):
        """The operations that were refused."""
        return {call["operation"] for call in self.sim.history(since=since)
                if call["code"] == "AccessDeniedException"}

    def without(self, sid):
        statements = [s for s in self.policy["Statement"] if s["Sid"] != sid]
        self.assertEqual(len(self.policy["Statement"]) - 1, len(statements))
        return statements


class WithIt(PolicyStory):
    def test_all_of_the_story_works(self):
        """Falls asleep, wakes, is stopped and started, sees a hand at work; and gives a query up,
        which takes StopQuery."""
        self.given()
        self.allow(self.policy["Statement"])
        self.start_daemon()
        self.fall_asleep()
        self.wake_up()
        self.sim.fault("query_never_ends", "StartQuery", count=1)
        self.sim.wait_for_calls("StartQuery", 2)
        self.assert_stops_cleanly()
        self.sim.wait_for_calls("StopQuery")
        self.start_daemon()
        self.fall_asleep()
        self.sim.scale("worker", 1)
        self.daemon.wait_for("waking")
        self.assertEqual(set(), self.denied())
        self.assertEqual({"FilterLogEvents", "StartQuery", "GetQueryResults", "StopQuery",
                          "DescribeServices", "UpdateService"},
                         {call["operation"] for call in self.sim.history()})

    def test_no_statement_is_of_no_use(self):
        """The daemon's operations and the policy's actions are the same."""
        self.given()
        actions = [action for s in self.policy["Statement"] for action in s["Action"]]
        self.assertEqual(len(actions), len(set(actions)))
        self.assertEqual({"logs:FilterLogEvents", "logs:StartQuery", "logs:GetQueryResults",
                          "logs:StopQuery", "ecs:DescribeServices", "ecs:UpdateService"},
                         set(actions))

    def test_nothing_else_is_allowed(self):
        """Another service, another log group, another action: refused."""
        self.given()
        self.allow(self.policy["Statement"])
        for service, target, parameters in (
                ("ecs", "AmazonEC2ContainerServiceV20141113.UpdateService",
                 {"cluster": "staging", "service": "gateway", "desiredCount": 0}),
                ("ecs", "AmazonEC2ContainerServiceV20141113.UpdateService",
                 {"cluster": "production", "service": "api", "desiredCount": 0}),
                ("ecs", "AmazonEC2ContainerServiceV20141113.DeleteService",
                 {"cluster": "staging", "service": "api", "force": True}),
                ("logs", "Logs_20140328.FilterLogEvents", {"logGroupName": "/other"}),
                ("logs", "Logs_20140328.DeleteLogGroup", {"logGroupName": LOG_GROUP})):
            with self.assertRaisesRegex(AssertionError, "AccessDeniedException", msg=target):
                self.sim.call(service, target, parameters, ACCESS_KEY, SECRET_KEY)
        self.assertEqual(AWAKE, self.sim.counts())


class WithoutAStatement(PolicyStory):
    def check(self, sid):
        words, action, resource = FEATURES[sid]
        self.given()
        self.allow(self.without(sid))
        self.start_daemon()
        # The daemon: what it cannot do, AWS's words, and the statement that is missing.
        line = self.daemon.wait_for(words)
        self.assertIn(f"is not authorized to perform: {action} on resource: {resource}", line)
        self.assertIn(f'"Action": "{action}"', line)
        self.assert_nothing_slept()
        # And no other operation is refused.
        operations = {a.split(":")[1] for s in self.policy["Statement"] if s["Sid"] == sid
                      for a in s["Action"]}
        self.assertLessEqual(self.denied(), operations)
        self.check_doctor(sid, operations)
        # Mended, it goes on by itself.
        self.allow(self.policy["Statement"])
        self.assertTrue(self.daemon.is_running)

    def assert_nothing_slept(self):
        accepted = [call for call in self.sim.history("UpdateService") if call["code"] == ""]
        self.assertEqual([], accepted)
        self.assertEqual(AWAKE, self.sim.counts())

    def check_doctor(self, sid, operations):
        """The doctor: one failed permission for each action and resource, with the statement."""
        findings = json.loads(self.ctl("doctor", "--json", status=1))["findings"]
        failed = [finding for finding in findings if finding["result"] == "failed"
                  and finding["check"] == "permission"]
        self.assertEqual(operations, {json.loads(finding["details"][0])["Action"].split(":")[1]
                                      for finding in failed})
        # Its statements, in place of the one that is missing, are enough.
        self.allow(self.without(sid) + [json.loads(finding["details"][0]) for finding in failed])
        findings = json.loads(self.ctl("doctor", "--json"))["findings"]
        self.assertFalse([finding for finding in findings if finding["check"] == "permission"
                          and finding["result"] != "ok"])


def for_statement(sid):
    def test(self):
        self.check(sid)
    return test


for name in FEATURES:
    setattr(WithoutAStatement, f"test_{name}", for_statement(name))


class WithoutAResource(PolicyStory):
    def test_each_service_counts(self):
        """A statement that lacks one of its services: that service is named."""
        self.given()
        for sid, action in (("ReadServices", "ecs:DescribeServices"),
                            ("SleepAndWake", "ecs:UpdateService")):
            statements = copy.deepcopy(self.policy["Statement"])
            [statement] = [s for s in statements if s["Sid"] == sid]
            statement["Resource"].remove(service_arn("worker"))
            self.allow(statements)
            findings = json.loads(self.ctl("doctor", "--json", status=1))["findings"]
            [failed] = [finding for finding in findings if finding["result"] == "failed"]
            self.assertEqual({"Effect": "Allow", "Action": action,
                              "Resource": service_arn("worker")}, json.loads(failed["details"][0]))


class StatementsAndTests(unittest.TestCase):
    def test_every_statement_has_a_test(self):
        """The verb may grow; then this has to."""
        done = subprocess.run([BUILD / "provisionerctl", "iam-policy", "--config", "/dev/stdin"],
                              input="[environment x]\ncluster = c\nservices = s\nlog_group = /g\n",
                              capture_output=True, text=True, check=True,
                              env=environment_of_programs())
        self.assertEqual(list(FEATURES), [s["Sid"] for s in json.loads(done.stdout)["Statement"]])


if __name__ == "__main__":
    unittest.main()
