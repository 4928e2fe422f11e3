"""Arithmetic on many boxes at once. The convention is the one of :mod:`.types`."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .types import BoundingBox, Boxes

Real = TypeVar("Real", np.float32, np.float64)


def iou(boxes: NDArray[Real], box: ArrayLike) -> NDArray[Real]:
    """Overlap of boxes with a box: intersection over union, in the precision of the former.

    Args:
        boxes: (N, 4).
        box: (4,), or (N, 4) for row by row.

    Returns:
        (N,) in [0, 1]; NaN where a box has NaN, or both have no area.
    """
    other = np.asarray(box, boxes.dtype)
    low = np.maximum(boxes[:, :2], other[..., :2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], other[..., :2] + other[..., 2:])
    intersection = np.clip(high - low, 0, None).prod(axis=1)
    union = boxes[:, 2:].prod(axis=1) + other[..., 2:].prod(axis=-1) - intersection
    return np.asarray(intersection / union, boxes.dtype)


def centers(boxes: Boxes) -> Boxes:
    """(N, 2) centres, pixels."""
    return np.asarray(boxes[:, :2] + boxes[:, 2:] / 2, np.float32)


def from_centers(center_px: ArrayLike, size_px: ArrayLike) -> Boxes:
    """(N, 4) boxes from (N, 2) centres and (N, 2) or (2,) sizes, pixels."""
    center, size = np.broadcast_arrays(np.asarray(center_px, np.float32), np.asarray(size_px, np.float32))
    return np.concatenate([center - size / 2, size], axis=1).astype(np.float32)


def keep_in_view(boxes: Boxes, width: int, height: int) -> Boxes:
    """The boxes with sizes bounded by the image and moved so that every centre lies inside it.

    A target may leave the image by half of itself; a box further out sees nothing of it.
    """
    size = np.clip(boxes[:, 2:], 2, (max(width, 2), max(height, 2)))
    center = np.clip(centers(boxes), 0, (width, height))
    return from_centers(center, size)


def to_box(row: ArrayLike) -> BoundingBox:
    """One row of boxes as a value.

    Raises:
        BoxError: if it is no box.
    """
    return BoundingBox(*(float(value) for value in np.asarray(row)))
