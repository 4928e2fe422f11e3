"""A click becomes the box of the thing that it is on, or a square where nothing can be told from the rest."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from recip_tracker_core.errors import BoxError, FrameError
from recip_tracker_core.geometry import iou
from recip_tracker_core.pointing import Pointed, pointed_box

WIDTH, HEIGHT = 640, 480
GROUND_TINT, TARGET_TINT = (70, 110, 90), (190, 120, 60)


def texture(tint: tuple[int, int, int], seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(height, width, 3): a tint with noise of two grains, up to 75 grey levels from it."""
    generator, canvas = np.random.default_rng(seed), np.full((height, width, 3), tint, np.float32)
    for grain_px, strength in ((12, 40), (4, 35)):
        cells = (height // grain_px + 1, width // grain_px + 1, 3)
        noise = generator.uniform(-strength, strength, cells).astype(np.float32)
        canvas += cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def ellipse(across: int, down: int) -> Callable[[np.ndarray, int, int], None]:
    return lambda mask, x, y: cv2.ellipse(mask, (x, y), (across // 2, down // 2), 0, 0, 360, 1, cv2.FILLED)


def square(side: int) -> Callable[[np.ndarray, int, int], None]:
    half = side // 2
    return lambda mask, x, y: cv2.rectangle(
        mask, (x - half, y - half), (x + half - 1, y + half - 1), 1, cv2.FILLED
    )


def triangle(side: int) -> Callable[[np.ndarray, int, int], None]:
    half = side // 2
    return lambda mask, x, y: cv2.fillConvexPoly(
        mask, np.array([[x, y - half], [x - half, y + half], [x + half, y + half]], np.int32), 1
    )


def scene(
    draw: Callable[[np.ndarray, int, int], None], x: int, y: int, width: int = WIDTH, height: int = HEIGHT
) -> tuple[np.ndarray, np.ndarray]:
    """A textured thing on a textured ground, and its (height, width) mask."""
    image, mask = texture(GROUND_TINT, 1, width, height), np.zeros((height, width), np.uint8)
    draw(mask, x, y)
    image[mask > 0] = texture(TARGET_TINT, 2, width, height)[mask > 0]
    return image, mask.astype(bool)


def overlap(pointed: Pointed, mask: np.ndarray) -> float:
    """Of the box with that around a mask."""
    return float(iou(pointed.box.as_array()[None], cv2.boundingRect(mask.astype(np.uint8)))[0])


@pytest.mark.parametrize(
    "at", [(320, 240), (112, 108), (527, 371)], ids=["middle", "upper-left", "lower-right"]
)
@pytest.mark.parametrize("off", [(0.0, 0.0), (0.15, 0.1)], ids=["centred", "off-centre"])
@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(ellipse(20, 20), id="disc-20"),
        pytest.param(ellipse(200, 200), id="disc-200"),
        pytest.param(ellipse(45, 90), id="upright-90"),
        pytest.param(ellipse(100, 200), id="upright-200"),
        pytest.param(ellipse(60, 30), id="lying-60"),
        pytest.param(square(40), id="square-40"),
        pytest.param(square(130), id="square-130"),
        pytest.param(triangle(90), id="triangle-90"),
    ],
)
def test_a_thing_of_its_own_texture_is_found_from_a_click_on_it(
    draw: Callable[[np.ndarray, int, int], None], off: tuple[float, float], at: tuple[int, int]
) -> None:
    image, mask = scene(draw, *at)
    _, _, width, height = cv2.boundingRect(mask.astype(np.uint8))
    pointed = pointed_box(image, at[0] + off[0] * width, at[1] + off[1] * height)
    assert pointed.is_grown
    assert overlap(pointed, mask) > 0.6


def test_the_mask_shows_the_thing_and_the_box_is_drawn_around_it() -> None:
    image, mask = scene(triangle(100), 300, 200)
    pointed = pointed_box(image, 300, 210)
    assert pointed.mask is not None
    assert pointed.mask.shape == mask.shape
    assert pointed.mask[210, 300]
    assert (pointed.mask & mask).sum() > 0.9 * (pointed.mask | mask).sum()
    assert pointed.box.as_array().tolist() == list(cv2.boundingRect(pointed.mask.astype(np.uint8)))


def test_what_looks_the_same_beside_it_is_no_part_of_it() -> None:
    image, mask = scene(square(60), 250, 240)
    for x, y in ((200, 228), (288, 228), (244, 178), (244, 278)):  # eight pixels from it
        image[y : y + 24, x : x + 12] = image[228:252, 244:256]
    assert overlap(pointed_box(image, 250, 240), mask) > 0.9


def test_a_mark_that_is_clicked_on_is_not_the_thing() -> None:
    image, mask = scene(ellipse(90, 90), 250, 240)
    cv2.circle(image, (250, 240), 4, (20, 20, 230), cv2.FILLED)
    assert overlap(pointed_box(image, 250, 240), mask) > 0.9


@pytest.mark.parametrize(
    ("at", "click"),
    [
        pytest.param((10, 240), (4, 240), id="left"),
        pytest.param((635, 240), (635.9, 250), id="right"),
        pytest.param((320, 5), (320, 4), id="top"),
        pytest.param((320, 470), (325, 475.5), id="bottom"),
        pytest.param((20, 470), (4, 476), id="corner"),
    ],
)
def test_a_thing_cut_by_the_border_is_found_as_far_as_it_is_seen(
    at: tuple[int, int], click: tuple[float, float]
) -> None:
    image, mask = scene(ellipse(80, 80), *at)
    pointed = pointed_box(image, *click)
    assert overlap(pointed, mask) > 0.6
    assert pointed.box == pointed.box.clipped(WIDTH, HEIGHT)


def test_a_picture_four_times_as_large_has_a_box_four_times_as_large() -> None:
    image, _ = scene(ellipse(100, 150), 200, 300)
    large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    box, larger = pointed_box(image, 210, 310).box, pointed_box(large, 840, 1240).box
    assert iou(larger.as_array()[None], 4 * box.as_array())[0] > 0.9


def test_a_grey_picture_will_do() -> None:
    image, mask = scene(ellipse(60, 90), 200, 300)
    light = np.clip(image.mean(axis=2) + 60 * mask, 0, 255).astype(np.uint8)
    assert overlap(pointed_box(cv2.cvtColor(light, cv2.COLOR_GRAY2RGB), 200, 300), mask) > 0.6


def noise(strength: float) -> np.ndarray:
    pixels = np.random.default_rng(0).normal(120, strength, (HEIGHT, WIDTH, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def ramp() -> np.ndarray:
    row = np.linspace(0, 255, WIDTH).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)))


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), id="plain"),
        pytest.param(ramp(), id="ramp"),
        pytest.param(noise(3), id="faint-noise"),
        pytest.param(noise(40), id="strong-noise"),
        pytest.param(texture(GROUND_TINT, 1), id="texture"),
    ],
)
def test_where_nothing_stands_out_the_box_is_a_square_and_says_so(image: np.ndarray) -> None:
    # 0.15 of the shorter side, 480, is 72
    pointed = pointed_box(image, 320, 240)
    assert not pointed.is_grown
    assert pointed.mask is None
    assert pointed.box.as_array().tolist() == [284, 204, 72, 72]


