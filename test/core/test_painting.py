"""Where the classifier looks, for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from recip_tracker_core.attention import attention_map
from recip_tracker_core.backbones import Backbone
from recip_tracker_core.box_crops import CropNetwork, cut_boxes
from recip_tracker_core.classifier import TARGET, Head
from recip_tracker_core.features import to_pixels
from recip_tracker_core.painting import CropPainter, Painter, RegionPainter
from recip_tracker_core.types import BoundingBox, Frame


@dataclass(frozen=True)
class Studio:
    """A painter, a head that it can paint, and how large the target is in its pictures.

    Attributes:
        side_px: of a picture.
        half_px: half the size of a box of 40 x 30 pixels in it, pixels.
    """

    painter: Painter
    head: Head
    side_px: int
    half_px: tuple[float, float]


@pytest.fixture(params=["region", "crop", "crop-of-vgg-m"])
def studio(
    request: pytest.FixtureRequest, backbone: Backbone, vgg_m: Backbone, device: torch.device
) -> Studio:
    if request.param == "region":
        # The crop is twice the root of the area (69 pixels).
        painter: Painter = RegionPainter(backbone, ("s8", "s16"), 48.0, 3, device)
        channels, side_px, half_px = 152, 96, (28.0, 21.0)
    elif request.param == "crop":
        painter = CropPainter(CropNetwork(backbone, "s8", 64, 3, device), context_px=8)
        channels, side_px, half_px = 40, 64, (24.0, 24.0)
    else:
        painter = CropPainter(CropNetwork(vgg_m, "relu3", 107, 3, device), context_px=16)
        channels, side_px, half_px = 512, 107, (37.5, 37.5)
    head = Head(channels, grid=3, hidden=32, dropout=0.5, seed=0).to(device)
    return Studio(painter, head.eval().requires_grad_(False), side_px, half_px)


@pytest.fixture
def frame() -> Frame:
    return Frame(np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8))


def test_a_picture_peaks_at_one_inside_the_target(studio: Studio, frame: Frame) -> None:
    side_px = studio.side_px
    picture = studio.painter.paint(frame, BoundingBox(60, 40, 40, 30), studio.head)
    assert picture.pixels.shape == (side_px, side_px, 3)
    assert picture.pixels.dtype == np.uint8
    assert picture.attention.shape == (side_px, side_px)
    assert picture.attention.dtype == np.float32
    assert picture.attention.min() >= 0
    assert picture.attention.max() == 1
    row, column = np.unravel_index(picture.attention.argmax(), picture.attention.shape)
    assert abs(column - side_px / 2) <= studio.half_px[0]
    assert abs(row - side_px / 2) <= studio.half_px[1]


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(BoundingBox(-10, -10, 30, 30), id="over-the-corner"),
        pytest.param(BoundingBox(500, 500, 30, 30), id="outside"),
        pytest.param(BoundingBox(3, 3, 2, 2), id="tiny"),
        pytest.param(BoundingBox(0, 0, 160, 120), id="whole-image"),
    ],
)
def test_any_box_has_a_finite_picture(studio: Studio, frame: Frame, box: BoundingBox) -> None:
    attention = studio.painter.paint(frame, box, studio.head).attention
    assert np.isfinite(attention).all()
    assert attention.max() <= 1


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
@pytest.mark.filterwarnings("error")
def test_how_an_image_lies_in_memory_does_not_matter(
    studio: Studio, frame: Frame, seen: Callable[[np.ndarray], np.ndarray]
) -> None:
    box = BoundingBox(60, 40, 40, 30)
    expected = studio.painter.paint(frame, box, studio.head)
    found = studio.painter.paint(Frame(seen(frame.image)), box, studio.head)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_allclose(found.attention, expected.attention, atol=1e-4)


def test_a_head_that_attends_to_nothing_gives_a_black_picture(studio: Studio, frame: Frame) -> None:
    nn.init.zeros_(studio.head.fc4.weight)
    assert not studio.painter.paint(frame, BoundingBox(60, 40, 40, 30), studio.head).attention.any()


def test_painting_needs_no_gradients_around_it_and_leaves_none_behind(studio: Studio, frame: Frame) -> None:
    with torch.no_grad():
        studio.painter.paint(frame, BoundingBox(60, 40, 40, 30), studio.head)
    assert all(parameter.grad is None for parameter in studio.head.parameters())


@pytest.mark.usefixtures("full_precision")
def test_a_crop_is_painted_as_the_head_sees_it(vgg_m: Backbone, device: torch.device, frame: Frame) -> None:
    head = Head(512, grid=3, hidden=32, dropout=0.5, seed=0).to(device).eval().requires_grad_(False)
    network, box = CropNetwork(vgg_m, "relu3", 107, 3, device), BoundingBox(60, 40, 40, 30)
    picture = CropPainter(network, context_px=16).paint(frame, box, head)
    boxes = torch.from_numpy(box.as_array()[None]).to(device)
    crops = cut_boxes(to_pixels(frame.image, device)[0], boxes, 107, 16)
    np.testing.assert_array_equal(picture.pixels, crops[0].permute(1, 2, 0).cpu().numpy())
    pixels = vgg_m.normalized(crops.float()).requires_grad_(True)
    cells = F.adaptive_avg_pool2d(vgg_m(pixels, ("relu3",))["relu3"], 3)
    attention = attention_map(head(cells)[:, TARGET], pixels)[0].detach().cpu().numpy()
    smooth = cv2.GaussianBlur(attention, (0, 0), 107 / 48)
    np.testing.assert_allclose(picture.attention, smooth / smooth.max(), atol=1e-4)
