"""Images as cameras send them: compressed, changing in mid-stream, under another quality of service."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

SMALL = {"map.region_px": 160, "map.target_px": 48.0, "locator.grid": 3, "refiner.grid": 3}


def stamped(msg, index: int):
    msg.header.frame_id = "camera"
    msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(10**9 + index * 50_000_000, 10**9)
    return msg


def raw(pixels: np.ndarray, encoding: str, index: int) -> Image:
    height, width = pixels.shape[:2]
    data = array("B", np.ascontiguousarray(pixels).tobytes())
    step = len(data) // height
    return stamped(Image(height=height, width=width, encoding=encoding, step=step, data=data), index)


def jpeg(rgb: np.ndarray, index: int) -> CompressedImage:
    _, data = cv2.imencode(".jpg", rgb[..., ::-1])
    return stamped(
        CompressedImage(format="rgb8; jpeg compressed bgr8", data=array("B", data.tobytes())), index
    )


def is_idle(operator) -> bool:
    return operator.state == "idle" and "~/init" in operator.value("reason")


def test_compressed_images_are_followed(operator, start_node, clip):
    start_node(**SMALL, image_transport="compressed")
    publisher = operator.node.create_publisher(CompressedImage, "/camera/image/compressed", 10)
    operator.wait(lambda: is_idle(operator), "an idle node")
    operator.send_init(clip[0][1])
    operator.wait(lambda: publisher.publish(jpeg(clip[0][0], 0)) or operator.state == "tracking", "tracking")
    broken = CompressedImage(format="jpeg", data=array("B", b"no picture"))
    operator.wait(lambda: publisher.publish(broken) or operator.was_refused("jpeg"), "a refusal")
    operator.wait(lambda: publisher.publish(jpeg(clip[1][0], 1)) or operator.state == "tracking", "tracking")


def test_a_stream_may_change_its_size_and_encoding(operator, start_node, clip):
    start_node(**SMALL)
    operator.wait(lambda: is_idle(operator), "an idle node")
    rgb, (x, y, w, h) = clip[0]
    operator.send_init((x, y, w, h))
    operator.wait(lambda: operator.publish(raw(rgb, "rgb8", 0)) or operator.state == "tracking", "tracking")
    half = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    changed = {
        "bgra8": np.dstack([rgb[..., ::-1], np.full(rgb.shape[:2], 255, np.uint8)]),
        "mono16": cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint16) * 257,
        "bgr8": half[..., ::-1],
    }
    for index, (encoding, pixels) in enumerate(changed.items(), 1):
        operator.forget()
        image = raw(pixels, encoding, index)
        operator.wait(lambda: operator.publish(image) or len(operator.detection) > 5, encoding)  # noqa: B023
    center = operator.detection[-1].bbox.center.position
    assert (center.x, center.y) == pytest.approx((x / 2 + w / 4, y / 2 + h / 4), abs=4)


def test_what_does_not_fit_is_logged_with_its_remedy_and_can_be_overridden(operator, start_node):
    weak = QoSProfile(
        depth=1, durability=DurabilityPolicy.VOLATILE, reliability=ReliabilityPolicy.BEST_EFFORT
    )
    strict = {"qos_overrides./camera/image.subscription.reliability": "reliable"}
    process = start_node(**SMALL, **strict)
    publisher = operator.node.create_publisher(Image, "/camera/image", weak)
    remedy = "qos_overrides./camera/image.subscription.reliability: best_effort"
    operator.wait(lambda: remedy in process.log.read_text(), "the remedy in the log")

    def subscriptions() -> list:
        found = operator.node.get_subscriptions_info_by_topic("/camera/image")
        return [one for one in found if one.node_name == "tracker"]

    operator.wait(
        lambda: any(one.qos_profile.reliability == ReliabilityPolicy.RELIABLE for one in subscriptions()),
        "a reliable subscription",
    )
    operator.node.destroy_publisher(publisher)


def test_the_newest_image_wins_and_none_queues(operator, start_node, clip):
    start_node(**SMALL)
    operator.wait(lambda: is_idle(operator), "an idle node")
    operator.send_init(clip[0][1])
    first = raw(clip[0][0], "rgb8", 0)
    operator.wait(lambda: operator.publish(first) or operator.state == "tracking", "tracking")
    operator.forget()
    burst = [raw(clip[0][0], "rgb8", index) for index in range(1, 41)]
    for image in burst:  # far faster than they can be looked at
        operator.publish(image)
    last = burst[-1].header.stamp

    def answered() -> list:
        return [msg.header.stamp for msg in operator.detections]

    operator.wait(lambda: last in answered() or operator.publish(burst[-1]), "the last one")
    assert len({stamp.nanosec + stamp.sec * 10**9 for stamp in answered()}) < len(burst) / 2
