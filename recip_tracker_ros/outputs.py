"""What the node publishes of each frame. Pictures are made only while somebody listens."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, VisionInfo

from recip_tracker_core.config import NodeConfig
from recip_tracker_core.drawing import attention_overlay, draw_choice
from recip_tracker_core.motion import Motion
from recip_tracker_core.target_files import Maker
from recip_tracker_core.tracker import Tracker
from recip_tracker_core.types import BoundingBox, Frame, TrackResult, TrackStatus

from .connections import advertised, latched, reliable, undone_on_failure
from .conversions import to_detection, to_detections, to_image
from .debug_picture import picture_of
from .diagnostics import timing
from .frame_buffer import Recent
from .requests import Choice
from .spatial_outputs import SpatialOutputs
from .state import State
from .targets import Answer, Record, Target

DETECTIONS_DEPTH = 10
IMAGES_DEPTH = 5
ATTENTION_PX = 256


METHODS = {
    "locator": "Deep Attentive Tracking via Reciprocative Learning, proposals by a ridge filter",
    "gaussian": "Deep Attentive Tracking via Reciprocative Learning, as published",
}


class Outputs:
    """All topics that have to do with targets.

    Attributes:
        own: the node's parameters as they are now.

    Args:
        node: that has them.
        maker: how targets are followed, and by which network, for ``~/vision_info``.
        own: the node's parameters.
    """

    def __init__(self, node: LifecycleNode, maker: Maker, own: NodeConfig) -> None:
        self._node, self._maker, self.own = node, maker, own
        self._models: list[tuple[Record, int]] = []
        self._database_version = 0
        self._motion, self._moving = Motion(), Record()
        with undone_on_failure(node):
            self._advertise(node)
        self._publish_info(Header())

    def _advertise(self, node: LifecycleNode) -> None:
        self._detection = advertised(node, Detection2D, "~/detection", reliable(DETECTIONS_DEPTH))
        self._detections = advertised(node, Detection2DArray, "~/detections", reliable(DETECTIONS_DEPTH))
        self._predicted = advertised(node, Detection2D, "~/predicted_detection", reliable(1))
        self._timing = advertised(node, DiagnosticArray, "~/timing", reliable(DETECTIONS_DEPTH))
        self._debug_image = advertised(node, Image, "~/debug_image", reliable(IMAGES_DEPTH))
        self._init_image = advertised(node, Image, "~/init_image", latched())
        self._info = advertised(node, VisionInfo, "~/vision_info", latched(), is_managed=False)
        self.attention = AttentionPublisher(node)
        self._spatial = SpatialOutputs(node)

    def publish(self, recent: Recent, answers: Sequence[Answer]) -> None:
        """All that the answers to a frame give, with its own header; the current target's is the last."""
        header, (current, result) = recent.header, answers[-1]
        detections = [(_detection(target, one, header), one) for target, one in answers]
        self._detections.publish(to_detections(header, detections))
        if result.status is not TrackStatus.LOST:
            self._detection.publish(detections[-1][0])
        self._predict(result, current, header)
        self._spatial.publish(recent, result, current, self.own)
        if self._debug_image.get_subscription_count() > 0:
            self._debug_image.publish(to_image(picture_of(recent.frame.image, answers), header))
        rate_hz = self.own.attention_rate_hz
        self.attention.offer(current.tracker, recent.frame, result.box, header, rate_hz)
        models = [(target.record, one.model_version) for target, one in answers]
        if models != self._models:
            self._models = models
            self._database_version += 1
            self._publish_info(header)

    def time(self, header: Header, state: State, timings_s: Mapping[str, float], age_s: float) -> None:
        """How long that took, and how old the answer was."""
        name = self._node.get_fully_qualified_name()
        self._timing.publish(timing(header, name, state.value, timings_s, age_s))

    def show(self, recent: Recent, choice: Choice, target: Target) -> None:
        """What a request was understood as."""
        label = f"target {target.target_id}"
        picture = draw_choice(recent.frame.image, choice.box, choice.mask, label)
        self._init_image.publish(to_image(picture, recent.header))

    def forget(self) -> None:
        """The stream has been cut: what comes next does not go on from what was."""
        self._motion = Motion()

    def destroy(self) -> None:
        """Remove the topics."""
        self.attention.destroy()
        self._spatial.destroy()
        frames = (self._detection, self._detections, self._predicted, self._timing)
        for publisher in (*frames, self._debug_image, self._init_image):
            self._node.destroy_lifecycle_publisher(publisher)
        self._node.destroy_publisher(self._info)

    def _predict(self, result: TrackResult, target: Target, header: Header) -> None:
        """Where the target is by now, if it goes on as it went."""
        if self._moving is not target.record or result.status is TrackStatus.LOST:
            self._motion, self._moving = Motion(), target.record
        if result.status is TrackStatus.LOST:
            return
        self._motion = self._motion.with_box(result.box, result.stamp_ns)
        horizon_ns = round(self.own.prediction_s * 1e9)
        now_ns = self._node.get_clock().now().nanoseconds
        # Where camera and node have other clocks, "now" is no more than the horizon away.
        at_ns = min(max(now_ns, result.stamp_ns), result.stamp_ns + horizon_ns)
        box = self._motion.predicted(at_ns, horizon_ns)
        if box is None:
            return
        seconds, nanoseconds = divmod(at_ns, 10**9)
        then = Header(stamp=Time(sec=seconds, nanosec=nanoseconds), frame_id=header.frame_id)
        self._predicted.publish(_detection(target, replace(result, box=box), then))

    def _publish_info(self, header: Header) -> None:
        """The model that is in use; by the message's definition the version counts its changes."""
        self._info.publish(
            VisionInfo(
                header=header,
                method=METHODS[self._maker.kind],
                database_location=f"{self._maker.backbone} sha256:{self._maker.weights}",
                database_version=self._database_version,
            )
        )


def _detection(target: Target, result: TrackResult, header: Header) -> Detection2D:
    return to_detection(result, header, target.target_id, target.class_id)


class AttentionPublisher:
    """The attention image, at its own low rate and in a thread of its own: a frame never waits for it.

    Args:
        node: that has the topic.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._publisher = advertised(node, Image, "~/attention_image", reliable(IMAGES_DEPTH))
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="attention")
        self._running: Future[None] | None = None
        self._last_s = float("-inf")

    def offer(self, tracker: Tracker, frame: Frame, box: BoundingBox, header: Header, rate_hz: float) -> None:
        """A new frame: painted if a picture is due, the last one is finished and somebody listens."""
        now = time.monotonic()
        if now - self._last_s < 1 / rate_hz or self._publisher.get_subscription_count() == 0:
            return
        if self._running is not None and not self._running.done():
            return
        self._last_s = now
        self._running = self._executor.submit(self._paint, tracker, frame, box, header)

    def _paint(self, tracker: Tracker, frame: Frame, box: BoundingBox, header: Header) -> None:
        try:
            picture = tracker.attention(frame, box)
            self._publisher.publish(to_image(attention_overlay(picture, ATTENTION_PX), header))
        except Exception as error:  # a picture is never worth a thread
            if self._node.context.ok():
                self._node.get_logger().error(f"attention image failed: {error}", throttle_duration_sec=5.0)

    def close(self) -> None:
        """End the thread, after the picture it is painting."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def destroy(self) -> None:
        """End the thread and remove the topic."""
        self.close()
        self._node.destroy_lifecycle_publisher(self._publisher)
