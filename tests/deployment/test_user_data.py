# SPDX-License-Identifier: MIT
"""What the instance runs at each boot, run."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

from examples import DEMO, EXAMPLES, STAGING, TEST, by_cloudformation, by_terraform
from machine_of_stubs import Machine, can_boot
from test_templates import HOSTILE, TOPIC

PROVISIONERD = pathlib.Path(os.environ.get("PROVISIONERD_BUILD", "build")).resolve() / "provisionerd"
CONFIGURATION = "/etc/provisionerd.ini"
ALARM = "/etc/systemd/system/provisionerd-alarm.service"
DROP_IN = "/etc/systemd/system/provisionerd.service.d/alarm.conf"


def served(content=b"the package", url="https://packages.example.com/provisionerd"):
    return {"url": url, "sha256": hashlib.sha256(content).hexdigest()}


class Text(unittest.TestCase):
    def test_cloud_init_finds_its_parts(self):
        for name, example in EXAMPLES.items():
            parts = example([HOSTILE]).parts
            self.assertEqual({"text/cloud-config", "text/x-shellscript"}, set(parts), name)
            self.assertTrue(parts["text/cloud-config"].startswith("#cloud-config\n"))
            self.assertEqual({"cloud_final_modules": [["scripts-user", "always"]]},
                             yaml.safe_load(parts["text/cloud-config"]))
            self.assertTrue(parts["text/x-shellscript"].startswith("#!/bin/bash\n"))

    def test_the_script_is_clean(self):
        for name, example in EXAMPLES.items():
            with self.subTest(name), tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
                file.write(example([STAGING, TEST, HOSTILE], alarm_topic=TOPIC).script)
                file.flush()
                for command in (["bash", "-n"], ["shellcheck"]):
                    done = subprocess.run([*command, file.name], capture_output=True, text=True,
                                          check=False)
                    self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr))

    def test_what_the_value_is_makes_no_other_script(self):
        """Whatever stands in the configuration: the program text is the same."""
        for name, example in EXAMPLES.items():
            texts = {re.sub(r"<<<'[A-Za-z0-9+/=]*'", "<<<''", example([environment]).user_data)
                     for environment in (STAGING, TEST, HOSTILE)}
            self.assertEqual(1, len(texts), name)


@unittest.skipUnless(can_boot(), "mounts of its own cannot be had here")
class Boot(unittest.TestCase):
    def machine(self, flavour="debian"):
        machine = Machine(flavour, PROVISIONERD)
        self.addCleanup(machine.remove)
        return machine

    def boot(self, machine, deployment):
        status, said = machine.boot(deployment.script)
        self.assertEqual(0, status, said)
        self.assertIn("provisionerd: SUCCESS: provisionerd runs", said)
        return said

    def in_force(self, machine, path=CONFIGURATION):
        """What the daemon reads: option to value, by section."""
        done = subprocess.run([PROVISIONERD, "--print-config", machine.path(path)],
                              capture_output=True, text=True, check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        sections = {}
        for line in done.stdout.splitlines():
            if line.startswith("["):
                options = sections.setdefault(line.strip("[]"), {})
            else:
                found = re.match(r"([a-z_]+) += (.*) ; \S", line)
                if found:
                    options[found[1]] = found[2]
        return sections

    # The first boot

    def test_debian_installs_and_starts_it(self):
        for name, example in EXAMPLES.items():
            with self.subTest(name):
                machine = self.machine()
                self.boot(machine, example([STAGING, TEST, DEMO], package=served()))
                installed, = machine.calls_of("apt-get")
                self.assertRegex(installed[-1], r"^/tmp/\S+/provisionerd\.deb$")
                self.assertIn("install", installed)
                self.assertEqual([["daemon-reload"], ["enable", "provisionerd"],
                                  ["reload-or-restart", "provisionerd"]],
                                 machine.calls_of("systemctl"))
                self.assertEqual("URIs: https://deb.debian.org/debian\n",
                                 machine.read("/etc/apt/sources.list.d/debian.sources"))
                sections = self.in_force(machine)
                self.assertEqual({"provisionerd", "environment staging", "environment test",
                                  "environment demo"}, set(sections))
                self.assertEqual("eu-west-1", sections["provisionerd"]["region"])
                test = sections["environment test"]
                self.assertEqual(("test-cluster", '"/ecs/test#2"', "2h", "no"),
                                 tuple(test[option] for option in
                                       ("cluster", "log_group", "window", "adopt")))
                self.assertEqual(0o644, machine.path(CONFIGURATION).stat().st_mode & 0o777)
                self.assertFalse(list(machine.path("/tmp").iterdir()), "nothing is left over")

    def test_amazon_linux_installs_it_with_what_it_needs(self):
        machine = self.machine("amazon")
        self.boot(machine, by_terraform([STAGING], package=served()))
        self.assertEqual(1, len(machine.calls_of("rpm")))
        installed, = machine.calls_of("dnf")
        self.assertRegex(installed[-1], r"^/tmp/\S+/provisionerd\.rpm$")
        self.assertEqual(machine.calls_of("swapon"), machine.calls_of("swapoff"))
        self.assertFalse(machine.path("/var/swap.install").exists())
        self.in_force(machine)

    def test_a_package_in_s3(self):
        machine = self.machine("amazon")
        package = served(url="s3://bucket/some/provisionerd.rpm")
        self.boot(machine, by_cloudformation([STAGING], package=package))
        fetched, = machine.calls_of("aws")
        self.assertEqual(["s3", "cp"], fetched[:2])
        self.assertIn("s3://bucket/some/provisionerd.rpm", fetched)

    def test_a_package_in_s3_for_debian_whose_image_may_lack_the_command(self):
        machine = self.machine()
        self.boot(machine, by_terraform([STAGING], package=served(url="s3://bucket/x.deb")))
        self.assertIn("awscli", machine.calls_of("apt-get")[0])
        self.assertEqual(1, len(machine.calls_of("aws")))

    def test_the_stack_hears_how_it_went(self):
        machine = self.machine()
        self.boot(machine, by_cloudformation([STAGING], package=served()))
        told, = machine.signals
        self.assertEqual(("SUCCESS", "provisionerd runs"), (told["Status"], told["Reason"]))
        self.assertEqual("https://cloudformation.example/RunningHandle?a=1&b=2",
                         machine.calls_of("curl")[-1][-1])
        self.assertEqual({"Status", "UniqueId", "Data", "Reason"}, set(told))

    # Values

    def test_hostile_values_are_values(self):
        for name, example in EXAMPLES.items():
            with self.subTest(name):
                machine = self.machine()
                said = self.boot(machine, example([HOSTILE], package=served()))
                self.assertFalse(machine.path("/tmp/no").exists())
                self.assertEqual({"curl", "apt-get", "systemctl"},
                                 {call[0] for call in machine.calls})
                options = self.in_force(machine)["environment staging"]
                self.assertEqual(HOSTILE["pattern"], options["pattern"])
                self.assertEqual(HOSTILE["exclude"], options["exclude"])
                self.assertNotIn("command not found", said)

    def test_a_hostile_address_is_an_address(self):
        url = "https://example.com/$(touch${IFS}/tmp/no);'`\"&x=%2F|%s"
        for name, example in EXAMPLES.items():
            with self.subTest(name):
                machine = self.machine()
                self.boot(machine, example([STAGING], package=served(url=url)))
                self.assertEqual(url, machine.calls_of("curl")[0][-1])
                self.assertFalse(list(machine.path("/tmp").iterdir()))

    def test_counts_to_wake_to(self):
        for name, example in EXAMPLES.items():
            machine = self.machine()
            self.boot(machine, example([{**STAGING, "wake_to": "api = 2, worker, web = 1"}],
                                       package=served()))
            self.assertEqual("api = 2, worker, web = 1",
                             self.in_force(machine)["environment staging"]["services"], name)

    # Later boots

    def test_a_second_boot_installs_nothing(self):
        machine = self.machine()
        for _ in range(2):
            self.boot(machine, by_terraform([STAGING], package=served()))
        self.assertEqual([], machine.calls_of("apt-get") + machine.calls_of("curl"))
        self.assertIn(["reload-or-restart", "provisionerd"], machine.calls_of("systemctl"))

    def test_changed_parameters_come_in(self):
        machine = self.machine()
        self.boot(machine, by_terraform([STAGING], package=served()))
        machine.serve(b"a newer package")
        self.boot(machine, by_terraform([STAGING, TEST], package=served(b"a newer package")))
        self.assertEqual(1, len(machine.calls_of("apt-get")))
        self.assertIn("environment test", self.in_force(machine))

    def test_another_package_than_the_announced_is_not_installed(self):
        for flavour in ("debian", "amazon"):
            with self.subTest(flavour):
                machine = self.machine(flavour)
                machine.serve(b"something else")
                status, said = machine.boot(
                    by_cloudformation([STAGING], package=served()).script)
                self.assertNotEqual(0, status)
                self.assertIn("checking the package's SHA-256 failed", said)
                for command in ("apt-get", "rpm", "dnf", "systemctl"):
                    self.assertEqual([], machine.calls_of(command))
                self.assertFalse(machine.path(CONFIGURATION).exists())
                told, = machine.signals
                self.assertEqual("FAILURE", told["Status"])
                self.assertIn("SHA-256", told["Reason"])

    def test_a_configuration_with_an_error_changes_nothing(self):
        machine = self.machine()
        self.boot(machine, by_terraform([STAGING], package=served()))
        before = machine.read(CONFIGURATION)
        wrong = {**STAGING, "options": {"windows": "2h"}}
        for example in EXAMPLES.values():
            status, said = machine.boot(example([wrong], package=served()).script)
            self.assertNotEqual(0, status)
            self.assertIn('unknown option; did you mean "window"?', said)
            self.assertIn("checking the configuration failed", said)
            self.assertEqual(before, machine.read(CONFIGURATION))
            self.assertEqual([], machine.calls_of("systemctl"))

    # The alarm

    def test_a_failed_daemon_tells_the_topic(self):
        machine = self.machine("amazon")
        self.boot(machine, by_cloudformation([STAGING], package=served(), alarm_topic=TOPIC))
        self.assertIn("OnFailure=provisionerd-alarm.service", machine.read(DROP_IN))
        unit = machine.read(ALARM)
        self.assertRegex(unit, f"--region eu-west-1 +--topic-arn {TOPIC} ")
        if shutil.which("systemd-analyze"):
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", machine.path(ALARM)],
                                  capture_output=True, text=True, check=False)
            self.assertNotIn("provisionerd-alarm", done.stderr)

        self.boot(machine, by_cloudformation([STAGING], package=served()))
        self.assertFalse(machine.path(ALARM).exists() or machine.path(DROP_IN).exists())
