"""Each box cut out for itself: where its pixels come from, and that nothing else decides its features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recip_tracker_core.backbones import INPUT, Backbone
from recip_tracker_core.box_crops import CellPooling, CropFeatures, CropNetwork, CropView, cut_boxes
from recip_tracker_core.features import PADDING
from recip_tracker_core.types import BoundingBox, Frame

pytestmark = pytest.mark.usefixtures("full_precision")
GREY = torch.tensor(PADDING, dtype=torch.uint8)[:, None, None]


def textured(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def as_tensor(image: np.ndarray) -> Tensor:
    """(3, H, W) uint8."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)


def cut(
    image: np.ndarray, *boxes: tuple[float, float, float, float], size_px: int, context_px: int
) -> Tensor:
    """(N, 3, size_px, size_px)."""
    rows = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return cut_boxes(as_tensor(image).float(), rows, size_px, context_px)


def test_a_box_as_large_as_its_crop_gives_the_pixels_themselves() -> None:
    image = textured(40, 50)
    crops = cut(image, (10, 5, 16, 16), (34, 24, 16, 16), size_px=16, context_px=0)
    assert crops.dtype == torch.uint8
    assert torch.equal(crops[0], as_tensor(image[5:21, 10:26]))
    assert torch.equal(crops[1], as_tensor(image[24:40, 34:50]))


def test_context_is_what_lies_around_the_box() -> None:
    image = textured(40, 50)
    (crop,) = cut(image, (10, 8, 16, 16), size_px=24, context_px=4)
    assert torch.equal(crop, as_tensor(image[4:28, 6:30]))


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((12.0, 9.0, 32.0, 8.0), id="wide"),
        pytest.param((20.3, 4.9, 7.7, 30.0), id="tall"),
        pytest.param((17.2, 14.6, 11.0, 11.0), id="square"),
    ],
)
def test_a_box_is_warped_by_its_own_aspect(box: tuple[float, float, float, float]) -> None:
    # Each pixel says where its centre is, in eighths: red its column, green its row.
    rows, columns = np.mgrid[:30, :30] + 0.5
    image = torch.from_numpy(np.stack([8 * columns, 8 * rows, np.zeros_like(rows)])).float()
    (crop,) = cut_boxes(image, torch.tensor([box]), 20, 4)
    x, y, w, h = box
    inner = np.arange(20) - 4 + 0.5  # of a box of 12 pixels
    expected_x, expected_y = x + w * inner / 12, y + h * inner / 12
    seen_x, seen_y = crop[0].numpy() / 8, crop[1].numpy() / 8
    inside = np.ix_((expected_y > 1) & (expected_y < 29), (expected_x > 1) & (expected_x < 29))
    expected = np.broadcast_arrays(expected_x[None], expected_y[:, None])
    assert inside[0].size > 8
    assert inside[1].size > 8
    np.testing.assert_allclose(seen_x[inside], expected[0][inside], atol=1 / 16 + 1e-4)
    np.testing.assert_allclose(seen_y[inside], expected[1][inside], atol=1 / 16 + 1e-4)


@pytest.mark.parametrize(
    ("corner", "in_crop", "in_image"),
    [
        pytest.param((-8, 5), np.s_[:, 8:], np.s_[5:21, :8], id="left"),
        pytest.param((42, 5), np.s_[:, :8], np.s_[5:21, 42:], id="right"),
        pytest.param((10, -8), np.s_[8:, :], np.s_[:8, 10:26], id="above"),
        pytest.param((10, 30), np.s_[:10, :], np.s_[30:, 10:26], id="below"),
        pytest.param((-6, -4), np.s_[4:, 6:], np.s_[:12, :10], id="corner"),
        pytest.param((60, 5), np.s_[:0, :0], np.s_[:0, :0], id="wholly"),
        pytest.param((-500, 4000), np.s_[:0, :0], np.s_[:0, :0], id="far"),
    ],
)
def test_outside_of_the_image_it_is_grey(
    corner: tuple[int, int], in_crop: tuple[slice, slice], in_image: tuple[slice, slice]
) -> None:
    image = textured(40, 50)
    (crop,) = cut(image, (*corner, 16, 16), size_px=16, context_px=0)
    expected = np.full((16, 16, 3), PADDING, np.uint8)
    expected[in_crop] = image[in_image]
    assert torch.equal(crop, as_tensor(expected))


def test_no_boxes_have_no_crops() -> None:
    assert cut(textured(40, 50), size_px=16, context_px=4).shape == (0, 3, 16, 16)


def test_cells_are_averaged_in_equal_parts_which_overlap_where_they_must() -> None:
    row = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0])
    # Five cells in two parts: the first three and the last three; their mean over a scale of 2.
    pooled = CellPooling(2, scale=2.0)(row.expand(1, 1, 5, 5))
    torch.testing.assert_close(pooled[0, 0], torch.tensor([7 / 6, 28 / 6]).expand(2, 2))
    same = torch.randn(1, 2, 3, 3)
    assert torch.equal(CellPooling(3, scale=1.0)(same), same)


