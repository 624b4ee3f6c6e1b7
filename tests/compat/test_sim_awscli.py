#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The AWS CLI, as people type it, drives every operation of the simulated AWS from the shell.

Takes the `awscli` package of the running interpreter.
"""

import json
import os
import shlex
import subprocess
import sys

from simulated_aws import (ACCOUNT, BASTION, GROUP, KEY, REGION, SECRET, SimulatedAws, eventually,
                           program_argument, run_tests)

CLI_TIMEOUT_S = 120


class Cli:
    def __init__(self, aws):
        self.aws = aws
        self.driven = {"logs": set(), "ecs": set(), "application-autoscaling": set(),
                       "sts": set()}
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment |= {
            "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_MAX_ATTEMPTS": "1", "AWS_PAGER": ""}

    def run(self, line, **environment):
        """`line` as after "aws"; returns (exit code, standard output, standard error)."""
        words = shlex.split(line)
        service, command = words[0], words[1]
        done = subprocess.run(
            [sys.executable, "-m", "awscli", "--endpoint-url", self.aws.url, "--output", "json",
             *words],
            env=self.environment | environment, capture_output=True, text=True,
            timeout=CLI_TIMEOUT_S, check=False)
        if done.returncode == 0:
            self.driven[service].add("".join(part.capitalize() for part in command.split("-")))
        return done.returncode, done.stdout, done.stderr

    def json(self, line, **environment):
        code, out, err = self.run(line, **environment)
        assert code == 0, f"aws {line}: {err}"
        return json.loads(out) if out.strip() else None

    def refused(self, line, error, **environment):
        code, _, err = self.run(line, **environment)
        assert code != 0, f"aws {line}: was not refused"
        assert f"({error})" in err, f"aws {line}: {err}"


class Tests:
    def __init__(self, aws):
        self.aws = aws
        self.cli = Cli(aws)

    def logs_are_filtered(self):
        answer = self.cli.json(f"logs filter-log-events --log-group-name {GROUP}"
                               """ --filter-pattern '"/api/v1/orders/7 "'""")
        assert [event["logStreamName"] for event in answer["events"]] == ["gateway/1"]
        assert "/orders/7 " in answer["events"][0]["message"]
        # The CLI follows the pages by itself.
        answer = self.cli.json(f"logs filter-log-events --log-group-name {GROUP} --page-size 4")
        assert len(answer["events"]) >= 25
        answer = self.cli.json(f"logs filter-log-events --log-group-name {GROUP} --max-items 5")
        assert len(answer["events"]) == 5 and answer["NextToken"]
        self.cli.refused("logs filter-log-events --log-group-name /none",
                         "ResourceNotFoundException")

    def groups_and_streams_come_and_go(self):
        cli = self.cli
        assert cli.json("logs create-log-group --log-group-name /cli/made") is None
        cli.refused("logs create-log-group --log-group-name /cli/made",
                    "ResourceAlreadyExistsException")
        cli.json("logs create-log-stream --log-group-name /cli/made --log-stream-name one")
        now = self.aws.now_ms()
        cli.json("logs put-log-events --log-group-name /cli/made --log-stream-name one"
                 f" --log-events timestamp={now},message=hello")
        groups = cli.json("logs describe-log-groups --log-group-name-prefix /cli")["logGroups"]
        assert [group["logGroupName"] for group in groups] == ["/cli/made"]
        streams = cli.json("logs describe-log-streams --log-group-name /cli/made")["logStreams"]
        assert streams[0]["lastEventTimestamp"] == now
        events = cli.json("logs filter-log-events --log-group-name /cli/made")["events"]
        assert [event["message"] for event in events] == ["hello"]
        cli.json("logs delete-log-group --log-group-name /cli/made")
        cli.refused("logs describe-log-streams --log-group-name /cli/made",
                    "ResourceNotFoundException")

    def query_is_asked(self):
        cli = self.cli
        now = self.aws.now_ms() // 1000
        times = f"--start-time {now - 3600} --end-time {now}"
        start = f"logs start-query --log-group-name {GROUP} {times} --query-string"
        query = cli.json(f"""{start} 'filter @message like "/api/v1/" | limit 1'""")["queryId"]
        eventually(lambda: cli.json(f"logs get-query-results --query-id {query}")["status"],
                   "Complete")
        answer = cli.json(f"logs get-query-results --query-id {query}")
        assert len(answer["results"]) == 1 and answer["statistics"]["recordsScanned"] >= 25
        self.aws.fault("query_never_ends", "StartQuery", count=1)
        query = cli.json(f"{start} 'stats count(*)'")["queryId"]
        listed = cli.json(f"logs describe-queries --log-group-name {GROUP}")["queries"]
        assert query in {entry["queryId"] for entry in listed}
        assert cli.json(f"logs stop-query --query-id {query}") == {"success": True}
        cli.refused(f"{start} 'filter @message likes it'", "MalformedQueryException")

    def services_sleep_and_wake(self):
        cli = self.cli

        def counts():
            service = cli.json("ecs describe-services --cluster staging --services worker")
            service = service["services"][0]
            return service["desiredCount"], service["runningCount"]

        assert counts() == (3, 3)
        update = "ecs update-service --cluster staging --service worker --desired-count"
        assert cli.json(f"{update} 0")["service"]["desiredCount"] == 0
        eventually(counts, (0, 0))
        cli.json(f"{update} 3")
        code, _, err = cli.run("ecs wait services-stable --cluster staging --services worker")
        assert code == 0, err
        assert counts() == (3, 3)
        missing = cli.json("ecs describe-services --cluster staging --services nobody")
        assert missing["failures"][0]["reason"] == "MISSING"
        cli.refused("ecs update-service --cluster staging --service nobody --desired-count 1",
                    "ServiceNotFoundException")
        cli.refused("ecs update-service --cluster none --service api --desired-count 1",
                    "ClusterNotFoundException")

    def what_services_rest_on_is_described(self):
        cli = self.cli
        service = cli.json("ecs describe-services --cluster staging --services gateway")
        definition = service["services"][0]["taskDefinition"]
        definition = cli.json(f"ecs describe-task-definition --task-definition {definition}")
        container = definition["taskDefinition"]["containerDefinitions"][0]
        assert container["logConfiguration"]["options"]["awslogs-group"] == GROUP
        cli.refused("ecs update-service --cluster staging --service gateway"
                    " --task-definition none:1", "ClientException")
        targets = cli.json("application-autoscaling describe-scalable-targets"
                           " --service-namespace ecs --resource-ids service/staging/api")
        assert [target["MinCapacity"] for target in targets["ScalableTargets"]] == [1]

    def clusters_and_services_come_and_go(self):
        cli = self.cli
        cli.json("ecs create-cluster --cluster-name cli")
        assert cli.json("ecs describe-clusters --clusters cli")["clusters"][0]["status"] == "ACTIVE"
        cli.json("ecs create-service --cluster cli --service-name job --desired-count 0"
                 " --task-definition job:1")
        arns = cli.json("ecs list-services --cluster cli")["serviceArns"]
        assert arns == [f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/cli/job"]
        assert len(cli.json("ecs list-clusters --page-size 1")["clusterArns"]) >= 3
        arn = arns[0]
        cli.json(f"ecs tag-resource --resource-arn {arn} --tags key=team,value=web")
        tags = cli.json(f"ecs list-tags-for-resource --resource-arn {arn}")["tags"]
        assert tags == [{"key": "team", "value": "web"}]
        cli.json(f"ecs untag-resource --resource-arn {arn} --tag-keys team")
        cli.json("ecs delete-service --cluster cli --service job")

    def identities_are_told(self):
        cli = self.cli
        assert cli.json("sts get-caller-identity")["Account"] == ACCOUNT
        answer = cli.json(f"sts assume-role --role-arn {BASTION} --role-session-name cli"
                          " --external-id xyzzy")["Credentials"]
        session = {"AWS_ACCESS_KEY_ID": answer["AccessKeyId"],
                   "AWS_SECRET_ACCESS_KEY": answer["SecretAccessKey"],
                   "AWS_SESSION_TOKEN": answer["SessionToken"]}
        arn = cli.json("sts get-caller-identity", **session)["Arn"]
        assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/bastion/cli"
        answer = cli.json(f"sts assume-role-with-web-identity --role-arn {BASTION}"
                          " --role-session-name web --web-identity-token a.web.token")
        assert answer["AssumedRoleUser"]["Arn"].endswith("/bastion/web")
        cli.refused("sts get-caller-identity", "SignatureDoesNotMatch",
                    AWS_SECRET_ACCESS_KEY="wrong")
        cli.refused("logs describe-log-groups", "InvalidSignatureException",
                    AWS_SECRET_ACCESS_KEY="wrong")
        cli.refused("ecs list-clusters", "UnrecognizedClientException",
                    AWS_ACCESS_KEY_ID="AKIDUNKNOWN")

    def instance_credentials_are_used(self):
        cli = self.cli
        none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
        answer = cli.json("sts get-caller-identity",
                          AWS_EC2_METADATA_SERVICE_ENDPOINT=self.aws.url + "/", **none)
        assert "assumed-role/bastion/i-" in answer["Arn"]
        answer = cli.json("sts get-caller-identity", AWS_EC2_METADATA_DISABLED="true",
                          AWS_CONTAINER_CREDENTIALS_FULL_URI=self.aws.url + "/v2/credentials/task",
                          AWS_CONTAINER_AUTHORIZATION_TOKEN="Bearer container", **none)
        assert "assumed-role/bastion/task-" in answer["Arn"]

    def every_operation_was_driven(self):
        for service, names in self.aws.admin("GET", "operations").items():
            left = set(names) - self.cli.driven[service]
            assert not left, f"{service}: {sorted(left)}"

    def all(self):
        return [self.logs_are_filtered, self.groups_and_streams_come_and_go, self.query_is_asked,
                self.services_sleep_and_wake, self.what_services_rest_on_is_described,
                self.clusters_and_services_come_and_go,
                self.identities_are_told, self.instance_credentials_are_used,
                self.every_operation_was_driven]


def main():
    with SimulatedAws(program_argument(__doc__)) as aws:
        return run_tests([(test.__name__.replace("_", " "), test) for test in Tests(aws).all()])


if __name__ == "__main__":
    sys.exit(main())
