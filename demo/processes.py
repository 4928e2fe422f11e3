"""The three processes: started with an isolated ROS 2, watched, and ended in order."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from bags import share_folder
from plan import CAMERA, Plan

from recip_tracker_ros.middleware import PROFILE_VARIABLE

STOP_WITHIN_S = 15.0
LOG_TAIL_LINES = 15


class DemoError(Exception):
    """The run cannot give a result; the text says why."""


@dataclass
class Child:
    """A running process and the file that its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """The end of its output."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:]) or "(it wrote nothing)"


@dataclass
class Children:
    """Player, tracker and recorder of one run; as a context manager, ends what it has started."""

    plan: Plan
    environment: dict[str, str] = field(default_factory=dict)
    running: list[Child] = field(default_factory=list)

    def __enter__(self) -> Children:
        out = Path(self.plan.out)
        self.environment = isolated_environment(out / "log")
        here, plan_path = Path(__file__).parent, str(self.plan.work / "plan.json")
        tracker = ["-m", "recip_tracker_ros.main", "--ros-args", "-r", f"image:={CAMERA}"]
        self._start("player", [str(here / "player.py"), plan_path])
        self._start("tracker", [*tracker, "-p", f"seed:={self.plan.seed}"])
        self._start("recorder", [str(here / "recorder.py"), plan_path])
        return self

    def _start(self, name: str, arguments: list[str]) -> None:
        log = Path(self.plan.out) / "log" / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                # "-m" looks in the current folder first; from the repository it would find the source tree.
                cwd=self.plan.work,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone; we then end them in order
            )
        self.running.append(Child(name, process, log))

    def check(self) -> None:
        """Whether all are alive.

        Raises:
            DemoError: with the end of its log, if one is not.
        """
        for child in self.running:
            code = child.process.poll()
            if code is not None:
                raise DemoError(f"the {child.name} ended with code {code}:\n{child.tail()}")

    def tail(self, name: str) -> str:
        """The end of what a process wrote."""
        return next(child.tail() for child in self.running if child.name == name)

    def stop(self) -> None:
        """End all by SIGINT, one after the other.

        Raises:
            DemoError: if one had to be killed, or failed while ending.
        """
        failures = []
        while self.running:
            child = self.running.pop(0)
            code = ended(child.process)
            if code != 0:
                failures.append(f"the {child.name} did not end cleanly (code {code}):\n{child.tail()}")
        if failures:
            raise DemoError("\n".join(failures))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
            return
        for child in self.running:
            ended(child.process)


def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process after SIGINT, or SIGKILL where that does not help."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def isolated_environment(log_folder: Path) -> dict[str, str]:
    """Variables for ROS 2 on this machine alone, on a domain of its own, with room for images.

    Raises:
        DemoError: if a Fast DDS profile is needed and the package did not install one.
    """
    log_folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "ROS_DOMAIN_ID": str(free_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(log_folder),
        "PYTHONUNBUFFERED": "1",
    }
    if not environment.get(PROFILE_VARIABLE):
        share = share_folder("recip_tracker_ros")
        profile = share / "config" / "fastdds.xml" if share else None
        if profile is None or not profile.is_file():
            raise DemoError(
                "recip_tracker_ros is not installed: no share/recip_tracker_ros/config/fastdds.xml"
            )
        environment[PROFILE_VARIABLE] = str(profile)
    return environment


def free_domain() -> int:
    """A ROS domain that no process of this machine is in.

    The first participant of domain d takes UDP port 7410 + 250 d (DDSI-RTPS, 9.6.1.1); domains over 101
    reach into the ports that Linux gives to clients.
    """
    for domain in random.SystemRandom().sample(range(1, 102), 101):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", 7410 + 250 * domain))
            except OSError:
                continue
            return domain
    raise DemoError("all ROS domains from 1 to 101 are in use on this machine")
