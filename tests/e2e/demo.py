#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A day of a staging environment in a minute: used, put to sleep, woken, and never fooled.

    python3 tests/e2e/demo.py [--build build]

Starts the simulated AWS and the daemon as an ordinary user could, and ends both. In the end it
holds what it told against the simulated AWS's own records; the exit status is 0 if all was true.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import textwrap
import time

HERE = pathlib.Path(__file__).resolve().parent
SAMPLES = HERE.parent.parent / "sim" / "samples"
sys.path.insert(0, str(HERE))

SPEED = 600  # an hour takes six seconds
BEGIN = "16:10"  # of the recorded day
WINDOW_S = 6
SERVICES = ("api", "worker", "web")
REQUEST = "GET /api/v1/orders/4711 HTTP/1.1"

CONFIG = """\
[environment staging]
cluster             = staging
services            = api, worker, web
always_on           = gateway
log_group           = /ecs/staging/gateway
pattern             = "/api/v1/"
exclude             = "ELB-HealthChecker"
window              = 6s    ; 1h in real life: unused for so long, it is put to sleep
check_interval      = 2s    ; 10min: so often it looks whether it has been
lateness            = 1s    ; 5min: so late log events may come
poll_interval       = 1s    ; 15s: so often it looks for somebody who knocks
poll_interval_awake = 1s    ; 1min: and so often while awake
"""


class Interrupted(Exception):
    pass


class Screen:
    """Headings of ours, the daemon's own lines, and the counts, one below the other."""

    def __init__(self):
        self.colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR") \
            and os.environ.get("TERM") != "dumb"
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        self.fancy = encoding == "utf8"
        self.bar = "│" if self.fancy else "|"
        self.width = max(70, min(shutil.get_terminal_size((100, 24)).columns, 110))
        self.began = time.monotonic()

    def _paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours else text

    def write(self, text=""):
        if not self.fancy:
            text = text.encode("ascii", "replace").decode()
        print(text, flush=True)

    def heading(self, text):
        self.write()
        self.write(self._paint("1;36", text))

    def say(self, text, indent="  "):
        for paragraph in text.strip().split("\n"):
            for line in textwrap.wrap(paragraph.strip(), self.width - len(indent)) or [""]:
                self.write(indent + line)

    def verbatim(self, text):
        for line in text.rstrip().split("\n"):
            code, comment = (line.split(";", 1) + [None])[:2] if ";" in line else (line, None)
            self.write("      " + code + (self._paint("2", ";" + comment) if comment else ""))

    def line(self, who, text, colour):
        """Who said it and when; long sentences go on below."""
        head = f"  {time.monotonic() - self.began:5.1f} s  {who:<7} {self.bar} "
        below = " " * (len(head) - 2) + self.bar + " "
        pieces = textwrap.wrap(text, self.width - len(head), break_on_hyphens=False) or [""]
        for piece in pieces:
            self.write(self._paint("2", head) + self._paint(colour, piece))
            head = below

    def journal(self, text):
        colour = "33" if text.startswith(("warning:", "error:")) else "0"
        self.line("journal", text, colour)

    def counts(self, truth):
        parts = [f"{name} {truth[name]['desiredCount']}" for name in SERVICES]
        running = [str(truth[name]["runningCount"]) for name in SERVICES]
        asleep = all(truth[name]["desiredCount"] == 0 for name in SERVICES)
        self.line("ECS", f"desired  {'   '.join(parts)}     running  {' / '.join(running)}",
                  "1;34" if asleep else "1;32")

    def verdict(self, is_true, text):
        mark = ("✓" if self.fancy else "true ") if is_true else ("✗" if self.fancy else "FALSE")
        pieces = textwrap.wrap(text, self.width - 6)
        self.write("  " + self._paint("1;32" if is_true else "1;31", mark) + "  " + pieces[0])
        for piece in pieces[1:]:
            self.write(" " * (4 + len(mark)) + piece)


