# SPDX-License-Identifier: MIT
"""The command line."""

import subprocess

from harness import ASLEEP, AWAKE, BUILD, Story, environment_of_programs

WRONG = """\
[provisionerd]
regoin = eu-west-1

[environment staging]
cluster = staging
services = api
log_group = /ecs/staging/gateway
window = soon
"""


class CommandLine(Story):
    def provisionerd(self, *arguments):
        done = subprocess.run([BUILD / "provisionerd", *map(str, arguments)], capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL,
                              env=environment_of_programs(HOME=str(self.directory)), timeout=60)
        self.assertNotRegex(done.stderr, "Sanitizer|runtime error")
        return done

    def write(self, text):
        self.config.write_text(text)
        return self.config

    def write_right(self):
        self.start_sim()
        self.write_config(exclude='"ELB-HealthChecker", /bot/', services="api = 2, worker, web")
        return self.config

    def test_help(self):
        done = self.provisionerd("--help")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        for option in ("--config", "--check-config", "--print-config", "--dry-run", "--version"):
            self.assertIn(option, done.stdout)
        self.assertLess(max(map(len, done.stdout.splitlines())), 90)

    def test_version(self):
        done = self.provisionerd("--version")
        self.assertEqual(0, done.returncode)
        self.assertRegex(done.stdout, r"\Aprovisionerd [0-9]+\.[0-9]+\.[0-9]+\n\Z")

    def test_an_unknown_option(self):
        done = self.provisionerd("--sleep-everything")
        self.assertEqual(64, done.returncode)
        self.assertIn("--sleep-everything", done.stderr)
        self.assertIn("--help", done.stderr)

    def test_an_argument_too_many(self):
        done = self.provisionerd("--config", self.config, "staging")
        self.assertEqual(64, done.returncode)
        self.assertIn("staging", done.stderr)

    def test_check_config_of_a_right_one(self):
        done = self.provisionerd("--check-config", self.write_right())
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn("1 environment, no errors", done.stdout)

    def test_check_config_reports_every_error_with_its_line(self):
        done = self.provisionerd("--check-config", self.write(WRONG))
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, r"provisionerd\.ini:2: .*regoin.*region")
        self.assertRegex(done.stderr, r"provisionerd\.ini:8: .*window.*soon")
        self.assertEqual("", done.stdout)

    def test_check_config_takes_config_too(self):
        done = self.provisionerd("--config", self.write(WRONG), "--check-config")
        self.assertEqual(1, done.returncode)

    def test_a_file_that_is_not_there(self):
        missing = self.directory / "nowhere.ini"
        for verb in ("--check-config", "--print-config"):
            done = self.provisionerd(verb, missing)
            self.assertEqual(1, done.returncode)
            self.assertIn(str(missing), done.stderr)
        done = self.provisionerd("--config", missing)
        self.assertEqual(78, done.returncode)
        self.assertIn(str(missing), done.stderr)

    def test_the_daemon_does_not_start_with_a_wrong_one(self):
        done = self.provisionerd("--config", self.write(WRONG))
        self.assertEqual(78, done.returncode)
        lines = done.stderr.splitlines()
        self.assertEqual("error: the configuration is not usable:", lines[0])
        self.assertRegex(lines[1], r"^error: .*provisionerd\.ini:2: .*regoin")
        self.assertRegex(lines[2], r"^error: .*provisionerd\.ini:8: .*soon")

    def test_print_config_loads_to_the_same(self):
        first = self.provisionerd("--print-config", self.write_right())
        self.assertEqual(0, first.returncode, first.stderr)
        self.assertIn("provisionerd.ini:", first.stdout)
        self.assertIn("; default", first.stdout)
        second = self.provisionerd("--print-config", self.write(first.stdout))
        self.assertEqual(0, second.returncode, second.stderr)

        def values(text):
            return [line.split(" ;")[0].rstrip() for line in text.splitlines()]
        self.assertEqual(values(first.stdout), values(second.stdout))

    def test_two_daemons_do_not_share_their_state(self):
        self.start()
        second = self.provisionerd("--config", self.config)
        self.assertEqual(1, second.returncode)
        self.assertIn("is in use by another provisionerd", second.stderr)
        self.fall_asleep()

    def test_drop_ins_are_merged_in_order(self):
        self.write_right()
        folder = self.directory / "provisionerd.ini.d"
        folder.mkdir()
        (folder / "10-first.ini").write_text("[environment staging]\nwindow = 30min\n")
        (folder / "20-second.ini").write_text("[environment staging]\nwindow = 45min\n")
        done = self.provisionerd("--print-config", self.config)
        self.assertRegex(done.stdout, r"window\s*=\s*45min\s*;.*20-second\.ini:2")


class DryRun(Story):
    def test_it_looks_and_decides_and_tells_and_touches_nothing(self):
        self.start("--dry-run")
        self.daemon.wait_for("(dry run: no UpdateService will be sent)")
        self.daemon.wait_for("putting to sleep api 2, worker 3, web 1: idle")
        self.daemon.wait_for("worker desiredCount 3 -> 0 (dry run: not sent)")
        self.sim.request()
        self.daemon.wait_for("waking api 2, worker 3, web 1")
        self.daemon.wait_for("worker desiredCount 0 -> 3 (dry run: not sent)")
        self.assertEqual([], self.sim.history("UpdateService"))
        self.assertEqual(AWAKE, self.sim.counts())
        self.assertFalse(self.state_directory.exists(), "nothing was written")
        self.assert_stops_cleanly()

    def test_beside_a_daemon_that_is_not_dry(self):
        self.start()
        self.fall_asleep()
        state = (self.state_directory / "state.json").read_text()
        dry = self.start_daemon("--dry-run")
        dry.wait_for("started with")
        self.sim.wait_for_further("FilterLogEvents", 3)
        self.assertEqual(ASLEEP, self.sim.counts())
        self.assertEqual(0, dry.stop())
        self.assertEqual(state, (self.state_directory / "state.json").read_text())
