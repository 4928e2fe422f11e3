"""Overlays for people."""

import numpy as np
import pytest

from recip_tracker_core.drawing import COLORS, attention_overlay, draw_result, side_by_side
from recip_tracker_core.painting import AttentionPicture
from recip_tracker_core.types import BoundingBox, TrackResult, TrackStatus


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def result(status: TrackStatus, box: BoundingBox = BoundingBox(30, 40, 50, 30)) -> TrackResult:  # noqa: B008
    return TrackResult(box, status, 0.5, 0.0, 0, 1)


@pytest.mark.parametrize("status", TrackStatus)
def test_the_picture_is_a_copy(status: TrackStatus) -> None:
    image = grey(120, 160)
    image.flags.writeable = False
    drawn = draw_result(image, result(status))
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == 90).all()


@pytest.mark.parametrize("status", [TrackStatus.TRACKED, TrackStatus.UNCERTAIN])
def test_the_outline_lies_on_the_outermost_pixels_of_the_box_in_its_colour(status: TrackStatus) -> None:
    drawn = draw_result(grey(120, 160), result(status))  # columns 30 to 79, rows 40 to 69
    for row, column in ((55, 30), (55, 79), (40, 60), (69, 60)):
        assert tuple(drawn[row, column]) == COLORS[status]
    for row, column in ((55, 31), (55, 29), (55, 80), (70, 60), (55, 55)):
        assert tuple(drawn[row, column]) == (90, 90, 90)


def test_the_outline_of_a_lost_target_is_dashed() -> None:
    drawn = draw_result(grey(120, 160), result(TrackStatus.LOST))
    bottom = (drawn[69, 30:80] == COLORS[TrackStatus.LOST]).all(axis=1)
    assert 0.4 < bottom.mean() < 0.8


def test_each_state_has_a_colour_of_its_own() -> None:
    assert set(COLORS) == set(TrackStatus)
    assert len(set(COLORS.values())) == len(COLORS)


@pytest.mark.parametrize("status", TrackStatus)
@pytest.mark.parametrize(
    "box",
    [
        pytest.param(BoundingBox(-20, -20, 30, 30), id="over-the-corner"),
        pytest.param(BoundingBox(150, 110, 30, 30), id="over-the-other-corner"),
        pytest.param(BoundingBox(-300, 500, 30, 30), id="outside"),
        pytest.param(BoundingBox(10.4, 10.4, 0.2, 0.2), id="less-than-a-pixel"),
    ],
)
@pytest.mark.parametrize("size", [(120, 160), (9, 12)], ids=["small", "tiny"])
def test_any_box_can_be_drawn_on_any_image(
    status: TrackStatus, box: BoundingBox, size: tuple[int, int]
) -> None:
    assert draw_result(grey(*size), result(status, box)).shape == (*size, 3)


def test_no_attention_shows_the_crop_and_full_attention_the_heat() -> None:
    half = np.zeros((96, 96), np.float32)
    half[:, 48:] = 1
    overlay = attention_overlay(AttentionPicture(grey(96, 96), half), 96)
    assert (overlay[:, :40] == 90).all()
    hot = overlay[48, 80].astype(int)
    assert hot[0] > hot[2] + 20  # TURBO ends in dark red


def test_an_overlay_has_the_size_asked_for() -> None:
    picture = AttentionPicture(grey(96, 96), np.zeros((96, 96), np.float32))
    assert attention_overlay(picture, 50).shape == (50, 50, 3)


@pytest.mark.parametrize("size", [(120, 160), (121, 161), (35, 48)])
@pytest.mark.parametrize("beside", [None, grey(64, 64)], ids=["none-yet", "a-picture"])
def test_two_pictures_side_by_side_have_even_sides(size: tuple[int, int], beside: np.ndarray | None) -> None:
    both = side_by_side(grey(*size), beside)
    height, width, _ = both.shape
    assert (height % 2, width % 2) == (0, 0)
    assert (height, width) == (size[0] // 2 * 2, size[1] // 2 * 2 + size[0] // 2 * 2)
    assert (both[:, : size[1] // 2 * 2] == 90).all()
