"""From image and boxes to what the classifier reads.

A :class:`FeatureSource` looks at a frame and gives a :class:`View`; a view gives the features of any
box that it covers. ``map`` looks by one pass of the backbone over a square search region and pools
each box from the shared map. Gradients do not flow from here to pixels: see :mod:`.attention`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .backbones import Backbone, Stage
from .geometry import centers
from .types import BoundingBox, Boxes, Frame

PADDING = (127, 127, 127)  # what lies outside the image: grey, zero to the network
SAMPLES_PER_BIN = 2  # a side, as in RoIAlign (He et al., Mask R-CNN)


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Boxes as the classifier learns from them.

    Attributes:
        features: (N, C, grid, grid).
        crops: (N, 3, S, S) uint8, each box's own pixels; None where learning does not go back to them.
    """

    features: Tensor
    crops: Tensor | None = None

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: Tensor) -> Batch:
        """(M,) of them, copied."""
        return Batch(self.features[rows], None if self.crops is None else self.crops[rows])

    @staticmethod
    def cat(batches: Sequence[Batch]) -> Batch:
        """Several as one; all with crops or all without."""
        crops = [batch.crops for batch in batches if batch.crops is not None]
        assert len(crops) in {0, len(batches)}, "some batches have crops, and some have none"
        return Batch(torch.cat([batch.features for batch in batches]), torch.cat(crops) if crops else None)


class View(Protocol):
    """One look at a frame."""

    def covers(self, boxes: Boxes) -> NDArray[np.bool_]:
        """(N,) whether the view can give the features of each (N, 4) box."""
        ...

    def sample(self, boxes: Boxes) -> Tensor:
        """(N, C, grid, grid) float32 features of (N, 4) boxes, on the source's device, no gradient."""
        ...

    def batch(self, boxes: Boxes) -> Batch:
        """The same as learning wants them."""
        ...


class FeatureSource(Protocol):
    """Looks at frames.

    Attributes:
        channels, grid: the features of one box are (channels, grid, grid).
        kept_px: side of the crops that its batches carry beside them; 0: none.
    """

    channels: int
    grid: int
    kept_px: int

    def look(self, frame: Frame, target: BoundingBox) -> View:
        """A view around a box, at the scale at which a target of its size is seen."""
        ...


