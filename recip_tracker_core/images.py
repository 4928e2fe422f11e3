"""Where images come from: raw buffers, by the encoding names of ``sensor_msgs/Image``, and folders of files.

The node, the readers of files and the evaluation share this; it knows numbers and names, and no message type.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import FrameError

Pixels = NDArray[np.uint8]
Buffer = bytes | bytearray | memoryview | NDArray[np.uint8]
"""Bytes that are read where they lie; an ``array('B')``, as messages have it, is one too."""

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".ppm", ".webp"}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the pixels of an image lie in its buffer, and what becomes of them.

    Attributes:
        channels: samples a pixel.
        convert: from (H, W, channels) samples to what the table that has this entry promises.
        sample: type of a sample.
        columns: the width is a multiple of this.
        least_side: fewest rows, and columns, that can be converted.
    """

    channels: int
    convert: Callable[[NDArray[Any]], NDArray[Any]]
    sample: type[np.generic] = np.uint8
    columns: int = 1
    least_side: int = 1

    @property
    def pixel_bytes(self) -> int:
        """Bytes a pixel."""
        return self.channels * np.dtype(self.sample).itemsize

    def holds(self, samples: NDArray[Any]) -> bool:
        """Whether (H, W, C) samples are of its kind."""
        return samples.shape[2] == self.channels and samples.dtype == self.sample


def _top_bytes(samples: NDArray[Any]) -> Pixels:
    """Samples of 8 bits as they are, the more significant byte of those of 16."""
    return samples if samples.dtype == np.uint8 else (samples >> 8).astype(np.uint8)


def _recoloured(code: int) -> Callable[[NDArray[Any]], Pixels]:
    """A conversion of OpenCV's, on the top bytes."""
    return lambda samples: np.asarray(cv2.cvtColor(_top_bytes(samples), code), np.uint8)


SAMPLED = 10_000  # pixels whose percentiles stand for the image's


