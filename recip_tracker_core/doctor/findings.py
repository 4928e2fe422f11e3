"""What a probe says."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.Enum):
    """How bad it is."""

    OK = "ok"  # there is nothing to do
    WARNING = "warning"  # something of the package does not work here, or works worse than it could
    PROBLEM = "problem"  # the tracker cannot run, or what is here does not fit together


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the report.

    Attributes:
        subject: what was looked at.
        level: how bad it is.
        found: what was seen.
        remedy: what to do; empty where there is nothing to do.

    Raises:
        ValueError: something to worry about, and nothing to do.
    """

    subject: str
    level: Level
    found: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if (self.level is Level.OK) == bool(self.remedy):
            raise ValueError(f"a finding has a remedy exactly where it is not ok, got {self}")


def ok(subject: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(subject, Level.OK, found)


def warning(subject: str, found: str, remedy: str) -> Finding:
    """It works worse than it could."""
    return Finding(subject, Level.WARNING, found, remedy)


def problem(subject: str, found: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(subject, Level.PROBLEM, found, remedy)
