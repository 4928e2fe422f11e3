"""Who hears what becomes of the target."""

from __future__ import annotations

from typing import Protocol

from recip_tracker_core.types import TrackResult

from .frame_buffer import Recent
from .joining import Target
from .requests import Choice
from .state import State


class Listener(Protocol):
    """What happens to the target, as it happens."""

    def announced(self, state: State, reason: str, stamp_ns: int) -> None:
        """A new state, and the image that caused it."""
        ...

    def refused(self, reason: str, error: Exception | None, stamp_ns: int) -> None:
        """Something that was asked for cannot be had."""
        ...

    def understood(self, recent: Recent, choice: Choice, target: Target) -> None:
        """What a request meant on its frame."""
        ...

    def answered(self, recent: Recent, result: TrackResult, target: Target) -> None:
        """The target's place in a frame of the stream."""
        ...
