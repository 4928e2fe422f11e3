"""Compressed messages to RGB: what their format says of their pixels, and what is not whole."""

from array import array

import cv2
import numpy as np
import pytest

from recip_tracker_core.compressed_images import decoded, rgb_from_compressed
from recip_tracker_core.errors import FrameError

RED = (200, 10, 20)
FLAT = np.broadcast_to(np.uint8(RED), (16, 24, 3))
SAMPLES_16 = np.uint16([[0x12FF, 0x3400, 0x5680]])


def packed(pixels: np.ndarray, suffix: str) -> bytes:
    """A file of pixels that are grey, or in the order blue, green, red."""
    return cv2.imencode(suffix, pixels)[1].tobytes()


@pytest.mark.parametrize(
    "message_format",
    [
        "rgb8; jpeg compressed bgr8",
        "bgr8; jpeg compressed bgr8",
        "bayer_rggb8; jpeg compressed bgr8",
        "yuv422; jpeg compressed bgr8",
        "8UC3; jpeg compressed ",
        "rgb8; jpeg compressed",
        "jpeg",
        "jpg",
        "",
    ],
)
def test_a_jpeg_has_its_own_colours_whatever_the_camera_s_encoding_was(message_format: str) -> None:
    picture = rgb_from_compressed(packed(FLAT[..., ::-1], ".jpg"), message_format)
    assert picture.shape == (16, 24, 3)
    assert np.abs(picture.astype(int) - RED).max() <= 3


@pytest.mark.parametrize(
    "message_format",
    ["rgb8; png compressed bgr8", "bgr8; png compressed bgr8", "rgba8; png compressed bgr8", "png"],
)
def test_a_png_gives_back_its_pixels_exactly(message_format: str) -> None:
    row = np.uint8([[RED[::-1], (0, 0, 255)]])
    picture = rgb_from_compressed(packed(row, ".png"), message_format)
    assert picture.tolist() == [[list(RED), [255, 0, 0]]]


def test_the_codec_s_order_of_colours_is_turned_where_the_format_says_so() -> None:
    red_first = packed(FLAT, ".jpg")  # given red, green, blue where blue, green, red is usual
    picture = rgb_from_compressed(red_first, "bgr8; jpeg compressed rgb8")
    assert np.abs(picture.astype(int) - RED).max() <= 3


def test_what_is_not_seen_does_not_count() -> None:
    picture = rgb_from_compressed(packed(np.uint8([[(*RED[::-1], 0)]]), ".png"), "png")
    assert picture.tolist() == [[list(RED)]]


@pytest.mark.parametrize(
    "message_format",
    [
        pytest.param("mono8; jpeg compressed mono8", id="mono8"),
        pytest.param("mono16; jpeg compressed mono8", id="mono16-made-8-bit"),
        pytest.param("bayer_rggb8; jpeg compressed mono8", id="bayer-made-grey"),
        pytest.param("jpeg", id="plain"),
        pytest.param("16UC1; jpeg compressed ", id="not-of-16-bits"),
        pytest.param("rgb8; jpeg compressed bgr8", id="not-of-3-channels"),
        pytest.param("yuv999; jpeg compressed ", id="unknown"),
    ],
)
def test_a_grey_jpeg_is_grey_whatever_else_its_format_says(message_format: str) -> None:
    picture = rgb_from_compressed(packed(np.full((16, 16), 90, np.uint8), ".jpg"), message_format)
    np.testing.assert_array_equal(picture, np.full((16, 16, 3), 90))


@pytest.mark.parametrize("message_format", ["mono16; png compressed ", "png", "mono16; tiff compressed "])
def test_16_bits_of_grey_become_their_top_byte(message_format: str) -> None:
    suffix = ".tiff" if "tiff" in message_format else ".png"
    picture = rgb_from_compressed(packed(SAMPLES_16, suffix), message_format)
    assert picture.tolist() == [[[0x12] * 3, [0x34] * 3, [0x56] * 3]]


@pytest.mark.parametrize(
    "message_format", ["rgb16; png compressed bgr16", "bgr16; png compressed bgr16", "png"]
)
def test_16_bits_of_colour_become_their_top_bytes(message_format: str) -> None:
    picture = rgb_from_compressed(packed(SAMPLES_16[:, None], ".png"), message_format)
    assert picture.tolist() == [[[0x56, 0x34, 0x12]]]


