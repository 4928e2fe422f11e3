"""The camera: holds the first picture until the tracker has learned it, then plays there and back.

Run as ``python player.py PLAN``. Writes a line for each picture that it played, and stays until SIGINT,
so that the last picture is not lost with its sender.
"""

from __future__ import annotations

import sys
from array import array
from pathlib import Path

import numpy as np
import rclpy
from clips import decoded, there_and_back
from diagnostic_msgs.msg import DiagnosticStatus
from numpy.typing import NDArray
from plan import CAMERA, FRAME_ID, STATUS, LineWriter, Plan, load_plan
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import Image

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class Player(Node):  # type: ignore[misc]
    """Publishes the pictures of a plan, stamped with the time at which they leave."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("player")
        self._plan, self._lines = plan, LineWriter(plan.player_lines)
        # In memory, and converted: a camera doesn't wait for a decoder.
        self._images = [to_message(p) for p in decoded(Path(plan.video), plan.size, plan.frame_count + 1)]
        self._step, self._is_learned = 0, False
        self._camera = self.create_publisher(Image, CAMERA, qos_profile_sensor_data)
        self.create_subscription(DiagnosticStatus, STATUS, self._on_status, LATCHED)
        self._timer = self.create_timer(1 / plan.rate_hz, self._on_time)
        self._lines.write(event="ready", frames=len(self._images))

    def _on_status(self, msg: DiagnosticStatus) -> None:
        self._is_learned = self._is_learned or msg.message == "tracking"

    def _on_time(self) -> None:
        if not self._is_learned:
            self._publish(self._images[0])
            return
        if self._step == self._plan.frame_count:
            self._timer.cancel()
            self._lines.write(event="finished")
            return
        self._step += 1
        index = there_and_back(self._step, len(self._images))
        stamp_ns = self._publish(self._images[index])
        self._lines.write(event="played", stamp_ns=stamp_ns, frame=index)

    def _publish(self, image: Image) -> int:
        now = self.get_clock().now()
        image.header.stamp = now.to_msg()
        self._camera.publish(image)
        return int(now.nanoseconds)


def to_message(picture: NDArray[np.uint8]) -> Image:
    """(H, W, 3) RGB as an ``rgb8`` message, not yet stamped."""
    height, width, _ = picture.shape
    image = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    image.header.frame_id = FRAME_ID
    image.data = array("B", np.ascontiguousarray(picture).tobytes())  # any other type is converted slowly
    return image


def main(plan_path: str) -> None:
    """Play until SIGINT."""
    rclpy.init()
    try:
        rclpy.spin(Player(load_plan(plan_path)))
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
