"""Attention maps and the reciprocative regulariser: worked by hand, and by gradcheck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from recip_tracker_core.attention import (
    READINGS,
    Reading,
    Sensitivity,
    as_printed,
    as_released,
    attention_map,
    attentive_loss,
    box_mask,
    boxed,
    classification_loss,
    evened,
    reciprocative_regularizer,
)
from recip_tracker_core.classifier import BACKGROUND, TARGET, Head
from recip_tracker_core.config import TrackerConfig
from recip_tracker_core.parameters import describe

IS_TARGET = torch.tensor([True, False])
every_reading = pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)


def maps(*rows: list[float]) -> Tensor:
    """(N, 1, W) maps of one row each."""
    return torch.tensor(rows)[:, None, :]


def sensitivity(
    target: list[list[float]],
    background: list[list[float]],
    is_target: Tensor = IS_TARGET,
    border: float = 0.0,
) -> Sensitivity:
    """Of samples with one row of cells each, and two channels, of which the second is empty."""
    positive = torch.stack([maps(*background), maps(*target)])[:, :, None]  # (2, N, 1, 1, W)
    assert (BACKGROUND, TARGET) == (0, 1)
    return Sensitivity(torch.cat([positive, torch.zeros_like(positive)], dim=2), is_target, border)


def with_negatives(seen: Sensitivity) -> Sensitivity:
    """The same with a channel whose gradients are all negative."""
    gradients = seen.gradients.clone()
    gradients[:, :, 1] = -torch.arange(1.0, 1 + gradients.shape[-1])
    return replace(seen, gradients=gradients)


def drawn(count: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """(2, count, 3, 4, 4) gradients."""
    return torch.randn((2, count, 3, 4, 4), generator=torch.Generator().manual_seed(seed), dtype=dtype)


def small_head() -> Head:
    """A head in float64 whose units are far from the kinks of relu for :func:`activations`."""
    return Head(channels=2, grid=2, hidden=5, dropout=0.0, seed=1).double()


def activations(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn((count, 2, 2, 2), generator=generator, dtype=torch.float64).requires_grad_(True)


def loss_of(head: Head, features: Tensor, is_target: Tensor, reading: Reading, weight: float) -> Tensor:
    """Eq. 5 with attention over the features."""
    scores, gradients = head.with_gradients(features)
    return attentive_loss(scores, Sensitivity(gradients, is_target, border=0.1), reading, weight)


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


def test_there_is_a_reading_for_each_choice_of_the_parameter() -> None:
    (parameter,) = [item for item in describe(TrackerConfig()) if item.name == "attention.reading"]
    assert parameter.choices == tuple(READINGS)


# Of one target and one background; sigma / mu is 1 / 2 for (1, 3), and 2 / 2 for (0, 4).
PAIR = sensitivity(target=[[1.0, 3.0], [1.0, 3.0]], background=[[0.0, 4.0], [0.0, 4.0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("paper", 1.5 + 3.0, id="paper"),  # 1/2 + 1 / 1, and 1 + 1 / (1/2)
        # Squares (1, 9) and (0, 16), sigma / mu 4/5 and 1: 4/5 + 1 / 1, and 1 + 1 / (4/5).
        pytest.param("released", 1.8 + 2.25, id="released"),
        # Shares 1/3 and 1/2 of sigma + mu: 1/3 + 1 - 1/2, and 1/2 + 1 - 1/3.
        pytest.param("bounded", 5 / 6 + 7 / 6, id="bounded"),
        # Cosines with (1, 1), 4 / sqrt(20) and 1 / sqrt(2): each counts once for and once against.
        pytest.param("box", 2.0, id="box"),
        pytest.param("evened", 1.5 + 3.0, id="evened"),  # the paper's
    ],
)
def test_a_reading_is_what_its_formula_says(name: str, expected: float) -> None:
    assert READINGS[name](PAIR).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", sorted(set(READINGS) - {"released"}))
def test_negative_gradients_are_cut_away(name: str) -> None:
    torch.testing.assert_close(READINGS[name](with_negatives(PAIR)), READINGS[name](PAIR))


def test_the_released_code_squares_negative_gradients_too() -> None:
    # one target sample; squares of (1, 3) and (-1, -2) add up to (2, 13), of (0, 4) and those to (1, 20)
    seen = with_negatives(sensitivity([[1.0, 3.0]], [[0.0, 4.0]], torch.tensor([True])))
    assert as_released(seen).item() == pytest.approx(5.5 / 7.5 + 10.5 / 9.5, rel=1e-5)


def test_the_released_code_has_one_ratio_a_batch() -> None:
    root = [value**0.5 for value in range(10)]
    seen = sensitivity(
        # Sums of targets: sigma 1 + 2, mu 2 + 2 of their own maps, sigma 2 + 0, mu 2 + 2 of the others.
        target=[[root[1], root[3]], [root[0], root[4]], [root[0], root[4]]],
        background=[[root[0], root[4]], [root[2], root[2]], [root[1], root[3]]],
        is_target=torch.tensor([True, True, False]),
    )
    # The background's: its own 1 / 2, the other 2 / 2.
    assert as_released(seen).item() == pytest.approx(3 / 4 + 4 / 2 + 1 / 2 + 2 / 2, rel=1e-5)


@pytest.mark.parametrize("kind", [True, False], ids=["targets", "background"])
def test_the_released_code_counts_one_class_where_there_is_no_other(kind: bool) -> None:
    seen = replace(PAIR, is_target=torch.tensor([kind, kind]))
    expected = {True: 4 / 5 + 1, False: 1 + 5 / 4}[kind]
    assert as_released(seen).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("factor", [0.1, 1 / 7, 10.0])
def test_what_the_released_code_weighs_scores_with_changes_nothing(factor: float) -> None:
    seen = Sensitivity(drawn(4), torch.arange(4) < 2)
    weighed = replace(seen, gradients=factor * seen.gradients)
    torch.testing.assert_close(as_released(weighed), as_released(seen))


def every_kind_of_map() -> dict[str, Tensor]:
    """(2, 1, 1, 4, 4) gradients of one sample."""
    spike = torch.zeros(1, 1, 4, 4)
    spike[..., 1, 2] = 5.0
    corner = torch.zeros(1, 1, 4, 4)
    corner[..., 0, 0] = 5.0
    even, nothing, tiny, huge = (torch.full((1, 1, 4, 4), value) for value in (1.0, 0.0, 1e-12, 1e12))
    kinds = {
        "even": even,
        "spike": spike,
        "corner": corner,
        "nothing": nothing,
        "tiny": tiny,
        "huge": huge,
    }
    return {f"{one}-{other}": torch.stack([kinds[one], kinds[other]]) for one in kinds for other in kinds} | {
        f"drawn-{seed}": drawn(1, seed, torch.float32)[:, :, :1] for seed in range(4)
    }


@pytest.mark.parametrize("is_target", [True, False], ids=["target", "background"])
@pytest.mark.parametrize("name", ["bounded", "box"])
@pytest.mark.parametrize("gradients", every_kind_of_map().values(), ids=every_kind_of_map())
def test_a_bounded_reading_keeps_its_bounds_whatever_the_maps(
    gradients: Tensor, name: str, is_target: bool
) -> None:
    value = READINGS[name](Sensitivity(gradients, torch.tensor([is_target]), border=0.25)).item()
    assert -1e-5 <= value <= 2 + 1e-5


def test_likeness_to_the_box_by_hand() -> None:
    # The box has the inner two of four cells: a cosine of 2 / (2 sqrt 2) with an even map, 0 with the rim.
    even, rim = [1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 1.0]
    seen = sensitivity(target=[even, even], background=[rim, rim], border=0.25)
    inside = 1 / np.sqrt(2)
    assert boxed(seen).item() == pytest.approx((1 - inside + 0) + (1 - 0 + inside), rel=1e-5)
    only_target = replace(seen, gradients=seen.gradients[:, :1], is_target=IS_TARGET[:1])
    assert boxed(only_target).item() == pytest.approx(1 - inside, rel=1e-5)


@pytest.mark.parametrize("border", [0.0, 1 / 8, 16 / 107, 0.4])
@pytest.mark.parametrize("is_target", [True, False], ids=["target", "background"])
def test_a_map_that_is_the_box_costs_nothing_where_the_other_is_empty(border: float, is_target: bool) -> None:
    gradients = torch.zeros(2, 1, 1, 5, 5, dtype=torch.float64)
    gradients[TARGET if is_target else BACKGROUND] = 3 * box_mask((5, 5), border)
    seen = Sensitivity(gradients, torch.tensor([is_target]), border)
    assert boxed(seen).item() == pytest.approx(0, abs=1e-7)
    swapped = replace(seen, is_target=~seen.is_target)
    assert boxed(swapped).item() == pytest.approx(2, abs=1e-7)


@pytest.mark.parametrize(
    ("size", "border", "down", "across"),
    [
        pytest.param((4, 4), 1 / 8, [0.5, 1, 1, 0.5], [0.5, 1, 1, 0.5], id="half-a-cell"),
        pytest.param((4, 4), 0.0, [1, 1, 1, 1], [1, 1, 1, 1], id="no-border"),
        pytest.param((4, 2), 1 / 4, [0, 1, 1, 0], [0.5, 0.5], id="oblong"),
        pytest.param((1, 4), 3 / 8, [0.25], [0, 0.5, 0.5, 0], id="less-than-a-cell-is-left"),
    ],
)
def test_a_cell_belongs_to_the_box_by_its_share(
    size: tuple[int, int], border: float, down: list[float], across: list[float]
) -> None:
    expected = torch.outer(torch.tensor(down), torch.tensor(across)).double()
    torch.testing.assert_close(box_mask(size, border), expected)


def test_evened_slopes_have_one_strength_and_the_papers_direction() -> None:
    is_target = torch.arange(5) < 2
    gradients = drawn(5) * torch.tensor([0.01, 1.0, 30.0, 0.2, 5.0], dtype=torch.float64)[:, None, None, None]
    even, printed = (
        torch.autograd.grad(reading(Sensitivity(leaf, is_target)), leaf)[0]
        for reading in (evened, as_printed)
        for leaf in (gradients.clone().requires_grad_(True),)
    )
    lengths = [torch.linalg.vector_norm(value, dim=(2, 3, 4)) for value in (even, gradients, printed)]
    torch.testing.assert_close(lengths[0], 1 / lengths[1], rtol=1e-4, atol=0.0)
    cosine = (even * printed).sum(dim=(2, 3, 4)) / (lengths[0] * lengths[2])
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


def test_evened_is_as_printed_but_for_its_slopes() -> None:
    seen = Sensitivity(drawn(5), torch.arange(5) < 2)
    torch.testing.assert_close(evened(seen), as_printed(seen))


@every_reading
def test_a_sample_counts_as_much_as_another(reading: Reading) -> None:
    # The released code's, one ratio a batch, is the same for a batch twice over.
    seen = Sensitivity(drawn(4), torch.arange(4) < 2)
    twice = Sensitivity(seen.gradients.repeat(1, 2, 1, 1, 1), seen.is_target.repeat(2))
    factor = 1 if reading is as_released else 2
    torch.testing.assert_close(reading(twice), factor * reading(seen))


@pytest.mark.parametrize("value", [0.0, 2.0], ids=["nothing", "even"])
@every_reading
def test_every_reading_of_maps_without_any_spread_is_finite_and_so_are_its_gradients(
    reading: Reading, value: float
) -> None:
    gradients = torch.full((2, 2, 3, 3, 3), value, requires_grad=True)
    loss = reading(Sensitivity(gradients, IS_TARGET, border=0.1))
    loss.backward()
    assert loss.isfinite()
    assert gradients.grad is not None
    assert gradients.grad.isfinite().all()


def test_without_weight_the_loss_is_cross_entropy() -> None:
    scores = torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    # -log 1/2 for the target; log(1 + e^2) for the background
    expected = np.log(2) + np.log(1 + np.exp(2))
    assert classification_loss(scores, IS_TARGET).item() == pytest.approx(expected, rel=1e-6)
    assert attentive_loss(scores, PAIR, as_printed, weight=0.0).item() == pytest.approx(expected, rel=1e-6)


@every_reading
def test_the_loss_is_cross_entropy_plus_the_weighted_regulariser(reading: Reading) -> None:
    scores = torch.tensor([[0.3, -1.0], [0.5, 2.0]])
    plain, full = (attentive_loss(scores, PAIR, reading, weight) for weight in (0.0, 5.0))
    torch.testing.assert_close(full - plain, 5 * reading(PAIR))


def test_the_papers_loss_is_built_on_the_maps_of_both_scores() -> None:
    head, activation = small_head(), activations(2)
    scores = head(activation)
    regulariser = reciprocative_regularizer(
        attention_map(scores[:, TARGET], activation),
        attention_map(scores[:, BACKGROUND], activation),
        IS_TARGET,
    )
    plain, full = (loss_of(head, activation, IS_TARGET, as_printed, weight) for weight in (0.0, 5.0))
    torch.testing.assert_close(full - plain, 5 * regulariser.sum())


@every_reading
def test_the_attention_term_alone_moves_every_layer(reading: Reading) -> None:
    head, activation = small_head(), activations(6)
    is_target = torch.arange(6) < 3
    plain, full = (loss_of(head, activation, is_target, reading, weight) for weight in (0.0, 1.0))
    weights = [head.fc4.weight, head.fc5.weight, head.fc6.weight]
    for gradient in torch.autograd.grad(full - plain, weights):
        assert gradient.abs().max() > 1e-6


@pytest.mark.parametrize(
    "check", [torch.autograd.gradcheck, torch.autograd.gradgradcheck], ids=["first-order", "second-order"]
)
@pytest.mark.parametrize(
    ("name", "weight"),
    [("paper", 0.0), *((name, 0.7) for name in READINGS if name != "evened")],  # whose slope is not its own
)
def test_the_slope_of_the_loss_by_the_weights_is_right(
    check: Callable[..., bool], name: str, weight: float
) -> None:
    head, features = small_head(), activations(4).detach()
    is_target = torch.arange(4) < 2
    names = [f"head.{name}" for name, _ in head.named_parameters()]

    class Loss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = head

        def forward(self) -> Tensor:
            return loss_of(self.head, features, is_target, READINGS[name], weight)

    def loss(*values: Tensor) -> Tensor:
        return functional_call(Loss(), dict(zip(names, values, strict=True)), ())

    assert check(loss, [value.detach().clone().requires_grad_(True) for value in head.parameters()])


@pytest.mark.parametrize("name", READINGS)
def test_the_loss_does_not_see_how_small_gradients_are(name: str) -> None:
    # Squared gradients of pixels are far below what keeps the ratios finite.
    generator = torch.Generator().manual_seed(3)
    gradients = torch.randn((2, 4, 3, 5, 5), generator=generator, dtype=torch.float64)
    scores, is_target = torch.zeros(4, 2, dtype=torch.float64), torch.arange(4) < 2
    losses = [
        attentive_loss(scores, Sensitivity(factor * gradients, is_target), READINGS[name], 1.0)
        for factor in (1.0, 1e-7)
    ]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-6, atol=0)
