#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The real daemon for a long time, at high speed, in bad weather that changes every few seconds.

    python3 tests/torture/soak.py [--build build] [--hours H | --minutes M]
            [--environments N] [--seed N]

Many environments with little traffic fall asleep and wake up, while the simulated AWS fails in ever
other ways. Shown in the end:

    flat         descriptors and memory do not grow with time (least squares, after a warm-up)
    works        in the middle of it, environments fall asleep and wake up
    budgets      the server never saw more requests of an operation than src/aws/operation.c grants
    no zombies   every Logs Insights query has ended or was stopped
    counts       only named services were touched, and only set to 0 or to their own count
    converges    the weather cleared and the traffic over, all sleep; asked for, they wake as they were

Closes with "N passed, N failed".
"""

import argparse
import bisect
import collections
import contextlib
import os
import pathlib
import random
import re
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

WEATHER_S = (4, 10)  # how long a weather lasts
BUDGET_WINDOWS_S = (10, 60, 600)
BEAT_S = 0.2
N_WOKEN = 50  # in the end

LOGS = ("FilterLogEvents", "StartQuery", "GetQueryResults")
ECS = ("DescribeServices", "UpdateService")
ALL = LOGS + ECS

# kind: (operations, probability at most, value). Never StopQuery: a query that nobody could stop is
# AWS's own zombie.
FAULTS = {
    "throttle": (ALL, 0.5, 0), "http_500": (ALL, 0.5, 0), "http_502": (ALL, 0.5, 0),
    "http_503": (ALL, 0.5, 0), "refuse": (ALL, 0.5, 0), "access_denied": (ALL, 0.1, 0),
    "expired_token": (ALL, 0.1, 0), "not_found": (LOGS[:2] + ECS, 0.05, 0),
    "invalid_parameter": (ALL, 0.1, 0),
    "reset": (ALL, 0.3, 0), "stall": (ALL, 0.02, 0), "trickle": (ALL, 0.02, 0),
    "truncate": (ALL, 0.3, 0), "duplicate": (ALL, 0.3, 0), "reorder": (ALL, 1, 0),
    "garbage": (ALL, 0.3, 0), "error_in_200": (ALL, 0.3, 0),
    "wrong_content_length": (ALL, 0.3, 0), "wrong_types": (ALL, 0.3, 0),
    "huge": (ALL, 0.02, 20 << 20), "deep": (ALL, 0.1, 0),
    "latency": (ALL, 0.5, 2000), "skewed_date": (ALL, 0.1, 400_000),
    "query_failed": (("StartQuery",), 0.5, 0), "query_cancelled": (("StartQuery",), 0.5, 0),
    "query_timeout": (("StartQuery",), 0.5, 0), "query_unknown": (("StartQuery",), 0.5, 0),
    "query_never_ends": (("StartQuery",), 0.05, 0),
    "query_no_statistics": (("StartQuery",), 0.5, 0),
    "query_partial_shrinks": (("StartQuery",), 0.5, 0),
    "query_id_unknown": (("StartQuery",), 0.5, 500),
    "query_limit_exceeded": (("StartQuery",), 0.5, 0),
    "token_loop": (("FilterLogEvents",), 0.2, 0), "token_expires": (("FilterLogEvents",), 0.2, 0),
    "empty_pages": (("FilterLogEvents",), 0.2, 3),
    "duplicate_events": (("FilterLogEvents",), 0.5, 0),
    "update_answer_lost": (("UpdateService",), 0.3, 0),
    "stale": (("DescribeServices",), 0.3, 20_000), "missing": (("DescribeServices",), 0.1, 0),
}
# They hide from the daemon the id of a query that has begun.
HIDES_AN_ID = {"reset", "stall", "trickle", "truncate", "duplicate", "garbage", "error_in_200",
               "wrong_content_length", "wrong_types", "huge", "deep", "latency"}


class Watch(threading.Thread):
    """How long this machine holds things up, at worst: what was sent in time comes so late, and
    then together with what was sent after it."""

    def __init__(self, sim):
        super().__init__(daemon=True)
        self.sim = sim
        self.worst_s = 0.0
        self.is_over = threading.Event()

    def run(self):
        began = time.monotonic()
        while not self.is_over.wait(BEAT_S):
            with contextlib.suppress(OSError):
                self.sim.admin("GET", "health")
            now = time.monotonic()
            self.worst_s = max(self.worst_s, now - began - BEAT_S)
            began = now

    def end(self):
        self.is_over.set()
        self.join()


class Soak:
    def __init__(self, directory, duration_s, n, seed):
        self.directory = pathlib.Path(directory)
        self.duration_s = duration_s
        # Four looks a second are allowed: long enough for several at each environment, since what is
        # seen only after a window is no activity any more.
        self.window_s = max(600 if duration_s >= 1200 else 15, n)
        self.n = n
        self.chance = random.Random(seed)
        self.names = [f"team-{number:03}" for number in range(n)]
        self.counts = {name: {"api": 1 + number % 5, "worker": 2 + number % 3}
                       for number, name in enumerate(self.names)}
        self.times = collections.defaultdict(list)  # of calls, by operation, in ms
        self.history_next = 0
        self.wrong = []
        self.turns = collections.Counter()  # of environments: "asleep", "awake"
        self.is_asleep = dict.fromkeys(self.names, False)
        self.most_active = 0
        self.samples = []  # (seconds, descriptors, resident KiB, anonymous KiB)
        self.checks = []

    # The world

    def start(self):
        world = harness.world(
            log_groups=[{"name": f"/ecs/{name}"} for name in self.names],
            clusters=[{"name": name, "services": [
                {"name": "gateway", "desired": 1, "log_group": f"/ecs/{name}"},
                *({"name": service, "desired": count}
                  for service, count in self.counts[name].items())]} for name in self.names])
        self.sim = harness.Sim(self.directory, world)
        config = self.directory / "provisionerd.ini"
        config.write_text(harness.ini({
            "provisionerd": {"region": harness.REGION, "endpoint_url": self.sim.url,
                             "state_directory": self.directory / "state"},
            **{f"environment {name}": {
                "cluster": name, "services": "api, worker", "log_group": f"/ecs/{name}",
                "always_on": "gateway", "pattern": '"/api/v1/"', "lateness": "0s",
                "window": f"{self.window_s}s", "check_interval": "5s", "poll_interval": "5s",
                "poll_interval_awake": "5s"} for name in self.names}}))
        self.daemon = harness.Daemon(config, {"HOME": str(self.directory), **harness.KEYS})
        self.daemon.wait_for("started with")
        self.watch = Watch(self.sim)
        self.watch.start()
        self.began = time.monotonic()

    def end(self):
        self.watch.end()
        self.daemon.end()
        self.sim.end()

    def elapsed(self):
        return time.monotonic() - self.began

    def sample(self):
        process = pathlib.Path(f"/proc/{self.daemon.pid}")
        pages = int((process / "statm").read_text().split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE") // 1024
        try:
            descriptors = len(os.listdir(process / "fd"))
            # Heap and stacks: what files are mapped is others' doing, too.
            anonymous = int(re.search(r"^Anonymous: *(\d+) kB$",
                                      (process / "smaps_rollup").read_text(), re.M)[1])
        except PermissionError:  # it is undumpable, and so root's
            descriptors, anonymous = 0, resident
        self.samples.append((self.elapsed(), descriptors, resident, anonymous))

    def change_weather(self):
        self.sim.mend()
        kinds = self.chance.sample(sorted(FAULTS), self.chance.randint(0, 4))
        for kind in kinds:
            operations, probability, value = FAULTS[kind]
            operation = self.chance.choice(operations)
            if "query_never_ends" in kinds and operation == "StartQuery" and kind in HIDES_AN_ID:
                continue
            self.sim.fault(kind, operation, probability=self.chance.uniform(0, probability),
                           value=value)

    def request(self, name):
        self.sim.admin("POST", "requests", {"cluster": name, "service": "gateway",
                                            "message": "GET /api/v1/orders HTTP/1.1"})

    def read_history(self):
        """What came since; kept small, since a long run makes many calls."""
        for call in self.sim.history(since=self.history_next):
            self.history_next = call["number"]
            # Refused, it never came to the service: curl then sends it anew, if the connection had
            # been used before, and that is the one that counts.
            if call["status"] != 0:
                self.times[call["operation"]].append(call["timeMs"])
            if call["operation"] != "UpdateService" or call["status"] != 200:
                continue
            parameters = call["parameters"]
            own = self.counts[parameters["cluster"]].get(parameters["service"])
            if own is None or parameters["desiredCount"] not in (0, own):
                self.wrong.append(parameters)
                continue
            is_asleep = parameters["desiredCount"] == 0
            if is_asleep != self.is_asleep[parameters["cluster"]]:
                self.is_asleep[parameters["cluster"]] = is_asleep
                self.turns["asleep" if is_asleep else "awake"] += 1

    def rain(self):
        """Bad weather and a little traffic: each environment is asked for every second window."""
        next_weather = next_history = 0
        owed = 0.0
        last = self.elapsed()
        while (now := self.elapsed()) < self.duration_s:
            if not self.daemon.is_running:
                return
            if now >= next_weather:
                self.change_weather()
                next_weather = now + self.chance.uniform(*WEATHER_S)
            if now >= next_history:
                self.read_history()
                next_history = now + 10
                active = self.sim.admin("GET", "stats")["queriesActive"]
                self.most_active = max(self.most_active, active)
            owed += (now - last) * self.n / (2 * self.window_s)
            last = now
            while owed >= 1:
                self.request(self.chance.choice(self.names))
                owed -= 1
            self.sample()
            time.sleep(1)
        self.fired = self.sim.admin("GET", "faults")["fired"]
        self.sim.mend()
        self.read_history()
        self.turns_in_rain = self.turns.copy()

    # What is shown

    def check(self, name, is_so, figures=""):
        self.checks.append(is_so)
        print(f"{'ok' if is_so else 'FAILED':7} {name}: {figures}")
        sys.stdout.flush()

    def all_counts(self):
        counts = collections.defaultdict(dict)
        for service in self.sim.admin("GET", "services")["services"]:
            if service["service"] != "gateway" and service["cluster"] != harness.CLUSTER:
                counts[service["cluster"]][service["service"]] = service["desiredCount"]
        return counts

    def wait_until(self, wanted, limit_s):
        """Returns the names that are not as wanted in the end, and after how long."""
        began = time.monotonic()
        while True:
            counts = self.all_counts()
            wrong = [name for name, count in wanted.items() if counts[name] != count]
            waited = time.monotonic() - began
            if not wrong or waited > limit_s:
                return wrong, waited
            time.sleep(1)
            self.read_history()

    def check_convergence(self):
        asleep = dict.fromkeys(self.names, {"api": 0, "worker": 0})
        # Four queries a second, each asked after a few times; and a window without traffic before.
        limit_s = self.window_s + 120 + 2 * self.n
        wrong, waited = self.wait_until(asleep, limit_s)
        self.check("all sleep when the weather has cleared", not wrong,
                   f"{len(self.names) - len(wrong)} of {self.n} after {waited:.0f} s {wrong[:5]}")
        woken = self.chance.sample(self.names, min(N_WOKEN, self.n))
        for name in woken:
            self.request(name)
        wrong, waited = self.wait_until({name: self.counts[name] for name in woken}, 60 + self.n)
        self.check("they wake as they were", not wrong,
                   f"{len(woken) - len(wrong)} of {len(woken)} after {waited:.0f} s {wrong[:5]}")

    def slope(self, column, samples):
        """Least squares, per hour."""
        n = len(samples)
        mean_x = sum(sample[0] for sample in samples) / n
        mean_y = sum(sample[column] for sample in samples) / n
        variance = sum((sample[0] - mean_x) ** 2 for sample in samples)
        return 3600 * sum((sample[0] - mean_x) * (sample[column] - mean_y)
                          for sample in samples) / variance

    def check_turns(self):
        """Not in a short run: an environment is awake for a window at least."""
        rain, all_turns = self.turns_in_rain, self.turns
        is_long = self.duration_s >= 3 * self.window_s
        self.check("they sleep and wake meanwhile",
                   not is_long or (rain["asleep"] > 0 and rain["awake"] > 0),
                   f"{rain['asleep']} fell asleep and {rain['awake']} woke in the bad weather, "
                   f"{all_turns['asleep']} and {all_turns['awake']} in all")

    def check_flatness(self):
        samples = [sample for sample in self.samples if sample[0] > self.duration_s / 3]
        hours = (samples[-1][0] - samples[0][0]) / 3600
        descriptors = self.slope(1, samples)
        highest = max(sample[1] for sample in samples)
        # Connections come and go with the weather; the allocator keeps what a burst needed.
        self.check("descriptors are flat", abs(descriptors * hours) <= 8 and highest <= 100,
                   f"{descriptors:+.1f} an hour, at most {highest}")
        for column, name in ((2, "resident"), (3, "anonymous")):
            slope = self.slope(column, samples)
            mean = sum(sample[column] for sample in samples) / len(samples)
            self.check(f"{name} memory is flat", slope * hours <= max(1024, mean / 20),
                       f"{slope:+.0f} KiB an hour, {mean:.0f} KiB on average, "
                       f"{max(sample[column] for sample in self.samples)} at most")

    def check_queries(self):
        stats = self.sim.admin("GET", "stats")
        answered = sum(stats["queryStatuses"].values())
        ended = answered - stats["queriesStopped"] - stats["queriesActive"]
        self.check("no query is left over", answered > 0 and stats["queriesActive"] == 0,
                   f"{answered} were started by {len(self.times['StartQuery'])} calls, {ended} ended, "
                   f"{stats['queriesStopped']} were stopped, {stats['queriesActive']} are active; "
                   f"{self.most_active} at once; " + ", ".join(
                       f"{status} {n}" for status, n in stats["queryStatuses"].items() if n))

    def check_budgets(self):
        source = (ROOT / "src" / "aws" / "operation.c").read_text()
        budgets = re.findall(r'(?:LOGS|ECS)\("(\w+)"\), \.rate = (\d+), \.burst = (\d+)', source)
        held_up_s = self.watch.worst_s
        for operation, rate, burst in budgets:
            times = sorted(self.times[operation])
            worst = {}
            for window_s in BUDGET_WINDOWS_S:
                worst[window_s] = max((bisect.bisect_left(times, first + 1000 * window_s) - index
                                       for index, first in enumerate(times)), default=0)
            # What came in a window was sent in it, or before, and held up on its way.
            is_kept = all(seen <= (window_s + held_up_s) * int(rate) + int(burst) + 1
                          for window_s, seen in worst.items())
            self.check(f"budget of {operation}", is_kept, f"{len(times)} calls; " + ", ".join(
                f"{seen} in {window_s} s" for window_s, seen in worst.items()) +
                f" ({rate} a second and {burst}; held up {held_up_s:.2f} s at most)")

    def run(self):
        try:
            self.start()
            self.rain()
            self.check("it runs to the end", self.daemon.is_running, f"{self.elapsed():.0f} s")
            if not self.daemon.is_running:
                print("\n".join(self.daemon.lines[-50:]))
                return
            self.check("weather", sum(self.fired.values()) > 0, ", ".join(
                f"{kind} {count}" for kind, count in sorted(self.fired.items())))
            self.check_flatness()
            self.check_convergence()
            status = self.daemon.stop(30)
            self.check("it stops", status == 0, f"status {status}")
            self.read_history()
            self.check_turns()
            self.check_queries()
            self.check("only named services, and only their own counts", not self.wrong,
                       str(self.wrong[:5]))
            self.check_budgets()
        finally:
            self.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="where the programs are (build)")
    parser.add_argument("--hours", type=float, default=0)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--environments", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="of weather and traffic (random)")
    arguments = parser.parse_args()
    os.environ["PROVISIONERD_BUILD"] = arguments.build
    sys.path.insert(0, str(HERE.parent / "e2e"))
    global harness
    import harness
    duration_s = arguments.hours * 3600 + arguments.minutes * 60 or 3600
    seed = arguments.seed or random.randrange(1, 1 << 32)
    print(f"seed {seed}, {arguments.environments} environments, {duration_s:.0f} s of bad weather")
    with tempfile.TemporaryDirectory(prefix="provisionerd-soak-") as directory:
        soak = Soak(directory, duration_s, arguments.environments, seed)
        soak.run()
    print(f"{sum(soak.checks)} passed, {len(soak.checks) - sum(soak.checks)} failed")
    return 0 if all(soak.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
