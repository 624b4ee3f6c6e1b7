#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tarball's daemon, in a root, trusts the CAs that this root has, wherever it has them.

    PROVISIONERD_BUILD=PROGRAMS tests/host/authorities.py ROOT

PROGRAMS is a folder with `provisionerd`, which runs in ROOT, and a `provisionerd-sim` that serves HTTPS.
"""

import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import Authority, Story  # noqa: E402  (what it is imported from comes first)

PLACES = {
    "Debian": "etc/ssl/certs/ca-certificates.crt",
    "Fedora": "etc/pki/tls/certs/ca-bundle.crt",
    "openSUSE": "etc/ssl/ca-bundle.pem",
}
ROOT = pathlib.Path(sys.argv.pop(1))


class Authorities(Story):
    def setUp(self):
        super().setUp()
        for place in PLACES.values():
            (ROOT / place).unlink(missing_ok=True)
        self.authority = Authority(self.directory)
        self.start_sim(https=self.authority)
        self.write_config(daemon={"endpoint_url": self.sim.https_url})

    def test_a_root_that_has_them(self):
        for distribution, place in PLACES.items():
            with self.subTest(distribution):
                (ROOT / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.authority.ca, ROOT / place)
                self.start_daemon()
                self.daemon.wait_for("staging: found awake")
                self.assertEqual(0, self.daemon.stop())
                (ROOT / place).unlink()

    def test_a_root_that_has_none(self):
        self.start_daemon()
        self.daemon.wait_for("cannot read the services: ")
        self.assertIsNotNone(self.daemon.says("certificate"), self.daemon.output)
        self.assertEqual(0, self.daemon.stop())
        self.assertEqual([], self.sim.history(), "not a byte was given away")


if __name__ == "__main__":
    unittest.main()
