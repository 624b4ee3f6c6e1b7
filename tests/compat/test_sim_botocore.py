#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""botocore, which knows AWS and not us, drives every operation of the simulated AWS.

Each answer is held against botocore's service models by response_shapes; each error must be parsed to
the code, the status and, where the service models one, the exception that AWS documents.
"""

import datetime
import os
import sys
import time

import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session
import botocore.utils

import response_shapes
from simulated_aws import (ACCOUNT, BASTION, GROUP, KEY, REGION, SECRET, SimulatedAws, eventually,
                           program_argument, run_tests)

NO_RETRIES = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=20,
                                    connect_timeout=5, parameter_validation=False)


class Story:
    """A client of each service, and what the tests want to know of them."""

    def __init__(self, aws):
        self.aws = aws
        self.driven = {"logs": set(), "ecs": set(), "application-autoscaling": set(),
                       "sts": set()}

    def client(self, service, key=KEY, secret=SECRET, token=None, url=None, **more):
        session = botocore.session.get_session()
        client = session.create_client(
            service, region_name=REGION, endpoint_url=url or self.aws.url, aws_access_key_id=key,
            aws_secret_access_key=secret, aws_session_token=token, config=NO_RETRIES, **more)
        return self.watch(client, service)

    def watch(self, client, service):
        def before_parse(operation_model, response_dict, **_):
            if response_dict["status_code"] < 300:
                response_shapes.check_response(operation_model, response_dict["headers"],
                                               response_dict["body"])
                self.driven[service].add(operation_model.name)
            assert response_dict["headers"].get("x-amzn-RequestId"), "no x-amzn-RequestId"
            assert response_dict["headers"].get("Date"), "no Date"

        client.meta.events.register(f"before-parse.{service}", before_parse)
        return client


def expect_error(call, code, status=400, exception=None, text=None):
    """exception: a modelled exception class of the client, or None: not in the model."""
    try:
        call()
    except botocore.exceptions.ClientError as error:
        got = error.response["Error"]["Code"]
        assert got == code, f"{got}, not {code}: {error}"
        got_status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert got_status == status, f"HTTP {got_status}, not {status}"
        assert error.response["ResponseMetadata"]["RequestId"]
        assert error.response["Error"]["Message"], "no message"
        assert exception is None or isinstance(error, exception), f"{type(error)}"
        assert text is None or text in str(error), str(error)
    else:
        raise AssertionError(f"no {code}")


# CloudWatch Logs

class LogsTests:
    def __init__(self, story):
        self.aws = story.aws
        self.logs = story.client("logs")
        self.story = story

    def messages(self, **parameters):
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP,
                                                                      **parameters)
        return [event["message"] for page in pages for event in page["events"]]

    def filter_finds_what_matches(self):
        assert len(self.messages(filterPattern='"/api/v1/"')) >= 25
        assert len(self.messages(filterPattern='"/orders/7 "')) == 1
        assert self.messages(filterPattern="nothing_like_this") == []
        assert len(self.messages(filterPattern="%orders/1[0-9]%")) == 10

    def filter_pages_are_followed(self):
        whole = self.messages()
        assert self.messages(limit=3) == whole
        self.aws.admin("PATCH", "settings", {"empty_pages": 2, "page_events": 4})
        try:
            first = self.logs.filter_log_events(logGroupName=GROUP)
            assert first["events"] == [] and first["nextToken"]
            assert self.messages() == whole
        finally:
            self.aws.admin("PATCH", "settings", {"empty_pages": 0, "page_events": 10000})

    def filter_respects_time_and_streams(self):
        events = self.logs.filter_log_events(logGroupName=GROUP)["events"]
        middle = events[len(events) // 2]["timestamp"]
        later = self.logs.filter_log_events(logGroupName=GROUP, startTime=middle)["events"]
        earlier = self.logs.filter_log_events(logGroupName=GROUP, endTime=middle)["events"]
        assert all(event["timestamp"] >= middle for event in later)
        assert all(event["timestamp"] <= middle for event in earlier)
        assert {e["eventId"] for e in earlier + later} == {e["eventId"] for e in events}
        one = self.logs.filter_log_events(logGroupName=GROUP, logStreamNames=["gateway/1"])
        assert {event["logStreamName"] for event in one["events"]} == {"gateway/1"}
        prefixed = self.logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix="gateway/2")
        assert {event["logStreamName"] for event in prefixed["events"]} == {"gateway/2"}

    def filter_refuses_as_aws_does(self):
        invalid = self.logs.exceptions.InvalidParameterException
        missing = self.logs.exceptions.ResourceNotFoundException
        call = self.logs.filter_log_events
        expect_error(lambda: call(logGroupName="/no/such"), "ResourceNotFoundException",
                     exception=missing)
        expect_error(lambda: call(logGroupName=GROUP, logStreamNames=["none"]),
                     "ResourceNotFoundException", exception=missing)
        expect_error(lambda: call(), "InvalidParameterException", exception=invalid)
        expect_error(lambda: call(logGroupName=""), "InvalidParameterException", exception=invalid)
        expect_error(lambda: call(logGroupName=GROUP, limit=10001), "InvalidParameterException",
                     exception=invalid)
        expect_error(lambda: call(logGroupName=GROUP, filterPattern="%x!%"),
                     "InvalidParameterException", exception=invalid)
        expect_error(lambda: call(logGroupName=GROUP, filterPattern="x" * 1025),
                     "InvalidParameterException", exception=invalid)
        expect_error(lambda: call(logGroupName=GROUP, nextToken="made-up"),
                     "InvalidParameterException", exception=invalid)
        expect_error(lambda: call(logGroupName="/rarely/read"), "InvalidParameterException",
                     exception=invalid)

    def groups_and_streams_are_described(self):
        pages = self.logs.get_paginator("describe_log_groups").paginate(
            PaginationConfig={"PageSize": 1})
        groups = [group for page in pages for group in page["logGroups"]]
        names = [group["logGroupName"] for group in groups]
        assert names == sorted(names) and GROUP in names and "/rarely/read" in names
        rare = next(group for group in groups if group["logGroupName"] == "/rarely/read")
        assert rare["logGroupClass"] == "INFREQUENT_ACCESS"
        assert self.logs.describe_log_groups(logGroupNamePrefix="/no")["logGroups"] == []
        pages = self.logs.get_paginator("describe_log_streams").paginate(
            logGroupName=GROUP, orderBy="LastEventTime", descending=True,
            PaginationConfig={"PageSize": 2})
        streams = [stream for page in pages for stream in page["logStreams"]]
        assert {"gateway/0", "gateway/1", "gateway/2"} <= {s["logStreamName"] for s in streams}
        times = [stream.get("lastEventTimestamp", 0) for stream in streams]
        assert times == sorted(times, reverse=True)

    def events_are_put_and_found(self):
        logs = self.logs
        logs.create_log_group(logGroupName="/test/put")
        expect_error(lambda: logs.create_log_group(logGroupName="/test/put"),
                     "ResourceAlreadyExistsException",
                     exception=logs.exceptions.ResourceAlreadyExistsException)
        logs.create_log_stream(logGroupName="/test/put", logStreamName="one")
        now = self.aws.now_ms()
        day = 24 * 3600 * 1000
        answer = logs.put_log_events(
            logGroupName="/test/put", logStreamName="one",
            logEvents=[{"timestamp": now - 10, "message": "früh"},
                       {"timestamp": now, "message": "spät"}])
        assert "rejectedLogEventsInfo" not in answer
        answer = logs.put_log_events(logGroupName="/test/put", logStreamName="one",
                                     logEvents=[{"timestamp": now - 20 * day, "message": "old"}])
        assert answer["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] == 1
        events = logs.filter_log_events(logGroupName="/test/put")["events"]
        assert [event["message"] for event in events] == ["früh", "spät"]
        expect_error(lambda: logs.put_log_events(logGroupName="/test/put", logStreamName="none",
                                                 logEvents=[{"timestamp": now, "message": "x"}]),
                     "ResourceNotFoundException",
                     exception=logs.exceptions.ResourceNotFoundException)
        logs.delete_log_group(logGroupName="/test/put")
        expect_error(lambda: logs.filter_log_events(logGroupName="/test/put"),
                     "ResourceNotFoundException")

    def start(self, query='filter @message like "/api/v1/" | limit 1', **parameters):
        now = int(time.time())
        parameters = {"logGroupName": GROUP, "startTime": now - 3600, "endTime": now,
                      "queryString": query, **parameters}
        return self.logs.start_query(**parameters)["queryId"]

    def query_runs_to_its_end(self):
        seen = set()

        def status():
            answer = self.logs.get_query_results(queryId=query)
            seen.add(answer["status"])
            return answer["status"]

        query = self.start()
        eventually(status, "Complete")
        assert seen <= {"Scheduled", "Running", "Complete"}
        answer = self.logs.get_query_results(queryId=query)
        assert len(answer["results"]) == 1
        assert {"@timestamp", "@message", "@ptr"} >= {f["field"] for f in answer["results"][0]}
        assert answer["statistics"]["recordsScanned"] >= 25
        query = self.start('filter @message like /no such thing/')
        eventually(lambda: self.logs.get_query_results(queryId=query)["status"], "Complete")
        answer = self.logs.get_query_results(queryId=query)
        assert answer["results"] == [] and answer["statistics"]["recordsMatched"] == 0

    def query_takes_several_groups(self):
        query = self.start("stats count(*)", logGroupName=None, logGroupNames=[GROUP])
        eventually(lambda: self.logs.get_query_results(queryId=query)["status"], "Complete")

    def queries_are_listed_and_stopped(self):
        self.aws.fault("query_never_ends", "StartQuery", count=1)
        query = self.start()
        listed = self.logs.describe_queries(logGroupName=GROUP)["queries"]
        assert query in {q["queryId"] for q in listed}
        assert self.logs.stop_query(queryId=query)["success"] is True
        assert self.logs.get_query_results(queryId=query)["status"] == "Cancelled"
        expect_error(lambda: self.logs.stop_query(queryId=query), "InvalidParameterException",
                     exception=self.logs.exceptions.InvalidParameterException)

    def bad_ends_of_queries(self):
        for kind, end in (("query_failed", "Failed"), ("query_cancelled", "Cancelled"),
                          ("query_timeout", "Timeout"), ("query_unknown", "Unknown")):
            self.aws.fault(kind, "StartQuery", count=1)
            query = self.start()
            eventually(lambda q=query: self.logs.get_query_results(queryId=q)["status"], end)

    def queries_are_refused_as_aws_does(self):
        errors = self.logs.exceptions
        expect_error(lambda: self.start("filter @message likes it"), "MalformedQueryException",
                     exception=errors.MalformedQueryException)
        expect_error(lambda: self.start(logGroupName="/no/such"), "ResourceNotFoundException",
                     exception=errors.ResourceNotFoundException)
        expect_error(lambda: self.start(logGroupNames=[GROUP]), "InvalidParameterException",
                     exception=errors.InvalidParameterException)
        expect_error(lambda: self.start(endTime=1), "InvalidParameterException",
                     exception=errors.InvalidParameterException)
        expect_error(lambda: self.logs.get_query_results(
            queryId="00000000-0000-0000-0000-000000000000"), "ResourceNotFoundException",
                     exception=errors.ResourceNotFoundException)
        self.aws.fault("query_limit_exceeded", "StartQuery", count=1)
        expect_error(self.start, "LimitExceededException", exception=errors.LimitExceededException)

    def tests(self):
        return [self.filter_finds_what_matches, self.filter_pages_are_followed,
                self.filter_respects_time_and_streams, self.filter_refuses_as_aws_does,
                self.groups_and_streams_are_described, self.events_are_put_and_found,
                self.query_runs_to_its_end, self.query_takes_several_groups,
                self.queries_are_listed_and_stopped, self.bad_ends_of_queries,
                self.queries_are_refused_as_aws_does]


# ECS

class EcsTests:
    def __init__(self, story):
        self.aws = story.aws
        self.ecs = story.client("ecs")

    def describe(self, *services, **more):
        return self.ecs.describe_services(cluster="staging", services=list(services), **more)

    def counts(self, service):
        described = self.describe(service)["services"][0]
        return (described["desiredCount"], described["runningCount"], described["pendingCount"])

    def services_are_described(self):
        answer = self.describe("api", "worker", "web", include=["TAGS"])
        assert not answer["failures"]
        assert [s["desiredCount"] for s in answer["services"]] == [2, 3, 1]
        api = answer["services"][0]
        assert api["serviceArn"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/staging/api"
        assert api["tags"] == [{"key": "team", "value": "web"}]
        assert api["status"] == "ACTIVE" and api["schedulingStrategy"] == "REPLICA"
        assert isinstance(api["createdAt"], datetime.datetime)
        by_arn = self.describe(api["serviceArn"])["services"][0]
        assert by_arn["serviceName"] == "api"
        assert self.describe("agent")["services"][0]["schedulingStrategy"] == "DAEMON"

    def missing_services_are_failures(self):
        answer = self.describe("api", "nobody")
        assert len(answer["services"]) == 1
        assert answer["failures"][0]["reason"] == "MISSING"
        assert answer["failures"][0]["arn"].endswith("nobody")

    def sleep_and_wake(self):
        ecs = self.ecs
        answer = ecs.update_service(cluster="staging", service="api", desiredCount=0)
        assert answer["service"]["desiredCount"] == 0
        eventually(lambda: self.counts("api"), (0, 0, 0))
        ecs.update_service(cluster="staging", service="api", desiredCount=2)
        desired, running, pending = self.counts("api")
        assert (desired, running + pending) == (2, 2)
        eventually(lambda: self.counts("api"), (2, 2, 0))
        waiter = ecs.get_waiter("services_stable")
        waiter.wait(cluster="staging", services=["api"], WaiterConfig={"Delay": 1,
                                                                       "MaxAttempts": 20})

    def updates_are_refused_as_aws_does(self):
        errors = self.ecs.exceptions
        update = self.ecs.update_service
        expect_error(lambda: update(cluster="none", service="api", desiredCount=1),
                     "ClusterNotFoundException", exception=errors.ClusterNotFoundException)
        expect_error(lambda: update(cluster="staging", service="none", desiredCount=1),
                     "ServiceNotFoundException", exception=errors.ServiceNotFoundException)
        expect_error(lambda: update(cluster="staging", service="gone", desiredCount=1),
                     "ServiceNotActiveException", exception=errors.ServiceNotActiveException)
        expect_error(lambda: update(cluster="staging", service="agent", desiredCount=1),
                     "InvalidParameterException", exception=errors.InvalidParameterException)
        expect_error(lambda: update(cluster="staging", service="api", desiredCount=-1),
                     "InvalidParameterException", exception=errors.InvalidParameterException)
        expect_error(lambda: self.ecs.describe_services(cluster="none", services=["api"]),
                     "ClusterNotFoundException", exception=errors.ClusterNotFoundException)
        expect_error(lambda: self.describe(*[f"s{n}" for n in range(11)]),
                     "InvalidParameterException", exception=errors.InvalidParameterException)

    def lists_are_paged(self):
        pages = self.ecs.get_paginator("list_services").paginate(
            cluster="staging", PaginationConfig={"PageSize": 2})
        arns = [arn for page in pages for arn in page["serviceArns"]]
        assert len(arns) == len(set(arns)) >= 4
        pages = self.ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 1})
        arns = [arn for page in pages for arn in page["clusterArns"]]
        assert {arn.rsplit("/")[-1] for arn in arns} >= {"staging", "production"}

    def clusters_and_services_are_made(self):
        ecs = self.ecs
        assert ecs.create_cluster(clusterName="made")["cluster"]["status"] == "ACTIVE"
        answer = ecs.describe_clusters(clusters=["made", "none"])
        assert answer["clusters"][0]["clusterName"] == "made"
        assert answer["failures"][0]["reason"] == "MISSING"
        ecs.create_service(cluster="made", serviceName="job", desiredCount=1,
                           taskDefinition="job:1")
        expect_error(lambda: ecs.delete_service(cluster="made", service="job"),
                     "InvalidParameterException",
                     exception=ecs.exceptions.InvalidParameterException)
        assert ecs.delete_service(cluster="made", service="job", force=True)["service"]["status"] \
            in ("DRAINING", "INACTIVE")

    def task_definitions_say_where_the_log_goes(self):
        arn = self.describe("gateway")["services"][0]["taskDefinition"]
        definition = self.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        assert definition["taskDefinitionArn"] == arn and definition["status"] == "ACTIVE"
        by_family = self.ecs.describe_task_definition(taskDefinition=definition["family"],
                                                      include=["TAGS"])
        assert by_family["taskDefinition"]["taskDefinitionArn"] == arn and by_family["tags"] == []
        log = definition["containerDefinitions"][0]["logConfiguration"]
        assert log["logDriver"] == "awslogs" and log["options"]["awslogs-group"] == GROUP
        client_error = self.ecs.exceptions.ClientException
        expect_error(lambda: self.ecs.describe_task_definition(taskDefinition="none"),
                     "ClientException", exception=client_error)
        before = self.counts("api")
        expect_error(lambda: self.ecs.update_service(cluster="staging", service="api",
                                                     taskDefinition="none"),
                     "ClientException", exception=client_error, text="TaskDefinition not found")
        assert self.counts("api") == before

    def tags_are_put_and_taken(self):
        ecs = self.ecs
        arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/staging/web"
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "provisionerd:desired", "value": "1"}])
        tags = ecs.list_tags_for_resource(resourceArn=arn)["tags"]
        assert tags == [{"key": "provisionerd:desired", "value": "1"}]
        ecs.untag_resource(resourceArn=arn, tagKeys=["provisionerd:desired"])
        assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == []
        expect_error(lambda: ecs.tag_resource(resourceArn="arn:aws:ecs:x:1:service/web",
                                              tags=[{"key": "a", "value": "b"}]),
                     "InvalidParameterException",
                     exception=ecs.exceptions.InvalidParameterException)

    def tests(self):
        return [self.services_are_described, self.missing_services_are_failures,
                self.sleep_and_wake, self.updates_are_refused_as_aws_does, self.lists_are_paged,
                self.clusters_and_services_are_made,
                self.task_definitions_say_where_the_log_goes, self.tags_are_put_and_taken]


# Application Auto Scaling

class ScalingTests:
    def __init__(self, story):
        self.scaling = story.client("application-autoscaling")

    def targets_are_described(self):
        pages = self.scaling.get_paginator("describe_scalable_targets").paginate(
            ServiceNamespace="ecs", PaginationConfig={"PageSize": 1})
        targets = {target["ResourceId"]: target for page in pages
                   for target in page["ScalableTargets"]}
        assert set(targets) == {"service/staging/api", "service/staging/worker"}
        api, worker = targets["service/staging/api"], targets["service/staging/worker"]
        assert (api["MinCapacity"], api["MaxCapacity"]) == (1, 4)
        assert not any(api["SuspendedState"].values())
        assert all(worker["SuspendedState"].values())
        asked = self.scaling.describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=["service/staging/api", "service/staging/web"],
            ScalableDimension="ecs:service:DesiredCount")["ScalableTargets"]
        assert [target["ResourceId"] for target in asked] == ["service/staging/api"]

    def targets_are_refused_as_aws_does(self):
        errors = self.scaling.exceptions
        call = self.scaling.describe_scalable_targets
        expect_error(lambda: call(), "ValidationException", exception=errors.ValidationException)
        expect_error(lambda: call(ServiceNamespace="ecs", MaxResults=51), "ValidationException",
                     exception=errors.ValidationException)
        expect_error(lambda: call(ServiceNamespace="ecs",
                                  ScalableDimension="ecs:service:DesiredCount"),
                     "ValidationException", exception=errors.ValidationException)
        expect_error(lambda: call(ServiceNamespace="ecs", NextToken="made-up"),
                     "InvalidNextTokenException", exception=errors.InvalidNextTokenException)

    def tests(self):
        return [self.targets_are_described, self.targets_are_refused_as_aws_does]


# Identity

class IdentityTests:
    def __init__(self, story):
        self.story = story
        self.aws = story.aws
        self.sts = story.client("sts")

    def caller_is_known(self):
        identity = self.sts.get_caller_identity()
        assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/admin"
        assert identity["Account"] == ACCOUNT

    def role_is_assumed(self):
        answer = self.sts.assume_role(RoleArn=BASTION, RoleSessionName="tester",
                                      ExternalId="xyzzy", DurationSeconds=900)
        keys = answer["Credentials"]
        left = keys["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
        assert 0 < left.total_seconds() <= 900
        sts = self.story.client("sts", keys["AccessKeyId"], keys["SecretAccessKey"],
                                keys["SessionToken"])
        identity = sts.get_caller_identity()
        assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/bastion/tester"
        assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
        expect_error(lambda: sts.assume_role(RoleArn=BASTION, RoleSessionName="chained",
                                             ExternalId="xyzzy", DurationSeconds=3601),
                     "ValidationError")

    def role_is_refused(self):
        call = self.sts.assume_role
        expect_error(lambda: call(RoleArn=BASTION, RoleSessionName="tester"), "AccessDenied", 403)
        expect_error(lambda: call(RoleArn=BASTION, RoleSessionName="tester", ExternalId="no"),
                     "AccessDenied", 403)
        expect_error(lambda: call(RoleArn=BASTION + "x", RoleSessionName="tester"),
                     "AccessDenied", 403)
        expect_error(lambda: call(RoleArn=BASTION, RoleSessionName="a b", ExternalId="xyzzy"),
                     "ValidationError")
        expect_error(lambda: call(RoleArn=BASTION, RoleSessionName="tester", ExternalId="xyzzy",
                                  DurationSeconds=899), "ValidationError")
        expect_error(lambda: call(RoleArn=BASTION, RoleSessionName="tester", ExternalId="xyzzy",
                                  DurationSeconds=7201), "ValidationError", text="MaxSession")

    def web_identity_is_taken(self):
        answer = self.sts.assume_role_with_web_identity(
            RoleArn=BASTION, RoleSessionName="web", WebIdentityToken="a.web.token")
        assert answer["AssumedRoleUser"]["Arn"].endswith("assumed-role/bastion/web")
        expect_error(lambda: self.sts.assume_role_with_web_identity(
            RoleArn=BASTION, RoleSessionName="web", WebIdentityToken="another"),
            "InvalidIdentityToken", exception=self.sts.exceptions.InvalidIdentityTokenException)

    def profile_assumes_a_role(self):
        config = self.aws.path("aws-config")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[profile base]\naws_access_key_id = {KEY}\n"
                       f"aws_secret_access_key = {SECRET}\n\n"
                       f"[profile bastion]\nrole_arn = {BASTION}\nsource_profile = base\n"
                       f"external_id = xyzzy\nregion = {REGION}\n")
        environment = {"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                       "AWS_ENDPOINT_URL": self.aws.url}
        os.environ.update(environment)
        try:
            session = botocore.session.Session(profile="bastion")
            ecs = self.story.watch(session.create_client("ecs", config=NO_RETRIES), "ecs")
            assert ecs.describe_services(cluster="staging", services=["api"])["services"]
        finally:
            for name in environment:
                del os.environ[name]

    def signatures_are_verified(self):
        logs = self.story.client("logs", secret="wrong")
        ecs = self.story.client("ecs", secret="wrong")
        sts = self.story.client("sts", secret="wrong")
        describe = lambda client: client.describe_services(cluster="staging", services=["api"])
        expect_error(logs.describe_log_groups, "InvalidSignatureException")
        expect_error(lambda: describe(ecs), "InvalidSignatureException", 400)
        expect_error(sts.get_caller_identity, "SignatureDoesNotMatch", 403)
        unknown = self.story.client("ecs", key="AKIDUNKNOWN")
        expect_error(lambda: describe(unknown), "UnrecognizedClientException")
        unknown = self.story.client("sts", key="AKIDUNKNOWN")
        expect_error(unknown.get_caller_identity, "InvalidClientTokenId", 403)
        expired = self.story.client("ecs", "ASIAEXPIRED", "expired", "old")
        expect_error(lambda: describe(expired), "ExpiredTokenException")
        expired = self.story.client("sts", "ASIAEXPIRED", "expired", "old")
        expect_error(expired.get_caller_identity, "ExpiredToken", 403)

    def clocks_must_agree(self):
        self.aws.admin("PUT", "clock", {"offsetMs": 20 * 60 * 1000})
        try:
            expect_error(self.story.client("logs").describe_log_groups,
                         "InvalidSignatureException", text="Signature expired")
        finally:
            self.aws.admin("PUT", "clock", {"offsetMs": 0})

    def permissions_are_checked(self):
        ecs = self.story.client("ecs", "AKIDNARROW", "narrow")
        assert ecs.describe_services(cluster="staging", services=["api"])["services"]
        expect_error(lambda: ecs.update_service(cluster="staging", service="api", desiredCount=0),
                     "AccessDeniedException", text="ecs:UpdateService")
        logs = self.story.client("logs", "AKIDNARROW", "narrow")
        expect_error(lambda: logs.filter_log_events(logGroupName=GROUP), "AccessDeniedException",
                     text="logs:FilterLogEvents")

    def policies_are_enforced(self):
        """A policy of exactly what is asked for; then the same with a statement less."""
        arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/staging/api"
        cluster = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/staging"
        statements = [
            {"Sid": "Look", "Effect": "Allow", "Action": ["logs:FilterLogEvents"],
             "Resource": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"},
            {"Sid": "Services", "Effect": "Allow", "Action": "ecs:UpdateService", "Resource": arn,
             "Condition": {"ArnEquals": {"ecs:cluster": cluster}}}]

        def set_policy(*statements):
            self.aws.admin("PUT", "policy", {
                "principal": "AKIDPOLICY",
                "policy": {"Version": "2012-10-17", "Statement": list(statements)}})

        ecs = self.story.client("ecs", "AKIDPOLICY", "policy")
        logs = self.story.client("logs", "AKIDPOLICY", "policy")
        update = lambda **more: ecs.update_service(cluster="staging", service="api",
                                                   desiredCount=2, **more)
        look = lambda: logs.filter_log_events(logGroupName=GROUP, limit=1)
        set_policy(*statements)
        update()
        look()
        expect_error(lambda: ecs.update_service(cluster="production", service="api",
                                                desiredCount=4),
                     "AccessDeniedException", exception=ecs.exceptions.AccessDeniedException,
                     text=f"is not authorized to perform: ecs:UpdateService on resource: "
                          f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/production/api because")
        set_policy(statements[1])
        update()
        expect_error(look, "AccessDeniedException", text="logs:FilterLogEvents on resource: "
                     f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:")
        set_policy(statements[0])
        look()
        expect_error(update, "AccessDeniedException", text="because no identity-based policy "
                     "allows the ecs:UpdateService action")
        set_policy(*statements, {"Effect": "Deny", "Action": "ecs:*", "Resource": "*"})
        expect_error(update, "AccessDeniedException", text="explicit deny")
        self.aws.admin("DELETE", "policy?principal=AKIDPOLICY")
        assert ecs.list_clusters()["clusterArns"]

    def throttles_and_outages_are_parsed(self):
        ecs = self.story.client("ecs")
        call = lambda: ecs.describe_services(cluster="staging", services=["api"])
        self.aws.fault("throttle", "DescribeServices", count=1)
        expect_error(call, "ThrottlingException", text="Rate exceeded")
        self.aws.fault("http_500", "DescribeServices", count=1)
        try:
            call()
            raise AssertionError("no error")
        except botocore.exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        self.aws.fault("refuse", "DescribeServices", count=1)
        try:
            call()
            raise AssertionError("no error")
        except botocore.exceptions.BotoCoreError:
            pass
        assert call()["services"]

    def instance_gives_credentials(self):
        fetcher = botocore.utils.InstanceMetadataFetcher(
            timeout=5, num_attempts=1, base_url=self.aws.url + "/",
            config={"ec2_metadata_v1_disabled": True})
        keys = fetcher.retrieve_iam_role_credentials()
        assert keys["role_name"] == "bastion"
        ecs = self.story.client("ecs", keys["access_key"], keys["secret_key"], keys["token"])
        assert ecs.describe_services(cluster="staging", services=["api"])["services"]
        assert fetcher.retrieve_iam_role_credentials()["access_key"] == keys["access_key"]
        region = botocore.utils.InstanceMetadataRegionFetcher(
            timeout=5, num_attempts=1, base_url=self.aws.url + "/",
            config={"ec2_metadata_v1_disabled": True})
        assert region.retrieve_region() == REGION

    def instance_knows_no_version_one(self):
        status = lambda: botocore.httpsession.URLLib3Session().send(
            botocore.awsrequest.AWSRequest(
                "GET", self.aws.url + "/latest/meta-data/iam/security-credentials/").prepare()
        ).status_code
        assert status() == 401
        self.aws.admin("PATCH", "settings", {"imds_enabled": False})
        try:
            assert status() == 403
            fetcher = botocore.utils.InstanceMetadataFetcher(timeout=5, num_attempts=1,
                                                             base_url=self.aws.url + "/")
            assert fetcher.retrieve_iam_role_credentials() == {}
        finally:
            self.aws.admin("PATCH", "settings", {"imds_enabled": True})

    def container_gives_credentials(self):
        fetcher = botocore.utils.ContainerMetadataFetcher()
        url = self.aws.url + "/v2/credentials/task"
        keys = fetcher.retrieve_full_uri(url, headers={"Authorization": "Bearer container"})
        assert set(keys) >= {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "RoleArn"}
        sts = self.story.client("sts", keys["AccessKeyId"], keys["SecretAccessKey"],
                                keys["Token"])
        assert "assumed-role/bastion/" in sts.get_caller_identity()["Arn"]
        fetcher.RETRY_ATTEMPTS = 1
        fetcher.SLEEP_TIME = 0
        try:
            fetcher.retrieve_full_uri(url, headers={"Authorization": "wrong"})
            raise AssertionError("the Authorization is not checked")
        except botocore.exceptions.MetadataRetrievalError:
            pass

    def https_is_served(self):
        if not self.aws.https_url:
            print("       (no openssl here to make a certificate with)")
            return
        ecs = self.story.client("ecs", url=self.aws.https_url, verify=self.aws.ca_bundle)
        assert ecs.describe_services(cluster="staging", services=["api"])["services"]

    def every_operation_was_driven(self):
        for service, names in self.aws.admin("GET", "operations").items():
            left = set(names) - self.story.driven[service]
            assert not left, f"{service}: {sorted(left)}"

    def tests(self):
        return [self.caller_is_known, self.role_is_assumed, self.role_is_refused,
                self.web_identity_is_taken, self.profile_assumes_a_role,
                self.signatures_are_verified, self.clocks_must_agree, self.permissions_are_checked,
                self.policies_are_enforced,
                self.throttles_and_outages_are_parsed, self.instance_gives_credentials,
                self.instance_knows_no_version_one, self.container_gives_credentials,
                self.https_is_served, self.every_operation_was_driven]


def main():
    program = program_argument(__doc__)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    with SimulatedAws(program) as aws:
        story = Story(aws)
        tests = [(test.__name__.replace("_", " "), test)
                 for group in (LogsTests(story), EcsTests(story), ScalingTests(story),
                               IdentityTests(story))
                 for test in group.tests()]
        return run_tests(tests)


if __name__ == "__main__":
    sys.exit(main())
