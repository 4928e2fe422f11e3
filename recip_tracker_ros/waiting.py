"""Requests that cannot be begun yet: their image has not come, or another target is being learned."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .frame_buffer import FrameBuffer, NotYetError, Recent
from .requests import Request

WAIT_S = 1.0  # for the image of a stamp that is ahead


@dataclass(frozen=True, eq=False, slots=True)
class Turn:
    """A request whose image is there.

    Attributes:
        request: that was made.
        start: the frame that it means.
        target_id: of its target.
    """

    request: Request
    start: Recent
    target_id: str


class Waiting:
    """Requests in the order in which they were made, those for an image apart from those for their turn.

    Args:
        buffer: where images arrive.
    """

    def __init__(self, buffer: FrameBuffer) -> None:
        self._buffer = buffer
        self._unseen: list[tuple[Request, float]] = []  # each waits for its image, until then
        self._turns: dict[str, Turn] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the targets whose turn has yet to come."""
        return tuple(self._turns)

    def image_of(self, request: Request) -> Recent | None:
        """The frame that is meant, or None when it has yet to arrive.

        Raises:
            StampError: if it is not going to.
        """
        try:
            if request.stamp_ns:
                return self._buffer.at(request.stamp_ns)
            return self._buffer.newest(time.monotonic())
        except NotYetError:
            return None

    def for_image(self, request: Request) -> None:
        """One more waits for its image."""
        until_s = time.monotonic() + WAIT_S if request.stamp_ns else float("inf")
        self._unseen.append((request, until_s))

    def drop_unseen(self, is_meant: Callable[[str], bool]) -> None:
        """Forget those that wait for an image and ask for such an id."""
        self._unseen = [one for one in self._unseen if not is_meant(one[0].target_id)]

    def look_again(self, is_decided: Callable[[Request], bool]) -> None:
        """An image has come: those that are decided by it wait for none any more."""
        self._unseen = [one for one in self._unseen if not is_decided(one[0])]

    def overdue(self, now_s: float) -> list[Request]:
        """Those whose image has not come in time; they are forgotten."""
        late = [request for request, until_s in self._unseen if now_s > until_s]
        self._unseen = [one for one in self._unseen if now_s <= one[1]]
        return late

    def line_up(self, turn: Turn) -> None:
        """One more waits for its turn, or one instead of that with the same id."""
        self._turns.pop(turn.target_id, None)
        self._turns[turn.target_id] = turn

    def next_turn(self) -> Turn | None:
        """The first in line, which waits no more."""
        return self._turns.pop(next(iter(self._turns))) if self._turns else None

    def drop_turn(self, target_id: str) -> None:
        """Forget the one that asks for that id, if there is one."""
        self._turns.pop(target_id, None)

    def drop_last(self) -> bool:
        """Forget the last one; whether there was one."""
        if self._unseen:
            self._unseen.pop()
        elif self._turns:
            self._turns.popitem()
        else:
            return False
        return True

    def clear(self) -> None:
        """Forget all."""
        self._unseen.clear()
        self._turns.clear()
