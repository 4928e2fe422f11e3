"""``ros2 launch`` for real, and the node's contract as README.md has it.

What is launched are stand-ins, each of which writes down how it was started.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from recip_tracker_ros.middleware import PROFILE_VARIABLE

PACKAGE = "recip_tracker_ros"
SHARE = Path(sys.prefix) / "share" / PACKAGE
README = Path(__file__).parents[2] / "README.md"
LONGEST_S = 60

# STAYS: how long it lives unless it is told to stop, in seconds. WAITS_FOR: what must have started first.
# Start number LAST_START ends the launch.
STAND_IN = f"""#!{sys.executable}
import json, os, pathlib, signal, sys, threading, time

record = {{
    "name": pathlib.Path(sys.argv[0]).name,
    "arguments": sys.argv[1:],
    "profile": os.environ.get("{PROFILE_VARIABLE}", ""),
    "parameters": [
        pathlib.Path(value).read_text()
        for flag, value in zip(sys.argv, sys.argv[1:])
        if flag == "--params-file"
    ],
}}
told = threading.Event()
signal.signal(signal.SIGINT, lambda *_: told.set())
records = pathlib.Path(os.environ["RECORDS"])
with records.open("a") as file:
    print(json.dumps(record), file=file)
if len(records.read_text().splitlines()) == int(os.environ.get("LAST_START", "0")):
    os.kill(os.getppid(), signal.SIGINT)
while "WAITS_FOR" not in records.read_text():
    time.sleep(0.01)
if STAYS:
    print("told to stop" if told.wait(STAYS) else "waited in vain")
"""


@dataclass(frozen=True)
class Started:
    """How a stand-in was started.

    Attributes:
        name: of the executable.
        arguments: of its command line.
        profile: the Fast DDS profile in its environment.
        parameters: of its parameter files, a later one over an earlier one.
        given: the parameters in the last of these files, which holds what launch arguments gave.
    """

    name: str
    arguments: list[str]
    profile: str
    parameters: dict[str, object]
    given: dict[str, object]

    @property
    def remappings(self) -> dict[str, str]:
        """From which name to which topic, node name and namespace among them."""
        pairs = zip(self.arguments, self.arguments[1:], strict=False)
        return dict(rule.split(":=", 1) for flag, rule in pairs if flag == "-r")


@dataclass(frozen=True)
class Launched:
    """What a launch came to: its exit status, what it printed, and what it started, in order."""

    status: int
    output: str
    started: list[Started]

    def only(self, name: str) -> Started:
        """The one start of an executable."""
        (one,) = (start for start in self.started if start.name == name)
        return one


class Workspace:
    """An ament prefix of stand-ins, the tracker's node among them, and what is launched with it.

    Args:
        root: an empty folder.
        ros2: the real command.
    """

    def __init__(self, root: Path, ros2: str) -> None:
        self._root, self._ros2 = root, ros2
        self._prefix, self._records = root / "prefix", root / "records"
        self.bin_dir = root / "bin"
        self.add(PACKAGE, "tracker_node")
        shutil.copytree(SHARE, self._prefix / "share" / PACKAGE, dirs_exist_ok=True)

    def add(self, package: str, executable: str = "", stays_s: float = 0) -> Path:
        """A package, with a stand-in for an executable of it; its share folder."""
        index = self._prefix / "share/ament_index/resource_index/packages"
        share = self._prefix / "share" / package
        for folder in (index, share):
            folder.mkdir(parents=True, exist_ok=True)
        (index / package).touch()
        if executable:
            self._write(self._prefix / "lib" / package / executable, stays_s)
        return share

    def add_command(self, name: str, waits_for: str) -> None:
        """A stand-in on the search path, which ends when another has started."""
        self._write(self.bin_dir / name, stays_s=0, waits_for=waits_for)

    def launch(self, file: str, environment: dict[str, str] | None = None, **arguments: str) -> Launched:
        """``ros2 launch recip_tracker_ros FILE.launch.py name:=value ...``, until it has ended."""
        command = [self._ros2, "launch", PACKAGE, f"{file}.launch.py"]
        command += [f"{name}:={value}" for name, value in arguments.items()]
        variables = self._environment() | (environment or {})
        ended = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
        lines = self._records.read_text().splitlines() if self._records.exists() else []
        return Launched(
            ended.returncode, ended.stdout + ended.stderr, [_read(json.loads(line)) for line in lines]
        )

    def _write(self, path: Path, stays_s: float, waits_for: str = "") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STAND_IN.replace("STAYS", str(stays_s)).replace("WAITS_FOR", waits_for))
        path.chmod(0o755)

    def _environment(self) -> dict[str, str]:
        prefixes = [str(self._prefix), os.environ.get("AMENT_PREFIX_PATH", ""), sys.prefix]
        inherited = {name: value for name, value in os.environ.items() if name != PROFILE_VARIABLE}
        return inherited | {
            "AMENT_PREFIX_PATH": ":".join(filter(None, prefixes)),
            "PATH": f"{self.bin_dir}:{os.environ['PATH']}",
            "RECORDS": str(self._records),
            "ROS_LOG_DIR": str(self._root / "log"),
        }


def _read(record: dict) -> Started:
    files = [
        _parameters(yaml.full_load(text)) for text in record.pop("parameters")
    ]  # launch_ros writes tuples
    merged = {name: value for file in files for name, value in file.items()}
    return Started(**record, parameters=merged, given=files[-1] if files else {})


def _parameters(content: dict) -> dict[str, object]:
    (node,) = content.values()
    return node["ros__parameters"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Stand-ins to launch; skips where ``ros2 launch`` is not installed."""
    pytest.importorskip("ros2launch")
    ros2 = shutil.which("ros2", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert ros2 is not None
    return Workspace(tmp_path, ros2)


@pytest.fixture
def launch(workspace: Workspace) -> Callable[..., Launched]:
    """``launch(file, **arguments)`` in that workspace."""
    return workspace.launch


@dataclass(frozen=True)
class Promise:
    """A row of the contract.

    Attributes:
        is_input: whether it is a topic that the node listens to.
        type: of a topic or service.
        text: what else the row says: QoS and meaning, or meaning alone.
    """

    is_input: bool
    type: str
    text: str

    @property
    def is_latched(self) -> bool:
        """Whether the last message is there for whoever comes later."""
        return "latched" in self.text


@pytest.fixture(scope="session")
def contract() -> dict[str, Promise]:
    """What README.md says of each topic and service, by the name that it has in a graph: ``/tracker/...``."""
    _, _, section = README.read_text().partition("### Topics of the node `tracker`")
    rows = re.findall(r"^\| *(`[^|]+)\|([^|]+)\|(.*)$", section.partition("\n## ")[0], flags=re.MULTILINE)
    return {
        re.sub(r"^(~/)?(?=\w)", lambda found: "/tracker/" if found[0] else "/", name): Promise(
            "(in)" in names, kind.strip(), text
        )
        for names, kind, text in rows
        for name in re.findall(r"`([^`]+)`", names)
    }
