"""Where the classifier looks, for people: Eq. 1-2 of the paper back to the pixels of the target's own crop.

A painter writes nothing that is shared, so any thread may paint.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .appearance import Appearance
from .attention import attention_map
from .backbones import INPUT, Backbone
from .box_crops import CropNetwork, cut_boxes, image_pixels
from .classifier import TARGET, Head
from .colors import halved, to_lab
from .crops import Crop
from .encoding import MapSource, box_features, taps
from .features import Region, fused_map, pooled, to_pixels
from .types import BoundingBox, Frame

FAINTEST = 1e-8  # a map below it is shown black


@dataclass(frozen=True, slots=True)
class AttentionPicture:
    """Where the classifier looks, for people.

    Attributes:
        pixels: (S, S, 3) uint8 RGB, the target's own crop.
        attention: (S, S) float32 in [0, 1], Eq. 2 at those pixels, relative to its own maximum.
    """

    pixels: NDArray[np.uint8]
    attention: NDArray[np.float32]

    @staticmethod
    def of(cut: NDArray[np.uint8], score: Tensor, pixels: Tensor) -> AttentionPicture:
        """Of a (1,) score computed from (1, 3, S, S) pixels, which are those of the cut."""
        attention = attention_map(score, pixels, is_learned=False)[0].cpu().numpy()
        # Pixel gradients of a strided network are grainy: shown at the grain of its first cells.
        attention = cv2.GaussianBlur(attention, (0, 0), len(cut) / 48)
        relative = attention / max(float(attention.max()), FAINTEST)
        return AttentionPicture(cut, np.asarray(relative, np.float32))


class Painter(Protocol):
    """Paints where a head looks."""

    def paint(self, frame: Frame, box: BoundingBox, head: Head) -> AttentionPicture:
        """The picture of one box by one version of the head."""
        ...


class RegionPainter:
    """Of a classifier that reads boxes of a search region's map; see :class:`Painter`.

    Args:
        backbone, stages, target_px, grid, device: those of the features that the head reads.
    """

    def __init__(
        self, backbone: Backbone, stages: tuple[str, ...], target_px: float, grid: int, device: torch.device
    ) -> None:
        self._backbone, self._stages, self._device, self._grid = backbone, stages, device, grid
        step = backbone.granularity_px
        self._size_px = max(
            step * round(2 * target_px / step), 2 * step
        )  # half a target of context around it
        self._sides = self._size_px / target_px

    def paint(self, frame: Frame, box: BoundingBox, head: Head) -> AttentionPicture:
        """See :class:`Painter`."""
        region = Region.around(box, self._sides)
        cut = region.cut(frame.image, self._size_px)
        in_crop = region.to_crop(box.as_array()[None], self._size_px)
        with torch.enable_grad():
            pixels = to_pixels(cut, self._device).requires_grad_(True)
            fused = fused_map(self._backbone, self._backbone.normalized(pixels), self._stages)[0]
            scores = head(pooled(fused, in_crop, self._backbone.stages[self._stages[0]], self._grid))
            return AttentionPicture.of(cut, scores[:, TARGET], pixels)


class CropPainter:
    """Of a classifier that reads each box's own crop; see :class:`Painter`.

    Args:
        network, context_px: those of the features that the head reads.
    """

    def __init__(self, network: CropNetwork, context_px: int) -> None:
        self._network, self._context_px = network, context_px

    def paint(self, frame: Frame, box: BoundingBox, head: Head) -> AttentionPicture:
        """See :class:`Painter`."""
        network = self._network
        image = image_pixels(frame.image, network.device)
        boxes = torch.from_numpy(box.as_array()[None]).to(image)
        crops = cut_boxes(image, boxes, network.size_px, self._context_px)
        with torch.enable_grad():
            pixels = network.activation(crops, INPUT).requires_grad_(True)
            score = head(network.after(INPUT)(pixels))[:, TARGET]
            cut = np.ascontiguousarray(crops[0].permute(1, 2, 0).cpu().numpy())
            return AttentionPicture.of(cut, score, pixels)


class MapPainter:
    """Attention of the target's score back to the pixels of the target's own crop.

    Colour enters the map by tables, which have no gradient: what is shown is what the network sees.
    Where there is no classifier, the score is the finder's response.

    Args:
        source: of maps, by a network that gradients flow through.
        target_px: root of the target's area in a crop.
        region_px: side of the crops that frames are seen in.
        side_px: of the picture, crop pixels; a multiple of the network's granularity.
        grid: bins a side that the classifier reads of a box.
        device: where it computes.
    """

    def __init__(
        self,
        source: MapSource,
        target_px: float,
        region_px: int,
        side_px: int,
        grid: int,
        device: torch.device,
    ) -> None:
        self._source, self._grid, self._device = source, grid, device
        self._target_px, self._region_px, self._side_px = target_px, region_px, side_px

    def paint(self, frame: Frame, box: BoundingBox, known: Appearance) -> AttentionPicture:
        """The picture of one box by one version of what is known."""
        center, size = np.array(box.center), np.array([box.w, box.h])
        crop = replace(Crop.around(center, size, self._target_px, self._region_px), side_px=self._side_px)
        cut, middle = crop.cut(frame.image), np.full((1, 2), self._side_px / 2)
        lab = to_lab(halved(cut))
        with torch.enable_grad():
            pixels = to_pixels(cut, self._device).requires_grad_(True)
            features = known.encoder.read(self._source.joined(self._source.deep(pixels), lab))
            place = (features, middle, size * crop.scale, self._source.stage, self._grid)
            if known.head is not None:
                score = known.head(box_features(*place))[:, TARGET]
            else:
                score = (taps(*place) @ known.finder)[:, 0]
            return AttentionPicture.of(cut, score, pixels)
