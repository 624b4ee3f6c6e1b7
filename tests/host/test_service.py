# SPDX-License-Identifier: MIT
"""What systemctl and journalctl show of it, on a machine that is booted."""

import os
import pathlib
import re
import signal
import threading

from harness import ASLEEP, AWAKE, CLUSTER, LOG_GROUP, eventually, services, world
from machine import UNIT
from story import AWS_NAME, HostStory, figure

SOURCE = pathlib.Path(__file__).resolve().parents[2]
AUDIT_IDS = dict(re.findall(r'#define AUDIT_ID_(\w+) "([0-9a-f]{32})"',
                            (SOURCE / "src/audit.h").read_text()))


class Installed(HostStory):
    def test_an_installation_starts_nothing(self):
        """The configuration that comes with it names services that are nobody's."""
        self.assertEqual("disabled", self.machine.systemctl("is-enabled", check=False)
                         .stdout.strip())
        self.assertEqual("inactive", self.machine.state)
        self.assertEqual([], self.records())

    def test_enabled_it_would_start_at_boot(self):
        self.machine.systemctl("enable", "--quiet", UNIT)
        self.assertIn(UNIT, self.machine.run("systemctl", "show", "--value", "--property=Wants",
                                             "multi-user.target").stdout)
        self.machine.systemctl("disable", "--quiet", UNIT)

    def test_the_unit_has_nothing_that_systemd_wonders_about(self):
        self.assertEqual("", self.machine.run("systemd-analyze", "verify", "--man=no",
                                              f"/lib/systemd/system/{UNIT}").stdout)


class Started(HostStory):
    def test_a_day(self):
        """Started, asleep, woken, stopped: and `systemctl status` shows each."""
        self.start()
        self.wait_for_status("1 environment: 1 a")
        self.assertIn("active (running)", self.status())
        self.fall_asleep()
        self.wait_for_status("1 environment: 1 asleep")
        self.wake_up()
        self.wait_for_status("1 environment: 1 waking; next check ")
        self.machine.systemctl("stop")
        self.assertEqual("inactive", self.machine.state)
        self.assertEqual("success", self.machine.show("Result"))
        self.assertEqual("0", self.machine.show("ExecMainStatus"))
        self.assertEqual([AUDIT_IDS["STOPPED"]], [
            record["MESSAGE_ID"] for record in
            self.records(f"--unit={UNIT}", f"MESSAGE_ID={AUDIT_IDS['STOPPED']}")])

    def test_it_is_active_only_when_it_is_ready(self):
        """A configuration that takes its time, for it is a pipe that nobody has written yet."""
        self.start_sim()
        self.write_config()
        folder = self.machine.root / "etc/provisionerd.ini.d"
        folder.mkdir()
        slow = folder / "slow.ini"
        os.mkfifo(slow, 0o644)
        self.machine.systemctl("start", "--no-block", UNIT)
        eventually(lambda: self.machine.main_pid != 0, "its process is there")
        self.assertEqual("activating", self.machine.state)

        def write():
            with slow.open("w") as pipe:  # waits for the daemon to read
                pipe.write("[provisionerd]\nlog_level = debug\n")

        writer = threading.Thread(target=write, daemon=True)
        self.assertEqual([], self.messages(f"MESSAGE_ID={AUDIT_IDS['STARTED']}"))
        self.assertEqual("activating", self.machine.state)
        writer.start()
        eventually(lambda: self.machine.state == "active", "it is active")
        self.wait_for_message("started with 1 environment")
        writer.join()
        self.fall_asleep()

    def test_a_restart_keeps_the_counts(self):
        self.start()
        self.fall_asleep()
        before = self.machine.main_pid
        self.machine.systemctl("restart")
        self.assertNotEqual(before, self.machine.main_pid)
        self.wait_for_status("1 environment: 1 asleep")
        self.assertEqual(ASLEEP, self.sim.counts())
        self.wake_up()

    def test_a_crash_is_restarted_and_keeps_the_counts(self):
        self.start()
        self.fall_asleep()
        before = self.machine.main_pid
        os.kill(self.machine.host_pid, signal.SIGKILL)
        eventually(lambda: self.machine.main_pid not in (0, before) and
                   self.machine.state == "active", "it is started again")
        self.assertEqual("1", self.machine.show("NRestarts"))
        self.wake_up()

    def test_the_watchdog_restarts_what_is_frozen(self):
        self.start_sim()
        self.write_config()
        self.write_drop_in("[Service]\nWatchdogSec=4s\n")
        self.start_service()
        self.fall_asleep()
        before = self.machine.main_pid
        os.kill(self.machine.host_pid, signal.SIGSTOP)
        self.wait_for_message("Watchdog timeout")
        eventually(lambda: self.machine.main_pid not in (0, before) and
                   self.machine.state == "active", "it is started again")
        self.wait_for_message("code=killed, status=6/ABRT")  # and not code=dumped
        self.wake_up()

    def test_a_stop_in_the_middle_of_a_query(self):
        """Within TimeoutStopSec=, in order, and the query is not left running."""
        self.start_sim(world(settings={"query_running_ms": 3_600_000}))
        self.write_config()
        self.start_service()
        self.sim.wait_for_calls("StartQuery")
        self.machine.systemctl("stop")
        self.assertEqual("success", self.machine.show("Result"))
        self.assertTrue(self.sim.history("StopQuery"))
        self.assertEqual(AWAKE, self.sim.counts())


