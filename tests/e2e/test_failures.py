# SPDX-License-Identifier: MIT
"""Bad days: what it does, and says, when AWS or the host refuse. It never sleeps on a doubt."""

import os
import resource
import unittest

from harness import (ACCESS_KEY, ASLEEP, AWAKE, CLUSTER, KEYS, LOG_GROUP, SECRET_KEY, Story,
                     Systemd, services, world)

HOUR_MS = 3600 * 1000


def each(*kinds):
    """A test for each kind of fault: test_x becomes test_x_KIND."""
    def decorate(function):
        function.kinds = kinds
        return function
    return decorate


def spread(cls):
    for name, function in list(vars(cls).items()):
        for kind in getattr(function, "kinds", ()):
            def test(self, function=function, kind=kind):
                function(self, kind)
            test.is_long = getattr(function, "is_long", False)
            setattr(cls, f"{name}_{kind}".replace(":", "_"), test)
        if hasattr(function, "kinds"):
            delattr(cls, name)
    return cls


@spread
class Transient(Story):
    """Retries within a call, then unknown, then the next tick; one warning a transition."""

    @each("throttle", "http_500", "http_502", "http_503", "refuse", "reset")
    def test_when_everything_fails_with(self, kind):
        self.start_sim()
        self.write_config()
        self.sim.fault(kind)
        self.start_daemon()
        for attempt in ("look for activity", "read the services"):
            self.daemon.wait_for(f"warning: staging: cannot {attempt}: ")
        self.daemon.wait_for("not put to sleep: its services could not be read")
        self.sim.wait_for_further("DescribeServices", 2)
        self.assert_nothing_sleeps()

        self.sim.mend()
        self.daemon.wait_for("can look for activity again")
        self.daemon.wait_for("can read the services again")
        self.fall_asleep()
        self.wake_up()
        for attempt in ("look for activity", "read the services"):
            self.assertEqual(1, self.daemon.count(f"cannot {attempt}"))
            self.assertEqual(1, self.daemon.count(f"can {attempt} again"))
    test_when_everything_fails_with.is_long = True

    @each("throttle", "http_500", "reset")
    def test_when_a_call_in_two_fails_with(self, kind):
        """Retries hide it: the story is told all the same."""
        self.start_sim(world(settings={"throttle": "none"}))
        self.write_config()
        self.sim.fault(kind, probability=0.3)
        self.start_daemon()
        self.sim.wait_for_counts(ASLEEP)
        self.sim.request()
        self.sim.wait_for_counts(AWAKE)

    def test_when_members_come_in_another_order(self):
        """No failure at all, and to be taken for none."""
        self.start_sim()
        self.write_config()
        self.sim.fault("reorder")
        self.start_daemon()
        self.fall_asleep()
        self.wake_up()
        self.assertEqual(0, self.daemon.count("warning"))

    def test_when_waking_is_throttled(self):
        self.start()
        self.fall_asleep()
        self.sim.fault("throttle", "UpdateService", count=5)
        self.wake_up()

    def test_under_the_quotas_of_aws(self):
        self.start(scenario=world(settings={"throttle": "aws"}))
        self.fall_asleep()
        self.wake_up()
        self.assertEqual([], [call for call in self.sim.history()
                              if call["code"] == "ThrottlingException"])


@spread
class Queries(Story):
    """Whatever is not Complete is no answer."""

    @each("query_failed", "query_cancelled", "query_timeout", "query_unknown")
    def test_that_end_badly(self, kind):
        self.start_sim()
        self.write_config()
        self.sim.fault(kind, "StartQuery")
        self.start_daemon()
        self.daemon.wait_for("not put to sleep: the query gave no answer: ")
        self.sim.wait_for_further("StartQuery", 2)
        self.assert_nothing_sleeps()
        self.assertEqual(1, self.daemon.count("not put to sleep: the query gave no answer"))
        self.assertEqual(1, self.daemon.count("cannot query Logs Insights"))
        self.sim.mend()
        self.daemon.wait_for("can query Logs Insights again")
        self.fall_asleep()
        self.wake_up()

    def test_too_many_at_once_means_later(self):
        self.start_sim()
        self.write_config()
        self.sim.fault("query_limit_exceeded", "StartQuery", count=4)
        self.start_daemon()
        self.fall_asleep()

    def test_that_aws_does_not_know_just_after_their_start(self):
        self.start_sim()
        self.write_config()
        self.sim.fault("query_id_unknown", "StartQuery", value=1500)
        self.start_daemon()
        self.fall_asleep()

    def test_without_statistics_are_silence_when_that_is_unknown(self):
        self.start_sim()
        self.write_config(silence="unknown")
        self.sim.put_event("not at all about it")
        self.sim.fault("query_no_statistics", "StartQuery")
        self.start_daemon()
        self.daemon.wait_for("`silence = unknown`: the log may be broken")
        self.sim.wait_for_further("StartQuery", 2)
        self.assert_nothing_sleeps()

    def test_that_never_end_are_stopped(self):
        self.start_sim()
        self.write_config()
        self.sim.fault("query_never_ends", "StartQuery")
        self.start_daemon()
        self.sim.wait_for_calls("GetQueryResults", 3)
        self.assert_nothing_sleeps()
        self.assert_stops_cleanly()
        started = self.sim.history("StartQuery")
        self.assertEqual(len(started), len(self.sim.history("StopQuery")), "none is leaked")
        self.assertEqual(0, self.sim.admin("GET", "stats")["queriesActive"])


