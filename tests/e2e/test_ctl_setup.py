# SPDX-License-Identifier: MIT
"""provisionerctl for somebody who sets things up: init, migrate, test-pattern, iam-policy."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from harness import (ACCESS_KEY, BUILD, CLUSTER, DEADLINE_S, KEYS, LOG_GROUP, REGION, SECRET_KEY, Story,
                     environment_of_programs, eventually, services, world)

VARIABLES = """\
# the scheduler of staging
export CLUSTER_NAME="staging"
SERVICES='api, worker,web'   # three
API_COUNT=2
LOG_GROUP=/ecs/staging/gateway
LOG_PATTERN=/api/v1/
AWS_SECRET_ACCESS_KEY=geheim
"""

HEALTH_CHECK = '"GET /up HTTP/1.1" 200 2 "-" "ELB-HealthChecker/2.0"'
CRAWLER = '"GET /api/v1/x HTTP/1.1" 200 2 "-" "Mozilla/5.0 (compatible; Googlebot/2.1)"'
SCANNER = '"GET /wp-login.php HTTP/1.1" 404 2 "-" "-"'


def request(path):
    return f'"GET {path} HTTP/1.1" 200 5104 "-" "okhttp/4.12.0"'


def ago(minutes, message):
    return {"ago_ms": minutes * 60_000, "message": message}


def log_group(*events, name=LOG_GROUP, **members):
    return {"name": name, "events": list(events), **members}


class SetupStory(Story):
    def ctl(self, *arguments, status=0, text=None, environment=None):
        """What it writes; what it says besides is in self.said."""
        done = subprocess.run(
            [BUILD / "provisionerctl", *map(str, arguments)], capture_output=True, text=True,
            check=False, input=text or "", timeout=DEADLINE_S,
            env=environment_of_programs(HOME=str(self.directory),
                                        **(KEYS if environment is None else environment)))
        self.said = done.stderr
        self.assertNotRegex(done.stderr, "Sanitizer|runtime error")
        self.assertNotIn(SECRET_KEY, done.stdout + done.stderr)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def print_config(self, text):
        """What the daemon makes of a configuration: {option: value}."""
        self.config.write_text(text)
        done = subprocess.run([BUILD / "provisionerd", "--print-config", self.config], check=False,
                              capture_output=True, text=True, env=environment_of_programs())
        self.assertEqual(0, done.returncode, done.stderr)
        return {name.strip(): value.split(" ;")[0].strip() for name, _, value in
                (line.partition("=") for line in done.stdout.splitlines()) if value}

    def write(self, name, text):
        path = self.directory / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


class Migrate(SetupStory):
    def test_variables_become_a_configuration(self):
        text = self.ctl("migrate", self.write("staging.env", VARIABLES))
        values = self.print_config(text)
        self.assertIn("[environment staging]", text)
        self.assertEqual("api = 2, worker, web", values["services"])
        self.assertEqual(LOG_GROUP, values["log_group"])
        self.assertEqual('"/api/v1/"', values["pattern"])
        self.assertIn("staging.env:7: AWS_SECRET_ACCESS_KEY is no part", self.said)
        self.assertNotIn("geheim", text + self.said)

    def test_from_windows_and_from_standard_input(self):
        text = self.ctl("migrate", "-", "--name", "qa", text=VARIABLES.replace("\n", "\r\n"))
        self.assertIn("[environment qa]", text)
        self.assertEqual(CLUSTER, self.print_config(text)["cluster"])

    def test_a_file_is_not_overwritten(self):
        variables, ini = self.write("x.env", VARIABLES), self.write("x.ini", "mine\n")
        self.ctl("migrate", variables, "-o", ini, status=1)
        self.assertIn("exists already, and was left as it is; --force replaces it", self.said)
        self.assertEqual("mine\n", ini.read_text())
        self.assertEqual("", self.ctl("migrate", variables, "-o", ini, "--force"))
        self.assertIn("[environment staging]", ini.read_text())
        self.assertEqual(["x.env", "x.ini"],
                         sorted(path.name for path in self.directory.glob("x.*")))
        self.ctl("migrate", variables, "-o", self.directory / "nowhere" / "x.ini", status=1)
        self.assertIn("No such file or directory", self.said)

    def test_mistakes_have_their_line(self):
        self.ctl("migrate", self.write("x.env", "CLUSTER_NAME=a\nwhatever\n"), status=1)
        self.assertIn("x.env:2: not NAME=VALUE", self.said)
        self.ctl("migrate", self.write("x.env", "CLUSTER_NAME=a\n"), status=1)
        self.assertIn("SERVICES is missing", self.said)
        self.assertIn("LOG_GROUP is missing", self.said)
        self.ctl("migrate", self.write("x.env", VARIABLES.replace("/api/v1/", "GET /(a|b)")), status=1)
        self.assertIn("x.env:6: LOG_PATTERN may be a text or a regular expression", self.said)
        self.ctl("migrate", self.directory / "nowhere.env", status=1)
        self.assertIn("cannot read", self.said)

    def test_what_would_not_load_is_not_written(self):
        self.ctl("migrate", self.write("x.env", VARIABLES.replace("staging\"", "no cluster\"")),
                 status=1)
        self.assertRegex(self.said, r"draft:\d+: .*not a cluster")

    def test_a_name_of_a_file_cannot_add_options(self):
        text = self.ctl("migrate", self.write("x\nprofile = mine.env", VARIABLES))
        self.assertNotIn("profile", self.print_config(text))


class IamPolicy(SetupStory):
    def test_what_is_known_is_named(self):
        self.start_sim()
        self.write_config(always_on="gateway")
        policy = json.loads(self.ctl("iam-policy", "--config", self.config, "--account",
                                     "123456789012"))
        statements = {statement["Sid"]: statement for statement in policy["Statement"]}
        self.assertEqual(["logs:FilterLogEvents"], statements["SeeActivity"]["Action"])
        self.assertEqual([f"arn:aws:logs:{REGION}:123456789012:log-group:{LOG_GROUP}:*"],
                         statements["SeeActivity"]["Resource"])
        service = f"arn:aws:ecs:{REGION}:123456789012:service/staging/"
        self.assertEqual([service + name for name in ("api", "web", "worker")],
                         statements["SleepAndWake"]["Resource"])
        self.assertIn(service + "gateway", statements["ReadServices"]["Resource"])
        self.assertEqual("*", statements["ReadQueries"]["Resource"])

    def test_the_region_of_the_environment(self):
        self.start_sim()
        self.write_config(daemon={"region": None})
        text = self.ctl("--config", self.config, "iam-policy",
                        environment={"AWS_REGION": "cn-north-1"})
        self.assertIn("arn:aws-cn:ecs:cn-north-1:*:service/staging/api", text)

    def test_too_large_for_one_policy(self):
        self.start_sim()
        self.write_config(environments={f"e{n}": {"cluster": f"cluster-{n}"} for n in range(40)})
        self.ctl("iam-policy", "--config", self.config)
        self.assertIn("make one for each environment", self.said)
        one = self.ctl("iam-policy", "e7", "--config", self.config)
        self.assertEqual("", self.said)
        self.assertIn("cluster-7/api", one)
        self.assertNotIn("cluster-8/api", one)

    def test_what_makes_no_sense(self):
        self.start_sim()
        self.write_config()
        self.ctl("iam-policy", "--config", self.config, "--account", "1234", status=64)
        self.ctl("iam-policy", "--config", self.config, "--region", "x;y", status=64)
        self.ctl("iam-policy", "stagin", "--config", self.config, status=1)
        self.assertIn('did you mean "staging"?', self.said)
        self.ctl("iam-policy", "--config", self.directory / "nowhere.ini", status=78)


class TestPattern(SetupStory):
    def given(self, *events, scenario=None, **options):
        self.start_sim(scenario or world(log_groups=[log_group(*events)]))
        self.write_config(**{"exclude": '"ELB-HealthChecker", /bot/', "window": "1h",
                             "poll_interval": "15s", "poll_interval_awake": "1min",
                             "check_interval": "10min", **options})

    def try_it(self, *arguments, **options):
        return self.ctl("test-pattern", "staging", "--config", self.config, *arguments, **options)

    def test_what_counts_and_what_does_not(self):
        self.given(ago(900, request("/api/v1/a")), ago(700, request("/api/v1/b")),
                   ago(10, CRAWLER), ago(9, HEALTH_CHECK), ago(5, request("/api/v1/c")))
        text = self.try_it()
        self.assertIn('staging: pattern "/api/v1/", in /ecs/staging/gateway since ', text)
        self.assertRegex(text, r"(?m)^ +3  activity$")
        self.assertRegex(text, r"\d\d:\d\d:\d\d  \"GET /api/v1/c HTTP/1.1\" 200")
        self.assertRegex(text, r"(?m)^ +1  excluded, no activity$")
        self.assertRegex(text, r'(?m)^ +0  by "ELB-HealthChecker"$')
        self.assertRegex(text, r"(?m)^ +1  by /bot/$")
        self.assertRegex(text, r"could have slept for about 20h5\dmin of these 1d \(87 %\)")
        self.assertNotIn("\x1b", text)

    def test_all_events(self):
        self.given(ago(10, HEALTH_CHECK), ago(5, request("/api/v1/c")))
        self.assertRegex(self.try_it("--all"), r"(?m)^ +1  without the pattern$")
        self.assertNotIn("without the pattern", self.try_it())

    def test_what_only_the_coarse_filter_lets_through(self):
        # A quote cannot be written in a filter: two terms stand for the text.
        self.given(ago(5, 'GET "/v1/x"'), ago(4, '"/v1/x" GET '), pattern=r'"GET \"/v1/"')
        report = json.loads(self.try_it("--json"))
        self.assertEqual((1, 1), (report["activity"]["count"], report["noMatch"]["count"]))
        self.assertRegex(self.try_it(), r"(?m)^ +1  let through by CloudWatch's coarser filter")

    def test_for_programs(self):
        self.given(ago(180, request("/api/v1/a")), ago(90, CRAWLER), ago(60, request("/api/v1/b")))
        report = json.loads(self.try_it("--json", "--since", "4h", "--examples", "1"))
        self.assertTrue(report["complete"])
        self.assertEqual("staging", report["environment"])
        self.assertEqual(2, report["activity"]["count"])
        self.assertEqual([request("/api/v1/b")],
                         [example["message"] for example in report["activity"]["examples"]])
        self.assertEqual([0, 1], [exclude["count"] for exclude in report["excludes"]])
        self.assertAlmostEqual(120 * 60_000, report["longestQuietMs"], delta=60_000)
        self.assertAlmostEqual(60 * 60_000, report["couldSleepMs"], delta=60_000)

    def test_activity_without_end_is_told(self):
        self.given(*(ago(minutes, request("/api/v1/a")) for minutes in range(1, 180, 10)))
        self.assertIn("It would never have slept.", self.try_it("--since", "2h"))

    def test_no_activity_is_told(self):
        self.given(ago(5, request("/API/V1/a")))
        self.assertIn("Nothing would have counted as activity.", self.try_it())

    def test_several_log_groups_and_one_that_cannot_be_read(self):
        other = "/ecs/staging/other"
        self.given(scenario=world(log_groups=[log_group(ago(5, request("/api/v1/a"))),
                                              log_group(ago(4, request("/api/v1/b")), name=other)]),
                   log_group=f"{LOG_GROUP}, {other}")
        self.assertEqual(2, json.loads(self.try_it("--json"))["activity"]["count"])
        self.sim.fault("access_denied", "FilterLogEvents", match=other)
        report = json.loads(self.try_it("--json", status=1))
        self.assertFalse(report["complete"])
        self.assertEqual(1, report["activity"]["count"])
        self.assertNotIn("couldSleepMs", report)
        self.assertIn(f"cannot read log group {other}: not allowed: logs:FilterLogEvents is needed",
                      self.said)
        self.assertIn("Not everything could be read", self.try_it(status=1))

    def test_aws_does_not_answer(self):
        self.given()
        self.sim.fault("http_500", "FilterLogEvents")
        self.try_it(status=69)
        self.try_it(status=69, environment={})
        self.assertIn("provisionerd(8) says where credentials are looked for", self.said)

    def test_an_interrupt_shows_what_there_is(self):
        self.given(scenario=world(log_groups=[log_group(ago(5, request("/api/v1/a"))),
                                              log_group(name="/other")]),
                   log_group=f"{LOG_GROUP}, /other")
        self.sim.fault("stall", "FilterLogEvents", match="/other")
        with subprocess.Popen(
                [BUILD / "provisionerctl", "test-pattern", "staging", "--config", self.config],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env=environment_of_programs(HOME=str(self.directory), **KEYS)) as process:
            self.sim.wait_for_calls("FilterLogEvents", 2)
            process.send_signal(signal.SIGINT)
            text, _ = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(1, process.returncode, text)
        self.assertIn("/other: interrupted", text)
        self.assertRegex(text, r"(?m)^ +1  activity$")

    def test_lines_of_a_file_without_aws(self):
        self.given()
        log = self.write("access.log", b"GET /api/v1/a\r\nGET /api/v1/b bot\nx\x1b[2J\0y\xff\n"
                                       b"GET /api/v1/no-end")
        text = self.try_it("--file", log, environment={})
        self.assertRegex(text, r"(?m)^ +2  activity\n    GET /api/v1/a\n    GET /api/v1/no-end$")
        self.assertRegex(text, r"(?m)^ +1  by /bot/$")
        self.assertRegex(text, r"(?m)^ +1  without the pattern\n    x\\x1b\[2J y\\xff$")
        self.assertRegex(self.try_it("--file", "-", text="GET /api/v1/a\n", environment={}),
                         r"(?m)^ +1  activity\n    GET /api/v1/a$")
        self.try_it("--file", self.directory / "nowhere", status=1)

    def test_what_makes_no_sense(self):
        self.given()
        self.try_it("--since", "tomorrow", status=64)
        self.try_it("--examples", "many", status=64)
        self.try_it("--examples", "21", status=64)
        self.ctl("test-pattern", "--config", self.config, status=64)
        self.ctl("test-pattern", "stagin", "--config", self.config, status=1)


DAY = [event for minutes in range(30, 1380, 30)
       for event in (ago(minutes, request("/api/v1/orders/7")), ago(minutes, HEALTH_CHECK),
                     ago(minutes, SCANNER), ago(minutes, CRAWLER))]


class Terminal:
    """A program at a terminal of its own; what a person sees, and types."""

    def __init__(self, command, environment):
        self.seen = ""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], [str(word) for word in command], environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))

    def _read(self):
        while select.select([self._fd], [], [], 0)[0]:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                return  # its end has closed
            if not data:
                return
            self.seen += data.decode("utf-8", "replace")

    def wait_for(self, text):
        def shown():
            self._read()
            return text in self.seen
        try:
            eventually(shown, f"the terminal shows {text!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows:\n{self.seen}") from None
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def type(self, text):
        os.write(self._fd, text.encode())

    def status(self):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._read()
                os.close(self._fd)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError("it did not end; the terminal shows:\n" + self.seen)


class Init(SetupStory):
    def given(self, **members):
        members.setdefault("log_groups", [log_group(*DAY), log_group(name="/aws/lambda/other")])
        self.start_sim(world(**members))

    def init(self, *arguments, environment=None, **options):
        return self.ctl("init", *arguments,
                        environment={**KEYS, "AWS_ENDPOINT_URL": self.sim.url,
                                     "AWS_REGION": REGION, **(environment or {})}, **options)

    def test_from_nothing_where_there_is_one_of_each(self):
        self.given()
        values = self.print_config(self.init())
        self.assertEqual(REGION, values["region"])
        self.assertEqual(CLUSTER, values["cluster"])
        self.assertEqual("api, web, worker", values["services"])
        self.assertEqual("gateway", values["always_on"])
        self.assertEqual(LOG_GROUP, values["log_group"])
        self.assertEqual('"/api/"', values["pattern"])
        self.assertEqual(['"ELB-HealthChecker"', '"Googlebot"'],
                         sorted(values["exclude"].split(", ")))
        self.assertRegex(self.said, r"(?m)^exclude +\"\w")

    def test_it_changes_nothing(self):
        self.given()
        self.init()
        self.assertEqual(
            {"ListClusters", "ListServices", "DescribeServices", "DescribeLogGroups",
             "FilterLogEvents"},
            {call["operation"] for call in self.sim.history()})

    def test_what_it_writes_puts_the_environment_to_sleep(self):
        """The whole way of a new user: init, test-pattern, the daemon."""
        self.given(log_groups=[log_group(*DAY)])
        ini = self.directory / "new.ini"
        self.init("-o", ini)
        self.assertIn(f"Next: provisionerd --check-config {ini}", self.said)
        self.config.write_text(ini.read_text().replace(
            "[provisionerd]", f"[provisionerd]\nstate_directory = {self.state_directory}\n"
            f"endpoint_url = {self.sim.url}") + "window = 2min\nlateness = 0s\npoll_interval = 1s\n"
            "poll_interval_awake = 1s\ncheck_interval = 2s\n")
        self.assertRegex(self.ctl("test-pattern", CLUSTER, "--config", self.config),
                         r"(?m)^ +45  activity$")
        self.start_daemon()
        self.fall_asleep()

    def test_choices_are_told_where_nobody_can_be_asked(self):
        self.given(clusters=[{"name": name, "services": services(api=1)}
                             for name in ("staging", "qa")])
        self.assertEqual("", self.init(status=64))
        self.assertRegex(self.said, r"--cluster is needed; there are: (staging, qa|qa, staging)")
        self.assertEqual("qa", self.print_config(
            self.init("--cluster", "qa", "--log-group", LOG_GROUP))["cluster"])

    def test_what_is_given_is_taken(self):
        self.given()
        text = self.init("--cluster", CLUSTER, "--services", "api,worker", "--always-on", "gateway",
                         "--log-group", LOG_GROUP, "--regex", "GET /(api|x)", "--name", "mine")
        values = self.print_config(text)
        self.assertIn("[environment mine]", text)
        self.assertEqual("api, worker", values["services"])
        self.assertEqual(r"/GET \/(api|x)/", values["pattern"])
        self.assertEqual([], self.sim.history("ListClusters") + self.sim.history("DescribeLogGroups"))

    def test_long_lists_come_in_pages(self):
        groups = [log_group(name=f"/ecs/other-{n}/gateway") for n in range(120)]
        self.given(log_groups=[*groups, log_group(*DAY)],
                   clusters=[{"name": CLUSTER, "services": services(
                       **{f"service-{n:03}": 1 for n in range(99)})}])
        values = self.print_config(self.init())
        self.assertEqual(LOG_GROUP, values["log_group"])
        self.assertGreater(len(self.sim.history("DescribeLogGroups")), 1)
        self.assertGreater(len(self.sim.history("DescribeServices")), 9)

    def test_a_quiet_log_gets_no_pattern(self):
        self.given(log_groups=[log_group()])
        text = self.init()
        self.assertIn("There were too few requests in the log to propose one.", text)
        self.assertNotIn("pattern", self.print_config(text))

    def test_what_is_missing(self):
        self.given(clusters=[])
        self.init(status=1)
        self.assertIn("there is no ECS cluster in this account and region", self.said)
        self.init("--cluster", "nowhere", status=1)
        self.assertIn("ClusterNotFoundException", self.said)

    def test_services_that_are_none(self):
        self.given()
        self.init("--services", "api,wroker", status=1)
        self.assertIn('cluster staging has no service "wroker"', self.said)

    def test_what_is_not_allowed_is_named(self):
        self.given(credentials=[{"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY,
                                 "allow": ["ecs:ListClusters", "ecs:DescribeServices"]}])
        self.init(status=1)
        self.assertIn("cannot list the cluster's services: not allowed: ecs:ListServices is needed",
                      self.said)

    def test_at_a_terminal_it_asks(self):
        self.given(clusters=[{"name": name, "services": services(api=1, worker=2)}
                             for name in ("qa", "staging")],
                   log_groups=[log_group(*DAY), log_group(name="/ecs/staging/worker")])
        ini = self.directory / "new.ini"
        terminal = Terminal(
            [BUILD / "provisionerctl", "init", "-o", ini],
            environment_of_programs(HOME=str(self.directory), AWS_ENDPOINT_URL=self.sim.url,
                                    AWS_REGION=REGION, TERM="xterm", **KEYS))
        terminal.wait_for("Cluster")
        terminal.type("stagin\r")
        terminal.wait_for("That is none of them; did you mean staging?")
        terminal.wait_for("]: ")
        terminal.type("staging\r")
        terminal.wait_for("Services to put to sleep")
        terminal.wait_for("[api, worker]: ")
        terminal.type("api\r")
        terminal.wait_for("[gateway]: ")
        terminal.type("\r")
        terminal.wait_for("Log group")
        terminal.wait_for(f"[{LOG_GROUP}]: ")
        terminal.type("2\r")
        terminal.wait_for("Text of the events that are activity")
        terminal.wait_for(": ")
        terminal.type("/orders/\r")
        self.assertEqual(0, terminal.status(), terminal.seen)
        values = self.print_config(ini.read_text())
        self.assertEqual("staging", values["cluster"])
        self.assertEqual("api", values["services"])
        self.assertEqual("gateway", values["always_on"])
        self.assertEqual("/ecs/staging/worker", values["log_group"])
        self.assertEqual('"/orders/"', values["pattern"])

    def test_the_end_of_input_ends_it(self):
        self.given()
        terminal = Terminal(
            [BUILD / "provisionerctl", "init"],
            environment_of_programs(HOME=str(self.directory), AWS_ENDPOINT_URL=self.sim.url,
                                    AWS_REGION=REGION, TERM="dumb", **KEYS))
        terminal.wait_for("Services to put to sleep [api, web, worker]: ")
        terminal.type("\x04")
        self.assertEqual(1, terminal.status(), terminal.seen)
        self.assertIn("provisionerctl: ended", terminal.seen)
