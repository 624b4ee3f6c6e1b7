# SPDX-License-Identifier: MIT
"""A Debian 12 of its own, booted by systemd-nspawn, with the packages installed as a user installs
them: a real systemd, a real journal, a real D-Bus.

Nothing is installed on the host and nothing registered there: the machine is a folder, a group of
processes, and gone afterwards. Unless it has a network of its own it shares the host's loopback, so
that a simulated AWS on the host is within reach.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import harness
from cgroups import Group
from harness import Program, eventually

HERE = pathlib.Path(__file__).resolve().parent
UNIT = "provisionerd.service"
# A look costs a process or two in the machine.
harness.LOOK_EVERY_S = 0.2

# Names are found in /etc/hosts only: nobody answers here.
RESOLV_CONF = "nameserver 127.53.53.53\noptions timeout:1 attempts:1\n"


class Failed(AssertionError):
    """A command in the machine, which was to succeed."""


class Machine:
    existing = set()

    def __init__(self):
        """Not yet booted."""
        self.folder = pathlib.Path(tempfile.mkdtemp(
            prefix="machine-", dir=os.environ["PROVISIONERD_HOST_WORK"]))
        self.root = self.folder / "root"
        self.group = None
        self.nspawn = None
        self.pid = None
        self.existing.add(self)
        subprocess.run(["cp", "-a", "--reflink=auto", os.environ["PROVISIONERD_HOST_ROOT"],
                        self.root], check=True)
        (self.root / "etc/resolv.conf").unlink(missing_ok=True)
        self.write("/etc/resolv.conf", RESOLV_CONF)
        # A machine that is tested has no business with the distribution's servers.
        for timer in ("apt-daily.timer", "apt-daily-upgrade.timer"):
            (self.root / "etc/systemd/system" / timer).symlink_to("/dev/null")

    # Power

    @property
    def name(self):
        """As short as the name of a network interface has to be."""
        return "pd" + re.sub("[^a-z0-9]", "", self.folder.name.removeprefix("machine-").lower())

    def boot(self, *options):
        """With cgroup v2, as Debian 12 has it, whatever the host has. bpf() is how IPAddressDeny=
        is enforced; the others, so that it is the unit that refuses them."""
        self.group = Group(self.name, "systemd", "")
        self.nspawn = Program("machine", [
            "systemd-nspawn", "--quiet", f"--directory={self.root}", "--boot", "--register=no",
            "--keep-unit", f"--machine={self.name}", "--resolv-conf=off", "--console=pipe",
            "--system-call-filter=bpf adjtimex clock_adjtime syslog", *options], prepare=self.group.take, env={
                "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
                "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        self.pid = eventually(self._find_init, "the machine's init runs")
        eventually(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip()
                   in ("running", "degraded"), "the machine has booted")

    def _find_init(self):
        if not self.nspawn.is_running:
            raise AssertionError("the machine did not start:\n" + self.nspawn.output)
        children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children")
        for pid in children.read_text().split():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            if re.search(r"^Name:\tsystemd$", status, re.MULTILINE) \
                    and re.search(r"^NSpid:\t\d+\t1$", status, re.MULTILINE):
                return int(pid)
        return None

    def power_off(self):
        if self.nspawn:
            self.nspawn.end()  # SIGTERM is an orderly shutdown, see KillSignal= of --boot
            self.nspawn = None
        if self.group:
            self.group.remove()
            self.group = None

    def remove(self):
        self.power_off()
        subprocess.run(["rm", "-rf", "--one-file-system", self.folder], check=True)
        self.existing.discard(self)

    @classmethod
    def remove_all(cls):
        """Whatever is left of a run that was ended."""
        for machine in list(cls.existing):
            with contextlib.suppress(Exception):
                machine.remove()

    # Within

    def run(self, *command, check=True, stdin=None):
        done = subprocess.run(
            ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--",
             "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "PAGER=cat",
             "DEBIAN_FRONTEND=noninteractive", *map(str, command)],
            input=stdin, stdin=None if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        if check and done.returncode != 0:
            raise Failed(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}")
        return done

    def write(self, path, text, mode=0o644):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def systemctl(self, verb, *arguments, check=True):
        return self.run("systemctl", verb, *(arguments or (UNIT,)), check=check)

    def show(self, name):
        """A property of the unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", UNIT).stdout.strip()

    @property
    def state(self):
        return self.show("ActiveState")

    @property
    def main_pid(self):
        """As the machine counts processes."""
        return int(self.show("MainPID"))

    @property
    def host_pid(self):
        """The same process, as the host counts them."""
        unit, within = UNIT.removesuffix(".service"), str(self.main_pid)
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
            except OSError:
                continue
            if text.startswith(f"Name:\t{unit}\n") and f"\t{within}\n" in text.partition(
                    "NSpid:")[2].partition("\n")[0] + "\n" and self._is_within(status.parent):
                return int(status.parent.name)
        raise AssertionError("the daemon has no process")

    def _is_within(self, process):
        return os.readlink(process / "ns/uts") == os.readlink(f"/proc/{self.pid}/ns/uts") \
            or os.readlink(process / "ns/pid") == os.readlink(f"/proc/{self.pid}/ns/pid")

    def journal(self, *arguments):
        """Records, oldest first, as dictionaries."""
        lines = self.run("journalctl", "--quiet", "--no-pager", "--output=json", "--all",
                         *arguments).stdout
        return [json.loads(line) for line in lines.splitlines()]

    def now(self):
        """For `--since=`: after all that is in the journal by now. A cursor is of no use: with a
        match beside it, journalctl --after-cursor= of systemd 252 leaves the first record out."""
        newest = int(self.journal("--lines=1")[0]["__REALTIME_TIMESTAMP"]) + 1
        return f"@{newest // 1_000_000}.{newest % 1_000_000:06d}"

    def install(self, package, *options):
        """As a person's apt does, and an unattended one: an edited conffile stays as it is."""
        shutil.copy(package, self.root / "root")
        return self.run("dpkg", "--install", "--force-confdef", *options,
                        f"/root/{pathlib.Path(package).name}")


def package(name, folder=None):
    """The .deb that was built."""
    found = list(pathlib.Path(folder or os.environ["PROVISIONERD_PACKAGES"]).glob(f"{name}_*.deb"))
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


def build_next_version(folder):
    """The packages of the version to come, from this very source: another program, which says so,
    and another /etc/provisionerd.ini. Returns the version and where they are."""
    tree, out = folder / "build/provisionerd", folder / "packages"
    subprocess.run([HERE / "copy-tree.sh", tree], check=True)
    makefile, changelog = tree / "Makefile", tree / "debian/changelog"
    version = re.search("^VERSION := (.*)$", makefile.read_text(), re.MULTILINE)[1]
    following = f"{version}+next"
    makefile.write_text(makefile.read_text().replace(f"VERSION := {version}\n",
                                                     f"VERSION := {following}\n"))
    changelog.write_text(changelog.read_text().replace(f"({version})", f"({following})", 1))
    with (tree / "etc/provisionerd.ini").open("a") as conffile:
        conffile.write(f"\n# As {following} has it.\n")
    subprocess.run([HERE / "build-packages.sh", tree, out], check=True)
    return following, out
