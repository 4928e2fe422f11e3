"""What has been seen of the target: samples of the first frame and of recent tracked frames."""

from __future__ import annotations

from collections import deque

from torch import Tensor


class SampleMemory:
    """Bounded store of samples; the first frame's stay for as long as the target does.

    Args:
        long_frames: frames whose positives are kept.
        short_frames: frames whose negatives are kept, and whose positives count as recent.
    """

    def __init__(self, long_frames: int, short_frames: int) -> None:
        self._first: tuple[Tensor, Tensor] | None = None
        self._positives: deque[Tensor] = deque(maxlen=long_frames)
        self._negatives: deque[Tensor] = deque(maxlen=short_frames)
        self._short_frames = short_frames

    def restart(self, positives: Tensor, negatives: Tensor) -> None:
        """Forget everything and begin with the samples of a first frame: (N, C, grid, grid) each."""
        self._first = (positives, negatives)
        self._positives.clear()
        self._negatives.clear()

    def add(self, positives: Tensor, negatives: Tensor) -> None:
        """Remember the samples of one tracked frame: (N, C, grid, grid) each."""
        self._positives.append(positives)
        self._negatives.append(negatives)

    def long_term(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """All positives, and the recent negatives."""
        return self._with_first(tuple(self._positives), tuple(self._negatives))

    def short_term(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Recent positives and negatives."""
        return self._with_first(tuple(self._positives)[-self._short_frames :], tuple(self._negatives))

    def _with_first(
        self, positives: tuple[Tensor, ...], negatives: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        if self._first is None:
            return positives, negatives
        return (self._first[0], *positives), (self._first[1], *negatives)