def write_replay(path):
    """The rest of the recorded day from BEGIN, and the night after it. Returns when each request
    comes, in seconds of ours, and whether it is one for the API."""
    day = (SAMPLES / "access.log").read_text().splitlines()
    stamp = re.compile(r"\[1[23]/May/2026:(\d\d):(\d\d):(\d\d) ")

    def seconds(line):
        hours, minutes, rest = map(int, stamp.search(line).groups())
        return hours * 3600 + minutes * 60 + rest

    begin = int(BEGIN[:2]) * 3600 + int(BEGIN[3:]) * 60
    rest_of_day = [line for line in day if seconds(line) >= begin]
    night = [line.replace("[12/May/", "[13/May/") for line in day if seconds(line) < 6.5 * 3600]
    path.write_text("\n".join(rest_of_day + night) + "\n")
    first = seconds(rest_of_day[0])
    return ([((seconds(line) - first) / SPEED, "/api/v1/" in line) for line in rest_of_day] +
            [((seconds(line) + 24 * 3600 - first) / SPEED, "/api/v1/" in line) for line in night])


class Demo:
    def __init__(self, harness, directory, screen):
        self.harness = harness
        self.directory = directory
        self.screen = screen
        self.witness = ("AKIDWITNESS", "an+independent/witness/of+what+EXAMPLE+came")
        self.told = 0
        self.shown = None
        self.hours = 0

    # The stage

    def start_aws(self):
        scenario = json.loads((SAMPLES / "demo.json").read_text())
        scenario["credentials"].append({
            "access_key_id": self.witness[0], "secret_access_key": self.witness[1],
            "allow": ["logs:DescribeQueries"]})
        replay = self.directory / "access.log"
        self.day = write_replay(replay)
        self.last_use_s = max(when for when, is_use in self.day if is_use)
        self.sim = self.harness.Sim(self.directory, scenario, arguments=(
            "--replay", replay, "--replay-to", "staging/gateway", "--speed", str(SPEED)))
        self.replay_began_ms = self.sim.now_ms()

    def start_daemon(self):
        config = self.directory / "provisionerd.ini"
        config.write_text(f"[provisionerd]\nregion = {self.harness.REGION}\n"
                          f"endpoint_url = {self.sim.url}\n"
                          f"state_directory = {self.directory / 'state'}\n\n" + CONFIG)
        self.daemon = self.harness.Daemon(
            config, {"HOME": str(self.directory), **self.harness.KEYS})

    def end(self):
        for name in ("daemon", "sim"):
            if hasattr(self, name):
                getattr(self, name).end()

    # The play

    def tell_traffic(self):
        """What the gateway has got, each hour of the recorded day."""
        elapsed_s = (self.sim.now_ms() - self.replay_began_ms) / 1000
        hours = int(elapsed_s * SPEED / 3600)
        if hours <= self.hours:
            return
        self.hours = hours
        came = [is_use for when, is_use in self.day if when <= elapsed_s]
        minutes = int(BEGIN[:2]) * 60 + int(BEGIN[3:]) + hours * 60
        self.screen.line("gateway", f"{minutes // 60 % 24:02}:{minutes % 60:02}  {len(came)} "
                         f"requests so far, {sum(came)} of them for the API", "2")

    def tell_news(self):
        """What the daemon said since, and how the counts are now."""
        self.tell_traffic()
        lines = self.daemon.lines[self.told:]
        self.told += len(lines)
        for line in lines:
            self.screen.journal(line)
        truth = self.sim.truth()
        desired = [truth[name]["desiredCount"] for name in SERVICES]
        steady = all(truth[name]["steady"] for name in SERVICES)
        if self.shown != (desired, steady):
            self.screen.counts(truth)
            self.shown = (desired, steady)

    def watch(self, condition, why):
        def seen():
            self.tell_news()
            if not self.daemon.is_running or not self.sim.is_running:
                raise AssertionError("the daemon or the simulated AWS has ended")
            return condition()
        result = self.harness.eventually(seen, why, 90)
        self.tell_news()
        return result

    def watch_for(self, seconds):
        """To let the audience see that nothing happens; nothing relies on it."""
        end = time.monotonic() + seconds
        self.watch(lambda: time.monotonic() >= end, "time goes by")

    def has(self, counts, running=False):
        truth = self.sim.truth()
        return all(truth[name]["desiredCount"] == count and
                   (not running or truth[name]["runningCount"] == count)
                   for name, count in zip(SERVICES, counts))

    def play(self):
        self.prologue()
        self.scene_used()
        self.scene_asleep()
        self.scene_woken()
        self.scene_not_fooled()

    def prologue(self):
        self.start_aws()
        self.screen.say(f"""
            A simulated AWS runs at {self.sim.url}. Its ECS cluster "staging" has three services,
            api, worker and web, behind a gateway that stays up and writes each request to
            CloudWatch Logs. The gateway gets a day of requests as such logs have them, 600 times as
            fast: an hour takes six seconds. The daemon's configuration is scaled down alike:
            """.replace("\n            ", " "))
        self.screen.write()
        self.screen.verbatim(CONFIG)

    def scene_used(self):
        self.screen.heading(f"1. Afternoon ({BEGIN}): people work, and it stays awake")
        self.start_daemon()
        self.watch(lambda: self.daemon.says("found awake"), "the daemon sees the services")
        self.watch(lambda: self.daemon.says("not put to sleep: last activity at"),
                   "traffic keeps it awake")
        last_use_ms = self.replay_began_ms + self.last_use_s * 1000
        self.watch(lambda: self.sim.now_ms() >= last_use_ms, "the last colleague leaves")

    def scene_asleep(self):
        self.screen.heading("2. Evening (18:10): the last one leaves; health checks and bots go on")
        self.screen.say("When there has been none for the API in an hour, Logs Insights has to "
                        "confirm that; only then it sleeps.")
        self.watch(lambda: self.has((0, 0, 0)), "it falls asleep")
        self.watch(lambda: self.daemon.says("asleep; will wake to"), "the daemon knows it")
        asleep_requests = self.sim.admin("GET", "stats")["requestsServed"]
        self.asleep_since = self.sim.mark()
        self.watch(lambda: self.has((0, 0, 0), running=True), "the tasks are gone")
        self.watch_for(5)
        self.requests_asleep = (self.sim.admin("GET", "stats")["requestsServed"] - asleep_requests)

    def scene_woken(self):
        self.screen.heading("3. Night: somebody knocks")
        self.woken_since = self.sim.mark()
        self.knocked_ms = self.sim.now_ms()
        self.sim.request(REQUEST)
        self.screen.line("request", REQUEST, "1")
        self.watch(lambda: self.has((2, 3, 1)), "it wakes up")
        self.watch(lambda: self.has((2, 3, 1), running=True), "its tasks run")
        self.running_ms = self.sim.now_ms()

    def scene_not_fooled(self):
        self.screen.heading("4. Idle again, but now each Logs Insights query fails")
        self.screen.say("No answer is no silence: it must stay awake, and say why.")
        self.sim.fault("query_failed", "StartQuery")
        self.failing_since = self.sim.mark()
        self.watch(lambda: self.daemon.says("not put to sleep: the query gave no answer"),
                   "a query fails")
        self.watch(lambda: list(self.query_statuses().values()).count("Failed") >= 3,
                   "more of them fail")

    # The proof

    def claims(self):
        """(is it true, what) for everything that was told, from the simulated AWS's records."""
        history = self.sim.history()
        updates = [call for call in history if call["operation"] == "UpdateService"]
        sent = [(call["parameters"]["service"], call["parameters"]["desiredCount"])
                for call in updates]
        down, up = sent[:3], sent[3:]
        yield (sorted(down) == sorted((name, 0) for name in SERVICES) and
               sorted(up) == [("api", 2), ("web", 1), ("worker", 3)] and
               all(call["status"] == 200 and call["parameters"]["cluster"] == "staging"
                   for call in updates),
               "UpdateService was called six times: api, worker, web to 0, then to 2, 3, 1; for no "
               "other service, to no other count.")

        first = updates[0]
        last_use_ms = self.replay_began_ms + self.last_use_s * 1000
        yield (first["timeMs"] >= last_use_ms + WINDOW_S * 1000,
               f"Nothing slept while it was used: the first came "
               f"{(first['timeMs'] - last_use_ms) / 1000:.1f} s after the day's last call of the "
               f"API; the window is {WINDOW_S} s.")

        before = [call for call in history if call["number"] < first["number"]]
        statuses = self.query_statuses()
        polled = [call for call in before if call["operation"] == "GetQueryResults"]
        query = polled[-1]["parameters"]["queryId"] if polled else None
        yield (statuses.get(query) == "Complete",
               "Before it, a Logs Insights query over the whole window came to status Complete.")
        after_query = [call["operation"] for call in before
                       if polled and call["number"] > polled[-1]["number"]]
        yield ("DescribeServices" in after_query and "FilterLogEvents" in
               after_query[after_query.index("DescribeServices"):],
               "After the query, the counts to give back were read, and a last look was taken for "
               "somebody who had come meanwhile.")

        looks = [call for call in self.sim.history("FilterLogEvents", self.asleep_since)
                 if call["number"] <= self.woken_since]
        yield (self.requests_asleep > 0 and len(looks) > 2 and
               not [call for call in updates
                    if self.asleep_since < call["number"] <= self.woken_since],
               f"Asleep, it looked {len(looks)} times; {self.requests_asleep} health checks and "
               "bots came in that time, and woke nobody.")

        woken_ms = updates[3]["timeMs"] - self.knocked_ms if len(updates) > 3 else -1
        yield (woken_ms >= 0,
               f"Woken {woken_ms / 1000:.1f} s after the request (CloudWatch Logs shows it after "
               f"0.5 s, a look comes each second); all tasks ran "
               f"{(self.running_ms - self.knocked_ms) / 1000:.1f} s after it, of which this AWS "
               "takes 3 s to start them.")

        failed = [status for status in statuses.values() if status == "Failed"]
        yield (len(failed) >= 3 and not self.sim.history("UpdateService", self.failing_since),
               f"{len(failed)} queries failed, and no UpdateService was sent since.")
        truth = self.sim.truth()
        yield ([truth[name]["desiredCount"] for name in SERVICES] == [2, 3, 1] and
               truth["gateway"]["desiredCount"] == 1,
               "In the end the counts are what they were: api 2, worker 3, web 1. The gateway was "
               "never touched.")

    def query_statuses(self):
        answer = self.sim.call("logs", "Logs_20140328.DescribeQueries",
                               {"logGroupName": "/ecs/staging/gateway", "maxResults": 1000},
                               *self.witness)
        return {query["queryId"]: query["status"] for query in answer["queries"]}

    def prove(self):
        self.screen.heading("Is that so? From the simulated AWS's own records:")
        all_true = True
        for is_true, text in self.claims():
            self.screen.verdict(is_true, text)
            all_true = all_true and is_true
        stopped = self.daemon.stop() == 0
        self.screen.verdict(stopped, "On SIGTERM the daemon stops cleanly.")
        return all_true and stopped


