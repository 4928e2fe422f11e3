"""What every tracker of this package answers to."""

from __future__ import annotations

import time
from typing import Protocol

from .errors import BoxError
from .painting import AttentionPicture
from .types import BoundingBox, Frame, TrackResult
from .updater import UpdateStatistics

MIN_SIDE_PX = 4  # below, hardly any box overlaps the target by enough to learn from


class Tracker(Protocol):
    """Follows one target. Made by :func:`~.build.build_tracker`.

    Attributes:
        learns: whether frames are learned from; while it is False the target is followed as it is known.
    """

    learns: bool

    def init(self, frame: Frame, box: BoundingBox) -> TrackResult:
        """Learn the target from one frame; from now on it is the one that is followed.

        Blocks for the first fit. When it raises, the target from before, if any, is still followed.

        Raises:
            BoxError: if too little of the box lies in the image.
            LearningError: if the fit does not end in usable weights.
        """
        ...

    def update(self, frame: Frame) -> TrackResult:
        """Find the target in the next frame.

        Raises:
            NotInitialisedError: before a successful :meth:`init`.
        """
        ...

    def attention(self, frame: Frame, box: BoundingBox) -> AttentionPicture:
        """Where the present classifier looks in a box, for people; may be called from any thread.

        Raises:
            NotInitialisedError: before a successful :meth:`init`.
        """
        ...

    @property
    def statistics(self) -> UpdateStatistics:
        """What became of the updates so far."""
        ...

    def another(self) -> Tracker:
        """One made of the same parts that has no target yet.

        Each may be used by a thread of its own: what they share, the frozen network above all, keeps nothing
        of a frame.
        """
        ...

    def close(self) -> None:
        """End learning; the tracker is of no further use."""
        ...


def visible_target(box: BoundingBox, frame: Frame) -> BoundingBox:
    """The part of a box that lies in the image, if that is enough to be a target.

    Raises:
        BoxError: if it isn't.
    """
    visible = box.clipped(frame.width, frame.height)
    if min(visible.w, visible.h) < MIN_SIDE_PX:
        raise BoxError(
            f"a target must have at least {MIN_SIDE_PX} pixels a side inside the image, "
            f"got {visible.w:g} x {visible.h:g}"
        )
    return visible


class Clock:
    """Seconds between laps, by name."""

    def __init__(self) -> None:
        self.laps_s: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """The time since the last lap, or since the start, is that one's."""
        now = time.perf_counter()
        self.laps_s[name] = now - self._last
        self._last = now
