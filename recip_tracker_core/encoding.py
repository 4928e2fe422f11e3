"""From a crop to the map that locator, box refiner and classifier share.

The features of the frozen network at several strides and the crop's colour are standardised by the
first frame, and each group is reduced to its principal directions there, half of the weight on the
target. One more channel says how much a pixel's colour is the target's rather than the background's.
A group that is coarser than the map is interpolated last, when few channels of it are left; colours
are those of pixels twice as large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .backbones import Backbone, Stage
from .colors import COLOR_PLANES, cell_means, color_bins, color_likelihood, color_planes, halved, to_lab
from .crops import Crop
from .device_looks import bins_of, cut_on, halved_on, lab_of, means_of, planes_of
from .features import aligned_maps, pooled, pooled_of_several, spread, to_pixels
from .geometry import from_centers

Floats = NDArray[np.float64]

COLOR = "colour"
MOST_DEVIATIONS = 10.0  # a channel that is flat in the first frame explodes in a later one without it


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """A crop as network and colours show it, before any target's encoder has read it.

    Attributes:
        groups: (G_i, n_i, n_i) features: first those on the map's n cells, stages and colour, then those of
            each coarser stage.
        bins: (S / 2, S / 2) number of the colour bin of each pixel; where colours are computed on the device,
            there.
    """

    groups: tuple[Tensor, ...]
    bins: NDArray[np.uint16] | Tensor

    @property
    def cells(self) -> int:
        """A side of the map."""
        return self.groups[0].shape[-1]

    @property
    def step(self) -> int:
        """Cells of the map in one of the coarsest group, a side: windows begin and end at multiples."""
        return self.cells // min(group.shape[-1] for group in self.groups)

    def window(self, row: int, column: int, cells: int) -> Seen:
        """A square part of it, by its upper left cell and its side in cells, all multiples of ``step``."""

        def part(of: Any) -> Any:
            first, last = (
                slice(start * of.shape[-1] // self.cells, (start + cells) * of.shape[-1] // self.cells)
                for start in (row, column)
            )
            return of[..., first, last]

        return Seen(tuple(map(part, self.groups)), part(self.bins))


@dataclass(frozen=True, eq=False, slots=True)
class Reduction:
    """How features are read.

    Attributes:
        mean, inverse_deviation: (G, 1) of it in the first frame.
        directions: (C, G) that are kept.

    One of several targets has (T, ...) of each.
    """

    mean: Tensor
    inverse_deviation: Tensor
    directions: Tensor

    @staticmethod
    def joined(parts: Sequence[Reduction]) -> Reduction:
        """Of several groups of features on one grid, each in its own directions."""
        return Reduction(
            torch.cat([part.mean for part in parts]),
            torch.cat([part.inverse_deviation for part in parts]),
            torch.block_diag(*(part.directions for part in parts)),  # type: ignore[no-untyped-call]
        )

    @staticmethod
    def stacked(of_each: Sequence[Reduction]) -> Reduction:
        """Of several targets."""
        return Reduction(
            stacked([one.mean for one in of_each]),
            stacked([one.inverse_deviation for one in of_each]),
            stacked([one.directions for one in of_each]),
        )

    def reduced(self, groups: Tensor) -> Tensor:
        """(T, G, n, n) to (T, n * n, C)."""
        deviations = (groups.flatten(2) - self.mean).mul_(self.inverse_deviation)
        return deviations.clamp_(-MOST_DEVIATIONS, MOST_DEVIATIONS).mT @ self.directions.mT


@dataclass(frozen=True, eq=False, slots=True)
class Encoder:
    """Makes maps of crops; fitted on a first frame by :meth:`MapSource.fitted`.

    Attributes:
        source: of the raw features.
        reductions: of each of their grids.
        likelihood: one value in [-1, 1] for each of the colour bins.
        likelihood_gain: what that channel is multiplied by; 0: there is none.
    """

    source: MapSource
    reductions: tuple[Reduction, ...]
    likelihood: NDArray[np.float32]
    likelihood_gain: float

    @property
    def channels(self) -> int:
        """Of the map."""
        return sum(len(one.directions) for one in self.reductions) + (self.likelihood_gain > 0)

    @property
    def stage(self) -> Stage:
        """Whose grid the map has."""
        return self.source.stage

    def encode(self, crop: NDArray[np.uint8]) -> Tensor:
        """(S, S, 3) uint8 RGB to (C, n, n), on the source's device, channels last in memory."""
        return self.read(self.source.seen(crop))

    def belonging(self, patch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, m, 3) uint8 RGB to (n, m) in [0, 1]: whether a colour was the target's in the first frame."""
        return np.asarray((self.likelihood[color_bins(to_lab(patch))] + 1) / 2, np.float32)

    def read(self, seen: Seen) -> Tensor:
        """The same of what a crop shows; differentiable by its groups where gradients are enabled."""
        return read_together([self], [seen])[0]

    def likely(self, bins: NDArray[np.uint16] | Tensor, cells: int) -> Tensor:
        """(cells, cells) means of what the pixels' colours say."""
        stage = self.source.color_stage
        if isinstance(bins, Tensor):
            table = torch.from_numpy(self.likelihood).to(bins.device, non_blocking=True)
            return means_of(table[bins][None], stage, stage.stride)[0]
        return torch.from_numpy(cell_means(self.likelihood.take(bins), stage, cells))


