"""What a tracker said of a sequence, and an evaluation: all that was said of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .sequences import Sequence

ALONE = 0.9  # share of a core from which a time says what the tracker needs, and not what its neighbours took


@dataclass(frozen=True)
class Record:
    """A tracker's answers to one sequence, N frames, the first being the one it was initialised with.

    Attributes:
        boxes: (N, 4) ``x, y, w, h`` in pixels, a box in every row.
        confidences: (N,) in the tracker's own unit, higher being surer; NaN where it says none.
        tracked: (N,) whether it claims to have the target.
        seconds: (N,) of computing; the first is its initialisation; NaN where a frame was not looked at, or
            the time is not known.
        core_share: share of that time, without the first, in which its thread held a core; NaN if not known.
    """

    boxes: NDArray[np.float64]
    confidences: NDArray[np.float64]
    tracked: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    core_share: float

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def has_confidence(self) -> bool:
        """Whether the tracker says how sure it is."""
        return len(self) > 1 and bool(np.isfinite(self.confidences[1:]).all())


@dataclass(frozen=True)
class Run:
    """One pass of a tracker over one sequence with one seed."""

    sequence: Sequence
    seed: int
    record: Record


@dataclass(frozen=True)
class Evaluation:
    """Everything that scores and pictures are made from.

    Attributes:
        dataset: its name, for people.
        format: the benchmark's, which says how its protocol counts.
        runs: of each tracker, by its name; sequences and seeds in any order.
        realtime: the same, where the stream did not wait; empty when that was not asked for.
        rate_hz: of that stream.
        conditions: what else was asked for (limit, stress seed, ...), for people.
    """

    dataset: str
    format: str
    runs: Mapping[str, tuple[Run, ...]]
    realtime: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    rate_hz: float | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)