class Reloaded(HostStory):
    def test_a_changed_configuration(self):
        self.start()
        before = self.machine.main_pid
        self.write_config(window="50min")
        self.machine.systemctl("reload")
        eventually(lambda: self.messages(f"MESSAGE_ID={AUDIT_IDS['RELOADED']}"),
                   "the journal tells the reload")
        self.assertIn("window", self.messages(f"MESSAGE_ID={AUDIT_IDS['RELOADED']}")[0])
        self.assertEqual(before, self.machine.main_pid)
        self.assertEqual("active", self.machine.state)
        self.assert_whole_job()

    def test_one_with_an_error(self):
        """`systemctl reload` fails, the journal says the line, and the old one stays in force."""
        self.start(check_interval="2h", window="1h")
        before = self.machine.main_pid
        self.write_config(window="soon")
        lines = self.config.read_text().splitlines()
        line = 1 + next(n for n, text in enumerate(lines) if text.startswith("window"))
        reload = self.machine.systemctl("reload", check=False)
        self.assertNotEqual(0, reload.returncode)
        self.wait_for_message(re.compile(rf"provisionerd\.ini:{line}:.*window"))
        self.assertEqual("active", self.machine.state)
        self.assertEqual(before, self.machine.main_pid)
        self.assertEqual("0", self.machine.show("NRestarts"))
        self.assertEqual([], self.messages(f"MESSAGE_ID={AUDIT_IDS['RELOADED']}"))
        # It goes on: mended, the next reload is taken.
        self.write_config()
        self.machine.systemctl("reload")
        self.assert_whole_job()

    def test_a_signal_without_systemctl_and_with_an_error(self):
        """The daemon refuses by itself, too."""
        self.start()
        self.write_config(window="soon")
        os.kill(self.machine.host_pid, signal.SIGHUP)
        eventually(lambda: self.messages(f"MESSAGE_ID={AUDIT_IDS['RELOAD_REFUSED']}"),
                   "the journal tells the refusal")
        self.assertEqual("active", self.machine.state)
        self.assert_whole_job()


class WronglyConfigured(HostStory):
    def assert_refused(self, status):
        self.assertNotEqual(0, self.machine.systemctl("start", check=False).returncode)
        self.assertEqual("failed", self.machine.state)
        self.assertEqual("failed", self.machine.show("SubState"), "and not auto-restart")
        self.assertEqual(status, self.machine.show("ExecMainStatus"))
        self.assertEqual("0", self.machine.show("NRestarts"))

    def test_an_error_does_not_loop(self):
        self.start_sim()
        self.write_config(window="soon")
        self.assert_refused("78")
        self.wait_for_message(re.compile(r"provisionerd\.ini:\d+:.*window"))

    def test_no_configuration_does_not_loop(self):
        self.config.unlink(missing_ok=True)
        self.assert_refused("78")
        self.wait_for_message("/etc/provisionerd.ini")

    def test_mended_it_starts(self):
        self.start_sim()
        self.write_config(window="soon")
        self.assert_refused("78")
        self.write_config()
        self.start_service()
        self.assert_whole_job()


