# SPDX-License-Identifier: MIT
"""A root of its own for the script of the user data: the host's /usr, an empty /etc and /var, and
in place of what would install packages, start services or talk to somebody, stubs that note what
they were called for. By namespaces of Linux: as root, or where users may have namespaces."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

# Notes its name and arguments, and then does what its own lines say.
STUB = """#!/bin/bash
printf '%s\\0' "$(basename "$0")" "$@" >>/calls
printf '\\n' >>/calls
"""

FETCH = """
while [ $# -gt 0 ]; do
    case "$1" in
        --output) [ "$2" = /dev/null ] || cp /served "$2"; shift ;;
        --data-binary) printf '%s\\n' "$2" >>/signals; shift ;;
    esac
    shift
done
"""

STUBS = {
    "curl": FETCH,
    "aws": '[ "$1 $2" != "s3 cp" ] || cp /served "${@: -1}"\n',
    "systemctl": "", "swapon": "", "swapoff": "", "mkswap": "", "dd": 'touch "${2#of=}"\n',
}
FLAVOURS = {
    # awscli may have to be installed first.
    "debian": {"dpkg": "", "apt-get": 'case "$*" in *awscli*) cp /stubs/aws.not-yet /stubs/aws;; esac\n'},
    # What the package needs is not there yet: rpm alone does not do.
    "amazon": {"rpm": "exit 1\n", "dnf": ""},
}

# All that the script takes of a system; nothing else is in its PATH.
TOOLS = ("bash", "base64", "basename", "cat", "chmod", "cp", "cut", "find", "install", "mkdir",
         "mktemp", "mv", "rm", "sed", "sha256sum", "touch")

ENTER = """
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1
shift
mount --rbind /dev "$root/dev"
mount --bind /usr "$root/usr"
mount -o remount,bind,ro "$root/usr"
exec chroot "$root" /usr/bin/env -i PATH=/stubs HOME=/root "$@"
"""


MOUNTS_OF_ITS_OWN = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount",
                     "--propagation", "private"]


def can_boot():
    """Not in a sandbox that forbids mounts, nor in a chroot that is none."""
    return subprocess.run([*MOUNTS_OF_ITS_OWN, "true"], capture_output=True,
                          check=False).returncode == 0


class Machine:
    def __init__(self, flavour, provisionerd):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="provisionerd-deployment-"))
        for folder in ("usr", "dev", "etc/apt/sources.list.d", "etc/systemd/system", "var/lib",
                       "tmp", "stubs", "root", "proc"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "tmp").chmod(0o1777)
        for name in ("bin", "sbin", "lib", "lib64"):
            if pathlib.Path("/", name).is_symlink():
                (self.root / name).symlink_to(os.readlink(f"/{name}"))
        (self.root / "etc/apt/sources.list.d/debian.sources").write_text(
            "URIs: http://deb.debian.org/debian\n")
        for name, lines in {**STUBS, **FLAVOURS[flavour]}.items():
            self._stub(name, lines)
        for name in TOOLS:
            (self.root / "stubs" / name).symlink_to(shutil.which(name))
        shutil.copy(provisionerd, self.root / "stubs/provisionerd")
        if flavour == "debian":
            (self.root / "stubs/aws").rename(self.root / "stubs/aws.not-yet")
        self.serve(b"the package")

    def _stub(self, name, lines):
        path = self.root / "stubs" / name
        path.write_text(STUB + lines)
        path.chmod(0o755)

    def remove(self):
        for name in ("usr", "dev"):
            (self.root / name).rmdir()  # fails, were the host's still there
        shutil.rmtree(self.root)

    def serve(self, content):
        """What is downloaded from now on."""
        (self.root / "served").write_bytes(content)

    def boot(self, script):
        """Runs it, as cloud-init does at a boot; the exit status and what it said."""
        for name in ("calls", "signals"):
            (self.root / name).unlink(missing_ok=True)
        (self.root / "boot").write_text(script, encoding="utf-8")
        (self.root / "boot").chmod(0o700)
        done = subprocess.run(
            [*MOUNTS_OF_ITS_OWN, "/bin/sh", "-c", ENTER,
             "sh", self.root, "/usr/bin/bash", "/boot"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=120)
        return done.returncode, done.stdout

    def path(self, name):
        return self.root / name.lstrip("/")

    def read(self, name):
        return self.path(name).read_text(encoding="utf-8")

    @property
    def calls(self):
        if not self.path("calls").exists():
            return []
        return [line.removesuffix("\0").split("\0") for line in self.read("calls").split("\n")
                if line]

    def calls_of(self, name):
        return [call[1:] for call in self.calls if call[0] == name]

    @property
    def signals(self):
        if not self.path("signals").exists():
            return []
        return [json.loads(line) for line in self.read("signals").splitlines()]
