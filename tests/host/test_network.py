# SPDX-License-Identifier: MIT
"""A boot at which the network, its names or AWS are not there yet; and where credentials come from."""

import contextlib
import json
import os
import subprocess

from harness import (ACCESS_KEY, ASLEEP, SECRET_KEY, Sim, free_port, world)
from machine import UNIT, package
from story import AWS_NAME, HostStory, telling

ROLE = "arn:aws:iam::123456789012:role/bastion"


class Credentials(HostStory):
    def assert_story_with(self, source, key):
        self.wait_for_message("credentials: ")
        self.assertIn(source, next(m for m in self.messages() if "credentials: " in m))
        self.assert_whole_job()
        signed = {call["accessKeyId"] for call in self.sim.history()
                  if call["operation"] in ("FilterLogEvents", "UpdateService")}
        self.assertTrue(signed and all(map(key, signed)), signed)

    @telling
    def test_load_credential(self):
        """A file that only root can read; the daemon's user gets it from systemd."""
        self.start_sim()
        self.write_config()
        self.write_environment(AWS_EC2_METADATA_DISABLED="true")
        self.machine.write("/etc/provisionerd.credentials",
                           f"[default]\naws_access_key_id = {ACCESS_KEY}\n"
                           f"aws_secret_access_key = {SECRET_KEY}\n", 0o600)
        self.addCleanup(self.machine.run, "rm", "/etc/provisionerd.credentials")
        self.write_drop_in("[Service]\nLoadCredential=aws-credentials:/etc/provisionerd.credentials\n")
        self.start_service()
        self.assert_story_with("aws-credentials", lambda key: key == ACCESS_KEY)

    @telling
    def test_the_role_of_the_instance(self):
        """IMDSv2, region and all."""
        self.start_sim(world(roles=[{"arn": ROLE}], imds={"enabled": True, "role": "bastion"}))
        self.write_config(daemon={"region": None})
        self.write_environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=self.sim.url)
        self.start_service()
        self.assert_story_with("IMDSv2 role bastion", lambda key: key.startswith("ASIA"))

    def test_none_yet(self):
        """Active, in trouble and harmless; the instance gets its role later."""
        self.start_sim(world(roles=[{"arn": ROLE}], imds={"enabled": False, "role": "bastion"}))
        self.write_config()
        self.write_environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=self.sim.url)
        self.start_service()
        self.wait_for_message("instance metadata service")
        self.wait_for_message("not put to sleep: its services could not be read")
        self.assert_nothing_sleeps()
        self.sim.set(imds_enabled=1)
        self.fall_asleep()


class BootStory(HostStory):
    """Each story is a boot of its own, with the unit enabled."""

    @classmethod
    def setUpClass(cls):
        cls.arrange_own_machine()
        cls.machine.boot()
        cls.machine.install(package("provisionerd"))
        cls.machine.systemctl("enable", "--quiet", UNIT)
        cls.machine.power_off()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.power_off)

    def power_off(self):
        if self.machine.nspawn:
            self.make_as_new()
            self.machine.power_off()

    def boot(self, *options):
        self.begin = "today"
        self.machine.boot(*options)
        self.begin = "@" + self.machine.journal("--boot", "--lines=+1")[0]["__REALTIME_TIMESTAMP"][
            :-6]

    def records(self, *matches):
        if not self.machine.nspawn:
            return []
        return self.machine.journal("--boot", *(matches or (f"--unit={UNIT}",)))

    def assert_active_and_in_trouble(self):
        """The boot was not kept waiting; it says why, and touches nothing."""
        self.assertEqual("active", self.machine.state)
        self.assertEqual("0", self.machine.show("NRestarts"))
        self.wait_for_message("cannot read the services: ")
        self.wait_for_status("1 environment: 1 not seen yet; 1 in trouble")


class Boot(BootStory):
    def test_started_at_boot_and_asleep_over_a_reboot(self):
        self.start_sim()
        self.write_config()
        self.boot()
        self.assertEqual("active", self.machine.state)
        self.fall_asleep()
        self.machine.power_off()
        self.assertEqual(ASLEEP, self.sim.counts())
        self.boot()
        self.wait_for_status("1 environment: 1 asleep")
        self.wake_up()

    def test_names_are_not_to_be_had_yet(self):
        self.start_sim()
        port = self.sim.https_url.rpartition(":")[2]
        self.write_config(daemon={"endpoint_url": f"https://{AWS_NAME}:{port}"})
        self.boot()
        self.assert_active_and_in_trouble()
        self.assert_nothing_sleeps()
        self.teach_the_name()
        self.assert_whole_job()

    def test_aws_is_not_to_be_reached_yet(self):
        port = free_port()
        self.start_sim()
        self.write_config(daemon={"endpoint_url": f"http://127.0.0.1:{port}", "ca_bundle": None})
        self.boot()
        self.assert_active_and_in_trouble()
        self.start_sim_at(port)
        self.assert_whole_job()

    def start_sim_at(self, port):
        """A second one, which is what the daemon has been waiting for."""
        folder = self.directory / "late"
        folder.mkdir()
        self.sim = Sim(folder, world(), arguments=("--listen", f"127.0.0.1:{port}"))
        self.programs.insert(0, self.sim)


class NetworkComesLate(BootStory):
    """A machine with a network of its own: one interface, which nobody has configured at boot."""

    def setUp(self):
        # RFC 2544: in use by nobody but measurements. Another run has other ones.
        self.host, self.guest = (f"198.{18 + os.getpid() // 2**14 % 2}."
                                 f"{os.getpid() // 2**6 % 2**8}.{os.getpid() % 2**6 * 4 + end}"
                                 for end in (1, 2))
        super().setUp()

    def certificate_names(self):
        return (f"IP:{self.host}",)

    @property
    def host_interface(self):
        return f"ve-{self.machine.name}"

    @staticmethod
    def ip(*arguments, pid=None):
        within = ["nsenter", f"--target={pid}", "--net"] if pid else []
        subprocess.run([*within, "ip", *arguments], check=True)

    def start_sim_for_the_guest(self):
        """Its HTTPS listens where the guest will see it; its administration on loopback."""
        self.sim = Sim(self.directory, world(), arguments=(
            "--allow-remote", "--https-listen", f"{self.host}:0",
            "--cert", self.authority.certificate, "--key", self.authority.key))
        self.programs.insert(0, self.sim)
        port = json.loads((self.directory / "sim.port").read_text())["https"]
        self.sim.https_url = f"https://{self.host}:{port}"

    def test_the_network_comes_after_the_daemon(self):
        with contextlib.ExitStack() as stack:
            # The address is the host's before the machine is there: the sim binds it.
            self.ip("address", "add", f"{self.host}/32", "dev", "lo")
            stack.callback(self.ip, "address", "delete", f"{self.host}/32", "dev", "lo")
            self.start_sim_for_the_guest()
            self.write_config()
            self.boot("--network-veth")
            self.assert_active_and_in_trouble()
            self.assert_nothing_sleeps()
            self.ip("address", "add", self.host, "peer", self.guest, "dev", self.host_interface)
            self.ip("link", "set", self.host_interface, "up")
            self.ip("address", "add", self.guest, "peer", self.host, "dev", "host0",
                    pid=self.machine.pid)
            self.ip("link", "set", "host0", "up", pid=self.machine.pid)
            self.assert_whole_job()