def test_16_bits_without_a_range_are_stretched_as_a_raw_image_is() -> None:
    picture = rgb_from_compressed(packed(np.uint16([[3000, 3021, 3102]]), ".png"), "16UC1; png compressed ")
    assert picture[0, :, 0].tolist() == [0, 52, 255]  # 21 * 255 / 102 = 52.5, to even


@pytest.mark.parametrize("codec", ["png", "jpeg", "tiff"])
def test_a_bayer_pattern_that_was_packed_as_it_is_becomes_colour(codec: str) -> None:
    pattern = np.tile(np.uint8([[10, 10], [10, 200]]), (8, 8))  # bggr: blue 10, green 10, red 200
    picture = rgb_from_compressed(packed(pattern, f".{codec}"), f"bayer_bggr8; {codec} compressed ")
    assert np.abs(picture.astype(int) - (200, 10, 10)).max() <= (0 if codec != "jpeg" else 12)


def test_a_bayer_pattern_too_small_to_interpolate_is_refused_here_too() -> None:
    with pytest.raises(FrameError, match="bayer_bggr8 needs at least 3 x 3 pixels, got 2 x 2"):
        rgb_from_compressed(packed(np.zeros((2, 2), np.uint8), ".png"), "bayer_bggr8; png compressed ")


@pytest.mark.parametrize(
    ("encoding", "pixel"),
    [("rgb8", RED), ("bgr8", RED[::-1]), ("rgba8", (*RED, 0)), ("bgra8", (*RED[::-1], 0))],
)
def test_a_tiff_has_the_camera_s_order_of_colours(encoding: str, pixel: tuple[int, ...]) -> None:
    picture = rgb_from_compressed(packed(np.uint8([[pixel]]), ".tiff"), f"{encoding}; tiff compressed ")
    assert picture.tolist() == [[list(RED)]]


def test_the_picture_is_read_from_a_message_s_own_array_and_nobody_can_write_to_it() -> None:
    picture = rgb_from_compressed(array("B", packed(FLAT, ".png")), "rgb8; png compressed bgr8")
    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0] = 1


@pytest.mark.parametrize(
    "data", [b"", b"no image", b"\xff\xd8\xff\xd9", bytes(5000)], ids=["empty", "text", "markers", "zeros"]
)
def test_what_is_no_image_is_refused_with_its_format_and_size(data: bytes) -> None:
    with pytest.raises(FrameError, match=rf"'h264' of {len(data)} bytes cannot be decoded"):
        rgb_from_compressed(data, "h264")


@pytest.mark.parametrize(
    "format_of_depth", ["16UC1; compressedDepth png", "32FC1; compressedDepth", "16UC1; compressedDepth rvl"]
)
def test_compressed_depth_is_refused_by_name(format_of_depth: str) -> None:
    data = bytes(12) + packed(SAMPLES_16, ".png")  # the transport puts a header of 12 bytes before the PNG
    with pytest.raises(FrameError, match=f"'{format_of_depth}' is a depth image"):
        rgb_from_compressed(data, format_of_depth)


def test_samples_that_no_camera_sends_are_refused() -> None:
    with pytest.raises(FrameError, match="1 channels of float32, expected 1, 3 or 4 of 8 or 16 bits"):
        rgb_from_compressed(packed(np.zeros((2, 2), np.float32), ".tiff"), "32FC1; tiff compressed ")


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.999])
@pytest.mark.parametrize("tail", [b"", bytes(4096)], ids=["cut", "cut-and-filled-up"])
def test_the_beginning_of_an_image_is_no_image(suffix: str, share: float, tail: bytes) -> None:
    data = packed(NOISE, suffix)
    with pytest.raises(FrameError, match="cannot be decoded, expected a whole"):
        rgb_from_compressed(data[: int(share * len(data))] + tail, suffix)


def test_a_thumbnail_s_end_is_not_the_image_s() -> None:
    inner = packed(FLAT, ".jpg")
    data = packed(NOISE, ".jpg")
    segment = b"\xff\xe1" + (2 + len(inner)).to_bytes(2, "big") + inner
    whole = data[:2] + segment + data[2:]
    assert decoded(whole, "whole").shape == (64, 64, 3)
    with pytest.raises(FrameError):
        decoded(whole[: len(whole) * 3 // 4] + bytes(4096), "cut")


def test_what_fills_up_a_buffer_behind_a_whole_image_does_no_harm() -> None:
    data = packed(NOISE, ".jpg")
    np.testing.assert_array_equal(decoded(data + bytes(100), "filled up"), decoded(data, "plain"))