@spread
class Looks(Story):
    @each("token_loop", "token_expires")
    def test_that_cannot_be_read_to_the_end(self, kind):
        self.start_sim(world(settings={"page_scan": 2}))
        self.write_config(lateness="10min")
        for number in range(9):
            self.sim.put_event(f"nothing to see {number}")
        self.sim.fault(kind, "FilterLogEvents")
        self.start_daemon()
        self.daemon.wait_for("cannot look for activity")
        self.daemon.wait_for("not put to sleep: the last look at the log gave no answer")
        self.sim.wait_for_further("StartQuery", 2)
        self.assert_nothing_sleeps()
        self.sim.mend()
        self.fall_asleep()

    def test_over_empty_pages_and_repeated_events(self):
        self.start_sim(world(settings={"page_scan": 2, "page_events": 2}))
        self.write_config()
        self.sim.fault("empty_pages", "FilterLogEvents", value=3)
        self.sim.fault("duplicate_events", "FilterLogEvents")
        for number in range(9):
            self.sim.put_event(f"nothing to see {number}")
        self.start_daemon()
        self.fall_asleep()
        self.wake_up()


class Denied(Story):
    """One error that names action, resource and statement; no storm; slow retries."""

    ALL = ["logs:FilterLogEvents", "logs:StartQuery", "logs:GetQueryResults", "logs:StopQuery",
           "ecs:DescribeServices", "ecs:UpdateService"]

    def start_without(self, action, **config):
        systemd = Systemd(self.directory)
        self.addCleanup(systemd.close)
        allow = [allowed for allowed in self.ALL if allowed != action]
        self.start(scenario=world(credentials=[{"access_key_id": ACCESS_KEY,
                                                "secret_access_key": SECRET_KEY, "allow": allow}]),
                   environment={**KEYS, **systemd.environment}, **config)
        return systemd

    def assert_names(self, action, resource):
        line = self.daemon.wait_for(f'"Action": "{action}"')
        self.assertTrue(line.startswith("warning: staging: cannot "), line)
        self.assertIn(resource, line)
        self.assertIn("AccessDeniedException", line)

    def assert_few(self, operation, a_check=0, slow=1, n_checks=0):
        """At most one at a check, and `slow` ones a minute; never the same again at once."""
        calls = self.sim.history(operation)
        minutes = 1 + (calls[-1]["timeMs"] - calls[0]["timeMs"]) // 60000
        self.assertLessEqual(len(calls), a_check * n_checks + slow * minutes)

    def test_to_look(self):
        """Polls of another environment tell how time goes by."""
        self.start_sim(world(log_groups=[{"name": LOG_GROUP}, {"name": "/ecs/other"}]))
        self.sim.fault("access_denied", "FilterLogEvents", match=LOG_GROUP)
        self.write_config({CLUSTER: {"check_interval": "1h"},
                           "other": {"services": "gateway", "log_group": "/ecs/other",
                                     "check_interval": "1h"}})
        self.start_daemon()
        self.assert_names("logs:FilterLogEvents", f"log-group:{LOG_GROUP}")
        self.sim.wait_for_calls("FilterLogEvents", 8, where=lambda call: call["status"] == 200)
        denied = [call for call in self.sim.history("FilterLogEvents") if call["status"] == 400]
        self.assertEqual(1, len(denied), "the next is a minute later")
        self.assert_nothing_sleeps()

    def test_to_query(self):
        systemd = self.start_without("logs:StartQuery")
        self.assert_names("logs:StartQuery", f"log-group:{LOG_GROUP}")
        self.daemon.wait_for("not put to sleep: the query gave no answer")
        systemd.wait_for("1 in trouble")
        further = self.sim.wait_for_further("DescribeServices", 3)
        self.assert_few("StartQuery", a_check=1, n_checks=len(self.sim.history("DescribeServices")))
        self.assertTrue(further)
        self.assertEqual(1, self.daemon.count("cannot query Logs Insights"))
        self.assert_nothing_sleeps()

    def test_to_read_results(self):
        self.start_without("logs:GetQueryResults")
        self.assert_names("logs:GetQueryResults", '"Resource": "*"')
        self.daemon.wait_for("not put to sleep: the query gave no answer")
        self.sim.wait_for_further("StartQuery", 2)
        self.assertEqual(1, self.daemon.count("cannot query Logs Insights"))
        self.assert_nothing_sleeps()

    def test_to_read_services(self):
        systemd = self.start_without("ecs:DescribeServices")
        self.assert_names("ecs:DescribeServices", f"service/{CLUSTER}/")
        self.daemon.wait_for("not put to sleep: its services could not be read")
        systemd.wait_for("1 in trouble")
        self.sim.wait_for_further("FilterLogEvents", 3)
        self.assertEqual(1, self.daemon.count("cannot read the services"))
        self.assert_nothing_sleeps()

    def test_to_update(self):
        systemd = self.start_without("ecs:UpdateService")
        for service in AWAKE:
            self.sim.wait_for_calls("UpdateService", 1, where=lambda call, service=service:
                                    call["parameters"]["service"] == service)
        self.assert_names("ecs:UpdateService", f"service/{CLUSTER}/")
        systemd.wait_for("1 in trouble")
        self.sim.wait_for_further("StartQuery", 3)
        self.assert_few("UpdateService", slow=len(AWAKE))
        self.assertEqual(1, self.daemon.count("cannot set a desired count"))
        self.assertEqual(AWAKE, self.sim.counts())

    def test_to_update_one_of_them(self):
        """The others sleep; and everything wakes."""
        self.start_sim()
        self.write_config()
        fault = self.sim.fault("access_denied", "UpdateService", match="worker")
        self.start_daemon()
        self.sim.wait_for_counts({"api": 0, "web": 0})
        self.daemon.wait_for('"Action": "ecs:UpdateService"')
        self.assertEqual(3, self.sim.counts()["worker"])
        self.sim.mend(fault)
        self.wake_up()

    def test_and_then_allowed(self):
        self.start_sim()
        self.write_config()
        fault = self.sim.fault("access_denied", "StartQuery")
        self.start_daemon()
        self.daemon.wait_for("cannot query Logs Insights")
        self.sim.mend(fault)
        self.daemon.wait_for("can query Logs Insights again")
        self.fall_asleep()


