"""Which target is followed, and how it changes: asked for, learned, undone, paused, frozen, forgotten.

Everything here runs in the executor's thread; what :class:`~.joining.Joining` has to tell from its own
waits in a queue until :meth:`Following.work_off`.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable
from pathlib import Path

from recip_tracker_core.build import retune
from recip_tracker_core.config import TrackerConfig
from recip_tracker_core.errors import NotInitialisedError, RecipTrackerError
from recip_tracker_core.tracker import Tracker
from recip_tracker_core.types import TrackResult

from .frame_buffer import FrameBuffer, NotYetError, Recent
from .joining import Event, Failed, Joined, Joining, Target, Understood
from .listener import Listener
from .requests import DEFAULT_CLASS, Request
from .state import State

WAIT_S = 1.0  # for the image of a stamp that is ahead


class Following:
    """One target and, while a new one is being learned, nothing: the old one goes on if that fails.

    Args:
        blank: a tracker that is never given a target; each target's is another one of it.
        buffer: of the recent frames.
        listener: told in the executor's thread.
        wake: makes the executor call :meth:`work_off`; called from any thread.
    """

    def __init__(
        self, blank: Tracker, buffer: FrameBuffer, listener: Listener, wake: Callable[[], None]
    ) -> None:
        self._blank, self._buffer, self._listener, self._wake = blank, buffer, listener, wake
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._joining: Joining | None = None
        self._ending: list[Joining] = []
        self._waiting: tuple[Request, float] | None = None  # for its image, until then
        self._previous: Target | None = None
        self._last: Recent | None = None  # that the target was looked for in
        self._count = 0
        self._names: set[str] = set()  # that targets have had
        self.target: Target | None = None
        self.is_paused = False
        self.is_frozen = False

    @property
    def current(self) -> Target | None:
        """The target that is followed, or is being learned to be."""
        return self._joining.target if self._joining is not None else self.target

    @property
    def is_joining(self) -> bool:
        """Whether a target is being learned, or catching up."""
        return self._joining is not None

    def retune(self, config: TrackerConfig) -> None:
        """Change what may change while tracking."""
        targets = (self.target, self._previous, self._joining and self._joining.target)
        for tracker in (self._blank, *(target.tracker for target in targets if target)):
            retune(tracker, config)

    # Frames

    def see(self, recent: Recent) -> bool:
        """One more frame has arrived; whether the target was looked for in it."""
        if self._waiting is not None:
            self.ask(self._waiting[0])
        if self._joining is not None or self.is_paused or self.target is None:
            return False
        self._answer(recent, self.target.tracker.update(recent.frame))
        return True

    def _answer(self, recent: Recent, result: TrackResult) -> None:
        assert self.target is not None
        self._last = recent
        self._listener.answered(recent, result, self.target)

    # Requests

    def ask(self, request: Request) -> None:
        """Follow another target from now on; the answer is announced."""
        try:
            start = self._start_of(request)
            if start is None:
                return
            request.check(start.frame, start.header.frame_id)
        except RecipTrackerError as error:
            self._waiting = None
            self._refuse(f"init refused: {error}", error, request.stamp_ns)
            return
        self._waiting, self.is_paused = None, False
        name = self._named(request.target_id)
        self._join(Target(self._blank.another(), name, request.class_id), start, request)

    def _named(self, wanted: str) -> str:
        """The id that is asked for, or the next number that none has had."""
        while not wanted:
            self._count += 1
            wanted = "" if str(self._count) in self._names else str(self._count)
        self._names.add(wanted)
        return wanted

    def _start_of(self, request: Request) -> Recent | None:
        """The frame that is meant, or None when it has yet to arrive."""
        now_s = time.monotonic()
        try:
            start = self._buffer.at(request.stamp_ns) if request.stamp_ns else self._buffer.newest(now_s)
        except NotYetError:
            start = None
        if start is None:
            if self._waiting is not None and self._waiting[0] is request:
                return None
            self._waiting = request, now_s + WAIT_S if request.stamp_ns else float("inf")
            which = "the image of its stamp" if request.stamp_ns else "the next image"
            self._listener.announced(State.INITIALISING, f"waiting for {which}", 0)
        return start

    def tick(self, now_s: float) -> None:
        """Time passes: an image that does not come is waited for no longer."""
        if self._waiting is not None and now_s > self._waiting[1]:
            (request, _), self._waiting = self._waiting, None
            reason = f"init refused: its stamp is ahead of all images that came within {WAIT_S:g} s"
            self._refuse(reason, None, request.stamp_ns)

    def _refuse(self, reason: str, error: Exception | None, stamp_ns: int) -> None:
        self._listener.refused(reason, error, stamp_ns)
        if self.is_paused:  # no frame is going to say so
            self._listener.announced(State.PAUSED, "paused", 0)

    def _join(self, target: Target, start: Recent, request: Request | None) -> None:
        self._cancel()
        target.tracker.learns = not self.is_frozen
        self._joining = Joining(target, start, request, self._buffer, self._told)

    def _told(self, event: Event) -> None:
        self._events.put(event)
        with contextlib.suppress(Exception):  # the node is no more
            self._wake()

    def _cancel(self) -> None:
        if self._joining is not None:
            self._joining.cancel()
            self._ending = [one for one in (*self._ending, self._joining) if one.is_running]
            self._joining = None

    def work_off(self) -> None:
        """Hear what the thread that joins has told."""
        for _ in range(self._events.qsize()):  # what comes meanwhile has woken the executor again
            event = self._events.get()
            if event.joining is not self._joining:
                continue  # it was cancelled
            if isinstance(event, Understood):
                self._understood(event)
            elif isinstance(event, Failed):
                self._failed(event)
            else:
                self._joined(event)

    def _understood(self, event: Understood) -> None:
        recent, choice = event.joining.start, event.choice
        box, note = choice.box, choice.note and f" ({choice.note})"
        where = f"{box.x:g},{box.y:g},{box.w:g},{box.h:g}"
        reason = f"accepted: learning the target at {where}{note}"
        if not self.is_paused:
            self._listener.announced(State.INITIALISING, reason, recent.stamp_ns)
        self._listener.understood(recent, choice, event.joining.target)

    def _failed(self, event: Failed) -> None:
        is_new = event.joining.request is not None
        self._cancel()
        what = "init refused" if is_new else "catching up failed"
        self._refuse(f"{what}: {event.error}", event.error, event.joining.start.stamp_ns)
        if is_new:  # what is known already goes on with the next image
            self._resume()

    def _joined(self, event: Joined) -> None:
        self._joining = None
        if event.joining.request is not None:
            self._replace(event.joining.target)
        self._last = event.recent
        newest = self._buffer.newest(time.monotonic())
        if self.is_paused:
            self._listener.announced(State.PAUSED, "paused", 0)
        elif newest is not None and newest.serial > event.recent.serial:  # it arrived meanwhile
            self.see(newest)
        elif event.result is not None:
            self._answer(event.recent, event.result)

    def _replace(self, target: Target) -> None:
        if self._previous is not None:
            self._previous.tracker.close()
        self._previous, self.target = self.target, target
        target.tracker.learns = not self.is_frozen

    def _resume(self) -> None:
        """The target from before goes on, through the frames that it has not been looked for in."""
        if self.target is not None and self._last is not None and not self.is_paused:
            self._join(self.target, self._last, None)

    # Services: each returns what it has done, or raises what cannot be done.

    def reset(self) -> str:
        """Forget every target."""
        self.withdraw()
        for target in (self.target, self._previous):
            if target is not None:
                target.tracker.close()
        self.target = self._previous = self._last = None
        self.is_paused = False
        return "forgotten"

    def withdraw(self) -> None:
        """Forget a request that is under way; nothing runs in another thread any more."""
        self._waiting = None
        self._cancel()

    def undo(self) -> str:
        """Back to the target from before the last request.

        Raises:
            NotInitialisedError: if there is none.
        """
        is_new = self._joining is not None and self._joining.request is not None
        if is_new or self._waiting is not None:
            self.withdraw()
            self._resume()
            return "the request is withdrawn"
        if self._previous is None or self.target is None:
            raise NotInitialisedError("there is no target from before")
        self._cancel()
        self.target.tracker.close()
        self.target, self._previous = self._previous, None
        self.target.tracker.learns = not self.is_frozen
        return f"back to target '{self.target.target_id}'"

    def pause(self, is_paused: bool) -> str:
        """Look for the target no more, or again."""
        self.is_paused = is_paused
        return "paused" if is_paused else "goes on"

    def freeze(self, is_frozen: bool) -> str:
        """Learn no more, or again; the target is followed all the same."""
        self.is_frozen = is_frozen
        for target in (self.target, self.current):
            if target is not None:
                target.tracker.learns = not is_frozen
        return "learns no more" if is_frozen else "learns"

    def save(self, path: Path) -> str:
        """Write what is known of the target.

        Raises:
            RecipTrackerError: if there is no target, or the file cannot be written.
        """
        if self.target is None:
            raise NotInitialisedError("there is no target to save")
        self.target.tracker.save(path)
        return f"target '{self.target.target_id}' is in '{path}'"

    def load(self, path: Path) -> str:
        """Follow the target of a file from now on; it is looked for everywhere.

        Raises:
            RecipTrackerError: if there is no image yet, or the file is not usable.
        """
        newest = self._buffer.newest(time.monotonic())
        if newest is None:
            raise NotInitialisedError("no image has arrived in which it could be looked for")
        tracker = self._blank.another()
        try:
            result = tracker.load(path, newest.frame)
        except RecipTrackerError:
            tracker.close()
            raise
        self.withdraw()
        self.is_paused = False
        name = self._named("")
        self._replace(Target(tracker, name, DEFAULT_CLASS))
        self._answer(newest, result)
        return f"target '{name}' is from '{path}'"

    def close(self) -> None:
        """End all threads."""
        self.reset()
        for joining in self._ending:
            joining.wait()
        self._blank.close()
