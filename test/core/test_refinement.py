"""How a box should change, by ridge regression on jittered boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recip_tracker_core import config
from recip_tracker_core.backbones import Stage
from recip_tracker_core.refinement import BoxRefiner, Correction, Fit, Shape, _reliabilities
from recip_tracker_core.ridge import Moments, RidgeMemory

STAGE = Stage(channels=2, stride=8, first_center_px=7.5, least_px=8, scale=1.0)
MIDDLE = np.full(2, 80.0)


def refiner(**settings: object) -> BoxRefiner:
    return BoxRefiner(replace(config.Refiner(), **settings), STAGE, seed=0)


@pytest.fixture(scope="module")
def weights(scene) -> torch.Tensor:
    """Solved from one view of the first frame."""
    samples = refiner().samples(scene.seen(), MIDDLE, scene.size_px, count=400, draw=0)
    return RidgeMemory(Moments.mean([samples])).solved(ridge=0.3, first_share=0.5, ramp=20)


def ramp() -> torch.Tensor:
    """(2, n, n): each cell holds its own centre, x and y in pixels."""
    at_px = 7.5 + 8 * torch.arange(20.0)
    return torch.stack([at_px.expand(20, 20), at_px[:, None].expand(20, 20)])


@pytest.mark.parametrize("draw", [0, 7, 1000])
def test_the_mean_of_the_jittered_boxes_is_the_box(draw: int) -> None:
    center, size = np.array([83.0, 71.0]), np.array([30.0, 18.0])
    moments = Moments.mean([refiner(grid=2).samples(ramp(), center, size, count=24, draw=draw)])
    means = moments.gram[-1, :-1].reshape(4, 2).mean(dim=0)  # over the four points of the box
    np.testing.assert_allclose(means.numpy(), center, atol=1e-3)
    np.testing.assert_allclose(moments.cross[-1, 2:].numpy(), 0, atol=1e-6)  # and no larger, and no wider


@pytest.mark.parametrize("count", [23, 24])
def test_jitter_stays_in_its_span(count: int) -> None:
    size = np.array([40.0, 20.0])
    centers, sizes = refiner()._jittered(MIDDLE, size, 10 * count, draw=0)
    assert centers.shape == sizes.shape == (10 * count, 2)
    shift = np.abs((centers - MIDDLE) / size)
    assert 0.1 < shift.max() <= 0.12 + 1e-9
    log_size = np.log(sizes / size).mean(axis=1)
    assert 0.12 < np.abs(log_size).max() <= 0.15 + 1e-9
    log_aspect = np.log(sizes[:, 0] / sizes[:, 1] / 2) / 2
    assert 0.04 < np.abs(log_aspect).max() <= 0.06 + 1e-9


@pytest.mark.parametrize(
    ("shift_px", "log_size"),
    [
        pytest.param((4.0, -3.0), 0.0, id="moved"),
        pytest.param((0.0, 0.0), 0.10, id="too-large"),
        pytest.param((-3.0, 3.0), -0.08, id="moved-and-too-small"),
    ],
)
def test_it_undoes_most_of_a_change_that_it_has_learned(
    scene, weights: torch.Tensor, shift_px: tuple[float, float], log_size: float
) -> None:
    changed = scene.size_px * np.exp(log_size)
    (correction,) = refiner().corrections([Fit(scene.seen(), MIDDLE + shift_px, changed, weights, draw=5)])
    left = np.array(shift_px) + correction.shift_px
    assert np.linalg.norm(left) <= 0.4 * np.linalg.norm(shift_px) + 0.2
    assert abs(log_size + correction.log_size) <= 0.4 * abs(log_size) + 0.01
    assert abs(correction.log_aspect) < 0.01


def test_a_box_that_is_right_stays_as_it_is(scene, weights: torch.Tensor) -> None:
    (correction,) = refiner().corrections([Fit(scene.seen(), MIDDLE, scene.size_px, weights, draw=5)])
    assert np.abs(correction.shift_px).max() < 0.5
    assert abs(correction.log_size) < 0.01
    assert abs(correction.log_aspect) < 0.01


def test_what_moves_with_the_target_is_followed(scene, weights: torch.Tensor) -> None:
    features = scene.seen(shift_px=(3.0, -2.0))
    (correction,) = refiner().corrections([Fit(features, MIDDLE, scene.size_px, weights, draw=5)])
    np.testing.assert_allclose(correction.shift_px, (3, -2), atol=1)


def test_answers_that_undo_nothing_are_not_believed(scene) -> None:
    features = scene.seen()
    blind = torch.zeros((4 * 4 * 63 + 1, 4), device=features.device)
    blind[-1] += torch.tensor([0.5, -0.5, 0.2, 0.1], device=features.device)  # the same for every box
    (correction,) = refiner().corrections([Fit(features, MIDDLE, scene.size_px, blind, draw=0)])
    np.testing.assert_allclose(correction.shift_px, 0, atol=1e-3)
    assert correction.log_size == pytest.approx(0, abs=1e-4)
    assert correction.log_aspect == pytest.approx(0, abs=1e-4)


JITTER = np.array([-0.2, -0.1, 0.1, 0.2])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(-JITTER, 1.0, id="undoes-all"),
        pytest.param(-0.5 * JITTER, 0.5, id="undoes-half"),
        pytest.param(-3 * JITTER, 1.0, id="overdoes"),
        pytest.param(JITTER, 0.0, id="makes-it-worse"),
        pytest.param(0.7 - JITTER, 1.0, id="a-constant-is-no-part-of-it"),
        pytest.param(np.array([0.0, 0.2, 0.0, 0.0]), 0.2, id="undoes-one"),  # 0.1 * 0.2 / 0.1
        pytest.param(np.array([0.1, -0.2, -0.2, 0.1]), 0.0, id="unrelated"),
    ],
)
def test_reliability_is_the_share_of_the_jitter_that_is_undone(answer: np.ndarray, expected: float) -> None:
    jitter, answers = (np.stack([values] * 4, axis=1) for values in (JITTER, answer))
    assert _reliabilities(jitter, answers) == pytest.approx([expected] * 3, abs=1e-6)


def test_of_the_centre_both_coordinates_count_together() -> None:
    jitter = np.stack([JITTER] * 4, axis=1)
    answers = jitter * np.array([-1.0, -0.5, -0.25, -0.2])
    assert _reliabilities(jitter, answers) == pytest.approx([0.75, 0.25, 0.2], abs=1e-6)


SIZE = np.array([40.0, 20.0])
HUGE = Correction(np.array([500.0, -500.0]), 2.0, -2.0)
STILL = Correction(np.zeros(2), 0.0, 0.0)


def shaped(size: np.ndarray = SIZE, safe: np.ndarray = SIZE) -> Shape:
    """Of a target that was given with that size."""
    return Shape(size_px=size, first_px=SIZE, safe_px=safe)


@pytest.mark.parametrize(
    ("frames", "expected"), [(0, 0.0), (10, 0.25), (20, 0.5), (500, 0.5)], ids=["0", "10", "20", "500"]
)
def test_of_the_centres_correction_a_share_is_followed_that_grows(frames: int, expected: float) -> None:
    small = Correction(np.array([2.0, -1.0]), 0.0, 0.0)
    shift, size = refiner().refined(small, shaped(), scale=2.0, frames=frames, belief=1.0)
    np.testing.assert_allclose(shift, [expected, -expected / 2])  # one pixel of the image is two of the crop
    np.testing.assert_allclose(size, SIZE)


def test_no_correction_moves_a_box_by_more_than_its_bounds() -> None:
    shift, size = refiner().refined(HUGE, shaped(), scale=2.0, frames=100, belief=1.0)
    assert np.abs(shift / SIZE).max() <= 0.15
    assert size.prod() / SIZE.prod() == pytest.approx(1.06**2)
    assert np.abs(np.log(size / SIZE)).max() <= 1.5 * np.log(1.06) + 1e-9
    smaller = replace(HUGE, log_size=-2.0)
    _, shrunk = refiner().refined(smaller, shaped(), scale=2.0, frames=100, belief=1.0)
    assert shrunk.prod() / SIZE.prod() == pytest.approx(1.06**-2)


def test_a_size_follows_its_share_of_a_small_correction() -> None:
    # 0.8 * 0.05 for both sides, 0.4 * 0.02 for the wider and against the higher
    correction = Correction(np.zeros(2), 0.05, 0.02)
    _, size = refiner().refined(correction, shaped(), scale=1.0, frames=1, belief=1.0)
    np.testing.assert_allclose(np.log(size / SIZE), [0.04 + 0.008, 0.04 - 0.008])


def test_an_aspect_that_has_changed_is_pulled_back_to_the_first() -> None:
    size = np.array([60.0, 20.0])
    for _ in range(200):
        _, size = refiner().refined(STILL, shaped(size), scale=1.0, frames=1, belief=1.0)
    assert size[0] / size[1] == pytest.approx(2, rel=1e-3)
    assert size.prod() == pytest.approx(60 * 20)


def test_the_less_sound_a_peak_is_the_less_its_size_is_followed() -> None:
    wider = Correction(np.zeros(2), 0.05, 0.0)
    growths = [
        np.log(refiner().refined(wider, shaped(), scale=1.0, frames=1, belief=belief)[1] / SIZE)
        for belief in (1.0, 0.5, 0.0)
    ]
    np.testing.assert_allclose(growths, [[0.04, 0.04], [0.02, 0.02], [0, 0]], atol=1e-9)


def test_a_box_that_has_grown_goes_back_to_the_last_safe_size_while_nothing_is_sound() -> None:
    size, grown = 2 * SIZE, [2.0]
    for _ in range(200):
        _, size = refiner().refined(HUGE, shaped(size), scale=1.0, frames=100, belief=0.0)
        grown.append(size[0] / SIZE[0])
    assert (np.diff(grown) <= 0).all()
    np.testing.assert_allclose(size, SIZE, rtol=1e-3)
