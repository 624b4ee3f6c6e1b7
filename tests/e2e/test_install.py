# SPDX-License-Identifier: MIT
"""`make install` puts everything where the variables say, and `make uninstall` takes it away."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from harness import BUILD

ROOT = pathlib.Path(__file__).resolve().parents[2]
EVERYTHING = {
    "etc/provisionerd.ini",
    "lib/systemd/system/provisionerd.service",
    "usr/bin/provisionerctl",
    "usr/bin/provisionerd-sim",
    "usr/lib/systemd/catalog/provisionerd.catalog",
    "usr/lib/sysusers.d/provisionerd.conf",
    "usr/sbin/provisionerd",
    "usr/share/bash-completion/completions/provisionerctl",
    "usr/share/bash-completion/completions/provisionerd",
    "usr/share/bash-completion/completions/provisionerd-sim",
    "usr/share/dbus-1/system.d/org.provisionerd.conf",
    "usr/share/doc/provisionerd/README.md",
    "usr/share/doc/provisionerd/provisionerd.ini.example",
    "usr/share/doc/provisionerd/sim.md",
    "usr/share/fish/vendor_completions.d/provisionerctl.fish",
    "usr/share/fish/vendor_completions.d/provisionerd-sim.fish",
    "usr/share/fish/vendor_completions.d/provisionerd.fish",
    "usr/share/man/man1/provisionerctl.1",
    "usr/share/man/man1/provisionerd-sim.1",
    "usr/share/man/man5/org.provisionerd.5",
    "usr/share/man/man5/provisionerd.ini.5",
    "usr/share/man/man8/provisionerd.8",
    "usr/share/zsh/vendor-completions/_provisionerctl",
    "usr/share/zsh/vendor-completions/_provisionerd",
    "usr/share/zsh/vendor-completions/_provisionerd-sim",
}


class Install(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="provisionerd install ")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "a root"

    def make(self, target, **variables):
        """With the programs as they are built: nothing is built for an installation's sake."""
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("MAKE") and name != "MFLAGS"}
        done = subprocess.run(
            ["make", "-s", "-C", str(ROOT), f"BUILD={BUILD}", "-o", f"{BUILD}/provisionerd",
             "-o", f"{BUILD}/provisionerctl", "-o", f"{BUILD}/provisionerd-sim",
             f"DESTDIR={self.root}", target] +
            [f"{name}={value}" for name, value in variables.items()],
            capture_output=True, text=True, check=False, timeout=60, env=environment)
        self.assertEqual(0, done.returncode, done.stderr)

    def installed(self):
        return {str(path.relative_to(self.root))
                for path in self.root.rglob("*") if not path.is_dir()}

    def test_a_root_with_a_space_in_its_name(self):
        self.make("install")
        self.assertEqual(EVERYTHING, self.installed())
        unit = (self.root / "lib/systemd/system/provisionerd.service").read_text()
        self.assertIn("ExecStart=/usr/sbin/provisionerd --config /etc/provisionerd.ini\n", unit)
        self.assertEqual([self.root], list(self.root.parent.iterdir()), "nothing beside it")

    def test_another_prefix(self):
        self.make("install", PREFIX="/opt/p", SYSCONFDIR="/opt/p/etc")
        unit = (self.root / "lib/systemd/system/provisionerd.service").read_text()
        self.assertIn("ExecStart=/opt/p/sbin/provisionerd --config /opt/p/etc/provisionerd.ini\n",
                      unit)
        self.assertTrue((self.root / "opt/p/share/man/man8/provisionerd.8").is_file())
        self.assertFalse((self.root / "usr").exists())

    def test_a_configuration_that_is_there_stays(self):
        file = self.root / "etc/provisionerd.ini"
        file.parent.mkdir(parents=True)
        file.write_text("mine")
        self.make("install")
        self.assertEqual("mine", file.read_text())

    def test_uninstall_leaves_the_configuration(self):
        self.make("install")
        self.make("uninstall")
        self.assertEqual({"etc/provisionerd.ini"}, self.installed())


if __name__ == "__main__":
    unittest.main()
