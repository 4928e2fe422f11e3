"""What several tests of the core share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recip_tracker_core import Tracker, TrackerConfig, build_tracker
from recip_tracker_core.backbones import Backbone, load_backbone
from recip_tracker_core.crops import Crop
from recip_tracker_core.encoding import Encoder, MapSource
from recip_tracker_core.parameters import replaced
from recip_tracker_core.types import BoundingBox, Frame

SEEN_PX, TARGET_PX = 160, 48.0  # half of what the tracker's defaults see, for speed
SMALL = {
    "update.updater": "inline",
    "classifier.hidden": 48,
    "first_fit.positives": 150,
    "first_fit.negatives": 500,
    "first_fit.iterations": 25,
    "update.iterations": 5,
    "update.positives": 20,
    "update.negatives": 60,
    "map.region_px": SEEN_PX,
    "map.target_px": TARGET_PX,
    "locator.grid": 3,
    "locator.turns": 4,
    "refiner.grid": 3,
    "features.region_px": SEEN_PX,
    "features.target_px": TARGET_PX,
    "search.candidates": 128,
    "search.lost_after": 5,
    "regression.samples": 200,
}


@pytest.fixture(scope="session")
def backbone(device: torch.device) -> Backbone:
    """The default network with its packaged weights; it is frozen, so one serves every test."""
    network = load_backbone("efficientnet_lite0")
    assert isinstance(network, nn.Module)
    return network.to(device)


@pytest.fixture(scope="session")
def vgg_m(device: torch.device) -> Backbone:
    """The paper's network with random weights: no package ships its own."""
    network = load_backbone("vgg_m", "random")
    assert isinstance(network, nn.Module)
    return network.to(device)


@pytest.fixture
def full_precision() -> Iterator[None]:
    """Convolutions on CUDA in float32 as it is, and not with shortened factors."""
    with torch.backends.cudnn.flags(allow_tf32=False):
        yield


@pytest.fixture(scope="session")
def photograph(device: torch.device) -> Callable[[int, int], Tensor]:
    """``photograph(height, width)``: (2, 3, H, W) in [0, 255], noise of several grains."""

    def taken(height: int, width: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        picture = torch.zeros(2, 3, height, width)
        for grain in (1, 4, 16):
            noise = torch.rand((2, 3, height // grain, width // grain), generator=generator)
            picture += nn.functional.interpolate(noise, size=(height, width), mode="nearest") / 3
        return 255 * picture.to(device)

    return taken


@pytest.fixture(scope="session")
def map_source(backbone: Backbone, device: torch.device) -> MapSource:
    """Of maps as the tracker makes them."""
    return MapSource(backbone, ("s4", "s8", "s16"), "s8", (16, 16, 24, 6), 4.0, device)


@dataclass(frozen=True)
class Scene:
    """A first frame with a target, and the crop and the encoder that they ask for.

    Attributes:
        middle_px, size_px: (2,) of the target in the crop, crop pixels.
    """

    frame: Frame
    box: BoundingBox
    crop: Crop
    encoder: Encoder
    middle_px: np.ndarray
    size_px: np.ndarray

    def seen(self, **altered: object) -> Tensor:
        """(C, n, n): the map of the crop, turned, flipped or shifted."""
        return self.encoder.encode(self.crop.cut(self.frame.image, **altered))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def scene(map_source: MapSource, rendered_clip: Callable[..., list]) -> Scene:
    """The first frame of a rendered clip."""
    image, row = rendered_clip(frames=1, seed=1)[0]
    box = BoundingBox(*row)
    size = np.array([box.w, box.h])
    crop = Crop.around(np.array(box.center), size, TARGET_PX, SEEN_PX)
    encoder = map_source.fitted(crop.cut(image), size * crop.scale)
    return Scene(Frame(image), box, crop, encoder, np.full(2, SEEN_PX / 2), size * crop.scale)


@pytest.fixture(scope="session")
def small(device: torch.device) -> Callable[..., TrackerConfig]:
    """``small(**values)``: a configuration that costs little, for either kind of tracker."""
    return lambda **values: replaced(TrackerConfig(), {**SMALL, "device": str(device), **values})


@pytest.fixture
def make_tracker(small: Callable[..., TrackerConfig]) -> Iterator[Callable[..., Tracker]]:
    """``make_tracker(**values)``: a small real tracker, closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda **values: stack.enter_context(contextlib.closing(build_tracker(small(**values))))
