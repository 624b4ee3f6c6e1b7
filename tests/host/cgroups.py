# SPDX-License-Identifier: MIT
"""Groups of processes, cgroups(7), on the host: each machine is in one of its own, and a limit of the
unit that the machine's systemd cannot set here is set from outside.

Debian 12 boots with cgroup v2. A host may still have version 1, beside which version 2 has no
controllers: then a machine has the services' groups, but none of their limits.
"""

import os
import pathlib
import time


def hierarchies():
    """{"systemd": folder, "memory": folder, ..., "": that of version 2}: where this process is."""
    within = {}
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            within[name.removeprefix("name=")] = path.lstrip("/")
    found = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        top, point = before.split()[3:5]
        kind, _, options = after.split()
        if kind not in ("cgroup", "cgroup2"):
            continue
        names = [""] if kind == "cgroup2" else [
            name.removeprefix("name=") for name in options.split(",")]
        for name in names:
            if name in within:
                folder = pathlib.Path(point) / os.path.relpath("/" + within[name], top)
                found.setdefault(name, folder)
    return found


class Group:
    """A group below this process's own, in the hierarchies that exist of those that are named."""

    def __init__(self, name, *hierarchy_names):
        self.name = name
        existing = hierarchies()
        self.folders = {hierarchy: existing[hierarchy] / name for hierarchy in hierarchy_names
                        if hierarchy in existing}
        for folder in self.folders.values():
            folder.mkdir()

    def take(self, pid=0):
        """A process and its threads; 0 is the caller. Also between fork() and exec()."""
        for folder in self.folders.values():
            (folder / "cgroup.procs").write_text(str(pid))

    def set(self, hierarchy, name, value):
        (self.folders[hierarchy] / name).write_text(str(value))

    def get(self, hierarchy, name):
        return (self.folders[hierarchy] / name).read_text().strip()

    def remove(self):
        """When its processes have ended, which the kernel may take a moment to see."""
        for folder in self.folders.values():
            for path in sorted(folder.rglob("*/"), reverse=True):
                remove_folder(path)
            remove_folder(folder)


def remove_folder(folder, patience_s=10):
    end = time.monotonic() + patience_s
    while folder.exists():
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