@pytest.fixture(params=["efficientnet_lite0", "vgg_m"])
def network(request: pytest.FixtureRequest, device: torch.device) -> CropNetwork:
    if request.param == "vgg_m":
        return CropNetwork(request.getfixturevalue("vgg_m"), "relu3", 107, 3, device)
    return CropNetwork(request.getfixturevalue("backbone"), "s8", 64, 3, device)


def naive_features(backbone: Backbone, stage: str, crops: Tensor) -> Tensor:
    with torch.no_grad():
        cells = backbone(backbone.normalized(crops.float()), (stage,))[stage]
        return F.adaptive_avg_pool2d(cells, 3) / backbone.stages[stage].scale


BOXES = np.array([[20, 15, 40, 40], [-10, 30, 25, 60], [70, 2, 35, 18], [30, 30, 9, 9]], np.float32)
TARGET = BoundingBox(20, 15, 40, 40)


def view_of(
    network: CropNetwork,
    image: np.ndarray,
    target: BoundingBox = TARGET,
    *,
    context_px: int = 8,
    keeps: bool = True,
) -> CropView:
    return CropFeatures(network, context_px, keeps_crops=keeps).look(Frame(image), target)


def test_the_features_of_a_box_are_those_of_its_crop(
    network: CropNetwork, backbone: Backbone, vgg_m: Backbone
) -> None:
    image = textured(90, 120)
    view = view_of(network, image)
    pixels = as_tensor(image).float().to(network.device)
    crops = cut_boxes(pixels, torch.from_numpy(BOXES).to(network.device), network.size_px, 8)
    batch = view.batch(BOXES)
    assert batch.crops is not None
    assert torch.equal(batch.crops, crops)
    own, stage = (vgg_m, "relu3") if network.size_px == 107 else (backbone, "s8")
    assert batch.features.shape == (4, network.channels, 3, 3)
    torch.testing.assert_close(batch.features, naive_features(own, stage, crops), rtol=1e-4, atol=1e-4)
    assert torch.equal(view.sample(BOXES), batch.features)


def test_a_source_says_what_its_features_have(network: CropNetwork) -> None:
    source = CropFeatures(network, 8, keeps_crops=False)
    features = source.look(Frame(textured(90, 120)), TARGET).sample(BOXES)
    assert features.shape == (4, source.channels, source.grid, source.grid)


def test_every_box_is_covered(network: CropNetwork) -> None:
    assert view_of(network, textured(90, 120)).covers(BOXES).tolist() == [True] * 4


def test_crops_are_kept_when_they_are_asked_for_and_not_otherwise(network: CropNetwork) -> None:
    image = textured(90, 120)
    with_crops, without = (view_of(network, image, keeps=keeps).batch(BOXES) for keeps in (True, False))
    assert with_crops.crops is not None
    assert with_crops.crops.shape == (4, 3, network.size_px, network.size_px)
    assert with_crops.crops.dtype == torch.uint8
    assert without.crops is None
    assert torch.equal(with_crops.features, without.features)


