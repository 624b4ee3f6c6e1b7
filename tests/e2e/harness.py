# SPDX-License-Identifier: MIT
"""The real daemon against the simulated AWS, over loopback.

A test is a `Story`: it starts a `Sim` and one `Daemon` or more in a directory of its own, and
speaks of events, services and calls. Nothing waits for a fixed time: `eventually()` looks until it
is so, with a generous deadline; that something does NOT happen is shown by waiting for what comes
after it.
"""

import contextlib
import ctypes
import datetime
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

BUILD = pathlib.Path(os.environ.get("PROVISIONERD_BUILD", "build")).resolve()
SANITIZED = b"__asan_init" in (BUILD / "provisionerd").read_bytes()

# Long: only a failing test waits for so long.
DEADLINE_S = 180 if SANITIZED else 90
LOOK_EVERY_S = 0.03

REGION = "eu-west-1"
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "FwoGZXIvYXdzEXAMPLEc2Vzc2lvbiB0b2tlbg=="
ISSUED_TOKEN_BEGINS = "IQoJb3JpZ2luX2VjE"  # those that the sim hands out itself

CLUSTER = "staging"
LOG_GROUP = "/ecs/staging/gateway"
AWAKE = {"api": 2, "worker": 3, "web": 1}
ASLEEP = {"api": 0, "worker": 0, "web": 0}

# All who could talk to AWS must be told that they may; nobody else's settings get in.
PASSED_ON = re.compile(r"PATH|LANG|LC_.*|TZ|TMPDIR|GCOV_.*|LLVM_PROFILE_FILE")
SANITIZER_SAYS = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


class TimedOut(AssertionError):
    pass


