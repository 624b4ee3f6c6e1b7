# SPDX-License-Identifier: MIT
"""What provisionerctl says of itself: --help and its examples, the manual page, the completions."""

import pathlib
import re
import shlex
import subprocess
import time
import unittest

from harness import (BUILD, CLUSTER, DEADLINE_S, KEYS, LOG_GROUP, REGION, SHORT_WINDOW, Story,
                     environment_of_programs, world)
from journal import JOURNAL_REMOTE, record, write_journal

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=DEADLINE_S,
                          env=environment_of_programs(HOME="/nonexistent"), **options)


def ctl(*arguments):
    return run(BUILD / "provisionerctl", *arguments)


def verbs():
    """In the order of --help."""
    return re.findall(r"(?m)^  ([a-z-]+) +\w", ctl("--help").stdout)


def help_of(verb):
    done = ctl(verb, "--help")
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def options_of(verb):
    return re.findall(r"(?m)^ +(?:-\w, )?--([a-z-]+)", help_of(verb).split("\nExamples:")[0])


def examples_of(verb):
    return re.findall(r"(?m)^  (.*\bprovisionerctl .*)$", help_of(verb).split("\nExamples:\n")[1])


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


class Help(unittest.TestCase):
    def test_of_the_program(self):
        done = ctl("--help")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertGreater(len(verbs()), 11)
        self.assertLess(max(map(len, done.stdout.splitlines())), 90)
        self.assertRegex(ctl("--version").stdout, r"\Aprovisionerctl \d+\.\d+\.\d+\n\Z")

    def test_of_each_verb(self):
        for verb in verbs():
            text = help_of(verb)
            self.assertTrue(text.startswith(f"Usage: provisionerctl {verb}"), verb)
            self.assertLessEqual(max(map(len, text.splitlines())), 100, verb)
            self.assertGreaterEqual(len(examples_of(verb)), 1, verb)
            self.assertIn("help", options_of(verb))

    def test_wrong_usage(self):
        for arguments, said in (((), "Usage: "), (("stauts",), "did you mean 'status'?"),
                                (("xyzzy",), "unknown verb 'xyzzy'"),
                                (("--nonsense",), "--nonsense"),
                                (("history", "--nonsense"), "Try 'provisionerctl history --help'"),
                                (("migrate",), "an argument is missing: migrate FILE"),
                                (("iam-policy", "a", "b\x1b[2J"), r"unexpected argument 'b\x1b[2J'")):
            done = ctl(*arguments)
            self.assertEqual((64, ""), (done.returncode, done.stdout), arguments)
            self.assertIn(said, done.stderr)

    def test_an_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([BUILD / "provisionerctl", "--help"], stdout=full, check=False,
                                  stderr=subprocess.PIPE, text=True, env=environment_of_programs())
        self.assertEqual(1, done.returncode)
        self.assertIn("cannot write to standard output", done.stderr)


class Manual(unittest.TestCase):
    page = read("man/provisionerctl.1")

    def of_verb(self, verb):
        found = re.search(rf"(?ms)^\.It Cm {verb} (.*?)(?=^\.It Cm (?:{'|'.join(verbs())}) |^\.S[sh] )",
                          self.page)
        self.assertIsNotNone(found, verb)
        return found[1]

    def test_every_verb_with_every_option(self):
        for verb in verbs():
            said = set(options_of(verb)) - {"help", "config", "socket"}
            # "as those of init" saves saying it twice.
            written = set(re.findall(r"(?:Fl|\|) -([a-z-]+)", self.of_verb(verb)))
            self.assertEqual(said, written, verb)
        self.assertIn(".Fl -socket Ar PATH", self.page)
        self.assertIn(".It Fl -config Ar FILE", self.page)

    def test_no_other_verb(self):
        self.assertEqual(verbs(), [verb for verb in re.findall(r"(?m)^\.It Cm ([a-z-]+)", self.page)])

    def test_the_exit_statuses(self):
        said = re.findall(r"\b(\d+) \w", ctl("--help").stdout.split("Exit status: ")[1])
        self.assertEqual(said, re.findall(r"(?m)^\.It (\d+)$", self.page))