@pytest.mark.parametrize("at_once", [1, 3, 4])
def test_how_many_crops_go_at_once_changes_nothing(network: CropNetwork, at_once: int) -> None:
    image = textured(90, 120)
    together = view_of(network, image).batch(BOXES)
    network.at_once = at_once
    parts = view_of(network, image).batch(BOXES)
    assert together.crops is not None
    assert parts.crops is not None
    assert torch.equal(parts.crops, together.crops)
    for features in (parts.features, network.features(parts.crops)):
        torch.testing.assert_close(features, together.features, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("keeps", [True, False], ids=["with-crops", "without"])
def test_no_boxes_make_an_empty_batch_of_the_right_shape(network: CropNetwork, keeps: bool) -> None:
    batch = view_of(network, textured(90, 120), keeps=keeps).batch(BOXES[:0])
    assert len(batch) == 0
    assert batch.features.shape == (0, network.channels, 3, 3)
    assert (batch.crops is not None) == keeps
    if batch.crops is not None:
        assert batch.crops.shape == (0, 3, network.size_px, network.size_px)


@pytest.mark.parametrize("size", [(20, 16), (9, 40)], ids=["small", "thin"])
def test_an_image_smaller_than_a_crop_is_enlarged_and_grey_around_it(
    network: CropNetwork, size: tuple[int, int]
) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    box = np.array([[0, 0, size[1], size[0]]], np.float32)
    target = BoundingBox(0, 0, size[1], size[0])
    batch = view_of(network, image, target, context_px=16).batch(box)
    assert batch.crops is not None
    assert batch.features.isfinite().all()
    (crop,) = batch.crops.cpu()
    middle = network.size_px // 2
    assert crop[:, middle, middle].min() >= 198
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert torch.equal(crop[:, corner[0], corner[1]], GREY[:, 0, 0])


def checkerboard(height: int, width: int) -> np.ndarray:
    """Black and white pixels by turns."""
    rows, columns = np.mgrid[:height, :width]
    return np.repeat((255 * ((rows + columns) % 2)).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize(("wide", "high"), [(5, 5), (5, 1), (1, 5)], ids=["square", "wide", "tall"])
def test_a_large_target_is_shrunk_without_aliasing(network: CropNetwork, wide: int, high: int) -> None:
    # Five pixels of the image make one of the crop: a sample each would be black or white.
    width, height = wide * network.size_px, high * network.size_px
    image = checkerboard(height + 20, width + 20)
    unshrunk = cut(image, (10, 10, width, height), size_px=network.size_px, context_px=0)
    assert unshrunk.unique().tolist() == [0, 255]
    target = BoundingBox(10, 10, width, height)
    batch = view_of(network, image, target, context_px=0).batch(target.as_array()[None])
    assert batch.crops is not None
    assert batch.crops.min() >= 110
    assert batch.crops.max() <= 145


def test_a_shrunk_image_shows_each_box_where_it_is(network: CropNetwork) -> None:
    image = np.full((431, 617, 3), 30, np.uint8)
    image[101:342, 203:544] = 220
    box = np.array([[203, 101, 341, 241], [203 - 341 / 2, 101, 341, 241]], np.float32)
    batch = view_of(network, image, BoundingBox(203, 101, 341, 241), context_px=0).batch(box)
    assert batch.crops is not None
    whole, half = batch.crops[:, 0].float().cpu()
    bright = [(crop - 30) / 190 for crop in (whole, half)]
    assert bright[0][2:-2, 2:-2].min() > 0.98
    assert bright[0].mean() == pytest.approx(1, abs=0.02)
    assert bright[1].mean() == pytest.approx(0.5, abs=0.02)


def test_in_a_shrunk_image_of_few_rows_a_box_still_has_all_of_them(network: CropNetwork) -> None:
    # A tenth of 45 rows are 4, or less than a tenth.
    width = 10 * network.size_px
    target = BoundingBox(0, 0, width, 45)
    view = view_of(network, np.full((45, width, 3), 220, np.uint8), target, context_px=0)
    crops = view.batch(target.as_array()[None]).crops
    assert crops is not None
    rows = crops[0, 0].float().mean(dim=1).cpu()
    assert rows[0] > 160  # half a pixel of the shrunk image fades to grey
    torch.testing.assert_close(rows, rows.flip(0), rtol=0, atol=2.0)


def test_a_target_as_large_as_its_crop_is_not_shrunk(network: CropNetwork) -> None:
    side = network.size_px
    image = textured(side + 20, side + 20)
    target = BoundingBox(7, 9, side, side)
    batch = view_of(network, image, target, context_px=0).batch(target.as_array()[None])
    assert batch.crops is not None
    assert torch.equal(batch.crops[0].cpu(), as_tensor(image[9 : 9 + side, 7 : 7 + side]))


def read_only(image: np.ndarray) -> np.ndarray:
    same = image.copy()
    same.flags.writeable = False
    return same


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(read_only, id="read-only"),
        pytest.param(lambda image: image[:, :, ::-1].copy()[:, :, ::-1], id="channels-turned"),
        pytest.param(lambda image: image[:, ::-1].copy()[:, ::-1], id="mirrored"),
    ],
)
@pytest.mark.parametrize("target", [TARGET, BoundingBox(0, 0, 119, 89)], ids=["as-it-is", "shrunk"])
@pytest.mark.filterwarnings("error")
def test_how_an_image_lies_in_memory_does_not_matter(
    backbone: Backbone, device: torch.device, seen: Callable[[np.ndarray], np.ndarray], target: BoundingBox
) -> None:
    network, image = CropNetwork(backbone, "s8", 32, 3, device), textured(90, 120)
    found, expected = (
        view_of(network, laid_out, target, context_px=0).sample(BOXES) for laid_out in (seen(image), image)
    )
    assert torch.equal(found, expected)


def test_features_carry_no_gradient_and_yet_can_be_learned_from(network: CropNetwork) -> None:
    features = view_of(network, textured(90, 120)).sample(BOXES)
    assert not features.requires_grad
    layer = nn.Linear(9 * network.channels, 1).to(features.device)
    layer(features.requires_grad_(True).flatten(1)).sum().backward()  # refused for tensors of inference mode
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_from_any_level_the_layers_after_it_make_the_features(
    network: CropNetwork, backbone: Backbone, vgg_m: Backbone
) -> None:
    own, stage = (vgg_m, "relu3") if network.size_px == 107 else (backbone, "s8")
    crops = torch.from_numpy(
        np.random.default_rng(1).integers(0, 256, (2, 3, network.size_px, network.size_px), np.uint8)
    )
    crops = crops.to(network.device)
    torch.testing.assert_close(network.activation(crops, INPUT), own.normalized(crops.float()))
    names = [*own.stages]
    for level in (INPUT, *names[: names.index(stage) + 1]):
        found = network.after(level)(network.activation(crops, level))
        torch.testing.assert_close(found, network.features(crops), rtol=1e-4, atol=1e-4)
