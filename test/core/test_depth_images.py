"""Depth images to metres."""

import struct

import numpy as np
import pytest

from recip_tracker_core.depth_images import DEPTH_ENCODINGS, depth_from_buffer
from recip_tracker_core.errors import FrameError

NAN, INF = float("nan"), float("inf")
ROWS = {  # the format of a sample, the samples of a row, and their metres
    "16UC1": ("H", [0, 1, 1500, 65535], [NAN, 0.001, 1.5, 65.535]),
    "mono16": ("H", [0, 1, 1500, 65535], [NAN, 0.001, 1.5, 65.535]),
    "32FC1": ("f", [0.0, -1.0, NAN, INF, -INF, 1.5, 0.25], [NAN, NAN, NAN, NAN, NAN, 1.5, 0.25]),
}


def test_every_encoding_is_held_to_metres_worked_by_hand() -> None:
    assert set(DEPTH_ENCODINGS) == set(ROWS)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("padding", [0, 8, 5], ids=["tight", "padded", "padded-oddly"])
@pytest.mark.parametrize("encoding", ROWS)
def test_depth_is_metres_and_nan_where_there_is_none(encoding: str, padding: int, order: str) -> None:
    sample, row, metres = ROWS[encoding]
    packed = struct.pack(f"{order}{len(row)}{sample}", *row) + b"\x3f" * padding
    depth = depth_from_buffer(packed * 3, 3, len(row), encoding, len(packed), order == ">")
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, np.float32([metres] * 3))


def test_the_buffer_is_left_as_it_was() -> None:
    data = np.float32([[0, 1, NAN]]).view(np.uint8).reshape(-1)
    before = data.copy()
    depth_from_buffer(data, 1, 3, "32FC1", 12)[:] = 7
    np.testing.assert_array_equal(data, before)


@pytest.mark.parametrize("encoding", ["rgb8", "32FC2", "16UC", "16SC1"])
def test_an_encoding_that_is_no_depth_is_refused_with_those_that_are(encoding: str) -> None:
    with pytest.raises(FrameError, match=rf"'{encoding}', expected one of \['16UC1', '32FC1', 'mono16'\]"):
        depth_from_buffer(bytes(4), 1, 1, encoding, 4)


@pytest.mark.parametrize(
    ("layout", "named"),
    [
        pytest.param((0, 2, "16UC1", 4, 0), "empty: 2 x 0", id="no-rows"),
        pytest.param((2, 2, "16UC1", 3, 6), "step 3 .* at least 4", id="step-of-16-bits-too-short"),
        pytest.param((2, 2, "32FC1", 7, 14), "step 7 .* at least 8", id="step-of-32-bits-too-short"),
        pytest.param((2, 2, "16UC1", 4, 10), r"10 bytes, expected step \* height = 4 \* 2 = 8", id="buffer"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_with_the_number_that_is_wrong(
    layout: tuple[int, int, str, int, int], named: str
) -> None:
    *rest, size = layout
    with pytest.raises(FrameError, match=named):
        depth_from_buffer(bytes(size), *rest)
