# SPDX-License-Identifier: MIT
"""What the unit forbids, and that the daemon does its whole job without it."""

import pathlib
import re
import subprocess
import unittest

import test_network
import test_packages
import test_service
from cgroups import Group
from harness import ASLEEP, AWAKE, LOG_GROUP, Program, eventually, services, world
from machine import HERE, UNIT
from story import AWS_NAME, HostStory, figure, telling

SOURCE = HERE.parents[1]
UNIT_FILE = SOURCE / "systemd/provisionerd.service"

REFUSED = r"E(PERM|ACCES|ROFS)"
NO_CAPABILITY = "0" * 16

# What tests/host/probe.c says of a directive inside the unit, and what outside. Where the machine itself
# refuses it, as systemd-nspawn does some, the directive is not told apart from that.
DOORS = {
    "AmbientCapabilities": (NO_CAPABILITY, r"0*[1-9a-f]\w*"),
    "CapabilityBoundingSet": (NO_CAPABILITY, r"0*[1-9a-f]\w+"),
    "DynamicUser": (r"[1-9]\d*", "0"),
    "LimitCORE": ("0", r"-1|[1-9]\d*"),
    "LockPersonality": (REFUSED, "ok"),
    "MemoryDenyWriteExecute": (REFUSED, "ok"),
    "NoNewPrivileges": ("1", "0"),
    "PrivateDevices": ("ENOENT", "ok"),
    "PrivateTmp": ("ENOENT", "ok"),
    "PrivateUsers": (r" *0 +0 +1", r" *0 +0 +\d{4,}"),
    "ProcSubset": ("ENOENT", "ok"),
    "ProtectClock": (REFUSED, "ok"),
    "ProtectControlGroups": ("EROFS", "ok"),
    "ProtectHome": ("0000", "0755"),
    "ProtectHostname": (REFUSED, "ok"),
    "ProtectKernelLogs": (REFUSED, "ok"),
    "ProtectKernelModules": ("0000", "0755"),
    "ProtectKernelTunables": ("EROFS|ENOENT", "ok"),
    "ProtectProc": ("ENOENT", "ok"),
    "ProtectSystem": ("EROFS", "ok"),
    "RemoveIPC": ("ok", "ok"),
    "RestrictAddressFamilies": ("EAFNOSUPPORT", "ok"),
    "RestrictNamespaces": (REFUSED, "ok"),
    "RestrictRealtime": (REFUSED, "ok"),
    "RestrictSUIDSGID": (REFUSED, "ok"),
    "StateDirectoryMode": ("0700", "1777"),
    "SystemCallArchitectures": ("killed|" + REFUSED, "ok"),
    "UMask": ("0600", "0644"),
}
OF_THE_FILTER = {"SystemCallFilter": REFUSED, "SystemCallErrorNumber": "EPERM"}

# As systemd has understood what only it can see to.
SETTINGS = {
    "After": ("After", r"(?=.*\bnetwork-online\.target)(?=.*\btime-sync\.target).*"),
    "Description": ("Description", "Put idle ECS environments .*"),
    "Documentation": ("Documentation", r'"man:provisionerd\(8\)" .*"man:provisionerctl\(1\)"'),
    "NotifyAccess": ("NotifyAccess", "main"),
    "RuntimeDirectory": ("RuntimeDirectory", "provisionerd"),
    "TimeoutStopSec": ("TimeoutStopUSec", "30s"),
    "User": ("User", "provisionerd"),
    "Wants": ("Wants", r".*\bnetwork-online\.target\b.*"),
}

# The test in which it matters.
STORIES = {
    "EnvironmentFile": test_network.Credentials.test_the_role_of_the_instance,
    "ExecReload": test_service.Reloaded.test_one_with_an_error,
    "ExecStart": test_service.Started.test_a_day,
    "Restart": test_service.Started.test_a_crash_is_restarted_and_keeps_the_counts,
    "RestartPreventExitStatus": test_service.WronglyConfigured.test_an_error_does_not_loop,
    "RestartSec": test_service.Started.test_a_crash_is_restarted_and_keeps_the_counts,
    "StartLimitIntervalSec":
        test_service.Started.test_it_is_started_again_however_often_it_crashes,
    "StateDirectory": test_service.Started.test_a_restart_keeps_the_counts,
    "Type": test_service.Started.test_it_is_active_only_when_it_is_ready,
    "WantedBy": test_service.Installed.test_enabled_it_would_start_at_boot,
    "WatchdogSec": test_service.Started.test_the_watchdog_restarts_what_is_frozen,
}