def _stretched(samples: NDArray[np.uint16]) -> Pixels:
    """Grey from black at the 1st percentile to white at the 99th, both of a sample of the image.

    For samples that promise no range: thermal cameras have 14 bits, and a scene fills few of their levels.
    An image that is flat but for less than one pixel in a hundred goes from its least to its greatest; a flat
    one is black.
    """
    stride = 1 + math.isqrt(samples.size // SAMPLED)
    low, high = np.percentile(samples[::stride, ::stride], (1, 99), method="nearest")
    if low == high:
        low, high = samples.min(), samples.max()
    above = np.clip(samples, low, high) - low
    grey = cv2.convertScaleAbs(above, alpha=255 / max(int(high - low), 1))
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


_BAYER = {  # by the first two rows, as ROS has it; OpenCV's short names (BG for rggb) start one pixel further
    "rggb": _recoloured(cv2.COLOR_BayerRGGB2RGB),
    "bggr": _recoloured(cv2.COLOR_BayerBGGR2RGB),
    "gbrg": _recoloured(cv2.COLOR_BayerGBRG2RGB),
    "grbg": _recoloured(cv2.COLOR_BayerGRBG2RGB),
}
_BGR = _recoloured(cv2.COLOR_BGR2RGB)
_RGBA, _BGRA = _recoloured(cv2.COLOR_RGBA2RGB), _recoloured(cv2.COLOR_BGRA2RGB)
_GREY = _recoloured(cv2.COLOR_GRAY2RGB)
_UYVY = Encoding(2, _recoloured(cv2.COLOR_YUV2RGB_UYVY), columns=2)
_YUYV = Encoding(2, _recoloured(cv2.COLOR_YUV2RGB_YUY2), columns=2)

ENCODINGS: Mapping[str, Encoding] = {
    "rgb8": Encoding(3, _top_bytes),
    "bgr8": Encoding(3, _BGR),
    "rgba8": Encoding(4, _RGBA),
    "bgra8": Encoding(4, _BGRA),
    "mono8": Encoding(1, _GREY),
    "rgb16": Encoding(3, _top_bytes, np.uint16),
    "bgr16": Encoding(3, _BGR, np.uint16),
    "rgba16": Encoding(4, _RGBA, np.uint16),
    "bgra16": Encoding(4, _BGRA, np.uint16),
    "mono16": Encoding(1, _GREY, np.uint16),
    "8UC1": Encoding(1, _GREY),
    "8UC3": Encoding(3, _BGR),  # OpenCV's order
    "16UC1": Encoding(1, _stretched, np.uint16),
    **{f"bayer_{name}8": Encoding(1, convert, least_side=3) for name, convert in _BAYER.items()},
    **{f"bayer_{name}16": Encoding(1, convert, np.uint16, least_side=3) for name, convert in _BAYER.items()},
    # BT.601, luma from 16 to 235
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
}
"""The names of ``sensor_msgs/image_encodings.hpp`` that become (H, W, 3) RGB."""


def _named(encoding: str, known: Mapping[str, Encoding]) -> Encoding:
    if encoding in known:
        return known[encoding]
    close = difflib.get_close_matches(encoding, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise FrameError(f"unknown image encoding '{encoding}', expected one of {sorted(known)}{hint}")


def check_layout(
    height: int, width: int, encoding: str, step: int, size: int, known: Mapping[str, Encoding] = ENCODINGS
) -> Encoding:
    """Whether a buffer of ``size`` bytes holds such an image: rows of ``step`` bytes, padding included.

    Raises:
        FrameError: for an unknown encoding, an empty image, a step too short, or a wrong size.
    """
    kind = _named(encoding, known)
    if height == 0 or width == 0:
        raise FrameError(f"the image is empty: {width} x {height}")
    row = width * kind.pixel_bytes
    if step < row:
        raise FrameError(
            f"step {step} is too short for {width} pixels of {encoding}, expected at least {row}"
        )
    if size != step * height:
        raise FrameError(
            f"the buffer has {size} bytes, expected step * height = {step} * {height} = {step * height}"
        )
    return kind


def samples_from_buffer(
    data: Buffer,
    height: int,
    width: int,
    encoding: str,
    step: int,
    is_bigendian: bool,
    known: Mapping[str, Encoding] = ENCODINGS,
) -> NDArray[Any]:
    """(H, W, channels) samples in this machine's byte order; a view of the buffer if that is its own.

    Raises:
        FrameError: see :func:`check_layout`.
    """
    buffer = np.frombuffer(data, np.uint8)
    kind = check_layout(height, width, encoding, step, buffer.size, known)
    rows = buffer.reshape(height, step)[:, : width * kind.pixel_bytes]
    sent = np.dtype(kind.sample).newbyteorder(">" if is_bigendian else "<")
    samples: NDArray[Any] = rows.view(sent).reshape(height, width, kind.channels)
    return samples.astype(kind.sample, copy=False)


def rgb_from_buffer(
    data: Buffer, height: int, width: int, encoding: str, step: int, is_bigendian: bool = False
) -> Pixels:
    """(H, W, 3) RGB, read-only; a view of the buffer where the encoding allows it.

    Args:
        is_bigendian: of samples of 16 bits; those of 8 have no order.

    Raises:
        FrameError: see :func:`check_layout` and :func:`to_rgb`.
    """
    return to_rgb(samples_from_buffer(data, height, width, encoding, step, is_bigendian), encoding)


def to_rgb(samples: NDArray[Any], encoding: str) -> Pixels:
    """(H, W, channels) samples of a known encoding as read-only (H, W, 3) RGB.

    Raises:
        FrameError: if the encoding cannot have that size.
    """
    kind, (height, width) = ENCODINGS[encoding], samples.shape[:2]
    if width % kind.columns:
        raise FrameError(f"the width of {encoding} must be a multiple of {kind.columns}, got {width}")
    if min(height, width) < kind.least_side:
        side = kind.least_side
        raise FrameError(f"{encoding} needs at least {side} x {side} pixels, got {width} x {height}")
    rgb: Pixels = kind.convert(samples).view()
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
