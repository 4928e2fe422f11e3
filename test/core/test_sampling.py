"""Training boxes are where their names say, and repeat by their seed."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from recip_tracker_core import sampling
from recip_tracker_core.geometry import centers, iou
from recip_tracker_core.sampling import RegressionSpread
from recip_tracker_core.types import BoundingBox, Boxes

WIDTH, HEIGHT = 200, 150
TARGET = BoundingBox(60, 50, 40, 30)
SPREAD, RELEASED = RegressionSpread(), RegressionSpread(translation=0.3, scale_step=1.5, smallest_area=1.0)
SAMPLERS = {
    "positives": (sampling.positives, 0.7, 1.0),
    "looser_positives": (partial(sampling.positives, overlap=0.5), 0.5, 1.0),
    "first_negatives": (sampling.first_negatives, 0.0, 0.5),
    "negatives": (sampling.negatives, 0.0, 0.3),
    "regression_boxes": (partial(sampling.regression_boxes, spread=SPREAD), 0.6, 1.0),
    "released_regression_boxes": (partial(sampling.regression_boxes, spread=RELEASED), 0.6, 1.0),
}
Sampler = Callable[[BoundingBox, int, int, int, np.random.Generator], Boxes]
every_sampler = pytest.mark.parametrize(("sample", "low", "high"), SAMPLERS.values(), ids=SAMPLERS.keys())


@every_sampler
def test_boxes_overlap_the_target_as_much_as_they_should(sample: Sampler, low: float, high: float) -> None:
    boxes = sample(TARGET, WIDTH, HEIGHT, 300, np.random.default_rng(0))
    overlap = iou(boxes, TARGET.as_array())
    assert boxes.shape == (300, 4)
    assert boxes.dtype == np.float32
    assert overlap.min() >= low
    assert overlap.max() <= high


@every_sampler
@pytest.mark.parametrize(
    "target",
    [
        pytest.param(BoundingBox(0, 0, 40, 30), id="corner"),
        pytest.param(BoundingBox(0, 0, WIDTH, HEIGHT), id="whole-image"),
        pytest.param(BoundingBox(195, 145, 3, 3), id="tiny"),
        pytest.param(BoundingBox(0, 70, WIDTH, 4), id="thin"),
    ],
)
def test_every_centre_lies_in_the_image_whatever_the_target(
    sample: Sampler, low: float, high: float, target: BoundingBox
) -> None:
    boxes = sample(target, WIDTH, HEIGHT, 100, np.random.default_rng(0))
    assert len(boxes) <= 100
    x, y = centers(boxes).T
    tolerance = 1e-3  # of float32, at coordinates of some hundreds
    assert np.all((x >= -tolerance) & (x <= WIDTH + tolerance))
    assert np.all((y >= -tolerance) & (y <= HEIGHT + tolerance))
    overlap = iou(boxes, target.as_array())
    assert np.all((overlap >= low) & (overlap <= high))


@every_sampler
def test_a_seed_repeats_and_another_differs(sample: Sampler, low: float, high: float) -> None:
    first, again, other = (
        sample(TARGET, WIDTH, HEIGHT, 50, np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_target_as_large_as_the_image_still_gives_positives() -> None:
    boxes = sampling.positives(BoundingBox(0, 0, WIDTH, HEIGHT), WIDTH, HEIGHT, 50, np.random.default_rng(0))
    assert len(boxes) == 50


def test_a_target_that_no_box_can_match_gives_none_and_returns() -> None:
    # boxes are at least 2 pixels wide, so none overlaps a box of one pixel by more than a quarter
    boxes = sampling.positives(BoundingBox(50, 50, 1, 1), WIDTH, HEIGHT, 50, np.random.default_rng(0))
    assert boxes.shape == (0, 4)


def test_positives_overlap_by_as_little_as_is_asked_for() -> None:
    boxes = sampling.positives(TARGET, WIDTH, HEIGHT, 500, np.random.default_rng(0), overlap=0.5)
    assert iou(boxes, TARGET.as_array()).min() < 0.68  # and by 0.7 where nothing is


def test_half_of_the_first_negatives_lie_all_over_the_image() -> None:
    boxes = sampling.first_negatives(TARGET, WIDTH, HEIGHT, 1000, np.random.default_rng(0))
    # near ones are displaced by one mean side (35) at most, so these are of the other half
    far = np.abs(centers(boxes) - TARGET.center).max(axis=1) > 36
    assert far[:500].sum() == 0
    columns = np.floor(centers(boxes)[500:, 0] / WIDTH * 4).clip(0, 3)
    assert np.bincount(columns.astype(int), minlength=4).min() > 50


def test_regression_boxes_are_as_often_smaller_than_the_target_as_larger() -> None:
    boxes = sampling.regression_boxes(TARGET, WIDTH, HEIGHT, 1000, np.random.default_rng(0), SPREAD)
    ratio = boxes[:, 2:].prod(axis=1) / TARGET.area
    assert ratio.min() >= 0.5
    assert ratio.max() <= 2
    assert (ratio > 1).mean() == pytest.approx(0.5, abs=0.05)


def test_the_released_regression_boxes_are_larger_than_the_target_and_lie_farther_from_it() -> None:
    near, far = (
        sampling.regression_boxes(TARGET, WIDTH, HEIGHT, 1000, np.random.default_rng(0), spread)
        for spread in (SPREAD, RELEASED)
    )
    ratio = far[:, 2:].prod(axis=1) / TARGET.area
    assert ratio.min() >= 1
    assert 1.5 < ratio.max() <= 2
    # in units of the mean side, 35
    shift = [np.abs(centers(boxes) - TARGET.center).max() / 35 for boxes in (near, far)]
    assert shift[0] == pytest.approx(0.15, abs=0.01)
    assert 0.2 < shift[1] <= 0.3


def test_gaussian_displacement_ends_at_the_translation() -> None:
    boxes = sampling.gaussian(TARGET, 2000, 0.6, 1.05, np.random.default_rng(0))
    shift = np.abs(centers(boxes) - TARGET.center) / ((TARGET.w + TARGET.h) / 2)
    assert shift.max() == pytest.approx(0.6, abs=1e-5)
    assert shift.mean() == pytest.approx(0.6 * 0.5 * np.sqrt(2 / np.pi), rel=0.1)  # of a half normal, 2 sigma
    scale = boxes[:, 2] / TARGET.w
    assert scale.min() >= 1 / 1.05 - 1e-5
    assert scale.max() <= 1.05 + 1e-5
