"""Ridge regression from running second moments."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recip_tracker_core.errors import LearningError
from recip_tracker_core.ridge import BIAS_RIDGE, Moments, RidgeMemory, Weighted


def samples(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features whose last is the constant 1, two targets, and weights that add up to 1; float64."""
    generator = np.random.default_rng(seed)
    x = np.concatenate([generator.normal(size=(count, 6)) + 0.5, np.ones((count, 1))], axis=1)
    y = x[:, :2] * 2 - 1 + 0.1 * generator.normal(size=(count, 2))
    weight = generator.uniform(0.1, 1, count)
    return torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(weight / weight.sum())


def one_each(weight: list[float], target: list[float]) -> Weighted:
    """Samples that have one feature each: X'X is diagonal, with their weights."""
    count = len(weight)
    features = torch.eye(count, dtype=torch.float64)
    return Weighted(
        features, torch.tensor(target, dtype=torch.float64)[:, None], torch.tensor(weight).double()
    )


@pytest.mark.parametrize("precision", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("ridge", [0.1, 10.0])
def test_the_solution_is_that_of_least_squares_with_a_penalty(ridge: float, precision: torch.dtype) -> None:
    x, y, weight = samples(80, seed=0)
    moments = Moments.mean([Weighted(*(part.to(precision) for part in (x, y, weight)))])
    solved = RidgeMemory(moments).solved(ridge, first_share=0.5, ramp=20)
    # as rows of an ordinary least squares problem: the weighted samples, and one row a penalty
    root = np.sqrt(weight.numpy())[:, None]
    mean_square = ((root * x.numpy())[:, :-1] ** 2).sum(axis=0).mean()
    penalty = np.array([*[ridge * mean_square] * 6, BIAS_RIDGE])
    rows = np.concatenate([root * x.numpy(), np.diag(np.sqrt(penalty))])
    wanted = np.concatenate([root * y.numpy(), np.zeros((7, 2))])
    expected = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    np.testing.assert_allclose(solved.numpy(), expected, atol=1e-5)


def test_a_sample_of_double_weight_counts_as_two() -> None:
    x, y, _ = samples(10, seed=1)
    weight = torch.ones(10, dtype=torch.float64)
    weight[3] = 2
    twice = Weighted(torch.cat([x, x[3:4]]), torch.cat([y, y[3:4]]), torch.ones(11, dtype=torch.float64))
    doubled, once = Moments.mean([twice]), Moments.mean([Weighted(x, y, weight)])
    torch.testing.assert_close(once.gram, doubled.gram)
    torch.testing.assert_close(once.cross, doubled.cross)


ONE = Moments.mean([one_each([1.0, 1.0], [1.0, 0.0])])
NONE = one_each([1.0, 1.0], [0.0, 0.0])


@pytest.mark.parametrize(
    ("frames", "expected"), [(0, 1.0), (1, 0.9), (2, 0.8), (4, 0.6), (5, 0.6), (100, 0.6)]
)
def test_the_first_frame_gives_way_in_equal_steps_down_to_its_share(frames: int, expected: float) -> None:
    # alone it asks for a weight of 1, the later ones for 0: what is left is the first one's share
    memory = RidgeMemory(ONE)
    for _ in range(frames):
        memory = memory.with_frame(NONE, rate=0.5)
    assert memory.solved(ridge=1e-9, first_share=0.6, ramp=4)[0].item() == pytest.approx(expected)


@pytest.mark.parametrize(("first_share", "expected"), [(1.0, 1.0), (0.0, 0.0)], ids=["all", "nothing"])
def test_the_first_frame_may_keep_everything_or_nothing(first_share: float, expected: float) -> None:
    memory = RidgeMemory(ONE).with_frame(NONE, rate=1.0)
    assert memory.solved(1e-9, first_share, ramp=1)[0].item() == pytest.approx(expected)


def test_a_frame_replaces_its_rate_of_what_is_recent() -> None:
    four, eight = (one_each([side, side], [1.0, 1.0]) for side in (4.0, 8.0))
    memory = RidgeMemory(ONE).with_frame(four, rate=0.25)
    assert memory.recent is not None
    assert memory.recent.gram.diagonal().tolist() == [4, 4]  # nothing was there to be mixed with
    memory = memory.with_frame(eight, rate=0.25)
    assert memory.recent is not None
    assert memory.recent.gram[0, 0].item() == 5  # three quarters of 4 and one of 8
    assert memory.recent.cross[1, 0].item() == 5
    assert memory.count == 2


def test_a_memory_is_a_value_that_one_more_frame_does_not_change() -> None:
    before = RidgeMemory(ONE).with_frame(NONE, rate=0.5)
    kept = before.solved(0.1, 0.5, 4)
    after = before.with_frame(one_each([9.0, 1.0], [5.0, 5.0]), rate=0.5)
    after.solved(0.1, 0.5, 4)
    assert (before.count, after.count) == (1, 2)
    assert torch.equal(before.solved(0.1, 0.5, 4), kept)
    assert not torch.equal(after.solved(0.1, 0.5, 4), kept)


def test_the_mean_is_over_batches() -> None:
    mean = Moments.mean(one_each([side, 1.0], [1.0, 0.0]) for side in (1.0, 2.0, 6.0))
    assert (mean.gram[0, 0].item(), mean.cross[0, 0].item()) == (3, 3)


def test_one_more_frame_is_a_share_of_both_in_every_part_of_the_matrix() -> None:
    batches = [Weighted(*samples(50, seed)) for seed in (2, 3)]
    first, second = (Moments.mean([batch]) for batch in batches)
    shared = first.with_share(batches[1], 0.3)
    for part in ("gram", "cross"):
        mixed = torch.lerp(getattr(first, part), getattr(second, part), 0.3)
        torch.testing.assert_close(getattr(shared, part).tril(), mixed.tril())


def test_what_has_no_solution_says_so() -> None:
    broken = Moments.mean([one_each([1.0, float("nan")], [1.0, 1.0])])
    with pytest.raises(LearningError, match="has no solution"):
        RidgeMemory(broken).solved(0.1, 0.5, 4)
