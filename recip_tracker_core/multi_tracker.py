"""Several targets in one stream."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from .crops import Crop
from .errors import ConfigError, NotInitialisedError
from .observing import Look, Wanted
from .shared_looks import grouped, window
from .stories import told_together
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
    lost = {index: waited for index, tracker in enumerate(trackers) if (waited := tracker.waited) is not None}
    passed_over = lost.keys() - {max(lost, key=lambda index: lost[index])} if lost else set()
    results = _seen_together(trackers, frame)
    for index, tracker in enumerate(trackers):
        if index not in results:
            results[index] = tracker.passed_over(frame) if index in passed_over else tracker.update(frame)
    return [results[index] for index in range(len(trackers))]


def _seen_together(trackers: Sequence[Tracker], frame: Frame) -> dict[int, TrackResult]:
    """The results of those who can share a look, by their numbers."""
    wanted = {index: look for index, tracker in enumerate(trackers) if (look := tracker.wanted(frame))}
    numbers, crops = list(wanted), [look.crop for look in wanted.values()]
    results: dict[int, TrackResult] = {}
    for group in grouped(crops):
        members = [numbers[one] for one in group.members]
        if len(members) > 1:
            sharing = [wanted[index] for index in members]
            results |= zip(members, _seen_at_once(sharing, group.crop, frame), strict=True)
    return results


def _seen_at_once(wanted: Sequence[Wanted], crop: Crop, frame: Frame) -> list[TrackResult]:
    """The results of those whose looks a crop stands for."""
    began_s = time.perf_counter()
    with wanted[0].lane.entered():
        look = Look.at(crop, frame, wanted[0].source)
        looks = [window(look, one.crop) for one in wanted]
        share_s = (time.perf_counter() - began_s) / len(wanted)
        results = told_together([one.story(look) for one, look in zip(wanted, looks, strict=True)])
    return [_with_share(result, share_s) for result in results]


def _with_share(result: TrackResult, share_s: float) -> TrackResult:
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
