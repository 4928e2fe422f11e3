"""Messages to values and back, without a node."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D

from recip_tracker_core.errors import BoxError, FrameError
from recip_tracker_core.images import ENCODINGS
from recip_tracker_core.types import BoundingBox, TrackResult, TrackStatus
from recip_tracker_ros import conversions
from recip_tracker_ros.state import State, Status

RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
HEIGHT, WIDTH = 4, 6
CHANNELS = {
    "mono": 1, "bayer": 1, "8UC1": 1, "16UC1": 1, "yuv422": 2,
    "8UC3": 3, "rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4,
}  # fmt: skip


def image(pixels: np.ndarray, encoding: str, padding: int = 0, is_bigendian: bool = False) -> Image:
    """A message of (H, W) or (H, W, C) pixels, in the byte order that they have."""
    height, width = pixels.shape[:2]
    rows = np.pad(pixels.reshape(height, -1).view(np.uint8), ((0, 0), (0, padding)), constant_values=255)
    return Image(
        height=height, width=width, encoding=encoding, is_bigendian=is_bigendian, step=rows.shape[1],
        data=array("B", rows.tobytes()),
    )  # fmt: skip


class StandInBridge:
    """Behaves as cv_bridge does, where it is told to pass an image through.

    One channel has no axis; samples come in this machine's byte order; a row is taken for whole pixels,
    whatever is left over; and big-endian messages, those of 8 bits too, need a method of arrays that numpy 2
    does not have.
    """

    def __init__(self, numpy: int) -> None:
        self.numpy, self.calls = numpy, 0

    def imgmsg_to_cv2(self, msg: Image, desired_encoding: str) -> np.ndarray:
        assert desired_encoding == "passthrough"
        self.calls += 1
        name = msg.encoding if msg.encoding in CHANNELS else msg.encoding.split("_")[0].rstrip("168")
        if name not in CHANNELS:
            raise TypeError(f"Unrecognized image encoding [{msg.encoding}]")
        channels = CHANNELS[name]
        sample = np.dtype("<>"[msg.is_bigendian] + ("u2" if "16" in msg.encoding else "u1"))
        row = msg.step // sample.itemsize // channels
        pixels = np.ndarray((msg.height, row, channels), sample, msg.data)[:, : msg.width]
        if msg.is_bigendian and self.numpy == 2:
            raise AttributeError("`newbyteorder` was removed from the ndarray class")
        pixels = pixels if channels > 1 else pixels[..., 0]
        return np.ascontiguousarray(pixels, sample.newbyteorder("="))


class GivenBridge:
    """A cv_bridge with one answer to everything."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def imgmsg_to_cv2(self, msg: Image, desired_encoding: str) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def noise(encoding: str, padding: int, is_bigendian: bool) -> Image:
    """A message of any encoding."""
    step = WIDTH * ENCODINGS[encoding].pixel_bytes + padding
    data = np.random.default_rng(0).integers(0, 256, HEIGHT * step, dtype=np.uint8)
    return Image(
        height=HEIGHT, width=WIDTH, encoding=encoding, is_bigendian=is_bigendian, step=step,
        data=array("B", data.tobytes()),
    )  # fmt: skip


@pytest.mark.parametrize("numpy", [1, 2])
@pytest.mark.parametrize("is_bigendian", [False, True], ids=["little", "big"])
@pytest.mark.parametrize("padding", [0, 24, 5], ids=["tight", "padded-by-pixels", "padded-oddly"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_gives_the_same_pixels_with_and_without_cv_bridge(
    encoding, padding, is_bigendian, numpy
):
    msg = noise(encoding, padding, is_bigendian)
    frame = conversions.to_frame(msg, 7, StandInBridge(numpy))
    np.testing.assert_array_equal(frame.image, conversions.to_frame(msg, 7).image)
    assert frame.index == 7
    assert not frame.image.flags.writeable


def test_cv_bridge_s_pixels_are_used_where_there_are_any():
    seen = conversions.to_frame(image(RGB, "bgr8"), 0, GivenBridge(RGB + 100)).image
    np.testing.assert_array_equal(seen, RGB[..., ::-1] + 100)


@pytest.mark.parametrize(
    "answer",
    [
        AttributeError("newbyteorder"),
        RuntimeError("built for numpy 1"),
        None,
        np.zeros((2, 2), np.uint8),
        np.zeros((2, 3, 3), np.float32),
    ],
    ids=["raises", "raises-something-else", "nothing", "another-size", "another-type"],
)
def test_a_cv_bridge_that_does_not_work_costs_no_image(answer):
    frame = conversions.to_frame(image(RGB, "rgb8"), 0, GivenBridge(answer))
    np.testing.assert_array_equal(frame.image, RGB)


@pytest.mark.parametrize(
    "bridge", [None, StandInBridge(1), StandInBridge(2)], ids=["own", "numpy-1", "numpy-2"]
)
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_a_message_s_byte_order_is_followed(order, bridge):
    msg = image(np.array([[0x12FF, 0x3400]], order), "mono16", 0, order == ">u2")
    assert conversions.to_frame(msg, 0, bridge).image.tolist() == [[[0x12] * 3, [0x34] * 3]]


@pytest.mark.parametrize("bridge", [None, StandInBridge(1)], ids=["own", "cv_bridge"])
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        pytest.param({"step": 8}, "step 8", id="step"),
        pytest.param({"data": array("B", bytes(10))}, "10 bytes", id="buffer"),
        pytest.param({"data": array("B")}, "0 bytes", id="no-buffer"),
        pytest.param({"height": 0}, "empty: 3 x 0", id="no-rows"),
        pytest.param({"encoding": "rgb9"}, "'rgb9'.*did you mean 'rgb8'", id="encoding"),
    ],
)
def test_a_wrong_message_is_refused_before_anyone_reads_it(wrong, named, bridge):
    msg = image(RGB, "rgb8")
    for field, value in wrong.items():
        setattr(msg, field, value)
    with pytest.raises(FrameError, match=named):
        conversions.to_frame(msg, 0, bridge)