class Told(HostStory):
    """What the journal can be asked."""

    def test_by_kind_and_by_environment(self):
        other = "/ecs/qa/gateway"
        self.start_sim(world(log_groups=[{"name": LOG_GROUP}, {"name": other}], clusters=[
            {"name": CLUSTER, "services": services(**AWAKE)},
            {"name": "qa", "services": services(other, **AWAKE)}]))
        self.write_config({CLUSTER: {}, "qa": {"cluster": "qa", "log_group": other}})
        self.start_service()
        for cluster in (CLUSTER, "qa"):
            self.sim.wait_for_counts(ASLEEP, cluster)
        sleeps = eventually(lambda: len(found := self.records(
            f"MESSAGE_ID={AUDIT_IDS['SLEEP']}")) >= 2 and found, "both sleeps are told")
        self.assertEqual({CLUSTER, "qa"}, {r["PROVISIONERD_ENVIRONMENT"] for r in sleeps})
        for record in sleeps:
            self.assertEqual("api=2 worker=3 web=1", record["PROVISIONERD_COUNTS"])
            self.assertEqual(record["PROVISIONERD_ENVIRONMENT"], record["PROVISIONERD_CLUSTER"])
            self.assertEqual(UNIT, record["_SYSTEMD_UNIT"])
        updates = eventually(lambda: len(found := self.records(
            "PROVISIONERD_ENVIRONMENT=qa", f"MESSAGE_ID={AUDIT_IDS['UPDATE']}")) >= 3 and found,
            "the updates of qa are told")
        self.assertEqual({("api", "0"), ("worker", "0"), ("web", "0")},
                         {(r["PROVISIONERD_SERVICE"], r["PROVISIONERD_DESIRED_COUNT"])
                          for r in updates})
        everything = self.records("PROVISIONERD_ENVIRONMENT=qa")
        self.assertEqual({"qa"}, {r["PROVISIONERD_ENVIRONMENT"] for r in everything})
        self.assertEqual([], self.records("PROVISIONERD_ENVIRONMENT=nobody"))

    def test_the_catalog_explains_every_kind(self):
        for name, message_id in AUDIT_IDS.items():
            with self.subTest(kind=name):
                entry = self.machine.run("journalctl", "--dump-catalog", message_id).stdout
                self.assertRegex(entry, r"(?m)^Subject: \S")
                self.assertIn("Defined-By: provisionerd", entry)

    def test_the_explanation_of_a_sleep(self):
        self.start()
        self.fall_asleep()
        said = self.machine.run("journalctl", "--catalog", "--no-pager",
                                f"--since={self.begin}",
                                f"MESSAGE_ID={AUDIT_IDS['SLEEP']}").stdout
        self.assertIn("Subject: Environment staging is put to sleep", said)
        self.assertIn("be given back: api=2 worker=3 web=1", said)
        self.assertIn("man:provisionerd(8)", said)

    def test_what_is_in_no_record_is_not_shown_as_a_variable(self):
        """Each explanation of a day's records names only fields that they have."""
        self.start()
        self.fall_asleep()
        self.wake_up()
        self.wait_for_message("awake: ")
        said = self.machine.run("journalctl", "--catalog", "--no-pager",
                                f"--since={self.begin}", f"--unit={UNIT}").stdout
        self.assertEqual([], re.findall(r"@\w+@", said))


