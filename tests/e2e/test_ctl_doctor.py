# SPDX-License-Identifier: MIT
"""provisionerctl doctor against the simulated AWS: what a new user gets wrong, and what it says."""

import json
import subprocess
import unittest

from harness import (AWAKE, BUILD, CLUSTER, DEADLINE_S, KEYS, LOG_GROUP, REGION, SECRET_KEY, Story,
                     environment_of_programs, eventually, free_port, services, world)

MINUTE_MS = 60 * 1000
API = "GET /api/v1/orders HTTP/1.1"
DAY = {"window": "1h", "lateness": "5min", "check_interval": "10min", "poll_interval": "15s",
       "poll_interval_awake": "1min", "always_on": "gateway"}


def events(*ago_and_message, late_ms=0):
    return [{"ago_ms": ago_ms, "message": message, "ingestion_delay_ms": late_ms}
            for ago_ms, message in ago_and_message]


def logged(*ago_and_message, late_ms=0, **more):
    return {"log_groups": [{"name": LOG_GROUP, "events": events(*ago_and_message,
                                                                late_ms=late_ms)}], **more}


class DoctorStory(Story):
    def given(self, scenario=None, environments=None, daemon=None, **options):
        self.start_sim(scenario or world(**logged((30 * MINUTE_MS, API))))
        self.configure(environments, daemon, **options)

    def configure(self, environments=None, daemon=None, **options):
        """Those of DAY, others in their place; None: without that option."""
        options = {name: value for name, value in {**DAY, **options}.items() if value is not None}
        self.write_config(environments=environments, daemon=daemon, **options)

    def run_doctor(self, *arguments, environment=None, status=0):
        settings = {"HOME": str(self.directory / "home"), **(KEYS if environment is None
                                                             else environment)}
        done = subprocess.run([BUILD / "provisionerctl", "doctor", "--config", self.config,
                               *arguments], env=environment_of_programs(**settings),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        self.assertNotIn(SECRET_KEY, done.stdout + done.stderr)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        self.errors = done.stderr
        return done.stdout

    def findings(self, *arguments, status=0, **options):
        document = json.loads(self.run_doctor("--json", *arguments, status=status, **options))
        found = document["findings"]
        for name, n in document["totals"].items():
            self.assertEqual(n, sum(finding["result"] == name for finding in found))
        return found

    def find(self, check, result=None, **options):
        """The findings of a check; of a result, if one is given."""
        found = self.findings(status=1 if result == "failed" else 0, **options)
        mine = [finding for finding in found if finding["check"] == check
                and (result is None or finding["result"] == result)]
        self.assertTrue(mine, json.dumps(found, indent=1))
        return mine

    def one(self, check, result, text, advice=None, **options):
        """The only finding of that kind; it has the text, and the advice."""
        found = self.find(check, result, **options)
        self.assertEqual(1, len(found), found)
        self.assertIn(text, found[0]["text"])
        if advice:
            self.assertIn(advice, found[0]["advice"])
        return found[0]


class AllWell(DoctorStory):
    def test_every_check_is_there_and_well(self):
        self.given()
        found = self.findings()
        self.assertEqual({"ok"}, {finding["result"] for finding in found}, found)
        self.assertEqual({"credentials", "region", "reachable", "clock", "permission", "quotas"},
                         {finding["check"] for finding in found if finding["environment"] is None})
        self.assertEqual({"permission", "service", "autoscaling", "log group", "pattern", "noise",
                          "lateness", "writer", "query", "cost"},
                         {finding["check"] for finding in found
                          if finding["environment"] == "staging"})
        self.assertIn("user/bastion", found[0]["text"])

    def test_nothing_is_changed(self):
        self.given()
        self.findings()
        self.assertEqual(AWAKE, self.sim.counts())
        updates = self.sim.history("UpdateService")
        self.assertEqual(list(AWAKE), [call["parameters"]["service"] for call in updates])
        for call in updates:
            self.assertEqual("ClientException", call["code"])
            self.assertNotIn("desiredCount", call["parameters"])
            self.assertNotIn("forceNewDeployment", call["parameters"])

    def test_for_people(self):
        self.given()
        page = self.run_doctor(environment={**KEYS, "TERM": "xterm", "COLUMNS": "60"})
        self.assertNotIn("\x1b", page)
        self.assertIn("environment staging", page)
        self.assertIn("ok       service", page)
        self.assertLessEqual(max(map(len, page.splitlines())), 80)
        self.assertRegex(page, r"\d+ ok, 0 warning, 0 failed, 0 unknown")

    def test_one_environment_of_several(self):
        self.given(environments={"staging": {}, "other": {"cluster": "nowhere"}})
        self.findings("staging")
        self.findings(status=1)
        self.run_doctor("stagin", status=1)
        self.assertIn('did you mean "staging"?', self.errors)

    def test_the_command_line(self):
        self.given()
        self.run_doctor("--since", "5", status=64)
        self.run_doctor("--since", "31d", status=64)
        self.run_doctor("a", "b", status=64)
        self.assertIn("Examples:", self.run_doctor("--help"))
        self.config.write_text("[environment x]\n")
        self.run_doctor(status=78)


class InGeneral(DoctorStory):
    def test_no_credentials(self):
        self.given(world(imds={"enabled": False}))
        self.one("credentials", "failed", "there are none", "provisionerd(8)",
                 environment={"AWS_EC2_METADATA_DISABLED": "true"})

    def test_a_wrong_secret(self):
        self.given()
        self.one("credentials", "failed", "SignatureDoesNotMatch", "the secret key is wrong",
                 environment={**KEYS, "AWS_SECRET_ACCESS_KEY": "wrong"})

    def test_an_unknown_key(self):
        self.given()
        self.one("credentials", "failed", "InvalidClientTokenId",
                 environment={**KEYS, "AWS_ACCESS_KEY_ID": "AKIDNOBODY"})

    def test_sts_alone_is_out_of_reach(self):
        self.given(daemon={"endpoint_url": None})
        found = self.one("credentials", "unknown", "could not be asked", environment={
            **KEYS, "AWS_ENDPOINT_URL": self.sim.url,
            "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{free_port()}"})
        self.assertIn("AWS_ACCESS_KEY_ID", found["text"])

    def test_nothing_answers(self):
        self.given(daemon={"endpoint_url": f"http://127.0.0.1:{free_port()}"})
        found = self.one("reachable", "failed", "got no answer", "security groups")
        self.assertNotIn("staging", str(found["environment"]))

    def test_a_clock_that_is_off(self):
        self.given()
        self.sim.set_clock_offset(60 * 1000)
        self.one("clock", "warning", "slow", "NTP")
        self.sim.set_clock_offset(-20 * MINUTE_MS)
        self.one("clock", "failed", "this host's clock is", "five minutes")

    def test_another_region(self):
        self.given(cluster=f"arn:aws:ecs:us-east-1:123456789012:cluster/{CLUSTER}")
        self.one("region", "failed", "is in us-east-1, but eu-west-1 is asked",
                 "region = us-east-1")

    def test_another_account(self):
        self.given(cluster=f"arn:aws:ecs:{REGION}:999999999999:cluster/{CLUSTER}")
        self.one("region", "failed", "is of account 999999999999, the credentials are of "
                 "123456789012", "`role_arn`")

    def test_more_than_the_quota_allows(self):
        """Three environments of two log groups: six calls for each look."""
        environments = {name: {"services": name, "log_group": f"{LOG_GROUP}, /other"}
                        for name in AWAKE}
        self.given(world(log_groups=[{"name": LOG_GROUP}, {"name": "/other"}]),
                   environments=environments, poll_interval="1s")
        self.one("quotas", "failed", "6.00 FilterLogEvents a second", "`poll_interval`")
        self.configure(environments, poll_interval="1800ms")
        self.one("quotas", "warning", "3.33 FilterLogEvents a second")


class Services(DoctorStory):
    def test_the_cluster_is_mistyped(self):
        self.given(cluster="stagin")
        self.one("cluster", "failed", 'no cluster "stagin"', 'did you mean "staging"?')

    def test_a_service_is_mistyped(self):
        self.given(services="api, wroker")
        self.one("service", "failed", 'no service "wroker"', 'did you mean "worker"?')

    def test_services_that_have_no_count(self):
        self.given(world(clusters=[{"name": CLUSTER, "services": [
            *services(api=2), {"name": "agent", "strategy": "DAEMON"},
            {"name": "gone", "status": "INACTIVE", "desired": 0}]}]),
            services="api, agent, gone")
        found = self.find("service", "failed")
        self.assertEqual(["agent is a DAEMON service", "gone is INACTIVE"],
                         [finding["text"].split(":")[0] for finding in found])
        self.assertTrue(all("remove it from `services`" in finding["advice"]
                            for finding in found))

    def test_what_must_stay_up_is_down(self):
        self.given()
        self.sim.scale("gateway", 0)
        eventually(lambda: self.sim.truth()["gateway"]["runningCount"] == 0, "gateway has stopped")
        self.one("always_on", "failed", "gateway is ACTIVE with 0 of 0 tasks running",
                 "its desired count is 0")

    def test_autoscaling_would_fight(self):
        self.given(world(clusters=[{"name": CLUSTER, "services": [
            {"name": "gateway", "log_group": LOG_GROUP},
            {"name": "api", "desired": 2, "autoscaling": {"min": 1, "max": 4}},
            {"name": "worker", "desired": 3,
             "autoscaling": {"min": 1, "max": 4, "suspended": True}},
            {"name": "web", "autoscaling": {"min": 0, "max": 4}}]}],
            **logged((MINUTE_MS, API))))
        found = self.one("autoscaling", "warning", "keeps service/staging/api at 1 to 4 tasks",
                         "set its minimum to 0")
        self.assertIn("--min-capacity 0", found["details"][0])


class Writers(DoctorStory):
    def test_the_writer_is_put_to_sleep(self):
        self.given(services="api, gateway", always_on=None)
        self.one("writer", "failed", "gateway writes the log, and is put to sleep itself",
                 "reverse proxy")

    def test_the_writer_is_another_service(self):
        self.given(always_on=None)
        self.one("writer", "warning", "gateway writes the log and is in no environment; it is up",
                 "`always_on = gateway`")

    def test_the_writer_sleeps_with_another_environment(self):
        self.given(environments={"one": {"services": "api"}, "two": {"services": "gateway"}},
                   always_on=None)
        found = self.find("writer", "failed")
        self.assertIn("sleeps with environment two", found[0]["text"])

    def test_nobody_is_known_to_write(self):
        others = [service for service in services(**AWAKE) if service["name"] != "gateway"]
        self.given(world(clusters=[{"name": CLUSTER, "services": others}],
                         **logged((MINUTE_MS, API))), always_on=None)
        self.one("writer", "warning", "no service of the cluster writes the log", "stays up")


class Logs(DoctorStory):
    def test_a_log_group_is_mistyped(self):
        self.given(log_group="/ecs/staging/gatewy")
        self.one("log group", "failed", 'no log group "/ecs/staging/gatewy"',
                 f'did you mean "{LOG_GROUP}"?')

    def test_a_log_group_of_a_class_that_cannot_be_read(self):
        self.given(world(log_groups=[{"name": "/rare", "class": "INFREQUENT_ACCESS"}]),
                   log_group="/rare")
        self.one("log group", "failed", "/rare is of class INFREQUENT_ACCESS", "STANDARD")

    def test_three_examples_and_what_is_excluded(self):
        self.given(world(**logged(
            *((minutes * MINUTE_MS, f"GET /api/v1/orders/{minutes} HTTP/1.1")
              for minutes in range(300, 60, -30)),
            (3 * MINUTE_MS, "GET /api/v1/x\x1b[2J\u202e HTTP/1.1"),
            (2 * MINUTE_MS, "GET /api/v1/health ELB-HealthChecker/2.0"))),
            exclude='"ELB-HealthChecker", /bot/')
        found = self.one("pattern", "ok",
                         "of the events of the last 1d, 9 are activity, 1 excluded")
        activity = [detail for detail in found["details"] if detail.startswith("activity")]
        self.assertEqual(3, len(activity))
        self.assertIn("orders/90", activity[-2])
        self.assertIn("excluded 1 by ELB-HealthChecker", found["details"])
        page = self.run_doctor()
        self.assertNotIn("\x1b", page)
        self.assertIn("\\x1b[2J\\u202e", page)

    def test_nothing_matched(self):
        self.given(world(**logged((MINUTE_MS, "GET /v2/orders HTTP/1.1"))))
        self.one("pattern", "warning", "no event of the last 1d is activity",
                 "provisionerctl test-pattern staging --all")

    def test_health_checks_keep_it_awake(self):
        checks = [(minutes * MINUTE_MS, "GET /api/v1/ping HTTP/1.1 ELB-HealthChecker/2.0")
                  for minutes in range(180, 0, -5)]
        self.given(world(**logged(*checks, (MINUTE_MS, API))))
        self.one("noise", "failed", "so the environment would never sleep",
                 'add to `exclude`: "ELB-HealthChecker"')
        self.configure(exclude='"ELB-HealthChecker"')
        self.assertEqual("ok", self.find("noise")[0]["result"])

    def test_a_bot_comes_by(self):
        self.given(world(**logged((MINUTE_MS, "GET /api/v1/ (compatible; bingbot/2.0)"))))
        self.one("noise", "warning", "a crawler", 'add to `exclude`: "bingbot"')

    def test_events_that_appear_late(self):
        self.given(world(**logged((20 * MINUTE_MS, API), late_ms=400 * 1000)))
        self.one("lateness", "warning", "appeared 6min40s after it happened", "`lateness = 7min`")

    def test_a_window_shorter_than_events_are_late(self):
        self.given(world(**logged((20 * MINUTE_MS, API), late_ms=400 * 1000)), window="5min")
        self.one("lateness", "failed", "the window is 5min", "`window`")

    def test_a_log_without_events(self):
        self.given(world())
        self.one("lateness", "unknown", "no event was seen")

    def test_what_a_query_scans_is_money(self):
        self.given(world(**logged(*((MINUTE_MS + n, "x" * 9000) for n in range(100)),
                                  (MINUTE_MS, API))))
        found = self.one("cost", "ok", "free of charge")
        self.assertIn("scans about 5.9 MB", found["text"])
        self.assertIn("$0.13 a month", found["text"])  # 4380 queries, of 65 minutes each

    def test_trouble_that_passes(self):
        self.given()
        self.sim.fault("query_failed", "StartQuery")
        self.one("query", "unknown", "status Failed")


class Permissions(DoctorStory):
    def allow(self, *statements):
        self.sim.admin("PUT", "policy", {"policy": {"Version": "2012-10-17",
                                                    "Statement": list(statements)}})

    def policy(self):
        done = subprocess.run([BUILD / "provisionerctl", "iam-policy", "--config", self.config,
                               "--account", "123456789012"], check=True, capture_output=True,
                              env=environment_of_programs())
        return json.loads(done.stdout)["Statement"]

    def test_what_the_daemon_needs_is_enough(self):
        self.given()
        self.allow(*self.policy())
        found = self.findings()
        self.assertEqual({"autoscaling", "writer"},
                         {finding["check"] for finding in found if finding["result"] != "ok"})
        for finding in found:
            if finding["result"] != "ok":
                self.assertEqual("unknown", finding["result"])
                self.assertIn("which the daemon does not need", finding["text"])

    def test_nothing_is_permitted(self):
        self.given()
        self.allow()
        found = self.find("permission", "failed")
        missing = [json.loads(finding["details"][0]) for finding in found]
        self.assertEqual(
            {"logs:GetQueryResults", "logs:StopQuery", "ecs:DescribeServices",
             "ecs:UpdateService", "logs:FilterLogEvents", "logs:StartQuery"},
            {statement["Action"] for statement in missing})
        # With the statements that it asks for, all is permitted.
        self.allow(*missing)
        self.assertFalse([finding for finding in self.findings()
                          if finding["result"] == "failed"])

    def test_one_of_several_log_groups(self):
        """AWS refuses the query as a whole; the doctor says for which of them."""
        self.given(world(log_groups=[{"name": LOG_GROUP}, {"name": "/other"}]),
                   log_group=f"{LOG_GROUP}, /other")
        statements = self.policy()
        for statement in statements:
            if statement["Action"] == ["logs:StartQuery"]:
                statement["Resource"] = [arn for arn in statement["Resource"]
                                         if "/other" not in arn]
        self.allow(*statements)
        found = self.one("permission", "failed", "logs:StartQuery is not permitted")
        self.assertEqual(f"arn:aws:logs:{REGION}:123456789012:log-group:/other:*",
                         json.loads(found["details"][0])["Resource"])

    def test_an_explicit_deny(self):
        self.given()
        self.allow({"Effect": "Allow", "Action": "*", "Resource": "*"},
                   {"Effect": "Deny", "Action": "ecs:UpdateService",
                    "Resource": f"arn:aws:ecs:{REGION}:123456789012:service/staging/worker"})
        found = self.one("permission", "failed", "service/staging/worker", "a policy forbids it")
        self.assertIn("with an explicit deny", found["text"])


if __name__ == "__main__":
    unittest.main()