class Clock(Story):
    """AWS's clock is the one that counts."""

    def story_with_offset(self, offset_ms):
        self.start_sim()
        self.sim.set_clock_offset(offset_ms)
        self.write_config()
        self.start_daemon()
        self.fall_asleep()
        self.sim.put_event("GET /api/v1/orders")
        self.sim.wait_for_counts(AWAKE)
        refused = [call for call in self.sim.history() if call["status"] != 200]
        self.assertLessEqual(len(refused), 4, "each operation is refused once at most")
        self.assert_stops_cleanly()

    def test_an_hour_ahead(self):
        self.story_with_offset(HOUR_MS)

    def test_an_hour_behind(self):
        self.story_with_offset(-HOUR_MS)

    def test_a_month_ahead(self):
        self.story_with_offset(30 * 24 * HOUR_MS)

    def test_that_jumps_while_it_runs(self):
        self.start()
        self.fall_asleep()
        self.sim.set_clock_offset(2 * HOUR_MS)
        self.sim.wait_for_further("FilterLogEvents", 2)
        self.sim.put_event("GET /api/v1/orders")
        self.sim.wait_for_counts(AWAKE)

    def test_that_was_wrong_when_an_event_came_before_the_start(self):
        """The first look asks for a time range that is yet to come, and so finds nothing: that is
        no answer."""
        self.start(check_interval="2s")
        self.fall_asleep()
        self.assertEqual(0, self.daemon.stop())
        self.sim.set_clock_offset(-HOUR_MS)
        self.sim.put_event("GET /api/v1/orders", ago_ms=10 * 60 * 1000)
        self.write_config(check_interval="1h")
        self.start_daemon()
        self.sim.wait_for_counts(AWAKE)

    def test_dates_that_lie_by_a_little_make_no_idleness(self):
        """An answer's Date ahead of the truth must not age activity out of the window."""
        self.start_sim()
        self.write_config()
        self.sim.put_event("GET /api/v1/orders", ago_ms=60 * 1000)
        self.sim.fault("skewed_date", value=6 * HOUR_MS)
        self.start_daemon()
        self.daemon.wait_for("not put to sleep: last activity at")
        self.sim.wait_for_further("FilterLogEvents", 5)
        self.assert_nothing_sleeps()


