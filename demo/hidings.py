"""Where the truth is known: whether the tracker knew that the target was hidden, and found it again."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from clips import Box
from plan import Plan
from recording import Answer, Recording

from recip_tracker_core.geometry import iou

OVERLAP = 0.5  # with the truth from which a box is on the target


@dataclass(frozen=True, slots=True)
class Hiding:
    """One time that the target was hidden and came back.

    Attributes:
        start_ns, end_ns: stamps of the first frame in which it is hidden, and of the first after.
        lost_ns: of the first between in which it was said to be lost, or None.
        found_ns: of the first after, and before it hides again, in which it was said to be tracked and the
            box was on it; or None.
    """

    start_ns: int
    end_ns: int
    lost_ns: int | None
    found_ns: int | None


def hidings(plan: Plan, recording: Recording) -> list[Hiding]:
    """All of a run, in order of time; none where the truth is not known."""
    truth = truth_at(plan, recording)
    runs = [(is_there, next(run)[0]) for is_there, run in itertools.groupby(truth.items(), key=_is_in_view)]
    starts = [*(stamp for _, stamp in runs), recording.played_ns[-1] + 1]
    return [
        _hiding(recording, truth, starts[index : index + 3])
        for index, (is_there, _) in enumerate(runs[:-1])
        if not is_there
    ]


def truth_at(plan: Plan, recording: Recording) -> dict[int, Box | None]:
    """Where the target is in every played frame, by the frame's stamp; None where it is hidden."""
    if not plan.truth:
        return {}
    return {
        stamp: plan.truth[picture]
        for stamp, picture in zip(recording.played_ns, recording.pictures, strict=True)
    }


def hiding_figures(plan: Plan, recording: Recording) -> dict[str, Any]:
    """What the report says of a run whose truth is known."""
    found, truth = hidings(plan, recording), truth_at(plan, recording)
    hidden = [answer for answer in recording.answers if truth[answer.stamp_ns] is None]
    overlaps = [
        _overlap(answer, truth) for answer in recording.answers if answer not in hidden and answer.box
    ]
    return {
        "times": len(found),
        "lost_after_s": [_seconds(hiding.lost_ns, hiding.start_ns) for hiding in found],
        "found_after_s": [_seconds(hiding.found_ns, hiding.end_ns) for hiding in found],
        "frames": len(hidden),
        "frames_called_tracking": [recording.state_at(answer.stamp_ns) for answer in hidden].count(
            "tracking"
        ),
        "overlap_median": round(float(np.median(overlaps)), 4) if overlaps else None,
        "ids": sorted({answer.id for answer in recording.answers if answer.id is not None}),
    }


def _hiding(recording: Recording, truth: dict[int, Box | None], marks_ns: list[int]) -> Hiding:
    """From the stamps at which it hides, comes back, and hides again or all ends."""
    start, end, after = marks_ns
    states = {answer: recording.state_at(answer.stamp_ns) for answer in recording.answers}
    lost = (answer.stamp_ns for answer, state in states.items() if state == "lost")
    found = (
        answer.stamp_ns
        for answer, state in states.items()
        if state == "tracking" and answer.stamp_ns >= end and _overlap(answer, truth) > OVERLAP
    )
    return Hiding(
        start,
        end,
        next((stamp for stamp in lost if start <= stamp < end), None),
        next((stamp for stamp in found if stamp < after), None),
    )


def _overlap(answer: Answer, truth: dict[int, Box | None]) -> float:
    there = truth[answer.stamp_ns]
    if answer.box is None or there is None:
        return 0.0
    return float(iou(np.array([answer.box], np.float32), np.array(there, np.float32))[0])


def _is_in_view(item: tuple[int, Box | None]) -> bool:
    return item[1] is not None


def _seconds(stamp_ns: int | None, since_ns: int) -> float | None:
    return None if stamp_ns is None else round((stamp_ns - since_ns) / 1e9, 2)
