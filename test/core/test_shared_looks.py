"""Which crops one larger crop stands for, and what each then sees of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recip_tracker_core.crops import Crop
from recip_tracker_core.encoding import MapSource
from recip_tracker_core.observing import Look
from recip_tracker_core.shared_looks import MOST_ASIDE_PX, MOST_ZOOM, grouped, window
from recip_tracker_core.types import Frame

SIDE_PX = 160


def crop(x: float, y: float, scale: float = 1.0) -> Crop:
    return Crop(np.array([x, y]), scale, SIDE_PX)


def members(crops: list[Crop]) -> list[set[int]]:
    return sorted((set(group.members) for group in grouped(crops)), key=min)


def test_near_crops_are_seen_at_once_and_a_far_one_alone() -> None:
    assert members([crop(100, 100), crop(500, 100), crop(120, 110), crop(90, 130)]) == [{0, 2, 3}, {1}]


def test_one_alone_keeps_its_own_crop() -> None:
    own = crop(100, 100)
    (group,) = grouped([own])
    assert group.crop is own
    assert grouped([]) == []


def test_a_pack_is_seen_at_once_though_no_two_of_it_would_be() -> None:
    pack = [crop(100 + 70 * column, 100 + 70 * row) for column in range(3) for row in range(3)]
    assert members(pack[::8]) == [{0}, {1}]
    assert members(pack) == [set(range(9))]


@pytest.mark.parametrize(("zoom", "count"), [(0.99 * MOST_ZOOM, 1), (1.01 * MOST_ZOOM, 2)])
def test_targets_of_other_sizes_are_seen_at_their_own_scales(zoom: float, count: int) -> None:
    assert len(grouped([crop(100, 100), crop(100, 100, zoom)])) == count


def test_a_shared_crop_has_all_its_members_well_inside() -> None:
    pack = [
        crop(100 + 70 * column, 100 + 30 * row, 0.95 + 0.05 * row) for column in range(3) for row in range(3)
    ]
    (group,) = grouped(pack)
    places = group.crop.to_crop(np.stack([one.center_px for one in pack]))
    least = SIDE_PX / 2 - MOST_ASIDE_PX
    assert places.min() >= least
    assert places.max() <= group.crop.side_px - least
    assert group.crop.side_px % 32 == 0
    assert all(1 / 1.1 < group.crop.scale / one.scale < 1.1 for one in pack)


def test_a_window_shows_what_a_look_of_its_own_shows(map_source: MapSource, scene) -> None:
    """Away from the rim, where a network sees what lies beyond it, or pads."""
    stride = map_source.stage.stride
    center = np.array([scene.frame.width, scene.frame.height]) / 2
    # Whole cells of the coarsest stage away from the larger middle, so that both have the same grid.
    own = Crop(center + np.array([2 * stride, -4 * stride]), 1.0, SIDE_PX)
    whole = Look.at(Crop(center, 1.0, SIDE_PX + 64), scene.frame, map_source)
    part, alone = window(whole, own), Look.at(own, scene.frame, map_source)
    np.testing.assert_allclose(part.crop.center_px, own.center_px)
    np.testing.assert_array_equal(part.seen.bins, alone.seen.bins)

    def unlike(shown: torch.Tensor, expected: torch.Tensor) -> float:
        rim = 2 * expected.shape[-1] // 5
        shown, inner = shown[:, rim:-rim, rim:-rim], expected[:, rim:-rim, rim:-rim]
        return ((shown - inner).norm() / (inner - inner.mean(dim=(1, 2), keepdim=True)).norm()).item()

    for shown, expected in zip(part.seen.groups, alone.seen.groups, strict=True):
        assert shown.shape == expected.shape
        assert unlike(shown, expected) < 0.35
        assert unlike(shown.roll(1, dims=2), expected) > 0.6


def test_a_window_says_where_in_the_image_it_is(map_source: MapSource) -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    whole = Look.at(Crop(np.array([160.0, 120.0]), 0.9, SIDE_PX + 32), Frame(image), map_source)
    wanted = crop(171.3, 117.9)
    part = window(whole, wanted)
    assert part.crop.scale == 0.9
    half_cell_px = max(grid.stride for grid in map_source.grids) / 2 / 0.9
    assert np.abs(part.crop.center_px - wanted.center_px).max() <= half_cell_px + 1e-9
    beyond = window(whole, crop(300, 120))  # no more than the look itself shows
    np.testing.assert_allclose(beyond.crop.center_px, [160 + 16 / 0.9, 120])
