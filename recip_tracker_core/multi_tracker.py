"""Several targets in one stream."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from .errors import ConfigError, NotInitialisedError
from .observing import Look, Wanted
from .shared_looks import grouped, window
from .tracker import Tracker
from .types import BoundingBox, Frame, TrackResult


def updated_together(trackers: Sequence[Tracker], frame: Frame) -> list[TrackResult]:
    """Find the target of each tracker in the next frame; near ones of about one size share a look at it.

    Of several that are lost one is looked for, in turn: searches must not cost the others their frames.

    Args:
        trackers: each with a target; ``another()`` of one and the same.
        frame: the next one for all of them.

    Returns:
        The results, in the trackers' order; what a shared look took is divided among those who share it.

    Raises:
        NotInitialisedError: if one has no target.
    """
    wanted = {index: look for index, tracker in enumerate(trackers) if (look := tracker.wanted(frame))}
    given = _shared(wanted, frame)
    lost = {index: waited for index, tracker in enumerate(trackers) if (waited := tracker.waited) is not None}
    passed_over = lost.keys() - {max(lost, key=lambda index: lost[index])} if lost else set()
    return [
        tracker.passed_over(frame)
        if index in passed_over
        else _updated(tracker, frame, *given.get(index, ()))
        for index, tracker in enumerate(trackers)
    ]


def _shared(wanted: dict[int, Wanted], frame: Frame) -> dict[int, tuple[Look, float]]:
    """The looks of those who can share one, and each one's share of the time, seconds."""
    looks: dict[int, tuple[Look, float]] = {}
    numbers, crops = list(wanted), [look.crop for look in wanted.values()]
    for group in grouped(crops):
        if len(group.members) == 1:
            continue  # it looks for itself
        began_s = time.perf_counter()
        all_see = Look.at(group.crop, frame, wanted[numbers[group.members[0]]].source)
        share_s = (time.perf_counter() - began_s) / len(group.members)
        looks |= {numbers[one]: (window(all_see, crops[one]), share_s) for one in group.members}
    return looks


def _updated(tracker: Tracker, frame: Frame, look: Look | None = None, share_s: float = 0.0) -> TrackResult:
    result = tracker.update(frame, look)
    if look is None:
        return result
    features_s = result.timings_s["features"] + share_s
    return replace(result, timings_s={**result.timings_s, "features": features_s})


class MultiTracker:
    """Follows several targets by name.

    Args:
        blank: a tracker without a target, which is closed with this; each target's is another one of it.
        most: how many targets there may be.
    """

    def __init__(self, blank: Tracker, most: int) -> None:
        self._blank, self._most = blank, most
        self._trackers: dict[str, Tracker] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the targets, in the order in which they were added."""
        return tuple(self._trackers)

    def add(self, name: str, frame: Frame, box: BoundingBox) -> TrackResult:
        """Learn one more target, or anew the one of that name, from one frame; see ``Tracker.init``.

        When it raises, all is as it was.

        Raises:
            ConfigError: if there are as many as there may be.
            BoxError, LearningError: as of ``Tracker.init``.
        """
        if name not in self._trackers and len(self._trackers) >= self._most:
            raise ConfigError(
                f"target '{name}' is one too many: at most {self._most} are followed, "
                f"which are now {list(self._trackers)}; remove one first"
            )
        tracker = self._blank.another()
        try:
            result = tracker.init(frame, box)
        except Exception:
            tracker.close()
            raise
        old = self._trackers.get(name)
        self._trackers[name] = tracker
        if old is not None:
            old.close()
        return result

    def remove(self, name: str) -> None:
        """Follow that target no more.

        Raises:
            NotInitialisedError: if there is none of that name.
        """
        if name not in self._trackers:
            raise NotInitialisedError(f"there is no target '{name}': there are {list(self._trackers)}")
        self._trackers.pop(name).close()

    def update(self, frame: Frame) -> dict[str, TrackResult]:
        """Find every target in the next frame, by name."""
        results = updated_together(tuple(self._trackers.values()), frame)
        return dict(zip(self._trackers, results, strict=True))

    def close(self) -> None:
        """End learning; the tracker is of no further use."""
        for tracker in (*self._trackers.values(), self._blank):
            tracker.close()
        self._trackers.clear()
