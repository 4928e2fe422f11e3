"""Messages to values and back, without a node."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D

from recip_tracker_core.errors import BoxError, FrameError
from recip_tracker_core.types import BoundingBox, TrackResult, TrackStatus
from recip_tracker_ros import conversions

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
CASES = {
    "rgb8": (RGB, RGB),
    "bgr8": (RGB[..., ::-1], RGB),
    "mono8": (RGB[..., :1], np.repeat(RGB[..., :1], 3, axis=2)),
}


def image(pixels: np.ndarray, encoding: str, padding: int = 0) -> Image:
    height, width, channels = pixels.shape
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (0, padding)), constant_values=255)
    return Image(
        height=height, width=width, encoding=encoding, step=width * channels + padding,
        data=array("B", rows.tobytes()),
    )  # fmt: skip


class StandInBridge:
    """Behaves as cv_bridge documents passthrough: rows without padding, one channel without an axis."""

    def imgmsg_to_cv2(self, msg: Image, desired_encoding: str) -> np.ndarray:
        assert desired_encoding == "passthrough"
        channels = 1 if msg.encoding == "mono8" else 3
        rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)[:, : msg.width * channels]
        return (
            rows.reshape(msg.height, msg.width) if channels == 1 else rows.reshape(msg.height, msg.width, 3)
        )


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", CASES)
@pytest.mark.parametrize("bridge", [None, StandInBridge()], ids=["own", "cv_bridge"])
def test_every_encoding_gives_the_same_pixels_with_and_without_cv_bridge(encoding, padding, bridge):
    pixels, expected = CASES[encoding]
    frame = conversions.to_frame(image(pixels, encoding, padding), 7, bridge)
    np.testing.assert_array_equal(frame.image, expected)
    assert frame.index == 7
    assert not frame.image.flags.writeable


@pytest.mark.parametrize("bridge", [None, StandInBridge()], ids=["own", "cv_bridge"])
def test_a_wrong_buffer_is_refused_before_anyone_reads_it(bridge):
    msg = image(RGB, "rgb8")
    msg.step = 8
    with pytest.raises(FrameError, match="step 8"):
        conversions.to_frame(msg, 0, bridge)


def test_an_unpadded_rgb_image_is_not_copied():
    msg = image(RGB, "rgb8")
    assert np.shares_memory(conversions.to_frame(msg, 0).image, np.frombuffer(msg.data, np.uint8))


def test_an_outgoing_image_reads_back_as_itself():
    msg = conversions.to_image(RGB[:, ::-1], Header(frame_id="camera"))
    np.testing.assert_array_equal(conversions.to_frame(msg, 0).image, RGB[:, ::-1])
    assert msg.header.frame_id == "camera"


def test_a_box_keeps_its_place_both_ways():
    result = TrackResult(BoundingBox(10, 20, 30, 40), TrackStatus.TRACKED, 0.75, 1.5, 0, 3)
    detection = conversions.to_detection(result, Header(frame_id="camera"), "7", "person")
    assert (detection.bbox.center.position.x, detection.bbox.center.position.y) == (25, 40)
    assert conversions.to_box(detection) == result.box
    assert (detection.id, detection.header.frame_id) == ("7", "camera")
    assert detection.results[0].hypothesis.class_id == "person"
    assert detection.results[0].hypothesis.score == 0.75


@pytest.mark.parametrize(
    ("status", "count"), [(TrackStatus.TRACKED, 1), (TrackStatus.UNCERTAIN, 1), (TrackStatus.LOST, 0)]
)
def test_detections_are_empty_when_lost(status, count):
    result = TrackResult(BoundingBox(10, 20, 30, 40), status, 0.5, 0, 0, 1)
    detection = conversions.to_detection(result, Header(), "1", "target")
    assert len(conversions.to_detections(detection, result).detections) == count


def test_a_turned_box_is_refused():
    detection = Detection2D()
    detection.bbox.size_x = detection.bbox.size_y = 10.0
    detection.bbox.center.theta = 0.1
    with pytest.raises(BoxError, match=r"theta 0\.1"):
        conversions.to_box(detection)


@pytest.mark.parametrize("distribution", ["", "unheard-of"])
def test_cv_bridge_is_left_alone_where_its_numpy_is_unknown(monkeypatch, distribution):
    monkeypatch.setenv("ROS_DISTRO", distribution)
    assert conversions.load_bridge() is None
