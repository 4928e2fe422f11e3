"""Ridge regression from running second moments."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recip_tracker_core.ridge import BIAS_RIDGE, Moments, RidgeMemory, mean_moments


def samples(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features whose last is the constant 1, two targets, and weights that add up to 1; float64."""
    generator = np.random.default_rng(seed)
    x = np.concatenate([generator.normal(size=(count, 6)) + 0.5, np.ones((count, 1))], axis=1)
    y = x[:, :2] * 2 - 1 + 0.1 * generator.normal(size=(count, 2))
    weight = generator.uniform(0.1, 1, count)
    return torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(weight / weight.sum())


def moments_of(gram: list[list[float]], cross: list[float]) -> Moments:
    return Moments(torch.tensor(gram, dtype=torch.float64), torch.tensor(cross, dtype=torch.float64)[:, None])


@pytest.mark.parametrize("precision", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("ridge", [0.1, 10.0])
def test_the_solution_is_that_of_least_squares_with_a_penalty(ridge: float, precision: torch.dtype) -> None:
    x, y, weight = samples(80, seed=0)
    moments = Moments.of(*(part.to(precision) for part in (x, y, weight)))
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
    doubled = Moments.of(torch.cat([x, x[3:4]]), torch.cat([y, y[3:4]]), torch.ones(11, dtype=torch.float64))
    once = Moments.of(x, y, weight)
    torch.testing.assert_close(once.gram, doubled.gram)
    torch.testing.assert_close(once.cross, doubled.cross)


ONE = moments_of([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0])
NONE = moments_of([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])


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
    four, eight = (moments_of([[side, 0.0], [0.0, side]], [side, side]) for side in (4.0, 8.0))
    memory = RidgeMemory(ONE).with_frame(four, rate=0.25)
    assert memory.recent is not None
    torch.testing.assert_close(memory.recent.gram, four.gram)  # nothing was there to be mixed with
    memory = memory.with_frame(eight, rate=0.25)
    assert memory.recent is not None
    assert memory.recent.gram[0, 0].item() == 5  # three quarters of 4 and one of 8
    assert memory.recent.cross[1, 0].item() == 5
    assert memory.count == 2


def test_a_memory_is_a_value_that_one_more_frame_does_not_change() -> None:
    before = RidgeMemory(ONE).with_frame(NONE, rate=0.5)
    kept = before.solved(0.1, 0.5, 4)
    after = before.with_frame(moments_of([[9.0, 1.0], [1.0, 9.0]], [5.0, 5.0]), rate=0.5)
    after.solved(0.1, 0.5, 4)
    assert (before.count, after.count) == (1, 2)
    assert torch.equal(before.solved(0.1, 0.5, 4), kept)
    assert not torch.equal(after.solved(0.1, 0.5, 4), kept)


def test_the_mean_of_moments_leaves_them_as_they_were() -> None:
    parts = [moments_of([[side, 0.0], [0.0, 1.0]], [side, 0.0]) for side in (1.0, 2.0, 6.0)]
    mean = mean_moments(parts)
    assert (mean.gram[0, 0].item(), mean.cross[0, 0].item()) == (3, 3)
    assert [part.gram[0, 0].item() for part in parts] == [1, 2, 6]
