# SPDX-License-Identifier: MIT
"""The user data of examples/aws, on a machine that has never seen the daemon."""

import base64
import email
import hashlib
import pathlib
import re

from harness import ASLEEP, AWAKE, CLUSTER, LOG_GROUP, QUICK, eventually, ini
from machine import UNIT, Machine, package
from story import CA_FILE, HostStory

TEMPLATE = (pathlib.Path(__file__).resolve().parents[2] /
            "examples/aws/terraform/user-data.tftpl").read_text(encoding="utf-8")
TOPIC = "arn:aws:sns:eu-west-1:123456789012:ops"

# For what the machine has no network to: the package's place, and AWS's command.
CURL = """#!/bin/sh
while [ $# -gt 1 ]; do
    [ "$1" != --output ] || cp /root/served.deb "$2"
    shift
done
"""
AWS = """#!/bin/sh
printf '%s\\n' "$*" >>/root/told
"""


def options(**changed):
    return {"cluster": CLUSTER, "services": "api, worker, web", "log_group": LOG_GROUP,
            "pattern": '"/api/v1/"', **QUICK, **changed}


class Deployed(HostStory):
    @classmethod
    def setUpClass(cls):
        cls.machine = Machine()
        cls.addClassCleanup(cls.machine.remove)
        cls.machine.boot()
        cls.machine.write("/usr/bin/curl", CURL, 0o755)
        cls.machine.write("/usr/bin/aws", AWS, 0o755)
        cls.deb = package("provisionerd").read_bytes()
        (cls.machine.root / "root/served.deb").write_bytes(cls.deb)

    def boot_script(self, sections):
        """Runs what cloud-init would run at a boot."""
        values = {"PackageUrlBase64": base64.b64encode(b"https://example.com/x.deb").decode(),
                  "PackageSha256": hashlib.sha256(self.deb).hexdigest(),
                  "ConfigurationBase64": base64.b64encode(ini(sections).encode()).decode(),
                  "AlarmTopicArn": TOPIC, "SignalUrlBase64": ""}
        text = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], TEMPLATE)
        script = [part.get_payload() for part in email.message_from_string(text).walk()
                  if part.get_content_type() == "text/x-shellscript"][0]
        self.machine.write("/root/boot", script, 0o700)
        return self.machine.run("/root/boot", check=False)

    def test_a_life(self):
        """The first boot, a night, changed parameters while it sleeps, an error, a failure."""
        machine = self.machine
        self.start_sim()
        # By hand, beside what is deployed: where AWS is.
        machine.write("/etc/provisionerd.ini.d/sim.ini", ini({"provisionerd": {
            "endpoint_url": self.sim.https_url, "ca_bundle": CA_FILE}}))

        done = self.boot_script({"provisionerd": {"region": "eu-west-1"},
                                 f"environment {CLUSTER}": options()})
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertIn("provisionerd: SUCCESS: provisionerd runs", done.stdout)
        self.assertEqual(("active", "enabled"), (
            machine.state, machine.systemctl("is-enabled").stdout.strip()))
        self.fall_asleep()

        # Stopped and started by changed parameters; somebody knocks meanwhile.
        machine.systemctl("stop")
        self.assertEqual(ASLEEP, self.sim.counts())
        self.sim.request()
        machine.systemctl("start")
        done = self.boot_script({"provisionerd": {"region": "eu-west-1"},
                                 f"environment {CLUSTER}": options(window="2h")})
        self.assertEqual(0, done.returncode, done.stdout)
        self.sim.wait_for_counts(AWAKE)
        self.wait_for_message(re.compile("reload|window"))
        self.assertIn("window", machine.run("provisionerd", "--print-config").stdout)
        self.assertEqual(2, self.count_messages("started with 1 environment"))

        before, pid = self.config.read_text(), machine.main_pid
        done = self.boot_script({f"environment {CLUSTER}": options(windows="2h")})
        self.assertNotEqual(0, done.returncode)
        self.assertIn("checking the configuration failed", done.stdout)
        self.assertEqual((before, pid), (self.config.read_text(), machine.main_pid))

        # Somebody breaks it by hand, and then it has to start.
        machine.write("/etc/provisionerd.ini", "nonsense")
        machine.systemctl("restart", check=False)
        self.assertEqual("failed", machine.state)
        told = eventually(lambda: (machine.root / "root/told").exists() and
                          (machine.root / "root/told").read_text(), "the topic is told")
        self.assertIn(f"sns publish --region eu-west-1 --topic-arn {TOPIC}", told)
        self.assertIn(f"journalctl -u {UNIT.removesuffix('.service')} says why", told)
