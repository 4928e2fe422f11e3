"""A target that is learned on one frame and brought up to the present, in a thread of its own."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recip_tracker_core.types import TrackResult

from .frame_buffer import FrameBuffer, Recent
from .requests import Choice, Request
from .targets import Target

# A step takes the target so much farther through the stream than the time it takes: a target that was
# given two seconds ago has caught up in one.
CATCH_UP_SPEED = 3.0


@dataclass(frozen=True, eq=False, slots=True)
class Understood:
    """What a request meant on its frame."""

    joining: Joining
    choice: Choice


@dataclass(frozen=True, eq=False, slots=True)
class Joined:
    """The target is known, and has been followed up to a frame that was the newest a moment ago.

    Attributes:
        joining: whose end this is.
        recent: that frame.
        result: of it; None where a known target had nothing to catch up with.
    """

    joining: Joining
    recent: Recent
    result: TrackResult | None


@dataclass(frozen=True, eq=False, slots=True)
class Failed:
    """It could not be learned."""

    joining: Joining
    error: Exception


Event = Understood | Joined | Failed


class Joining:
    """The thread.

    Args:
        target: whose tracker it uses until the end.
        start: the frame that it begins with.
        request: of a new target; None for one that is known and has only to catch up.
        buffer: of the frames since then.
        tell: gets each event, in this thread.
    """

    def __init__(
        self,
        target: Target,
        start: Recent,
        request: Request | None,
        buffer: FrameBuffer,
        tell: Callable[[Event], None],
    ) -> None:
        self.target, self.start, self.request = target, start, request
        self._buffer, self._tell = buffer, tell
        self._is_cancelled = False
        self._thread = threading.Thread(target=self._run, name="joining", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the thread has not ended yet."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """End soon, and tell nothing more that matters.

        A new target's tracker is closed; one that is known can be used again when this returns.
        """
        self._is_cancelled = True
        if self.request is not None:
            self.target.tracker.close()
        else:
            self.wait()

    def wait(self) -> None:
        """Until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._join()
        except Exception as error:  # told to those who can say so
            self._tell(Failed(self, error))

    def _join(self) -> None:
        recent, tracker = self.start, self.target.tracker
        result: TrackResult | None = None
        if self.request is not None:
            frame = recent.frame
            choice = self.request.chosen(frame)
            self._tell(Understood(self, choice))
            result = tracker.init(frame, choice.box)
        elapsed_s = 0.0
        while not self._is_cancelled and (step := self._buffer.after(recent, CATCH_UP_SPEED * elapsed_s)):
            recent, is_newest = step
            began = time.monotonic()
            result = tracker.update(recent.frame)
            elapsed_s = time.monotonic() - began
            if is_newest:  # any newer one is the executor's
                break
        self._tell(Joined(self, recent, result))


class Joinings:
    """One at a time; a new one puts an end to the one before. The executor's alone.

    Args:
        buffer: of the recent frames.
        wake: called from any thread when there is news.
    """

    def __init__(self, buffer: FrameBuffer, wake: Callable[[], None]) -> None:
        self._buffer, self._wake = buffer, wake
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._ending: list[Joining] = []
        self.present: Joining | None = None

    def begin(self, target: Target, start: Recent, request: Request | None) -> None:
        """Arguments as of :class:`Joining`."""
        self.cancel()
        self.present = Joining(target, start, request, self._buffer, self._told)

    def cancel(self) -> None:
        """See :meth:`Joining.cancel`."""
        if self.present is not None:
            self.present.cancel()
            self._ending = [one for one in (*self._ending, self.present) if one.is_running]
            self.present = None

    def news(self) -> Iterator[Event]:
        """What the present one has told; with its end it is present no more."""
        for _ in range(self._events.qsize()):  # what comes meanwhile has woken the executor again
            event = self._events.get()
            if event.joining is not self.present:
                continue  # it was cancelled
            if isinstance(event, Failed):
                self.cancel()
            elif isinstance(event, Joined):
                self.present = None
            yield event

    def wait(self) -> None:
        """Until all threads of those that were cancelled have ended."""
        for joining in self._ending:
            joining.wait()

    def _told(self, event: Event) -> None:
        self._events.put(event)
        with contextlib.suppress(Exception):  # the node is no more
            self._wake()
