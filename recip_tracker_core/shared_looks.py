"""One pass of the network for several near targets of about one size: which crops a larger one stands for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
    while len(left) > 1:
        found = [_best_around(seed, left, crops) for seed in left]
        saved, group = max(found, key=lambda one: one[0])
        if saved <= 0:
            break
        groups.append(group)
        left = [index for index in left if index not in group.members]
    return groups + [Group((index,), crops[index]) for index in left]


def _best_around(seed: int, left: list[int], crops: Sequence[Crop]) -> tuple[int, Group]:
    """The group of a crop and its nearest neighbours that saves most, and how many pixels; 0 for none."""
    center_px = crops[seed].center_px
    near = sorted(left, key=lambda index: math.dist(crops[index].center_px, center_px))
    best = 0, Group((seed,), crops[seed])
    for count in range(2, len(near) + 1):
        joined = _joined([crops[index] for index in near[:count]])
        if joined is None:
            continue
        alone_px = count * crops[seed].side_px ** 2
        if joined.side_px**2 <= MOST_SHARE * alone_px and alone_px - joined.side_px**2 > best[0]:
            best = alone_px - joined.side_px**2, Group(tuple(near[:count]), joined)
    return best


def _joined(crops: Sequence[Crop]) -> Crop | None:
    """The crop around several, or None where that would show one of them at a wrong scale."""
    scales = [crop.scale for crop in crops]
    if max(scales) > MOST_ZOOM * min(scales):
        return None
    scale, (x, y) = (
        math.sqrt(max(scales) * min(scales)),
        zip(*(crop.center_px for crop in crops), strict=True),
    )
    reach_px = scale * max(max(x) - min(x), max(y) - min(y))
    steps = max(0, math.ceil((reach_px - 2 * MOST_ASIDE_PX) / SIDE_STEP_PX))
    side_px = crops[0].side_px + SIDE_STEP_PX * steps
    return Crop(np.array([min(x) + max(x), min(y) + max(y)]) / 2, scale, side_px).snapped()


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
