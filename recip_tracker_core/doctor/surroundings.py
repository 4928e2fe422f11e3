"""All that probes look at, as one value."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from . import questions

TIMEOUT_S = 120  # the first use of a GPU takes tens of seconds on small machines
AT_ONCE = 3  # processes: each may load torch
NODE = "recip_tracker_ros"
NVIDIA = ("/proc/driver/nvidia", "/etc/nv_tegra_release")  # of a card's driver; of a Jetson


@dataclass(frozen=True, slots=True)
class Answer:
    """To a question of :mod:`.questions`.

    Attributes:
        values: what was seen; empty where it failed.
        failure: why nothing was seen, in words.
        is_absent: whether that is because the library is not installed.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    is_absent: bool = False


@dataclass(frozen=True)
class Surroundings:
    """What this process and this machine have.

    Attributes:
        python: version, as ``3.11.7``.
        machine: operating system and processor, as ``Linux x86_64``.
        prefixes: folders that have a ``share``, where files of packages are.
        variables: of the environment.
        packages: versions of what pip or apt installed for this Python, by names in lower case with hyphens.
        modules: top-level modules that would be found; not all of them, but all that an extra brings.
        answers: by question.
        bridge_numpy: numpy's major version that each ROS distribution's cv_bridge is built for.
        has_nvidia: whether there is a driver of an NVIDIA GPU.
    """

    python: str
    machine: str
    prefixes: tuple[Path, ...]
    variables: Mapping[str, str]
    packages: Mapping[str, str]
    modules: frozenset[str]
    answers: Mapping[str, Answer]
    bridge_numpy: Mapping[str, int]
    has_nvidia: bool


def here(modules: Iterable[str]) -> Surroundings:
    """This machine's; ``modules`` are those to look for."""
    ament = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = dict(zip(questions.QUESTIONS, pool.map(asked, questions.QUESTIONS), strict=True))
    return Surroundings(
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        prefixes=tuple(Path(prefix) for prefix in (*ament, sys.prefix) if prefix),
        variables=dict(os.environ),
        packages=_packages(),
        modules=frozenset(name for name in modules if _is_found(name)),
        answers=answers,
        bridge_numpy=bridge_numpy(),
        has_nvidia=any(Path(path).exists() for path in NVIDIA),
    )


def asked(question: str, timeout_s: float = TIMEOUT_S) -> Answer:
    """What another Python, which finds the same modules, says to a question."""
    command = [sys.executable, questions.__file__, question, json.dumps(sys.path)]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return Answer(failure=f"no answer within {timeout_s:g} s")
    except OSError as error:
        return Answer(failure=f"no other Python can be started: {error}")
    said = [line for line in done.stdout.splitlines() if line.startswith(questions.ANSWER)]
    if not said:
        return Answer(failure=_end_of(done))
    return Answer(**json.loads(said[-1].removeprefix(questions.ANSWER)))


def bridge_numpy() -> dict[str, int]:
    """``CV_BRIDGE_NUMPY`` of the node's package, read and not run: importing it takes ROS.

    Empty where the package is not there, or has no such table.
    """
    with contextlib.suppress(OSError, SyntaxError, ValueError, TypeError, ImportError):
        spec = importlib.util.find_spec(NODE)
        folders = spec.submodule_search_locations if spec is not None else None
        source = Path(next(iter(folders or ()), ".")) / "conversions.py"
        tree = ast.parse(source.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CV_BRIDGE_NUMPY":
                return dict(ast.literal_eval(node.value))
    return {}


def _end_of(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"it ends the process: {signal.strsignal(-done.returncode) or f'signal {-done.returncode}'}"
    return (done.stderr.strip().splitlines() or [f"it ends the process with code {done.returncode}"])[-1]


def _packages() -> dict[str, str]:
    """The first of a name is the one that is imported."""
    found: dict[str, str] = {}
    for item in distributions():
        with contextlib.suppress(Exception):  # a damaged one must not hide the others
            found.setdefault(re.sub(r"[-_.]+", "-", item.metadata["Name"]).lower(), item.version)
    return found


def _is_found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
