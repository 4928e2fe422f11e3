"""From a click to a box, on rendered scenes; how far it gets on real ones is for bench/pointing.py."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from recip_tracker_core.errors import BoxError
from recip_tracker_core.geometry import iou
from recip_tracker_core.pointing import pointed_box


def texture(height: int, width: int, tint: tuple[int, int, int], seed: int) -> np.ndarray:
    noise = (
        np.random.default_rng(seed).uniform(-30, 30, (height // 6 + 1, width // 6 + 1, 3)).astype(np.float32)
    )
    return np.clip(cv2.resize(noise, (width, height)) + np.array(tint), 0, 255).astype(np.uint8)


def scene(
    center: tuple[int, int],
    size: tuple[int, int],
    shape: str = "ellipse",
    image: tuple[int, int] = (640, 480),
) -> tuple[np.ndarray, np.ndarray]:
    """An image with one thing on a textured ground, and the thing's box."""
    width, height = image
    ground = texture(height, width, (90, 130, 100), 1)
    mask = np.zeros((height, width), np.uint8)
    x, y, w, h = center[0] - size[0] // 2, center[1] - size[1] // 2, *size
    if shape == "ellipse":
        cv2.ellipse(mask, center, (w // 2, h // 2), 0, 0, 360, 1, cv2.FILLED)
    else:
        mask[max(y, 0) : y + h, max(x, 0) : x + w] = 1
    ground[mask > 0] = texture(height, width, (190, 80, 60), 2)[mask > 0]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
    return ground, np.array(box, np.float32)


SCENES = {
    "a ball": ((320, 240), (90, 90), "ellipse", (0, 0)),
    "a small thing": ((200, 300), (34, 44), "ellipse", (0, 0)),
    "a tall one": ((400, 220), (70, 170), "ellipse", (0, 0)),
    "a box": ((150, 150), (100, 80), "square", (0, 0)),
    "clicked off its middle": ((320, 240), (90, 110), "ellipse", (12, -18)),
    "at the image's border": ((20, 240), (80, 90), "square", (5, 0)),
}


@pytest.mark.parametrize("name", SCENES)
def test_a_thing_that_stands_out_gets_its_box(name):
    center, size, shape, off = SCENES[name]
    image, truth = scene(center, size, shape)
    before = image.copy()
    pointed = pointed_box(image, center[0] + off[0], center[1] + off[1])
    assert pointed.is_grown
    assert iou(pointed.box.as_array()[None], truth)[0] > 0.6
    assert pointed.mask is not None
    assert pointed.mask.shape == image.shape[:2]
    x, y, w, h = pointed.box.x, pointed.box.y, pointed.box.w, pointed.box.h
    outside = pointed.mask.copy()
    outside[max(int(y) - 1, 0) : int(y + h) + 2, max(int(x) - 1, 0) : int(x + w) + 2] = False
    assert not outside.any()
    np.testing.assert_array_equal(image, before)


def test_two_clicks_on_one_place_give_one_box_whatever_chance_is_used_for_meanwhile():
    image, _ = scene((320, 240), (90, 110))
    first = pointed_box(image, 322.5, 236.0)
    cv2.setRNGSeed(12345)
    second = pointed_box(image, 322.5, 236.0)
    assert first.box == second.box
    np.testing.assert_array_equal(first.mask, second.mask)


@pytest.mark.parametrize(
    ("image", "point"),
    [
        (np.full((480, 640, 3), 120, np.uint8), (320, 240)),
        (np.zeros((16, 16, 3), np.uint8), (3, 12)),
        (np.zeros((4, 900, 3), np.uint8), (899.9, 0)),
    ],
    ids=["a flat image", "a tiny one", "a strip"],
)
def test_where_nothing_stands_out_there_is_a_square_that_says_so(image, point):
    pointed = pointed_box(image, *point)
    height, width = image.shape[:2]
    assert not pointed.is_grown
    assert pointed.mask is None
    box = pointed.box
    assert 0 <= box.x <= point[0] < box.x + box.w <= width
    assert 0 <= box.y <= point[1] < box.y + box.h <= height


def test_a_size_that_is_given_is_the_squares_clipped_to_the_image():
    image, _ = scene((320, 240), (90, 110))
    pointed = pointed_box(image, 10, 240, size_px=50)
    assert (pointed.box.x, pointed.box.y, pointed.box.w, pointed.box.h) == (0, 215, 35, 50)
    assert not pointed.is_grown


@pytest.mark.parametrize("point", [(-1, 5), (640, 5), (5, 480), (float("nan"), 5), (5, float("inf"))])
def test_a_point_that_is_not_in_the_image_is_refused_by_name(point):
    with pytest.raises(BoxError, match=rf"the point {point[0]:g},{point[1]:g} is not .* 640 x 480"):
        pointed_box(np.zeros((480, 640, 3), np.uint8), *point)


def test_grey_images_are_grown_by_their_brightness():
    image, truth = scene((320, 240), (90, 110))
    grey = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] // 2, 3, axis=2)
    grey[int(truth[1]) : int(truth[1] + truth[3]), int(truth[0]) : int(truth[0] + truth[2])] += 110
    assert iou(pointed_box(grey, 320, 240).box.as_array()[None], truth)[0] > 0.6
