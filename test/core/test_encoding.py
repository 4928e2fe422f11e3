"""From a crop to the map that locator, refiner and classifier share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from recip_tracker_core.backbones import Backbone, Stage
from recip_tracker_core.colors import COLOR_PLANES, color_bins, color_likelihood, color_planes, to_lab
from recip_tracker_core.encoding import MOST_DEVIATIONS, MapSource, box_features, taps

GROUPS = {"s4": (24, 16), "s8": (40, 16), "colour": (COLOR_PLANES, 6), "s16": (112, 24)}  # raw, kept
ON_MAP, COARSE = 0, 1
EIGHT = Stage(channels=1, stride=8, first_center_px=7.5, least_px=8, scale=1.0)
RED, GREEN, BLUE = (200, 40, 40), (40, 150, 60), (40, 60, 220)


def two_colors(side_px: int = 160) -> np.ndarray:
    """A red square of 48 pixels in the middle of green."""
    crop = np.full((side_px, side_px, 3), GREEN, np.uint8)
    low, high = side_px // 2 - 24, side_px // 2 + 24
    crop[low:high, low:high] = RED
    return crop


def test_a_map_has_the_cells_of_its_stage_and_a_channel_for_the_colour_likelihood(scene) -> None:
    features = scene.seen()
    assert features.shape == (scene.encoder.channels, 20, 20) == (63, 20, 20)
    assert features.permute(1, 2, 0).is_contiguous()  # channels last in memory


def test_equal_runs_give_equal_maps_bit_by_bit(scene, map_source: MapSource) -> None:
    again = map_source.fitted(scene.crop.cut(scene.frame.image), scene.size_px)
    for one, other in zip(again.reductions, scene.encoder.reductions, strict=True):
        assert torch.equal(one.directions, other.directions)
    assert torch.equal(again.encode(scene.crop.cut(scene.frame.image)), scene.seen())


def test_features_carry_no_gradient_and_yet_can_be_learned_from(scene) -> None:
    features = scene.seen()
    assert not features.requires_grad
    features.requires_grad_(True).sum().backward()  # refused for tensors of inference mode
    assert features.grad is not None


def half_on_the_target(scene) -> torch.Tensor:
    """(n, n) weights: half of their sum on the cells of 1.2 boxes, half on the others."""
    at_px = scene.encoder.stage.first_center_px + 8 * np.arange(20) - 80
    inside = (np.abs(at_px) < 0.6 * scene.size_px[0]) & (np.abs(at_px) < 0.6 * scene.size_px[1])[:, None]
    return torch.from_numpy(np.where(inside, 0.5 / inside.sum(), 0.5 / (~inside).sum())).float()


def test_the_energy_of_a_group_is_its_size_of_which_the_kept_directions_have_the_most(scene) -> None:
    energies = (scene.seen().cpu() ** 2 * half_on_the_target(scene)).sum(dim=(1, 2))
    kept = torch.split(energies, [kept for _, kept in GROUPS.values()] + [1])
    for energy, (name, (size, _)) in zip(kept, GROUPS.items(), strict=False):
        assert 0.75 * size < energy.sum().item() <= 1.001 * size, name
    assert kept[2].sum().item() == pytest.approx(6, rel=1e-4)  # of the colour all directions are kept


def test_a_group_reads_its_own_features_alone(scene) -> None:
    raw, kept = zip(*list(GROUPS.values())[:3], strict=True)
    rows = torch.split(scene.encoder.reductions[ON_MAP].directions, kept)
    for own, block in enumerate(rows):
        for other, columns in enumerate(torch.split(block, raw, dim=1)):
            assert bool(columns.abs().max() > 0) == (own == other)


def test_a_group_that_is_coarser_than_the_map_is_read_on_its_own_cells_and_then_interpolated(
    scene, map_source: MapSource
) -> None:
    seen = map_source.seen(scene.crop.cut(scene.frame.image))
    assert [group.shape for group in seen.groups] == [(70, 20, 20), (112, 10, 10)]
    reduction = scene.encoder.reductions[COARSE]
    kept = ((seen.groups[COARSE].flatten(1) - reduction.mean) * reduction.inverse_deviation).T
    own = (kept.clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS) @ reduction.directions.T).view(10, 10, -1)
    # the finer cells are centred half a coarse one before a coarse one, and on it
    found = scene.encoder.read(seen).permute(1, 2, 0)[..., 38:62]
    torch.testing.assert_close(found[1::2, 1::2], own, atol=1e-4, rtol=1e-4)
    between = (own[1:, :-1] + own[1:, 1:]) / 2
    torch.testing.assert_close(found[3::2, 2::2], between, atol=1e-4, rtol=1e-4)


def test_a_scene_in_colour_after_a_grey_first_frame_stays_bounded(
    scene, map_source: MapSource, rendered_clip: Callable[..., list]
) -> None:
    crop = scene.crop.cut(scene.frame.image)
    grey = np.repeat(crop.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    encoder = map_source.fitted(grey, scene.size_px)
    fine = encoder.reductions[ON_MAP]
    deviations = (map_source.seen(crop).groups[ON_MAP].flatten(1) - fine.mean) * fine.inverse_deviation
    assert deviations.abs().max() > 1000  # they were flat
    most = max(one.directions.abs().sum(dim=1).max() for one in encoder.reductions)
    assert encoder.encode(crop).abs().max() <= MOST_DEVIATIONS * most


def test_a_flat_first_frame_gives_a_finite_map(scene, map_source: MapSource) -> None:
    encoder = map_source.fitted(np.zeros((160, 160, 3), np.uint8), scene.size_px)
    assert encoder.encode(scene.crop.cut(scene.frame.image)).isfinite().all()


def test_a_colour_is_the_targets_the_backgrounds_or_neither() -> None:
    likelihood = color_likelihood(to_lab(two_colors()), np.array([48.0, 48.0]))
    of = {name: likelihood[color_bins(to_lab(np.full((1, 1, 3), rgb, np.uint8)))[0, 0]]
          for name, rgb in {"red": RED, "green": GREEN, "blue": BLUE}.items()}  # fmt: skip
    assert of["red"] > 0.99
    assert of["green"] < -0.99
    assert of["blue"] == 0


def test_a_colour_that_both_have_says_little() -> None:
    crop = two_colors()
    crop[:, :40] = RED  # a quarter of the crop and all of the target
    likelihood = color_likelihood(to_lab(crop), np.array([48.0, 48.0]))
    red = likelihood[color_bins(to_lab(crop))[80, 80]]
    share = 160 * 40 / (160 * 160 - 52 * 52)  # of the background outside of 1.1 boxes, 52.8 pixels a side
    assert red == pytest.approx((1 - share) / (1 + share), abs=0.01)


def test_the_likelihood_is_the_last_channel_with_its_gain(map_source: MapSource) -> None:
    encoder = map_source.fitted(two_colors(), np.array([48.0, 48.0]))
    plane = encoder.encode(two_colors())[-1]
    # cells of 8 pixels from 4 on: those from 60 to 100 lie in the square from 56 to 104
    torch.testing.assert_close(plane[7:12, 7:12], torch.full_like(plane[7:12, 7:12], 4.0), atol=0.05, rtol=0)
    assert plane[:6].max() < -3.9


def test_without_its_gain_there_is_no_such_channel(scene, backbone: Backbone, device: torch.device) -> None:
    source = MapSource(backbone, ("s4", "s8", "s16"), "s8", (16, 16, 24, 6), 0.0, device)
    encoder = source.fitted(scene.crop.cut(scene.frame.image), scene.size_px)
    assert encoder.channels == 62
    assert torch.equal(encoder.encode(scene.crop.cut(scene.frame.image)), scene.seen()[:-1])


def test_colour_planes_are_cell_means_and_what_their_upper_left_quarters_add() -> None:
    lab = np.full((160, 160, 3), 100, np.uint8)
    lab[60:64, 76:80, 1] = 140  # a quarter of the cell whose corner is (76, 60), the one of row 7, column 9
    planes = color_planes(lab, EIGHT, 20)
    assert planes.shape == (COLOR_PLANES, 20, 20)
    assert planes[1, 7, 9] == pytest.approx(110, abs=0.5)
    assert planes[4, 7, 9] == pytest.approx(30, abs=0.5)
    assert planes[1, 7, 8] == planes[1, 7, 10] == planes[1, 6, 9] == 100
    assert np.abs(planes[3:5, 12, 12]).max() == 0


PLACES = [(80.0, 80.0), (57.0, 101.0), (100.0, 60.0)]


@pytest.mark.parametrize("at_px", PLACES, ids=str)
@pytest.mark.parametrize("is_flipped", [False, True], ids=["as-it-is", "mirrored"])
def test_every_group_sees_a_change_where_it_is(
    map_source: MapSource, at_px: tuple[float, float], is_flipped: bool
) -> None:
    x, y = np.arange(160) + 0.5 - at_px[0], np.arange(160)[:, None] + 0.5 - at_px[1]
    spot = np.exp(-0.5 * (x**2 + y**2) / 6**2)[:, :, None] * np.array([120, -60, -100])
    plain = np.random.default_rng(0).integers(90, 150, (160, 160, 3))
    before, after = (np.clip(crop, 0, 255).astype(np.uint8) for crop in (plain, plain + spot))
    if is_flipped:
        before, after = (np.ascontiguousarray(crop[:, ::-1]) for crop in (before, after))
    of = []
    for crop in (before, after):
        on_map, coarse = map_source.seen(crop).groups
        of.append([*torch.split(on_map, [size for size, _ in list(GROUPS.values())[:3]]), coarse])
    grids = [map_source.stage] * 3 + [map_source.grids[COARSE]]
    wanted = np.array([160 - at_px[0] if is_flipped else at_px[0], at_px[1]])
    for name, grid, was, becomes in zip(GROUPS, grids, *of, strict=True):
        energy = ((becomes - was) ** 2).sum(dim=0).cpu().numpy()
        cells_px = grid.first_center_px + grid.stride * np.arange(len(energy))
        found = np.array([energy.sum(axis=0) @ cells_px, energy.sum(axis=1) @ cells_px]) / energy.sum()
        # The trained kernels lean: a cell looks up to half of its side left of and above its declared centre.
        assert np.abs(found - wanted).max() < {"s4": 2, "s8": 6, "s16": 8, "colour": 1}[name], name


def test_what_a_filter_reads_is_the_map_at_points_over_the_box_and_a_constant(device: torch.device) -> None:
    # each cell holds its own centre, x and y
    at_px = 7.5 + 8 * torch.arange(20.0, device=device)
    ramp = torch.stack([at_px.expand(20, 20), at_px[:, None].expand(20, 20)])
    read = taps(ramp, np.array([[80.0, 60.0]]), np.array([40.0, 20.0]), EIGHT, 2)
    # the middles of the four quarters: 80 +- 10 and 60 +- 5; row by row, channels innermost
    expected = torch.tensor([[70.0, 55, 90, 55, 70, 65, 90, 65, 1]], device=device)
    torch.testing.assert_close(read, expected)
    for_classifier = box_features(ramp, np.array([[80.0, 60.0]]), np.array([40.0, 20.0]), EIGHT, 2)
    torch.testing.assert_close(for_classifier.permute(0, 2, 3, 1).flatten(1), expected[:, :-1])
