"""From image and boxes to features: cut, fuse, pool, and cover the image."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recip_tracker_core.backbones import Stage
from recip_tracker_core.features import (
    PADDING,
    Batch,
    MapFeatures,
    Region,
    _interpolation,
    aligned_maps,
    covered,
    fused_map,
    pooled,
    sample_widely,
    to_pixels,
)
from recip_tracker_core.types import BoundingBox, Boxes, Frame

FINE = Stage(channels=2, stride=8, first_center_px=7.5, least_px=8, scale=2.0)
COARSE = Stage(channels=2, stride=16, first_center_px=15.5, least_px=8, scale=5.0)


class RampBackbone:
    """Each cell of each stage holds its own centre, x and y in pixels, times the scale of the stage."""

    stages = {"fine": FINE, "coarse": COARSE}  # noqa: RUF012
    granularity_px = 16

    def normalized(self, pixels: Tensor) -> Tensor:
        return pixels

    def __call__(self, images: Tensor, stages: tuple[str, ...]) -> dict[str, Tensor]:
        return {name: self._ramp(self.stages[name], images) for name in stages}

    def _ramp(self, stage: Stage, images: Tensor) -> Tensor:
        height, width = (side // stage.stride for side in images.shape[-2:])
        x = stage.first_center_px + stage.stride * torch.arange(width, device=images.device)
        y = stage.first_center_px + stage.stride * torch.arange(height, device=images.device)
        centers = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
        return centers[None] * stage.scale


def numbered_image(height: int, width: int) -> np.ndarray:
    """Every pixel says where it is: red its column, green its row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.full_like(rows, 9)], axis=-1).astype(np.uint8)


def test_a_region_is_the_square_around_the_centre_of_a_box() -> None:
    # root of 40 * 10 is 20, three of it are 60; the centre is (50, 25)
    assert Region.around(BoundingBox(30, 20, 40, 10), sides=3) == Region(left=20, top=-5, side=60)


def test_a_region_of_a_tiny_box_still_has_pixels() -> None:
    assert Region.around(BoundingBox(5, 5, 0.1, 0.1), sides=3).side == 8


def test_a_region_inside_the_image_is_cut_as_it_is() -> None:
    image = numbered_image(40, 50)
    np.testing.assert_array_equal(Region(10, 5, 16).cut(image, 16), image[5:21, 10:26])


@pytest.mark.parametrize(
    ("region", "in_cut", "in_image"),
    [
        pytest.param(Region(-4, -6, 16), np.s_[6:, 4:], np.s_[:10, :12], id="top-left"),
        pytest.param(Region(44, 30, 16), np.s_[:10, :6], np.s_[30:, 44:], id="bottom-right"),
        pytest.param(Region(-3, -8, 56), np.s_[8:48, 3:53], np.s_[:, :], id="around-all-of-it"),
    ],
)
def test_a_region_over_the_border_is_grey_where_there_is_no_image(
    region: Region, in_cut: tuple[slice, slice], in_image: tuple[slice, slice]
) -> None:
    image = numbered_image(40, 50)
    expected = np.full((region.side, region.side, 3), PADDING, np.uint8)
    expected[in_cut] = image[in_image]
    np.testing.assert_array_equal(region.cut(image, region.side), expected)


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(Region(50, 0, 16), id="right-of-it"),
        pytest.param(Region(-16, 0, 16), id="left-of-it"),
        pytest.param(Region(0, 500, 16), id="far-below"),
        pytest.param(Region(-100, -100, 16), id="far-above"),
    ],
)
def test_a_region_wholly_outside_is_grey(region: Region) -> None:
    cut = region.cut(numbered_image(40, 50), 32)
    np.testing.assert_array_equal(cut, np.full((32, 32, 3), PADDING, np.uint8))


@pytest.mark.parametrize("size_px", [20, 80], ids=["shrunk", "enlarged"])
def test_a_cut_keeps_what_it_shows_where_its_box_says(size_px: int) -> None:
    image = np.zeros((40, 50, 3), np.uint8)
    image[10:20, 24:30] = 200
    region = Region(10, 0, 40)
    brightness = region.cut(image, size_px)[:, :, 0].astype(float)
    x, y, w, h = region.to_crop(np.array([[24, 10, 6, 10]], np.float32), size_px)[0]
    at = np.arange(size_px) + 0.5
    assert (brightness.sum(axis=0) @ at) / brightness.sum() == pytest.approx(x + w / 2, abs=0.02)
    assert (brightness.sum(axis=1) @ at) / brightness.sum() == pytest.approx(y + h / 2, abs=0.02)
    assert brightness.sum() == pytest.approx(200 * w * h, rel=0.02)


