"""The node: a frame callback is convert, call one method, publish.

Threads: everything runs in the executor's one thread (the default callback group is mutually
exclusive, so transitions never interleave with a frame) but for two things: learning, in the core's
own thread, and the painting of attention, in :class:`AttentionPublisher`'s.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace

from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import SetParametersResult
from rclpy import qos
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2D, Detection2DArray

from recip_tracker_core.build import build_judge, build_tracker
from recip_tracker_core.drawing import draw_result
from recip_tracker_core.errors import BoxError, FrameError, RecipTrackerError
from recip_tracker_core.tracker import Tracker
from recip_tracker_core.types import Frame, TrackResult
from recip_tracker_core.updater import UpdateStatistics

from . import conversions, parameters
from .attention_publisher import AttentionPublisher
from .state import State, Status

LATCHED = qos.QoSProfile(
    depth=1, reliability=qos.ReliabilityPolicy.RELIABLE, durability=qos.DurabilityPolicy.TRANSIENT_LOCAL
)
NEWEST_IMAGE = qos.QoSProfile(
    depth=1, reliability=qos.ReliabilityPolicy.BEST_EFFORT, durability=qos.DurabilityPolicy.VOLATILE
)
IMAGES_OUT_DEPTH = 5
DETECTIONS_DEPTH = 10


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
    """

    pending: Detection2D | None = None
    frames: int = 0
    targets: int = 0
    target_id: str = ""
    class_id: str = conversions.DEFAULT_CLASS
    failures_logged: int = 0


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
        self._is_active = False
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
            self._tracker = build_tracker(config)
        except Exception as error:
            self._log_failure("cannot configure", error)
            self._announce(State.REFUSED, f"cannot configure: {error}")
            return TransitionCallbackReturn.FAILURE
        self._bridge = conversions.load_bridge()
        self._detection = self.create_lifecycle_publisher(Detection2D, "~/detection", DETECTIONS_DEPTH)
        self._detections = self.create_lifecycle_publisher(Detection2DArray, "~/detections", DETECTIONS_DEPTH)
        self._debug_image = self.create_lifecycle_publisher(Image, "~/debug_image", IMAGES_OUT_DEPTH)
        self._attention = AttentionPublisher(self, self._tracker, own.attention_rate_hz)
        self._announce(State.IDLE, "configured, not active")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the camera's topic."""
        super().on_activate(state)
        self._camera = self.create_subscription(Image, "image", self._on_image, NEWEST_IMAGE)
        self._is_active = True
        waiting = (
            "waiting for the next image" if self._session.target_id else "waiting for a target on ~/init"
        )
        self._announce(State.IDLE, waiting)
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the camera's topic; the target is kept for the next activation."""
        self._is_active = False
        self.destroy_subscription(self._camera)
        self._announce(State.IDLE, "not active")
        return TransitionCallbackReturn(super().on_deactivate(state))

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the target and release what configuring made."""
        self._release()
        self._announce(State.IDLE, "not configured")
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release what configuring made."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """End the threads; called once, after the executor has stopped."""
        if self._tracker is not None:
            self._attention.close()
            self._tracker.close()

    # Inputs

    def _on_init(self, msg: Detection2D) -> None:
        try:
            conversions.to_box(msg)
        except BoxError as error:
            self._announce(State.REFUSED, f"init refused: {error}")
            return
        if not self._is_active:
            self._announce(State.REFUSED, "init refused: the node is not active")
            return
        self._session.pending = msg
        self._announce(State.INITIALISING, "waiting for the next image")

    def _on_image(self, msg: Image) -> None:
        assert self._tracker is not None
        try:
            frame = conversions.to_frame(msg, self._session.frames, self._bridge)
        except FrameError as error:
            self._announce(State.REFUSED, f"image refused: {error}")
            return
        self._session.frames += 1
        try:
            result = self._initialised(msg, frame) if self._session.pending is not None else None
            if result is None and self._session.target_id:
                result = self._tracker.update(frame)
        except Exception as error:  # whatever it is, the node lives on
            self._log_failure("frame failed", error)
            self._announce(State.REFUSED, f"frame failed: {error}", frame.stamp_ns)
            return
        if result is not None:
            self._publish(msg, frame, result)

    def _initialised(self, msg: Image, frame: Frame) -> TrackResult | None:
        """The answer to a pending init, or None when it is refused and the target from before stays."""
        assert self._tracker is not None
        assert self._session.pending is not None
        request, self._session.pending = self._session.pending, None
        wanted, given = request.header.frame_id, msg.header.frame_id
        if wanted and wanted != given:
            reason = f"init refused: its frame_id is '{wanted}', the camera's is '{given}'"
            self._announce(State.REFUSED, reason, frame.stamp_ns)
            return None
        self._announce(State.INITIALISING, "learning the target", frame.stamp_ns)
        try:
            result = self._tracker.init(frame, conversions.to_box(request))
        except RecipTrackerError as error:
            self._announce(State.REFUSED, f"init refused: {error}", frame.stamp_ns)
            return None
        self._session.targets += 1
        self._session.target_id = request.id or str(self._session.targets)
        hypotheses = [item.hypothesis.class_id for item in request.results if item.hypothesis.class_id]
        self._session.class_id = hypotheses[0] if hypotheses else conversions.DEFAULT_CLASS
        return result

    # Outputs

    def _publish(self, msg: Image, frame: Frame, result: TrackResult) -> None:
        assert self._tracker is not None
        detection = conversions.to_detection(
            result, msg.header, self._session.target_id, self._session.class_id
        )
        detections = conversions.to_detections(detection, result)
        self._detections.publish(detections)
        if detections.detections:
            self._detection.publish(detection)
        if self._debug_image.get_subscription_count() > 0:
            drawn = draw_result(frame.image, result)
            self._debug_image.publish(conversions.to_image(drawn, msg.header))
        self._attention.offer(frame, result.box, msg.header)
        self._announce(State.of(result.status), self._update_failure(), frame.stamp_ns)

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

    def _log_failure(self, what: str, error: Exception) -> None:
        self.get_logger().error(f"{what}: {error}")
        if not isinstance(error, RecipTrackerError):
            self.get_logger().error(traceback.format_exc())

    # Parameters

    def _check_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        try:
            parameters.check_change(changed, is_configured=self._tracker is not None)
        except RecipTrackerError as error:
            self.get_logger().error(str(error))
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply_parameters(self, changed: list[Parameter]) -> None:
        if self._tracker is None:
            return
        config, own = parameters.read(self)
        self._tracker.retune(judge=build_judge(config), interval=config.update.interval)
        self._attention.rate_hz = own.attention_rate_hz

    # Life

    def _release(self) -> None:
        if self._tracker is None:
            return
        self._is_active = False
        self.close()
        self._tracker = None
        for publisher in (self._detection, self._detections, self._debug_image):
            self.destroy_lifecycle_publisher(publisher)
        self._attention.destroy()
        self._session = Session()
