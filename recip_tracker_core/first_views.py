"""The first frame seen in several ways, so that what is learned from it holds in the next one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from . import quasirandom
from .crops import Crop
from .encoding import Encoder

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Alteration:
    """How a view of the first frame differs from it."""

    is_flipped: bool = False
    degrees: float = 0.0
    blur_px: float = 0.0
    zoom: float = 1.0


ALTERATIONS = (
    Alteration(is_flipped=True),
    Alteration(degrees=8.0),
    Alteration(degrees=-8.0),
    Alteration(blur_px=1.5),
    Alteration(zoom=0.9),
    Alteration(zoom=1.12),
)
SHIFT_PX = 24.0  # how far the target is moved in a view of the first frame, crop pixels


@dataclass(frozen=True, eq=False, slots=True)
class TrainingView:
    """One way of seeing the first frame.

    Attributes:
        features: (C, n, n).
        center_px, size_px: (2,) of the target, crop pixels.
        is_upright: the target's box is still a box in it.
    """

    features: Tensor
    center_px: Floats
    size_px: Floats
    is_upright: bool


def first_views(
    image: NDArray[np.uint8], encoder: Encoder, crop: Crop, size_px: Floats, seed: int, count: int
) -> Iterator[TrainingView]:
    """The first frame as it is, twice, and altered, each with the target at another place.

    Args:
        image: (H, W, 3) uint8 RGB.
        encoder: of maps.
        crop: the target in its middle.
        size_px: (2,) of the target, image pixels.
        seed: shifts the places.
        count: of the views, 2 to 8; the same are always the first ones.
    """
    middle = np.full(2, crop.side_px / 2)
    plain = TrainingView(encoder.encode(crop.cut(image)), middle, size_px * crop.scale, is_upright=True)
    yield from (plain, plain)
    shifts = (2 * quasirandom.points(len(ALTERATIONS), 2, 0, seed) - 1) * SHIFT_PX
    for alteration, shift in list(zip(ALTERATIONS, shifts, strict=True))[: count - 2]:
        yield _altered(image, encoder, crop, size_px, shift, alteration)


def turned_views(
    image: NDArray[np.uint8], encoder: Encoder, crop: Crop, size_px: Floats, turns: int
) -> Iterator[TrainingView]:
    """The first frame turned about the target, which stays in the middle, by all steps but none.

    Arguments as of :func:`first_views`, and the steps of a whole turn.
    """
    for turn in range(1, turns):
        how = Alteration(degrees=360 * turn / turns)
        yield _altered(image, encoder, crop, size_px, np.zeros(2), how)


def _altered(
    image: NDArray[np.uint8], encoder: Encoder, crop: Crop, size_px: Floats, shift: Floats, how: Alteration
) -> TrainingView:
    """One altered view of the first frame, the target moved by a (2,) shift in it, crop pixels."""
    zoomed = replace(crop, scale=crop.scale * how.zoom)
    shift_px = (float(shift[0]), float(shift[1]))
    pixels = zoomed.cut(image, degrees=how.degrees, is_flipped=how.is_flipped, shift_px=shift_px)
    if how.blur_px:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), how.blur_px), np.uint8)
    place = np.full(2, crop.side_px / 2) + shift
    return TrainingView(
        encoder.encode(pixels),
        place,
        size_px * zoomed.scale,
        is_upright=how.degrees == 0,
    )