class Missing(Story):
    """One faulty environment; the others go on."""

    def start_two(self, **broken):
        self.start_sim(world(
            log_groups=[{"name": LOG_GROUP}, {"name": "/ecs/other"}],
            clusters=[{"name": CLUSTER, "services": services(**AWAKE)},
                      {"name": "other", "services": services("/ecs/other", one=1, two=2)}]))
        self.write_config({CLUSTER: {}, "other": {"cluster": "other", "services": "one, two",
                                                  "log_group": "/ecs/other", **broken}})
        self.start_daemon()

    def assert_staging_goes_on(self):
        self.sim.wait_for_counts(ASLEEP)
        self.wake_up()
        self.assertEqual({"one": 1, "two": 2}, self.sim.counts("other", ("one", "two")))
        self.assertEqual([], self.sim.updates(cluster="other"))

    def test_a_cluster(self):
        self.start_two(cluster="othello")
        self.daemon.wait_for("warning: other: cannot read the services: DescribeServices: "
                             "ClusterNotFoundException")
        self.assert_staging_goes_on()
        self.assertEqual(1, self.daemon.count("cannot read the services"))

    def test_a_service(self):
        self.start_two(services="one, three")
        self.daemon.wait_for("other: not put to sleep: ECS does not know service three")
        self.assert_staging_goes_on()

    def test_a_log_group(self):
        self.start_two(log_group="/ecs/othello")
        self.daemon.wait_for("warning: other: cannot look for activity: FilterLogEvents: "
                             "ResourceNotFoundException")
        self.daemon.wait_for("other: not put to sleep: the query gave no answer")
        self.assert_staging_goes_on()

    def test_a_log_group_that_comes(self):
        self.start_two(log_group="/ecs/othello")
        self.daemon.wait_for("cannot look for activity")
        self.sim.admin("PUT", "log-groups", {"name": "/ecs/othello"})
        self.sim.wait_for_counts({"one": 0, "two": 0}, "other")

    def test_a_service_that_ecs_cannot_find_for_a_while(self):
        self.start_sim()
        self.write_config()
        fault = self.sim.fault("missing", "DescribeServices", match="worker")
        self.start_daemon()
        self.daemon.wait_for("not put to sleep: ECS does not know service")
        self.sim.wait_for_further("DescribeServices", 2)
        self.assert_nothing_sleeps()
        self.sim.mend(fault)
        self.fall_asleep()
        self.wake_up()

    def test_everything_while_asleep(self):
        """What it cannot see it does not forget."""
        self.start()
        self.fall_asleep()
        self.sim.fault("not_found")
        self.daemon.wait_for("cannot look for activity")
        self.sim.request()
        self.sim.mend()
        self.sim.wait_for_counts(AWAKE)
    test_everything_while_asleep.is_long = True


@spread
class Services(Story):
    def test_that_somebody_else_sets_back_during_a_wake(self):
        self.start()
        self.fall_asleep()
        self.sim.fault("update_undone", "UpdateService", count=1, value=700)
        asleep = self.sim.mark()
        self.sim.request()
        self.sim.wait_for_calls("UpdateService", 4, asleep)
        self.sim.wait_for_counts(AWAKE)

    def test_whose_reads_are_old(self):
        self.start(scenario=world(settings={"stale_ms": 3000}), window="8s")
        for _ in range(2):
            self.sim.wait_for_counts(ASLEEP)
            self.assertTrue(self.sim.request())
            self.sim.wait_for_counts(AWAKE)
        self.assertEqual({0, *AWAKE.values()}, {count for _, count in self.sim.updates()})

    def test_whose_updates_answer_got_lost(self):
        self.start_sim()
        self.write_config()
        self.sim.fault("update_answer_lost", "UpdateService", count=2)
        self.start_daemon()
        self.fall_asleep()
        self.sim.fault("update_answer_lost", "UpdateService", count=2)
        self.wake_up()

    @each("invalid_parameter", "not_found")
    def test_whose_updates_are_refused_with(self, kind):
        self.start_sim()
        self.write_config()
        self.sim.fault(kind, "UpdateService", match="api")
        self.start_daemon()
        self.daemon.wait_for("cannot set a desired count")
        self.sim.wait_for_counts({"worker": 0, "web": 0})
        self.sim.mend()
        self.wake_up()