def eventually(condition, why, deadline_s=None):
    """Waits until condition() is true, and returns what it returned."""
    end = time.monotonic() + (deadline_s or DEADLINE_S)
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise TimedOut(f"it did not come to pass that {why}")
        time.sleep(LOOK_EVERY_S)


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class Program:
    """A process, its output as lines, and the certainty that it ends: it is of a group of its own,
    so that an interrupt at the terminal leaves its end to us, and it does not outlive us."""

    def __init__(self, name, command, prepare=lambda: None, **options):
        def prepare_child():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            prepare()

        self.name = name
        self.lines = []
        self._popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, start_new_session=True,
                                       preexec_fn=prepare_child, **options)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._popen.stdout:
            self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))

    @property
    def pid(self):
        return self._popen.pid

    @property
    def is_running(self):
        return self._popen.poll() is None

    def send(self, signal_number):
        self._popen.send_signal(signal_number)

    def wait(self, deadline_s=None):
        """Returns its exit status, when it has ended and all its output is there."""
        try:
            status = self._popen.wait(deadline_s or DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise TimedOut(f"{self.name} did not end") from None
        self._reader.join(DEADLINE_S)
        return status

    def kill(self):
        self._popen.kill()
        return self.wait()

    def end(self):
        """Whatever happened: afterwards it is gone."""
        if self.is_running:
            self._popen.terminate()
            try:
                self._popen.wait(20)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        self._popen.wait()
        self._reader.join(DEADLINE_S)
        self._popen.stdout.close()

    # What it says

    @property
    def output(self):
        return "\n".join(self.lines)

    def says(self, text, after=0):
        """The first line from number `after` on that has the text in it, or matches."""
        found = text.search if isinstance(text, re.Pattern) else lambda line: text in line
        return next((line for line in self.lines[after:] if found(line)), None)

    def count(self, text):
        return sum(text in line for line in self.lines)

    def wait_for(self, text, after=0, deadline_s=None):
        def said():
            line = self.says(text, after)
            if line is None and not self.is_running:
                self._reader.join(DEADLINE_S)
                line = self.says(text, after)
                if line is None:
                    raise AssertionError(f"{self.name} ended without saying {text!r}")
            return line
        return eventually(said, f"{self.name} says {text!r}", deadline_s)


class Sim(Program):
    """provisionerd-sim, and what its administration interface offers."""

    def __init__(self, directory, scenario, https=None, arguments=()):
        directory = pathlib.Path(directory)
        port_file = directory / "sim.port"
        scenario_file = directory / "sim.json"
        scenario_file.write_text(json.dumps(scenario))
        command = [BUILD / "provisionerd-sim", "--scenario", scenario_file,
                   "--listen", "127.0.0.1:0", "--port-file", port_file, *arguments]
        if https:
            command += ["--https-listen", "127.0.0.1:0", "--cert", https.certificate,
                        "--key", https.key]
        super().__init__("sim", command, env=environment_of_programs())
        ports = json.loads(eventually(lambda: self._ports(port_file), "the sim listens"))
        self.port = ports["http"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.https_url = f"https://127.0.0.1:{ports['https']}" if https else None

    def _ports(self, port_file):
        if not self.is_running:
            raise AssertionError("the sim did not start:\n" + self.output)
        return port_file.exists() and port_file.read_text()

    def admin(self, method, resource_name, body=None, **query):
        path = "/_sim/" + resource_name
        if query:
            path += "?" + urllib.parse.urlencode(query)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read() or b"null")
        if response.status != 200:
            raise AssertionError(f"{method} {path}: {response.status} {answer}")
        return answer

    def call(self, service, target, parameters, access_key, secret_key):
        """A signed call of the API, by somebody else than the daemon and its code."""
        body = json.dumps(parameters).encode()
        moment = datetime.datetime.fromtimestamp(self.now_ms() / 1000, datetime.timezone.utc)
        stamp = moment.strftime("%Y%m%dT%H%M%SZ")
        headers = {"content-type": "application/x-amz-json-1.1",
                   "host": f"127.0.0.1:{self.port}", "x-amz-date": stamp, "x-amz-target": target}
        scope = f"{stamp[:8]}/{REGION}/{service}/aws4_request"
        names = ";".join(headers)
        canonical = "\n".join(["POST", "/", "", *(f"{name}:{headers[name]}" for name in headers),
                               "", names, hashlib.sha256(body).hexdigest()])
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                             hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + secret_key).encode()
        for part in [*scope.split("/"), to_sign]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, "
                                    f"SignedHeaders={names}, Signature={key.hex()}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        with contextlib.closing(connection):
            connection.request("POST", "/", body, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        if response.status != 200:
            raise AssertionError(f"{target}: {response.status} {answer}")
        return answer

    # The world

    def now_ms(self):
        return self.admin("GET", "health")["timeMs"]

    def set_clock_offset(self, offset_ms):
        self.admin("PUT", "clock", {"offsetMs": offset_ms})

    def set(self, **settings):
        self.admin("PATCH", "settings", settings)

    def put_event(self, message, log_group=LOG_GROUP, ago_ms=None):
        event = {"logGroup": log_group, "message": message}
        if ago_ms is not None:
            event["timestamp"] = self.now_ms() - ago_ms
        self.admin("PUT", "events", event)

    def request(self, message="GET /api/v1/orders HTTP/1.1", service="gateway", cluster=CLUSTER):
        """Somebody calls; returns whether a task was there to answer, and so to write its log."""
        answer = self.admin("POST", "requests",
                            {"cluster": cluster, "service": service, "message": message})
        return answer["served"] == 1

    def truth(self, cluster=CLUSTER):
        services = self.admin("GET", "services", cluster=cluster)["services"]
        return {service["service"]: service for service in services}

    def counts(self, cluster=CLUSTER, services=tuple(AWAKE)):
        truth = self.truth(cluster)
        return {name: truth[name]["desiredCount"] for name in services}

    def scale(self, service, count, cluster=CLUSTER):
        """A person at the console."""
        self.admin("PUT", "services",
                   {"cluster": cluster, "service": service, "desiredCount": count})

    def wait_for_counts(self, counts, cluster=CLUSTER, deadline_s=None):
        eventually(lambda: self.counts(cluster, tuple(counts)) == counts,
                   f"desired counts in {cluster} are {counts}", deadline_s)

    # Faults

    def fault(self, kind, operation="*", count=-1, **rule):
        return self.admin("POST", "faults",
                          {"kind": kind, "operation": operation, "count": count, **rule})["id"]

    def mend(self, fault=None):
        if fault is None:
            self.admin("DELETE", "faults")
        else:
            self.admin("DELETE", "faults", id=fault)

    # What was asked of it

    def history(self, operation=None, since=0):
        calls = []
        while True:
            query = {"since": since, **({"operation": operation} if operation else {})}
            page = self.admin("GET", "history", **query)
            calls += page["calls"]
            since = page["next"]
            if since >= page["newest"]:
                return calls

    def mark(self):
        """For `since`: the calls after now."""
        return self.admin("GET", "history", since=2**62)["newest"]

    def updates(self, since=0, cluster=None):
        """UpdateService calls as (service, desiredCount), in order."""
        return [(call["parameters"]["service"], call["parameters"]["desiredCount"])
                for call in self.history("UpdateService", since)
                if cluster is None or call["parameters"]["cluster"] == cluster]

    def wait_for_calls(self, operation, n=1, since=0, where=lambda call: True):
        """Until so many calls came; a list of them."""
        def enough():
            calls = [call for call in self.history(operation, since) if where(call)]
            return len(calls) >= n and calls
        return eventually(enough, f"{n} calls of {operation} come")

    def wait_for_further(self, operation="StartQuery", n=2):
        """Until the daemon has gone on for a while, told by what it asks from now on."""
        return self.wait_for_calls(operation, n, self.mark())


def environment_of_programs(**additional):
    environment = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    environment["ASAN_OPTIONS"] = "halt_on_error=1:detect_leaks=1:exitcode=99"
    environment["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1:exitcode=99"
    environment.update(additional)
    return environment


KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


class Daemon(Program):
    def __init__(self, config, environment, arguments=(), limits=(), own_pid_as=None):
        def limit():
            if limits:
                # A file that grows beyond its limit is an error of write(), not a signal.
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            for kind, value in limits:
                resource.setrlimit(kind, value)

        command = [BUILD / "provisionerd", "--config", config, *arguments]
        if own_pid_as:
            command = ["/bin/sh", "-c", f'export {own_pid_as}=$$; exec "$0" "$@"', *command]
        super().__init__("provisionerd", command, prepare=limit,
                         env=environment_of_programs(**environment))

    def command_line(self):
        return pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes().decode()

    def reload(self):
        """Returns where what it says about that begins."""
        mark = len(self.lines)
        self.send(signal.SIGHUP)
        return mark

    def stop(self, deadline_s=None):
        """As systemd stops it; the exit status."""
        if self.is_running:
            self.send(signal.SIGTERM)
        return self.wait(deadline_s)


def ini(sections):
    """{"provisionerd": {...}, "environment x": {...}} as a file's text."""
    lines = []
    for title, options in sections.items():
        lines.append(f"[{title}]")
        lines += [f"{name} = {value}" for name, value in options.items()]
        lines.append("")
    return "\n".join(lines)


# A day, scaled down: looks and checks are seconds apart. The window is not, unless the test is
# about falling idle: what was not used before it began is idle at once, what is woken stays so.
QUICK = {
    "window": "1h",
    "lateness": "0s",
    "check_interval": "2s",
    "poll_interval": "1s",
    "poll_interval_awake": "1s",
}

SHORT_WINDOW = {"window": "5s"}

SERVED_QUICKLY = {
    "query_scheduled_ms": 50,
    "query_running_ms": 100,
    "task_start_ms": 300,
    "task_stop_ms": 100,
}


def services(log_group=LOG_GROUP, **counts):
    return [{"name": "gateway", "desired": 1, "log_group": log_group},
            *({"name": name, "desired": count} for name, count in counts.items())]


def world(**members):
    """A scenario: cluster staging, with its gateway and three services."""
    scenario = {
        "region": REGION,
        "settings": dict(SERVED_QUICKLY),
        "credentials": [{"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}],
        "log_groups": [{"name": LOG_GROUP}],
        "clusters": [{"name": CLUSTER, "services": services(**AWAKE)}],
    }
    settings = members.pop("settings", {})
    scenario["settings"].update(settings)
    scenario.update(members)
    return scenario


class Story(unittest.TestCase):
    """A test: a sim, daemons, and a directory of its own, all gone at the end."""

    def setUp(self):
        self.programs = []
        self._directory = tempfile.TemporaryDirectory(prefix="provisionerd-e2e-")
        self.directory = pathlib.Path(self._directory.name)
        self.addCleanup(self._directory.cleanup)
        self.state_directory = self.directory / "state"
        self.config = self.directory / "provisionerd.ini"
        (self.directory / "home").mkdir()
        self.secrets = {SECRET_KEY, SESSION_TOKEN, ISSUED_TOKEN_BEGINS}

    def tearDown(self):
        for program in reversed(self.programs):
            program.end()
        for program in self.programs:
            said = SANITIZER_SAYS.search(program.output)
            self.assertIsNone(said, f"{program.name} was stopped by a sanitizer")
        self._assert_no_secrets()

    def transcript(self):
        """What everybody said, for the reader of a failure."""
        parts = []
        for program in self.programs:
            state = "running" if program.is_running else f"ended: {program.wait()}"
            parts += [f"--- {program.name} ({state})", *program.lines[-200:]]
        sims = [program for program in self.programs if isinstance(program, Sim)]
        for sim in sims:
            with contextlib.suppress(OSError, AssertionError):
                parts.append("--- calls")
                parts += [f"{call['timeMs']} {call['operation']} {json.dumps(call['parameters'])} "
                          f"{call['status']} {call['code']}" for call in sim.history()[-120:]]
        return "\n".join(parts)

    def _assert_no_secrets(self):
        written = [path.read_text(errors="replace") for path in self.state_directory.rglob("*")
                   if path.is_file()] if self.state_directory.is_dir() else []
        told = [program.output for program in self.programs if isinstance(program, Daemon)]
        for secret in self.secrets:
            for text in written + told:
                self.assertNotIn(secret, text, "a secret leaked")

    # Arranging

    def start_sim(self, scenario=None, **options):
        self.sim = Sim(self.directory, scenario or world(), **options)
        self.programs.insert(0, self.sim)
        return self.sim

    def write_config(self, environments=None, daemon=None, **options):
        """`options` are those of the one environment staging, on top of QUICK."""
        if environments is None:
            environments = {CLUSTER: {}}
        sections = {"provisionerd": {"region": REGION, "endpoint_url": self.sim.url,
                                     "state_directory": self.state_directory, **(daemon or {})}}
        sections["provisionerd"] = {name: value for name, value in sections["provisionerd"].items()
                                    if value is not None}
        for name, own in environments.items():
            sections[f"environment {name}"] = {
                "cluster": CLUSTER, "services": "api, worker, web", "log_group": LOG_GROUP,
                "pattern": '"/api/v1/"', **QUICK, **options, **own}
        self.config.write_text(ini(sections))

    def start_daemon(self, *arguments, environment=None, limits=(), wait=True):
        """With the configuration as it was last written."""
        settings = {"HOME": str(self.directory / "home")}
        settings.update(KEYS if environment is None else environment)
        self.daemon = Daemon(self.config, settings, arguments, limits)
        self.programs.append(self.daemon)
        if wait:
            self.daemon.wait_for("started with")
            self._assert_no_secrets_in_command_line()
        return self.daemon

    def _assert_no_secrets_in_command_line(self):
        for secret in self.secrets:
            self.assertNotIn(secret, self.daemon.command_line())

    def start(self, *arguments, scenario=None, environment=None, **config):
        """The usual beginning: the sim, a configuration, the daemon."""
        self.start_sim(scenario)
        self.write_config(**config)
        return self.start_daemon(*arguments, environment=environment)

    # Acting and asserting

    def fall_asleep(self):
        """Idle as it is, it is put to sleep; and the daemon knows that it is."""
        after = len(self.daemon.lines)
        self.sim.wait_for_counts(ASLEEP)
        if not self.daemon.says("asleep; will wake to", after):
            self.daemon.wait_for("asleep; will wake to")

    def wake_up(self):
        self.assertTrue(self.sim.request(), "the gateway is up and writes its log")
        self.sim.wait_for_counts(AWAKE)

    def assert_nothing_sleeps(self, since=0):
        """No UpdateService to 0 was sent, and no count has changed."""
        self.assertEqual([], [update for update in self.sim.updates(since) if update[1] == 0])
        self.assertEqual(AWAKE, self.sim.counts())

    def assert_alive(self):
        self.assertTrue(self.daemon.is_running, "the daemon runs")

    def assert_stops_cleanly(self):
        self.assertEqual(0, self.daemon.stop())
        self.assertIn("stopped", self.daemon.lines[-1])


class Systemd:
    """What systemd is to a service of Type=notify: the socket it tells its state to."""

    def __init__(self, directory, abstract=False):
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = str(pathlib.Path(directory) / "notify")
        self._socket.bind("\0" + path if abstract else path)
        self.environment = {"NOTIFY_SOCKET": "@" + path if abstract else path}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):
            while True:
                self.messages.append(self._socket.recv(65536).decode())

    def close(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def wait_for(self, text, after=0):
        """The number of the first message from `after` on that has the text in it."""
        def heard():
            return next((number for number in range(after, len(self.messages))
                         if text in self.messages[number]), None)
        eventually(lambda: heard() is not None, f"systemd is told {text}")
        return heard()

    @property
    def status(self):
        """The status line that `systemctl status` would show."""
        found = re.findall(r"^STATUS=(.*)$", "\n".join(self.messages), re.MULTILINE)
        return found[-1] if found else ""


class Authority:
    """A certificate authority of our own, and a certificate for 127.0.0.1 from it."""

    def __init__(self, directory, name="ca", names=("IP:127.0.0.1",)):
        self._directory = pathlib.Path(directory)
        self.ca = self._directory / f"{name}.pem"
        self.certificate = self._directory / f"{name}-server.pem"
        self.key = self._directory / f"{name}-server.key"
        ca_key = self._directory / f"{name}.key"
        request = self._directory / f"{name}-server.csr"
        extensions = self._directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(names)}\n")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._openssl("req", "-x509", *new_key, "-keyout", ca_key, "-out", self.ca, "-days", "2",
                      "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")
        self._openssl("req", *new_key, "-keyout", self.key, "-out", request, "-subj", "/CN=sim")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key,
                      "-CAcreateserial", "-days", "2", "-extfile", extensions,
                      "-out", self.certificate)

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"openssl {arguments[0]}: {done.stderr}")


def somebody_else():
    """A command's beginning that runs it as nobody; None: that cannot be done here."""
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    try:
        done = subprocess.run([*command, "/bin/true"], capture_output=True, check=False)
    except OSError:
        return None
    return command if done.returncode == 0 else None


def free_port():
    """One that nobody listens on, at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
