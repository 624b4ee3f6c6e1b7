# SPDX-License-Identifier: MIT
"""What the manual pages, the README and the example say is what the programs do."""

import pathlib
import re
import subprocess
import unittest

from harness import BUILD, environment_of_programs

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "man").glob("*.[1-8]"))
MINIMAL = "[environment staging]\ncluster = staging\nservices = api\nlog_group = /ecs/staging\n"


def run(*command, text=None):
    # Without STATE_DIRECTORY and the like, which would be what is in force.
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          input=text, timeout=60,
                          env=environment_of_programs(HOME="/nonexistent"))


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def option_in(page, name):
    """What the page says of an option: its item's lines."""
    found = re.search(rf"^\.It Cm {name}\n(.*?)(?=^\.It |^\.El)", page, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else None


class Manuals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = run(BUILD / "provisionerd", "--print-config", "/dev/stdin", text=MINIMAL)
        assert done.returncode == 0, done.stderr
        # Name to default; None if there is none that could be written down.
        cls.options = {}
        for line in done.stdout.splitlines():
            found = re.match(r"(?:; )?([a-z_]+) +(?:= (.*) ; (.*)|is not set: .*)$", line)
            if found:
                cls.options[found[1]] = found[2] if found[3] == "default" else None

    def test_there_are_options_to_compare_with(self):
        self.assertEqual(21, len(self.options))
        self.assertEqual("1h", self.options["window"])

    def test_mandoc_finds_nothing_wrong(self):
        self.assertEqual(5, len(PAGES))
        for page in PAGES:
            done = run("mandoc", "-T", "lint", "-W", "style", page)
            # Whether other manuals are installed is no matter of ours.
            wrong = [line for line in (done.stdout + done.stderr).splitlines()
                     if "referenced manual not found" not in line and "mandoc.db" not in line]
            self.assertEqual([], wrong)

    def test_each_page_renders_and_says_what_it_is(self):
        for page in PAGES:
            done = run("mandoc", "-T", "ascii", page)
            self.assertEqual(0, done.returncode, done.stderr)
            plain = re.sub(".\b", "", done.stdout)
            self.assertIn(f"{page.stem} - ", plain)

    def test_every_option_is_in_the_manual_with_its_default(self):
        page = read("man/provisionerd.ini.5")
        documented = re.findall(r"^\.It Cm (\w+)$", page, re.MULTILINE)
        self.assertEqual(list(self.options), documented)
        for name, default in self.options.items():
            text = option_in(page, name)
            if default:
                self.assertRegex(text, rf"Default:\n(?:.*\n)*\.Cm {re.escape(default)} ?\.\n", name)
            else:
                self.assertRegex(text, r"Default: |Default:\n|Required\.", name)

    def test_every_option_is_in_the_readme_with_its_default(self):
        rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", read("README.md"), re.MULTILINE))
        for name, default in self.options.items():
            self.assertIn(name, rows)
            if default:
                self.assertIn(f"`{default}`", rows[name], name)

    def test_every_option_is_in_the_example_with_its_default(self):
        example = read("etc/provisionerd.ini")
        for name, default in self.options.items():
            if default:
                self.assertRegex(example, rf"(?m)^#{name} = {re.escape(default)}$")
            else:
                self.assertRegex(example, rf"(?m)^#?{name} = ")

    def test_every_command_line_option_is_in_the_manual(self):
        for program, page in (("provisionerd", "man/provisionerd.8"),
                              ("provisionerd-sim", "man/provisionerd-sim.1")):
            said = set(re.findall(r"--([a-z-]+)", run(BUILD / program, "--help").stdout))
            written = set(re.findall(r"Fl -([a-z-]+)", read(page))) | {"help"}
            self.assertGreater(len(said), 4)
            self.assertEqual(said | {"help"}, written, page)

    def test_every_command_line_option_is_completed_by_every_shell(self):
        for program in ("provisionerd", "provisionerd-sim"):
            said = set(re.findall(r"--([a-z-]+)", run(BUILD / program, "--help").stdout)) | {"help"}
            for file, option in ((f"{program}.bash", r"--([a-z-]+)"), (f"_{program}", r"--([a-z-]+)\["),
                                 (f"{program}.fish", r" -l ([a-z-]+)")):
                text = read("completions/" + file)
                self.assertEqual(said, set(re.findall(option, text)), file)

    def test_bash_completes(self):
        def complete(*words):
            script = ('compopt() { :; }; . "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                      '"_${1//-/_}"; echo "${COMPREPLY[*]}"')
            done = run("bash", "-c", script, ROOT / "completions" / f"{words[0]}.bash", *words)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            return done.stdout.split()

        self.assertEqual(["--config", "--check-config"], complete("provisionerd", "--c"))
        self.assertEqual([str(ROOT / "etc/provisionerd.ini")],
                         complete("provisionerd", "--config", str(ROOT / "etc/p")))
        self.assertEqual(["common", "combined"],
                         complete("provisionerd-sim", "--replay-format", "com"))

    def test_every_message_id_is_in_the_manual(self):
        ids = re.findall(r'#define AUDIT_ID_\w+ "(\w{32})"', read("src/audit.h"))
        page = read("man/provisionerd.8")
        self.assertEqual(15, len(ids))
        self.assertEqual(ids, re.findall(r"^\.It (\w{32})$", page, re.MULTILINE))
        self.assertLess(set(re.findall(r"MESSAGE_ID=(\w+)", page)), set(ids))

    def test_every_message_id_is_explained_in_the_catalog(self):
        ids = re.findall(r'#define AUDIT_ID_\w+ "(\w{32})"', read("src/audit.h"))
        catalog = read("systemd/provisionerd.catalog")
        entries = re.findall(r"^-- (\w{32})\nSubject: (.+)\nDefined-By: provisionerd\n"
                             r"(?:[\w-]+: .+\n)*\n((?:.|\n)+?)(?=^-- |\Z)", catalog, re.MULTILINE)
        self.assertEqual(ids, [entry[0] for entry in entries])
        fields = set(re.findall(r'"(PROVISIONERD_\w+)"', read("src/audit.c")))
        self.assertLess(set(re.findall("@(.*?)@", catalog)), fields)
        self.assertLessEqual(max(map(len, catalog.splitlines())), 100)

    def test_every_variable_that_is_read_is_in_the_manual(self):
        variables = set()
        for path in (ROOT / "src").rglob("*.c"):
            variables |= set(re.findall(r'"(AWS_[A-Z0-9_]*[A-Z0-9]|CREDENTIALS_DIRECTORY)"',
                                        path.read_text(encoding="utf-8")))
        page = read("man/provisionerd.8")
        self.assertIn("AWS_PROFILE", variables)
        for name in variables:
            self.assertRegex(page, rf"\b{name}\b")

    def test_the_exit_statuses(self):
        page = read("man/provisionerd.8")
        said = re.findall(r"\b(\d+) \w", re.search("Exit status: (.*)", run(
            BUILD / "provisionerd", "--help").stdout)[1])
        self.assertEqual(said, re.findall(r"^\.It (\d+)$", page, re.MULTILINE))


if __name__ == "__main__":
    unittest.main()
