"""All findings of a machine, for people and for those who are asked for help."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import file_probes, python_probes, ros_probes
from .findings import Finding, Level, warning
from .surroundings import Surroundings

Probe = Callable[[Surroundings], Iterable[Finding]]

PROBES: tuple[Probe, ...] = (
    python_probes.python,
    python_probes.numpy,
    python_probes.opencv,
    python_probes.torch,
    python_probes.onnx,
    file_probes.weights,
    file_probes.cache,
    file_probes.extras,
    ros_probes.rclpy,
)
ROS_PROBES: tuple[Probe, ...] = (  # where rclpy can be imported
    ros_probes.middleware,
    ros_probes.domain,
    ros_probes.discovery,
    ros_probes.vision_msgs,
    ros_probes.cv_bridge,
    ros_probes.profile,
)
COLORS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


def examine(here: Surroundings) -> list[Finding]:
    """What all probes find."""
    has_ros = not here.answers["rclpy"].failure
    return [
        finding for probe in (*PROBES, *(ROS_PROBES if has_ros else ())) for finding in survived(probe, here)
    ]


def survived(probe: Probe, here: Surroundings) -> list[Finding]:
    """What a probe finds; where it fails, that is a finding: the others are still of use."""
    try:
        return list(probe(here))
    except Exception as error:
        found = f"could not be examined: {type(error).__name__}: {error}"
        return [warning(probe.__name__, found, "report it with recip-tracker doctor --json, please")]


def is_well(findings: Iterable[Finding]) -> bool:
    """Whether nothing is a problem."""
    return all(finding.level is not Level.PROBLEM for finding in findings)


def as_json(findings: Iterable[Finding]) -> str:
    """A list of objects ``subject``, ``level``, ``found``, ``remedy``."""
    return json.dumps([{**asdict(finding), "level": finding.level.value} for finding in findings], indent=2)


def show(findings: Sequence[Finding], console: Console) -> None:
    """A row for each, and then what to do; nothing is cut."""
    table = Table("", "what", "found", title="recip-tracker doctor")
    table.columns[2].overflow = "fold"
    for finding in findings:
        level = f"[{COLORS[finding.level]}]{finding.level.value}[/]"
        table.add_row(level, escape(finding.subject), escape(finding.found))
    console.print(table)
    remedies = [finding for finding in findings if finding.remedy]
    if not remedies:
        console.print("There is nothing to do.")
    for finding in sorted(remedies, key=lambda finding: finding.level is not Level.PROBLEM):
        level = f"[{COLORS[finding.level]}]{finding.level.value}[/]"
        told = f"{level} {escape(finding.subject)}: {escape(finding.remedy)}"
        console.print(told, highlight=False, soft_wrap=True)
