"""Camera messages to directions and points, and back, without a node."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from recip_tracker_core.errors import CameraError, FrameError
from recip_tracker_core.pinhole import point_on
from recip_tracker_ros.spatial import DepthRing, to_bearing, to_camera, to_pose

MS = 1_000_000  # nanoseconds
HEADER = Header(stamp=Time(sec=7, nanosec=8), frame_id="camera_optical")
MATRIX = np.array([[420.0, 0, 326.3], [0, 418.0, 241.8], [0, 0, 1]])
RECTIFIED = np.array([[400.0, 0, 310, -40], [0, 400.0, 250, 0], [0, 0, 1, 0]])
DISTORTION = np.array([-0.3, 0.1, 0.001, -0.002, 0.0])
STRAIGHT = np.eye(3)
TURN = cv2.Rodrigues(np.array([0.01, -0.03, 0.005]))[0]
DIRECTION = np.array([0.2, -0.15, 1]) / np.linalg.norm([0.2, -0.15, 1])


def camera_info(**changes: object) -> CameraInfo:
    values = {
        "width": 640, "height": 480, "distortion_model": "plumb_bob", "d": DISTORTION.tolist(),
        "k": MATRIX.ravel(), "r": np.eye(3).ravel(), "p": RECTIFIED.ravel(),
    }  # fmt: skip
    return CameraInfo(**(values | changes))


def raw_pixel(direction: np.ndarray, turn: np.ndarray = STRAIGHT) -> np.ndarray:
    """Where the raw image shows a direction of the optical frame, with the first pixel's left edge at 0."""
    in_camera = (turn.T @ direction)[None]
    return cv2.projectPoints(in_camera, np.zeros(3), np.zeros(3), MATRIX, DISTORTION)[0].ravel() + 0.5


def test_a_raw_image_goes_by_the_matrix_and_the_lens() -> None:
    camera = to_camera(camera_info(), is_rectified=False)
    np.testing.assert_allclose(camera.ray(*raw_pixel(DIRECTION), (640, 480)), DIRECTION, atol=1e-8)


def test_a_rectified_image_goes_by_the_projection_alone() -> None:
    camera = to_camera(camera_info(distortion_model="unheard-of"), is_rectified=True)
    # (350, 190, 400) / 400 from the first pixel's centre: (.1, -.15, 1)
    ray = camera.ray(350.5, 190.5, (640, 480))
    np.testing.assert_allclose(ray / ray[2], [0.1, -0.15, 1])


def test_the_raw_and_the_rectified_image_give_the_same_direction() -> None:
    info = camera_info(r=TURN.ravel())
    u, v, w = RECTIFIED[:, :3] @ DIRECTION
    rectified = to_camera(info, is_rectified=True).ray(u / w + 0.5, v / w + 0.5, (640, 480))
    raw = to_camera(info, is_rectified=False).ray(*raw_pixel(DIRECTION, TURN), (640, 480))
    np.testing.assert_allclose(raw, rectified, atol=1e-8)


def test_an_unset_rectification_turns_nothing() -> None:
    unset = to_camera(camera_info(r=np.zeros(9)), is_rectified=False)
    assert unset == to_camera(camera_info(), is_rectified=False)


@pytest.mark.parametrize("is_rectified", [False, True])
def test_a_window_in_bins_shows_the_directions_of_its_pixels(is_rectified: bool) -> None:
    whole = to_camera(camera_info(), is_rectified=is_rectified)
    roi = RegionOfInterest(x_offset=100, y_offset=40, width=300, height=200)
    part = to_camera(camera_info(roi=roi, binning_x=2, binning_y=4), is_rectified=is_rectified)
    assert (part.width, part.height) == (150, 50)
    # its pixel (10, 5) is made of columns 120 and 121 and rows 60 to 63
    ray = part.ray(10.5, 5.5, (150, 50))
    np.testing.assert_allclose(ray, whole.ray(121, 62, (640, 480)), atol=1e-9)


def test_a_window_without_a_size_is_all_there_is() -> None:
    assert to_camera(camera_info(), is_rectified=False).width == 640
    offset = camera_info(roi=RegionOfInterest(x_offset=40))
    assert to_camera(offset, is_rectified=False).width == 600