class Protected(HostStory):
    def test_the_exposure(self):
        said = self.machine.run("systemd-analyze", "security", "--no-pager", UNIT).stdout
        exposure = float(re.search(r"exposure level for \S+: ([0-9.]+)", said)[1])
        figure("systemd-analyze security, exposure", exposure)
        self.assertLessEqual(exposure, 1.5)

    def test_the_process(self):
        """Nobody's user, no capability, no core dump, nothing to read for others, little memory."""
        self.start()
        self.fall_asleep()
        uid = int(self.status_of_process("Uid").split()[0])
        self.assertTrue(61184 <= uid <= 65519, f"{uid} is a dynamic user's")
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(0, int(self.status_of_process(capabilities), 16))
        self.assertEqual("1", self.status_of_process("NoNewPrivs"))
        self.assertEqual("2", self.status_of_process("Seccomp"))
        process = pathlib.Path(f"/proc/{self.machine.host_pid}")
        self.assertRegex((process / "limits").read_text(), r"Max core file size +0 +0 ")
        self.assertEqual(str(64 * 1024 * 1024), self.machine.show("MemoryMax"))
        self.assert_unreadable_for_its_own_user(process, uid)
        self.tell_footprint(process)

    def assert_unreadable_for_its_own_user(self, process, uid):
        """As another process of the same user would try: this is PR_SET_DUMPABLE."""
        for name in ("environ", "maps", "mem"):
            read = self.machine.run("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
                                    "head", "-c", "1", f"/proc/{self.machine.main_pid}/{name}",
                                    check=False)
            self.assertIn("Permission denied", read.stdout)
        self.assertEqual(0, (process / "environ").stat().st_uid)

    def tell_footprint(self, process):
        rollup = (process / "smaps_rollup").read_text()
        sizes = {name: int(re.search(rf"^{name}: +(\d+) kB", rollup, re.MULTILINE)[1])
                 for name in ("Rss", "Pss", "Private_Dirty")}
        for name, size in sizes.items():
            figure(f"{name} inside the unit, one environment, KiB", size)
        figure("threads", self.status_of_process("Threads"))
        self.assertLess(sizes["Rss"], 64 * 1024, "MemoryMax= is room enough")

    def test_the_system_calls_that_it_makes_are_those_that_it_may_make(self):
        """A call beyond SystemCallFilter= is an error in real life; here it is the end."""
        self.start_sim()
        port = self.sim.https_url.rpartition(":")[2]
        self.teach_the_name()
        self.write_config(daemon={"endpoint_url": f"https://{AWS_NAME}:{port}"})
        self.write_drop_in("[Service]\nSystemCallErrorNumber=kill\n")
        self.start_service()
        self.fall_asleep()
        self.write_config(daemon={"endpoint_url": f"https://nobody.{AWS_NAME}:{port}"})
        self.machine.systemctl("reload")
        self.wait_for_message(f"Could not resolve host: nobody.{AWS_NAME}")
        self.write_config()
        self.machine.systemctl("reload")
        self.wake_up()
        self.assert_never_restarted()
        self.machine.systemctl("stop")
        self.assertEqual("success", self.machine.show("Result"))

    def test_a_call_beyond_the_filter_would_have_been_the_end(self):
        """So the story before this one can fail."""
        self.start_sim()
        self.write_config()
        self.write_drop_in("[Service]\nSystemCallErrorNumber=kill\nSystemCallFilter=~flock\n")
        self.machine.systemctl("start", check=False)
        self.wait_for_message(re.compile("code=(killed|dumped), status=31/SYS"))

    def test_what_it_never_calls_is_refused(self):
        allowed = set(self.machine.show("SystemCallFilter").split())
        self.assertLess(100, len(allowed), "these are the allowed ones")
        for call in ("chown", "setuid", "ptrace", "mount", "bpf", "keyctl", "shmget", "io_setup",
                     "unshare", "setns", "mlock", "sched_setscheduler", "userfaultfd", "execveat",
                     "process_vm_readv", "perf_event_open", "init_module", "reboot"):
            with self.subTest(call=call):
                self.assertNotIn(call, allowed)
        figure("system calls that it may make", len(allowed))

    def test_the_recipe_for_ip_addresses(self):
        """The drop-in that the README shows; here, with AWS on loopback."""
        recipe = re.search(r"```ini\n(\[Service\]\nIPAddressDeny=any\n.*?)```",
                           (SOURCE / "README.md").read_text(), re.DOTALL)[1]
        self.start_sim()
        self.write_config()
        self.write_drop_in(recipe)
        self.assertEqual({"::/0", "0.0.0.0/0"}, set(self.machine.show("IPAddressDeny").split()))
        for address in ("127.0.0.0/8", "169.254.169.254/32"):
            self.assertIn(address, self.machine.show("IPAddressAllow"))
        self.start_service()
        self.assert_whole_job()

    def test_the_time_to_ready(self):
        self.start()
        begun = int(self.machine.show("InactiveExitTimestampMonotonic"))
        active = int(self.machine.show("ActiveEnterTimestampMonotonic"))
        figure("systemctl start to active, ms", (active - begun) / 1000)
        self.assertLess(0, active - begun)

    def test_the_state_is_private(self):
        self.start()
        self.fall_asleep()
        folder = self.machine.root / "var/lib/private/provisionerd"
        self.assertEqual(0o700, folder.stat().st_mode & 0o7777)
        for file in folder.rglob("*"):
            self.assertEqual(0, file.stat().st_mode & 0o077, file)
        self.assertIn(b"worker", b"".join(file.read_bytes() for file in folder.rglob("*")
                                          if file.is_file()))
