"""What has been seen of the target: samples of the first frame and of recent tracked frames."""

from __future__ import annotations

from collections import deque

from .features import Batch


class SampleMemory:
    """Bounded store of samples; the first frame's stay for as long as the target does.

    Args:
        long_frames: frames whose positives are kept.
        short_frames: frames whose negatives are kept, and whose positives count as recent.
    """

    def __init__(self, long_frames: int, short_frames: int) -> None:
        self._first: tuple[Batch, Batch] | None = None
        self._positives: deque[Batch] = deque(maxlen=long_frames)
        self._negatives: deque[Batch] = deque(maxlen=short_frames)
        self._long_frames, self._short_frames = long_frames, short_frames

    def another(self) -> SampleMemory:
        """An empty one with the same bounds."""
        return SampleMemory(self._long_frames, self._short_frames)

    def restart(self, positives: Batch, negatives: Batch) -> None:
        """Forget everything and begin with the samples of a first frame."""
        self._first = (positives, negatives)
        self._positives.clear()
        self._negatives.clear()

    def restore(self, positives: tuple[Batch, ...], negatives: tuple[Batch, ...]) -> None:
        """Forget everything and hold what :meth:`long_term` gave, the oldest left out beyond the bounds."""
        self.restart(positives[0], negatives[0])
        self._positives.extend(positives[1:])
        self._negatives.extend(negatives[1:])

    def add(self, positives: Batch, negatives: Batch) -> None:
        """Remember the samples of one tracked frame."""
        self._positives.append(positives)
        self._negatives.append(negatives)

    def long_term(self) -> tuple[tuple[Batch, ...], tuple[Batch, ...]]:
        """All positives, and the recent negatives."""
        return self._with_first(tuple(self._positives), tuple(self._negatives))

    def short_term(self) -> tuple[tuple[Batch, ...], tuple[Batch, ...]]:
        """Recent positives and negatives."""
        return self._with_first(tuple(self._positives)[-self._short_frames :], tuple(self._negatives))

    def _with_first(
        self, positives: tuple[Batch, ...], negatives: tuple[Batch, ...]
    ) -> tuple[tuple[Batch, ...], tuple[Batch, ...]]:
        if self._first is None:
            return positives, negatives
        return (self._first[0], *positives), (self._first[1], *negatives)