def unit_file():
    """{directive: its values}"""
    found = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", UNIT_FILE.read_text(), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def compile_probe(target):
    subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-static", "-o", target,
                    HERE / "probe.c"], check=True)


def said_by_probe(text):
    """{directive: what the probe says of it}"""
    return dict(re.findall(r"^(\w+) (.*)$", text, re.MULTILINE))


class Directives(HostStory):
    def test_each_is_checked(self):
        limits = set(Limits.FILES)
        self.assertEqual(set(unit_file()),
                         {*DOORS, *OF_THE_FILTER, *SETTINGS, *STORIES, *limits})
        for story in STORIES.values():
            self.assertTrue(callable(story))

    def test_settings(self):
        for directive, (name, value) in SETTINGS.items():
            with self.subTest(directive=directive):
                self.assertRegex(self.machine.show(name), f"^(?:{value})$")

    def probe_in_unit(self, drop_in=""):
        """The probe in the daemon's place."""
        self.write_drop_in("[Service]\nType=oneshot\nStandardOutput=truncate:/run/said\nExecStart=\n"
                           f"ExecStart=/usr/sbin/probe\n{drop_in}")
        self.machine.systemctl("start")
        return said_by_probe(self.machine.run("cat", "/run/said").stdout)

    @telling
    def test_doors_are_shut(self):
        machine = self.machine
        compile_probe(machine.root / "usr/sbin/probe")
        machine.run("mkdir", "-p", "/usr/lib/modules")
        machine.run("touch", "/tmp/of-another")
        self.addCleanup(machine.run, "rm", "-rf", "/usr/sbin/probe", "/usr/lib/modules",
                        "/tmp/of-another", "/dev/shm/probe")
        outside = said_by_probe(machine.run(
            "systemd-run", "--quiet", "--wait", "--pipe", "--property=AmbientCapabilities=CAP_NET_RAW",
            "/usr/sbin/probe").stdout)
        self.assertEqual("", machine.run("rm", "/dev/shm/probe").stdout, "it left that")

        # Without the filter each has to stand for itself.
        inside = self.probe_in_unit("SystemCallFilter=\n")
        not_told_apart = []
        for directive, (shut, is_open) in DOORS.items():
            with self.subTest(directive=directive):
                self.assertRegex(inside[directive], f"^(?:{shut})$")
            if not re.fullmatch(is_open, outside[directive]):
                not_told_apart.append(directive)
        self.assertNotEqual(0, machine.run("ls", "/dev/shm/probe", check=False).returncode,
                            "RemoveIPC= has removed it")
        figure("sandbox directives, tried in vain", len(DOORS) - len(not_told_apart))
        figure("refused here without them, too", ", ".join(not_told_apart) or "none")
        self.assertLessEqual(len(not_told_apart), 4)

        inside = self.probe_in_unit()
        for directive, shut in OF_THE_FILTER.items():
            self.assertRegex(inside["SystemCallFilter"], f"^(?:{shut})$", directive)
        self.assertEqual("ok", inside["families_that_it_needs"])

    @telling
    def test_the_exposure(self):
        said = self.machine.run("systemd-analyze", "security", "--no-pager", UNIT).stdout
        exposure = float(re.search(r"exposure level for \S+: ([0-9.]+)", said)[1])
        figure("systemd-analyze security, exposure", exposure)
        self.assertLessEqual(exposure, 1.5)


