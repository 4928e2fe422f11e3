"""The node: wiring and transitions. A frame callback is convert, keep, call one method.

Threads: everything runs in the executor's one thread (the default callback group is mutually
exclusive, so transitions never interleave with a frame) but for four things: updates, in the core's own
thread; a first fit and catching up, in :class:`~.joining.Joining`'s; the painting of attention, in
:class:`~.outputs.AttentionPublisher`'s; and the encoding of older frames, in that of the buffer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import Point, PointStamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Detection2D

from recip_tracker_core.build import build_tracker, warm_up
from recip_tracker_core.errors import FrameError, RecipTrackerError
from recip_tracker_core.updater import UpdateStatistics

from . import conversions, parameters
from .connections import newest, reliable, subscribed
from .following import Following
from .frame_buffer import FrameBuffer
from .health import Arrival
from .outputs import Outputs
from .reporting import IMAGE_REFUSED, Reporter
from .requests import Request
from .services import Services
from .state import State, Status
from .transitions import refuse_what_is_impossible
from .vitals import Vitals

TICK_S = 0.2
CUT_S = 1.0  # by which stamps go back where a stream begins again; less is an image out of order
IMAGE_TRANSPORTS = {"raw": (Image, ""), "compressed": (CompressedImage, "/compressed")}


@dataclass(frozen=True)
class Parts:
    """What configuring makes, and cleaning up releases."""

    buffer: FrameBuffer
    following: Following
    outputs: Outputs
    bridge: Any | None

    def close(self) -> None:
        """End the threads."""
        self.following.close()
        self.outputs.attention.close()
        self.buffer.close()


class TrackerNode(LifecycleNode):  # type: ignore[misc]
    """Follows the targets that it is given through the images of a camera; the README has its topics.

    Raises:
        ConfigError: when a parameter given at the start does not exist or may not have its value.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__("tracker", **kwargs)
        parameters.declare(self)
        _, self._own = parameters.read(self)
        self._parts: Parts | None = None
        self._camera: Subscription | None = None  # while active
        self._frames, self._stamp_ns = 0, 0  # of the last image
        self._is_image_refused = False
        # These exist in every lifecycle state, so that every request is answered.
        self._reporter = Reporter(self)
        self._vitals = Vitals(self, self._own.health, self._state)
        subscribed(self, Detection2D, "~/init", reliable(10), self._on_init)
        subscribed(self, Point, "~/init_click", reliable(10), self._on_click)
        subscribed(self, PointStamped, "~/init_point", reliable(10), self._on_point)
        Services(self, self._active, self._reporter.done, self._reporter.refused)
        self._wake = self.create_guard_condition(self._on_wake)
        self.create_timer(TICK_S, self._on_tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        backwards = JumpThreshold(
            min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False
        )
        self._jumps = self.get_clock().create_jump_callback(backwards, post_callback=self._on_jump)
        refuse_what_is_impossible(self)
        # The last, as entities declare parameters of their own.
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._apply_parameters)
        self._reporter.announced(State.IDLE, "not configured")

    @property
    def autostart(self) -> bool:
        """Whether the node is to configure and activate itself."""
        return self._own.autostart

    # Transitions. rclpy swallows what they raise, so each logs for itself.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the network before any image can arrive, and create the outputs."""
        try:
            config, self._own = parameters.read(self)
            blank = build_tracker(config)
            warm_up(blank)
            buffer = FrameBuffer(self._own.buffer.seconds, self._own.buffer.megabytes)
            following = Following(blank, buffer, self._reporter, self._wake.trigger, self._own.max_targets)
            outputs = Outputs(self, blank.maker, self._own)
        except Exception as error:
            self._reporter.refused(f"cannot configure: {error}", error)
            return TransitionCallbackReturn.FAILURE
        self._parts = Parts(buffer, following, outputs, conversions.load_bridge())
        self._reporter.following, self._reporter.outputs = following, outputs
        self._reporter.announced(State.IDLE, "configured, not active")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the camera's topic."""
        kind, transport = IMAGE_TRANSPORTS[self._own.image_transport]
        topic = self.resolve_topic_name("image") + transport  # a remapped image takes its transports with it
        try:
            self._camera = subscribed(self, kind, topic, newest(), self._on_image, self._vitals.incompatible)
        except Exception as error:
            self._reporter.refused(f"cannot activate: {error}", error)
            return TransitionCallbackReturn.FAILURE
        super().on_activate(state)
        self._vitals.begin(self._camera)
        self._is_image_refused = False
        self._reporter.waiting()
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the camera's topic; the targets are kept for the next activation, no request is."""
        self._close_camera()
        if self._parts is not None:
            self._parts.following.withdraw()
            self._parts.buffer.clear()
        self._reporter.announced(State.IDLE, "not active")
        return TransitionCallbackReturn(super().on_deactivate(state))

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the targets and release what configuring made."""
        self._release()
        self._reporter.announced(State.IDLE, "not configured")
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release what configuring made, from whatever state."""
        self._release()
        self._reporter.announced(State.IDLE, "shut down")
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured after a transition that failed half-way; what has been said of it stays."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    # Requests

    def _on_init(self, msg: Detection2D) -> None:
        self._ask(lambda: Request.of_detection(msg))

    def _on_click(self, msg: Point) -> None:
        self._ask(lambda: Request.of_point(msg, None, self._own.init.click_size_px))

    def _on_point(self, msg: PointStamped) -> None:
        self._ask(lambda: Request.of_point(msg.point, msg.header, self._own.init.click_size_px))

    def _ask(self, request: Callable[[], Request]) -> None:
        following = self._active()
        if following is None:
            self._reporter.refused("init refused: the node is not active")
            return
        with self._surviving("init refused"):
            following.ask(request())

    def _active(self) -> Following | None:
        return self._parts.following if self._parts is not None and self._camera is not None else None

    # Images

    def _on_image(self, msg: Image | CompressedImage) -> None:
        if not self.context.ok() or self._parts is None:  # told to stop while this image was on its way
            return
        reporter, stamp_ns = self._reporter, conversions.stamp_ns(msg.header)
        begun_s = time.monotonic()
        age_s = (self.get_clock().now().nanoseconds - stamp_ns) / 1e9
        reporter.answer_age_s = None
        was_refused, self._is_image_refused = self._is_image_refused, False
        try:
            self._look(msg, begun_s)
            if was_refused:
                reporter.recovered()
        except FrameError as error:
            self._is_image_refused = True
            reporter.refused(f"{IMAGE_REFUSED}: {error}", error, stamp_ns)
        except Exception as error:  # whatever it is, the node lives on
            if self.context.ok():
                reporter.refused(f"frame failed: {error}", error, stamp_ns)
        busy_s = time.monotonic() - begun_s
        answer_age_s = reporter.answer_age_s
        self._vitals.saw(Arrival(begun_s, busy_s, stamp_ns, age_s, answer_age_s, self._is_image_refused))

    def _look(self, msg: Image | CompressedImage, begun_s: float) -> None:
        """Convert, keep, look for the targets."""
        assert self._parts is not None
        frame = conversions.to_frame(msg, self._frames, self._parts.bridge)
        self._frames += 1
        self._check_order(frame.stamp_ns)
        recent = self._parts.buffer.add(frame, msg.header, begun_s)
        self._reporter.convert_s = time.monotonic() - begun_s
        self._parts.following.see(recent)

    def _check_order(self, stamp_ns: int) -> None:
        """A stream that begins again, as a bag that is played in a loop, does not go on from what was."""
        assert self._parts is not None
        back_s, self._stamp_ns = (self._stamp_ns - stamp_ns) / 1e9, stamp_ns
        if back_s > CUT_S:
            self.get_logger().warning(f"the images' stamps went back by {back_s:.2f} s; the target is kept")
            self._parts.buffer.clear()
            self._parts.outputs.forget()

    # Time

    def _on_wake(self) -> None:
        """Another thread has something to tell."""
        if self._parts is not None and self.context.ok():
            with self._surviving("the target's first answer failed"):
                self._parts.following.work_off()

    def _on_tick(self) -> None:
        if not self.context.ok():
            return
        now_s = time.monotonic()
        with self._surviving("a check failed"):
            self._vitals.tick(now_s)
            if self._parts is not None:
                self._parts.following.tick(now_s)

    def _on_jump(self, jump: TimeJump) -> None:
        """The clock of a simulation or a bag has gone back: what was is no more."""
        if self._parts is None:
            return
        self._parts.following.reset()
        self._parts.buffer.clear()
        self._parts.outputs.forget()
        self._stamp_ns = 0
        told = f"the clock went back by {-jump.delta.nanoseconds / 1e9:.2f} s, and all is forgotten"
        if self._camera is not None:
            self._reporter.waiting(told)
        else:
            self._reporter.announced(State.IDLE, f"{told}; not active")

    # Parameters

    def _check_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        try:
            parameters.check_change(changed, is_configured=self._parts is not None)
        except RecipTrackerError as error:
            self.get_logger().error(str(error))
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply_parameters(self, changed: list[Parameter]) -> None:
        config, self._own = parameters.read(self)
        self._vitals.limits = self._own.health
        if self._parts is not None:
            self._parts.following.retune(config)
            self._parts.outputs.own = self._own

    # Life

    @contextlib.contextmanager
    def _surviving(self, what: str) -> Iterator[None]:
        """Whatever goes wrong inside is said, and the node lives on."""
        try:
            yield
        except Exception as error:
            if self.context.ok():
                self._reporter.refused(f"{what}: {error}", error)

    def _state(self) -> tuple[Status, UpdateStatistics, bool]:
        """See :class:`~.vitals.Vitals`."""
        return self._reporter.last, self._reporter.statistics, self._reporter.is_learning

    def close(self) -> None:
        """End the threads; after the executor has stopped."""
        if self._parts is not None:
            self._parts.close()

    def _close_camera(self) -> None:
        if self._camera is not None:
            self._vitals.end()
            self.destroy_subscription(self._camera)
            self._camera = None

    def _release(self) -> None:
        self._close_camera()
        self.close()
        self._reporter.following = self._reporter.outputs = None
        if self._parts is not None:
            self._parts.outputs.destroy()
        self._parts = None
