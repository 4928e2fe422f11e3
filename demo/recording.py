"""What one run left, from the lines of player and recorder."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from clips import Box
from plan import DETECTION, DETECTIONS, STATUS, LineReader, Plan


@dataclass(frozen=True, slots=True)
class Answer:
    """The tracker's answer to one played frame; no confidence, box and id when the target is lost."""

    stamp_ns: int
    latency_ms: float
    confidence: float | None
    box: Box | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A status of the tracker, from a frame's stamp on."""

    stamp_ns: int
    state: str
    updates: int


@dataclass(frozen=True)
class Recording:
    """What one run left, ready for figures and pictures; answers and changes in order of time.

    Attributes:
        played_ns: stamps of the frames.
        pictures: of each of them, its place in the video, from 0.
        answers: of the tracker.
        detected_ns: stamps of the frames with a detection.
        changes: of the tracker's state.
        rmw: the middleware.
    """

    played_ns: tuple[int, ...]
    pictures: tuple[int, ...]
    answers: tuple[Answer, ...]
    detected_ns: frozenset[int]
    changes: tuple[Change, ...]
    rmw: str

    def state_at(self, stamp_ns: int) -> str:
        """The tracker's state after a frame."""
        states = [change.state for change in self.changes if change.stamp_ns <= stamp_ns]
        return states[-1] if states else "idle"


def read_recording(plan: Plan) -> Recording:
    """Everything that player and recorder wrote."""
    player, recorder = list(LineReader(plan.player_lines).new()), list(LineReader(plan.recorder_lines).new())
    played = {line["stamp_ns"]: line["frame"] for line in player if line["event"] == "played"}
    by_event = {
        event: [line for line in recorder if line["event"] == event]
        for event in (DETECTION, DETECTIONS, STATUS)
    }
    detections = {line["stamp_ns"]: line for line in by_event[DETECTIONS] if line["stamp_ns"] in played}
    return Recording(
        played_ns=tuple(played),
        pictures=tuple(played.values()),
        answers=tuple(_answer(line) for _, line in sorted(detections.items())),
        detected_ns=frozenset(line["stamp_ns"] for line in by_event[DETECTION]) & played.keys(),
        changes=tuple(sorted(map(_change, by_event[STATUS]), key=lambda change: change.stamp_ns)),
        rmw=next(line["rmw"] for line in recorder if line["event"] == "ready"),
    )


def spans(recording: Recording) -> list[tuple[str, int, int]]:
    """Runs of answers in one state: the state, and the stamps where it starts and where the next starts."""
    stamps = [answer.stamp_ns for answer in recording.answers]
    runs = [(state, next(group)) for state, group in itertools.groupby(stamps, key=recording.state_at)]
    ends = [start for _, start in runs[1:]] + stamps[-1:]
    return [(state, start, end) for (state, start), end in zip(runs, ends, strict=True)]


def _answer(line: dict[str, Any]) -> Answer:
    latency_ms = (line["arrival_ns"] - line["stamp_ns"]) / 1e6
    box = line["box"] and tuple(line["box"])
    return Answer(line["stamp_ns"], latency_ms, line["confidence"], box, line["id"])


def _change(line: dict[str, Any]) -> Change:
    """A status counts from the stamp of the frame that caused it, or from its arrival if it has none."""
    seconds, _, rest = line["values"].get("stamp", "").partition(".")
    stamp_ns = int(seconds) * 1_000_000_000 + int(rest) if seconds.isdigit() and rest.isdigit() else 0
    updates = line["values"].get("updates", "0")
    return Change(stamp_ns or line["arrival_ns"], line["state"], int(updates) if updates.isdigit() else 0)
