"""Buffers to RGB, by encoding, and folders of files in their order."""

from pathlib import Path

import numpy as np
import pytest

from recip_tracker_core.errors import FrameError
from recip_tracker_core.images import ENCODINGS, check_layout, image_files, rgb_from_buffer

RED, GREEN = (200, 10, 20), (30, 220, 40)
GREY = [(7, 7, 7), (250, 250, 250)]

# BT.601 by hand, of Y 81, 180, 126 and 235, the first two with U 90 and V 240, the others without colour.
# 1.164 * 65 = 75.7: red + 1.596 * 112 = 254.4; green - 0.813 * 112 + 0.392 * 38 < 0; blue - 2.017 * 38 < 0.
# 1.164 * 164 = 190.9, so 369 (too much), 114.7 and 114.2; 1.164 * 110 = 128.0; 1.164 * 219 = 254.9.
YUV = [(254, 0, 0), (255, 115, 114), (128, 128, 128), (255, 255, 255)]
UYVY = [90, 81, 240, 180, 128, 126, 128, 235]
YUYV = [81, 90, 180, 240, 126, 128, 235, 128]

EIGHT_BIT = {  # the samples of a row, and what they look like
    "rgb8": ([*RED, *GREEN], [RED, GREEN]),
    "bgr8": ([*RED[::-1], *GREEN[::-1]], [RED, GREEN]),
    "8UC3": ([*RED[::-1], *GREEN[::-1]], [RED, GREEN]),
    "rgba8": ([*RED, 0, *GREEN, 255], [RED, GREEN]),
    "bgra8": ([*RED[::-1], 0, *GREEN[::-1], 255], [RED, GREEN]),
    "mono8": ([7, 250], GREY),
    "8UC1": ([7, 250], GREY),
    "yuv422": (UYVY, YUV),
    "uyvy": (UYVY, YUV),
    "yuv422_yuy2": (YUYV, YUV),
    "yuyv": (YUYV, YUV),
}
SIXTEEN_BIT = {  # the lesser byte must not count: 0x07FF is nearer to 8
    "rgb16": ([0x12FF, 0x3400, 0x5680], [(0x12, 0x34, 0x56)]),
    "bgr16": ([0x12FF, 0x3400, 0x5680], [(0x56, 0x34, 0x12)]),
    "rgba16": ([0x12FF, 0x3400, 0x5680, 0], [(0x12, 0x34, 0x56)]),
    "bgra16": ([0x12FF, 0x3400, 0x5680, 0], [(0x56, 0x34, 0x12)]),
    "mono16": ([0x07FF, 0xFA01], GREY),
    "16UC1": (
        [3000, 3021, 3102],
        [(0, 0, 0), (52, 52, 52), (255, 255, 255)],
    ),  # 21 * 255 / 102 = 52.5, to even
}
PATTERNS = ("rggb", "bggr", "gbrg", "grbg")
BAYER = {f"bayer_{pattern}{bits}" for pattern in PATTERNS for bits in (8, 16)}


def test_every_encoding_is_held_to_pixels_worked_by_hand() -> None:
    assert set(ENCODINGS) == {*EIGHT_BIT, *SIXTEEN_BIT, *BAYER}


@pytest.mark.parametrize("is_bigendian", [False, True], ids=["little", "big"])
@pytest.mark.parametrize("padding", [0, 5], ids=["tight", "padded"])
@pytest.mark.parametrize("encoding", EIGHT_BIT)
def test_samples_of_8_bits_become_the_same_picture_in_rgb_whatever_the_byte_order(
    encoding: str, padding: int, is_bigendian: bool
) -> None:
    row, expected = EIGHT_BIT[encoding]
    data = bytes(row + [99] * padding) * 3
    picture = rgb_from_buffer(data, 3, len(expected), encoding, len(row) + padding, is_bigendian)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, [expected] * 3)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("padding", [0, 4, 5], ids=["tight", "padded", "padded-oddly"])
