"""Several targets in one stream."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import ConfigError, NotInitialisedError
from .tracker import Tracker
from .types import BoundingBox, Frame, TrackResult


def updated_together(trackers: Sequence[Tracker], frame: Frame) -> list[TrackResult]:
    """Find the target of each tracker in the next frame.

    Args:
        trackers: each with a target; ``another()`` of one and the same.
        frame: the next one for all of them.

    Returns:
        The results, in the trackers' order.

    Raises:
        NotInitialisedError: if one has no target.
    """
    return [tracker.update(frame) for tracker in trackers]


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
