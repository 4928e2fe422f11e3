"""The attention image: made on demand, at its own low rate, in a thread of its own."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from recip_tracker_core.drawing import attention_overlay
from recip_tracker_core.tracker import Tracker
from recip_tracker_core.types import BoundingBox, Frame

from .conversions import to_image

PICTURE_PX = 256


class AttentionPublisher:
    """Publishes ``~/attention_image`` while somebody listens; a frame never waits for a picture.

    Args:
        node: that has the topic.
        tracker: whose attention it is.
        rate_hz: highest rate; may be changed at any time.
    """

    def __init__(self, node: LifecycleNode, tracker: Tracker, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self._node, self._tracker = node, tracker
        self._publisher = node.create_lifecycle_publisher(Image, "~/attention_image", 5)
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
            self._publisher.publish(to_image(attention_overlay(picture, PICTURE_PX), header))
        except Exception as error:  # a picture is never worth a thread
            self._node.get_logger().error(f"attention image failed: {error}", throttle_duration_sec=5.0)

    def close(self) -> None:
        """End the thread, after the picture it is painting."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def destroy(self) -> None:
        """Remove the topic."""
        self._node.destroy_lifecycle_publisher(self._publisher)
