#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The real daemon, told one story again and again, and each time something else fails in it.

    python3 tests/torture/points.py allocations|calls|resolutions|kills
            [--build build] [--every N] [--from N] [--to N] [--minutes N] [--jobs N]
            [--only CALL] [--list]

The story: two environments. One is idle and falls asleep, a request wakes it; the other is in use all
the time. Then the daemon is stopped. It is told once untroubled, to count the points at which it can
fail: its allocations, its system calls, its name resolutions. Then, point by point:

    allocations   the Nth of the process fails, over HTTPS, whichever library asked for it
    calls         the Nth system call of a kind fails with an errno, or is short
    resolutions   the Nth getaddrinfo() fails
    kills         SIGKILL as the Nth system call is about to be made; then it is started again

Whenever the daemon has ended, it is started again, as systemd would. In the end its counts must be
exactly those from before, nothing that was in use may ever have been touched, it must not have
crashed or hung, and a failure that ended it must have been told.

Closes with "N passed, N failed".
"""

import argparse
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent

BUSY = "busy"
BUSY_LOG = "/ecs/busy/gateway"
DEADLINE_S = 60
LOOK_EVERY_S = 0.1
STOP_S = 25

# As fast as the configuration allows, and AWS as fast as the story bears.
QUICKEST = {"window": "1h", "lateness": "0s", "check_interval": "1s", "poll_interval": "1s",
            "poll_interval_awake": "1s"}
SETTINGS = {"query_scheduled_ms": 0, "query_running_ms": 20, "task_start_ms": 50,
            "task_stop_ms": 50}

# How each kind of system call can fail in this world. brk() does not fail so: it returns what is.
NETWORK = ("ECONNRESET", "ETIMEDOUT", "EPIPE")
FAILURES = {
    "openat": ("EMFILE", "EACCES", "ENOMEM"),
    "read": ("EIO", "EINTR", "short", "eof"),
    "write": ("ENOSPC", "EIO", "EINTR", "short"),
    "writev": ("EINTR", "EPIPE"),
    "fsync": ("EIO", "ENOSPC", "EINTR"),
    "renameat": ("ENOSPC", "EIO", "EROFS"),
    "unlinkat": ("EIO",),
    "mkdir": ("ENOSPC", "EROFS"),
    "flock": ("ENOLCK", "EAGAIN"),
    "close": ("EIO", "EINTR"),
    "fstat": ("EIO",),
    "newfstatat": ("EIO", "ENOMEM"),
    "faccessat": ("EROFS",),
    "faccessat2": ("EROFS",),
    "lseek": ("EINVAL",),
    "socket": ("EMFILE", "ENOBUFS", "EAFNOSUPPORT"),
    "socketpair": ("EMFILE", "ENOMEM"),
    "connect": ("ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT", "EADDRNOTAVAIL", "EINTR"),
    "sendto": (*NETWORK, "EAGAIN", "EINTR", "ENOBUFS", "short"),
    "sendmsg": ("ECONNREFUSED", "EAGAIN", "ENOBUFS", "EINTR"),
    "recvfrom": (*NETWORK, "EAGAIN", "EINTR", "short", "eof"),
    "recvmsg": ("ECONNRESET", "EINTR"),
    "getsockopt": ("ENOBUFS",),
    "setsockopt": ("ENOBUFS",),
    "getsockname": ("ENOBUFS",),
    "getpeername": ("ENOTCONN",),
    "fcntl": ("EINVAL",),
    "ioctl": ("EINVAL",),
    "epoll_create1": ("EMFILE",),
    "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "epoll_wait": ("EINTR",),
    "epoll_pwait2": ("EINTR",),
    "poll": ("EINTR", "ENOMEM"),
    "timerfd_create": ("EMFILE", "ENOMEM"),
    "timerfd_settime": ("ENOMEM",),
    "signalfd4": ("EMFILE",),
    "eventfd2": ("EMFILE",),
    "pipe2": ("EMFILE",),
    "clone3": ("EAGAIN", "ENOMEM"),
    "mmap": ("ENOMEM",),
    "mprotect": ("ENOMEM",),
    "munmap": ("ENOMEM",),
    "getrandom": ("EINTR",),
    "prlimit64": ("EPERM",),
    "prctl": ("EINVAL",),
    "madvise": ("ENOMEM",),
    "uname": ("EPERM",),
}

# The resolver's answers, by <netdb.h>.
RESOLUTIONS = {"EAI_NONAME": -2, "EAI_AGAIN": -3, "EAI_FAIL": -4, "EAI_FAMILY": -6,
               "EAI_MEMORY": -10, "EAI_SYSTEM": -11}

# What an ended daemon may end as: stopped, failed, or the configuration could not be read.
ENDS = (0, 1, 78)
SPOILT = re.compile(r"transient: (OpenSSL|SSL)\b")
# libcurl 7.88.1 divides by zero when it could not note who uses a socket: see README.md.
CURLS_OWN = re.compile(r"^fired allocation.*\n.*preload\.so.*\n.*preload\.so.*\n.*libcurl", re.M)
BREAKS = re.compile(r"Assertion|assert|stack smashing|double free|corrupt|\*\*\*")


class Wrong(AssertionError):
    pass


class Telling:
    """One telling of the story, with one trouble in it."""

    def __init__(self, directory, authority, trouble):
        self.directory = pathlib.Path(directory)
        self.report = self.directory / "report"
        self.authority = authority
        self.trouble = trouble
        self.programs = []
        self.daemon = None
        self.starts = 0

    # The world

    def start_world(self):
        services = [{"name": "gateway", "desired": 1, "log_group": BUSY_LOG},
                    {"name": "api", "desired": 4}]
        world = harness.world(settings=SETTINGS)
        world["clusters"].append({"name": BUSY, "services": services})
        world["log_groups"].append({"name": BUSY_LOG})
        https = self.authority if self.trouble.https else None
        self.sim = harness.Sim(self.directory, world, https=https)
        self.programs.append(self.sim)
        self.sim.put_event("GET /api/v1/orders", BUSY_LOG)
        self.systemd = harness.Systemd(self.directory)
        url = self.sim.https_url if https else self.sim.url
        if self.trouble.resolves:
            url = url.replace("127.0.0.1", "aws.test")
        options = {"region": harness.REGION, "endpoint_url": url,
                   "state_directory": self.directory / "state"}
        if https:
            options["ca_bundle"] = self.authority.ca
        common = {"pattern": '"/api/v1/"', **QUICKEST}
        self.config = self.directory / "provisionerd.ini"
        self.config.write_text(harness.ini({
            "provisionerd": options,
            "environment staging": {"cluster": harness.CLUSTER, "services": "api, worker, web",
                                    "log_group": harness.LOG_GROUP, "always_on": "gateway",
                                    **common},
            "environment busy": {"cluster": BUSY, "services": "api", "log_group": BUSY_LOG,
                                 **common}}))
        (self.directory / "home").mkdir()

    def start_daemon(self):
        """The first is troubled; those after it are not."""
        command = [harness.BUILD / "provisionerd", "--config", self.config]
        additional = {"HOME": str(self.directory / "home"), **harness.KEYS,
                      **self.systemd.environment}
        if self.trouble.resolves:
            additional["LD_PRELOAD"] = str(PRELOAD)
        if self.starts == 0:
            command = [*self.trouble.prefix(self.report), *command]
            additional.update(self.trouble.environment(self.report))
        self.starts += 1
        self.heard = len(self.systemd.messages)
        if self.starts > 4:
            raise Wrong("it does not stay up")
        self.daemon = harness.Program("provisionerd", command,
                                      env=harness.environment_of_programs(**additional))
        self.programs.append(self.daemon)

    # The story

    def look_after_daemon(self):
        """As systemd does; what ended must have ended in order."""
        if self.daemon.is_running:
            return
        self.judge_end()
        self.start_daemon()

    def judge_end(self):
        status = self.daemon.wait(DEADLINE_S)
        if status == 128 + signal.SIGKILL and self.trouble.kills:
            return
        if status == -signal.SIGFPE and CURLS_OWN.search(self.read_report()):
            self.note_restart()
            return
        if status not in ENDS:
            raise Wrong(f"it ended with status {status}")
        if status != 0 and not self.daemon.output and not self.trouble.may_be_mute:
            raise Wrong(f"it ended with status {status} and without a word")

    def wait_for_counts(self, counts):
        end = time.monotonic() + DEADLINE_S
        while self.sim.counts() != counts:
            self.look_after_daemon()
            if time.monotonic() > end and self.is_openssl_spoilt():
                end = time.monotonic() + DEADLINE_S
            if time.monotonic() > end:
                raise Wrong(f"the counts are {self.sim.counts()}, and never came to be {counts}")
            time.sleep(LOOK_EVERY_S)

    def is_openssl_spoilt(self):
        """OpenSSL and curl keep what they found when memory was short: then all calls fail, which
        the daemon tells, until it is started again or, for certificates, ten minutes are over."""
        is_spoilt = (self.trouble.https and self.starts == 1 and
                     "libcrypto" in self.read_report() and self.daemon.says(SPOILT))
        if is_spoilt:
            self.daemon.send(signal.SIGTERM)
            self.daemon.wait(STOP_S)
            self.note_restart()
        return is_spoilt

    def read_report(self):
        return self.report.read_text(errors="replace") if self.report.exists() else ""

    def note_restart(self):
        with open(self.report, "a", encoding="utf-8") as file:
            file.write("needed a restart\n")

    def has_started(self):
        """One of the ways to tell may be the one that fails."""
        return (self.daemon.says("started with") or not self.daemon.is_running or
                any("READY=1" in message for message in self.systemd.messages[self.heard:]))

    def stop_daemon(self):
        """As systemd does; one that is started at this very moment is started again."""
        while True:
            self.look_after_daemon()
            harness.eventually(self.has_started, "it starts", DEADLINE_S)
            if self.daemon.is_running:
                break
        self.daemon.send(signal.SIGTERM)
        self.daemon.wait(STOP_S)
        self.judge_end()

    def tell(self):
        self.start_world()
        self.start_daemon()
        self.wait_for_counts(harness.ASLEEP)
        if not self.sim.request():
            raise Wrong("the gateway was put to sleep")
        self.requested = self.sim.mark()
        self.wait_for_counts(harness.AWAKE)
        self.stop_daemon()
        self.judge()

    def judge(self):
        if self.sim.counts() != harness.AWAKE:
            raise Wrong(f"the counts are {self.sim.counts()} in the end")
        if self.sim.counts(BUSY, ("api", "gateway")) != {"api": 4, "gateway": 1}:
            raise Wrong("what is in use was touched")
        if self.sim.updates(cluster=BUSY):
            raise Wrong("UpdateService for what is in use")
        for service, count in self.sim.updates():
            if count not in (0, harness.AWAKE[service]):
                raise Wrong(f"{service} was set to {count}")
        # Before it has seen the request it may repeat what it was about; not after that.
        woken = [count > 0 for _, count in self.sim.updates(since=self.requested)]
        if not all(woken[woken.index(True):]):
            raise Wrong("put to sleep again, after the request")
        calls = self.sim.history()
        first = next((n for n, call in enumerate(calls) if call["operation"] == "UpdateService"))
        if not any(call["operation"] == "GetQueryResults" and call["status"] == 200
                   for call in calls[:first]):
            raise Wrong("put to sleep without a query")
        for program in self.programs[1:]:
            if BREAKS.search(program.output):
                raise Wrong("it broke")

    def run(self):
        try:
            self.tell()
        finally:
            for program in reversed(self.programs):
                program.end()
            with contextlib.suppress(AttributeError):
                self.systemd.close()

    def transcript(self):
        report = self.report.read_text() if self.report.exists() else ""
        lines = [line for program in self.programs[1:]
                 for line in (f"--- {program.name}", *program.lines[-40:])]
        return "\n".join(["--- report", report, *lines])


# --- troubles -----------------------------------------------------------------------------------


class Trouble:
    https = False
    resolves = False
    kills = False
    may_be_mute = False

    def prefix(self, report):
        return []

    def environment(self, report):
        return {}


class Allocation(Trouble):
    https = True
    may_be_mute = True  # before it could open its mouth: in the loader, or in main() itself

    def __init__(self, number, more=0):
        self.number, self.more = number, more

    def __str__(self):
        return f"allocation {self.number}" + (f" and {self.more} more" if self.more else "")

    def environment(self, report):
        return {"LD_PRELOAD": str(PRELOAD), "TORTURE_REPORT": str(report),
                "TORTURE_ALLOCATION": f"{self.number}+{self.more}"}


class Resolution(Trouble):
    resolves = True

    def __init__(self, number, code):
        self.number, self.code = number, code

    def __str__(self):
        return f"resolution {self.number} {self.code}"

    def environment(self, report):
        return {"TORTURE_REPORT": str(report),
                "TORTURE_RESOLUTION": f"{self.number}:{RESOLUTIONS.get(self.code, 0)}"}


class Call(Trouble):
    resolves = True  # so that there is a resolver's thread

    def __init__(self, name, number, how):
        self.name, self.number, self.how = name, number, how

    def __str__(self):
        return f"{self.name} {self.number} {self.how}"

    def prefix(self, report):
        failure = ["--fail", f"{self.name}:{self.number}:{self.how}"] if self.number else []
        return [TRACER, "--report", report, *failure]


class Kill(Trouble):
    resolves = True
    kills = True

    def __init__(self, number):
        self.number = number

    def __str__(self):
        return f"kill at system call {self.number}"

    def prefix(self, report):
        return [TRACER, "--report", report, "--kill", str(self.number)]


# --- all of it ----------------------------------------------------------------------------------


def tell(trouble, authority):
    """Returns (outcome, report of the tools, transcript)."""
    with tempfile.TemporaryDirectory(prefix="provisionerd-torture-", dir=SCRATCH) as directory:
        telling = Telling(directory, authority, trouble)
        try:
            telling.run()
            outcome = "ok"
        except Exception as error:  # of any kind: it is a result
            outcome = f"{type(error).__name__}: {error}"
        report = telling.report.read_text(errors="replace") if telling.report.exists() else ""
        return outcome, report, telling.transcript() if outcome != "ok" else ""


def counts_in(report):
    counts = {}
    for line in report.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdigit():
            counts[words[0]] = counts.get(words[0], 0) + int(words[1])
    return counts


def find_points(what, authority, only):
    """The troubles of this kind, counted in an untroubled telling."""
    untroubled = {"allocations": Allocation(0), "calls": Call("read", 0, "EIO"),
                  "resolutions": Resolution(0, "none"), "kills": Kill(0)}[what]
    outcome, report, transcript = tell(untroubled, authority)
    if outcome != "ok":
        sys.exit(f"untroubled, it is not well: {outcome}\n{transcript}")
    counts = counts_in(report)
    if what == "allocations":
        return [Allocation(number) for number in range(1, counts["allocations"] + 1)]
    if what == "resolutions":
        return [Resolution(number, code) for number in range(1, counts["resolutions"] + 1)
                for code in RESOLUTIONS]
    if what == "kills":
        return [Kill(number) for number in range(1, counts["total"] + 1)]
    return [Call(name, number, how) for name, failures in FAILURES.items()
            if not only or name == only
            for number in range(1, counts.get(name, 0) + 1) for how in failures]


def tell_all(points, authority, arguments, jobs):
    """All of them, or those begun in the time there is; counts what came of it."""
    tally = collections.Counter()
    end = time.monotonic() + 60 * arguments.minutes if arguments.minutes else float("inf")
    with concurrent.futures.ProcessPoolExecutor(jobs, initializer=set_up,
                                                initargs=(arguments.build,)) as pool:
        futures = {pool.submit(tell, point, authority): point for point in points}
        for future in concurrent.futures.as_completed(futures):
            if future.cancelled():
                continue
            outcome, report, transcript = future.result()
            tally["fired"] += "fired" in report
            tally["restarted"] += "needed a restart" in report
            tally["passed" if outcome == "ok" else "failed"] += 1
            if outcome == "ok" and "needed a restart" in report:
                print(f"needed a restart: {futures[future]}", flush=True)
            if outcome != "ok":
                print(f"FAILED {futures[future]}: {outcome}")
                print("    " + transcript.replace("\n", "\n    "), flush=True)
            if time.monotonic() > end:
                end = float("inf")
                for other in futures:
                    other.cancel()
    return tally


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("allocations", "calls", "resolutions", "kills"))
    parser.add_argument("--build", default="build", help="where the programs are (build)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth point")
    parser.add_argument("--from", type=int, default=1, metavar="N", dest="first",
                        help="begin with the Nth point")
    parser.add_argument("--to", type=int, default=None, metavar="N", dest="last",
                        help="end with the Nth point")
    parser.add_argument("--minutes", type=float, default=0, metavar="N",
                        help="only as many as can be begun in this time, chosen at random")
    parser.add_argument("--more", type=int, default=0, metavar="N",
                        help="allocations: so many more fail after it")
    parser.add_argument("--only", metavar="CALL", help="calls: only those of this name")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="so many at once")
    parser.add_argument("--list", action="store_true", help="list the points")
    return parser.parse_args()


def set_up(build):
    """In each process: the harness reads from the environment where the programs are."""
    global harness, TRACER, PRELOAD, SCRATCH
    os.environ["PROVISIONERD_BUILD"] = build
    sys.path.insert(0, str(HERE.parent / "e2e"))
    import harness
    harness.LOOK_EVERY_S = LOOK_EVERY_S
    harness.DEADLINE_S = DEADLINE_S
    TRACER = harness.BUILD / "torture" / "tracer"
    PRELOAD = harness.BUILD / "torture" / "preload.so"
    SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main():
    arguments = parse_arguments()
    set_up(arguments.build)
    jobs = arguments.jobs or 8 * len(os.sched_getaffinity(0))

    with tempfile.TemporaryDirectory(prefix="provisionerd-torture-") as directory:
        authority = harness.Authority(directory) if arguments.what == "allocations" else None
        points = find_points(arguments.what, authority, arguments.only)
        n_all = len(points)
        points = points[arguments.first - 1:arguments.last:arguments.every]
        if arguments.more:
            points = [Allocation(point.number, arguments.more) for point in points]
        if arguments.list:
            print("\n".join(map(str, points)))
            return 0
        if arguments.minutes:
            random.shuffle(points)
        tally = tell_all(points, authority, arguments, jobs)
    print(f"{arguments.what}: {tally['passed'] + tally['failed']} of {n_all} points, "
          f"{tally['fired']} of them reached"
          + (f", {tally['restarted']} needed a restart" if tally["restarted"] else ""))
    print(f"{tally['passed']} passed, {tally['failed']} failed")
    return 0 if tally["failed"] == 0 and tally["fired"] else 1


if __name__ == "__main__":
    sys.exit(main())