@pytest.mark.parametrize("encoding", SIXTEEN_BIT)
def test_samples_of_16_bits_become_the_same_picture_in_rgb_in_either_byte_order(
    encoding: str, padding: int, order: str
) -> None:
    row, expected = SIXTEEN_BIT[encoding]
    data = (b"".join(sample.to_bytes(2, order) for sample in row) + b"\x63" * padding) * 3
    picture = rgb_from_buffer(data, 3, len(expected), encoding, 2 * len(row) + padding, order == "big")
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, [expected] * 3)


def mosaic(scene: np.ndarray, pattern: str) -> np.ndarray:
    """(H, W) what a sensor sees of an (H, W, 3) scene through filters; the pattern is two rows of them."""
    seen = np.empty(scene.shape[:2], scene.dtype)
    for place, colour in enumerate(pattern):
        top, left = divmod(place, 2)
        seen[top::2, left::2] = scene[top::2, left::2, "rgb".index(colour)]
    return seen


def test_the_mosaic_of_these_tests_is_the_one_that_its_name_spells() -> None:
    scene = np.broadcast_to(np.uint8([1, 2, 3]), (2, 2, 3))
    assert mosaic(scene, "gbrg").tolist() == [[2, 3], [1, 2]]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("padding", [0, 5], ids=["tight", "padded"])
def test_a_flat_scene_through_a_bayer_pattern_has_its_colour_everywhere(pattern: str, padding: int) -> None:
    seen = mosaic(np.broadcast_to(np.uint8(RED), (5, 6, 3)), pattern)
    rows = np.pad(seen, ((0, 0), (0, padding)), constant_values=99)
    picture = rgb_from_buffer(rows.tobytes(), 5, 6, f"bayer_{pattern}8", rows.shape[1])
    np.testing.assert_array_equal(picture, np.broadcast_to(RED, (5, 6, 3)))


