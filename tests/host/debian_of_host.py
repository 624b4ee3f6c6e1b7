#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lays out a small Debian from the files of packages that are installed on this host, in seconds and
without a network. The short form of `./run check-host` boots it; the whole form a real one.

    tests/host/debian_of_host.py PACKAGE,... FOLDER
"""

import pathlib
import re
import secrets
import shutil
import subprocess
import sys

MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # into /usr
FOLDERS = ("dev", "proc", "sys", "run", "tmp", "root", "home", "var/tmp", "var/log", "var/lib/dpkg/info",
           "var/lib/dpkg/updates", "var/lib/dpkg/triggers")
LEFT_OUT = re.compile(r"/usr/share/(doc|man|locale|info|lintian|i18n)/|/(boot|dev|proc|sys|run)/")
INFO = pathlib.Path("/var/lib/dpkg/info")


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


class Installed:
    """dpkg's records of what is installed."""

    def __init__(self):
        self.records = {}
        self.provided = {}
        for record in pathlib.Path("/var/lib/dpkg/status").read_text().split("\n\n"):
            fields = dict(re.findall(r"^([\w-]+): (.*)$", record, re.MULTILINE))
            if not fields.get("Status", "").endswith(" installed"):
                continue
            name = fields["Package"]
            self.records.setdefault(name, (fields, record))
            for provided in re.findall(r"([\w.+-]+)(?: \([^)]*\))?(?:,|$)", fields.get("Provides", "")):
                self.provided.setdefault(provided, name)

    def find(self, alternatives):
        """The installed one of `a | b`, or None."""
        for alternative in alternatives.split("|"):
            name = re.match(r"\s*([\w.+-]+)", alternative)[1]
            name = name if name in self.records else self.provided.get(name)
            if name:
                return name
        return None

    def with_dependencies(self, names):
        wanted = [self.find(name) for name in names]
        if None in wanted:
            sys.exit(f"not installed here: {names[wanted.index(None)]}")
        wanted += [name for name, (fields, _) in self.records.items()
                   if fields.get("Essential") == "yes"]
        found = []
        while wanted:
            name = wanted.pop()
            if name in found:
                continue
            found.append(name)
            fields, _ = self.records[name]
            for dependency in filter(None, (fields.get("Pre-Depends", "") + "," +
                                            fields.get("Depends", "")).split(",")):
                if dependency.strip():
                    wanted += filter(None, [self.find(dependency)])
        return sorted(found)


def copy_files(names, root):
    files = [line for line in output("dpkg-query", "--listfiles", *names).splitlines()
             if line.startswith("/") and line != "/." and not LEFT_OUT.search(line + "/")]
    listing = "\0".join(dict.fromkeys(file.lstrip("/") for file in files))
    copy = subprocess.Popen(["tar", "--create", "--directory=/", "--ignore-failed-read",
                             "--warning=no-failed-read", "--no-recursion", "--null",
                             "--files-from=-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lay = subprocess.Popen(["tar", "--extract", "--keep-directory-symlink", "--directory", root],
                           stdin=copy.stdout)
    copy.stdout.close()
    copy.stdin.write(listing.encode())
    copy.stdin.close()
    if copy.wait() != 0 or lay.wait() != 0:
        sys.exit("the packages' files could not be copied")


def copy_records(installed, names, root):
    (root / "var/lib/dpkg/status").write_text("\n\n".join(
        installed.records[name][1].strip("\n") for name in names) + "\n\n")
    (root / "var/lib/dpkg/available").touch()
    for name in names:
        for file in (*INFO.glob(f"{name}.*"), *INFO.glob(f"{name}:*")):
            shutil.copy(file, root / "var/lib/dpkg/info")
    for name in ("format",):
        shutil.copy(INFO / name, root / "var/lib/dpkg/info")
    subprocess.run(["chroot", root, "dpkg-trigger", "--version"], check=True,
                   stdout=subprocess.DEVNULL)
    # Which package waits for which trigger: such as systemd for catalogs.
    triggers = root / "var/lib/dpkg/triggers"
    with (triggers / "File").open("w") as file:
        for line in pathlib.Path("/var/lib/dpkg/triggers/File").read_text().splitlines():
            if re.split(r"[:/ ]", line.split()[-1])[0] in names:
                file.write(line + "\n")


def configure(root):
    """What the packages' scripts would have done, as far as a boot needs it."""
    def people(name):
        lines = pathlib.Path("/etc", name).read_text().splitlines()
        return "".join(f"{line}\n" for line in lines
                       if int(line.split(":")[2]) < 1000 or line.startswith(("nobody:", "nogroup:")))

    for name in ("passwd", "group"):
        (root / "etc" / name).write_text(people(name))
    (root / "etc/machine-id").write_text(secrets.token_hex(16) + "\n")
    shutil.copy("/usr/share/libc-bin/nsswitch.conf", root / "etc/nsswitch.conf")
    shutil.copytree("/etc/ssl/certs", root / "etc/ssl/certs", symlinks=True, dirs_exist_ok=True)
    for choice in pathlib.Path("/etc/alternatives").iterdir():
        administered = pathlib.Path("/var/lib/dpkg/alternatives", choice.name)
        if not choice.is_symlink() or not administered.exists():
            continue
        link = root / administered.read_text().splitlines()[1].lstrip("/")
        if (root / str(choice.readlink()).lstrip("/")).exists() and link.parent.is_dir():
            (root / "etc/alternatives").mkdir(exist_ok=True)
            (root / "etc/alternatives" / choice.name).symlink_to(choice.readlink())
            if not link.is_symlink():
                link.symlink_to(f"/etc/alternatives/{choice.name}")
    subprocess.run(["ldconfig", "-r", root], check=True)


def main():
    packages, folder = sys.argv[1:]
    root = pathlib.Path(folder)
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "var/tmp").chmod(0o1777)
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    installed = Installed()
    names = installed.with_dependencies(packages.split(","))
    copy_files(names, root)
    copy_records(installed, names, root)
    configure(root)


if __name__ == "__main__":
    main()
