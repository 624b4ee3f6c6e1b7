# SPDX-License-Identifier: MIT
"""The image, and containers of it as ECS runs a task: a read-only root file system, no capability, the
role's credentials from ECS's address for them, and neither a journal nor a D-Bus within reach.

The network is a namespace with nothing but loopback, which tests/container/check.sh makes, and which the
simulated AWS is in, too.
"""

import json
import os
import pathlib
import re
import subprocess

from harness import LOG_GROUP, REGION, Authority, Program, Sim, Story, eventually, world

IMAGE = os.environ["PROVISIONERD_IMAGE"]
PODMAN = os.environ["PROVISIONERD_PODMAN"].split()
SOURCE = pathlib.Path(__file__).resolve().parents[2]

UID = 65532
STATE_DIRECTORY = "/var/lib/provisionerd"
CONFIG = "/etc/provisionerd.ini"
CREDENTIALS_PATH = "/v2/credentials/0f1e2d3c-task"
ROLE = "arn:aws:iam::123456789012:role/provisionerd"
AWS_NAME = "aws.invalid"  # RFC 6761: no server of names has it
SYSTEM_CAS = "/etc/ssl/certs/ca-certificates.crt"

FIGURES = []


def figure(name, value):
    """Told at the end; nothing depends on it."""
    FIGURES.append((name, value))


def podman(*arguments, check=True):
    done = subprocess.run([*PODMAN, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"podman {' '.join(map(str, arguments))}: {done.stderr}")
    return done


def inspect_image():
    return json.loads(podman("image", "inspect", IMAGE).stdout)[0]


class Container(Program):
    """Its lines are what it says on standard error; what is said on standard output is apart."""

    def __init__(self, directory, options=(), arguments=(), image=IMAGE):
        self.id_file = directory / f"container.{len(list(directory.glob('container.*')))}"
        self.output_file = self.id_file.with_suffix(".stdout")
        super().__init__("container", [
            "sh", "-c", 'exec "$@" 2>&1 >"$0"', self.output_file, *PODMAN, "run", "--pull=never",
            f"--cidfile={self.id_file}", "--network=host", "--read-only", "--read-only-tmpfs=false",
            "--cap-drop=all", "--security-opt=no-new-privileges", "--memory=64m",
            "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024",
            f"--add-host={AWS_NAME}:127.0.0.1", *options, image, *arguments])

    @property
    def id(self):
        return self.id_file.read_text()

    @property
    def host_pid(self):
        return int(podman("inspect", "--format={{.State.Pid}}", self.id).stdout)

    @property
    def standard_output(self):
        return self.output_file.read_text()

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.host_pid}/{name}")

    def signal(self, name):
        podman("kill", f"--signal={name}", self.id)

    def stop(self):
        """As ECS stops a task; the exit status."""
        self.signal("TERM")
        return self.wait()

    def end(self):
        if self.id_file.exists():
            podman("rm", "--force", "--volumes", self.id, check=False)
        super().end()


class TaskStory(Story):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.directory, names=(f"DNS:{AWS_NAME}",))
        self.sim = Sim(self.directory, world(
            roles=[{"arn": ROLE}], container={"path": CREDENTIALS_PATH, "role": ROLE}),
            https=self.authority, arguments=("--listen", "0.0.0.0:80", "--allow-remote"))
        self.programs.append(self.sim)
        self.volume = self.directory.name.replace("_", "-")
        self.addCleanup(podman, "volume", "rm", "--force", self.volume, check=False)

    def write_config(self, **options):
        """By its name and port alone: CAs are the image's own, state is where it is."""
        port = self.sim.https_url.rpartition(":")[2]
        super().write_config(daemon={"endpoint_url": f"https://{AWS_NAME}:{port}", "region": None,
                                     "state_directory": None}, **options)
        self.config.chmod(0o644)
        self.directory.chmod(0o755)

    def start_task(self, *arguments, volume=True, environment=None, config=True, wait=True):
        settings = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": CREDENTIALS_PATH, "AWS_REGION": REGION}
        options = [f"--env={name}={value}"
                   for name, value in (settings if environment is None else environment).items()]
        # Trusted as AWS's own CAs are, for it stands in their place.
        options.append(f"--volume={self.authority.ca}:{SYSTEM_CAS}:ro")
        if config:
            options.append(f"--volume={self.config}:{CONFIG}:ro")
        if volume:
            options.append(f"--volume={self.volume}:{STATE_DIRECTORY}")
        self.daemon = Container(self.directory, options, arguments)
        self.programs.append(self.daemon)
        if wait:
            self.daemon.wait_for("started with 1 environment")
        return self.daemon

    def start(self, **config):
        self.write_config(**config)
        return self.start_task()

    def status(self, name):
        """A line of /proc/PID/status."""
        return re.search(rf"^{name}:\s*(.*)$", self.daemon.proc("status").read_text(),
                         re.MULTILINE)[1]

    def replace_task(self, **options):
        """As a deployment does it, or Fargate when it retires a host."""
        self.assertEqual(0, self.daemon.stop())
        self.daemon.end()
        return self.start_task(**options)

    def assert_signed_by_the_role(self):
        signed = {call["accessKeyId"] for call in self.sim.history()
                  if call["operation"] in ("FilterLogEvents", "StartQuery", "UpdateService")}
        self.assertTrue(signed and all(key.startswith("ASIA") for key in signed), signed)


__all__ = ["AWS_NAME", "CONFIG", "CREDENTIALS_PATH", "FIGURES", "IMAGE", "LOG_GROUP", "SOURCE",
           "STATE_DIRECTORY", "UID", "Container", "TaskStory", "eventually", "figure",
           "inspect_image", "podman"]
