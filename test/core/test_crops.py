"""A square cut of an image: what it shows is where it says."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from recip_tracker_core.crops import SMALLEST_SCALE, Crop, gridded
from recip_tracker_core.types import BoundingBox

SIDE_PX = 160


def blob_image(at_px: tuple[float, float], radius_px: float) -> np.ndarray:
    """(700, 900, 3): black with a soft white blob, centred to a fraction of a pixel."""
    x, y = np.arange(900) + 0.5 - at_px[0], np.arange(700) + 0.5 - at_px[1]
    squared = x[None] ** 2 + y[:, None] ** 2
    brightness = 255 * np.exp(-0.5 * squared / radius_px**2)
    return np.repeat(brightness.astype(np.uint8)[:, :, None], 3, axis=2)


def brightest(pixels: np.ndarray) -> np.ndarray:
    """Centre of mass, pixels."""
    brightness = pixels[:, :, 0].astype(float)
    at = np.arange(len(pixels)) + 0.5
    return np.array([brightness.sum(axis=0) @ at, brightness.sum(axis=1) @ at]) / brightness.sum()


def test_a_target_gets_the_area_that_it_should_have() -> None:
    # 40 x 10 has the root 20, which becomes 60
    crop = Crop.around(np.array([50.0, 25.0]), np.array([40.0, 10.0]), 60.0, 400)
    assert crop.scale == pytest.approx(3)
    assert crop.center_px.tolist() == [50, 25]


def test_a_long_target_is_shown_smaller_so_that_it_fits() -> None:
    # 200 x 8 has the root 40, which would become 60 at 1.5; 0.62 of 160 is 99.2
    crop = Crop.around(np.array([0.0, 0.0]), np.array([200.0, 8.0]), 60.0, SIDE_PX)
    assert crop.scale == pytest.approx(99.2 / 200)


def test_half_the_zoom_is_half_the_scale_down_to_the_smallest() -> None:
    middle, size = np.array([50.0, 25.0]), np.array([40.0, 10.0])
    assert Crop.around(middle, size, 60.0, 400, zoom=0.5).scale == pytest.approx(1.5)
    assert Crop.around(middle, 1e5 * size, 60.0, 400).scale == SMALLEST_SCALE


@pytest.mark.parametrize("scale", [0.1, 1.0, 7.3])
def test_there_and_back_is_the_same_point(scale: float) -> None:
    crop = Crop(np.array([33.3, -70.1]), scale, SIDE_PX)
    points = np.random.default_rng(0).uniform(-500, 500, (20, 2))
    np.testing.assert_allclose(crop.to_image(crop.to_crop(points)), points, atol=1e-9)
    np.testing.assert_allclose(crop.to_crop(crop.center_px), [80, 80])


def test_boxes_in_the_crop_worked_by_hand() -> None:
    crop = Crop(np.array([50.0, 40.0]), 2.0, SIDE_PX)
    # 5 right of the middle and 10 above it, both doubled
    np.testing.assert_array_equal(
        crop.boxes_to_crop(np.array([[55, 30, 10, 4]], np.float32)), [[90, 60, 20, 8]]
    )


ALTERED = [
    pytest.param({}, id="plain"),
    pytest.param({"is_flipped": True}, id="flipped"),
    pytest.param({"degrees": 20.0}, id="turned"),
    pytest.param({"shift_px": (13.0, -7.5)}, id="shifted"),
    pytest.param({"is_flipped": True, "degrees": -8.0, "shift_px": (-9.0, 4.0)}, id="all-of-it"),
]


def expected_place(crop: Crop, at_px: tuple[float, float], altered: dict) -> np.ndarray:
    """Turned clockwise (y points down), then mirrored, then shifted."""
    x, y = crop.to_crop(np.array(at_px)) - crop.side_px / 2
    turn = math.radians(altered.get("degrees", 0.0))
    x, y = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
    x = -x if altered.get("is_flipped") else x
    return np.array([x, y]) + crop.side_px / 2 + altered.get("shift_px", (0.0, 0.0))


@pytest.mark.parametrize("altered", ALTERED)
@pytest.mark.parametrize("scale", [0.23, 0.5, 0.61, 1.0, 1.7, 4.0])
def test_a_point_is_shown_where_the_crop_says(scale: float, altered: dict) -> None:
    at_px = (451.3 + 14 / scale, 350.6 - 9 / scale)
    crop = Crop(np.array([451.3, 350.6]), scale, SIDE_PX)
    shown = crop.cut(blob_image(at_px, radius_px=4 / scale), **altered)
    assert shown.shape == (SIDE_PX, SIDE_PX, 3)
    np.testing.assert_allclose(brightest(shown), expected_place(crop, at_px, altered), atol=0.1)


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.61, 1.0, 1.7, 4.0])
def test_a_crop_of_whole_pixels_is_nearly_the_same_and_shows_a_point_where_it_says(scale: float) -> None:
    exact = Crop(np.array([451.3, 350.6]), scale, SIDE_PX)
    crop = exact.snapped()
    assert np.abs(crop.center_px - exact.center_px).max() <= 0.5
    assert abs(SIDE_PX / crop.scale - SIDE_PX / scale) <= 0.5
    at_px = (451.3 + 14 / scale, 350.6 - 9 / scale)
    image = blob_image(at_px, radius_px=4 / scale)
    shown = crop.cut(image)
    np.testing.assert_allclose(brightest(shown), crop.to_crop(np.array(at_px)), atol=0.1)
    mirrored = crop.cut(image, is_flipped=True)  # which is cut in the way of all others
    assert np.abs(shown.astype(float) - mirrored[:, ::-1]).mean() < 0.5


@pytest.mark.parametrize("center", [(10.0, 350.0), (899.0, 699.0), (-50.0, 2000.0)])
def test_one_that_reaches_over_the_border_is_as_any_other(center: tuple[float, float]) -> None:
    crop = Crop(np.array(center), 0.9, SIDE_PX).snapped()
    image = np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)
    mirrored = crop.cut(image, is_flipped=True)[:, ::-1]
    assert np.abs(crop.cut(image).astype(float) - mirrored).mean() < 2


def test_pixels_are_cut_as_they_are_at_scale_one() -> None:
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    crop = Crop(np.array([150.0, 110.0]), 1.0, 100)
    np.testing.assert_array_equal(crop.cut(image), image[60:160, 100:200])
    np.testing.assert_array_equal(crop.cut(image, is_flipped=True), image[60:160, 199:99:-1])


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_beyond_the_border_the_rim_goes_on(scale: float) -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    image[:, :40], image[:, 40:] = (200, 10, 10), (10, 10, 200)
    shown = Crop(np.array([0.0, 0.0]), scale, SIDE_PX).cut(image)
    # the left half of the crop and more is red; the blue half begins at column 40
    red_until = 80 + int(40 * scale)
    assert (np.abs(shown[:, : red_until - 2].astype(int) - (200, 10, 10)) <= 1).all()
    if red_until + 2 < SIDE_PX:
        assert (np.abs(shown[:, red_until + 2 :].astype(int) - (10, 10, 200)) <= 1).all()


@pytest.mark.parametrize("center", [(-4000.0, 30.0), (40.0, 9000.0), (500.0, 500.0)])
def test_a_crop_wholly_outside_shows_the_nearest_rim(center: tuple[float, float]) -> None:
    image = np.full((60, 80, 3), (7, 99, 180), np.uint8)
    shown = Crop(np.array(center), 1.3, SIDE_PX).cut(image, degrees=8.0)
    np.testing.assert_array_equal(shown, np.full((SIDE_PX, SIDE_PX, 3), (7, 99, 180), np.uint8))


@pytest.mark.parametrize("altered", ALTERED)
@pytest.mark.parametrize("center", [(400.2, 300.7), (12.0, 590.0), (-40.0, 300.0)], ids=str)
def test_what_is_cut_from_the_part_that_is_seen_is_cut_from_the_whole(
    center: tuple[float, float], altered: dict
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    image = np.asarray(cv2.resize(noise, (800, 600)), np.uint8)
    crop = Crop(np.array(center), 0.9, SIDE_PX)
    # three points of the image and where they are shown say the same to OpenCV; its pixels are centred
    points = [(0.0, 0.0), (800.0, 0.0), (0.0, 600.0)]
    shown = np.array([expected_place(crop, point, altered) for point in points])
    affine = cv2.getAffineTransform(np.float32(points) - np.float32(0.5), np.float32(shown - 0.5))
    whole = cv2.warpAffine(image, affine, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
    difference = np.abs(crop.cut(image, **altered).astype(int) - whole.astype(int))
    assert np.percentile(difference, 99) <= 2  # OpenCV rounds places to 1/32 of a pixel
    assert difference.max() <= 8


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1)], ids=str)
def test_a_degenerate_image_is_cut_too(shape: tuple[int, int]) -> None:
    shown = Crop(np.array([0.5, 0.5]), 0.3, SIDE_PX).cut(np.full((*shape, 3), 50, np.uint8))
    np.testing.assert_array_equal(shown, np.full((SIDE_PX, SIDE_PX, 3), 50, np.uint8))


def test_the_image_is_not_written_to() -> None:
    image = np.full((120, 160, 3), 50, np.uint8)
    image.flags.writeable = False
    Crop(np.array([80.0, 60.0]), 0.5, SIDE_PX).cut(image, degrees=5.0)


def test_shrinking_loses_no_light() -> None:
    # one bright column in four: reading every fourth place alone would show it black, or all bright
    image = np.zeros((600, 800, 3), np.uint8)
    image[:, ::4] = 200
    shown = Crop(np.array([400.0, 300.0]), 0.25, 100).cut(image)
    assert np.abs(shown.astype(int) - 50).max() <= 2


def test_a_box_as_a_grid_shows_the_middles_of_its_cells_and_repeats_the_border():
    image = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    np.testing.assert_array_equal(gridded(image, BoundingBox(2, 1, 4, 4), 4), image[1:5, 2:6])
    np.testing.assert_array_equal(gridded(image, BoundingBox(2, 1, 4, 2), 2), image[1:3, [3, 5]])
    np.testing.assert_array_equal(gridded(image, BoundingBox(-4, 0, 4, 2), 2), image[[0, 1]][:, [0, 0]])