def test_boxes_in_the_cut_are_shifted_and_scaled() -> None:
    boxes = np.array([[15, 25, 10, 4]], np.float32)
    np.testing.assert_array_equal(Region(10, 20, 40).to_crop(boxes, 80), [[10, 10, 20, 8]])


def test_pixels_come_to_torch_with_their_channels_first(device: torch.device) -> None:
    pixels = to_pixels(numbered_image(4, 6), device)
    assert pixels.shape == (1, 3, 4, 6)
    assert pixels[0, :, 2, 5].tolist() == [5, 2, 9]


def test_interpolation_between_two_grids_worked_by_hand() -> None:
    # fine centres 7.5, 15.5, 23.5, 31.5, 39.5; coarse ones 15.5, 31.5
    expected = [[1, 0], [1, 0], [0.5, 0.5], [0, 1], [0, 1]]
    torch.testing.assert_close(_interpolation(COARSE, FINE, 2, 5), torch.tensor(expected))


def test_interpolation_onto_coarser_cells_misses_none_between_them() -> None:
    # of the coarse centres 15.5 and 31.5 the first is that of fine cell 1, the second that of cell 3
    expected = [[0.25, 0.5, 0.25, 0, 0], [0, 0, 0.25, 0.5, 0.25]]
    torch.testing.assert_close(_interpolation(FINE, COARSE, 5, 2), torch.tensor(expected))


