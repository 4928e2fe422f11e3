"""Which targets are followed, and how that changes: asked for, learned, undone, paused, frozen, forgotten.

Everything here runs in the executor's thread; what the one that joins has to tell waits until
:meth:`Following.work_off`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from recip_tracker_core.build import retune
from recip_tracker_core.config import TrackerConfig
from recip_tracker_core.errors import NotInitialisedError, RecipTrackerError
from recip_tracker_core.multi_tracker import updated_together
from recip_tracker_core.tracker import Tracker

from .frame_buffer import FrameBuffer, Recent
from .joining import Failed, Joined, Joining, Joinings, Understood
from .listener import Listener
from .requests import DEFAULT_CLASS, Request
from .state import State
from .targets import Answer, Target, Targets, told
from .waiting import WAIT_S, Turn, Waiting


class Following:
    """The targets of a stream: all are followed, and one at a time is learned.

    One that is learned anew is followed as it was until it is known anew. Where only one may be followed it
    rests while another is learned, and goes on if that fails.

    Args:
        blank: a tracker that is never given a target; each target's is another one of it.
        buffer: of the recent frames.
        listener: told in the executor's thread.
        wake: makes the executor call :meth:`work_off`; called from any thread.
        most: how many targets may be followed at once.
    """

    def __init__(
        self, blank: Tracker, buffer: FrameBuffer, listener: Listener, wake: Callable[[], None], most: int = 1
    ) -> None:
        self._blank, self._buffer, self._listener = blank, buffer, listener
        self._waiting, self._joinings = Waiting(buffer), Joinings(buffer, wake)
        self._last: Recent | None = None  # that targets were looked for in
        self.targets = Targets(most)
        self.is_paused = False
        self.is_frozen = False

    @property
    def target(self) -> Target | None:
        """Of those that are followed, the one that was given last."""
        return self.targets.current

    @property
    def current(self) -> Target | None:
        """The same, or the one that is being learned."""
        return self._joining.target if self._joining is not None else self.target

    @property
    def is_joining(self) -> bool:
        """Whether a target is being learned, or catching up."""
        return self._joining is not None

    @property
    def _joining(self) -> Joining | None:
        return self._joinings.present

    def retune(self, config: TrackerConfig) -> None:
        """Change what may change while tracking."""
        for tracker in (self._blank, *self._trackers()):
            retune(tracker, config)

    def _trackers(self) -> list[Tracker]:
        """Of all targets that there are, or may be again."""
        joining = () if self._joining is None else (self._joining.target,)
        return [target.tracker for target in (*self.targets.kept, *joining)]

    def _coming(self) -> tuple[str, ...]:
        """The ids of those that are going to be followed."""
        joining = () if self._joining is None else (self._joining.target.target_id,)
        return (*joining, *self._waiting.ids)

    # Frames

    def see(self, recent: Recent) -> bool:
        """One more frame has arrived; whether targets were looked for in it."""
        self._waiting.look_again(self._is_decided)
        rests = self.targets.is_single and self.is_joining
        if rests or self.is_paused or not self.targets:
            return False
        followed = tuple(self.targets)
        results = updated_together([target.tracker for target in followed], recent.frame)
        self._answer(recent, list(zip(followed, results, strict=True)))
        return True

    def _answer(self, recent: Recent, answers: list[Answer]) -> None:
        self._last = recent
        self._listener.answered(recent, answers)

    # Requests

    def ask(self, request: Request) -> None:
        """Follow one more target from now on, or one in the place of another; the answer is announced."""
        self._waiting.drop_unseen(lambda other: self.targets.share_a_place(other, request.target_id))
        if not self._is_decided(request):
            self._waiting.for_image(request)
            which = "the image of its stamp" if request.stamp_ns else "the next image"
            self._listener.announced(State.INITIALISING, f"waiting for {which}", 0)

    def _is_decided(self, request: Request) -> bool:
        """Whether a request has just been accepted or refused; else its image has yet to arrive."""
        try:
            start = self._waiting.image_of(request)
            if start is None:
                return False
            request.check(start.frame, start.header.frame_id)
            self.targets.check_room(request.target_id, self._coming())
        except RecipTrackerError as error:
            self._refuse(f"init refused: {error}", error, request.stamp_ns)
        else:
            self.is_paused = False
            self._accept(Turn(request, start, self.targets.named(request.target_id)))
        return True

    def tick(self, now_s: float) -> None:
        """Time passes: an image that does not come is waited for no longer."""
        for request in self._waiting.overdue(now_s):
            reason = f"init refused: its stamp is ahead of all images that came within {WAIT_S:g} s"
            self._refuse(reason, None, request.stamp_ns)

    def _refuse(self, reason: str, error: Exception | None, stamp_ns: int) -> None:
        self._listener.refused(reason, error, stamp_ns)
        if self.is_paused:  # no frame is going to say so
            self._listener.announced(State.PAUSED, "paused", 0)

    def _accept(self, turn: Turn) -> None:
        joining = self._joining.target.target_id if self._joining is not None else ""
        if not joining or self.targets.share_a_place(joining, turn.target_id):
            self._learn(turn)
            return
        self._waiting.line_up(turn)
        reason = f"accepted: target '{turn.target_id}' waits until '{joining}' is learned"
        self._listener.announced(State.INITIALISING, reason, turn.start.stamp_ns)

    def _learn(self, turn: Turn) -> None:
        target = self._made(self._blank.another(), turn.target_id, turn.request.class_id)
        self._joinings.begin(target, turn.start, turn.request)

    def _made(self, tracker: Tracker, target_id: str, class_id: str) -> Target:
        tracker.learns = not self.is_frozen
        return Target(tracker, target_id, class_id)

    def work_off(self) -> None:
        """Hear what the thread that joins has told."""
        for event in self._joinings.news():
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
        what = "init refused" if is_new else "catching up failed"
        self._refuse(f"{what}: {event.error}", event.error, event.joining.start.stamp_ns)
        if is_new:  # what is known already goes on with the next image
            self._go_on()

    def _joined(self, event: Joined) -> None:
        if event.joining.request is not None:
            self.targets.put(event.joining.target)
        self._last = event.recent
        try:
            self._answer_first(event)
        finally:  # whatever becomes of that
            self._take_turn()

    def _answer_first(self, event: Joined) -> None:
        newest = self._buffer.newest(time.monotonic())
        if self.is_paused:
            self._listener.announced(State.PAUSED, "paused", 0)
        elif len(self.targets) > 1:
            return  # that frame has been answered for the others; the next one is for all
        elif newest is not None and newest.serial > event.recent.serial:  # it arrived meanwhile
            self.see(newest)
        elif event.result is not None:
            self._answer(event.recent, [(event.joining.target, event.result)])

    def _take_turn(self) -> None:
        turn = None if self.is_joining else self._waiting.next_turn()
        if turn is not None:
            self._learn(turn)

    def _go_on(self) -> None:
        """After what came to nothing: the next in line is learned, or a target that has rested catches up."""
        self._take_turn()
        rests = self.targets.is_single and not self.is_joining and not self.is_paused
        if rests and self.target is not None and self._last is not None:
            self._joinings.begin(self.target, self._last, None)

    # Services: each returns what it has done, or raises what cannot be done.

    def reset(self) -> str:
        """Forget every target."""
        self.withdraw()
        self.targets.clear()
        self._last = None
        self.is_paused = False
        return "forgotten"

    def withdraw(self) -> None:
        """Forget all requests that are under way; nothing runs in another thread any more."""
        self._waiting.clear()
        self._joinings.cancel()

    def undo(self) -> str:
        """Withdraw the last request where it is under way, or go back to how it was before that.

        Raises:
            NotInitialisedError: if that is not known.
        """
        if self._waiting.drop_last():
            return "the request is withdrawn"
        if self._joining is not None and self._joining.request is not None:
            self._joinings.cancel()
            self._go_on()
            return "the request is withdrawn"
        if not self.targets.has_before:
            raise NotInitialisedError("there is no target from before")
        self._joinings.cancel()
        self.targets.undo()
        return f"back to how it was: {told(self.targets.ids)} followed"

    def remove(self, target_id: str) -> str:
        """Follow that target no more, nor learn it.

        Raises:
            NotInitialisedError: if there is none of that id.
        """
        present = dict.fromkeys((*self.targets.ids, *self._coming()))
        if target_id not in present:
            raise NotInitialisedError(f"there is no target '{target_id}': {told(present)} followed")
        self._waiting.drop_unseen(lambda other: other == target_id)
        self._waiting.drop_turn(target_id)
        is_joining = self._joining is not None and self._joining.target.target_id == target_id
        if is_joining:
            self._joinings.cancel()
        self.targets.remove(target_id)
        if is_joining:
            self._go_on()
        return f"target '{target_id}' is followed no more"

    def pause(self, is_paused: bool) -> str:
        """Look for the targets no more, or again."""
        self.is_paused = is_paused
        return "paused" if is_paused else "goes on"

    def freeze(self, is_frozen: bool) -> str:
        """Learn no more, or again; the targets are followed all the same."""
        self.is_frozen = is_frozen
        for tracker in self._trackers():
            tracker.learns = not is_frozen
        return "learns no more" if is_frozen else "learns"

    def save(self, path: Path) -> str:
        """Write what is known of the target that was given last.

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
            RecipTrackerError: if there is no image yet, no room, or the file is not usable.
        """
        newest = self._buffer.newest(time.monotonic())
        if newest is None:
            raise NotInitialisedError("no image has arrived in which it could be looked for")
        self.targets.check_room("", self._coming())
        tracker = self._blank.another()
        try:
            result = tracker.load(path, newest.frame)
        except RecipTrackerError:
            tracker.close()
            raise
        if self.targets.is_single:  # in the place of whatever is asked for
            self.withdraw()
        self.is_paused = False
        target = self._made(tracker, self.targets.named(""), DEFAULT_CLASS)
        self.targets.put(target)
        if len(self.targets) == 1:  # else that frame has been answered for the others
            self._answer(newest, [(target, result)])
        return f"target '{target.target_id}' is from '{path}'"

    def close(self) -> None:
        """End all threads."""
        self.reset()
        self._joinings.wait()
        self._blank.close()
