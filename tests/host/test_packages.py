# SPDX-License-Identifier: MIT
"""What dpkg does to a machine on which it runs: installed, upgraded, removed, purged."""

import os

from harness import ASLEEP
from machine import UNIT, Machine, as_next_version, package
from story import KEYS, HostStory

# What a running system writes by itself, or dpkg for every package.
NOT_OURS = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/var/log", "/root",
            "/var/lib/dpkg", "/var/cache", "/var/lib/systemd/timers", "/etc/hosts")
OF_THE_TESTS = {"/etc/provisionerd-ca.pem"}


class Upgraded(HostStory):
    @classmethod
    def setUpClass(cls):
        cls.machine = Machine([package("provisionerd")])
        cls.addClassCleanup(cls.machine.remove)
        cls.machine.boot()

    def files(self):
        root = str(self.machine.root)
        found = set()
        for folder, folders, files in os.walk(root):
            shown = folder.removeprefix(root)
            folders[:] = [name for name in folders if f"{shown}/{name}" not in NOT_OURS]
            found.update(f"{shown}/{name}" for name in folders + files)
        return found - OF_THE_TESTS

    def users(self):
        return [(self.machine.root / "etc" / name).read_text() for name in ("passwd", "group")]

    def test_a_life(self):
        """Installed, used, upgraded in its sleep, removed, installed again, purged."""
        machine = self.machine
        (machine.root / "etc/default/provisionerd").unlink()
        before, users = self.files(), self.users()

        machine.install(package("provisionerd"))
        self.assertEqual("inactive", machine.state)
        self.assertEqual("disabled", machine.systemctl("is-enabled", check=False).stdout.strip())
        self.start_sim()
        self.write_config()
        self.write_environment(**KEYS)
        machine.systemctl("enable", "--quiet", "--now", UNIT)
        self.fall_asleep()

        self.upgrade()

        machine.run("dpkg", "--remove", "provisionerd")
        self.assertFalse((machine.root / "usr/sbin/provisionerd").exists())
        self.assertIn("stopped", self.messages())
        self.assertEqual(ASLEEP, self.sim.counts())
        self.assertTrue(self.config.exists(), "the configuration is the administrator's")
        self.assertTrue((machine.root / "var/lib/private/provisionerd").exists(),
                        "the counts stay until it is purged")

        machine.install(package("provisionerd"))
        machine.systemctl("start")
        self.wake_up()

        self.purge()
        self.assertEqual(set(), self.files() - before, "purge leaves nothing behind")
        self.assertEqual(set(), before - self.files())
        self.assertEqual(users, self.users())
        self.assertEqual("", machine.run("systemctl", "list-unit-files", "--no-legend", UNIT,
                                         check=False).stdout.strip())

    def upgrade(self):
        """The running daemon is replaced, and so is nothing else."""
        machine = self.machine
        before, configuration = machine.main_pid, self.config.read_text()
        newer = as_next_version(package("provisionerd"), self.directory)
        (machine.root / "root" / newer.name).write_bytes(newer.read_bytes())
        machine.run("dpkg", "--install", "--force-confold", f"/root/{newer.name}")
        self.assertIn("+next", machine.run("dpkg-query", "--show", "provisionerd").stdout)
        self.assertEqual("active", machine.state)
        self.assertNotEqual(before, machine.main_pid)
        self.assertEqual(configuration, self.config.read_text())
        self.wait_for_status("1 environment: 1 asleep")
        self.assertEqual(ASLEEP, self.sim.counts())

    def purge(self):
        self.machine.run("mkdir", "-p", "/etc/provisionerd.ini.d")
        self.machine.run("dpkg", "--purge", "provisionerd")
        self.assertEqual("inactive", self.machine.state)
