"""The first frame seen in several ways: the target is where each of them says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recip_tracker_core.crops import Crop
from recip_tracker_core.first_views import TrainingView, first_views, turned_views

SIDE_PX, SIZE = 160, np.array([30.0, 20.0])
CENTER = np.array([81.4, 58.3])


class PixelsAsMap:
    """An encoder whose map of a crop is the crop."""

    def encode(self, crop: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(crop).permute(2, 0, 1).float()


def blob() -> np.ndarray:
    """A soft white one, wider than high, on black."""
    x, y = np.arange(160) + 0.5 - CENTER[0], np.arange(120)[:, None] + 0.5 - CENTER[1]
    white = 255 * np.exp(-0.5 * ((x / 4) ** 2 + (y / 2.5) ** 2))
    return np.repeat(white[:, :, None], 3, axis=2).astype(np.uint8)


def seen(seed: int = 0, count: int = 8) -> list[TrainingView]:
    crop = Crop.around(CENTER, SIZE, 48.0, SIDE_PX)
    return list(first_views(blob(), PixelsAsMap(), crop, SIZE, seed, count))


def moments(view: TrainingView) -> tuple[np.ndarray, np.ndarray]:
    """Centre and deviation of what a view shows, crop pixels."""
    mass = view.features[0].numpy().astype(float)
    at = np.arange(SIDE_PX) + 0.5
    columns, rows = mass.sum(axis=0) / mass.sum(), mass.sum(axis=1) / mass.sum()
    center = np.array([columns @ at, rows @ at])
    return center, np.sqrt([columns @ (at - center[0]) ** 2, rows @ (at - center[1]) ** 2])


def test_in_every_view_the_target_is_where_the_view_says() -> None:
    for view in seen():
        np.testing.assert_allclose(moments(view)[0], view.center_px, atol=0.2)


def test_in_every_upright_view_that_is_not_blurred_it_has_the_size_that_the_view_says() -> None:
    ratios = np.array([moments(view)[1] / view.size_px for view in seen() if view.is_upright])
    sharp = np.sort(ratios, axis=0)[:-1]  # all but the blurred one, which is wider than it says
    np.testing.assert_allclose(sharp / sharp[0], 1, rtol=0.03)
    assert len(np.unique(np.round([view.size_px[0] for view in seen()], 3))) >= 3  # plain, nearer, farther


def test_the_frame_as_it_is_comes_first_with_the_target_in_the_middle() -> None:
    plain, *others = seen()
    assert plain.center_px.tolist() == [80, 80]
    assert plain.is_upright
    assert sum(not np.array_equal(view.center_px, plain.center_px) for view in others) >= 6


def test_a_turned_view_is_not_upright() -> None:
    assert [view.is_upright for view in seen()].count(False) == 2


def test_turned_views_go_once_around_the_target_in_the_middle() -> None:
    views = list(turned_views(blob(), PixelsAsMap(), Crop.around(CENTER, SIZE, 48.0, SIDE_PX), SIZE, 8))
    assert len(views) == 7
    spread = [moments(view)[1] for view in views]
    for view in views:
        np.testing.assert_allclose(moments(view)[0], 80, atol=0.2)
    quarter, half = spread[1], spread[3]
    np.testing.assert_allclose(quarter, half[::-1], rtol=0.02)
    np.testing.assert_allclose(half, moments(seen()[0])[1], rtol=0.02)


@pytest.mark.parametrize("seed", [1, 99])
def test_another_seed_puts_it_at_other_places(seed: int) -> None:
    def places(views: list[TrainingView]) -> list[list[float]]:
        return [view.center_px.tolist() for view in views]

    assert places(seen(seed)) == places(seen(seed))
    assert places(seen(seed)) != places(seen(0))


def test_fewer_views_are_the_first_ones_of_all() -> None:
    for few, one in zip(seen(count=4), seen()[:4], strict=True):
        np.testing.assert_array_equal(few.features.numpy(), one.features.numpy())
        np.testing.assert_array_equal(few.center_px, one.center_px)
