# SPDX-License-Identifier: MIT
"""What dpkg does to a machine on which it runs: installed, upgraded, removed, purged."""

import os
import pathlib
import tempfile

from harness import ASLEEP, SHORT_WINDOW
from machine import UNIT, build_next_version, package
from story import KEYS, HostStory

# What a running system writes by itself, or dpkg for every package.
NOT_OURS = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/var/log", "/root",
            "/var/lib/dpkg", "/var/cache", "/var/lib/systemd/timers", "/etc/hosts")
OF_THE_TESTS = {"/etc/provisionerd-ca.pem"}


class Upgraded(HostStory):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="next-", dir=os.environ[
            "PROVISIONERD_HOST_WORK"])
        cls.addClassCleanup(folder.cleanup)
        cls.next_version, packages = build_next_version(pathlib.Path(folder.name))
        cls.older, cls.newer = package("provisionerd"), package("provisionerd", packages)
        cls.arrange_own_machine()
        cls.machine.boot()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.machine.run, "dpkg", "--purge", "provisionerd", check=False)

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

    def catalog(self):
        return self.machine.run("journalctl", "--list-catalog", check=False).stdout

    def version(self):
        """As the program says it that runs."""
        return self.machine.run(f"/proc/{self.machine.main_pid}/exe", "--version").stdout.split()[-1]

    def test_a_life(self):
        """Installed, used, upgraded in its sleep, downgraded, removed, installed again, purged."""
        machine = self.machine
        (machine.root / "etc/default/provisionerd").unlink()
        before, users = self.files(), self.users()
        self.assertNotIn("provisionerd", self.catalog())

        machine.install(self.older)
        self.assertEqual("inactive", machine.state)
        self.assertEqual("disabled", machine.systemctl("is-enabled", check=False).stdout.strip())
        self.assertIn("provisionerd has started", self.catalog())
        self.start_sim()
        self.write_config(**SHORT_WINDOW)
        self.write_environment(**KEYS)
        machine.systemctl("enable", "--quiet", "--now", UNIT)
        self.fall_asleep()
        version = self.version()

        self.replace_by(self.newer, self.next_version)
        self.assertIn(f"# As {self.next_version} has it.",
                      (machine.root / "etc/provisionerd.ini.dpkg-dist").read_text(),
                      "the new one is there to be looked at")
        self.wake_up()
        self.fall_asleep()
        self.replace_by(self.older, version)

        machine.run("dpkg", "--remove", "provisionerd")
        self.assertFalse((machine.root / "usr/sbin/provisionerd").exists())
        self.assertIn("stopped", self.messages())
        self.assertEqual(ASLEEP, self.sim.counts())
        self.assertTrue(self.config.exists(), "the configuration is the administrator's")
        self.assertTrue((machine.root / "var/lib/private/provisionerd").exists(),
                        "the counts stay until it is purged")

        machine.install(self.older)
        machine.systemctl("start")
        self.wake_up()

        machine.run("mkdir", "-p", "/etc/provisionerd.ini.d")
        machine.run("dpkg", "--purge", "provisionerd")
        self.assertEqual("inactive", machine.state)
        self.assertEqual(set(), self.files() - before, "purge leaves nothing behind")
        self.assertEqual(set(), before - self.files())
        self.assertEqual(users, self.users())
        self.assertEqual("", machine.run("systemctl", "list-unit-files", "--no-legend", UNIT,
                                         check=False).stdout.strip())
        self.assertNotIn("provisionerd", self.catalog())

    def replace_by(self, file, version):
        """The running daemon is replaced, and so is nothing else: what sleeps sleeps on."""
        machine = self.machine
        before, configuration, mark = machine.main_pid, self.config.read_text(), self.sim.mark()
        self.assertNotEqual(version, self.version())
        said = machine.install(file).stdout
        self.assertIn(f"({version}) over ", said)
        self.assertEqual("active", machine.state)
        self.assertNotEqual(before, machine.main_pid)
        self.assertEqual(version, self.version())
        self.assertEqual(configuration, self.config.read_text(), "as the administrator edited it")
        self.wait_for_status("1 environment: 1 asleep")
        self.assertEqual(ASLEEP, self.sim.counts())
        self.assertEqual([], self.sim.updates(mark))

    def test_an_unedited_configuration_is_the_new_versions(self):
        self.machine.install(self.older)
        self.assertNotIn("# As ", self.config.read_text())
        self.machine.install(self.newer)
        self.assertIn(f"# As {self.next_version} has it.", self.config.read_text())
        self.assertEqual("inactive", self.machine.state)