@pytest.mark.parametrize("onto", ["fine", "coarse"])
def test_stages_are_aligned_onto_the_cells_of_any_of_them(device: torch.device, onto: str) -> None:
    backbone = RampBackbone()
    maps = backbone(torch.zeros(1, 3, 64, 96, device=device), ("fine", "coarse"))
    fine, coarse = aligned_maps(backbone, maps, onto)
    stride = backbone.stages[onto].stride
    assert fine.shape == coarse.shape == (1, 2, 64 // stride, 96 // stride)
    # but for the rim, where the finer stage has no cell on one side, or the coarser one none at all
    inner = np.s_[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(fine[inner] / FINE.scale, coarse[inner] / COARSE.scale)


def test_stages_are_fused_where_their_centres_are_and_on_one_scale(device: torch.device) -> None:
    fused = fused_map(RampBackbone(), torch.zeros(1, 3, 64, 96, device=device), ("fine", "coarse"))
    assert fused.shape == (1, 4, 8, 12)
    fine, coarse = fused[:, :2], fused[:, 2:]
    # before the first centre of the coarse stage its first value stays; both end at (95.5, 63.5)
    torch.testing.assert_close(coarse, fine.clamp(min=15.5))
    torch.testing.assert_close(fine[0, :, 2, 3], torch.tensor([31.5, 23.5], device=device))


def reference_pooled(fused: np.ndarray, boxes: Boxes, stage: Stage, grid: int, samples: int) -> np.ndarray:
    """RoIAlign by the book, sample by sample: samples x samples bilinear readings a bin, held to the map."""
    channels, height, width = fused.shape
    result = np.zeros((len(boxes), channels, grid, grid))
    for n, (x, y, w, h) in enumerate(boxes.astype(np.float64)):
        for row, column, i, j in np.ndindex(grid, grid, samples, samples):
            at_x = (x + w * (column + (j + 0.5) / samples) / grid - stage.first_center_px) / stage.stride
            at_y = (y + h * (row + (i + 0.5) / samples) / grid - stage.first_center_px) / stage.stride
            at_x, at_y = min(max(at_x, 0), width - 1), min(max(at_y, 0), height - 1)
            left, top = int(np.floor(at_x)), int(np.floor(at_y))
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            across, down = at_x - left, at_y - top
            upper = (1 - across) * fused[:, top, left] + across * fused[:, top, right]
            lower = (1 - across) * fused[:, bottom, left] + across * fused[:, bottom, right]
            result[n, :, row, column] += ((1 - down) * upper + down * lower) / samples**2
    return result


@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("grid", [1, 3])
@pytest.mark.parametrize("shape", [(5, 9, 12), (5, 1, 12), (5, 1, 1)], ids=["map", "one-row", "one-cell"])
def test_pooling_is_roi_align(
    device: torch.device, shape: tuple[int, int, int], grid: int, samples: int
) -> None:
    generator = np.random.default_rng(0)
    fused = generator.normal(size=shape).astype(np.float32)
    inside = np.concatenate([generator.uniform(0, 60, (20, 2)), generator.uniform(1, 40, (20, 2))], axis=1)
    odd = [[-50, -30, 40, 20], [90, 60, 40, 40], [-500, -500, 2000, 2000], [30, 30, 0.01, 0.01]]
    boxes = np.concatenate([inside, odd]).astype(np.float32)
    features = pooled(torch.from_numpy(fused).to(device), boxes, FINE, grid, samples)
    assert features.shape == (24, 5, grid, grid)
    expected = reference_pooled(fused, boxes, FINE, grid, samples)
    np.testing.assert_allclose(features.cpu().numpy(), expected, atol=1e-5)


def test_a_bin_is_read_twice_a_side_unless_it_is_said_otherwise() -> None:
    fused, boxes = torch.rand(2, 4, 5), np.array([[3, 3, 20, 14]], np.float32)
    assert torch.equal(pooled(fused, boxes, FINE, 2), pooled(fused, boxes, FINE, 2, samples_per_bin=2))


def test_pooling_no_boxes_gives_no_features(device: torch.device) -> None:
    nothing = pooled(torch.zeros(5, 4, 4, device=device), np.zeros((0, 4), np.float32), FINE, 3)
    assert nothing.shape == (0, 5, 3, 3)


def test_pooling_can_be_differentiated_with_respect_to_the_map() -> None:
    fused = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    boxes = np.array([[3, 3, 20, 14], [-5, 0, 9, 40]], np.float32)
    assert torch.autograd.gradcheck(lambda x: pooled(x, boxes, FINE, 2), fused)


@pytest.fixture
def source(device: torch.device) -> MapFeatures:
    return MapFeatures(
        RampBackbone(), ("fine", "coarse"), region_px=160, target_px=40.0, grid=1, device=device
    )


FRAME = Frame(np.zeros((120, 200, 3), np.uint8))


def test_the_features_of_a_box_come_from_where_it_is(source: MapFeatures) -> None:
    # the region is four target sides: 80 pixels from (60, 20), seen twice as large
    target = BoundingBox(90, 50, 20, 20)
    features = source.look(FRAME, target).sample(np.array([[90, 50, 20, 20], [95, 52, 20, 20]], np.float32))
    assert (source.channels, source.grid) == (4, 1)
    expected = [[80, 80, 80, 80], [90, 84, 90, 84]]
    np.testing.assert_allclose(features.flatten(1).cpu().numpy(), expected, rtol=1e-5)


def test_a_view_covers_a_box_if_three_quarters_of_it_lie_in_its_region(source: MapFeatures) -> None:
    view = source.look(FRAME, BoundingBox(90, 50, 20, 20))  # region from (60, 20) to (140, 100)
    boxes = np.array([[90, 50, 20, 20], [55, 50, 20, 20], [54, 50, 20, 20], [90, 86, 20, 20]], np.float32)
    assert view.covers(boxes).tolist() == [True, True, False, False]


def test_features_carry_no_gradient_and_yet_can_be_learned_from(source: MapFeatures) -> None:
    target = BoundingBox(90, 50, 20, 20)
    features = source.look(FRAME, target).sample(target.as_array()[None])
    assert not features.requires_grad
    layer = nn.Linear(4, 1).to(features.device)
    activation = features.requires_grad_(True)  # refused for tensors of inference mode
    layer(activation.flatten(1)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_of_boxes_those_that_the_view_covers_are_kept_and_all_where_it_covers_none(
    source: MapFeatures,
) -> None:
    view = source.look(FRAME, BoundingBox(90, 50, 20, 20))
    inside, outside = [95, 50, 20, 20], [1000, 50, 20, 20]
    mixed = np.array([inside, outside], np.float32)
    np.testing.assert_array_equal(covered(view, mixed), mixed[:1])
    np.testing.assert_array_equal(covered(view, mixed[1:]), mixed[1:])


def test_a_region_fits_a_long_box_too() -> None:
    # root of the area 40, half the longer side 100
    assert Region.around(BoundingBox(0, 0, 200, 8), 4.5).side == 450


def test_a_region_far_larger_than_the_image_is_cut_without_being_filled_first() -> None:
    image = np.full((100, 200, 3), 200, np.uint8)
    tracemalloc.start()
    cut = Region(-5000, -5000, 10200).cut(image, 288)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert cut.shape == (288, 288, 3)
    assert (cut[141:144, 142:146] == 200).all()
    assert (cut[:140] == 127).all()
    assert peak_bytes < 10e6  # as a picture the region has 312 MB


def numbered_batch(start: int, count: int, *, with_crops: bool) -> Batch:
    """Whose samples, and their crops, hold their own numbers."""
    numbers = torch.arange(start, start + count)
    crops = numbers[:, None, None, None].expand(count, 3, 2, 2).byte() if with_crops else None
    return Batch(numbers[:, None, None, None].float(), crops)


@pytest.mark.parametrize("with_crops", [True, False], ids=["with-crops", "without"])
def test_some_samples_of_a_batch_and_several_batches_as_one_keep_their_crops(with_crops: bool) -> None:
    batches = [numbered_batch(start, 3, with_crops=with_crops) for start in (0, 3, 6)]
    together = Batch.cat(batches)
    some = together[torch.tensor([8, 1, 4])]
    assert (len(together), len(some)) == (9, 3)
    assert together.features.flatten().tolist() == list(range(9))
    assert some.features.flatten().tolist() == [8, 1, 4]
    if with_crops:
        assert together.crops is not None
        assert some.crops is not None
        assert together.crops[:, 2, 1, 0].tolist() == list(range(9))
        assert some.crops[:, 2, 1, 0].tolist() == [8, 1, 4]
    else:
        assert together.crops is some.crops is None


def test_what_is_picked_from_a_batch_does_not_keep_the_rest_alive() -> None:
    some = numbered_batch(0, 100, with_crops=True)[torch.tensor([8, 1])]
    assert some.crops is not None
    assert some.features.untyped_storage().nbytes() == 2 * 4
    assert some.crops.untyped_storage().nbytes() == 2 * 3 * 2 * 2


def test_a_shared_map_has_no_crop_of_a_box_to_learn_from(source: MapFeatures) -> None:
    view, boxes = source.look(FRAME, BoundingBox(90, 50, 20, 20)), np.array([[95, 52, 20, 20]], np.float32)
    batch = view.batch(boxes)
    assert torch.equal(batch.features, view.sample(boxes))
    assert batch.crops is None


class NearViews:
    """Looks that cover boxes whose corner lies within 50 pixels; the features of a box are itself."""

    channels, grid = 4, 1

    def __init__(self) -> None:
        self.looks = 0

    def look(self, frame: Frame, target: BoundingBox) -> NearViews.View:
        self.looks += 1
        return NearViews.View(target)

    class View:
        def __init__(self, target: BoundingBox) -> None:
            self._corner = np.array([target.x, target.y])

        def covers(self, boxes: Boxes) -> np.ndarray:
            return (np.abs(boxes[:, :2] - self._corner) <= 50).all(axis=1)

        def batch(self, boxes: Boxes) -> Batch:
            return Batch(torch.from_numpy(boxes).reshape(-1, 4, 1, 1))


def boxes_anywhere(count: int) -> Boxes:
    corners = np.random.default_rng(0).uniform(0, 180, (count, 2))
    return np.concatenate([corners, np.full((count, 2), 20)], axis=1).astype(np.float32)


def in_order(boxes: Boxes) -> Boxes:
    return boxes[np.lexsort(boxes.T)]


def test_boxes_all_over_the_image_are_each_seen_once_by_several_views() -> None:
    source, boxes = NearViews(), boxes_anywhere(100)
    features = sample_widely(source, FRAME, BoundingBox(90, 50, 20, 20), boxes).features
    np.testing.assert_array_equal(in_order(features.flatten(1).numpy()), in_order(boxes))
    assert 1 < source.looks <= 9


def test_boxes_that_the_allowed_views_do_not_reach_are_left_out() -> None:
    source, boxes = NearViews(), boxes_anywhere(100)
    batch = sample_widely(source, FRAME, BoundingBox(90, 50, 20, 20), boxes, max_views=2)
    assert source.looks == 2
    assert 0 < len(batch) < 100


def test_a_box_that_not_even_a_view_around_it_covers_does_not_hold_up_the_others(
    source: MapFeatures,
) -> None:
    huge = np.array([[0, 0, 190, 190]], np.float32)
    boxes = np.concatenate([huge, boxes_anywhere(60)])
    assert len(sample_widely(source, FRAME, BoundingBox(90, 50, 20, 20), boxes)) > 40
