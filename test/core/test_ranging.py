"""The depth of a target in scenes whose geometry is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from recip_tracker_core.errors import FrameError
from recip_tracker_core.ranging import NoRange, Range, central_weight, scaled, target_range
from recip_tracker_core.types import BoundingBox

SIZE = (320, 240)  # width, height
FOCAL_PX = 250
CENTER = (160.3, 119.6)
SIDE = 120.0
BOX = BoundingBox(CENTER[0] - SIDE / 2, CENTER[1] - SIDE / 2, SIDE, SIDE)
SEEDS = range(20)

ROWS, COLUMNS = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
ACROSS = (COLUMNS + 0.5 - CENTER[0]) / SIDE  # in parts of the box, from its centre
DOWN = (ROWS + 0.5 - CENTER[1]) / SIDE

Shape = np.ndarray


def rectangle(part: float) -> Shape:
    """Of so much of either side of the box."""
    return (np.abs(ACROSS) < part / 2) & (np.abs(DOWN) < part / 2)


def ellipse(area: float) -> Shape:
    """Of so much of the box's area."""
    return np.hypot(ACROSS, DOWN) < math.sqrt(area / math.pi)


def post(width: float, at: float = 0.0) -> Shape:
    """Upright, of so much of the box's width; ``at`` is from the middle."""
    return np.abs(ACROSS - at) < width / 2


def slanted(z_m: float, degrees: float) -> np.ndarray:
    """The depth of a plane turned about the vertical through the box's centre, where it has ``z_m``."""
    tangent = math.tan(math.radians(degrees))
    middle = (CENTER[0] - SIZE[0] / 2) / FOCAL_PX
    return z_m * (1 - tangent * middle) / (1 - tangent * (COLUMNS + 0.5 - SIZE[0] / 2) / FOCAL_PX)


def seen(
    seed: int,
    *layers: tuple[Shape, float | np.ndarray],
    wall_m: float = 8,
    missing: float = 0.3,
    noise: float = 0.0025,
) -> np.ndarray:
    """(H, W) metres as a stereo camera has them: noise grows with the square, holes come in patches.

    Args:
        layers: shapes with their depths, the last in front.
    """
    generator = np.random.default_rng(seed)
    depth = np.full(SIZE[::-1], float(wall_m))
    for shape, z_m in layers:
        depth = np.where(shape, z_m, depth)
    depth += noise * depth**2 * generator.standard_normal(depth.shape)
    patches = cv2.GaussianBlur(generator.standard_normal(depth.shape), (0, 0), 4)
    depth[patches < np.quantile(patches, missing)] = np.nan
    return depth.astype(np.float32)


def found(depth: np.ndarray, box: BoundingBox = BOX, weights: np.ndarray | None = None) -> Range:
    result = target_range(depth, box, weights)
    assert isinstance(result, Range), result
    return result


def refused(depth: np.ndarray, box: BoundingBox = BOX, weights: np.ndarray | None = None) -> str:
    result = target_range(depth, box, weights)
    assert isinstance(result, NoRange), result
    return result.reason


