"""Attention maps and the reciprocative regulariser: worked by hand, and by gradcheck."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from recip_tracker_core.attention import (
    AttentionPainter,
    attention_map,
    attentive_loss,
    check_level,
    reciprocative_regularizer,
)
from recip_tracker_core.backbones import Backbone
from recip_tracker_core.classifier import BACKGROUND, TARGET, Head
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.types import BoundingBox, Frame

IS_TARGET = torch.tensor([True, False])


def maps(*rows: list[float]) -> Tensor:
    """(N, 1, W) maps of one row each."""
    return torch.tensor(rows)[:, None, :]


def small_head() -> Head:
    """A head in float64 whose units are far from the kinks of relu for :func:`activations`."""
    return Head(channels=2, grid=2, hidden=5, dropout=0.0, seed=1).double()


def activations(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn((count, 2, 2, 2), generator=generator, dtype=torch.float64).requires_grad_(True)


def test_the_map_of_a_linear_score_is_the_positive_part_of_its_weights() -> None:
    weights = torch.tensor([[[1.0, -2.0], [3.0, 0.5]], [[-1.0, 4.0], [2.0, -0.5]]])  # (C, H, W)
    activation = torch.randn(3, 2, 2, 2, requires_grad=True)
    score = (activation * weights).sum(dim=(1, 2, 3))
    expected = torch.tensor([[1.0, 4.0], [5.0, 0.5]])
    torch.testing.assert_close(attention_map(score, activation), expected.expand(3, 2, 2))


def test_the_map_of_a_sample_does_not_see_the_others_in_its_batch() -> None:
    head, batch = small_head(), activations(4)
    alone = batch[2:3].detach().requires_grad_(True)
    torch.testing.assert_close(
        attention_map(head(batch)[:, TARGET], batch)[2:3], attention_map(head(alone)[:, TARGET], alone)
    )


def test_a_loss_on_the_map_reaches_the_weights() -> None:
    weights = torch.tensor([2.0, -3.0], requires_grad=True)
    activation = torch.ones(1, 2, 1, 1, requires_grad=True)
    score = (activation[:, :, 0, 0] * weights).sum(dim=1)
    attention_map(score, activation).sum().backward()
    assert weights.grad is not None
    assert weights.grad.tolist() == [1.0, 0.0]  # the negative part is cut away


def test_the_regulariser_is_what_its_equations_say() -> None:
    # sigma / mu is 1 / 2 for (1, 3), and 2 / 2 for (0, 4)
    target_map = maps([1.0, 3.0], [1.0, 3.0])
    background_map = maps([0.0, 4.0], [0.0, 4.0])
    loss = reciprocative_regularizer(target_map, background_map, IS_TARGET)
    # of a target: 1/2 + 1 / 1; of the background: 1 + 1 / (1/2)
    torch.testing.assert_close(loss, torch.tensor([1.5, 3.0]))


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_the_regulariser_does_not_depend_on_the_scale_of_the_maps(factor: float) -> None:
    one, other = maps([1.0, 3.0], [2.0, 5.0]), maps([0.5, 4.0], [1.0, 1.5])
    torch.testing.assert_close(
        reciprocative_regularizer(factor * one, factor * other, IS_TARGET),
        reciprocative_regularizer(one, other, IS_TARGET),
    )


def test_maps_without_any_attention_give_a_finite_loss_and_finite_gradients() -> None:
    zero = torch.zeros(2, 3, 3, requires_grad=True)
    loss = reciprocative_regularizer(zero, zero, IS_TARGET).sum()
    loss.backward()
    assert loss.isfinite()
    assert zero.grad is not None
    assert zero.grad.isfinite().all()


def test_without_weight_the_loss_is_cross_entropy() -> None:
    scores = torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    # -log 1/2 for the target; log(1 + e^2) for the background
    expected = (np.log(2) + np.log(1 + np.exp(2))) / 2
    loss = attentive_loss(scores, torch.zeros(2, 1, 1, 1), IS_TARGET, weight=0.0)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_the_loss_is_cross_entropy_plus_the_weighted_mean_of_the_regulariser() -> None:
    head, activation = small_head(), activations(2)
    scores = head(activation)
    regulariser = reciprocative_regularizer(
        attention_map(scores[:, TARGET], activation),
        attention_map(scores[:, BACKGROUND], activation),
        IS_TARGET,
    )
    plain, full = (attentive_loss(head(activation), activation, IS_TARGET, weight) for weight in (0.0, 5.0))
    torch.testing.assert_close(full - plain, 5 * regulariser.mean())


def test_the_attention_term_alone_moves_every_layer() -> None:
    head, activation = small_head(), activations(6)
    is_target = torch.arange(6) < 3
    plain, full = (attentive_loss(head(activation), activation, is_target, weight) for weight in (0.0, 1.0))
    weights = [head.fc4.weight, head.fc5.weight, head.fc6.weight]
    for gradient in torch.autograd.grad(full - plain, weights):
        assert gradient.abs().max() > 1e-6


@pytest.mark.parametrize(
    "check", [torch.autograd.gradcheck, torch.autograd.gradgradcheck], ids=["first-order", "second-order"]
)
@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_the_slope_of_the_loss_by_the_weights_is_right(check: Callable[..., bool], weight: float) -> None:
    head, activation = small_head(), activations(4)
    is_target = torch.arange(4) < 2
    names = [name for name, _ in head.named_parameters()]

    def loss(*values: Tensor) -> Tensor:
        scores = functional_call(head, dict(zip(names, values, strict=True)), (activation,))
        return attentive_loss(scores, activation, is_target, weight)

    assert check(loss, [value.detach().clone().requires_grad_(True) for value in head.parameters()])


@pytest.mark.parametrize(
    ("level", "mode"),
    [
        pytest.param("features", "map", id="features-of-a-map"),
        pytest.param("features", "crops", id="features-of-crops"),
        pytest.param("s8", "crops", id="a-stage-of-crops"),
        pytest.param("input", "crops", id="pixels-of-crops"),
    ],
)
def test_a_level_that_can_carry_attention_is_accepted(level: str, mode: str) -> None:
    check_level(level, mode, ("s4", "s8"))


@pytest.mark.parametrize(
    ("level", "mode", "expected"),
    [
        pytest.param("s32", "crops", r"\['input', 's4', 's8', 'features'\]", id="unknown-level"),
        pytest.param("input", "map", "crops", id="pixels-of-a-map"),
        pytest.param("s8", "map", "crops", id="a-stage-of-a-map"),
    ],
)
def test_a_level_that_cannot_is_refused_by_name(level: str, mode: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as refusal:
        check_level(level, mode, ("s4", "s8"))
    assert f"'{level}'" in str(refusal.value)


@pytest.fixture
def painter(backbone: Backbone, device: torch.device) -> AttentionPainter:
    return AttentionPainter(backbone, ("s8", "s16"), 48.0, 3, device)


@pytest.fixture
def head(device: torch.device) -> Head:
    return Head(channels=152, grid=3, hidden=32, dropout=0.5, seed=0).to(device).eval().requires_grad_(False)


@pytest.fixture
def frame() -> Frame:
    return Frame(np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8))


def test_a_picture_peaks_at_one_inside_the_target(
    painter: AttentionPainter, head: Head, frame: Frame
) -> None:
    picture = painter.paint(frame, BoundingBox(60, 40, 40, 30), head)
    assert picture.pixels.shape == (96, 96, 3)
    assert picture.attention.shape == (96, 96)
    assert picture.attention.dtype == np.float32
    assert picture.attention.min() >= 0
    assert picture.attention.max() == 1
    # the crop is twice the root of the area (69 pixels), so the box spans 48 +- 28 by 48 +- 21
    row, column = np.unravel_index(picture.attention.argmax(), picture.attention.shape)
    assert abs(column - 48) <= 28
    assert abs(row - 48) <= 21


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(BoundingBox(-10, -10, 30, 30), id="over-the-corner"),
        pytest.param(BoundingBox(500, 500, 30, 30), id="outside"),
        pytest.param(BoundingBox(3, 3, 2, 2), id="tiny"),
        pytest.param(BoundingBox(0, 0, 160, 120), id="whole-image"),
    ],
)
def test_any_box_has_a_finite_picture(
    painter: AttentionPainter, head: Head, frame: Frame, box: BoundingBox
) -> None:
    attention = painter.paint(frame, box, head).attention
    assert np.isfinite(attention).all()
    assert attention.max() <= 1


def test_a_head_that_attends_to_nothing_gives_a_black_picture(
    painter: AttentionPainter, head: Head, frame: Frame
) -> None:
    nn.init.zeros_(head.fc4.weight)
    assert not painter.paint(frame, BoundingBox(60, 40, 40, 30), head).attention.any()


def test_painting_needs_no_gradients_around_it_and_leaves_none_behind(
    painter: AttentionPainter, head: Head, frame: Frame
) -> None:
    with torch.no_grad():
        painter.paint(frame, BoundingBox(60, 40, 40, 30), head)
    assert all(parameter.grad is None for parameter in head.parameters())