class Disk(Story):
    """A sleep whose counts cannot be recorded does not happen."""

    def assert_stays_awake(self):
        self.daemon.wait_for("not put to sleep: the task counts could not be recorded")
        self.sim.wait_for_further("StartQuery", 2)
        self.assert_nothing_sleeps()
        self.assertEqual(1, self.daemon.count("cannot record the task counts"))

    def test_where_the_temporary_file_cannot_be_made(self):
        self.start_sim()
        self.write_config()
        (self.state_directory / "state.json.new").mkdir(parents=True)
        self.start_daemon()
        self.assert_stays_awake()
        (self.state_directory / "state.json.new").rmdir()
        self.fall_asleep()
        self.wake_up()

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_a_state_directory_that_cannot_be_written(self):
        self.start_sim()
        self.write_config()
        self.state_directory.mkdir(mode=0o500)
        self.addCleanup(self.state_directory.chmod, 0o700)
        self.start_daemon()
        self.daemon.wait_for("cannot be written (Permission denied)")
        self.assert_stays_awake()
        self.state_directory.chmod(0o700)
        self.fall_asleep()

    def test_that_is_full(self):
        self.start_sim()
        self.write_config()
        self.start_daemon(limits=[(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))])
        self.assert_stays_awake()
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.fall_asleep()
        self.wake_up()

    def test_that_is_full_when_it_wakes(self):
        """A wake that cannot be recorded happens."""
        self.start_sim()
        self.write_config()
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        self.start_daemon(limits=[(resource.RLIMIT_FSIZE, unlimited)])
        self.fall_asleep()
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        self.wake_up()
        self.daemon.wait_for("cannot record the task counts")

    def test_a_state_directory_that_is_none(self):
        self.start_sim()
        self.write_config()
        self.state_directory.write_text("a file\n")
        self.start_daemon(wait=False)
        self.assertEqual(1, self.daemon.wait())
        self.assertIn("cannot open the state directory", self.daemon.output)
        self.assertEqual([], self.sim.updates())


@spread
class CorruptState(Story):
    BROKEN = {
        "empty": b"",
        "binary": bytes(range(256)),
        "truncated": b'{"version": 1, "environments": [{"name": "staging", "clus',
        "deep": b"[" * 100000,
        "other_version": b'{"version": 2, "environments": []}',
        "wrong_types": b'{"version": "1", "environments": {}}',
        "negative": b'{"version": 1, "environments": [{"name": "staging", "cluster": "staging",'
                    b'"wanted": "asleep", "services": [{"name": "api", "recorded_count": -2,'
                    b'"slept": true}]}]}',
    }

    @each(*BROKEN)
    def test_is_kept_aside_and_never_slept_from(self, kind):
        self.start_sim()
        self.write_config()
        self.state_directory.mkdir()
        (self.state_directory / "state.json").write_bytes(self.BROKEN[kind])
        self.start_daemon()
        self.daemon.wait_for("error: state.json cannot be understood")
        aside = list(self.state_directory.glob("state.json.unreadable-*"))
        self.assertEqual([self.BROKEN[kind]], [path.read_bytes() for path in aside])
        self.daemon.wait_for("found awake: api 2, worker 3, web 1")
        self.fall_asleep()
        self.wake_up()

    def test_while_asleep_is_told_and_services_can_be_restored(self):
        self.start()
        self.fall_asleep()
        self.assertEqual(0, self.daemon.stop())
        (self.state_directory / "state.json").write_text("?")
        self.start_daemon()
        self.daemon.wait_for("the counts of environments that are asleep are not known")
        self.daemon.wait_for("no count is recorded for some")
        self.sim.request()
        self.sim.wait_for_further("FilterLogEvents", 3)
        self.assertEqual(ASLEEP, self.sim.counts(), "no count is invented")
