"""The node: a frame callback is convert, call one method, publish.

Threads: everything runs in the executor's one thread (the default callback group is mutually
exclusive, so transitions never interleave with a frame) but for two things: updates, in the core's
own thread, and the painting of attention, in that of :class:`~.outputs.AttentionPublisher`.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace

from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy import qos
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D

from recip_tracker_core.build import build_tracker, retune
from recip_tracker_core.errors import BoxError, FrameError, RecipTrackerError
from recip_tracker_core.tracker import Tracker
from recip_tracker_core.types import Frame, TrackResult
from recip_tracker_core.updater import UpdateStatistics

from . import conversions, parameters
from .outputs import Outputs
from .state import State, Status

LATCHED = qos.QoSProfile(
    depth=1, reliability=qos.ReliabilityPolicy.RELIABLE, durability=qos.DurabilityPolicy.TRANSIENT_LOCAL
)
NEWEST_IMAGE = qos.QoSProfile(
    depth=1, reliability=qos.ReliabilityPolicy.BEST_EFFORT, durability=qos.DurabilityPolicy.VOLATILE
)


@dataclass
class Session:
    """What the node knows between being configured and being cleaned up.

    Attributes:
        pending: an init that waits for the next image.
        frames: received so far.
        targets: accepted so far.
        target_id: of the one that is followed, or empty.
        class_id: that its detections carry.
        failures_logged: failed updates that the log already tells of.
        image_refused: whether the last image was.
    """

    pending: Detection2D | None = None
    frames: int = 0
    targets: int = 0
    target_id: str = ""
    class_id: str = conversions.DEFAULT_CLASS
    failures_logged: int = 0
    image_refused: bool = False


class TrackerNode(LifecycleNode):  # type: ignore[misc]
    """Follows the target given on ``~/init`` through the images on ``image``.

    Raises:
        ConfigError: when a parameter given at the start does not exist or may not have its value.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__("tracker", **kwargs)
        parameters.declare(self)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._apply_parameters)
        # Status and init exist in every lifecycle state, so that every request is answered.
        self._status_publisher = self.create_publisher(DiagnosticStatus, "~/status", LATCHED)
        self.create_subscription(Detection2D, "~/init", self._on_init, 10)
        self._status: Status | None = None
        self._tracker: Tracker | None = None
        self._outputs: Outputs | None = None
        self._camera: Subscription | None = None  # while active
        self._session = Session()
        self._announce(State.IDLE, "not configured")

    @property
    def autostart(self) -> bool:
        """Whether the node is to configure and activate itself."""
        return bool(self.get_parameter("autostart").value)

    # Transitions. rclpy swallows what they raise, so each logs for itself.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the network before any image can arrive, and create the outputs."""
        try:
            config, own = parameters.read(self)
            tracker = build_tracker(config)
            self._bridge = conversions.load_bridge()
            self._outputs = Outputs(self, tracker, own.attention_rate_hz)
        except Exception as error:
            self._refuse(f"cannot configure: {error}", error)
            return TransitionCallbackReturn.FAILURE
        self._tracker = tracker
        self._announce(State.IDLE, "configured, not active")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the camera's topic."""
        super().on_activate(state)
        self._camera = self.create_subscription(Image, "image", self._on_image, NEWEST_IMAGE)
        self._announce_waiting()
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the camera's topic; the target is kept for the next activation, a pending init is not."""
        self._close_camera()
        self._session.pending = None
        self._announce(State.IDLE, "not active")
        return TransitionCallbackReturn(super().on_deactivate(state))

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the target and release what configuring made."""
        self._release()
        self._announce(State.IDLE, "not configured")
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release what configuring made, from whatever state."""
        self._release()
        self._announce(State.IDLE, "shut down")
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured after a transition that failed half-way."""
        return self.on_cleanup(state)

    # Inputs

    def _on_init(self, msg: Detection2D) -> None:
        try:
            conversions.to_box(msg)
        except BoxError as error:
            self._refuse(f"init refused: {error}", error)
            return
        if self._camera is None:
            self._refuse("init refused: the node is not active")
            return
        self._session.pending = msg
        self._announce(State.INITIALISING, "waiting for the next image")

    def _on_image(self, msg: Image) -> None:
        if not self.context.ok():  # told to stop while this image was on its way
            return
        stamp_ns = conversions.stamp_ns(msg.header)
        try:
            self._follow(msg)
        except FrameError as error:
            self._session.image_refused = True
            self._refuse(f"image refused: {error}", error, stamp_ns)
        except Exception as error:  # whatever it is, the node lives on
            if self.context.ok():
                self._refuse(f"frame failed: {error}", error, stamp_ns)

    def _follow(self, msg: Image) -> None:
        """Convert, call one method, publish."""
        assert self._tracker is not None
        assert self._outputs is not None
        session = self._session
        frame = conversions.to_frame(msg, session.frames, self._bridge)
        session.frames += 1
        result = self._initialised(msg.header, frame) if session.pending is not None else None
        if result is None and session.target_id:
            result = self._tracker.update(frame)
        if result is not None:
            self._outputs.publish(frame, msg.header, result, session.target_id, session.class_id)
            self._announce(State.of(result.status), self._update_failure() or result.reason, frame.stamp_ns)
        elif session.image_refused:
            self._announce_waiting()
        session.image_refused = False

    def _initialised(self, header: Header, frame: Frame) -> TrackResult | None:
        """The answer to a pending init, or None when it is refused and the target from before stays."""
        assert self._tracker is not None
        assert self._session.pending is not None
        request, self._session.pending = self._session.pending, None
        try:
            box, note = conversions.accepted_box(request, header, frame)
            self._announce(State.INITIALISING, f"learning the target{note}", frame.stamp_ns)
            result = self._tracker.init(frame, box)
        except RecipTrackerError as error:
            if self.context.ok():
                self._refuse(f"init refused: {error}", error, frame.stamp_ns)
            return None
        self._session.targets += 1
        self._session.target_id = request.id or str(self._session.targets)
        hypotheses = [item.hypothesis.class_id for item in request.results if item.hypothesis.class_id]
        self._session.class_id = hypotheses[0] if hypotheses else conversions.DEFAULT_CLASS
        return result

    # Status

    def _update_failure(self) -> str:
        """Why the last update failed, or nothing; logged once."""
        assert self._tracker is not None
        statistics = self._tracker.statistics
        if statistics.failure is None:
            return ""
        reason = f"update failed: {statistics.failure}"
        if statistics.failed > self._session.failures_logged:
            self._session.failures_logged = statistics.failed
            self.get_logger().error(f"{reason}; the last good model stays")
        return reason

    def _announce_waiting(self) -> None:
        has_target = bool(self._session.target_id)
        self._announce(State.IDLE, f"waiting for {'the next image' if has_target else 'a target on ~/init'}")

    def _refuse(self, reason: str, error: Exception | None = None, stamp_ns: int = 0) -> None:
        """Say why on the status; an error that nobody foresaw leaves its traceback in the log, once."""
        is_new = self._status is None or self._status.reason != reason
        if is_new and error is not None and not isinstance(error, RecipTrackerError):
            self.get_logger().error("".join(traceback.format_exception(error)))
        self._announce(State.REFUSED, reason, stamp_ns)

    def _announce(self, state: State, reason: str = "", stamp_ns: int = 0) -> None:
        """Publish the status where state, reason, target or model version have changed."""
        statistics = self._tracker.statistics if self._tracker is not None else UpdateStatistics()
        status = Status(
            state=state,
            reason=reason,
            target_id=self._session.target_id,
            model_version=statistics.completed,
            updates=max(statistics.completed - self._session.targets, 0),
            stamp_ns=stamp_ns,
        )
        last, self._status = self._status, status
        if last is not None and replace(last, stamp_ns=stamp_ns) == status:
            return
        name = self.get_fully_qualified_name()
        self._status_publisher.publish(conversions.to_status_message(status, name))
        if last is not None and (last.state, last.reason) == (state, reason):
            return
        line = f"{state.value}: {reason}" if reason else state.value
        if state is State.REFUSED:  # two calls: rclpy ties a severity to a line of code
            self.get_logger().error(line)
        else:
            self.get_logger().info(line)

    # Parameters

    def _check_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        try:
            parameters.check_change(changed, is_configured=self._tracker is not None)
        except RecipTrackerError as error:
            self.get_logger().error(str(error))
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply_parameters(self, changed: list[Parameter]) -> None:
        if self._tracker is None or self._outputs is None:
            return
        config, own = parameters.read(self)
        retune(self._tracker, config)
        self._outputs.attention.rate_hz = own.attention_rate_hz

    # Life

    def close(self) -> None:
        """End the threads; after the executor has stopped."""
        if self._outputs is not None:
            self._outputs.attention.close()
        if self._tracker is not None:
            self._tracker.close()

    def _close_camera(self) -> None:
        if self._camera is not None:
            self.destroy_subscription(self._camera)
            self._camera = None

    def _release(self) -> None:
        self._close_camera()
        self.close()
        if self._outputs is not None:
            self._outputs.destroy()
        self._outputs = self._tracker = None
        self._session = Session()
