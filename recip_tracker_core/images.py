"""Raw image buffers to RGB, by the encoding names of ``sensor_msgs/Image``.

The node and the bag reader share this; it knows numbers and names, and no message type.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import FrameError

Pixels = NDArray[np.uint8]

# encoding: channels, and how (H, W, channels) becomes RGB
ENCODINGS: dict[str, tuple[int, Callable[[Pixels], Pixels]]] = {
    "rgb8": (3, lambda pixels: pixels),
    "bgr8": (3, lambda pixels: np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)),
    "mono8": (1, lambda pixels: np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)),
}


def check_layout(height: int, width: int, encoding: str, step: int, size: int) -> int:
    """Whether a buffer of ``size`` bytes holds such an image: rows of ``step`` bytes, padding included.

    Returns:
        Its number of channels.

    Raises:
        FrameError: for an unknown encoding, an empty image, a step too short, or a wrong size.
    """
    if encoding not in ENCODINGS:
        raise FrameError(f"unknown image encoding '{encoding}', expected one of {sorted(ENCODINGS)}")
    channels, _ = ENCODINGS[encoding]
    if height == 0 or width == 0:
        raise FrameError(f"the image is empty: {width} x {height}")
    if step < width * channels:
        raise FrameError(
            f"step {step} is too short for {width} pixels of {encoding}, expected at least {width * channels}"
        )
    if size != step * height:
        raise FrameError(
            f"the buffer has {size} bytes, expected step * height = {step} * {height} = {step * height}"
        )
    return channels


def rgb_from_buffer(
    data: bytes | memoryview | NDArray[np.uint8], height: int, width: int, encoding: str, step: int
) -> Pixels:
    """(H, W, 3) RGB, read-only; a view of the buffer where the encoding allows it.

    Raises:
        FrameError: see :func:`check_layout`.
    """
    buffer = np.frombuffer(data, np.uint8)
    channels = check_layout(height, width, encoding, step, buffer.size)
    rows = buffer.reshape(height, step)[:, : width * channels]
    return to_rgb(rows.reshape(height, width, channels), encoding)


def to_rgb(pixels: Pixels, encoding: str) -> Pixels:
    """(H, W, channels) pixels of a known encoding as read-only (H, W, 3) RGB."""
    _, convert = ENCODINGS[encoding]
    rgb: Pixels = convert(pixels).view()
    rgb.flags.writeable = False
    return rgb
