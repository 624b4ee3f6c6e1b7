# SPDX-License-Identifier: MIT
"""What systemctl and journalctl show of it, on a machine that is booted."""

import os
import pathlib
import re
import signal

from harness import ASLEEP, AWAKE, CLUSTER, LOG_GROUP, eventually, services, world
from machine import UNIT
from story import HostStory, figure, telling

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
    @telling
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

    @telling
    def test_it_is_active_only_when_it_is_ready(self):
        self.start_sim()
        self.write_config()
        with self.start_held():
            self.assertEqual("activating", self.machine.state)
            self.assertEqual([], self.messages(f"MESSAGE_ID={AUDIT_IDS['STARTED']}"))
            self.assertEqual("activating", self.machine.state)
        self.wait_for_message("started with 1 environment")
        self.fall_asleep()

    def test_the_time_to_ready(self):
        self.start()
        begun = int(self.machine.show("InactiveExitTimestampMonotonic"))
        active = int(self.machine.show("ActiveEnterTimestampMonotonic"))
        figure("systemctl start to active, ms", (active - begun) / 1000)
        self.assertLess(0, active - begun)

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

    def test_it_is_started_again_however_often_it_crashes(self):
        """While it is down nobody is woken: systemd's default would have given up by now."""
        self.start_sim()
        self.write_config()
        self.write_drop_in("[Service]\nRestartSec=100ms\n")
        self.start_service()
        self.fall_asleep()
        for crash in range(1, 12):
            os.kill(self.machine.host_pid, signal.SIGKILL)
            eventually(lambda: self.machine.show("NRestarts") == str(crash) and
                       self.machine.state == "active", "it is started again")
        self.wake_up()

    @telling
    def test_the_watchdog_restarts_what_is_frozen(self):
        self.start_sim()
        self.write_config()
        self.write_drop_in("[Service]\nWatchdogSec=4s\nRestartSec=1s\n")
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

    @telling
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

    @telling
    def test_an_error_does_not_loop(self):
        self.start_sim()
        self.write_config(window="soon")
        self.assert_refused("78")
        self.wait_for_message(re.compile(r"provisionerd\.ini:\d+:.*window"))

    def test_a_wrong_command_line_does_not_loop(self):
        self.write_drop_in("[Service]\nExecStart=\nExecStart=/usr/sbin/provisionerd --nonsense\n")
        self.assert_refused("64")
        self.wait_for_message("unrecognized option '--nonsense'")

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

    @telling
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

    @telling
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
