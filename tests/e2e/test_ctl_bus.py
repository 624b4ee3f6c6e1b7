# SPDX-License-Identifier: MIT
"""The D-Bus interface on a bus: a dbus-daemon of the test's own, with the policy that is installed."""

import os
import pathlib
import pwd
import re
import shutil
import subprocess
import unittest

from harness import (ASLEEP, AWAKE, BUILD, DEADLINE_S, KEYS, Program, SHORT_WINDOW, Story,
                     environment_of_programs, eventually, somebody_else)

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENVIRONMENT = "/org/provisionerd/environment/staging"
SOMEBODY_ELSE = somebody_else()

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>{policy}</include>
</busconfig>
"""


@unittest.skipUnless(shutil.which("dbus-daemon"), "needs dbus-daemon")
class BusStory(Story):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)
        self.address = f"unix:path={self.directory / 'bus'}"
        # The user that the unit runs as is whoever runs the tests.
        policy = (ROOT / "dbus" / "org.provisionerd.conf").read_text()
        policy = policy.replace('user="provisionerd"', f'user="{pwd.getpwuid(os.geteuid())[0]}"')
        policy = policy.replace('<policy group="provisionerd">', f'<policy group="{os.getegid()}">')
        (self.directory / "policy.conf").write_text(policy)
        (self.directory / "bus.conf").write_text(BUS_CONFIG.format(
            socket=self.directory / "bus", policy=self.directory / "policy.conf"))

    def start_bus(self):
        self.bus = Program("dbus-daemon", ["dbus-daemon", "--nofork", "--print-address",
                                           f"--config-file={self.directory / 'bus.conf'}"],
                           env=environment_of_programs())
        self.programs.append(self.bus)
        self.bus.wait_for("unix:path=")

    def start(self, *arguments, **config):
        super().start(*arguments, environment={**KEYS, "DBUS_SYSTEM_BUS_ADDRESS": self.address},
                      **config)
        self.daemon.wait_for("found awake")

    def run_on_bus(self, *command, status=0):
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S,
            env=environment_of_programs(DBUS_SYSTEM_BUS_ADDRESS=self.address), check=False)
        self.errors = result.stderr
        if status is not None:
            self.assertEqual(status, result.returncode, result.stdout + result.stderr)
        return result.stdout

    def ctl(self, *arguments, status=0, by=()):
        return self.run_on_bus(*by, self.program, *arguments, status=status)

    @property
    def program(self):
        """Where everybody can read it."""
        copy = self.directory / "provisionerctl"
        if not copy.exists():
            shutil.copy(BUILD / "provisionerctl", copy)
            os.chmod(copy, 0o755)
        return copy

    def has_name(self):
        return "org.provisionerd" in self.run_on_bus("busctl", "--system", "list", status=None)


class OnTheBus(BusStory):
    def test_status_and_acts(self):
        self.start_bus()
        self.start()
        eventually(self.has_name, "the daemon has its name")
        self.assertRegex(self.ctl("status"), r"(?m)^staging +awake")
        self.ctl("sleep", "staging", "--now", "--wait")
        self.assertEqual(ASLEEP, self.sim.counts())
        self.ctl("wake", "staging", "--wait", "--reason", "demo")
        self.assertEqual(AWAKE, self.sim.counts())
        me = pwd.getpwuid(os.geteuid())[0]
        self.daemon.wait_for(re.compile(rf"staging: held awake until \d\d:\d\d by {me}: demo"))

    def test_a_bus_that_comes_later_and_goes_and_comes_again(self):
        self.start()
        for _ in range(2):
            self.start_bus()
            eventually(self.has_name, "the daemon has its name")
            self.ctl("status")
            self.bus.end()
            self.programs.remove(self.bus)
        self.assert_stops_cleanly()

    def test_changes_are_told(self):
        self.start_bus()
        self.start(**SHORT_WINDOW)
        eventually(self.has_name, "the daemon has its name")
        watch = Program("watch", [self.program, "status", "--watch"],
                        env=environment_of_programs(DBUS_SYSTEM_BUS_ADDRESS=self.address))
        self.programs.append(watch)
        watch.wait_for(re.compile(r"^staging +asleep .*api 0 \(2\), worker 0 \(3\), web 0 \(1\)"))
        self.assertTrue(self.sim.request())
        watch.wait_for(re.compile(r"^staging +awake .*api 2/2, worker 3/3, web 1/1"))

    @unittest.skipUnless(SOMEBODY_ELSE, "cannot become somebody else here")
    def test_others_may_look_and_not_act(self):
        self.start_bus()
        self.start()
        eventually(self.has_name, "the daemon has its name")
        self.assertIn("staging", self.ctl("status", by=SOMEBODY_ELSE))
        self.assertIn("Because", self.ctl("explain", "staging", by=SOMEBODY_ELSE))
        for act in (("wake", "staging"), ("sleep", "staging", "--now"), ("release", "staging"),
                    ("hold", "staging", "--for", "1h")):
            self.ctl(*act, by=SOMEBODY_ELSE, status=1)
            self.assertIn("not permitted: root and the members of the group provisionerd may",
                          self.errors)
        self.assertEqual(AWAKE, self.sim.counts())

    def test_the_interface_is_as_its_manual_page_says(self):
        self.start_bus()
        self.start()
        eventually(self.has_name, "the daemon has its name")
        page = (ROOT / "man" / "org.provisionerd.5").read_text()
        for path, interface in (("/org/provisionerd", "org.provisionerd.Manager"),
                                (ENVIRONMENT, "org.provisionerd.Environment")):
            listed = self.run_on_bus("busctl", "--system", "introspect", "org.provisionerd", path,
                                     interface)
            members = re.findall(r"(?m)^\.(\w+) +(method|property) +(\S+) +(\S+)", listed)
            self.assertTrue(members, listed)
            section = page.split(f".Ss {interface}")[1].split(".Ss ")[0]
            documented = set(re.findall(r"(\w+)\(", section)) | set(
                name for line in re.findall(r"\.It Li (.*)", section)
                for name in re.findall(r"(\w+) [a-z(]", line))
            for name, kind, signature, result in members:
                if kind == "property":
                    self.assertRegex(section, rf"(?m)^\.It Li .*\b{name} {re.escape(signature)}( |$)")
                else:
                    self.assertRegex(section, rf"(?m)^\.It Li {name}\(")
                self.assertIn(name, documented)
            for name in re.findall(r"(?m)^\.It Li (\w+)[( ]", section):
                self.assertIn(name, [member[0] for member in members])
        self.assertIn(ENVIRONMENT, self.run_on_bus("busctl", "--system", "tree", "org.provisionerd"))


if __name__ == "__main__":
    unittest.main()
