"""What a crop's colours say: cells of CIELAB, bins of it, and how much each bin is the target's."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from .backbones import Stage

Floats = NDArray[np.float64]

COLOR_PLANES = 6  # of each cell: the mean of L, a, b, and how its upper left quarter differs from that
BINS = (16, 32, 32)  # of L, a, b
LIKELIHOOD_FLOOR = 1e-4  # share of pixels below which a colour says nothing


def halved(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 3) to (S / 2, S / 2, 3): the mean of each four pixels."""
    side = len(crop) // 2
    return np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def to_lab(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 3) RGB to 8-bit CIELAB."""
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2LAB), np.uint8)


def cell_means(
    plane: NDArray[np.uint8] | NDArray[np.float32], stage: Stage, cells: int
) -> NDArray[np.float32]:
    """(S, S, ...) pixels averaged over the cells of a stage, (cells, cells, ...)."""
    shift = max(round(stage.first_center_px - stage.stride / 2), 0)  # of the first cell's corner
    moved = cv2.copyMakeBorder(plane[shift:, shift:], 0, shift, 0, shift, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(moved, (cells, cells), interpolation=cv2.INTER_AREA), np.float32)


def color_planes(lab: NDArray[np.uint8], stage: Stage, cells: int) -> NDArray[np.float32]:
    """(COLOR_PLANES, cells, cells) of a crop's (S, S, 3) colours, in the same units."""
    mean = cell_means(lab, stage, cells)
    quarters = cell_means(lab, stage, 2 * cells)[::2, ::2]
    planes = np.concatenate([mean, quarters - mean], axis=2)
    return np.ascontiguousarray(planes.transpose(2, 0, 1))


def color_bins(lab: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(S, S) the number of the bin that each pixel's colour falls into, of 16 x 32 x 32."""
    lightness, a, b = (np.asarray(plane, np.uint8) for plane in cv2.split(lab))  # whole planes are faster
    bins = (lightness & 0xF0).astype(np.uint16) << 6
    bins |= (a & 0xF8).astype(np.uint16) << 2
    bins |= b >> 3
    return np.asarray(bins, np.uint16)


def color_likelihood(lab: NDArray[np.uint8], size_px: Floats) -> NDArray[np.float32]:
    """How much each colour is the target's: (f - b) / (f + b) of its shares, one value a bin.

    f is its share in the ellipse of the box in the crop's middle, b its share outside 1.1 boxes.
    """
    bins = color_bins(lab)
    offset = np.arange(len(lab)) + 0.5 - len(lab) / 2
    x, y = offset / (size_px[0] / 2), offset[:, None] / (size_px[1] / 2)
    target = _shares(bins[x**2 + y**2 < 1])
    background = _shares(bins[(np.abs(x) > 1.1) | (np.abs(y) > 1.1)])
    return np.asarray((target - background) / (target + background + LIKELIHOOD_FLOOR), np.float32)


def _shares(bins: NDArray[np.int32]) -> NDArray[np.float32]:
    """Histogram over the bins, sum about 1, smoothed over chroma."""
    count = np.bincount(bins, minlength=math.prod(BINS)).astype(np.float32).reshape(BINS)
    layers = np.ascontiguousarray(count.transpose(1, 2, 0))  # OpenCV smooths over rows and columns
    smooth = cv2.GaussianBlur(layers, (3, 3), 0.8).transpose(2, 0, 1)
    return np.asarray(smooth.ravel() / max(len(bins), 1), np.float32)
