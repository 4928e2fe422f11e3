"""Who hears what becomes of the targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .frame_buffer import Recent
from .requests import Choice
from .state import State
from .targets import Answer, Target


class Listener(Protocol):
    """What happens to the targets, as it happens."""

    def announced(self, state: State, reason: str, stamp_ns: int) -> None:
        """A new state, and the image that caused it."""
        ...

    def refused(self, reason: str, error: Exception | None, stamp_ns: int) -> None:
        """Something that was asked for cannot be had."""
        ...

    def understood(self, recent: Recent, choice: Choice, target: Target) -> None:
        """What a request meant on its frame."""
        ...

    def answered(self, recent: Recent, answers: Sequence[Answer]) -> None:
        """The places of all targets in a frame of the stream, the current one's last."""
        ...
