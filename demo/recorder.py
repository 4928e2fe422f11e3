"""The other side: asks the tracker to follow the target, and records all that it answers.

Run as ``python recorder.py PLAN``; ends at SIGINT with both bags complete. Messages are taken as the bytes
that came off the wire and go to the bags so; the small ones are read as well, for the lines.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import rclpy
from bags import BagWriter, installed_types
from diagnostic_msgs.msg import DiagnosticStatus
from plan import (
    ATTENTION_IMAGE,
    CAMERA,
    DEBUG_IMAGE,
    DETECTION,
    DETECTIONS,
    FRAME_ID,
    INIT,
    STATUS,
    LineWriter,
    Plan,
    load_plan,
)
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

LISTEN_TO = {
    DETECTION: Detection2D,
    DETECTIONS: Detection2DArray,
    STATUS: DiagnosticStatus,
    ATTENTION_IMAGE: Image,
    DEBUG_IMAGE: Image,
}
IMAGES = (ATTENTION_IMAGE, DEBUG_IMAGE)
DEPTH = 100  # the recorder must not be what loses a message
ASK_AGAIN_AFTER_S = 3.0


class Recorder(Node):  # type: ignore[misc]
    """Listens to every output of the tracker, and asks once all of them are connected."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("recorder")
        self._plan, self._lines = plan, LineWriter(plan.recorder_lines)
        types = installed_types()
        self._bag = BagWriter(plan.bag, (INIT, DETECTION, DETECTIONS, STATUS, ATTENTION_IMAGE), types)
        self._pictures = BagWriter(plan.pictures_bag, (DEBUG_IMAGE,), types)
        self._is_answered, self._asked_s = False, float("-inf")
        self._init = self.create_publisher(Detection2D, INIT, 10)
        self._outputs = [self._listen(topic, kind) for topic, kind in LISTEN_TO.items()]
        self._asking = self.create_timer(0.1, self._ask)
        self._lines.write(event="ready", rmw=rclpy.get_rmw_implementation_identifier())

    def _listen(self, topic: str, kind: type) -> Any:
        is_latched = topic == STATUS
        durability = DurabilityPolicy.TRANSIENT_LOCAL if is_latched else DurabilityPolicy.VOLATILE
        profile = QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.RELIABLE, durability=durability)

        def received(raw: bytes, info: dict[str, Any]) -> None:
            self._on_message(topic, kind, raw, info["received_timestamp"])

        return self.create_subscription(kind, topic, received, profile, raw=True)

    def _on_message(self, topic: str, kind: type, raw: bytes, arrival_ns: int) -> None:
        (self._pictures if topic == DEBUG_IMAGE else self._bag).write(topic, arrival_ns, raw)
        if topic in IMAGES:
            return
        message = deserialize_message(raw, kind)
        if topic == STATUS:
            self._is_answered = self._is_answered or message.message != "idle"
        self._lines.write(event=topic, arrival_ns=arrival_ns, **described(topic, message))

    def _ask(self) -> None:
        if self._is_answered:
            self._asking.cancel()
            return
        if not self._is_connected() or time.monotonic() - self._asked_s < ASK_AGAIN_AFTER_S:
            return
        self._asked_s = time.monotonic()
        request = self._request()
        self._init.publish(request)
        self._bag.write(INIT, self.get_clock().now().nanoseconds, serialize_message(request))
        self._lines.write(event="asked")

    def _is_connected(self) -> bool:
        """Whether the tracker hears the camera and the request, and the recorder hears the tracker."""
        hears_us = self.count_subscribers(CAMERA) > 0 and self._init.get_subscription_count() > 0
        return hears_us and all(output.get_publisher_count() > 0 for output in self._outputs)

    def _request(self) -> Detection2D:
        x, y, w, h = self._plan.box
        request = Detection2D(id=self._plan.clip)
        request.header.stamp = self.get_clock().now().to_msg()
        request.header.frame_id = FRAME_ID
        request.bbox.center.position.x, request.bbox.center.position.y = x + w / 2, y + h / 2
        request.bbox.size_x, request.bbox.size_y = float(w), float(h)
        target = ObjectHypothesisWithPose()
        target.hypothesis.class_id, target.hypothesis.score = "target", 1.0
        request.results.append(target)
        return request

    def close(self) -> None:
        """Complete the bags."""
        self._bag.close()
        self._pictures.close()


def described(topic: str, message: Any) -> dict[str, Any]:
    """What the report needs of a small message."""
    if topic == STATUS:
        return {"state": message.message, "values": {item.key: item.value for item in message.values}}
    stamp = message.header.stamp
    found = [message] if topic == DETECTION else list(message.detections)
    said: dict[str, Any] = {"confidence": None, "id": None, "box": None}
    for item in found[:1]:
        said = {"confidence": item.results[0].hypothesis.score, "id": item.id, "box": as_xywh(item.bbox)}
    return {"stamp_ns": stamp.sec * 1_000_000_000 + stamp.nanosec, **said}


def as_xywh(bbox: Any) -> list[float]:
    """``x, y, w, h`` of a ``BoundingBox2D``."""
    middle = bbox.center.position
    return [middle.x - bbox.size_x / 2, middle.y - bbox.size_y / 2, bbox.size_x, bbox.size_y]


def main(plan_path: str) -> None:
    """Record until SIGINT."""
    rclpy.init()
    recorder = Recorder(load_plan(plan_path))
    try:
        rclpy.spin(recorder)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        recorder.close()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