class Completions(unittest.TestCase):
    def complete(self, *words):
        script = ('compopt() { :; }; . "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  '_provisionerctl; printf "%s\\n" "${COMPREPLY[@]}"')
        done = run("bash", "-c", script, ROOT / "completions/provisionerctl.bash", "provisionerctl",
                   *words)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout.split()

    def test_bash(self):
        self.assertEqual(verbs(), [word for word in self.complete("") if word[0] != "-"])
        self.assertEqual({"--config", "--version", "--help"}, set(self.complete("--")))
        self.assertEqual(["status"], self.complete("--config", "x.ini", "sta"))
        for verb in verbs():
            self.assertEqual({f"--{option}" for option in options_of(verb)},
                             set(self.complete(verb, "--")), verb)
        self.assertEqual([str(ROOT / "man/provisionerctl.1")],
                         self.complete("migrate", str(ROOT / "man/provisionerc")))

    def test_zsh(self):
        text = read("completions/_provisionerctl")
        self.assertEqual(verbs(), re.findall(r"(?m)^        '([a-z-]+):", text))
        for verb in verbs():
            part = re.search(rf"(?ms)^{verb}\)$(.*?)^    ;;$", text)[1]
            self.assertEqual(set(options_of(verb)), set(re.findall(r"--([a-z-]+)\}?'?\[", part)), verb)

    def test_fish(self):
        text = read("completions/provisionerctl.fish")
        self.assertEqual(verbs(), re.findall(r"__fish_use_subcommand -a ([a-z-]+)", text))
        for verb in verbs():
            self.assertEqual(set(options_of(verb)), set(re.findall(
                rf"__fish_seen_subcommand_from {verb}'.* -l ([a-z-]+)", text)), verb)


WRAPPER = """\
#!/bin/sh
# What a host has in its usual places, the test has in others.
case $1 in
status | wake | sleep | hold | release) set -- "$@" --socket {socket} ;;
explain)
    case $* in
    *--at*) set -- "$@" --directory {journal} ;;
    *) set -- "$@" --socket {socket} ;;
    esac
    ;;
history) set -- "$@" --directory {journal} ;;
init | migrate) ;;
*) set -- --config {config} "$@" ;;
esac
exec {program} "$@"
"""

VARIABLES = f"CLUSTER_NAME={CLUSTER}\nSERVICES=api,worker\nLOG_GROUP={LOG_GROUP}\nLOG_PATTERN=/api/v1/\n"


@unittest.skipUnless(JOURNAL_REMOTE.exists(), "needs Debian's systemd-journal-remote")
class Examples(Story):
    def setUp(self):
        super().setUp()
        self.start_sim(world(log_groups=[{"name": LOG_GROUP, "events": [
            {"ago_ms": 60_000 * n, "message": f"GET /api/v1/orders/{n} HTTP/1.1"}
            for n in range(20, 60)]}]))
        self.write_config(always_on="gateway", **SHORT_WINDOW)
        journal = self.directory / "journal"
        journal.mkdir()
        write_journal(journal / "test.journal", record(
            time.time() - 100_000, "SLEEP", "staging: putting to sleep api 2: idle", CLUSTER))
        bin_directory = self.directory / "bin"
        bin_directory.mkdir()
        wrapper = bin_directory / "provisionerctl"
        wrapper.write_text(WRAPPER.format(
            program=shlex.quote(str(BUILD / "provisionerctl")), config=self.config, journal=journal,
            socket=self.state_directory / "control"))
        wrapper.chmod(0o755)
        self.environment = environment_of_programs(
            HOME=str(self.directory / "home"), AWS_ENDPOINT_URL=self.sim.url, AWS_REGION=REGION, **KEYS)
        self.environment["PATH"] = f"{bin_directory}:{self.environment['PATH']}"

    def run_example(self, verb, number, command):
        directory = self.directory / f"{verb}-{number}"
        directory.mkdir()
        (directory / "staging.env").write_text(VARIABLES)
        (directory / "access.log").write_text("GET /api/v1/orders HTTP/1.1\n")
        done = subprocess.run(["sh", "-euc", command], cwd=directory, capture_output=True, text=True,
                              check=False, stdin=subprocess.DEVNULL, timeout=DEADLINE_S,
                              env=self.environment)
        self.assertEqual(0, done.returncode, f"{command}\n{done.stdout}{done.stderr}")
        self.assertTrue(done.stdout or list(directory.iterdir()), command)

    def test_every_example_works(self):
        self.start_daemon()
        for verb in verbs():
            for number, command in enumerate(examples_of(verb)):
                with self.subTest(command):
                    self.run_example(verb, number, command)


if __name__ == "__main__":
    unittest.main()