@dataclass(frozen=True, slots=True)
class Region:
    """A square part of the image, in whole pixels; it may reach over the image's border."""

    left: int
    top: int
    side: int

    @staticmethod
    def around(target: BoundingBox, sides: float) -> Region:
        """The square around a box whose side is that many times the root of the box's area.

        Half the longer side stands for that root where it is larger, so that a long box fits, too.
        """
        side = max(round(sides * max(target.area**0.5, max(target.w, target.h) / 2)), 8)
        x, y = target.center
        return Region(round(x - side / 2), round(y - side / 2), side)

    def cut(self, image: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
        """(size_px, size_px, 3): the region's pixels, grey where there is no image.

        What lies in the image is resized before it is padded: a region may be many times as large.
        Its edge is then off by half a pixel of the cut at the most.
        """
        height, width = image.shape[:2]
        low = np.clip([self.left, self.top], 0, (width, height))
        high = np.clip([self.left + self.side, self.top + self.side], 0, (width, height))
        canvas = np.full((size_px, size_px, 3), PADDING, np.uint8)
        if (high <= low).any():
            return canvas
        scale = size_px / self.side
        start = np.minimum(np.round((low - (self.left, self.top)) * scale).astype(int), size_px - 1)
        end = np.maximum(np.round((high - (self.left, self.top)) * scale).astype(int), start + 1)
        inside = image[low[1] : high[1], low[0] : high[0]]
        size = (int(end[0] - start[0]), int(end[1] - start[1]))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas[start[1] : end[1], start[0] : end[0]] = cv2.resize(inside, size, interpolation=interpolation)
        return canvas

    def to_crop(self, boxes: Boxes, size_px: int) -> Boxes:
        """Boxes in the image as boxes in the cut of that size."""
        shifted = boxes - np.array([self.left, self.top, 0, 0], np.float32)
        return np.asarray(shifted * (size_px / self.side), np.float32)


def fused_map(backbone: Backbone, images: Tensor, stages: tuple[str, ...]) -> Tensor:
    """Several stages of normalised images as one map on the grid of the finest, each on one scale.

    Args:
        images: (N, 3, H, W) normalised.
        stages: names, the finest first.

    Returns:
        (N, sum of channels, H / stride, W / stride), cell centres where the finest stage has them.
    """
    maps = backbone(images, stages)
    scaled = {name: maps[name] / backbone.stages[name].scale for name in stages}
    return torch.cat(aligned_maps(backbone, scaled, stages[0]), dim=1)


def aligned_maps(backbone: Backbone, maps: dict[str, Tensor], onto: str) -> list[Tensor]:
    """Maps (N, C, H, W) of several stages, each resampled onto the cells of one of them, in their order."""
    target = backbone.stages[onto]
    height, width = maps[onto].shape[-2:]
    aligned = []
    for name, features in maps.items():
        stage = backbone.stages[name]
        if stage is target:
            aligned.append(features)
            continue
        rows = _interpolation(stage, target, features.shape[-2], height).to(features)
        columns = _interpolation(stage, target, features.shape[-1], width).to(features)
        aligned.append(rows @ features.contiguous() @ columns.T)
    return aligned


def spread(values: Tensor, source: Stage, onto: Stage, cells: int) -> Tensor:
    """(T, n * n, C) values at a stage's cells to (T, cells * cells, C) at a finer one's, by interpolation."""
    if source is onto:
        return values
    count, own = len(values), math.isqrt(values.shape[1])
    weights = _interpolation(source, onto, own, cells).to(values)
    rows = (weights @ values.reshape(count, own, -1)).view(count * cells, own, -1)
    return (weights @ rows).view(count, cells * cells, -1)


@functools.cache
def _interpolation(source: Stage, target: Stage, n_source: int, n_target: int) -> Tensor:
    """(n_target, n_source) linear interpolation between cell centres, constant beyond the last ones.

    Onto coarser cells the triangle is as wide as those, so that nothing between them is missed.
    """
    center_px = target.first_center_px + target.stride * torch.arange(n_target, dtype=torch.float64)
    at = ((center_px - source.first_center_px) / source.stride).clamp(0, n_source - 1)
    distance = (at[:, None] - torch.arange(n_source, dtype=torch.float64)).abs()
    weight = (1 - distance / max(target.stride / source.stride, 1.0)).clamp(min=0)
    return (weight / weight.sum(dim=1, keepdim=True)).float()


def pooled(
    fused: Tensor, boxes: Boxes, stage: Stage, grid: int, samples_per_bin: int = SAMPLES_PER_BIN
) -> Tensor:
    """(N, C, grid, grid) features of boxes of one (C, H, W) map; see :func:`pooled_of_several`."""
    first = np.zeros(len(boxes), np.int64)
    return pooled_of_several(fused[None], first, boxes, stage, grid, samples_per_bin)


def pooled_of_several(
    maps: Tensor,
    which: NDArray[np.int64],
    boxes: Boxes,
    stage: Stage,
    grid: int,
    samples_per_bin: int = SAMPLES_PER_BIN,
) -> Tensor:
    """Features of boxes: RoIAlign (He et al., Mask R-CNN) of maps.

    A bin is a weighted sum of map cells, so the whole is one ``embedding_bag``: exact, differentiable
    with respect to the map, and many times faster on a CPU than ``grid_sample``.

    Args:
        maps: (T, C, H, W).
        which: (N,) map of each box.
        boxes: (N, 4) in the pixels that the backbone saw.
        stage: whose grid the map has.
        grid: bins a side.
        samples_per_bin: a side; with 1 a bin is what the map has at its centre.

    Returns:
        (N, C, grid, grid), channels last in memory.
    """
    _, channels, height, width = maps.shape
    read, shares = _taps(boxes, stage, grid, (width, height), samples_per_bin)
    # (N, grid, 1, taps, 1) with (N, 1, grid, 1, taps): every pair of a row and a column
    rows = read[:, 1] + which[:, None, None] * height
    cells = rows[:, :, None, :, None] * width + read[:, 0, None, :, None, :]
    weights = shares[:, 1, :, None, :, None] * shares[:, 0, None, :, None, :]
    taps = cells.shape[-1] * cells.shape[-2]
    bags = F.embedding_bag(
        torch.from_numpy(cells.reshape(-1, taps)).to(maps.device),
        maps.permute(0, 2, 3, 1).reshape(-1, channels),
        per_sample_weights=torch.from_numpy(weights.reshape(-1, taps)).to(maps),
        mode="sum",
    )
    return bags.view(len(boxes), grid, grid, channels).permute(0, 3, 1, 2)


def _taps(
    boxes: Boxes, stage: Stage, grid: int, cells: tuple[int, int], samples: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Which cells of both axes each bin reads, x first, and their weights: (N, 2, grid, 2 * samples) each."""
    count, last = grid * samples, np.array(cells)[:, None] - 1
    offset = (np.arange(count, dtype=np.float32) + 0.5) / count
    at_px = boxes[:, :2, None] + boxes[:, 2:, None] * offset  # (N, 2, count)
    at = np.maximum((at_px - stage.first_center_px) / stage.stride, 0)
    at = np.minimum(at, last.astype(np.float32))
    low = np.minimum(at.astype(np.int64), np.maximum(last - 1, 0))
    share = (at - low).astype(np.float32)
    index = np.stack([low, np.minimum(low + 1, last)], axis=-1)
    weight = np.stack([1 - share, share], axis=-1) / np.float32(samples)
    shape = (len(boxes), 2, grid, 2 * samples)
    return index.reshape(shape), weight.reshape(shape)


class MapView:
    """A view whose boxes are pooled from one map."""

    def __init__(self, region: Region, size_px: int, fused: Tensor, stage: Stage, grid: int) -> None:
        self._region, self._size_px = region, size_px
        self._fused, self._stage, self._grid = fused, stage, grid

    def covers(self, boxes: Boxes) -> NDArray[np.bool_]:
        """Boxes whose centre lies in the region, and three quarters of each side at least."""
        margin = boxes[:, 2:] / 4
        corner = np.array([self._region.left, self._region.top], np.float32)
        inside = (boxes[:, :2] + margin >= corner) & (
            boxes[:, :2] + boxes[:, 2:] - margin <= corner + self._region.side
        )
        return np.asarray(inside.all(axis=1))

    def sample(self, boxes: Boxes) -> Tensor:
        """See :class:`View`."""
        with torch.no_grad():  # not inference_mode: learning must be able to read these
            return pooled(self._fused, self._region.to_crop(boxes, self._size_px), self._stage, self._grid)

    def batch(self, boxes: Boxes) -> Batch:
        """See :class:`View`."""
        return Batch(self.sample(boxes))


class MapFeatures:
    """One pass of the backbone over a search region serves every candidate.

    Args:
        backbone: frozen, on ``device``.
        stages: names of its stages, finest first.
        region_px: side of the region as the backbone sees it.
        target_px: root of the target's area in it.
        grid: bins a side that a box is pooled into.
        device: where it computes.
    """

    def __init__(
        self,
        backbone: Backbone,
        stages: tuple[str, ...],
        region_px: int,
        target_px: float,
        grid: int,
        device: torch.device,
    ) -> None:
        self._backbone, self._stages, self._device = backbone, stages, device
        self._region_px, self._sides = region_px, region_px / target_px
        self._finest = backbone.stages[stages[0]]
        self.grid = grid
        self.channels = sum(backbone.stages[name].channels for name in stages)
        self.kept_px = 0

    def look(self, frame: Frame, target: BoundingBox) -> MapView:
        """See :class:`FeatureSource`."""
        region = Region.around(target, self._sides)
        cut = region.cut(frame.image, self._region_px)
        with torch.no_grad():
            images = self._backbone.normalized(to_pixels(cut, self._device))
            fused = fused_map(self._backbone, images, self._stages)[0]
            # Laid out as pooling reads it, once for all calls.
            fused = fused.permute(1, 2, 0).contiguous().permute(2, 0, 1)
        return MapView(region, self._region_px, fused, self._finest, self.grid)


def to_pixels(cut: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) float32 in [0, 255]."""
    return torch.from_numpy(np.stack(cv2.split(cut))).to(device)[None].float()


def covered(view: View, boxes: Boxes) -> Boxes:
    """The boxes whose features a view can give; all of them when it can give none, as the best there is."""
    inside = view.covers(boxes)
    return boxes[inside] if inside.any() else boxes


def sample_widely(
    source: FeatureSource, frame: Frame, target: BoundingBox, boxes: Boxes, max_views: int = 9
) -> Batch:
    """Boxes that may lie anywhere in the image, by as few views as they need.

    Args:
        target: at whose scale the frame is looked at; the first view is around it.
        boxes: (N, 4).
        max_views: bound on the work; boxes that no view reached are left out. That many views cover a
            part of the image only, when the target is small in it.

    Returns:
        At most N.
    """
    found, where = [], target
    for _ in range(max_views):
        view = source.look(frame, where)
        inside = view.covers(boxes)
        found.append(view.batch(boxes[inside]))
        boxes = boxes[~inside]
        if len(boxes) == 0:
            break
        (x, y), boxes = centers(boxes[:1])[0], np.roll(boxes, -1, axis=0)
        where = BoundingBox(float(x) - target.w / 2, float(y) - target.h / 2, target.w, target.h)
    return Batch.cat(found)