def compressed(pixels: np.ndarray, suffix: str, message_format: str) -> CompressedImage:
    """A message of grey pixels, or of those in the order blue, green, red."""
    data = array("B", cv2.imencode(suffix, pixels)[1].tobytes())
    return CompressedImage(header=Header(stamp=Time(sec=2, nanosec=5)), format=message_format, data=data)


@pytest.mark.parametrize("bridge", [None, StandInBridge(1)], ids=["own", "cv_bridge"])
def test_a_compressed_image_becomes_a_frame_and_cv_bridge_is_not_asked(bridge):
    msg = compressed(RGB[..., ::-1], ".png", "rgb8; png compressed bgr8")
    frame = conversions.to_frame(msg, 7, bridge)
    np.testing.assert_array_equal(frame.image, RGB)
    assert (frame.stamp_ns, frame.index) == (2_000_000_005, 7)
    assert bridge is None or bridge.calls == 0


def test_a_jpeg_becomes_a_frame():
    flat = np.full((16, 16, 3), (20, 10, 200), np.uint8)
    frame = conversions.to_frame(compressed(flat, ".jpg", "bayer_rggb8; jpeg compressed bgr8"), 0)
    assert np.abs(frame.image.astype(int) - (200, 10, 20)).max() <= 3


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_compressed_image_that_is_not_whole_is_refused_with_its_format_and_size(kept):
    msg = compressed(np.zeros((64, 64, 3), np.uint8), ".jpg", "rgb8; jpeg compressed bgr8")
    msg.data = msg.data[:kept]
    with pytest.raises(FrameError, match=f"'rgb8; jpeg compressed bgr8' of {kept} bytes"):
        conversions.to_frame(msg, 0)


def test_compressed_depth_is_no_frame():
    with pytest.raises(FrameError, match="'16UC1; compressedDepth png' is a depth image"):
        conversions.to_frame(compressed(RGB, ".png", "16UC1; compressedDepth png"), 0)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("encoding", "sample", "given"), [("16UC1", "u2", [0, 1500]), ("32FC1", "f4", [-1, 1.5])]
)
def test_a_depth_message_becomes_metres_with_its_stamp(encoding, sample, given, order):
    msg = image(np.array([given], order + sample), encoding, 3, order == ">")
    msg.header.stamp.sec = 4
    depth, stamp_ns = conversions.to_depth(msg)
    np.testing.assert_array_equal(depth, np.float32([[np.nan, 1.5]]))
    assert stamp_ns == 4_000_000_000


def test_a_colour_image_is_no_depth():
    with pytest.raises(FrameError, match="'rgb8'"):
        conversions.to_depth(image(RGB, "rgb8"))


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
    assert len(conversions.to_detections(Header(), [(detection, result)]).detections) == count


def test_the_detections_of_a_frame_are_those_that_are_not_lost():
    header = Header(frame_id="camera")
    answers = []
    for name, status in (("a", TrackStatus.TRACKED), ("b", TrackStatus.LOST), ("c", TrackStatus.UNCERTAIN)):
        result = TrackResult(BoundingBox(10, 20, 30, 40), status, 0.5, 0, 0, 1)
        answers.append((conversions.to_detection(result, header, name, "target"), result))
    message = conversions.to_detections(header, answers)
    assert [one.id for one in message.detections] == ["a", "c"]
    assert message.header == header


def test_a_status_names_all_targets_that_are_followed():
    status = Status(State.TRACKING, target_id="b", targets=("a", "b"))
    message = conversions.to_status_message(status, "/tracker")
    assert {item.key: item.value for item in message.values}["targets"] == "a, b"
    assert message.hardware_id == "b"


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
