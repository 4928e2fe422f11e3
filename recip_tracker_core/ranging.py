"""How far the target is, from a depth image and its box.

A box holds more than its target: background at the corners and through gaps, and sometimes the edge of
something in front. So the places of a box vote with weights, and the surface that has most of them is
taken for the target. A plane is laid through it, robustly, since the depth that is asked for is the one
at the centre of the box, and holes in a depth image are not spread evenly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import FrameError
from .types import BoundingBox

Floats = NDArray[np.float64]
Real = NDArray[np.float32]
Reals = NDArray[np.floating[Any]]

# Shares are of the weight in a box, and the figures those of central_weight alone.
LEAST_SHARE = 0.25  # a post of 15 % of the width in front of the middle has .24
LEAST_CENTRAL = 0.75  # mean weight of a target's places, by that of the box; a wall around one has .5 to .65
AGAINST = 0.5  # by the same measure, where a place stops speaking for its surface: see _mode
LEAST_PLACES = 10  # their median is off by .4 of the noise
SURFACE = 0.1  # largest relative deviation of a depth from its surface: 2 sigma of a stereo camera at 20 m
SHALLOW = 0.02  # what is allowed for even where the noise is smaller: no surface is quite a plane
SAMPLES = 40  # places along a side that are enough: the median of 1000 is off by .04 of the noise


@dataclass(frozen=True, slots=True)
class Range:
    """Where along the optical axis a target is.

    Attributes:
        z_m: depth at the centre of its box, metres.
        spread_m: how far the surface's places lie from its plane there, as a standard deviation that is
            taken from the median, metres: the camera's noise and the target's shape.
        share: of the box's weight, in [0, 1], that lies on the surface; the rest is elsewhere or missing.
    """

    z_m: float
    spread_m: float
    share: float


@dataclass(frozen=True, slots=True)
class NoRange:
    """Why there is none, in words."""

    reason: str


def target_range(depth: Real, box: BoundingBox, weights: Real | None = None) -> Range | NoRange:
    """The depth of what a box is about.

    Without weights, a target that covers less than a quarter of its box may lose to the wall behind it.

    Args:
        depth: (H, W) metres along the optical axis; NaN, infinity or 0 where there is none.
        box: in pixels of that image, see :func:`scaled`. It may be partly outside.
        weights: (h, w) in [0, 1], how much each place of the box belongs to the target, of any
            resolution; None for no opinion.

    Raises:
        FrameError: if the arrays are not such arrays.
    """
    _check(depth, weights)
    rows, columns = _places(box.y, box.h, depth.shape[0]), _places(box.x, box.w, depth.shape[1])
    if not rows.size or not columns.size:
        return NoRange("the box lies outside the depth image")
    across, down = (columns + 0.5 - box.x) / box.w, (rows + 0.5 - box.y) / box.h
    weight = central_weight(across, down)
    if weights is not None:
        weight *= _resampled(weights, across, down)
    places = np.stack(np.meshgrid(across - 0.5, down - 0.5), axis=-1)
    return _range(depth[np.ix_(rows, columns)].astype(np.float64), places, weight)


def central_weight(across: Reals, down: Reals) -> Floats:
    """(h, w) weights of places at these parts (w,) and (h,) of the box: a bell at its centre.

    A quarter of the box is its standard deviation: a target that fills two thirds of either side then
    holds .73 of the weight, with .44 of the area.
    """
    bell_across, bell_down = (np.exp(-8 * (part - 0.5) ** 2) for part in (across, down))
    return np.outer(bell_down, bell_across)


def scaled(box: BoundingBox, size: tuple[int, int], other_size: tuple[int, int]) -> BoundingBox:
    """A box of an image of one (width, height) in one of another, which shows the same field of view."""
    across, down = other_size[0] / size[0], other_size[1] / size[1]
    return BoundingBox(box.x * across, box.y * down, box.w * across, box.h * down)


def _check(depth: Real, weights: Real | None) -> None:
    if depth.ndim != 2 or not np.issubdtype(depth.dtype, np.floating):
        raise FrameError(f"a depth image must be (H, W) metres, got {depth.shape} {depth.dtype}")
    if weights is None:
        return
    if weights.ndim != 2 or weights.size == 0 or not ((weights >= 0) & (weights <= 1)).all():
        raise FrameError(f"weights must be (h, w) in [0, 1], got {weights.shape} {weights.dtype}")


def _places(start: float, length: float, size: int) -> NDArray[np.intp]:
    """Pixels of a side whose centres lie in box and image: ``SAMPLES`` to twice as many, evenly spread."""
    first = max(math.ceil(start - 0.5), 0)
    end = min(math.ceil(start + length - 0.5), size)
    return np.arange(first, end, max((end - first) // SAMPLES, 1))


def _resampled(weights: Real, across: Reals, down: Reals) -> Real:
    """(h, w) weights at these parts of the box, between the centres of their cells."""
    columns = (across * weights.shape[1] - 0.5).astype(np.float32)
    rows = (down * weights.shape[0] - 0.5).astype(np.float32)
    at_columns, at_rows = np.meshgrid(columns, rows)
    cells = weights.astype(np.float32)
    return np.asarray(
        cv2.remap(cells, at_columns, at_rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def _range(z: Floats, places: Floats, weight: Floats) -> Range | NoRange:
    """The range of depths (h, w) at places (h, w, 2) with their weights (h, w), if they have one."""
    known = np.isfinite(z) & (z > 0) & (weight > 0)
    if np.count_nonzero(known) < LEAST_PLACES:
        return NoRange(f"the box has a depth in {np.count_nonzero(known)} places only")
    mean = float(weight.mean())
    z_m, spread_m, is_on = _surface(z[known], places[known], weight[known], AGAINST * mean)
    on_it = weight[known][is_on]
    share, central = float(on_it.sum() / weight.sum()), float(on_it.mean() / mean)
    if share < LEAST_SHARE or central < LEAST_CENTRAL or on_it.size < LEAST_PLACES:
        return NoRange(
            f"no surface stands for the target: what is at {z_m:.2f} m has {share:.0%} of the box's weight "
            f"in {on_it.size} places, {central:.2f} of the mean in each"
        )
    return Range(z_m, spread_m, share)


def _surface(
    z: Floats, places: Floats, weight: Floats, against: float
) -> tuple[float, float, NDArray[np.bool_]]:
    """The surface that stands for the target: a plane, so its inverse depth is linear in the image.

    Args:
        z: (N,) metres.
        places: (N, 2) from the centre of the box, in parts of its sides.
        weight: (N,), positive.
        against: the weight of a place that speaks neither for nor against its surface.

    Returns:
        Depth at the centre and the spread about the plane there, metres, and (N,) what belongs to it.
    """
    z_m, slope, allowed = _mode(z, weight, against), np.zeros(2), SURFACE
    for _ in range(5):  # what is found along a slope makes it surer; it is settled after 3 or 4
        off = np.abs((1 / z - places @ slope) * z_m - 1) / allowed
        is_on = off < 1
        trust = weight[is_on] * (1 - off[is_on] ** 2) ** 2  # Tukey's biweight, against another's edge
        slope = _slope(1 / z[is_on], places[is_on], trust)
        level = 1 / z[is_on] - places[is_on] @ slope  # inverse depth, as if at the centre
        z_m = 1 / _median(level, weight[is_on])
        spread = 1.4826 * _median(np.abs(level * z_m - 1), weight[is_on])  # sigma of a normal distribution
        allowed = float(np.clip(3 * spread, SHALLOW, SURFACE))
    nearest, farthest = z[is_on].min(), z[is_on].max()
    z_m = float(np.clip(z_m, nearest * (1 - SURFACE), farthest * (1 + SURFACE)))  # a slope proves no more
    return z_m, spread * z_m, is_on


def _mode(z: Floats, weight: Floats, against: float) -> float:
    """The depth, metres, with the best vote within a surface's deviation to either side.

    What lies at the border of the box speaks against its own surface: else a wall around a slim target
    has the most weight, being larger. A target's places in the middle of it are worth more than the post
    that hides some of them, as long as ``against`` is well below the mean weight.
    """
    order = np.argsort(z)
    ascending, weight = z[order], weight[order]
    before = np.concatenate([[0.0], np.cumsum(weight - against)])
    ends = np.searchsorted(ascending, ascending * (1 + SURFACE) / (1 - SURFACE), "right")
    first = int(np.argmax(before[ends] - before[:-1]))
    return _median(ascending[first : ends[first]], weight[first : ends[first]])


def _slope(inverse: Floats, places: Floats, weight: Floats) -> Floats:
    """(2,) change of the inverse depth along the sides of the box, by weighted least squares."""
    terms = np.column_stack([np.ones(len(places)), places])
    weighted = (terms * weight[:, None]).T
    return np.asarray(np.linalg.lstsq(weighted @ terms, weighted @ inverse, rcond=None)[0][1:])


def _median(values: Floats, weight: Floats) -> float:
    """The value with half of the weight below it."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])
