# SPDX-License-Identifier: MIT
"""A story of the daemon as a service of a machine."""

import contextlib
import os
import pathlib
import re
import shlex
import threading

from harness import (ACCESS_KEY, ASLEEP, AWAKE, SECRET_KEY, Authority, Sim, Story, TimedOut,
                     eventually, world)
from machine import UNIT, Machine, package

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true"}
AWS_NAME = "aws.invalid"  # RFC 6761: no server of names has it
CA_FILE = "/etc/provisionerd-ca.pem"

FIGURES = []


def figure(name, value):
    """Told at the end; nothing depends on it."""
    FIGURES.append((name, value))


def telling(test):
    """Of the short form, which is part of `./run check`."""
    test.is_telling = True
    return test


class HostStory(Story):
    """A booted machine on which the package is installed; each story begins with a daemon that has
    never run. The machine is the same for all, unless a class arranges one of its own."""

    machine = None
    _shared = None

    @classmethod
    def setUpClass(cls):
        if not HostStory._shared:
            machine = Machine()
            machine.boot()
            machine.install(package("provisionerd"))
            HostStory._shared = machine
        cls.machine = HostStory._shared

    @classmethod
    def arrange_own_machine(cls):
        """Not yet booted."""
        cls.machine = Machine()
        cls.addClassCleanup(cls.machine.remove)

    def setUp(self):
        super().setUp()
        self.config = self.machine.root / "etc/provisionerd.ini"
        self.authority = Authority(self.directory, names=self.certificate_names())
        self.machine.write(CA_FILE, self.authority.ca.read_text())
        self.write_environment(**KEYS)
        if self.machine.nspawn:
            self.begin_journal()
            self.addCleanup(self.make_as_new)

    def begin_journal(self):
        self.begin = self.machine.now()

    def make_as_new(self):
        machine = self.machine
        machine.run("rm", "-rf", f"/etc/systemd/system/{UNIT}.d", "/etc/provisionerd.ini.d")
        machine.systemctl("daemon-reload", "--quiet")
        machine.systemctl("stop", UNIT, check=False)
        machine.systemctl("reset-failed", UNIT, check=False)
        machine.run("rm", "-rf", "/var/lib/private/provisionerd", "/var/lib/provisionerd")

    def tearDown(self):
        try:
            for record in self.records():
                for secret in self.secrets:
                    self.assertNotIn(secret, str(record), "a secret leaked")
        finally:
            super().tearDown()

    def transcript(self):
        try:
            journal = self.machine.run("journalctl", "--quiet", "--no-pager",
                                       f"--since={self.begin}", "--output=short-precise",
                                       check=False).stdout
        except (AttributeError, AssertionError):
            journal = self.machine.nspawn.output if self.machine.nspawn else ""
        return f"{super().transcript()}\n--- journal\n{journal}"

    # Arranging

    def certificate_names(self):
        return ("IP:127.0.0.1", f"DNS:{AWS_NAME}")

    def start_sim(self, scenario=None, **options):
        self.sim = Sim(self.directory, scenario or world(), https=self.authority, **options)
        self.programs.insert(0, self.sim)
        return self.sim

    def write_config(self, environments=None, daemon=None, **options):
        settings = {"endpoint_url": self.sim.https_url, "ca_bundle": CA_FILE,
                    "state_directory": None}
        super().write_config(environments, {**settings, **(daemon or {})}, **options)

    def write_environment(self, **variables):
        self.machine.write("/etc/default/provisionerd", "".join(
            f"{name}={shlex.quote(value)}\n" for name, value in variables.items()), 0o600)

    def write_drop_in(self, text):
        self.machine.write(f"/etc/systemd/system/{UNIT}.d/test.conf", text)
        self.machine.systemctl("daemon-reload", "--quiet")

    def teach_the_name(self):
        """From now on AWS_NAME is the address of the simulated AWS."""
        hosts = self.machine.root / "etc/hosts"
        before = hosts.read_text() if hosts.exists() else ""
        self.addCleanup(self.machine.write, "/etc/hosts", before)
        self.machine.write("/etc/hosts", f"{before}127.0.0.1 {AWS_NAME}\n")

    def start_service(self):
        """What somebody does who has edited the configuration."""
        self.machine.systemctl("start")
        self.assertEqual("active", self.machine.state)

    @contextlib.contextmanager
    def start_held(self):
        """Until the end of the `with`, its process has not yet read all of its configuration: a part
        of that is a pipe that nobody has written to."""
        folder = self.machine.root / "etc/provisionerd.ini.d"
        folder.mkdir()
        pipe = folder / "slow.ini"
        os.mkfifo(pipe, 0o644)
        self.machine.systemctl("start", "--no-block", UNIT)
        eventually(lambda: self.machine.run("cat", f"/proc/{self.machine.main_pid}/comm", check=False)
                   .stdout == "provisionerd\n", "its process is there")
        try:
            yield
        finally:
            writer = threading.Thread(daemon=True, target=pipe.write_text, args=(
                "[provisionerd]\nlog_level = info\n",))
            writer.start()
        eventually(lambda: self.machine.state == "active", "it is active")
        writer.join()
        pipe.unlink()
        folder.rmdir()

    def start(self, scenario=None, **config):
        self.start_sim(scenario)
        self.write_config(**config)
        self.start_service()

    # The journal, since the story began

    def records(self, *matches):
        if not hasattr(self, "begin"):
            return []
        return self.machine.journal(f"--since={self.begin}",
                                    *(matches or (f"--unit={UNIT}",)))

    def messages(self, *matches):
        return [record["MESSAGE"] for record in self.records(*matches)]

    def wait_for_message(self, text):
        found = text.search if isinstance(text, re.Pattern) else lambda line: text in line
        return eventually(lambda: next(filter(found, self.messages()), None),
                          f"the journal says {text!r}")

    def count_messages(self, text):
        return sum(text in message for message in self.messages())

    # Acting and asserting

    def status(self):
        return self.machine.systemctl("status", "--no-pager", UNIT, check=False).stdout

    def wait_for_status(self, text):
        try:
            eventually(lambda: f'Status: "{text}' in self.status(), f"systemctl status shows {text}")
        except TimedOut:
            raise TimedOut(f"systemctl status does not show {text!r}:\n{self.status()}") from None

    def fall_asleep(self):
        asleep = self.count_messages("asleep; will wake to")
        self.sim.wait_for_counts(ASLEEP)
        eventually(lambda: self.count_messages("asleep; will wake to") > asleep or
                   'Status: "1 environment: 1 asleep' in self.status(), "it knows that it sleeps")

    def wake_up(self):
        self.assertTrue(self.sim.request(), "the gateway is up and writes its log")
        self.sim.wait_for_counts(AWAKE)

    def assert_whole_job(self):
        self.fall_asleep()
        self.wake_up()

    def assert_never_restarted(self):
        self.assertEqual("active", self.machine.state)
        self.assertEqual("0", self.machine.show("NRestarts"))

    def status_of_process(self, name):
        """A line of /proc/PID/status."""
        text = pathlib.Path(f"/proc/{self.machine.host_pid}/status").read_text()
        return re.search(rf"^{name}:\s*(.*)$", text, re.MULTILINE)[1]
