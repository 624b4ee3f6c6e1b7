# SPDX-License-Identifier: MIT
"""A day of the daemon as an ECS task: its role's credentials, its log, its signals, its volume."""

import re
import time

from container import IMAGE, SOURCE, UID, Container, TaskStory, eventually, figure, podman
from harness import ASLEEP, AWAKE, CLUSTER, REGION

STOP_TIMEOUT_S = 15  # the daemon's own is 10 s; ECS's, in examples/ecs, 30 s


class ADay(TaskStory):
    def test_it_sleeps_and_wakes_by_the_role_of_the_task(self):
        began = time.monotonic()
        self.start()
        figure("podman run to started, s", round(time.monotonic() - began, 2))
        self.daemon.wait_for("credentials: container")
        self.fall_asleep()
        self.wake_up()
        self.assert_signed_by_the_role()
        self.assertEqual(0, self.daemon.stop())
        self.assertIn("stopped", self.daemon.lines[-1])

    def test_the_log_is_on_standard_error(self):
        self.start()
        self.fall_asleep()
        self.wake_up()
        self.assertEqual(0, self.daemon.stop())
        self.assertEqual("", self.daemon.standard_output)
        for text in ("provisionerd ", "staging: putting to sleep", "staging: waking", "stopped"):
            self.assertTrue(self.daemon.says(re.compile(f"^{text}")), text)
        self.assertIsNone(self.daemon.says(re.compile("^<")), "no levels as journald reads them")

    def test_neither_journal_nor_bus_are_there(self):
        """So none of this needed them."""
        self.start()
        self.fall_asleep()
        root = self.daemon.proc("root")
        for path in ("run/systemd", "run/dbus", "run/user", "var/run/dbus"):
            self.assertFalse((root / path).exists(), path)
        sockets = self.daemon.proc("net/unix").read_text()
        self.assertNotIn("journal", sockets)
        environment = self.daemon.proc("environ").read_bytes().decode().split("\0")
        names = {variable.partition("=")[0] for variable in environment}
        self.assertFalse(names & {"JOURNAL_STREAM", "NOTIFY_SOCKET", "DBUS_SESSION_BUS_ADDRESS",
                                  "STATE_DIRECTORY"})

    def test_the_process(self):
        """PID 1, nobody's user, no capability; only its state can be written."""
        self.start()
        self.fall_asleep()
        self.assertEqual("1", self.status("NSpid").split()[-1])
        self.assertEqual([str(UID)] * 4, self.status("Uid").split())
        self.assertEqual([str(UID)] * 4, self.status("Gid").split())
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(0, int(self.status(capabilities), 16))
        self.assertEqual("1", self.status("NoNewPrivs"))
        self.assertEqual("2", self.status("Seccomp"))
        mounts = [line.split() for line in self.daemon.proc("mounts").read_text().splitlines()]
        options = {mount[1]: mount[3].split(",") for mount in mounts}
        self.assertIn("ro", options["/"])
        self.assertIn("rw", options["/var/lib/provisionerd"])
        rollup = self.daemon.proc("smaps_rollup").read_text()
        figure("Rss in the container, KiB", re.search(r"^Rss: +(\d+)", rollup, re.MULTILINE)[1])


class Signals(TaskStory):
    def test_sigterm_in_the_middle_of_a_query(self):
        self.sim.set(query_running_ms=3_600_000)
        self.start()
        self.sim.wait_for_calls("StartQuery")
        began = time.monotonic()
        self.assertEqual(0, self.daemon.stop())
        took = time.monotonic() - began
        figure("SIGTERM to exit 0, a query under way, s", round(took, 2))
        self.assertLess(took, STOP_TIMEOUT_S)
        self.assertTrue(self.sim.history("StopQuery"))
        self.assertEqual(AWAKE, self.sim.counts())

    def test_sighup_takes_a_changed_configuration(self):
        self.start()
        self.write_config(window="50min")
        self.daemon.signal("HUP")
        self.daemon.wait_for(re.compile("window"))
        self.fall_asleep()
        self.assertEqual(0, self.daemon.stop())

    def test_sighup_refuses_one_with_an_error(self):
        self.start()
        self.write_config(window="soon")
        self.daemon.signal("HUP")
        self.daemon.wait_for(re.compile(r"provisionerd\.ini:\d+:.*window"))
        self.fall_asleep()
        self.wake_up()


class Replaced(TaskStory):
    """What becomes of the recorded counts: as README.md tells it."""

    def test_with_a_volume_they_are_given_back(self):
        self.start()
        self.fall_asleep()
        self.replace_task()
        self.daemon.wait_for("found asleep")
        self.wake_up()

    def test_without_one_they_are_lost(self):
        self.write_config()
        self.start_task(volume=False)
        self.fall_asleep()
        self.replace_task(volume=False)
        self.daemon.wait_for("no count is recorded")
        self.assertTrue(self.sim.request())
        self.sim.wait_for_further("FilterLogEvents", 3)
        self.assertEqual(ASLEEP, self.sim.counts())

    def test_without_one_the_configuration_may_name_them(self):
        self.write_config(services="api = 2, worker = 3, web = 1")
        self.start_task(volume=False)
        self.fall_asleep()
        self.replace_task(volume=False)
        self.daemon.wait_for("found asleep")
        self.assertIsNone(self.daemon.says("no count is recorded"))
        self.wake_up()


class WithItsOwnConfiguration(TaskStory):
    def test_an_image_made_from_this_one(self):
        """By the lines that README.md shows."""
        self.write_config()
        image = f"localhost/{self.volume}"
        lines = re.search(r"```dockerfile\n(.*?)```", (SOURCE / "README.md").read_text(), re.DOTALL)[1]
        (self.directory / "Containerfile").write_text(lines.replace("FROM provisionerd\n",
                                                                    f"FROM {IMAGE}\n"))
        podman("build", "--pull=never", "--tag", image, self.directory)
        self.addCleanup(podman, "rmi", "--force", image, check=False)
        self.daemon = Container(self.directory, image=image, arguments=["--check-config"])
        self.programs.append(self.daemon)
        self.assertEqual(0, self.daemon.wait())
        eventually(lambda: "1 environment, no errors" in self.daemon.standard_output,
                   "the configuration is found")

    def test_keys_and_region_from_the_environment(self):
        """Beside ECS: whatever else the AWS SDKs take is taken here, too."""
        from harness import KEYS
        self.write_config()
        self.start_task(environment={**KEYS, "AWS_REGION": REGION})
        self.daemon.wait_for("credentials: environment")
        self.sim.wait_for_counts(ASLEEP, CLUSTER)