@pytest.mark.parametrize("order", ["<u2", ">u2"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_flat_scene_through_a_bayer_pattern_of_16_bits_has_its_colour_everywhere(
    pattern: str, order: str
) -> None:
    seen = mosaic(np.broadcast_to(np.uint16(RED) * 256 + 255, (5, 6, 3)), pattern).astype(order)
    picture = rgb_from_buffer(seen.tobytes(), 5, 6, f"bayer_{pattern}16", 12, order == ">u2")
    np.testing.assert_array_equal(picture, np.broadcast_to(RED, (5, 6, 3)))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pixel_keeps_the_colour_that_its_filter_saw(pattern: str) -> None:
    seen = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    picture = rgb_from_buffer(seen, 8, 8, f"bayer_{pattern}8", 8)
    inside = (slice(1, -1), slice(1, -1))
    np.testing.assert_array_equal(mosaic(picture, pattern)[inside], seen[inside])


def thermal(samples: np.ndarray) -> np.ndarray:
    """(H, W) grey of a 16UC1 image."""
    height, width = samples.shape
    picture = rgb_from_buffer(samples.astype("<u2").tobytes(), height, width, "16UC1", 2 * width)
    assert (picture == picture[..., :1]).all()
    return picture[..., 0]


def test_16_bits_without_a_range_go_from_their_1st_to_their_99th_percentile() -> None:
    grey = thermal(3000 + np.arange(101)[None])
    # of 0 to 100 the percentiles are 1 and 99: 26 becomes 25 * 255 / 98 = 65.05
    assert grey[0, [0, 1, 26, 99, 100]].tolist() == [0, 0, 65, 255, 255]


def test_the_percentiles_of_a_large_image_are_those_of_its_whole() -> None:
    grey = thermal(np.add.outer(np.arange(480), np.arange(640)) + 8000)
    # x + y <= s has s^2 / 2 of 307200 pixels, 1 % at s = 78 (and at 1040 from the other end)
    assert grey[0, 0] == grey[0, 70] == 0
    assert grey[-1, -1] == grey[-1, -71] == 255
    assert grey[240, 319] == pytest.approx(127.5, abs=1.5)


def test_a_flat_image_of_16_bits_is_black() -> None:
    assert not thermal(np.full((4, 5), 8000)).any()


@pytest.mark.parametrize("level", [7000, 9000], ids=["colder", "warmer"])
def test_something_small_before_a_flat_background_is_seen(level: int) -> None:
    samples = np.full((480, 640), 8000)
    samples[100:120, 200:220] = level
    grey = thermal(samples)
    assert abs(int(grey[110, 210]) - int(grey[0, 0])) == 255


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nobody_can_write_to_the_picture(encoding: str) -> None:
    step = 4 * ENCODINGS[encoding].pixel_bytes
    picture = rgb_from_buffer(bytearray(4 * step), 4, 4, encoding, step)
    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0] = 1


@pytest.mark.parametrize("padding", [0, 5], ids=["tight", "padded"])
def test_rgb_is_not_copied(padding: int) -> None:
    data = np.zeros(2 * (6 + padding), np.uint8)
    assert np.shares_memory(rgb_from_buffer(data, 2, 2, "rgb8", 6 + padding), data)


@pytest.mark.parametrize(
    ("layout", "named"),
    [
        pytest.param((2, 2, "yuv999", 4, 8), "'yuv999'", id="unknown-encoding"),
        pytest.param((0, 2, "rgb8", 6, 0), "empty: 2 x 0", id="no-rows"),
        pytest.param((2, 0, "mono8", 0, 0), "empty: 0 x 2", id="no-columns"),
        pytest.param((2, 2, "rgb8", 5, 10), "step 5", id="step-too-short"),
        pytest.param((2, 2, "mono16", 3, 6),
                     "step 3 is too short for 2 pixels of mono16, expected at least 4",
                     id="step-of-16-bits"),
        pytest.param((2, 2, "rgb8", 6, 11), "11 bytes, expected step * height = 6 * 2 = 12",
                     id="buffer-too-short"),
        pytest.param((2, 2, "rgb8", 6, 13), "13 bytes", id="buffer-too-long"),
        pytest.param((2, 2, "rgb8", 6, 0), "0 bytes", id="no-buffer"),
    ],
)  # fmt: skip
def test_a_layout_that_cannot_be_is_refused_with_the_number_that_is_wrong(
    layout: tuple[int, int, str, int, int], named: str
) -> None:
    with pytest.raises(FrameError) as refusal:
        check_layout(*layout)
    assert named in str(refusal.value)
    *rest, size = layout
    with pytest.raises(FrameError) as same_refusal:
        rgb_from_buffer(bytes(size), *rest)
    assert str(same_refusal.value) == str(refusal.value)


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_an_odd_width_is_refused_where_two_pixels_share_a_colour(encoding: str) -> None:
    with pytest.raises(FrameError, match=rf"{encoding} must be a multiple of 2, got 3"):
        rgb_from_buffer(bytes(12), 2, 3, encoding, 6)


@pytest.mark.parametrize(("height", "width"), [(2, 4), (4, 2)])
def test_a_bayer_image_too_small_to_interpolate_is_refused_and_not_black(height: int, width: int) -> None:
    with pytest.raises(FrameError, match=rf"bayer_rggb8 needs at least 3 x 3 pixels, got {width} x {height}"):
        rgb_from_buffer(bytes(8), height, width, "bayer_rggb8", width)


@pytest.mark.parametrize(
    ("given", "meant"), [("rgb88", "rgb8"), ("bayer_rgbg8", "bayer_rggb8"), ("mono-16", "mono16")]
)
def test_a_misspelt_encoding_is_told_the_nearest_known_one(given: str, meant: str) -> None:
    with pytest.raises(FrameError, match=rf"'{given}', expected one of .*; did you mean '{meant}'\?"):
        rgb_from_buffer(bytes(4), 1, 1, given, 4)


def test_an_encoding_like_none_is_told_those_that_are_known_and_no_guess() -> None:
    with pytest.raises(FrameError, match=r"'32FC1', expected one of .*'rgb8'") as refusal:
        rgb_from_buffer(bytes(4), 1, 1, "32FC1", 4)
    assert "did you mean" not in str(refusal.value)


def test_the_images_of_a_folder_come_by_their_numbers_whatever_their_kind(tmp_path: Path) -> None:
    for name in ("10.jpg", "2.PNG", "1.jpg", "01.jpg", "b²3.bmp", "._1.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in image_files(tmp_path)] == ["01.jpg", "1.jpg", "2.PNG", "10.jpg", "b²3.bmp"]
