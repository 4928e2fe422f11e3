"""From pixels to the robot, over real DDS: a rendered scene whose geometry is known."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from geometry_msgs.msg import PoseStamped, Vector3Stamped
from sensor_msgs.msg import CameraInfo, Image

SMALL = {"map.region_px": 160, "map.target_px": 48.0, "locator.grid": 3, "refiner.grid": 3}
FOCAL_PX, TARGET_M, WALL_M = 600.0, 5.0, 8.0  # a pixel is a tenth of a degree


def image(pixels: np.ndarray, encoding: str) -> Image:
    height, width = pixels.shape[:2]
    data = array("B", pixels.tobytes())
    msg = Image(height=height, width=width, encoding=encoding, step=len(data) // height, data=data)
    msg.header.stamp.sec, msg.header.frame_id = 7, "camera_optical"
    return msg


def test_ray_and_point_are_those_of_the_scene_and_silent_while_it_is_lost(operator, start_node, clip):
    rgb, (x, y, w, h) = clip[0]
    height, width = rgb.shape[:2]
    depth = np.full((height, width), WALL_M * 1000, np.uint16)
    depth[y : y + h, x : x + w] = TARGET_M * 1000
    depth[::3] = 0  # a third is missing
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    center = (width - 1) / 2, (height - 1) / 2  # of the picture, where the first pixel's centre is at 0
    info.k = [FOCAL_PX, 0.0, center[0], 0.0, FOCAL_PX, center[1], 0.0, 0.0, 1.0]

    bearings: list[Vector3Stamped] = []
    poses: list[PoseStamped] = []
    node = operator.node
    node.create_subscription(Vector3Stamped, "/tracker/bearing", bearings.append, 10)
    node.create_subscription(PoseStamped, "/tracker/target_pose", poses.append, 10)
    publishers = [
        node.create_publisher(kind, topic, 5)
        for kind, topic in ((CameraInfo, "/camera_info"), (Image, "/depth"))
    ]
    start_node(**SMALL)
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")

    def show(picture: np.ndarray) -> None:
        for publisher, msg in zip(publishers, (info, image(depth, "16UC1")), strict=True):
            publisher.publish(msg)
        operator.publish(image(picture, "rgb8"))

    operator.send_init((x, y, w, h))
    operator.wait(lambda: show(rgb) or (len(poses) > 2 and len(bearings) > 2), "poses")
    ray = np.array([getattr(bearings[-1].vector, axis) for axis in "xyz"])
    assert np.linalg.norm(ray) == pytest.approx(1)
    centers = [msg.bbox.center.position for msg in operator.detection]  # one of them is that bearing's
    expected = np.array(
        [[at.x - width / 2, at.y - height / 2, FOCAL_PX] for at in centers]
    )  # half-open pixels
    lengths = np.linalg.norm(expected, axis=1)
    assert np.degrees(np.arccos(np.minimum(expected @ ray / lengths, 1))).min() < 0.01
    assert all(np.hypot(at.x - x - w / 2, at.y - y - h / 2) < 0.1 * w for at in centers)
    pose = poses[-1].pose
    assert pose.position.z == pytest.approx(TARGET_M, rel=0.02)
    assert pose.position.x / pose.position.z == pytest.approx(ray[0] / ray[2])
    assert (pose.orientation.x, pose.orientation.w) == (0, 1)
    assert poses[-1].header == image(rgb, "rgb8").header

    grey = np.full_like(rgb, 90)
    operator.wait(lambda: show(grey) or operator.state == "lost", "a target that is lost")
    count = len(operator.detections)
    operator.wait(lambda: show(grey) or len(operator.detections) > count + 2, "what was still on its way")
    del poses[:], bearings[:]
    count = len(operator.detections)
    operator.wait(lambda: show(grey) or len(operator.detections) > count + 5, "answers")
    assert (poses, bearings) == ([], [])


def test_a_camera_that_is_not_calibrated_is_named_in_the_log_and_the_target_is_followed(
    operator, start_node, clip
):
    process = start_node(**SMALL)
    publisher = operator.node.create_publisher(CameraInfo, "/camera_info", 5)
    operator.wait(lambda: operator.state == "idle" and "~/init" in operator.value("reason"), "an idle node")
    operator.send_init(clip[0][1])

    def show() -> None:
        publisher.publish(CameraInfo(width=320, height=240))
        operator.publish(image(clip[0][0], "rgb8"))

    operator.wait(lambda: show() or "calibrated" in process.log.read_text(), "the warning")
    operator.wait(lambda: show() or operator.state == "tracking", "tracking")
