"""What is said of the targets as things happen to them: on the topics, on ``~/status`` and in the log."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from rclpy.lifecycle import LifecycleNode

from recip_tracker_core.types import TrackResult
from recip_tracker_core.updater import UpdateStatistics

from .announcing import Announcer
from .following import Following
from .frame_buffer import Recent
from .outputs import Outputs
from .requests import Choice
from .state import State, Status
from .targets import Answer, Target

IMAGE_REFUSED = "image refused"


class Reporter:
    """Listens to :class:`~.following.Following`; see :class:`~.listener.Listener`.

    Attributes:
        following, outputs: those of the configured node.
        convert_s: what turning the present image into a frame took, seconds.
        answer_age_s: age of the answer to the present image, seconds, once it has been published.

    Args:
        node: that speaks.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._announcer = Announcer(node)
        self.following: Following | None = None
        self.outputs: Outputs | None = None
        self.convert_s = 0.0
        self.answer_age_s: float | None = None

    @property
    def last(self) -> Status:
        """What ``~/status`` says now."""
        return self._announcer.last or Status(State.IDLE)

    @property
    def statistics(self) -> UpdateStatistics:
        """Of the current target."""
        target = self.following and self.following.current
        return target.tracker.statistics if target else UpdateStatistics()

    @property
    def is_learning(self) -> bool:
        """Whether a target, or an update of it, is being learned."""
        following = self.following
        if following is None:
            return False
        return following.is_joining or any(target.tracker.is_learning for target in following.targets)

    def announced(self, state: State, reason: str = "", stamp_ns: int = 0) -> None:
        """A new state, and the image that caused it."""
        following = self.following
        target = following.current if following is not None else None
        version = target.record.model_version if target is not None else 0
        self._announcer.announce(
            Status(
                state=state,
                reason=reason,
                target_id=target.target_id if target is not None else "",
                model_version=version,
                updates=max(version - 1, 0),
                is_frozen=following is not None and following.is_frozen,
                targets=following.targets.ids if following is not None else (),
                stamp_ns=stamp_ns,
            )
        )

    def refused(self, reason: str, error: Exception | None = None, stamp_ns: int = 0) -> None:
        """Something that was asked for cannot be had."""
        self._announcer.explain(reason, error)
        self.announced(State.REFUSED, reason, stamp_ns)

    def understood(self, recent: Recent, choice: Choice, target: Target) -> None:
        """What a request meant on its frame."""
        assert self.outputs is not None
        self.outputs.show(recent, choice, target)

    def answered(self, recent: Recent, answers: Sequence[Answer]) -> None:
        """The targets' places in a frame of the stream; the state is the last one's, the current target's."""
        assert self.outputs is not None
        began_s = time.monotonic()
        *_, state = [target.record.noted(result) for target, result in answers]
        self.outputs.publish(recent, answers)
        self.answer_age_s = (self._node.get_clock().now().nanoseconds - recent.stamp_ns) / 1e9
        publish_s = time.monotonic() - began_s
        stages_s = _summed(result for _, result in answers)
        timings_s = {"convert": self.convert_s, **stages_s, "publish": publish_s}
        self.outputs.time(recent.header, state, timings_s, self.answer_age_s)
        *_, failure = [self._failed_update(target) for target, _ in answers]
        if self.following is None or not self.following.is_joining:  # else that is what there is to say
            self.announced(state, failure or answers[-1][1].reason, recent.stamp_ns)

    def waiting(self, what: str = "") -> None:
        """What is waited for now, and what has just been done."""
        following = self.following
        has_target = following is not None and following.current is not None
        wanted = "the next image" if has_target else "a target on ~/init"
        state = State.PAUSED if following is not None and following.is_paused else State.IDLE
        self.announced(state, f"{what}; waiting for {wanted}" if what else f"waiting for {wanted}")

    def done(self, what: str) -> None:
        """A service has done what was asked."""
        following = self.following
        target = following.current if following is not None and not following.is_paused else None
        is_same = target is not None and self.last.target_id == target.target_id
        if is_same and self.last.state not in (State.PAUSED, State.REFUSED):
            self.announced(self.last.state, what)
        else:
            self.waiting(what)

    def recovered(self) -> None:
        """After an image that was refused, one that is not: the refusal is over."""
        if not self.last.reason.startswith(IMAGE_REFUSED):
            return
        if self.following is not None and self.following.is_joining:
            self.announced(State.INITIALISING, "learning the target")
        else:
            self.waiting()

    def _failed_update(self, target: Target) -> str:
        """Why the last update failed, or nothing; logged once."""
        failure, record = target.tracker.statistics.failure, target.record
        if failure is not None and failure is not record.failure:
            self._node.get_logger().error(
                f"update failed: {failure}; the last good model of target '{target.target_id}' stays"
            )
        record.failure = failure
        return f"update failed: {failure}" if failure is not None else ""


def _summed(results: Iterable[TrackResult]) -> dict[str, float]:
    """Seconds by stage, of all targets together."""
    stages_s: dict[str, float] = {}
    for result in results:
        for stage, elapsed_s in result.timings_s.items():
            stages_s[stage] = stages_s.get(stage, 0.0) + elapsed_s
    return stages_s