def interrupt(signal_number, frame):
    raise Interrupted(signal_number)


def perform(harness, screen):
    with tempfile.TemporaryDirectory(prefix="provisionerd-demo-") as directory:
        demo = Demo(harness, pathlib.Path(directory), screen)
        try:
            demo.play()
            return demo.prove()
        except AssertionError as error:
            screen.verdict(False, f"This does not go as told: {error}")
            if hasattr(demo, "daemon"):
                demo.tell_news()
            return False
        finally:
            for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(ending, signal.SIG_IGN)
            demo.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="where the programs are (build)")
    build = pathlib.Path(parser.parse_args().build).resolve()
    for program in ("provisionerd", "provisionerd-sim"):
        if not os.access(build / program, os.X_OK):
            sys.exit(f"{build / program} is not there: run make first")
    os.environ["PROVISIONERD_BUILD"] = str(build)
    import harness

    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupt)
    screen = Screen()
    screen.heading("provisionerd: a staging environment falls asleep, wakes up, and is not fooled")
    screen.write()
    try:
        is_true = perform(harness, screen)
    except Interrupted as interrupted:
        with contextlib.suppress(OSError):
            screen.write("\n  Interrupted. Nothing is left running.")
        return 128 + interrupted.args[0]
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    screen.write()
    screen.write(f"  {'All of it was true' if is_true else 'NOT all of it was true'}; it took "
                 f"{time.monotonic() - screen.began:.0f} seconds. Nothing is left running.")
    return 0 if is_true else 1


if __name__ == "__main__":
    sys.exit(main())
