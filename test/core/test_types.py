"""Boxes, frames and results: values that refuse nonsense at birth."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from recip_tracker_core import errors
from recip_tracker_core.errors import BoxError, FrameError, RecipTrackerError
from recip_tracker_core.types import BoundingBox, Frame


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param((float("nan"), 0, 1, 1), id="nan-x"),
        pytest.param((0, 0, float("inf"), 1), id="infinite-width"),
        pytest.param((0, float("-inf"), 1, 1), id="infinite-y"),
        pytest.param((0, 0, 0, 1), id="no-width"),
        pytest.param((0, 0, 1, -3), id="negative-height"),
    ],
)
def test_a_box_that_is_not_finite_or_has_no_area_does_not_exist(numbers: tuple[float, ...]) -> None:
    with pytest.raises(BoxError):
        BoundingBox(*numbers)


def test_a_box_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        BoundingBox(0, 0, 1, 1).x = 5  # type: ignore[misc]


def test_the_centre_of_a_box_of_one_pixel_is_half_a_pixel_from_its_corner() -> None:
    box = BoundingBox(3, 7, 1, 1)
    assert box.center == (3.5, 7.5)


def test_center_area_and_array_agree_with_a_box_worked_by_hand() -> None:
    box = BoundingBox(10, 20, 6, 4)
    assert box.center == (13, 22)
    assert box.area == 24
    np.testing.assert_array_equal(box.as_array(), np.array([10, 20, 6, 4], np.float32))


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        pytest.param((10, 20, 30, 40), (10, 20, 30, 40), id="wholly-inside"),
        pytest.param((-5, -10, 20, 30), (0, 0, 15, 20), id="top-left"),
        pytest.param((90, 70, 20, 30), (90, 70, 10, 10), id="bottom-right"),
        pytest.param((-9, -9, 500, 500), (0, 0, 100, 80), id="larger-than-the-image"),
        pytest.param((99, 79, 5, 5), (99, 79, 1, 1), id="last-pixel"),
    ],
)
def test_clipping_leaves_the_part_inside_the_image(box: tuple[float, ...], inside: tuple[float, ...]) -> None:
    assert BoundingBox(*box).clipped(100, 80) == BoundingBox(*inside)


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((100, 10, 5, 5), id="touches-from-the-right"),
        pytest.param((-5, 10, 5, 5), id="touches-from-the-left"),
        pytest.param((99.5, 10, 5, 5), id="half-a-pixel"),
        pytest.param((10, 300, 5, 5), id="far-below"),
    ],
)
def test_a_box_with_less_than_a_pixel_inside_is_refused_with_both_sizes(box: tuple[float, ...]) -> None:
    with pytest.raises(BoxError, match="100 x 80") as refusal:
        BoundingBox(*box).clipped(100, 80)
    assert f"{box[0]:g},{box[1]:g}" in str(refusal.value)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((4, 5), np.uint8), id="grey"),
        pytest.param(np.zeros((4, 5, 4), np.uint8), id="four-channels"),
        pytest.param(np.zeros((4, 5, 3), np.float32), id="float"),
        pytest.param(np.zeros((0, 5, 3), np.uint8), id="empty"),
    ],
)
def test_a_frame_that_is_no_rgb_image_is_refused_with_its_shape(image: np.ndarray) -> None:
    with pytest.raises(FrameError) as refusal:
        Frame(image)
    assert str(image.shape) in str(refusal.value)
    assert str(image.dtype) in str(refusal.value)


def test_a_frame_knows_width_from_height() -> None:
    frame = Frame(np.zeros((4, 5, 3), np.uint8))
    assert (frame.width, frame.height) == (5, 4)


def test_every_error_can_be_caught_as_one_kind() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert kinds
    assert all(issubclass(kind, RecipTrackerError) for kind in kinds)