def test_what_fills_most_of_the_picture_is_no_answer() -> None:
    # 330 x 470 of 480 x 480 is 0.67, of 640 x 640 0.38
    draw = ellipse(330, 470)
    assert not pointed_box(scene(draw, 240, 240, 480, 480)[0], 240, 240).is_grown
    assert pointed_box(scene(draw, 320, 320, 640, 640)[0], 320, 320).is_grown


@pytest.mark.parametrize("click", [(8, 8), (0, 0), (15.9, 3)], ids=["middle", "corner", "side"])
@pytest.mark.parametrize("tint", [GROUND_TINT, None], ids=["texture", "plain"])
def test_a_tiny_picture_has_a_box(tint: tuple[int, int, int] | None, click: tuple[float, float]) -> None:
    image = np.full((16, 16, 3), 90, np.uint8) if tint is None else texture(tint, 1, 16, 16)
    box = pointed_box(image, *click).box
    assert box == box.clipped(16, 16)


def test_a_picture_of_one_pixel_is_its_own_box() -> None:
    assert pointed_box(np.zeros((1, 1, 3), np.uint8), 0, 0).box.as_array().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("click", "size_px", "expected"),
    [
        pytest.param((50, 40), 20, [40, 30, 20, 20], id="inside"),
        pytest.param((5, 70), 20, [0, 60, 15, 20], id="over-two-borders"),
        pytest.param((50, 40), 500, [0, 0, 100, 80], id="larger-than-the-image"),
    ],
)
def test_a_size_asks_for_a_square_around_the_point(
    click: tuple[float, float], size_px: float, expected: list[float]
) -> None:
    pointed = pointed_box(texture(GROUND_TINT, 1, 100, 80), *click, size_px)
    assert pointed.box.as_array().tolist() == expected
    assert (pointed.mask, pointed.is_grown) == (None, False)


