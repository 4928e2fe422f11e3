"""Raw buffers to RGB, by the names of ``sensor_msgs/Image``, and folders of files in their order."""

from pathlib import Path

import numpy as np
import pytest

from recip_tracker_core.errors import FrameError
from recip_tracker_core.images import ENCODINGS, check_layout, image_files, rgb_from_buffer

RED, GREEN = (200, 10, 20), (30, 220, 40)


@pytest.mark.parametrize("padding", [0, 5], ids=["tight", "padded"])
@pytest.mark.parametrize(
    ("encoding", "row", "expected"),
    [
        pytest.param("rgb8", [*RED, *GREEN], [RED, GREEN], id="rgb8"),
        pytest.param("bgr8", [*RED[::-1], *GREEN[::-1]], [RED, GREEN], id="bgr8"),
        pytest.param("mono8", [7, 250], [(7, 7, 7), (250, 250, 250)], id="mono8"),
    ],
)
def test_a_buffer_becomes_the_same_picture_in_rgb(
    encoding: str, row: list[int], expected: list[tuple[int, ...]], padding: int
) -> None:
    data = bytes(row + [99] * padding) * 3
    picture = rgb_from_buffer(data, 3, 2, encoding, len(row) + padding)
    assert picture.shape == (3, 2, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, [expected] * 3)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nobody_can_write_to_the_picture(encoding: str) -> None:
    channels, _ = ENCODINGS[encoding]
    picture = rgb_from_buffer(bytearray(2 * 2 * channels), 2, 2, encoding, 2 * channels)
    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0] = 1


def test_rgb_is_not_copied() -> None:
    data = np.zeros(12, np.uint8)
    assert np.shares_memory(rgb_from_buffer(data, 2, 2, "rgb8", 6), data)


@pytest.mark.parametrize(
    ("layout", "named"),
    [
        pytest.param((2, 2, "16UC1", 4, 8), "'16UC1'", id="unknown-encoding"),
        pytest.param((0, 2, "rgb8", 6, 0), "2 x 0", id="no-rows"),
        pytest.param((2, 0, "mono8", 0, 0), "0 x 2", id="no-columns"),
        pytest.param((2, 2, "rgb8", 5, 10), "step 5", id="step-too-short"),
        pytest.param((2, 2, "rgb8", 6, 11), "11 bytes", id="buffer-too-short"),
        pytest.param((2, 2, "rgb8", 6, 13), "13 bytes", id="buffer-too-long"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_with_the_number_that_is_wrong(
    layout: tuple[int, int, str, int, int], named: str
) -> None:
    with pytest.raises(FrameError) as refusal:
        check_layout(*layout)
    assert named in str(refusal.value)


def test_the_images_of_a_folder_come_by_their_numbers_whatever_their_kind(tmp_path: Path) -> None:
    for name in ("10.jpg", "2.PNG", "1.jpg", "01.jpg", "b²3.bmp", "._1.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in image_files(tmp_path)] == ["01.jpg", "1.jpg", "2.PNG", "10.jpg", "b²3.bmp"]
