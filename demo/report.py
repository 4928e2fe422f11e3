"""From a recording to figures, and whether they are good enough."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hidings import OVERLAP, hiding_figures
from plan import Plan
from recording import Recording

RECEIVED_SHARE = 0.95  # of the published frames
DETECTED_SHARE = 0.95  # of the received frames
# Clips in which the target comes to look like nothing of its first frame, and what is still asked for: the
# bunny throws its head back for half of the time.
LOSABLE = {"bunny": 0.4}


@dataclass(frozen=True, slots=True)
class Bound:
    """Something that a good run keeps."""

    name: str
    value: str
    is_kept: bool


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
        "hidden": hiding_figures(plan, recording) if plan.truth else None,
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
    received, detected, lost = (report[f"frames_{name}"] for name in ("received", "detected", "lost"))
    heard = "published frames that the tracker received"
    first = _share(heard, received, report["frames_published"], RECEIVED_SHARE)
    if report["hidden"] is not None:
        return [first, *_hiding_bounds(report["hidden"], report["clip"])]
    if report["clip"] in LOSABLE:
        return [
            first,
            _share("received frames with a detection", detected, received, LOSABLE[report["clip"]]),
        ]
    return [
        first,
        _share("received frames with a detection", detected, received, DETECTED_SHARE),
        Bound("frames in which the target was lost (none allowed)", str(lost), lost == 0),
    ]


def _hiding_bounds(hidden: dict[str, Any], asked_id: str) -> list[Bound]:
    """What a good run keeps where the target hides: it is known to be lost, found again, and the same."""
    times, ids = hidden["times"], hidden["ids"]
    lost, found = (
        sum(after is not None for after in hidden[key]) for key in ("lost_after_s", "found_after_s")
    )
    return [
        Bound("times hidden in which it was lost (all)", f"{lost} of {times}", 0 < times == lost),
        Bound(
            f"times back in which it was tracked, overlap above {OVERLAP:g} (all)",
            f"{found} of {times}",
            0 < times == found,
        ),
        Bound("ids of the detections (the one asked for)", ", ".join(ids) or "none", ids == [asked_id]),
    ]


def write_report(path: Path, report: dict[str, Any]) -> None:
    """As JSON."""
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _share(name: str, part: int, whole: int, least: float) -> Bound:
    share = part / whole if whole else 0.0
    return Bound(f"{name} (at least {least:.0%})", f"{part} of {whole}, {share:.1%}", share >= least)