def test_bins_of_zero_are_none() -> None:
    ones = to_camera(camera_info(binning_x=1, binning_y=1), is_rectified=False)
    assert ones == to_camera(camera_info(binning_x=0, binning_y=0), is_rectified=False)


@pytest.mark.parametrize("is_rectified", [False, True])
def test_an_uncalibrated_camera_is_called_so(is_rectified: bool) -> None:
    with pytest.raises(CameraError, match="uncalibrated"):
        to_camera(CameraInfo(width=640, height=480), is_rectified=is_rectified)


def test_an_unknown_lens_is_refused_by_its_name() -> None:
    with pytest.raises(CameraError, match="'Mei'"):
        to_camera(camera_info(distortion_model="Mei"), is_rectified=False)


def test_a_window_outside_the_sensor_is_refused() -> None:
    with pytest.raises(CameraError, match="must have a size, got -160 x 480"):
        to_camera(camera_info(roi=RegionOfInterest(x_offset=800)), is_rectified=False)


def depth_image(stamp_ms: int, metres: float = 0, encoding: str = "32FC1") -> Image:
    data = array("B", np.full((2, 3), metres, np.float32).tobytes())
    header = Header(stamp=Time(sec=stamp_ms // 1000, nanosec=stamp_ms % 1000 * MS))
    return Image(header=header, height=2, width=3, encoding=encoding, step=12, data=data)


@pytest.mark.parametrize(
    ("stamp_ms", "metres"),
    [
        (1000, 1),
        (1049, 2),
        (1051, 2),
        (1076, 3),
        (2000, None),
        (960, 1),
        (959, None),
        (1140, 3),
        (1141, None),
    ],
)
def test_the_depth_image_nearest_in_time_is_found(stamp_ms: int, metres: float | None) -> None:
    ring = DepthRing(4)
    for at_ms, value in ((1000, 1), (1050, 2), (1100, 3)):
        ring.add(depth_image(at_ms, value))
    depth = ring.nearest(stamp_ms * MS, 40 * MS)
    if metres is None:
        assert depth is None
    else:
        np.testing.assert_array_equal(depth, np.full((2, 3), metres))


def test_an_empty_ring_has_no_depth() -> None:
    assert DepthRing(4).nearest(0, 10**18) is None


def test_the_oldest_depth_image_goes_when_the_ring_is_full() -> None:
    ring = DepthRing(2)
    for stamp_ms in (10, 20, 30):
        ring.add(depth_image(stamp_ms, stamp_ms))
    assert ring.nearest(10 * MS, 5 * MS) is None
    assert ring.nearest(20 * MS, 5 * MS)[0, 0] == 20


def test_only_the_depth_image_that_is_used_is_read() -> None:
    ring = DepthRing(2)
    ring.add(depth_image(10, 1))
    ring.add(depth_image(20, 1, encoding="rgb8"))
    assert ring.nearest(10 * MS, 5 * MS) is not None
    with pytest.raises(FrameError, match="rgb8"):
        ring.nearest(20 * MS, 5 * MS)


@pytest.mark.parametrize(
    "vector",
    [np.array([0, 0, 1]), np.array([0.6, 0, 0.8], np.float32), [0, -1, 2]],
    ids=["int", "float32", "list"],
)
def test_messages_of_any_numbers_can_be_sent(vector: np.ndarray) -> None:
    bearing = to_bearing(vector, HEADER)
    pose = to_pose(vector, HEADER)
    for message in (bearing, pose):
        assert message.header == HEADER
        assert deserialize_message(serialize_message(message), type(message)) == message
    assert (bearing.vector.x, bearing.vector.y, bearing.vector.z) == tuple(map(float, vector))
    position, turn = pose.pose.position, pose.pose.orientation
    assert (position.x, position.y, position.z) == tuple(map(float, vector))
    assert (turn.x, turn.y, turn.z, turn.w) == (0, 0, 0, 1)


def test_a_pose_lies_where_the_camera_sees_the_middle_of_the_box() -> None:
    camera = to_camera(camera_info(), is_rectified=True)
    pose = to_pose(point_on(camera.ray(350.5, 190.5, (640, 480)), 5), HEADER).pose.position
    assert (pose.x, pose.y, pose.z) == pytest.approx((0.5, -0.75, 5))