SCENES: dict[str, Callable[[int], np.ndarray]] = {
    "box-1.5-times-too-large": lambda seed: seen(seed, (rectangle(1 / 1.5), 5)),
    "fills-its-box": lambda seed: seen(seed, (rectangle(1), 5)),
    "person-of-55-percent": lambda seed: seen(seed, (ellipse(0.55), 5)),
    "person-of-a-quarter": lambda seed: seen(seed, (ellipse(0.25), 5), missing=0.1),
    "post-in-front": lambda seed: seen(seed, (ellipse(0.55), 5), (post(0.15), 3)),
    "post-beside-the-middle": lambda seed: seen(seed, (rectangle(1 / 1.5), 5), (post(0.15, 0.2), 3)),
    "post-in-front-of-all-of-it": lambda seed: seen(seed, (rectangle(1), 5), (post(0.15), 3)),
    "post-just-before-it": lambda seed: seen(seed, (rectangle(1), 5), (post(0.15), 4.6)),
    "slanted-by-30": lambda seed: seen(seed, (rectangle(1 / 1.5), slanted(5, 30))),
    "slanted-by-60": lambda seed: seen(seed, (rectangle(1 / 1.5), slanted(5, 60))),
    "slanted-by-60-fills-its-box": lambda seed: seen(seed, (rectangle(1), slanted(5, -60))),
    "wall-just-behind": lambda seed: seen(seed, (rectangle(1 / 1.5), 5), wall_m=5.5),
    "beside-another": lambda seed: seen(seed, (post(0.6, 0.5), 4.7), (ellipse(0.4), 5)),
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_a_target_is_ranged_to_half_a_percent(scene: Callable[[int], np.ndarray]) -> None:
    errors = [abs(found(scene(seed)).z_m / 5 - 1) for seed in SEEDS]
    assert max(errors) < 0.005


@pytest.mark.parametrize(("z_m", "percent"), [(2, 0.3), (10, 0.7), (20, 2)])
def test_the_error_grows_with_the_noise_of_the_camera(z_m: float, percent: float) -> None:
    scenes = (seen(seed, (rectangle(1 / 1.5), z_m), wall_m=1.6 * z_m) for seed in SEEDS)
    assert max(abs(found(scene).z_m / z_m - 1) for scene in scenes) < percent / 100


def test_millimetres_in_whole_numbers_are_enough() -> None:
    metres = seen(0, (rectangle(1 / 1.5), 5.0004), noise=0)
    millimetres = np.where(np.isnan(metres), 0, np.round(metres * 1000)).astype(np.uint16)
    assert found(millimetres.astype(np.float32) / 1000).z_m == pytest.approx(5, abs=1e-6)


@pytest.mark.parametrize("nothing", [math.nan, math.inf, 0.0, -1.0])
def test_what_is_no_depth_is_left_out(nothing: float) -> None:
    depth = seen(0, (rectangle(1 / 1.5), 5))
    expected = found(depth)
    assert found(np.where(np.isnan(depth), np.float32(nothing), depth)) == expected


def test_share_and_spread_say_what_was_found() -> None:
    whole = found(np.full(SIZE[::-1], 4, np.float32))
    assert (whole.z_m, whole.spread_m, whole.share) == pytest.approx((4, 0, 1))
    # of a normal distribution cut off at two thirds: (erf(2 / 3 * sqrt(2)) / erf(sqrt(2))) ** 2 = .734
    part = found(seen(0, (rectangle(1 / 1.5), 5), missing=0))
    assert part.share == pytest.approx((math.erf(math.sqrt(8) / 3) / math.erf(math.sqrt(2))) ** 2, abs=0.03)
    assert part.spread_m == pytest.approx(0.0025 * 5**2, rel=0.05)


def test_the_weight_is_a_bell_at_the_centre_of_the_box() -> None:
    weight = central_weight(np.array([0.5, 0.75, 1.0]), np.array([0.5, 0.0]))
    # a quarter of the box is one sigma: exp(-1/2), half of it two: exp(-2), and a corner exp(-4)
    np.testing.assert_allclose(weight[0], [1, math.exp(-0.5), math.exp(-2)])
    assert weight[1, 2] == pytest.approx(math.exp(-4))


@pytest.mark.parametrize("seen_up_to", [0.02, -0.1])
def test_a_slanted_target_half_of_which_is_missing_has_the_depth_of_its_centre(seen_up_to: float) -> None:
    depth = seen(0, (rectangle(1), slanted(5, 50)), noise=0, missing=0)
    depth[seen_up_to < ACROSS] = np.nan
    assert found(depth).z_m == pytest.approx(5, rel=1e-4)


def test_a_slope_leads_no_further_than_a_tenth_beyond_what_is_seen() -> None:
    depth = seen(0, (rectangle(1), slanted(5, 80)), noise=0, missing=0)
    depth[ACROSS > -0.1] = np.nan
    assert found(depth).z_m == pytest.approx(1.1 * np.nanmax(np.where(rectangle(1), depth, np.nan)), rel=0.05)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("shape", [rectangle(1 / 1.5), ellipse(0.55)], ids=["box-too-large", "person"])
def test_a_wall_around_a_target_without_depth_is_not_taken_for_it(shape: Shape, missing: float) -> None:
    for seed in SEEDS:
        assert "no surface stands for the target" in refused(seen(seed, (shape, math.nan), missing=missing))


def test_a_post_before_a_target_without_depth_is_not_taken_for_it() -> None:
    for seed in SEEDS:
        refused(seen(seed, (rectangle(1), math.nan), (post(0.15), 3), missing=0))


@pytest.mark.parametrize("nothing", [math.nan, math.inf, 0.0, -1.0])
def test_where_everything_is_missing_there_is_no_range(nothing: float) -> None:
    assert refused(np.full(SIZE[::-1], nothing, np.float32)) == "the box has a depth in 0 places only"


def test_a_few_places_are_no_range() -> None:
    depth = np.full(SIZE[::-1], np.nan, np.float32)
    depth[118:121, 159:162] = 5
    assert refused(depth, BoundingBox(150, 110, 20, 20)) == "the box has a depth in 9 places only"


def test_a_surface_of_a_few_places_is_no_range() -> None:
    depth = np.full((20, 20), np.nan, np.float32)
    depth[8:11, 8:11] = 5
    depth[7, 8:11] = 8
    assert "what is at 5.00 m has" in refused(depth, BoundingBox(6, 5.5, 8, 8))
    depth[7, 8:11] = 5
    assert found(depth, BoundingBox(6, 5.5, 8, 8)).z_m == pytest.approx(5)


def test_a_box_partly_outside_is_ranged_by_what_is_seen_of_it() -> None:
    box = BoundingBox(SIZE[0] - 60, 80, 120, 100)  # half of it
    target = (np.abs(COLUMNS + 0.5 - SIZE[0]) < 40) & (np.abs(ROWS + 0.5 - 130) < 33)
    for seed in SEEDS:
        assert found(seen(seed, (target, 5)), box).z_m == pytest.approx(5, rel=0.005)


@pytest.mark.parametrize(
    "box", [BoundingBox(-50, 10, 50.4, 40), BoundingBox(10, 240, 20, 20), BoundingBox(400, 10, 9, 9)]
)
def test_a_box_outside_has_no_range(box: BoundingBox) -> None:
    assert refused(seen(0), box) == "the box lies outside the depth image"


def test_a_pixel_belongs_to_the_box_if_its_centre_does() -> None:
    depth = np.full((20, 20), 9, np.float32)
    depth[5:10, 5:10] = 2
    assert found(depth, BoundingBox(4.6, 4.6, 5.8, 5.8)).share == pytest.approx(1)
    assert found(depth, BoundingBox(4.4, 4.4, 5.8, 5.8)).share < 0.95


def test_weights_tell_a_slim_target_from_the_wall() -> None:
    slim = post(0.12)
    weights = np.where(post(0.16)[60:180, 100:220], 1, 0.05).astype(np.float32)
    for seed in SEEDS:
        assert found(seen(seed, (slim, 5)), weights=weights).z_m == pytest.approx(5, rel=0.005)


def test_weights_of_any_resolution_are_laid_over_the_box() -> None:
    depth = np.where(ACROSS < 0, np.where(DOWN < 0, 2, 4), 7).astype(np.float32)
    for corner, expected in (((0, 0), 2), ((1, 0), 4), ((0, 1), 7), ((1, 1), 7)):
        weights = np.zeros((2, 2), np.float32)
        weights[corner] = 1
        assert found(depth, weights=weights).z_m == pytest.approx(expected, rel=1e-6)


def test_weights_that_leave_nothing_leave_no_range() -> None:
    assert "0 places" in refused(seen(0), weights=np.zeros((4, 4), np.float32))


@pytest.mark.parametrize("times", [0.1, 0.25, 2])
def test_a_depth_image_of_another_size_needs_a_box_of_its_own(times: float) -> None:
    size = (round(SIZE[0] * times), round(SIZE[1] * times))
    depth = cv2.resize(
        np.where(rectangle(1 / 1.5), 5, 8).astype(np.float32), size, interpolation=cv2.INTER_NEAREST
    )
    assert found(depth, scaled(BOX, SIZE, size)).z_m == pytest.approx(5)


def test_a_box_is_scaled_with_its_image() -> None:
    assert scaled(BoundingBox(10, 20, 30, 40), (640, 480), (320, 120)) == BoundingBox(5, 5, 15, 10)


@pytest.mark.parametrize(
    ("depth", "weights", "reason"),
    [
        pytest.param(
            np.ones((4, 4, 1), np.float32), None, r"\(H, W\) metres, got \(4, 4, 1\)", id="channels"
        ),
        pytest.param(np.ones((4, 4), np.uint16), None, "uint16", id="millimetres"),
        pytest.param(np.ones((4, 4), np.float32), np.full((2, 2), 1.5), r"in \[0, 1\]", id="above-one"),
        pytest.param(np.ones((4, 4), np.float32), np.full((2, 2), np.nan), r"in \[0, 1\]", id="nan"),
        pytest.param(np.ones((4, 4), np.float32), np.ones(3), r"got \(3,\)", id="flat-weights"),
    ],
)
def test_arrays_of_another_kind_are_refused(depth: np.ndarray, weights: np.ndarray, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        target_range(depth, BoundingBox(0, 0, 4, 4), weights)
