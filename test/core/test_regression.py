"""Boxes are corrected by what is linear in their features."""

import numpy as np
import pytest
import torch
from torch import Tensor

from recip_tracker_core.geometry import centers, from_centers, iou
from recip_tracker_core.regression import MAX_LOG_SCALE, BoxRegressor, Unrefined, fit_boxes
from recip_tracker_core.types import BoundingBox, Boxes

TARGET = BoundingBox(60, 50, 40, 30)


class LinearView:
    """A view whose 12 features are linear in how a box differs from ``TARGET``, plus a constant."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self._mixing = generator.normal(size=(4, 12))
        self._constant = generator.normal(size=12)

    def covers(self, boxes: Boxes) -> np.ndarray:
        return np.ones(len(boxes), bool)

    def sample(self, boxes: Boxes) -> Tensor:
        truth = TARGET.as_array()
        shift = (centers(truth[None]) - centers(boxes)) / boxes[:, 2:]
        difference = np.concatenate([shift, np.log(truth[2:] / boxes[:, 2:])], axis=1)
        return torch.from_numpy(difference @ self._mixing + self._constant).float().reshape(-1, 12, 1, 1)


def jittered(count: int, seed: int) -> Boxes:
    generator = np.random.default_rng(seed)
    center = np.array(TARGET.center) + generator.uniform(-8, 8, (count, 2))
    return from_centers(center, np.array([40, 30]) * np.exp(generator.uniform(-0.2, 0.2, (count, 2))))


def test_a_linear_relation_is_recovered_on_boxes_not_seen() -> None:
    view, seen, unseen = LinearView(), jittered(200, seed=1), jittered(50, seed=2)
    regressor = fit_boxes(view.sample(seen), seen, TARGET, ridge=1e-4, size_share=1.0)
    assert iou(unseen, TARGET.as_array()).mean() < 0.8
    assert iou(regressor.refine(view, unseen), TARGET.as_array()).min() > 0.99


def test_an_endless_penalty_leaves_the_mean_correction_alone() -> None:
    view, seen = LinearView(), jittered(200, seed=1)
    regressor = fit_boxes(view.sample(seen), seen, TARGET, ridge=1e12, size_share=1.0)
    assert regressor.weights.abs().max().item() < 1e-6
    shift = ((np.array(TARGET.center) - centers(seen)) / seen[:, 2:]).mean(axis=0)
    np.testing.assert_allclose(regressor.offset[:2], shift, atol=1e-6)


def test_an_absolute_penalty_does_not_know_the_scale_of_the_features_and_a_relative_one_does() -> None:
    view, seen = LinearView(), jittered(200, seed=1)

    def found(factor: float, *, is_relative: bool) -> Tensor:
        """What such features predict of the boxes they are of."""
        features = factor * view.sample(seen)
        regressor = fit_boxes(features, seen, TARGET, 1.0, 1.0, is_relative=is_relative)
        return (features.flatten(1) - regressor.mean) @ regressor.weights

    torch.testing.assert_close(
        found(0.01, is_relative=True), found(1.0, is_relative=True), rtol=1e-3, atol=1e-6
    )
    large, small = (found(factor, is_relative=False).norm() for factor in (1.0, 0.01))
    assert small < 0.1 * large


def test_the_weights_are_those_of_ridge_regression_by_its_formula() -> None:
    view, seen = LinearView(), jittered(200, seed=1)
    # Of centred features x and corrections y: (x'x + penalty)^-1 x'y
    features = view.sample(seen).flatten(1).double()
    x = features - features.mean(dim=0)
    regressor = fit_boxes(view.sample(seen), seen, TARGET, 7.0, 1.0, is_relative=False)
    shift = (np.array(TARGET.center) - centers(seen)) / seen[:, 2:]
    y = torch.from_numpy(np.concatenate([shift, np.log(np.array([40, 30]) / seen[:, 2:])], axis=1)).double()
    expected = torch.linalg.solve(x.T @ x + 7.0 * torch.eye(12), x.T @ (y - y.mean(dim=0)))
    torch.testing.assert_close(regressor.weights.double(), expected, rtol=1e-3, atol=1e-5)


def constant(
    shift: tuple[float, float], log_scale: tuple[float, float], size_share: float = 1.0
) -> BoxRegressor:
    """A regression that corrects every box alike."""
    return BoxRegressor(
        torch.zeros(12), torch.zeros(12, 4), torch.tensor([*shift, *log_scale]), size_share=size_share
    )


def test_a_correction_moves_by_box_sizes_and_scales_by_exponentials() -> None:
    regressor = constant((0.5, -0.1), (np.log(1.2), np.log(0.9)))
    refined = regressor.refine(LinearView(), np.array([[10, 10, 20, 10]], np.float32))
    # centre (20, 15) moves by (10, -1); size (20, 10) becomes (24, 9)
    np.testing.assert_allclose(refined, [[18, 9.5, 24, 9]], rtol=1e-5)


@pytest.mark.parametrize(("share", "width"), [(0.0, 20.0), (0.5, 22.0), (1.0, 24.2)])
def test_of_the_size_no_more_than_its_share_is_corrected(share: float, width: float) -> None:
    regressor = constant((0.5, 0.0), (np.log(1.21), 0.0), size_share=share)
    refined = regressor.refine(LinearView(), np.array([[10, 10, 20, 10]], np.float32))
    np.testing.assert_allclose(centers(refined), [[30, 15]], rtol=1e-5)
    np.testing.assert_allclose(refined[0, 2:], [width, 10], rtol=1e-5)


@pytest.mark.parametrize("sign", [1, -1], ids=["larger", "smaller"])
def test_a_size_changes_by_no_more_than_the_bound(sign: int) -> None:
    refined = constant((0, 0), (5.0 * sign, 5.0 * sign)).refine(LinearView(), TARGET.as_array()[None])
    np.testing.assert_allclose(refined[0, 2:], np.exp(sign * MAX_LOG_SCALE) * np.array([40, 30]), rtol=1e-5)


def test_features_without_any_variance_give_a_finite_box() -> None:
    boxes = jittered(20, seed=1)
    regressor = fit_boxes(torch.ones(20, 12, 1, 1), boxes, TARGET, ridge=1000.0, size_share=1.0)
    assert np.isfinite(regressor.refine(LinearView(), boxes)).all()


def test_unrefined_boxes_are_the_same() -> None:
    boxes = jittered(3, seed=1)
    np.testing.assert_array_equal(Unrefined().refine(LinearView(), boxes), boxes)
