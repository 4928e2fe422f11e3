"""Overlays for people: the box with state and confidence, and attention as a heat map."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .painting import AttentionPicture
from .types import BoundingBox, TrackResult, TrackStatus

Image = NDArray[np.uint8]

COLORS = {  # RGB; readable apart by people who don't tell red from green
    TrackStatus.TRACKED: (0, 200, 83),
    TrackStatus.UNCERTAIN: (255, 179, 0),
    TrackStatus.LOST: (229, 57, 53),
}
CHOSEN = (33, 150, 243)
FONT = cv2.FONT_HERSHEY_SIMPLEX
HEAT_SHARE = 0.65  # of the heat map where attention is full; the picture shows through elsewhere


def draw_result(image: Image, result: TrackResult) -> Image:
    """A copy of an RGB image with the box in the colour of its state, its confidence above it."""
    label = f"{result.status.value} {result.confidence:.2f}"
    return _drawn(image, result.box, COLORS[result.status], label, result.status is TrackStatus.LOST)


def draw_choice(image: Image, box: BoundingBox, mask: NDArray[np.bool_] | None, label: str) -> Image:
    """A copy of an RGB image with the chosen box and, tinted, the (H, W) pixels that it was grown from."""
    canvas = image.copy()
    if mask is not None:
        canvas[mask] = canvas[mask] // 2 + np.array(CHOSEN, np.uint8) // 2
    return _drawn(canvas, box, CHOSEN, label, is_dashed=False)


def attention_overlay(picture: AttentionPicture, size_px: int) -> Image:
    """(size_px, size_px, 3) RGB: the target's crop with its attention as a heat map."""
    return heat_overlay(picture.pixels, picture.attention, size_px)


def heat_overlay(pixels: Image, heat: NDArray[np.float32], size_px: int) -> Image:
    """(size_px, size_px, 3) RGB: a square picture with a heat map over it.

    Args:
        pixels: (S, S, 3) RGB.
        heat: (n, n) in [0, 1], over the whole of the picture.
        size_px: side of the answer.
    """
    shown = cv2.resize(pixels, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    heat = np.asarray(cv2.resize(heat, (size_px, size_px), interpolation=cv2.INTER_LINEAR), np.float32)
    levels = np.clip(heat * 255, 0, 255).astype(np.uint8)
    colors = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    share = HEAT_SHARE * np.sqrt(np.clip(heat, 0, 1))[:, :, None]
    return np.asarray(shown * (1 - share) + colors * share, np.uint8)


def side_by_side(frame: Image, beside: Image | None) -> Image:
    """A frame and a square picture of the same height beside it, grey where there is none yet.

    Sides are cut to even numbers: video codecs ask for it.
    """
    height = frame.shape[0] // 2 * 2
    if beside is None:
        panel = np.full((height, height, 3), 32, np.uint8)
    else:
        panel = np.asarray(cv2.resize(beside, (height, height), interpolation=cv2.INTER_AREA), np.uint8)
    left = frame[:height, : frame.shape[1] // 2 * 2]
    return np.ascontiguousarray(np.concatenate([left, panel], axis=1))


def _drawn(image: Image, box: BoundingBox, color: tuple[int, int, int], label: str, is_dashed: bool) -> Image:
    canvas = image.copy()
    thickness = max(1, round(min(canvas.shape[:2]) / 180))
    corners = [(box.x, box.y), (box.x + box.w, box.y + box.h)]
    (left, top), (right, bottom) = [(round(x), round(y)) for x, y in corners]
    if is_dashed:
        _dashed(canvas, (left, top), (right, bottom), color, thickness)
    else:
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), color, thickness)
    _label(canvas, label, (left, top), color)
    return np.asarray(canvas)


def _label(canvas: Image, text: str, corner: tuple[int, int], color: tuple[int, int, int]) -> None:
    scale = max(0.4, min(canvas.shape[:2]) / 900)
    (width, height), baseline = cv2.getTextSize(text, FONT, scale, 1)
    x = int(np.clip(corner[0], 0, max(canvas.shape[1] - width - 4, 0)))
    y = corner[1] - 4 if corner[1] > height + baseline + 4 else corner[1] + height + baseline + 4
    y = int(np.clip(y, height + 2, canvas.shape[0] - baseline))
    cv2.rectangle(canvas, (x, y - height - 3), (x + width + 4, y + baseline), color, cv2.FILLED)
    cv2.putText(canvas, text, (x + 2, y), FONT, scale, (0, 0, 0), 1, cv2.LINE_AA)


def _dashed(
    canvas: Image, low: tuple[int, int], high: tuple[int, int], color: tuple[int, int, int], thickness: int
) -> None:
    dash = 8
    for x in range(low[0], high[0], 2 * dash):
        for y in (low[1], high[1] - 1):
            cv2.line(canvas, (x, y), (min(x + dash, high[0]), y), color, thickness)
    for y in range(low[1], high[1], 2 * dash):
        for x in (low[0], high[0] - 1):
            cv2.line(canvas, (x, y), (x, min(y + dash, high[1])), color, thickness)
