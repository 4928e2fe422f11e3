"""Points that fill a cube evenly, the same in every run."""

import numpy as np
import pytest

from recip_tracker_core.quasirandom import points


def test_on_a_line_the_step_is_the_golden_section() -> None:
    # 1 / 1.6180340 = 0.6180340: from one half to 1.1180340, 1.7360680, 2.3541020
    np.testing.assert_allclose(points(3, 1, 0, 0)[:, 0], [0.1180340, 0.7360680, 0.3541020], atol=1e-6)


def test_equal_calls_give_equal_points_bit_by_bit() -> None:
    np.testing.assert_array_equal(points(50, 4, 7, 3), points(50, 4, 7, 3))


def test_a_call_goes_on_where_the_last_one_ended() -> None:
    whole = points(100, 2, 0, 1)
    np.testing.assert_array_equal(np.concatenate([points(40, 2, 0, 1), points(60, 2, 40, 1)]), whole)


def test_another_seed_gives_other_points() -> None:
    first, other = (points(200, 2, 0, seed) for seed in (0, 1))
    nearest = np.linalg.norm(first[:, None] - other[None], axis=2).min(axis=1)
    assert nearest.min() > 0


@pytest.mark.parametrize("start", [0, 12345, 10**6])
@pytest.mark.parametrize("seed", [0, 5, 2**31 - 1])
def test_every_part_of_a_square_gets_its_share(start: int, seed: int) -> None:
    cells, _, _ = np.histogram2d(*points(640, 2, start, seed).T, bins=8, range=[[0, 1], [0, 1]])
    assert cells.sum() == 640  # all in [0, 1)
    assert np.abs(cells - 10).max() <= 5  # 640 independent draws miss by up to 10


@pytest.mark.parametrize("dimensions", [1, 2, 4])
def test_in_any_number_of_dimensions_the_mean_is_the_middle(dimensions: int) -> None:
    np.testing.assert_allclose(points(1000, dimensions, 0, 0).mean(axis=0), 0.5, atol=0.01)
