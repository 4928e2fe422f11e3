"""Where images come from: raw buffers, by the encoding names of ``sensor_msgs/Image``, and folders of files.

The node, the readers of files and the evaluation share this; it knows numbers and names, and no message type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import FrameError

Pixels = NDArray[np.uint8]

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".ppm", ".webp"}

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


def image_files(folder: Path) -> list[Path]:
    """The images of a folder by their suffixes, in the order of the numbers in their names.

    Hidden files are left out: archives packed on a Mac bring a ``._0001.jpg``, which is no image.
    """
    files = (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted((file for file in files if not file.name.startswith(".")), key=_order)


def _order(file: Path) -> tuple[list[int | str], str]:
    """``2.jpg`` comes before ``10.jpg``; the name itself decides between ``01.jpg`` and ``1.jpg``."""
    parts = re.split(r"(\d+)", file.name)  # every other part is a number
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], file.name
