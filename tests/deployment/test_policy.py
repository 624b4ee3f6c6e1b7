# SPDX-License-Identifier: MIT
"""The least that the daemon may do is enough, and each permission of it is needed."""

import json
import re
import unittest

from moto.iam.policy_validation import IAMPolicyDocumentValidator

from examples import DEMO, EXAMPLES, ROOT, STAGING, TEST, of_the_daemon, permissions
from harness import ACCESS_KEY, SECRET_KEY, Story, services, world


PREFIXES = {"logs": "Logs_20140328", "ecs": "AmazonEC2ContainerServiceV20141113"}


def readme_policy():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r'(?ms)^   ```json\n(   \{\n +"Version": "2012-10-17".*?)^   ```', text)
    return json.loads(found[1])


def actions_of_the_source():
    """Each operation that the daemon can call, as IAM names it; others are provisionerctl's alone."""
    header = (ROOT / "src/aws.h").read_text(encoding="utf-8")
    table = (ROOT / "src/aws/operation.c").read_text(encoding="utf-8")
    daemons = re.findall(r"(?m)^    (\w+),$", header.split("enum aws_operation {")[1]
                         .split("AWS_N_DAEMON_OPERATIONS")[0])
    return {f"{service.lower()}:{name}" for operation, service, name in
            re.findall(r'\[(\w+)\] = \{(LOGS|ECS)\("(\w+)"\)', table) if operation in daemons}


class Documents(unittest.TestCase):
    def test_examples_and_readme_permit_the_same(self):
        wanted = permissions(readme_policy())
        for name, example in EXAMPLES.items():
            self.assertEqual(wanted, of_the_daemon(example([STAGING])), name)

    def test_so_do_the_examples_with_more_environments(self):
        for environments in ([STAGING, TEST, DEMO], [{**STAGING, "wake_to": "api = 2, worker, web"}]):
            by_both = [of_the_daemon(example(environments)) for example in EXAMPLES.values()]
            self.assertEqual(*by_both)
        wanted = of_the_daemon(EXAMPLES["Terraform"]([STAGING, TEST, DEMO]))
        self.assertIn(("ecs:UpdateService",
                       "arn:aws:ecs:eu-west-1:123456789012:service/test-cluster/two"), wanted)
        self.assertEqual(23, len(wanted))

    def test_what_writes_the_log_may_be_seen_and_not_be_touched(self):
        for name, example in EXAMPLES.items():
            gateway = {action for action, resource in of_the_daemon(example([STAGING]))
                       if resource.endswith("/gateway")}
            self.assertEqual({"ecs:DescribeServices"}, gateway, name)

    def test_all_resources_are_permitted_only_where_there_are_none(self):
        for name, example in EXAMPLES.items():
            everything = {action for action, resource in of_the_daemon(example([STAGING, TEST]))
                          if resource == "*"}
            self.assertEqual({"logs:GetQueryResults", "logs:StopQuery"}, everything, name)

    def test_they_are_the_actions_in_the_source(self):
        said = {action for action, _ in permissions(readme_policy())}
        self.assertEqual(6, len(said))
        self.assertEqual(actions_of_the_source(), said)
        manual = (ROOT / "man/provisionerd.8").read_text(encoding="utf-8")
        self.assertEqual(said, set(re.findall(r"\b(?:logs|ecs):\w+", manual)))

    def test_the_grammar_is_that_of_iam(self):
        """As moto, which knows what IAM refuses, reads it."""
        for name, example in EXAMPLES.items():
            deployment = example([STAGING, TEST, DEMO],
                                 alarm_topic="arn:aws:sns:eu-west-1:123456789012:ops",
                                 package={"url": "s3://b/k.deb", "sha256": "0" * 64})
            self.assertLessEqual({"package", "session-manager", "alarm"}, set(deployment.policies),
                                 name)
            for document in deployment.policies.values():
                IAMPolicyDocumentValidator(json.dumps(document)).validate()
        IAMPolicyDocumentValidator(json.dumps(readme_policy())).validate()


class InForce(Story):
    """The daemon against the simulated AWS, which lets it do what the policy says and no more. Once
    for each action, it lets it do one less."""

    def start_with(self, allowed):
        self.start_sim(world(
            clusters=[{"name": "staging", "services": services(api=2, worker=3, web=1, database=1)},
                      {"name": "live", "services": [{"name": "api", "desired": 9}]}],
            credentials=[{"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY,
                          "allow": [{"action": action, "resource": resource}
                                    for action, resource in sorted(allowed)]}]))
        self.write_config(always_on="gateway")
        return self.start_daemon()

    def live(self):
        """Falls asleep, wakes up, and stops in the midst of a query: all that it ever does."""
        self.fall_asleep()
        self.wake_up()

    def stop_within_a_query(self):
        self.sim.fault("query_never_ends", "StartQuery")
        self.sim.set(query_running_ms=600000)
        self.write_config(always_on="gateway", insights="always")
        mark = self.sim.mark()
        self.daemon.reload()
        self.sim.wait_for_calls("GetQueryResults", since=mark, n=2)
        self.daemon.stop()

    def refused(self):
        return {call["operation"] for call in self.sim.history()
                if "AccessDenied" in (call["code"] or "")}

    def is_enough(self, example):
        self.start_with(of_the_daemon(example([STAGING])))
        self.live()
        self.stop_within_a_query()
        self.assertEqual(set(), self.refused())
        self.assertEqual({action.split(":")[1] for action in actions_of_the_source()},
                         {call["operation"] for call in self.sim.history()})
        self.assertIsNone(self.daemon.says("AccessDenied"))

    def test_cloudformation_s_is_enough(self):
        self.is_enough(EXAMPLES["CloudFormation"])

    def test_terraform_s_is_enough(self):
        self.is_enough(EXAMPLES["Terraform"])

    def test_it_is_no_more(self):
        """With the daemon's keys, by somebody else's hand."""
        self.start_with(of_the_daemon(EXAMPLES["CloudFormation"]([STAGING])))
        for service, operation, parameters in (
                ("ecs", "UpdateService", {"cluster": "staging", "service": "gateway"}),
                ("ecs", "UpdateService", {"cluster": "staging", "service": "database"}),
                ("ecs", "UpdateService", {"cluster": "live", "service": "api"}),
                ("ecs", "DescribeServices", {"cluster": "live", "services": ["api"]}),
                ("ecs", "ListServices", {"cluster": "staging"}),
                ("logs", "DescribeLogGroups", {})):
            if operation == "UpdateService":
                parameters["desiredCount"] = 0
            with self.assertRaisesRegex(AssertionError, "AccessDenied", msg=operation):
                self.sim.call(service, f"{PREFIXES[service]}.{operation}", parameters, ACCESS_KEY,
                              SECRET_KEY)

    def is_needed(self, action):
        """Without it the daemon is refused just that, says so, and no environment sleeps."""
        operation = action.split(":")[1]
        allowed = of_the_daemon(EXAMPLES["Terraform"]([STAGING]))
        self.start_with({one for one in allowed if one[0] != action})
        if operation == "StopQuery":
            self.stop_within_a_query()
        else:
            self.daemon.wait_for(re.compile(f"{operation}.*refused|AccessDenied|{action}"))
        self.assertEqual({operation}, self.refused())
        if operation != "UpdateService":
            self.assert_nothing_sleeps()


for _action in sorted(actions_of_the_source()):
    setattr(InForce, f"test_{_action.replace(':', '_')}_is_needed",
            lambda self, action=_action: self.is_needed(action))