class SystemCalls(HostStory):
    def live(self, with_trouble_of_names):
        """All that a daemon does: names, HTTPS, a sleep, a reload, a wake."""
        port = self.sim.https_url.rpartition(":")[2]
        self.fall_asleep()
        if with_trouble_of_names:
            self.write_config(daemon={"endpoint_url": f"https://nobody.{AWS_NAME}:{port}"})
            self.machine.systemctl("reload")
            self.wait_for_message(f"Could not resolve host: nobody.{AWS_NAME}")
        self.write_config()
        self.machine.systemctl("reload")
        self.wake_up()

    def arrange(self):
        self.start_sim()
        port = self.sim.https_url.rpartition(":")[2]
        self.teach_the_name()
        self.write_config(daemon={"endpoint_url": f"https://{AWS_NAME}:{port}"})

    @telling
    def test_those_that_it_makes_are_those_that_it_may_make(self):
        """A call beyond SystemCallFilter= is an error in real life; here it is the end."""
        self.arrange()
        self.write_drop_in("[Service]\nSystemCallErrorNumber=kill\n")
        self.start_service()
        self.live(with_trouble_of_names=True)
        self.assert_never_restarted()
        self.machine.systemctl("stop")
        self.assertEqual("success", self.machine.show("Result"))

    def test_one_beyond_the_filter_would_have_been_the_end(self):
        """So the story before this one can fail."""
        self.start_sim()
        self.write_config()
        self.write_drop_in("[Service]\nSystemCallErrorNumber=kill\nSystemCallFilter=~flock\n")
        self.machine.systemctl("start", check=False)
        self.wait_for_message(re.compile("code=(killed|dumped), status=31/SYS"))

    def test_measured(self):
        """Those that strace sees, from its configuration to its end."""
        self.arrange()
        trace = self.directory / "trace"
        with self.start_held():
            strace = Program("strace", ["strace", "-f", "-qq", "-o", trace, "-p",
                                        str(self.machine.host_pid)])
            self.programs.append(strace)
            status = pathlib.Path(f"/proc/{self.machine.host_pid}/status")
            eventually(lambda: f"TracerPid:\t{strace.pid}\n" in status.read_text(), "strace looks on")
        self.live(with_trouble_of_names=True)
        self.machine.systemctl("stop")
        strace.wait()
        made = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE))
        allowed = set(self.machine.show("SystemCallFilter").split())
        figure("system calls that it makes", len(made))
        figure("system calls that it may make", len(allowed))
        self.assertLess(30, len(made))
        self.assertEqual(set(), made - allowed)

    def test_what_it_never_calls_is_refused(self):
        allowed = set(self.machine.show("SystemCallFilter").split())
        self.assertLess(100, len(allowed), "these are the allowed ones")
        for call in ("chown", "setuid", "ptrace", "mount", "bpf", "keyctl", "shmget", "io_setup",
                     "unshare", "setns", "mlock", "sched_setscheduler", "userfaultfd", "execveat",
                     "process_vm_readv", "perf_event_open", "init_module", "reboot"):
            with self.subTest(call=call):
                self.assertNotIn(call, allowed)


class Process(HostStory):
    def test_secrets_are_out_of_reach(self):
        """No core dump, and nothing to read for another process of the same user."""
        self.start()
        self.fall_asleep()
        process = pathlib.Path(f"/proc/{self.machine.host_pid}")
        self.assertRegex((process / "limits").read_text(), r"Max core file size +0 +0 ")
        uid = int(self.status_of_process("Uid").split()[0])
        for name in ("environ", "maps", "mem"):  # this is PR_SET_DUMPABLE
            read = self.machine.run("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
                                    "head", "-c", "1", f"/proc/{self.machine.main_pid}/{name}",
                                    check=False)
            self.assertIn("Permission denied", read.stdout)
        self.assertEqual(0, (process / "environ").stat().st_uid)

    def test_its_privileges(self):
        """Of the daemon itself, as the kernel sees it."""
        self.start()
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(0, int(self.status_of_process(capabilities), 16))
        self.assertEqual("1", self.status_of_process("NoNewPrivs"))
        self.assertEqual("2", self.status_of_process("Seccomp"))
        uid = int(self.status_of_process("Uid").split()[0])
        self.assertEqual(str(uid), self.machine.run("id", "-u", "provisionerd").stdout.strip())
        self.assertEqual(f"{uid} 755\n", self.machine.run(
            "stat", "--format=%u %a", "/run/provisionerd").stdout)

    def test_the_state_is_private(self):
        self.start()
        self.fall_asleep()
        folder = self.machine.root / "var/lib/private/provisionerd"
        self.assertEqual(0o700, folder.stat().st_mode & 0o7777)
        for file in folder.rglob("*"):
            self.assertEqual(0, file.stat().st_mode & 0o077, file)
        self.assertIn(b"worker", b"".join(file.read_bytes() for file in folder.rglob("*")
                                          if file.is_file()))

    def test_its_footprint(self):
        self.start()
        self.fall_asleep()
        rollup = pathlib.Path(f"/proc/{self.machine.host_pid}/smaps_rollup").read_text()
        for name in ("Rss", "Pss", "Private_Dirty"):
            size = int(re.search(rf"^{name}: +(\d+) kB", rollup, re.MULTILINE)[1])
            figure(f"{name} inside the unit, one environment, KiB", size)
            self.assertLess(size, 32 * 1024)
        figure("threads", self.status_of_process("Threads"))


