"""Each box cut out, resized to a square and run through the network: the paper's features of a candidate.

Many times dearer than a shared map, and the only ones whose attention reaches stages and pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .backbones import INPUT, Backbone
from .features import PADDING, Batch
from .types import BoundingBox, Boxes, Frame

AT_ONCE = {"cpu": 32, "cuda": 512}  # crops in one pass; on a CPU larger activations only cost page faults
SHRUNK_BELOW = 0.6  # of the image's scale: bilinear sampling skips pixels below half size


class CellPooling(nn.Module):
    """A map averaged over grid x grid equal parts, which overlap where it has no multiple of that many cells.

    Args:
        grid: parts a side.
        scale: of the values, which are divided by it.
    """

    def __init__(self, grid: int, scale: float) -> None:
        super().__init__()
        self.grid, self.scale = grid, scale

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, grid, grid)."""
        return F.adaptive_avg_pool2d(x, self.grid) / self.scale


class CropNetwork:
    """From a crop's pixels to what the head reads, and from any level between.

    Args:
        backbone: frozen, on ``device``.
        stage: that the head reads.
        size_px: side of a crop.
        grid: cells a side that the head reads.
        device: where it computes.
    """

    def __init__(self, backbone: Backbone, stage: str, size_px: int, grid: int, device: torch.device) -> None:
        self._backbone, self._stage, self._device = backbone, stage, device
        self._pooling = CellPooling(grid, backbone.stages[stage].scale)
        self.size_px, self.grid = size_px, grid
        self.channels = backbone.stages[stage].channels
        self.at_once = AT_ONCE[device.type]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._device

    def activation(self, crops: Tensor, level: str) -> Tensor:
        """(N, 3, S, S) crops, values in [0, 255], as they arrive at a level: the start of :meth:`after`."""
        images = self._backbone.normalized(crops.float())
        return images if level == INPUT else self._backbone(images, (level,))[level]

    def after(self, level: str) -> nn.Sequential:
        """The layers from a level to the features."""
        return nn.Sequential(*self._backbone.part(level, self._stage), self._pooling)

    def features(self, crops: Tensor) -> Tensor:
        """(N, 3, S, S) crops to (N, C, grid, grid), a few at a time, without gradient."""
        with torch.no_grad():  # not inference_mode: learning must be able to read these
            parts = [
                self._pooling(self.activation(part, self._stage)) for part in torch.split(crops, self.at_once)
            ]
        return torch.cat(parts)


def image_pixels(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(H, W, 3) uint8, which may be read-only or a mirrored view, to (3, H, W) float32 in [0, 255]."""
    return torch.from_numpy(np.array(image, order="C")).to(device).permute(2, 0, 1).float()


def cut_boxes(image: Tensor, boxes: Tensor, size_px: int, context_px: int) -> Tensor:
    """Boxes of an image as square crops, each warped by its own aspect, grey where there is no image.

    Args:
        image: (3, H, W) float32 in [0, 255].
        boxes: (N, 4) in its pixels.
        context_px: how much of each border of a crop lies outside of its box, crop pixels.

    Returns:
        (N, 3, size_px, size_px) uint8.
    """
    # Where each pixel of a crop lies in its box, in boxes.
    at = (torch.arange(size_px, device=image.device) + 0.5 - context_px) / (size_px - 2 * context_px)
    x, y = (boxes[:, axis, None] + boxes[:, axis + 2, None] * at for axis in (0, 1))  # (N, S)
    height, width = image.shape[1:]
    across, down = 2 * x / width - 1, 2 * y / height - 1  # as grid_sample counts, (N, S)
    shape = (len(boxes), size_px, size_px)
    places = torch.stack([across[:, None].expand(shape), down[:, :, None].expand(shape)], dim=-1)
    padding = image.new_tensor(PADDING)[:, None, None]  # what lies outside is sampled as zero
    rows = places.flatten(0, 1)[None]  # all crops as one tall picture
    sampled = F.grid_sample((image - padding)[None], rows, align_corners=False)[0]
    pixels = (sampled + padding).round_().clamp_(0, 255).byte()
    return pixels.view(3, *shape).transpose(0, 1).contiguous()


class CropView:
    """A view whose boxes are cut out one by one; see :class:`~.features.View`.

    Args:
        image: (3, H, W) float32, on the network's device.
        scale: (2,) of the frame's pixels in it.
    """

    def __init__(
        self, image: Tensor, scale: NDArray[np.float32], network: CropNetwork, context_px: int, *, keeps: bool
    ) -> None:
        self._image, self._scale = image, np.tile(scale, 2)
        self._network, self._context_px, self._keeps = network, context_px, keeps

    def covers(self, boxes: Boxes) -> NDArray[np.bool_]:
        """All of them."""
        return np.ones(len(boxes), np.bool_)

    def sample(self, boxes: Boxes) -> Tensor:
        """See :class:`~.features.View`."""
        return self.batch(boxes).features

    def batch(self, boxes: Boxes) -> Batch:
        """See :class:`~.features.View`."""
        network, image = self._network, self._image
        scaled = torch.from_numpy(np.asarray(boxes * self._scale, np.float32)).to(image.device)
        features, kept = [], []
        for part in torch.split(scaled, network.at_once):  # a frame's crops at once would be large
            crops = cut_boxes(image, part, network.size_px, self._context_px)
            features.append(network.features(crops))
            if self._keeps:
                kept.append(crops)
        return Batch(torch.cat(features), torch.cat(kept) if self._keeps else None)


class CropFeatures:
    """Looks at each candidate for itself; see :class:`~.features.FeatureSource`.

    Args:
        network: from a crop to features.
        context_px: of a crop's border, see :func:`cut_boxes`.
        keeps_crops: whether learning needs the pixels, too.
    """

    def __init__(self, network: CropNetwork, context_px: int, *, keeps_crops: bool) -> None:
        self._network, self._context_px, self._keeps_crops = network, context_px, keeps_crops
        self.channels, self.grid = network.channels, network.grid
        self.kept_px = network.size_px if keeps_crops else 0

    def look(self, frame: Frame, target: BoundingBox) -> CropView:
        """See :class:`~.features.FeatureSource`."""
        inner_px = self._network.size_px - 2 * self._context_px
        scale = inner_px / max(target.w, target.h)
        image = frame.image
        if scale < SHRUNK_BELOW:
            size = np.maximum(np.round(np.array(image.shape[1::-1]) * scale), 1).astype(int)
            image = np.asarray(cv2.resize(image, size.tolist(), interpolation=cv2.INTER_AREA), np.uint8)
        ratio = np.array([image.shape[1] / frame.width, image.shape[0] / frame.height], np.float32)
        pixels = image_pixels(image, self._network.device)
        return CropView(pixels, ratio, self._network, self._context_px, keeps=self._keeps_crops)
