"""One pass of the network for several near targets of about one size: which crops a larger one stands for."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .crops import Crop
from .observing import Look

# Of the largest target's scale over the smallest's: each is then seen at most a tenth too large or too
# small, which is what a first fit's own views show of it.
MOST_ZOOM = 1.2
MOST_SHARE = 0.75  # pixels of a shared crop against those of the crops that it stands for
# How far from the middle of its own look the outermost target is seen: a crop shows two targets' sizes beyond
# it on each side, and those of the others lie inwards.
MOST_ASIDE_PX = 48
SIDE_STEP_PX = 32  # of shared crops: a network is slow at sizes that it has not seen yet


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """Crops that are seen at once.

    Attributes:
        members: their numbers.
        crop: that shows them all; a single one's own.
    """

    members: tuple[int, ...]
    crop: Crop


def grouped(crops: Sequence[Crop]) -> list[Group]:
    """Crops of one side, each in one group; the groups that save most pixels are made first."""
    left, groups = list(range(len(crops))), []
    extents = [Extent.of(crop) for crop in crops]
    while len(left) > 1:
        found = [_best_around(seed, left, extents, crops[seed].side_px) for seed in left]
        saved, members = max(found, key=lambda one: one[0])
        if saved <= 0:
            break
        groups.append(Group(members, _joined([crops[index] for index in members])))
        left = [index for index in left if index not in members]
    return groups + [Group((index,), crops[index]) for index in left]


class Extent(NamedTuple):
    """Where the middles of crops are, image pixels, and their scales."""

    left: float
    top: float
    right: float
    bottom: float
    least_scale: float
    most_scale: float

    @staticmethod
    def of(crop: Crop) -> Extent:
        """Of one."""
        x, y = crop.center_px.tolist()
        return Extent(x, y, x, y, crop.scale, crop.scale)

    def with_one(self, other: Extent) -> Extent:
        """Of these and one more."""
        return Extent(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
            min(self.least_scale, other.least_scale),
            max(self.most_scale, other.most_scale),
        )

    @property
    def scale(self) -> float:
        """At which all are seen."""
        return math.sqrt(self.least_scale * self.most_scale)

    def side_px(self, alone_px: int) -> int:
        """Of the crop that shows what all do, of which each has that side."""
        reach_px = self.scale * max(self.right - self.left, self.bottom - self.top)
        return alone_px + SIDE_STEP_PX * max(0, math.ceil((reach_px - 2 * MOST_ASIDE_PX) / SIDE_STEP_PX))


def _best_around(
    seed: int, left: list[int], extents: Sequence[Extent], side_px: int
) -> tuple[int, tuple[int, ...]]:
    """The group of a crop and its nearest neighbours that saves most, and how many pixels; 0 for none."""
    x, y, *_ = extents[seed]
    near = sorted(left, key=lambda index: math.hypot(extents[index].left - x, extents[index].top - y))
    best: tuple[int, tuple[int, ...]] = 0, (seed,)
    extent = extents[seed]
    for count, index in enumerate(near, start=1):
        extent = extent.with_one(extents[index])
        if extent.most_scale > MOST_ZOOM * extent.least_scale:
            break  # one of them would be seen at a wrong scale
        alone_px, joined_px = count * side_px**2, extent.side_px(side_px) ** 2
        if joined_px <= MOST_SHARE * alone_px and alone_px - joined_px > best[0]:
            best = alone_px - joined_px, tuple(near[:count])
    return best


def _joined(crops: Sequence[Crop]) -> Crop:
    """The crop around several."""
    extent = functools.reduce(Extent.with_one, map(Extent.of, crops))
    middle_px = np.array([extent.left + extent.right, extent.top + extent.bottom]) / 2
    return Crop(middle_px, extent.scale, extent.side_px(crops[0].side_px)).snapped()


def window(look: Look, crop: Crop) -> Look:
    """The part of a shared look that stands for a crop, by whole cells of every stage: nearly its middle."""
    stride = look.crop.side_px // look.seen.cells
    cells, step = crop.side_px // stride, look.seen.step
    corner_px = look.crop.to_crop(crop.center_px) - crop.side_px / 2
    last = (look.seen.cells - cells) // step
    column, row = (np.clip(np.rint(corner_px / (stride * step)), 0, last).astype(int) * step).tolist()
    middle_px = np.array([column, row]) * stride + crop.side_px / 2
    own = Crop(look.crop.to_image(middle_px), look.crop.scale, crop.side_px)
    return Look(look.seen.window(row, column, cells), own)
