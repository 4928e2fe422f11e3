"""A request means the frame that it was drawn on, though the target has moved by its width since."""

from __future__ import annotations

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from recip_tracker_core.geometry import iou

DRAWN_ON, SENT_AT = 10, 25  # pictures of the clip; at 10 Hz the request comes 1.5 s late
SMALL = {"map.region_px": 160, "map.target_px": 48.0, "locator.grid": 3, "refiner.grid": 3}


def stamp_ns(msg) -> int:
    return msg.header.stamp.sec * 1_000_000_000 + msg.header.stamp.nanosec


def overlap(detection, truth) -> float:
    box = detection.bbox
    x, y = box.center.position.x - box.size_x / 2, box.center.position.y - box.size_y / 2
    found = np.array([[x, y, box.size_x, box.size_y]], np.float32)
    return float(iou(found, np.array(truth, np.float32))[0])


def followed_from(stamped: bool, operator, camera, start_node, clip) -> float:
    """The overlap in the last picture, where the box of an old one came with its stamp or without."""
    shown: list[Image] = []
    operator.node.create_subscription(Image, "/camera/image", shown.append, qos_profile_sensor_data)
    start_node(**SMALL)
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")
    operator.wait(lambda: shown, "the camera")
    picture_ns, first_ns = 50_000_000, stamp_ns(shown[0])
    camera.say("play")
    sent_ns = first_ns + SENT_AT * picture_ns
    operator.wait(lambda: stamp_ns(shown[-1]) >= sent_ns, "the moment of the request")
    drawn_ns = first_ns + DRAWN_ON * picture_ns
    operator.send_init(clip[DRAWN_ON][1], stamp_ns=drawn_ns if stamped else 0)
    last_ns = first_ns + (len(clip) - 1) * picture_ns
    # Detections of the last picture, which is held, are those of a target that has caught up.
    operator.wait(lambda: len([1 for msg in operator.detections if stamp_ns(msg) == last_ns]) > 5, "the end")
    assert all(stamp_ns(msg) > drawn_ns for msg in operator.detections)
    initialised = [status for status in operator.statuses if "accepted" in operator.value("reason", status)]
    caused_ns = {round(float(operator.value("stamp", status)) * 1e9) for status in initialised}
    assert (caused_ns == {drawn_ns}) is stamped
    found = operator.detections[-1].detections
    return overlap(found[0], clip[-1][1]) if found else 0.0


def test_the_target_has_moved_by_more_than_its_width(clip):
    (x, y, w, _), (later_x, later_y, _, _) = clip[DRAWN_ON][1], clip[SENT_AT][1]
    assert np.hypot(later_x - x, later_y - y) > w


def test_with_the_stamp_of_its_frame_an_old_box_is_the_target(operator, camera, start_node, clip):
    assert followed_from(True, operator, camera, start_node, clip) > 0.5


def test_applied_to_the_newest_frame_it_would_be_something_else(operator, camera, start_node, clip):
    assert followed_from(False, operator, camera, start_node, clip) < 0.5