@pytest.mark.parametrize("size_px", [0.0, 20.0], ids=["grown", "square"])
@pytest.mark.parametrize(
    ("click", "named"),
    [
        pytest.param((-1, 5), "-1,5", id="left-of-it"),
        pytest.param((100, 5), "100,5", id="right-of-it"),
        pytest.param((5, 80.5), "5,80.5", id="below-it"),
        pytest.param((5, -0.5), "5,-0.5", id="above-it"),
        pytest.param((math.nan, 5), "nan,5", id="nan"),
        pytest.param((5, math.inf), "5,inf", id="infinite"),
    ],
)
def test_a_point_that_is_not_in_the_image_is_refused_with_both(
    click: tuple[float, float], named: str, size_px: float
) -> None:
    with pytest.raises(BoxError, match="100 x 80") as refusal:
        pointed_box(np.zeros((80, 100, 3), np.uint8), *click, size_px)
    assert named in str(refusal.value)


@pytest.mark.parametrize("size_px", [-3.0, math.nan, math.inf])
def test_a_size_that_is_none_is_refused_by_name(size_px: float) -> None:
    with pytest.raises(BoxError, match=f"got {size_px:g}"):
        pointed_box(np.zeros((80, 100, 3), np.uint8), 5, 5, size_px)


def test_what_is_no_rgb_image_is_refused() -> None:
    with pytest.raises(FrameError, match=r"\(80, 100\)"):
        pointed_box(np.zeros((80, 100), np.uint8), 5, 5)


def test_the_answer_does_not_hang_on_opencvs_generator_nor_move_it() -> None:
    image, _ = scene(ellipse(60, 90), 200, 300)
    answers, next_draws = [], []
    for seed in (1, 2):
        cv2.setRNGSeed(seed)
        answers.append(pointed_box(image, 205, 290))
        next_draws.append(int(cv2.randu(np.zeros((1, 1), np.int32), 0, 1 << 30)[0, 0]))
    assert answers[0].box == answers[1].box
    np.testing.assert_array_equal(answers[0].mask, answers[1].mask)
    cv2.setRNGSeed(2)
    assert int(cv2.randu(np.zeros((1, 1), np.int32), 0, 1 << 30)[0, 0]) == next_draws[1] != next_draws[0]


def test_the_image_is_only_read() -> None:
    image, _ = scene(ellipse(60, 90), 200, 300)
    before = image.copy()
    image.flags.writeable = False
    pointed_box(image, 200, 300)
    np.testing.assert_array_equal(image, before)
