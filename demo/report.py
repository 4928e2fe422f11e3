"""From the lines of player and recorder to figures, and whether they are good enough."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from plan import DETECTION, DETECTIONS, STATUS, LineReader, Plan

RECEIVED_SHARE = 0.95  # of the published frames
DETECTED_SHARE = 0.95  # of the received frames


@dataclass(frozen=True, slots=True)
class Answer:
    """The tracker's answer to one played frame; no confidence when the target is lost."""

    stamp_ns: int
    latency_ms: float
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """A status of the tracker, from a frame's stamp on."""

    stamp_ns: int
    state: str
    updates: int


@dataclass(frozen=True, slots=True)
class Bound:
    """Something that a good run keeps."""

    name: str
    value: str
    is_kept: bool


@dataclass(frozen=True)
class Recording:
    """What one run left, ready for figures and pictures; answers and changes in order of time."""

    played_ns: tuple[int, ...]
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
    played = [line["stamp_ns"] for line in player if line["event"] == "played"]
    of_played = set(played)
    by_event = {
        event: [line for line in recorder if line["event"] == event]
        for event in (DETECTION, DETECTIONS, STATUS)
    }
    detections = {line["stamp_ns"]: line for line in by_event[DETECTIONS] if line["stamp_ns"] in of_played}
    return Recording(
        played_ns=tuple(played),
        answers=tuple(_answer(line) for _, line in sorted(detections.items())),
        detected_ns=frozenset(line["stamp_ns"] for line in by_event[DETECTION]) & of_played,
        changes=tuple(sorted(map(_change, by_event[STATUS]), key=lambda change: change.stamp_ns)),
        rmw=next(line["rmw"] for line in recorder if line["event"] == "ready"),
    )


def figures(plan: Plan, recording: Recording) -> dict[str, Any]:
    """The report: counts of frames, milliseconds from a frame's stamp to its answer, and what was run."""
    answers = recording.answers
    latency_ms = np.array([answer.latency_ms for answer in answers])
    confidences = [answer.confidence for answer in answers if answer.confidence is not None]
    first, last = recording.played_ns[0], recording.played_ns[-1]
    states = [recording.state_at(answer.stamp_ns) for answer in answers]
    return {
        "frames_published": len(recording.played_ns),
        "frames_received": len(answers),
        "frames_detected": len(recording.detected_ns),
        "frames_uncertain": states.count("uncertain"),
        "frames_lost": sum(answer.confidence is None for answer in answers),
        "frames_dropped": len(recording.played_ns) - len(answers),
        "latency_ms": {
            "median": round(float(np.median(latency_ms)), 2) if answers else None,
            "p99": round(float(np.percentile(latency_ms, 99)), 2) if answers else None,
        },
        "confidence_median": round(float(np.median(confidences)), 4) if confidences else None,
        "updates": recording.changes[-1].updates if recording.changes else 0,
        "rmw": recording.rmw,
        "clip": plan.clip,
        "rate_hz": round(plan.rate_hz, 3),
        "duration_s": round((last - first) / 1e9 + 1 / plan.rate_hz, 2),
        "width": plan.size[0],
        "height": plan.size[1],
        "device": plan.device,
        "seed": plan.seed,
    }


def bounds(report: dict[str, Any]) -> list[Bound]:
    """What a good run keeps, and whether this one did."""
    published, received = report["frames_published"], report["frames_received"]
    detected, lost = report["frames_detected"], report["frames_lost"]
    return [
        _share("published frames that the tracker received", received, published, RECEIVED_SHARE),
        _share("received frames with a detection", detected, received, DETECTED_SHARE),
        Bound("frames in which the target was lost (none allowed)", str(lost), lost == 0),
    ]


def write_report(path: Path, report: dict[str, Any]) -> None:
    """As JSON."""
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def spans(recording: Recording) -> list[tuple[str, int, int]]:
    """Runs of answers in one state: the state, and the stamps where it starts and where the next starts."""
    stamps = [answer.stamp_ns for answer in recording.answers]
    runs = [(state, next(group)) for state, group in itertools.groupby(stamps, key=recording.state_at)]
    ends = [start for _, start in runs[1:]] + stamps[-1:]
    return [(state, start, end) for (state, start), end in zip(runs, ends, strict=True)]


def _share(name: str, part: int, whole: int, least: float) -> Bound:
    share = part / whole if whole else 0.0
    return Bound(f"{name} (at least {least:.0%})", f"{part} of {whole}, {share:.1%}", share >= least)


def _answer(line: dict[str, Any]) -> Answer:
    return Answer(line["stamp_ns"], (line["arrival_ns"] - line["stamp_ns"]) / 1e6, line["confidence"])


def _change(line: dict[str, Any]) -> Change:
    """A status counts from the stamp of the frame that caused it, or from its arrival if it has none."""
    seconds, _, rest = line["values"].get("stamp", "").partition(".")
    stamp_ns = int(seconds) * 1_000_000_000 + int(rest) if seconds.isdigit() and rest.isdigit() else 0
    updates = line["values"].get("updates", "0")
    return Change(stamp_ns or line["arrival_ns"], line["state"], int(updates) if updates.isdigit() else 0)
