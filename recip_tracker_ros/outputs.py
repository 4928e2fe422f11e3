"""What the node publishes of each frame. Pictures are made only while somebody listens."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray

from recip_tracker_core.drawing import attention_overlay, draw_result
from recip_tracker_core.tracker import Tracker
from recip_tracker_core.types import BoundingBox, Frame, TrackResult

from .conversions import to_detection, to_detections, to_image

DETECTIONS_DEPTH = 10
IMAGES_DEPTH = 5
ATTENTION_PX = 256


class Outputs:
    """Detections and debug image of a node, and its :class:`AttentionPublisher`.

    Args:
        node: that has the topics.
        tracker: whose attention is shown.
        attention_rate_hz: highest rate of the attention image.
    """

    def __init__(self, node: LifecycleNode, tracker: Tracker, attention_rate_hz: float) -> None:
        self._node = node
        self._detection = node.create_lifecycle_publisher(Detection2D, "~/detection", DETECTIONS_DEPTH)
        self._detections = node.create_lifecycle_publisher(Detection2DArray, "~/detections", DETECTIONS_DEPTH)
        self._debug_image = node.create_lifecycle_publisher(Image, "~/debug_image", IMAGES_DEPTH)
        self.attention = AttentionPublisher(node, tracker, attention_rate_hz)

    def publish(
        self, frame: Frame, header: Header, result: TrackResult, target_id: str, class_id: str
    ) -> None:
        """All that one result gives; ``header`` is that of the image."""
        detection = to_detection(result, header, target_id, class_id)
        detections = to_detections(detection, result)
        self._detections.publish(detections)
        if detections.detections:
            self._detection.publish(detection)
        if self._debug_image.get_subscription_count() > 0:
            self._debug_image.publish(to_image(draw_result(frame.image, result), header))
        self.attention.offer(frame, result.box, header)

    def destroy(self) -> None:
        """Remove the topics."""
        self.attention.destroy()
        for publisher in (self._detection, self._detections, self._debug_image):
            self._node.destroy_lifecycle_publisher(publisher)


class AttentionPublisher:
    """The attention image, at its own low rate and in a thread of its own: a frame never waits for it.

    Args:
        node: that has the topic.
        tracker: whose attention it is.
        rate_hz: highest rate; may be changed at any time.
    """

    def __init__(self, node: LifecycleNode, tracker: Tracker, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self._node, self._tracker = node, tracker
        self._publisher = node.create_lifecycle_publisher(Image, "~/attention_image", IMAGES_DEPTH)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="attention")
        self._running: Future[None] | None = None
        self._last_s = float("-inf")

    def offer(self, frame: Frame, box: BoundingBox, header: Header) -> None:
        """A new frame: painted if a picture is due, the last one is finished and somebody listens."""
        now = time.monotonic()
        if now - self._last_s < 1 / self.rate_hz or self._publisher.get_subscription_count() == 0:
            return
        if self._running is not None and not self._running.done():
            return
        self._last_s = now
        self._running = self._executor.submit(self._paint, frame, box, header)

    def _paint(self, frame: Frame, box: BoundingBox, header: Header) -> None:
        try:
            picture = self._tracker.attention(frame, box)
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
