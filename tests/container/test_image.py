# SPDX-License-Identifier: MIT
"""What is in the image, and what is not; what runs of it when it is wrongly used."""

import contextlib
import pathlib
import re
import stat
import unittest

from container import (CONFIG, IMAGE, SOURCE, STATE_DIRECTORY, UID, TaskStory, figure,
                       inspect_image, podman)

VERSION = re.search(r"^VERSION := (.*)$", (SOURCE / "Makefile").read_text(), re.MULTILINE)[1]
SIZE_MAX = 40 * 1024 * 1024


@contextlib.contextmanager
def mounted_image():
    folder = pathlib.Path(podman("image", "mount", IMAGE).stdout.strip())
    try:
        yield folder
    finally:
        podman("image", "unmount", "--force", IMAGE)


class Image(unittest.TestCase):
    def test_it_is_small(self):
        size = inspect_image()["Size"]
        figure("image, MB", round(size / 1e6, 1))
        self.assertLess(size, SIZE_MAX)

    def test_how_it_starts(self):
        config = inspect_image()["Config"]
        self.assertEqual(f"{UID}:{UID}", config["User"])
        self.assertEqual(["/usr/sbin/provisionerd"], config["Entrypoint"])
        self.assertIsNone(config.get("Cmd"))
        self.assertEqual({STATE_DIRECTORY}, set(config["Volumes"]))
        self.assertNotIn("Healthcheck", config)

    def test_what_it_is_called(self):
        labels = inspect_image()["Labels"]
        for name in ("title", "description", "licenses", "base.name"):
            self.assertTrue(labels[f"org.opencontainers.image.{name}"])
        self.assertEqual(VERSION, labels["org.opencontainers.image.version"])
        self.assertEqual(f"provisionerd {VERSION}",
                         podman("run", "--rm", "--pull=never", "--network=none",
                                "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", IMAGE,
                                "--version").stdout.strip())

    def test_nothing_can_be_run_but_the_daemon(self):
        with mounted_image() as root:
            programs = {str(path.relative_to(root)) for path in root.rglob("*")
                        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o111}
            self.assertIn("usr/sbin/provisionerd", programs)
            programs -= {"usr/sbin/provisionerd"}
            self.assertEqual([], [name for name in programs if ".so" not in name])

    def test_nothing_can_be_written_but_the_state(self):
        with mounted_image() as root:
            for path in root.rglob("*"):
                status = path.lstat()
                if stat.S_ISLNK(status.st_mode):
                    continue
                name = "/" + str(path.relative_to(root))
                self.assertFalse(status.st_mode & (stat.S_ISUID | stat.S_ISGID), name)
                if name == STATE_DIRECTORY:
                    self.assertEqual((UID, UID, 0o700), (status.st_uid, status.st_gid,
                                                         stat.S_IMODE(status.st_mode)))
                else:
                    self.assertEqual((0, 0), (status.st_uid, status.st_gid), name)
                    self.assertFalse(status.st_mode & 0o022, name)

    def test_what_it_is_made_of_can_be_told(self):
        """Scanners find Debian's packages, and each has its licence with it."""
        with mounted_image() as root:
            self.assertIn("ID=debian", (root / "usr/lib/os-release").read_text())
            packages = list((root / "var/lib/dpkg/status.d").iterdir())
            self.assertTrue({"libc6", "libcurl4", "libssl3", "ca-certificates"} <=
                            {package.name for package in packages})
            for package in packages:
                self.assertRegex(package.read_text(), rf"(?m)\APackage: {re.escape(package.name)}$")
                self.assertRegex(package.read_text(), r"(?m)^Version: \S")
                self.assertTrue((root / "usr/share/doc" / package.name / "copyright").stat().st_size)
            libraries = [path for path in root.rglob("*.so*") if path.is_file()]
            figure("libraries, packages", f"{len(libraries)}, {len(packages)}")

    def test_there_is_no_configuration_in_it(self):
        with mounted_image() as root:
            self.assertFalse((root / CONFIG.lstrip("/")).exists())


class WronglyUsed(TaskStory):
    def test_without_a_configuration(self):
        daemon = self.start_task(config=False, wait=False)
        self.assertEqual(78, daemon.wait())
        self.assertIn(CONFIG, daemon.output)

    def test_with_an_error_in_it(self):
        self.write_config(window="soon")
        daemon = self.start_task(wait=False)
        self.assertEqual(78, daemon.wait())
        self.assertRegex(daemon.output, r"provisionerd\.ini:\d+:.*window")

    def test_two_on_one_volume(self):
        self.write_config()
        first = self.start_task()
        second = self.start_task(wait=False)
        self.assertEqual(1, second.wait())
        self.assertIn("in use by another provisionerd", second.output)
        self.assertTrue(first.is_running)