def read_together(encoders: Sequence[Encoder], seen: Sequence[Seen]) -> Tensor:
    """(T, C, n, n) maps of crops of one side, each as its own encoder reads it; all are of one source."""
    first, cells = encoders[0], seen[0].cells
    kept = []
    for index, grid in enumerate(first.source.grids):
        reduction = Reduction.stacked([encoder.reductions[index] for encoder in encoders])
        groups = stacked([one.groups[index] for one in seen])
        kept.append(spread(reduction.reduced(groups), grid, first.stage, cells))
    if first.likelihood_gain > 0:
        pairs = zip(encoders, seen, strict=True)
        likely = stacked([encoder.likely(one.bins, cells) for encoder, one in pairs]).to(kept[0])
        kept.append(likely.flatten(1)[..., None] * first.likelihood_gain)
    return torch.cat(kept, dim=2).view(len(seen), cells, cells, -1).permute(0, 3, 1, 2)


def stacked(tensors: Sequence[Tensor]) -> Tensor:
    """(T, ...) of T tensors; a single one is not copied."""
    return torch.stack(list(tensors)) if len(tensors) > 1 else tensors[0][None]


class MapSource:
    """Raw features of crops, and the encoder that a first frame asks for.

    Args:
        backbone: frozen, on ``device``.
        stages: names of its stages, finest first.
        grid: the stage whose cells the map has.
        channels: how many are kept of each stage, and of the colour planes.
        likelihood_gain: of the colour likelihood; 0 leaves that channel out.
        device: where it computes.

    Attributes:
        stage: whose grid the map has.
        grids: on which features come, the map's first.
        names: of the stages on each of them, and of the colour.
        shapes: kept channels and raw ones of each.
        color_stage: the map's grid in the larger pixels that colours are read from.
    """

    def __init__(
        self,
        backbone: Backbone,
        stages: tuple[str, ...],
        grid: str,
        channels: tuple[int, ...],
        likelihood_gain: float,
        device: torch.device,
    ) -> None:
        self._backbone, self._stages, self._grid = backbone, stages, grid
        self._likelihood_gain, self._device = likelihood_gain, device
        self.stage = backbone.stages[grid]
        on_map = [name for name in stages if backbone.stages[name].stride <= self.stage.stride]
        coarser = [name for name in stages if name not in on_map]
        self.names = ((*on_map, COLOR), *((name,) for name in coarser))
        self.grids = (self.stage, *(backbone.stages[name] for name in coarser))
        self._sizes = {name: backbone.stages[name].channels for name in stages} | {COLOR: COLOR_PLANES}
        self._kept = {
            name: min(self._sizes[name], kept) for name, kept in zip((*stages, COLOR), channels, strict=True)
        }
        self.shapes = tuple(
            (sum(self._kept[name] for name in names), sum(self._sizes[name] for name in names))
            for names in self.names
        )
        self.color_stage = replace(
            self.stage, stride=self.stage.stride // 2, first_center_px=self.stage.first_center_px / 2
        )

    def seen(self, crop: NDArray[np.uint8]) -> Seen:
        """What (S, S, 3) uint8 RGB pixels show, on the source's device, without gradient."""
        with torch.no_grad():  # not inference_mode: learning must be able to read these
            return self.joined(self.deep(to_pixels(crop, self._device)), to_lab(halved(crop)))

    def look(self, image: NDArray[np.uint8], crop: Crop) -> Seen:
        """What a crop of an image, (H, W, 3) uint8 RGB, shows."""
        if self._device.type == "cpu":
            return self.seen(crop.cut(image))
        return self.look_on_device(image, crop)

    def look_on_device(self, image: NDArray[np.uint8], crop: Crop) -> Seen:
        """The same, with crop and colours computed where the network is."""
        with torch.no_grad():
            pixels = cut_on(self._device, image, crop)
            lab = lab_of(halved_on(pixels))
            return Seen(self._groups(self.deep(pixels), planes_of(lab, self.color_stage)), bins_of(lab))

    def joined(self, deep: dict[str, Tensor], lab: NDArray[np.uint8]) -> Seen:
        """What a crop shows of which :meth:`deep` has the features and (S / 2, S / 2, 3) are the colours."""
        planes = color_planes(lab, self.color_stage, len(lab) // self.color_stage.stride)
        return Seen(self._groups(deep, torch.from_numpy(planes)), color_bins(lab))

    def _groups(self, deep: dict[str, Tensor], planes: Tensor) -> tuple[Tensor, ...]:
        parts = deep | {COLOR: planes.to(self._device)}
        return tuple(torch.cat([parts[name] for name in names]) for names in self.names)

    def deep(self, pixels: Tensor) -> dict[str, Tensor]:
        """(1, 3, S, S) in [0, 255] to (G_i, n_i, n_i) of each stage, on cells no finer than the map's."""
        maps = self._backbone(self._backbone.normalized(pixels), self._stages)
        on_map = {name: maps[name] for name in self.names[0] if name != COLOR}
        maps |= zip(on_map, aligned_maps(self._backbone, on_map, self._grid), strict=True)
        return {name: one[0] for name, one in maps.items()}

    def fitted(self, crop: NDArray[np.uint8], size_px: Floats) -> Encoder:
        """The encoder of a target of (2,) size, crop pixels, in the middle of a first frame's crop."""
        seen = self.seen(crop)
        with torch.no_grad():
            weight = self._halved_weight(len(crop), size_px).to(seen.groups[0])
            reductions = tuple(
                self._fitted(
                    spread(group.flatten(1).T[None], grid, self.stage, seen.cells)[0].T, names, weight
                )
                for group, grid, names in zip(seen.groups, self.grids, self.names, strict=True)
            )
        likelihood = color_likelihood(to_lab(halved(crop)), size_px / 2)
        return Encoder(self, reductions, likelihood, self._likelihood_gain)

    def _fitted(self, raw: Tensor, names: tuple[str, ...], weight: Tensor) -> Reduction:
        parts = torch.split(raw, [self._sizes[name] for name in names])
        kept = (self._kept[name] for name in names)
        return Reduction.joined(
            [_reduction(part, weight, few) for part, few in zip(parts, kept, strict=True)]
        )

    def _halved_weight(self, side_px: int, size_px: Floats) -> Tensor:
        """(n * n,) weights of the cells: one half on 1.2 boxes, one half on the rest."""
        centers = self.stage.first_center_px + self.stage.stride * np.arange(side_px // self.stage.stride)
        x_inside, y_inside = (np.abs(centers - side_px / 2) < 0.6 * side for side in size_px)
        inside = y_inside[:, None] & x_inside
        weight = np.where(inside, 0.5 / max(inside.sum(), 1), 0.5 / max((~inside).sum(), 1))
        return torch.from_numpy(weight.ravel())


def _reduction(raw: Tensor, weight: Tensor, kept: int) -> Reduction:
    """Of (G, n * n) features of a first frame with (n * n,) weights of its cells, to so many directions."""
    mean = raw.mean(dim=1, keepdim=True)
    inverse_deviation = 1 / (raw.std(dim=1, keepdim=True) + 1e-3)
    # Bounded as every later frame is: a channel flat but for one cell must not rule its group.
    deviations = ((raw - mean) * inverse_deviation).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
    return Reduction(mean, inverse_deviation, _principal(deviations, weight, kept))


def _principal(deviations: Tensor, weight: Tensor, kept: int) -> Tensor:
    """(kept, G) leading directions of (G, n * n) features, scaled so that a group's energy is its size."""
    values, vectors = torch.linalg.eigh((deviations * weight) @ deviations.T)
    scale = math.sqrt(len(deviations)) / values.clamp(min=1e-6).sum().sqrt()
    directions: Tensor = vectors[:, -kept:].T * scale
    return directions.contiguous()


def taps(features: Tensor, centers_px: Floats, sizes_px: Floats, stage: Stage, grid: int) -> Tensor:
    """What a linear filter over a box reads: the map at grid x grid points of each box, and a constant 1.

    Args:
        features: (C, n, n) map.
        centers_px: (N, 2), crop pixels.
        sizes_px: (N, 2) or (2,), crop pixels.
        stage: whose grid the map has.
        grid: points a side.

    Returns:
        (N, grid * grid * C + 1), row by row of the grid, channels innermost.
    """
    read = box_features(features, centers_px, sizes_px, stage, grid).permute(0, 2, 3, 1).flatten(1)
    return torch.cat([read, torch.ones_like(read[:, :1])], dim=1)


def box_features(features: Tensor, centers_px: Floats, sizes_px: Floats, stage: Stage, grid: int) -> Tensor:
    """(N, C, grid, grid): the same points as the classifier reads them; arguments as of :func:`taps`."""
    return pooled(features, from_centers(centers_px, sizes_px), stage, grid, samples_per_bin=1)


def box_features_of_several(
    features: Sequence[Tensor],
    centers_px: Sequence[Floats],
    sizes_px: Sequence[Floats],
    stage: Stage,
    grid: int,
) -> Tensor:
    """The same of (N_i, 2) boxes of each map, one after the other; the maps have one shape."""
    counts = [len(centers) for centers in centers_px]
    which = np.repeat(np.arange(len(counts)), counts)
    boxes = np.concatenate([from_centers(*pair) for pair in zip(centers_px, sizes_px, strict=True)])
    maps = stacked([one.permute(1, 2, 0) for one in features]).permute(0, 3, 1, 2)  # as they lie in memory
    return pooled_of_several(maps, which, boxes, stage, grid, samples_per_bin=1)