class Limits(HostStory):
    """Where the host has cgroup v1, a machine's systemd cannot set them: then they are read here, and
    limits of the same size are set from outside."""

    # directive: property, its value, the file of cgroup v1, its value
    FILES = {
        "CPUQuota": ("CPUQuotaPerSecUSec", "200ms", "cpu", "cpu.cfs_quota_us", 20_000),
        "MemoryMax": ("MemoryMax", str(64 << 20), "memory", "memory.limit_in_bytes", 64 << 20),
        "MemorySwapMax": ("MemorySwapMax", "0", "memory", "memory.swappiness", 0),
        "TasksMax": ("TasksMax", "32", "pids", "pids.max", 32),
    }

    def test_settings(self):
        for directive, (name, value, *_) in self.FILES.items():
            with self.subTest(directive=directive):
                self.assertEqual(value, self.machine.show(name))

    def test_they_are_room_enough_for_many_environments(self):
        names = [f"env-{number:03}" for number in range(40)]
        self.start_sim(world(
            log_groups=[{"name": LOG_GROUP}],
            clusters=[{"name": name, "services": services(**AWAKE)} for name in names]))
        self.write_config({name: {"cluster": name} for name in names}, check_interval="10s")
        try:
            group = Group(f"{self.machine.name}-limits", "cpu", "memory", "pids")
            self.addCleanup(group.remove)
            self.addCleanup(self.machine.systemctl, "stop", UNIT, check=False)
        except PermissionError as error:
            raise unittest.SkipTest(f"no limits can be set from outside: {error}") from None
        if not group.folders:
            raise unittest.SkipTest("cgroup v2: systemd sets them itself, in each of these stories")
        for _, _, hierarchy, file, value in self.FILES.values():
            group.set(hierarchy, file, value)
        with self.start_held():
            group.take(self.machine.host_pid)
        for name in names:
            self.sim.wait_for_counts(ASLEEP, name)
        self.wait_for_status("40 environments: 40 asleep")
        self.sim.request(cluster=names[0])
        for name in names:  # they share a log group
            self.sim.wait_for_counts(AWAKE, name)
        self.assert_never_restarted()
        figure("peak RSS, 40 environments, KiB",
               self.status_of_process("VmHWM").removesuffix(" kB"))
        self.assertEqual("0", group.get("memory", "memory.failcnt"))
        self.machine.systemctl("stop")


class Addresses(HostStory):
    def recipe(self):
        """The drop-in that the README shows."""
        return re.search(r"```ini\n(\[Service\]\nIPAddressDeny=any\n.*?)```",
                         (SOURCE / "README.md").read_text(), re.DOTALL)[1]

    def test_the_recipe(self):
        """Here, with AWS on loopback."""
        self.start_sim()
        self.write_config()
        self.write_drop_in(self.recipe())
        self.assertEqual({"::/0", "0.0.0.0/0"}, set(self.machine.show("IPAddressDeny").split()))
        for address in ("127.0.0.0/8", "169.254.169.254/32"):
            self.assertIn(address, self.machine.show("IPAddressAllow"))
        self.start_service()
        self.assert_whole_job()

    def test_beyond_it_nobody_is_reached(self):
        self.start_sim()
        self.write_config()
        self.write_drop_in(self.recipe().replace("localhost ", ""))
        self.start_service()
        self.wait_for_message("cannot read the services: ")
        self.assert_nothing_sleeps()
        self.assertEqual([], self.sim.history("DescribeServices"))
