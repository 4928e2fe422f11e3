"""Boxes drawn at random, and training boxes chosen by their overlap with the target.

The samplers and their constants are those of the paper's released code (MDNet's before it): the
displacement is at most ``translation`` target sizes, the scale a power of ``scale_step``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import from_centers, iou, keep_in_view
from .types import BoundingBox, Boxes

Draw = Callable[[int], Boxes]
Floats = NDArray[np.float64]

MAX_ROUNDS = 12  # of drawing and sieving; a sampler that still falls short gives what it has


def gaussian(
    target: BoundingBox, count: int, translation: float, scale_step: float, generator: np.random.Generator
) -> Boxes:
    """(count, 4) boxes whose displacement is normal, cut off at ``translation`` (two deviations)."""
    normal = np.clip(0.5 * generator.standard_normal((count, 3)), -1, 1)
    return _moved(target, translation * normal[:, :2], scale_step ** normal[:, 2])


def uniform(
    target: BoundingBox,
    count: int,
    translation: float,
    scale_step: float,
    aspect_step: float,
    generator: np.random.Generator,
) -> Boxes:
    """(count, 4) boxes with uniform displacement, scale and aspect."""
    draw = generator.uniform(-1, 1, (count, 4))
    return _moved(target, translation * draw[:, :2], scale_step ** draw[:, 2], aspect_step ** draw[:, 3])


def positives(
    target: BoundingBox,
    width: int,
    height: int,
    count: int,
    generator: np.random.Generator,
    overlap: float = 0.7,
) -> Boxes:
    """At most ``count`` boxes that overlap the target by 0.7, or what is asked for, to 1."""

    def draw(n: int) -> Boxes:
        return keep_in_view(gaussian(target, n, 0.1, 1.2, generator), width, height)

    return _sieved(draw, target, count, overlap, 1.0)


def first_negatives(
    target: BoundingBox, width: int, height: int, count: int, generator: np.random.Generator
) -> Boxes:
    """At most ``count`` boxes that overlap the target by less than 0.5, half of them all over the image."""

    def near(n: int) -> Boxes:
        return keep_in_view(uniform(target, n, 1.0, 2.0, 1.1, generator), width, height)

    def far(n: int) -> Boxes:
        size = uniform(target, n, 0.0, 1.2, 1.1, generator)[:, 2:]
        center = generator.uniform(0, (width, height), (n, 2))
        return keep_in_view(from_centers(center, size), width, height)

    half = count // 2
    return np.concatenate(
        [_sieved(near, target, count - half, 0.0, 0.5), _sieved(far, target, half, 0.0, 0.5)]
    )


def negatives(
    target: BoundingBox, width: int, height: int, count: int, generator: np.random.Generator
) -> Boxes:
    """At most ``count`` boxes around the target that overlap it by less than 0.3."""

    def draw(n: int) -> Boxes:
        return keep_in_view(uniform(target, n, 1.5, 1.2, 1.1, generator), width, height)

    return _sieved(draw, target, count, 0.0, 0.3)


@dataclass(frozen=True, slots=True)
class RegressionSpread:
    """How far the boxes that a regression is fitted to lie from the target.

    The released code's (0.3, 1.5, 1.0) are never smaller than the target: a linear fit to those shrinks
    every box.

    Attributes:
        translation: farthest displacement, in target sizes.
        scale_step: largest scale.
        smallest_area: in areas of the target; the largest is 2.
    """

    translation: float = 0.15
    scale_step: float = 1.2
    smallest_area: float = 0.5


def regression_boxes(
    target: BoundingBox,
    width: int,
    height: int,
    count: int,
    generator: np.random.Generator,
    spread: RegressionSpread,
) -> Boxes:
    """At most ``count`` boxes that overlap the target by 0.6 to 1."""

    def draw(n: int) -> Boxes:
        boxes = keep_in_view(
            uniform(target, n, spread.translation, spread.scale_step, 1.1, generator), width, height
        )
        ratio = boxes[:, 2:].prod(axis=1) / target.area
        return np.asarray(boxes[(ratio >= spread.smallest_area) & (ratio <= 2)])

    return _sieved(draw, target, count, 0.6, 1.0)


def _moved(target: BoundingBox, shift: Floats, scale: Floats, aspect: Floats | None = None) -> Boxes:
    """The target displaced by (N, 2) shifts in target sizes (mean side), scaled and stretched by (N,)."""
    center = np.array(target.center) + shift * (target.w + target.h) / 2
    size = np.array([target.w, target.h]) * scale[:, None]
    if aspect is not None:
        size = size * np.stack([aspect, 1 / aspect], axis=1)
    return from_centers(center, size)


def _sieved(draw: Draw, target: BoundingBox, count: int, low: float, high: float) -> Boxes:
    """``count`` drawn boxes whose overlap lies in [low, high], or fewer when they are too rare."""
    kept: list[Boxes] = []
    missing = count
    for _ in range(MAX_ROUNDS):
        if missing <= 0:
            break
        boxes = draw(max(4 * missing, 64))
        overlap = iou(boxes, target.as_array())
        kept.append(boxes[(overlap >= low) & (overlap <= high)][:missing])
        missing -= len(kept[-1])
    return np.concatenate(kept) if kept else np.zeros((0, 4), np.float32)
